//! Who is chosen, and who waits for a server with room: [`Members`] behind a lock, fed with what the services see.

use crate::platform::{Platform, first};
use crate::town::{Held, Town};
use brownout_models::component::balancer::{Balancer as Spec, OnMarkedDown};
use brownout_models::component::clients::Connection;
use brownout_models::ledger::Cause;
use brownout_models::policy::health::Health;
use brownout_models::policy::limits::{Counted, FleetLimits, UnderWay, Way};
use brownout_models::policy::members::{Members, Settling};
use brownout_models::policy::redispatch::{Next, Tried};
use brownout_models::policy::resend::{Failed, Slots};
use brownout_models::policy::verdict::Verdict;
use brownout_models::units::Ns;
use brownout_models::world::World;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, oneshot};

/// A call that asks for a server.
#[derive(Clone, Debug)]
pub struct Asks {
    pub fleet: u16,
    pub salt: u64,
    /// The number of this dispatch among all of the call.
    pub number: u32,
    /// Servers tried so far, where that matters.
    pub tried: Tried,
    /// The server to avoid, if another will do.
    pub avoid: Option<u32>,
}

/// What the balancer has to do with a server.
#[derive(Clone, Copy, Debug, Default)]
struct ServerState {
    /// Connections open to it.
    connections: u32,
    /// When its next check begins; none while one is under way, or if there are none.
    next_check: Option<Ns>,
}

/// A call that waits for a server with room.
struct Waiting {
    give: oneshot::Sender<Place>,
    asks: Asks,
    /// The server of which it waits for a connection, where what is under way is bounded.
    of: Option<u32>,
    _queued: Held,
}

/// What the balancer keeps for one fleet.
pub struct Backend {
    pub members: Members,
    waiting: VecDeque<Waiting>,
    /// Retries under way, where their number is bounded.
    slots: Slots,
    /// What is under way, where that is bounded; who waits is counted by `waiting`.
    under_way: UnderWay,
}

impl Backend {
    /// What is under way and waits.
    fn under_way(&self) -> UnderWay {
        let waiting = self.waiting.iter().filter(|waiting| !waiting.give.is_closed()).count();
        UnderWay { waiting: waiting as u32, ..self.under_way }
    }
}

/// What the balancer knows.
pub struct State {
    servers: Vec<ServerState>,
    pub backends: Vec<Backend>,
}

impl State {
    /// As the script's world has it: of a run at its beginning, all servers as the health checks say. What calls have said
    /// of the servers before is not taken over.
    pub fn new(town: &Town, world: &World) -> State {
        let health = &town.spec().balancer.health;
        let backends = world.backends.iter().map(|backend| {
            let mut members = backend.members.clone();
            members.forget_calls(health);
            Backend { members, waiting: VecDeque::new(), slots: Slots::default(), under_way: UnderWay::default() }
        });
        State { backends: backends.collect(), servers: vec![ServerState::default(); world.servers.len()] }
    }

    /// A server for a call, if one may be chosen and has room.
    fn pick(&mut self, spec: &Spec, asks: &Asks, now: Ns) -> Option<u32> {
        let Asks { fleet, salt, number, ref tried, avoid } = *asks;
        let State { servers, backends } = self;
        let by = spec.choice(salt, number, avoid);
        let tried = spec.rules().remember_tried().then_some(tried);
        let load = |server: u32| servers[server as usize].connections;
        backends[fleet as usize].members.choose(spec.rules(), by, tried, now, load)
    }
}

impl State {
    /// What becomes of a call that has been given a server.
    fn way(&self, spec: &Spec, fleet: u16, server: u32) -> Way {
        let Some(limits) = &spec.fleet_limits else { return Way::Connect };
        let here = self.servers[server as usize].connections;
        let at_hand = spec.connection == Connection::KeptAlive;
        limits.way(&self.backends[fleet as usize].under_way(), here, spec.max_connections, at_hand)
    }

