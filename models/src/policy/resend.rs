//! Retries of a part that sends calls on: after which failures, how often, within which time, after which pause, and how many at
//! once. To whom is decided by [`super::redispatch`].
//!
//! The words for failures are the products' own, and mean what they mean there:
//!
//! - HAProxy `retry-on` (doc/configuration.txt; `do_l7_retry` in src/http_ana.c): whatever the method, without a pause;
//! - nginx `proxy_next_upstream` (`ngx_http_upstream_test_next`, `ngx_http_upstream_next`): a request that may not be sent
//!   twice goes on only if it was not sent, unless `non_idempotent` is among the words;
//! - Envoy `retry_on` (source/common/router/retry_state_impl.cc, router_filter.rst): after a back-off that is uniform between
//!   nothing and `base` times 2^(n-1), at most `most`; so many retries at once for a cluster, each holding its slot from the
//!   decision, back-off included, until it has its answer or has failed.
//!
//! Not modelled: `retriable-status-codes` by header, gRPC statuses,
//! `Retry-After`, hedging; a failure of a reused connection, which nginx does not count as a try.

use crate::policy::redispatch::{self, ConnectFailure, Next};
use crate::random::{Purpose, draw, unit};
use crate::setting::always;
use crate::units::{Ns, Share};
use crate::{choices, settings};

choices! {
    /// A kind of failure after which a call is tried again.
    pub enum RetryOn = ConnFailure {
        /// The connection was refused, or not set up in time (HAProxy).
        ConnFailure = "conn-failure",
        /// The connection closed before the answer (HAProxy).
        EmptyResponse = "empty-response",
        /// No answer within `idle_timeout` (HAProxy).
        ResponseTimeout = "response-timeout",
        /// HAProxy's `conn-failure`, `empty-response`, `response-timeout`, and statuses 500, 502, 503 and 504.
        AllRetryableErrors = "all-retryable-errors",
        /// The connection was refused, or closed before the answer (nginx); after the call was sent only if it reads.
        Error = "error",
        /// No connection or no answer in time (nginx); after the call was sent only if it reads.
        Timeout = "timeout",
        /// nginx: calls that write go on too where they have been sent.
        NonIdempotent = "non_idempotent",
        /// Status 403; only if the call reads, as the words below (nginx).
        Http403 = "http_403",
        /// Status 404 (nginx).
        Http404 = "http_404",
        /// Status 429 (nginx).
        Http429 = "http_429",
        /// Status 500 (nginx).
        Http500 = "http_500",
        /// Status 502 (nginx).
        Http502 = "http_502",
        /// Status 503 (nginx).
        Http503 = "http_503",
        /// Status 504 (nginx).
        Http504 = "http_504",
        /// Any 5xx, a connection that fails or closes, no answer in time (Envoy).
        FiveXx = "5xx",
        /// As "5xx", of the statuses only 502, 503 and 504 (Envoy).
        GatewayError = "gateway-error",
        /// As "5xx", without any status (Envoy).
        Reset = "reset",
        /// The connection was refused, or not set up in time (Envoy).
        ConnectFailure = "connect-failure",
        /// Status 409 (Envoy).
        Retriable4xx = "retriable-4xx",
    }
}

/// How a try failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The connection was refused.
    Refused,
    /// The connection was not set up in time.
    ConnectTimedOut,
    /// The connection broke before the answer.
    Broken,
    /// There was no answer in time.
    Unanswered,
    /// The server answered with this status.
    Status(u16),
}

impl From<ConnectFailure> for Failure {
    fn from(failure: ConnectFailure) -> Failure {
        match failure {
            ConnectFailure::Refused => Failure::Refused,
            ConnectFailure::TimedOut => Failure::ConnectTimedOut,
        }
    }
}

impl Failure {
    /// Whether the server may have had the call.
    pub fn was_sent(self) -> bool {
        !matches!(self, Failure::Refused | Failure::ConnectTimedOut)
    }
}

impl RetryOn {
    /// Whether it is one of nginx's words, under which a call that writes is not sent twice.
    fn is_nginxs(self) -> bool {
        use RetryOn::{Error, Http403, Http404, Http429, Http500, Http502, Http503, Http504, NonIdempotent, Timeout};
        let words = [Error, Timeout, NonIdempotent, Http403, Http404, Http429, Http500, Http502, Http503, Http504];
        words.contains(&self)
    }

