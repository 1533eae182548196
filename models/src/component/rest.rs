//! Whether a world is at rest, as if nothing had ever happened: what has come and gone must leave nothing behind.

use crate::component::probe::Checker;
use crate::units::Ns;
use crate::world::{Purpose, World};

/// What of these is so.
pub(crate) fn which<const N: usize>(all: [(bool, &'static str); N]) -> Vec<&'static str> {
    all.into_iter().filter(|(is, _)| *is).map(|(_, what)| what).collect()
}

impl World {
    /// What is left of the past some time after the last call, in words; empty for a world at rest. Every fault must be
    /// gone, every connection and queue accounted for, every server up and in rotation, and whatever is done now and then
    /// must still be done. Health checks and their queries under way are no leftovers; nor is what protections and passive checks have
    /// learnt, or a spare that has been promoted.
    pub fn leftovers(&self, now: Ns) -> Vec<String> {
        let mut out: Vec<String> = self.left_in_common(now).iter().map(ToString::to_string).collect();
        let mut of = |name: &str, left: Vec<&str>| out.extend(left.iter().map(|what| format!("{name}: {what}")));
        for ((name, _), population) in self.spec.clients.iter().zip(&self.populations) {
            of(name, population.leftovers());
        }
        for (at, name) in self.server_names().iter().enumerate() {
            let fleet = &self.spec.fleets.0[self.servers[at].fleet as usize].1;
            of(name, self.servers[at].leftovers(fleet));
            let up = self.backends[self.servers[at].fleet as usize].members.is_in_rotation(at as u32);
            of(name, which([(!up, "it is out of rotation")]));
            of(name, self.checkers[at].leftovers(&self.backends[self.servers[at].fleet as usize].balancer.health, now));
            of(name, which([(self.connections[at] > 0, "the balancer counts a connection to it")]));
        }
        for (at, (name, _)) in self.spec.stores.iter().enumerate() {
            let open =
                self.servers.iter().flat_map(|server| server.pools_to(at as u16)).map(|pool| pool.at_store).sum();
            of(name, self.stores[at].leftovers(open, self.queries.len()));
        }
        out
    }

    fn left_in_common(&self, now: Ns) -> Vec<&'static str> {
        let checks = self.tries.iter().filter(|t| matches!(t.purpose, Purpose::Check(_) | Purpose::Background)).count();
        which([
            (!self.is_sound(), "a fault is in force"),
            (!self.trouble.is_at_rest(), "a message is held up"),
            (self.awaits_requests(now), "a request is awaited"),
            (!self.operators.is_at_rest(), "an entry of the timeline is under way"),
            (!self.calls.is_empty(), "a call is under way"),
            (self.tries.len() > checks, "a try is under way"),
            (self.queries.len() > checks, "a store has a query"),
            (self.backends.iter().any(|b| b.queued > 0), "a call queues at the balancer"),
            (self.backends.iter().any(|b| !b.is_idle()), "the balancer counts calls or retries under way"),
            (
                self.backends.iter().any(|b| b.members.let_in() < b.members.servers().len()),
                "a server is not to be chosen",
            ),
            (self.backends.iter().any(|b| b.members.in_rotation() < b.members.let_in()), "a server is out of rotation"),
        ])
    }

    /// How many checks have been made of each server so far.
    pub fn checks_made(&self) -> Vec<u32> {
        self.checkers.iter().map(Checker::made).collect()
    }
}
