//! A share of queries gets an error; two such faults fail what either would.

use super::{Severity, StoreKnobs};

/// Lays the mode on.
pub fn modify(knobs: &mut StoreKnobs, severity: Severity) {
    knobs.error_share = 1.0 - (1.0 - knobs.error_share) * (1.0 - severity.share);
}
