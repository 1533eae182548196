//! The report's page and pictures on a made-up day, byte by byte with `tests/golden`, and on strings nobody would like.
//!
//! After a change that is meant to show: `BROWNOUT_BLESS=1 cargo test -p brownout-reports`, then read the diff.

use crate::fixture::{Rng, october};
use crate::made_up::made_up;
use brownout_lab::compare::{Comparison, Panel};
use brownout_lab::ranges::{Point, Range, Walk};
use brownout_reports::report::{File, Living, Material, ReportError, html, pictures};
use brownout_reports::saved::{Found, Hunted, Kind, Line, Safe, Saved, read};
use brownout_reports::{compare, json};
use brownout_sim::outcome::*;
use std::fs;
use std::path::Path;

fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("BROWNOUT_BLESS").is_some() {
        fs::write(&path, text).expect("golden files can be written");
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        text == expected,
        "{} differs; if that is meant, run with BROWNOUT_BLESS=1 and read the diff",
        path.display()
    );
}

/// The hour around the beginning of the outage.
fn hour() -> Outcome {
    let mut outcome = october();
    outcome.timeline.steps.retain(|step| (6_600.0..10_200.0).contains(&step.t_s));
    outcome.timeline.steps.iter_mut().for_each(|step| step.t_s -= 6_600.0);
    outcome.span.from_time_of_day_s += 6_600.0;
    outcome.span.from = crate::fixture::clock(6_600.0);
    outcome.span.length_s = 3_600.0;
    (outcome.span.window_from_s, outcome.span.window_to_s) = (1_500.0, 3_600.0);
    for changes in outcome.rotation.changes_s.values_mut() {
        changes.retain(|at| *at < 10_200.0);
        changes.iter_mut().for_each(|at| *at -= 6_600.0);
    }
    outcome.outages[0].from_s -= 6_600.0;
    outcome.outages[0].to_s = Some(3_000.0);
    outcome.recovery_s = Some(75.0);
    outcome.events.retain(|mark| mark.at_s < 10_200.0);
    outcome.events.iter_mut().for_each(|mark| mark.at_s -= 6_600.0);
    outcome
}

/// The same without a dropped call, under another design, with a spool.
fn better() -> Outcome {
    let mut outcome = hour();
    outcome.design = "isolation=bulkhead health=shared".into();
    for step in &mut outcome.timeline.steps {
        for calls in step.calls.values_mut() {
            calls.dropped.clear();
            calls.failed = 0;
        }
        step.fleets.values_mut().for_each(|fleet| fleet.spooled = (step.t_s / 10.0) as u64 % 300);
    }
    if let Some(track) = outcome.calls.get_mut("track") {
        (track.dropped, track.dropped_rate) = (0, 0.0);
    }
    outcome
}

fn walk() -> Walk {
    let point = |value: &str, result, met| Point {
        value: value.into(),
        simulated: format!("{:.1}%", result * 100.0),
        result: Some(result),
        met,
    };
    let range = |path: &str, value: &str, points: Vec<Point>| Range {
        path: path.into(),
        value: value.into(),
        mark: "assumed".into(),
        kept: points.iter().filter(|p| p.met).count() as f64 / points.len() as f64,
        points,
    };
    Walk {
        scenario: "scenarios/october-28.toml".into(),
        evidence: "E2".into(),
        says: "track calls dropped: about 54%".into(),
        written: Some(0.526),
        seed: 1,
        ranges: vec![
            range("balancer.retries", "0", vec![point("0", 0.526, true), point("3", 0.434, false)]),
            range("clients.pages.rate", "15/s", vec![point("3/s", 0.145, false), point("150/s", 0.886, false)]),
        ],
        interrupted: false,
    }
}

fn hunt() -> Hunted {
    let words = |words: &str| words.to_owned();
    let line = |at: &str, what: &str| Line { at: words(at), what: words(what) };
    Hunted {
        scenario: words("scenarios/october-28.toml"),
        hunted: vec![words("track.dropped_rate < 0.1%")],
        faults: 4,
        runs: 4_312,
        ended: words("found"),
        kinds: vec![Kind { took_effect: 9 }, Kind { took_effect: 0 }],
        found: vec![Found {
            condition: words("track.dropped_rate < 0.1%"),
            why: words("it was 3.1%."),
            violated: 31,
            schedule: vec![words("identify answers 4.1 times slower, for 38 s")],
            faults_before: 4,
            other_seeds: (4, 5),
            story: vec![line("12:00:00", "identify slows"), line("12:00:31", "no server in rotation")],
            safe: vec![Safe {
                fault: words("slow"),
                key: words("factor"),
                fails: words("4.1"),
                safe: Some(words("3.2")),
            }],
            repeat: Some(words("brownout run hunts/slow.toml --seed 77")),
        }],
        ..Hunted::default()
    }
}

