//! What may be called safe, by how many runs.
//!
//! A run is bad where the metric reaches the limit. A design is *safe* if it is shown, with 95% confidence for all cells
//! together, that at most a given share of its runs is bad. Without a bad run in n, the share is at most 1 - 0.05^(1/n):
//! 45% after 5 runs, 5% after 59 (Clopper and Pearson). The best of many cells is picked by luck too, so the confidence is
//! parted by Holm's rule: with k cells, none bad, it takes ln(0.05 / k) / ln(1 - share) runs of each.
//!
//! Runs that picked a cell cannot confirm it as well: of cells with 5% of bad runs, those without one among the first five
//! are a selection. So a confirmation counts runs on new seeds alone, and its k is the number of cells picked. Where there
//! is one cell there is nothing to pick, and all runs count.

use super::{BadRuns, Cell, Comparison, Confirm, How, Verdict, places};
use crate::stats::{self, CONFIDENCE};

/// The probability of being wrong that all claims of one kind share.
const ALPHA: f64 = 1.0 - CONFIDENCE;

/// The cells that a confirmation runs, and how often: those without a bad run, and of designs that are so in every setting
/// if there are any, since a design that fails in one is not looked for.
pub(super) fn confirm(result: &Comparison) -> Confirm {
    let quiet = |at: &usize| bad_runs(result, &result.cells[*at]).is_some_and(|found| found.bad == 0);
    let everywhere: Vec<usize> =
        designs(result).into_iter().filter(|cells| cells.iter().all(quiet)).flatten().collect();
    let mut candidates =
        if everywhere.is_empty() { (0..result.cells.len()).filter(quiet).collect() } else { everywhere };
    candidates.sort_unstable();
    let runs = if candidates.is_empty() { 0 } else { needed(result, candidates.len()) };
    Confirm { candidates, runs }
}

/// The place of the first run that counts for a confirmation, in the order of the seeds.
pub(super) fn first_that_counts(result: &Comparison) -> u64 {
    if result.cells.len() > 1 { result.seeds } else { 0 }
}

/// How many runs without a bad one make `cells` cells safe.
fn needed(result: &Comparison, cells: usize) -> u64 {
    stats::quiet_runs(result.bad_runs, ALPHA / cells as f64)
}

/// The cells of each design, over what goes wrong and what is swept.
fn designs(result: &Comparison) -> Vec<Vec<usize>> {
    let built = result.design_dimensions();
    let lengths = |design: bool| {
        let length = |d: usize| if built.contains(&d) == design { result.dimensions[d].points.len() } else { 1 };
        (0..result.dimensions.len()).map(length).collect::<Vec<_>>()
    };
    let settings = places(&lengths(false));
    let cells = |design: Vec<usize>| {
        let at = |setting: &Vec<usize>| design.iter().zip(setting).map(|(a, b)| a + b).collect::<Vec<_>>();
        settings.iter().map(|setting| result.index(&at(setting))).collect()
    };
    places(&lengths(true)).into_iter().map(cells).collect()
}

fn bad_runs(result: &Comparison, cell: &Cell) -> Option<BadRuns> {
    if cell.runs.is_empty() || (cell.runs.len() as u64) < result.seeds {
        return None;
    }
    let rates: Option<Vec<f64>> = cell.runs.iter().map(|run| run.rate).collect();
    let (bad, of) = count(&rates?, result.safe);
    Some(BadRuns { bad, of, at_least: stats::at_least(bad, of, ALPHA), at_most: stats::at_most(bad, of, ALPHA) })
}

/// Bad runs of how many.
fn count(rates: &[f64], limit: f64) -> (u64, u64) {
    (rates.iter().filter(|rate| **rate >= limit).count() as u64, rates.len() as u64)
}

/// Whether a comparison has confirmed a cell: then only the runs on new seeds count.
fn is_confirmed(result: &Comparison, at: usize) -> bool {
    result.confirm.as_ref().is_some_and(|confirm| confirm.candidates.contains(&at))
}

