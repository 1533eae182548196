//! Faults: everything that an entry of the timeline can make go wrong.
//!
//! Each kind of fault is one file here, with its keys, its target and what it does to the knobs of that target, and one
//! line in the list below. The decoder, `list`, `explain`, the schema, the docs and the random schedules of `hunt` all
//! come from that list. A fault in force is a layer on the stack of each of its targets (see `stack`): any number may
//! overlap, and when one ends its target behaves as the others say. When a fault begins and how long it is in force is
//! the business of the timeline (`component::operator`).
//!
//! Not modelled: faults of the machine that several processes share, corrupted data, wrong answers with a good status.

mod kind;
mod knobs;
mod ranges;
mod stack;
mod target;

mod bad_answers;
mod check_storm;
mod checker_stopped;
mod clock_skew;
mod config_push;
mod connection_limit;
mod connection_reset;
mod crash;
mod crash_loop;
mod error;
mod failover;
mod flush;
mod gray_failure;
mod hang;
mod latency;
mod loss;
mod memory_leak;
mod mix_shift;
mod one_way_partition;
mod partition;
mod pause;
mod refuse;
mod refuse_writes;
mod retry_storm;
mod rolling_deploy;
mod sever;
mod slow;
mod surge;
mod worker_leak;

pub use kind::{Class, Course, FaultKind, Leak, Onset};
pub use knobs::{BalancerKnobs, ClientKnobs, Connects, Knobs, LinkKnobs, ServerKnobs, StoreKnobs};
pub use ranges::{Range, Severity};
pub use stack::{Effects, Layer, Stack};
pub use target::{Between, Part, Target, Which};

pub use bad_answers::{BadAnswer, BadAnswers};
pub use check_storm::CheckStorm;
pub use checker_stopped::CheckerStopped;
pub use clock_skew::ClockSkew;
pub use config_push::ConfigPush;
pub use connection_limit::ConnectionLimit;
pub use connection_reset::ConnectionReset;
pub use crash::Crash;
pub use crash_loop::CrashLoop;
pub use error::Error;
pub use failover::Failover;
pub use flush::Flush;
pub use gray_failure::GrayFailure;
pub use hang::Hang;
pub use latency::Latency;
pub use loss::Loss;
pub use memory_leak::MemoryLeak;
pub use mix_shift::MixShift;
pub use one_way_partition::OneWayPartition;
pub use partition::Partition;
pub use pause::Pause;
pub use refuse::Refuse;
pub use refuse_writes::RefuseWrites;
pub use retry_storm::RetryStorm;
pub use rolling_deploy::RollingDeploy;
pub use sever::Sever;
pub use slow::Slow;
pub use surge::Surge;
pub use worker_leak::WorkerLeak;

use crate::setting::{Data, Field, Form, Problem, Reader, Scope, Setting, Settings, Table, Value, Written};
use crate::spec::WorldSpec;

