//! Bounds on what a file may ask for, so that reading it and setting up its world take bounded time and memory.
//!
//! They are far above what a scenario needs. Bounds on the text itself (its size, depth and keys) stand in `input`,
//! `document` and `load`, those on axes in `overlay`, on steps in `header`. What a run then costs is bounded by
//! `limits.events` and `limits.memory`.

use crate::document::{DEPTH, KEY, KEYS};
use crate::header::STEPS;
use crate::input::{Rows, SIZE};
use crate::load::{ENTRIES, TEXTS};
use crate::overlay::OVERLAYS;
use crate::trace::ROWS;
use brownout_models::component::operator::{Action, Entry, Repeat, Timing, Trigger};
use brownout_models::fault::Target;
use brownout_models::setting::{Data, Problem, Span, Table, Value};
use brownout_models::spec::{SERVERS, WorldSpec};
use brownout_models::units::Ns;
use std::fs::File;

/// Most populations of clients, fleets, stores, and kinds of call of a fleet.
pub(crate) const PARTS: usize = 1000;
/// Most kinds of call over all fleets.
const PLANS: usize = 5000;
/// Most connection pools: servers times stores.
const POOLS: u64 = 2_000_000;
/// Most guards and plans: servers times the kinds of call of their fleet.
const GUARDS: u64 = 5_000_000;
/// Most figures of the timeline: steps times populations, fleets and stores.
const CELLS: u64 = 1_000_000;
/// Most looks at a server or a pool, which each step takes at all of them.
const LOOKS: u64 = 200_000_000;
/// Most changes that repeated faults make: how often each comes, times the steps of its ramp, times how many of it are in
/// force at once, times the servers that it hits.
const CHANGES: u64 = 50_000_000;
/// Most times that faults come, all entries together; each is in the outcome.
const SPELLS: u64 = 100_000;
/// Most seeds of a file.
pub(crate) const SEEDS: usize = 10_000;
/// Most pieces of evidence, and most expectations.
pub(crate) const CLAIMS: usize = 1000;

/// Every limit on a file, for the page on the format: what of, and how many.
pub(crate) fn table() -> Vec<(&'static str, String)> {
    let n = |n: u64| {
        let digits = n.to_string();
        let groups = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
        groups.collect::<Vec<_>>().join(",")
    };
    let all = |numbers: &[u64]| numbers.iter().map(|number| n(*number)).collect::<Vec<_>>().join("; ");
    let mib = |bytes: u64| format!("{} MiB", bytes >> 20);
    vec![
        ("bytes of the file", mib(SIZE)),
        ("tables within tables", n(DEPTH as u64)),
        ("keys of a table; bytes of a key", all(&[KEYS as u64, KEY as u64])),
        ("texts of `--set` and `--design`", n(TEXTS as u64)),
        ("axis points and designs", n(OVERLAYS as u64)),
        ("populations of clients, fleets, stores, kinds of call of a fleet", format!("{} each", n(PARTS as u64))),
        ("fleets times the kinds of call of the one that has most", n(PLANS as u64)),
        ("servers; servers times stores; kinds of call over all servers", all(&[SERVERS, POOLS, GUARDS])),
        ("entries of the timeline; pieces of evidence; expectations", format!("{} each", n(ENTRIES as u64))),
        ("times that repeated faults come, all entries together", n(SPELLS)),
        (
            "those, times how many of one are in force at once, the servers that it hits, and 16 if it has a ramp",
            n(CHANGES),
        ),
        ("seeds", n(SEEDS as u64)),
        ("steps; steps times populations, fleets and stores", all(&[STEPS, CELLS])),
        ("steps times servers times one more than the stores", n(LOOKS)),
        ("rows of a trace, and rows of all traces that lie in the run", n(ROWS)),
        ("bytes of a row of a trace", mib(Rows::<File>::LONGEST)),
    ]
}

fn too_many(span: Span, what: String, most: u64) -> Problem {
    Problem { span, message: format!("{what} are more than the {most} supported"), help: None }
}

