//! Decisions without input or output: given a time and an event, what to do.
//!
//! Every runtime of the project shares these. They hold no clock and schedule nothing; who owns one
//! feeds it events and acts on its answers.

pub mod balance;
pub mod bulkhead;
pub mod health;
pub mod redispatch;
pub mod retry;
