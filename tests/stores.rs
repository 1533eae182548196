//! How connections get into a store: its backlog, accepting one after another, and its start-up, in numbers that can be
//! worked out by hand.

use brownout::models::units::Ns;
use brownout::scenarios::load_text;
use brownout::sim::outcome::Outcome;
use brownout::sim::simulate;
use std::path::Path;

/// Calls that each open a connection (a fleet of many servers, each of which gets one call). The store answers a query in 1 ms. A call waits 5 s for its store.
fn run(clients: &str, store: &str, faults: &str) -> Outcome {
    let text = format!(
        "brownout = 1\ntitle = \"x\"\nspan = \"60s\"\nstep = \"1s\"\n\
         [clients.c]\nsends = \"call\"\ntimeout = \"30s\"\n{clients}\n\
         [network.clients]\nlatency = \"0s\"\n[network.servers]\nlatency = \"0s\"\n[balancer]\nhealth = \"none\"\n\
         [fleets.f]\ncount = 60\ncalls.call = {{ asks = \"db\", writes = true, timeout = \"5s\" }}\n\
         [stores.db]\nlink = {{ latency = \"0s\" }}\nservice = \"1ms\"\n{store}\n{faults}"
    );
    let scenario = load_text("x.toml", &text, Path::new("."), &[], &[]).unwrap_or_else(|m| panic!("{text}\n{m}"));
    simulate(&scenario, 3, None, &mut |_| {}).unwrap_or_else(|imbalance| panic!("{imbalance}"))
}

fn fault(what: &str, at: &str, lasts: &str) -> String {
    format!("[[timeline]]\nat = \"{at}\"\ndo = \"{what}\"\nstore = \"db\"\nfor = \"{lasts}\"\n")
}

/// Calls stored, and those that their store failed: by refusal, by silence.
fn fates(o: &Outcome) -> (u64, u64, u64) {
    let calls = &o.calls["call"];
    let cause = |name: &str| calls.causes.get(name).copied().unwrap_or(0);
    (calls.stored, cause("store_refused"), cause("store_timeout"))
}

/// Latency of all calls that were answered, in milliseconds.
fn latency_sum(o: &Outcome) -> f64 {
    o.calls["call"].latency_mean_ms.unwrap_or(0.0) * o.calls["call"].ok as f64
}

const ONE_A_SECOND: &str = "rate = \"1/s\"\narrivals = \"constant\"\ncalls = 30";

#[test]
fn a_full_backlog_is_silent_and_a_connect_gets_in_when_it_is_next_sent() {
    // The store is stopped from 10 s to 21 s. Without a bound those alive at 21 s get in at once: the calls from 16.x s on.
    let without = run(ONE_A_SECOND, "", &fault("hang", "10s", "11s"));
    assert_eq!(fates(&without), (24, 0, 6), "{:?}", without.calls["call"]);
    // A backlog of 1 holds the first two connections, dead from 15.x and 16.x s on, and no other gets in. Each is sent again
    // 1 s and 3 s after the first time, and 7 s is too late: of 18.x s at 21.x, of 19.x s at 22.x, of 20.x s at 21.x. That
    // of 17.x s is sent for the last time at 20.x, too early.
    let o = run(ONE_A_SECOND, "backlog = 1", &fault("hang", "10s", "11s"));
    assert_eq!(fates(&o), (22, 0, 8), "{:?}", o.calls["call"]);
    assert!((latency_sum(&o) - 7022.0).abs() < 1.0, "3 s, 3 s, 1 s, and 1 ms each: {}", latency_sum(&o));
}

