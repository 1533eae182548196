//! What every kind of fault says of itself.

use super::{BalancerKnobs, ClientKnobs, LinkKnobs, ServerKnobs, Severity, StoreKnobs, Target};
use crate::setting::{Problem, Settings};
use crate::spec::WorldSpec;
use crate::units::{Bytes, Ns};

/// What a kind of fault is aimed at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Class {
    /// A store.
    Store,
    /// Servers of a fleet.
    Server,
    /// The link between two parts.
    Link,
    /// The balancer.
    Balancer,
    /// Populations of clients.
    Clients,
}

impl Class {
    /// Every class, in the order of the documentation.
    pub const ALL: &'static [Class] = &[Class::Store, Class::Server, Class::Link, Class::Balancer, Class::Clients];

    /// Its name in headings.
    pub const fn name(self) -> &'static str {
        match self {
            Class::Store => "stores",
            Class::Server => "servers",
            Class::Link => "links",
            Class::Balancer => "the balancer",
            Class::Clients => "clients",
        }
    }
}

/// How a fault is in force.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Course {
    /// It strikes once and leaves nothing in force: no `for`, no `ramp`.
    Instant,
    /// It is in force, or not: `for`, but no `ramp`.
    OnOff,
    /// It is in force to a degree: `for` and `ramp`.
    Gradual,
    /// It takes as long as it takes and comes once: no `for`, no `ramp`, no `repeat`.
    Job,
}

impl Course {
    /// Whether its end comes by itself.
    pub fn ends_itself(self) -> bool {
        matches!(self, Course::Instant | Course::Job)
    }
}

/// What the beginning of a fault does at once, beyond what its knobs say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Onset {
    /// Nothing.
    Nothing,
    /// The connections that are open to a store are cut.
    CutConnections,
    /// Idle connections to a store are closed down to its limit.
    CloseIdle,
    /// A store's spare is promoted.
    Promote,
    /// A cache loses what it has.
    Flush,
    /// Processes die.
    Kill,
    /// Processes begin to lose something.
    Leak(Leak),
    /// Servers are replaced in turn.
    Deploy,
    /// The balancer forgets what it has learnt of its servers.
    ForgetHealth,
}

/// What a process loses while it runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leak {
    /// A worker, each time that so long has passed.
    Worker(Ns),
    /// So much memory each second.
    Memory(Bytes),
}

/// One kind of fault: its keys, its words, its target, and what it does to that.
pub trait FaultKind: Settings + Default {
    /// The word that a file uses after `do`; the name of its source file with dashes.
    const WORD: &'static str;
    /// What it is, and of which real thing it is the model.
    const DOC: &'static str;
    /// What it is aimed at.
    const CLASS: Class;
    /// How it is in force.
    const COURSE: Course;
    /// What is counted as its effects: "queries that got an error".
    const COUNTS: &'static str;
    /// What makes it mild or extreme.
    const SEVERITIES: &'static [Severity] = &[];
    /// The keys of an example, as lines of TOML.
    const EXAMPLE: &'static str;

    /// What it is aimed at.
    fn target(&self) -> Target<'_>;
    /// What its beginning does at once.
    fn onset(&self) -> Onset {
        Onset::Nothing
    }
    /// What else must hold in a world that has it; the target is there.
    fn problems(&self, _world: &WorldSpec, _found: &mut Vec<Problem>) {}
    /// Lays it on a store.
    fn on_store(&self, _knobs: &mut StoreKnobs, _level: f64) {}
    /// Lays it on a server.
    fn on_server(&self, _knobs: &mut ServerKnobs, _level: f64) {}
    /// Lays it on a link.
    fn on_link(&self, _knobs: &mut LinkKnobs, _level: f64) {}
    /// Lays it on the balancer.
    fn on_balancer(&self, _knobs: &mut BalancerKnobs, _level: f64) {}
    /// Lays it on a population of clients.
    fn on_clients(&self, _knobs: &mut ClientKnobs, _level: f64) {}
}
