//! `brownout test`: every scenario against what it expects, under its designs and seeds.

mod files;

use super::loading::Strictness;
use crate::patience::{bar_of_runs, lose_a_call};
use crate::terminal::Terminal;
use brownout::exit::Exit;
use brownout::lab::suite::{Ask, Case, Ended, Plan, Report, Seeds, Shard, Source};
use brownout::output::files::{probe, write};
use brownout::reports::suite;
use brownout::scenarios::Request;
use std::path::PathBuf;

/// Arguments of `test`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Scenario files, folders of them, or patterns ("scenarios/**/*.toml")
    #[arg(required = true)]
    files: Vec<String>,
    /// Run under the seeds 1 to N [default: the `seeds` of the file, or 1]
    #[arg(long, value_name = "N", conflicts_with = "seed", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    seeds: Option<u64>,
    /// Run under this seed; may be repeated
    #[arg(long, value_name = "SEED")]
    seed: Vec<u64>,
    /// Run this design only, instead of those that expectations speak of; may be repeated to combine points
    #[arg(long, value_name = "DESIGN")]
    design: Vec<String>,
    /// Change a value in every file: path=value; may be repeated
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Run the I-th of N equal parts: 2/5
    #[arg(long, value_name = "I/N", value_parser = shard)]
    shard: Option<Shard>,
    /// Stop at the first case that fails
    #[arg(long)]
    fail_fast: bool,
    /// Runs at a time [default: as many as cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Write the results as JUnit XML into this file
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Print the results as one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    strictness: Strictness,
}

fn shard(text: &str) -> Result<Shard, String> {
    let parts = text.split_once('/').and_then(|(part, of)| Some((part.trim().parse().ok()?, of.trim().parse().ok()?)));
    match parts {
        Some((part, of)) if part >= 1 && part <= of => Ok(Shard { part, of }),
        Some(_) => Err("the part is from 1 to the number of parts".into()),
        None => Err("a shard is a part of so many: 2/5".into()),
    }
}

/// Runs the subcommand.
pub fn run(args: &Args, terminal: &Terminal) -> Exit {
    let files = match files::find(&args.files) {
        Ok(files) => files,
        Err(why) => {
            terminal.complain(&format!("error: {why}"));
            return Exit::Usage;
        }
    };
    let allows = |source: &Source| {
        args.strictness.allows(&Request { path: &source.path, set: &args.set, design: &args.design }, terminal)
    };
    // Every file is asked, so that all warnings are shown at once.
    let refused: Vec<Exit> = files.iter().filter_map(|source| allows(source).err()).collect();
    if let Some(exit) = refused.last() {
        return *exit;
    }
    // Before anything is run, so that no result is computed that cannot be kept.
    if let Some(why) = args.junit.as_deref().and_then(|path| probe(path).err()) {
        terminal.complain(&format!("error: {why}"));
        return Exit::Limit;
    }
    let seeds = match (args.seeds, args.seed.is_empty()) {
        (Some(n), _) => Seeds::Count(n),
        (None, false) => Seeds::These(distinct(&args.seed)),
        (None, true) => Seeds::File,
    };
    let ask = Ask {
        files: &files,
        seeds,
        design: &args.design,
        set: &args.set,
        shard: args.shard,
        jobs: args.jobs.map(usize::from),
        fail_fast: args.fail_fast,
        lose_a_call: lose_a_call(),
    };
    let plan = match Plan::new(&ask) {
        Ok(plan) => plan,
        Err(why) => {
            terminal.complain(&format!("error: {why}"));
            return Exit::Limit;
        }
    };
    let report = carry_out(args, plan, terminal);
    finish(args, &report, terminal)
}

/// Each once, in order.
fn distinct(seeds: &[u64]) -> Vec<u64> {
    let mut out = Vec::new();
    seeds.iter().for_each(|seed| {
        if !out.contains(seed) {
            out.push(*seed);
        }
    });
    out
}

/// Runs everything; prints each case when its turn comes.
fn carry_out(args: &Args, plan: Plan, terminal: &Terminal) -> Report {
    let bar = bar_of_runs();
    bar.set_length(plan.runs() as u64);
    let style = terminal.style();
    let report = plan.run(terminal.stop(), &mut |case: Option<&Case>, done, _| {
        bar.set_position(done as u64);
        if let Some(case) = case.filter(|_| !args.json) {
            bar.suspend(|| terminal.say(&suite::line(case, &style)));
        }
    });
    bar.finish_and_clear();
    report
}

/// What follows the runs: summary, documents, and the exit code.
fn finish(args: &Args, report: &Report, terminal: &Terminal) -> Exit {
    let mut exit = exit(report);
    if args.json {
        if let Err(failed) = terminal.document("the results", suite::to_json(report)) {
            exit = failed;
        }
    } else {
        terminal.say(&suite::summary(report, &terminal.style()));
    }
    if let Some(path) = &args.junit {
        let written =
            suite::junit::to_xml(report).and_then(|xml| write(path, xml.as_bytes()).map_err(|why| why.to_string()));
        if let Err(why) = written {
            terminal.complain(&format!("error: {why}"));
            exit = Exit::Limit;
        }
    }
    if std::env::var("GITHUB_ACTIONS").is_ok_and(|on| on == "true") {
        let annotations = suite::github::annotations(report);
        if !annotations.is_empty() {
            terminal.annotate(&annotations);
        }
    }
    exit
}

/// The worst of all cases; what is broken comes before what failed, a mistake in a file after it.
fn exit(report: &Report) -> Exit {
    let any = |ended| report.count(ended) > 0;
    match () {
        () if any(Ended::Broken) => Exit::Broken,
        () if report.interrupted => Exit::Interrupted,
        () if any(Ended::Failed) => Exit::Violated,
        () if any(Ended::Mistaken) => Exit::Usage,
        () if any(Ended::Limited) => Exit::Limit,
        () if any(Ended::Vacuous) => Exit::Vacuous,
        // A folder in which nothing expects anything proves nothing.
        () if !any(Ended::Passed) && report.shard.is_empty() => Exit::Vacuous,
        () => Exit::Fine,
    }
}
