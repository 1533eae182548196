//! Clients: who calls, how often, how long they wait, what they do about failure.
//!
//! Open loop: a slow answer does not slow the arrivals. Not modelled: sessions, think time, DNS, TLS.

mod faults;
mod recording;

pub use recording::{Recording, TimeUnit, Trace};

use crate::fault::{ClientKnobs, Stack};
use crate::kernel::{Event, Fact, Kernel, Lane};
use crate::ledger::{Cause, Seen};
use crate::policy::retry::{Retry, Tokens};
use crate::random::{Distribution, Purpose, Stream, draw, unit};
use crate::setting::{Name, Points, Scope, Silence, always, first_of, unless, unless_with};
use crate::slab::Ref;
use crate::spec::WorldPlan;
use crate::units::{Ns, Rate, Share};
use crate::world::{Call, Client, Purpose as TryPurpose, Try, World, seen};
use crate::{choices, settings};
use faults::Surge;
use std::sync::Arc;

choices! {
    /// How calls arrive at the given rate.
    pub enum Arrivals = Poisson {
        /// At random (non-homogeneous Poisson where the rate has a profile).
        Poisson = "poisson",
        /// Evenly spaced.
        Constant = "constant",
        /// Bursts of `burst` calls at one instant; the bursts arrive at random.
        Burst = "burst",
    }
}

choices! {
    /// Whether a caller opens a connection for each call.
    pub enum Connection = KeptAlive {
        /// An open connection is at hand: no handshake.
        KeptAlive = "kept-alive",
        /// Each call connects first: one more round trip.
        PerCall = "per-call",
    }
}

settings! {
    /// Calls that clients keep after giving up (in the browser's storage) and send again when they are back.
    pub struct Offline {
        /// Share of clients that keep a lost call and come back.
        pub share: Share = Share(1.0) => always;
        /// Mean time until a client is back and sends it again; exponentially distributed. (time)
        pub returns_after: Ns = Ns::secs(1800), "1ms" ..= "720h" => keeps_any;
        /// How long after it was offered a call is kept. (time)
        pub keeps: Ns = Ns::secs(86_400), "1ms" ..= "8760h" => keeps_any;
        /// Most calls that all clients together keep; later ones are lost. None: no bound.
        pub capacity: Option<u64> = None, 1 ..= 100000000000 => keeps_any;
    }
}

settings! {
    /// A population of clients that sends one kind of call.
    pub struct Clients {
        /// Another population, of which this one is a copy where it says nothing itself.
        pub like: Option<Name> = None => always;
        /// The kind of call, served by a fleet that lists it under `calls`.
        pub sends (required): Name = Name::default() => always;
        /// Mean rate of calls, all clients together. Not with `trace`. (calls/time)
        pub rate: Rate = Rate(0.0), "0/s" ..= "10000000/s" => always;
        /// Factor on the rate over the day, linear between the points, flat before and after.
        pub profile: Points = Points::default() => has_a_rate;
        /// How calls arrive.
        pub arrivals: Arrivals = Arrivals::Poisson => has_a_rate;
        /// Calls per burst.
        pub burst: u32 = 10, 1 ..= 1000000 => is_in_bursts;
        /// Recorded calls in place of a rate: a CSV file with the columns `t` (seconds from the start) and `kind`, whose rows of
        /// this kind are replayed as they stand, but for those outside of the run (a warning counts them); or a table that
        /// says how to read the file, and by how much to move its calls.
        pub trace: Option<Trace> = None => always;
        /// At most so many calls in all.
        pub calls: Option<u64> = None, 1 ..= 100000000000 => always;
        /// How long a client waits for the answer to one attempt. (time)
        pub timeout: Ns = Ns::secs(10), "1ms" ..= "24h" => always;
        /// Connection to the balancer.
        pub connection: Connection = Connection::KeptAlive => takes_time;
        /// What clients do about a failed attempt.
        pub retry: Retry = Retry::default() => always;
        /// A queue of their own, in which clients keep calls that they have given up, if these store something.
        pub offline: Option<Offline> = None => writes;
    }
}

