//! A collector: the process of a server, as an engineer would write it.
//!
//! Either a fixed pool of workers that accept directly, one connection each, or a process that accepts everything and
//! has few cores (an event loop), or many workers behind an accepting thread (where it sheds load, for which it must see
//! what waits). What stands before the work of a call, and how it asks its store, are in `guard` and `pool`.
//!
//! With [`Handler`] a user's own code takes the place of the built-in work: see `docs/services.md`.

mod asking;
mod guard;
mod pool;
mod spool;
mod turns;

pub use asking::{StoreConnection, StoreFailure, Stores};
pub use spool::Spool;

use crate::crew::Crew;
use crate::departure::{Departure, watched};
use crate::http::{Ticket, answer, serve_kept, serve_one, serve_seeing};
use crate::platform::{Either, Listener, Platform, first};
use crate::town::{Day, Exit, HEALTH, HTTP, Meter, ServerMeters, Town};
use asking::Asker;
use brownout_models::component::collector::{CallPlan, CheckKind, Concurrency, Fleet};
use brownout_models::component::probe::checks_of;
use brownout_models::fault::BadAnswer;
use brownout_models::ledger::Cause;
use brownout_models::policy::guards;
use brownout_models::random::{Purpose, draw, unit};
use brownout_models::units::Ns;
use bytes::Bytes;
use guard::{Guards, Inside};
use http_body_util::Full;
use hyper::Response;
use hyper::body::Incoming;
use pool::Pool;
use spool::Draining;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use turns::Turns;

/// A user's own collector, in the place of the built-in one.
///
/// One is made for each process that starts, so what it keeps (pools, caches, breakers) dies with the process. Brownout
/// accepts the connection, takes the request off it and sends the answer; everything between is the handler's.
pub trait Handler: Send + Sync + 'static {
    /// Answers a request; stores are reached through `stores`. A status from 200 to 299 tells the client that all is
    /// well; whether the call's data is stored, the store knows.
    fn handle<'a>(
        &'a self,
        request: hyper::Request<Incoming>,
        stores: Stores,
    ) -> Pin<Box<dyn Future<Output = Response<Full<Bytes>>> + Send + 'a>>;
}

/// Makes the handler of a process; none for the built-in one.
pub type MakeHandler = Arc<dyn Fn() -> Arc<dyn Handler> + Send + Sync>;

/// How a call ended at the server.
type Ended = (u16, Option<Cause>);

/// How the process has taken a request on.
struct Taken {
    /// When its connection was accepted.
    since: Ns,
    /// Whether a worker has it already; otherwise it waits its turn.
    has_worker: bool,
    /// Whether its sender has left, if the process looks.
    departure: Departure,
}

/// The process of a server.
pub(crate) struct Process<P> {
    platform: P,
    town: Town,
    server: u32,
    incarnation: u32,
    pools: Vec<Pool<P>>,
    /// By kind of call.
    spools: Vec<Option<Draining>>,
    guards: Guards,
    turns: Turns,
    meters: ServerMeters,
    /// Calls and checks that this process has.
    pending: Meter,
    cached_ok: AtomicBool,
    handler: Option<Arc<dyn Handler>>,
    check: CallPlan,
}

/// Runs the process of a server until it is killed.
pub async fn run<P: Platform>(platform: P, town: Town, server: u32, make: Option<MakeHandler>) {
    let fleet = town.fleet_of(server).clone();
    let crew = Crew::new(&platform);
    let event_loop = fleet.concurrency == Concurrency::EventLoop;
    let process = Arc::new(Process {
        incarnation: town.witness().starts(server),
        pools: Pool::all(&platform, &town, server),
        spools: town.spools_of(server).iter().map(Draining::of).collect(),
        guards: Guards::new(&fleet),
        turns: Turns::new(if event_loop { fleet.cores } else { fleet.workers }),
        meters: town.server_meters(server).clone(),
        pending: Meter::default(),
        cached_ok: AtomicBool::new(true),
        handler: make.map(|make| make()),
        check: fleet.check_plan(),
        platform: platform.clone(),
        town,
        server,
    });
    match fleet.health.kind {
        CheckKind::Shallow | CheckKind::Cached => platform.spawn(process.clone().answer_checks()),
        CheckKind::Shared | CheckKind::Deep => {}
    }
    if fleet.health.kind == CheckKind::Cached && process.check.asks.is_some() {
        platform.spawn(process.clone().query_in_background());
    }
    for at in (0..process.spools.len()).filter(|at| process.spools[*at].is_some()) {
        platform.spawn(process.clone().drain(at));
    }
    if process.town.leaks() {
        platform.spawn(process.clone().follow_leaks());
    }
    if process.town.spec().balancer.keeping(process.town.spec()).is_some() {
        process.accept_kept(crew, &fleet).await;
    } else if event_loop || fleet.shedding.is_some() {
        process.accept_all(crew).await;
    } else {
        process.accept_by_workers(&fleet).await;
    }
}

