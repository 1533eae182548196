//! A spool: accepted calls wait, in memory or on disk, until the store takes them, at a bounded rate.
//!
//! It is the write-behind queue of log shippers and message agents (Fluent Bit's memory and filesystem buffers, rsyslog's
//! queues), reduced to what decides an outage: how much it holds, how fast it drains, and what a crash takes with it.
//! Items leave in the order in which they came. A write that failed goes back to the front and everything pauses; with
//! several writes side by side, those that fail come back in the reverse of the order in which they fail.
//!
//! Sans I/O: [`SpoolState::next_at`] says when a write may begin, [`SpoolState::take`] begins it, and
//! [`SpoolState::on_done`] or [`SpoolState::on_failed`] end it.
//!
//! Not modelled: batches, growing pauses, disks that are slow or full, what a crash leaves half written.

use crate::setting::{Scope, Silence, always, first_of, unless};
use crate::units::{Bytes, Ns, Rate};
use crate::{choices, settings};
use std::collections::VecDeque;

choices! {
    /// Where the spool keeps what it holds.
    pub enum SpoolTo = Memory {
        /// In the heap of the process: a crash loses it.
        Memory = "memory",
        /// On disk: it outlives the process.
        Disk = "disk",
    }
}

settings! {
    /// A queue of accepted calls that are written to the store later.
    pub struct Spool {
        /// Where it keeps them.
        pub to: SpoolTo = SpoolTo::Memory => always;
        /// Calls it holds, those being written included; one more is refused with 503; none: no bound.
        pub capacity: Option<u32> = Some(100_000), 1 ..= 1_000_000_000 => always;
        /// Fastest rate, per server, at which it is written to the store. (rate)
        pub replay: Rate = Rate(100.0), "1/h" ..= "1M/s" => always;
        /// Writes under way at once.
        pub side_by_side: u32 = 1, 1 ..= 100_000 => always;
        /// Pause after a failed write. (time)
        pub retry_every: Ns = Ns::secs(1), "0s" ..= "1h" => always;
        /// Data stored later than this after it was accepted counts as late. (time)
        pub late_after: Ns = Ns::secs(1), "0s" ..= "24h" => always;
        /// What a call in memory takes of the heap. (size)
        pub memory_per_call: Bytes = Bytes(2_000), "0B" ..= "1GB" => is_in_memory;
    }
}

fn is_in_memory(spool: &Spool, at: &Scope<'_>) -> Silence {
    let limited = at.fleet().is_some_and(|fleet| fleet.heap_limit < Bytes::UNLIMITED);
    first_of([
        unless(spool.to == SpoolTo::Memory, "`to` is \"disk\": it takes nothing of the heap"),
        unless(limited, "the fleet has no `heap_limit`: what is in memory is not counted"),
    ])
}

impl Spool {
    /// Time from the beginning of a write to the beginning of the next, rounded up to whole nanoseconds.
    pub fn pace(&self) -> Ns {
        Ns((1e9 / self.replay.0).ceil() as u64)
    }
}

/// How often a spool has been filled and emptied.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SpoolTurns {
    /// From empty to holding something.
    pub filled: u64,
    /// Calls that found it full.
    pub full: u64,
    /// From holding something to empty.
    pub emptied: u64,
}

impl SpoolTurns {
    /// Adds those of another spool.
    pub fn add(&mut self, other: SpoolTurns) {
        self.filled += other.filled;
        self.full += other.full;
        self.emptied += other.emptied;
    }
}

/// What waits in one spool, in order, and when the next may be written.
#[derive(Clone, PartialEq, Debug)]
pub struct SpoolState<T> {
    waiting: VecDeque<T>,
    under_way: u32,
    /// Most that it has held since somebody last asked.
    peak: usize,
    /// Places for writes, as last told by a [`Spool`].
    side_by_side: u32,
    next: Ns,
    turns: SpoolTurns,
}

impl<T> Default for SpoolState<T> {
    fn default() -> Self {
        SpoolState::new()
    }
}

impl<T> SpoolState<T> {
    /// Empty.
    pub fn new() -> SpoolState<T> {
        let turns = SpoolTurns::default();
        SpoolState { waiting: VecDeque::new(), under_way: 0, peak: 0, side_by_side: 1, next: Ns::ZERO, turns }
    }

    /// How many wait; those being written are not among them.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many are being written.
    pub fn under_way(&self) -> u32 {
        self.under_way
    }

