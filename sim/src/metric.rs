//! Metrics of a run over a window, and evidence compared with them.

use crate::ledger::Counts;
use crate::outcome::Evidence;
use crate::rotation;
use crate::run::{Run, Step};
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
        "latency_p50" => latency(scenario, run, &populations, 0, over),
        "latency_p99" => latency(scenario, run, &populations, 2, over),
        "latency_max" => latency(scenario, run, &populations, 3, over),
        "unavailable" => stretch(&|c| c.offered > 0 && rate(c.failed_total(), c.offered) >= UNAVAILABLE)
            .map(|(from, to)| Observed::Interval(from, to))
            .ok_or(Absent::NotOnce("it was never unavailable")),
        "longest_drop" => {
            let found = stretch(&|c| rate(c.dropped_total(), c.offered) > NEARLY_ALL);
            Ok(Observed::Duration(found.map_or(Ns::ZERO, |(from, to)| to.minus(from))))
        }
        "recovery" => match rotation::cause(run) {
            None => Err(Absent::Nothing("no outage happened")),
            Some((_, None)) => Err(Absent::Nothing("the outage had not ended by the end of the run")),
            Some(_) => recovery(scenario, run, subject).map(Observed::Duration).ok_or(Absent::Never("never recovered")),
        },
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

/// A percentile of the latencies of the populations' kinds, by its place in [`Step::latencies`]; of the worst step.
fn latency(
    scenario: &Scenario,
    run: &Run,
    populations: &[usize],
    which: usize,
    over: (Ns, Ns),
) -> Result<Observed, Absent> {
    let (spec, kinds) = (&scenario.plan.spec, scenario.plan.spec.kinds());
    let asked: Vec<usize> = populations
        .iter()
        .filter_map(|p| kinds.iter().position(|kind| *kind == spec.clients.0[*p].1.sends.text))
        .collect();
    let within = ending_in(run, over).flat_map(|step| asked.iter().filter_map(|kind| step.latencies[*kind]));
    let worst = within.map(|percentiles| percentiles[which]).max_by(f64::total_cmp);
    worst
        .map(|ms| Observed::Duration(Ns::from_secs_f64(ms / 1000.0)))
        .ok_or(Absent::Nothing("no call was answered ok in a step that ends there"))
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
    match name {
        "crashes" => tally(run, over, &|step| step.tallies.crashes[at]).map(count),
        "alive_min" => extreme(run, over, &|step| step.fleets[at].alive as f64, false),
        "accept_queue_max" => extreme(run, over, &|step| step.fleets[at].accept_queue as f64, true),
        "pending_max" => extreme(run, over, &|step| step.fleets[at].pending as f64, true),
        "spooled_max" => {
            let most = whole(run, over).map(|at_step| run.steps[at_step].tallies.spooled_max[at]).max();
            most.map(count).ok_or(NO_STEP)
        }
        other => no_rule(other),
    }
}

fn of_store(run: &Run, store: &str, name: &str, over: (Ns, Ns)) -> Result<Observed, Absent> {
    let spec = &run.world().spec;
    let Some(at) = spec.stores.index(store) else { return Err(Absent::Nothing("there is no such store")) };
    match name {
        "queries" => tally(run, over, &|step| step.tallies.asked[at].0).map(count),
        "connects" => tally(run, over, &|step| step.tallies.asked[at].1).map(count),
        "amplification" => {
            let queries = tally(run, over, &|step| step.tallies.asked[at].0)?;
            let users: Vec<usize> = (0..spec.clients.len()).filter(|p| uses(run, *p, store)).collect();
            let calls: u64 =
                whole(run, over).map(|s| books(run, &users, (run.steps[s].from, run.steps[s].to)).offered).sum();
            match calls {
                0 => Err(Absent::Nothing("no calls that use it were offered")),
                calls => Ok(Observed::Count(queries as f64 / calls as f64)),
            }
        }
        "waiting_max" => extreme(run, over, &|step| step.stores[at].waiting as f64, true),
        "headroom_min" if spec.stores.0[at].1.headroom.is_none() => Err(Absent::Nothing("the store has no headroom")),
        "headroom_min" => extreme(run, over, &|step| step.stores[at].headroom.unwrap_or(f64::INFINITY), false),
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
        "queue_max" => extreme(run, over, &|step| step.balancer_queue as f64, true),
        "kept_max" => extreme(run, over, &|step| step.kept as f64, true),
        other => no_rule(other),
    }
}

const NO_STEP: Absent = Absent::Nothing("no step of the run lies in it");

/// The places of the steps that lie wholly in a window.
fn whole(run: &Run, over: (Ns, Ns)) -> std::ops::Range<usize> {
    let from = run.steps.partition_point(|s| s.from < over.0);
    let to = run.steps.partition_point(|s| s.to <= over.1);
    from..to.max(from)
}

/// How much a total grew over the whole steps of a window.
fn tally(run: &Run, over: (Ns, Ns), total: &dyn Fn(&Step) -> u64) -> Result<u64, Absent> {
    let steps = whole(run, over);
    if steps.is_empty() {
        return Err(NO_STEP);
    }
    let before = steps.start.checked_sub(1).map_or(0, |last| total(&run.steps[last]));
    Ok(total(&run.steps[steps.end - 1]) - before)
}

/// The steps that end in a window, its end included.
fn ending_in(run: &Run, over: (Ns, Ns)) -> impl Iterator<Item = &Step> {
    run.steps.iter().filter(move |s| s.to > over.0 && s.to <= over.1)
}

/// The largest or smallest of what is seen at the ends of steps.
fn extreme(run: &Run, over: (Ns, Ns), seen: &dyn Fn(&Step) -> f64, largest: bool) -> Result<Observed, Absent> {
    let seen = ending_in(run, over).map(seen);
    let found = if largest { seen.max_by(f64::total_cmp) } else { seen.min_by(f64::total_cmp) };
    found.map(Observed::Count).ok_or(NO_STEP)
}

/// For how long calls must succeed for the world to count as recovered.
const STEADY: Ns = Ns::secs(60);

/// From the end of the last outage until at least 99% of the calls succeed, and go on doing so for a minute: to the
/// end of the outage, or the beginning of a later step. None without an outage that ends, or if that never happens.
pub fn recovery(scenario: &Scenario, run: &Run, subject: &str) -> Option<Ns> {
    let (_, ended) = rotation::cause(run)?;
    let ended = ended?;
    let populations = metrics::populations(subject, &scenario.plan.spec);
    let later = run.steps.iter().map(|s| s.from).filter(|from| *from > ended);
    let starts: Vec<Ns> = std::iter::once(ended).chain(later).collect();
    let quiet = |from: Ns, to: Ns| {
        let sums = populations.iter().map(|p| run.ledger().over(*p, from, to));
        let (offered, failed) = sums.fold((0, 0), |(o, f), c| (o + c.offered, f + c.failed_total()));
        failed as f64 <= QUIET * offered as f64
    };
    let mut since = None;
    for (i, from) in starts.iter().enumerate() {
        let to = starts.get(i + 1).copied().unwrap_or(run.at());
        since = if quiet(*from, to) { since.or(Some(*from)) } else { None };
        if let Some(began) = since.filter(|began| to.minus(*began) >= STEADY) {
            return Some(began.minus(ended));
        }
    }
    None
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
