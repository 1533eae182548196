//! What is due, in order of (time, insertion).
//!
//! Most events of such a world are due a constant time after they are raised: hops, timeouts, check
//! intervals. Each such delay has a lane of its own, a first-in-first-out ring, or, for timers that are mostly
//! cancelled, a linked list from which a timer is taken in constant time. Only what is due at odd times
//! (ends of random work) goes through a heap. The next event is the first of the lanes' heads, which are kept in order.
//!
//! Two things are put off, since mostly they need not be done at all. A lane's new head takes its place among the heads
//! when the next event is asked for, not when the old one is taken: until then something may be raised on that very lane.
//! And a cancelled timer's place among the heads stays until it comes first, which a timer of seconds does seldom.
//!
//! Nothing is allocated per event once the rings have grown to their largest size.

mod heads;
mod heap;

use brownout_models::kernel::{Event, Lane, Timer};
use brownout_models::slab::Ref;
use brownout_models::units::Ns;
use heads::Heads;
use heap::Heap;
use std::collections::VecDeque;

/// Time (64 bits), insertion number (48) and lane (16) in one: one comparison orders two events, and the earliest says
/// where it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Key(u128);

impl Key {
    /// Later than any event: nothing is due at the end of time.
    const EMPTY: Key = Key(u128::MAX);

    /// Of something due at `time` on a lane; `raised` is its insertion number, shifted to its place.
    fn new(time: Ns, raised: u64, lane: u16) -> Key {
        Key((u128::from(time.0) << 64) | u128::from(raised | u64::from(lane)))
    }
    fn is_empty(self) -> bool {
        self.time() == Ns::NEVER
    }
    fn time(self) -> Ns {
        Ns((self.0 >> 64) as u64)
    }
    fn lane(self) -> u16 {
        self.0 as u16
    }
}

/// One insertion more, in its place in a [`Key`].
const NEXT: u64 = 1 << 16;
const NIL: u32 = u32::MAX;
/// The heap's number among the lanes.
const HEAP: u16 = u16::MAX;
/// No lane.
const NOBODY: u16 = u16::MAX - 1;

#[derive(Clone, Copy)]
struct Entry {
    key: Key,
    event: Event,
}

enum Queue {
    Ring(VecDeque<Entry>),
    List(Timers),
}

/// Timers between the knot of that number and itself, in a circle.
struct Timers {
    circle: u32,
    /// Whether the lane is among the heads: with its first, or with one cancelled since.
    has_head: bool,
}

struct LaneState {
    delay: Ns,
    queue: Queue,
}

/// A timer's place in its lane's circle; or a circle's beginning and end, with an empty key.
struct Node {
    entry: Entry,
    generation: u32,
    before: u32,
    after: u32,
}

/// The queue of everything that is due.
pub struct Due {
    now: Ns,
    end: Ns,
    /// How often something was raised, in the place that it has in a [`Key`].
    raised: u64,
    heads: Heads,
    /// The lane whose head was taken last; it is still among the heads, to be replaced by the next. Or [`NOBODY`].
    taken: u16,
    next: Key,
    lanes: Vec<LaneState>,
    nodes: Vec<Node>,
    /// The first of the unused nodes, each of which knows the next.
    free: u32,
    heap: Heap,
}

impl Due {
    /// An empty queue for a run from zero to `end`; what is due later is not kept.
    pub fn new(end: Ns) -> Due {
        Due {
            now: Ns::ZERO,
            end: end.min(Ns(Ns::NEVER.0 - 1)),
            raised: 0,
            heads: Heads::default(),
            taken: NOBODY,
            next: Key::EMPTY,
            lanes: Vec::new(),
            nodes: Vec::new(),
            free: NIL,
            heap: Heap::default(),
        }
    }

    /// How much was due at once, at most: timers, and what is due at odd times.
    pub fn peak(&self) -> usize {
        self.nodes.len() + self.heap.peak()
    }

