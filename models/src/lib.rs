//! The world of Brownout: what a scenario describes and how each part of it behaves.
//!
//! * [`units`], [`setting`]: what a file may say, and how it is read.
//! * [`policy`]: decisions without input or output, shared by every runtime.
//! * [`component`]: clients, network, balancer, servers, stores, operators.
//! * [`fault`]: what can go wrong, as modifiers stacked on typed knobs.
//! * [`spec`]: the whole world as described.
//!
//! No clock, no input or output, no threads here.

#![warn(clippy::unwrap_used)]

pub mod component;
pub mod fault;
pub mod kernel;
pub mod ledger;
pub mod level;
pub mod memory;
pub mod metrics;
pub mod policy;
pub mod random;
pub mod setting;
pub mod slab;
pub mod spec;
pub mod units;
pub mod world;
