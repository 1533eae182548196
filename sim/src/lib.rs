//! The kernel that drives a world, its ledger, and the outcome of a run.

pub mod outcome;
