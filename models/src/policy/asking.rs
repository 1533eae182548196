//! What follows when a store has been asked in vain: the call fails, asks again in place, or takes the process with it.
//!
//! A bound on one step (connecting, the query) ends a try; only the deadline over all of them ends the call. So an answer
//! that does not come within such a bound is a failure of the store like any other.

use crate::choices;
use crate::ledger::Cause;

choices! {
    /// What the process does when a store fails a call.
    pub enum OnFailure = Fail {
        /// The call fails with a 500.
        Fail = "fail",
        /// The call tries again every `retry_every`, until its timeout.
        Retry = "retry",
        /// The error is not handled: the process dies.
        Crash = "crash",
    }
}

/// What a kind of call does about failures.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reactions {
    /// After an error, a refusal, or a bound that ran out.
    pub on_error: OnFailure,
    /// After a severed connection.
    pub on_severed: OnFailure,
    /// Most tries in place after the first; none: until the deadline.
    pub retry_at_most: Option<u32>,
    /// Status of a call that has got no connection out of its pool.
    pub no_connection: u16,
}

/// The number of an ask among all of a call, by which what is random about it at the store is drawn: each ask of each
/// attempt draws anew. `asks` counts from 1 over all servers that have had the attempt.
pub fn number(attempt: u16, asks: u32) -> u32 {
    u32::from(attempt.saturating_sub(1)) << 16 | asks
}

/// For whom a store is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asker {
    /// A call that somebody waits for.
    Call,
    /// A health check.
    Check,
    /// A call out of a spool, which tries again by itself.
    Spool,
}

/// What comes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// The call ends with this status.
    Answer(u16),
    /// It asks again after `retry_every`.
    Again,
    /// The process dies of it.
    Dies,
}

impl Reactions {
    /// Decides after the ask number `asks` (from 1) has failed of `cause`; `is_over` says that the deadline over all asks
    /// has run out.
    pub fn after(&self, asker: Asker, asks: u32, cause: Cause, is_over: bool) -> Next {
        if asker == Asker::Check {
            return Next::Answer(503);
        }
        let reaction = if cause == Cause::StoreSevered && !is_over { self.on_severed } else { self.on_error };
        match reaction {
            // A refusal by the breaker never crashes the process.
            OnFailure::Crash if cause != Cause::BreakerOpen => Next::Dies,
            OnFailure::Retry
                if !is_over && asker == Asker::Call && self.retry_at_most.is_none_or(|most| asks <= most) =>
            {
                Next::Again
            }
            _ if cause == Cause::BreakerOpen => Next::Answer(503),
            _ if cause == Cause::PoolTimeout => Next::Answer(self.no_connection),
            _ => Next::Answer(500),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Next::{Again, Answer, Dies};
    use OnFailure::{Crash, Fail, Retry};

    #[test]
    fn what_follows_a_failed_ask() {
        use Cause::{BreakerOpen, PoolTimeout, StoreError, StoreSevered, StoreTimeout};
        let at_most =
            |on_error, on_severed, retry_at_most| Reactions { on_error, on_severed, retry_at_most, no_connection: 429 };
        let plain = |on_error| at_most(on_error, Fail, None);
        for (reactions, asker, asks, cause, is_over, should_be) in [
            (plain(Fail), Asker::Call, 1, StoreError, false, Answer(500)),
            (plain(Retry), Asker::Call, 1, StoreError, false, Again),
            (plain(Crash), Asker::Call, 1, StoreError, false, Dies),
            // The bound on one step ends a try, the deadline over all the call.
            (plain(Retry), Asker::Call, 9, StoreTimeout, false, Again),
            (plain(Retry), Asker::Call, 9, StoreTimeout, true, Answer(500)),
            (plain(Retry), Asker::Call, 1, PoolTimeout, true, Answer(429)),
            // Without a connection the pool's own status is answered; who tries again may, within its time.
            (plain(Fail), Asker::Call, 1, PoolTimeout, false, Answer(429)),
            (plain(Retry), Asker::Call, 1, PoolTimeout, false, Again),
            // A process that an error kills is also killed by a deadline.
            (plain(Crash), Asker::Call, 1, StoreTimeout, true, Dies),
            // A severed connection has its own rule.
            (at_most(Fail, Retry, None), Asker::Call, 1, StoreSevered, false, Again),
            (at_most(Crash, Fail, None), Asker::Call, 1, StoreSevered, false, Answer(500)),
            (at_most(Fail, Crash, None), Asker::Spool, 1, StoreSevered, false, Dies),
            // So many tries after the first, and no more.
            (at_most(Retry, Fail, Some(2)), Asker::Call, 2, StoreError, false, Again),
            (at_most(Retry, Fail, Some(2)), Asker::Call, 3, StoreError, false, Answer(500)),
            (at_most(Retry, Fail, Some(0)), Asker::Call, 1, StoreError, false, Answer(500)),
            // A spool tries again by itself; a refusal by the breaker never crashes the process; a check only reports.
            (plain(Retry), Asker::Spool, 1, StoreError, false, Answer(500)),
            (plain(Crash), Asker::Spool, 1, StoreError, false, Dies),
            (plain(Crash), Asker::Call, 1, BreakerOpen, false, Answer(503)),
            (plain(Retry), Asker::Call, 1, BreakerOpen, false, Again),
            (plain(Fail), Asker::Call, 1, BreakerOpen, false, Answer(503)),
            (plain(Crash), Asker::Check, 1, StoreError, false, Answer(503)),
            (plain(Retry), Asker::Check, 1, StoreTimeout, true, Answer(503)),
        ] {
            let is = reactions.after(asker, asks, cause, is_over);
            assert_eq!(is, should_be, "{reactions:?} {asker:?} {asks} {cause:?} {is_over}");
        }
    }
}
