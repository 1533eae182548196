//! The knobs that faults turn: what each part of the world does at present.

use super::{BadAnswer, Fault};
use crate::units::Ns;

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
    /// Most connections, if that is fewer than its own limit.
    pub connections: Option<u32>,
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
            connections: None,
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

    /// Whether a watcher outside finds it dead: no connection, no answer, or no write taken. Being
    /// slow, or failing in part, is none of these.
    pub fn is_down(&self) -> bool {
        self.connects != Connects::Accepted
            || self.hangs
            || self.severs
            || self.refuses_writes
            || self.error_share >= 1.0
    }
}

/// What a server's process does at present.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ServerKnobs {
    /// Whether it stands still.
    pub still: bool,
    /// Factor on computing times.
    pub slow: f64,
    /// What it answers a share of calls with in place of doing them.
    pub bad: Option<BadAnswer>,
    /// After how long a process that has started dies.
    pub dies_after: Option<Ns>,
    /// How fast its clock runs.
    pub clock: f64,
}

impl Default for ServerKnobs {
    fn default() -> Self {
        ServerKnobs { still: false, slow: 1.0, bad: None, dies_after: None, clock: 1.0 }
    }
}

impl Knobs for ServerKnobs {
    fn lay(&mut self, fault: &Fault, level: f64) {
        fault.on_server(self, level);
    }
}

/// What a link does to messages at present; outward is away from the clients.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub struct LinkKnobs {
    /// How much longer each message takes.
    pub add: Ns,
    /// Up to so much longer still, at random.
    pub jitter: Ns,
    /// Share of outward messages that are lost.
    pub loss_outward: f64,
    /// Share of messages on the way back that are lost.
    pub loss_back: f64,
    /// Share of answers in whose place a reset arrives.
    pub resets: f64,
}

impl LinkKnobs {
    /// A share of messages more is lost, in these directions.
    pub fn lose(&mut self, share: f64, outward: bool, back: bool) {
        let more = |lost: f64| 1.0 - (1.0 - lost) * (1.0 - share);
        if outward {
            self.loss_outward = more(self.loss_outward);
        }
        if back {
            self.loss_back = more(self.loss_back);
        }
    }
}

impl Knobs for LinkKnobs {
    fn lay(&mut self, fault: &Fault, level: f64) {
        fault.on_link(self, level);
    }
}

/// What the balancer does at present.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct BalancerKnobs {
    /// Whether it makes no checks.
    pub checks_stopped: bool,
    /// Checkers beside its own.
    pub more_checkers: u32,
}

impl Knobs for BalancerKnobs {
    fn lay(&mut self, fault: &Fault, level: f64) {
        fault.on_balancer(self, level);
    }
}

/// What a population of clients does at present.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub struct ClientKnobs {
    /// Calls on top, as a multiple of its own.
    pub surge: f64,
    /// Further attempts and the pause before each, in place of the population's policy.
    pub storm: Option<(u32, Ns)>,
    /// Whether some of its calls become another population's.
    pub shifts: bool,
}

impl Knobs for ClientKnobs {
    fn lay(&mut self, fault: &Fault, level: f64) {
        fault.on_clients(self, level);
    }
}
