//! The asks of a plan of several: each is an errand, run at the server that has the call, which waits for it.
//!
//! An errand to a store asks it as a call of one ask does. An errand to a service sends a call of its own on the route to
//! that fleet, as a client does, with the patience and the retries that the file gives it. What a callee still has of a call
//! that its caller has given up is executed all the same.

use super::plan::Callee;
use crate::component::balancer::Backend;
use crate::kernel::{Event, Fact, Kernel, Timer};
use crate::ledger::Cause;
use crate::random::{Purpose as Draw, draw, unit};
use crate::slab::Ref;
use crate::world::{Back, Front, Look, Purpose, Try, World};

/// From the plan of an ask through a cache to that of the lookup, and of setting what was got.
const LOOKUP: u16 = 1;
const SETTING: u16 = 2;

/// How others reach a fleet.
#[derive(Clone, Debug)]
pub enum Way {
    /// By no way: no service asks it.
    None,
    /// All callers by one proxy: the route.
    Proxy(u16),
    /// Each calling process balances for itself: the route of each server that calls, by its number.
    Caller(Vec<u16>),
}

impl World {
    /// The computing time of a call is over; its steps follow.
    #[inline(never)]
    pub(super) fn begin_steps<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let try_ = &mut self.tries[t];
        try_.step = 0;
        let server = &mut self.servers[try_.server as usize];
        if server.is_event_loop {
            let number = try_.server;
            try_.holds_worker = false;
            server.busy -= 1;
            self.next_step(k, t);
            self.work_on(k, number);
        } else {
            self.next_step(k, t);
        }
    }

    /// The next step of a call begins; after the last it is answered.
    fn next_step<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        // What is to be asked is known before the first is, which may end the call. The list keeps its room.
        let mut asks = std::mem::take(&mut self.step_asks);
        asks.clear();
        while asks.is_empty() {
            let try_ = &mut self.tries[t];
            let plans = &self.plans[try_.fleet as usize];
            let Some(step) = plans[try_.plan as usize].steps.get(try_.step as usize) else {
                self.step_asks = asks;
                self.finish(k, t, 200, Cause::ClientLeft);
                return;
            };
            try_.step += 1;
            let salt = try_.salt;
            let takes = |at: &&u16| {
                let share = plans[**at as usize].errand.as_ref().map_or(1.0, |errand| errand.share);
                share >= 1.0 || (share > 0.0 && unit(draw(salt, Draw::Share, u32::from(**at))) <= share)
            };
            asks.extend(step.iter().filter(takes));
        }
        let try_ = &mut self.tries[t];
        (try_.back, try_.open) = (Back::AtSteps, asks.len() as u16);
        let turn = (try_.dispatches, try_.step);
        for at in &asks {
            let waits = |t: &Try| t.back == Back::AtSteps && (t.dispatches, t.step) == turn;
            if self.tries.get(t).is_some_and(waits) {
                self.send_errand(k, t, *at);
            }
        }
        self.step_asks = asks;
    }

    /// One ask of a call's step sets out.
    fn send_errand<K: Kernel>(&mut self, k: &mut K, parent: Ref, plan: u16) {
        let p = &self.tries[parent];
        let number = (u32::from(plan) << 16) ^ (u32::from(p.attempt) << 8) ^ u32::from(p.dispatches);
        let (call, server) = (p.call, p.server);
        let errand = Try {
            purpose: Purpose::Errand,
            parent,
            // For which turn of its parent it is.
            open: p.dispatches,
            step: p.step,
            server,
            front: Front::Closed,
            back: Back::Working,
            place: self.servers[server as usize].errands.len() as u32,
            ..Try::new(call, draw(p.salt, Draw::Child, number), 1, p.fleet, plan)
        };
        let t = self.tries.insert(errand);
        self.servers[server as usize].errands.push(t);
        self.calls[call].legs += 1;
        self.try_errand(k, t);
    }

    /// An attempt of an errand begins, past its guards.
    fn try_errand<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let try_ = &mut self.tries[t];
        try_.dispatches += 1;
        try_.asks_before = try_.asks;
        let (server, plan) = (try_.server as usize, try_.plan as usize);
        if let (1, Some(errand)) = (try_.dispatches, &self.plans[try_.fleet as usize][plan].errand)
            && let (Some(budget), Some(guard)) = (&errand.retry.budget, &mut self.servers[server].guards[plan])
            && let Some(tokens) = &mut guard.tokens
        {
            tokens.on_call(budget);
        }
        if self.servers[server].guards[plan].is_none() || self.errand_passes(k, t) {
            self.ask_around(k, t);
        }
    }

    /// An errand goes to whom it asks.
    pub(super) fn ask_around<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let try_ = &self.tries[t];
        match self.plans[try_.fleet as usize][try_.plan as usize].errand.as_ref().map(|errand| errand.callee) {
            Some(Callee::Service { fleet, plan }) => self.call_service(k, t, fleet, plan),
            Some(Callee::Cached) => {
                let try_ = &mut self.tries[t];
                (try_.plan, try_.status) = (try_.plan + LOOKUP, 0);
                self.ask(k, t);
            }
            Some(Callee::Store) | None => self.ask(k, t),
        }
    }

    /// A part of an errand through a cache is over: whether the errand is.
    fn goes_on<K: Kernel>(&mut self, k: &mut K, t: Ref, status: u16, cause: Cause) -> bool {
        let try_ = &self.tries[t];
        let (found, plan, look) = (try_.status, try_.plan, self.plans[try_.fleet as usize][try_.plan as usize].look);
        match look {
            // An error of the cache is a miss.
            Look::Get if status == 200 && found == 200 => {
                self.next_part(k, t, plan - LOOKUP);
                self.errand_over(k, t, 200, Cause::ClientLeft);
            }
            Look::Get => {
                self.next_part(k, t, plan - LOOKUP);
                self.fill(k, t);
            }
            Look::Set => {
                self.next_part(k, t, plan - SETTING);
                self.land(k, t, 200, Cause::ClientLeft);
            }
            Look::No => {
                let errand = self.plans[try_.fleet as usize][plan as usize].errand.as_ref();
                if errand.is_none_or(|errand| errand.callee != Callee::Cached) {
                    return false;
                }
                if status == 200 {
                    self.next_part(k, t, plan + SETTING);
                    self.ask(k, t);
                } else {
                    self.land(k, t, status, cause);
                }
            }
        }
        true
    }

    /// An errand through a cache goes on with its next part.
    fn next_part<K: Kernel>(&mut self, k: &mut K, t: Ref, plan: u16) {
        let try_ = &mut self.tries[t];
        try_.plan = plan;
        for timer in [&mut try_.ask_timer, &mut try_.step_timer] {
            k.cancel(std::mem::replace(timer, Timer::NONE));
        }
    }

    /// The cache has no answer: the store behind it is asked, by one for all who miss the same key, if the file says so.
    fn fill<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        if let Some(flight) = self.flight_of(t) {
            let Try { server, fleet, plan, .. } = self.tries[t];
            if let Some(waiting) = self.servers[server as usize].flights.get_mut(&flight) {
                waiting.push(t);
                let lane = self.plans[fleet as usize][plan as usize].deadline;
                self.tries[t].back = Back::InFlight;
                if let Some(lane) = lane {
                    self.tries[t].ask_timer = self.arm_at(k, server, lane, Event::AskDeadline(t));
                }
                return;
            }
            self.servers[server as usize].flights.insert(flight, Vec::new());
        }
        self.ask(k, t);
    }

    /// An errand through a cache is over, and with it those of all who waited for its key.
    fn land<K: Kernel>(&mut self, k: &mut K, t: Ref, status: u16, cause: Cause) {
        let waited = self.tries[t].back == Back::InFlight;
        let flight = if waited { None } else { self.flight_of(t) };
        let server = self.tries[t].server as usize;
        let others = flight.and_then(|flight| self.servers[server].flights.remove(&flight)).unwrap_or_default();
        self.errand_over(k, t, status, cause);
        for other in others {
            if self.tries.get(other).is_some_and(|t| t.back == Back::InFlight) {
                self.errand_over(k, other, status, cause);
            }
        }
    }

    /// By what an errand to the store behind a cache is joined by others, if it is.
    fn flight_of(&self, t: Ref) -> Option<(u16, u32)> {
        let try_ = &self.tries[t];
        let lookup = &self.plans[try_.fleet as usize][(try_.plan + LOOKUP) as usize];
        let store = lookup.store?;
        let cache = self.spec.stores.0[store as usize].1.cache.as_ref()?;
        cache.single_flight.then(|| (store, self.key_of(store, Look::Get, try_.call)))
    }

    /// An errand calls another fleet.
    fn call_service<K: Kernel>(&mut self, k: &mut K, t: Ref, fleet: u16, plan: u16) {
        let try_ = &mut self.tries[t];
        try_.asks += 1;
        let errand = &self.plans[try_.fleet as usize][try_.plan as usize];
        let (lane, server) = (errand.deadline, try_.server);
        if errand.breaker.is_some() && !self.passes_breaker(k, t) {
            self.ask_failed(k, t, Cause::BreakerOpen);
            return;
        }
        self.note_ask(k, t);
        let timer = lane.map_or(Timer::NONE, |lane| self.arm_at(k, server, lane, Event::AskDeadline(t)));
        let (route, is_near) = match &self.ways[fleet as usize] {
            Way::Proxy(route) => (*route, false),
            Way::Caller(routes) => (routes[server as usize], true),
            Way::None => unreachable!("the ways are opened for all who ask"),
        };
        let try_ = &mut self.tries[t];
        (try_.back, try_.ask_timer) = (Back::Calling, timer);
        let (call, salt, attempt) = (try_.call, try_.salt, try_.dispatches);
        let asked = Try { purpose: Purpose::Asked, parent: t, route, ..Try::new(call, salt, attempt, fleet, plan) };
        let asked = self.tries.insert(asked);
        self.tries[t].query = asked;
        self.calls[call].legs += 1;
        let link = &self.spec.network.services;
        if is_near {
            self.at_balancer(k, asked);
        } else if link.is_constant() {
            k.after(self.lanes.service, Event::AtBalancer(asked));
        } else {
            let way = link.delay(salt, Draw::ServiceLink, u32::from(attempt));
            k.at(k.now().plus(way), Event::AtBalancer(asked));
        }
    }

    /// A balancer has an answer for the service that asked.
    pub(crate) fn answer_caller<K: Kernel>(&mut self, k: &mut K, asked: Ref, status: u16) {
        let Try { parent, attempt, route, cause, salt, .. } = self.tries[asked];
        let Some(errand) = self.tries.get_mut(parent).filter(|e| e.back == Back::Calling && e.query == asked) else {
            return;
        };
        errand.cause = cause;
        let link = &self.spec.network.services;
        let event = Event::Answered(parent, attempt, status);
        if matches!(self.ways[self.backends[route as usize].fleet as usize], Way::Caller(_)) {
            self.handle_here(k, event);
        } else if link.is_constant() {
            k.after(self.lanes.service, event);
        } else {
            let way = link.delay(salt, Draw::ServiceLinkBack, u32::from(attempt));
            k.at(k.now().plus(way), event);
        }
    }

    /// The answer of a service reaches the one that asked.
    pub(crate) fn answered<K: Kernel>(&mut self, k: &mut K, t: Ref, attempt: u16, status: u16) {
        let is_due = |t: &&mut Try| t.back == Back::Calling && t.dispatches == attempt;
        let Some(try_) = self.tries.get_mut(t).filter(is_due) else { return };
        try_.query = Ref::NONE;
        let (good, cause) = ((200..300).contains(&status), try_.cause);
        self.tell_breaker(k, t, good);
        self.note_end(k, t, good);
        if good {
            self.finish(k, t, 200, Cause::ClientLeft);
        } else {
            self.ask_failed(k, t, cause);
        }
    }

    /// An ask is sent, if the books are kept of it.
    #[inline]
    pub(super) fn note_ask<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let try_ = &mut self.tries[t];
        let Some(edge) = self.plans[try_.fleet as usize][try_.plan as usize].edge else { return };
        if let Some(call) = self.calls.get(try_.call) {
            try_.since = k.now();
            k.record(Fact::Asked { cohort: call.cohort, edge });
        }
    }

    /// An ask is over, if the books are kept of it.
    #[inline]
    pub(super) fn note_end<K: Kernel>(&mut self, k: &mut K, t: Ref, ok: bool) {
        let try_ = &self.tries[t];
        let Some(edge) = self.plans[try_.fleet as usize][try_.plan as usize].edge else { return };
        if let Some(call) = self.calls.get(try_.call) {
            k.record(Fact::AskOver { cohort: call.cohort, edge, ok, took: k.now().minus(try_.since) });
        }
    }

    /// A balancer sends the call of an errand to a server.
    #[inline(never)]
    pub(crate) fn note_try<K: Kernel>(&mut self, k: &mut K, errand: Ref) {
        // Of one whose errand has given it up nobody keeps the edge.
        let Some(try_) = self.tries.get(errand) else { return };
        let edge = self.plans[try_.fleet as usize][try_.plan as usize].edge;
        if let (Some(edge), Some(call)) = (edge, self.calls.get(try_.call)) {
            k.record(Fact::AskTried { cohort: call.cohort, edge });
        }
    }

    /// Nobody waits any longer for what a service was asked.
    pub(super) fn leave_service<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let asked = std::mem::replace(&mut self.tries[t].query, Ref::NONE);
        if let Some(gone) = self.tries.get_mut(asked) {
            gone.client_gone = true;
            self.client_left(k, asked);
        }
    }

    /// An ask of an errand has ended, well or not.
    pub(super) fn errand_ends<K: Kernel>(&mut self, k: &mut K, t: Ref, status: u16, cause: Cause) {
        if !self.goes_on(k, t, status, cause) {
            self.errand_over(k, t, status, cause);
        }
    }

    /// An attempt of an errand is over, well or not: it is made again, or its call goes on.
    fn errand_over<K: Kernel>(&mut self, k: &mut K, t: Ref, status: u16, cause: Cause) {
        let try_ = &mut self.tries[t];
        (try_.status, try_.cause) = (status, cause);
        for timer in [&mut try_.ask_timer, &mut try_.step_timer] {
            k.cancel(std::mem::replace(timer, Timer::NONE));
        }
        let Try { server, plan, fleet, parent, dispatches, .. } = *try_;
        self.leave_limits(k, t, status);
        let try_ = &mut self.tries[t];
        let enters = if std::mem::take(&mut try_.in_bulkhead) { self.leave_bulkhead(server, plan) } else { None };
        let ok = (200..300).contains(&status);
        let turn = (self.tries[t].open, self.tries[t].step);
        let waits = |p: &Try| p.back == Back::AtSteps && (p.dispatches, p.step) == turn;
        let is_awaited = self.tries.get(parent).is_some_and(waits);
        if let Some(pause) = self.pause_before_retry(t, ok, is_awaited, cause) {
            self.tries[t].back = Back::Resting;
            let pause = self.by_its_clock(server, pause);
            k.at(k.now().plus(pause), Event::ErrandAgain(t, dispatches));
        } else {
            let soft = self.plans[fleet as usize][plan as usize].errand.as_ref().is_some_and(|errand| errand.soft);
            let call = self.tries[t].call;
            self.drop_errand(t);
            if is_awaited {
                let parent_try = &mut self.tries[parent];
                parent_try.open -= 1;
                if !ok && !soft {
                    // 503 where a guard has turned it away, as a call of one ask has it.
                    self.finish(k, parent, if status == 503 { 503 } else { 500 }, cause);
                } else if self.tries[parent].open == 0 {
                    self.next_step(k, parent);
                }
            }
            self.leg_ends(k, call, cause);
        }
        if let Some(next) = enters {
            let entering = &mut self.tries[next];
            k.cancel(std::mem::replace(&mut entering.step_timer, Timer::NONE));
            entering.in_bulkhead = true;
            self.ask_around(k, next);
        }
    }

    /// The pause before another attempt of an errand, if there is to be one.
    fn pause_before_retry(&mut self, t: Ref, ok: bool, is_awaited: bool, cause: Cause) -> Option<crate::units::Ns> {
        let try_ = &self.tries[t];
        let plan = try_.plan as usize;
        let retry = &self.plans[try_.fleet as usize][plan].errand.as_ref()?.retry;
        let tokens = self.servers[try_.server as usize].guards[plan].as_mut().and_then(|guard| guard.tokens.as_mut());
        let timed_out = matches!(cause, Cause::ServiceTimeout | Cause::StoreTimeout | Cause::PoolTimeout);
        let retries = u32::from(try_.dispatches) - 1;
        match (ok, tokens, &retry.budget) {
            (true, Some(tokens), Some(budget)) => {
                tokens.on_success(budget);
                None
            }
            (true, ..) => None,
            (false, tokens, budget) => {
                let wanted = is_awaited && retries < retry.retries && (retry.after_timeout || !timed_out);
                let allowed = match (tokens, budget) {
                    (Some(tokens), Some(budget)) => wanted && tokens.try_retry(budget, timed_out),
                    _ => wanted,
                };
                allowed.then(|| retry.pause(try_.salt, retries + 1))
            }
        }
    }

    /// The pause before another attempt of an errand is over.
    pub(crate) fn errand_again<K: Kernel>(&mut self, k: &mut K, t: Ref, dispatch: u16) {
        if self.tries.get(t).is_some_and(|t| t.back == Back::Resting && t.dispatches == dispatch) {
            self.try_errand(k, t);
        }
    }

    /// Takes an errand off its server's list, and out of the world.
    fn drop_errand(&mut self, t: Ref) {
        let Try { server, place, .. } = self.tries[t];
        let errands = &mut self.servers[server as usize].errands;
        debug_assert_eq!(errands[place as usize], t);
        errands.swap_remove(place as usize);
        if let Some(moved) = errands.get(place as usize) {
            self.tries[*moved].place = place;
        }
        self.tries.remove(t);
    }

    /// A process has died, and with it every errand that it ran: whom it called may notice.
    pub(super) fn errands_crash<K: Kernel>(&mut self, k: &mut K, number: u32) {
        for t in std::mem::take(&mut self.servers[number as usize].errands) {
            let try_ = &mut self.tries[t];
            k.cancel(try_.ask_timer);
            k.cancel(try_.step_timer);
            let (call, is_calling) = (try_.call, try_.back == Back::Calling);
            if is_calling {
                self.leave_service(k, t);
            }
            self.tries.remove(t);
            self.leg_ends(k, call, Cause::Crashed);
        }
    }

    /// Whether whoever wanted a try has left: its client, or any service in between.
    pub(crate) fn is_deserted(&self, t: Ref) -> bool {
        let Some(mut try_) = self.tries.get(t) else { return true };
        let mut at = t;
        while !try_.client_gone && try_.parent != Ref::NONE {
            let Some(parent) = self.tries.get(try_.parent) else { return true };
            let waits = match try_.purpose {
                Purpose::Asked => parent.query == at,
                _ => parent.back == Back::AtSteps && (parent.dispatches, parent.step) == (try_.open, try_.step),
            };
            if !waits {
                return true;
            }
            (at, try_) = (try_.parent, parent);
        }
        try_.client_gone
    }

    /// Handles what happens within one process, and so by way of no link.
    fn handle_here<K: Kernel>(&mut self, k: &mut K, event: Event) {
        if !(self.trouble.on && self.stands_still(event)) {
            self.handle_late(k, event);
        }
    }

    /// Opens the routes on which fleets are asked by others: to each that is asked.
    pub(super) fn open_ways<K: Kernel>(&mut self, k: &mut K) {
        let spec = self.spec.clone();
        for (fleet, (name, f)) in spec.fleets.iter().enumerate() {
            let callers: Vec<usize> = spec.callers_of(name).collect();
            if callers.is_empty() {
                self.ways.push(Way::None);
                continue;
            }
            let balancer = f.reached_by();
            // Whom no client calls has its first route for those who do.
            let mut first = (!spec.is_reached(name)).then_some(fleet as u16);
            let mut open = |world: &mut World, k: &mut K| {
                first.take().unwrap_or_else(|| world.open_route(k, balancer.clone(), fleet as u16))
            };
            let way = if balancer.place.is_caller() {
                let mut routes = vec![u16::MAX; self.servers.len()];
                for caller in callers {
                    let numbers = (0..self.servers.len()).filter(|n| self.servers[*n].fleet as usize == caller);
                    for (turn, number) in numbers.collect::<Vec<_>>().into_iter().enumerate() {
                        let route = open(self, k);
                        let backend: &mut Backend = &mut self.backends[route as usize];
                        // Processes do not begin in step.
                        backend.members.begin_at(turn);
                        routes[number] = route;
                    }
                }
                Way::Caller(routes)
            } else {
                Way::Proxy(open(self, k))
            };
            self.ways.push(way);
        }
    }
}
