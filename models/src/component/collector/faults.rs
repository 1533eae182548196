//! Faults of processes: standing still, being slow, losing workers and memory, dying in a loop, clocks that are wrong.
//!
//! A process that stands still takes no worker up and receives nothing: what its kernel accepts waits in the queue, up to
//! the backlog, and every message and timer of its own is kept until it resumes, then dealt with in its order. A timer
//! that has lost its meaning by then does nothing.

use super::{Fleet, PoolState};
use crate::component::rest::which;
use crate::fault::{Layer, Leak, Onset, ServerKnobs, Which};
use crate::kernel::{Event, Kernel, Lane, Timer};
use crate::ledger::Cause;
use crate::policy::listen;
use crate::random::{Purpose as Draw, draw, unit};
use crate::slab::Ref;
use crate::units::Ns;
use crate::world::{Back, Purpose, World};

/// What a process has lost, and what waits while it stands still.
#[derive(Default)]
pub(super) struct Troubles {
    /// What each leak has taken.
    lost: Vec<Lost>,
    /// Events that it has not heard of, with the timer that each was.
    unheard: Vec<(Event, Timer)>,
    /// When the process started.
    up_since: Ns,
}

/// What one leak has taken from a process.
struct Lost {
    /// The ticket of the fault.
    ticket: u32,
    /// Workers, or cores.
    workers: u32,
    /// Memory, in bytes.
    memory: u64,
}

impl Troubles {
    /// Workers, or cores, that are lost.
    fn workers(&self) -> u32 {
        self.lost.iter().map(|lost| lost.workers).sum()
    }

    /// Memory that is lost, in bytes.
    fn memory(&self) -> u64 {
        self.lost.iter().fold(0, |sum, lost| sum.saturating_add(lost.memory))
    }

    /// What the leak of a fault has taken so far.
    fn of(&mut self, ticket: u32) -> &mut Lost {
        let at = self.lost.iter().position(|lost| lost.ticket == ticket).unwrap_or(self.lost.len());
        if at == self.lost.len() {
            self.lost.push(Lost { ticket, workers: 0, memory: 0 });
        }
        &mut self.lost[at]
    }
}

impl super::Server {
    /// The process is gone, and with it what it had lost. What comes now and then goes on with the next one, and so does
    /// the fault that makes it leak.
    pub(super) fn forget_leaks(&mut self) {
        self.troubles.lost.clear();
        let periodic = |event: &Event| matches!(event, Event::CachedQuery(_) | Event::Drain(..) | Event::Leaks(..));
        self.troubles.unheard.retain(|(event, _)| periodic(event));
    }

    /// The process has started.
    pub(super) fn is_up_since(&mut self, now: Ns) {
        self.troubles.up_since = now;
    }

    /// See [`World::leftovers`].
    pub(crate) fn leftovers(&self, fleet: &Fleet) -> Vec<&'static str> {
        let pools = |has: fn(&PoolState) -> bool| self.pools.iter().any(has);
        // A check under way may have a worker and a connection.
        let checks = self.active.len() as u32;
        which([
            (!self.alive, "its process is dead"),
            (self.dying, "its process is dying"),
            (!self.troubles.lost.is_empty(), "a leak has taken something"),
            (!self.troubles.unheard.is_empty(), "it has not heard of something"),
            (self.busy > checks || self.busy > self.workers, "a worker is busy with nothing"),
            (self.workers != fleet.workers_or_cores(), "it has not all of its workers"),
            (self.room != fleet.room(), "its backlog has another size"),
            (self.queue.len() > self.active.len(), "a call waits to be accepted"),
            (checks == 0 && self.memory > 0, "memory is held by nothing"),
            (pools(|pool| pool.waits > 0), "a call waits for a connection"),
            (checks == 0 && pools(|pool| pool.open != pool.idle), "a connection is in use by nothing"),
            (checks == 0 && pools(|pool| pool.open != pool.at_store), "a store counts other connections than it has"),
            (self.spooled() > 0, "a call is in a spool"),
        ])
    }
}

impl World {
    /// A process has died, or has started, where another runtime runs it.
    pub fn process_is(&mut self, number: u32, alive: bool) {
        let server = &mut self.servers[number as usize];
        server.alive = alive;
        if !alive {
            server.memory = 0;
            server.forget_leaks();
        }
    }

    /// Workers, and bytes of memory, that leaks have taken from a process.
    pub fn leaked(&self, number: u32) -> (u32, u64) {
        let troubles = &self.servers[number as usize].troubles;
        (troubles.workers(), troubles.memory())
    }

