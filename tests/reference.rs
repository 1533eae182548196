//! The reference page and the schema of the scenario format say what the decoder does: both are written from it.

use brownout::models::component::operator::actions;
use brownout::scenarios::{Request, catalogue, faults_page, load, load_text, reference, schema, words_table};
use brownout::sim::simulate;
use serde_json::Value;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The file is what the code writes; `BROWNOUT_BLESS=1` writes it.
fn assert_current(file: &str, text: &str) {
    let path = root().join(file);
    if std::env::var_os("BROWNOUT_BLESS").is_some() {
        std::fs::write(&path, text).expect("docs/ can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == text, "{file} is out of date: BROWNOUT_BLESS=1 cargo test --test reference");
}

#[test]
fn the_reference_page_is_current() {
    assert_current("docs/scenario-format.md", &reference());
}

#[test]
fn the_page_of_faults_is_current() {
    assert_current("docs/faults.md", &faults_page());
}

#[test]
fn the_schema_is_current() {
    assert_current("docs/scenario.schema.json", &schema());
}

/// The guide is written by hand, apart from the table of the products' words.
#[test]
fn the_words_of_the_guide_are_current() {
    let file = "docs/guide.md";
    let text = std::fs::read_to_string(root().join(file)).expect("the guide is there");
    let (begins, ends) =
        ("<!-- words: written from scenarios/src/words.rs; do not edit -->\n", "<!-- end of words -->");
    let (before, rest) = text.split_once(begins).expect("the guide has a place for the words");
    let (_, after) = rest.split_once(ends).expect("and an end of it");
    assert_current(file, &format!("{before}{begins}\n{}\n{ends}{after}", words_table()));
}

#[test]
fn no_scenario_of_the_catalogue_has_a_warning() {
    for path in files() {
        let scenario = load(&Request { path: &path, set: &[], design: &[] }).unwrap_or_else(|m| panic!("{m}"));
        assert!(scenario.warnings.warning_count() == 0, "{}", scenario.warnings.render_warnings(false));
    }
}

/// What the page says of the order of tables.
#[test]
fn the_order_of_tables_decides_what_the_page_says_and_nothing_else() {
    let [a, b] = ["a", "b"].map(|n| format!("[clients.{n}]\nsends = \"{n}\"\nrate = \"50/s\"\n"));
    let fleet = |n: &str, count: u32| {
        format!(
            "[fleets.f{n}]\ncount = {count}\nhealth = \"shared\"\ncalls.{n} = {{ work = \"5ms\", asks = \"s{n}\", timeout = \"3s\" }}\n"
        )
    };
    let (f, g) = (fleet("a", 2), fleet("b", 3));
    let [s, t] = ["[stores.sa]\nservice = \"3ms\"\n", "[stores.sb]\nservice = \"2ms\"\n"];
    let run = |tables: [&str; 6]| {
        let head = "brownout = 1\ntitle = \"x\"\nspan = \"60s\"\nstep = \"5s\"\n[balancer]\npreset = \"haproxy\"\n";
        let fault = "[[timeline]]\nat = \"10s\"\ndo = \"hang\"\nstore = \"sa\"\nfor = \"20s\"\n";
        let text = format!("{head}{}{fault}", tables.concat());
        let scenario = load_text("x.toml", &text, Path::new("."), &[], &[]);
        let scenario = scenario.unwrap_or_else(|mistakes| panic!("{}", mistakes.render(false)));
        simulate(&scenario, 1, None, &mut |_| {}).expect("books that balance")
    };
    let plain = run([&a, &b, &f, &g, s, t]);
    assert!(plain.calls["a"].dropped > 0);
    for other in [run([&b, &a, &f, &g, s, t]), run([&a, &b, &f, &g, t, s])] {
        assert_eq!((&other.calls, &other.rotation), (&plain.calls, &plain.rotation));
        assert_ne!(other.digest, plain.digest);
    }
    let fleets = run([&a, &b, &g, &f, s, t]);
    assert_eq!((plain.rotation.fleet.as_str(), fleets.rotation.fleet.as_str()), ("fa", "fb"));
    assert_eq!(fleets.calls["a"].offered, plain.calls["a"].offered);
}

/// Every scenario file of the repository.
fn files() -> Vec<PathBuf> {
    let mut out = Vec::new();
    for folder in [
        "scenarios",
        "scenarios/degradation",
        "scenarios/estate",
        "scenarios/guidance",
        "scenarios/invariants",
        "scenarios/measured",
        "scenarios/measured/estate",
    ] {
        for entry in std::fs::read_dir(root().join(folder)).expect("the catalogue is there") {
            let path = entry.expect("a readable entry").path();
            let other = path.ends_with("Cargo.toml") || path.ends_with("clippy.toml");
            if path.extension().is_some_and(|e| e == "toml") && !other {
                out.push(path);
            }
        }
    }
    out
}

fn validator() -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(&schema()).expect("the schema is JSON");
    jsonschema::draft202012::meta::validate(&schema).expect("the schema is a schema");
    jsonschema::draft202012::new(&schema).expect("its references lead somewhere")
}

fn as_json(text: &str) -> Value {
    toml::from_str(text).expect("TOML")
}

#[test]
fn the_schema_takes_every_scenario_of_the_catalogue() {
    let validator = validator();
    for path in files() {
        let text = std::fs::read_to_string(&path).expect("a readable file");
        let found: Vec<_> =
            validator.iter_errors(&as_json(&text)).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(found.is_empty(), "{}: {found:#?}", path.display());
    }
}

const SMALL: &str = r#"
brownout = 1
title = "small"
span = "10min"
[clients.users]
sends = "my-calls"
rate = "10/s"
[balancer]
health = "haproxy"
[fleets.my-fleet]
calls.my-calls = { work = "4ms", asks = "my-store" }
[stores.my-store]
"#;

#[test]
fn the_schema_refuses_what_the_decoder_refuses() {
    let validator = validator();
    assert!(validator.is_valid(&as_json(SMALL)));
    let wrong = [
        ("rate = \"10/s\"", "rate = 10"),
        ("rate = \"10/s\"", "rate = { value = 10, assumed = [5, 50] }"),
        ("rate = \"10/s\"", "rate = { value = \"10/s\" }"),
        ("rate = \"10/s\"", "ratte = \"10/s\""),
        ("sends = \"my-calls\"", "timeout = \"1s\""),
        ("health = \"haproxy\"", "health = \"haprox\""),
        ("health = \"haproxy\"", "health = { preset = \"elb\" }"),
        ("health = \"haproxy\"", "health = { fall = 0 }"),
        ("health = \"haproxy\"", "health = { fall = { value = 0, assumed = [0, 5] } }"),
        ("health = \"haproxy\"", "algorithm = \"round\""),
        ("brownout = 1", "brownout = 2"),
        ("title = \"small\"", ""),
        ("[stores.my-store]", "[[timeline]]\nat = \"1min\"\ndo = \"explode\"\n[stores.my-store]"),
        ("[stores.my-store]", "[[timeline]]\nat = \"1min\"\ndo = \"hang\"\n[stores.my-store]"),
        ("[stores.my-store]", "[axes.a.b]\nfleet.my-fleet.workers = 3\n[stores.my-store]"),
        ("[stores.my-store]", "[axes.a.b]\nfleets.my-fleet.workers = \"3\"\n[stores.my-store]"),
    ];
    for (right, wrong) in wrong {
        let text = SMALL.replace(right, wrong);
        assert_ne!(text, SMALL, "{right} is not there");
        assert!(!validator.is_valid(&as_json(&text)), "the schema takes {wrong}");
        assert!(load_text("small.toml", &text, Path::new("."), &[], &[]).is_err(), "the decoder takes {wrong}");
    }
}

#[test]
fn designs_need_no_required_key() {
    let text = format!(
        "{SMALL}\n[axes.load]\ndefault = \"more\"\nmore.clients.users.rate = \"20/s\"\n[designs.x]\nbased_on = \"y\"\n[designs.y]\nclients.users.timeout = \"1s\""
    );
    load_text("small.toml", &text, Path::new("."), &[], &[]).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert!(validator().is_valid(&as_json(&text)));
}

#[test]
fn every_example_of_an_action_loads_and_suits_the_schema() {
    let validator = validator();
    for (word, ..) in actions() {
        let example = catalogue::example(word).expect("it has an example");
        // What some actions need beside it.
        let log = "health = \"haproxy\"\nlog = { calls = [\"my-calls\"] }";
        let more = "[clients.my-clients]\nsends = \"my-calls\"\nrate = \"1/s\"\n[clients.my-other-clients]\nlike = \"my-clients\"\n";
        let world = SMALL
            .replace("health = \"haproxy\"", log)
            .replace("[fleets.my-fleet]", &format!("{more}[fleets.my-fleet]\ncount = 4\nheap_limit = \"1GB\""))
            .replace(
                "[stores.my-store]",
                "[fleets.my-fleet.calls.my-reads]\nthen = [{ asks = \"my-cache\" }]\n[stores.my-cache]\ncache.of = \"my-store\"\n[stores.my-store]\nspare = {}",
            );
        let text = format!("{world}\n{example}");
        load_text(word, &text, Path::new("."), &[], &[]).unwrap_or_else(|mistakes| panic!("{example}\n{mistakes}"));
        assert!(validator.is_valid(&as_json(&text)), "{example}");
    }
}

#[test]
fn every_preset_by_its_name_suits_the_schema() {
    let validator = validator();
    // Those of a list's items are the same as of clients and of calls.
    for preset in catalogue::presets().into_iter().filter(|preset| !preset.key.contains("<n>")) {
        let key = preset.key.replace(".<name>", ".users").replace("fleets.users", "fleets.my-fleet");
        let path =
            key.replace("my-fleet.calls.users", "my-fleet.calls.my-calls").replace("stores.users", "stores.my-store");
        let set = [format!("{path}.preset={}", preset.name)];
        let base = SMALL.replace("[balancer]\nhealth = \"haproxy\"", "");
        load_text("small.toml", &base, Path::new("."), &set, &[])
            .unwrap_or_else(|mistakes| panic!("{set:?}\n{mistakes}"));
        let mut value = as_json(&base);
        let mut at = &mut value;
        for key in path.split('.') {
            at = at.as_object_mut().expect("a table").entry(key).or_insert_with(|| Value::Object(Default::default()));
        }
        at.as_object_mut().expect("a table").insert("preset".into(), preset.name.into());
        assert!(validator.is_valid(&value), "{path} = {}", preset.name);
    }
}

#[test]
fn every_key_of_the_format_is_documented_and_every_scenario_of_the_catalogue_loads() {
    assert!(!brownout::scenarios::reference().contains("|  |\n"), "a key without a meaning");
    let files = files();
    for path in &files {
        if let Err(mistakes) = load(&Request { path, set: &[], design: &[] }) {
            panic!("{mistakes}");
        }
    }
    assert!(files.len() >= 17, "{} scenarios", files.len());
}

#[test]
fn every_number_of_october_28_says_why_it_is_what_it_is() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/october-28.toml");
    for mechanism in ["crash-loop", "pool-exhaustion", "memory-growth"] {
        let design = [mechanism.to_string()];
        let request = brownout::scenarios::Request { path: &path, set: &[], design: &design };
        let scenario = brownout::scenarios::load(&request).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let bare: Vec<_> = scenario.provenance.iter().filter(|p| p.mark == "unmarked").map(|p| &p.path).collect();
        assert!(bare.is_empty(), "without provenance under {mechanism}: {bare:?}");
    }
}
