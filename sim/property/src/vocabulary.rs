//! Which faults a hunt may draw: the registry's kinds, on the targets that this world has, as far as wanted.

use crate::knob::{Knob, Measure};
use crate::schedule::{Fault, Onset, Repeat, Schedule, Severity};
use crate::values::number;
use brownout_models::fault::{self, Course, Range};
use brownout_models::setting::{Clock, Data, closest};
use brownout_models::spec::WorldSpec;
use brownout_models::units::{Ns, parse_duration};
use brownout_scenarios::{Keys, Scenario, to_toml, unquoted};

/// The key of how long a fault lasts.
pub const LASTS: &str = "for";

/// What a fault may hit.
#[derive(Clone, PartialEq, Debug)]
pub struct Target {
    /// What it is called on the command line: "identify".
    pub name: String,
    /// The keys that name it in an entry, with their values as TOML.
    pub keys: Vec<(String, String)>,
}

/// A kind of fault with its targets in this world.
#[derive(Clone, PartialEq, Debug)]
pub struct Kind {
    /// The word that a file uses: "hang".
    pub word: String,
    /// What it hits: "store".
    pub class: String,
    /// How it is in force.
    pub course: Course,
    /// The numbers that say how bad it is.
    pub knobs: Vec<Knob>,
    /// What its keys are where a file does not say.
    defaults: Vec<(String, String)>,
    /// What it may hit here.
    pub targets: Vec<Target>,
}

/// The faults that may be drawn.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Vocabulary {
    /// The kinds that have a target here and are wanted.
    pub kinds: Vec<Kind>,
    /// Every kind that there is, to read schedules that were not drawn here.
    all: Vec<Kind>,
}

/// Words of `--only` and `--without`: kinds, classes and targets.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// Only what these name; everything if there are none.
    pub only: &'a [String],
    /// Nothing that these name.
    pub without: &'a [String],
}

/// The kinds of faults, with all their targets in a world.
fn registry(spec: &WorldSpec) -> Vec<Kind> {
    let all = fault::kinds();
    all.iter()
        .map(|kind| Kind {
            word: kind.word.into(),
            class: kind.class.name().trim_start_matches("the ").trim_end_matches('s').into(),
            course: kind.course,
            knobs: kind.severities.iter().map(|s| knob(s.key, s.range)).collect(),
            defaults: kind.fields.iter().filter_map(|f| Some((f.name.to_string(), f.default.clone()?))).collect(),
            targets: kind.targets(spec).iter().map(|keys| Target::of(keys)).collect(),
        })
        .collect()
}

/// The numbers of a range, times in seconds.
fn knob(key: &str, range: Range) -> Knob {
    let (measure, mild, extreme) = match range {
        Range::Time(mild, extreme) => (Measure::Duration, mild.as_secs(), extreme.as_secs()),
        Range::Factor(mild, extreme) => (Measure::Factor, mild, extreme),
        Range::Share(mild, extreme) => (Measure::Share, mild, extreme),
        Range::Count(mild, extreme) => (Measure::Count, f64::from(mild), f64::from(extreme)),
        Range::Rate(mild, extreme) => (Measure::Rate, mild, extreme),
        Range::Size(mild, extreme) => (Measure::Size, mild as f64, extreme as f64),
    };
    Knob { key: key.into(), measure, mild, extreme }
}

