//! Drawing schedules: swarm style, within a budget, each a pure function of (seed, number of the draw).
//!
//! Faults that are all equally likely, all moderate and all together hide each other. So each draw first decides which
//! kinds take part at all (each by the toss of a coin), how many faults there are, and whether severities lie anywhere, at
//! the mild end or at the extreme; only then are the faults drawn.

use crate::knob::{figures, length};
use crate::schedule::{Fault, Onset, Repeat, Schedule, Severity};
use crate::vocabulary::{Kind, Target, Vocabulary};
use brownout_models::fault::Course;
use brownout_models::random::Stream;
use brownout_models::units::Ns;

/// How much a schedule may ask of a world.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Budget {
    /// Most faults of a schedule.
    pub faults: usize,
    /// The worst severity, from 0 (mild) to 1 (extreme).
    pub severity: f64,
    /// The shortest fault.
    pub shortest: Ns,
    /// The longest.
    pub longest: Ns,
    /// When the first may begin.
    pub from: Ns,
    /// When the last must have ended.
    pub to: Ns,
}

impl Budget {
    /// Up to four faults as bad as can be, each of a second up to a third of the run, the run's first tenth and last
    /// quarter left quiet: to begin in order, and to recover.
    pub fn of(span: Ns) -> Budget {
        let part = |share: f64| Ns::secs((span.as_secs() * share) as u64);
        Budget {
            faults: 4,
            severity: 1.0,
            shortest: Ns::secs(1).min(span.scaled(0.1)),
            longest: part(1.0 / 3.0).max(Ns::secs(1)),
            from: part(0.1),
            to: span.minus(part(0.25)),
        }
    }
}

/// Where the severities of one draw lie.
#[derive(Clone, Copy)]
enum Temper {
    Anywhere,
    Extreme,
    Mild,
}

/// Random choices from a stream.
pub struct Rng(pub Stream);

impl Rng {
    /// The random numbers of one draw.
    pub fn new(seed: u64, draw: u64) -> Rng {
        Rng(Stream::new(seed, &format!("hunt/{draw}")))
    }

