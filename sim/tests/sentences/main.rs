//! The pages of `docs/` about the format and about faults, sentence by sentence: what a page says happens.
//!
//! Every sentence of `docs/faults.md` and `docs/scenario-format.md` is quoted in one of three tables:
//!
//! * *shown*: with small worlds, and what must be seen in them (`faults`, `clients`, `balancer`, `health`, `fleets`,
//!   `calls`, `stores`, `metrics`);
//! * *elsewhere*: with the test that shows it, which must be there;
//! * *beside*: with the reason why it names no effect on a run.
//!
//! So a sentence that is changed on a page no longer finds its row, and a new one finds none: both fail, and say what to do.
//!
//! A world is written as its difference from `BASE`: parts divided by `;`, each a key and its value as `--set` takes them, or
//! an entry of the timeline, `@5s do=error store=db for=1s`, or a metric to be told, `?get.dropped=0`.
//! `ROW=backlog` before the command leaves the rows with that word.

mod balancer;
mod beside;
mod calls;
mod clients;
mod elsewhere;
mod estate;
mod faults;
mod fleets;
mod health;
mod metrics;
mod presets;
mod retries;
mod stores;

use brownout_models::fault::Course;
use brownout_scenarios::{catalogue, faults_page, load_text, reference};
use brownout_sim::outcome::{Outcome, Totals};
use brownout_sim::simulate;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;

/// Sentences, or parts of them, as they stand on the page; the worlds; what must be seen in their outcomes.
type Shown = (&'static [&'static str], &'static [&'static str], fn(&[Outcome]) -> bool);

/// One server, one store, ten calls a second that read, links that take no time, no health checks.
const BASE: &str = r#"brownout = 1
title = "x"
span = "20s"
step = "1s"
clients.c = { sends = "get", rate = "10/s", arrivals = "constant" }
network.clients.latency = "0s"
network.servers.latency = "0s"
balancer.health = "none"
fleets.f.calls.get.asks = "db"
stores.db = { service = "1ms", link.latency = "0s" }
"#;

/// An entry of the timeline as TOML.
fn entry(text: &str) -> String {
    let mut words = text.split_whitespace();
    let at = words.next().unwrap_or_default();
    let mut out = if at.contains('=') {
        format!("[[timeline]]\n{}\n", quoted(at))
    } else {
        format!("[[timeline]]\nat = \"{at}\"\n")
    };
    words.for_each(|word| out.push_str(&format!("{}\n", quoted(word))));
    out
}

/// A piece of evidence that names a metric, so that its value is told: "get.dropped=0", with the value observed.
fn evidence(text: &str) -> String {
    let (metric, observed) = text.split_once('=').unwrap_or_else(|| panic!("`{text}` has no value"));
    format!("[[evidence]]\nid = \"{text}\"\nsays = \"x\"\nmetric = \"{metric}\"\nobserved = {}\n", span(observed))
}

/// A value, or two with dots between them, as TOML.
fn span(observed: &str) -> String {
    match observed.split_once("..") {
        Some((from, to)) => format!("[\"{from}\", \"{to}\"]"),
        None => format!("\"{observed}\""),
    }
}

/// `key=value` with quotes around the value where TOML wants them.
fn quoted(pair: &str) -> String {
    let (key, value) = pair.split_once('=').unwrap_or_else(|| panic!("`{pair}` is no key and value"));
    let bare = value.starts_with(['[', '{', '"']) || value.parse::<f64>().is_ok() || value.parse::<bool>().is_ok();
    if bare { format!("{key} = {value}") } else { format!("{key} = \"{value}\"") }
}

fn run(world: &str) -> Result<Outcome, String> {
    let parts: Vec<&str> = world.split(';').map(str::trim).filter(|part| !part.is_empty()).collect();
    let timeline: String = parts.iter().filter_map(|part| part.strip_prefix('@')).map(entry).collect();
    let asked: String = parts.iter().filter_map(|part| part.strip_prefix('?')).map(evidence).collect();
    let set: Vec<String> =
        parts.iter().filter(|part| !part.starts_with(['@', '?'])).map(|part| part.to_string()).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let loaded = load_text("x.toml", &format!("{BASE}{asked}{timeline}"), folder, &set, &[]);
    let scenario = loaded.map_err(|mistakes| format!("{world}\n{mistakes}"))?;
    simulate(&scenario, 1, None, &mut |_| {}).map_err(|imbalance| format!("{world}\n{imbalance}"))
}

// What is looked at in an outcome; without a name, of the calls `get`.