impl Vocabulary {
    /// What may be drawn in a world.
    ///
    /// # Errors
    /// A word that names nothing here, or that nothing is left.
    pub fn new(scenario: &Scenario, filter: Filter<'_>) -> Result<Vocabulary, Vec<String>> {
        let all = registry(&scenario.plan.spec);
        let (only, without) = (words(filter.only), words(filter.without));
        let mut wrong = Vec::new();
        for (option, word) in only.iter().map(|w| ("--only", w)).chain(without.iter().map(|w| ("--without", w))) {
            if !all.iter().any(|kind| names(kind, word).is_some()) {
                wrong.push(unknown(option, word, &all));
            }
        }
        // "hang,slow,identify": of the kinds named, on the targets named.
        let is_target = |word: &&String| all.iter().any(|kind| names(kind, word) == Some(Named::Target));
        let (targets, kinds): (Vec<&String>, Vec<&String>) = only.iter().partition(is_target);
        let wanted = |kind: &Kind| {
            let named = |list: &[&String]| list.iter().any(|w| names_kind(kind, w));
            (kinds.is_empty() || named(&kinds)) && !without.iter().any(|w| names_kind(kind, w))
        };
        let hit = |target: &Target| {
            (targets.is_empty() || targets.iter().any(|w| target.is_called(w)))
                && !without.iter().any(|w| target.is_called(w))
        };
        let mut left = Vec::new();
        for kind in all.iter().filter(|kind| wanted(kind)) {
            let targets: Vec<Target> = kind.targets.iter().filter(|t| hit(t)).cloned().collect();
            if !targets.is_empty() {
                left.push(Kind { targets, ..kind.clone() });
            }
        }
        if wrong.is_empty() && left.is_empty() {
            wrong.push("no fault is left to draw: take a word out of --only or --without".into());
        }
        if wrong.is_empty() { Ok(Vocabulary { kinds: left, all }) } else { Err(wrong) }
    }

    /// The fault that an entry of a file's timeline is, given as keys and TOML values; none if it is no fault.
    pub fn read(&self, entry: &Keys, scenario: &Scenario) -> Option<Fault> {
        let says = |key: &str| entry.get(key).map(|value| unquoted(value));
        let kind = self.all.iter().find(|kind| says("do").as_ref() == Some(&kind.word))?;
        let onset = match says("at").map(|text| scenario.calendar.moment(&text)) {
            Some(Ok(at)) => Onset::At(at),
            _ => Onset::Sign,
        };
        let length = |key: &str| says(key).and_then(|text| parse_duration(&text).ok()).filter(|t| !t.is_never());
        let severity: Vec<Severity> = kind
            .knobs
            .iter()
            .filter_map(|knob| {
                let default = || kind.defaults.iter().find(|(key, _)| *key == knob.key).map(|(_, v)| v.clone());
                Some(Severity { knob: knob.clone(), value: number(&says(&knob.key).or_else(default)?)? })
            })
            .collect();
        let repeat = entry.get("repeat").and_then(|text| read_repeat(text));
        let mut taken = vec![LASTS, "ramp"];
        taken.extend(severity.iter().map(|s| s.knob.key.as_str()));
        taken.extend(repeat.map(|_| "repeat"));
        taken.extend((onset != Onset::Sign).then_some("at"));
        let keys = entry.iter().filter(|(key, _)| !taken.contains(&key.as_str()));
        Some(Fault {
            what: kind.word.clone(),
            onset,
            instant: kind.course.ends_itself(),
            lasts: length(LASTS),
            ramp: length("ramp").unwrap_or(Ns::ZERO),
            repeat,
            keys: keys.map(|(key, value)| (key.clone(), value.clone())).collect(),
            severity,
        })
    }

    /// A fault in a few words: "slow identify 4.1x for 38s".
    pub fn words(&self, fault: &Fault) -> String {
        let mut out = fault.what.clone();
        let servers = fault.says("servers").map(|n| if n == "1" { "1 server".into() } else { format!("{n} servers") });
        match (self.target(fault), fault.says("fleet"), servers) {
            (_, Some(fleet), Some(servers)) => out.push_str(&format!(" {fleet} ({servers})")),
            (Some(target), ..) if !target.name.is_empty() => out.push_str(&format!(" {}", target.name)),
            _ => {}
        }
        for severity in &fault.severity {
            out.push_str(&format!(" {}", severity.knob.say(severity.value)));
        }
        if let Some(lasts) = fault.lasts {
            out.push_str(&format!(" for {lasts}"));
        }
        if let Some(Repeat { every, times }) = fault.repeat {
            out.push_str(&format!(", {times} times, every {every}"));
        }
        out
    }

