//! Stores: databases and logs that servers ask.
//!
//! A store accepts connections up to a limit, runs so many queries at once, and can be in one of several
//! outage modes (see [`crate::fault`]); how connections get in, and its start-up, are in `door`. It may consume a headroom (transaction ids, disk): a background rate
//! and each write burn it; at `alert` operators are told, at `stop` the store leaves service, and a
//! maintenance job restores it. After an outage it may be slow for a while. A hot spare may take over (`spare`).
//!
//! Not modelled: locks, query plans.

mod cached;
mod door;
mod headroom;
mod presets;
mod spare;
mod turns;

pub use presets::PRESETS;

use crate::component::network::Link;
use crate::component::rest::which;
use crate::fault::{AtStop, Connects, Layer, Onset, Stack, StoreKnobs};
use crate::kernel::{Event, Fact, Kernel, Lane};
use crate::ledger::Cause;
use crate::policy::asking::OnFailure;
use crate::policy::bulkhead::Limit;
use crate::policy::cache::Cache;
use crate::policy::failover::Spare;
use crate::random::{Distribution, Purpose, draw, unit};
use crate::setting::{Name, Named, Scope, Silence, always, first_of, unless};
use crate::settings;
use crate::slab::Ref;
use crate::units::{Ns, Quantity, Rate};
use crate::world::{Look, Query, QueryState, World};
use cached::CacheAt;
use door::Door;
use spare::Pair;
use std::collections::VecDeque;
use turns::ShareState;

settings! {
    /// A resource that writes use up and maintenance restores.
    pub struct Headroom {
        /// Level when the run starts. (units)
        pub at_start (required): Quantity = Quantity(0.0) => always;
        /// Level at which the alert `stores.<name>.alert` is raised. (units)
        pub alert: Quantity = Quantity(0.0) => always;
        /// Level at which the store leaves service, `stores.<name>.stop`. (units)
        pub stop: Quantity = Quantity(0.0) => always;
        /// What leaves service means: a fault of a store, or "none".
        pub at_stop: Option<AtStop> = Some(AtStop::default()) => always;
        /// Units burnt by one write. (units)
        pub per_write: Quantity = Quantity(1.0) => is_written;
        /// Units burnt by everything else. (units/time)
        pub background: Rate = Rate(0.0) => always;
        /// Level after maintenance, and of what takes the store's place: a replacement, or a spare. (units)
        pub restored_to: Quantity = Quantity(2e9) => is_restored;
    }
}

settings! {
    /// Slowness after an outage: caches are cold.
    pub struct WarmUp {
        /// How long it lasts. (time)
        pub lasts: Ns = Ns::ZERO, "0s" ..= "24h" => is_slowed;
        /// Factor on service times right after the return; it falls linearly to one.
        pub factor: f64 = 1.0, 1 ..= 100000 => lasts;
    }
}

settings! {
    /// A store. `preset` names a product's way with connections; other keys change it.
    pub struct Store (presets = PRESETS) {
        /// Another store, of which this one is a copy where it says nothing itself.
        pub like: Option<Name> = None => always;
        /// The link between servers and the store.
        pub link: Link = Link { latency: Ns::micros(100), jitter: Ns::ZERO } => is_used;
        /// Time to serve one query or append. (time or distribution)
        pub service: Distribution = Distribution::Constant(Ns::ZERO) => is_used;
        /// Queries that run at once; the rest wait. None: no bound.
        pub concurrency: Option<u32> = None, 1 ..= 1000000 => is_used;
        /// Most queries of one kind of call that run at once, a count or a share of `concurrency`, by kind of call; more of
        /// them wait apart, before they queue with the others. Kinds not listed have no bound of their own.
        pub at_most: Named<Limit> = Named::default() => is_used;
        /// Most connections; one more is refused. None: no bound.
        pub connections: Option<u32> = None, 1 ..= 10000000 => is_connected;
        /// Listen backlog: so many connections, and one more, wait in the operating system to be accepted, those that
        /// were given up included; further connects go unanswered and are sent again after 1, 3, 7 ... seconds. None: no
        /// bound; with `accept`: 4096, Linux's `net.core.somaxconn`. (connections)
        pub backlog: Option<u32> = None, 0 ..= 1000000 => is_connected;
        /// Time to accept one connection, in which no other is accepted: connections are set up one after another, dead
        /// ones too (a process that forks for each). (time)
        pub accept: Ns = Ns::ZERO, "0s" ..= "1min" => is_connected;
        /// Time to set up a connection, beyond the round trip and `accept`; any number at once. (time)
        pub connect: Ns = Ns::ZERO, "0s" ..= "1h" => is_connected;
        /// Time from the end of a fault that had shut it down (`refuse`) until it takes connections: it starts, and
        /// recovers; until then they are refused. (time)
        pub start_up: Ns = Ns::ZERO, "0s" ..= "24h" => always;
        /// A resource that it uses up.
        pub headroom: Option<Headroom> = None => always;
        /// Slowness after an outage, and of a spare that takes over.
        pub warm_up: WarmUp = WarmUp::default() => is_used;
        /// What it is a cache of, if it is one. Shut down, it loses what it has; hung or cut off, it keeps that.
        pub cache: Option<Cache> = None => always;
        /// A hot spare, to which writes are replicated.
        pub spare: Option<Spare> = None => always;
    }
}

