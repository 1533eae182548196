//! Health checks on their way: from the balancer to a server's health endpoint and back.
//!
//! When to check and what a result means is decided by [`crate::policy::health`]. A `shared` or `deep` check
//! is a try like any other: it waits in the accept queue, takes a worker, and stays there after the balancer has
//! given it up. It is not counted against the limit on connections.

use crate::component::collector::CheckKind;
use crate::component::rest::which;
use crate::kernel::{Event, Kernel, Lane, Timer};
use crate::policy::health::{HealthCheck, Pace};
use crate::random::{Purpose as Draw, Stream, mix};
use crate::slab::Ref;
use crate::units::Ns;
use crate::world::{Front, Purpose, Seat, Try, World};

/// The balancer's checks of one server.
pub struct Checker {
    /// Whether operators keep it out of rotation.
    held_out: bool,
    /// How many deployments do.
    draining: u32,
    number: u32,
    started: Ns,
    /// When the next check begins; one foreseen for another time was put off or brought forward.
    due: Ns,
    pending: bool,
    /// When the next background query of a cached check is due; never, if there is none.
    pub(crate) queries_at: Ns,
    timer: Timer,
    at: Ref,
    stream: Stream,
    lanes: [(Ns, Lane); 3],
    answer: Lane,
}

/// Who keeps a server out of rotation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Holder {
    /// Operators, by the timeline.
    Operators,
    /// A deployment that is under way.
    Deployment,
}

/// What is random about the checks of a server, and first of all the phase of its background query, if it has one.
pub fn checks_of(seed: u64, server: u32) -> Stream {
    Stream::new(seed, &format!("balancer/checks/{server}"))
}

impl Checker {
    /// What is random about the messages of a check that is under way, by its number: it hangs on when that began, not on
    /// how many went before. None for one that is over.
    pub(crate) fn salt_of(&self, number: u32) -> Option<u64> {
        (self.pending && self.number == number).then(|| mix(self.started.0))
    }

    /// How many checks have been made.
    pub fn made(&self) -> u32 {
        self.number
    }

    /// See [`World::leftovers`].
    pub(crate) fn leftovers(&self, check: &HealthCheck, now: Ns) -> Vec<&'static str> {
        let (goes_on, queries_on) = (self.pending || self.due >= now, self.queries_at >= now);
        which([
            (self.is_held(), "it is held out"),
            (check.enabled && !goes_on, "no check of it is foreseen"),
            (!queries_on, "no background query of it is foreseen"),
        ])
    }

    /// Whether somebody keeps it out of rotation, whatever its checks say.
    pub fn is_held(&self) -> bool {
        self.held_out || self.draining > 0
    }
}

impl World {
    /// Sets up the checks and raises the first of each server.
    pub(crate) fn open_checks<K: Kernel>(&mut self, seed: u64, k: &mut K) {
        // Balancers were started some time before the run: their checks have any phase.
        let phase = Stream::new(seed, "balancer/checks").unit();
        for seat in 0..self.seats.len() {
            let check = &self.backends[self.seats[seat].route as usize].balancer.health;
            let steady = check.interval;
            let lanes = [steady, check.fast_interval.unwrap_or(steady), check.down_interval.unwrap_or(steady)]
                .map(|interval| (interval, k.lane(interval)));
            let answer = k.timer_lane(check.answer_limit(self.spec.network.servers.latency));
            let (phase, interval) = (phase * steady.0 as f64, steady.0 as f64);
            let offset = if check.spread_first { interval * seat as f64 / self.seats.len() as f64 } else { 0.0 };
            let first = Ns((phase + offset) as u64 % steady.0);
            self.checkers.push(Checker {
                held_out: false,
                draining: 0,
                number: 0,
                started: Ns::ZERO,
                due: first,
                pending: false,
                queries_at: Ns::NEVER,
                timer: Timer::NONE,
                at: Ref::NONE,
                stream: checks_of(seed, seat as u32),
                lanes,
                answer,
            });
            if check.enabled {
                k.at(first, Event::Check(seat as u32));
            }
            if seat >= self.servers.len() {
                continue;
            }
            // The first seats have the numbers of their servers.
            let server = seat;
            let fleet = self.servers[server].fleet as usize;
            let endpoint = &self.spec.fleets.0[fleet].1.health;
            if endpoint.kind == CheckKind::Cached {
                let phase = self.checkers[server].stream.unit() * endpoint.every.0 as f64;
                self.checkers[server].queries_at = Ns(phase as u64);
                k.at(Ns(phase as u64), Event::CachedQuery(server as u32));
            }
        }
    }