    /// The time of the last event taken.
    pub fn now(&self) -> Ns {
        self.now
    }

    /// When the run ends.
    pub fn end(&self) -> Ns {
        self.end
    }

    fn open(&mut self, delay: Ns, queue: Queue) -> Lane {
        let lane = Lane(self.lanes.len() as u16);
        assert!(self.lanes.len() < usize::from(NOBODY), "too many lanes");
        self.lanes.push(LaneState { delay, queue });
        lane
    }

    /// A lane of its own.
    pub fn own_lane(&mut self) -> Lane {
        self.open(Ns::NEVER, Queue::Ring(VecDeque::new()))
    }

    /// The lane of a delay; equal delays share one.
    pub fn lane(&mut self, delay: Ns, timers: bool) -> Lane {
        let same = |l: &LaneState| l.delay == delay && timers == matches!(l.queue, Queue::List(_));
        match self.lanes.iter().position(same).filter(|_| delay != Ns::NEVER) {
            Some(at) => Lane(at as u16),
            None if timers => {
                let circle = self.nodes.len() as u32;
                let entry = Entry { key: Key::EMPTY, event: Event::Timeline(NIL) };
                self.nodes.push(Node { entry, generation: 0, before: circle, after: circle });
                self.open(delay, Queue::List(Timers { circle, has_head: false }))
            }
            None => self.open(delay, Queue::Ring(VecDeque::new())),
        }
    }

    /// The delay of a lane.
    pub fn delay(&self, lane: Lane) -> Ns {
        self.lanes[lane.0 as usize].delay
    }

    /// The key of the next event on a lane.
    #[inline]
    fn key(&mut self, time: Ns, lane: u16) -> Key {
        self.raised += NEXT;
        Key::new(time, self.raised, lane)
    }

    /// A lane that had nothing has something.
    #[inline]
    fn enter(&mut self, key: Key) {
        if self.taken == key.lane() {
            self.next = key;
        } else {
            self.heads.enter(key);
        }
    }

    /// Raises an event the lane's delay from now.
    #[inline(always)]
    pub fn after(&mut self, lane: Lane, event: Event) {
        let time = self.now.plus(self.lanes[lane.0 as usize].delay);
        self.on(lane, time, event);
    }

    /// Raises an event on a lane at a time not before the lane's last.
    #[inline(always)]
    pub fn on(&mut self, lane: Lane, time: Ns, event: Event) {
        if time > self.end {
            return;
        }
        let key = self.key(time, lane.0);
        let Queue::Ring(ring) = &mut self.lanes[lane.0 as usize].queue else {
            panic!("a timer lane takes timers only")
        };
        debug_assert!(ring.back().is_none_or(|last| last.key < key), "a lane goes forward only");
        let had_nothing = ring.is_empty();
        ring.push_back(Entry { key, event });
        if had_nothing {
            self.enter(key);
        }
    }

    /// Sets a timer the lane's delay from now.
    #[inline(always)]
    pub fn arm(&mut self, lane: Lane, event: Event) -> Timer {
        let time = self.now.plus(self.lanes[lane.0 as usize].delay);
        if time > self.end {
            return Timer::NONE;
        }
        let key = self.key(time, lane.0);
        let Queue::List(timers) = &mut self.lanes[lane.0 as usize].queue else { panic!("not a timer lane") };
        let (circle, had_head) = (timers.circle, std::mem::replace(&mut timers.has_head, true));
        let before = self.nodes[circle as usize].before;
        let (place, generation) = match self.nodes.get(self.free as usize) {
            Some(unused) => (std::mem::replace(&mut self.free, unused.after), unused.generation),
            None => (self.nodes.len() as u32, 0),
        };
        let node = Node { entry: Entry { key, event }, generation, before, after: circle };
        match self.nodes.get_mut(place as usize) {
            Some(unused) => *unused = node,
            None => self.nodes.push(node),
        }
        self.nodes[before as usize].after = place;
        self.nodes[circle as usize].before = place;
        if !had_head {
            self.enter(key);
        }
        Timer(Ref { index: place, generation })
    }

