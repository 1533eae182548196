//! Experiments on Brownout worlds: many runs of one scenario, in parallel, reduced in a fixed order.
//!
//! [`compare`] crosses designs and says which of them help, at what price, and how sure that is; [`ranges`] asks how
//! much of what is merely assumed a conclusion needs; [`suite`] tests many scenarios against what they expect;
//! [`sweep`] cuts millions of runs into shards for many machines; [`hunt`] searches for the smallest schedule of faults that
//! breaks a design. Property tests of one's own are in `brownout-property`.

#![warn(clippy::unwrap_used)]

pub mod compare;
pub mod hunt;
pub mod ranges;
pub mod stats;
pub mod suite;
pub mod sweep;

pub use brownout_property::values;
