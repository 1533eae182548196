//! What products do about servers that fail, end to end and on both runtimes: each row is a small world, and what is right in
//! it by the product's source or manual.

use crate::support::{kernel, madsim};
use brownout_models::units::Ns;
use brownout_scenarios::{Scenario, load_text};
use brownout_sim::outcome::{Outcome, Standing};
use rayon::prelude::*;
use std::path::Path;

/// A minute of one population and one fleet `f` that needs no store, unless `more` says otherwise.
fn world(rate: &str, balancer: &str, more: &str) -> Scenario {
    let text = format!(
        "brownout = 1\ntitle = \"products\"\nspan = \"60s\"\nstep = \"1s\"\n\
         window = {{ from = \"20s\", to = \"60s\" }}\n\
         [clients.c]\nsends = \"call\"\nrate = \"{rate}\"\narrivals = \"constant\"\ntimeout = \"30s\"\n\
         [balancer]\n{balancer}\n{more}\n"
    );
    let loaded = load_text("products.toml", &text, Path::new("."), &[], &[]);
    loaded.unwrap_or_else(|mistakes| panic!("{}\n{text}", mistakes.render(false)))
}

/// The run on the kernel and that on madsim.
fn both(scenario: &Scenario) -> [(&'static str, Outcome); 2] {
    [("kernel", kernel(scenario, 1)), ("madsim", madsim(scenario, 1, Ns::ZERO))]
}

/// Every expectation of the world holds on both runtimes.
fn holds(what: &str, scenario: &Scenario) {
    for (runtime, outcome) in both(scenario) {
        assert!(!outcome.expectations.is_empty(), "{what} expects nothing");
        for verdict in &outcome.expectations {
            assert_eq!(verdict.standing, Standing::Holds, "{what} on {runtime}: {verdict:?}");
        }
    }
}

/// Two servers, one of which dies at 20 s and stays dead; the checks need four to six seconds to see it.
const ONE_DIES: &str = "[fleets.f]\ncount = 2\nworkers = 64\nhealth = \"shallow\"\nrestart = { delay = \"1h\" }\n\
    calls.call = { work = \"5ms\" }\n[[timeline]]\nat = \"20s\"\ndo = \"crash\"\nfleet = \"f\"\nservers = [\"f-1\"]\n";

/// Share of the calls in the window that fail, with one of two hosts dead and no health checks.
fn failing(balancer: &str) -> Vec<(&'static str, f64)> {
    let more = format!("health = \"none\"\n{ONE_DIES}");
    let scenario = world("100/s", &format!("preset = \"envoy\"\nretries_at_once = 1000\n{balancer}"), &more);
    both(&scenario).map(|(runtime, o)| (runtime, o.calls["call"].failed as f64 / 4000.0)).into()
}

#[test]
fn envoys_retries_draw_a_host_again_after_a_pause() {
    // Each draw is the dead one with 1/2; a host that was tried is drawn anew so often, then taken all the same.
    let random =
        |retries: u32, redraws: u32| format!("algorithm = \"random\"\nretries = {retries}\nredraws = {redraws}");
    let mut rows = vec![(random(0, 0), 0.5), (random(1, 0), 0.25), (random(2, 0), 0.125), (random(3, 0), 0.0625)];
    rows.extend([(random(1, 1), 0.125), (random(1, 3), 0.03125)]);
    // Round robin has one counter for first tries and retries. A call comes every 10 ms and pauses for up to 25 ms, so
    // with 0.4 its retry comes before the next call, takes the live host, and leaves the dead one to that. The rest is an
    // independent simulation of the counter (0.229).
    rows.push(("algorithm = \"round-robin\"\nretries = 1".into(), round_robin(10.0, 25.0)));
    for (balancer, should_be) in rows {
        for (runtime, is) in failing(&balancer) {
            // Four standard errors of 4,000 calls, and the calls at the edges of the window.
            let within = 4.0 * (should_be * (1.0 - should_be) / 4000.0_f64).sqrt() + 0.005;
            assert!((is - should_be).abs() < within, "{balancer} on {runtime}: {is:.4}, right is {should_be:.4}");
        }
    }
}

/// The share of calls that fail with one retry: one counter of round robin over a live and a dead host, a call every `every`
/// milliseconds, pauses uniform below `pause`; nothing of it is shared with the model.
fn round_robin(every: f64, pause: f64) -> f64 {
    let (mut dice, mut picks, mut failed) = (0x2545_f491_4f6c_dd1d_u64, 0_u64, 0_u64);
    let mut retries: Vec<f64> = Vec::new();
    let calls = 400_000_u64;
    for call in 0..calls {
        let now = call as f64 * every;
        retries.sort_by(f64::total_cmp);
        let due = retries.partition_point(|at| *at < now);
        for _ in retries.drain(..due) {
            failed += u64::from(picks % 2 == 0);
            picks += 1;
        }
        if picks % 2 == 0 {
            // xorshift64*
            dice ^= dice >> 12;
            dice ^= dice << 25;
            dice ^= dice >> 27;
            let unit = (dice.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 53) as f64;
            retries.push(now + unit * pause);
        }
        picks += 1;
    }
    failed as f64 / calls as f64
}

#[test]
fn each_ask_of_each_attempt_meets_an_error_or_not_for_itself() {
    let world_of = |balancer: &str, clients: &str| {
        let more = format!(
            "[clients.c.retry]\n{clients}\n[fleets.f]\ncount = 2\nworkers = 64\nhealth = \"shallow\"\n\
             calls.call = {{ asks = \"db\" }}\n[stores.db]\nservice = \"1ms\"\n\
             [[timeline]]\nat = \"20s\"\ndo = \"error\"\nstore = \"db\"\nshare = \"50%\"\n"
        );
        world("50/s", &format!("preset = \"haproxy\"\nidle_timeout = \"1s\"\n{balancer}"), &more)
    };
    // 2,000 calls; each ask fails with a half.
    for (what, scenario, should_be) in [
        ("none", world_of("retries = 0", "retries = 0"), 0.5),
        ("the clients try again", world_of("retries = 0", "retries = 3\ndelay = \"1ms\""), 0.0625),
        ("the balancer does", world_of("retries = 2\nretry_statuses = [500]", "retries = 0"), 0.125),
        ("both do", world_of("retries = 1\nretry_statuses = [500]", "retries = 1\ndelay = \"1ms\""), 0.0625),
    ] {
        for (runtime, outcome) in both(&scenario) {
            let is = outcome.calls["call"].failed as f64 / 2000.0;
            let within = 4.0 * (should_be * (1.0 - should_be) / 2000.0_f64).sqrt();
            assert!((is - should_be).abs() < within, "{what} on {runtime}: {is:.4}, right is {should_be:.4}");
        }
    }
}

#[test]
fn what_is_not_answered_in_time_goes_on_where_the_product_says_so() {
    // One of three servers stands still for half a minute; a call that has reached it waits for 2 s.
    let stands = |calls: &str, more: &str| {
        format!(
            "[fleets.f]\ncount = 3\nworkers = 64\nhealth = \"shallow\"\ncalls.call = {{ work = \"5ms\"{calls} }}\n\
             {more}[[timeline]]\nat = \"20s\"\ndo = \"pause\"\nfleet = \"f\"\nservers = [\"f-1\"]\nfor = \"30s\"\n"
        )
    };
    let (reads, writes) = (stands("", ""), stands(", appends = \"log\"", "[stores.log]\n"));
    let expect = |condition: &str| format!("[[expect]]\nalways = \"{condition} over window\"\n");
    let nginx = "preset = \"nginx\"\nhealth = \"none\"\nidle_timeout = \"2s\"\nconnect_timeout = \"1s\"";
    let haproxy = "preset = \"haproxy\"\nhealth = \"none\"\nidle_timeout = \"2s\"\nconnect_timeout = \"1s\"\nredispatch = \"haproxy\"";
    let all_go_on =
        expect("call.failed <= 0") + &expect("call.latency_p99 > 2s") + &expect("call.latency_max < 2100ms");
    let rows = [
        ("nginx, calls that read", nginx.to_string(), &reads, all_go_on.clone()),
        ("nginx, calls that write", nginx.into(), &writes, expect("call.failed_rate > 10%")),
        (
            "nginx, non_idempotent",
            format!("{nginx}\nretry_on = [\"error\", \"timeout\", \"non_idempotent\"]"),
            &writes,
            all_go_on.clone(),
        ),
        (
            "nginx, not after proxy_next_upstream_timeout",
            format!("{nginx}\nretry_within = \"1s\""),
            &reads,
            expect("call.failed_rate > 10%"),
        ),
        ("HAProxy, as it comes", haproxy.into(), &writes, expect("call.failed_rate > 10%")),
        (
            "HAProxy, response-timeout",
            format!("{haproxy}\nretry_on = [\"conn-failure\", \"response-timeout\"]"),
            &writes,
            all_go_on,
        ),
        (
            "Envoy, no per-try timeout: the route timeout is over all tries",
            "preset = \"envoy\"\nhealth = \"none\"\nretries = 2\nretry_on = [\"5xx\"]\ncall_timeout = \"2s\"".into(),
            &reads,
            expect("call.failed_rate > 10%") + &expect("call.latency_max < 2100ms"),
        ),
    ];
    rows.into_par_iter().for_each(|(what, balancer, more, expects)| {
        holds(what, &world("20/s", &balancer, &format!("{more}{expects}")));
    });
}

#[test]
fn redispatch_is_what_haproxy_does() {
    let haproxy = "preset = \"haproxy\"\nconnect_timeout = \"5s\"";
    let expect = |condition: &str| format!("[[expect]]\nalways = \"{condition} over window\"\n");
    let rows = [
        // As it comes: retries go to the same dead server, a second apart, and the call fails after the third.
        ("as it comes", "", expect("call.failed_rate > 2%") + &expect("call.failed_rate < 10%")),
        (
            "with the option",
            "redispatch = \"haproxy\"",
            expect("call.failed <= 0") + &expect("call.latency_max < 100ms"),
        ),
        (
            "with the option, before 2.7",
            "redispatch = \"haproxy-before-2.7\"",
            expect("call.failed <= 0") + &expect("call.latency_max < 100ms"),
        ),
        (
            "under leastconn",
            "redispatch = \"haproxy\"\nalgorithm = \"least-requests\"",
            expect("call.failed <= 0") + &expect("call.latency_max < 100ms"),
        ),
        // Before 2.7 leastconn waited before each retry, and stayed where it was until the last.
        (
            "under leastconn, before 2.7",
            "redispatch = \"haproxy-before-2.7\"\nalgorithm = \"least-requests\"",
            expect("call.failed <= 0") + &expect("call.latency_max > 2900ms"),
        ),
        (
            "under leastconn, before 2.7, with an interval of 1",
            "redispatch = \"haproxy-before-2.7\"\nredispatch_interval = 1\nalgorithm = \"least-requests\"",
            expect("call.failed <= 0") + &expect("call.latency_max > 900ms") + &expect("call.latency_max < 1500ms"),
        ),
    ];
    rows.into_par_iter().for_each(|(what, balancer, expects)| {
        holds(what, &world("50/s", &format!("{haproxy}\n{balancer}"), &format!("{ONE_DIES}{expects}")));
    });
}

/// Three quarters succeed with one retry, seven eighths with two, of what comes after the death.
#[test]
fn a_retry_of_envoy_draws_a_host_again_and_may_draw_the_same() {
    for (retries, least, most) in [(1, 70, 80), (2, 83, 92)] {
        let balancer =
            format!("preset = \"envoy\"\nalgorithm = \"random\"\nretries = {retries}\nhealth.enabled = false");
        let expects = format!(
            "[[expect]]\nalways = \"call.success_rate > {least}% over window\"\n\
             [[expect]]\nalways = \"call.success_rate < {most}% over window\"\n"
        );
        holds(&format!("{retries} retries"), &world("40/s", &balancer, &format!("{ONE_DIES}{expects}")));
    }
}

/// 100 servers, of which all but the last are dead.
#[test]
fn nginx_tries_each_server_once_also_the_sixty_fifth() {
    let dead: Vec<String> = (1..100).map(|n| format!("\"f-{n}\"")).collect();
    let more = format!(
        "[fleets.f]\ncount = 100\nrestart = {{ delay = \"1h\" }}\ncalls.call = {{ work = \"1ms\" }}\n\
         [[timeline]]\nat = \"1s\"\ndo = \"crash\"\nfleet = \"f\"\nservers = [{}]\n\
         [[expect]]\nalways = \"call.failed <= 0\"\n",
        dead.join(", ")
    );
    let nginx = "preset = \"nginx\"\nhealth = { preset = \"nginx\", max_fails = { fails = 0 } }";
    holds("one of a hundred lives", &world("1/s", nginx, &more));
}

/// What clients see when the only server fails in each way.
#[test]
fn each_product_answers_with_its_own_status() {
    const REFUSES: &str = "calls.call = { work = \"1ms\" }\n[[timeline]]\nat = \"0s\"\ndo = \"crash\"\nfleet = \"f\"\n";
    const IS_CUT_OFF: &str = "calls.call = { work = \"1ms\" }\n[[timeline]]\nat = \"0s\"\ndo = \"partition\"\n\
        between = [\"balancer\", \"fleets.f\"]\n";
    const BREAKS: &str = "calls.call = { work = \"10s\" }\n[[timeline]]\nat = \"58s\"\ndo = \"crash\"\nfleet = \"f\"\n";
    const IS_SILENT: &str = "calls.call = { work = \"20s\" }\n";
    let rows = [
        ("haproxy", [REFUSES, IS_CUT_OFF, BREAKS, IS_SILENT], ["503", "503", "502", "504"]),
        ("classic-elb-2015", [REFUSES, IS_CUT_OFF, BREAKS, IS_SILENT], ["503", "503", "504", "504"]),
        ("alb", [REFUSES, IS_CUT_OFF, BREAKS, IS_SILENT], ["502", "504", "502", "504"]),
        ("envoy", [REFUSES, IS_CUT_OFF, BREAKS, IS_SILENT], ["503", "503", "503", "504"]),
        ("nginx", [REFUSES, IS_CUT_OFF, BREAKS, IS_SILENT], ["502", "504", "502", "504"]),
    ];
    rows.into_par_iter().for_each(|(preset, ways, statuses)| {
        for (way, status) in ways.into_iter().zip(statuses) {
            let idle = if way == IS_SILENT { "500ms" } else { "25s" };
            let balancer = format!(
                "preset = \"{preset}\"\nconnect_timeout = \"200ms\"\nidle_timeout = \"{idle}\"\nhealth.enabled = false"
            );
            let fleet = format!("[fleets.f]\ncount = 1\nworkers = 500\nrestart = {{ delay = \"1h\" }}\n{way}");
            // In the last two seconds, after which the dead server refuses, hardly anybody comes.
            let scenario = world("0.5/s", &balancer, &fleet);
            for (runtime, outcome) in both(&scenario) {
                let seen = &outcome.calls["call"].seen;
                let most = seen.iter().max_by_key(|(_, count)| **count).map(|(seen, _)| seen.as_str());
                assert_eq!(most, Some(status), "{preset} on {runtime}: {way}{seen:?}");
            }
        }
    });
}

/// Two servers back at different times: when one has a tenth of its share and the other half, the first gets a sixth of the
/// calls. It is slow, so that the mean latency tells its part: 17% of 100 ms, where leaving calls to chance gives 37%.
#[test]
fn slow_start_keeps_the_proportions_of_the_weights() {
    let more = "[fleets.f]\ncount = 2\nworkers = 500\nhealth = \"shallow\"\nrestart = { delay = \"500ms\" }\n\
        calls.call = { work = \"1ms\" }\n\
        [[timeline]]\nat = \"5s\"\ndo = \"crash\"\nfleet = \"f\"\nservers = [\"f-2\"]\n\
        [[timeline]]\nat = \"37s\"\ndo = \"crash\"\nfleet = \"f\"\nservers = [\"f-1\"]\n\
        [[timeline]]\nat = \"40s\"\ndo = \"gray-failure\"\nfleet = \"f\"\nservers = [\"f-1\"]\nfactor = 100.0\n\
        [[expect]]\nalways = \"call.latency_mean > 11ms\"\nover = { from = \"45s\", to = \"46s\" }\n\
        [[expect]]\nalways = \"call.latency_mean < 24ms\"\nover = { from = \"45s\", to = \"46s\" }\n";
    ["round-robin", "random"].into_par_iter().for_each(|algorithm| {
        let balancer = format!(
            "algorithm = \"{algorithm}\"\n\
             health = {{ interval = \"100ms\", timeout = \"100ms\", rise = 1, fall = 1, slow_start = \"80s\" }}"
        );
        holds(algorithm, &world("200/s", &balancer, more));
    });
}

/// A bound on the query ends a try in place; only the deadline over all ends the call.
#[test]
fn a_call_asks_again_after_the_bound_on_its_query() {
    let fleet = |plan: &str, failed: &str| {
        format!(
            "[fleets.f]\ncount = 1\nworkers = 64\ncalls.call = {{ work = \"1ms\", asks = \"db\", connect_timeout = \"1s\", query_timeout = \"1s\", {plan} }}\n\
             [stores.db]\n[[timeline]]\nat = \"20s\"\ndo = \"hang\"\nstore = \"db\"\nfor = \"5s\"\n\
             [[expect]]\nalways = \"call.failed {failed}\"\n"
        )
    };
    for (what, plan, failed) in [
        ("tries again", "timeout = \"20s\", on_error = \"retry\"", "<= 0"),
        ("until its deadline", "timeout = \"2s\", on_error = \"retry\"", ">= 2"),
        ("so often", "timeout = \"20s\", on_error = \"retry\", retry_at_most = 1", ">= 2"),
        ("fails", "timeout = \"20s\"", ">= 4"),
    ] {
        holds(what, &world("1/s", "health.enabled = false\nidle_timeout = \"none\"", &fleet(plan, failed)));
    }
}
