//! The few statistics that a comparison over seeds needs, on `libm` so that every machine prints the same.
//!
//! Sources: Student's t from the regularised incomplete beta function (Abramowitz and Stegun 26.7.1 and 26.5.8; the
//! continued fraction by Lentz's method); C. Stein, "A two-sample test for a linear hypothesis whose power is
//! independent of the variance", Annals of Mathematical Statistics 16 (1945); C. J. Clopper and E. S. Pearson,
//! Biometrika 26 (1934); S. Holm, Scandinavian Journal of Statistics 6 (1979).

/// Part of the intervals that hold the truth.
pub const CONFIDENCE: f64 = 0.95;

/// Mean and standard deviation (of a sample, with n - 1) of some numbers.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Sample {
    /// How many.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation; 0 for fewer than two.
    pub deviation: f64,
}

/// Mean and standard deviation, in two passes; none of nothing. Equal numbers give exactly their value and 0.
pub fn sample(values: &[f64]) -> Option<Sample> {
    let first = *values.first()?;
    let n = values.len();
    let mean = first + values.iter().map(|x| x - first).sum::<f64>() / n as f64;
    let squares: f64 = values.iter().map(|x| (x - mean) * (x - mean)).sum();
    let deviation = if n < 2 { 0.0 } else { (squares / (n - 1) as f64).sqrt() };
    Some(Sample { n, mean, deviation })
}

/// The regularised incomplete beta function.
fn beta_inc(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let front =
        libm::exp(libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b) + a * libm::log(x) + b * libm::log1p(-x));
    if x < (a + 1.0) / (a + b + 2.0) {
        front * fraction(a, b, x) / a
    } else {
        1.0 - front * fraction(b, a, 1.0 - x) / b
    }
}

/// The continued fraction of the incomplete beta function.
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let far = |x: f64| if x.abs() < TINY { TINY } else { x };
    let mut c = 1.0;
    let mut d = 1.0 / far(1.0 - (a + b) * x / (a + 1.0));
    let mut h = d;
    for m in 1..500 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / far(1.0 + even * d);
        c = far(1.0 + even / c);
        h *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / far(1.0 + odd * d);
        c = far(1.0 + odd / c);
        let step = d * c;
        h *= step;
        if (step - 1.0).abs() < 1e-15 {
            break;
        }
    }
    h
}

/// How likely Student's t with `df` degrees of freedom is at least this far from 0, to both sides together.
pub fn t_two_sided(t: f64, df: usize) -> f64 {
    let df = df as f64;
    beta_inc(df / 2.0, 0.5, df / (df + t * t))
}

