//! `brownout test` as CI sees it: exit codes, lines that repeat a failure, JUnit XML, JSON, annotations, Ctrl-C.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cmd/test.in");

fn brownout(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_brownout"));
    command.args(args).current_dir(FILES).stdin(Stdio::null()).env_remove("GITHUB_ACTIONS").env("NO_COLOR", "1");
    command
}

fn finished(args: &[&str]) -> Output {
    brownout(args).output().unwrap_or_else(|why| panic!("brownout cannot be started: {why}"))
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_else(|why| panic!("not UTF-8: {why}"))
}

fn json(args: &[&str]) -> (Value, Option<i32>) {
    let output = finished(args);
    let document =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|why| panic!("{why}: {}", text(&output.stderr)));
    (document, output.status.code())
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("suite").join(name);
    // It is there only if an earlier run of the test left it.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// A scenario of the folder with `more` at its end and another title.
fn written(dir: &Path, name: &str, title: &str, more: &str) -> String {
    let holds = std::fs::read_to_string(Path::new(FILES).join("holds.toml")).expect("a scenario");
    let base = holds.split("[[expect]]").next().expect("its world");
    let path = dir.join(name);
    std::fs::write(&path, format!("{}\n{more}\n", base.replace("Tracks do not need the store", title)))
        .expect("a file");
    path.display().to_string()
}

#[test]
fn every_failure_has_a_line_that_exits_with_the_same_code() {
    let files = ["fails.toml", "vacuous.toml", "sometimes.toml", "mistaken.toml", "none/nothing.toml"];
    let (document, code) = json(&[&["test", "--json", "--seed", "3", "--seed", "4"][..], &files].concat());
    assert_eq!(code, Some(1), "what is violated comes first");
    let mut codes = Vec::new();
    for case in document["cases"].as_array().expect("cases") {
        let Some(repeat) = case["repeat"].as_str() else { continue };
        let words: Vec<&str> = repeat.split(' ').skip(1).collect();
        let expected = match case["ended"].as_str().expect("a word") {
            "failed" => 1,
            "mistaken" => 2,
            "vacuous" => 3,
            other => panic!("{other}"),
        };
        assert_eq!(finished(&words).status.code(), Some(expected), "{repeat}");
        codes.push(expected);
    }
    // Both seeds of the bulkhead; both of the fault that misses; the word over both seeds; the mistake; the file without.
    assert_eq!(codes, [1, 1, 3, 3, 3, 2, 3]);
}

#[test]
fn the_document_is_the_same_at_any_number_of_threads() {
    let document = |jobs: &str| {
        let (mut document, _) = json(&["test", ".", "--json", "--seeds", "3", "--jobs", jobs]);
        document["wall_s"].take();
        for case in document["cases"].as_array_mut().expect("cases") {
            case["wall_s"].take();
        }
        document.to_string()
    };
    assert_eq!(document("1"), document("3"));
}

#[test]
fn a_file_is_run_under_its_own_seeds_unless_told_others() {
    let path = folder("seeds").join("seeds.toml");
    let holds = std::fs::read_to_string(Path::new(FILES).join("holds.toml")).expect("a scenario");
    let seeds = |lines: &str, more: &[&str]| -> Vec<u64> {
        std::fs::write(&path, format!("{lines}\n{holds}")).expect("a file");
        let file = path.display().to_string();
        let (document, _) = json(&[&["test", &file, "--json"][..], more].concat());
        let cases = document["cases"].as_array().expect("cases").iter();
        cases.map(|case| case["seed"].as_u64().expect("a seed")).collect()
    };
    assert_eq!(seeds("seeds = [4, 7]", &[]), [4, 7]);
    assert_eq!(seeds("seeds = [4, 7]", &["--seed", "3"]), [3]);
    assert_eq!(seeds("", &[]), [1]);
}

#[test]
fn shards_part_the_work_and_together_do_all_of_it() {
    let names = |more: &[&str]| -> Vec<String> {
        let (document, _) = json(&[&["test", ".", "--json", "--seeds", "2"][..], more].concat());
        let cases = document["cases"].as_array().expect("cases").iter();
        cases.map(|case| format!("{} {} {}", case["file"], case["design"], case["seed"])).collect()
    };
    let mut parts: Vec<String> = ["1/3", "2/3", "3/3"].iter().flat_map(|part| names(&["--shard", part])).collect();
    let mut all = names(&[]);
    parts.sort();
    all.sort();
    assert!(all.len() > 8 && parts == all, "{parts:?} {all:?}");
}

