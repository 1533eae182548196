//! Output that does not arrive is an error, in every command, on every stream and in every file: exit code 5 and a message.
//! A reader who leaves is none. Files are whole or not there, and nothing is replaced but ordinary files.
//!
//! Commands are taken from `brownout --help`, options that write from the help of each command: one that is new fails here
//! until [`printing`] or [`writing`] says how to try it.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const BROWNOUT: &str = env!("CARGO_BIN_EXE_brownout");

/// A scenario of this repository.
fn file(name: &str) -> String {
    format!("{ROOT}/tests/cmd/{name}")
}

/// A folder of a test's own, empty.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("output").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn brownout(args: &[String]) -> Command {
    let mut command = Command::new(BROWNOUT);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn finished(args: &[String]) -> Output {
    brownout(args).output().expect("brownout starts")
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| word.to_string()).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The words in the column of names below a heading of a help page.
fn column(help: &str, heading: &str) -> Vec<String> {
    let below = help.split_once(heading).map_or("", |(_, below)| below);
    let lines = below.lines().skip(1).take_while(|line| !line.trim().is_empty());
    // What is indented further goes on with the line above.
    let lines = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    lines.filter_map(|line| line.split_whitespace().next()).map(str::to_string).collect()
}

fn commands() -> Vec<String> {
    let help = text(&finished(&owned(&["--help"])).stdout);
    let all = column(&help, "Commands:");
    assert!(all.len() > 10, "{help}");
    all
}

/// How to make a command print something: its words after its name. A new command is said here how to try.
fn printing(command: &str, saved: &Path) -> Vec<String> {
    let minute = file("compare.in/minute.toml");
    let document = saved.join("outcome.json").display().to_string();
    let words: &[&str] = match command {
        "run" => &[&file("run.in/day.toml"), "--json"],
        "compare" => &[&minute, "--axis", "failure", "--seeds", "1"],
        "test" => &[&file("test.in/holds.toml")],
        "hunt" => &[&file("hunt.in/shop.toml"), "--no-file", "--runs", "1"],
        "report" => &[&document, "-o", &saved.join("page.html").display().to_string()],
        "play" => &[&minute, "--engine", &engine(saved), "-o", &saved.join("play.html").display().to_string()],
        "diff" => &[&document, &document.replace("outcome", "other")],
        "check" => &[&minute],
        "init" => &["--stdout"],
        "list" | "help" => &[],
        "explain" => &["haproxy"],
        "explain-call" => &[&minute, "--design", "failure=refuse", "--id", "1"],
        "completions" => &["bash"],
        "sweep" => &["status", &saved.join("sweep").display().to_string()],
        new => panic!("a new command: say in `printing` how to make {new} print something"),
    };
    let mut all = vec![command.to_string()];
    all.extend(owned(words));
    all
}

/// What the command takes for an engine of its own sources.
fn engine(folder: &Path) -> String {
    let file = folder.join("engine.wasm");
    fs::write(&file, format!("{}{}", brownout::live::MARK, brownout::live::FINGERPRINT)).expect("a file");
    file.display().to_string()
}

/// Two saved outcomes, made once for a test.
fn saved(name: &str) -> PathBuf {
    let folder = folder(name);
    for (seed, file_name) in [("1", "outcome.json"), ("2", "other.json")] {
        let output = finished(&owned(&["run", &file("run.in/day.toml"), "--json", "--seed", seed]));
        fs::write(folder.join(file_name), output.stdout).expect("a file");
    }
    planned(&folder.join("sweep"));
    folder
}

/// A sweep of two runs, planned.
fn planned(folder: &Path) {
    let words =
        ["sweep", "plan", &file("compare.in/minute.toml"), "--axis", "failure", "--seeds", "1", "--shards", "1"];
    let output = finished(&[owned(&words), owned(&["-o", &folder.display().to_string()])].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
}

/// Runs a command in a shell, with streams that lead elsewhere: `>/dev/full`.
fn redirected(args: &[String], streams: &str) -> Output {
    in_shell(&format!("exec \"$0\" \"$@\" {streams}"), args)
}

fn in_shell(script: &str, args: &[String]) -> Output {
    Command::new("sh").args(["-c", script, BROWNOUT]).args(args).stdin(Stdio::null()).output().expect("sh starts")
}

#[test]
fn every_command_says_that_its_stdout_did_not_arrive() {
    let saved = saved("stdout");
    let help = [owned(&["--help"]), owned(&["run", "--help"]), owned(&["--version"])];
    for args in commands().iter().map(|name| printing(name, &saved)).chain(help) {
        for nowhere in [">/dev/full", ">&-"] {
            let output = redirected(&args, nowhere);
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(5), "{args:?} {nowhere}: {said}");
            assert!(said.contains("error: cannot write to stdout: "), "{args:?} {nowhere}: {said}");
        }
    }
}

