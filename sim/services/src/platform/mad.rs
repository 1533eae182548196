//! The services on madsim: simulated time, simulated TCP, adversarial scheduling, one seed for all of it.
//!
//! madsim's shortest sleep is a millisecond and each step of its TCP takes one; so time is stretched: a microsecond of the
//! scenario is a millisecond of madsim, and that is the resolution. madsim has one latency for all links; here each
//! connection sets its own just before it sends, which nothing can come between: there is one thread. madsim's TCP has no
//! backlog and refuses over a cut or lossy link; backlogs, silent connects and retransmission are kept here (`Ports`,
//! [`MadStream`]).
//!
//! Not modelled: bandwidth, half-closed connections (madsim has none).

mod stream;

pub use stream::MadStream;

use super::weather::{Met, Parcel, Weather, delays};
use super::{Door, Handshake, LinkId, Listener, Machine, Platform, Silence, Way, first};
use brownout_models::fault::LinkKnobs;
use brownout_models::policy::listen::{self, Arrival};
use brownout_models::random::mix;
use brownout_models::units::Ns;
use madsim::net::{NetSim, TcpListener, TcpStream};
use madsim::runtime::Handle;
use madsim::task::NodeId;
use madsim::time::TimeHandle;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use stream::Line;
use tokio::sync::Notify;

/// By how much time is stretched, unless somebody's own service needs the machine's own seconds.
pub const STRETCH: u64 = 1000;

/// A listening port, as the operating system sees it.
struct Port {
    room: u32,
    waiting: u32,
    listens: bool,
    /// Which listener this is, of those that have been here.
    number: u64,
}

#[derive(Default)]
struct Ports {
    ports: BTreeMap<Door, Port>,
    nodes: BTreeMap<Machine, NodeId>,
    weather: Weather,
    /// Listeners so far.
    opened: u64,
    /// Connects so far, and what is random about all of them.
    connects: u64,
    salt: u64,
    /// Connections that the other side has not accepted yet, by the address that they come from.
    arriving: BTreeMap<SocketAddr, Arriving>,
}

/// What the accepting side must know of a connection.
#[derive(Clone, Copy)]
struct Arriving {
    line: Line,
    /// When the listener may see it.
    at: Ns,
}

type Hears = Arc<dyn Fn(Met) + Send + Sync>;

/// What the connect finds.
enum Found {
    Nobody,
    Silence,
    Room(u64),
}

/// A place in a backlog, given back if the connect is given up.
struct Place<'a> {
    mad: &'a Mad,
    door: Door,
    number: Option<u64>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.mad.one_less_waits(self.door, number);
        }
    }
}

/// A handle to the simulation, for the process of one machine.
#[derive(Clone)]
pub struct Mad {
    handle: Handle,
    time: TimeHandle,
    net: Arc<NetSim>,
    stretch: u64,
    /// What the clock shows when the simulation begins.
    begins: Ns,
    ports: Arc<Mutex<Ports>>,
    hears: Arc<Mutex<Option<Hears>>>,
}

fn address(door: Door) -> SocketAddr {
    let [_, a, b, c] = (door.machine.0 + 1).to_be_bytes();
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, a, b, c)), door.port)
}

impl Mad {
    /// The handle of the supervisor, inside a running simulation whose clock begins at `begins`.
    pub fn new(stretch: u64, begins: Ns) -> Mad {
        let handle = Handle::current();
        let mad = Mad {
            time: TimeHandle::current(),
            net: NetSim::current(),
            handle,
            stretch,
            begins,
            ports: Arc::default(),
            hears: Arc::default(),
        };
        mad.ports().salt = madsim::rand::random();
        mad.net.update_config(|config| config.packet_loss_rate = 0.0);
        mad
    }

