//! What metrics say of the random worlds is exact: no step of the timeline shows in them, and extremes are those that
//! somebody sees who looks after every event.

use super::{load, worlds};
use brownout::models::metrics::{self, ALL, Measured, Metric, Subject};
use brownout::models::units::Ns;
use brownout::models::world::World;
use brownout::scenarios::Scenario;
use brownout::sim::ledger::Entry;
use brownout::sim::run::{Observer, Orders, Run};
use brownout::sim::{orders, rotation};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};

type Window = (Ns, Ns);

const SEED: u64 = 3;

/// Windows that no step of a second, ten or sixty has its ends at; those that are asked about so long after an end.
fn windows(scenario: &Scenario) -> Vec<Window> {
    let at = |s: f64| Ns::from_secs_f64(s);
    let span = scenario.span.as_secs();
    vec![(Ns::ZERO, scenario.span), (at(3.3), at(7.7)), (at(5.0), at(14.5)), (at(5.25), at(span - 0.5))]
}

const AFTER: [Ns; 2] = [Ns::millis(1700), Ns::millis(4300)];

fn asked(scenario: &Scenario, step: Ns) -> Orders {
    let plain = orders(scenario, SEED);
    let ends = windows(scenario).into_iter().flat_map(|(from, to)| [from, to]);
    let boundaries = plain.boundaries.iter().copied().chain(ends).collect();
    Orders { step, boundaries, after: AFTER.to_vec(), ..plain }
}

/// The subjects of these worlds that a metric may be of.
fn subjects(metric: &Metric, scenario: &Scenario) -> Vec<String> {
    let spec = &scenario.plan.spec;
    match metric.subject() {
        Subject::Calls => {
            let kinds = spec.kinds().into_iter().map(str::to_string);
            let populations = spec.clients.iter().map(|(name, clients)| format!("{}.{name}", clients.sends.text));
            kinds.chain(populations).chain(["all".to_string()]).collect()
        }
        Subject::Fleet => spec.fleets.names().map(|name| format!("fleets.{name}")).collect(),
        Subject::Store => spec.stores.names().map(|name| format!("stores.{name}")).collect(),
        other => vec![other.pattern().to_string()],
    }
}

/// Every metric of the catalogue that does not say that it hangs on the steps, over every window, in words.
fn everything(scenario: &Scenario, step: Ns) -> Vec<String> {
    let mut run = Run::new(&scenario.plan, asked(scenario, step));
    run.finish(None, &mut |_| ()).expect("the ledger balances");
    let mut over = windows(scenario);
    let end = run.at();
    for (from, to) in [rotation::outage(&run), rotation::faults(&run, &|_| true)].into_iter().flatten() {
        let ended = to.unwrap_or(end);
        over.extend([(Ns::ZERO, from), (from, ended), (ended.plus(AFTER[0]).min(end), ended.plus(AFTER[1]).min(end))]);
    }
    let mut out = Vec::new();
    for metric in ALL.iter().filter(|metric| !metric.per_step) {
        for subject in subjects(metric, scenario) {
            for window in over.iter().filter(|(from, to)| from < to) {
                let found = metric.measure(&run, &subject, *window);
                let unit = found.as_ref().map_or(metric.unit, |value| value.unit());
                assert_eq!(unit, metric.unit, "{subject}.{} is not of its unit", metric.name);
                out.push(format!("{subject}.{} from {} to {}: {found:?}", metric.name, window.0, window.1));
            }
        }
    }
    out
}