/// Everything at once: a matrix with a baseline and a chosen design whose days are there, a sweep, a walk.
fn material() -> Material {
    let mut matrix = made_up(false);
    for cell in &mut matrix.cells {
        let point = |d: usize| format!("{}={}", matrix.dimensions[d].name, matrix.dimensions[d].points[cell.at[d]]);
        cell.design = vec![point(0), point(1)];
    }
    let groups = vec![vec![3, 4], vec![0], vec![1], vec![5, 2]];
    matrix.panels = vec![Panel { cells: groups.concat(), pairs: 14, groups, ..Panel::default() }];
    let (mut base, mut chosen) = (hour(), better());
    base.asked = matrix.cells[0].design.clone();
    chosen.asked = matrix.cells[3].design.clone();
    Material {
        comparisons: vec![matrix, made_up(true)],
        days: vec![chosen, base],
        walks: vec![walk()],
        hunts: vec![hunt()],
        command: "brownout report scenarios/october-28.toml --seeds 5".into(),
        living: None,
    }
}

#[test]
fn the_page_and_its_pictures_are_the_same_every_time() {
    let page = html(&material()).expect("a page");
    assert!(page == html(&material()).expect("a page"));
    golden("report.html", &page);
    let all = pictures(&material()).expect("pictures");
    let names: Vec<&str> = all.iter().map(|picture| picture.name.as_str()).collect();
    assert_eq!(names[..5], ["matrix", "differences", "sweep-1", "ranges-1", "recovery"]);
    assert_eq!(names.len(), 5 + 2 * 8);
    for name in ["ranges-1", "recovery", "day-2-spools", "day-1-stores", "day-1-latency", "day-1-queues", "day-1-pools"]
    {
        let picture = all.iter().find(|picture| picture.name == name).expect("it is there");
        golden(&format!("report-{name}.svg"), &picture.svg);
    }
}

#[test]
fn every_part_is_there_without_a_script() {
    let page = html(&material()).expect("a page");
    let visible = page.split("<script>").next().expect("what comes before the script");
    for part in [
        "Which combination of isolation and health keeps track calls dropped below 0.10%?",
        "With shared/shared, track calls dropped between 11:45 and 18:08: 52.6% (95% interval 52.3% to 52.9%).",
        "baseline: shared/shared",
        "bulkhead/shared",
        "11:46:02",
        "Too few runs to tell designs apart",
        "why track calls were dropped",
        "servers in rotation",
        "headroom",
        "queues: calls that wait",
        "latency of track calls answered ok",
        "spools: calls kept to be stored late",
        "99% of calls succeed",
        "fleets.collectors.workers swept",
        "Hunt: what breaks scenarios/october-28.toml",
        "no server in rotation</td>",
        "factor = 4.1 fails, 3.2 held under the same seed",
        "What E2 hangs on",
        "about 54%",
        "brownout run scenarios/october-28.toml --design isolation=bulkhead --design health=shared --seed 1",
        "6b1f0c9e2d7a4435",
        "brownout report scenarios/october-28.toml --seeds 5",
    ] {
        assert!(visible.contains(part), "{part}");
    }
    assert!(
        !visible.contains(" hidden>") || visible.matches(" hidden>").count() <= 2,
        "only tools and the pointer's words"
    );
}

/// A section that is not in the list of contents is not found, and a line there without its section leads nowhere.
#[test]
fn the_list_of_contents_has_every_section_in_its_order() {
    let page = html(&material()).expect("a page");
    let ids = |before: &str| -> Vec<String> {
        page.split(before).skip(1).filter_map(|rest| rest.split('"').next().map(str::to_string)).collect()
    };
    let (contents, sections) = (ids("<li><a href=\"#"), ids("<section id=\""));
    assert!(contents.len() >= 9, "{contents:?}");
    assert_eq!(contents, sections);
    for id in sections {
        assert!(page.contains(&format!("id=\"{id}-h\"")), "section {id} has no heading of its own");
    }
}

#[test]
fn the_page_asks_nobody_for_anything() {
    let page = html(&material()).expect("a page");
    let bare = page.replace("http://www.w3.org/2000/svg", "");
    for reach in
        ["http://", "https://", "src=", "@import", "url(", "<link rel=\"style", "fetch(", "XMLHttp", "localStorage"]
    {
        assert!(!bare.contains(reach), "{reach}");
    }
    assert!(page.contains("default-src 'none'"));
}

