//! Connections are cut: those that are open at once, new ones at their first query. PostgreSQL starting up does so.

use super::{Class, Course, FaultKind, Onset, StoreKnobs, Target};
use crate::setting::{Name, always};
use crate::settings;

settings! {
    /// A store that cuts connections.
    pub struct Sever {
        /// The store.
        pub store (required): Name = Name::default() => always;
    }
}

impl FaultKind for Sever {
    const WORD: &'static str = "sever";
    const DOC: &'static str = "Open connections are cut, and each new one is cut at its first query (PostgreSQL starting \
                               up or in recovery).";
    const CLASS: Class = Class::Store;
    const COURSE: Course = Course::OnOff;
    const COUNTS: &'static str = "connections cut, idle or with a query";
    const EXAMPLE: &'static str = "store = \"my-store\"";

    fn target(&self) -> Target<'_> {
        Target::Store(&self.store)
    }
    fn onset(&self) -> Onset {
        Onset::CutConnections
    }
    fn on_store(&self, knobs: &mut StoreKnobs, _: f64) {
        knobs.severs = true;
    }
}
