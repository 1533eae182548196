//! From a run to its outcome.

use crate::ledger::{Counts, Entry, Imbalance};
use crate::metric;
use crate::outcome::{
    Assumption, FaultSpell, FaultTotals, FleetTotals, Mark, Meta, OutageSpan, Outcome, Percentiles, Phase, Phases,
    Span, Step, StepCalls, StoreTotals, Timeline, Totals, VERSION, Warning,
};
use crate::rotation;
use crate::run::{Ended, Orders, Run, halted};
use brownout_models::component::operator::{Action, Spell};
use brownout_models::ledger::{Cause, Seen};
use brownout_models::metrics::{self, populations};
use brownout_models::units::Ns;
use brownout_scenarios::{Notice, Scenario, Stretch};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

/// What a scenario asks of a run.
pub fn orders(scenario: &Scenario, seed: u64) -> Orders {
    let mut boundaries = vec![scenario.window.0, scenario.window.1];
    boundaries.extend(scenario.evidence.iter().flat_map(|e| [e.over.0, e.over.1]));
    let mut after = Vec::new();
    for expect in &scenario.expect {
        match expect.condition.stretch {
            Stretch::Fixed(from, to) => boundaries.extend([from, to]),
            Stretch::After(_, from, to) => after.extend([from, to]),
            Stretch::During(_) | Stretch::Before(_) => {}
        }
    }
    after.sort_unstable();
    after.dedup();
    Orders {
        seed,
        step: scenario.step,
        boundaries,
        after,
        event_limit: scenario.limits.events,
        memory_limit: scenario.limits.memory.map(|most| most.0),
        keep_facts: false,
        lose_a_call: false,
    }
}

/// Runs a scenario under a seed. `stop` ends it early with what is done; `progress` hears the share done.
///
/// # Errors
/// [`Imbalance`] if the ledger does not balance: a bug in Brownout.
pub fn simulate(
    scenario: &Scenario,
    seed: u64,
    stop: Option<&AtomicBool>,
    progress: &mut dyn FnMut(f64),
) -> Result<Outcome, Imbalance> {
    simulate_as(scenario, orders(scenario, seed), stop, progress)
}

/// As [`simulate`], with orders of one's own.
///
/// # Errors
/// [`Imbalance`] if the ledger does not balance.
pub fn simulate_as(
    scenario: &Scenario,
    orders: Orders,
    stop: Option<&AtomicBool>,
    progress: &mut dyn FnMut(f64),
) -> Result<Outcome, Imbalance> {
    let seed = orders.seed;
    let mut run = Run::new(&scenario.plan, orders);
    let ended = run.finish(stop, progress)?;
    Ok(write_up(scenario, seed, &run, ended))
}

/// Puts a run into words and figures. `meta.wall_s` is left to a caller that has a clock.
pub fn write_up(scenario: &Scenario, seed: u64, run: &Run, ended: Ended) -> Outcome {
    Outcome {
        version: VERSION,
        scenario: scenario.name.clone(),
        title: scenario.title.clone(),
        design: scenario.design.clone(),
        asked: scenario.asked.clone(),
        set: scenario.set.clone(),
        runtime: "kernel".into(),
        options: scenario.options.clone(),
        seed,
        digest: format!("{:016x}", run.ledger().digest()),
        span: span(scenario),
        ended: match ended.limit() {
            Some((what, key)) => {
                format!("{what} at {}; `{key}` in the scenario raises it", scenario.calendar.clock(run.at()))
            }
            None if ended == Ended::Complete => "complete".into(),
            None => format!("interrupted at {}", scenario.calendar.clock(run.at())),
        },
        calls: subjects(scenario)
            .into_iter()
            .map(|s| (s.clone(), totals(scenario, run, &s, scenario.window)))
            .collect(),
        edges: crate::edges::totals(run, scenario.window),
        phases: phases(scenario, run),
        recovery_s: metrics::recovery(run, "all").map(Ns::as_secs),
        rotation: rotation::figures(run),
        fleets: fleet_totals(run),
        stores: store_totals(run),
        outages: outages(run),
        faults: faults(run),
        events: marks(scenario, run),
        timeline: timeline(scenario, run),
        evidence: scenario.evidence.iter().map(|e| metric::compare(scenario, run, e)).collect(),
        expectations: crate::expectation::evaluate(scenario, run),
        warnings: warnings(scenario),
        assumptions: assumptions(scenario),
        meta: Meta {
            brownout: env!("CARGO_PKG_VERSION").into(),
            events: run.events,
            calls: run.ledger().offered(),
            wall_s: 0.0,
            calls_alive_max: run.alive_max,
        },
    }
}