fn keeps_any(offline: &Offline, _: &Scope<'_>) -> Silence {
    unless(offline.share.0 > 0.0, "`share` is 0%: no call is kept")
}

fn has_a_rate(clients: &Clients, _: &Scope<'_>) -> Silence {
    unless(clients.trace.is_none(), "the calls come at the times of the `trace`")
}

fn is_in_bursts(clients: &Clients, at: &Scope<'_>) -> Silence {
    first_of([has_a_rate(clients, at), unless(clients.arrivals == Arrivals::Burst, "`arrivals` is not \"burst\"")])
}

fn takes_time(_: &Clients, at: &Scope<'_>) -> Silence {
    let matters = at.world.network.clients.latency > Ns::ZERO || at.world.has_link_faults();
    unless(matters, "`network.clients.latency` is 0s: connecting takes no time")
}

fn writes(clients: &Clients, at: &Scope<'_>) -> Silence {
    let kind = &clients.sends.text;
    let plan = at.world.fleets.iter().find_map(|(_, fleet)| fleet.plan(kind));
    let writes = plan.is_none_or(|(_, plan)| plan.writes || plan.appends.is_some());
    unless_with(writes, || format!("`{kind}` stores nothing: a call that only reads is not kept"))
}

/// A population at work.
pub struct Population {
    arrivals: Process,
    /// Random bits for the calls' salts and the times between them.
    stream: Stream,
    /// Salt of the next call, and how much of the rate's integral lies between it and the one after: drawn one call ahead,
    /// so that nothing waits for them. Not for bursts.
    ahead: (u64, f64),
    /// Calls per arrival.
    burst: u32,
    /// How long a client waits for the answer to one attempt.
    timeout: Ns,
    /// Where its calls go: fleet and plan.
    route: (u16, u16),
    /// Whether its calls only read.
    reads: bool,
    /// Whether some of its calls may only read, by the steps that each takes.
    may_read: bool,
    /// When the next call is offered.
    next: Ns,
    /// Calls still allowed.
    left: u64,
    /// From offering a call to its arrival at the balancer, where that is constant: then one event does for both.
    lead: Option<Ns>,
    lane: Lane,
    first_deadlines: Lane,
    deadlines: Lane,
    tokens: Option<Tokens>,
    /// Calls that its clients keep.
    kept: u64,
    /// Faults in force.
    pub stack: Stack,
    /// What they make of it.
    pub knobs: ClientKnobs,
    surge: Option<Box<Surge>>,
}

/// How the next arrival is found.
enum Process {
    /// Times as recorded; the position of the next.
    Trace(Arc<[Ns]>, usize),
    /// A rate per nanosecond over time, and whether the gaps are random.
    Rate { curve: Curve, random: bool },
}

/// A piecewise linear rate.
struct Curve {
    /// What is left of it, the last piece first; the piece at hand is the last.
    later: Vec<Piece>,
    at: Piece,
}

/// A piece of a rate, from one time on until another.
#[derive(Clone, Copy)]
struct Piece {
    begins: u64,
    ends: u64,
    /// The rate at its beginning, per nanosecond, and its slope.
    rate: f64,
    slope: f64,
}

impl Curve {
    fn new(rate: Rate, profile: &Points) -> Curve {
        let base = rate.0 / 1e9;
        let mut pieces = Vec::new();
        let points = &profile.0;
        let first = points.first().map_or(1.0, |p| p.1);
        let mut at = Piece { begins: 0, ends: u64::MAX, rate: base * first, slope: 0.0 };
        for (i, (from, factor)) in points.iter().enumerate() {
            let slope = match points.get(i + 1) {
                Some((to, next)) => base * (next - factor) / (to.0 - from.0) as f64,
                None => 0.0,
            };
            at.ends = from.0;
            pieces
                .push(std::mem::replace(&mut at, Piece { begins: from.0, ends: u64::MAX, rate: base * factor, slope }));
        }
        pieces.push(at);
        pieces.reverse();
        let at = pieces.pop().unwrap_or(at);
        Curve { later: pieces, at }
    }

