//! A listening socket of Linux: whose connects get in, and when one that did not is sent again.
//!
//! The operating system completes a connection by itself, whether or not the process that listens is running, as long as
//! fewer than `backlog + 1` wait to be accepted (`sk_acceptq_is_full` compares with `>`). One more is dropped without a
//! word; the connecting side sends it again after 1, 3, 7 ... seconds (`TCP_TIMEOUT_INIT`, doubled). A connection whose other
//! side has left stays in the queue until the process accepts it and finds it closed. Where no process listens a connect is
//! refused at once. Servers and stores both have one, on both runtimes.
//!
//! Not modelled: SYN cookies, `tcp_abort_on_overflow`, the queue of half-open connections, a third message of the handshake
//! that finds the queue full.

use crate::units::Ns;

/// How long an unanswered connect waits before it is sent again for the first time (Linux; RFC 6298).
pub const RETRANSMISSION: Ns = Ns::secs(1);

/// Upper bound of a backlog if it is not set (`net.core.somaxconn` since Linux 5.4; 128 before).
pub const SOMAXCONN: u32 = 4096;

/// What becomes of a connect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// No process listens: refused at once.
    Refused,
    /// The queue is full: no answer.
    Unanswered,
    /// It waits to be accepted.
    Queued,
}

/// How many connections may wait to be accepted under a backlog.
#[inline(always)]
pub fn room(backlog: u32) -> u32 {
    backlog.saturating_add(1)
}

/// What becomes of a connect, given whether anybody listens and how many wait of those that may.
#[inline(always)]
pub fn arrival(listens: bool, waiting: u32, room: u32) -> Arrival {
    match listens {
        false => Arrival::Refused,
        true if waiting >= room => Arrival::Unanswered,
        true => Arrival::Queued,
    }
}

/// How long after it was sent the last time a connect is sent again, having been sent `sent` times.
#[inline]
pub fn pause(sent: u32) -> Ns {
    Ns(RETRANSMISSION.0 << sent.saturating_sub(1).min(20))
}

/// How long after it was sent the first time a connect is sent again, having been sent `sent` times: 1, 3, 7 ... seconds.
#[inline]
pub fn sent_again(sent: u32) -> Ns {
    Ns(RETRANSMISSION.0 * ((1 << sent.min(33)) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_takes_one_more_than_its_backlog_and_is_then_silent() {
        // (listens, waiting, backlog, what becomes of the connect)
        let table = [
            (true, 0, 0, Arrival::Queued),
            (true, 1, 0, Arrival::Unanswered),
            (true, 128, 128, Arrival::Queued),
            (true, 129, 128, Arrival::Unanswered),
            (true, u32::MAX - 1, u32::MAX, Arrival::Queued),
            (false, 0, 128, Arrival::Refused),
            (false, 129, 128, Arrival::Refused),
        ];
        for (listens, waiting, backlog, expected) in table {
            assert_eq!(arrival(listens, waiting, room(backlog)), expected, "{listens} {waiting} {backlog}");
        }
    }

    #[test]
    fn a_connect_is_sent_again_after_one_three_and_seven_seconds() {
        assert_eq!([1, 2, 3, 4].map(sent_again), [1, 3, 7, 15].map(Ns::secs));
        for sent in 1..20 {
            assert_eq!(sent_again(sent).plus(pause(sent + 1)), sent_again(sent + 1), "{sent}");
        }
    }
}
