//! The outcome as JSON: what `brownout run --json` prints.

use brownout_sim::outcome::Outcome;
use serde::Serialize;

/// A document that says besides whether it was cut short by a signal.
#[derive(Serialize)]
struct Marked<'a, T> {
    #[serde(flatten)]
    document: &'a T,
    interrupted: bool,
}

/// A document as indented JSON, with a last key `interrupted`.
pub(crate) fn marked<T: Serialize>(document: &T, interrupted: bool) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(&Marked { document, interrupted })
}

/// The outcome as indented JSON with a final newline.
///
/// Fields come in the order of [`Outcome`]'s declaration and maps in the order of their keys, so equal outcomes
/// give equal bytes; only `meta.wall_s` differs between repeated runs.
///
/// # Errors
///
/// As `serde_json` reports them. An outcome holds nothing that JSON cannot, so none are expected.
pub fn to_json(outcome: &Outcome) -> Result<String, serde_json::Error> {
    let mut text = marked(outcome, outcome.ended.starts_with("interrupted"))?;
    text.push('\n');
    Ok(text)
}
