//! Another try at a call: after which failures, when and where is decided by [`crate::policy::resend`].

use crate::kernel::{Event, Kernel, Timer};
use crate::policy::limits::Counted;
use crate::policy::redispatch::{self, Next, Tried};
use crate::policy::resend::{Failed, Failure};
use crate::slab::Ref;
use crate::units::Ns;
use crate::world::{Back, Front, Try, World};

/// A try goes to a server. Its place among the sets may have been another's: its first server begins a new one.
#[inline(never)]
pub(super) fn note_tried(sets: &mut Vec<Tried>, t: Ref, first: bool, server: u32) {
    let at = t.index as usize;
    if sets.len() <= at {
        sets.resize_with(at + 1, Tried::default);
    }
    if first {
        sets[at] = Tried::default();
    }
    sets[at].add(server);
}

/// A try goes on as another: that one has been where it was.
fn note_all_tried(sets: &mut Vec<Tried>, old: Ref, new: Ref) {
    let Some(tried) = sets.get(old.index as usize).cloned() else { return };
    let at = new.index as usize;
    if sets.len() <= at {
        sets.resize_with(at + 1, Tried::default);
    }
    sets[at] = tried;
}

impl World {
    /// Whether a call that failed so is tried again, if there is time and a slot for it.
    #[inline(never)]
    pub(super) fn is_tried_again(&self, t: Ref, failure: Failure) -> bool {
        let try_ = &self.tries[t];
        try_.retries_left > 0 && self.backend_of(t).balancer.retry_policy().covers(failure, self.reads(try_))
    }

    fn reads(&self, try_: &Try) -> bool {
        self.plans[try_.fleet as usize][try_.plan as usize].reads
    }

    /// Tries a call again whose try has failed so; false if that is not to be, and the failure is to be passed on.
    #[inline(never)]
    pub(super) fn try_again_after<K: Kernel>(&mut self, k: &mut K, t: Ref, failure: Failure) -> bool {
        let (same, pause) = match self.next_try(k.now(), t, failure) {
            Next::GiveUp => return false,
            Next::Same(pause) => (true, pause),
            Next::Another(pause) => (false, pause),
        };
        let t = self.leave_server(k, t);
        let try_ = &mut self.tries[t];
        k.cancel(std::mem::replace(&mut try_.timer, Timer::NONE));
        try_.front = Front::Pending;
        // A call that will try the same server again keeps its place there (HAProxy counts it throughout).
        try_.keeps_place = same;
        if !same {
            self.release_server(k, t);
        }
        self.count(t, Counted::No);
        if pause == Ns::ZERO {
            self.try_again(k, t, same);
        } else {
            k.at(k.now().plus(pause), Event::TryAgain(t, same));
        }
        true
    }

    /// What follows a try that failed.
    fn next_try(&mut self, now: Ns, t: Ref, failure: Failure) -> Next {
        self.give_slot_back(t);
        let (try_, reads) = (&self.tries[t], self.reads(&self.tries[t]));
        let backend = &mut self.backends[try_.route as usize];
        let balancer = &backend.balancer;
        let failed = Failed {
            failure,
            reads,
            salt: try_.salt,
            attempt: try_.attempt,
            age: now.minus(try_.arrived),
            under_way: match balancer.retry_budget {
                Some(_) => {
                    backend.members.servers().map(|s| self.connections[s as usize]).sum::<u32>() + backend.queued
                }
                None => 0,
            },
            at: redispatch::Failed {
                refused: failure == Failure::Refused,
                retries: balancer.retries.of(backend.members.let_in()),
                retries_left: try_.retries_left,
                servers_up: backend.members.in_rotation(),
                is_fully_up: backend.members.is_fully_up(try_.server, now),
            },
        };
        let next = balancer.retry_policy().next(&failed, &mut backend.slots);
        self.tries[t].holds_slot = next != Next::GiveUp && balancer.retry_policy().is_bounded();
        next
    }

    /// A retry is over: another may begin.
    #[inline(never)]
    pub(super) fn give_slot_back(&mut self, t: Ref) {
        let try_ = &mut self.tries[t];
        if std::mem::take(&mut try_.holds_slot) {
            self.backends[try_.route as usize].slots.give_back();
        }
    }

    /// The try that goes on: this one if no server has anything of it; otherwise a new one, and this one ends with what its
    /// server makes of it.
    fn leave_server<K: Kernel>(&mut self, k: &mut K, t: Ref) -> Ref {
        let old = &mut self.tries[t];
        if old.back == Back::None {
            return t;
        }
        k.cancel(std::mem::replace(&mut old.timer, Timer::NONE));
        old.front = Front::Closed;
        let again = Try {
            purpose: old.purpose,
            parent: old.parent,
            route: old.route,
            server: old.server,
            dispatches: old.dispatches,
            retries_left: old.retries_left,
            asks: old.asks,
            client_gone: old.client_gone,
            holds_slot: std::mem::take(&mut old.holds_slot),
            counted: std::mem::take(&mut old.counted),
            work: old.work,
            arrived: old.arrived,
            ..Try::new(old.call, old.salt, old.attempt, old.fleet, old.plan)
        };
        let (call, arrived, parent) = (again.call, again.arrived, again.parent);
        let new = self.tries.insert(again);
        if let Some(errand) = self.tries.get_mut(parent).filter(|errand| errand.query == t) {
            errand.query = new;
        }
        note_all_tried(&mut self.tried, t, new);
        let call = &mut self.calls[call];
        call.legs += 1;
        if call.current == t {
            call.current = new;
        }
        if let Some(limit) = self.backend_of(new).balancer.call_timeout {
            k.at(arrived.plus(limit).max(k.now()), Event::CallTimeout(new));
        }
        new
    }
}
