//! Computing shards.

use super::document::{Plan, Spot, parameter};
use super::state::{self, Begun, Shard};
use super::table::{Cell, Field, Rows};
use super::{Failure, usage};
use brownout_models::metrics;
use brownout_scenarios::{Request, Scenario, load};
use brownout_sim::run::{Ended, Orders, Run};
use rayon::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Cells and samples that are loaded at a time: a bound on memory, and enough to keep all cores at work.
const LOADED: u64 = 64;

/// A worker of a sweep.
pub struct Worker<'a> {
    plan: Plan,
    folder: &'a Path,
    pool: rayon::ThreadPool,
    fields: Vec<Field>,
    /// The word of this Brownout, for each row.
    version: String,
    lose_a_call: bool,
    stop: &'a AtomicBool,
    progress: &'a (dyn Fn(u64) + Sync),
    /// Runs that are over.
    done: AtomicU64,
}

/// What a worker has done.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Shards that it computed.
    pub computed: u64,
    /// Shards whose results were there already.
    pub there: u64,
    /// Shards that have no result, and why.
    pub failed: Vec<(u64, String)>,
    /// Shards left out since they were begun too often.
    pub given_up: Vec<u64>,
    /// Whether it was told to stop.
    pub interrupted: bool,
    /// Whether a ledger did not balance.
    pub broken: bool,
}

/// Why a shard has no result.
enum Trouble {
    Stopped,
    Failed(String),
    Broken(String),
}

/// A loaded scenario, or why there is none.
type Loaded = Result<Scenario, String>;

impl<'a> Worker<'a> {
    /// Opens the sweep of a folder. `progress` hears how many runs are over, `stop` breaks the work off.
    ///
    /// # Errors
    /// There is no sound plan, it is of another Brownout, no result can be written, or there are no threads.
    pub fn new(
        folder: &'a Path,
        jobs: Option<usize>,
        lose_a_call: bool,
        stop: &'a AtomicBool,
        progress: &'a (dyn Fn(u64) + Sync),
    ) -> Result<Worker<'a>, Failure> {
        let plan = Plan::open(folder)?;
        plan.made_by_this()?;
        for folder in super::document::folders(folder) {
            brownout_output::files::folder(&folder)?;
            brownout_output::files::probe_folder(&folder)?;
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs.unwrap_or(0)).build();
        let pool = pool.map_err(|why| Failure::Cells(crate::compare::Failure::Threads(why.to_string())))?;
        let (fields, version) = (plan.fields(), plan.brownout.word());
        Ok(Worker { plan, folder, pool, fields, version, lose_a_call, stop, progress, done: AtomicU64::new(0) })
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Computes one shard, unless its result is there and sound.
    ///
    /// # Errors
    /// There is no such shard, or a file cannot be written: then no other shard can be either.
    pub fn one(&self, shard: u64) -> Result<Report, Failure> {
        state::number(&self.plan, shard)?;
        let mut report = Report::default();
        self.take(shard, &mut report)?;
        Ok(report)
    }

    /// Computes every shard that has no sound result, but for those that were begun too often.
    ///
    /// # Errors
    /// As [`Worker::one`].
    pub fn all(&self) -> Result<Report, Failure> {
        let mut report = Report::default();
        let states = state::shards(&self.plan, self.folder)?;
        // Two workers that begin together should not compute the same shards side by side.
        let first = u64::from(std::process::id()).wrapping_mul(0x9e37_79b9_7f4a_7c15) % self.plan.shards;
        for shard in (first..self.plan.shards).chain(0..first) {
            match states.get(shard as usize) {
                Some(Shard::GivenUp(_)) => report.given_up.push(shard),
                _ => self.take(shard, &mut report)?,
            }
            if report.interrupted || report.broken {
                break;
            }
        }
        report.given_up.sort_unstable();
        report.failed.sort();
        Ok(report)
    }

