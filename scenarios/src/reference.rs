//! The format's reference page, written from the declarations that decode it.

use crate::limits;
use brownout_models::setting::{Field, Form, Word};
use std::fmt::Write;

/// `docs/scenario-format.md`, whole.
pub fn reference() -> String {
    let mut page = String::from(HEAD);
    for (what, most) in limits::table() {
        let _ = writeln!(page, "| {what} | {most} |");
    }
    page.push_str(COSTS);
    let mut page = Page { text: page, seen: Vec::new() };
    page.table("", &crate::fields());
    metrics(&mut page.text);
    page.text
}

const METRICS: &str = "
## Metrics

What evidence and conditions of expectations may name. `<calls>` is a kind of call (`track`), one population of it (`track.browsers`)
or `all`. *Over*: a part of a window means also each step of it; a total adds up over the window, so a bound on it is one on the whole
window; some need a window as a whole; those over the run begin with the outage, whatever the window.

| metric | written | over | meaning |
|---|---|---|---|
";

fn metrics(page: &mut String) {
    page.push_str(METRICS);
    for metric in brownout_models::metrics::ALL {
        let (unit, scope) = (metric.unit.example(), metric.scope.words());
        let _ = writeln!(
            page,
            "| `{}.{}` | `{unit}` | {scope} | {} |",
            metric.subject().pattern(),
            metric.name,
            cell(metric.doc)
        );
    }
}

const HEAD: &str = "# The scenario format, version 1

Written from the declarations that decode it; do not edit. A scenario is a TOML file. Amounts carry their unit:
`\"250ms\"`, `\"180/s\"`, `\"10%\"`, `\"1.4GB\"`, `\"13M\"`. With a `zone` and a `span` of two dates, times are times of
the day (`\"11:46\"`); with a `span` such as `\"130s\"` they count from the start (`\"20s\"`).

Any number may say why it is what it is, in place of the bare value:

| written | means |
|---|---|
| `{ value = \"10:15\", reported = \"T2\" }` | the evidence named says so |
| `{ value = 1, inferred = \"why\" }` | follows from evidence, for this reason |
| `{ value = \"10s\", assumed = [\"2s\", \"30s\"] }` | not published; believed to lie in this range |
| `{ value = \"1s\", calibrated = \"E2\", range = [\"0.1s\", \"60s\"] }` | chosen so that this evidence is met |

Designs are overlays: `[axes.<axis>.<point>]` holds keys of the world that the point changes, `axes.<axis>.default` names
the point in force when no `--design` chooses; `[designs.<name>]` (with `based_on`) are further ones. Tables merge, scalars
and lists replace, a `preset` starts its table afresh, `--set path=value` comes last.

A key of which no value could matter in any world that the file describes (`fall`, where no checks are made) has no effect:
`brownout check` and `brownout run` warn about it and say why; with `--strict` that is a mistake. What goes wrong is no part of
the question for keys that say how a part fails and comes back: `restart`, `on_severed`, `warm_up`.

What can go wrong in the timeline is described, with examples, in [faults.md](faults.md).

## What depends on the order of tables

Names and not places decide what happens, with these exceptions. The figures of `rotation` are those of the first fleet of the
file. Servers are numbered fleet by fleet, and the times of health checks and what clocks draw go by these numbers: fleets in
another order move figures as another seed would. Entries of the timeline at one instant happen in the order of the file. Clients or
stores in another order give another digest, and where two things happen at one instant the one whose table comes first goes first.

## Limits

A file that asks for more than this is an error, not a long wait. They are far above what a scenario needs.

| what | at most |
|---|---|
";

const COSTS: &str = "
What a run then costs is bounded by `limits.events` and `limits.memory`: a run that reaches one of them is broken off with exit code 5,
what it has come to so far is printed, and `ended` names the limit. The default of `events` is twenty times what the largest shipped
scenario takes, and about a minute of CPU time; a long day of tens of thousands of calls a second needs more: multiply its calls
by ten, or write `events = \"none\"`. `memory` counts what piles up: some 1 KB for a call that hangs in a store, so the default is
about two million of them.
";

/// The page as it is written.
struct Page {
    text: String,
    /// Tables that stand on it, with their paths: one that is written in several places is told of once.
    seen: Vec<(Vec<Field>, String)>,
}

/// Of so many keys a table is not told of twice.
const LONG: usize = 5;

impl Page {
    fn table(&mut self, path: &str, fields: &[Field]) {
        let title = if path.is_empty() { "top level".to_string() } else { format!("[{path}]") };
        let _ = write!(self.text, "\n## {title}\n");
        let twin = self.seen.iter().find(|(seen, _)| seen.len() >= LONG && seen == fields);
        if let Some((_, known)) = twin {
            let _ = write!(self.text, "\nThe keys of `[{known}]`.\n");
            return;
        }
        self.seen.push((fields.to_vec(), path.to_string()));
        self.text.push_str("\n| key | written | default | meaning |\n|---|---|---|---|\n");
        fields.iter().for_each(|field| row(&mut self.text, field));
        for field in fields {
            let below = if path.is_empty() { field.name.to_string() } else { format!("{path}.{}", field.name) };
            self.inner(&below, &field.form);
        }
    }

