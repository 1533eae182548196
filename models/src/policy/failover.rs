//! A hot spare: when the primary has been out long enough, its replica is promoted, once for all.
//!
//! This is the common shape of managed databases and of tools such as Patroni: somebody watches, waits until the outage
//! is no blip, and then promotes, which takes its time. An outage shorter than `detection` changes nothing. Once the
//! promotion has begun it goes through, even if the primary comes back meanwhile: the old primary is fenced.
//! The numbers are the reader's to give: AWS states 60 to 120 seconds in all for a Multi-AZ RDS instance.
//!
//! Not modelled: going back to the old primary, several spares, a split brain, a watcher that is wrong.

use crate::setting::{Scope, Silence, always, unless};
use crate::settings;
use crate::units::Ns;

settings! {
    /// A hot spare of a store.
    pub struct Spare {
        /// How long the primary must be out until it is given up. (time)
        pub detection: Ns = Ns::secs(30), "0s" ..= "24h" => always;
        /// From then until the spare serves. (time)
        pub promotion: Ns = Ns::secs(60), "0s" ..= "24h" => always;
        /// Replication lag: writes acknowledged in the last so long before the outage are lost. (time)
        pub lag: Ns = Ns::secs(1), "0s" ..= "24h" => is_written;
        /// Whether what the primary ran out of the spare has run out of too, as with transaction ids in a physical replica.
        pub shares_headroom: bool = false => has_headroom;
    }
}

fn is_written(_: &Spare, at: &Scope<'_>) -> Silence {
    unless(at.world.is_written(at.name(1)), "no kind of call writes to this store")
}

fn has_headroom(_: &Spare, at: &Scope<'_>) -> Silence {
    unless(at.store().is_some_and(|store| store.headroom.is_some()), "this store has no `headroom` to run out of")
}

/// What to do when a time has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Nothing: the primary came back, or the call was for an earlier suspicion.
    None,
    /// Call again at that time.
    WaitUntil(Ns),
    /// The spare serves from now on.
    PromotedNow,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Watching,
    Suspecting { since: Ns },
    Promoting { until: Ns },
    Promoted,
}

/// How far a failover has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Failover {
    phase: Phase,
}

impl Default for Failover {
    fn default() -> Self {
        Failover::new()
    }
}

impl Failover {
    /// The primary serves.
    pub fn new() -> Failover {
        Failover { phase: Phase::Watching }
    }

    /// The primary is out. Gives the time at which to call [`Failover::on_due`], if this is news.
    pub fn on_down(&mut self, spec: &Spare, now: Ns) -> Option<Ns> {
        if self.phase != Phase::Watching {
            return None;
        }
        self.phase = Phase::Suspecting { since: now };
        Some(now.plus(spec.detection))
    }

    /// The primary is back: a suspicion ends, a promotion under way does not.
    pub fn on_up(&mut self, _: Ns) {
        if matches!(self.phase, Phase::Suspecting { .. }) {
            self.phase = Phase::Watching;
        }
    }

    /// The spare is to be promoted whatever the primary does. Gives the time at which to call [`Failover::on_due`].
    pub fn on_forced(&mut self, spec: &Spare, now: Ns) -> Ns {
        if let Phase::Promoting { until } = self.phase {
            return until;
        }
        let until = now.plus(spec.promotion);
        self.phase = Phase::Promoting { until };
        until
    }

    /// A time has come. Too early a call, left over from a suspicion that ended, does nothing.
    pub fn on_due(&mut self, spec: &Spare, now: Ns) -> Step {
        if let Phase::Suspecting { since } = self.phase {
            let given_up_at = since.plus(spec.detection);
            if now >= given_up_at {
                let until = given_up_at.plus(spec.promotion);
                self.phase = Phase::Promoting { until };
                if now < until {
                    return Step::WaitUntil(until);
                }
            }
        }
        match self.phase {
            Phase::Promoting { until } if now >= until => {
                self.phase = Phase::Promoted;
                Step::PromotedNow
            }
            _ => Step::None,
        }
    }

    /// Whether the spare is being promoted.
    pub fn is_promoting(&self) -> bool {
        matches!(self.phase, Phase::Promoting { .. })
    }

