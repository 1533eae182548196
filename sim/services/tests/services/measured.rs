//! The rows measured on real proxies (facts of `tests/measured.rs`), on the services: measured, kernel, madsim.
//!
//! Tolerances are those of the kernel's test: 0.02 where a cell is nothing or everything, else the larger of 0.03 and 2.5
//! standard deviations, but 0.06 at most; the first ejection within 1 s or two standard deviations (that of nginx is 5.7 s under some
//! seeds and 8 s under others; the measurement is one); servers in rotation within 20% or 0.3; how often
//! a server left within 20% or 1. The means are over five seeds here, for the time that they take.

use crate::support::{Figure, kernel, madsim, scenario};
use brownout_models::units::Ns;
use brownout_sim::outcome::Outcome;
use rayon::prelude::*;

/// Scenario; failed, never stored, first ejection in seconds, mean of six up, downs per server.
type Row = (&'static str, f64, f64, Option<f64>, f64, f64);

const ROWS: [Row; 10] = [
    ("shared-shallow-hang", 0.8585, 0.3855, Some(7.1), 2.66, 4.0),
    ("shared-deep-hang", 0.948, 0.906, Some(4.6), 0.51, 1.0),
    ("shared-shallow-refuse", 0.0, 0.0, None, 6.0, 0.0),
    ("bulkhead-shallow-hang", 0.0, 0.0, None, 6.0, 0.0),
    ("bulkhead-deep-refuse", 0.951, 0.951, Some(2.1), 0.2, 1.0),
    ("backlog-16-hang", 0.757, 0.480, Some(7.2), 3.5, 5.5),
    ("crash-refuse", 0.747, 0.748, Some(2.6), 3.68, 11.8),
    ("maxconn-8-hang", 0.479, 0.479, None, 6.0, 0.0),
    ("nginx-shared-hang", 0.816, 0.505, Some(5.5), 2.19, 4.2),
    ("envoy-bulkhead-deep-hang", 0.0, 0.0, Some(1.0), 0.08, 1.0),
];
const SEEDS: u64 = 5;

struct Means {
    failed: Figure,
    never: Figure,
    ejection: Option<Figure>,
    up: f64,
    downs: f64,
}

fn means(outcomes: &[Outcome]) -> Means {
    let over = |figure: &dyn Fn(&Outcome) -> f64| Figure::of(outcomes.iter().map(figure));
    let ejections: Vec<f64> = outcomes.iter().filter_map(|o| o.rotation.first_ejection_s).collect();
    Means {
        failed: over(&|o| o.calls["track"].failed_rate),
        never: over(&|o| o.calls["track"].dropped_rate),
        ejection: (ejections.len() == outcomes.len()).then(|| Figure::of(ejections.into_iter())),
        up: over(&|o| o.rotation.mean_in_rotation).mean,
        downs: over(&|o| o.rotation.mean_downs).mean,
    }
}

#[test]
fn every_measured_row_is_reproduced_by_the_services() {
    let runs: Vec<(usize, u64)> = (0..ROWS.len()).flat_map(|row| (1..=SEEDS).map(move |seed| (row, seed))).collect();
    let outcomes: Vec<(Outcome, Outcome)> = runs
        .par_iter()
        .map(|(row, seed)| {
            let scenario = scenario(&format!("measured/{}.toml", ROWS[*row].0), &[], &[]);
            (kernel(&scenario, *seed), madsim(&scenario, *seed, Ns::ZERO))
        })
        .collect();
    let mut off = Vec::new();
    println!(
        "\n{:<25} {:^24} {:^24} {:^21}  {:^18}  {:^18}",
        "", "failed", "never stored", "first ejection s", "up of 6", "downs/server"
    );
    println!("{:<25} {}", "row: measured kernel madsim", "");
    for (row, runs) in ROWS.iter().zip(outcomes.chunks(SEEDS as usize)) {
        let (name, failed, never, ejection, up, downs) = *row;
        let (kernel, madsim): (Vec<Outcome>, Vec<Outcome>) = runs.iter().cloned().unzip();
        let (k, m) = (means(&kernel), means(&madsim));
        let seconds = |at: Option<f64>| at.map_or("none".into(), |s| format!("{s:.1}"));
        println!(
            "{name:<25} {failed:.3} {:.3} {:.3}±{:.3}  {never:.3} {:.3} {:.3}±{:.3}  {:>5} {:>5} {:>5}   {up:>5.2} {:>5.2} {:>5.2}   {downs:>4.1} {:>4.1} {:>4.1}",
            k.failed.mean,
            m.failed.mean,
            m.failed.deviation,
            k.never.mean,
            m.never.mean,
            m.never.deviation,
            seconds(ejection),
            seconds(k.ejection.map(|e| e.mean)),
            seconds(m.ejection.map(|e| e.mean)),
            k.up,
            m.up,
            k.downs,
            m.downs,
        );
        let mut judge = |what: &str, measured: f64, is: f64, tolerance: f64| {
            if (is - measured).abs() > tolerance {
                off.push(format!("{name}: {what} {is:.3}, measured {measured:.3}, may differ by {tolerance:.3}"));
            }
        };
        let share = |measured: f64, figure: Figure| {
            if measured <= 0.02 || measured >= 0.98 { 0.02 } else { (2.5 * figure.deviation).clamp(0.03, 0.06) }
        };
        judge("failed", failed, m.failed.mean, share(failed, m.failed));
        judge("never stored", never, m.never.mean, share(never, m.never));
        judge("up", up, m.up, (0.2 * up).max(0.3));
        judge("downs", downs, m.downs, (0.2 * downs).max(1.0));
        match (ejection, m.ejection) {
            (Some(measured), Some(is)) => judge("first ejection", measured, is.mean, (2.0 * is.deviation).max(1.0)),
            (None, None) => {}
            (measured, is) => {
                off.push(format!("{name}: first ejection {:?}, measured {measured:?}", is.map(|e| e.mean)))
            }
        }
    }
    assert!(off.is_empty(), "too far from what was measured:\n{}", off.join("\n"));
}
