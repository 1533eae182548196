//! Documents that `run`, `compare`, `run --ranges` and `hunt` saved, read back.

mod hunted;

pub use hunted::{Found, Hunted, Kind, Line, Safe, Worst};

use brownout_lab::compare::{self, Comparison};
use brownout_lab::ranges::Walk;
use brownout_sim::outcome::{self, Outcome};
use serde::de::IgnoredAny;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

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

/// Most bytes of all documents of a command.
const BYTES: u64 = 512 << 20;
/// Most steps of a timeline: twice as many as a scenario may have.
const STEPS: usize = 200_000;
/// The longest run, in seconds: a century.
const LONGEST_S: f64 = 3.2e9;
/// Most calls of one kind in a step, and in a run.
const CALLS: (u64, u64) = (100_000_000_000, 1_000_000_000_000_000);

/// Reads documents from files, as many as are supported together.
#[derive(Debug)]
pub struct Files {
    left: u64,
}

impl Default for Files {
    fn default() -> Self {
        Files { left: BYTES }
    }
}

impl Files {
    /// Reads the document of a file.
    ///
    /// # Errors
    ///
    /// Says of which file what is wrong: it cannot be read, it is no document, or it is more than is supported.
    pub fn read(&mut self, path: &Path) -> Result<Saved, String> {
        let shown = path.display();
        let text =
            brownout_scenarios::read_text(path, self.left).map_err(|why| match why.starts_with("it is larger") {
                true => format!("cannot read {shown}: all documents together may have {} MiB", BYTES >> 20),
                false => format!("cannot read {shown}: {why}"),
            })?;
        self.left -= text.len() as u64;
        read(&text).map_err(|why| format!("cannot use {shown}: {why}"))
    }
}

/// Reads a document. A comparison's intervals and groups are worked out anew from its runs.
///
/// # Errors
///
/// [`Unreadable`] where the text is no JSON, is another kind of document, was written by a newer version, or says what no
/// run can come to.
pub fn read(text: &str) -> Result<Saved, Unreadable> {
    // The keys first: to read all of it twice, or as a tree of values, would take many times its size.
    let keys: BTreeMap<String, IgnoredAny> = serde_json::from_str(text)
        .or_else(|why| if why.is_data() { Ok(BTreeMap::new()) } else { Err(why) })
        .map_err(|why| Unreadable(format!("it is not JSON: {why}; save it with --json or --out")))?;
    let has = |key: &str| keys.contains_key(key);
    if has("timeline") && has("digest") {
        newer(text, outcome::VERSION)?;
        let outcome: Outcome = whole(text, "an outcome")?;
        possible(&outcome)?;
        return Ok(Saved::Run(Box::new(outcome)));
    }
    if has("dimensions") && has("cells") {
        newer(text, compare::VERSION)?;
        let mut comparison: Comparison = whole(text, "a comparison")?;
        sound(&comparison)?;
        comparison.sum_up();
        return Ok(Saved::Comparison(Box::new(comparison)));
    }
    if has("ranges") && has("interrupted") {
        return whole(text, "a walk through ranges").map(|walk| Saved::Walk(Box::new(walk)));
    }
    if has("hunted") && has("found") {
        newer(text, HUNT)?;
        return whole(text, "a hunt").map(|hunt| Saved::Hunt(Box::new(hunt)));
    }
    Err(Unreadable(
        "it is JSON, but neither an outcome (brownout run --json), nor a comparison (brownout compare --json), a walk \
         through ranges (brownout run --ranges EVIDENCE --json), nor a hunt (brownout hunt --json)"
            .to_owned(),
    ))
}

/// The version that a document says it has.
#[derive(serde::Deserialize)]
struct Versioned {
    version: Option<Value>,
}

fn newer(text: &str, known: u32) -> Result<(), Unreadable> {
    let version = serde_json::from_str::<Versioned>(text).ok().and_then(|found| found.version?.as_u64());
    match version {
        Some(version) if version > u64::from(known) => Err(Unreadable(format!(
            "its layout is version {version}, and this Brownout knows up to {known}: use the Brownout that wrote it, or newer"
        ))),
        _ => Ok(()),
    }
}

fn whole<T: serde::de::DeserializeOwned>(text: &str, what: &str) -> Result<T, Unreadable> {
    serde_json::from_str(text).map_err(|why| Unreadable(format!("it looks like {what}, but is not whole: {why}")))
}

/// Whether a run can have come to this: times within it, and counts that can be added up.
fn possible(outcome: &Outcome) -> Result<(), Unreadable> {
    let wrong = |what: String| Err(Unreadable(format!("it looks like an outcome, but no run comes to this: {what}")));
    let length = outcome.span.length_s;
    if !(0.0..=LONGEST_S).contains(&length) {
        return wrong(format!("it lasts {length} s"));
    }
    let end = if length > 0.0 { length } else { LONGEST_S };
    let (steps, step_s) = (&outcome.timeline.steps, outcome.timeline.step_s);
    if !(0.0..=LONGEST_S).contains(&step_s) {
        return wrong(format!("its steps last {step_s} s"));
    }
    if steps.len() > STEPS {
        return wrong(format!("{} steps are more than the {STEPS} supported", steps.len()));
    }
    for (n, step) in steps.iter().enumerate() {
        let before = n.checked_sub(1).map_or(0.0, |n| steps[n].t_s);
        if !(before..=end).contains(&step.t_s) {
            return wrong(format!("step {n} of its timeline begins at {} s", step.t_s));
        }
        let counts = step.calls.values().flat_map(|c| c.dropped.values().chain([&c.offered, &c.failed, &c.late]));
        if let Some(most) = counts.max().filter(|most| **most > CALLS.0) {
            return wrong(format!("step {n} of its timeline counts {most} calls"));
        }
    }
    let totals = outcome.calls.values();
    let counts =
        totals.flat_map(|c| c.causes.values().chain(c.seen.values()).chain([&c.offered, &c.dropped, &c.failed]));
    if let Some(most) = counts.max().filter(|most| **most > CALLS.1) {
        return wrong(format!("it counts {most} calls"));
    }
    let outages = outcome.outages.iter().flat_map(|o| [Some(o.from_s), o.to_s]).flatten();
    let turns = outcome.rotation.changes_s.values().flatten().copied();
    match outages.chain(turns).find(|at| !(0.0..=end).contains(at)) {
        Some(at) => wrong(format!("something happens at {at} s")),
        None => Ok(()),
    }
}

/// Whether all places point to something.
fn sound(c: &Comparison) -> Result<(), Unreadable> {
    let cells = c.dimensions.iter().try_fold(1_usize, |all, d| all.checked_mul(d.points.len())).unwrap_or(usize::MAX);
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
