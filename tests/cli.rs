//! The command line, as a shell sees it: what it prints, where, and with which exit code.
//!
//! `tests/cmd/*.trycmd` hold commands with what they print: help, every class of mistake, small runs. After a change
//! that is meant, `TRYCMD=overwrite cargo test --test cli` writes them anew. Here stand the rest: JSON, files, Ctrl-C.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const DAY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cmd/run.in/day.toml");
const FOREVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/reference-mmc.toml");

fn brownout(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_brownout"));
    command.args(args).stdin(Stdio::null()).env_remove("NO_COLOR").env("TERM", "xterm-256color");
    command
}

fn finished(args: &[&str]) -> Output {
    brownout(args).output().unwrap_or_else(|why| panic!("brownout cannot be started: {why}"))
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_else(|why| panic!("not UTF-8: {why}"))
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    // It is there only if an earlier run of the test left it.
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

#[test]
fn commands_print_what_they_should() {
    let runtimes = if brownout::services::HAS_MADSIM { "with-madsim" } else { "without-madsim" };
    let runtimes = format!("tests/cmd/runtimes/{runtimes}.trycmd");
    let cases = trycmd::TestCases::new();
    cases.case("tests/cmd/*.trycmd").case(runtimes).case("README.md");
    // The pages whose commands take no folder of their own.
    cases.case("docs/october-28.md").case("docs/testing.md");
}

/// The guide is followed in a folder where `brownout init my-service.toml` has been run, as it says. Beside it lies the
/// file with mistakes that the guide shows.
#[test]
fn the_guide_does_what_it_says() {
    let out = folder("guide");
    let inside = out.join("guide.in");
    std::fs::create_dir_all(&inside).expect("a folder");
    let scenario = inside.join("my-service.toml").display().to_string();
    let output = finished(&["init", &scenario]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::copy(root.join("tests/cmd/guide/mistakes.toml"), inside.join("mistakes.toml")).expect("a copy");
    let guide = root.join("docs/guide.md");
    let copy = out.join("guide.md");
    std::fs::copy(&guide, &copy).expect("a copy");
    trycmd::TestCases::new().case(&copy).run();
    if std::env::var("TRYCMD").is_ok_and(|mode| mode == "overwrite") {
        std::fs::copy(&copy, &guide).expect("docs/ can be written");
    }
}

#[test]
fn init_writes_once_what_passes_its_own_check() {
    let out = folder("init");
    std::fs::create_dir_all(&out).expect("a folder");
    let file = out.join("brownout.toml");
    let name = file.display().to_string();
    let written = finished(&["init", &name]);
    assert_eq!(written.status.code(), Some(0), "{}", text(&written.stderr));
    assert!(text(&written.stdout).contains("brownout check "), "{}", text(&written.stdout));
    assert!(out.join("brownout.schema.json").is_file());
    assert_eq!(finished(&["check", &name]).status.code(), Some(0));
    std::fs::write(&file, "mine").expect("a file");
    let refused = finished(&["init", &name]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("--force"), "{}", text(&refused.stderr));
    assert_eq!(std::fs::read_to_string(&file).expect("text"), "mine");
    assert_eq!(finished(&["init", &name, "--force"]).status.code(), Some(0));
    assert_eq!(finished(&["init", "/dev/null/x.toml"]).status.code(), Some(5));
}

/// What the guide says of the matrix: some designs lose no checkout, checks that ask the recommender lose most.
#[test]
fn the_scenario_to_start_from_has_something_to_show() {
    let template = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/template.toml");
    let dropped = |design: &str| {
        let output = finished(&["run", template, "--design", design, "--json"]);
        let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let checkout = &document["calls"]["checkout"];
        checkout["dropped"].as_f64().expect("a count") / checkout["offered"].as_f64().expect("a count")
    };
    assert!(dropped("isolation=shared,health=shared") > 0.5);
    assert_eq!([dropped("short-timeout,health=shared"), dropped("bulkhead,health=shallow")], [0.0, 0.0]);
    assert!(dropped("bulkhead,health=deep") > 0.5 && dropped("isolation=shared,health=deep") > 0.5);
}

#[test]
fn lists_and_explanations_are_json_documents() {
    let json = |args: &[&str]| -> Value {
        let output = finished(args);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("one JSON document")
    };
    let overview = json(&["list", "--json"]);
    for topic in ["presets", "faults", "actions", "words", "metrics", "causes", "seen", "keys"] {
        let of = |value: &Value| value[topic].as_array().map(Vec::len).unwrap_or_default();
        assert!(of(&overview) > 2, "{topic}");
        assert_eq!(of(&overview), of(&json(&["list", topic, "--json"])), "{topic}");
    }
    let template = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/template.toml");
    let designs = json(&["list", "designs", template, "--json"]);
    assert_eq!(designs["designs"].as_array().map(Vec::len), Some(6));
    let bulkhead = json(&["explain", "isolation=bulkhead", "--file", template, "--json"]);
    let change = &bulkhead[0]["changes"][0];
    assert_eq!(change["path"], "fleets.web.calls.recommend.at_most");
    assert_eq!((&change["from"], &change["to"]), (&Value::from("none"), &Value::from("25%")));
    // Whatever is listed can be explained.
    for topic in ["presets", "faults", "actions", "metrics", "causes", "seen"] {
        for entry in overview[topic].as_array().expect("a list") {
            let name = entry["name"].as_str().expect("a name").replace("<calls>", "all");
            json(&["explain", &name, "--json"]);
        }
    }
}

#[test]
fn json_is_one_document_with_the_promised_keys_and_nothing_else() {
    let output = finished(&["run", DAY, "--json", "--seed", "3"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "");
    let document: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    let promised = [
        "version",
        "scenario",
        "title",
        "design",
        "set",
        "seed",
        "digest",
        "span",
        "ended",
        "calls",
        "rotation",
        "outages",
        "events",
        "timeline",
        "evidence",
        "assumptions",
        "meta",
    ];
    let keys: Vec<&str> = document.as_object().expect("an object").keys().map(String::as_str).collect();
    for key in promised {
        assert!(keys.contains(&key), "no `{key}` among {keys:?}");
    }
    assert_eq!((document["version"].as_u64(), document["seed"].as_u64()), (Some(1), Some(3)));
    assert_eq!(document["ended"], "complete");
    assert_eq!(document["digest"].as_str().map(str::len), Some(16));
    let track = &document["calls"]["track"];
    let count = |key: &str| track[key].as_u64().unwrap_or_else(|| panic!("no `{key}` in {track}"));
    assert_eq!(count("offered"), count("stored") + count("late") + count("in_flight") + count("dropped"));
    assert_eq!(count("offered"), count("ok") + count("failed") + count("waiting"));
    assert_eq!(document["timeline"]["steps"].as_array().map(Vec::len), Some(10));
}

#[test]
fn a_ledger_that_does_not_balance_exits_4_and_names_the_equation() {
    let output = brownout(&["run", DAY]).env("BROWNOUT_LOSE_A_CALL", "1").output().expect("brownout starts");
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("error: the ledger does not balance at 1m for population 0: offered "));
    assert_eq!(text(&output.stdout), "", "nothing that came of broken books is shown");
}

#[test]
fn json_is_the_same_twice_except_for_what_depends_on_the_machine() {
    let document = || {
        let mut document: Value = serde_json::from_slice(&finished(&["run", DAY, "--json"]).stdout).expect("JSON");
        document["meta"]["wall_s"].take();
        document.to_string()
    };
    assert_eq!(document(), document());
}

#[test]
fn nothing_coloured_goes_into_a_pipe_unless_asked_for() {
    let wrong = ["run", DAY, "--set", "fleets.collectors.workers=0"];
    for args in [&["run", DAY][..], &["run", DAY, "--json"], &["check", DAY], &["--help"], &wrong] {
        let output = finished(args);
        let printed = [output.stdout, output.stderr].concat();
        assert!(!printed.is_empty() && !printed.contains(&0x1b), "{args:?}: {}", text(&printed));
    }
    let asked = finished(&["run", DAY, "--color", "always"]);
    assert!(asked.stdout.contains(&0x1b), "--color always has no effect");
    let mistake = finished(&[&wrong[..], &["--color", "always"]].concat());
    assert!(mistake.stderr.contains(&0x1b), "--color always has no effect on mistakes");
    let json = finished(&["run", DAY, "--json", "--color", "always"]);
    assert!(!json.stdout.contains(&0x1b), "JSON is never coloured");
}

#[test]
fn files_are_written_complete_and_named() {
    let out = folder("written");
    let dir = out.to_string_lossy().into_owned();
    let output = finished(&["run", DAY, "--out", &dir]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let said = text(&output.stderr);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&out).expect("the folder is there") {
        let path = entry.expect("a readable entry").path();
        assert!(said.contains(&path.display().to_string()), "{} is not named in {said}", path.display());
        let content = std::fs::read_to_string(&path).expect("text");
        match path.extension().map(|e| e.to_string_lossy().into_owned()).as_deref() {
            Some("json") => drop(serde_json::from_str::<Value>(&content).expect("a JSON document")),
            Some("svg") => assert!(content.trim_end().ends_with("</svg>"), "{}", path.display()),
            Some("csv") => assert!(content.ends_with('\n'), "{}", path.display()),
            other => panic!("what is {other:?}?"),
        }
        names.push(path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default());
    }
    for name in ["outcome.json", "timeline.csv"] {
        assert!(names.iter().any(|n| n == name), "no {name} among {names:?}");
    }
}

#[test]
fn a_file_that_cannot_be_written_is_an_error_after_the_outcome() {
    let taken = Path::new(env!("CARGO_TARGET_TMPDIR")).join("taken");
    std::fs::create_dir_all(taken.join("outcome.json")).expect("a folder where the file would go");
    let output = finished(&["run", DAY, "--json", "--out", &taken.display().to_string()]);
    assert_eq!(output.status.code(), Some(5));
    assert!(text(&output.stderr).contains("taken/outcome.json"), "{}", text(&output.stderr));
    serde_json::from_slice::<Value>(&output.stdout).expect("the outcome is printed all the same");
}

#[test]
fn a_reader_that_has_gone_is_no_crash() {
    let mut child =
        brownout(&["run", DAY, "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("ends");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
}

/// The exit codes are one list, in code, in the help and on the page of outcomes.
#[test]
fn exit_codes_are_the_same_wherever_they_are_listed() {
    let help = text(&finished(&["--help"]).stdout).to_owned();
    let page = include_str!("../docs/outcome.md");
    for exit in brownout::exit::Exit::ALL {
        let (code, meaning) = (exit as u8, exit.meaning());
        assert!(help.contains(&format!("\n  {code:<4} {meaning}\n")), "{code}: {help}");
        assert!(page.contains(&format!("\n| {code} | {meaning} |\n")), "{code} {meaning}");
    }
}

#[test]
fn completions_are_a_script_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = finished(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        assert!(text(&output.stdout).contains("brownout"), "{shell}");
    }
}

/// Starts a run that would last for hours, and sends it SIGINT after a second.
#[cfg(unix)]
fn interrupted(more: &[&str]) -> Output {
    let forever = ["run", FOREVER, "--set", "span=30000s", "--set", "clients.callers.calls=300000000"];
    let mut child = brownout(&[&forever[..], more].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|why| panic!("brownout cannot be started: {why}"));
    std::thread::sleep(Duration::from_secs(1));
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()), "SIGINT could not be sent");
    let patience = Instant::now() + Duration::from_secs(60);
    while child.try_wait().is_ok_and(|status| status.is_none()) {
        if Instant::now() > patience {
            let _ = child.kill();
            panic!("it goes on after Ctrl-C");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.wait_with_output().unwrap_or_else(|why| panic!("no output: {why}"))
}

#[cfg(unix)]
#[test]
fn ctrl_c_prints_what_was_simulated() {
    let output = interrupted(&[]);
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    assert!(printed.contains("interrupted at "), "{printed}");
    assert!(printed.contains("call") && printed.contains("offered"), "{printed}");
    assert!(printed.contains("--seed 1"), "how to repeat it: {printed}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_a_whole_json_document() {
    let output = interrupted(&["--json"]);
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).expect("a JSON document");
    assert!(
        document["ended"].as_str().is_some_and(|ended| ended.starts_with("interrupted at ")),
        "{}",
        document["ended"]
    );
    assert!(document["calls"]["call"]["offered"].as_u64() > Some(0));
}
