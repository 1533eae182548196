//! Determinism is a promise: the same scenario, seed and version give the same facts in the same order, on any machine,
//! in debug and release.
//!
//! `tests/golden/digests.txt` pins the digest of every fact of a run for the scenarios of the catalogue. A line is a
//! digest, a seed, a design (`-`: as written) and a scenario file. The numbers must be the same in every build: `cargo
//! test` compares them in this one (dev, optimised and with overflow checks, or `--release`; the test prints which),
//! `.ci/run` compares the release command with them too. Only a change of the model's behaviour may change them:
//! `BROWNOUT_BLESS=1 cargo test --test determinism` writes them anew.
//!
//! Under one seed, designs also share their dice: the same calls arrive at the same times, and each brings the same
//! work wherever it is routed.

#[path = "support/afternoon.rs"]
mod afternoon;
mod support;

use afternoon::afternoon;
use brownout::models::kernel::Fact;
use brownout::models::random::{Distribution, Purpose};
use brownout::models::units::Ns;
use brownout::scenarios::{Scenario, load_text};
use brownout::sim::run::Ended;
use brownout::sim::run::{Orders, Run};
use brownout::sim::{Compared, Twins, difference, orders};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;
use support::{outcome, scenario};

#[test]
fn a_second_run_records_the_same_facts() {
    let scenario = scenario("degradation/hang.toml", &[], &[]);
    assert_eq!(outcome(&scenario, 3).digest, outcome(&scenario, 3).digest);
    assert_ne!(outcome(&scenario, 3).digest, outcome(&scenario, 4).digest, "the digest sees no seed");
    let found = difference(&mut Twins::new(&scenario, (3, 3)), None).unwrap_or_else(|imbalance| panic!("{imbalance}"));
    assert_eq!(found, Compared::Same(Ended::Complete));
}

#[test]
fn the_first_difference_between_two_runs_is_named_with_its_time() {
    let scenario = scenario("degradation/hang.toml", &[], &[]);
    let found = difference(&mut Twins::new(&scenario, (3, 4)), None).unwrap_or_else(|imbalance| panic!("{imbalance}"));
    let Compared::Different(found) = found else { panic!("two seeds differ: {found:?}") };
    // "in the step from 0s to 600ms: the first run has Attempt(...) at 29ms, the second Attempt(...) at 31ms"
    let (step, facts) = found.split_once(": the first run has ").expect(&found);
    assert_eq!(step, "in the step from 0s to 600ms");
    let (mine, theirs) = facts.split_once(", the second ").expect(&found);
    for fact in [mine, theirs] {
        let (what, at) = fact.rsplit_once(" at ").expect(&found);
        assert!(what.starts_with("Attempt(Account {"), "{found}");
        assert!(brownout::models::units::parse_duration(at).is_ok(), "{found}");
    }
    assert_ne!(mine, theirs);
}

