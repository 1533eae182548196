//! The load balancer: an HTTP reverse proxy between clients and servers.
//!
//! It chooses a server, connects, retries a failed connection, queues calls where servers have a
//! connection limit, waits for answers, and checks servers' health: actively (`probe`), and by what becomes of the
//! calls themselves (`passive`). It may log what it could not deliver, for a replay (`log`). Not modelled: its own
//! capacity, TLS, a limit on client connections.

mod choice;
mod faults;
mod log;
mod passive;

pub use log::{Log, LogAt};
pub use passive::Watch;

use crate::component::clients::Connection;
use crate::kernel::{Event, Fact, Kernel, Timer};
use crate::ledger::Cause;
use crate::policy::balance::{Algorithm, Rotation};
use crate::policy::health::HealthCheck;
use crate::policy::redispatch::{self, ConnectFailure, Next, Redispatch};
use crate::random::{Purpose, draw, unit};
use crate::setting::{Preset, Scope, Silence, always, first_of, unless};
use crate::settings;
use crate::slab::Ref;
use crate::units::Ns;
use crate::world::{self, Back, Front, Limited, Try, World};
use passive::Verdict;
use std::collections::VecDeque;

settings! {
    /// Calls that wait at the balancer for a server with room.
    pub struct Surge {
        /// Most calls that wait; one more gets a 503 at once (Classic ELB: 1,024). None: no limit.
        pub limit: Option<u32> = None, 0 ..= 4294967295 => always;
        /// Longest wait, then 503; none: as the connect timeout (HAProxy `timeout queue`). (time)
        pub timeout: Option<Ns> = None, "1ms" ..= "24h" => queues;
    }
}

settings! {
    /// The load balancer. `preset` names a product's defaults; other keys change them.
    pub struct Balancer (presets = PRESETS) {
        /// How it chooses a server.
        pub algorithm: Algorithm = Algorithm::RoundRobin => has_a_choice;
        /// Active health checks.
        pub health: HealthCheck = HealthCheck::default() => always;
        /// Connection to the servers: opened for each call, or kept.
        pub connection: Connection = Connection::KeptAlive => takes_time;
        /// Longest wait for a server to accept a connection. (time)
        pub connect_timeout: Ns = Ns::secs(1), "1ms" ..= "1h" => always;
        /// Further tries after a failed connection.
        pub retries: u32 = 3, 0 ..= 100 => always;
        /// Whether a retry may go to another server.
        pub redispatch: Redispatch = Redispatch::Last => tries_again_or_queues;
        /// Statuses of a server after which the call is tried on another one, within `retries` (nginx
        /// `proxy_next_upstream http_503`, HAProxy `retry-on 503`, Envoy `retry_on: 5xx`); passive checks take them for
        /// failures.
        pub retry_statuses: Vec<u16> = Vec::new(), 400 ..= 599 => tries_again_or_watches;
        /// Whether a call is tried on another server if its connection breaks before the answer, though it may have been
        /// executed (nginx `proxy_next_upstream error` for requests that may be sent twice, HAProxy `retry-on
        /// empty-response`).
        pub retry_broken: bool = false => tries_again;
        /// Most connections open to one server (HAProxy `maxconn`); none: no limit. Health checks are not counted.
        pub max_connections: Option<u32> = None, 1 ..= 1000000 => always;
        /// Queue for calls that find every server at its limit.
        pub queue: Surge = Surge::default() => may_queue;
        /// Longest wait for a server's answer, then 504 (HAProxy `timeout server`, ELB idle timeout); none: for ever. (time)
        pub idle_timeout: Option<Ns> = Some(Ns::secs(60)), "1ms" ..= "24h" => always;
        /// Whether a call whose client has left is dropped while it queues or connects (HAProxy `option abortonclose`).
        pub abort_on_close: bool = false => always;
        /// Whether, beyond that, the connection to a server is closed on which the call of a client that has left is
        /// awaited (nginx, Envoy).
        pub close_on_departure: bool = false => notices_departure;
        /// Status of the balancer's own answer when no server takes the call (HAProxy, ELB, Envoy: 503; nginx: 502).
        pub unavailable_status: u16 = 503, 500 ..= 599 => always;
        /// A log of the calls that were not served, from which operators can replay them (action `replay`).
        pub log: Option<Log> = None => is_replayed;
    }
}