    /// The time at which the integral of the rate from `from` on reaches `area`; exact inversion, no thinning.
    #[inline(always)]
    fn reach(&mut self, from: u64, area: f64) -> Ns {
        let Piece { ends, rate, slope, .. } = self.at;
        if slope == 0.0 && rate > 0.0 && (ends == u64::MAX || area < rate * (ends - from) as f64) {
            // By way of a signed number, which processors convert faster; it ends at 292 years, when no run goes on.
            return Ns::nanos(from).plus(Ns((area / rate + 0.5) as i64 as u64));
        }
        self.reach_beyond(from, area)
    }

    /// As `reach`, where the rate changes or is nothing.
    #[inline(never)]
    fn reach_beyond(&mut self, mut from: u64, mut area: f64) -> Ns {
        loop {
            let Piece { begins, ends, rate, slope } = self.at;
            let here = rate + slope * (from - begins) as f64;
            let whole = (ends != u64::MAX).then(|| (here + slope * (ends - from) as f64 / 2.0) * (ends - from) as f64);
            if whole.is_none_or(|w| area < w) {
                if slope == 0.0 {
                    return if here > 0.0 {
                        Ns::nanos(from).plus(Ns((area / here + 0.5) as i64 as u64))
                    } else {
                        Ns::NEVER
                    };
                }
                // here * x + slope * x^2 / 2 = area, in the form that does not cancel.
                let root = (here * here + 2.0 * slope * area).max(0.0).sqrt();
                return Ns(from + (2.0 * area / (here + root) + 0.5) as u64);
            }
            area -= whole.unwrap_or(0.0);
            from = ends;
            let Some(next) = self.later.pop() else { return Ns::NEVER };
            self.at = next;
        }
    }
}

impl Population {
    /// Where its calls go: fleet and plan.
    pub fn route(&self) -> (u16, u16) {
        self.route
    }

    /// Calls that its clients have given up and keep.
    pub fn kept(&self) -> u64 {
        self.kept
    }

    /// The next call, or the next burst: when it is offered, and the salt of each call. None after the last. For a
    /// runtime that carries calls by itself; so it offers the very calls that the kernel would.
    pub fn next_calls(&mut self) -> Option<(Ns, Vec<u64>)> {
        if self.next == Ns::NEVER {
            return None;
        }
        let at = self.next;
        let now = u64::from(self.burst).min(self.left);
        self.left -= now;
        let salts = (0..now).map(|_| self.salt()).collect();
        self.next();
        Some((at, salts))
    }

    /// Whether its calls store nothing.
    pub fn reads(&self) -> bool {
        self.reads
    }

    /// Finds the first arrival.
    fn begin(&mut self) {
        let area = match &self.arrivals {
            // A random phase, so that two constant populations do not march in step.
            Process::Rate { random: false, .. } => self.stream.unit(),
            _ => self.area(),
        };
        self.advance(area);
        self.draw_ahead();
    }

    /// Draws what the next call needs.
    #[inline(always)]
    fn draw_ahead(&mut self) {
        if self.burst == 1 {
            self.ahead = (self.stream.bits(), self.area());
        }
    }

    /// Draws how much of the rate's integral lies between two arrivals.
    #[inline(always)]
    fn area(&mut self) -> f64 {
        match &self.arrivals {
            Process::Rate { random: true, .. } => self.stream.exponential(),
            Process::Rate { random: false, .. } | Process::Trace(..) => 1.0,
        }
    }

    /// Salt of the next call.
    #[inline]
    fn salt(&mut self) -> u64 {
        if self.burst == 1 { self.ahead.0 } else { self.stream.bits() }
    }

