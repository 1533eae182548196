//! Runs a collector through a scenario and says what was lost: all that a test of one's own service needs.

use brownout_models::units::Ns;
use brownout_scenarios::load_text;
use brownout_services::collector::Handler;
use brownout_services::{Ask, Listener, on_madsim};
use std::path::Path;
use std::sync::Arc;

/// The scenario of this example.
const MINUTE: &str = include_str!("../minute.toml");

/// What a collector lost in the outage.
#[derive(Clone, PartialEq, Debug)]
pub struct Loss {
    /// Share of track calls that failed, as their clients saw it.
    pub track: f64,
    /// Share of identify calls that failed.
    pub identify: f64,
    /// Identifies the run: the same seed and the same collector give the same one.
    pub digest: String,
}

/// Puts a collector in the place of the built-in one for a minute, under a seed. `make` is called for each process that
/// starts.
///
/// # Errors
/// What is wrong with the scenario or the run, in words.
pub fn loss<H: Handler>(seed: u64, make: impl Fn() -> H + Send + Sync + 'static) -> Result<Loss, String> {
    let scenario = load_text("minute.toml", MINUTE, Path::new("."), &[], &[]);
    let scenario = scenario.map_err(|mistakes| mistakes.render(false))?;
    let ask = Ask {
        handler: Some(Arc::new(move || Arc::new(make()))),
        // The collector's timers are in real seconds.
        stretch: 1,
        from: Ns::ZERO,
        ..Ask::new(brownout_sim::orders(&scenario, seed))
    };
    let outcome = on_madsim(&scenario, ask, &Listener { stop: None, progress: &|_| {} });
    let outcome = outcome.map_err(|why| why.to_string())?;
    let failed = |kind: &str| outcome.calls[kind].failed_rate;
    Ok(Loss { track: failed("track"), identify: failed("identify"), digest: outcome.digest.clone() })
}
