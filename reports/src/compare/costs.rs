//! What designs cost: columns beside the benefit.

use super::Show;
use super::grid::{self, Columns, difference, figure, heat};
use crate::terminal::page::{Ink, Line, Page};
use crate::text;
use brownout_lab::compare::{Comparison, Costs};
use std::collections::BTreeSet;

/// What a column says of a cell, by its place; none without figures.
type Figure = Box<dyn Fn(&Comparison, usize) -> Option<f64>>;

/// One figure of the costs.
pub(super) struct Column {
    /// Its name as a key: "identify.lost".
    pub(super) key: String,
    /// Its name in words.
    head: String,
    /// Its value.
    pub(super) value: Figure,
    /// Its value in words.
    show: fn(f64) -> String,
    /// Up to such a difference between designs it is not worth a sentence, as a part of the larger and outright.
    coarse: (f64, f64),
}

/// All columns. The lost calls of the kind that the comparison is about stand in the matrix.
pub(super) fn columns(c: &Comparison) -> Vec<Column> {
    let all = || c.cells.iter().filter_map(|cell| cell.costs.as_ref());
    let kinds: BTreeSet<&String> = all().flat_map(|costs| costs.calls.keys()).collect();
    let stores: BTreeSet<&String> = all().flat_map(|costs| costs.queries.keys()).collect();
    let of = |c: &Comparison, i: usize, f: &dyn Fn(&Costs) -> Option<f64>| c.cells[i].costs.as_ref().and_then(f);
    let mut out = Vec::new();
    for kind in kinds {
        for late in [true, false] {
            let (name, kind) = (kind.clone(), kind.clone());
            let word = if late { "late" } else { "lost" };
            if c.metric == format!("{kind}.dropped_rate") && !late {
                continue;
            }
            let value = move |c: &Comparison, i: usize| {
                of(c, i, &|costs| costs.calls.get(&kind).map(|call| if late { call.late } else { call.lost }))
            };
            out.push(Column {
                key: format!("{name}.{word}"),
                head: format!("{name} {word}"),
                value: Box::new(value),
                show: text::percent,
                coarse: (0.0, 0.01),
            });
        }
    }
    let plain = |key: &str, head: &str, f: fn(&Costs) -> Option<f64>, show, coarse| Column {
        key: key.into(),
        head: head.into(),
        value: Box::new(move |c, i| of(c, i, &f)),
        show,
        coarse,
    };
    out.push(plain("servers", "servers", |costs| Some(costs.servers), text::mean, (0.0, 0.5)));
    for store in stores {
        let name = store.clone();
        let value = move |c: &Comparison, i: usize| {
            let own = of(c, i, &|costs| costs.queries.get(&name).copied())?;
            let base = of(c, c.cells[i].baseline, &|costs| costs.queries.get(&name).copied())?;
            (base > 0.0).then_some(own / base)
        };
        out.push(Column {
            key: format!("{store}.queries_to_baseline"),
            head: format!("{store} queries"),
            value: Box::new(value),
            show: |x| format!("x{x:.2}"),
            coarse: (0.05, 0.0),
        });
    }
    out.push(plain("recovery_s", "recovery", |costs| costs.recovery_s, text::duration, (0.1, 5.0)));
    let never: fn(&Costs) -> Option<f64> = |costs| Some(costs.not_recovered);
    out.push(plain("not_recovered", "runs not recovered", never, text::percent, (0.0, 0.01)));
    out.push(plain("flaps", "flaps per server", |costs| Some(costs.flaps), text::mean, (0.1, 0.5)));
    out
}

/// " They differ in cost: ..." for the figures that differ within a group.
pub(super) fn range(c: &Comparison, group: &[usize]) -> String {
    let mut said = Vec::new();
    for column in columns(c) {
        let values: Vec<f64> = group.iter().filter_map(|i| (column.value)(c, *i)).collect();
        let (low, high) = values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
        let (part, outright) = column.coarse;
        if high - low > (part * high).max(outright) {
            said.push(format!("{} {} to {}", column.head, (column.show)(low), (column.show)(high)));
        }
    }
    if said.is_empty() { String::new() } else { format!(" They differ in cost: {}.", said.join("; ")) }
}

