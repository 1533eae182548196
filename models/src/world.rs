//! The world at work: the state of every part, and who gets which event.
//!
//! The parts' behaviour stands with the parts, in [`crate::component`]; here is what they share. One call
//! takes this way: clients, balancer, server, store and back. [`Call`] is a client's intent, [`Try`] one way
//! of it through the balancer to a server, [`Query`] what a store has of it.

use crate::component::balancer::{Backend, KeptState, LogState};
use crate::component::clients::Population;
use crate::component::collector::{ResolvedPlan, Server, Way};
use crate::component::operator::OperatorState;
use crate::component::probe::Checker;
use crate::component::store::StoreState;
use crate::component::trouble::Trouble;
use crate::fault::{ClientKnobs, Effects, ServerKnobs};
use crate::kernel::{Account, Cohort, Event, Fact, Kernel, Lane, Timer};
use crate::ledger::{Cause, Seen};
use crate::level::{Levels, StoreFound};
use crate::policy::breaker::Permit;
use crate::policy::guards::Inside;
use crate::policy::limits::Counted;
use crate::policy::redispatch::Tried;
use crate::slab::{Ref, Slab};
use crate::spec::{Edge, WorldPlan, WorldSpec};
use crate::units::Ns;

/// How a call stands with its client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Client {
    /// Waiting for an answer, or pausing before it sends again.
    Waiting,
    /// Answered ok.
    Ok,
    /// Given up.
    Failed,
}

/// One intent of a client.
#[derive(Clone, Debug)]
pub struct Call {
    /// Identity, and source of everything random about it.
    pub salt: u64,
    /// When it was offered.
    pub offered: Ns,
    /// When the attempt under way was sent.
    pub sent: Ns,
    /// The books it is in.
    pub cohort: Cohort,
    /// Its population.
    pub population: u16,
    /// The number of the attempt under way, from 1.
    pub attempt: u16,
    /// How many tries and queries could still execute it.
    pub legs: u16,
    /// Whether its data is stored.
    pub stored: bool,
    /// Whether a write of it has set out.
    pub wrote: bool,
    /// By which of its writes it counts as stored, if it has several: that which is done first. 0 before.
    pub writer: u32,
    /// Whether its data, when it is stored, is stored late.
    pub late: bool,
    /// Whether its client, having given up, keeps it to send it again some time.
    pub kept: bool,
    /// Whether an attempt has reached the balancer.
    pub logged: bool,
    /// How it stands with its client.
    pub client: Client,
    /// What ended the last chance so far.
    pub cause: Cause,
    /// The try that its client waits for.
    pub current: Ref,
    /// The client's patience.
    pub deadline: Timer,
}

impl Call {
    /// Its identity in the books.
    pub fn account(&self) -> Account {
        Account { cohort: self.cohort, population: self.population, salt: self.salt }
    }

    /// A call just offered; to be put into the books.
    pub fn new(salt: u64, offered: Ns) -> Call {
        Call {
            salt,
            offered,
            sent: offered,
            cohort: Cohort(0),
            population: 0,
            attempt: 0,
            legs: 0,
            stored: false,
            wrote: false,
            writer: 0,
            late: false,
            kept: false,
            logged: false,
            client: Client::Waiting,
            cause: Cause::ClientLeft,
            current: Ref::NONE,
            deadline: Timer::NONE,
        }
    }

    /// Its client's outcome is marked. Whether nothing can execute it any more either: then it is to be settled.
    #[inline(always)]
    pub fn client_done(&mut self, how: Client) -> bool {
        debug_assert!(self.client == Client::Waiting && how != Client::Waiting);
        self.client = how;
        self.legs == 0
    }

    /// Whether no attempt of it is waited for: neither its client nor the queue that keeps it.
    pub fn is_done(&self) -> bool {
        self.client != Client::Waiting && !self.kept
    }
}

