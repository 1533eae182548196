//! How bad a fault can be: ranges from mild to extreme, for random schedules and for making them milder.

use crate::setting::Data;
use crate::units::{Bytes, Ns, Rate, Share, parse_bytes, parse_duration, parse_rate, parse_share};

/// A key that makes a fault mild or extreme.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Severity {
    /// The key.
    pub key: &'static str,
    /// From mild to extreme.
    pub range: Range,
}

/// From mild to extreme; the extreme may be the smaller number.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Range {
    /// A span of time, in equal factors.
    Time(Ns, Ns),
    /// A factor, in equal factors.
    Factor(f64, f64),
    /// A share, in equal steps.
    Share(f64, f64),
    /// A whole number, in equal factors.
    Count(u32, u32),
    /// A rate, in equal factors.
    Rate(f64, f64),
    /// An amount of memory, in equal factors.
    Size(u64, u64),
}

impl Range {
    /// The value at a position from 0 (mild) to 1 (extreme), as a file has it.
    pub fn at(self, position: f64) -> Data {
        let (x, (mild, extreme)) = (position.clamp(0.0, 1.0), self.ends());
        let even = mild + (extreme - mild) * x;
        let geometric = if x == 1.0 { extreme } else { mild * libm::pow(extreme / mild, x) };
        match self {
            Range::Time(..) => Data::Text(rounded_time(geometric).to_string()),
            Range::Factor(..) => Data::Float(rounded(geometric)),
            Range::Share(..) => Data::Text(format!("{}%", rounded(even * 100.0))),
            Range::Count(..) => Data::Integer((geometric + 0.5) as i64),
            Range::Rate(..) => Data::Text(format!("{}/s", rounded(geometric))),
            Range::Size(..) => Data::Text(format!("{}B", rounded(geometric) as u64)),
        }
    }

    /// Where a value, as it is shown, lies between mild (0) and extreme (1); beyond them for what lies beyond.
    pub fn position(self, shown: &str) -> f64 {
        let value = match self {
            Range::Time(..) => parse_duration(shown).map(|Ns(n)| n as f64).ok(),
            Range::Factor(..) | Range::Count(..) => shown.parse().ok(),
            Range::Share(..) => parse_share(shown).map(|Share(s)| s).ok(),
            Range::Rate(..) => parse_rate(shown).map(|Rate(r)| r).ok(),
            Range::Size(..) => parse_bytes(shown).map(|Bytes(b)| b as f64).ok(),
        };
        let (mild, extreme) = self.ends();
        let Some(value) = value else { return 0.0 };
        match self {
            Range::Share(..) => (value - mild) / (extreme - mild),
            _ => libm::log(value.max(1e-9) / mild) / libm::log(extreme / mild),
        }
    }

    fn ends(self) -> (f64, f64) {
        match self {
            Range::Time(mild, extreme) => (mild.0 as f64, extreme.0 as f64),
            Range::Factor(mild, extreme) | Range::Share(mild, extreme) | Range::Rate(mild, extreme) => (mild, extreme),
            Range::Count(mild, extreme) => (f64::from(mild), f64::from(extreme)),
            Range::Size(mild, extreme) => (mild as f64, extreme as f64),
        }
    }
}

/// Three significant digits, as an engineer would write it.
fn rounded(value: f64) -> f64 {
    if value == 0.0 {
        return 0.0;
    }
    let digits = 2 - libm::floor(libm::log10(value.abs())) as i32;
    // Through text, so that 4.1 is 4.1 and not its neighbour.
    let text = format!("{value:.*}", digits.max(0) as usize);
    let plain: f64 = text.parse().unwrap_or(value);
    if digits >= 0 {
        return plain;
    }
    let unit = libm::pow(10.0, f64::from(-digits));
    libm::round(value / unit) * unit
}

/// To the millisecond, or below one to the microsecond.
fn rounded_time(nanos: f64) -> Ns {
    let unit = if nanos < 1e6 { 1e3 } else { 1e6 };
    Ns((libm::round(rounded(nanos) / unit) * unit) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Range; 6] = [
        Range::Time(Ns::millis(10), Ns::secs(30)),
        Range::Factor(1.5, 200.0),
        Range::Share(0.05, 1.0),
        Range::Count(20, 1),
        Range::Rate(0.1, 2000.0),
        Range::Size(10_000, 1_000_000_000),
    ];

    fn shown(data: &Data) -> String {
        match data {
            Data::Text(text) => text.clone(),
            Data::Integer(i) => i.to_string(),
            Data::Float(x) => x.to_string(),
            other => panic!("{other:?} is no severity"),
        }
    }

    #[test]
    fn a_position_is_found_again_in_what_is_written_for_it() {
        for range in ALL {
            for step in 0..=20 {
                let position = f64::from(step) / 20.0;
                let found = range.position(&shown(&range.at(position)));
                let tolerance = if matches!(range, Range::Count(..)) { 0.2 } else { 0.01 };
                assert!((found - position).abs() < tolerance, "{range:?} at {position}: {found}");
            }
        }
    }

    #[test]
    fn the_ends_are_exact_and_values_are_short() {
        let ends = |range: Range| (shown(&range.at(0.0)), shown(&range.at(1.0)));
        assert_eq!(ends(ALL[0]), ("10ms".into(), "30s".into()));
        assert_eq!(ends(ALL[1]), ("1.5".into(), "200".into()));
        assert_eq!(ends(ALL[2]), ("5%".into(), "100%".into()));
        assert_eq!(ends(ALL[3]), ("20".into(), "1".into()));
        assert_eq!(shown(&ALL[0].at(0.5)), "548ms");
        assert_eq!(shown(&ALL[1].at(0.5)), "17.3");
    }
}
