//! The day's marks above a plot: a line down from each label, labels staggered so that none meets another.

use super::canvas::{Anchor, Canvas, PlotError, Type, fit, ink, text_width};
use super::day::Day;
use crate::view;
use brownout_sim::outcome::Mark;

const SIZE: f64 = 13.0;
/// Height of a row of labels.
pub(super) const ROW: f64 = 19.0;
const LABELS_MAX: usize = 9;
const ROWS_MAX: usize = 7;
/// Lines drawn for marks without a label.
const LINES_MAX: usize = 200;

/// A label with its place.
struct Label {
    words: String,
    x: f64,
    anchor: Anchor,
    row: usize,
}

impl Label {
    fn new(day: &Day<'_>, mark: &Mark) -> Self {
        let words = fit(&format!("{} {}", day.clock.minute(mark.at_s), mark.what), SIZE, 420.0);
        let x = day.x(mark.at_s);
        let anchor = if x + text_width(&words, SIZE) + 8.0 > day.right + 10.0 { Anchor::End } else { Anchor::Start };
        Label { words, x, anchor, row: 0 }
    }

    /// From where to where its text reaches.
    fn reach(&self) -> (f64, f64) {
        let wide = text_width(&self.words, SIZE) + 8.0;
        match self.anchor {
            Anchor::End => (self.x - wide, self.x),
            _ => (self.x, self.x + wide),
        }
    }

    /// Whether the texts would touch, or one's line would cross the other's text.
    fn meets(&self, other: &Label) -> bool {
        let ((a0, a1), (b0, b1)) = (self.reach(), other.reach());
        let crosses = |x: f64, from: f64, to: f64| x > from - 2.0 && x < to + 2.0;
        (self.row == other.row && a0 < b1 + 6.0 && b0 < a1 + 6.0)
            || (self.row > other.row && crosses(self.x, b0 + 3.0, b1))
            || (other.row > self.row && crosses(other.x, a0 + 3.0, a1))
    }
}

/// The marks laid out.
pub(super) struct Marks {
    labels: Vec<Label>,
    bare: Vec<f64>,
}

impl Marks {
    /// Chooses which marks get a label, and where.
    pub(super) fn new(day: &Day<'_>) -> Self {
        let mut marks = view::marks(day.outcome);
        let rank = |mark: &Mark| {
            let bounds = |outage: &brownout_sim::outcome::OutageSpan| {
                (mark.at_s - outage.from_s).abs() < 1.0 || outage.to_s.is_some_and(|to| (mark.at_s - to).abs() < 1.0)
            };
            let bounds = day.outcome.outages.iter().any(bounds);
            if bounds { 0 } else { 1 + usize::from(mark.expected_at.is_none()) }
        };
        marks.sort_by_key(rank);
        let rest = marks.split_off(marks.len().min(LABELS_MAX));
        marks.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        let mut placed = Marks { labels: Vec::new(), bare: Vec::new() };
        let labels: Vec<Label> = marks.iter().map(|mark| Label::new(day, mark)).collect();
        let (left, right): (Vec<Label>, Vec<Label>) = labels.into_iter().partition(|label| label.anchor == Anchor::End);
        // A label may reach over the lines of those already placed, so those that reach to the left come from left to
        // right, the others from right to left.
        for label in left.into_iter().chain(right.into_iter().rev()) {
            placed.place(label);
        }
        placed.bare.extend(rest.iter().map(|mark| day.x(mark.at_s)));
        placed.bare.sort_by(f64::total_cmp);
        placed.bare.dedup_by(|a, b| (*a - *b).abs() < 1.0);
        placed.bare.truncate(LINES_MAX);
        placed
    }

    /// Puts a label into the lowest row where it meets no other; leaves the bare line if there is none.
    fn place(&mut self, mut label: Label) {
        for row in 0..ROWS_MAX {
            label.row = row;
            if !self.labels.iter().any(|other| label.meets(other)) {
                self.labels.push(label);
                return;
            }
        }
        self.bare.push(label.x);
    }

    /// Height that the labels take above the plot.
    pub(super) fn height(&self) -> f64 {
        self.labels.iter().map(|label| label.row + 1).max().unwrap_or(0) as f64 * ROW
    }

    /// Draws the lines of all marks from `top` down to `bottom`.
    pub(super) fn lines(&self, canvas: &mut Canvas<'_>, top: f64, bottom: f64) -> Result<(), PlotError> {
        for x in &self.bare {
            canvas.line(&[(*x, top), (*x, bottom)], 0.5, &ink::MUTED.mix(0.5))?;
        }
        self.labels
            .iter()
            .try_for_each(|label| canvas.line(&[(label.x, top), (label.x, bottom)], 1.0, &ink::MUTED.mix(0.7)))
    }

    /// Draws the labels above `top`, and their lines down to it.
    pub(super) fn labels(&self, canvas: &mut Canvas<'_>, top: f64) -> Result<(), PlotError> {
        for label in &self.labels {
            let y = top - label.row as f64 * ROW - ROW / 2.0;
            canvas.line(&[(label.x, y - 8.0), (label.x, top)], 1.0, &ink::MUTED.mix(0.7))?;
            let x = if label.anchor == Anchor::End { label.x - 6.0 } else { label.x + 6.0 };
            canvas.text(&label.words, (x, y), label.anchor, Type::new(SIZE, ink::TEXT))?;
        }
        Ok(())
    }
}