    /// Moves `next` on to the next arrival.
    #[inline(always)]
    fn next(&mut self) {
        let area = if self.burst == 1 { self.ahead.1 } else { self.area() };
        self.advance(area);
        self.draw_ahead();
    }

    #[inline(always)]
    fn advance(&mut self, area: f64) {
        if self.left == 0 {
            self.next = Ns::NEVER;
            return;
        }
        match &mut self.arrivals {
            Process::Trace(times, at) => {
                self.next = times.get(*at).copied().unwrap_or(Ns::NEVER);
                *at += 1;
            }
            Process::Rate { curve, .. } => self.next = curve.reach(self.next.0, area),
        }
    }
}

impl World {
    /// Sets up the populations and raises their first arrivals.
    pub(crate) fn open_clients<K: Kernel>(&mut self, plan: &WorldPlan, seed: u64, k: &mut K) {
        let link = self.spec.network.clients.clone();
        for (i, (name, spec)) in plan.spec.clients.iter().enumerate() {
            let handshake = if spec.connection == Connection::PerCall { 3 } else { 1 };
            let way = Ns(link.latency.0 * handshake);
            let lead = (link.is_constant() && way < spec.timeout).then_some(way);
            let rate = match spec.arrivals {
                Arrivals::Burst => Rate(spec.rate.0 / f64::from(spec.burst)),
                _ => spec.rate,
            };
            let stream = Stream::new(seed, &format!("clients/{name}/arrivals"));
            let arrivals = match (&plan.traces[i], &spec.trace) {
                (Some(times), Some(Trace(recording))) => Process::Trace(recording.moved(times, seed, name), 0),
                (Some(times), None) => Process::Trace(times.clone(), 0),
                (None, _) => Process::Rate {
                    curve: Curve::new(rate, &spec.profile),
                    random: spec.arrivals != Arrivals::Constant,
                },
            };
            let mut population = Population {
                arrivals,
                route: self.route(&spec.sends.text),
                reads: self.only_reads(&spec.sends.text),
                may_read: self.spec.may_read(&spec.sends.text),
                next: Ns::ZERO,
                left: spec.calls.unwrap_or(u64::MAX),
                lead,
                lane: k.own_lane(),
                first_deadlines: k.timer_lane(spec.timeout.minus(lead.unwrap_or(Ns::ZERO))),
                deadlines: k.timer_lane(spec.timeout),
                tokens: spec.retry.budget.as_ref().map(Tokens::new),
                kept: 0,
                stack: Stack::default(),
                knobs: ClientKnobs::default(),
                surge: None,
                stream,
                ahead: (0, 0.0),
                burst: if spec.arrivals == Arrivals::Burst && plan.traces[i].is_none() { spec.burst } else { 1 },
                timeout: spec.timeout,
            };
            population.begin();
            raise_arrival(k, &population, i as u16);
            self.populations.push(population);
        }
    }

    /// Fleet and plan of a kind of call.
    fn route(&self, kind: &str) -> (u16, u16) {
        let found = self
            .spec
            .fleets
            .iter()
            .enumerate()
            .find_map(|(f, (_, fleet))| fleet.plan(kind).map(|(plan, _)| (f as u16, plan)));
        found.unwrap_or_else(|| panic!("no fleet serves {kind}; WorldSpec::problems was not asked"))
    }

    /// Whether a kind of call stores nothing.
    fn only_reads(&self, kind: &str) -> bool {
        let (fleet, plan) = self.route(kind);
        self.plans[fleet as usize][plan as usize].reads
    }

    /// A call (or a burst of them) is offered.
    #[inline(always)]
    pub(crate) fn arrive<K: Kernel>(&mut self, k: &mut K, index: u16) {
        let population = &mut self.populations[index as usize];
        let now = u64::from(population.burst).min(population.left);
        population.left -= now;
        for _ in 0..now {
            let population = &mut self.populations[index as usize];
            let (offered, salt) = (population.next, population.salt());
            if self.trouble.on && self.is_changed(k, index, salt) {
                continue;
            }
            let cohort = k.offer(index, offered, salt);
            let call = self.calls.insert(Call { cohort, population: index, ..Call::new(salt, offered) });
            self.send(k, call, true);
        }
        let population = &mut self.populations[index as usize];
        population.next();
        raise_arrival(k, population, index);
    }

