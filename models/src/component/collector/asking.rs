//! Asking a store: a connection from the pool, connecting, the query, one deadline over all, and what failure does.

use crate::kernel::{Event, Kernel, Knock, Timer};
use crate::ledger::Cause;
use crate::policy::asking::{self, Asker, Next};
use crate::random::{Purpose as Draw, draw};
use crate::slab::Ref;
use crate::units::Ns;
use crate::world::{Back, Front, Purpose, Query, QueryState, Try, World};

impl World {
    /// Asks the store of a try's plan: a connection, then the query, under one deadline.
    pub(super) fn ask<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let try_ = &mut self.tries[t];
        try_.asks += 1;
        let plan = &self.plans[try_.fleet as usize][try_.plan as usize];
        if let Some(lane) = plan.deadline.filter(|_| try_.ask_timer == Timer::NONE) {
            let server = try_.server;
            let timer = self.arm_at(k, server, lane, Event::AskDeadline(t));
            self.tries[t].ask_timer = timer;
        }
        let try_ = &self.tries[t];
        let plan = &self.plans[try_.fleet as usize][try_.plan as usize];
        if plan.store.is_none() {
            return;
        }
        if plan.breaker.is_some() && !self.passes_breaker(k, t) {
            self.ask_failed(k, t, Cause::BreakerOpen);
            return;
        }
        self.note_ask(k, t);
        let try_ = &self.tries[t];
        let plan = &self.plans[try_.fleet as usize][try_.plan as usize];
        if plan.appends {
            // A log's producer keeps its connection: no pool.
            self.query(k, t);
            return;
        }
        let (server, pool_wait) = (try_.server, plan.pool_wait);
        let pool = &mut self.servers[server as usize].pools[plan.pool as usize];
        if pool.idle > 0 {
            pool.idle -= 1;
            self.query(k, t);
        } else if pool.open < pool.size {
            pool.open += 1;
            self.connect(k, t);
        } else if pool.waits < pool.queue {
            if pool.waiting.len() > 64 + 2 * pool.waits as usize {
                // Those that gave up: cleared out when they outnumber those that wait.
                let tries = &self.tries;
                pool.waiting.retain(|w| tries.get(*w).is_some_and(|t| t.back == Back::AtPool));
            }
            pool.waits += 1;
            pool.waiting.push_back(t);
            self.tries[t].back = Back::AtPool;
            if let Some(limit) = pool_wait {
                let timer = self.arm_at(k, server, limit, Event::AskStepTimeout(t));
                self.tries[t].step_timer = timer;
            }
        } else {
            self.tell_breaker(k, t, false);
            self.note_end(k, t, false);
            self.ask_failed(k, t, Cause::PoolTimeout);
        }
    }

    fn connect<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let try_ = &mut self.tries[t];
        try_.back = Back::Connecting;
        try_.at_store = false;
        let plan = &self.plans[try_.fleet as usize][try_.plan as usize];
        let (store, server) = (plan.store, try_.server);
        if let Some(limit) = plan.connect_limit {
            let timer = self.arm_at(k, server, limit, Event::AskStepTimeout(t));
            self.tries[t].step_timer = timer;
        }
        if let Some(store) = store {
            self.stores[store as usize].connects += 1;
        }
        let asks = self.tries[t].asks;
        self.send_to_store(k, t, Event::ConnectAtStore(t, Knock { asks, sent: 1 }));
    }

    /// A connection to the store is set up: the query follows.
    pub(crate) fn connected<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let Some(try_) = self.tries.get_mut(t).filter(|t| t.back == Back::Connecting && t.at_store) else { return };
        if try_.step_timer != Timer::NONE {
            k.cancel(try_.step_timer);
            try_.step_timer = Timer::NONE;
        }
        self.query(k, t);
    }

    fn query<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let try_ = &mut self.tries[t];
        try_.back = Back::Querying;
        try_.at_store = true;
        let plan = &self.plans[try_.fleet as usize][try_.plan as usize];
        let Some(store) = plan.store else { return };
        if let Some(limit) = plan.query_limit {
            let server = try_.server;
            let timer = self.arm_at(k, server, limit, Event::AskStepTimeout(t));
            self.tries[t].step_timer = timer;
        }
        let try_ = &self.tries[t];
        let plan = &self.plans[try_.fleet as usize][try_.plan as usize];
        self.stores[store as usize].queries += 1;
        let writes = plan.writes && !matches!(try_.purpose, Purpose::Check(_) | Purpose::Background);
        let late_from = match (&plan.spool, try_.purpose) {
            (Some(spool), Purpose::Replay) => try_.started.plus(spool.late_after),
            _ => Ns::NEVER,
        };
        let query = Query {
            asker: t,
            call: if writes { try_.call } else { Ref::NONE },
            salt: try_.salt,
            number: asking::number(try_.attempt, u32::from(try_.asks)),
            store,
            fleet: try_.fleet,
            plan: try_.plan,
            writes,
            look: plan.look,
            key: self.key_of(store, plan.look, try_.call),
            late_from,
            state: QueryState::Sent,
        };
        let q = self.queries.insert(query);
        self.tries[t].query = q;
        if writes {
            let call = self.tries[t].call;
            let call = &mut self.calls[call];
            call.legs += 1;
            call.wrote = true;
        }
        self.send_to_store(k, t, Event::QueryAtStore(q));
    }

    /// The store's answer is here; the connection is free for the next.
    pub(crate) fn query_reply<K: Kernel>(&mut self, k: &mut K, t: Ref, error: bool) {
        let Some(try_) = self.tries.get_mut(t).filter(|t| t.back == Back::Querying) else { return };
        try_.query = Ref::NONE;
        self.leave_pool(k, t, true);
        self.tell_breaker(k, t, !error);
        self.note_end(k, t, !error);
        if error {
            self.ask_failed(k, t, Cause::StoreError);
        } else {
            self.finish(k, t, 200, Cause::ClientLeft);
        }
    }

    /// The store refused the connection.
    pub(crate) fn ask_refused<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        if self.tries.get(t).is_some_and(|t| matches!(t.back, Back::Connecting | Back::Querying)) {
            self.leave_pool(k, t, false);
            self.tell_breaker(k, t, false);
            self.note_end(k, t, false);
            self.ask_failed(k, t, Cause::StoreRefused);
        }
    }

    /// The store cut the connection.
    pub(crate) fn ask_severed<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        if self.tries.get(t).is_some_and(|t| matches!(t.back, Back::Connecting | Back::Querying)) {
            self.tries[t].query = Ref::NONE;
            self.leave_pool(k, t, false);
            self.tell_breaker(k, t, false);
            self.note_end(k, t, false);
            self.ask_failed(k, t, Cause::StoreSevered);
        }
    }

    /// Asking took too long, as a whole or in one step. The connection is given up; a query that the store has
    /// stays with it.
    pub(crate) fn ask_timed_out<K: Kernel>(&mut self, k: &mut K, t: Ref, whole: bool) {
        let try_ = &mut self.tries[t];
        if whole {
            try_.ask_timer = Timer::NONE;
        } else {
            try_.step_timer = Timer::NONE;
        }
        let mut cause = Cause::StoreTimeout;
        if try_.back == Back::AtPool {
            cause = Cause::PoolTimeout;
            let pool = self.plans[try_.fleet as usize][try_.plan as usize].pool;
            self.servers[try_.server as usize].pools[pool as usize].waits -= 1;
        } else if try_.back == Back::Calling {
            cause = Cause::ServiceTimeout;
            self.leave_service(k, t);
        } else if !matches!(try_.back, Back::Pausing | Back::InFlight) {
            try_.query = Ref::NONE;
            self.leave_pool(k, t, false);
        }
        self.tell_breaker(k, t, false);
        if self.tries[t].back != Back::Pausing {
            self.note_end(k, t, false);
        }
        self.failed(k, t, cause, whole);
    }

    /// A store failed a try, or there was no way to one.
    pub(super) fn ask_failed<K: Kernel>(&mut self, k: &mut K, t: Ref, cause: Cause) {
        let try_ = &mut self.tries[t];
        if try_.step_timer != Timer::NONE {
            k.cancel(try_.step_timer);
            try_.step_timer = Timer::NONE;
        }
        self.failed(k, t, cause, false);
    }

    /// A try was in vain: it fails, tries again in place, or takes the process with it. `is_over`: its time has run out.
    fn failed<K: Kernel>(&mut self, k: &mut K, t: Ref, cause: Cause, is_over: bool) {
        let try_ = &self.tries[t];
        let plan = &self.plans[try_.fleet as usize][try_.plan as usize];
        let asker = match try_.purpose {
            Purpose::Call | Purpose::Asked | Purpose::Errand => Asker::Call,
            Purpose::Replay => Asker::Spool,
            Purpose::Check(_) | Purpose::Background => Asker::Check,
        };
        match plan.reactions.after(asker, u32::from(try_.asks - try_.asks_before), cause, is_over) {
            Next::Answer(status) => self.finish(k, t, status, cause),
            Next::Again => {
                let (pause, server) = (plan.retry_every, try_.server);
                let try_ = &mut self.tries[t];
                (try_.back, try_.cause) = (Back::Pausing, cause);
                let pause = self.by_its_clock(server, pause);
                k.at(k.now().plus(pause), Event::AskAgain(t));
            }
            Next::Dies => self.die_of(k, t, cause),
        }
    }

    /// The failure of a call kills the process: at once, or a little after the call has had its 500.
    fn die_of<K: Kernel>(&mut self, k: &mut K, t: Ref, cause: Cause) {
        let server = self.tries[t].server;
        if self.fleet_of(server).dies_after == Ns::ZERO {
            self.crash(k, server);
        } else {
            self.finish(k, t, 500, cause);
            self.begin_to_die(k, server, Ns::ZERO);
        }
    }

    /// The pause before a try in place is over.
    pub(crate) fn ask_again<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        if self.tries.get(t).is_some_and(|t| t.back == Back::Pausing) {
            self.ask(k, t);
        }
    }

    /// A try gives its connection back, alive or not; the next in line gets it, or opens another.
    fn leave_pool<K: Kernel>(&mut self, k: &mut K, t: Ref, alive: bool) {
        let try_ = &mut self.tries[t];
        let plan = &self.plans[try_.fleet as usize][try_.plan as usize];
        let Some(store) = plan.store else { return };
        if plan.appends {
            return;
        }
        let (number, pool_at, counted) = (try_.server, plan.pool, std::mem::take(&mut try_.at_store));
        let alive = alive && !self.closes_freed(store);
        let pool = &mut self.servers[number as usize].pools[pool_at as usize];
        if alive {
            pool.idle += 1;
        } else {
            pool.open -= 1;
            if counted {
                pool.at_store -= 1;
                self.stores[store as usize].open -= 1;
            }
        }
        self.serve_pool(k, number, pool_at);
    }

    /// Those who wait for a connection of one of the server's pools get what there is.
    pub(crate) fn serve_pool<K: Kernel>(&mut self, k: &mut K, number: u32, pool_at: u16) {
        if self.servers[number as usize].knobs.still {
            return; // it gives out no connections before it resumes
        }
        loop {
            let pool = &mut self.servers[number as usize].pools[pool_at as usize];
            if pool.waits == 0 || (pool.idle == 0 && pool.open >= pool.size) {
                return;
            }
            let Some(next) = pool.waiting.pop_front() else { return };
            if self.tries.get(next).is_none_or(|t| t.back != Back::AtPool || t.server != number) {
                continue;
            }
            pool.waits -= 1;
            let (is_idle, waited) = (pool.idle > 0, std::mem::replace(&mut self.tries[next].step_timer, Timer::NONE));
            if waited != Timer::NONE {
                k.cancel(waited);
            }
            let pool = &mut self.servers[number as usize].pools[pool_at as usize];
            if is_idle {
                pool.idle -= 1;
                self.query(k, next);
            } else {
                pool.open += 1;
                self.connect(k, next);
            }
        }
    }

    /// The background query of a cached health check.
    pub(crate) fn cached_query<K: Kernel>(&mut self, k: &mut K, number: u32) {
        let fleet = self.servers[number as usize].fleet;
        let plan = self.check_plan(fleet);
        if self.plans[fleet as usize][plan as usize].store.is_none() {
            // A fleet that needs no store has nothing to query: the flag stays as it is.
            return;
        }
        if self.checkers[number as usize].queries_at > k.now() {
            return; // its clock has turned since this was foreseen
        }
        let every = self.by_its_clock(number, self.fleet_of(number).health.every);
        self.checkers[number as usize].queries_at = k.now().plus(every);
        k.at(k.now().plus(every), Event::CachedQuery(number));
        if !self.servers[number as usize].alive {
            return;
        }
        let salt = draw(u64::from(number), Draw::Query, k.now().0 as u32);
        let mut background = Try::new(Ref::NONE, salt, 0, fleet, plan);
        background.purpose = Purpose::Background;
        background.server = number;
        background.front = Front::Closed;
        background.back = Back::Working;
        let server = &mut self.servers[number as usize];
        background.place = server.active.len() as u32;
        let t = self.tries.insert(background);
        self.servers[number as usize].active.push(t);
        self.levels.here.fleets[fleet as usize].pending.add(k.now(), 1);
        self.ask(k, t);
    }
}