impl<P: Platform> Process<P> {
    fn fleet(&self) -> &Fleet {
        self.town.fleet_of(self.server)
    }

    /// A pool of workers: each accepts a connection, serves it, closes it, and takes the next.
    async fn accept_by_workers(self: Arc<Self>, fleet: &Fleet) {
        let room = fleet.backlog.saturating_add(1).saturating_add(fleet.accept_queue);
        let door = self.town.server_door(self.server, HTTP);
        let Ok(listener) = self.platform.listen(door, room, self.town.server_way()).await else { return };
        let listener = Arc::new(listener);
        for number in 1..fleet.workers {
            self.platform.spawn(self.clone().work(listener.clone(), fleet.workers - number));
        }
        self.work(listener, fleet.workers).await;
    }

    /// A worker, which is lost when so many are.
    async fn work(self: Arc<Self>, listener: Arc<P::Listener>, lost_with: u32) {
        let server = self.server as usize;
        let is_lost =
            |lost: bool| self.town.day().wait_for(move |day| (day.servers[server].lost_workers >= lost_with) == lost);
        let leaks = self.town.leaks();
        loop {
            let accepted = if leaks {
                is_lost(false).await;
                let Either::Left(accepted) = first(listener.accept(), is_lost(true)).await else { continue };
                accepted
            } else {
                listener.accept().await
            };
            let Ok(stream) = accepted else { return };
            let since = self.platform.now();
            let _busy = (self.meters.busy.hold(), self.meters.pending.hold());
            let looks = self.fleet().notices_departure;
            serve_seeing(stream, looks, |request, departure| {
                self.handle(request, Taken { since, has_worker: true, departure })
            })
            .await;
        }
    }

    /// A process that accepts whatever comes; a call then waits its turn for a core or a worker.
    async fn accept_all(self: Arc<Self>, crew: Crew<P>) {
        let door = self.town.server_door(self.server, HTTP);
        let Ok(listener) = self.platform.listen(door, u32::MAX, self.town.server_way()).await else { return };
        let fleet = self.fleet().clone();
        let event_loop = fleet.concurrency == Concurrency::EventLoop;
        while let Ok(stream) = listener.accept().await {
            let since = self.platform.now();
            let held = (self.pending.hold(), self.meters.pending.hold());
            if event_loop && self.is_over_its_heap() {
                self.die(Ns::ZERO).await;
            }
            let process = self.clone();
            crew.run(async move {
                let _held = held;
                let looks = process.fleet().notices_departure;
                serve_seeing(stream, looks, |request, departure| {
                    process.handle(request, Taken { since, has_worker: false, departure })
                })
                .await;
            });
        }
    }

    /// A process whose connections bring several calls: each waits its turn for a core or a worker, and an idle connection
    /// holds none.
    async fn accept_kept(self: Arc<Self>, crew: Crew<P>, fleet: &Fleet) {
        let takes_any = fleet.room() == u32::MAX;
        let door = self.town.server_door(self.server, HTTP);
        let Ok(listener) = self.platform.listen(door, fleet.room(), self.town.server_way()).await else { return };
        loop {
            if !takes_any {
                // A worker that is free accepts.
                drop(self.turns.take(false).await);
            }
            let Ok(stream) = listener.accept().await else { return };
            let process = self.clone();
            crew.run(async move {
                let theirs = process.fleet().keep_alive.clone().unwrap_or_default();
                let idle = || {
                    let platform = process.platform.clone();
                    async move {
                        match theirs.idle {
                            Some(idle) => platform.sleep(idle).await,
                            None => std::future::pending().await,
                        }
                    }
                };
                let trip = async { process.platform.sleep(process.town.server_way().latency).await };
                let (stream, departure) = watched(stream);
                let looks = process.fleet().notices_departure;
                serve_kept(stream, theirs.calls, idle, trip, |request| {
                    let (process, departure) = (&process, if looks { departure.clone() } else { Departure::default() });
                    async move {
                        let since = process.platform.now();
                        let _held = (process.pending.hold(), process.meters.pending.hold());
                        if process.fleet().concurrency == Concurrency::EventLoop && process.is_over_its_heap() {
                            process.die(Ns::ZERO).await;
                        }
                        process.handle(request, Taken { since, has_worker: false, departure }).await
                    }
                })
                .await;
            });
        }
    }

