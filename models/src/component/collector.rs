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

use crate::component::balancer::Backend;
use crate::component::clients::Connection;
use crate::kernel::{Event, Fact, Kernel, Lane, Timer};
use crate::ledger::Cause;
use crate::policy::bulkhead::{Admission, Bulkhead, Limit};
use crate::random::{Distribution, Purpose as Draw, draw};
use crate::setting::{Name, Named};
use crate::slab::Ref;
use crate::units::{Bytes, Ns};
use crate::world::{Back, Front, Purpose, Query, QueryState, Try, World};
use crate::{choices, settings};
use std::collections::VecDeque;

choices! {
    /// How a process runs calls side by side.
    pub enum Concurrency = Workers {
        /// A pool of workers: a call holds one from start to answer, waiting for a store included.
        Workers = "workers",
        /// An event loop: a call holds a core only while it computes; pending calls hold memory.
        EventLoop = "event-loop",
    }
}

choices! {
    /// What the process does when a store fails a call.
    pub enum OnFailure = Fail {
        /// The call fails with a 500.
        Fail = "fail",
        /// The call tries again every `retry_every`, until its timeout.
        Retry = "retry",
        /// Nobody handles the error: the process dies.
        Crash = "crash",
    }
}

settings! {
    /// What a server does for one kind of call.
    pub struct CallPlan {
        /// Computing time, before any store is asked. [time or distribution]
        pub work: Distribution = Distribution::default();
        /// A store that takes one append after the work; the call's data is stored by it.
        pub appends: Option<Name> = None;
        /// A store that is queried after the work.
        pub asks: Option<Name> = None;
        /// Whether the query writes: then the call's data is stored by it. Otherwise the call only reads.
        pub writes: bool = false;
        /// One deadline over getting a connection, connecting and the query. [time]
        pub timeout: Ns = Ns::secs(30), "1ms" ..= "24h";
        /// Bound on connecting alone; none: only `timeout`. [time]
        pub connect_timeout: Option<Ns> = None, "1ms" ..= "24h";
        /// Bound on the query alone; none: only `timeout`. [time]
        pub query_timeout: Option<Ns> = None, "1ms" ..= "24h";
        /// What an error, a refusal or a timeout of the store does.
        pub on_error: OnFailure = OnFailure::Fail;
        /// What a severed connection does, to the call that uses it; with `crash`, a severed idle connection kills the process too.
        pub on_severed: OnFailure = OnFailure::Fail;
        /// Pause between tries in place. [time]
        pub retry_every: Ns = Ns::millis(500), "1ms" ..= "1h";
        /// Bulkhead: at most so many of these calls at once, a count or a share of the workers; none: no bulkhead.
        pub at_most: Option<Limit> = None;
        /// Bulkhead: so many more may wait (each holding its worker); the rest get a 503 at once.
        pub queue: u32 = 0, 0 ..= 1000000;
        /// Bulkhead: longest wait, then 503; none: as `timeout`. [time]
        pub wait: Option<Ns> = None, "1ms" ..= "24h";
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
    pub struct HealthEndpoint (shorthand = HealthEndpoint::named) {
        /// Who answers, and what it looks at.
        pub kind: CheckKind = CheckKind::Shared;
        /// Computing time of a check. [time]
        pub work: Ns = Ns::ZERO, "0s" ..= "1min";
        /// The store that a deep or cached check queries.
        pub asks: Option<Name> = None;
        /// Deadline of that query, connection included. [time]
        pub timeout: Ns = Ns::secs(1), "1ms" ..= "1h";
        /// How often a cached check queries. [time]
        pub every: Ns = Ns::secs(5), "10ms" ..= "1h";
    }
}

impl HealthEndpoint {
    fn named(word: &str) -> Option<HealthEndpoint> {
        let kind = *CheckKind::ALL.iter().find(|k| k.word() == word)?;
        Some(HealthEndpoint { kind, ..HealthEndpoint::default() })
    }
}

settings! {
    /// Connections that one server keeps to one store.
    pub struct Pool {
        /// Most connections.
        pub size: u32 = 10, 1 ..= 100000;
        /// Most calls that wait for a connection; one more fails at once. None: no bound.
        pub queue: Option<u32> = None, 0 ..= 10000000;
    }
}

settings! {
    /// What happens after the process dies.
    pub struct Restart {
        /// Pause before the supervisor starts it again. [time]
        pub delay: Ns = Ns::secs(1), "0s" ..= "24h";
        /// Time from then until it listens. [time]
        pub boot: Ns = Ns::ZERO, "0s" ..= "1h";
        /// A store that it must reach to start; while it cannot, it dies again at once.
        pub needs: Option<Name> = None;
    }
}

settings! {
    /// A fleet of servers of one kind.
    pub struct Fleet {
        /// How many servers.
        pub count: u32 = 1, 1 ..= 100000;
        /// Workers or event loop.
        pub concurrency: Concurrency = Concurrency::Workers;
        /// Workers of a server.
        pub workers: u32 = 8, 1 ..= 1000000;
        /// Cores of an event loop (Node.js: 1).
        pub cores: u32 = 1, 1 ..= 1000;
        /// Memory that a pending call holds in an event loop. [size]
        pub memory_per_call: Bytes = Bytes(50_000);
        /// Memory of pending calls at which the process dies; "none": no limit. [size]
        pub heap_limit: Bytes = Bytes::UNLIMITED;
        /// Listen backlog: so many connections, and one more, wait in the operating system (Linux). [connections]
        pub backlog: u32 = 128, 0 ..= 1000000;
        /// A queue of the process's own behind it, filled by an accepting thread (gunicorn: 1,000 and more). [calls]
        pub accept_queue: u32 = 0, 0 ..= 10000000;
        /// Whether a worker looks, before it starts a call, if the other side has left, and then skips it.
        pub notices_departure: bool = false;
        /// The health endpoint.
        pub health: HealthEndpoint = HealthEndpoint::default();
        /// The kinds of call it serves.
        pub calls: Named<CallPlan> = Named::default();
        /// Connection pools, by store; a store not listed gets the default pool.
        pub pools: Named<Pool> = Named::default();
        /// How long a process whose error nobody handles goes on serving before it is gone. [time]
        pub dies_after: Ns = Ns::ZERO, "0s" ..= "1min";
        /// What the supervisor does then.
        pub restart: Restart = Restart::default();
    }
}

/// The plan of a kind of call with everything looked up.
pub struct PlanAt {
    work: Distribution,
    /// For constant work: the lane of its end, for a request that is there already and for one that is two hops away.
    work_lanes: Option<(Lane, Lane)>,
    /// The store it uses.
    pub store: Option<u16>,
    appends: bool,
    /// Whether the store's answer stores its data.
    pub writes: bool,
    deadline: Lane,
    connect_limit: Option<Lane>,
    query_limit: Option<Lane>,
    on_error: OnFailure,
    /// What a severed connection does.
    pub on_severed: OnFailure,
    retry_every: Ns,
    /// Limit and queue of its bulkhead.
    bulkhead: Option<(u32, u32)>,
    wait: Option<Lane>,
}

/// The bulkhead of one kind at one server.
struct BulkheadAt {
    gate: Bulkhead,
    waiting: VecDeque<Ref>,
}

/// One server's connections to one store.
#[derive(Default)]
pub struct PoolAt {
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
    memory: u64,
    /// Pools, by store.
    pub pools: Vec<PoolAt>,
    bulkheads: Vec<Option<BulkheadAt>>,
    starting_work: bool,
}

impl Server {
    /// Calls waiting to be accepted.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }
    /// Calls and checks that it has.
    pub fn pending(&self) -> usize {
        self.active.len()
    }
}

impl World {
    /// Sets up plans, servers and backends.
    pub(crate) fn open_fleets<K: Kernel>(&mut self, k: &mut K) {
        let spec = self.spec.clone();
        for (fleet, (_, f)) in spec.fleets.iter().enumerate() {
            let mut plans: Vec<PlanAt> = f.calls.iter().map(|(_, plan)| self.compile(k, f, plan)).collect();
            let deep = matches!(f.health.kind, CheckKind::Deep | CheckKind::Cached);
            let check = CallPlan {
                work: Distribution::Constant(f.health.work),
                asks: if deep { f.health.asks.clone() } else { None },
                timeout: f.health.timeout,
                ..CallPlan::default()
            };
            plans.push(self.compile(k, f, &check));
            let first = self.servers.len() as u32;
            for _ in 0..f.count {
                let server = self.new_server(fleet as u16, f, &plans);
                self.servers.push(server);
                self.connections.push(0);
            }
            let up =
                spec.balancer.health.initial == crate::policy::health::Initial::Up || !spec.balancer.health.enabled;
            let servers = if up { (first..first + f.count).collect() } else { Vec::new() };
            self.backends.push(Backend::new(servers, plans.len()));
            self.plans.push(plans);
        }
    }

    fn compile<K: Kernel>(&self, k: &mut K, fleet: &Fleet, plan: &CallPlan) -> PlanAt {
        let handshake = Ns(self.spec.network.servers.latency.0 * 2);
        let store = |name: &Option<Name>| name.as_ref().and_then(|n| self.spec.stores.index(&n.text)).map(|i| i as u16);
        PlanAt {
            work: plan.work.clone(),
            work_lanes: match plan.work {
                Distribution::Constant(time) => Some((k.lane(time), k.lane(time.plus(handshake)))),
                _ => None,
            },
            store: store(&plan.appends).or(store(&plan.asks)),
            appends: plan.appends.is_some(),
            writes: plan.writes || plan.appends.is_some(),
            deadline: k.timer_lane(plan.timeout),
            connect_limit: plan.connect_timeout.map(|limit| k.timer_lane(limit)),
            query_limit: plan.query_timeout.map(|limit| k.timer_lane(limit)),
            on_error: plan.on_error,
            on_severed: plan.on_severed,
            retry_every: plan.retry_every,
            bulkhead: plan.at_most.map(|limit| (limit.of(fleet.workers), plan.queue)),
            wait: plan.at_most.map(|_| k.timer_lane(plan.wait.unwrap_or(plan.timeout))),
        }
    }

    fn new_server(&self, fleet: u16, f: &Fleet, plans: &[PlanAt]) -> Server {
        let pool = |store: &str| {
            let spec = f.pools.get(store).cloned().unwrap_or_default();
            PoolAt { size: spec.size, queue: spec.queue.unwrap_or(u32::MAX), ..PoolAt::default() }
        };
        let event_loop = f.concurrency == Concurrency::EventLoop;
        Server {
            fleet,
            alive: true,
            incarnation: 0,
            dying: false,
            cached_ok: true,
            workers: if event_loop { f.cores } else { f.workers },
            busy: 0,
            room: if event_loop { u32::MAX } else { f.backlog.saturating_add(1).saturating_add(f.accept_queue) },
            queue: VecDeque::new(),
            active: Vec::new(),
            memory: 0,
            pools: self.spec.stores.names().map(pool).collect(),
            bulkheads: plans
                .iter()
                .map(|p| {
                    p.bulkhead.map(|(limit, queue)| BulkheadAt {
                        gate: Bulkhead::new(limit, queue),
                        waiting: VecDeque::new(),
                    })
                })
                .collect(),
            starting_work: false,
        }
    }

    /// The plan of health checks: the last one of a fleet.
    pub(crate) fn check_plan(&self, fleet: u16) -> u16 {
        (self.plans[fleet as usize].len() - 1) as u16
    }

    fn fleet_of(&self, server: u32) -> &Fleet {
        &self.spec.fleets.0[self.servers[server as usize].fleet as usize].1
    }

    /// A connect reaches the server: refused if nobody listens, unanswered if the backlog is full.
    pub(crate) fn at_server<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let Some(try_) = self.tries.get_mut(t).filter(|t| t.front == Front::Connecting) else { return };
        let server = &mut self.servers[try_.server as usize];
        if !server.alive {
            self.send_to_balancer(k, t, Event::Refused(t));
            return;
        }
        if server.busy >= server.workers && server.queue.len() as u32 >= server.room {
            self.connect_unanswered(k, t);
            return;
        }
        let per_call = self.spec.balancer.connection == Connection::PerCall;
        try_.place = server.active.len() as u32;
        server.active.push(t);
        let fleet = &self.spec.fleets.0[try_.fleet as usize].1;
        if fleet.concurrency == Concurrency::EventLoop {
            server.memory += fleet.memory_per_call.0;
            try_.back = Back::Arriving;
            let (full, number) = (server.memory > fleet.heap_limit.0, try_.server);
            self.accepted(k, t);
            if full {
                self.crash(k, number);
            } else if per_call {
                k.after(self.lanes.handshake, Event::RequestArrives(t));
            } else {
                self.enqueue(k, t);
            }
            return;
        }
        let hop = self.spec.network.servers.latency;
        try_.since = if per_call { k.now().plus(Ns(hop.0 * 2)) } else { k.now() };
        self.accepted(k, t);
        self.enqueue(k, t);
    }

    /// A connect that finds the backlog full is dropped; the other side sends it again after 1, 3, 7 ... seconds
    /// (Linux' initial retransmission timeout, doubled) until it gives up.
    fn connect_unanswered<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let Try { purpose, since, connects, dispatches, .. } = self.tries[t];
        let gives_up = since.plus(self.connect_limit(purpose));
        if connects == 1 {
            k.at(gives_up.max(k.now()), Event::ConnectTimeout(t, dispatches));
        }
        let again = since.plus(Ns::secs((1 << connects.min(40)) - 1)).plus(self.spec.network.servers.latency);
        if again < gives_up {
            self.tries[t].connects += 1;
            // On a link with much jitter the first may arrive after the second was sent.
            k.at(again.max(k.now()), Event::AtServer(t));
        }
    }

    /// The request of a fresh connection reaches an event loop.
    pub(crate) fn request_arrives<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        if self.tries.get(t).is_some_and(|t| t.back == Back::Arriving) {
            self.enqueue(k, t);
        }
    }

    fn enqueue<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let number = self.tries[t].server;
        let server = &mut self.servers[number as usize];
        if server.busy < server.workers && server.queue.is_empty() {
            self.start(k, t);
        } else {
            self.tries[t].back = Back::Queued;
            server.queue.push_back(t);
        }
    }

    /// Idle workers take what is queued. Not recursive: work that ends at once only loops here.
    fn work_on<K: Kernel>(&mut self, k: &mut K, number: u32) {
        if self.servers[number as usize].starting_work {
            return;
        }
        self.servers[number as usize].starting_work = true;
        loop {
            let server = &mut self.servers[number as usize];
            if server.busy >= server.workers {
                break;
            }
            let Some(t) = server.queue.pop_front() else { break };
            self.start(k, t);
        }
        self.servers[number as usize].starting_work = false;
    }

    /// A worker (or a core) takes a call.
    fn start<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let try_ = &mut self.tries[t];
        let server = &mut self.servers[try_.server as usize];
        debug_assert!(server.alive);
        server.busy += 1;
        try_.holds_worker = true;
        try_.back = Back::Working;
        let departed = try_.front == Front::Closed;
        if departed
            && self.spec.fleets.0[try_.fleet as usize].1.notices_departure
            && try_.purpose != Purpose::Background
        {
            self.finish(k, t, 499, Cause::ClientLeft);
            return;
        }
        let (fleet, plan) = (try_.fleet as usize, try_.plan as usize);
        let event_loop = self.spec.fleets.0[fleet].1.concurrency == Concurrency::EventLoop;
        if !try_.in_bulkhead
            && let Some(bulkhead) = &mut server.bulkheads[plan]
        {
            match bulkhead.gate.on_arrival() {
                Admission::Enter => try_.in_bulkhead = true,
                Admission::Reject => {
                    self.finish(k, t, 503, Cause::BulkheadFull);
                    return;
                }
                Admission::Wait => {
                    try_.back = Back::AtBulkhead;
                    bulkhead.waiting.push_back(t);
                    if let Some(wait) = self.plans[fleet][plan].wait {
                        try_.step_timer = k.arm(wait, Event::BulkheadTimeout(t));
                    }
                    if event_loop {
                        // A worker waits with its call; a core goes on with the next.
                        try_.holds_worker = false;
                        server.busy -= 1;
                    }
                    return;
                }
            }
        }
        self.work(k, t);
    }

    /// Computing begins; a request that is still on its way is waited for.
    fn work<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let try_ = &mut self.tries[t];
        try_.back = Back::Working;
        let plan = &self.plans[try_.fleet as usize][try_.plan as usize];
        let event = Event::WorkDone(t, try_.dispatches);
        let gap = try_.since.minus(k.now());
        match plan.work_lanes {
            Some((lane, _)) if gap == Ns::ZERO => k.after(lane, event),
            Some((_, lane)) if gap.0 == self.spec.network.servers.latency.0 * 2 => k.after(lane, event),
            _ => {
                let time = plan.work.sample(try_.salt, Draw::Work, u32::from(try_.attempt));
                k.at(k.now().plus(gap).plus(time), event);
            }
        }
    }

    /// The computing time of a call is over.
    pub(crate) fn work_done<K: Kernel>(&mut self, k: &mut K, t: Ref, dispatch: u16) {
        let Some(try_) = self.tries.get_mut(t) else { return };
        if try_.back != Back::Working || try_.dispatches != dispatch {
            return;
        }
        let (number, fleet) = (try_.server, try_.fleet as usize);
        let plan = &self.plans[fleet][try_.plan as usize];
        let Some(store) = plan.store else {
            self.finish(k, t, 200, Cause::ClientLeft);
            return;
        };
        if plan.appends && self.stores[store as usize].is_instant() {
            let (call, gone) = (try_.call, try_.client_gone);
            self.stored(k, call, gone);
            self.finish(k, t, 200, Cause::ClientLeft);
            return;
        }
        if self.spec.fleets.0[fleet].1.concurrency == Concurrency::EventLoop {
            try_.holds_worker = false;
            self.servers[number as usize].busy -= 1;
            self.ask(k, t);
            self.work_on(k, number);
        } else {
            self.ask(k, t);
        }
    }

    /// A wait for the bulkhead was too long.
    pub(crate) fn bulkhead_timed_out<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let try_ = &mut self.tries[t];
        try_.step_timer = Timer::NONE;
        let Try { server, plan, .. } = *try_;
        if let Some(bulkhead) = &mut self.servers[server as usize].bulkheads[plan as usize] {
            bulkhead.gate.on_give_up();
            bulkhead.waiting.retain(|w| *w != t);
        }
        self.finish(k, t, 503, Cause::BulkheadFull);
    }

    /// The server is done with a try: its answer goes out, its worker takes the next.
    pub(crate) fn finish<K: Kernel>(&mut self, k: &mut K, t: Ref, status: u16, cause: Cause) {
        let try_ = &mut self.tries[t];
        try_.status = status;
        if status != 200 {
            try_.cause = cause;
        }
        if try_.ask_timer != Timer::NONE {
            k.cancel(try_.ask_timer);
        }
        if try_.step_timer != Timer::NONE {
            k.cancel(try_.step_timer);
        }
        try_.ask_timer = Timer::NONE;
        try_.step_timer = Timer::NONE;
        try_.back = Back::None;
        let (number, plan, in_bulkhead, held) = (try_.server, try_.plan as usize, try_.in_bulkhead, try_.holds_worker);
        let (purpose, front, fleet) = (try_.purpose, try_.front, try_.fleet as usize);
        try_.in_bulkhead = false;
        try_.holds_worker = false;
        self.forget(t);
        let server = &mut self.servers[number as usize];
        if self.spec.fleets.0[fleet].1.concurrency == Concurrency::EventLoop && purpose != Purpose::Background {
            server.memory -= self.spec.fleets.0[fleet].1.memory_per_call.0;
        }
        if held {
            server.busy -= 1;
        }
        if purpose == Purpose::Background {
            server.cached_ok = status == 200;
        }
        let mut enters = None;
        if in_bulkhead
            && let Some(bulkhead) = &mut server.bulkheads[plan]
            && bulkhead.gate.on_exit()
        {
            enters = bulkhead.waiting.pop_front();
        }
        if front == Front::Waiting {
            self.send_to_balancer(k, t, Event::Reply(t));
        } else {
            self.end_if_done(k, t);
        }
        if let Some(next) = enters {
            let entering = &mut self.tries[next];
            k.cancel(entering.step_timer);
            entering.step_timer = Timer::NONE;
            entering.in_bulkhead = true;
            if entering.holds_worker {
                self.work(k, next);
            } else {
                self.enqueue(k, next);
            }
        }
        if held && !self.servers[number as usize].queue.is_empty() {
            self.work_on(k, number);
        }
    }

    /// Takes a try off its server's list.
    fn forget(&mut self, t: Ref) {
        let Try { server, place, .. } = self.tries[t];
        let active = &mut self.servers[server as usize].active;
        debug_assert_eq!(active[place as usize], t);
        active.swap_remove(place as usize);
        if let Some(moved) = active.get(place as usize) {
            self.tries[*moved].place = place;
        }
    }

    /// Asks the store of a try's plan: a connection, then the query, under one deadline.
    fn ask<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let try_ = &mut self.tries[t];
        try_.asks += 1;
        let plan = &self.plans[try_.fleet as usize][try_.plan as usize];
        if try_.ask_timer == Timer::NONE {
            try_.ask_timer = k.arm(plan.deadline, Event::AskDeadline(t));
        }
        let Some(store) = plan.store else { return };
        if plan.appends {
            // A log's producer keeps its connection: no pool.
            self.query(k, t);
            return;
        }
        let pool = &mut self.servers[try_.server as usize].pools[store as usize];
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
        } else {
            self.ask_failed(k, t, Cause::PoolTimeout);
        }
    }

    fn connect<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let try_ = &mut self.tries[t];
        try_.back = Back::Connecting;
        try_.at_store = false;
        let plan = &self.plans[try_.fleet as usize][try_.plan as usize];
        if let Some(limit) = plan.connect_limit {
            try_.step_timer = k.arm(limit, Event::AskStepTimeout(t));
        }
        self.send_to_store(k, t, Event::ConnectAtStore(t));
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
            try_.step_timer = k.arm(limit, Event::AskStepTimeout(t));
        }
        let writes = plan.writes && try_.purpose == Purpose::Call;
        let query = Query {
            asker: t,
            call: if writes { try_.call } else { Ref::NONE },
            salt: try_.salt,
            asks: try_.asks,
            store,
            writes,
            state: QueryState::Sent,
        };
        let q = self.queries.insert(query);
        self.tries[t].query = q;
        if writes {
            let call = self.tries[t].call;
            self.calls[call].legs += 1;
        }
        self.send_to_store(k, t, Event::QueryAtStore(q));
    }

    /// The store's answer is here; the connection is free for the next.
    pub(crate) fn query_reply<K: Kernel>(&mut self, k: &mut K, t: Ref, error: bool) {
        let Some(try_) = self.tries.get_mut(t).filter(|t| t.back == Back::Querying) else { return };
        try_.query = Ref::NONE;
        self.leave_pool(k, t, true);
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
            self.ask_failed(k, t, Cause::StoreRefused);
        }
    }

    /// The store cut the connection.
    pub(crate) fn ask_severed<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        if self.tries.get(t).is_some_and(|t| t.back == Back::Querying) {
            self.tries[t].query = Ref::NONE;
            self.leave_pool(k, t, false);
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
            let (server, store) = (try_.server, self.plans[try_.fleet as usize][try_.plan as usize].store);
            if let Some(store) = store {
                self.servers[server as usize].pools[store as usize].waits -= 1;
            }
        } else if try_.back != Back::Pausing {
            try_.query = Ref::NONE;
            self.leave_pool(k, t, false);
        }
        // Out of time: there is no trying again in place.
        self.finish(k, t, if self.tries[t].purpose == Purpose::Call { 500 } else { 503 }, cause);
    }

    /// A store failed a try: it fails, tries again in place, or takes the process with it.
    fn ask_failed<K: Kernel>(&mut self, k: &mut K, t: Ref, cause: Cause) {
        let try_ = &mut self.tries[t];
        if try_.step_timer != Timer::NONE {
            k.cancel(try_.step_timer);
            try_.step_timer = Timer::NONE;
        }
        if try_.purpose != Purpose::Call {
            self.finish(k, t, 503, cause);
            return;
        }
        let plan = &self.plans[try_.fleet as usize][try_.plan as usize];
        let reaction = if cause == Cause::StoreSevered { plan.on_severed } else { plan.on_error };
        match reaction {
            OnFailure::Fail => self.finish(k, t, 500, cause),
            OnFailure::Retry => {
                try_.back = Back::Pausing;
                try_.cause = cause;
                k.at(k.now().plus(plan.retry_every), Event::AskAgain(t));
            }
            OnFailure::Crash => {
                let server = try_.server;
                if self.fleet_of(server).dies_after == Ns::ZERO {
                    self.crash(k, server);
                } else {
                    self.finish(k, t, 500, cause);
                    self.begin_to_die(k, server, Ns::ZERO);
                }
            }
        }
    }

    /// The pause before a try in place is over.
    pub(crate) fn ask_again<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        if self.tries.get(t).is_some_and(|t| t.back == Back::Pausing) {
            self.ask(k, t);
        }
    }

    /// A try gives its connection back, alive or not; whoever waits gets it, or opens another.
    fn leave_pool<K: Kernel>(&mut self, k: &mut K, t: Ref, alive: bool) {
        let try_ = &mut self.tries[t];
        let plan = &self.plans[try_.fleet as usize][try_.plan as usize];
        let Some(store) = plan.store else { return };
        if plan.appends {
            return;
        }
        let (number, counted) = (try_.server, std::mem::take(&mut try_.at_store));
        let pool = &mut self.servers[number as usize].pools[store as usize];
        if alive {
            pool.idle += 1;
        } else {
            pool.open -= 1;
            if counted {
                pool.at_store -= 1;
                self.stores[store as usize].open -= 1;
            }
        }
        self.serve_pool(k, number, store);
    }

    /// Those who wait for a connection get what there is.
    pub(crate) fn serve_pool<K: Kernel>(&mut self, k: &mut K, number: u32, store: u16) {
        loop {
            let pool = &mut self.servers[number as usize].pools[store as usize];
            if pool.waits == 0 || (pool.idle == 0 && pool.open >= pool.size) {
                return;
            }
            let Some(next) = pool.waiting.pop_front() else { return };
            if self.tries.get(next).is_none_or(|t| t.back != Back::AtPool || t.server != number) {
                continue;
            }
            pool.waits -= 1;
            if pool.idle > 0 {
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
        k.at(k.now().plus(self.fleet_of(number).health.every), Event::CachedQuery(number));
        if !self.servers[number as usize].alive {
            return;
        }
        let salt = draw(u64::from(number), Draw::Query, k.now().0 as u32);
        let mut background = Try::new(Ref::NONE, salt, 0, fleet, self.check_plan(fleet));
        background.purpose = Purpose::Background;
        background.server = number;
        background.front = Front::Closed;
        background.back = Back::Working;
        let server = &mut self.servers[number as usize];
        background.place = server.active.len() as u32;
        let t = self.tries.insert(background);
        self.servers[number as usize].active.push(t);
        self.ask(k, t);
    }

    /// An error that nobody handles: the process will be gone shortly.
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
        server.cached_ok = true;
        server.queue.clear();
        for bulkhead in server.bulkheads.iter_mut().flatten() {
            bulkhead.gate.reset();
            bulkhead.waiting.clear();
        }
        for (store, pool) in server.pools.iter_mut().enumerate() {
            self.stores[store].open -= pool.at_store;
            *pool = PoolAt { size: pool.size, queue: pool.queue, ..PoolAt::default() };
        }
        let incarnation = server.incarnation;
        k.record(Fact::Process { server: number, alive: false });
        for t in std::mem::take(&mut self.servers[number as usize].active) {
            self.lose(k, t);
        }
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
        try_.cause = Cause::Crashed;
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
        k.record(Fact::Process { server: number, alive: true });
    }
}
