//! What a hunt writes can be read again: `check` accepts it and `run` repeats it, whatever stands in names, titles and
//! conditions, under a file name that nothing else has.

use brownout::lab::hunt::{Ask, Base, Budget, Failure, Filter, Found, Hunt, Report, Schedule, Task, Vocabulary, Watch};
use brownout::lab::hunt::{draw_schedule, shrink_file};
use brownout::models::fault;
use brownout::models::units::Ns;
use brownout::output::text::{shell, shell_path};
use brownout::scenarios::{Request, Scenario, load};
use brownout::sim::outcome::{Outcome, Standing};
use brownout::sim::simulate;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;

/// A folder of the test's own, empty.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("finds").join(name);
    // It is there only if an earlier run of the test left it.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a file");
    path
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|t| t.to_string()).collect()
}

fn ask<'a>(task: Task<'a>, filter: Filter<'a>, out: &'a Path, runs: u64) -> Ask<'a> {
    Ask {
        task,
        filter,
        faults: None,
        severity: 1.0,
        longest: None,
        runs,
        patience: None,
        keep_going: true,
        seed: 1,
        jobs: Some(2),
        corpus: None,
        out: Some(out),
        remedies: false,
        worst: None,
        lose_a_call: false,
    }
}

fn watched<T>(work: impl FnOnce(&Watch<'_>) -> T) -> T {
    let stop = AtomicBool::new(false);
    work(&Watch { stop: &stop, out_of_time: &|| false, progress: &|_| {} })
}

fn try_hunt(ask: &Ask<'_>) -> Result<Report, Failure> {
    watched(|watch| Hunt::new(ask)?.run(watch))
}

fn hunt(ask: &Ask<'_>) -> Report {
    try_hunt(ask).unwrap_or_else(|why| panic!("{why}"))
}

fn read(path: &Path) -> Scenario {
    let read = load(&Request { path, set: &[], design: &[] });
    read.unwrap_or_else(|mistakes| {
        panic!("{}\n{}", mistakes.render(false), std::fs::read_to_string(path).unwrap_or_default())
    })
}

fn run(scenario: &Scenario, seed: u64) -> Outcome {
    simulate(scenario, seed, None, &mut |_| {}).unwrap_or_else(|imbalance| panic!("{imbalance}"))
}

/// The file of a find is a scenario that violates what was found, and fails under the line that is printed.
fn repeats(found: &Found) -> PathBuf {
    let path = PathBuf::from(found.file.as_deref().expect("a file"));
    assert_eq!(found.repeat, Some(format!("brownout run {} --seed {}", shell_path(&path), found.seed)));
    let scenario = read(&path);
    assert_eq!(scenario.seeds, [found.seed]);
    let outcome = run(&scenario, found.seed);
    let violated =
        |v: &&brownout::sim::outcome::Verdict| v.standing == Standing::Violated && v.condition == found.condition;
    let verdict = outcome.expectations.iter().find(violated);
    assert_eq!(verdict.map(|v| v.why.as_str()), Some(found.why.as_str()), "{}", path.display());
    path
}

/// A small world with these names: clients, kind of call, fleet, store.
fn world(title: &str, [clients, kind, fleet, store]: [&str; 4], more: &str) -> String {
    let quoted = brownout::models::setting::quoted;
    format!(
        "brownout = 1\ntitle = {}\nspan = \"1min\"\nstep = \"1s\"\n\
         [clients.{clients}]\nsends = {kind}\nrate = \"20/s\"\n\
         [balancer]\npreset = \"haproxy\"\nconnect_timeout = \"1s\"\n\
         [fleets.{fleet}]\ncount = 2\nworkers = 4\nhealth = \"shared\"\n\
         calls.{kind} = {{ work = \"5ms\", asks = {store}, writes = true, timeout = \"5s\" }}\n\
         [stores.{store}]\nservice = \"3ms\"\n{more}",
        quoted(title),
        clients = quoted(clients),
        kind = quoted(kind),
        fleet = quoted(fleet),
        store = quoted(store),
    )
}

const PLAIN: [&str; 4] = ["buyers", "checkout", "web", "orders"];
const TWO: &str =
    "[[expect]]\nalways = \"all.dropped_rate < 1%\"\n[[expect]]\nalways = \"all.failed_rate < 30% over run\"\n";

#[test]
fn two_finds_of_one_hunt_are_two_files_and_no_file_is_ever_replaced() {
    let (home, only) = (folder("two"), owned(&["hang"]));
    let path = file(&home, "collide.toml", &world("two", PLAIN, TWO).replace("1min", "2min"));
    let filter = Filter { only: &only, without: &[] };
    let out = home.join("out");
    let first = hunt(&ask(Task::of(&path), filter, &out, 64));
    let files: BTreeSet<PathBuf> = first.found.iter().map(repeats).collect();
    assert_eq!((first.found.len(), files.len()), (2, 2), "{files:?}");
    // The same hunt again finds the same, and leaves it as it is: also what somebody has changed.
    let changed = files.first().expect("a file");
    let text = std::fs::read_to_string(changed).expect("text").replace("title = ", "description = \"kept\"\ntitle = ");
    std::fs::write(changed, &text).expect("a file");
    let again = hunt(&ask(Task::of(&path), filter, &out, 64));
    let all: BTreeSet<PathBuf> = again.found.iter().map(repeats).chain(files.clone()).collect();
    assert_eq!(all.len(), 3, "{all:?}");
    assert_eq!(std::fs::read_to_string(changed).expect("text"), text);
    // A later hunt for something else has files of its own.
    let other = Task { expect: Some("all.dropped_rate < 2%"), ..Task::of(&path) };
    let third = hunt(&ask(other, filter, &out, 64));
    assert!(third.found.iter().map(repeats).all(|path| !all.contains(&path)));
    assert_eq!(std::fs::read_dir(&out).expect("a folder").count(), all.len() + third.found.len());
}

#[test]
fn names_are_ascii_bounded_and_do_not_fall_together() {
    let home = folder("names");
    let long = "customer-facing-checkout-service-in-the-eu-central-1-region-with-a-hot-standby".repeat(2);
    let mut names = BTreeSet::new();
    for (n, store) in
        ["在庫", "注文", "सेवा", "CON", "con", "..", "a/../../b", "tab\tle", long.as_str()].iter().enumerate()
    {
        let path = file(&home, &format!("{}-{n}.toml", "x".repeat(120)), &world("x", ["c", "k", "f", store], TWO));
        let only = owned(&["hang"]);
        let report = hunt(&ask(Task::of(&path), Filter { only: &only, without: &[] }, &home.join("out"), 32));
        for path in report.found.iter().map(repeats) {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            assert!(name.len() <= 100 && !name.starts_with(['-', '.']), "{name}");
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b)), "{name}");
            assert!(names.insert(name.clone()), "{name}");
        }
    }
    assert!(names.len() > 9, "{names:?}");
}

