//! Connections are cut in use: the open ones at the onset, each new one at its first query.

use super::{Severity, StoreKnobs};

/// Lays the mode on.
pub fn modify(knobs: &mut StoreKnobs, _: Severity) {
    knobs.severs = true;
}
