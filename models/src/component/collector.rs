//! Servers: the processes that do the work of a call (the collectors of the day).
//!
//! A server is a listening socket, a process, and pools of connections to stores. The operating system's
//! kernel accepts connections for the process up to the backlog, even while the process is stuck; past it a
//! connect is dropped silently. The process runs either a pool of workers, each busy with one call until it
//! is answered, or an event loop: few cores, any number of pending calls, each holding memory, up to a heap
//! limit that kills the process. Calls are executed although their client or the balancer has left, unless
//! `notices_departure` says otherwise.
//!
//! Not modelled: garbage-collection pauses, context switches, a file-descriptor limit.

mod asking;
mod bad;
mod death;
mod errand;
mod faults;
mod guard;
mod plan;
mod spool;
mod steps;
mod work;

pub use bad::Bad;
pub use errand::Way;
pub use guard::{Guard, GuardTurns};
pub use plan::ResolvedPlan;
pub use steps::{Ask, Step, Steps};

use crate::component::balancer::{Backend, Balancer, OnMarkedDown};
use crate::component::store::Store;
use crate::fault::{Fault, ServerKnobs, Stack};
use crate::kernel::Kernel;
use crate::policy::adaptive::{Adaptive, Limiter};
use crate::policy::asking::{OnFailure, Reactions};
use crate::policy::breaker::Breaker;
use crate::policy::bulkhead::Limit;
use crate::policy::keep_alive::ServerKeepAlive;
use crate::policy::listen::{self, Arrival};
use crate::policy::shedding::Shedding;
use crate::policy::spool::{Spool, SpoolTo};
use crate::random::Distribution;
use crate::setting::{Name, Named, Scope, Silence, Word, always, first_of, unless, unless_with};
use crate::slab::Ref;
use crate::units::{Bytes, Ns};
use crate::world::{Seat, World};
use crate::{choices, settings};
use faults::Troubles;
use std::collections::{BTreeMap, VecDeque};

choices! {
    /// How a process runs calls side by side.
    pub enum Concurrency = Workers {
        /// A pool of workers: a call holds one from start to answer, waiting for a store included.
        Workers = "workers",
        /// An event loop: a call holds a core only while it computes; pending calls hold memory.
        EventLoop = "event-loop",
    }
}

settings! {
    /// What a server does for one kind of call.
    pub struct CallPlan {
        /// Computing time, before any store is asked. (time or distribution)
        pub work: Distribution = Distribution::default() => always;
        /// A store that takes one append after the work; the call's data is stored by it. An append needs no connection.
        pub appends: Option<Name> = None => always;
        /// A store that is queried after the work.
        pub asks: Option<Name> = None => always;
        /// Time in which the store serves this query or append; none: the store's own `service`. (time or distribution)
        pub service: Option<Distribution> = None => uses_store;
        /// The pool, among `pools`, out of which it takes its connection; none: the one of the store's name.
        pub pool: Option<Name> = None => asks;
        /// Whether the query writes: then the call's data is stored by it. Otherwise the call only reads.
        pub writes: bool = false => asks;
        /// One deadline over getting a connection, connecting and the query, with all tries in place; none: no such
        /// deadline. (time)
        pub timeout: Option<Ns> = Some(Ns::secs(30)), "1ms" ..= "24h" => waits_for_store;
        /// Bound on connecting alone, which ends a try in place, not the call; none: only `timeout`. (time)
        pub connect_timeout: Option<Ns> = None, "1ms" ..= "24h" => asks;
        /// Bound on the query alone, which ends a try in place, not the call; none: only `timeout`. (time)
        pub query_timeout: Option<Ns> = None, "1ms" ..= "24h" => uses_store;
        /// What an error, a refusal or a timeout of the store does: whatever bound ran out, but once `timeout` has there is no
        /// trying again.
        pub on_error: OnFailure = OnFailure::Fail => uses_store;
        /// What a severed connection does, to the call that uses it; with `crash`, a severed idle connection kills the process too.
        pub on_severed: OnFailure = OnFailure::Fail => uses_store;
        /// Pause between tries in place. (time)
        pub retry_every: Ns = Ns::millis(500), "1ms" ..= "1h" => retries_in_place;
        /// Most tries in place after the first; none: until the timeout.
        pub retry_at_most: Option<u32> = None, 0 ..= 10000 => retries_in_place;
        /// Bulkhead: at most so many of these calls at once, a count or a share of `workers`; none: no bulkhead.
        pub at_most: Option<Limit> = None => always;
        /// Bulkhead: so many more may wait (each holding its worker, but no core of an event loop); the rest get a 503 at
        /// once.
        pub queue: u32 = 0, 0 ..= 1000000 => has_bulkhead;
        /// Bulkhead: longest wait, then 503; none: as `timeout`. (time)
        pub wait: Option<Ns> = None, "1ms" ..= "24h" => waits_at_bulkhead;
        /// Circuit breaker around the store, one in each process: "hystrix", "resilience4j", or a table.
        pub breaker: Option<Breaker> = None => always;
        /// Adaptive limit on these calls at once, one in each process: "aimd", "gradient", or a table.
        pub limit: Option<Adaptive> = None => always;
        /// What is asked after the work, step by step: each an ask of a store or of another fleet's kind of call, or a list
        /// of asks that go out side by side. In the place of `asks` and `appends`.
        pub then: Steps = Steps::default() => always;
        /// Spool: the call is answered when it is in there, and written to the store afterwards.
        pub spool: Option<Spool> = None => always;
    }
}

