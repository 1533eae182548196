//! Random numbers: named streams, draws that belong to a call, and samplers.
//!
//! Two kinds of randomness, so that under one seed two designs see the same random numbers (common
//! random numbers):
//!
//! * A [`Stream`] is a PCG generator seeded from (run seed, name). Arrivals, probes and faults each draw
//!   from a stream of their own.
//! * A call carries a 64-bit *salt*, drawn when it arrives. Everything random about the call (its work,
//!   the service time of its query, network jitter, routing, backoff) is a pure function of
//!   (salt, purpose, attempt): one step of the SplitMix64 sequence that starts at the salt.
//!
//! Samplers use `libm`, never the platform's functions: those differ in the last digit between platforms. The
//! logarithm behind exponential times, drawn twice or more per call, is our own: additions and multiplications only,
//! so as portable, and in half the time.

use crate::setting::{Data, Field, Form, Reader, Setting, Value};
use crate::units::Ns;
use rand::{Rng, TryRng};
use rand_pcg::Pcg64Mcg;
use std::convert::Infallible;

/// What a draw is for; each purpose has its own number in the sequence of a salt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum Purpose {
    /// CPU time or held time of a call at its server.
    Work = 1,
    /// Service time of its query at a store.
    Query = 2,
    /// Which server, for random balancing.
    Route = 3,
    /// The second candidate of two.
    RouteSecond = 4,
    /// Backoff before a retry.
    Backoff = 5,
    /// Whether a store that errs for a share of queries errs on this one.
    Error = 6,
    /// Whether a shed share takes this call.
    Shed = 7,
    /// Network delay from client to balancer.
    ClientLink = 8,
    /// Network delay from balancer to client.
    ClientLinkBack = 9,
    /// Network delay from balancer to server.
    ServerLink = 10,
    /// Network delay from server to balancer.
    ServerLinkBack = 11,
    /// Network delay from server to store.
    StoreLink = 12,
    /// Network delay from store to server.
    StoreLinkBack = 13,
    /// Whether a lost call can be replayed from the balancer's log.
    Logged = 15,
    /// Whether a client keeps a lost call.
    Kept = 16,
    /// When a client that keeps a lost call sends it again.
    Returns = 17,
    /// Whether a message is lost on its way, and whether a reset arrives in its place.
    Loss = 18,
    /// How much longer a slow link makes a message take.
    Latency = 19,
    /// Whether a call is made as another kind.
    Shift = 20,
    /// Pause of a balancer before a retry.
    RetryPause = 21,
    /// Whether a server that answers badly for a share of calls does so to this try.
    BadAnswer = 22,
    /// What is random about an ask of a call's plan.
    Child = 23,
    /// Whether a call takes a step.
    Share = 24,
    /// Network delay from a service to the proxy before another.
    ServiceLink = 25,
    /// Network delay from that proxy back.
    ServiceLinkBack = 26,
    /// Which key of a cache a call asks for.
    Key = 27,
    /// How long an entry of a cache lives.
    KeyLife = 28,
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64's output function (Steele, Lea, Flood 2014; Stafford's variant 13 constants).
#[inline]
pub const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The 64 bits that belong to (salt, purpose, attempt).
#[inline]
pub const fn draw(salt: u64, purpose: Purpose, attempt: u32) -> u64 {
    mix(salt.wrapping_add(GOLDEN.wrapping_mul(((purpose as u64) << 32) | (attempt as u64 + 1))))
}

/// A number in (0, 1] with 53 random bits; never zero, so that its logarithm is finite.
#[inline]
pub fn unit(bits: u64) -> f64 {
    ((bits >> 11) + 1) as f64 * (1.0 / 9_007_199_254_740_992.0)
}

const PIECES: usize = 128;
/// For each piece of the numbers from 1 to 2: the reciprocal of its middle, and the logarithm of what that is the
/// reciprocal of.
static PIECE: [(f64, f64); PIECES] = pieces();

