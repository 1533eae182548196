//! A circuit breaker: after too many failed or slow calls, calls are refused for a while; then a few try.
//!
//! The machine is resilience4j's (CircuitBreakerStateMachine.java, CircuitBreakerMetrics.java of main, 2.x). Closed, it
//! judges after every result: with at least `minimum` calls in the window (no more than a count window holds), it opens
//! when the share of failed or of slow calls reaches its threshold. Open, it refuses until more than `open_for` has
//! passed. The next call makes it half-open: so many calls may pass in all, until enough of them have ended for a verdict
//! by the same thresholds; then it opens again, or closes with an empty window. Hystrix
//! (HystrixCircuitBreaker.java of 1.5) is the same machine with a window of time and a single trial.
//!
//! Different from the sources: a result counts only in the state in which its call was let in; resilience4j also counts
//! late results in the next state. A cancelled trial gives its place back, as in resilience4j; Hystrix opens again.
//! Hystrix judges every 500ms and only buckets that are complete; here every result is judged, with the bucket that runs.
//!
//! Not modelled: forced and metrics-only states, automatic transition to half-open, growing wait times, the longest
//! wait in half-open (all off by default).

use crate::setting::{Preset, Scope, Silence, always, unless};
use crate::units::{Ns, Share};
use crate::{choices, settings};

choices! {
    /// Which results count while the breaker is closed.
    pub enum Window = Count {
        /// The last so many.
        Count = "count",
        /// Those of the last so long.
        Time = "time",
    }
}

settings! {
    /// A circuit breaker. `preset` names a library's defaults; other keys change them.
    pub struct Breaker (presets = PRESETS) {
        /// Which results count.
        pub window: Window = Window::Count => always;
        /// Results in a count window.
        pub calls: u32 = 100, 1 ..= 100_000 => counts;
        /// Length of a time window; it moves on by tenths. (time)
        pub lasts: Ns = Ns::secs(10), "10ms" ..= "1h" => times;
        /// Fewest results in the window for a verdict; no more than a count window, or the trials, can give.
        pub minimum: u32 = 100, 1 ..= 1_000_000 => always;
        /// Share of failed calls that opens it.
        pub failure_share: Share = Share(0.5), "0.1%" ..= "100%" => always;
        /// Share of slow calls that opens it.
        pub slow_share: Share = Share(1.0), "0.1%" ..= "100%" => knows_slow;
        /// A call that takes longer is slow; "never": none is. (time)
        pub slow_after: Ns = Ns::secs(60), "1ms" ..= "never" => always;
        /// How long it stays open. (time)
        pub open_for: Ns = Ns::secs(60), "1ms" ..= "24h" => always;
        /// Calls that may pass while it is half-open.
        pub half_open_calls: u32 = 10, 1 ..= 100_000 => always;
    }
}

fn counts(breaker: &Breaker, _: &Scope<'_>) -> Silence {
    unless(breaker.window == Window::Count, "`window` is \"time\": `lasts` says how long it is")
}

fn times(breaker: &Breaker, _: &Scope<'_>) -> Silence {
    unless(breaker.window == Window::Time, "`window` is \"count\": `calls` says how long it is")
}

fn knows_slow(breaker: &Breaker, _: &Scope<'_>) -> Silence {
    unless(breaker.slow_after < Ns::NEVER, "`slow_after` is \"never\": no call is slow")
}

/// Every preset.
pub const PRESETS: &[Preset<Breaker>] = &[
    Preset {
        name: "resilience4j",
        doc: "resilience4j 2.x (2022 and later) defaults: the last 100 calls, at least 100, 50% failed, 100% slower than 60s, open for 60s, \
              10 trials. Source: CircuitBreakerConfig.java. Not modelled: late results in the next state, the longest wait in \
              half-open (off by default).",
        make: Breaker::resilience4j,
    },
    Preset {
        name: "hystrix",
        doc: "Hystrix 1.5 (2016) defaults: 10s in ten buckets, at least 20 calls, 50% failed, open for 5s, one trial; slow calls \
              count only as time-outs of the caller. Source: HystrixCommandProperties.java. Not modelled: its \
              snapshots every 500ms, its pool of 10 threads and its timeout of 1s (set them at the call).",
        make: Breaker::hystrix,
    },
];

impl Breaker {
    /// Preset `resilience4j`.
    pub fn resilience4j() -> Breaker {
        Breaker::default()
    }

