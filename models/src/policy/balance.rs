//! Which server gets the next call.
//!
//! A server that is back in rotation may be eased in (*slow start*): it takes a call with a chance that grows linearly
//! to one, as HAProxy's `slowstart` and ALB's slow start let its weight grow.
//!
//! Not modelled: fixed weights, sticky sessions.

use crate::choices;
use crate::random::{Purpose, draw, unit};
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
        /// The less loaded of two drawn at random.
        TwoChoices = "two-choices",
    }
}

impl Algorithm {
    /// Whether it is of the round-robin kind in HAProxy's sense: it redispatches at once.
    pub fn rotates(self) -> bool {
        matches!(self, Algorithm::RoundRobin | Algorithm::Random | Algorithm::TwoChoices)
    }
}

/// The servers that may be chosen: those in rotation, in a fixed order, and the turn of round robin.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Rotation {
    servers: Vec<u32>,
    turn: usize,
}

impl Rotation {
    /// All these servers, in this order.
    pub fn new(servers: Vec<u32>) -> Rotation {
        Rotation { servers, turn: 0 }
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
        if at < self.turn {
            self.turn += 1;
        }
    }

    /// Chooses a server, or none if none is open. `open` says whether a server may be chosen at all, `load` gives
    /// its open connections; `avoid` is passed over unless it is the only one.
    #[inline(always)]
    pub fn choose(
        &mut self,
        algorithm: Algorithm,
        salt: u64,
        attempt: u32,
        avoid: Option<u32>,
        is_open: impl Fn(u32) -> bool,
        load: impl Fn(u32) -> u32,
    ) -> Option<u32> {
        if self.servers.is_empty() {
            return None;
        }
        let avoid = if self.servers.len() > 1 { avoid } else { None };
        let open = |s: u32| Some(s) != avoid && is_open(s);
        let chosen = match algorithm {
            Algorithm::RoundRobin => self.next_in_turn(open),
            Algorithm::Random => self.from(draw(salt, Purpose::Route, attempt), open),
            Algorithm::TwoChoices => self.from(draw(salt, Purpose::Route, attempt), open).map(|first| {
                let second = self.from(draw(salt, Purpose::RouteSecond, attempt), |s| s != first && open(s));
                second.filter(|s| load(*s) < load(first)).unwrap_or(first)
            }),
            Algorithm::LeastRequests => {
                let least = self.servers.iter().copied().filter(|s| open(*s)).map(&load).min();
                least.and_then(|least| self.next_in_turn(|s| open(s) && load(s) == least))
            }
        };
        // The one to avoid is better than none at all.
        chosen.or_else(|| avoid.filter(|s| self.servers.contains(s) && is_open(*s)))
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

/// Whether a server that came back at `since` and is eased in over `slow_start` takes this call. One that did not come back
/// (`since` is none: it was there before the run, or before the balancer started) is not eased in.
pub fn takes(salt: u64, attempt: u32, server: u32, since: Option<Ns>, slow_start: Ns, now: Ns) -> bool {
    let Some(since) = since else { return true };
    let gone = now.minus(since);
    gone >= slow_start
        || unit(draw(salt ^ u64::from(server), Purpose::SlowStart, attempt)) <= gone.0 as f64 / slow_start.0 as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_back_is_eased_in_linearly() {
        let (since, over) = (Ns::secs(100), Ns::secs(30));
        let share = |at: u64| {
            let taken = (0..10_000).filter(|salt| takes(*salt, 0, 3, Some(since), over, Ns::secs(at))).count();
            (taken as f64 / 10_000.0 * 50.0).round() / 50.0
        };
        assert_eq!([100, 115, 130, 400].map(share), [0.0, 0.5, 1.0, 1.0]);
        assert!(takes(1, 0, 3, None, over, Ns::ZERO), "it was there before");
    }

    fn row(algorithm: Algorithm, loads: [u32; 4], n: u64) -> Vec<u32> {
        let mut rotation = Rotation::new(vec![0, 1, 2, 3]);
        (0..n)
            .filter_map(|salt| {
                rotation.choose(algorithm, salt, 0, None, |s| loads[s as usize] < 9, |s| loads[s as usize])
            })
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
    fn rotation_keeps_the_turn_of_those_that_stay_and_avoids_only_if_it_can() {
        let mut rotation = Rotation::new(vec![0, 1, 2]);
        let next =
            |rotation: &mut Rotation, avoid| rotation.choose(Algorithm::RoundRobin, 0, 0, avoid, |_| true, |_| 0);
        assert_eq!(next(&mut rotation, None), Some(0));
        rotation.remove(0);
        assert_eq!(next(&mut rotation, None), Some(1));
        rotation.insert(0);
        assert_eq!(next(&mut rotation, Some(2)), Some(0));
        rotation.remove(0);
        rotation.remove(1);
        assert_eq!(next(&mut rotation, Some(2)), Some(2));
    }
}
