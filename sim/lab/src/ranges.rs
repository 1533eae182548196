//! How much of each assumed range keeps a piece of evidence met.
//!
//! Each number with a range (assumed, or calibrated) is moved through it alone, the others as they are, one run
//! per point. Points are evenly spaced between the ends, geometrically where the ends differ tenfold or more. A
//! conclusion that holds at few of them hangs on that number. Not modelled: ranges in combination.

use crate::values::between;
use brownout_scenarios::{Diagnostics, Provenance, Request, Scenario, load};
use brownout_sim::{metric, run::Ended, run::Run};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, Ordering};

/// One number and what its range does to the evidence.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Range {
    /// Its path: "fleets.collectors.count".
    pub path: String,
    /// Its value in the file.
    pub value: String,
    /// "assumed" or "calibrated".
    pub mark: String,
    /// The points tried, from the lowest.
    pub points: Vec<Point>,
    /// Part of the points at which the evidence is met, from 0 to 1.
    pub kept: f64,
}

/// One run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Point {
    /// The number's value.
    pub value: String,
    /// What the metric gave.
    pub simulated: String,
    /// The bare number behind it (a rate, a count or seconds), if there is one.
    #[serde(default)]
    pub result: Option<f64>,
    /// Whether the evidence is met (fitted counts).
    pub met: bool,
}

/// What can go wrong.
#[derive(Debug)]
pub enum Failure {
    /// The scenario has mistakes.
    Scenario(Diagnostics),
    /// It has no such evidence; the ids that there are.
    Evidence(Vec<String>),
    /// The ledger of a run did not balance.
    Broken(String),
}

/// What a walk found.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Walk {
    /// The scenario file, as named on the command line.
    #[serde(default)]
    pub scenario: String,
    /// The id of the evidence.
    #[serde(default)]
    pub evidence: String,
    /// What it says.
    #[serde(default)]
    pub says: String,
    /// What the file's own numbers give.
    #[serde(default)]
    pub written: Option<f64>,
    /// The seed of all runs.
    #[serde(default)]
    pub seed: u64,
    /// The numbers that have a range, in the order of the file.
    pub ranges: Vec<Range>,
    /// Whether it was told to stop before the last run; then some points are missing.
    pub interrupted: bool,
}

/// Moves every number that has a range through `points` values of it and compares one piece of evidence.
///
/// # Errors
/// See [`Failure`].
pub fn ranges(
    request: &Request<'_>,
    evidence: &str,
    points: usize,
    seed: u64,
    stop: &AtomicBool,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Walk, Failure> {
    let base = load(request).map_err(Failure::Scenario)?;
    let Some(spec) = base.evidence.iter().find(|e| e.id == evidence) else {
        return Err(Failure::Evidence(base.evidence.iter().map(|e| e.id.clone()).collect()));
    };
    let written = compare(&base, evidence, seed, stop)?.and_then(|compared| compared.value);
    let numbers: Vec<&Provenance> = base.provenance.iter().filter(|p| p.range.is_some()).collect();
    let jobs: Vec<(usize, String)> = numbers
        .iter()
        .enumerate()
        .flat_map(|(i, p)| values(p, points).into_iter().map(move |value| (i, value)))
        .collect();
    let done = std::sync::atomic::AtomicUsize::new(0);
    let all = jobs.len();
    let results: Result<Vec<Option<(usize, Point)>>, Failure> = jobs
        .into_par_iter()
        .map(|(i, value)| {
            let point = try_value(request, &numbers[i].path, value, evidence, seed, stop)?;
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, all);
            Ok(point.map(|point| (i, point)))
        })
        .collect();
    let results = results?;
    let interrupted = results.iter().any(Option::is_none);
    let rows = numbers.iter().enumerate().map(|(i, number)| {
        let points: Vec<Point> = results.iter().flatten().filter(|(j, _)| *j == i).map(|(_, p)| p.clone()).collect();
        let met = points.iter().filter(|p| p.met).count();
        Range {
            path: number.path.clone(),
            value: number.value.clone(),
            mark: number.mark.clone(),
            kept: met as f64 / points.len().max(1) as f64,
            points,
        }
    });
    let (evidence, says) = (spec.id.clone(), spec.says.clone());
    let scenario = base.name.clone();
    Ok(Walk { scenario, evidence, says, written, seed, ranges: rows.collect(), interrupted })
}

fn try_value(
    request: &Request<'_>,
    path: &str,
    value: String,
    evidence: &str,
    seed: u64,
    stop: &AtomicBool,
) -> Result<Option<Point>, Failure> {
    if stop.load(Ordering::Relaxed) {
        return Ok(None);
    }
    let mut set = request.set.to_vec();
    set.push(format!("{path}={value}"));
    let scenario = match load(&Request { set: &set, ..*request }) {
        Ok(scenario) => scenario,
        // An end of one range may contradict another number; that is a result, not a failure.
        Err(mistakes) => return Ok(Some(Point { value, simulated: first_line(&mistakes), result: None, met: false })),
    };
    let Some(compared) = compare(&scenario, evidence, seed, stop)? else { return Ok(None) };
    let met = matches!(compared.verdict.as_str(), "met" | "fitted");
    Ok(Some(Point { value, simulated: compared.simulated, result: compared.value, met }))
}

fn first_line(mistakes: &Diagnostics) -> String {
    mistakes.messages().into_iter().next().unwrap_or_default()
}

fn compare(
    scenario: &Scenario,
    evidence: &str,
    seed: u64,
    stop: &AtomicBool,
) -> Result<Option<brownout_sim::outcome::Evidence>, Failure> {
    let mut run = Run::new(&scenario.plan, brownout_sim::orders(scenario, seed));
    match run.finish(Some(stop), &mut |_| {}) {
        Ok(Ended::Interrupted) => return Ok(None),
        Ok(_) => {}
        Err(imbalance) => return Err(Failure::Broken(imbalance.to_string())),
    }
    let spec = scenario.evidence.iter().find(|e| e.id == evidence);
    let spec = spec.ok_or_else(|| Failure::Evidence(scenario.evidence.iter().map(|e| e.id.clone()).collect()))?;
    Ok(Some(metric::compare(scenario, &run, spec)))
}

/// Values from one end of a range to the other.
fn values(number: &Provenance, points: usize) -> Vec<String> {
    number.range.as_ref().and_then(|(low, high)| between(low, high, points)).unwrap_or_default()
}
