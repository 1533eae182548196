//! An adaptive concurrency limit: how many calls may be inside at once is learnt from how long they take.
//!
//! Both algorithms are those of Netflix's concurrency-limits (AIMDLimit.java, Gradient2Limit.java,
//! ExpAvgMeasurement.java, AbstractLimiter.java, SimpleLimiter.java of main, after 0.3). "aimd" adds one after a call that
//! succeeded with at least half of the limit in use, and multiplies by the backoff after a call that was dropped or took
//! longer than the timeout. "gradient" compares each call's time with a long exponential average: the limit shrinks by
//! their ratio, to half at most, beyond a tolerance of 1.5; grows by the queue allowance; and is smoothed. It does not
//! look at drops, only at times. Neither lets calls wait: what is beyond the limit is refused.
//!
//! Different from the source: it asks how many were inside when the call began, here it is how many are when it ends,
//! the call itself included; a first limit outside least and most is cut to them at once, not at the first sample.
//!
//! Not modelled: the Vegas limit, sampling windows (`WindowedLimit`), partitions, limiters that block.

use crate::setting::{Preset, Scope, Silence, always, unless};
use crate::units::Ns;
use crate::{choices, settings};

choices! {
    /// How the limit is learnt.
    pub enum LimitAlgorithm = Gradient {
        /// One more after each success, a share less after each drop (AIMDLimit).
        Aimd = "aimd",
        /// By the ratio of the long average of times to the last time (Gradient2Limit).
        Gradient = "gradient",
    }
}

settings! {
    /// A limit on concurrent calls that adapts. `preset` names an algorithm with its library's defaults.
    pub struct Adaptive (presets = PRESETS) {
        /// How the limit is learnt.
        pub algorithm: LimitAlgorithm = LimitAlgorithm::Gradient => always;
        /// Limit at the start, in calls.
        pub initial: u32 = 20, 1 ..= 1_000_000 => always;
        /// Lowest limit, in calls.
        pub least: u32 = 20, 1 ..= 1_000_000 => always;
        /// Highest limit, in calls.
        pub most: u32 = 200, 1 ..= 1_000_000 => always;
        /// Factor after a drop; "aimd" only.
        pub backoff: f64 = 0.9, 0.5 ..= 0.999 => is_aimd;
        /// A call that takes longer counts as dropped; "aimd" only. (time)
        pub timeout: Ns = Ns::secs(5), "1ms" ..= "1h" => is_aimd;
        /// How much of a new estimate is taken over at once, from 0 to 1; "gradient" only.
        pub smoothing: f64 = 0.2, 0 ..= 1 => is_gradient;
        /// Calls over which the long average forgets; "gradient" only.
        pub long_window: u32 = 600, 1 ..= 1_000_000 => is_gradient;
        /// How many times the long average a call may take before the limit shrinks; "gradient" only.
        pub tolerance: f64 = 1.5, 1 ..= 100 => is_gradient;
        /// Calls by which an estimate may grow while times are good; "gradient" only.
        pub queue: u32 = 4, 0 ..= 1_000_000 => is_gradient;
    }
}

fn is_aimd(limit: &Adaptive, _: &Scope<'_>) -> Silence {
    unless(limit.algorithm == LimitAlgorithm::Aimd, "`algorithm` is \"gradient\": only \"aimd\" looks at it")
}

fn is_gradient(limit: &Adaptive, _: &Scope<'_>) -> Silence {
    unless(limit.algorithm == LimitAlgorithm::Gradient, "`algorithm` is \"aimd\": only \"gradient\" looks at it")
}

/// Every preset.
pub const PRESETS: &[Preset<Adaptive>] = &[
    Preset {
        name: "gradient",
        doc: "Netflix concurrency-limits 0.5.1 (2024), Gradient2Limit: from 20, between 20 and 200, smoothing 0.2, long window 600, \
              tolerance 1.5, queue 4. Source: Gradient2Limit.java. Not modelled: sampling windows (WindowedLimit).",
        make: Adaptive::gradient,
    },
    Preset {
        name: "aimd",
        doc: "Netflix concurrency-limits 0.5.1 (2024), AIMDLimit: from 20, between 20 and 200, times 0.9 after a drop or 5s. Source: \
              AIMDLimit.java. Not modelled: sampling windows (WindowedLimit).",
        make: Adaptive::aimd,
    },
];

impl Adaptive {
    /// Preset `gradient`.
    pub fn gradient() -> Adaptive {
        Adaptive::default()
    }

