//! Units that scenario files and the world speak: time, rates, shares, sizes, quantities.
//!
//! Time is integer nanoseconds everywhere. The other units are read from text with their unit
//! ("180/s", "10%", "1.4GB", "13M"); a bare number where a unit is due is an error, because the
//! most expensive mistake in such a file is a factor of a thousand.

use serde::Serialize;
use std::fmt;

/// A point in simulated time, or a span of it, in nanoseconds since the start of the run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Serialize)]
#[serde(transparent)]
pub struct Ns(pub u64);

impl Ns {
    /// No time at all; also the start of a run.
    pub const ZERO: Ns = Ns(0);
    /// Later than any run lasts: "never", "no limit".
    pub const NEVER: Ns = Ns(u64::MAX);

    /// `n` nanoseconds.
    pub const fn nanos(n: u64) -> Ns {
        Ns(n)
    }
    /// `n` microseconds.
    pub const fn micros(n: u64) -> Ns {
        Ns(n * 1_000)
    }
    /// `n` milliseconds.
    pub const fn millis(n: u64) -> Ns {
        Ns(n * 1_000_000)
    }
    /// `n` seconds.
    pub const fn secs(n: u64) -> Ns {
        Ns(n * 1_000_000_000)
    }
    /// Whether this stands for "never" or "no limit".
    pub const fn is_never(self) -> bool {
        self.0 == u64::MAX
    }
    /// In seconds.
    pub fn as_secs(self) -> f64 {
        self.0 as f64 / 1e9
    }
    /// From seconds, rounded to the nearest nanosecond; negative and NaN become zero, too long becomes
    /// [`Ns::NEVER`].
    pub fn from_secs_f64(seconds: f64) -> Ns {
        Ns((seconds * 1e9 + 0.5) as u64)
    }
    /// The sum, or [`Ns::NEVER`] if either is never.
    #[must_use]
    pub const fn plus(self, other: Ns) -> Ns {
        Ns(self.0.saturating_add(other.0))
    }
    /// The difference, or zero where `other` is later.
    #[must_use]
    pub const fn minus(self, other: Ns) -> Ns {
        Ns(self.0.saturating_sub(other.0))
    }
    /// This span times a factor of at least zero.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Ns {
        if self.is_never() { self } else { Ns((self.0 as f64 * factor + 0.5) as u64) }
    }
    /// How long this span takes by a clock that runs at another rate. Three digits are kept, so that there are not too many
    /// different ones.
    #[must_use]
    pub fn by_clock(self, rate: f64) -> Ns {
        let Ns(nanos) = self.scaled(1.0 / rate).max(Ns(1));
        let unit = 10_u64.pow(nanos.ilog10().saturating_sub(2));
        Ns(nanos / unit * unit)
    }
}

impl fmt::Display for Ns {
    /// The shortest exact spelling: `250ms`, `1h30m`, `never`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_never() {
            return f.write_str("never");
        }
        let n = self.0;
        if n == 0 {
            return f.write_str("0s");
        }
        if n < 60_000_000_000 {
            let (unit, name) = match n {
                1_000_000_000.. => (1_000_000_000, "s"),
                1_000_000.. => (1_000_000, "ms"),
                1_000.. => (1_000, "us"),
                _ => (1, "ns"),
            };
            let value = n as f64 / unit as f64;
            return write!(f, "{value}{name}");
        }
        let seconds = n / 1_000_000_000;
        let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        if h > 0 {
            write!(f, "{h}h")?;
        }
        if m > 0 {
            write!(f, "{m}m")?;
        }
        let rest = s as f64 + (n % 1_000_000_000) as f64 / 1e9;
        if rest > 0.0 {
            write!(f, "{rest}s")?;
        }
        Ok(())
    }
}

/// Reads "250ms", "0.5ms", "30s", "8h 6m"; "none" and "never" mean no limit.
///
/// # Errors
/// Says what a duration looks like.
pub fn parse_duration(text: &str) -> Result<Ns, String> {
    if matches!(text, "none" | "never") {
        return Ok(Ns::NEVER);
    }
    if text.trim().parse::<f64>().is_ok() {
        return Err(format!("a duration needs a unit: \"{0}s\" or \"{0}ms\"", text.trim()));
    }
    let wrong = || "a duration looks like \"250ms\", \"30s\" or \"1h 30m\"".to_string();
    let duration: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
    if duration.is_negative() {
        return Err("a duration must not be negative".into());
    }
    let nanos = u64::try_from(duration.as_nanos()).map_err(|_| "that is longer than 584 years".to_string())?;
    if nanos > 100 * 366 * 86_400_000_000_000 {
        return Err("that is longer than 100 years".into());
    }
    Ok(Ns(nanos))
}