    /// Whether this word stands for that failure; `may_repeat`: the call reads, or was not sent.
    fn names(self, failure: Failure, may_repeat: bool) -> bool {
        use Failure::{Broken, ConnectTimedOut, Refused, Status, Unanswered};
        let connects = matches!(failure, Refused | ConnectTimedOut);
        let resets = connects || matches!(failure, Broken | Unanswered);
        match self {
            RetryOn::ConnFailure | RetryOn::ConnectFailure => connects,
            RetryOn::EmptyResponse => failure == Broken,
            RetryOn::ResponseTimeout => failure == Unanswered,
            RetryOn::AllRetryableErrors => resets || matches!(failure, Status(500 | 502..=504)),
            RetryOn::Error => matches!(failure, Refused | Broken) && may_repeat,
            RetryOn::Timeout => matches!(failure, ConnectTimedOut | Unanswered) && may_repeat,
            RetryOn::NonIdempotent => false,
            RetryOn::Http403 => failure == Status(403) && may_repeat,
            RetryOn::Http404 => failure == Status(404) && may_repeat,
            RetryOn::Http429 => failure == Status(429) && may_repeat,
            RetryOn::Http500 => failure == Status(500) && may_repeat,
            RetryOn::Http502 => failure == Status(502) && may_repeat,
            RetryOn::Http503 => failure == Status(503) && may_repeat,
            RetryOn::Http504 => failure == Status(504) && may_repeat,
            RetryOn::FiveXx => resets || matches!(failure, Status(500..=599)),
            RetryOn::GatewayError => resets || matches!(failure, Status(502..=504)),
            RetryOn::Reset => resets,
            RetryOn::Retriable4xx => failure == Status(409),
        }
    }
}

settings! {
    /// A pause before each retry, anywhere between nothing and a time that doubles (exponential back-off with full jitter).
    pub struct RetryPause {
        /// Longest pause before the first retry (Envoy `base_interval`: 25ms). (time)
        pub base: Ns = Ns::millis(25), "0s" ..= "1h" => always;
        /// Longest pause before any (Envoy `max_interval`: 250ms). (time)
        pub most: Ns = Ns::millis(250), "0s" ..= "1h" => always;
    }
}

impl RetryPause {
    /// The pause before retry number `retry` (from 1) of the attempt `attempt` of the call with that salt.
    pub fn before(&self, salt: u64, attempt: u16, retry: u16) -> Ns {
        let doubled =
            self.base.0.saturating_mul(1_u64.checked_shl(u32::from(retry.clamp(1, 64)) - 1).unwrap_or(u64::MAX));
        let number = u32::from(attempt) << 16 | u32::from(retry);
        Ns(doubled).min(self.most).scaled(unit(draw(salt, Purpose::RetryPause, number)))
    }
}

settings! {
    /// A bound on retries at once that grows with what is under way to the fleet (Envoy `retry_budget`:
    /// source/common/upstream/resource_manager_impl.h).
    pub struct RetryBudget {
        /// Share of the calls that are under way or wait for a connection (Envoy `budget_percent`).
        pub share: Share = Share(0.2) => always;
        /// So many at once are always allowed (Envoy `min_retry_concurrency`).
        pub at_least: u32 = 3, 0 ..= 1000000 => always;
    }
}

impl RetryBudget {
    /// Most retries at once while so many calls are under way or wait, the one that has failed included.
    pub fn most(&self, under_way: u32) -> u32 {
        // Cut off, as in Envoy.
        ((self.share.0 * f64::from(under_way)) as u32).max(self.at_least)
    }
}

/// After which failures, and how, calls are tried again.
#[derive(Clone, Copy, Debug)]
pub struct Policy<'a> {
    /// The failures.
    pub on: &'a [RetryOn],
    /// Statuses of servers that are failures too.
    pub statuses: &'a [u16],
    /// Whether a connection that breaks before the answer is one too.
    pub broken: bool,
    /// No retry begins later than so long after the call's arrival.
    pub within: Option<Ns>,
    /// The pause; none: as the rule for the next server says.
    pub pause: Option<&'a RetryPause>,
    /// Most retries of a fleet at once.
    pub at_once: Option<u32>,
    /// The same as a share of what is under way, which takes the place of the number.
    pub budget: Option<&'a RetryBudget>,
    /// To whom.
    pub rule: redispatch::Rule,
}

/// A try that failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Failed {
    /// How.
    pub failure: Failure,
    /// Whether the call only reads.
    pub reads: bool,
    /// What is random about the call.
    pub salt: u64,
    /// The client's attempt.
    pub attempt: u16,
    /// Time since the call's arrival.
    pub age: Ns,
    /// How many calls are under way to the fleet or wait for a connection, this one included; only of use to a budget.
    pub under_way: u32,
    /// What the rule for the next server needs.
    pub at: redispatch::Failed,
}

