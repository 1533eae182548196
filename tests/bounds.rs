//! Whatever a file asks for, memory and time end: at a limit that is documented, or the file is refused.
//!
//! A test program of its own, since it counts all that the program has allocated.

use brownout::scenarios::{Scenario, load_text};
use brownout::sim::run::{Ended, Orders, Run};
use brownout::sim::{Compared, Twins, difference, orders};
use peak_alloc::PeakAlloc;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;
/// One test at a time counts what is allocated.
static COUNTING: Mutex<()> = Mutex::new(());

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bounds").join(name);
    // It is there only if an earlier run of the test left it.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Runs the command; it must end by itself within so many seconds.
fn brownout(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_brownout"));
    let mut child =
        command.args(args).current_dir(folder).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("brownout");
    let begun = Instant::now();
    while child.try_wait().expect("a child").is_none() {
        if begun.elapsed() > Duration::from_secs(60) {
            child.kill().expect("to end it");
            panic!("{args:?} does not end");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.wait_with_output().expect("its output")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn good(text: &str) -> Scenario {
    load_text("x.toml", text, Path::new("."), &[], &[])
        .unwrap_or_else(|mistakes| panic!("{}\n{text}", mistakes.render(false)))
}

fn mistakes(text: &str) -> Vec<String> {
    load_text("x.toml", text, Path::new("."), &[], &[]).map(drop).expect_err(text).messages()
}

/// Ten million calls a second for a day, and what holds them up; at most so much memory.
fn flood(clients: &str, kind: &str, rest: &str, memory: &str) -> String {
    format!(
        "brownout = 1\ntitle = \"x\"\nspan = \"24h\"\nstep = \"1h\"\nlimits.memory = \"{memory}\"\n\
         [clients.c]\nsends = \"k\"\ntimeout = \"24h\"\n{clients}\n[balancer]\nidle_timeout = \"none\"\n\
         [fleets.f]\ncount = 16\nworkers = 8\ncalls.k = {{ work = \"1ms\", timeout = \"24h\", {kind} }}\n[stores.s]\n{rest}"
    )
}

const RATE: &str = "rate = \"10000000/s\"";
const HANG: &str = "[[timeline]]\nat = \"0s\"\ndo = \"hang\"\nstore = \"s\"\n";

#[test]
fn memory_stays_below_its_limit_whatever_piles_up() {
    let _alone = COUNTING.lock();
    let asks = "asks = \"s\"";
    let cases = [
        ("calls in a hang", flood(RATE, asks, HANG, "64MB")),
        ("a burst", flood("rate = \"10000000/s\"\narrivals = \"burst\"\nburst = 20000", asks, HANG, "64MB")),
        (
            "a surge",
            flood(
                "rate = \"100000/s\"",
                asks,
                &format!("{HANG}[[timeline]]\nat = \"0s\"\ndo = \"surge\"\nfactor = 100.0\nfor = \"10h\"\n"),
                "64MB",
            ),
        ),
        ("spools", flood(RATE, "asks = \"s\", writes = true, spool = { capacity = \"none\" }", HANG, "64MB")),
        (
            "a queue of the clients' own",
            flood(
                "rate = \"10000000/s\"\noffline = { returns_after = \"24h\" }",
                asks,
                "[[timeline]]\nat = \"0s\"\ndo = \"refuse\"\nstore = \"s\"\n",
                "64MB",
            ),
        ),
        (
            "the balancer's log",
            flood(
                RATE,
                asks,
                "[balancer.log]\ncalls = [\"k\"]\n[[timeline]]\nat = \"0s\"\ndo = \"refuse\"\nstore = \"s\"\n[[timeline]]\nat = \"23h\"\ndo = \"replay\"\ncalls = \"k\"\n",
                "64MB",
            ),
        ),
        (
            "messages that are late",
            flood(
                RATE,
                asks,
                "[[timeline]]\nat = \"0s\"\ndo = \"latency\"\nbetween = [\"balancer\", \"fleets.f\"]\nadd = \"1h\"\n",
                "64MB",
            ),
        ),
    ];
    for (what, text) in cases {
        let scenario = good(&text.replace(
            "[balancer]\nidle_timeout = \"none\"\n",
            if text.contains("[balancer.log]") { "" } else { "[balancer]\nidle_timeout = \"none\"\n" },
        ));
        let mut run = Run::new(&scenario.plan, orders(&scenario, 1));
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let ended = run.finish(None, &mut |_| {}).unwrap_or_else(|imbalance| panic!("{what}: {imbalance}"));
        assert_eq!(ended, Ended::MemoryLimit(64_000_000), "{what}");
        let taken = MEMORY.peak_usage() - before;
        assert!(taken < 64_000_000, "{what}: {taken} bytes");
        // What has been computed so far can be shown.
        let outcome = brownout::sim::write_up(&scenario, 1, &run, ended);
        assert!(outcome.ended.starts_with("limit of 64MB of memory reached at "), "{}", outcome.ended);
        assert!(outcome.ended.ends_with("`limits.memory` in the scenario raises it"), "{}", outcome.ended);
    }
}

/// Cells of the books begin with faults and outages, and each takes room for every population, fleet and store.
#[test]
fn memory_stays_below_its_limit_however_often_faults_come_beside_however_many_stores() {
    let _alone = COUNTING.lock();
    let often = "[[timeline]]\nat = \"0s\"\ndo = \"hang\"\nstore = \"s\"\nfor = \"500ms\"\nrepeat = { every = \"1s\", times = 80000 }\n";
    let each = |part: &dyn Fn(usize) -> String| (0..200).map(part).collect::<String>();
    let clients = each(&|n| format!("[clients.c{n}]\nsends = \"k\"\nrate = \"1/h\"\n"));
    let kinds = each(&|n| format!("calls.k{n} = {{ work = \"1ms\", asks = \"s{n}\" }}\n"));
    let stores = each(&|n| format!("[stores.s{n}]\n")) + "[fleets.g]\ncount = 1\n" + &kinds;
    for (what, more) in [("stores", stores), ("populations", clients)] {
        let scenario = good(&flood("rate = \"1/s\"", "asks = \"s\"", &format!("{more}{often}"), "64MB"));
        let before = MEMORY.current_usage();
        let mut run = Run::new(&scenario.plan, orders(&scenario, 1));
        MEMORY.reset_peak_usage();
        let ended = run.finish(None, &mut |_| {}).unwrap_or_else(|imbalance| panic!("{what}: {imbalance}"));
        assert_eq!(ended, Ended::MemoryLimit(64_000_000), "{what}");
        let taken = MEMORY.peak_usage() - before;
        assert!(taken < 64_000_000, "{what}: {taken} bytes");
    }
}

/// Facts are kept to compare two runs, and to find a call: those of one step, however long the scenario's steps are.
#[test]
fn facts_that_are_kept_are_few_and_counted() {
    let _alone = COUNTING.lock();
    let scenario = good(
        &flood("rate = \"1000/s\"", "asks = \"s\"", "", "64MB")
            .replace("span = \"24h\"\nstep = \"1h\"", "span = \"300s\"\nstep = \"300s\""),
    );
    let keeping = |orders: Orders| Orders { keep_facts: true, ..orders };
    let mut whole = Run::new(&scenario.plan, keeping(orders(&scenario, 1)));
    let ended = whole.finish(None, &mut |_| {}).unwrap_or_else(|imbalance| panic!("{imbalance}"));
    assert_eq!(ended, Ended::MemoryLimit(64_000_000));
    drop(whole);
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let same = difference(&mut Twins::new(&scenario, (1, 1)), None).unwrap_or_else(|imbalance| panic!("{imbalance}"));
    assert_eq!(same, Compared::Same(Ended::Complete));
    assert!(MEMORY.peak_usage() - before < 16_000_000, "{} bytes", MEMORY.peak_usage() - before);
}

#[test]
fn a_run_has_limits_unless_its_file_takes_them_off() {
    let _alone = COUNTING.lock();
    let text = |more: &str| {
        format!(
            "brownout = 1\ntitle = \"x\"\nspan = \"10s\"\n{more}[clients.c]\nsends = \"k\"\nrate = \"1/s\"\n[fleets.f]\ncalls.k = {{ work = \"1ms\" }}\n"
        )
    };
    let of = |more: &str| {
        let Orders { event_limit, memory_limit, .. } = orders(&good(&text(more)), 1);
        (event_limit, memory_limit)
    };
    assert_eq!(of(""), (Some(1_000_000_000), Some(2_000_000_000)));
    assert_eq!(of("limits = { events = \"none\", memory = \"none\" }\n"), (None, None));
}

#[test]
fn limits_hold_on_both_runtimes_and_what_was_computed_is_printed() {
    let _alone = COUNTING.lock();
    let folder = folder("runtimes");
    for (runtime, rate) in [("kernel", RATE), ("madsim", "rate = \"1000/s\"")] {
        std::fs::write(folder.join("flood.toml"), flood(rate, "asks = \"s\"", HANG, "16MB")).expect("a file");
        for (set, key) in [("limits.events=100", "limits.events"), ("limits.events=none", "limits.memory")] {
            let args = ["run", "flood.toml", "--runtime", runtime, "--set", set];
            let output = brownout(&folder, &args);
            assert_eq!(output.status.code(), Some(5), "{args:?}: {}", said(&output));
            assert!(said(&output).contains(&format!("`{key}` in the scenario raises it")), "{}", said(&output));
            assert!(!output.stdout.is_empty());
        }
    }
}

/// Where a run is broken off before a call was found, nobody knows of it: that there is none is not said.
#[test]
fn a_call_that_is_sought_beyond_a_limit_is_not_said_to_be_none() {
    let _alone = COUNTING.lock();
    let folder = folder("sought");
    let text =
        flood("rate = \"100/s\"", "asks = \"s\"", "", "64MB").replace("limits.", "limits.events = 2000\nlimits.");
    std::fs::write(folder.join("x.toml"), text).expect("a file");
    for which in [&["--id", "100000"][..], &["--first-failed"], &["--slowest"]] {
        let output = brownout(&folder, &[&["explain-call", "x.toml"][..], which].concat());
        assert_eq!(output.status.code(), Some(5), "{which:?}: {}", said(&output));
        let expected = "error: the call was not found yet: limit of 2000 events reached; `limits.events`";
        assert!(said(&output).contains(expected), "{which:?}: {}", said(&output));
    }
}

/// The books are checked against every call under way, but not at a hundred thousand steps between which nothing happens.
#[test]
fn short_steps_do_not_look_at_every_call_each_time() {
    let _alone = COUNTING.lock();
    let took = |burst: u32| {
        let clients = format!("rate = \"{burst}/h\"\narrivals = \"burst\"\nburst = {burst}");
        let text = flood(&clients, "asks = \"s\"", HANG, "none");
        let scenario = good(&text.replace("span = \"24h\"\nstep = \"1h\"", "span = \"24h\"\nstep = \"1s\""));
        let mut run = Run::new(&scenario.plan, orders(&scenario, 1));
        let begun = Instant::now();
        run.finish(None, &mut |_| {}).unwrap_or_else(|imbalance| panic!("{imbalance}"));
        assert!(run.alive_max >= u64::from(burst), "{} of {burst} are under way", run.alive_max);
        begun.elapsed()
    };
    let (few, many) = (took(10), took(100_000));
    assert!(many < 3 * few + Duration::from_secs(1), "{many:?} with calls under way, {few:?} without");
}

#[test]
fn lists_and_repetitions_without_measure_are_refused() {
    let _alone = COUNTING.lock();
    let head = "brownout = 1\ntitle = \"x\"\nspan = \"24h\"\nSEEDS[clients.c]\nsends = \"k\"\nrate = \"1/s\"\n\
                [fleets.f]\ncount = 1000\ncalls.k = { work = \"1ms\", asks = \"s\" }\n[stores.s]\n";
    let seeds = format!("seeds = {:?}\n", (0..500_000).collect::<Vec<u64>>());
    let found = mistakes(&head.replace("SEEDS", &seeds));
    assert_eq!(found, ["500000 entries of `seeds` are more than the 10000 supported"]);
    let plain = head.replace("SEEDS", "");
    let repeat = |fault: &str, lasts: &str, repeat: &str| {
        format!("{plain}[[timeline]]\nat = \"1s\"\n{fault}\nfor = \"{lasts}\"\nrepeat = {repeat}\n")
    };
    let hang = "do = \"hang\"\nstore = \"s\"";
    let found = mistakes(&repeat(hang, "5ms", "{ every = \"10ms\", times = 1000000 }"));
    assert_eq!(found, ["times that faults come: 1000000 are more than the 100000 supported"]);
    // As often as there is time for.
    let found = mistakes(&repeat(hang, "5ms", "{ every = \"10ms\" }"));
    assert_eq!(found, ["times that faults come: 8639901 are more than the 100000 supported"]);
    // On top of each other.
    let found = mistakes(&repeat(hang, "1h", "{ every = \"1s\", times = 50000 }"));
    assert_eq!(found, ["changes by repeated faults: 180050000 are more than the 50000000 supported"]);
    let found = mistakes(&repeat(
        "do = \"pause\"\nfleet = \"f\"\nservers = \"all\"",
        "1ms",
        "{ every = \"1s\", times = 60000 }",
    ));
    assert_eq!(found, ["changes by repeated faults: 60000000 are more than the 50000000 supported"]);
    good(&repeat(hang, "5ms", "{ every = \"1s\", times = 80000 }"));
}

/// A pipe without a writer: opening it to read waits without end.
#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_refused_before_it_is_opened() {
    let _alone = COUNTING.lock();
    let folder = folder("pipes");
    let made = Command::new("mkfifo").arg("x.toml").current_dir(&folder).status();
    if !made.is_ok_and(|status| status.success()) {
        return;
    }
    std::fs::create_dir_all(folder.join("corpus")).expect("a folder");
    for copy in ["x.json", "corpus/000001.toml"] {
        assert!(Command::new("mkfifo").arg(copy).current_dir(&folder).status().expect("mkfifo").success());
    }
    let text = |trace: &str| {
        format!(
            "brownout = 1\ntitle = \"x\"\nspan = \"20s\"\n[clients.c]\nsends = \"k\"\n{trace}\n[fleets.f]\n\
             calls.k = {{ work = \"1ms\", asks = \"s\" }}\n[stores.s]\n[[expect]]\nalways = \"all.failed_rate < 1%\"\n"
        )
    };
    std::fs::write(folder.join("hunt.toml"), text("rate = \"10/s\"")).expect("a file");
    std::fs::write(folder.join("pipe.toml"), text("trace = \"x.toml\"")).expect("a file");
    std::fs::write(folder.join("zero.toml"), text("trace = \"/dev/zero\"")).expect("a file");
    std::fs::write(folder.join("long.csv"), format!("t,kind\n1,k\n{}", "x".repeat(3 << 20))).expect("a file");
    std::fs::write(folder.join("long.toml"), text("trace = \"long.csv\"")).expect("a file");
    let refused = [
        (&["check", "x.toml"][..], "x.toml"),
        (&["check", "/dev/zero"], "/dev/zero"),
        (&["run", "x.toml"], "x.toml"),
        (&["test", "x.toml"], "x.toml"),
        (&["run", "pipe.toml"], "x.toml"),
        (&["run", "zero.toml"], "/dev/zero"),
        (&["run", "long.toml"], "long.csv"),
        (&["report", "x.json", "-o", "x.html"], "x.json"),
        (&["diff", "x.json", "x.json"], "x.json"),
        (&["hunt", "hunt.toml", "--corpus", "corpus", "--no-file"], "000001.toml"),
    ];
    for (args, names) in refused {
        let output = brownout(&folder, args);
        let all = said(&output) + &String::from_utf8_lossy(&output.stdout);
        assert!(matches!(output.status.code(), Some(2 | 5)) && all.contains(names), "{args:?}: {all}");
    }
    // A folder with one in it: the others are run.
    let output = brownout(&folder, &["test", "."]);
    assert!(matches!(output.status.code(), Some(1 | 2)), "{}", said(&output));
}

#[test]
fn a_document_that_no_run_comes_to_or_that_is_too_large_is_refused() {
    let _alone = COUNTING.lock();
    let folder = folder("documents");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let minute = root.join("tests/cmd/compare.in/minute.toml");
    let output = brownout(&folder, &["run", minute.to_str().expect("text"), "--json"]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a document");
    let write = |name: &str, change: &dyn Fn(&mut serde_json::Value)| {
        let mut changed = document.clone();
        change(&mut changed);
        std::fs::write(folder.join(name), changed.to_string()).expect("a file");
    };
    write("sound.json", &|_| {});
    write("far.json", &|d| d["timeline"]["steps"][0]["t_s"] = 1e15.into());
    write("long.json", &|d| d["timeline"]["step_s"] = 1e15.into());
    write("span.json", &|d| d["span"]["length_s"] = 1e15.into());
    write("many.json", &|d| d["timeline"]["steps"][0]["calls"]["track"]["dropped"]["backlog_full"] = u64::MAX.into());
    write("back.json", &|d| d["timeline"]["steps"][1]["t_s"] = (-3.0).into());
    write("turns.json", &|d| d["rotation"]["changes_s"]["collectors-1"] = vec![1.0, 1e12].into());
    let huge = std::fs::File::create(folder.join("huge.json")).expect("a file");
    huge.set_len(700 << 20).expect("a sparse file");
    for name in ["far.json", "long.json", "span.json", "many.json", "back.json", "turns.json", "huge.json"] {
        for args in [&["report", "sound.json", name, "-o", "x.html"][..], &["diff", "sound.json", name]] {
            let output = brownout(&folder, args);
            assert_eq!(output.status.code(), Some(2), "{args:?}: {}", said(&output));
            assert!(said(&output).contains(name), "{}", said(&output));
        }
    }
    assert_eq!(brownout(&folder, &["report", "sound.json", "sound.json", "-o", "x.html"]).status.code(), Some(0));
}

#[test]
fn a_trace_that_plays_nothing_is_a_mistake_and_what_is_left_out_of_one_is_counted() {
    let _alone = COUNTING.lock();
    let folder = folder("traces");
    std::fs::write(folder.join("some.csv"), "t,kind\n-0.5,track\n1,track\n59,other\n61000,track\n").expect("a file");
    std::fs::write(folder.join("ms.csv"), "t,kind\n-500,track\n61000,track\n").expect("a file");
    let text = "brownout = 1\ntitle = \"x\"\nspan = \"1min\"\n[clients.a]\nsends = \"track\"\ntrace = \"ms.csv\"\n\
                [fleets.web]\ncalls.track = { work = \"2ms\" }\n";
    std::fs::write(folder.join("ms.toml"), text).expect("a file");
    let output = brownout(&folder, &["run", "ms.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("none of its 2 rows of the kind \"track\" lies in the run"), "{}", said(&output));
    std::fs::write(folder.join("some.toml"), text.replace("ms.csv", "some.csv")).expect("a file");
    for (args, code) in [
        (&["run", "some.toml"][..], 0),
        (&["check", "some.toml"], 0),
        (&["run", "some.toml", "--strict"], 2),
        (&["report", "some.toml", "--strict"], 2),
    ] {
        let output = brownout(&folder, args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", said(&output));
        assert!(
            said(&output).contains("some.csv: 2 of its 3 rows of the kind \"track\" lie outside the run"),
            "{}",
            said(&output)
        );
    }
}

/// Where there is no memory for the thread that reads a file, the file has no mistake.
#[cfg(target_os = "linux")]
#[test]
fn no_memory_for_a_thread_is_a_limit() {
    let _alone = COUNTING.lock();
    let folder = folder("threads");
    let text = "brownout = 1\ntitle = \"x\"\nspan = \"10s\"\n[clients.c]\nsends = \"k\"\nrate = \"1/s\"\n[fleets.f]\ncalls.k = { work = \"1ms\" }\n";
    std::fs::write(folder.join("x.toml"), text).expect("a file");
    let program = env!("CARGO_BIN_EXE_brownout");
    for command in ["run", "check", "explain-call --id 1", "list", "hunt --no-file", "test"] {
        let (name, options) = command.split_once(' ').unwrap_or((command, ""));
        let script = format!("ulimit -v 250000; exec '{program}' {name} x.toml {options}");
        let output = Command::new("bash").args(["-c", &script]).current_dir(&folder).output().expect("bash");
        assert_eq!(output.status.code(), Some(5), "{command}: {}", said(&output));
    }
}