#[test]
fn a_condition_over_two_lines_stays_a_comment_and_the_line_that_repeats_it_can_be_pasted() {
    let home = folder("my 'hunts'\u{1b}");
    let more = "[[expect]]\nalways = \"\"\"\nall.dropped_rate\n < 1%\"\"\"\nsays = \"\"\"a\nseeds = [1]\nb\"\"\"\n";
    let names = ["or\nders", "or\nders", "or\nders", "or\nders"];
    let path = file(&home, "new\nline.toml", &world("names or\n[ders]", names, more));
    let (corpus, only) = (home.join("corpus"), owned(&["hang"]));
    let ask = ask(Task::of(&path), Filter { only: &only, without: &[] }, &home, 32);
    let report = hunt(&Ask { corpus: Some(&corpus), ..ask });
    let written = repeats(report.found.first().expect("a find"));
    // What the line does in a shell is what was found.
    let line =
        report.found[0].repeat.clone().expect("a line").replace("brownout run", &shell(env!("CARGO_BIN_EXE_brownout")));
    let line = line.replacen(' ', " run ", 1);
    if let Ok(done) = Command::new("bash").args(["-c", &line]).output() {
        assert_eq!(done.status.code(), Some(1), "{line}\n{}", String::from_utf8_lossy(&done.stderr));
    }
    let checked = Command::new(env!("CARGO_BIN_EXE_brownout")).arg("check").arg(&written).output().expect("brownout");
    assert_eq!(checked.status.code(), Some(0));
    // The corpus is read again.
    let again = hunt(&Ask { corpus: Some(&corpus), runs: 64, ..ask });
    assert_eq!(again.from_corpus, report.corpus as u64);
}

