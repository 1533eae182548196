//! The timeline as one wide table, for spreadsheets and notebooks.

use brownout_sim::outcome::{FleetGauge, Outcome, Percentiles, Step, StepCalls, StoreGauge};
use std::collections::{BTreeMap, BTreeSet};

/// One row per step, one column per quantity, with a header; comma-separated with quotes as in RFC 4180.
///
/// | column | holds | unit |
/// |---|---|---|
/// | `t_s` | beginning of the step since the start of the run | s |
/// | `at` | the same by the scenario's wall clock | |
/// | `KIND.offered` | calls of that kind that clients wanted to make during the step | calls |
/// | `KIND.dropped` | of those, dropped in the end, whatever the cause | calls |
/// | `KIND.dropped_CAUSE` | of those, dropped for that cause; spaces in the cause become `_` | calls |
/// | `KIND.failed` | of those offered, failed for their client | calls |
/// | `KIND.late` | of those offered, stored late | calls |
/// | `KIND.latency_p50_ms`, `_p90_ms`, `_p99_ms`, `_max_ms` | latency of calls offered in the step and answered ok | ms |
/// | `in_rotation` | mean number of servers in rotation over the step, all fleets | servers |
/// | `balancer_queue` | queued at the balancer, at the end of the step | calls |
/// | `kept` | lost calls kept for a replay, at the end of the step | calls |
/// | `store.NAME.state` | "up" or the outage modes in force, at the end of the step | |
/// | `store.NAME.headroom` | headroom left, at the end of the step | of the store |
/// | `store.NAME.running`, `.waiting` | queries running; waiting or hung, at the end of the step | queries |
/// | `fleet.NAME.in_rotation`, `.alive` | servers in rotation; processes alive, at the end of the step | servers |
/// | `fleet.NAME.accept_queue`, `.pending`, `.pool_waiting` | calls not yet accepted; accepted and not answered; waiting for a connection | calls |
/// | `fleet.NAME.busy`, `.pool_open` | workers or cores busy; connections open | |
/// | `fleet.NAME.spooled` | calls in spools | calls |
///
/// Columns exist for every kind, cause, store and fleet that occurs in any step. A quantity that a step does not
/// have is empty; a count of a cause that did not occur is 0. Text is quoted, not altered: what a spreadsheet
/// makes of a name that begins with `=` is between the two of them.
///
/// # Errors
///
/// As the `csv` crate reports them; writing to memory gives no reason for any.
pub fn timeline_csv(outcome: &Outcome) -> Result<String, csv::Error> {
    let columns = Columns::of(&outcome.timeline.steps);
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(columns.header())?;
    for step in &outcome.timeline.steps {
        writer.write_record(columns.row(step))?;
    }
    let bytes = writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
    String::from_utf8(bytes).map_err(|error| csv::Error::from(std::io::Error::other(error)))
}

/// A quantity of a store or a fleet: its column and how to read it.
type Quantity<T> = (&'static str, fn(&T) -> String);

const STORE: [Quantity<StoreGauge>; 4] = [
    ("state", |gauge| gauge.state.clone()),
    ("headroom", |gauge| gauge.headroom.map(|left| left.to_string()).unwrap_or_default()),
    ("running", |gauge| gauge.running.to_string()),
    ("waiting", |gauge| gauge.waiting.to_string()),
];

const FLEET: [Quantity<FleetGauge>; 8] = [
    ("in_rotation", |gauge| gauge.in_rotation.to_string()),
    ("alive", |gauge| gauge.alive.to_string()),
    ("accept_queue", |gauge| gauge.accept_queue.to_string()),
    ("busy", |gauge| gauge.busy.to_string()),
    ("pending", |gauge| gauge.pending.to_string()),
    ("pool_open", |gauge| gauge.pool_open.to_string()),
    ("pool_waiting", |gauge| gauge.pool_waiting.to_string()),
    ("spooled", |gauge| gauge.spooled.to_string()),
];

const LATENCY: [Quantity<Percentiles>; 4] = [
    ("latency_p50_ms", |latency| latency.p50.to_string()),
    ("latency_p90_ms", |latency| latency.p90.to_string()),
    ("latency_p99_ms", |latency| latency.p99.to_string()),
    ("latency_max_ms", |latency| latency.max.to_string()),
];

/// All names that occur in any step, so that every row has the same columns.
struct Columns<'a> {
    /// Kinds of call with their causes.
    kinds: BTreeMap<&'a str, BTreeSet<&'a str>>,
    stores: BTreeSet<&'a str>,
    fleets: BTreeSet<&'a str>,
}

impl<'a> Columns<'a> {
    fn of(steps: &'a [Step]) -> Self {
        let mut columns = Columns { kinds: BTreeMap::new(), stores: BTreeSet::new(), fleets: BTreeSet::new() };
        for step in steps {
            for (kind, calls) in &step.calls {
                columns.kinds.entry(kind).or_default().extend(calls.dropped.keys().map(String::as_str));
            }
            columns.stores.extend(step.stores.keys().map(String::as_str));
            columns.fleets.extend(step.fleets.keys().map(String::as_str));
        }
        columns
    }

    fn header(&self) -> Vec<String> {
        let mut header: Vec<String> = vec!["t_s".into(), "at".into()];
        for (kind, causes) in &self.kinds {
            header.extend(["offered", "dropped"].map(|name| format!("{kind}.{name}")));
            header.extend(causes.iter().map(|cause| format!("{kind}.dropped_{}", cause.replace(' ', "_"))));
            header.push(format!("{kind}.failed"));
            header.push(format!("{kind}.late"));
            header.extend(LATENCY.iter().map(|(name, _)| format!("{kind}.{name}")));
        }
        header.extend(["in_rotation".into(), "balancer_queue".into(), "kept".into()]);
        for store in &self.stores {
            header.extend(STORE.iter().map(|(name, _)| format!("store.{store}.{name}")));
        }
        for fleet in &self.fleets {
            header.extend(FLEET.iter().map(|(name, _)| format!("fleet.{fleet}.{name}")));
        }
        header
    }

    fn row(&self, step: &Step) -> Vec<String> {
        let mut row = vec![step.t_s.to_string(), step.at.clone()];
        for (kind, causes) in &self.kinds {
            let none = StepCalls::default();
            let calls = step.calls.get(*kind).unwrap_or(&none);
            row.push(calls.offered.to_string());
            row.push(calls.dropped.values().sum::<u64>().to_string());
            row.extend(causes.iter().map(|cause| calls.dropped.get(*cause).copied().unwrap_or(0).to_string()));
            row.push(calls.failed.to_string());
            row.push(calls.late.to_string());
            row.extend(cells(&LATENCY, calls.latency_ms.as_ref()));
        }
        row.extend([step.in_rotation.to_string(), step.balancer_queue.to_string(), step.kept.to_string()]);
        for store in &self.stores {
            row.extend(cells(&STORE, step.stores.get(*store)));
        }
        for fleet in &self.fleets {
            row.extend(cells(&FLEET, step.fleets.get(*fleet)));
        }
        row
    }
}

fn cells<T>(quantities: &[Quantity<T>], of: Option<&T>) -> Vec<String> {
    quantities.iter().map(|(_, read)| of.map(read).unwrap_or_default()).collect()
}
