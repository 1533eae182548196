//! What the world asks of the runtime that drives it, and the events that it hands over.

use crate::ledger::{Cause, Seen};
use crate::slab::Ref;
use crate::units::Ns;

/// Something that is due. Sixteen bytes at most, so that queues stay in the cache; the tag takes four, so that what
/// follows is aligned, and an event is copied in the same pieces in which it is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Event {
    /// The next call of a population is due.
    Arrive(u16),
    /// An attempt reaches the balancer.
    AtBalancer(Ref),
    /// A connect reaches the server.
    AtServer(Ref),
    /// The request of a connection opened for it reaches an event loop.
    RequestArrives(Ref),
    /// The computing time of a try is over; the number is that of the dispatch.
    WorkDone(Ref, u16),
    /// A server that answers badly is done with a try; the number is that of the dispatch.
    BadAnswer(Ref, u16),
    /// A server's answer reaches the balancer.
    Reply(Ref),
    /// A server's refusal reaches the balancer.
    Refused(Ref),
    /// A server's reset of an accepted connection reaches the balancer.
    Reset(Ref),
    /// A connect went unanswered for too long; the number is that of the dispatch.
    ConnectTimeout(Ref, u16),
    /// A try, in its so-manieth dispatch, is on a connection that its server has closed.
    KeptClosed(Ref, u16),
    /// The pause before another try is over; the flag keeps the server.
    TryAgain(Ref, bool),
    /// A call has been at the balancer for too long.
    CallTimeout(Ref),
    /// A call waited too long in the balancer's queue.
    QueueTimeout(Ref),
    /// The server took too long to answer.
    IdleTimeout(Ref),
    /// A wait for a bulkhead was too long.
    BulkheadTimeout(Ref),
    /// A client's patience with an attempt is over.
    ClientDeadline(Ref),
    /// An answer reaches a client; the number is that of the attempt.
    ClientOk(Ref, u16),
    /// A failure reaches a client.
    ClientFails(Ref, u16, Seen),
    /// A client sends again.
    Resend(Ref),
    /// A connect reaches the store.
    ConnectAtStore(Ref, Knock),
    /// A store has accepted the connection that was next; with the number of the accept.
    StoreAccepts(u16, u32),
    /// A store has started up; with the number of the start.
    StoreStarts(u16, u32),
    /// A connection to the store is set up.
    Connected(Ref),
    /// A query reaches the store.
    QueryAtStore(Ref),
    /// A query is served.
    QueryDone(Ref),
    /// The store's answer reaches the server: the try, and whether it is an error.
    QueryReply(Ref, bool),
    /// The store's refusal, or its cut, reaches the server.
    AskRefused(Ref),
    /// The store cut the connection under a query.
    AskSevered(Ref),
    /// The deadline over the whole of asking a store.
    AskDeadline(Ref),
    /// The bound on one step of it: connecting, or the query.
    AskStepTimeout(Ref),
    /// The pause before a try in place is over.
    AskAgain(Ref),
    /// A service's answer reaches the errand that asked for it: the number of the attempt, and the status.
    Answered(Ref, u16, u16),
    /// The pause before another attempt of an errand is over; the number is that of the last.
    ErrandAgain(Ref, u16),
    /// A health check is due.
    Check(u32),
    /// A check by way of the server's own thread reaches it; with the number of the check.
    CheckAtServer(u32, u32),
    /// Its answer reaches the balancer: server, number, status (0: refused).
    CheckAnswer(u32, u32, u16),
    /// A check was not answered in time.
    CheckTimeout(u32, u32),
    /// The background query of a cached health check is due.
    CachedQuery(u32),
    /// A process whose error was not handled is gone; with its incarnation.
    Dies(u32, u32),
    /// A process starts.
    Starts(u32, u32),
    /// A timeline entry is due.
    Timeline(u32),
    /// A timed action of the timeline ends.
    TimelineEnds(u32),
    /// A fault that repeats is due again; so many times are left, this one included.
    FaultAgain(u32, u32),
    /// A message that was delayed, or lost and sent again, is due.
    Held(Ref),
    /// A process loses what the fault of this ticket makes it lose.
    Leaks(u32, u32),
    /// A process that dies some time after each start does so; with its incarnation.
    LoopDies(u32, u32),
    /// A deployment takes its next step: the ticket, and which.
    Deploy(u32, u32),
    /// A call on top of a population's own is due; with the number of the surge.
    Surge(u16, u32),
    /// A fault that rises is due for its next step: the entry, and the ticket of the fault.
    FaultRises(u32, u32),
    /// A server that passive checks had taken out may be chosen again.
    PeerReopens(u32),
    /// The sweep of a fleet's outlier detection is due.
    OutlierSweep(u16),
    /// A server has been marked down: the connections to it are cut.
    CutSessions(u32),
    /// Changes of who of a fleet is in rotation, which came soon after others, take effect.
    MergedChanges(u16),
    /// The spool of a server for a kind of call may go on writing.
    Drain(u32, u16),
    /// A store's failover may take its next step.
    Failover(u16),
    /// A write has reached a store's spare; with its number.
    Replicated(u16, u32),
    /// The next call of the balancer's log is replayed, by a timeline entry.
    Replay(u32),
    /// A store's headroom may have reached a threshold; with the number of the estimate.
    Headroom(u16, u32),
}

