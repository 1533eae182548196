//! Which design a report sets beside the baseline, and the whole day of each.
//!
//! A rule, not advice: a reader who knows prices that the model does not know chooses another.

use super::{Comparison, How, Verdict, places};
use crate::ranges::Failure;
use brownout_scenarios::{Request, load};
use brownout_sim::outcome::Outcome;
use rayon::prelude::*;
use std::cmp::Ordering;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// Differences of lost and late calls below this do not decide between two designs.
const COARSE: f64 = 0.005;

/// The baseline and the chosen design in one setting.
#[derive(Clone, PartialEq, Debug)]
pub struct Pair {
    /// The cell of the baseline.
    pub baseline: usize,
    /// The cell of the chosen design; none where no design other than the baseline has an estimate in every setting.
    pub chosen: Option<usize>,
}

/// What is known of a design over all settings.
struct Merit {
    /// The worst of its verdicts.
    verdict: Verdict,
    /// The upper end of its worst interval; the mean where there is no interval.
    worst: f64,
    /// Servers, lost and late calls of all kinds, queries: means over settings.
    servers: f64,
    lost: f64,
    late: f64,
    queries: f64,
    /// In how many dimensions it differs from the baseline.
    changes: usize,
}

/// Per setting (a point of each dimension that has no baseline of its own; of a sweep, the value that the file has) the
/// baseline and one design, the same in all settings. `asked` names it by its points ("bulkhead"; points not named are
/// the baseline's); without, it is the design that is safe in every setting, or where there is none one that looks so, at the least cost:
/// fewest servers, then fewest lost and late calls of all kinds, fewest changes, fewest queries. Where none looks safe
/// everywhere, it is the one whose worst interval ends lowest.
///
/// # Errors
/// The name in `asked` that is no point of a design dimension.
pub fn pairs(c: &Comparison, asked: &[String]) -> Result<Vec<Pair>, String> {
    let design = c.design_dimensions();
    let rest: Vec<usize> = (0..c.dimensions.len()).filter(|d| !design.contains(d)).collect();
    let open: Vec<usize> = rest.iter().chain(&design).copied().filter(|d| is_setting(c, *d)).collect();
    let lengths: Vec<usize> = open.iter().map(|d| c.dimensions[*d].points.len()).collect();
    let built: Vec<usize> = design.into_iter().filter(|d| !open.contains(d)).collect();
    let settings: Vec<Vec<usize>> = places(&lengths)
        .into_iter()
        .map(|points| {
            let mut at: Vec<usize> = c.dimensions.iter().map(|d| d.baseline.unwrap_or_else(|| written(d))).collect();
            open.iter().zip(points).for_each(|(d, p)| at[*d] = p);
            at
        })
        .collect();
    let chosen = if asked.is_empty() { best(c, &built, &settings) } else { Some(named(c, &built, asked)?) };
    let pair = |setting: &Vec<usize>| {
        let baseline = c.index(setting);
        let cell = chosen.as_ref().map(|points| {
            let mut at = setting.clone();
            built.iter().zip(points).for_each(|(d, p)| at[*d] = *p);
            c.index(&at)
        });
        Pair { baseline, chosen: cell.filter(|cell| *cell != baseline) }
    };
    Ok(settings.iter().map(pair).collect())
}

fn is_setting(c: &Comparison, d: usize) -> bool {
    !c.dimensions[d].sweep && (Some(d) == c.under || c.dimensions[d].baseline.is_none())
}

/// The point of a sweep that the file has, or the first.
fn written(d: &super::Dimension) -> usize {
    d.points.iter().position(|p| Some(p) == d.written.as_ref()).unwrap_or(0)
}

