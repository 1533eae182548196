//! What the calls themselves say of the servers, as the shared policies judge it.

use super::rotation::{Rotator, State};
use brownout_models::policy::health::Health;
use brownout_models::policy::max_fails::{self, Peer};
use brownout_models::policy::observe::{self, Observed};
use brownout_models::policy::outlier::{self, Outliers};
use brownout_models::policy::verdict::Verdict;
use brownout_models::units::Ns;

impl Rotator {
    /// A call goes to a server.
    pub fn on_chosen(&self, server: u32) {
        let now = self.now();
        let mut state = self.state();
        if let Some(max_fails) = &self.spec().health.max_fails {
            state.servers[server as usize].peer.on_chosen(max_fails, now);
        }
    }

    /// A call's end says something of its server; when the server, if that takes it out, may be tried again.
    pub fn judge(&self, server: u32, verdict: Verdict) -> Option<Ns> {
        let health = &self.spec().health;
        if health.outlier.is_none() && health.max_fails.is_none() && health.observe.is_none() {
            return None;
        }
        let (mut reopens, mut sooner) = (None, None);
        {
            let now = self.now();
            let mut state = self.state();
            let State { servers, backends } = &mut *state;
            let (at, backend) = (&mut servers[server as usize], &mut backends[self.fleet_of(server) as usize]);
            if let (Some(spec), Some(outliers), Some(good)) =
                (&health.outlier, &mut backend.outliers, outlier::is_good(verdict))
            {
                outliers.on_result(spec, (server - backend.first) as usize, good, now);
            }
            // nginx never takes a lone server out.
            if let Some(spec) = health.max_fails.as_ref().filter(|_| backend.count > 1) {
                if !max_fails::is_failure(verdict) {
                    at.peer.on_success();
                    at.out &= at.peer.reopens_at(spec).is_some();
                } else {
                    at.peer.on_failure(spec, now);
                    reopens = at.peer.reopens_at(spec).map(|back| back.max(now));
                    at.out |= reopens.is_some();
                }
            }
            if let (Some(spec), Some(good)) = (&health.observe, observe::is_good(verdict))
                && let Some(finding) = at.observed.on_result(spec, good)
            {
                if let Some(degrade) = finding.degrade {
                    at.health.on_traffic(health, degrade);
                }
                sooner = health.fast_interval;
            }
        }
        if let Some(fast) = sooner {
            self.check_within(server, fast);
        }
        self.settle(server);
        reopens
    }

    /// A server that max_fails had taken out may be tried again, unless a later failure has put it off.
    pub fn peer_reopens(&self, server: u32) {
        let Some(spec) = &self.spec().health.max_fails else { return };
        {
            let now = self.now();
            let mut state = self.state();
            let at = &mut state.servers[server as usize];
            if !at.peer.is_open(spec, now) {
                return;
            }
            at.out = false;
        }
        self.settle(server);
    }

    /// No server may be chosen for a call: nginx before 1.11.5 then forgets all failures ("for quick recovery").
    pub fn forget_failures(&self, fleet: u16) {
        if !self.spec().health.max_fails.as_ref().is_some_and(|spec| spec.reset_all) {
            return;
        }
        let servers: Vec<u32> = {
            let mut state = self.state();
            let all: Vec<u32> =
                (0..state.servers.len() as u32).filter(|server| self.fleet_of(*server) == fleet).collect();
            for server in &all {
                let at = &mut state.servers[*server as usize];
                Peer::reset(&mut at.peer);
                at.out = false;
            }
            all
        };
        servers.into_iter().for_each(|server| self.settle(server));
    }

    /// What was learnt of the servers is forgotten; of which something had been learnt.
    pub fn forget_all(&self) -> Vec<bool> {
        let check = &self.spec().health;
        let mut state = self.state();
        let State { servers, backends } = &mut *state;
        let fresh = Health::new(check);
        let learnt = servers.iter_mut().enumerate().map(|(server, at)| {
            let backend = &backends[self.fleet_of(server as u32) as usize];
            let ejected = backend.outliers.as_ref().is_some_and(|o| o.is_ejected(server - backend.first as usize));
            let learnt = !at.health.is_like(fresh, check) || at.out || ejected;
            at.health = fresh;
            at.peer = Peer::default();
            at.observed = Observed::default();
            at.out = false;
            learnt
        });
        let learnt = learnt.collect();
        for (backend, (_, fleet)) in backends.iter_mut().zip(self.town.spec().fleets.iter()) {
            backend.outliers = check.outlier.as_ref().map(|_| Outliers::new(fleet.count as usize));
        }
        learnt
    }

    /// The sweep of outlier detection: servers come back, and those that fail more than the others leave.
    pub fn sweep(&self, fleet: u16) {
        let Some(spec) = &self.spec().health.outlier else { return };
        let mut changes = Vec::new();
        let first = {
            let now = self.now();
            let mut state = self.state();
            let backend = &mut state.backends[fleet as usize];
            if let Some(outliers) = &mut backend.outliers {
                outliers.on_sweep(spec, now, &mut changes);
            }
            backend.first
        };
        changes.iter().for_each(|(host, _)| self.settle(first + *host as u32));
    }

    /// A passing check ends an ejection (Envoy: `successful_active_health_check_uneject_host`, on by default).
    pub fn check_passed(&self, server: u32) {
        let fleet = self.fleet_of(server) as usize;
        let mut state = self.state();
        let backend = &mut state.backends[fleet];
        if let Some(outliers) = &mut backend.outliers {
            outliers.on_check_passed((server - backend.first) as usize);
        }
    }
}
