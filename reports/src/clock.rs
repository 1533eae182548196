//! Times of a run as its wall clock shows them.
//!
//! Not modelled: a change between summer and winter time during the run. Times are counted on from the start.

use crate::text;
use brownout_sim::outcome::Span;

const DAY_S: f64 = 86_400.0;

/// Turns seconds since the start into what a clock on the wall shows; into plain seconds without a calendar.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start_s: f64,
    calendar: bool,
}

impl Clock {
    pub(crate) fn new(span: &Span) -> Self {
        let calendar = !span.zone.is_empty() || span.from_time_of_day_s != 0.0;
        Clock { start_s: if calendar { span.from_time_of_day_s } else { 0.0 }, calendar }
    }

    /// Whether the scenario has wall-clock times at all.
    pub(crate) fn calendar(&self) -> bool {
        self.calendar
    }

    /// Seconds from the first day's midnight to the start of the run.
    pub(crate) fn start_s(&self) -> f64 {
        self.start_s
    }

    /// "11:46", "00:10 +1d", "90 s".
    pub(crate) fn minute(&self, t_s: f64) -> String {
        self.show(t_s, false)
    }

    /// "11:46:02", "00:10:00 +1d", "90.5 s".
    pub(crate) fn second(&self, t_s: f64) -> String {
        self.show(t_s, true)
    }

    fn show(&self, t_s: f64, seconds: bool) -> String {
        if !self.calendar {
            return plain_seconds(t_s);
        }
        let at = (self.start_s + t_s).max(0.0);
        let at = (at + 1e-6).floor();
        let (day, of_day) = ((at / DAY_S).floor(), at % DAY_S);
        let (hour, minute, second) = ((of_day / 3600.0) as u32, (of_day / 60.0) as u32 % 60, of_day as u32 % 60);
        let mut shown = format!("{hour:02}:{minute:02}");
        if seconds {
            shown.push_str(&format!(":{second:02}"));
        }
        if day > 0.0 {
            shown.push_str(&format!(" +{day:.0}d"));
        }
        shown
    }
}

fn plain_seconds(t_s: f64) -> String {
    let shown = format!("{t_s:.1}");
    match shown.strip_suffix(".0").unwrap_or(&shown).parse::<u64>() {
        Ok(whole) => format!("{} s", text::grouped(whole)),
        Err(_) => format!("{shown} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_clock_and_plain_seconds() {
        let day = Clock::new(&Span { zone: "UTC".into(), from_time_of_day_s: 34_200.0, ..Span::default() });
        assert_eq!(day.minute(8_162.0), "11:46");
        assert_eq!(day.second(8_162.0), "11:46:02");
        assert_eq!(day.minute(60_000.0), "02:10 +1d");
        let plain = Clock::new(&Span::default());
        assert_eq!([plain.minute(0.0), plain.second(1_234.5)], ["0 s", "1234.5 s"]);
    }
}