fn named(c: &Comparison, built: &[usize], asked: &[String]) -> Result<Vec<usize>, String> {
    let mut points: Vec<usize> = built.iter().map(|d| c.dimensions[*d].baseline.unwrap_or(0)).collect();
    for word in asked.iter().flat_map(|text| text.split([',', '/'])).map(str::trim).filter(|word| !word.is_empty()) {
        let (axis, point) = word.split_once('=').map_or((None, word), |(axis, point)| (Some(axis), point));
        let found = built.iter().enumerate().find_map(|(i, d)| {
            let dimension = &c.dimensions[*d];
            let here = axis.is_none_or(|axis| axis == dimension.name);
            dimension.points.iter().position(|p| here && p == point).map(|p| (i, p))
        });
        let Some((i, p)) = found else {
            let all = built.iter().flat_map(|d| c.dimensions[*d].points.iter().map(String::as_str));
            return Err(format!(
                "no design \"{word}\" was compared; there are: {}",
                all.collect::<Vec<_>>().join(", ")
            ));
        };
        points[i] = p;
    }
    Ok(points)
}

fn best(c: &Comparison, built: &[usize], settings: &[Vec<usize>]) -> Option<Vec<usize>> {
    let lengths: Vec<usize> = built.iter().map(|d| c.dimensions[*d].points.len()).collect();
    let base: Vec<usize> = built.iter().map(|d| c.dimensions[*d].baseline.unwrap_or(0)).collect();
    let mut all: Vec<(Vec<usize>, Merit)> = places(&lengths)
        .into_iter()
        .filter(|points| *points != base)
        .filter_map(|points| Some((points.clone(), merit(c, built, settings, &points, &base)?)))
        .collect();
    all.sort_by(|a, b| compare(&a.1, &b.1));
    all.into_iter().next().map(|(points, _)| points)
}

fn merit(c: &Comparison, built: &[usize], settings: &[Vec<usize>], points: &[usize], base: &[usize]) -> Option<Merit> {
    let mut sum = Merit {
        verdict: Verdict::Safe,
        worst: 0.0,
        servers: 0.0,
        lost: 0.0,
        late: 0.0,
        queries: 0.0,
        changes: points.iter().zip(base).filter(|(a, b)| a != b).count(),
    };
    for setting in settings {
        let mut at = setting.clone();
        built.iter().zip(points).for_each(|(d, p)| at[*d] = *p);
        let cell = &c.cells[c.index(&at)];
        let (e, costs) = (cell.estimate.as_ref()?, cell.costs.as_ref()?);
        sum.verdict = sum.verdict.max(cell.verdict?);
        // Without a hit the bound says how few the runs are, not how bad the design is.
        sum.worst = sum.worst.max(e.high.filter(|_| e.how == How::Interval).unwrap_or(e.mean));
        sum.servers += costs.servers;
        sum.lost += costs.calls.values().map(|call| call.lost).sum::<f64>();
        sum.late += costs.calls.values().map(|call| call.late).sum::<f64>();
        sum.queries += costs.queries.values().sum::<f64>();
    }
    let n = settings.len().max(1) as f64;
    for figure in [&mut sum.servers, &mut sum.lost, &mut sum.late, &mut sum.queries] {
        *figure /= n;
    }
    Some(sum)
}

fn compare(a: &Merit, b: &Merit) -> Ordering {
    let coarse = |x: f64, y: f64| (x / COARSE).round().total_cmp(&(y / COARSE).round());
    if a.verdict != b.verdict && (a.verdict.is_quiet() || b.verdict.is_quiet()) {
        return a.verdict.cmp(&b.verdict);
    }
    // Undecided or not safe hangs on how many runs there are, not on how bad the design is: the figures decide.
    if !a.verdict.is_quiet() {
        return a.worst.total_cmp(&b.worst).then(a.changes.cmp(&b.changes));
    }
    a.servers
        .total_cmp(&b.servers)
        .then(coarse(a.lost, b.lost))
        .then(coarse(a.late, b.late))
        .then(a.changes.cmp(&b.changes))
        .then(a.queries.total_cmp(&b.queries))
}