fn is_used(_: &Store, at: &Scope<'_>) -> Silence {
    unless(at.world.is_used(at.name(1)), "no call and no check asks this store")
}

fn is_connected(store: &Store, at: &Scope<'_>) -> Silence {
    let connected = at.world.is_connected(at.name(1));
    first_of([is_used(store, at), unless(connected, "appends need no connection, and nothing else asks this store")])
}

fn is_written(_: &Headroom, at: &Scope<'_>) -> Silence {
    unless(at.world.is_written(at.name(1)), "no kind of call writes to this store")
}

fn is_restored(_: &Headroom, at: &Scope<'_>) -> Silence {
    unless(at.world.is_restored(at.name(1)), "the timeline has no `maintenance` and no `replace` of this store")
}

fn is_slowed(warm_up: &WarmUp, _: &Scope<'_>) -> Silence {
    unless(warm_up.factor != 1.0, "`factor` is 1: nothing is slower")
}

fn lasts(warm_up: &WarmUp, _: &Scope<'_>) -> Silence {
    unless(warm_up.lasts > Ns::ZERO, "`lasts` is 0s: it is over at once")
}

/// A store at work.
pub struct StoreState {
    /// Faults in force.
    pub stack: Stack,
    /// What they make of it.
    pub knobs: StoreKnobs,
    /// Queries and appends that servers have sent.
    pub queries: u64,
    /// Connections that servers have tried to open.
    pub connects: u64,
    /// Queries running.
    pub running: u32,
    waiting: VecDeque<Ref>,
    shares: Vec<ShareState>,
    hung: Vec<Ref>,
    door: Door,
    /// Connections open.
    pub open: u32,
    /// How often all open connections have been cut.
    pub cuts: u32,
    level: f64,
    level_at: Ns,
    /// Least headroom just before it was raised, since somebody last asked; infinite if it was not.
    least: f64,
    asked_at: Ns,
    /// The level below which it never is, as it leaves service there; none if it goes on.
    left_at_stop: f64,
    /// Background use, in units per nanosecond.
    burn: f64,
    /// Counts the looks at the level that were foreseen: only the last one counts.
    estimate: u32,
    /// With this level or less (as of `level_at`) the look that is foreseen comes too late.
    look_is_late_at: f64,
    alerted: bool,
    stopped: Option<u32>,
    /// Whether the stop has been signed, for a store that goes on without headroom.
    stop_signed: bool,
    returned_at: Option<Ns>,
    pair: Option<Pair>,
    /// What it has, if it is a cache.
    cache: Option<Box<CacheAt>>,
    /// Whether a fault of a link to it is in force.
    pub is_cut_off: bool,
    to: Lane,
    back: Lane,
    connected: Lane,
    instant: bool,
}

impl StoreState {
    /// Whether an append is over as soon as it begins, so that it needs no event.
    pub fn is_instant(&self) -> bool {
        self.instant && !self.is_cut_off && !self.knobs.is_outage()
    }

    /// Whether a process that needs the store to start finds it.
    pub fn takes_connections(&self) -> bool {
        self.knobs.connects == Connects::Accepted && !self.knobs.severs
    }

    /// Queries that wait or hang.
    pub fn waiting(&self) -> usize {
        self.waiting.len() + self.hung.len() + self.shares.iter().map(ShareState::waiting).sum::<usize>()
    }

    /// Headroom at a time, without changing anything.
    pub fn headroom(&self, now: Ns) -> f64 {
        self.after_use(self.level - self.burn_now() * now.minus(self.level_at).0 as f64)
    }

