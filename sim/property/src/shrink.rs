//! The smallest part of a schedule that still fails.
//!
//! [`ScheduleTree`] is a proptest `ValueTree` over schedules, built from any schedule, drawn or read. It proposes, in this
//! order: fewer faults (halves, quarters, single ones), then for each fault fewer servers, fewer repetitions, no ramp, a
//! shorter window and a lower severity, each by halving. What still fails becomes the new start; when a whole pass finds nothing smaller,
//! it is over. So a result never grows, and shrinking it again changes nothing.
//!
//! Not done: a fault is not moved in time, and never exchanged for one of another kind or target.

use crate::knob::{length, length_between};
use crate::schedule::{Fault, Repeat, Schedule};
use brownout_models::units::Ns;
use proptest::strategy::ValueTree;

/// The shortest window that is tried.
const SHORTEST_S: f64 = 0.1;

/// What can be made smaller about a fault, in the order in which it is tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Axis {
    Servers,
    Times,
    Ramp,
    Length,
    Severity(usize),
}

/// The key that says how many servers a fault hits.
const SERVERS: &str = "servers";
/// Its values, from the smallest, as TOML.
const FEWER: [&str; 3] = ["1", "\"25%\"", "\"50%\""];

/// How much of a fleet a value of `servers` is, to compare: some servers, then shares, then all.
pub fn breadth(value: &str) -> u64 {
    let text = value.trim_matches('"');
    match (text.parse::<u64>(), text.strip_suffix('%').and_then(|share| share.parse::<f64>().ok())) {
        (Ok(servers), _) => servers.min(1 << 20),
        (_, Some(share)) => (1 << 20) + (share * 100.0) as u64,
        _ => u64::MAX,
    }
}

/// Where a pass is.
#[derive(Clone, PartialEq, Debug)]
enum Pass {
    /// Takes out the faults from `at` on, `size` at a time.
    Remove { size: usize, at: usize },
    /// Makes one thing about one fault smaller.
    Reduce { fault: usize, axis: usize, passes: Option<f64> },
    /// Nothing is left to try.
    Over,
}

/// A schedule and the smaller ones that are still to be tried.
#[derive(Clone, PartialEq, Debug)]
pub struct ScheduleTree {
    span: Ns,
    best: Schedule,
    candidate: Option<Schedule>,
    pass: Pass,
    /// The value that the candidate tries, of whatever is being halved.
    tried: f64,
    smaller: bool,
}

impl ScheduleTree {
    /// A tree over what a schedule could be made into, in a run of that length.
    pub fn new(schedule: Schedule, span: Ns) -> ScheduleTree {
        let pass = Pass::Remove { size: schedule.faults.len(), at: 0 };
        ScheduleTree { span, best: schedule, candidate: None, pass, tried: 0.0, smaller: false }
    }

    /// The smallest schedule that is known to fail.
    pub fn best(&self) -> &Schedule {
        &self.best
    }

    /// Proposes the next candidate; false when there is none.
    fn propose(&mut self) -> bool {
        loop {
            match self.pass.clone() {
                Pass::Over => return false,
                Pass::Remove { size: 0, .. } => self.pass = Pass::Reduce { fault: 0, axis: 0, passes: None },
                Pass::Remove { size, at } if at >= self.best.faults.len() => {
                    self.pass = Pass::Remove { size: size / 2, at: 0 };
                }
                Pass::Remove { size, at } => {
                    let mut schedule = self.best.clone();
                    schedule.faults.drain(at..(at + size).min(self.best.faults.len()));
                    self.candidate = Some(schedule);
                    return true;
                }
                Pass::Reduce { fault, axis, passes } => {
                    let Some(of) = self.best.faults.get(fault) else {
                        self.end_pass();
                        continue;
                    };
                    let axes = axes(of);
                    let Some(on) = axes.get(axis) else {
                        self.pass = Pass::Reduce { fault: fault + 1, axis: 0, passes: None };
                        continue;
                    };
                    match smaller(of, *on, passes, self.span) {
                        Some((value, made)) => {
                            let mut schedule = self.best.clone();
                            schedule.faults[fault] = made;
                            self.candidate = Some(schedule);
                            self.tried = value;
                            return true;
                        }
                        None => self.pass = Pass::Reduce { fault, axis: axis + 1, passes: None },
                    }
                }
            }
        }
    }

