//! What the services take from the machine they run on: time, tasks, sockets, processes.
//!
//! The services know nothing else of it, so the same code runs on a simulated network (`mad`, madsim) and on real
//! sockets ([`real`], tokio). A platform handle belongs to one process: what it spawns dies with that process.
//!
//! The rules of a connect are those of Linux, on both: where no process listens, it is refused at once; the listener's backlog is
//! full or the link loses it, it goes unanswered and is sent again after 1, 3, 7 ... seconds, until whoever waits gives up.
//! What faults make of a link ([`weather`]) is the platform's to keep, as far as it can.

#[cfg(madsim)]
pub mod mad;
pub mod real;
pub mod weather;

pub use brownout_models::component::trouble::LinkId;
use brownout_models::fault::LinkKnobs;
use brownout_models::ledger::Cause;
use brownout_models::units::Ns;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use tokio::io::{AsyncRead, AsyncWrite};

/// A machine: 0 has the clients, then come balancer, servers and stores.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Machine(pub u32);

/// Where a process listens.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Door {
    /// The machine.
    pub machine: Machine,
    /// The port.
    pub port: u16,
}

/// A way between two machines: one-way latency, and how much longer a message may take at random.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Way {
    /// One-way latency.
    pub latency: Ns,
    /// Each message takes up to this much longer.
    pub jitter: Ns,
    /// Which link it is; none that faults would know of.
    pub link: Option<LinkId>,
}

impl Way {
    /// The same, over this link.
    pub fn over(self, link: LinkId) -> Way {
        Way { link: Some(link), ..self }
    }
}

impl From<&brownout_models::component::network::Link> for Way {
    fn from(link: &brownout_models::component::network::Link) -> Way {
        Way { latency: link.latency, jitter: link.jitter, link: None }
    }
}

/// Whether a connection costs a round trip before anything can be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Handshake {
    /// It is opened for this.
    Fresh,
    /// An open one is at hand; the services open one all the same, but pay no round trip for it.
    Done,
    /// No round trip either, but the first message counts as the connect: lost, it is sent again as one.
    WithFirst,
}

/// Why a connect goes unanswered.
#[derive(Default)]
pub struct Silence(AtomicBool);

impl Silence {
    /// The link has lost it, or the backlog was full.
    pub fn note(&self, lost: bool) {
        self.0.store(lost, Ordering::Relaxed);
    }

    /// What it was the last time.
    pub fn cause(&self) -> Cause {
        if self.0.load(Ordering::Relaxed) { Cause::Unreachable } else { Cause::BacklogFull }
    }
}

/// Accepts connections.
pub trait Listener: Send + Sync + 'static {
    /// What it accepts.
    type Stream: Stream;
    /// The next connection.
    fn accept(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Closes the connections that wait to be accepted now.
    fn close_waiting(&self) -> impl Future<Output = ()> + Send;
}

/// A connection.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// What is sent next carries this chance of a call (see `witness`); who hears of messages is told if it is lost for
    /// good.
    fn carries(&mut self, _chance: u64) {}
}

/// The machine under a process.
pub trait Platform: Clone + Send + Sync + 'static {
    /// A connection.
    type Stream: Stream;
    /// A listening socket.
    type Listener: Listener<Stream = Self::Stream>;

    /// Time since the start of the run.
    fn now(&self) -> Ns;
    /// Waits until a time; at once if it has passed.
    fn sleep_until(&self, at: Ns) -> impl Future<Output = ()> + Send + 'static;
    /// Starts a task of this process.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static);
    /// Listens at a door of this machine. `room` connections wait to be accepted, the next goes unanswered. Answers
    /// travel back over `way`.
    fn listen(&self, door: Door, room: u32, way: Way) -> impl Future<Output = io::Result<Self::Listener>> + Send;
    /// Connects to a door over a way. May wait for ever: who calls it brings the patience.
    ///
    /// # Errors
    /// `ConnectionRefused` if no process listens.
    fn connect(
        &self,
        door: Door,
        way: Way,
        handshake: Handshake,
    ) -> impl Future<Output = io::Result<Self::Stream>> + Send {
        async move { self.connect_noting(door, way, handshake, &Silence::default()).await }
    }
    /// As [`Platform::connect`]; while it waits, `silence` says for what.
    ///
    /// # Errors
    /// `ConnectionRefused` if no process listens.
    fn connect_noting(
        &self,
        door: Door,
        way: Way,
        handshake: Handshake,
        silence: &Silence,
    ) -> impl Future<Output = io::Result<Self::Stream>> + Send;
    /// Starts a process on a machine; one that ran there has been killed before.
    fn start<F, R>(&self, machine: Machine, program: F)
    where
        F: FnOnce(Self) -> R,
        R: Future<Output = ()> + Send + 'static;
    /// Kills the process of a machine: its tasks, its sockets, at once.
    fn kill(&self, machine: Machine);
    /// Stops a process without ending it, or lets it go on: it keeps its sockets and answers nothing.
    ///
    /// # Errors
    /// On a platform that cannot.
    fn pause(&self, machine: Machine, paused: bool) -> io::Result<()>;
    /// From now on a link treats messages like this.
    ///
    /// # Errors
    /// On a platform that cannot.
    fn weather(&self, link: LinkId, knobs: LinkKnobs) -> io::Result<()>;
    /// Who hears what faults of links do to messages.
    fn tell(&self, hears: Arc<dyn Fn(weather::Met) + Send + Sync>);
    /// Lets go of bookkeeping that the platform keeps of what is over.
    fn tidy(&self) {}

    /// Waits for so long.
    fn sleep(&self, time: Ns) -> impl Future<Output = ()> + Send + 'static {
        self.sleep_until(self.now().plus(time))
    }

    /// What a future gives within a time, or none.
    fn within<T: Send, F: Future<Output = T> + Send>(
        &self,
        time: Ns,
        future: F,
    ) -> impl Future<Output = Option<T>> + Send {
        self.before(self.now().plus(time), future)
    }

    /// What a future gives before a time, or none.
    fn before<T: Send, F: Future<Output = T> + Send>(
        &self,
        at: Ns,
        future: F,
    ) -> impl Future<Output = Option<T>> + Send {
        let timer = (at != Ns::NEVER).then(|| self.sleep_until(at));
        async move {
            let Some(timer) = timer else { return Some(future.await) };
            match first(future, timer).await {
                Either::Left(value) => Some(value),
                Either::Right(()) => None,
            }
        }
    }
}

/// One of two.
pub enum Either<A, B> {
    /// The first.
    Left(A),
    /// The second.
    Right(B),
}

/// Whichever of two futures is ready first; the first, if both are. The other one is dropped.
pub async fn first<A, B>(a: impl Future<Output = A>, b: impl Future<Output = B>) -> Either<A, B> {
    let (mut a, mut b) = (pin!(a), pin!(b));
    std::future::poll_fn(|cx| {
        if let Poll::Ready(value) = a.as_mut().poll(cx) {
            return Poll::Ready(Either::Left(value));
        }
        match b.as_mut().poll(cx) {
            Poll::Ready(value) => Poll::Ready(Either::Right(value)),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