fn get(outcome: &Outcome) -> &Totals {
    &outcome.calls["get"]
}

/// Attempts for which the client saw this: "ok", a status, "timeout".
fn seen(outcome: &Outcome, word: &str) -> u64 {
    get(outcome).seen.get(word).copied().unwrap_or(0)
}

/// Calls dropped for this cause.
fn cause(outcome: &Outcome, word: &str) -> u64 {
    get(outcome).causes.get(word).copied().unwrap_or(0)
}

/// Mean latency of answered calls, in milliseconds.
fn latency(outcome: &Outcome) -> f64 {
    get(outcome).latency_mean_ms.unwrap_or(f64::NAN)
}

/// Calls that failed from this second to that.
fn failed(outcome: &Outcome, from: usize, to: usize) -> u64 {
    outcome.timeline.steps[from..to].iter().map(|step| step.calls["get"].failed).sum()
}

/// How often servers left rotation.
fn downs(outcome: &Outcome) -> u64 {
    outcome.rotation.downs.values().sum()
}

/// When servers left or entered rotation, in seconds.
fn changes(outcome: &Outcome, server: &str) -> Vec<f64> {
    outcome.rotation.changes_s.get(server).cloned().unwrap_or_default()
}

/// The effects of the first entry of the timeline that is a fault.
fn effects(outcome: &Outcome) -> u64 {
    outcome.faults[0].effects
}

/// Whether two figures are the same but for a share of the second.
fn near(is: f64, should_be: f64, within: f64) -> bool {
    (is - should_be).abs() <= within * should_be.abs()
}

/// Every table of shown sentences.
fn shown() -> impl Iterator<Item = &'static Shown> {
    let balancers = [balancer::ROWS, retries::ROWS, health::ROWS];
    [faults::ROWS, clients::ROWS, metrics::ROWS, fleets::ROWS, calls::ROWS, stores::ROWS, estate::ROWS]
        .into_iter()
        .chain(balancers)
        .flatten()
}

#[test]
fn the_pages_say_what_happens() {
    let only = std::env::var("ROW").unwrap_or_default();
    let rows: Vec<&Shown> = shown().filter(|row| row.0.iter().any(|quote| quote.contains(&only))).collect();
    let wrong: Vec<String> = rows
        .par_iter()
        .filter_map(|(quotes, worlds, holds)| {
            let outcomes: Vec<Outcome> = match worlds.iter().map(|world| run(world)).collect() {
                Ok(outcomes) => outcomes,
                Err(mistakes) => return Some(format!("{quotes:?}\n{mistakes}")),
            };
            let tell = |(world, o): (&&str, &Outcome)| {
                format!(
                    "  {world}\n    {:?}\n    {:?}\n    {:?}\n    {:?}\n",
                    o.calls, o.rotation, o.faults, o.evidence
                )
            };
            (!holds(&outcomes))
                .then(|| format!("{quotes:?}\n{}", worlds.iter().zip(&outcomes).map(tell).collect::<String>()))
        })
        .collect();
    assert!(wrong.is_empty(), "{} sentences are not so:\n{}", wrong.len(), wrong.join("\n"));
}

/// The sentences of a page, without headings, examples and ranges.
fn sentences(page: &str) -> Vec<String> {
    let (mut texts, mut is_code, mut goes_on): (Vec<String>, _, _) = (Vec::new(), false, false);
    for line in page.lines() {
        if line.starts_with("```") {
            (is_code, goes_on) = (!is_code, false);
        } else if is_code || line.is_empty() || line.starts_with('#') || line.starts_with("|---") {
            goes_on = false;
        } else if line.starts_with('|') {
            texts.push(line.trim_matches('|').rsplit(" | ").next().unwrap_or_default().trim().to_string());
        } else if goes_on && !line.starts_with("- ") {
            let last = texts.last_mut().expect("a text goes on");
            *last = format!("{last} {}", line.trim());
        } else {
            // A word of a choice is divided from what it means by a colon.
            let line = line.trim_start_matches("- ");
            let word = line.starts_with("`\"").then(|| line.split_once("\"`: ")).flatten();
            texts.push(word.map_or(line, |(_, meaning)| meaning).to_string());
            goes_on = true;
        }
    }
    texts.iter().flat_map(|text| split(text)).filter(|sentence| !is_plain(sentence)).collect()
}

