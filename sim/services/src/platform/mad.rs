//! The services on madsim: simulated time, simulated TCP, adversarial scheduling, one seed for all of it.
//!
//! madsim's shortest sleep is a millisecond and each step of its TCP takes one; so time is stretched: a microsecond of the
//! scenario is a millisecond of madsim, and that is the resolution. madsim has one latency for all links; here each
//! connection sets its own just before it sends, which nothing can come between: there is one thread. madsim's TCP has no
//! backlog and refuses over a cut link; backlogs, silent connects and their retransmission are kept here (see
//! `Ports`).
//!
//! Not modelled: lost packets inside a connection, bandwidth, half-closed connections (madsim has none).

use super::{Door, Handshake, Listener, Machine, Platform, Way};
use brownout_models::units::Ns;
use madsim::net::{NetSim, TcpListener, TcpStream};
use madsim::runtime::Handle;
use madsim::task::NodeId;
use madsim::time::TimeHandle;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// By how much time is stretched, unless somebody's own service needs the machine's own seconds.
pub const STRETCH: u64 = 1000;
/// First retransmission of an unanswered connect (Linux); doubled each time.
const RETRANSMISSION: Ns = Ns::secs(1);

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
    cuts: BTreeSet<(Machine, Machine)>,
    opened: u64,
}

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
        let Some(number) = self.number else { return };
        if let Some(port) = self.mad.ports().ports.get_mut(&self.door).filter(|p| p.number == number) {
            port.waiting = port.waiting.saturating_sub(1);
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
    machine: Machine,
    ports: Arc<Mutex<Ports>>,
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
            machine: Machine(u32::MAX),
            ports: Arc::default(),
        };
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

    fn find(&self, door: Door) -> Found {
        let mut ports = self.ports();
        let (from, to) = (self.machine, door.machine);
        if ports.cuts.contains(&(from.min(to), from.max(to))) {
            return Found::Silence;
        }
        match ports.ports.get_mut(&door) {
            Some(port) if port.listens && port.waiting < port.room => {
                port.waiting += 1;
                Found::Room(port.number)
            }
            Some(port) if port.listens => Found::Silence,
            _ => Found::Nobody,
        }
    }

    fn latency(&self, way: Way) -> std::ops::Range<Duration> {
        let shortest = self.stretched(way.latency);
        shortest..shortest + self.stretched(way.jitter).max(Duration::from_nanos(1))
    }

    fn wrap(&self, stream: TcpStream, way: Way) -> MadStream {
        MadStream { stream, net: self.net.clone(), latency: self.latency(way), dirty: false }
    }
}

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
        Ok(MadListener { listener, door, number, way, mad: self.clone() })
    }

    async fn connect(&self, door: Door, way: Way, handshake: Handshake) -> io::Result<MadStream> {
        let sent = self.now();
        let hop = if handshake == Handshake::Fresh { way.latency } else { Ns::ZERO };
        let mut pause = RETRANSMISSION;
        let mut tried_until = sent;
        if hop > Ns::ZERO {
            self.sleep(hop).await;
        }
        let number = loop {
            match self.find(door) {
                Found::Room(number) => break number,
                Found::Nobody => {
                    self.sleep(way.latency.max(hop)).await;
                    return Err(io::ErrorKind::ConnectionRefused.into());
                }
                Found::Silence => {
                    tried_until = tried_until.plus(pause);
                    pause = pause.plus(pause);
                    self.sleep_until(tried_until.plus(hop)).await;
                }
            }
        };
        // Until the connection is in the listener's queue, its place there is only reserved.
        let mut place = Place { mad: self, door, number: Some(number) };
        let stream = TcpStream::connect(address(door)).await?;
        place.number = None;
        drop(place);
        if hop > Ns::ZERO {
            self.sleep(hop).await;
        }
        Ok(self.wrap(stream, way))
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
            node.spawn(program(Mad { machine, ..self.clone() }));
        }
    }

    fn kill(&self, machine: Machine) {
        let node = self.node(machine);
        for (_, port) in self.ports().ports.iter_mut().filter(|(door, _)| door.machine == machine) {
            port.listens = false;
        }
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

    fn cut(&self, one: Machine, other: Machine, cut: bool) -> io::Result<()> {
        let (a, b) = (self.node(one), self.node(other));
        let pair = (one.min(other), one.max(other));
        if cut {
            self.ports().cuts.insert(pair);
            self.net.clog_link(a, b);
            self.net.clog_link(b, a);
        } else {
            self.ports().cuts.remove(&pair);
            self.net.unclog_link(a, b);
            self.net.unclog_link(b, a);
        }
        Ok(())
    }

    fn tidy(&self) {
        // madsim forgets finished tasks when it is asked how many there are.
        self.handle.metrics().num_tasks();
    }
}

/// A listening socket on madsim.
pub struct MadListener {
    listener: TcpListener,
    door: Door,
    number: u64,
    way: Way,
    mad: Mad,
}

impl Listener for MadListener {
    type Stream = MadStream;

    async fn accept(&self) -> io::Result<MadStream> {
        let (stream, _) = self.listener.accept().await?;
        if let Some(port) = self.mad.ports().ports.get_mut(&self.door) {
            port.waiting = port.waiting.saturating_sub(1);
        }
        Ok(self.mad.wrap(stream, self.way))
    }

    fn waiting(&self) -> u32 {
        self.mad.ports().ports.get(&self.door).map_or(0, |port| port.waiting)
    }
}

impl Drop for MadListener {
    fn drop(&mut self) {
        if let Some(port) = self.mad.ports().ports.get_mut(&self.door).filter(|p| p.number == self.number) {
            port.listens = false;
        }
    }
}

/// A connection on madsim, with a latency of its own.
pub struct MadStream {
    stream: TcpStream,
    net: Arc<NetSim>,
    latency: std::ops::Range<Duration>,
    /// Whether anything was written since the last flush: an empty flush would be a message.
    dirty: bool,
}

impl AsyncRead for MadStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for MadStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.dirty = true;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !std::mem::take(&mut self.dirty) {
            return Poll::Ready(Ok(()));
        }
        let latency = self.latency.clone();
        self.net.update_config(|config| config.send_latency = latency);
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
