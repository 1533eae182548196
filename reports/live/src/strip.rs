//! What a strip needs to play a day: servers, queues and losses at some hundred moments.

use brownout_scenarios::Scenario;
use brownout_sim::outcome::Outcome;
use brownout_sim::run::{Cell, Run};
use serde::Serialize;

/// Moments at most; of a run with more steps every second, third, ... is kept.
const MOMENTS: usize = 400;
/// Servers at most: those of a larger fleet beyond them are left out, and the strip says so.
const SERVERS: usize = 256;
/// A server whose process does not run.
const DEAD: u32 = 255;
/// Added to the level of a server out of rotation.
const PALE: u32 = 64;
/// Levels of a server in rotation: 0 empty, this full.
const FULL: u32 = 16;

/// A day to play. What stands in a string has a character for each moment or server, so that it stays small.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Strip {
    /// The beginnings of the moments, in seconds since the start.
    pub at_s: Vec<f64>,
    /// The same on the scenario's clock.
    pub at: Vec<String>,
    /// Fleets: name, servers shown, servers left out.
    pub fleets: Vec<(String, usize, usize)>,
    /// For each moment two hexadecimal digits for each server: its level up to 16, 64 more out of rotation, 255 dead.
    pub servers: Vec<String>,
    /// Bars: a name, and for each moment how many wait or are taken.
    pub bars: Vec<(String, Vec<u64>)>,
    /// Stores: a name, and for each moment what is wrong; empty where nothing is.
    pub stores: Vec<(String, Vec<String>)>,
    /// Calls offered and calls dropped in the end, since the moment before.
    pub offered: Vec<u64>,
    /// See above.
    pub dropped: Vec<u64>,
}

/// Records a run while it goes.
#[derive(Default)]
pub(crate) struct Recorder {
    every: usize,
    taken: Vec<Vec<Cell>>,
    shown: Vec<usize>,
}

impl Recorder {
    pub(crate) fn of(scenario: &Scenario) -> Recorder {
        let steps = scenario.span.0.div_ceil(scenario.step.0.max(1)) as usize;
        let mut shown = Vec::new();
        let (mut first, mut room) = (0, SERVERS);
        for (_, fleet) in scenario.plan.spec.fleets.iter() {
            let count = fleet.count as usize;
            shown.extend(first..first + count.min(room));
            (first, room) = (first + count, room.saturating_sub(count));
        }
        Recorder { every: steps.div_ceil(MOMENTS).max(1), taken: Vec::new(), shown }
    }

    /// Looks at a run after a step.
    pub(crate) fn look(&mut self, run: &Run) {
        if run.steps.len().is_multiple_of(self.every) && self.taken.len() < MOMENTS {
            let all = run.cells();
            self.taken.push(self.shown.iter().filter_map(|at| all.get(*at).copied()).collect());
        }
    }

    /// The strip of a finished run.
    pub(crate) fn finish(self, scenario: &Scenario, outcome: &Outcome) -> Strip {
        let groups: Vec<_> = outcome.timeline.steps.chunks(self.every).take(self.taken.len()).collect();
        let last = || groups.iter().filter_map(|steps| steps.last());
        let first = || groups.iter().filter_map(|steps| steps.first());
        // An event loop takes any number: it is full where one was fullest.
        let most = self.taken.iter().flatten().filter(|cell| cell.room.is_none()).map(|cell| cell.taken).max();
        let digits = |cell: &Cell| format!("{:02x}", level(cell, most.unwrap_or(0)));
        let fleets = |of: fn(&brownout_sim::outcome::FleetGauge) -> u64| {
            last().map(|step| step.fleets.values().map(of).sum()).collect::<Vec<u64>>()
        };
        let mut bars = vec![
            ("queued at the balancer".to_string(), last().map(|step| step.balancer_queue).collect()),
            ("waiting to be accepted".to_string(), fleets(|fleet| fleet.accept_queue)),
            ("waiting for a connection".to_string(), fleets(|fleet| fleet.pool_waiting)),
            ("connections in use or idle".to_string(), fleets(|fleet| fleet.pool_open)),
            ("in spools".to_string(), fleets(|fleet| fleet.spooled)),
            ("kept for a replay".to_string(), last().map(|step| step.kept).collect()),
        ];
        let names: Vec<&str> = scenario.plan.spec.stores.names().collect();
        for name in &names {
            let waiting = last().map(|step| step.stores.get(*name).map_or(0, |store| store.running + store.waiting));
            bars.push((format!("queries at {name}"), waiting.collect()));
        }
        bars.retain(|(_, values): &(String, Vec<u64>)| values.iter().any(|n| *n > 0));
        let state = |name: &str| {
            let state = |step: &brownout_sim::outcome::Step| {
                let state = step.stores.get(name).map_or("", |store| store.state.as_str());
                if state == "up" { String::new() } else { state.replace('_', " ") }
            };
            (name.to_string(), last().map(state).collect())
        };
        let sum = |of: fn(&brownout_sim::outcome::StepCalls) -> u64| {
            let of_group = |steps: &&[brownout_sim::outcome::Step]| {
                steps.iter().flat_map(|step| step.calls.values()).map(of).sum::<u64>()
            };
            groups.iter().map(of_group).collect::<Vec<u64>>()
        };
        let mut left = SERVERS;
        let shown = |(name, fleet): (&str, &brownout_models::component::collector::Fleet)| {
            let (count, here) = (fleet.count as usize, left.min(fleet.count as usize));
            left -= here;
            (name.to_string(), here, count - here)
        };
        Strip {
            at_s: first().map(|step| step.t_s).collect(),
            at: first().map(|step| step.at.clone()).collect(),
            fleets: scenario.plan.spec.fleets.iter().map(shown).collect(),
            servers: self.taken.iter().map(|cells| cells.iter().map(digits).collect()).collect(),
            bars,
            stores: names.into_iter().map(state).collect(),
            offered: sum(|calls| calls.offered),
            dropped: sum(|calls| calls.dropped.values().sum()),
        }
    }
}

fn level(cell: &Cell, most: u32) -> u32 {
    if !cell.alive {
        return DEAD;
    }
    let of = u64::from(cell.room.unwrap_or(most).max(1));
    // Rounded up: one call is seen.
    let level = (u64::from(cell.taken) * u64::from(FULL)).div_ceil(of).min(u64::from(FULL)) as u32;
    if cell.in_rotation { level } else { PALE + level }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_empty_full_pale_or_dead() {
        let cell = Cell { fleet: 0, alive: true, in_rotation: true, taken: 0, room: Some(8) };
        let of = |cell: Cell| level(&cell, 100);
        assert_eq!([of(cell), of(Cell { taken: 1, ..cell }), of(Cell { taken: 8, ..cell })], [0, 2, FULL]);
        assert_eq!(of(Cell { taken: 8, in_rotation: false, ..cell }), PALE + FULL);
        assert_eq!(of(Cell { alive: false, ..cell }), DEAD);
        assert_eq!(of(Cell { room: None, taken: 50, ..cell }), FULL / 2);
    }
}
