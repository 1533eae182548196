//! The JSON schema of the format (draft 2020-12), written from the declarations that decode it.
//!
//! By hand and not by `schemars`: that derives from Rust types, and the format is declared by `settings!`, with units,
//! ranges, presets and words that the types do not have. The schema is for editors: it completes keys and marks slips.
//! It refuses only what the decoder refuses; what it lets pass may still be wrong (`brownout check` knows). To keep that
//! promise it demands no required key inside designs, and lets a table carry a mark for all that is in it.

use crate::catalogue::one_line;
use crate::header::{FORMAT, Header};
use brownout_models::setting::{Field, Form, Settings, Word};
use brownout_models::spec::WorldSpec;

/// Columns of the file.
const WIDTH: usize = 120;
/// Keys that any table of the world may carry: a mark speaks for everything inside.
const MARKS: &str = "^(value|reported|inferred|assumed|calibrated|range)$";

/// `docs/scenario.schema.json`, whole.
pub fn schema() -> String {
    let mut names = Names::default();
    names.collect(&Header::fields(), &[]);
    names.collect(&WorldSpec::fields(), &[]);
    let mut writer = Writer { names: names.settle(), defs: Vec::new() };
    let header = Header::fields();
    let mut properties: Vec<(String, Json)> = Vec::new();
    for field in &header {
        properties.push((field.name.into(), writer.property(field, false)));
    }
    for field in &WorldSpec::fields() {
        let mut property = writer.property(field, true);
        if let (Json::Object(entries), Some(required)) = (&mut property, required(&field.form)) {
            entries.push(("allOf".into(), Json::List(vec![required])));
        }
        properties.push((field.name.into(), property));
    }
    let needed = header.iter().filter(|f| f.default.is_none()).map(|f| text(f.name)).collect();
    writer.leaf_defs();
    let root = object([
        ("$schema", text("https://json-schema.org/draft/2020-12/schema")),
        ("title", text(&format!("Brownout scenario, format {FORMAT}"))),
        ("description", text("Written from the declarations that decode the format; do not edit.")),
        ("type", text("object")),
        ("required", Json::List(needed)),
        ("properties", Json::Object(properties)),
        ("additionalProperties", Json::Raw("false".into())),
        ("$defs", Json::Object(writer.defs)),
    ]);
    let mut out = String::new();
    root.write(0, &mut out);
    out.push('\n');
    out
}

