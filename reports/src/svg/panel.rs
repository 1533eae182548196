//! A chart over the time of a run: stacked areas or lines, with lanes of states above them and names beside them.
//!
//! One mechanism for the pictures of a slide and the smaller ones of a report, where several stand side by side: then
//! they share their highest value, so that heights compare.

use super::canvas::{Anchor, Canvas, PlotError, Type, document, fit, ink, layer, text_width, units, window};
use super::day::Day;
use super::style::RGBColor;
use crate::text;
use crate::thin::Reach;
use brownout_sim::outcome::Outcome;

/// Where things stand on a sheet, in units of a drawing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sheet {
    pub width: f64,
    /// Height of the plot without lanes.
    plot: f64,
    pub left: f64,
    /// Room for names right of the plot.
    names: f64,
    /// Size of text.
    pub size: f64,
    /// Whether it stands alone, with the run's title and answer above.
    pub alone: bool,
    /// Points of a series at most.
    pub points: usize,
}

impl Sheet {
    /// For a slide or a page of its own.
    pub(crate) const SLIDE: Sheet =
        Sheet { width: 1200.0, plot: 400.0, left: 96.0, names: 250.0, size: 14.0, alone: true, points: 600 };
    /// For a report, beside others.
    pub(crate) const COLUMN: Sheet =
        Sheet { width: 520.0, plot: 156.0, left: 54.0, names: 132.0, size: 12.5, alone: false, points: 280 };

    /// Right edge of the plot.
    pub(crate) fn right(&self) -> f64 {
        self.width - self.names
    }

    /// Height above the plot.
    pub(crate) fn head(&self) -> f64 {
        if self.alone { 124.0 } else { 36.0 }
    }

    /// Height below it: ticks and, where it stands alone, what the axis is.
    pub(crate) fn foot(&self) -> f64 {
        if self.alone { 62.0 } else { 26.0 }
    }

    fn lane(&self) -> f64 {
        self.size + 7.0
    }
}

/// How the series of a chart are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Areas on top of each other.
    Stack,
    /// Lines, each with a pale band from lowest to highest where a point stands for several steps.
    Lines,
    /// Lines over a logarithmic axis.
    Log,
}

/// One quantity over time.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub name: String,
    /// A second line below the name: a share, a peak.
    pub detail: String,
    pub color: RGBColor,
    pub points: Vec<Reach>,
}

/// The states of one thing over time.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    pub name: String,
    /// Beginning, end, and what was wrong.
    pub spans: Vec<(f64, f64, String)>,
}

/// A chart of one run.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    /// Its name as a file and in the page: "latency".
    pub key: &'static str,
    /// What it shows: "latency of track calls answered ok".
    pub title: String,
    /// What the axis counts: "ms".
    pub unit: String,
    pub shape: Shape,
    pub lanes: Vec<Lane>,
    pub series: Vec<Series>,
    /// What is said instead where there is nothing to draw.
    pub nothing: String,
    /// The highest value, raised to that of the charts beside it; and, of a logarithmic axis, the lowest above 0.
    pub most: f64,
    pub least: f64,
}

impl Chart {
    /// The highest value that its series reach, stacked or not.
    pub(crate) fn highest(&self) -> f64 {
        let high = |i: usize| self.series.iter().filter_map(move |s| s.points.get(i)?.high());
        let points = self.series.iter().map(|s| s.points.len()).max().unwrap_or(0);
        let at = |i: usize| match self.shape {
            Shape::Stack => high(i).sum::<f64>(),
            _ => high(i).fold(0.0, f64::max),
        };
        (0..points).map(at).fold(0.0, f64::max)
    }

    /// The lowest value above 0; infinite without any.
    pub(crate) fn lowest(&self) -> f64 {
        let lows = self.series.iter().flat_map(|s| &s.points).filter_map(|p| Some(p.values?.0));
        lows.filter(|low| *low > 0.0).fold(f64::INFINITY, f64::min)
    }

    /// Whether any value is other than 0, or any state is not "up".
    pub(crate) fn is_empty(&self) -> bool {
        let quiet = |series: &Series| series.points.iter().all(|p| p.high().is_none_or(|high| high == 0.0));
        self.series.iter().all(quiet) && self.lanes.iter().all(|lane| lane.spans.is_empty())
    }
}

