//! What share of the calls was dropped, over the day.

use super::canvas::{Anchor, Canvas, PlotError, Type, document, ink, layer, text_width, window};
use super::day::{Day, WIDTH};
use super::marks::Marks;
use super::panel::axis_data;
use crate::text;
use crate::view::{self, Bucket};
use brownout_sim::outcome::Outcome;

const HEIGHT: f64 = 660.0;
const BOTTOM: f64 = HEIGHT - 86.0;
/// Room above 100% for the label of a line that gets there.
const ABOVE: f64 = 26.0;

/// The share of calls dropped in each step, with the share that failed for their clients, the day's marks and the
/// level that the evidence reports. The kind of call is "track" if the scenario has it, else the one most offered.
/// The axis is always 0 to 100%, so that pictures of two designs compare.
///
/// # Errors
///
/// [`PlotError`] in the drawing library's words; drawing to memory gives no reason for any.
pub fn dropped(outcome: &Outcome) -> Result<String, PlotError> {
    let day = Day::new(outcome, 84.0, WIDTH - 40.0);
    let description = "Share of calls dropped and failed over the time of the run.";
    let title = format!("{}: {}", outcome.title, day.answer());
    let kind = view::headline_kind(outcome).unwrap_or("");
    let buckets = view::buckets(outcome, kind, day.steps_per_point());
    let nothing = buckets.iter().all(|bucket| bucket.offered == 0);
    let marks = Marks::new(&day);
    let plot = Plot { top: 116.0 + marks.height(), day };
    let size = (WIDTH, HEIGHT);
    let back = layer(size, |canvas| {
        canvas.rect((0.0, 0.0), size, &ink::PAPER.mix(1.0))?;
        plot.day.heading(canvas, &plot.day.answer())?;
        plot.axes(canvas, kind)
    })?;
    let axis = layer(size, |canvas| plot.day.time_axis(canvas, plot.top, BOTTOM))?;
    let inside = layer(size, |canvas| {
        plot.day.shade_outages(canvas, plot.top, BOTTOM)?;
        if nothing {
            return Ok(());
        }
        plot.series(canvas, &buckets)?;
        marks.lines(canvas, plot.top, BOTTOM)
    })?;
    let front = layer(size, |canvas| {
        if nothing {
            return plot.day.nothing(canvas, "no calls were recorded over time", (plot.top + BOTTOM) / 2.0);
        }
        marks.labels(canvas, plot.top)?;
        let mut taken = Vec::new();
        plot.reported(canvas, kind, &mut taken)?;
        plot.labels(canvas, &buckets, &mut taken)
    })?;
    let window = window((plot.day.left, plot.top), (plot.day.right, BOTTOM), &inside);
    let body = format!("{back}<g class=\"axis\">\n{axis}</g>\n{window}<g class=\"inside\">\n{front}</g>\n");
    Ok(document(size, &axis_data(&plot.day, (plot.top, BOTTOM)), (&title, description), &body))
}

/// The box of a label: left, top, right, bottom.
type Place = (f64, f64, f64, f64);

/// Where a label that begins at `at` stands, with some room around it.
fn place(words: &str, at: (f64, f64), size: f64) -> Place {
    (at.0 - 6.0, at.1 - 10.0, at.0 + text_width(words, size) + 6.0, at.1 + 10.0)
}

/// Whether a label meets none of those that stand already.
fn is_free(own: Place, taken: &[Place]) -> bool {
    taken.iter().all(|other| own.2 <= other.0 || other.2 <= own.0 || own.3 <= other.1 || other.3 <= own.1)
}

struct Plot<'a> {
    day: Day<'a>,
    top: f64,
}

