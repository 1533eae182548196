//! `brownout run`: one run of one scenario.

mod trace;

use super::loading::Strictness;
use super::runtime::{Part, Runtime, simulate};
use crate::patience::bar_of_runs;
use crate::terminal::Terminal;
use brownout::exit::Exit;
use brownout::lab::ranges::{self, Failure};
use brownout::output::files::probe_folder;
use brownout::reports;
use brownout::reports::terminal::{Detail, Style};
use brownout::scenarios::{Request, Scenario};
use brownout::sim::run::Ended;
use brownout::sim::{self, Compared, outcome::Outcome};
use std::path::PathBuf;

/// Arguments of `run`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The scenario file
    file: PathBuf,
    /// The seed: the same scenario, seed and version give the same outcome, byte for byte
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Take a design: a point of an axis (bulkhead, isolation=bulkhead) or a named design; may be repeated
    #[arg(long, value_name = "DESIGN")]
    design: Vec<String>,
    /// Change a value: path=value, as in balancer.health.interval=5s; may be repeated
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Write outcome.json, timeline.csv and the pictures into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print the outcome as one JSON document
    #[arg(long)]
    json: bool,
    /// List every assumed number with its range
    #[arg(long)]
    assumptions: bool,
    /// Print the run as a table over time, and every mark
    #[arg(long)]
    timeline: bool,
    #[command(flatten)]
    trace: trace::TraceArgs,
    /// Instead of one run: move every number that has a range through it, and see where this evidence stays met
    #[arg(long, value_name = "EVIDENCE", conflicts_with_all = ["out", "trace", "check_determinism", "assumptions", "timeline"])]
    ranges: Option<String>,
    /// Points per range, for --ranges
    #[arg(long, value_name = "N", default_value_t = 3, requires = "ranges", value_parser = clap::value_parser!(u16).range(2..=100))]
    points: u16,
    /// Run twice, compare fact by fact, and name the first difference
    #[arg(long)]
    check_determinism: bool,
    /// What carries the calls: the kernel, or the services on a simulated network
    #[arg(long, value_enum, default_value_t, value_name = "RUNTIME", conflicts_with = "ranges")]
    runtime: Runtime,
    #[command(flatten)]
    strictness: Strictness,
    #[command(flatten)]
    part: Part,
}

/// Runs the subcommand.
pub fn run(args: &Args, terminal: &Terminal) -> Exit {
    if let Some(evidence) = &args.ranges {
        return walk_ranges(args, evidence, terminal);
    }
    let request = Request { path: &args.file, set: &args.set, design: &args.design };
    let mut scenario = match args.strictness.load(&request, terminal) {
        Ok(scenario) => scenario,
        Err(exit) => return exit,
    };
    let from = match args.part.take(&mut scenario, terminal) {
        Ok(from) => from,
        Err(exit) => return exit,
    };
    let bounds = match args.trace.check(&scenario) {
        Ok(bounds) => bounds,
        Err(why) => {
            terminal.complain(&format!("error: {why}"));
            return Exit::Usage;
        }
    };
    if args.runtime != Runtime::Kernel && args.trace.is_asked() {
        terminal.complain("error: --trace looks on at the kernel's calls: leave --runtime out");
        return Exit::Usage;
    }
    // Before the run, so that it is not made in vain.
    if let Err(why) = args.out.as_deref().map_or(Ok(()), probe_folder).and_then(|()| args.trace.probe()) {
        terminal.complain(&format!("error: {why}"));
        return Exit::Limit;
    }
    let outcome = match simulate(args.runtime, &scenario, args.seed, from, terminal.stop()) {
        Ok(outcome) => outcome,
        Err(failure) => return failure.tell(args.seed, terminal),
    };
    if args.json {
        if let Err(exit) = terminal.document("the outcome", reports::json::to_json(&outcome)) {
            return exit;
        }
    } else {
        let detail = Detail { assumptions: args.assumptions, timeline: args.timeline };
        terminal.say(&reports::terminal::run(&outcome, &Style { detail, ..terminal.style() }));
    }
    // After the outcome is printed: a folder that cannot be written must not take it away.
    let written = write_files(args, terminal, &outcome);
    let traced = match args.trace.write(&scenario, &outcome, bounds, terminal) {
        Ok(exit) => exit,
        Err(why) => {
            terminal.complain(&format!("error: {why}"));
            Exit::Limit
        }
    };
    match [written, traced].into_iter().find(|exit| *exit != Exit::Fine) {
        Some(exit) => exit,
        None => finish(args, terminal, &scenario, &outcome),
    }
}

/// Writes the files asked for.
fn write_files(args: &Args, terminal: &Terminal, outcome: &Outcome) -> Exit {
    let Some(dir) = &args.out else { return Exit::Fine };
    match reports::write_all(outcome, dir) {
        Ok(files) => {
            let names: Vec<_> = files.iter().map(|f| f.display().to_string()).collect();
            terminal.complain(&format!("wrote {}", names.join(", ")));
            Exit::Fine
        }
        Err(why) => {
            terminal.complain(&format!("error: {why}"));
            Exit::Limit
        }
    }
}

