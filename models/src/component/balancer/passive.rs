//! What the calls themselves say of the servers: passive checks, and who is being eased in.
//!
//! The decisions are those of [`crate::policy::outlier`], [`crate::policy::max_fails`] and [`crate::policy::observe`]; here
//! they are fed with what becomes of calls, and their timers are kept. Health checks do not count.

use crate::kernel::{Event, Kernel};
use crate::policy::balance::Easing;
use crate::policy::health::HealthCheck;
use crate::policy::max_fails::{self, Peer};
use crate::policy::observe::{self, Observed};
use crate::policy::outlier::{self, Outliers};
use crate::policy::verdict::Verdict;
use crate::slab::Ref;
use crate::units::Ns;
use crate::world::{Purpose, World};

/// What the balancer has learnt of the servers of one fleet.
pub struct Watch {
    /// Whether none of this is in use, so that nobody need ask.
    pub is_plain: bool,
    first: u32,
    outliers: Option<Outliers>,
    peers: Vec<Peer>,
    observed: Vec<Observed>,
    /// Whether max_fails has a server out, and its end has been foreseen.
    out: Vec<bool>,
    /// Who is being eased in, if anybody ever is.
    pub easing: Option<Easing>,
    changes: Vec<(usize, bool)>,
}

impl Watch {
    /// Nothing known yet of the servers `first` and following; `is_plain` says that nothing need be.
    pub fn new(first: u32, count: u32, check: &HealthCheck, is_plain: bool) -> Watch {
        let count = count as usize;
        Watch {
            is_plain,
            first,
            outliers: check.outlier.as_ref().map(|_| Outliers::new(count)),
            peers: check.max_fails.iter().flat_map(|_| vec![Peer::default(); count]).collect(),
            observed: check.observe.iter().flat_map(|_| vec![Observed::default(); count]).collect(),
            out: vec![false; count],
            easing: check.slow_start.map(|over| Easing::new(check.slow_start_rule, over, count)),
            changes: Vec::new(),
        }
    }

    /// How many servers there are.
    pub(crate) fn servers(&self) -> usize {
        self.out.len()
    }

    /// The place of a server in its fleet.
    pub(super) fn index(&self, server: u32) -> usize {
        (server - self.first) as usize
    }

    /// Whether passive checks keep a server out of rotation.
    pub fn is_out(&self, server: u32) -> bool {
        let at = self.index(server);
        self.out[at] || self.outliers.as_ref().is_some_and(|o| o.is_ejected(at))
    }

    /// Whether a server in rotation may be chosen now: nginx lets one call at a time try a server that was out.
    pub fn is_open(&self, check: &HealthCheck, server: u32, now: Ns) -> bool {
        match (&check.max_fails, self.peers.get(self.index(server))) {
            (Some(spec), Some(peer)) if self.peers.len() > 1 => peer.is_open(spec, now),
            _ => true,
        }
    }

    /// Forgets what calls have said; whether anything had been learnt of each server.
    pub fn forget(&mut self) -> Vec<bool> {
        let out: Vec<bool> = (0..self.out.len() as u32).map(|at| self.is_out(self.first + at)).collect();
        self.out.fill(false);
        self.peers.fill(Peer::default());
        self.observed.fill(Observed::default());
        if self.outliers.is_some() {
            self.outliers = Some(Outliers::new(self.out.len()));
        }
        out
    }

    /// Whoever is in rotation has its full share.
    pub fn ease_nobody_in(&mut self) {
        if let Some(easing) = &mut self.easing {
            easing.forget();
        }
    }

    /// Whether a server in rotation is being eased in.
    pub(super) fn is_easing(&self, server: u32, now: Ns) -> bool {
        self.easing.as_ref().is_some_and(|easing| easing.is_easing(self.index(server), now))
    }

    /// A server comes back into rotation, where these are already.
    pub fn back_at(&mut self, server: u32, now: Ns, others: &[u32]) {
        let (at, first) = (self.index(server), self.first);
        if let Some(easing) = &mut self.easing {
            let others = others.iter().filter(|other| **other != server);
            easing.back_at(at, now, others.map(|other| (other - first) as usize));
        }
    }

