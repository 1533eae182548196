//! Every picture of a report by itself, for a slide.

use super::{Context, Material, ReportError};
use crate::svg::panel::{self, Sheet};
use crate::svg::{self, panels};
use brownout_sim::outcome::Outcome;

/// A picture with the name of its file, without an ending: "day-1-latency".
#[derive(Clone, Debug)]
pub struct Picture {
    /// Letters, digits and hyphens.
    pub name: String,
    /// The document.
    pub svg: String,
}

/// All pictures of a report: of the matrix and its differences, of each sweep and walk, and of each day (`day-1` is the
/// baseline).
///
/// # Errors
///
/// As [`html`](super::html()).
pub fn pictures(material: &Material) -> Result<Vec<Picture>, ReportError> {
    let context = Context::new(material)?;
    let mut out = Vec::new();
    let mut add = |name: String, svg: String| out.push(Picture { name, svg });
    if let Some(c) = context.matrix {
        add("matrix".into(), svg::matrix(c)?);
        add("differences".into(), svg::differences(c)?);
    }
    for (i, c) in material.comparisons.iter().filter(|c| !c.sweeps().is_empty()).enumerate() {
        add(format!("sweep-{}", i + 1), svg::sweep(c)?);
    }
    for (i, walk) in material.walks.iter().enumerate() {
        add(format!("ranges-{}", i + 1), svg::ranges(walk)?);
    }
    if !context.days.is_empty() {
        let runs: Vec<(String, &Outcome)> = context.days.iter().map(|day| (day.label.clone(), day.outcome)).collect();
        add("recovery".into(), svg::recovery(&runs)?);
    }
    for (i, day) in context.days.iter().enumerate() {
        add(format!("day-{}-dropped", i + 1), svg::dropped(day.outcome)?);
        add(format!("day-{}-rotation", i + 1), svg::rotation(day.outcome)?);
        for chart in panels::charts(day.outcome, &Sheet::SLIDE) {
            add(format!("day-{}-{}", i + 1, chart.key), panel::draw(day.outcome, &chart, &Sheet::SLIDE)?);
        }
    }
    Ok(out)
}
