//! A cache: which keys it has, since when, and which it gives up.
//!
//! Every key is kept for itself, however many there are: some 20 bytes each. An entry lives for `ttl` from when it was set (the
//! fill), and a hit does not prolong it (memcached); with a capacity the least recently used goes first, expired or
//! not. Which key a call wants is drawn from its salt by popularity: rank i with a chance in proportion to i^-s
//! (Zipf), by rejection-inversion (Hörmann and Derflinger 1996), which needs no table.
//!
//! Not modelled: sizes of entries, slabs, several nodes and the keys that move between them, leases.

use crate::random::{Purpose, draw, unit};
use crate::setting::{Name, Scope, Silence, always, unless};
use crate::settings;
use crate::units::{Ns, Rate, Share};

/// Most keys of a cache.
const MOST: u64 = 10_000_000;

settings! {
    /// What makes a store a cache of another: servers that ask it look there first, query the other where it has
    /// nothing or cannot be asked, and set what they got.
    pub struct Cache {
        /// The store behind it, which the asking server queries itself on a miss, over its own pool.
        pub of (required): Name = Name::default() => always;
        /// How many keys calls ask for.
        pub keys: u64 = 1000, 1 ..= 10000000 => always;
        /// How popular they are: the chance of the i-th is in proportion to 1 / i^zipf; 0: all alike.
        pub zipf: f64 = 1.0, 0 ..= 10 => has_choice;
        /// How long an entry lives from when it was set, hit or not; none: until it is pushed out. (time)
        pub ttl: Option<Ns> = None, "1ms" ..= "8760h" => always;
        /// Share of that time which is random, so that what is set together does not end together.
        pub ttl_jitter: Share = Share(0.0) => expires;
        /// Most entries; one more pushes the least recently used out. None: room for all keys. (entries)
        pub capacity: Option<u64> = None, 1 ..= 10000000 => always;
        /// What it has when the run begins: as if it had been asked at this rate for long; none: nothing, it is cold.
        pub warm: Option<Rate> = None => always;
        /// Whether one process queries the store once for all calls that miss the same key meanwhile (single flight).
        pub single_flight: bool = false => always;
    }
}

fn has_choice(cache: &Cache, _: &Scope<'_>) -> Silence {
    unless(cache.keys > 1, "`keys` is 1: every call asks for the same")
}

fn expires(cache: &Cache, _: &Scope<'_>) -> Silence {
    unless(cache.ttl.is_some(), "without `ttl` an entry does not expire")
}

/// No entry.
const NONE: u32 = u32::MAX;

/// Which keys a cache has.
#[derive(Clone, Debug)]
pub struct Entries {
    /// Per key: until when it is there; 0 if it is not.
    until: Vec<u64>,
    /// Per key, with a capacity: the entry used next before it, and next after it.
    links: Vec<(u32, u32)>,
    /// The entry used last, and the one used longest ago.
    ends: (u32, u32),
    held: u64,
    capacity: u64,
}

impl Entries {
    /// A cold cache.
    pub fn new(cache: &Cache) -> Entries {
        let keys = cache.keys.min(MOST) as usize;
        let bounded = cache.capacity.is_some_and(|most| most < cache.keys);
        Entries {
            until: vec![0; keys],
            links: if bounded { vec![(NONE, NONE); keys] } else { Vec::new() },
            ends: (NONE, NONE),
            held: 0,
            capacity: cache.capacity.unwrap_or(u64::MAX),
        }
    }

    /// Fills it as if it had been asked at the rate that the settings give for long: with a time to live each key is there
    /// with its chance, lT / (1 + lT), and has any part of its time left; without one all are, the most popular first.
    pub fn warm(&mut self, cache: &Cache, salt: u64) {
        let Some(rate) = cache.warm else { return };
        let per_second = rate.0;
        let all: f64 = (1..=self.until.len()).map(|rank| libm::pow(rank as f64, -cache.zipf)).sum();
        // The least popular first, so that with a capacity the most popular are what is left.
        for key in (0..self.until.len() as u32).rev() {
            let number = key.wrapping_mul(2);
            match cache.ttl {
                Some(ttl) => {
                    let load = per_second * libm::pow(f64::from(key) + 1.0, -cache.zipf) / all * ttl.as_secs();
                    if unit(draw(salt, Purpose::Key, number)) <= load / (1.0 + load) {
                        let left = ttl.scaled(unit(draw(salt, Purpose::Key, number + 1)));
                        self.set(key, Ns::ZERO, left.max(Ns(1)));
                    }
                }
                None => self.set(key, Ns::ZERO, Ns::NEVER),
            }
        }
    }

    /// How many entries it has, expired ones included that nobody has asked for since.
    pub fn held(&self) -> u64 {
        self.held
    }

