//! The spare is promoted, though the primary may be sound: an operator's switch, or a watcher that is wrong.

use super::{Class, Connects, Course, FaultKind, Onset, StoreKnobs, Target};
use crate::setting::{Name, Problem, always};
use crate::settings;
use crate::spec::WorldSpec;

settings! {
    /// A store whose spare is promoted.
    pub struct Failover {
        /// The store; it needs a `spare`.
        pub store (required): Name = Name::default() => always;
    }
}

impl FaultKind for Failover {
    const WORD: &'static str = "failover";
    const DOC: &'static str = "Its spare is promoted at once, whatever state the primary is in: connections are cut \
                               and refused until the promotion is done, and writes that the spare does not have are \
                               lost. It is over when the spare serves, and does nothing after an earlier promotion.";
    const CLASS: Class = Class::Store;
    const COURSE: Course = Course::Job;
    const COUNTS: &'static str = "connects and queries refused, and connections closed";
    const EXAMPLE: &'static str = "store = \"my-store\"";

    fn target(&self) -> Target<'_> {
        Target::Store(&self.store)
    }
    fn onset(&self) -> Onset {
        Onset::Promote
    }
    fn problems(&self, world: &WorldSpec, found: &mut Vec<Problem>) {
        if world.stores.get(&self.store.text).is_some_and(|store| store.spare.is_none()) {
            let message = format!("`{}` has no spare to promote", self.store.text);
            let help = Some(format!("[stores.{}.spare] says how long it takes", self.store.text));
            found.push(Problem { span: self.store.span, message, help });
        }
    }
    fn on_store(&self, knobs: &mut StoreKnobs, _: f64) {
        knobs.connects = Connects::Refused;
    }
}
