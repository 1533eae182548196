//! Texts in pictures never overlap and never leave the picture, whatever names a scenario has and however many of each.
//!
//! Boxes are those of Inter, which is inside the program, as `resvg` lays it out, and a twentieth wider: a reader may have
//! another font.
#![cfg(feature = "png")]

use crate::fixture::october;
use crate::made_up::made_up;
use brownout_lab::compare::{Cell, Comparison, Dimension, Panel, places};
use brownout_lab::ranges::{Point, Range, Walk};
use brownout_reports::report::{Material, html, pictures};
use brownout_reports::svg;
use brownout_sim::outcome::*;
use resvg::usvg::fontdb::Database;
use resvg::usvg::{Group, Node, Options, TextAnchor, Tree};
use std::sync::Arc;

/// How much wider another font may be.
const WIDER: f32 = 0.05;
/// Letters of one line may touch those of the next by so much: boxes hold the room for accents and descenders.
const CLOSE: f32 = 0.16;

/// A text with the box that it may take.
struct Placed {
    words: String,
    left: f32,
    right: f32,
    top: f32,
    bottom: f32,
}

impl Placed {
    fn meets(&self, other: &Placed) -> bool {
        self.left < other.right && other.left < self.right && self.top < other.bottom && other.top < self.bottom
    }
}

fn fonts() -> Options<'static> {
    let mut fonts = Database::new();
    fonts.load_font_data(include_bytes!("../fonts/Inter-Regular.otf").to_vec());
    fonts.load_font_data(include_bytes!("../fonts/Inter-Bold.otf").to_vec());
    fonts.set_sans_serif_family("Inter");
    Options { fontdb: Arc::new(fonts), font_family: "Inter".into(), ..Options::default() }
}

fn collect(group: &Group, out: &mut Vec<Placed>) {
    for node in group.children() {
        match node {
            Node::Group(group) => collect(group, out),
            Node::Text(text) => {
                let words: String = text.chunks().iter().map(|chunk| chunk.text()).collect();
                let anchor = text.chunks().first().map_or(TextAnchor::Start, |chunk| chunk.anchor());
                let turned = text.abs_transform().kx.abs() > 0.5;
                let place = text.abs_bounding_box();
                let (mut l, mut r, mut t, mut b) = (place.left(), place.right(), place.top(), place.bottom());
                let (before, after) = match anchor {
                    TextAnchor::Start => (0.0, 1.0),
                    TextAnchor::Middle => (0.5, 0.5),
                    TextAnchor::End => (1.0, 0.0),
                };
                // Along the line it may be wider; across it the box is somewhat higher than the letters.
                if turned {
                    let wider = (b - t) * WIDER;
                    (t, b) = (t - wider * after, b + wider * before);
                    let less = (r - l) * CLOSE;
                    (l, r) = (l + less, r - less);
                } else {
                    let wider = (r - l) * WIDER;
                    (l, r) = (l - wider * before, r + wider * after);
                    let less = (b - t) * CLOSE;
                    (t, b) = (t + less, b - less);
                }
                out.push(Placed { words, left: l, right: r, top: t, bottom: b });
            }
            _ => {}
        }
    }
}

/// What is wrong with the texts of a picture.
fn faults(svg: &str, fonts: &Options<'_>) -> Vec<String> {
    let tree = Tree::from_str(svg, fonts).expect("a picture");
    let mut all = Vec::new();
    collect(tree.root(), &mut all);
    all.retain(|text| !text.words.trim().is_empty());
    let size = tree.size();
    let mut found = Vec::new();
    for (i, text) in all.iter().enumerate() {
        if text.left < 0.0 || text.top < 0.0 || text.right > size.width() || text.bottom > size.height() {
            found.push(format!("\"{}\" leaves the picture", text.words));
        }
        for other in all[i + 1..].iter().filter(|other| text.meets(other)) {
            found.push(format!("\"{}\" meets \"{}\"", text.words, other.words));
        }
    }
    found
}

/// Names as a scenario may have them.
#[derive(Clone, Copy, Debug)]
enum Names {
    Short,
    Usual,
    Long,
    Wide,
}

impl Names {
    const ALL: [Names; 4] = [Names::Short, Names::Usual, Names::Long, Names::Wide];

    fn of(self, base: &str, i: usize) -> String {
        match self {
            Names::Short => char::from(b'a' + (i % 26) as u8).to_string(),
            Names::Usual => format!("{base}-{}", i + 1),
            Names::Long => format!("{base} of the payments platform, production, eu-central-1 number {}", i + 1),
            Names::Wide => format!("{}-{}", "WMWM%".repeat(12), i + 1),
        }
    }
}

