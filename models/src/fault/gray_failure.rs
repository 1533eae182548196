//! Servers that work, but slowly, while their checks pass: a failing disk, a noisy neighbour, a throttled processor.

use super::{Class, Course, FaultKind, Range, ServerKnobs, Severity, Target, Which};
use crate::setting::{Name, always};
use crate::settings;

settings! {
    /// Servers that are slow.
    pub struct GrayFailure {
        /// The fleet.
        pub fleet (required): Name = Name::default() => always;
        /// Which of its servers: "all", so many of them ("25%" or a count; the first ones), or a list of names.
        pub servers: Which = Which::All => always;
        /// Factor on computing times, of work that begins while it lasts.
        pub factor: f64 = 10.0, 0.001 ..= 1000000 => always;
    }
}

impl FaultKind for GrayFailure {
    const WORD: &'static str = "gray-failure";
    const DOC: &'static str = "Computing takes longer by a factor; a check that a thread of its own answers notices \
                               nothing (a failing disk, a noisy neighbour, a throttled processor).";
    const CLASS: Class = Class::Server;
    const COURSE: Course = Course::Gradual;
    const COUNTS: &'static str = "calls and checks computed at another speed";
    const SEVERITIES: &'static [Severity] = &[Severity { key: "factor", range: Range::Factor(2.0, 1000.0) }];
    const EXAMPLE: &'static str = "fleet = \"my-fleet\"\nservers = 1\nfactor = 30.0";

    fn target(&self) -> Target<'_> {
        Target::Servers { fleet: &self.fleet, which: &self.servers }
    }
    fn on_server(&self, knobs: &mut ServerKnobs, level: f64) {
        knobs.slow *= 1.0 + (self.factor - 1.0) * level;
    }
}