/// Whom a try serves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// A call.
    Call,
    /// A health check, by number.
    Check(u32),
    /// The background query of a cached health check.
    Background,
    /// A call out of a spool, on its way to the store.
    Replay,
    /// A call that another service makes; its parent is the errand that waits for it.
    Asked,
    /// One ask of a plan of several; its parent is the try that has the plan.
    Errand,
}

impl Purpose {
    /// Whether it is the way of a call, a client's or a service's.
    #[inline(always)]
    pub fn is_call(self) -> bool {
        matches!(self, Purpose::Call | Purpose::Asked)
    }
}

/// Where a try stands at the balancer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Front {
    /// On its way there, or between two tries.
    Pending,
    /// In the balancer's queue.
    Queued,
    /// Connecting to a server.
    Connecting,
    /// Connected; the request is with the server.
    Waiting,
    /// The balancer is done with it.
    Closed,
}

/// Where a try stands at its server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Back {
    /// Not there.
    None,
    /// In the accept queue (or the run queue of an event loop).
    Queued,
    /// Accepted by an event loop; its request has not arrived.
    Arriving,
    /// Computing.
    Working,
    /// Waiting for its bulkhead.
    AtBulkhead,
    /// Waiting for a connection to a store.
    AtPool,
    /// Connecting to a store.
    Connecting,
    /// Its query is with a store.
    Querying,
    /// Pausing before it asks the store again.
    Pausing,
    /// Waiting for the asks of a step.
    AtSteps,
    /// An errand: waiting for another service.
    Calling,
    /// An errand: pausing before another attempt.
    Resting,
    /// An errand: waiting for another that gets the same key.
    InFlight,
}

/// One way of a call through the balancer to a server.
#[derive(Clone, Debug)]
pub struct Try {
    /// Whom it serves.
    pub purpose: Purpose,
    /// Its call; none for checks.
    pub call: Ref,
    /// Salt of the call, or of the check.
    pub salt: u64,
    /// The attempt of the call that it belongs to.
    pub attempt: u16,
    /// What the server is to do: an index into its fleet's plans.
    pub plan: u16,
    /// The fleet.
    pub fleet: u16,
    /// The route to it.
    pub route: u16,
    /// The server last chosen.
    pub server: u32,
    /// Dispatches so far.
    pub dispatches: u16,
    /// Further tries allowed.
    pub retries_left: u16,
    /// Connects sent in this dispatch.
    pub connects: u16,
    /// Tries in place at the store so far.
    pub asks: u16,
    /// Of those, at servers before the last one chosen.
    pub asks_before: u16,
    /// Standing at the balancer.
    pub front: Front,
    /// Standing at the server.
    pub back: Back,
    /// Whether its client waits no longer.
    pub client_gone: bool,
    /// Whether it counts among its server's connections while it pauses before another try there.
    pub keeps_place: bool,
    /// Whether it is one of the retries whose number is bounded.
    pub holds_slot: bool,
    /// As what it counts, where what is under way to a fleet is bounded.
    pub counted: Counted,
    /// Whether it is inside its bulkhead.
    pub in_bulkhead: bool,
    /// Whether it holds a worker.
    pub holds_worker: bool,
    /// Whether a store has accepted a connection for it.
    pub at_store: bool,
    /// Status of the server's answer.
    pub status: u16,
    /// What it would be dropped for.
    pub cause: Cause,
    /// Which concurrency limits it counts against.
    pub limited: Inside,
    /// Its way through the circuit breaker.
    pub permit: Option<Permit>,
    /// Place among the server's tries.
    pub place: u32,
    /// When it came to the balancer.
    pub arrived: Ns,
    /// When the connect was sent; when the request arrives; when the store was asked.
    pub since: Ns,
    /// When the server took it on; of a replay: when its call was accepted.
    pub started: Ns,
    /// Computing time, where it is random and has been drawn; never before.
    pub work: Ns,
    /// The query at the store; of an errand to a service, the try there.
    pub query: Ref,
    /// For whom it is: of an errand, the try whose plan has it; of a call that a service makes, the errand; else none.
    pub parent: Ref,
    /// Steps of its plan that have begun; of an errand, of its parent's.
    pub step: u16,
    /// Asks of the present step that are not over; of an errand, the dispatch of its parent that it is for.
    pub open: u16,
    /// The balancer's timer.
    pub timer: Timer,
    /// The server's timer over the whole of asking.
    pub ask_timer: Timer,
    /// The server's timer over one step.
    pub step_timer: Timer,
}

