//! Operators and the timeline: what happens at a time, or when the world itself gives the sign.
//!
//! An entry has a time (`at`) or a trigger (`when`): `stores.<name>.alert`, `stores.<name>.stop`,
//! `stores.<name>.back`, or `done:<id>` for the end of another entry. `expected_at` states when it happened on
//! the day; the report compares. Each action is one table here and one line in [`Action`].

use crate::fault::Mode;
use crate::setting::{Data, Field, Form, Moment, Name, Reader, Setting, Settings, Table, Value};
use crate::settings;
use crate::units::{Ns, Share};

settings! {
    /// A maintenance job on a store: when it is done, headroom is restored and, if the store had left service for lack of it, it returns.
    pub struct Maintenance {
        /// The store.
        pub store (required): Name = Name::default();
        /// How long the job takes. [time]
        pub takes (required): Ns = Ns::secs(60), "1ms" ..= "720h";
    }
}

settings! {
    /// A fault of a store.
    pub struct Outage {
        /// The store.
        pub store (required): Name = Name::default();
        /// How it fails.
        pub mode (required): Mode = Mode::Refuse;
        /// How long; none: to the end of the run. [time]
        pub lasts: Option<Ns> = None, "1ms" ..= "720h";
        /// Factor on service times, for `slow`.
        pub factor: f64 = 10.0, 0 ..= 1000000;
        /// Share of queries that fail, for `error`.
        pub share: Share = Share(1.0);
    }
}

settings! {
    /// The balancer answers a share of a kind of call with 503 at once.
    pub struct Shed {
        /// The kind of call.
        pub calls (required): Name = Name::default();
        /// How large a share.
        pub share: Share = Share(1.0);
        /// How long; none: to the end of the run. [time]
        pub lasts: Option<Ns> = None, "1ms" ..= "720h";
    }
}

settings! {
    /// Operators take servers out of rotation, whatever their checks say.
    pub struct TakeDown {
        /// The fleet.
        pub fleet (required): Name = Name::default();
        /// How many servers, the first ones.
        pub count: u32 = 1, 1 ..= 100000;
    }
}

settings! {
    /// Operators let servers that they had taken out back into rotation, if their checks pass.
    pub struct BringBack {
        /// The fleet.
        pub fleet (required): Name = Name::default();
        /// How many servers, the first ones.
        pub count: u32 = 1, 1 ..= 100000;
    }
}

settings! {
    /// Operators reduce what a store does in the background, and with it the use of its headroom.
    pub struct Relieve {
        /// The store.
        pub store (required): Name = Name::default();
        /// By how much the background use falls.
        pub by (required): Share = Share(0.5);
    }
}

settings! {
    /// Something worth a mark on the pictures; nothing in the world changes.
    pub struct Note {
        /// What to write.
        pub says (required): String = String::new();
    }
}

macro_rules! actions {
    ($($variant:ident($ty:ident) = $word:literal, $doc:literal;)*) => {
        /// What an entry of the timeline does.
        #[derive(Clone, PartialEq, Debug)]
        pub enum Action {
            $( #[doc = $doc] $variant($ty), )*
        }

        /// Every action: its word, what it does, its keys.
        pub fn actions() -> Vec<(&'static str, &'static str, Vec<Field>)> {
            vec![ $( ($word, $doc, $ty::fields()) ),* ]
        }

        impl Action {
            /// The word that a file uses.
            pub fn word(&self) -> &'static str {
                match self { $( Action::$variant(_) => $word ),* }
            }

            fn read(word: &str, value: &Value, reader: &mut Reader<'_>) -> Option<Option<Action>> {
                match word {
                    $( $word => Some(crate::setting::read_settings::<$ty>(value, reader, COMMON).map(Action::$variant)), )*
                    _ => None,
                }
            }
        }
    };
}

actions! {
    Maintenance(Maintenance) = "maintenance", "A job that restores a store's headroom and reopens it.";
    Outage(Outage) = "outage", "A fault of a store.";
    Shed(Shed) = "shed", "The balancer turns away a share of a kind of call.";
    TakeDown(TakeDown) = "take-down", "Servers are taken out of rotation.";
    BringBack(BringBack) = "bring-back", "Servers taken out may come back.";
    Relieve(Relieve) = "relieve", "A store's background load is reduced.";
    Note(Note) = "note", "A mark on the pictures.";
}

const COMMON: &[&str] = &["id", "at", "when", "delay", "expected_at", "do"];

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
        let get = |key| table.get(key);
        let trigger = match (get("at"), get("when")) {
            (Some(at), None) => Moment::read(at, reader).map(|m| Trigger::At(m.0)),
            (None, Some(when)) => Name::read(when, reader).map(Trigger::When),
            _ => {
                reader.problem_with_help(value.span, "an entry needs either `at` or `when`", "at = \"11:46\" or when = \"stores.<name>.alert\"");
                None
            }
        };
        let mut delay = Ns::ZERO;
        crate::setting::read_field(&mut delay, "delay", None, table, reader);
        let expected_at = get("expected_at").and_then(|v| Moment::read(v, reader)).map(|m| m.0);
        let id = get("id").and_then(|v| Name::read(v, reader));
        Some(Entry { id, trigger: trigger?, delay, expected_at, action: action? })
    }
    fn form() -> Form {
        Form::Tagged("do", actions())
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
            let all = actions();
            let words = all.iter().map(|(w, ..)| *w);
            let help = match crate::setting::closest(&word, words.clone()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("one of {}", words.collect::<Vec<_>>().join(", ")),
            };
            reader.problem_with_help(kind.span, format!("nothing can do \"{word}\""), help);
            None
        }
    }
}
