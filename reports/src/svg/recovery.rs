//! How calls came back after the cause had ended, several runs in one picture.

use super::canvas::{Anchor, Canvas, PlotError, Type, draw, fit, ink};
use super::style::RGBColor;
use crate::{text, view};
use brownout_sim::outcome::{Outcome, Step};

const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 330.0;
const TOP: f64 = 54.0;
const BOTTOM: f64 = HEIGHT - 58.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = WIDTH - 310.0;
/// Shown before the end of the outage.
const BEFORE_S: f64 = 120.0;
/// Shown after it, at least and at most.
const AFTER_S: (f64, f64) = (600.0, 7200.0);
const COLORS: [RGBColor; 6] = [ink::VERMILLION, ink::BLUE, ink::ORANGE, ink::SKY, ink::PURPLE, ink::GREEN];

/// A run with the end of its last outage.
struct Curve<'a> {
    name: &'a str,
    outcome: &'a Outcome,
    end_s: f64,
}

/// The share of all calls that failed for their clients from shortly before the end of the last outage on, a line for
/// each run whose outage ended.
///
/// # Errors
///
/// As [`dropped`](super::dropped()).
pub(crate) fn recovery(runs: &[(String, &Outcome)]) -> Result<String, PlotError> {
    let curves: Vec<Curve<'_>> = runs.iter().filter_map(|(name, outcome)| curve(name, outcome)).take(6).collect();
    let longest = curves.iter().map(|c| quiet_after(c) * 1.4).fold(AFTER_S.0, f64::max).min(AFTER_S.1);
    let x = |after_s: f64| LEFT + ((after_s + BEFORE_S) / (longest + BEFORE_S)).clamp(0.0, 1.0) * (RIGHT - LEFT);
    let description = curves.iter().map(|c| format!("{}: {}", c.name, said(c.outcome))).collect::<Vec<_>>().join("; ");
    draw((WIDTH, HEIGHT), "Recovery after the outage", &description, |canvas| {
        let look = Type::new(15.0, ink::TEXT).bold();
        canvas.text("after the cause has ended", (6.0, 16.0), Anchor::Start, look)?;
        let look = Type::new(13.0, ink::MUTED);
        canvas.text("share of all calls that failed for their clients", (6.0, 37.0), Anchor::Start, look)?;
        if curves.is_empty() {
            let middle = ((LEFT + RIGHT) / 2.0, (TOP + BOTTOM) / 2.0);
            return canvas.text("no outage ended in these runs", middle, Anchor::Middle, Type::new(15.0, ink::MUTED));
        }
        axes(canvas, longest, &x)?;
        for (curve, color) in curves.iter().zip(COLORS) {
            canvas.line(&line(curve, longest, &x), 2.0, &color.mix(1.0))?;
        }
        names(canvas, &curves)
    })
}

fn curve<'a>(name: &'a str, outcome: &'a Outcome) -> Option<Curve<'a>> {
    let ends: Option<Vec<f64>> = outcome.outages.iter().map(|outage| outage.to_s).collect();
    let end_s = ends?.into_iter().reduce(f64::max)?;
    Some(Curve { name, outcome, end_s })
}

/// Recovery in words.
pub(crate) fn said(outcome: &Outcome) -> String {
    match (outcome.recovery_s, outcome.outages.iter().all(|o| o.to_s.is_some()) && !outcome.outages.is_empty()) {
        (Some(after), _) => format!("99% of calls succeed after {}", text::duration(after)),
        (None, true) => "not recovered within the run".to_owned(),
        (None, false) => "no outage ended".to_owned(),
    }
}

/// Offered and failed calls of a step, of all kinds.
fn failed(outcome: &Outcome, step: &Step) -> (u64, u64) {
    let whole = step.calls.iter().filter(|(kind, _)| view::part_of(outcome, kind).is_none());
    whole.fold((0, 0), |(offered, failed), (_, calls)| (offered + calls.offered, failed + calls.failed))
}

