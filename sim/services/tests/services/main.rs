//! The services: against what was measured, against the kernel, under faults, on real sockets, and with a collector of
//! one's own.

mod conformance;
#[cfg(madsim)]
mod differential;
#[cfg(madsim)]
mod measured;
#[cfg(madsim)]
mod own;
mod real;
#[cfg(madsim)]
mod search;
mod support;
