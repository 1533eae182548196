//! Why calls were dropped, over the day.

use super::canvas::{Anchor, Canvas, PlotError, Type, draw, fit, ink};
use super::day::{Day, WIDTH};
use crate::text;
use crate::view::{self, Bucket};
use brownout_sim::outcome::Outcome;
use plotters::style::{Color, RGBColor};
use std::collections::BTreeMap;

const HEIGHT: f64 = 612.0;
const TOP: f64 = 120.0;
const BOTTOM: f64 = HEIGHT - 66.0;
/// Causes beyond these are drawn as one.
const CAUSES_MAX: usize = 6;
const COLORS: [RGBColor; 7] = [ink::VERMILLION, ink::BLUE, ink::GREEN, ink::ORANGE, ink::PURPLE, ink::SKY, ink::GREY];

/// Calls dropped per minute, stacked by cause, with each cause's share of all that were dropped during the run.
///
/// # Errors
///
/// As [`dropped`](super::dropped()).
pub fn causes(outcome: &Outcome) -> Result<String, PlotError> {
    let day = Day::new(outcome, 92.0, WIDTH - 250.0);
    let kind = view::headline_kind(outcome).unwrap_or("");
    let title = format!("{}: why {kind} calls were dropped", outcome.title);
    draw((WIDTH, HEIGHT), &title, "Calls dropped per minute by cause, over the time of the run.", |canvas| {
        day.heading(canvas, &format!("why {} calls were dropped  ·  {}", fit(kind, 14.0, 200.0), day.answer()))?;
        let buckets = view::buckets(outcome, kind, day.steps_per_point());
        let stack = Stack::new(&day, &buckets);
        day.shade_outages(canvas, TOP, BOTTOM)?;
        day.time_axis(canvas, TOP, BOTTOM)?;
        if stack.layers.is_empty() {
            return day.nothing(canvas, "no calls were dropped", (TOP + BOTTOM) / 2.0);
        }
        stack.axis(canvas)?;
        stack.areas(canvas)?;
        stack.key(canvas)
    })
}

/// One cause, or the rest of them.
struct Layer {
    name: String,
    color: RGBColor,
    total: u64,
    /// Per bucket, calls a minute.
    rates: Vec<f64>,
}

struct Stack<'a> {
    day: &'a Day<'a>,
    buckets: &'a [Bucket],
    /// From the bottom upwards, the most frequent first.
    layers: Vec<Layer>,
    /// Calls a minute at the top of the axis, and between two of its lines.
    high: f64,
    every: f64,
}

impl<'a> Stack<'a> {
    fn new(day: &'a Day<'a>, buckets: &'a [Bucket]) -> Self {
        let mut totals: BTreeMap<String, u64> = BTreeMap::new();
        for (cause, n) in buckets.iter().flat_map(|bucket| &bucket.causes) {
            *totals.entry(cause.clone()).or_default() += n;
        }
        let ranked = view::causes(&totals);
        let shown = if ranked.len() == CAUSES_MAX + 1 { CAUSES_MAX + 1 } else { ranked.len().min(CAUSES_MAX) };
        let mut groups: Vec<(String, Vec<&str>)> =
            ranked[..shown].iter().map(|(cause, _)| (text::words(cause), vec![*cause])).collect();
        if shown < ranked.len() {
            let rest = ranked[shown..].iter().map(|(cause, _)| *cause).collect();
            groups.push((format!("{} other causes", ranked.len() - shown), rest));
        }
        let layers: Vec<Layer> = groups
            .into_iter()
            .zip(COLORS)
            .map(|((name, causes), color)| layer(buckets, name, &causes, color))
            .collect();
        let sum = |i: usize| layers.iter().map(|layer| layer.rates[i]).sum::<f64>();
        let most = (0..buckets.len()).map(sum).fold(0.0, f64::max);
        let (high, every) = round_axis(most);
        Stack { day, buckets, layers, high, every }
    }

    fn y(&self, rate: f64) -> f64 {
        BOTTOM - (rate / self.high).clamp(0.0, 1.0) * (BOTTOM - TOP - 8.0)
    }

    fn axis(&self, canvas: &mut Canvas<'_>) -> Result<(), PlotError> {
        let look = Type::new(13.0, ink::MUTED);
        let lines = (self.high / self.every).round() as usize;
        for tick in 0..=lines {
            let value = tick as f64 * self.every;
            let y = self.y(value);
            if tick > 0 {
                canvas.line(&[(self.day.left, y), (self.day.right, y)], 0.5, &ink::GRID.mix(1.0))?;
            }
            let label = if self.every < 1.0 { text::mean(value) } else { text::grouped(value.round() as u64) };
            canvas.text(&label, (self.day.left - 9.0, y), Anchor::End, look)?;
        }
        canvas.text_upwards(
            &format!("calls dropped per minute, mean of {}", self.day.per_point()),
            (24.0, (TOP + BOTTOM) / 2.0),
            look,
        )
    }

    fn areas(&self, canvas: &mut Canvas<'_>) -> Result<(), PlotError> {
        let mut below = vec![0.0; self.buckets.len()];
        for layer in &self.layers {
            let above: Vec<f64> = below.iter().zip(&layer.rates).map(|(below, rate)| below + rate).collect();
            let mut points = self.outline(&above);
            points.extend(self.outline(&below).into_iter().rev());
            canvas.area(&points, &layer.color.mix(0.9))?;
            below = above;
        }
        Ok(())
    }

    fn outline(&self, heights: &[f64]) -> Vec<(f64, f64)> {
        let step = |(bucket, height): (&Bucket, &f64)| {
            let y = self.y(*height);
            [(self.day.x(bucket.from_s), y), (self.day.x(bucket.to_s), y)]
        };
        self.buckets.iter().zip(heights).flat_map(step).collect()
    }

    /// Names beside the plot in the order of the stack, each with its share.
    fn key(&self, canvas: &mut Canvas<'_>) -> Result<(), PlotError> {
        let all: u64 = self.layers.iter().map(|layer| layer.total).sum();
        let x = self.day.right + 22.0;
        let mut y = TOP + 14.0;
        canvas.text("share of all dropped", (x, y), Anchor::Start, Type::new(13.0, ink::MUTED))?;
        for layer in self.layers.iter().rev() {
            y += 40.0;
            canvas.rect((x, y - 7.0), (x + 14.0, y + 7.0), &layer.color.mix(0.9))?;
            let look = Type::new(14.0, ink::TEXT);
            canvas.text(&fit(&layer.name, 14.0, 180.0), (x + 22.0, y), Anchor::Start, look.bold())?;
            let share = text::percent(layer.total as f64 / all.max(1) as f64);
            let detail = format!("{share}, {}", text::grouped(layer.total));
            canvas.text(&detail, (x + 22.0, y + 17.0), Anchor::Start, Type::new(13.0, ink::MUTED))?;
        }
        Ok(())
    }
}

fn layer(buckets: &[Bucket], name: String, causes: &[&str], color: RGBColor) -> Layer {
    let count = |bucket: &Bucket| causes.iter().filter_map(|cause| bucket.causes.get(*cause)).sum::<u64>();
    let rates =
        buckets.iter().map(|bucket| count(bucket) as f64 * 60.0 / (bucket.to_s - bucket.from_s).max(1e-3)).collect();
    Layer { name, color, total: buckets.iter().map(count).sum(), rates }
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
    }
}
