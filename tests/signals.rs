//! SIGINT and SIGTERM at any moment of any command: what is finished is printed and saved, the exit code is 130 or 143, and no
//! file is half written. The second signal ends the process at once.
//!
//! `cargo test --test command signals -- --ignored --nocapture` kills 200 hunts and comparisons (SIGKILL) in the middle of their
//! writing, and looks whether the next run can read what they left.
#![cfg(unix)]

use brownout::models::units::Ns;
use brownout::scenarios::{Request, load};
use brownout::sim::run::Ended;
use brownout::sim::trace::{Which, follow};
use brownout::sim::{Compared, Twins, difference, simulate};
use serde_json::Value;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// How long any command may go on after a signal: machines that test are slow.
const PATIENCE: Duration = Duration::from_secs(30);

fn scenario(name: &str) -> String {
    format!("{ROOT}/{name}")
}

/// A folder of a test's own, empty.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("signals").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Starts a command; `{}` in its words is the folder.
fn begun(command: &str, folder: &Path) -> Child {
    let words = command.split(' ').map(|word| word.replace("{}", &folder.display().to_string()));
    let mut child = Command::new(env!("CARGO_BIN_EXE_brownout"));
    child.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    child.spawn().expect("brownout starts")
}

fn send(child: &Child, signal: &str) {
    // It may have ended meanwhile.
    let _ = Command::new("kill").args([signal, &child.id().to_string()]).stderr(Stdio::null()).status();
}

/// Waits for the end, reading both streams meanwhile.
fn ended(child: Child, what: &str) -> Output {
    let id = child.id().to_string();
    let (over, wait) = std::sync::mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        let late = wait.recv_timeout(PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout);
        if late {
            let _ = Command::new("kill").args(["-KILL", &id]).status();
        }
        late
    });
    let output = child.wait_with_output().expect("it ends");
    drop(over);
    assert!(!watch.join().expect("the watch ends"), "{what}: it goes on");
    output
}

/// Numbers without a pattern that are the same in each run of the tests (SplitMix64).
struct Rng(u64);

impl Rng {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

/// Every file below a folder is whole.
fn whole(folder: &Path, what: &str) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            whole(&path, what);
            continue;
        }
        let shown = format!("{what}: {}", path.display());
        if entry.file_name().to_string_lossy().starts_with(".brownout-") {
            // What a process left that was killed; the next one takes it away.
            continue;
        }
        let bytes = fs::read(&path).expect("a file");
        let text = String::from_utf8_lossy(&bytes);
        match path.extension().and_then(|end| end.to_str()) {
            Some("json") => drop(serde_json::from_str::<Value>(&text).unwrap_or_else(|why| panic!("{shown}: {why}"))),
            Some("toml") => drop(text.parse::<toml::Table>().unwrap_or_else(|why| panic!("{shown}: {why}"))),
            Some("svg") => assert!(text.trim_end().ends_with("</svg>"), "{shown}"),
            Some("xml") => assert!(text.trim_end().ends_with("</testsuites>"), "{shown}"),
            Some("html") => assert!(text.trim_end().ends_with("</html>"), "{shown}"),
            Some("parquet") => assert!(bytes.ends_with(b"PAR1"), "{shown}"),
            Some("csv") => assert!(text.ends_with('\n'), "{shown}"),
            Some("png") => assert!(bytes.ends_with(b"IEND\xaeB`\x82"), "{shown}"),
            other => panic!("{shown}: what is {other:?}?"),
        }
    }
}

/// Commands that take from a tenth of a second to hours, and whether they print JSON.
fn commands() -> Vec<(String, bool)> {
    let day = scenario("scenarios/october-28.toml");
    let shop = scenario("tests/cmd/hunt.in/shop.toml");
    let minute = scenario("tests/cmd/compare.in/minute.toml");
    let longer = "--set span=4000s";
    [
        (format!("run {day} --seed 3 --out {{}}/out"), false),
        (format!("run {day} --json"), true),
        (format!("run {day} --ranges E2 --points 2 --json"), true),
        (format!("run {day} --check-determinism --json"), true),
        (format!("run {day} --trace {{}}/trace.json --json"), true),
        (format!("run {minute} --design failure=hang --runtime madsim {longer} --json"), true),
        (format!("compare {minute} --seeds 40 --out {{}}/out --json"), true),
        (format!("compare {minute} --design failure=hang --runtimes kernel,madsim --seeds 40 --json"), true),
        (format!("hunt {shop} --keep-going --runs 4000 --patience 0 --corpus {{}}/corpus --out {{}}/out --json"), true),
        (format!("hunt {shop} --worst checkout.dropped_rate --runs 300 --patience 0 --out {{}}/out --json"), true),
        (format!("hunt {shop} --only hang --runs 64 --remedies --out {{}}/out --json"), true),
        (format!("test {} --seeds 60 --junit {{}}/junit.xml --json", scenario("scenarios/degradation")), true),
        (format!("report {minute} --seeds 20 -o {{}}/page.html --plots {{}}/plots"), false),
        (format!("explain-call {day} --id 5000000 --json"), true),
        (format!("sweep plan {day} --axis mechanism --seeds 3 -o {{}}/planned"), false),
        (format!("sweep work {} --json", planned("worked").display()), true),
    ]
    .into()
}

