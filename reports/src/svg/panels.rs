//! The charts of a day: what was dropped and why, stores, queues, pools, latency, spools.

use super::canvas::ink;
use super::panel::{Chart, Lane, Series, Shape, Sheet};
use super::style::RGBColor;
use crate::clock::Clock;
use crate::text;
use crate::thin::{Reach, peak, thin};
use crate::view;
use brownout_sim::outcome::{FleetGauge, Outcome, Percentiles, Step};
use std::collections::BTreeMap;

/// Causes beyond these are drawn as one.
const CAUSES_MAX: usize = 6;
/// Stores of one chart.
const STORES_MAX: usize = 6;
const COLORS: [RGBColor; 7] = [ink::VERMILLION, ink::BLUE, ink::GREEN, ink::ORANGE, ink::PURPLE, ink::SKY, ink::GREY];

/// The charts of a run, in the order in which a report shows them.
pub(crate) fn charts(outcome: &Outcome, sheet: &Sheet) -> Vec<Chart> {
    let of = Of { outcome, points: sheet.points, clock: Clock::new(&outcome.span) };
    let mut charts = vec![of.causes(sheet), of.stores(), of.queues(), of.pools(), of.latency(), of.spools()];
    charts.iter_mut().for_each(|chart| (chart.most, chart.least) = (chart.highest(), chart.lowest()));
    charts
}

/// The chart of that key.
pub(crate) fn chart(outcome: &Outcome, sheet: &Sheet, key: &str) -> Option<Chart> {
    charts(outcome, sheet).into_iter().find(|chart| chart.key == key)
}

struct Of<'a> {
    outcome: &'a Outcome,
    points: usize,
    clock: Clock,
}

