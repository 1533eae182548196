//! What a search has reached: transitions of health checks, processes, breakers, spools and stores, and kinds of fault
//! that took effect. A search that has seen none of a machine's transitions says nothing about that machine.

use brownout_models::fault::{self, Class, Course};
use brownout_models::spec::WorldSpec;
use brownout_models::units::Ns;
use brownout_property::vocabulary::{Kind, Vocabulary};
use brownout_sim::run::Run;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a store does after its faults.
const BACK: &str = "comes back";

/// Something that a part of the world may go through.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Place {
    /// The part: "breaker of identify at collectors".
    pub part: String,
    /// What happens to it: "opens".
    pub what: String,
}

/// How often each place was reached; those that never were are there with 0.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Coverage(pub BTreeMap<Place, u64>);

impl Coverage {
    fn note(&mut self, part: &str, what: &str, times: u64) {
        *self.0.entry(Place { part: part.into(), what: what.into() }).or_insert(0) += times;
    }

    /// What a run has gone through.
    pub fn of(run: &Run) -> Coverage {
        let mut seen = Coverage::default();
        servers(run, &mut seen);
        guards(run, &mut seen);
        stores(run, &mut seen);
        seen
    }

    /// Adds a run's: for each place, in how many runs it was reached. True if one was reached for the first time.
    pub fn add(&mut self, run: &Coverage) -> bool {
        let mut new = false;
        for (place, times) in &run.0 {
            let runs = self.0.entry(place.clone()).or_insert(0);
            new |= *runs == 0 && *times > 0;
            *runs += u64::from(*times > 0);
        }
        new
    }

    /// The places reached, each with the order of magnitude of how often: what makes a schedule worth keeping.
    pub fn signature(&self) -> Vec<(Place, u32)> {
        self.0.iter().filter(|(_, n)| **n > 0).map(|(place, n)| (place.clone(), n.ilog2() / 2)).collect()
    }

    /// Leaves out what could not be reached: states of stores by faults that were not to be drawn.
    pub fn within(self, vocabulary: &Vocabulary) -> Coverage {
        let stays = |(place, n): &(Place, u64)| {
            let Some(store) = place.part.strip_prefix("store ") else { return true };
            let hits = |kind: &&Kind| kind.targets.iter().any(|target| target.name == store);
            let mut kinds = vocabulary.kinds.iter().filter(|kind| kind.class == "store").filter(hits);
            *n > 0 || kinds.any(|kind| kind.word == place.what || place.what == BACK)
        };
        Coverage(self.0.into_iter().filter(stays).collect())
    }

    /// How many places were reached, and how many there are.
    pub fn counts(&self) -> (usize, usize) {
        (self.0.values().filter(|n| **n > 0).count(), self.0.len())
    }
}

/// Health checks and processes, fleet by fleet.
fn servers(run: &Run, seen: &mut Coverage) {
    let (spec, ledger) = (&run.world().spec, run.ledger());
    let mut first = 0;
    for (name, fleet) in spec.fleets.iter() {
        let servers = first..first + fleet.count as usize;
        first = servers.end;
        let crashes: u64 = ledger.crashes[servers.clone()].iter().sum();
        seen.note(&format!("processes of {name}"), "die", crashes);
        let health = &spec.balancer.health;
        if !health.enabled && health.outlier.is_none() && health.max_fails.is_none() {
            continue;
        }
        let changes = &ledger.changes[servers.clone()];
        let part = format!("checks of {name}");
        let turned = |way: bool| changes.iter().flatten().filter(|(_, up)| *up == way).count() as u64;
        seen.note(&part, "take a server out", turned(false));
        seen.note(&part, "let one back", turned(true));
        let least = fewest(changes, fleet.count as usize);
        seen.note(&part, "take more than half out", u64::from(least * 2 < fleet.count as usize));
        seen.note(&part, "take all out", u64::from(least == 0));
        if let Some(below) = health.fail_open_below {
            seen.note(&part, "fail open", u64::from(below.is_open(least, fleet.count as usize)));
        }
    }
}