/// Draws a chart of a run as a picture of its own.
pub(crate) fn draw(outcome: &Outcome, chart: &Chart, sheet: &Sheet) -> Result<String, PlotError> {
    let day = Day::new(outcome, sheet.left, sheet.right());
    let lanes = chart.lanes.len() as f64 * sheet.lane();
    let plot = if chart.series.is_empty() { 0.0 } else { sheet.plot };
    let top = sheet.head() + lanes + if chart.lanes.is_empty() || plot == 0.0 { 0.0 } else { 10.0 };
    let bottom = top + plot;
    let size = (sheet.width, bottom + sheet.foot());
    let plotted = Plot { day: &day, chart, sheet, top, bottom };
    let title = format!("{}: {}", day.title(), chart.title);
    let description = plotted.description();
    let back = layer(size, |canvas| {
        canvas.rect((0.0, 0.0), size, &ink::PAPER.mix(1.0))?;
        plotted.heading(canvas)?;
        plotted.value_axis(canvas)
    })?;
    let axis = layer(size, |canvas| match sheet.alone {
        true => day.time_axis(canvas, sheet.head(), bottom),
        false => day.time_ticks(canvas, sheet.head(), bottom, sheet.size - 1.0),
    })?;
    let inside = layer(size, |canvas| {
        day.shade_outages(canvas, sheet.head(), bottom)?;
        plotted.lanes(canvas)?;
        plotted.series(canvas)
    })?;
    let front = layer(size, |canvas| plotted.names(canvas))?;
    let body = format!(
        "{back}<g class=\"axis\">\n{axis}</g>\n{}{front}",
        window((sheet.left, sheet.head()), (sheet.right(), bottom), &inside)
    );
    Ok(document(size, &axis_data(&day, (sheet.head(), bottom)), (&title, &description), &body))
}

/// What a script needs to know of a time axis, in units of the document: left, right, top, bottom; and in seconds: length
/// of the run and time of day at its start, empty without a calendar.
pub(super) fn axis_data(day: &Day<'_>, (top, bottom): (f64, f64)) -> String {
    let start = if day.clock.calendar() { day.clock.start_s().to_string() } else { String::new() };
    let places = [day.left, day.right, top, bottom].map(|at| units(at).to_string()).join(" ");
    format!(" data-plot=\"{places}\" data-length=\"{}\" data-start=\"{start}\"", day.length_s)
}

struct Plot<'a> {
    day: &'a Day<'a>,
    chart: &'a Chart,
    sheet: &'a Sheet,
    top: f64,
    bottom: f64,
}

