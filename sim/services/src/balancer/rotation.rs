//! Who is chosen, and who waits for a server with room: [`Members`] behind a lock, fed with what the services see.

use crate::platform::{Platform, first};
use crate::town::{Held, Town};
use brownout_models::component::balancer::Balancer as Spec;
use brownout_models::ledger::Cause;
use brownout_models::policy::health::Health;
use brownout_models::policy::members::Members;
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
    _queued: Held,
}

/// What the balancer keeps for one fleet.
pub struct Backend {
    pub members: Members,
    waiting: VecDeque<Waiting>,
    /// Retries under way, where their number is bounded.
    slots: Slots,
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
            Backend { members, waiting: VecDeque::new(), slots: Slots::default() }
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
    town: Town,
    clock: Arc<dyn Fn() -> Ns + Send + Sync>,
}

impl Rotator {
    /// Rotation as the script's world has it.
    pub fn new<P: Platform>(town: &Town, platform: &P) -> Rotator {
        let state = town.witness().relay(|relay| State::new(town, relay.world()));
        let state = state.unwrap_or(State { servers: Vec::new(), backends: Vec::new() });
        let platform = platform.clone();
        let sooner = Arc::new(state.servers.iter().map(|_| Notify::new()).collect());
        let (state, clock) = (Arc::new(Mutex::new(state)), Arc::new(move || platform.now()));
        Rotator { state, sooner, town: town.clone(), clock }
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
        let mut wait = {
            let mut state = self.state();
            if let Some(server) = state.pick(spec, &asks, now) {
                state.take(fleet, server);
                return Ok(Place { server, rotator: Some(self.clone()) });
            }
            if state.backends[fleet as usize].members.nobody_can_serve(spec.rules()) {
                drop(state);
                self.nobody_chosen(fleet);
                return Err(Cause::NoServer);
            }
            let backend = &mut state.backends[fleet as usize];
            backend.waiting.retain(|waiting| !waiting.give.is_closed());
            if spec.queue.limit.is_some_and(|limit| backend.waiting.len() >= limit as usize) {
                return Err(Cause::QueueFull);
            }
            let (give, wait) = oneshot::channel();
            // Whoever has waited takes what there is.
            let asks = Asks { avoid: None, ..asks };
            backend.waiting.push_back(Waiting { give, asks, _queued: self.town.queued().hold() });
            wait
        };
        match platform.within(spec.queue_timeout(), &mut wait).await {
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

    /// Sends on what queues for a fleet, as far as there is room.
    fn serve_queue(&self, fleet: u16) {
        loop {
            let (waiting, server) = {
                let (now, mut state) = (self.now(), self.state());
                let Some(waiting) = state.backends[fleet as usize].waiting.pop_front() else { return };
                if waiting.give.is_closed() {
                    continue;
                }
                let Some(server) = state.pick(self.spec(), &waiting.asks, now) else {
                    state.backends[fleet as usize].waiting.push_front(waiting);
                    return;
                };
                state.take(fleet, server);
                (waiting, server)
            };
            if let Err(mut back) = waiting.give.send(Place { server, rotator: Some(self.clone()) }) {
                // It has left at this very moment: the place is free again, for the next in the queue.
                back.rotator = None;
                self.state().give_back(fleet, server);
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
        if queued {
            self.serve_queue(fleet);
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
        let backend = &mut self.state().backends[fleet as usize];
        let failed = failed(&backend.members);
        let next = spec.retry_policy().next(&failed, &mut backend.slots);
        let takes = next != Next::GiveUp && spec.retries_at_once.is_some();
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
    fn nobody_chosen(&self, fleet: u16) {
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
        let Some(up) = self.members(fleet, |members| members.settle(health, server, now)) else { return };
        self.town.witness().rotation(server, up);
        self.settle_fail_open(fleet);
        if up {
            self.serve_queue(fleet);
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

/// A retry's place among those whose number is bounded; whoever drops it makes room for the next.
pub struct Slot {
    rotator: Rotator,
    fleet: u16,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.rotator.state().backends[self.fleet as usize].slots.give_back();
    }
}

/// A connection's place at a server; whoever drops it makes room for the next.
pub struct Place {
    server: u32,
    rotator: Option<Rotator>,
}

impl Place {
    /// The server.
    pub fn server(&self) -> u32 {
        self.server
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(rotator) = self.rotator.take() {
            rotator.free(self.server);
        }
    }
}