#[test]
fn every_command_ends_quietly_when_its_reader_has_left() {
    let saved = saved("reader");
    for args in commands().iter().map(|name| printing(name, &saved)).chain([owned(&["--help"])]) {
        let whole = finished(&args);
        let mut child = brownout(&args).spawn().expect("brownout starts");
        drop(child.stdout.take());
        let left = child.wait_with_output().expect("it ends");
        let code = |output: &Output| output.status.code();
        assert_eq!((code(&left), text(&left.stderr)), (code(&whole), text(&whole.stderr)), "{args:?}");
    }
}

#[test]
fn a_stderr_that_takes_nothing_is_no_crash_and_what_was_to_be_said_there_is_missed() {
    let saved = saved("stderr");
    let mut all: Vec<Vec<String>> = commands().iter().map(|name| printing(name, &saved)).collect();
    all.push(owned(&["check", "/none.toml"]));
    all.push(owned(&["run"]));
    for args in all {
        let whole = finished(&args);
        let expected = if whole.stderr.is_empty() { whole.status.code() } else { Some(5) };
        for nowhere in ["2>/dev/full", "2>&-"] {
            let output = redirected(&args, nowhere);
            assert_eq!(output.status.code(), expected, "{args:?} {nowhere}");
        }
    }
}

/// How to make each option write, but for where to: command, words, and the option. `None`: the place is the last word.
fn writing() -> Vec<(Vec<String>, Option<&'static str>)> {
    let (day, shop) = (file("run.in/day.toml"), file("hunt.in/shop.toml"));
    let minute = file("compare.in/minute.toml");
    let matrix = ["compare", &minute, "--axis", "failure", "--seeds", "1"];
    vec![
        (owned(&["run", &day]), Some("--out")),
        (owned(&["run", &day]), Some("--trace")),
        (owned(&matrix), Some("--out")),
        (owned(&["test", &file("test.in/holds.toml")]), Some("--junit")),
        (owned(&["hunt", &shop, "--runs", "64", "--only", "hang"]), Some("--out")),
        (owned(&["hunt", &shop, "--runs", "64", "--only", "hang", "--no-file"]), Some("--corpus")),
        (owned(&["report", &minute, "--seeds", "1", "--axis", "failure"]), Some("--out")),
        (owned(&["report", &minute, "--seeds", "1", "--axis", "failure", "-o", "/dev/stdout"]), Some("--plots")),
        (owned(&["play", &minute, "--engine", &engine(&folder("engine"))]), Some("--out")),
        (owned(&["init"]), None),
        (owned(&["sweep", "plan", &minute, "--axis", "failure", "--seeds", "1"]), Some("--out")),
        (owned(&["sweep", "merge", &swept().display().to_string()]), Some("--out")),
    ]
}

/// A sweep that is done, made once.
fn swept() -> &'static PathBuf {
    static SWEPT: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    SWEPT.get_or_init(|| {
        let sweep = folder("swept").join("sweep");
        planned(&sweep);
        assert!(finished(&owned(&["sweep", "work", &sweep.display().to_string()])).status.success());
        sweep
    })
}

fn with_place((words, option): &(Vec<String>, Option<&str>), place: &Path) -> Vec<String> {
    let mut all = words.clone();
    all.extend(option.map(str::to_string));
    all.push(place.display().to_string());
    all
}

#[test]
fn every_option_that_names_a_file_or_a_folder_is_tried_below() {
    let name = |words: &[String]| words[..if words[0] == "sweep" { 2 } else { 1 }].join(" ");
    let tried: BTreeSet<(String, String)> =
        writing().into_iter().filter_map(|(words, option)| Some((name(&words), option?.to_string()))).collect();
    // What it names is read, or written by somebody else.
    let others = [("explain", "--file"), ("play", "--engine"), ("report", "--engine"), ("sweep submit", "--out")];
    let others = others.map(|(command, option)| (command.to_string(), option.to_string()));
    let steps = |command: String| {
        let below = column(&text(&finished(&owned(&[&command, "--help"])).stdout), "Commands:");
        let below = below.into_iter().filter(|step| step != "help").map(|step| vec![command.clone(), step]);
        let all: Vec<Vec<String>> = below.collect();
        if all.is_empty() { vec![vec![command]] } else { all }
    };
    for words in commands().into_iter().filter(|command| command != "help").flat_map(steps) {
        let command = words.join(" ");
        let help = text(&finished(&[words, owned(&["--help"])].concat()).stdout);
        for line in help.lines().filter(|line| line.trim_start().starts_with('-')) {
            let Some((_, option)) = line.split_once("--") else { continue };
            let name = format!("--{}", option.split_whitespace().next().unwrap_or_default());
            if option.contains("<DIR>") || option.contains("<FILE>") {
                let pair = (command.clone(), name);
                assert!(tried.contains(&pair) || others.contains(&pair), "new: say in `writing` how to try {pair:?}");
            }
        }
    }
}

