//! What a balancer does after a try that failed: give up, try the same server again, or go elsewhere.
//!
//! HAProxy's rule (`stream_choose_redispatch` in include/haproxy/stream.h, `back_handle_st_cer` in src/backend.c, read in
//! 2.4, 2.6 and 2.7). Up to `retries` further tries, on connection failures. Without `option redispatch` all go to the
//! same server. With it, a retry goes to another server
//! - whenever more than one server is active and the algorithm is no hash;
//! - whenever the chosen server is no longer fully up: down, or in slow start;
//! - otherwise as the interval says: P above 0, every Pth retry; N below 0, the one N before the end (-1, the default: the
//!   last).
//!
//! After a refusal it waits min(1s, `timeout connect`) if the retry goes to the same server, or if no more than one server
//! is active; after a timeout it never waits, nor after an answer or a broken connection that `retry-on` names
//! (`do_l7_retry` asks the same function). Before 2.7 only algorithms of the round-robin kind (`roundrobin`,
//! `static-rr`, `random`) counted as "no hash", and all others waited even where the retry went elsewhere: `leastconn`
//! stayed at the same server until the interval said otherwise (haproxy#1878, commit 406efb96d of October 2022).
//!
//! nginx's rule (`ngx_http_upstream_next`, ngx_http_upstream_round_robin.c): the next try goes at once to a server that
//! this request has not tried, until none is left.
//!
//! Envoy's rule (http_connection_management.rst, load_balancer_impl.cc): a retry goes through load balancing afresh, and may
//! meet the host that has just failed.
//!
//! Not modelled: persistence by cookie or hash; reused connections, whose failure HAProxy repeats without a pause and
//! nginx without counting a try; Envoy's other host predicates. When a call is tried again, how often and after which
//! pause is [`super::resend`]'s.

use crate::choices;
use crate::setting::{Data, Form, Reader, Setting, Value};
use crate::units::Ns;
use std::collections::BTreeSet;

choices! {
    /// Whether retries may leave the server first chosen.
    pub enum Redispatch = Haproxy {
        /// Every retry goes to the same server.
        Never = "never",
        /// As HAProxy 2.7 (2022) and later with `option redispatch`: at once to another server while more than one is active, or when the chosen one is no longer fully up; otherwise to the same one, after a pause, except when `redispatch_interval` is due.
        Haproxy = "haproxy",
        /// As HAProxy before 2.7 with `option redispatch`: the same under round robin and random; under least-requests a retry stays at the same server until `redispatch_interval` is due, and waits even then.
        HaproxyBefore27 = "haproxy-before-2.7",
        /// Every retry draws a server afresh, at once; it may be the same again (Envoy).
        Afresh = "afresh",
        /// Every retry goes at once to a server not tried yet, until none is left (nginx `proxy_next_upstream`).
        Untried = "untried",
        /// An older name: "haproxy-before-2.7" with redispatch_interval = -1.
        Last = "last",
        /// An older name: "haproxy-before-2.7" with redispatch_interval = 1.
        Every = "every",
    }
}

impl Redispatch {
    /// The server that a retry passes over if it can, after this one.
    pub fn avoided(self, server: u32) -> Option<u32> {
        (self != Redispatch::Afresh).then_some(server)
    }
}

/// How many further tries there are after a failed one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Retries {
    /// So many.
    Count(u32),
    /// As many as make one try for each server of the fleet that operators do not keep out (nginx
    /// `proxy_next_upstream_tries 0`), up to 65,535.
    EachServer,
}

impl Retries {
    /// The word for one try at each server.
    const EACH_SERVER: &'static str = "each-server";

    /// As a count, for a fleet of so many servers.
    #[inline(always)]
    pub fn of(self, servers: usize) -> u16 {
        match self {
            Retries::Count(count) => count as u16, // at most 100: see the key's range
            Retries::EachServer => servers.saturating_sub(1).min(usize::from(u16::MAX)) as u16,
        }
    }
}

impl Setting for Retries {
    fn read(value: &Value, reader: &mut Reader<'_>) -> Option<Self> {
        match &value.data {
            Data::Text(text) if text == Self::EACH_SERVER => Some(Retries::EachServer),
            Data::Integer(_) => u32::read(value, reader).map(Retries::Count),
            _ => {
                reader.expected(value, "a whole number or \"each-server\"");
                None
            }
        }
    }
    fn form() -> Form {
        Form::Either(vec![Form::Integer, Form::Choice(vec![(Self::EACH_SERVER, "One try at each server.")])])
    }
    fn show(&self) -> String {
        match self {
            Retries::Count(count) => count.to_string(),
            Retries::EachServer => Self::EACH_SERVER.into(),
        }
    }
    fn magnitude(&self) -> Option<f64> {
        match self {
            Retries::Count(count) => count.magnitude(),
            Retries::EachServer => None,
        }
    }
    fn limit(text: &str) -> Option<f64> {
        u32::limit(text)
    }
}

/// The servers that one call has tried. Takes memory only for tries that were made.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tried(BTreeSet<u32>);

