//! What becomes of a call, as far as its server may be judged by it.
//!
//! Each passive check reads this in its own way: [`super::outlier::heard`], [`super::max_fails::is_failure`],
//! [`super::observe::is_good`].

/// What a call says of its server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It was answered.
    Answered {
        /// The server's status.
        status: u16,
        /// Whether another server is asked because of that status, instead of passing the answer on.
        retried: bool,
    },
    /// No connection came about: refused, or not set up in time.
    Unconnected,
    /// It was not answered in time, or its connection broke.
    Unreached,
    /// Its client left before anything could be said.
    Abandoned,
}