/// Splits "1.5GB" into 1.5 and "GB".
fn number_and_unit(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '_' | '-' | '+'))).unwrap_or(text.len());
    let number: f64 = text[..end].replace('_', "").parse().ok()?;
    Some((number, text[end..].trim()))
}

fn not_negative(value: f64, what: &str) -> Result<f64, String> {
    if value < 0.0 { Err(format!("{what} must not be negative")) } else { Ok(value) }
}

/// Calls or units per second.
#[derive(Clone, Copy, PartialEq, PartialOrd, Default, Debug, Serialize)]
#[serde(transparent)]
pub struct Rate(pub f64);

/// Reads "180/s", "3k/s", "90/min", "5/h".
///
/// # Errors
/// Says what a rate looks like.
pub fn parse_rate(text: &str) -> Result<Rate, String> {
    let wrong = || "a rate looks like \"180/s\", \"90/min\" or \"5/h\"".to_string();
    if let Ok(bare) = text.trim().parse::<f64>() {
        return Err(format!("a rate needs a unit: \"{bare}/s\" or \"{bare}/min\""));
    }
    let (amount, per) = text.split_once('/').ok_or_else(wrong)?;
    let amount = not_negative(parse_quantity(amount).map_err(|_| wrong())?.0, "a rate")?;
    let seconds = match per.trim() {
        "s" | "sec" | "second" => 1.0,
        "ms" => 0.001,
        "min" | "m" | "minute" => 60.0,
        "h" | "hour" => 3600.0,
        "d" | "day" => 86400.0,
        _ => return Err(wrong()),
    };
    Ok(Rate(amount / seconds))
}

/// A part of a whole, from 0 to 1.
#[derive(Clone, Copy, PartialEq, PartialOrd, Default, Debug, Serialize)]
#[serde(transparent)]
pub struct Share(pub f64);

impl Share {
    /// So many of `count`, cut off to a whole number. What is whole but for the rounding of the machine is whole: 29% of
    /// 100 are 29, though `100.0 * 0.29` is a little less.
    pub fn of(self, count: u32) -> u32 {
        self.exactly(count).unwrap_or_else(|between| between as u32)
    }

    /// So many of `count`, rounded up: 7% of 100 are 7, though `100.0 * 0.07` is a little more.
    pub fn of_rounded_up(self, count: u32) -> u32 {
        self.exactly(count).unwrap_or_else(|between| libm::ceil(between) as u32)
    }

    /// So many of `count`, or between which whole numbers that lies.
    fn exactly(self, count: u32) -> Result<u32, f64> {
        let product = f64::from(count) * self.0;
        let whole = libm::round(product);
        // A share and its product are each off by half a last place; two thirds of a thousand million are not whole.
        if libm::fabs(product - whole) < 1e-14 * whole.max(1.0) { Ok(whole as u32) } else { Err(product) }
    }
}

/// Reads "10%" or "3/100".
///
/// # Errors
/// Says what a share looks like.
pub fn parse_share(text: &str) -> Result<Share, String> {
    let wrong = || "a share looks like \"10%\" or \"3/100\"".to_string();
    let value = if let Some(percent) = text.trim().strip_suffix('%') {
        percent.trim().parse::<f64>().map_err(|_| wrong())? / 100.0
    } else if let Some((part, whole)) = text.split_once('/') {
        let part: f64 = part.trim().parse().map_err(|_| wrong())?;
        let whole: f64 = whole.trim().parse().map_err(|_| wrong())?;
        part / whole
    } else {
        return Err(wrong());
    };
    if (0.0..=1.0).contains(&value) { Ok(Share(value)) } else { Err("a share lies between 0% and 100%".into()) }
}

/// An amount of memory, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug, Serialize)]
#[serde(transparent)]
pub struct Bytes(pub u64);

impl Bytes {
    /// No limit.
    pub const UNLIMITED: Bytes = Bytes(u64::MAX);
}

/// Reads "64KB", "1.4GB", "512MiB"; "none" means no limit.
///
/// # Errors
/// Says what a size looks like.
pub fn parse_bytes(text: &str) -> Result<Bytes, String> {
    if text == "none" {
        return Ok(Bytes::UNLIMITED);
    }
    let wrong = || "a size looks like \"64KB\", \"1.4GB\" or \"512MiB\"".to_string();
    let (number, unit) = number_and_unit(text).ok_or_else(wrong)?;
    let factor = match unit {
        "B" => 1.0,
        "KB" | "kB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "TB" => 1e12,
        "KiB" => 1024.0,
        "MiB" => 1_048_576.0,
        "GiB" => 1_073_741_824.0,
        _ => return Err(wrong()),
    };
    Ok(Bytes((not_negative(number, "a size")? * factor) as u64))
}

