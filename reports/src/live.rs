//! A run as a living page shows it: the headline, the dropped curve, the rotation, the causes, the evidence and the books.
//!
//! The page has it from the command for the days that it came with, and from its engine, which is compiled from the same
//! source, for those that a reader asks for.

use crate::figure::{self, Drawn, Figures, Part};
use crate::svg::panel::Sheet;
use crate::svg::{PlotError, escape, panels};
use crate::{terminal, text, view};
use brownout_sim::outcome::Outcome;
use serde::Serialize;

/// What a page shows of a run: HTML without scripts, every word of the scenario escaped.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Answer {
    /// What came of it, in sentences: plain text.
    pub headline: Vec<String>,
    /// Share of calls dropped over the day.
    pub dropped: String,
    /// Servers in rotation.
    pub rotation: String,
    /// Calls dropped per minute, by cause.
    pub causes: String,
    /// The highest value of that chart's axis.
    pub most: f64,
    /// What was observed beside what the run gave; empty without evidence.
    pub evidence: String,
    /// What became of the calls.
    pub ledger: String,
    /// The design in force: plain text.
    pub design: String,
    /// The seed, in decimal: a script's numbers do not hold all of them.
    pub seed: String,
    /// The digest of the facts.
    pub digest: String,
    /// The command that repeats it: plain text.
    pub repeat: String,
    /// Whether it reached its end.
    pub is_complete: bool,
}

/// Draws a run. Its pictures get names that begin with `prefix`; the axis of the causes reaches at least to `most`.
///
/// # Errors
/// [`PlotError`]; drawing to memory gives no reason for one.
pub fn answer(outcome: &Outcome, prefix: &'static str, most: f64) -> Result<Answer, PlotError> {
    let mut figures = Figures::named(prefix);
    let mut put =
        |wide: bool, (svg, data): Drawn| figures.html(&Part { svg: &svg, caption: "", day: None, wide, data });
    let dropped = put(true, figure::dropped(outcome)?)?;
    let rotation = put(false, figure::lanes(outcome)?)?;
    let causes = panels::chart(outcome, &Sheet::COLUMN, "causes");
    let (causes, most) = match causes {
        Some(mut chart) => {
            chart.most = chart.most.max(if most.is_finite() { most } else { 0.0 });
            (put(false, figure::chart(outcome, &chart)?)?, chart.most)
        }
        None => (String::new(), 0.0),
    };
    Ok(Answer {
        headline: terminal::headline(outcome),
        dropped,
        rotation,
        causes,
        most,
        evidence: evidence(outcome),
        ledger: ledger(outcome),
        design: if outcome.design.is_empty() { "as written".into() } else { text::clean(&outcome.design, true) },
        seed: outcome.seed.to_string(),
        digest: outcome.digest.clone(),
        repeat: terminal::repeat(outcome),
        is_complete: outcome.ended.is_empty() || outcome.ended == "complete",
    })
}

/// A table in a frame that scrolls: headings, then rows whose first cell names them.
fn table(caption: &str, headings: &[&str], rows: &[Vec<String>]) -> String {
    let mut out = format!("<div class=\"scroll\"><table><caption>{}</caption><thead><tr>", escape(caption));
    headings.iter().for_each(|name| out.push_str(&format!("<th scope=\"col\">{}</th>", escape(name))));
    out.push_str("</tr></thead><tbody>");
    for row in rows {
        out.push_str("<tr>");
        for (i, cell) in row.iter().enumerate() {
            let cell = escape(cell);
            match i {
                0 => out.push_str(&format!("<th scope=\"row\">{cell}</th>")),
                _ if cell.starts_with(|c: char| c.is_ascii_digit()) && cell.len() < 16 => {
                    out.push_str(&format!("<td class=\"n\">{cell}</td>"));
                }
                _ => out.push_str(&format!("<td>{cell}</td>")),
            }
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>");
    out
}

fn evidence(outcome: &Outcome) -> String {
    if outcome.evidence.is_empty() {
        return String::new();
    }
    let row = |e: &brownout_sim::outcome::Evidence| {
        vec![e.id.clone(), e.says.clone(), e.observed.clone(), e.simulated.clone(), e.verdict.clone()]
    };
    let rows: Vec<_> = outcome.evidence.iter().map(row).collect();
    table("Evidence: what was observed, beside what this run gave", &["id", "evidence", "observed", "here", ""], &rows)
}

/// Both sides of the books: offered = stored + late + in flight + dropped = ok + failed + waiting.
fn ledger(outcome: &Outcome) -> String {
    let row = |(kind, is_part, t): (&str, bool, &brownout_sim::outcome::Totals)| {
        let n = |n: u64| text::grouped(n);
        let causes = view::causes(&t.causes).into_iter().take(4);
        let share = |n: u64| text::percent_brief(n as f64 / t.offered.max(1) as f64);
        let causes: Vec<String> = causes.map(|(cause, n)| format!("{} {}", text::words(cause), share(n))).collect();
        vec![
            if is_part { format!("\u{b7} {kind}") } else { kind.to_owned() },
            n(t.offered),
            n(t.stored),
            n(t.late),
            n(t.in_flight),
            n(t.dropped),
            text::percent(t.dropped_rate),
            n(t.ok),
            n(t.failed),
            n(t.waiting),
            causes.join(", "),
        ]
    };
    let rows: Vec<_> = view::ledger(outcome).into_iter().map(row).collect();
    let caption = "Ledger: offered = stored + late + in flight + dropped = ok + failed + waiting";
    let headings = [
        "calls",
        "offered",
        "stored",
        "late",
        "in flight",
        "dropped",
        "",
        "ok",
        "failed",
        "waiting",
        "dropped because",
    ];
    table(caption, &headings, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use brownout_sim::outcome::{Evidence, Totals};

    #[test]
    fn words_of_a_scenario_cannot_become_markup() {
        let bad = "<img src=x onerror=alert(1)>\"'&\u{202e}";
        let mut outcome = Outcome { title: bad.into(), design: bad.into(), ..Outcome::default() };
        outcome.calls.insert(bad.into(), Totals { offered: 3, ..Totals::default() });
        outcome.evidence.push(Evidence {
            id: bad.into(),
            says: bad.into(),
            observed: bad.into(),
            ..Evidence::default()
        });
        outcome.rotation.servers = vec![bad.into()];
        let answer = answer(&outcome, "a", f64::NAN).expect("it is drawn");
        for html in [&answer.dropped, &answer.rotation, &answer.causes, &answer.evidence, &answer.ledger] {
            assert!(!html.contains("<img") && !html.contains('\u{202e}'), "{html}");
        }
    }
}
