//! The format's reference page, written from the declarations that decode it.

use brownout_models::setting::{Field, Form};
use std::fmt::Write;

/// `docs/scenario-format.md`, whole.
pub fn reference() -> String {
    let mut page = String::from(HEAD);
    table(&mut page, "", &crate::fields());
    page
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
| `{ value = \"10s\", assumed = [\"2s\", \"30s\"] }` | nobody published it; believed to lie in this range |
| `{ value = \"1s\", calibrated = \"E2\", range = [\"0.1s\", \"60s\"] }` | chosen so that this evidence is met |

Designs are overlays: `[axes.<axis>.<point>]` holds keys of the world that the point changes, `axes.<axis>.default` names
the point in force when no `--design` chooses; `[designs.<name>]` (with `based_on`) are further ones. Tables merge, scalars
and lists replace, a `preset` starts its table afresh, `--set path=value` comes last.
";

fn table(page: &mut String, path: &str, fields: &[Field]) {
    let title = if path.is_empty() { "top level".to_string() } else { format!("[{path}]") };
    let _ = write!(page, "\n## {title}\n\n| key | written | default | meaning |\n|---|---|---|---|\n");
    for field in fields {
        let default = match &field.default {
            None => "required".to_string(),
            Some(text) if text.is_empty() || text == "{}" || text == "[]" => String::new(),
            Some(text) => format!("`{text}`"),
        };
        let range = field.range.map_or(String::new(), |(low, high)| {
            format!(" From {} to {}.", low.trim_matches('"'), high.trim_matches('"'))
        });
        let doc = field.doc.split('\n').map(str::trim).collect::<Vec<_>>().join(" ");
        let _ = writeln!(page, "| `{}` | {} | {default} | {}{range} |", field.name, written(&field.form), cell(&doc));
    }
    for field in fields {
        let below = if path.is_empty() { field.name.to_string() } else { format!("{path}.{}", field.name) };
        inner(page, &below, &field.form);
    }
}

/// The tables and choices below a field.
fn inner(page: &mut String, path: &str, form: &Form) {
    match form {
        Form::Table(fields, _) => table(page, path, fields),
        Form::Named(of) => inner(page, &format!("{path}.<name>"), of),
        Form::List(of) => inner(page, path, of),
        Form::Either(forms) => forms.iter().for_each(|f| inner(page, path, f)),
        Form::Tagged(key, variants) => {
            for (word, doc, fields) in variants {
                let _ = write!(page, "\n### [[{path}]] with `{key} = \"{word}\"`\n\n{doc}\n");
                table(page, &format!("{path}, {word}"), fields);
            }
        }
        Form::Choice(words) if words.len() > 1 => {
            let _ = write!(page, "\n`{path}` is one of\n\n");
            for (word, doc) in words {
                let _ = writeln!(page, "- `\"{word}\"`: {}", doc.trim());
            }
        }
        Form::Choice(_) | Form::Text(_) | Form::Integer | Form::Bool => {}
    }
}

fn written(form: &Form) -> String {
    match form {
        Form::Text(example) => format!("`\"{}\"`", cell(example)),
        Form::Integer => "whole number".into(),
        Form::Bool => "`true`, `false`".into(),
        Form::Choice(words) if words.len() == 1 => format!("`\"{}\"`", words[0].0),
        Form::Choice(_) => "a word".into(),
        Form::List(of) => format!("list of {}", written(of)),
        Form::Named(_) => "named tables".into(),
        Form::Table(..) => "table".into(),
        Form::Tagged(..) => "tables".into(),
        Form::Either(forms) => forms.iter().map(written).collect::<Vec<_>>().join(" or "),
    }
}

/// Text that stays in its table cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
