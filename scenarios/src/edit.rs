//! A scenario file as text that is changed and stays a scenario file: comments, order and marks are kept.
//!
//! For whoever writes files made from files: a hunt that puts the faults it found into the file that it searched, a
//! shrunk schedule in place of a long one. What a change means is left to [`crate::load_text`].

use crate::load::read_file;
use crate::{Diagnostics, Scenario};
use brownout_models::component::operator::Trigger;
use brownout_models::units::Ns;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use toml_edit::visit_mut::{VisitMut, visit_table_like_mut};
use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, TableLike, Value};

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

    /// The entries of the timeline: keys and values, as TOML on one line.
    pub fn timeline(&self) -> Vec<BTreeMap<String, String>> {
        let keys = |table: &dyn TableLike| {
            let pairs = table.iter().filter_map(|(key, item)| Some((key.to_string(), one_line(item)?)));
            pairs.collect::<BTreeMap<String, String>>()
        };
        match self.document.get("timeline") {
            Some(Item::ArrayOfTables(tables)) => tables.iter().map(|table| keys(table)).collect(),
            Some(Item::Value(Value::Array(list))) => {
                list.iter().filter_map(Value::as_inline_table).map(|table| keys(table)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Takes entries out of the timeline, by their numbers from 0.
    pub fn remove_entries(&mut self, numbers: &[usize]) {
        let mut at = 0..;
        let mut stays = || !at.next().is_some_and(|n: usize| numbers.contains(&n));
        match self.document.get_mut("timeline") {
            Some(Item::ArrayOfTables(tables)) => tables.retain(|_| stays()),
            Some(Item::Value(Value::Array(list))) => list.retain(|_| stays()),
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
        if let Some(Item::Value(Value::Array(list))) = self.document.get("timeline").cloned() {
            self.document.insert("timeline", Item::ArrayOfTables(tables_of(&list)));
        }
        let item = self.document.entry("timeline").or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
        let Item::ArrayOfTables(tables) = item else { return Ok(()) };
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
        if let Some(Item::Value(Value::Array(list))) = self.document.get("expect").cloned() {
            self.document.insert("expect", Item::ArrayOfTables(tables_of(&list)));
        }
        let item = self.document.entry("expect").or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
        if let Item::ArrayOfTables(tables) = item {
            tables.push(table);
        }
    }

    /// Writes down which designs and changes by hand the file is run with, before those of the command line.
    pub fn as_run(&mut self, design: &[String], set: &[String]) {
        if design.is_empty() && set.is_empty() {
            return;
        }
        let mut all: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let old = self.document.get("as_run").and_then(Item::as_table_like);
        for (key, more) in [("design", design), ("set", set)] {
            let before = old.and_then(|table| table.get(key)).and_then(Item::as_array);
            let before = before.into_iter().flat_map(Array::iter).filter_map(Value::as_str).map(str::to_string);
            all.insert(key, before.chain(more.iter().cloned()).collect());
        }
        let mut table = InlineTable::new();
        for (key, texts) in all.into_iter().filter(|(_, texts)| !texts.is_empty()) {
            table.insert(key, Value::Array(texts.into_iter().collect()));
        }
        self.document.insert("as_run", toml_edit::value(table));
    }

    /// Says under which seeds `brownout test` runs the file.
    pub fn seeds(&mut self, seeds: &[u64]) {
        let seeds: Array = seeds.iter().filter_map(|seed| i64::try_from(*seed).ok()).collect();
        self.document.insert("seeds", toml_edit::value(seeds));
    }

    /// Cuts the run to its first so much. What speaks of the whole goes: the window, evidence, when things happened on the
    /// day, expectations and timeline entries of later times; calibrated numbers stay as inferred ones.
    pub fn keep_first(&mut self, scenario: &Scenario, length: Ns) {
        let span = if scenario.calendar.has_calendar() {
            let mut table = InlineTable::new();
            table.insert("from", scenario.calendar.wall(Ns::ZERO).into());
            table.insert("to", scenario.calendar.wall(length).into());
            Item::Value(Value::InlineTable(table))
        } else {
            toml_edit::value(length.to_string())
        };
        self.document.insert("span", span);
        self.document.remove("window");
        self.document.remove("evidence");
        let entries = scenario.plan.spec.timeline.iter().enumerate();
        let later = entries.filter(|(_, e)| matches!(e.trigger, Trigger::At(at) if at > length)).map(|(i, _)| i);
        self.remove_entries(&later.collect::<Vec<_>>());
        if let Some(Item::ArrayOfTables(tables)) = self.document.get_mut("timeline") {
            tables.iter_mut().for_each(|table| drop(table.remove("expected_at")));
        }
        if let Some(Item::ArrayOfTables(tables)) = self.document.get_mut("expect") {
            tables.retain(|table| table.get("over").is_none());
        }
        Uncalibrated.visit_document_mut(&mut self.document);
    }

    /// Rewrites the paths of traces for a file that moves from one folder to another.
    pub fn move_traces(&mut self, from: &Path, to: &Path) {
        let Some(clients) = self.document.get_mut("clients").and_then(Item::as_table_like_mut) else { return };
        for (_, population) in clients.iter_mut() {
            let Some(table) = population.as_table_like_mut() else { continue };
            let Some(trace) = table.get_mut("trace") else { continue };
            let file = match trace.as_table_like_mut() {
                Some(table) => table.get_mut("file"),
                None => Some(trace),
            };
            let Some(file) = file else { continue };
            if let Some(path) = file.as_str().and_then(|file| relative(&from.join(file), to)) {
                *file = toml_edit::value(path.display().to_string());
            }
        }
    }
}

/// A value on one line; none where it cannot be one.
fn one_line(item: &Item) -> Option<String> {
    let mut value = item.clone().into_value().ok()?;
    value.decor_mut().clear();
    Some(value.to_string().replace(['\n', '\r'], " ").trim().to_string())
}

fn tables_of(list: &Array) -> ArrayOfTables {
    let mut tables = ArrayOfTables::new();
    list.iter().filter_map(Value::as_inline_table).for_each(|t| tables.push(t.clone().into_table()));
    tables
}

/// Turns `calibrated` marks into `inferred` ones, where the evidence is gone that they name.
struct Uncalibrated;

impl VisitMut for Uncalibrated {
    fn visit_table_like_mut(&mut self, table: &mut dyn TableLike) {
        if table.get("value").is_some()
            && let Some(evidence) = table.remove("calibrated")
        {
            table.remove("range");
            let evidence = evidence.as_str().unwrap_or_default();
            let why = format!("calibrated to {evidence} on the whole of the scenario that this is a part of");
            table.insert("inferred", toml_edit::value(why));
        }
        visit_table_like_mut(self, table);
    }
}

/// The way from a folder to a file; none if one of them is not there.
fn relative(file: &Path, folder: &Path) -> Option<PathBuf> {
    let (file, folder) = (file.canonicalize().ok()?, folder.canonicalize().ok()?);
    let (there, here): (Vec<Component<'_>>, Vec<_>) = (file.components().collect(), folder.components().collect());
    let same = there.iter().zip(&here).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n(Component::ParentDir, here.len() - same);
    Some(up.chain(there[same..].iter().copied()).collect())
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
        edit.remove_entries(&[0]);
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
        edit.remove_entries(&[1]);
        edit.append_entries("[[timeline]]\nat = \"2min\"\ndo = \"note\"\nsays = \"new\"\n", "").expect("TOML");
        assert_eq!(load(&edit).plan.spec.timeline.len(), 2, "{}", edit.text());
    }

    #[test]
    fn the_first_minutes_stand_alone() {
        let mut edit = Edit::parse(FILE).expect("TOML");
        let whole = load(&edit);
        edit.keep_first(&whole, Ns::secs(120));
        let first = load(&edit);
        assert_eq!((first.span, first.window), (Ns::secs(120), (Ns::ZERO, Ns::secs(120))));
        assert_eq!(first.plan.spec.timeline.len(), 1);
        assert_eq!(first.evidence, []);
    }

    #[test]
    fn what_was_run_is_written_into_the_file_and_the_command_line_overrules_it() {
        let mut edit = Edit::parse(FILE).expect("TOML");
        edit.as_run(&["size=large".into()], &["fleets.web.workers=3".into()]);
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
