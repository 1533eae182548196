//! A new version goes out, some servers at a time: drained, stopped, started, let back.

use super::{Class, Course, FaultKind, Onset, Range, Severity, Target, Which};
use crate::setting::{Name, always};
use crate::settings;
use crate::units::Ns;

settings! {
    /// A deployment, some servers at a time.
    pub struct RollingDeploy {
        /// The fleet.
        pub fleet (required): Name = Name::default() => always;
        /// Which of its servers: "all", so many of them ("25%" or a count; the first ones), or a list of names.
        pub servers: Which = Which::All => always;
        /// Servers that are replaced at the same time.
        pub batch: u32 = 1, 1 ..= 100000 => always;
        /// From taking a server out of rotation to stopping its process; what it still has then is lost. (time)
        pub drain: Ns = Ns::secs(10), "0s" ..= "24h" => always;
        /// From letting a batch back to the next. (time)
        pub pause: Ns = Ns::secs(5), "0s" ..= "24h" => always;
    }
}

impl FaultKind for RollingDeploy {
    const WORD: &'static str = "rolling-deploy";
    const DOC: &'static str = "The servers are replaced some at a time: each batch is taken out of rotation, \
                               drained, stopped, started as the fleet's `restart` says, and let back, if its checks \
                               pass. It is over when the last is back.";
    const CLASS: Class = Class::Server;
    const COURSE: Course = Course::Job;
    const COUNTS: &'static str = "processes stopped";
    const SEVERITIES: &'static [Severity] = &[
        Severity { key: "batch", range: Range::Count(1, 100) },
        Severity { key: "drain", range: Range::Time(Ns::secs(20), Ns::millis(1)) },
    ];
    const EXAMPLE: &'static str = "fleet = \"my-fleet\"\nbatch = 2\ndrain = \"5s\"";

    fn target(&self) -> Target<'_> {
        Target::Servers { fleet: &self.fleet, which: &self.servers }
    }
    fn onset(&self) -> Onset {
        Onset::Deploy
    }
}