impl Plot<'_> {
    fn y(&self, rate: f64) -> f64 {
        BOTTOM - rate.clamp(0.0, 1.0) * (BOTTOM - self.top - ABOVE)
    }

    fn axes(&self, canvas: &mut Canvas<'_>, kind: &str) -> Result<(), PlotError> {
        for tick in 0..=5 {
            let y = self.y(f64::from(tick) / 5.0);
            if tick > 0 {
                canvas.line(&[(self.day.left, y), (self.day.right, y)], 0.5, &ink::GRID.mix(1.0))?;
            }
            let label = format!("{}%", tick * 20);
            canvas.text(&label, (self.day.left - 9.0, y), Anchor::End, Type::new(13.0, ink::MUTED))?;
        }
        let name = super::canvas::fit(kind, 13.0, 120.0);
        let name = format!("share of the {name} calls offered in {}", self.day.per_point());
        if self.day.steps_per_point() > 1 {
            let step = text::duration(self.day.outcome.timeline.step_s);
            let note = format!("pale: lowest to highest dropped share of a step of {step}");
            canvas.text(&note, (self.day.right, BOTTOM + 63.0), Anchor::End, Type::new(12.0, ink::MUTED))?;
        }
        canvas.text_upwards(&name, (26.0, (self.top + BOTTOM) / 2.0), Type::new(13.0, ink::MUTED))
    }

    /// A step's value holds from its beginning to its end.
    fn points(&self, buckets: &[Bucket], rate: impl Fn(&Bucket) -> Option<f64>) -> Vec<(f64, f64)> {
        let mut points = Vec::new();
        for bucket in buckets {
            let y = self.y(rate(bucket).unwrap_or(0.0));
            points.extend([(self.day.x(bucket.from_s), y), (self.day.x(bucket.to_s), y)]);
        }
        points
    }

    fn series(&self, canvas: &mut Canvas<'_>, buckets: &[Bucket]) -> Result<(), PlotError> {
        let dropped = self.points(buckets, Bucket::dropped_rate);
        let failed = self.points(buckets, Bucket::failed_rate);
        // Where several steps share a point, the area reaches to the lowest and a paler one from there to the highest.
        let low = self.points(buckets, |bucket| bucket.dropped_range.map(|(low, _)| low));
        let high = self.points(buckets, |bucket| bucket.dropped_range.map(|(_, high)| high));
        let mut area = low.clone();
        if let (Some(first), Some(last)) = (low.first(), low.last()) {
            area.extend([(last.0, BOTTOM), (first.0, BOTTOM)]);
        }
        canvas.area(&area, &ink::VERMILLION.mix(0.36))?;
        if self.day.steps_per_point() > 1 {
            let range: Vec<(f64, f64)> = low.into_iter().chain(high.into_iter().rev()).collect();
            canvas.area(&range, &ink::VERMILLION.mix(0.18))?;
        }
        canvas.line(&failed, 1.5, &ink::BLUE.mix(1.0))?;
        canvas.line(&dropped, 2.0, &ink::VERMILLION.mix(1.0))
    }

    /// The level that the evidence reports, over the window that it is about.
    fn reported(&self, canvas: &mut Canvas<'_>, kind: &str, taken: &mut Vec<Place>) -> Result<(), PlotError> {
        let Some(evidence) = view::evidence(self.day.outcome, &format!("{kind}.dropped_rate")) else { return Ok(()) };
        let Some(rate) = view::observed_rate(&evidence.observed) else { return Ok(()) };
        let span = &self.day.outcome.span;
        let to_s = if span.window_to_s > span.window_from_s { span.window_to_s } else { self.day.length_s };
        let (from, to, y) = (self.day.x(span.window_from_s), self.day.x(to_s), self.y(rate));
        canvas.line(&[(from, y), (to, y)], 3.5, &ink::PAPER.mix(0.75))?;
        canvas.dashes((from, y), to, &ink::TEXT.mix(1.0))?;
        let words = super::canvas::fit(&format!("reported: {} dropped", evidence.observed), 13.0, 300.0);
        let look = Type::new(13.0, ink::TEXT).bold();
        let wide = text_width(&words, 14.0) + 8.0;
        let at = if from - wide > self.day.left {
            canvas.text(&words, (from - 8.0, y), Anchor::End, look)?;
            (from - wide, y)
        } else if to + wide < self.day.right {
            canvas.text(&words, (to + 8.0, y), Anchor::Start, look)?;
            (to + 8.0, y)
        } else {
            let at = ((from + 8.0).min(self.day.right - wide), y - 14.0);
            self.on_paper(canvas, &words, at, look)?;
            at
        };
        taken.push(place(&words, at, 14.0));
        Ok(())
    }

    /// Text on a pale ground, so that lines below it do not disturb.
    fn on_paper(&self, canvas: &mut Canvas<'_>, words: &str, at: (f64, f64), look: Type) -> Result<(), PlotError> {
        let wide = text_width(words, look.size);
        canvas.rect((at.0 - 4.0, at.1 - 9.0), (at.0 + wide + 4.0, at.1 + 9.0), &ink::PAPER.mix(0.85))?;
        canvas.text(words, at, Anchor::Start, look)
    }

    /// Names the two series where they are: "dropped" in its area, "failed" above its line; elsewhere where another label
    /// stands there.
    fn labels(&self, canvas: &mut Canvas<'_>, buckets: &[Bucket], taken: &mut Vec<Place>) -> Result<(), PlotError> {
        let dropped = self.points(buckets, Bucket::dropped_rate);
        let failed = self.points(buckets, Bucket::failed_rate);
        let look = Type::new(14.0, ink::words(ink::VERMILLION)).bold();
        let low = |y: f64| (y + 16.0).max((y + BOTTOM) / 2.0);
        let free = |x: f64, y: f64| is_free(place("dropped", (x, low(y)), 14.0), taken);
        match self.highest_floor(&dropped, text_width("dropped", 16.0), &free) {
            Some((x, y)) => self.label(canvas, "dropped", &[(x, low(y))], look, taken)?,
            None => {
                let words = match buckets.iter().any(|bucket| bucket.dropped > 0) {
                    true => "dropped: too little to label in place",
                    false => "no calls were dropped",
                };
                let x = self.day.left + 14.0;
                self.label(canvas, words, &[(x, BOTTOM - 18.0), (x, BOTTOM - 42.0)], look, taken)?;
            }
        }
        let look = Type::new(14.0, ink::words(ink::BLUE)).bold();
        let words = "failed for the client";
        let wide = text_width(words, 16.0);
        let free = |x: f64, y: f64| is_free(place(words, (x, y - 13.0), 14.0), taken);
        match self.lowest_ceiling(&failed, &dropped, wide, &free) {
            Some((x, y)) => self.label(canvas, words, &[(x, y - 13.0)], look, taken),
            None if buckets.iter().any(|bucket| bucket.failed > 0) => {
                let x = self.day.right - wide;
                let rows = [14.0, 38.0, 62.0].map(|below| (x, self.top + below));
                self.label(canvas, words, &rows, look, taken)
            }
            None => Ok(()),
        }
    }

    /// A label at the first of the places that is free; none if none is.
    fn label(
        &self,
        canvas: &mut Canvas<'_>,
        words: &str,
        places: &[(f64, f64)],
        look: Type,
        taken: &mut Vec<Place>,
    ) -> Result<(), PlotError> {
        let Some(at) = places.iter().find(|at| is_free(place(words, **at, look.size), taken)) else { return Ok(()) };
        taken.push(place(words, *at, look.size));
        self.on_paper(canvas, words, *at, look)
    }

    /// The place of the given width over which the line never falls far: left edge and the line's lowest height there.
    fn highest_floor(&self, line: &[(f64, f64)], wide: f64, free: &dyn Fn(f64, f64) -> bool) -> Option<(f64, f64)> {
        let mut best: Option<(f64, f64)> = None;
        for x in self.places(wide) {
            let Some((_, floor)) = within(line, x - 4.0, x + wide + 4.0) else { continue };
            if floor < BOTTOM - 30.0 && free(x, floor) && best.is_none_or(|(_, y)| floor < y - 1.0) {
                best = Some((x, floor));
            }
        }
        best
    }

    /// The place over which the line is there, and highest on average without anything above it.
    fn lowest_ceiling(
        &self,
        line: &[(f64, f64)],
        other: &[(f64, f64)],
        wide: f64,
        free: &dyn Fn(f64, f64) -> bool,
    ) -> Option<(f64, f64)> {
        let mut best: Option<(f64, f64, f64)> = None;
        for x in self.places(wide) {
            let (Some((top, floor)), Some((top_other, _))) = (within(line, x, x + wide), within(other, x, x + wide))
            else {
                continue;
            };
            let ceiling = top.min(top_other);
            // Distance of the text from the line's lowest part: the smaller, the clearer what it names.
            let distance = floor - ceiling + (top - ceiling) * 4.0;
            if floor < BOTTOM - 12.0 && free(x, ceiling) && best.is_none_or(|(_, _, least)| distance < least - 1.0) {
                best = Some((x, ceiling, distance));
            }
        }
        best.map(|(x, y, _)| (x, y))
    }

    fn places(&self, wide: f64) -> impl Iterator<Item = f64> + use<> {
        let (from, to) = (self.day.left + 6.0, self.day.right - wide - 6.0);
        (0..240).map(move |i| from + (to - from).max(0.0) * f64::from(i) / 240.0)
    }
}

/// Highest and lowest y of a line between two x.
fn within(line: &[(f64, f64)], from: f64, to: f64) -> Option<(f64, f64)> {
    let start = line.partition_point(|(x, _)| *x < from).saturating_sub(1);
    let end = (line.partition_point(|(x, _)| *x <= to) + 1).min(line.len());
    let ys = line.get(start..end)?.iter().map(|(_, y)| *y);
    let top = ys.clone().fold(f64::INFINITY, f64::min);
    let floor = ys.fold(f64::NEG_INFINITY, f64::max);
    (top <= floor).then_some((top, floor))
}
