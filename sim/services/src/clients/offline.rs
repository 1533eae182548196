//! Calls that clients have given up and keep, to send them again when they are back.
//!
//! A call waits in the queue of its population until its client returns; then one attempt is made, and if that fails, the
//! client keeps it on. Whether a call is kept and when its client is back is drawn from the call, as on the kernel.

use super::Population;
use crate::crew::Crew;
use crate::platform::{Platform, first};
use crate::town::Held;
use crate::witness::Chance;
use brownout_models::component::clients::Offline as Spec;
use brownout_models::random::{Distribution, Purpose, draw, unit};
use brownout_models::units::Ns;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// A call, as its client remembers it.
#[derive(Clone, Copy)]
pub(super) struct Sent {
    pub call: u64,
    pub salt: u64,
    pub offered: Ns,
    /// The last attempt.
    pub attempt: u16,
}

/// A call that its client keeps.
struct Kept {
    sent: Sent,
    chance: Chance,
    _counted: Held,
}

/// By the time of their clients' return, and the order in which they were put there.
#[derive(Default)]
struct Queue {
    kept: BTreeMap<(Ns, u64), Kept>,
    next: u64,
}

/// The calls that the clients of a population keep.
pub(super) struct Offline {
    spec: Spec,
    queue: Mutex<Queue>,
    /// Set off when a client may be back sooner than the one that was next.
    sooner: Notify,
}

impl Offline {
    pub(super) fn new(spec: Spec) -> Offline {
        Offline { spec, queue: Mutex::default(), sooner: Notify::new() }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client that is back by now, or when the next one will be.
    fn next(&self, now: Ns) -> Result<Kept, Option<Ns>> {
        let mut queue = self.queue();
        match queue.kept.first_key_value() {
            Some(((at, _), _)) if *at <= now => queue.kept.pop_first().map(|(_, kept)| kept).ok_or(None),
            Some(((at, _), _)) => Err(Some(*at)),
            None => Err(None),
        }
    }

    /// A kept call waits for its client's return; if that is too late, it is forgotten.
    fn keep_on(&self, kept: Kept, now: Ns) {
        let Sent { salt, offered, attempt, .. } = kept.sent;
        let away = Distribution::Exponential(self.spec.returns_after);
        let back = now.plus(away.sample(salt, Purpose::Returns, u32::from(attempt)));
        if back.minus(offered) > self.spec.keeps || attempt >= u16::MAX - 1 {
            kept.chance.end_quietly();
            return;
        }
        let mut queue = self.queue();
        queue.next += 1;
        let place = (back, queue.next);
        queue.kept.insert(place, kept);
        drop(queue);
        self.sooner.notify_one();
    }
}

impl<P: Platform> Population<P> {
    /// A client that gives a call up may keep it.
    pub(super) fn may_keep(&self, sent: Sent) {
        let Some(offline) = self.offline.as_ref().filter(|_| !self.reads) else { return };
        let kept = self.town.kept(self.number);
        let room = offline.spec.capacity.is_none_or(|most| kept.count() < most);
        if !room || unit(draw(sent.salt, Purpose::Kept, 0)) > offline.spec.share.0 {
            return;
        }
        let chance = self.town.witness().chance(sent.call);
        offline.keep_on(Kept { sent, chance, _counted: kept.hold() }, self.platform.now());
    }

    /// Sends calls again as their clients come back.
    pub(super) async fn come_back(self: Arc<Self>) {
        let Some(offline) = &self.offline else { return };
        let crew = Crew::new(&self.platform);
        loop {
            match offline.next(self.platform.now()) {
                Ok(kept) => {
                    let population = self.clone();
                    crew.run(async move { population.send_kept(kept).await });
                }
                Err(Some(at)) => {
                    first(self.platform.sleep_until(at), offline.sooner.notified()).await;
                }
                Err(None) => offline.sooner.notified().await,
            }
        }
    }

    async fn send_kept(&self, mut kept: Kept) {
        let Some(offline) = &self.offline else { return };
        let (witness, timeout) = (self.town.witness(), self.spec().timeout);
        kept.sent.attempt += 1;
        let Sent { call, salt, attempt, .. } = kept.sent;
        witness.comes_late(call);
        match self.platform.within(timeout, self.attempt(call, salt, attempt)).await {
            Some(Ok(200..300)) => kept.chance.end_quietly(),
            _ => {
                witness.turns_away(call);
                offline.keep_on(kept, self.platform.now());
            }
        }
    }
}
