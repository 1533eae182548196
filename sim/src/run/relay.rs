//! A run whose calls another runtime carries.
//!
//! The kernel keeps what is the scenario's own: the timeline, the faults, the headroom of the stores and their spares (the
//! *script*), the arrivals, and the books. The runtime that carries the calls (the services of `brownout-services`) asks when the script
//! goes on, plays it up to the present, looks at what has become of the stores, and tells what happens to each call.
//!
//! Not here: anything that a call meets on its way. Of the world's clients only the times of their calls are used; its
//! servers, checks and queries stand still.

use super::{Ended, Engine, Orders, Run};
use crate::ledger::Imbalance;
use crate::outcome::{FleetGauge, StoreGauge};
use brownout_models::component::trouble::{Elsewhere, LinkId};
use brownout_models::fault::{BalancerKnobs, ClientKnobs, LinkKnobs, ServerKnobs, StoreKnobs};
use brownout_models::kernel::{Cohort, Event, Fact, Kernel, Lane, Timer};
use brownout_models::spec::WorldPlan;
use brownout_models::units::Ns;
use brownout_models::world::World;

/// What is seen of the world at the end of a step.
#[derive(Clone, Debug, Default)]
pub struct Gauges {
    /// Per population: calls whose data is in flight, and calls whose client waits; none where they were not looked at.
    pub alive: Option<Vec<(u64, u64)>>,
    /// Calls alive.
    pub calls: u64,
    /// Stores, in the order of the file.
    pub stores: Vec<StoreGauge>,
    /// Fleets, in the order of the file.
    pub fleets: Vec<FleetGauge>,
    /// Calls queued at the balancer.
    pub balancer_queue: u64,
    /// Lost calls kept for a replay.
    pub kept: u64,
}

/// What is counted wherever calls are carried, for its extremes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Counted {
    /// Calls and checks that a fleet has accepted and not answered.
    Pending(u16),
    /// Calls that wait for a fleet to accept them.
    AcceptQueue(u16),
    /// Queries that wait at a store, or hang.
    Waiting(u16),
    /// Calls queued at the balancer.
    Queued,
    /// Lost calls kept for a replay.
    Kept,
}

/// The engine as the script sees it: what the script would do to servers in rotation is left to the runtime that carries the
/// calls.
struct Script<'a>(&'a mut Engine);

impl Kernel for Script<'_> {
    fn now(&self) -> Ns {
        self.0.now()
    }
    fn end(&self) -> Ns {
        self.0.end()
    }
    fn own_lane(&mut self) -> Lane {
        self.0.own_lane()
    }
    fn lane(&mut self, delay: Ns) -> Lane {
        self.0.lane(delay)
    }
    fn timer_lane(&mut self, delay: Ns) -> Lane {
        self.0.timer_lane(delay)
    }
    fn after(&mut self, lane: Lane, event: Event) {
        self.0.after(lane, event);
    }
    fn on(&mut self, lane: Lane, time: Ns, event: Event) {
        self.0.on(lane, time, event);
    }
    fn at(&mut self, time: Ns, event: Event) {
        self.0.at(time, event);
    }
    fn delay(&self, lane: Lane) -> Ns {
        self.0.delay(lane)
    }
    fn arm(&mut self, lane: Lane, event: Event) -> Timer {
        self.0.arm(lane, event)
    }
    fn cancel(&mut self, timer: Timer) {
        self.0.cancel(timer);
    }
    fn offer(&mut self, population: u16, at: Ns, salt: u64) -> Cohort {
        self.0.offer(population, at, salt)
    }
    fn record(&mut self, fact: Fact) {
        if !matches!(fact, Fact::Rotation { .. } | Fact::Process { .. } | Fact::FailsOpen { .. }) {
            self.0.record(fact);
        }
    }
    fn outage_mode(&mut self, mode: String) {
        self.0.outage_mode(mode);
    }
    fn mark(&mut self, what: String, expected: Option<Ns>) {
        self.0.mark(what, expected);
    }
}

/// A run whose calls another runtime carries, from its beginning or from some step on.
pub struct Relay {
    run: Run,
    /// Replays of the balancer's log that have begun, until the other runtime asks.
    replays: Vec<u32>,
}

impl Relay {
    /// A run at its beginning.
    pub fn new(plan: &WorldPlan, orders: Orders) -> Relay {
        Relay { run: Run::new(plan, orders), replays: Vec::new() }
    }

