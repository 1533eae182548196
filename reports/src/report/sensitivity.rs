//! What the conclusion hangs on: sweeps and walks through ranges.

use super::{Context, ReportError};
use crate::compare;
use crate::figure::{Figures, Part};
use crate::svg;
use crate::text;

pub(super) fn figures(context: &Context<'_>, figures: &mut Figures) -> Result<Vec<String>, ReportError> {
    let mut out = Vec::new();
    for c in context.material.comparisons.iter().filter(|c| !c.sweeps().is_empty()) {
        let svg = svg::sweep(c)?;
        out.push(figures.html(&Part { svg: &svg, caption: "", day: None, wide: true, data: None })?);
    }
    for walk in &context.material.walks {
        let svg = svg::ranges(walk)?;
        out.push(figures.html(&Part { svg: &svg, caption: "", day: None, wide: true, data: None })?);
    }
    Ok(out)
}

pub(super) fn words(context: &Context<'_>) -> Vec<String> {
    let mut said = Vec::new();
    for c in context.material.comparisons.iter().filter(|c| !c.sweeps().is_empty()) {
        let names: Vec<&str> = c.sweeps().into_iter().map(|d| c.dimensions[d].name.as_str()).collect();
        said.push(format!("Over {}: {}", names.join(" and "), compare::flips(c)));
    }
    for walk in &context.material.walks {
        let points = || walk.ranges.iter().flat_map(|range| &range.points);
        let safe = walk.ranges.iter().filter(|range| range.kept == 1.0).count();
        let mut words = format!(
            "{} ({}) is met at {} of {} points of the ranges, one number moved at a time, one run each; {safe} of {} \
             numbers keep it at all their points.",
            walk.evidence,
            walk.says,
            points().filter(|point| point.met).count(),
            points().count(),
            walk.ranges.len()
        );
        let mut worst: Vec<_> = walk.ranges.iter().filter(|range| range.kept < 1.0).collect();
        worst.sort_by(|a, b| a.kept.total_cmp(&b.kept));
        if !worst.is_empty() {
            let names: Vec<String> =
                worst.iter().take(5).map(|r| format!("{} ({})", r.path, text::percent_brief(r.kept))).collect();
            words.push_str(&format!(" It hangs most on {}.", names.join(", ")));
        }
        if walk.interrupted {
            words.push_str(" The walk was interrupted: some points are missing.");
        }
        said.push(words);
    }
    if said.is_empty() {
        said.push(
            "Not measured in this report: give it a sweep (brownout compare FILE --sweep PATH=VALUES --json) or a walk through \
             the assumed ranges (brownout run FILE --ranges EVIDENCE --json)."
                .to_owned(),
        );
    }
    said
}
