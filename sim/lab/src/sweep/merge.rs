//! One table of all shards, and what is known of a sweep.

use super::Failure;
use super::document::Plan;
use super::state::{self, Begun, PLAN_KEY, Shard, VERSION_KEY};
use super::table::Writer;
use brownout_output::files::Draft;
use brownout_output::text;
use serde::Serialize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// A shard without a sound result.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Missing {
    /// Which.
    pub shard: u64,
    /// How often it was begun.
    pub begun: u32,
    /// How often it failed.
    pub failed: u32,
    /// Whether workers leave it out until it is asked for by number.
    pub given_up: bool,
    /// Why there is none, as far as that is known.
    pub why: Option<String>,
    /// What computes it.
    pub command: String,
}

/// What is known of a sweep.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Status {
    /// Version of this document.
    pub version: u32,
    /// Runs of the plan.
    pub runs: u64,
    /// Shards of the plan.
    pub shards: u64,
    /// Shards with a sound result.
    pub done: u64,
    /// Runs in them.
    pub runs_done: u64,
    /// The others.
    pub missing: Vec<Missing>,
    /// Whether it was told to stop before all had been looked at.
    pub interrupted: bool,
}

impl Status {
    /// Whether every shard has a sound result.
    pub fn is_complete(&self) -> bool {
        self.done == self.shards
    }
}

/// The command that computes a shard.
pub fn command(folder: &Path, shard: u64) -> String {
    format!("brownout sweep work {} --shard {shard}", text::shell_path(folder))
}

/// Reads every result and says which are there and sound.
///
/// # Errors
/// The folder cannot be read.
pub fn status(plan: &Plan, folder: &Path, stop: &AtomicBool) -> Result<Status, Failure> {
    visit(plan, folder, stop, &mut |_| Ok(()))
}

/// Hands the rows of every sound result on, in the order of the shards.
fn visit(
    plan: &Plan,
    folder: &Path,
    stop: &AtomicBool,
    hand_on: &mut dyn FnMut(super::table::Rows) -> Result<(), Failure>,
) -> Result<Status, Failure> {
    let (runs, shards) = (plan.runs, plan.shards);
    let mut status =
        Status { version: 1, runs, shards, done: 0, runs_done: 0, missing: Vec::new(), interrupted: false };
    for (shard, is) in (0..).zip(state::shards(plan, folder)?) {
        if stop.load(Ordering::Relaxed) {
            status.interrupted = true;
            break;
        }
        let (begun, given_up) = match is {
            Shard::Done(path) => match state::read(plan, shard, &path) {
                Ok(rows) => {
                    status.done += 1;
                    status.runs_done += rows.len() as u64;
                    hand_on(rows)?;
                    continue;
                }
                Err(why) => {
                    let why = format!("{} is no result: {why}", path.display());
                    (Begun { why: Some(why), ..Begun::default() }, false)
                }
            },
            Shard::Open(begun) => (begun, false),
            Shard::GivenUp(begun) => (begun, true),
        };
        status.missing.push(Missing {
            shard,
            begun: begun.times,
            failed: begun.failed,
            given_up,
            why: begun.why,
            command: command(folder, shard),
        });
    }
    Ok(status)
}

/// Writes the table of all sound results. One that lacks shards says so in its footer (`brownout.complete`).
///
/// # Errors
/// A file cannot be read or written; then what was at `out` is as it was, as it is where there is no result at all or where
/// it was told to stop.
pub fn merge(plan: &Plan, folder: &Path, out: &Path, stop: &AtomicBool) -> Result<Status, Failure> {
    let failed = |why: parquet::errors::ParquetError| Failure::File(format!("cannot write {}: {why}", out.display()));
    let about = [(PLAN_KEY, plan.digest()), (VERSION_KEY, plan.brownout.word())];
    let mut writer = Writer::new(Draft::of(out)?, &plan.fields(), &about).map_err(failed)?;
    let status = visit(plan, folder, stop, &mut |rows| writer.append(rows).map_err(failed))?;
    if status.interrupted || status.done == 0 {
        return Ok(status);
    }
    writer.say("brownout.complete", status.is_complete().to_string());
    writer.finish().map_err(failed)?.finish()?;
    Ok(status)
}