    /// Preset `hystrix`.
    pub fn hystrix() -> Breaker {
        Breaker {
            window: Window::Time,
            lasts: Ns::secs(10),
            minimum: 20,
            slow_after: Ns::NEVER,
            open_for: Ns::secs(5),
            half_open_calls: 1,
            ..Breaker::default()
        }
    }
}

/// What the breaker does with calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// All pass.
    Closed,
    /// None passes.
    Open,
    /// A few pass, to try.
    HalfOpen,
}

/// Leave for one call, of the state in which it was given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Permit(u32);

/// Results of some calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Tally {
    calls: u32,
    failed: u32,
    slow: u32,
}

impl Tally {
    const NONE: Tally = Tally { calls: 0, failed: 0, slow: 0 };

    fn of(failed: bool, slow: bool) -> Tally {
        Tally { calls: 1, failed: u32::from(failed), slow: u32::from(slow) }
    }
    fn add(&mut self, other: Tally) {
        self.calls += other.calls;
        self.failed += other.failed;
        self.slow += other.slow;
    }
    fn remove(&mut self, other: Tally) {
        self.calls -= other.calls;
        self.failed -= other.failed;
        self.slow -= other.slow;
    }
    /// Whether it is too bad; none while there are fewer than `minimum`.
    fn verdict(self, spec: &Breaker, minimum: u32) -> Option<bool> {
        if self.calls < minimum.max(1) {
            return None;
        }
        let share = |part: u32| f64::from(part) / f64::from(self.calls);
        Some(share(self.failed) >= spec.failure_share.0 || share(self.slow) >= spec.slow_share.0)
    }
}

const BUCKETS: usize = 10;

/// The results that count while the breaker is closed.
#[derive(Clone, PartialEq, Debug)]
enum Results {
    /// A ring of the last results, and the place of the oldest once it is full.
    Count { ring: Vec<Tally>, oldest: usize },
    /// Tenths of the window, and the number of the one that runs.
    Time { buckets: [Tally; BUCKETS], current: u64 },
}

/// The state of one breaker.
#[derive(Clone, PartialEq, Debug)]
pub struct BreakerState {
    state: State,
    /// Counts the states that were, so that a permit tells its own.
    generation: u32,
    opened_at: Ns,
    /// Of the window while closed, of the trials while half-open.
    tally: Tally,
    results: Results,
    trials_left: u32,
    turns: Turns,
}

/// How often a breaker has changed its state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Turns {
    /// From closed to open.
    pub opened: u32,
    /// From open to half-open.
    pub half_opened: u32,
    /// From half-open to open again.
    pub reopened: u32,
    /// From half-open to closed.
    pub closed: u32,
}

impl Turns {
    /// Adds those of another breaker.
    pub fn add(&mut self, other: Turns) {
        self.opened += other.opened;
        self.half_opened += other.half_opened;
        self.reopened += other.reopened;
        self.closed += other.closed;
    }
}

impl BreakerState {
    /// Closed, with an empty window.
    pub fn new(spec: &Breaker) -> BreakerState {
        let results = match spec.window {
            Window::Count => Results::Count { ring: Vec::with_capacity(spec.calls as usize), oldest: 0 },
            Window::Time => Results::Time { buckets: [Tally::NONE; BUCKETS], current: 0 },
        };
        BreakerState {
            state: State::Closed,
            generation: 0,
            opened_at: Ns::ZERO,
            tally: Tally::NONE,
            results,
            trials_left: 0,
            turns: Turns::default(),
        }
    }

    /// As new, of a process that starts again; how often it has turned is remembered.
    pub fn afresh(&self, spec: &Breaker) -> BreakerState {
        BreakerState { turns: self.turns, ..BreakerState::new(spec) }
    }

    /// How often it has changed its state.
    pub fn turns(&self) -> Turns {
        self.turns
    }

    /// What it does now. An open breaker whose time is up shows as half-open once a call has tried.
    pub fn state(&self) -> State {
        self.state
    }

    /// A call asks to pass. None: it is refused.
    #[inline]
    pub fn try_enter(&mut self, spec: &Breaker, now: Ns) -> Option<Permit> {
        match self.state {
            State::Closed => return Some(Permit(self.generation)),
            State::Open if now <= self.opened_at.plus(spec.open_for) => return None,
            State::Open => self.turn(spec, State::HalfOpen, now),
            State::HalfOpen => {}
        }
        if self.trials_left == 0 {
            return None;
        }
        self.trials_left -= 1;
        Some(Permit(self.generation))
    }