/// A day with so many of everything.
fn day(names: Names, n: usize, calendar: bool) -> Outcome {
    let mut day = october();
    day.title = names.of("October 28", 0);
    day.design = format!("isolation={} mechanism={}", names.of("shared", 0), names.of("pool", 1));
    if !calendar {
        day.span.from = String::new();
        day.span.zone = String::new();
        day.span.zone_abbreviation = String::new();
    }
    let old = day.rotation.clone();
    day.rotation.servers = (0..n).map(|i| names.of("collectors", i)).collect();
    day.rotation.changes_s =
        day.rotation.servers.iter().cloned().zip(old.changes_s.values().cloned().cycle()).collect();
    let stores: Vec<String> = (0..n.min(9)).map(|i| names.of("identify", i)).collect();
    let length = day.span.length_s;
    day.outages = stores
        .iter()
        .enumerate()
        .map(|(i, store)| OutageSpan {
            store: store.clone(),
            mode: "hang".into(),
            from_s: 8_162.0 + 40.0 * i as f64,
            to_s: Some(if i % 3 == 1 { 9_000.0 } else { 30_000.0 }),
        })
        .collect();
    let causes: Vec<String> = (0..n.min(12)).map(|i| names.of("refused", i)).collect();
    for step in &mut day.timeline.steps {
        let gauge = step.stores.values().next().cloned().unwrap_or_default();
        step.stores = stores.iter().map(|store| (store.clone(), gauge.clone())).collect();
        if let Some(track) = step.calls.get_mut("track") {
            let lost: u64 = track.dropped.values().sum();
            track.dropped = causes.iter().map(|cause| (cause.clone(), lost / causes.len() as u64)).collect();
            if let Some(latency) = &mut track.latency_ms {
                latency.max = 10f64.powi((n % 7) as i32 + 1);
            }
        }
    }
    let mark = |i: usize| Mark {
        at_s: (700.0 + 2_600.0 * i as f64).min(length - 20.0),
        at: String::new(),
        what: names.of("identify leaves service", i),
        expected_at: None,
    };
    day.events = (0..n.min(16)).map(mark).collect();
    day.recovery_s = Some(75.0);
    day
}

/// Designs crossed with health checks, under mechanisms.
fn matrix(names: Names, n: usize, sweep: bool) -> Comparison {
    let few = made_up(sweep);
    let points = |base: &str, n: usize| (0..n).map(|i| names.of(base, i)).collect::<Vec<_>>();
    let mut c = Comparison { title: names.of("October 28", 0), ..few.clone() };
    c.metric = format!("{}.dropped_rate", names.of("track", 0));
    let (rows, columns) = (n.min(40), n.clamp(2, 14));
    let dimension = |name: &str, points: Vec<String>, baseline: bool| Dimension {
        name: names.of(name, 0),
        points,
        baseline: baseline.then_some(0),
        ..Dimension::default()
    };
    let swept: Vec<String> = (0..columns).map(|i| (1_000_000 * (i * i + 1)).to_string()).collect();
    let last = match sweep {
        true => Dimension { sweep: true, written: Some(swept[0].clone()), ..dimension("workers", swept, false) },
        false => dimension("health", points("deep+fail-open", columns), true),
    };
    c.dimensions = vec![
        dimension("mechanism", points("crash", 2), false),
        dimension("isolation", points("bulkhead", rows), true),
        last,
    ];
    c.under = Some(0);
    c.cells = places(&[2, rows, columns])
        .into_iter()
        .enumerate()
        .map(|(i, at)| {
            let cell = few.cells[i % few.cells.len()].clone();
            let baseline = at[0] * rows * columns + if sweep { at[2] } else { 0 };
            Cell { at, baseline, difference: cell.difference.or(few.cells[1].difference.clone()), ..cell }
        })
        .collect();
    for at in 0..c.cells.len() {
        if c.cells[at].baseline == at {
            c.cells[at].difference = None;
        }
    }
    let half = c.cells.len() / 2;
    let panel = |from: usize| Panel {
        cells: (from..from + half).collect(),
        groups: (from..from + half).map(|i| vec![i]).collect(),
        ..Panel::default()
    };
    c.panels = vec![panel(0), panel(half)];
    c
}