/// The t beyond which `alpha` of the distribution lies, both sides together: 2.776 for 0.05 and 4 degrees of freedom.
pub fn t_quantile(alpha: f64, df: usize) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while t_two_sided(high, df) > alpha && high < 1e18 {
        low = high;
        high *= 2.0;
    }
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if t_two_sided(middle, df) > alpha { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// A mean and its interval from a pilot and what was drawn after it: the mean is that of all, the deviation that of the
/// pilot alone. Given the deviation of the pilot, the mean of all is still normal around the truth however many were
/// drawn for it, so t with the pilot's degrees of freedom holds (Stein 1945). Without more than the pilot this is the
/// usual t interval. None for fewer than two numbers in the pilot.
pub fn interval(values: &[f64], pilot: usize) -> Option<(f64, f64)> {
    let pilot = sample(&values[..pilot.min(values.len())]).filter(|s| s.n >= 2)?;
    let all = sample(values)?;
    let half = t_quantile(1.0 - CONFIDENCE, pilot.n - 1) * pilot.deviation / (all.n as f64).sqrt();
    Some((all.mean - half, all.mean + half))
}

/// How many numbers a pilot of `n` with this deviation asks for in all, for an interval of mean ± `half`.
pub fn stein(n: usize, deviation: f64, half: f64) -> usize {
    if n < 2 || deviation == 0.0 {
        return n;
    }
    let wanted = t_quantile(1.0 - CONFIDENCE, n - 1) * deviation / half;
    n.max((wanted * wanted).ceil() as usize)
}

/// With none of `trials` hit, the rate below which it lies with 95% confidence (Clopper and Pearson, one-sided).
pub fn bound_of_none(trials: u64) -> f64 {
    if trials == 0 { 1.0 } else { -libm::expm1(libm::log(1.0 - CONFIDENCE) / trials as f64) }
}

/// How likely such differences would be if their true mean were 0, from t on the pilot's deviation as in [`interval`].
/// None where there are fewer than two. Differences that are all one number other than 0 leave no doubt.
pub fn p_value(differences: &[f64], pilot: usize) -> Option<f64> {
    let pilot = sample(&differences[..pilot.min(differences.len())]).filter(|s| s.n >= 2)?;
    let all = sample(differences)?;
    if pilot.deviation == 0.0 {
        return Some(if all.mean == 0.0 { 1.0 } else { 0.0 });
    }
    Some(t_two_sided(all.mean * (all.n as f64).sqrt() / pilot.deviation, pilot.n - 1))
}

/// Holm's step-down: which of these pass, so that with 95% confidence none passes by chance.
pub fn holm(p_values: &[f64]) -> Vec<bool> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut passes = vec![false; p_values.len()];
    for (rank, at) in order.into_iter().enumerate() {
        if p_values[at] > (1.0 - CONFIDENCE) / (p_values.len() - rank) as f64 {
            break;
        }
        passes[at] = true;
    }
    passes
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::Rng;
    use rand_pcg::Pcg64Mcg;

    fn near(is: f64, should: f64, within: f64) {
        assert!((is - should).abs() <= within, "{is} is not {should} within {within}");
    }

    /// NIST/SEMATECH e-Handbook of Statistical Methods, table 1.3.6.7.2, and the far tail from R's `qt`.
    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (df, t) in
            [(1, 12.706), (2, 4.303), (4, 2.776), (7, 2.365), (9, 2.262), (19, 2.093), (30, 2.042), (99, 1.984)]
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

    #[test]
    fn nothing_seen_is_not_nothing() {
        near(bound_of_none(1), 0.95, 1e-12);
        near(bound_of_none(10), 0.258_866, 1e-6); // Clopper and Pearson for 0 of 10, one-sided 95%
        near(bound_of_none(3_000_000) * 1e6, 0.998_577, 1e-5); // the rule of three
        assert_eq!(bound_of_none(0), 1.0);
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
    fn equal_numbers_have_no_deviation() {
        assert_eq!(sample(&[0.1; 7]), Some(Sample { n: 7, mean: 0.1, deviation: 0.0 }));
        assert_eq!((p_value(&[0.2; 4], 4), p_value(&[0.0; 4], 4), p_value(&[0.2], 1)), (Some(0.0), Some(1.0), None));
        assert_eq!(interval(&[0.3], 1), None);
    }

    fn normal(dice: &mut Pcg64Mcg) -> f64 {
        let unit = |bits: u64| ((bits >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
        let (u, v) = (unit(dice.next_u64()), unit(dice.next_u64()));
        libm::sqrt(-2.0 * libm::log(u)) * libm::cos(2.0 * std::f64::consts::PI * v)
    }

    /// Of 20,000 experiments that stop by the rule, the interval must hold the truth in 95%: one standard error of that
    /// count is 0.15%. Taking the deviation of all draws instead would miss by more.
    #[test]
    fn intervals_stay_honest_under_stopping() {
        const TRIES: usize = 20_000;
        for (pilot, cap) in [(5, 400), (3, 2000), (8, 20)] {
            let mut dice = Pcg64Mcg::new(0x5eed + pilot as u128);
            let mut held = 0;
            for _ in 0..TRIES {
                let mut drawn: Vec<f64> = (0..pilot).map(|_| 0.5 + 0.01 * normal(&mut dice)).collect();
                let spread = sample(&drawn).map_or(0.0, |s| s.deviation);
                let all = stein(pilot, spread, 0.004).min(cap);
                drawn.extend((pilot..all).map(|_| 0.5 + 0.01 * normal(&mut dice)));
                let (low, high) = interval(&drawn, pilot).unwrap();
                held += usize::from(low <= 0.5 && 0.5 <= high);
                if all < cap && all > pilot {
                    assert!(high - low <= 0.008 + 1e-12, "wider than asked");
                }
            }
            near(held as f64 / TRIES as f64, 0.95, 4.0 * 0.00154);
        }
    }
}
