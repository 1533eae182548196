//! Who may be chosen, who is chosen, and who waits for a server with room.

use crate::platform::{Platform, first};
use crate::town::{Held, Town};
use brownout_models::component::balancer::Balancer as Spec;
use brownout_models::ledger::Cause;
use brownout_models::policy::balance::{Choice, Easing, Rotation};
use brownout_models::policy::health::Health;
use brownout_models::policy::max_fails::Peer;
use brownout_models::policy::observe::Observed;
use brownout_models::policy::outlier::Outliers;
use brownout_models::policy::redispatch::{Redispatch, Tried};
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

/// What the balancer knows of a server.
pub struct ServerState {
    pub health: Health,
    pub held_out: bool,
    pub in_rotation: bool,
    /// Connections that the balancer has open to it.
    pub connections: u32,
    pub peer: Peer,
    pub observed: Observed,
    /// Whether passive checks have it out, until it may be tried again.
    pub out: bool,
    /// When its next check begins; none while one is under way, or if there are none.
    pub next_check: Option<Ns>,
}

/// A call that waits for a server with room.
struct Waiting {
    give: oneshot::Sender<Place>,
    asks: Asks,
    _queued: Held,
}

/// What the balancer keeps for one fleet.
pub struct Backend {
    pub first: u32,
    /// How many servers it has.
    pub count: u32,
    pub rotation: Rotation,
    /// All servers that operators do not keep out, for when health is ignored.
    pub all: Rotation,
    /// Whether so few servers are in rotation that health is ignored.
    fails_open: bool,
    pub outliers: Option<Outliers>,
    /// Who is being eased in, if anybody ever is.
    easing: Option<Easing>,
    waiting: VecDeque<Waiting>,
}

/// What the balancer knows.
pub struct State {
    pub servers: Vec<ServerState>,
    pub backends: Vec<Backend>,
}

impl State {
    /// As the script's world has it: of a run at its beginning, all servers as the health checks say.
    pub fn new(town: &Town, world: &World) -> State {
        let health = &town.spec().balancer.health;
        let servers = world.checkers.iter().map(|checker| ServerState {
            health: checker.health,
            held_out: checker.is_held(),
            in_rotation: checker.in_rotation,
            connections: 0,
            peer: Peer::default(),
            observed: Observed::default(),
            out: false,
            next_check: None,
        });
        let mut next = 0;
        let backends = world.backends.iter().zip(town.spec().fleets.iter()).map(|(backend, (_, fleet))| {
            let first = next;
            next += fleet.count;
            Backend {
                first,
                count: fleet.count,
                rotation: backend.rotation.clone(),
                all: backend.all.clone(),
                fails_open: backend.fails_open,
                outliers: health.outlier.as_ref().map(|_| Outliers::new(fleet.count as usize)),
                easing: backend.watch.easing.clone(),
                waiting: VecDeque::new(),
            }
        });
        State { backends: backends.collect(), servers: servers.collect() }
    }

    /// Other servers than before are in rotation, or let in by operators: whether health is to be ignored, if that is new.
    fn settle_fail_open(&mut self, spec: &Spec, fleet: u16) -> Option<bool> {
        let backend = &mut self.backends[fleet as usize];
        let begins = spec.health.fails_open(backend.rotation.len(), backend.all.len());
        (std::mem::replace(&mut backend.fails_open, begins) != begins).then_some(begins)
    }

    /// Whether a server is in rotation and has its full share.
    pub fn is_fully_up(&self, fleet: u16, server: u32, now: Ns) -> bool {
        let backend = &self.backends[fleet as usize];
        let at = (server - backend.first) as usize;
        self.servers[server as usize].in_rotation && !backend.easing.as_ref().is_some_and(|e| e.is_easing(at, now))
    }

    /// A server for a call, if one may be chosen and has room.
    fn pick(&mut self, spec: &Spec, asks: &Asks, now: Ns) -> Option<u32> {
        let Asks { fleet, salt, number, ref tried, avoid } = *asks;
        let by = Choice { algorithm: spec.algorithm, salt, number, avoid };
        let State { servers, backends } = self;
        let Backend { first, count, rotation, all, easing, fails_open, .. } = &mut backends[fleet as usize];
        let limit = spec.max_connections.unwrap_or(u32::MAX);
        let load = |s: u32| servers[s as usize].connections;
        let untried = |s: u32| spec.redispatch != Redispatch::Untried || !tried.has(s);
        let forgiven = |s: u32| match &spec.health.max_fails {
            Some(max_fails) if *count > 1 => servers[s as usize].peer.is_open(max_fails, now),
            _ => true,
        };
        let open = |s: u32| untried(s) && forgiven(s);
        if *fails_open {
            return all.choose(by, |s| load(s) < limit && open(s), load);
        }
        match easing.as_ref().filter(|easing| easing.is_on(now)) {
            None => rotation.choose(by, |s| load(s) < limit && open(s), load),
            Some(easing) => {
                let at = |s: u32| (s - *first) as usize;
                let has_room = |s: u32| load(s) < easing.limit(at(s), limit, now);
                rotation.choose_by_weight(by, |s| has_room(s) && open(s), load, |s| easing.weight(at(s), now))
            }
        }
    }

