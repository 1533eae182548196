//! The services: against what was measured, against the kernel, under faults, and on real sockets.

mod conformance;
#[cfg(madsim)]
mod connections;
#[cfg(madsim)]
mod detection;
#[cfg(madsim)]
mod differential;
#[cfg(madsim)]
mod measured;
#[cfg(madsim)]
mod pools;
#[cfg(madsim)]
mod products;
mod proxies;
mod real;
#[cfg(madsim)]
mod search;
mod support;