    /// Least headroom since this was last asked. It only falls, except when it is refilled.
    pub(crate) fn take_least(&mut self, now: Ns) -> f64 {
        self.asked_at = now;
        std::mem::replace(&mut self.least, f64::INFINITY).min(self.headroom(now))
    }

    /// Its headroom is what it was meant to be again.
    fn refill(&mut self, level: f64, now: Ns) {
        // What it was for no time at that instant does not count.
        if now > self.asked_at {
            self.least = self.headroom(now).min(self.least);
        }
        self.level = level;
        self.level_at = now;
        self.alerted = false;
        self.stop_signed = false;
    }

    /// A level that use has lowered to so much: a store that stops does so before it uses up what the stop leaves.
    fn after_use(&self, level: f64) -> f64 {
        level.max(self.left_at_stop.min(self.level))
    }

    /// The level that is waited for: the alert, if it is still to come, or the stop.
    fn threshold(&self, headroom: &Headroom) -> f64 {
        if self.alerted { headroom.stop.0 } else { headroom.alert.0.max(headroom.stop.0) }
    }

    /// When background use alone reaches a level; never, without any.
    fn reaches(&self, level: f64) -> Option<Ns> {
        let nanos = (self.burn_now() > 0.0).then(|| ((self.level - level) / self.burn_now()).max(0.0))?;
        Some(self.level_at.plus(Ns((nanos as u64).saturating_add(1))))
    }

    /// A store that has left service for lack of headroom burns none.
    fn burn_now(&self) -> f64 {
        if self.stopped.is_some() { 0.0 } else { self.burn }
    }

    /// See [`World::leftovers`]; so many connections to it the servers have, and so many queries there are.
    pub(crate) fn leftovers(&self, open: u32, queries: usize) -> Vec<&'static str> {
        which([
            (self.running as usize + self.waiting() > queries, "it runs a query that is over"),
            (self.door.has_waiting(), "a connection waits to be accepted"),
            (self.door.is_starting(), "it starts up"),
            (self.open != open, "it counts other connections than the servers have"),
            (self.is_cut_off, "a fault of a link is in force"),
            (self.stopped.is_some(), "it has stopped for lack of headroom"),
        ])
    }

    /// "up", or the faults in force.
    pub fn state(&self) -> String {
        let modes: Vec<_> = self.stack.layers().iter().map(|layer| layer.fault.word()).collect();
        if modes.is_empty() { "up".into() } else { modes.join("+") }
    }
}

impl World {
    /// Sets up the stores.
    pub(crate) fn open_stores<K: Kernel>(&mut self, seed: u64, k: &mut K) {
        for (name, spec) in self.spec.stores.iter() {
            let headroom = spec.headroom.as_ref();
            let hop = spec.link.latency;
            self.stores.push(StoreState {
                stack: Stack::default(),
                knobs: StoreKnobs::default(),
                queries: 0,
                connects: 0,
                running: 0,
                waiting: VecDeque::new(),
                shares: spec.at_most.iter().map(|(_, limit)| ShareState::new(spec.share(*limit))).collect(),
                hung: Vec::new(),
                door: Door::new(spec, k.lane(spec.accept)),
                open: 0,
                cuts: 0,
                level: headroom.map_or(0.0, |h| h.at_start.0),
                level_at: Ns::ZERO,
                least: f64::INFINITY,
                asked_at: Ns::ZERO,
                left_at_stop: headroom.filter(|h| h.at_stop.is_some()).map_or(f64::NEG_INFINITY, |h| h.stop.0),
                burn: headroom.map_or(0.0, |h| h.background.0 / 1e9),
                estimate: 0,
                look_is_late_at: f64::NEG_INFINITY,
                alerted: false,
                stopped: None,
                stop_signed: false,
                returned_at: None,
                cache: spec.cache.as_ref().map(|cache| Box::new(CacheAt::new(cache, seed, name))),
                pair: spec.spare.as_ref().map(|spare| Pair::new(k.lane(spare.lag))),
                is_cut_off: false,
                to: k.lane(hop),
                back: k.lane(hop),
                connected: k.lane(hop.plus(spec.connect)),
                instant: hop == Ns::ZERO
                    && spec.link.is_constant()
                    && spec.service == Distribution::Constant(Ns::ZERO)
                    && spec.concurrency.is_none()
                    && spec.headroom.is_none(),
            });
        }
        for store in 0..self.stores.len() {
            self.expect_threshold(k, store as u16);
        }
    }

