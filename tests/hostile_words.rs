//! Whatever a file says, it stays words: nothing of it drives a terminal, makes a line of its own, gives a command to a
//! build server, or becomes a link. In what every command prints, on both streams, with colours and without, and in every
//! document.
//!
//! And what compares nothing, replays nothing or names nothing says so, and does not pass.
#![cfg(unix)]

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What a hostile file has in its words: sequences, marks of direction, lines, commands, addresses, markup.
const HOSTILE: [&str; 6] = [
    "x\u{1b}[31;7mred\u{1b}[0m\u{1b}]0;title\u{7}\u{9b}2J",
    "x\n::add-mask::INJECTED\nINJECTED: fine\n##[error]INJECTED",
    "x\r\nINJECTED\u{202e}txt.exe\u{2066}\u{200b}\u{feff}",
    "http://evil.example www.evil.example me@evil.example",
    "](javascript:INJECTED) <img src=x onerror=y> @everyone #1 | `a` **b**",
    "'; INJECTED; $(INJECTED) \"\\",
];

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("words").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn finished(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_brownout"));
    command.args(args).stdin(Stdio::null()).env("GITHUB_ACTIONS", "true").env_remove("NO_COLOR").env("TERM", "xterm");
    command.output().expect("brownout starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// A string of TOML.
fn quoted(words: &str) -> String {
    let escaped: String = words
        .chars()
        .map(|c| match c {
            '"' | '\\' => format!("\\{c}"),
            c if c.is_control() => format!("\\u{:04X}", u32::from(c)),
            c => c.to_string(),
        })
        .collect();
    format!("\"{escaped}\"")
}

/// A scenario whose every word is hostile; it fails what it expects.
fn scenario(words: &str) -> String {
    let (w, kind, store) = (quoted(words), quoted(&format!("k{words}")), quoted(&format!("s{words}")));
    let (fleet, client) = (quoted(&format!("f{words}")), quoted(&format!("c{words}")));
    format!(
        r#"brownout = 1
title = {w}
description = {w}
span = "60s"
step = "1s"
[clients.{client}]
sends = {kind}
rate = {{ value = "20/s", assumed = ["10/s", "30/s"] }}
[balancer]
preset = "haproxy"
[fleets.{fleet}]
count = {{ value = 2, inferred = {w} }}
workers = 2
calls.{kind} = {{ work = "2ms", asks = {store}, timeout = "5s" }}
[stores.{store}]
service = "5ms"
[[timeline]]
id = {w}
at = "20s"
do = "hang"
store = {store}
for = "10s"
[[timeline]]
at = "40s"
do = "note"
says = {w}
[[evidence]]
id = {w}
says = {w}
metric = "all.dropped_rate"
observed = "1%"
within = "1pp"
[[expect]]
always = "all.dropped_rate < 0.001%"
says = {w}
[axes.isolation]
default = "shared"
[axes.isolation.shared]
[axes.isolation.more]
fleets.{fleet}.workers = 4
"#
    )
}

/// Text without the sequences that set colours, of which none may be the file's.
fn uncoloured(printed: &str, what: &str) -> String {
    assert!(!printed.contains("\u{1b}[31;7m"), "{what}: a colour of the file's own\n{printed}");
    let mut out = String::new();
    let mut rest = printed;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        out.push_str(before);
        let (codes, after) = after.split_once('m').unwrap_or(("", after));
        assert!(codes.chars().all(|c| c.is_ascii_digit() || c == ';'), "{what}: {codes:?}\n{printed}");
        rest = after;
    }
    out + rest
}

fn is_hidden(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Nothing in what was printed does anything.
fn harmless(printed: &str, what: &str) {
    let plain = uncoloured(printed, what);
    if let Some(c) = plain.chars().find(|c| is_hidden(*c)) {
        panic!("{what}: {c:?} in\n{plain}");
    }
    for line in plain.lines() {
        let ours = line.starts_with("::error file=");
        assert!(!line.trim_start().starts_with("::") || ours, "{what}: a command of the file's own: {line}");
        // A line that goes on is indented.
        assert!(!line.starts_with("INJECTED"), "{what}: a line of the file's own: {line}\n{plain}");
    }
    assert!(!plain.contains("##["), "{what}: a command of the file's own\n{plain}");
}

/// Every command on a file, by its words; `{}` is the file, `@` a folder. Documents follow.
const COMMANDS: &[&str] = &[
    "check {}",
    "check {} --set clients.nobody.rate=1",
    "run {}",
    "run {} --timeline --assumptions",
    "run {} --json",
    "run {} --design nothing",
    "run {} --ranges nothing",
    "run {} --ranges nothing --json",
    "compare {} --seeds 1",
    "compare {} --seeds 1 --json --out @/matrix",
    "compare {} --axis nothing",
    "compare {} --metric nothing.dropped_rate",
    "test {}",
    "test {} --json --junit @/junit.xml",
    "hunt {} --runs 1 --no-file",
    "hunt {} --shrink --out @/hunts --json",
    "hunt {} --only nothing --no-file",
    "list {}",
    "list designs {} --json",
    "explain more --file {}",
    "explain nothing --file {}",
    "explain-call {} --first-dropped",
    "explain-call {} --first-dropped nothing",
    "explain-call {} --id 3 --json",
    "run {} --trace @/trace.json --out @/run",
    "report {} --seeds 1 -o @/page.html",
    "play {} --engine @/engine.wasm -o @/play.html",
    "sweep plan {} --seeds 1 --shards 1 -o @/sweep",
    "sweep work @/sweep --json",
    "sweep status @/sweep",
    "sweep status @/sweep --run 0 --json",
    "sweep submit @/sweep --on parallel --dry-run",
    "sweep merge @/sweep -o @/runs.parquet",
];

#[test]
fn words_stay_words_whatever_a_command_prints() {
    let help = text(&finished(&["--help"]).stdout);
    let below = help.split_once("Commands:").map_or("", |(_, below)| below);
    let names = below.lines().skip(1).take_while(|line| !line.is_empty());
    let names = names.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    // Those take no file, or documents, which are compared below.
    let apart = ["init", "completions", "help", "diff"];
    for name in names.filter(|name| !apart.contains(name)) {
        assert!(
            COMMANDS.iter().any(|command| command.starts_with(name)),
            "a new command: say in COMMANDS how to try {name}"
        );
    }
    for (at, words) in HOSTILE.iter().enumerate() {
        let here = folder(&at.to_string());
        // The name of a file is words, too.
        let name = format!("{}.toml", words.replace('/', "-"));
        let file = here.join(&name);
        fs::write(&file, scenario(words)).expect("a file");
        let file = file.display().to_string();
        let engine = format!("{}{}", brownout::live::MARK, brownout::live::FINGERPRINT);
        fs::write(here.join("engine.wasm"), engine).expect("a file");
        for (command, color) in COMMANDS.iter().flat_map(|command| [(command, "never"), (command, "always")]) {
            let command = command.replace('@', &here.display().to_string());
            let mut args: Vec<&str> =
                command.split(' ').map(|word| if word == "{}" { file.as_str() } else { word }).collect();
            args.extend(["--color", color]);
            let output = finished(&args);
            let what = format!("{command} --color {color} on {name:?}");
            assert!(
                output.status.code().is_some_and(|code| code <= 3),
                "{what}: {:?}\n{}",
                output.status,
                text(&output.stderr)
            );
            harmless(&text(&output.stdout), &what);
            harmless(&text(&output.stderr), &what);
            if command.contains("--json") && !output.stdout.is_empty() {
                serde_json::from_slice::<Value>(&output.stdout).unwrap_or_else(|why| panic!("{what}: {why}"));
            }
        }
        documents(&here, &file);
    }
}

/// Documents that other programs read.
fn documents(here: &Path, file: &str) {
    let (a, b) = (here.join("a.json"), here.join("b.json"));
    fs::write(&a, finished(&["run", file, "--json"]).stdout).expect("a file");
    fs::write(&b, finished(&["run", file, "--json", "--seed", "2", "--design", "more"]).stdout).expect("a file");
    let diff = finished(&["diff", &a.display().to_string(), &b.display().to_string()]);
    let markdown = text(&diff.stdout);
    harmless(&markdown, file);
    // What is escaped is a letter like any other.
    let mut marks = String::new();
    let mut letters = markdown.chars();
    while let Some(c) = letters.next() {
        if c == '\\' {
            let _ = letters.next();
        } else {
            marks.push(c);
        }
    }
    for mark in ["http:", "www.", "](", "<img", "`a", "**b", "@"] {
        assert!(!marks.contains(mark), "{mark} in\n{markdown}");
    }
    // Addresses of mail are looked for after escapes are resolved: something else must stand between.
    assert!(!markdown.replace('\\', "").contains("@evil"), "{markdown}");
    let page = fs::read_to_string(here.join("page.html")).expect("a page");
    let bad = page.chars().find(|c| is_hidden(*c));
    assert_eq!(bad, None, "{file}");
    assert!(!page.contains("<img src=x"), "{file}");
}

const MINUTE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cmd/compare.in/minute.toml");
const SHOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cmd/hunt.in/shop.toml");

/// Commands that have nothing to do, the exit code, and what they say.
#[test]
fn what_compares_or_names_nothing_says_so_and_does_not_pass() {
    let here = folder("nothing");
    fs::create_dir(here.join("empty")).expect("a folder");
    let plain = here.join("plain.toml");
    fs::write(&plain, scenario("plain").split("[axes.isolation]").next().unwrap_or_default()).expect("a file");
    let other = here.join("other.toml");
    fs::write(&other, scenario("other")).expect("a file");
    let quiet = here.join("quiet.toml");
    // A second population that calls nobody in the window.
    fs::write(
        &quiet,
        fs::read_to_string(MINUTE)
            .expect("text")
            .replace("\"9/s\"", "\"0.00001/s\"")
            .replace("\"3/s\"", "\"0.000001/s\""),
    )
    .expect("a file");
    for (name, args) in [
        ("plain.json", &["run", "plain.toml"][..]),
        ("other.json", &["run", "other.toml"]),
        ("matrix.json", &["compare", MINUTE, "--seeds", "1", "--axis", "failure"]),
        ("isolation.json", &["compare", MINUTE, "--seeds", "1", "--axis", "isolation"]),
        ("failed.json", &["compare", MINUTE, "--seeds", "1", "--axis", "failure", "--metric", "track.failed_rate"]),
    ] {
        let output = within(&here, &[args, &["--json"]].concat());
        fs::write(here.join(name), output.stdout).expect("a file");
    }
    let table: &[(&[&str], i32, &str)] = &[
        (&["compare", "plain.toml"], 2, "one cell is nothing to compare"),
        (&["compare", MINUTE, "--axis", "failure=hang"], 2, "one cell is nothing to compare"),
        (
            &["compare", MINUTE, "--axis", "failure", "--design", "failure=hang"],
            2,
            "both fixed by --design and crossed",
        ),
        (
            &["compare", "quiet.toml", "--axis", "isolation", "--seeds", "1", "--metric", "identify.dropped_rate"],
            3,
            "no value in any run",
        ),
        (&["compare", MINUTE, "--axis", "nothing"], 2, "no axis \"nothing\""),
        (&["compare", MINUTE, "--runtimes", "kernel"], 2, "--runtimes"),
        (&["diff", "plain.json", "plain.json"], 2, "are the same file"),
        (&["diff", "plain.json", "./plain.json"], 2, "are the same file"),
        (&["diff", "plain.json", "other.json"], 2, "no kind of call in common"),
        (&["diff", "matrix.json", "isolation.json", "--fail-on", "worse"], 2, "no cell in common"),
        (&["diff", "matrix.json", "failed.json", "--fail-on", "worse"], 2, "different metrics"),
        (&["test", "nothere", SHOP], 2, "there is no file and no folder nothere"),
        (&["test", SHOP, "no*where"], 2, "no scenario is meant by"),
        (&["test", "empty"], 2, "no scenario in the folder"),
        (&["report", "empty"], 2, "no JSON in"),
        (&["hunt", SHOP, "--only", "nothing", "--no-file"], 2, "--only nothing"),
        (&["hunt", SHOP, "--without", "hang,nothing", "--no-file"], 2, "--without nothing"),
        (&["hunt", SHOP, "--each", "nothing", "--no-file"], 2, "no such axis"),
        (&["run", MINUTE, "--design", "nothing"], 2, "no design \"nothing\""),
        (&["run", MINUTE, "--trace", "t.json", "--trace-from", "89s", "--trace-to", "89.001s"], 3, "0 of"),
    ];
    for (args, code, said) in table {
        let output = within(&here, args);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(*code), "{args:?}: {stderr}");
        assert!(stderr.contains(said), "{args:?}: {stderr}");
        let ran = stderr.contains("runs") || String::from_utf8_lossy(&output.stdout).contains("PASS");
        assert!(*code != 2 || !ran, "{args:?} ran something: {stderr}");
    }
}

fn within(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_brownout"));
    command.args(args).current_dir(folder).stdin(Stdio::null()).output().expect("brownout starts")
}

#[test]
fn a_number_without_a_range_leaves_nothing_to_walk() {
    let here = folder("ranges");
    let text_of = scenario("w").replace("{ value = \"20/s\", assumed = [\"10/s\", \"30/s\"] }", "\"20/s\"");
    fs::write(here.join("a.toml"), text_of).expect("a file");
    let output = within(&here, &["run", "a.toml", "--ranges", "w"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("no number of the scenario has a range"), "{}", text(&output.stderr));
}

/// `--design`, `--axis` and `--chosen` could not give such names back.
#[test]
fn a_design_that_no_command_line_could_name_is_a_mistake() {
    let here = folder("names");
    for name in ["a b", "a=b", "a,b", " a", "a\n", ""] {
        let quoted = quoted(name);
        for (what, tables) in [
            ("an axis", format!("[axes.{quoted}.one]\n[axes.{quoted}.two]\nfleets.\"fw\".workers = 3\n")),
            ("a point of an axis", format!("[axes.more.one]\n[axes.more.{quoted}]\nfleets.\"fw\".workers = 3\n")),
            ("a design", format!("[designs.{quoted}]\nfleets.\"fw\".workers = 3\n")),
        ] {
            fs::write(here.join("a.toml"), scenario("w") + &tables).expect("a file");
            let output = within(&here, &["check", "a.toml"]);
            let stderr = text(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{name:?}: {stderr}");
            assert!(
                stderr.contains(&format!("{what} cannot be called")) && stderr.contains("a.toml:"),
                "{name:?}: {stderr}"
            );
        }
    }
    let usable = scenario("w") + "[designs.\"größer-als_5/s\"]\nfleets.\"fw\".workers = 3\n";
    fs::write(here.join("a.toml"), usable).expect("a file");
    let output = within(&here, &["run", "a.toml", "--design", "größer-als_5/s,isolation=more"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(Path::new(ROOT).is_dir());
}

#[test]
fn rows_of_a_trace_that_lie_outside_the_run_are_counted() {
    let here = folder("traces");
    let file = "brownout = 1\ntitle = \"t\"\nspan = \"60s\"\n[clients.a]\nsends = \"track\"\ntrace = \"t.csv\"\n\
                [fleets.web]\ncalls.track = { work = \"2ms\" }\n";
    fs::write(here.join("a.toml"), file).expect("a file");
    for (rows, args, code, said) in [
        (
            "-1,track\n5,track\n99,track\n7,other",
            &["run", "a.toml"][..],
            0,
            "2 of its 3 rows of the kind \"track\" lie outside",
        ),
        ("-1,track\n5,track\n99,track", &["check", "--strict", "a.toml"], 2, "2 of its 3 rows"),
        ("-1,track\n99,track", &["run", "a.toml"], 2, "none of its 2 rows"),
        ("5,track\n6,track", &["check", "--strict", "a.toml"], 0, ""),
    ] {
        fs::write(here.join("t.csv"), format!("t,kind\n{rows}\n")).expect("a file");
        let output = within(&here, args);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{rows:?} {args:?}: {stderr}");
        assert!(stderr.contains(said) && (stderr.is_empty() || !said.is_empty()), "{rows:?} {args:?}: {stderr}");
    }
}
