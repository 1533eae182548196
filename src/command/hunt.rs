//! `brownout hunt`: the smallest schedule of faults that breaks a design.

use super::loading::Strictness;
use crate::patience::{bar_of_a_hunt, lose_a_call};
use crate::terminal::Terminal;
use brownout::exit::Exit;
use brownout::lab::hunt::{Ask, Failure, Filter, Hunt, Progress, Report, Task, Watch, shrink_file};
use brownout::models::units::{Ns, parse_duration, parse_share};
use brownout::reports::hunt as report;
use brownout::scenarios::Request;
use std::path::PathBuf;
use std::time::Instant;

/// Arguments of `hunt`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The scenario file
    file: PathBuf,
    /// Most fault schedules to try
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=100_000_000), help_heading = "How long")]
    runs: u64,
    /// Stop after so long, between two batches: 30s, 10min
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = "How long")]
    time: Option<Ns>,
    /// Stop after so many schedules that reached nothing new; 0: go on to the end of the budget
    #[arg(long, value_name = "N", default_value_t = 500, help_heading = "How long")]
    patience: u64,
    /// Go on after something was found: one find per expectation, as small as the budget allows
    #[arg(long, help_heading = "How long")]
    keep_going: bool,
    /// Only faults of these kinds (hang), classes (store) and on these targets (identify); commas between
    #[arg(long, value_name = "WORDS", help_heading = "Which faults")]
    only: Vec<String>,
    /// No faults of these kinds, classes, or on these targets
    #[arg(long, value_name = "WORDS", help_heading = "Which faults")]
    without: Vec<String>,
    /// Most faults of a schedule [default: 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=100), help_heading = "Which faults")]
    faults: Option<u16>,
    /// The worst severity, from 0% (mild) to 100% (extreme)
    #[arg(long, value_name = "SHARE", default_value = "100%", value_parser = share, help_heading = "Which faults")]
    severity: f64,
    /// The longest fault [default: a third of the run]
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = "Which faults")]
    longest: Option<Ns>,
    /// Take the file's own faults out first
    #[arg(long, help_heading = "Which faults")]
    instead: bool,
    /// What must hold, in place of the file's expectations: "track.dropped_rate < 0.1%", "eventually ..."
    #[arg(long, value_name = "CONDITION", help_heading = "What to find")]
    expect: Option<String>,
    /// What must hold as well for a violation to count; may be repeated
    #[arg(long, value_name = "CONDITION", help_heading = "What to find")]
    given: Vec<String>,
    /// Drive a metric to its worst instead: track.dropped_rate
    #[arg(long, value_name = "METRIC", conflicts_with = "expect", help_heading = "What to find")]
    worst: Option<String>,
    /// Shrink the schedule that the file's own timeline is, and draw none
    #[arg(long, conflicts_with_all = ["worst", "corpus", "instead", "each"], help_heading = "What to find")]
    shrink: bool,
    /// Hunt at each point of an axis, one after the other, and compare the smallest finds
    #[arg(long, value_name = "AXIS", conflicts_with_all = ["corpus", "json"], help_heading = "What to find")]
    each: Option<String>,
    /// Look for numbers of the scenario, within the ranges believed of them, that would have made a find harmless
    #[arg(long, help_heading = "What to find")]
    remedies: bool,
    /// Only the first so much of the run: a day is long to search
    #[arg(long, value_name = "TIME", value_parser = duration)]
    first: Option<Ns>,
    /// Where to begin; the same seed, the same hunt
    #[arg(long, value_name = "SEED", default_value_t = 1, value_parser = clap::value_parser!(u64).range(..1 << 60))]
    seed: u64,
    /// Take a design: a point of an axis, or a named design; may be repeated
    #[arg(long, value_name = "DESIGN")]
    design: Vec<String>,
    /// Change a value: path=value; may be repeated
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Keep what reached something new in this folder, and go on from it
    #[arg(long, value_name = "DIR")]
    corpus: Option<PathBuf>,
    /// Write what was found into this folder
    #[arg(long, value_name = "DIR", default_value = "hunts")]
    out: PathBuf,
    /// Write no file
    #[arg(long, conflicts_with = "out")]
    no_file: bool,
    /// Runs at a time [default: as many as cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// List every transition that was reached, and every one that was not
    #[arg(long)]
    coverage: bool,
    /// Print the report as one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    strictness: Strictness,
}

fn duration(text: &str) -> Result<Ns, String> {
    parse_duration(text)
}

fn share(text: &str) -> Result<f64, String> {
    let share = parse_share(text)?.0;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("a severity lies between 0% and 100%".into()) }
}

/// Runs the subcommand.
pub fn run(args: &Args, terminal: &Terminal) -> Exit {
    let request = Request { path: &args.file, set: &args.set, design: &args.design };
    if let Err(exit) = args.strictness.allows(&request, terminal) {
        return exit;
    }
    match &args.each {
        Some(axis) => each(args, axis, terminal),
        None => match hunt(args, &args.design, terminal) {
            Ok(report) => show(args, &report, terminal),
            Err(failure) => refuse(&failure, terminal),
        },
    }
}