/// What a store has of a try.
#[derive(Clone, Debug)]
pub struct Query {
    /// The try that waits for it; may be gone.
    pub asker: Ref,
    /// The call, for a query that writes; none otherwise.
    pub call: Ref,
    /// Salt of the call.
    pub salt: u64,
    /// Which ask of the call, see [`crate::policy::asking::number`].
    pub number: u32,
    /// Its store.
    pub store: u16,
    /// The fleet of the caller, and what it does for this kind of call.
    pub fleet: u16,
    /// Its plan there.
    pub plan: u16,
    /// Whether it writes.
    pub writes: bool,
    /// What it is to a cache, and for which key.
    pub look: Look,
    /// The key; 0 to a store that is none.
    pub key: u32,
    /// From when on what it stores counts as late; never, unless it comes out of a spool.
    pub late_from: Ns,
    /// Where it stands.
    pub state: QueryState,
}

/// What a query is to a cache.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Look {
    /// Nothing: the store is none, or it is not asked for a key.
    #[default]
    No,
    /// A lookup.
    Get,
    /// An entry is set.
    Set,
}

/// Where a query stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QueryState {
    /// On the link.
    Sent,
    /// Waiting for its turn.
    Waiting,
    /// Being served.
    Running,
    /// With a store that answers nothing.
    Hung,
}

/// Lanes between balancer and servers and clients; where a link has jitter they are not used.
#[derive(Clone, Copy, Debug)]
pub struct Lanes {
    /// Balancer to server.
    pub to_server: Lane,
    /// Server to balancer.
    pub from_server: Lane,
    /// Client to balancer and back.
    pub client: Lane,
    /// Service to the proxy before another, and back.
    pub service: Lane,
    /// A new connection's request arrives this long after the connect.
    pub handshake: Lane,
}

/// A server as one route has it: what its balancer knows and counts of it has this number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seat {
    /// The route.
    pub route: u16,
    /// The server.
    pub server: u32,
}

/// Everything.
pub struct World {
    /// What was described.
    pub spec: WorldSpec,
    /// Populations of clients.
    pub populations: Vec<Population>,
    /// Routes: of each fleet its first, by the number of the fleet; then all others.
    pub backends: Vec<Backend>,
    /// Per fleet, how others reach it.
    pub ways: Vec<Way>,
    /// Who asks whom, where calls have steps.
    pub edges: Vec<Edge>,
    /// What a step asks that begins; kept for its memory.
    pub(crate) step_asks: Vec<u16>,
    /// Seats, route by route: those of the first routes have the numbers of their servers.
    pub seats: Vec<Seat>,
    /// Balancers' connections, per seat.
    pub connections: Vec<u32>,
    /// The balancer's connections that have lives of their own.
    pub kept: KeptState,
    /// Servers, fleet by fleet.
    pub servers: Vec<Server>,
    /// Health checks, per seat.
    pub checkers: Vec<Checker>,
    /// What servers do, per fleet and kind.
    pub plans: Vec<Vec<ResolvedPlan>>,
    /// Stores.
    pub stores: Vec<StoreState>,
    /// The operators and the timeline.
    pub operators: OperatorState,
    /// Faults in force on what has no part of its own, and messages that they hold up.
    pub trouble: Trouble,
    /// How often each entry of the timeline has changed anything, if it is a fault.
    pub effects: Effects,
    /// Calls that the balancer's log has kept.
    pub log: LogState,
    /// Calls alive.
    pub calls: Slab<Call>,
    /// Tries alive.
    pub tries: Slab<Try>,
    /// Servers that each has tried, by its place, where that matters; what is there before a try's first server is a
    /// former one's.
    pub tried: Vec<Tried>,
    /// Queries alive.
    pub queries: Slab<Query>,
    /// Lanes that all share.
    pub lanes: Lanes,
    /// Levels whose extremes are asked of.
    pub levels: Levels,
}

