//! Long series with fewer points, and every peak still in them.

use crate::view;
use brownout_sim::outcome::{Outcome, Step};

/// Some steps as one point of a series.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Reach {
    pub from_s: f64,
    pub to_s: f64,
    /// Lowest, mean and highest value of the steps that have one; none if no step has.
    pub values: Option<(f64, f64, f64)>,
    /// Steps in it.
    pub steps: usize,
}

impl Reach {
    /// The mean, or nothing.
    pub(crate) fn mean(&self) -> Option<f64> {
        self.values.map(|(_, mean, _)| mean)
    }

    /// The highest value, or nothing.
    pub(crate) fn high(&self) -> Option<f64> {
        self.values.map(|(.., high)| high)
    }
}

/// A quantity of every step, as at most `most` points. Each point keeps the lowest and the highest value of its steps, so
/// that a peak of one step is drawn however many steps there are.
pub(crate) fn thin(outcome: &Outcome, most: usize, value: impl Fn(&Step) -> Option<f64>) -> Vec<Reach> {
    let steps = &outcome.timeline.steps;
    let per = steps.len().div_ceil(most.max(1)).max(1);
    let end = view::length_s(outcome);
    let point = |(i, chunk): (usize, &[Step])| {
        let from_s = chunk[0].t_s;
        let to_s = steps.get((i + 1) * per).map_or(end, |next| next.t_s).max(from_s);
        let known: Vec<f64> = chunk.iter().filter_map(&value).filter(|value| value.is_finite()).collect();
        let low = known.iter().copied().fold(f64::INFINITY, f64::min);
        let high = known.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mean = known.iter().sum::<f64>() / known.len().max(1) as f64;
        let values = (!known.is_empty()).then(|| (low, mean.clamp(low, high), high));
        Reach { from_s, to_s, values, steps: chunk.len() }
    };
    steps.chunks(per).enumerate().map(point).collect()
}

/// The highest value of a series and when its point begins.
pub(crate) fn peak(points: &[Reach]) -> Option<(f64, f64)> {
    let highs = points.iter().filter_map(|point| Some((point.high()?, point.from_s)));
    // The first of equals.
    highs.fold(None, |best: Option<(f64, f64)>, (high, at)| match best {
        Some((most, _)) if most >= high => best,
        _ => Some((high, at)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use brownout_sim::outcome::Timeline;

    fn long(steps: usize, value: impl Fn(usize) -> u64) -> Outcome {
        let step = |i: usize| Step { t_s: i as f64, balancer_queue: value(i), ..Step::default() };
        Outcome { timeline: Timeline { step_s: 1.0, steps: (0..steps).map(step).collect() }, ..Outcome::default() }
    }

    #[test]
    fn no_peak_is_lost_wherever_it_stands() {
        for at in (0..100_000).step_by(7_919) {
            let outcome = long(100_000, |i| if i == at { 9_999 } else { 10 + i as u64 % 7 });
            let points = thin(&outcome, 300, |step| Some(step.balancer_queue as f64));
            assert!(points.len() <= 300, "{}", points.len());
            let (high, from) = peak(&points).unwrap();
            assert_eq!(high, 9_999.0);
            let point = points.iter().find(|point| point.from_s == from).unwrap();
            assert!(point.from_s <= at as f64 && at as f64 <= point.to_s);
            let lows = points.iter().filter_map(|point| Some(point.values?.0)).fold(f64::INFINITY, f64::min);
            assert_eq!(lows, 10.0, "nor is a trough");
        }
    }

    #[test]
    fn short_series_stay_as_they_are_and_gaps_stay_gaps() {
        let outcome = long(5, |i| i as u64);
        let points = thin(&outcome, 300, |step| (step.t_s != 2.0).then_some(step.balancer_queue as f64));
        assert_eq!(points.len(), 5);
        assert_eq!(points[3], Reach { from_s: 3.0, to_s: 4.0, values: Some((3.0, 3.0, 3.0)), steps: 1 });
        assert_eq!(points[2].values, None);
        assert!(thin(&Outcome::default(), 300, |_| Some(1.0)).is_empty());
    }
}
