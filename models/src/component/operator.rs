//! Operators and the timeline: what happens at a time, or when the world itself gives the sign.
//!
//! An entry has a time (`at`) or a trigger (`when`): `stores.<name>.alert`, `stores.<name>.stop`,
//! `stores.<name>.back`, or `done:<id>` for the end of another entry. `expected_at` states when it happened on
//! the day; the report compares. Each action of operators is one table here and one line in [`Action`]; what goes wrong
//! is listed in [`crate::fault`], and how long and how often in `course`.

mod course;
mod deploy;
mod faults;

pub use course::{Repeat, Timing, timing_fields};
pub use faults::{History, Spell};

use crate::component::probe::Holder;
use crate::fault::{Effects, Fault, Kind, kinds};
use crate::kernel::{Event, Kernel};
use crate::setting::{
    Data, Field, Form, Moment, Name, Reader, Scope, Setting, Settings, Span, Table, Value, Written, always, quoted,
};
use crate::settings;
use crate::units::{Ns, Rate, Share};
use crate::world::World;
use std::sync::LazyLock;

settings! {
    /// A maintenance job on a store: when it is done, headroom is restored and, if the store had left service for lack of it, it returns.
    pub struct Maintenance {
        /// The store.
        pub store (required): Name = Name::default() => always;
        /// How long the job takes. (time)
        pub takes (required): Ns = Ns::secs(60), "1ms" ..= "720h" => always;
    }
}

settings! {
    /// The balancer answers a share of a kind of call with 503 at once.
    pub struct Shed {
        /// The kind of call.
        pub calls (required): Name = Name::default() => always;
        /// How large a share.
        pub share: Share = Share(1.0) => always;
        /// How long; none: to the end of the run. (time)
        pub r#for: Option<Ns> = None, "1ms" ..= "720h" => always;
    }
}

settings! {
    /// Operators take servers out of rotation, whatever their checks say.
    pub struct TakeDown {
        /// The fleet.
        pub fleet (required): Name = Name::default() => always;
        /// How many servers, the first ones.
        pub count: u32 = 1, 1 ..= 100000 => always;
    }
}

settings! {
    /// Operators let servers that they had taken out back into rotation, if their checks pass.
    pub struct BringBack {
        /// The fleet.
        pub fleet (required): Name = Name::default() => always;
        /// How many servers, the first ones.
        pub count: u32 = 1, 1 ..= 100000 => always;
    }
}

settings! {
    /// Operators reduce what a store does in the background, and with it the use of its headroom.
    pub struct Relieve {
        /// The store.
        pub store (required): Name = Name::default() => always;
        /// By how much the background use falls.
        pub by (required): Share = Share(0.5) => always;
    }
}

settings! {
    /// Operators set up a store on other hardware; when it is ready, it serves in the place of the old one, with its
    /// headroom restored.
    pub struct Replace {
        /// The store.
        pub store (required): Name = Name::default() => always;
        /// From the order until the replacement serves. (time)
        pub takes (required): Ns = Ns::secs(60), "1ms" ..= "720h" => always;
    }
}

settings! {
    /// Operators replay calls from the balancer's log (`balancer.log`).
    pub struct Replay {
        /// The kind of call.
        pub calls (required): Name = Name::default() => always;
        /// How fast. (calls/time)
        pub rate: Rate = Rate(100.0), "0.001/s" ..= "10000000/s" => always;
    }
}

settings! {
    /// Something worth a mark on the pictures; nothing in the world changes.
    pub struct Note {
        /// What to write.
        pub says (required): String = String::new() => always;
    }
}

macro_rules! actions {
    ($($variant:ident($ty:ident) = $word:literal, $doc:literal;)*) => {
        /// What an entry of the timeline does.
        #[derive(Clone, PartialEq, Debug)]
        pub enum Action {
            $( #[doc = $doc] $variant($ty), )*
            /// Something goes wrong.
            Fault(Fault, Timing),
        }

        /// What operators do: each action's word, what it does, its keys.
        pub fn operator_actions() -> Vec<Variant> {
            vec![ $( ($word, $doc, $ty::fields()) ),* ]
        }

        impl Action {
            /// The word that a file uses.
            pub fn word(&self) -> &'static str {
                match self {
                    $( Action::$variant(_) => $word, )*
                    Action::Fault(fault, _) => fault.word(),
                }
            }

            /// Its own keys, as a file would write them.
            fn written(&self) -> Vec<Written> {
                match self {
                    $( Action::$variant(action) => action.written(), )*
                    Action::Fault(fault, timing) => [fault.written(), timing.written()].concat(),
                }
            }

            fn listen_to(&self, table: &Table, scope: &mut Scope<'_>) {
                match self {
                    $( Action::$variant(action) => action.listen_to(table, scope), )*
                    Action::Fault(fault, timing) => {
                        fault.listen_to(table, scope);
                        timing.listen_to(table, scope);
                    }
                }
            }

            fn read(word: &str, value: &Value, reader: &mut Reader<'_>) -> Option<Option<Action>> {
                match word {
                    $( $word => Some(crate::setting::read_settings::<$ty>(value, reader, &common()).map(Action::$variant)), )*
                    _ => read_fault(word, value, reader),
                }
            }
        }
    };
}

