//! A comparison as JSON, as two tables, and all of it into a directory.

use super::{costs, repeat};
use crate::files::{Document, write_documents};
use crate::{json, svg};
use brownout_lab::compare::{Cell, Comparison};
use brownout_output::files::WriteError;
use brownout_sim::outcome::Outcome;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// A cell with the command that repeats its first run.
#[derive(Serialize)]
struct CellDocument<'a> {
    repeat: String,
    #[serde(flatten)]
    cell: &'a Cell,
}

/// The comparison with its cells as [`CellDocument`].
#[derive(Serialize)]
struct Whole<'a> {
    version: u32,
    scenario: &'a str,
    title: &'a str,
    window: &'a (String, String),
    metric: &'a str,
    asked: &'a [String],
    set: &'a [String],
    seeds: u64,
    first_seed: u64,
    precision: Option<f64>,
    max_seeds: u64,
    safe: f64,
    bad_runs: f64,
    confirm: Option<&'a brownout_lab::compare::Confirm>,
    ended: &'a str,
    under: Option<usize>,
    dimensions: &'a [brownout_lab::compare::Dimension],
    panels: &'a [brownout_lab::compare::Panel],
    troubles: &'a [brownout_lab::compare::Trouble],
    cells: Vec<CellDocument<'a>>,
}

/// The comparison as one indented JSON document: what `brownout compare --json` prints.
///
/// # Errors
/// As `serde_json` reports them; none are expected.
pub fn to_json(c: &Comparison) -> Result<String, serde_json::Error> {
    let cells = c.cells.iter().map(|cell| CellDocument { repeat: repeat(c, cell, c.first_seed), cell });
    let whole = Whole {
        version: c.version,
        scenario: &c.scenario,
        title: &c.title,
        window: &c.window,
        metric: &c.metric,
        asked: &c.asked,
        set: &c.set,
        seeds: c.seeds,
        first_seed: c.first_seed,
        precision: c.precision,
        max_seeds: c.max_seeds,
        safe: c.safe,
        bad_runs: c.bad_runs,
        confirm: c.confirm.as_ref(),
        ended: &c.ended,
        under: c.under,
        dimensions: &c.dimensions,
        panels: &c.panels,
        troubles: &c.troubles,
        cells: cells.collect(),
    };
    let mut text = json::marked(&whole, c.is_interrupted())?;
    text.push('\n');
    Ok(text)
}

fn written(writer: csv::Writer<Vec<u8>>) -> Result<String, csv::Error> {
    let bytes = writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
    String::from_utf8(bytes).map_err(|error| csv::Error::from(std::io::Error::other(error)))
}

fn points<'a>(c: &'a Comparison, cell: &'a Cell) -> impl Iterator<Item = String> + 'a {
    c.dimensions.iter().zip(&cell.at).map(|(d, p)| d.points[*p].clone())
}

fn optional(value: Option<f64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// One row per cell and seed: the points of its axes and sweeps, `seed`, the metric as `rate`, `hits` of `offered`,
/// `late` and `lost` of every kind, `servers`, queries to every store, `recovery_s`, `flaps`, `digest` and `repeat`.
///
/// # Errors
/// As the `csv` crate reports them.
pub fn runs_csv(c: &Comparison) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let kinds: std::collections::BTreeSet<&String> = runs(c).flat_map(|(_, run)| run.costs.calls.keys()).collect();
    let stores: std::collections::BTreeSet<&String> = runs(c).flat_map(|(_, run)| run.costs.queries.keys()).collect();
    let mut header: Vec<String> = c.dimensions.iter().map(|d| d.name.clone()).collect();
    header.extend(["seed", "rate", "hits", "offered"].map(String::from));
    header.extend(kinds.iter().flat_map(|kind| [format!("{kind}.late"), format!("{kind}.lost")]));
    header.push("servers".into());
    header.extend(stores.iter().map(|store| format!("{store}.queries")));
    header.extend(["recovery_s", "flaps", "digest", "repeat"].map(String::from));
    writer.write_record(&header)?;
    for (cell, run) in runs(c) {
        let mut row: Vec<String> = points(c, cell).collect();
        row.extend([run.seed.to_string(), optional(run.rate), run.hits.to_string(), run.offered.to_string()]);
        for kind in &kinds {
            let call = run.costs.calls.get(*kind);
            row.extend([optional(call.map(|call| call.late)), optional(call.map(|call| call.lost))]);
        }
        row.push(run.costs.servers.to_string());
        row.extend(stores.iter().map(|store| optional(run.costs.queries.get(*store).copied())));
        row.extend([optional(run.costs.recovery_s), run.costs.flaps.to_string()]);
        row.extend([run.digest.clone(), repeat(c, cell, run.seed)]);
        writer.write_record(&row)?;
    }
    written(writer)
}