    /// The tables and choices below a field.
    fn inner(&mut self, path: &str, form: &Form) {
        match form {
            Form::Table(fields, words) => {
                self.table(path, fields);
                if !self.seen.iter().any(|(seen, at)| seen == fields && at != path) {
                    presets(&mut self.text, path, words);
                }
            }
            Form::Named(of) => self.inner(&format!("{path}.<name>"), of),
            Form::List(of) => self.inner(path, of),
            Form::Pair(one, two) => [one, two].into_iter().for_each(|f| self.inner(path, f)),
            Form::Either(forms) if forms.iter().filter(|f| matches!(f, Form::Table(..))).count() > 1 => {
                alternatives(&mut self.text, path, forms);
            }
            Form::Either(forms) => forms.iter().for_each(|f| self.inner(path, f)),
            Form::Open(fields, of) => {
                self.table(path, fields);
                self.inner(&format!("{path}.<name>"), of);
            }
            Form::Overlay(fields) => {
                let _ = write!(self.text, "\n## [{path}]\n\nAny keys of the world, none required.\n");
                if !fields.is_empty() {
                    self.text.push_str("Beside them:\n\n| key | written | default | meaning |\n|---|---|---|---|\n");
                    fields.iter().for_each(|field| row(&mut self.text, field));
                }
            }
            Form::Tagged(key, common, variants) => {
                self.table(path, common);
                for (word, doc, fields) in variants {
                    let _ = write!(self.text, "\n### [[{path}]] with `{key} = \"{word}\"`\n\n{doc}\n");
                    self.table(&format!("{path}, {word}"), fields);
                }
            }
            Form::Choice(words) if words.len() > 1 => {
                let _ = write!(self.text, "\n`{path}` is one of\n\n");
                for (word, doc) in words {
                    let _ = writeln!(self.text, "- `\"{word}\"`: {}", doc.trim());
                }
            }
            Form::Choice(_) | Form::Text(_) | Form::Amount(..) | Form::Integer | Form::Number | Form::Bool => {}
        }
    }
}

/// One key in its table.
fn row(page: &mut String, field: &Field) {
    let default = match &field.default {
        None => "required".to_string(),
        Some(text) if text.is_empty() || text == "{}" || text == "[]" => String::new(),
        Some(text) => format!("`{text}`"),
    };
    let range = field
        .range
        .map_or(String::new(), |(low, high)| format!(" From {} to {}.", low.trim_matches('"'), high.trim_matches('"')));
    let doc = field.doc.split('\n').map(str::trim).collect::<Vec<_>>().join(" ");
    let _ = writeln!(page, "| `{}` | {} | {default} | {}{range} |", field.name, written(&field.form), cell(&doc));
}

/// Words in place of a table.
fn presets(page: &mut String, path: &str, words: &[Word]) {
    if words.is_empty() {
        return;
    }
    let also = if words.iter().any(|w| w.values.is_some()) { ", as may its key `preset`" } else { "" };
    let _ = write!(page, "\n`{path}` itself may be one of these words{also}:\n\n");
    for word in words {
        let _ = writeln!(page, "- `\"{}\"`: {}", word.name, word.doc.trim());
    }
}

/// Several tables that may stand behind one key.
fn alternatives(page: &mut String, path: &str, forms: &[Form]) {
    let _ = write!(page, "\n`{path}` may also be a table of\n\n");
    for form in forms {
        let Form::Table(fields, _) = form else { continue };
        let keys = fields.iter().map(|f| format!("`{}` ({}): {}", f.name, written(&f.form), cell(f.doc.trim())));
        let _ = writeln!(page, "- {}", keys.collect::<Vec<_>>().join(" "));
    }
}

/// How a form is written, in a few words of Markdown.
pub(crate) fn written(form: &Form) -> String {
    match form {
        Form::Text(example) | Form::Amount(_, example) => format!("`\"{}\"`", cell(example)),
        Form::Integer => "whole number".into(),
        Form::Number => "number".into(),
        Form::Bool => "`true`, `false`".into(),
        Form::Choice(words) if words.len() == 1 => format!("`\"{}\"`", words[0].0),
        Form::Choice(_) => "a word".into(),
        Form::List(of) => format!("list of {}", written(of)),
        Form::Pair(one, two) => format!("[{}, {}]", written(one), written(two)),
        Form::Named(_) => "named tables".into(),
        Form::Table(..) | Form::Open(..) | Form::Overlay(..) => "table".into(),
        Form::Tagged(..) => "tables".into(),
        Form::Either(forms) => {
            let mut ways: Vec<String> = Vec::new();
            for way in forms.iter().map(written) {
                if !ways.contains(&way) {
                    ways.push(way);
                }
            }
            ways.join(" or ")
        }
    }
}

/// Text that stays in its table cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