    /// A process has died at its heap limit where another runtime runs it: an effect of the leaks of memory that it has.
    pub fn died_of_memory(&mut self, number: u32) {
        for layer in self.servers[number as usize].stack.layers() {
            if matches!(layer.fault.onset(), Onset::Leak(Leak::Memory(_))) {
                self.effects.count(layer.entry);
            }
        }
    }

    /// Lays a fault on servers.
    pub(crate) fn lay_on_servers<K: Kernel>(&mut self, k: &mut K, fleet: usize, which: &Which, layer: Layer) {
        let servers: Vec<u32> = self.servers_of(fleet, which).collect();
        let (onset, entry, ticket) = (layer.fault.onset(), layer.entry, layer.ticket);
        for number in servers {
            if !layer.fault.course().ends_itself() {
                self.servers[number as usize].stack.push(layer.clone());
                self.server_changed(k, number);
            }
            match onset {
                Onset::Kill if self.servers[number as usize].alive => {
                    self.effects.count(entry);
                    self.crash(k, number);
                }
                Onset::Leak(leak) => k.at(k.now().plus(period(leak)), Event::Leaks(number, ticket)),
                _ => {}
            }
        }
    }

    /// Takes a fault off servers, or sets how much of its severity it has reached.
    pub(crate) fn change_on_servers<K: Kernel>(
        &mut self,
        k: &mut K,
        (fleet, which): (usize, &Which),
        ticket: u32,
        level: Option<f64>,
    ) {
        let servers: Vec<u32> = self.servers_of(fleet, which).collect();
        for number in servers {
            let stack = &mut self.servers[number as usize].stack;
            match level {
                Some(level) => stack.set_level(ticket, level),
                None => stack.remove(ticket),
            }
            self.server_changed(k, number);
        }
    }

    /// What the faults of a server make of it is put into force.
    fn server_changed<K: Kernel>(&mut self, k: &mut K, number: u32) {
        let server = &mut self.servers[number as usize];
        let before = server.knobs;
        server.knobs = server.stack.knobs();
        let after = server.knobs;
        let stack = &server.stack;
        let had = server.troubles.memory();
        // What a leak has taken comes back with its end, whatever others take.
        server.troubles.lost.retain(|lost| stack.layers().iter().any(|layer| layer.ticket == lost.ticket));
        server.memory -= had - server.troubles.memory();
        if after.still != before.still {
            self.set_room(number);
        }
        self.set_workers(k, number);
        if before.clock != after.clock {
            self.clock_turns(k, number, before.clock, after.clock);
        }
        if before.still && !after.still {
            self.resume(k, number);
        }
    }

    /// How many calls may wait to be accepted now. For a process that stands still its kernel goes on accepting, beside
    /// what the process has accepted itself.
    pub(super) fn set_room(&mut self, number: u32) {
        let server = &mut self.servers[number as usize];
        let fleet = &self.spec.fleets.0[server.fleet as usize].1;
        let accepted = match fleet.room() {
            u32::MAX => server.queue.len() as u32,
            _ => fleet.accept_queue.min(server.queue.len() as u32),
        };
        let backlog = listen::room(fleet.backlog).saturating_add(accepted);
        server.room = if server.knobs.still { backlog } else { fleet.room() };
    }

    /// How many workers there are now; those that came back take what waits.
    pub(super) fn set_workers<K: Kernel>(&mut self, k: &mut K, number: u32) {
        let all = self.fleet_of(number).workers_or_cores();
        let server = &mut self.servers[number as usize];
        let before = server.workers;
        server.workers = if server.knobs.still { 0 } else { all - server.troubles.workers() };
        if server.workers > before && server.alive {
            self.work_on(k, number);
        }
    }

    /// Whether an event is for a process that stands still: then it is kept for later.
    pub(crate) fn stands_still(&mut self, event: Event) -> bool {
        let Some(number) = self.process_of(event) else { return false };
        let server = &mut self.servers[number as usize];
        if !server.knobs.still || !server.alive {
            return false;
        }
        server.stack.credit(&mut self.effects, |knobs: &ServerKnobs| knobs.still);
        if matches!(event, Event::AtServer(_)) {
            return false; // its kernel takes that
        }
        let timer = match event {
            Event::AskDeadline(t) => self.tries[t].ask_timer,
            Event::AskStepTimeout(t) | Event::BulkheadTimeout(t) => self.tries[t].step_timer,
            _ => Timer::NONE,
        };
        server.troubles.unheard.push((event, timer));
        true
    }