macro_rules! faults {
    ($($ty:ident;)*) => {
        /// A fault with its target and its severity.
        #[derive(Clone, PartialEq, Debug)]
        pub enum Fault {
            $( #[doc = concat!("See [`", stringify!($ty), "`].")] $ty($ty), )*
        }

        /// Every kind of fault, in the order of the documentation.
        pub fn kinds() -> Vec<Kind> {
            vec![ $( Kind::of::<$ty>(|| Fault::$ty($ty::default())) ),* ]
        }

        impl Fault {
            /// The word that a file uses.
            pub fn word(&self) -> &'static str {
                match self { $( Fault::$ty(_) => $ty::WORD ),* }
            }

            /// What it is aimed at.
            pub fn target(&self) -> Target<'_> {
                match self { $( Fault::$ty(fault) => fault.target() ),* }
            }

            /// What its beginning does at once.
            pub fn onset(&self) -> Onset {
                match self { $( Fault::$ty(fault) => fault.onset() ),* }
            }

            /// What kind of thing that is.
            pub fn class(&self) -> Class {
                match self { $( Fault::$ty(_) => $ty::CLASS ),* }
            }

            /// How it is in force.
            pub fn course(&self) -> Course {
                match self { $( Fault::$ty(_) => $ty::COURSE ),* }
            }

            /// Lays it on the knobs of a store, at a level above 0 and up to 1.
            pub fn on_store(&self, knobs: &mut StoreKnobs, level: f64) {
                match self { $( Fault::$ty(fault) => fault.on_store(knobs, level) ),* }
            }

            /// As [`Fault::on_store`].
            pub fn on_server(&self, knobs: &mut ServerKnobs, level: f64) {
                match self { $( Fault::$ty(fault) => fault.on_server(knobs, level) ),* }
            }

            /// As [`Fault::on_store`].
            pub fn on_link(&self, knobs: &mut LinkKnobs, level: f64) {
                match self { $( Fault::$ty(fault) => fault.on_link(knobs, level) ),* }
            }

            /// As [`Fault::on_store`].
            pub fn on_balancer(&self, knobs: &mut BalancerKnobs, level: f64) {
                match self { $( Fault::$ty(fault) => fault.on_balancer(knobs, level) ),* }
            }

            /// As [`Fault::on_store`].
            pub fn on_clients(&self, knobs: &mut ClientKnobs, level: f64) {
                match self { $( Fault::$ty(fault) => fault.on_clients(knobs, level) ),* }
            }

            /// Every key that is not as it would be by default, with its value as a file would write it.
            pub fn written(&self) -> Vec<Written> {
                match self { $( Fault::$ty(fault) => fault.written() ),* }
            }

            /// Notes which of its keys that are written have an effect.
            pub fn listen_to(&self, table: &Table, scope: &mut Scope<'_>) {
                match self { $( Fault::$ty(fault) => fault.listen_to(table, scope) ),* }
            }

            fn more_problems(&self, world: &WorldSpec, found: &mut Vec<Problem>) {
                match self { $( Fault::$ty(fault) => fault.problems(world, found) ),* }
            }

            fn apply(&mut self, value: &Value, reader: &mut Reader<'_>) {
                let Data::Table(table) = &value.data else { return };
                match self { $( Fault::$ty(fault) => fault.apply(table, reader) ),* }
            }

            /// Reads the fault of that word, if there is one; `others` are keys of the table that somebody else reads.
            pub fn read(
                word: &str,
                value: &Value,
                reader: &mut Reader<'_>,
                others: &[&'static str],
            ) -> Option<Option<Fault>> {
                match word {
                    $( $ty::WORD => Some(crate::setting::read_settings::<$ty>(value, reader, others).map(Fault::$ty)), )*
                    _ => None,
                }
            }
        }
    };
}

faults! {
    RefuseWrites;
    Error;
    Refuse;
    Hang;
    Sever;
    Slow;
    ConnectionLimit;
    Failover;
    Flush;
    Crash;
    CrashLoop;
    Pause;
    GrayFailure;
    BadAnswers;
    WorkerLeak;
    MemoryLeak;
    ClockSkew;
    RollingDeploy;
    Latency;
    Loss;
    Partition;
    OneWayPartition;
    ConnectionReset;
    CheckStorm;
    CheckerStopped;
    ConfigPush;
    Surge;
    RetryStorm;
    MixShift;
}

/// What is known of a kind of fault.
#[derive(Clone, Debug)]
pub struct Kind {
    /// The word that a file uses after `do`.
    pub word: &'static str,
    /// What it is, and of which real thing it is the model.
    pub doc: &'static str,
    /// What it is aimed at.
    pub class: Class,
    /// How it is in force.
    pub course: Course,
    /// What is counted as its effects.
    pub counts: &'static str,
    /// What makes it mild or extreme: keys and their ranges. Empty where it is on or off.
    pub severities: &'static [Severity],
    /// The keys of an example, beside `do` and those that say when; names in it begin with "my-".
    pub example: &'static str,
    /// Its own keys.
    pub fields: Vec<Field>,
    make: fn() -> Fault,
}

impl Kind {
    fn of<T: FaultKind>(make: fn() -> Fault) -> Kind {
        Kind {
            word: T::WORD,
            doc: crate::setting::told(T::DOC),
            class: T::CLASS,
            course: T::COURSE,
            counts: T::COUNTS,
            severities: T::SEVERITIES,
            example: T::EXAMPLE,
            fields: T::fields(),
            make,
        }
    }

    /// The kind of that word.
    pub fn find(word: &str) -> Option<Kind> {
        kinds().into_iter().find(|kind| kind.word == word)
    }

    /// A fault of this kind with every key as it is by default, and no target yet.
    pub fn plain(&self) -> Fault {
        (self.make)()
    }

    /// Whether it has a severity that may rise over a `ramp`.
    pub fn is_gradual(&self) -> bool {
        self.course == Course::Gradual
    }

    /// Every target that this kind may have in a world, as the keys to set.
    pub fn targets(&self, world: &WorldSpec) -> Vec<Vec<(&'static str, Data)>> {
        let all = target::targets(self, world);
        let fits = |keys: &Vec<(&'static str, Data)>| {
            let mut fault = self.plain();
            keys.iter().for_each(|(key, data)| fault.set(key, data.clone()));
            fault.problems(world).is_empty()
        };
        all.into_iter().filter(fits).collect()
    }

