//! A store's hot spare: replication, failover, and what the change loses.
//!
//! When to promote is decided by [`crate::policy::failover`]. A write counts as stored when the spare has it too, one
//! replication lag after the primary took it; what the spare does not have when the primary goes is lost, although
//! its client was told ok (asynchronous replication). The change cuts every connection to the old primary.

use crate::kernel::{Event, Kernel, Lane};
use crate::ledger::Cause;
use crate::policy::failover::{Failover, Step};
use crate::slab::Ref;
use crate::world::World;
use std::collections::VecDeque;

/// Whose write it is.
#[derive(Clone, Copy)]
enum Whose {
    /// A call of this world, and whether its client had left when the primary had executed it.
    Call(Ref, bool),
    /// A call that another runtime carries, by that runtime's number.
    Elsewhere(u64),
}

/// A write that the spare does not have yet.
struct Unreplicated {
    of: Whose,
    number: u32,
}

/// A primary and its spare.
pub struct Pair {
    failover: Failover,
    /// From a write to its arrival at the spare.
    lane: Lane,
    unreplicated: VecDeque<Unreplicated>,
    next: u32,
    /// Whether replication stands still.
    is_cut_off: bool,
    /// What has become of writes of another runtime, until it asks: whether the spare has them.
    told: Vec<(u64, bool)>,
}

impl Pair {
    /// A spare that is up to date.
    pub(super) fn new(lane: Lane) -> Pair {
        Pair {
            failover: Failover::new(),
            lane,
            unreplicated: VecDeque::new(),
            next: 0,
            is_cut_off: false,
            told: Vec::new(),
        }
    }
}

impl World {
    fn pair(&mut self, store: u16) -> Option<&mut Pair> {
        self.stores[store as usize].pair.as_mut().filter(|pair| !pair.failover.is_promoted())
    }

    /// The primary has executed a write: stored, if there is no spare that must have it first.
    pub(super) fn written<K: Kernel>(&mut self, k: &mut K, store: u16, call: Ref, client_gone: bool) {
        if self.replicates(k, store, Whose::Call(call, client_gone)) {
            self.calls[call].legs += 1;
        } else {
            self.stored(k, call, client_gone);
        }
    }

    /// The primary has executed a write of a call that another runtime carries, under this number. Whether the spare must
    /// have it first: then [`World::take_replicated`] tells what becomes of it.
    pub fn replicates_elsewhere<K: Kernel>(&mut self, k: &mut K, store: u16, number: u64) -> bool {
        self.replicates(k, store, Whose::Elsewhere(number))
    }

    /// What has become of another runtime's writes since it last asked: their numbers, and whether the spare has them.
    pub fn take_replicated(&mut self) -> Vec<(u64, bool)> {
        let pairs = self.stores.iter_mut().filter_map(|store| store.pair.as_mut());
        pairs.flat_map(|pair| std::mem::take(&mut pair.told)).collect()
    }

    /// A write sets out for the spare, if there is one that has not been promoted yet.
    fn replicates<K: Kernel>(&mut self, k: &mut K, store: u16, of: Whose) -> bool {
        let Some(pair) = self.pair(store) else { return false };
        pair.next = pair.next.wrapping_add(1);
        let (number, lane) = (pair.next, pair.lane);
        pair.unreplicated.push_back(Unreplicated { of, number });
        k.after(lane, Event::Replicated(store, number));
        true
    }

    /// The spare has a write, or never will.
    fn replication_ends<K: Kernel>(&mut self, k: &mut K, store: u16, of: Whose, has: bool) {
        match of {
            Whose::Call(call, client_gone) => {
                if has {
                    self.stored(k, call, client_gone);
                }
                self.leg_ends(k, call, if has { Cause::ClientLeft } else { Cause::NotReplicated });
            }
            Whose::Elsewhere(number) => {
                let pair = self.stores[store as usize].pair.as_mut();
                pair.into_iter().for_each(|pair| pair.told.push((number, has)));
            }
        }
    }

