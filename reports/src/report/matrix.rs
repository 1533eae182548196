//! The matrix as a table, its differences, and every cell.

use super::words::{rate, signed};
use super::{Context, ReportError};
use crate::compare::{self, figure, grids, heat, label_of, repeat};
use crate::figure::{Figures, Part};
use crate::svg;
use brownout_lab::compare::{Cell, Comparison, How};

/// A heat map.
pub(super) struct Table {
    pub(super) title: String,
    pub(super) corner: String,
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<TableRow>,
}

pub(super) struct TableRow {
    pub(super) name: String,
    pub(super) cells: Vec<TableCell>,
}

pub(super) struct TableCell {
    /// "h0 base".
    pub(super) class: String,
    pub(super) figure: String,
    /// All that is known of it, for a pointer.
    pub(super) tip: String,
}

pub(super) fn tables(c: &Comparison, context: &Context<'_>) -> Vec<Table> {
    let picked: Vec<usize> = context.days.iter().filter(|day| !day.baseline).filter_map(|day| day.cell).collect();
    let cell = |at: &usize| {
        let cell = &c.cells[*at];
        let mut class = heat(cell, c.safe).map_or("none".to_owned(), |level| format!("h{level}"));
        if cell.baseline == *at && c.cells.len() > 1 {
            class.push_str(" base");
        } else if picked.contains(at) {
            class.push_str(" pick");
        }
        TableCell { class, figure: figure(cell, c.seeds, true), tip: tip(c, *at) }
    };
    let table = |grid: compare::Grid| {
        let names = [&grid.names.0, &grid.names.1].into_iter().filter(|name| !name.is_empty());
        Table {
            title: grid.title.clone(),
            corner: names.map(String::as_str).collect::<Vec<_>>().join(" \\ "),
            columns: if grid.columns.len() == 1 && grid.columns[0].is_empty() {
                vec![c.metric.clone()]
            } else {
                grid.columns
            },
            rows: grid
                .rows
                .iter()
                .map(|(name, cells)| TableRow { name: name.clone(), cells: cells.iter().map(cell).collect() })
                .collect(),
        }
    };
    grids(c).into_iter().map(table).collect()
}

fn tip(c: &Comparison, at: usize) -> String {
    let cell = &c.cells[at];
    let mut lines = vec![label_of(c, cell)];
    match &cell.estimate {
        Some(e) => lines.push(format!("{} of {} calls, {} seeds", rate(e), crate::text::grouped(e.offered), e.seeds)),
        None => lines.push("no result".to_owned()),
    }
    lines.extend(verdict(c, cell));
    if let Some(d) = &cell.difference {
        lines.push(format!("to the baseline {}", signed(d)));
    } else if cell.baseline == at && c.cells.len() > 1 {
        lines.push("the baseline".to_owned());
    }
    lines.join("\n")
}

/// "looks safe: 0 of 5 runs reach 0.1%, so at most 45% of all do (95%); 117 more runs to be called safe".
fn verdict(c: &Comparison, cell: &Cell) -> Option<String> {
    let (verdict, found) = (cell.verdict?, cell.bad_runs.as_ref()?);
    let mut said = format!(
        "{}: {} of {} reach {}",
        verdict.words(),
        found.bad,
        crate::text::count(found.of, "run", "runs"),
        crate::text::percent(c.safe)
    );
    said.push_str(&match verdict.is_quiet() {
        true => format!(", so at most {} of all do (95%)", crate::text::percent_brief(found.at_most)),
        false => format!(", so at least {} of all do (95%)", crate::text::percent_brief(found.at_least)),
    });
    if let Some(more) = cell.more_runs {
        said.push_str(&format!("; {} to be called safe", crate::text::count(more, "more run", "more runs")));
    }
    Some(said)
}

/// What a cell holds.
pub(super) fn words(c: &Comparison) -> String {
    let mut said = format!(
        "{} in per cent, {} to {}; lower is better. Mean over {} ± half of its 95% interval",
        c.metric,
        c.window.0,
        c.window.1,
        crate::text::count(c.seeds, "seed", "seeds")
    );
    let has = |how| c.cells.iter().filter_map(|cell| cell.estimate.as_ref()).any(|e| e.how == how);
    if has(How::Same) {
        said.push_str("; same: every seed gave exactly this");
    }
    if has(How::Single) {
        said.push_str("; one seed has no interval");
    }
    said.push('.');
    said.push_str(&compare::bad_runs(c));
    said
}

/// What is safe, in words.
pub(super) fn safe(c: &Comparison) -> Vec<(String, String)> {
    if c.cells.iter().any(|cell| cell.estimate.is_some()) { compare::safe(c) } else { Vec::new() }
}

/// What cannot be told apart, by matrix.
pub(super) fn alike(c: &Comparison) -> Vec<(String, Vec<String>)> {
    let mut out: Vec<(String, Vec<String>)> = Vec::new();
    for (heading, group) in compare::alike(c) {
        match out.last_mut() {
            Some((_, groups)) if heading.is_empty() => groups.push(group),
            _ => out.push((heading, vec![group])),
        }
    }
    out
}

pub(super) fn differences(context: &Context<'_>, figures: &mut Figures) -> Result<Vec<String>, ReportError> {
    let Some(c) = context.matrix else { return Ok(Vec::new()) };
    let svg = svg::differences(c)?;
    Ok(vec![figures.html(&Part { svg: &svg, caption: "", day: None, wide: true, data: None })?])
}

/// A cell with the line that repeats it.
pub(super) struct CellRow {
    pub(super) name: String,
    pub(super) rate: String,
    pub(super) verdict: &'static str,
    pub(super) difference: String,
    pub(super) seeds: usize,
    pub(super) digest: String,
    pub(super) repeat: String,
}

pub(super) fn cells(c: &Comparison) -> Vec<CellRow> {
    let row = |cell: &brownout_lab::compare::Cell| CellRow {
        name: label_of(c, cell),
        rate: cell.estimate.as_ref().map_or("-".to_owned(), rate),
        verdict: cell.verdict.map_or("", |verdict| verdict.words()),
        difference: cell.difference.as_ref().map(signed).unwrap_or_default(),
        seeds: cell.runs.len(),
        digest: cell.runs.first().map(|run| run.digest.clone()).unwrap_or_default(),
        repeat: repeat(c, cell, c.first_seed),
    };
    c.cells.iter().map(row).collect()
}