    /// One connection more to a server.
    fn take(&mut self, fleet: u16, server: u32) {
        self.servers[server as usize].connections += 1;
        self.backends[fleet as usize].members.load_changes(server);
    }

    /// One connection less to a server.
    fn give_back(&mut self, fleet: u16, server: u32) {
        self.servers[server as usize].connections -= 1;
        self.backends[fleet as usize].members.load_changes(server);
    }
}

/// Keeps rotation. Clones are the same.
#[derive(Clone)]
pub struct Rotator {
    state: Arc<Mutex<State>>,
    /// Per server: set off when its next check has been brought forward.
    sooner: Arc<Vec<Notify>>,
    /// Per server: set off when it is marked down, if its connections are cut then.
    cuts: Arc<Vec<Notify>>,
    town: Town,
    clock: Arc<dyn Fn() -> Ns + Send + Sync>,
    later: Arc<Later>,
}

/// Does something at a time, which it is told.
type Later = dyn Fn(Ns, Box<dyn FnOnce(Ns) + Send>) + Send + Sync;

impl Rotator {
    /// Rotation as the script's world has it.
    pub fn new<P: Platform>(town: &Town, platform: &P) -> Rotator {
        let state = town.witness().relay(|relay| State::new(town, relay.world()));
        let state = state.unwrap_or(State { servers: Vec::new(), backends: Vec::new() });
        let platform = platform.clone();
        let notices = || Arc::new(state.servers.iter().map(|_| Notify::new()).collect());
        let (sooner, cuts) = (notices(), notices());
        let (now, sleeper) = (platform.clone(), platform);
        let later = move |at: Ns, then: Box<dyn FnOnce(Ns) + Send>| {
            let platform = sleeper.clone();
            sleeper.spawn(async move {
                platform.sleep_until(at).await;
                then(at);
            });
        };
        let (state, clock) = (Arc::new(Mutex::new(state)), Arc::new(move || now.now()));
        Rotator { state, sooner, cuts, town: town.clone(), clock, later: Arc::new(later) }
    }

    /// Everything that is known.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of a fleet; locked for as long as `with` takes.
    pub fn members<R>(&self, fleet: u16, with: impl FnOnce(&mut Members) -> R) -> R {
        with(&mut self.state().backends[fleet as usize].members)
    }

    /// What is known of a server's fleet.
    pub fn members_of<R>(&self, server: u32, with: impl FnOnce(&mut Members) -> R) -> R {
        self.members(self.fleet_of(server), with)
    }

    fn now(&self) -> Ns {
        (self.clock)()
    }

    fn spec(&self) -> &Spec {
        &self.town.spec().balancer
    }

    fn fleet_of(&self, server: u32) -> u16 {
        self.town.servers()[server as usize].fleet
    }

