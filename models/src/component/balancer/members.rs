//! Rotation on the kernel: [`Members`] is fed with checks, operators and the ends of calls, its timers are kept, and what
//! changes is recorded.
//!
//! Not modelled: sticky sessions, fixed weights, backup servers.

use super::{Balancer, OnMarkedDown};
use crate::kernel::{Event, Fact, Kernel};
use crate::policy::balance::{Algorithm, Choice, Ties};
use crate::policy::members::{Rules, Settling};
use crate::policy::redispatch::Redispatch;
use crate::policy::verdict::Verdict;
use crate::slab::Ref;
use crate::world::{Seat, Try, World};

impl Balancer {
    /// By which servers are judged and chosen.
    #[inline(always)]
    pub fn rules(&self) -> Rules<'_> {
        Rules {
            health: &self.health,
            redispatch: self.redispatch,
            redraws: if self.redispatch == Redispatch::Afresh { self.redraws } else { 0 },
            max_connections: self.max_connections.filter(|_| self.fleet_limits.is_none()),
            ties: if self.algorithm == Algorithm::LeastRequests { self.ties } else { Ties::InTurn },
        }
    }

    /// By what a server is chosen for a call with that salt; each of its choices has a number of its own.
    #[inline(always)]
    pub fn choice(&self, salt: u64, number: u32, avoid: Option<u32>) -> Choice {
        let (algorithm, distinct, keys) = (self.algorithm, self.distinct_choices, self.hash_keys);
        Choice { algorithm, salt, number, avoid, distinct, keys, redraw: 0 }
    }
}

impl Try {
    /// By what a server is chosen for it now; each of a call's choices draws anew.
    #[inline(always)]
    fn choice(&self, balancer: &Balancer, avoid: Option<u32>) -> Choice {
        let number = (u32::from(self.attempt) << 16) | u32::from(self.dispatches);
        balancer.choice(self.salt, number, avoid)
    }
}

impl World {
    /// A server for a try, if one may be chosen and has room.
    #[inline(always)]
    pub(super) fn pick<K: Kernel>(&mut self, k: &K, t: Ref, avoid: Option<u32>) -> Option<u32> {
        let (try_, connections) = (&self.tries[t], &self.connections);
        let backend = &mut self.backends[try_.route as usize];
        let (balancer, shift) = (&backend.balancer, backend.shift);
        // Once it has been anywhere: before, its place among the sets is another's.
        let matters = balancer.rules().remember_tried() && try_.dispatches > 0;
        let tried = if matters { self.tried.get(t.index as usize) } else { None };
        let load = |server: u32| connections[(server + shift) as usize];
        backend.members.choose(balancer.rules(), try_.choice(balancer, avoid), tried, k.now(), load)
    }

    /// Raises the first sweeps of outlier detection.
    pub(crate) fn open_sweeps<K: Kernel>(&mut self, k: &mut K) {
        for (route, backend) in self.backends.iter().enumerate() {
            if let Some(outlier) = &backend.balancer.health.outlier {
                k.at(k.now().plus(outlier.interval), Event::OutlierSweep(route as u16));
            }
        }
    }

    /// A call's end says something of its server.
    pub(super) fn judge<K: Kernel>(&mut self, k: &mut K, t: Ref, verdict: Verdict) {
        let try_ = &self.tries[t];
        if try_.purpose.is_call() {
            self.judge_at(k, try_.route, try_.server, verdict);
        }
    }

    /// A call's end says something of this server, to whoever goes this way.
    #[inline(always)]
    pub(super) fn judge_at<K: Kernel>(&mut self, k: &mut K, route: u16, server: u32, verdict: Verdict) {
        if self.backends[route as usize].members.listens() {
            self.judge_server(k, route, server, verdict);
        }
    }