    /// Takes a timer back; one that has gone off is ignored.
    #[inline(always)]
    pub fn cancel(&mut self, timer: Timer) {
        let Ref { index, generation } = timer.0;
        if self.nodes.get(index as usize).is_some_and(|node| node.generation == generation) {
            self.unlink(index);
        }
    }

    #[inline(always)]
    fn unlink(&mut self, place: u32) {
        let free = self.free;
        let node = &mut self.nodes[place as usize];
        node.generation = node.generation.wrapping_add(1);
        let (before, after) = (node.before, std::mem::replace(&mut node.after, free));
        self.nodes[before as usize].after = after;
        self.nodes[after as usize].before = before;
        self.free = place;
    }

    /// Raises an event at any time not in the past.
    #[inline(always)]
    pub fn at(&mut self, time: Ns, event: Event) {
        assert!(time >= self.now, "an event in the past");
        if time > self.end {
            return;
        }
        let key = self.key(time, HEAP);
        if self.heap.push(Entry { key, event }) {
            let first = self.heap.first();
            if self.taken == HEAP {
                self.next = first;
            } else {
                self.heads.earlier(first);
            }
        }
    }

    /// A time before which nothing is due: that of the next event, or of a timer that was cancelled.
    pub fn next_time(&mut self) -> Option<Ns> {
        self.settle_taken();
        self.heads.first().map(Key::time)
    }

    /// Takes the next event due at `until` or before.
    #[inline(always)]
    pub fn pop(&mut self, until: Ns) -> Option<Event> {
        loop {
            self.settle_taken();
            let first = self.heads.first()?;
            if first.time() > until {
                return None;
            }
            let lane = first.lane();
            self.taken = lane;
            if lane == HEAP {
                self.now = first.time();
                return Some(self.heap.take());
            }
            if let Queue::Ring(ring) = &mut self.lanes[usize::from(lane)].queue {
                self.now = first.time();
                let event = ring.pop_front().map(|entry| entry.event);
                self.next = ring.front().map_or(Key::EMPTY, |entry| entry.key);
                return event;
            }
            if let Some(event) = self.take_timer(first) {
                return Some(event);
            }
        }
    }

    /// Puts what comes next on the lane of the event taken last in its place.
    #[inline(always)]
    fn settle_taken(&mut self) {
        if self.taken == NOBODY {
            return;
        }
        if self.heap.is_open() {
            self.heap.close();
            self.next = self.heap.first();
        }
        self.heads.replace_first(self.next);
        self.taken = NOBODY;
    }

    /// Takes the timer of that key, if it has not been cancelled. Whatever comes next on its lane is its head.
    #[inline(never)]
    fn take_timer(&mut self, key: Key) -> Option<Event> {
        let Queue::List(timers) = &mut self.lanes[usize::from(key.lane())].queue else {
            unreachable!("a timer's lane is a list")
        };
        let circle = timers.circle as usize;
        let first = self.nodes[circle].after;
        let Entry { key: earliest, event } = self.nodes[first as usize].entry;
        let is_due = earliest == key;
        if is_due {
            self.now = key.time();
            let second = self.nodes[first as usize].after;
            self.next = self.nodes[second as usize].entry.key;
        } else {
            self.next = earliest;
        }
        timers.has_head = !self.next.is_empty();
        if is_due {
            self.unlink(first);
        }
        is_due.then_some(event)
    }

