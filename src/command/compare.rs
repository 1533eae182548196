//! `brownout compare`: which design helps, at what price, and how sure that is.

use super::loading::Strictness;
use super::prose::counted;
use super::runtime::{Part, Runtime};
use super::runtimes;
use crate::patience::{bar_of_runs, lose_a_call};
use crate::terminal::Terminal;
use brownout::exit::Exit;
use brownout::lab::compare::{Ask, Comparison, Failure, Plan, days, pairs};
use brownout::models::units::parse_share;
use brownout::output::files::probe_folder;
use brownout::reports::compare::{self as report, Detail};
use brownout::scenarios::Request;
use brownout::sim::outcome::Outcome;
use std::path::PathBuf;

/// Arguments of `compare`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The scenario file
    file: PathBuf,
    /// Cross an axis: isolation for all its points, or isolation=shared,bulkhead; may be repeated [default: all axes]
    #[arg(long, value_name = "AXIS")]
    axis: Vec<String>,
    /// Sweep a number: path=4..128:5 or path=4,16,64; twice for a map of two
    #[arg(long, value_name = "PATH=VALUES")]
    sweep: Vec<String>,
    /// Seeds per cell, the same for all; with --precision, those of the pilot
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    seeds: u64,
    /// The first of them
    #[arg(long, value_name = "SEED", default_value_t = 1, value_parser = clap::value_parser!(u64).range(..1 << 60))]
    first_seed: u64,
    /// Add seeds until every interval is as narrow as this, to both sides: 0.5pp
    #[arg(long, value_name = "POINTS", value_parser = points)]
    precision: Option<f64>,
    /// Most seeds per cell, with --precision
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    max_seeds: u64,
    /// The share of calls to compare, lower is better [default: what the first clients send, .dropped_rate]
    #[arg(long, value_name = "METRIC")]
    metric: Option<String>,
    /// A run is bad where the metric reaches this
    #[arg(long, value_name = "SHARE", default_value = "0.1%", value_parser = share)]
    safe: f64,
    /// A design is safe where at most this share of all runs is bad, shown with 95% confidence
    #[arg(long, value_name = "SHARE", default_value = "5%", value_parser = share)]
    bad_runs: f64,
    /// Run what looks safe on as many more seeds as the word "safe" needs: 59 for one design, more to pick from many
    #[arg(long)]
    confirm: bool,
    /// What to compare with: points of axes, isolation=bulkhead [default: the axes' defaults]
    #[arg(long, value_name = "DESIGN")]
    baseline: Vec<String>,
    /// The axis that says what goes wrong, not what is built [default: the first, of three or more]
    #[arg(long, value_name = "AXIS")]
    under: Option<String>,
    /// Take a design in every cell: a point of an axis, or a named design; may be repeated
    #[arg(long, value_name = "DESIGN")]
    design: Vec<String>,
    /// Change a value in every cell: path=value; may be repeated
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Runs at a time [default: as many as cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Print the costs of all cells
    #[arg(long)]
    costs: bool,
    /// Print the paired differences of all cells
    #[arg(long)]
    differences: bool,
    /// Write compare.json, both tables, the pictures and the days for a report into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print the comparison as one JSON document
    #[arg(long)]
    json: bool,
    /// Instead of designs, compare runtimes on one design: kernel,madsim
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        value_name = "RUNTIMES",
        conflicts_with_all = ["axis", "sweep", "precision", "metric", "baseline", "under", "jobs", "costs", "differences", "out", "confirm", "bad_runs"]
    )]
    runtimes: Vec<Runtime>,
    /// With --runtimes: a smaller world in proportion, this share of all rates and servers, as in 25%
    #[arg(long, value_name = "SHARE", requires = "runtimes")]
    scale: Option<String>,
    /// With --runtimes: only a part of the day, as in 11:30..12:30; the services begin there, and the runs end there
    #[arg(long, value_name = "FROM..TO", requires = "runtimes")]
    excerpt: Option<String>,
    #[command(flatten)]
    strictness: Strictness,
}

fn share(text: &str) -> Result<f64, String> {
    parse_share(text).map(|share| share.0)
}

fn points(text: &str) -> Result<f64, String> {
    let number = text.trim().strip_suffix("pp").and_then(|number| number.trim().parse::<f64>().ok());
    let number = number.filter(|x| *x > 0.0 && *x <= 100.0);
    number.map(|x| x / 100.0).ok_or_else(|| "a precision is a number of percentage points: 0.5pp".into())
}

