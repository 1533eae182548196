//! Who is where: machines and doors, what all services share, and the supervisor that restarts what dies.

use crate::board::Board;
use crate::collector::Spool;
use crate::platform::{Door, LinkId, Machine, Platform, Way};
use crate::witness::Witness;
use brownout_models::component::collector::Fleet;
use brownout_models::component::operator::Action;
use brownout_models::component::store::Store;
use brownout_models::fault::{BalancerKnobs, ClientKnobs, Connects, LinkKnobs, Onset, ServerKnobs, StoreKnobs};
use brownout_models::spec::WorldSpec;
use brownout_models::units::Ns;
use brownout_models::world::World;
use brownout_sim::outcome::{FleetGauge, StoreGauge};
use brownout_sim::run::Counted;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// Port of HTTP, at balancer and servers.
pub const HTTP: u16 = 80;
/// Port of a server's own health endpoint, where it has one.
pub const HEALTH: u16 = 81;
/// Port of a store.
pub const STORE: u16 = 5432;
/// The clients' machine.
pub const CLIENTS: Machine = Machine(0);
/// The balancer's machine.
pub const BALANCER: Machine = Machine(1);

/// What the script has made of a store.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct StoreDay {
    /// What it does at present.
    pub knobs: StoreKnobs,
    /// How often its connections have been cut so far.
    pub cuts: u32,
    /// When its last outage ended.
    pub returned_at: Option<Ns>,
}

/// What the script has made of a server.
#[derive(Clone, PartialEq, Debug)]
pub struct ServerDay {
    /// What its faults make of its process.
    pub knobs: ServerKnobs,
    /// How often the script has killed its process.
    pub killed: u32,
    /// Workers that leaks have taken from it.
    pub lost_workers: u32,
    /// Memory that leaks have taken, in bytes.
    pub lost_memory: u64,
}

/// What the script has made of the world so far.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Day {
    /// Stores.
    pub stores: Vec<StoreDay>,
    /// Per fleet and plan: the share of calls that operators turn away.
    pub shed: Vec<Vec<f64>>,
    /// Per server: whether operators keep it out of rotation.
    pub held_out: Vec<bool>,
    /// Servers.
    pub servers: Vec<ServerDay>,
    /// Every link, always in the same order.
    pub links: Vec<(LinkId, LinkKnobs)>,
    /// The balancer.
    pub balancer: BalancerKnobs,
    /// How often it has forgotten what it had learnt of its servers.
    pub forgets: usize,
    /// Populations of clients.
    pub clients: Vec<ClientKnobs>,
}

impl Day {
    /// The day as it stands in a world whose script is played; `before` knows when stores have returned.
    pub fn of(world: &World, now: Ns, before: &Day) -> Day {
        let stores = world.stores.iter().enumerate().map(|(at, store)| {
            let was = before.stores.get(at);
            let ended = was.is_some_and(|was| was.knobs.is_outage()) && !store.knobs.is_outage();
            let returned_at = if ended { Some(now) } else { was.and_then(|was| was.returned_at) };
            StoreDay { knobs: store.knobs, cuts: store.cuts, returned_at }
        });
        Day {
            stores: stores.collect(),
            shed: world.backends.iter().map(|b| b.shed.clone()).collect(),
            held_out: world.checkers.iter().map(|c| c.is_held()).collect(),
            servers: (0..world.servers.len() as u32).map(|server| ServerDay::of(world, server)).collect(),
            links: links(world).map(|link| (link, world.link_of(link))).collect(),
            balancer: world.trouble.knobs,
            forgets: world.trouble.elsewhere.as_ref().map_or(0, |elsewhere| elsewhere.forgets.len()),
            clients: world.populations.iter().map(|population| population.knobs).collect(),
        }
    }
}

impl ServerDay {
    fn of(world: &World, server: u32) -> ServerDay {
        let at = &world.servers[server as usize];
        let (lost_workers, lost_memory) = world.leaked(server);
        ServerDay { knobs: at.knobs, killed: at.incarnation, lost_workers, lost_memory }
    }
}

/// Every link of a world.
fn links(world: &World) -> impl Iterator<Item = LinkId> {
    let (servers, stores) = (world.servers.len() as u32, world.stores.len() as u16);
    let clients = (0..world.populations.len() as u16).map(LinkId::Clients);
    let to_stores = (0..servers).flat_map(move |server| (0..stores).map(move |store| LinkId::Store(server, store)));
    clients.chain((0..servers).map(LinkId::Server)).chain(to_stores)
}

/// A count that is looked at now and then.
#[derive(Clone, Default)]
pub struct Meter {
    count: Arc<AtomicU64>,
    /// Whom to tell of each change, where extremes are asked of.
    told: Option<(Witness, Counted)>,
}

