//! Processes of a fleet, by when they died and started.

use crate::run::Run;
use brownout_models::units::Ns;

/// When processes of a fleet died (false) and started, in order.
fn turns(run: &Run, fleet: usize) -> impl Iterator<Item = (Ns, bool)> + '_ {
    let of_fleet = move |server: u32| run.world().servers[server as usize].fleet as usize == fleet;
    let turns = run.ledger().processes.iter().filter(move |(_, server, _)| of_fleet(*server));
    turns.map(|(at, _, alive)| (*at, *alive))
}

/// How many processes of a fleet died in a window.
pub(crate) fn crashes(run: &Run, fleet: usize, over: (Ns, Ns)) -> u64 {
    turns(run, fleet).filter(|(at, alive)| !alive && *at >= over.0 && *at < over.1).count() as u64
}

/// Fewest processes of a fleet alive at any instant of a window.
pub(crate) fn alive_min(run: &Run, fleet: usize, over: (Ns, Ns)) -> u64 {
    fewest(u64::from(run.world().spec.fleets.0[fleet].1.count), turns(run, fleet), over)
}

/// The least of a number that starts as `start` and turns up (true) or down by one, over a window.
fn fewest(start: u64, turns: impl Iterator<Item = (Ns, bool)>, (from, to): (Ns, Ns)) -> u64 {
    let (mut now, mut since, mut least) = (start, Ns::ZERO, u64::MAX);
    for (at, up) in turns.take_while(|(at, _)| *at < to) {
        // What it was until now, if that was in the window; not what it was for no time.
        if at > since && at > from {
            least = least.min(now);
        }
        (now, since) = (if up { now + 1 } else { now.saturating_sub(1) }, at);
    }
    least.min(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_counts_within_the_window_and_not_what_lasts_no_time() {
        let turns = [(10, false), (20, false), (20, true), (30, true), (40, false), (50, true)];
        let least = |from, to| fewest(2, turns.iter().map(|(at, up)| (Ns(*at), *up)), (Ns(from), Ns(to)));
        assert_eq!([least(0, 10), least(0, 11), least(15, 25), least(30, 40), least(30, 41)], [2, 1, 1, 2, 1]);
        // Alive again at the very beginning of the window.
        assert_eq!([least(50, 60), least(49, 60), least(60, 90)], [2, 1, 2]);
    }
}
