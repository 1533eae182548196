//! Connections that a balancer keeps to its servers: which idle one is taken, how long one lies idle, and how many do.
//!
//! A server closes a connection that has lain idle for so long, or after so many calls; the balancer hears of it one trip later. A call that
//! it sends within that trip, or that is on its way then, meets a closed connection: it is answered by a reset, and has not been executed.
//! With calls at rate l on a connection, a server that closes after S, and a trip of d, that is 2 d l exp(-l S) of the calls on kept
//! connections. Whoever closes after its last answer says so in it, and nothing is lost.
//!
//! Sources: nginx's ngx_http_upstream_keepalive_module.c (one list for all servers of an upstream, the latest first, the oldest thrown out)
//! and ngx_http_upstream.c (`u->peer.cached`: no try is spent); Envoy's conn_pool_base.cc (`ready_clients_`, the latest in front); HAProxy's
//! configuration.txt (`pool-purge-delay`).
//!
//! Not modelled: a worker of the server that waits at an idle connection; HTTP/2; a close that a fault of the link holds up; jitter of the
//! link as to when a close is heard of.

use crate::choices;
use crate::component::clients::Connection as Mode;
use crate::setting::{Preset, Scope, Silence, first_of, unless};
use crate::settings;
use crate::units::Ns;
use std::collections::VecDeque;

choices! {
    /// Which idle connection is taken.
    pub enum Takes = Latest {
        /// The one that was used last (nginx, Envoy): those beyond what is needed lie idle until they are closed.
        Latest = "latest",
        /// The one that has lain idle longest.
        Oldest = "oldest",
    }
}

settings! {
    /// Connections that the balancer keeps to servers, each with a life of its own.
    pub struct KeepAlive (presets = PRESETS) {
        /// How long the balancer lets a connection lie idle before it closes it (nginx `keepalive_timeout`, Envoy `idle_timeout`); none: no
        /// limit. (time)
        pub idle: Option<Ns> = None, "1ms" ..= "24h" => is_kept;
        /// Most calls on a connection, after which it is closed (nginx `keepalive_requests`); none: no limit.
        pub calls: Option<u32> = None, 1 ..= 1000000000 => is_kept;
        /// Age at which a connection that comes free is closed (nginx `keepalive_time`); none: no limit. (time)
        pub life: Option<Ns> = None, "1ms" ..= "24h" => is_kept;
        /// Most idle connections to all servers of a fleet together; one more, and the one that has lain idle longest is closed (nginx
        /// `keepalive`). None: no limit.
        pub at_most: Option<u32> = None, 0 ..= 1000000 => is_kept;
        /// Every so long half of the connections to a server that lie idle then are closed, the oldest first (HAProxy
        /// `pool-purge-delay`); none: never. (time)
        pub purge: Option<Ns> = None, "1ms" ..= "24h" => is_kept;
        /// Which idle connection is taken.
        pub takes: Takes = Takes::Latest => is_kept;
        /// Whether a try on a kept connection that turns out to be closed is not counted among `retries` (nginx); whether the call is
        /// tried again at all, `retry_on` says.
        pub free_retry: bool = false => is_kept;
        /// Whether such a try counts as a failure of its server to passive checks (nginx, Envoy; not HAProxy).
        pub counts: bool = true => is_watched;
    }
}

/// Every preset.
pub const PRESETS: &[Preset<KeepAlive>] = &[
    Preset {
        name: "nginx",
        doc: "nginx with `keepalive 32`, as it comes from 1.29.7 on (March 2026): at most 32 idle connections, each for 60s, 1,000 calls and an \
              hour; one that turns out to be closed costs no try, and is a failure of its server. Source: \
              ngx_http_upstream_keepalive_module.c and ngx_http_upstream.c, commits 4fbe4b6 and 6bb27a6. Not modelled: that each worker \
              keeps its own.",
        make: KeepAlive::nginx,
    },
    Preset {
        name: "envoy",
        doc: "Envoy 1.40 (2026), and Istio: idle for an hour, any number of calls. Source: protocol.proto (HttpProtocolOptions). Not \
              modelled: that each worker keeps its own.",
        make: || KeepAlive { idle: Some(Ns::secs(3600)), ..KeepAlive::default() },
    },
    Preset {
        name: "haproxy",
        doc: "HAProxy 2.6 (2022) with `http-reuse always`: every 5s half of the idle connections are closed; one that turns out to be closed \
              is no failure of its server. Source: configuration.txt (`pool-purge-delay`), check.c. Not modelled: `http-reuse safe`, its \
              default, under which the first call of a client's connection opens one; that idle connections which it expects to need \
              are spared; the bare close with which it answers.",
        make: || KeepAlive { purge: Some(Ns::secs(5)), counts: false, ..KeepAlive::default() },
    },
    Preset {
        name: "alb",
        doc: "AWS Application Load Balancer (2016 and later): idle for 60s. Source: AWS user guide for Application Load Balancers. Not modelled: \
              its nodes.",
        make: || KeepAlive { idle: Some(Ns::secs(60)), ..KeepAlive::default() },
    },
];

