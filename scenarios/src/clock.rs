//! Wall-clock time: what a file says of time, and how the run's time is shown.

use brownout_models::setting::Clock;
use brownout_models::units::{Ns, parse_duration};
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Zoned};
use std::cell::Cell;

/// Where a run lies in time: on a day of a time zone, or nowhere in particular.
#[derive(Clone, Debug)]
pub struct Calendar {
    start: Option<Zoned>,
    zone: String,
    length: Ns,
}

impl Calendar {
    /// A run without dates, of that length.
    pub(crate) fn bare(length: Ns) -> Calendar {
        Calendar { start: None, zone: String::new(), length }
    }

    /// A run from `start`, of that length.
    pub(crate) fn dated(start: Zoned, zone: &str, length: Ns) -> Calendar {
        Calendar { start: Some(start), zone: zone.into(), length }
    }

    /// How long the run is.
    pub fn length(&self) -> Ns {
        self.length
    }

    /// Whether the run lies on real days; otherwise times count from its start.
    pub fn has_calendar(&self) -> bool {
        self.start.is_some()
    }

    /// The name of the time zone, "America/Los_Angeles"; empty without a calendar.
    pub fn zone(&self) -> &str {
        &self.zone
    }

    /// The zone's abbreviation at the start, "PDT"; empty without a calendar.
    pub fn zone_abbreviation(&self) -> String {
        let abbreviation = |s: &Zoned| s.time_zone().to_offset_info(s.timestamp()).abbreviation().to_string();
        self.start.as_ref().map_or(String::new(), abbreviation)
    }

    /// A time of the run, in full: "2015-10-28 11:46:00", or "20s" without a calendar.
    pub fn wall(&self, at: Ns) -> String {
        self.zoned(at).map_or_else(|| at.to_string(), |time| format!("{} {}", time.date(), to_the_second(&time)))
    }

    /// A time of the run, short: "11:46", or "11:46:30" where there are seconds, or "20s" without a calendar.
    pub fn clock(&self, at: Ns) -> String {
        match self.zoned(at) {
            Some(time) if time.second() == 0 && time.subsec_nanosecond() == 0 => {
                format!("{:02}:{:02}", time.hour(), time.minute())
            }
            Some(time) => to_the_second(&time),
            None => at.to_string(),
        }
    }

    /// Seconds of a time of the run since midnight of its first day, running on past the next midnight (and
    /// past a change of the clocks); without a calendar, seconds since the start.
    pub fn time_of_day_s(&self, at: Ns) -> f64 {
        let start = self.start.as_ref().map_or(0.0, |s| {
            let time = s.time();
            f64::from(time.hour()) * 3600.0 + f64::from(time.minute()) * 60.0 + f64::from(time.second())
        });
        start + at.as_secs()
    }

    fn zoned(&self, at: Ns) -> Option<Zoned> {
        let nanos = i64::try_from(at.0).ok()?;
        self.start.as_ref()?.checked_add(SignedDuration::from_nanos(nanos)).ok()
    }

    /// The run's bounds for a message, with dates only where it spans several days.
    fn bounds(&self) -> String {
        let (from, to) = (self.zoned(Ns::ZERO), self.zoned(self.length));
        match (from, to) {
            (Some(from), Some(to)) if from.date() == to.date() => {
                format!("the day: it runs from {} to {}", self.clock(Ns::ZERO), self.clock(self.length))
            }
            _ => format!("the run: it goes from {} to {}", self.wall(Ns::ZERO), self.wall(self.length)),
        }
    }

    fn moment_of_day(&self, start: &Zoned, text: &str) -> Result<Ns, String> {
        let looks = || "a time looks like \"11:46\", \"11:46:30\" or \"2015-10-28 11:46\"".to_string();
        let outside = || format!("{text} is outside {}", self.bounds());
        let (date, time) = match text.split_once([' ', 'T']) {
            Some((date, time)) => (Some(read_date(date).ok_or_else(looks)?), time),
            None => (None, text),
        };
        let time = read_time(time).ok_or_else(looks)?;
        let first = date.unwrap_or(start.date());
        let at = after(start, first.to_datetime(time), text)?;
        // A bare time of day before the start belongs to the next morning.
        let at = match (at, date) {
            (None, None) => after(start, first.tomorrow().map_err(|_| outside())?.to_datetime(time), text)?,
            (at, _) => at,
        };
        at.filter(|at| *at <= self.length).ok_or_else(outside)
    }
}