    /// Something travels from a try's server to its store.
    pub(crate) fn send_to_store<K: Kernel>(&mut self, k: &mut K, t: Ref, event: Event) {
        let Some(store) = self.store_of(t) else { return };
        let link = &self.spec.stores.0[store as usize].1.link;
        if link.is_constant() {
            k.after(self.stores[store as usize].to, event);
        } else {
            let try_ = &self.tries[t];
            let number = (u32::from(try_.attempt) << 16) | u32::from(try_.asks);
            k.at(k.now().plus(link.delay(try_.salt, Purpose::StoreLink, number)), event);
        }
    }

    /// Something travels from a store to the server of a try.
    fn send_from_store<K: Kernel>(&mut self, k: &mut K, store: u16, t: Ref, event: Event) {
        let link = &self.spec.stores.0[store as usize].1.link;
        match self.tries.get(t) {
            Some(try_) if !link.is_constant() => {
                let number = (u32::from(try_.attempt) << 16) | u32::from(try_.asks);
                k.at(k.now().plus(link.delay(try_.salt, Purpose::StoreLinkBack, number)), event);
            }
            _ => k.after(self.stores[store as usize].back, event),
        }
    }

    fn store_of(&self, t: Ref) -> Option<u16> {
        let try_ = &self.tries[t];
        self.plans[try_.fleet as usize][try_.plan as usize].store
    }

    /// A query reaches its store.
    pub(crate) fn query_at_store<K: Kernel>(&mut self, k: &mut K, q: Ref) {
        let Query { store, asker, .. } = self.queries[q];
        let s = &mut self.stores[store as usize];
        if s.knobs.connects == Connects::Refused {
            s.stack.credit(&mut self.effects, |knobs: &StoreKnobs| knobs.connects == Connects::Refused);
            self.drop_query(k, q, Cause::StoreRefused);
            self.send_from_store(k, store, asker, Event::AskRefused(asker));
        } else if s.knobs.severs {
            s.stack.credit(&mut self.effects, |knobs: &StoreKnobs| knobs.severs);
            self.drop_query(k, q, Cause::StoreSevered);
            self.send_from_store(k, store, asker, Event::AskSevered(asker));
        } else if s.knobs.hangs {
            s.stack.credit(&mut self.effects, |knobs: &StoreKnobs| knobs.hangs);
            self.queries[q].state = QueryState::Hung;
            s.hung.push(q);
            self.waits(k, store);
        } else if s.shares.is_empty() || self.enters_share(k, q) {
            self.take_turn(k, q);
        }
    }

    /// Other queries than before wait or hang.
    fn waits<K: Kernel>(&mut self, k: &K, store: u16) {
        let waiting = self.stores[store as usize].waiting() as u64;
        self.levels.here.waiting[store as usize].set(k.now(), waiting);
    }

    fn run_query<K: Kernel>(&mut self, k: &mut K, q: Ref) {
        let query = &mut self.queries[q];
        query.state = QueryState::Running;
        let spec = &self.spec.stores.0[query.store as usize].1;
        let s = &mut self.stores[query.store as usize];
        s.running += 1;
        let mut factor = s.knobs.slow;
        if factor != 1.0 {
            s.stack.credit(&mut self.effects, |knobs: &StoreKnobs| knobs.slow != 1.0);
        }
        if let Some(since) = s.returned_at {
            let gone = k.now().minus(since).0 as f64 / spec.warm_up.lasts.0 as f64;
            if gone < 1.0 {
                factor *= spec.warm_up.factor - (spec.warm_up.factor - 1.0) * gone;
            } else {
                s.returned_at = None;
            }
        }
        let own = &self.plans[query.fleet as usize][query.plan as usize].service;
        let time = own.as_ref().unwrap_or(&spec.service).sample(query.salt, Purpose::Query, query.number);
        let time = if factor == 1.0 { time } else { time.scaled(factor) };
        k.at(k.now().plus(time), Event::QueryDone(q));
    }

