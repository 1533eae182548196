//! The kernel that drives a world, its ledger, and the outcome of a run.

pub mod ledger;
pub mod outcome;
pub mod queue;
pub mod run;
