//! Pools of connections to stores, and what they share: the same small worlds on both runtimes, and rows measured on real software.

use crate::support::{kernel, madsim, scenario};
use brownout_models::units::Ns;
use brownout_scenarios::{Scenario, load_text};
use brownout_sim::outcome::{Outcome, Standing};
use std::path::Path;

/// A world of these lines, over a minute.
fn world(lines: &str) -> Scenario {
    let text = format!(
        "brownout = 1\ntitle = \"pools\"\nspan = \"60s\"\nstep = \"1s\"\nwindow = {{ from = \"20s\", to = \"50s\" }}\n\
         balancer = {{ retries = 0, health = \"none\", idle_timeout = \"none\" }}\n{lines}\n"
    );
    let loaded = load_text("pools.toml", &text, Path::new("."), &[], &[]);
    loaded.unwrap_or_else(|mistakes| panic!("{}\n{text}", mistakes.render(false)))
}

/// The run on the kernel and that on madsim.
fn both(scenario: &Scenario) -> [(&'static str, Outcome); 2] {
    [("kernel", kernel(scenario, 1)), ("madsim", madsim(scenario, 1, Ns::ZERO))]
}

/// Every expectation of the world holds on both runtimes.
fn holds(scenario: &Scenario) {
    for (runtime, outcome) in both(scenario) {
        assert!(!outcome.expectations.is_empty(), "nothing is expected");
        for verdict in &outcome.expectations {
            assert_eq!(verdict.standing, Standing::Holds, "on {runtime}: {verdict:?}");
        }
    }
}

/// What must always hold.
fn expect(conditions: &[&str]) -> String {
    conditions.iter().map(|condition| format!("[[expect]]\nalways = \"{condition}\"\n")).collect()
}

#[test]
fn a_pool_shared_by_slow_queries_fails_as_measured() {
    let scenario = scenario("measured/pools/shared-by-slow-queries.toml", &[], &[]);
    for (runtime, o) in both(&scenario) {
        for (kind, measured) in [("fast", 0.180), ("slow", 0.222)] {
            let is = o.calls[kind].failed_rate;
            println!("{kind} on {runtime}: measured {measured:.3}, simulated {is:.3}");
            assert!((is - measured).abs() < 0.08, "{kind} on {runtime}: {is:.3}, measured {measured:.3}");
        }
    }
}

/// Reports of 30 s at 2/s, of which 60 are wanted at once, and lookups of 2 ms at 20/s, at a store that runs 50 queries.
fn reports(store: &str, conditions: &[&str]) -> Scenario {
    world(&format!(
        "clients.analysts = {{ sends = \"report\", rate = \"2/s\", timeout = \"2min\" }}\n\
         clients.users = {{ sends = \"lookup\", rate = \"20/s\", timeout = \"5s\" }}\n\
         fleets.bi = {{ workers = 1000, pools.pg.size = 1000, calls.report = {{ asks = \"pg\", service = \"30s\", timeout = \"2min\" }} }}\n\
         fleets.web = {{ workers = 1000, pools.pg.size = 1000, calls.lookup = {{ asks = \"pg\", timeout = \"1min\" }} }}\n\
         stores.pg = {{ service = \"2ms\", concurrency = 50{store} }}\n{}",
        expect(conditions)
    ))
}

#[test]
fn long_queries_starve_short_ones_unless_only_so_many_of_them_run() {
    // The 50th report comes after about 25 s, the first leaves after 30 s; then they leave as they come.
    holds(&reports("", &["lookup.failed_rate > 50% over window"]));
    holds(&reports(", at_most = { report = 40 }", &["lookup.failed = 0 over run"]));
    holds(&reports(", at_most = { report = \"80%\" }", &["lookup.failed = 0 over run"]));
}

/// Calls of 1 s at 20/s over a pool of ten, of which each waits up to a quarter of a second for a connection.
fn waiting(pool: &str, call: &str, conditions: &[&str]) -> Scenario {
    world(&format!(
        "clients.c = {{ sends = \"get\", rate = \"20/s\", timeout = \"30s\" }}\n\
         fleets.app = {{ workers = 200, pools.db = {{ {pool} }}, calls.get = {{ asks = \"db\"{call} }} }}\n\
         stores.db.service = \"1s\"\n{}",
        expect(conditions)
    ))
}

#[test]
fn a_bound_on_the_wait_fails_those_without_a_connection_and_not_those_whose_query_is_slow() {
    // Ten a second are served: a little less than half fail (HikariCP#1313: a pool with a wait of 250 ms).
    let about_half = ["get.failed_rate > 44% over window", "get.failed_rate < 52% over window"];
    holds(&waiting("size = 10, wait = \"250ms\"", "", &about_half));
    holds(&waiting("size = 10, wait = \"250ms\"", ", timeout = \"none\"", &about_half));
    // As a deadline over all it fails every one.
    holds(&waiting("size = 10", ", timeout = \"250ms\"", &["get.failed_rate = 100% over window"]));
    // Nobody may wait: Erlang's loss formula, B(20, 10) = 0.538.
    holds(&waiting(
        "size = 10, queue = 0",
        "",
        &["get.failed_rate > 49% over window", "get.failed_rate < 59% over window"],
    ));
}

#[test]
fn a_pool_of_their_own_keeps_slow_queries_from_the_fast_ones() {
    // Six connections in all; slow queries of 2 s want ten.
    let pools = |pools: &str, pool: &str, conditions: &[&str]| {
        world(&format!(
            "clients.fast = {{ sends = \"fast\", rate = \"60/s\", timeout = \"6s\" }}\n\
             clients.slow = {{ sends = \"slow\", rate = \"5/s\", timeout = \"6s\" }}\n\
             fleets.app = {{ workers = 300, pools = {{ {pools} }}, calls.fast = {{ asks = \"db\", service = \"1ms\" }}, \
             calls.slow = {{ asks = \"db\", service = \"2s\"{pool} }} }}\nstores.db = {{}}\n{}",
            expect(conditions)
        ))
    };
    let shared = ["fast.failed_rate > 10% over window", "slow.failed_rate > 20% over window"];
    holds(&pools("db = { size = 6, wait = \"1s\" }", "", &shared));
    // Two connections serve one slow query a second, of five.
    let split = "db = { size = 4, wait = \"1s\" }, slow = { store = \"db\", size = 2, wait = \"1s\", status = 503 }";
    let apart =
        ["fast.failed = 0 over run", "slow.failed_rate > 75% over window", "slow.failed_rate < 85% over window"];
    holds(&pools(split, ", pool = \"slow\"", &apart));
}