    /// Whether pending calls (in an event loop) and what is spooled in memory take more than the heap has.
    fn is_over_its_heap(&self) -> bool {
        let fleet = self.fleet();
        let pending = match fleet.concurrency {
            Concurrency::EventLoop => self.pending.count().saturating_mul(fleet.memory_per_call.0),
            Concurrency::Workers => 0,
        };
        let leaked = self.town.day().read(|day| day.servers[self.server as usize].lost_memory);
        pending.saturating_add(self.spooled_memory()).saturating_add(leaked) > fleet.heap_limit.0
    }

    /// Follows what leaks take from the process.
    async fn follow_leaks(self: Arc<Self>) {
        let day = self.town.day();
        let mut version = day.version();
        loop {
            day.changed_since(version).await;
            version = day.version();
            let (workers, memory) = day.read(|day| {
                let at = &day.servers[self.server as usize];
                (at.lost_workers, at.lost_memory)
            });
            self.turns.lose(workers);
            if memory > 0 && self.is_over_its_heap() {
                self.town.witness().relay(|relay| relay.died_of_memory(self.server));
                self.die(Ns::ZERO).await;
            }
        }
    }

    /// The process will be gone after so long; what must not go on without it waits here.
    async fn die(&self, after: Ns) {
        self.town.exit(Exit { server: self.server, incarnation: self.incarnation, after });
        if after == Ns::ZERO {
            std::future::pending::<()>().await;
        }
    }

    /// Takes a request, does what it asks, answers it.
    async fn handle(self: &Arc<Self>, request: hyper::Request<Incoming>, taken: Taken) -> Response<Full<Bytes>> {
        let Some(ticket) = Ticket::of(&request) else { return answer(400, None) };
        let chance = self.town.witness().receive(ticket.chance);
        let path = request.uri().path().trim_start_matches('/').to_string();
        let is_check = path == "health";
        if let Some(handler) = self.handler.as_ref().filter(|_| !is_check && !taken.departure.is_seen()) {
            let calls = &self.fleet().calls;
            let stores = Stores::new(self.clone(), ticket, calls.index(&path).unwrap_or(calls.len()) as u16);
            let response = handler.handle(request, stores.clone()).await;
            if let Some(chance) = chance {
                match stores.last_failure().filter(|_| !response.status().is_success()) {
                    Some(cause) => chance.end(cause),
                    None => chance.end_quietly(),
                }
            }
            return response;
        }
        let (status, cause) = if is_check {
            self.check(&ticket, &taken).await
        } else {
            match self.fleet().calls.index(&path) {
                Some(plan) => self.call(plan, &ticket, &taken).await,
                None => (404, None),
            }
        };
        if let Some(chance) = chance {
            match cause {
                Some(cause) => chance.end(cause),
                None => chance.end_quietly(),
            }
        }
        answer(status, cause.map(Cause::word))
    }

    /// A check that came the way of the traffic.
    async fn check(&self, ticket: &Ticket, taken: &Taken) -> Ended {
        let first = self.fleet().shedding.as_ref().is_some_and(|shedding| shedding.checks_first);
        let turn = match self.begin(taken, first).await {
            Ok(turn) => turn,
            Err(left) => return left,
        };
        if let Some(bad) = self.compute(&self.check, ticket).await {
            return bad;
        }
        let Some(store) = self.store_of(&self.check) else { return (200, None) };
        let turn = self.let_go(turn);
        let result = self.ask(store, &self.check, None, ticket, Asker::Check).await;
        drop(turn);
        result
    }

