//! Experiments on Brownout worlds: many runs of one scenario, in parallel, reduced in a fixed order.
//!
//! [`ranges`] asks how much of what is merely assumed a conclusion needs.

#![warn(clippy::unwrap_used)]

pub mod ranges;