    /// A query is served: a write is done, an answer goes back.
    pub(crate) fn query_done<K: Kernel>(&mut self, k: &mut K, q: Ref) {
        let Some(query) = self.queries.get_mut(q).filter(|q| q.state == QueryState::Running) else { return };
        let Query { store, fleet, plan, asker, call, salt, number, writes, late_from, look, key, .. } = *query;
        let s = &mut self.stores[store as usize];
        s.running -= 1;
        if s.knobs.hangs {
            s.stack.credit(&mut self.effects, |knobs: &StoreKnobs| knobs.hangs);
            query.state = QueryState::Hung;
            s.hung.push(q);
            if let Some(share) = self.plans[fleet as usize][plan as usize].share {
                // It comes anew when the store resumes.
                s.shares[share as usize].leave();
            }
            self.waits(k, store);
            return;
        }
        let share = s.knobs.error_share;
        let refused = writes && s.knobs.refuses_writes;
        let error = refused || (share > 0.0 && unit(draw(salt, Purpose::Error, number)) <= share);
        if error {
            let would = |knobs: &StoreKnobs| if refused { knobs.refuses_writes } else { knobs.error_share > 0.0 };
            s.stack.credit(&mut self.effects, would);
        }
        if writes && !error {
            let gone = self.tries.get(asker).is_none_or(|t| t.query != q) || self.is_deserted(asker);
            if k.now() > late_from && !self.calls[call].stored {
                self.calls[call].late = true;
            }
            if self.counts_as_stored(call, fleet, plan) {
                self.written(k, store, call, gone);
            }
        }
        let waits = self.tries.get(asker).is_some_and(|t| t.query == q);
        if look != Look::No && !error {
            self.looked(k.now(), store, look, key, asker, waits);
        }
        self.drop_query(k, q, Cause::StoreError);
        if waits {
            self.send_from_store(k, store, asker, Event::QueryReply(asker, error));
        }
        if let Some(next) = self.stores[store as usize].waiting.pop_front() {
            self.waits(k, store);
            self.run_query(k, next);
        }
        if !self.stores[store as usize].shares.is_empty() {
            self.leaves_share(k, store, fleet, plan);
        }
        if writes && !error {
            // Last: it may take the store out of service, and with it every query that it still has.
            self.burn_headroom(k, store);
        }
    }

    /// A query is over, served or not.
    pub(crate) fn drop_query<K: Kernel>(&mut self, k: &mut K, q: Ref, cause: Cause) {
        let Query { call, writes, .. } = self.queries[q];
        self.queries.remove(q);
        if writes {
            self.leg_ends(k, call, cause);
        }
    }

    /// Lays a fault on a store; its ticket takes it off.
    pub(crate) fn lay_on<K: Kernel>(&mut self, k: &mut K, store: u16, layer: Layer) {
        let (onset, entry) = (layer.fault.onset(), layer.entry);
        if onset == Onset::Promote && !self.has_spare(store) {
            entry.into_iter().for_each(|entry| self.job_done(k, entry));
            return;
        }
        if onset == Onset::Flush {
            let lost = self.stores[store as usize].forget_keys();
            self.effects.add(entry, lost);
            return;
        }
        let s = &mut self.stores[store as usize];
        let before = s.knobs;
        s.stack.push(layer);
        s.work_out_knobs();
        match onset {
            Onset::CutConnections | Onset::Promote => self.cut(k, store, entry),
            Onset::CloseIdle => self.close_idle(store, entry),
            _ => {}
        }
        self.knobs_changed(k, store, before);
        if onset == Onset::Promote {
            self.promote(k, store);
        }
    }

    /// Idle connections are closed, the servers in turn, until no more are open than the limit allows.
    fn close_idle(&mut self, store: u16, entry: Option<u32>) {
        let s = &mut self.stores[store as usize];
        let limit = s.knobs.connections.unwrap_or(u32::MAX);
        let mut closed = true;
        while s.open > limit && closed {
            closed = false;
            for pool in self.servers.iter_mut().flat_map(|server| &mut server.pools) {
                if pool.store == store && pool.idle > 0 && s.open > limit {
                    pool.idle -= 1;
                    pool.open -= 1;
                    pool.at_store -= 1;
                    s.open -= 1;
                    self.effects.count(entry);
                    closed = true;
                }
            }
        }
    }

    /// Whether a connection that comes free must be closed, as fewer are allowed than are open.
    pub(crate) fn closes_freed(&mut self, store: u16) -> bool {
        let s = &self.stores[store as usize];
        let open = s.open;
        if s.knobs.connections.is_none_or(|most| open <= most) {
            return false;
        }
        s.stack.credit(&mut self.effects, |knobs: &StoreKnobs| knobs.connections.is_some_and(|most| open > most));
        true
    }