/// JSON whose keys keep their order.
#[derive(Clone, PartialEq, Debug)]
enum Json {
    Raw(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

fn text(text: &str) -> Json {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    Json::Raw(out)
}

fn object<const N: usize>(entries: [(&str, Json); N]) -> Json {
    Json::Object(entries.into_iter().map(|(key, value)| (key.to_string(), value)).collect())
}

fn any_of(forms: Vec<Json>) -> Json {
    object([("anyOf", Json::List(forms))])
}

fn reference(name: &str) -> Json {
    object([("$ref", text(&format!("#/$defs/{name}")))])
}

/// A value in place of which `{ value = ..., assumed = [...] }` may stand.
fn marked(bare: Json) -> Json {
    let value = object([("value", bare.clone())]);
    any_of(vec![bare, object([("$ref", text("#/$defs/marked")), ("properties", value)])])
}

impl Json {
    fn compact(&self) -> String {
        match self {
            Json::Raw(raw) => raw.clone(),
            Json::List(items) => format!("[{}]", items.iter().map(Json::compact).collect::<Vec<_>>().join(", ")),
            Json::Object(entries) if entries.is_empty() => "{}".into(),
            Json::Object(entries) => {
                let entry = |(key, value): &(String, Json)| format!("{}: {}", text(key).compact(), value.compact());
                format!("{{ {} }}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// On one line where it fits, otherwise broken up.
    fn write(&self, indent: usize, out: &mut String) {
        let compact = self.compact();
        if indent > 0 && indent + compact.len() <= WIDTH {
            return out.push_str(&compact);
        }
        let pad = |n: usize| format!("\n{}", " ".repeat(n));
        match self {
            Json::Raw(raw) => out.push_str(raw),
            Json::List(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    out.push_str(&pad(indent + 2));
                    item.write(indent + 2, out);
                }
                out.push_str(&pad(indent));
                out.push(']');
            }
            Json::Object(entries) => {
                out.push('{');
                for (at, (key, value)) in entries.iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    out.push_str(&pad(indent + 2));
                    out.push_str(&text(key).compact());
                    out.push_str(": ");
                    value.write(indent + 2, out);
                }
                out.push_str(&pad(indent));
                out.push('}');
            }
        }
    }
}

/// Which keys a base file must have, where there are such; a mark or a preset may bring them.
fn required(form: &Form) -> Option<Json> {
    match form {
        Form::Named(of) => {
            let below = required(of)?;
            Some(object([("additionalProperties", below), ("patternProperties", object([(MARKS, object([]))]))]))
        }
        Form::Either(forms) => match &forms.iter().filter(|f| matches!(f, Form::Table(..))).collect::<Vec<_>>()[..] {
            [table] => required(table),
            _ => None,
        },
        Form::Table(fields, _) => {
            let mut entries = Vec::new();
            let needed: Vec<_> = fields.iter().filter(|f| f.default.is_none()).map(|f| text(f.name)).collect();
            if !needed.is_empty() {
                // A mark, a preset or the part that this one is like may bring them; a word has no keys, and needs none.
                let mut ways = vec![Json::List(needed)];
                ways.extend(["value", "preset", "like"].map(|key| Json::List(vec![text(key)])));
                let ways = ways.into_iter().map(|keys| object([("required", keys)])).collect();
                entries.push(("anyOf".to_string(), Json::List(ways)));
            }
            let below = fields.iter().filter_map(|f| Some((f.name.to_string(), required(&f.form)?)));
            let below: Vec<_> = below.collect();
            if !below.is_empty() {
                entries.push(("properties".to_string(), Json::Object(below)));
            }
            (!entries.is_empty()).then_some(Json::Object(entries))
        }
        _ => None,
    }
}

/// Tables and choices that get a definition of their own, with a name.
#[derive(Default)]
struct Names {
    found: Vec<(Form, Vec<String>)>,
}

impl Names {
    fn collect(&mut self, fields: &[Field], path: &[String]) {
        for field in fields {
            let mut below = path.to_vec();
            below.push(field.name.into());
            self.collect_form(&field.form, &below);
        }
    }

    fn collect_form(&mut self, form: &Form, path: &[String]) {
        match form {
            Form::Table(fields, _) => {
                self.add(form, path);
                self.collect(fields, path);
            }
            Form::Choice(words) if words.len() > 1 => self.add(form, path),
            Form::Named(of) | Form::List(of) => self.collect_form(of, path),
            Form::Pair(one, two) => [one, two].into_iter().for_each(|f| self.collect_form(f, path)),
            Form::Either(forms) => {
                let several = forms.iter().filter(|f| matches!(f, Form::Table(..))).count() > 1;
                for form in forms {
                    match form {
                        Form::Table(fields, _) if several => {
                            let tag = fields.first().map_or(String::new(), |f| f.name.to_string());
                            self.collect_form(form, &[path, &[tag]].concat());
                        }
                        _ => self.collect_form(form, path),
                    }
                }
            }
            Form::Tagged(_, common, variants) => {
                self.collect(common, path);
                variants.iter().for_each(|(_, _, fields)| self.collect(fields, path));
            }
            _ => {}
        }
    }

    fn add(&mut self, form: &Form, path: &[String]) {
        if !self.found.iter().any(|(known, _)| same(known, form)) {
            self.found.push((form.clone(), path.to_vec()));
        }
    }

    /// The shortest end of each path that no other has.
    fn settle(self) -> Vec<(Form, String)> {
        let end = |path: &[String], n: usize| path[path.len().saturating_sub(n)..].join(".");
        let name = |at: usize, path: &[String]| {
            let unique = |n: &usize| {
                let mut others = self.found.iter().enumerate().filter(|(other, _)| *other != at);
                // A whole path may be the end of another, which then takes a longer one.
                let taken =
                    |other: &[String]| if *n == path.len() { other == path } else { end(other, *n) == end(path, *n) };
                others.all(|(_, (_, other))| !taken(other))
            };
            match (1..=path.len()).find(unique) {
                Some(n) => end(path, n),
                None => format!("{}-{at}", path.join(".")),
            }
        };
        self.found.iter().enumerate().map(|(at, (form, path))| (form.clone(), name(at, path))).collect()
    }
}

/// Tables are the same if their fields are, whatever words may stand in their place.
fn same(one: &Form, other: &Form) -> bool {
    match (one, other) {
        (Form::Table(a, v), Form::Table(b, w)) => a == b && has_presets(v) == has_presets(w),
        _ => one == other,
    }
}

fn has_presets(words: &[Word]) -> bool {
    words.iter().any(|word| word.values.is_some())
}

struct Writer {
    names: Vec<(Form, String)>,
    defs: Vec<(String, Json)>,
}

impl Writer {
    /// One key: what it means, its default, what may stand behind it.
    fn property(&mut self, field: &Field, world: bool) -> Json {
        let mut doc = one_line(field.doc);
        let range = field.range.map(|(low, high)| (low.trim_matches('"'), high.trim_matches('"')));
        let numeric = has(&field.form, &|f| matches!(f, Form::Integer | Form::Number));
        if let (Some((low, high)), false) = (range, numeric) {
            doc.push_str(&format!(" From {low} to {high}."));
        }
        let mut entries = vec![("description".to_string(), text(&doc))];
        if let Some(default) = field.default.as_deref().and_then(|shown| default(&field.form, shown)) {
            entries.push(("default".into(), default));
        }
        if let Json::Object(kind) = self.form(&field.form, world) {
            entries.extend(kind);
        }
        if field.name == "brownout" {
            entries.push(("const".into(), Json::Raw(FORMAT.to_string())));
        }
        if let (Some((low, high)), true) = (range, numeric) {
            let bound = |text: &str| Json::Raw(text.replace('_', ""));
            entries.push(("minimum".into(), bound(low)));
            entries.push(("maximum".into(), bound(high)));
            if world {
                let bounds = object([("minimum", bound(low)), ("maximum", bound(high))]);
                entries.push(("properties".into(), object([("value", bounds)])));
            }
        }
        Json::Object(entries)
    }

    fn form(&mut self, form: &Form, world: bool) -> Json {
        let leaf = |name: &str| reference(if world { name.to_string() } else { format!("plain.{name}") }.as_str());
        let wrap = |bare: Json| if world { marked(bare) } else { bare };
        match form {
            Form::Text(_) => leaf("text"),
            Form::Amount(what, _) => leaf(what),
            Form::Integer => leaf("integer"),
            Form::Number => leaf("number"),
            Form::Bool => leaf("boolean"),
            Form::Choice(words) if words.len() > 1 => self.choice(form, words, world),
            Form::Choice(words) => wrap(words_of(words.iter().map(|w| w.0))),
            Form::List(of) => {
                let items = self.form(of, world);
                wrap(object([("type", text("array")), ("items", items)]))
            }
            Form::Pair(one, two) => {
                let pair = Json::List(vec![self.form(one, world), self.form(two, world)]);
                let two = || Json::Raw("2".into());
                wrap(object([("type", text("array")), ("prefixItems", pair), ("minItems", two()), ("maxItems", two())]))
            }
            Form::Named(of) => {
                let below = self.form(of, world);
                // In the world the word takes a name of the base away.
                let below = if world { any_of(vec![below, words_of(["none"].into_iter())]) } else { below };
                named(below, Vec::new(), world)
            }
            Form::Open(fields, of) => {
                let fields = fields.iter().map(|f| (f.name.to_string(), self.property(f, false))).collect();
                let below = self.form(of, world);
                named(below, fields, true)
            }
            Form::Overlay(fields) => self.overlay(fields),
            Form::Table(_, words) => {
                let table = self.table(form, world);
                if words.is_empty() { table } else { any_of(vec![table, wrap(words_of(words.iter().map(|w| w.name)))]) }
            }
            Form::Either(forms) => any_of(forms.iter().map(|f| self.form(f, world)).collect()),
            Form::Tagged(key, common, variants) => {
                let all =
                    variants.iter().map(|(word, doc, fields)| self.variant(key, word, doc, common, fields, world));
                object([("oneOf", Json::List(all.collect()))])
            }
        }
    }

    fn name_of(&self, form: &Form) -> String {
        let found = self.names.iter().find(|(known, _)| same(known, form));
        found.map_or_else(|| "unnamed".into(), |(_, name)| name.clone())
    }

    fn choice(&mut self, form: &Form, words: &[(&'static str, &'static str)], world: bool) -> Json {
        let name = self.name_of(form);
        if !self.defs.iter().any(|(known, _)| *known == name) {
            let bare = words_of(words.iter().map(|w| w.0));
            let said = words.iter().map(|(word, doc)| format!("{word}: {}", doc.trim()));
            let said = text(&said.collect::<Vec<_>>().join(" "));
            let Json::Object(kind) = (if world { marked(bare) } else { bare }) else { return reference(&name) };
            let mut entries = vec![("description".to_string(), said)];
            entries.extend(kind);
            self.defs.push((name.clone(), Json::Object(entries)));
        }
        reference(&name)
    }

    fn table(&mut self, form: &Form, world: bool) -> Json {
        let name = self.name_of(form);
        let Form::Table(fields, words) = form else { return reference(&name) };
        if self.defs.iter().any(|(known, _)| *known == name) {
            return reference(&name);
        }
        // The place is taken first: definitions stand in the order in which they are met.
        let at = self.defs.len();
        self.defs.push((name.clone(), object([])));
        let mut properties = Vec::new();
        if has_presets(words) {
            let presets: Vec<_> = words.iter().filter(|w| w.values.is_some()).collect();
            let said: Vec<_> = presets.iter().map(|w| format!("{}: {}", w.name, one_line(w.doc))).collect();
            let described = text(&format!("The preset that the other keys change. {}", said.join(" ")));
            let Json::Object(mut entries) = words_of(presets.iter().map(|w| w.name)) else { return reference(&name) };
            entries.insert(0, ("description".into(), described));
            properties.push(("preset".to_string(), Json::Object(entries)));
        }
        properties.extend(fields.iter().map(|f| (f.name.to_string(), self.property(f, world))));
        let needed = if world { Vec::new() } else { required_keys(fields) };
        self.defs[at].1 = closed(properties, needed, world);
        reference(&name)
    }

    /// One table of several that a key tells apart. It stands in a list, which a design replaces as a whole, so its
    /// required keys are required everywhere.
    fn variant(&mut self, key: &str, word: &str, doc: &str, common: &[Field], fields: &[Field], world: bool) -> Json {
        let name = format!("{key}.{word}");
        if !self.defs.iter().any(|(known, _)| *known == name) {
            let mut properties = vec![(key.to_string(), object([("description", text(doc)), ("const", text(word))]))];
            for field in common.iter().chain(fields) {
                properties.push((field.name.into(), self.property(field, world)));
            }
            let mut needed = vec![text(key)];
            needed.extend(required_keys(fields));
            let table = closed(properties, needed, world);
            self.defs.push((name.clone(), table));
        }
        reference(&name)
    }

    /// Keys of the world, none required, and some beside them.
    fn overlay(&mut self, fields: &[Field]) -> Json {
        let name = if fields.is_empty() { "overlay" } else { "design" };
        if !self.defs.iter().any(|(known, _)| known == name) {
            let at = self.defs.len();
            self.defs.push((name.into(), object([])));
            let mut properties: Vec<_> = fields.iter().map(|f| (f.name.to_string(), self.property(f, false))).collect();
            for field in WorldSpec::fields() {
                let mut property = self.property(&field, true);
                if let (Json::Object(entries), Form::List(of)) = (&mut property, &field.form)
                    && let Form::Tagged(key, common, variants) = &**of
                {
                    // In a design the list may be a table too: its keys are the ids of entries, which it changes.
                    let keys = common.iter().chain(variants.iter().flat_map(|v| &v.2)).map(|f| f.name);
                    let mut keys: Vec<_> = keys.chain([*key]).collect();
                    keys.sort_unstable();
                    keys.dedup();
                    let entry = object([("type", text("object")), ("propertyNames", words_of(keys.into_iter()))]);
                    let by_id = object([("type", text("object")), ("additionalProperties", entry)]);
                    let list = Json::Object(entries.split_off(1));
                    entries.push(("anyOf".into(), Json::List(vec![list, by_id])));
                }
                properties.push((field.name.into(), property));
            }
            self.defs[at].1 = closed(properties, Vec::new(), true);
        }
        reference(name)
    }

    /// What the leaves of the tree are made of, as far as it is used.
    fn leaf_defs(&mut self) {
        let kind = |name: &str| object([("type", text(name))]);
        let string = |pattern: &str| object([("type", text("string")), ("pattern", text(pattern))]);
        // Conditions that every such string meets; the decoder knows the rest.
        let amounts = [
            ("time", string("[A-Za-z]")),
            ("rate", string("/")),
            ("share", string("[%/]")),
            ("size", string("B\\s*$|^none$")),
            ("quantity", string("[0-9]")),
            ("moment", kind("string")),
            ("text", kind("string")),
        ];
        let numbers = [("integer", kind("integer")), ("number", kind("number")), ("boolean", kind("boolean"))];
        for (name, bare) in amounts.into_iter().chain(numbers) {
            let plain = format!("plain.{name}");
            self.defs.push((name.into(), {
                let value = object([("value", reference(&plain))]);
                any_of(vec![reference(&plain), object([("$ref", text("#/$defs/marked")), ("properties", value)])])
            }));
            self.defs.push((plain, bare));
        }
        let string = |says: &str| object([("description", text(says)), ("type", text("string"))]);
        let range = |says: &str| object([("description", text(says)), ("$ref", text("#/$defs/range"))]);
        let marks = object([
            ("value", object([])),
            ("reported", string("The evidence that states the value.")),
            ("inferred", string("Why the value follows from evidence.")),
            ("assumed", range("Nobody published the value; it is believed to lie between these.")),
            ("calibrated", string("The id of the evidence that the value was chosen to meet.")),
            ("range", range("Beside `calibrated`: where the value is believed to lie.")),
        ]);
        let mut table = closed(Vec::new(), vec![text("value")], false);
        if let Json::Object(entries) = &mut table {
            entries.insert(0, ("description".into(), text("A value, and why it is what it is.")));
            entries.retain(|(key, _)| key != "properties");
            entries.push(("minProperties".into(), Json::Raw("2".into())));
            entries.push(("properties".into(), marks));
        }
        self.defs.push(("marked".into(), table));
        let two = || Json::Raw("2".into());
        let range = object([("type", text("array")), ("minItems", two()), ("maxItems", two())]);
        self.defs.push(("range".into(), range));
    }
}

fn required_keys(fields: &[Field]) -> Vec<Json> {
    fields.iter().filter(|f| f.default.is_none()).map(|f| text(f.name)).collect()
}

/// A table with these keys and no others; one of the world may carry marks.
fn closed(properties: Vec<(String, Json)>, required: Vec<Json>, world: bool) -> Json {
    let mut entries = vec![("type".to_string(), text("object"))];
    if !required.is_empty() {
        entries.push(("required".into(), Json::List(required)));
    }
    entries.push(("properties".into(), Json::Object(properties)));
    if world {
        entries.push(("patternProperties".into(), object([(MARKS, object([]))])));
    }
    entries.push(("additionalProperties".into(), Json::Raw("false".into())));
    Json::Object(entries)
}

/// A table of free names.
fn named(below: Json, properties: Vec<(String, Json)>, world: bool) -> Json {
    let mut entries = vec![("type".to_string(), text("object"))];
    if !properties.is_empty() {
        entries.push(("properties".into(), Json::Object(properties)));
    }
    if world {
        entries.push(("patternProperties".into(), object([(MARKS, object([]))])));
    }
    entries.push(("additionalProperties".into(), below));
    Json::Object(entries)
}

fn words_of<'w>(words: impl Iterator<Item = &'w str>) -> Json {
    object([("enum", Json::List(words.map(text).collect()))])
}

fn has(form: &Form, what: &dyn Fn(&Form) -> bool) -> bool {
    what(form) || matches!(form, Form::Either(forms) if forms.iter().any(|f| has(f, what)))
}

/// A default as the file would have it; tables and lists show theirs key by key.
fn default(form: &Form, shown: &str) -> Option<Json> {
    if shown.is_empty() || shown.starts_with(['{', '[']) {
        return None;
    }
    let number = has(form, &|f| matches!(f, Form::Integer | Form::Number)) && shown.parse::<f64>().is_ok();
    let raw = number || matches!(form, Form::Bool);
    Some(if raw { Json::Raw(shown.into()) } else { text(shown) })
}
