//! One run of one schedule, and what of it matters to a search.

use super::coverage::Coverage;
use super::{Base, Failure};
use brownout_models::metrics::{self, Metric};
use brownout_property::schedule::Schedule;
use brownout_scenarios::Scenario;
use brownout_sim::expectation::evaluate;
use brownout_sim::metric;
use brownout_sim::outcome::{Standing, Verdict};
use brownout_sim::run::{Ended, Orders, Run};
use std::sync::atomic::AtomicBool;

/// Events of a run without a fault, times this, are more than any fault should cost.
const COSTS_AT_MOST: u64 = 30;

/// An expectation that a run violates.
#[derive(Clone, PartialEq, Debug)]
pub struct Broken {
    /// Its number among those that are for this design, from 0.
    pub number: usize,
    /// What it says of itself.
    pub verdict: Verdict,
}

/// What became of a run.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Trial {
    /// The expectations violated, if all the conditions of a find hold.
    pub broken: Vec<Broken>,
    /// Whether nothing was violated, but some expectation had nothing to judge.
    pub vacuous: bool,
    /// Per fault of the schedule: how often it changed anything.
    pub effects: Vec<u64>,
    /// What was reached.
    pub coverage: Coverage,
    /// How bad the metric came out, if one is to be driven up.
    pub score: Option<f64>,
    /// Whether the run had more events than it may have, and was broken off.
    pub limited: bool,
}

impl Trial {
    /// Whether an expectation is violated; any, if no number is given.
    pub fn violates(&self, number: Option<usize>) -> bool {
        self.broken.iter().any(|broken| number.is_none_or(|n| n == broken.number))
    }
}

/// A metric to be driven to its worst.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) subject: String,
    pub(super) metric: &'static Metric,
    /// Whether less is worse.
    pub(super) less_is_worse: bool,
}

impl Target {
    /// The metric that a text names.
    pub(super) fn new(text: &str, scenario: &Scenario) -> Result<Target, String> {
        let (subject, metric) = metrics::find(text, &scenario.plan.spec).map_err(|why| format!("--worst: {why}"))?;
        Ok(Target { subject: subject.into(), metric, less_is_worse: metric.less_is_worse })
    }

    fn score(&self, scenario: &Scenario, run: &Run) -> Option<f64> {
        let number = self.metric.measure(run, &self.subject, scenario.window).ok()?.number();
        Some(if self.less_is_worse { -number } else { number })
    }

    /// A score in the metric's own words.
    pub(super) fn show(&self, score: f64, scenario: &Scenario) -> String {
        let number = if self.less_is_worse { -score } else { score };
        metric::show(scenario, self.metric.unit.of(number))
    }
}

/// What all trials of a hunt share.
pub(super) struct Bench<'a> {
    pub(super) base: &'a Base,
    pub(super) worst: Option<Target>,
    pub(super) event_limit: Option<u64>,
    pub(super) lose_a_call: bool,
    pub(super) stop: &'a AtomicBool,
}

impl<'a> Bench<'a> {
    /// A bench on which the run without a fault has been made: it says how much a run may cost. None if it was stopped.
    pub(super) fn new(
        base: &'a Base,
        worst: Option<Target>,
        lose_a_call: bool,
        stop: &'a AtomicBool,
        seed: u64,
    ) -> Result<(Bench<'a>, Option<Trial>), Failure> {
        let mut bench = Bench { base, worst, event_limit: base.scenario.limits.events, lose_a_call, stop };
        let mut events = 0;
        let trial = bench.run(&Schedule::default(), seed, &mut |run| events = run.events)?;
        let most = events.saturating_mul(COSTS_AT_MOST).max(1_000_000);
        bench.event_limit = Some(bench.event_limit.map_or(most, |limit| limit.min(most)));
        Ok((bench, trial))
    }

    /// Runs a schedule under a seed. None if it was stopped.
    pub(super) fn try_one(&self, schedule: &Schedule, seed: u64) -> Result<Option<Trial>, Failure> {
        self.run(schedule, seed, &mut |_| {})
    }

    /// The same, and shows the finished run.
    pub(super) fn run(
        &self,
        schedule: &Schedule,
        seed: u64,
        look: &mut dyn FnMut(&Run),
    ) -> Result<Option<Trial>, Failure> {
        let scenario = self.base.with(schedule)?;
        let orders = Orders {
            event_limit: self.event_limit,
            lose_a_call: self.lose_a_call,
            ..brownout_sim::orders(&scenario, seed)
        };
        let mut run = Run::new(&scenario.plan, orders);
        let ended = run.finish(Some(self.stop), &mut |_| {}).map_err(|imbalance| {
            Failure::Broken(format!(
                "{imbalance}; under seed {seed}, with these faults:\n{}",
                schedule.to_toml(&scenario.calendar)
            ))
        })?;
        let limited = match ended {
            Ended::Interrupted => return Ok(None),
            Ended::EventLimit(_) | Ended::MemoryLimit(_) => true,
            Ended::Complete => false,
        };
        look(&run);
        Ok(Some(self.trial(&scenario, &run, schedule.faults.len(), limited)))
    }

    fn trial(&self, scenario: &Scenario, run: &Run, faults: usize, limited: bool) -> Trial {
        let verdicts = evaluate(scenario, run);
        let all = verdicts.len();
        let is_given = |number: usize| number + self.base.given >= all;
        let kept = verdicts.iter().enumerate().all(|(i, v)| !is_given(i) || v.standing == Standing::Holds);
        let broken: Vec<Broken> = verdicts
            .iter()
            .enumerate()
            .filter(|(i, v)| kept && !is_given(*i) && v.standing == Standing::Violated)
            .map(|(number, verdict)| Broken { number, verdict: verdict.clone() })
            .collect();
        let effects = effects(run);
        Trial {
            vacuous: broken.is_empty() && verdicts.iter().any(|v| v.standing == Standing::Vacuous),
            broken,
            effects: effects[effects.len() - faults..].to_vec(),
            coverage: Coverage::of(run),
            score: self.worst.as_ref().filter(|_| kept).and_then(|worst| worst.score(scenario, run)),
            limited,
        }
    }
}

/// How often each entry of the timeline changed anything; the schedule's entries are the last.
fn effects(run: &Run) -> Vec<u64> {
    run.world().effects.0.clone()
}
