//! Recorded calls: where a population's times stand, how they are to be read, and by how much a seed moves them.
//!
//! The loader of the scenario reads the file; here stands what it may say of it. A recording is one sample of its arrivals:
//! replayed as it stands, seeds differ in everything else only, and a run that could have gone either way looks certain.
//! `shift_by_seed` and `jitter` give each seed a sample of its own.

use crate::random::Stream;
use crate::setting::{
    Data, Form, Named, Reader, Scope, Setting, Settings, Silence, Value, always, inline, quoted, read_settings, unless,
};
use crate::units::Ns;
use crate::{choices, settings};
use std::sync::Arc;

choices! {
    /// In what a column counts time.
    pub enum TimeUnit = Seconds {
        /// Seconds.
        Seconds = "s",
        /// Milliseconds.
        Millis = "ms",
        /// Microseconds.
        Micros = "us",
        /// Nanoseconds.
        Nanos = "ns",
    }
}

impl TimeUnit {
    /// Nanoseconds of one.
    pub fn nanos(self) -> f64 {
        match self {
            TimeUnit::Seconds => 1e9,
            TimeUnit::Millis => 1e6,
            TimeUnit::Micros => 1e3,
            TimeUnit::Nanos => 1.0,
        }
    }
}

settings! {
    /// Recorded calls, replayed.
    pub struct Recording {
        /// A CSV file whose first line names its columns; its path is taken from the folder of the scenario.
        pub file (required): String = String::new() => always;
        /// The column with the time of a call.
        pub time: String = "t".into() => always;
        /// In what that column counts.
        pub unit: TimeUnit = TimeUnit::Seconds => always;
        /// What that column shows when the run begins; earlier rows are left out. (in `unit`)
        pub begins: f64 = 0.0 => always;
        /// The column with the kind of a call; none: every row is a call of this population.
        pub kind: Option<String> = Some("kind".into()) => always;
        /// What a kind of call is named in the file, for kinds that have another name here: `{ "POST /t" = "track" }`.
        pub kinds: Named<String> = Named::default() => has_kinds;
        /// Every call comes so much later. (time)
        pub shift: Ns = Ns::ZERO, "0s" ..= "720h" => always;
        /// Every call comes later by one time, drawn anew for each seed, of up to this; populations that replay one file are
        /// moved together. (time)
        pub shift_by_seed: Ns = Ns::ZERO, "0s" ..= "720h" => always;
        /// Each call comes up to so much earlier or later, at random, anew for each seed. (time)
        pub jitter: Ns = Ns::ZERO, "0s" ..= "1h" => always;
    }
}

fn has_kinds(recording: &Recording, _: &Scope<'_>) -> Silence {
    unless(recording.kind.is_some(), "`kind` is \"none\": every row is a call of this population")
}

impl Recording {
    /// The kind of call that the file's word stands for.
    pub fn kind_of<'a>(&'a self, word: &'a str) -> &'a str {
        self.kinds.get(word).map_or(word, String::as_str)
    }

    /// The times under a seed, in order, for the population of that name.
    pub fn moved(&self, times: &Arc<[Ns]>, seed: u64, population: &str) -> Arc<[Ns]> {
        if self.shift_by_seed == Ns::ZERO && self.jitter == Ns::ZERO {
            return times.clone();
        }
        let later = Stream::new(seed, &format!("traces/{}/shift", self.file)).unit() * self.shift_by_seed.0 as f64;
        let mut each = Stream::new(seed, &format!("clients/{population}/jitter"));
        let jitter = self.jitter.0;
        let one = |at: &Ns| {
            let later_or_earlier = later as u64 + (each.unit() * 2.0 * jitter as f64) as u64;
            Ns(at.0.saturating_add(later_or_earlier).saturating_sub(jitter))
        };
        let mut moved: Vec<Ns> = times.iter().map(one).collect();
        moved.sort_unstable();
        moved.into()
    }
}

/// A recording: the name of its file, or a table that also says how to read it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Trace(pub Recording);

impl Trace {
    /// The calls of a file that is as the defaults expect it.
    pub fn of(file: &str) -> Trace {
        Trace(Recording { file: file.into(), ..Recording::default() })
    }
}

impl Setting for Trace {
    fn read(value: &Value, reader: &mut Reader<'_>) -> Option<Self> {
        match &value.data {
            Data::Text(file) => Some(Trace::of(file)),
            Data::Table(_) => read_settings(value, reader, &[]).map(Trace),
            _ => {
                reader.expected(value, "the name of a file, or a table with `file`");
                None
            }
        }
    }
    fn form() -> Form {
        Form::Either(vec![Form::Text("calls.csv"), Recording::form()])
    }
    fn show(&self) -> String {
        if *self == Trace::of(&self.0.file) { self.0.file.clone() } else { inline(&self.0.written()) }
    }
    fn listen(&self, value: &Value, scope: &mut Scope<'_>) {
        self.0.listen(value, scope);
    }
    fn toml(&self) -> String {
        if *self == Trace::of(&self.0.file) { quoted(&self.0.file) } else { inline(&self.0.written()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times() -> Arc<[Ns]> {
        (0..1000).map(|n| Ns::millis(10 * n)).collect()
    }

    #[test]
    fn as_it_stands_a_recording_is_the_same_under_every_seed() {
        let (plain, times) = (Recording::default(), times());
        assert!([1, 2].iter().all(|seed| plain.moved(&times, *seed, "a") == times));
    }

    #[test]
    fn jitter_moves_each_call_within_its_bounds_anew_for_each_seed_and_population() {
        let jittery = Recording { jitter: Ns::millis(3), ..Recording::default() };
        let (one, again) = (jittery.moved(&times(), 1, "a"), jittery.moved(&times(), 1, "a"));
        assert_eq!(one, again);
        assert_ne!(one, jittery.moved(&times(), 2, "a"));
        assert_ne!(one, jittery.moved(&times(), 1, "b"));
        assert!(one.is_sorted());
        let off: Vec<i64> = one.iter().zip(times().iter()).map(|(new, old)| new.0 as i64 - old.0 as i64).collect();
        assert!(off.iter().all(|by| by.abs() <= 3_000_000), "gaps of 10 ms keep their order");
        let mean = off.iter().sum::<i64>() / 1000;
        assert!(mean.abs() < 300_000 && off.iter().any(|by| *by < -2_000_000), "mean {mean} ns");
    }

    #[test]
    fn order_is_kept_where_jitter_would_cross_it_and_nothing_comes_before_the_start() {
        let jittery = Recording { jitter: Ns::secs(1), ..Recording::default() };
        let moved = jittery.moved(&times(), 1, "a");
        assert!(moved.is_sorted() && moved.len() == 1000);
    }

    #[test]
    fn populations_of_one_file_are_moved_together() {
        let shifted = Recording { file: "x.csv".into(), shift_by_seed: Ns::secs(5), ..Recording::default() };
        let (a, b) = (shifted.moved(&times(), 1, "a"), shifted.moved(&times(), 1, "b"));
        assert_eq!(a, b);
        assert_eq!(a[1].minus(a[0]), Ns::millis(10));
        assert!(a[0] <= Ns::secs(5) && a != shifted.moved(&times(), 2, "a"));
    }
}