settings! {
    /// How long a server keeps connections that the balancer keeps.
    pub struct ServerKeepAlive {
        /// How long a connection may lie idle before the server closes it; none: no limit. (time)
        pub idle: Option<Ns> = None, "1ms" ..= "24h" => is_kept_by_server;
        /// Most calls on a connection: with the last answer the server says that it closes. None: no limit.
        pub calls: Option<u32> = None, 1 ..= 1000000000 => is_kept_by_server;
    }
}

fn kept(at: &Scope<'_>) -> Silence {
    first_of([
        unless(at.world.balancer.connection == Mode::KeptAlive, "`balancer.connection` is \"per-call\": none is kept"),
        unless(
            at.world.network.servers.latency > Ns::ZERO,
            "`network.servers.latency` is 0s: a close is known at once, and opening another takes no time",
        ),
    ])
}

fn is_kept(_: &KeepAlive, at: &Scope<'_>) -> Silence {
    kept(at)
}

fn is_kept_by_server(_: &ServerKeepAlive, at: &Scope<'_>) -> Silence {
    kept(at)
}

fn is_watched(_: &KeepAlive, at: &Scope<'_>) -> Silence {
    first_of([
        kept(at),
        unless(at.world.has_passive_checks(), "nothing watches the calls: there are no passive checks"),
    ])
}

/// A connection to a server.
#[derive(Clone, Debug)]
pub struct Kept<T> {
    /// When it was opened.
    pub opened: Ns,
    /// Calls on it so far.
    pub calls: u32,
    /// What a runtime knows of it.
    pub of: T,
}

impl KeepAlive {
    /// Preset `nginx`.
    pub fn nginx() -> KeepAlive {
        KeepAlive {
            idle: Some(Ns::secs(60)),
            calls: Some(1000),
            life: Some(Ns::secs(3600)),
            at_most: Some(32),
            free_retry: true,
            ..KeepAlive::default()
        }
    }

    /// Whether a connection whose call has been answered is kept; `server` is what its server says of it.
    pub fn keeps<T>(&self, server: Option<&ServerKeepAlive>, connection: &Kept<T>, now: Ns) -> bool {
        let calls = [self.calls, server.and_then(|server| server.calls)];
        calls.into_iter().flatten().all(|most| connection.calls < most)
            && self.life.is_none_or(|life| now.minus(connection.opened) < life)
    }
}

/// Since when one has been idle, and the connection.
type Lying<T> = (Ns, Kept<T>);

/// The idle connections of a balancer, by server.
#[derive(Debug)]
pub struct Idle<T> {
    /// The one idle longest first.
    servers: Vec<VecDeque<Lying<T>>>,
    /// Up to which purge each has been purged.
    purged: Vec<u64>,
}

impl<T> Idle<T> {
    /// None yet.
    pub fn new(servers: usize) -> Idle<T> {
        Idle { servers: (0..servers).map(|_| VecDeque::new()).collect(), purged: vec![0; servers] }
    }

    /// Takes a connection to a server, if one is idle that the balancer believes to be open.
    pub fn take(
        &mut self,
        rules: &KeepAlive,
        server: usize,
        now: Ns,
        mut is_open: impl FnMut(&mut T) -> bool,
    ) -> Option<Kept<T>> {
        self.close_old(rules, server, now);
        let lying = &mut self.servers[server];
        loop {
            let (_, mut connection) = match rules.takes {
                Takes::Latest => lying.pop_back(),
                Takes::Oldest => lying.pop_front(),
            }?;
            if is_open(&mut connection.of) {
                return Some(connection);
            }
        }
    }

    /// A connection to a server of a fleet lies idle from now on.
    pub fn put(
        &mut self,
        rules: &KeepAlive,
        (server, fleet): (usize, std::ops::Range<usize>),
        now: Ns,
        connection: Kept<T>,
        mut is_open: impl FnMut(&mut T) -> bool,
    ) {
        self.close_old(rules, server, now);
        self.servers[server].push_back((now, connection));
        let Some(most) = rules.at_most else { return };
        let count = |idle: &Self| idle.servers[fleet.clone()].iter().map(VecDeque::len).sum::<usize>();
        if count(self) <= most as usize {
            return;
        }
        for at in fleet.clone() {
            self.close_old(rules, at, now);
            self.servers[at].retain_mut(|(_, connection)| is_open(&mut connection.of));
        }
        while count(self) > most as usize {
            let oldest = fleet.clone().filter_map(|at| Some((self.servers[at].front()?.0, at))).min();
            let Some((_, at)) = oldest else { return };
            self.servers[at].pop_front();
        }
    }