/// Seconds after the end of the outage from which no step fails more than 1%.
fn quiet_after(curve: &Curve<'_>) -> f64 {
    let loud = |step: &&Step| {
        let (offered, failed) = failed(curve.outcome, step);
        failed as f64 > 0.01 * offered as f64
    };
    let last = curve.outcome.timeline.steps.iter().rev().find(loud);
    last.map_or(0.0, |step| step.t_s + curve.outcome.timeline.step_s - curve.end_s)
}

fn line(curve: &Curve<'_>, longest: f64, x: &dyn Fn(f64) -> f64) -> Vec<(f64, f64)> {
    let mut points = Vec::new();
    for step in &curve.outcome.timeline.steps {
        let from = step.t_s - curve.end_s;
        let to = from + curve.outcome.timeline.step_s;
        let (offered, failed) = failed(curve.outcome, step);
        if to >= -BEFORE_S && from <= longest && offered > 0 {
            let y = y(failed as f64 / offered as f64);
            points.extend([(x(from), y), (x(to), y)]);
        }
    }
    points
}

fn y(share: f64) -> f64 {
    BOTTOM - share.clamp(0.0, 1.0) * (BOTTOM - TOP - 8.0)
}

fn axes(canvas: &mut Canvas<'_>, longest: f64, x: &dyn Fn(f64) -> f64) -> Result<(), PlotError> {
    let look = Type::new(13.0, ink::MUTED);
    canvas.rect((x(-BEFORE_S), TOP), (x(0.0), BOTTOM), &ink::OUTAGE.mix(0.13))?;
    for tick in 0..=4 {
        let share = f64::from(tick) / 4.0;
        canvas.line(&[(LEFT, y(share)), (RIGHT, y(share))], 0.5, &ink::GRID.mix(1.0))?;
        canvas.text(&format!("{:.0}%", share * 100.0), (LEFT - 8.0, y(share)), Anchor::End, look)?;
    }
    // Whole hours where the round numbers do not reach: never more than a dozen.
    let hours = (longest / 3600.0 / 10.0).ceil() * 3600.0;
    let every = [60.0, 120.0, 300.0, 600.0, 900.0, 1800.0].into_iter().find(|e| longest / e <= 10.0).unwrap_or(hours);
    let mut at = 0.0;
    while at <= longest {
        canvas.line(&[(x(at), BOTTOM), (x(at), BOTTOM + 5.0)], 1.0, &ink::MUTED.mix(1.0))?;
        canvas.text(&format!("{:.0}", at / 60.0), (x(at), BOTTOM + 17.0), Anchor::Middle, look)?;
        at += every;
    }
    canvas.line(&[(LEFT, BOTTOM), (RIGHT, BOTTOM)], 1.0, &ink::MUTED.mix(1.0))?;
    let middle = ((LEFT + RIGHT) / 2.0, BOTTOM + 39.0);
    canvas.text("minutes after the end of the last outage", middle, Anchor::Middle, look)
}

fn names(canvas: &mut Canvas<'_>, curves: &[Curve<'_>]) -> Result<(), PlotError> {
    for (i, (curve, color)) in curves.iter().zip(COLORS).enumerate() {
        let (x, y) = (RIGHT + 14.0, TOP + 10.0 + i as f64 * 36.0);
        canvas.rect((x, y - 5.0), (x + 10.0, y + 5.0), &color.mix(1.0))?;
        let look = Type::new(12.5, ink::words(color)).bold();
        canvas.text(&fit(curve.name, 13.5, 280.0), (x + 16.0, y), Anchor::Start, look)?;
        let words = match curve.outcome.recovery_s {
            Some(after) => format!("99% ok after {}", text::duration(after)),
            None => "not recovered".to_owned(),
        };
        canvas.text(&words, (x + 16.0, y + 15.0), Anchor::Start, Type::new(12.0, ink::MUTED))?;
    }
    Ok(())
}
