//! Against published tables, against `statrs`, and by counting experiments of which the truth is known.

use super::*;
use rand::Rng;
use rand_pcg::Pcg64Mcg;
use statrs::distribution::{Beta, Binomial, ContinuousCDF, DiscreteCDF, StudentsT};

fn near(is: f64, should: f64, within: f64) {
    assert!((is - should).abs() <= within, "{is} is not {should} within {within}");
}

/// NIST/SEMATECH e-Handbook of Statistical Methods, table 1.3.6.7.2, and the far tail from R's `qt`.
#[test]
fn quantiles_are_those_of_the_tables() {
    for (df, t) in [(1, 12.706), (2, 4.303), (4, 2.776), (7, 2.365), (9, 2.262), (19, 2.093), (30, 2.042), (99, 1.984)]
    {
        near(t_quantile(0.05, df), t, 5e-4);
    }
    for (df, t) in [(1, 63.657), (4, 4.604), (10, 3.169), (29, 2.756), (100, 2.626)] {
        near(t_quantile(0.01, df), t, 5e-4);
    }
    for (df, t) in [(1, 636.619), (4, 8.610), (10, 4.587), (30, 3.646)] {
        near(t_quantile(0.001, df), t, 1.1e-3 * t);
    }
    near(t_quantile(0.05, 1_000_000), 1.959966, 1e-5);
}

#[test]
fn tails_are_exact_where_a_formula_is() {
    // df = 1 is Cauchy's, df = 2 is algebraic.
    for t in [0.1, 1.0, 3.0, 50.0, 1e4] {
        near(t_two_sided(t, 1) * t, (1.0 - 2.0 * t.atan() / std::f64::consts::PI) * t, 1e-9);
        near(t_two_sided(t, 2), 1.0 - t / (2.0 + t * t).sqrt(), 1e-9);
    }
    near(t_two_sided(0.0, 5), 1.0, 1e-12);
}

/// Student's t and the binomial distribution of another library, over the whole range that a comparison uses.
#[test]
fn distributions_are_those_of_another_library() {
    for df in [1, 2, 3, 4, 9, 58, 998] {
        let other = StudentsT::new(0.0, 1.0, df as f64).unwrap();
        for t in [0.01, 0.5, 1.5, 3.0, 12.0] {
            near(t_two_sided(t, df), 2.0 * other.sf(t), 1e-9);
        }
        for alpha in [0.2, 0.05, 1e-3] {
            let quantile = other.inverse_cdf(1.0 - alpha / 2.0);
            near(t_quantile(alpha, df), quantile, 1e-6 * quantile);
        }
    }
    for trials in [1_u64, 3, 10, 59, 169, 1000] {
        for share in [0.001, 0.05, 0.3, 0.97] {
            let other = Binomial::new(share, trials).unwrap();
            for hits in [0, 1, 2, trials / 2, trials - 1, trials].into_iter().filter(|hits| *hits <= trials) {
                near(binomial_up_to(hits, trials, share), other.cdf(hits), 1e-9);
                let from = if hits == 0 { 1.0 } else { other.sf(hits - 1) };
                near(binomial_from(hits, trials, share), from, 1e-9);
            }
        }
    }
}

/// Clopper and Pearson's limits are quantiles of beta distributions.
#[test]
fn limits_of_shares_are_quantiles_of_beta() {
    near(at_most(0, 10, 0.05), 0.258_866, 1e-6); // Clopper and Pearson's own table: 0 of 10, one-sided 95%
    near(at_most(0, 3, 0.05), 0.631_597, 1e-6);
    near(at_most(0, 5, 0.05), 0.450_720, 1e-6);
    near(at_least(1, 10, 0.025), 0.002_529, 1e-6); // 1 of 10, two-sided 95%: 0.25% to 44.5%
    near(at_most(1, 10, 0.025), 0.445_016, 1e-6);
    near(at_least(5, 10, 0.025), 0.187_086, 1e-6); // 5 of 10: 18.7% to 81.3%
    near(at_most(5, 10, 0.025), 0.812_914, 1e-6);
    for (hits, trials) in [(1_u64, 2_u64), (3, 40), (17, 59), (900, 1000)] {
        for alpha in [0.05, 0.05 / 288.0] {
            let (x, n) = (hits as f64, trials as f64);
            near(at_most(hits, trials, alpha), Beta::new(x + 1.0, n - x).unwrap().inverse_cdf(1.0 - alpha), 1e-6);
            near(at_least(hits, trials, alpha), Beta::new(x, n - x + 1.0).unwrap().inverse_cdf(alpha), 1e-6);
        }
    }
    assert_eq!((at_most(0, 0, 0.05), at_most(4, 4, 0.05), at_least(0, 4, 0.05)), (1.0, 1.0, 0.0));
}

/// 59 is the sample of tolerance limits: S. S. Wilks, Annals of Mathematical Statistics 12 (1941).
#[test]
fn quiet_runs_are_as_many_as_the_claim_needs_and_no_more() {
    assert_eq!((quiet_runs(0.05, 0.05), quiet_runs(0.01, 0.05), quiet_runs(0.05, 0.05 / 2.0)), (59, 299, 72));
    assert_eq!((quiet_runs(0.0, 0.05), quiet_runs(0.99, 0.05), quiet_runs(0.05, 0.05 / 288.0)), (u64::MAX, 1, 169));
    for share in [0.01, 0.05, 0.2] {
        for cells in [1.0, 7.0, 288.0] {
            let n = quiet_runs(share, 0.05 / cells);
            assert!(at_most(0, n, 0.05 / cells) <= share && at_most(0, n - 1, 0.05 / cells) > share, "{share} {cells}");
        }
    }
}

