//! More calls than the day's curve says.

use super::{Class, ClientKnobs, Course, FaultKind, Range, Severity, Target};
use crate::setting::{Name, always};
use crate::settings;

settings! {
    /// Clients that call more often.
    pub struct Surge {
        /// The population; none: all of them.
        pub clients: Option<Name> = None => always;
        /// Factor on the rate of calls.
        pub factor: f64 = 3.0, 1 ..= 1000 => always;
    }
}

impl FaultKind for Surge {
    const WORD: &'static str = "surge";
    const DOC: &'static str = "Calls arrive at several times their rate. The calls of the day are the same with \
                               it and without; those that come on top arrive at random, in bursts where the \
                               population calls in bursts, and with recorded calls at their times. They do not \
                               count among a population's `calls`, and come no more when those are made.";
    const CLASS: Class = Class::Clients;
    const COURSE: Course = Course::Gradual;
    const COUNTS: &'static str = "calls offered on top";
    const SEVERITIES: &'static [Severity] = &[Severity { key: "factor", range: Range::Factor(1.2, 20.0) }];
    const EXAMPLE: &'static str = "clients = \"my-clients\"\nfactor = 5.0";

    fn target(&self) -> Target<'_> {
        Target::Clients(self.clients.as_ref())
    }
    fn on_clients(&self, knobs: &mut ClientKnobs, level: f64) {
        knobs.surge += (self.factor - 1.0) * level;
    }
}