/// How likely so few bad runs are in a cell that is just not safe, from the runs that count.
fn p_of_safe(result: &Comparison, at: usize) -> f64 {
    let cell = &result.cells[at];
    let from = if is_confirmed(result, at) { first_that_counts(result) as usize } else { 0 };
    // Once cells are picked, the others are out of the race: what they show was seen before.
    if cell.bad_runs.is_none() || (result.confirm.is_some() && !is_confirmed(result, at)) {
        return 1.0;
    }
    let rates: Vec<f64> = cell.runs.iter().skip(from).filter_map(|run| run.rate).collect();
    let (bad, of) = count(&rates, result.safe);
    stats::binomial_up_to(bad, of, result.bad_runs)
}

/// How likely so many bad runs are in a cell that is just safe.
fn p_of_not(result: &Comparison, cell: &Cell) -> f64 {
    cell.bad_runs.as_ref().map_or(1.0, |found| stats::binomial_from(found.bad, found.of, result.bad_runs))
}

/// Fills in bad runs, verdicts, and how many more runs the word "safe" needs.
pub(super) fn judge(result: &mut Comparison) {
    for at in 0..result.cells.len() {
        let found = bad_runs(result, &result.cells[at]).filter(|_| result.cells[at].estimate.is_some());
        result.cells[at].bad_runs = found;
    }
    let all: Vec<usize> = (0..result.cells.len()).collect();
    let family: Vec<usize> = result.confirm.as_ref().map_or(all, |confirm| confirm.candidates.clone());
    let few = stats::holm(&family.iter().map(|at| p_of_safe(result, *at)).collect::<Vec<_>>());
    let shown: Vec<usize> = family.into_iter().zip(few).filter(|(_, few)| *few).map(|(at, _)| at).collect();
    let many = stats::holm(&result.cells.iter().map(|cell| p_of_not(result, cell)).collect::<Vec<_>>());
    let picked = confirm(result).candidates;
    let quiet = |cell: &&Cell| cell.bad_runs.as_ref().is_some_and(|found| found.bad == 0);
    let all_quiet = result.cells.iter().filter(quiet).count();
    for (at, many) in many.into_iter().enumerate() {
        let verdict = verdict(result, &result.cells[at], shown.contains(&at), many);
        let more = more_runs(result, at, if picked.contains(&at) { picked.len() } else { all_quiet });
        let cell = &mut result.cells[at];
        cell.verdict = verdict;
        cell.safe = verdict.map(|verdict| verdict == Verdict::Safe);
        cell.more_runs = (verdict == Some(Verdict::LooksSafe)).then_some(more);
    }
}

fn verdict(result: &Comparison, cell: &Cell, few: bool, many: bool) -> Option<Verdict> {
    let (found, estimate) = (cell.bad_runs.as_ref()?, cell.estimate.as_ref()?);
    // Few bad runs may be so bad that the mean is not below the limit.
    let end = estimate.high.filter(|_| estimate.how == How::Interval).unwrap_or(estimate.mean);
    Some(match found.bad {
        _ if few && end < result.safe => Verdict::Safe,
        0 if !few => Verdict::LooksSafe,
        _ if many => Verdict::NotSafe,
        _ => Verdict::Undecided,
    })
}

/// How many more runs without a bad one make a cell safe, if `cells` cells are confirmed together.
fn more_runs(result: &Comparison, at: usize, cells: usize) -> u64 {
    let runs = result.cells[at].runs.len() as u64;
    let begun = match &result.confirm {
        Some(confirm) if is_confirmed(result, at) => {
            return confirm.runs.saturating_sub(runs.saturating_sub(first_that_counts(result)));
        }
        _ if result.cells.len() > 1 => 0,
        _ => runs,
    };
    needed(result, cells.max(1)).saturating_sub(begun)
}