    /// A call goes to a server.
    pub fn on_chosen(&mut self, check: &HealthCheck, server: u32, now: Ns) {
        let at = self.index(server);
        if let (Some(spec), Some(peer)) = (&check.max_fails, self.peers.get_mut(at)) {
            peer.on_chosen(spec, now);
        }
    }
}

impl World {
    /// Raises the first sweeps of outlier detection.
    pub(crate) fn open_watches<K: Kernel>(&mut self, k: &mut K) {
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
        if !self.backends[fleet as usize].watch.is_plain {
            self.judge_server(k, fleet, server, verdict);
        }
    }

    #[inline(never)]
    fn judge_server<K: Kernel>(&mut self, k: &mut K, fleet: u16, server: u32, verdict: Verdict) {
        let (check, now) = (&self.spec.balancer.health, k.now());
        let watch = &mut self.backends[fleet as usize].watch;
        let at = watch.index(server);
        if let (Some(spec), Some(outliers), Some(good)) =
            (&check.outlier, &mut watch.outliers, outlier::is_good(verdict))
        {
            outliers.on_result(spec, at, good, now);
        }
        let alone = watch.peers.len() < 2;
        if let (Some(spec), Some(peer), false) = (&check.max_fails, watch.peers.get_mut(at), alone) {
            if !max_fails::is_failure(verdict) {
                peer.on_success();
                watch.out[at] &= peer.reopens_at(spec).is_some();
            } else {
                peer.on_failure(spec, now);
                if let Some(back) = peer.reopens_at(spec) {
                    watch.out[at] = true;
                    k.at(back.max(now), Event::PeerReopens(server));
                }
            }
        }
        let finding = match (&check.observe, watch.observed.get_mut(at), observe::is_good(verdict)) {
            (Some(spec), Some(observed), Some(good)) => observed.on_result(spec, good),
            _ => None,
        };
        if let Some(finding) = finding {
            self.errors_observed(k, server, finding);
        }
        self.settle_rotation(k, server);
    }

    /// No server may be chosen for a call: nginx before 1.11.5 then forgets all failures ("for quick recovery").
    pub(super) fn forget_failures<K: Kernel>(&mut self, k: &mut K, fleet: u16) {
        if !self.spec.balancer.health.max_fails.as_ref().is_some_and(|spec| spec.reset_all) {
            return;
        }
        let watch = &mut self.backends[fleet as usize].watch;
        watch.peers.iter_mut().for_each(Peer::reset);
        watch.out.fill(false);
        let servers = watch.first..watch.first + watch.peers.len() as u32;
        servers.for_each(|server| self.settle_rotation(k, server));
    }

    /// A server that max_fails had taken out may be tried again.
    pub(crate) fn peer_reopens<K: Kernel>(&mut self, k: &mut K, server: u32) {
        let Some(spec) = &self.spec.balancer.health.max_fails else { return };
        let watch = &mut self.backends[self.servers[server as usize].fleet as usize].watch;
        let at = watch.index(server);
        // A later failure has put it off.
        if watch.peers[at].is_open(spec, k.now()) {
            watch.out[at] = false;
            self.settle_rotation(k, server);
        }
    }

    /// The sweep of outlier detection: servers come back, and those that fail more than the others leave.
    pub(crate) fn sweep_outliers<K: Kernel>(&mut self, k: &mut K, fleet: u16) {
        let Some(spec) = &self.spec.balancer.health.outlier else { return };
        k.at(k.now().plus(spec.interval), Event::OutlierSweep(fleet));
        let watch = &mut self.backends[fleet as usize].watch;
        let mut changes = std::mem::take(&mut watch.changes);
        changes.clear();
        if let Some(outliers) = &mut watch.outliers {
            outliers.on_sweep(spec, k.now(), &mut changes);
        }
        let first = watch.first;
        changes.iter().for_each(|(host, _)| self.settle_rotation(k, first + *host as u32));
        self.backends[fleet as usize].watch.changes = changes;
    }

    /// A passing check ends an ejection (Envoy: `successful_active_health_check_uneject_host`, on by default).
    pub(crate) fn check_passed(&mut self, server: u32) {
        let watch = &mut self.backends[self.servers[server as usize].fleet as usize].watch;
        let at = watch.index(server);
        if let Some(outliers) = &mut watch.outliers {
            outliers.on_check_passed(at);
        }
    }
}
