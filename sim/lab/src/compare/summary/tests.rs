//! What may be said of made-up runs of which the truth is known.

use super::*;
use crate::compare::{Confirm, Dimension, Verdict};
use rand::Rng;
use rand_pcg::Pcg64Mcg;

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

fn made_up(cells: &[&[f64]], seeds: usize) -> Comparison {
    let points = (0..cells.len()).map(|i| i.to_string()).collect();
    Comparison {
        seeds: seeds as u64,
        safe: 0.001,
        bad_runs: 0.05,
        dimensions: vec![Dimension { points, baseline: Some(0), ..Dimension::default() }],
        cells: cells.iter().enumerate().map(|(i, rates)| cell(i, rates)).collect(),
        ..Comparison::default()
    }
}

fn compared(cells: &[&[f64]]) -> Comparison {
    let mut result = made_up(cells, cells[0].len());
    sum_up(&mut result);
    result
}

fn verdicts(result: &Comparison) -> Vec<Option<Verdict>> {
    result.cells.iter().map(|cell| cell.verdict).collect()
}

#[test]
fn a_cell_says_how_its_interval_came_about() {
    let result = compared(&[&[0.5, 0.52, 0.51], &[0.0; 3], &[0.25; 3], &[0.0, 0.0, 0.0001]]);
    let of = |i: usize| result.cells[i].estimate.clone().unwrap();
    assert_eq!(of(0).how, How::Interval);
    assert!((of(0).high.unwrap() - 0.51 - 4.3027 * 0.01 / 3f64.sqrt()).abs() < 1e-5);
    assert_eq!((of(1).how, of(1).mean), (How::Bound, 0.0));
    assert!((of(1).high.unwrap() - stats::at_most(0, 3, 0.05)).abs() < 1e-12, "of runs, not of their 30,000 calls");
    assert_eq!((of(2).how, of(2).low, of(2).high), (How::Same, None, None), "no interval of no width");
    assert_eq!((of(3).how, of(3).low), (How::Interval, Some(0.0)), "a share is not below 0");
    let none = compared(&[&[0.5; 3], &[0.25; 3]]).cells[1].difference.clone().unwrap();
    assert_eq!((none.mean, none.low, none.high), (-0.25, None, None), "no interval of no width");
}

#[test]
fn pairing_finds_what_the_spread_hides() {
    let result = compared(&[&[0.40, 0.50, 0.60, 0.45, 0.55], &[0.41, 0.511, 0.61, 0.459, 0.56]]);
    let difference = result.cells[1].difference.clone().unwrap();
    assert!((difference.mean - 0.01).abs() < 1e-12 && difference.low > Some(0.009) && difference.high < Some(0.011));
    assert_eq!(result.panels[0].groups, [[0], [1]]);
    assert_eq!(result.cells[0].difference, None);
}

#[test]
fn what_has_no_bad_run_is_not_told_apart_and_what_overlaps_is_not_either() {
    let result = compared(&[
        &[0.0; 6],
        &[0.0, 1e-5, 0.0, 1e-5, 0.0, 0.0],
        &[0.5, 0.7, 0.6, 0.4, 0.6, 0.5],
        &[0.7, 0.5, 0.4, 0.63, 0.5, 0.6],
    ]);
    assert_eq!(result.panels[0].groups, vec![vec![0, 1], vec![2, 3]]);
    assert_eq!(result.panels[0].pairs, 6);
}

#[test]
fn an_unfinished_cell_has_no_estimate() {
    let mut result = compared(&[&[0.5, 0.52, 0.51], &[0.1, 0.2, 0.3]]);
    result.cells[1] = cell(1, &[0.1, 0.2]);
    sum_up(&mut result);
    let unfinished = &result.cells[1];
    assert_eq!((unfinished.estimate.clone(), unfinished.safe, unfinished.verdict), (None, None, None));
    assert_eq!(result.panels[0].cells, [0]);
}

#[test]
fn one_seed_gives_no_interval_and_tells_nothing_apart() {
    let result = compared(&[&[0.5], &[0.0]]);
    assert_eq!(result.cells[0].estimate.clone().map(|e| (e.how, e.high)), Some((How::Single, None)));
    assert_eq!(result.panels[0].groups, [[1, 0]], "nothing can be told apart");
    assert_eq!(verdicts(&result), [Some(Verdict::Undecided), Some(Verdict::LooksSafe)]);
}

