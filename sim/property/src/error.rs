//! What can go wrong.

use crate::{Case, Diagnostics};
use std::fmt;

/// Why a service could not be read, or a case not be run.
#[derive(Debug)]
pub enum Error {
    /// A word names nothing in this world, or nothing is left to draw; each with its next step.
    Usage(Vec<String>),
    /// The scenario file, or what was changed about it, has mistakes: each with its place and the nearest right name.
    Scenario(Diagnostics),
    /// A file could not be written: a schedule cannot be said in it.
    File(String),
    /// The ledger of a run does not balance: a bug in Brownout, not in the service.
    Ledger(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Usage(all) => f.write_str(&all.join("; ")),
            Error::Scenario(mistakes) => f.write_str(&mistakes.render(false)),
            Error::File(why) | Error::Ledger(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Error {}

/// Why [`holds_under`](crate::holds_under) did not show that what is expected holds.
#[derive(Debug)]
pub enum NotShown {
    /// Some case violates an expectation.
    Violated {
        /// What is violated, the faults as entries of a timeline, and the line that repeats the run.
        why: String,
        /// The smallest case found that does.
        smallest: Case,
    },
    /// In none of the cases did a fault change anything: the test would pass whatever the service does.
    NoEffect {
        /// How many cases were run.
        cases: u64,
    },
    /// In too many cases there was nothing to judge. Why, of the last one.
    TooFewCases(String),
}

impl fmt::Display for NotShown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotShown::Violated { why, .. } => f.write_str(why),
            NotShown::NoEffect { cases } => write!(
                f,
                "vacuous: in none of {cases} cases did a fault change anything; allow more or longer faults, or other targets"
            ),
            NotShown::TooFewCases(why) => write!(f, "vacuous: {why}"),
        }
    }
}

impl std::error::Error for NotShown {}
