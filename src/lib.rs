//! Brownout: if this dependency goes bad, what else do we lose, and which design would have saved it?
//!
//! This crate is the command and, for other people's tests, one name for its parts:
//! [`output`] what leaves the program, [`models`] the world, [`scenarios`] the file format, [`sim`] the kernel and the outcome, [`lab`] experiments, [`live`] the engine of a living page,
//! [`reports`] pictures and text, [`services`] the same day as async services.

#![warn(clippy::unwrap_used)]

pub mod exit;

pub use brownout_lab as lab;
pub use brownout_live as live;
pub use brownout_models as models;
pub use brownout_output as output;
pub use brownout_property as property;
pub use brownout_reports as reports;
pub use brownout_scenarios as scenarios;
pub use brownout_services as services;
pub use brownout_sim as sim;