impl World {
    /// A world at its beginning, with its first events raised.
    ///
    /// # Panics
    /// If the plan's names do not hold together; [`WorldSpec::problems`] finds that out beforehand.
    pub fn new<K: Kernel>(plan: &WorldPlan, seed: u64, k: &mut K) -> World {
        let spec = plan.spec.clone();
        let network = &spec.network;
        let hop = network.servers.latency;
        let lanes = Lanes {
            to_server: k.lane(hop),
            from_server: k.lane(hop),
            client: k.lane(network.clients.latency),
            service: k.lane(network.services.latency),
            handshake: k.lane(Ns(hop.0 * 2)),
        };
        let mut world = World {
            populations: Vec::new(),
            backends: Vec::new(),
            ways: Vec::new(),
            edges: spec.edges(),
            step_asks: Vec::new(),
            seats: Vec::new(),
            connections: Vec::new(),
            kept: KeptState::new(&spec),
            servers: Vec::new(),
            checkers: Vec::new(),
            plans: Vec::new(),
            stores: Vec::new(),
            operators: OperatorState::default(),
            trouble: Trouble::new(seed),
            effects: Effects::default(),
            log: LogState::default(),
            calls: Slab::default(),
            tries: Slab::default(),
            tried: Vec::new(),
            queries: Slab::default(),
            lanes,
            levels: Levels::new(spec.fleets.len(), spec.stores.len()),
            spec,
        };
        world.open_stores(seed, k);
        world.open_fleets(k);
        world.open_checks(seed, k);
        world.open_clients(plan, seed, k);
        world.open_desk(k);
        world.open_bad(k);
        world.open_sweeps(k);
        world.open_log();
        world
    }

    /// Handles one event, unless a fault holds it up. Inlined always: the main loop then jumps straight to its handler.
    #[inline(always)]
    pub fn handle<K: Kernel>(&mut self, k: &mut K, event: Event) {
        if self.trouble.on && self.is_held_up(k, event, 0) {
            return;
        }
        self.handle_now(k, event);
    }

    /// Handles an event that nothing holds up.
    #[inline(always)]
    fn handle_now<K: Kernel>(&mut self, k: &mut K, event: Event) {
        match event {
            Event::Arrive(population) => self.arrive(k, population),
            Event::AtServer(t) => self.at_server(k, t),
            Event::WorkDone(t, dispatch) => self.work_done(k, t, dispatch),
            Event::Reply(t) => self.reply(k, t),
            other => self.handle_rarer(k, other),
        }
    }

    /// Handles an event that was held up.
    pub(crate) fn handle_late<K: Kernel>(&mut self, k: &mut K, event: Event) {
        self.handle_now(k, event);
    }