const fn pieces() -> [(f64, f64); PIECES] {
    let mut table = [(0.0, 0.0); PIECES];
    let mut i = 0;
    while i < PIECES {
        let reciprocal = 1.0 / (1.0 + (i as f64 + 0.5) / PIECES as f64);
        // ln((1 + z) / (1 - z)) = 2 (z + z^3 / 3 + z^5 / 5 ...)
        let z = (1.0 - reciprocal) / (1.0 + reciprocal);
        let (mut sum, mut power, mut n) = (0.0, z, 1.0);
        while power > 1e-19 {
            sum += power / n;
            power *= z * z;
            n += 2.0;
        }
        table[i] = (reciprocal, 2.0 * sum);
        i += 1;
    }
    table
}

/// The negative logarithm of a number in (0, 1], exact to 5e-16: absolutely up to one, relatively above.
#[inline]
pub fn minus_ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let halvings = (1023 - (bits >> 52) as i32) as f64;
    let (reciprocal, ln) = PIECE[(bits >> 45) as usize % PIECES];
    let from_1_to_2 = f64::from_bits((bits & ((1 << 52) - 1)) | (1023 << 52));
    let r = from_1_to_2 * reciprocal - 1.0;
    // ln(1 + r) for r below 1/256, to the sixth power.
    let r2 = r * r;
    let rest = r2 * r * ((1.0 / 3.0 - r * 0.25) + r2 * (0.2 - r * (1.0 / 6.0)));
    (halvings * core::f64::consts::LN_2 - ln) - ((r - r2 * 0.5) + rest)
}

/// A named stream of random bits. It is a [`rand::Rng`], so whatever draws from one can draw from it.
#[derive(Clone, Debug)]
pub struct Stream(Pcg64Mcg);

impl Stream {
    /// The stream of that name under a run seed. Names are hashed with FNV-1a; the same name always
    /// gives the same stream.
    pub fn new(seed: u64, name: &str) -> Stream {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in name.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        let high = mix(seed.wrapping_add(GOLDEN) ^ mix(hash));
        let low = mix(high.wrapping_add(GOLDEN) ^ hash);
        Stream(Pcg64Mcg::new((u128::from(high) << 64) | u128::from(low)))
    }

    /// The next 64 bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// The next number in (0, 1].
    #[inline]
    pub fn unit(&mut self) -> f64 {
        unit(self.bits())
    }

    /// An exponential variate of mean one.
    #[inline]
    pub fn exponential(&mut self) -> f64 {
        minus_ln(self.unit())
    }
}

impl TryRng for Stream {
    type Error = Infallible;

    #[inline]
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0.try_next_u32()
    }

    #[inline]
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0.try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.try_fill_bytes(bytes)
    }
}

/// A distribution of times.
#[derive(Clone, PartialEq, Debug)]
pub enum Distribution {
    /// Always the same.
    Constant(Ns),
    /// Exponential with this mean.
    Exponential(Ns),
    /// Lognormal with this median; `sigma` is the standard deviation of the logarithm.
    Lognormal {
        /// Median.
        median: Ns,
        /// Standard deviation of the natural logarithm.
        sigma: f64,
    },
    /// Pareto (type I): never below `least`, tail index `shape`; the mean is finite above shape 1.
    Pareto {
        /// Smallest value.
        least: Ns,
        /// Tail index.
        shape: f64,
    },
    /// Uniform between two times.
    Uniform(Ns, Ns),
}

impl Default for Distribution {
    fn default() -> Self {
        Distribution::Constant(Ns::ZERO)
    }
}

impl Distribution {
    /// The time that belongs to (salt, purpose, attempt).
    #[inline]
    pub fn sample(&self, salt: u64, purpose: Purpose, attempt: u32) -> Ns {
        match *self {
            Distribution::Constant(time) => time,
            Distribution::Exponential(mean) => {
                // By way of a signed number: the processor has no conversion to an unsigned one.
                Ns((minus_ln(unit(draw(salt, purpose, attempt))) * mean.0 as f64 + 0.5) as i64 as u64)
            }
            _ => self.sample_rare(salt, purpose, attempt),
        }
    }

