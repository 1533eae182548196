//! Making a plan: what is crossed and sampled is read and checked, then the folder is written.

use super::document::{Build, Copy, Line, PLAN, Plan, Range, SCENARIO, Samples, VERSION, checksum, folders};
use super::{Failure, usage};
use crate::compare;
use brownout_models::metrics;
use brownout_models::units::Ns;
use brownout_output::files;
use brownout_property::values::within;
use brownout_scenarios::{Edit, Request, Scenario, load};
use brownout_sim::run::Run;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// What is measured of each kind of call if nothing was asked for beside it.
const MEASURED: [&str; 8] =
    ["offered", "dropped_rate", "failed_rate", "stored_rate", "late", "latency_mean", "latency_p99", "recovery"];
/// Most shards of a plan that does not say how many: Slurm takes arrays of 1,001 unless it was told otherwise.
const SHARDS: u64 = 1000;
/// Most bytes of a trace.
const TRACE: u64 = 1 << 30;

/// What to plan, as the command line says it.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The scenario file.
    pub path: &'a Path,
    /// Changes by hand of every run.
    pub set: &'a [String],
    /// Designs of every run.
    pub design: &'a [String],
    /// Axes to cross: as for [`compare::Ask::axes`].
    pub axes: &'a [String],
    /// Values to sweep: as for [`compare::Ask::sweeps`].
    pub sweeps: &'a [String],
    /// Seeds of each combination.
    pub seeds: u64,
    /// The first of them.
    pub first_seed: u64,
    /// Samples of ranges for each cell; 0: none, the numbers are as the file has them.
    pub samples: u64,
    /// Which samples.
    pub sample_seed: u32,
    /// Numbers to sample, with ranges of their own or those of the file; all that have one if there are none here.
    pub ranges: &'a [String],
    /// What to measure beside the usual.
    pub metrics: &'a [String],
    /// How many shards; if none, as many as take `shard_time` each.
    pub shards: Option<u64>,
    /// How long a shard should take on one core.
    pub shard_time: Ns,
    /// Threads that load the cells; as many as cores if none.
    pub jobs: Option<usize>,
}

/// A plan, and how long its runs take here.
#[derive(Debug)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// Seconds that its first run took.
    pub run_s: f64,
}

/// Reads what was asked for, loads every cell, tries the first run, and writes the folder. None if `stop` broke it off: then
/// nothing was written.
///
/// # Errors
/// See [`Failure`]; then the folder is as it was.
pub fn make(ask: &Ask<'_>, folder: &Path, stop: &AtomicBool) -> Result<Option<Planned>, Failure> {
    if let Some(text) = ask.set.iter().find(|text| names_a_trace(text)) {
        return Err(usage(format!(
            "--set {text}: a sweep copies what its scenario reads; write the trace into the file"
        )));
    }
    let cells = compare::Plan::new(&crossed(ask))?;
    let line = |d: &compare::Dimension| Line { name: d.name.clone(), points: d.points.clone(), sweep: d.sweep };
    let lines: Vec<Line> = cells.dimensions().iter().map(line).collect();
    drop(cells);
    let mistakes = |found| Failure::Cells(compare::Failure::Scenario(vec![(String::new(), found)]));
    let base = load(&Request { path: ask.path, set: ask.set, design: ask.design }).map_err(mistakes)?;
    let mut wrong = Vec::new();
    let samples = sampled(ask, &base, &lines, &mut wrong);
    let metrics = measured(ask, &base, &mut wrong);
    let mut combinations = lines.iter().map(|line| line.points.len() as u64).chain([samples.count.max(1), ask.seeds]);
    let runs = combinations.try_fold(1_u64, |n, more| n.checked_mul(more)).filter(|runs| *runs <= Plan::MOST.0);
    if runs.is_none() {
        wrong.push(format!("more than {} runs: cross or sample less, or take fewer seeds", Plan::MOST.0));
    }
    let (Some(runs), true) = (runs, wrong.is_empty()) else { return Err(Failure::Usage(wrong)) };
    files::probe_folder(folder)?;
    let Some(run_s) = first_run(&base, ask.first_seed, stop)? else { return Ok(None) };
    let (text, reads) = copied(ask.path)?;
    let copy = |(name, bytes): &(String, Vec<u8>)| Copy { name: name.clone(), checksum: checksum(bytes) };
    let plan = Plan {
        version: VERSION,
        brownout: Build::this().clone(),
        title: base.title.clone(),
        scenario: Copy { name: SCENARIO.into(), checksum: checksum(text.as_bytes()) },
        reads: reads.iter().map(copy).collect(),
        design: ask.design.to_vec(),
        set: ask.set.to_vec(),
        lines,
        samples,
        seeds: ask.seeds,
        first_seed: ask.first_seed,
        metrics,
        runs,
        shards: shards(ask, runs, run_s)?,
    };
    let mut content = vec![(SCENARIO.to_string(), text.into_bytes())];
    content.extend(reads);
    write(folder, &plan, &content)?;
    Ok(Some(Planned { plan, run_s }))
}

