//! Servers in and out of rotation, as figures: of the first fleet of the file, which is the one a scenario is about.

use crate::ledger::Outage;
use crate::outcome::Rotation;
use crate::run::Run;
use brownout_models::component::operator::Entry;
use brownout_models::units::Ns;
use std::collections::BTreeMap;

/// The stretch from the first outage's beginning to the last one's end, as far as the run went.
pub fn outage(run: &Run) -> Option<(Ns, Option<Ns>)> {
    let outages = &run.ledger().outages;
    let first = outages.first()?;
    let ends: Option<Vec<Ns>> = outages.iter().map(|o: &Outage| o.to).collect();
    Some((first.from, ends.and_then(|e| e.into_iter().max())))
}

/// The stretch from the first beginning to the last end of some faults of the timeline, as far as the run went.
pub fn faults(run: &Run, which: &dyn Fn(&Entry) -> bool) -> Option<(Ns, Option<Ns>)> {
    let world = run.world();
    let entries = world.spec.timeline.iter().enumerate().filter(|(_, entry)| which(entry));
    let spells: Vec<_> = entries.flat_map(|(index, _)| world.operators.spells(index)).collect();
    let from = spells.iter().map(|spell| spell.from).min()?;
    let ends: Option<Vec<Ns>> = spells.iter().map(|spell| spell.to).collect();
    Some((from, ends.and_then(|ends| ends.into_iter().max())))
}

/// What went wrong: the outage; where no store left service, the faults.
pub fn cause(run: &Run) -> Option<(Ns, Option<Ns>)> {
    outage(run).or_else(|| faults(run, &|_| true))
}

/// How many servers the first fleet has.
fn watched(run: &Run) -> usize {
    run.world().spec.fleets.0.first().map_or(0, |(_, fleet)| fleet.count as usize)
}

fn changes(run: &Run) -> &[Vec<(Ns, bool)>] {
    &run.ledger().changes[..watched(run)]
}

/// How often each server left rotation in a window.
pub fn downs(run: &Run, over: (Ns, Ns)) -> Vec<u64> {
    let in_window = |(at, up): &&(Ns, bool)| !up && *at >= over.0 && *at < over.1;
    changes(run).iter().map(|changes| changes.iter().filter(in_window).count() as u64).collect()
}

/// From when on how many servers were in rotation, within a window: the first at its start.
fn levels(run: &Run, over: (Ns, Ns)) -> Vec<(Ns, i64)> {
    let all = changes(run);
    let start = if starts_up(run) { all.len() as i64 } else { 0 };
    let mut moves: Vec<(Ns, i64)> =
        all.iter().flatten().map(|(at, up)| (*at, if *up { 1 } else { -1 })).filter(|(at, _)| *at < over.1).collect();
    moves.sort_unstable_by_key(|(at, _)| *at);
    let before = moves.partition_point(|(at, _)| *at <= over.0);
    let mut up = start + moves[..before].iter().map(|(_, by)| by).sum::<i64>();
    let mut levels = vec![(over.0, up)];
    for same in moves[before..].chunk_by(|a, b| a.0 == b.0) {
        up += same.iter().map(|(_, by)| by).sum::<i64>();
        levels.push((same[0].0, up));
    }
    levels
}

/// Fewest and most servers in rotation at any instant of a window.
pub fn in_rotation_bounds(run: &Run, over: (Ns, Ns)) -> (u64, u64) {
    let levels = levels(run, over);
    let up = || levels.iter().map(|(_, up)| (*up).max(0) as u64);
    (up().min().unwrap_or(0), up().max().unwrap_or(0))
}

/// Share of a window in which the balancer gave calls to servers out of rotation, too, for want of others, as it decided
/// itself. 0 for a balancer that does not fail open.
pub fn fail_open_share(run: &Run, over: (Ns, Ns)) -> f64 {
    let Some((from_the_start, turns)) = run.ledger().fails_open.first() else { return 0.0 };
    let length = over.1.minus(over.0).0;
    let open = up_time(turns, over, *from_the_start).0;
    if length > 0 { open as f64 / length as f64 } else { 0.0 }
}

/// Mean number of servers in rotation over a window.
pub fn in_rotation_mean(run: &Run, over: (Ns, Ns)) -> f64 {
    let length = over.1.minus(over.0).as_secs();
    let up_s: f64 = changes(run).iter().map(|c| up_time(c, over, starts_up(run)).as_secs()).sum();
    if length > 0.0 { up_s / length } else { 0.0 }
}