    /// Takes a fault off a store, or sets how much of its severity it has reached.
    pub(crate) fn change_on<K: Kernel>(&mut self, k: &mut K, store: u16, ticket: u32, level: Option<f64>) {
        let s = &mut self.stores[store as usize];
        let before = s.knobs;
        match level {
            Some(level) => s.stack.set_level(ticket, level),
            None => s.stack.remove(ticket),
        }
        s.work_out_knobs();
        self.may_start(k, store, before);
        self.knobs_changed(k, store, before);
    }

    fn knobs_changed<K: Kernel>(&mut self, k: &mut K, store: u16, before: StoreKnobs) {
        let s = &mut self.stores[store as usize];
        let after = s.knobs;
        if before.connects == Connects::Accepted && after.connects == Connects::Refused {
            // The process is gone, and what it had in memory.
            s.forget_keys();
        }
        if before.hangs && !after.hangs {
            // It resumes: what it had been sent is executed, waited for or not.
            for q in std::mem::take(&mut self.stores[store as usize].hung) {
                self.query_at_store(k, q);
            }
            self.waits(k, store);
        }
        if before.connects != Connects::Accepted && after.connects == Connects::Accepted {
            self.accepts_again(k, store);
        }
        if before.is_outage() != after.is_outage() {
            self.outage_turns(k, store, after.is_outage());
        }
        match (before.is_down(), after.is_down()) {
            (false, true) => self.primary_down(k, store),
            (true, false) => self.primary_up(k, store),
            _ => {}
        }
    }

    fn outage_turns<K: Kernel>(&mut self, k: &mut K, store: u16, begins: bool) {
        self.boundary(k.now());
        k.record(Fact::Outage { store, begins });
        let (name, spec) = &self.spec.stores.0[store as usize];
        if begins {
            let mode = self.stores[store as usize].state();
            k.mark(format!("{} leaves service ({mode})", name.text), None);
            k.outage_mode(mode);
        } else {
            k.mark(format!("{} is back", name.text), None);
            self.stores[store as usize].returned_at = (spec.warm_up.lasts > Ns::ZERO).then_some(k.now());
            let sign = format!("stores.{}.back", name.text);
            self.give_sign(k, &sign);
        }
    }

    /// Open connections are cut: queries under way fail, idle connections are gone, and a process that does not
    /// handle that dies. They count as effects of `entry`.
    fn cut<K: Kernel>(&mut self, k: &mut K, store: u16, entry: Option<u32>) {
        let hop = self.spec.stores.0[store as usize].1.link.latency;
        self.stores[store as usize].cuts += 1;
        for number in 0..self.servers.len() as u32 {
            let server = &mut self.servers[number as usize];
            let mut connected = false;
            for pool in server.pools.iter_mut().filter(|pool| pool.store == store) {
                connected |= pool.at_store > 0;
                let idle = std::mem::take(&mut pool.idle);
                pool.open -= idle;
                pool.at_store -= idle;
                self.stores[store as usize].open -= idle;
                self.effects.add(entry, u64::from(idle));
            }
            let pools: Vec<u16> =
                (0..).zip(&server.pools).filter(|(_, pool)| pool.store == store).map(|(at, _)| at).collect();
            let plans = &self.plans[server.fleet as usize];
            if connected && plans.iter().any(|p| p.store == Some(store) && p.reactions.on_severed == OnFailure::Crash) {
                self.begin_to_die(k, number, hop);
            }
            for pool in pools {
                self.serve_pool(k, number, pool);
            }
        }
        let cut: Vec<Ref> = self
            .queries
            .refs()
            .filter(|q| {
                let query = &self.queries[*q];
                query.store == store && query.state != QueryState::Sent
            })
            .collect();
        self.effects.add(entry, cut.len() as u64);
        for q in cut {
            let Query { asker, state, .. } = self.queries[q];
            if state == QueryState::Running {
                self.stores[store as usize].running -= 1;
            }
            self.drop_query(k, q, Cause::StoreSevered);
            self.send_from_store(k, store, asker, Event::AskSevered(asker));
        }
        self.close_door(k, store, entry);
        let s = &mut self.stores[store as usize];
        s.waiting.clear();
        s.shares.iter_mut().for_each(ShareState::clear);
        s.hung.clear();
        self.waits(k, store);
    }
}
