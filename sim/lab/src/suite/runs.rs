//! The runs: all cases in one pool, told in their order as soon as those before them are done.

use super::plan::{Group, Item, Plan};
use super::{Case, Ended, Report, VERSION};
use brownout_scenarios::Scenario;
use brownout_sim::outcome::{Standing, Verdict, worst};
use brownout_sim::run::{Ended as Stopped, Orders, Run};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// The word of the expectations that are judged over all seeds of a design.
const SOMETIMES: &str = "sometimes";

/// What is told while it runs: a case in its turn, and how many runs of how many are done.
pub type Tell<'a> = dyn FnMut(Option<&Case>, usize, usize) + Send + 'a;

impl Plan {
    /// Runs all cases. `stop` breaks it off: what is finished is kept. `tell` hears each case in its order, and of the end
    /// of each run.
    pub fn run(self, stop: &AtomicBool, tell: &mut Tell<'_>) -> Report {
        let begun = Instant::now();
        let (all, Plan { items, pool, fail_fast, lose_a_call, shard }) = (self.runs(), self);
        // An item, and the place of a seed among its own.
        let jobs: Vec<(usize, usize)> = items
            .iter()
            .enumerate()
            .flat_map(|(at, item)| match item {
                Item::Known(_) => Vec::new(),
                Item::Group(group) => (0..group.seeds.len()).map(|place| (at, place)).collect(),
            })
            .collect();
        // Apart from the user's own wish, so that a failure is not told as an interruption.
        let enough = AtomicBool::new(false);
        let halted = || stop.load(Ordering::Relaxed) || enough.load(Ordering::Relaxed);
        let progress = Mutex::new(Progress::new(&items, tell, all));
        pool.install(|| {
            jobs.par_iter().with_max_len(1).for_each(|(at, place)| {
                let Item::Group(group) = &items[*at] else { return };
                let seed = group.seeds[*place];
                let case = if halted() { None } else { one(&group.scenario, seed, lose_a_call, &halted) };
                if case.as_ref().is_some_and(|case| case.ended == Ended::Broken || (fail_fast && case.ended.is_bad())) {
                    enough.store(true, Ordering::Relaxed);
                }
                if let Ok(mut progress) = progress.lock() {
                    progress.take(*at, *place, case);
                }
            });
        });
        // A thread that panicked has ended the whole scope: nobody is left to have poisoned it.
        let progress = progress.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        Report {
            version: VERSION,
            not_run: progress.missing,
            cases: progress.finish(),
            interrupted: stop.load(Ordering::Relaxed),
            shard,
            wall_s: begun.elapsed().as_secs_f64(),
        }
    }
}

/// The results as they come in, and what of them has been told.
struct Progress<'a> {
    items: &'a [Item],
    tell: &'a mut Tell<'a>,
    /// Per item its cases in the order of its seeds, and how many of its runs are over; no case of a run that was not
    /// finished.
    done: Vec<(Vec<Option<Case>>, usize)>,
    told: Vec<Case>,
    next: usize,
    runs: usize,
    all: usize,
    missing: u64,
}

impl<'a> Progress<'a> {
    fn new<'t>(items: &'a [Item], tell: &'a mut Tell<'t>, all: usize) -> Progress<'a> {
        // The closure lives longer than the progress; only the name of its lifetime is in the way.
        let tell: &'a mut Tell<'a> = tell;
        let runs = |item: &Item| if let Item::Group(group) = item { group.seeds.len() } else { 0 };
        let done = items.iter().map(|item| (vec![None; runs(item)], 0)).collect();
        let mut progress = Progress { items, tell, done, told: Vec::new(), next: 0, runs: 0, all, missing: 0 };
        progress.advance();
        progress
    }

    fn take(&mut self, item: usize, place: usize, case: Option<Case>) {
        self.runs += 1;
        self.missing += u64::from(case.is_none());
        let (cases, over) = &mut self.done[item];
        cases[place] = case;
        *over += 1;
        (self.tell)(None, self.runs, self.all);
        self.advance();
    }

    /// Tells the cases whose turn it is.
    fn advance(&mut self) {
        while let Some(item) = self.items.get(self.next) {
            let cases = match item {
                Item::Known(case) => vec![(**case).clone()],
                Item::Group(group) if self.done[self.next].1 == group.seeds.len() => {
                    whole(group, std::mem::take(&mut self.done[self.next].0))
                }
                Item::Group(_) => return,
            };
            for case in cases {
                (self.tell)(Some(&case), self.runs, self.all);
                self.told.push(case);
            }
            self.next += 1;
        }
    }

    /// All that is finished, also where something before it is not.
    fn finish(self) -> Vec<Case> {
        self.told
    }
}