fn starts_up(run: &Run) -> bool {
    let check = &run.world().spec.balancer.health;
    !check.enabled || check.initial == brownout_models::policy::health::Initial::Up
}

/// How long something was so within a window: a server in rotation, given when it entered and left.
fn up_time(changes: &[(Ns, bool)], over: (Ns, Ns), starts_up: bool) -> Ns {
    let clamp = |at: Ns| at.clamp(over.0, over.1);
    let mut total = Ns::ZERO;
    let mut since = starts_up.then_some(Ns::ZERO);
    for (at, up) in changes {
        match (since, up) {
            (Some(began), false) => {
                total = total.plus(clamp(*at).minus(clamp(began)));
                since = None;
            }
            (None, true) => since = Some(*at),
            _ => {}
        }
    }
    match since {
        Some(began) => total.plus(over.1.minus(clamp(began))),
        None => total,
    }
}

/// From the beginning of the outage to the first server that left rotation.
pub fn first_ejection(run: &Run) -> Option<Ns> {
    let (began, _) = cause(run)?;
    let downs = changes(run).iter().flatten().filter(|(at, up)| !up && *at >= began);
    downs.map(|(at, _)| at.minus(began)).min()
}

/// The figures of a run.
pub fn figures(run: &Run) -> Rotation {
    let outage = outage(run);
    let over = outage.map_or((Ns::ZERO, run.at()), |(from, to)| (from, to.unwrap_or(run.at())));
    let names: Vec<String> = run.world().server_names().into_iter().take(watched(run)).collect();
    let (all, downs) = (changes(run), downs(run, over));
    let named = |figure: &dyn Fn(usize) -> u64| -> BTreeMap<String, u64> {
        names.iter().enumerate().map(|(i, name)| (name.clone(), figure(i))).collect()
    };
    Rotation {
        fleet: run.world().spec.fleets.names().next().unwrap_or_default().into(),
        mean_downs: downs.iter().sum::<u64>() as f64 / downs.len().max(1) as f64,
        downs: named(&|i| downs[i]),
        crashes: named(&|i| run.ledger().crashes[i]),
        mean_in_rotation: in_rotation_mean(run, over),
        first_ejection_s: first_ejection(run).map(Ns::as_secs),
        all_up_after_s: cause(run).and_then(|(_, to)| to).and_then(|to| all_up_after(all, to, starts_up(run))),
        changes_s: names
            .iter()
            .zip(all)
            .map(|(name, changes)| (name.clone(), changes.iter().map(|(at, _)| at.as_secs()).collect()))
            .collect(),
        starts_up: starts_up(run),
        servers: names,
    }
}

/// Seconds from `from` until every server was up to the end; none if one is still down at the end.
fn all_up_after(all: &[Vec<(Ns, bool)>], from: Ns, starts_up: bool) -> Option<f64> {
    if all.iter().any(|c| !c.last().map_or(starts_up, |(_, up)| *up)) {
        return None;
    }
    let last = all.iter().flatten().map(|(at, _)| *at).max().unwrap_or(from);
    Some(last.minus(from).as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_in_rotation_is_counted_within_the_window_only() {
        let changes = [(Ns(10), false), (Ns(30), true), (Ns(50), false)];
        assert_eq!(up_time(&changes, (Ns(0), Ns(100)), true), Ns(30));
        assert_eq!(up_time(&changes, (Ns(20), Ns(40)), true), Ns(10));
        assert_eq!(up_time(&changes, (Ns(60), Ns(70)), true), Ns(0));
        assert_eq!(up_time(&[], (Ns(60), Ns(70)), true), Ns(10));
        assert_eq!(up_time(&[(Ns(65), true)], (Ns(60), Ns(70)), false), Ns(5));
    }

    #[test]
    fn everything_is_up_when_the_last_server_came_back_and_never_if_one_did_not() {
        let back = vec![(Ns::secs(1), false), (Ns::secs(9), true)];
        assert_eq!(all_up_after(&[back.clone(), vec![]], Ns::secs(5), true), Some(4.0));
        assert_eq!(all_up_after(&[vec![]], Ns::secs(5), true), Some(0.0));
        assert_eq!(all_up_after(&[back, vec![(Ns::secs(1), false)]], Ns::secs(5), true), None);
    }
}
