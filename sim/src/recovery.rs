//! When things are as they were again: what is looked at after an outage or a fault has ended.
//!
//! The time since the end is cut into slots: of a second at first, later of a hundredth of the time that has passed. So
//! the resolution is a second or 1%, whatever the steps of the timeline are, and a day has less than a thousand slots.

use brownout_models::units::Ns;

/// Shortest slot.
const SLOT: Ns = Ns::secs(1);
/// Shortest slot where a run has had [`SLOTS`] of them already: faults that come again and again.
const LATER_SLOT: Ns = Ns::secs(60);
/// Most short slots in a run, populations together.
const SLOTS: usize = 40_000;

/// The slots after the last end.
#[derive(Clone, Debug)]
pub struct Recovery {
    from: Ns,
    /// When the next slot begins; never before the first end.
    pub(crate) next: Ns,
    /// When slots have begun since the last end, the first one excepted, which begins with it.
    slots: Vec<Ns>,
    /// Short slots that there may be yet.
    left: usize,
}

impl Recovery {
    /// Nothing has ended, in a run of so many populations.
    pub(crate) fn new(populations: usize) -> Recovery {
        Recovery { from: Ns::ZERO, next: Ns::NEVER, slots: Vec::new(), left: SLOTS / populations.max(1) }
    }

    /// Something has ended.
    pub(crate) fn begin(&mut self, at: Ns) {
        self.from = at;
        self.next = at;
        self.slots.clear();
        self.plan_next();
    }

    /// A slot begins, if the next is due at that time.
    pub(crate) fn slot_begins(&mut self, at: Ns) {
        if self.next == at {
            self.slots.push(at);
            self.plan_next();
        }
    }

    fn plan_next(&mut self) {
        let shortest = if self.left > 0 { SLOT } else { LATER_SLOT };
        self.left = self.left.saturating_sub(1);
        self.next = self.next.plus(shortest.max(Ns(self.next.minus(self.from).0 / 100)));
    }

    /// The slots up to the end of the run, as their beginnings and ends.
    pub fn slots(&self, end: Ns) -> impl Iterator<Item = (Ns, Ns)> + '_ {
        let begins = std::iter::once(self.from).chain(self.slots.iter().copied());
        let ends = self.slots.iter().copied().chain([end]);
        begins.zip(ends)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(populations: usize, ends: u64) -> Recovery {
        let mut recovery = Recovery::new(populations);
        for end in 0..ends {
            recovery.begin(Ns::secs(end));
        }
        while recovery.next < Ns::secs(86_400) {
            recovery.slot_begins(recovery.next);
        }
        recovery
    }

    #[test]
    fn slots_are_of_a_second_or_of_a_hundredth_of_the_time_passed() {
        let recovery = day(1, 1);
        let slots: Vec<_> = recovery.slots(Ns::secs(86_400)).collect();
        assert!(slots.len() < 1000, "{}", slots.len());
        for (from, to) in &slots[..slots.len() - 1] {
            let (length, passed) = (to.minus(*from), *from);
            assert!(length == Ns::secs(1).max(Ns(passed.0 / 100)), "{length} after {passed}");
        }
        assert!(slots.windows(2).all(|pair| pair[0].1 == pair[1].0));
    }

    #[test]
    fn faults_that_come_again_and_again_do_not_fill_the_memory() {
        assert!(day(1, 50_000).slots(Ns::secs(86_400)).count() < 1000);
        assert_eq!(day(1, 50_000).slots(Ns::secs(86_400)).next().map(|(from, to)| to.minus(from)), Some(Ns::secs(60)));
        assert!(day(1, 10).slots.len() > day(100_000, 10).slots.len());
    }
}