    /// Lets the kernel carry the calls up to the beginning of the step in which `until` lies; the other runtime takes
    /// over there. What is under way at that moment stays under way to the end, and is counted so. Says how the run has ended,
    /// if that was before, as it is once `halted` says so.
    ///
    /// # Errors
    /// [`Imbalance`] if the books do not balance.
    pub fn play_until(
        &mut self,
        until: Ns,
        halted: &dyn Fn() -> bool,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Option<Ended>, Imbalance> {
        while self.step_end() <= until {
            if let Some(ended) = self.run.step_unless(halted)? {
                return Ok(Some(ended));
            }
            progress(self.run.at.0 as f64 / self.run.end.0 as f64);
        }
        self.run.world.trouble.elsewhere = Some(Elsewhere::default());
        self.run.world.levels.hand_over();
        Ok(None)
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.run.orders.seed
    }

    /// Up to where steps have been taken.
    pub fn at(&self) -> Ns {
        self.run.at
    }

    /// When the run ends.
    pub fn end(&self) -> Ns {
        self.run.end
    }

    /// When the step under way ends.
    pub fn step_end(&self) -> Ns {
        self.run.at.plus(self.run.orders.step).min(self.run.end)
    }

    /// The next boundary of time, at which [`Relay::boundary`] is due: the end of the step, if there is none before.
    pub fn next_boundary(&self) -> Ns {
        self.run.engine.ledger.next_boundary().map_or(self.step_end(), |at| at.min(self.step_end()))
    }

    /// A boundary of time. `spooled`: per fleet, most calls that one spool of a server has held since this was last told.
    pub fn boundary(&mut self, at: Ns, spooled: &[u64]) {
        self.spooled(spooled);
        self.run.world.boundary(at);
        if at < self.run.end {
            self.run.engine.ledger.open_cells(at);
        }
    }

    /// Per fleet, most calls that one spool of a server has held since this was last told.
    pub fn spooled(&mut self, most: &[u64]) {
        for (fleet, most) in self.run.world.levels.counts().fleets.iter_mut().zip(most) {
            fleet.spooled = fleet.spooled.max(*most);
        }
    }

    /// Something that is counted has become so many more, or fewer if that is negative.
    pub fn counts(&mut self, what: Counted, now: Ns, more: i64) {
        let levels = self.run.world.levels.counts();
        let level = match what {
            Counted::Pending(fleet) => &mut levels.fleets[fleet as usize].pending,
            Counted::AcceptQueue(fleet) => &mut levels.fleets[fleet as usize].accept_queue,
            Counted::Waiting(store) => &mut levels.waiting[store as usize],
            Counted::Queued => &mut levels.queued,
            Counted::Kept => &mut levels.kept,
        };
        match more {
            0.. => level.add(now, more.unsigned_abs()),
            _ => level.remove(now, more.unsigned_abs()),
        }
    }

    /// Number of populations.
    pub fn populations(&self) -> usize {
        self.run.world.populations.len()
    }

    /// The world, as far as the script has changed it.
    pub fn world(&self) -> &World {
        &self.run.world
    }

    /// When the script may go on.
    pub fn next_due(&mut self) -> Option<Ns> {
        self.run.engine.due.next_time()
    }

    /// Plays the script up to the present.
    pub fn script(&mut self, now: Ns) {
        while let Some(event) = self.run.engine.due.pop(now) {
            if event.is_scripted() {
                self.run.world.handle(&mut Script(&mut self.run.engine), event);
            } else if let Event::Replay(entry) = event {
                self.replays.push(entry);
            }
        }
        self.run.engine.due.advance_to(now);
    }

    /// The next call of a population: when, and with which salts.
    pub fn next_calls(&mut self, population: usize) -> Option<(Ns, Vec<u64>)> {
        self.run.world.populations[population].next_calls()
    }

    /// Calls on top that are offered by now, since this was last asked: whose, when, and the salt.
    pub fn take_offered(&mut self) -> Vec<(u16, Ns, u64)> {
        self.run
            .world
            .trouble
            .elsewhere
            .as_mut()
            .map_or_else(Vec::new, |elsewhere| std::mem::take(&mut elsewhere.offered))
    }

    /// Whether a call of a population's own, offered now, is made as another population's: then that is among those that
    /// [`Relay::take_offered`] gives.
    pub fn is_changed(&mut self, population: u16, salt: u64, now: Ns) -> bool {
        if self.run.world.populations[population as usize].knobs == ClientKnobs::default() {
            return false;
        }
        self.script(now);
        self.run.world.is_changed(&mut Script(&mut self.run.engine), population, salt)
    }

    /// A process has died, or started.
    pub fn process_is(&mut self, server: u32, alive: bool) {
        self.run.world.process_is(server, alive);
    }

    /// A process dies at its heap limit.
    pub fn died_of_memory(&mut self, server: u32) {
        self.run.world.died_of_memory(server);
    }

    /// The balancer has forgotten what it knew, for the `number`th time: of so many servers it had learnt something.
    pub fn forgot(&mut self, number: usize, learnt: u64) {
        let World { trouble, effects, .. } = &mut self.run.world;
        let entry = trouble.elsewhere.as_ref().and_then(|elsewhere| *elsewhere.forgets.get(number)?);
        effects.add(entry, learnt);
    }

    /// The limit that the run has reached, if any; `calls` are under way elsewhere, each of which takes so many bytes.
    pub fn limit_reached(&self, calls: u64, bytes: u64) -> Option<Ended> {
        let Orders { event_limit, memory_limit, .. } = &self.run.orders;
        if event_limit.is_some_and(|most| self.run.events >= most) {
            return Some(Ended::EventLimit(self.run.events));
        }
        let most = (*memory_limit)?;
        // Calls first: what the kernel keeps is small here, and takes longer to look at.
        let calls = calls.saturating_mul(bytes);
        (calls > most || calls + self.run.memory() > most).then_some(Ended::MemoryLimit(most))
    }

    /// Opens the books for a call.
    pub fn offer(&mut self, population: u16, at: Ns, salt: u64) -> Cohort {
        self.run.engine.ledger.offer(population, at, salt)
    }

    /// Records a fact.
    pub fn record(&mut self, now: Ns, fact: Fact) {
        self.run.events += 1;
        self.run.engine.ledger.record(now, fact);
    }

    /// A store has executed a write: it uses headroom up. Says whether that may have changed what the script does.
    pub fn wrote(&mut self, store: u16, now: Ns) -> bool {
        if self.run.world.spec.stores.0[store as usize].1.headroom.is_none() {
            return false;
        }
        self.script(now);
        self.run.world.burn_headroom(&mut Script(&mut self.run.engine), store);
        true
    }

    /// A store has executed a write that the other runtime will speak of under `number`. Whether a spare must have it first:
    /// then [`Relay::take_replicated`] tells what becomes of it.
    pub fn replicates(&mut self, store: u16, number: u64, now: Ns) -> bool {
        if self.run.world.spec.stores.0[store as usize].1.spare.is_none() {
            return false;
        }
        self.script(now);
        self.run.world.replicates_elsewhere(&mut Script(&mut self.run.engine), store, number)
    }

    /// What has become of such writes since this was last asked: their numbers, and whether the spare has them.
    pub fn take_replicated(&mut self) -> Vec<(u64, bool)> {
        self.run.world.take_replicated()
    }

    /// Replays of the balancer's log that have begun since this was last asked: the entries of the timeline.
    pub fn take_replays(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.replays)
    }

