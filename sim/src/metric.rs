//! Metrics of a run over a window, and evidence compared with them.

use crate::outcome::Evidence;
use crate::run::Run;
use brownout_models::metrics::{self, Metric};
use brownout_models::units::Ns;
use brownout_scenarios::{EvidenceSpec, Observed, Scenario};

/// A share of failing calls from which a step counts as unavailable.
const UNAVAILABLE: f64 = 0.99;
/// A share of dropped calls above which a step counts as a loss of nearly everything.
const NEARLY_ALL: f64 = 0.90;
/// A share of failing calls up to which a step counts as quiet.
const QUIET: f64 = 0.01;

/// A metric's value over a window; none where nothing was offered in it, or nothing of the kind happened.
pub fn value(scenario: &Scenario, run: &Run, subject: &str, metric: &Metric, over: (Ns, Ns)) -> Option<Observed> {
    let populations = metrics::populations(subject, &scenario.plan.spec);
    let counts = |from: Ns, to: Ns| {
        let mut sum = crate::ledger::Counts::default();
        populations.iter().for_each(|p| sum.add(&run.ledger().over(*p, from, to)));
        sum
    };
    let all = counts(over.0, over.1);
    let share = |part: u64| (all.offered > 0).then(|| Observed::Share(part as f64 / all.offered as f64));
    let stretch =
        |test: &dyn Fn(&crate::ledger::Counts) -> bool| longest(run, over, &|from, to| test(&counts(from, to)));
    let rate = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
    match metric.name {
        "offered" => Some(Observed::Count(all.offered as f64)),
        "stored" => Some(Observed::Count((all.stored + all.late) as f64)),
        "dropped" => Some(Observed::Count(all.dropped_total() as f64)),
        "failed" => Some(Observed::Count(all.failed_total() as f64)),
        "dropped_rate" => share(all.dropped_total()),
        "failed_rate" => share(all.failed_total()),
        "latency_mean" => (all.ok > 0).then(|| Observed::Duration(Ns(all.latency_ns / all.ok))),
        "unavailable" => stretch(&|c| c.offered > 0 && rate(c.failed_total(), c.offered) >= UNAVAILABLE)
            .map(|(from, to)| Observed::Interval(from, to)),
        "longest_drop" => {
            let found = stretch(&|c| rate(c.dropped_total(), c.offered) > NEARLY_ALL);
            Some(Observed::Duration(found.map_or(Ns::ZERO, |(from, to)| to.minus(from))))
        }
        "recovery" => recovery(scenario, run, subject).map(Observed::Duration),
        "failing_until" => {
            let failing = |from, to| {
                let c = counts(from, to);
                rate(c.failed_total(), c.offered) > QUIET
            };
            steps(run, over).filter(|(from, to)| failing(*from, *to)).last().map(|(_, to)| Observed::Moment(to))
        }
        "first_ejection" => crate::rotation::first_ejection(run).map(Observed::Duration),
        "downs_mean" => Some(Observed::Count(crate::rotation::downs_mean(run, over))),
        "in_rotation_mean" => Some(Observed::Count(crate::rotation::in_rotation_mean(run, over))),
        other => unreachable!("metric {other} is in the catalogue and has no rule"),
    }
}

/// For how long calls must succeed for the world to count as recovered.
const STEADY: Ns = Ns::secs(60);

/// From the end of the last outage until at least 99% of the calls succeed, and go on doing so for a minute: to the
/// end of the outage, or the beginning of a later step. None without an outage that ends, or if that never happens.
pub fn recovery(scenario: &Scenario, run: &Run, subject: &str) -> Option<Ns> {
    let (_, ended) = crate::rotation::outage(run)?;
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
fn longest(run: &Run, over: (Ns, Ns), test: &dyn Fn(Ns, Ns) -> bool) -> Option<(Ns, Ns)> {
    let mut best: Option<(Ns, Ns)> = None;
    let mut open: Option<(Ns, Ns)> = None;
    for (from, to) in steps(run, over) {
        open = match open {
            Some((began, _)) if test(from, to) => Some((began, to)),
            None if test(from, to) => Some((from, to)),
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
fn number(value: Observed) -> f64 {
    match value {
        Observed::Share(x) | Observed::Count(x) => x,
        Observed::Duration(t) | Observed::Moment(t) | Observed::Interval(t, _) => t.as_secs(),
    }
}

/// Writes a value as a scenario would.
fn show(scenario: &Scenario, value: Observed) -> String {
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
