//! The load balancer: an HTTP reverse proxy between clients and servers.
//!
//! It chooses a server, connects, retries a failed connection, queues calls where servers have a
//! connection limit, waits for answers, and checks servers' health: actively (`probe`), and by what becomes of the
//! calls themselves (`members`). It may log what it could not deliver, for a replay (`log`). Not modelled: its own
//! capacity, TLS, a limit on client connections.

mod again;
mod effects;
mod faults;
mod kept;
mod limits;
mod log;
mod members;
mod presets;
mod route;

use again::note_tried;
use effects::*;
pub use kept::KeptState;
pub use log::{Log, LogState};
pub use presets::PRESETS;
pub use route::{Backend, Place};

use crate::component::clients::Connection;
use crate::kernel::{Event, Kernel, Timer};
use crate::ledger::Cause;
use crate::policy::balance::{Algorithm, Ties};
use crate::policy::guards::Inside;
use crate::policy::health::HealthCheck;
use crate::policy::keep_alive::KeepAlive;
use crate::policy::limits::{Counted, FleetLimits};
use crate::policy::redispatch::{ConnectFailure, Redispatch, Retries, Rule};
use crate::policy::resend::{Failure, Policy, RetryBudget, RetryOn, RetryPause};
use crate::policy::verdict::Verdict;
use crate::random::{Purpose, draw, unit};
use crate::setting::always;
use crate::slab::Ref;
use crate::units::Ns;
use crate::world::{self, Back, Front, Try, World};
use crate::{choices, settings};

choices! {
    /// What becomes of the calls of a server that checks take out of rotation.
    pub enum OnMarkedDown = Keep {
        /// They go on.
        Keep = "keep",
        /// Their connections are cut, as if they had broken (HAProxy `on-marked-down shutdown-sessions`).
        ShutdownSessions = "shutdown-sessions",
    }
}

settings! {
    /// Calls that wait at the balancer for a server with room.
    pub struct Surge {
        /// Most calls that wait; one more gets `unavailable_status` at once (Classic ELB: 1,024). None: no limit.
        pub limit: Option<u32> = None, 0 ..= 4294967295 => always;
        /// Longest wait, then `unavailable_status`; none: as the connect timeout (HAProxy `timeout queue`). (time)
        pub timeout: Option<Ns> = None, "1ms" ..= "24h" => queues;
    }
}

