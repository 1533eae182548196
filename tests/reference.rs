//! The reference page of the scenario format says what the decoder does, because it is written from it.

use std::path::Path;

#[test]
fn the_reference_page_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/scenario-format.md");
    let page = brownout::scenarios::reference();
    if std::env::var_os("BROWNOUT_BLESS").is_some() {
        std::fs::write(&path, &page).expect("docs/ can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == page, "docs/scenario-format.md is out of date: BROWNOUT_BLESS=1 cargo test --test reference");
}

#[test]
fn every_key_of_the_format_is_documented_and_every_scenario_of_the_catalogue_loads() {
    assert!(!brownout::scenarios::reference().contains("|  |\n"), "a key without a meaning");
    let mut count = 0;
    for folder in ["scenarios", "scenarios/degradation", "scenarios/measured"] {
        for entry in
            std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).expect("the catalogue is there")
        {
            let path = entry.expect("a readable entry").path();
            let is_crate = path.file_name().is_some_and(|name| name == "Cargo.toml");
            if path.extension().is_some_and(|e| e == "toml") && !is_crate && !path.ends_with("clippy.toml") {
                let request = brownout::scenarios::Request { path: &path, set: &[], design: &[] };
                if let Err(mistakes) = brownout::scenarios::load(&request) {
                    panic!("{mistakes}");
                }
                count += 1;
            }
        }
    }
    assert!(count >= 16, "{count} scenarios");
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
