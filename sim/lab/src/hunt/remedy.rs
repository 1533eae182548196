//! Which of the scenario's own numbers, changed alone and within the range believed of it, would have made a find harmless.
//!
//! Each number with a range is set to both ends of it. Where an end helps, the nearest of nine values on the way there is
//! found by halving. Not done: numbers in combination, and designs.

use super::report::Remedy;
use super::search::Search;
use super::trial::{Bench, Trial};
use super::{Base, Failure};
use crate::values::{between, number};
use brownout_property::schedule::Schedule;

/// Values from the file's own to the end of its range.
const VALUES: usize = 9;

/// A number, and the values from its own to one end of its range.
struct Way {
    path: String,
    value: String,
    values: Vec<String>,
}

/// Looks for remedies against a schedule under a seed.
pub(super) fn find(
    search: &Search<'_>,
    schedule: &Schedule,
    seed: u64,
    bad: &(dyn Fn(&Trial) -> bool + Sync),
) -> Result<Vec<Remedy>, Failure> {
    let base = &search.hunt.base;
    let mut ways = Vec::new();
    for p in &base.scenario().provenance {
        let Some((low, high)) = p.range.as_ref().filter(|_| number(&p.value).is_some()) else { continue };
        for end in [low, high].into_iter().filter(|end| number(end) != number(&p.value)) {
            let values = between(&p.value, end, VALUES).or_else(|| between(end, &p.value, VALUES).map(reversed));
            ways.extend(values.map(|values| Way { path: p.path.clone(), value: p.value.clone(), values }));
        }
    }
    let found = search.side_by_side(&ways, |way| walk(search.bench, base, way, schedule, seed, bad));
    let mut out = Vec::new();
    for remedy in found {
        out.extend(remedy?);
    }
    Ok(out)
}

fn reversed(mut values: Vec<String>) -> Vec<String> {
    values.reverse();
    values
}

/// The nearest value on a way that makes the schedule harmless, if its end does.
fn walk(
    bench: &Bench<'_>,
    base: &Base,
    way: &Way,
    schedule: &Schedule,
    seed: u64,
    bad: &(dyn Fn(&Trial) -> bool + Sync),
) -> Result<Option<Remedy>, Failure> {
    let helps = |value: &str| -> Result<bool, Failure> {
        // An end of one range may contradict another number; then it is no remedy.
        let Ok(changed) = base.changed(&format!("{}={value}", way.path)) else { return Ok(false) };
        let trial = Bench { base: &changed, worst: bench.worst.clone(), ..*bench }.try_one(schedule, seed)?;
        Ok(trial.is_some_and(|trial| !bad(&trial)))
    };
    let (mut bad_at, mut good_at) = (0, way.values.len() - 1);
    if good_at == 0 || !helps(&way.values[good_at])? {
        return Ok(None);
    }
    while good_at - bad_at > 1 {
        let middle = (bad_at + good_at) / 2;
        if helps(&way.values[middle])? { good_at = middle } else { bad_at = middle }
    }
    Ok(Some(Remedy { path: way.path.clone(), value: way.value.clone(), safe: way.values[good_at].clone() }))
}
