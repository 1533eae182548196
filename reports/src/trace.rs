//! A part of a run as a Chrome trace, for `chrome://tracing` and Perfetto: simulated time, a process per part of the world.
//!
//! The format is the "Trace Event Format" in its JSON object form. A *process* is a part of the world (a population of
//! clients, the balancer, a server, a store); its *threads* are as many rows as calls were there at once. What a call does
//! in one place is a complete event (`X`); the flow (`s`, `t`, `f`) of its number leads from one to the next. Faults and outages
//! are slices of a process of their own, marks and rotation are instants (`i`). Times (`ts`, `dur`) are in microseconds since the
//! start of the run, to the nanosecond.

use crate::text;
use brownout_sim::trace::{Lane, Span, Spans};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// What the trace is of, for its metadata.
#[derive(Clone, Debug)]
pub struct About {
    /// The scenario file.
    pub scenario: String,
    /// The design.
    pub design: String,
    /// The seed.
    pub seed: u64,
}

/// Writes a trace.
///
/// # Errors
/// As the writer has them.
pub fn write(spans: &Spans, about: &About, out: &mut dyn Write) -> io::Result<()> {
    let mut events = Events { out, first: true };
    events.out.write_all(b"{\"traceEvents\":[\n")?;
    let places = Places::of(spans);
    places.name(&mut events)?;
    causes(spans, &mut events)?;
    rotation(spans, &places, &mut events)?;
    calls(spans, &places, &mut events)?;
    let other = json!({
        "scenario": text::clean(&about.scenario, true),
        "design": text::clean(&about.design, true),
        "seed": about.seed.to_string(),
        "from": spans.from.to_string(),
        "to": spans.to.to_string(),
        "calls": spans.calls.to_string(),
    });
    write!(events.out, "\n],\"displayTimeUnit\":\"ms\",\"otherData\":{other}}}\n")
}

/// Events of the list, commas between them.
struct Events<'a> {
    out: &'a mut dyn Write,
    first: bool,
}

impl Events<'_> {
    fn add(&mut self, event: &Value) -> io::Result<()> {
        let comma = if std::mem::take(&mut self.first) { "" } else { ",\n" };
        write!(self.out, "{comma}{event}")
    }
}

/// Microseconds, to the nanosecond.
fn micros(ns: u64) -> f64 {
    ns as f64 / 1000.0
}

fn from_seconds(seconds: f64) -> f64 {
    (seconds * 1e9).round() / 1000.0
}

/// The process of what went wrong.
const CAUSES: u64 = 1;
/// The first process of a part of the world.
const PARTS: u64 = 2;

/// Where each span stands: the process of its part, and a row in it that is free for as long.
struct Places {
    parts: BTreeMap<Lane, u64>,
    /// Rows of each process, from 1.
    rows: BTreeMap<u64, u64>,
    /// Per span its process and row.
    at: Vec<(u64, u64)>,
}

impl Places {
    fn of(spans: &Spans) -> Places {
        let mut lanes: Vec<&Lane> = spans.spans.iter().map(|span| &span.lane).collect();
        lanes.sort();
        lanes.dedup();
        let parts: BTreeMap<Lane, u64> = lanes.into_iter().cloned().zip(PARTS..).collect();
        // The first row that is free, in order of the beginnings: as many rows as calls were there at once.
        let mut order: Vec<usize> = (0..spans.spans.len()).collect();
        order.sort_by_key(|i| spans.spans[*i].from);
        let mut busy: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        let mut at = vec![(0, 0); spans.spans.len()];
        for i in order {
            let span = &spans.spans[i];
            let process = parts[&span.lane];
            let rows = busy.entry(process).or_default();
            let free = rows.iter().position(|until| *until <= span.from.0);
            let row = free.unwrap_or_else(|| {
                rows.push(0);
                rows.len() - 1
            });
            // An instant takes its row, too, or the next would lie upon it.
            rows[row] = span.to.0.max(span.from.0 + 1);
            at[i] = (process, row as u64 + 1);
        }
        let rows = busy.into_iter().map(|(process, rows)| (process, rows.len() as u64)).collect();
        Places { parts, rows, at }
    }