    /// A check is due.
    pub(crate) fn check<K: Kernel>(&mut self, k: &mut K, seat: u32) {
        let checker = &self.checkers[seat as usize];
        // First: of several events only the one that is due counts, also while no checks are made.
        if checker.due != k.now() || checker.pending {
            return;
        }
        if self.trouble.on && self.checks_are_off() {
            self.expect_check(k, seat, k.now());
            return;
        }
        let fleet = self.servers[self.seats[seat as usize].server as usize].fleet;
        let kind = self.spec.fleets.0[fleet as usize].1.health.kind;
        let checker = &mut self.checkers[seat as usize];
        checker.number += 1;
        checker.started = k.now();
        checker.pending = true;
        let number = checker.number;
        match kind {
            CheckKind::Shallow | CheckKind::Cached => {
                checker.timer = k.arm(checker.answer, Event::CheckTimeout(seat, number));
                let link = &self.spec.network.servers;
                let way = link.delay(checker.stream.bits(), Draw::ServerLink, 0);
                k.at(k.now().plus(way), Event::CheckAtServer(seat, number));
            }
            CheckKind::Shared | CheckKind::Deep => {
                let salt = mix(checker.stream.bits());
                let (before, others) = self.others_checks(salt);
                self.more_checks(k, seat, 0..before);
                let t = self.send_check(k, seat, salt, number);
                self.checkers[seat as usize].at = t;
                self.more_checks(k, seat, before..others);
            }
        }
    }

    /// A check by way of the server's accept queue sets out.
    pub(crate) fn send_check<K: Kernel>(&mut self, k: &mut K, seat: u32, salt: u64, number: u32) -> Ref {
        let Seat { route, server } = self.seats[seat as usize];
        let fleet = self.servers[server as usize].fleet;
        let mut check = Try::new(Ref::NONE, salt, 0, fleet, self.check_plan(fleet));
        check.purpose = Purpose::Check(number);
        check.server = server;
        check.route = route;
        check.dispatches = 1;
        check.front = Front::Connecting;
        check.since = k.now();
        let t = self.tries.insert(check);
        self.send_connect(k, t);
        t
    }

    /// How long a try may take to connect.
    pub(crate) fn connect_limit(&self, t: Ref) -> Ns {
        let balancer = &self.backend_of(t).balancer;
        match self.tries[t].purpose {
            Purpose::Check(_) => balancer.health.connect_limit(balancer.connect_timeout),
            Purpose::Call | Purpose::Asked | Purpose::Background | Purpose::Replay | Purpose::Errand => {
                balancer.connect_timeout
            }
        }
    }

    /// A check by way of the server's own thread reaches it.
    pub(crate) fn check_at_server<K: Kernel>(&mut self, k: &mut K, seat: u32, number: u32) {
        let server = self.seats[seat as usize].server;
        let s = &self.servers[server as usize];
        let endpoint = &self.spec.fleets.0[s.fleet as usize].1.health;
        let status = match (s.alive, endpoint.kind) {
            (false, _) => 0,
            (true, CheckKind::Cached) if !s.cached_ok => 503,
            (true, _) => 200,
        };
        let work = if s.alive { endpoint.work } else { Ns::ZERO };
        let back = self.spec.network.servers.delay(u64::from(number), Draw::ServerLinkBack, server);
        k.at(k.now().plus(work).plus(back), Event::CheckAnswer(seat, number, status));
    }

    /// The server has accepted a check's connection: its answer is awaited.
    pub(crate) fn check_accepted<K: Kernel>(&mut self, k: &mut K, t: Ref, number: u32) {
        let seat = self.backend_of(t).seat(self.tries[t].server) as u32;
        self.check_connected(k, seat, number);
    }

    /// A check by way of the server's own thread takes its time to connect: patience with that is another.
    pub(crate) fn check_connects<K: Kernel>(&mut self, k: &mut K, seat: u32, number: u32) {
        let balancer = &self.backends[self.seats[seat as usize].route as usize].balancer;
        let limit = balancer.health.connect_limit(balancer.connect_timeout);
        let checker = &mut self.checkers[seat as usize];
        if checker.number == number && checker.pending {
            k.cancel(checker.timer);
            let lane = k.timer_lane(limit);
            checker.timer = k.arm(lane, Event::CheckTimeout(seat, number));
        }
    }