choices! {
    /// Who answers a health check and what it looks at.
    pub enum CheckKind = Shared {
        /// The process answers on a thread of its own: it proves only that the process lives.
        Shallow = "shallow",
        /// It passes through the same accept queue and workers as the traffic.
        Shared = "shared",
        /// As `shared`, and it queries a store through the traffic's pool.
        Deep = "deep",
        /// A background task queries a store now and then; the check reads its last result, on a thread of its own.
        Cached = "cached",
    }
}

settings! {
    /// The health endpoint of a server.
    pub struct HealthEndpoint (shorthand = HealthEndpoint::named, words = HealthEndpoint::kinds) {
        /// Who answers, and what it looks at.
        pub kind: CheckKind = CheckKind::Shared => matters_to_checks;
        /// Computing time of a check. (time)
        pub work: Ns = Ns::ZERO, "0s" ..= "1min" => is_checked;
        /// The store that a deep or cached check queries; none: the first that a call of this fleet asks. A fleet that
        /// asks none has nothing to check but itself.
        pub asks: Option<Name> = None => queries;
        /// Time in which the store serves that query; none: the store's own `service`. (time or distribution)
        pub service: Option<Distribution> = None => queries_a_store;
        /// The pool, among `pools`, out of which it takes its connection; none: the one of the store's name.
        pub pool: Option<Name> = None => queries_a_store;
        /// Deadline of that query, connection included. (time)
        pub timeout: Ns = Ns::secs(1), "1ms" ..= "1h" => queries_a_store;
        /// How often a cached check queries. (time)
        pub every: Ns = Ns::secs(5), "10ms" ..= "1h" => is_cached;
    }
}

impl HealthEndpoint {
    fn named(word: &str) -> Option<HealthEndpoint> {
        let kind = *CheckKind::ALL.iter().find(|k| k.word() == word)?;
        Some(HealthEndpoint { kind, ..HealthEndpoint::default() })
    }

    fn kinds() -> Vec<Word> {
        CheckKind::ALL.iter().map(|kind| Word { name: kind.word(), doc: kind.doc(), values: None }).collect()
    }
}

settings! {
    /// Connections that one server keeps to one store.
    pub struct Pool {
        /// The store that it connects to; none: the store of the pool's name. A further pool has another name and says it; it is
        /// for the kinds of call that name the pool.
        pub store: Option<Name> = None => always;
        /// Most connections.
        pub size: u32 = 10, 1 ..= 100000 => is_pooled;
        /// Most calls that wait for a connection; one more fails at once. None: no bound.
        pub queue: Option<u32> = None, 0 ..= 10000000 => is_pooled;
        /// Longest wait for a connection, connecting and the query not counted, which ends a try in place, not the call; none:
        /// as long as the call's `timeout` lets it. The longest wait is served first. (time)
        pub wait: Option<Ns> = None, "1ms" ..= "24h" => is_pooled;
        /// Status of a call that gets no connection: too many wait, or it has waited for too long.
        pub status: u16 = 500, 500 ..= 599 => is_pooled;
    }
}

