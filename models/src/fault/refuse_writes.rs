//! Statements that write get an error at once; reads are served. PostgreSQL does so one million ids before wraparound.

use super::{Severity, StoreKnobs};

/// Lays the mode on.
pub fn modify(knobs: &mut StoreKnobs, _: Severity) {
    knobs.refuses_writes = true;
}
