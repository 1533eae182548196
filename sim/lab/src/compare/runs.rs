//! The runs: (cell, seed) jobs in one pool, put back in their order, little kept of each.

use super::{CallCosts, CellRun, Comparison, Costs, Plan, Trouble};
use crate::stats;
use brownout_models::metrics::{self, Measured};
use brownout_scenarios::Scenario;
use brownout_sim::outcome::Outcome;
use brownout_sim::run::{Ended, Orders, Run};
use brownout_sim::write_up;
use rayon::prelude::*;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// How a job ended.
enum Done {
    Run(CellRun),
    Trouble(Trouble),
    Stopped,
}

impl Plan {
    /// Runs every cell on its seeds and sums up. `stop` breaks it off, and what is finished is summed up; `progress` hears
    /// how many of how many runs are done.
    pub fn run(self, stop: &AtomicBool, progress: &(dyn Fn(usize, usize) + Sync)) -> Comparison {
        let Plan { pool, lose_a_call, confirm, scenarios, subject, mut result } = self;
        let pilot: Vec<(usize, u64)> =
            (0..scenarios.len()).flat_map(|cell| (0..result.seeds).map(move |i| (cell, i))).collect();
        let work = Work { scenarios, subject, lose_a_call, stop, done: AtomicUsize::new(0), progress };
        let mut all = 0;
        let mut run = |result: &mut Comparison, jobs: &[(usize, u64)]| {
            all += jobs.len();
            pool.install(|| work.run(result, jobs, all));
        };
        let goes_on = |result: &Comparison| result.troubles.is_empty() && !stop.load(Ordering::Relaxed);
        run(&mut result, &pilot);
        if let Some(half) = result.precision.filter(|_| goes_on(&result)) {
            let more = extra(&mut result, half);
            run(&mut result, &more);
        }
        if confirm && goes_on(&result) {
            let more = confirming(&mut result);
            run(&mut result, &more);
        }
        if stop.load(Ordering::Relaxed) {
            result.ended = if result.troubles.iter().any(|t| t.broken) { "stopped" } else { "interrupted" }.into();
        }
        super::summary::sum_up(&mut result);
        result
    }
}

/// The seeds that the pilot's deviation asks for beyond itself, as places in the list of seeds.
fn extra(result: &mut Comparison, half: f64) -> Vec<(usize, u64)> {
    let (pilot, most) = (result.seeds, result.max_seeds);
    let mut more = Vec::new();
    for (at, cell) in result.cells.iter_mut().enumerate() {
        let rates: Vec<f64> = cell.runs.iter().filter_map(|run| run.rate).collect();
        let spread = stats::sample(&rates).filter(|s| s.n as u64 == pilot).map_or(0.0, |s| s.deviation);
        let wanted = stats::stein(pilot as usize, spread, half) as u64;
        cell.capped = wanted > most;
        more.extend((pilot..wanted.min(most)).map(|i| (at, i)));
    }
    more
}

/// The seeds that the word "safe" needs for the cells that look so, in their order.
fn confirming(result: &mut Comparison) -> Vec<(usize, u64)> {
    let confirm = super::safety::confirm(result);
    let upto = super::safety::first_that_counts(result) + confirm.runs;
    let seeds = |at: usize| result.cells[at].runs.len() as u64..upto;
    let more = confirm.candidates.iter().flat_map(|at| seeds(*at).map(move |i| (*at, i))).collect();
    result.confirm = Some(confirm);
    more
}

/// What all jobs share.
struct Work<'a> {
    scenarios: Vec<std::sync::Arc<Scenario>>,
    subject: String,
    lose_a_call: bool,
    stop: &'a AtomicBool,
    done: AtomicUsize,
    progress: &'a (dyn Fn(usize, usize) + Sync),
}

impl Work<'_> {
    /// Runs jobs and hands their results to the cells, by cell and seed.
    fn run(&self, result: &mut Comparison, jobs: &[(usize, u64)], all: usize) {
        let (metric, first) = (result.metric.clone(), result.first_seed);
        let one = |(cell, i): &(usize, u64)| {
            let done = self.one(*cell, first + i, &metric);
            (self.progress)(self.done.fetch_add(1, Ordering::Relaxed) + 1, all);
            done
        };
        let results: Vec<Done> = jobs.par_iter().with_max_len(1).map(one).collect();
        for ((cell, i), done) in jobs.iter().zip(results) {
            let cell = &mut result.cells[*cell];
            match done {
                // After a gap nothing counts: which seeds are there must not depend on which were quick.
                Done::Run(run) if cell.runs.len() as u64 == *i => cell.runs.push(run),
                Done::Run(_) | Done::Stopped => {}
                Done::Trouble(trouble) => result.troubles.push(trouble),
            }
        }
    }

    fn one(&self, cell: usize, seed: u64, metric: &str) -> Done {
        if self.stop.load(Ordering::Relaxed) {
            return Done::Stopped;
        }
        let scenario = &*self.scenarios[cell];
        let orders = Orders { lose_a_call: self.lose_a_call, ..brownout_sim::orders(scenario, seed) };
        let mut run = Run::new(&scenario.plan, orders);
        let trouble = |broken, why| Done::Trouble(Trouble { cell, seed, broken, why });
        match run.finish(Some(self.stop), &mut |_| {}) {
            Ok(Ended::Complete) => Done::Run(extract(scenario, seed, &run, &self.subject, metric)),
            Ok(Ended::Interrupted) => Done::Stopped,
            Ok(ended @ (Ended::EventLimit(_) | Ended::MemoryLimit(_))) => {
                trouble(false, ended.advice().unwrap_or_default())
            }
            Err(imbalance) => {
                self.stop.store(true, Ordering::Relaxed);
                trouble(true, imbalance.to_string())
            }
        }
    }
}

/// What is kept of a run.
fn extract(scenario: &Scenario, seed: u64, run: &Run, subject: &str, metric: &str) -> CellRun {
    let found = metrics::find(metric, &scenario.plan.spec).ok();
    let offered = metrics::offered(run, subject, scenario.window);
    let rate = match found.and_then(|(subject, metric)| metric.measure(run, subject, scenario.window).ok()) {
        Some(Measured::Share(share)) => Some(share),
        _ => None,
    };
    let hits = (rate.unwrap_or(0.0) * offered as f64).round() as u64;
    let outcome = write_up(scenario, seed, run, Ended::Complete);
    CellRun { seed, rate, hits, offered, costs: costs(&outcome), digest: outcome.digest }
}

fn costs(outcome: &Outcome) -> Costs {
    let whole = outcome.calls.iter().filter(|(kind, _)| {
        // "track.browsers" is part of "track".
        kind.rsplit_once('.').is_none_or(|(whole, _)| !outcome.calls.contains_key(whole))
    });
    let calls = whole.map(|(kind, totals)| {
        let share = |n: u64| n as f64 / totals.offered.max(1) as f64;
        (kind.clone(), CallCosts { late: share(totals.late), lost: share(totals.dropped) })
    });
    let ended = !outcome.outages.is_empty() && outcome.outages.iter().all(|o| o.to_s.is_some());
    Costs {
        calls: calls.collect(),
        servers: outcome.fleets.values().map(|f| f.servers).sum::<u64>() as f64,
        queries: outcome.stores.iter().map(|(name, s)| (name.clone(), s.queries as f64)).collect(),
        recovery_s: outcome.recovery_s,
        not_recovered: if ended && outcome.recovery_s.is_none() { 1.0 } else { 0.0 },
        flaps: outcome.rotation.mean_downs,
    }
}