    /// What a fault hits.
    pub fn target(&self, fault: &Fault) -> Option<&Target> {
        let kind = self.all.iter().find(|kind| kind.word == fault.what)?;
        let default = |key: &str| kind.defaults.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone());
        let is = |(key, value): &(String, String)| fault.says(key).or_else(|| default(key)) == Some(unquoted(value));
        kind.targets.iter().find(|t| t.keys.iter().all(is))
    }

    /// The words of all kinds that may be drawn.
    pub fn kind_words(&self) -> Vec<&str> {
        self.kinds.iter().map(|kind| kind.word.as_str()).collect()
    }
}

/// Reads `{ every = "20s", times = 5 }`, as entries are written.
fn read_repeat(text: &str) -> Option<Repeat> {
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let pairs = inner.split(',').filter_map(|pair| pair.split_once('='));
    let says = |name: &str| pairs.clone().find(|(key, _)| key.trim() == name).map(|(_, value)| unquoted(value));
    // Without a number it comes back to the end of the run; that stays as it is written.
    Some(Repeat { every: parse_duration(&says("every")?).ok()?, times: says("times")?.parse().ok()? })
}

/// The single words of texts with commas.
fn words(texts: &[String]) -> Vec<String> {
    texts.iter().flat_map(|t| t.split([',', ' '])).filter(|w| !w.is_empty()).map(str::to_string).collect()
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Named {
    Kind,
    Target,
}

fn names_kind(kind: &Kind, word: &str) -> bool {
    kind.word == word || kind.class == word || word.strip_suffix('s') == Some(kind.class.as_str())
}

/// What a word names of a kind.
fn names(kind: &Kind, word: &str) -> Option<Named> {
    if names_kind(kind, word) {
        return Some(Named::Kind);
    }
    kind.targets.iter().any(|t| t.is_called(word)).then_some(Named::Target)
}

impl Target {
    /// The target that some keys name, called by what they say.
    fn of(keys: &[(&'static str, Data)]) -> Target {
        let mut names = Vec::new();
        keys.iter().for_each(|(_, data)| texts(data, &mut names));
        Target {
            name: names.join("/"),
            keys: keys.iter().map(|(key, data)| (key.to_string(), to_toml(data))).collect(),
        }
    }

    fn is_called(&self, word: &str) -> bool {
        // "stores.identify" is identify for every caller.
        self.name == word || self.name.split('/').any(|part| part == word || part.ends_with(&format!(".{word}")))
    }
}

fn texts(data: &Data, out: &mut Vec<String>) {
    match data {
        Data::Text(text) => out.push(text.clone()),
        Data::List(items) => items.iter().for_each(|item| texts(&item.data, out)),
        Data::Table(table) => table.entries.iter().for_each(|(_, value)| texts(&value.data, out)),
        Data::Integer(_) | Data::Float(_) | Data::Bool(_) => {}
    }
}

fn unknown(option: &str, word: &str, all: &[Kind]) -> String {
    let mut known: Vec<&str> = Vec::new();
    let kinds = all.iter().filter(|kind| !kind.targets.is_empty());
    for kind in kinds {
        let words = [kind.class.as_str(), kind.word.as_str()];
        for word in words.into_iter().chain(kind.targets.iter().map(|t| t.name.as_str())) {
            if !known.contains(&word) {
                known.push(word);
            }
        }
    }
    let help = match closest(word, known.iter().copied()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("there are: {}", known.join(", ")),
    };
    format!("{option} {word}: no such kind of fault or target here; {help}")
}

impl Schedule {
    /// The kinds of its faults, each once.
    pub fn kinds(&self) -> Vec<&str> {
        let mut out: Vec<&str> = self.faults.iter().map(|f| f.what.as_str()).collect();
        out.sort_unstable();
        out.dedup();
        out
    }
}
