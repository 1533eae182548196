//! Values with units, from one end of a range to the other.

use brownout_models::units::{Ns, parse_bytes, parse_duration, parse_quantity, parse_rate, parse_share};

/// A value with its unit, as a number and back.
struct Unit {
    size: fn(&str) -> Option<f64>,
    show: fn(f64) -> String,
    /// In few figures, for a reader.
    brief: fn(f64) -> String,
    /// To six significant figures, for values that are drawn and not read.
    exact: fn(f64) -> String,
}

/// The units in the order in which they are tried.
static UNITS: &[Unit] = &[
    Unit {
        size: |t| t.parse::<u64>().ok().map(|n| n as f64),
        show: |x| format!("{}", x.round()),
        brief: |x| format!("{}", x.round()),
        exact: |x| format!("{}", x.round()),
    },
    Unit {
        size: |t| t.parse::<f64>().ok().filter(|x| x.is_finite()),
        show: |x| format!("{x:.3}"),
        brief: plain,
        exact: |x| format!("{:?}", significant(x)),
    },
    Unit {
        size: |t| parse_duration(t).ok().filter(|t| !t.is_never()).map(Ns::as_secs),
        show: |x| Ns((x * 1e6).round() as u64 * 1000).to_string(),
        brief: |x| Ns(if x < 60.0 { x * 1e9 } else { x.round() * 1e9 }.round() as u64).to_string(),
        exact: |x| format!("{}ns", (significant(x) * 1e9).round() as u64),
    },
    Unit {
        size: |t| parse_share(t).ok().map(|s| s.0),
        show: |x| format!("{:.2}%", x * 100.0),
        brief: |x| format!("{}%", plain(x * 100.0)),
        exact: |x| format!("{}%", significant(x * 100.0)),
    },
    Unit {
        size: |t| parse_rate(t).ok().map(|r| r.0),
        show: |x| format!("{x:.2}/s"),
        brief: |x| format!("{}/s", plain(x)),
        exact: |x| format!("{}/s", significant(x)),
    },
    Unit {
        size: |t| parse_bytes(t).ok().map(|b| b.0 as f64),
        show: |x| format!("{}B", x.round()),
        brief: |x| scaled(x, &[(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "KB"), (1.0, "B")]),
        exact: |x| format!("{}B", x.round()),
    },
    Unit {
        size: |t| parse_quantity(t).ok().map(|q| q.0),
        show: |x| format!("{}", x.round()),
        brief: |x| scaled(x, &[(1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, "")]),
        exact: |x| format!("{}", x.round()),
    },
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

/// Values to choose from between the ends of a range.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stops {
    /// From the lowest to the highest, as written.
    pub values: Vec<String>,
    /// Which of them is the value that there is.
    pub at: usize,
    /// Whether they lie evenly by their ratios: where the ends differ more than tenfold.
    pub is_geometric: bool,
}

/// About `points` values from `low` to `high` in few figures, `value` as it is among them. Of what is no number of one
/// unit, the three texts.
pub fn stops(low: &str, value: &str, high: &str, points: usize) -> Stops {
    let texts = || {
        let mut values = vec![low.to_string(), value.to_string(), high.to_string()];
        values.dedup();
        let at = values.iter().position(|v| v == value).unwrap_or(0);
        Stops { values, at, is_geometric: false }
    };
    let read = |unit: &'static Unit| Some(((unit.size)(low)?, (unit.size)(value)?, (unit.size)(high)?, unit));
    let Some((least, is, most, unit)) = UNITS.iter().find_map(read) else { return texts() };
    let is_geometric = least > 0.0 && most / least > 10.0;
    let n = points.max(2);
    let inside = (1..n - 1).map(|i| {
        let part = i as f64 / (n - 1) as f64;
        let exact = if is_geometric { least * libm::pow(most / least, part) } else { least + (most - least) * part };
        (unit.brief)(rounded(exact, if is_geometric { 2 } else { 3 }))
    });
    let mut all: Vec<(f64, String)> = inside.filter_map(|text| Some(((unit.size)(&text)?, text))).collect();
    // What is written stands as it is written.
    all.retain(|(x, _)| *x > least && *x < most && *x != is);
    let written = [(least, low), (is, value), (most, high)];
    all.extend(written.into_iter().map(|(x, text)| (x, text.to_string())));
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    all.dedup_by(|a, b| a.0 == b.0);
    let at = all.iter().position(|(x, _)| *x == is).unwrap_or(0);
    Stops { values: all.into_iter().map(|(_, text)| text).collect(), at, is_geometric }
}

