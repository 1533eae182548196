//! Memory is never given back, until the heap limit kills the process.

use super::{Class, Course, FaultKind, Leak, Onset, Range, Severity, Target, Which};
use crate::setting::{Name, Problem, always};
use crate::settings;
use crate::spec::WorldSpec;
use crate::units::Bytes;

settings! {
    /// Processes that lose memory.
    pub struct MemoryLeak {
        /// The fleet.
        pub fleet (required): Name = Name::default() => always;
        /// Which of its servers: "all", so many of them ("25%" or a count; the first ones), or a list of names.
        pub servers: Which = Which::All => always;
        /// How much each process loses in a second. (size)
        pub per_second: Bytes = Bytes(10_000_000) => always;
    }
}

impl FaultKind for MemoryLeak {
    const WORD: &'static str = "memory-leak";
    const DOC: &'static str = "Each process loses memory every second, beside what its pending calls hold; at \
                               the fleet's `heap_limit` it dies, and starts afresh with none lost. When it \
                               ends, what it has taken is free again.";
    const CLASS: Class = Class::Server;
    const COURSE: Course = Course::OnOff;
    const COUNTS: &'static str = "processes killed at their heap limit";
    const SEVERITIES: &'static [Severity] =
        &[Severity { key: "per_second", range: Range::Size(1_000_000, 1_000_000_000) }];
    const EXAMPLE: &'static str = "fleet = \"my-fleet\"\nper_second = \"20MB\"";

    fn target(&self) -> Target<'_> {
        Target::Servers { fleet: &self.fleet, which: &self.servers }
    }
    fn onset(&self) -> Onset {
        Onset::Leak(Leak::Memory(self.per_second))
    }
    fn problems(&self, world: &WorldSpec, found: &mut Vec<Problem>) {
        let fleet = world.fleets.get(&self.fleet.text);
        if fleet.is_some_and(|fleet| fleet.heap_limit == Bytes::UNLIMITED) {
            let message = format!("`{}` has no heap limit that a leak could reach", self.fleet.text);
            let help = Some(format!("fleets.{}.heap_limit = \"1GB\"", self.fleet.text));
            found.push(Problem { span: self.fleet.span, message, help });
        }
    }
}
