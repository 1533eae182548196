//! Errors of live traffic that count as failed checks.
//!
//! The rule is HAProxy's `observe layer7` with `error-limit` and `on-error` (doc/configuration.txt; `__health_adjust` in
//! src/check.c): so many errors in a row on the calls themselves do something to the server's health, and counting starts
//! over. An answer below 500, a 501 or a 505 ends the row. Errors are any other 5xx, a connection that failed, an answer
//! that did not come in time or was cut off; a call whose client has left says nothing. If a fast interval is
//! configured, the next check is brought forward to it, whatever `on_error` says.
//!
//! Under `observe layer4` only connecting counts: a connection that came about ends the row, whatever became of the call.
//!
//! Not modelled: breaks of reused connections, which do not count.

use super::health::Degrade;
use super::verdict::Verdict;
use crate::setting::{Preset, always};
use crate::{choices, settings};

choices! {
    /// What a row of errors does to a server (HAProxy `on-error`).
    pub enum OnError = FailCheck {
        /// Only the next check comes sooner, after `fast_interval`, if there is one.
        Fastinter = "fastinter",
        /// It counts as a failed check.
        FailCheck = "fail-check",
        /// It counts as a failed check, and one more failure takes the server out.
        SuddenDeath = "sudden-death",
        /// The server is out at once.
        MarkDown = "mark-down",
    }
}

choices! {
    /// Which errors of calls count (HAProxy `observe`).
    pub enum Layer = Layer7 {
        /// Failed connects, answers that do not come or break off, and statuses.
        Layer7 = "layer7",
        /// Failed connects only.
        Layer4 = "layer4",
    }
}

settings! {
    /// Counting errors of live traffic as failed checks. `preset` names a product's defaults; other keys change them.
    pub struct Observe (presets = PRESETS) {
        /// Which errors count.
        pub layer: Layer = Layer::Layer7 => always;
        /// Errors in a row (HAProxy `error-limit`).
        pub errors: u32 = 10, 1 ..= 1000000 => always;
        /// What they do (HAProxy `on-error`).
        pub on_error: OnError = OnError::FailCheck => always;
    }
}

/// Every preset.
pub const PRESETS: &[Preset<Observe>] = &[Preset {
    name: "haproxy",
    doc: "HAProxy 2.6 (2022) with `observe layer7`: error-limit 10, on-error fail-check. Off unless configured. Source: \
          doc/configuration.txt, src/check.c, src/http_ana.c. Not modelled: breaks of reused connections (which do not \
          count).",
    make: Observe::haproxy,
}];

impl Observe {
    /// Preset `haproxy`.
    pub fn haproxy() -> Observe {
        Observe::default()
    }
}

/// Whether a call speaks for its server; none if it says nothing.
pub fn is_good(layer: Layer, verdict: Verdict) -> Option<bool> {
    match (layer, verdict) {
        (_, Verdict::Abandoned) => None,
        (_, Verdict::Unconnected) => Some(false),
        (Layer::Layer4, _) => Some(true),
        (Layer::Layer7, Verdict::Unreached) => Some(false),
        (Layer::Layer7, Verdict::Answered { status, .. }) => Some(matches!(status, 100..=499 | 501 | 505)),
    }
}

/// What live traffic has said of one server.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Observed {
    errors: u32,
}

/// What follows from a row of errors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Finding {
    /// What it does to the health of the server; none: nothing but the sooner check.
    pub degrade: Option<Degrade>,
}

impl Observed {
    /// Takes in what became of a call; says what follows once the row is full.
    pub fn on_result(&mut self, spec: &Observe, good: bool) -> Option<Finding> {
        if good {
            self.errors = 0;
            return None;
        }
        self.errors += 1;
        if self.errors < spec.errors {
            return None;
        }
        self.errors = 0;
        let degrade = match spec.on_error {
            OnError::Fastinter => None,
            OnError::FailCheck => Some(Degrade::OneCheck),
            OnError::SuddenDeath => Some(Degrade::AllButOne),
            OnError::MarkDown => Some(Degrade::Down),
        };
        Some(Finding { degrade })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::health::{CheckResult, Health, HealthCheck};

    /// Plays calls ('+' answered, 'e' error) and checks ('p' passed, 'f' failed) and writes down the state after each ('U' up, 'd' down).
    fn row(check: &HealthCheck, spec: &Observe, events: &str) -> String {
        let (mut health, mut observed) = (Health::new(check), Observed::default());
        let step = |event: char| {
            match event {
                'p' => drop(health.on_result(check, CheckResult::Passed)),
                'f' => drop(health.on_result(check, CheckResult::Unanswered)),
                call => {
                    let finding = observed.on_result(spec, call == '+');
                    if let Some(degrade) = finding.and_then(|f| f.degrade) {
                        health.on_traffic(check, degrade);
                    }
                }
            }
            if health.is_up(check) { 'U' } else { 'd' }
        };
        events.chars().map(step).collect()
    }

    #[test]
    fn a_501_and_a_505_are_good_answers_to_haproxy() {
        let good = |status| is_good(Layer::Layer7, Verdict::Answered { status, retried: false });
        assert_eq!([200, 404, 499, 501, 505].map(good), [Some(true); 5]);
        assert_eq!([500, 502, 503, 504, 507].map(good), [Some(false); 5]);
        let both = |verdict| [Layer::Layer7, Layer::Layer4].map(|layer| is_good(layer, verdict));
        assert_eq!(both(Verdict::Unreached), [Some(false), Some(true)]);
        assert_eq!(both(Verdict::Unconnected), [Some(false); 2]);
        assert_eq!(both(Verdict::Answered { status: 503, retried: false }), [Some(false), Some(true)]);
        assert_eq!(both(Verdict::Abandoned), [None; 2]);
    }

    #[test]
    fn haproxy_observe_conformance() {
        let check = HealthCheck::haproxy();
        let default = Observe::haproxy();
        assert_eq!((default.errors, default.on_error), (10, OnError::FailCheck));
        let two = |on_error| Observe { errors: 2, on_error, ..Observe::default() };
        for (spec, events, should_be) in [
            // Two errors count as one failed check; three of those, and the server is out.
            (two(OnError::FailCheck), "eeeeee", "UUUUUd"),
            // A good answer ends the row, a pass restores the credit.
            (two(OnError::FailCheck), "ee+e+e+eepee", "UUUUUUUUUUUU"),
            (two(OnError::FailCheck), "eeff", "UUUd"),
            // After the row one failure is left, of a check or of a row.
            (two(OnError::SuddenDeath), "eef", "UUd"),
            (two(OnError::SuddenDeath), "eeee", "UUUd"),
            (two(OnError::SuddenDeath), "eepff", "UUUUU"),
            (two(OnError::MarkDown), "e+ee", "UUUd"),
            (two(OnError::MarkDown), "eepp", "UddU"),
            // Errors of calls under way when it left start recovery over.
            (two(OnError::FailCheck), "fffpeepp", "UUdddddU"),
            (two(OnError::Fastinter), "eeeeeeee", "UUUUUUUU"),
            (default.clone(), "eeeeeeeeeff", "UUUUUUUUUUU"),
            (default, "eeeeeeeeeeff", "UUUUUUUUUUUd"),
        ] {
            assert_eq!(row(&check, &spec, events), should_be, "{events} with {spec:?}");
        }
    }
}