    /// A call: what stands before it, its work, its store.
    async fn call(&self, at: usize, ticket: &Ticket, taken: &Taken) -> Ended {
        let fleet = self.fleet();
        if fleet.shedding.as_ref().is_some_and(|shedding| !shedding.admits(self.pending.count() as u32 - 1)) {
            return (503, Some(Cause::Overload));
        }
        let turn = match self.begin(taken, false).await {
            Ok(turn) => turn,
            Err(left) => return left,
        };
        let now = self.platform.now();
        let is_stale = fleet.shedding.as_ref().is_some_and(|shedding| shedding.is_stale(now.minus(taken.since)));
        let mut inside = Inside::default();
        let ended = match self.guards.enter_limits(is_stale, at, now, &mut inside) {
            Ok(()) => self.past_limits(at, ticket, turn).await,
            Err(cause) => (guards::TURNED_AWAY, Some(cause)),
        };
        self.guards.leave_limits(fleet, at, self.platform.now(), inside, ended);
        ended
    }

    /// A call goes on behind the limits: through its bulkhead to work.
    async fn past_limits(&self, at: usize, ticket: &Ticket, mut turn: Option<turns::Turn>) -> Ended {
        let fleet = self.fleet();
        let plan = &fleet.calls.0[at].1;
        match self.guards.enter_bulkhead(at) {
            guard::Way::In(place) => {
                let ended = self.work_and_ask(at, ticket, turn).await;
                drop(place);
                ended
            }
            guard::Way::Full(cause) => (guards::TURNED_AWAY, Some(cause)),
            guard::Way::Wait(place) => {
                // A worker waits with its call; a core goes on with the next.
                let let_go = fleet.concurrency == Concurrency::EventLoop;
                if let_go {
                    turn = None;
                }
                let patience = self.by_its_clock(plan.wait.or(plan.timeout).unwrap_or(Ns::NEVER));
                match self.platform.within(patience, place).await {
                    Some(place) => {
                        let turn = if let_go { Some(self.turn(false).await) } else { turn };
                        let ended = self.work_and_ask(at, ticket, turn).await;
                        drop(place);
                        ended
                    }
                    None => (guards::TURNED_AWAY, Some(guards::WAITED_IN_VAIN)),
                }
            }
        }
    }

    async fn work_and_ask(&self, at: usize, ticket: &Ticket, turn: Option<turns::Turn>) -> Ended {
        let plan = &self.fleet().calls.0[at].1;
        if let Some(bad) = self.compute(plan, ticket).await {
            return bad;
        }
        let Some(store) = self.store_of(plan) else { return (200, None) };
        if let Some(ended) = self.accept_into_spool(at, ticket).await {
            return ended;
        }
        let turn = self.let_go(turn);
        let ended = self.ask(store, plan, Some(at), ticket, Asker::Call).await;
        drop(turn);
        ended
    }

    /// A worker or a core turns to a request: with a turn, if it needs one. If its sender is seen to have left, that is
    /// its end.
    async fn begin(&self, taken: &Taken, first: bool) -> Result<Option<turns::Turn>, Ended> {
        let turn = if taken.has_worker { None } else { Some(self.turn(first).await) };
        if taken.departure.is_seen() { Err((499, None)) } else { Ok(turn) }
    }

    /// A turn at the cores, or a worker.
    async fn turn(&self, first: bool) -> turns::Turn {
        let mut turn = self.turns.take(first).await;
        turn.busy = Some(self.meters.busy.hold());
        turn
    }

    /// An event loop computes no longer: its core is free. A worker stays with its call.
    fn let_go(&self, turn: Option<turns::Turn>) -> Option<turns::Turn> {
        turn.filter(|_| self.fleet().concurrency == Concurrency::Workers)
    }

    /// Computes for a request; how it ends, if the server answers it with an error of its own in place of doing it.
    async fn compute(&self, plan: &CallPlan, ticket: &Ticket) -> Option<Ended> {
        let mut time = plan.work.sample(ticket.salt, Purpose::Work, u32::from(ticket.attempt));
        let (slow, bad) = self.town.day().read(|day| {
            let knobs = &day.servers[self.server as usize].knobs;
            (knobs.slow, knobs.bad)
        });
        let bad = bad.filter(|bad| self.answers_badly(bad, ticket));
        if bad.is_none() && slow != 1.0 {
            self.town.witness().affected_server(self.server, |knobs| knobs.slow != 1.0);
        }
        time = bad.and_then(|bad| bad.takes).unwrap_or(time.scaled(slow));
        if time > Ns::ZERO {
            self.platform.sleep(time).await;
        }
        bad.map(|bad| (bad.status, Some(Cause::BadAnswer)))
    }

