//! The runs of a report: which is the baseline, and their pictures side by side.

use super::{Context, ReportError};
use crate::clock::Clock;
use crate::compare::label_of;
use crate::figure::{self, Figures, Part};
use crate::svg::panel::{Chart, Sheet};
use crate::svg::{self, panels};
use crate::{text, view};
use brownout_lab::compare::Comparison;
use brownout_sim::outcome::Outcome;

/// A run of the report.
pub(crate) struct Day<'a> {
    pub outcome: &'a Outcome,
    /// "baseline: crash-loop shared/shared".
    pub label: String,
    pub baseline: bool,
    /// Its cell in the matrix.
    pub cell: Option<usize>,
}

/// The days with the baselines' each before the others of its setting, in the order of the matrix; as given without one.
pub(super) fn sorted<'a>(matrix: Option<&Comparison>, days: &'a [Outcome]) -> Vec<Day<'a>> {
    let mut out: Vec<Day<'a>> = Vec::new();
    for (i, outcome) in days.iter().enumerate() {
        let cell = matrix.and_then(|c| cell_of(c, outcome));
        let baseline = match (matrix, cell) {
            (Some(c), Some(at)) => c.cells[at].baseline == at,
            (Some(_), None) => false,
            (None, _) => i == 0 && days.len() > 1,
        };
        let name = match (matrix, cell) {
            (Some(c), Some(at)) => label_of(c, &c.cells[at]),
            _ => design(outcome),
        };
        let label = if baseline { format!("baseline: {name}") } else { name };
        out.push(Day { outcome, label, baseline, cell });
    }
    if let Some(c) = matrix {
        out.sort_by_key(|day| (day.cell.map_or(usize::MAX, |at| c.cells[at].baseline), !day.baseline));
    }
    // One label twice would be one checkbox too many to tell apart.
    let labels: Vec<String> = out.iter().map(|day| day.label.clone()).collect();
    for (i, day) in out.iter_mut().enumerate() {
        if labels.iter().filter(|label| **label == day.label).count() > 1 {
            day.label = format!("{} ({}: seed {})", labels[i], day.outcome.scenario, day.outcome.seed);
        }
    }
    out
}

fn design(outcome: &Outcome) -> String {
    let mut name = if outcome.design.is_empty() { "as written".to_owned() } else { outcome.design.clone() };
    outcome.set.iter().for_each(|set| name.push_str(&format!(" {set}")));
    name
}

/// The cell that a run is of: made by the same designs and changes.
fn cell_of(c: &Comparison, outcome: &Outcome) -> Option<usize> {
    let words = |texts: &[String]| {
        let mut words: Vec<String> =
            texts.iter().flat_map(|t| t.split([',', ' '])).filter(|w| !w.is_empty()).map(str::to_owned).collect();
        words.sort();
        words
    };
    let asked = words(&outcome.asked);
    c.cells.iter().position(|cell| words(&cell.design) == asked && cell.set == outcome.set)
}

/// A checkbox.
pub(super) struct Toggle {
    pub(super) label: String,
    /// Whether it is on at first.
    pub(super) first: bool,
}

