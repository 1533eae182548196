//! What happens between the ends of steps, at the very beginning and end of windows and faults, and who counts as failing
//! open: on both runtimes.

use brownout::models::units::Ns;
use brownout::scenarios::{Scenario, load_text};
use brownout::services::{Ask, HAS_MADSIM, Listener, on_madsim};
use brownout::sim::outcome::{Outcome, Verdict};
use brownout::sim::run::Orders;
use brownout::sim::{orders, simulate_as};
use std::path::Path;

fn scenario(text: &str) -> Scenario {
    let text = format!("brownout = 1\ntitle = 'at an edge'\n{text}");
    load_text("edges.toml", &text, Path::new("."), &[], &[]).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn outcome(scenario: &Scenario, step: u64) -> Outcome {
    let orders = Orders { step: Ns::secs(step), ..orders(scenario, 1) };
    simulate_as(scenario, orders, None, &mut |_| ()).expect("the ledger balances")
}

/// The outcome with steps of a second, ten and sixty; and that of the services.
fn outcomes(text: &str) -> Vec<(String, Outcome)> {
    let scenario = scenario(text);
    let mut all: Vec<_> =
        [1, 10, 60].map(|step| (format!("the kernel, steps of {step} s"), outcome(&scenario, step))).into();
    if HAS_MADSIM {
        let ask = Ask::new(orders(&scenario, 1));
        let of_services = on_madsim(&scenario, ask, &Listener { stop: None, progress: &|_| () });
        all.push(("the services".into(), of_services.expect("runs")));
    }
    all
}

/// The value that decided each expectation, from every run; they are the same up to a tolerance.
fn values(text: &str, expected: &[f64], tolerance: f64) {
    for (who, outcome) in outcomes(text) {
        let value = |verdict: &Verdict| verdict.value.unwrap_or_else(|| panic!("{who}: {verdict:?}"));
        let found: Vec<f64> = outcome.expectations.iter().map(value).collect();
        let near = found.len() == expected.len()
            && found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() <= tolerance);
        assert!(near, "{who}: {found:?}, not {expected:?}");
    }
}

/// The only server dies at 61 s and is back 40 s later: `more` is added to the end.
fn a_death_of_forty_seconds(more: &str) -> String {
    format!(
        "span = '200s'\nstep = '10s'\nclients.c = {{ sends = 'call', rate = '20/s', timeout = '2s' }}\nbalancer.retries = 0\n\
         [fleets.f]\ncount = 1\nrestart.delay = '40s'\ncalls.call = {{ work = '1ms' }}\n\
         [[timeline]]\nat = '61s'\ndo = 'crash'\nfleet = 'f'\n{more}"
    )
}

#[test]
fn a_fault_that_ends_within_a_step_has_its_recovery_looked_at_from_that_moment() {
    // Back at 101 s, in rotation after two checks that pass, 2 s apart.
    values(&a_death_of_forty_seconds("[[expect]]\nalways = 'call.recovery <= 10s'\n"), &[43.0], 1.1);
}

#[test]
fn nobody_lives_through_the_death_of_a_process() {
    let over = |condition: &str, from: &str, to: &str| {
        format!("[[expect]]\nalways = '{condition}'\nover = {{ from = '{from}', to = '{to}' }}\n")
    };
    let alive = "fleets.f.alive_min >= 0";
    let more = [
        over(alive, "0s", "61s"),
        over(alive, "60s", "62s"),
        over(alive, "61s", "101s"),
        over(alive, "65.5s", "66.5s"),
        over(alive, "102s", "200s"),
        over("fleets.f.crashes >= 0", "61s", "62.5s"),
        over("fleets.f.crashes >= 0", "62.5s", "200s"),
    ];
    values(&a_death_of_forty_seconds(&more.concat()), &[1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0], 0.0);
}

#[test]
fn a_balancer_that_never_fails_open_does_not_count_as_doing_so() {
    // nginx since 1.11.5 answers 502 until the time of a peer is up.
    values(
        "span = '60s'\nwindow = { from = '12s', to = '20s' }\nclients.c = { sends = 'call', rate = '50/s' }\n\
         balancer.preset = 'nginx'\n[fleets.f]\ncount = 2\nrestart.delay = '1h'\ncalls.call = { work = '1ms' }\n\
         [[timeline]]\nat = '10s'\ndo = 'crash'\nfleet = 'f'\n\
         [[expect]]\nalways = 'rotation.fail_open_share <= 0% over window'\n\
         [[expect]]\nalways = 'call.failed_rate >= 0% over window'\n",
        &[0.0, 1.0],
        0.0,
    );
}