    /// Preset `aimd`.
    pub fn aimd() -> Adaptive {
        Adaptive { algorithm: LimitAlgorithm::Aimd, ..Adaptive::default() }
    }
}

/// Calls of which the long average starts as a plain mean (Gradient2Limit's warm-up).
const WARM_UP: u32 = 10;

/// The state of one limit.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Limiter {
    /// The limit with its fraction.
    estimate: f64,
    inside: u32,
    /// Long average of the times, in nanoseconds, and how many of the first calls it has seen.
    long: f64,
    warm: u32,
}

impl Limiter {
    /// No call inside, the initial limit.
    pub fn new(spec: &Adaptive) -> Limiter {
        Limiter { estimate: f64::from(spec.initial.max(spec.least).min(spec.most)), inside: 0, long: 0.0, warm: 0 }
    }

    /// How many may be inside now, in calls. More may still be, after it fell.
    pub fn limit(&self) -> u32 {
        self.estimate as u32
    }

    /// How many are inside.
    pub fn inside(&self) -> u32 {
        self.inside
    }

    /// A call comes. False: it is refused.
    #[inline]
    pub fn try_enter(&mut self) -> bool {
        let enters = self.inside < self.limit();
        self.inside += u32::from(enters);
        enters
    }

    /// A call leaves without a sample: it failed for reasons that say nothing about load, or its client gave up.
    pub fn on_ignore(&mut self) {
        assert!(self.inside > 0, "an exit without an entry");
        self.inside -= 1;
    }

    /// A call leaves after `took`; `dropped` says that it was refused or timed out further on.
    #[inline]
    pub fn on_exit(&mut self, spec: &Adaptive, took: Ns, dropped: bool) {
        match spec.algorithm {
            LimitAlgorithm::Aimd => self.aimd(spec, took, dropped),
            LimitAlgorithm::Gradient => self.gradient(spec, took),
        }
        self.on_ignore();
    }

    fn aimd(&mut self, spec: &Adaptive, took: Ns, dropped: bool) {
        let limit = self.limit();
        let next = if dropped || took > spec.timeout {
            (f64::from(limit) * spec.backoff) as u32
        } else if u64::from(self.inside) * 2 >= u64::from(limit) {
            limit.saturating_add(1)
        } else {
            limit
        };
        self.estimate = f64::from(next.max(spec.least).min(spec.most));
    }