    #[inline(never)]
    fn handle_rarer<K: Kernel>(&mut self, k: &mut K, event: Event) {
        match event {
            Event::Arrive(_) | Event::AtServer(_) | Event::WorkDone(..) | Event::Reply(_) => {
                unreachable!("handled by `handle_now`")
            }
            Event::AtBalancer(t) => self.at_balancer(k, t),
            Event::RequestArrives(t) => self.request_arrives(k, t),
            Event::Refused(t) => self.connect_refused(k, t),
            Event::Reset(t) => self.connection_reset(k, t),
            Event::ConnectTimeout(t, dispatch) => self.connect_timed_out(k, t, dispatch),
            Event::KeptClosed(t, dispatch) => self.kept_closed(k, t, dispatch),
            Event::TryAgain(t, same) => self.try_again(k, t, same),
            Event::CallTimeout(t) => self.call_timed_out(k, t),
            Event::QueueTimeout(t) => self.queue_timed_out(k, t),
            Event::IdleTimeout(t) => self.idle_timed_out(k, t),
            Event::BulkheadTimeout(t) => self.bulkhead_timed_out(k, t),
            Event::ClientDeadline(call) => self.client_deadline(k, call),
            Event::ClientOk(call, attempt) => self.client_ok(k, call, attempt),
            Event::ClientFails(call, attempt, seen) => self.client_fails(k, call, attempt, seen),
            Event::Resend(call) => self.resend(k, call),
            Event::ConnectAtStore(t, knock) => self.connect_at_store(k, t, knock),
            Event::StoreAccepts(store, number) => self.store_accepts(k, store, number),
            Event::StoreStarts(store, number) => self.store_starts(k, store, number),
            Event::Connected(t) => self.connected(k, t),
            Event::QueryAtStore(q) => self.query_at_store(k, q),
            Event::QueryDone(q) => self.query_done(k, q),
            Event::QueryReply(t, error) => self.query_reply(k, t, error),
            Event::AskRefused(t) => self.ask_refused(k, t),
            Event::AskSevered(t) => self.ask_severed(k, t),
            Event::AskDeadline(t) => self.ask_timed_out(k, t, true),
            Event::AskStepTimeout(t) => self.ask_timed_out(k, t, false),
            Event::AskAgain(t) => self.ask_again(k, t),
            Event::Answered(t, attempt, status) => self.answered(k, t, attempt, status),
            Event::ErrandAgain(t, dispatch) => self.errand_again(k, t, dispatch),
            Event::Check(server) => self.check(k, server),
            Event::CheckAtServer(server, number) => self.check_at_server(k, server, number),
            Event::CheckAnswer(server, number, status) => self.check_answered(k, server, number, status),
            Event::CheckTimeout(server, number) => self.check_timed_out(k, server, number),
            Event::CachedQuery(server) => self.cached_query(k, server),
            Event::Dies(server, incarnation) => self.dies(k, server, incarnation),
            Event::Starts(server, incarnation) => self.starts(k, server, incarnation),
            Event::Timeline(entry) => self.act(k, entry),
            Event::TimelineEnds(entry) => self.act_ends(k, entry),
            Event::Held(held) => self.held_due(k, held),
            Event::Leaks(server, ticket) => self.leaks(k, server, ticket),
            Event::LoopDies(server, incarnation) => self.loop_dies(k, server, incarnation),
            Event::Deploy(ticket, step) => self.deploy_due(k, ticket, step),
            Event::Surge(population, number) => self.surge_due(k, population, number),
            Event::FaultAgain(entry, left) => self.begin_fault(k, entry, left),
            Event::FaultRises(entry, ticket) => self.fault_rises(k, entry, ticket),
            Event::Headroom(store, estimate) => self.headroom_due(k, store, estimate),
            Event::PeerReopens(server) => self.peer_reopens(k, server),
            Event::OutlierSweep(fleet) => self.sweep_outliers(k, fleet),
            Event::CutSessions(server) => self.cut_sessions(k, server),
            Event::MergedChanges(fleet) => self.merged_changes(k, fleet),
            Event::Drain(server, plan) => self.drain_due(k, server, plan),
            Event::Failover(store) => self.failover_due(k, store),
            Event::Replicated(store, number) => self.replicated(k, store, number),
            Event::Replay(entry) => self.replay_next(k, entry),
            Event::BadAnswer(t, dispatch) => self.bad_answer_done(k, t, dispatch),
        }
    }

    /// Whether a write that is done is the one by which its call counts as stored: the first of several. The same one done
    /// again is a duplicate, another is neither.
    pub(crate) fn counts_as_stored(&mut self, call: Ref, fleet: u16, plan: u16) -> bool {
        if self.edges.is_empty() {
            return true;
        }
        let call = &mut self.calls[call];
        let writer = (u32::from(fleet) << 16 | u32::from(plan)) + 1;
        if call.writer == 0 {
            call.writer = writer;
        }
        call.writer == writer
    }

