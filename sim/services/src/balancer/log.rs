//! The balancer's log of calls that were not served, and their replay.
//!
//! What the log has is the request line of every call that reached the balancer; which of those were lost, the witness
//! knows. A lost call whose line has all of its data is kept here, if the timeline replays its kind; operators then send
//! it through the balancer again, at the pace of the `replay`. Until then it counts as in flight.

use super::{Balancer, Presence, Route};
use crate::http::Ticket;
use crate::platform::Platform;
use crate::witness::Chance;
use brownout_models::component::balancer::Log as Spec;
use brownout_models::component::operator::Action;
use brownout_models::random::{Purpose, draw, unit};
use brownout_models::spec::WorldSpec;
use brownout_models::units::Ns;
use std::collections::VecDeque;
use std::sync::Arc;

/// The log: lost calls that may be sent again, by population.
pub struct Log {
    spec: Spec,
    wanted: Vec<bool>,
    kept: Vec<VecDeque<u64>>,
}

impl Log {
    /// The log that a scenario asks for, empty.
    pub fn of(spec: &WorldSpec) -> Option<Log> {
        let log = spec.balancer.log.clone()?;
        let replays = |kind: &str| {
            let mut replays = spec.timeline.iter().filter(|entry| entry.enabled);
            replays.any(|entry| matches!(&entry.action, Action::Replay(replay) if replay.calls.text == kind))
        };
        let wanted = |kind: &str| log.calls.iter().any(|name| name.text == kind) && replays(kind);
        let wanted: Vec<bool> = spec.clients.iter().map(|(_, clients)| wanted(&clients.sends.text)).collect();
        Some(Log { kept: vec![VecDeque::new(); wanted.len()], wanted, spec: log })
    }

    /// How many calls it keeps.
    pub fn kept(&self) -> u64 {
        self.kept.iter().map(|kept| kept.len() as u64).sum()
    }

    /// Whether it keeps a call that is lost otherwise.
    pub fn keeps(&mut self, population: u16, salt: u64, call: u64) -> bool {
        let at = population as usize;
        let full = self.spec.capacity.is_some_and(|most| self.kept() >= most);
        if !self.wanted[at] || full || unit(draw(salt, Purpose::Logged, 0)) > self.spec.share.0 {
            return false;
        }
        self.kept[at].push_back(call);
        true
    }

    /// The oldest call that it keeps of the first of these populations that has any.
    pub fn next(&mut self, mut populations: impl Iterator<Item = usize>) -> Option<u64> {
        populations.find_map(|population| self.kept[population].pop_front())
    }
}

impl<P: Platform> Balancer<P> {
    /// Begins the replays of the timeline as their times come.
    pub(super) async fn follow_replays(self: Arc<Self>) {
        loop {
            let entry = self.town.witness().next_replay().await;
            self.platform.spawn(self.clone().replay(entry));
        }
    }

    /// Sends calls of the log again, one after the other, for as long as the run lasts.
    async fn replay(self: Arc<Self>, entry: u32) {
        let Action::Replay(replay) = &self.town.spec().timeline[entry as usize].action else { return };
        let Some(route) = self.routes.iter().position(|route| route.kind == replay.calls.text) else { return };
        let pause = Ns((1e9 / replay.rate.0) as u64).max(Ns(1));
        let mut next = self.platform.now();
        loop {
            self.platform.sleep_until(next).await;
            let Some((ticket, chance)) = self.town.witness().next_logged(&replay.calls.text) else {
                // What is lost again comes back into the log, so an empty one is looked at again now and then.
                next = next.plus(Ns::secs(1));
                continue;
            };
            next = next.plus(pause);
            let balancer = self.clone();
            self.crew.run(async move { balancer.send_again(&balancer.routes[route], ticket, chance).await });
        }
    }

    async fn send_again(&self, route: &Route, ticket: Ticket, chance: Chance) {
        self.admit(route, &ticket, chance, &mut Presence(None)).await;
    }
}