settings! {
    /// What happens after the process dies.
    pub struct Restart {
        /// Pause before the supervisor starts it again. (time)
        pub delay: Ns = Ns::secs(1), "0s" ..= "24h" => always;
        /// Time from then until it listens. (time)
        pub boot: Ns = Ns::ZERO, "0s" ..= "1h" => always;
        /// A store without which it does not start: while that is shut down, stopped or cuts connections, it dies again at
        /// once. The link to it and its limits are not looked at.
        pub needs: Option<Name> = None => always;
    }
}

settings! {
    /// A fleet of servers of one kind.
    pub struct Fleet {
        /// Another fleet, of which this one is a copy where it says nothing itself.
        pub like: Option<Name> = None => always;
        /// How many servers.
        pub count: u32 = 1, 1 ..= 100000 => always;
        /// Workers or event loop.
        pub concurrency: Concurrency = Concurrency::Workers => always;
        /// Workers of a server.
        pub workers: u32 = 8, 1 ..= 1000000 => has_workers;
        /// Cores of an event loop (Node.js: 1).
        pub cores: u32 = 1, 1 ..= 1000 => is_event_loop;
        /// Memory that a pending call holds in an event loop. (size)
        pub memory_per_call: Bytes = Bytes(50_000) => counts_memory;
        /// Memory at which the process dies: that of an event loop's pending calls, of spools in memory and of leaks;
        /// "none": no limit. (size)
        pub heap_limit: Bytes = Bytes::UNLIMITED => uses_memory;
        /// Listen backlog: so many connections, and one more, wait in the operating system (Linux). An event loop, and a
        /// process with `shedding.pending`, accepts at once, so that none waits while it runs. (connections)
        pub backlog: u32 = 128, 0 ..= 1000000 => has_backlog;
        /// A queue of the process's own behind it, filled by an accepting thread (gunicorn: 1,000 and more). (calls)
        pub accept_queue: u32 = 0, 0 ..= 10000000 => has_accept_queue;
        /// How long its servers keep connections that the balancer keeps; none: as long as the balancer does.
        pub keep_alive: Option<ServerKeepAlive> = None => always;
        /// Whether a worker looks, before it starts a call, if the other side has left, and then skips it.
        pub notices_departure: bool = false => is_departed_from;
        /// The health endpoint.
        pub health: HealthEndpoint = HealthEndpoint::default() => always;
        /// Adaptive limit on all calls at once, one in each process: "aimd", "gradient", or a table.
        pub limit: Option<Adaptive> = None => always;
        /// Load shedding by the process itself.
        pub shedding: Option<Shedding> = None => always;
        /// How other services reach it: a balancer of its own. None: each calling process balances for itself, as "direct".
        pub balancer: Option<Balancer> = None => is_asked;
        /// The kinds of call it can serve.
        pub calls: Named<CallPlan> = Named::default() => always;
        /// Which of them the balancer sends to this fleet; none: all.
        pub serves: Option<Vec<Name>> = None => always;
        /// Connection pools, by store or by a name of their own; a store not listed gets the default pool.
        pub pools: Named<Pool> = Named::default() => always;
        /// Servers that are bad alone, for the whole run; none: all are good.
        pub bad: Option<Bad> = None => always;
        /// How long a process whose error is not handled goes on serving before it is gone. (time)
        pub dies_after: Ns = Ns::ZERO, "0s" ..= "1min" => may_die_of_errors;
        /// What the supervisor does then.
        pub restart: Restart = Restart::default() => always;
    }
}

fn is_asked(_: &Fleet, at: &Scope<'_>) -> Silence {
    let callers = at.world.callers_of(at.name(1)).next();
    unless(callers.is_some(), "no other service asks this fleet; clients reach it through [balancer]")
}

const NO_STORE: &str = "this kind of call asks no store";

