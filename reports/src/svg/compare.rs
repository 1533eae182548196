//! A comparison as pictures: the matrix as a heat map, and the differences to the baseline with their intervals.

use super::canvas::{Anchor, Canvas, PlotError, Type, draw, fit, ink, text_width};
use super::style::RGBAColor;
use crate::compare::{Grid, figure, grids, heat};
use brownout_lab::compare::{Comparison, Difference};

const MARGIN: f64 = 40.0;
const NAMES: f64 = 190.0;
const TOP: f64 = 118.0;
const ROW: f64 = 30.0;
/// Rows of a panel of differences, beyond which only those beside the baseline are drawn.
const ROWS: usize = 40;

/// The colour of a heat: blue where it is safe, else from pale orange to full vermilion, the darker the worse. Blue and
/// orange stay apart under every colour blindness.
fn ground(level: u8) -> RGBAColor {
    match level {
        0 => ink::BLUE.mix(0.28),
        1 => ink::ORANGE.mix(0.18),
        2 => ink::ORANGE.mix(0.50),
        3 => ink::VERMILLION.mix(0.55),
        _ => ink::VERMILLION.mix(0.85),
    }
}

/// Title and what is shown.
pub(super) fn heading(canvas: &mut Canvas<'_>, c: &Comparison, what: &str, width: f64) -> Result<(), PlotError> {
    let title = if c.title.is_empty() { "untitled" } else { &c.title };
    let room = width - 2.0 * MARGIN;
    canvas.text(&fit(title, 22.0, room), (MARGIN, 34.0), Anchor::Start, Type::new(20.0, ink::TEXT).bold())?;
    canvas.text(&fit(what, 14.0, room), (MARGIN, 62.0), Anchor::Start, Type::new(14.0, ink::TEXT))?;
    let mut how = format!("seeds from {}, {} per cell", c.first_seed, c.seeds);
    if c.precision.is_some() {
        how.push_str(" and as many more as the precision asks for");
    }
    if c.ended != "complete" {
        how = format!("not complete: {}  ·  {how}", c.ended);
    }
    canvas.text(&fit(&how, 13.0, room), (MARGIN, 84.0), Anchor::Start, Type::new(12.5, ink::MUTED))
}

/// The matrix as a heat map, one panel per table, each cell with its figure.
///
/// # Errors
/// [`PlotError`] in the drawing library's words.
pub fn matrix(c: &Comparison) -> Result<String, PlotError> {
    let grids = grids(c);
    let columns = grids.iter().map(|grid| grid.columns.len()).max().unwrap_or(1) as f64;
    let column = if columns > 12.0 { 84.0 } else { 104.0 };
    let width = (2.0 * MARGIN + NAMES + columns * column).max(760.0);
    let height = TOP + grids.iter().map(tall).sum::<f64>() + 40.0;
    let description = format!("A heat map of {} for each design; the figures stand in the cells.", c.metric);
    draw((width, height), &format!("{}: {} by design", c.title, c.metric), &description, |canvas| {
        heading(canvas, c, &format!("{}, per cent: mean over seeds ± half of the 95% interval", c.metric), width)?;
        let mut y = TOP;
        for grid in &grids {
            panel(canvas, c, grid, y, column)?;
            y += tall(grid);
        }
        let key = format!(
            "blue: safe, or looks so: no run reaches {}; the darker, the more is lost",
            crate::text::percent(c.safe)
        );
        canvas.text(&key, (MARGIN, height - 24.0), Anchor::Start, Type::new(12.5, ink::MUTED))
    })
}

fn tall(grid: &Grid) -> f64 {
    70.0 + grid.rows.len() as f64 * ROW
}

