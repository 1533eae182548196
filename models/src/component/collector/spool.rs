//! Asynchronous calls: accepted into a spool, answered, and written to the store afterwards at a finite rate.
//!
//! The bound, the pace and what a crash leaves are decided by [`crate::policy::spool`]. A write out of the spool asks
//! the store like a call does (pool, deadline, circuit breaker, and what a failure does to the process), but holds no
//! worker. One that fails goes back to the front of its spool.

use crate::kernel::{Event, Kernel};
use crate::ledger::Cause;
use crate::policy::spool::{Spool, SpoolState, SpoolTo, SpoolTurns};
use crate::slab::Ref;
use crate::units::Ns;
use crate::world::{Back, Front, Purpose, Try, World};

/// A call in a spool.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spooled {
    call: Ref,
    salt: u64,
    attempt: u16,
    accepted: Ns,
}

/// The spool of one server for one kind of call.
#[derive(Default)]
pub(super) struct SpoolHere {
    entries: SpoolState<Spooled>,
    /// When the next look at it is due, if one is.
    due: Option<Ns>,
}

impl SpoolHere {
    /// How often it has been filled and emptied.
    pub(super) fn turns(&self) -> SpoolTurns {
        self.entries.turns()
    }

    /// Calls in it, those under way included.
    pub(super) fn held(&self) -> usize {
        self.entries.len() + self.entries.under_way() as usize
    }
    /// Most calls in it since this was last asked.
    pub(super) fn take_peak(&mut self) -> usize {
        self.entries.take_peak()
    }
}

impl World {
    fn spool_of(&mut self, server: u32, plan: u16) -> Option<(&Spool, &mut SpoolHere)> {
        let server = &mut self.servers[server as usize];
        let spec = self.plans[server.fleet as usize][plan as usize].spool.as_ref()?;
        Some((spec, server.guards[plan as usize].as_mut()?.spool.as_mut()?))
    }

    /// Whether calls of a try's plan are answered out of a spool.
    pub(super) fn is_spooled(&self, t: Ref) -> bool {
        let try_ = &self.tries[t];
        try_.purpose.is_call() && self.plans[try_.fleet as usize][try_.plan as usize].spool.is_some()
    }

    /// A call's work is done: into the spool with it.
    pub(super) fn spool<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let Try { call, salt, attempt, server, plan, fleet, .. } = self.tries[t];
        let entry = Spooled { call, salt, attempt, accepted: k.now() };
        let Some((spec, spool)) = self.spool_of(server, plan) else { return };
        if spool.entries.try_push(spec, entry).is_err() {
            self.finish(k, t, 503, Cause::SpoolFull);
            return;
        }
        let held = if spec.to == SpoolTo::Memory { spec.memory_per_call.0 } else { 0 };
        self.servers[server as usize].memory += held;
        self.calls[call].legs += 1;
        self.finish(k, t, 200, Cause::ClientLeft);
        let here = &self.servers[server as usize];
        if here.memory > self.spec.fleets.0[fleet as usize].1.heap_limit.0 {
            self.crash(k, server);
        } else if here.alive {
            self.drain(k, server, plan);
        }
    }

    /// Writes what may be written, and sees when the next may.
    pub(super) fn drain<K: Kernel>(&mut self, k: &mut K, server: u32, plan: u16) {
        while self.servers[server as usize].alive && !self.servers[server as usize].knobs.still {
            let now = k.now();
            let Some((spec, spool)) = self.spool_of(server, plan) else { return };
            let Some(at) = spool.entries.next_at(now) else { return };
            if at > now {
                if spool.due.is_none_or(|due| at < due) {
                    spool.due = Some(at);
                    k.at(at, Event::Drain(server, plan));
                }
                return;
            }
            let Some(entry) = spool.entries.take(spec, now) else { return };
            self.write_spooled(k, server, plan, entry);
        }
    }

    /// A look at a spool is due.
    pub(crate) fn drain_due<K: Kernel>(&mut self, k: &mut K, server: u32, plan: u16) {
        let now = k.now();
        if let Some((_, spool)) = self.spool_of(server, plan)
            && spool.due.is_some_and(|due| due <= now)
        {
            spool.due = None;
        }
        self.drain(k, server, plan);
    }

    fn write_spooled<K: Kernel>(&mut self, k: &mut K, server: u32, plan: u16, entry: Spooled) {
        let fleet = self.servers[server as usize].fleet;
        let mut write = Try::new(entry.call, entry.salt, entry.attempt, fleet, plan);
        write.purpose = Purpose::Replay;
        write.server = server;
        write.front = Front::Closed;
        write.back = Back::Working;
        write.started = entry.accepted;
        write.place = self.servers[server as usize].active.len() as u32;
        let t = self.tries.insert(write);
        self.servers[server as usize].active.push(t);
        self.levels.here.fleets[fleet as usize].pending.add(k.now(), 1);
        self.ask(k, t);
    }

    /// A write out of a spool has ended, well or not; its try is gone already.
    pub(super) fn spooled_write_ends<K: Kernel>(&mut self, k: &mut K, write: &Try, ok: bool) {
        let (server, plan) = (write.server, write.plan);
        let entry = Spooled { call: write.call, salt: write.salt, attempt: write.attempt, accepted: write.started };
        let now = k.now();
        let Some((spec, spool)) = self.spool_of(server, plan) else { return };
        if ok {
            spool.entries.on_done();
            let held = if spec.to == SpoolTo::Memory { spec.memory_per_call.0 } else { 0 };
            self.servers[server as usize].memory -= held;
            self.leg_ends(k, entry.call, Cause::ClientLeft);
        } else {
            spool.entries.on_failed(spec, entry, now);
        }
        self.drain(k, server, plan);
    }

    /// A process has died with a write of its spool under way: on disk it is still there.
    pub(super) fn spooled_write_lost<K: Kernel>(&mut self, k: &mut K, write: &Try) {
        let entry = Spooled { call: write.call, salt: write.salt, attempt: write.attempt, accepted: write.started };
        let Some((spec, spool)) = self.spool_of(write.server, write.plan) else { return };
        match spec.to {
            SpoolTo::Disk => spool.entries.put_back(entry),
            SpoolTo::Memory => self.leg_ends(k, entry.call, Cause::SpoolLost),
        }
    }

    /// A process has died: what its spools had in memory is lost.
    pub(super) fn spools_crash<K: Kernel>(&mut self, k: &mut K, server: u32) {
        for plan in 0..self.servers[server as usize].guards.len() as u16 {
            let Some((spec, spool)) = self.spool_of(server, plan) else { continue };
            for lost in spool.entries.crash(spec) {
                self.leg_ends(k, lost.call, Cause::SpoolLost);
            }
        }
    }

    /// A process has started: its spools on disk go on.
    pub(super) fn spools_start<K: Kernel>(&mut self, k: &mut K, server: u32) {
        for plan in 0..self.servers[server as usize].guards.len() as u16 {
            self.drain(k, server, plan);
        }
    }
}
