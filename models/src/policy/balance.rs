//! Which server gets the next call.
//!
//! Without weights, each algorithm is its plain self. Weights come from *slow start* only: a server that is back in
//! rotation is eased in, and its weight grows until it counts as much as the others. Calls are then shared in proportion
//! to the weights:
//! - round robin by the smooth weighted rule of nginx (`ngx_http_upstream_get_peer`; HAProxy's `roundrobin` gives the same
//!   proportions): each server earns its weight, the richest is chosen and pays what all earned;
//! - random, and both draws of two choices, by weight;
//! - least requests and two choices compare connections per weight, ties by the weighted round robin (nginx `least_conn`).
//!
//! Not modelled: weights of a configuration, sticky sessions; the weight that nginx takes off a server after a
//! failure; Envoy's schedule of deadlines under unequal weights (same proportions) and its `aggression`.

use crate::choices;
use crate::random::{Purpose, draw, mix, unit};
use crate::units::Ns;

choices! {
    /// How the balancer chooses among the servers in rotation.
    pub enum Algorithm = RoundRobin {
        /// One after the other.
        RoundRobin = "round-robin",
        /// Any, with equal chance.
        Random = "random",
        /// The one with the fewest open connections; ties go round.
        LeastRequests = "least-requests",
        /// The less loaded of two drawn at random (nginx `random two`, HAProxy `random`, Envoy `LEAST_REQUEST`).
        TwoChoices = "two-choices",
        /// By a key of the call: as long as the same servers may be chosen, a key goes to the same one (HAProxy `source`
        /// and `uri`, nginx `hash`, Envoy `RING_HASH`).
        Hash = "hash",
    }
}

impl Algorithm {
    /// Whether it is of the round-robin kind in HAProxy's sense: it redispatches at once.
    pub fn rotates(self) -> bool {
        matches!(self, Algorithm::RoundRobin | Algorithm::Random | Algorithm::TwoChoices)
    }
}

choices! {
    /// How the share of a server grows that is back in rotation and being eased in.
    pub enum SlowStart = Linear {
        /// In proportion to the time that it has been back.
        Linear = "linear",
        /// As "linear", but a server that comes back while no other has its full share has its own at once (AWS ALB).
        Alb = "alb",
        /// In sixteenths, the first at once, with time in whole seconds and looked at every twentieth of the whole, at least a second apart; and in proportion so many of `max_connections`, at least one (HAProxy `slowstart`).
        Haproxy = "haproxy",
        /// As "linear", but never below a tenth (Envoy `slow_start_config` with its defaults).
        Envoy = "envoy",
    }
}

choices! {
    /// Which of the servers with equally few connections gets the next call under "least-requests".
    pub enum Ties = InTurn {
        /// They take turns.
        InTurn = "in-turn",
        /// The one whose number of connections has been the same for the longest time (HAProxy `leastconn`): a server that
        /// is soon done goes to the end of the line each time.
        Longest = "longest-unchanged",
        /// By a smooth round robin of those that are equal (nginx `least_conn`).
        Smooth = "smooth",
    }
}

/// Since when the number of connections of each server is what it is, by the order of the changes (HAProxy's tree of
/// `leastconn` appends a server behind those with as many connections, src/lb_fwlc.c).
#[derive(Clone, PartialEq, Debug)]
pub struct Recency {
    changes: u64,
    last: Vec<u64>,
}

impl Recency {
    /// So many servers, in their order.
    pub fn new(servers: usize) -> Recency {
        Recency { changes: servers as u64, last: (0..servers as u64).collect() }
    }

    /// The number of connections of a server changes, or it comes into rotation.
    pub fn changes(&mut self, server: usize) {
        self.changes += 1;
        self.last[server] = self.changes;
    }

    /// Which change that of a server was: the lower, the longer ago.
    pub fn of(&self, server: usize) -> u64 {
        self.last[server]
    }
}

/// The weight of a server that is not being eased in.
pub const FULL_WEIGHT: u32 = 1 << 16;

/// Which servers of a fleet are being eased in. Those that are there when the run begins are not.
#[derive(Clone, PartialEq, Debug)]
pub struct Easing {
    rule: SlowStart,
    over: Ns,
    /// Since when each server is back, while that matters.
    since: Vec<Option<Ns>>,
    /// When the last of them has its full share.
    until: Ns,
}