fn span(scenario: &Scenario) -> Span {
    let calendar = &scenario.calendar;
    Span {
        from: calendar.wall(Ns::ZERO),
        to: calendar.wall(scenario.span),
        zone: calendar.zone().into(),
        zone_abbreviation: calendar.zone_abbreviation(),
        from_time_of_day_s: calendar.time_of_day_s(Ns::ZERO),
        length_s: scenario.span.as_secs(),
        window_from_s: scenario.window.0.as_secs(),
        window_to_s: scenario.window.1.as_secs(),
    }
}

/// The kinds of call and, where a kind has several populations, those.
fn subjects(scenario: &Scenario) -> Vec<String> {
    let spec = &scenario.plan.spec;
    let mut out = Vec::new();
    for kind in spec.kinds() {
        out.push(kind.to_string());
        let names: Vec<_> = spec.clients.iter().filter(|(_, c)| c.sends.text == kind).map(|(name, _)| name).collect();
        if names.len() > 1 {
            out.extend(names.iter().map(|name| format!("{kind}.{name}")));
        }
    }
    out
}

fn counts(scenario: &Scenario, run: &Run, subject: &str, over: (Ns, Ns)) -> Counts {
    let mut sum = Counts::default();
    populations(subject, &scenario.plan.spec).iter().for_each(|p| sum.add(&run.ledger().over(*p, over.0, over.1)));
    sum
}

/// Latencies of the calls of a subject that were offered in a window: median, 90th and 99th percentile, largest.
fn latency_ms(scenario: &Scenario, run: &Run, subject: &str, over: (Ns, Ns)) -> Option<Percentiles> {
    let populations = populations(subject, &scenario.plan.spec);
    let found = run.ledger().latencies(&populations, over.0, over.1).percentiles();
    found.map(|[p50, p90, p99, max]| Percentiles { p50, p90, p99, max })
}

fn named_causes(dropped: &[u64; Cause::ALL.len()]) -> BTreeMap<String, u64> {
    let named = Cause::ALL.iter().zip(dropped);
    named.filter(|(_, n)| **n > 0).map(|(cause, n)| (cause.word().to_string(), *n)).collect()
}

fn totals(scenario: &Scenario, run: &Run, subject: &str, over: (Ns, Ns)) -> Totals {
    let c = counts(scenario, run, subject, over);
    let (dropped, failed) = (c.dropped_total(), c.failed_total());
    let rate = |part: u64| if c.offered == 0 { 0.0 } else { part as f64 / c.offered as f64 };
    let seen = Seen::ALL.iter().zip(c.failed);
    Totals {
        offered: c.offered,
        stored: c.stored,
        late: c.late,
        dropped,
        in_flight: c.offered - c.stored - c.late - dropped,
        ok: c.ok,
        failed,
        waiting: c.offered - c.ok - failed,
        duplicates: c.duplicates,
        zombies: c.zombies,
        lost_after_ok: c.lost_after_ok,
        attempts: c.attempts,
        dropped_rate: rate(dropped),
        failed_rate: rate(failed),
        causes: named_causes(&c.dropped),
        seen: seen.filter(|(_, n)| *n > 0).map(|(seen, n)| (seen.word().to_string(), n)).collect(),
        latency_mean_ms: (c.ok > 0).then(|| c.latency_ns as f64 / c.ok as f64 / 1e6),
        latency_ms: latency_ms(scenario, run, subject, over),
    }
}

/// Before, during and after what went wrong, as far as they take time; the whole run if nothing did.
pub(crate) fn stretches(run: &Run) -> Vec<(&'static str, (Ns, Ns))> {
    let end = run.at();
    let all = match rotation::cause(run) {
        None => return vec![("run", (Ns::ZERO, end))],
        Some((from, to)) => {
            let ended = to.unwrap_or(end);
            [("before", (Ns::ZERO, from)), ("during", (from, ended)), ("after", (ended, end))]
        }
    };
    all.into_iter().filter(|(_, (from, to))| from < to).collect()
}