#[test]
fn junit_holds_every_case_and_is_well_formed_whatever_a_file_says() {
    let dir = folder("junit");
    let hostile = "x ]]> <a href='&'> \\u0007\\u001b[31m \\u202e ::error::no";
    let expect = format!("[[expect]]\nalways = \"track.dropped > 5\"\nsays = \"{hostile}\"");
    let file = written(&dir, "<&\"'>.toml", hostile, &expect);
    let xml = dir.join("out.xml").display().to_string();
    let output = finished(&["test", "fails.toml", "vacuous.toml", "mistaken.toml", "none", &file, "--junit", &xml]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let document = std::fs::read_to_string(&xml).expect("a file");
    let report = quick_junit::Report::deserialize_from_str(&document).unwrap_or_else(|why| panic!("{why}: {document}"));
    assert_eq!((report.tests, report.failures, report.errors), (6, 3, 1), "{document}");
    assert!(document.contains("type=\"violated\"") && document.contains("type=\"vacuous\""), "{document}");
    let control = document.chars().find(|c| c.is_control() && !matches!(c, '\n'));
    assert_eq!(control, None, "{document}");
    // Nor does any of it reach the terminal, or pass for a command.
    let printed = text(&output.stdout);
    assert!(!printed.contains('\u{1b}') && !printed.contains('\u{7}') && !printed.contains('\u{202e}'), "{printed}");
    assert!(!printed.contains("::"), "{printed}");
}

#[test]
fn annotations_are_made_where_github_runs_it_and_only_there() {
    let dir = folder("github");
    let says = "[[expect]]\nalways = \"track.dropped > 5\"\nsays = \"100%, sure: no\\n::error::x\"";
    let file = written(&dir, "a,b.toml", "t", says);
    let args = ["test", file.as_str(), "mistaken.toml", "holds.toml"];
    assert!(!text(&finished(&args).stderr).contains("::"));
    let output = brownout(&args).env("GITHUB_ACTIONS", "true").output().expect("brownout starts");
    let lines: Vec<&str> = text(&output.stderr).lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    let expect = format!("{}a%2Cb.toml,line=30,title=expectation violated%3A seed 1::violated: always", "/github/");
    assert!(lines[0].starts_with("::error file=") && lines[0].contains(&expect), "{}", lines[0]);
    assert!(
        lines[0].contains("100%25, sure: no ::error::x") && lines[0].contains("%0Arepeat: brownout run "),
        "{}",
        lines[0]
    );
    assert!(
        lines[1].starts_with("::error file=mistaken.toml,line=12,title=mistakes in the scenario::"),
        "{}",
        lines[1]
    );
}

#[test]
fn fail_fast_leaves_the_rest_and_says_how_much() {
    let (document, code) = json(&["test", "fails.toml", "holds.toml", "--design", "bulkhead", "--json"]);
    assert_eq!(code, Some(1), "{document}");
    let args = ["test", "fails.toml", "holds.toml", "--fail-fast", "--jobs", "1", "--seeds", "50", "--json"];
    let (document, code) = json(&args);
    assert_eq!(code, Some(1));
    let cases = document["cases"].as_array().map_or(0, Vec::len) as u64;
    let left = document["not_run"].as_u64().expect("a count");
    assert!(left > 40 && cases + left == 150, "{cases} and {left}");
}

#[test]
fn a_broken_ledger_exits_4_and_is_not_judged() {
    let output = brownout(&["test", "holds.toml", "--json"]).env("BROWNOUT_LOSE_A_CALL", "1").output().expect("starts");
    assert_eq!(output.status.code(), Some(4));
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let case = &document["cases"][0];
    assert_eq!((case["ended"].as_str(), case["verdicts"].as_array().map(Vec::len)), (Some("broken"), Some(0)));
}

#[cfg(unix)]
#[test]
fn ctrl_c_prints_what_was_finished() {
    use std::time::Duration;
    let dir = folder("forever");
    let quick = written(&dir, "a.toml", "quick", "[[expect]]\nalways = \"track.dropped = 0\"");
    let long = written(&dir, "b.toml", "long", "[[expect]]\nalways = \"track.dropped = 0\"");
    let endless = std::fs::read_to_string(&long)
        .expect("text")
        .replace("span = \"120s\"", "span = \"900h\"")
        .replace("step = \"5s\"", "step = \"1h\"");
    std::fs::write(&long, endless.replace("rate = \"50/s\"", "rate = \"5000/s\"")).expect("a file");
    let child = brownout(&["test", &quick, &long, "--jobs", "1"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.expect("brownout starts");
    std::thread::sleep(Duration::from_secs(2));
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()), "SIGINT could not be sent");
    let output = child.wait_with_output().expect("it ends");
    let printed = text(&output.stdout);
    assert_eq!(output.status.code(), Some(130), "{printed} {}", text(&output.stderr));
    assert!(printed.contains("PASS") && printed.contains("1 passed, 1 not run; interrupted"), "{printed}");
}