impl fmt::Display for Bytes {
    /// The shortest exact spelling: `2GB`, `512MiB`, `1500B`, `none`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 7] = [
            (1_000_000_000_000, "TB"),
            (1_000_000_000, "GB"),
            (1 << 30, "GiB"),
            (1_000_000, "MB"),
            (1 << 20, "MiB"),
            (1_000, "KB"),
            (1 << 10, "KiB"),
        ];
        let whole = |(size, _): &&(u64, &str)| self.0 > 0 && self.0.is_multiple_of(*size);
        match UNITS.iter().find(whole) {
            _ if *self == Bytes::UNLIMITED => f.write_str("none"),
            Some((size, unit)) => write!(f, "{}{unit}", self.0 / size),
            None => write!(f, "{}B", self.0),
        }
    }
}

/// A count that may be large and written short: ids, rows.
#[derive(Clone, Copy, PartialEq, PartialOrd, Default, Debug, Serialize)]
#[serde(transparent)]
pub struct Quantity(pub f64);

/// Reads "13M", "2.5k", "800".
///
/// # Errors
/// Says what a quantity looks like.
pub fn parse_quantity(text: &str) -> Result<Quantity, String> {
    let wrong = || "a quantity looks like \"13M\", \"2.5k\" or \"800\"".to_string();
    let (number, unit) = number_and_unit(text).ok_or_else(wrong)?;
    let factor = match unit {
        "" => 1.0,
        "k" | "K" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        _ => return Err(wrong()),
    };
    Ok(Quantity(number * factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_as_an_engineer_writes_them() {
        assert_eq!(parse_duration("250ms"), Ok(Ns::millis(250)));
        assert_eq!(parse_duration("0.5ms"), Ok(Ns::micros(500)));
        assert_eq!(parse_duration("8h 6m"), Ok(Ns::secs(29_160)));
        assert_eq!(parse_duration("none"), Ok(Ns::NEVER));
        assert_eq!(parse_rate("90/min"), Ok(Rate(1.5)));
        assert_eq!(parse_rate("3k/s"), Ok(Rate(3000.0)));
        assert_eq!(parse_share("3/100"), Ok(Share(0.03)));
        assert_eq!(parse_bytes("1.5KiB"), Ok(Bytes(1536)));
        assert_eq!(parse_quantity("13M"), Ok(Quantity(13e6)));
        for text in ["0B", "999B", "1500B", "2KB", "3KiB", "512MiB", "1400MB", "2GB", "1GiB", "none"] {
            assert_eq!(parse_bytes(text).map(|bytes| bytes.to_string()), Ok(text.to_string()));
        }
    }

    #[test]
    fn a_missing_unit_is_an_error_that_shows_the_repair() {
        assert_eq!(parse_duration("5").unwrap_err(), "a duration needs a unit: \"5s\" or \"5ms\"");
        assert_eq!(parse_rate("280").unwrap_err(), "a rate needs a unit: \"280/s\" or \"280/min\"");
        assert!(parse_duration("-3s").is_err() && parse_rate("-1/s").is_err() && parse_share("101%").is_err());
        assert!(parse_share("1/0").is_err() && parse_rate("NaN/s").is_err() && parse_bytes("-1GB").is_err());
    }

    #[test]
    fn durations_print_so_that_they_read_back() {
        for text in ["0s", "250ms", "1.5s", "30us", "1m", "8h6m", "1h1m1.5s", "never"] {
            assert_eq!(parse_duration(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_share_of_a_whole_is_exact() {
        for of in [1, 3, 7, 10, 64, 100, 128, 250, 1000, 99_999, 1_000_000_000] {
            for percent in 0..=100_u32 {
                let share = parse_share(&format!("{percent}%")).unwrap();
                let hundredths = u64::from(of) * u64::from(percent);
                assert_eq!(u64::from(share.of(of)), hundredths / 100, "{percent}% of {of}");
                assert_eq!(u64::from(share.of_rounded_up(of)), hundredths.div_ceil(100), "{percent}% of {of}");
            }
            for third in 0..=3_u32 {
                let share = parse_share(&format!("{third}/3")).unwrap();
                assert_eq!(u64::from(share.of(of)), u64::from(of) * u64::from(third) / 3, "{third}/3 of {of}");
            }
        }
    }
}
