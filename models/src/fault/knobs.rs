//! The knobs that faults turn: what each part of the world does at present.

use super::Fault;

/// What stacked faults make of a part of the world; the default is sound.
pub trait Knobs: Default {
    /// Lays a fault on top, at a level above 0 and up to 1.
    fn lay(&mut self, fault: &Fault, level: f64);
}

/// What a store does at present.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct StoreKnobs {
    /// What happens to a new connection.
    pub connects: Connects,
    /// Whether queries on open connections get no answer until the fault ends.
    pub hangs: bool,
    /// Whether a query gets its connection cut.
    pub severs: bool,
    /// Whether statements that write get an error.
    pub refuses_writes: bool,
    /// Share of queries that get an error.
    pub error_share: f64,
    /// Factor on service times.
    pub slow: f64,
}

/// What a store does with a new connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Connects {
    /// Serves it.
    Accepted,
    /// Accepts it and says nothing.
    Unanswered,
    /// Refuses it at once.
    Refused,
}

impl Default for StoreKnobs {
    fn default() -> Self {
        StoreKnobs {
            connects: Connects::Accepted,
            hangs: false,
            severs: false,
            refuses_writes: false,
            error_share: 0.0,
            slow: 1.0,
        }
    }
}

impl Knobs for StoreKnobs {
    fn lay(&mut self, fault: &Fault, level: f64) {
        fault.on_store(self, level);
    }
}

impl StoreKnobs {
    /// Whether some calls cannot be served: the store is in an outage.
    pub fn is_outage(&self) -> bool {
        *self != StoreKnobs::default()
    }

    /// Whether whoever watches it from outside finds it dead: no connection, no answer, or no write taken. Being
    /// slow, or failing in part, is none of these.
    pub fn is_down(&self) -> bool {
        self.connects != Connects::Accepted
            || self.hangs
            || self.severs
            || self.refuses_writes
            || self.error_share >= 1.0
    }
}