    /// The server whose process an event is for.
    fn process_of(&self, event: Event) -> Option<u32> {
        match event {
            Event::AtServer(t)
            | Event::WorkDone(t, _)
            | Event::BadAnswer(t, _)
            | Event::Connected(t)
            | Event::QueryReply(t, _)
            | Event::AskRefused(t)
            | Event::AskSevered(t)
            | Event::AskDeadline(t)
            | Event::AskStepTimeout(t)
            | Event::AskAgain(t)
            | Event::Answered(t, ..)
            | Event::ErrandAgain(t, _)
            | Event::BulkheadTimeout(t) => self.tries.get(t).map(|t| t.server),
            Event::CheckAtServer(seat, _) => self.seats.get(seat as usize).map(|seat| seat.server),
            Event::CachedQuery(server) | Event::Drain(server, _) | Event::Leaks(server, _) | Event::Dies(server, _) => {
                Some(server)
            }
            _ => None,
        }
    }

    /// A process that stood still goes on with what it has not heard of.
    fn resume<K: Kernel>(&mut self, k: &mut K, number: u32) {
        for (event, timer) in std::mem::take(&mut self.servers[number as usize].troubles.unheard) {
            let due = match event {
                Event::AskDeadline(t) => self.tries.get(t).is_some_and(|t| t.ask_timer == timer),
                Event::AskStepTimeout(t) => self.tries.get(t).is_some_and(|t| t.step_timer == timer),
                Event::BulkheadTimeout(t) => {
                    self.tries.get(t).is_some_and(|t| t.step_timer == timer && t.back == Back::AtBulkhead)
                }
                _ => true,
            };
            if due {
                // Not by way of the links: what is a message has arrived.
                self.handle_late(k, event);
            }
        }
        for pool in 0..self.servers[number as usize].pools.len() as u16 {
            self.serve_pool(k, number, pool);
        }
        if self.servers[number as usize].alive {
            self.spools_start(k, number);
        }
    }

    /// Whether a server answers a try with an error in place of doing it: then the answer is raised here.
    pub(super) fn answers_badly<K: Kernel>(&mut self, k: &mut K, t: Ref) -> bool {
        let try_ = &mut self.tries[t];
        let server = &self.servers[try_.server as usize];
        let Some(bad) = server.knobs.bad else { return false };
        let meets = |purpose: Purpose, checks: bool| match purpose {
            Purpose::Call | Purpose::Asked => true,
            Purpose::Check(_) => checks,
            Purpose::Background | Purpose::Replay | Purpose::Errand => false,
        };
        let number = (u32::from(try_.attempt) << 16) | u32::from(try_.dispatches);
        if !meets(try_.purpose, bad.checks) || unit(draw(try_.salt, Draw::BadAnswer, number)) > bad.share {
            return false;
        }
        let (purpose, gap) = (try_.purpose, try_.since.minus(k.now()));
        server
            .stack
            .credit(&mut self.effects, |knobs: &ServerKnobs| knobs.bad.is_some_and(|bad| meets(purpose, bad.checks)));
        let computing = || {
            let plan = &self.plans[try_.fleet as usize][try_.plan as usize];
            plan.work.sample(try_.salt, Draw::Work, u32::from(try_.attempt)).scaled(server.knobs.slow)
        };
        let time = bad.takes.unwrap_or_else(computing);
        try_.back = Back::Working;
        try_.status = bad.status;
        k.at(k.now().plus(gap).plus(time), Event::BadAnswer(t, try_.dispatches));
        true
    }

    /// A server that answers badly is done with a try.
    pub(crate) fn bad_answer_done<K: Kernel>(&mut self, k: &mut K, t: Ref, dispatch: u16) {
        let Some(try_) = self.tries.get(t) else { return };
        if try_.back == Back::Working && try_.dispatches == dispatch {
            let status = try_.status;
            self.finish(k, t, status, Cause::BadAnswer);
        }
    }

