//! Service times grow by a factor; two such faults multiply.

use super::{Severity, StoreKnobs};

/// Lays the mode on.
pub fn modify(knobs: &mut StoreKnobs, severity: Severity) {
    knobs.slow *= severity.factor;
}
