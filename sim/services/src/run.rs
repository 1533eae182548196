//! A whole run: the town is set up, the script is played, steps are taken, and at the end there is an outcome.

use crate::balancer::Balancer;
use crate::board::Board;
use crate::clients;
use crate::collector::{self, MakeHandler};
use crate::crew::Crew;
use crate::platform::weather::Met;
use crate::platform::{LinkId, Machine, Platform, first};
use crate::store::StoreService;
use crate::town::{BALANCER, CLIENTS, Day, Exit, ServerDay, Town, supervise};
use crate::witness::Witness;
use brownout_models::fault::LinkKnobs;
use brownout_models::units::Ns;
use brownout_scenarios::Scenario;
use brownout_sim::ledger::Imbalance;
use brownout_sim::outcome::Outcome;
use brownout_sim::run::{Ended, Gauges, Orders, Relay, Run, halted};
use brownout_sim::write_up;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::mpsc::UnboundedReceiver;

/// What is asked of a run.
#[derive(Clone)]
pub struct Ask {
    /// The seed, the length of a step, the ends of windows.
    pub orders: Orders,
    /// When the services take over from the kernel, which plays what lies before: the beginning of an excerpt.
    pub from: Ns,
    /// A user's own collector in the place of the built-in one; made anew for each process.
    pub handler: Option<MakeHandler>,
    /// What is done to machines beside what the scenario says, in order of time.
    pub chaos: Vec<(Ns, Chaos)>,
    /// By how much time is stretched on madsim: [`platform::mad::STRETCH`](crate::platform) gives a resolution of a
    /// microsecond; 1 lets a handler of one's own use timers in real seconds, at a resolution of a millisecond and a
    /// few more on each connect.
    pub stretch: u64,
}

impl Ask {
    /// As [`brownout_sim::orders`] would have it: the whole run.
    pub fn new(orders: Orders) -> Ask {
        Ask { orders, from: Ns::ZERO, handler: None, chaos: Vec::new(), stretch: 1000 }
    }
}

/// What can be done to a server's machine, by its number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Chaos {
    /// Its process is killed; the supervisor starts it again as the fleet says.
    Kill(u32),
    /// Its process is stopped, or goes on: it keeps its connections and answers nothing. Only on madsim.
    Pause(u32, bool),
    /// The link between it and the balancer is cut, or healed: nothing is refused, nothing arrives. Only on madsim.
    Cut(u32, bool),
}

/// Why there is no outcome.
#[derive(Clone, PartialEq, Debug)]
pub enum Failure {
    /// The books do not balance, or a service panicked: a bug of Brownout.
    Broken(String),
    /// The machine would not have it: no threads, no sockets.
    Machine(String),
    /// The runtime is not in this build.
    Absent,
    /// The services do not play such a scenario yet: what of it.
    NotPlayed(&'static str),
}

/// What of a scenario the services do not play, if anything.
fn not_played(scenario: &Scenario) -> Option<&'static str> {
    scenario.plan.spec.is_estate().then_some("steps (`then`): the services call no other services yet")
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Broken(why) | Failure::Machine(why) => write!(f, "{why}"),
            Failure::NotPlayed(what) => {
                write!(f, "the services do not play {what}\nleave out `--runtime`: the kernel does")
            }
            Failure::Absent => f.write_str(
                "the madsim runtime is not in this build: it was built without `--cfg madsim`\n\
                 `cargo build` in the repository sets it by .cargo/config.toml; where RUSTFLAGS is set, it takes that \
                 file's place:\nRUSTFLAGS=\"$RUSTFLAGS --cfg madsim\" cargo build",
            ),
        }
    }
}

impl std::error::Error for Failure {}

/// Who hears how far a run is, and may end it early.
pub struct Listener<'a> {
    /// Set to end the run.
    pub stop: Option<Arc<AtomicBool>>,
    /// Hears the share done after each step.
    pub progress: &'a (dyn Fn(f64) + Sync),
}