/// "11:46:30", "11:46:30.5". By hand: a page's engine has no room for all that a pattern could say.
fn to_the_second(time: &Zoned) -> String {
    let text = format!("{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second());
    match time.subsec_nanosecond() {
        0 => text,
        nanos => format!("{text}.{}", format!("{nanos:09}").trim_end_matches('0')),
    }
}

impl Clock for Calendar {
    fn moment(&self, text: &str) -> Result<Ns, String> {
        if let Some(start) = &self.start {
            return self.moment_of_day(start, text.trim());
        }
        if read_time(text.trim()).is_some() || text.contains('-') {
            let message = "this scenario has no dates: write times since its start, such as \"20s\"";
            return Err(message.to_string());
        }
        let at = parse_duration(text)?;
        if at > self.length {
            return Err(format!("{text} is outside the run: it lasts {}", self.length));
        }
        Ok(at)
    }
}

/// The offset of a local time from the start, or `None` if it lies before. Of a local time that the autumn
/// change of the clocks makes twice, the first that is not before the start is meant.
fn after(start: &Zoned, local: DateTime, text: &str) -> Result<Option<Ns>, String> {
    let zone = start.time_zone();
    let ambiguous = zone.to_ambiguous_timestamp(local);
    let candidates = match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { offset } => vec![offset],
        AmbiguousOffset::Fold { before, after } => vec![before, after],
        AmbiguousOffset::Gap { .. } => return Err(format!("{text} does not exist: the clocks go forward over it")),
    };
    for offset in candidates {
        let at = offset.to_timestamp(local).map_err(|_| format!("{text} is out of range"))?;
        let since = at.duration_since(start.timestamp());
        if !since.is_negative() {
            return Ok(Some(u64::try_from(since.as_nanos()).map_or(Ns::NEVER, Ns)));
        }
    }
    Ok(None)
}

fn read_date(text: &str) -> Option<Date> {
    let plain = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    if plain { text.parse().ok() } else { None }
}

/// "11:46", "9:05" or "11:46:30.5".
fn read_time(text: &str) -> Option<Time> {
    let plain = text.contains(':') && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b':' | b'.'));
    if !plain {
        return None;
    }
    let padded = if text.find(':') == Some(1) { format!("0{text}") } else { text.to_string() };
    padded.parse().ok()
}

/// Seconds since midnight of a time of the day as written, for comparing two of them.
pub(crate) fn seconds_of_day(text: &str) -> Option<f64> {
    let time = read_time(text.trim())?;
    Some(f64::from(time.hour()) * 3600.0 + f64::from(time.minute()) * 60.0 + f64::from(time.second()))
}

/// Reads a date with time of day: the bounds of a span.
///
/// # Errors
/// Says what it looks like, or that the clocks skip it.
pub(crate) fn read_zoned(text: &str, zone: &TimeZone) -> Result<Zoned, String> {
    let looks = || "a date and time looks like \"2015-10-28 09:30\"".to_string();
    let (date, time) = text.trim().split_once([' ', 'T']).ok_or_else(looks)?;
    let local = read_date(date).ok_or_else(looks)?.to_datetime(read_time(time).ok_or_else(looks)?);
    let ambiguous = zone.to_ambiguous_zoned(local);
    if matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. }) {
        return Err(format!("{text} does not exist: the clocks go forward over it"));
    }
    ambiguous.compatible().map_err(|_| format!("{text} is out of range"))
}

/// Stands in where the run's own time could not be read: takes every time, each later than the one before, so
/// that one mistake in `span` does not make every other time a mistake.
#[derive(Default)]
pub(crate) struct AnyTime(Cell<u64>);

impl Clock for AnyTime {
    fn moment(&self, _: &str) -> Result<Ns, String> {
        self.0.set(self.0.get() + 1);
        Ok(Ns(self.0.get()))
    }
}
