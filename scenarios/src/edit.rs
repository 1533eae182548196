//! A scenario file as text that is changed and stays a scenario file: comments, order and marks are kept.
//!
//! For code that writes files made from files: a hunt that puts the faults it found into the file that it searched, a
//! shrunk schedule in place of a long one. What a change means is left to [`crate::load_text`].
//!
//! What is written is escaped by one function, [`quoted`], and what goes into a comment by [`comment`]: names, titles and
//! conditions may hold any character.

mod first;
mod worlds;

use crate::input::read_file;
use crate::{Calendar, Diagnostics, Scenario, document, marks::Marks};
use brownout_models::component::operator::{Entry, Trigger};
use brownout_models::setting::{Clock, Data, quoted};
use brownout_models::units::Ns;
use brownout_output::text::clean;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, TableLike, Value};

/// An entry of a timeline: its keys, each with its value as TOML on one line, without marks.
pub type Keys = BTreeMap<String, String>;

/// A scenario file under change.
#[derive(Clone, Debug)]
pub struct Edit {
    document: DocumentMut,
}

impl Edit {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or is no TOML; a scenario's own mistakes are not looked for.
    pub fn open(path: &Path) -> Result<Edit, Diagnostics> {
        let name = path.display();
        let text = read_file(path).map_err(|why| Diagnostics::nowhere(format!("cannot read {name}: {why}")))?;
        Edit::parse(&text).map_err(|why| Diagnostics::nowhere(format!("{name} is no TOML: {why}")))
    }

    /// Reads a text.
    ///
    /// # Errors
    /// Says why it is no TOML.
    pub fn parse(text: &str) -> Result<Edit, String> {
        text.parse::<DocumentMut>().map(|document| Edit { document }).map_err(|why| why.message().to_string())
    }

    /// The file's text.
    pub fn text(&self) -> String {
        self.document.to_string()
    }

    /// The entries of the timeline as the text has them, whatever a design makes of them.
    pub fn timeline(&self) -> Vec<Keys> {
        let Ok((mut root, _)) = document::parse(&self.text(), 0) else { return Vec::new() };
        let Data::Table(root) = &mut root.data else { return Vec::new() };
        let Some(timeline) = root.get_mut("timeline") else { return Vec::new() };
        Marks::default().take_off(timeline);
        let Data::List(items) = &timeline.data else { return Vec::new() };
        let keys = |data: &Data| match data {
            Data::Table(table) => table.entries.iter().map(|(key, v)| (key.name.clone(), to_toml(&v.data))).collect(),
            _ => Keys::new(),
        };
        items.iter().map(|item| keys(&item.data)).collect()
    }

    /// Takes entries out of the timeline, by their numbers from 0. One that has an `id` stays, switched off: conditions
    /// and other entries may speak of it.
    pub fn remove_entries(&mut self, numbers: &BTreeSet<usize>) {
        let off = |table: &mut dyn TableLike| {
            let named = table.contains_key("id");
            if named {
                table.insert("enabled", toml_edit::value(false));
            }
            named
        };
        let mut at = 0..;
        let mut goes = || at.next().is_some_and(|n: usize| numbers.contains(&n));
        match self.document.get_mut("timeline") {
            Some(Item::ArrayOfTables(tables)) => {
                let all: Vec<Table> = std::mem::take(tables).into_iter().collect();
                let stays = |mut table: Table| (!goes() || off(&mut table)).then_some(table);
                tables.extend(all.into_iter().filter_map(stays));
            }
            Some(Item::Value(Value::Array(list))) => {
                let stays = |mut value: Value| {
                    (!goes() || value.as_inline_table_mut().is_some_and(|table| off(table))).then_some(value)
                };
                *list = std::mem::take(list).into_iter().filter_map(stays).collect();
            }
            _ => {}
        }
    }

    /// Takes out entries that are switched off and have one of these names: another of that name takes their place.
    pub fn make_room(&mut self, ids: &[String]) {
        let has = |table: &dyn TableLike| {
            let is_off = table.get("enabled").and_then(Item::as_bool) == Some(false);
            is_off && table.get("id").and_then(Item::as_str).is_some_and(|id| ids.iter().any(|other| other == id))
        };
        match self.document.get_mut("timeline") {
            Some(Item::ArrayOfTables(tables)) => tables.retain(|table| !has(table)),
            Some(Item::Value(Value::Array(list))) => {
                list.retain(|value| !value.as_inline_table().is_some_and(|table| has(table)));
            }
            _ => {}
        }
    }

