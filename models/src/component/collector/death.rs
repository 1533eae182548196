//! The death of a process, what it takes with it, and its return.

use super::PoolState;
use crate::kernel::{Event, Fact, Kernel, Timer};
use crate::ledger::Cause;
use crate::policy::adaptive::Limiter;
use crate::policy::guards::Inside;
use crate::slab::Ref;
use crate::units::Ns;
use crate::world::{Back, Front, Purpose, World};

impl World {
    /// An error that is not handled: the process will be gone shortly.
    pub(crate) fn begin_to_die<K: Kernel>(&mut self, k: &mut K, number: u32, notice: Ns) {
        let after = notice.plus(self.fleet_of(number).dies_after);
        let server = &mut self.servers[number as usize];
        if server.alive && !server.dying {
            server.dying = true;
            k.at(k.now().plus(after), Event::Dies(number, server.incarnation));
        }
    }

    /// The process is gone, if it is still the same.
    pub(crate) fn dies<K: Kernel>(&mut self, k: &mut K, number: u32, incarnation: u32) {
        let server = &self.servers[number as usize];
        if server.alive && server.incarnation == incarnation {
            self.crash(k, number);
        }
    }

    /// The process dies: what it had is lost, what is connected is reset.
    pub(crate) fn crash<K: Kernel>(&mut self, k: &mut K, number: u32) {
        let server = &mut self.servers[number as usize];
        assert!(server.alive, "a dead process cannot die");
        server.alive = false;
        server.dying = false;
        server.incarnation += 1;
        server.busy = 0;
        server.memory = 0;
        server.forget_leaks();
        server.cached_ok = true;
        let fleet = server.fleet as usize;
        let levels = &mut self.levels.here.fleets[fleet];
        levels.accept_queue.remove(k.now(), server.queue.len() as u64);
        levels.pending.remove(k.now(), server.active.len() as u64);
        server.queue.clear();
        for (guard, plan) in server.guards.iter_mut().zip(&self.plans[fleet]) {
            guard.iter_mut().for_each(|guard| guard.reset(plan));
        }
        server.limiter = self.spec.fleets.0[fleet].1.limit.as_ref().map(Limiter::new);
        for pool in &mut server.pools {
            self.stores[pool.store as usize].open -= pool.at_store;
            *pool = PoolState { store: pool.store, size: pool.size, queue: pool.queue, ..PoolState::default() };
        }
        let incarnation = server.incarnation;
        if self.kept.on {
            self.close_kept(k.now(), number);
        }
        self.set_room(number);
        self.set_workers(k, number);
        k.record(Fact::Process { server: number, alive: false });
        self.spools_crash(k, number);
        self.servers[number as usize].flights.clear();
        self.errands_crash(k, number);
        for t in std::mem::take(&mut self.servers[number as usize].active) {
            self.lose(k, t);
        }
        self.process_gone(k, number);
        let restart = &self.fleet_of(number).restart;
        k.at(k.now().plus(restart.delay).plus(restart.boot), Event::Starts(number, incarnation));
    }

    /// A try dies with its process.
    fn lose<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let try_ = &mut self.tries[t];
        k.cancel(try_.ask_timer);
        k.cancel(try_.step_timer);
        try_.ask_timer = Timer::NONE;
        try_.step_timer = Timer::NONE;
        try_.back = Back::None;
        try_.at_store = false;
        try_.in_bulkhead = false;
        try_.holds_worker = false;
        try_.query = Ref::NONE;
        try_.permit = None;
        try_.limited = Inside::default();
        try_.cause = Cause::Crashed;
        if try_.purpose == Purpose::Replay {
            let write = try_.clone();
            self.end_if_done(k, t);
            self.spooled_write_lost(k, &write);
            return;
        }
        let try_ = &self.tries[t];
        if try_.front == Front::Waiting {
            self.send_to_balancer(k, t, Event::Reset(t));
        } else {
            self.end_if_done(k, t);
        }
    }

    /// The supervisor starts the process again; if it needs a store that it cannot reach, it dies at once.
    pub(crate) fn starts<K: Kernel>(&mut self, k: &mut K, number: u32, incarnation: u32) {
        let restart = &self.fleet_of(number).restart;
        let needs = restart.needs.as_ref().and_then(|n| self.spec.stores.index(&n.text));
        if needs.is_some_and(|store| !self.stores[store].takes_connections()) {
            k.at(
                k.now().plus(restart.delay).plus(restart.boot).max(k.now().plus(Ns::millis(1))),
                Event::Starts(number, incarnation),
            );
            return;
        }
        self.servers[number as usize].alive = true;
        self.servers[number as usize].is_up_since(k.now());
        k.record(Fact::Process { server: number, alive: true });
        self.spools_start(k, number);
        self.dies_again(k, number);
    }
}
