//! Turns of queries: of a kind with a bound of its own only so many queue with the others, and of those only so many run.

use super::Store;
use crate::kernel::Kernel;
use crate::policy::bulkhead::Limit;
use crate::slab::Ref;
use crate::world::{Query, QueryState, World};
use std::collections::VecDeque;

/// Queries of one kind of call, of which a store runs only so many at once.
pub(super) struct ShareState {
    limit: u32,
    inside: u32,
    waiting: VecDeque<Ref>,
}

impl ShareState {
    pub(super) fn new(limit: u32) -> ShareState {
        ShareState { limit, inside: 0, waiting: VecDeque::new() }
    }
}

impl ShareState {
    /// Queries of the kind that wait apart.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }
    /// One queues with the others no longer, and none takes its place.
    pub(super) fn leave(&mut self) {
        self.inside -= 1;
    }
    /// All of them are gone.
    pub(super) fn clear(&mut self) {
        *self = ShareState::new(self.limit);
    }
}

impl Store {
    /// Most queries at once of a kind that `at_most` lists.
    pub fn share(&self, limit: Limit) -> u32 {
        limit.of(self.concurrency.unwrap_or(u32::MAX)).max(1)
    }
}

impl World {
    /// Whether a query may queue with the others: its kind has not as many there as it may have.
    pub(super) fn enters_share<K: Kernel>(&mut self, k: &mut K, q: Ref) -> bool {
        let Query { store, fleet, plan, .. } = self.queries[q];
        let Some(share) = self.plans[fleet as usize][plan as usize].share else { return true };
        let share = &mut self.stores[store as usize].shares[share as usize];
        if share.inside < share.limit {
            share.inside += 1;
            return true;
        }
        self.queries[q].state = QueryState::Waiting;
        share.waiting.push_back(q);
        self.waits(k, store);
        false
    }

    /// A query has been served: another of its kind may queue with the others.
    pub(super) fn leaves_share<K: Kernel>(&mut self, k: &mut K, store: u16, fleet: u16, plan: u16) {
        let Some(share) = self.plans[fleet as usize][plan as usize].share else { return };
        let share = &mut self.stores[store as usize].shares[share as usize];
        match share.waiting.pop_front() {
            Some(next) => {
                self.waits(k, store);
                self.take_turn(k, next);
            }
            None => share.inside -= 1,
        }
    }

    /// A query runs, or waits until it can.
    pub(super) fn take_turn<K: Kernel>(&mut self, k: &mut K, q: Ref) {
        let store = self.queries[q].store;
        let limit = self.spec.stores.0[store as usize].1.concurrency.unwrap_or(u32::MAX);
        let s = &mut self.stores[store as usize];
        if s.running < limit {
            self.run_query(k, q);
        } else {
            self.queries[q].state = QueryState::Waiting;
            s.waiting.push_back(q);
            self.waits(k, store);
        }
    }
}
