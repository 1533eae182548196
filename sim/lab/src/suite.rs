//! Many scenarios tested against what they expect: each file under its seeds and designs.
//!
//! A *case* is one run: a file, a design, a seed. The designs of a file are those that its expectations speak of: as written
//! (if an expectation is for all), and each combination that an `of` names. Cases run in parallel and are reported in
//! their order, so that what is printed hangs neither on the number of threads nor on which case was quick.
//!
//! A `sometimes` asks for one run: it is judged over the seeds of a design together, as a case of its own where there are
//! several ([`Case::seed`] is none).

mod plan;
mod runs;

pub use plan::{Ask, Plan, PlanError, Seeds, Shard, Source};

use brownout_sim::outcome::{Standing, Verdict};
use serde::Serialize;

/// Version of the layout of [`Report`].
pub const VERSION: u32 = 1;

/// How a case ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// Every expectation holds.
    Passed,
    /// An expectation is violated.
    Failed,
    /// None is violated, and one had nothing to judge; or there is none.
    Vacuous,
    /// The file cannot be run: a mistake in it, or it cannot be read.
    Mistaken,
    /// A limit of the scenario was reached.
    Limited,
    /// The ledger did not balance: a bug in Brownout.
    Broken,
    /// Found in a folder, and expects nothing.
    Skipped,
}

impl Ended {
    /// Whether it is neither passed nor skipped.
    pub fn is_bad(self) -> bool {
        !matches!(self, Ended::Passed | Ended::Skipped)
    }
}

impl From<Option<Standing>> for Ended {
    fn from(worst: Option<Standing>) -> Self {
        match worst {
            Some(Standing::Holds) => Ended::Passed,
            Some(Standing::Violated) => Ended::Failed,
            Some(Standing::Vacuous) | None => Ended::Vacuous,
        }
    }
}

/// One run, or what became of a file that could not be run.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Case {
    /// The file, as it was named or found.
    pub file: String,
    /// What the scenario shows; empty if the file could not be read.
    pub title: String,
    /// The design: "isolation=bulkhead", or "as written".
    pub design: String,
    /// What `--design` would say for it.
    pub asked: Vec<String>,
    /// Changes by hand.
    pub set: Vec<String>,
    /// The seed; none where the case is about all seeds together, or nothing was run.
    pub seed: Option<u64>,
    /// How it ended.
    pub ended: Ended,
    /// The expectations, judged.
    pub verdicts: Vec<Verdict>,
    /// What to know beyond the verdicts: mistakes, a limit, why there is nothing to judge. May be empty.
    pub note: String,
    /// The line of the file that the trouble is about, if there is one.
    pub line: Option<u64>,
    /// The digest of the run; empty without one.
    pub digest: String,
    /// The seed of a run that shows the same and exits with the same code, if there is one.
    pub repeat_seed: Option<u64>,
    /// Wall time of the run; depends on the machine.
    pub wall_s: f64,
}

/// What a test came to.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Report {
    /// Layout of this document.
    pub version: u32,
    /// The cases that were finished, in their order.
    pub cases: Vec<Case>,
    /// How many were not run, or not to their end.
    pub not_run: u64,
    /// Whether somebody broke it off.
    pub interrupted: bool,
    /// The part that was run of several, as "2/3"; empty without `--shard`.
    pub shard: String,
    /// Wall time of everything; depends on the machine.
    pub wall_s: f64,
}

impl Report {
    /// How many cases ended so.
    pub fn count(&self, ended: Ended) -> u64 {
        self.cases.iter().filter(|case| case.ended == ended).count() as u64
    }
}
