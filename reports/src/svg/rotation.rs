//! Which servers were in rotation, over the day.

use super::canvas::{Anchor, Canvas, PlotError, Type, draw, fit, ink, text_width};
use super::day::{Day, WIDTH};
use crate::text;
use crate::view;
use brownout_sim::outcome::Outcome;
use plotters::style::{Color, RGBColor};

const STRIP_TOP: f64 = 118.0;
const STRIP_BOTTOM: f64 = 198.0;
const LANES_TOP: f64 = 216.0;
const STORE_LANE: f64 = 20.0;
/// Rectangles drawn at most; beyond, columns get wider. Some 90 bytes each.
const RECTS_MAX: usize = 7_000;

/// A lane per server, filled while it was in rotation, with the number in rotation above and the stores' outages
/// below. Where a column of the picture holds several changes it is drawn lighter: an absence too short for a
/// column of its own still shows.
///
/// # Errors
///
/// As [`dropped`](super::dropped()).
pub fn rotation(outcome: &Outcome) -> Result<String, PlotError> {
    let day = Day::new(outcome, 150.0, WIDTH - 40.0);
    let lanes = Lanes::new(&day);
    let stores = view::stores_ever_down(outcome);
    let bottom = lanes.bottom() + 10.0 + stores.len() as f64 * STORE_LANE;
    let title = format!("{}: servers in rotation", outcome.title);
    let description = format!("A lane for each of {} servers, filled while in rotation.", lanes.count());
    draw((WIDTH, bottom + 68.0), &title, &description, |canvas| {
        day.heading(canvas, &format!("{}  ·  {}", subject(outcome), day.answer()))?;
        day.shade_outages(canvas, STRIP_TOP, bottom)?;
        day.time_axis(canvas, STRIP_TOP, bottom)?;
        if lanes.count() == 0 {
            day.nothing(canvas, "no servers", LANES_TOP)?;
        } else {
            strip(canvas, &day, lanes.count())?;
            lanes.draw(canvas)?;
            let key = "blue: in rotation; lighter: out for part of the time; pale: out";
            canvas.text(key, (day.right, bottom + 39.0), Anchor::End, Type::new(12.0, ink::MUTED))?;
        }
        store_lanes(canvas, &day, &stores, lanes.bottom() + 10.0)
    })
}

fn subject(outcome: &Outcome) -> String {
    let n = outcome.rotation.servers.len();
    let over = if outcome.outages.is_empty() { "run" } else { "outage" };
    format!("{} of {n} servers in rotation over the {over}, mean", text::mean(outcome.rotation.mean_in_rotation))
}

/// How many were in rotation, as a line over an area.
fn strip(canvas: &mut Canvas<'_>, day: &Day<'_>, servers: usize) -> Result<(), PlotError> {
    let kind = view::headline_kind(day.outcome).unwrap_or("");
    let y = |n: f64| STRIP_BOTTOM - (n / servers as f64).clamp(0.0, 1.0) * (STRIP_BOTTOM - STRIP_TOP);
    let mut points = Vec::new();
    for bucket in view::buckets(day.outcome, kind, day.outcome.timeline.steps.len().div_ceil(1_000)) {
        let y = y(bucket.in_rotation);
        points.extend([(day.x(bucket.from_s), y), (day.x(bucket.to_s), y)]);
    }
    let mut area = points.clone();
    if let (Some(first), Some(last)) = (points.first(), points.last()) {
        area.extend([(last.0, STRIP_BOTTOM), (first.0, STRIP_BOTTOM)]);
    }
    canvas.area(&area, &ink::GREEN.mix(0.22))?;
    canvas.line(&points, 1.5, &ink::GREEN.mix(1.0))?;
    canvas.line(&[(day.left, STRIP_BOTTOM), (day.right, STRIP_BOTTOM)], 0.5, &ink::MUTED.mix(1.0))?;
    let look = Type::new(12.0, ink::MUTED);
    canvas.text(&servers.to_string(), (day.left - 9.0, STRIP_TOP + 3.0), Anchor::End, look)?;
    canvas.text("0", (day.left - 9.0, STRIP_BOTTOM - 3.0), Anchor::End, look)?;
    let middle = (STRIP_TOP + STRIP_BOTTOM) / 2.0;
    canvas.text("servers", (day.left - 34.0, middle - 8.0), Anchor::End, Type::new(13.0, ink::TEXT))?;
    canvas.text("in rotation", (day.left - 34.0, middle + 8.0), Anchor::End, Type::new(13.0, ink::TEXT))
}

/// The servers' lanes.
struct Lanes<'a> {
    day: &'a Day<'a>,
    /// Per server, per column: the share of the time in rotation.
    shares: Vec<Vec<f64>>,
    height: f64,
}

impl<'a> Lanes<'a> {
    fn new(day: &'a Day<'a>) -> Self {
        let servers = &day.outcome.rotation.servers;
        let height = (330.0 / servers.len().max(1) as f64).clamp(3.0, 20.0);
        let mut columns = (day.right - day.left) as usize;
        loop {
            let shares: Vec<Vec<f64>> = servers.iter().map(|server| shares(day, server, columns)).collect();
            let rects: usize = shares.iter().map(|lane| runs(lane).len()).sum();
            if rects <= RECTS_MAX || columns <= 60 {
                return Lanes { day, shares, height };
            }
            columns /= 2;
        }
    }

    fn count(&self) -> usize {
        self.shares.len()
    }