impl Plot<'_> {
    fn description(&self) -> String {
        let chart = self.chart;
        if chart.is_empty() {
            return chart.nothing.clone();
        }
        let series = chart.series.iter().map(|s| format!("{}, {}", s.name, s.detail));
        let lanes = chart.lanes.iter().flat_map(|lane| {
            let clock = self.day.clock;
            let from_to = move |(from, to, what): &(f64, f64, String)| {
                format!("{} {what} from {} to {}", lane.name, clock.minute(*from), clock.minute(*to))
            };
            lane.spans.iter().take(4).map(from_to)
        });
        series.chain(lanes).collect::<Vec<_>>().join("; ")
    }

    fn heading(&self, canvas: &mut Canvas<'_>) -> Result<(), PlotError> {
        let (chart, sheet) = (self.chart, self.sheet);
        if sheet.alone {
            self.day.heading(canvas, &format!("{}  ·  {}", chart.title, self.day.answer()))?;
            let unit = fit(&chart.unit, 13.0, 500.0);
            return canvas.text(&unit, (sheet.left, 110.0), Anchor::Start, Type::new(13.0, ink::MUTED));
        }
        let look = Type::new(sheet.size + 0.5, ink::TEXT).bold();
        let room = sheet.width - 12.0;
        let words = fit(&chart.title, sheet.size + 1.5, room);
        canvas.text(&words, (6.0, 13.0), Anchor::Start, look)?;
        let left = room - text_width(&words, sheet.size + 1.5) - 12.0;
        if left > 30.0 {
            let unit = fit(&chart.unit, sheet.size - 1.5, left);
            let look = Type::new(sheet.size - 1.5, ink::MUTED);
            canvas.text(&unit, (sheet.width - 6.0, 13.0), Anchor::End, look)?;
        }
        Ok(())
    }

    /// From the lowest to the highest value of a logarithmic axis, in powers of ten.
    fn decades(&self) -> (f64, f64) {
        let low = self.chart.least.min(self.chart.most).max(1e-3);
        let high = libm::ceil(libm::log10(self.chart.most.max(low * 1.001)));
        (libm::floor(libm::log10(low)).min(high - 1.0), high)
    }

    fn y(&self, value: f64) -> f64 {
        let height = self.bottom - self.top - 4.0;
        let part = match self.chart.shape {
            Shape::Log => {
                let (low, high) = self.decades();
                (libm::log10(value.max(1e-9)) - low) / (high - low)
            }
            _ => value / round_axis(self.chart.most).0,
        };
        self.bottom - part.clamp(0.0, 1.0) * height
    }

    fn value_axis(&self, canvas: &mut Canvas<'_>) -> Result<(), PlotError> {
        if self.chart.series.is_empty() {
            return Ok(());
        }
        let ticks: Vec<(f64, String)> = match self.chart.shape {
            Shape::Log => {
                let (low, high) = self.decades();
                let powers = (low as i32..=high as i32).map(|power| libm::pow(10.0, f64::from(power)));
                powers.map(|value| (value, short(value))).collect()
            }
            _ => {
                let (high, every) = round_axis(self.chart.most);
                let every = if self.sheet.alone || high / every <= 4.0 { every } else { every * 2.0 };
                let lines = (high / every + 1e-9).floor() as u32;
                (0..=lines).map(|i| f64::from(i) * every).map(|value| (value, short(value))).collect()
            }
        };
        let size = self.sheet.size - 1.0;
        for (value, label) in ticks {
            let y = self.y(value);
            if y < self.bottom - 1.0 {
                canvas.line(&[(self.sheet.left, y), (self.sheet.right(), y)], 0.5, &ink::GRID.mix(1.0))?;
            }
            canvas.text(&label, (self.sheet.left - 7.0, y), Anchor::End, Type::new(size, ink::MUTED))?;
        }
        Ok(())
    }

    fn lanes(&self, canvas: &mut Canvas<'_>) -> Result<(), PlotError> {
        for (i, lane) in self.chart.lanes.iter().enumerate() {
            let (top, bottom) = self.lane(i);
            let middle = (top + bottom) / 2.0;
            let (left, right) = (self.sheet.left, self.sheet.right());
            canvas.rect((left, middle - 2.0), (right, middle + 2.0), &ink::GREEN.mix(0.55))?;
            for (from_s, to_s, _) in &lane.spans {
                let (from, to) = (self.day.x(*from_s), self.day.x(*to_s));
                canvas.rect((from, top), (to.max(from + 1.0), bottom), &ink::words(ink::VERMILLION).mix(1.0))?;
            }
        }
        Ok(())
    }

    fn lane(&self, i: usize) -> (f64, f64) {
        let top = self.sheet.head() + i as f64 * self.sheet.lane();
        (top, top + self.sheet.lane() - 4.0)
    }

    fn series(&self, canvas: &mut Canvas<'_>) -> Result<(), PlotError> {
        match self.chart.shape {
            Shape::Stack => self.stack(canvas),
            _ => self.chart.series.iter().rev().try_for_each(|series| self.one(canvas, series)),
        }
    }

    fn stack(&self, canvas: &mut Canvas<'_>) -> Result<(), PlotError> {
        let points = self.chart.series.iter().map(|s| s.points.len()).max().unwrap_or(0);
        let mut below = vec![0.0; points];
        let mut highs = vec![0.0; points];
        for series in &self.chart.series {
            let means: Vec<f64> = series.points.iter().map(|p| p.mean().unwrap_or(0.0)).collect();
            let above: Vec<f64> = below.iter().zip(&means).map(|(below, mean)| below + mean).collect();
            highs.iter_mut().zip(&series.points).for_each(|(sum, p)| *sum += p.high().unwrap_or(0.0));
            let mut outline = self.steps(&series.points, &above);
            outline.extend(self.steps(&series.points, &below).into_iter().rev());
            canvas.area(&outline, &series.color.mix(0.9))?;
            below = above;
        }
        let several = self.chart.series.iter().any(|s| s.points.iter().any(|p| p.steps > 1));
        if let (true, Some(series)) = (several, self.chart.series.first()) {
            // What the means of the areas hide: the sum of the highest steps.
            canvas.line(&self.steps(&series.points, &highs), 0.75, &ink::MUTED.mix(0.8))?;
        }
        Ok(())
    }

    /// A point's value holds from its beginning to its end.
    fn steps(&self, points: &[Reach], values: &[f64]) -> Vec<(f64, f64)> {
        let mut line: Vec<(f64, f64)> = Vec::with_capacity(points.len() * 2);
        for (point, value) in points.iter().zip(values) {
            let y = self.y(*value);
            // Three in a row at one height need no point in the middle.
            if line.len() >= 2 && line[line.len() - 2..].iter().all(|(_, at)| *at == y) {
                line.pop();
            } else {
                line.push((self.day.x(point.from_s), y));
            }
            line.push((self.day.x(point.to_s), y));
        }
        line
    }

    /// A line, broken where it has no values.
    fn one(&self, canvas: &mut Canvas<'_>, series: &Series) -> Result<(), PlotError> {
        for run in series.points.chunk_by(|a, b| a.values.is_some() == b.values.is_some()) {
            let known: Vec<(f64, f64, f64)> = run.iter().filter_map(|p| p.values).collect();
            if known.is_empty() {
                continue;
            }
            if run.iter().any(|p| p.steps > 1) {
                let mut band = self.steps(run, &known.iter().map(|(.., high)| *high).collect::<Vec<_>>());
                let lows = self.steps(run, &known.iter().map(|(low, ..)| *low).collect::<Vec<_>>());
                band.extend(lows.into_iter().rev());
                canvas.area(&band, &series.color.mix(0.28))?;
            }
            let means: Vec<f64> = known.iter().map(|(_, mean, _)| *mean).collect();
            canvas.line(&self.steps(run, &means), self.sheet.size / 8.0, &series.color.mix(1.0))?;
        }
        Ok(())
    }

    /// What each colour is, right of the plot and in the order of a stack; what each lane is, left of it and inside.
    fn names(&self, canvas: &mut Canvas<'_>) -> Result<(), PlotError> {
        let (sheet, chart) = (self.sheet, self.chart);
        for (i, lane) in chart.lanes.iter().enumerate() {
            let (top, bottom) = self.lane(i);
            let at = (sheet.right() + 10.0, (top + bottom) / 2.0);
            let words = fit(&lane.name, sheet.size, sheet.names - 16.0);
            canvas.text(&words, at, Anchor::Start, Type::new(sheet.size - 0.5, ink::TEXT).bold())?;
        }
        if chart.is_empty() {
            let middle = ((sheet.left + sheet.right()) / 2.0, (sheet.head() + self.bottom) / 2.0);
            let words = fit(&chart.nothing, sheet.size + 1.0, sheet.right() - sheet.left);
            return canvas.text(&words, middle, Anchor::Middle, Type::new(sheet.size + 1.0, ink::MUTED));
        }
        let row = (sheet.size * 2.0 + 5.0).min((self.bottom - self.top) / chart.series.len().max(1) as f64);
        let x = sheet.right() + 10.0;
        let rows: Vec<&Series> = match chart.shape {
            Shape::Stack => chart.series.iter().rev().collect(),
            _ => chart.series.iter().collect(),
        };
        for (i, series) in rows.into_iter().enumerate() {
            let y = self.top + sheet.size * 0.6 + i as f64 * row;
            let half = sheet.size * 0.36;
            canvas.rect((x, y - half), (x + 2.0 * half, y + half), &series.color.mix(0.9))?;
            let left = x + 2.0 * half + 6.0;
            let room = sheet.width - left - 4.0;
            let look = Type::new(sheet.size - 0.5, ink::words(series.color)).bold();
            canvas.text(&fit(&series.name, sheet.size + 0.5, room), (left, y), Anchor::Start, look)?;
            if row >= sheet.size * 1.9 {
                let look = Type::new(sheet.size - 1.5, ink::MUTED);
                let at = (left, y + sheet.size + 1.0);
                canvas.text(&fit(&series.detail, sheet.size - 1.5, room), at, Anchor::Start, look)?;
            }
        }
        Ok(())
    }
}

