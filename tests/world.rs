//! What holds of runs, simulated within this process.
//!
//! One binary for many files of this folder: each binary links the whole program, which takes longer than most of these
//! tests. `cargo test --test world designs::` runs those of one file.

#[path = "support/afternoon.rs"]
mod afternoon;
mod support;

#[path = "connections.rs"]
mod connections;
#[path = "designs.rs"]
mod designs;
#[path = "edges.rs"]
mod edges;
#[path = "estates.rs"]
mod estates;
#[path = "expectations.rs"]
mod expectations;
#[path = "fault_mechanisms.rs"]
mod fault_mechanisms;
#[path = "faults.rs"]
mod faults;
#[path = "guidance.rs"]
mod guidance;
#[path = "invariants.rs"]
mod invariants;
#[path = "october_28.rs"]
mod october_28;
#[path = "regressions.rs"]
mod regressions;
#[path = "stores.rs"]
mod stores;
#[path = "theory.rs"]
mod theory;