impl Tried {
    /// The call goes to a server.
    pub fn add(&mut self, server: u32) {
        self.0.insert(server);
    }

    /// Whether it has been there.
    pub fn has(&self, server: u32) -> bool {
        self.0.contains(&server)
    }
}

/// How the connection failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConnectFailure {
    /// Reset at once.
    Refused,
    /// No answer in time.
    TimedOut,
}

/// What to do next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// Give up; the client gets an error.
    GiveUp,
    /// Try the same server again after a pause.
    Same(Ns),
    /// Choose a server afresh after a pause.
    Another(Ns),
}

/// The rule as configured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rule {
    /// Whose rule.
    pub redispatch: Redispatch,
    /// HAProxy's interval: P above 0, every Pth retry; N below 0, the Nth from the end; 0: never.
    pub interval: i32,
    /// Whether the algorithm is of the round-robin kind in HAProxy's sense.
    pub rotates: bool,
    /// Longest wait for a connection.
    pub connect_timeout: Ns,
}

/// A try that failed: a connection, or an answer after which the call is tried again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Failed {
    /// Whether the connection was refused.
    pub refused: bool,
    /// Retries that the call had at first.
    pub retries: u16,
    /// Retries that it has still.
    pub retries_left: u16,
    /// Servers in rotation.
    pub servers_up: usize,
    /// Whether the server is in rotation and not in slow start.
    pub is_fully_up: bool,
}

impl Rule {
    /// Decides after a failed try.
    pub fn next(&self, failed: &Failed) -> Next {
        if failed.retries_left == 0 {
            return Next::GiveUp;
        }
        match self.redispatch {
            Redispatch::Untried | Redispatch::Afresh => Next::Another(Ns::ZERO),
            Redispatch::Never => self.haproxy(failed, 0, true),
            Redispatch::Haproxy => self.haproxy(failed, self.interval, true),
            Redispatch::HaproxyBefore27 => self.haproxy(failed, self.interval, self.rotates),
            Redispatch::Last => self.haproxy(failed, -1, self.rotates),
            Redispatch::Every => self.haproxy(failed, 1, self.rotates),
        }
    }

    /// HAProxy's rule; `is_free` says whether the version takes the algorithm for one that may go anywhere.
    fn haproxy(&self, failed: &Failed, interval: i32, is_free: bool) -> Next {
        let alone = failed.servers_up <= 1;
        let moves = interval != 0 && ((is_free && !alone) || !failed.is_fully_up || is_due(failed, interval));
        // Also where it moves: a lone server that refuses is likely to be the one that is chosen again.
        let waits = failed.refused && (!moves || alone || !is_free);
        let pause = if waits { Ns::secs(1).min(self.connect_timeout) } else { Ns::ZERO };
        if moves { Next::Another(pause) } else { Next::Same(pause) }
    }
}