impl Easing {
    /// So many servers with their full share; later ones are eased in over so long.
    pub fn new(rule: SlowStart, over: Ns, servers: usize) -> Easing {
        Easing { rule, over, since: vec![None; servers], until: Ns::ZERO }
    }

    /// Whether any server may be short of its full share.
    pub fn is_on(&self, now: Ns) -> bool {
        now < self.until
    }

    /// How long a server has been back, if it is still being eased in.
    fn age(&self, server: usize, now: Ns) -> Option<Ns> {
        self.since[server].map(|since| now.minus(since)).filter(|age| *age < self.over)
    }

    /// Whether a server is short of its full share.
    pub fn is_easing(&self, server: usize, now: Ns) -> bool {
        self.age(server, now).is_some()
    }

    /// A server comes back into rotation, where `others` are.
    pub fn back_at(&mut self, server: usize, now: Ns, mut others: impl Iterator<Item = usize>) {
        let eased = self.rule != SlowStart::Alb || others.any(|other| !self.is_easing(other, now));
        self.since[server] = eased.then_some(now);
        if eased {
            self.until = now.plus(self.over);
        }
    }

    /// The balancer starts afresh: all that are in rotation then have their full share.
    pub fn forget(&mut self) {
        self.since.fill(None);
        self.until = Ns::ZERO;
    }

    /// What a server counts now, from 1 to [`FULL_WEIGHT`].
    pub fn weight(&self, server: usize, now: Ns) -> u32 {
        let Some(age) = self.age(server, now) else { return FULL_WEIGHT };
        let linear = part(FULL_WEIGHT, age, self.over);
        match self.rule {
            SlowStart::Linear | SlowStart::Alb => linear.max(1),
            SlowStart::Envoy => linear.max(FULL_WEIGHT / 10),
            SlowStart::Haproxy => {
                let step = Ns::secs(1).max(Ns(self.over.0 / 20));
                let looked_at = Ns(age.0 / step.0 * step.0);
                let sixteenths = 16 * self.whole_seconds(server, looked_at) / self.over.0.div_ceil(SECOND) + 1;
                FULL_WEIGHT / 16 * sixteenths.min(16) as u32
            }
        }
    }

    /// How many connections a server may have now that may have `limit` by itself.
    pub fn limit(&self, server: usize, limit: u32, now: Ns) -> u32 {
        match self.age(server, now) {
            Some(age) if self.rule == SlowStart::Haproxy && limit != u32::MAX => {
                let percent = 100 * self.whole_seconds(server, age) / self.over.0.div_ceil(SECOND);
                ((u64::from(limit) * percent / 100) as u32).clamp(1, limit)
            }
            _ => limit,
        }
    }

    /// Whole seconds of the clock between a server's return and the time it has been back for (HAProxy compares `tv_sec`).
    fn whole_seconds(&self, server: usize, age: Ns) -> u64 {
        let since = self.since[server].unwrap_or(Ns::ZERO);
        since.plus(age).0 / SECOND - since.0 / SECOND
    }
}

/// Nanoseconds in a second.
const SECOND: u64 = 1_000_000_000;

/// `whole * at / over`, cut off.
fn part(whole: u32, at: Ns, over: Ns) -> u32 {
    (u128::from(whole) * u128::from(at.0) / u128::from(over.0.max(1))) as u32
}

/// By what a server is chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Choice {
    /// How.
    pub algorithm: Algorithm,
    /// What is random about the call.
    pub salt: u64,
    /// Which of the call's choices this is.
    pub number: u32,
    /// A server to pass over unless it is the only one.
    pub avoid: Option<u32>,
    /// Whether the two of two choices are two servers, if there are two.
    pub distinct: bool,
    /// How many keys the calls have, for a hash; none: each has its own.
    pub keys: Option<u32>,
    /// How often a server has been drawn anew for this choice: a hash then takes the next one for the key.
    pub redraw: u32,
}

/// The servers that may be chosen: those in rotation, in a fixed order, and the turn of round robin.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Rotation {
    servers: Vec<u32>,
    turn: usize,
    /// What each has earned and not spent under weights; empty before weights are used.
    credit: Vec<i64>,
}