    /// Whether it has a key now; then that is the one used last.
    pub fn get(&mut self, key: u32, now: Ns) -> bool {
        match self.until[key as usize] {
            0 => false,
            until if until <= now.0 => {
                self.drop(key);
                false
            }
            _ => {
                self.touch(key);
                true
            }
        }
    }

    /// A key is set, to live for so long.
    pub fn set(&mut self, key: u32, now: Ns, lives: Ns) {
        let is_new = self.until[key as usize] == 0;
        self.until[key as usize] = now.plus(lives).0.max(1);
        if !is_new {
            self.touch(key);
            return;
        }
        self.held += 1;
        if !self.links.is_empty() {
            self.put_first(key);
            if self.held > self.capacity {
                self.drop(self.ends.1);
            }
        }
    }

    /// Everything goes; so many entries were there.
    pub fn flush(&mut self) -> u64 {
        self.until.fill(0);
        self.ends = (NONE, NONE);
        std::mem::take(&mut self.held)
    }

    fn drop(&mut self, key: u32) {
        self.until[key as usize] = 0;
        self.held -= 1;
        if !self.links.is_empty() {
            self.unlink(key);
        }
    }

    fn touch(&mut self, key: u32) {
        if !self.links.is_empty() && self.ends.0 != key {
            self.unlink(key);
            self.put_first(key);
        }
    }

    fn put_first(&mut self, key: u32) {
        let second = self.ends.0;
        self.links[key as usize] = (NONE, second);
        match second {
            NONE => self.ends.1 = key,
            second => self.links[second as usize].0 = key,
        }
        self.ends.0 = key;
    }

    fn unlink(&mut self, key: u32) {
        let (before, after) = self.links[key as usize];
        match before {
            NONE => self.ends.0 = after,
            before => self.links[before as usize].1 = after,
        }
        match after {
            NONE => self.ends.1 = before,
            after => self.links[after as usize].0 = before,
        }
    }
}

/// How keys are drawn.
#[derive(Clone, Copy, Debug)]
pub struct Popularity {
    keys: f64,
    exponent: f64,
    first: f64,
    last: f64,
    squeeze: f64,
}

impl Popularity {
    /// That of a cache.
    pub fn new(cache: &Cache) -> Popularity {
        let mut new =
            Popularity { keys: cache.keys.min(MOST) as f64, exponent: cache.zipf, first: 0.0, last: 0.0, squeeze: 0.0 };
        new.first = new.area(1.5) - 1.0;
        new.last = new.area(new.keys + 0.5);
        new.squeeze = 2.0 - new.area_inverse(new.area(2.5) - libm::pow(2.0, -new.exponent));
        new
    }

    /// The key that the call with this salt asks for, from 0; the most popular first.
    pub fn key(&self, salt: u64) -> u32 {
        if self.keys < 2.0 {
            return 0;
        }
        // Each try ends with a chance of more than a half; that so many fail does not happen.
        for number in 0..1000 {
            let u = self.last + unit(draw(salt, Purpose::Key, number)) * (self.first - self.last);
            let x = self.area_inverse(u);
            let rank = libm::floor(x + 0.5).clamp(1.0, self.keys);
            if rank - x <= self.squeeze || u >= self.area(rank + 0.5) - libm::pow(rank, -self.exponent) {
                return rank as u32 - 1;
            }
        }
        0
    }

    /// The integral of x^-s up to a point, from 1.
    fn area(&self, x: f64) -> f64 {
        let log = libm::log(x);
        expm1_by((1.0 - self.exponent) * log) * log
    }

    /// Where that integral has this value.
    fn area_inverse(&self, area: f64) -> f64 {
        let t = (area * (1.0 - self.exponent)).max(-1.0);
        libm::exp(log1p_by(t) * area)
    }
}

/// (e^x - 1) / x, also near 0.
fn expm1_by(x: f64) -> f64 {
    if x.abs() > 1e-8 { libm::expm1(x) / x } else { 1.0 + x / 2.0 }
}

/// ln(1 + x) / x, also near 0.
fn log1p_by(x: f64) -> f64 {
    if x.abs() > 1e-8 { libm::log1p(x) / x } else { 1.0 - x / 2.0 }
}

