//! `brownout sweep work`.

use super::counted;
use crate::patience::{bar_of_runs, lose_a_call};
use crate::terminal::Terminal;
use brownout::exit::Exit;
use brownout::lab::sweep::Failure;
use brownout::lab::sweep::merge::command;
use brownout::lab::sweep::work::{Report, Worker, assigned};
use brownout::output::text::shell_path;
use serde_json::json;
use std::path::PathBuf;

/// Arguments of `sweep work`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The sweep's folder
    folder: PathBuf,
    /// Compute this shard, from 0 [default: what SLURM_ARRAY_TASK_ID, JOB_COMPLETION_INDEX, HQ_TASK_ID or, from 1,
    /// PARALLEL_SEQ says; without them, all]
    #[arg(long, value_name = "I")]
    shard: Option<u64>,
    /// Compute all shards, whatever the environment says
    #[arg(long, conflicts_with = "shard")]
    all: bool,
    /// Runs at a time [default: as many as cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Print what was done as one JSON document
    #[arg(long)]
    json: bool,
}

/// Runs the subcommand.
pub fn run(args: &Args, terminal: &Terminal) -> Result<Exit, Failure> {
    let given = match args.shard {
        Some(shard) => Some((shard, "--shard")),
        None if args.all => None,
        None => assigned(&|name| std::env::var(name).ok())?,
    };
    if let Some((shard, by)) = given.filter(|(_, by)| *by != "--shard") {
        terminal.complain(&format!("shard {shard}, as {by} says; --all computes all of them"));
    }
    let bar = bar_of_runs();
    let progress = |done| bar.set_position(done);
    let worker = Worker::new(&args.folder, args.jobs.map(usize::from), lose_a_call(), terminal.stop(), &progress)?;
    let runs = given.map_or(worker.plan().runs, |(shard, _)| {
        let (from, to) = worker.plan().shard(shard.min(worker.plan().shards - 1));
        to - from
    });
    bar.set_length(runs);
    let report = match given {
        Some((shard, _)) => worker.one(shard),
        None => worker.all(),
    };
    bar.finish_and_clear();
    let report = report?;
    if args.json {
        if let Err(exit) = terminal.document("what was done", serde_json::to_string_pretty(&document(&report))) {
            return Ok(exit);
        }
    } else {
        terminal.say(&page(&report, given.is_none(), args));
    }
    Ok(finish(&report, args, terminal))
}

fn document(report: &Report) -> serde_json::Value {
    let failed = |(shard, why): &(u64, String)| json!({ "shard": shard, "why": why });
    json!({
        "version": 1,
        "computed": report.computed,
        "there": report.there,
        "failed": report.failed.iter().map(failed).collect::<Vec<_>>(),
        "given_up": report.given_up,
        "interrupted": report.interrupted,
    })
}

fn page(report: &Report, all: bool, args: &Args) -> String {
    let mut page = format!("{} computed", counted(report.computed, "shard"));
    if report.there > 0 {
        page += &format!(", {} there already", report.there);
    }
    let complete = report.failed.is_empty() && report.given_up.is_empty() && !report.interrupted;
    let folder = shell_path(&args.folder);
    if all && complete {
        page += &format!("\nnext  brownout sweep merge {folder} -o runs.parquet");
    }
    page
}

fn finish(report: &Report, args: &Args, terminal: &Terminal) -> Exit {
    for (shard, why) in &report.failed {
        terminal.complain(&format!("error: shard {shard}: {why}; {} repeats it", command(&args.folder, *shard)));
    }
    for shard in &report.given_up {
        let again = command(&args.folder, *shard);
        terminal.complain(&format!("error: shard {shard} failed too often, and is left out; {again} tries it"));
    }
    if report.broken {
        terminal.complain("This is a bug in Brownout: please report it with the file and the command.");
        return Exit::Broken;
    }
    if report.interrupted {
        terminal.complain("interrupted: the same command goes on");
        return Exit::Interrupted;
    }
    if report.failed.is_empty() && report.given_up.is_empty() { Exit::Fine } else { Exit::Limit }
}
