//! The store is shut down: new connections are refused. (Open ones are closed at the onset.)

use super::{Connects, Severity, StoreKnobs};

/// Lays the mode on.
pub fn modify(knobs: &mut StoreKnobs, _: Severity) {
    knobs.connects = Connects::Refused;
}
