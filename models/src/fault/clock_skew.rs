//! Processes whose clock runs fast or slow, and with it all of their timers.

use super::{Class, Course, FaultKind, Range, ServerKnobs, Severity, Target, Which};
use crate::setting::{Name, always};
use crate::settings;

settings! {
    /// Processes whose timers are wrong.
    pub struct ClockSkew {
        /// The fleet.
        pub fleet (required): Name = Name::default() => always;
        /// Which of its servers: "all", so many of them ("25%" or a count; the first ones), or a list of names.
        pub servers: Which = Which::All => always;
        /// How fast their clock runs: 2 makes a timeout of 10 s go off after 5 s, 0.5 after 20 s.
        pub rate: f64 = 2.0, 0.001 ..= 1000 => always;
    }
}

impl FaultKind for ClockSkew {
    const WORD: &'static str = "clock-skew";
    const DOC: &'static str = "The clock of the processes runs fast or slow, and with it every timer that is \
                               set meanwhile: deadlines, connect and query timeouts, waits for a bulkhead, \
                               pauses before another try. Cached checks come by that clock too, and at their \
                               own period again when it ends. Of several such faults the strongest counts. \
                               Timers keep three digits.";
    const CLASS: Class = Class::Server;
    const COURSE: Course = Course::OnOff;
    const COUNTS: &'static str = "timers set wrong";
    const SEVERITIES: &'static [Severity] = &[Severity { key: "rate", range: Range::Factor(1.1, 100.0) }];
    const EXAMPLE: &'static str = "fleet = \"my-fleet\"\nrate = 10.0";

    fn target(&self) -> Target<'_> {
        Target::Servers { fleet: &self.fleet, which: &self.servers }
    }
    fn on_server(&self, knobs: &mut ServerKnobs, _: f64) {
        let strength = |rate: f64| libm::log(rate).abs();
        if strength(self.rate) > strength(knobs.clock) {
            knobs.clock = self.rate;
        }
    }
}
