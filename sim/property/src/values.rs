//! Values with units, from one end of a range to the other.

use brownout_models::units::{Ns, parse_bytes, parse_duration, parse_quantity, parse_rate, parse_share};

/// A value with its unit, as a number and back.
struct Unit {
    size: fn(&str) -> Option<f64>,
    show: fn(f64) -> String,
}

/// The units in the order in which they are tried.
const UNITS: &[Unit] = &[
    Unit { size: |t| t.parse::<u64>().ok().map(|n| n as f64), show: |x| format!("{}", x.round()) },
    Unit { size: |t| t.parse::<f64>().ok().filter(|x| x.is_finite()), show: |x| format!("{x:.3}") },
    Unit {
        size: |t| parse_duration(t).ok().filter(|t| !t.is_never()).map(Ns::as_secs),
        show: |x| Ns((x * 1e6).round() as u64 * 1000).to_string(),
    },
    Unit { size: |t| parse_share(t).ok().map(|s| s.0), show: |x| format!("{:.2}%", x * 100.0) },
    Unit { size: |t| parse_rate(t).ok().map(|r| r.0), show: |x| format!("{x:.2}/s") },
    Unit { size: |t| parse_bytes(t).ok().map(|b| b.0 as f64), show: |x| format!("{}B", x.round()) },
    Unit { size: |t| parse_quantity(t).ok().map(|q| q.0), show: |x| format!("{}", x.round()) },
];

/// `points` values from `low` to `high`, both included: evenly spaced, geometrically where the ends differ tenfold or
/// more. Fewer where values fall together. None if the two are no numbers of one unit.
pub fn between(low: &str, high: &str, points: usize) -> Option<Vec<String>> {
    let read = |unit: &Unit| Some(((unit.size)(low)?, (unit.size)(high)?, unit.show));
    let (least, most, show) = UNITS.iter().find_map(read)?;
    let geometric = least > 0.0 && most / least >= 10.0;
    let n = points.max(2);
    let mut out: Vec<String> = (0..n)
        .map(|i| {
            let part = i as f64 / (n - 1) as f64;
            match i {
                0 => low.to_string(),
                _ if i == n - 1 => high.to_string(),
                _ if geometric => show(least * libm::pow(most / least, part)),
                _ => show(least + (most - least) * part),
            }
        })
        .collect();
    out.dedup();
    Some(out)
}

/// The number behind a value, in the base of its unit: seconds, calls a second, bytes. None if it is none.
pub fn number(value: &str) -> Option<f64> {
    UNITS.iter().find_map(|unit| (unit.size)(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(low: &str, high: &str, points: usize) -> Vec<String> {
        between(low, high, points).unwrap_or_default()
    }

    #[test]
    fn a_range_is_walked_from_end_to_end_in_its_own_unit() {
        assert_eq!(of("4", "64", 3), ["4", "16", "64"]);
        assert_eq!(of("2", "4", 3), ["2", "3", "4"]);
        assert_eq!(of("1s", "4s", 4), ["1s", "2s", "3s", "4s"]);
        assert_eq!(of("100/s", "10000/s", 3), ["100/s", "1000.00/s", "10000/s"]);
        assert_eq!(of("0%", "30%", 3), ["0%", "15.00%", "30%"]);
        assert_eq!(of("20KB", "2MB", 3), ["20KB", "200000B", "2MB"]);
        assert_eq!(of("0", "1", 5), ["0", "1"]);
    }

    #[test]
    fn what_is_no_number_is_left_alone() {
        assert_eq!(of("up", "down", 3), Vec::<String>::new());
        assert_eq!(between("none", "3s", 3), None);
        assert_eq!(number("2min"), Some(120.0));
    }
}
