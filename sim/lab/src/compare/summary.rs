//! From runs to cells: intervals, differences, costs, and groups of designs that cannot be told apart.

use super::{CallCosts, Cell, CellRun, Comparison, Costs, Difference, Estimate, How, Panel, places};
use crate::stats;
use std::collections::{BTreeMap, BTreeSet};

/// Fills in all that follows from the runs.
pub(super) fn sum_up(result: &mut Comparison) {
    let pilot = result.seeds as usize;
    for cell in &mut result.cells {
        if cell.runs.len() < pilot {
            continue;
        }
        cell.estimate = estimate(&cell.runs, pilot);
        cell.costs = Some(mean_costs(&cell.runs));
    }
    for at in 0..result.cells.len() {
        let (own, base) = (&result.cells[at], &result.cells[result.cells[at].baseline]);
        let difference = if own.baseline == at { None } else { difference(own, base, pilot) };
        result.cells[at].difference = difference;
    }
    super::safety::judge(result);
    result.panels = panels(result);
}

fn rates(runs: &[CellRun]) -> Option<Vec<f64>> {
    runs.iter().map(|run| run.rate).collect()
}

fn estimate(runs: &[CellRun], pilot: usize) -> Option<Estimate> {
    let rates = rates(runs)?;
    let all = stats::sample(&rates)?;
    let (hits, offered) = runs.iter().fold((0, 0), |(h, o), run| (h + run.hits, o + run.offered));
    let mut estimate = Estimate { mean: all.mean, seeds: all.n, hits, offered, ..Estimate::default() };
    if rates.iter().all(|rate| *rate == 0.0) {
        // A run counts for at most 1, so the share of runs with any hit bounds the mean.
        let bound = stats::at_most(0, all.n as u64, 1.0 - stats::CONFIDENCE);
        (estimate.low, estimate.high) = (Some(0.0), Some(bound));
        estimate.how = How::Bound;
    } else if all.n < 2 {
        estimate.how = How::Single;
    } else {
        // Only shares of calls are compared (`Metric::is_loss`), so 0 and 1 are true ends.
        (estimate.low, estimate.high) = stats::interval_of_shares(&rates, pilot).unzip();
        estimate.how = if estimate.low.is_some() { How::Interval } else { How::Same };
    }
    Some(estimate)
}

/// The differences over the seeds that two cells have both run.
fn paired(a: &Cell, b: &Cell) -> Option<Vec<f64>> {
    let pairs = a.runs.iter().zip(&b.runs);
    pairs.map(|(a, b)| Some(a.rate? - b.rate?)).collect()
}

fn difference(own: &Cell, base: &Cell, pilot: usize) -> Option<Difference> {
    own.estimate.as_ref().and(base.estimate.as_ref())?;
    let values = paired(own, base)?;
    let mean = stats::sample(&values)?.mean;
    let (low, high) = stats::interval(&values, pilot).unzip();
    Some(Difference { mean, low, high, seeds: values.len() })
}

fn mean_costs(runs: &[CellRun]) -> Costs {
    let n = runs.len() as f64;
    let mean = |f: &dyn Fn(&Costs) -> f64| runs.iter().map(|run| f(&run.costs)).sum::<f64>() / n;
    let recovered: Vec<f64> = runs.iter().filter_map(|run| run.costs.recovery_s).collect();
    let kinds: BTreeSet<&String> = runs.iter().flat_map(|run| run.costs.calls.keys()).collect();
    let stores: BTreeSet<&String> = runs.iter().flat_map(|run| run.costs.queries.keys()).collect();
    let call = |costs: &Costs, kind: &str| costs.calls.get(kind).copied().unwrap_or_default();
    let calls = kinds.into_iter().map(|kind| {
        let costs = CallCosts { late: mean(&|c| call(c, kind).late), lost: mean(&|c| call(c, kind).lost) };
        (kind.clone(), costs)
    });
    let queries = stores.into_iter().map(|store| {
        let queries = mean(&|c| c.queries.get(store).copied().unwrap_or(0.0));
        (store.clone(), queries)
    });
    Costs {
        calls: calls.collect::<BTreeMap<_, _>>(),
        servers: mean(&|c| c.servers),
        queries: queries.collect(),
        recovery_s: stats::sample(&recovered).map(|s| s.mean),
        not_recovered: mean(&|c| c.not_recovered),
        flaps: mean(&|c| c.flaps),
    }
}

