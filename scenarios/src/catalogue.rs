//! What the format has to offer: keys, presets and words, found by walking the declarations that decode it.
//!
//! Nothing is listed here by hand. What a declaration adds shows up by itself.

use crate::reference;
use brownout_models::component::operator::actions;
use brownout_models::fault::Kind;
use brownout_models::setting::{Field, Form, Word};

/// One key of the format.
#[derive(Clone, PartialEq, Debug)]
pub struct Key {
    /// Where it stands; `<name>` is a name of the file, `<n>` the place in a list: `fleets.<name>.workers`.
    pub path: String,
    /// Of an entry of the timeline: the action that has it.
    pub action: Option<&'static str>,
    /// What it means.
    pub doc: String,
    /// How it is written.
    pub written: String,
    /// Its default as written; `None` where it is required.
    pub default: Option<String>,
    /// Lowest and highest value, as written.
    pub range: Option<(String, String)>,
    /// Its declaration.
    pub form: Form,
}

/// A preset: a product's settings, dated and cited.
#[derive(Clone, PartialEq, Debug)]
pub struct PresetInfo {
    /// The key whose table it fills: "balancer.health".
    pub key: String,
    /// Its name.
    pub name: &'static str,
    /// Which product, of which date, and where its numbers are published.
    pub doc: String,
    /// Every key below the table.
    pub values: Vec<PresetValue>,
}

/// One value of a preset.
#[derive(Clone, PartialEq, Debug)]
pub struct PresetValue {
    /// The key below the preset's table.
    pub key: String,
    /// The value as written.
    pub value: String,
    /// What the key is without any preset, if it has a default.
    pub default: Option<String>,
}

impl PresetValue {
    /// Whether the preset says something else than the plain default.
    pub fn differs(&self) -> bool {
        self.default.as_ref() != Some(&self.value)
    }
}

/// Words of which one is chosen, and the keys that take them.
#[derive(Clone, PartialEq, Debug)]
pub struct Words {
    /// The keys.
    pub keys: Vec<String>,
    /// Each word and what it means.
    pub words: Vec<(&'static str, &'static str)>,
}

/// Every key, in the order of the format.
pub fn keys() -> Vec<Key> {
    let mut out: Vec<Key> = Vec::new();
    walk(&crate::fields(), "", None, &mut |path, action, field| {
        let known = out.iter().any(|key| key.path == path && key.action == action);
        if !known {
            out.push(Key {
                path: path.into(),
                action,
                doc: one_line(field.doc),
                written: reference::written(&field.form).replace('`', ""),
                default: field.default.clone(),
                range: field.range.map(|(low, high)| (unquoted(low), unquoted(high))),
                form: field.form.clone(),
            });
        }
    });
    out
}

/// Every preset, in the order of the format.
pub fn presets() -> Vec<PresetInfo> {
    let mut out = Vec::new();
    walk(&crate::fields(), "", None, &mut |path, _, field| {
        tables(path, &field.form, &mut |path, fields, words| {
            // A fleet's own balancer, and the asks of steps, have those of the clients' and of calls.
            let again = path.starts_with("fleets.<name>.balancer") || path.contains(".then.");
            for word in words.iter().filter(|_| !again) {
                let Some(values) = &word.values else { continue };
                let values = values.iter().map(|(key, value)| PresetValue {
                    key: key.clone(),
                    value: value.clone(),
                    default: default_of(fields, key),
                });
                let values = values.collect();
                out.push(PresetInfo { key: path.into(), name: word.name, doc: one_line(word.doc), values });
            }
        });
    });
    out
}

/// Every choice between words. A word that stands for a whole table is listed with the choice that it makes.
pub fn words() -> Vec<Words> {
    let mut out: Vec<Words> = Vec::new();
    let mut add = |path: &str, words: Vec<(&'static str, &'static str)>| {
        let same = |known: &&mut Words| known.words.iter().map(|w| w.0).eq(words.iter().map(|w| w.0));
        match out.iter_mut().find(same) {
            Some(known) if known.keys.iter().any(|key| key == path) => {}
            Some(known) => known.keys.push(path.into()),
            None => out.push(Words { keys: vec![path.into()], words }),
        }
    };
    walk(&crate::fields(), "", None, &mut |path, _, field| {
        choices(&field.form, &mut |words| add(path, words.to_vec()));
        tables(path, &field.form, &mut |path, _, words| {
            let short: Vec<_> = words.iter().filter(|w| w.values.is_none()).map(|w| (w.name, w.doc)).collect();
            if !short.is_empty() {
                add(path, short);
            }
        });
    });
    out
}