    /// Whether waiting is of no use: nobody is in rotation, or those that are may not be chosen.
    fn nobody_can_serve(&self, spec: &Spec, fleet: u16) -> bool {
        let backend = &self.backends[fleet as usize];
        let servers = if backend.fails_open { &backend.all } else { &backend.rotation };
        servers.is_empty() || spec.health.max_fails.is_some() || spec.redispatch == Redispatch::Untried
    }
}

/// Keeps rotation. Clones are the same.
#[derive(Clone)]
pub struct Rotator {
    state: Arc<Mutex<State>>,
    /// Per server: set off when its next check has been brought forward.
    sooner: Arc<Vec<Notify>>,
    pub(super) town: Town,
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

    pub(super) fn now(&self) -> Ns {
        (self.clock)()
    }

    pub(super) fn spec(&self) -> &Spec {
        &self.town.spec().balancer
    }

    pub(super) fn fleet_of(&self, server: u32) -> u16 {
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
                state.servers[server as usize].connections += 1;
                return Ok(Place { server, rotator: Some(self.clone()) });
            }
            if state.nobody_can_serve(spec, asks.fleet) {
                drop(state);
                self.forget_failures(asks.fleet);
                return Err(Cause::NoServer);
            }
            let backend = &mut state.backends[asks.fleet as usize];
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
                state.servers[server as usize].connections += 1;
                (waiting, server)
            };
            if let Err(mut back) = waiting.give.send(Place { server, rotator: Some(self.clone()) }) {
                // It has left at this very moment: the place is free again, for the next in the queue.
                back.rotator = None;
                self.state().servers[server as usize].connections -= 1;
            }
        }
    }

    fn free(&self, server: u32) {
        let fleet = self.fleet_of(server);
        let queued = {
            let mut state = self.state();
            state.servers[server as usize].connections -= 1;
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
    pub(super) fn check_within(&self, server: u32, time: Ns) {
        let due = self.now().plus(time);
        let mut state = self.state();
        let next = &mut state.servers[server as usize].next_check;
        if next.is_some_and(|at| at > due) {
            *next = Some(due);
            self.sooner[server as usize].notify_one();
        }
    }

    /// Compares who should be in rotation with who is: checks, operators and passive checks must all agree.
    pub fn settle(&self, server: u32) {
        let fleet = self.fleet_of(server);
        let now = self.now();
        let mut state = self.state();
        let State { servers, backends } = &mut *state;
        let (at, backend) = (&mut servers[server as usize], &mut backends[fleet as usize]);
        let ejected = backend.outliers.as_ref().is_some_and(|o| o.is_ejected((server - backend.first) as usize));
        let up = at.health.is_up(&self.spec().health) && !at.held_out && !at.out && !ejected;
        if up == at.in_rotation {
            return;
        }
        at.in_rotation = up;
        if up {
            if let Some(easing) = &mut backend.easing {
                let others = backend.rotation.servers().iter().map(|other| (other - backend.first) as usize);
                easing.back_at((server - backend.first) as usize, now, others);
            }
            backend.rotation.insert(server);
        } else {
            backend.rotation.remove(server);
        }
        let queued = !backend.waiting.is_empty();
        let open = state.settle_fail_open(self.spec(), fleet);
        drop(state);
        self.town.witness().rotation(server, up);
        open.into_iter().for_each(|begins| self.town.witness().fails_open(fleet, begins));
        if up && queued {
            self.serve_queue(fleet);
        }
    }

    /// Servers in rotation now are there from the start, and have their full share.
    pub(super) fn ease_nobody(&self) {
        self.state().backends.iter_mut().filter_map(|backend| backend.easing.as_mut()).for_each(Easing::forget);
    }

    /// Operators take a server out of rotation, or let it back in if its checks pass.
    pub fn hold_out(&self, server: u32, out: bool) {
        let fleet = self.fleet_of(server);
        {
            let mut state = self.state();
            if state.servers[server as usize].held_out == out {
                return;
            }
            state.servers[server as usize].held_out = out;
            let all = &mut state.backends[fleet as usize].all;
            if out { all.remove(server) } else { all.insert(server) }
        }
        self.settle(server);
        let open = self.state().settle_fail_open(self.spec(), fleet);
        open.into_iter().for_each(|begins| self.town.witness().fails_open(fleet, begins));
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