    #[inline(never)]
    fn judge_server<K: Kernel>(&mut self, k: &mut K, route: u16, server: u32, verdict: Verdict) {
        let backend = &mut self.backends[route as usize];
        let seat = backend.seat(server) as u32;
        let judged = backend.members.on_call(&backend.balancer.health, server, verdict, k.now());
        if let Some(at) = judged.reopens_at {
            k.at(at, Event::PeerReopens(seat));
        }
        if let Some(time) = judged.check_within {
            self.check_within(k, seat, time);
        }
        self.settle_rotation(k, seat);
    }

    /// No server may be chosen for a call.
    pub(super) fn none_chosen<K: Kernel>(&mut self, k: &mut K, route: u16) {
        let backend = &mut self.backends[route as usize];
        if backend.members.on_nobody(&backend.balancer.health) {
            let seats = backend.seats();
            seats.for_each(|seat| self.settle_rotation(k, seat));
        }
    }

    /// A server that max_fails had taken out may be tried again.
    pub(crate) fn peer_reopens<K: Kernel>(&mut self, k: &mut K, seat: u32) {
        let Seat { route, server } = self.seats[seat as usize];
        let backend = &mut self.backends[route as usize];
        backend.members.reopens(&backend.balancer.health, server, k.now());
        self.settle_rotation(k, seat);
    }

    /// The sweep of outlier detection is due.
    pub(crate) fn sweep_outliers<K: Kernel>(&mut self, k: &mut K, route: u16) {
        let backend = &mut self.backends[route as usize];
        let health = &backend.balancer.health;
        let Some(outlier) = &health.outlier else { return };
        k.at(k.now().plus(outlier.interval), Event::OutlierSweep(route));
        let concerned = backend.members.sweep(health, k.now());
        for server in concerned {
            let seat = self.backends[route as usize].seat(server) as u32;
            self.settle_rotation(k, seat);
        }
    }

    /// Compares whether a server should be in rotation on a route with whether it is. The books are kept of each fleet's
    /// first route.
    pub(crate) fn settle_rotation<K: Kernel>(&mut self, k: &mut K, seat: u32) {
        let Seat { route, server } = self.seats[seat as usize];
        let backend = &mut self.backends[route as usize];
        match backend.members.settle(&backend.balancer.health, server, k.now()) {
            Settling::Nothing => {}
            Settling::At(at) => k.at(at, Event::MergedChanges(route)),
            Settling::Now(servers) => servers.for_each(|server| self.apply_rotation(k, route, server)),
        }
    }

    /// Changes of rotation that were merged take effect.
    pub(crate) fn merged_changes<K: Kernel>(&mut self, k: &mut K, route: u16) {
        let due = self.backends[route as usize].members.deliver(k.now());
        due.into_iter().flatten().for_each(|server| self.apply_rotation(k, route, server));
    }

    /// A server goes into rotation or out of it, if that is where it should be.
    fn apply_rotation<K: Kernel>(&mut self, k: &mut K, route: u16, server: u32) {
        let backend = &mut self.backends[route as usize];
        let Some(up) = backend.members.apply(&backend.balancer.health, server, k.now()) else { return };
        let (is_held, on_marked_down) = (backend.members.is_held(server), backend.balancer.on_marked_down);
        if route == backend.fleet {
            k.record(Fact::Rotation { server, up });
        }
        self.settle_fail_open(k, route);
        if !up && !is_held && on_marked_down == OnMarkedDown::ShutdownSessions {
            // Not at once: what has marked it down may be the end of one of these calls.
            k.at(k.now(), Event::CutSessions(self.backends[route as usize].seat(server) as u32));
        }
        if up && self.backends[route as usize].queued > 0 {
            self.serve_queue_of(k, route, server);
        }
    }

    /// Other servers than before are in rotation, or let in by operators: whether health is to be ignored.
    pub(crate) fn settle_fail_open<K: Kernel>(&mut self, k: &mut K, route: u16) {
        let backend = &mut self.backends[route as usize];
        let turns = backend.members.settle_fail_open(&backend.balancer.health);
        if let (Some(begins), true) = (turns, route == backend.fleet) {
            k.record(Fact::FailsOpen { fleet: route, begins });
        }
    }
}
