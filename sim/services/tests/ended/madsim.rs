//! The property for the services on the simulated network. Its scheduler is random, so calls are not the same to the
//! microsecond; whether they succeed is, and how long they take within a bound.

use crate::world::*;
use brownout_models::component::operator::Entry;
use brownout_models::units::Ns;
use brownout_scenarios::Scenario;
use brownout_services::{Ask, Listener, on_madsim};
use brownout_sim::orders;
use brownout_sim::outcome::Outcome;
use rayon::prelude::*;

const SEED: u64 = 7;

fn run(scenario: &Scenario, entries: &[Entry]) -> Outcome {
    let scenario = with(scenario, entries);
    let listener = Listener { stop: None, progress: &|_| {} };
    on_madsim(&scenario, Ask::new(orders(&scenario, SEED)), &listener)
        .unwrap_or_else(|failure| panic!("{failure}\n{}", show(entries)))
}

/// What is wrong after some faults, compared with a run without them.
fn wrong(calm: &Outcome, after: &Outcome, second: bool) -> Vec<String> {
    let mut what = Vec::new();
    for (kind, calls) in &after.calls {
        let was = &calm.calls[kind];
        // A second fault may meet the checks in another phase: so many calls as a server gets in an interval.
        let bound = if second { 8 } else { 0 };
        let near = |name: &str, is: u64, was: u64| {
            (is.abs_diff(was) > bound).then(|| format!("{kind}: {is} {name}, not {was}"))
        };
        what.extend(near("offered", calls.offered, was.offered));
        what.extend(near("failed", calls.failed, was.failed));
        what.extend(near("dropped", calls.dropped, was.dropped));
        if calls.in_flight + calls.waiting > 0 {
            what.push(format!("{kind}: something is still under way"));
        }
        if let (false, Some(is), Some(was)) = (second, calls.latency_mean_ms, was.latency_mean_ms)
            && (is - was).abs() > 0.5
        {
            what.push(format!("{kind}: {is:.2} ms on average, not {was:.2} ms"));
        }
    }
    let (Some(last), Some(was)) = (after.timeline.steps.last(), calm.timeline.steps.last()) else { return what };
    for (fleet, is) in &last.fleets {
        let left = is.accept_queue + is.busy + is.pending + is.pool_waiting + is.spooled;
        if left > 0 || (is.alive, is.in_rotation) != (was.fleets[fleet].alive, was.fleets[fleet].in_rotation) {
            what.push(format!("{fleet} at the end: {is:?}"));
        }
    }
    for (store, is) in &last.stores {
        if is.state != "up" || is.running + is.waiting > 0 {
            what.push(format!("{store} at the end: {is:?}"));
        }
    }
    what
}

fn none(found: Vec<String>) {
    assert!(found.is_empty(), "{} cases:\n\n{}", found.len(), found[..found.len().min(4)].join("\n\n"));
}

fn check(world: &Scenario, calm: &Outcome, before: &[Entry], second: Option<&Entry>) -> Option<String> {
    let all: Vec<Entry> = before.iter().chain(second).cloned().collect();
    let what = wrong(calm, &run(world, &all), second.is_some());
    (!what.is_empty()).then(|| format!("{}, after\n{}", what.join("; "), show(&all)))
}

#[test]
fn no_fault_leaves_a_trace() {
    let world = exact(1);
    let calm = run(&world, &[]);
    assert!(calm.calls.values().all(|calls| calls.failed + calls.dropped == 0), "the world is sound");
    // One target of each kind, all of them in turn under other seeds.
    let mut dice = dice("ended/madsim");
    let mut all: Vec<Vec<Entry>> = Vec::new();
    for kind in brownout_models::fault::kinds() {
        let mut of_kind = every_fault(&world, 0.5);
        of_kind.retain(|fault| fault.word() == kind.word);
        if of_kind.is_empty() {
            continue; // it has no cache to flush
        }
        let at = (dice.unit() * of_kind.len() as f64) as usize;
        all.push(vec![fault(of_kind.swap_remove(at), FIRST, LASTS)]);
    }
    all.extend((0..cases(6)).map(|_| overlapping(&world, &mut dice, 0.6)));
    none(all.into_par_iter().filter_map(|entries| check(&world, &calm, &entries, None)).collect());
}

#[test]
fn a_second_fault_has_the_effect_that_it_has_alone() {
    let world = exact(1);
    let mut dice = dice("ended/madsim/pairs");
    let probes = ["crash", "hang", "checker-stopped"];
    let pairs: Vec<(Entry, Entry)> = (0..cases(9))
        .map(|n| {
            let mut second = every_fault(&world, 0.5);
            second.retain(|fault| fault.word() == probes[n % probes.len()]);
            let probe = second.swap_remove(second.len() / 2);
            (fault(any_fault(&world, &mut dice, 0.6), FIRST, LASTS), fault(probe, SECOND, SECOND_LASTS))
        })
        .collect();
    let alone: Vec<(Entry, Outcome)> = pairs[..probes.len().min(pairs.len())]
        .par_iter()
        .map(|(_, second)| (second.clone(), run(&world, std::slice::from_ref(second))))
        .collect();
    let found = pairs.par_iter().filter_map(|(first, second)| {
        let (_, calm) = alone.iter().find(|(probe, _)| probe == second)?;
        check(&world, calm, std::slice::from_ref(first), Some(second))
    });
    none(found.collect());
}

/// The times of this file are those of the world that it is about.
#[test]
fn the_window_lies_between_the_faults_and_the_end() {
    assert!(FIRST.plus(LASTS) < QUIET && QUIET < SECOND && SECOND.plus(SECOND_LASTS) < CALLS_END && CALLS_END < END);
    assert_eq!(exact(1).span, Ns::secs(64));
}