    /// Appends `[[timeline]]` entries, given as TOML, with a comment before the first.
    ///
    /// # Errors
    /// The text is no TOML.
    pub fn append_entries(&mut self, entries: &str, comment: &str) -> Result<(), String> {
        let more = Edit::parse(entries)?;
        let Some(Item::ArrayOfTables(more)) = more.document.get("timeline").cloned() else { return Ok(()) };
        let tables = tables_under(&mut self.document, "timeline");
        for (i, mut table) in more.iter().cloned().enumerate() {
            // Where the other text had it; here it comes after the entry before.
            table.set_position(None);
            let before = if i == 0 && !comment.is_empty() { format!("\n{comment}\n") } else { "\n".into() };
            table.decor_mut().set_prefix(before);
            tables.push(table);
        }
        Ok(())
    }

    /// Puts one expectation in place of all others: `kind` is "always", "eventually" or "sometimes".
    pub fn expect_only(&mut self, kind: &str, condition: &str) {
        self.document.remove("expect");
        self.expect_also(kind, condition);
    }

    /// Adds an expectation after the others.
    pub fn expect_also(&mut self, kind: &str, condition: &str) {
        let mut table = Table::new();
        table.insert(kind, toml_edit::value(condition));
        tables_under(&mut self.document, "expect").push(table);
    }

    /// Writes down which designs and changes by hand the file is run with, before those of the command line. `in_force`
    /// is what the designs of the file and of the command line come to together, as [`Scenario::design`] says it.
    pub fn as_run(&mut self, design: &[String], set: &[String], in_force: &str) {
        if design.is_empty() && set.is_empty() {
            return;
        }
        let (old_design, mut sets) = (self.texts_of_as_run("design"), self.texts_of_as_run("set"));
        sets.extend(set.iter().cloned());
        let designs: Vec<String> = match (&old_design[..], design) {
            ([], new) => new.to_vec(),
            (old, []) => old.to_vec(),
            // One of the command line may overrule one of the file; together they would contradict each other.
            _ => in_force.split(' ').map(str::to_string).collect(),
        };
        let mut table = InlineTable::new();
        for (key, texts) in [("design", designs), ("set", sets)] {
            if !texts.is_empty() {
                table.insert(key, Value::Array(texts.into_iter().collect()));
            }
        }
        self.document.insert("as_run", toml_edit::value(table));
    }

    /// The texts of `as_run.design` or `as_run.set`.
    fn texts_of_as_run(&self, key: &str) -> Vec<String> {
        let list =
            self.document.get("as_run").and_then(Item::as_table_like).and_then(|table| table.get(key)?.as_array());
        list.into_iter().flat_map(Array::iter).filter_map(Value::as_str).map(str::to_string).collect()
    }

    /// Says under which seeds `brownout test` runs the file.
    pub fn seeds(&mut self, seeds: &[u64]) {
        let seeds: Array = seeds.iter().filter_map(|seed| i64::try_from(*seed).ok()).collect();
        self.document.insert("seeds", toml_edit::value(seeds));
    }

    /// Rewrites the paths of traces for a file that moves from one folder to another, also in designs and changes by
    /// hand.
    ///
    /// # Errors
    /// A trace that cannot be named from there.
    pub fn move_traces(&mut self, from: &Path, to: &Path) -> Result<(), String> {
        self.rename_traces(from, &mut |trace| relative(trace, to))
    }

    /// Gives the traces of a file in the folder `from` other paths, also in designs and changes by hand. A trace that is
    /// not there keeps its own: it is not in force either.
    ///
    /// # Errors
    /// What `rename` says, with the trace before it.
    pub fn rename_traces(
        &mut self,
        from: &Path,
        rename: &mut dyn FnMut(&Path) -> Result<String, String>,
    ) -> Result<(), String> {
        let mut failed = None;
        self.change_worlds(&mut |world| {
            worlds::of_clients(world, "trace", &mut |item| {
                // A path, or a table that names one.
                let is_table = item.is_table_like();
                let file = if is_table {
                    item.as_table_like_mut().and_then(|table| table.get_mut("file"))
                } else {
                    Some(item)
                };
                let Some(file) = file else { return };
                let Some(trace) = file.as_str().filter(|trace| from.join(trace).exists()) else { return };
                match rename(&from.join(trace)) {
                    Ok(path) => *file = toml_edit::value(path),
                    Err(why) => failed = Some(format!("trace {trace}: {why}")),
                }
            });
        });
        failed.map_or(Ok(()), Err)
    }

