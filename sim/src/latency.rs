//! Latencies of the calls that were answered ok, by the cell in which they were offered.
//!
//! Nearly every call is answered while the cell in which it was offered is the last one: those go into a dense histogram,
//! one for each population. When the next cell begins, what was recorded becomes a short list; a call that is answered
//! later goes into the list of its cell. So the latencies over a window are those of its cells put together, exactly, and
//! each to 1%.

use brownout_models::units::Ns;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;

/// Latencies in microseconds, each the highest of those that count as equal to it, ascending; and how many there are.
type Recorded = Vec<(u64, u32)>;

/// Longest latency that is told apart from longer ones: a day, in microseconds.
const LONGEST: u64 = 86_400_000_000;

/// The latencies of a run.
pub(crate) struct Latencies {
    /// Of the last cell, by population.
    last: Vec<Histogram<u32>>,
    /// Of the cells before it: those of the first, by population, then those of the next.
    earlier: Vec<Recorded>,
    /// How many latencies those tell apart, all together.
    kept: usize,
}

impl Latencies {
    /// Nothing recorded, in a first cell.
    pub fn new(populations: usize) -> Latencies {
        let histogram = || {
            // Bounds and precision are constants that the crate accepts; tested below.
            Histogram::new_with_bounds(1, LONGEST, 2).unwrap_or_else(|e| panic!("histogram: {e}"))
        };
        Latencies { last: (0..populations).map(|_| histogram()).collect(), earlier: Vec::new(), kept: 0 }
    }

    /// A call has been answered ok after so long; `books` is its cell times the number of populations, plus its population.
    #[inline(always)]
    pub fn record(&mut self, books: usize, latency: Ns) {
        let micros = latency.0 / 1000;
        match self.last.get_mut(books.wrapping_sub(self.earlier.len())) {
            Some(histogram) => histogram.saturating_record(micros),
            None => self.record_earlier(books, micros),
        }
    }

    #[inline(never)]
    fn record_earlier(&mut self, books: usize, micros: u64) {
        let Some(any) = self.last.first() else { return };
        let micros = any.highest_equivalent(micros.clamp(1, LONGEST));
        let recorded = &mut self.earlier[books];
        match recorded.binary_search_by_key(&micros, |(latency, _)| *latency) {
            Ok(at) => recorded[at].1 += 1,
            Err(at) => {
                recorded.insert(at, (micros, 1));
                self.kept += 1;
            }
        }
    }

    /// Bytes for a population and a cell, beside the latencies themselves.
    pub const CELL: usize = 2 * size_of::<Recorded>();

    /// Bytes that grow with the run, with as much room again as lists may have kept free.
    pub fn memory(&self) -> u64 {
        let bytes = self.earlier.len() * size_of::<Recorded>() + self.kept * size_of::<(u64, u32)>();
        2 * bytes as u64
    }

    /// The next cell begins.
    pub fn next_cell(&mut self) {
        for histogram in &mut self.last {
            let recorded = recorded(histogram);
            self.kept += recorded.len();
            self.earlier.push(recorded);
            if !histogram.is_empty() {
                histogram.reset();
            }
        }
    }

    /// The latencies of one population's calls that were offered in some cells.
    pub fn add_to(&self, sum: &mut Spread, population: usize, cells: std::ops::Range<usize>) {
        for cell in cells {
            let books = cell * self.last.len() + population;
            match self.earlier.get(books) {
                Some(earlier) => sum.add(earlier),
                None => sum.add(&recorded(&self.last[population])),
            }
        }
    }
}

fn recorded(histogram: &Histogram<u32>) -> Recorded {
    let each = histogram.iter_recorded();
    each.map(|step| (step.value_iterated_to(), step.count_at_value())).collect()
}

/// Latencies put together.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Spread {
    micros: BTreeMap<u64, u64>,
    calls: u64,
}

impl Spread {
    fn add(&mut self, recorded: &[(u64, u32)]) {
        for (micros, calls) in recorded {
            *self.micros.entry(*micros).or_default() += u64::from(*calls);
            self.calls += u64::from(*calls);
        }
    }

    /// The latency, in milliseconds, that a share of the calls does not exceed; none without calls.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let wanted = ((share * self.calls as f64).ceil() as u64).max(1);
        let mut so_far = 0;
        let reaches = |(_, calls): &(&u64, &u64)| {
            so_far += **calls;
            so_far >= wanted
        };
        self.micros.iter().find(reaches).map(|(micros, _)| *micros as f64 / 1000.0)
    }

    /// Median, 90th and 99th percentile and the largest, in milliseconds; none without calls.
    pub fn percentiles(&self) -> Option<[f64; 4]> {
        let [p50, p90, p99, max] = [0.5, 0.9, 0.99, 1.0].map(|share| self.quantile(share));
        Some([p50?, p90?, p99?, max?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(latencies: &Latencies, cells: std::ops::Range<usize>) -> Spread {
        let mut sum = Spread::default();
        latencies.add_to(&mut sum, 0, cells);
        sum
    }

    #[test]
    fn a_latency_counts_in_the_cell_of_its_call_whenever_it_is_known() {
        let mut latencies = Latencies::new(1);
        latencies.record(0, Ns::millis(1));
        latencies.next_cell();
        latencies.record(1, Ns::millis(3));
        latencies.record(0, Ns::millis(2));
        latencies.next_cell();
        latencies.record(0, Ns::millis(2));
        let near = |found: Option<f64>, ms: f64| found.is_some_and(|found| (found / ms - 1.0).abs() < 0.01);
        assert!(near(over(&latencies, 0..1).quantile(0.5), 2.0) && near(over(&latencies, 0..1).quantile(0.3), 1.0));
        assert!(near(over(&latencies, 1..2).quantile(0.0), 3.0) && near(over(&latencies, 0..3).quantile(1.0), 3.0));
        assert_eq!(over(&latencies, 2..3).percentiles(), None);
    }

    #[test]
    fn how_a_window_is_cut_into_cells_makes_no_difference() {
        let [mut one, mut many] = [1, 1].map(Latencies::new);
        for i in 0..1000_u64 {
            // Every seventh call is answered a cell later than most.
            let latency = Ns::micros(i * i * 37 % 9_000_001);
            one.record(0, latency);
            if i % 100 == 0 && i > 0 {
                many.next_cell();
            }
            let cell = (i / 100) as usize;
            many.record(if i % 7 == 0 { cell.saturating_sub(1) } else { cell }, latency);
        }
        assert_eq!(over(&one, 0..1), over(&many, 0..10));
    }

    #[test]
    fn what_is_no_time_or_more_than_a_day_is_counted_too() {
        let mut latencies = Latencies::new(1);
        latencies.record(0, Ns::ZERO);
        latencies.next_cell();
        latencies.record(0, Ns::secs(200_000));
        let [p50, .., max] = over(&latencies, 0..2).percentiles().unwrap();
        assert!(p50 <= 0.001 && (86_400_000.0..87_300_000.0).contains(&max), "{p50} {max}");
    }
}
