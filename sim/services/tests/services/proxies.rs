//! What proxies do about servers that are bad alone, and about too much: on both runtimes.

use crate::support::{kernel, madsim, scenario};
use brownout_models::units::Ns;
use brownout_scenarios::{Scenario, load_text};
use brownout_sim::outcome::Outcome;
use std::path::Path;

/// Half a minute of gets at a rate, of which the first ten seconds are not looked at.
fn world(rate: &str, balancer: &str, more: &str) -> Scenario {
    let text = format!(
        "brownout = 1\ntitle = \"proxies\"\nspan = \"40s\"\nstep = \"1s\"\n\
         window = {{ from = \"10s\", to = \"40s\" }}\n\
         [clients.c]\nsends = \"get\"\nrate = \"{rate}\"\ntimeout = \"30s\"\n\
         [balancer]\nhealth.enabled = false\n{balancer}\n{more}\n"
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
