//! Why calls were dropped, over the day.

use super::canvas::PlotError;
use super::panel::{self, Sheet};
use super::panels;
use brownout_sim::outcome::Outcome;

/// Calls dropped per minute, stacked by cause, with each cause's share of all that were dropped during the run.
///
/// # Errors
///
/// As [`dropped`](super::dropped()).
pub fn causes(outcome: &Outcome) -> Result<String, PlotError> {
    match panels::chart(outcome, &Sheet::SLIDE, "causes") {
        Some(chart) => panel::draw(outcome, &chart, &Sheet::SLIDE),
        None => Ok(String::new()),
    }
}
