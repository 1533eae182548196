//! What stands before the work of a call, and before its store: shedding, limits, bulkhead, breaker.
//!
//! Their order and what they answer are those of [`guards`]; here is the way of a call past them.

use super::ResolvedPlan;
use super::spool::SpoolHere;
use crate::component::collector::Concurrency;
use crate::kernel::{Event, Kernel, Timer};
use crate::policy::adaptive::Limiter;
use crate::policy::breaker::{BreakerState, Turns};
use crate::policy::bulkhead::Bulkhead;
use crate::policy::guards::{self, Inside, Lesson};
use crate::policy::retry::Tokens;
use crate::policy::spool::SpoolTurns;
use crate::slab::Ref;
use crate::world::{Back, Try, World};
use std::collections::VecDeque;

/// What one server has for one kind of call.
#[derive(Default)]
pub struct Guard {
    pub(super) bulkhead: Option<BulkheadState>,
    pub(super) breaker: Option<BreakerState>,
    pub(super) limiter: Option<Limiter>,
    pub(super) spool: Option<SpoolHere>,
    /// What an errand may still spend on retries.
    pub(super) tokens: Option<Tokens>,
}

/// The bulkhead of one kind at one server.
pub(super) struct BulkheadState {
    gate: Bulkhead,
    waiting: VecDeque<Ref>,
}

impl Guard {
    /// What a plan asks for, if anything.
    pub(super) fn of(plan: &ResolvedPlan) -> Option<Box<Guard>> {
        let guard = Guard {
            bulkhead: plan
                .bulkhead
                .map(|(limit, queue)| BulkheadState { gate: Bulkhead::new(limit, queue), waiting: VecDeque::new() }),
            breaker: plan.breaker.as_ref().map(BreakerState::new),
            limiter: plan.limit.as_ref().map(Limiter::new),
            spool: plan.spool.as_ref().map(|_| SpoolHere::default()),
            tokens: plan.budget().map(Tokens::new),
        };
        let any = guard.bulkhead.is_some()
            || guard.breaker.is_some()
            || guard.limiter.is_some()
            || guard.spool.is_some()
            || guard.tokens.is_some();
        any.then(|| Box::new(guard))
    }

    /// Calls in the spool.
    pub(super) fn spooled(&self) -> usize {
        self.spool.as_ref().map_or(0, SpoolHere::held)
    }

    /// Most calls in the spool since this was last asked.
    pub(super) fn take_spool_peak(&mut self) -> usize {
        self.spool.as_mut().map_or(0, SpoolHere::take_peak)
    }

    /// The process died, and all that it knew with it; the spool is looked after elsewhere.
    pub(super) fn reset(&mut self, plan: &ResolvedPlan) {
        if let Some(bulkhead) = &mut self.bulkhead {
            bulkhead.gate.reset();
            bulkhead.waiting.clear();
        }
        if let (Some(breaker), Some(spec)) = (&mut self.breaker, &plan.breaker) {
            *breaker = breaker.afresh(spec);
        }
        self.limiter = plan.limit.as_ref().map(Limiter::new);
        self.tokens = plan.budget().map(Tokens::new);
    }
}

/// What the machines of one fleet have gone through for one kind of call, all servers together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct GuardTurns {
    /// The fleet, by its place in the file.
    pub fleet: usize,
    /// The kind of call, by its place among the fleet's.
    pub plan: usize,
    /// Its circuit breakers, if it has any.
    pub breakers: Option<Turns>,
    /// Its spools, if it has any.
    pub spools: Option<SpoolTurns>,
}

impl World {
    /// What breakers and spools have gone through, by fleet and kind of call; those that have neither are left out.
    pub fn guard_turns(&self) -> Vec<GuardTurns> {
        let mut out: Vec<GuardTurns> = Vec::new();
        for server in &self.servers {
            for (plan, guard) in server.guards.iter().enumerate() {
                let Some(guard) = guard else { continue };
                let fleet = server.fleet as usize;
                let (breaker, spool) = (guard.breaker.as_ref(), guard.spool.as_ref());
                if breaker.is_none() && spool.is_none() {
                    continue;
                }
                // Those of a call's asks are its own.
                let plan = self.plans[fleet][plan].kind as usize;
                if !out.iter().any(|t| (t.fleet, t.plan) == (fleet, plan)) {
                    out.push(GuardTurns { fleet, plan, ..GuardTurns::default() });
                }
                let Some(sum) = out.iter_mut().find(|t| (t.fleet, t.plan) == (fleet, plan)) else { continue };
                if let Some(breaker) = breaker {
                    sum.breakers.get_or_insert_default().add(breaker.turns());
                }
                if let Some(spool) = spool {
                    sum.spools.get_or_insert_default().add(spool.turns());
                }
            }
        }
        out
    }

    /// Whether a call that a worker (or a core) has taken may go to work. If not, it has been answered, or waits.
    pub(super) fn passes<K: Kernel>(&mut self, k: &mut K, t: Ref) -> bool {
        let try_ = &mut self.tries[t];
        if !try_.purpose.is_call() {
            return true;
        }
        let fleet = &self.spec.fleets.0[try_.fleet as usize].1;
        let is_stale = fleet.shedding.as_ref().is_some_and(|shedding| shedding.is_stale(k.now().minus(try_.since)));
        let server = &mut self.servers[try_.server as usize];
        let guard = server.guards[try_.plan as usize].as_mut();
        let is_guarded = guard.is_some();
        let kind = guard.and_then(|guard| guard.limiter.as_mut());
        match guards::enter(is_stale, server.limiter.as_mut(), kind, &mut try_.limited) {
            Ok(enters) => {
                if enters {
                    try_.started = k.now();
                }
                !is_guarded || self.enters_bulkhead(k, t)
            }
            Err(cause) => {
                self.finish(k, t, guards::TURNED_AWAY, cause);
                false
            }
        }
    }

