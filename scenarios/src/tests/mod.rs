//! What a scenario file may say, and what is said of its mistakes.

mod claims;
mod expectations;
mod hostile;
mod mistakes;
mod overlays;
mod products;
mod provenance;
mod smaller;
mod time;
mod traces;
mod warnings;

use crate::{Diagnostics, Scenario, load_text};
use std::path::Path;

/// A small day that is right in every respect.
const DAY: &str = r#"brownout = 1
title = "a day"
zone = "America/Los_Angeles"
span = { from = "2015-10-28 09:30", to = "2015-10-28 18:40" }

[clients.browsers]
sends = "track"
rate = "280/s"

[balancer]
health = "haproxy"

[fleets.collectors]
count = 4
calls.track = { work = "4ms", appends = "events" }
health = "shared"

[stores.events]

[[timeline]]
at = "11:46"
do = "refuse"
store = "events"
"#;

/// The smallest scenario without dates.
const BARE: &str = r#"brownout = 1
title = "bare"
span = "130s"
[clients.browsers]
sends = "track"
rate = "10/s"
[fleets.collectors]
calls.track = { work = "4ms" }
"#;

fn words(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|t| t.to_string()).collect()
}

fn try_with(text: &str, set: &[&str], design: &[&str]) -> Result<Scenario, Diagnostics> {
    load_text("my.toml", text, Path::new("."), &words(set), &words(design))
}

/// Loads what must be right.
fn good(text: &str) -> Scenario {
    good_with(text, &[], &[])
}

fn good_with(text: &str, set: &[&str], design: &[&str]) -> Scenario {
    match try_with(text, set, design) {
        Ok(scenario) => scenario,
        Err(diagnostics) => panic!("{diagnostics}"),
    }
}

/// Loads what must be wrong.
fn bad(text: &str) -> Diagnostics {
    bad_with(text, &[], &[])
}

fn bad_with(text: &str, set: &[&str], design: &[&str]) -> Diagnostics {
    try_with(text, set, design).expect_err("this should be a mistake")
}

/// The sole mistake in the text.
fn sole(text: &str) -> String {
    only(bad(text))
}

/// The day with `more` at its end, and what is wrong then.
fn day_and(more: &str) -> String {
    format!("{DAY}{more}\n")
}

fn only(diagnostics: Diagnostics) -> String {
    let messages = diagnostics.messages();
    assert_eq!(messages.len(), 1, "{diagnostics}");
    messages[0].clone()
}
