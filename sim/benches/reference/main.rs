//! Speed: the reference workload, against the event loop that one would otherwise write by hand.
//!
//! `cargo bench -p brownout-sim --bench reference` runs `scenarios/reference-mmc.toml` with everything a user
//! gets (ledger, digest, latencies, outcome), and in turn with it a plain loop over [`std::collections::BinaryHeap`]
//! that simulates the same clients, balancer and servers and computes one number, the mean latency. Both must
//! find 11.21 ms. CPU time is the process's own, so that what else runs on the machine matters little; the
//! ratio is taken pair by pair, so that a change of the processor's speed matters little too.
//!
//! `-- --pairs 15` changes the number of pairs, `-- --calls 100000` their length (then the mean is not checked).

mod plain;

use brownout_scenarios::{Request, Scenario, load};
use cpu_time::ProcessTime;
use std::path::Path;

/// On what six other simulators agree.
const MEAN_MS: f64 = 11.21;
const TOLERANCE: f64 = 0.005;

/// What one run cost and found.
struct Sample {
    ns_per_call: f64,
    mean_ms: f64,
}

fn main() {
    let (pairs, calls) = (argument("--pairs").unwrap_or(9), argument("--calls").unwrap_or(1_000_000));
    let scenario = reference(calls);
    // One of each beforehand: memory from the system, code into the cache.
    check(&brownout(&scenario, 1), &plain_loop(calls, 1), calls);
    let mut rows = Vec::new();
    println!("{calls} calls per run; CPU ns per call\n");
    println!(
        "{:>5} {:>10} {:>12} {:>7} {:>12} {:>12}",
        "seed", "brownout", "binary heap", "ratio", "mean ms", "mean ms"
    );
    for seed in 1..=pairs {
        let (ours, theirs) = (brownout(&scenario, seed), plain_loop(calls, seed));
        check(&ours, &theirs, calls);
        let ratio = ours.ns_per_call / theirs.ns_per_call;
        let (a, b) = (ours.ns_per_call, theirs.ns_per_call);
        println!("{seed:>5} {a:>10.1} {b:>12.1} {ratio:>7.3} {:>12.4} {:>12.4}", ours.mean_ms, theirs.mean_ms);
        rows.push([a, b, ratio]);
    }
    println!();
    for (i, name) in ["brownout", "binary heap", "ratio"].iter().enumerate() {
        let [least, median, most] = spread(rows.iter().map(|r| r[i]).collect());
        println!("{name:>12}: median {median:.3} (min {least:.3}, max {most:.3})");
    }
    if let Some(peak) = peak_memory() {
        println!("{:>12}: {peak}", "peak memory");
    }
}

/// The number that follows a word on the command line.
fn argument(name: &str) -> Option<u64> {
    let mut rest = std::env::args().skip_while(|a| a != name);
    rest.next()?;
    rest.next()?.replace('_', "").parse().ok()
}

fn reference(calls: u64) -> Scenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/reference-mmc.toml");
    let set = [format!("clients.callers.calls={calls}")];
    load(&Request { path: &path, set: &set, design: &[] }).unwrap_or_else(|e| panic!("{}", e.render(false)))
}

fn brownout(scenario: &Scenario, seed: u64) -> Sample {
    let begun = ProcessTime::now();
    let outcome = brownout_sim::simulate(scenario, seed, None, &mut |_| ()).unwrap_or_else(|e| panic!("{e}"));
    let totals = &outcome.calls["call"];
    let ns_per_call = begun.elapsed().as_nanos() as f64 / totals.offered as f64;
    Sample { ns_per_call, mean_ms: totals.latency_mean_ms.unwrap_or(f64::NAN) }
}

fn plain_loop(calls: u64, seed: u64) -> Sample {
    let begun = ProcessTime::now();
    let mean_ms = plain::mean_latency_ms(calls, seed);
    Sample { ns_per_call: begun.elapsed().as_nanos() as f64 / calls as f64, mean_ms }
}

fn check(ours: &Sample, theirs: &Sample, calls: u64) {
    for mean in [ours.mean_ms, theirs.mean_ms] {
        let agrees = (mean / MEAN_MS - 1.0).abs() < TOLERANCE;
        assert!(agrees || calls < 1_000_000, "a mean latency of {mean} ms, not {MEAN_MS}: not the same workload");
    }
}

/// Least, median and most.
fn spread(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [values[0], values[values.len() / 2], values[values.len() - 1]]
}

/// The most memory that this process has had, where the system says so.
fn peak_memory() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    Some(format!("{} (both together)", line.trim()))
}