    /// A call's data is stored by the try or query at hand.
    pub fn stored<K: Kernel>(&mut self, k: &mut K, call: Ref, client_gone: bool) {
        let call = &mut self.calls[call];
        let fact = if call.stored {
            Fact::Duplicate(call.account(), client_gone)
        } else if call.late {
            Fact::Late(call.account())
        } else {
            Fact::Stored(call.account(), client_gone)
        };
        call.stored = true;
        k.record(fact);
    }

    /// One of the ways in which a call could still be executed has ended.
    #[inline(always)]
    pub fn leg_ends<K: Kernel>(&mut self, k: &mut K, call: Ref, cause: Cause) {
        let c = &mut self.calls[call];
        assert!(c.legs > 0, "a leg ended that never began");
        c.legs -= 1;
        c.cause = cause;
        if c.legs > 0 || c.client == Client::Waiting {
            return;
        }
        if c.stored {
            self.calls.remove(call);
        } else {
            self.settle(k, call);
        }
    }

    /// Nothing more can happen to a call: its books are closed, unless the balancer's log has it.
    #[inline(never)]
    pub fn settle<K: Kernel>(&mut self, k: &mut K, call: Ref) {
        if !self.calls[call].stored && !self.log_keeps(k, call) {
            let c = &self.calls[call];
            k.record(Fact::Dropped(c.account(), c.cause));
            if c.client == Client::Ok {
                k.record(Fact::LostAfterOk(c.account()));
            }
        }
        self.calls.remove(call);
    }

    /// Calls alive of each population: how many are not stored, and how many clients wait. The ledger is
    /// checked against this.
    pub fn alive(&self) -> Vec<(u64, u64)> {
        let mut counts = vec![(0, 0); self.populations.len()];
        for call in self.calls.iter() {
            let (in_flight, waiting) = &mut counts[call.population as usize];
            *in_flight += u64::from(!call.stored);
            *waiting += u64::from(call.client == Client::Waiting);
        }
        for (kept, (in_flight, _)) in self.log.kept().zip(&mut counts) {
            *in_flight += kept;
        }
        counts
    }

    /// Lost calls kept for a replay: in the balancer's log, and by clients.
    pub fn kept(&self) -> u64 {
        self.log.kept().sum::<u64>() + self.populations.iter().map(|p| p.kept()).sum::<u64>()
    }

    /// A boundary of time: what everything has come to since the last one is written down.
    pub fn boundary(&mut self, at: Ns) {
        if at <= self.levels.cut_at() {
            return;
        }
        for server in &mut self.servers {
            let spooled = &mut self.levels.here.fleets[server.fleet as usize].spooled;
            *spooled = (server.take_spool_peak() as u64).max(*spooled);
        }
        let found = self.stores.iter_mut().map(|store| StoreFound {
            headroom: store.take_least(at),
            queries: store.queries,
            connects: store.connects,
            lookups: store.lookups().unwrap_or_default(),
        });
        let found: Vec<StoreFound> = found.collect();
        self.levels.cut(at, &found);
    }

    /// Whether no fault is in force anywhere.
    pub fn is_sound(&self) -> bool {
        let stores = self.stores.iter().all(|store| store.stack.is_empty() && !store.knobs.is_outage());
        let servers = self.servers.iter().all(|s| s.stack.is_empty() && s.knobs == ServerKnobs::default());
        let clients = self.populations.iter().all(|p| p.stack.is_empty() && p.knobs == ClientKnobs::default());
        stores && servers && clients && self.trouble.is_sound()
    }

    /// Names of the servers: "collectors-1".
    pub fn server_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for (fleet, spec) in self.spec.fleets.iter() {
            names.extend((1..=spec.count).map(|n| format!("{fleet}-{n}")));
        }
        names
    }
}

/// What a client sees of a status.
pub fn seen(status: u16) -> Seen {
    Seen::of_status(status)
}