/// The cells, as `compare` crosses and checks them.
fn crossed<'a>(ask: &Ask<'a>) -> compare::Ask<'a> {
    compare::Ask {
        path: ask.path,
        set: ask.set,
        design: ask.design,
        axes: ask.axes,
        under: None,
        baseline: &[],
        metric: None,
        sweeps: ask.sweeps,
        seeds: 1,
        first_seed: ask.first_seed,
        precision: None,
        max_seeds: 1,
        safe: 0.001,
        bad_runs: 0.05,
        confirm: false,
        jobs: ask.jobs,
        lose_a_call: false,
    }
}

/// The path of a `--set` text.
fn path_of(text: &str) -> &str {
    text.split_once('=').map_or(text, |(path, _)| path.trim())
}

fn names_a_trace(text: &str) -> bool {
    path_of(text).split('.').any(|key| key.trim().trim_matches('"') == "trace")
}

/// Which numbers are sampled, and over which ranges.
fn sampled(ask: &Ask<'_>, base: &Scenario, lines: &[Line], wrong: &mut Vec<String>) -> Samples {
    if ask.samples == 0 {
        if !ask.ranges.is_empty() {
            wrong.push("--range says which numbers are sampled: --samples says how often".into());
        }
        return Samples::default();
    }
    let fixed: BTreeSet<&str> =
        ask.set.iter().map(|text| path_of(text)).chain(lines.iter().map(|line| line.name.as_str())).collect();
    let known: Vec<Range> = base
        .provenance
        .iter()
        .filter_map(|number| {
            let (low, high) = number.range.clone()?;
            Some(Range { path: number.path.clone(), low, high })
        })
        .filter(|range| within(&range.low, &range.high, 0.5).is_some())
        .collect();
    let mut ranges = Vec::new();
    if ask.ranges.is_empty() {
        ranges.extend(known.into_iter().filter(|range| !fixed.contains(range.path.as_str())));
        if ranges.is_empty() {
            wrong.push("--samples: no number of the file has a range; --range PATH=LOW..HIGH gives it one".into());
        }
    } else {
        for text in ask.ranges {
            if fixed.contains(path_of(text)) {
                wrong.push(format!("{} is both sampled and fixed or swept; leave one of them out", path_of(text)));
                continue;
            }
            match read_range(text, &known) {
                Ok(range) if ranges.iter().any(|other: &Range| other.path == range.path) => {
                    wrong.push(format!("--range {} is given twice", range.path));
                }
                Ok(range) => ranges.push(range),
                Err(why) => wrong.push(why),
            }
        }
    }
    let (most, most_ranges) = Samples::MOST;
    if ask.samples > most || ranges.len() > most_ranges {
        wrong.push(format!(
            "at most {most} samples of {most_ranges} numbers: name fewer with --range, or take more seeds"
        ));
    }
    Samples { count: ask.samples, seed: ask.sample_seed, ranges }
}

fn read_range(text: &str, known: &[Range]) -> Result<Range, String> {
    let Some((path, ends)) = text.split_once('=') else {
        let found = known.iter().find(|range| range.path == text).cloned();
        return found.ok_or_else(|| {
            let near = brownout_models::setting::closest(text, known.iter().map(|range| range.path.as_str()));
            let help = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
            format!("--range {text}: the file gives it no range; --range {text}=LOW..HIGH does{help}")
        });
    };
    let (low, high) =
        ends.split_once("..").ok_or_else(|| format!("--range {text}: a range looks like {path}=LOW..HIGH"))?;
    let range = Range { path: path.trim().into(), low: low.trim().into(), high: high.trim().into() };
    match within(&range.low, &range.high, 0.5) {
        Some(_) => Ok(range),
        None => Err(format!("--range {text}: \"{low}\" and \"{high}\" are no numbers of one unit")),
    }
}

/// What is measured: the usual of each kind of call, then what was asked for.
fn measured(ask: &Ask<'_>, base: &Scenario, wrong: &mut Vec<String>) -> Vec<String> {
    let spec = &base.plan.spec;
    let mut all: Vec<String> =
        spec.kinds().iter().flat_map(|kind| MEASURED.map(|name| format!("{kind}.{name}"))).collect();
    for metric in ask.metrics {
        match metrics::find(metric, spec) {
            Ok(_) if all.contains(metric) => {}
            Ok(_) => all.push(metric.clone()),
            Err(why) => wrong.push(format!("--metric: {why}")),
        }
    }
    all
}

