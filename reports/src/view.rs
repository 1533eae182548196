//! Questions that all reports ask an outcome.

use crate::text;
use brownout_sim::outcome::{Evidence, Mark, Outcome, Phase, Step, Totals};
use std::collections::{BTreeMap, BTreeSet};

/// The kind of call that the headline is about: "track" if there is one, else the one most offered.
pub(crate) fn headline_kind(outcome: &Outcome) -> Option<&str> {
    if let Some((kind, _)) = outcome.calls.get_key_value("track") {
        return Some(kind);
    }
    let kinds = outcome.calls.iter().filter(|(kind, _)| part_of(outcome, kind).is_none());
    // The first by name among equals: max_by_key would take the last.
    kinds.rev().max_by_key(|(_, totals)| totals.offered).map(|(kind, _)| kind.as_str())
}

/// "track" for "track.browsers" where both are in the ledger.
pub(crate) fn part_of<'a>(outcome: &'a Outcome, kind: &str) -> Option<&'a str> {
    let (whole, _) = kind.rsplit_once('.')?;
    outcome.calls.get_key_value(whole).map(|(whole, _)| whole.as_str())
}

/// Rows of the ledger, the headline's kind first, parts after their whole: name, whether a part, totals.
pub(crate) fn ledger(outcome: &Outcome) -> Vec<(&str, bool, &Totals)> {
    let first = headline_kind(outcome);
    let mut kinds: Vec<&str> =
        outcome.calls.keys().map(String::as_str).filter(|kind| part_of(outcome, kind).is_none()).collect();
    kinds.sort_by_key(|kind| Some(*kind) != first);
    let mut rows = Vec::new();
    for kind in kinds {
        let inside = format!("{kind}.");
        let parts = outcome.calls.iter().filter(|(name, _)| name.starts_with(&inside));
        rows.push((kind, false, &outcome.calls[kind]));
        rows.extend(parts.map(|(name, totals)| (name.as_str(), true, totals)));
    }
    rows
}

/// A phase of a kind of call: "before", "during", "after" what went wrong, or "run".
pub(crate) fn phase<'a>(outcome: &'a Outcome, kind: &str, name: &str) -> Option<&'a Phase> {
    outcome.phases.calls.get(kind)?.iter().find(|phase| phase.phase == name)
}

/// What went wrong, in a word or two; none if nothing did.
pub(crate) fn trouble(outcome: &Outcome) -> Option<&'static str> {
    match outcome.phases.of.as_str() {
        "outage" => Some("the outage"),
        "faults" if outcome.faults.len() == 1 => Some("the fault"),
        "faults" => Some("the faults"),
        _ => None,
    }
}

/// The evidence about a metric, if the scenario has any.
pub(crate) fn evidence<'a>(outcome: &'a Outcome, metric: &str) -> Option<&'a Evidence> {
    outcome.evidence.iter().find(|evidence| evidence.metric == metric)
}

/// The rate in words like "about 54%".
pub(crate) fn observed_rate(observed: &str) -> Option<f64> {
    let before = observed.split('%').next().filter(|before| before.len() < observed.len())?;
    let number: String = before.trim_end().chars().rev().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    let value: f64 = number.chars().rev().collect::<String>().parse().ok()?;
    (0.0..=100.0).contains(&value).then_some(value / 100.0)
}

/// Calls of a step dropped in the end, whatever the cause.
pub(crate) fn dropped(step: &Step, kind: &str) -> u64 {
    step.calls.get(kind).map_or(0, |calls| calls.dropped.values().sum())
}

/// Length of the run: as stated, or as far as its steps reach.
pub(crate) fn length_s(outcome: &Outcome) -> f64 {
    let steps = outcome.timeline.steps.last().map_or(0.0, |step| step.t_s + outcome.timeline.step_s);
    if outcome.span.length_s > 0.0 { outcome.span.length_s } else { steps.max(0.0) }
}

/// First beginning and last end of the stores' outages; an outage that did not end runs to the end.
pub(crate) fn outage(outcome: &Outcome) -> Option<(f64, f64)> {
    let from = outcome.outages.first()?.from_s;
    let end = length_s(outcome);
    let to = outcome.outages.iter().map(|outage| outage.to_s.unwrap_or(end)).fold(from, f64::max);
    Some((from, to))
}

/// Stores that were ever in another state than "up".
pub(crate) fn stores_ever_down(outcome: &Outcome) -> Vec<&str> {
    let gauges = outcome.timeline.steps.iter().flat_map(|step| &step.stores);
    let mut stores: BTreeSet<&str> =
        gauges.filter(|(_, gauge)| gauge.state != "up").map(|(store, _)| store.as_str()).collect();
    stores.extend(outcome.outages.iter().map(|outage| outage.store.as_str()));
    stores.into_iter().collect()
}

/// The parts of the run in which a store was not "up": beginning, end, mode; exact where the outcome has
/// outages of that store, else from its state at the end of each step.
pub(crate) fn downtime<'a>(outcome: &'a Outcome, store: &str) -> Vec<(f64, f64, &'a str)> {
    let end = length_s(outcome);
    let mut spans: Vec<(f64, f64, &str)> = outcome
        .outages
        .iter()
        .filter(|outage| outage.store == store)
        .map(|outage| (outage.from_s, outage.to_s.unwrap_or(end), outage.mode.as_str()))
        .collect();
    if spans.is_empty() {
        for step in &outcome.timeline.steps {
            let Some(gauge) = step.stores.get(store).filter(|gauge| gauge.state != "up") else { continue };
            let to = (step.t_s + outcome.timeline.step_s).min(end);
            match spans.last_mut() {
                Some(last) if last.1 >= step.t_s && last.2 == gauge.state => last.1 = to,
                _ => spans.push((step.t_s, to, &gauge.state)),
            }
        }
    }
    spans
}

