//! The services on real sockets: tokio, the loopback interface, the machine's own clock.
//!
//! Backlogs, refusals and silence are those of the operating system. A process is a set of tasks, and killing it aborts
//! them. Links have the latency that the loopback interface has, whatever the scenario says; a process cannot be paused
//! and no link be made worse.

use super::weather::Met;
use super::{Door, Either, Handshake, LinkId, Listener, Machine, Platform, Silence, Stream, Way, first};
use brownout_models::fault::LinkKnobs;
use brownout_models::units::Ns;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::AbortHandle;
use tokio::time::Instant;

#[derive(Default)]
struct Directory {
    doors: BTreeMap<Door, SocketAddr>,
    processes: BTreeMap<Machine, Vec<AbortHandle>>,
}

/// A handle to the machine, for one process.
#[derive(Clone)]
pub struct Real {
    begun: Instant,
    /// What the clock shows then.
    begins: Ns,
    machine: Machine,
    directory: Arc<Mutex<Directory>>,
}

impl Real {
    /// The supervisor's handle; the clock begins now, at `begins`.
    pub fn new(begins: Ns) -> Real {
        Real { begun: Instant::now(), begins, machine: Machine(u32::MAX), directory: Arc::default() }
    }

    fn directory(&self) -> MutexGuard<'_, Directory> {
        self.directory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, machine: Machine, task: AbortHandle) {
        let mut directory = self.directory();
        let tasks = directory.processes.entry(machine).or_default();
        if tasks.len() >= 64 && tasks.len().is_power_of_two() {
            tasks.retain(|task| !task.is_finished());
        }
        tasks.push(task);
    }
}

impl Platform for Real {
    type Stream = TcpStream;
    type Listener = RealListener;

    fn now(&self) -> Ns {
        self.begins.plus(Ns(u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX)))
    }

    fn sleep_until(&self, at: Ns) -> impl Future<Output = ()> + Send + 'static {
        let until = self.begun + Duration::from_nanos(at.minus(self.begins).0);
        async move {
            if until > Instant::now() {
                tokio::time::sleep_until(until).await;
            }
        }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.keep(self.machine, tokio::spawn(task).abort_handle());
    }

    async fn listen(&self, door: Door, room: u32, _: Way) -> io::Result<RealListener> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        // Linux lets one more wait than the backlog says.
        let listener = socket.listen(room.saturating_sub(1).min(4096))?;
        self.directory().doors.insert(door, listener.local_addr()?);
        Ok(RealListener(listener))
    }

    async fn connect_noting(&self, door: Door, _: Way, _: Handshake, _: &Silence) -> io::Result<TcpStream> {
        let address = self.directory().doors.get(&door).copied();
        let stream = TcpStream::connect(address.ok_or(io::ErrorKind::ConnectionRefused)?).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn start<F, R>(&self, machine: Machine, program: F)
    where
        F: FnOnce(Real) -> R,
        R: Future<Output = ()> + Send + 'static,
    {
        let task = tokio::spawn(program(Real { machine, ..self.clone() }));
        self.keep(machine, task.abort_handle());
    }

    fn kill(&self, machine: Machine) {
        let tasks = self.directory().processes.remove(&machine).unwrap_or_default();
        tasks.iter().for_each(AbortHandle::abort);
    }

    fn pause(&self, _: Machine, _: bool) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn weather(&self, _: LinkId, _: LinkKnobs) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn tell(&self, _: Arc<dyn Fn(Met) + Send + Sync>) {}
}

impl Stream for TcpStream {}

/// A listening socket of the operating system.
pub struct RealListener(TcpListener);

impl Listener for RealListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<TcpStream> {
        let (stream, _) = self.0.accept().await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn close_waiting(&self) {
        while let Either::Left(Ok(_closed)) = first(self.accept(), std::future::ready(())).await {}
    }
}
