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
        "span = '600s'\nstep = '10s'\nclients.c = {{ sends = 'call', rate = '50/s', timeout = '2s' }}\nbalancer.retries = 0\n\
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
        over(alive, "102s", "600s"),
        over("fleets.f.crashes >= 0", "61s", "62.5s"),
        over("fleets.f.crashes >= 0", "62.5s", "600s"),
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
        "span = '120s'\nclients.c = {{ sends = 'call', rate = '100/s' }}\nbalancer.preset = 'envoy'\n\
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