/// What is pinned: seed, design and scenario file.
const PINNED: [(u64, &str, &str); 52] = [
    (1, "-", "october-28.toml"),
    (1, "pool-exhaustion", "october-28.toml"),
    (1, "memory-growth", "october-28.toml"),
    (1, "pool-exhaustion,isolation=handled-bulkhead,deep-panic", "october-28.toml"),
    (1, "pool-exhaustion,spool-memory,outlier", "october-28.toml"),
    (1, "crash-loop,spool-memory,health=cached", "october-28.toml"),
    (1, "memory-growth,separate-fleets,health=deep", "october-28.toml"),
    (1, "memory-growth,hot-spare,fail-open", "october-28.toml"),
    (1, "breaker,shallow,log-replay", "october-28.toml"),
    (1, "pool-exhaustion,adaptive-limit,client-retry-budget", "october-28.toml"),
    (1, "replacement,offline-queue", "october-28.toml"),
    (1, "-", "reference-mmc.toml"),
    (1, "-", "bad-instance.toml"),
    (1, "balancing=least-requests,ejection=outlier", "bad-instance.toml"),
    (1, "-", "degradation/error.toml"),
    (2, "-", "degradation/error.toml"),
    (1, "-", "degradation/hang.toml"),
    (2, "-", "degradation/hang.toml"),
    (3, "-", "degradation/hang.toml"),
    (1, "-", "degradation/refuse.toml"),
    (2, "-", "degradation/refuse.toml"),
    (1, "-", "degradation/refuse-writes.toml"),
    (1, "-", "degradation/sever.toml"),
    (2, "-", "degradation/sever.toml"),
    (1, "-", "degradation/slow.toml"),
    (2, "-", "degradation/slow.toml"),
    (1, "-", "measured/backlog-16-hang.toml"),
    (1, "-", "measured/bad-server/envoy-random-5xx.toml"),
    (1, "-", "measured/bad-server/haproxy-least-requests.toml"),
    (1, "-", "measured/bulkhead-deep-refuse.toml"),
    (1, "-", "measured/bulkhead-shallow-hang.toml"),
    (1, "-", "measured/connections/nginx-server-closes-first.toml"),
    (1, "-", "measured/crash-refuse.toml"),
    (1, "-", "measured/envoy-bulkhead-deep-hang.toml"),
    (1, "-", "measured/maxconn-8-hang.toml"),
    (1, "-", "measured/nginx-shared-hang.toml"),
    (1, "-", "measured/pools/shared-by-slow-queries.toml"),
    (1, "-", "measured/retries/envoy-random-dead.toml"),
    (1, "-", "measured/retries/haproxy-response-timeout.toml"),
    (1, "-", "measured/retries/nginx-read-timeout.toml"),
    (1, "-", "measured/shared-deep-hang.toml"),
    (1, "-", "measured/shared-shallow-hang.toml"),
    (2, "-", "measured/shared-shallow-hang.toml"),
    (1, "-", "measured/shared-shallow-refuse.toml"),
    (1, "-", "measured/estate/cache-dead.toml"),
    (1, "-", "measured/estate/hot-key.toml"),
    (1, "-", "measured/estate/overload-stays.toml"),
    (1, "-", "measured/estate/retries-multiply.toml"),
    (1, "-", "estate/flush-at-load.toml"),
    (1, "-", "estate/overload-that-stays.toml"),
    (1, "-", "estate/retries-through-hops.toml"),
    (1, "-", "estate/shop.toml"),
];

#[test]
fn digests_are_the_golden_ones() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/digests.txt");
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    println!("digests of the {profile} profile, against {}", path.display());
    let digests: Vec<String> = PINNED
        .par_iter()
        .with_max_len(1)
        .map(|(seed, design, file)| {
            let designs: Vec<&str> = if *design == "-" { Vec::new() } else { design.split(',').collect() };
            outcome(&scenario(file, &designs, &[]), *seed).digest
        })
        .collect();
    let mut is =
        String::from("# digest, seed, design, scenario; BROWNOUT_BLESS=1 cargo test --test determinism writes this\n");
    for ((seed, design, file), digest) in PINNED.iter().zip(digests) {
        let _ = writeln!(is, "{digest} {seed} {design} scenarios/{file}");
    }
    if std::env::var_os("BROWNOUT_BLESS").is_some() {
        std::fs::write(&path, &is).expect("tests/golden/ can be written");
        return;
    }
    let golden = std::fs::read_to_string(&path).expect("tests/golden/digests.txt is there");
    let golden: BTreeSet<&str> = golden.lines().collect();
    let new: Vec<&str> = is.lines().filter(|line| !golden.contains(line)).collect();
    assert!(
        new.is_empty() && golden.len() == is.lines().count(),
        "the {profile} build records other facts than tests/golden/digests.txt says, in {} of {} runs:\n{}\n\
         If the model was meant to change, `BROWNOUT_BLESS=1 cargo test --test determinism` takes these over. If not, \
         or if another profile agrees with the file, this is a bug.",
        new.len(),
        PINNED.len(),
        new.join("\n")
    );
}

#[test]
fn every_scenario_of_the_catalogue_is_pinned() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let is_scenario = |path: &Path| {
        path.extension().is_some_and(|e| e == "toml")
            && std::fs::read_to_string(path).is_ok_and(|text| text.starts_with("brownout = "))
    };
    let mut missing = Vec::new();
    for folder in ["", "degradation/", "measured/", "measured/bad-server/", "measured/pools/", "measured/retries/"] {
        for entry in std::fs::read_dir(root.join(folder)).expect("a folder of the catalogue") {
            let path = entry.expect("a readable entry").path();
            let name = format!("{folder}{}", path.file_name().map(|n| n.to_string_lossy()).unwrap_or_default());
            if is_scenario(&path) && !PINNED.iter().any(|(_, _, file)| *file == name) {
                missing.push(name);
            }
        }
    }
    assert!(missing.is_empty(), "no golden digest for {missing:?}");
}