settings! {
    /// The load balancer. `preset` names a product's defaults; other keys change them.
    pub struct Balancer (presets = PRESETS) {
        /// Where it runs, for one by which services reach a fleet.
        pub place: Place = Place::Proxy => asked_by_services;
        /// How it chooses a server.
        pub algorithm: Algorithm = Algorithm::RoundRobin => has_a_choice;
        /// Which of the servers with equally few connections gets the next call.
        pub ties: Ties = Ties::InTurn => breaks_ties;
        /// Whether the two servers of two choices are always two, if there are two (nginx `random two`); otherwise the second
        /// draw may fall on the first again, loaded as it is (HAProxy `random`, Envoy `LEAST_REQUEST`).
        pub distinct_choices: bool = true => chooses_of_two;
        /// How many keys calls have, each as often as the others, by which a hash sends them on; none: each call has its own.
        pub hash_keys: Option<u32> = None, 1 ..= 1000000000 => hashes;
        /// Active health checks.
        pub health: HealthCheck = HealthCheck::default() => always;
        /// Connection to the servers: opened for each call, or kept.
        pub connection: Connection = Connection::KeptAlive => takes_time;
        /// Lives of the connections that are kept; none, here and with every fleet: one is always at hand, and nobody closes it.
        pub keep_alive: Option<KeepAlive> = None => takes_time;
        /// Longest wait for a server to accept a connection. (time)
        pub connect_timeout: Ns = Ns::secs(1), "1ms" ..= "1h" => always;
        /// Further tries after a failed connection: a count, or "each-server" for one try at each server of the fleet.
        pub retries: Retries = Retries::Count(3), 0 ..= 100 => always;
        /// Whether a retry may go to another server.
        pub redispatch: Redispatch = Redispatch::Haproxy => tries_again_or_queues;
        /// Which retries go elsewhere under "haproxy" and "haproxy-before-2.7" where not all do: P above 0, every Pth; N
        /// below 0, the one N before the end (-1: the last); 0: none (HAProxy `option redispatch <interval>`).
        pub redispatch_interval: i32 = -1, -100 ..= 100 => redispatches_as_haproxy;
        /// How often a server is drawn anew under "afresh" where the call has been at the one drawn; then the last one drawn
        /// is taken (Envoy `previous_hosts` with its `host_selection_retry_max_attempts`).
        pub redraws: u32 = 0, 0 ..= 100 => draws_afresh;
        /// Statuses of a server after which the call is tried again, within `retries` and where `redispatch` says, without a
        /// pause (nginx `proxy_next_upstream http_503`, HAProxy `retry-on 503`, Envoy `retriable_status_codes`); to
        /// `max_fails` they are failures, if another try is left. With nginx's words in `retry_on` a call that writes goes on only
        /// with "non_idempotent" among them.
        pub retry_statuses: Vec<u16> = Vec::new(), 400 ..= 599 => tries_again_or_watches;
        /// Whether a call is tried again, likewise, if its connection breaks before the answer, though it may have been
        /// executed (as "empty-response" in `retry_on`).
        pub retry_broken: bool = false => tries_again;
        /// Failures after which a call is tried again, within `retries` and where `redispatch` says, in the words of the
        /// product: HAProxy `retry-on`, nginx `proxy_next_upstream`, Envoy `retry_on`. Statuses of their own go into
        /// `retry_statuses`.
        pub retry_on: Vec<RetryOn> = vec![RetryOn::ConnFailure] => tries_again;
        /// The pause before a retry; none: as `redispatch` has it (HAProxy, nginx).
        pub retry_pause: Option<RetryPause> = None => tries_again;
        /// No retry begins later than so long after the call has come; none: no limit (nginx
        /// `proxy_next_upstream_timeout`). (time)
        pub retry_within: Option<Ns> = None, "1ms" ..= "24h" => tries_again;
        /// Most retries to a fleet at once, pauses included; one more failure is passed on at once; none: no limit (Envoy
        /// `max_retries` of a cluster's circuit breaker).
        pub retries_at_once: Option<u32> = None, 0 ..= 1000000 => tries_again;
        /// The same as a share of what is under way to the fleet; none: `retries_at_once` (Envoy `retry_budget`).
        pub retry_budget: Option<RetryBudget> = None => tries_again;
        /// Limits on what is under way to a whole fleet (circuit breakers of an Envoy cluster); none: no limits. With them a
        /// call that finds its server at `max_connections` waits for that server.
        pub fleet_limits: Option<FleetLimits> = None => always;
        /// Most connections open to one server (HAProxy `maxconn`); none: no limit. Health checks are not counted.
        pub max_connections: Option<u32> = None, 1 ..= 1000000 => always;
        /// Queue for calls that find every server at its limit. With `health.max_fails`, and with redispatch = "untried", no
        /// call waits: it gets `unavailable_status`.
        pub queue: Surge = Surge::default() => may_queue;
        /// Longest wait for a server's answer in one try, then the next try if `retry_on` says so, else `timeout_status`
        /// (HAProxy `timeout server`, nginx `proxy_read_timeout`, Envoy `per_try_timeout`, ELB idle timeout); none: no
        /// limit. (time)
        pub idle_timeout: Option<Ns> = Some(Ns::secs(60)), "1ms" ..= "24h" => always;
        /// Longest time from a call's arrival to its answer, over all tries and pauses, then `timeout_status`; none: no limit
        /// (Envoy `timeout` of a route). (time)
        pub call_timeout: Option<Ns> = None, "1ms" ..= "24h" => always;
        /// Whether a call whose client has left is dropped while it queues or connects (HAProxy `option abortonclose`).
        pub abort_on_close: bool = false => always;
        /// Whether, beyond that, the connection to a server is closed on which the call of a client that has left is
        /// awaited (nginx, Envoy).
        pub close_on_departure: bool = false => notices_departure;
        /// What becomes of the calls of a server that checks, active or passive, take out.
        pub on_marked_down: OnMarkedDown = OnMarkedDown::Keep => is_marked_down;
        /// Status of the balancer's own answer when no server may take the call, or the queue is full or too slow (HAProxy,
        /// ELB, Envoy: 503; nginx: 502).
        pub unavailable_status: u16 = 503, 500 ..= 599 => always;
        /// Status after the last connection was refused; none: as `unavailable_status` (ALB, nginx: 502).
        pub refused_status: Option<u16> = None, 500 ..= 599 => always;
        /// Status after the last connection was not set up in time; none: as `unavailable_status` (ALB, nginx: 504).
        pub connect_timeout_status: Option<u16> = None, 500 ..= 599 => always;
        /// Status after a connection broke before the answer (HAProxy, nginx, ALB: 502; Envoy: 503; Classic ELB: 504).
        pub broken_status: u16 = 502, 500 ..= 599 => always;
        /// Status after a server has not answered within `idle_timeout`, or all tries have taken `call_timeout`.
        pub timeout_status: u16 = 504, 500 ..= 599 => waits_so_long;
        /// A log of the calls that were not served, from which operators can replay them (action `replay`).
        pub log: Option<Log> = None => is_replayed;
    }
}