/// A sweep that takes seconds, planned in a folder of its own and worked on again in each round.
fn planned(name: &str) -> PathBuf {
    let here = folder(name).join("sweep");
    let minute = scenario("tests/cmd/compare.in/minute.toml");
    let words = format!("sweep plan {minute} --set span=2000s --seeds 20 --shards 8 -o {}", here.display());
    assert!(ended(begun(&words, Path::new("")), &words).status.success());
    here
}

/// Signals at moments that are drawn: from before the command has begun until long after most have ended.
#[test]
fn a_signal_at_any_moment_ends_a_command_with_what_is_finished() {
    let mut rng = Rng(28);
    let (mut heard, mut missed) = (0, 0);
    for round in 0..3 {
        for (at, (command, is_json)) in commands().into_iter().enumerate() {
            let (signal, code) = if rng.below(2) == 0 { ("-INT", 130) } else { ("-TERM", 143) };
            let delay = Duration::from_millis([rng.below(60), rng.below(400), rng.below(1500)][round]);
            let here = folder(&format!("{at}-{round}"));
            let what = format!("{command} {signal} after {delay:?}");
            let mut child = begun(&command, &here);
            std::thread::sleep(delay);
            let over = child.try_wait().expect("a child").is_some();
            send(&child, signal);
            let output = ended(child, &what);
            whole(&here, &what);
            if output.status.signal().is_some_and(|by| by + 128 == code) {
                // Before the first line of the program: as a shell tells it, the same exit code.
                assert!(output.stdout.is_empty() && round < 2, "{what}: {}", String::from_utf8_lossy(&output.stderr));
            } else if output.status.code() == Some(code) {
                heard += 1;
                told(&output, is_json, &what);
            } else {
                // It had ended, or was about to.
                missed += usize::from(!over);
                assert!(output.status.code().is_some_and(|code| code < 4), "{what}: {:?}", output.status);
            }
        }
    }
    assert!(heard > 20 && missed < 3, "{heard} heard, {missed} ended otherwise although they were running");
}

/// What was printed says that it is not all.
fn told(output: &Output, is_json: bool, what: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("panicked") && !said.contains("bug in Brownout"), "{what}: {said}");
    // A command that has computed nothing has no document.
    if is_json && !output.stdout.is_empty() {
        let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|why| panic!("{what}: {why}"));
        // What followed the document may have been broken off instead.
        let done = document["interrupted"] == false && !what.starts_with("hunt") && !what.starts_with("test");
        assert!(document["interrupted"] == true || done, "{what}: {said}");
    }
}

/// What is run besides, to compare or to look on, is broken off as well, and not only noticed at its end.
#[test]
fn second_runs_are_broken_off_too() {
    let set = ["span=400s", "clients.callers.calls=4000000"].map(String::from);
    let path = PathBuf::from(scenario("scenarios/reference-mmc.toml"));
    let scenario = load(&Request { path: &path, set: &set, design: &[] }).unwrap_or_else(|why| panic!("{why}"));
    let stop = AtomicBool::new(true);
    let begun = Instant::now();
    let found = difference(&mut Twins::new(&scenario, (1, 1)), Some(&stop)).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(found, Compared::Same(Ended::Interrupted));
    let late = Which::Between(Ns::secs(390), Ns::NEVER, 10);
    let followed = follow(&scenario, 1, late, Some(&stop)).unwrap_or_else(|why| panic!("{why}"));
    assert!(followed.lives.is_empty() && followed.run.at() < Ns::secs(50), "it went on to {}", followed.run.at());
    let first = begun.elapsed();
    let whole = simulate(&scenario, 1, None, &mut |_| {}).unwrap_or_else(|why| panic!("{why}"));
    assert!(whole.meta.calls > 3_000_000 && first < begun.elapsed() - first, "both took {first:?}");
}

