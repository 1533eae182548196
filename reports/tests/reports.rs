//! All reports on one made-up day, compared byte by byte with `tests/golden`, and on outcomes nobody would like.
//!
//! After a change that is meant to show: `BROWNOUT_BLESS=1 cargo test -p brownout-reports`, then read the diff.

use crate::fixture::{Rng, october};
use brownout_reports::terminal::{Detail, Style, run};
use brownout_reports::{csv, json, svg, write_all};
use brownout_sim::outcome::*;
use std::fs;
use std::path::{Path, PathBuf};
use unicode_width::UnicodeWidthStr;

fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("BROWNOUT_BLESS").is_some() {
        fs::write(&path, text).expect("golden files can be written");
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        text == expected,
        "{} differs; if that is meant, run with BROWNOUT_BLESS=1 and read the diff. Now:\n{text}",
        path.display()
    );
}

const ALL: Detail = Detail { assumptions: true, timeline: true };

#[test]
fn terminal_text() {
    let style = Style::default();
    golden("run-80.txt", &run(&october(), &style));
    golden("run-120.txt", &run(&october(), &Style { width: 120, ..style }));
    golden("run-80-ascii.txt", &run(&october(), &Style { unicode: false, ..style }));
    golden("run-100-colour-detail.txt", &run(&october(), &Style { width: 100, color: true, detail: ALL, ..style }));
    golden("run-empty.txt", &run(&Outcome::default(), &style));
}

#[test]
fn ascii_is_ascii_and_colour_is_asked_for() {
    let mut outcome = october();
    outcome.title.push_str(" — äöü");
    let text = run(&outcome, &Style { unicode: false, detail: ALL, ..Style::default() });
    assert!(text.is_ascii());
    assert!(!text.contains('\x1b'));
    assert!(run(&outcome, &Style { color: true, ..Style::default() }).contains('\x1b'));
}

/// The command that repeats the run is exempt: it is one line, so that it pastes.
fn assert_fits(outcome: &Outcome, why: &str) {
    for width in 60..=200 {
        for unicode in [true, false] {
            let text = run(outcome, &Style { width, unicode, color: false, detail: ALL });
            for line in text.lines().filter(|line| !line.starts_with("  repeat ")) {
                assert!(line.width() <= width, "{why}, width {width}: {} columns\n{line}\n{text}", line.width());
            }
        }
    }
}

#[test]
fn no_line_is_wider_than_asked() {
    assert_fits(&october(), "october");
    assert_fits(&Outcome::default(), "empty");
    let mut hostile = hostile();
    hostile.scenario = "s.toml".into();
    hostile.set.clear();
    hostile.design = "a=b".into();
    assert_fits(&hostile, "hostile");
}

/// Strings that reach for the terminal, the document or the layout, wherever an outcome holds a string.
fn hostile() -> Outcome {
    let evil =
        "\x1b]0;owned\x07\x1b[31m<script>\"'&]]>\u{202e}\u{200b}שלום\r\n\0 日本語 ".to_owned() + &"long".repeat(90);
    let mut outcome = october();
    outcome.title = evil.clone();
    outcome.scenario = evil.clone();
    outcome.design = format!("isolation={evil}");
    outcome.asked = vec![format!("isolation={evil}")];
    outcome.set = vec![evil.clone()];
    outcome.ended = evil.clone();
    outcome.digest = evil.clone();
    outcome.span.zone_abbreviation = evil.clone();
    outcome.span.zone = evil.clone();
    let track = outcome.calls.remove("track").expect("the day has tracks");
    let causes = track.causes.values().map(|n| (format!("{n}{evil}"), *n)).collect();
    outcome.calls = [(evil.clone(), Totals { causes, late: u64::MAX / 2, in_flight: 3, ..track })].into();
    outcome.rotation.servers[0] = evil.clone();
    outcome.outages[0].store = evil.clone();
    outcome.outages[0].mode = evil.clone();
    outcome.events[1].what = evil.clone();
    outcome.events[1].expected_at = Some(evil.clone());
    for step in &mut outcome.timeline.steps {
        if let Some(mut calls) = step.calls.remove("track") {
            calls.dropped = calls.dropped.into_iter().map(|(cause, n)| (cause + &evil, n)).collect();
            step.calls = [(evil.clone(), calls)].into();
        }
        step.at = evil.clone();
    }
    for evidence in &mut outcome.evidence {
        evidence.metric = format!("{evil}.dropped_rate");
        for words in [&mut evidence.id, &mut evidence.says, &mut evidence.simulated, &mut evidence.verdict] {
            *words = evil.clone();
        }
        evidence.observed = format!("{evil} 54%");
    }
    for assumption in &mut outcome.assumptions {
        assumption.range = Some((evil.clone(), evil.clone()));
        for words in [&mut assumption.path, &mut assumption.value, &mut assumption.mark, &mut assumption.why] {
            *words = evil.clone();
        }
    }
    outcome
}