pub(super) fn toggles(context: &Context<'_>) -> Vec<Toggle> {
    let toggle = |(i, day): (usize, &Day<'_>)| Toggle { label: day.label.clone(), first: i < 2 };
    context.days.iter().enumerate().map(toggle).collect()
}

/// A mark of the first day.
pub(super) struct Event {
    pub(super) at: String,
    pub(super) what: String,
    pub(super) expected: String,
}

pub(super) fn events(context: &Context<'_>) -> Vec<Event> {
    const MOST: usize = 60;
    let Some(day) = context.days.first() else { return Vec::new() };
    let clock = Clock::new(&day.outcome.span);
    let marks = view::marks(day.outcome);
    let more = marks.len().saturating_sub(MOST);
    let mut events: Vec<Event> = marks
        .into_iter()
        .take(MOST)
        .map(|mark| Event {
            at: clock.second(mark.at_s),
            what: mark.what,
            expected: mark.expected_at.map(|at| at.trim_end_matches(":00").to_owned()).unwrap_or_default(),
        })
        .collect();
    if more > 0 {
        let what = format!("and {more} more, which brownout run --timeline prints");
        events.push(Event { at: String::new(), what, expected: String::new() });
    }
    events
}

/// The share of calls dropped over the day with its events, a picture for each day.
pub(super) fn timeline(context: &Context<'_>, figures: &mut Figures) -> Result<Vec<String>, ReportError> {
    let one = |(i, day): (usize, &Day<'_>)| {
        let (svg, data) = figure::dropped(day.outcome)?;
        Ok(figures.html(&Part { svg: &svg, caption: &day.label, day: Some(i), wide: true, data })?)
    };
    context.days.iter().enumerate().map(one).collect()
}

/// One kind of chart for all days.
pub(super) struct PanelRow {
    pub(super) figures: Vec<String>,
    pub(super) words: Vec<String>,
}

/// The charts of all days, one row for each kind, with one axis for all that have one baseline. Where no day has anything
/// to show, words.
pub(super) fn panels(context: &Context<'_>, figures: &mut Figures) -> Result<Vec<PanelRow>, ReportError> {
    let sheet = Sheet::COLUMN;
    let charts: Vec<Vec<Chart>> = context.days.iter().map(|day| panels::charts(day.outcome, &sheet)).collect();
    let mut rows = Vec::new();
    for k in 0..charts.first().map_or(0, Vec::len) {
        let row: Vec<&Chart> = charts.iter().map(|day| &day[k]).collect();
        if row.iter().all(|chart| chart.is_empty()) {
            let words = format!("{}: {}.", row[0].title, row[0].nothing);
            rows.push(PanelRow { figures: Vec::new(), words: vec![words] });
        } else {
            let mut made = Vec::new();
            for (i, (day, chart)) in context.days.iter().zip(&row).enumerate() {
                let beside =
                    context.days.iter().zip(&row).filter(|(other, _)| setting(context, other) == setting(context, day));
                let (most, least) = beside.fold((0.0, f64::INFINITY), |(most, least): (f64, f64), (_, other)| {
                    (most.max(other.most), least.min(other.least))
                });
                let chart = Chart { most, least, ..(*chart).clone() };
                let (svg, data) = figure::chart(day.outcome, &chart)?;
                made.push(figures.html(&Part { svg: &svg, caption: &day.label, day: Some(i), wide: false, data })?);
            }
            rows.push(PanelRow { figures: made, words: Vec::new() });
        }
        if k == 0 {
            rows.push(PanelRow { figures: lanes(context, figures)?, words: Vec::new() });
        }
    }
    Ok(rows)
}

/// What went wrong in a day: the baseline that it is compared with; none without a matrix.
fn setting(context: &Context<'_>, day: &Day<'_>) -> Option<usize> {
    Some(context.matrix?.cells[day.cell?].baseline)
}

fn lanes(context: &Context<'_>, figures: &mut Figures) -> Result<Vec<String>, ReportError> {
    let one = |(i, day): (usize, &Day<'_>)| {
        let (svg, data) = figure::lanes(day.outcome)?;
        Ok(figures.html(&Part { svg: &svg, caption: &day.label, day: Some(i), wide: false, data })?)
    };
    context.days.iter().enumerate().map(one).collect()
}

/// What stands above the charts.
pub(super) fn why(context: &Context<'_>) -> String {
    let seeds = "One run each under the first seed";
    match context.days.len() {
        0 | 1 => format!("{seeds}. The pale ground is the outage."),
        _ => format!(
            "{seeds}: the same calls and the same work in each. Beside its baseline a design is drawn on the same axes; the pale ground is the outage."
        ),
    }
}

pub(super) fn recovery(context: &Context<'_>, figures: &mut Figures) -> Result<Vec<String>, ReportError> {
    if context.days.is_empty() {
        return Ok(Vec::new());
    }
    let runs: Vec<(String, &Outcome)> = context.days.iter().map(|day| (day.label.clone(), day.outcome)).collect();
    let svg = svg::recovery(&runs)?;
    Ok(vec![figures.html(&Part { svg: &svg, caption: "", day: None, wide: true, data: None })?])
}

/// A row of a table.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) cells: Vec<String>,
}

pub(super) fn recovery_rows(context: &Context<'_>) -> Vec<Row> {
    let row = |day: &Day<'_>| {
        let outcome = day.outcome;
        let totals = view::headline_kind(outcome).map(|kind| outcome.calls[kind].clone()).unwrap_or_default();
        let share = |n: u64| text::percent(n as f64 / totals.offered.max(1) as f64);
        let back = match outcome.rotation.all_up_after_s {
            Some(after) => text::duration(after),
            None if outcome.rotation.downs.values().all(|n| *n == 0) => "none left".to_owned(),
            None => "not within the run".to_owned(),
        };
        let cells = vec![
            match outcome.recovery_s {
                Some(after) => text::duration(after),
                None => svg::recovery_said(outcome),
            },
            back,
            spools_empty(outcome),
            text::grouped(totals.offered),
            share(totals.dropped),
            share(totals.failed),
            share(totals.late),
        ];
        Row { name: day.label.clone(), cells }
    };
    context.days.iter().map(row).collect()
}