/// Before, during and after what went wrong.
fn phases(scenario: &Scenario, run: &Run) -> Phases {
    let (end, cause) = (run.at(), rotation::cause(run));
    let stretches = stretches(run);
    let of_kind = |kind: &str| {
        let phase = |(name, over): &(&str, (Ns, Ns))| {
            // What is offered at the very end belongs to the last phase.
            let c = counts(scenario, run, kind, (over.0, if over.1 == end { Ns::NEVER } else { over.1 }));
            Phase {
                phase: (*name).into(),
                from_s: over.0.as_secs(),
                to_s: over.1.as_secs(),
                offered: c.offered,
                stored: c.stored + c.late,
                dropped: c.dropped_total(),
                failed: c.failed_total(),
                latency_ms: latency_ms(scenario, run, kind, *over),
            }
        };
        stretches.iter().map(phase).collect()
    };
    Phases {
        of: match cause {
            None => "nothing".into(),
            Some(_) if rotation::outage(run).is_some() => "outage".into(),
            Some(_) => "faults".into(),
        },
        from_s: cause.map(|(from, _)| from.as_secs()),
        to_s: cause.and_then(|(_, to)| to).map(Ns::as_secs),
        calls: scenario.plan.spec.kinds().into_iter().map(|kind| (kind.to_string(), of_kind(kind))).collect(),
    }
}

fn fleet_totals(run: &Run) -> BTreeMap<String, FleetTotals> {
    let world = run.world();
    let mut totals: Vec<FleetTotals> = vec![FleetTotals::default(); world.spec.fleets.len()];
    for (server, crashes) in world.servers.iter().zip(&run.ledger().crashes) {
        let fleet = &mut totals[server.fleet as usize];
        fleet.servers += 1;
        fleet.crashes += crashes;
    }
    world.spec.fleets.names().map(str::to_string).zip(totals).collect()
}

fn store_totals(run: &Run) -> BTreeMap<String, StoreTotals> {
    let world = run.world();
    let totals = world.stores.iter().map(|s| {
        let lookups = s.lookups();
        StoreTotals {
            queries: s.queries,
            connects: s.connects,
            lookups: lookups.map(|(all, _)| all),
            hits: lookups.map(|(_, hits)| hits),
        }
    });
    world.spec.stores.names().map(str::to_string).zip(totals).collect()
}

/// What happened in a run beside its calls.
pub(crate) fn happenings(scenario: &Scenario, run: &Run) -> (Vec<OutageSpan>, Vec<FaultTotals>, Vec<Mark>) {
    (outages(run), faults(run), marks(scenario, run))
}

fn outages(run: &Run) -> Vec<OutageSpan> {
    let names: Vec<_> = run.world().spec.stores.names().collect();
    let spans = run.ledger().outages.iter().map(|o| OutageSpan {
        store: names[o.store as usize].into(),
        mode: o.mode.clone(),
        from_s: o.from.as_secs(),
        to_s: o.to.map(Ns::as_secs),
    });
    spans.collect()
}

fn faults(run: &Run) -> Vec<FaultTotals> {
    let world = run.world();
    let totals = world.spec.timeline.iter().enumerate().filter_map(|(index, entry)| {
        let Action::Fault(fault, _) = &entry.action else { return None };
        let spell = |s: &Spell| FaultSpell { from_s: s.from.as_secs(), to_s: s.to.map(Ns::as_secs) };
        let spells: Vec<FaultSpell> = world.operators.spells(index).iter().map(spell).collect();
        let ends = spells.iter().map(|spell| spell.to_s).collect::<Option<Vec<f64>>>();
        Some(FaultTotals {
            entry: index as u64,
            id: entry.id.as_ref().map(|id| id.text.clone()),
            kind: fault.word().into(),
            what: fault.describe(),
            from_s: spells.first().map(|spell| spell.from_s),
            to_s: ends.and_then(|ends| ends.into_iter().reduce(f64::max)),
            spells,
            effects: world.effects.0[index],
            counts: fault.kind().counts.into(),
        })
    });
    totals.collect()
}

fn marks(scenario: &Scenario, run: &Run) -> Vec<Mark> {
    let clock = |at| scenario.calendar.clock(at);
    let marks = run.ledger().marks.iter().map(|m| Mark {
        at_s: m.at.as_secs(),
        at: clock(m.at),
        what: m.what.clone(),
        expected_at: m.expected.map(clock),
    });
    marks.collect()
}