#[test]
fn three_quiet_runs_look_safe_and_are_not_called_so() {
    let result = compared(&[&[0.0; 3], &[0.9, 0.0, 0.0], &[0.9; 3], &[0.0009, 0.0, 0.0]]);
    assert_eq!(
        verdicts(&result),
        [Verdict::LooksSafe, Verdict::Undecided, Verdict::NotSafe, Verdict::LooksSafe].map(Some)
    );
    let quiet = &result.cells[0];
    assert_eq!((quiet.safe, quiet.more_runs), (Some(false), Some(72)), "two look so: ln(0.05 / 2) / ln(0.95)");
    let found = quiet.bad_runs.clone().unwrap();
    assert!((found.bad, found.of) == (0, 3) && (found.at_most - 0.6316).abs() < 1e-4, "{found:?}");
}

/// 4 of 100 runs are hit hard: the mean is above the limit, and 5% of bad runs are not excluded.
#[test]
fn rare_bursts_are_not_safe_however_many_runs_are_quiet() {
    let mut rates = [0.0; 100];
    [7, 31, 64, 90].iter().for_each(|i| rates[*i] = 0.034);
    let result = compared(&[&rates]);
    assert_eq!((result.cells[0].verdict, result.cells[0].safe), (Some(Verdict::Undecided), Some(false)));
    // Bad runs may be few and yet weigh so much that the mean is not below the limit.
    let mut rates = [0.0; 400];
    rates[3] = 0.5;
    let result = compared(&[&rates]);
    assert!(result.cells[0].bad_runs.clone().unwrap().at_most < 0.05);
    assert_eq!(result.cells[0].verdict, Some(Verdict::Undecided));
}

#[test]
fn one_design_is_safe_after_59_quiet_runs_and_two_after_72() {
    let safe = |cells: usize, runs: usize| {
        let quiet = vec![0.0; runs];
        compared(&vec![&quiet[..]; cells]).cells[0].verdict == Some(Verdict::Safe)
    };
    assert_eq!([safe(1, 58), safe(1, 59), safe(2, 71), safe(2, 72)], [false, true, false, true]);
}

/// The runs that picked a cell do not count for it.
#[test]
fn a_confirmation_counts_runs_on_new_seeds() {
    let confirmed = |fresh: usize, bad: Option<usize>| {
        let mut quiet = vec![0.0; 5 + fresh];
        bad.into_iter().for_each(|i| quiet[i] = 0.3);
        let mut result = made_up(&[&[0.5; 5], &quiet], 5);
        result.confirm = Some(Confirm { candidates: vec![1], runs: 59 });
        sum_up(&mut result);
        (result.cells[1].verdict.unwrap(), result.cells[1].more_runs)
    };
    assert_eq!(confirmed(58, None), (Verdict::LooksSafe, Some(1)));
    assert_eq!(confirmed(59, None), (Verdict::Safe, None));
    assert_eq!(confirmed(59, Some(40)), (Verdict::Undecided, None));
}

#[test]
fn what_is_confirmed_is_quiet_in_every_setting_where_anything_is() {
    let mut result = made_up(&[&[0.0; 2], &[0.0; 2], &[0.5; 2], &[0.0; 2]], 2);
    let points = |n: usize| (0..n).map(|i| i.to_string()).collect();
    result.dimensions =
        [2, 2].map(|n| Dimension { points: points(n), baseline: Some(0), ..Dimension::default() }).to_vec();
    result.cells.iter_mut().zip(places(&[2, 2])).for_each(|(cell, at)| cell.at = at);
    result.under = Some(0);
    let confirm = super::super::safety::confirm(&result);
    assert_eq!((confirm.candidates, confirm.runs), (vec![1, 3], 72), "the other fails in the second setting");
    result.cells[3].runs[0].rate = Some(0.5);
    assert_eq!(super::super::safety::confirm(&result).candidates, [0, 1], "none is quiet in both");
}

