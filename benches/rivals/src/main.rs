//! The reference workload on what else one could pick, run in turn with Brownout.
//!
//! `cargo run --release` in this folder builds the command, then runs each of them as a process of its own: the brownout
//! command, a loop over `std::collections::BinaryHeap`, nexosim, tokio with paused time, madsim tasks, and SimPy where
//! `python3` has it. For each it prints the CPU time of the whole process per call, its ratio to Brownout's, round by round,
//! and the peak memory; and it fails unless all found the same mean latency.
//!
//! `-- --rounds 5` changes the number of rounds, `--calls` and `--slow-calls` their length: for the first two, and for the
//! others, which take so much longer.

mod fleet;
mod models;
#[path = "../../../sim/benches/reference/plain.rs"]
mod plain;
mod tasks;

use fleet::Answer;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use wait4::Wait4;

/// On what all agree. [ms]
const MEAN_MS: f64 = 11.21;
/// How far a mean over a million calls may be off: three standard errors.
const TOLERANCE: f64 = 0.005;

/// One process and what it cost.
struct Sample {
    ns_per_call: f64,
    peak_mib: f64,
    mean_ms: f64,
}

struct Rival {
    name: &'static str,
    calls: u64,
    samples: Vec<Sample>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [one, calls, seed] = &arguments[..]
        && let (Ok(calls), Ok(seed)) = (calls.parse(), seed.parse())
    {
        return run_one(one, calls, seed);
    }
    match compare(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

/// One rival, in a process of its own.
fn run_one(name: &str, calls: u64, seed: u64) -> ExitCode {
    let answer = match name {
        "binary-heap" => Answer { answered: calls, mean_ms: plain::mean_latency_ms(calls, seed) },
        "nexosim" => models::nexosim(calls, seed),
        "tokio" => tasks::tokio(calls, seed),
        #[cfg(madsim)]
        "madsim" => tasks::madsim(calls, seed),
        _ => {
            eprintln!("error: no rival {name}");
            return ExitCode::FAILURE;
        }
    };
    println!("{} {}", answer.answered, answer.mean_ms);
    ExitCode::SUCCESS
}

fn compare(arguments: &[String]) -> Result<(), String> {
    let number = |name: &str, default| {
        let at = arguments.iter().position(|a| a == name);
        at.and_then(|at| arguments.get(at + 1)?.replace('_', "").parse().ok()).unwrap_or(default)
    };
    let rounds: u64 = number("--rounds", 3);
    let (calls, slow) = (number("--calls", 1_000_000), number("--slow-calls", 200_000));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let brownout = build_brownout(&root)?;
    let mut rivals: Vec<Rival> = [("brownout", calls), ("binary-heap", calls), ("nexosim", slow), ("tokio", slow)]
        .into_iter()
        .chain(cfg!(madsim).then_some(("madsim", slow)))
        .chain(has_simpy().then_some(("simpy", slow)))
        .map(|(name, calls)| Rival { name, calls, samples: Vec::new() })
        .collect();
    for seed in 1..=rounds {
        for rival in &mut rivals {
            let sample = run(rival, seed, &brownout, &root)?;
            let tolerance = TOLERANCE * (1e6 / rival.calls as f64).sqrt().max(1.0);
            if (sample.mean_ms / MEAN_MS - 1.0).abs() > tolerance {
                return Err(format!("{} finds {} ms, not {MEAN_MS}: not the same fleet", rival.name, sample.mean_ms));
            }
            rival.samples.push(sample);
        }
    }
    print_table(&rivals, rounds);
    Ok(())
}

fn build_brownout(root: &Path) -> Result<PathBuf, String> {
    let built = Command::new(env!("CARGO")).args(["build", "--release", "--locked"]).current_dir(root).status();
    match built {
        Ok(status) if status.success() => Ok(root.join("target/release/brownout")),
        Ok(status) => Err(format!("the command did not build: {status}")),
        Err(why) => Err(format!("cargo does not start: {why}")),
    }
}

fn has_simpy() -> bool {
    let import = Command::new("python3").args(["-c", "import simpy"]).stderr(Stdio::null()).status();
    let found = import.is_ok_and(|status| status.success());
    if !found {
        println!("SimPy is left out: python3 has none (pip install simpy)\n");
    }
    found
}

/// Runs one and waits for it; CPU time and memory are those that the system counted for the process.
fn run(rival: &Rival, seed: u64, brownout: &Path, root: &Path) -> Result<Sample, String> {
    let (calls, seed) = (rival.calls.to_string(), seed.to_string());
    let mut command = match rival.name {
        "brownout" => {
            let mut command = Command::new(brownout);
            command.arg("run").arg(root.join("scenarios/reference-mmc.toml")).args(["--json", "--seed", &seed]);
            command.args(["--set", &format!("clients.callers.calls={calls}")]);
            command
        }
        "simpy" => {
            let mut command = Command::new("python3");
            command.arg(root.join("benches/rivals/fleet.py")).args([&calls, &seed]);
            command
        }
        other => {
            let mut command = Command::new(std::env::current_exe().map_err(|e| e.to_string())?);
            command.args([other, &calls, &seed]);
            command
        }
    };
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|e| format!("{}: {e}", rival.name))?;
    let mut out = String::new();
    if let Some(pipe) = &mut child.stdout {
        std::io::Read::read_to_string(pipe, &mut out).map_err(|e| e.to_string())?;
    }
    let ended = child.wait4().map_err(|e| e.to_string())?;
    if !ended.status.success() {
        return Err(format!("{} failed: {}", rival.name, ended.status));
    }
    let (answered, mean_ms) = answer(rival.name, &out).ok_or_else(|| format!("{} said: {out}", rival.name))?;
    if answered != rival.calls {
        return Err(format!("{} answered {answered} calls of {}", rival.name, rival.calls));
    }
    let cpu = ended.rusage.utime + ended.rusage.stime;
    let peak_mib = ended.rusage.maxrss as f64 / 1_048_576.0;
    Ok(Sample { ns_per_call: cpu.as_nanos() as f64 / rival.calls as f64, peak_mib, mean_ms })
}

/// Calls answered and their mean latency.
fn answer(name: &str, out: &str) -> Option<(u64, f64)> {
    if name == "brownout" {
        let outcome: serde_json::Value = serde_json::from_str(out).ok()?;
        let calls = &outcome["calls"]["call"];
        return Some((calls["ok"].as_u64()?, calls["latency_mean_ms"].as_f64()?));
    }
    let (answered, mean) = out.trim().split_once(' ')?;
    Some((answered.parse().ok()?, mean.parse().ok()?))
}

fn print_table(rivals: &[Rival], rounds: u64) {
    let Some(ours) = rivals.first() else { return };
    println!("{rounds} rounds; CPU time of the whole process per call, median (least to most)\n");
    println!(
        "{:>12} {:>10} {:>26} {:>26} {:>9} {:>9}",
        "", "calls", "ns per call", "times brownout's", "peak MiB", "mean ms"
    );
    for rival in rivals {
        let cost = spread(rival.samples.iter().map(|s| s.ns_per_call));
        let pairs = rival.samples.iter().zip(&ours.samples);
        let ratio = spread(pairs.map(|(theirs, ours)| theirs.ns_per_call / ours.ns_per_call));
        let peak = spread(rival.samples.iter().map(|s| s.peak_mib))[1];
        let mean = rival.samples.iter().map(|s| s.mean_ms).sum::<f64>() / rival.samples.len() as f64;
        println!(
            "{:>12} {:>10} {:>26} {:>26} {peak:>9.1} {mean:>9.3}",
            rival.name,
            rival.calls,
            format!("{:.0} ({:.0} to {:.0})", cost[1], cost[0], cost[2]),
            format!("{:.2} ({:.2} to {:.2})", ratio[1], ratio[0], ratio[2]),
        );
    }
    if let Some(heap) = rivals.iter().find(|r| r.name == "binary-heap") {
        let pairs = ours.samples.iter().zip(&heap.samples);
        let [least, median, most] = spread(pairs.map(|(ours, heap)| ours.ns_per_call / heap.ns_per_call));
        println!("\nbrownout takes {median:.3} of the plain BinaryHeap loop ({least:.3} to {most:.3})");
    }
}

/// Least, median and most.
fn spread(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    [values[0], values[values.len() / 2], values[values.len() - 1]]
}