/// Runs cells once more under their first seed and keeps the whole outcomes, which a comparison does not. None for a cell
/// that was stopped.
///
/// # Errors
/// See [`Failure`].
pub fn days(
    path: &Path,
    c: &Comparison,
    cells: &[usize],
    stop: &AtomicBool,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Vec<Option<Outcome>>, Failure> {
    let done = AtomicUsize::new(0);
    let one = |cell: &usize| {
        let cell = &c.cells[*cell];
        let scenario = load(&Request { path, set: &cell.set, design: &cell.design }).map_err(Failure::Scenario)?;
        let outcome = brownout_sim::simulate(&scenario, c.first_seed, Some(stop), &mut |_| {});
        progress(done.fetch_add(1, Relaxed) + 1, cells.len());
        let outcome = outcome.map_err(|imbalance| Failure::Broken(imbalance.to_string()))?;
        Ok((!outcome.ended.starts_with("interrupted")).then_some(outcome))
    };
    cells.par_iter().with_max_len(1).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{CallCosts, Cell, Costs, Dimension, Estimate};

    /// Two settings, three isolations, two healths; figures per design: upper end, safe, servers, lost.
    fn made_up(figures: [(f64, bool, f64, f64); 6]) -> Comparison {
        let dimension = |name: &str, points: &[&str], baseline| Dimension {
            name: name.into(),
            points: points.iter().map(|p| p.to_string()).collect(),
            baseline,
            ..Dimension::default()
        };
        let cell = |at: Vec<usize>| {
            let (high, safe, servers, lost) = figures[at[1] * 2 + at[2]];
            Cell {
                estimate: Some(Estimate { mean: high, high: Some(high), ..Estimate::default() }),
                verdict: Some(if safe { Verdict::LooksSafe } else { Verdict::NotSafe }),
                costs: Some(Costs {
                    servers,
                    calls: [("identify".to_string(), CallCosts { late: 0.0, lost })].into(),
                    ..Costs::default()
                }),
                at,
                ..Cell::default()
            }
        };
        Comparison {
            dimensions: vec![
                dimension("mechanism", &["crash", "hang"], None),
                dimension("isolation", &["shared", "bulkhead", "apart"], Some(0)),
                dimension("health", &["shared", "deep"], Some(0)),
            ],
            under: Some(0),
            cells: places(&[2, 3, 2]).into_iter().map(cell).collect(),
            ..Comparison::default()
        }
    }

    #[test]
    fn the_safe_design_that_costs_least_is_chosen_in_every_setting() {
        let bad = (0.5, false, 16.0, 1.0);
        let c = made_up([bad, bad, (1e-4, true, 16.0, 0.9), bad, (0.0, true, 18.0, 0.1), (1e-4, true, 16.0, 0.903)]);
        let found = pairs(&c, &[]).unwrap();
        assert_eq!(found, [Pair { baseline: 0, chosen: Some(2) }, Pair { baseline: 6, chosen: Some(8) }]);
    }

    #[test]
    fn without_a_safe_design_the_least_bad_at_its_worst_is_chosen() {
        let c = made_up([(0.5, false, 1.0, 0.0); 6].map(|mut f| {
            f.0 = 0.4;
            f
        }));
        let mut c2 = c.clone();
        c2.cells[4].estimate = Some(Estimate { mean: 0.1, high: Some(0.2), ..Estimate::default() });
        c2.cells[10].estimate = Some(Estimate { mean: 0.3, high: Some(0.39), ..Estimate::default() });
        assert_eq!(pairs(&c2, &[]).unwrap()[0].chosen, Some(4));
        c2.cells[10].estimate = None;
        assert_ne!(pairs(&c2, &[]).unwrap()[0].chosen, Some(4), "not finished everywhere");
    }

    #[test]
    fn a_design_may_be_asked_for() {
        let c = made_up([(0.5, false, 1.0, 0.0); 6]);
        assert_eq!(pairs(&c, &["apart,health=deep".into()]).unwrap()[1].chosen, Some(11));
        assert_eq!(pairs(&c, &["shared".into()]).unwrap()[0].chosen, None, "the baseline itself");
        assert!(pairs(&c, &["apar".into()]).unwrap_err().contains("there are: shared, bulkhead"));
    }
}
