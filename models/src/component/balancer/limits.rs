//! Limits on what is under way to a whole fleet, by the rule of [`crate::policy::limits`]; and connections that are cut because
//! their server is marked down.

use super::Backend;
use crate::component::clients::Connection;
use crate::kernel::{Kernel, Timer};
use crate::ledger::Cause;
use crate::policy::limits::{Counted, Way};
use crate::policy::redispatch::ConnectFailure;
use crate::slab::Ref;
use crate::world::{Front, Seat, Try, World};

impl World {
    /// A call has been given a server: it connects, waits for a connection, or is answered at once.
    #[inline(never)]
    pub(super) fn enter_limits<K: Kernel>(&mut self, k: &mut K, t: Ref, server: u32) {
        let backend = self.backend_of(t);
        let balancer = &backend.balancer;
        let Some(limits) = &balancer.fleet_limits else { return };
        let (here, at_hand) = (self.connections[backend.seat(server)], balancer.connection == Connection::KeptAlive);
        match limits.way(&backend.under_way, here, balancer.max_connections, at_hand) {
            Way::Connect => self.dispatch(k, t, server),
            Way::Wait => self.wait_for_connection(k, t, server),
            Way::Overflow => self.overflow(k, t),
        }
    }

    fn overflow<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        self.reject(k, t, self.backend_of(t).balancer.unavailable_status, Cause::Overflow);
    }

    fn wait_for_connection<K: Kernel>(&mut self, k: &mut K, t: Ref, server: u32) {
        let try_ = &mut self.tries[t];
        try_.front = Front::Queued;
        try_.server = server;
        try_.timer = Timer::NONE;
        let backend = &mut self.backends[try_.route as usize];
        backend.queue.push_back(t);
        backend.queued += 1;
        backend.under_way.waiting += 1;
        self.levels.here.queued.add(k.now(), 1);
    }

    /// A connection to a server is free: a call that waits for one of them has it.
    #[inline(never)]
    pub(super) fn serve_waiting<K: Kernel>(&mut self, k: &mut K, route: u16, server: u32) {
        let backend = &mut self.backends[route as usize];
        let here = self.connections[backend.seat(server)];
        let Backend { queue, under_way, balancer, .. } = backend;
        let Some(limits) = &balancer.fleet_limits else { return };
        if !limits.may_open(under_way, here, balancer.max_connections) {
            return;
        }
        let tries = &self.tries;
        queue.retain(|q| tries.get(*q).is_some_and(|t| t.front == Front::Queued));
        let Some(at) = queue.iter().position(|q| tries[*q].server == server) else { return };
        let Some(t) = queue.remove(at) else { return };
        self.leaves_queue(k, t);
        self.dispatch(k, t, server);
    }

    /// A call waits at the balancer no longer.
    pub(super) fn leaves_queue<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let backend = &mut self.backends[self.tries[t].route as usize];
        let bounded = backend.balancer.fleet_limits.is_some();
        backend.queued -= 1;
        backend.under_way.waiting -= u32::from(bounded);
        self.levels.here.queued.remove(k.now(), 1);
    }

    /// As what a call counts from now on, where anything is counted.
    #[inline(always)]
    pub(super) fn count(&mut self, t: Ref, is: Counted) {
        let try_ = &mut self.tries[t];
        let backend = &mut self.backends[try_.route as usize];
        if backend.balancer.fleet_limits.is_some() {
            backend.under_way.count(std::mem::replace(&mut try_.counted, is), is);
        }
    }

    /// A connection has been opened for a call: whether that may be sent on it. If not, that is its end.
    #[inline(always)]
    pub(crate) fn may_send<K: Kernel>(&mut self, k: &mut K, t: Ref) -> bool {
        let backend = self.backend_of(t);
        let Some(limits) = &backend.balancer.fleet_limits else { return true };
        if self.tries[t].counted == Counted::No || limits.may_send(&backend.under_way) {
            return true;
        }
        self.release_server(k, t);
        self.overflow(k, t);
        false
    }

    /// A server is marked down: the connections to it are cut.
    #[inline(never)]
    pub(crate) fn cut_sessions<K: Kernel>(&mut self, k: &mut K, seat: u32) {
        let Seat { route, server } = self.seats[seat as usize];
        let is_there = |t: &Try| (t.route, t.server) == (route, server) && t.purpose.is_call();
        let there: Vec<Ref> = self.tries.refs().filter(|t| is_there(&self.tries[*t])).collect();
        for t in there {
            match self.tries.get(t).map(|t| t.front) {
                Some(Front::Waiting) => self.connection_breaks(k, t, Cause::MarkedDown),
                Some(Front::Connecting) => self.connect_failed(k, t, ConnectFailure::Refused, Cause::MarkedDown),
                _ => {}
            }
        }
    }
}
