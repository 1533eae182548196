//! What a hunt promises: it finds, shrinks and writes down; it says how hard it tried; it is the same at any number of
//! threads; it goes on where it was; and what it writes fails by itself.

use brownout::lab::hunt::{Ask, Base, Budget, Filter, Hunt, Report, Schedule, Task, Vocabulary, Watch};
use brownout::lab::hunt::{draw_schedule, shrink, shrink_file};
use brownout::models::units::Ns;
use brownout::property::{Case, Service};
use brownout::scenarios::{Request, load};
use brownout::sim::outcome::Standing;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn shop() -> PathBuf {
    root().join("tests/cmd/hunt.in/shop.toml")
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hunt").join(name);
    // It is there only if an earlier run of the test left it.
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|t| t.to_string()).collect()
}

/// A hunt in the shop for what takes the checkout, other than its own store.
fn ask<'a>(path: &'a Path, without: &'a [String], runs: u64) -> Ask<'a> {
    Ask {
        task: Task::of(path),
        filter: Filter { only: &[], without },
        faults: None,
        severity: 1.0,
        longest: None,
        runs,
        patience: None,
        keep_going: true,
        seed: 1,
        jobs: Some(2),
        corpus: None,
        out: None,
        remedies: false,
        worst: None,
        lose_a_call: false,
    }
}

fn run(ask: &Ask<'_>) -> Report {
    let stop = AtomicBool::new(false);
    let watch = Watch { stop: &stop, out_of_time: &|| false, progress: &|_| {} };
    Hunt::new(ask).and_then(|hunt| hunt.run(&watch)).unwrap_or_else(|why| panic!("{why}"))
}

#[test]
fn the_same_is_found_at_any_number_of_threads() {
    let (path, without) = (shop(), owned(&["orders"]));
    let ask = ask(&path, &without, 96);
    let [one, four] = [1, 4].map(|jobs| run(&Ask { jobs: Some(jobs), ..ask }));
    assert!(!one.found.is_empty());
    assert_eq!(one, four);
    assert_ne!(one.found[0].toml, run(&Ask { seed: 2, ..ask }).found[0].toml);
}

#[test]
fn a_corpus_goes_on_where_it_was() {
    let (path, without) = (shop(), owned(&["orders"]));
    let whole = run(&ask(&path, &without, 128));
    let corpus = folder("hunt-corpus");
    let half = Ask { corpus: Some(&corpus), ..ask(&path, &without, 64) };
    let first = run(&half);
    // What is in the folder counts as tried again.
    let second = run(&Ask { runs: 64 + first.corpus as u64, ..half });
    assert_eq!(second.from_corpus, first.corpus as u64);
    assert_eq!(second.corpus, whole.corpus);
    let seen = |report: &Report| report.coverage.iter().map(|(place, n)| (place.clone(), *n > 0)).collect::<Vec<_>>();
    assert_eq!(seen(&second), seen(&whole));
    let smallest = |report: &Report| report.found.iter().map(|f| (f.toml.clone(), f.seed)).collect::<Vec<_>>();
    assert_eq!(smallest(&second), smallest(&whole));
}

#[test]
fn what_is_written_fails_by_itself_and_its_design_is_in_it() {
    let (path, without, out) = (shop(), owned(&["orders"]), folder("hunt-out"));
    let (design, set) = (owned(&["isolation=bulkhead"]), owned(&["fleets.web.calls.recommend.at_most=8"]));
    let task = Task { design: &design, set: &set, ..Task::of(&path) };
    // Only what a bulkhead is against: the store of the recommendations goes bad.
    let only = owned(&["recommender"]);
    let filter = Filter { only: &only, without: &without };
    let report = run(&Ask { task, filter, out: Some(&out), ..ask(&path, &without, 64) });
    let found = report.found.first().expect("eight of eight workers are no bulkhead");
    let (file, repeat) = (found.file.clone().expect("a file"), found.repeat.clone().expect("a line"));
    assert_eq!(repeat, format!("brownout run {file} --seed {}", found.seed));
    let scenario = load(&Request { path: Path::new(&file), set: &[], design: &[] });
    let scenario = scenario.unwrap_or_else(|mistakes| panic!("{}", mistakes.render(false)));
    assert_eq!(scenario.design, "isolation=bulkhead");
    assert_eq!(scenario.plan.spec.timeline.len(), found.schedule.len());
    let service = Service::open(&file, &[], &[]).unwrap_or_else(|why| panic!("{why}"));
    let checked = service.run(&Case { seed: found.seed, ..Case::default() }).unwrap_or_else(|why| panic!("{why}"));
    let violated: Vec<_> = checked.violated().iter().map(|v| v.condition.clone()).collect();
    assert_eq!(violated, std::slice::from_ref(&found.condition));
    // With the weakness fixed, the same faults do nothing.
    let fixed =
        Service::open(&file, &[], &["fleets.web.calls.recommend.at_most=2"]).unwrap_or_else(|why| panic!("{why}"));
    let checked = fixed.run(&Case { seed: found.seed, ..Case::default() }).unwrap_or_else(|why| panic!("{why}"));
    assert!(checked.verdicts.iter().all(|v| v.standing == Standing::Holds), "{:?}", checked.verdicts);
}

