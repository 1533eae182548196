//! Limits on what is under way to a whole fleet, by the rule of [`crate::policy::limits`]; and connections that are cut because
//! their server is marked down.

use super::Backend;
use crate::component::clients::Connection;
use crate::kernel::{Kernel, Timer};
use crate::ledger::Cause;
use crate::policy::limits::{Counted, Way};
use crate::policy::redispatch::ConnectFailure;
use crate::slab::Ref;
use crate::world::{Front, Purpose, Try, World};

impl World {
    /// A call has been given a server: it connects, waits for a connection, or is answered at once.
    #[inline(never)]
    pub(super) fn enter_limits<K: Kernel>(&mut self, k: &mut K, t: Ref, server: u32) {
        let balancer = &self.spec.balancer;
        let Some(limits) = &balancer.fleet_limits else { return };
        let under_way = &self.backends[self.tries[t].fleet as usize].under_way;
        let (here, at_hand) = (self.connections[server as usize], balancer.connection == Connection::KeptAlive);
        match limits.way(under_way, here, balancer.max_connections, at_hand) {
            Way::Connect => self.dispatch(k, t, server),
            Way::Wait => self.wait_for_connection(k, t, server),
            Way::Overflow => self.overflow(k, t),
        }
    }

    fn overflow<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        self.reject(k, t, self.spec.balancer.unavailable_status, Cause::Overflow);
    }

    fn wait_for_connection<K: Kernel>(&mut self, k: &mut K, t: Ref, server: u32) {
        let try_ = &mut self.tries[t];
        try_.front = Front::Queued;
        try_.server = server;
        try_.timer = Timer::NONE;
        let backend = &mut self.backends[try_.fleet as usize];
        backend.queue.push_back(t);
        backend.queued += 1;
        backend.under_way.waiting += 1;
        self.levels.here.queued.add(k.now(), 1);
    }

    /// A connection to a server is free: a call that waits for one of them has it.
    #[inline(never)]
    pub(super) fn serve_waiting<K: Kernel>(&mut self, k: &mut K, fleet: u16, server: u32) {
        let balancer = &self.spec.balancer;
        let Some(limits) = &balancer.fleet_limits else { return };
        let Backend { queue, under_way, .. } = &mut self.backends[fleet as usize];
        if !limits.may_open(under_way, self.connections[server as usize], balancer.max_connections) {
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
        let bounded = self.spec.balancer.fleet_limits.is_some();
        let backend = &mut self.backends[self.tries[t].fleet as usize];
        backend.queued -= 1;
        backend.under_way.waiting -= u32::from(bounded);
        self.levels.here.queued.remove(k.now(), 1);
    }

    /// As what a call counts from now on, where anything is counted.
    #[inline(always)]
    pub(super) fn count(&mut self, t: Ref, is: Counted) {
        if self.spec.balancer.fleet_limits.is_some() {
            let try_ = &mut self.tries[t];
            let was = std::mem::replace(&mut try_.counted, is);
            self.backends[try_.fleet as usize].under_way.count(was, is);
        }
    }

    /// A connection has been opened for a call: whether that may be sent on it. If not, that is its end.
    #[inline(always)]
    pub(crate) fn may_send<K: Kernel>(&mut self, k: &mut K, t: Ref) -> bool {
        let Some(limits) = &self.spec.balancer.fleet_limits else { return true };
        let try_ = &self.tries[t];
        if try_.counted == Counted::No || limits.may_send(&self.backends[try_.fleet as usize].under_way) {
            return true;
        }
        self.release_server(k, t);
        self.overflow(k, t);
        false
    }

    /// A server is marked down: the connections to it are cut.
    #[inline(never)]
    pub(crate) fn cut_sessions<K: Kernel>(&mut self, k: &mut K, server: u32) {
        let is_there = |t: &Try| t.server == server && t.purpose == Purpose::Call;
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