    /// The faults of a store have changed a query or a connect: it counts as an effect of each of them that would have
    /// done so by itself.
    pub fn affected(&mut self, store: u16, would: impl Fn(&StoreKnobs) -> bool) {
        let World { stores, effects, .. } = &mut self.run.world;
        stores[store as usize].stack.credit(effects, would);
    }

    /// As [`Relay::affected`], of a server's faults.
    pub fn affected_server(&mut self, server: u32, would: impl Fn(&ServerKnobs) -> bool) {
        let World { servers, effects, .. } = &mut self.run.world;
        servers[server as usize].stack.credit(effects, would);
    }

    /// As [`Relay::affected`], of the balancer's faults.
    pub fn affected_balancer(&mut self, would: impl Fn(&BalancerKnobs) -> bool) {
        let World { trouble, effects, .. } = &mut self.run.world;
        trouble.balancer.credit(effects, would);
    }

    /// As [`Relay::affected`], of the faults of a population.
    pub fn affected_clients(&mut self, population: u16, would: impl Fn(&ClientKnobs) -> bool) {
        let World { populations, effects, .. } = &mut self.run.world;
        populations[population as usize].stack.credit(effects, would);
    }

    /// As [`Relay::affected`], of the faults of a link.
    pub fn affected_link(&mut self, link: LinkId, would: impl Fn(&LinkKnobs) -> bool) {
        self.run.world.credit_link_of(link, would);
    }

    /// A server has sent a store a query.
    pub fn queried(&mut self, store: u16) {
        self.run.world.stores[store as usize].queries += 1;
    }

    /// A server has tried to open a connection to a store.
    pub fn connected(&mut self, store: u16) {
        self.run.world.stores[store as usize].connects += 1;
    }

    /// Whether [`Relay::end_step`] at a time is to be told of the calls alive, of which there are so many elsewhere.
    pub fn is_checked(&self, to: Ns, calls: u64) -> bool {
        self.run.is_checked(to, calls + self.run.world.calls.len() as u64)
    }

    /// Ends a step: checks the books, if the calls alive were looked at, and writes down what is seen.
    ///
    /// # Errors
    /// [`Imbalance`] if the books do not balance.
    pub fn end_step(&mut self, to: Ns, mut gauges: Gauges) -> Result<(), Imbalance> {
        if self.run.orders.lose_a_call {
            self.run.engine.ledger.lose_a_call();
        }
        // Calls that were under way when the other runtime took over; only the script may still end one of them.
        if let Some(alive) = &mut gauges.alive {
            for (mine, left) in alive.iter_mut().zip(self.run.world.alive()) {
                *mine = (mine.0 + left.0, mine.1 + left.1);
            }
        }
        self.run.world.boundary(to);
        let states = self.run.store_gauges(to);
        for (gauge, state) in gauges.stores.iter_mut().zip(states) {
            gauge.state = state.state;
            gauge.headroom = state.headroom;
        }
        self.run.take_step(to, gauges)
    }

    /// The run, to be written up.
    pub fn into_run(self) -> Run {
        self.run
    }
}
