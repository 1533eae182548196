//! The same scenario on several runtimes, side by side.

use crate::terminal::Style;
use crate::text;
use brownout_lab::compare::Difference;
use brownout_lab::stats;
use brownout_sim::outcome::Outcome;
use comfy_table::{Cell, CellAlignment, Table, presets};
use serde::Serialize;
use std::collections::BTreeSet;

/// What one runtime made of the scenario.
pub struct Side<'a> {
    /// The runtime.
    pub runtime: &'a str,
    /// Its outcomes, by seed.
    pub outcomes: Vec<Outcome>,
}

/// One figure on every runtime.
#[derive(Serialize)]
struct Row {
    /// What it is of: "track", "rotation".
    subject: String,
    /// What it is: "dropped", "first ejection".
    figure: String,
    /// How it is to be shown.
    #[serde(skip)]
    unit: Unit,
    /// Mean and standard deviation over the seeds, by runtime; none where a run has no such figure.
    values: Vec<Option<(f64, f64)>>,
    /// The last runtime less the first, seed by seed; none where either has no such figure.
    difference: Option<Difference>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Share,
    Seconds,
    Number,
}

#[derive(Serialize)]
struct Document<'a> {
    runtimes: Vec<&'a str>,
    seeds: Vec<u64>,
    rows: Vec<Row>,
}