fn asks(plan: &CallPlan, _: &Scope<'_>) -> Silence {
    let why = if plan.appends.is_some() { "an append needs no connection and is a write anyway" } else { NO_STORE };
    unless(plan.asks.is_some(), why)
}

fn uses_store(plan: &CallPlan, _: &Scope<'_>) -> Silence {
    unless(plan.uses_store(), NO_STORE)
}

fn waits_for_store(plan: &CallPlan, at: &Scope<'_>) -> Silence {
    let bounds_bulkhead = plan.at_most.is_some() && plan.queue > 0 && plan.wait.is_none();
    if bounds_bulkhead { None } else { uses_store(plan, at) }
}

fn retries_in_place(plan: &CallPlan, at: &Scope<'_>) -> Silence {
    first_of([
        uses_store(plan, at),
        unless(
            plan.retries_in_place(),
            "neither `on_error` nor `on_severed` is \"retry\": nothing is tried again in place",
        ),
        unless(plan.spool.is_none(), "the `spool` tries again by itself"),
    ])
}

fn has_bulkhead(plan: &CallPlan, _: &Scope<'_>) -> Silence {
    unless(plan.at_most.is_some(), "without `at_most` there is no bulkhead to wait at")
}

fn waits_at_bulkhead(plan: &CallPlan, at: &Scope<'_>) -> Silence {
    first_of([has_bulkhead(plan, at), unless(plan.queue > 0, "`queue` is 0: no call waits at the bulkhead")])
}

fn is_checked(_: &HealthEndpoint, at: &Scope<'_>) -> Silence {
    unless(at.world.balancer.health.enabled, "the balancer makes no checks: `balancer.health.enabled` is false")
}

fn matters_to_checks(endpoint: &HealthEndpoint, at: &Scope<'_>) -> Silence {
    // A cached check queries in the background, whether it is asked or not.
    let asks = endpoint.asks.is_some()
        || at.fleet().is_some_and(|fleet| fleet.calls.iter().any(|(_, plan)| plan.first_store().is_some()));
    if asks { None } else { is_checked(endpoint, at) }
}

fn queries(endpoint: &HealthEndpoint, at: &Scope<'_>) -> Silence {
    match endpoint.kind {
        CheckKind::Cached => None,
        CheckKind::Deep => is_checked(endpoint, at),
        CheckKind::Shallow | CheckKind::Shared => {
            Some(format!("`kind` is \"{}\": the check asks no store", endpoint.kind.word()).into())
        }
    }
}

fn queries_a_store(endpoint: &HealthEndpoint, at: &Scope<'_>) -> Silence {
    let store = at.fleet().and_then(Fleet::checked_store);
    first_of([
        queries(endpoint, at),
        unless(store.is_some(), "no call of this fleet asks a store that the check could query"),
    ])
}

fn is_cached(endpoint: &HealthEndpoint, at: &Scope<'_>) -> Silence {
    first_of([unless(endpoint.kind == CheckKind::Cached, "`kind` is not \"cached\""), queries_a_store(endpoint, at)])
}

fn is_pooled(_: &Pool, at: &Scope<'_>) -> Silence {
    let pool = at.name(3);
    let behind =
        |fleet: &Fleet| fleet.asks().any(|ask| at.world.cache_of(ask).is_some_and(|cache| cache.of.text == pool));
    let uses = at.fleet().is_none_or(|fleet| fleet.uses_pool(pool) || behind(fleet));
    unless_with(uses, || format!("no call and no check of this fleet takes a connection out of `{pool}`"))
}

fn has_workers(fleet: &Fleet, _: &Scope<'_>) -> Silence {
    let shares = fleet.calls.iter().any(|(_, plan)| matches!(plan.at_most, Some(Limit::Share(_))));
    unless(fleet.concurrency == Concurrency::Workers || shares, "`concurrency` is \"event-loop\": it has `cores`")
}

fn is_event_loop(fleet: &Fleet, _: &Scope<'_>) -> Silence {
    unless(fleet.concurrency == Concurrency::EventLoop, "`concurrency` is \"workers\": only an event loop looks at it")
}