/// Runs a scenario as services on madsim, on a thread of its own: what is random there hangs on the thread's history.
///
/// # Errors
/// [`Failure`].
#[cfg(madsim)]
pub fn on_madsim(scenario: &Scenario, ask: Ask, listener: &Listener<'_>) -> Result<Outcome, Failure> {
    use crate::platform::mad::Mad;
    let run = || {
        let runtime = madsim::runtime::Runtime::with_seed_and_config(ask.orders.seed, madsim::Config::default());
        runtime.block_on(async {
            let stretch = ask.stretch;
            play(scenario, ask, listener, move |begins| Mad::new(stretch, begins)).await
        })
    };
    let (run, ended, seed) = std::thread::scope(|scope| {
        let name = "brownout-services".to_string();
        let thread = std::thread::Builder::new().name(name).spawn_scoped(scope, run);
        let thread = thread.map_err(|why| Failure::Machine(format!("no thread to run the services on: {why}")))?;
        thread.join().map_err(|panic| Failure::Broken(format!("a service panicked: {}", words(&*panic))))?
    })?;
    Ok(outcome(scenario, seed, &run, ended, "madsim"))
}

/// Without `--cfg madsim` there is no simulated network to run it on.
///
/// # Errors
/// [`Failure::Absent`], always.
#[cfg(not(madsim))]
pub fn on_madsim(_: &Scenario, _: Ask, _: &Listener<'_>) -> Result<Outcome, Failure> {
    Err(Failure::Absent)
}

/// Runs a scenario as services on real sockets of the loopback interface, in real time.
///
/// # Errors
/// [`Failure`].
pub fn on_tokio(scenario: &Scenario, ask: Ask, listener: &Listener<'_>) -> Result<Outcome, Failure> {
    use crate::platform::real::Real;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|why| Failure::Machine(format!("no runtime for real sockets: {why}")))?;
    let (run, ended, seed) = runtime.block_on(play(scenario, ask, listener, Real::new))?;
    drop(runtime);
    Ok(outcome(scenario, seed, &run, ended, "tokio"))
}

fn outcome(scenario: &Scenario, seed: u64, run: &Run, ended: Ended, runtime: &str) -> Outcome {
    let mut outcome = write_up(scenario, seed, run, ended);
    outcome.runtime = runtime.into();
    outcome.options.insert(0, format!("--runtime {runtime}"));
    outcome
}

/// The words of a panic.
#[cfg(madsim)]
fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a word".into())
}

fn links_failed(why: std::io::Error) -> Failure {
    Failure::Machine(format!("a fault of a link: {why}"))
}

fn broken(imbalance: Imbalance) -> Failure {
    Failure::Broken(imbalance.to_string())
}

/// Lets the kernel play up to the beginning, sets the town up, and drives the run to its end.
async fn play<P: Platform>(
    scenario: &Scenario,
    ask: Ask,
    listener: &Listener<'_>,
    platform: impl FnOnce(Ns) -> P,
) -> Result<(Run, Ended, u64), Failure> {
    if let Some(what) = not_played(scenario) {
        return Err(Failure::NotPlayed(what));
    }
    let seed = ask.orders.seed;
    let mut relay = Relay::new(&scenario.plan, ask.orders.clone());
    let stop = |ended, relay: Relay| Ok((relay.into_run(), ended, seed));
    let played = relay.play_until(ask.from, &halted(listener.stop.as_deref()), &mut |share| (listener.progress)(share));
    if let Some(ended) = played.map_err(broken)? {
        return stop(ended, relay);
    }
    let from = relay.at();
    drive(scenario, relay, ask, listener, platform(from)).await
}