actions! {
    Maintenance(Maintenance) = "maintenance", "A job that restores a store's headroom, and reopens it if it had left service for want of that.";
    Shed(Shed) = "shed", "The balancer turns away a share of a kind of call.";
    TakeDown(TakeDown) = "take-down", "Servers are taken out of rotation.";
    BringBack(BringBack) = "bring-back", "Servers taken out may come back.";
    Relieve(Relieve) = "relieve", "A store's background load is reduced.";
    Replace(Replace) = "replace", "A store is set up on other hardware and takes over.";
    Replay(Replay) = "replay", "Lost calls are replayed from the balancer's log.";
    Note(Note) = "note", "A mark on the pictures.";
}

/// An action's word, what it does, and its keys.
pub type Variant = (&'static str, &'static str, Vec<Field>);

/// Every action, those of operators first: its word, what it does, its keys.
pub fn actions() -> Vec<Variant> {
    let faults = kinds().into_iter().map(|kind| {
        let keys = [kind.fields, timing_fields(kind.course)].concat();
        (kind.word, kind.doc, keys)
    });
    operator_actions().into_iter().chain(faults).collect()
}

/// Their words: put together once, as a file may have any number of entries with a word that is none.
static WORDS: LazyLock<Vec<&str>> = LazyLock::new(|| actions().iter().map(|(word, ..)| *word).collect());

fn read_fault(word: &str, value: &Value, reader: &mut Reader<'_>) -> Option<Option<Action>> {
    let course = Kind::find(word)?.course;
    let keys = [common(), timing_fields(course).iter().map(|field| field.name).collect()].concat();
    let fault = Fault::read(word, value, reader, &keys)?;
    let timing = Timing::of(course, value, reader);
    Some(fault.map(|fault| Action::Fault(fault, timing)))
}

settings! {
    /// What every entry of the timeline may say beside what it does: exactly one of `at` and `when`.
    pub struct Schedule {
        /// Its name, for `done:<id>`.
        pub id: Option<Name> = None => always;
        /// The time at which it happens, of the day or since the start.
        pub at: Option<Moment> = None => always;
        /// Instead of `at`: the sign that sets it off, `stores.<name>.alert`, `stores.<name>.stop`, `stores.<name>.back` or `done:<id>`.
        pub when: Option<Name> = None => always;
        /// Time between the sign, or the time `at`, and the action. (time)
        pub delay: Ns = Ns::ZERO => always;
        /// When it happened on the day; the report compares.
        pub expected_at: Option<Moment> = None => always;
        /// Whether it happens at all: a design may switch an entry on or off.
        pub enabled: bool = true => always;
    }
}

/// The keys of an entry that do not belong to its action.
fn common() -> Vec<&'static str> {
    Schedule::fields().iter().map(|field| field.name).chain(["do"]).collect()
}

/// What sets an entry off.
#[derive(Clone, PartialEq, Debug)]
pub enum Trigger {
    /// A time since the start of the run.
    At(Ns),
    /// A sign of the world, or the end of another entry.
    When(Name),
}

/// One entry of the timeline.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// Its name, for `done:<id>`.
    pub id: Option<Name>,
    /// What sets it off.
    pub trigger: Trigger,
    /// Time between the trigger and the action.
    pub delay: Ns,
    /// When it happened on the day, to compare with.
    pub expected_at: Option<Ns>,
    /// Whether it happens at all: a design may switch an entry on or off.
    pub enabled: bool,
    /// What it does.
    pub action: Action,
}

impl Setting for Entry {
    fn read(value: &Value, reader: &mut Reader<'_>) -> Option<Entry> {
        let Data::Table(table) = &value.data else {
            reader.expected(value, "a table");
            return None;
        };
        let action = read_action(table, value, reader);
        let mut schedule = Schedule::default();
        schedule.apply(table, reader);
        let says = |key| table.get(key).is_some_and(|v| !matches!(&v.data, Data::Text(text) if text == "none"));
        let trigger = match (says("at"), says("when")) {
            (true, false) => schedule.at.map(|m| Trigger::At(m.0)),
            (false, true) => schedule.when.clone().map(Trigger::When),
            _ => {
                reader.problem_with_help(
                    value.span,
                    "an entry needs either `at` or `when`",
                    "at = \"11:46\" or when = \"stores.<name>.alert\"",
                );
                None
            }
        };
        let Schedule { id, delay, enabled, .. } = schedule;
        let expected_at = schedule.expected_at.map(|m| m.0);
        Some(Entry { id, trigger: trigger?, delay, expected_at, enabled, action: action? })
    }
    fn listen(&self, value: &Value, scope: &mut Scope<'_>) {
        let Data::Table(table) = &value.data else { return };
        if let Some((key, why)) = self.never(table, scope) {
            scope.is_silent(key, "this entry never happens", why);
            return;
        }
        Schedule::default().listen_to(table, scope);
        self.action.listen_to(table, scope);
    }
    fn form() -> Form {
        Form::Tagged("do", Schedule::fields(), actions())
    }
    fn show(&self) -> String {
        self.action.word().into()
    }
}

