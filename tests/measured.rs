//! The model against real software: rows measured on HAProxy 2.6, nginx 1.22 and Envoy 1.40 before six collector processes and PostgreSQL.
//!
//! Each row is a scenario file under `scenarios/measured/`, replayed with the measured arrivals over twenty seeds; a
//! seed sets the phase of the health checks. What was measured stands in [`ROWS`]. Tolerances are what the noise of
//! the measurements allows:
//!
//! * failed and never stored, as shares of the track calls sent in the outage: where the measured cell is nothing or
//!   everything (up to 0.02, from 0.98) within 0.02; elsewhere within the larger of 0.03 and 2.5 standard deviations
//!   over the seeds, but 0.06 at most;
//! * the first ejection within 1 s, and none in any run where none was measured;
//! * servers in rotation, mean over the outage, within the larger of 20% and 0.3;
//! * how often a server left rotation, mean over the servers, within the larger of 20% and 1;
//! * from the repair until every server is up for good, within 1.5 s, one row apart: see [`SLOW_DRAIN`].
//!
//! A second table, [`RETRIES`], has rows in which a proxy tries again (`scenarios/measured/retries/`, three seeds): failed calls
//! within 0.02 of those measured, the slowest hundredth within 15%, calls executed twice within 20% or 10.
//!
//! A third, [`POOLS`], has a pool of connections that fast and slow queries share (`scenarios/measured/pools/`, three seeds): failed
//! calls within 0.08, what the steps of the load and their chance leave of so few slow calls.
//! A fifth, [`ESTATES`], has rows of two tiers of processes behind proxies, and of a cache before the database
//! (`scenarios/measured/estate/`, three seeds).
//!
//! A fourth, [`BAD_SERVER`], has rows in which one server answers errors (`scenarios/measured/bad-server/`, three seeds): failed calls
//! within 0.02.
//!
//! A fourth, [`CONNECTIONS`], has connections that the server closes first (`scenarios/measured/connections/`, twenty seeds): within 0.01.
//!
//! `cargo test --test measured -- --nocapture` prints the tables.

mod support;

use brownout::sim::outcome::Outcome;
use rayon::prelude::*;
use std::fmt::Write;
use std::path::Path;
use support::{outcome, scenario};

const SEEDS: std::ops::RangeInclusive<u64> = 1..=20;

/// A measured row.
struct Row {
    /// The scenario: `scenarios/measured/<name>.toml`.
    name: &'static str,
    /// Share of track calls whose client got no 2xx in two seconds.
    failed: f64,
    /// Share of track calls that no collector ever executed.
    never_stored: f64,
    /// Seconds from the fault to the first collector out of rotation.
    first_ejection: Option<f64>,
    /// Collectors in rotation, mean over the outage.
    up: f64,
    /// How often a collector left rotation, mean over the collectors.
    downs: f64,
    /// Seconds from the repair (the end of the fault) until every collector was up for good.
    all_up: f64,
}

/// When the repair was, in seconds of the run.
const REPAIR: f64 = 80.0;

/// The row whose collectors come back later than within tolerance. In its measurement the connections opened 0.4 s, 0.5 s
/// and 0.85 s after the repair were all answered 2.2 s after it, at once: PostgreSQL took 9 ms for each of the 245 dead
/// connections before them, on a machine that ran everything (within the range that the file states; 2 ms is what it took
/// elsewhere). So the checks begun 1.5 s after the repair still ran into their 0.8 s, and each such failure costs Envoy 1.8 s.
const SLOW_DRAIN: &str = "envoy-bulkhead-deep-hang";

const fn row(
    name: &'static str,
    failed: f64,
    never_stored: f64,
    first_ejection: Option<f64>,
    up: f64,
    downs: f64,
    all_up: f64,
) -> Row {
    Row { name, failed, never_stored, first_ejection, up, downs, all_up }
}