impl Meter {
    /// A count whose every change the witness takes down.
    fn told(witness: &Witness, what: Counted) -> Meter {
        Meter { count: Arc::default(), told: Some((witness.clone(), what)) }
    }
    /// Counts one until it is dropped.
    pub fn hold(&self) -> Held {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.tell(1);
        Held(self.clone())
    }
    /// The count.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
    /// There are so many now.
    fn set(&self, count: u64) {
        let before = self.count.swap(count, Ordering::Relaxed);
        self.tell(count.cast_signed() - before.cast_signed());
    }
    fn tell(&self, more: i64) {
        if let Some((witness, what)) = &self.told {
            witness.counts(*what, more);
        }
    }
}

/// One that a [`Meter`] counts.
pub struct Held(Meter);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::Relaxed);
        self.0.tell(-1);
    }
}

/// What is counted of a server.
#[derive(Clone, Default)]
pub struct ServerMeters {
    /// Workers or cores busy.
    pub busy: Meter,
    /// Calls and checks accepted.
    pub pending: Meter,
    /// Connections that wait to be accepted.
    pub backlog: Meter,
    /// Connections open to stores.
    pub pool_open: Meter,
    /// Calls that wait for one.
    pub pool_waiting: Meter,
}

/// What is counted of a store.
#[derive(Clone, Default)]
pub struct StoreMeters {
    /// Queries running.
    pub running: Meter,
    /// Queries that wait or hang.
    pub waiting: Meter,
}

impl ServerMeters {
    fn new(witness: &Witness, fleet: u16) -> ServerMeters {
        ServerMeters {
            pending: Meter::told(witness, Counted::Pending(fleet)),
            backlog: Meter::told(witness, Counted::AcceptQueue(fleet)),
            ..ServerMeters::default()
        }
    }
}

impl StoreMeters {
    fn new(witness: &Witness, store: u16) -> StoreMeters {
        StoreMeters { waiting: Meter::told(witness, Counted::Waiting(store)), ..StoreMeters::default() }
    }
}

/// A server of a fleet.
#[derive(Clone, Copy, Debug)]
pub struct ServerAt {
    /// Its fleet.
    pub fleet: u16,
}

/// A process wants to be gone.
#[derive(Clone, Copy, Debug)]
pub struct Exit {
    /// The server.
    pub server: u32,
    /// Of which incarnation of its process.
    pub incarnation: u32,
    /// After how long.
    pub after: Ns,
}

/// Calls on top of a population's own, on their way to it: when each is offered, and its salt.
struct Offers {
    give: mpsc::UnboundedSender<(Ns, u64)>,
    take: Mutex<Option<mpsc::UnboundedReceiver<(Ns, u64)>>>,
}

impl Default for Offers {
    fn default() -> Offers {
        let (give, take) = mpsc::unbounded_channel();
        Offers { give, take: Mutex::new(Some(take)) }
    }
}

/// What all services share.
#[derive(Clone)]
pub struct Town(Arc<Inner>);

struct Inner {
    spec: WorldSpec,
    witness: Witness,
    day: Board<Day>,
    servers: Vec<ServerAt>,
    server_meters: Vec<ServerMeters>,
    store_meters: Vec<StoreMeters>,
    /// Per server, by kind of call: what is on its disk, or in the memory of its process.
    spools: Vec<Vec<Option<Arc<Spool>>>>,
    queued: Meter,
    /// Per population: calls that its clients have given up and keep.
    kept: Vec<Meter>,
    exits: mpsc::UnboundedSender<Exit>,
    /// Per population: calls on top of its own.
    offers: Vec<Offers>,
    /// Changes whenever a process dies, for a balancer that watches processes.
    deaths: Board<Vec<u32>>,
}

impl Town {
    /// A town as described, and where the processes that want to be gone are told of.
    pub fn new(spec: WorldSpec, witness: Witness, day: Board<Day>) -> (Town, mpsc::UnboundedReceiver<Exit>) {
        let (exits, told) = mpsc::unbounded_channel();
        let servers: Vec<ServerAt> = (0_u16..)
            .zip(spec.fleets.iter())
            .flat_map(|(fleet, (_, f))| vec![ServerAt { fleet }; f.count as usize])
            .collect();
        let inner = Inner {
            server_meters: servers.iter().map(|at| ServerMeters::new(&witness, at.fleet)).collect(),
            store_meters: (0..spec.stores.len() as u16).map(|store| StoreMeters::new(&witness, store)).collect(),
            deaths: Board::new(vec![0; servers.len()]),
            offers: spec.clients.iter().map(|_| Offers::default()).collect(),
            spools: servers.iter().map(|at| spools(&spec.fleets.0[at.fleet as usize].1)).collect(),
            queued: Meter::told(&witness, Counted::Queued),
            kept: spec.clients.iter().map(|_| Meter::told(&witness, Counted::Kept)).collect(),
            spec,
            witness,
            day,
            servers,
            exits,
        };
        (Town(Arc::new(inner)), told)
    }

