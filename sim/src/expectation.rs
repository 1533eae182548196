//! Whether a run meets what its scenario expects.
//!
//! A window is cut into parts: the steps of the run, cut again where the window begins or ends within one. `always` must hold
//! in each part, `eventually` in all from some part on, `sometimes` in one. A part without calls has no value and is passed
//! over. An expectation that had nothing to judge is *vacuous*: it neither holds nor fails, and is no pass.
//!
//! Only verdicts come from here; what becomes of them (exit codes, `sometimes` over several runs) is decided by who asks.

use crate::metric;
use crate::outcome::{Standing, Verdict};
use crate::rotation;
use crate::run::Run;
use brownout_models::component::operator::{Action, Entry};
use brownout_models::metrics::{self, Absent, Found, Scope};
use brownout_models::units::Ns;
use brownout_scenarios::{Condition, Expect, ExpectKind, Happening, Scenario, Stretch};

/// Judges the expectations that are for the design in force, in the order of the file.
pub fn evaluate(scenario: &Scenario, run: &Run) -> Vec<Verdict> {
    scenario.expect.iter().filter(|e| e.applies).map(|e| Judge { scenario, run, expect: e }.verdict()).collect()
}

/// The first fault of the timeline that changed nothing: it missed its target, met no load, or never began.
pub fn idle_fault(run: &Run) -> Option<String> {
    let world = run.world();
    world.spec.timeline.iter().zip(&world.effects.0).find_map(|(entry, effects)| match &entry.action {
        Action::Fault(fault, _) if entry.enabled && *effects == 0 => Some(fault.describe()),
        _ => None,
    })
}

/// The value of one part of a window.
struct Part {
    from: Ns,
    value: f64,
    /// The value in words.
    shown: String,
    holds: bool,
}

struct Judge<'a> {
    scenario: &'a Scenario,
    run: &'a Run,
    expect: &'a Expect,
}