#[test]
fn every_file_that_cannot_be_written_is_an_error() {
    let here = folder("places");
    fs::write(here.join("file"), "mine").expect("a file");
    let places = [here.join("file/below"), here.join("x".repeat(300)), PathBuf::from("/proc/none/below")];
    for (place, one) in places.iter().flat_map(|place| writing().into_iter().map(move |one| (place, one))) {
        let args = with_place(&one, place);
        let output = finished(&args);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(5), "{args:?}: {said}");
        assert!(said.contains("error: cannot ") && names(place, &said), "{args:?}: {said}");
    }
    assert_eq!(fs::read_to_string(here.join("file")).expect("text"), "mine");
    assert_eq!(fs::read_dir(&here).expect("a folder").count(), 1);
}

/// Whether a message names a place, or the folder of it that is missing.
fn names(place: &Path, said: &str) -> bool {
    let missing = place.parent().filter(|parent| !parent.exists());
    [Some(place), missing].into_iter().flatten().any(|path| said.contains(&path.display().to_string()))
}

/// A file system with room for a name, but not for much more: only root may mount one.
struct Full(PathBuf);

impl Full {
    fn mounted(name: &str) -> Option<Full> {
        let place = folder(name);
        let args = ["-t", "tmpfs", "-o", "size=64k", "none"];
        let mounted = Command::new("mount").args(args).arg(&place).stderr(Stdio::null()).status();
        mounted.is_ok_and(|status| status.success()).then_some(Full(place))
    }
}

impl Drop for Full {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_an_error_and_leaves_no_half_of_a_file() {
    let Some(full) = Full::mounted("full") else {
        eprintln!("skipped: no file system can be mounted here");
        return;
    };
    fs::write(full.0.join("old.xml"), "old").expect("room for a little");
    // As much as fits: the test is for what is written when there is no room any more.
    let _ = fs::write(full.0.join("filler"), vec![b'x'; 128 << 10]);
    for (at, one) in writing().into_iter().enumerate() {
        let args = with_place(&one, &full.0.join(format!("new-{at}")));
        let output = finished(&args);
        assert_eq!(output.status.code(), Some(5), "{args:?}: {}", text(&output.stderr));
        let mut left = Vec::new();
        files_below(&full.0, &mut left);
        left.sort();
        assert_eq!(left, [full.0.join("filler"), full.0.join("old.xml")], "{args:?}");
    }
    let junit = with_place(&writing()[3], &full.0.join("old.xml"));
    assert_eq!(finished(&junit).status.code(), Some(5));
    assert_eq!(fs::read_to_string(full.0.join("old.xml")).expect("text"), "old");
    // With room again it goes on as if nothing had happened.
    fs::remove_file(full.0.join("filler")).expect("it is ours");
    let corpus = with_place(&writing()[5], &full.0.join("corpus"));
    assert_ne!(finished(&corpus).status.code(), Some(5));
}

/// The same by a limit on the size of files, which needs no root.
#[test]
fn a_limit_on_the_size_of_files_is_an_error_too() {
    let here = folder("limit");
    for (at, one) in writing().into_iter().enumerate() {
        let args = with_place(&one, &here.join(format!("new-{at}")));
        let output = in_shell("ulimit -f 0; exec \"$0\" \"$@\"", &args);
        assert_eq!(output.status.code(), Some(5), "{args:?}: {}", text(&output.stderr));
        let mut left = Vec::new();
        files_below(&here, &mut left);
        assert_eq!(left, Vec::<PathBuf>::new(), "{args:?}");
    }
}

fn files_below(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        match entry.path() {
            path if path.is_dir() => files_below(&path, out),
            path => out.push(path),
        }
    }
}

#[test]
fn a_folder_that_is_mounted_read_only_is_an_error() {
    let here = folder("read-only");
    let mount = |args: &[&str]| Command::new("mount").args(args).arg(&here).stderr(Stdio::null()).status();
    if !mount(&["-t", "tmpfs", "-o", "ro", "none"]).is_ok_and(|status| status.success()) {
        eprintln!("skipped: no file system can be mounted here");
        return;
    }
    let full = Full(here);
    for one in writing() {
        let args = with_place(&one, &full.0.join("new"));
        assert_eq!(finished(&args).status.code(), Some(5), "{args:?}");
    }
}