const ROWS: [Row; 10] = [
    // Measured twice: .858, .373, 6.8 s and .859, .398, 7.4 s.
    row("shared-shallow-hang", 0.8585, 0.3855, Some(7.1), 2.66, 4.0, 3.3),
    row("shared-deep-hang", 0.948, 0.906, Some(4.6), 0.51, 1.0, 2.9),
    row("shared-shallow-refuse", 0.0, 0.0, None, 6.0, 0.0, 0.0),
    row("bulkhead-shallow-hang", 0.0, 0.0, None, 6.0, 0.0, 0.0),
    row("bulkhead-deep-refuse", 0.951, 0.951, Some(2.1), 0.2, 1.0, 2.0),
    row("backlog-16-hang", 0.757, 0.480, Some(7.2), 3.5, 5.5, 4.4),
    row("crash-refuse", 0.747, 0.748, Some(2.6), 3.68, 11.8, 2.8),
    row("maxconn-8-hang", 0.479, 0.479, None, 6.0, 0.0, 0.0),
    row("nginx-shared-hang", 0.816, 0.505, Some(5.5), 2.19, 4.2, 10.5),
    row("envoy-bulkhead-deep-hang", 0.0, 0.0, Some(1.0), 0.08, 1.0, 4.4),
];

/// A figure over the seeds.
#[derive(Clone, Copy)]
struct Simulated {
    mean: f64,
    deviation: f64,
}

impl Simulated {
    fn of(figures: &[f64]) -> Simulated {
        let n = figures.len() as f64;
        let mean = figures.iter().sum::<f64>() / n;
        let squares: f64 = figures.iter().map(|x| (x - mean) * (x - mean)).sum();
        Simulated { mean, deviation: (squares / (n - 1.0)).sqrt() }
    }

    fn over(outcomes: &[Outcome], figure: impl Fn(&Outcome) -> f64) -> Simulated {
        Simulated::of(&outcomes.iter().map(figure).collect::<Vec<_>>())
    }

    /// How far a share may lie from the measured one.
    fn share_tolerance(self, measured: f64) -> f64 {
        let all_or_nothing = measured <= 0.02 || measured >= 0.98;
        if all_or_nothing { 0.02 } else { (2.5 * self.deviation).clamp(0.03, 0.06) }
    }
}

/// Seconds from the repair until every collector is up for good; as long as the run goes on where one never is.
fn all_up(outcome: &Outcome) -> f64 {
    let changes = outcome.rotation.changes_s.values();
    let is_down = |changes: &Vec<f64>| changes.len() % 2 == 1;
    if changes.clone().any(is_down) {
        return outcome.span.length_s - REPAIR;
    }
    changes.flatten().fold(0.0, |last, at| f64::max(last, at - REPAIR))
}

/// Compares a row with its runs: a line of the table, and what is too far off.
fn compare(row: &Row, outcomes: &[Outcome]) -> (String, Vec<String>) {
    let mut off = Vec::new();
    let mut judge = |what: &str, measured: f64, simulated: f64, tolerance: f64| {
        if (simulated - measured).abs() > tolerance {
            let name = row.name;
            off.push(format!("{name}: {what} {simulated:.3}, measured {measured:.3}, may differ by {tolerance:.3}"));
        }
    };
    let failed = Simulated::over(outcomes, |o| o.calls["track"].failed_rate);
    judge("failed", row.failed, failed.mean, failed.share_tolerance(row.failed));
    let never = Simulated::over(outcomes, |o| o.calls["track"].dropped_rate);
    judge("never stored", row.never_stored, never.mean, never.share_tolerance(row.never_stored));
    let up = Simulated::over(outcomes, |o| o.rotation.mean_in_rotation);
    judge("servers in rotation", row.up, up.mean, (0.2 * row.up).max(0.3));
    let downs = Simulated::over(outcomes, |o| o.rotation.mean_downs);
    judge("downs per server", row.downs, downs.mean, (0.2 * row.downs).max(1.0));

    let all_up = Simulated::over(outcomes, all_up);
    let slow = row.name == SLOW_DRAIN;
    judge("all up after the repair", row.all_up, all_up.mean, if slow { 3.0 } else { 1.5 });

    let ejections: Vec<f64> = outcomes.iter().filter_map(|o| o.rotation.first_ejection_s).collect();
    let everywhere = ejections.len() == outcomes.len();
    let ejection = if ejections.is_empty() { None } else { Some(Simulated::of(&ejections).mean) };
    match (row.first_ejection, ejection) {
        (Some(measured), Some(simulated)) if everywhere => judge("first ejection", measured, simulated, 1.0),
        (None, None) => {}
        (measured, _) => off.push(format!(
            "{}: first ejection measured {measured:?}, simulated in {} of {} runs",
            row.name,
            ejections.len(),
            outcomes.len()
        )),
    }
    let seconds = |at: Option<f64>| at.map_or("none".into(), |s| format!("{s:.1}"));
    let line = format!(
        "{:<22}  {:>5.3}  {:>5.3} ±{:>5.3}  {:>5.3}  {:>5.3} ±{:>5.3}  {:>5}  {:>5}  {:>5.2}  {:>5.2}  {:>5.1}  {:>5.1}  {:>4.1}  {:>4.1} ±{:>3.1}",
        row.name,
        row.failed,
        failed.mean,
        failed.deviation,
        row.never_stored,
        never.mean,
        never.deviation,
        seconds(row.first_ejection),
        seconds(ejection),
        row.up,
        up.mean,
        row.downs,
        downs.mean,
        row.all_up,
        all_up.mean,
        all_up.deviation,
    );
    (line, off)
}