impl Rotation {
    /// All these servers, in this order.
    pub fn new(servers: Vec<u32>) -> Rotation {
        Rotation { servers, turn: 0, credit: Vec::new() }
    }
    /// The turn is of the server so many on from the first, and round.
    pub fn begin_at(&mut self, turn: usize) {
        self.turn = turn % self.servers.len().max(1);
    }
    /// Those in rotation.
    pub fn servers(&self) -> &[u32] {
        &self.servers
    }
    /// How many are in rotation.
    pub fn len(&self) -> usize {
        self.servers.len()
    }
    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.servers.is_empty()
    }
    /// Takes one out; the others keep their turn.
    pub fn remove(&mut self, server: u32) {
        if let Some(at) = self.servers.iter().position(|s| *s == server) {
            self.servers.remove(at);
            self.credit.clear();
            if at < self.turn {
                self.turn -= 1;
            }
        }
    }
    /// Puts one back at its place.
    pub fn insert(&mut self, server: u32) {
        let at = self.servers.partition_point(|s| *s < server);
        assert!(self.servers.get(at) != Some(&server), "server {server} is in rotation already");
        self.servers.insert(at, server);
        self.credit.clear();
        if at < self.turn {
            self.turn += 1;
        }
    }

    /// Chooses a server, or none if none is open. `is_open` says whether a server may be chosen at all, `load` gives
    /// its open connections.
    #[inline(always)]
    pub fn choose(&mut self, by: Choice, is_open: impl Fn(u32) -> bool, load: impl Fn(u32) -> u32) -> Option<u32> {
        if self.servers.is_empty() {
            return None;
        }
        let Choice { algorithm, salt, number, .. } = by;
        let avoid = if self.servers.len() > 1 { by.avoid } else { None };
        let open = |s: u32| Some(s) != avoid && is_open(s);
        let chosen = match algorithm {
            Algorithm::RoundRobin => self.next_in_turn(open),
            Algorithm::Random => self.from(draw(salt, Purpose::Route, number), open),
            Algorithm::TwoChoices => self.from(draw(salt, Purpose::Route, number), open).map(|first| {
                let other = |s: u32| (s != first || !by.distinct) && open(s);
                let second = self.from(draw(salt, Purpose::RouteSecond, number), other);
                second.filter(|s| load(*s) < load(first)).unwrap_or(first)
            }),
            Algorithm::LeastRequests => {
                let least = self.servers.iter().copied().filter(|s| open(*s)).map(&load).min();
                least.and_then(|least| self.next_in_turn(|s| open(s) && load(s) == least))
            }
            Algorithm::Hash => self.by_key(by, &is_open, |_| FULL_WEIGHT),
        };
        // The one to avoid is better than none at all.
        chosen.or_else(|| avoid.filter(|s| self.servers.contains(s) && is_open(*s)))
    }

    /// As [`Rotation::choose`], in proportion to weights, which are above 0.
    #[inline(never)]
    pub fn choose_by_weight(
        &mut self,
        by: Choice,
        is_open: impl Fn(u32) -> bool,
        load: impl Fn(u32) -> u32,
        weight: impl Fn(u32) -> u32,
    ) -> Option<u32> {
        let Choice { algorithm, salt, number, avoid, .. } = by;
        let open = |s: u32| Some(s) != avoid && is_open(s);
        // Connections per weight, compared without division.
        let busier = |a: u32, b: u32| {
            let side = |a: u32, b: u32| u64::from(load(a)) * u64::from(weight(b));
            side(a, b).cmp(&side(b, a))
        };
        let chosen = match algorithm {
            Algorithm::RoundRobin => self.richest(open, &weight),
            Algorithm::Random => self.drawn(draw(salt, Purpose::Route, number), open, &weight),
            Algorithm::TwoChoices => self.drawn(draw(salt, Purpose::Route, number), open, &weight).map(|first| {
                let others = |s: u32| (s != first || !by.distinct) && open(s);
                let second = self.drawn(draw(salt, Purpose::RouteSecond, number), others, &weight);
                second.filter(|s| busier(*s, first).is_lt()).unwrap_or(first)
            }),
            Algorithm::LeastRequests => {
                let least = self.servers.iter().copied().filter(|s| open(*s)).min_by(|a, b| busier(*a, *b));
                least.and_then(|least| self.richest(|s| open(s) && busier(s, least).is_eq(), &weight))
            }
            Algorithm::Hash => self.by_key(by, &is_open, &weight),
        };
        chosen.or_else(|| avoid.filter(|s| self.servers.contains(s) && is_open(*s)))
    }

    /// The open server with the fewest connections, of several the one whose number has been the same for the longest time.
    #[inline(never)]
    pub fn longest_unchanged(
        &self,
        by: Choice,
        is_open: impl Fn(u32) -> bool,
        load: impl Fn(u32) -> u32,
        changed: impl Fn(u32) -> u64,
    ) -> Option<u32> {
        let open = |s: &u32| Some(*s) != by.avoid && is_open(*s);
        let chosen = self.servers.iter().copied().filter(open).min_by_key(|s| (load(*s), changed(*s)));
        chosen.or_else(|| by.avoid.filter(|s| self.servers.contains(s) && is_open(*s)))
    }

    /// The server for the key of a call: of those open the one with the highest score, weight over minus the logarithm of a
    /// hash of key and server (weighted rendezvous hashing), so that keys move only from a server that leaves, and to one that
    /// grows. It does not avoid a server, as HAProxy does not under its map-based hash; where a call has been does not count
    /// as open.
    #[inline(never)]
    fn by_key(&self, by: Choice, is_open: impl Fn(u32) -> bool, weight: impl Fn(u32) -> u32) -> Option<u32> {
        let bits = draw(by.salt, Purpose::Route, 0);
        let key = by.keys.map_or(bits, |keys| mix(((u128::from(bits) * u128::from(keys)) >> 64) as u64));
        let score = |s: u32| f64::from(weight(s)) / -libm::log(unit(mix(key ^ mix(u64::from(s) + 1))));
        let open = self.servers.iter().copied().filter(|s| is_open(*s));
        let mut scored: Vec<(f64, u32)> = open.map(|s| (score(s), s)).collect();
        scored.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let at = by.redraw as usize % scored.len().max(1);
        scored.get(at).map(|(_, server)| *server)
    }

    /// The next by smooth weighted round robin.
    fn richest(&mut self, open: impl Fn(u32) -> bool, weight: impl Fn(u32) -> u32) -> Option<u32> {
        self.credit.resize(self.servers.len(), 0);
        let (mut best, mut earned): (Option<usize>, i64) = (None, 0);
        for (at, server) in self.servers.iter().enumerate().filter(|(_, server)| open(**server)) {
            let wage = i64::from(weight(*server));
            self.credit[at] += wage;
            earned += wage;
            if best.is_none_or(|best| self.credit[at] > self.credit[best]) {
                best = Some(at);
            }
        }
        let best = best?;
        self.credit[best] -= earned;
        self.turn = best + 1;
        Some(self.servers[best])
    }

    /// One drawn by weight.
    fn drawn(&self, bits: u64, open: impl Fn(u32) -> bool, weight: impl Fn(u32) -> u32) -> Option<u32> {
        let among = || self.servers.iter().copied().filter(|s| open(*s));
        let all: u64 = among().map(|s| u64::from(weight(s))).sum();
        let mut at = ((u128::from(bits) * u128::from(all)) >> 64) as u64;
        for server in among() {
            let share = u64::from(weight(server));
            if at < share {
                return Some(server);
            }
            at -= share;
        }
        None
    }

    #[inline(always)]
    fn next_in_turn(&mut self, open: impl Fn(u32) -> bool) -> Option<u32> {
        let n = self.servers.len();
        let mut at = if self.turn >= n { 0 } else { self.turn };
        for _ in 0..n {
            let server = self.servers[at];
            at += 1;
            if at == n {
                at = 0;
            }
            if open(server) {
                self.turn = at;
                return Some(server);
            }
        }
        None
    }

    fn from(&self, bits: u64, open: impl Fn(u32) -> bool) -> Option<u32> {
        let n = self.servers.len();
        let start = ((u128::from(bits) * n as u128) >> 64) as usize;
        (0..n).map(|i| self.servers[(start + i) % n]).find(|s| open(*s))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;
    use std::collections::VecDeque;

    fn by(algorithm: Algorithm, salt: u64) -> Choice {
        Choice { algorithm, salt, number: 0, avoid: None, distinct: true, keys: None, redraw: 0 }
    }

    fn row(algorithm: Algorithm, loads: [u32; 4], n: u64) -> Vec<u32> {
        let mut rotation = Rotation::new(vec![0, 1, 2, 3]);
        (0..n)
            .filter_map(|salt| rotation.choose(by(algorithm, salt), |s| loads[s as usize] < 9, |s| loads[s as usize]))
            .collect()
    }

    #[test]
    fn round_robin_goes_round_and_skips_full_servers() {
        assert_eq!(row(Algorithm::RoundRobin, [0, 0, 0, 0], 5), [0, 1, 2, 3, 0]);
        assert_eq!(row(Algorithm::RoundRobin, [0, 9, 0, 9], 3), [0, 2, 0]);
        assert_eq!(row(Algorithm::RoundRobin, [9; 4], 3), []);
    }

    #[test]
    fn least_requests_takes_the_emptiest_and_goes_round_on_ties() {
        assert_eq!(row(Algorithm::LeastRequests, [3, 1, 2, 1], 3), [1, 3, 1]);
    }

    #[test]
    fn two_choices_shun_the_loaded_server() {
        let chosen = row(Algorithm::TwoChoices, [8, 0, 0, 0], 4000);
        let share = chosen.iter().filter(|s| **s == 0).count() as f64 / 4000.0;
        // It is taken only when both draws fall on it; the second then moves on, so never.
        assert!(share < 0.01, "{share}");
        let random = row(Algorithm::Random, [8, 0, 0, 0], 4000);
        let share = random.iter().filter(|s| **s == 0).count() as f64 / 4000.0;
        assert!((share - 0.25).abs() < 0.03, "{share}");
    }

    #[test]
    fn two_independent_draws_meet_the_loaded_server_when_both_fall_on_it() {
        let mut rotation = Rotation::new(vec![0, 1]);
        let by = |salt| Choice { distinct: false, ..by(Algorithm::TwoChoices, salt) };
        let loaded = |server: u32| if server == 0 { 8 } else { 0 };
        let hits = (0..4000).filter(|salt| rotation.choose(by(*salt), |_| true, loaded) == Some(0)).count();
        assert!((hits as f64 / 4000.0 - 0.25).abs() < 0.03, "{hits}");
    }

    /// Feeds starts of calls ('+') and their ends (the number of the server) to HAProxy's `leastconn`: who is chosen.
    #[test]
    fn of_equals_the_one_that_has_not_changed_for_longest_is_chosen() {
        let (rotation, mut recency, mut loads) = (Rotation::new(vec![0, 1, 2]), Recency::new(3), [0_u32; 3]);
        let mut chosen = String::new();
        for event in "++1+0+12++".chars() {
            if let Some(server) = event.to_digit(10) {
                loads[server as usize] -= 1;
                recency.changes(server as usize);
                continue;
            }
            let by = by(Algorithm::LeastRequests, 0);
            let server = rotation
                .longest_unchanged(by, |_| true, |s| loads[s as usize], |s| recency.of(s as usize))
                .unwrap() as usize;
            loads[server] += 1;
            recency.changes(server);
            chosen.push_str(&server.to_string());
        }
        // 0 and 1 are taken, 1 is done; 2 has been idle longer than 1. 0 is done after 1, so 1 is next. Then 1 is done, then 2:
        // 0, 1.
        assert_eq!(chosen, "012101");
    }

    #[test]
    fn a_key_goes_to_one_server_and_moves_only_when_that_leaves() {
        let mut rotation = Rotation::new(vec![0, 1, 2, 3, 4]);
        let by = |salt, redraw| Choice { keys: Some(200), redraw, ..by(Algorithm::Hash, salt) };
        let all = |rotation: &mut Rotation, redraw| -> Vec<u32> {
            (0..2000).filter_map(|salt| rotation.choose(by(salt, redraw), |_| true, |_| 0)).collect()
        };
        let before = all(&mut rotation, 0);
        let share = |server| before.iter().filter(|s| **s == server).count() as f64 / 2000.0;
        assert!((0..5).all(|server| (0.1..0.3).contains(&share(server))), "{:?}", [0, 1, 2, 3, 4].map(share));
        let redrawn = all(&mut rotation, 1);
        assert!(before.iter().zip(&redrawn).all(|(a, b)| a != b), "drawn anew, the next one for the key");
        rotation.remove(3);
        let after = all(&mut rotation, 0);
        assert!(before.iter().zip(&after).all(|(a, b)| a == b || *a == 3), "keys of the others stay");
        assert!(before.iter().zip(&redrawn).zip(&after).all(|((a, second), b)| *a != 3 || b == second));
        // One key: all calls go to one server.
        let one = |salt| Choice { keys: Some(1), ..by(salt, 0) };
        let first = rotation.choose(one(0), |_| true, |_| 0);
        assert!((0..100).all(|salt| rotation.choose(one(salt), |_| true, |_| 0) == first));
    }

    #[test]
    fn rotation_keeps_the_turn_of_those_that_stay_and_avoids_only_if_it_can() {
        let mut rotation = Rotation::new(vec![0, 1, 2]);
        let next = |rotation: &mut Rotation, avoid| {
            rotation.choose(Choice { avoid, ..by(Algorithm::RoundRobin, 0) }, |_| true, |_| 0)
        };
        assert_eq!(next(&mut rotation, None), Some(0));
        rotation.remove(0);
        assert_eq!(next(&mut rotation, None), Some(1));
        rotation.insert(0);
        assert_eq!(next(&mut rotation, Some(2)), Some(0));
        rotation.remove(0);
        rotation.remove(1);
        assert_eq!(next(&mut rotation, Some(2)), Some(2));
    }

    /// The share of `calls` that each server gets; each call stays with its server while `hold` more come.
    fn shares(algorithm: Algorithm, weights: &[u32], calls: u64, hold: usize) -> Vec<f64> {
        let mut rotation = Rotation::new((0..weights.len() as u32).collect());
        let (mut counts, mut loads) = (vec![0_u64; weights.len()], vec![0_u32; weights.len()]);
        let mut under_way = VecDeque::new();
        for call in 0..calls {
            let (load, weight) = (|s: u32| loads[s as usize], |s: u32| weights[s as usize]);
            let server = rotation.choose_by_weight(by(algorithm, draw(call, Purpose::Work, 0)), |_| true, load, weight);
            let server = server.unwrap() as usize;
            (counts[server], loads[server]) = (counts[server] + 1, loads[server] + 1);
            under_way.push_back(server);
            if under_way.len() > hold {
                under_way.pop_front().into_iter().for_each(|done| loads[done] -= 1);
            }
        }
        counts.iter().map(|count| *count as f64 / calls as f64).collect()
    }

    #[test]
    fn servers_at_10_and_50_percent_get_17_and_83_percent_of_the_calls() {
        for algorithm in Algorithm::ALL {
            let shares = shares(*algorithm, &[10, 50], 6000, 0);
            assert!((shares[0] - 1.0 / 6.0).abs() < 0.015, "{algorithm:?}: {shares:?}");
        }
    }

    #[test]
    fn weighted_round_robin_is_smooth() {
        let mut rotation = Rotation::new(vec![0, 1, 2]);
        let mut next = || {
            let weight = |s: u32| [5, 1, 1][s as usize];
            rotation.choose_by_weight(by(Algorithm::RoundRobin, 0), |_| true, |_| 0, weight).unwrap()
        };
        // The row in nginx's own commit message on the rule.
        assert_eq!((0..7).map(|_| next()).collect::<Vec<_>>(), [0, 0, 1, 0, 2, 0, 0]);
    }

    /// Weights in percent of the full one at these seconds after a return at `since_ms`, eased in over 100 s.
    fn percent(rule: SlowStart, since_ms: u64, seconds: &[u64]) -> Vec<u32> {
        let since = Ns::millis(since_ms);
        let mut easing = Easing::new(rule, Ns::secs(100), 2);
        assert!(!easing.is_on(since) && easing.weight(0, since) == FULL_WEIGHT, "no server is eased in at first");
        easing.back_at(0, since, [1].into_iter());
        seconds.iter().map(|s| (easing.weight(0, since.plus(Ns::secs(*s))) * 1000 / FULL_WEIGHT).div_ceil(10)).collect()
    }

    #[test]
    fn the_weight_of_a_server_that_is_back_grows_as_its_product_says() {
        let at = [0, 10, 50, 99, 100, 500];
        for (rule, should_be) in [
            (SlowStart::Linear, [0, 10, 50, 99, 100, 100]),
            (SlowStart::Alb, [0, 10, 50, 99, 100, 100]),
            (SlowStart::Envoy, [10, 10, 50, 99, 100, 100]),
            // Sixteenths, by what was seen at 0, 5, 10 ... s: floor(16 * 95 / 100) + 1 = 16.
            (SlowStart::Haproxy, [7, 13, 57, 100, 100, 100]),
        ] {
            assert_eq!(percent(rule, 7000, &at), should_be, "{rule:?}");
        }
        // Seconds are those of the clock: back at 0.9 s, looked at 5 s later, five whole seconds have begun.
        assert_eq!(percent(SlowStart::Haproxy, 900, &[4, 5, 6, 7]), [7, 7, 7, 7]);
        assert_eq!(percent(SlowStart::Haproxy, 900, &[9, 10]), [7, 13]);
    }

    #[test]
    fn haproxy_limits_the_connections_of_a_server_in_slow_start_too() {
        let mut easing = Easing::new(SlowStart::Haproxy, Ns::secs(10), 2);
        easing.back_at(0, Ns::secs(100), [1].into_iter());
        let limit = |at: u64| easing.limit(0, 40, Ns::secs(at));
        assert_eq!([100, 101, 105, 109, 110].map(limit), [1, 4, 20, 36, 40]);
        assert_eq!((easing.limit(1, 40, Ns::secs(100)), easing.limit(0, u32::MAX, Ns::secs(100))), (40, u32::MAX));
    }

    #[test]
    fn alb_eases_nobody_in_where_no_other_target_has_its_full_share() {
        let mut easing = Easing::new(SlowStart::Alb, Ns::secs(30), 3);
        easing.back_at(0, Ns::secs(100), [].into_iter());
        assert!(!easing.is_on(Ns::secs(100)));
        easing.back_at(1, Ns::secs(101), [0].into_iter());
        assert!(easing.is_easing(1, Ns::secs(101)));
        easing.back_at(2, Ns::secs(102), [1].into_iter());
        assert!(!easing.is_easing(2, Ns::secs(102)));
    }

    #[test]
    fn a_balancer_that_starts_afresh_eases_nobody_in() {
        let mut easing = Easing::new(SlowStart::Haproxy, Ns::secs(30), 2);
        easing.back_at(0, Ns::secs(100), [1].into_iter());
        easing.forget();
        assert!(!easing.is_on(Ns::secs(101)) && easing.weight(0, Ns::secs(101)) == FULL_WEIGHT);
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 48, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default()
        })]

        /// Under every algorithm, with idle servers and with loaded ones. Two choices are held to it only where they draw:
        /// under load they compare two servers, which does even out but has no share to aim at among many.
        #[test]
        fn calls_are_shared_in_proportion_to_the_weights(
            which in 0..Algorithm::ALL.len(),
            weights in prop::collection::vec(1_u32..=16, 2..6),
            loaded: bool,
        ) {
            let algorithm = Algorithm::ALL[which];
            let hold = if loaded && algorithm != Algorithm::TwoChoices { 400 } else { 0 };
            let shares = shares(algorithm, &weights, 8000, hold);
            let all: u32 = weights.iter().sum();
            for (share, weight) in shares.iter().zip(&weights) {
                let due = f64::from(*weight) / f64::from(all);
                let off = if algorithm == Algorithm::RoundRobin { 0.001 } else { 0.02 };
                prop_assert!((share - due).abs() < off, "{:?} {:?}: {:?}", algorithm, weights, shares);
            }
        }

        /// Where no server is eased in, weights change nothing but the order.
        #[test]
        fn equal_weights_are_no_weights(which in 0..Algorithm::ALL.len(), servers in 2_usize..6) {
            let shares = shares(Algorithm::ALL[which], &vec![FULL_WEIGHT; servers], 4000, 0);
            prop_assert!(shares.iter().all(|share| (share - 1.0 / servers as f64).abs() < 0.03), "{shares:?}");
        }
    }
}