/// A small entry of the timeline that takes this action, with its required keys written and the others as comments.
/// Names of the file are "my-" and the key.
pub fn example(action: &str) -> Option<String> {
    let all = actions();
    let (word, _, fields) = all.iter().find(|(word, ..)| *word == action)?;
    let mut out = format!("[[timeline]]\nat = \"1min\"\ndo = \"{word}\"\n");
    let width = fields.iter().map(|field| field.name.len() + 2).max().unwrap_or(0);
    let fault = Kind::find(word);
    let given = |key: &str| {
        let lines = fault.as_ref()?.example.lines().filter_map(|line| line.split_once(" = "));
        let lasts = Some(("for", "\"5min\""));
        lines.chain(lasts).find(|(name, _)| *name == key).map(|(_, value)| value.to_string())
    };
    for field in fields {
        let (key, value) = match (&field.default, given(field.name)) {
            (_, Some(value)) => (field.name.to_string(), value),
            (None, None) => (field.name.to_string(), sample(field.name, &field.form)),
            (Some(default), None) => (format!("# {}", field.name), as_toml(&field.form, default)),
        };
        out.push_str(&format!("{key:width$} = {value:15} # {}\n", one_line(field.doc)));
    }
    Some(out)
}

/// A fault in the timeline, for five minutes if it lasts. Names of the file begin with "my-".
pub fn fault_example(kind: &Kind) -> String {
    let length = if kind.course.ends_itself() { "" } else { "for = \"5min\"\n" };
    format!("[[timeline]]\nat = \"1min\"\ndo = \"{}\"\n{}\n{length}", kind.word, kind.example)
}

/// A value for a required key.
fn sample(key: &str, form: &Form) -> String {
    match form {
        Form::Text("text") => "\"...\"".into(),
        Form::Text(_) => format!("\"my-{key}\""),
        Form::Amount("time", _) => "\"30s\"".into(),
        Form::Amount(_, example) => format!("\"{example}\""),
        Form::Choice(words) => words.first().map_or("\"\"".into(), |(word, _)| format!("\"{word}\"")),
        Form::Bool => "true".into(),
        Form::Integer | Form::Number => "1".into(),
        Form::Either(forms) => forms.first().map_or("\"\"".into(), |form| sample(key, form)),
        Form::List(of) => format!("[{}]", sample(key, of)),
        Form::Pair(one, two) => format!("[{}, {}]", sample(key, one), sample(key, two)),
        Form::Table(..) | Form::Named(_) | Form::Open(..) | Form::Overlay(_) | Form::Tagged(..) => "{}".into(),
    }
}

/// A value as shown, the way a file writes it: with quotes where it is a string.
pub fn as_toml(form: &Form, shown: &str) -> String {
    let bare = match form {
        Form::Integer | Form::Number => shown.parse::<f64>().is_ok(),
        Form::Bool => true,
        Form::Either(forms) => forms.iter().any(|form| as_toml(form, shown) == shown),
        _ => shown.starts_with(['{', '[']),
    };
    if bare && shown != "none" { shown.to_string() } else { format!("\"{shown}\"") }
}

