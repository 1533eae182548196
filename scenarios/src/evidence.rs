//! What was observed on the day, and how near to it a run must come.

use crate::header::{Between, Period, Seen};
use brownout_models::metrics::{Measured, Unit};
use brownout_models::setting::{Clock, Data, Name, Problem, Span, Value, always};
use brownout_models::settings;
use brownout_models::units::{Ns, parse_duration, parse_quantity, parse_share};

settings! {
    /// One observation.
    pub struct EvidenceEntry {
        /// Its name: "E2".
        pub id (required): Name = Name::default() => always;
        /// What was said, in a sentence.
        pub says (required): String = String::new() => always;
        /// What it is compared with: "track.dropped_rate".
        pub metric (required): Name = Name::default() => always;
        /// What was observed: "54%", "10min", "11:46", "3", or two times.
        pub observed: Seen = Seen::default() => always;
        /// How far a run may be off: "4pp", "10%", "2min", "5".
        pub within: Option<Name> = None => always;
        /// Instead of `within`: the lowest and the highest value accepted.
        pub between: Between = Between::default() => always;
        /// When; without it, the window.
        pub over: Option<Period> = None => always;
    }
}

/// An observation, ready to be compared with a run.
#[derive(Clone, PartialEq, Debug)]
pub struct EvidenceSpec {
    /// Its name: "E2".
    pub id: String,
    /// What was said.
    pub says: String,
    /// What it is compared with: "track.dropped_rate".
    pub metric: String,
    /// What was observed; where the file states only bounds, their middle.
    pub observed: Measured,
    /// The observation as written.
    pub shown: String,
    /// Lowest value accepted, in base units: fraction, count, seconds. Of an interval: its start in seconds.
    pub low: f64,
    /// Highest value accepted, in base units. Of an interval: its end in seconds.
    pub high: f64,
    /// How far a run may be off, in base units; for an interval, at each end.
    pub tolerance: f64,
    /// The part of the run that it speaks of, since the start.
    pub over: (Ns, Ns),
    /// Whether some number of the world was chosen so that this is met; then it confirms nothing.
    pub fitted: bool,
    /// The line of the file where it stands, from 1.
    pub line: usize,
}

/// Checks the entries; an id must be new, a value readable, its tolerance of the same kind.
pub(crate) fn read(
    entries: &[EvidenceEntry],
    clock: &dyn Clock,
    window: (Ns, Ns),
    fitted: &[String],
    line: &dyn Fn(Span) -> usize,
    problems: &mut Vec<Problem>,
) -> Vec<EvidenceSpec> {
    let mut out: Vec<EvidenceSpec> = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        if [&entry.id, &entry.metric].iter().any(|name| name.span == Span::default()) {
            continue; // a required key is missing or no string, which has been said
        }
        if entries[..at].iter().any(|other| other.id.text == entry.id.text) {
            let message = format!("two pieces of evidence have the id `{}`", entry.id.text);
            problems.push(Problem { span: entry.id.span, message, help: None });
        }
        match accepted(entry, clock) {
            Ok(Accepted { observed, shown, low, high, tolerance }) => out.push(EvidenceSpec {
                id: entry.id.text.clone(),
                says: entry.says.clone(),
                metric: entry.metric.text.clone(),
                observed,
                shown,
                low,
                high,
                tolerance,
                over: entry.over.map_or(window, |p| (p.from, p.to)),
                fitted: fitted.contains(&entry.id.text),
                line: line(entry.id.span),
            }),
            Err(found) => problems.push(found),
        }
    }
    out
}

/// A unit in words.
pub(crate) fn describe(unit: Unit) -> &'static str {
    match unit {
        Unit::Share => "a share, such as \"54%\"",
        Unit::Count => "a count, such as \"12\"",
        Unit::Duration => "a length of time, such as \"10min\"",
        Unit::Moment => "a time, such as \"18:08\"",
        Unit::Interval => "two times, such as [\"11:46\", \"17:50\"]",
    }
}

struct Accepted {
    observed: Measured,
    shown: String,
    low: f64,
    high: f64,
    tolerance: f64,
}

fn accepted(entry: &EvidenceEntry, clock: &dyn Clock) -> Result<Accepted, Problem> {
    let id = &entry.id.text;
    let problem = |span: Span, message: String| Problem { span, message, help: None };
    if let (Some(within), Some(_)) = (&entry.within, &entry.between.0) {
        return Err(problem(within.span, format!("evidence `{id}` has both `within` and `between`")));
    }
    let observed = match &entry.observed.0 {
        Some(value) => Some((value, read_observed(value, clock).map_err(|why| problem(value.span, why))?)),
        None => None,
    };
    if let Some(between) = &entry.between.0 {
        return between_bounds(between, observed.map(|(value, o)| (shown(value), o)), clock)
            .map_err(|why| problem(between.span, why));
    }
    let Some((value, observed)) = observed else {
        let mut missing = problem(entry.id.span, format!("evidence `{id}` does not say what was observed"));
        missing.help = Some("observed = \"54%\" with within = \"4pp\", or between = [\"50%\", \"58%\"]".into());
        return Err(missing);
    };
    let tolerance = match &entry.within {
        Some(within) => read_within(&within.text, observed).map_err(|why| problem(within.span, why))?,
        None => 0.0,
    };
    let (low, high) = match observed {
        Measured::Interval(from, to) => (from.as_secs(), to.as_secs()),
        _ => ((observed.number() - tolerance).max(0.0), observed.number() + tolerance),
    };
    Ok(Accepted { observed, shown: shown(value), low, high, tolerance })
}

