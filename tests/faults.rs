//! Faults of the timeline, from the file to the outcome.

use brownout::models::component::operator::Entry;
use brownout::models::fault::kinds;
use brownout::scenarios::{Request, Scenario, catalogue, load, load_text};
use std::path::{Path, PathBuf};

fn read(text: &str) -> Scenario {
    load_text("world.toml", text, Path::new("."), &[], &[]).unwrap_or_else(|mistakes| panic!("{text}\n{mistakes}"))
}

/// Every scenario file of the repository.
fn shipped() -> Vec<PathBuf> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")];
    let mut out = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the catalogue is there") {
            let path = entry.expect("a readable entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if path.is_dir() && !["src", "target"].contains(&name.as_str()) {
                folders.push(path);
            } else if name.ends_with(".toml") && !["Cargo.toml", "clippy.toml"].contains(&name.as_str()) {
                out.push(path);
            }
        }
    }
    out
}

/// A world with these entries in its timeline and nothing else of `like`'s.
fn with_timeline(like: &Scenario, entries: &[Entry]) -> String {
    let spec = &like.plan.spec;
    let part = |name: &str, toml: String| format!("{name} = {toml}\n");
    use brownout::models::setting::Setting;
    [
        format!("brownout = 1\ntitle = \"again\"\nspan = \"{}\"\n", like.span),
        part("clients", spec.clients.toml()),
        part("network", spec.network.toml()),
        part("balancer", spec.balancer.toml()),
        part("fleets", spec.fleets.toml()),
        part("stores", spec.stores.toml()),
        entries.iter().map(Entry::toml).collect(),
    ]
    .concat()
}

#[test]
fn what_is_written_back_reads_as_it_was() {
    for path in shipped() {
        let scenario = load(&Request { path: &path, set: &[], design: &[] }).unwrap_or_else(|m| panic!("{m}"));
        if scenario.plan.traces.iter().any(Option::is_some) {
            continue; // its trace lies beside it
        }
        let text = with_timeline(&scenario, &scenario.plan.spec.timeline);
        let entries = |scenario: &Scenario| scenario.plan.spec.timeline.iter().map(Entry::toml).collect::<String>();
        assert_eq!(entries(&read(&text)), entries(&scenario), "{}", path.display());
    }
}

#[test]
fn every_kind_has_an_example_that_shows_what_it_needs() {
    for kind in kinds() {
        let example = catalogue::fault_example(&kind);
        assert!(example.contains(&format!("do = \"{}\"", kind.word)), "{example}");
    }
}