    /// A random fault of this kind in a world; `unit` gives numbers from 0 to 1. None if nothing there can have it.
    pub fn draw(&self, world: &WorldSpec, unit: &mut dyn FnMut() -> f64) -> Option<Fault> {
        let mut targets = self.targets(world);
        if targets.is_empty() {
            return None;
        }
        let at = ((unit() * targets.len() as f64) as usize).min(targets.len() - 1);
        let mut fault = self.plain();
        targets.swap_remove(at).into_iter().for_each(|(key, data)| fault.set(key, data));
        for severity in self.severities {
            fault.set(severity.key, severity.range.at(unit()));
        }
        Some(fault)
    }
}

impl Fault {
    /// Its kind.
    ///
    /// # Panics
    /// Never: every fault comes from the list.
    pub fn kind(&self) -> Kind {
        Kind::find(self.word()).unwrap_or_else(|| unreachable!("{} is in the list", self.word()))
    }

    /// Sets one of its keys; a value that the key does not take changes nothing.
    pub fn set(&mut self, key: &str, data: Data) {
        let mut reader = Reader::new(&NoClock);
        let before = self.clone();
        self.apply(&Value::table([(key, data)]), &mut reader);
        if reader.count() > 0 {
            *self = before;
        }
    }

    /// How bad it is in each of its kind's severities, from 0 (mild) to 1 (extreme); a little outside for what a
    /// file says beyond that.
    pub fn severities(&self) -> Vec<f64> {
        let written = self.written();
        let plain = self.kind();
        let value = |key: &str| {
            let given = written.iter().find(|w| w.key == key).map(|w| w.shown.clone());
            given.or_else(|| plain.fields.iter().find(|f| f.name == key)?.default.clone()).unwrap_or_default()
        };
        plain.severities.iter().map(|s| s.range.position(&value(s.key))).collect()
    }

    /// The same fault, as bad as `levels` say, in the order of [`Fault::severities`].
    #[must_use]
    pub fn with_severities(&self, levels: &[f64]) -> Fault {
        let mut fault = self.clone();
        for (severity, level) in self.kind().severities.iter().zip(levels) {
            fault.set(severity.key, severity.range.at(*level));
        }
        fault
    }

    /// What is wrong with it in a world: a target that is not there, or one that cannot have it.
    pub fn problems(&self, world: &WorldSpec) -> Vec<Problem> {
        let mut found = Vec::new();
        self.target().problems(world, &mut found);
        self.sense_problems(world, &mut found);
        found
    }

    /// What is wrong with it beside its target's name.
    pub fn sense_problems(&self, world: &WorldSpec, found: &mut Vec<Problem>) {
        let mut names = Vec::new();
        self.target().problems(world, &mut names);
        if names.is_empty() {
            self.more_problems(world, found);
        }
    }

    /// Whether its target marks its beginning and end on the day by itself.
    pub fn marks_itself(&self) -> bool {
        self.class() == Class::Store
    }

    /// What it is, in a few words, for marks and reports: "slow of identify".
    pub fn describe(&self) -> String {
        match self.target().describe() {
            target if target.is_empty() => self.word().to_string(),
            target => format!("{} of {target}", self.word()),
        }
    }
}

/// No key of a fault is a time of the day.
struct NoClock;

impl crate::setting::Clock for NoClock {
    fn moment(&self, _: &str) -> Result<crate::units::Ns, String> {
        Err("a fault has no times of its own".into())
    }
}

/// The fault that a store has when its headroom is used up: the word of a fault of a store, at its plain severity.
#[derive(Clone, PartialEq, Debug)]
pub struct AtStop(pub Fault);

impl AtStop {
    fn named(word: &str) -> Option<AtStop> {
        store_kinds().find(|kind| kind.word == word).map(|kind| AtStop(kind.plain()))
    }
}

impl Default for AtStop {
    fn default() -> Self {
        AtStop(Fault::Refuse(Refuse::default()))
    }
}

impl Setting for AtStop {
    fn read(value: &Value, reader: &mut Reader<'_>) -> Option<Self> {
        let words: Vec<&'static str> = store_kinds().map(|kind| kind.word).collect();
        crate::setting::read_choice(value, reader, &words, |word| word).and_then(AtStop::named)
    }
    fn form() -> Form {
        Form::Choice(store_kinds().map(|kind| (kind.word, kind.doc)).collect())
    }
    fn show(&self) -> String {
        self.0.word().into()
    }
}

fn store_kinds() -> impl Iterator<Item = Kind> {
    kinds().into_iter().filter(|kind| kind.class == Class::Store && !kind.course.ends_itself())
}

#[cfg(test)]
mod tests;
