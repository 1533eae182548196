//! The process is gone: open connections are closed, and the operating system refuses new ones at once.

use super::{Class, Connects, Course, FaultKind, Onset, StoreKnobs, Target};
use crate::setting::{Name, always};
use crate::settings;

settings! {
    /// A store that is shut down.
    pub struct Refuse {
        /// The store.
        pub store (required): Name = Name::default() => always;
    }
}

impl FaultKind for Refuse {
    const WORD: &'static str = "refuse";
    const DOC: &'static str = "Shut down: open connections are closed, new ones refused at once.";
    const CLASS: Class = Class::Store;
    const COURSE: Course = Course::OnOff;
    const COUNTS: &'static str = "connects and queries refused, and connections closed";
    const EXAMPLE: &'static str = "store = \"my-store\"";

    fn target(&self) -> Target<'_> {
        Target::Store(&self.store)
    }
    fn onset(&self) -> Onset {
        Onset::CutConnections
    }
    fn on_store(&self, knobs: &mut StoreKnobs, _: f64) {
        knobs.connects = Connects::Refused;
    }
}