    /// Every idle connection to a server.
    pub fn of_mut(&mut self, server: usize) -> impl Iterator<Item = &mut T> {
        self.servers[server].iter_mut().map(|(_, connection)| &mut connection.of)
    }

    /// Closes what has been idle for too long, and what purges have closed since this was last looked at.
    fn close_old(&mut self, rules: &KeepAlive, server: usize, now: Ns) {
        let lying = &mut self.servers[server];
        if let Some(every) = rules.purge {
            let due = now.0 / every.0;
            let from = std::mem::replace(&mut self.purged[server], due);
            for purge in from + 1..=due {
                if lying.is_empty() {
                    break;
                }
                if let Some(idle) = rules.idle {
                    lying.retain(|(since, _)| since.plus(idle).0 > purge * every.0);
                }
                lying.drain(..lying.len().div_ceil(2));
            }
        }
        if let Some(idle) = rules.idle {
            lying.retain(|(since, _)| now < since.plus(idle));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(of: u32) -> Kept<u32> {
        Kept { opened: Ns::ZERO, calls: 1, of }
    }

    /// Puts these into an upstream of two servers, each a second after the one before.
    fn idle(rules: &KeepAlive, of: &[(usize, u32)]) -> Idle<u32> {
        let mut idle = Idle::new(2);
        for (second, (server, of)) in of.iter().enumerate() {
            idle.put(rules, (*server, 0..2), Ns::secs(second as u64), kept(*of), |_| true);
        }
        idle
    }

    fn take_all(idle: &mut Idle<u32>, rules: &KeepAlive, server: usize, now: Ns) -> Vec<u32> {
        std::iter::from_fn(|| idle.take(rules, server, now, |_| true)).map(|kept| kept.of).collect()
    }

    #[test]
    fn the_latest_is_taken_or_the_oldest() {
        for (takes, should_be) in [(Takes::Latest, [3, 2, 1]), (Takes::Oldest, [1, 2, 3])] {
            let rules = KeepAlive { takes, ..KeepAlive::default() };
            let mut idle = idle(&rules, &[(0, 1), (0, 2), (0, 3)]);
            assert_eq!(take_all(&mut idle, &rules, 0, Ns::secs(3)), should_be);
        }
    }

    #[test]
    fn who_lies_idle_for_too_long_is_closed_and_of_too_many_the_one_idle_longest_whichever_server_it_is_to() {
        let rules = KeepAlive { idle: Some(Ns::secs(10)), at_most: Some(2), ..KeepAlive::default() };
        let mut three = idle(&rules, &[(0, 1), (1, 2), (0, 3)]);
        assert_eq!(take_all(&mut three, &rules, 0, Ns::secs(9)), [3]);
        assert_eq!(take_all(&mut three, &rules, 1, Ns(Ns::secs(11).0 - 1)), [2]);
        let mut one = idle(&rules, &[(1, 1)]);
        assert_eq!(take_all(&mut one, &rules, 1, Ns::secs(10)), []);
    }

    #[test]
    fn a_purge_closes_half_of_the_idle_ones() {
        let rules = KeepAlive { purge: Some(Ns::secs(10)), ..KeepAlive::default() };
        for (now, should_be) in [(9, vec![5, 4, 3, 2, 1]), (10, vec![5, 4]), (29, vec![5]), (30, vec![])] {
            let mut idle = idle(&rules, &[(0, 1), (0, 2), (0, 3), (0, 4), (0, 5)]);
            assert_eq!(take_all(&mut idle, &rules, 0, Ns::secs(now)), should_be, "at {now} s");
        }
    }

    #[test]
    fn calls_and_age_end_a_connection_when_its_call_is_answered() {
        let rules = KeepAlive { calls: Some(3), life: Some(Ns::secs(60)), ..KeepAlive::default() };
        let server = ServerKeepAlive { calls: Some(2), ..ServerKeepAlive::default() };
        let after = |calls| Kept { calls, ..kept(1) };
        assert!(rules.keeps(None, &after(2), Ns::secs(59)));
        assert!(!rules.keeps(None, &after(3), Ns::secs(59)));
        assert!(!rules.keeps(Some(&server), &after(2), Ns::secs(59)));
        assert!(!rules.keeps(None, &after(1), Ns::secs(60)));
    }
}