impl Of<'_> {
    fn kind(&self) -> &str {
        view::headline_kind(self.outcome).unwrap_or("")
    }

    fn thin(&self, value: impl Fn(&Step) -> Option<f64>) -> Vec<Reach> {
        thin(self.outcome, self.points, value)
    }

    fn chart(&self, key: &'static str, title: String, unit: &str, shape: Shape, nothing: &str) -> Chart {
        let (unit, nothing) = (unit.to_owned(), nothing.to_owned());
        Chart { key, title, unit, shape, lanes: Vec::new(), series: Vec::new(), nothing, most: 0.0, least: 0.0 }
    }

    /// A line with its peak and when it was.
    fn line(&self, name: &str, color: RGBColor, value: impl Fn(&Step) -> Option<f64>) -> Series {
        let points = self.thin(value);
        let detail = match peak(&points) {
            Some((high, at)) if high > 0.0 => format!("most {} at {}", figure(high), self.clock.minute(at)),
            _ => "always 0".to_owned(),
        };
        Series { name: name.to_owned(), detail, color, points }
    }

    /// "least 6 at 12:10".
    fn least(&self, points: &[Reach]) -> String {
        let lows = points.iter().filter_map(|p| Some((p.values?.0, p.from_s)));
        let low = lows.fold(None, |best: Option<(f64, f64)>, new| match best {
            Some(best) if best.0 <= new.0 => Some(best),
            _ => Some(new),
        });
        low.map(|(low, at)| format!("least {} at {}", figure(low), self.clock.minute(at))).unwrap_or_default()
    }

    fn causes(&self, sheet: &Sheet) -> Chart {
        let kind = self.kind();
        let title = format!("why {kind} calls were dropped");
        let unit = format!("calls dropped per minute, {}", self.per_point());
        let mut chart = self.chart("causes", title, &unit, Shape::Stack, "no calls were dropped");
        let mut totals: BTreeMap<String, u64> = BTreeMap::new();
        for (cause, n) in self.outcome.timeline.steps.iter().filter_map(|s| s.calls.get(kind)).flat_map(|c| &c.dropped)
        {
            *totals.entry(cause.clone()).or_default() += n;
        }
        let ranked = view::causes(&totals);
        let most = if sheet.alone { CAUSES_MAX } else { CAUSES_MAX - 2 };
        let shown = if ranked.len() == most + 1 { most + 1 } else { ranked.len().min(most) };
        let mut groups: Vec<(String, Vec<&str>)> =
            ranked[..shown].iter().map(|(cause, _)| (text::words(cause), vec![*cause])).collect();
        if shown < ranked.len() {
            let rest = ranked[shown..].iter().map(|(cause, _)| *cause).collect();
            groups.push((format!("{} other causes", ranked.len() - shown), rest));
        }
        let all: u64 = totals.values().sum();
        for ((name, causes), color) in groups.into_iter().zip(COLORS) {
            let n: u64 = causes.iter().filter_map(|cause| totals.get(*cause)).sum();
            let detail = format!("{}, {}", text::percent(n as f64 / all.max(1) as f64), text::grouped(n));
            let points = self.thin(|step| {
                let calls = step.calls.get(kind)?;
                let n: u64 = causes.iter().filter_map(|cause| calls.dropped.get(*cause)).sum();
                Some(n as f64 * 60.0 / self.length_of(step))
            });
            chart.series.push(Series { name, detail, color, points });
        }
        if chart.series.is_empty() {
            let points = self.thin(|_| Some(0.0));
            chart.series.push(Series { name: String::new(), detail: String::new(), color: ink::GREY, points });
        }
        chart
    }

    /// "each point is a minute", "mean of 3 min, line: most".
    fn per_point(&self) -> String {
        let timeline = &self.outcome.timeline;
        let per = timeline.steps.len().div_ceil(self.points).max(1);
        let length = text::duration(timeline.step_s * per as f64);
        if per == 1 { format!("each {length}") } else { format!("mean of {length}; grey line: highest step") }
    }

    fn length_of(&self, step: &Step) -> f64 {
        let end = view::length_s(self.outcome);
        self.outcome.timeline.step_s.min(end - step.t_s).max(1e-3)
    }

    fn stores(&self) -> Chart {
        let outcome = self.outcome;
        let title = "stores: out of service, and headroom left".to_owned();
        let mut chart = self.chart("stores", title, "headroom, in the store's own units", Shape::Lines, "");
        for store in view::stores_ever_down(outcome).into_iter().take(STORES_MAX) {
            let spans = view::downtime(outcome, store);
            let spans = spans.into_iter().map(|(from, to, mode)| (from, to, text::words(mode))).collect();
            chart.lanes.push(Lane { name: store.to_owned(), spans });
        }
        let first = outcome.timeline.steps.first();
        let with_headroom = first.into_iter().flat_map(|s| &s.stores).filter(|(_, gauge)| gauge.headroom.is_some());
        let several = with_headroom.clone().count() > 1;
        for ((store, _), color) in with_headroom.zip([ink::BLUE, ink::PURPLE, ink::GREEN, ink::SKY]) {
            let points = self.thin(|step| step.stores.get(store)?.headroom);
            let detail = self.least(&points);
            let name = if several { format!("headroom {store}") } else { "headroom".to_owned() };
            chart.series.push(Series { name, detail, color, points });
        }
        // A new store begins with a thousand times the headroom at which the old one stopped.
        if chart.lowest() * 100.0 < chart.highest() {
            chart.shape = Shape::Log;
            chart.unit.push_str(", logarithmic");
        }
        if chart.series.is_empty() {
            chart.title = "stores: out of service".into();
            chart.unit = String::new();
        }
        chart.nothing = "every store was in service all the time".into();
        chart
    }

    fn fleets(&self, of: fn(&FleetGauge) -> u64) -> impl Fn(&Step) -> Option<f64> {
        move |step| Some(step.fleets.values().map(of).sum::<u64>() as f64)
    }

    fn queues(&self) -> Chart {
        let title = "queues: calls that wait".to_owned();
        let mut chart = self.chart("queues", title, "calls, at the end of each step", Shape::Lines, "nothing waited");
        chart.series = vec![
            self.line("at the balancer", ink::VERMILLION, |step| Some(step.balancer_queue as f64)),
            self.line("to be accepted", ink::BLUE, self.fleets(|fleet| fleet.accept_queue)),
            self.line("for a connection", ink::GREEN, self.fleets(|fleet| fleet.pool_waiting)),
            self.line("at the stores", ink::PURPLE, |step| {
                Some(step.stores.values().map(|store| store.waiting).sum::<u64>() as f64)
            }),
        ];
        chart
    }

    fn pools(&self) -> Chart {
        let title = "servers: what is taken".to_owned();
        let mut chart = self.chart("pools", title, "all servers, end of each step", Shape::Lines, "nothing was taken");
        chart.series = vec![
            self.line("calls in servers", ink::ORANGE, self.fleets(|fleet| fleet.pending)),
            self.line("workers busy", ink::VERMILLION, self.fleets(|fleet| fleet.busy)),
            self.line("connections", ink::BLUE, self.fleets(|fleet| fleet.pool_open)),
            self.line("processes alive", ink::GREEN, self.fleets(|fleet| fleet.alive)),
        ];
        if let Some(alive) = chart.series.last_mut() {
            alive.detail = self.least(&alive.points);
        }
        chart
    }

    fn latency(&self) -> Chart {
        let kind = self.kind();
        let title = format!("latency of {kind} calls answered ok");
        let nothing = "no call was answered ok";
        let mut chart = self.chart("latency", title, "ms, logarithmic", Shape::Log, nothing);
        let of = |read: fn(&Percentiles) -> f64| move |step: &Step| step.calls.get(kind)?.latency_ms.as_ref().map(read);
        chart.series = vec![
            self.line("slowest", ink::GREY, of(|l| l.max)),
            self.line("99%", ink::VERMILLION, of(|l| l.p99)),
            self.line("90%", ink::ORANGE, of(|l| l.p90)),
            self.line("median", ink::BLUE, of(|l| l.p50)),
        ];
        chart
    }

    fn spools(&self) -> Chart {
        let title = "spools: calls kept to be stored late".to_owned();
        let mut chart =
            self.chart("spools", title, "calls, end of each step", Shape::Lines, "nothing was spooled or kept");
        chart.series = vec![
            self.line("in spools", ink::BLUE, self.fleets(|fleet| fleet.spooled)),
            self.line("kept for a replay", ink::PURPLE, |step| Some(step.kept as f64)),
        ];
        for series in &mut chart.series {
            if let Some(at) = drained(&series.points) {
                series.detail.push_str(&format!(", empty from {}", self.clock.minute(at)));
            }
        }
        chart
    }
}

/// When a series that was above 0 last came back to 0.
fn drained(points: &[Reach]) -> Option<f64> {
    let last = points.iter().rposition(|p| p.high().is_some_and(|high| high > 0.0))?;
    points.get(last + 1).map(|p| p.from_s)
}

/// A count in few characters: "5,310", "2.32M", "0.4".
fn figure(value: f64) -> String {
    match value {
        v if v < 10.0 && v.fract() != 0.0 => format!("{v:.1}"),
        v if v < 10_000_000.0 => text::grouped(v.round() as u64),
        v => text::short(v.round() as u64),
    }
}