/// Sets the town up and drives the run to its end: plays the script, restarts what dies, takes the steps.
async fn drive<P: Platform>(
    scenario: &Scenario,
    relay: Relay,
    ask: Ask,
    listener: &Listener<'_>,
    platform: P,
) -> Result<(Run, Ended, u64), Failure> {
    let (from, end, seed) = (relay.at(), relay.end(), ask.orders.seed);
    let day = Board::new(Day::of(relay.world(), from, &Day::default()));
    let spec = scenario.plan.spec.clone();
    let servers: u32 = spec.fleets.iter().map(|(_, fleet)| fleet.count).sum();
    let clock = platform.clone();
    let witness = Witness::new(relay, servers as usize, listener.stop.clone(), move || clock.now());
    let (town, exits) = Town::new(spec, witness.clone(), day.clone());
    let (hears, counts) = (witness.clone(), town.clone());
    platform.tell(Arc::new(move |met| match met {
        Met::Backlog(door, waiting) => counts.waits_at(door, waiting),
        met => hears.met(met),
    }));
    let services = Services { town: town.clone(), platform: platform.clone(), handler: ask.handler.clone() };
    services.follow_links(&[], &day.read(|day| day.links.clone())).map_err(links_failed)?;
    let balancer = services.start(seed, from, exits);
    let mut chaos = ask.chaos.iter().filter(|(at, _)| *at >= from).peekable();
    loop {
        let due = witness.relay(|relay| (relay.next_due(), relay.next_boundary(), relay.step_end()));
        let Some((due, boundary, step_end)) = due else { return Err(Failure::Broken("the run ended twice".into())) };
        let worse = chaos.peek().map_or(Ns::NEVER, |(at, _)| *at);
        let until = due.unwrap_or(Ns::NEVER).min(boundary).min(worse);
        first(platform.sleep_until(until), witness.script_moved().notified()).await;
        let now = platform.now();
        while let Some((_, what)) = chaos.next_if(|(at, _)| *at <= now) {
            services.unsettle(*what).map_err(|why| Failure::Machine(format!("{what:?}: {why}")))?;
        }
        let spooled = town.take_spool_peaks();
        let today = witness.relay(|relay| {
            if now >= boundary {
                relay.boundary(boundary, &spooled);
            } else {
                relay.spooled(&spooled);
            }
            relay.script(now.min(end));
            day.read(|before| Day::of(relay.world(), now, before))
        });
        if let Some(today) = today {
            let before = day.read(Day::clone);
            services.follow_links(&before.links, &today.links).map_err(links_failed)?;
            for (server, (was, is)) in before.servers.iter().zip(&today.servers).enumerate() {
                services
                    .follow(server as u32, was, is)
                    .map_err(|why| Failure::Machine(format!("a fault of server {}: {why}", server + 1)))?;
            }
            day.write(today);
            let offered = witness.relay(|relay| relay.take_offered()).unwrap_or_default();
            offered.into_iter().for_each(|(population, at, salt)| town.offers(population, at, salt));
        }
        let limit = witness.limit();
        if now < step_end && limit.is_none() {
            continue;
        }
        let to = if limit.is_some() { now.min(step_end) } else { step_end };
        witness.end_step(to, gauges(&town, &balancer)).map_err(broken)?;
        platform.tidy();
        (listener.progress)(to.0 as f64 / end.0 as f64);
        let stopped = listener.stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed));
        if step_end >= end || stopped || limit.is_some() {
            let ended = limit.unwrap_or(if step_end >= end { Ended::Complete } else { Ended::Interrupted });
            let run = witness.close().ok_or(Failure::Broken("the run ended twice".into()))?;
            // Tasks that wait for each other would never be dropped by themselves.
            services.stop();
            platform.sleep(Ns::millis(1)).await;
            return Ok((run, ended, seed));
        }
    }
}

fn gauges<P: Platform>(town: &Town, balancer: &Balancer<P>) -> Gauges {
    let (stores, fleets) = town.gauges(&balancer.in_rotation());
    Gauges { stores, fleets, balancer_queue: town.queued().count(), kept: town.all_kept(), ..Gauges::default() }
}

/// Starts the processes.
#[derive(Clone)]
struct Services<P> {
    town: Town,
    platform: P,
    handler: Option<MakeHandler>,
}

