//! What metrics see of a run, evidence compared with them, and their values in words. The metrics themselves are entries of
//! [`brownout_models::metrics::ALL`].
//!
//! A window is a row of whole cells of the books, whose boundaries are at its ends; so no value hangs on the steps of the
//! timeline, except those of the metrics that say so ([`Metric::per_step`](brownout_models::metrics::Metric)).

use crate::outcome::Evidence;
use crate::run::Run;
use crate::{processes, rotation};
use brownout_models::ledger::Counts;
use brownout_models::metrics::{self, EdgeCounts, Measured, Period, Record};
use brownout_models::units::Ns;
use brownout_models::world::World;
use brownout_scenarios::{EvidenceSpec, Scenario};

impl Record for Run {
    fn world(&self) -> &World {
        Run::world(self)
    }

    fn counts(&self, population: usize, (from, to): Period) -> Counts {
        self.ledger().over(population, from, to)
    }

    fn latency(&self, populations: &[usize], share: f64, (from, to): Period) -> Option<Ns> {
        let ms = self.ledger().latencies(populations, from, to).quantile(share)?;
        Some(Ns::from_secs_f64(ms / 1000.0))
    }

    fn steps(&self) -> Vec<Period> {
        self.steps.iter().map(|step| (step.from, step.to)).collect()
    }

    fn cause(&self) -> Option<(Ns, Option<Ns>)> {
        rotation::cause(self)
    }

    fn after_cause(&self) -> Vec<Period> {
        self.ledger().recovery(rotation::outage(self).is_some()).slots(self.at()).collect()
    }

    fn first_ejection(&self) -> Option<Ns> {
        rotation::first_ejection(self)
    }

    fn downs(&self, over: Period) -> Vec<u64> {
        rotation::downs(self, over)
    }

    fn in_rotation_mean(&self, over: Period) -> f64 {
        rotation::in_rotation_mean(self, over)
    }

    fn in_rotation_bounds(&self, over: Period) -> (u64, u64) {
        rotation::in_rotation_bounds(self, over)
    }

    fn fail_open_share(&self, over: Period) -> f64 {
        rotation::fail_open_share(self, over)
    }

    fn crashes(&self, fleet: usize, over: Period) -> u64 {
        processes::crashes(self, fleet, over)
    }

    fn alive_min(&self, fleet: usize, over: Period) -> u64 {
        processes::alive_min(self, fleet, over)
    }

    fn edge(&self, edge: usize, (from, to): Period) -> EdgeCounts {
        self.ledger().edge(edge, from, to)
    }

    fn edge_latency(&self, edge: usize, share: f64, (from, to): Period) -> Option<Ns> {
        let ms = self.ledger().edge_latencies(edge, from, to).quantile(share)?;
        Some(Ns::from_secs_f64(ms / 1000.0))
    }

    fn unaccounted(&self) -> u64 {
        self.ledger().unaccounted(&Run::world(self).alive())
    }
}

/// Compares what was observed with what the run gave.
pub fn compare(scenario: &Scenario, run: &Run, evidence: &EvidenceSpec) -> Evidence {
    let found = metrics::find(&evidence.metric, &scenario.plan.spec);
    let simulated = found.ok().and_then(|(subject, metric)| metric.measure(run, subject, evidence.over).ok());
    let met = simulated.is_some_and(|s| is_met(evidence, s));
    let verdict = match (met, evidence.fitted) {
        (true, false) => "met",
        (true, true) => "fitted",
        (false, false) => "not met",
        (false, true) => "fit missed",
    };
    Evidence {
        id: evidence.id.clone(),
        says: evidence.says.clone(),
        metric: evidence.metric.clone(),
        observed: evidence.shown.clone(),
        simulated: simulated.map_or("nothing".into(), |s| show(scenario, s)),
        value: simulated.map(Measured::number),
        verdict: verdict.into(),
    }
}

fn is_met(evidence: &EvidenceSpec, simulated: Measured) -> bool {
    const ROUNDING: f64 = 1e-9;
    let within = |value: f64, low: f64, high: f64| value >= low - ROUNDING && value <= high + ROUNDING;
    match simulated {
        Measured::Interval(from, to) => {
            let near = |at: Ns, expected: f64| (at.as_secs() - expected).abs() <= evidence.tolerance + ROUNDING;
            near(from, evidence.low) && near(to, evidence.high)
        }
        other => within(other.number(), evidence.low, evidence.high),
    }
}

/// Writes a value as a scenario would.
pub fn show(scenario: &Scenario, value: Measured) -> String {
    let clock = |at| scenario.calendar.clock(at);
    match value {
        Measured::Share(x) => format!("{:.1}%", x * 100.0),
        Measured::Count(x) if x.fract() == 0.0 => format!("{x}"),
        Measured::Count(x) => format!("{x:.2}"),
        Measured::Duration(t) if t > Ns::ZERO && t < Ns::secs(1) => format!("{:.2}ms", t.as_secs() * 1000.0),
        Measured::Duration(t) => t.to_string(),
        Measured::Moment(t) => clock(t),
        Measured::Interval(from, to) => format!("{} to {}", clock(from), clock(to)),
    }
}
