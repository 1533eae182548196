//! A comparison to test with; no simulation made its figures.

use brownout_lab::compare::{BadRuns, Cell, CellRun, Comparison, Difference, Dimension, Estimate, How, Verdict};

/// Two designs by three points, of an axis or of a sweep.
pub fn made_up(sweep: bool) -> Comparison {
    let words = |words: &[&str]| words.iter().map(|word| word.to_string()).collect::<Vec<_>>();
    let last = if sweep { words(&["4", "16", "64"]) } else { words(&["shared", "deep+fail-open", "deep"]) };
    let name = if sweep { "fleets.collectors.workers" } else { "health" };
    let cell = |i: usize| {
        let (row, column) = (i / 3, i % 3);
        let mean = [0.526, 0.61, 0.946, 0.0, 0.0004, 0.9][i];
        let half = [0.003, 0.02, 0.0, 0.0, 0.0001, 0.01][i];
        let how = [How::Interval, How::Interval, How::Same, How::Bound, How::Interval, How::Interval][i];
        let ends = match how {
            How::Interval => (Some(mean - half), Some(mean + half)),
            How::Bound => (Some(0.0), Some(0.451)),
            _ => (None, None),
        };
        // Nothing was bad in the fourth, and in one run of five in the fifth.
        let bad = [5, 5, 5, 0, 1, 5][i];
        let verdict = match bad {
            0 => Verdict::LooksSafe,
            1 => Verdict::Undecided,
            _ => Verdict::NotSafe,
        };
        let baseline = if sweep { column } else { 0 };
        Cell {
            at: vec![row, column],
            runs: vec![CellRun { seed: 1, digest: "0123456789abcdef".into(), ..CellRun::default() }],
            estimate: Some(Estimate { mean, low: ends.0, high: ends.1, how, seeds: 5, ..Estimate::default() }),
            safe: Some(false),
            verdict: Some(verdict),
            bad_runs: Some(BadRuns { bad, of: 5, at_least: bad as f64 / 9.0, at_most: 0.451 + bad as f64 / 10.0 }),
            more_runs: (verdict == Verdict::LooksSafe).then_some(59),
            baseline,
            difference: (i != baseline).then_some(Difference {
                mean: mean - 0.526,
                low: (half > 0.0).then_some(mean - 0.526 - half),
                high: (half > 0.0).then_some(mean - 0.526 + half),
                seeds: 5,
            }),
            ..Cell::default()
        }
    };
    Comparison {
        scenario: "day.toml".into(),
        title: "A <made-up> day & its designs".into(),
        window: ("11:45".into(), "18:08".into()),
        metric: "track.dropped_rate".into(),
        seeds: 5,
        first_seed: 1,
        safe: 0.001,
        bad_runs: 0.05,
        dimensions: vec![
            Dimension {
                name: "isolation".into(),
                points: words(&["shared", "bulkhead"]),
                baseline: Some(0),
                ..Dimension::default()
            },
            Dimension {
                name: name.into(),
                points: last,
                sweep,
                baseline: (!sweep).then_some(0),
                written: sweep.then(|| "16".into()),
            },
        ],
        cells: (0..6).map(cell).collect(),
        ended: "complete".into(),
        ..Comparison::default()
    }
}