    /// What it takes of the heap: all that waits or is being written, if it is kept in memory.
    pub fn memory(&self, spec: &Spool) -> Bytes {
        match spec.to {
            SpoolTo::Memory => Bytes((self.held() as u64).saturating_mul(spec.memory_per_call.0)),
            SpoolTo::Disk => Bytes(0),
        }
    }

    /// Most that it has held since this was last asked, those being written included.
    pub fn take_peak(&mut self) -> usize {
        let now = self.held();
        std::mem::replace(&mut self.peak, now).max(now)
    }

    fn held(&self) -> usize {
        self.waiting.len() + self.under_way as usize
    }

    /// A call comes.
    ///
    /// # Errors
    /// Gives it back if the spool is full.
    pub fn try_push(&mut self, spec: &Spool, item: T) -> Result<(), T> {
        if spec.capacity.is_some_and(|capacity| self.held() >= capacity as usize) {
            self.turns.full += 1;
            return Err(item);
        }
        self.turns.filled += u64::from(self.held() == 0);
        self.side_by_side = spec.side_by_side;
        self.waiting.push_back(item);
        self.peak = self.peak.max(self.held());
        Ok(())
    }

    /// When the next write may begin, from `now` on. None: nothing waits, or as many writes as may be are under way.
    pub fn next_at(&self, now: Ns) -> Option<Ns> {
        (!self.waiting.is_empty() && self.under_way < self.side_by_side).then(|| self.next.max(now))
    }

    /// Begins a write, if one may begin now.
    pub fn take(&mut self, spec: &Spool, now: Ns) -> Option<T> {
        if now < self.next || self.under_way >= spec.side_by_side {
            return None;
        }
        let item = self.waiting.pop_front()?;
        self.under_way += 1;
        self.next = now.plus(spec.pace());
        Some(item)
    }

    /// A write ended well.
    pub fn on_done(&mut self) {
        assert!(self.under_way > 0, "the end of a write that did not begin");
        self.under_way -= 1;
        self.turns.emptied += u64::from(self.held() == 0);
    }

    /// How often it has been filled and emptied.
    pub fn turns(&self) -> SpoolTurns {
        self.turns
    }

    /// A write failed: the item goes back to the front, and no write begins until the pause is over.
    pub fn on_failed(&mut self, spec: &Spool, item: T, now: Ns) {
        assert!(self.under_way > 0, "the end of a write that did not begin");
        self.under_way -= 1;
        self.waiting.push_front(item);
        self.next = self.next.max(now.plus(spec.retry_every));
    }

    /// The process died; no write is under way any more. Gives what is lost of what waited: from memory all, from disk
    /// nothing. What was being written is with the caller: lost from memory, [put back](SpoolState::put_back) from disk.
    pub fn crash(&mut self, spec: &Spool) -> Vec<T> {
        self.under_way = 0;
        match spec.to {
            SpoolTo::Memory => std::mem::take(&mut self.waiting).into(),
            SpoolTo::Disk => Vec::new(),
        }
    }

