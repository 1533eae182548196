//! The main loop: a world, a queue, the books.

mod observed;
mod relay;

pub use observed::Observer;
pub use relay::{Gauges, Relay};

use crate::ledger::{Imbalance, Ledger};
use crate::outcome::{FleetGauge, StoreGauge};
use crate::queue::Due;
use brownout_models::kernel::{Cohort, Event, Fact, Kernel, Lane, Timer};
use brownout_models::spec::WorldPlan;
use brownout_models::units::Ns;
use brownout_models::world::World;
use std::sync::atomic::{AtomicBool, Ordering};

/// The kernel: clock, queue and books in one, as the world sees them.
pub struct Engine {
    due: Due,
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

/// What to run, beyond the world itself.
#[derive(Clone, Debug, Default)]
pub struct Orders {
    /// The seed.
    pub seed: u64,
    /// Length of a step of the timeline.
    pub step: Ns,
    /// Times at which windows begin or end.
    pub boundaries: Vec<Ns>,
    /// Most events to handle.
    pub event_limit: Option<u64>,
    /// Whether to keep the facts of the present step, to compare two runs.
    pub keep_facts: bool,
    /// Whether to lose a call on purpose, to see that a broken ledger is noticed.
    pub lose_a_call: bool,
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
    /// Latency percentiles per kind, in milliseconds.
    pub latencies: Vec<Option<[f64; 4]>>,
    /// Stores at its end.
    pub stores: Vec<StoreGauge>,
    /// Fleets at its end.
    pub fleets: Vec<FleetGauge>,
    /// Calls queued at the balancer at its end.
    pub balancer_queue: u64,
    /// Lost calls kept for a replay, in the balancer's log or by clients, at its end.
    pub kept: u64,
    /// What has come together since the start of the run.
    pub tallies: Tallies,
    /// The digest at its end.
    pub digest: u64,
}

/// Totals since the start of the run, and peaks within the step, that the books do not keep.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Tallies {
    /// Per store: queries and appends sent to it, and connections tried.
    pub asked: Vec<(u64, u64)>,
    /// Per fleet: processes that died.
    pub crashes: Vec<u64>,
    /// Per fleet: most calls that one spool of a server held at any instant of the step.
    pub spooled_max: Vec<u64>,
}