    /// A call that passed has ended after `took`. Gives the new state, if it changed.
    #[inline]
    pub fn on_result(&mut self, spec: &Breaker, permit: Permit, ok: bool, took: Ns, now: Ns) -> Option<State> {
        if permit.0 != self.generation {
            return None;
        }
        let result = Tally::of(!ok, took > spec.slow_after);
        let next = match self.state {
            State::Closed => {
                self.record(spec, result, now);
                let minimum = match spec.window {
                    Window::Count => spec.minimum.min(spec.calls),
                    Window::Time => spec.minimum,
                };
                self.tally.verdict(spec, minimum).filter(|bad| *bad).map(|_| State::Open)
            }
            State::Open => None,
            State::HalfOpen => {
                self.tally.add(result);
                let verdict = self.tally.verdict(spec, spec.minimum.min(spec.half_open_calls));
                verdict.map(|bad| if bad { State::Open } else { State::Closed })
            }
        };
        if let Some(next) = next {
            self.turn(spec, next, now);
        }
        next
    }

    fn turn(&mut self, spec: &Breaker, next: State, now: Ns) {
        let count = match (self.state, next) {
            (State::HalfOpen, State::Open) => &mut self.turns.reopened,
            (_, State::Open) => &mut self.turns.opened,
            (_, State::HalfOpen) => &mut self.turns.half_opened,
            (_, State::Closed) => &mut self.turns.closed,
        };
        *count += 1;
        self.state = next;
        self.generation = self.generation.wrapping_add(1);
        self.tally = Tally::NONE;
        match next {
            State::Open => self.opened_at = now,
            State::HalfOpen => self.trials_left = spec.half_open_calls,
            State::Closed => match &mut self.results {
                Results::Count { ring, oldest } => {
                    ring.clear();
                    *oldest = 0;
                }
                Results::Time { buckets, .. } => *buckets = [Tally::NONE; BUCKETS],
            },
        }
    }