    #[cold]
    fn sample_rare(&self, salt: u64, purpose: Purpose, attempt: u32) -> Ns {
        let bits = draw(salt, purpose, attempt);
        let u = unit(bits);
        let nanos = match *self {
            Distribution::Constant(time) | Distribution::Exponential(time) => time.0 as f64,
            Distribution::Lognormal { median, sigma } => {
                // Box-Muller; the second uniform comes from a further step of the same sequence.
                let v = unit(mix(bits.wrapping_add(GOLDEN)));
                let normal = (-2.0 * libm::log(u)).sqrt() * libm::cos(core::f64::consts::TAU * v);
                median.0 as f64 * libm::exp(sigma * normal)
            }
            Distribution::Pareto { least, shape } => least.0 as f64 * libm::pow(u, -1.0 / shape),
            Distribution::Uniform(low, high) => low.0 as f64 + u * (high.0 - low.0) as f64,
        };
        Ns((nanos + 0.5) as u64)
    }

    /// The mean in seconds; infinite for a Pareto of shape one or less.
    pub fn mean_s(&self) -> f64 {
        match *self {
            Distribution::Constant(time) | Distribution::Exponential(time) => time.as_secs(),
            Distribution::Lognormal { median, sigma } => median.as_secs() * libm::exp(sigma * sigma / 2.0),
            Distribution::Pareto { shape, .. } if shape <= 1.0 => f64::INFINITY,
            Distribution::Pareto { least, shape } => least.as_secs() * shape / (shape - 1.0),
            Distribution::Uniform(low, high) => (low.as_secs() + high.as_secs()) / 2.0,
        }
    }
}

const LOOKS: &str = "a time \"4ms\", or { exponential = \"4ms\" }, { lognormal = \"4ms\", sigma = 0.5 }, \
                     { pareto = \"1ms\", shape = 2.5 } or { uniform = [\"1ms\", \"3ms\"] }";