/// A text cut where a sentence ends.
fn split(text: &str) -> Vec<String> {
    let mut out = vec![String::new()];
    let chars: Vec<char> = text.chars().collect();
    for (at, &c) in chars.iter().enumerate() {
        let begins = chars.get(at + 1).is_some_and(|c| c.is_uppercase() || matches!(c, '`' | '"'));
        let ends = c == ' ' && at > 0 && matches!(chars[at - 1], '.' | ')') && begins;
        if ends { out.push(String::new()) } else { out.last_mut().expect("one is there").push(c) }
    }
    out
}

/// Whether a sentence is a range, which the decoder holds, a source, or says what is not modelled; or the head of a table.
fn is_plain(sentence: &str) -> bool {
    let range =
        sentence.strip_prefix("From ").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == '-'));
    let head = ["meaning", "means", "at most"].contains(&sentence)
        || sentence.contains("` is one of")
        || sentence.contains("` itself may be one of")
        || sentence.contains("` may also be a table of")
        || sentence.starts_with("The keys of `[");
    // Numbers alone are those of the table of limits.
    let number = sentence.chars().all(|c| c.is_ascii_digit() || " ,;".contains(c))
        || sentence.ends_with("MiB")
        || sentence.ends_with(" each");
    range || head || number || sentence.starts_with("Source:") || sentence.starts_with("Not modelled")
}

fn pages() -> String {
    format!("{}{}", faults_page(), reference())
}

/// Every quotation, with the table that it stands in.
fn quotes() -> Vec<&'static str> {
    let shown = shown().flat_map(|row| row.0);
    let elsewhere = elsewhere::ROWS.iter().flat_map(|row| row.1);
    let beside = beside::ROWS.iter().flat_map(|row| row.1);
    shown.chain(elsewhere).chain(beside).copied().collect()
}

/// What of a sentence no row quotes, without what stands in parentheses and between backticks.
fn unquoted(sentence: &str, quotes: &[&str]) -> String {
    if quotes.iter().any(|quote| quote.contains(sentence)) {
        return String::new();
    }
    let mut is_quoted = vec![false; sentence.len()];
    for quote in quotes {
        for (at, _) in sentence.match_indices(quote) {
            is_quoted[at..at + quote.len()].fill(true);
        }
    }
    let (mut depth, mut is_code) = (0, false);
    let aside = |(at, c): (usize, char)| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            '`' => is_code = !is_code,
            _ => return (depth == 0 && !is_code && !is_quoted[at]).then_some(c),
        }
        None
    };
    sentence.char_indices().filter_map(aside).collect()
}

#[test]
fn every_sentence_of_the_pages_has_a_row() {
    let quotes = quotes();
    let sentences = sentences(&pages());
    assert!(sentences.len() > 400, "{}", sentences.len());
    let mut missing = BTreeMap::new();
    for sentence in &sentences {
        let rest = unquoted(sentence, &quotes);
        if rest.contains(char::is_alphabetic) {
            missing.insert(sentence, rest);
        }
    }
    assert!(
        missing.is_empty(),
        "{} sentences, or parts of them (to the right), have no row. Give each a world that shows it (the table of its part), the \
         name of the test that does (elsewhere.rs), or the reason why it names no effect (beside.rs):\n{missing:#?}",
        missing.len()
    );
}

#[test]
fn every_quotation_stands_on_its_page() {
    let pages = pages().split_whitespace().collect::<Vec<_>>().join(" ");
    let gone: Vec<_> = quotes().into_iter().filter(|quote| !pages.contains(quote)).collect();
    assert!(
        gone.is_empty(),
        "the pages no longer say this; change the rows, and see that the new sentences hold: {gone:#?}"
    );
}

#[test]
fn every_test_that_is_named_is_there() {
    for (test, _) in elsewhere::ROWS {
        let (file, name) = test.split_once("::").unwrap_or_else(|| panic!("{test}: write file::test"));
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
        let is_there = text.split("#[test]").skip(1).any(|rest| rest.contains(&format!("fn {name}(")));
        assert!(is_there, "{file} has no test {name}");
    }
}

#[test]
fn a_fault_has_the_keys_that_its_course_allows() {
    let keys = catalogue::keys();
    for kind in brownout_models::fault::kinds() {
        let has = |key: &str| keys.iter().any(|k| k.action == Some(kind.word) && k.path.ends_with(&format!(".{key}")));
        let allowed = match kind.course {
            Course::Instant => [false, false, true],
            Course::Job => [false, false, false],
            Course::OnOff => [true, false, true],
            Course::Gradual => [true, true, true],
        };
        assert_eq!(["for", "ramp", "repeat"].map(has), allowed, "{}", kind.word);
    }
}