    fn name(&self, events: &mut Events<'_>) -> io::Result<()> {
        let meta = |pid: u64, tid: u64, what: &str, args: Value| json!({ "ph": "M", "pid": pid, "tid": tid, "name": what, "args": args });
        events.add(&meta(CAUSES, 0, "process_name", json!({ "name": "faults and outages" })))?;
        for (lane, pid) in &self.parts {
            let (name, row) = match lane {
                Lane::Clients(name) => (format!("clients {name}"), "call"),
                Lane::Balancer => ("balancer".into(), "call"),
                Lane::Server(_, name) => (name.clone(), "call"),
                Lane::Store(name) => (format!("store {name}"), "query"),
            };
            events.add(&meta(*pid, 0, "process_name", json!({ "name": text::clean(&name, true) })))?;
            events.add(&meta(*pid, 0, "process_sort_index", json!({ "sort_index": pid })))?;
            for tid in 1..=self.rows.get(pid).copied().unwrap_or(0) {
                events.add(&meta(*pid, tid, "thread_name", json!({ "name": format!("{row} {tid}") })))?;
            }
        }
        Ok(())
    }
}

/// What went wrong, and the marks of the day; the whole run, as it is little.
fn causes(spans: &Spans, events: &mut Events<'_>) -> io::Result<()> {
    let end = micros(spans.to.0);
    let outages = spans.outages.iter().map(|o| (format!("outage of {} ({})", o.store, o.mode), o.from_s, o.to_s));
    let faults = spans.faults.iter().flat_map(|f| f.spells.iter().map(|s| (f.what.clone(), s.from_s, s.to_s)));
    for (tid, (what, from, to)) in (1_u64..).zip(outages.chain(faults)) {
        let from = from_seconds(from);
        let dur = (to.map_or(end, from_seconds) - from).max(0.0);
        let name = text::clean(&what, true);
        events.add(
            &json!({ "ph": "X", "pid": CAUSES, "tid": tid, "ts": from, "dur": dur, "name": name, "cat": "cause" }),
        )?;
    }
    for mark in &spans.marks {
        let name = text::clean(&mark.what, true);
        let ts = from_seconds(mark.at_s);
        events.add(&json!({ "ph": "i", "s": "g", "pid": CAUSES, "tid": 0, "ts": ts, "name": name, "cat": "mark" }))?;
    }
    Ok(())
}

fn rotation(spans: &Spans, places: &Places, events: &mut Events<'_>) -> io::Result<()> {
    for happened in &spans.rotation {
        // A server that had none of these calls has no process to stand in.
        let Some(pid) = places.parts.get(&Lane::Server(happened.server, happened.name.clone())) else { continue };
        let ts = micros(happened.at.0);
        events.add(
            &json!({ "ph": "i", "s": "p", "pid": pid, "tid": 0, "ts": ts, "name": happened.what, "cat": "rotation" }),
        )?;
    }
    Ok(())
}

fn calls(spans: &Spans, places: &Places, events: &mut Events<'_>) -> io::Result<()> {
    let all: Vec<(&Span, (u64, u64))> = spans.spans.iter().zip(places.at.iter().copied()).collect();
    for call in all.chunk_by(|a, b| a.0.call == b.0.call) {
        let mut call = call.to_vec();
        call.sort_by_key(|(span, _)| span.from);
        for (i, (span, (pid, tid))) in call.iter().enumerate() {
            let ts = micros(span.from.0);
            let dur = micros(span.to.0.saturating_sub(span.from.0));
            let kind = text::clean(&span.kind, true);
            let (name, args) = match span.fate.as_str() {
                "" => (span.what.clone(), json!({ "call": span.call, "kind": kind })),
                fate => {
                    (format!("{kind} {}: {fate}", span.call), json!({ "call": span.call, "kind": kind, "fate": fate }))
                }
            };
            events.add(&json!({
                "ph": "X", "pid": pid, "tid": tid, "ts": ts, "dur": dur, "name": name, "cat": kind, "args": args,
            }))?;
            let Some(step) = flow(i, call.len()) else { continue };
            let mut event =
                json!({ "ph": step, "pid": pid, "tid": tid, "ts": ts, "id": span.call, "name": "call", "cat": "flow" });
            if step == "f" {
                event["bp"] = "e".into();
            }
            events.add(&event)?;
        }
    }
    Ok(())
}

/// The step of a flow at one of so many slices; a single slice has none.
fn flow(at: usize, all: usize) -> Option<&'static str> {
    match at {
        _ if all < 2 => None,
        0 => Some("s"),
        at if at + 1 == all => Some("f"),
        _ => Some("t"),
    }
}
