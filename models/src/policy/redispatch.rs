//! What a balancer does when it cannot connect to the server it chose.
//!
//! nginx's rule (ngx_http_upstream_round_robin.c): the next try goes at once to a server that this request has not
//! tried, until none is left.
//!
//! HAProxy's rule (src/backend.c of 2.6, `back_handle_st_cer`): up to `retries` further tries, on
//! connection failures only. With `redispatch` a retry may go to another server. Under an algorithm of the
//! round-robin kind, with more than one server up, every retry is redispatched at once; otherwise a refused
//! connection waits `min(1s, connect timeout)` before the next try, a timed-out one does not.

use crate::choices;
use crate::units::Ns;

choices! {
    /// Whether retries may leave the server first chosen.
    pub enum Redispatch = Every {
        /// Every retry goes to the same server.
        Never = "never",
        /// The last retry may go to another server; under round robin and random, every retry (HAProxy `option redispatch`).
        Last = "last",
        /// Every retry may go to another server (HAProxy `option redispatch 1`).
        Every = "every",
        /// Every retry goes at once to a server not tried yet, until none is left (nginx `proxy_next_upstream`).
        Untried = "untried",
    }
}

/// How the connection failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConnectFailure {
    /// Reset at once.
    Refused,
    /// No answer in time.
    TimedOut,
}

/// What to do next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// Give up; the client gets a 503.
    GiveUp,
    /// Try the same server again after a pause.
    Same(Ns),
    /// Choose a server afresh after a pause.
    Another(Ns),
}

/// Decides after a failed connection. `retries_left` counts those before this decision, `retries` those
/// configured; `rotates` says whether the algorithm is of the round-robin kind.
pub fn next(
    redispatch: Redispatch,
    retries: u32,
    retries_left: u32,
    failure: ConnectFailure,
    rotates: bool,
    servers_up: usize,
    connect_timeout: Ns,
) -> Next {
    if retries_left == 0 {
        return Next::GiveUp;
    }
    if redispatch == Redispatch::Untried {
        return Next::Another(Ns::ZERO);
    }
    let immediately = rotates && servers_up > 1;
    let another = match redispatch {
        Redispatch::Never => false,
        Redispatch::Every | Redispatch::Untried => true,
        Redispatch::Last => immediately || retries_left == 1 || retries == 1,
    };
    let pause = match failure {
        ConnectFailure::Refused if !(another && immediately) => Ns::secs(1).min(connect_timeout),
        _ => Ns::ZERO,
    };
    if another { Next::Another(pause) } else { Next::Same(pause) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ConnectFailure::{Refused, TimedOut};

    #[test]
    fn nginx_goes_on_at_once() {
        for failure in [Refused, TimedOut] {
            assert_eq!(next(Redispatch::Untried, 9, 2, failure, true, 1, Ns::secs(4)), Next::Another(Ns::ZERO));
            assert_eq!(next(Redispatch::Untried, 9, 0, failure, true, 6, Ns::secs(4)), Next::GiveUp);
        }
    }

    #[test]
    fn haproxy_conformance() {
        let second = Ns::secs(1);
        for (redispatch, left, failure, rotates, up, should_be) in [
            (Redispatch::Every, 3, Refused, true, 6, Next::Another(Ns::ZERO)),
            (Redispatch::Last, 3, Refused, true, 6, Next::Another(Ns::ZERO)),
            (Redispatch::Last, 3, Refused, false, 6, Next::Same(second)),
            (Redispatch::Last, 1, Refused, false, 6, Next::Another(second)),
            (Redispatch::Every, 3, Refused, true, 1, Next::Another(second)),
            (Redispatch::Never, 3, Refused, true, 6, Next::Same(second)),
            (Redispatch::Never, 3, TimedOut, true, 6, Next::Same(Ns::ZERO)),
            (Redispatch::Every, 2, TimedOut, true, 6, Next::Another(Ns::ZERO)),
            (Redispatch::Every, 0, TimedOut, true, 6, Next::GiveUp),
        ] {
            let is = next(redispatch, 3, left, failure, rotates, up, Ns::secs(4));
            assert_eq!(is, should_be, "{redispatch:?} {left} {failure:?} {rotates} {up}");
        }
    }
}
