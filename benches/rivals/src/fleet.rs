//! The fleet that all simulate: `scenarios/reference-mmc.toml`, in numbers.

use brownout_models::random::{minus_ln, mix, unit};
use std::time::Duration;

/// Servers.
pub const SERVERS: usize = 16;
/// Workers of each.
pub const WORKERS: usize = 8;
/// Mean time between two calls. [ns]
pub const GAP_NS: f64 = 100_000.0;
/// Mean work of a call, exponentially distributed. [ns]
pub const WORK_NS: f64 = 8_960_000.0;
/// One way between client and balancer, and between balancer and server.
pub const HOP: Duration = Duration::from_micros(500);
/// Patience of a client.
pub const TIMEOUT: Duration = Duration::from_secs(1);
/// Work of a health check.
pub const CHECK_WORK: Duration = Duration::from_millis(1);
/// From the end of a health check to the next.
pub const CHECK_EVERY: Duration = Duration::from_secs(2);

/// Random numbers, small enough to be kept in a model that wants to be serialisable.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Rng(u64);

impl Rng {
    /// The random numbers of a seed and a purpose.
    pub fn new(seed: u64, purpose: u64) -> Rng {
        Rng(mix(seed ^ mix(purpose)))
    }

    /// An exponential variate with this mean. [ns]
    pub fn exponential(&mut self, mean: f64) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        Duration::from_nanos((minus_ln(unit(mix(self.0))) * mean + 0.5) as u64)
    }
}

/// What a run found.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// Calls answered.
    pub answered: u64,
    /// Their mean latency. [ms]
    pub mean_ms: f64,
}