    /// A server for a call; waits for one with room if there is a queue for that.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn choose<P: Platform>(&self, platform: &P, asks: Asks) -> Result<Place, Cause> {
        let spec = self.spec();
        let (now, fleet) = (self.now(), asks.fleet);
        let (mut wait, patience) = {
            let mut state = self.state();
            let of = match state.pick(spec, &asks, now) {
                Some(server) => match state.way(spec, fleet, server) {
                    Way::Connect => return Ok(self.place(&mut state, fleet, server)),
                    Way::Wait => Some(server),
                    Way::Overflow => return Err(Cause::Overflow),
                },
                None => None,
            };
            if of.is_none() && state.backends[fleet as usize].members.none_can_serve(spec.rules()) {
                drop(state);
                self.none_chosen(fleet);
                return Err(Cause::NoServer);
            }
            let backend = &mut state.backends[fleet as usize];
            backend.waiting.retain(|waiting| !waiting.give.is_closed());
            if of.is_none() && spec.queue.limit.is_some_and(|limit| backend.waiting.len() >= limit as usize) {
                return Err(Cause::QueueFull);
            }
            let (give, wait) = oneshot::channel();
            // A call that has waited takes what there is.
            let asks = Asks { avoid: None, ..asks };
            backend.waiting.push_back(Waiting { give, asks, of, _queued: self.town.queued().hold() });
            (wait, if of.is_some() { Ns::NEVER } else { spec.queue_timeout() })
        };
        match platform.within(patience, &mut wait).await {
            Some(Ok(place)) => Ok(place),
            Some(Err(_)) => Err(Cause::QueueTimeout),
            None => {
                // A place given at this very moment is given back by being dropped.
                drop(wait);
                self.state().backends[fleet as usize].waiting.retain(|waiting| !waiting.give.is_closed());
                Err(Cause::QueueTimeout)
            }
        }
    }

    /// A place at a server, which counts from now on.
    fn place(&self, state: &mut State, fleet: u16, server: u32) -> Place {
        state.take(fleet, server);
        let counted = if self.spec().fleet_limits.is_some() { Counted::Connecting } else { Counted::No };
        state.backends[fleet as usize].under_way.count(Counted::No, counted);
        Place { server, counted, rotator: Some(self.clone()) }
    }

    /// A connection to a server is free: a call that waits for one of them has it.
    fn serve_waiting(&self, fleet: u16, server: u32) {
        loop {
            let (waiting, place) = {
                let mut state = self.state();
                let (spec, here) = (self.spec(), state.servers[server as usize].connections);
                let under_way = &state.backends[fleet as usize].under_way;
                let may_open = |limits: &FleetLimits| limits.may_open(under_way, here, spec.max_connections);
                if !spec.fleet_limits.as_ref().is_some_and(may_open) {
                    return;
                }
                let queue = &mut state.backends[fleet as usize].waiting;
                queue.retain(|waiting| !waiting.give.is_closed());
                let Some(at) = queue.iter().position(|waiting| waiting.of == Some(server)) else { return };
                let Some(waiting) = queue.remove(at) else { return };
                (waiting, self.place(&mut state, fleet, server))
            };
            // If it has left at this very moment, the place is free again, for the next.
            match waiting.give.send(place) {
                Ok(()) => return,
                Err(mut back) => back.leave_quietly(),
            }
        }
    }

    /// Sends on what queues for a fleet, as far as there is room.
    fn serve_queue(&self, fleet: u16) {
        if self.spec().fleet_limits.is_some() {
            return self
                .members(fleet, |members| members.servers())
                .for_each(|server| self.serve_waiting(fleet, server));
        }
        loop {
            let (waiting, place) = {
                let (now, mut state) = (self.now(), self.state());
                let Some(waiting) = state.backends[fleet as usize].waiting.pop_front() else { return };
                if waiting.give.is_closed() {
                    continue;
                }
                let Some(server) = state.pick(self.spec(), &waiting.asks, now) else {
                    state.backends[fleet as usize].waiting.push_front(waiting);
                    return;
                };
                (waiting, self.place(&mut state, fleet, server))
            };
            if let Err(mut back) = waiting.give.send(place) {
                // It has left at this very moment: the place is free again, for the next in the queue.
                back.leave_quietly();
            }
        }
    }

    fn free(&self, server: u32) {
        let fleet = self.fleet_of(server);
        let queued = {
            let mut state = self.state();
            state.give_back(fleet, server);
            !state.backends[fleet as usize].waiting.is_empty()
        };
        match queued {
            true if self.spec().fleet_limits.is_some() => self.serve_waiting(fleet, server),
            true => self.serve_queue(fleet),
            false => {}
        }
    }

    /// Waits until a server's next check begins: at a time, unless it is brought forward.
    pub async fn check_due<P: Platform>(&self, platform: &P, server: u32, at: Ns) {
        let next_check = |next: Option<Ns>| self.state().servers[server as usize].next_check = next;
        next_check(Some(at));
        loop {
            let due = self.state().servers[server as usize].next_check.unwrap_or(at);
            if due <= platform.now() {
                break;
            }
            first(platform.sleep_until(due), self.sooner[server as usize].notified()).await;
        }
        next_check(None);
    }

    /// Brings the next check of a server forward, if it is not that near already.
    fn check_within(&self, server: u32, time: Ns) {
        let due = self.now().plus(time);
        let mut state = self.state();
        let next = &mut state.servers[server as usize].next_check;
        if next.is_some_and(|at| at > due) {
            *next = Some(due);
            self.sooner[server as usize].notify_one();
        }
    }

    /// A check of a server has a result: a status, 0 for none. What the checks have made of the server by then.
    pub fn checked(&self, server: u32, status: u16) -> Health {
        let health = &self.spec().health;
        let is = self.members_of(server, |members| {
            members.on_check(health, server, status);
            members.health(server)
        });
        self.settle(server);
        is
    }

    /// A server's process has died.
    pub fn process_gone(&self, server: u32) {
        self.members_of(server, |members| members.on_death(&self.spec().health, server));
        self.settle(server);
    }

    /// What follows a try that failed, and the slot of the retry, where their number is bounded.
    pub fn next_try(&self, fleet: u16, failed: impl FnOnce(&Members) -> Failed) -> (Next, Option<Slot>) {
        let spec = self.spec();
        let mut state = self.state();
        let State { servers, backends } = &mut *state;
        let backend = &mut backends[fleet as usize];
        let mut failed = failed(&backend.members);
        if spec.retry_budget.is_some() {
            let here: u32 = backend.members.servers().map(|server| servers[server as usize].connections).sum();
            failed.under_way = here + backend.under_way().waiting;
        }
        let next = spec.retry_policy().next(&failed, &mut backend.slots);
        let takes = next != Next::GiveUp && spec.retry_policy().is_bounded();
        (next, takes.then(|| Slot { rotator: self.clone(), fleet }))
    }

    /// A call goes to a server.
    pub fn on_chosen(&self, server: u32) {
        let now = self.now();
        self.members_of(server, |members| members.on_chosen(&self.spec().health, server, now));
    }

    /// A call's end says something of its server; when the server, if that takes it out, may be tried again.
    pub fn judge(&self, server: u32, verdict: Verdict) -> Option<Ns> {
        let (health, now) = (&self.spec().health, self.now());
        let judged = self
            .members_of(server, |members| members.listens().then(|| members.on_call(health, server, verdict, now)))?;
        if let Some(time) = judged.check_within {
            self.check_within(server, time);
        }
        self.settle(server);
        judged.reopens_at
    }

    /// A server that max_fails had taken out may be tried again.
    pub fn peer_reopens(&self, server: u32) {
        let now = self.now();
        self.members_of(server, |members| members.reopens(&self.spec().health, server, now));
        self.settle(server);
    }

    /// No server may be chosen for a call.
    fn none_chosen(&self, fleet: u16) {
        let health = &self.spec().health;
        let forgotten = self.members(fleet, |members| members.on_nobody(health).then(|| members.servers()));
        forgotten.into_iter().flatten().for_each(|server| self.settle(server));
    }

    /// A new configuration is loaded: what was learnt of the servers is forgotten. Of which something had been learnt.
    pub fn forget(&self) -> Vec<bool> {
        let health = &self.spec().health;
        let known: Vec<bool> = self.state().backends.iter_mut().flat_map(|b| b.members.forget(health)).collect();
        (0..known.len() as u32).for_each(|server| self.settle(server));
        self.state().backends.iter_mut().for_each(|backend| backend.members.ease_nobody_in());
        known
    }

    /// The sweep of outlier detection is due.
    pub fn sweep(&self, fleet: u16) {
        let now = self.now();
        let concerned = self.members(fleet, |members| members.sweep(&self.spec().health, now));
        concerned.into_iter().for_each(|server| self.settle(server));
    }

    /// Operators take a server out of rotation, or let it back in if its checks pass.
    pub fn hold_out(&self, server: u32, out: bool) {
        self.members_of(server, |members| members.hold_out(server, out));
        self.settle(server);
        self.settle_fail_open(self.fleet_of(server));
    }

    /// Compares whether a server should be in rotation with whether it is.
    fn settle(&self, server: u32) {
        let (health, now, fleet) = (&self.spec().health, self.now(), self.fleet_of(server));
        match self.members(fleet, |members| members.settle(health, server, now)) {
            Settling::Nothing => {}
            Settling::At(at) => {
                let (rotator, later) = (self.clone(), self.later.clone());
                later(at, Box::new(move |now| rotator.deliver(fleet, now)));
            }
            Settling::Now(servers) => servers.for_each(|server| self.apply(server)),
        }
    }

    /// Changes of rotation that were merged take effect. `due`: the time at which they were to be.
    fn deliver(&self, fleet: u16, due: Ns) {
        let servers = self.members(fleet, |members| members.deliver(due));
        servers.into_iter().flatten().for_each(|server| self.apply(server));
    }

    /// A server goes into rotation or out of it, if that is where it should be.
    fn apply(&self, server: u32) {
        let (health, now, fleet) = (&self.spec().health, self.now(), self.fleet_of(server));
        let Some(up) = self.members(fleet, |members| members.apply(health, server, now)) else { return };
        self.town.witness().rotation(server, up);
        self.settle_fail_open(fleet);
        if up {
            self.serve_queue(fleet);
        } else if !self.members(fleet, |members| members.is_held(server)) {
            self.cuts[server as usize].notify_waiters();
        }
    }

    /// Waits until the connections to a server are cut because it is marked down.
    pub async fn cut(&self, server: u32) {
        match self.spec().on_marked_down {
            OnMarkedDown::ShutdownSessions => self.cuts[server as usize].notified().await,
            OnMarkedDown::Keep => std::future::pending().await,
        }
    }

    /// Other servers than before are in rotation, or let in by operators: whether health is to be ignored.
    fn settle_fail_open(&self, fleet: u16) {
        let health = &self.spec().health;
        if let Some(begins) = self.members(fleet, |members| members.settle_fail_open(health)) {
            self.town.witness().fails_open(fleet, begins);
        }
    }
}