/// Whether the interval alone sends the next retry elsewhere.
fn is_due(failed: &Failed, interval: i32) -> bool {
    let number = i64::from(failed.retries.saturating_sub(failed.retries_left)) + 1;
    let every = if interval > 0 { i64::from(interval) } else { i64::from(failed.retries) + 1 + i64::from(interval) };
    every > 0 && number % every == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use ConnectFailure::{Refused, TimedOut};
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    fn rule(redispatch: Redispatch, interval: i32, rotates: bool) -> Rule {
        Rule { redispatch, interval, rotates, connect_timeout: Ns::secs(4) }
    }

    /// What becomes of each retry of a call whose every connection fails: `s` same server, `a` another, at once; `S`, `A`
    /// after the pause.
    fn row(rule: Rule, how: ConnectFailure, retries: u16, servers_up: usize, is_fully_up: bool) -> String {
        let step = |retries_left| match rule.next(&Failed {
            refused: how == Refused,
            retries,
            retries_left,
            servers_up,
            is_fully_up,
        }) {
            Next::GiveUp => '.',
            Next::Same(Ns::ZERO) => 's',
            Next::Another(Ns::ZERO) => 'a',
            Next::Same(pause) => {
                assert_eq!(pause, Ns::secs(1));
                'S'
            }
            Next::Another(pause) => {
                assert_eq!(pause, Ns::secs(1));
                'A'
            }
        };
        (0..=retries).rev().map(step).collect()
    }

    #[test]
    fn nginx_and_envoy_go_on_at_once_and_only_envoy_may_meet_the_same_host_again() {
        for redispatch in [Redispatch::Untried, Redispatch::Afresh] {
            for (how, up) in [(Refused, 0), (Refused, 6), (TimedOut, 1), (TimedOut, 6)] {
                assert_eq!(row(rule(redispatch, -1, true), how, 4, up, true), "aaaa.");
            }
        }
        assert_eq!((Redispatch::Untried.avoided(7), Redispatch::Afresh.avoided(7)), (Some(7), None));
    }

    #[test]
    fn haproxy_conformance() {
        use Redispatch::{Every, Haproxy, HaproxyBefore27 as Before, Last, Never};
        for (redispatch, interval, rotates, how, up, is_fully_up, should_be) in [
            // Without the option: to the end at the same server, whatever becomes of it.
            (Never, -1, true, Refused, 6, true, "SSS."),
            (Never, 1, false, Refused, 6, false, "SSS."),
            (Never, -1, true, TimedOut, 6, true, "sss."),
            // With it, while more than one is active: at once and elsewhere, whatever the interval.
            (Haproxy, -1, true, Refused, 6, true, "aaa."),
            (Haproxy, 2, true, Refused, 6, true, "aaa."),
            (Haproxy, -1, true, TimedOut, 2, true, "aaa."),
            // Since 2.7 under leastconn too.
            (Haproxy, -1, false, Refused, 6, true, "aaa."),
            (Haproxy, 1, false, Refused, 6, true, "aaa."),
            // Before, leastconn paused and stuck to its server until the interval was due.
            (Before, -1, true, Refused, 6, true, "aaa."),
            (Before, -1, false, Refused, 6, true, "SSA."),
            (Before, 1, false, Refused, 6, true, "AAA."),
            (Before, 2, false, Refused, 6, true, "SAS."),
            (Before, -1, false, TimedOut, 6, true, "ssa."),
            // The chosen server is down or in slow start: elsewhere, though not every retry is due.
            (Before, -1, false, TimedOut, 6, false, "aaa."),
            (Before, -1, false, Refused, 6, false, "AAA."),
            (Haproxy, -1, false, Refused, 6, false, "aaa."),
            // Only one is active: after a pause, and elsewhere only when due.
            (Haproxy, -1, true, Refused, 1, true, "SSA."),
            (Haproxy, 1, true, Refused, 1, true, "AAA."),
            (Haproxy, -2, true, Refused, 1, true, "SAS."),
            (Haproxy, 2, true, TimedOut, 1, true, "sas."),
            (Haproxy, -1, true, Refused, 0, false, "AAA."),
            (Haproxy, -1, true, TimedOut, 1, false, "aaa."),
            // An interval before the first retry, and one of 0, which turns the option off.
            (Haproxy, -4, true, Refused, 1, true, "SSS."),
            (Haproxy, 0, true, Refused, 6, false, "SSS."),
            // The older names.
            (Last, 1, true, Refused, 6, true, "aaa."),
            (Last, 1, false, Refused, 6, true, "SSA."),
            (Every, -1, false, Refused, 6, true, "AAA."),
            (Every, -1, true, Refused, 1, true, "AAA."),
        ] {
            let is = row(rule(redispatch, interval, rotates), how, 3, up, is_fully_up);
            assert_eq!(is, should_be, "{redispatch:?} {interval} {rotates} {how:?} {up} {is_fully_up}");
        }
        let quick = Rule { connect_timeout: Ns::millis(300), ..rule(Never, -1, true) };
        let failed = Failed { refused: true, retries: 3, retries_left: 3, servers_up: 2, is_fully_up: true };
        assert_eq!(quick.next(&failed), Next::Same(Ns::millis(300)));
    }

    #[test]
    fn one_try_for_each_server_and_no_more_than_the_counter_holds() {
        let of = |servers| Retries::EachServer.of(servers);
        assert_eq!((of(0), of(1), of(100), of(100_000)), (0, 0, 99, u16::MAX));
        assert_eq!(Retries::Count(3).of(100), 3);
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 256, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default()
        })]

        /// The pause is there to spare a server that has just refused: never after a timeout, never where a retry of a
        /// free algorithm goes elsewhere, and never longer than a second or the connect timeout.
        #[test]
        fn a_pause_follows_only_a_refusal(
            which in 0..Redispatch::ALL.len(), interval in -6..6, rotates: bool, timed_out: bool, is_fully_up: bool,
            retries in 0_u16..9, left in 0_u16..9, servers_up in 0_usize..4, connect_ms in 1_u64..3000,
        ) {
            let rule = Rule { connect_timeout: Ns::millis(connect_ms), ..rule(Redispatch::ALL[which], interval, rotates) };
            let how = if timed_out { TimedOut } else { Refused };
            let failed = Failed { refused: how == Refused, retries, retries_left: left.min(retries), servers_up, is_fully_up };
            let next = rule.next(&failed);
            prop_assert_eq!(next == Next::GiveUp, failed.retries_left == 0);
            let (Next::Same(pause) | Next::Another(pause)) = next else { return Ok(()) };
            prop_assert!(pause == Ns::ZERO || (how == Refused && pause == Ns::secs(1).min(rule.connect_timeout)));
            let free = rotates || !matches!(rule.redispatch, Redispatch::HaproxyBefore27 | Redispatch::Last | Redispatch::Every);
            prop_assert!(!matches!(next, Next::Another(_)) || servers_up <= 1 || !free || pause == Ns::ZERO);
        }

        #[test]
        fn servers_tried_are_a_set(servers in prop::collection::vec(0_u32..400, 0..80)) {
            let mut tried = Tried::default();
            servers.iter().for_each(|server| tried.add(*server));
            prop_assert!((0..400).all(|server| tried.has(server) == servers.contains(&server)));
        }
    }
}
