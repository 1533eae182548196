//! The balancer's log of calls that were not served, and their replay.
//!
//! A load balancer's access log has the request line of every call that reached it. Where a call carries its data in
//! that line (a track call by GET does), operators can send it again later. A call that its client has given up and
//! nothing can execute any more is kept here instead of dropped, if the timeline has a `replay` of its kind; until it
//! is replayed it counts as in flight, and what the replay stores counts as late. Not modelled: the time it takes to
//! collect and read the log, and calls lost from it.

use crate::component::operator::Action;
use crate::kernel::{Account, Event, Fact, Kernel};
use crate::ledger::Cause;
use crate::random::{Purpose, draw, unit};
use crate::setting::{Name, Scope, Silence, always, unless};
use crate::settings;
use crate::slab::Ref;
use crate::units::{Ns, Share};
use crate::world::{Call, Client, Try, World};
use std::collections::VecDeque;

settings! {
    /// A log of calls that were not served.
    pub struct Log {
        /// The kinds of call that can be replayed from it.
        pub calls (required): Vec<Name> = Vec::new() => always;
        /// Share of such calls whose log line has all of their data (a body is not logged).
        pub share: Share = Share(1.0) => always;
        /// Most calls that it keeps; later ones are lost. None: no bound.
        pub capacity: Option<u64> = None, 1 ..= 100000000000 => keeps_any;
    }
}

fn keeps_any(log: &Log, _: &Scope<'_>) -> Silence {
    unless(log.share.0 > 0.0, "`share` is 0%: it keeps nothing")
}

/// A call that the log has kept.
#[derive(Clone, Copy, Debug)]
struct Kept {
    account: Account,
    cause: Cause,
    attempt: u16,
}

/// The log at work.
#[derive(Default)]
pub struct LogState {
    /// Per population: what it has kept, oldest first. Empty where nothing is ever replayed.
    queues: Vec<VecDeque<Kept>>,
    /// Per population: whether its calls are kept.
    wanted: Vec<bool>,
}

impl LogState {
    /// How many calls it keeps of each population.
    pub fn kept(&self) -> impl Iterator<Item = u64> + '_ {
        self.queues.iter().map(|queue| queue.len() as u64)
    }
}

impl World {
    /// Sees which populations' calls are to be kept.
    pub(crate) fn open_log(&mut self) {
        let Some(log) = &self.spec.balancer.log else { return };
        let replayed = |kind: &str| {
            self.spec
                .timeline
                .iter()
                .any(|e| e.enabled && matches!(&e.action, Action::Replay(r) if r.calls.text == kind))
        };
        let wanted = |kind: &str| log.calls.iter().any(|name| name.text == kind) && replayed(kind);
        self.log.wanted = self.spec.clients.iter().map(|(_, c)| wanted(&c.sends.text)).collect();
        self.log.queues = vec![VecDeque::new(); self.spec.clients.len()];
    }

    /// Whether the log keeps a call that nothing can execute any more.
    pub(crate) fn log_keeps<K: Kernel>(&mut self, k: &K, call: Ref) -> bool {
        let (Some(log), call) = (&self.spec.balancer.log, &self.calls[call]) else { return false };
        let population = call.population as usize;
        let can = call.logged && call.client == Client::Failed && self.log.wanted[population];
        if !can || unit(draw(call.salt, Purpose::Logged, 0)) > log.share.0 {
            return false;
        }
        let full = log.capacity.is_some_and(|most| self.log.kept().sum::<u64>() >= most);
        if !full {
            let kept = Kept { account: call.account(), cause: call.cause, attempt: call.attempt };
            self.log.queues[population].push_back(kept);
            self.levels.here.kept.add(k.now(), 1);
        }
        !full
    }

    /// Operators begin to replay a kind of call.
    pub(crate) fn begin_replay<K: Kernel>(&mut self, k: &mut K, entry: u32) {
        k.at(k.now(), Event::Replay(entry));
    }

    /// The next call of the log is sent again.
    pub(crate) fn replay_next<K: Kernel>(&mut self, k: &mut K, entry: u32) {
        let Action::Replay(replay) = &self.spec.timeline[entry as usize].action else { return };
        let (kind, pause) = (replay.calls.text.clone(), Ns((1e9 / replay.rate.0) as u64).max(Ns(1)));
        let of_kind = |p: &usize| self.spec.clients.0[*p].1.sends.text == kind;
        let next = (0..self.log.queues.len()).filter(of_kind).find_map(|p| self.log.queues[p].pop_front());
        // What is lost again comes back into the log, so an empty one is looked at again now and then.
        k.at(k.now().plus(if next.is_some() { pause } else { Ns::secs(1) }), Event::Replay(entry));
        if let Some(kept) = next {
            self.levels.here.kept.remove(k.now(), 1);
            self.send_again(k, kept);
        }
    }

    fn send_again<K: Kernel>(&mut self, k: &mut K, kept: Kept) {
        let Kept { account, cause, attempt } = kept;
        let (fleet, plan) = self.populations[account.population as usize].route();
        let attempt = attempt.saturating_add(1);
        let call = self.calls.insert(Call {
            cohort: account.cohort,
            population: account.population,
            attempt,
            legs: 1,
            late: true,
            client: Client::Failed,
            cause,
            ..Call::new(account.salt, k.now())
        });
        let t = self.tries.insert(Try::new(call, account.salt, attempt, fleet, plan));
        k.record(Fact::Attempt(account));
        self.at_balancer(k, t);
    }
}
