//! The main loop: a world, a queue, the books.

mod cells;
mod observed;
mod relay;

pub use cells::Cell;
pub use observed::Observer;
pub use relay::{Counted, Gauges, Relay};

use crate::ledger::{Imbalance, Ledger};
use crate::outcome::{FleetGauge, StoreGauge};
use crate::queue::Due;
use brownout_models::component::operator::{Action, Trigger};
use brownout_models::kernel::{Cohort, Event, Fact, Kernel, Lane, Timer};
use brownout_models::memory::{OFFERED, TIMER};
use brownout_models::spec::WorldPlan;
use brownout_models::units::{Bytes, Ns};
use brownout_models::world::World;
use std::sync::atomic::{AtomicBool, Ordering};

/// The kernel: clock, queue and books in one, as the world sees them.
pub struct Engine {
    due: Due,
    /// Up to when events are handled before somebody looks: just before the next boundary of time.
    until: Ns,
    /// After how many events the main loop looks at its bounds: at once, if one has changed.
    pause_at: u64,
    /// The books.
    pub ledger: Ledger,
}

impl Kernel for Engine {
    #[inline(always)]
    fn now(&self) -> Ns {
        self.due.now()
    }
    #[inline(always)]
    fn end(&self) -> Ns {
        self.due.end()
    }
    fn own_lane(&mut self) -> Lane {
        self.due.own_lane()
    }
    fn lane(&mut self, delay: Ns) -> Lane {
        self.due.lane(delay, false)
    }
    fn timer_lane(&mut self, delay: Ns) -> Lane {
        self.due.lane(delay, true)
    }
    #[inline(always)]
    fn after(&mut self, lane: Lane, event: Event) {
        self.due.after(lane, event);
    }
    #[inline(always)]
    fn on(&mut self, lane: Lane, time: Ns, event: Event) {
        self.due.on(lane, time, event);
    }
    #[inline(always)]
    fn at(&mut self, time: Ns, event: Event) {
        self.due.at(time, event);
    }
    fn delay(&self, lane: Lane) -> Ns {
        self.due.delay(lane)
    }
    #[inline(always)]
    fn arm(&mut self, lane: Lane, event: Event) -> Timer {
        self.due.arm(lane, event)
    }
    #[inline(always)]
    fn cancel(&mut self, timer: Timer) {
        self.due.cancel(timer);
    }
    #[inline(always)]
    fn offer(&mut self, population: u16, at: Ns, salt: u64) -> Cohort {
        self.ledger.offer(population, at, salt)
    }
    #[inline(always)]
    fn record(&mut self, fact: Fact) {
        let now = self.due.now();
        self.ledger.record(now, fact);
        if let Fact::Outage { begins: false, .. } | Fact::Fault { begins: false } = fact {
            // Its end may have made boundaries of its own.
            let next = self.ledger.next_boundary().map_or(Ns::NEVER, |next| next.minus(Ns(1)));
            self.until = self.until.min(next);
            self.pause_at = 0;
        }
    }
    fn outage_mode(&mut self, mode: String) {
        if let Some(outage) = self.ledger.outages.last_mut() {
            outage.mode = mode;
        }
    }
    fn mark(&mut self, what: String, expected: Option<Ns>) {
        let at = self.due.now();
        self.ledger.marks.push(crate::ledger::Mark { at, what, expected });
    }
}

/// Events from one look at the memory to the next, if none adds more than a call.
const LOOK: u64 = 16_384;

/// What to run, beyond the world itself.
#[derive(Clone, Debug, Default)]
pub struct Orders {
    /// The seed.
    pub seed: u64,
    /// Length of a step of the timeline.
    pub step: Ns,
    /// Times at which windows begin or end.
    pub boundaries: Vec<Ns>,
    /// Windows begin or end so long after an outage or a fault has ended.
    pub after: Vec<Ns>,
    /// Most events to handle.
    pub event_limit: Option<u64>,
    /// Most bytes that what comes and goes may take: calls, tries, queries, what is due, and what is kept of the run.
    pub memory_limit: Option<u64>,
    /// Whether to keep the facts of the present step, to compare two runs.
    pub keep_facts: bool,
    /// Whether to lose a call on purpose, to see that a broken ledger is noticed.
    pub lose_a_call: bool,
}

/// A run whose facts are kept has at least so many steps: only those of one step are kept at a time.
const STEPS_OF_FACTS: u64 = 1000;