#[test]
fn what_is_found_violates_and_what_is_called_safe_does_not() {
    let (path, without) = (shop(), owned(&["orders"]));
    let report = run(&ask(&path, &without, 64));
    let found = &report.found[0];
    assert!(found.smallest && found.schedule.len() <= found.faults_before && found.violated > 0);
    assert!(!found.story.is_empty() && found.story.iter().any(|line| line.what.contains("checkout")));
    let base = Base::new(&Task::of(&path)).unwrap_or_else(|why| panic!("{why}"));
    let vocabulary = Vocabulary::new(base.scenario(), Filter::default()).expect("faults");
    let edit = brownout::scenarios::Edit::parse(&found.toml).expect("TOML");
    let read = |entry| vocabulary.read(entry, base.scenario()).expect("a fault");
    let schedule = Schedule { faults: edit.timeline().iter().map(read).collect() };
    let service = Service::open(&path, &[], &[]).unwrap_or_else(|why| panic!("{why}"));
    let standing = |faults: Schedule| {
        let case = Case { faults, seed: found.seed, ..Case::default() };
        service.run(&case).unwrap_or_else(|why| panic!("{why}")).verdicts[0].standing
    };
    assert_eq!(standing(schedule.clone()), Standing::Violated);
    for safe in found.safe.iter().filter(|safe| safe.key == "for") {
        let Some(value) = &safe.safe else { continue };
        let mut shorter = schedule.clone();
        shorter.faults[0].lasts = Some(brownout::models::units::parse_duration(value).expect("a time"));
        assert_eq!(standing(shorter), Standing::Holds, "{safe:?}");
    }
}

#[test]
fn an_interrupted_hunt_gives_what_it_has() {
    let (path, without) = (shop(), owned(&["orders"]));
    let stop = AtomicBool::new(false);
    let progress = |progress: brownout::lab::hunt::Progress| {
        if progress.runs >= 64 {
            stop.store(true, Ordering::Relaxed);
        }
    };
    let watch = Watch { stop: &stop, out_of_time: &|| false, progress: &progress };
    let hunt = Hunt::new(&ask(&path, &without, 10_000)).unwrap_or_else(|why| panic!("{why}"));
    let report = hunt.run(&watch).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!((report.ended.as_str(), report.runs), ("interrupted", 64));
    let found = report.found.first().expect("found before it was stopped");
    assert!(!found.smallest && !found.toml.is_empty() && !found.condition.is_empty());
}

#[test]
fn a_bound_on_time_and_on_patience_ends_it() {
    let (path, without) = (shop(), owned(&["orders"]));
    let stop = AtomicBool::new(false);
    let watch = Watch { stop: &stop, out_of_time: &|| true, progress: &|_| {} };
    let hunt = Hunt::new(&ask(&path, &without, 10_000)).unwrap_or_else(|why| panic!("{why}"));
    let report = hunt.run(&watch).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!((report.ended.as_str(), report.runs, report.shows_nothing()), ("time", 0, false));
    let report = run(&Ask { patience: Some(64), ..ask(&path, &without, 10_000) });
    assert_eq!(report.ended, "nothing new");
    assert!(report.runs - report.last_new >= 64 && report.runs < 10_000, "{}", report.runs);
}

#[test]
fn the_worst_is_within_the_budget_and_worse_than_a_single_draw() {
    let (path, without) = (shop(), owned(&["orders"]));
    let report = run(&Ask { worst: Some("checkout.dropped_rate"), severity: 0.5, ..ask(&path, &without, 160) });
    let worst = report.worst.expect("a metric was asked for");
    let share = |text: &str| text.trim_end_matches('%').parse::<f64>().expect("a share");
    let first = run(&Ask { worst: Some("checkout.dropped_rate"), severity: 0.5, ..ask(&path, &without, 32) });
    let first = share(first.worst.and_then(|w| w.worst).as_deref().unwrap_or("0%"));
    let (most, left) = (share(worst.worst.as_deref().expect("a value")), share(&worst.value));
    assert!(most > first, "{most} after 160 schedules, {first} after 32");
    assert!(left >= most * 0.94 && !worst.schedule.is_empty(), "{left} of {most}");
}