impl Balancer {
    /// What it does about a try that failed.
    pub fn retry_policy(&self) -> Policy<'_> {
        Policy {
            on: &self.retry_on,
            statuses: &self.retry_statuses,
            broken: self.retry_broken,
            within: self.retry_within,
            pause: self.retry_pause.as_ref(),
            at_once: self.retries_at_once,
            budget: self.retry_budget.as_ref(),
            rule: Rule {
                redispatch: self.redispatch,
                interval: self.redispatch_interval,
                rotates: self.algorithm.rotates(),
                connect_timeout: self.connect_timeout,
            },
        }
    }

    /// Status of its answer to a call whose last connection failed.
    pub fn status_after(&self, failure: ConnectFailure) -> u16 {
        let status = match failure {
            ConnectFailure::Refused => self.refused_status,
            ConnectFailure::TimedOut => self.connect_timeout_status,
        };
        status.unwrap_or(self.unavailable_status)
    }

    /// Longest wait in the queue. (time)
    pub fn queue_timeout(&self) -> Ns {
        self.queue.timeout.unwrap_or(self.connect_timeout)
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
            route: fleet,
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
            holds_slot: false,
            counted: Counted::No,
            in_bulkhead: false,
            holds_worker: false,
            at_store: false,
            status: 0,
            cause: Cause::ClientLeft,
            limited: Inside::default(),
            permit: None,
            place: u32::MAX,
            arrived: Ns::ZERO,
            since: Ns::ZERO,
            started: Ns::ZERO,
            work: Ns::NEVER,
            query: Ref::NONE,
            parent: Ref::NONE,
            step: 0,
            open: 0,
            timer: Timer::NONE,
            ask_timer: Timer::NONE,
            step_timer: Timer::NONE,
        }
    }
}

impl World {
    /// The route of a try.
    pub(crate) fn backend_of(&self, t: Ref) -> &Backend {
        &self.backends[self.tries[t].route as usize]
    }