/// A walk of so many numbers; what the file says lies at a part of the way.
fn walk(names: Names, n: usize, part: f64) -> Walk {
    let point = |result: f64| Point {
        value: names.of("150/s", 0),
        simulated: format!("{:.1}%", result * 100.0),
        result: Some(result),
        met: result > 0.5,
    };
    let range = |i: usize| Range {
        path: names.of("clients.pages.rate", i),
        value: names.of("15/s", i),
        mark: "assumed".into(),
        kept: 0.5,
        points: vec![point(0.02 * (i % 9) as f64), point(1.0 - 0.03 * (i % 7) as f64)],
    };
    Walk {
        scenario: "day.toml".into(),
        evidence: names.of("E", 1),
        says: names.of("track calls dropped", 0),
        written: Some(part),
        seed: 1,
        ranges: (0..n).map(range).collect(),
        interrupted: false,
    }
}

fn material(names: Names, n: usize, calendar: bool, part: f64) -> Material {
    let days: Vec<Outcome> =
        (0..n.clamp(1, 7)).map(|i| Outcome { design: names.of("isolation", i), ..day(names, n, calendar) }).collect();
    Material {
        comparisons: vec![matrix(names, n, false), matrix(names, n, true)],
        days: days.into_iter().take(if n > 20 { 1 } else { 2 }).collect(),
        walks: vec![walk(names, n, part)],
        ..Material::default()
    }
}

/// The pictures inside a page, which are smaller than those that stand alone.
fn inside(page: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut rest = page;
    while let Some(from) = rest.find("<svg xmlns") {
        rest = &rest[from..];
        // Pictures hold windows, `svg` elements of their own.
        let (mut depth, mut at) = (0, 0);
        loop {
            let open = rest[at..].find("<svg").unwrap_or(usize::MAX);
            let close = rest[at..].find("</svg>").expect("it ends");
            if open < close {
                (depth, at) = (depth + 1, at + open + 4);
            } else {
                (depth, at) = (depth - 1, at + close + 6);
            }
            if depth == 0 {
                break;
            }
        }
        out.push(rest[..at].to_owned());
        rest = &rest[at..];
    }
    out
}

#[test]
fn no_text_meets_another_or_leaves_its_picture() {
    let fonts = fonts();
    let mut found = Vec::new();
    for names in Names::ALL {
        for (n, calendar, part) in [(1, true, 0.0), (3, false, 0.5), (16, true, 0.93), (70, true, 1.0)] {
            let material = material(names, n, calendar, part);
            for picture in pictures(&material).expect("pictures") {
                for fault in faults(&picture.svg, &fonts) {
                    found.push(format!("{names:?} {n} {}: {fault}", picture.name));
                }
            }
            let page = html(&material).expect("a page");
            for (i, picture) in inside(&page).iter().enumerate() {
                let title = picture.split("<title>").nth(1).and_then(|t| t.split('<').next()).unwrap_or_default();
                let title: String = title.chars().rev().take(40).collect::<Vec<_>>().into_iter().rev().collect();
                for fault in faults(picture, &fonts) {
                    found.push(format!("{names:?} {n} page, picture {i} ({title}): {fault}"));
                }
            }
        }
    }
    assert!(found.is_empty(), "{} faults:\n{}", found.len(), found[..found.len().min(80)].join("\n"));
}

#[test]
fn nothing_to_draw_and_many_runs_that_recover_fit_as_well() {
    let fonts = fonts();
    let empty = Outcome::default();
    for picture in [svg::dropped(&empty), svg::rotation(&empty), svg::causes(&empty)] {
        assert_eq!(faults(&picture.expect("drawn"), &fonts), Vec::<String>::new());
    }
}

/// The estimate finds what it should: two texts on one place, and one beyond the edge.
#[test]
fn what_overlaps_is_found() {
    let text = |x: i32, words: &str| format!("<text x=\"{x}\" y=\"30\" font-size=\"16\">{words}</text>");
    let picture = |inside: &str| {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"200\" height=\"60\" font-family=\"Inter\">{inside}</svg>"
        )
    };
    let fonts = fonts();
    assert_eq!(faults(&picture(&[text(5, "dropped"), text(90, "failed")].concat()), &fonts), Vec::<String>::new());
    assert_eq!(faults(&picture(&[text(5, "dropped"), text(55, "failed")].concat()), &fonts).len(), 1);
    assert_eq!(faults(&picture(&text(170, "dropped")), &fonts).len(), 1);
}
