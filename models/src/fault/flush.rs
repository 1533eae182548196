//! A cache loses everything that it has: a `flush_all`, a node that is exchanged for an empty one.

use super::{Class, Course, FaultKind, Onset, Target};
use crate::setting::{Name, Problem, always};
use crate::settings;
use crate::spec::WorldSpec;

settings! {
    /// A cache that is emptied.
    pub struct Flush {
        /// The store; it needs a `cache`.
        pub store (required): Name = Name::default() => always;
    }
}

impl FaultKind for Flush {
    const WORD: &'static str = "flush";
    const DOC: &'static str =
        "A cache loses every entry at once, and fills again from the store behind it, call by call.";
    const CLASS: Class = Class::Store;
    const COURSE: Course = Course::Instant;
    const COUNTS: &'static str = "entries lost";
    const EXAMPLE: &'static str = "store = \"my-cache\"";

    fn target(&self) -> Target<'_> {
        Target::Store(&self.store)
    }
    fn onset(&self) -> Onset {
        Onset::Flush
    }
    fn problems(&self, world: &WorldSpec, found: &mut Vec<Problem>) {
        if world.stores.get(&self.store.text).is_some_and(|store| store.cache.is_none()) {
            let message = format!("`{}` is no cache: there is nothing to flush", self.store.text);
            let help = Some(format!("[stores.{}.cache] says what it is a cache of", self.store.text));
            found.push(Problem { span: self.store.span, message, help });
        }
    }
}