impl Orders {
    /// As they are, with the facts of each step kept; of a run until `end`.
    pub fn keeping_facts(self, end: Ns) -> Orders {
        let step = self.step.min(Ns((end.0 / STEPS_OF_FACTS).max(1)));
        Orders { step, keep_facts: true, ..self }
    }
}

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// At its end.
    Complete,
    /// It was told to stop.
    Interrupted,
    /// It reached the limit on events.
    EventLimit(u64),
    /// It reached the limit on memory, of so many bytes.
    MemoryLimit(u64),
}

impl Ended {
    /// Which limit was reached, and which key of the scenario raises it; none if none was.
    pub fn limit(self) -> Option<(String, &'static str)> {
        match self {
            Ended::Complete | Ended::Interrupted => None,
            Ended::EventLimit(n) => Some((format!("limit of {n} events reached"), "limits.events")),
            Ended::MemoryLimit(n) => Some((format!("limit of {} of memory reached", Bytes(n)), "limits.memory")),
        }
    }

    /// The same in a sentence with its next step.
    pub fn advice(self) -> Option<String> {
        self.limit().map(|(what, key)| format!("{what}; `{key}` in the scenario raises it"))
    }
}

/// A step of the run.
#[derive(Clone, PartialEq, Debug)]
pub struct Step {
    /// Its beginning.
    pub from: Ns,
    /// Its end.
    pub to: Ns,
    /// Mean number of servers in rotation.
    pub in_rotation: f64,
    /// Stores at its end.
    pub stores: Vec<StoreGauge>,
    /// Fleets at its end.
    pub fleets: Vec<FleetGauge>,
    /// Calls queued at the balancer at its end.
    pub balancer_queue: u64,
    /// Lost calls kept for a replay, in the balancer's log or by clients, at its end.
    pub kept: u64,
    /// The digest at its end.
    pub digest: u64,
}

/// A run under way. [`Run::step`] moves it on by one step of the timeline.
pub struct Run {
    engine: Engine,
    world: World,
    orders: Orders,
    end: Ns,
    at: Ns,
    area: u128,
    /// How many events there will have been when the memory is looked at again.
    next_look: u64,
    /// From one look at the memory to the next, in events.
    look_every: u64,
    /// How many events there had been when the books were checked last.
    checked: u64,
    /// Steps so far.
    pub steps: Vec<Step>,
    /// Events handled.
    pub events: u64,
    /// Most calls alive at the end of a step.
    pub alive_max: u64,
}

impl Run {
    /// A run at its beginning.
    pub fn new(plan: &WorldPlan, orders: Orders) -> Run {
        let mut boundaries = orders.boundaries.clone();
        boundaries.extend(turns(plan));
        let mut at = Ns::ZERO;
        while at < plan.end {
            boundaries.push(at);
            at = at.plus(orders.step);
        }
        // What lies beyond the end is no boundary; at the end itself the last step closes.
        boundaries.retain(|at| *at < plan.end);
        let ledger = Ledger::new(plan.spec.clients.len(), boundaries, orders.after.clone());
        let mut engine = Engine { due: Due::new(plan.end), until: Ns::ZERO, pause_at: 0, ledger };
        let world = World::new(plan, orders.seed, &mut engine);
        let in_rotation = world.backends.first().map_or(0, |b| b.members.in_rotation() as u32);
        let watched = world.spec.fleets.0.first().map_or(0, |(_, fleet)| fleet.count);
        let fails_open = world.backends.iter().map(|backend| backend.members.fails_open()).collect();
        engine.ledger.open_edges(world.edges.len());
        engine.ledger.open_rotation(world.servers.len(), watched, in_rotation, fails_open);
        // An event adds a call or two, a burst as many as it says, and the onset of a fault a cell: what is larger counts more.
        let cell = world.levels.memory_of_a_cell() + engine.ledger.memory_of_a_cell();
        let look_every = (LOOK * OFFERED / world.memory_of_a_burst().max(cell).max(OFFERED)).max(1);
        Run {
            engine,
            world,
            orders,
            end: plan.end,
            at: Ns::ZERO,
            area: 0,
            next_look: look_every,
            look_every,
            checked: 0,
            steps: Vec::new(),
            events: 0,
            alive_max: 0,
        }
    }

    /// Bytes taken by what grows with the run, at most so far: the same on every machine, and not less than what is taken.
    pub fn memory(&self) -> u64 {
        self.world.memory() + self.engine.due.peak() as u64 * TIMER + self.engine.ledger.memory()
    }

