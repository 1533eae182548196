//! The process is stopped: the operating system accepts connections for it, nothing is answered.

use super::{Class, Connects, Course, FaultKind, StoreKnobs, Target};
use crate::setting::{Name, always};
use crate::settings;

settings! {
    /// A store that is stopped.
    pub struct Hang {
        /// The store.
        pub store (required): Name = Name::default() => always;
    }
}

impl FaultKind for Hang {
    const WORD: &'static str = "hang";
    const DOC: &'static str = "Stopped: connections open, nothing is answered until it resumes; what had been sent is \
                               then executed.";
    const CLASS: Class = Class::Store;
    const COURSE: Course = Course::OnOff;
    const COUNTS: &'static str = "connects and queries left unanswered";
    const EXAMPLE: &'static str = "store = \"my-store\"";

    fn target(&self) -> Target<'_> {
        Target::Store(&self.store)
    }
    fn on_store(&self, knobs: &mut StoreKnobs, _: f64) {
        knobs.hangs = true;
        knobs.connects = knobs.connects.max(Connects::Unanswered);
    }
}
