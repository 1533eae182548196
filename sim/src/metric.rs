//! Metrics of a run over a window, and evidence compared with them.
//!
//! A window is a row of whole cells of the books, whose boundaries are at its ends; so no value hangs on the steps of the
//! timeline, except those of the metrics that say so ([`Metric::per_step`]).

use crate::ledger::Counts;
use crate::outcome::Evidence;
use crate::run::Run;
use crate::{processes, rotation};
use brownout_models::level::{FleetPeaks, Peaks};
use brownout_models::metrics::{self, Metric, Subject};
use brownout_models::units::Ns;
use brownout_scenarios::{EvidenceSpec, Observed, Scenario};

/// A share of failing calls from which a step counts as unavailable.
const UNAVAILABLE: f64 = 0.99;
/// A share of dropped calls above which a step counts as a loss of nearly everything.
const NEARLY_ALL: f64 = 0.90;
/// A share of failing calls up to which a step counts as quiet.
const QUIET: f64 = 0.01;

/// Why a metric has no value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Absent {
    /// There was nothing to measure: no calls, no outage.
    Nothing(&'static str),
    /// What it waits for never came: later than any bound.
    Never(&'static str),
    /// What it looks for the end of never began: earlier than any bound.
    NotOnce(&'static str),
}

/// A metric's value over a window; none where nothing was offered in it, or nothing of the kind happened.
pub fn value(scenario: &Scenario, run: &Run, subject: &str, metric: &Metric, over: (Ns, Ns)) -> Option<Observed> {
    measure(scenario, run, subject, metric, over).ok()
}

/// A metric's value over a window.
///
/// # Errors
/// Why it has none.
pub fn measure(
    scenario: &Scenario,
    run: &Run,
    subject: &str,
    metric: &Metric,
    over: (Ns, Ns),
) -> Result<Observed, Absent> {
    let name = subject.split_once('.').map_or("", |(_, name)| name);
    match metric.subject {
        Subject::Calls => of_calls(scenario, run, subject, metric.name, over),
        Subject::Rotation => of_rotation(run, metric.name, over),
        Subject::Fleet => of_fleet(run, name, metric.name, over),
        Subject::Store => of_store(run, name, metric.name, over),
        Subject::Balancer => of_balancer(run, metric.name, over),
        Subject::Ledger => Ok(count(run.ledger().unaccounted(&run.world().alive()))),
    }
}

fn count(n: u64) -> Observed {
    Observed::Count(n as f64)
}

/// A name that the catalogue has and this file does not: a defect that a test finds.
fn no_rule(name: &str) -> ! {
    unreachable!("metric {name} is in the catalogue and has no rule")
}

/// The books of some populations over a window.
fn books(run: &Run, populations: &[usize], (from, to): (Ns, Ns)) -> Counts {
    let mut sum = Counts::default();
    populations.iter().for_each(|p| sum.add(&run.ledger().over(*p, from, to)));
    sum
}

fn rate(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

fn of_calls(scenario: &Scenario, run: &Run, subject: &str, name: &str, over: (Ns, Ns)) -> Result<Observed, Absent> {
    let populations = metrics::populations(subject, &scenario.plan.spec);
    let all = books(run, &populations, over);
    let share = |part: u64| match all.offered {
        0 => Err(Absent::Nothing("no calls were offered")),
        offered => Ok(Observed::Share(part as f64 / offered as f64)),
    };
    let stretch = |test: &dyn Fn(&Counts) -> bool| longest(run, over, &|s| test(&books(run, &populations, s)));
    match name {
        "offered" => Ok(count(all.offered)),
        "stored" => Ok(count(all.stored + all.late)),
        "late" => Ok(count(all.late)),
        "dropped" => Ok(count(all.dropped_total())),
        "failed" => Ok(count(all.failed_total())),
        "lost_after_ok" => Ok(count(all.lost_after_ok)),
        "duplicates" => Ok(count(all.duplicates)),
        "zombies" => Ok(count(all.zombies)),
        "dropped_rate" => share(all.dropped_total()),
        "failed_rate" => share(all.failed_total()),
        "success_rate" => share(all.ok),
        "stored_rate" => share(all.stored + all.late),
        "amplification" => share(0).map(|_| Observed::Count(rate(all.attempts, all.offered))),
        "latency_mean" if all.ok == 0 => Err(Absent::Nothing("no call was answered ok")),
        "latency_mean" => Ok(Observed::Duration(Ns(all.latency_ns / all.ok))),
        "latency_p50" => latency(run, &populations, 0.5, over),
        "latency_p99" => latency(run, &populations, 0.99, over),
        "latency_max" => latency(run, &populations, 1.0, over),
        "unavailable" => stretch(&|c| c.offered > 0 && rate(c.failed_total(), c.offered) >= UNAVAILABLE)
            .map(|(from, to)| Observed::Interval(from, to))
            .ok_or(Absent::NotOnce("it was never unavailable")),
        "longest_drop" => {
            let found = stretch(&|c| rate(c.dropped_total(), c.offered) > NEARLY_ALL);
            Ok(Observed::Duration(found.map_or(Ns::ZERO, |(from, to)| to.minus(from))))
        }
        "recovery" => recovered(run, &populations).map(Observed::Duration),
        "failing_until" => {
            let failing = |step: &(Ns, Ns)| {
                let c = books(run, &populations, *step);
                rate(c.failed_total(), c.offered) > QUIET
            };
            let last = steps(run, over).filter(failing).last();
            last.map(|(_, to)| Observed::Moment(to)).ok_or(Absent::NotOnce("no step failed"))
        }
        other => no_rule(other),
    }
}

/// The latency of calls offered in the window that a share of those answered ok does not exceed.
fn latency(run: &Run, populations: &[usize], share: f64, over: (Ns, Ns)) -> Result<Observed, Absent> {
    let found = run.ledger().latencies(populations, over.0, over.1).quantile(share);
    found.map(|ms| Observed::Duration(Ns::from_secs_f64(ms / 1000.0))).ok_or(Absent::Nothing("no call was answered ok"))
}

fn of_rotation(run: &Run, name: &str, over: (Ns, Ns)) -> Result<Observed, Absent> {
    Ok(match name {
        "first_ejection" if rotation::cause(run).is_none() => return Err(Absent::Nothing("no outage happened")),
        "first_ejection" => {
            Observed::Duration(rotation::first_ejection(run).ok_or(Absent::Never("no server left rotation"))?)
        }
        "downs_mean" => Observed::Count(rotation::downs_mean(run, over)),
        "downs_max" => count(rotation::downs_max(run, over)),
        "flaps_per_hour" => {
            let hours = over.1.minus(over.0).as_secs() / 3600.0;
            Observed::Count(rotation::downs_max(run, over) as f64 / hours)
        }
        "in_rotation_mean" => Observed::Count(rotation::in_rotation_mean(run, over)),
        "fail_open_share" => Observed::Share(rotation::fail_open_share(run, over)),
        "in_rotation_min" => count(rotation::in_rotation_bounds(run, over).0),
        "in_rotation_max" => count(rotation::in_rotation_bounds(run, over).1),
        other => no_rule(other),
    })
}

fn of_fleet(run: &Run, fleet: &str, name: &str, over: (Ns, Ns)) -> Result<Observed, Absent> {
    let Some(at) = run.world().spec.fleets.index(fleet) else { return Err(Absent::Nothing("there is no such fleet")) };
    let most = |of: &dyn Fn(&FleetPeaks) -> u64| peaks(run, over).map(|peaks| count(of(&peaks.fleets[at])));
    match name {
        "crashes" => Ok(count(processes::crashes(run, at, over))),
        "alive_min" => Ok(count(processes::alive_min(run, at, over))),
        "accept_queue_max" => most(&|fleet| fleet.accept_queue),
        "pending_max" => most(&|fleet| fleet.pending),
        "spooled_max" => most(&|fleet| fleet.spooled),
        other => no_rule(other),
    }
}

fn of_store(run: &Run, store: &str, name: &str, over: (Ns, Ns)) -> Result<Observed, Absent> {
    let spec = &run.world().spec;
    let Some(at) = spec.stores.index(store) else { return Err(Absent::Nothing("there is no such store")) };
    let has_headroom = spec.stores.0[at].1.headroom.is_some();
    let found = || peaks(run, over).map(|peaks| peaks.stores[at]);
    match name {
        "queries" => found().map(|store| count(store.queries)),
        "connects" => found().map(|store| count(store.connects)),
        "amplification" => {
            let users: Vec<usize> = (0..spec.clients.len()).filter(|p| uses(run, *p, store)).collect();
            match books(run, &users, over).offered {
                0 => Err(Absent::Nothing("no calls that use it were offered")),
                calls => found().map(|store| Observed::Count(store.queries as f64 / calls as f64)),
            }
        }
        "waiting_max" => found().map(|store| count(store.waiting)),
        "headroom_min" if !has_headroom => Err(Absent::Nothing("the store has no headroom")),
        "headroom_min" => found().map(|store| Observed::Count(store.headroom)),
        other => no_rule(other),
    }
}

/// Whether the calls of a population ask or append to a store.
fn uses(run: &Run, population: usize, store: &str) -> bool {
    let spec = &run.world().spec;
    let kind = &spec.clients.0[population].1.sends.text;
    let plans = spec.fleets.iter().flat_map(|(_, fleet)| fleet.calls.iter().filter(|(name, _)| fleet.is_for(name)));
    let mut named = plans.filter(|(name, _)| name == kind).flat_map(|(_, plan)| [&plan.asks, &plan.appends]);
    named.any(|named| named.as_ref().is_some_and(|name| name.text == store))
}

fn of_balancer(run: &Run, name: &str, over: (Ns, Ns)) -> Result<Observed, Absent> {
    match name {
        "queue_max" => peaks(run, over).map(|peaks| count(peaks.queued)),
        "kept_max" => peaks(run, over).map(|peaks| count(peaks.kept)),
        other => no_rule(other),
    }
}

/// What levels came to in a window.
fn peaks(run: &Run, over: (Ns, Ns)) -> Result<Peaks, Absent> {
    run.world().levels.over(over.0, over.1).ok_or(Absent::Nothing("nothing of the run lies in it"))
}

/// For how long calls must succeed for the world to count as recovered.
const STEADY: Ns = Ns::secs(60);

/// From the end of the last outage until at least 99% of the calls succeed, and go on doing so for a minute: to the
/// end of the outage, or the beginning of a slot after it (`Ledger::recovery`). None without an outage that ends, if that
/// never happens, or if nothing was offered to see it by.
pub fn recovery(scenario: &Scenario, run: &Run, subject: &str) -> Option<Ns> {
    recovered(run, &metrics::populations(subject, &scenario.plan.spec)).ok()
}

fn recovered(run: &Run, populations: &[usize]) -> Result<Ns, Absent> {
    let (_, ended) = rotation::cause(run).ok_or(Absent::Nothing("no outage happened"))?;
    let ended = ended.ok_or(Absent::Nothing("the outage had not ended by the end of the run"))?;
    if books(run, populations, (ended, Ns::NEVER)).offered == 0 {
        return Err(Absent::Nothing("no calls were offered after the outage"));
    }
    let mut since = None;
    for slot in run.ledger().recovery(rotation::outage(run).is_some()).slots(run.at()) {
        let found = books(run, populations, slot);
        let quiet = found.failed_total() as f64 <= QUIET * found.offered as f64;
        since = if quiet { since.or(Some(slot.0)) } else { None };
        if let Some(began) = since.filter(|began| slot.1.minus(*began) >= STEADY) {
            return Ok(began.minus(ended));
        }
    }
    Err(Absent::Never("never recovered"))
}

/// The steps that lie wholly in a window.
fn steps(run: &Run, over: (Ns, Ns)) -> impl Iterator<Item = (Ns, Ns)> {
    run.steps.iter().map(|s| (s.from, s.to)).filter(move |(from, to)| *from >= over.0 && *to <= over.1)
}

/// The longest run of steps in a row that pass a test; the first of equals.
fn longest(run: &Run, over: (Ns, Ns), test: &dyn Fn((Ns, Ns)) -> bool) -> Option<(Ns, Ns)> {
    let mut best: Option<(Ns, Ns)> = None;
    let mut open: Option<(Ns, Ns)> = None;
    for (from, to) in steps(run, over) {
        open = match open {
            Some((began, _)) if test((from, to)) => Some((began, to)),
            None if test((from, to)) => Some((from, to)),
            _ => None,
        };
        if let Some((from, to)) = open
            && best.is_none_or(|(a, b)| to.minus(from) > b.minus(a))
        {
            best = open;
        }
    }
    best
}

/// Compares what was observed with what the run gave.
pub fn compare(scenario: &Scenario, run: &Run, evidence: &EvidenceSpec) -> Evidence {
    let found = metrics::find(&evidence.metric, &scenario.plan.spec);
    let simulated = found.ok().and_then(|(subject, metric)| value(scenario, run, subject, metric, evidence.over));
    let met = simulated.is_some_and(|s| is_met(evidence, s));
    let verdict = match (met, evidence.fitted) {
        (true, false) => "met",
        (true, true) => "fitted",
        (false, false) => "not met",
        (false, true) => "fit missed",
    };
    Evidence {
        id: evidence.id.clone(),
        says: evidence.says.clone(),
        metric: evidence.metric.clone(),
        observed: evidence.shown.clone(),
        simulated: simulated.map_or("nothing".into(), |s| show(scenario, s)),
        value: simulated.map(number),
        verdict: verdict.into(),
    }
}

fn is_met(evidence: &EvidenceSpec, simulated: Observed) -> bool {
    const ROUNDING: f64 = 1e-9;
    let within = |value: f64, low: f64, high: f64| value >= low - ROUNDING && value <= high + ROUNDING;
    match simulated {
        Observed::Interval(from, to) => {
            let near = |at: Ns, expected: f64| (at.as_secs() - expected).abs() <= evidence.tolerance + ROUNDING;
            near(from, evidence.low) && near(to, evidence.high)
        }
        other => within(number(other), evidence.low, evidence.high),
    }
}

/// The bare number: a fraction, a count, or seconds.
pub fn number(value: Observed) -> f64 {
    match value {
        Observed::Share(x) | Observed::Count(x) => x,
        Observed::Duration(t) | Observed::Moment(t) | Observed::Interval(t, _) => t.as_secs(),
    }
}

/// Writes a value as a scenario would.
pub fn show(scenario: &Scenario, value: Observed) -> String {
    let clock = |at| scenario.calendar.clock(at);
    match value {
        Observed::Share(x) => format!("{:.1}%", x * 100.0),
        Observed::Count(x) if x.fract() == 0.0 => format!("{x}"),
        Observed::Count(x) => format!("{x:.2}"),
        Observed::Duration(t) if t > Ns::ZERO && t < Ns::secs(1) => format!("{:.2}ms", t.as_secs() * 1000.0),
        Observed::Duration(t) => t.to_string(),
        Observed::Moment(t) => clock(t),
        Observed::Interval(from, to) => format!("{} to {}", clock(from), clock(to)),
    }
}
