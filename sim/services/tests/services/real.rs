//! Every service over real sockets of the loopback interface, for a few seconds.

use brownout_scenarios::load_text;
use brownout_services::{Ask, Failure, Listener, on_tokio};
use brownout_sim::orders;

const SCENARIO: &str = r#"
brownout = 1
title = "A few seconds on real sockets"
span = "5s"
step = "1s"

[clients.browsers]
sends = "track"
rate = "60/s"
timeout = "1s"

[clients.pages]
sends = "identify"
rate = "20/s"
timeout = "1s"

[clients.people]
sends = "dashboard"
rate = "10/s"
timeout = "1s"

[balancer]
health = { preset = "haproxy", interval = "200ms", timeout = "200ms" }

[fleets.collectors]
count = 3
workers = 4
health = "deep"
calls.track = { work = "1ms", appends = "events" }
calls.identify = { work = "1ms", asks = "identify", writes = true, timeout = "300ms" }

[fleets.dashboard]
concurrency = "event-loop"
health = "shallow"
calls.dashboard = { asks = "identify", timeout = "300ms" }

[stores.identify]
service = "1ms"

[stores.events]

[[timeline]]
at = "2s"
do = "refuse"
store = "identify"
for = "1s"
"#;

#[test]
fn every_service_runs_over_real_sockets() {
    let scenario = load_text("real.toml", SCENARIO, std::path::Path::new("."), &[], &[])
        .unwrap_or_else(|mistakes| panic!("{}", mistakes.render(false)));
    let listener = Listener { stop: None, progress: &|_| {} };
    let outcome = on_tokio(&scenario, Ask::new(orders(&scenario, 1)), &listener).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!((outcome.runtime.as_str(), outcome.ended.as_str()), ("tokio", "complete"));
    for (kind, totals) in &outcome.calls {
        assert!(totals.offered > 20, "{kind}: {totals:?}");
        // Around the second without the store all is well.
        assert!(totals.ok * 2 > totals.offered, "{kind}: {totals:?}");
        assert_eq!(totals.offered, totals.stored + totals.late + totals.dropped + totals.in_flight, "{kind}");
    }
    assert!(outcome.calls["identify"].causes.contains_key("store_refused"), "{:?}", outcome.calls["identify"]);
    assert!(outcome.rotation.first_ejection_s.is_some(), "deep checks take the collectors out");
    let last = outcome.timeline.steps.last().unwrap();
    assert_eq!(last.fleets["collectors"].in_rotation, 3, "and let them in again: {last:?}");
    assert!(outcome.faults[0].effects > 0, "{:?}", outcome.faults);
}

#[test]
fn a_fault_that_real_sockets_cannot_have_ends_the_run_and_says_so() {
    let (world, _) = SCENARIO.rsplit_once("[[timeline]]").unwrap();
    let paused = format!("{world}[[timeline]]\nat = \"300ms\"\ndo = \"pause\"\nfleet = \"collectors\"\n");
    let scenario = load_text("real.toml", &paused, std::path::Path::new("."), &[], &[])
        .unwrap_or_else(|mistakes| panic!("{}", mistakes.render(false)));
    let listener = Listener { stop: None, progress: &|_| {} };
    let Err(Failure::Machine(why)) = on_tokio(&scenario, Ask::new(orders(&scenario, 1)), &listener) else {
        panic!("a process was paused")
    };
    assert!(why.starts_with("a fault of server 1: "), "{why}");
}