impl Setting for Distribution {
    fn read(value: &Value, reader: &mut Reader<'_>) -> Option<Self> {
        let table = match &value.data {
            Data::Table(table) => table,
            Data::Text(_) | Data::Integer(_) | Data::Float(_) => {
                return Ns::read(value, reader).map(Distribution::Constant);
            }
            _ => {
                reader.expected(value, LOOKS);
                return None;
            }
        };
        let time = |name, reader: &mut Reader<'_>| table.get(name).and_then(|v| Ns::read(v, reader));
        let factor = |name, reader: &mut Reader<'_>| match table.get(name).and_then(|v| f64::read(v, reader)) {
            Some(x) if x > 0.0 => Some(x),
            _ => {
                reader.problem(value.span, format!("`{name}` must be a number above zero here"));
                None
            }
        };
        let keys: Vec<_> = table.entries.iter().map(|(k, _)| k.name.as_str()).collect();
        match keys[..] {
            ["exponential"] => time("exponential", reader).map(Distribution::Exponential),
            ["lognormal", "sigma"] | ["sigma", "lognormal"] => {
                Some(Distribution::Lognormal { median: time("lognormal", reader)?, sigma: factor("sigma", reader)? })
            }
            ["pareto", "shape"] | ["shape", "pareto"] => {
                Some(Distribution::Pareto { least: time("pareto", reader)?, shape: factor("shape", reader)? })
            }
            ["uniform"] => {
                let bounds = table.get("uniform").and_then(|v| Vec::<Ns>::read(v, reader))?;
                match bounds[..] {
                    [low, high] if low <= high => Some(Distribution::Uniform(low, high)),
                    _ => {
                        reader.problem(value.span, "`uniform` takes two times, the lower first");
                        None
                    }
                }
            }
            _ => {
                reader.problem_with_help(value.span, "not a distribution of times", LOOKS);
                None
            }
        }
    }
    fn form() -> Form {
        let key = |name, doc, form| Field { name, doc, form, default: None, range: None, says_when: true };
        let two = Form::Pair(Box::new(Ns::form()), Box::new(Ns::form()));
        let table = |keys| Form::Table(keys, Vec::new());
        Form::Either(vec![
            Ns::form(),
            table(vec![key("exponential", "Exponential, of this mean. (time)", Ns::form())]),
            table(vec![
                key("lognormal", "Lognormal, of this median. (time)", Ns::form()),
                key("sigma", "Standard deviation of its logarithm.", Form::Number),
            ]),
            table(vec![
                key("pareto", "Pareto, of this least value. (time)", Ns::form()),
                key("shape", "Its shape: the lower, the heavier the tail.", Form::Number),
            ]),
            table(vec![key("uniform", "Uniform between two times.", two)]),
        ])
    }
    fn show(&self) -> String {
        match self {
            Distribution::Constant(time) => time.to_string(),
            Distribution::Exponential(mean) => format!("{{ exponential = {mean} }}"),
            Distribution::Lognormal { median, sigma } => format!("{{ lognormal = {median}, sigma = {sigma} }}"),
            Distribution::Pareto { least, shape } => format!("{{ pareto = {least}, shape = {shape} }}"),
            Distribution::Uniform(low, high) => format!("{{ uniform = [{low}, {high}] }}"),
        }
    }
    fn toml(&self) -> String {
        match self {
            Distribution::Constant(time) => time.toml(),
            Distribution::Exponential(mean) => format!("{{ exponential = {} }}", mean.toml()),
            Distribution::Lognormal { median, sigma } => {
                format!("{{ lognormal = {}, sigma = {sigma} }}", median.toml())
            }
            Distribution::Pareto { least, shape } => format!("{{ pareto = {}, shape = {shape} }}", least.toml()),
            Distribution::Uniform(low, high) => format!("{{ uniform = [{}, {}] }}", low.toml(), high.toml()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean_of(distribution: &Distribution) -> f64 {
        let mut stream = Stream::new(7, "test");
        let n = 400_000;
        let total: f64 = (0..n).map(|_| distribution.sample(stream.bits(), Purpose::Work, 0).as_secs()).sum();
        total / f64::from(n)
    }

    #[test]
    fn samplers_have_the_means_of_their_closed_forms() {
        for distribution in [
            Distribution::Constant(Ns::millis(4)),
            Distribution::Exponential(Ns::millis(4)),
            Distribution::Lognormal { median: Ns::millis(4), sigma: 0.5 },
            Distribution::Pareto { least: Ns::millis(1), shape: 3.5 },
            Distribution::Uniform(Ns::millis(1), Ns::millis(3)),
        ] {
            let (is, should) = (mean_of(&distribution), distribution.mean_s());
            assert!((is / should - 1.0).abs() < 0.01, "{distribution:?}: {is} against {should}");
        }
    }

    #[test]
    fn our_logarithm_is_that_of_libm() {
        let ends = [1.0, 0.5, 0.25, f64::EPSILON / 2.0, 1.0 - f64::EPSILON / 2.0];
        let mut stream = Stream::new(7, "test");
        let drawn = (0..400_000).map(|n| stream.unit() * [1.0, 1e-3, 1e-9][n % 3]);
        for x in ends.into_iter().chain(drawn) {
            let (ours, theirs) = (minus_ln(x), -libm::log(x));
            assert!((ours - theirs).abs() <= 5e-16 * theirs.max(1.0), "-ln {x}: {ours} against {theirs}");
        }
    }

    #[test]
    fn a_draw_depends_on_salt_purpose_and_attempt_only() {
        assert_eq!(draw(1, Purpose::Work, 0), draw(1, Purpose::Work, 0));
        assert_ne!(draw(1, Purpose::Work, 0), draw(1, Purpose::Work, 1));
        assert_ne!(draw(1, Purpose::Work, 0), draw(1, Purpose::Query, 0));
        assert_ne!(draw(1, Purpose::Work, 0), draw(2, Purpose::Work, 0));
    }

    #[test]
    fn streams_are_pinned_so_that_old_seeds_keep_their_meaning() {
        let mut stream = Stream::new(1, "arrivals/browsers");
        let first = [stream.bits(), stream.bits()];
        assert_eq!(first, [Stream::new(1, "arrivals/browsers").bits(), first[1]]);
        assert_ne!(Stream::new(1, "arrivals/pages").bits(), first[0]);
        // By way of the trait, too.
        let mut again = Stream::new(1, "arrivals/browsers");
        let drawn = [again.next_u64(), again.next_u64()];
        assert_eq!(drawn, first);
        assert_ne!(Stream::new(2, "arrivals/browsers").bits(), first[0]);
    }
}