impl Cache {
    /// How long an entry lives that is set on behalf of a call.
    pub fn lives(&self, salt: u64) -> Ns {
        let Some(ttl) = self.ttl else { return Ns::NEVER };
        ttl.scaled(1.0 - self.ttl_jitter.0 * (1.0 - unit(draw(salt, Purpose::KeyLife, 0))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::mix;

    /// Lookups with fills at once, at so many a second, after as many to begin with; the hit ratio.
    fn hit_ratio(cache: &Cache, rate: f64, lookups: u32) -> f64 {
        let (mut entries, popularity) = (Entries::new(cache), Popularity::new(cache));
        let (mut now, mut hits) = (0.0, 0);
        for n in 0..2 * lookups {
            let salt = mix(u64::from(n));
            now += -libm::log(unit(mix(salt ^ 7))) / rate;
            let (at, key) = (Ns::from_secs_f64(now), popularity.key(salt));
            let hit = entries.get(key, at);
            if !hit {
                entries.set(key, at, cache.lives(salt));
            }
            hits += u32::from(hit && n >= lookups);
        }
        f64::from(hits) / f64::from(lookups)
    }

    fn chances(cache: &Cache) -> Vec<f64> {
        let weights: Vec<f64> = (1..=cache.keys).map(|rank| libm::pow(rank as f64, -cache.zipf)).collect();
        let all: f64 = weights.iter().sum();
        weights.into_iter().map(|weight| weight / all).collect()
    }

    #[test]
    fn keys_are_drawn_by_their_popularity() {
        for zipf in [0.0, 0.5, 1.0, 1.2, 3.0] {
            let cache = Cache { keys: 20, zipf, ..Cache::default() };
            let popularity = Popularity::new(&cache);
            let n = 200_000;
            let mut counts = [0_u32; 20];
            (0..n).for_each(|salt| counts[popularity.key(mix(salt)) as usize] += 1);
            for (count, chance) in counts.iter().zip(chances(&cache)) {
                let sigma = (n as f64 * chance * (1.0 - chance)).sqrt();
                let off = (f64::from(*count) - n as f64 * chance).abs();
                assert!(off <= 4.0 * sigma + 1.0, "zipf {zipf}: {counts:?}");
            }
        }
    }

    #[test]
    fn with_a_time_to_live_from_the_fill_a_key_hits_with_its_closed_form() {
        // Calls at rate l for one key: of each cycle of one miss and lT hits, lT / (1 + lT).
        for (keys, zipf) in [(1, 0.0), (500, 1.0)] {
            let cache = Cache { keys, zipf, ttl: Some(Ns::secs(30)), ..Cache::default() };
            let rate = if keys == 1 { 0.1 } else { 120.0 };
            let exact: f64 = chances(&cache)
                .into_iter()
                .map(|chance| {
                    let load = rate * chance * 30.0;
                    chance * load / (1.0 + load)
                })
                .sum();
            let is = hit_ratio(&cache, rate, 300_000);
            assert!((is - exact).abs() < 0.004, "{keys} keys: {is}, should be {exact}");
        }
    }

    #[test]
    fn the_least_recently_used_go_first_as_ches_approximation_has_it() {
        for (keys, zipf, capacity) in [(10_000, 0.8, 500), (10_000, 1.0, 1000)] {
            let cache = Cache { keys, zipf, capacity: Some(capacity), ..Cache::default() };
            let chances = chances(&cache);
            let held = |t: f64| chances.iter().map(|p| 1.0 - libm::exp(-p * t)).sum::<f64>();
            let (mut low, mut high) = (0.0, 1e9);
            for _ in 0..100 {
                let middle = (low + high) / 2.0;
                if held(middle) < capacity as f64 { low = middle } else { high = middle }
            }
            let che: f64 = chances.iter().map(|p| p * (1.0 - libm::exp(-p * low))).sum();
            let is = hit_ratio(&cache, 1000.0, 300_000);
            assert!((is - che).abs() < 0.005, "zipf {zipf}, {capacity} of {keys}: {is}, Che {che}");
        }
    }

    #[test]
    fn what_is_full_gives_up_what_was_used_longest_ago() {
        let cache = Cache { keys: 5, capacity: Some(2), ..Cache::default() };
        let mut entries = Entries::new(&cache);
        entries.set(0, Ns(1), Ns::NEVER);
        entries.set(1, Ns(2), Ns::NEVER);
        assert!(entries.get(0, Ns(3)));
        entries.set(2, Ns(4), Ns::NEVER);
        assert_eq!([0, 1, 2].map(|key| entries.get(key, Ns(5))), [true, false, true]);
        assert_eq!((entries.held(), entries.flush(), entries.held()), (2, 2, 0));
        assert!(!entries.get(0, Ns(6)));
        entries.set(3, Ns(7), Ns(10));
        assert_eq!((entries.get(3, Ns(16)), entries.get(3, Ns(17)), entries.held()), (true, false, 0));
    }

    #[test]
    fn a_warm_cache_hits_from_the_first_call_as_later() {
        let cache = Cache { keys: 500, ttl: Some(Ns::secs(30)), warm: Some(Rate(120.0)), ..Cache::default() };
        let mut entries = Entries::new(&cache);
        entries.warm(&cache, 1);
        // The sum over the keys of lT / (1 + lT) is 351.
        assert!((330..=372).contains(&entries.held()), "{}", entries.held());
        let capped = Cache { ttl: None, capacity: Some(100), ..cache };
        let mut entries = Entries::new(&capped);
        entries.warm(&capped, 1);
        assert!(entries.held() == 100 && entries.get(0, Ns(1)) && !entries.get(100, Ns(1)));
    }
}