#[test]
fn the_faults_of_a_file_are_taken_as_they_are_in_force() {
    let entry = "[[timeline]]\nid = \"cut\"\nat = { value = \"10s\", inferred = \"the log\" }\ndo = \"hang\"\nstore = \"orders\"\n\
                 for = { value = \"30s\", assumed = [\"5s\", \"60s\"] }\n\
                 [[timeline]]\nwhen = \"done:cut\"\ndo = \"note\"\nsays = \"over\"\n\
                 [[expect]]\nalways = \"all.dropped_rate < 1% during cut\"\n\
                 [axes.length]\ndefault = \"short\"\n[axes.length.short]\ntimeline.cut.for = \"20s\"\n[axes.length.long]\n";
    let home = folder("in-force");
    let path = file(&home, "own.toml", &world("own", PLAIN, entry));
    let out = home.join("out");
    let shrunk = |set: &[String], design: &[String]| {
        let task = Task { set, design, ..Task::of(&path) };
        let report =
            watched(|watch| shrink_file(&task, 1, (Some(&out), false), watch)).unwrap_or_else(|why| panic!("{why}"));
        let found = report.found.into_iter().next().expect("it fails");
        repeats(&found);
        found
    };
    // What the design and the command line make of the entry is what is made smaller.
    assert_eq!(shrunk(&[], &[]).safe[0].fails, shrunk(&owned(&["timeline.cut.for=25s"]), &[]).safe[0].fails);
    let start = shrunk(&owned(&["timeline.cut.at=40s"]), &owned(&["length=long"]));
    assert!(start.schedule.len() == 1 && start.toml.contains("at = \"40s\""), "{}", start.toml);
    // Without its fault the file still knows whom its conditions speak of.
    let base = Base::new(&Task { instead: true, ..Task::of(&path) }).unwrap_or_else(|why| panic!("{why}"));
    assert!(base.scenario().plan.spec.timeline.iter().all(|entry| !entry.enabled || entry.action.word() == "note"));
}

