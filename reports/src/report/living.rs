//! What makes a page live: the engine, the scenario, and the days of the report as the engine would show them.

use super::{Context, ReportError};
use crate::live::{Answer, answer};
use crate::svg::PlotError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use std::io::Write;

/// What a page needs to be asked again.
#[derive(Clone, Debug, Default)]
pub struct Living {
    /// The engine, compiled for WebAssembly from the same sources as this.
    pub engine: Vec<u8>,
    /// Time zones of the scenarios: names, and their rules as TZif files.
    pub zones: Vec<(String, Vec<u8>)>,
    /// The scenario of the days, then others to choose from.
    pub scenarios: Vec<File>,
    /// Whether the page is there to be asked: its scenario stands open.
    pub play: bool,
}

/// A scenario in a page.
#[derive(Clone, Debug, Default, Serialize)]
pub struct File {
    /// What the command calls it.
    pub name: String,
    /// What it shows, in one line.
    pub title: String,
    /// All of it.
    pub text: String,
}

/// What the template puts into the page; base64 needs no escaping.
pub(super) struct Live {
    pub(super) words: &'static str,
    pub(super) play: bool,
    /// Scripts without it do not run.
    pub(super) nonce: String,
    pub(super) data: String,
    pub(super) engine: String,
}

#[derive(Serialize)]
struct Data<'a> {
    zones: Vec<Zone<'a>>,
    scenarios: &'a [File],
    days: Vec<Day<'a>>,
}

#[derive(Serialize)]
struct Zone<'a> {
    name: &'a str,
    rules: String,
}

/// A day of the report: an answer that the page has already.
#[derive(Serialize)]
struct Day<'a> {
    label: &'a str,
    design: &'a [String],
    set: &'a [String],
    answer: Answer,
}

const REPORT: &str = "Change a number, a design, the seed or the text: the engine in this page runs the day again as the command \
    does, with the same digest, and shows it beside the day of this report. Nothing leaves the page; its address holds what you \
    changed.";
const PLAY: &str = "Choose a scenario, change a number, a design, the seed or the text: the engine in this page runs the day as the \
    command does, with the same digest. Nothing leaves the page; its address holds what you changed. Below stands the report of \
    the scenario as it was written.";

pub(super) fn live(context: &Context<'_>) -> Result<Option<Live>, ReportError> {
    let Some(living) = &context.material.living else { return Ok(None) };
    let zones = living.zones.iter().map(|(name, rules)| Zone { name, rules: STANDARD.encode(rules) });
    let days = context.days.iter().map(|day| {
        let answer = answer(day.outcome, "was-", 0.0)?;
        Ok(Day { label: &day.label, design: &day.outcome.asked, set: &day.outcome.set, answer })
    });
    let days = days.collect::<Result<Vec<_>, PlotError>>()?;
    let data = Data { zones: zones.collect(), scenarios: &living.scenarios, days };
    let data = serde_json::to_vec(&data).map_err(PlotError::because)?;
    let engine = packed(&living.engine)?;
    // Of the bytes of the page, so that the same material gives the same page: a page has no server to draw one for each
    // reader. What a scenario says was written before it is known.
    let sum = data
        .iter()
        .chain(&living.engine)
        .fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    let words = if living.play { PLAY } else { REPORT };
    Ok(Some(Live { words, play: living.play, nonce: format!("{sum:016x}"), data: packed(&data)?, engine }))
}

/// Compressed as a browser can undo it, and as text.
fn packed(bytes: &[u8]) -> Result<String, PlotError> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).map_err(PlotError::because)?;
    Ok(STANDARD.encode(encoder.finish().map_err(PlotError::because)?))
}