/// What follows the outcome and its files: the check, and the exit code.
fn finish(args: &Args, terminal: &Terminal, scenario: &Scenario, outcome: &Outcome) -> Exit {
    if outcome.ended.starts_with("interrupted") {
        return Exit::Interrupted;
    }
    if outcome.ended != "complete" {
        terminal.complain(&format!("error: {}", outcome.ended));
        return Exit::Limit;
    }
    if args.check_determinism {
        let exit = match args.runtime {
            Runtime::Kernel => check_determinism(terminal, scenario, args.seed),
            Runtime::Madsim => same_again(args, terminal, scenario, outcome),
        };
        if exit != Exit::Fine {
            return exit;
        }
    }
    match (sim::outcome::worst(&outcome.expectations), idle_fault(scenario, outcome)) {
        (Some(standing), _) => standing.into(),
        // Only without expectations: with them a fault without effects has made their verdicts vacuous.
        (None, Some(fault)) => {
            terminal.complain(&format!("vacuous: the fault `{fault}` of the timeline never took effect"));
            Exit::Vacuous
        }
        (None, None) => Exit::Fine,
    }
}

/// A fault that the design has switched on and that changed nothing: a run that was to show what it does shows nothing.
fn idle_fault<'o>(scenario: &Scenario, outcome: &'o Outcome) -> Option<&'o str> {
    let timeline = &scenario.plan.spec.timeline;
    let idle =
        outcome.faults.iter().find(|f| f.effects == 0 && timeline.get(f.entry as usize).is_some_and(|e| e.enabled));
    idle.map(|fault| fault.what.as_str())
}

fn check_determinism(terminal: &Terminal, scenario: &Scenario, seed: u64) -> Exit {
    match sim::difference(&mut sim::Twins::new(scenario, (seed, seed)), Some(terminal.stop())) {
        Ok(Compared::Same(Ended::Complete)) => {
            terminal.complain("deterministic: two runs recorded the same facts in the same order");
            Exit::Fine
        }
        Ok(Compared::Same(Ended::Interrupted)) => {
            terminal.complain("interrupted: two runs were not compared to their ends");
            Exit::Interrupted
        }
        Ok(Compared::Same(ended)) => {
            let why = ended.advice().unwrap_or_default();
            terminal.complain(&format!("error: two runs were not compared to their ends: {why}"));
            Exit::Limit
        }
        Ok(Compared::Different(difference)) => {
            terminal.complain(&format!("error: not deterministic: {difference}"));
            Exit::Broken
        }
        Err(imbalance) => {
            terminal.complain(&format!("error: {imbalance}"));
            Exit::Broken
        }
    }
}

/// `--ranges`: how much of what is assumed a piece of evidence needs.
fn walk_ranges(args: &Args, evidence: &str, terminal: &Terminal) -> Exit {
    let request = Request { path: &args.file, set: &args.set, design: &args.design };
    let bar = bar_of_runs();
    let found =
        ranges::ranges(&request, evidence, usize::from(args.points), args.seed, terminal.stop(), &|done, all| {
            bar.set_length(all as u64);
            bar.set_position(done as u64);
        });
    bar.finish_and_clear();
    match found {
        Ok(walk) => {
            if args.json {
                if let Err(exit) = terminal.document("the ranges", serde_json::to_string_pretty(&walk)) {
                    return exit;
                }
            } else {
                terminal.say(&reports::ranges::table(evidence, &walk.ranges, &terminal.style()));
            }
            if walk.interrupted {
                terminal.complain("interrupted: some points are missing");
                return Exit::Interrupted;
            }
            if walk.ranges.is_empty() {
                terminal.complain("vacuous: no number of the scenario has a range, so nothing was moved");
                return Exit::Vacuous;
            }
        }
        Err(Failure::Scenario(mistakes)) => {
            terminal.complain_at_length(&mistakes.render(terminal.color_stderr()));
            return Exit::from(&mistakes);
        }
        Err(Failure::Evidence(known)) => {
            let known = if known.is_empty() {
                "the scenario has none".into()
            } else {
                format!("there are: {}", known.join(", "))
            };
            terminal.complain(&format!("error: no evidence \"{evidence}\"; {known}"));
            return Exit::Usage;
        }
        Err(Failure::Broken(why)) => {
            terminal.complain(&format!("error: {why}"));
            return Exit::Broken;
        }
    }
    Exit::Fine
}

/// A second run of the services must end with the digest of the first.
fn same_again(args: &Args, terminal: &Terminal, scenario: &Scenario, outcome: &Outcome) -> Exit {
    let from = args.part.begins(scenario);
    match simulate(args.runtime, scenario, args.seed, from, terminal.stop()) {
        Ok(again) if again.ended.starts_with("interrupted") => {
            terminal.complain("interrupted: two runs were not compared to their ends");
            Exit::Interrupted
        }
        Ok(again) if again.digest == outcome.digest => {
            terminal.complain("deterministic: two runs recorded the same facts in the same order");
            Exit::Fine
        }
        Ok(again) => {
            let (one, other) = (&outcome.digest, again.digest);
            terminal.complain(&format!("error: not deterministic: digests {one} and {other}"));
            Exit::Broken
        }
        Err(failure) => failure.tell(args.seed, terminal),
    }
}
