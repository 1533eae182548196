//! A share of queries gets an error in place of a result; two such shares fail what either would fail.

use super::{Class, Course, FaultKind, Range, Severity, StoreKnobs, Target};
use crate::setting::{Name, always};
use crate::settings;
use crate::units::Share;

settings! {
    /// A store that fails queries.
    pub struct Error {
        /// The store.
        pub store (required): Name = Name::default() => always;
        /// Share of queries that fail.
        pub share: Share = Share(1.0) => always;
    }
}

impl FaultKind for Error {
    const WORD: &'static str = "error";
    const DOC: &'static str =
        "A share of queries gets an error in place of a result, after the time that serving them takes.";
    const CLASS: Class = Class::Store;
    const COURSE: Course = Course::Gradual;
    const COUNTS: &'static str = "queries that got an error";
    const SEVERITIES: &'static [Severity] = &[Severity { key: "share", range: Range::Share(0.02, 1.0) }];
    const EXAMPLE: &'static str = "store = \"my-store\"\nshare = \"30%\"";

    fn target(&self) -> Target<'_> {
        Target::Store(&self.store)
    }
    fn on_store(&self, knobs: &mut StoreKnobs, level: f64) {
        knobs.error_share = 1.0 - (1.0 - knobs.error_share) * (1.0 - self.share.0 * level);
    }
}