    /// Whether an errand passes what protects the process from its kind. If not, it is over, or waits.
    pub(super) fn errand_passes<K: Kernel>(&mut self, k: &mut K, t: Ref) -> bool {
        let try_ = &mut self.tries[t];
        let guard = self.servers[try_.server as usize].guards[try_.plan as usize].as_mut();
        let kind = guard.and_then(|guard| guard.limiter.as_mut());
        match guards::enter(false, None, kind, &mut try_.limited) {
            Ok(enters) => {
                if enters {
                    try_.started = k.now();
                }
                self.enters_bulkhead(k, t)
            }
            Err(cause) => {
                self.finish(k, t, guards::TURNED_AWAY, cause);
                false
            }
        }
    }

    fn enters_bulkhead<K: Kernel>(&mut self, k: &mut K, t: Ref) -> bool {
        let try_ = &mut self.tries[t];
        let server = &mut self.servers[try_.server as usize];
        let (fleet, plan) = (try_.fleet as usize, try_.plan as usize);
        let guard = server.guards[plan].as_mut().and_then(|guard| guard.bulkhead.as_mut());
        let Some(bulkhead) = guard.filter(|_| !try_.in_bulkhead) else { return true };
        match guards::enter_bulkhead(&mut bulkhead.gate) {
            Ok(true) => {
                try_.in_bulkhead = true;
                true
            }
            Err(cause) => {
                self.finish(k, t, guards::TURNED_AWAY, cause);
                false
            }
            Ok(false) => {
                try_.back = Back::AtBulkhead;
                bulkhead.waiting.push_back(t);
                let number = try_.server;
                if let Some(wait) = self.plans[fleet][plan].wait {
                    let timer = self.arm_at(k, number, wait, Event::BulkheadTimeout(t));
                    self.tries[t].step_timer = timer;
                }
                let (try_, server) = (&mut self.tries[t], &mut self.servers[number as usize]);
                if self.spec.fleets.0[fleet].1.concurrency == Concurrency::EventLoop && try_.holds_worker {
                    // A worker waits with its call; a core goes on with the next.
                    try_.holds_worker = false;
                    server.busy -= 1;
                }
                false
            }
        }
    }

    /// A wait for the bulkhead was too long.
    pub(crate) fn bulkhead_timed_out<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let try_ = &mut self.tries[t];
        try_.step_timer = Timer::NONE;
        let Try { server, plan, .. } = *try_;
        if let Some(bulkhead) = self.bulkhead_at(server, plan) {
            bulkhead.gate.on_give_up();
            bulkhead.waiting.retain(|w| *w != t);
        }
        self.finish(k, t, guards::TURNED_AWAY, guards::WAITED_IN_VAIN);
    }

    fn bulkhead_at(&mut self, server: u32, plan: u16) -> Option<&mut BulkheadState> {
        self.servers[server as usize].guards[plan as usize].as_mut()?.bulkhead.as_mut()
    }

    /// A call leaves its bulkhead; the one that enters in its place, if one waits.
    pub(super) fn leave_bulkhead(&mut self, server: u32, plan: u16) -> Option<Ref> {
        let bulkhead = self.bulkhead_at(server, plan)?;
        if bulkhead.gate.on_exit() { bulkhead.waiting.pop_front() } else { None }
    }

    /// A call leaves the adaptive limits that it counts against, and tells them how long it took.
    pub(super) fn leave_limits<K: Kernel>(&mut self, k: &K, t: Ref, status: u16) {
        let try_ = &mut self.tries[t];
        let Inside { server: whole, kind } = std::mem::take(&mut try_.limited);
        let (took, lesson) = (k.now().minus(try_.started), Lesson::of(status, Some(try_.cause)));
        let (fleet, plan) = (try_.fleet as usize, try_.plan as usize);
        let server = &mut self.servers[try_.server as usize];
        if let (true, Some(limiter), Some(spec)) = (whole, &mut server.limiter, &self.spec.fleets.0[fleet].1.limit) {
            lesson.teach(limiter, spec, took);
        }
        let guard = server.guards[plan].as_mut();
        if let (true, Some(guard), Some(spec)) = (kind, guard, &self.plans[fleet][plan].limit)
            && let Some(limiter) = &mut guard.limiter
        {
            lesson.teach(limiter, spec, took);
        }
    }

    /// Whether the circuit breaker, if there is one, lets a try ask its store.
    pub(super) fn passes_breaker<K: Kernel>(&mut self, k: &K, t: Ref) -> bool {
        let try_ = &mut self.tries[t];
        let Some(spec) = &self.plans[try_.fleet as usize][try_.plan as usize].breaker else { return true };
        let guard = self.servers[try_.server as usize].guards[try_.plan as usize].as_mut();
        let Some(breaker) = guard.and_then(|guard| guard.breaker.as_mut()) else { return true };
        try_.since = k.now();
        try_.permit = breaker.try_enter(spec, k.now());
        try_.permit.is_some()
    }

    /// The store has served a try, or failed it: the breaker is told.
    pub(super) fn tell_breaker<K: Kernel>(&mut self, k: &K, t: Ref, ok: bool) {
        let try_ = &mut self.tries[t];
        let Some(permit) = try_.permit.take() else { return };
        let Some(spec) = &self.plans[try_.fleet as usize][try_.plan as usize].breaker else { return };
        let guard = self.servers[try_.server as usize].guards[try_.plan as usize].as_mut();
        if let Some(breaker) = guard.and_then(|guard| guard.breaker.as_mut()) {
            breaker.on_result(spec, permit, ok, k.now().minus(try_.since), k.now());
        }
    }
}