impl Policy<'_> {
    /// Whether calls that fail so are tried again, if tries are left.
    pub fn covers(&self, failure: Failure, reads: bool) -> bool {
        let may_repeat = reads || !failure.was_sent() || self.on.contains(&RetryOn::NonIdempotent);
        match failure {
            Failure::Status(status) if self.statuses.contains(&status) => {
                may_repeat || !self.on.iter().any(|word| word.is_nginxs())
            }
            Failure::Broken if self.broken => true,
            _ => self.on.iter().any(|word| word.names(failure, may_repeat)),
        }
    }

    /// Whether the number of retries at once is bounded.
    pub fn is_bounded(&self) -> bool {
        self.at_once.is_some() || self.budget.is_some()
    }

    /// Decides after a failed try; takes a slot for the retry where their number is bounded.
    pub fn next(&self, failed: &Failed, slots: &mut Slots) -> Next {
        let is_late = self.within.is_some_and(|within| failed.age >= within);
        if failed.at.retries_left == 0 || is_late || !self.covers(failed.failure, failed.reads) {
            return Next::GiveUp;
        }
        let most = self.budget.map(|budget| budget.most(failed.under_way)).or(self.at_once);
        if !slots.take(most) {
            return Next::GiveUp;
        }
        let next = self.rule.next(&redispatch::Failed { refused: failed.failure == Failure::Refused, ..failed.at });
        let Some(pause) = self.pause else { return next };
        let retry = failed.at.retries.saturating_sub(failed.at.retries_left) + 1;
        let pause = pause.before(failed.salt, failed.attempt, retry);
        match next {
            Next::GiveUp => Next::GiveUp,
            Next::Same(_) => Next::Same(pause),
            Next::Another(_) => Next::Another(pause),
        }
    }
}

/// The retries of a fleet that are under way, where their number is bounded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Slots(u32);

impl Slots {
    /// One more, if there may be.
    fn take(&mut self, most: Option<u32>) -> bool {
        let Some(most) = most else { return true };
        let is_free = self.0 < most;
        self.0 += u32::from(is_free);
        is_free
    }

    /// A retry that has taken one has its answer, or has failed.
    pub fn give_back(&mut self) {
        self.0 -= 1;
    }