/// Hours of runs, or a millisecond.
#[test]
fn that_results_cannot_be_written_is_said_before_anything_long_is_run() {
    let long = ["--set", "span=30000s", "--set", "clients.callers.calls=300000000"];
    let forever = format!("{ROOT}/scenarios/reference-mmc.toml");
    let begin = |words: &[&str]| [owned(words), owned(&long)].concat();
    let expect = ["--expect", "call.dropped_rate < 0.1%"];
    let hunt = [begin(&["hunt", &forever]), owned(&expect)].concat();
    let all = [
        (begin(&["run", &forever]), "--out"),
        (begin(&["run", &forever]), "--trace"),
        ([begin(&["compare", &forever]), owned(&["--sweep", "fleets.collectors.count=1,2"])].concat(), "--out"),
        ([begin(&["report", &forever]), owned(&["--seeds", "3"])].concat(), "--out"),
        ([begin(&["report", &forever]), owned(&["--seeds", "3"])].concat(), "--plots"),
        ([begin(&["play", &forever]), owned(&["--engine", &engine(&folder("engine-of-forever"))])].concat(), "--out"),
        (begin(&["test", &forever]), "--junit"),
        (hunt.clone(), "--out"),
        ([hunt, owned(&["--no-file"])].concat(), "--corpus"),
    ];
    // One cannot be made, the other is there.
    let places = ["/proc/none/below", "/proc"];
    for ((words, option), place) in all.iter().flat_map(|each| places.map(|place| (each, place))) {
        let args = [words.clone(), owned(&[option, place])].concat();
        let begun = Instant::now();
        let mut child = brownout(&args).stdout(Stdio::null()).spawn().expect("brownout starts");
        while child.try_wait().expect("a child").is_none() {
            if begun.elapsed() > Duration::from_secs(20) {
                child.kill().expect("it is ours");
                panic!("{args:?} is run although its output cannot be written");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let output = child.wait_with_output().expect("it has ended");
        assert_eq!(output.status.code(), Some(5), "{args:?}: {}", text(&output.stderr));
    }
}

/// What `-o /dev/null` did to a machine when it was given by root.
#[test]
fn only_ordinary_files_are_replaced() {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
    let here = folder("kinds");
    let saved = saved("kinds-saved");
    let report = |place: &Path| {
        let args = ["report", &saved.join("outcome.json").display().to_string(), "-o", &place.display().to_string()];
        finished(&owned(&args)).status.code()
    };
    let device = here.join("null");
    // Only root can make one.
    if Command::new("mknod").arg(&device).args(["c", "1", "3"]).output().is_ok_and(|made| made.status.success()) {
        assert_eq!(report(&device), Some(0));
        assert!(fs::metadata(&device).expect("there").file_type().is_char_device());
    }
    let (target, link) = (here.join("target.html"), here.join("link.html"));
    fs::write(&target, "old").expect("a file");
    fs::set_permissions(&target, fs::Permissions::from_mode(0o600)).expect("a mode");
    symlink("target.html", &link).expect("a link");
    assert_eq!(report(&link), Some(0));
    assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
    assert!(fs::read_to_string(&target).expect("text").contains("<html"));
    assert_eq!(fs::metadata(&target).expect("there").permissions().mode() & 0o777, 0o600);
}

#[test]
fn nothing_is_written_through_a_link_in_a_folder_of_results() {
    use std::os::unix::fs::symlink;
    let here = folder("links");
    fs::write(here.join("victim"), "mine").expect("a file");
    for (one, name) in [(0, "outcome.json"), (2, "compare.json"), (5, "progress.toml"), (7, "matrix.svg")] {
        let inside = here.join(format!("inside-{one}"));
        fs::create_dir(&inside).expect("a folder");
        symlink("../victim", inside.join(name)).expect("a link");
        let args = with_place(&writing()[one], &inside);
        let output = finished(&args);
        assert_eq!(output.status.code(), Some(5), "{args:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains("it is a link"), "{args:?}: {}", text(&output.stderr));
        assert_eq!(fs::read_to_string(here.join("victim")).expect("text"), "mine");
    }
}

/// There is one way to print, and it reports errors.
#[test]
fn nothing_is_printed_past_the_terminal() {
    fn sources(folder: &Path, out: &mut Vec<PathBuf>) {
        files_below(folder, out);
        out.retain(|path| path.extension().is_some_and(|end| end == "rs"));
    }
    let mut all = Vec::new();
    for folder in ["src", "reports/src", "sim/lab/src", "scenarios/src", "output/src"] {
        sources(&Path::new(ROOT).join(folder), &mut all);
    }
    assert!(all.len() > 100);
    for path in all.iter().filter(|path| !path.ends_with("src/terminal.rs")) {
        let text = fs::read_to_string(path).expect("text");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for way in
            ["print!(", "println!(", "io::stdout().lock", "io::stdout().write", "&mut std::io::stdout()", "fs::write("]
        {
            assert!(
                !code.contains(way) || path.ends_with("files_tests.rs") || path.to_string_lossy().contains("/tests/"),
                "{} uses {way}",
                path.display()
            );
        }
    }
}