/// One panel for every combination of what goes wrong, what is swept, and what has a baseline at each of its points.
fn panels(result: &Comparison) -> Vec<Panel> {
    let held: Vec<usize> = (0..result.dimensions.len())
        .filter(|i| {
            let dimension = &result.dimensions[*i];
            Some(*i) == result.under || dimension.baseline.is_none()
        })
        .collect();
    let lengths: Vec<usize> = held.iter().map(|i| result.dimensions[*i].points.len()).collect();
    let panel = |points: Vec<usize>| {
        let at: Vec<(usize, usize)> = held.iter().copied().zip(points).collect();
        let inside = |cell: &Cell| at.iter().all(|(d, p)| cell.at[*d] == *p) && cell.estimate.is_some();
        let cells: Vec<usize> = (0..result.cells.len()).filter(|i| inside(&result.cells[*i])).collect();
        panel(result, at, cells)
    };
    let mut panels: Vec<Panel> = places(&lengths).into_iter().map(panel).collect();
    let tested: Vec<Vec<(usize, usize)>> = panels.iter().map(|panel| pairs(&panel.cells)).collect();
    let p_values: Vec<f64> = tested.iter().flatten().map(|(a, b)| p_value(result, *a, *b)).collect();
    // One reader reads all panels, so they are corrected together.
    let mut passes = stats::holm(&p_values).into_iter();
    for (panel, tested) in panels.iter_mut().zip(tested) {
        panel.apart = tested.into_iter().zip(&mut passes).filter(|(_, passes)| *passes).map(|(pair, _)| pair).collect();
        panel.groups = groups(&panel.cells, &panel.apart);
    }
    panels
}

fn panel(result: &Comparison, at: Vec<(usize, usize)>, mut cells: Vec<usize>) -> Panel {
    let mean = |i: usize| result.cells[i].estimate.as_ref().map_or(f64::NAN, |e| e.mean);
    cells.sort_by(|a, b| mean(*a).total_cmp(&mean(*b)).then(a.cmp(b)));
    let pairs = cells.len() * cells.len().saturating_sub(1) / 2;
    Panel { at, cells, pairs, ..Panel::default() }
}

/// All pairs of some cells, the lower first.
fn pairs(cells: &[usize]) -> Vec<(usize, usize)> {
    let with = |(i, low): (usize, &usize)| cells[i + 1..].iter().map(|high| (*low, *high)).collect::<Vec<_>>();
    cells.iter().enumerate().flat_map(with).collect()
}

/// How likely two cells would differ so if they were equal. Two without a bad run are as near as anyone needs to know;
/// they still count among the pairs, since the runs themselves say which these are.
fn p_value(result: &Comparison, low: usize, high: usize) -> f64 {
    let (a, b) = (&result.cells[low], &result.cells[high]);
    let quiet = |cell: &Cell| cell.verdict.is_some_and(|verdict| verdict.is_quiet());
    if quiet(a) && quiet(b) {
        return 1.0;
    }
    paired(a, b).and_then(|values| stats::p_value(&values, result.seeds as usize)).unwrap_or(1.0)
}

/// Cells from the lowest mean upwards, a new group where one is told apart from any of the last group.
fn groups(cells: &[usize], apart: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let apart: BTreeSet<&(usize, usize)> = apart.iter().collect();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for cell in cells {
        match groups.last_mut() {
            Some(group) if group.iter().all(|other| !apart.contains(&(*other, *cell))) => group.push(*cell),
            _ => groups.push(vec![*cell]),
        }
    }
    groups
}

#[cfg(test)]
mod tests;
