//! The kernel that drives a world, its ledger, and the outcome of a run.
//!
//! [`simulate`] is the way in: a scenario and a seed, and out comes an [`outcome::Outcome`].

#![warn(clippy::unwrap_used)]

mod edges;
pub mod expectation;
mod latency;
pub mod ledger;
pub mod metric;
pub mod outcome;
mod processes;
pub mod queue;
mod recovery;
pub mod rotation;
pub mod run;
pub mod trace;
mod write_up;

pub use expectation::evaluate;
pub use write_up::{Compared, Twins, difference, orders, simulate, simulate_as, write_up};