    /// Sends an attempt; the first one may be at the balancer already.
    #[inline(always)]
    fn send<K: Kernel>(&mut self, k: &mut K, call_at: Ref, first: bool) {
        let call = &mut self.calls[call_at];
        let population = &mut self.populations[call.population as usize];
        call.attempt += 1;
        if let (1, Some(tokens)) = (call.attempt, &mut population.tokens)
            && let Some(budget) = &self.spec.clients.0[call.population as usize].1.retry.budget
        {
            tokens.on_call(budget);
        }
        call.legs += 1;
        call.sent = if first { call.offered } else { k.now() };
        let (fleet, plan) = population.route;
        let t = self.tries.insert(Try::new(call_at, call.salt, call.attempt, fleet, plan));
        call.current = t;
        let there = first && population.lead.is_some();
        let lane = if there { population.first_deadlines } else { population.deadlines };
        call.deadline = k.arm(lane, Event::ClientDeadline(call_at));
        k.record(Fact::Attempt(call.account()));
        if there {
            if !(self.trouble.on && self.is_held_up(k, Event::AtBalancer(t), 0)) {
                self.at_balancer(k, t);
            }
            return;
        }
        let link = &self.spec.network.clients;
        let mut way = link.delay(call.salt, Purpose::ClientLink, u32::from(call.attempt));
        if self.spec.clients.0[call.population as usize].1.connection == Connection::PerCall {
            way = way.plus(Ns(link.latency.0 * 2));
        }
        k.at(k.now().plus(way), Event::AtBalancer(t));
    }

    /// As `answer_now`, for callers off the usual way of a call.
    #[inline(never)]
    pub(crate) fn answer<K: Kernel>(&mut self, k: &mut K, t: Ref, status: u16) {
        self.answer_now(k, t, status);
    }

    /// The balancer has an answer for the client of a try. A success on a constant link needs no event of its
    /// own: it is known by now whether it arrives in time.
    #[inline(always)]
    pub(crate) fn answer_now<K: Kernel>(&mut self, k: &mut K, t: Ref, status: u16) {
        let Try { call: call_at, attempt, purpose, .. } = self.tries[t];
        if purpose == TryPurpose::Asked {
            self.answer_caller(k, t, status);
            return;
        }
        let call = &self.calls[call_at];
        let population = &self.populations[call.population as usize];
        let reads = population.reads || (population.may_read && !call.wrote);
        let good = (200..300).contains(&status);
        if call.current != t || call.is_done() {
            if reads && good {
                self.tries[t].cause = Cause::AnsweredLate;
            }
            return;
        }
        let link = &self.spec.network.clients;
        let arrives = k.now().plus(link.delay(call.salt, Purpose::ClientLinkBack, u32::from(attempt)));
        let patience = call.sent.plus(population.timeout);
        if reads && good && arrives >= patience {
            self.tries[t].cause = Cause::AnsweredLate;
        }
        match (good, link.is_constant()) {
            (true, true) if self.trouble.fronts > 0 => k.at(arrives, Event::ClientOk(call_at, attempt)),
            (true, true) if arrives < patience && arrives <= k.end() => self.succeed(k, call_at, arrives),
            (true, true) => {}
            (true, false) => k.at(arrives, Event::ClientOk(call_at, attempt)),
            (false, true) => k.after(self.lanes.client, Event::ClientFails(call_at, attempt, seen(status))),
            (false, false) => k.at(arrives, Event::ClientFails(call_at, attempt, seen(status))),
        }
    }

