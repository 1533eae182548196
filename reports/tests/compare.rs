//! The pictures and tables of a made-up comparison, byte by byte with `tests/golden`, and pages of every width.
//!
//! After a change that is meant to show: `BROWNOUT_BLESS=1 cargo test -p brownout-reports`, then read the diff.

use crate::made_up::made_up;
use brownout_lab::compare::{Cell, Comparison};
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