/// Whether a text may go to a terminal or into an XML document.
fn assert_harmless(text: &str) {
    let bad = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c) || c == '\u{200b}';
    assert_eq!(text.chars().find(|c| bad(*c)), None);
}

#[test]
fn hostile_strings_are_neutralised() {
    let outcome = hostile();
    assert_harmless(&run(&outcome, &Style { detail: ALL, ..Style::default() }));
    for picture in pictures(&outcome) {
        assert_harmless(&picture);
        assert!(!picture.contains("<script"));
        assert_well_formed(&picture);
    }
    let table = csv::timeline_csv(&outcome).expect("strings can be quoted");
    let mut reader = ::csv::Reader::from_reader(table.as_bytes());
    let first = reader.records().next().expect("there are steps").expect("the table can be read");
    assert_eq!(first.get(1), Some(outcome.timeline.steps[0].at.as_str()));
}

fn pictures(outcome: &Outcome) -> [String; 3] {
    [svg::dropped, svg::rotation, svg::causes].map(|draw| draw(outcome).expect("memory can be drawn to"))
}

/// Elements close in order, attributes are quoted, and no bare `&` or `<` stands in a text.
fn assert_well_formed(xml: &str) {
    let mut open = Vec::new();
    let mut rest = xml;
    while let Some((text, tag_on)) = rest.split_once('<') {
        let entity = |after: &str| ["lt;", "gt;", "amp;", "quot;", "apos;"].iter().any(|name| after.starts_with(name));
        assert!(text.split('&').skip(1).all(entity), "{text}");
        assert!(!text.contains('>') || open.is_empty(), "{text}");
        let (tag, after) = tag_on.split_once('>').expect("tags end");
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        let name = tag.split([' ', '/']).next().unwrap_or("");
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed));
        } else if !tag.ends_with('/') {
            open.push(name);
        }
        rest = after;
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn pictures_are_the_same_twice_and_speak() {
    let outcome = october();
    let again = october();
    for (a, b) in pictures(&outcome).iter().zip(pictures(&again)) {
        assert!(*a == b);
        assert_well_formed(a);
        assert!(a.contains("role=\"img\" aria-label=\"October 28, 2015"));
        assert!(a.contains("<title>October 28, 2015"));
    }
    let [dropped, rotation, causes] = pictures(&outcome);
    golden("dropped.svg", &dropped);
    golden("rotation.svg", &rotation);
    golden("causes.svg", &causes);
    assert!(dropped.contains("reported: 54% dropped"));
}

#[test]
fn an_empty_outcome_is_no_reason_to_panic() {
    let mut outcomes = vec![Outcome::default()];
    let mut no_steps = october();
    no_steps.timeline.steps.clear();
    no_steps.outages[0].to_s = None;
    outcomes.push(no_steps);
    let mut no_calls = october();
    no_calls.calls.clear();
    no_calls.timeline.steps.iter_mut().for_each(|step| step.calls.clear());
    no_calls.rotation = Rotation::default();
    outcomes.push(no_calls);
    let mut one_step = october();
    one_step.timeline.steps.truncate(1);
    one_step.span = Span::default();
    one_step.ended = "interrupted".into();
    outcomes.push(one_step);
    let mut nonsense = october();
    nonsense.span.length_s = f64::INFINITY;
    nonsense.outages[0].from_s = -1e300;
    nonsense.rotation.changes_s.insert("collectors-1".into(), vec![f64::NAN, -5.0, 1e300]);
    nonsense.timeline.steps[3].t_s = f64::NAN;
    outcomes.push(nonsense);
    for outcome in &outcomes {
        assert_fits(outcome, &outcome.title);
        pictures(outcome).iter().for_each(|picture| assert_well_formed(picture));
        csv::timeline_csv(outcome).expect("a table");
        json::to_json(outcome).expect("a document");
    }
    assert!(run(&outcomes[3], &Style::default()).contains("NOT COMPLETE: interrupted"));
}