    /// Time passes up to `until` without an event.
    pub fn advance_to(&mut self, until: Ns) {
        self.now = self.now.max(until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(due: &mut Due) -> Vec<(u64, Event)> {
        let mut out = Vec::new();
        while let Some(event) = due.pop(Ns::NEVER) {
            out.push((due.now().0, event));
        }
        out
    }

    #[test]
    fn events_come_in_order_of_time_and_ties_in_order_of_insertion() {
        let mut due = Due::new(Ns(1000));
        let (fast, slow, timers) = (due.lane(Ns(5), false), due.lane(Ns(10), false), due.lane(Ns(10), true));
        due.after(slow, Event::Check(1));
        due.at(Ns(10), Event::Check(2));
        due.arm(timers, Event::Check(3));
        due.after(fast, Event::Check(4));
        due.at(Ns(3), Event::Check(5));
        due.at(Ns(1001), Event::Check(6));
        let order: Vec<_> = drain(&mut due);
        let should_be = [(3, 5), (5, 4), (10, 1), (10, 2), (10, 3)].map(|(t, n)| (t, Event::Check(n)));
        assert_eq!(order, should_be);
    }

    #[test]
    fn a_cancelled_timer_is_silent_and_cancelling_twice_is_harmless() {
        let mut due = Due::new(Ns(1000));
        let lane = due.lane(Ns(10), true);
        let timers: Vec<_> = (0..4).map(|n| due.arm(lane, Event::Check(n))).collect();
        for n in [1, 0, 3] {
            due.cancel(timers[n]);
            due.cancel(timers[n]);
        }
        let again = due.arm(lane, Event::Check(9));
        due.cancel(timers[3]);
        assert_eq!(drain(&mut due), [(10, Event::Check(2)), (10, Event::Check(9))]);
        due.cancel(again);
    }

    /// The same by searching a list.
    #[derive(Default)]
    struct Plain {
        due: Vec<(u64, u64, Event)>,
        raised: u64,
    }

    impl Plain {
        fn raise(&mut self, time: u64, event: Event) -> u64 {
            self.raised += NEXT;
            self.due.push((time, self.raised, event));
            self.raised
        }
        fn pop(&mut self, until: u64) -> Option<(u64, Event)> {
            let least = self.due.iter().enumerate().min_by_key(|(_, (time, number, _))| (*time, *number));
            let (at, _) = least.filter(|(_, (time, ..))| *time <= until)?;
            let (time, _, event) = self.due.remove(at);
            Some((time, event))
        }
    }

    #[test]
    fn whatever_is_raised_and_cancelled_comes_as_from_a_sorted_list() {
        let (mut due, mut plain) = (Due::new(Ns::NEVER), Plain::default());
        let rings = [3, 50, 500].map(|delay| (delay, due.lane(Ns(delay), false)));
        let lists = [40, 400].map(|delay| (delay, due.lane(Ns(delay), true)));
        let (mut timers, mut x, mut taken) = (Vec::new(), 1_u64, 0);
        for n in 0..100_000 {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (random, now, event) = ((x >> 40) as usize, due.now(), Event::Check(n));
            let pick = random / 16;
            match random % 16 {
                0..3 => {
                    let (delay, lane) = rings[pick % rings.len()];
                    due.after(lane, event);
                    plain.raise(now.0 + delay, event);
                }
                3..6 => {
                    let (delay, lane) = lists[pick % lists.len()];
                    timers.push((due.arm(lane, event), plain.raise(now.0 + delay, event)));
                }
                6..8 => {
                    let time = now.0 + pick as u64 % 200;
                    due.at(Ns(time), event);
                    plain.raise(time, event);
                }
                8..11 if !timers.is_empty() => {
                    let (timer, number) = timers.swap_remove(pick % timers.len());
                    due.cancel(timer);
                    plain.due.retain(|(_, raised, _)| *raised != number);
                }
                _ => {
                    let until = now.0 + pick as u64 % 32;
                    let event = due.pop(Ns(until));
                    assert_eq!(event.map(|event| (due.now().0, event)), plain.pop(until));
                    taken += u32::from(event.is_some());
                    due.advance_to(if event.is_some() { due.now() } else { Ns(until) });
                }
            }
        }
        assert!(taken > 20_000, "{taken}");
        assert!(drain(&mut due).into_iter().eq(std::iter::from_fn(|| plain.pop(u64::MAX))));
    }
}