    fn take(&self, shard: u64, report: &mut Report) -> Result<(), Failure> {
        let (from, to) = self.plan.shard(shard);
        if state::is_sound(&self.plan, self.folder, shard)? {
            report.there += 1;
            (self.progress)(self.done.fetch_add(to - from, Ordering::Relaxed) + to - from);
            return Ok(());
        }
        let before = state::begun(self.folder, shard);
        let now = Begun { times: before.times.saturating_add(1), ..before.clone() };
        state::count(self.folder, shard, &now)?;
        let failed =
            |why: &String| Begun { failed: now.failed.saturating_add(1), why: Some(why.clone()), ..now.clone() };
        // A panic is a bug, and the shard's: others can be computed.
        let computed = catch_unwind(AssertUnwindSafe(|| self.compute(from, to)));
        match computed.unwrap_or_else(|_| Err(Trouble::Failed("it panicked: this is a bug in Brownout".into()))) {
            Ok(rows) => match state::keep(&self.plan, self.folder, shard, rows) {
                Ok(()) => report.computed += 1,
                Err(why) => {
                    // A full disk says nothing about the shard.
                    let _ = state::count(self.folder, shard, &before);
                    return Err(why);
                }
            },
            Err(Trouble::Stopped) => {
                state::count(self.folder, shard, &before)?;
                report.interrupted = true;
            }
            Err(Trouble::Failed(why)) => {
                state::count(self.folder, shard, &failed(&why))?;
                report.failed.push((shard, why));
            }
            Err(Trouble::Broken(why)) => {
                state::count(self.folder, shard, &failed(&why))?;
                report.failed.push((shard, why));
                report.broken = true;
            }
        }
        Ok(())
    }

    /// The rows of the runs from one number to before another.
    fn compute(&self, from: u64, to: u64) -> Result<Rows, Trouble> {
        let mut rows = Rows::new(&self.fields);
        let seeds = self.plan.seeds;
        let mut next = from;
        while next < to {
            let first = next / seeds;
            let end = to.min((first + LOADED) * seeds);
            let loaded: Vec<OnceLock<Loaded>> = (first..end.div_ceil(seeds)).map(|_| OnceLock::new()).collect();
            let one = |run: u64| {
                let slot = &loaded[(run / seeds - first) as usize];
                let row = self.row(run, slot.get_or_init(|| self.load(self.plan.spot(run))));
                (self.progress)(self.done.fetch_add(1, Ordering::Relaxed) + 1);
                row
            };
            let computed: Result<Vec<Vec<Cell>>, Trouble> = self.pool.install(|| {
                let runs = 0..(end - next) as usize;
                runs.into_par_iter().with_max_len(16).map(|at| one(next + at as u64)).collect()
            });
            computed?.into_iter().for_each(|row| rows.push(row));
            next = end;
        }
        Ok(rows)
    }

    fn load(&self, spot: Spot) -> Loaded {
        let (design, set) = self.plan.words(spot.cell, spot.sample);
        let path = self.folder.join(&self.plan.scenario.name);
        let mut scenario = load(&Request { path: &path, set: &set, design: &design })
            .map_err(|mistakes| mistakes.messages().into_iter().next().unwrap_or_default())?;
        // It is never printed.
        scenario.provenance = Vec::new();
        scenario.description = String::new();
        Ok(scenario)
    }

