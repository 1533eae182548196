//! Property tests of services, for other people's CI: strategies for faults, designs and worlds, a runner, assertions.
//!
//! A [`Service`] is a scenario file, with designs and changes. [`Service::faults`] draws schedules of faults for it,
//! [`Service::designs`] points of its axes, [`Service::worlds`] every number that the file merely assumes, anew from its range.
//! All are ordinary proptest strategies, and a failing case shrinks to the fewest, shortest and mildest faults.
//! [`Service::run`] runs one [`Case`]; [`Checked::holds`] turns what the scenario expects into a test case's result.
//! [`holds_under`] does all of this in one line. `docs/property-tests.md` is the guide.
//!
//! Every case is a pure function of the strategies' seed: fix that (`RngSeed::Fixed`), and CI runs the same cases
//! everywhere. [`proptest`] is the one that this crate is built with, so that a test needs no other dependency.
//!
//! ```
//! use brownout_property::proptest::prelude::*;
//! use brownout_property::proptest::test_runner::{Config, RngSeed, TestRunner};
//! use brownout_property::{Case, Service, holds_under};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/invariants/i2-soft-dependency.toml");
//! // Whatever the stores do, what the scenario expects holds: no track is lost.
//! let service = Service::open(scenario, &["protection=with"], &[])?;
//! let faults = service.faults_of(&["store"], &[])?.at_most(3);
//! let shown = holds_under(&service, &faults, 20, 1)?;
//! assert!(shown.with_effect > 0);
//!
//! // A property of your own, also over the numbers that the scenario only assumes.
//! let cases = (faults, service.worlds(), 1..1000_u64)
//!     .prop_map(|(faults, set, seed)| Case { faults, set, seed, ..Case::default() });
//! let config = Config { cases: 10, rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..Config::default() };
//! TestRunner::new(config).run(&cases, |case| {
//!     let checked = service.run(&case).map_err(|why| TestCaseError::fail(why.to_string()))?;
//!     let tracks = &checked.outcome.calls["track"];
//!     prop_assert!(tracks.dropped * 1000 <= tracks.offered, "more than a thousandth of the tracks is lost");
//!     Ok(())
//! })?;
//! # Ok(())
//! # }
//! ```

#![warn(clippy::unwrap_used)]

// Shared with Brownout's own hunts, and for nobody else: these change without notice. What a property test needs of them
// is named below.
#[doc(hidden)]
pub mod base;
#[doc(hidden)]
pub mod draw;
mod error;
#[doc(hidden)]
pub mod knob;
#[doc(hidden)]
pub mod schedule;
#[doc(hidden)]
pub mod shrink;
#[doc(hidden)]
pub mod vocabulary;

pub use brownout_models::units::Ns;
#[doc(hidden)]
pub use brownout_scenarios::values;
pub use brownout_scenarios::{Diagnostics, Scenario};
pub use brownout_sim::outcome::{self, Outcome, Standing, Verdict};
pub use error::{Error, NotShown};
pub use knob::{Knob, Measure};
pub use proptest;
pub use schedule::{Fault, Onset, Repeat, Schedule, Severity};

use base::{Base, Task};
use brownout_sim::expectation::evaluate;
use brownout_sim::run::{Ended, Run};
use brownout_sim::write_up;
use draw::{Budget, draw_schedule};
use proptest::prelude::{Just, Strategy, any};
use proptest::strategy::{BoxedStrategy, NewTree, ValueTree};
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};
use shrink::ScheduleTree;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use values::{between, number};
use vocabulary::{Filter, Vocabulary};

/// A service under test: a scenario file with designs and changes.
#[derive(Clone, Debug)]
pub struct Service {
    path: PathBuf,
    design: Vec<String>,
    set: Vec<String>,
    expect: Option<String>,
    first: Option<Ns>,
    instead: bool,
    base: Arc<Base>,
}

