//! Statements that write get an error; reads are served. PostgreSQL does so one million ids before wraparound.

use super::{Class, Course, FaultKind, StoreKnobs, Target};
use crate::setting::{Name, always};
use crate::settings;

settings! {
    /// A store that takes no writes.
    pub struct RefuseWrites {
        /// The store.
        pub store (required): Name = Name::default() => always;
    }
}

impl FaultKind for RefuseWrites {
    const WORD: &'static str = "refuse-writes";
    const DOC: &'static str = "Statements that write get an error, after the time that serving them takes; reads are served (PostgreSQL out of \
         transaction ids).";
    const CLASS: Class = Class::Store;
    const COURSE: Course = Course::OnOff;
    const COUNTS: &'static str = "writes that got an error";
    const EXAMPLE: &'static str = "store = \"my-store\"";

    fn target(&self) -> Target<'_> {
        Target::Store(&self.store)
    }
    fn on_store(&self, knobs: &mut StoreKnobs, _: f64) {
        knobs.refuses_writes = true;
    }
}
