//! The limit on connections falls: what is idle above it is closed, one more is refused.

use super::{Class, Course, FaultKind, Onset, Range, Severity, StoreKnobs, Target};
use crate::setting::{Name, always};
use crate::settings;

settings! {
    /// A store that takes fewer connections.
    pub struct ConnectionLimit {
        /// The store.
        pub store (required): Name = Name::default() => always;
        /// Connections that it takes while the fault lasts.
        pub to (required): u32 = 10, 0 ..= 10000000 => always;
    }
}

impl FaultKind for ConnectionLimit {
    const WORD: &'static str = "connection-limit";
    const DOC: &'static str = "It takes fewer connections than before: idle ones above the limit are closed, those \
                               in use when their query is done, and one more is refused at once (a limit lowered by \
                               mistake, a pooler that is full).";
    const CLASS: Class = Class::Store;
    const COURSE: Course = Course::OnOff;
    const COUNTS: &'static str = "connects refused, and connections closed";
    const SEVERITIES: &'static [Severity] = &[Severity { key: "to", range: Range::Count(50, 1) }];
    const EXAMPLE: &'static str = "store = \"my-store\"\nto = 5";

    fn target(&self) -> Target<'_> {
        Target::Store(&self.store)
    }
    fn onset(&self) -> Onset {
        Onset::CloseIdle
    }
    fn on_store(&self, knobs: &mut StoreKnobs, _: f64) {
        knobs.connections = Some(knobs.connections.map_or(self.to, |most| most.min(self.to)));
    }
}