fn timeline(scenario: &Scenario, run: &Run) -> Timeline {
    let kinds = scenario.plan.spec.kinds();
    let steps = run.steps.iter().map(|s| {
        let calls = kinds.iter().map(|kind| {
            let c = counts(scenario, run, kind, (s.from, s.to));
            let latency_ms = latency_ms(scenario, run, kind, (s.from, s.to));
            let step = StepCalls {
                offered: c.offered,
                dropped: named_causes(&c.dropped),
                failed: c.failed_total(),
                late: c.late,
                latency_ms,
            };
            (kind.to_string(), step)
        });
        let stores = scenario.plan.spec.stores.names().zip(&s.stores);
        let fleets = scenario.plan.spec.fleets.names().zip(&s.fleets);
        Step {
            t_s: s.from.as_secs(),
            at: scenario.calendar.clock(s.from),
            calls: calls.collect(),
            in_rotation: s.in_rotation,
            stores: stores.map(|(name, gauge)| (name.to_string(), gauge.clone())).collect(),
            balancer_queue: s.balancer_queue,
            kept: s.kept,
            fleets: fleets.map(|(name, gauge)| (name.to_string(), gauge.clone())).collect(),
        }
    });
    Timeline { step_s: scenario.step.as_secs(), steps: steps.collect() }
}

fn warnings(scenario: &Scenario) -> Vec<Warning> {
    let all = scenario.warnings.notices().into_iter();
    all.map(|Notice { message, help, source, line, column }| Warning { message, help, source, line, column }).collect()
}

fn assumptions(scenario: &Scenario) -> Vec<Assumption> {
    let all = scenario.provenance.iter().map(|p| Assumption {
        path: p.path.clone(),
        value: p.value.clone(),
        mark: p.mark.clone(),
        why: p.why.clone(),
        range: p.range.clone(),
    });
    all.collect()
}

/// Two runs of one scenario side by side, to see whether they are the same.
pub struct Twins {
    first: Run,
    second: Run,
}

impl Twins {
    /// The same scenario under two seeds; equal ones to check determinism.
    pub fn new(scenario: &Scenario, seeds: (u64, u64)) -> Twins {
        let run = |seed| Run::new(&scenario.plan, orders(scenario, seed).keeping_facts(scenario.plan.end));
        Twins { first: run(seeds.0), second: run(seeds.1) }
    }
}

/// What two runs come to side by side.
#[derive(Clone, PartialEq, Debug)]
pub enum Compared {
    /// They record the same facts until they end so: only [`Ended::Complete`] is all of them.
    Same(Ended),
    /// They differ, and this is the first fact in which they do.
    Different(String),
}

/// Runs both to the end, or until `stop` is set, step by step, and describes the first fact in which they differ.
///
/// # Errors
/// [`Imbalance`] if a ledger does not balance.
pub fn difference(twins: &mut Twins, stop: Option<&AtomicBool>) -> Result<Compared, Imbalance> {
    let halted = halted(stop);
    loop {
        let ended = (twins.first.step_unless(&halted)?, twins.second.step_unless(&halted)?);
        // Within a step they are not broken off at the same fact.
        if halted() {
            return Ok(Compared::Same(Ended::Interrupted));
        }
        if let (Some(a), Some(b)) = (twins.first.steps.last(), twins.second.steps.last())
            && (a != b || ended.0 != ended.1)
        {
            let kept = |run: &Run| run.ledger().kept.clone().unwrap_or_default();
            let (mine, theirs): (Vec<Entry>, Vec<Entry>) = (kept(&twins.first), kept(&twins.second));
            let at = mine.iter().zip(&theirs).position(|(x, y)| x != y).unwrap_or(mine.len().min(theirs.len()));
            let show =
                |facts: &[Entry]| facts.get(at).map_or("nothing more".into(), |e| format!("{:?} at {}", e.fact, e.at));
            return Ok(Compared::Different(format!(
                "in the step from {} to {}: the first run has {}, the second {}",
                a.from,
                a.to,
                show(&mine),
                show(&theirs)
            )));
        }
        if let Some(ended) = ended.0 {
            return Ok(Compared::Same(ended));
        }
    }
}
