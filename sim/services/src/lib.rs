//! The same day as real async services: collectors, balancer, stores and clients as programs that speak HTTP and a framed
//! protocol over sockets, on a simulated network (madsim) or on real ones (tokio).
//!
//! A model can be wrong in ways that a model cannot see. These services share with the kernel the decisions of
//! `brownout_models::policy`, the script of the day (timeline, faults, headroom of the stores), the arrivals and the
//! books; the way of a call is code of its own. Nothing that a scenario asks for is ignored.
//!
//! * [`platform`]: what they take from the machine: time, tasks, sockets, processes.
//! * [`clients`], [`balancer`], [`collector`], [`store`]: the services.
//! * [`witness`]: sees what happens to every call and keeps the books.
//! * `run`: a whole run.

#![warn(clippy::unwrap_used)]

pub mod balancer;
pub mod board;
pub mod clients;
pub mod collector;
mod crew;
mod departure;
mod http;
pub mod platform;
mod run;
pub mod store;
pub mod town;
mod wire;
pub mod witness;

pub use run::{Ask, Chaos, Failure, Listener, on_madsim, on_tokio};

/// Whether the simulated network is compiled in: whether this was built with `--cfg madsim`.
pub const HAS_MADSIM: bool = cfg!(madsim);