fn read_action(table: &Table, value: &Value, reader: &mut Reader<'_>) -> Option<Action> {
    let Some(kind) = table.get("do") else {
        reader.problem(value.span, "`do` is missing: what should happen?");
        return None;
    };
    let word = String::read(kind, reader)?;
    match Action::read(&word, value, reader) {
        Some(action) => action,
        None => {
            let help = match crate::setting::closest(&word, WORDS.iter().copied()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("one of {}", WORDS.join(", ")),
            };
            reader.problem_with_help(kind.span, format!("nothing can do \"{word}\""), help);
            None
        }
    }
}

impl Entry {
    /// Why it never happens, if that is certain, with the place of the key that is to blame.
    fn never(&self, table: &Table, scope: &Scope<'_>) -> Option<(Span, String)> {
        let place = |name: &str| table.key(name).map_or(Span::default(), |key| key.span);
        if !self.enabled {
            return Some((place("enabled"), "`enabled` is false, and no design switches it on".into()));
        }
        match &self.trigger {
            Trigger::At(at) if at.plus(self.delay) > scope.end => {
                let due = at.plus(self.delay);
                Some((place("delay"), format!("it is due {due} after the start, and the run ends after {}", scope.end)))
            }
            Trigger::When(sign) => {
                let store = sign.text.strip_prefix("stores.")?.strip_suffix(".alert")?;
                let headroom = scope.world.stores.get(store)?.headroom.as_ref()?;
                let why = "`alert` is not above `stop`: the store stops before anybody is told";
                (headroom.alert.0 <= headroom.stop.0).then(|| (sign.span, why.into()))
            }
            Trigger::At(_) => None,
        }
    }

    /// The entry as a file would write it, under `[[timeline]]`.
    pub fn toml(&self) -> String {
        let mut schedule = Schedule {
            id: self.id.clone(),
            delay: self.delay,
            expected_at: self.expected_at.map(Moment),
            enabled: self.enabled,
            ..Schedule::default()
        };
        match &self.trigger {
            Trigger::At(at) => schedule.at = Some(Moment(*at)),
            Trigger::When(sign) => schedule.when = Some(sign.clone()),
        }
        let mut out = String::from("[[timeline]]\n");
        let line = |key: &str, value: &str| format!("{key} = {value}\n");
        schedule.written().iter().for_each(|w| out.push_str(&line(w.key, &w.toml)));
        out.push_str(&line("do", &quoted(self.action.word())));
        self.action.written().iter().for_each(|w| out.push_str(&line(w.key, &w.toml)));
        out
    }
}

/// The operators at work: what is in force.
#[derive(Default)]
pub struct OperatorState {
    /// What each entry that is a fault has laid on and when.
    faults: Vec<History>,
    next_ticket: u32,
    /// Deployments under way.
    deploys: Vec<deploy::Deploy>,
    /// How often the shedding of an entry is in force.
    shedding: Vec<u32>,
}

impl World {
    /// Raises the entries that have a time.
    pub(crate) fn open_desk<K: Kernel>(&mut self, k: &mut K) {
        let n = self.spec.timeline.len();
        self.operators = OperatorState {
            faults: vec![History::default(); n],
            next_ticket: self.operators.next_ticket,
            deploys: Vec::new(),
            shedding: vec![0; n],
        };
        self.effects = Effects(vec![0; n]);
        for (i, entry) in self.spec.timeline.iter().enumerate() {
            if let Trigger::At(at) = entry.trigger
                && entry.enabled
            {
                k.at(at.plus(entry.delay), Event::Timeline(i as u32));
            }
        }
    }

    /// The world gives a sign: entries that wait for it are raised.
    pub(crate) fn give_sign<K: Kernel>(&mut self, k: &mut K, sign: &str) {
        for (i, entry) in self.spec.timeline.iter().enumerate() {
            if entry.enabled && matches!(&entry.trigger, Trigger::When(name) if name.text == sign) {
                k.at(k.now().plus(entry.delay), Event::Timeline(i as u32));
            }
        }
    }