    /// Whether a request is answered with an error in place of being done. Each try of a call has a chance of its own.
    fn answers_badly(&self, bad: &BadAnswer, ticket: &Ticket) -> bool {
        let is_check = ticket.call == 0;
        let meets = !is_check || bad.checks;
        let answers = meets && unit(draw(ticket.salt, Purpose::BadAnswer, ticket.chance as u32)) <= bad.share;
        if answers {
            let witness = self.town.witness();
            witness.affected_server(self.server, |knobs| knobs.bad.is_some_and(|bad| !is_check || bad.checks));
        }
        answers
    }

    /// How long a span of the process's own clock takes. As on the kernel, three digits of it are kept.
    fn by_its_clock(&self, span: Ns) -> Ns {
        let rate = self.town.day().read(|day| day.servers[self.server as usize].knobs.clock);
        if rate == 1.0 || span == Ns::NEVER {
            return span;
        }
        self.town.witness().affected_server(self.server, |knobs| knobs.clock != 1.0);
        span.by_clock(rate)
    }

    /// Waits for what is due at a time if the clock of the process goes on as it does; if that turns, for as long as is left by
    /// it then. Gives the time that it became.
    async fn when_its_clock_shows(&self, mut due: Ns) -> Ns {
        let clock = |day: &Day| day.servers[self.server as usize].knobs.clock;
        loop {
            let was = self.town.day().read(clock);
            let turns = self.town.day().wait_for(|day| clock(day) != was);
            if let Either::Left(()) = first(self.platform.sleep_until(due), turns).await {
                return due;
            }
            let (now, is) = (self.platform.now(), self.town.day().read(clock));
            due = now.plus(due.minus(now).scaled(was / is));
        }
    }

    fn store_of(&self, plan: &CallPlan) -> Option<u16> {
        let name = plan.appends.as_ref().or(plan.asks.as_ref())?;
        self.town.spec().stores.index(&name.text).map(|at| at as u16)
    }

    /// The health endpoint on a port and a thread of its own.
    async fn answer_checks(self: Arc<Self>) {
        let door = self.town.server_door(self.server, HEALTH);
        let Ok(listener) = self.platform.listen(door, 128, self.town.server_way()).await else { return };
        let crew = Crew::new(&self.platform);
        while let Ok(stream) = listener.accept().await {
            let process = self.clone();
            crew.run(async move {
                serve_one(stream, |_| async {
                    process.platform.sleep(process.fleet().health.work).await;
                    let ok =
                        process.fleet().health.kind == CheckKind::Shallow || process.cached_ok.load(Ordering::Relaxed);
                    answer(if ok { 200 } else { 503 }, None)
                })
                .await;
            });
        }
    }

    /// Queries the store now and then, so that a check need only read the result.
    async fn query_in_background(self: Arc<Self>) {
        let health = self.fleet().health.clone();
        let Some(store) = self.store_of(&self.check) else { return };
        let Some(seed) = self.town.witness().relay(|relay| relay.seed()) else { return };
        let phase = Ns((checks_of(seed, self.server).unit() * health.every.0 as f64) as u64);
        // As if it had begun with the run: whichever runtime plays which part of it, the queries come at the same times.
        let periods = self.platform.now().minus(phase).0.div_ceil(health.every.0);
        let mut next = phase.plus(Ns(health.every.0.saturating_mul(periods)));
        loop {
            next = self.when_its_clock_shows(next).await;
            next = next.plus(self.by_its_clock(health.every));
            let salt = draw(u64::from(self.server), Purpose::Query, next.0 as u32);
            let ticket = Ticket { call: 0, attempt: 0, salt, chance: 0 };
            let (status, _) = self.ask(store, &self.check, None, &ticket, Asker::Check).await;
            self.cached_ok.store(status == 200, Ordering::Relaxed);
        }
    }
}
