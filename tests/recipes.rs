//! The recipes of ARCHITECTURE.md: whatever is added to one of the lists is complete, or a test here or beside the list
//! says what is missing. The lists themselves (faults, actions, metrics, presets, words, keys) feed the decoder, the
//! schema, the pages of `docs/`, `list` and `explain`, so most of this asks the finished command.

use brownout::models::component::operator::operator_actions;
use brownout::models::fault::kinds;
use brownout::models::metrics;
use brownout::scenarios::{Request, catalogue, faults_page, load_designs, reference, schema};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|why| panic!("{file}: {why}"))
}

fn said(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_brownout")).args(args).output().expect("the command starts");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The names that `brownout list <topic>` has.
fn listed(topic: &str) -> Vec<String> {
    let all: Value = serde_json::from_str(&said(&["list", topic, "--json"])).expect("JSON");
    let entries = all[topic].as_array().expect("a list").iter();
    entries.map(|entry| entry["name"].as_str().expect("a name").to_string()).collect()
}

/// Whatever a name is of, `explain` says what it means, in one call for all.
fn assert_explained(names: &[String]) {
    let args: Vec<&str> = ["explain"].into_iter().chain(names.iter().map(String::as_str)).collect();
    let page = said(&args).split_whitespace().collect::<Vec<_>>().join(" ");
    for name in names {
        assert!(page.contains(name.as_str()), "explain {name} does not name it");
    }
}

#[test]
fn a_fault_is_in_the_list_the_pages_and_the_schema() {
    let (page, schema) = (faults_page(), schema());
    let names: Vec<String> = kinds().iter().map(|kind| kind.word.to_string()).collect();
    for name in &names {
        assert!(page.contains(&format!("`{name}`")), "docs/faults.md has no {name}");
        assert!(schema.contains(&format!("\"{name}\"")), "the schema has no {name}");
    }
    assert_eq!(listed("faults").len(), names.len());
    assert_explained(&names);
}

#[test]
fn an_action_is_in_the_list_the_page_and_the_schema() {
    let (page, schema) = (reference(), schema());
    let names: Vec<String> = operator_actions().iter().map(|(word, ..)| word.to_string()).collect();
    for name in &names {
        assert!(page.contains(&format!("`do = \"{name}\"`")), "docs/scenario-format.md has no {name}");
        assert!(schema.contains(&format!("\"{name}\"")), "the schema has no {name}");
        assert!(catalogue::example(name).is_some(), "{name} has no example");
    }
    assert_eq!(listed("actions"), names);
    assert_explained(&names);
}

#[test]
fn a_metric_is_in_the_list_and_the_page() {
    let page = reference();
    let names: Vec<String> =
        metrics::ALL.iter().map(|metric| format!("{}.{}", metric.subject().pattern(), metric.name)).collect();
    for name in &names {
        assert!(page.contains(&format!("| `{name}` |")), "docs/scenario-format.md has no {name}");
    }
    assert_eq!(listed("metrics"), names);
    assert_explained(&metrics::ALL.iter().map(|metric| metric.name.to_string()).collect::<Vec<_>>());
}

/// Words of a preset's documentation that stand for a year.
fn has_year(doc: &str) -> bool {
    doc.split(|c: char| !c.is_ascii_digit()).any(|n| n.len() == 4 && (n.starts_with("19") || n.starts_with("20")))
}

#[test]
fn a_preset_says_of_what_date_it_is_by_which_source_and_what_is_not_modelled() {
    let page = reference();
    for preset in catalogue::presets() {
        let (name, doc) = (format!("{} = \"{}\"", preset.key, preset.name), &preset.doc);
        assert!(page.contains(&format!("- `\"{}\"`: {}", preset.name, doc.trim())), "the page lacks {name}");
        if doc.starts_with("No product") || doc.starts_with("An older name of") {
            continue;
        }
        assert!(has_year(doc), "{name} does not say of what date it is: {doc}");
        assert!(doc.contains("Source: "), "{name} names no source: {doc}");
        assert!(doc.contains("Not modelled"), "{name} does not say what is not modelled: {doc}");
    }
    let names: std::collections::BTreeSet<String> = listed("presets").into_iter().collect();
    assert_explained(&names.into_iter().collect::<Vec<_>>());
}

/// Points of an axis of the reference day.
fn points(axis: &str) -> Vec<String> {
    let day = root().join("scenarios/october-28.toml");
    let (_, designs) = load_designs(&Request { path: &day, set: &[], design: &[] }).unwrap_or_else(|m| panic!("{m}"));
    designs.into_iter().filter(|d| d.axis.as_deref() == Some(axis)).map(|d| d.name).collect()
}

/// A design of the day is held to what it should do about each mechanism, and to the services' runtime.
#[test]
fn an_isolation_or_health_check_design_is_held_on_both_runtimes() {
    let (kernel, services) = (read("tests/designs.rs"), read("sim/services/tests/services/differential.rs"));
    for axis in ["isolation", "health"] {
        let points = points(axis);
        assert!(points.len() >= 8, "{points:?}");
        for point in points {
            let point = point.split_once('=').map_or(point.clone(), |(_, point)| point.to_string());
            assert!(kernel.contains(&format!("\"{point}\"")), "tests/designs.rs does not hold {axis}={point}");
            // The shared ones are the day as it was: each row without a design.
            let row = services.contains(&format!("\"{axis}={point}\"")) || point == "shared";
            assert!(row, "differential.rs has no row with {axis}={point}");
        }
    }
}

#[test]
fn a_subcommand_has_its_file_its_transcript_and_a_place_in_the_readme() {
    let help = said(&["--help"]);
    // One name a line; what is said of it goes on further to the right.
    let commands =
        help.split("Commands:").nth(1).and_then(|rest| rest.split("\n\n").next()).expect("a list of commands");
    let lines = commands.lines().filter_map(|line| line.strip_prefix("  ").filter(|name| !name.starts_with(' ')));
    let names: Vec<&str> = lines.filter_map(|line| line.split(' ').next()).filter(|name| *name != "help").collect();
    assert!(names.len() >= 12, "{help}");
    let all = |folder: &str, end: &str| -> String {
        let files = std::fs::read_dir(root().join(folder)).expect("a folder");
        let paths = files.map(|entry| entry.expect("an entry").path()).filter(|path| !path.ends_with("recipes.rs"));
        let texts = paths.filter(|path| path.extension().is_some_and(|is| is == end));
        texts.map(|path| std::fs::read_to_string(path).expect("UTF-8")).collect()
    };
    let (transcripts, tests) = (all("tests/cmd", "trycmd"), all("tests", "rs"));
    let docs = all("docs", "md") + &read("README.md");
    let completions = said(&["completions", "bash"]);
    for name in names {
        assert!(
            root().join(format!("src/command/{}.rs", name.replace('-', "_"))).is_file(),
            "no file of its own: {name}"
        );
        let is_called = transcripts.contains(&format!("$ brownout {name}")) || tests.contains(&format!("\"{name}\""));
        assert!(is_called, "no transcript in tests/cmd/ and no test calls {name}");
        assert!(docs.contains(&format!("brownout {name}")), "neither README.md nor docs/ say what {name} is for");
        assert!(completions.contains(name), "the completion script lacks {name}");
    }
}

/// A file that no binary names would never be run, and nobody would notice.
#[test]
fn a_test_file_is_in_a_binary() {
    for (folder, manifest, roots) in
        [("tests", "Cargo.toml", &["world.rs", "command.rs"][..]), ("reports/tests", "reports/Cargo.toml", &["all.rs"])]
    {
        let manifest = read(manifest);
        let named: String = roots.iter().map(|root| read(&format!("{folder}/{root}"))).collect();
        for entry in std::fs::read_dir(root().join(folder)).expect("a folder") {
            let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
            let is_named = named.contains(&format!("#[path = \"{name}\"]"));
            let has_own = manifest.contains(&format!("path = \"tests/{name}\""));
            assert!(
                !name.ends_with(".rs") || is_named || has_own,
                "{folder}/{name} is in none of {roots:?}, and no [[test]]"
            );
        }
    }
}