    fn gradient(&mut self, spec: &Adaptive, took: Ns) {
        // A call that takes no time at all would divide by zero.
        let short = took.0.max(1) as f64;
        if self.warm < WARM_UP {
            self.warm += 1;
            self.long += (short - self.long) / f64::from(self.warm);
        } else {
            let part = 2.0 / (f64::from(spec.long_window) + 1.0);
            self.long += (short - self.long) * part;
        }
        let long = self.long;
        // After a long time of load the average comes down faster.
        if long / short > 2.0 {
            self.long *= 0.95;
        }
        // A limit that is not used is not raised.
        if f64::from(self.inside) < self.estimate / 2.0 {
            return;
        }
        let gradient = (spec.tolerance * long / short).clamp(0.5, 1.0);
        let wanted = self.estimate * gradient + f64::from(spec.queue);
        let smoothed = self.estimate * (1.0 - spec.smoothing) + wanted * spec.smoothing;
        self.estimate = smoothed.max(f64::from(spec.least)).min(f64::from(spec.most));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    /// Lets one call leave with so many inside, and others come back in.
    fn exit(spec: &Adaptive, limiter: &mut Limiter, inside: u32, took_ms: u64, dropped: bool) -> u32 {
        limiter.inside = inside;
        limiter.on_exit(spec, Ns::millis(took_ms), dropped);
        assert_eq!(limiter.inside(), inside - 1);
        limiter.limit()
    }

    #[test]
    fn netflix_aimd_conformance() {
        let preset = Adaptive::aimd();
        assert_eq!((preset.initial, preset.least, preset.most, preset.timeout), (20, 20, 200, Ns::secs(5)));
        let spec = Adaptive { least: 10, most: 21, ..preset };
        let mut limiter = Limiter::new(&spec);
        for (inside, took_ms, dropped, should_be) in [
            // Half in use is enough to grow, less is not; 200, here 21, is the top.
            (9, 10, false, 20),
            (10, 10, false, 21),
            (21, 10, false, 21),
            // AIMDLimitTest: times 0.9, cut down to a whole number: 18.9, 16.2.
            (1, 10, true, 18),
            (1, 5001, false, 16),
            (1, 5000, false, 16),
            (16, 5000, false, 17),
            (1, 1, true, 15),
            (1, 1, true, 13),
            (1, 1, true, 11),
            (1, 1, true, 10),
            (1, 1, true, 10),
        ] {
            assert_eq!(exit(&spec, &mut limiter, inside, took_ms, dropped), should_be, "{inside} {took_ms} {dropped}");
        }
    }

    #[test]
    fn netflix_gradient2_conformance() {
        let spec = Adaptive::gradient();
        let mut limiter = Limiter::new(&spec);
        // With steady times each call adds queue times smoothing, 0.8.
        let grown: Vec<_> = (0..5).map(|_| exit(&spec, &mut limiter, 20, 10, false)).collect();
        assert_eq!(grown, [20, 21, 22, 23, 24]);
        // Up to the top.
        (0..400).for_each(|_| _ = exit(&spec, &mut limiter, 200, 10, false));
        assert_eq!(limiter.limit(), 200);
        // Too few inside: nothing changes, however slow.
        assert_eq!(exit(&spec, &mut limiter, 99, 1000, false), 200);
        // 1.4 times the average is within the tolerance; a drop is not looked at.
        assert_eq!(exit(&spec, &mut limiter, 200, 14, true), 200);
        // Ten times the average: the gradient is cut at one half, 200 * 0.8 + (100 + 4) * 0.2.
        assert_eq!(exit(&spec, &mut limiter, 200, 500, false), 180);
        // Slow from here on: down to the bottom, then the average has learnt, and it grows again.
        let lowest = (0..100).map(|_| exit(&spec, &mut limiter, 200, 500, false)).min();
        assert_eq!(lowest, Some(20));
        (0..1000).for_each(|_| _ = exit(&spec, &mut limiter, 200, 500, false));
        assert_eq!(limiter.limit(), 200);
        // Back to normal: the average, 50 times too long, comes down by 5% a call and more.
        (0..60).for_each(|_| _ = exit(&spec, &mut limiter, 200, 10, false));
        assert!(limiter.long < 22e6, "{}", limiter.long);
    }

    #[test]
    fn the_long_average_warms_up_as_a_plain_mean() {
        let spec = Adaptive::default();
        let mut limiter = Limiter::new(&spec);
        for took_ms in 1..=10 {
            exit(&spec, &mut limiter, 1, took_ms, false);
        }
        assert!((limiter.long - 5.5e6).abs() < 1.0);
        exit(&spec, &mut limiter, 1, 10, false);
        assert!((limiter.long - (5.5e6 + 4.5e6 * 2.0 / 601.0)).abs() < 1.0);
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 256, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default()
        })]

        #[test]
        fn the_limit_stays_in_its_bounds_and_nobody_enters_beyond_it(
            aimd: bool,
            initial in 1_u32..60,
            least in 1_u32..20,
            range in 0_u32..40,
            events in prop::collection::vec((0_u8..6, 0_u64..8_000_000_000, any::<bool>()), 0..300),
        ) {
            let algorithm = if aimd { LimitAlgorithm::Aimd } else { LimitAlgorithm::Gradient };
            let spec = Adaptive { algorithm, initial, least, most: least + range, ..Adaptive::default() };
            let mut limiter = Limiter::new(&spec);
            let mut inside = 0;
            for (event, took, dropped) in events {
                let limit = limiter.limit();
                prop_assert!((spec.least..=spec.most).contains(&limit));
                match event {
                    0..=2 => {
                        prop_assert_eq!(limiter.try_enter(), inside < limit);
                        inside += u32::from(inside < limit);
                    }
                    3 if inside > 0 => {
                        limiter.on_ignore();
                        inside -= 1;
                        prop_assert_eq!(limiter.limit(), limit);
                    }
                    _ if inside > 0 => {
                        limiter.on_exit(&spec, Ns(took), dropped);
                        if aimd {
                            prop_assert!(limiter.limit() <= limit + 1);
                            prop_assert!(!dropped || limiter.limit() < limit || limit == spec.least);
                        } else {
                            // No step is larger than smoothing allows: a tenth down, the queue's part up.
                            prop_assert!(limiter.limit() <= limit + 1);
                            prop_assert!(f64::from(limiter.limit()) >= f64::from(limit) * 0.9 - 1.0);
                        }
                        inside -= 1;
                    }
                    _ => {}
                }
                prop_assert_eq!(limiter.inside(), inside);
            }
        }
    }
}