fn counts_memory(fleet: &Fleet, at: &Scope<'_>) -> Silence {
    let limited = fleet.heap_limit < Bytes::UNLIMITED;
    first_of([is_event_loop(fleet, at), unless(limited, "without `heap_limit` memory is not counted")])
}

fn uses_memory(fleet: &Fleet, at: &Scope<'_>) -> Silence {
    let spools =
        fleet.calls.iter().any(|(_, plan)| plan.spool.as_ref().is_some_and(|spool| spool.to == SpoolTo::Memory));
    let leaks = at.world.has_fault_of(at.name(1), |fault| matches!(fault, Fault::MemoryLeak(_)));
    if spools || leaks { None } else { is_event_loop(fleet, at) }
}

fn takes_any(fleet: &Fleet, _: &Scope<'_>) -> Silence {
    let counted = fleet.shedding.as_ref().is_some_and(|shedding| shedding.pending.is_some());
    first_of([
        unless(fleet.concurrency == Concurrency::Workers, "an event loop accepts every connection at once"),
        unless(!counted, "`shedding.pending` bounds what is accepted: nothing waits to be"),
    ])
}

fn has_backlog(fleet: &Fleet, at: &Scope<'_>) -> Silence {
    // While a process stands still, the operating system accepts for it.
    let stands_still = at.world.has_fault_of(at.name(1), |fault| matches!(fault, Fault::Pause(_)));
    if stands_still { None } else { takes_any(fleet, at) }
}

fn has_accept_queue(fleet: &Fleet, at: &Scope<'_>) -> Silence {
    takes_any(fleet, at)
}

fn is_departed_from(fleet: &Fleet, at: &Scope<'_>) -> Silence {
    let balancer = &at.world.balancer;
    let ends = |limit: Option<Ns>| limit.is_some_and(|limit| limit < at.end);
    let gives_up = ends(balancer.idle_timeout) || ends(balancer.call_timeout);
    let cuts = balancer.on_marked_down == OnMarkedDown::ShutdownSessions;
    let closes = balancer.abort_on_close && balancer.close_on_departure;
    let checks = balancer.health.enabled && fleet.is_checked_in_line();
    unless(
        gives_up || cuts || closes || checks || at.world.has_link_faults(),
        "the balancer never leaves a call that a server has: it has no `idle_timeout` shorter than the run and no \
         `close_on_departure`, and no check waits for a worker",
    )
}

fn may_die_of_errors(fleet: &Fleet, _: &Scope<'_>) -> Silence {
    let crashes = fleet.calls.iter().any(|(_, plan)| plan.can_kill());
    unless(crashes, "no call of this fleet has `on_error` or `on_severed` = \"crash\"")
}

impl Fleet {
    /// The balancer by which other services reach it.
    pub fn reached_by(&self) -> Balancer {
        self.balancer.clone().unwrap_or_else(Balancer::direct)
    }

    /// What failures of its store do to a kind of call.
    pub fn reactions(&self, plan: &CallPlan) -> Reactions {
        let pool = plan.pool.as_ref().or(plan.asks.as_ref()).and_then(|name| self.pools.get(&name.text));
        Reactions {
            on_error: plan.on_error,
            on_severed: plan.on_severed,
            retry_at_most: plan.retry_at_most,
            no_connection: pool.map_or_else(|| Pool::default().status, |pool| pool.status),
        }
    }