    /// The timeline as the scenario has it in force, in place of what the file, its designs and the changes by hand say
    /// of it: so that entries can be taken out by number. Left alone where only the file speaks of it.
    pub fn settle_timeline(&mut self, scenario: &Scenario, set: &mut Vec<String>) {
        let speaks = |text: &String| worlds::first_key(text).as_deref() == Some("timeline");
        let mut worlds_speak = false;
        self.change_overlays(&mut |world| worlds_speak |= world.contains_key("timeline"));
        if !worlds_speak && !set.iter().chain(&self.texts_of_as_run("set")).any(speaks) {
            return;
        }
        self.change_overlays(&mut |world| drop(world.remove("timeline")));
        self.keep_sets(&|text| !speaks(text));
        set.retain(|text| !speaks(text));
        self.document.remove("timeline");
        let tables = tables_under(&mut self.document, "timeline");
        for keys in in_force(scenario) {
            let mut table = Table::new();
            for (key, value) in keys {
                // Written by the settings' own writer, which writes TOML.
                if let Ok(value) = value.parse::<Value>() {
                    table.insert(&key, Item::Value(value));
                }
            }
            tables.push(table);
        }
    }
}

/// The list of tables under a key, made of inline ones where those stand there.
fn tables_under<'d>(document: &'d mut DocumentMut, key: &str) -> &'d mut ArrayOfTables {
    let tables = match document.remove(key) {
        Some(Item::ArrayOfTables(tables)) => tables,
        Some(Item::Value(Value::Array(list))) => tables_of(&list),
        _ => ArrayOfTables::new(),
    };
    document.insert(key, Item::ArrayOfTables(tables));
    match document.get_mut(key) {
        Some(Item::ArrayOfTables(tables)) => tables,
        _ => unreachable!("it has just been put there"),
    }
}

/// The entries of a scenario's timeline as they are in force.
pub fn in_force(scenario: &Scenario) -> Vec<Keys> {
    let calendar = &scenario.calendar;
    scenario.plan.spec.timeline.iter().map(|entry| keys_of(entry, calendar)).collect()
}

fn keys_of(entry: &Entry, calendar: &Calendar) -> Keys {
    let written = Edit::parse(&entry.toml()).map(|edit| edit.timeline()).unwrap_or_default();
    let mut keys = written.into_iter().next().unwrap_or_default();
    let at = match entry.trigger {
        Trigger::At(at) => Some(at),
        Trigger::When(_) => None,
    };
    let times = [("at", at), ("expected_at", entry.expected_at)];
    for (key, at) in times.into_iter().filter_map(|(key, at)| Some((key, at?))) {
        match moment(calendar, at) {
            Some(text) => drop(keys.insert(key.into(), quoted(&text))),
            None => drop(keys.remove(key)),
        }
    }
    keys
}

/// A time of a run as a file says it; none where no file can: in an hour that the clocks make twice, the second time.
pub fn moment(calendar: &Calendar, at: Ns) -> Option<String> {
    let (short, full) = (calendar.clock(at), calendar.wall(at));
    // In full where a run is longer than a day.
    let is_long = calendar.has_calendar() && calendar.length() >= Ns::secs(86_400);
    let texts = if is_long { [full, short] } else { [short, full] };
    texts.into_iter().find(|text| calendar.moment(text) == Ok(at))
}

/// A value as TOML on one line.
pub fn to_toml(data: &Data) -> String {
    match data {
        Data::Text(text) => quoted(text),
        Data::Integer(n) => n.to_string(),
        Data::Float(x) => format!("{x:?}"),
        Data::Bool(yes) => yes.to_string(),
        Data::List(items) => {
            format!("[{}]", items.iter().map(|item| to_toml(&item.data)).collect::<Vec<_>>().join(", "))
        }
        Data::Table(table) => {
            let plain = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') && !name.is_empty();
            let key = |name: &str| if plain(name) { name.to_string() } else { quoted(name) };
            let pairs = table.entries.iter().map(|(k, value)| format!("{} = {}", key(&k.name), to_toml(&value.data)));
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
        }
    }
}

/// The text that a TOML string of one line stands for; anything else as it is written.
pub fn unquoted(toml: &str) -> String {
    match toml.trim().parse::<Value>() {
        Ok(Value::String(text)) => text.into_value(),
        _ => toml.trim().to_string(),
    }
}

/// A text as one line of a comment, whatever it holds.
pub fn comment(text: &str) -> String {
    format!("# {}", clean(text, true)).trim_end().to_string()
}

fn tables_of(list: &Array) -> ArrayOfTables {
    let mut tables = ArrayOfTables::new();
    list.iter().filter_map(Value::as_inline_table).for_each(|t| tables.push(t.clone().into_table()));
    tables
}