    /// Takes a result into the window; what is too old for it leaves.
    fn record(&mut self, spec: &Breaker, result: Tally, now: Ns) {
        match &mut self.results {
            Results::Count { ring, oldest } => {
                if ring.len() < spec.calls as usize {
                    ring.push(result);
                } else {
                    self.tally.remove(std::mem::replace(&mut ring[*oldest], result));
                    *oldest = if *oldest + 1 == ring.len() { 0 } else { *oldest + 1 };
                }
            }
            Results::Time { buckets, current } => {
                let number = now.0 / (spec.lasts.0 / BUCKETS as u64).max(1);
                for passed in 1..=number.saturating_sub(*current).min(BUCKETS as u64) {
                    let bucket = &mut buckets[((*current + passed) % BUCKETS as u64) as usize];
                    self.tally.remove(std::mem::take(bucket));
                }
                *current = number.max(*current);
                buckets[(*current % BUCKETS as u64) as usize].add(result);
            }
        }
        self.tally.add(result);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    /// Plays calls at one instant each, so many milliseconds apart: '+' good, '-' failed, 's' slow; a call ends at
    /// once. Writes down the state after each ('C', 'O', 'H'), in lower case where the call was refused.
    fn row(spec: &Breaker, at: &mut BreakerState, from_ms: u64, step_ms: u64, calls: &str) -> String {
        let step = |(i, call): (usize, char)| {
            let now = Ns::millis(from_ms + i as u64 * step_ms);
            let permit = at.try_enter(spec, now);
            if let Some(permit) = permit {
                let took = if call == 's' { spec.slow_after.plus(Ns(1)) } else { spec.slow_after };
                at.on_result(spec, permit, call != '-', took, now);
            }
            let state = match at.state() {
                State::Closed => 'C',
                State::Open => 'O',
                State::HalfOpen => 'H',
            };
            if permit.is_some() { state } else { state.to_ascii_lowercase() }
        };
        calls.chars().enumerate().map(step).collect()
    }

    #[test]
    fn every_change_of_state_is_counted() {
        let spec = Breaker { calls: 2, minimum: 2, half_open_calls: 1, open_for: Ns::millis(10), ..Breaker::default() };
        let mut at = BreakerState::new(&spec);
        assert_eq!(row(&spec, &mut at, 0, 0, "--"), "CO");
        assert_eq!(row(&spec, &mut at, 20, 20, "-+"), "OC");
        assert_eq!(at.turns(), Turns { opened: 1, half_opened: 2, reopened: 1, closed: 1 });
        assert_eq!(at.afresh(&spec), BreakerState { turns: at.turns(), ..BreakerState::new(&spec) });
    }

    #[test]
    fn resilience4j_conformance() {
        let preset = Breaker::resilience4j();
        assert_eq!(
            (preset.window, preset.calls, preset.minimum, preset.half_open_calls),
            (Window::Count, 100, 100, 10)
        );
        assert_eq!(
            (preset.failure_share, preset.open_for, preset.slow_after),
            (Share(0.5), Ns::secs(60), Ns::secs(60))
        );
        let small = Breaker { calls: 4, half_open_calls: 3, ..preset.clone() };
        for (calls, should_be) in [
            // The minimum of 100 is cut down to the window of four; at exactly 50% it opens.
            ("+-+-", "CCCO"),
            ("---+", "CCCO"),
            ("+++-", "CCCC"),
            // The window slides.
            ("+-++++--", "CCCCCCCO"),
            // Calls are refused while it is open.
            ("----+", "CCCOo"),
            // All slow: the slow share of 100% is reached. Three of four do not reach it.
            ("ssss", "CCCO"),
            ("sss+", "CCCC"),
        ] {
            assert_eq!(row(&small, &mut BreakerState::new(&small), 0, 0, calls), should_be, "{calls}");
        }
        // A minimum below the size of the window gives a verdict early.
        let early = Breaker { minimum: 2, ..small.clone() };
        assert_eq!(row(&early, &mut BreakerState::new(&early), 0, 0, "-+"), "CO");
        for (trials, should_be) in [("+++", "HHC"), ("+-+", "HHC"), ("--+", "HHO"), ("+--", "HHO")] {
            let mut at = BreakerState::new(&small);
            row(&small, &mut at, 0, 0, "----");
            // Still shut at exactly 60s, half-open after.
            assert_eq!(row(&small, &mut at, 60_000, 1, "+"), "o");
            assert_eq!(row(&small, &mut at, 60_001, 1, trials), should_be, "{trials}");
            // Closed, it starts with an empty window; open, it waits anew.
            let after = if should_be.ends_with('C') { "CCCO" } else { "oooo" };
            assert_eq!(row(&small, &mut at, 60_010, 1, "----"), after, "{trials}");
        }
    }

    #[test]
    fn hystrix_conformance() {
        let spec = Breaker::hystrix();
        let mut at = BreakerState::new(&spec);
        // 19 failures are too few, the 20th call opens it whatever it is.
        assert_eq!(row(&spec, &mut at, 0, 1, &"-".repeat(19)), "C".repeat(19));
        assert_eq!(row(&spec, &mut at, 20, 1, "+-"), "Oo");
        // After 5s one call tries; it fails: 5s more. The next succeeds: closed, and the window is empty.
        assert_eq!(row(&spec, &mut at, 5020, 1, "--"), "oO");
        assert_eq!(row(&spec, &mut at, 10_021, 1, "-+"), "oC");
        assert_eq!(row(&spec, &mut at, 10_023, 1, &"-".repeat(20)), "C".repeat(19) + "O");
        // Failures older than ten seconds do not count.
        let mut at = BreakerState::new(&spec);
        assert_eq!(row(&spec, &mut at, 0, 1, &"-".repeat(19)), "C".repeat(19));
        assert_eq!(row(&spec, &mut at, 10_000, 1, "-"), "C");
        let mut at = BreakerState::new(&spec);
        assert_eq!(row(&spec, &mut at, 0, 1, &"-".repeat(19)), "C".repeat(19));
        assert_eq!(row(&spec, &mut at, 9_999, 1, "-"), "O");
        // 9 of 20 are too few failures.
        let mut at = BreakerState::new(&spec);
        assert!(!row(&spec, &mut at, 0, 1, &("-".repeat(9) + &"+".repeat(11))).contains('O'));
    }

    #[test]
    fn results_of_an_earlier_state_are_ignored() {
        let spec = Breaker { calls: 1, half_open_calls: 1, ..Breaker::default() };
        let mut at = BreakerState::new(&spec);
        let (old, bad) = (at.try_enter(&spec, Ns::ZERO).unwrap(), at.try_enter(&spec, Ns::ZERO).unwrap());
        assert_eq!(at.on_result(&spec, bad, false, Ns::ZERO, Ns::ZERO), Some(State::Open));
        let later = Ns::secs(61);
        let trial = at.try_enter(&spec, later).unwrap();
        assert_eq!((at.state(), at.try_enter(&spec, later)), (State::HalfOpen, None));
        assert_eq!(at.on_result(&spec, old, false, Ns::ZERO, later), None);
        assert_eq!(at.try_enter(&spec, later), None);
        assert_eq!(at.on_result(&spec, trial, true, Ns::ZERO, later), Some(State::Closed));
    }

    fn specs() -> impl Strategy<Value = Breaker> {
        (any::<bool>(), 1_u32..12, 1_u32..12, 1_u32..6, 1_u32..=10).prop_map(
            |(time, calls, minimum, trials, tenths)| Breaker {
                window: if time { Window::Time } else { Window::Count },
                lasts: Ns::secs(1),
                calls,
                minimum,
                failure_share: Share(f64::from(tenths) / 10.0),
                slow_after: Ns::millis(100),
                open_for: Ns::millis(500),
                half_open_calls: trials,
                ..Breaker::default()
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 256, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default()
        })]

        #[test]
        fn it_lets_through_what_its_state_allows(
            spec in specs(),
            events in prop::collection::vec((0_u64..300, 0_u8..10, 0_usize..8), 0..300),
        ) {
            let mut at = BreakerState::new(&spec);
            let mut inside: Vec<(Permit, State)> = Vec::new();
            // Every result of the present state, as (bucket, failed, slow), and the calls now on trial.
            let mut seen: Vec<(u64, bool, bool)> = Vec::new();
            let (mut trials, mut opened_at, mut now) = (0, None, Ns::ZERO);
            for (pause, event, which) in events {
                now = now.plus(Ns::millis(pause));
                let before = at.state();
                if event < 5 {
                    let permit = at.try_enter(&spec, now);
                    if before != at.state() {
                        prop_assert_eq!((before, at.state()), (State::Open, State::HalfOpen));
                        prop_assert!(opened_at.is_some_and(|since: Ns| now > since.plus(spec.open_for)));
                        (trials, seen) = (0, Vec::new());
                    }
                    match at.state() {
                        State::Closed => prop_assert!(permit.is_some()),
                        State::Open => prop_assert!(permit.is_none()),
                        State::HalfOpen => {
                            trials += u32::from(permit.is_some());
                            prop_assert!(trials <= spec.half_open_calls);
                            prop_assert!(permit.is_some() || trials == spec.half_open_calls);
                        }
                    }
                    inside.extend(permit.map(|permit| (permit, at.state())));
                    continue;
                }
                if inside.is_empty() {
                    continue;
                }
                let (permit, _) = inside.swap_remove(which % inside.len());
                let current = permit.0 == at.generation;
                let (ok, took) = (event > 7, Ns::millis(if event == 9 { 101 } else { 100 }));
                let change = at.on_result(&spec, permit, ok, took, now);
                prop_assert_eq!(change.unwrap_or(before), at.state());
                if !current {
                    prop_assert_eq!(change, None);
                    continue;
                }
                seen.push((now.0 / 100_000_000, !ok, event == 9));
                let should_be = verdict(&spec, before, &seen, now);
                prop_assert_eq!(change, should_be);
                if change.is_some() {
                    seen.clear();
                    opened_at = Some(now);
                }
            }
        }
    }

    /// The verdict counted out from every result of the state.
    fn verdict(spec: &Breaker, state: State, seen: &[(u64, bool, bool)], now: Ns) -> Option<State> {
        let first = now.0 / 100_000_000;
        let counted: Vec<_> = match (state, spec.window) {
            (State::Closed, Window::Time) => seen.iter().filter(|s| s.0 + 10 > first).collect(),
            (State::Closed, Window::Count) => seen.iter().rev().take(spec.calls as usize).collect(),
            _ => seen.iter().collect(),
        };
        let minimum = match (state, spec.window) {
            (State::Closed, Window::Time) => spec.minimum,
            (State::Closed, Window::Count) => spec.minimum.min(spec.calls),
            _ => spec.minimum.min(spec.half_open_calls),
        };
        if counted.len() < minimum as usize {
            return None;
        }
        let failed = counted.iter().filter(|s| s.1).count();
        let tenths = (spec.failure_share.0 * 10.0).round() as usize;
        let is_bad = failed * 10 >= tenths * counted.len() || counted.iter().all(|s| s.2);
        match state {
            State::HalfOpen if !is_bad => Some(State::Closed),
            _ => is_bad.then_some(State::Open),
        }
    }
}
