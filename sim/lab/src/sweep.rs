//! Sweeps: a plan of many runs as a folder, shards of it that any worker computes, and one table in the end.
//!
//! [`plan::make`] writes the folder: `plan.json`, the scenario and what it reads. [`work::Worker`] computes shards, in any
//! order, anywhere, any number of times: each result appears whole under a name that holds its checksum, so no lock is
//! needed and a broken one is found. [`merge::merge`] puts them together; the bytes of the table depend on the runs alone,
//! not on how they were cut, who computed them, or what was killed meanwhile. [`engine`] writes what Slurm, Kubernetes and
//! GNU parallel need to start the workers. `docs/sweeps.md` is the guide.
//!
//! Not done: a scheduler of our own, and the choice of further runs by what earlier ones found.

mod document;
pub mod engine;
pub mod merge;
pub mod plan;
pub mod state;
pub mod table;
pub mod work;

pub use document::{Build, Copy, Line, Plan, Range, Samples, Spot, checksum};

use brownout_output::files::WriteError;

/// Why a sweep could not be planned, worked on or merged.
#[derive(Debug)]
pub enum Failure {
    /// What was asked for does not exist or does not fit; each with its next step.
    Usage(Vec<String>),
    /// Cells have mistakes.
    Cells(crate::compare::Failure),
    /// A file could not be read or written.
    File(String),
    /// The ledger of a run did not balance: a bug in Brownout.
    Broken(String),
}

impl From<WriteError> for Failure {
    fn from(why: WriteError) -> Failure {
        Failure::File(why.to_string())
    }
}

impl From<crate::compare::Failure> for Failure {
    fn from(why: crate::compare::Failure) -> Failure {
        Failure::Cells(why)
    }
}

/// One thing that was wrong with what was asked for.
fn usage(why: impl Into<String>) -> Failure {
    Failure::Usage(vec![why.into()])
}