impl Service {
    /// Reads a scenario file; `design` and `set` are what `--design` and `--set` would say.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn open(path: impl AsRef<Path>, design: &[&str], set: &[&str]) -> Result<Service, Error> {
        let owned = |texts: &[&str]| texts.iter().map(|t| t.to_string()).collect::<Vec<_>>();
        let path = path.as_ref().to_path_buf();
        let base = Arc::new(Base::new(&Task::of(&path))?);
        Service { path, design: owned(design), set: owned(set), expect: None, first: None, instead: false, base }.read()
    }

    /// The same service, of which something else is expected than its file says: "track.dropped_rate < 0.1%".
    ///
    /// # Errors
    /// The condition is none.
    pub fn expecting(self, condition: &str) -> Result<Service, Error> {
        Service { expect: Some(condition.into()), ..self }.read()
    }

    /// The same service, of whose run only the first so much takes place.
    ///
    /// # Errors
    /// The run is not that long.
    pub fn first(self, length: Ns) -> Result<Service, Error> {
        Service { first: Some(length), ..self }.read()
    }

    /// The same service without the faults of its file.
    ///
    /// # Errors
    /// As [`Service::open`].
    pub fn without_faults(self) -> Result<Service, Error> {
        Service { instead: true, ..self }.read()
    }

    /// The scenario as it is run, without the faults of a case.
    pub fn scenario(&self) -> &Scenario {
        self.base.scenario()
    }

    fn read(self) -> Result<Service, Error> {
        let base = Arc::new(self.base_with(&[], &[])?);
        Ok(Service { base, ..self })
    }

    fn base_with(&self, design: &[String], set: &[String]) -> Result<Base, Error> {
        let (design, set) = ([&self.design, design].concat(), [&self.set, set].concat());
        let task = Task { path: &self.path, set: &set, design: &design, first: self.first, ..Task::of(&self.path) };
        Base::new(&Task { expect: self.expect.as_deref(), instead: self.instead, ..task })
    }

    /// Schedules of faults that this service's world can have: any kind, on any target.
    ///
    /// # Errors
    /// It can have none.
    pub fn faults(&self) -> Result<Faults, Error> {
        self.faults_of(&[], &[])
    }

    /// Schedules of faults of some kinds ("hang"), classes ("store") and on some targets ("identify") only, and without
    /// others.
    ///
    /// # Errors
    /// A word that names nothing here, or nothing is left.
    pub fn faults_of(&self, only: &[&str], without: &[&str]) -> Result<Faults, Error> {
        let owned = |texts: &[&str]| texts.iter().map(|t| t.to_string()).collect::<Vec<_>>();
        let (only, without) = (owned(only), owned(without));
        let filter = Filter { only: &only, without: &without };
        let vocabulary = Vocabulary::new(self.base.scenario(), filter).map_err(Error::Usage)?;
        let span = self.base.scenario().span;
        Ok(Faults { vocabulary: Arc::new(vocabulary), budget: Budget::of(span), span })
    }

    /// Points of the axes named, one of each; all axes if none is named. A failing one shrinks to the first point.
    pub fn designs(&self, axes: &[&str]) -> BoxedStrategy<Vec<String>> {
        let wanted = self.base.scenario().axes.iter().filter(|a| axes.is_empty() || axes.contains(&a.name.as_str()));
        let points: Vec<_> = wanted
            .filter(|axis| !axis.points.is_empty())
            .map(|axis| {
                let texts: Vec<String> = axis.points.iter().map(|p| format!("{}={p}", axis.name)).collect();
                (0..texts.len()).prop_map(move |at| texts[at].clone())
            })
            .collect();
        points.boxed()
    }

    /// The same world with other numbers: each that the file assumes is either left or drawn anew from its range, as
    /// changes that `--set` takes. A failing one shrinks to the file's own numbers.
    pub fn worlds(&self) -> BoxedStrategy<Vec<String>> {
        let numbers = self.base.scenario().provenance.iter().filter(|p| p.mark == "assumed");
        let each: Vec<BoxedStrategy<Option<String>>> = numbers
            .filter_map(|p| {
                let (low, high) = p.range.as_ref()?;
                number(&p.value)?;
                let path = p.path.clone();
                let values = between(low, high, STEPS)?;
                let drawn = (0..values.len()).prop_map(move |at| Some(format!("{path}={}", values[at])));
                Some(proptest::prop_oneof![Just(None), drawn].boxed())
            })
            .collect();
        each.prop_map(|all| all.into_iter().flatten().collect()).boxed()
    }

    /// Cases with faults and a seed; the design and the numbers as they are.
    pub fn cases(&self, faults: &Faults) -> BoxedStrategy<Case> {
        (faults.clone(), 1..10_000_u64).prop_map(|(faults, seed)| Case { faults, seed, ..Case::default() }).boxed()
    }

    /// Runs a case.
    ///
    /// # Errors
    /// The case is none of this service (a design of it leads to a mistake), or the ledger does not balance.
    pub fn run(&self, case: &Case) -> Result<Checked, Error> {
        let changed;
        let base = if case.design.is_empty() && case.set.is_empty() {
            &*self.base
        } else {
            changed = self.base_with(&case.design, &case.set)?;
            &changed
        };
        let scenario = base.with(&case.faults)?;
        let mut run = Run::new(&scenario.plan, brownout_sim::orders(&scenario, case.seed));
        let ended = run.finish(None, &mut |_| {}).map_err(|why| Error::Ledger(why.to_string()))?;
        let effects = &run.world().effects.0;
        let effects = effects[effects.len() - case.faults.faults.len()..].to_vec();
        Ok(Checked {
            verdicts: evaluate(&scenario, &run),
            complete: ended == Ended::Complete,
            outcome: write_up(&scenario, case.seed, &run, ended),
            effects,
            toml: case.faults.to_toml(&scenario.calendar),
            repeat: self.repeat(case),
        })
    }

    /// What to type to see the run without the faults; they are to be put on its timeline.
    fn repeat(&self, case: &Case) -> String {
        let mut out = format!("brownout run {} --seed {}", self.path.display(), case.seed);
        for (option, texts) in
            [("--design", [&self.design, &case.design[..]].concat()), ("--set", [&self.set, &case.set[..]].concat())]
        {
            texts.iter().for_each(|text| out.push_str(&format!(" {option} '{text}'")));
        }
        out
    }
}

