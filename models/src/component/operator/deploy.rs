//! A deployment that goes from server to server: out of rotation, stopped, started, back.

use crate::component::probe::Holder;
use crate::fault::{Fault, RollingDeploy};
use crate::kernel::{Event, Kernel};
use crate::units::Ns;
use crate::world::World;

/// A deployment under way.
pub(super) struct Deploy {
    ticket: u32,
    entry: u32,
    spec: RollingDeploy,
    fleet: usize,
    servers: Vec<u32>,
    /// How many of them are done.
    done: usize,
}

impl Deploy {
    fn batch(&self) -> Vec<u32> {
        self.servers.iter().skip(self.done).take(self.spec.batch as usize).copied().collect()
    }
}

/// The next batch is taken out of rotation.
const DRAIN: u32 = 0;
/// What it still has is lost: its processes stop.
const STOP: u32 = 1;
/// It is let back, if it has started.
const BACK: u32 = 2;

impl World {
    /// A deployment begins.
    pub(super) fn begin_deploy<K: Kernel>(&mut self, k: &mut K, ticket: u32, entry: u32, fault: &Fault) {
        let Fault::RollingDeploy(spec) = fault else { return };
        let Some(fleet) = self.spec.fleets.index(&spec.fleet.text) else { return };
        let servers = self.servers_of(fleet, &spec.servers).collect();
        self.operators.deploys.push(Deploy { ticket, entry, spec: spec.clone(), fleet, servers, done: 0 });
        self.deploy_due(k, ticket, DRAIN);
    }

    /// A deployment takes its next step.
    pub(crate) fn deploy_due<K: Kernel>(&mut self, k: &mut K, ticket: u32, step: u32) {
        let Some(at) = self.operators.deploys.iter().position(|deploy| deploy.ticket == ticket) else { return };
        let deploy = &self.operators.deploys[at];
        let (batch, entry, fleet) = (deploy.batch(), deploy.entry, deploy.fleet);
        let (drain, pause) = (deploy.spec.drain, deploy.spec.pause);
        let is_up = batch.iter().all(|server| self.servers[*server as usize].alive);
        let next = |k: &mut K, after: Ns, step: u32| k.at(k.now().plus(after), Event::Deploy(ticket, step));
        match step {
            DRAIN if batch.is_empty() => {
                self.operators.deploys.remove(at);
                self.job_done(k, entry);
            }
            DRAIN => {
                batch.iter().for_each(|server| self.hold_out(k, *server, Holder::Deployment, true));
                next(k, drain, STOP);
            }
            STOP => {
                for server in batch {
                    if self.servers[server as usize].alive {
                        self.effects.count(Some(entry));
                        self.crash(k, server);
                    }
                }
                let restart = &self.spec.fleets.0[fleet].1.restart;
                let up = restart.delay.plus(restart.boot);
                next(k, up, BACK);
            }
            // It has not come up yet, or has died again.
            BACK if !is_up => next(k, Ns::secs(1), BACK),
            _ => {
                batch.iter().for_each(|server| self.hold_out(k, *server, Holder::Deployment, false));
                self.operators.deploys[at].done += batch.len();
                next(k, pause, DRAIN);
            }
        }
    }
}