    /// A success reaches a client over a link with jitter.
    pub(crate) fn client_ok<K: Kernel>(&mut self, k: &mut K, call_at: Ref, attempt: u16) {
        let waits = |c: &Call| c.attempt == attempt && !c.is_done() && c.current != Ref::NONE;
        if self.calls.get(call_at).is_some_and(waits) {
            let now = k.now();
            self.succeed(k, call_at, now);
        }
    }

    #[inline(always)]
    fn succeed<K: Kernel>(&mut self, k: &mut K, call_at: Ref, at: Ns) {
        let call = &mut self.calls[call_at];
        let (account, index) = (call.account(), call.population as usize);
        let population = &mut self.populations[index];
        k.cancel(call.deadline);
        if call.kept {
            self.forget_kept(k, call_at);
            return;
        }
        if (population.reads || (population.may_read && !call.wrote)) && !call.stored {
            call.stored = true;
            k.record(Fact::Stored(account, false));
        }
        k.record(Fact::Ok(account, at.minus(call.offered)));
        if let Some(tokens) = &mut population.tokens
            && let Some(budget) = &self.spec.clients.0[index].1.retry.budget
        {
            tokens.on_success(budget);
        }
        if call.client_done(Client::Ok) {
            self.settle(k, call_at);
        }
    }

    /// A client's patience is over.
    pub(crate) fn client_deadline<K: Kernel>(&mut self, k: &mut K, call_at: Ref) {
        let call = &mut self.calls[call_at];
        let t = std::mem::replace(&mut call.current, Ref::NONE);
        call.legs += 1; // held while the client decides whether to send again
        if let Some(gone) = self.tries.get_mut(t) {
            gone.client_gone = true;
            self.client_left(k, t);
        }
        self.retry_or_give_up(k, call_at, Seen::Timeout);
        self.release_decision(k, call_at);
    }

    /// A failure reaches a client.
    pub(crate) fn client_fails<K: Kernel>(&mut self, k: &mut K, call_at: Ref, attempt: u16, seen: Seen) {
        let Some(call) = self.calls.get_mut(call_at) else { return };
        if call.attempt != attempt || call.is_done() || call.current == Ref::NONE {
            return;
        }
        let t = std::mem::replace(&mut call.current, Ref::NONE);
        if let Some(gone) = self.tries.get_mut(t) {
            // A server may still execute it, in vain.
            gone.client_gone = true;
        }
        k.cancel(call.deadline);
        call.legs += 1;
        self.retry_or_give_up(k, call_at, seen);
        self.release_decision(k, call_at);
    }

    /// Lets go of a call that was held while its client decided; closes its books if nothing is left of it.
    fn release_decision<K: Kernel>(&mut self, k: &mut K, call_at: Ref) {
        let cause = self.calls[call_at].cause;
        self.leg_ends(k, call_at, cause);
    }

    fn retry_or_give_up<K: Kernel>(&mut self, k: &mut K, call_at: Ref, seen: Seen) {
        let call = &self.calls[call_at];
        if call.kept {
            self.keep_on(k, call_at);
            return;
        }
        let index = call.population as usize;
        let retry = &self.spec.clients.0[index].1.retry;
        if let Some((most, pause)) = self.populations[index].knobs.storm.filter(|(most, _)| *most > retry.retries) {
            self.retry_in_storm(k, call_at, seen, most, pause);
            return;
        }
        let timed_out = seen == Seen::Timeout;
        let retries = u32::from(call.attempt) - 1;
        let wanted = retries < retry.retries && (retry.after_timeout || !timed_out);
        let allowed = wanted
            && match (&mut self.populations[index].tokens, &retry.budget) {
                (Some(tokens), Some(budget)) => tokens.try_retry(budget, timed_out),
                _ => true,
            };
        if allowed {
            let pause = retry.pause(call.salt, retries + 1);
            k.at(k.now().plus(pause), Event::Resend(call_at));
        } else {
            self.give_call_up(k, call_at, seen);
        }
    }