    /// Why the run ends here, if it does. Asked at each boundary of time, at which cells begin, and every [`LOOK`] events:
    /// the memory takes some time to look at.
    fn limit_reached(&mut self, halted: &dyn Fn() -> bool) -> Option<Ended> {
        if self.events >= self.orders.event_limit.unwrap_or(u64::MAX) {
            return Some(Ended::EventLimit(self.events));
        }
        if halted() {
            return Some(Ended::Interrupted);
        }
        self.next_look = self.events + self.look_every;
        let most = self.orders.memory_limit?;
        // Room for one more burst must be left: it comes with one event.
        (self.memory() + self.world.memory_of_a_burst() > most).then_some(Ended::MemoryLimit(most))
    }

    /// Runs one step and checks the books. `None` while there is more to come.
    ///
    /// # Errors
    /// [`Imbalance`] if the books do not balance.
    pub fn step(&mut self) -> Result<Option<Ended>, Imbalance> {
        self.step_unless(&|| false)
    }

    /// As [`Run::step`], but breaks off within the step once `halted` says so, which is asked every few thousand events: a
    /// step may be as long as the run.
    ///
    /// # Errors
    /// [`Imbalance`] if the books do not balance.
    pub fn step_unless(&mut self, halted: &dyn Fn() -> bool) -> Result<Option<Ended>, Imbalance> {
        if let Some(kept) = &mut self.engine.ledger.kept {
            kept.clear();
        } else if self.orders.keep_facts {
            self.engine.ledger.kept = Some(Vec::new());
        }
        self.step_by(&mut |run| {
            loop {
                let limit = run.limit_reached(halted);
                if limit.is_some() || !run.handle(run.next_pause()) {
                    return limit;
                }
            }
        })
    }

    /// Goes through the next step from one boundary of time to the next. `handle` handles what is due up to
    /// [`Engine::until`], and says why it has ended before, if it has.
    fn step_by(&mut self, handle: &mut dyn FnMut(&mut Run) -> Option<Ended>) -> Result<Option<Ended>, Imbalance> {
        let end = self.at.plus(self.orders.step).min(self.end);
        loop {
            let boundary = self.engine.ledger.next_boundary().filter(|at| *at < end);
            // The last step takes in what is due at the very end; else what is due at a boundary comes after it.
            self.engine.until = boundary.or((end < self.end).then_some(end)).map_or(end, |at| at.minus(Ns(1)));
            let limit = handle(self);
            if limit.is_some() {
                return self.end_step(end, limit);
            }
            // Not before: a boundary may have been made meanwhile.
            let reached = self.engine.until.plus(Ns(1));
            if reached >= end {
                return self.end_step(end, None);
            }
            self.world.boundary(reached);
            self.engine.ledger.open_cells(reached);
        }
    }

    /// After how many events a limit may have been reached.
    fn next_pause(&self) -> u64 {
        self.next_look.min(self.orders.event_limit.unwrap_or(u64::MAX))
    }

    /// Handles what is due before the next boundary, or until so many events have been handled since the start; whether
    /// the latter.
    fn handle(&mut self, most: u64) -> bool {
        // Both bounds are asked of after every event: one comparison with what may change under way, the other in a register.
        let mut until = self.engine.until;
        self.engine.pause_at = most;
        while let Some(event) = self.engine.due.pop(until) {
            self.world.handle(&mut self.engine, event);
            self.events += 1;
            if self.events >= self.engine.pause_at {
                if self.events >= most {
                    return true;
                }
                self.engine.pause_at = most;
                until = self.engine.until;
            }
        }
        false
    }

    fn end_step(&mut self, until: Ns, limit: Option<Ended>) -> Result<Option<Ended>, Imbalance> {
        let to = if limit.is_some() { self.engine.due.now() } else { until };
        self.engine.due.advance_to(to);
        self.close_step(to)?;
        Ok(limit.or((until == self.end).then_some(Ended::Complete)))
    }

    fn close_step(&mut self, to: Ns) -> Result<(), Imbalance> {
        if self.orders.lose_a_call {
            self.engine.ledger.lose_a_call();
        }
        self.world.boundary(to);
        let calls = self.world.calls.len() as u64;
        let gauges = Gauges {
            alive: self.is_checked(to, calls).then(|| self.world.alive()),
            calls,
            stores: self.store_gauges(to),
            fleets: self.fleet_gauges(),
            balancer_queue: self.world.backends.iter().map(|b| u64::from(b.queued)).sum(),
            kept: self.world.kept(),
        };
        self.take_step(to, gauges)
    }

