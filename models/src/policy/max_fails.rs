//! Passive checks by counting failed calls: after so many, a server is left out for a while.
//!
//! The rule is open source nginx's `max_fails` and `fail_timeout`, read in
//! src/http/ngx_http_upstream_round_robin.c of 1.9.4 and 1.18.0 (`get_peer`, `free_round_robin_peer`). A peer is
//! passed over while it has `max_fails` failures and `now - checked <= fail_timeout`. Both times are whole seconds
//! of a clock that is cut off, not rounded, so a peer stays out between `fail_timeout` and one second more. Then the
//! next call is the trial: choosing the peer sets `checked`, so that others are held back again until the trial ends. A
//! success clears the count only when the last failure lies before `checked`; so it is no window that slides, and
//! failures further apart than `fail_timeout` add up as long as no success came between.
//!
//! A failure ([`is_failure`]) is a connection that failed or timed out, an answer that did not come or was cut off, or a
//! status that `proxy_next_upstream` names, if another try is left. A call that the client gave up counts as a success.
//! nginx never takes out the only peer of a group: a group of one never asks.
//!
//! Not modelled: the loss of weight after a failure, backup servers, `down`, the separate counts of worker processes (w
//! workers without a `zone` each pay their own failures and trials); that a reused connection which fails counts, but
//! costs no try.

use super::verdict::Verdict;
use crate::setting::{Preset, Scope, Silence, always, unless};
use crate::settings;
use crate::units::Ns;

settings! {
    /// Leaving out servers whose calls fail. `preset` names a product's defaults; other keys change them.
    pub struct MaxFails (presets = PRESETS) {
        /// Failures that take a server out; 0: none ever does (nginx `max_fails`).
        pub fails: u32 = 1, 0 ..= 1000 => always;
        /// How long a server stays out, and after what pause a success clears its failures; cut down to whole seconds (nginx `fail_timeout`). (time)
        pub window: Ns = Ns::secs(10), "0s" ..= "24h" => takes_out;
        /// Whether all servers come back at once when none is left (nginx before 1.11.5).
        pub reset_all: bool = false => takes_out;
    }
}

fn takes_out(passive: &MaxFails, _: &Scope<'_>) -> Silence {
    unless(passive.fails > 0, "`fails` is 0: no failure takes a server out")
}

/// Every preset.
pub const PRESETS: &[Preset<MaxFails>] = &[
    Preset {
        name: "nginx",
        doc: "nginx since 1.11.5 (October 2016): max_fails 1, fail_timeout 10s; when all servers are out, calls fail until \
              the time of one is up. Source: src/http/ngx_http_upstream_round_robin.c of 1.18.0. Not modelled: counts of \
              each worker process, the loss of weight after a failure.",
        make: MaxFails::nginx,
    },
    Preset {
        name: "nginx-before-1.11.5",
        doc: "nginx before 1.11.5 (October 2016): max_fails 1, fail_timeout 10s; a call that finds all servers out fails, and \
              brings all of them back. Source: src/http/ngx_http_upstream_round_robin.c of 1.9.4. Not modelled: as there.",
        make: MaxFails::nginx_before_1_11_5,
    },
];

impl MaxFails {
    /// Preset `nginx`.
    pub fn nginx() -> MaxFails {
        MaxFails::default()
    }

    /// Preset `nginx-before-1.11.5`.
    pub fn nginx_before_1_11_5() -> MaxFails {
        MaxFails { reset_all: true, ..MaxFails::default() }
    }
}

/// Whole seconds, as nginx's `ngx_time()` counts them.
const fn whole_seconds(time: Ns) -> u64 {
    time.0 / 1_000_000_000
}

/// Whether a call counts as a failure of its server. A status does only if it is one that sends the call on, there is
/// another try, and it is neither 403 nor 404: the last server's 5xx is passed on, and counts as a success.
pub fn is_failure(verdict: Verdict) -> bool {
    match verdict {
        Verdict::Answered { status, retried } => retried && !matches!(status, 403 | 404),
        Verdict::Unconnected | Verdict::Unreached => true,
        Verdict::Abandoned => false,
    }
}

/// What the balancer knows of one server.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Peer {
    fails: u32,
    /// Second of the last failure; none before the first.
    accessed: Option<u64>,
    /// Second of the last failure or the last trial; none before the first.
    checked: Option<u64>,
}

impl Peer {
    /// Whether `checked` lies further back than the window.
    fn is_rested(&self, spec: &MaxFails, now: Ns) -> bool {
        self.checked.is_none_or(|checked| whole_seconds(now).saturating_sub(checked) > whole_seconds(spec.window))
    }

    fn is_spent(&self, spec: &MaxFails) -> bool {
        spec.fails > 0 && self.fails >= spec.fails
    }

    /// Whether it may be chosen.
    pub fn is_open(&self, spec: &MaxFails, now: Ns) -> bool {
        !self.is_spent(spec) || self.is_rested(spec, now)
    }

    /// A call goes to it.
    pub fn on_chosen(&mut self, spec: &MaxFails, now: Ns) {
        if self.is_rested(spec, now) {
            self.checked = Some(whole_seconds(now));
        }
    }

    /// A call to it failed.
    pub fn on_failure(&mut self, _: &MaxFails, now: Ns) {
        self.fails = self.fails.saturating_add(1);
        self.accessed = Some(whole_seconds(now));
        self.checked = self.accessed;
    }

    /// A call to it succeeded, or its client gave up (nginx's status 499).
    pub fn on_success(&mut self) {
        // None, for "never", is less than any second.
        if self.accessed < self.checked {
            self.fails = 0;
        }
    }