    fn ports(&self) -> MutexGuard<'_, Ports> {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stretched(&self, time: Ns) -> Duration {
        Duration::from_nanos(time.0.saturating_mul(self.stretch))
    }

    /// The node of a machine; made when it is first needed.
    fn node(&self, machine: Machine) -> NodeId {
        if let Some(node) = self.ports().nodes.get(&machine) {
            return *node;
        }
        let ip = address(Door { machine, port: 0 }).ip();
        let node = self.handle.create_node().name(format!("machine-{}", machine.0)).ip(ip).build().id();
        self.ports().nodes.insert(machine, node);
        node
    }

    /// What a link is like now.
    fn weather_on(&self, link: Option<LinkId>) -> LinkKnobs {
        link.map_or_else(LinkKnobs::default, |link| self.ports().weather.at(link, self.now()))
    }

    fn met(&self, met: Met) {
        let hears = self.hears.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(hears) = hears {
            hears(met);
        }
    }

    /// A message takes longer; by how much.
    fn delayed(&self, link: Option<LinkId>, parcel: Parcel, knobs: &LinkKnobs, tries: u32) -> Ns {
        if let Some(link) = link.filter(|_| delays(knobs)) {
            self.met(Met::Late(link));
        }
        parcel.late(knobs, tries)
    }

    /// What is random about the next connection.
    fn next_salt(&self) -> u64 {
        let mut ports = self.ports();
        ports.connects += 1;
        mix(ports.salt ^ ports.connects)
    }

    fn find(&self, door: Door) -> Found {
        let (found, waiting) = match self.ports().ports.get_mut(&door) {
            None => (Found::Nobody, None),
            Some(port) => match listen::arrival(port.listens, port.waiting, port.room) {
                Arrival::Refused => (Found::Nobody, None),
                Arrival::Unanswered => (Found::Silence, None),
                Arrival::Queued => {
                    port.waiting += 1;
                    (Found::Room(port.number), Some(port.waiting))
                }
            },
        };
        waiting.into_iter().for_each(|waiting| self.met(Met::Backlog(door, waiting)));
        found
    }

    /// A connection has been accepted by the listener of that number, or is given up.
    fn one_less_waits(&self, door: Door, number: u64) {
        let mut ports = self.ports();
        let Some(port) = ports.ports.get_mut(&door).filter(|port| port.number == number) else { return };
        port.waiting = port.waiting.saturating_sub(1);
        let waiting = port.waiting;
        drop(ports);
        self.met(Met::Backlog(door, waiting));
    }

    /// Says of a connection what the accepting side must know: the listener may see it when its first message could be
    /// there, if that is late.
    fn arrives(&self, stream: &TcpStream, line: Line, way: Way, hop: Ns) {
        let Ok(from) = stream.local_addr() else { return };
        let late = line.parcel(0, true).late(&self.weather_on(way.link), 0);
        let at = if late > Ns::ZERO { self.now().plus(hop).plus(way.latency).plus(late) } else { Ns::ZERO };
        self.ports().arriving.insert(from, Arriving { line, at });
    }

    fn latency(&self, way: Way) -> std::ops::Range<Duration> {
        let shortest = self.stretched(way.latency);
        shortest..shortest + self.stretched(way.jitter).max(Duration::from_nanos(1))
    }
}

/// Keeps the random draws of a connect and its answer apart from those of messages.
const CONNECT: u32 = 1 << 30;
const ANSWER: u32 = CONNECT + 1;

impl Platform for Mad {
    type Stream = MadStream;
    type Listener = MadListener;

    fn now(&self) -> Ns {
        self.begins.plus(Ns(u64::try_from(self.time.elapsed().as_nanos()).unwrap_or(u64::MAX) / self.stretch))
    }

    fn sleep_until(&self, at: Ns) -> impl Future<Output = ()> + Send + 'static {
        let left = self.stretched(at.minus(self.begins)).saturating_sub(self.time.elapsed());
        let timer = (left > Duration::ZERO).then(|| self.time.sleep(left));
        async move {
            if let Some(timer) = timer {
                timer.await;
            }
        }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        madsim::task::spawn(task);
    }

    async fn listen(&self, door: Door, room: u32, way: Way) -> io::Result<MadListener> {
        // madsim binds on the node of whichever task asks; a handle's own machine is meant.
        let node = self.handle.get_node(self.node(door.machine)).ok_or(io::ErrorKind::AddrNotAvailable)?;
        let bound = node.spawn(TcpListener::bind(address(door))).await;
        let listener = bound.map_err(|_| io::Error::from(io::ErrorKind::Interrupted))??;
        let mut ports = self.ports();
        ports.opened += 1;
        let number = ports.opened;
        ports.ports.insert(door, Port { room, waiting: 0, listens: true, number });
        drop(ports);
        let (aside, changed) = (Mutex::default(), Notify::new());
        Ok(MadListener { listener, door, number, way, mad: self.clone(), aside, changed })
    }

    async fn connect_noting(
        &self,
        door: Door,
        way: Way,
        handshake: Handshake,
        silence: &Silence,
    ) -> io::Result<MadStream> {
        let fresh = handshake == Handshake::Fresh;
        let hop = if fresh { way.latency } else { Ns::ZERO };
        let salt = self.next_salt();
        let (connect, answer) =
            (Parcel { salt, number: CONNECT, outward: true }, Parcel { salt, number: ANSWER, outward: false });
        let (begun, mut tries) = (self.now(), 0);
        let (number, back) = loop {
            let knobs = self.weather_on(way.link);
            if let Some(link) =
                way.link.filter(|_| handshake != Handshake::Done && connect.connect_is_lost(&knobs, tries))
            {
                silence.note(true);
                self.met(Met::Lost(link, None));
            } else {
                let there = if fresh { self.delayed(way.link, connect, &knobs, tries) } else { Ns::ZERO };
                let back = if fresh { self.delayed(way.link, answer, &knobs, tries) } else { Ns::ZERO };
                if there > Ns::ZERO {
                    silence.note(true);
                }
                self.sleep(hop.plus(there)).await;
                match self.find(door) {
                    Found::Room(number) => break (number, back),
                    Found::Nobody => {
                        self.sleep(way.latency.max(hop).plus(back)).await;
                        return Err(io::ErrorKind::ConnectionRefused.into());
                    }
                    Found::Silence => silence.note(false),
                }
            }
            tries += 1;
            self.sleep_until(begun.plus(listen::sent_again(tries))).await;
        };
        // Until the connection is in the listener's queue, its place there is only reserved.
        let mut place = Place { mad: self, door, number: Some(number) };
        if back > Ns::ZERO {
            self.sleep(back).await;
        }
        let stream = TcpStream::connect(address(door)).await?;
        place.number = None;
        drop(place);
        let line = Line { link: way.link, salt, first_is_connect: handshake == Handshake::WithFirst };
        self.arrives(&stream, line, way, hop);
        if hop > Ns::ZERO {
            self.sleep(hop).await;
        }
        Ok(MadStream::new(self, stream, self.latency(way), line, true))
    }

    fn start<F, R>(&self, machine: Machine, program: F)
    where
        F: FnOnce(Mad) -> R,
        R: Future<Output = ()> + Send + 'static,
    {
        let node = self.node(machine);
        if self.handle.is_exit(node) {
            self.handle.restart(node);
        }
        if let Some(node) = self.handle.get_node(node) {
            node.spawn(program(self.clone()));
        }
    }

    fn kill(&self, machine: Machine) {
        let node = self.node(machine);
        let mut closed = Vec::new();
        for (door, port) in self.ports().ports.iter_mut().filter(|(door, _)| door.machine == machine) {
            port.listens = false;
            port.waiting = 0;
            closed.push(*door);
        }
        closed.into_iter().for_each(|door| self.met(Met::Backlog(door, 0)));
        self.handle.kill(node);
    }

    fn pause(&self, machine: Machine, paused: bool) -> io::Result<()> {
        let node = self.node(machine);
        if paused {
            self.handle.pause(node)
        } else {
            self.handle.resume(node)
        }
        Ok(())
    }

    fn weather(&self, link: LinkId, knobs: LinkKnobs) -> io::Result<()> {
        let now = self.now();
        self.ports().weather.set(link, now, knobs);
        Ok(())
    }

    fn tell(&self, hears: Hears) {
        *self.hears.lock().unwrap_or_else(PoisonError::into_inner) = Some(hears);
    }

    fn tidy(&self) {
        // madsim forgets finished tasks when it is asked how many there are.
        self.handle.metrics().num_tasks();
    }
}

