//! Workers (or cores of an event loop) are lost one after another: a deadlock, a call without a timeout.

use super::{Class, Course, FaultKind, Leak, Onset, Range, Severity, Target, Which};
use crate::setting::{Name, always};
use crate::settings;
use crate::units::Ns;

settings! {
    /// Processes that lose workers.
    pub struct WorkerLeak {
        /// The fleet.
        pub fleet (required): Name = Name::default() => always;
        /// Which of its servers: "all", so many of them ("25%" or a count; the first ones), or a list of names.
        pub servers: Which = Which::All => always;
        /// How often each process loses one. (time)
        pub every: Ns = Ns::secs(10), "1ms" ..= "24h" => always;
    }
}

impl FaultKind for WorkerLeak {
    const WORD: &'static str = "worker-leak";
    const DOC: &'static str = "Each process loses a worker (or a core of its event loop) now and then, until \
                               none is left; a process that starts afresh has all of them. When it ends, those \
                               that it has taken are back (a deadlock, a call without a timeout).";
    const CLASS: Class = Class::Server;
    const COURSE: Course = Course::OnOff;
    const COUNTS: &'static str = "workers lost";
    const SEVERITIES: &'static [Severity] =
        &[Severity { key: "every", range: Range::Time(Ns::secs(60), Ns::millis(200)) }];
    const EXAMPLE: &'static str = "fleet = \"my-fleet\"\nevery = \"2s\"";

    fn target(&self) -> Target<'_> {
        Target::Servers { fleet: &self.fleet, which: &self.servers }
    }
    fn onset(&self) -> Onset {
        Onset::Leak(Leak::Worker(self.every))
    }
}