    /// The description.
    pub fn spec(&self) -> &WorldSpec {
        &self.0.spec
    }
    /// The witness.
    pub fn witness(&self) -> &Witness {
        &self.0.witness
    }
    /// The day as it stands; changes can be waited for.
    pub fn day(&self) -> &Board<Day> {
        &self.0.day
    }
    /// All servers, fleet by fleet.
    pub fn servers(&self) -> &[ServerAt] {
        &self.0.servers
    }
    /// The number of a server's fleet.
    pub fn fleet_number(&self, server: u32) -> u16 {
        self.0.servers[server as usize].fleet
    }
    /// The fleet of a server.
    pub fn fleet_of(&self, server: u32) -> &Fleet {
        self.fleet(self.0.servers[server as usize].fleet)
    }
    /// A fleet.
    pub fn fleet(&self, fleet: u16) -> &Fleet {
        &self.0.spec.fleets.0[fleet as usize].1
    }
    /// A store.
    pub fn store(&self, store: u16) -> &Store {
        &self.0.spec.stores.0[store as usize].1
    }
    /// What is counted of a server.
    pub fn server_meters(&self, server: u32) -> &ServerMeters {
        &self.0.server_meters[server as usize]
    }
    /// What is counted of a store.
    pub fn store_meters(&self, store: u16) -> &StoreMeters {
        &self.0.store_meters[store as usize]
    }
    /// The spools of a server, by kind of call.
    pub fn spools_of(&self, server: u32) -> &[Option<Arc<Spool>>] {
        &self.0.spools[server as usize]
    }
    /// Per fleet: most calls that one spool of a server has held since this was last asked.
    pub fn take_spool_peaks(&self) -> Vec<u64> {
        let mut peaks = vec![0; self.0.spec.fleets.len()];
        for (at, spools) in self.0.servers.iter().zip(&self.0.spools) {
            let peak = &mut peaks[at.fleet as usize];
            spools.iter().flatten().for_each(|spool| *peak = spool.take_peak().max(*peak));
        }
        peaks
    }
    /// So many connections wait at a door to be accepted.
    pub fn waits_at(&self, door: Door, waiting: u32) {
        let server = door.machine.0.checked_sub(BALANCER.0 + 1).filter(|_| door.port == HTTP);
        if let Some(meters) = server.and_then(|server| self.0.server_meters.get(server as usize)) {
            meters.backlog.set(u64::from(waiting));
        }
    }
    /// Calls queued at the balancer.
    pub fn queued(&self) -> &Meter {
        &self.0.queued
    }
    /// Calls that the clients of a population have given up and keep.
    pub fn kept(&self, population: u16) -> &Meter {
        &self.0.kept[population as usize]
    }
    /// ... of all populations.
    pub fn all_kept(&self) -> u64 {
        self.0.kept.iter().map(Meter::count).sum()
    }
    /// How often each process has died; changes can be waited for.
    pub fn deaths(&self) -> &Board<Vec<u32>> {
        &self.0.deaths
    }

    /// The machine of a server.
    pub fn server_machine(&self, server: u32) -> Machine {
        Machine(BALANCER.0 + 1 + server)
    }
    /// The machine of a store.
    pub fn store_machine(&self, store: u16) -> Machine {
        Machine(BALANCER.0 + 1 + self.0.servers.len() as u32 + u32::from(store))
    }
    /// The machine of the supervisor, the last of all.
    pub fn supervisor_machine(&self) -> Machine {
        self.store_machine(self.0.spec.stores.len() as u16)
    }
    /// Where a server takes calls, or has its own health endpoint.
    pub fn server_door(&self, server: u32, port: u16) -> Door {
        Door { machine: self.server_machine(server), port }
    }
    /// Where a store takes connections.
    pub fn store_door(&self, store: u16) -> Door {
        Door { machine: self.store_machine(store), port: STORE }
    }
    /// Where the balancer takes calls.
    pub fn balancer_door(&self) -> Door {
        Door { machine: BALANCER, port: HTTP }
    }
    /// The way between clients and balancer.
    pub fn client_way(&self) -> Way {
        Way::from(&self.0.spec.network.clients)
    }
    /// The way between balancer and servers.
    pub fn server_way(&self) -> Way {
        Way::from(&self.0.spec.network.servers)
    }
    /// The way between servers and a store.
    pub fn store_way(&self, store: u16) -> Way {
        Way::from(&self.store(store).link)
    }

