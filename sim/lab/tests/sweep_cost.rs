//! What a sweep costs beside its runs, as `docs/sweeps.md` has it:
//! `cargo test --release -p brownout-lab --test sweep_cost -- --ignored --nocapture`
#![cfg(target_os = "linux")]

use brownout_lab::sweep::work::Worker;
use brownout_lab::sweep::{Plan, merge, plan};
use brownout_models::units::Ns;
use brownout_scenarios::{Request, load};
use brownout_sim::run::Run;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// Two seconds of a small world: four hundred calls.
const SMALL: &str = r#"
brownout = 1
title = "Small"
span = "2s"
step = "1s"
[clients.people]
sends = "track"
rate = "200/s"
[balancer]
[fleets.web]
count = 2
workers = 8
calls.track = { work = "1ms", asks = "orders" }
[stores.orders]
service = "2ms"
"#;
const RUNS: u64 = 100_000;

/// CPU time of this process in seconds, to a hundredth.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("procfs");
    let after = stat.rsplit_once(')').expect("a name").1;
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks: u64 = [11, 12].iter().map(|at| fields[*at].parse::<u64>().expect("a number")).sum();
    ticks as f64 / 100.0
}

/// The most memory that this process has had, in MiB.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("procfs");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a peak");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") / 1024
}

fn planned(file: &Path, folder: &Path, seeds: u64, shards: u64) -> Plan {
    let (none, sweeps) = (Vec::new(), ["fleets.web.workers=2,4,6,8,10".to_string()]);
    let ask = plan::Ask {
        path: file,
        set: &none,
        design: &none,
        axes: &none,
        sweeps: &sweeps,
        seeds,
        first_seed: 1,
        samples: 0,
        sample_seed: 0,
        ranges: &none,
        metrics: &none,
        shards: Some(shards),
        shard_time: Ns::secs(300),
        jobs: Some(1),
    };
    plan::make(&ask, folder, &AtomicBool::new(false)).expect("a plan").expect("nobody stops it").plan
}

#[test]
#[ignore = "half a minute, and only of interest in release"]
fn a_sweep_costs_little_beside_its_runs() {
    let here = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sweep-cost");
    let _ = std::fs::remove_dir_all(&here);
    std::fs::create_dir_all(&here).expect("a folder");
    let file = here.join("small.toml");
    std::fs::write(&file, SMALL).expect("written");
    let stop = AtomicBool::new(false);
    let work = |name: &str, seeds: u64, shards: u64| {
        let folder = here.join(name);
        planned(&file, &folder, seeds, shards);
        let begun = cpu_s();
        let worker = Worker::new(&folder, Some(1), false, &stop, &|_| {}).expect("a worker");
        assert_eq!(worker.all().expect("results").computed, shards);
        (cpu_s() - begun, folder)
    };
    work("tenth", RUNS / 50, 4);
    let memory_of_a_tenth = peak_mib();
    let (swept, folder) = work("all", RUNS / 5, 40);
    let memory = peak_mib();
    // The same runs without a sweep.
    let begun = cpu_s();
    for workers in ["2", "4", "6", "8", "10"] {
        let set = [format!("fleets.web.workers={workers}")];
        let scenario = load(&Request { path: &file, set: &set, design: &[] }).expect("a scenario");
        for seed in 1..=RUNS / 5 {
            let mut run = Run::new(&scenario.plan, brownout_sim::orders(&scenario, seed));
            run.finish(None, &mut |_| {}).expect("balanced books");
        }
    }
    let bare = cpu_s() - begun;
    let plan = Plan::open(&folder).expect("a plan");
    let begun = Instant::now();
    let status = merge::merge(&plan, &folder, &here.join("t.parquet"), &stop).expect("a table");
    let merged = begun.elapsed().as_secs_f64();
    assert!(status.is_complete());
    let each = |seconds: f64| seconds / RUNS as f64 * 1e6;
    let (run, over) = (each(bare), each(swept - bare));
    println!(
        "{RUNS} runs: {run:.1} us of CPU each, {over:.1} us more in a sweep ({:.1}%); peak {memory_of_a_tenth} MiB after a \
         tenth, {memory} MiB after all; merged in {merged:.2} s, {:.1} million rows a minute",
        over / run * 100.0,
        RUNS as f64 / merged * 60.0 / 1e6
    );
    assert!(over < 0.05 * run + 50.0, "{over} us");
    assert!(memory < memory_of_a_tenth + 64, "memory grows");
    assert!(RUNS as f64 / merged > 1e6 / 60.0, "the merge is slow");
}
