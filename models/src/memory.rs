//! How much memory a world takes: an estimate that is the same on every machine, and not less than what is taken.
//!
//! Everything that comes and goes lies in slabs and rings that grow to their largest size and keep it. So what a world
//! takes is worked out from how many entries there were at most, each with what it needs there and in the queues, twice:
//! a list has up to twice the room that it needs. Not counted is what does not grow with the run: servers, pools, plans.

use crate::world::World;

/// Bytes for a call alive, with its place in a spool, a client's own queue, and a list of writes to be replicated.
const CALL: u64 = 256;
/// Bytes for a try alive, with its places in queues and what is due for it.
const TRY: u64 = 480;
/// Bytes for a query, with its place in a store.
const QUERY: u64 = 192;
/// Bytes for a message that is held up.
const HELD: u64 = 256;
/// Bytes for a call in the balancer's log.
const LOGGED: u64 = 96;
/// Bytes for a time during which a fault was in force.
const SPELL: u64 = 96;

impl World {
    /// Bytes taken by what comes and goes, at most so far.
    pub fn memory(&self) -> u64 {
        let counted = [
            (self.calls.peak(), CALL),
            (self.tries.peak(), TRY),
            (self.queries.peak(), QUERY),
            (self.trouble.held_peak(), HELD),
            (self.operators.spells_in_all(), SPELL),
        ];
        counted.iter().map(|(n, bytes)| *n as u64 * bytes).sum::<u64>()
            + self.log.kept().sum::<u64>() * LOGGED
            + self.levels.memory()
    }

    /// Most bytes that one event can add: all calls of a burst, with the timers of each.
    pub fn memory_of_a_burst(&self) -> u64 {
        let bursts = self.spec.clients.iter().map(|(_, clients)| u64::from(clients.burst));
        bursts.max().unwrap_or(1) * OFFERED
    }
}

/// Bytes that an event adds which offers a call.
pub const OFFERED: u64 = CALL + TRY + TIMER;
/// Bytes for a timer, or for anything else that is due.
pub const TIMER: u64 = 112;
