//! When the first server is out of rotation: too much a matter of chance for the table of `differential`, so that here its
//! whole distribution is compared, over many seeds.

use crate::support::{Figure, kernel, madsim, scenario};
use rayon::prelude::*;

const SEEDS: u64 = 16;

#[test]
fn in_a_crash_loop_the_first_ejection_is_spread_alike() {
    let runs: Vec<(f64, f64)> = (1..=SEEDS)
        .into_par_iter()
        .map(|seed| {
            let mut scenario = scenario("october-28.toml", &[], &[]);
            scenario.scale(0.25, "25%").unwrap();
            let (from, _) = scenario.excerpt("11:45..11:48").unwrap();
            let first = |outcome: brownout_sim::outcome::Outcome| {
                outcome.rotation.first_ejection_s.unwrap_or_else(|| panic!("seed {seed}: nobody was ejected"))
            };
            (first(kernel(&scenario, seed)), first(madsim(&scenario, seed, from)))
        })
        .collect();
    let k = Figure::of(runs.iter().map(|run| run.0));
    let m = Figure::of(runs.iter().map(|run| run.1));
    // The same ejection by the same check: both carry the same arrivals, and the checks have the same times.
    let same = runs.iter().filter(|(k, m)| (k - m).abs() < 0.001).count();
    println!(
        "first ejection: kernel {:.1} ± {:.1} s, madsim {:.1} ± {:.1} s, the same under {same} of {SEEDS} seeds",
        k.mean, k.deviation, m.mean, m.deviation
    );
    let error = ((k.deviation * k.deviation + m.deviation * m.deviation) / SEEDS as f64).sqrt();
    assert!((k.mean - m.mean).abs() < 2.5 * error, "{} and {}, standard error {error}", k.mean, m.mean);
    assert!(k.deviation < 2.0 * m.deviation && m.deviation < 2.0 * k.deviation, "{} and {}", k.deviation, m.deviation);
    assert!(same * 6 > SEEDS as usize, "the same under {same} seeds");
}