    /// Whether anything on the timeline is a leak.
    pub fn leaks(&self) -> bool {
        let leaks =
            |action: &Action| matches!(action, Action::Fault(fault, _) if matches!(fault.onset(), Onset::Leak(_)));
        self.0.spec.timeline.iter().any(|entry| entry.enabled && leaks(&entry.action))
    }
    /// A population has one more call to make.
    pub fn offers(&self, population: u16, at: Ns, salt: u64) {
        // Their maker lives as long as the run.
        let _ = self.0.offers[population as usize].give.send((at, salt));
    }
    /// Calls on top of a population's own; none the second time.
    pub fn take_offers(&self, population: u16) -> Option<mpsc::UnboundedReceiver<(Ns, u64)>> {
        self.0.offers[population as usize].take.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The process of a server wants to be gone.
    pub fn exit(&self, exit: Exit) {
        // The supervisor lives as long as the run; after it nothing matters.
        let _ = self.0.exits.send(exit);
    }

    /// What is seen at the end of a step: stores and fleets.
    pub fn gauges(&self, in_rotation: &[u64]) -> (Vec<StoreGauge>, Vec<FleetGauge>) {
        let stores = self.0.store_meters.iter().map(|m| StoreGauge {
            running: m.running.count(),
            waiting: m.waiting.count(),
            ..StoreGauge::default()
        });
        let mut fleets = vec![FleetGauge::default(); self.0.spec.fleets.len()];
        for (gauge, up) in fleets.iter_mut().zip(in_rotation) {
            gauge.in_rotation = *up;
        }
        for (server, (at, meters)) in self.0.servers.iter().zip(&self.0.server_meters).enumerate() {
            let gauge = &mut fleets[at.fleet as usize];
            gauge.alive += u64::from(self.0.witness.is_alive(server as u32));
            gauge.accept_queue += meters.backlog.count();
            gauge.busy += meters.busy.count();
            gauge.pending += meters.pending.count();
            gauge.spooled += self.0.spools[server].iter().flatten().map(|spool| spool.held()).sum::<u64>();
            gauge.pool_open += meters.pool_open.count();
            gauge.pool_waiting += meters.pool_waiting.count();
        }
        (stores.collect(), fleets)
    }
}

fn spools(fleet: &Fleet) -> Vec<Option<Arc<Spool>>> {
    fleet.calls.iter().map(|(_, plan)| plan.spool.clone().map(|spec| Arc::new(Spool::new(spec)))).collect()
}

/// Kills what wants to be gone, and starts it again as its fleet says. `start` starts the process of a server.
pub async fn supervise<P: Platform>(town: Town, platform: P, exit: Exit, start: impl Fn(u32) + Send) {
    let Exit { server, incarnation, after } = exit;
    platform.sleep(after).await;
    if town.witness().incarnation(server) != incarnation || !town.witness().dies(server) {
        return;
    }
    platform.kill(town.server_machine(server));
    town.spools_of(server).iter().flatten().for_each(|spool| spool.crash());
    let mut deaths = town.deaths().read(Vec::clone);
    deaths[server as usize] += 1;
    town.deaths().write(deaths);
    let restart = &town.fleet_of(server).restart;
    let pause = restart.delay.plus(restart.boot);
    platform.sleep(pause).await;
    let needs = restart.needs.as_ref().and_then(|name| town.spec().stores.index(&name.text));
    while let Some(store) = needs {
        let knobs = town.day().read(|day| day.stores[store].knobs);
        if knobs.connects == Connects::Accepted && !knobs.severs {
            break;
        }
        platform.sleep(pause.max(Ns::millis(1))).await;
    }
    start(server);
    die_again(&town, &platform, server).await;
}

/// If dying is a loop, a process that has just started dies again after some time.
pub async fn die_again<P: Platform>(town: &Town, platform: &P, server: u32) {
    let (witness, started) = (town.witness(), platform.now());
    let incarnation = witness.incarnation(server);
    loop {
        // Looked at again when it is due: the loop may have ended, or go on for another that takes longer.
        let dies_after = town.day().read(|day| day.servers[server as usize].knobs.dies_after);
        let Some(dies) = dies_after.map(|after| started.plus(after)) else { return };
        if dies <= platform.now() {
            break;
        }
        platform.sleep_until(dies).await;
    }
    if witness.incarnation(server) == incarnation && witness.is_alive(server) {
        witness.affected_server(server, |knobs| knobs.dies_after.is_some());
        town.exit(Exit { server, incarnation, after: Ns::ZERO });
    }
}