/// In the dark every colour of a picture has a counterpart: the style sheet names them all.
#[test]
fn every_colour_has_a_place_in_the_style_sheet() {
    let page = html(&material()).expect("a page");
    for attribute in ["fill", "stroke"] {
        for found in page.split(&format!(" {attribute}=\"#")).skip(1) {
            let rule = format!("[{attribute}=\"#{}\"]", &found[..6]);
            assert!(page.contains(&rule), "{rule}");
        }
    }
}

#[test]
fn parts_may_be_missing() {
    assert!(matches!(html(&Material::default()), Err(ReportError::Nothing)));
    let whole = material();
    let only = [
        Material { days: vec![hour()], ..Material::default() },
        Material { days: vec![hour(), better()], ..Material::default() },
        Material { days: vec![Outcome::default()], ..Material::default() },
        Material { comparisons: vec![made_up(false)], ..Material::default() },
        Material { comparisons: vec![made_up(true)], ..Material::default() },
        Material {
            comparisons: vec![Comparison { cells: vec![Default::default()], ..Comparison::default() }],
            ..Material::default()
        },
        Material {
            walks: vec![walk(), Walk { interrupted: true, ranges: Vec::new(), ..walk() }],
            ..Material::default()
        },
        Material { walks: Vec::new(), ..whole.clone() },
    ];
    for material in &only {
        let page = html(material).expect("a page");
        assert!(page.contains("How to repeat it") && page.ends_with("</html>"), "{}", page.len());
        pictures(material).expect("pictures");
    }
    assert!(html(&only[1]).expect("a page").contains("Against that, 0% of track calls with isolation=bulkhead"));
}

#[test]
fn a_run_that_is_no_cell_or_of_another_version_says_so() {
    let mut material = material();
    material.days[0].asked.clear();
    material.days[1].digest = "another".into();
    let page = html(&material).expect("a page");
    assert!(
        page.contains("is no cell of the comparison") && page.contains("has another digest than in the comparison")
    );
}

#[test]
fn what_was_saved_is_read_back() {
    let text = json::to_json(&hour()).expect("a document");
    let Ok(Saved::Run(outcome)) = read(&text) else { panic!("an outcome") };
    assert_eq!(*outcome, hour());
    let matrix = made_up(false);
    let text = compare::to_json(&matrix).expect("a document");
    let Ok(Saved::Comparison(back)) = read(&text) else { panic!("a comparison") };
    assert_eq!(back.dimensions, matrix.dimensions);
    let text = serde_json::to_string(&walk()).expect("a document");
    assert!(matches!(read(&text), Ok(Saved::Walk(back)) if *back == walk()));
}

const EVIL: &str = "\x1b[31m</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&]]>--><!--\u{202e}\u{200b}שלום\r\n\0 ${x} `y`";