    /// An attempt reaches the balancer.
    #[inline(always)]
    pub(crate) fn at_balancer<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let try_ = &mut self.tries[t];
        let backend = &self.backends[try_.route as usize];
        let balancer = &backend.balancer;
        let (salt, share) = (try_.salt, backend.shed[try_.plan as usize]);
        try_.retries_left = balancer.retries.of(backend.members.let_in());
        try_.arrived = k.now();
        if let Some(lane) = backend.whole {
            k.after(lane, Event::CallTimeout(t));
        }
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
        match self.pick(k, t, avoid) {
            Some(server) if self.backend_of(t).balancer.fleet_limits.is_some() => self.enter_limits(k, t, server),
            Some(server) => self.dispatch(k, t, server),
            None if self.backend_of(t).none_can_serve() => {
                let status = self.backend_of(t).balancer.unavailable_status;
                self.none_chosen(k, self.tries[t].route);
                self.reject(k, t, status, Cause::NoServer);
            }
            None => self.enqueue_call(k, t),
        }
    }

    /// Waits for a server with room, if the queue has any.
    fn enqueue_call<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let backend = &mut self.backends[self.tries[t].route as usize];
        let status = backend.balancer.unavailable_status;
        if backend.balancer.queue.limit.is_some_and(|limit| backend.queued >= limit) {
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
        try_.timer = k.arm(backend.queue_lane, Event::QueueTimeout(t));
        backend.queue.push_back(t);
        backend.queued += 1;
        self.levels.here.queued.add(k.now(), 1);
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
        let backend = &mut self.backends[try_.route as usize];
        if !std::mem::take(&mut try_.keeps_place) {
            self.connections[backend.seat(server)] += 1;
            backend.members.load_changes(server);
        }
        let parent = try_.parent;
        if try_.dispatches == 1 {
            // Long before it is needed, so that nothing waits for it.
            let plan = &self.plans[try_.fleet as usize][try_.plan as usize];
            try_.work = plan.work_ahead(try_.salt, try_.attempt);
        }
        if backend.members.listens() {
            if backend.balancer.rules().remember_tried() {
                note_tried(&mut self.tried, t, try_.dispatches == 1, server);
            }
            backend.members.on_chosen(&backend.balancer.health, server, k.now());
        }
        if parent != Ref::NONE {
            self.note_try(k, parent);
        }
        self.count(t, Counted::Connecting);
        // Only the clients' balancer has connections with lives.
        if self.kept.on && self.tries[t].purpose == world::Purpose::Call && self.takes_closed(k, t) {
            return;
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
            world::Purpose::Call | world::Purpose::Asked => {
                if try_.counted == Counted::Connecting {
                    self.count(t, Counted::Request);
                }
                let try_ = &mut self.tries[t];
                if let Some(idle) = self.backends[try_.route as usize].idle {
                    try_.timer = k.arm(idle, Event::IdleTimeout(t));
                }
            }
            world::Purpose::Check(number) => self.check_accepted(k, t, number),
            world::Purpose::Background | world::Purpose::Replay | world::Purpose::Errand => {}
        }
    }

    /// A server's answer is here.
    #[inline(always)]
    pub(crate) fn reply<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let Some(try_) = self.tries.get(t).filter(|t| t.front == Front::Waiting) else { return };
        let Try { purpose, route, server, status, .. } = *try_;
        if let world::Purpose::Check(number) = purpose {
            self.check_over(k, t, number, status);
            return;
        }
        if self.kept.on && purpose == world::Purpose::Call {
            self.keep_connection(k.now(), t);
        }
        let again = status >= 400 && self.is_tried_again(t, Failure::Status(status));
        self.judge_at(k, route, server, Verdict::Answered { status, retried: again });
        if again && self.try_again_after(k, t, Failure::Status(status)) {
            return;
        }
        self.count(t, Counted::No);
        self.release_server_at(k, route, server);
        self.answer_now(k, t, status);
        self.close_front_now(k, t);
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
        let try_ = &self.tries[t];
        let seat = self.backends[try_.route as usize].seat(try_.server) as u32;
        self.close_front(k, t);
        self.check_answered(k, seat, number, status);
    }

    /// The connection was refused: no process listens.
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
        self.judge(k, t, Verdict::Unconnected);
        if !self.try_again_after(k, t, failure.into()) {
            self.tries[t].front = Front::Pending;
            self.release_server(k, t);
            self.reject(k, t, self.backend_of(t).balancer.status_after(failure), cause);
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
            self.choose(k, t, self.backend_of(t).balancer.redispatch.avoided(server));
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
        self.tries[t].cause = cause;
        if !self.try_again_after(k, t, Failure::Broken) {
            self.release_server(k, t);
            self.reject(k, t, self.backend_of(t).balancer.broken_status, cause);
        }
    }

    /// The server took too long. What it has of the call stays with it.
    pub(crate) fn idle_timed_out<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        self.tries[t].timer = Timer::NONE;
        self.judge(k, t, Verdict::Unreached);
        self.tries[t].cause = Cause::BalancerTimeout;
        if !self.try_again_after(k, t, Failure::Unanswered) {
            self.release_server(k, t);
            self.reject_late(k, t);
        }
    }

    /// A call has taken too long, over all tries.
    pub(crate) fn call_timed_out<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        match self.tries.get(t).map_or(Front::Closed, |t| t.front) {
            Front::Closed => return,
            Front::Queued => self.leaves_queue(k, t),
            front @ (Front::Connecting | Front::Waiting) => {
                let connecting = front == Front::Connecting;
                self.judge(k, t, if connecting { Verdict::Unconnected } else { Verdict::Unreached });
                self.release_server(k, t);
            }
            Front::Pending => {
                if std::mem::take(&mut self.tries[t].keeps_place) {
                    self.release_server(k, t);
                }
            }
        }
        self.reject_late(k, t);
    }

    /// The balancer answers that it has waited for too long. What a server makes of the call from now on is in vain, if
    /// it is no write.
    fn reject_late<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let call = self.tries[t].call;
        self.calls[call].cause = Cause::BalancerTimeout;
        self.reject(k, t, self.backend_of(t).balancer.timeout_status, Cause::BalancerTimeout);
    }

    /// The wait in the queue was too long.
    pub(crate) fn queue_timed_out<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let try_ = &mut self.tries[t];
        try_.timer = Timer::NONE;
        let backend = &mut self.backends[try_.route as usize];
        backend.queued -= 1;
        let status = backend.balancer.unavailable_status;
        self.levels.here.queued.remove(k.now(), 1);
        self.reject(k, t, status, Cause::QueueTimeout);
    }

    /// The client of a try has left; the balancer notices only if told to, and only what is with it.
    pub(crate) fn client_left<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let balancer = &self.backend_of(t).balancer;
        if !balancer.abort_on_close {
            return;
        }
        match self.tries[t].front {
            Front::Queued => {
                self.leaves_queue(k, t);
                self.give_up(k, t, Cause::ClientLeft);
            }
            Front::Connecting => {
                self.judge(k, t, Verdict::Abandoned);
                self.release_server(k, t);
                self.give_up(k, t, Cause::ClientLeft);
            }
            Front::Waiting if balancer.close_on_departure => {
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
        self.count(t, Counted::No);
        let Try { server, route, .. } = self.tries[t];
        self.release_server_at(k, route, server);
    }

    /// One connection less to a server; the next call in the queue may have it.
    #[inline(always)]
    fn release_server_at<K: Kernel>(&mut self, k: &mut K, route: u16, server: u32) {
        let backend = &mut self.backends[route as usize];
        self.connections[backend.seat(server)] -= 1;
        backend.members.load_changes(server);
        if backend.queued > 0 {
            self.serve_queue_of(k, route, server);
        }
    }

    /// Sends on what queues on a route now that a server has room.
    fn serve_queue_of<K: Kernel>(&mut self, k: &mut K, route: u16, server: u32) {
        if self.backends[route as usize].balancer.fleet_limits.is_some() {
            self.serve_waiting(k, route, server);
        } else {
            self.serve_queue(k, route);
        }
    }

    /// Sends on what queues on a route, as far as there is room.
    #[inline(never)]
    pub(crate) fn serve_queue<K: Kernel>(&mut self, k: &mut K, route: u16) {
        loop {
            let backend = &mut self.backends[route as usize];
            let Some(t) = backend.queue.front().copied() else { return };
            if self.tries.get(t).is_none_or(|t| t.front != Front::Queued) {
                backend.queue.pop_front();
                continue;
            }
            let Some(server) = self.pick(k, t, None) else { return };
            let backend = &mut self.backends[route as usize];
            backend.queue.pop_front();
            backend.queued -= 1;
            self.levels.here.queued.remove(k.now(), 1);
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
        if try_.holds_slot {
            self.give_slot_back(t);
        }
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
        if purpose.is_call() {
            if status == 200 && cause == Cause::ClientLeft {
                // This way did all that it could; what is lost was lost elsewhere (in a spool).
                cause = self.calls[call].cause;
            }
            self.leg_ends(k, call, cause);
        }
    }
}