    /// A write has reached the spare, if replication goes on.
    pub(crate) fn replicated<K: Kernel>(&mut self, k: &mut K, store: u16, number: u32) {
        let Some(pair) = self.pair(store).filter(|pair| !pair.is_cut_off) else { return };
        // Writes from before an interruption have been caught up on.
        if pair.unreplicated.front().is_some_and(|write| write.number == number)
            && let Some(write) = pair.unreplicated.pop_front()
        {
            self.replication_ends(k, store, write.of, true);
        }
    }

    /// The primary serves no more.
    pub(super) fn primary_down<K: Kernel>(&mut self, k: &mut K, store: u16) {
        let Some(spec) = self.spec.stores.0[store as usize].1.spare.clone() else { return };
        let Some(pair) = self.pair(store) else { return };
        pair.is_cut_off = true;
        if let Some(at) = pair.failover.on_down(&spec, k.now()) {
            k.at(at, Event::Failover(store));
        }
    }

    /// The primary serves again: the spare catches up, unless its promotion is under way.
    pub(super) fn primary_up<K: Kernel>(&mut self, k: &mut K, store: u16) {
        let Some(pair) = self.pair(store) else { return };
        pair.failover.on_up(k.now());
        if pair.failover.is_promoting() {
            return;
        }
        pair.is_cut_off = false;
        for write in std::mem::take(&mut pair.unreplicated) {
            self.replication_ends(k, store, write.of, true);
        }
    }

    /// Whether there is a spare that has not been promoted yet.
    pub(super) fn has_spare(&mut self, store: u16) -> bool {
        self.pair(store).is_some()
    }

    /// The spare is promoted, whatever the primary does.
    pub(super) fn promote<K: Kernel>(&mut self, k: &mut K, store: u16) {
        let (name, spec) = &self.spec.stores.0[store as usize];
        let (name, Some(spec)) = (name.text.clone(), spec.spare.clone()) else { return };
        let Some(pair) = self.pair(store) else { return };
        pair.is_cut_off = true;
        let at = pair.failover.on_forced(&spec, k.now());
        k.mark(format!("the spare of {name} is being promoted"), None);
        k.at(at, Event::Failover(store));
    }

    /// A failover may take its next step.
    pub(crate) fn failover_due<K: Kernel>(&mut self, k: &mut K, store: u16) {
        let (name, spec) = &self.spec.stores.0[store as usize];
        let (name, Some(spec)) = (name.text.clone(), spec.spare.clone()) else { return };
        let Some(pair) = self.pair(store) else { return };
        match pair.failover.on_due(&spec, k.now()) {
            Step::None => {}
            Step::WaitUntil(at) => {
                k.mark(format!("{name} is given up; its spare is being promoted"), None);
                k.at(at, Event::Failover(store));
            }
            Step::PromotedNow => {
                let lost = std::mem::take(&mut pair.unreplicated);
                let of = match lost.len() {
                    0 => String::new(),
                    n => format!("; {n} writes had not reached it"),
                };
                k.mark(format!("the spare of {name} takes over{of}"), None);
                self.take_over(k, store, spec.shares_headroom);
                lost.iter().for_each(|write| self.replication_ends(k, store, write.of, false));
                self.failovers_done(k, &name);
            }
        }
    }

    /// Another machine serves in the store's place: no fault of the old one is in force any more, except, if it
    /// `shares_headroom`, the lack of that. Connections to the old one are cut.
    pub(crate) fn take_over<K: Kernel>(&mut self, k: &mut K, store: u16, shares_headroom: bool) {
        self.cut(k, store, None);
        let headroom = self.spec.stores.0[store as usize].1.headroom.as_ref().map(|h| h.restored_to.0);
        let s = &mut self.stores[store as usize];
        let before = s.knobs;
        let kept = if shares_headroom { s.stopped } else { None };
        s.stack.keep_only(kept);
        s.starts_no_more();
        s.work_out_knobs();
        if let (None, Some(level), false) = (kept, headroom, shares_headroom) {
            s.refill(level, k.now());
            s.stopped = None;
        }
        self.knobs_changed(k, store, before);
        self.expect_threshold(k, store);
    }
}
