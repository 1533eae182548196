//! The outcome as JSON: what `brownout run --json` prints.

use brownout_sim::outcome::Outcome;

/// The outcome as indented JSON with a final newline.
///
/// Fields come in the order of [`Outcome`]'s declaration and maps in the order of their keys, so equal outcomes
/// give equal bytes; only `meta.wall_s` differs between repeated runs.
///
/// # Errors
///
/// As `serde_json` reports them. An outcome holds nothing that JSON cannot, so none are expected.
pub fn to_json(outcome: &Outcome) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string_pretty(outcome)?;
    text.push('\n');
    Ok(text)
}
