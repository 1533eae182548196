//! Who may be chosen: which server of a fleet the balancer gives a call to, health, limits and passive checks considered.
//! How it chooses among those is `policy/balance.rs`. What it does not model: sticky sessions, fixed weights, backup servers.

use super::Balancer;
use crate::kernel::Kernel;
use crate::policy::balance;
use crate::policy::redispatch::Redispatch;
use crate::slab::Ref;
use crate::units::Ns;
use crate::world::{Try, World};

impl Balancer {
    /// Most connections open to one server; without a limit, more than there can be.
    #[inline(always)]
    fn connection_limit(&self) -> u32 {
        self.max_connections.unwrap_or(u32::MAX)
    }
}

impl Try {
    /// Which of a call's choices of a server this is: what is drawn for it hangs on this number.
    #[inline(always)]
    fn choice(&self) -> u32 {
        (u32::from(self.attempt) << 16) | u32::from(self.dispatches)
    }
}

impl World {
    /// A server for a try, if one may be chosen and has room.
    #[inline(always)]
    pub(super) fn pick<K: Kernel>(&mut self, k: &K, t: Ref, avoid: Option<u32>) -> Option<u32> {
        let (try_, balancer) = (&self.tries[t], &self.spec.balancer);
        let backend = &mut self.backends[try_.fleet as usize];
        if !backend.watch.is_plain {
            return self.pick_by_watch(k.now(), t, avoid);
        }
        let (limit, connections) = (balancer.connection_limit(), &self.connections);
        let load = |server: u32| connections[server as usize];
        backend.rotation.choose(balancer.algorithm, try_.salt, try_.choice(), avoid, |s| load(s) < limit, load)
    }

    /// As `pick`, where not every server in rotation with room may be chosen.
    #[inline(never)]
    fn pick_by_watch(&mut self, now: Ns, t: Ref, avoid: Option<u32>) -> Option<u32> {
        let (try_, balancer) = (&self.tries[t], &self.spec.balancer);
        let backend = &mut self.backends[try_.fleet as usize];
        let (salt, number, connections) = (try_.salt, try_.choice(), &self.connections);
        let load = |server: u32| connections[server as usize];
        let watch = &backend.watch;
        let untried = |s: u32| balancer.redispatch != Redispatch::Untried || try_.tried & watch.bit(s) == 0;
        let has_room = |s: u32| load(s) < balancer.connection_limit();
        let open = |s: u32| has_room(s) && untried(s) && watch.is_open(&balancer.health, s, now);
        if backend.fails_open {
            return backend.all.choose(balancer.algorithm, salt, number, avoid, open, load);
        }
        let eager = |s: u32| match balancer.health.slow_start {
            Some(over) => open(s) && balance::takes(salt, number, s, watch.since(s), over, now),
            None => open(s),
        };
        let chosen = backend.rotation.choose(balancer.algorithm, salt, number, avoid, eager, load);
        // Where all are being eased in, somebody must take it.
        chosen.or_else(|| backend.rotation.choose(balancer.algorithm, salt, number, avoid, open, load))
    }

    /// Whether waiting in the queue is of no use: nobody is in rotation, or those that are may not be chosen.
    pub(super) fn nobody_can_serve(&self, t: Ref) -> bool {
        let (backend, balancer) = (&self.backends[self.tries[t].fleet as usize], &self.spec.balancer);
        let servers = if backend.fails_open { &backend.all } else { &backend.rotation };
        servers.is_empty() || balancer.health.max_fails.is_some() || balancer.redispatch == Redispatch::Untried
    }
}