    /// After a crash, takes back what was being written from disk. To keep the order, the item begun last comes first.
    pub fn put_back(&mut self, item: T) {
        self.waiting.push_front(item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, *};
    use proptest::test_runner::RngSeed;

    #[test]
    fn a_spool_paces_pauses_and_keeps_its_order() {
        let spec = Spool { capacity: Some(3), ..Spool::default() };
        let mut at = SpoolState::new();
        assert_eq!((at.next_at(Ns::ZERO), at.take(&spec, Ns::ZERO)), (None, None));
        assert_eq!([1, 2, 3, 4].map(|i| at.try_push(&spec, i)), [Ok(()), Ok(()), Ok(()), Err(4)]);
        let ms = Ns::millis;
        assert_eq!((at.next_at(ms(5)), at.take(&spec, ms(5))), (Some(ms(5)), Some(1)));
        // One at a time; what is under way takes room.
        assert_eq!((at.next_at(ms(50)), at.take(&spec, ms(50)), at.try_push(&spec, 4)), (None, None, Err(4)));
        at.on_done();
        assert_eq!((at.try_push(&spec, 4), at.next_at(ms(7))), (Ok(()), Some(ms(15))));
        assert_eq!((at.take(&spec, ms(14)), at.take(&spec, ms(15))), (None, Some(2)));
        assert_eq!((at.take_peak(), at.take_peak()), (3, 3)); // what it holds at present is a peak, too
        // A failure puts it back to the front and pauses all.
        at.on_failed(&spec, 2, ms(20));
        assert_eq!((at.next_at(ms(20)), at.len(), at.memory(&spec)), (Some(ms(1020)), 3, Bytes(6000)));
        assert_eq!((at.take(&spec, ms(1019)), at.take(&spec, ms(1020))), (None, Some(2)));
        at.on_done();
        assert_eq!(at.turns(), SpoolTurns { filled: 1, full: 2, emptied: 0 });
    }

    #[test]
    fn a_crash_loses_what_is_in_memory_and_nothing_on_disk() {
        let spec = Spool { side_by_side: 2, replay: Rate(1e6), ..Spool::default() };
        let full = || {
            let mut at = SpoolState::new();
            (1..=4).for_each(|i| assert!(at.try_push(&spec, i).is_ok()));
            let taken = [at.take(&spec, Ns::ZERO), at.take(&spec, Ns::micros(1))];
            assert_eq!((taken, at.next_at(Ns::ZERO)), ([Some(1), Some(2)], None));
            at
        };
        let mut at = full();
        assert_eq!((at.crash(&spec), at.len(), at.under_way()), (vec![3, 4], 0, 0));
        let disk = Spool { to: SpoolTo::Disk, ..spec.clone() };
        let mut at = full();
        assert_eq!((at.crash(&disk), at.memory(&disk)), (vec![], Bytes(0)));
        at.put_back(2);
        at.put_back(1);
        assert_eq!(at.waiting, [1, 2, 3, 4]);
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 256, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default()
        })]

        #[test]
        fn nothing_is_lost_doubled_or_too_fast(
            capacity in 1_u32..12,
            side_by_side in 1_u32..4,
            per_second in 1_u32..2000,
            disk: bool,
            events in prop::collection::vec((0_u64..3_000_000, 0_u8..16, any::<bool>()), 0..300),
        ) {
            let spec = Spool {
                to: if disk { SpoolTo::Disk } else { SpoolTo::Memory },
                capacity: Some(capacity),
                replay: Rate(f64::from(per_second)),
                side_by_side,
                retry_every: Ns::millis(20),
                ..Spool::default()
            };
            let (mut at, mut now) = (SpoolState::new(), Ns::ZERO);
            // Every item is in one place: waiting, being written, stored or lost.
            let (mut accepted, mut stored, mut lost) = (0_u32, Vec::new(), Vec::new());
            let (mut writing, mut begun, mut paused_until) = (Vec::new(), Vec::new(), Ns::ZERO);
            for (pause, event, last) in events {
                now = now.plus(Ns(pause));
                match event {
                    0..=6 => match at.try_push(&spec, accepted) {
                        Ok(()) => accepted += 1,
                        Err(back) => prop_assert!(back == accepted && at.held() == capacity as usize),
                    },
                    7..=10 => {
                        let may = at.next_at(now).is_some_and(|at| at <= now);
                        let item = at.take(&spec, now);
                        prop_assert_eq!(item.is_some(), may);
                        if let Some(item) = item {
                            prop_assert!(now >= paused_until);
                            writing.push(item);
                            begun.push(now);
                        }
                    }
                    11..=14 if !writing.is_empty() => {
                        let item = if last { writing.pop() } else { Some(writing.remove(0)) };
                        let item = item.unwrap_or_default();
                        if event < 14 {
                            at.on_done();
                            stored.push(item);
                        } else {
                            at.on_failed(&spec, item, now);
                            paused_until = now.plus(spec.retry_every);
                        }
                    }
                    15 if last => {
                        lost.extend(at.crash(&spec));
                        while let Some(item) = writing.pop() {
                            if disk { at.put_back(item) } else { lost.push(item) }
                        }
                    }
                    _ => {}
                }
                prop_assert!(at.held() <= capacity as usize);
                prop_assert_eq!(at.under_way() as usize, writing.len());
                prop_assert!(writing.len() <= side_by_side as usize);
            }
            prop_assert!(lost.is_empty() || !disk);
            // One write at a time never changes the order, whatever fails.
            prop_assert!(side_by_side > 1 || stored.is_sorted());
            // Over any window: no more writes begin than its length allows, and one.
            prop_assert!(begun.windows(2).all(|w| w[1].minus(w[0]).0 as f64 * f64::from(per_second) >= 1e9));
            let mut all: Vec<_> = at.waiting.iter().copied().chain(writing).chain(stored).chain(lost).collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..accepted).collect::<Vec<_>>());
        }
    }
}