    fn bottom(&self) -> f64 {
        LANES_TOP + self.height * self.count().max(1) as f64
    }

    fn draw(&self, canvas: &mut Canvas<'_>) -> Result<(), PlotError> {
        let gap = (self.height * 0.18).min(3.0);
        let label_every = (13.0 / self.height).ceil() as usize;
        for (i, lane) in self.shares.iter().enumerate() {
            let top = LANES_TOP + i as f64 * self.height;
            let column = (self.day.right - self.day.left) / lane.len().max(1) as f64;
            for (from, to, level) in runs(lane) {
                let (x0, x1) = (self.day.left + from as f64 * column, self.day.left + to as f64 * column);
                canvas.rect((x0, top), (x1, top + self.height - gap), &shade(level).mix(1.0))?;
            }
            if i % label_every == 0 {
                let size = self.height.clamp(9.0, 12.5);
                let name = fit(&self.day.outcome.rotation.servers[i], size, self.day.left - 24.0);
                let at = (self.day.left - 9.0, top + (self.height - gap) / 2.0);
                canvas.text(&name, at, Anchor::End, Type::new(size, ink::MUTED))?;
            }
        }
        Ok(())
    }
}

/// Levels of a column: out, in, and between them four for the share.
const LEVELS: u8 = 5;

/// In rotation all the time is a level of its own, so that the shortest absence changes the colour.
fn level(share: f64) -> u8 {
    if share >= 1.0 - 1e-9 { LEVELS } else { (share * f64::from(LEVELS)) as u8 }
}

fn shade(level: u8) -> RGBColor {
    // The step from "all the time" to "almost" is a large one, for the same reason.
    let weight = if level == LEVELS { 1.0 } else { f64::from(level) / f64::from(LEVELS) * 0.75 };
    let mix = |out: u8, full: u8| (f64::from(out) + (f64::from(full) - f64::from(out)) * weight).round() as u8;
    let (out, full) = (ink::OUT, ink::BLUE);
    RGBColor(mix(out.0, full.0), mix(out.1, full.1), mix(out.2, full.2))
}

/// Columns of one level: first, one past the last, level.
fn runs(lane: &[f64]) -> Vec<(usize, usize, u8)> {
    let mut runs: Vec<(usize, usize, u8)> = Vec::new();
    for (column, share) in lane.iter().enumerate() {
        let level = level(*share);
        match runs.last_mut() {
            Some(last) if last.2 == level => last.1 = column + 1,
            _ => runs.push((column, column + 1, level)),
        }
    }
    runs
}

/// Per column the share of the time that a server was in rotation.
fn shares(day: &Day<'_>, server: &str, columns: usize) -> Vec<f64> {
    let mut shares = vec![1.0; columns];
    let Some(changes) = day.outcome.rotation.changes_s.get(server) else { return shares };
    let column = day.length_s / columns.max(1) as f64;
    for out in changes.chunks(2) {
        let from = out[0].clamp(0.0, day.length_s) / column;
        let to = out.get(1).copied().unwrap_or(day.length_s).clamp(0.0, day.length_s) / column;
        let mut at = from;
        while at < to {
            let index = at as usize;
            let until = (index as f64 + 1.0).min(to);
            if let Some(share) = shares.get_mut(index) {
                *share = (*share - (until - at)).max(0.0);
            }
            at = until;
        }
    }
    shares
}

/// When each store was out of service, and how.
fn store_lanes(canvas: &mut Canvas<'_>, day: &Day<'_>, stores: &[&str], top: f64) -> Result<(), PlotError> {
    for (i, store) in stores.iter().enumerate() {
        let (top, bottom) = (top + i as f64 * STORE_LANE, top + (i as f64 + 1.0) * STORE_LANE - 4.0);
        let middle = (top + bottom) / 2.0;
        canvas.rect((day.left, middle - 2.0), (day.right, middle + 2.0), &ink::GREEN.mix(0.55))?;
        for (from_s, to_s, mode) in view::downtime(day.outcome, store) {
            let (from, to) = (day.x(from_s), day.x(to_s).max(day.x(from_s) + 1.0));
            canvas.rect((from, top), (to, bottom), &ink::VERMILLION.mix(1.0))?;
            let words = format!("out of service: {}", text::words(mode));
            if text_width(&words, 13.0) < to - from {
                let at = ((from + to) / 2.0, middle);
                canvas.text(&words, at, Anchor::Middle, Type::new(12.0, ink::PAPER).bold())?;
            }
        }
        let name = fit(store, 12.5, day.left - 24.0);
        canvas.text(&name, (day.left - 9.0, middle), Anchor::End, Type::new(12.5, ink::TEXT).bold())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_absence_changes_its_column() {
        let mut outcome = Outcome::default();
        outcome.span.length_s = 86_400.0;
        outcome.rotation.servers = vec!["a".into()];
        outcome.rotation.changes_s.insert("a".into(), vec![40_000.0, 40_000.5]);
        let day = Day::new(&outcome, 0.0, 1000.0);
        assert_eq!(runs(&shares(&day, "a", 1000)), [(0, 462, 5), (462, 463, 4), (463, 1000, 5)]);
        outcome.rotation.changes_s.insert("a".into(), vec![43_200.0]);
        let day = Day::new(&outcome, 0.0, 1000.0);
        assert_eq!(runs(&shares(&day, "a", 1000)), [(0, 500, 5), (500, 1000, 0)]);
    }
}