#[test]
fn ten_faults_of_a_file_shrink_to_one() {
    let path = root().join("tests/cmd/hunt.in/ten-faults.toml");
    let stop = AtomicBool::new(false);
    let watch = Watch { stop: &stop, out_of_time: &|| false, progress: &|_| {} };
    let report = shrink_file(&Task::of(&path), 1, (None, true), &watch).unwrap_or_else(|why| panic!("{why}"));
    let [found] = &report.found[..] else { panic!("{:?}", report.found) };
    assert_eq!((found.faults_before, found.schedule.len()), (10, 1), "{:?}", found.schedule);
    assert!(found.smallest && found.schedule[0].starts_with("hang recommender"), "{:?}", found.schedule);
    // What is called a remedy is one: with a shorter timeout the workers are soon free again.
    let remedy = found.remedies.iter().find(|r| r.path == "fleets.web.calls.recommend.timeout").expect("a remedy");
    let change = format!("{}={}", remedy.path, remedy.safe);
    let service = Service::open(&path, &[], &[&change]).and_then(Service::without_faults);
    let service = service.unwrap_or_else(|why| panic!("{why}"));
    let read = brownout::scenarios::Edit::parse(&found.toml).expect("TOML");
    let vocabulary = Vocabulary::new(service.scenario(), Filter::default()).expect("faults");
    let faults = read.timeline().iter().filter_map(|entry| vocabulary.read(entry, service.scenario())).collect();
    let case = Case { faults: Schedule { faults }, seed: 1, ..Case::default() };
    let checked = service.run(&case).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(checked.verdicts[0].standing, Standing::Holds, "{remedy:?}: {}", checked.verdicts[0].why);
}

/// The excerpt of October 28 that is hunted: ten minutes at the day's rates, in which nothing happens by itself.
fn october<'a>(design: &'a [String], set: &'a [String], path: &'a Path) -> Task<'a> {
    let expect = Some("track.dropped_rate < 0.1%");
    Task { design, set, first: Some(Ns::secs(200)), expect, ..Task::of(path) }
}

#[test]
fn october_28_loses_tracks_to_a_store_alone_and_ten_faults_shrink_to_one() {
    let path = root().join("scenarios/october-28.toml");
    let (only, without) = (owned(&["store"]), owned(&["events"]));
    let filter = Filter { only: &only, without: &without };
    let task = october(&[], &[], &path);
    let report = run(&Ask { task, filter, keep_going: false, ..ask(&path, &without, 64) });
    assert_eq!(report.ended, "found");
    assert_eq!(report.found[0].schedule.len(), 1, "{:?}", report.found[0].schedule);
    // Ten drawn faults, of which one is enough.
    let base = Base::new(&task).unwrap_or_else(|why| panic!("{why}"));
    let vocabulary = Vocabulary::new(base.scenario(), filter).expect("faults of stores");
    let budget = Budget { faults: 10, ..Budget::of(base.scenario().span) };
    let ten = (0..).map(|seed| draw_schedule(&vocabulary, &budget, seed)).find(|s| s.faults.len() == 10).expect("ten");
    let first = Service::open(&path, &[], &[]).and_then(|s| s.expecting("track.dropped_rate < 0.1%"));
    let service = first.and_then(|s| s.first(Ns::secs(200))).unwrap_or_else(|why| panic!("{why}"));
    let shrunk = shrink(ten, base.scenario().span, &mut |faults| {
        let case = Case { faults: faults.clone(), seed: 1, ..Case::default() };
        Some(!service.run(&case).unwrap_or_else(|why| panic!("{why}")).violated().is_empty())
    });
    assert!(shrunk.complete);
    assert_eq!(shrunk.schedule.faults.len(), 1, "{:?}", shrunk.schedule);
}

#[test]
fn the_bulkhead_of_october_28_holds_against_stores_and_a_planted_weakness_is_found_with_the_same_effort() {
    let path = root().join("scenarios/october-28.toml");
    let (only, without) = (owned(&["store"]), owned(&["events"]));
    let filter = Filter { only: &only, without: &without };
    let design = owned(&["isolation=handled-bulkhead"]);
    let hunt = |set: &[String]| {
        run(&Ask { task: october(&design, set, &path), filter, keep_going: false, ..ask(&path, &without, 96) })
    };
    let sound = hunt(&[]);
    assert_eq!((sound.ended.as_str(), sound.runs, sound.found.len()), ("runs", 96, 0));
    assert!(sound.kinds.iter().all(|kind| kind.took_effect >= 5), "{:?}", sound.kinds);
    // The bulkhead stays, but one of the two errors is no longer handled.
    let planted = hunt(&owned(&["fleets.collectors.calls.identify.on_severed=crash"]));
    assert_eq!(planted.ended, "found");
    assert!(planted.runs <= 96 && planted.found[0].schedule.len() == 1, "{:?}", planted.found[0].schedule);
}
