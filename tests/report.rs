//! `brownout report` and `brownout diff` as a shell sees them: from a scenario, from what was saved, and mistakes.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const MINUTE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cmd/compare.in/minute.toml");
const AXES: [&str; 4] = ["--axis", "failure", "--axis", "isolation=shared,bulkhead"];

fn brownout(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_brownout"));
    command.args(args).stdin(Stdio::null()).env_remove("NO_COLOR");
    command.output().unwrap_or_else(|why| panic!("brownout cannot be started: {why}"))
}

fn with<'a>(args: &[&'a str], more: &[&'a str]) -> Output {
    brownout(&[args, more].concat())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report").join(name);
    // It is there only if an earlier run of the test left it.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// The page without the line that says by which command it was made.
fn page(path: &Path, command: &str) -> String {
    let page = std::fs::read_to_string(path).expect("a page");
    assert!(page.contains(command), "{command}");
    let parts: Vec<&str> = page.lines().filter(|line| !line.contains("brownout report")).collect();
    parts.join("\n")
}

#[test]
fn a_report_of_a_scenario_is_that_of_what_compare_saved() {
    let dir = folder("report");
    let (fresh, saved, matrix) = (dir.join("fresh.html"), dir.join("saved.html"), dir.join("matrix"));
    let made = with(&["report", MINUTE, "--seeds", "3", "-o", &shown(&fresh)], &AXES);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    assert_eq!(text(&made.stdout), format!("wrote {}\n", fresh.display()));
    let made = with(&["compare", MINUTE, "--seeds", "3", "--json", "--out", &shown(&matrix)], &AXES);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    let plots = dir.join("plots");
    let made = brownout(&["report", &shown(&matrix), "-o", &shown(&saved), "--plots", &shown(&plots)]);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    assert!(page(&fresh, "--seeds 3") == page(&saved, "brownout report"), "the same figures, run or read");
    let page = std::fs::read_to_string(&saved).expect("a page");
    for part in ["baseline: hang shared", "hang bulkhead", "refuse bulkhead", "Too few runs to tell designs apart"] {
        assert!(page.contains(part), "{part}");
    }
    for end in ["svg", "png"] {
        for name in ["matrix", "differences", "recovery", "day-1-dropped", "day-4-latency"] {
            let file = plots.join(format!("{name}.{end}"));
            let there = file.is_file() || (end == "png" && !cfg!(feature = "png"));
            assert!(there, "{}", file.display());
        }
    }
}

#[test]
fn a_chosen_design_a_sweep_and_ranges_are_in_the_report() {
    let dir = folder("report-more");
    let out = dir.join("report.html");
    let sweep =
        ["--sweep", "clients.pages.rate=5/s,20/s", "--chosen", "more-workers", "--seeds", "2", "-o", &shown(&out)];
    let made = with(&["report", MINUTE, "--axis", "isolation"], &sweep);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    let page = std::fs::read_to_string(&out).expect("a page");
    assert!(page.contains("With more-workers: ") && page.contains("clients.pages.rate swept"));
    assert!(page.contains("--chosen more-workers"), "the command that repeats it");
}

#[test]
fn mistakes_say_what_to_do() {
    let dir = folder("report-mistakes");
    let out = shown(&dir.join("report.html"));
    let (bad, none) = (dir.join("bad.json"), dir.join("empty"));
    std::fs::write(&bad, "{}").expect("a file");
    std::fs::create_dir_all(&none).expect("a folder");
    let (bad, none) = (shown(&bad), shown(&none));
    let cases: [(&[&str], i32, &str); 9] = [
        (&["report", "nowhere.json"], 2, "cannot read nowhere.json"),
        (&["report", "nowhere.toml"], 2, "nowhere.toml"),
        (&["report", &bad], 2, "it is JSON, but neither an outcome"),
        (&["report", &none], 2, "there is no JSON in"),
        (&["report", MINUTE, &bad], 2, "give it alone"),
        (&["report", &bad, "--axis", "health"], 2, "need a scenario file"),
        (
            &["report", MINUTE, "--axis", "isolation", "--seeds", "1", "--chosen", "bulkhed"],
            2,
            "no design \"bulkhed\" was compared",
        ),
        (
            &["report", MINUTE, "--axis", "isolation=shared", "--seeds", "1", "--ranges", "E9"],
            2,
            "the scenario has no evidence",
        ),
        (&["report", MINUTE, "--axis", "isolation=shared", "--seeds", "1", "-o", "/dev/null/x.html"], 5, "/dev/null"),
    ];
    for (args, code, words) in cases {
        let more: &[&str] = if args.contains(&"-o") { &[] } else { &["-o", &out] };
        let made = with(args, more);
        assert_eq!(made.status.code(), Some(code), "{args:?} {}", text(&made.stderr));
        assert!(text(&made.stderr).contains(words), "{args:?} {}", text(&made.stderr));
        assert!(made.stdout.is_empty(), "{args:?}");
    }
    assert!(!Path::new(&out).exists(), "nothing is written in error");
}

fn saved(dir: &Path, name: &str, args: &[&str]) -> String {
    let made = with(args, &["--json"]);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    let file = dir.join(name);
    std::fs::write(&file, made.stdout).expect("a file");
    shown(&file)
}

#[test]
fn diff_tells_better_from_worse_and_says_so_by_its_exit_code() {
    let dir = folder("diff");
    let shared = saved(&dir, "shared.json", &["run", MINUTE]);
    let bulkhead = saved(&dir, "bulkhead.json", &["run", MINUTE, "--design", "bulkhead"]);
    let made = brownout(&["diff", &shared, &bulkhead]);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    let said = text(&made.stdout);
    assert!(said.starts_with("### ") && said.contains("track calls dropped: **"), "{said}");
    assert!(said.contains("| design | ") && said.contains("fleets.collectors.calls.identify.at"), "{said}");
    let code = |a: &str, b: &str, fail_on: &str| brownout(&["diff", a, b, "--fail-on", fail_on]).status.code();
    assert_eq!(code(&shared, &bulkhead, "any"), Some(1));
    assert_eq!(code(&bulkhead, &shared, "worse"), Some(1));
    // A file and itself: nothing is compared, and nothing passes.
    assert_eq!((code(&shared, &shared, "any"), code(&shared, &shared, "worse")), (Some(2), Some(2)));
    let matrix = saved(&dir, "matrix.json", &["compare", MINUTE, "--axis", "isolation", "--seeds", "2"]);
    let other = saved(
        &dir,
        "other.json",
        &["compare", MINUTE, "--axis", "isolation", "--seeds", "2", "--set", "clients.pages.rate=\"29/s\""],
    );
    let said = text(&brownout(&["diff", &matrix, &other]).stdout);
    assert!(said.contains("of 3 common cells"), "{said}");
    let refused = brownout(&["diff", &matrix, &shared]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("only like is compared with like"), "{}", text(&refused.stderr));
    let json: serde_json::Value =
        serde_json::from_slice(&brownout(&["diff", &shared, &bulkhead, "--json"]).stdout).expect("JSON");
    assert_eq!(json["differs"], true);
}