/// A step may be as long as the run: a signal is heard within it.
#[test]
fn a_run_of_one_step_is_broken_off_too() {
    let here = folder("one-step");
    let text = fs::read_to_string(scenario("scenarios/reference-mmc.toml")).expect("the file");
    let expects = "[[expect]]\nalways = \"call.success_rate >= 0%\"\n";
    fs::write(here.join("long.toml"), format!("{text}\n{expects}")).expect("written");
    let day = "{}/long.toml --set span=30000s --set step=30000s --set clients.callers.calls=300000000";
    let commands = [
        "run",
        "run --runtime madsim",
        "test",
        "compare --runtimes kernel,madsim --seeds 1",
        "explain-call --id 200000000",
    ];
    let seeks = ["explain-call --slowest all", "explain-call --first-failed all --from 29000s"];
    for (command, says) in commands.map(|command| (command, true)).into_iter().chain(seeks.map(|seek| (seek, false))) {
        let command = format!("{command} {day} --json");
        let child = begun(&command, &here);
        std::thread::sleep(Duration::from_millis(700));
        send(&child, "-TERM");
        let output = ended(child, &command);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(143), "{command}: {said}");
        if says && !output.stdout.is_empty() {
            let document: Value =
                serde_json::from_slice(&output.stdout).unwrap_or_else(|why| panic!("{command}: {why}"));
            assert_eq!(document["interrupted"], true, "{command}");
        } else {
            assert!(said.contains("interrupted"), "{command}: {said}");
        }
    }
    // The call is found at once, and never ends.
    let stuck = "--set fleets.collectors.calls.call.work=29000s --set clients.callers.timeout=30000s";
    let command = format!("explain-call --id 1 {day} {stuck} --json");
    let child = begun(&command, &here);
    std::thread::sleep(Duration::from_millis(700));
    send(&child, "-INT");
    let output = ended(child, &command);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{command}: {said}");
    assert!(said.contains("interrupted: the story is not all"), "{command}: {said}");
    let story: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|why| panic!("{command}: {why}: {said}"));
    assert_eq!((&story["interrupted"], &story["number"]), (&Value::from(true), &Value::from(1)), "{command}");
}

#[test]
fn a_second_signal_ends_at_once() {
    // More than a pipe holds: it waits for its reader, and would print the rest after the first signal.
    let command = "list --json";
    for (signals, code) in [(["-INT", "-INT"], 130), (["-TERM", "-TERM"], 143), (["-INT", "-TERM"], 143)] {
        let mut child = begun(command, Path::new(""));
        for signal in signals {
            std::thread::sleep(Duration::from_millis(500));
            assert!(child.try_wait().expect("a child").is_none(), "{signals:?}: it has ended before {signal}");
            send(&child, signal);
        }
        let output = ended(child, command);
        assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(serde_json::from_slice::<Value>(&output.stdout).is_err(), "{signals:?}: it has gone on");
    }
}

/// Files under way in a folder: what a process that was killed has left, or one that lives is writing.
fn under_way(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(".brownout-")).count()
}

/// The documented command of this file's head: hunts with a corpus and comparisons, killed in turn in the same folders until
/// 200 have been; the next must be able to go on. Every other pair is killed when it is seen to write.
#[test]
#[ignore = "minutes: run it when the way in which files are written has changed"]
fn what_two_hundred_kills_leave_can_be_read() {
    let here = folder("kills");
    let [corpus, hunts, out] = ["corpus", "hunts", "out"].map(|name| here.join(name));
    let shop = scenario("tests/cmd/hunt.in/shop.toml");
    let compare =
        format!("compare {} --axis failure --seeds 1 --out {{}}/out", scenario("tests/cmd/compare.in/minute.toml"));
    let hunt = |more: &str| format!("hunt {shop} {more} --corpus {{}}/corpus --out {{}}/hunts");
    let mut rng = Rng(200);
    let (mut begun_so_far, mut killed, mut writing) = (0, 0, 0);
    for round in 0.. {
        let more = format!("--runs 100000 --keep-going --patience 0 --only hang,slow,crash --seed {round}");
        let pair = [(hunt(&more), vec![&corpus, &hunts]), (compare.clone(), vec![&out])];
        for (command, folders) in &pair {
            let left = || folders.iter().map(|folder| under_way(folder)).sum::<usize>();
            let (before, watched) = (left(), round % 2 == 0);
            let mut child = begun(command, &here);
            let from = Instant::now();
            let longest = Duration::from_millis(if watched { 2_000 } else { rng.below(1_000) });
            while from.elapsed() < longest && !(watched && left() > before) {
                std::thread::sleep(Duration::from_micros(200));
                if child.try_wait().expect("a child").is_some() {
                    break;
                }
            }
            child.kill().expect("it is ours");
            let is_killed = ended(child, command).status.signal() == Some(9);
            begun_so_far += 1;
            killed += usize::from(is_killed);
            // What the one before it had left is taken away by then, if this one has got as far as its folder.
            writing += usize::from(is_killed && left() > 0);
            whole(&here, command);
        }
        if round % 4 != 3 {
            continue;
        }
        for command in [&hunt("--runs 1"), &compare] {
            let output = ended(begun(command, &here), command);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.code().is_some_and(|code| code <= 1), "{command}: {:?} {said}", output.status);
        }
        assert!([&corpus, &hunts, &out].iter().all(|f| under_way(f) == 0), "what was left is taken away");
        if killed >= 200 {
            break;
        }
        assert!(round < 400, "{killed} killed");
    }
    println!(
        "{killed} of {begun_so_far} killed, {writing} of them while a file was under way; such files were taken away, every \
         other file was whole, and every next run could go on"
    );
    assert!(writing > 20);
}
