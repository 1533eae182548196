//! A schedule of faults: what a hunt draws, runs, shrinks and writes down.
//!
//! A schedule holds the entries of a timeline that are faults, each with what may be made smaller about it: how long,
//! how bad, how often, how suddenly. Every number in it is one that a file can say, so that what was run is what is
//! written. Keys that a fault does not need to be made smaller are carried along as they stand.

use crate::knob::Knob;
use crate::shrink::breadth;
use crate::vocabulary::{LASTS, Vocabulary};
use brownout_models::setting::quoted;
use brownout_models::units::{Ns, parse_duration};
use brownout_scenarios::{Calendar, moment, unquoted};

/// The key of the time between an entry's time, or its sign, and what it does.
const DELAY: &str = "delay";

/// When a fault sets in.
#[derive(Clone, PartialEq, Debug)]
pub enum Onset {
    /// At a time since the start of the run.
    At(Ns),
    /// At a sign of the world, as the file says it; left as it is.
    Sign,
}

/// Several times instead of once.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Repeat {
    /// From one onset to the next.
    pub every: Ns,
    /// How often in all.
    pub times: u32,
}

/// A number that says how bad a fault is.
#[derive(Clone, PartialEq, Debug)]
pub struct Severity {
    /// What it is, and from where to where it goes.
    pub knob: Knob,
    /// Its value, in the knob's unit.
    pub value: f64,
}

/// One fault.
#[derive(Clone, PartialEq, Debug)]
pub struct Fault {
    /// The kind's word: "hang".
    pub what: String,
    /// When it sets in.
    pub onset: Onset,
    /// Whether it strikes once and leaves nothing in force.
    pub instant: bool,
    /// How long it is in force; none: to the end of the run, or no time at all.
    pub lasts: Option<Ns>,
    /// Over how long it reaches its severity.
    pub ramp: Ns,
    /// How often it comes back.
    pub repeat: Option<Repeat>,
    /// Each number that says how bad it is.
    pub severity: Vec<Severity>,
    /// All other keys with their values as TOML: what it is, what it hits, and what nothing here changes.
    pub keys: Vec<(String, String)>,
}

/// Some faults, in no particular order.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Schedule {
    /// The faults.
    pub faults: Vec<Fault>,
}

impl Fault {
    /// Its keys and values, as a `[[timeline]]` entry of a file says them.
    pub fn entry(&self, calendar: &Calendar) -> Vec<(String, String)> {
        let mut out = Vec::new();
        let mut delay = self.keys.iter().find(|(key, _)| key == DELAY).map(|(_, value)| value.clone());
        if let Onset::At(at) = self.onset {
            let text = moment(calendar, at).unwrap_or_else(|| {
                // An hour that the clocks make twice has no text for its second time: so long after the start.
                let own = delay.as_deref().and_then(|own| parse_duration(&unquoted(own)).ok()).unwrap_or(Ns::ZERO);
                delay = Some(quoted(&at.plus(own).to_string()));
                moment(calendar, Ns::ZERO).unwrap_or_default()
            });
            out.push(("at".to_string(), quoted(&text)));
        }
        out.extend(delay.map(|delay| (DELAY.to_string(), delay)));
        out.extend(self.keys.iter().filter(|(key, _)| key != DELAY).cloned());
        for severity in &self.severity {
            out.push((severity.knob.key.clone(), severity.knob.write(severity.value)));
        }
        if let Some(lasts) = self.lasts {
            out.push((LASTS.to_string(), quoted(&lasts.to_string())));
        }
        if self.ramp > Ns::ZERO {
            out.push(("ramp".to_string(), quoted(&self.ramp.to_string())));
        }
        if let Some(Repeat { every, times }) = self.repeat {
            out.push(("repeat".to_string(), format!("{{ every = \"{every}\", times = {times} }}")));
        }
        out
    }

    /// What a key says: a text without its quotes and escapes, anything else as TOML.
    pub fn says(&self, key: &str) -> Option<String> {
        self.keys.iter().find(|(name, _)| name == key).map(|(_, value)| unquoted(value))
    }

    /// Its name, if its entry has one.
    pub fn id(&self) -> Option<String> {
        self.says("id")
    }

    /// When its last repetition ends, where that is known.
    pub fn ends(&self) -> Option<Ns> {
        let again = self.repeat.map_or(0, |r| r.every.0.saturating_mul(u64::from(r.times.saturating_sub(1))));
        let lasts = if self.instant { Some(Ns::ZERO) } else { self.lasts };
        Some(self.at()?.plus(Ns(again)).plus(lasts?))
    }

    /// When it sets in, where that is known.
    pub fn at(&self) -> Option<Ns> {
        match self.onset {
            Onset::At(at) => Some(at),
            Onset::Sign => None,
        }
    }
}

impl Schedule {
    /// The faults as `[[timeline]]` entries of a file.
    pub fn to_toml(&self, calendar: &Calendar) -> String {
        let mut out = String::new();
        for fault in &self.faults {
            out.push_str("[[timeline]]\n");
            for (key, value) in fault.entry(calendar) {
                out.push_str(&format!("{key} = {value}\n"));
            }
            out.push('\n');
        }
        out
    }

    /// Whether this is a part of another schedule: its faults are some of the other's, in their order, and none lasts
    /// longer, is worse, comes more often or rises more gently than there.
    pub fn is_within(&self, other: &Schedule, span: Ns) -> bool {
        let mut rest = other.faults.iter();
        self.faults.iter().all(|mine| rest.any(|theirs| mine.is_within(theirs, span)))
    }

    /// The names of its faults, as far as they have one.
    pub fn ids(&self) -> Vec<String> {
        self.faults.iter().filter_map(Fault::id).collect()
    }

    /// In words: "hang identify for 38s; slow identify 4.1x for 10s".
    pub fn words(&self, vocabulary: &Vocabulary) -> String {
        let each: Vec<_> = self.faults.iter().map(|fault| vocabulary.words(fault)).collect();
        if each.is_empty() { "no fault".into() } else { each.join("; ") }
    }
}

impl Fault {
    fn is_within(&self, other: &Fault, span: Ns) -> bool {
        let times = |fault: &Fault| fault.repeat.map_or(1, |r| r.times);
        let fewer = |(mine, theirs): (&(String, String), &(String, String))| {
            mine == theirs || (mine.0 == theirs.0 && mine.0 == "servers" && breadth(&mine.1) <= breadth(&theirs.1))
        };
        let keys = self.keys.len() == other.keys.len() && self.keys.iter().zip(&other.keys).all(fewer);
        let same = self.what == other.what && self.onset == other.onset && keys;
        let milder = |(mine, theirs): (&Severity, &Severity)| {
            mine.knob == theirs.knob && mine.knob.badness(mine.value) <= theirs.knob.badness(theirs.value)
        };
        same && self.severity.len() == other.severity.len()
            && self.severity.iter().zip(&other.severity).all(milder)
            && self.lasts.unwrap_or(span) <= other.lasts.unwrap_or(span)
            && self.ramp <= other.ramp
            && times(self) <= times(other)
    }
}
