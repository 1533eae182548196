//! The traits behind the [`settings!`](crate::settings) and [`choices!`](crate::choices) macros.

use super::{Data, Reader, Scope, Table, Value, closest};

/// What a setting looks like in a file; feeds `explain` and the JSON schema.
#[derive(Clone, PartialEq, Debug)]
pub enum Form {
    /// A string, with an example.
    Text(&'static str),
    /// A string that holds a number with a unit: what it is ("time", "rate"), with an example.
    Amount(&'static str, &'static str),
    /// A whole number.
    Integer,
    /// A number, whole or with a fraction.
    Number,
    /// True or false.
    Bool,
    /// One of some words, each with what it means.
    Choice(Vec<(&'static str, &'static str)>),
    /// A list of such.
    List(Box<Form>),
    /// A list of exactly two.
    Pair(Box<Form>, Box<Form>),
    /// A table of free names, each of such.
    Named(Box<Form>),
    /// A table with these fields, and the words that may stand in its place.
    Table(Vec<Field>, Vec<Word>),
    /// A table with these fields, and beside them free names, each of such.
    Open(Vec<Field>, Box<Form>),
    /// A part of the world laid over the rest: any keys of the world, none required, and beside them these fields.
    Overlay(Vec<Field>),
    /// One of several tables, told apart by a key: the key, the fields that all have, and each word with its own.
    Tagged(&'static str, Vec<Field>, Vec<(&'static str, &'static str, Vec<Field>)>),
    /// Any of several forms.
    Either(Vec<Form>),
}

/// What explains a name. A page's engine reads files and explains nothing: it has no room for what it never says.
pub const fn told(doc: &'static str) -> &'static str {
    if cfg!(target_family = "wasm") { "" } else { doc }
}

/// A default as a file would write it; a page's engine only asks whether there is one.
pub fn shown(default: &impl Setting) -> String {
    if cfg!(target_family = "wasm") { String::new() } else { default.show() }
}

/// One key of a table.
#[derive(Clone, PartialEq, Debug)]
pub struct Field {
    /// The key.
    pub name: &'static str,
    /// What it means, with unit and source.
    pub doc: &'static str,
    /// How it is written.
    pub form: Form,
    /// The default as written, or `None` where the key is required.
    pub default: Option<String>,
    /// Lowest and highest value allowed, as written.
    pub range: Option<(&'static str, &'static str)>,
    /// Whether its declaration says when it has an effect; every key of the format must.
    pub says_when: bool,
}

/// A word that stands for a whole table: a preset (which the key `preset` takes too), or a shorthand.
#[derive(Clone, PartialEq, Debug)]
pub struct Word {
    /// The word.
    pub name: &'static str,
    /// What it stands for; of a preset: which product, of which date, and where its numbers are published.
    pub doc: &'static str,
    /// Of a preset: every key below the table with its value as written. Of a shorthand: none.
    pub values: Option<Vec<(String, String)>>,
}

/// A key with its value, to be written into a file.
#[derive(Clone, PartialEq, Debug)]
pub struct Written {
    /// The key.
    pub key: &'static str,
    /// The value as messages show it.
    pub shown: String,
    /// The value as TOML.
    pub toml: String,
}

/// A named bundle of settings: a product's defaults, dated and cited.
pub struct Preset<T: 'static> {
    /// The name that a file uses.
    pub name: &'static str,
    /// Which product, of which date, and where its numbers are published.
    pub doc: &'static str,
    /// Its settings.
    pub make: fn() -> T,
}

impl<T: Setting> Preset<T> {
    /// What it looks like in a file.
    pub fn word(&self) -> Word {
        let mut values = Vec::new();
        if !cfg!(target_family = "wasm") {
            (self.make)().rows("", &mut values);
        }
        Word { name: self.name, doc: told(self.doc), values: Some(values) }
    }

    /// The settings of the preset of that name.
    pub fn find(presets: &[Preset<T>], name: &str) -> Option<T> {
        presets.iter().find(|p| p.name == name).map(|p| (p.make)())
    }
}

/// Anything that can stand behind a key.
pub trait Setting: Sized + Clone {
    /// Reads it; `None` after noting why not.
    fn read(value: &Value, reader: &mut Reader<'_>) -> Option<Self>;
    /// How it is written.
    fn form() -> Form;
    /// Its default as a file would write it.
    fn show(&self) -> String;
    /// Every key below it with its value as written, under paths that begin with `path`.
    fn rows(&self, path: &str, out: &mut Vec<(String, String)>) {
        out.push((path.to_string(), self.show()));
    }
    /// Itself as TOML, so that it reads back.
    fn toml(&self) -> String {
        let (form, shown) = (Self::form(), self.show());
        let number = |form: &Form| matches!(form, Form::Integer | Form::Number);
        match &form {
            Form::Bool => shown,
            form if number(form) => shown,
            Form::Either(forms) if forms.iter().any(number) && shown.parse::<f64>().is_ok() => shown,
            _ => quoted(&shown),
        }
    }
    /// Its size for range checks, where it has one.
    fn magnitude(&self) -> Option<f64> {
        None
    }
    /// The sizes for range checks: its own, or those of the items of a list.
    fn magnitudes(&self) -> Vec<f64> {
        self.magnitude().into_iter().collect()
    }
    /// The size of a limit as written in a declaration.
    fn limit(_text: &str) -> Option<f64> {
        None
    }
    /// Notes which of the keys that a file writes below it have an effect.
    fn listen(&self, _value: &Value, _scope: &mut Scope<'_>) {}
    /// Reads it over a value that is there already; only tables keep what they are not told.
    fn read_over(&mut self, value: &Value, reader: &mut Reader<'_>) {
        if let Some(new) = Self::read(value, reader) {
            *self = new;
        }
    }
}

/// A table of settings.
pub trait Settings: Sized {
    /// Its keys.
    fn fields() -> Vec<Field>;
    /// Reads the keys present over the values that are there.
    fn apply(&mut self, table: &Table, reader: &mut Reader<'_>);
    /// Notes which of its keys that are written have an effect.
    fn listen_to(&self, table: &Table, scope: &mut Scope<'_>);
    /// A value to start from, given the table (a preset), and keys that are thereby used up.
    fn start(table: &Table, reader: &mut Reader<'_>) -> (Self, &'static [&'static str]);
    /// The keys that must be written to get it back: those required, and those that differ from their default.
    fn written(&self) -> Vec<Written>;
    /// A bare word in place of the table.
    fn shorthand(_text: &str) -> Option<Self> {
        None
    }
    /// The words that [`Settings::shorthand`] takes.
    fn words() -> Vec<Word> {
        Vec::new()
    }
}

/// A string of TOML.
pub fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// An inline table of TOML.
pub fn inline(written: &[Written]) -> String {
    let keys: Vec<_> = written.iter().map(|w| format!("{} = {}", w.key, w.toml)).collect();
    if keys.is_empty() { "{}".into() } else { format!("{{ {} }}", keys.join(", ")) }
}

/// A key below a path.
pub fn below(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_string() } else { format!("{path}.{key}") }
}

/// Notes keys that were not read.
pub fn unknown_keys(table: &Table, known: &[&str], extra: &[&str], reader: &mut Reader<'_>) {
    for (key, _) in &table.entries {
        if !known.contains(&key.name.as_str()) && !extra.contains(&key.name.as_str()) {
            let path = reader.path();
            let place = if path.is_empty() { String::new() } else { format!(" in [{path}]") };
            let message = format!("unknown key `{}`{place}", key.name);
            reader.met_a_stranger();
            match closest(&key.name, known.iter().chain(extra).copied()) {
                Some(near) => reader.problem_with_help(key.span, message, format!("did you mean `{near}`?")),
                None => {
                    let mut all: Vec<_> = known.iter().chain(extra).copied().collect();
                    all.sort_unstable();
                    reader.problem_with_help(key.span, message, format!("known keys: {}", all.join(", ")));
                }
            }
        }
    }
}

/// Reads one field of a table over its default, and checks its range.
pub fn read_field<T: Setting>(
    slot: &mut T,
    name: &'static str,
    range: Option<(&'static str, &'static str)>,
    table: &Table,
    reader: &mut Reader<'_>,
) {
    let Some(value) = table.get(name) else { return };
    reader.within(name, |reader| {
        let before = reader.count();
        slot.read_over(value, reader);
        if reader.count() != before {
            return;
        }
        let Some((low, high)) = range else { return };
        let (Some(least), Some(most)) = (T::limit(low), T::limit(high)) else { return };
        for (at, is) in slot.magnitudes().into_iter().enumerate() {
            if !(least..=most).contains(&is) {
                let (of, value) = match &value.data {
                    Data::List(items) => {
                        let item = items.get(at).unwrap_or(value);
                        (format!("{} in `{name}`", item.to_text()), item)
                    }
                    _ => (format!("`{name}` = {}", value.to_text()), value),
                };
                let help = format!("from {low} to {high}");
                reader.problem_with_help(value.span, format!("{of} is out of range"), help);
            }
        }
    });
}

/// Reads a whole table of settings; `extra` are keys that somebody else reads.
pub fn read_settings<T: Settings>(value: &Value, reader: &mut Reader<'_>, extra: &[&'static str]) -> Option<T> {
    match &value.data {
        Data::Table(table) => {
            let (mut new, used) = T::start(table, reader);
            let mut extra = extra.to_vec();
            extra.extend_from_slice(used);
            apply_table(&mut new, value, table, reader, &extra);
            Some(new)
        }
        Data::Text(text) if T::shorthand(text).is_some() => T::shorthand(text),
        _ => {
            reader.expected(value, "a table");
            None
        }
    }
}

/// Reads a table over settings that are there already: what it does not name stays as it is, unless it names a
/// preset, which starts afresh.
pub fn read_settings_over<T: Settings>(slot: &mut T, value: &Value, reader: &mut Reader<'_>) {
    match &value.data {
        Data::Table(table) if table.get("preset").is_none() => {
            let (_, used) = T::start(table, reader);
            apply_table(slot, value, table, reader, used);
        }
        _ => {
            if let Some(new) = read_settings(value, reader, &[]) {
                *slot = new;
            }
        }
    }
}

fn apply_table<T: Settings>(slot: &mut T, value: &Value, table: &Table, reader: &mut Reader<'_>, extra: &[&str]) {
    let fields = T::fields();
    let known: Vec<_> = fields.iter().map(|f| f.name).collect();
    unknown_keys(table, &known, extra, reader);
    for field in &fields {
        if field.default.is_none() && table.get(field.name).is_none() {
            let path = reader.path();
            reader.problem(value.span, format!("`{}` is missing in [{path}]", field.name));
        }
    }
    slot.apply(table, reader);
}

/// Reads the key `preset`, if it is there: the named bundle that the other keys then change.
pub fn read_preset<T: Setting + Default>(
    table: &Table,
    reader: &mut Reader<'_>,
    presets: &[Preset<T>],
) -> (T, &'static [&'static str]) {
    let read = |value: &Value, reader: &mut Reader<'_>| {
        let name = String::read(value, reader)?;
        let found = Preset::find(presets, &name);
        if found.is_none() {
            let names: Vec<_> = presets.iter().map(|p| p.name).collect();
            let help = match closest(&name, names.iter().copied()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("known presets: {}", names.join(", ")),
            };
            reader.problem_with_help(value.span, format!("no preset \"{name}\" here"), help);
        }
        found
    };
    (table.get("preset").and_then(|value| read(value, reader)).unwrap_or_default(), &["preset"])
}

/// Declares a table of a scenario file: struct, defaults, decoder, ranges, documentation.
///
/// ```
/// brownout_models::settings! {
///     /// A door.
///     pub struct Door {
///         /// Time to open.
///         pub opens_in: brownout_models::units::Ns = brownout_models::units::Ns::secs(1), "1ms" ..= "1h"
///             => |door, _| brownout_models::setting::unless(door.hinges > 0, "it has no hinges: it does not open");
///         /// Hinges.
///         pub hinges (required): u32 = 0, 0 ..= 8 => brownout_models::setting::always;
///     }
/// }
/// assert_eq!(Door::default().opens_in.as_secs(), 1.0);
/// ```
///
/// Behind `=>` stands when the key has an effect (see [`Effect`](super::Effect)); every key of the format must say so.
///
/// In brackets after the name may stand `presets = PRESETS`, a slice of [`Preset`]: then the key `preset` names the
/// bundle that the other keys change, and the bare name may stand in place of the table. Or `shorthand = f, words = g`
/// for other bare words.
#[macro_export]
macro_rules! settings {
    (
        $(#[doc = $sdoc:literal])*
        pub struct $name:ident $(( $($hook:ident = $path:path),* ))? {
            $(
                $(#[doc = $doc:literal])*
                pub $field:ident $(($req:ident))? : $ty:ty = $default:expr $(, $lo:literal ..= $hi:literal)?
                    $(=> $effect:expr)? ;
            )*
        }
    ) => {
        $(#[doc = $sdoc])*
        #[derive(Clone, PartialEq, Debug)]
        pub struct $name {
            $( $(#[doc = $doc])* pub $field: $ty, )*
        }

        impl Default for $name {
            fn default() -> Self {
                $name { $( $field: $default, )* }
            }
        }

        impl $crate::setting::Settings for $name {
            fn fields() -> Vec<$crate::setting::Field> {
                let defaults = Self::default();
                let _ = &defaults; // not read where every key is required
                vec![ $( $crate::setting::Field {
                    name: $crate::setting_name!($field),
                    doc: $crate::setting::told(concat!($($doc, "\n"),*)).trim(),
                    form: <$ty as $crate::setting::Setting>::form(),
                    default: $crate::setting_default!($($req)? ; $crate::setting::shown(&defaults.$field)),
                    range: $crate::setting_range!($($lo, $hi)?),
                    says_when: $crate::setting_says_when!($($effect)?),
                }, )* ]
            }
            fn listen_to(&self, table: &$crate::setting::Table, scope: &mut $crate::setting::Scope<'_>) {
                let _ = (table, &scope); // a table may have no keys
                $( $crate::setting::listen(
                    self, &self.$field, $crate::setting_name!($field), $crate::setting_effect!($($effect)?), table, scope,
                ); )*
            }
            fn apply(&mut self, table: &$crate::setting::Table, reader: &mut $crate::setting::Reader<'_>) {
                let _ = (table, &reader); // a table may have no keys
                $( $crate::setting::read_field(
                    &mut self.$field, $crate::setting_name!($field), $crate::setting_range!($($lo, $hi)?), table, reader,
                ); )*
            }
            fn written(&self) -> Vec<$crate::setting::Written> {
                let plain = Self::default();
                let mut out = Vec::new();
                let _ = (&plain, &mut out); // a table may have no keys
                $( if $crate::setting_required!($($req)?) || self.$field != plain.$field {
                    out.push($crate::setting::Written {
                        key: $crate::setting_name!($field),
                        shown: $crate::setting::Setting::show(&self.$field),
                        toml: $crate::setting::Setting::toml(&self.$field),
                    });
                } )*
                out
            }
            $crate::setting_hooks!($($($hook = $path),*)?);
        }

        impl $crate::setting::Setting for $name {
            fn read(value: &$crate::setting::Value, reader: &mut $crate::setting::Reader<'_>) -> Option<Self> {
                $crate::setting::read_settings(value, reader, &[])
            }
            fn read_over(&mut self, value: &$crate::setting::Value, reader: &mut $crate::setting::Reader<'_>) {
                $crate::setting::read_settings_over(self, value, reader);
            }
            fn listen(&self, value: &$crate::setting::Value, scope: &mut $crate::setting::Scope<'_>) {
                if let $crate::setting::Data::Table(table) = &value.data {
                    $crate::setting::Settings::listen_to(self, table, scope);
                }
            }
            fn form() -> $crate::setting::Form {
                use $crate::setting::Settings;
                $crate::setting::Form::Table(Self::fields(), Self::words())
            }
            fn show(&self) -> String {
                "{}".into()
            }
            fn toml(&self) -> String {
                $crate::setting::inline(&$crate::setting::Settings::written(self))
            }
            fn rows(&self, path: &str, out: &mut Vec<(String, String)>) {
                let _ = (path, &out); // a table may have no keys
                $( $crate::setting::Setting::rows(
                    &self.$field, &$crate::setting::below(path, $crate::setting_name!($field)), out,
                ); )*
            }
        }
    };
}

/// A field's key.
#[doc(hidden)]
#[macro_export]
macro_rules! setting_name {
    (r#for) => {
        "for"
    };
    ($field:ident) => {
        stringify!($field)
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! setting_default {
    (required ; $show:expr) => {
        None
    };
    ( ; $show:expr) => {
        Some($show)
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! setting_required {
    (required) => {
        true
    };
    () => {
        false
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! setting_range {
    () => {
        None
    };
    ($lo:literal, $hi:literal) => {
        Some((stringify!($lo), stringify!($hi)))
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! setting_says_when {
    () => {
        false
    };
    ($effect:expr) => {
        true
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! setting_effect {
    () => {
        $crate::setting::always
    };
    ($effect:expr) => {
        $effect
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! setting_hooks {
    ($(shorthand = $shorthand:path, words = $words:path)?) => {
        fn start(_: &$crate::setting::Table, _: &mut $crate::setting::Reader<'_>) -> (Self, &'static [&'static str]) {
            (Self::default(), &[])
        }
        $(
            fn shorthand(text: &str) -> Option<Self> { $shorthand(text) }
            fn words() -> Vec<$crate::setting::Word> { $words() }
        )?
    };
    (presets = $presets:path) => {
        fn start(
            table: &$crate::setting::Table,
            reader: &mut $crate::setting::Reader<'_>,
        ) -> (Self, &'static [&'static str]) {
            $crate::setting::read_preset(table, reader, $presets)
        }
        fn shorthand(text: &str) -> Option<Self> { $crate::setting::Preset::find($presets, text) }
        fn words() -> Vec<$crate::setting::Word> { $presets.iter().map($crate::setting::Preset::word).collect() }
    };
}

/// Declares a choice between words.
#[macro_export]
macro_rules! choices {
    (
        $(#[doc = $sdoc:literal])*
        pub enum $name:ident = $default:ident {
            $( $(#[doc = $doc:literal])* $variant:ident = $word:literal, )*
        }
    ) => {
        $(#[doc = $sdoc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum $name {
            $( $(#[doc = $doc])* $variant, )*
        }

        impl $name {
            /// Every choice, in order.
            pub const ALL: &'static [$name] = &[ $( $name::$variant ),* ];
            /// The word that a file uses.
            pub const fn word(self) -> &'static str {
                match self { $( $name::$variant => $word ),* }
            }
            /// What it means.
            pub const fn doc(self) -> &'static str {
                match self { $( $name::$variant => $crate::setting::told(concat!($($doc),*)) ),* }
            }
        }

        impl Default for $name {
            fn default() -> Self { $name::$default }
        }

        impl $crate::setting::Setting for $name {
            fn read(value: &$crate::setting::Value, reader: &mut $crate::setting::Reader<'_>) -> Option<Self> {
                $crate::setting::read_choice(value, reader, Self::ALL, Self::word)
            }
            fn form() -> $crate::setting::Form {
                $crate::setting::Form::Choice(Self::ALL.iter().map(|c| (c.word(), c.doc())).collect())
            }
            fn show(&self) -> String {
                self.word().into()
            }
        }
    };
}

/// Reads one word of a list of choices.
pub fn read_choice<T: Copy>(
    value: &Value,
    reader: &mut Reader<'_>,
    all: &[T],
    word: fn(T) -> &'static str,
) -> Option<T> {
    let words = || all.iter().map(|c| word(*c)).collect::<Vec<_>>();
    let Data::Text(text) = &value.data else {
        reader.expected(value, &format!("one of {}", words().join(", ")));
        return None;
    };
    if let Some(found) = all.iter().find(|c| word(**c) == text) {
        return Some(*found);
    }
    let help = match closest(text, words()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("one of {}", words().join(", ")),
    };
    reader.problem_with_help(value.span, format!("\"{text}\" is not known here"), help);
    None
}