/// The tables: one for each matrix, of the cells in the baseline's column, or of all.
pub(super) fn tables(show: &Show<'_>, all: bool, page: &mut Page) {
    let c = show.comparison;
    let columns = columns(c);
    let mut left_out = false;
    for grid in grid::grids(c) {
        let baseline = |row: &[usize]| row.iter().position(|i| is_beside_baseline(c, *i));
        let single = grid.columns.len() <= 1;
        let wanted = |j: usize, row: &[usize]| all || single || baseline(row).unwrap_or(0) == j;
        let mut cells: Vec<(String, usize)> = Vec::new();
        for (name, row) in &grid.rows {
            for (j, cell) in row.iter().enumerate().filter(|(j, _)| wanted(*j, row)) {
                let column = &grid.columns[j];
                let name = match (single || !all, name.is_empty()) {
                    (true, false) => name.clone(),
                    (true, true) => column.clone(),
                    (false, _) => format!("{name}/{column}"),
                };
                cells.push((name, *cell));
            }
        }
        cells.retain(|(_, cell)| c.cells[*cell].costs.is_some());
        if cells.is_empty() {
            continue;
        }
        let kept: Vec<&Column> = columns.iter().filter(|column| is_telling(c, column)).collect();
        left_out |= kept.len() < columns.len();
        heading(show, &grid, all || single, &cells, page);
        let row = |cell: usize| {
            let mut row = vec![
                (figure(&c.cells[cell], c.seeds, show.style.unicode), heat(&c.cells[cell], c.safe)),
                (difference(c, cell, show.style.unicode), None),
            ];
            let shown = |column: &&Column| (column.value)(c, cell).map_or("-".to_string(), column.show);
            row.extend(kept.iter().map(|column| (shown(column), None)));
            row
        };
        let mut heads = vec![c.metric.clone(), "to baseline".to_string()];
        heads.extend(kept.iter().map(|column| column.head.clone()));
        let clean = |words: &String| text::clean(words, show.style.unicode);
        let table = Columns {
            corner: String::new(),
            over: String::new(),
            names: cells.iter().map(|(name, _)| clean(name)).collect(),
            heads: heads.iter().map(clean).collect(),
            cells: cells.iter().map(|(_, cell)| row(*cell)).collect(),
        };
        table.print(show, page);
    }
    if left_out {
        let note = "Costs that are the same for every design are left out; --out DIR writes all.";
        page.line(Line::new().plain("  ").add(Ink::Dim, note));
        page.gap();
    }
}

fn heading(show: &Show<'_>, grid: &grid::Grid, whole: bool, cells: &[(String, usize)], page: &mut Page) {
    let mut words = String::from("costs");
    if !grid.title.is_empty() {
        words.push_str(&format!(", {}", grid.title));
    }
    let c = show.comparison;
    let column = cells.first().and_then(|(_, cell)| {
        let at = &c.cells[*cell].at;
        let last = c.dimensions.len().checked_sub(1)?;
        Some(format!(", {}={}", c.dimensions[last].name, c.dimensions[last].points[at[last]]))
    });
    if let (false, Some(column)) = (whole, column) {
        words.push_str(&column);
        words.push_str(" (--costs prints all)");
    }
    page.line(Line::new().add(Ink::Bold, &text::clean(&words, show.style.unicode)));
}

/// Whether a cell has the baseline's point of the last dimension.
fn is_beside_baseline(c: &Comparison, cell: usize) -> bool {
    let own = &c.cells[cell];
    let base = &c.cells[own.baseline];
    match c.dimensions.last() {
        Some(d) if d.sweep => own.at.last().copied() == Some(written(d)),
        _ => own.at.last() == base.at.last(),
    }
}

/// The value of a sweep that the file has, or the first.
fn written(d: &brownout_lab::compare::Dimension) -> usize {
    d.points.iter().position(|p| Some(p) == d.written.as_ref()).unwrap_or(0)
}

/// Whether a column has more than one value to show.
fn is_telling(c: &Comparison, column: &Column) -> bool {
    let shown: BTreeSet<String> =
        (0..c.cells.len()).filter_map(|i| (column.value)(c, i)).map(|value| (column.show)(value)).collect();
    shown.len() > 1 || (c.cells.len() == 1 && shown.iter().any(|s| s != "0%"))
}
