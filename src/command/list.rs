//! `brownout list`: what there is to name in a scenario, found by walking the declarations of the format.

use super::prose::Prose;
use crate::terminal::Terminal;
use brownout::exit::Exit;
use brownout::models::component::operator::operator_actions;
use brownout::models::fault::{Class, Kind, kinds};
use brownout::models::ledger::{Cause, Seen};
use brownout::models::metrics::{self, Metric};
use brownout::models::setting::closest;
use brownout::output::text::shell;
use brownout::scenarios::catalogue::{self, Key, PresetInfo, Words};
use brownout::scenarios::{Design, Request, load_designs};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Arguments of `list`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// presets, faults, actions, words, metrics, causes, seen, keys, designs, or a scenario file for its designs;
    /// without it, an overview
    topic: Option<String>,
    /// The scenario file, for designs
    file: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// One topic: its word, its heading, its rows and the same as JSON.
struct Topic {
    word: &'static str,
    title: &'static str,
    rows: fn() -> Vec<Section>,
    json: fn() -> Value,
    /// Whether the overview shows it.
    overview: bool,
}

/// Rows that belong together: to which key, then name and meaning.
type Section = (String, Vec<(String, String)>);

const TOPICS: &[Topic] = &[
    Topic {
        word: "presets",
        title: "Presets, by the key they belong to",
        rows: preset_rows,
        json: presets_json,
        overview: true,
    },
    Topic {
        word: "faults",
        title: "Faults in the timeline: do = \"...\"",
        rows: fault_rows,
        json: faults_json,
        overview: true,
    },
    Topic {
        word: "actions",
        title: "Actions of operators in the timeline: do = \"...\"",
        rows: action_rows,
        json: actions_json,
        overview: true,
    },
    Topic { word: "words", title: "Words to choose from, by key", rows: word_rows, json: words_json, overview: true },
    Topic {
        word: "metrics",
        title: "Metrics that evidence and expectations may name",
        rows: metric_rows,
        json: metrics_json,
        overview: true,
    },
    Topic {
        word: "causes",
        title: "Why a call counts as dropped",
        rows: cause_rows,
        json: causes_json,
        overview: true,
    },
    Topic { word: "seen", title: "What a client saw that failed", rows: seen_rows, json: seen_json, overview: true },
    Topic { word: "keys", title: "Keys", rows: key_rows, json: keys_json, overview: false },
];

/// Runs the subcommand.
pub fn run(args: &Args, terminal: &Terminal) -> Exit {
    let Some(word) = args.topic.as_deref() else { return overview(args.json, terminal) };
    if word == "designs" {
        let Some(file) = &args.file else {
            terminal.complain("error: whose designs? Name the scenario file: brownout list designs FILE");
            return Exit::Usage;
        };
        return designs(file, args.json, terminal);
    }
    if let Some(file) = &args.file {
        terminal.complain(&format!("error: `{word}` is the same for every file; {} is not needed", file.display()));
        return Exit::Usage;
    }
    if let Some(topic) = TOPICS.iter().find(|t| t.word == word) {
        if args.json {
            return say_json(terminal, &json!({ topic.word: (topic.json)() }));
        }
        let mut page = Prose::new(&terminal.style());
        show(&mut page, topic);
        terminal.say(&page.finish());
        return Exit::Fine;
    }
    if word.ends_with(".toml") || Path::new(word).is_file() {
        return designs(Path::new(word), args.json, terminal);
    }
    let words: Vec<_> = TOPICS.iter().map(|t| t.word).chain(["designs"]).collect();
    let help = match closest(word, words.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are: {}; or a scenario file", words.join(", ")),
    };
    terminal.complain(&format!("error: no list of \"{word}\"; {help}"));
    Exit::Usage
}

fn show(page: &mut Prose, topic: &Topic) {
    page.heading(topic.title, "");
    for (key, rows) in (topic.rows)() {
        if !key.is_empty() {
            page.gap();
            page.text(&key);
        }
        page.rows(&rows);
    }
}

