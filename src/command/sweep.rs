//! `brownout sweep`: a great many runs, on one machine or many.

mod plan;
mod submit;
mod work;

use crate::command::compare;
use crate::terminal::{Terminal, line};
use brownout::exit::Exit;
use brownout::lab::sweep::merge::{self, Status};
use brownout::lab::sweep::{Failure, Plan};
use brownout::output::text::shell_path;
use std::path::{Path, PathBuf};

use super::prose::{counted, grouped};

/// Arguments of `sweep`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    step: Step,
}

#[derive(clap::Subcommand, Debug)]
enum Step {
    /// Write a folder with the scenario, what is crossed, and the shards that it is cut into
    Plan(plan::Args),
    /// Compute shards: one, or all that have no result
    Work(work::Args),
    /// Start workers with Slurm, Kubernetes or GNU parallel
    Submit(submit::Args),
    /// Say what is done and what is missing, or how to repeat a run
    Status(StatusArgs),
    /// Put the results into one Parquet file, a row for each run
    Merge(MergeArgs),
}

/// Arguments of `sweep status`.
#[derive(clap::Args, Debug)]
struct StatusArgs {
    /// The sweep's folder
    folder: PathBuf,
    /// Say which command repeats the run of this number alone
    #[arg(long, value_name = "N")]
    run: Option<u64>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Arguments of `sweep merge`.
#[derive(clap::Args, Debug)]
struct MergeArgs {
    /// The sweep's folder
    folder: PathBuf,
    /// The file to write
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    /// Print what was merged as one JSON document
    #[arg(long)]
    json: bool,
}

/// Runs the subcommand.
pub fn run(args: &Args, terminal: &Terminal) -> Exit {
    let done = match &args.step {
        Step::Plan(args) => plan::run(args, terminal),
        Step::Work(args) => work::run(args, terminal),
        Step::Submit(args) => submit::run(args, terminal),
        Step::Status(args) => status(args, terminal),
        Step::Merge(args) => merge(args, terminal),
    };
    done.unwrap_or_else(|failure| refuse(&failure, terminal))
}

/// Says what is wrong.
fn refuse(failure: &Failure, terminal: &Terminal) -> Exit {
    match failure {
        Failure::Usage(all) => {
            all.iter().for_each(|why| terminal.complain(&format!("error: {why}")));
            Exit::Usage
        }
        Failure::Cells(cells) => compare::refuse(cells, terminal),
        Failure::File(why) => {
            terminal.complain(&format!("error: {why}"));
            Exit::Limit
        }
        Failure::Broken(why) => {
            terminal.complain(&format!("error: {why}"));
            terminal.complain("This is a bug in Brownout: please report it with the file and the command.");
            Exit::Broken
        }
    }
}

/// Shards of which a page tells each by itself.
const TOLD: usize = 10;

fn status(args: &StatusArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let plan = Plan::open(&args.folder)?;
    if let Some(run) = args.run {
        if run >= plan.runs {
            let last = plan.runs - 1;
            return Err(Failure::Usage(vec![format!("there is no run {run}: the sweep has those from 0 to {last}")]));
        }
        let command = plan.command(&args.folder, run);
        match args.json {
            true => terminal
                .document(
                    "the run",
                    serde_json::to_string_pretty(&serde_json::json!({ "run": run, "command": command })),
                )
                .err(),
            false => {
                terminal.say(&command);
                None
            }
        };
        return Ok(Exit::Fine);
    }
    let status = merge::status(&plan, &args.folder, terminal.stop())?;
    if args.json {
        return Ok(terminal.document("the status", serde_json::to_string_pretty(&status)).err().unwrap_or(Exit::Fine));
    }
    terminal.say(&page(&status, &args.folder));
    Ok(Exit::Fine)
}

/// What is done, what is missing, and what to do next.
fn page(status: &Status, folder: &Path) -> String {
    let mut lines = vec![told(status)];
    let (lost, open): (Vec<_>, Vec<_>) =
        status.missing.iter().partition(|missing| missing.why.is_some() || missing.given_up);
    for missing in lost.iter().take(TOLD) {
        let why = missing.why.as_deref().unwrap_or("its workers ended without a word: killed, or out of memory?");
        let begun = match missing.failed {
            0 if missing.given_up => format!(", begun {} times", missing.begun),
            0 => String::new(),
            n => format!(", failed {}", counted(n.into(), "time")),
        };
        lines.push(format!("shard {}{begun}: {}\n  {}", missing.shard, line(&why), missing.command));
    }
    if lost.len() > TOLD {
        lines.push(format!("and {} more like these; --json has them all", lost.len() - TOLD));
    }
    if !open.is_empty() {
        lines.push(format!("{} not done yet", counted(open.len() as u64, "shard")));
    }
    let folder = shell_path(folder);
    lines.push(match status.is_complete() {
        true => format!("next  brownout sweep merge {folder} -o runs.parquet"),
        false => format!("next  brownout sweep work {folder}"),
    });
    lines.join("\n")
}

/// "1,204 of 1,920 shards done: ...".
fn told(status: &Status) -> String {
    let part = |done: u64, of: u64, what: &str| format!("{} of {}", grouped(done), counted(of, what));
    format!("{} done: {}", part(status.done, status.shards, "shard"), part(status.runs_done, status.runs, "run"))
}

fn merge(args: &MergeArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let plan = Plan::open(&args.folder)?;
    // The rows are bytes that this Brownout writes.
    plan.made_by_this()?;
    let status = merge::merge(&plan, &args.folder, &args.out, terminal.stop())?;
    if status.interrupted {
        terminal.complain("interrupted: nothing was written");
        return Ok(Exit::Interrupted);
    }
    if args.json {
        if let Err(exit) = terminal.document("what was merged", serde_json::to_string_pretty(&status)) {
            return Ok(exit);
        }
    } else if status.is_complete() {
        terminal.say(&format!(
            "wrote {} of {} to {}",
            counted(status.runs, "run"),
            counted(status.shards, "shard"),
            line(&args.out.display())
        ));
    }
    if status.is_complete() {
        return Ok(Exit::Fine);
    }
    if !args.json {
        terminal.say(&page(&status, &args.folder));
    }
    if status.done == 0 {
        terminal.complain("vacuous: no shard has a result, so nothing was written");
        return Ok(Exit::Vacuous);
    }
    terminal.complain(&format!(
        "error: {} is incomplete, and says so in its footer: it has {}",
        args.out.display(),
        told(&status)
    ));
    Ok(Exit::Limit)
}