    /// Whether none is under way.
    pub fn is_empty(&self) -> bool {
        self.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::redispatch::Redispatch;
    use Failure::{Broken, ConnectTimedOut, Refused, Status, Unanswered};
    use RetryOn::*;

    fn policy<'a>(on: &'a [RetryOn], pause: Option<&'a RetryPause>) -> Policy<'a> {
        let rule = redispatch::Rule {
            redispatch: Redispatch::Afresh,
            interval: -1,
            rotates: true,
            connect_timeout: Ns::secs(1),
        };
        Policy { on, statuses: &[], broken: false, within: None, pause, at_once: None, budget: None, rule }
    }

    fn failed(failure: Failure, left: u16) -> Failed {
        let at =
            redispatch::Failed { refused: false, retries: 4, retries_left: left, servers_up: 2, is_fully_up: true };
        Failed { failure, reads: false, salt: 7, attempt: 1, age: Ns::ZERO, under_way: 1, at }
    }

    /// Refused, connect timeout, broken, unanswered, and statuses 500, 501, 503, 409, 404: `r` for calls that read, `w` for
    /// those that write, `b` for both.
    #[test]
    fn each_word_means_what_it_means_in_its_product() {
        const KINDS: [Failure; 9] = [
            Refused,
            ConnectTimedOut,
            Broken,
            Unanswered,
            Status(500),
            Status(501),
            Status(503),
            Status(409),
            Status(404),
        ];
        for (on, should_be) in [
            (&[][..], "........."),
            (&[ConnFailure], "bb......."),
            (&[EmptyResponse], "..b......"),
            (&[ResponseTimeout], "...b....."),
            (&[AllRetryableErrors], "bbbbb.b.."),
            (&[Error], "b.r......"),
            (&[Timeout], ".b.r....."),
            (&[Error, Timeout], "bbrr....."),
            (&[Error, Timeout, NonIdempotent], "bbbb....."),
            (&[Error, Http500, Http404], "b.r.r...r"),
            (&[Http503, NonIdempotent], "......b.."),
            (&[FiveXx], "bbbbbbb.."),
            (&[GatewayError], "bbbb..b.."),
            (&[Reset], "bbbb....."),
            (&[ConnectFailure], "bb......."),
            (&[Retriable4xx], ".......b."),
            (&[ConnectFailure, Retriable4xx], "bb.....b."),
        ] {
            let policy = policy(on, None);
            let of = |failure: &Failure| match (policy.covers(*failure, true), policy.covers(*failure, false)) {
                (true, true) => 'b',
                (true, false) => 'r',
                (false, true) => 'w',
                (false, false) => '.',
            };
            assert_eq!(KINDS.iter().map(of).collect::<String>(), should_be, "{on:?}");
        }
        let older = Policy { statuses: &[501], broken: true, ..policy(&[], None) };
        assert_eq!([Status(501), Broken, Status(500)].map(|f| older.covers(f, false)), [true, true, false]);
        // A status is a failure as nginx has it, where its words are used.
        let nginx = Policy { statuses: &[500], ..policy(&[Error, Timeout], None) };
        assert_eq!([true, false].map(|reads| nginx.covers(Status(500), reads)), [true, false]);
    }

    #[test]
    fn a_retry_needs_a_try_left_time_and_a_slot() {
        let mut slots = Slots::default();
        let plain = policy(&[FiveXx], None);
        assert_eq!(plain.next(&failed(Status(500), 1), &mut slots), Next::Another(Ns::ZERO));
        assert_eq!(plain.next(&failed(Status(500), 0), &mut slots), Next::GiveUp);
        let within = Policy { within: Some(Ns::secs(2)), ..plain };
        let aged = |age| within.next(&Failed { age, ..failed(Status(500), 1) }, &mut Slots::default());
        assert_eq!((aged(Ns::millis(1999)), aged(Ns::secs(2))), (Next::Another(Ns::ZERO), Next::GiveUp));
        assert!(slots.is_empty(), "without a bound nothing is counted");
        let bounded = Policy { at_once: Some(2), ..plain };
        let three = [1, 2, 3].map(|_| bounded.next(&failed(Status(500), 1), &mut slots) != Next::GiveUp);
        assert_eq!(three, [true, true, false]);
        assert_eq!(bounded.next(&failed(Status(404), 1), &mut slots), Next::GiveUp, "and takes none");
        slots.give_back();
        assert_ne!(bounded.next(&failed(Refused, 1), &mut slots), Next::GiveUp);
        slots.give_back();
        slots.give_back();
        assert!(slots.is_empty());
    }

    #[test]
    fn envoy_conformance_of_a_retry_budget() {
        let budget = RetryBudget::default();
        assert_eq!([0, 5, 15, 19, 20, 24, 25, 1000].map(|n| budget.most(n)), [3, 3, 3, 3, 4, 4, 5, 200]);
        assert_eq!(RetryBudget { at_least: 0, ..budget.clone() }.most(4), 0);
        // It takes the place of the fixed number.
        let policy = Policy { at_once: Some(0), budget: Some(&budget), ..policy(&[FiveXx], None) };
        let mut slots = Slots::default();
        let mut next =
            |under_way| policy.next(&Failed { under_way, ..failed(Status(500), 1) }, &mut slots) != Next::GiveUp;
        assert_eq!([20, 20, 20, 20, 20, 25].map(&mut next), [true, true, true, true, false, true]);
    }

    #[test]
    fn envoys_pause_is_uniform_below_a_bound_that_doubles_up_to_a_cap() {
        let pause = RetryPause::default();
        for (retry, bound) in [(1, 25), (2, 50), (3, 100), (4, 200), (5, 250), (90, 250)] {
            let draws: Vec<f64> = (0..4000).map(|salt| pause.before(salt, 1, retry).0 as f64 / 1e6).collect();
            let mean = draws.iter().sum::<f64>() / draws.len() as f64;
            let most = draws.iter().copied().fold(0.0, f64::max);
            assert!(most <= f64::from(bound) && most > 0.99 * f64::from(bound), "{retry}: {most}");
            // Four standard errors of the mean of uniform draws.
            let error = f64::from(bound) / 12_f64.sqrt() / (draws.len() as f64).sqrt();
            assert!((mean - f64::from(bound) / 2.0).abs() < 4.0 * error, "{retry}: {mean}");
        }
        let longer = policy(&[Reset], Some(&pause));
        let Next::Another(first) = longer.next(&failed(Refused, 4), &mut Slots::default()) else { panic!() };
        assert_eq!(first, pause.before(7, 1, 1));
    }
}
