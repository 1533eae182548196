//! Service times grow by a factor; two such faults multiply.

use super::{Class, Course, FaultKind, Range, Severity, StoreKnobs, Target};
use crate::setting::{Name, always};
use crate::settings;

settings! {
    /// A store that is slow.
    pub struct Slow {
        /// The store.
        pub store (required): Name = Name::default() => always;
        /// Factor on service times.
        pub factor: f64 = 10.0, 0 ..= 1000000 => always;
    }
}

impl FaultKind for Slow {
    const WORD: &'static str = "slow";
    const DOC: &'static str = "Service times grow by a factor.";
    const CLASS: Class = Class::Store;
    const COURSE: Course = Course::Gradual;
    const COUNTS: &'static str = "queries begun at another speed";
    const SEVERITIES: &'static [Severity] = &[Severity { key: "factor", range: Range::Factor(1.5, 1000.0) }];
    const EXAMPLE: &'static str = "store = \"my-store\"\nfactor = 20.0";

    fn target(&self) -> Target<'_> {
        Target::Store(&self.store)
    }
    fn on_store(&self, knobs: &mut StoreKnobs, level: f64) {
        knobs.slow *= 1.0 + (self.factor - 1.0) * level;
    }
}