    fn give_call_up<K: Kernel>(&mut self, k: &mut K, call_at: Ref, seen: Seen) {
        k.record(Fact::Failed(self.calls[call_at].account(), seen));
        self.keep(k, call_at);
        if self.calls[call_at].client_done(Client::Failed) {
            self.settle(k, call_at);
        }
    }

    /// A client that gives a call up may keep it, to send it again when it is back.
    fn keep<K: Kernel>(&mut self, k: &mut K, call_at: Ref) {
        let call = &mut self.calls[call_at];
        let index = call.population as usize;
        let Some(offline) = &self.spec.clients.0[index].1.offline else { return };
        let population = &mut self.populations[index];
        let room = offline.capacity.is_none_or(|most| population.kept < most);
        if population.reads || !room || unit(draw(call.salt, Purpose::Kept, 0)) > offline.share.0 {
            return;
        }
        population.kept += 1;
        self.levels.here.kept.add(k.now(), 1);
        call.kept = true;
        call.legs += 1; // held until the client gets it through, or forgets it
        self.keep_on(k, call_at);
    }

    /// A kept call waits for its client's return; if that is too late, it is forgotten.
    fn keep_on<K: Kernel>(&mut self, k: &mut K, call_at: Ref) {
        let call = &self.calls[call_at];
        let Some(offline) = &self.spec.clients.0[call.population as usize].1.offline else { return };
        let pause = Distribution::Exponential(offline.returns_after).sample(
            call.salt,
            Purpose::Returns,
            u32::from(call.attempt),
        );
        let back = k.now().plus(pause);
        // A client that tries for the sixty-thousandth time has a page that loops.
        if back.minus(call.offered) > offline.keeps || call.attempt >= u16::MAX - 1 {
            self.forget_kept(k, call_at);
        } else {
            k.at(back, Event::Resend(call_at));
        }
    }

    /// A client has got a kept call through, or keeps it no longer.
    fn forget_kept<K: Kernel>(&mut self, k: &mut K, call_at: Ref) {
        let call = &mut self.calls[call_at];
        call.kept = false;
        self.populations[call.population as usize].kept -= 1;
        self.levels.here.kept.remove(k.now(), 1);
        let cause = call.cause;
        self.leg_ends(k, call_at, cause);
    }

    /// The pause before a retry is over.
    pub(crate) fn resend<K: Kernel>(&mut self, k: &mut K, call_at: Ref) {
        let call = &mut self.calls[call_at];
        call.late = call.kept;
        self.send(k, call_at, false);
    }
}

#[inline(always)]
fn raise_arrival<K: Kernel>(k: &mut K, population: &Population, index: u16) {
    if population.next <= k.end() {
        let at = population.next.plus(population.lead.unwrap_or(Ns::ZERO));
        k.on(population.lane, at, Event::Arrive(index));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_over_the_day_is_inverted_exactly() {
        let second = |s: u64| Ns::secs(s);
        // 10/s, rising to 30/s between 10 s and 20 s, flat afterwards.
        let profile = Points(vec![(second(10), 1.0), (second(20), 3.0)]);
        let mut curve = Curve::new(Rate(10.0), &profile);
        let mut at = Ns::ZERO;
        let mut reach = |area: f64| {
            at = curve.reach(at.0, area);
            (at.as_secs() * 1e6).round() / 1e6
        };
        assert_eq!(reach(50.0), 5.0);
        // 50 more until 10 s; then 10 x + x^2 = 200 at x = 10.
        assert_eq!(reach(250.0), 20.0);
        assert_eq!(reach(30.0), 21.0);
    }

    #[test]
    fn a_rate_of_nothing_never_arrives_and_one_that_falls_to_nothing_stops() {
        let mut curve = Curve::new(Rate(10.0), &Points(vec![(Ns::secs(1), 1.0), (Ns::secs(2), 0.0)]));
        assert_eq!(curve.reach(0, 100.0), Ns::NEVER);
    }
}