/// A listening socket on madsim.
///
/// A connection is the listener's when the last message of its handshake is there, which a fault of the link may make
/// late: until then it is kept aside.
pub struct MadListener {
    listener: TcpListener,
    door: Door,
    number: u64,
    way: Way,
    mad: Mad,
    aside: Mutex<BTreeMap<(Ns, u64), MadStream>>,
    /// Set off when somebody else must look after what is kept aside.
    changed: Notify,
}

impl MadListener {
    fn aside(&self) -> MutexGuard<'_, BTreeMap<(Ns, u64), MadStream>> {
        self.aside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection that was kept aside and is due; or when the next one is.
    fn due(&self) -> Result<MadStream, Option<Ns>> {
        let mut aside = self.aside();
        match aside.first_entry() {
            Some(entry) if entry.key().0 <= self.mad.now() => Ok(entry.remove()),
            Some(entry) => Err(Some(entry.key().0)),
            None => Err(None),
        }
    }

    fn accepted(&self, stream: MadStream) -> MadStream {
        self.mad.one_less_waits(self.door, self.number);
        if !self.aside().is_empty() {
            self.changed.notify_one();
        }
        stream
    }
}

impl Listener for MadListener {
    type Stream = MadStream;

    async fn accept(&self) -> io::Result<MadStream> {
        loop {
            let next = match self.due() {
                Ok(stream) => return Ok(self.accepted(stream)),
                Err(next) => next,
            };
            let later = async {
                match next {
                    Some(at) => {
                        first(self.mad.sleep_until(at), self.changed.notified()).await;
                    }
                    None => self.changed.notified().await,
                }
            };
            let super::Either::Left(accepted) = first(self.listener.accept(), later).await else { continue };
            let (stream, peer) = accepted?;
            let arriving = self.mad.ports().arriving.remove(&peer);
            let (line, at) = arriving.map_or((Line::default(), Ns::ZERO), |a| (a.line, a.at));
            let stream = MadStream::new(&self.mad, stream, self.mad.latency(self.way), line, false);
            if at <= self.mad.now() {
                return Ok(self.accepted(stream));
            }
            self.aside().insert((at, line.salt), stream);
        }
    }

    async fn close_waiting(&self) {
        // madsim hands each over after a delay of its own, of nanoseconds.
        const SOON: Ns = Ns(1_000);
        let waiting = self.mad.ports().ports.get(&self.door).map_or(0, |port| port.waiting);
        for _ in 0..waiting {
            let super::Either::Left(Ok(_closed)) = first(self.accept(), self.mad.sleep(SOON)).await else { return };
        }
    }
}

impl Drop for MadListener {
    fn drop(&mut self) {
        if let Some(port) = self.mad.ports().ports.get_mut(&self.door).filter(|p| p.number == self.number) {
            port.listens = false;
        }
    }
}