#[test]
fn what_comes_after_the_first_part_is_left_out() {
    let more = "profile = [[\"0s\", 1.0], [\"20s\", 1.0], [\"40s\", 3.0], [\"60s\", 0.5]]\n";
    let rest = "[[timeline]]\nid = \"late\"\nat = \"50s\"\ndo = \"hang\"\nstore = \"orders\"\nfor = \"2s\"\n\
                [[timeline]]\nwhen = \"done:late\"\ndo = \"slow\"\nstore = \"orders\"\nfor = \"1s\"\n\
                [[expect]]\nalways = \"all.dropped_rate < 1%\"\n[[expect]]\nalways = \"all.recovery < 5s\"\n\
                [[expect]]\nalways = \"all.dropped_rate < 1% during late\"\n\
                [[expect]]\nalways = \"all.failed_rate < 1%\"\nover = { from = \"45s\", to = \"55s\" }\n\
                [axes.load]\ndefault = \"flat\"\n[axes.load.flat]\n\
                [axes.load.peak]\nclients.buyers.profile = { value = [[\"10s\", 1.0], [\"59s\", 2.0]], assumed = [0.5, 3.0] }\n";
    let home = folder("first");
    let text = world("first", PLAIN, rest).replace("rate = \"20/s\"\n", &format!("rate = \"20/s\"\n{more}"));
    let path = file(&home, "first.toml", &text);
    let (out, only, corpus) = (home.join("out"), owned(&["hang"]), home.join("corpus"));
    let filter = Filter { only: &only, without: &[] };
    let (set, design) = (owned(&["clients.buyers.profile=[[\"0s\", 1], [\"58s\", 4]]"]), owned(&["load=peak"]));
    let tasks = [(&[][..], &[][..]), (&set[..], &[][..]), (&[][..], &design[..])];
    for (set, design) in tasks {
        let task = Task { first: Some(Ns::secs(30)), set, design, ..Task::of(&path) };
        let report = hunt(&ask(task, filter, &out, 32));
        let scenario = read(&repeats(report.found.first().expect("a find")));
        assert_eq!((scenario.span, scenario.expect.len()), (Ns::secs(30), 2));
        // The first half of the day is as it was.
        let whole = load(&Request { path: &path, set, design }).expect("a scenario");
        let offered = |scenario: &Scenario| {
            let steps = run(scenario, 7).timeline.steps;
            steps.iter().take(30).map(|step| step.calls["checkout"].offered).sum::<u64>()
        };
        let (first, all) = (offered(&scenario) as f64, offered(&whole) as f64);
        assert!((first / all - 1.0).abs() < 0.1, "{first} calls, of the whole {all}");
    }
    // A corpus of the whole run: what reaches beyond the first part is left out and named.
    let whole = hunt(&Ask { corpus: Some(&corpus), ..ask(Task::of(&path), filter, &out, 96) });
    let task = Task { first: Some(Ns::secs(20)), ..Task::of(&path) };
    let entry =
        |at: &str, store: &str| format!("# seed 1\n[[timeline]]\nat = \"{at}\"\ndo = \"hang\"\nstore = \"{store}\"\n");
    let late = file(&corpus, "000098.toml", &entry("50s", "orders"));
    let part = hunt(&Ask { corpus: Some(&corpus), ..ask(task, filter, &out, 32) });
    assert_eq!(part.from_corpus + part.left_out.len() as u64, whole.corpus as u64 + 1);
    assert!(part.left_out.contains(&late.display().to_string()), "{:?}", part.left_out);
    // What is no schedule is named, too.
    file(&corpus, "000099.toml", &entry("1s", "gone"));
    let why =
        try_hunt(&Ask { corpus: Some(&corpus), ..ask(task, filter, &out, 32) }).expect_err("no store").to_string();
    assert!(why.contains("000099.toml is no schedule"), "{why}");
}

#[test]
fn a_find_knows_its_traces_wherever_it_lies() {
    let home = folder("traces");
    let rows: String = (0..600).map(|i| format!("{:.2},checkout\n", f64::from(i) / 10.0)).collect();
    std::fs::create_dir_all(home.join("data")).expect("a folder");
    let trace = file(&home.join("data"), "calls é.csv", &format!("t,kind\n{rows}"));
    let absolute = trace.canonicalize().expect("a path");
    let text = |name: &str| {
        world("trace", PLAIN, TWO)
            .replace("rate = \"20/s\"\n", &format!("trace = {}\n", brownout::models::setting::quoted(name)))
    };
    let only = owned(&["hang"]);
    let filter = Filter { only: &only, without: &[] };
    let by_hand = owned(&["clients.buyers.trace=data/calls é.csv"]);
    let design = "[axes.load]\ndefault = \"recorded\"\n[axes.load.recorded.clients.buyers]\ntrace = \"data/calls é.csv\"\nrate = \"0/s\"\n";
    let ways: [(String, &[String]); 4] = [
        (text("data/calls é.csv"), &[]),
        (text(absolute.to_str().expect("text")), &[]),
        (text("no.csv"), &by_hand),
        (format!("{}{design}", world("trace", PLAIN, TWO)), &[]),
    ];
    for (n, (text, set)) in ways.into_iter().enumerate() {
        let path = file(&home, &format!("trace-{n}.toml"), &text);
        let report = hunt(&ask(Task { set, ..Task::of(&path) }, filter, &home.join("out/deep"), 32));
        let scenario = read(&repeats(report.found.first().expect("a find")));
        assert_eq!(scenario.plan.traces[0].as_ref().map(|times| times.len()), Some(600));
    }
}