/// Ten servers behind Envoy, of which operators hold out four; then `down` of the six others die.
fn envoy_without_four(down: u32) -> String {
    let dead: Vec<String> = (5..5 + down).map(|n| format!("'f-{n}'")).collect();
    format!(
        "span = '120s'\nclients.c = {{ sends = 'call', rate = '20/s' }}\nbalancer.preset = 'envoy'\n\
         [fleets.f]\ncount = 10\nhealth = 'shallow'\nrestart.delay = '1h'\ncalls.call = {{ work = '1ms' }}\n\
         [[timeline]]\nat = '5s'\ndo = 'take-down'\nfleet = 'f'\ncount = 4\n\
         [[timeline]]\nat = '10s'\ndo = 'crash'\nfleet = 'f'\nservers = [{}]\n\
         [[expect]]\nalways = 'rotation.fail_open_share <= 0%'\nover = {{ from = '75s', to = '110s' }}\n",
        dead.join(", ")
    )
}

#[test]
fn the_share_that_is_healthy_is_one_of_the_servers_that_operators_let_in() {
    // Exactly half: no panic. Below: panic.
    values(&envoy_without_four(3), &[0.0], 0.0);
    values(&envoy_without_four(4), &[1.0], 0.0);
}

#[test]
fn one_host_that_is_ejected_is_called_in_panic() {
    values(
        "span = '30s'\nclients.c = { sends = 'get', rate = '20/s' }\n\
         [balancer]\npreset = 'envoy'\nhealth = { preset = 'envoy', enabled = false, outlier = { preset = 'envoy', max_share = '100%' } }\n\
         [fleets.host]\ncalls.get = { work = '1ms', asks = 'broken' }\n[stores.broken]\n\
         [[timeline]]\nat = '0s'\ndo = 'error'\nstore = 'broken'\n\
         [[expect]]\nalways = 'rotation.fail_open_share > 95%'\nover = { from = '3s', to = '29s' }\n",
        &[1.0],
        0.0,
    );
}

#[test]
fn a_queue_that_fills_and_empties_within_a_step_is_seen() {
    // One worker stands still for two seconds of a step of a minute: 100 calls wait for it, most of them in the backlog.
    let text = "span = '60s'\nstep = '60s'\nclients.c = { sends = 'call', rate = '50/s', arrivals = 'constant', timeout = '10s' }\n\
         balancer.health.enabled = false\n[fleets.f]\ncount = 1\nworkers = 1\ncalls.call = { work = '1ms' }\n\
         [[timeline]]\nid = 'still'\nat = '20.5s'\ndo = 'pause'\nfleet = 'f'\nfor = '2s'\n\
         [[expect]]\nalways = 'fleets.f.accept_queue_max <= 0 during still'\n\
         [[expect]]\nalways = 'fleets.f.pending_max <= 0 during still'\n\
         [[expect]]\nalways = 'fleets.f.accept_queue_max <= 0 before still'\n";
    let found: Vec<_> = outcomes(text)
        .into_iter()
        .map(|(who, outcome)| (who, outcome.expectations.iter().map(|v| v.value).collect::<Vec<_>>()))
        .collect();
    for (who, values) in &found {
        let [Some(queued), Some(pending), Some(before)] = values[..] else { panic!("{who}: {values:?}") };
        assert!((97.0..=101.0).contains(&queued) && before <= 1.0, "{who}: {values:?}");
        let most = if who.contains("kernel") { 97.0..=102.0 } else { 0.0..=102.0 };
        assert!(most.contains(&pending), "{who}: {values:?}");
    }
    assert!(found[..3].windows(2).all(|pair| pair[0].1 == pair[1].1), "{found:?}");
}