fn panel(canvas: &mut Canvas<'_>, c: &Comparison, grid: &Grid, top: f64, column: f64) -> Result<(), PlotError> {
    let left = MARGIN + NAMES;
    canvas.text(
        &fit(&grid.title, 15.0, left + 4.0 * column - MARGIN),
        (MARGIN, top),
        Anchor::Start,
        Type::new(15.0, ink::TEXT).bold(),
    )?;
    let names = [grid.names.0.as_str(), grid.names.1.as_str()].into_iter().filter(|name| !name.is_empty());
    let names = names.collect::<Vec<_>>().join(" \\ ");
    canvas.text(&fit(&names, 12.5, NAMES - 10.0), (MARGIN, top + 28.0), Anchor::Start, Type::new(12.5, ink::MUTED))?;
    for (j, name) in grid.columns.iter().enumerate() {
        let x = left + (j as f64 + 0.5) * column;
        canvas.text(&fit(name, 12.0, column - 6.0), (x, top + 28.0), Anchor::Middle, Type::new(12.0, ink::TEXT))?;
    }
    for (i, (name, cells)) in grid.rows.iter().enumerate() {
        let y = top + 44.0 + i as f64 * ROW;
        let middle = y + (ROW - 3.0) / 2.0;
        canvas.text(&fit(name, 13.0, NAMES - 14.0), (left - 10.0, middle), Anchor::End, Type::new(13.0, ink::TEXT))?;
        for (j, at) in cells.iter().enumerate() {
            let cell = &c.cells[*at];
            let x = left + j as f64 * column;
            let color = heat(cell, c.safe).map_or(ink::OUT.mix(1.0), ground);
            canvas.rect((x + 1.0, y), (x + column - 1.0, y + ROW - 3.0), &color)?;
            let look = Type::new(12.0, ink::TEXT);
            let look = if cell.baseline == *at { look.bold() } else { look };
            canvas.text(
                &fit(&figure(cell, c.seeds, true), 12.0, column - 4.0),
                (x + column / 2.0, middle),
                Anchor::Middle,
                look,
            )?;
        }
    }
    Ok(())
}

/// One row of the differences.
struct Row<'a> {
    name: String,
    difference: &'a Difference,
    /// The letter of the group that it cannot be told apart from; empty where groups are not known.
    group: String,
}

/// Per matrix its differences, the largest gain first.
fn rows<'a>(c: &'a Comparison, grid: &Grid) -> Vec<Row<'a>> {
    let all: usize = grid.rows.iter().map(|(_, cells)| cells.len()).sum();
    let mut out = Vec::new();
    for (name, cells) in &grid.rows {
        for (j, at) in cells.iter().enumerate() {
            let cell = &c.cells[*at];
            let beside = cell.at.last() == c.cells[cell.baseline].at.last();
            let Some(difference) = cell.difference.as_ref().filter(|_| all <= ROWS || beside) else { continue };
            let words = [name.as_str(), grid.columns[j].as_str()].into_iter().filter(|word| !word.is_empty());
            out.push(Row { name: words.collect::<Vec<_>>().join(" / "), difference, group: letter(c, *at) });
        }
    }
    out.sort_by(|a, b| a.difference.mean.total_cmp(&b.difference.mean));
    out
}

/// The letter of a cell's group in its panel: "a" for the group with the lowest mean.
fn letter(c: &Comparison, at: usize) -> String {
    let panel = c.panels.iter().find(|panel| panel.cells.contains(&at));
    let group = panel.and_then(|panel| panel.groups.iter().position(|group| group.contains(&at)));
    let Some(group) = group else { return String::new() };
    let last = char::from(b'a' + (group % 26) as u8);
    if group < 26 { last.to_string() } else { format!("{}{last}", char::from(b'a' + (group / 26 - 1).min(25) as u8)) }
}