const NO_RETRIES: &str = "`retries` is 0: no call is tried again";

fn queues(queue: &Surge, _: &Scope<'_>) -> Silence {
    unless(queue.limit != Some(0), "`limit` is 0: no call waits")
}

fn has_a_choice(_: &Balancer, at: &Scope<'_>) -> Silence {
    unless(!at.world.has_lone_servers(), "each fleet has one server: there is nothing to choose")
}

fn takes_time(_: &Balancer, at: &Scope<'_>) -> Silence {
    let link = &at.world.network.servers;
    let matters = link.latency > Ns::ZERO || at.world.has_link_faults();
    unless(matters, "`network.servers.latency` is 0s: connecting takes no time")
}

fn tries_again(balancer: &Balancer, _: &Scope<'_>) -> Silence {
    unless(balancer.retries > 0, NO_RETRIES)
}

fn tries_again_or_queues(balancer: &Balancer, _: &Scope<'_>) -> Silence {
    // "untried" also says that calls do not wait for room.
    unless(balancer.retries > 0 || balancer.max_connections.is_some(), NO_RETRIES)
}

fn tries_again_or_watches(balancer: &Balancer, at: &Scope<'_>) -> Silence {
    unless(balancer.retries > 0 || at.world.has_passive_checks(), NO_RETRIES)
}

fn may_queue(balancer: &Balancer, _: &Scope<'_>) -> Silence {
    first_of([
        unless(balancer.max_connections.is_some(), "without `max_connections` a server always has room"),
        unless(balancer.health.max_fails.is_none(), "with `health.max_fails` no call waits for a server"),
        unless(
            balancer.redispatch != Redispatch::Untried,
            "with `redispatch` = \"untried\" no call waits for a server",
        ),
    ])
}

fn notices_departure(balancer: &Balancer, _: &Scope<'_>) -> Silence {
    unless(balancer.abort_on_close, "`abort_on_close` is false: the balancer does not notice that a client has left")
}

fn is_replayed(balancer: &Balancer, at: &Scope<'_>) -> Silence {
    let kinds = || balancer.log.iter().flat_map(|log| &log.calls);
    unless(
        kinds().any(|kind| at.world.is_replayed(&kind.text)),
        "the timeline replays none of these calls, so it keeps none",
    )
}

/// Every preset.
pub const PRESETS: &[Preset<Balancer>] = &[
    Preset {
        name: "haproxy",
        doc: "HAProxy 2.6 (2022): round robin, 3 retries on connection failures, redispatch on, health checks as preset \
              `haproxy`. Its timeouts have no defaults: set connect_timeout and idle_timeout.",
        make: Balancer::default,
    },
    Preset {
        name: "classic-elb-2015",
        doc: "AWS Classic Load Balancer as of October 2015: idle timeout 60s (504), surge queue of 1,024 calls, 503 when no \
              instance is healthy, health checks as preset `classic-elb-2015`. Source: AWS user guide for Classic Load \
              Balancers. Its algorithm for HTTP is least outstanding requests.",
        make: || Balancer {
            algorithm: Algorithm::LeastRequests,
            health: HealthCheck::named("classic-elb-2015").unwrap_or_default(),
            queue: Surge { limit: Some(1024), timeout: None },
            idle_timeout: Some(Ns::secs(60)),
            ..Balancer::default()
        },
    },
    Preset {
        name: "alb",
        doc: "AWS Application Load Balancer (2016 and later): round robin, idle timeout 60s (504), connect timeout 10s, no \
              retries, health checks as preset `alb`. Source: AWS user guide for Application Load Balancers.",
        make: || Balancer {
            health: HealthCheck::named("alb").unwrap_or_default(),
            connect_timeout: Ns::secs(10),
            retries: 0,
            redispatch: Redispatch::Never,
            idle_timeout: Some(Ns::secs(60)),
            ..Balancer::default()
        },
    },
    Preset {
        name: "envoy",
        doc: "Envoy 1.40 (2026): round robin, connect timeout 5s, route timeout 15s (504), no retries unless a retry policy is \
              given, health checks as preset `envoy`. The cluster's circuit breaker (1,024 connections and as many pending) \
              is not modelled. Source: Envoy's cluster.proto and route_components.proto.",
        make: || Balancer {
            health: HealthCheck::named("envoy").unwrap_or_default(),
            connect_timeout: Ns::secs(5),
            retries: 0,
            redispatch: Redispatch::Never,
            idle_timeout: Some(Ns::secs(15)),
            abort_on_close: true,
            close_on_departure: true,
            ..Balancer::default()
        },
    },
    Preset {
        name: "nginx",
        doc: "nginx 1.22 (2022), open source: round robin, proxy_connect_timeout and proxy_read_timeout 60s, a failed \
              connection goes on to each other server once (proxy_next_upstream error timeout), 502 when none is left, closes \
              the connection to the server when its client leaves; health as preset `nginx`. Source: \
              ngx_http_proxy_module, ngx_http_upstream_round_robin.c.",
        make: || nginx("nginx"),
    },
    Preset {
        name: "nginx-before-1.11.5",
        doc: "nginx before 1.11.5 (October 2016): as `nginx`, with health as preset `nginx-before-1.11.5`.",
        make: || nginx("nginx-before-1.11.5"),
    },
];

