//! The property on the kernel. In the exact world: whatever has come and gone, calls made later, their latencies, checks,
//! ejections and deaths are the same to the nanosecond as if it had never been, with a second fault or without one, and the
//! second has as many effects. In entangled worlds, whose turns and phases move: within bounds.

use crate::world::*;
use brownout_models::component::operator::Entry;
use brownout_models::fault::{Fault, kinds};
use brownout_models::kernel::{Account, Fact};
use brownout_models::units::Ns;
use brownout_scenarios::Scenario;
use brownout_sim::run::{Orders, Run};
use rayon::prelude::*;
use std::collections::BTreeMap;

const SEED: u64 = 7;

/// Something that happened: when, to whom, what.
type Happened = (Ns, u64, u64, u64);

/// What a run was like from [`QUIET`] on.
#[derive(PartialEq, Debug)]
struct After {
    facts: Vec<Happened>,
    /// How often the last entry of the timeline changed anything.
    effects: u64,
    leftovers: Vec<String>,
    /// Checks made of each server between [`QUIET`] and the end.
    checks: Vec<u32>,
}

/// A fact as numbers, without what hangs on how the books are laid out.
fn numbers(at: Ns, fact: Fact) -> Happened {
    let call = |a: Account, tag: u64, more: u64| (at, a.salt, u64::from(a.population) << 8 | tag, more);
    match fact {
        Fact::Attempt(a) => call(a, 0, 0),
        Fact::Stored(a, gone) => call(a, 1, u64::from(gone)),
        Fact::Late(a) => call(a, 2, 0),
        Fact::Duplicate(a, gone) => call(a, 3, u64::from(gone)),
        Fact::Dropped(a, cause) => call(a, 4, cause as u64),
        Fact::LostAfterOk(a) => call(a, 5, 0),
        Fact::Ok(a, latency) => call(a, 6, latency.0),
        Fact::Failed(a, seen) => call(a, 7, seen as u64),
        Fact::Rotation { server, up } => (at, u64::MAX, u64::from(server), u64::from(up)),
        Fact::Process { server, alive } => (at, u64::MAX - 1, u64::from(server), u64::from(alive)),
        // Which faults began is said by the timeline.
        Fact::FailsOpen { .. }
        | Fact::Fault { .. }
        | Fact::Asked { .. }
        | Fact::AskTried { .. }
        | Fact::AskOver { .. } => (at, u64::MAX - 3, 0, 0),
        Fact::Outage { store, begins } => (at, u64::MAX - 2, u64::from(store), u64::from(begins)),
    }
}

/// A run of the scenario with this timeline.
fn run(scenario: &Scenario, entries: &[Entry]) -> After {
    let scenario = with(scenario, entries);
    let orders = Orders { seed: SEED, step: Ns::secs(1), keep_facts: true, ..Orders::default() };
    let mut run = Run::new(&scenario.plan, orders);
    let (mut facts, mut checks, mut first_seen) = (Vec::new(), Vec::new(), BTreeMap::new());
    loop {
        let ended = run.step().unwrap_or_else(|imbalance| panic!("{imbalance}\n{}", show(entries)));
        if run.at() == QUIET {
            checks = run.world().checks_made();
        }
        for kept in run.ledger().kept.iter().flatten() {
            let fact = numbers(kept.at, kept.fact);
            let seen = *first_seen.entry(fact.1).or_insert(kept.at);
            if fact.1 != u64::MAX - 3 && (seen >= QUIET || (fact.1 > u64::MAX - 3 && kept.at >= QUIET)) {
                facts.push(fact);
            }
        }
        if ended.is_some() {
            break;
        }
    }
    facts.sort_unstable();
    let since = run.world().checks_made().iter().zip(&checks).map(|(all, before)| all - before).collect();
    let effects = run.world().effects.0.last().copied().unwrap_or(0);
    After { facts, effects, leftovers: run.world().leftovers(run.at()), checks: since }
}

/// The first difference of two runs, for whoever must find out why.
fn difference(alone: &After, after: &After) -> String {
    let at = alone.facts.iter().zip(&after.facts).position(|(a, b)| a != b);
    let facts = at.map(|at| (alone.facts[at], after.facts[at]));
    format!(
        "facts {} and {}, first difference {facts:?}; effects {} and {}; checks {:?} and {:?}",
        alone.facts.len(),
        after.facts.len(),
        alone.effects,
        after.effects,
        alone.checks,
        after.checks
    )
}

/// Everything wrong that is found, up to a few.
fn none(found: Vec<String>) {
    assert!(found.is_empty(), "{} cases:\n\n{}", found.len(), found[..found.len().min(4)].join("\n\n"));
}