/// The day's marks by time, with the outages that no mark speaks of.
pub(crate) fn marks(outcome: &Outcome) -> Vec<Mark> {
    let mut marks = outcome.events.clone();
    // By time, so that of many outages each looks at the marks near it only.
    marks.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
    let known = marks.clone();
    let mut add = |t_s: f64, store: &str, what: String| {
        let first = known.partition_point(|mark| mark.at_s <= t_s - 1.0);
        let mut near = known[first..].iter().take_while(|mark| mark.at_s < t_s + 1.0);
        if !near.any(|mark| mark.what.contains(store)) {
            marks.push(Mark { at_s: t_s, what, ..Mark::default() });
        }
    };
    for outage in &outcome.outages {
        let mode = if outage.mode.is_empty() { String::new() } else { format!(" ({})", text::words(&outage.mode)) };
        add(outage.from_s, &outage.store, format!("{} leaves service{mode}", outage.store));
        if let Some(to_s) = outage.to_s {
            add(to_s, &outage.store, format!("{} is back in service", outage.store));
        }
    }
    marks.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
    marks
}

/// Some steps as one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Bucket {
    pub from_s: f64,
    pub to_s: f64,
    pub offered: u64,
    pub dropped: u64,
    pub failed: u64,
    /// Dropped by cause.
    pub causes: BTreeMap<String, u64>,
    /// Lowest and highest dropped rate of a step, of steps with calls.
    pub dropped_range: Option<(f64, f64)>,
    /// Mean over the time.
    pub in_rotation: f64,
    /// Most calls in spools at the end of a step.
    pub spooled: u64,
    /// Most lost calls kept for a replay at the end of a step.
    pub kept: u64,
}

impl Bucket {
    /// Share of the calls offered that were dropped; none without calls.
    pub(crate) fn dropped_rate(&self) -> Option<f64> {
        (self.offered > 0).then(|| self.dropped as f64 / self.offered as f64)
    }

    /// Share of the calls offered that failed for their client; none without calls.
    pub(crate) fn failed_rate(&self) -> Option<f64> {
        (self.offered > 0).then(|| self.failed as f64 / self.offered as f64)
    }
}

/// The timeline of one kind of call with `per` steps in each bucket.
pub(crate) fn buckets(outcome: &Outcome, kind: &str, per: usize) -> Vec<Bucket> {
    let steps = &outcome.timeline.steps;
    let end = length_s(outcome);
    let mut buckets = Vec::new();
    for (index, chunk) in steps.chunks(per.max(1)).enumerate() {
        let next = steps.get((index + 1) * per.max(1)).map_or(end, |step| step.t_s);
        let mut bucket = Bucket { from_s: chunk[0].t_s, to_s: next.max(chunk[0].t_s), ..Bucket::default() };
        let mut weight = 0.0;
        for (i, step) in chunk.iter().enumerate() {
            let until = chunk.get(i + 1).map_or(bucket.to_s, |step| step.t_s);
            let length = (until - step.t_s).max(1e-9);
            weight += length;
            bucket.in_rotation += step.in_rotation * length;
            bucket.spooled = bucket.spooled.max(step.fleets.values().map(|fleet| fleet.spooled).sum());
            bucket.kept = bucket.kept.max(step.kept);
            add_calls(&mut bucket, step, kind);
        }
        bucket.in_rotation /= weight;
        buckets.push(bucket);
    }
    buckets
}

fn add_calls(bucket: &mut Bucket, step: &Step, kind: &str) {
    let Some(calls) = step.calls.get(kind) else { return };
    let dropped = dropped(step, kind);
    bucket.offered += calls.offered;
    bucket.dropped += dropped;
    bucket.failed += calls.failed;
    for (cause, n) in &calls.dropped {
        *bucket.causes.entry(cause.clone()).or_default() += n;
    }
    if calls.offered > 0 {
        let rate = dropped as f64 / calls.offered as f64;
        let (low, high) = bucket.dropped_range.unwrap_or((rate, rate));
        bucket.dropped_range = Some((low.min(rate), high.max(rate)));
    }
}

/// What was dropped and why, the most frequent cause first.
pub(crate) fn causes(totals: &BTreeMap<String, u64>) -> Vec<(&str, u64)> {
    let mut causes: Vec<(&str, u64)> =
        totals.iter().map(|(cause, n)| (cause.as_str(), *n)).filter(|c| c.1 > 0).collect();
    causes.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    causes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_from_words() {
        assert_eq!(observed_rate("about 54%"), Some(0.54));
        assert_eq!(observed_rate("54.5 %"), Some(0.545));
        assert_eq!([observed_rate("54"), observed_rate("a%"), observed_rate("540%")], [None, None, None]);
    }

    #[test]
    fn headline_prefers_track_then_the_most_offered() {
        let totals = |offered| Totals { offered, ..Totals::default() };
        let mut outcome = Outcome::default();
        assert_eq!(headline_kind(&outcome), None);
        outcome.calls = [("pay", 5), ("pay.web", 5), ("look", 9)].map(|(k, n)| (k.to_owned(), totals(n))).into();
        assert_eq!(headline_kind(&outcome), Some("look"));
        assert_eq!(ledger(&outcome).iter().map(|row| row.0).collect::<Vec<_>>(), ["look", "pay", "pay.web"]);
        outcome.calls.insert("track".into(), totals(1));
        assert_eq!(headline_kind(&outcome), Some("track"));
    }
}
