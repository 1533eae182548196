//! Load shedding at a server: what it cannot answer in time it refuses early.
//!
//! Two rules, each off by default. A bound on calls accepted and not yet answered refuses the next at once, as
//! Envoy's `max_pending_requests` or a bounded accept queue do. A bound on age looks at a call only when its turn comes,
//! and refuses what is no longer waited for, as in the controlled delay of Facebook's "Fail at Scale" (ACM Queue,
//! 2015) in its simplest form. The third is no bound but an order: health checks go first, so that overload does not look
//! like death (AWS Builders' Library, Implementing health checks).
//!
//! Not modelled: priorities among calls, last-in-first-out under load, limits that adapt (see
//! [`adaptive`](super::adaptive)).

use crate::component::collector::Fleet;
use crate::setting::{Scope, Silence, always, first_of, unless};
use crate::settings;
use crate::units::Ns;

settings! {
    /// What a server refuses when it has too much to do.
    pub struct Shedding {
        /// Most calls accepted and unanswered; more are answered 503 at once; none: no bound.
        pub pending: Option<u32> = None, 1 ..= 10_000_000 => always;
        /// A call that waited longer than this is answered 503 when its turn comes; none: no bound. (time)
        pub age: Option<Ns> = None, "1ms" ..= "24h" => always;
        /// Whether health checks go ahead of waiting calls; they are never shed in any case.
        pub checks_first: bool = true => is_checked_in_line;
    }
}

fn is_checked_in_line(_: &Shedding, at: &Scope<'_>) -> Silence {
    let checks = at.world.balancer.health.enabled;
    first_of([
        unless(checks, "the balancer makes no checks: `balancer.health.enabled` is false"),
        unless(
            at.fleet().is_some_and(Fleet::is_checked_in_line),
            "a thread of its own answers the checks: they do not wait",
        ),
    ])
}

impl Shedding {
    /// Whether one more call is accepted, with so many accepted and unanswered.
    pub fn admits(&self, pending: u32) -> bool {
        self.pending.is_none_or(|most| pending < most)
    }

    /// Whether a call that waited so long is refused now that its turn has come.
    pub fn is_stale(&self, waited: Ns) -> bool {
        self.age.is_some_and(|longest| waited > longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    #[test]
    fn each_bound_refuses_just_beyond_it() {
        let off = Shedding::default();
        assert!(off.admits(u32::MAX) && !off.is_stale(Ns::NEVER) && off.checks_first);
        let on = Shedding { pending: Some(2), age: Some(Ns::millis(100)), ..off };
        assert_eq!([0, 1, 2, 3].map(|pending| on.admits(pending)), [true, true, false, false]);
        assert_eq!([0, 100, 101].map(|waited| on.is_stale(Ns::millis(waited))), [false, false, true]);
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 256, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default()
        })]

        #[test]
        fn never_more_are_pending_than_the_bound(most in 1_u32..20, events: Vec<bool>) {
            let shedding = Shedding { pending: Some(most), ..Shedding::default() };
            let mut pending = 0;
            for comes in events {
                if !comes {
                    pending = u32::saturating_sub(pending, 1);
                } else if shedding.admits(pending) {
                    pending += 1;
                } else {
                    prop_assert_eq!(pending, most);
                }
                prop_assert!(pending <= most);
            }
        }
    }
}
