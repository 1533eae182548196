//! `brownout explain`: all that is known of a name: a preset, a fault, an action, a metric, a cause, a word, a key,
//! a word of a product, or a design of a file.

use super::list::{self, say_json};
use super::prose::Prose;
use crate::terminal::Terminal;
use brownout::exit::Exit;
use brownout::models::component::operator::{actions, operator_actions};
use brownout::models::fault::{Kind, kinds};
use brownout::models::ledger::{Cause, Seen};
use brownout::models::metrics::{self, Metric, Subject};
use brownout::models::setting::closest;
use brownout::scenarios::catalogue::{self, Key, PresetInfo, Words};
use brownout::scenarios::{Design, Meaning, ProductWord, Request, load_designs, product_words};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Arguments of `explain`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Names: presets, faults, actions, metrics, causes, words, keys (balancer.health.interval), designs of --file, words of
    /// products ("timeout server", proxy_read_timeout, failureThreshold)
    #[arg(required = true)]
    names: Vec<String>,
    /// Explain designs of this scenario file too
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Something that a name may mean.
enum Found {
    Preset(PresetInfo),
    Fault(Kind),
    Action(&'static str, &'static str),
    Metric(&'static Metric),
    Cause(Cause),
    Seen(Seen),
    Word(Words, &'static str),
    Key(Key),
    Product(ProductWord),
    Design(Design),
}

/// Runs the subcommand.
pub fn run(args: &Args, terminal: &Terminal) -> Exit {
    let designs = match &args.file {
        None => Vec::new(),
        Some(path) => match load_designs(&Request { path, set: &[], design: &[] }) {
            Ok((_, designs)) => designs,
            Err(mistakes) => {
                terminal.complain_at_length(&mistakes.render(terminal.color_stderr()));
                return Exit::from(&mistakes);
            }
        },
    };
    let mut all = Vec::new();
    let mut exit = Exit::Fine;
    for name in &args.names {
        let found = find(name, &designs);
        if found.is_empty() {
            terminal.complain(&format!("error: nothing is called \"{name}\"; {}", nearest(name, &designs, args)));
            exit = Exit::Usage;
        }
        all.extend(found);
    }
    if exit != Exit::Fine {
        return exit;
    }
    if args.json {
        return say_json(terminal, &Value::Array(all.iter().map(as_json).collect()));
    }
    let mut page = Prose::new(&terminal.style());
    all.iter().for_each(|found| show(&mut page, found));
    terminal.say(&page.finish());
    Exit::Fine
}

/// Everything of that name. A key is taken by its whole path or, where nothing has that, by its end.
fn find(name: &str, designs: &[Design]) -> Vec<Found> {
    let plain = |text: &str| text.replace(['_', ' '], "-").to_lowercase();
    let is = |text: &str| plain(text) == plain(name);
    let mut out = Vec::new();
    let asked = |d: &Design| is(&d.name) || d.axis.as_ref().is_some_and(|axis| name == format!("{axis}={}", d.name));
    out.extend(designs.iter().filter(|d| asked(d)).cloned().map(Found::Design));
    out.extend(catalogue::presets().into_iter().filter(|p| is(p.name)).map(Found::Preset));
    out.extend(kinds().into_iter().filter(|kind| is(kind.word)).map(Found::Fault));
    let operators = operator_actions().into_iter().filter(|(word, ..)| is(word));
    out.extend(operators.map(|(word, doc, _)| Found::Action(word, doc)));
    // A metric is named with its subject or without; a path of the world may end like one, and is a key.
    let metric = |m: &&Metric| match name.rsplit_once('.') {
        None => is(m.name),
        Some((subject, end)) => m.name == end && metrics::about_by_form(subject) == m.subject(),
    };
    out.extend(metrics::ALL.iter().filter(metric).map(Found::Metric));
    out.extend(Cause::ALL.iter().filter(|c| is(c.word())).map(|c| Found::Cause(*c)));
    out.extend(Seen::ALL.iter().filter(|s| is(s.word())).map(|s| Found::Seen(*s)));
    let modes: Vec<_> = kinds().iter().map(|kind| kind.word).collect();
    for words in catalogue::words() {
        let faults = words.words.iter().all(|(word, _)| modes.contains(word));
        if let Some((word, _)) = words.words.iter().find(|(word, _)| is(word) && !faults) {
            out.push(Found::Word(words.clone(), word));
        }
    }
    let keys = catalogue::keys();
    let whole = keys.iter().filter(|key| catalogue::names(&key.path, name));
    let mut found: Vec<Key> = whole.cloned().collect();
    if found.is_empty() && (out.is_empty() || name.contains('.')) {
        // A fleet's own balancer has the keys of the clients', which are told of once.
        let again = |key: &Key| key.path.starts_with("fleets.<name>.balancer.") || key.path.contains(".then.<n>.<n>.");
        found = keys.into_iter().filter(|key| !again(key) && catalogue::ends_in(&key.path, name)).collect();
    }
    out.extend(found.into_iter().map(Found::Key));
    out.extend(product_words().filter(|word| word.is_called(name)).map(Found::Product));
    out
}

/// What may have been meant instead.
fn nearest(name: &str, designs: &[Design], args: &Args) -> String {
    let mut known: Vec<String> = designs.iter().map(|d| d.name.clone()).collect();
    known.extend(catalogue::presets().iter().map(|p| p.name.to_string()));
    known.extend(actions().iter().map(|(word, ..)| word.to_string()));
    known.extend(metrics::ALL.iter().map(|m| m.name.to_string()));
    known.extend(Cause::ALL.iter().map(|c| c.word().to_string()));
    known.extend(catalogue::words().iter().flat_map(|w| w.words.iter().map(|(word, _)| word.to_string())));
    known.extend(product_words().map(|word| word.word.to_string()));
    for key in catalogue::keys() {
        known.extend(key.path.rsplit('.').next().map(str::to_string));
        known.push(key.path);
    }
    let near = closest(name, known.iter().map(String::as_str)).map(str::to_string);
    match near {
        Some(near) => format!("did you mean `{near}`?"),
        None if args.file.is_none() => "`brownout list` shows what there is; a design needs --file FILE".into(),
        None => "`brownout list` shows what there is".into(),
    }
}

fn as_json(found: &Found) -> Value {
    let (kind, value) = match found {
        Found::Preset(preset) => ("preset", list::preset_json(preset)),
        Found::Fault(kind) => ("fault", list::fault_json(kind)),
        Found::Action(word, doc) => ("action", list::action_json(word, doc)),
        Found::Metric(metric) => ("metric", list::metric_json(metric)),
        Found::Cause(cause) => ("cause", list::word_json(cause.word(), cause.doc())),
        Found::Seen(seen) => ("seen", list::word_json(seen.word(), seen.doc())),
        Found::Word(words, word) => {
            let mut value = list::words_entry_json(words);
            value["name"] = json!(word);
            ("word", value)
        }
        Found::Key(key) => ("key", list::key_json(key)),
        Found::Product(word) => ("product-word", word_of_product_json(word)),
        Found::Design(design) => ("design", list::design_json(design)),
    };
    let mut value = value;
    value["kind"] = json!(kind);
    value
}

fn word_of_product_json(word: &ProductWord) -> Value {
    let is_modelled = matches!(word.meaning, Meaning::Key(_));
    json!({ "product": word.product, "name": word.word, "modelled": is_modelled, "key": word.key(), "doc": word.note })
}

fn show(page: &mut Prose, found: &Found) {
    match found {
        Found::Preset(preset) => show_preset(page, preset),
        Found::Fault(kind) => show_fault(page, kind),
        Found::Action(word, doc) => {
            page.heading(word, "an action of the timeline");
            page.text(doc);
            page.gap();
            page.verbatim(&catalogue::example(word).unwrap_or_default());
        }
        Found::Metric(metric) => show_metric(page, metric),
        Found::Cause(cause) => {
            page.heading(cause.word(), "why a call was dropped");
            page.text(cause.doc().trim());
        }
        Found::Seen(seen) => {
            page.heading(seen.word(), "what a client saw that failed");
            page.text(seen.doc().trim());
        }
        Found::Word(words, word) => {
            page.heading(word, &format!("a word for {}", words.keys.join(", ")));
            let doc = words.words.iter().find(|(w, _)| w == word).map_or("", |(_, doc)| doc.trim());
            page.text(doc);
            page.gap();
            page.text("Beside it:");
            let others = words.words.iter().filter(|(w, _)| w != word);
            page.rows(&others.map(|(w, doc)| (w.to_string(), doc.trim().to_string())).collect::<Vec<_>>());
        }
        Found::Key(key) => show_key(page, key),
        Found::Product(word) => {
            page.heading(word.word, &format!("a word of {}", word.product));
            let is = match word.meaning {
                Meaning::Key(key) => format!("is {key}"),
                Meaning::NotModelled(key) => format!("is not modelled; the nearest is {key}"),
            };
            page.text(&format!("{} `{}` {is}.", word.product, word.word));
            page.text(word.note);
        }
        Found::Design(design) => show_design(page, design),
    }
}

fn show_fault(page: &mut Prose, kind: &Kind) {
    page.heading(kind.word, &format!("a fault of {}", kind.class.name()));
    page.text(kind.doc);
    page.text(&format!("Its effects are counted: {}.", kind.counts));
    page.gap();
    page.verbatim(&catalogue::example(kind.word).unwrap_or_default());
}

fn show_preset(page: &mut Prose, preset: &PresetInfo) {
    page.heading(preset.name, &format!("a preset of {}", preset.key));
    page.text(&preset.doc);
    page.gap();
    let row = |v: &catalogue::PresetValue| {
        let default = match &v.default {
            Some(default) if v.differs() => format!(" (plain default: {default})"),
            None if v.differs() => " (no plain default)".into(),
            _ => String::new(),
        };
        (v.key.clone(), format!("{}{default}", v.value))
    };
    page.rows(&preset.values.iter().map(row).collect::<Vec<_>>());
}

fn show_metric(page: &mut Prose, metric: &Metric) {
    page.heading(&list::metric_name(metric), "a metric");
    page.text(&format!("{} Written as {}.", metric.doc, metric.unit.example()));
    if metric.subject() == Subject::Calls {
        page.text("<calls> is a kind of call (track), one population of it (track.browsers), or `all`.");
    }
}

fn show_key(page: &mut Prose, key: &Key) {
    let aside = key.action.map_or("a key".to_string(), |action| format!("a key of do = \"{action}\""));
    page.heading(&key.path, &aside);
    page.text(&key.doc);
    let mut rows = vec![("written".to_string(), key.written.clone())];
    match key.default.as_deref() {
        None => rows.push(("default".into(), "none: it is required".into())),
        Some("" | "{}" | "[]") => {}
        Some(default) => rows.push(("default".into(), default.into())),
    }
    if let Some((low, high)) = &key.range {
        rows.push(("range".into(), format!("{low} to {high}")));
    }
    page.rows(&rows);
    for words in catalogue::words().iter().filter(|words| words.keys.contains(&key.path)) {
        page.gap();
        let words = words.words.iter().map(|(word, doc)| (word.to_string(), doc.trim().to_string()));
        page.rows(&words.collect::<Vec<_>>());
    }
    let below = |path: &str| path.strip_prefix(&key.path).and_then(|end| end.strip_prefix('.')).map(str::to_string);
    let keys = catalogue::keys();
    let inside = keys.iter().filter_map(|k| Some((below(&k.path)?, k.doc.clone())));
    let inside: Vec<_> = inside.filter(|(end, _)| !end.trim_start_matches("<name>.").contains('.')).collect();
    let presets: Vec<_> = catalogue::presets().into_iter().filter(|p| p.key == key.path).collect();
    if !presets.is_empty() {
        page.gap();
        page.text(&format!("Presets: {}", presets.iter().map(|p| p.name).collect::<Vec<_>>().join(", ")));
    }
    if !inside.is_empty() {
        page.gap();
        page.rows(&inside);
    }
}

fn show_design(page: &mut Prose, design: &Design) {
    let aside = match &design.axis {
        Some(axis) => format!("a point of axis {axis}{}", if design.default { ", its default" } else { "" }),
        None => "a named design".into(),
    };
    page.heading(&design.name, &aside);
    if design.changes.is_empty() {
        page.text("Changes nothing: the file as written.");
        return;
    }
    page.text("What it makes of the file without any design:");
    let row = |c: &brownout::scenarios::Change| {
        let change = match (&c.from, &c.to) {
            (Some(from), Some(to)) => format!("{from} -> {to}"),
            (None, Some(to)) => format!("{to} (new)"),
            (Some(from), None) => format!("{from} -> gone"),
            (None, None) => String::new(),
        };
        (c.path.clone(), change)
    };
    page.rows(&design.changes.iter().map(row).collect::<Vec<_>>());
}
