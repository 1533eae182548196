//! Fail-open: when so few servers are healthy that the checks are no longer believed, all get traffic.
//!
//! One rule serves three products. AWS's Application Load Balancer fails open when fewer than
//! `minimum_healthy_targets` (a count, by default 1; or a percentage) are healthy (AWS user guide, target group health).
//! Envoy calls it the panic threshold (`healthy_panic_threshold`, by default 50%): when a smaller part than that is
//! healthy, health is ignored; the comparison is strict (`isHostSetInPanic` in
//! source/extensions/load_balancing_policies/common/load_balancer_impl.cc). A count of 1 is the plain "when none is
//! left".
//!
//! Not modelled: priorities and localities, and with them that Envoy does not panic at thresholds above 5/7 of healthy
//! hosts (its overprovisioning factor of 1.4); `fail_traffic_on_panic`; degraded hosts.

use crate::policy::health::HealthCheck;
use crate::setting::{Data, Form, Reader, Setting, Value};
use crate::units::parse_share;

/// Below how many healthy servers all get traffic: a count, or a share of all servers.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum FailOpenBelow {
    /// When fewer than so many are healthy.
    Count(u32),
    /// When a smaller part of all is healthy; 0: never.
    Share(f64),
}

impl FailOpenBelow {
    /// Whether all servers get traffic, with so many of them healthy.
    pub fn is_open(self, healthy: usize, all: usize) -> bool {
        if all == 0 {
            return false;
        }
        match self {
            FailOpenBelow::Count(count) => healthy < count as usize,
            FailOpenBelow::Share(share) => (healthy as f64 / all as f64) < share,
        }
    }
}

impl HealthCheck {
    /// Whether the balancer ignores health: with so many servers in rotation of `all` that operators let in.
    pub fn fails_open(&self, healthy: usize, all: usize) -> bool {
        self.fail_open_below.is_some_and(|below| below.is_open(healthy, all))
    }
}

impl Setting for FailOpenBelow {
    fn read(value: &Value, reader: &mut Reader<'_>) -> Option<Self> {
        match &value.data {
            Data::Integer(0) => {
                reader.problem_with_help(
                    value.span,
                    "fewer than 0 are never healthy",
                    "1: fail open when none is left",
                );
                None
            }
            Data::Integer(_) => u32::read(value, reader).map(FailOpenBelow::Count),
            Data::Text(text) => match parse_share(text) {
                Ok(share) => Some(FailOpenBelow::Share(share.0)),
                Err(why) => {
                    reader.problem(value.span, why);
                    None
                }
            },
            _ => {
                reader.expected(value, "a count or a share of the servers such as \"50%\"");
                None
            }
        }
    }
    fn form() -> Form {
        Form::Either(vec![Form::Integer, Form::Amount("share", "50%")])
    }
    fn show(&self) -> String {
        match self {
            FailOpenBelow::Count(count) => count.to_string(),
            FailOpenBelow::Share(share) => format!("{}%", share * 100.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setting::{Clock, Span};
    use crate::units::Ns;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    struct NoClock;

    impl Clock for NoClock {
        fn moment(&self, text: &str) -> Result<Ns, String> {
            Err(text.into())
        }
    }

    fn read(data: Data) -> Result<FailOpenBelow, String> {
        let mut reader = Reader::new(&NoClock);
        let value = Value { data, span: Span::default(), mark: None };
        let read = FailOpenBelow::read(&value, &mut reader);
        read.ok_or_else(|| reader.finish().remove(0).message)
    }

    #[test]
    fn envoy_and_alb_conformance() {
        use FailOpenBelow::{Count, Share};
        for (rule, healthy, all, should_be) in [
            // ALB by default: when no target is healthy.
            (Count(1), 1, 6, false),
            (Count(1), 0, 6, true),
            (Count(3), 3, 6, false),
            (Count(3), 2, 6, true),
            // Envoy by default: at exactly half there is no panic.
            (Share(0.5), 3, 6, false),
            (Share(0.5), 2, 6, true),
            (Share(0.5), 1, 3, true),
            // A threshold of 0 turns it off.
            (Share(0.0), 0, 6, false),
            (Share(1.0), 5, 6, true),
            (Share(1.0), 6, 6, false),
            (Share(1.0), 0, 0, false),
            (Count(1), 0, 0, false),
        ] {
            assert_eq!(rule.is_open(healthy, all), should_be, "{rule:?} {healthy} of {all}");
        }
    }

    #[test]
    fn it_reads_a_count_or_a_share_and_shows_it_as_written() {
        assert_eq!(read(Data::Integer(2)).unwrap().show(), "2");
        assert_eq!(read(Data::Text("50%".into())).unwrap().show(), "50%");
        assert_eq!(read(Data::Text("50%".into())), Ok(FailOpenBelow::Share(0.5)));
        assert_eq!(read(Data::Integer(0)).unwrap_err(), "fewer than 0 are never healthy");
        assert!(read(Data::Text("half".into())).is_err() && read(Data::Integer(-1)).is_err());
        assert!(read(Data::Bool(true)).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 256, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default()
        })]

        #[test]
        fn it_opens_exactly_below_its_threshold(percent in 0_u32..=100, count in 1_u32..50, all in 1_usize..50) {
            let share = read(Data::Text(format!("{percent}%"))).unwrap();
            for healthy in 0..=all {
                // In whole numbers, so that no rounding hides an error.
                prop_assert_eq!(share.is_open(healthy, all), healthy * 100 < percent as usize * all);
                prop_assert_eq!(FailOpenBelow::Count(count).is_open(healthy, all), healthy < count as usize);
            }
        }
    }
}