fn unit(rng: &mut Pcg64Mcg) -> f64 {
    ((rng.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
}

/// Draws the rate of a run.
type Law = fn(&mut Pcg64Mcg) -> f64;

/// What runs are like: about normal, long-tailed, nothing mostly, either good or bad, nearly so.
const LAWS: [Law; 5] = [
    |rng| 0.5 + 0.01 * (0..12).map(|_| unit(rng)).sum::<f64>(),
    |rng| 0.01 * -libm::log(unit(rng)),
    |rng| if unit(rng) < 0.04 { 0.03 } else { 0.0 },
    |rng| if unit(rng) < 0.5 { 0.5 } else { 0.0 },
    |rng| 0.001 * unit(rng) + if unit(rng) < 0.5 { 0.5 } else { 0.0 },
];

/// In how many of `tries` comparisons of 50 equal cells a false claim is made.
fn false_claims(tries: usize, seeds: usize, law: Law, claims: &dyn Fn(&mut Comparison, &mut Pcg64Mcg) -> bool) -> f64 {
    let mut rng = Pcg64Mcg::new(0xfa15e);
    let mut made = 0;
    for _ in 0..tries {
        let cells: Vec<Vec<f64>> = (0..50).map(|_| (0..seeds).map(|_| law(&mut rng)).collect()).collect();
        let cells: Vec<&[f64]> = cells.iter().map(Vec::as_slice).collect();
        made += usize::from(claims(&mut made_up(&cells, seeds), &mut rng));
    }
    made as f64 / tries as f64
}

/// At most 5% of comparisons, give or take three standard errors.
fn assert_rare(share: f64, tries: usize, what: &str) {
    let most = 0.05 + 3.0 * (0.05 * 0.95 / tries as f64).sqrt();
    assert!(share <= most, "{what}: false in {share} of comparisons");
}

#[test]
fn equal_cells_are_told_apart_in_at_most_one_comparison_of_twenty() {
    const TRIES: usize = 60;
    for (i, law) in LAWS.into_iter().enumerate() {
        for seeds in [3, 10, 16] {
            let share = false_claims(TRIES, seeds, law, &|result, _| {
                sum_up(result);
                result.panels.iter().any(|panel| !panel.apart.is_empty())
            });
            assert_rare(share, TRIES, &format!("law {i}, {seeds} seeds"));
        }
    }
}

/// Cells with a little more bad runs than allowed: with all of them equal, each "safe" is false.
#[test]
fn cells_that_are_not_safe_are_called_so_in_at_most_one_comparison_of_twenty() {
    const TRIES: usize = 200;
    let law: Law = |rng| if unit(rng) < 0.051 { 0.3 } else { 0.0 };
    let any_safe = |result: &Comparison| result.cells.iter().any(|cell| cell.safe == Some(true));
    for seeds in [60, 140] {
        let share = false_claims(TRIES / 2, seeds, law, &|result, _| {
            sum_up(result);
            any_safe(result)
        });
        assert_rare(share, TRIES / 2, &format!("{seeds} seeds"));
    }
    let share = false_claims(TRIES, 5, law, &|result, rng| {
        let confirm = super::super::safety::confirm(result);
        for at in &confirm.candidates {
            let rates: Vec<f64> = (0..5 + confirm.runs).map(|_| law(rng)).collect();
            let old: Vec<f64> = rates.iter().enumerate().map(|(i, r)| if i < 5 { 0.0 } else { *r }).collect();
            result.cells[*at] = cell(*at, &old);
        }
        result.confirm = Some(confirm);
        sum_up(result);
        any_safe(result)
    });
    assert_rare(share, TRIES, "after a confirmation");
}

/// What is shown to be not safe is so as well.
#[test]
fn safe_cells_are_called_not_safe_in_at_most_one_comparison_of_twenty() {
    const TRIES: usize = 200;
    let law: Law = |rng| if unit(rng) < 0.049 { 0.3 } else { 0.0 };
    for seeds in [1, 5, 20] {
        let share = false_claims(TRIES, seeds, law, &|result, _| {
            sum_up(result);
            result.cells.iter().any(|cell| cell.verdict == Some(Verdict::NotSafe))
        });
        assert_rare(share, TRIES, &format!("{seeds} seeds"));
    }
}
