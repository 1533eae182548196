//! What all pictures of a day share: heading, time axis, the shaded outages.

use super::canvas::{Anchor, Canvas, PlotError, Type, fit, ink, text_width};
use crate::clock::Clock;
use crate::{text, view};
use brownout_sim::outcome::Outcome;

pub(super) const WIDTH: f64 = 1200.0;
const MARGIN: f64 = 40.0;

/// A run laid out from left to right.
pub(super) struct Day<'a> {
    pub outcome: &'a Outcome,
    pub clock: Clock,
    pub length_s: f64,
    /// Left and right edge of the time axis.
    pub left: f64,
    pub right: f64,
}

impl<'a> Day<'a> {
    pub(super) fn new(outcome: &'a Outcome, left: f64, right: f64) -> Self {
        Day { outcome, clock: Clock::new(&outcome.span), length_s: view::length_s(outcome).max(1e-9), left, right }
    }

    /// Where a time stands.
    pub(super) fn x(&self, t_s: f64) -> f64 {
        self.left + (t_s / self.length_s).clamp(0.0, 1.0) * (self.right - self.left)
    }

    /// The run's title.
    pub(super) fn title(&self) -> &str {
        if self.outcome.title.is_empty() { "untitled" } else { &self.outcome.title }
    }

    /// Title, and below it what the picture is of.
    pub(super) fn heading(&self, canvas: &mut Canvas<'_>, subject: &str) -> Result<(), PlotError> {
        let title = self.title();
        let look = Type::new(23.0, ink::TEXT).bold();
        // Bold letters are wider than estimated.
        canvas.text(&fit(title, 25.0, WIDTH - 2.0 * MARGIN), (MARGIN, 36.0), Anchor::Start, look)?;
        let look = Type::new(15.0, ink::TEXT);
        canvas.text(&fit(subject, 15.0, WIDTH - 2.0 * MARGIN), (MARGIN, 65.0), Anchor::Start, look)?;
        let complete = self.outcome.ended.is_empty() || self.outcome.ended == "complete";
        let (words, look) = if complete {
            (self.design(), Type::new(13.0, ink::MUTED))
        } else {
            let words = format!("not complete: {}  ·  {}", self.outcome.ended, self.design());
            (words, Type::new(13.0, ink::VERMILLION).bold())
        };
        canvas.text(&fit(&words, 14.0, WIDTH - 2.0 * MARGIN), (MARGIN, 87.0), Anchor::Start, look)
    }

    /// What was run: "design isolation=shared  ·  seed 1".
    fn design(&self) -> String {
        let design = if self.outcome.design.is_empty() { "as written" } else { &self.outcome.design };
        format!("design {design}  ·  seed {}", self.outcome.seed)
    }

    /// The headline in one sentence.
    pub(super) fn answer(&self) -> String {
        let span = &self.outcome.span;
        let window =
            format!("between {} and {}", self.clock.minute(span.window_from_s), self.clock.minute(span.window_to_s));
        match view::headline_kind(self.outcome).map(|kind| (kind, &self.outcome.calls[kind])) {
            Some((kind, totals)) if totals.offered > 0 => {
                let rate = text::percent(totals.dropped as f64 / totals.offered as f64);
                format!("{rate} of {kind} calls dropped {window}")
            }
            Some((kind, _)) => format!("no {kind} calls were offered {window}"),
            None => format!("no calls were offered {window}"),
        }
    }

    /// Ticks, their times and what the axis is, below `y`; faint lines upwards to `top`.
    pub(super) fn time_axis(&self, canvas: &mut Canvas<'_>, top: f64, y: f64) -> Result<(), PlotError> {
        self.time_ticks(canvas, top, y, 13.0)?;
        let name = self.axis_name();
        let middle = (self.left + self.right) / 2.0;
        let look = Type::new(13.0, ink::MUTED);
        canvas.text(&fit(&name, 13.0, self.right - self.left), (middle, y + 39.0), Anchor::Middle, look)
    }