#[test]
fn the_dead_are_accepted_before_the_living_one_after_another() {
    let hang = fault("hang", "10s", "20s");
    // Those alive at 30 s get in at once: five calls, of 25.x to 29.x s. What they waited tells where in a second calls come.
    let at_once = run(ONE_A_SECOND, "", &hang);
    assert_eq!(fates(&at_once), (15, 0, 15));
    let phase = (15_000.0 + 15.0 - latency_sum(&at_once)) / 5_000.0;
    assert!((0.0..1.0).contains(&phase), "{phase}");
    // Each of the 20 takes 200 ms to accept, and must be accepted before it is 5 s old.
    let accepted = (0..20).map(|n| (f64::from(n) + 10.0 + phase, 30.2 + 0.2 * f64::from(n)));
    let waits: Vec<f64> = accepted.map(|(sent, accepted)| accepted - sent).filter(|wait| *wait < 5.0).collect();
    let o = run(ONE_A_SECOND, "accept = \"200ms\"", &hang);
    assert_eq!(fates(&o).0, 10 + waits.len() as u64, "{waits:?}");
    let expected = 1000.0 * waits.iter().sum::<f64>() + 10.0 * 200.0 + fates(&o).0 as f64;
    assert!(waits.len() < 5 && (latency_sum(&o) - expected).abs() < 1.0, "{} {expected}", latency_sum(&o));
}

#[test]
fn connections_are_set_up_one_after_another_and_what_comes_after_side_by_side() {
    let mean = |store: &str| {
        let clients = "rate = \"40/s\"\narrivals = \"burst\"\nburst = 10\ncalls = 10";
        let o = run(clients, store, "");
        assert_eq!(o.calls["call"].stored, 10);
        latency_sum(&o) / 10.0
    };
    // Side by side all take 100 ms; one after another the tenth takes 1 s.
    assert!((mean("connect = \"100ms\"") - 101.0).abs() < 0.1);
    assert!((mean("accept = \"100ms\"") - 551.0).abs() < 0.1);
    assert!((mean("accept = \"100ms\"\nconnect = \"100ms\"") - 651.0).abs() < 0.1);
}

#[test]
fn a_store_that_was_shut_down_starts_up_before_it_takes_connections() {
    let down = fault("refuse", "10s", "5s");
    let o = run(ONE_A_SECOND, "", &down);
    assert_eq!(fates(&o), (25, 5, 0), "{:?}", o.calls["call"]);
    let o = run(ONE_A_SECOND, "start_up = \"4s\"", &down);
    assert_eq!(fates(&o), (21, 9, 0), "{:?}", o.calls["call"]);
    assert_eq!((o.outages[0].from_s, o.outages[0].to_s), (10.0, Some(19.0)), "the outage lasts until it serves again");
    // Shut down again while it starts up: it starts afresh when that is over.
    let again = format!("{down}{}", fault("refuse", "17s", "1s"));
    let o = run(ONE_A_SECOND, "start_up = \"4s\"", &again);
    assert_eq!(fates(&o), (18, 12, 0), "{:?}", o.calls["call"]);
    assert_eq!(o.outages[0].to_s, Some(22.0));
    // A store that was stopped, not shut down, needs no start.
    let o = run(ONE_A_SECOND, "start_up = \"4s\"", &fault("hang", "10s", "4s"));
    assert_eq!(fates(&o), (30, 0, 0), "{:?}", o.calls["call"]);
}

#[test]
fn what_waits_at_the_socket_of_a_store_that_is_shut_down_is_cut_off() {
    // Stopped at 10 s, killed at 13 s: the three that wait are cut off, the next two refused.
    let faults = format!("{}{}", fault("hang", "10s", "5s"), fault("refuse", "13s", "2s"));
    let o = run(ONE_A_SECOND, "backlog = 10\naccept = \"1ms\"", &faults);
    let calls = &o.calls["call"];
    assert_eq!((calls.causes["store_severed"], calls.causes["store_refused"], calls.stored), (3, 2, 25), "{calls:?}");
}

#[test]
fn the_room_of_a_store_is_its_backlog_and_one_more() {
    use brownout::models::component::store::Store;
    let room = |backlog, accept| Store { backlog, accept, ..Store::default() }.room();
    assert_eq!(room(Some(244), Ns::ZERO), 245);
    assert_eq!(room(None, Ns::millis(2)), 4097);
    assert_eq!(room(None, Ns::ZERO), u32::MAX);
}