impl Event {
    /// Whether it belongs to the script of the day (the timeline, faults, a store's headroom and its spare, processes that
    /// come back) and not to the way of a call: every runtime plays these alike.
    pub fn is_scripted(self) -> bool {
        matches!(
            self,
            Event::Timeline(_)
                | Event::TimelineEnds(_)
                | Event::FaultAgain(..)
                | Event::FaultRises(..)
                | Event::Headroom(..)
                | Event::StoreStarts(..)
                | Event::Failover(_)
                | Event::Replicated(..)
                | Event::Surge(..)
                | Event::Leaks(..)
                | Event::Deploy(..)
        )
    }
}

/// Which connect of a try it is: one try may connect to its store several times, and each connect may be sent again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Knock {
    /// For which of the try's asks.
    pub asks: u16,
    /// How often it has been sent.
    pub sent: u16,
}

/// A queue for events that are all due the same time after they are raised.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lane(pub u16);

/// A timer that can be cancelled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timer(pub Ref);

impl Timer {
    /// No timer.
    pub const NONE: Timer = Timer(Ref::NONE);
}

/// A cohort of calls: those that one population offered between two boundaries of time. The number is the books' own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cohort(pub u32);

/// Whose call it is, for the ledger.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Account {
    /// When it was offered.
    pub cohort: Cohort,
    /// By which population.
    pub population: u16,
    /// The call's salt: its identity in the digest.
    pub salt: u64,
}

/// Something that the ledger, the digest and the reports must know.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Fact {
    /// An attempt was sent.
    Attempt(Account),
    /// A call's data was stored, and whether its client had left by then.
    Stored(Account, bool),
    /// A call's data was stored late: from a spool, a replay, or a client's own queue.
    Late(Account),
    /// A call that was stored already was executed again; and whether its client had left.
    Duplicate(Account, bool),
    /// A call's data is lost.
    Dropped(Account, Cause),
    /// ... although its client had been told ok.
    LostAfterOk(Account),
    /// A client got its answer, after so long.
    Ok(Account, Ns),
    /// A client gave up.
    Failed(Account, Seen),
    /// A service has sent an ask, on behalf of a call of a cohort; each attempt counts.
    Asked {
        /// The cohort of the client's call.
        cohort: Cohort,
        /// Who asks whom.
        edge: u16,
    },
    /// A balancer has sent such an ask to a server; each try counts.
    AskTried {
        /// The cohort of the client's call.
        cohort: Cohort,
        /// Who asks whom.
        edge: u16,
    },
    /// An attempt of such an ask is over.
    AskOver {
        /// The cohort of the client's call.
        cohort: Cohort,
        /// Who asks whom.
        edge: u16,
        /// Whether it was answered well.
        ok: bool,
        /// How long it took. (time)
        took: Ns,
    },
    /// A server entered (true) or left rotation.
    Rotation {
        /// The server.
        server: u32,
        /// Whether it entered.
        up: bool,
    },
    /// A server's process started (true) or died.
    Process {
        /// The server.
        server: u32,
        /// Whether it started.
        alive: bool,
    },
    /// The balancer began (true) or ceased to give a fleet's calls to servers out of rotation, too.
    FailsOpen {
        /// The fleet.
        fleet: u16,
        /// Whether it began.
        begins: bool,
    },
    /// A fault of the timeline began (true) or ended.
    Fault {
        /// Whether it began.
        begins: bool,
    },
    /// A store's outage began (true) or ended.
    Outage {
        /// The store.
        store: u16,
        /// Whether it began.
        begins: bool,
    },
}

/// Who runs the world: a clock, queues for what is due, and an ear for facts.
pub trait Kernel {
    /// The present.
    fn now(&self) -> Ns;
    /// When the run ends; nothing after it is handled.
    fn end(&self) -> Ns;
    /// Opens a lane for events raised with [`Kernel::on`].
    fn own_lane(&mut self) -> Lane;
    /// Opens a lane for events due after a constant delay that are never cancelled.
    fn lane(&mut self, delay: Ns) -> Lane;
    /// Opens a lane for timers with a constant delay.
    fn timer_lane(&mut self, delay: Ns) -> Lane;
    /// Raises an event on a lane.
    fn after(&mut self, lane: Lane, event: Event);
    /// Raises an event on a lane at a time not before the lane's last one.
    fn on(&mut self, lane: Lane, time: Ns, event: Event);
    /// Raises an event at any time not in the past.
    fn at(&mut self, time: Ns, event: Event);
    /// The delay of a lane.
    fn delay(&self, lane: Lane) -> Ns;
    /// Sets a timer on a timer lane.
    fn arm(&mut self, lane: Lane, event: Event) -> Timer;
    /// Cancels a timer; a timer that has gone off, or is none, is ignored.
    fn cancel(&mut self, timer: Timer);
    /// Opens the books for a call offered at `at`.
    fn offer(&mut self, population: u16, at: Ns, salt: u64) -> Cohort;
    /// Records a fact.
    fn record(&mut self, fact: Fact);
    /// Takes down in which modes the outage that has just begun came.
    fn outage_mode(&mut self, mode: String);
    /// Takes down a mark of the day, in words; `expected` says when the scenario expects it.
    fn mark(&mut self, what: String, expected: Option<Ns>);
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_event_fits_in_sixteen_bytes() {
        assert!(size_of::<super::Event>() <= 16, "{}", size_of::<super::Event>());
    }
}