/// What is wrong in the exact world after some faults, with a second one or without.
fn wrong(exact: &Scenario, before: &[Entry], second: Option<&Entry>) -> Option<String> {
    let alone = run(exact, second.map_or(&[][..], std::slice::from_ref));
    let all: Vec<Entry> = before.iter().chain(second).cloned().collect();
    let mut after = run(exact, &all);
    if second.is_none() {
        after.effects = alone.effects;
    }
    let what = match after.leftovers.as_slice() {
        [] if alone == after => return None,
        [] => difference(&alone, &after),
        left => left.join("; "),
    };
    Some(format!("{what}, after\n{}", show(&all)))
}

#[test]
fn no_fault_leaves_a_trace() {
    let exact = exact(2);
    let mut all = [every_fault(&exact, 0.5), every_fault(&exact, 1.0)].concat();
    all.dedup();
    // These worlds have no cache to flush.
    let of_these = |kind: &&brownout_models::fault::Kind| kind.word != "flush";
    assert!(
        kinds().iter().filter(of_these).all(|kind| all.iter().any(|fault| fault.word() == kind.word)),
        "every kind has a target"
    );
    let found: Vec<_> =
        all.into_par_iter().filter_map(|one| wrong(&exact, &[fault(one, FIRST, LASTS)], None)).collect();
    none(found);
}

/// A promotion is not undone: a second one does nothing.
fn is_spent(first: &Fault, second: &Fault) -> bool {
    first.word() == "failover" && second.word() == "failover"
}

#[test]
fn a_second_fault_has_the_effect_that_it_has_alone() {
    let exact = exact(2);
    let mut dice = dice("ended/pairs");
    // Each twice, and any two.
    let twice = every_fault(&exact, 0.5).into_iter().map(|fault| (fault.clone(), fault));
    let pairs: Vec<(Fault, Fault)> = twice
        .chain((0..cases(120)).map(|_| (any_fault(&exact, &mut dice, 1.0), any_fault(&exact, &mut dice, 1.0))))
        .filter(|(first, second)| !is_spent(first, second))
        .collect();
    let found = pairs.into_par_iter().filter_map(|(first, second)| {
        wrong(&exact, &[fault(first, FIRST, LASTS)], Some(&fault(second, SECOND, SECOND_LASTS)))
    });
    none(found.collect());
}

#[test]
fn faults_that_overlap_leave_no_trace() {
    let exact = exact(2);
    let mut dice = dice("ended/overlaps");
    let all: Vec<Vec<Entry>> = (0..cases(150)).map(|_| overlapping(&exact, &mut dice, 0.3)).collect();
    none(all.into_par_iter().filter_map(|entries| wrong(&exact, &entries, None)).collect());
}

/// Of the calls made from [`QUIET`] on: how many failed or were dropped, and the mean latency in milliseconds.
fn figures(after: &After) -> (usize, f64) {
    let tag = |fact: &&Happened| fact.1 < u64::MAX - 2 && matches!(fact.2 & 0xff, 4 | 7);
    let ok = |fact: &&Happened| fact.1 < u64::MAX - 2 && fact.2 & 0xff == 6;
    let (sum, n) = after.facts.iter().filter(ok).fold((0, 0), |(sum, n), fact| (sum + fact.3, n + 1));
    (after.facts.iter().filter(tag).count(), sum as f64 / n as f64 / 1e6)
}

/// What is wrong in an entangled world after some faults.
fn roughly_wrong(name: &str, world: &Scenario, calm: &After, before: &[Entry]) -> Option<String> {
    let after = run(world, before);
    let ((failed, mean), (was_failed, was_mean)) = (figures(&after), figures(calm));
    let paced = after.checks.iter().zip(&calm.checks).all(|(is, was)| is.abs_diff(*was) <= 2);
    let mut what = after.leftovers.clone();
    if failed > was_failed {
        what.push(format!("{failed} calls fail or are lost"));
    }
    if (mean - was_mean).abs() > 0.5 {
        what.push(format!("the mean latency is {mean:.2} ms, not {was_mean:.2} ms"));
    }
    if !paced {
        what.push(format!("checks: {:?}, not {:?}", after.checks, calm.checks));
    }
    (!what.is_empty()).then(|| format!("{name}: {}, after\n{}", what.join("; "), show(before)))
}

#[test]
fn in_entangled_worlds_calls_and_checks_are_as_before() {
    for (name, world) in entangled() {
        let calm = run(&world, &[]);
        assert_eq!((figures(&calm).0, &calm.leftovers), (0, &Vec::new()), "{name} is sound");
        let mut dice = dice(&format!("ended/{name}"));
        let singles = every_fault(&world, 0.4).into_iter().map(|one| vec![fault(one, FIRST, LASTS)]);
        let overlaps = (0..cases(60)).map(|_| overlapping(&world, &mut dice, 0.4));
        let all: Vec<Vec<Entry>> = singles.chain(overlaps).collect();
        none(all.into_par_iter().filter_map(|entries| roughly_wrong(name, &world, &calm, &entries)).collect());
    }
}