/// What there is too much of, before anything is copied or decoded.
pub(crate) fn parts(world: &Value) -> Vec<Problem> {
    let mut found = Vec::new();
    let Data::Table(world) = &world.data else { return found };
    let table = |table: &Table, key: &str| match table.get(key) {
        Some(Value { data: Data::Table(inner), span, .. }) => Some((inner.entries.len(), *span)),
        _ => None,
    };
    for part in ["clients", "fleets", "stores"] {
        if let Some((entries, span)) = table(world, part)
            && entries > PARTS
        {
            found.push(too_many(span, format!("{entries} {part}"), PARTS as u64));
        }
    }
    let Some(Value { data: Data::Table(fleets), span, .. }) = world.get("fleets") else { return found };
    let calls = fleets.entries.iter().filter_map(|(_, fleet)| match &fleet.data {
        Data::Table(fleet) => table(fleet, "calls"),
        _ => None,
    });
    let mut most = 0;
    for (kinds, span) in calls {
        most = most.max(kinds);
        if kinds > PARTS {
            found.push(too_many(span, format!("{kinds} kinds of call"), PARTS as u64));
        }
    }
    // One fleet may be like another.
    let plans = fleets.entries.len().saturating_mul(most);
    if found.is_empty() && plans > PLANS {
        let what = format!("{} fleets with up to {most} kinds of call", fleets.entries.len());
        found.push(too_many(*span, what, PLANS as u64));
    }
    found
}

/// What a decoded world and its steps would take too much memory for.
pub(crate) fn world(spec: &WorldSpec, steps: u64, length: Ns) -> Vec<Problem> {
    let mut found = Vec::new();
    let servers: u64 = spec.fleets.iter().map(|(_, fleet)| u64::from(fleet.count)).sum();
    let mut check = |what: String, is: u64, most: u64| {
        if is > most {
            found.push(too_many(Span::default(), format!("{what}: {is}"), most));
        }
    };
    let named = spec.fleets.iter().map(|(_, fleet)| fleet.pools.len() as u64).max().unwrap_or(0);
    let stores = spec.stores.len() as u64 + named;
    check(format!("connection pools of {servers} servers to {stores} stores"), servers * stores, POOLS);
    let looks = (servers * (1 + stores)).saturating_mul(steps);
    check(format!("looks of {steps} steps at {servers} servers with {stores} stores"), looks, LOOKS);
    let guards = spec.fleets.iter().map(|(_, fleet)| u64::from(fleet.count) * fleet.calls.len() as u64).sum();
    check("kinds of call, over all servers".into(), guards, GUARDS);
    let parts = (spec.clients.len() + spec.fleets.len() + spec.stores.len()) as u64;
    check(format!("figures of {steps} steps with {parts} parts"), steps.saturating_mul(parts), CELLS);
    let repeated: Vec<(u64, u64)> = spec.timeline.iter().map(|entry| repeated(entry, spec, length)).collect();
    let sum = |of: fn(&(u64, u64)) -> u64| repeated.iter().map(of).fold(0, u64::saturating_add);
    check("times that faults come".into(), sum(|(times, _)| *times), SPELLS);
    check("changes by repeated faults".into(), sum(|(_, changes)| *changes), CHANGES);
    found
}

/// How often a fault comes in a run of that length, and what it changes; nothing of what does not repeat.
fn repeated(entry: &Entry, spec: &WorldSpec, length: Ns) -> (u64, u64) {
    let Action::Fault(fault, Timing { r#for, ramp, repeat: Some(Repeat { every, times }) }) = &entry.action else {
        return (0, 0);
    };
    let first = if let Trigger::At(at) = entry.trigger { at.plus(entry.delay) } else { Ns::ZERO };
    let fit = 1 + length.minus(first).0 / every.0.max(1);
    let times = times.map_or(fit, |times| fit.min(u64::from(times)));
    let at_once = r#for.map_or(1, |lasts| 1 + lasts.0 / every.0.max(1)).min(times);
    let servers = match fault.target() {
        Target::Servers { fleet, .. } => spec.fleets.get(&fleet.text).map_or(1, |fleet| u64::from(fleet.count)),
        _ => 1,
    };
    let rises = if *ramp > Ns::ZERO { RISES } else { 1 };
    (times, [rises, at_once, servers].iter().fold(times, |all, n| all.saturating_mul(*n)))
}

/// Steps of a ramp.
const RISES: u64 = 16;