fn in_random_worlds(cases: u32, test: impl Fn(&Scenario) -> Result<(), TestCaseError>) {
    let config = Config { cases, failure_persistence: None, rng_seed: RngSeed::Fixed(12), ..Config::default() };
    let ran = TestRunner::new(config).run(&worlds(), |world| test(&load(&world)));
    ran.unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn every_metric_has_the_same_value_whatever_the_steps_are() {
    in_random_worlds(120, |scenario| {
        let [second, ten, minute] = [1, 10, 60].map(|s| everything(scenario, Ns::secs(s)));
        for ((a, b), c) in second.iter().zip(&ten).zip(&minute) {
            prop_assert!(a == b && b == c, "with steps of 1 s, 10 s, 60 s:\n{a}\n{b}\n{c}");
        }
        Ok(())
    });
}

/// Looks at a run after every event. A level counts as what it is when time goes on.
struct Looks {
    windows: Vec<Window>,
    /// What the levels have been since.
    now: Vec<f64>,
    since: Ns,
    /// Per window and level: least and most.
    bounds: Vec<Vec<(f64, f64)>>,
    /// Per window and store: queries and connects, less what there was before it.
    sent: Vec<Vec<[f64; 2]>>,
    sent_now: Vec<[f64; 2]>,
}

/// Every level that somebody can see who looks on, in the order of [`levels_asked`].
fn levels(world: &World) -> Vec<f64> {
    let mut out = Vec::new();
    for fleet in 0..world.backends.len() {
        let servers = || world.servers.iter().filter(|server| server.fleet as usize == fleet);
        out.push(servers().filter(|server| server.alive).count() as f64);
        out.push(servers().map(|server| server.queued()).sum::<usize>() as f64);
        out.push(servers().map(|server| server.pending()).sum::<usize>() as f64);
    }
    out.extend(world.stores.iter().map(|store| store.waiting() as f64));
    out.push(world.backends.iter().map(|backend| backend.queued).sum::<u32>().into());
    out.push(world.kept() as f64);
    let first = world.backends[0].members.in_rotation() as f64;
    out.extend([first, first]);
    out
}

/// The metrics of those levels, and whether each is the most or the least.
fn levels_asked(scenario: &Scenario) -> Vec<(String, bool)> {
    let spec = &scenario.plan.spec;
    let mut out = Vec::new();
    for fleet in spec.fleets.names() {
        for (name, most) in [("alive_min", false), ("accept_queue_max", true), ("pending_max", true)] {
            out.push((format!("fleets.{fleet}.{name}"), most));
        }
    }
    out.extend(spec.stores.names().map(|store| (format!("stores.{store}.waiting_max"), true)));
    let others = [("balancer.queue_max", true), ("balancer.kept_max", true)];
    let rotation = [("rotation.in_rotation_min", false), ("rotation.in_rotation_max", true)];
    out.extend(others.into_iter().chain(rotation).map(|(name, most)| (name.to_string(), most)));
    out
}

impl Looks {
    fn new(windows: Vec<Window>, run: &Run) -> Looks {
        let now = levels(run.world());
        let bounds = vec![vec![(f64::INFINITY, f64::NEG_INFINITY); now.len()]; windows.len()];
        let stores = run.world().stores.len();
        let sent = vec![vec![[0.0; 2]; stores]; windows.len()];
        Looks { windows, now, since: Ns::ZERO, bounds, sent, sent_now: vec![[0.0; 2]; stores] }
    }

    /// Time goes on to `until`.
    fn pass(&mut self, until: Ns) {
        for (window, bounds) in self.windows.iter().zip(&mut self.bounds) {
            if self.since < window.1 && until > window.0 {
                for ((least, most), now) in bounds.iter_mut().zip(&self.now) {
                    (*least, *most) = (least.min(*now), most.max(*now));
                }
            }
        }
        for (window, sent) in self.windows.iter().zip(&mut self.sent) {
            for (boundary, sign) in [(window.0, -1.0), (window.1, 1.0)] {
                if self.since < boundary && boundary <= until {
                    let both = sent.iter_mut().zip(&self.sent_now);
                    both.for_each(|(sum, now)| (0..2).for_each(|i| sum[i] += sign * now[i]));
                }
            }
        }
        self.since = until;
    }
}

impl Observer for Looks {
    fn after(&mut self, now: Ns, world: &World, _: &[Entry], _: u64) {
        if now > self.since {
            self.pass(now);
        }
        self.now = levels(world);
        self.sent_now = world.stores.iter().map(|store| [store.queries as f64, store.connects as f64]).collect();
    }

    fn has_enough(&self) -> bool {
        false
    }
}

#[test]
fn extremes_and_sums_are_those_that_somebody_sees_who_looks_after_every_event() {
    in_random_worlds(40, |scenario| {
        let mut run = Run::new(&scenario.plan, asked(scenario, Ns::secs(60)));
        // The very last instant belongs to the last step; what is sent then is in the sums of the run.
        let windows: Vec<Window> = windows(scenario).into_iter().filter(|(_, to)| *to < scenario.span).collect();
        let mut looks = Looks::new(windows.clone(), &run);
        while run.step_observed(&mut looks, &|| false).expect("the ledger balances").is_none() {}
        looks.pass(run.at());
        let spec = &scenario.plan.spec;
        let found = |text: &str, window: Window| {
            let (subject, metric) = metrics::find(text, spec).unwrap_or_else(|why| panic!("{text}: {why}"));
            metric.measure(&run, subject, window).map(Measured::number).unwrap_or_else(|why| panic!("{text}: {why:?}"))
        };
        for (at, window) in windows.iter().enumerate() {
            for ((name, is_most), (least, most)) in levels_asked(scenario).iter().zip(&looks.bounds[at]) {
                let seen = if *is_most { *most } else { *least };
                prop_assert_eq!(found(name, *window), seen, "{} from {} to {}", name, window.0, window.1);
            }
            for (store, sent) in spec.stores.names().zip(&looks.sent[at]) {
                let names = ["queries", "connects"].map(|name| format!("stores.{store}.{name}"));
                prop_assert_eq!(names.map(|name| found(&name, *window)), *sent, "{} to {}", window.0, window.1);
            }
        }
        Ok(())
    });
}
