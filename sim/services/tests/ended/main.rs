//! After it has ended: a fault that has come and gone, its effects drained, leaves no trace; a second fault then has the effect
//! that it has alone. For every fault of the registry, alone, one after another and overlapping, on both runtimes.
//!
//! Cases are the same on every machine. `ENDED_CASES=2000` tries so many combinations instead of the usual number, and
//! `ENDED_SEED=7` others.

mod kernel;
#[cfg(madsim)]
mod madsim;
mod regressions;
mod world;