    /// Its pools: first one for each of the stores, in their order, then those that have names of their own; each with its
    /// store and its settings.
    pub fn all_pools<'a>(&'a self, stores: &'a Named<Store>) -> impl Iterator<Item = (&'a str, u16, Pool)> {
        let own = |name: &str| self.pools.get(name).cloned().unwrap_or_default();
        let by_store = stores.names().enumerate().map(move |(at, name)| (name, at as u16, own(name)));
        let further = self.pools.iter().filter_map(|(name, pool)| {
            let at = stores.index(&pool.store.as_ref()?.text)?;
            stores.index(name).is_none().then(|| (name, at as u16, pool.clone()))
        });
        by_store.chain(further)
    }

    /// The place among [`Fleet::all_pools`] of the one out of which a kind of call takes its connections.
    pub fn pool_of(&self, plan: &CallPlan, stores: &Named<Store>) -> Option<u16> {
        let name = &plan.pool.as_ref().or(plan.asks.as_ref())?.text;
        self.all_pools(stores).position(|(pool, ..)| pool == name).map(|at| at as u16)
    }

    /// What a health check does: the last plan of a fleet.
    pub fn check_plan(&self) -> CallPlan {
        let deep = matches!(self.health.kind, CheckKind::Deep | CheckKind::Cached);
        CallPlan {
            work: Distribution::Constant(self.health.work),
            asks: if deep { self.checked_store().cloned() } else { None },
            service: self.health.service.clone(),
            pool: self.health.pool.clone(),
            timeout: Some(self.health.timeout),
            ..CallPlan::default()
        }
    }

    /// Whether the balancer sends calls of this kind here.
    pub fn is_for(&self, kind: &str) -> bool {
        self.serves.as_ref().is_none_or(|kinds| kinds.iter().any(|name| name.text == kind))
    }

    /// Workers of a pool, each busy with one call; none for an event loop.
    pub fn pool_of_workers(&self) -> Option<u32> {
        (self.concurrency == Concurrency::Workers).then_some(self.workers)
    }
    /// Workers, or cores of an event loop.
    pub fn workers_or_cores(&self) -> u32 {
        if self.concurrency == Concurrency::EventLoop { self.cores } else { self.workers }
    }

    /// How many calls may wait to be accepted while the process runs.
    pub fn room(&self) -> u32 {
        match &self.shedding {
            // Who counts what is pending has accepted it.
            Some(shedding) if shedding.pending.is_some() => u32::MAX,
            _ if self.concurrency == Concurrency::EventLoop => u32::MAX,
            _ => listen::room(self.backlog).saturating_add(self.accept_queue),
        }
    }

    /// What it does for a kind of call, if calls of that kind come here.
    pub fn plan(&self, kind: &str) -> Option<(u16, &CallPlan)> {
        let at = self.calls.index(kind).filter(|_| self.is_for(kind))?;
        Some((at as u16, &self.calls.0[at].1))
    }
}

/// One server's connections to one store, or to a part of them.
#[derive(Default)]
pub struct PoolState {
    /// The store.
    pub store: u16,
    size: u32,
    queue: u32,
    /// Connections open or being opened.
    pub open: u32,
    /// Of those, not in use.
    pub idle: u32,
    /// Connections that the store counts for this server.
    pub at_store: u32,
    waiting: VecDeque<Ref>,
    /// How many calls wait for one.
    pub waits: u32,
}

/// A server.
pub struct Server {
    /// Its fleet.
    pub fleet: u16,
    /// Whether its process runs.
    pub alive: bool,
    /// How often the process has died.
    pub incarnation: u32,
    /// Whether its death is under way.
    dying: bool,
    /// Last result of a cached health check's query.
    pub cached_ok: bool,
    workers: u32,
    /// Workers (or cores) busy.
    pub busy: u32,
    room: u32,
    queue: VecDeque<Ref>,
    /// Tries that it has, in no order.
    active: Vec<Ref>,
    /// Asks of their plans that are under way, in no order.
    errands: Vec<Ref>,
    /// By store and key: who waits for another that gets it.
    flights: BTreeMap<(u16, u32), Vec<Ref>>,
    memory: u64,
    /// Pools: one for each store, in their order, then those with names of their own.
    pub pools: Vec<PoolState>,
    /// What stands before the work of each kind of call, and before its store; by plan.
    guards: Vec<Option<Box<Guard>>>,
    limiter: Option<Limiter>,
    starting_work: bool,
    /// Faults in force.
    pub stack: Stack,
    /// What they make of it.
    pub knobs: ServerKnobs,
    /// What it has lost, and what waits while it stands still.
    troubles: Troubles,
    /// Whether it is an event loop.
    is_event_loop: bool,
    /// Whether nothing stands before its work: no guard, no limit, no shedding.
    is_plain: bool,
}

