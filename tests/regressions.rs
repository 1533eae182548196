//! What was wrong once, each as the smallest world that showed it.

use brownout::scenarios::load_text;
use brownout::sim::outcome::Outcome;
use brownout::sim::simulate;
use std::path::Path;

/// Runs a small world: a minute, one fleet, one kind of call; `rest` says the rest.
fn run(rest: &str) -> Outcome {
    let text = format!("brownout = 1\ntitle = \"small\"\nspan = \"60s\"\nstep = \"10s\"\n{rest}");
    let scenario =
        load_text("small.toml", &text, Path::new("."), &[], &[]).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    simulate(&scenario, 1, None, &mut |_| {}).unwrap_or_else(|imbalance| panic!("{imbalance}"))
}

const ASKING: &str = "[clients.c]\nsends = \"k\"\nrate = \"5/s\"\n[fleets.f.calls.k]\nasks = \"db\"\nwrites = true\n";

#[test]
fn a_store_that_times_out_kills_a_process_that_dies_of_errors() {
    let hang = "timeout = \"2s\"\non_error = \"crash\"\n[stores.db]\n[[timeline]]\nat = \"5s\"\ndo = \"hang\"\nstore = \"db\"\n";
    let outcome = run(&format!("{ASKING}{hang}"));
    assert!(outcome.rotation.crashes["f-1"] > 5, "{:?}", outcome.rotation.crashes);
}

#[test]
fn headroom_for_a_thousand_years_is_not_used_up_at_once() {
    let slow = "[stores.db.headroom]\nat_start = \"2000M\"\nstop = \"1M\"\nbackground = \"0.01/s\"\n";
    let outcome = run(&format!("{ASKING}{slow}"));
    assert_eq!((outcome.outages.len(), outcome.calls["k"].dropped), (0, 0));
}

#[test]
fn an_outage_set_off_twice_by_a_sign_ends_twice() {
    let other = |at: u32| format!("[[timeline]]\nat = \"{at}s\"\ndo = \"refuse\"\nstore = \"a\"\nfor = \"1s\"\n");
    let twice = format!(
        "[fleets.f.calls.j]\nasks = \"a\"\n[stores.a]\n[stores.db]\n{}{}[[timeline]]\nwhen = \"stores.a.back\"\ndo = \"refuse\"\n\
         store = \"db\"\nfor = \"10s\"\n",
        other(5),
        other(10)
    );
    let outcome = run(&format!("{ASKING}{twice}"));
    let db = outcome.outages.iter().find(|o| o.store == "db").expect("db leaves service");
    assert_eq!((db.from_s, db.to_s), (6.0, Some(21.0)));
}

#[test]
fn the_limit_on_calls_holds_for_every_kind_of_arrivals() {
    for arrivals in ["poisson", "constant", "burst"] {
        let clients = format!(
            "[clients.c]\nsends = \"k\"\nrate = \"50/s\"\narrivals = \"{arrivals}\"\nburst = 30\ncalls = 100\n"
        );
        let outcome = run(&format!("{clients}[fleets.f.calls.k]\nwork = \"1ms\"\n"));
        assert_eq!(outcome.calls["k"].offered, 100, "{arrivals}");
    }
}

#[test]
fn constant_arrivals_follow_their_profile_from_the_first_call_on() {
    let clients = "[clients.c]\nsends = \"k\"\nrate = \"2/s\"\narrivals = \"constant\"\nprofile = [[\"0s\", 0.0], [\"30s\", 0.0], [\"31s\", 1.0]]\n";
    let outcome = run(&format!("{clients}[fleets.f.calls.k]\nwork = \"1ms\"\n"));
    let offered: Vec<u64> = outcome.timeline.steps.iter().map(|step| step.calls["k"].offered).collect();
    assert_eq!(&offered[..3], [0, 0, 0], "{offered:?}");
    assert!(offered[5] > 10, "{offered:?}");
}

#[test]
fn a_store_that_goes_on_without_headroom_still_gives_the_sign_once() {
    let sign = "[stores.db.headroom]\nat_start = \"100\"\nstop = \"50\"\nat_stop = \"none\"\n[[timeline]]\n\
                when = \"stores.db.stop\"\ndo = \"note\"\nsays = \"nothing left\"\n";
    let outcome = run(&format!("{ASKING}{sign}"));
    assert_eq!(outcome.events.iter().filter(|e| e.what == "nothing left").count(), 1, "{:?}", outcome.events);
}

#[test]
fn servers_can_be_taken_out_where_nobody_checks_them() {
    let taken = "[balancer]\nhealth = { preset = \"none\", initial = \"down\" }\n[stores.db]\n[[timeline]]\nat = \"10s\"\n\
                 do = \"take-down\"\nfleet = \"f\"\n";
    let outcome = run(&format!("{ASKING}{taken}"));
    assert!(outcome.calls["k"].causes["no_server"] > 200, "{:?}", outcome.calls["k"].causes);
}
