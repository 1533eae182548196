//! Rotation on the kernel: [`Members`] is fed with checks, operators and the ends of calls, its timers are kept, and what
//! changes is recorded.
//!
//! Not modelled: sticky sessions, fixed weights, backup servers.

use super::{Balancer, OnMarkedDown};
use crate::kernel::{Event, Fact, Kernel};
use crate::policy::balance::{Algorithm, Choice, Ties};
use crate::policy::members::{Members, Rules, Settling};
use crate::policy::redispatch::Redispatch;
use crate::policy::verdict::Verdict;
use crate::slab::Ref;
use crate::world::{Purpose, Try, World};

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
    /// The fleet of a server, as the balancer sees it.
    pub(crate) fn members_of(&mut self, server: u32) -> &mut Members {
        &mut self.backends[self.servers[server as usize].fleet as usize].members
    }

    /// A server for a try, if one may be chosen and has room.
    #[inline(always)]
    pub(super) fn pick<K: Kernel>(&mut self, k: &K, t: Ref, avoid: Option<u32>) -> Option<u32> {
        let (try_, balancer, connections) = (&self.tries[t], &self.spec.balancer, &self.connections);
        // Once it has been anywhere: before, its place among the sets is another's.
        let matters = balancer.rules().remember_tried() && try_.dispatches > 0;
        let tried = if matters { self.tried.get(t.index as usize) } else { None };
        let members = &mut self.backends[try_.fleet as usize].members;
        let load = |server: u32| connections[server as usize];
        members.choose(balancer.rules(), try_.choice(balancer, avoid), tried, k.now(), load)
    }

    /// Raises the first sweeps of outlier detection.
    pub(crate) fn open_sweeps<K: Kernel>(&mut self, k: &mut K) {
        if let Some(outlier) = &self.spec.balancer.health.outlier {
            for fleet in 0..self.backends.len() {
                k.at(k.now().plus(outlier.interval), Event::OutlierSweep(fleet as u16));
            }
        }
    }

    /// A call's end says something of its server.
    pub(super) fn judge<K: Kernel>(&mut self, k: &mut K, t: Ref, verdict: Verdict) {
        let try_ = &self.tries[t];
        if try_.purpose == Purpose::Call {
            self.judge_at(k, try_.fleet, try_.server, verdict);
        }
    }

    /// A call's end says something of this server.
    #[inline(always)]
    pub(super) fn judge_at<K: Kernel>(&mut self, k: &mut K, fleet: u16, server: u32, verdict: Verdict) {
        if self.backends[fleet as usize].members.listens() {
            self.judge_server(k, fleet, server, verdict);
        }
    }

    #[inline(never)]
    fn judge_server<K: Kernel>(&mut self, k: &mut K, fleet: u16, server: u32, verdict: Verdict) {
        let members = &mut self.backends[fleet as usize].members;
        let judged = members.on_call(&self.spec.balancer.health, server, verdict, k.now());
        if let Some(at) = judged.reopens_at {
            k.at(at, Event::PeerReopens(server));
        }
        if let Some(time) = judged.check_within {
            self.check_within(k, server, time);
        }
        self.settle_rotation(k, server);
    }

    /// No server may be chosen for a call.
    pub(super) fn nobody_chosen<K: Kernel>(&mut self, k: &mut K, fleet: u16) {
        let members = &mut self.backends[fleet as usize].members;
        if members.on_nobody(&self.spec.balancer.health) {
            members.servers().for_each(|server| self.settle_rotation(k, server));
        }
    }

    /// A server that max_fails had taken out may be tried again.
    pub(crate) fn peer_reopens<K: Kernel>(&mut self, k: &mut K, server: u32) {
        let members = &mut self.backends[self.servers[server as usize].fleet as usize].members;
        members.reopens(&self.spec.balancer.health, server, k.now());
        self.settle_rotation(k, server);
    }

    /// The sweep of outlier detection is due.
    pub(crate) fn sweep_outliers<K: Kernel>(&mut self, k: &mut K, fleet: u16) {
        let health = &self.spec.balancer.health;
        let Some(outlier) = &health.outlier else { return };
        k.at(k.now().plus(outlier.interval), Event::OutlierSweep(fleet));
        let concerned = self.backends[fleet as usize].members.sweep(health, k.now());
        concerned.into_iter().for_each(|server| self.settle_rotation(k, server));
    }

    /// Compares whether a server should be in rotation with whether it is.
    pub(crate) fn settle_rotation<K: Kernel>(&mut self, k: &mut K, server: u32) {
        let fleet = self.servers[server as usize].fleet;
        let members = &mut self.backends[fleet as usize].members;
        match members.settle(&self.spec.balancer.health, server, k.now()) {
            Settling::Nothing => {}
            Settling::At(at) => k.at(at, Event::MergedChanges(fleet)),
            Settling::Now(servers) => servers.for_each(|server| self.apply_rotation(k, server)),
        }
    }

    /// Changes of rotation that were merged take effect.
    pub(crate) fn merged_changes<K: Kernel>(&mut self, k: &mut K, fleet: u16) {
        let due = self.backends[fleet as usize].members.deliver(k.now());
        due.into_iter().flatten().for_each(|server| self.apply_rotation(k, server));
    }

    /// A server goes into rotation or out of it, if that is where it should be.
    fn apply_rotation<K: Kernel>(&mut self, k: &mut K, server: u32) {
        let fleet = self.servers[server as usize].fleet;
        let members = &mut self.backends[fleet as usize].members;
        let Some(up) = members.apply(&self.spec.balancer.health, server, k.now()) else { return };
        k.record(Fact::Rotation { server, up });
        self.settle_fail_open(k, fleet);
        let is_held = self.backends[fleet as usize].members.is_held(server);
        if !up && !is_held && self.spec.balancer.on_marked_down == OnMarkedDown::ShutdownSessions {
            // Not at once: what has marked it down may be the end of one of these calls.
            k.at(k.now(), Event::CutSessions(server));
        }
        if up && self.backends[fleet as usize].queued > 0 {
            self.serve_queue_of(k, fleet, server);
        }
    }

    /// Other servers than before are in rotation, or let in by operators: whether health is to be ignored.
    pub(crate) fn settle_fail_open<K: Kernel>(&mut self, k: &mut K, fleet: u16) {
        if let Some(begins) = self.backends[fleet as usize].members.settle_fail_open(&self.spec.balancer.health) {
            k.record(Fact::FailsOpen { fleet, begins });
        }
    }
}