    /// Whether the spare serves.
    pub fn is_promoted(&self) -> bool {
        self.phase == Phase::Promoted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    /// Plays events at seconds ('d' down, 'u' up) with their timers, and gives the second of the promotion.
    fn promoted_at(spec: &Spare, events: &[(u64, char)]) -> Option<u64> {
        let mut failover = Failover::new();
        let mut timers: Vec<Ns> = Vec::new();
        for second in 0..1000 {
            let now = Ns::secs(second);
            for event in events.iter().filter(|e| e.0 == second) {
                match event.1 {
                    'd' => timers.extend(failover.on_down(spec, now)),
                    _ => failover.on_up(now),
                }
            }
            while let Some(at) = timers.iter().position(|t| *t == now) {
                timers.swap_remove(at);
                match failover.on_due(spec, now) {
                    Step::None => {}
                    Step::WaitUntil(then) => timers.push(then),
                    Step::PromotedNow => return Some(second),
                }
            }
        }
        None
    }

    #[test]
    fn failover_conformance() {
        let spec = Spare::default();
        for (events, should_be) in [
            (&[(10, 'd')][..], Some(100)),
            // A short outage never promotes; one that ends just when it would be given up is short.
            (&[(10, 'd'), (39, 'u')], None),
            (&[(10, 'd'), (40, 'u')], None),
            // Nor do many: every return starts the wait over.
            (&[(0, 'd'), (20, 'u'), (21, 'd'), (45, 'u'), (50, 'd'), (79, 'u')], None),
            (&[(0, 'd'), (20, 'u'), (25, 'd')], Some(115)),
            // Once given up, a return comes too late.
            (&[(10, 'd'), (41, 'u')], Some(100)),
            (&[(10, 'd'), (41, 'u'), (50, 'd'), (60, 'u')], Some(100)),
            // To be told twice is no news.
            (&[(10, 'd'), (20, 'd')], Some(100)),
        ] {
            assert_eq!(promoted_at(&spec, events), should_be, "{events:?}");
        }
        let at_once = Spare { detection: Ns::ZERO, promotion: Ns::ZERO, ..spec };
        assert_eq!(promoted_at(&at_once, &[(7, 'd')]), Some(7));
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 256, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default()
        })]

        #[test]
        fn it_promotes_once_and_never_too_early(
            detection_s in 0_u64..40,
            promotion_s in 0_u64..40,
            mut moments in prop::collection::vec(0_u64..300, 0..12),
            stray in prop::collection::vec(0_u64..400, 0..20),
        ) {
            moments.sort_unstable();
            moments.dedup();
            let spec = Spare {
                detection: Ns::secs(detection_s), promotion: Ns::secs(promotion_s), ..Spare::default()
            };
            // Down and up in turn; the outage that is given up is the first that outlasts the detection.
            let outages: Vec<_> = moments.chunks(2).map(|c| (c[0], c.get(1).copied())).collect();
            let fatal = outages.iter().find(|(from, to)| to.is_none_or(|to| to > from + detection_s));
            let should_be = fatal.map(|(from, _)| from + detection_s + promotion_s);
            let events: Vec<_> =
                moments.iter().enumerate().map(|(i, s)| (*s, if i % 2 == 0 { 'd' } else { 'u' })).collect();
            prop_assert_eq!(promoted_at(&spec, &events), should_be);

            // Stray calls neither promote too early nor twice.
            let mut failover = Failover::new();
            let mut promotions = 0;
            for second in 0..500 {
                let now = Ns::secs(second);
                for event in events.iter().filter(|e| e.0 == second) {
                    if event.1 == 'd' { failover.on_down(&spec, now); } else { failover.on_up(now); }
                }
                if stray.contains(&second) || second == 499 {
                    promotions += u32::from(failover.on_due(&spec, now) == Step::PromotedNow);
                }
                let may_be = outages.iter().any(|(from, _)| second >= from + detection_s + promotion_s);
                prop_assert!(may_be || !failover.is_promoted());
                prop_assert_eq!(promotions, u32::from(failover.is_promoted()));
            }
        }
    }
}