#[test]
fn every_measured_row_is_reproduced() {
    let runs: Vec<(usize, u64)> = (0..ROWS.len()).flat_map(|row| SEEDS.map(move |seed| (row, seed))).collect();
    let scenarios: Vec<_> = ROWS.iter().map(|r| scenario(&format!("measured/{}.toml", r.name), &[], &[])).collect();
    let outcomes: Vec<Outcome> = runs.par_iter().map(|(row, seed)| outcome(&scenarios[*row], *seed)).collect();
    let per_row = outcomes.chunks(outcomes.len() / ROWS.len());

    let mut table = String::from(
        "\n                        failed                never stored          first ejection s  mean up of 6  downs/server  all up s\n\
         case                    meas.  simulated      meas.  simulated      meas.   sim.  meas.   sim.  meas.   sim.  meas.  sim.\n",
    );
    let mut off = Vec::new();
    for (row, outcomes) in ROWS.iter().zip(per_row) {
        let (line, found) = compare(row, outcomes);
        let _ = writeln!(table, "{line}");
        off.extend(found);
    }
    println!("{table}");
    assert!(off.is_empty(), "too far from what was measured:\n{}\n{table}", off.join("\n"));
}

/// A measured row of a server that is bad alone: the scenario, and the share of gets that fail.
const BAD_SERVER: [(&str, f64); 2] = [("envoy-random-5xx", 0.2233), ("haproxy-least-requests", 0.2632)];

#[test]
fn every_measured_row_of_a_bad_server_is_reproduced() {
    for (name, measured) in BAD_SERVER {
        let scenario = scenario(&format!("measured/bad-server/{name}.toml"), &[], &[]);
        let shares = (1..=3).map(|seed| {
            let outcome = outcome(&scenario, seed);
            let phase = outcome.phases.calls["get"].iter().find(|phase| phase.from_s == 20.0).unwrap();
            phase.failed as f64 / phase.offered as f64
        });
        let is = shares.sum::<f64>() / 3.0;
        println!("{name:<26} measured {measured:.3} simulated {is:.3}");
        assert!((is - measured).abs() < 0.02, "{name}: {is:.3}, measured {measured:.3}");
    }
}