fn runs(c: &Comparison) -> impl Iterator<Item = (&Cell, &brownout_lab::compare::CellRun)> {
    c.cells.iter().flat_map(|cell| cell.runs.iter().map(move |run| (cell, run)))
}

/// One row per cell: its points, `seeds`, `mean` with `low` and `high` and `interval` (what they are), `safe`, `capped`,
/// `verdict`, `bad_runs` of its seeds, the share of runs that is bad at most (95%), `more_runs` that "safe" needs, the paired difference to the `baseline` with its interval, costs, and `digest` and `repeat` of its first run.
///
/// # Errors
/// As the `csv` crate reports them.
pub fn cells_csv(c: &Comparison) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let columns = costs::columns(c);
    let mut header: Vec<String> = c.dimensions.iter().map(|d| d.name.clone()).collect();
    header.extend(["seeds", "mean", "low", "high", "interval", "hits", "offered", "safe", "capped"].map(String::from));
    header.extend(["verdict", "bad_runs", "bad_runs_at_most", "more_runs"].map(String::from));
    header.extend(["difference", "difference_low", "difference_high", "baseline"].map(String::from));
    header.extend(columns.iter().map(|column| column.key.clone()));
    header.extend(["digest", "repeat"].map(String::from));
    writer.write_record(&header)?;
    for (i, cell) in c.cells.iter().enumerate() {
        let mut row: Vec<String> = points(c, cell).collect();
        let (e, d) = (cell.estimate.as_ref(), cell.difference.as_ref());
        row.extend([
            e.map_or(cell.runs.len(), |e| e.seeds).to_string(),
            optional(e.map(|e| e.mean)),
            optional(e.and_then(|e| e.low)),
            optional(e.and_then(|e| e.high)),
            e.map_or(String::new(), |e| format!("{:?}", e.how).to_lowercase()),
            e.map(|e| e.hits.to_string()).unwrap_or_default(),
            e.map(|e| e.offered.to_string()).unwrap_or_default(),
            cell.safe.map(|safe| safe.to_string()).unwrap_or_default(),
            cell.capped.to_string(),
            cell.verdict.map(|verdict| verdict.words().to_owned()).unwrap_or_default(),
            cell.bad_runs.as_ref().map(|found| found.bad.to_string()).unwrap_or_default(),
            optional(cell.bad_runs.as_ref().map(|found| found.at_most)),
            cell.more_runs.map(|runs| runs.to_string()).unwrap_or_default(),
            optional(d.map(|d| d.mean)),
            optional(d.and_then(|d| d.low)),
            optional(d.and_then(|d| d.high)),
            points(c, &c.cells[cell.baseline]).collect::<Vec<_>>().join(" "),
        ]);
        row.extend(columns.iter().map(|column| optional((column.value)(c, i))));
        row.push(cell.runs.first().map(|run| run.digest.clone()).unwrap_or_default());
        row.push(repeat(c, cell, c.first_seed));
        writer.write_record(&row)?;
    }
    written(writer)
}

/// Writes `compare.json`, `compare.csv`, `cells.csv`, `matrix.svg`, `differences.svg`, of a sweep `sweep.svg`, and the
/// whole outcomes of `days` as `day-1.json` and so on into `dir`, and returns their paths in this order. As
/// [`crate::write_all`] does it.
///
/// # Errors
/// [`WriteError`], which names the path.
pub fn write_all(c: &Comparison, days: &[Outcome], dir: &Path) -> Result<Vec<PathBuf>, WriteError> {
    let mut documents: Vec<Document> = vec![
        ("compare.json".into(), to_json(c).map_err(Into::into)),
        ("compare.csv".into(), runs_csv(c).map_err(Into::into)),
        ("cells.csv".into(), cells_csv(c).map_err(Into::into)),
        ("matrix.svg".into(), svg::matrix(c).map_err(Into::into)),
        ("differences.svg".into(), svg::differences(c).map_err(Into::into)),
    ];
    if !c.sweeps().is_empty() {
        documents.push(("sweep.svg".into(), svg::sweep(c).map_err(Into::into)));
    }
    for (i, day) in days.iter().enumerate() {
        documents.push((format!("day-{}.json", i + 1), json::to_json(day).map_err(Into::into)));
    }
    write_documents(documents, dir)
}