/// A week in seconds, two hundred servers, each with a thousand absences.
#[test]
fn pictures_stay_small() {
    let mut outcome = october();
    let mut rng = Rng::new(7);
    outcome.span.length_s = 604_800.0;
    outcome.rotation.servers = (0..200).map(|n| format!("collectors-{n}")).collect();
    for server in &outcome.rotation.servers {
        let mut changes: Vec<f64> = (0..2_000).map(|_| rng.roll() * 604_800.0).collect();
        changes.sort_by(f64::total_cmp);
        outcome.rotation.changes_s.insert(server.clone(), changes);
    }
    let model = outcome.timeline.steps.clone();
    let step = |i: usize| Step { t_s: i as f64 * 60.0, ..model[i % model.len()].clone() };
    outcome.timeline.steps = (0..10_080).map(step).collect();
    outcome.events =
        (0..500).map(|i| Mark { at_s: f64::from(i) * 1_000.0, what: "x".into(), ..Mark::default() }).collect();
    for picture in pictures(&outcome) {
        assert!(picture.len() < 1_000_000, "{} bytes", picture.len());
    }
}

#[test]
fn the_table_has_the_documented_columns() {
    let mut outcome = october();
    outcome.timeline.steps.truncate(140);
    let table = csv::timeline_csv(&outcome).expect("a table");
    let header = table.lines().next().expect("a header");
    assert!(header.starts_with("t_s,at,identify.offered,identify.dropped,identify.dropped_dependency_error,"));
    assert!(header.contains(",track.dropped_no_server_in_rotation,track.failed,track.late,track.latency_p50_ms,"));
    assert!(header.contains(",in_rotation,balancer_queue,kept,store.identify.state,store.identify.headroom,"));
    assert_eq!(table.lines().count(), 141);
    golden("timeline-head.csv", &table.lines().take(3).chain(table.lines().skip(138)).collect::<Vec<_>>().join("\n"));
}

#[test]
fn json_comes_back_as_it_was() {
    let outcome = october();
    let text = json::to_json(&outcome).expect("a document");
    let back: Outcome = serde_json::from_str(&text).expect("the document can be read");
    assert_eq!(back, outcome);
    assert!(text.ends_with("}\n"));
}

/// A directory of its own, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("brownout-reports-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn everything_is_written_and_nothing_else() {
    let scratch = Scratch::new("all");
    let dir = scratch.0.join("a/b");
    let paths = write_all(&october(), &dir).expect("a new directory can be written to");
    let again = write_all(&october(), &dir).expect("and once more");
    assert_eq!(paths, again);
    let names: Vec<_> = paths.iter().map(|path| path.file_name().expect("files").to_string_lossy()).collect();
    assert_eq!(names, ["outcome.json", "timeline.csv", "dropped.svg", "rotation.svg", "causes.svg"]);
    assert_eq!(fs::read_dir(&dir).expect("it exists").count(), paths.len());
}

#[test]
fn errors_name_the_path() {
    let scratch = Scratch::new("error");
    fs::create_dir_all(&scratch.0).expect("a directory");
    let file = scratch.0.join("file");
    fs::write(&file, "").expect("a file");
    let error = write_all(&october(), &file.join("dir")).expect_err("a file is no directory").to_string();
    assert!(error.starts_with("cannot create the directory ") && error.contains("file/dir: "), "{error}");
    fs::create_dir_all(scratch.0.join("out/dropped.svg")).expect("a directory in the way");
    let error = write_all(&october(), &scratch.0.join("out")).expect_err("it is in the way").to_string();
    assert!(error.starts_with("cannot write ") && error.contains("dropped.svg: it is not an ordinary file"), "{error}");
    let left = fs::read_dir(scratch.0.join("out")).expect("it exists");
    assert!(left.flatten().all(|entry| !entry.file_name().to_string_lossy().ends_with(".tmp")));
}
