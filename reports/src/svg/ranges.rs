//! What each assumed number does to a piece of evidence, as bars from one end of its range to the other.

use super::canvas::{Anchor, Canvas, PlotError, Type, draw, fit, ink};
use crate::text;
use brownout_lab::ranges::{Point, Range, Walk};

const WIDTH: f64 = 1000.0;
const TOP: f64 = 100.0;
const LEFT: f64 = 330.0;
const RIGHT: f64 = WIDTH - 180.0;
const ROW: f64 = 24.0;
/// Numbers drawn; the others change less.
const ROWS: usize = 24;

/// The numbers by how far they move the result, the widest first. A full square is a value at which the evidence is met, a
/// hollow one a value at which it is not; the line down is what the file's own numbers give.
///
/// # Errors
///
/// As [`dropped`](super::dropped()).
pub fn ranges(walk: &Walk) -> Result<String, PlotError> {
    let mut rows: Vec<&Range> = walk.ranges.iter().filter(|range| reach(range).is_some()).collect();
    let spread = |range: &Range| reach(range).map_or(0.0, |(low, high)| high - low);
    rows.sort_by(|a, b| spread(b).total_cmp(&spread(a)));
    let left_out = rows.len().saturating_sub(ROWS);
    rows.truncate(ROWS);
    let height = TOP + rows.len().max(1) as f64 * ROW + 70.0;
    let title = format!("What {} hangs on: {}", walk.evidence, walk.says);
    let description =
        "Bars from the lowest to the highest result over each number's range, one number moved at a time.";
    let chart = Bars::new(walk, &rows);
    draw((WIDTH, height), &title, description, |canvas| {
        canvas.text(&fit(&title, 20.0, 920.0), (40.0, 30.0), Anchor::Start, Type::new(18.0, ink::TEXT).bold())?;
        let words =
            "one number moved through its range at a time, the others as written; full: evidence met, hollow: not";
        canvas.text(words, (40.0, 56.0), Anchor::Start, Type::new(13.0, ink::TEXT))?;
        if rows.is_empty() {
            let look = Type::new(15.0, ink::MUTED);
            return canvas.text("no number with a range gave a figure", (WIDTH / 2.0, TOP), Anchor::Middle, look);
        }
        let bottom = TOP + rows.len() as f64 * ROW;
        chart.axis(canvas, bottom)?;
        for (i, row) in rows.iter().enumerate() {
            chart.bar(canvas, row, TOP + (i as f64 + 0.5) * ROW)?;
        }
        if left_out > 0 {
            let words = format!("{} that move it less are left out", text::count(left_out as u64, "number", "numbers"));
            canvas.text(&words, (40.0, bottom + 44.0), Anchor::Start, Type::new(12.5, ink::MUTED))?;
        }
        Ok(())
    })
}

/// Lowest and highest result of a range.
fn reach(range: &Range) -> Option<(f64, f64)> {
    let results = range.points.iter().filter_map(|point| point.result).filter(|result| result.is_finite());
    results.fold(None, |reach: Option<(f64, f64)>, x| match reach {
        Some((low, high)) => Some((low.min(x), high.max(x))),
        None => Some((x, x)),
    })
}

struct Bars<'a> {
    walk: &'a Walk,
    low: f64,
    high: f64,
    /// Whether results are shares rather than counts or seconds.
    share: bool,
}

impl<'a> Bars<'a> {
    fn new(walk: &'a Walk, rows: &[&Range]) -> Self {
        let mut points = rows.iter().flat_map(|row| &row.points).filter(|p| p.result.is_some());
        let share = points.all(|point| point.simulated.ends_with('%'));
        let ends = rows.iter().filter_map(|row| reach(row)).chain(walk.written.map(|x| (x, x)));
        let (low, high) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), (a, b)| (l.min(a), h.max(b)));
        let low = if share { 0.0 } else { low };
        Bars { walk, low, high: if high > low { high } else { low + 1.0 }, share }
    }

    fn x(&self, result: f64) -> f64 {
        LEFT + ((result - self.low) / (self.high - self.low)).clamp(0.0, 1.0) * (RIGHT - LEFT)
    }

    fn axis(&self, canvas: &mut Canvas<'_>, bottom: f64) -> Result<(), PlotError> {
        let look = Type::new(12.5, ink::MUTED);
        for tick in 0..=4 {
            let result = self.low + (self.high - self.low) * f64::from(tick) / 4.0;
            let x = self.x(result);
            canvas.line(&[(x, TOP), (x, bottom)], 0.5, &ink::GRID.mix(1.0))?;
            let label = if self.share { text::percent_brief(result) } else { text::mean(result) };
            canvas.text(&label, (x, bottom + 16.0), Anchor::Middle, look)?;
        }
        canvas.text("value at each end", (RIGHT + 20.0, TOP - 32.0), Anchor::Start, look)?;
        let Some(written) = self.walk.written else { return Ok(()) };
        let x = self.x(written);
        canvas.line(&[(x, TOP - 6.0), (x, bottom)], 1.0, &ink::TEXT.mix(1.0))?;
        canvas.text("as written", (x, TOP - 14.0), Anchor::Middle, Type::new(12.5, ink::TEXT).bold())
    }

    fn bar(&self, canvas: &mut Canvas<'_>, row: &Range, y: f64) -> Result<(), PlotError> {
        let name = fit(&format!("{} = {}", row.path, row.value), 12.5, LEFT - 56.0);
        canvas.text(&name, (LEFT - 12.0, y), Anchor::End, Type::new(12.5, ink::TEXT))?;
        let Some((low, high)) = reach(row) else { return Ok(()) };
        canvas.rect((self.x(low), y - 3.0), (self.x(high).max(self.x(low) + 1.0), y + 3.0), &ink::BLUE.mix(0.35))?;
        for Point { result, met, .. } in &row.points {
            let Some(x) = result.map(|result| self.x(result)) else { continue };
            canvas.rect((x - 4.5, y - 4.5), (x + 4.5, y + 4.5), &ink::BLUE.mix(1.0))?;
            if !met {
                canvas.rect((x - 3.0, y - 3.0), (x + 3.0, y + 3.0), &ink::PAPER.mix(1.0))?;
            }
        }
        let ends = match &row.points[..] {
            [first, .., last] => format!("{} to {}", first.value, last.value),
            [only] => only.value.clone(),
            [] => String::new(),
        };
        canvas.text(&fit(&ends, 12.0, 150.0), (RIGHT + 20.0, y), Anchor::Start, Type::new(12.0, ink::MUTED))
    }
}