    fn below(&mut self, n: usize) -> usize {
        // Half open towards 1, so that the product stays below n.
        (((1.0 - self.0.unit()) * n as f64) as usize).min(n - 1)
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn unit(&mut self) -> f64 {
        1.0 - self.0.unit()
    }

    /// A seed for a run; small, so that it reads well.
    pub fn seed(&mut self) -> u64 {
        1 + self.0.bits() % 9999
    }
}

/// The schedule of a seed.
pub fn draw_schedule(vocabulary: &Vocabulary, budget: &Budget, seed: u64) -> Schedule {
    schedule(vocabulary, budget, &mut Rng::new(seed, 0))
}

/// Draws a schedule.
pub fn schedule(vocabulary: &Vocabulary, budget: &Budget, rng: &mut Rng) -> Schedule {
    let mut kinds: Vec<&Kind> = vocabulary.kinds.iter().filter(|_| rng.one_in(2)).collect();
    if kinds.is_empty() {
        kinds.push(&vocabulary.kinds[rng.below(vocabulary.kinds.len())]);
    }
    let temper = match rng.below(4) {
        0 => Temper::Extreme,
        1 => Temper::Mild,
        _ => Temper::Anywhere,
    };
    // Small numbers are as likely as large ones: half of all schedules have at most half of the faults allowed.
    let count = 1 + rng.below(budget.faults.max(1));
    let faults = (0..count).map(|_| {
        let kind = kinds[rng.below(kinds.len())];
        let target = &kind.targets[rng.below(kind.targets.len())];
        fault(kind, target, budget, temper, rng)
    });
    let mut faults: Vec<Fault> = faults.collect();
    faults.sort_by_key(|fault| fault.at());
    Schedule { faults }
}

fn fault(kind: &Kind, target: &Target, budget: &Budget, temper: Temper, rng: &mut Rng) -> Fault {
    let room = budget.to.minus(budget.from).max(Ns::secs(1));
    let longest = budget.longest.min(room);
    let (short, long) = (libm::log(budget.shortest.as_secs()), libm::log(longest.as_secs().max(1e-3)));
    let lasts = length(libm::exp(short + (long - short).max(0.0) * rng.unit())).min(longest);
    let latest = room.minus(lasts).as_secs();
    // To the second, or to a thousandth of a room that is small.
    let grain = if latest >= 20.0 { 1.0 } else { 0.1 };
    let at = budget.from.plus(Ns::from_secs_f64(libm::floor(latest * rng.unit() / grain) * grain));
    let severity = kind.knobs.iter().map(|knob| {
        let badness = match temper {
            Temper::Anywhere => rng.unit(),
            Temper::Extreme => 1.0,
            Temper::Mild => rng.unit() * 0.3,
        };
        Severity { knob: knob.clone(), value: knob.at(badness * budget.severity) }
    });
    let severity = severity.collect();
    let gradual = kind.course == Course::Gradual;
    let ramp = if rng.one_in(5) && gradual { length(lasts.as_secs() * rng.unit()).min(lasts) } else { Ns::ZERO };
    let repeat = if rng.one_in(5) && kind.course != Course::Job { comes_back(at, lasts, budget, rng) } else { None };
    let mut keys = vec![("do".to_string(), format!("\"{}\"", kind.word))];
    keys.extend(target.keys.iter().cloned());
    let instant = kind.course.ends_itself();
    let lasts = (!instant).then_some(lasts);
    Fault { what: kind.word.clone(), onset: Onset::At(at), instant, lasts, ramp, repeat, severity, keys }
}

/// Some repetitions, as far as there is room.
fn comes_back(at: Ns, lasts: Ns, budget: &Budget, rng: &mut Rng) -> Option<Repeat> {
    let every = Ns::from_secs_f64(figures(lasts.as_secs() * (1.2 + 2.0 * rng.unit())));
    let room = budget.to.minus(at).minus(lasts).as_secs();
    let most = (room / every.as_secs().max(0.1)) as usize;
    (most >= 1).then(|| Repeat { every, times: 2 + rng.below(most.min(9)) as u32 })
}

impl Rng {
    /// One of some things; once in so many times, none.
    pub fn picks<'t, T>(&mut self, all: &'t [T], once_in: usize) -> Option<&'t T> {
        (!all.is_empty() && !self.one_in(once_in)).then(|| &all[self.below(all.len())])
    }
}

/// A schedule like another: one fault more, one less, or one that is longer, worse, milder or at another time.
pub fn vary(from: &Schedule, vocabulary: &Vocabulary, budget: &Budget, rng: &mut Rng) -> Schedule {
    let mut schedule = from.clone();
    let more = self::schedule(vocabulary, &Budget { faults: 1, ..*budget }, rng).faults.remove(0);
    let at = if schedule.faults.is_empty() { 0 } else { rng.below(schedule.faults.len()) };
    match rng.below(6) {
        _ if schedule.faults.is_empty() => schedule.faults.push(more),
        0 if schedule.faults.len() < budget.faults => schedule.faults.push(more),
        0 | 1 if schedule.faults.len() > 1 => drop(schedule.faults.remove(at)),
        2 => schedule.faults[at].onset = more.onset,
        3 if !schedule.faults[at].instant => schedule.faults[at].lasts = more.lasts.or(schedule.faults[at].lasts),
        4 if !schedule.faults[at].severity.is_empty() => {
            for severity in &mut schedule.faults[at].severity {
                severity.value = severity.knob.at(rng.unit() * budget.severity);
            }
        }
        _ => schedule.faults[at] = more,
    }
    // What was moved or made longer must still end in time.
    for fault in &mut schedule.faults {
        let room = budget.to.minus(fault.at().unwrap_or(budget.from));
        fault.lasts = fault.lasts.map(|lasts| lasts.min(room.max(budget.shortest)));
        if fault.repeat.is_some_and(|r| Ns(r.every.0.saturating_mul(u64::from(r.times))) > room) {
            fault.repeat = None;
        }
        fault.ramp = fault.ramp.min(fault.lasts.unwrap_or(fault.ramp));
    }
    schedule.faults.sort_by_key(|fault| fault.at());
    schedule
}