/// The paired differences to the baseline as points with intervals, one panel per table.
///
/// # Errors
/// [`PlotError`] in the drawing library's words.
pub fn differences(c: &Comparison) -> Result<String, PlotError> {
    const WIDTH: f64 = 1000.0;
    let panels: Vec<(String, Vec<Row<'_>>)> =
        grids(c).iter().map(|grid| (grid.title.clone(), rows(c, grid))).filter(|(_, rows)| !rows.is_empty()).collect();
    let height = TOP + panels.iter().map(|(_, rows)| 64.0 + rows.len() as f64 * 22.0).sum::<f64>() + 60.0;
    let all = || panels.iter().flat_map(|(_, rows)| rows);
    let ends = |row: &Row<'_>| {
        let d = row.difference;
        [d.mean, d.low.unwrap_or(d.mean), d.high.unwrap_or(d.mean)]
    };
    let low = all().flat_map(ends).fold(-0.001, f64::min) * 100.0;
    let high = all().flat_map(ends).fold(0.001, f64::max) * 100.0;
    let (left, right) = (MARGIN + 270.0, WIDTH - MARGIN - 120.0);
    let x = |percent: f64| left + (percent - low) / (high - low) * (right - left);
    let description = "Points with intervals: how much less or more is lost than with the baseline.";
    draw((WIDTH, height), &format!("{}: differences to the baseline", c.title), description, |canvas| {
        let what = format!("{}: paired difference to the baseline, percentage points, with its 95% interval", c.metric);
        heading(canvas, c, &what, WIDTH)?;
        if panels.is_empty() {
            let look = Type::new(15.0, ink::MUTED);
            canvas.text("there is nothing to compare with", (WIDTH / 2.0, TOP + 30.0), Anchor::Middle, look)?;
        }
        let mut y = TOP;
        for (title, rows) in &panels {
            canvas.text(&fit(title, 15.0, 600.0), (MARGIN, y), Anchor::Start, Type::new(15.0, ink::TEXT).bold())?;
            if rows.iter().any(|row| !row.group.is_empty()) {
                let at = (WIDTH - MARGIN, y);
                canvas.text("cannot be told apart", at, Anchor::End, Type::new(12.0, ink::MUTED))?;
            }
            y += 24.0;
            let bottom = y + rows.len() as f64 * 22.0;
            canvas.line(&[(x(0.0), y - 8.0), (x(0.0), bottom)], 1.0, &ink::MUTED.mix(1.0))?;
            canvas.text("as the baseline", (x(0.0), bottom + 12.0), Anchor::Middle, Type::new(12.0, ink::MUTED))?;
            for row in rows {
                interval(canvas, row, (left, right), y + 4.0, &x)?;
                y += 22.0;
            }
            y += 40.0;
        }
        let key = "blue: the interval lies below 0, less is lost; vermilion: above 0; grey: it spans 0, or there is none; designs with one letter cannot be told apart";
        canvas.text(key, (MARGIN, height - 24.0), Anchor::Start, Type::new(12.5, ink::MUTED))
    })
}

fn interval(
    canvas: &mut Canvas<'_>,
    row: &Row<'_>,
    (left, right): (f64, f64),
    y: f64,
    x: &dyn Fn(f64) -> f64,
) -> Result<(), PlotError> {
    let d = row.difference;
    let (low, high) = (d.low.unwrap_or(d.mean), d.high.unwrap_or(d.mean));
    let color = match (d.low, d.high) {
        (_, Some(high)) if high < 0.0 => ink::BLUE,
        (Some(low), _) if low > 0.0 => ink::VERMILLION,
        _ => ink::GREY,
    };
    let name = fit(&row.name, 12.5, left - MARGIN - 12.0);
    canvas.text(&name, (left - 12.0, y), Anchor::End, Type::new(12.5, ink::TEXT))?;
    canvas.line(&[(left, y), (right, y)], 0.5, &ink::GRID.mix(1.0))?;
    let (from, to, at) = (x(low * 100.0), x(high * 100.0), x(d.mean * 100.0));
    if d.low.is_some() {
        canvas.line(&[(from, y), (to.max(from + 0.5), y)], 2.0, &color.mix(1.0))?;
    }
    canvas.rect((at - 3.5, y - 3.5), (at + 3.5, y + 3.5), &color.mix(1.0))?;
    // Adding 0 makes a 0 of a -0.
    let figure = format!("{:+.1}", (d.mean * 1000.0).round() / 10.0 + 0.0);
    let at = right + 12.0 + text_width("-100.0", 12.5);
    canvas.text(&figure, (at, y), Anchor::End, Type::new(12.5, ink::TEXT))?;
    canvas.text(&row.group, (at + 44.0, y), Anchor::Middle, Type::new(12.5, ink::MUTED).bold())
}
