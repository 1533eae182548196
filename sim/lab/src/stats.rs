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

/// Differences of shares are exact to some 1e-16: what differs by less than this, against 1 or the largest number, is equal.
const ROUNDING: f64 = 1e-13;

/// Mean and standard deviation, in two passes; none of nothing. Equal numbers give exactly their value and 0; numbers that
/// differ by rounding alone have no deviation either.
pub fn sample(values: &[f64]) -> Option<Sample> {
    let first = *values.first()?;
    let n = values.len();
    let mean = first + values.iter().map(|x| x - first).sum::<f64>() / n as f64;
    let squares: f64 = values.iter().map(|x| (x - mean) * (x - mean)).sum();
    let deviation = if n < 2 { 0.0 } else { (squares / (n - 1) as f64).sqrt() };
    let size = values.iter().fold(1.0_f64, |size, x| size.max(x.abs()));
    let deviation = if deviation <= ROUNDING * size { 0.0 } else { deviation };
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

/// The samples that an interval or a test takes its deviation from: that of the pilot and that of all. Given the deviation
/// of the pilot, the mean of all is normal around the truth however many were drawn for it, so t with the pilot's degrees
/// of freedom holds for normal data (Stein 1945). Real data come in steps and bursts: a pilot may see no spread, or
/// hardly any, where later runs see much. So the deviation of all is asked as well, and the wider answer is given.
fn spreads(values: &[f64], pilot: usize) -> impl Iterator<Item = Sample> {
    let first = if pilot < values.len() { sample(&values[..pilot]) } else { None };
    [first, sample(values)].into_iter().flatten().filter(|s| s.n >= 2)
}

/// A mean's interval from a pilot and what was drawn after it: t on the deviation of the pilot (Stein 1945), or on that of
/// all numbers where that is wider. Without more than the pilot this is the usual t interval. None for fewer than two
/// numbers, and where all are equal: there is nothing to make an interval of, and one of no width would claim certainty.
pub fn interval(values: &[f64], pilot: usize) -> Option<(f64, f64)> {
    let mean = sample(values).filter(|all| all.deviation > 0.0)?.mean;
    let root = (values.len() as f64).sqrt();
    let half = spreads(values, pilot).map(|s| t_quantile(1.0 - CONFIDENCE, s.n - 1) * s.deviation / root);
    let half = half.fold(0.0, f64::max);
    Some((mean - half, mean + half))
}

/// The interval of a mean of shares, from 0 to 1. Where some runs have none and others have some, t understates how rare a
/// bad run can be: the interval then also holds what the share of runs with any (Clopper and Pearson, both sides) times
/// the mean of these runs allows.
pub fn interval_of_shares(values: &[f64], pilot: usize) -> Option<(f64, f64)> {
    let (mut low, mut high) = interval(values, pilot)?;
    let some: Vec<f64> = values.iter().copied().filter(|x| *x != 0.0).collect();
    if let Some(of_some) = sample(&some).filter(|some| some.n < values.len()) {
        let (hits, trials, each) = (some.len() as u64, values.len() as u64, (1.0 - CONFIDENCE) / 2.0);
        low = low.min(of_some.mean * at_least(hits, trials, each));
        high = high.max(of_some.mean * at_most(hits, trials, each));
    }
    Some((low.max(0.0), high.min(1.0)))
}

/// How many numbers a pilot of `n` with this deviation asks for in all, for an interval of mean ± `half`.
pub fn stein(n: usize, deviation: f64, half: f64) -> usize {
    if n < 2 || deviation == 0.0 {
        return n;
    }
    let wanted = t_quantile(1.0 - CONFIDENCE, n - 1) * deviation / half;
    n.max((wanted * wanted).ceil() as usize)
}

/// How likely at most `hits` of `trials` are where each hits with probability `share`: the binomial distribution.
pub fn binomial_up_to(hits: u64, trials: u64, share: f64) -> f64 {
    if hits >= trials { 1.0 } else { beta_inc((trials - hits) as f64, hits as f64 + 1.0, 1.0 - share) }
}

/// How likely at least `hits` of `trials` are where each hits with probability `share`.
pub fn binomial_from(hits: u64, trials: u64, share: f64) -> f64 {
    if hits == 0 { 1.0 } else { beta_inc(hits as f64, (trials - hits) as f64 + 1.0, share) }
}

/// The share up to which `hits` of `trials` are no surprise, so that it is exceeded with probability `alpha` at most
/// (Clopper and Pearson, one-sided): 45% for none of 5 and 0.05. 1 without trials.
pub fn at_most(hits: u64, trials: u64, alpha: f64) -> f64 {
    if hits >= trials {
        return 1.0;
    }
    if hits == 0 {
        return -libm::expm1(libm::log(alpha) / trials as f64);
    }
    bisect(&|share| binomial_up_to(hits, trials, share) > alpha)
}

/// The share from which on `hits` of `trials` are no surprise; the other side of [`at_most`].
pub fn at_least(hits: u64, trials: u64, alpha: f64) -> f64 {
    if hits == 0 {
        return 0.0;
    }
    bisect(&|share| binomial_from(hits, trials, share) < alpha)
}

/// Where between 0 and 1 something stops being true.
fn bisect(holds: &dyn Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if holds(middle) { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// How many runs without a hit show that at most `share` of all runs hit, if that is wrong with probability `alpha` at
/// most: 59 for 5% and 0.05. [`u64::MAX`] for a share of 0, which no number of runs can show.
pub fn quiet_runs(share: f64, alpha: f64) -> u64 {
    if share <= 0.0 {
        return u64::MAX;
    }
    let runs = libm::ceil(libm::log(alpha) / libm::log1p(-share.min(1.0)) - 1e-9);
    (runs as u64).max(1)
}

/// How likely it is that chance alone parts two equal designs completely in `runs` runs each: all of one come out well and
/// all of the other badly, or the other way round. No more than 2 (q (1 - q))^n <= 2 / 4^n, whatever the share q of bad
/// runs. A deviation cannot show this: within each design it is nil.
pub fn by_luck(runs: usize) -> f64 {
    libm::exp2(1.0 - 2.0 * runs as f64).min(1.0)
}

/// How many runs each it takes until chance parts two equal designs ([`by_luck`]) in none of so many pairs, with 95%
/// confidence: 5 for 21 pairs, 9 for 4,560.
pub fn runs_to_tell(pairs: usize) -> usize {
    (1..).find(|n| by_luck(*n) <= (1.0 - CONFIDENCE) / pairs.max(1) as f64).unwrap_or(usize::MAX)
}

/// How likely such differences would be if their true mean were 0, from t as in [`interval`], and never less than chance
/// makes of designs whose runs come out in two kinds ([`by_luck`]). None where there are fewer than two.
pub fn p_value(differences: &[f64], pilot: usize) -> Option<f64> {
    let all = sample(differences).filter(|s| s.n >= 2)?;
    if all.mean == 0.0 {
        return Some(1.0);
    }
    let root = (all.n as f64).sqrt();
    let spread = spreads(differences, pilot).filter(|s| s.deviation > 0.0);
    let p = spread.map(|s| t_two_sided(all.mean * root / s.deviation, s.n - 1)).fold(0.0, f64::max);
    Some(p.max(by_luck(all.n)))
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
mod tests;
