//! The process is stopped: the operating system accepts connections for it, nothing is answered.

use super::{Connects, Severity, StoreKnobs};

/// Lays the mode on.
pub fn modify(knobs: &mut StoreKnobs, _: Severity) {
    knobs.hangs = true;
    knobs.connects = knobs.connects.max(Connects::Unanswered);
}