fn nginx(health: &str) -> Balancer {
    Balancer {
        health: HealthCheck::named(health).unwrap_or_default(),
        connect_timeout: Ns::secs(60),
        retries: 100,
        redispatch: Redispatch::Untried,
        idle_timeout: Some(Ns::secs(60)),
        abort_on_close: true,
        close_on_departure: true,
        unavailable_status: 502,
        ..Balancer::default()
    }
}

impl Balancer {
    /// Whether every server in rotation with room may be chosen, and nothing is learnt from calls.
    pub fn is_plain(&self) -> bool {
        let health = &self.health;
        health.fail_open_below.is_none()
            && health.slow_start.is_none()
            && health.outlier.is_none()
            && health.max_fails.is_none()
            && health.observe.is_none()
            && self.redispatch != Redispatch::Untried
    }

    /// Longest wait in the queue. (time)
    pub fn queue_timeout(&self) -> Ns {
        self.queue.timeout.unwrap_or(self.connect_timeout)
    }
}

/// What the balancer keeps for one fleet.
pub struct Backend {
    /// The servers in rotation.
    pub rotation: Rotation,
    /// All servers that operators do not keep out, for when health is ignored.
    pub all: Rotation,
    /// What the calls themselves say of the servers.
    pub watch: Watch,
    /// Tries that wait for a server with room; some may have left since.
    queue: VecDeque<Ref>,
    /// How many of them still wait.
    pub queued: u32,
    /// Share of calls that operators turn away, by plan.
    pub shed: Vec<f64>,
    /// Whether so few servers are in rotation that health is ignored.
    pub fails_open: bool,
}

impl Backend {
    /// A fleet of `servers`, of which those `up` are in rotation; nothing queued.
    pub fn new(servers: std::ops::Range<u32>, up: bool, plans: usize, watch: Watch) -> Backend {
        let all: Vec<u32> = servers.collect();
        Backend {
            rotation: Rotation::new(if up { all.clone() } else { Vec::new() }),
            all: Rotation::new(all),
            watch,
            queue: VecDeque::new(),
            queued: 0,
            shed: vec![0.0; plans],
            fails_open: false,
        }
    }
}

impl Try {
    /// A try for an attempt of a call.
    pub fn new(call: Ref, salt: u64, attempt: u16, fleet: u16, plan: u16) -> Try {
        Try {
            purpose: world::Purpose::Call,
            call,
            salt,
            attempt,
            plan,
            fleet,
            server: u32::MAX,
            dispatches: 0,
            retries_left: 0,
            connects: 0,
            asks: 0,
            asks_before: 0,
            front: Front::Pending,
            back: Back::None,
            client_gone: false,
            keeps_place: false,
            in_bulkhead: false,
            holds_worker: false,
            at_store: false,
            status: 0,
            cause: Cause::ClientLeft,
            tried: 0,
            limited: Limited::default(),
            permit: None,
            place: u32::MAX,
            since: Ns::ZERO,
            started: Ns::ZERO,
            work: Ns::NEVER,
            query: Ref::NONE,
            timer: Timer::NONE,
            ask_timer: Timer::NONE,
            step_timer: Timer::NONE,
        }
    }
}