    /// A run and its row. A run that reaches a limit, or a sample that cannot be run, is a row that says so.
    fn row(&self, number: u64, loaded: &Loaded) -> Result<Vec<Cell>, Trouble> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Trouble::Stopped);
        }
        let spot = self.plan.spot(number);
        let scenario = match loaded {
            Ok(scenario) => scenario,
            Err(why) => return Ok(self.cells(number, spot, None, format!("not run: {why}"), String::new())),
        };
        let orders = Orders { lose_a_call: self.lose_a_call, ..brownout_sim::orders(scenario, spot.seed) };
        let mut run = Run::new(&scenario.plan, orders);
        match run.finish(Some(self.stop), &mut |_| {}) {
            Ok(Ended::Complete) => {
                let digest = format!("{:016x}", run.ledger().digest());
                Ok(self.cells(number, spot, Some((scenario, &run)), "complete".into(), digest))
            }
            Ok(Ended::Interrupted) => Err(Trouble::Stopped),
            Ok(ended) => Ok(self.cells(number, spot, None, ended.advice().unwrap_or_default(), String::new())),
            Err(imbalance) => Err(Trouble::Broken(format!("run {number}: {imbalance}"))),
        }
    }

    fn cells(
        &self,
        number: u64,
        spot: Spot,
        of: Option<(&Scenario, &Run)>,
        ended: String,
        digest: String,
    ) -> Vec<Cell> {
        let plan = &self.plan;
        let (design, set) = plan.words(spot.cell, spot.sample);
        let mut row = Vec::with_capacity(self.fields.len());
        let text = |words: &str| Cell::Text(words.to_string());
        row.extend([Cell::Whole(number as i64), text(&plan.scenario.checksum), Cell::Text(design.join(" "))]);
        row.extend(plan.lines.iter().zip(plan.points(spot.cell)).map(|(line, point)| match line.sweep {
            true => Cell::Number(parameter(point)),
            false => text(point),
        }));
        let sampled = &set[set.len() - plan.samples.ranges.len()..];
        row.extend(sampled.iter().map(|set| Cell::Number(set.split_once('=').and_then(|(_, value)| parameter(value)))));
        row.extend([Cell::Text(set.join(" ")), Cell::Whole(spot.seed as i64)]);
        row.extend(plan.metrics.iter().map(|metric| {
            Cell::Number(of.and_then(|(scenario, run)| {
                let (subject, found) = metrics::find(metric, &scenario.plan.spec).ok()?;
                let value = found.measure(run, subject, scenario.window).ok()?.number();
                value.is_finite().then_some(value)
            }))
        }));
        row.extend([Cell::Text(ended), Cell::Text(digest), text(&self.version)]);
        row
    }
}

/// The shard that an engine has given this process, by its environment, and the variable that says so: the innermost, where
/// several are set. GNU parallel counts from 1, the others as the arrays that [`super::engine`] writes, from 0.
///
/// # Errors
/// A variable is no number.
pub fn assigned(env: &dyn Fn(&str) -> Option<String>) -> Result<Option<(u64, &'static str)>, Failure> {
    const KNOWN: [(&str, u64); 4] =
        [("PARALLEL_SEQ", 1), ("HQ_TASK_ID", 0), ("JOB_COMPLETION_INDEX", 0), ("SLURM_ARRAY_TASK_ID", 0)];
    let Some((name, first, text)) = KNOWN.into_iter().find_map(|(name, first)| Some((name, first, env(name)?))) else {
        return Ok(None);
    };
    match text.trim().parse::<u64>().ok().and_then(|n| n.checked_sub(first)) {
        Some(shard) => Ok(Some((shard, name))),
        None => Err(usage(format!("{name}={text} is no number of a task; --shard I says which shard is meant"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_say_which_shard_a_worker_has() {
        let of = |pairs: &[(&str, &str)]| {
            let pairs: Vec<(String, String)> = pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
            assigned(&|name| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()))
        };
        assert!(matches!(of(&[]), Ok(None)));
        assert!(matches!(of(&[("SLURM_ARRAY_TASK_ID", "7")]), Ok(Some((7, "SLURM_ARRAY_TASK_ID")))));
        assert!(matches!(of(&[("JOB_COMPLETION_INDEX", "0")]), Ok(Some((0, _)))));
        assert!(matches!(of(&[("HQ_TASK_ID", "3")]), Ok(Some((3, _)))));
        assert!(matches!(of(&[("PARALLEL_SEQ", "1")]), Ok(Some((0, _)))), "GNU parallel counts from 1");
        assert!(matches!(of(&[("SLURM_ARRAY_TASK_ID", "9"), ("PARALLEL_SEQ", "3")]), Ok(Some((2, _)))));
        assert!(matches!(of(&[("PARALLEL_SEQ", "0")]), Err(Failure::Usage(_))));
        assert!(matches!(of(&[("SLURM_ARRAY_TASK_ID", "all")]), Err(Failure::Usage(_))));
    }
}