/// Runs the subcommand.
pub fn run(args: &Args, terminal: &Terminal) -> Exit {
    let request = Request { path: &args.file, set: &args.set, design: &args.design };
    if let Err(exit) = args.strictness.allows(&request, terminal) {
        return exit;
    }
    if !args.runtimes.is_empty() {
        let part = Part { scale: args.scale.clone(), excerpt: args.excerpt.clone() };
        let seeds = args.first_seed..args.first_seed + args.seeds;
        return runtimes::run(&request, &part, &args.runtimes, seeds, args.json, terminal);
    }
    if args.precision.is_some() && args.seeds < 2 {
        terminal.complain("error: --precision needs at least two seeds to see how much they differ: --seeds 5");
        return Exit::Usage;
    }
    let plan = match Plan::new(&ask(args)) {
        Ok(plan) => plan,
        Err(failure) => return refuse(&failure, terminal),
    };
    let (cells, runs) = plan.size();
    if cells < 2 {
        terminal.complain(
            "error: one cell is nothing to compare: cross an axis that has several points (--axis), or sweep a number \
             (--sweep PATH=VALUES); brownout run and brownout test take one design",
        );
        return Exit::Usage;
    }
    // Before anything is run, so that no result is computed that cannot be kept.
    if let Some(why) = args.out.as_deref().and_then(|dir| probe_folder(dir).err()) {
        terminal.complain(&format!("error: {why}"));
        return Exit::Limit;
    }
    let more = match (args.precision.is_some(), args.confirm) {
        (true, true) => ", and more for the precision and to confirm what looks safe",
        (true, false) => ", and more for the precision",
        (false, true) => ", and more to confirm what looks safe",
        (false, false) => "",
    };
    terminal.complain(&format!(
        "{} x {} = {}{more}",
        counted(cells as u64, "cell"),
        counted(args.seeds, "seed"),
        counted(runs, "run")
    ));
    let bar = bar_of_runs();
    bar.set_length(runs);
    let comparison = plan.run(terminal.stop(), &|done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    if args.json {
        if let Err(exit) = terminal.document("the comparison", report::to_json(&comparison)) {
            return exit;
        }
    } else {
        let detail = Detail { costs: args.costs, differences: args.differences };
        terminal.say(&report::text(&comparison, &terminal.style(), detail));
    }
    finish(args, &comparison, terminal)
}

fn ask(args: &Args) -> Ask<'_> {
    Ask {
        path: &args.file,
        set: &args.set,
        design: &args.design,
        axes: &args.axis,
        under: args.under.as_deref(),
        baseline: &args.baseline,
        metric: args.metric.as_deref(),
        sweeps: &args.sweep,
        seeds: args.seeds,
        first_seed: args.first_seed,
        precision: args.precision,
        max_seeds: args.max_seeds,
        safe: args.safe,
        bad_runs: args.bad_runs,
        confirm: args.confirm,
        jobs: args.jobs.map(usize::from),
        lose_a_call: lose_a_call(),
    }
}

/// Says what is wrong with the question.
pub(super) fn refuse(failure: &Failure, terminal: &Terminal) -> Exit {
    match failure {
        Failure::Usage(all) => all.iter().for_each(|why| terminal.complain(&format!("error: {why}"))),
        Failure::Scenario(all) => {
            for (cells, mistakes) in all {
                if !cells.is_empty() {
                    terminal.complain(&format!("in {cells}:"));
                }
                terminal.complain_at_length(&mistakes.render(terminal.color_stderr()));
            }
            return all.first().map_or(Exit::Usage, |(_, mistakes)| Exit::from(mistakes));
        }
        Failure::Threads(why) => {
            terminal.complain(&format!("error: no threads to run with: {why}; --jobs 1 needs the fewest"));
            return Exit::Limit;
        }
    }
    Exit::Usage
}

/// What follows the comparison: files, and the exit code.
fn finish(args: &Args, comparison: &Comparison, terminal: &Terminal) -> Exit {
    if let Some(dir) = &args.out {
        match report::write_all(comparison, &shown(args, comparison, terminal), dir) {
            Ok(files) => {
                let names: Vec<_> = files.iter().map(|f| f.display().to_string()).collect();
                terminal.complain(&format!("wrote {}", names.join(", ")));
            }
            Err(why) => {
                terminal.complain(&format!("error: {why}"));
                return Exit::Limit;
            }
        }
    }
    if let Some(broken) = comparison.troubles.iter().find(|trouble| trouble.broken) {
        terminal.complain(&format!("error: {}", broken.why));
        let seed = broken.seed;
        terminal.complain(&format!(
            "This is a bug in Brownout: please report it with the seed {seed} and the command above."
        ));
        return Exit::Broken;
    }
    if comparison.is_interrupted() {
        return Exit::Interrupted;
    }
    if let Some(limit) = comparison.troubles.first() {
        terminal.complain(&format!("error: {}", limit.why));
        return Exit::Limit;
    }
    if comparison.cells.iter().flat_map(|cell| &cell.runs).all(|run| run.rate.is_none()) {
        terminal.complain(&format!(
            "vacuous: {} has no value in any run, so nothing is compared; --metric compares another",
            comparison.metric
        ));
        return Exit::Vacuous;
    }
    Exit::Fine
}

/// The whole day of each baseline and of the design that a report would set beside it: `brownout report DIR` shows them.
/// None of a comparison that was broken off, nor of more than a reader looks at.
fn shown(args: &Args, comparison: &Comparison, terminal: &Terminal) -> Vec<Outcome> {
    const MOST: usize = 12;
    let pairs = pairs(comparison, &[]).unwrap_or_default();
    let cells: Vec<usize> = pairs.iter().flat_map(|pair| [Some(pair.baseline), pair.chosen]).flatten().collect();
    if comparison.ended != "complete" || !comparison.sweeps().is_empty() || cells.len() > MOST {
        return Vec::new();
    }
    // What ran for the comparison runs again; if it does not, the comparison has said why.
    let days = days(&args.file, comparison, &cells, terminal.stop(), &|_, _| {});
    days.map(|days| days.into_iter().flatten().collect()).unwrap_or_default()
}