    /// A pass is through: another if it made anything smaller.
    fn end_pass(&mut self) {
        self.pass = if self.smaller { Pass::Remove { size: self.best.faults.len(), at: 0 } } else { Pass::Over };
        self.smaller = false;
    }
}

impl ValueTree for ScheduleTree {
    type Value = Schedule;

    fn current(&self) -> Schedule {
        self.candidate.as_ref().unwrap_or(&self.best).clone()
    }

    /// The current schedule fails: it is the best so far, and a smaller one is proposed.
    fn simplify(&mut self) -> bool {
        if let Some(schedule) = self.candidate.take() {
            self.best = schedule;
            self.smaller = true;
        }
        self.propose()
    }

    /// The current schedule passes: back to the best so far, and another one is proposed.
    fn complicate(&mut self) -> bool {
        if self.candidate.take().is_some() {
            match &mut self.pass {
                Pass::Remove { size, at } => *at += *size,
                Pass::Reduce { passes, .. } => *passes = Some(self.tried),
                Pass::Over => {}
            }
        }
        self.propose()
    }
}

fn axes(fault: &Fault) -> Vec<Axis> {
    let mut out = vec![Axis::Servers, Axis::Times, Axis::Ramp];
    out.extend((!fault.instant).then_some(Axis::Length));
    out.extend((0..fault.severity.len()).map(Axis::Severity));
    out
}

/// A fault that is smaller on one axis: the smallest there is, then halfway between what passes and what fails. Gives the
/// value tried, or nothing where no smaller one is left.
fn smaller(fault: &Fault, axis: Axis, passes: Option<f64>, span: Ns) -> Option<(f64, Fault)> {
    let mut made = fault.clone();
    match axis {
        Axis::Servers => {
            let (at, is) =
                fault.keys.iter().enumerate().find(|(_, (key, _))| key == SERVERS).map(|(i, k)| (i, &k.1))?;
            let next = passes.map_or(0, |tried| tried as usize + 1);
            let fewer = *FEWER.get(next).filter(|fewer| breadth(fewer) < breadth(is))?;
            made.keys[at].1 = fewer.into();
            Some((next as f64, made))
        }
        Axis::Times => {
            let Repeat { every, times } = fault.repeat?;
            let value = match passes {
                None => 1.0,
                Some(low) => libm::floor((low + f64::from(times)) / 2.0),
            };
            if value >= f64::from(times) || passes == Some(value) {
                return None;
            }
            made.repeat = (value > 1.0).then_some(Repeat { every, times: value as u32 });
            Some((value, made))
        }
        Axis::Ramp => {
            made.ramp = Ns::ZERO;
            (fault.ramp > Ns::ZERO && passes.is_none()).then_some((0.0, made))
        }
        Axis::Length => {
            let is = fault.lasts.unwrap_or_else(|| span.minus(fault.at().unwrap_or(Ns::ZERO)));
            let value = match passes {
                None => length(SHORTEST_S),
                Some(low) => length_between(Ns::from_secs_f64(low), is)?,
            };
            made.lasts = Some(value);
            made.ramp = made.ramp.min(value);
            (value < is).then_some((value.as_secs(), made))
        }
        Axis::Severity(at) => {
            let severity = &fault.severity[at];
            let value = match passes {
                None => severity.knob.mild,
                Some(low) => severity.knob.between(low, severity.value)?,
            };
            made.severity[at].value = value;
            (severity.knob.badness(value) < severity.knob.badness(severity.value)).then_some((value, made))
        }
    }
}

/// What shrinking came to.
#[derive(Clone, PartialEq, Debug)]
pub struct Shrunk {
    /// The smallest schedule found.
    pub schedule: Schedule,
    /// How many schedules were tried for it.
    pub tried: u64,
    /// Whether every smaller schedule was tried; otherwise shrinking was stopped.
    pub complete: bool,
}