fn overview(json: bool, terminal: &Terminal) -> Exit {
    if json {
        let all: serde_json::Map<String, Value> =
            TOPICS.iter().map(|topic| (topic.word.to_string(), (topic.json)())).collect();
        return say_json(terminal, &Value::Object(all));
    }
    let mut page = Prose::new(&terminal.style());
    TOPICS.iter().filter(|topic| topic.overview).for_each(|topic| show(&mut page, topic));
    page.heading("Next", "");
    page.rows(&[
        ("brownout explain NAME".into(), "all that is known of one of these".into()),
        ("brownout list keys".into(), "every key of a scenario file".into()),
        ("brownout list FILE".into(), "the designs of a scenario file".into()),
        ("brownout init".into(), "a scenario to start from".into()),
    ]);
    terminal.say(&page.finish());
    Exit::Fine
}

/// Prints one JSON document.
pub fn say_json(terminal: &Terminal, value: &Value) -> Exit {
    match terminal.document("the list", serde_json::to_string_pretty(value)) {
        Ok(()) => Exit::Fine,
        Err(exit) => exit,
    }
}

/// A metric with what it is about.
pub fn metric_name(metric: &Metric) -> String {
    format!("{}.{}", metric.subject().pattern(), metric.name)
}

fn preset_rows() -> Vec<Section> {
    let mut out: Vec<Section> = Vec::new();
    for preset in catalogue::presets() {
        let row = (preset.name.to_string(), preset.doc);
        match out.iter_mut().find(|(key, _)| *key == preset.key) {
            Some((_, rows)) => rows.push(row),
            None => out.push((preset.key, vec![row])),
        }
    }
    out
}

fn plain(rows: impl Iterator<Item = (String, String)>) -> Vec<Section> {
    vec![(String::new(), rows.collect())]
}

fn fault_rows() -> Vec<Section> {
    let of = |class: &Class| {
        let kinds = kinds().into_iter().filter(|kind| kind.class == *class);
        (format!("of {}", class.name()), kinds.map(|kind| (kind.word.into(), kind.doc.into())).collect())
    };
    Class::ALL.iter().map(of).collect()
}

fn action_rows() -> Vec<Section> {
    plain(operator_actions().into_iter().map(|(word, doc, _)| (word.into(), doc.into())))
}

fn word_rows() -> Vec<Section> {
    let words = catalogue::words().into_iter();
    let row = |w: (&str, &str)| (w.0.to_string(), w.1.trim().to_string());
    words.map(|w| (w.keys.join(", "), w.words.into_iter().map(row).collect())).collect()
}

fn metric_rows() -> Vec<Section> {
    plain(metrics::ALL.iter().map(|m| (metric_name(m), format!("{} ({})", m.doc, m.unit.example()))))
}

fn cause_rows() -> Vec<Section> {
    plain(Cause::ALL.iter().map(|c| (c.word().into(), c.doc().trim().into())))
}

fn seen_rows() -> Vec<Section> {
    plain(Seen::ALL.iter().map(|s| (s.word().into(), s.doc().trim().into())))
}

fn key_rows() -> Vec<Section> {
    let row = |key: Key| {
        let default = match key.default.as_deref() {
            None => "; required".to_string(),
            Some("" | "{}" | "[]") => String::new(),
            Some(default) => format!("; {default} if left out"),
        };
        let action = key.action.map_or(String::new(), |a| format!(" (do = \"{a}\")"));
        (key.path, format!("{}{action} [{}{default}]", key.doc, key.written))
    };
    plain(catalogue::keys().into_iter().map(row))
}

fn presets_json() -> Value {
    catalogue::presets().iter().map(preset_json).collect()
}

/// A preset as JSON.
pub fn preset_json(preset: &PresetInfo) -> Value {
    let value = |v: &catalogue::PresetValue| json!({ "key": v.key, "value": v.value, "default": v.default, "differs": v.differs() });
    let values: Vec<_> = preset.values.iter().map(value).collect();
    json!({ "key": preset.key, "name": preset.name, "doc": preset.doc, "values": values })
}

/// A word with its meaning as JSON.
pub fn word_json(name: &str, doc: &str) -> Value {
    json!({ "name": name, "doc": doc.trim() })
}

fn faults_json() -> Value {
    kinds().iter().map(fault_json).collect()
}

fn actions_json() -> Value {
    operator_actions().iter().map(|(word, doc, _)| action_json(word, doc)).collect()
}

