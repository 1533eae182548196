//! Decisions without input or output: given a time and an event, what to do.
//!
//! Every runtime of the project shares these. They hold no clock and schedule nothing; who owns one
//! feeds it events and acts on its answers.

pub mod adaptive;
pub mod asking;
pub mod balance;
pub mod breaker;
pub mod bulkhead;
pub mod cache;
pub mod fail_open;
pub mod failover;
pub mod guards;
pub mod health;
pub mod keep_alive;
pub mod limits;
pub mod listen;
pub mod max_fails;
pub mod members;
pub mod observe;
pub mod outlier;
pub mod redispatch;
pub mod resend;
pub mod retry;
pub mod shedding;
pub mod spool;
pub mod verdict;