/// Strings that reach for the page wherever a document holds one.
#[test]
fn hostile_strings_stay_strings() {
    let evil = format!("{EVIL}{}", "long".repeat(200));
    let mut material = material();
    material.command = evil.clone();
    for c in &mut material.comparisons {
        (c.title, c.scenario, c.ended) = (evil.clone(), evil.clone(), evil.clone());
        c.window = (evil.clone(), evil.clone());
        for dimension in &mut c.dimensions {
            dimension.name = evil.clone();
            dimension.points.iter_mut().for_each(|point| *point = evil.clone());
        }
        for cell in &mut c.cells {
            cell.runs.iter_mut().for_each(|run| run.digest = evil.clone());
            cell.design = vec![evil.clone()];
        }
    }
    for day in &mut material.days {
        (day.title, day.scenario, day.design, day.digest) = (evil.clone(), evil.clone(), evil.clone(), evil.clone());
        (day.ended, day.meta.brownout, day.span.zone) = (evil.clone(), evil.clone(), evil.clone());
        day.asked = vec![evil.clone()];
        day.rotation.servers[0] = evil.clone();
        day.outages[0].store = evil.clone();
        day.outages[0].mode = evil.clone();
        day.events.iter_mut().for_each(|mark| (mark.what, mark.expected_at) = (evil.clone(), Some(evil.clone())));
        let track = day.calls.remove("track").expect("tracks");
        day.calls.insert(evil.clone(), track);
        for step in &mut day.timeline.steps {
            if let Some(mut calls) = step.calls.remove("track") {
                calls.dropped = calls.dropped.into_iter().map(|(cause, n)| (cause + &evil, n)).collect();
                step.calls.insert(evil.clone(), calls);
            }
            let stores = std::mem::take(&mut step.stores);
            step.stores = stores.into_values().map(|store| (evil.clone(), store)).collect();
        }
        for evidence in &mut day.evidence {
            for words in [
                &mut evidence.id,
                &mut evidence.says,
                &mut evidence.simulated,
                &mut evidence.verdict,
                &mut evidence.metric,
            ] {
                *words = evil.clone();
            }
        }
        for a in &mut day.assumptions {
            for words in [&mut a.path, &mut a.value, &mut a.mark, &mut a.why] {
                *words = evil.clone();
            }
        }
    }
    for walk in &mut material.walks {
        (walk.evidence, walk.says) = (evil.clone(), evil.clone());
        walk.ranges.iter_mut().for_each(|range| (range.path, range.value) = (evil.clone(), evil.clone()));
    }
    for hunt in &mut material.hunts {
        (hunt.design, hunt.ended) = (evil.clone(), evil.clone());
        let found = &mut hunt.found[0];
        (found.condition, found.why, found.repeat) = (evil.clone(), evil.clone(), Some(evil.clone()));
        (found.story[0].what, found.safe[0].key) = (evil.clone(), evil.clone());
    }
    let page = html(&material).expect("a page");
    // Two scripts of its own: the last, and one block of values for each picture over time.
    let scripts: Vec<&str> =
        page.split("<script").skip(1).map(|rest| &rest[..rest.find('>').expect("tags end")]).collect();
    assert!(
        scripts.iter().all(|tag| tag.is_empty() || tag.starts_with(" type=\"application/json\" id=\"data-f")),
        "{scripts:?}"
    );
    assert_eq!(scripts.iter().filter(|tag| tag.is_empty()).count(), 1);
    assert!(!page.contains("<img") && !page.contains("<!--"));
    let bad = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c) || c == '\u{200b}';
    assert_eq!(page.chars().find(|c| bad(*c)), None);
    for picture in pictures(&material).expect("pictures") {
        assert!(!picture.svg.contains("<script") && !picture.svg.contains("<img"), "{}", picture.name);
        assert_eq!(picture.svg.chars().find(|c| bad(*c)), None);
    }
}

/// A week in seconds with two hundred servers, six designs.
#[test]
fn a_long_run_makes_no_long_page() {
    let mut rng = Rng::new(3);
    let mut outcome = hour();
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
    let days = (0..6).map(|seed| Outcome { seed, ..outcome.clone() }).collect();
    let page = html(&Material { days, ..Material::default() }).expect("a page");
    assert!(page.len() < 5_000_000, "{} bytes", page.len());
}

/// What a scenario says goes into a living page as data; only the page's own scripts have the word that lets one run.
#[test]
fn no_word_of_a_scenario_runs_in_a_living_page() {
    let file = File { name: EVIL.into(), title: EVIL.into(), text: EVIL.into() };
    let engine = b"\0asm".to_vec();
    let living = Living { engine, zones: vec![(EVIL.into(), vec![1, 2, 3])], scenarios: vec![file], play: false };
    let mut material = material();
    material.days.iter_mut().for_each(|day| day.title = EVIL.into());
    let plain = html(&material).expect("a page");
    let page = html(&Material { living: Some(living), ..material }).expect("a page");
    let policy = page.split("Content-Security-Policy\" content=\"").nth(1).and_then(|rest| rest.split('"').next());
    let policy = policy.expect("a policy").split(';').find(|part| part.contains("script-src")).expect("about scripts");
    assert!(policy.contains("'nonce-") && !policy.contains("unsafe-inline"), "{policy}");
    let nonce = policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).expect("a nonce");
    let tags = page.split("<script").skip(1).map(|rest| &rest[..rest.find('>').expect("tags end")]);
    let (own, data): (Vec<_>, Vec<_>) = tags.partition(|tag| *tag == format!(" nonce=\"{nonce}\""));
    assert_eq!(own.len(), 3);
    assert!(
        data.iter().all(|tag| tag.starts_with(" type=\"application/json\"") || tag.starts_with(" type=\"text/plain\""))
    );
    assert!(!page.contains("<img"));
    // The pictures are those of the page that is not live, byte for byte.
    let pictures = |page: &str| {
        page.split("<figure id=")
            .skip(1)
            .map(|f| f[..f.find("</figure>").expect("it ends")].to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(pictures(&page), pictures(&plain));
}
