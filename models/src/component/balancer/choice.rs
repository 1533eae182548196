//! Who may be chosen: which server of a fleet the balancer gives a call to, health, limits and passive checks considered.
//! How it chooses among those is `policy/balance.rs`. What it does not model: sticky sessions, fixed weights, backup servers.

use super::{Backend, Balancer};
use crate::kernel::Kernel;
use crate::policy::balance::Choice;
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
    /// By what a server is chosen for it now; each of a call's choices draws anew.
    #[inline(always)]
    fn choice(&self, balancer: &Balancer, avoid: Option<u32>) -> Choice {
        let number = (u32::from(self.attempt) << 16) | u32::from(self.dispatches);
        Choice { algorithm: balancer.algorithm, salt: self.salt, number, avoid }
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
        backend.rotation.choose(try_.choice(balancer, avoid), |s| load(s) < limit, load)
    }

    /// As `pick`, where not every server in rotation with room may be chosen.
    #[inline(never)]
    fn pick_by_watch(&mut self, now: Ns, t: Ref, avoid: Option<u32>) -> Option<u32> {
        let (try_, balancer) = (&self.tries[t], &self.spec.balancer);
        let (health, by, connections) = (&balancer.health, try_.choice(balancer, avoid), &self.connections);
        let Backend { rotation, all, watch, fails_open, .. } = &mut self.backends[try_.fleet as usize];
        let load = |server: u32| connections[server as usize];
        let limit = balancer.connection_limit();
        // Where they matter, and once it has been anywhere.
        let tried = self.tried.get(t.index as usize).filter(|_| try_.dispatches > 0);
        let untried = |s: u32| balancer.redispatch != Redispatch::Untried || !tried.is_some_and(|tried| tried.has(s));
        let open = |s: u32| untried(s) && watch.is_open(health, s, now);
        if *fails_open {
            return all.choose(by, |s| load(s) < limit && open(s), load);
        }
        match watch.easing.as_ref().filter(|easing| easing.is_on(now)) {
            None => rotation.choose(by, |s| load(s) < limit && open(s), load),
            Some(easing) => {
                let has_room = |s: u32| load(s) < easing.limit(watch.index(s), limit, now);
                rotation.choose_by_weight(by, |s| has_room(s) && open(s), load, |s| easing.weight(watch.index(s), now))
            }
        }
    }

    /// Whether waiting in the queue is of no use: nobody is in rotation, or those that are may not be chosen.
    pub(super) fn nobody_can_serve(&self, t: Ref) -> bool {
        let (backend, balancer) = (&self.backends[self.tries[t].fleet as usize], &self.spec.balancer);
        let servers = if backend.fails_open { &backend.all } else { &backend.rotation };
        servers.is_empty() || balancer.health.max_fails.is_some() || balancer.redispatch == Redispatch::Untried
    }
}
