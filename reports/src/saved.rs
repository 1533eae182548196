//! Documents that `run`, `compare`, `run --ranges` and `hunt` saved, read back.

mod hunted;

pub use hunted::{Found, Hunted, Kind, Line, Safe, Worst};

use brownout_lab::compare::{self, Comparison};
use brownout_lab::ranges::Walk;
use brownout_sim::outcome::{self, Outcome};
use serde_json::Value;
use std::fmt;

/// Layout of a hunt's document that is known here.
const HUNT: u32 = 1;

/// A document, by what is in it.
#[derive(Clone, Debug)]
pub enum Saved {
    /// `brownout run --json`, or `outcome.json` of `--out`.
    Run(Box<Outcome>),
    /// `brownout compare --json`, or `compare.json` of `--out`.
    Comparison(Box<Comparison>),
    /// `brownout run --ranges EVIDENCE --json`.
    Walk(Box<Walk>),
    /// `brownout hunt --json`.
    Hunt(Box<Hunted>),
}

/// Why a document cannot be used, with what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable(String);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unreadable {}

/// Reads a document. A comparison's intervals and groups are worked out anew from its runs.
///
/// # Errors
///
/// [`Unreadable`] where the text is no JSON, is another kind of document, or was written by a newer version.
pub fn read(text: &str) -> Result<Saved, Unreadable> {
    let value: Value = serde_json::from_str(text)
        .map_err(|why| Unreadable(format!("it is not JSON: {why}; save it with --json or --out")))?;
    let has = |key: &str| value.get(key).is_some();
    if has("timeline") && has("digest") {
        newer(&value, outcome::VERSION)?;
        return whole(value, "an outcome").map(|outcome| Saved::Run(Box::new(outcome)));
    }
    if has("dimensions") && has("cells") {
        newer(&value, compare::VERSION)?;
        let mut comparison: Comparison = whole(value, "a comparison")?;
        sound(&comparison)?;
        comparison.sum_up();
        return Ok(Saved::Comparison(Box::new(comparison)));
    }
    if has("ranges") && has("interrupted") {
        return whole(value, "a walk through ranges").map(|walk| Saved::Walk(Box::new(walk)));
    }
    if has("hunted") && has("found") {
        newer(&value, HUNT)?;
        return whole(value, "a hunt").map(|hunt| Saved::Hunt(Box::new(hunt)));
    }
    Err(Unreadable(
        "it is JSON, but neither an outcome (brownout run --json), nor a comparison (brownout compare --json), a walk \
         through ranges (brownout run --ranges EVIDENCE --json), nor a hunt (brownout hunt --json)"
            .to_owned(),
    ))
}

fn newer(value: &Value, known: u32) -> Result<(), Unreadable> {
    match value.get("version").and_then(Value::as_u64) {
        Some(version) if version > u64::from(known) => Err(Unreadable(format!(
            "its layout is version {version}, and this Brownout knows up to {known}: use the Brownout that wrote it, or newer"
        ))),
        _ => Ok(()),
    }
}

fn whole<T: serde::de::DeserializeOwned>(value: Value, what: &str) -> Result<T, Unreadable> {
    serde_json::from_value(value).map_err(|why| Unreadable(format!("it looks like {what}, but is not whole: {why}")))
}

/// Whether all places point to something.
fn sound(c: &Comparison) -> Result<(), Unreadable> {
    let cells: usize = c.dimensions.iter().map(|d| d.points.len()).product();
    let inside = |at: &Vec<usize>| {
        at.len() == c.dimensions.len() && at.iter().zip(&c.dimensions).all(|(p, d)| *p < d.points.len())
    };
    let whole = c.cells.len() == cells
        && c.cells.iter().all(|cell| inside(&cell.at) && cell.baseline < cells)
        && c.cells.iter().enumerate().all(|(i, cell)| c.index(&cell.at) == i)
        && c.dimensions.iter().all(|d| d.baseline.is_none_or(|p| p < d.points.len()))
        && c.confirm.iter().flat_map(|confirm| &confirm.candidates).all(|cell| *cell < cells)
        && c.under.is_none_or(|d| d < c.dimensions.len())
        && c.troubles.iter().all(|trouble| trouble.cell < cells);
    if whole {
        Ok(())
    } else {
        Err(Unreadable("it looks like a comparison, but its cells do not fit its axes".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_document_says_why() {
        let why = |text: &str| read(text).unwrap_err().to_string();
        assert!(why("brownout = 1").starts_with("it is not JSON"));
        assert!(why("{\"a\": 1}").starts_with("it is JSON, but neither"));
        assert!(why("{\"version\": 9, \"timeline\": {}, \"digest\": \"\"}").contains("version 9"));
        assert!(why("{\"version\": 1, \"timeline\": {}, \"digest\": \"\"}").contains("is not whole: missing field"));
    }

    #[test]
    fn a_hunt_is_known_by_what_it_hunted() {
        let text = r#"{"version": 1, "scenario": "s.toml", "design": "", "hunted": ["always x < 1"], "faults": 3, "runs": 9,
            "severity": 0.5, "ended": "found", "vacuous": 0, "kinds": [{"kind": "hang", "drawn": 2, "took_effect": 1}],
            "found": [{"condition": "x < 1", "why": "x was 2.", "violated": 2, "schedule": ["a hangs"], "faults_before": 3,
            "other_seeds": [1, 5], "story": [{"at_s": 1.0, "at": "12:00:00", "what": "a hangs"}], "safe": [], "repeat": "r"}],
            "worst": null}"#;
        let Ok(Saved::Hunt(hunt)) = read(text) else { panic!("a hunt") };
        assert_eq!((hunt.runs, hunt.found[0].story[0].what.as_str()), (9, "a hangs"));
    }

    #[test]
    fn a_comparison_whose_places_point_nowhere_is_refused() {
        let mut c = Comparison { version: 1, cells: vec![compare::Cell::default()], ..Comparison::default() };
        let text = |c: &Comparison| serde_json::to_string(c).unwrap();
        assert!(matches!(read(&text(&c)), Ok(Saved::Comparison(_))));
        c.cells[0].baseline = 7;
        assert!(read(&text(&c)).unwrap_err().to_string().contains("do not fit"));
    }
}