/// One hunt with its progress on stderr.
fn hunt(args: &Args, design: &[String], terminal: &Terminal) -> Result<Report, Failure> {
    let task = Task {
        path: &args.file,
        set: &args.set,
        design,
        first: args.first,
        instead: args.instead,
        expect: args.expect.as_deref(),
        given: &args.given,
    };
    let out = (!args.no_file).then_some(args.out.as_path());
    let bar = bar_of_a_hunt();
    let begun = Instant::now();
    let out_of_time = || args.time.is_some_and(|time| begun.elapsed().as_secs_f64() >= time.as_secs());
    let progress = |progress: Progress| {
        bar.set_length(progress.of);
        bar.set_position(progress.runs);
        bar.set_message(match progress.shrinking {
            0 => format!("{} violated, {} transitions seen", progress.found, progress.reached),
            tried => format!("shrinking: {tried} tried"),
        });
    };
    let watch = Watch { stop: terminal.stop(), out_of_time: &out_of_time, progress: &progress };
    let report = if args.shrink {
        shrink_file(&task, args.seed, (out, args.remedies), &watch)
    } else {
        let ask = Ask {
            task,
            filter: Filter { only: &args.only, without: &args.without },
            faults: args.faults.map(usize::from),
            severity: args.severity,
            longest: args.longest,
            runs: args.runs,
            patience: (args.patience > 0).then_some(args.patience),
            keep_going: args.keep_going,
            seed: args.seed,
            jobs: args.jobs.map(usize::from),
            corpus: args.corpus.as_deref(),
            out,
            remedies: args.remedies,
            worst: args.worst.as_deref(),
            lose_a_call: lose_a_call(),
        };
        Hunt::new(&ask).and_then(|hunt| hunt.run(&watch))
    };
    bar.finish_and_clear();
    if let (Ok(report), true) = (&report, terminal.is_patient()) {
        let seconds = begun.elapsed().as_secs_f64();
        terminal.complain(&format!("{} schedules in {seconds:.1} s", report.runs));
    }
    report
}

fn show(args: &Args, report: &Report, terminal: &Terminal) -> Exit {
    if args.json {
        if let Err(exit) = terminal.document("the report", report::to_json(report)) {
            return exit;
        }
    } else {
        terminal.say(&report::text(report, &terminal.style(), args.coverage));
    }
    let unsaved = report.unsaved();
    unsaved.iter().for_each(|why| terminal.complain(&format!("error: {why}")));
    exit(report)
}

fn exit(report: &Report) -> Exit {
    match report.ended.as_str() {
        "interrupted" => Exit::Interrupted,
        _ if !report.unsaved().is_empty() => Exit::Limit,
        _ if !report.found.is_empty() => Exit::Violated,
        _ if report.shows_nothing() => Exit::Vacuous,
        _ => Exit::Fine,
    }
}

/// A hunt at each point of an axis.
fn each(args: &Args, axis: &str, terminal: &Terminal) -> Exit {
    let request = brownout::scenarios::Request { path: &args.file, set: &args.set, design: &args.design };
    let scenario = match brownout::scenarios::load(&request) {
        Ok(scenario) => scenario,
        Err(mistakes) => return refuse(&Failure::Scenario(mistakes), terminal),
    };
    let Some(axis) = scenario.axes.iter().find(|a| a.name == axis) else {
        let known: Vec<_> = scenario.axes.iter().map(|a| a.name.as_str()).collect();
        let why = format!("--each {axis}: no such axis; there are: {}", known.join(", "));
        return refuse(&Failure::Usage(vec![why]), terminal);
    };
    let (mut reports, mut failed) = (Vec::new(), None);
    for point in &axis.points {
        let design: Vec<String> = args.design.iter().cloned().chain([format!("{}={point}", axis.name)]).collect();
        match hunt(args, &design, terminal) {
            Ok(report) => {
                let interrupted = report.ended == "interrupted";
                reports.push((point.clone(), report));
                if interrupted {
                    break;
                }
            }
            Err(failure) => {
                failed = Some(failure);
                break;
            }
        }
    }
    // What is finished is shown, whatever came after it.
    if !reports.is_empty() {
        terminal.say(&report::table(&axis.name, &reports, &terminal.style()));
    }
    if let Some(failure) = failed {
        return refuse(&failure, terminal);
    }
    let unsaved = reports.iter().flat_map(|(_, report)| report.unsaved());
    unsaved.for_each(|why| terminal.complain(&format!("error: {why}")));
    let codes: Vec<Exit> = reports.iter().map(|(_, report)| exit(report)).collect();
    let order = [Exit::Interrupted, Exit::Limit, Exit::Violated, Exit::Vacuous];
    order.into_iter().find(|code| codes.contains(code)).unwrap_or(Exit::Fine)
}

/// Says why there was no hunt, or why it was broken off.
fn refuse(failure: &Failure, terminal: &Terminal) -> Exit {
    match failure {
        Failure::Usage(all) => {
            all.iter().for_each(|why| terminal.complain(&format!("error: {why}")));
            Exit::Usage
        }
        Failure::Scenario(mistakes) => {
            terminal.complain_at_length(&mistakes.render(terminal.color_stderr()));
            Exit::from(mistakes)
        }
        Failure::Threads(why) => {
            terminal.complain(&format!("error: no threads to run with: {why}; --jobs 1 needs the fewest"));
            Exit::Limit
        }
        Failure::File(why) => {
            terminal.complain(&format!("error: {why}"));
            Exit::Limit
        }
        Failure::Broken(why) => {
            // With the schedule, as a timeline.
            terminal.complain_at_length(&format!("error: {why}"));
            terminal.complain("This is a bug in Brownout: please report it with the file and the command.");
            Exit::Broken
        }
    }
}