/// How long the first run takes; none if it was broken off.
fn first_run(base: &Scenario, seed: u64, stop: &AtomicBool) -> Result<Option<f64>, Failure> {
    let begun = Instant::now();
    let mut run = Run::new(&base.plan, brownout_sim::orders(base, seed));
    match run.finish(Some(stop), &mut |_| {}) {
        Ok(brownout_sim::run::Ended::Interrupted) => Ok(None),
        Ok(_) => Ok(Some(begun.elapsed().as_secs_f64())),
        Err(imbalance) => Err(Failure::Broken(imbalance.to_string())),
    }
}

fn shards(ask: &Ask<'_>, runs: u64, run_s: f64) -> Result<u64, Failure> {
    let (_, most, of_a_shard) = Plan::MOST;
    let least = runs.div_ceil(of_a_shard);
    match ask.shards {
        Some(n) if n < least => Err(usage(format!(
            "--shards {n}: a shard of more than {of_a_shard} runs does not fit into memory; cut into at least {least}"
        ))),
        Some(n) if n > runs.min(most) => {
            Err(usage(format!("--shards {n}: at most {} (one for each run)", runs.min(most))))
        }
        Some(n) => Ok(n),
        None => {
            let seconds = ask.shard_time.as_secs().max(0.001);
            let wanted = (runs as f64 * run_s / seconds).ceil() as u64;
            Ok(wanted.clamp(1, SHARDS.min(runs)).max(least))
        }
    }
}

/// Files by their names in the folder.
type Files = Vec<(String, Vec<u8>)>;

/// The scenario as it lies in a sweep's folder, and what it reads.
fn copied(path: &Path) -> Result<(String, Files), Failure> {
    let cannot = |found: brownout_scenarios::Diagnostics| Failure::File(found.messages().join("; "));
    let mut edit = Edit::open(path).map_err(cannot)?;
    let from = path.parent().unwrap_or(Path::new(""));
    let mut reads: Files = Vec::new();
    let mut named: Vec<(std::path::PathBuf, String)> = Vec::new();
    let renamed = edit.rename_traces(from, &mut |trace| {
        if let Some((_, name)) = named.iter().find(|(known, _)| known == trace) {
            return Ok(name.clone());
        }
        let size = std::fs::metadata(trace).map_err(|why| why.to_string())?;
        if !size.is_file() || size.len() > TRACE {
            return Err(format!("it is no regular file, or larger than {} MiB", TRACE >> 20));
        }
        let bytes = std::fs::read(trace).map_err(|why| why.to_string())?;
        // Names of our own: two traces may have the same one in two folders.
        let name = format!("trace-{}.csv", reads.len() + 1);
        reads.push((name.clone(), bytes));
        named.push((trace.to_path_buf(), name.clone()));
        Ok(name)
    });
    renamed.map_err(|why| Failure::File(format!("cannot copy what the scenario reads: {why}")))?;
    Ok((edit.text(), reads))
}

/// Writes the folder, the plan last: a folder with a plan is complete.
fn write(folder: &Path, plan: &Plan, content: &Files) -> Result<(), Failure> {
    if folder.join(PLAN).exists() {
        return match Plan::open(folder) {
            // The same once more; how it was cut then stays.
            Ok(there) if there.digest() == plan.digest() && there.shards == plan.shards => Ok(()),
            _ => Err(usage(format!(
                "{} holds another sweep already; name another folder, or remove that one",
                folder.display()
            ))),
        };
    }
    let json = serde_json::to_string_pretty(plan).map_err(|why| Failure::File(format!("cannot make {PLAN}: {why}")))?;
    let mut written = Vec::new();
    let mut put = || -> Result<(), Failure> {
        files::folder(folder)?;
        for (name, bytes) in content {
            match files::create_within(folder, name, bytes) {
                Ok(()) => written.push(folder.join(name)),
                // A plan that was killed has left it.
                Err(why) if why.is_there_already() && std::fs::read(folder.join(name)).is_ok_and(|is| is == *bytes) => {
                }
                Err(why) => return Err(why.into()),
            }
        }
        // The copy must read as the original does.
        let request = Request { path: &folder.join(SCENARIO), set: &plan.set, design: &plan.design };
        load(&request)
            .map_err(|found| Failure::File(format!("the copy cannot be read: {}", found.messages().join("; "))))?;
        for folder in folders(folder) {
            files::folder(&folder)?;
        }
        files::create_within(folder, PLAN, json.as_bytes()).map_err(Failure::from)
    };
    let done = put();
    if done.is_err() {
        // Nothing is left that looks like a sweep.
        for path in written {
            let _ = std::fs::remove_file(path);
        }
    }
    done
}