/// A number to so many significant figures.
fn rounded(x: f64, figures: i32) -> f64 {
    if x <= 0.0 {
        return x;
    }
    let places = figures - 1 - libm::floor(libm::log10(x)) as i32;
    // By way of text, so that 0.3 is 0.3 and not the nearest multiple of 0.1.
    let text = if places >= 0 {
        format!("{x:.*}", usize::try_from(places).unwrap_or(0))
    } else {
        let unit = libm::pow(10.0, f64::from(-places));
        format!("{}", (x / unit).round() * unit)
    };
    text.parse().unwrap_or(x)
}

/// "0.3", "12.5", "1200".
fn plain(x: f64) -> String {
    let text = format!("{x:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

fn scaled(x: f64, units: &[(f64, &str)]) -> String {
    let (unit, name) = units.iter().find(|(unit, _)| x >= *unit).copied().unwrap_or((1.0, ""));
    format!("{}{name}", plain(x / unit))
}

/// The value that lies `part` of the way (0 to 1) from `low` to `high`: by ratio where the ends differ tenfold or more, and
/// written to six significant figures. None if the two are no numbers of one unit.
pub fn within(low: &str, high: &str, part: f64) -> Option<String> {
    let read = |unit: &Unit| Some(((unit.size)(low)?, (unit.size)(high)?, unit.exact));
    let (least, most, exact) = UNITS.iter().find_map(read)?;
    let geometric = least > 0.0 && most / least >= 10.0;
    let value = if geometric { least * libm::pow(most / least, part) } else { least + (most - least) * part };
    Some(exact(value))
}

/// A number to six significant figures, as short as it can be written.
fn significant(x: f64) -> f64 {
    format!("{x:.5e}").parse().unwrap_or(x)
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
    fn a_slider_has_few_figures_its_ends_and_the_value_as_written() {
        let rates = stops("100/s", "220/s", "3000/s", 7);
        assert_eq!(rates.values, ["100/s", "180/s", "220/s", "310/s", "550/s", "970/s", "1700/s", "3000/s"]);
        assert_eq!((rates.at, rates.is_geometric), (2, true));
        let shares = stops("0%", "5.9%", "30%", 5);
        assert_eq!(shares.values, ["0%", "5.9%", "7.5%", "15%", "22.5%", "30%"]);
        assert!(!shares.is_geometric);
        assert_eq!(stops("20KB", "200KB", "2MB", 3).values, ["20KB", "200KB", "2MB"]);
        assert_eq!(stops("0.1s", "1.08s", "60s", 4).values, ["0.1s", "840ms", "1.08s", "7.1s", "60s"]);
        assert_eq!(stops("0", "1", "3", 41).values, ["0", "1", "2", "3"]);
        // Each of them can be read, whatever its unit.
        for (low, value, high) in
            [("1s", "310s", "10min"), ("1M", "12.2M", "40M"), ("0.5/s", "2/s", "20/s"), ("2", "2.5", "9")]
        {
            let all = stops(low, value, high, 41);
            let sizes: Vec<f64> = all.values.iter().map(|v| number(v).expect("a number")).collect();
            assert!(sizes.is_sorted() && sizes.len() > 5, "{all:?}");
            assert_eq!(all.values[all.at], value);
        }
    }

    #[test]
    fn of_what_is_no_number_there_are_the_texts() {
        let modes = stops("refuse", "hang", "hang", 41);
        assert_eq!((modes.values, modes.at), (vec!["refuse".to_string(), "hang".to_string()], 1));
        assert_eq!(stops("10:00", "10:15", "10:30", 41).values, ["10:00", "10:15", "10:30"]);
    }

    #[test]
    fn a_place_within_a_range_is_a_value_of_its_unit() {
        let at = |low, high, part| within(low, high, part).unwrap_or_default();
        assert_eq!(at("2s", "4s", 0.25), "2500000000ns");
        assert_eq!(at("4", "64", 0.5), "16");
        assert_eq!(at("0.001/s", "0.1/s", 0.5), "0.01/s");
        assert_eq!(at("0.0001", "0.0002", 0.5), "0.00015");
        assert_eq!(at("1.0", "3.0", 0.5), "2.0", "a float stays one");
        assert_eq!(at("10%", "20%", 0.5), "15%");
        assert_eq!(within("up", "3s", 0.5), None);
    }

    #[test]
    fn what_is_no_number_is_left_alone() {
        assert_eq!(of("up", "down", 3), Vec::<String>::new());
        assert_eq!(between("none", "3s", 3), None);
        assert_eq!(number("2min"), Some(120.0));
    }
}