impl Judge<'_> {
    fn verdict(&self) -> Verdict {
        let verdict = match self.parts() {
            Ok(parts) => match self.expect.kind {
                ExpectKind::Always => self.always(&parts),
                ExpectKind::Eventually => self.eventually(&parts),
                ExpectKind::Sometimes => self.sometimes(&parts),
            },
            Err(why) => self.blank(Standing::Vacuous, why),
        };
        let (at, span) = (self.run.at(), self.scenario.span);
        if at < span && verdict.standing == Standing::Holds && self.expect.kind != ExpectKind::Sometimes {
            return self.blank(Standing::Vacuous, format!("the run ended early, at {}", self.clock(at)));
        }
        match idle_fault(self.run) {
            Some(fault) if verdict.standing == Standing::Holds => {
                let why = format!("the fault `{fault}` of the timeline never took effect; else: {}", verdict.why);
                Verdict { standing: Standing::Vacuous, why, ..verdict }
            }
            _ => verdict,
        }
    }

    fn condition(&self) -> &Condition {
        &self.expect.condition
    }

    fn limit(&self) -> f64 {
        self.condition().limit.number()
    }

    fn clock(&self, at: Ns) -> String {
        self.scenario.calendar.clock(at)
    }

    fn blank(&self, standing: Standing, why: impl Into<String>) -> Verdict {
        Verdict {
            kind: self.expect.kind.word().into(),
            condition: self.expect.text.clone(),
            says: self.expect.says.clone(),
            line: self.expect.line as u64,
            standing,
            limit: self.limit(),
            why: why.into(),
            ..Verdict::default()
        }
    }

    /// A verdict about some parts: `decisive` is the value that decided, `at` when it did.
    fn decided(
        &self,
        standing: Standing,
        parts: &[Part],
        decisive: Option<&Part>,
        at: Option<Ns>,
        why: String,
    ) -> Verdict {
        let value = decisive.map(|part| part.value).filter(|value| value.is_finite());
        Verdict {
            value,
            excess: value.map(|value| self.condition().compare.excess(value, self.limit())),
            at_s: at.map(Ns::as_secs),
            at: at.map(|at| self.clock(at)),
            parts: parts.len() as u64,
            failing: parts.iter().filter(|part| !part.holds).count() as u64,
            ..self.blank(standing, why)
        }
    }

    /// "25% at 12:04", or "25%" of a window taken as one.
    fn seen(&self, part: &Part) -> String {
        match self.condition().whole {
            true => part.shown.clone(),
            false => format!("{} at {}", part.shown, self.clock(part.from)),
        }
    }

    fn always(&self, parts: &[Part]) -> Verdict {
        let Some(worst) = self.extreme(parts, true) else { return self.blank(Standing::Vacuous, "nothing to judge") };
        let failing: Vec<&Part> = parts.iter().filter(|part| !part.holds).collect();
        let Some(first) = failing.first() else {
            let word = if self.condition().whole { "" } else { "at worst " };
            let why = format!("{word}{}", self.seen(worst));
            return self.decided(Standing::Holds, parts, Some(worst), None, why);
        };
        let why = match (self.condition().whole, parts.len()) {
            (true, _) => self.seen(worst),
            (false, 1) => self.seen(worst),
            (false, all) => {
                let since =
                    if failing.len() > 1 { format!(", first at {}", self.clock(first.from)) } else { String::new() };
                format!("{}; fails in {} of {all} steps{since}", self.seen(worst), failing.len())
            }
        };
        self.decided(Standing::Violated, parts, Some(worst), Some(first.from), why)
    }

    fn eventually(&self, parts: &[Part]) -> Verdict {
        let last = parts.iter().rposition(|part| !part.holds);
        let failing = last.map(|last| &parts[last]);
        match (last, parts.get(last.map_or(0, |last| last + 1))) {
            (_, Some(since)) => {
                let why = format!("from {} on", self.clock(since.from));
                self.decided(Standing::Holds, parts, failing.or(parts.last()), Some(since.from), why)
            }
            (Some(last), None) => {
                let why = format!("still {}, the last step of the window", self.seen(&parts[last]));
                self.decided(Standing::Violated, parts, failing, None, why)
            }
            (None, None) => self.blank(Standing::Vacuous, "nothing to judge"),
        }
    }

    fn sometimes(&self, parts: &[Part]) -> Verdict {
        if let Some(first) = parts.iter().find(|part| part.holds) {
            return self.decided(Standing::Holds, parts, Some(first), Some(first.from), self.seen(first));
        }
        let nearest = self.extreme(parts, false);
        let why = nearest.map_or("never seen".into(), |part| format!("never seen; nearest {}", self.seen(part)));
        self.decided(Standing::Vacuous, parts, nearest, None, why)
    }

    /// The part farthest on the wrong side of the limit, or nearest to the right one; the first of equals.
    fn extreme<'p>(&self, parts: &'p [Part], worst: bool) -> Option<&'p Part> {
        let excess = |part: &Part| self.condition().compare.excess(part.value, self.limit());
        let mut found: Option<&Part> = None;
        for part in parts {
            let further =
                found.is_none_or(|best| (excess(part) > excess(best)) == worst && excess(part) != excess(best));
            if further {
                found = Some(part);
            }
        }
        found
    }

    /// The parts of the window that have a value.
    ///
    /// Why there are none.
    fn parts(&self) -> Result<Vec<Part>, String> {
        let window = self.window()?;
        let spans = if self.condition().whole { vec![window] } else { self.steps(window) };
        if spans.is_empty() {
            return Err("its window is shorter than a step of the run".into());
        }
        let mut parts = Vec::new();
        let mut nothing = None;
        for span in spans {
            match self.part(span) {
                Ok(part) => parts.push(part),
                Err(why) => nothing = Some(why),
            }
        }
        match nothing {
            Some(why) if parts.is_empty() && self.condition().metric.scope == Scope::Run => Err(why),
            Some(why) if parts.is_empty() => Err(format!("{why} in its window")),
            _ => Ok(parts),
        }
    }

    fn part(&self, span: (Ns, Ns)) -> Result<Part, String> {
        let condition = self.condition();
        let (value, shown) = match self.measure(span) {
            Ok(measured) => (measured.number(), metric::show(self.scenario, measured)),
            Err(Absent::Never(why)) => (f64::INFINITY, why.to_string()),
            Err(Absent::NotOnce(why)) => (f64::NEG_INFINITY, why.to_string()),
            Err(Absent::Nothing(why)) => return Err(why.to_string()),
        };
        Ok(Part { from: span.0, value, shown, holds: condition.compare.holds(value, self.limit()) })
    }

    fn measure(&self, span: (Ns, Ns)) -> Found {
        let Condition { subject, metric, .. } = self.condition();
        // Nothing can be dropped of nothing: a count of 0 would pass for a merit.
        if metric.needs_calls && metrics::offered(self.run, subject, span) == 0 {
            return Err(Absent::Nothing("no calls were offered"));
        }
        metric.measure(self.run, subject, span)
    }

    /// The window, its ends moved inwards to where the books have a boundary.
    fn window(&self) -> Result<(Ns, Ns), String> {
        let end = self.run.at();
        let (from, to) = match &self.condition().stretch {
            Stretch::Fixed(from, to) => (*from, (*to).min(end)),
            Stretch::During(what) => {
                let (from, to) = self.happening(what)?;
                (from, to.unwrap_or(end))
            }
            Stretch::Before(what) => (Ns::ZERO, self.happening(what)?.0),
            Stretch::After(what, from, to) => {
                let (_, ended) = self.happening(what)?;
                let ended = ended.ok_or_else(|| format!("{} had not ended by the end of the run", said(what)))?;
                (ended.plus(*from), ended.plus(*to).min(end))
            }
        };
        let books = self.run.ledger();
        let from = books.boundary_from(from).unwrap_or(end).min(end);
        let to = if to >= end { end } else { books.boundary_to(to) };
        if from >= to { Err("nothing of the run lies in its window".into()) } else { Ok((from, to)) }
    }

    fn happening(&self, what: &Happening) -> Result<(Ns, Option<Ns>), String> {
        match what {
            Happening::Outage => rotation::outage(self.run).ok_or_else(|| "no outage happened".to_string()),
            Happening::Faults => rotation::faults(self.run, &|_| true).ok_or_else(|| "no fault began".to_string()),
            Happening::Fault(id) => {
                let named = |entry: &Entry| entry.id.as_ref().is_some_and(|name| name.text == *id);
                rotation::faults(self.run, &named).ok_or_else(|| format!("the fault `{id}` never began"))
            }
        }
    }

    /// The steps of a window, those at its ends cut.
    fn steps(&self, (from, to): (Ns, Ns)) -> Vec<(Ns, Ns)> {
        let cut = self.run.steps.iter().map(|step| (step.from.max(from), step.to.min(to)));
        cut.filter(|(from, to)| from < to).collect()
    }
}

fn said(what: &Happening) -> String {
    match what {
        Happening::Outage => "the outage".into(),
        Happening::Faults => "the last fault".into(),
        Happening::Fault(id) => format!("the fault `{id}`"),
    }
}