fn row(sides: &[Side<'_>], subject: &str, figure: &str, unit: Unit, of: impl Fn(&Outcome) -> Option<f64>) -> Row {
    let all = |side: &Side<'_>| side.outcomes.iter().map(&of).collect::<Option<Vec<f64>>>();
    let value = |side: &Side<'_>| stats::sample(&all(side)?).map(|s| (s.mean, s.deviation));
    let values = sides.iter().map(value).collect();
    let ends = sides.first().and_then(all).zip(sides.last().and_then(all));
    let difference = ends.and_then(|(first, last)| {
        let by: Vec<f64> = first.iter().zip(&last).map(|(first, last)| last - first).collect();
        let (low, high) = stats::interval(&by, by.len()).unzip();
        Some(Difference { mean: stats::sample(&by)?.mean, low, high, seeds: by.len() })
    });
    Row { subject: subject.into(), figure: figure.into(), unit, values, difference }
}

fn rows(sides: &[Side<'_>]) -> Vec<Row> {
    let mut rows = Vec::new();
    let outcomes = || sides.iter().flat_map(|side| &side.outcomes);
    let kinds: BTreeSet<&String> = outcomes().flat_map(|o| o.calls.keys()).collect();
    for kind in kinds {
        rows.push(row(sides, kind, "dropped", Unit::Share, |o| Some(o.calls.get(kind)?.dropped_rate)));
        let causes: BTreeSet<&String> =
            outcomes().filter_map(|o| o.calls.get(kind)).flat_map(|c| c.causes.keys()).collect();
        for cause in causes {
            let share = |o: &Outcome| {
                let calls = o.calls.get(kind)?;
                Some(calls.causes.get(cause).copied().unwrap_or(0) as f64 / calls.offered.max(1) as f64)
            };
            let figure = format!("  {}", cause.replace('_', " "));
            rows.push(row(sides, kind, &figure, Unit::Share, share));
        }
        rows.push(row(sides, kind, "failed", Unit::Share, |o| Some(o.calls.get(kind)?.failed_rate)));
    }
    let rotation = "rotation";
    rows.push(row(sides, rotation, "first ejection", Unit::Seconds, |o| o.rotation.first_ejection_s));
    rows.push(row(sides, rotation, "servers in it, mean", Unit::Number, |o| Some(o.rotation.mean_in_rotation)));
    rows.push(row(sides, rotation, "downs per server", Unit::Number, |o| Some(o.rotation.mean_downs)));
    rows.push(row(sides, rotation, "all back after", Unit::Seconds, |o| o.rotation.all_up_after_s));
    let crashes = |o: &Outcome| Some(o.fleets.values().map(|fleet| fleet.crashes).sum::<u64>() as f64);
    rows.push(row(sides, "processes", "died", Unit::Number, crashes));
    rows.push(row(sides, "all calls", "recovery", Unit::Seconds, |o| o.recovery_s));
    rows
}

fn shown(unit: Unit, value: Option<(f64, f64)>, seeds: usize, plus_minus: &str) -> String {
    let Some((mean, deviation)) = value else { return "none".into() };
    let figure = |x: f64| match unit {
        Unit::Share => format!("{:.1}%", x * 100.0),
        Unit::Seconds => format!("{x:.1}s"),
        Unit::Number => format!("{x:.2}"),
    };
    if seeds > 1 { format!("{} {plus_minus} {}", figure(mean), figure(deviation)) } else { figure(mean) }
}

/// How far the last is from the first, with half of the 95% interval if there is one.
fn difference(row: &Row, plus_minus: &str) -> String {
    let Some(by) = &row.difference else { return String::new() };
    let half = by.high.map(|high| high - by.mean);
    let with = |mean: String, half: Option<String>| match half {
        Some(half) => format!("{mean} {plus_minus} {half}"),
        None => mean,
    };
    match row.unit {
        Unit::Share => with(format!("{:+.1}pp", by.mean * 100.0), half.map(|x| format!("{:.1}pp", x * 100.0))),
        Unit::Seconds => with(format!("{:+.1}s", by.mean), half.map(|x| format!("{x:.1}s"))),
        Unit::Number => with(format!("{:+.2}", by.mean), half.map(|x| format!("{x:.2}"))),
    }
}

/// The table: a row for each figure, a column for each runtime, and how far the last is from the first.
pub fn table(sides: &[Side<'_>], style: &Style) -> String {
    let Some(first) = sides.first().and_then(|side| side.outcomes.first()) else { return String::new() };
    let seeds = sides[0].outcomes.len();
    let plus_minus = if style.unicode { "±" } else { "+-" };
    let mut table = Table::new();
    let mut header = vec![String::new(), String::new()];
    header.extend(sides.iter().map(|side| side.runtime.to_string()));
    header.push("difference".into());
    table.load_style(presets::NOTHING).set_header(header);
    let mut last = String::new();
    for row in rows(sides) {
        let subject = if row.subject == last { String::new() } else { text::clean(&row.subject, style.unicode) };
        last.clone_from(&row.subject);
        let mut cells = vec![Cell::new(subject), Cell::new(text::clean(&row.figure, style.unicode))];
        let right = |words: String| Cell::new(words).set_alignment(CellAlignment::Right);
        cells.extend(row.values.iter().map(|value| right(shown(row.unit, *value, seeds, plus_minus))));
        cells.push(right(difference(&row, plus_minus)));
        table.add_row(cells);
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_string()).collect();
    let mut about = vec![format!("{} seed{}", seeds, if seeds == 1 { "" } else { "s" })];
    if seeds > 1 {
        about.push(format!("mean {plus_minus} standard deviation; difference {plus_minus} half of its 95% interval"));
    }
    if first.design.contains('=') {
        about.push(first.design.clone());
    }
    about.extend(first.set.iter().map(|set| format!("set {set}")));
    let options = first.options.iter().filter(|option| !option.starts_with("--runtime"));
    about.extend(options.map(|option| option.trim_start_matches("--").to_string()));
    let about = text::clean(&about.join(", "), style.unicode);
    format!("{}\n{about}\n\n{}\n", text::clean(&first.title, style.unicode), lines.join("\n"))
}

/// The same as one JSON document: shares are fractions, times seconds; each value is mean and standard deviation.
///
/// # Errors
/// If it cannot be written.
pub fn to_json(sides: &[Side<'_>], interrupted: bool) -> Result<String, serde_json::Error> {
    let mut rows = rows(sides);
    rows.iter_mut().for_each(|row| row.figure = row.figure.trim().to_string());
    let seeds = sides.first().map(|side| side.outcomes.iter().map(|o| o.seed).collect()).unwrap_or_default();
    let document = Document { runtimes: sides.iter().map(|s| s.runtime).collect(), seeds, rows };
    crate::json::marked(&document, interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use brownout_sim::outcome::Totals;

    fn outcome(seed: u64, dropped: u64) -> Outcome {
        let totals = Totals {
            offered: 200,
            dropped,
            dropped_rate: dropped as f64 / 200.0,
            causes: [("refused".to_string(), dropped)].into(),
            ..Totals::default()
        };
        Outcome { title: "A day".into(), seed, calls: [("track".to_string(), totals)].into(), ..Outcome::default() }
    }

    #[test]
    fn each_figure_stands_beside_its_counterpart() {
        let sides = [
            Side { runtime: "kernel", outcomes: vec![outcome(1, 100), outcome(2, 104)] },
            Side { runtime: "madsim", outcomes: vec![outcome(1, 102), outcome(2, 106)] },
        ];
        let text = table(&sides, &Style::default());
        let line = |what: &str| text.lines().find(|line| line.contains(what)).unwrap_or_default().to_string();
        let words: Vec<String> = line("dropped").split_whitespace().map(str::to_string).collect();
        assert_eq!(words, ["track", "dropped", "51.0%", "±", "1.4%", "52.0%", "±", "1.4%", "+1.0pp"], "{text}");
        let failed = line("failed");
        assert!(!failed.contains("+0.0pp ±"), "no interval of no width: {failed}");
        assert!(line("first ejection").contains("none"), "{text}");
        assert!(
            text.starts_with("A day\n2 seeds, mean ± standard deviation; difference ± half of its 95% interval\n"),
            "{text}"
        );
        let json = to_json(&sides, false).unwrap();
        assert!(json.contains("\"kernel\"") && json.contains("\"figure\": \"refused\""), "{json}");
    }
}