    /// Ticks and their times below `y`; faint lines upwards to `top`.
    pub(super) fn time_ticks(&self, canvas: &mut Canvas<'_>, top: f64, y: f64, size: f64) -> Result<(), PlotError> {
        canvas.line(&[(self.left, y), (self.right, y)], 1.0, &ink::MUTED.mix(1.0))?;
        for t_s in self.ticks() {
            let x = self.x(t_s);
            canvas.line(&[(x, top), (x, y)], 0.5, &ink::GRID.mix(1.0))?;
            canvas.line(&[(x, y), (x, y + 5.0)], 1.0, &ink::MUTED.mix(1.0))?;
            canvas.text(&self.tick_label(t_s), (x, y + size + 4.0), Anchor::Middle, Type::new(size, ink::MUTED))?;
        }
        Ok(())
    }

    /// What the time axis is: "time of day, 2015-10-28, America/Los_Angeles (PDT)".
    pub(super) fn axis_name(&self) -> String {
        if !self.clock.calendar() {
            return "seconds since the start of the run".to_owned();
        }
        let span = &self.outcome.span;
        let date = span.from.split_whitespace().next().unwrap_or("");
        format!("time of day, {date}, {} {}", span.zone, bracketed(&span.zone_abbreviation)).trim_end().to_owned()
    }

    /// Round times of day, at most a dozen.
    fn ticks(&self) -> Vec<f64> {
        const EVERY_S: [f64; 18] = [
            1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 10_800.0,
            21_600.0, 43_200.0, 86_400.0,
        ];
        let widest = text_width(&self.tick_label(self.length_s), 13.0) + 30.0;
        let most = ((self.right - self.left) / widest).clamp(2.0, 12.0);
        let days = (self.length_s / 86_400.0 / most).ceil() * 86_400.0;
        let every = EVERY_S.into_iter().find(|every| self.length_s / every <= most).unwrap_or(days);
        let start = if self.clock.calendar() { self.clock.start_s() } else { 0.0 };
        let mut tick = (start / every).ceil() * every;
        let mut ticks = Vec::new();
        while tick <= start + self.length_s && ticks.len() < 64 {
            ticks.push(tick - start);
            tick += every;
        }
        ticks
    }

    fn tick_label(&self, t_s: f64) -> String {
        if !self.clock.calendar() {
            return text::grouped(t_s.max(0.0).round() as u64);
        }
        if self.length_s < 600.0 { self.clock.second(t_s) } else { self.clock.minute(t_s) }
    }

    /// The outages as a pale ground.
    pub(super) fn shade_outages(&self, canvas: &mut Canvas<'_>, top: f64, bottom: f64) -> Result<(), PlotError> {
        for (from, to) in self.outages() {
            let (from, to) = (self.x(from), self.x(to).max(self.x(from) + 1.0));
            canvas.rect((from, top), (to, bottom), &ink::OUTAGE.mix(0.13))?;
        }
        Ok(())
    }

    /// The outages of all stores, those that touch as one.
    fn outages(&self) -> Vec<(f64, f64)> {
        let mut all: Vec<(f64, f64)> =
            self.outcome.outages.iter().map(|outage| (outage.from_s, outage.to_s.unwrap_or(self.length_s))).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut merged: Vec<(f64, f64)> = Vec::new();
        for (from, to) in all {
            match merged.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => merged.push((from, to)),
            }
        }
        merged
    }

    /// Steps to take together: a line of more points than this is a hedge.
    pub(super) fn steps_per_point(&self) -> usize {
        const POINTS_MAX: usize = 240;
        self.outcome.timeline.steps.len().div_ceil(POINTS_MAX).max(1)
    }

    /// "each minute", "each 3 min".
    pub(super) fn per_point(&self) -> String {
        each(self.outcome.timeline.step_s * self.steps_per_point() as f64)
    }

    /// Says in the middle of an empty picture why it is empty.
    pub(super) fn nothing(&self, canvas: &mut Canvas<'_>, why: &str, y: f64) -> Result<(), PlotError> {
        let middle = (self.left + self.right) / 2.0;
        canvas.text(why, (middle, y), Anchor::Middle, Type::new(17.0, ink::MUTED))
    }
}

fn each(seconds: f64) -> String {
    if seconds == 60.0 { "each minute".to_owned() } else { format!("each {}", text::duration(seconds)) }
}

fn bracketed(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!("({words})") }
}