/// Characters that have broken something somewhere.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("सेवा"),
        Just("e\u{301}"),
        Just("👩\u{200d}💻"),
        Just("❤\u{fe0f}"),
        Just("a\u{a0}b"),
        Just("\n"),
        Just("\r\n"),
        Just("\t"),
        Just("\""),
        Just("'"),
        Just("\\"),
        Just("\u{1b}[2J"),
        Just("\u{0}"),
        Just("\u{7f}"),
        Just("\u{85}"),
        Just("\u{202e}"),
        Just("在庫"),
        Just("# seed 3"),
        Just("[x]"),
        Just("="),
        Just(","),
        Just("{"),
        Just("\"\"\""),
        Just("'''"),
        Just("$(x)"),
        Just("%"),
        Just("none"),
        Just("value"),
        Just("\u{2028}"),
        Just(".."),
        Just("/"),
        Just("ภาษา"),
        Just(" "),
    ];
    proptest::collection::vec(piece, 1..5).prop_map(|pieces| pieces.concat())
}

/// Faults of a kind, drawn, written, and read from the file: the same world.
fn written_and_read(base: &Base, schedule: &Schedule, home: &Path) -> Result<(), TestCaseError> {
    let text = base.file(schedule, 5, home).unwrap_or_else(|why| panic!("{why}"));
    let read = brownout::scenarios::load_text("found.toml", &text, home, &[], &[]);
    let read = read.map_err(|mistakes| TestCaseError::fail(format!("{}\n{text}", mistakes.render(false))))?;
    let drawn = base.with(schedule).unwrap_or_else(|why| panic!("{why}"));
    prop_assert_eq!(run(&read, 5).digest, run(&drawn, 5).digest, "{}", text);
    Ok(())
}

proptest! {
    #![proptest_config(Config { rng_seed: RngSeed::Fixed(13), failure_persistence: None, cases: 12, max_shrink_iters: 40, ..Config::default() })]

    /// Every kind of fault there is, on whatever is called whatever.
    #[test]
    fn every_fault_is_written_as_it_was_drawn(names in [hostile(), hostile(), hostile(), hostile()], title in hostile(), seed in 0..1000_u64) {
        let home = folder("property");
        let [clients, kind, fleet, store] = &names;
        let text = world(&title, [clients, kind, fleet, store], TWO).replace("span = \"1min\"", "span = \"20s\"");
        let path = file(&home, "p.toml", &text);
        let base = Base::new(&Task::of(&path)).map_err(|why| TestCaseError::fail(format!("{why}\n{text}")))?;
        let mut seen = BTreeSet::new();
        for kind in fault::kinds() {
            let only = owned(&[kind.word]);
            let Ok(vocabulary) = Vocabulary::new(base.scenario(), Filter { only: &only, without: &[] }) else { continue };
            let schedule = draw_schedule(&vocabulary, &Budget::of(base.scenario().span), seed);
            seen.extend(schedule.kinds().into_iter().map(str::to_string));
            written_and_read(&base, &schedule, &home)?;
        }
        prop_assert!(seen.len() + 5 > fault::kinds().len(), "only {:?}", seen);
    }

    /// A whole hunt: what is found under such names fails again from its file.
    #[test]
    fn finds_repeat_whatever_things_are_called(names in [hostile(), hostile(), hostile(), hostile()], title in hostile(), break_at in 0..3_usize) {
        let home = folder("hunted");
        let space = ["\n", "\t \n", " "][break_at];
        let more = format!("[[expect]]\nalways = \"\"\"all.failed_rate{space}<{space}5%{space}over{space}run\"\"\"\n");
        let [clients, kind, fleet, store] = &names;
        let text = world(&title, [clients, kind, fleet, store], &more).replace("span = \"1min\"", "span = \"20s\"");
        let path = file(&home, "h.toml", &text);
        let only = owned(&["store"]);
        let report = try_hunt(&ask(Task::of(&path), Filter { only: &only, without: &[] }, &home.join("out"), 32));
        let report = report.map_err(|why| TestCaseError::fail(format!("{why}\n{text}")))?;
        prop_assert!(!report.found.is_empty());
        report.found.iter().map(repeats).for_each(drop);
    }
}