/// The way from a folder to a file, with `/` between its parts.
fn relative(file: &Path, folder: &Path) -> Result<String, String> {
    let whole = |path: &Path| path.canonicalize().map_err(|why| format!("{}: {why}", path.display()));
    let (file, folder) = (whole(file)?, whole(folder)?);
    let (there, here): (Vec<Component<'_>>, Vec<_>) = (file.components().collect(), folder.components().collect());
    let same = there.iter().zip(&here).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n(Component::ParentDir, here.len() - same);
    // Without a common root (two drives) there is no way up: then in full.
    let path: PathBuf = if same == 0 { file } else { up.chain(there[same..].iter().copied()).collect() };
    path.to_str().map(str::to_string).ok_or_else(|| "its path is not UTF-8 text, which a file could name".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load_text;

    const FILE: &str = r#"# A comment that stays.
brownout = 1
title = "small"                                    # and this
span = "10min"
window = { from = "5min", to = "6min" }

[clients.users]
sends = "call"
rate = { value = "10/s", calibrated = "E1" }

[fleets.web]
calls.call = { work = "4ms", asks = "db" }

[stores.db]

[[timeline]]
at = "8min"
do = "note"
says = "late"

[[timeline]]
at = "1min"
do = "note"
says = "early"

[axes.size]
default = "small"
[axes.size.small]
[axes.size.large]
fleets.web.count = 9

[[evidence]]
id = "E1"
says = "none"
metric = "call.dropped"
observed = 0
"#;

    fn load(edit: &Edit) -> Scenario {
        load_text("x.toml", &edit.text(), Path::new("."), &[], &[])
            .unwrap_or_else(|mistakes| panic!("{}\n{}", mistakes.render(false), edit.text()))
    }

    #[test]
    fn entries_are_taken_out_and_put_in_and_the_rest_stays() {
        let mut edit = Edit::parse(FILE).expect("TOML");
        assert_eq!(edit.timeline()[1]["says"], "\"early\"");
        edit.remove_entries(&[0].into());
        let more = "[[timeline]]\nat = \"2min\"\ndo = \"note\"\nsays = \"new\"\n";
        edit.append_entries(more, "# Found.").expect("TOML");
        let scenario = load(&edit);
        let at: Vec<_> = scenario.plan.spec.timeline.iter().map(|e| e.trigger.clone()).collect();
        assert_eq!(at, [Trigger::At(Ns::secs(60)), Trigger::At(Ns::secs(120))]);
        assert!(edit.text().starts_with("# A comment that stays.\n"), "{}", edit.text());
        assert!(edit.text().contains("# and this") && edit.text().contains("# Found."), "{}", edit.text());
    }

    #[test]
    fn a_list_of_inline_tables_is_a_timeline_too() {
        let (head, _) = FILE.split_once("[[timeline]]").expect("entries");
        let entry = r#"{ at = "1min", do = "note", says = "early" }"#;
        let text = head.replace("window =", &format!("timeline = [{entry}, {entry}]\nwindow ="));
        let mut edit =
            Edit::parse(&text.replace(", calibrated = \"E1\"", ", assumed = [\"1/s\", \"20/s\"]")).expect("TOML");
        edit.remove_entries(&[1].into());
        edit.append_entries("[[timeline]]\nat = \"2min\"\ndo = \"note\"\nsays = \"new\"\n", "").expect("TOML");
        assert_eq!(load(&edit).plan.spec.timeline.len(), 2, "{}", edit.text());
    }

    #[test]
    fn the_first_minutes_stand_alone() {
        let mut edit = Edit::parse(FILE).expect("TOML");
        let whole = load(&edit);
        edit.keep_first(&whole, Ns::secs(120), &mut Vec::new());
        let first = load(&edit);
        assert_eq!((first.span, first.window), (Ns::secs(120), (Ns::ZERO, Ns::secs(120))));
        assert_eq!(first.plan.spec.timeline.len(), 1);
        assert_eq!(first.evidence, []);
    }

    #[test]
    fn what_was_run_is_written_into_the_file_and_the_command_line_overrules_it() {
        let mut edit = Edit::parse(FILE).expect("TOML");
        edit.as_run(&["size=large".into()], &["fleets.web.workers=3".into()], "size=large");
        let fleet = |scenario: &Scenario| {
            let fleet = &scenario.plan.spec.fleets.0[0].1;
            (fleet.count, fleet.workers)
        };
        let scenario = load(&edit);
        assert_eq!((fleet(&scenario), scenario.design.as_str()), ((9, 3), "size=large"));
        let other =
            load_text("x.toml", &edit.text(), Path::new("."), &["fleets.web.workers=4".into()], &["small".into()]);
        let other = other.unwrap_or_else(|mistakes| panic!("{}", mistakes.render(false)));
        assert_eq!((fleet(&other).1, other.design.as_str()), (4, "size=small"));
    }
}
