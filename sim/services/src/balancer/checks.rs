//! The balancer's health checks: real requests to real endpoints. What they make of a server is decided by the shared
//! state machine (`policy::health`).

use super::Balancer;
use crate::http::{Ticket, exchange};
use crate::platform::{LinkId, Platform};
use crate::town::{HEALTH, HTTP};
use brownout_models::component::collector::CheckKind;
use brownout_models::random::{Stream, mix};
use brownout_models::units::Ns;
use hyper::Method;
use std::sync::Arc;
use tokio::sync::oneshot;

impl<P: Platform> Balancer<P> {
    /// Starts a task for the checks of each server, for the sweeps of outlier detection, and for what operators do.
    pub(super) fn start_checks(self: Arc<Self>, seed: u64, from: Ns) {
        let check = &self.town.spec().balancer.health;
        // The balancer was started some time before the run: its checks have any phase.
        let phase = Stream::new(seed, "balancer/checks").unit() * check.interval.0 as f64;
        let servers = self.town.servers().len();
        for server in 0..servers {
            let offset =
                if check.spread_first { check.interval.0 as f64 * server as f64 / servers as f64 } else { 0.0 };
            let first = Ns((phase + offset) as u64 % check.interval.0);
            if check.enabled {
                let stream = Stream::new(seed, &format!("balancer/checks/{server}"));
                self.platform.spawn(self.clone().keep_checking(server as u32, from.plus(first), stream));
            }
        }
        if let Some(outlier) = &check.outlier {
            for fleet in 0..self.town.spec().fleets.len() {
                let (balancer, interval) = (self.clone(), outlier.interval);
                self.platform.spawn(async move {
                    loop {
                        balancer.platform.sleep(interval).await;
                        balancer.rotator.sweep(fleet as u16);
                    }
                });
            }
        }
        self.platform.spawn(self.clone().follow_operators());
        if check.enabled && check.follows_process {
            self.platform.spawn(self.clone().follow_processes());
        }
    }

    async fn keep_checking(self: Arc<Self>, server: u32, first: Ns, mut stream: Stream) {
        let check = &self.town.spec().balancer.health;
        let mut next = first;
        loop {
            self.rotator.check_due(&self.platform, server, next).await;
            let started = self.platform.now();
            if self.town.day().read(|day| day.balancer.checks_stopped) {
                self.town.witness().relay(|relay| relay.affected_balancer(|knobs| knobs.checks_stopped));
                let (health, has_calls) =
                    self.rotator.members_of(server, |members| (members.health(server), members.has_calls()));
                next = check.next_check(health, has_calls, started, started, stream.unit());
                continue;
            }
            let salt = mix(stream.bits());
            let more = self.more_checkers(server);
            let status = if more == 0 {
                self.probe(server, salt, started).await
            } else {
                self.probe_among(more, server, salt, started).await
            };
            let health = self.rotator.checked(server, status);
            let has_calls = self.rotator.members_of(server, |members| members.has_calls());
            next = check.next_check(health, has_calls, started, self.platform.now(), stream.unit());
        }
    }

    /// How many others check a server whenever the balancer does; checks that a thread of its own answers cost nothing.
    fn more_checkers(&self, server: u32) -> u32 {
        match self.town.fleet_of(server).health.kind {
            CheckKind::Shared | CheckKind::Deep => self.town.day().read(|day| day.balancer.more_checkers),
            CheckKind::Shallow | CheckKind::Cached => 0,
        }
    }

    /// One check among those of others, in any order; their results are not used here.
    async fn probe_among(self: &Arc<Self>, more: u32, server: u32, salt: u64, started: Ns) -> u16 {
        let (tell, hear) = oneshot::channel();
        let balancer = self.clone();
        self.crew.run(async move {
            // The checker waits for it.
            let _ = tell.send(balancer.probe(server, salt, started).await);
        });
        for checker in 0..more {
            self.town.witness().relay(|relay| relay.affected_balancer(|knobs| knobs.more_checkers > checker));
            let (balancer, salt) = (self.clone(), mix(started.0 ^ (u64::from(server) << 40) ^ u64::from(checker)));
            self.crew.run(async move {
                balancer.probe(server, salt, started).await;
            });
        }
        hear.await.unwrap_or(0)
    }

    /// One check: its status, 0 if there was no answer in time.
    async fn probe(&self, server: u32, salt: u64, started: Ns) -> u16 {
        let spec = &self.town.spec().balancer;
        let own = matches!(self.town.fleet_of(server).health.kind, CheckKind::Shallow | CheckKind::Cached);
        let door = self.town.server_door(server, if own { HEALTH } else { HTTP });
        self.note_pause(server);
        let way = self.town.server_way().over(LinkId::Server(server));
        let connect = self.platform.connect(door, way, self.handshake);
        let limit = spec.health.connect_limit(spec.connect_timeout);
        let Some(Ok(stream)) = self.platform.within(limit, connect).await else { return 0 };
        let patience = spec.health.answer_limit(self.platform.now().minus(started));
        let ticket = Ticket { call: 0, attempt: 0, salt, chance: 0 };
        let reply = self.platform.within(patience, exchange(stream, Method::GET, "/health", ticket)).await;
        match reply {
            Some(Ok(reply)) => reply.status,
            _ => 0,
        }
    }

    /// Takes servers out and lets them back in as operators say.
    async fn follow_operators(self: Arc<Self>) {
        let day = self.town.day();
        let mut version = day.version();
        let mut forgotten = day.read(|day| day.forgets);
        loop {
            day.changed_since(version).await;
            version = day.version();
            let (held_out, forgets) = day.read(|day| (day.held_out.clone(), day.forgets));
            while forgotten < forgets {
                self.forget(forgotten);
                forgotten += 1;
            }
            for (server, out) in held_out.into_iter().enumerate() {
                self.rotator.hold_out(server as u32, out);
            }
        }
    }

    /// A new configuration is loaded: what was learnt of the servers, by checks and by calls, is forgotten.
    fn forget(&self, number: usize) {
        let known = self.rotator.forget().into_iter().filter(|known| *known).count() as u64;
        self.town.witness().relay(|relay| relay.forgot(number, known));
    }

    /// Where readiness is a state of the process, a server whose process has died is out at once.
    async fn follow_processes(self: Arc<Self>) {
        let deaths = self.town.deaths();
        let mut known = deaths.read(Vec::clone);
        loop {
            deaths.wait_for(|now| *now != known).await;
            let now = deaths.read(Vec::clone);
            for (server, (now, known)) in now.iter().zip(&known).enumerate() {
                if now != known {
                    self.rotator.process_gone(server as u32);
                }
            }
            known = now;
        }
    }
}
