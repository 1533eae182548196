//! A search for the smallest schedule of faults that breaks a design.
//!
//! [`Hunt::new`] reads a scenario and works out which faults its world can have; [`Hunt::run`] draws schedules, runs each
//! under a seed of its own, keeps those that reach something new as a corpus to vary, and shrinks the smallest that
//! violates an expectation. [`shrink_file`] shrinks the schedule of any file. `docs/hunting.md` is the guide.
//!
//! Draws are made in batches of fixed size, each draw a pure function of the seed, its number and the corpus before its
//! batch. So a hunt finds the same at any number of threads; only where it stops depends on the time, if it has a bound
//! on time.
//!
//! Not done: a search through designs, and a proof. A hunt that finds nothing has tried so many schedules, no more.

mod corpus;
pub mod coverage;
mod remedy;
mod report;
mod saved;
mod search;
mod story;
mod trial;
mod worst;

pub use brownout_property::base::{Base, Task};
pub use brownout_property::draw::{Budget, draw_schedule};
pub use brownout_property::schedule::{Fault, Schedule};
pub use brownout_property::shrink::{ScheduleTree, Shrunk, shrink};
pub use brownout_property::vocabulary::{Filter, Vocabulary};
pub use brownout_property::{knob, schedule, vocabulary};
pub use report::{Found, KindCount, Remedy, Report, Safe, StoryLine, VERSION, Worst};
pub use search::{Hunt, Progress, Watch, shrink_file};
pub use trial::{Broken, Trial};

use brownout_models::units::Ns;
use brownout_output::files::WriteError;
use brownout_scenarios::Diagnostics;
use std::path::Path;

/// What to hunt, as the command line says it.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The scenario and what is changed about it.
    pub task: Task<'a>,
    /// Which faults may be drawn.
    pub filter: Filter<'a>,
    /// Most faults of a schedule.
    pub faults: Option<usize>,
    /// The worst severity, from 0 (mild) to 1 (extreme).
    pub severity: f64,
    /// The longest fault.
    pub longest: Option<Ns>,
    /// Most schedules to try.
    pub runs: u64,
    /// Schedules to go on for without reaching anything new; none: to the end of the budget.
    pub patience: Option<u64>,
    /// Whether to go on after something was found.
    pub keep_going: bool,
    /// Where it begins: the same seed, the same hunt.
    pub seed: u64,
    /// Threads; as many as cores if none.
    pub jobs: Option<usize>,
    /// A folder that keeps what reached something new, and from which a hunt goes on.
    pub corpus: Option<&'a Path>,
    /// Where to write what was found; nothing is written if none.
    pub out: Option<&'a Path>,
    /// Whether to look for numbers of the scenario that would have made a find harmless.
    pub remedies: bool,
    /// A metric to drive to its worst, instead of looking for a violation.
    pub worst: Option<&'a str>,
    /// Whether to lose a call on purpose, to see that a broken ledger is noticed.
    pub lose_a_call: bool,
}

/// Why a hunt could not be begun, or was broken off.
#[derive(Debug)]
pub enum Failure {
    /// The command line asks for something that there is not; each with its next step.
    Usage(Vec<String>),
    /// The scenario has mistakes.
    Scenario(Diagnostics),
    /// No threads could be had.
    Threads(String),
    /// A file could not be read or written.
    File(String),
    /// The ledger of a run did not balance: a bug in Brownout. With the schedule and the seed.
    Broken(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Usage(all) => f.write_str(&all.join("; ")),
            Failure::Scenario(mistakes) => f.write_str(&mistakes.render(false)),
            Failure::Threads(why) => write!(f, "no threads to run with: {why}"),
            Failure::File(why) | Failure::Broken(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Failure {}

impl From<brownout_property::Error> for Failure {
    fn from(why: brownout_property::Error) -> Failure {
        use brownout_property::Error;
        match why {
            Error::Usage(all) => Failure::Usage(all),
            Error::Scenario(mistakes) => Failure::Scenario(mistakes),
            Error::File(why) => Failure::File(why),
            Error::Ledger(why) => Failure::Broken(why),
        }
    }
}

impl From<WriteError> for Failure {
    fn from(why: WriteError) -> Failure {
        Failure::File(why.to_string())
    }
}