#[test]
fn steins_count_follows_the_deviation() {
    assert_eq!(stein(5, 0.0, 0.01), 5);
    assert_eq!(stein(5, 0.001, 0.01), 5);
    assert_eq!(stein(5, 0.02, 0.01), 31); // (2.776 * 2)^2 = 30.8
    assert_eq!(stein(1, 0.02, 0.01), 1);
}

#[test]
fn holm_stops_at_the_first_that_fails() {
    assert_eq!(holm(&[0.01, 0.04, 0.03, 0.005]), [true, false, false, true]);
    assert_eq!(holm(&[0.04, 0.03]), [false, false]);
    assert_eq!(holm(&[0.02, 0.04]), [true, true]);
    assert!(holm(&[]).is_empty());
}

#[test]
fn without_spread_there_is_no_interval_and_no_certainty() {
    assert_eq!(sample(&[0.1; 7]), Some(Sample { n: 7, mean: 0.1, deviation: 0.0 }));
    assert_eq!((interval(&[0.3], 1), interval(&[0.3; 9], 4), interval_of_shares(&[0.3; 9], 4)), (None, None, None));
    assert_eq!(interval(&[0.51 - 0.5, 0.53 - 0.52, 0.77 - 0.76], 3), None, "rounding is no spread");
    assert_eq!((p_value(&[0.0; 4], 4), p_value(&[0.2], 1)), (Some(1.0), None));
    // Two designs of two outcomes each are parted so by chance.
    assert_eq!((p_value(&[0.2; 2], 2), p_value(&[0.2; 4], 4)), (Some(2.0 / 16.0), Some(2.0 / 256.0)));
    // With hardly any spread it is no different.
    assert_eq!(p_value(&[0.2, 0.2001, 0.2, 0.1999], 4), Some(2.0 / 256.0));
    assert_eq!((runs_to_tell(1), runs_to_tell(21), runs_to_tell(22), runs_to_tell(4560)), (3, 5, 5, 9));
}

/// Two designs lose the same calls in the pilot and in eight of ten runs, and one call less in two: t is -1.5.
#[test]
fn a_pilot_without_spread_makes_nothing_significant() {
    let differences = [0.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, -1.0, 0.0, 0.0];
    near(p_value(&differences, 3).unwrap(), 0.167_851, 1e-6);
    let (low, high) = interval(&differences, 3).unwrap();
    assert!(low < -0.2 && high > 0.0, "{low} to {high}");
    // A pilot that has hardly any spread, and what follows has, is no surer.
    let hardly: Vec<f64> = differences.iter().enumerate().map(|(i, d)| d + 1e-9 * i as f64).collect();
    assert!(p_value(&hardly, 3).unwrap() > 0.1);
}

fn normal(rng: &mut Pcg64Mcg) -> f64 {
    let (u, v) = (unit(rng), unit(rng));
    libm::sqrt(-2.0 * libm::log(u)) * libm::cos(2.0 * std::f64::consts::PI * v)
}

fn unit(rng: &mut Pcg64Mcg) -> f64 {
    ((rng.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
}

/// Of 10,000 experiments that stop by the rule, the interval must hold the truth in at least 95%: one standard error of
/// that count is 0.22%. It takes the wider of two deviations, which costs little: no more than 97%.
#[test]
fn intervals_stay_honest_under_stopping() {
    const TRIES: usize = 10_000;
    for (pilot, cap) in [(5, 400), (3, 1000), (8, 20)] {
        let mut rng = Pcg64Mcg::new(0x5eed + pilot as u128);
        let mut held = 0;
        for _ in 0..TRIES {
            let mut drawn: Vec<f64> = (0..pilot).map(|_| 0.5 + 0.01 * normal(&mut rng)).collect();
            let spread = sample(&drawn).map_or(0.0, |s| s.deviation);
            let all = stein(pilot, spread, 0.004).min(cap);
            drawn.extend((pilot..all).map(|_| 0.5 + 0.01 * normal(&mut rng)));
            let (low, high) = interval(&drawn, pilot).unwrap();
            held += usize::from(low <= 0.5 && 0.5 <= high);
        }
        let share = held as f64 / TRIES as f64;
        assert!((0.95 - 3.0 * 0.0022..0.97).contains(&share), "pilot {pilot}: {share}");
    }
}

/// Shares of calls lost, by what a run does: nothing mostly, and a burst now and then.
fn burst(rng: &mut Pcg64Mcg, rare: f64) -> f64 {
    if unit(rng) < rare { 0.2 } else { 0.0 }
}

/// Runs that are 0 mostly have no spread most of the time, and the t interval alone would miss the mean in up to an eighth
/// of cases (6% of bad runs, 59 runs).
#[test]
fn intervals_hold_the_mean_of_runs_that_are_nothing_mostly() {
    const TRIES: usize = 2_000;
    for rare in [0.02, 0.06, 0.2, 0.5] {
        for n in [3, 5, 20, 59] {
            let mut rng = Pcg64Mcg::new(0xb0b + n as u128);
            let (mut held, mut made) = (0, 0);
            for _ in 0..TRIES {
                let drawn: Vec<f64> = (0..n).map(|_| burst(&mut rng, rare)).collect();
                let interval = match drawn.iter().all(|x| *x == 0.0) {
                    true => Some((0.0, at_most(0, n as u64, 0.05))),
                    false => interval_of_shares(&drawn, n),
                };
                let Some((low, high)) = interval else { continue };
                made += 1;
                held += usize::from(low <= 0.2 * rare && 0.2 * rare <= high);
            }
            let share = held as f64 / made as f64;
            assert!(share >= 0.95 - 3.0 * 0.005, "{rare} of {n} runs: {share}");
        }
    }
}
