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
        cell.safe = cell.estimate.as_ref().map(|e| e.high.is_some_and(|high| high < result.safe));
        cell.costs = Some(mean_costs(&cell.runs));
    }
    for at in 0..result.cells.len() {
        let (own, base) = (&result.cells[at], &result.cells[result.cells[at].baseline]);
        let difference = if own.baseline == at { None } else { difference(own, base, pilot) };
        result.cells[at].difference = difference;
    }
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
        (estimate.low, estimate.high) = (Some(0.0), Some(stats::bound_of_none(offered)));
        estimate.how = How::Bound;
    } else if all.n < 2 {
        estimate.how = How::Single;
    } else if all.deviation == 0.0 {
        (estimate.low, estimate.high) = (Some(all.mean), Some(all.mean));
        estimate.how = How::Same;
    } else if let Some((low, high)) = stats::interval(&rates, pilot) {
        (estimate.low, estimate.high) = (Some(low.max(0.0)), Some(high.min(1.0)));
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
        group(result, at, cells)
    };
    places(&lengths).into_iter().map(panel).collect()
}

/// Tests every pair of a panel, less those that are both safe: that is as near as anyone needs to know.
fn group(result: &Comparison, at: Vec<(usize, usize)>, mut cells: Vec<usize>) -> Panel {
    let pilot = result.seeds as usize;
    let mean = |i: usize| result.cells[i].estimate.as_ref().map_or(f64::NAN, |e| e.mean);
    cells.sort_by(|a, b| mean(*a).total_cmp(&mean(*b)).then(a.cmp(b)));
    let mut tested = Vec::new();
    let mut p_values = Vec::new();
    for (i, low) in cells.iter().enumerate() {
        for high in &cells[i + 1..] {
            let (a, b) = (&result.cells[*low], &result.cells[*high]);
            if a.safe == Some(true) && b.safe == Some(true) {
                continue;
            }
            tested.push((*low, *high));
            p_values.push(paired(a, b).and_then(|values| stats::p_value(&values, pilot)).unwrap_or(1.0));
        }
    }
    let passes = stats::holm(&p_values);
    let apart: BTreeSet<(usize, usize)> =
        tested.iter().zip(&passes).filter(|(_, passes)| **passes).map(|(pair, _)| *pair).collect();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for cell in &cells {
        match groups.last_mut() {
            Some(group) if group.iter().all(|other| !apart.contains(&(*other, *cell))) => group.push(*cell),
            _ => groups.push(vec![*cell]),
        }
    }
    Panel { at, cells, pairs: tested.len(), groups, apart: apart.into_iter().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Dimension;

    fn cell(at: usize, rates: &[f64]) -> Cell {
        let run = |(i, rate): (usize, &f64)| CellRun {
            seed: i as u64 + 1,
            rate: Some(*rate),
            hits: (rate * 10_000.0) as u64,
            offered: 10_000,
            ..CellRun::default()
        };
        Cell { at: vec![at], runs: rates.iter().enumerate().map(run).collect(), ..Cell::default() }
    }

    fn compared(cells: &[&[f64]]) -> Comparison {
        let points = (0..cells.len()).map(|i| i.to_string()).collect();
        let mut result = Comparison {
            seeds: cells[0].len() as u64,
            safe: 0.001,
            dimensions: vec![Dimension { points, baseline: Some(0), ..Dimension::default() }],
            cells: cells.iter().enumerate().map(|(i, rates)| cell(i, rates)).collect(),
            ..Comparison::default()
        };
        sum_up(&mut result);
        result
    }

    #[test]
    fn a_cell_says_how_its_interval_came_about() {
        let result = compared(&[&[0.5, 0.52, 0.51], &[0.0; 3], &[0.25; 3], &[0.0, 0.0, 0.0001]]);
        let of = |i: usize| result.cells[i].estimate.clone().unwrap();
        assert_eq!(of(0).how, How::Interval);
        assert!((of(0).high.unwrap() - 0.51 - 4.3027 * 0.01 / 3f64.sqrt()).abs() < 1e-5);
        assert_eq!((of(1).how, of(1).mean), (How::Bound, 0.0));
        assert!((of(1).high.unwrap() - stats::bound_of_none(30_000)).abs() < 1e-15);
        assert_eq!((of(2).how, of(2).low), (How::Same, Some(0.25)));
        assert_eq!((of(3).how, of(3).low), (How::Interval, Some(0.0)), "cut at 0");
        assert_eq!(
            result.cells.iter().map(|c| c.safe).collect::<Vec<_>>(),
            [Some(false), Some(true), Some(false), Some(true)]
        );
    }

    #[test]
    fn pairing_finds_what_the_spread_hides() {
        let result = compared(&[&[0.40, 0.50, 0.60, 0.45, 0.55], &[0.41, 0.511, 0.61, 0.459, 0.56]]);
        let difference = result.cells[1].difference.clone().unwrap();
        assert!(
            (difference.mean - 0.01).abs() < 1e-12 && difference.low > Some(0.009) && difference.high < Some(0.011)
        );
        assert_eq!(result.panels[0].groups, [[0], [1]]);
        assert_eq!(result.cells[0].difference, None);
    }

    #[test]
    fn what_is_safe_is_not_told_apart_and_what_overlaps_is_not_either() {
        let result = compared(&[&[0.0; 4], &[0.0, 1e-5, 0.0, 1e-5], &[0.5, 0.7, 0.6, 0.4], &[0.7, 0.5, 0.4, 0.63]]);
        assert_eq!(result.panels[0].groups, vec![vec![0, 1], vec![2, 3]]);
        assert_eq!(result.panels[0].pairs, 5);
    }

    #[test]
    fn an_unfinished_cell_has_no_estimate() {
        let mut result = compared(&[&[0.5, 0.52, 0.51], &[0.1, 0.2, 0.3]]);
        result.cells[1] = cell(1, &[0.1, 0.2]);
        sum_up(&mut result);
        assert_eq!((result.cells[1].estimate.clone(), result.cells[1].safe), (None, None));
        assert_eq!(result.panels[0].cells, [0]);
    }

    #[test]
    fn one_seed_gives_no_interval() {
        let result = compared(&[&[0.5], &[0.0]]);
        assert_eq!(result.cells[0].estimate.clone().map(|e| (e.how, e.high)), Some((How::Single, None)));
        assert_eq!(result.cells[1].estimate.clone().map(|e| e.how), Some(How::Bound));
        assert_eq!(result.panels[0].groups, [[1, 0]], "nothing can be told apart");
    }
}
