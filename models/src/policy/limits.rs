//! Limits on what is under way to a whole fleet, whatever the server: the circuit breakers of an Envoy cluster.
//!
//! The rule is that of Envoy's connection pools (source/common/conn_pool/conn_pool_base.cc, `newStreamImpl` and
//! `attachStreamToClient`; circuit_breaking.rst, api/envoy/config/cluster/v3/circuit_breaker.proto): the server is chosen first.
//! A call for which a connection is at hand takes it. Another is pending until it has one: one is opened for it where the
//! cluster's number of connections allows, or where its server has none; otherwise it waits for one of its server's. With its
//! connection a call is a request. What is over a limit is answered with a 503 at once, is not tried again, and says nothing
//! of the server. All workers share the counts.
//!
//! Connections are those in use: idle ones are not counted, so that a pool that has grown at one server takes nothing from the
//! others. The limit on retries is a setting of its own ([`super::resend`]).

use crate::setting::always;
use crate::settings;

settings! {
    /// Limits on what is under way to a fleet, all of its servers together (circuit breakers of an Envoy cluster); a call over
    /// one gets `unavailable_status` at once, is not tried again, and says nothing of its server.
    pub struct FleetLimits {
        /// Most connections in use; a call for whose server none is free waits for one of that server's, but a server without
        /// any may always have one (Envoy `max_connections`).
        pub connections: Option<u32> = Some(1024), 1 ..= 1000000 => always;
        /// Most calls that wait for a connection, those included for which one is being opened (Envoy
        /// `max_pending_requests`).
        pub pending: Option<u32> = Some(1024), 0 ..= 1000000 => always;
        /// Most calls that have a connection (Envoy `max_requests`).
        pub requests: Option<u32> = Some(1024), 0 ..= 1000000 => always;
    }
}

/// What is under way to a fleet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct UnderWay {
    /// Calls for which a connection is being opened.
    pub connecting: u32,
    /// Calls that have a connection.
    pub requests: u32,
    /// Calls that wait for a connection of their server.
    pub waiting: u32,
}

/// As what a call counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Counted {
    /// It does not: it waits, is over, or nothing is counted.
    #[default]
    No,
    /// As one for which a connection is being opened.
    Connecting,
    /// As one that has its connection.
    Request,
}

impl UnderWay {
    /// A call counts as something else from now on.
    pub fn count(&mut self, was: Counted, is: Counted) {
        for (counted, more) in [(was, false), (is, true)] {
            let level = match counted {
                Counted::No => continue,
                Counted::Connecting => &mut self.connecting,
                Counted::Request => &mut self.requests,
            };
            *level = if more { *level + 1 } else { *level - 1 };
        }
    }
}

/// What becomes of a call that has been given a server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// It gets a connection.
    Connect,
    /// It waits for one of its server's.
    Wait,
    /// It is answered at once: too many are under way.
    Overflow,
}

impl FleetLimits {
    /// Whether one more connection may be opened to a server that has `here` in use, `most` at most.
    pub fn may_open(&self, under_way: &UnderWay, here: u32, most: Option<u32>) -> bool {
        let all = under_way.connecting + under_way.requests;
        here == 0 || (below(all, self.connections) && below(here, most))
    }

    /// What becomes of a call whose server has `here` connections in use, `most` at most. `at_hand`: whether a connection that is
    /// not in use is there already, if there may be one.
    pub fn way(&self, under_way: &UnderWay, here: u32, most: Option<u32>, at_hand: bool) -> Way {
        let opens = self.may_open(under_way, here, most);
        if opens && at_hand {
            return Way::Connect;
        }
        let opening = if at_hand { 0 } else { under_way.connecting };
        if !below(opening + under_way.waiting, self.pending) {
            return Way::Overflow;
        }
        if opens { Way::Connect } else { Way::Wait }
    }

    /// Whether a call that has its connection may be sent on.
    pub fn may_send(&self, under_way: &UnderWay) -> bool {
        below(under_way.requests, self.requests)
    }
}

fn below(is: u32, most: Option<u32>) -> bool {
    most.is_none_or(|most| is < most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(connections: u32, pending: u32, requests: u32) -> FleetLimits {
        FleetLimits { connections: Some(connections), pending: Some(pending), requests: Some(requests) }
    }

    /// Calls at once to servers in turn, each with a connection of its own that is opened for it, which takes a while: `.` for
    /// one that connects, `w` for one that waits, `x` for overflow; then, of those that connect, `x` for each that may not be sent.
    fn burst(limits: &FleetLimits, servers: usize, calls: usize) -> (String, String) {
        let (mut under_way, mut here) = (UnderWay::default(), vec![0; servers]);
        let mut ways = String::new();
        for call in 0..calls {
            let server = call % servers;
            match limits.way(&under_way, here[server], None, false) {
                Way::Connect => {
                    under_way.connecting += 1;
                    here[server] += 1;
                    ways.push('.');
                }
                Way::Wait => {
                    under_way.waiting += 1;
                    ways.push('w');
                }
                Way::Overflow => ways.push('x'),
            }
        }
        let sent = ways.chars().filter(|way| *way == '.').map(|_| {
            under_way.connecting -= 1;
            let sent = limits.may_send(&under_way);
            under_way.requests += u32::from(sent);
            if sent { '.' } else { 'x' }
        });
        let sent = sent.collect();
        (ways, sent)
    }

    #[test]
    fn envoy_conformance_of_a_burst() {
        for (limits, servers, ways, sent) in [
            // envoy#16610: three of six have a 503 at once, whatever the number of hosts.
            (limits(1024, 1024, 3), 1, "......", "...xxx"),
            (limits(1024, 1024, 3), 3, "......", "...xxx"),
            // Each host may have one connection, whatever the limit; the rest waits for its own host's.
            (limits(3, 1024, 1024), 3, "...www", "..."),
            (limits(1, 1024, 1024), 3, "...www", "..."),
            (limits(4, 1024, 1024), 2, "....ww", "...."),
            // What is being opened is pending too.
            (limits(1024, 2, 1024), 2, "..xxxx", ".."),
            (limits(1, 4, 1024), 1, ".wwwxx", "."),
            (limits(1024, 0, 1024), 1, "xxxxxx", ""),
        ] {
            assert_eq!(burst(&limits, servers, 6), (ways.into(), sent.into()), "{limits:?}");
        }
    }

    #[test]
    fn a_connection_at_hand_is_never_pending_and_a_server_has_a_limit_of_its_own() {
        let none_pends = limits(2, 0, 9);
        let one = UnderWay { requests: 1, ..UnderWay::default() };
        assert_eq!(none_pends.way(&one, 0, None, true), Way::Connect);
        assert_eq!(none_pends.way(&UnderWay { requests: 2, ..one }, 2, None, true), Way::Overflow);
        let wide = FleetLimits::default();
        assert_eq!([0, 1, 2].map(|here| wide.way(&one, here, Some(2), true)), [Way::Connect, Way::Connect, Way::Wait]);
        assert_eq!((wide.connections, wide.pending, wide.requests), (Some(1024), Some(1024), Some(1024)));
    }
}
