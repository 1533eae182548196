//! What proxies do about servers that are bad alone, and about too much: on both runtimes.

use crate::support::{kernel, madsim, scenario};
use brownout_models::units::Ns;
use brownout_scenarios::{Scenario, load_text};
use brownout_sim::outcome::Outcome;
use std::path::Path;

/// Forty seconds of gets at a rate, of which the last thirty are looked at; without health checks, unless the balancer has some.
fn world(rate: &str, balancer: &str, more: &str) -> Scenario {
    let unchecked = if balancer.contains("health = {") { "" } else { "health.enabled = false\n" };
    let text = format!(
        "brownout = 1\ntitle = \"proxies\"\nspan = \"40s\"\nstep = \"1s\"\n\
         window = {{ from = \"10s\", to = \"40s\" }}\n\
         [clients.c]\nsends = \"get\"\nrate = \"{rate}\"\ntimeout = \"30s\"\n\
         [balancer]\n{unchecked}{balancer}\n{more}\n"
    );
    let loaded = load_text("proxies.toml", &text, Path::new("."), &[], &[]);
    loaded.unwrap_or_else(|mistakes| panic!("{}\n{text}", mistakes.render(false)))
}

/// The run on the kernel and that on madsim.
fn both(scenario: &Scenario) -> [(&'static str, Outcome); 2] {
    [("kernel", kernel(scenario, 1)), ("madsim", madsim(scenario, 1, Ns::ZERO))]
}

/// The share of gets that fail in the phase that begins then.
fn failed_from(outcome: &Outcome, from_s: f64) -> f64 {
    let phase = outcome.phases.calls["get"].iter().find(|phase| phase.from_s == from_s).expect("there is such a phase");
    phase.failed as f64 / phase.offered as f64
}

#[test]
fn the_measured_share_of_a_bad_server_under_leastconn_on_both_runtimes() {
    let row = scenario("measured/bad-server/haproxy-least-requests.toml", &[], &[]);
    for (runtime, outcome) in both(&row) {
        let is = failed_from(&outcome, 20.0);
        assert!((is - 0.2632).abs() < 0.02, "{runtime}: {is:.3}, measured 0.263");
    }
}

/// Two servers, one of which answers 503 at once: each draw of a call meets it with a half.
#[test]
fn each_try_meets_a_bad_server_or_not_for_itself() {
    let bad = "[fleets.f]\ncount = 2\nworkers = 64\ncalls.get = { work = \"5ms\" }\nbad = { status = 503, takes = \"1ms\" }\n";
    for (retries, should_be) in [(0, 0.5), (1, 0.25), (2, 0.125)] {
        let balancer = format!(
            "preset = \"envoy\"\nalgorithm = \"random\"\nretries = {retries}\nretry_on = [\"gateway-error\"]\n\
             retries_at_once = \"none\""
        );
        for (runtime, outcome) in both(&world("60/s", &balancer, bad)) {
            let is = outcome.calls["get"].failed_rate;
            // Four standard errors of 1,800 calls.
            let within = 4.0 * f64::sqrt(should_be * (1.0 - should_be) / 1800.0);
            assert!((is - should_be).abs() < within, "{retries} retries on {runtime}: {is:.3}, right is {should_be}");
        }
    }
}

/// Six calls at once of three seconds each, to three servers; each line a limit of the fleet: how many fail at once, and how
/// long the slowest of the others takes.
#[test]
fn a_burst_meets_the_limits_of_a_fleet() {
    for (limits, connection, failed, slowest) in [
        // envoy#16610: whatever the number of hosts.
        ("{ requests = 3 }", "kept-alive", 3, 3.0),
        ("{ requests = 3 }", "per-call", 3, 3.0),
        // Each server may have one; the others wait for it.
        ("{ connections = 1 }", "kept-alive", 0, 6.0),
        ("{ connections = 3, pending = 1 }", "kept-alive", 2, 6.0),
        ("{ connections = 3, pending = 0 }", "kept-alive", 3, 3.0),
        // What is being opened is pending.
        ("{ pending = 2 }", "per-call", 4, 3.0),
        ("{}", "per-call", 0, 3.0),
    ] {
        let text = format!(
            "brownout = 1\ntitle = \"a burst\"\nspan = \"30s\"\nstep = \"1s\"\n\
             [clients.c]\nsends = \"get\"\nrate = \"6/s\"\narrivals = \"burst\"\nburst = 6\ncalls = 6\ntimeout = \"15s\"\n\
             [balancer]\npreset = \"envoy\"\nhealth.enabled = false\nconnection = \"{connection}\"\nfleet_limits = {limits}\n\
             [fleets.f]\ncount = 3\nworkers = 100\ncalls.get = {{ work = \"3s\" }}\n"
        );
        let scenario = load_text("burst.toml", &text, Path::new("."), &[], &[]).unwrap_or_else(|m| panic!("{m}"));
        for (runtime, outcome) in both(&scenario) {
            let calls = &outcome.calls["get"];
            assert_eq!(calls.failed, failed, "{limits} {connection} on {runtime}: {:?}", calls.causes);
            assert_eq!(calls.causes.get("overflow").copied().unwrap_or_default(), failed, "{limits} on {runtime}");
            let is = calls.latency_ms.as_ref().expect("some are answered").max / 1e3;
            assert!((is - slowest).abs() < 0.1, "{limits} {connection} on {runtime}: {is} s");
        }
    }
}

/// A hundred calls fail at the same moment. The first finds a hundred under way, of which a fifth may be retries; each further
/// one finds one less, for who waits for another try is not under way: after 16 there are as many as a fifth of the 84 left.
#[test]
fn a_retry_budget_is_a_share_of_what_is_under_way() {
    for (budget, retries) in [("{ at_least = 0 }", 16), ("{ share = \"0%\", at_least = 5 }", 5), ("\"none\"", 3)] {
        let text = format!(
            "brownout = 1\ntitle = \"a budget\"\nspan = \"10s\"\nstep = \"1s\"\n\
             [clients.c]\nsends = \"get\"\nrate = \"100/s\"\narrivals = \"burst\"\nburst = 100\ncalls = 100\ntimeout = \"5s\"\n\
             [balancer]\npreset = \"envoy\"\nhealth.enabled = false\nretries = 1\nretry_on = [\"5xx\"]\nretry_budget = {budget}\n\
             retry_pause = {{ base = \"500ms\", most = \"500ms\" }}\n\
             [fleets.f]\ncount = 2\nworkers = 100\ncalls.get = {{ work = \"10ms\" }}\n\
             [[timeline]]\nat = \"0s\"\ndo = \"bad-answers\"\nfleet = \"f\"\ntakes = \"10ms\"\n"
        );
        let scenario = load_text("budget.toml", &text, Path::new("."), &[], &[]).unwrap_or_else(|m| panic!("{m}"));
        let tries = kernel(&scenario, 1).faults[0].effects;
        assert_eq!(tries - 100, retries, "{budget} on the kernel");
        // There the failures come one after another, within the same millisecond.
        let tries = madsim(&scenario, 1, Ns::ZERO).faults[0].effects;
        assert!((tries - 100).abs_diff(retries) <= 2, "{budget} on madsim: {tries}");
    }
}

/// Times at which a server goes out and comes back, in seconds.
fn changes(outcome: &Outcome, server: &str) -> Vec<f64> {
    outcome.rotation.changes_s[server].clone()
}

/// Two of six hosts begin to fail, half a second apart. The first change takes effect at once, the second a second after it
/// came, for it came within a second of the first.
#[test]
fn changes_of_the_host_set_are_merged_and_late() {
    let bad = |server: u32, at: &str| {
        format!(
            "[[timeline]]\nat = \"{at}\"\ndo = \"bad-answers\"\nfleet = \"f\"\nservers = [\"f-{server}\"]\ntakes = \"1ms\"\n"
        )
    };
    let more = format!(
        "[fleets.f]\ncount = 6\nworkers = 64\ncalls.get = {{ work = \"5ms\" }}\n{}{}",
        bad(1, "15s"),
        bad(2, "15500ms")
    );
    let world = |window: &str| {
        let outlier = "{ preset = \"envoy\", consecutive_errors = 1, max_share = \"100%\" }";
        let balancer = format!(
            "preset = \"envoy\"\nhealth = {{ preset = \"envoy\", outlier = {outlier}, merge_window = {window} }}"
        );
        self::world("300/s", &balancer, &more)
    };
    for (window, late) in [("\"1s\"", 1.0), ("\"none\"", 0.0)] {
        for (runtime, outcome) in both(&world(window)) {
            let (first, second) = (changes(&outcome, "f-1")[0], changes(&outcome, "f-2")[0]);
            assert!((first - 15.0).abs() < 0.15, "{window} on {runtime}: {first}");
            assert!((second - 15.5 - late).abs() < 0.15, "{window} on {runtime}: {second}");
        }
    }
}

/// A host whose calls fail while its checks pass: a passed check ends its ejection, or only time does.
#[test]
fn a_passed_check_ends_an_ejection_or_does_not() {
    let more = "[fleets.f]\ncount = 4\nworkers = 64\nhealth = \"shallow\"\ncalls.get = { work = \"5ms\" }\n\
                [[timeline]]\nat = \"15s\"\ndo = \"bad-answers\"\nfleet = \"f\"\nservers = 1\ntakes = \"1ms\"\n";
    for (ends, returns) in [(true, 4..30), (false, 0..1)] {
        let outlier =
            format!("{{ preset = \"envoy\", max_share = \"50%\", base_ejection = \"60s\", ends_by_check = {ends} }}");
        let balancer = format!(
            "preset = \"envoy\"\nhealth = {{ preset = \"envoy\", interval = \"2s\", merge_window = \"none\", outlier = {outlier} }}"
        );
        for (runtime, outcome) in
            both(&world("100/s", &balancer.replace("health = {", "health = { enabled = true,"), more))
        {
            let back = changes(&outcome, "f-1").len() / 2;
            assert!(returns.contains(&back), "{ends} on {runtime}: back {back} times");
        }
    }
}

/// Cases of people: a call on a server that hangs ends when that is marked down (5 to 6 s), and is repeated by its client.
#[test]
fn sessions_are_shut_down_with_their_server() {
    let more = "[fleets.f]\ncount = 2\nworkers = 500\nbacklog = 1000\nhealth = \"shallow\"\ncalls.get = { work = \"10ms\" }\n\
                [[timeline]]\nat = \"15s\"\ndo = \"pause\"\nfleet = \"f\"\nservers = 1\n";
    for (then, slowest) in [("shutdown-sessions", 4.0..7.0), ("keep", 15.0..26.0)] {
        let balancer = format!(
            "preset = \"haproxy\"\nidle_timeout = \"20s\"\non_marked_down = \"{then}\"\nretries = 1\n\
             retry_on = [\"empty-response\", \"response-timeout\"]\nredispatch = \"haproxy\"\n\
             health = {{ preset = \"haproxy\", enabled = true, interval = \"1s\", timeout = \"1s\" }}"
        );
        for (runtime, outcome) in both(&world("20/s", &balancer, more)) {
            let calls = &outcome.calls["get"];
            let is = calls.latency_ms.as_ref().expect("calls are answered").max / 1e3;
            assert!(slowest.contains(&is) && calls.failed == 0, "{then} on {runtime}: {is} s, {} failed", calls.failed);
        }
    }
}

/// Errors of calls under `observe`: of layer 4 an answer of whatever status is none.
#[test]
fn statuses_are_errors_of_layer_7_only() {
    let more = "[fleets.f]\ncount = 4\nworkers = 64\nhealth = \"shallow\"\ncalls.get = { work = \"5ms\" }\n\
                bad = { servers = 1, takes = \"1ms\" }\n";
    for (layer, is_out) in [("layer7", true), ("layer4", false)] {
        let balancer = format!(
            "preset = \"haproxy\"\nidle_timeout = \"20s\"\nhealth = {{ preset = \"haproxy\", enabled = true, \
             observe = {{ layer = \"{layer}\", on_error = \"mark-down\" }} }}"
        );
        for (runtime, outcome) in both(&world("100/s", &balancer, more)) {
            assert_eq!(outcome.rotation.downs["f-1"] > 0, is_out, "{layer} on {runtime}");
        }
    }
}

/// Before the first call a fleet is checked rarely: a server that dies is missed later.
#[test]
fn a_fleet_without_traffic_is_checked_rarely() {
    let more = "[fleets.f]\ncount = 2\nhealth = \"shallow\"\nrestart = { delay = \"10min\" }\ncalls.get = { work = \"5ms\" }\n\
                [[timeline]]\nat = \"2s\"\ndo = \"crash\"\nfleet = \"f\"\nservers = 1\n";
    for (rarely, missed) in [("\"20s\"", 10.0..22.0), ("\"none\"", 0.0..2.5)] {
        let health = format!(
            "health = {{ preset = \"envoy\", enabled = true, fall = 1, merge_window = \"none\", no_traffic_interval = {rarely} }}"
        );
        let quiet = load_text(
            "quiet.toml",
            &format!(
                "brownout = 1\ntitle = \"quiet\"\nspan = \"40s\"\nstep = \"1s\"\n[clients.c]\nsends = \"get\"\nrate = \"5/s\"\n\
                 profile = [[\"0s\", 0.0], [\"29s\", 0.0], [\"30s\", 1.0]]\n[balancer]\npreset = \"envoy\"\n{health}\n{more}"
            ),
            Path::new("."),
            &[],
            &[],
        );
        for (runtime, outcome) in both(&quiet.unwrap_or_else(|m| panic!("{m}"))) {
            let first = outcome.rotation.first_ejection_s.unwrap_or(40.0);
            assert!(missed.contains(&first), "{rarely} on {runtime}: {first}");
        }
    }
}