/// Values of a range that may be drawn.
const STEPS: usize = 9;

/// A strategy for schedules of faults.
#[derive(Clone, Debug)]
pub struct Faults {
    vocabulary: Arc<Vocabulary>,
    budget: Budget,
    span: Ns,
}

impl Faults {
    /// Up to so many of them at once, at least one.
    #[must_use]
    pub fn at_most(mut self, faults: usize) -> Faults {
        self.budget.faults = faults.max(1);
        self
    }

    /// None worse than this, from 0 (mild) to 1 (extreme).
    #[must_use]
    pub fn severity(mut self, worst: f64) -> Faults {
        self.budget.severity = worst.clamp(0.0, 1.0);
        self
    }

    /// None longer than this.
    #[must_use]
    pub fn longest(mut self, length: Ns) -> Faults {
        self.budget.longest = length;
        self
    }

    /// None before `from`, and all over by `to`.
    #[must_use]
    pub fn between(mut self, from: Ns, to: Ns) -> Faults {
        (self.budget.from, self.budget.to) = (from, to.min(self.span));
        self
    }
}

impl Strategy for Faults {
    type Tree = ScheduleTree;
    type Value = Schedule;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Faults> {
        let seed = any::<u64>().new_tree(runner)?.current();
        Ok(ScheduleTree::new(draw_schedule(&self.vocabulary, &self.budget, seed), self.span))
    }
}

