//! Processes die, and die again some time after each start: a bad configuration, a poisoned input.

use super::{Class, Course, FaultKind, Onset, Range, ServerKnobs, Severity, Target, Which};
use crate::setting::{Name, always};
use crate::settings;
use crate::units::Ns;

settings! {
    /// Processes that die again and again.
    pub struct CrashLoop {
        /// The fleet.
        pub fleet (required): Name = Name::default() => always;
        /// Which of its servers: "all", so many of them ("25%" or a count; the first ones), or a list of names.
        pub servers: Which = Which::All => always;
        /// How long after each start. (time)
        pub after: Ns = Ns::secs(5), "1ms" ..= "24h" => always;
    }
}

impl FaultKind for CrashLoop {
    const WORD: &'static str = "crash-loop";
    const DOC: &'static str = "The processes die at once and again some time after each start; when it ends, the \
                               last start holds.";
    const CLASS: Class = Class::Server;
    const COURSE: Course = Course::OnOff;
    const COUNTS: &'static str = "deaths";
    const SEVERITIES: &'static [Severity] =
        &[Severity { key: "after", range: Range::Time(Ns::secs(60), Ns::millis(100)) }];
    const EXAMPLE: &'static str = "fleet = \"my-fleet\"\nservers = \"25%\"\nafter = \"3s\"";

    fn target(&self) -> Target<'_> {
        Target::Servers { fleet: &self.fleet, which: &self.servers }
    }
    fn onset(&self) -> Onset {
        Onset::Kill
    }
    fn on_server(&self, knobs: &mut ServerKnobs, _: f64) {
        knobs.dies_after = Some(knobs.dies_after.map_or(self.after, |after| after.min(self.after)));
    }
}
