//! Processes stand still and resume: SIGSTOP, a machine frozen by its hypervisor, a long garbage collection.

use super::{Class, Course, FaultKind, ServerKnobs, Target, Which};
use crate::setting::{Name, always};
use crate::settings;

settings! {
    /// Processes that stand still.
    pub struct Pause {
        /// The fleet.
        pub fleet (required): Name = Name::default() => always;
        /// Which of its servers: "all", so many of them ("25%" or a count; the first ones), or a list of names.
        pub servers: Which = Which::All => always;
    }
}

impl FaultKind for Pause {
    const WORD: &'static str = "pause";
    const DOC: &'static str = "The processes stop, the operating system's kernel goes on: it accepts \
                               connections up to the backlog, nothing is answered, no timer of the process goes \
                               off. A process that is started meanwhile stands still as soon as it listens. \
                               When it ends, what has piled up is dealt with in its order (SIGSTOP, a frozen \
                               virtual machine, a long garbage collection).";
    const CLASS: Class = Class::Server;
    const COURSE: Course = Course::OnOff;
    const COUNTS: &'static str = "connects and messages that reached a process that stood still";
    const EXAMPLE: &'static str = "fleet = \"my-fleet\"\nservers = [\"my-fleet-1\"]";

    fn target(&self) -> Target<'_> {
        Target::Servers { fleet: &self.fleet, which: &self.servers }
    }
    fn on_server(&self, knobs: &mut ServerKnobs, _: f64) {
        knobs.still = true;
    }
}