/// A kind of fault with its keys and an example as JSON.
pub fn fault_json(kind: &Kind) -> Value {
    let mut value = action_json(kind.word, kind.doc);
    value["of"] = json!(kind.class.name());
    value["counts"] = json!(kind.counts);
    value["severity"] = kind.severities.iter().map(|s| json!(s.key)).collect();
    value
}

/// An action with its keys and an example as JSON.
pub fn action_json(word: &str, doc: &str) -> Value {
    let keys: Vec<_> = catalogue::keys().iter().filter(|key| key.action == Some(word)).map(key_json).collect();
    json!({ "name": word, "doc": doc, "keys": keys, "example": catalogue::example(word) })
}

fn words_json() -> Value {
    catalogue::words().iter().map(words_entry_json).collect()
}

/// A choice as JSON.
pub fn words_entry_json(words: &Words) -> Value {
    let all: Vec<_> = words.words.iter().map(|(word, doc)| word_json(word, doc)).collect();
    json!({ "keys": words.keys, "words": all })
}

fn metrics_json() -> Value {
    metrics::ALL.iter().map(metric_json).collect()
}

/// A metric as JSON.
pub fn metric_json(metric: &Metric) -> Value {
    json!({ "name": metric_name(metric), "written": metric.unit.example(), "doc": metric.doc, "per_step": metric.per_step })
}

fn causes_json() -> Value {
    Cause::ALL.iter().map(|c| word_json(c.word(), c.doc())).collect()
}

fn seen_json() -> Value {
    Seen::ALL.iter().map(|s| word_json(s.word(), s.doc())).collect()
}

fn keys_json() -> Value {
    catalogue::keys().iter().map(key_json).collect()
}

/// A key as JSON.
pub fn key_json(key: &Key) -> Value {
    let range = key.range.as_ref().map(|(low, high)| json!([low, high]));
    json!({ "path": key.path, "action": key.action, "doc": key.doc, "written": key.written, "default": key.default,
            "required": key.default.is_none(), "range": range })
}

/// A design as JSON.
pub fn design_json(design: &Design) -> Value {
    let writes: Vec<_> = design.writes.iter().map(|(path, value)| json!({ "path": path, "value": value })).collect();
    let changes: Vec<_> =
        design.changes.iter().map(|c| json!({ "path": c.path, "from": c.from, "to": c.to })).collect();
    json!({ "name": design.name, "axis": design.axis, "default": design.default, "writes": writes, "changes": changes })
}

fn designs(file: &Path, as_json: bool, terminal: &Terminal) -> Exit {
    let (scenario, designs) = match load_designs(&Request { path: file, set: &[], design: &[] }) {
        Ok(found) => found,
        Err(mistakes) => {
            terminal.complain_at_length(&mistakes.render(terminal.color_stderr()));
            return Exit::from(&mistakes);
        }
    };
    if as_json {
        let all: Vec<_> = designs.iter().map(design_json).collect();
        return say_json(terminal, &json!({ "scenario": scenario.name, "title": scenario.title, "designs": all }));
    }
    let mut page = Prose::new(&terminal.style());
    page.heading(&scenario.title, "");
    if designs.is_empty() {
        page.text("It has no axes and no designs: there is nothing to compare. [axes.<axis>.<point>] would add some.");
    }
    let mut last = None;
    for design in &designs {
        if last != Some(&design.axis) {
            match &design.axis {
                Some(axis) => page.heading(&format!("axis {axis}"), ""),
                None => page.heading("named designs", ""),
            }
            last = Some(&design.axis);
        }
        let mark = if design.default { " (default)" } else { "" };
        let writes: Vec<_> = design.writes.iter().map(|(path, value)| format!("{path} = {value}")).collect();
        let first = writes.first().cloned().unwrap_or_else(|| "the file as written".into());
        let mut rows = vec![(format!("{}{mark}", design.name), first)];
        rows.extend(writes.into_iter().skip(1).map(|write| (String::new(), write)));
        page.rows(&rows);
    }
    page.heading("Next", "");
    let word = shell(&file.display().to_string());
    page.rows(&[
        (format!("brownout explain NAME --file {word}"), "old and new values of a design".into()),
        (format!("brownout compare {word}"), "which design would have helped".into()),
    ]);
    terminal.say(&page.finish());
    Exit::Fine
}
