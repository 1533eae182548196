//! Outage modes of a store, as modifiers stacked on typed knobs.
//!
//! Each mode is one file with one function from knobs to knobs, and one line in [`Mode`]. Any number may be
//! active at once: they compose, and when one ends the store behaves as the others say.

mod error;
mod hang;
mod refuse;
mod refuse_writes;
mod sever;
mod slow;

use crate::choices;

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

impl StoreKnobs {
    /// Whether some calls cannot be served: the store is in an outage.
    pub fn is_outage(&self) -> bool {
        *self != StoreKnobs::default()
    }
}

impl StoreKnobs {
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

choices! {
    /// How a store can be out of service.
    pub enum Mode = Refuse {
        /// Statements that write get an error at once, reads are served (PostgreSQL out of transaction ids).
        RefuseWrites = "refuse-writes",
        /// A share of queries gets an error at once.
        Error = "error",
        /// Shut down: open connections are closed, new ones refused at once.
        Refuse = "refuse",
        /// Stopped: connections open, nothing is answered until it resumes; what had been sent is then executed.
        Hang = "hang",
        /// Open connections are cut, and each new one is cut at its first query (PostgreSQL starting up or in recovery).
        Sever = "sever",
        /// Service times grow by a factor.
        Slow = "slow",
    }
}

/// How bad a fault is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Severity {
    /// Factor on service times, for `slow`.
    pub factor: f64,
    /// Share of queries, for `error`.
    pub share: f64,
}

impl Mode {
    /// The knobs with this mode on top.
    pub fn modify(self, knobs: &mut StoreKnobs, severity: Severity) {
        match self {
            Mode::RefuseWrites => refuse_writes::modify(knobs, severity),
            Mode::Error => error::modify(knobs, severity),
            Mode::Refuse => refuse::modify(knobs, severity),
            Mode::Hang => hang::modify(knobs, severity),
            Mode::Sever => sever::modify(knobs, severity),
            Mode::Slow => slow::modify(knobs, severity),
        }
    }

    /// Whether its onset closes the connections that are open.
    pub fn cuts_open_connections(self) -> bool {
        matches!(self, Mode::Refuse | Mode::Sever)
    }
}

/// Modifiers in force, by the ticket under which each was laid on.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Stack {
    active: Vec<(u32, Mode, Severity)>,
    next: u32,
}

impl Stack {
    /// Lays a mode on; the ticket takes it off again.
    pub fn push(&mut self, mode: Mode, severity: Severity) -> u32 {
        let ticket = self.next;
        self.next += 1;
        self.active.push((ticket, mode, severity));
        ticket
    }

    /// Takes one off; nothing happens if it is off already.
    pub fn remove(&mut self, ticket: u32) {
        self.active.retain(|(t, ..)| *t != ticket);
    }

    /// Takes all off but one.
    pub fn keep_only(&mut self, ticket: Option<u32>) {
        self.active.retain(|(t, ..)| Some(*t) == ticket);
    }

    /// The modes in force, oldest first.
    pub fn modes(&self) -> impl Iterator<Item = Mode> {
        self.active.iter().map(|(_, mode, _)| *mode)
    }

    /// What they make of a healthy store.
    pub fn knobs(&self) -> StoreKnobs {
        let mut knobs = StoreKnobs::default();
        for (_, mode, severity) in &self.active {
            mode.modify(&mut knobs, *severity);
        }
        knobs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILD: Severity = Severity { factor: 3.0, share: 0.5 };

    #[test]
    fn every_mode_does_something_and_its_end_ends_it() {
        for mode in Mode::ALL {
            let mut stack = Stack::default();
            let ticket = stack.push(*mode, MILD);
            assert!(stack.knobs().is_outage(), "{mode:?} changes nothing");
            stack.remove(ticket);
            assert_eq!(stack.knobs(), StoreKnobs::default(), "{mode:?} leaves something behind");
        }
    }

    #[test]
    fn overlapping_faults_compose_and_end_in_any_order() {
        let mut stack = Stack::default();
        let slow = stack.push(Mode::Slow, MILD);
        let refuse = stack.push(Mode::Refuse, MILD);
        stack.push(Mode::Slow, MILD);
        assert_eq!((stack.knobs().slow, stack.knobs().connects), (9.0, Connects::Refused));
        stack.remove(slow);
        assert_eq!((stack.knobs().slow, stack.knobs().connects), (3.0, Connects::Refused));
        stack.remove(refuse);
        assert_eq!(stack.knobs(), StoreKnobs { slow: 3.0, ..StoreKnobs::default() });
    }

    #[test]
    fn two_error_shares_fail_whatever_either_would_fail() {
        let mut stack = Stack::default();
        stack.push(Mode::Error, MILD);
        stack.push(Mode::Error, MILD);
        assert_eq!(stack.knobs().error_share, 0.75);
    }
}