    /// A check is connected: its answer is awaited.
    pub(crate) fn check_connected<K: Kernel>(&mut self, k: &mut K, seat: u32, number: u32) {
        let checker = &mut self.checkers[seat as usize];
        if checker.number != number || !checker.pending {
            return;
        }
        k.cancel(std::mem::replace(&mut checker.timer, Timer::NONE));
        let took = k.now().minus(checker.started);
        let check = &self.backends[self.seats[seat as usize].route as usize].balancer.health;
        if check.timeout.is_none() && took > self.spec.network.servers.latency {
            // One bound over connecting and answering; connecting took longer than the lane reckons with.
            let bound = checker.started.plus(check.interval);
            k.at(bound.max(k.now()), Event::CheckTimeout(seat, number));
        } else {
            checker.timer = k.arm(checker.answer, Event::CheckTimeout(seat, number));
        }
    }

    /// A check was not answered in time; the server may still answer it, unheard.
    pub(crate) fn check_timed_out<K: Kernel>(&mut self, k: &mut K, seat: u32, number: u32) {
        let checker = &mut self.checkers[seat as usize];
        if checker.number != number || !checker.pending {
            return;
        }
        checker.timer = Timer::NONE;
        let t = checker.at;
        if let Some(check) = self.tries.get_mut(t) {
            check.front = Front::Closed;
            self.end_if_done(k, t);
        }
        self.check_answered(k, seat, number, 0);
    }

    /// A check has its result; status 0 stands for none.
    pub(crate) fn check_answered<K: Kernel>(&mut self, k: &mut K, seat: u32, number: u32, status: u16) {
        let checker = &mut self.checkers[seat as usize];
        if checker.number != number || !checker.pending {
            return;
        }
        checker.pending = false;
        k.cancel(checker.timer);
        checker.timer = Timer::NONE;
        let started = checker.started;
        let Seat { route, server } = self.seats[seat as usize];
        let backend = &mut self.backends[route as usize];
        backend.members.on_check(&backend.balancer.health, server, status);
        self.expect_check(k, seat, started);
        self.settle_rotation(k, seat);
    }

    /// Foresees the next check of a server, after one that began at `started` and is over now.
    fn expect_check<K: Kernel>(&mut self, k: &mut K, seat: u32, started: Ns) {
        let Seat { route, server } = self.seats[seat as usize];
        let backend = &self.backends[route as usize];
        let (check, health) = (&backend.balancer.health, backend.members.health(server));
        let has_calls = backend.members.has_calls();
        let checker = &mut self.checkers[seat as usize];
        if check.jitter.0 == 0.0 && check.pace == Pace::FromEnd && check.no_traffic_interval.is_none() {
            let interval = health.interval(check);
            let lane = checker.lanes.iter().find(|(i, _)| *i == interval).map_or(checker.lanes[0].1, |(_, lane)| *lane);
            checker.due = k.now().plus(interval);
            k.after(lane, Event::Check(seat));
        } else {
            let dice = checker.stream.unit();
            checker.due = check.next_check(health, has_calls, started, k.now(), dice);
            k.at(checker.due, Event::Check(seat));
        }
    }

    /// Brings the next check of a server forward, if it is not that near already.
    pub(crate) fn check_within<K: Kernel>(&mut self, k: &mut K, seat: u32, time: Ns) {
        let (checker, due) = (&mut self.checkers[seat as usize], k.now().plus(time));
        if !checker.pending && checker.due > due {
            checker.due = due;
            k.at(due, Event::Check(seat));
        }
    }

    /// Operators, or a deployment, take a server out of rotation, or let it back in if its checks pass.
    pub(crate) fn hold_out<K: Kernel>(&mut self, k: &mut K, server: u32, by: Holder, out: bool) {
        let checker = &mut self.checkers[server as usize];
        let before = checker.is_held();
        match by {
            Holder::Operators => checker.held_out = out,
            Holder::Deployment if out => checker.draining += 1,
            Holder::Deployment => checker.draining -= 1,
        }
        let out = checker.is_held();
        if before == out {
            return;
        }
        for route in 0..self.backends.len() {
            if self.backends[route].fleet == self.servers[server as usize].fleet {
                self.backends[route].members.hold_out(server, out);
                let seat = self.backends[route].seat(server) as u32;
                self.settle_rotation(k, seat);
                self.settle_fail_open(k, route as u16);
            }
        }
    }

    /// A process has died: where readiness is a state of the process, it is out at once.
    pub(crate) fn process_gone<K: Kernel>(&mut self, k: &mut K, server: u32) {
        for route in 0..self.backends.len() {
            let backend = &mut self.backends[route];
            if backend.fleet == self.servers[server as usize].fleet {
                backend.members.on_death(&backend.balancer.health, server);
                let seat = backend.seat(server) as u32;
                self.settle_rotation(k, seat);
            }
        }
    }
}