/// Facts of a run, step by step, to its end.
fn facts(scenario: &Scenario, seed: u64, mut hear: impl FnMut(Ns, Fact)) {
    let mut run = Run::new(&scenario.plan, Orders { keep_facts: true, ..orders(scenario, seed) });
    loop {
        let ended = run.step().unwrap_or_else(|imbalance| panic!("{imbalance}"));
        for entry in run.ledger().kept.iter().flatten() {
            hear(entry.at, entry.fact);
        }
        if ended.is_some() {
            return;
        }
    }
}

/// Per population, its calls in the order in which they were offered: when the first attempt was on its way, and the
/// salt, from which everything random about a call follows.
fn calls(scenario: &Scenario, seed: u64) -> BTreeMap<u16, Vec<(Ns, u64)>> {
    let mut seen = BTreeSet::new();
    let mut calls: BTreeMap<u16, Vec<(Ns, u64)>> = BTreeMap::new();
    facts(scenario, seed, |at, fact| {
        if let Fact::Attempt(account) = fact
            && seen.insert((account.population, account.salt))
        {
            calls.entry(account.population).or_default().push((at, account.salt));
        }
    });
    calls
}

#[test]
fn under_one_seed_every_design_sees_the_same_calls() {
    let designs = [
        ["crash-loop", "isolation=shared", "health=shared"],
        ["crash-loop", "isolation=bulkhead", "health=shared"],
        ["pool-exhaustion", "isolation=shared", "health=shared"],
        ["pool-exhaustion", "isolation=bulkhead", "health=shallow"],
        ["memory-growth", "isolation=shared", "health=deep"],
    ];
    let runs: Vec<_> = designs.par_iter().map(|design| (design, calls(&afternoon("12:00", design, &[]), 5))).collect();
    let (_, first) = &runs[0];
    assert!(first.len() == 4 && first.values().all(|calls| calls.len() > 1000), "four populations call");
    for (design, calls) in &runs[1..] {
        for (population, expected) in first {
            let is = &calls[population];
            let differs = is.iter().zip(expected).find(|(a, b)| a != b);
            assert_eq!(differs, None, "{design:?}, population {population}: a call is not that of {:?}", designs[0]);
            assert_eq!(is.len(), expected.len(), "{design:?}, population {population}");
        }
    }
    let other = calls(&afternoon("12:00", &designs[0], &[]), 6);
    assert_ne!(first[&0][..100], other[&0][..100], "another seed brings other calls");
}

/// Plenty of room, so that a call's latency is its links' and its work.
const ROOMY: &str = "brownout = 1
title = 'room for everybody'
span = '60s'
[clients.callers]
sends = 'call'
rate = '100/s'
[network]
clients.latency = '1ms'
servers.latency = '500us'
[fleets.servers]
workers = 1000
calls.call.work = { lognormal = '4ms', sigma = 1.0 }
";

#[test]
fn a_calls_work_is_a_function_of_its_salt_wherever_it_is_routed() {
    let designs: [&[&str]; 4] = [
        &[],
        &["fleets.servers.count = 7", "balancer.algorithm = random"],
        &["fleets.servers.count = 3", "balancer.algorithm = two-choices", "balancer.health = none"],
        &["fleets.servers.concurrency = event-loop", "fleets.servers.cores = 1000"],
    ];
    let work = Distribution::Lognormal { median: Ns::millis(4), sigma: 1.0 };
    let mut latencies: Vec<BTreeMap<u64, Ns>> = Vec::new();
    for design in designs {
        let set: Vec<String> = design.iter().map(|s| s.to_string()).collect();
        let scenario = load_text("roomy.toml", ROOMY, Path::new("."), &set, &[])
            .unwrap_or_else(|mistakes| panic!("{}", mistakes.render(false)));
        let mut of = BTreeMap::new();
        facts(&scenario, 5, |_, fact| {
            if let Fact::Ok(account, latency) = fact {
                assert_eq!(latency.minus(Ns::millis(3)), work.sample(account.salt, Purpose::Work, 1), "{design:?}");
                of.insert(account.salt, latency);
            }
        });
        assert!(of.len() > 5000, "{design:?}: {} calls answered", of.len());
        latencies.push(of);
    }
    assert!(latencies.windows(2).all(|pair| pair[0] == pair[1]), "the same calls have other latencies");
}
