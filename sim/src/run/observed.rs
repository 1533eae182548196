//! A run that somebody looks on at.
//!
//! The observer stands outside: after each event it sees the world as the event has left it, and the facts that were taken
//! down. Nothing in the world knows of it, so that a run is the same with it and without, and costs nothing without.

use super::{Ended, Run};
use crate::ledger::{Entry, Imbalance};
use brownout_models::units::Ns;
use brownout_models::world::World;

/// Looks on at a run.
pub trait Observer {
    /// An event has been handled: the time, the world after it, the facts that came of it, and how many calls have been
    /// offered since the start of the run.
    fn after(&mut self, now: Ns, world: &World, facts: &[Entry], offered: u64);

    /// Whether it has seen enough.
    fn has_enough(&self) -> bool;
}

impl Run {
    /// As [`Run::step_unless`], under the eyes of an observer.
    ///
    /// # Errors
    /// [`Imbalance`] if the books do not balance.
    pub fn step_observed(
        &mut self,
        observer: &mut dyn Observer,
        halted: &dyn Fn() -> bool,
    ) -> Result<Option<Ended>, Imbalance> {
        self.engine.ledger.kept.get_or_insert_default().clear();
        self.step_by(&mut |run| {
            let limit = run.limit_reached(halted);
            if limit.is_some() {
                return limit;
            }
            // One event at a time through the same loop: there is only one, and it knows nothing of observers.
            while run.handle(run.events + 1) {
                let ledger = &mut run.engine.ledger;
                let offered = ledger.offered();
                observer.after(run.engine.due.now(), &run.world, ledger.kept.as_deref().unwrap_or_default(), offered);
                ledger.kept.get_or_insert_default().clear();
                if run.events >= run.next_pause() {
                    let limit = run.limit_reached(halted);
                    if limit.is_some() {
                        return limit;
                    }
                }
            }
            None
        })
    }
}
