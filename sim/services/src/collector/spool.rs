//! Asynchronous calls: accepted into a spool, answered, and written to the store afterwards at a finite rate.
//!
//! The bound, the pace and what a crash leaves are decided by the shared policy (`policy::spool`). A write out of the
//! spool asks the store as a call does (pool, deadline, circuit breaker, and what a failure does to the process), but holds
//! no worker. A spool on disk is the machine's and outlives the process; one in memory counts on the heap of the process
//! and is gone with it.

use super::asking::Asker;
use super::{Ended, Process};
use crate::crew::Crew;
use crate::http::Ticket;
use crate::platform::Platform;
use crate::witness::Chance;
use brownout_models::ledger::Cause;
use brownout_models::policy::spool::{Spool as Spec, SpoolState, SpoolTo};
use brownout_models::units::Ns;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// A call in a spool.
struct Spooled {
    ticket: Ticket,
    accepted: Ns,
    chance: Chance,
}

struct State {
    at: SpoolState<Spooled>,
    /// What is being written, in the order in which the writes began.
    under_way: BTreeMap<u64, Spooled>,
    next: u64,
}

/// The spool of one machine for one kind of call.
pub struct Spool {
    spec: Spec,
    state: Mutex<State>,
}

/// A write that has begun.
struct Write {
    number: u64,
    ticket: Ticket,
    accepted: Ns,
}

/// What a look at a spool finds.
enum Look {
    /// Nothing to write, or enough under way.
    Nothing,
    /// The next write may begin then.
    Later(Ns),
    /// A write has begun.
    Begun(Write),
}

impl Spool {
    /// An empty one.
    pub fn new(spec: Spec) -> Spool {
        Spool { spec, state: Mutex::new(State { at: SpoolState::new(), under_way: BTreeMap::new(), next: 0 }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls in it, those under way included.
    pub fn held(&self) -> u64 {
        let state = self.state();
        (state.at.len() + state.under_way.len()) as u64
    }

    /// Most calls in it since this was last asked.
    pub fn take_peak(&self) -> u64 {
        self.state().at.take_peak() as u64
    }

    /// What it takes of the heap of its process.
    fn memory(&self) -> u64 {
        self.state().at.memory(&self.spec).0
    }

    fn push(&self, call: Spooled) -> Result<(), Spooled> {
        self.state().at.try_push(&self.spec, call)
    }

    fn look(&self, now: Ns) -> Look {
        let mut state = self.state();
        match state.at.next_at(now) {
            None => return Look::Nothing,
            Some(at) if at > now => return Look::Later(at),
            Some(_) => {}
        }
        let Some(call) = state.at.take(&self.spec, now) else { return Look::Nothing };
        state.next += 1;
        let (number, ticket, accepted) = (state.next, call.ticket, call.accepted);
        state.under_way.insert(number, call);
        Look::Begun(Write { number, ticket, accepted })
    }

    /// A write has ended.
    fn ends(&self, write: &Write, ok: bool, now: Ns) {
        let mut state = self.state();
        let Some(call) = state.under_way.remove(&write.number) else { return };
        if ok {
            state.at.on_done();
            call.chance.end(Cause::ClientLeft);
        } else {
            state.at.on_failed(&self.spec, call, now);
        }
    }

    /// The process of its machine has died: what was in memory is lost; on disk, what was being written is still there.
    pub fn crash(&self) {
        let mut state = self.state();
        // Whatever is dropped here ends as lost from the spool.
        drop(state.at.crash(&self.spec));
        for (_, call) in std::mem::take(&mut state.under_way).into_iter().rev() {
            match self.spec.to {
                SpoolTo::Disk => state.at.put_back(call),
                SpoolTo::Memory => drop(call),
            }
        }
    }
}

/// A spool as the process has it that writes it to the store.
pub(super) struct Draining {
    spool: Arc<Spool>,
    /// Set off when there may be something to write.
    look: Notify,
}

impl Draining {
    pub(super) fn of(spool: &Option<Arc<Spool>>) -> Option<Draining> {
        spool.as_ref().map(|spool| Draining { spool: spool.clone(), look: Notify::new() })
    }
}

impl<P: Platform> Process<P> {
    /// What its spools take of the heap.
    pub(super) fn spooled_memory(&self) -> u64 {
        self.spools.iter().flatten().map(|here| here.spool.memory()).sum()
    }

    /// A call's work is done: into the spool with it, if its kind has one.
    pub(super) async fn accept_into_spool(&self, at: usize, ticket: &Ticket) -> Option<Ended> {
        let here = self.spools[at].as_ref()?;
        let chance = self.town.witness().chance(ticket.call).or_else(Cause::SpoolLost);
        let call = Spooled { ticket: *ticket, accepted: self.platform.now(), chance };
        if let Err(back) = here.spool.push(call) {
            back.chance.end(Cause::SpoolFull);
            return Some((503, Some(Cause::SpoolFull)));
        }
        if self.is_over_its_heap() {
            self.die(Ns::ZERO).await;
        }
        here.look.notify_one();
        Some((200, None))
    }

    /// Writes what a spool holds to the store, for as long as the process lives.
    pub(super) async fn drain(self: Arc<Self>, at: usize) {
        let Some(here) = &self.spools[at] else { return };
        let crew = Crew::new(&self.platform);
        loop {
            match here.spool.look(self.platform.now()) {
                Look::Nothing => here.look.notified().await,
                Look::Later(at) => self.platform.sleep_until(at).await,
                Look::Begun(write) => {
                    let process = self.clone();
                    crew.run(async move { process.write_spooled(at, write).await });
                }
            }
        }
    }

    async fn write_spooled(&self, at: usize, write: Write) {
        let (Some(here), plan) = (&self.spools[at], &self.fleet().calls.0[at].1) else { return };
        let Some(store) = self.store_of(plan) else { return };
        let _pending = self.meters.pending.hold();
        let late_from = write.accepted.plus(here.spool.spec.late_after);
        let (status, _) = self.ask(store, plan, Some(at), &write.ticket, Asker::Spool(late_from)).await;
        here.spool.ends(&write, status == 200, self.platform.now());
        here.look.notify_one();
    }
}