impl Server {
    /// Calls waiting to be accepted.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }
    /// Whether one more connect finds no room; a worker that is free takes it at once.
    #[inline(always)]
    fn is_full(&self) -> bool {
        self.busy >= self.workers && listen::arrival(true, self.queue.len() as u32, self.room) == Arrival::Unanswered
    }
    /// Calls and checks that it has.
    pub fn pending(&self) -> usize {
        self.active.len()
    }
    /// The try that it took on last, as long as no other has left since.
    pub fn last_taken_on(&self) -> Option<Ref> {
        self.active.last().copied()
    }
    /// Its pools of connections to a store.
    pub fn pools_to(&self, store: u16) -> impl Iterator<Item = &PoolState> {
        self.pools.iter().filter(move |pool| pool.store == store)
    }
    /// Calls in its spools, those on their way to the store included.
    pub fn spooled(&self) -> usize {
        self.guards.iter().flatten().map(|guard| guard.spooled()).sum()
    }
    /// Most calls that any one of its spools has held since this was last asked.
    pub fn take_spool_peak(&mut self) -> usize {
        self.guards.iter_mut().flatten().map(|guard| guard.take_spool_peak()).max().unwrap_or(0)
    }
}

impl World {
    /// Sets up plans, servers and backends.
    pub(crate) fn open_fleets<K: Kernel>(&mut self, k: &mut K) {
        let spec = self.spec.clone();
        for (fleet, (name, f)) in spec.fleets.iter().enumerate() {
            let mut plans = self.compile_calls(k, fleet, f);
            plans.push(self.compile(k, f, "", &f.check_plan()));
            for _ in 0..f.count {
                let server = self.new_server(fleet as u16, f, &plans);
                self.servers.push(server);
            }
            self.plans.push(plans);
            let balancer = if spec.is_reached(name) { spec.balancer.clone() } else { f.reached_by() };
            self.open_route(k, balancer, fleet as u16);
        }
        self.open_ways(k);
    }

    /// Opens a way to the servers of a fleet.
    fn open_route<K: Kernel>(&mut self, k: &mut K, balancer: Balancer, fleet: u16) -> u16 {
        let (route, seats) = (self.backends.len() as u16, self.seats.len() as u32);
        let first = self.spec.fleets.0[..fleet as usize].iter().map(|(_, spec)| spec.count).sum::<u32>();
        let servers = first..first + self.spec.fleets.0[fleet as usize].1.count;
        self.seats.extend(servers.clone().map(|server| Seat { route, server }));
        self.connections.resize(self.seats.len(), 0);
        self.backends.push(Backend::new(k, balancer, fleet, servers, seats, self.plans[fleet as usize].len()));
        route
    }

    fn new_server(&self, fleet: u16, f: &Fleet, plans: &[ResolvedPlan]) -> Server {
        let is_cache = |store: u16| self.spec.stores.0[store as usize].1.cache.is_some();
        let pool = |(name, store, spec): (&str, u16, Pool)| PoolState {
            store,
            // A cache is asked over as many connections as there are calls, unless the file says otherwise.
            size: if is_cache(store) && f.pools.get(name).is_none() { u32::MAX } else { spec.size },
            queue: spec.queue.unwrap_or(u32::MAX),
            ..PoolState::default()
        };
        let guards: Vec<_> = plans.iter().map(Guard::of).collect();
        Server {
            fleet,
            alive: true,
            incarnation: 0,
            dying: false,
            cached_ok: true,
            workers: f.workers_or_cores(),
            busy: 0,
            room: f.room(),
            queue: VecDeque::new(),
            active: Vec::new(),
            errands: Vec::new(),
            flights: BTreeMap::new(),
            memory: 0,
            pools: f.all_pools(&self.spec.stores).map(pool).collect(),
            is_plain: guards.iter().all(Option::is_none) && f.limit.is_none() && f.shedding.is_none(),
            guards,
            limiter: f.limit.as_ref().map(Limiter::new),
            starting_work: false,
            stack: Stack::default(),
            knobs: ServerKnobs::default(),
            troubles: Troubles::default(),
            is_event_loop: f.concurrency == Concurrency::EventLoop,
        }
    }

    fn fleet_of(&self, server: u32) -> &Fleet {
        &self.spec.fleets.0[self.servers[server as usize].fleet as usize].1
    }
}