/// A measured row of a proxy that tries again: the scenario; of each kind the share that fails; p99 of the good answers to
/// gets in ms; posts executed twice.
type Retried = (&'static str, f64, f64, f64, f64);

const RETRIES: [Retried; 3] = [
    ("envoy-random-dead", 0.257, 0.251, 32.3, 0.0),
    ("nginx-read-timeout", 0.0, 0.027, 2006.1, 0.0),
    ("haproxy-response-timeout", 0.0, 0.0, 1008.5, 193.0),
];

#[test]
fn every_measured_row_of_retries_is_reproduced() {
    let mut off = Vec::new();
    for (name, get, post, p99, twice) in RETRIES {
        let scenario = scenario(&format!("measured/retries/{name}.toml"), &[], &[]);
        let outcomes: Vec<Outcome> = (1..=3).map(|seed| outcome(&scenario, seed)).collect();
        let mean = |figure: &dyn Fn(&Outcome) -> f64| outcomes.iter().map(figure).sum::<f64>() / outcomes.len() as f64;
        let phase = |o: &Outcome, kind: &str| {
            let phases = &o.phases;
            phases.calls[kind].iter().find(|phase| phase.from_s == 20.0).unwrap().clone()
        };
        let failed = |kind: &str| mean(&|o| phase(o, kind).failed as f64 / phase(o, kind).offered as f64);
        for (what, is, measured, within) in [
            ("get failed", failed("get"), get, 0.02),
            ("post failed", failed("post"), post, 0.02),
            ("get p99 ms", mean(&|o| phase(o, "get").latency_ms.as_ref().unwrap().p99), p99, 0.15 * p99),
            ("posts twice", mean(&|o| o.calls["post"].duplicates as f64), twice, (0.2 * twice).max(10.0)),
        ] {
            println!("{name:<26} {what:<12} measured {measured:>8.3} simulated {is:>8.3}");
            if (is - measured).abs() > within {
                off.push(format!("{name}: {what} {is:.3}, measured {measured:.3}, may differ by {within:.3}"));
            }
        }
    }
    assert!(off.is_empty(), "too far from what was measured:\n{}", off.join("\n"));
}

/// A measured row of a pool: the scenario; of each kind the share that fails; how far it may be off.
type Pooled = (&'static str, f64, f64, f64);

const POOLS: [Pooled; 1] = [("shared-by-slow-queries", 0.180, 0.222, 0.08)];

/// A measured row of kept connections: the scenario; of each kind the share that fails; how far it may be off.
const CONNECTIONS: [Pooled; 1] = [("nginx-server-closes-first", 0.0, 0.026, 0.01)];

#[test]
fn every_measured_row_of_connections_is_reproduced() {
    let mut off = Vec::new();
    for (name, get, post, within) in CONNECTIONS {
        let scenario = scenario(&format!("measured/connections/{name}.toml"), &[], &[]);
        let outcomes: Vec<Outcome> = SEEDS.map(|seed| outcome(&scenario, seed)).collect();
        for (kind, measured) in [("get", get), ("post", post)] {
            let is = Simulated::over(&outcomes, |o| o.calls[kind].failed_rate).mean;
            println!("{name:<26} {kind:<12} measured {measured:>8.3} simulated {is:>8.3}");
            if (is - measured).abs() > within {
                off.push(format!("{name}: {kind} {is:.3}, measured {measured:.3}, may differ by {within:.3}"));
            }
        }
    }
    assert!(off.is_empty(), "too far from what was measured:\n{}", off.join("\n"));
}

#[test]
fn every_measured_row_of_pools_is_reproduced() {
    let mut off = Vec::new();
    for (name, fast, slow, within) in POOLS {
        let scenario = scenario(&format!("measured/pools/{name}.toml"), &[], &[]);
        let outcomes: Vec<Outcome> = (1..=3).map(|seed| outcome(&scenario, seed)).collect();
        for (kind, measured) in [("fast", fast), ("slow", slow)] {
            let is = Simulated::over(&outcomes, |o| o.calls[kind].failed_rate).mean;
            println!("{name:<26} {kind:<12} measured {measured:>8.3} simulated {is:>8.3}");
            if (is - measured).abs() > within {
                off.push(format!("{name}: {kind} {is:.3}, measured {measured:.3}, may differ by {within:.3}"));
            }
        }
    }
    assert!(off.is_empty(), "too far from what was measured:\n{}", off.join("\n"));
}

/// A figure of a run.
type FigureOf = fn(&Outcome) -> f64;

/// Figures of a row: what, how it is read, what was measured, how far off it may be.
type Figures = &'static [(&'static str, FigureOf, f64, f64)];