fn shown(value: &Value) -> String {
    match &value.data {
        Data::List(items) => items.iter().map(Value::to_text).collect::<Vec<_>>().join(" to "),
        _ => value.to_text(),
    }
}

fn between_bounds(
    between: &Value,
    observed: Option<(String, Measured)>,
    clock: &dyn Clock,
) -> Result<Accepted, String> {
    let looks = || "`between` is a list of the lowest and the highest value, such as [\"50%\", \"58%\"]".to_string();
    let Data::List(items) = &between.data else { return Err(looks()) };
    let [low, high] = &items[..] else { return Err(looks()) };
    let (low, high) = (read_single(low, clock)?, read_single(high, clock)?);
    let known = observed.as_ref().map_or(low, |(_, o)| *o);
    if low.unit() != high.unit() || known.unit() != low.unit() {
        return Err("these are values of different kinds".into());
    }
    if low.number() > high.number() {
        return Err("the lowest value comes first".into());
    }
    let middle = low.unit().of((low.number() + high.number()) / 2.0);
    let (shown, observed) = observed.unwrap_or((shown(between), middle));
    let tolerance = (high.number() - low.number()) / 2.0;
    Ok(Accepted { observed, shown, low: low.number(), high: high.number(), tolerance })
}

fn read_observed(value: &Value, clock: &dyn Clock) -> Result<Measured, String> {
    let Data::List(items) = &value.data else { return read_single(value, clock) };
    let looks = || "two times are expected here, such as [\"11:46\", \"17:50\"]".to_string();
    let [Value { data: Data::Text(from), .. }, Value { data: Data::Text(to), .. }] = &items[..] else {
        return Err(looks());
    };
    let (from, to) = (clock.moment(from)?, clock.moment(to)?);
    if from < to { Ok(Measured::Interval(from, to)) } else { Err("the interval must end after it starts".into()) }
}

fn read_single(value: &Value, clock: &dyn Clock) -> Result<Measured, String> {
    let looks = "an observation looks like \"54%\", \"10min\", \"11:46\" or \"3\"";
    let text = match &value.data {
        Data::Text(text) => text.clone(),
        Data::Integer(_) | Data::Float(_) => value.to_text(),
        _ => return Err(format!("expected a string, found {}: {looks}", value.kind())),
    };
    if text.contains(':') {
        return clock.moment(&text).map(Measured::Moment);
    }
    if text.contains(['%', '/']) {
        return parse_share(&text).map(|share| Measured::Share(share.0));
    }
    // A count before a length of time: a number without a unit is a count.
    if let Ok(count) = parse_quantity(&text) {
        let count = count.0;
        return if count >= 0.0 && count.is_finite() { Ok(Measured::Count(count)) } else { Err(looks.into()) };
    }
    match parse_duration(&text) {
        Ok(time) if !time.is_never() => Ok(Measured::Duration(time)),
        _ => Err(looks.into()),
    }
}

/// How far off, in base units.
fn read_within(text: &str, observed: Measured) -> Result<f64, String> {
    let looks = match observed {
        Measured::Share(_) => "here `within` looks like \"4pp\" (percentage points) or \"10%\" (of the value)",
        Measured::Count(_) => "here `within` looks like \"5\" or \"10%\" (of the value)",
        Measured::Duration(_) => "here `within` looks like \"2min\" or \"10%\" (of the value)",
        Measured::Moment(_) | Measured::Interval(..) => "here `within` looks like \"2min\"",
    };
    let wrong = || looks.to_string();
    let size = match observed {
        Measured::Share(share) => match text.trim().strip_suffix("pp") {
            Some(points) => points.trim().parse::<f64>().map_err(|_| wrong())? / 100.0,
            None => parse_share(text).map_err(|_| wrong())?.0 * share,
        },
        Measured::Count(count) => match parse_quantity(text) {
            Ok(quantity) => quantity.0,
            Err(_) => parse_share(text).map_err(|_| wrong())?.0 * count,
        },
        Measured::Duration(time) => match parse_duration(text) {
            Ok(by) if !by.is_never() => by.as_secs(),
            _ => parse_share(text).map_err(|_| wrong())?.0 * time.as_secs(),
        },
        Measured::Moment(_) | Measured::Interval(..) => match parse_duration(text) {
            Ok(by) if !by.is_never() => by.as_secs(),
            _ => return Err(wrong()),
        },
    };
    if size.is_finite() && size >= 0.0 { Ok(size) } else { Err(wrong()) }
}
