//! Processes die at once; their supervisor starts them again as the fleet says under `restart`.

use super::{Class, Course, FaultKind, Onset, Target, Which};
use crate::setting::{Name, always};
use crate::settings;

settings! {
    /// Processes that die.
    pub struct Crash {
        /// The fleet.
        pub fleet (required): Name = Name::default() => always;
        /// Which of its servers: "all", so many of them ("25%" or a count; the first ones), or a list of names.
        pub servers: Which = Which::All => always;
    }
}

impl FaultKind for Crash {
    const WORD: &'static str = "crash";
    const DOC: &'static str = "The processes die at once, with everything that they had; the supervisor starts them \
                               again as the fleet's `restart` says.";
    const CLASS: Class = Class::Server;
    const COURSE: Course = Course::Instant;
    const COUNTS: &'static str = "processes killed";
    const EXAMPLE: &'static str = "fleet = \"my-fleet\"\nservers = 2";

    fn target(&self) -> Target<'_> {
        Target::Servers { fleet: &self.fleet, which: &self.servers }
    }
    fn onset(&self) -> Onset {
        Onset::Kill
    }
}