/// Calls `f` for every key below these fields, with its path and, in the timeline, its action.
fn walk(
    fields: &[Field],
    path: &str,
    action: Option<&'static str>,
    f: &mut dyn FnMut(&str, Option<&'static str>, &Field),
) {
    for field in fields {
        let below = if path.is_empty() { field.name.to_string() } else { format!("{path}.{}", field.name) };
        f(&below, action, field);
        walk_form(&field.form, &below, action, f);
    }
}

fn walk_form(
    form: &Form,
    path: &str,
    action: Option<&'static str>,
    f: &mut dyn FnMut(&str, Option<&'static str>, &Field),
) {
    match form {
        Form::Table(fields, _) => walk(fields, path, action, f),
        Form::Overlay(fields) => walk(fields, path, action, f),
        Form::Open(fields, of) => {
            walk(fields, path, action, f);
            walk_form(of, &format!("{path}.<name>"), action, f);
        }
        Form::Named(of) => walk_form(of, &format!("{path}.<name>"), action, f),
        Form::List(of) => walk_form(of, &format!("{path}.<n>"), action, f),
        Form::Pair(one, two) => [one, two].into_iter().for_each(|form| walk_form(form, path, action, f)),
        Form::Either(forms) => forms.iter().for_each(|form| walk_form(form, path, action, f)),
        Form::Tagged(_, common, variants) => {
            walk(common, path, action, f);
            for (word, _, fields) in variants {
                walk(fields, path, Some(*word), f);
            }
        }
        Form::Choice(_) | Form::Text(_) | Form::Amount(..) | Form::Integer | Form::Number | Form::Bool => {}
    }
}

/// Told a table: its path, its fields, the words that may stand in its place.
type ForTable<'f> = dyn FnMut(&str, &[Field], &[Word]) + 'f;
/// Told the words of a choice.
type ForChoice<'f> = dyn FnMut(&[(&'static str, &'static str)]) + 'f;

/// The tables that stand directly behind a key, be it under free names.
fn tables(path: &str, form: &Form, f: &mut ForTable<'_>) {
    match form {
        Form::Table(fields, words) => f(path, fields, words),
        Form::Named(of) => tables(&format!("{path}.<name>"), of, f),
        Form::List(of) => tables(&format!("{path}.<n>"), of, f),
        Form::Either(forms) => forms.iter().for_each(|form| tables(path, form, f)),
        _ => {}
    }
}

/// The choices directly behind a key. A single word, as "none" beside a value, is none.
fn choices(form: &Form, f: &mut ForChoice<'_>) {
    match form {
        Form::Choice(words) if words.len() > 1 => f(words),
        Form::Named(of) | Form::List(of) => choices(of, f),
        Form::Either(forms) => forms.iter().for_each(|form| choices(form, f)),
        _ => {}
    }
}

/// The default of a key below a table, as written.
fn default_of(fields: &[Field], key: &str) -> Option<String> {
    let (first, rest) = key.split_once('.').map_or((key, None), |(first, rest)| (first, Some(rest)));
    let field = fields.iter().find(|field| field.name == first)?;
    let Some(rest) = rest else { return field.default.clone() };
    let mut found = None;
    tables("", &field.form, &mut |_, fields, _| found = found.take().or_else(|| default_of(fields, rest)));
    found
}

/// Whether a path as a user writes it names this key: names stand for `<name>`, numbers or nothing for `<n>`.
pub fn names(pattern: &str, written: &str) -> bool {
    let pattern: Vec<_> = pattern.split('.').collect();
    let written: Vec<_> = written.split('.').collect();
    matches(&pattern, &written)
}

/// As [`names`], for the last parts of a path: "health.interval" names "balancer.health.interval".
pub fn ends_in(pattern: &str, written: &str) -> bool {
    let (pattern, written): (Vec<_>, Vec<_>) = (pattern.split('.').collect(), written.split('.').collect());
    // A placeholder at its head would take any word at all.
    (0..pattern.len()).any(|at| !pattern[at].starts_with('<') && matches(&pattern[at..], &written))
}

fn matches(pattern: &[&str], written: &[&str]) -> bool {
    match (pattern, written) {
        ([], []) => true,
        (["<n>", p @ ..], [w, rest @ ..]) if *w == "<n>" || w.parse::<usize>().is_ok() => matches(p, rest),
        (["<n>", p @ ..], _) => matches(p, written),
        (["<name>", p @ ..], [_, rest @ ..]) => matches(p, rest),
        ([p, ps @ ..], [w, rest @ ..]) => p == w && matches(ps, rest),
        _ => false,
    }
}

fn unquoted(text: &str) -> String {
    text.trim_matches('"').replace('_', "")
}

/// A declaration's text without its line breaks.
pub(crate) fn one_line(text: &str) -> String {
    text.split('\n').map(str::trim).collect::<Vec<_>>().join(" ").trim().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_named_as_users_write_them() {
        assert!(names("fleets.<name>.calls.<name>.at_most", "fleets.<name>.calls.<kind>.at_most"));
        assert!(names("fleets.<name>.workers", "fleets.collectors.workers"));
        assert!(names("timeline.<n>.by", "timeline.1.by") && names("timeline.<n>.by", "timeline.by"));
        assert!(!names("fleets.<name>.workers", "fleets.workers"));
        assert!(ends_in("balancer.health.interval", "health.interval") && !ends_in("stores.<name>", "typo"));
    }

    #[test]
    fn presets_are_found_wherever_they_are_and_say_what_differs() {
        let all = presets();
        let keys: Vec<_> = all.iter().map(|p| (p.key.as_str(), p.name)).collect();
        for known in
            [("balancer", "haproxy"), ("balancer.health", "classic-elb-2015"), ("clients.<name>.retry", "none")]
        {
            assert!(keys.contains(&known), "no {known:?} in {keys:?}");
        }
        let elb = all.iter().find(|p| p.key == "balancer.health" && p.name == "classic-elb-2015").expect("it is there");
        let differs: Vec<_> = elb.values.iter().filter(|v| v.differs()).map(|v| v.key.as_str()).collect();
        assert_eq!(differs, ["interval", "timeout", "rise", "fall", "pace", "pass_to"]);
    }

    #[test]
    fn every_key_says_when_it_has_an_effect() {
        let mut mute = Vec::new();
        walk(&crate::fields(), "", None, &mut |path, action, field| {
            if !field.says_when {
                mute.push(format!("{path} ({})", action.unwrap_or("any")));
            }
        });
        assert!(mute.is_empty(), "end their declarations with `=> always`, or with when they have one: {mute:#?}");
    }

    #[test]
    fn every_key_says_what_it_means() {
        for key in keys() {
            assert!(key.doc.len() > 5, "{} has no meaning", key.path);
        }
    }
}