/// The fewest servers that were in rotation at any time, if all begin in it.
fn fewest(changes: &[Vec<(Ns, bool)>], all: usize) -> usize {
    let mut turns: Vec<(Ns, bool)> = changes.iter().flatten().copied().collect();
    // At one instant who enters comes first: a change of guard is no gap.
    turns.sort_by_key(|(at, up)| (*at, !up));
    let mut in_rotation = all;
    let mut least = all;
    for (_, up) in turns {
        in_rotation = if up { (in_rotation + 1).min(all) } else { in_rotation.saturating_sub(1) };
        least = least.min(in_rotation);
    }
    least
}

fn guards(run: &Run, seen: &mut Coverage) {
    let spec = &run.world().spec;
    for turns in run.world().guard_turns() {
        let (name, fleet) = (&spec.fleets.0[turns.fleet].0.text, &spec.fleets.0[turns.fleet].1);
        let kind = &fleet.calls.0[turns.plan].0.text;
        if let Some(turns) = turns.breakers {
            let part = format!("breaker of {kind} at {name}");
            let all = [turns.opened, turns.half_opened, turns.reopened, turns.closed];
            for (what, times) in ["opens", "half-opens", "opens again", "closes"].into_iter().zip(all) {
                seen.note(&part, what, u64::from(times));
            }
        }
        if let Some(turns) = turns.spools {
            let part = format!("spool of {kind} at {name}");
            for (what, times) in [("fills", turns.filled), ("is full", turns.full), ("empties", turns.emptied)] {
                seen.note(&part, what, times);
            }
        }
    }
}

/// What each store was seen in, and whether it came back.
fn stores(run: &Run, seen: &mut Coverage) {
    let spec: &WorldSpec = &run.world().spec;
    for (at, (name, _)) in spec.stores.iter().enumerate() {
        if !is_asked(spec, name) {
            continue;
        }
        let part = format!("store {name}");
        let mine: Vec<_> = run.ledger().outages.iter().filter(|o| o.store as usize == at).collect();
        for word in states() {
            let times = mine.iter().filter(|o| o.mode.split('+').any(|mode| mode == word)).count();
            seen.note(&part, word, times as u64);
        }
        seen.note(&part, BACK, mine.iter().filter(|o| o.to.is_some()).count() as u64);
    }
}

fn is_asked(spec: &WorldSpec, name: &str) -> bool {
    let uses = |n: &Option<brownout_models::setting::Name>| n.as_ref().is_some_and(|n| n.text == name);
    let in_steps = spec.is_estate() && spec.is_used(name);
    in_steps
        || spec.fleets.iter().any(|(_, f)| {
            uses(&f.health.asks) || f.calls.0.iter().any(|(_, plan)| uses(&plan.asks) || uses(&plan.appends))
        })
}

/// The words of the faults that a store can have.
fn states() -> Vec<&'static str> {
    let of_stores = |kind: &fault::Kind| kind.class == Class::Store && kind.course != Course::Instant;
    fault::kinds().iter().filter(|kind| of_stores(kind)).map(|kind| kind.word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fewest_in_rotation_are_found_and_a_change_of_guard_is_no_gap() {
        let s = Ns::secs;
        let changes = [vec![(s(1), false), (s(3), true)], vec![(s(3), false), (s(4), true)], vec![]];
        assert_eq!(fewest(&changes, 3), 2);
        let changes = [vec![(s(1), false)], vec![(s(2), false), (s(4), true)]];
        assert_eq!(fewest(&changes, 2), 0);
    }

    #[test]
    fn coverage_grows_once_per_place() {
        let place = |what: &str| Place { part: "x".into(), what: what.into() };
        let run = Coverage([(place("a"), 3), (place("b"), 0)].into());
        let mut all = Coverage::default();
        assert!(all.add(&run) && !all.add(&run));
        assert_eq!((all.0[&place("a")], all.0[&place("b")], all.counts()), (2, 0, (1, 2)));
    }
}
