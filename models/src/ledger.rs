//! The words of the ledger: why data is dropped, what clients see, and what is counted.

use crate::choices;

choices! {
    /// Why a call's data was dropped: what ended its last chance, named nearest the fault.
    pub enum Cause = NoServer {
        /// The balancer had no server in rotation (503).
        NoServer = "no_server",
        /// The balancer's queue was full (503).
        QueueFull = "queue_full",
        /// The call waited too long in the balancer's queue (503).
        QueueTimeout = "queue_timeout",
        /// Every try found the process dead: connection refused (503).
        Refused = "refused",
        /// Every try found the accept backlog full: the connect went unanswered (503).
        BacklogFull = "backlog_full",
        /// The process died with the call in it or in its backlog (502).
        Crashed = "crashed",
        /// The bulkhead had no room (503).
        BulkheadFull = "bulkhead_full",
        /// The store refused the connection (500).
        StoreRefused = "store_refused",
        /// The store cut the connection (500).
        StoreSevered = "store_severed",
        /// The store answered with an error (500).
        StoreError = "store_error",
        /// The store did not answer before the deadline (500).
        StoreTimeout = "store_timeout",
        /// No connection to the store came free before the deadline, or too many calls waited for one (500).
        PoolTimeout = "pool_timeout",
        /// Operators had the balancer turn the call away (503).
        Shed = "shed",
        /// The client left, and the balancer or the server gave the call up for that.
        ClientLeft = "client_left",
        /// Only for calls that read: answered, but after the client had left.
        AnsweredLate = "answered_late",
        /// The circuit breaker before the store was open (503).
        BreakerOpen = "breaker_open",
        /// The adaptive concurrency limit was reached (503).
        LimitReached = "limit_reached",
        /// The server shed the call: too many were pending, or it had waited too long (503).
        Overload = "overload",
        /// The spool had no room (503).
        SpoolFull = "spool_full",
        /// The process died with the call in a spool in memory; its client had been told ok.
        SpoolLost = "spool_lost",
        /// Stored on a store whose spare took over before it had the write; its client had been told ok.
        NotReplicated = "not_replicated",
        /// Its message was lost on the way until it was no longer sent again (503).
        Unreachable = "unreachable",
        /// The connection was reset while its answer was awaited (502).
        ConnectionReset = "connection_reset",
        /// The balancer waited no longer for the server's answer (504), and the server did not store the call by itself.
        BalancerTimeout = "balancer_timeout",
        /// The server answered with an error of its own in place of doing the call (fault `bad-answers`; its status).
        BadAnswer = "bad_answer",
        /// The server was marked down, and the balancer cut the connections to it (502).
        MarkedDown = "marked_down",
        /// A limit on what is under way to the whole fleet was reached at the balancer (503).
        Overflow = "overflow",
        /// Another service did not answer in time (500).
        ServiceTimeout = "service_timeout",
    }
}

choices! {
    /// What a client saw last when it gave up.
    pub enum Seen = Timeout {
        /// Nothing, until its own timeout.
        Timeout = "timeout",
        /// 500: the server's own error.
        Status500 = "500",
        /// 502: a server broke the connection off; behind some products also: it refused it.
        Status502 = "502",
        /// 503: no server would take the call.
        Status503 = "503",
        /// 504: a server did not answer in time; behind some products also: a connection was not set up in time.
        Status504 = "504",
        /// The connection to the balancer was reset.
        Reset = "reset",
    }
}

impl Seen {
    /// What a client sees that gets this status.
    pub fn of_status(status: u16) -> Seen {
        match status {
            502 => Seen::Status502,
            503 => Seen::Status503,
            504 => Seen::Status504,
            _ => Seen::Status500,
        }
    }
}

/// The books of one population in one cell.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Calls offered.
    pub offered: u64,
    /// Data stored.
    pub stored: u64,
    /// Data stored late.
    pub late: u64,
    /// Clients answered ok.
    pub ok: u64,
    /// Sum of their latencies, in nanoseconds.
    pub latency_ns: u64,
    /// Attempts sent.
    pub attempts: u64,
    /// Executed again.
    pub duplicates: u64,
    /// Executed after the client had left.
    pub zombies: u64,
    /// Told ok, lost afterwards.
    pub lost_after_ok: u64,
    /// Dropped, by cause.
    pub dropped: [u64; Cause::ALL.len()],
    /// Failed, by what the client saw.
    pub failed: [u64; Seen::ALL.len()],
}

impl Counts {
    /// Dropped for any cause.
    pub fn dropped_total(&self) -> u64 {
        self.dropped.iter().sum()
    }
    /// Failed, whatever was seen.
    pub fn failed_total(&self) -> u64 {
        self.failed.iter().sum()
    }
    /// Adds other books to these.
    pub fn add(&mut self, other: &Counts) {
        self.offered += other.offered;
        self.stored += other.stored;
        self.late += other.late;
        self.ok += other.ok;
        self.latency_ns += other.latency_ns;
        self.attempts += other.attempts;
        self.duplicates += other.duplicates;
        self.zombies += other.zombies;
        self.lost_after_ok += other.lost_after_ok;
        for (mine, theirs) in self.dropped.iter_mut().zip(other.dropped) {
            *mine += theirs;
        }
        for (mine, theirs) in self.failed.iter_mut().zip(other.failed) {
            *mine += theirs;
        }
    }
}