    /// Whether the books are checked at the end of a step, with so many calls alive. The check looks at each of them: not
    /// more often than something happens, or short steps would take longer than all that happens in them.
    fn is_checked(&self, to: Ns, calls: u64) -> bool {
        to == self.end || self.events - self.checked >= calls
    }

    /// Checks the books at the end of a step, if the calls alive were looked at, and writes the step down.
    fn take_step(&mut self, to: Ns, gauges: Gauges) -> Result<(), Imbalance> {
        let ledger = &mut self.engine.ledger;
        if let Some(alive) = &gauges.alive {
            ledger.check(to, alive)?;
            self.checked = self.events;
        }
        let area = ledger.rotation_area(to);
        let length = to.minus(self.at).0;
        let mean = if length == 0 { 0.0 } else { (area - self.area) as f64 / length as f64 };
        self.area = area;
        self.alive_max = self.alive_max.max(gauges.calls);
        if to < self.end {
            ledger.open_cells(to);
        }
        let digest = ledger.digest();
        self.steps.push(Step {
            from: self.at,
            to,
            in_rotation: mean,
            stores: gauges.stores,
            fleets: gauges.fleets,
            balancer_queue: gauges.balancer_queue,
            kept: gauges.kept,
            digest,
        });
        self.at = to;
        Ok(())
    }

    fn store_gauges(&self, now: Ns) -> Vec<StoreGauge> {
        let specs = self.world.spec.stores.iter();
        specs
            .zip(&self.world.stores)
            .map(|((_, spec), store)| StoreGauge {
                state: store.state(),
                headroom: spec.headroom.as_ref().map(|_| store.headroom(now)),
                running: u64::from(store.running),
                waiting: store.waiting() as u64,
            })
            .collect()
    }

    fn fleet_gauges(&self) -> Vec<FleetGauge> {
        let mut gauges: Vec<FleetGauge> = self
            .world
            .backends
            .iter()
            .map(|b| FleetGauge { in_rotation: b.members.in_rotation() as u64, ..FleetGauge::default() })
            .collect();
        for server in &self.world.servers {
            let gauge = &mut gauges[server.fleet as usize];
            gauge.alive += u64::from(server.alive);
            gauge.accept_queue += server.queued() as u64;
            gauge.busy += u64::from(server.busy);
            gauge.pending += server.pending() as u64;
            gauge.spooled += server.spooled() as u64;
            gauge.pool_open += server.pools.iter().map(|p| u64::from(p.open)).sum::<u64>();
            gauge.pool_waiting += server.pools.iter().map(|p| u64::from(p.waits)).sum::<u64>();
        }
        gauges
    }

    /// Runs to the end, or until `stop` is set. `progress` hears the share done after each step.
    ///
    /// # Errors
    /// [`Imbalance`] if the books do not balance.
    pub fn finish(&mut self, stop: Option<&AtomicBool>, progress: &mut dyn FnMut(f64)) -> Result<Ended, Imbalance> {
        let halted = halted(stop);
        loop {
            if let Some(ended) = self.step_unless(&halted)? {
                return Ok(ended);
            }
            progress(self.at.0 as f64 / self.end.0 as f64);
            if halted() {
                return Ok(Ended::Interrupted);
            }
        }
    }

    /// The books.
    pub fn ledger(&self) -> &Ledger {
        &self.engine.ledger
    }

    /// The world.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// How far the run has come.
    pub fn at(&self) -> Ns {
        self.at
    }
}

/// Whether a flag, if there is one, is set: for [`Run::step_unless`].
pub fn halted(stop: Option<&AtomicBool>) -> impl Fn() -> bool {
    move || stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
}

/// Most boundaries of time that one entry of the timeline makes by coming again.
const TURNS: u64 = 10_000;

/// When the timeline is known beforehand to turn: what is offered at that very instant belongs to what follows.
fn turns(plan: &WorldPlan) -> Vec<Ns> {
    let mut turns = Vec::new();
    for entry in plan.spec.timeline.iter().filter(|entry| entry.enabled) {
        let (Trigger::At(at), Action::Fault(_, timing)) = (&entry.trigger, &entry.action) else { continue };
        let (times, every) = timing
            .repeat
            .as_ref()
            .map_or((1, Ns::ZERO), |repeat| (repeat.times.map_or(TURNS, u64::from), repeat.every));
        for time in 0..times.min(TURNS) {
            let begins = at.plus(entry.delay).plus(Ns(every.0.saturating_mul(time)));
            turns.extend(std::iter::once(begins).chain(timing.r#for.map(|whole| begins.plus(whole))));
            if begins >= plan.end {
                break;
            }
        }
    }
    turns
}