/// Makes a schedule that fails as small as it can be made. `fails` says whether a schedule still fails, or nothing to
/// break off.
pub fn shrink(schedule: Schedule, span: Ns, fails: &mut dyn FnMut(&Schedule) -> Option<bool>) -> Shrunk {
    let mut tree = ScheduleTree::new(schedule, span);
    let mut tried = 0;
    let mut more = tree.simplify();
    while more {
        tried += 1;
        more = match fails(&tree.current()) {
            Some(true) => tree.simplify(),
            Some(false) => tree.complicate(),
            None => return Shrunk { schedule: tree.best, tried: tried - 1, complete: false },
        };
    }
    Shrunk { schedule: tree.best, tried, complete: true }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knob::{Knob, Measure};
    use crate::schedule::{Onset, Severity};
    use proptest::prelude::*;
    use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};

    const SPAN: Ns = Ns::secs(600);

    fn factor() -> Knob {
        Knob { key: "factor".into(), measure: Measure::Factor, mild: 1.5, extreme: 1000.0 }
    }

    fn fault(what: &str, at_s: u64, lasts_s: u64, factor_is: f64) -> Fault {
        Fault {
            what: what.into(),
            onset: Onset::At(Ns::secs(at_s)),
            instant: false,
            lasts: Some(Ns::secs(lasts_s)),
            ramp: Ns::secs(1),
            repeat: Some(Repeat { every: Ns::secs(20), times: 5 }),
            severity: vec![Severity { knob: factor(), value: factor_is }],
            keys: vec![("store".into(), "\"db\"".into()), ("servers".into(), "\"all\"".into())],
        }
    }

    /// Schedules of up to twelve faults of three kinds.
    fn schedules() -> impl Strategy<Value = Schedule> {
        let one = (0..3_usize, 0..500_u64, 2..90_u64, 1.5_f64..1000.0)
            .prop_map(|(kind, at, lasts, badness)| fault(["hang", "slow", "error"][kind], at, lasts, badness));
        proptest::collection::vec(one, 1..12).prop_map(|faults| Schedule { faults })
    }

    /// A world that fails by rules of its own: a fault of some kind that is long and bad enough, one that comes often,
    /// or two of different kinds.
    fn fails(rule: u8, schedule: &Schedule) -> bool {
        let long = |f: &Fault| f.lasts.unwrap_or(SPAN) >= Ns::secs(7);
        let bad = |f: &Fault| f.severity[0].value >= 40.0;
        let faults = &schedule.faults;
        match rule {
            0 => faults.iter().any(|f| f.what == "hang" && long(f) && breadth(&f.keys[1].1) >= breadth("\"50%\"")),
            1 => faults.iter().any(|f| f.what == "slow" && long(f) && bad(f)),
            2 => faults.iter().any(|f| f.repeat.map_or(1, |r| r.times) >= 3),
            3 => ["hang", "error"].iter().all(|kind| faults.iter().any(|f| f.what == *kind && bad(f))),
            // Not monotone: an even number of faults.
            _ => faults.len().is_multiple_of(2) && faults.iter().any(bad),
        }
    }

    fn run(schedule: &Schedule, rule: u8) -> Shrunk {
        shrink(schedule.clone(), SPAN, &mut |s| Some(fails(rule, s)))
    }

    #[test]
    fn ten_faults_shrink_to_the_one_that_matters() {
        let mut faults: Vec<Fault> = (0..10).map(|i| fault("error", 50 * i, 30, 500.0)).collect();
        faults[6] = fault("slow", 300, 60, 900.0);
        let Shrunk { schedule, complete, .. } = run(&Schedule { faults }, 1);
        assert!(complete);
        let [one] = &schedule.faults[..] else { panic!("{schedule:?}") };
        assert_eq!(one.keys[1].1, "1");
        // As little as still fails, to within the step of a halving in two figures.
        assert_eq!((one.what.as_str(), one.ramp, one.repeat), ("slow", Ns::ZERO, None));
        assert!((40.0..=42.0).contains(&one.severity[0].value), "{one:?}");
        assert!((7.0..=7.2).contains(&one.lasts.expect("a length").as_secs()), "{one:?}");
    }

    #[test]
    fn as_many_servers_stay_as_it_takes() {
        let shrunk = run(&Schedule { faults: vec![fault("hang", 1, 60, 2.0)] }, 0).schedule;
        assert_eq!(shrunk.faults[0].keys[1].1, "\"50%\"");
        assert!(breadth("3") < breadth("\"1%\"") && breadth("\"100%\"") < breadth("\"all\""));
    }

    #[test]
    fn what_fails_without_any_fault_shrinks_to_none() {
        let schedule = Schedule { faults: vec![fault("hang", 1, 5, 2.0)] };
        assert_eq!(shrink(schedule, SPAN, &mut |_| Some(true)).schedule, Schedule::default());
    }

    #[test]
    fn broken_off_it_gives_the_smallest_so_far() {
        let schedule = Schedule { faults: (0..8).map(|i| fault("hang", 10 * i, 60, 2.0)).collect() };
        let mut left = 6;
        let shrunk = shrink(schedule.clone(), SPAN, &mut |s| {
            left -= 1;
            (left > 0).then(|| fails(0, s))
        });
        assert!(!shrunk.complete && fails(0, &shrunk.schedule));
        assert!(shrunk.schedule.faults.len() < 8 && shrunk.schedule.is_within(&schedule, SPAN));
    }

    /// proptest's own runner shrinks with the tree, too.
    #[test]
    fn a_property_test_shows_the_smallest_schedule() {
        struct Drawn;
        impl std::fmt::Debug for Drawn {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("Drawn")
            }
        }
        impl Strategy for Drawn {
            type Tree = ScheduleTree;
            type Value = Schedule;
            fn new_tree(&self, _: &mut TestRunner) -> Result<ScheduleTree, proptest::test_runner::Reason> {
                let faults = (0..8).map(|i| fault(["hang", "error"][i % 2], 50, 60, 800.0)).collect();
                Ok(ScheduleTree::new(Schedule { faults }, SPAN))
            }
        }
        let test = |schedule: Schedule| match fails(0, &schedule) {
            true => Err(TestCaseError::fail("lost tracks")),
            false => Ok(()),
        };
        let config = Config { failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..Config::default() };
        match TestRunner::new(config).run(&Drawn, test) {
            Err(TestError::Fail(_, schedule)) => {
                assert_eq!(schedule, run(&Schedule { faults: vec![fault("hang", 50, 60, 800.0)] }, 0).schedule);
            }
            other => panic!("{other:?}"),
        }
    }

    proptest! {
        #![proptest_config(Config { rng_seed: RngSeed::Fixed(4), failure_persistence: None, cases: 400, ..Config::default() })]

        /// The result still fails, is a part of what it was made from, and is as small as it gets.
        #[test]
        fn shrinking_never_grows_keeps_failing_and_ends_where_it_ends(schedule in schedules(), rule in 0..5_u8) {
            prop_assume!(fails(rule, &schedule));
            let shrunk = run(&schedule, rule);
            prop_assert!(shrunk.complete);
            prop_assert!(fails(rule, &shrunk.schedule));
            prop_assert!(shrunk.schedule.is_within(&schedule, SPAN), "{:?}", shrunk.schedule);
            let again = run(&shrunk.schedule, rule);
            prop_assert_eq!(again.schedule, shrunk.schedule);
        }

        /// Every schedule on the way is a part of the best one so far.
        #[test]
        fn every_candidate_is_a_part_of_the_best(schedule in schedules(), coins in any::<u64>()) {
            let mut tree = ScheduleTree::new(schedule, SPAN);
            let mut more = tree.simplify();
            let mut coins = coins;
            while more {
                prop_assert!(tree.current().is_within(tree.best(), SPAN));
                prop_assert!(tree.current() != *tree.best());
                coins = coins.rotate_left(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                more = if coins & 1 == 1 { tree.simplify() } else { tree.complicate() };
            }
            prop_assert_eq!(&tree.current(), tree.best());
        }
    }
}