/// When the last late call was stored.
fn spools_empty(outcome: &Outcome) -> String {
    let steps = &outcome.timeline.steps;
    let full =
        |step: &brownout_sim::outcome::Step| step.kept > 0 || step.fleets.values().any(|fleet| fleet.spooled > 0);
    match steps.iter().rposition(full) {
        None => "never used".to_owned(),
        Some(last) => match steps.get(last + 1) {
            Some(next) => Clock::new(&outcome.span).minute(next.t_s),
            None => "not within the run".to_owned(),
        },
    }
}

/// A piece of evidence with what every day gave.
pub(super) struct EvidenceRow {
    pub(super) id: String,
    pub(super) says: String,
    pub(super) metric: String,
    pub(super) observed: String,
    pub(super) cells: Vec<Verdict>,
}

pub(super) struct Verdict {
    pub(super) simulated: String,
    pub(super) verdict: String,
    pub(super) class: &'static str,
}

pub(super) fn evidence(context: &Context<'_>) -> Vec<EvidenceRow> {
    let Some(first) = context.days.first() else { return Vec::new() };
    let row = |evidence: &brownout_sim::outcome::Evidence| {
        let cell = |day: &Day<'_>| {
            let here = day.outcome.evidence.iter().find(|e| e.id == evidence.id);
            here.map_or(Verdict { simulated: "-".into(), verdict: String::new(), class: "" }, |e| Verdict {
                simulated: e.simulated.clone(),
                verdict: e.verdict.clone(),
                class: match e.verdict.as_str() {
                    "met" => "met",
                    "not met" | "fit missed" => "missed",
                    _ => "",
                },
            })
        };
        EvidenceRow {
            id: evidence.id.clone(),
            says: evidence.says.clone(),
            metric: evidence.metric.clone(),
            observed: evidence.observed.clone(),
            cells: context.days.iter().map(cell).collect(),
        }
    };
    first.outcome.evidence.iter().map(row).collect()
}

/// A number and why it is what it is.
pub(super) struct AssumptionRow {
    pub(super) path: String,
    pub(super) value: String,
    pub(super) mark: String,
    pub(super) range: String,
    pub(super) why: String,
}

pub(super) fn assumptions(context: &Context<'_>) -> Vec<AssumptionRow> {
    let mut rows: Vec<(AssumptionRow, Vec<&str>)> = Vec::new();
    for day in &context.days {
        for a in &day.outcome.assumptions {
            let range = a.range.as_ref().map(|(low, high)| format!("{low} to {high}")).unwrap_or_default();
            let known = rows.iter_mut().find(|(r, _)| r.path == a.path && r.value == a.value && r.mark == a.mark);
            match known {
                Some((_, days)) => days.push(&day.label),
                None => rows.push((
                    AssumptionRow {
                        path: a.path.clone(),
                        value: a.value.clone(),
                        mark: a.mark.clone(),
                        range,
                        why: a.why.clone(),
                    },
                    vec![&day.label],
                )),
            }
        }
    }
    const ORDER: [&str; 6] = ["set by hand", "calibrated", "assumed", "inferred", "reported", "unmarked"];
    rows.sort_by_key(|(row, _)| ORDER.iter().position(|mark| *mark == row.mark).unwrap_or(ORDER.len()));
    rows.into_iter()
        .map(|(mut row, days)| {
            if days.len() < context.days.len() {
                let only = format!("only in {}", days.join("; "));
                row.why = if row.why.is_empty() { only } else { format!("{} ({only})", row.why) };
            }
            row
        })
        .collect()
}

pub(super) fn assumptions_words(context: &Context<'_>) -> String {
    let rows = assumptions(context);
    let of = |mark: &str| rows.iter().filter(|row| row.mark == mark).count();
    let named = ["reported", "inferred", "assumed", "calibrated", "set by hand", "unmarked"];
    let counts: Vec<String> = named.iter().filter(|m| of(m) > 0).map(|m| format!("{} {m}", of(m))).collect();
    format!(
        "Every number of the scenario that says where it comes from, {} in all: {}. Assumed: nobody published it, and it is \
         believed to lie in the range. Calibrated: chosen so that a piece of evidence is met.",
        rows.len(),
        counts.join(", ")
    )
}