/// A value on an axis: "0.5", "250", "12k", "11M".
fn short(value: f64) -> String {
    if value < 1.0 && value > 0.0 {
        return format!("{}", (value * 1000.0).round() / 1000.0);
    }
    let shown = text::short(value.round() as u64);
    // "12.0k" as "12k".
    let (number, unit) = shown.split_at(shown.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(shown.len()));
    let number = if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number };
    format!("{number}{unit}")
}

/// The axis' highest value and the distance of its lines, both round, at most six lines.
fn round_axis(most: f64) -> (f64, f64) {
    let mut unit = 0.1;
    while unit * 50.0 < most && unit < 1e15 {
        unit *= 10.0;
    }
    let every = [1.0, 2.0, 5.0, 10.0].map(|n| n * unit).into_iter().find(|every| every * 6.0 >= most);
    let every = every.unwrap_or(unit * 10.0);
    ((most / every).ceil().max(1.0) * every, every)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_round_and_hold_their_values() {
        for most in [0.0, 0.3, 7.0, 123.0, 16_800.0, 9.9e8] {
            let (high, every) = round_axis(most);
            assert!(high >= most && high / every <= 6.5, "{most}: {high} {every}");
        }
        assert_eq!(round_axis(16_800.0), (20_000.0, 5_000.0));
        assert_eq!([0.0, 0.5, 40.0, 12_000.0, 2.5e6].map(short), ["0", "0.5", "40", "12k", "2.5M"]);
    }
}