/// A run under way. [`Run::step`] moves it on by one step of the timeline.
pub struct Run {
    engine: Engine,
    world: World,
    orders: Orders,
    end: Ns,
    at: Ns,
    area: u128,
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
        let kinds = plan.spec.kinds();
        let kind = |sends: &str| kinds.iter().position(|k| *k == sends).unwrap_or_default();
        let kind_of = plan.spec.clients.iter().map(|(_, c)| kind(&c.sends.text)).collect();
        let mut boundaries = orders.boundaries.clone();
        let mut at = Ns::ZERO;
        while at < plan.end {
            boundaries.push(at);
            at = at.plus(orders.step);
        }
        let mut engine = Engine { due: Due::new(plan.end), ledger: Ledger::new(kind_of, kinds.len(), boundaries) };
        let world = World::new(plan, orders.seed, &mut engine);
        let in_rotation = world.backends.first().map_or(0, |b| b.rotation.len() as u32);
        let watched = world.spec.fleets.0.first().map_or(0, |(_, fleet)| fleet.count);
        engine.ledger.open_rotation(world.servers.len(), watched, in_rotation);
        Run { engine, world, orders, end: plan.end, at: Ns::ZERO, area: 0, steps: Vec::new(), events: 0, alive_max: 0 }
    }

    /// Runs one step and checks the books. `None` while there is more to come.
    ///
    /// # Errors
    /// [`Imbalance`] if the books do not balance.
    pub fn step(&mut self) -> Result<Option<Ended>, Imbalance> {
        if let Some(kept) = &mut self.engine.ledger.kept {
            kept.clear();
        } else if self.orders.keep_facts {
            self.engine.ledger.kept = Some(Vec::new());
        }
        let (until, last, limit) = self.next_step();
        let limited = self.handle_until(last, limit);
        self.end_step(until, limited)
    }

    /// The end of the next step, the last instant that belongs to it, and how many events there may have been by then.
    fn next_step(&self) -> (Ns, Ns, u64) {
        let until = self.at.plus(self.orders.step).min(self.end);
        // The last step takes in what is due at the very end; the others leave it to the next.
        let last = if until == self.end { until } else { until.minus(Ns(1)) };
        (until, last, self.orders.event_limit.unwrap_or(u64::MAX))
    }

    /// Handles what is due up to `last`, or until so many events have been handled since the start; whether the latter.
    fn handle_until(&mut self, last: Ns, most: u64) -> bool {
        while let Some(event) = self.engine.due.pop(last) {
            self.world.handle(&mut self.engine, event);
            self.events += 1;
            if self.events >= most {
                return true;
            }
        }
        false
    }

    fn end_step(&mut self, until: Ns, limited: bool) -> Result<Option<Ended>, Imbalance> {
        let to = if limited { self.engine.due.now() } else { until };
        self.engine.due.advance_to(to);
        self.close_step(to)?;
        Ok(if limited {
            Some(Ended::EventLimit(self.events))
        } else if until == self.end {
            Some(Ended::Complete)
        } else {
            None
        })
    }

    fn close_step(&mut self, to: Ns) -> Result<(), Imbalance> {
        if self.orders.lose_a_call {
            self.engine.ledger.lose_a_call();
        }
        let gauges = Gauges {
            alive: self.world.alive(),
            calls: self.world.calls.len() as u64,
            stores: self.store_gauges(to),
            fleets: self.fleet_gauges(),
            balancer_queue: self.world.backends.iter().map(|b| u64::from(b.queued)).sum(),
            kept: self.world.kept(),
            spooled_max: self.spool_peaks(),
        };
        self.take_step(to, gauges)
    }

    /// Checks the books at the end of a step and writes the step down.
    fn take_step(&mut self, to: Ns, gauges: Gauges) -> Result<(), Imbalance> {
        let ledger = &mut self.engine.ledger;
        ledger.check(to, &gauges.alive)?;
        let area = ledger.rotation_area(to);
        let length = to.minus(self.at).0;
        let mean = if length == 0 { 0.0 } else { (area - self.area) as f64 / length as f64 };
        self.area = area;
        self.alive_max = self.alive_max.max(gauges.calls);
        let latencies = ledger.take_latencies();
        let digest = ledger.digest();
        let tallies = self.tallies(gauges.spooled_max);
        self.steps.push(Step {
            from: self.at,
            to,
            in_rotation: mean,
            latencies,
            stores: gauges.stores,
            fleets: gauges.fleets,
            balancer_queue: gauges.balancer_queue,
            kept: gauges.kept,
            tallies,
            digest,
        });
        self.at = to;
        Ok(())
    }

    /// Per fleet: most calls that one spool of a server held since the last step.
    fn spool_peaks(&mut self) -> Vec<u64> {
        let mut peaks = vec![0; self.world.spec.fleets.len()];
        for server in &mut self.world.servers {
            let peak = &mut peaks[server.fleet as usize];
            *peak = (server.take_spool_peak() as u64).max(*peak);
        }
        peaks
    }

    fn tallies(&self, spooled_max: Vec<u64>) -> Tallies {
        let mut crashes = vec![0; self.world.spec.fleets.len()];
        for (server, died) in self.world.servers.iter().zip(&self.engine.ledger.crashes) {
            crashes[server.fleet as usize] += died;
        }
        Tallies { asked: self.world.stores.iter().map(|s| (s.queries, s.connects)).collect(), crashes, spooled_max }
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
            .map(|b| FleetGauge { in_rotation: b.rotation.len() as u64, ..FleetGauge::default() })
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
        loop {
            if let Some(ended) = self.step()? {
                return Ok(ended);
            }
            progress(self.at.0 as f64 / self.end.0 as f64);
            if stop.is_some_and(|s| s.load(Ordering::Relaxed)) {
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