impl<P: Platform> Services<P> {
    /// Starts everything; stores first, clients last.
    fn start(&self, seed: u64, from: Ns, mut exits: UnboundedReceiver<Exit>) -> Arc<Balancer<P>> {
        let town = &self.town;
        let services = self.clone();
        self.platform.start(town.supervisor_machine(), |p| async move {
            let crew = Crew::new(&p);
            while let Some(exit) = exits.recv().await {
                let (services, town) = (services.clone(), services.town.clone());
                crew.run(supervise(town, p.clone(), exit, move |server| services.start_server(server)));
            }
        });
        for store in 0..town.spec().stores.len() as u16 {
            self.platform.start(town.store_machine(store), |p| StoreService::run(p, town.clone(), store));
        }
        (0..town.servers().len() as u32).for_each(|server| self.start_server(server));
        let mut started = None;
        self.platform.start(BALANCER, |p| {
            let balancer = Balancer::new(p, town.clone());
            started = Some(balancer.clone());
            balancer.run(seed, from)
        });
        self.platform.start(CLIENTS, |p: P| {
            let town = town.clone();
            async move {
                for population in 0..town.spec().clients.len() as u16 {
                    p.spawn(clients::run(p.clone(), town.clone(), population, from));
                }
            }
        });
        started.unwrap_or_else(|| unreachable!("a platform starts what it is told to start"))
    }

    /// Does to a server's machine what the script has done to the server.
    fn follow(&self, server: u32, was: &ServerDay, is: &ServerDay) -> std::io::Result<()> {
        if is.killed != was.killed {
            self.unsettle(Chaos::Kill(server))?;
        }
        if is.knobs.still != was.knobs.still {
            self.unsettle(Chaos::Pause(server, is.knobs.still))?;
        }
        Ok(())
    }

    /// Makes links what the script has made of them; all were sound, if nothing is known of before.
    fn follow_links(&self, was: &[(LinkId, LinkKnobs)], is: &[(LinkId, LinkKnobs)]) -> std::io::Result<()> {
        for (at, (link, knobs)) in is.iter().enumerate() {
            if *knobs != was.get(at).map_or_else(LinkKnobs::default, |was| was.1) {
                self.platform.weather(*link, *knobs)?;
            }
        }
        Ok(())
    }

    fn unsettle(&self, what: Chaos) -> std::io::Result<()> {
        let machine = |server| self.town.server_machine(server);
        match what {
            Chaos::Kill(server) => {
                let incarnation = self.town.witness().incarnation(server);
                self.town.exit(Exit { server, incarnation, after: Ns::ZERO });
                Ok(())
            }
            Chaos::Pause(server, paused) => self.platform.pause(machine(server), paused),
            Chaos::Cut(server, cut) => {
                let share = if cut { 1.0 } else { 0.0 };
                let knobs = LinkKnobs { loss_outward: share, loss_back: share, ..LinkKnobs::default() };
                self.platform.weather(LinkId::Server(server), knobs)
            }
        }
    }

    /// Kills every process.
    fn stop(&self) {
        (0..=self.town.supervisor_machine().0).for_each(|machine| self.platform.kill(Machine(machine)));
    }

    fn start_server(&self, server: u32) {
        let (town, make) = (self.town.clone(), self.handler.clone());
        let machine = self.town.server_machine(server);
        self.platform.start(machine, |p| collector::run(p, town, server, make));
        let (town, platform) = (self.town.clone(), self.platform.clone());
        let is_still = move || town.day().read(|day| day.servers[server as usize].knobs.still);
        if is_still() {
            // It was a fault of the process before; this one stands still, too, as soon as it listens.
            self.platform.spawn(async move {
                platform.sleep(Ns::millis(1)).await;
                if is_still() {
                    // A platform that cannot has failed when the fault began.
                    let _ = platform.pause(machine, true);
                }
            });
        }
    }
}
