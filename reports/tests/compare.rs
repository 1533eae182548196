//! The pictures and tables of a made-up comparison, byte by byte with `tests/golden`, and pages of every width.
//!
//! After a change that is meant to show: `BROWNOUT_BLESS=1 cargo test -p brownout-reports`, then read the diff.

use brownout_lab::compare::{Cell, CellRun, Comparison, Difference, Dimension, Estimate, How};
use brownout_reports::compare::{Detail, cells_csv, text};
use brownout_reports::svg;
use brownout_reports::terminal::Style;
use std::fs;
use std::path::Path;
use unicode_width::UnicodeWidthStr;

fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("BROWNOUT_BLESS").is_some() {
        fs::write(&path, text).expect("golden files can be written");
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(text == expected, "{} differs; if that is meant, run with BROWNOUT_BLESS=1. Now:\n{text}", path.display());
}

/// Two designs by three points, of an axis or of a sweep.
fn made_up(sweep: bool) -> Comparison {
    let words = |words: &[&str]| words.iter().map(|word| word.to_string()).collect::<Vec<_>>();
    let last = if sweep { words(&["4", "16", "64"]) } else { words(&["shared", "deep+fail-open", "deep"]) };
    let name = if sweep { "fleets.collectors.workers" } else { "health" };
    let cell = |i: usize| {
        let (row, column) = (i / 3, i % 3);
        let mean = [0.526, 0.61, 0.946, 0.0, 0.0004, 0.9][i];
        let half = [0.003, 0.02, 0.0, 0.0, 0.0001, 0.01][i];
        let how = [How::Interval, How::Interval, How::Same, How::Bound, How::Interval, How::Interval][i];
        let high = if how == How::Bound { 3.2e-6 } else { mean + half };
        let baseline = if sweep { column } else { 0 };
        Cell {
            at: vec![row, column],
            runs: vec![CellRun { seed: 1, digest: "0123456789abcdef".into(), ..CellRun::default() }],
            estimate: Some(Estimate {
                mean,
                low: Some(mean - half),
                high: Some(high),
                how,
                seeds: 5,
                ..Estimate::default()
            }),
            safe: Some(high < 0.001),
            baseline,
            difference: (i != baseline).then_some(Difference {
                mean: mean - 0.526,
                low: Some(mean - 0.526 - half),
                high: Some(mean - 0.526 + half),
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

#[test]
fn pictures_and_tables() {
    golden("compare-matrix.svg", &svg::matrix(&made_up(false)).expect("drawn"));
    golden("compare-differences.svg", &svg::differences(&made_up(false)).expect("drawn"));
    golden("compare-sweep.svg", &svg::sweep(&made_up(true)).expect("drawn"));
    golden("compare-cells.csv", &cells_csv(&made_up(false)).expect("written"));
    golden(
        "compare-80-colour.txt",
        &text(&made_up(false), &Style { color: true, ..Style::default() }, Detail::default()),
    );
}

#[test]
fn no_line_is_wider_than_asked_and_ascii_is_ascii() {
    for width in 60..=160 {
        for (sweep, unicode) in [(false, true), (true, false)] {
            let style = Style { width, unicode, ..Style::default() };
            let page = text(&made_up(sweep), &style, Detail { costs: true, differences: true });
            for line in page.lines().filter(|line| !line.starts_with("  repeat ")) {
                assert!(line.width() <= width, "width {width}: {line}");
            }
            assert!(unicode || page.is_ascii(), "{page}");
        }
    }
}

#[test]
fn nothing_is_no_reason_to_panic() {
    let empty = Comparison { cells: vec![Cell::default()], ..Comparison::default() };
    assert!(text(&empty, &Style::default(), Detail::default()).contains("no axes"));
    for picture in [svg::matrix(&empty), svg::differences(&empty), svg::sweep(&empty)] {
        assert!(picture.expect("drawn").ends_with("</svg>\n"));
    }
}