    /// Whether a server computes at another speed: then the end of the work is raised here.
    pub(super) fn is_slowed<K: Kernel>(&mut self, k: &mut K, t: Ref) -> bool {
        let try_ = &mut self.tries[t];
        try_.back = Back::Working;
        let gap = try_.since.minus(k.now());
        let server = &self.servers[try_.server as usize];
        let slow = server.knobs.slow;
        if slow == 1.0 {
            return false;
        }
        server.stack.credit(&mut self.effects, |knobs: &ServerKnobs| knobs.slow != 1.0);
        let plan = &self.plans[try_.fleet as usize][try_.plan as usize];
        let time = plan.work.sample(try_.salt, Draw::Work, u32::from(try_.attempt)).scaled(slow);
        k.at(k.now().plus(gap).plus(time), Event::WorkDone(t, try_.dispatches));
        true
    }

    /// A process loses a little more.
    pub(crate) fn leaks<K: Kernel>(&mut self, k: &mut K, number: u32, ticket: u32) {
        let all = self.fleet_of(number).workers_or_cores();
        let limit = self.fleet_of(number).heap_limit.0;
        let server = &mut self.servers[number as usize];
        let Some(layer) = server.stack.layers().iter().find(|layer| layer.ticket == ticket) else { return };
        let (Onset::Leak(leak), entry) = (layer.fault.onset(), layer.entry) else { return };
        k.at(k.now().plus(period(leak)), Event::Leaks(number, ticket));
        if !server.alive {
            return;
        }
        match leak {
            Leak::Worker(_) if server.troubles.workers() < all => {
                server.troubles.of(ticket).workers += 1;
                self.effects.count(entry);
                self.set_workers(k, number);
            }
            Leak::Worker(_) => {}
            Leak::Memory(bytes) => {
                let lost = server.troubles.of(ticket);
                lost.memory = lost.memory.saturating_add(bytes.0);
                server.memory = server.memory.saturating_add(bytes.0);
                if server.memory > limit {
                    self.effects.count(entry);
                    self.crash(k, number);
                }
            }
        }
    }

    /// A process has started; if that is a loop, it will die again.
    pub(super) fn dies_again<K: Kernel>(&mut self, k: &mut K, number: u32) {
        let server = &self.servers[number as usize];
        if let Some(after) = server.knobs.dies_after {
            k.at(k.now().plus(after), Event::LoopDies(number, server.incarnation));
        }
    }

    /// A process that started some time ago dies, if the loop goes on and is not of another that would take longer.
    pub(crate) fn loop_dies<K: Kernel>(&mut self, k: &mut K, number: u32, incarnation: u32) {
        let server = &self.servers[number as usize];
        if !server.alive || server.incarnation != incarnation {
            return;
        }
        let Some(dies) = server.knobs.dies_after.map(|after| server.troubles.up_since.plus(after)) else { return };
        if dies > k.now() {
            k.at(dies, Event::LoopDies(number, incarnation));
            return;
        }
        server.stack.credit(&mut self.effects, |knobs: &ServerKnobs| knobs.dies_after.is_some());
        self.crash(k, number);
    }

    /// Sets a timer of a process, as its clock runs.
    #[inline]
    pub(crate) fn arm_at<K: Kernel>(&mut self, k: &mut K, number: u32, lane: Lane, event: Event) -> Timer {
        if !self.trouble.on {
            return k.arm(lane, event);
        }
        let (set, is) = (k.delay(lane), self.by_its_clock(number, k.delay(lane)));
        if set == is {
            return k.arm(lane, event);
        }
        let skewed = k.timer_lane(is);
        k.arm(skewed, event)
    }

    /// The clock of a process runs at another rate from now on: what it does now and then comes accordingly. What it has
    /// set a timer for goes off as it was set.
    fn clock_turns<K: Kernel>(&mut self, k: &mut K, number: u32, was: f64, is: f64) {
        let checker = &mut self.checkers[number as usize];
        let left = checker.queries_at.minus(k.now());
        if checker.queries_at.is_never() || left == Ns::ZERO {
            return;
        }
        checker.queries_at = k.now().plus(left.scaled(was / is));
        k.at(checker.queries_at, Event::CachedQuery(number));
    }

    /// How long a span of a process's own clock takes. Three digits of it are kept, so that there are not too many.
    pub(crate) fn by_its_clock(&mut self, number: u32, span: Ns) -> Ns {
        let server = &self.servers[number as usize];
        let rate = server.knobs.clock;
        if rate == 1.0 || span.is_never() {
            return span;
        }
        server.stack.credit(&mut self.effects, |knobs: &ServerKnobs| knobs.clock != 1.0);
        span.by_clock(rate)
    }
}

/// How often a leak shows.
fn period(leak: Leak) -> Ns {
    match leak {
        Leak::Worker(every) => every,
        Leak::Memory(_) => Ns::secs(1),
    }
}