#[test]
fn a_504_of_the_balancer_is_not_a_client_that_left() {
    // The only server stands still for 20 s; every client waits, and the balancer does not.
    for (looks, writes) in [(false, false), (true, false), (true, true)] {
        let text = format!(
            "span = '60s'\nclients.c = {{ sends = 'get', rate = '10/s', arrivals = 'constant', timeout = '50s' }}\n\
             stores.db = {{ service = '1ms' }}\n\
             [balancer]\npreset = 'haproxy'\nidle_timeout = '2s'\nhealth.enabled = false\n\
             [fleets.f]\ncount = 1\nbacklog = 1000\nnotices_departure = {looks}\n\
             calls.get = {{ work = '2ms', asks = 'db', writes = {writes} }}\n\
             [[timeline]]\nat = '10s'\ndo = 'pause'\nfleet = 'f'\nfor = '20s'\n"
        );
        for (who, outcome) in outcomes(&text) {
            let calls = &outcome.calls["get"];
            assert!(calls.seen.keys().eq(["504"]) && calls.failed > 150, "{who}: {calls:?}");
            let causes: Vec<&str> = calls.causes.keys().map(String::as_str).collect();
            // A write that its server makes after all is stored, unless the server sees that nobody waits for it.
            let dropped = !writes || looks;
            let expected: &[&str] = if dropped { &["balancer_timeout"] } else { &[] };
            assert!(causes == expected, "{who}, looks {looks}, writes {writes}: {calls:?}");
        }
    }
}

/// A run in which nothing is dropped or fails, and half of the calls take most of a minute.
fn a_minute_of_waiting() -> Outcome {
    outcome(
        &scenario(
            "span = '180s'\nclients.c = { sends = 'get', rate = '10/s', arrivals = 'constant', timeout = '5min' }\n\
             balancer = { idle_timeout = 'none', health = { enabled = false } }\n\
             [fleets.f]\ncount = 1\nworkers = 1000\nbacklog = 1000\ncalls.get = { work = '2ms' }\n\
             [[timeline]]\nat = '60s'\ndo = 'pause'\nfleet = 'f'\nfor = '60s'\n",
        ),
        60,
    )
}

#[test]
fn latencies_are_told_before_during_and_after() {
    let outcome = a_minute_of_waiting();
    let phases = &outcome.phases;
    assert_eq!((phases.of.as_str(), phases.from_s, phases.to_s), ("faults", Some(60.0), Some(120.0)));
    let [before, during, after] = &phases.calls["get"][..] else { panic!("{phases:?}") };
    assert!([before, during, after].iter().all(|phase| phase.offered == 600 && phase.failed + phase.dropped == 0));
    let near = |phase: &brownout::sim::outcome::Phase, p50: f64, p99: f64| {
        let latency = phase.latency_ms.expect("all are answered");
        (latency.p50 - p50).abs() <= 0.02 * p50 + 5.0 && (latency.p99 - p99).abs() <= 0.02 * p99 + 5.0
    };
    assert!(near(before, 2.0, 2.0) && near(during, 30_000.0, 59_400.0) && near(after, 2.0, 2.0), "{phases:?}");
}

#[test]
fn a_summary_of_calls_that_wait_a_minute_does_not_read_as_if_nothing_was_wrong() {
    use brownout::reports::terminal::{Style, run};
    let outcome = a_minute_of_waiting();
    for width in [60, 80, 120, 200] {
        let text = run(&outcome, &Style { width, ..Style::default() });
        assert!(
            text.lines().all(|line| line.chars().count() <= width || line.contains("brownout run")),
            "{width}: {text}"
        );
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("0% of get calls dropped, 0% failed"), "{width}: {text}");
        assert!(
            words.contains("answers took 30s in the median and 60s at the 99th percentile during the fault"),
            "{text}"
        );
        assert!(text.contains("30s / 60s"), "{width}: {text}");
    }
}

#[test]
fn times_of_rotation_count_from_what_the_sentence_says() {
    use brownout::reports::terminal::{Style, run};
    let outcome = outcome(
        &scenario(
            "span = '10min'\nclients.caller = { sends = 'get', rate = '20/s' }\nbalancer.preset = 'haproxy'\n\
             [fleets.api]\ncount = 4\ncalls.get = { work = '50ms' }\n\
             [[timeline]]\nat = '2min'\ndo = 'rolling-deploy'\nfleet = 'api'\n",
        ),
        1,
    );
    assert_eq!(outcome.rotation.first_ejection_s, Some(0.0));
    let back = outcome.rotation.all_up_after_s.expect("all servers are back");
    assert!((0.0..60.0).contains(&back), "{back}");
    let words = run(&outcome, &Style::default()).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("first server out 0 s after the first fault began"), "{words}");
    assert!(words.contains("after the last fault ended"), "{words}");
}