/// A measured row of an estate: the scenario, and of each figure what was measured, and how far off the mean over the seeds
/// may be.
const ESTATES: [(&str, Figures); 4] = [
    (
        "retries-multiply",
        &[
            ("local failed", |o| o.calls["local"].failed_rate, 0.0, 0.02),
            ("deep failed", |o| o.calls["deep"].failed_rate, 0.998, 0.02),
            ("executions at the back", |o| tries(o) / o.calls["deep"].offered as f64, 8.982, 0.1),
        ],
    ),
    (
        // Measured twice: .494 and .530 of local, .726 and .756 of deep calls; then all, for a minute.
        "overload-stays",
        &[
            ("local failed", |o| o.calls["local"].failed_rate, 0.512, 0.06),
            ("deep failed", |o| o.calls["deep"].failed_rate, 0.741, 0.06),
            ("local failed in the last half minute", |o| failed_between(o, "local", 70, 100), 1.0, 0.02),
            ("deep failed in the last half minute", |o| failed_between(o, "deep", 70, 100), 1.0, 0.02),
        ],
    ),
    (
        "cache-dead",
        &[
            ("read failed", |o| o.calls["read"].failed_rate, 0.973, 0.03),
            ("other failed", |o| o.calls["other"].failed_rate, 0.947, 0.03),
            ("read failed after it", |o| failed_between(o, "read", 60, 90), 0.155, 0.03),
            ("read failed from 10 s after it on", |o| failed_between(o, "read", 70, 90), 0.0, 0.01),
        ],
    ),
    (
        "hot-key",
        &[
            ("read failed", |o| o.calls["read"].failed_rate, 0.0136, 0.01),
            ("other failed", |o| o.calls["other"].failed_rate, 0.0, 0.01),
            ("read p99 ms", |o| o.calls["read"].latency_ms.map_or(0.0, |latency| latency.p99), 3600.0, 400.0),
            // Five herds in 90 s, of some 55 queries each; one without the late queries' new time would come each 11 s.
            ("queries", |o| o.stores["db"].queries as f64, 5.0 * 55.0, 60.0),
        ],
    ),
];

/// Tries of the asks from the front at the back.
fn tries(outcome: &Outcome) -> f64 {
    outcome.edges.iter().find(|edge| edge.callee == "back").map_or(0.0, |edge| edge.window.tries as f64)
}

/// Share of the calls of a kind that failed, of those offered from this second to that.
fn failed_between(outcome: &Outcome, kind: &str, from: usize, to: usize) -> f64 {
    let steps = || outcome.timeline.steps[from..to].iter().map(|step| &step.calls[kind]);
    steps().map(|calls| calls.failed).sum::<u64>() as f64 / steps().map(|calls| calls.offered).sum::<u64>() as f64
}

#[test]
fn every_measured_row_of_estates_is_reproduced() {
    let mut off = Vec::new();
    for (name, figures) in ESTATES {
        let scenario = scenario(&format!("measured/estate/{name}.toml"), &[], &[]);
        let outcomes: Vec<Outcome> = (1..=3_u64).into_par_iter().map(|seed| outcome(&scenario, seed)).collect();
        for (what, figure, measured, within) in figures {
            let is = outcomes.iter().map(figure).sum::<f64>() / outcomes.len() as f64;
            println!("{name:<18} {what:<38} measured {measured:>8.3} simulated {is:>8.3}");
            if (is - measured).abs() > *within {
                off.push(format!("{name}: {what} {is:.3}, measured {measured:.3}, may differ by {within:.3}"));
            }
        }
    }
    assert!(off.is_empty(), "too far from what was measured:\n{}", off.join("\n"));
}

#[test]
fn every_file_of_measured_rows_is_in_the_table() {
    let tables = [
        ("measured", ROWS.iter().map(|row| row.name).collect::<Vec<&str>>()),
        ("measured/retries", RETRIES.iter().map(|row| row.0).collect()),
        ("measured/connections", CONNECTIONS.iter().map(|row| row.0).collect()),
        ("measured/pools", POOLS.iter().map(|row| row.0).collect()),
        ("measured/bad-server", BAD_SERVER.iter().map(|row| row.0).collect()),
        ("measured/estate", ESTATES.iter().map(|row| row.0).collect()),
    ];
    for (folder, mut rows) in tables {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(folder);
        let mut files: Vec<String> = std::fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|e| e == "toml"))
            .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        files.sort();
        rows.sort_unstable();
        assert_eq!(files, rows, "left: scenarios/{folder}/*.toml, right: the table of this test");
    }
}
