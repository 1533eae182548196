//! Typed settings: one declaration gives a struct, its defaults, its decoder, its range checks, and
//! the words for `explain` and the schema.
//!
//! A scenario file is decoded into a tree of [`Value`]s, each with its place in the file and its
//! provenance. The [`settings!`](crate::settings) macro declares a table of that tree; a
//! [`Reader`] walks value and declaration together and collects every mistake with its place, so that
//! a user sees them all at once. No file format is known here.

mod basic;
mod effect;
mod reader;
mod table;
mod value;

pub use basic::{Moment, Name, Named, Points};
pub use effect::{Effect, Heard, NO_EFFECT, Scope, Silence, always, first_of, listen, unless, unless_with};
pub use reader::{Clock, Problem, Reader, closest};
pub use table::{
    Field, Form, Preset, Setting, Settings, Word, Written, below, inline, quoted, read_choice, read_field, read_preset,
    read_settings, read_settings_over, shown, told, unknown_keys,
};
pub use value::{Data, Key, Mark, Span, Table, Value};