/// What to run a service with.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Case {
    /// Faults, beside those of the file.
    pub faults: Schedule,
    /// Designs, beside those of the service.
    pub design: Vec<String>,
    /// Changes by hand, after those of the service.
    pub set: Vec<String>,
    /// The seed.
    pub seed: u64,
}

/// A run, and what became of what the scenario expects.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The whole outcome, for assertions of one's own.
    pub outcome: Outcome,
    /// What became of each expectation, in the order of the file.
    pub verdicts: Vec<Verdict>,
    /// Per fault of the case: how often it changed anything.
    pub effects: Vec<u64>,
    /// Whether the run reached its end.
    pub complete: bool,
    toml: String,
    repeat: String,
}

impl Checked {
    /// Everything that the scenario expects holds. A case in which an expectation had nothing to judge is rejected: it
    /// shows nothing, and proptest draws another.
    ///
    /// # Errors
    /// What is violated, with the faults as entries of a timeline and the line that repeats the run.
    pub fn holds(&self) -> Result<(), TestCaseError> {
        let say = |v: &Verdict| format!("`{} {}` (line {}): {}", v.kind, v.condition, v.line, v.why);
        let of = |standing| self.verdicts.iter().filter(move |v| v.standing == standing);
        let broken: Vec<String> = of(Standing::Violated).map(say).collect();
        if !broken.is_empty() {
            let faults = if self.toml.is_empty() { "without any fault\n" } else { &self.toml };
            return Err(TestCaseError::fail(format!("violated: {}\n\n{faults}\n{}", broken.join("; "), self.repeat)));
        }
        if !self.complete {
            return Err(TestCaseError::fail(format!("the run did not reach its end: {}", self.outcome.ended)));
        }
        match of(Standing::Vacuous).map(say).next() {
            Some(why) => Err(TestCaseError::reject(format!("nothing to judge: {why}"))),
            None => Ok(()),
        }
    }

    /// What is expected and violated.
    pub fn violated(&self) -> Vec<&Verdict> {
        self.verdicts.iter().filter(|v| v.standing == Standing::Violated).collect()
    }

    /// Whether every fault of the case changed something.
    pub fn all_took_effect(&self) -> bool {
        self.effects.iter().all(|n| *n > 0)
    }
}

/// How much a property test has shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Shown {
    /// Cases run; those of shrinking not counted.
    pub cases: u64,
    /// Of those, cases in which some fault changed something.
    pub with_effect: u64,
}

/// What a service expects holds under so many schedules of faults, drawn from a seed.
///
/// # Errors
/// The smallest case that violates something, in words; or that the test showed nothing, because no fault ever changed
/// anything.
pub fn holds_under(service: &Service, faults: &Faults, cases: u32, seed: u64) -> Result<Shown, NotShown> {
    let config = Config {
        cases,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        max_global_rejects: cases.saturating_mul(20).max(1000),
        ..Config::default()
    };
    let (all, with_effect) = (AtomicU64::new(0), AtomicU64::new(0));
    let result = TestRunner::new(config).run(&service.cases(faults), |case| {
        let checked = service.run(&case).map_err(|why| TestCaseError::fail(why.to_string()))?;
        all.fetch_add(1, Ordering::Relaxed);
        with_effect.fetch_add(u64::from(checked.effects.iter().any(|n| *n > 0)), Ordering::Relaxed);
        checked.holds()
    });
    let shown = Shown { cases: all.into_inner(), with_effect: with_effect.into_inner() };
    match result {
        Ok(()) if shown.with_effect == 0 => Err(NotShown::NoEffect { cases: shown.cases }),
        Ok(()) => Ok(shown),
        Err(TestError::Abort(why)) => Err(NotShown::TooFewCases(why.to_string())),
        Err(TestError::Fail(why, smallest)) => Err(NotShown::Violated { why: why.to_string(), smallest }),
    }
}

/// The guide's programs compile.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/property-tests.md")]
struct Guide;
