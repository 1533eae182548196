//! Bounds on what a file may ask for, so that reading it and setting up its world take bounded time and memory.
//!
//! They are far above what a scenario needs. Bounds on the text itself (its size, depth and keys) stand in `document`
//! and `load`, those on axes in `overlay`, on steps in `header`. What a run costs is bounded by `limits.events` alone.

use brownout_models::setting::{Data, Problem, Span, Table, Value};
use brownout_models::spec::WorldSpec;

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
/// Most pieces of evidence, and most expectations.
pub(crate) const CLAIMS: usize = 1000;

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
pub(crate) fn world(spec: &WorldSpec, steps: u64) -> Vec<Problem> {
    let mut found = Vec::new();
    let servers: u64 = spec.fleets.iter().map(|(_, fleet)| u64::from(fleet.count)).sum();
    let mut check = |what: String, is: u64, most: u64| {
        if is > most {
            found.push(too_many(Span::default(), format!("{what}: {is}"), most));
        }
    };
    let stores = spec.stores.len() as u64;
    check(format!("connection pools of {servers} servers to {stores} stores"), servers * stores, POOLS);
    let looks = (servers * (1 + stores)).saturating_mul(steps);
    check(format!("looks of {steps} steps at {servers} servers with {stores} stores"), looks, LOOKS);
    let guards = spec.fleets.iter().map(|(_, fleet)| u64::from(fleet.count) * fleet.calls.len() as u64).sum();
    check("kinds of call, over all servers".into(), guards, GUARDS);
    let parts = (spec.clients.len() + spec.fleets.len() + spec.stores.len()) as u64;
    check(format!("figures of {steps} steps with {parts} parts"), steps.saturating_mul(parts), CELLS);
    found
}