/// The cases of a group whose runs are over: judges what is asked of all seeds together.
fn whole(group: &Group, mut runs: Vec<Option<Case>>) -> Vec<Case> {
    if group.seeds.len() < 2 {
        return runs.into_iter().flatten().collect();
    }
    let complete = runs.iter().all(Option::is_some);
    let unseen = never_seen(runs.iter().flatten());
    for case in runs.iter_mut().flatten().filter(|c| matches!(c.ended, Ended::Vacuous | Ended::Passed | Ended::Failed))
    {
        let own: Vec<Verdict> = case.verdicts.iter().filter(|v| v.kind != SOMETIMES).cloned().collect();
        case.ended = if own.is_empty() { Ended::Passed } else { worst(&own).into() };
    }
    // A run that shows nothing else, so that repeating it has the same exit code.
    let alone = runs.iter().flatten().find(|case| case.ended == Ended::Passed);
    let first = alone.or(runs.iter().flatten().next()).cloned();
    let mut cases: Vec<Case> = runs.into_iter().flatten().collect();
    if let (Some(first), true, false) = (first, complete, unseen.is_empty()) {
        cases.push(Case {
            repeat_seed: first.seed,
            seed: None,
            ended: Ended::Vacuous,
            line: unseen.first().map(|v| v.line),
            verdicts: unseen,
            note: format!("over {} seeds", group.seeds.len()),
            digest: String::new(),
            wall_s: 0.0,
            ..first
        });
    }
    cases
}

/// What is asked of one run of all, and was seen in none: by the lines of the file.
fn never_seen<'c>(cases: impl Iterator<Item = &'c Case>) -> Vec<Verdict> {
    // One look at each verdict: there may be many seeds.
    let mut lines: BTreeMap<u64, (&Verdict, u64, bool)> = BTreeMap::new();
    for verdict in cases.flat_map(|case| &case.verdicts).filter(|verdict| verdict.kind == SOMETIMES) {
        let (_, runs, seen) = lines.entry(verdict.line).or_insert((verdict, 0, false));
        *runs += 1;
        *seen |= verdict.standing == Standing::Holds;
    }
    let never = lines.into_values().filter(|(_, _, seen)| !seen);
    never.map(|(first, runs, _)| Verdict { why: format!("never seen in {runs} seeds"), ..first.clone() }).collect()
}

/// Runs one case; none if it was told to stop.
fn one(scenario: &Scenario, seed: u64, lose_a_call: bool, halted: &dyn Fn() -> bool) -> Option<Case> {
    let begun = Instant::now();
    let orders = Orders { lose_a_call, ..brownout_sim::orders(scenario, seed) };
    let mut run = Run::new(&scenario.plan, orders);
    let (ended, note) = loop {
        match run.step_unless(halted) {
            Ok(None) if halted() => return None,
            Ok(Some(Stopped::Interrupted)) => return None,
            Ok(None) => {}
            Ok(Some(ended)) => {
                let advice = ended.advice();
                break (advice.is_some().then_some(Ended::Limited), advice.unwrap_or_default());
            }
            Err(imbalance) => break (Some(Ended::Broken), format!("{imbalance}; this is a bug in Brownout")),
        }
    };
    // Nothing that came of broken books is judged.
    let verdicts = if ended == Some(Ended::Broken) { Vec::new() } else { brownout_sim::evaluate(scenario, &run) };
    let ended = ended.unwrap_or_else(|| worst(&verdicts).into());
    let bad = match ended {
        Ended::Failed => Some(Standing::Violated),
        Ended::Vacuous => Some(Standing::Vacuous),
        _ => None,
    };
    Some(Case {
        file: scenario.name.clone(),
        title: scenario.title.clone(),
        design: scenario.design.clone(),
        asked: scenario.asked.clone(),
        set: scenario.set.clone(),
        seed: Some(seed),
        ended,
        line: verdicts.iter().find(|v| Some(v.standing) == bad).map(|v| v.line),
        verdicts,
        note,
        digest: format!("{:016x}", run.ledger().digest()),
        repeat_seed: Some(seed),
        wall_s: begun.elapsed().as_secs_f64(),
    })
}