/// A retry's place among those whose number is bounded; dropped, it makes room for the next.
pub struct Slot {
    rotator: Rotator,
    fleet: u16,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.rotator.state().backends[self.fleet as usize].slots.give_back();
    }
}

/// A connection's place at a server; dropped, it makes room for the next.
pub struct Place {
    server: u32,
    counted: Counted,
    rotator: Option<Rotator>,
}

impl Place {
    /// The server.
    pub fn server(&self) -> u32 {
        self.server
    }

    /// The connection has been opened: whether a call may be sent on it, as far as what is under way to the fleet is bounded.
    pub fn may_send(&mut self) -> bool {
        let Some(rotator) = self.rotator.as_ref().filter(|_| self.counted == Counted::Connecting) else { return true };
        let Some(limits) = &rotator.spec().fleet_limits else { return true };
        let under_way = &mut rotator.state().backends[rotator.fleet_of(self.server) as usize].under_way;
        let sends = limits.may_send(under_way);
        let is = if sends { Counted::Request } else { Counted::No };
        under_way.count(self.counted, is);
        self.counted = is;
        sends
    }

    /// The next try goes over the same place, from its beginning.
    pub fn begin_again(&mut self) {
        if self.counted != Counted::No {
            self.recount(Counted::Connecting);
        }
    }

    fn recount(&mut self, is: Counted) {
        let was = std::mem::replace(&mut self.counted, is);
        if let Some(rotator) = self.rotator.as_ref().filter(|_| was != is) {
            let fleet = rotator.fleet_of(self.server);
            rotator.state().backends[fleet as usize].under_way.count(was, is);
        }
    }

    /// Gives the place back; whoever does so looks who may have it.
    fn leave_quietly(&mut self) {
        self.recount(Counted::No);
        if let Some(rotator) = self.rotator.take() {
            rotator.state().give_back(rotator.fleet_of(self.server), self.server);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.recount(Counted::No);
        if let Some(rotator) = self.rotator.take() {
            rotator.free(self.server);
        }
    }
}
