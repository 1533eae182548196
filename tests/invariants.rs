//! The invariants that Brownout ships: each scenario of `scenarios/invariants/` holds, and fails when the protection is
//! removed that it guards. Those about the outage of a dependency hold under any schedule of such faults that is drawn.

use brownout::property::{Case, Checked, Service, holds_under};
use brownout::sim::outcome::Standing;
use brownout::sim::run::{Orders, Run};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/invariants")
}

fn service(file: &str, design: &[&str]) -> Service {
    Service::open(folder().join(file), design, &[]).unwrap_or_else(|why| panic!("{why}"))
}

fn run(service: &Service, seed: u64) -> Checked {
    service.run(&Case { seed, ..Case::default() }).unwrap_or_else(|why| panic!("{why}"))
}

/// The scenario holds with its protection under several seeds, and without it some expectation is violated under each.
fn guards(file: &str) {
    for seed in 1..=3 {
        let with = run(&service(file, &["with"]), seed);
        assert!(!with.verdicts.is_empty(), "{file} expects nothing");
        for verdict in &with.verdicts {
            assert_eq!(
                verdict.standing,
                Standing::Holds,
                "{file}, seed {seed}: {}: {}",
                verdict.condition,
                verdict.why
            );
        }
        let without = run(&service(file, &["without"]), seed);
        assert!(!without.violated().is_empty(), "{file}, seed {seed}: nothing fails without the protection");
    }
}

#[test]
fn i1_a_single_bad_server_is_out_within_its_detection_bound() {
    guards("i1-single-bad-server.toml");
}

#[test]
fn i2_a_dependency_outage_alone_never_lowers_track_goodput() {
    guards("i2-soft-dependency.toml");
    let with = service("i2-soft-dependency.toml", &["with"]);
    let faults = with.faults_of(&["store"], &[]).unwrap_or_else(|why| panic!("{why}")).at_most(3);
    let shown = holds_under(&with, &faults, 60, 2).unwrap_or_else(|why| panic!("{why}"));
    assert!(shown.with_effect * 2 > shown.cases, "{shown:?}");
    // With the same effort, what happens without the bulkhead is found, and shrunk to a single fault.
    let without =
        service("i2-soft-dependency.toml", &["without"]).without_faults().unwrap_or_else(|why| panic!("{why}"));
    let found = holds_under(&without, &faults, 60, 2).expect_err("a store takes the workers");
    let found = found.to_string();
    assert!(found.contains("track.dropped_rate") && found.matches("[[timeline]]").count() == 1, "{found}");
}

#[test]
fn i3_retries_amplify_load_by_at_most_the_budget() {
    guards("i3-retry-budget.toml");
}

#[test]
fn i4_goodput_is_back_soon_after_the_cause_clears() {
    guards("i4-recovery.toml");
}

#[test]
fn i5_load_raised_and_lowered_again_traces_one_curve() {
    guards("i5-one-curve.toml");
}

#[test]
fn i6_the_ledger_balances_at_every_instant() {
    let service = service("i6-ledger.toml", &[]);
    run(&service, 1).holds().unwrap_or_else(|why| panic!("{why}"));
    let faults = service.faults().unwrap_or_else(|why| panic!("{why}")).at_most(6);
    holds_under(&service, &faults, 60, 6).unwrap_or_else(|why| panic!("{why}"));
    // A single lost call is noticed.
    let scenario = service.scenario();
    let orders = Orders { lose_a_call: true, ..brownout::sim::orders(scenario, 1) };
    let imbalance = Run::new(&scenario.plan, orders).finish(None, &mut |_| {}).expect_err("one call is missing");
    assert!(imbalance.equation.contains("is not"), "{imbalance}");
}

#[test]
fn i7_flaps_stay_under_a_bound() {
    guards("i7-flaps.toml");
}

#[test]
fn i8_a_spool_below_its_capacity_drops_nothing() {
    guards("i8-spool.toml");
}

#[test]
fn i9_outlier_ejection_never_exceeds_its_percentage() {
    guards("i9-outlier-share.toml");
}

#[test]
fn i10_a_breaker_trips_at_its_documented_count() {
    guards("i10-breaker.toml");
}

/// Every file of the folder is guarded by a test of this file, and says what it guards.
#[test]
fn no_invariant_is_left_out() {
    let source = include_str!("invariants.rs");
    let mut numbers = BTreeSet::new();
    for entry in std::fs::read_dir(folder()).expect("the folder is there") {
        let path = entry.expect("a readable entry").path();
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let text = std::fs::read_to_string(&path).expect("a readable file");
        assert!(text.starts_with("# Guards: "), "{name} does not name the protection that it guards");
        assert!(source.contains(&format!("\"{name}\"")), "no test runs {name}");
        numbers.insert(name.split('-').next().unwrap_or_default().to_string());
    }
    let wanted: BTreeSet<String> = (1..=10).map(|n| format!("i{n}")).collect();
    assert_eq!(numbers, wanted);
}
