//! The retry arithmetic of the SRE book and the Builders' Library, in the scenarios of `scenarios/guidance/`.

use crate::support::{outcome, scenario};
use brownout::models::units::Ns;
use brownout::sim::orders;
use brownout::sim::run::Run;

/// Queries to the store for each call, in a steady state in which it fails all of them.
fn queries_per_call(layers: &str, set: &[&str]) -> f64 {
    let scenario = scenario("guidance/layered-retries.toml", &[&format!("layers={layers}")], set);
    let mut run = Run::new(&scenario.plan, orders(&scenario, 1));
    let (mut queries, mut offered) = (Vec::new(), Vec::new());
    while run.step().unwrap_or_else(|imbalance| panic!("{imbalance}")).is_none() {
        queries.push(run.world().stores[0].queries);
        offered.push(run.ledger().offered());
    }
    // A second's queries are not those of that second's calls, but as many as theirs.
    let over = |of: &[u64]| (of[109] - of[59]) as f64;
    over(&queries) / over(&offered)
}

#[test]
fn three_retries_at_each_of_three_layers_are_sixty_four_attempts() {
    for (layers, expected) in [("without", 1.0), ("one", 4.0), ("two", 16.0), ("three", 64.0)] {
        let found = queries_per_call(layers, &[]);
        assert!((found - expected).abs() < 0.01 * expected, "{layers}: {found} queries for each call, not {expected}");
    }
}

/// Five layers of three attempts put 3^5 = 243 times the load on the last. The model has three layers: each multiplies.
#[test]
fn three_attempts_at_each_layer_multiply_by_three_with_each() {
    let two_retries =
        ["clients.callers.retry.retries=2", "balancer.retries=2", "fleets.frontends.calls.call.retry_at_most=2"];
    for (layers, set, expected) in
        [("one", &two_retries[..1], 3.0), ("two", &two_retries[..2], 9.0), ("three", &two_retries[..], 27.0)]
    {
        let found = queries_per_call(layers, set);
        assert!((found - expected).abs() < 0.01 * expected, "{layers}: {found} queries for each call, not {expected}");
    }
}

/// Attempts and refusals in each second.
fn each_second(design: &str) -> Vec<(u64, u64)> {
    let scenario = scenario("guidance/retries-at-capacity.toml", &[design], &[]);
    let mut run = Run::new(&scenario.plan, orders(&scenario, 1));
    let (mut out, mut before) = (Vec::new(), (0, 0));
    loop {
        let ended = run.step().unwrap_or_else(|imbalance| panic!("{imbalance}"));
        let so_far = run.ledger().over(0, Ns::ZERO, Ns::NEVER);
        let now = (so_far.attempts, so_far.stored);
        let (attempts, served) = (now.0 - before.0, now.1 - before.1);
        before = now;
        out.push((attempts, attempts.saturating_sub(served)));
        if ended.is_some() {
            return out;
        }
    }
}

#[test]
fn naive_retries_against_a_fixed_capacity_grow_by_the_excess_every_second() {
    let seconds = each_second("retries=naive");
    // 10,100, then 100, 200, 300 ... more: what was refused in the second before comes on top. The ten retries of the
    // first calls are used up after ten seconds.
    for (second, (attempts, refused)) in seconds.iter().enumerate().skip(1).take(9) {
        let retries = *attempts as i64 - 10_100;
        let expected = 100 * second as i64;
        assert!((retries - expected).abs() <= 30, "second {second}: {retries} retries, not {expected}");
        assert!((*refused as i64 - expected - 100).abs() <= 60, "second {second}: {refused} refused");
    }
    for (second, (attempts, refused)) in each_second("retries=without").iter().enumerate().skip(1) {
        assert!(attempts.abs_diff(10_100) <= 1 && refused.abs_diff(100) <= 20, "second {second}: {attempts} {refused}");
    }
}

#[test]
fn a_budget_of_a_tenth_bounds_the_load_to_one_and_a_tenth() {
    let amplification = |design: &str| {
        let calls = &outcome(&scenario("guidance/retry-budget.toml", &[design], &[]), 1).calls["call"];
        calls.attempts as f64 / calls.offered as f64
    };
    let (without, tenth, sdk) =
        (amplification("budget=unlimited"), amplification("budget=tenth"), amplification("budget=aws-sdk"));
    assert!((2.8..3.0).contains(&without), "just under three times without: {without}");
    assert!((1.09..=1.101).contains(&tenth), "1.1 times with a budget of a tenth: {tenth}");
    assert!((1.0..tenth).contains(&sdk), "less where only successes fill it: {sdk}");
}