    /// Its failures are forgotten, as nginx before 1.11.5 does for all when none is left.
    pub fn reset(&mut self) {
        self.fails = 0;
    }

    /// When it may be chosen again, if its failures take it out; that time may have passed.
    pub fn reopens_at(&self, spec: &MaxFails) -> Option<Ns> {
        let checked = self.checked.filter(|_| self.is_spent(spec))?;
        Some(Ns((checked + whole_seconds(spec.window) + 1).saturating_mul(1_000_000_000)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    /// Plays events at milliseconds ('c' chosen, '-' failure, '+' success, 'r' reset) and writes down whether the
    /// peer may be chosen after each ('o' open, 'x' out), or, for '?', at that time.
    fn row(spec: &MaxFails, events: &[(u64, char)]) -> String {
        let mut peer = Peer::default();
        let step = |(at, event): &(u64, char)| {
            let now = Ns::millis(*at);
            match event {
                'c' => peer.on_chosen(spec, now),
                '-' => peer.on_failure(spec, now),
                '+' => peer.on_success(),
                'r' => peer.reset(),
                _ => {}
            }
            if peer.is_open(spec, now) { 'o' } else { 'x' }
        };
        events.iter().map(step).collect()
    }

    #[test]
    fn nginx_conformance() {
        let one = MaxFails::nginx();
        assert_eq!((one.fails, one.window, one.reset_all), (1, Ns::secs(10), false));
        let three = MaxFails { fails: 3, ..one.clone() };
        let off = MaxFails { fails: 0, ..one.clone() };
        for (spec, events, should_be) in [
            // Out from the first failure while no more than ten whole seconds have passed: up to eleven seconds.
            (&one, &[(0, 'c'), (3, '-'), (10_999, '?'), (11_000, '?')][..], "oxxo"),
            (&one, &[(1900, '-'), (11_999, '?'), (12_000, '?')], "xxo"),
            // The trial holds others back; its success brings the peer back, its failure takes it out again.
            (&one, &[(0, '-'), (11_000, 'c'), (11_001, '?'), (11_500, '+')], "xxxo"),
            (&one, &[(0, '-'), (11_000, 'c'), (12_500, '-'), (22_999, '?'), (23_000, '?')], "xxxxo"),
            // While a trial hangs, the next is due after another window.
            (&one, &[(0, '-'), (11_000, 'c'), (21_999, '?'), (22_000, '?')], "xxxo"),
            // A call sent before the failure and answered after it does not bring the peer back.
            (&one, &[(0, 'c'), (5, 'c'), (10, '-'), (20, '+')], "ooxx"),
            // The same holds below the limit: successes within the window clear nothing.
            (&three, &[(0, '-'), (1, '+'), (2, '-'), (3, '+'), (4, '-')], "oooox"),
            // Once a call is chosen after the window, a success clears all.
            (&three, &[(0, '-'), (1, '-'), (11_000, 'c'), (11_001, '+'), (11_002, '-'), (11_003, '-')], "oooooo"),
            // Without one, failures far apart add up.
            (&three, &[(0, '-'), (60_000, '-'), (120_000, '-')], "oox"),
            // A call of before the window that succeeds after the trial began counts for the trial.
            (&one, &[(0, '-'), (11_000, 'c'), (11_000, '+'), (11_001, '-')], "xxox"),
            (&off, &[(0, '-'), (1, '-'), (2, '-')], "ooo"),
            (&one, &[(0, '-'), (1, 'r')], "xo"),
        ] {
            assert_eq!(row(spec, events), should_be, "{events:?}");
        }
        assert!(MaxFails::nginx_before_1_11_5().reset_all);
    }

    #[test]
    fn what_counts_as_a_failure() {
        let answered = |status, retried| Verdict::Answered { status, retried };
        for (verdict, should_be) in [
            (Verdict::Unreached, true),
            (Verdict::Abandoned, false),
            (answered(200, false), false),
            // The last one's 5xx is passed on.
            (answered(503, true), true),
            (answered(503, false), false),
            (answered(429, true), true),
            (answered(403, true), false),
            (answered(404, true), false),
        ] {
            assert_eq!(is_failure(verdict), should_be, "{verdict:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 256, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default()
        })]

        #[test]
        fn a_peer_is_out_exactly_until_it_reopens(
            fails in 0_u32..4,
            window_s in 0_u64..20,
            events in prop::collection::vec((0_u64..6_000, 0_u8..4), 0..60),
        ) {
            let spec = MaxFails { fails, window: Ns::secs(window_s), ..MaxFails::default() };
            let mut peer = Peer::default();
            let mut now = Ns::ZERO;
            let mut count = 0;
            for (pause, event) in events {
                now = now.plus(Ns::millis(pause));
                match event {
                    0 if peer.is_open(&spec, now) => peer.on_chosen(&spec, now),
                    1 => {
                        peer.on_failure(&spec, now);
                        count += 1;
                        prop_assert_eq!(peer.is_open(&spec, now), fails == 0 || peer.fails < fails);
                    }
                    2 => peer.on_success(),
                    _ => {}
                }
                // It never has more failures than there were.
                prop_assert!(peer.fails <= count);
                match peer.reopens_at(&spec) {
                    None => prop_assert!(peer.is_open(&spec, now)),
                    Some(at) => {
                        prop_assert_eq!(peer.is_open(&spec, now), now >= at);
                        prop_assert!(peer.is_open(&spec, at) && !peer.is_open(&spec, Ns(at.0 - 1)));
                        // Never out for longer than the window and a second.
                        prop_assert!(at <= now.plus(Ns::secs(window_s + 1)));
                    }
                }
            }
            peer.reset();
            prop_assert!(peer.is_open(&spec, now));
        }
    }
}