    /// An entry is due.
    pub(crate) fn act<K: Kernel>(&mut self, k: &mut K, index: u32) {
        let entry = self.spec.timeline[index as usize].clone();
        let mut lasts = Some(Ns::ZERO);
        match &entry.action {
            Action::Maintenance(a) => {
                k.mark(format!("maintenance of {} begins", a.store.text), entry.expected_at);
                lasts = Some(a.takes);
            }
            Action::Fault(_, timing) => {
                let times = timing.repeat.as_ref().map_or(1, |repeat| repeat.times.unwrap_or(u32::MAX));
                self.begin_fault(k, index, times);
                return;
            }
            Action::Shed(a) => {
                k.mark(format!("operators shed {} of {}", a.share.show(), a.calls.text), entry.expected_at);
                self.operators.shedding[index as usize] += 1;
                self.shed(&a.calls.text);
                lasts = a.r#for;
            }
            Action::TakeDown(a) => {
                k.mark(format!("operators take {} of {} out", a.count, a.fleet.text), entry.expected_at);
                self.hold(k, &a.fleet.text, a.count, true);
            }
            Action::BringBack(a) => {
                k.mark(format!("operators let {} of {} back", a.count, a.fleet.text), entry.expected_at);
                self.hold(k, &a.fleet.text, a.count, false);
            }
            Action::Relieve(a) => {
                k.mark(format!("background load on {} falls by {}", a.store.text, a.by.show()), entry.expected_at);
                self.relieve(k, self.store_index(&a.store), 1.0 - a.by.0);
            }
            Action::Replace(a) => {
                k.mark(format!("a replacement of {} is ordered", a.store.text), entry.expected_at);
                lasts = Some(a.takes);
            }
            Action::Replay(a) => {
                k.mark(format!("{} calls are replayed from the log", a.calls.text), entry.expected_at);
                self.begin_replay(k, index);
            }
            Action::Note(a) => k.mark(a.says.clone(), entry.expected_at),
        }
        match lasts {
            Some(Ns::ZERO) => self.entry_done(k, &entry),
            Some(lasts) => k.at(k.now().plus(lasts), Event::TimelineEnds(index)),
            None => {}
        }
    }

    /// What an entry began ends.
    pub(crate) fn act_ends<K: Kernel>(&mut self, k: &mut K, index: u32) {
        let entry = self.spec.timeline[index as usize].clone();
        match &entry.action {
            Action::Maintenance(a) => {
                k.mark(format!("maintenance of {} is done", a.store.text), None);
                self.restore(k, self.store_index(&a.store));
            }
            Action::Fault(fault, _) => {
                if !self.end_fault(k, index, fault) {
                    return;
                }
            }
            Action::Shed(a) => {
                k.mark(format!("operators stop shedding {}", a.calls.text), None);
                self.operators.shedding[index as usize] -= 1;
                self.shed(&a.calls.text);
            }
            Action::Replace(a) => {
                k.mark(format!("the replacement of {} takes over", a.store.text), None);
                self.take_over(k, self.store_index(&a.store), false);
            }
            Action::TakeDown(_) | Action::BringBack(_) | Action::Relieve(_) | Action::Replay(_) | Action::Note(_) => {}
        }
        self.entry_done(k, &entry);
    }

    pub(super) fn entry_done<K: Kernel>(&mut self, k: &mut K, entry: &Entry) {
        if let Some(id) = &entry.id {
            self.give_sign(k, &format!("done:{}", id.text));
        }
    }

    pub(super) fn store_index(&self, name: &Name) -> u16 {
        let found = self.spec.stores.index(&name.text);
        found.unwrap_or_else(|| panic!("no store {}; WorldSpec::problems was not asked", name.text)) as u16
    }

    /// Sheddings in force turn away what any of them would.
    fn shed(&mut self, kind: &str) {
        let mut passes = 1.0;
        for (entry, on) in self.spec.timeline.iter().zip(&self.operators.shedding) {
            if let Action::Shed(a) = &entry.action
                && *on > 0
                && a.calls.text == kind
            {
                passes *= 1.0 - a.share.0;
            }
        }
        for (fleet, (name, spec)) in self.spec.fleets.iter().enumerate() {
            // Operators turn away what clients send: the ways of services are not theirs.
            if let Some(plan) = spec.calls.index(kind).filter(|_| self.spec.is_reached(name)) {
                self.backends[fleet].shed[plan] = 1.0 - passes;
            }
        }
    }

    fn hold<K: Kernel>(&mut self, k: &mut K, fleet: &str, count: u32, out: bool) {
        let Some(index) = self.spec.fleets.index(fleet) else { return };
        let servers: Vec<u32> = (0..self.servers.len() as u32)
            .filter(|s| self.servers[*s as usize].fleet as usize == index)
            .take(count as usize)
            .collect();
        for server in servers {
            self.hold_out(k, server, Holder::Operators, out);
        }
    }
}