impl World {
    /// An attempt reaches the balancer.
    #[inline(always)]
    pub(crate) fn at_balancer<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let (try_, balancer) = (&mut self.tries[t], &self.spec.balancer);
        let (salt, share) = (try_.salt, self.backends[try_.fleet as usize].shed[try_.plan as usize]);
        try_.retries_left = balancer.retries as u16;
        if balancer.log.is_some() && try_.purpose == world::Purpose::Call {
            self.calls[try_.call].logged = true;
        }
        if share > 0.0 && unit(draw(salt, Purpose::Shed, 0)) <= share {
            self.reject(k, t, 503, Cause::Shed);
        } else if balancer.abort_on_close && try_.client_gone {
            self.give_up(k, t, Cause::ClientLeft);
        } else {
            self.choose(k, t, None);
        }
    }

    /// Chooses a server and connects, or queues, or answers that there is none.
    #[inline(always)]
    fn choose<K: Kernel>(&mut self, k: &mut K, t: Ref, avoid: Option<u32>) {
        let status = self.spec.balancer.unavailable_status;
        match self.pick(k, t, avoid) {
            Some(server) => self.dispatch(k, t, server),
            None if self.nobody_can_serve(t) => {
                self.forget_failures(k, self.tries[t].fleet);
                self.reject(k, t, status, Cause::NoServer);
            }
            None => self.enqueue_call(k, t),
        }
    }

    /// Waits for a server with room, if the queue has any.
    fn enqueue_call<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let status = self.spec.balancer.unavailable_status;
        let backend = &mut self.backends[self.tries[t].fleet as usize];
        if self.spec.balancer.queue.limit.is_some_and(|limit| backend.queued >= limit) {
            self.reject(k, t, status, Cause::QueueFull);
            return;
        }
        if backend.queue.len() > 64 + 2 * backend.queued as usize {
            // Those that timed out or left: cleared out when they outnumber those that wait.
            let tries = &self.tries;
            backend.queue.retain(|q| tries.get(*q).is_some_and(|t| t.front == Front::Queued));
        }
        let try_ = &mut self.tries[t];
        try_.front = Front::Queued;
        try_.timer = k.arm(self.lanes.queue, Event::QueueTimeout(t));
        backend.queue.push_back(t);
        backend.queued += 1;
        self.levels.queued.add(k.now(), 1);
    }

    /// Connects to a server.
    #[inline(always)]
    fn dispatch<K: Kernel>(&mut self, k: &mut K, t: Ref, server: u32) {
        let try_ = &mut self.tries[t];
        try_.server = server;
        try_.front = Front::Connecting;
        try_.dispatches += 1;
        try_.asks_before = try_.asks;
        try_.connects = 0;
        try_.since = k.now();
        if !std::mem::take(&mut try_.keeps_place) {
            self.connections[server as usize] += 1;
        }
        if try_.dispatches == 1 {
            // Long before it is needed, so that nothing waits for it.
            let plan = &self.plans[try_.fleet as usize][try_.plan as usize];
            try_.work = plan.work_ahead(try_.salt, try_.attempt);
        }
        let watch = &mut self.backends[try_.fleet as usize].watch;
        if !watch.is_plain {
            try_.tried |= watch.bit(server);
            watch.on_chosen(&self.spec.balancer.health, server, k.now());
        }
        self.send_connect(k, t);
    }

    /// Sends a connect over the link.
    #[inline(always)]
    pub(crate) fn send_connect<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let link = &self.spec.network.servers;
        let try_ = &mut self.tries[t];
        try_.connects += 1;
        if link.is_constant() {
            k.after(self.lanes.to_server, Event::AtServer(t));
        } else {
            let number = (u32::from(try_.dispatches) << 8) | u32::from(try_.connects);
            k.at(k.now().plus(link.delay(try_.salt, Purpose::ServerLink, number)), Event::AtServer(t));
        }
    }

    /// Something travels from a server to the balancer.
    #[inline(always)]
    pub(crate) fn send_to_balancer<K: Kernel>(&mut self, k: &mut K, t: Ref, event: Event) {
        let link = &self.spec.network.servers;
        if link.is_constant() {
            k.after(self.lanes.from_server, event);
        } else {
            let try_ = &self.tries[t];
            let number = u32::from(try_.dispatches);
            k.at(k.now().plus(link.delay(try_.salt, Purpose::ServerLinkBack, number)), event);
        }
    }

    /// The server has accepted the connection: the wait for its answer begins.
    #[inline(always)]
    pub(crate) fn accepted<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let try_ = &mut self.tries[t];
        try_.front = Front::Waiting;
        match try_.purpose {
            world::Purpose::Call => {
                if self.spec.balancer.idle_timeout.is_some() {
                    try_.timer = k.arm(self.lanes.idle, Event::IdleTimeout(t));
                }
            }
            world::Purpose::Check(number) => self.check_accepted(k, t, number),
            world::Purpose::Background | world::Purpose::Replay => {}
        }
    }

    /// A server's answer is here.
    #[inline(always)]
    pub(crate) fn reply<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let Some(try_) = self.tries.get(t).filter(|t| t.front == Front::Waiting) else { return };
        let Try { purpose, fleet, server, status, .. } = *try_;
        if let world::Purpose::Check(number) = purpose {
            self.check_over(k, t, number, status);
            return;
        }
        let retried = &self.spec.balancer.retry_statuses;
        let again = !retried.is_empty() && retried.contains(&status);
        let verdict = match status {
            _ if again => Verdict::Unreached,
            500.. => Verdict::Error,
            _ => Verdict::Good,
        };
        self.judge_at(k, fleet, server, verdict);
        self.release_server_at(k, fleet, server);
        if again && self.may_try_another(k, t) {
            return;
        }
        self.answer_now(k, t, status);
        self.close_front_now(k, t);
    }

    /// Sends a call whose server is done with it to another one at once, if it has a try left.
    fn may_try_another<K: Kernel>(&mut self, k: &mut K, t: Ref) -> bool {
        let try_ = &mut self.tries[t];
        if try_.retries_left == 0 || try_.back != Back::None {
            return false;
        }
        k.cancel(try_.timer);
        try_.timer = Timer::NONE;
        try_.front = Front::Pending;
        self.try_again(k, t, false);
        true
    }

    /// If the try is a health check, it ends here, with this status (0 for none).
    fn check_ends<K: Kernel>(&mut self, k: &mut K, t: Ref, status: u16) -> bool {
        let world::Purpose::Check(number) = self.tries[t].purpose else { return false };
        self.check_over(k, t, number, status);
        true
    }

    /// A health check ends with this status (0 for none).
    #[inline(never)]
    fn check_over<K: Kernel>(&mut self, k: &mut K, t: Ref, number: u32, status: u16) {
        let server = self.tries[t].server;
        self.close_front(k, t);
        self.check_answered(k, server, number, status);
    }

    /// The connection was refused: nobody listens.
    pub(crate) fn connect_refused<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        self.connect_failed(k, t, ConnectFailure::Refused, Cause::Refused);
    }

    /// The connect was not answered in time. A timeout of an earlier dispatch says nothing about this one.
    pub(crate) fn connect_timed_out<K: Kernel>(&mut self, k: &mut K, t: Ref, dispatch: u16) {
        if self.tries.get(t).is_none_or(|t| t.dispatches != dispatch) {
            return;
        }
        let cause = if self.tries[t].cause == Cause::Unreachable { Cause::Unreachable } else { Cause::BacklogFull };
        self.connect_failed(k, t, ConnectFailure::TimedOut, cause);
    }

    fn connect_failed<K: Kernel>(&mut self, k: &mut K, t: Ref, failure: ConnectFailure, cause: Cause) {
        let Some(try_) = self.tries.get_mut(t).filter(|t| t.front == Front::Connecting) else { return };
        try_.cause = cause;
        if self.check_ends(k, t, 0) {
            return;
        }
        self.judge(k, t, Verdict::Unreached);
        let try_ = &mut self.tries[t];
        let balancer = &self.spec.balancer;
        let servers_up = self.backends[try_.fleet as usize].rotation.len();
        let next = redispatch::next(
            balancer.redispatch,
            balancer.retries,
            u32::from(try_.retries_left),
            failure,
            balancer.algorithm.rotates(),
            servers_up,
            balancer.connect_timeout,
        );
        // Whoever will try the same server again keeps its place there (HAProxy counts it throughout).
        try_.keeps_place = matches!(next, Next::Same(_));
        try_.front = Front::Pending;
        if !try_.keeps_place {
            self.release_server(k, t);
        }
        match next {
            Next::GiveUp => self.reject(k, t, self.spec.balancer.unavailable_status, cause),
            Next::Another(Ns::ZERO) => self.try_again(k, t, false),
            Next::Same(Ns::ZERO) => self.try_again(k, t, true),
            Next::Another(pause) => k.at(k.now().plus(pause), Event::TryAgain(t, false)),
            Next::Same(pause) => k.at(k.now().plus(pause), Event::TryAgain(t, true)),
        }
    }

    /// Another try after a failed connection.
    pub(crate) fn try_again<K: Kernel>(&mut self, k: &mut K, t: Ref, same: bool) {
        let Some(try_) = self.tries.get_mut(t).filter(|t| t.front == Front::Pending) else { return };
        try_.retries_left -= 1;
        let server = try_.server;
        if same {
            self.dispatch(k, t, server);
        } else {
            self.choose(k, t, Some(server));
        }
    }

    /// The process died with the connection open.
    pub(crate) fn connection_reset<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        self.connection_breaks(k, t, Cause::Crashed);
    }

    /// The connection broke while the answer was awaited.
    pub(crate) fn connection_breaks<K: Kernel>(&mut self, k: &mut K, t: Ref, cause: Cause) {
        if self.tries.get(t).is_none_or(|t| t.front != Front::Waiting) {
            return;
        }
        if self.check_ends(k, t, 0) {
            return;
        }
        self.judge(k, t, Verdict::Unreached);
        self.release_server(k, t);
        if self.spec.balancer.retry_broken && self.may_try_another(k, t) {
            return;
        }
        self.reject(k, t, 502, cause);
    }

    /// The server took too long: 504. What it has of the call stays with it.
    pub(crate) fn idle_timed_out<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        self.tries[t].timer = Timer::NONE;
        self.judge(k, t, Verdict::Unreached);
        self.release_server(k, t);
        // That of the call, too: what the server makes of it from now on is for nobody, if it is no write.
        let call = self.tries[t].call;
        self.calls[call].cause = Cause::BalancerTimeout;
        self.tries[t].cause = Cause::BalancerTimeout;
        self.answer(k, t, 504);
        self.close_front(k, t);
    }

    /// The wait in the queue was too long: 503.
    pub(crate) fn queue_timed_out<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let try_ = &mut self.tries[t];
        try_.timer = Timer::NONE;
        self.backends[try_.fleet as usize].queued -= 1;
        self.levels.queued.remove(k.now(), 1);
        self.reject(k, t, self.spec.balancer.unavailable_status, Cause::QueueTimeout);
    }

    /// The client of a try has left; the balancer notices only if told to, and only what is with it.
    pub(crate) fn client_left<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        if !self.spec.balancer.abort_on_close {
            return;
        }
        match self.tries[t].front {
            Front::Queued => {
                let fleet = self.tries[t].fleet as usize;
                self.backends[fleet].queued -= 1;
                self.levels.queued.remove(k.now(), 1);
                self.give_up(k, t, Cause::ClientLeft);
            }
            Front::Connecting => {
                self.judge(k, t, Verdict::Abandoned);
                self.release_server(k, t);
                self.give_up(k, t, Cause::ClientLeft);
            }
            Front::Waiting if self.spec.balancer.close_on_departure => {
                self.judge(k, t, Verdict::Abandoned);
                self.release_server(k, t);
                self.give_up(k, t, Cause::ClientLeft);
            }
            Front::Pending if self.tries[t].dispatches > 0 => {
                if std::mem::take(&mut self.tries[t].keeps_place) {
                    self.release_server(k, t);
                }
                self.give_up(k, t, Cause::ClientLeft);
            }
            _ => {}
        }
    }

    /// The balancer answers by itself.
    fn reject<K: Kernel>(&mut self, k: &mut K, t: Ref, status: u16, cause: Cause) {
        self.tries[t].cause = cause;
        self.answer(k, t, status);
        self.close_front(k, t);
    }

    /// The balancer gives a try up without an answer.
    pub(crate) fn give_up<K: Kernel>(&mut self, k: &mut K, t: Ref, cause: Cause) {
        self.tries[t].cause = cause;
        self.close_front(k, t);
    }

    /// One connection less to the server of a try.
    fn release_server<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let Try { server, fleet, .. } = self.tries[t];
        self.release_server_at(k, fleet, server);
    }

    /// One connection less to a server; whoever queues may have it.
    #[inline(always)]
    fn release_server_at<K: Kernel>(&mut self, k: &mut K, fleet: u16, server: u32) {
        self.connections[server as usize] -= 1;
        if self.backends[fleet as usize].queued > 0 {
            self.serve_queue(k, fleet);
        }
    }

    /// Sends on what queues for a fleet, as far as there is room.
    #[inline(never)]
    pub(crate) fn serve_queue<K: Kernel>(&mut self, k: &mut K, fleet: u16) {
        loop {
            let backend = &mut self.backends[fleet as usize];
            let Some(t) = backend.queue.front().copied() else { return };
            if self.tries.get(t).is_none_or(|t| t.front != Front::Queued) {
                backend.queue.pop_front();
                continue;
            }
            let Some(server) = self.pick(k, t, None) else { return };
            let backend = &mut self.backends[fleet as usize];
            backend.queue.pop_front();
            backend.queued -= 1;
            self.levels.queued.remove(k.now(), 1);
            k.cancel(self.tries[t].timer);
            self.dispatch(k, t, server);
        }
    }

    /// As `close_front_now`, for callers off the usual way of a call.
    #[inline(never)]
    fn close_front<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        self.close_front_now(k, t);
    }

    /// The balancer is done with a try; if the server is too, the try is over.
    #[inline(always)]
    fn close_front_now<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let try_ = &mut self.tries[t];
        k.cancel(try_.timer);
        try_.timer = Timer::NONE;
        try_.front = Front::Closed;
        self.end_if_done_now(k, t);
    }

    /// As `end_if_done_now`, for callers off the usual way of a call.
    #[inline(never)]
    pub(crate) fn end_if_done<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        self.end_if_done_now(k, t);
    }

    /// Ends a try that neither the balancer nor a server has any more.
    #[inline(always)]
    fn end_if_done_now<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let try_ = &self.tries[t];
        if try_.front != Front::Closed || try_.back != Back::None {
            return;
        }
        let (purpose, call, mut cause, status) = (try_.purpose, try_.call, try_.cause, try_.status);
        self.tries.remove(t);
        if purpose == world::Purpose::Call {
            if status == 200 && cause == Cause::ClientLeft {
                // This way did all that it could; what is lost was lost elsewhere (in a spool).
                cause = self.calls[call].cause;
            }
            self.leg_ends(k, call, cause);
        }
    }

    /// Compares who should be in rotation with who is: checks, operators and passive checks must all agree.
    pub(crate) fn settle_rotation<K: Kernel>(&mut self, k: &mut K, server: u32) {
        let fleet = self.servers[server as usize].fleet;
        let backend = &mut self.backends[fleet as usize];
        let checker = &mut self.checkers[server as usize];
        let up =
            checker.health.is_up(&self.spec.balancer.health) && !checker.is_held() && !backend.watch.is_out(server);
        if up == checker.in_rotation {
            return;
        }
        checker.in_rotation = up;
        if up {
            backend.rotation.insert(server);
            backend.watch.back_at(server, k.now());
        } else {
            backend.rotation.remove(server);
        }
        k.record(Fact::Rotation { server, up });
        self.settle_fail_open(k, fleet);
        if up && self.backends[fleet as usize].queued > 0 {
            self.serve_queue(k, fleet);
        }
    }

    /// Other servers than before are in rotation, or let in by operators: whether health is to be ignored.
    pub(crate) fn settle_fail_open<K: Kernel>(&mut self, k: &mut K, fleet: u16) {
        let backend = &mut self.backends[fleet as usize];
        let begins = self.spec.balancer.health.fails_open(backend.rotation.len(), backend.all.len());
        if begins != backend.fails_open {
            backend.fails_open = begins;
            k.record(Fact::FailsOpen { fleet, begins });
        }
    }
}
