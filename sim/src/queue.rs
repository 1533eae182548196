//! What is due, in order of (time, insertion).
//!
//! Most events of such a world are due a constant time after they are raised: hops, timeouts, check
//! intervals. Each such delay has a lane of its own, a first-in-first-out ring, or, for timers that are mostly
//! cancelled, a linked list from which a timer is taken in constant time. Only what is due at odd times
//! (ends of random work) goes through a heap. The next event is the first of the
//! lanes' heads, which are kept in order: there are few, and after an event its lane seldom falls back by more than
//! one or two places.
//!
//! Nothing is allocated per event once the rings have grown to their largest size.

use brownout_models::kernel::{Event, Lane, Timer};
use brownout_models::slab::Ref;
use brownout_models::units::Ns;
use std::collections::VecDeque;

/// Time and insertion number in one, so that one comparison orders both.
type Key = u128;
const EMPTY: Key = Key::MAX;
const NIL: u32 = u32::MAX;
/// The heap's number among the lanes.
const HEAP: u32 = 0;
/// Children of a heap node; four keep it shallow and its nodes together in the cache.
const ARITY: usize = 4;

#[derive(Clone, Copy)]
struct Entry {
    key: Key,
    event: Event,
}

fn time_of(key: Key) -> Ns {
    Ns((key >> 64) as u64)
}

/// What a lane has to offer next; the lane with the number zero is the heap.
#[derive(Clone, Copy)]
struct Head {
    key: Key,
    lane: u32,
}

/// The heads of all lanes that hold anything, the first one last.
#[derive(Default)]
struct Heads(Vec<Head>);

impl Heads {
    /// The first one's lane holds another, or (with an empty key) nothing any more.
    #[inline]
    fn next_of_first(&mut self, key: Key) {
        let Some(Head { lane, .. }) = self.0.pop() else { return };
        if key != EMPTY {
            self.enter(Head { key, lane });
        }
    }

    /// A lane that held nothing holds something.
    #[inline]
    fn enter(&mut self, head: Head) {
        self.0.push(head);
        self.fall_back(self.0.len() - 1, head);
    }

    /// Puts a head at a free place, or further back where it belongs.
    #[inline]
    fn fall_back(&mut self, mut at: usize, head: Head) {
        while at > 0 && self.0[at - 1].key < head.key {
            self.0[at] = self.0[at - 1];
            at -= 1;
        }
        self.0[at] = head;
    }

    /// A lane's head was taken out; the next is due later, or (with an empty key) there is none.
    fn later(&mut self, lane: u32, key: Key) {
        let Some(at) = self.0.iter().rposition(|h| h.lane == lane) else { return };
        if key == EMPTY {
            self.0.remove(at);
        } else {
            self.fall_back(at, Head { key, lane });
        }
    }

    /// A lane has a head that is due earlier than its last one, if it had one.
    fn earlier(&mut self, lane: u32, key: Key) {
        if let Some(at) = self.0.iter().rposition(|h| h.lane == lane) {
            self.0.remove(at);
        }
        self.enter(Head { key, lane });
    }
}

enum Queue {
    Ring(VecDeque<Entry>),
    List { first: u32, last: u32 },
}

struct LaneAt {
    delay: Ns,
    queue: Queue,
}

/// A timer's place in its lane's list.
struct Node {
    entry: Entry,
    generation: u32,
    lane: u16,
    before: u32,
    after: u32,
}

/// The queue of everything that is due.
pub struct Due {
    now: Ns,
    end: Ns,
    raised: u64,
    heads: Heads,
    lanes: Vec<LaneAt>,
    nodes: Vec<Node>,
    free: Vec<u32>,
    heap: Vec<Entry>,
}

impl Due {
    /// An empty queue for a run from zero to `end`; what is due later is not kept.
    pub fn new(end: Ns) -> Due {
        Due {
            now: Ns::ZERO,
            end,
            raised: 0,
            heads: Heads::default(),
            lanes: Vec::new(),
            nodes: Vec::new(),
            free: Vec::new(),
            heap: Vec::new(),
        }
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
        assert!(self.lanes.len() < usize::from(u16::MAX), "too many lanes");
        self.lanes.push(LaneAt { delay, queue });
        lane
    }

    /// A lane of its own.
    pub fn own_lane(&mut self) -> Lane {
        self.open(Ns::NEVER, Queue::Ring(VecDeque::new()))
    }

    /// The lane of a delay; equal delays share one.
    pub fn lane(&mut self, delay: Ns, timers: bool) -> Lane {
        let same = |l: &LaneAt| l.delay == delay && timers == matches!(l.queue, Queue::List { .. });
        match self.lanes.iter().position(same).filter(|_| delay != Ns::NEVER) {
            Some(at) => Lane(at as u16),
            None if timers => self.open(delay, Queue::List { first: NIL, last: NIL }),
            None => self.open(delay, Queue::Ring(VecDeque::new())),
        }
    }

    /// The delay of a lane.
    pub fn delay(&self, lane: Lane) -> Ns {
        self.lanes[lane.0 as usize].delay
    }

    #[inline]
    fn key(&mut self, time: Ns) -> Key {
        self.raised += 1;
        (Key::from(time.0) << 64) | Key::from(self.raised)
    }

    /// Raises an event the lane's delay from now.
    #[inline]
    pub fn after(&mut self, lane: Lane, event: Event) {
        let time = self.now.plus(self.lanes[lane.0 as usize].delay);
        self.on(lane, time, event);
    }

    /// Raises an event on a lane at a time not before the lane's last.
    #[inline]
    pub fn on(&mut self, lane: Lane, time: Ns, event: Event) {
        if time > self.end {
            return;
        }
        let key = self.key(time);
        let Queue::Ring(ring) = &mut self.lanes[lane.0 as usize].queue else {
            panic!("a timer lane takes timers only")
        };
        if ring.is_empty() {
            self.heads.enter(Head { key, lane: u32::from(lane.0) + 1 });
        }
        debug_assert!(ring.back().is_none_or(|last| last.key < key), "a lane goes forward only");
        ring.push_back(Entry { key, event });
    }

    /// Sets a timer the lane's delay from now.
    #[inline]
    pub fn arm(&mut self, lane: Lane, event: Event) -> Timer {
        let time = self.now.plus(self.lanes[lane.0 as usize].delay);
        if time > self.end {
            return Timer::NONE;
        }
        let entry = Entry { key: self.key(time), event };
        let Queue::List { first, last } = &mut self.lanes[lane.0 as usize].queue else { panic!("not a timer lane") };
        let before = *last;
        let place = match self.free.pop() {
            Some(place) => {
                let node = &mut self.nodes[place as usize];
                *node = Node { entry, generation: node.generation, lane: lane.0, before, after: NIL };
                place
            }
            None => {
                self.nodes.push(Node { entry, generation: 0, lane: lane.0, before, after: NIL });
                (self.nodes.len() - 1) as u32
            }
        };
        *last = place;
        if before == NIL {
            *first = place;
            self.heads.enter(Head { key: entry.key, lane: u32::from(lane.0) + 1 });
        } else {
            self.nodes[before as usize].after = place;
        }
        Timer(Ref { index: place, generation: self.nodes[place as usize].generation })
    }

    /// Takes a timer back; one that has gone off is ignored.
    #[inline]
    pub fn cancel(&mut self, timer: Timer) {
        let Ref { index, generation } = timer.0;
        if index != NIL && self.nodes[index as usize].generation == generation {
            self.unlink(index);
        }
    }

    #[inline]
    fn unlink(&mut self, place: u32) {
        let node = &mut self.nodes[place as usize];
        node.generation = node.generation.wrapping_add(1);
        let (lane, before, after) = (node.lane as usize, node.before, node.after);
        if before != NIL {
            self.nodes[before as usize].after = after;
        }
        if after != NIL {
            self.nodes[after as usize].before = before;
        }
        let head = if after == NIL { EMPTY } else { self.nodes[after as usize].entry.key };
        let Queue::List { first, last } = &mut self.lanes[lane].queue else { unreachable!("nodes live in lists") };
        if before == NIL {
            *first = after;
            self.heads.later(lane as u32 + 1, head);
        }
        if after == NIL {
            *last = before;
        }
        self.free.push(place);
    }

    /// Raises an event at any time not in the past.
    #[inline]
    pub fn at(&mut self, time: Ns, event: Event) {
        assert!(time >= self.now, "an event in the past");
        if time > self.end {
            return;
        }
        let entry = Entry { key: self.key(time), event };
        self.heap.push(entry);
        if self.rise(self.heap.len() - 1, entry) == 0 {
            self.heads.earlier(HEAP, entry.key);
        }
    }

    /// Puts an entry at a free place of the heap, or above it where it belongs; says where.
    #[inline]
    fn rise(&mut self, mut at: usize, entry: Entry) -> usize {
        while at > 0 {
            let parent = (at - 1) / ARITY;
            if self.heap[parent].key <= entry.key {
                break;
            }
            self.heap[at] = self.heap[parent];
            at = parent;
        }
        self.heap[at] = entry;
        at
    }

    /// Takes the top of the heap. The gap sinks to the bottom, the least child rising each time, and there takes
    /// the last entry in, which seldom rises far: so which way to go is computed, not guessed.
    #[inline]
    fn pop_heap(&mut self) -> Event {
        let top = self.heap[0].event;
        let Some(last) = self.heap.pop() else { return top };
        let mut gap = 0;
        while let Some(children) = self.heap.get(gap * ARITY + 1..gap * ARITY + 1 + ARITY) {
            let left = usize::from(children[1].key < children[0].key);
            let right = 2 + usize::from(children[3].key < children[2].key);
            let least = if children[right].key < children[left].key { right } else { left };
            let child = children[least];
            self.heap[gap] = child;
            gap = gap * ARITY + 1 + least;
        }
        let rest = self.heap.iter().enumerate().skip(gap * ARITY + 1);
        if let Some((least, child)) = rest.min_by_key(|(_, e)| e.key).map(|(i, e)| (i, *e)) {
            self.heap[gap] = child;
            gap = least;
        }
        if !self.heap.is_empty() {
            self.rise(gap, last);
        }
        self.heads.next_of_first(self.heap.first().map_or(EMPTY, |e| e.key));
        top
    }

    /// Takes the next event due at `until` or before.
    #[inline]
    pub fn pop(&mut self, until: Ns) -> Option<Event> {
        let Head { key, lane } = *self.heads.0.last()?;
        let time = time_of(key);
        if time > until {
            return None;
        }
        debug_assert!(time >= self.now);
        self.now = time;
        if lane == HEAP {
            return Some(self.pop_heap());
        }
        match &mut self.lanes[lane as usize - 1].queue {
            Queue::Ring(ring) => {
                let event = ring.pop_front()?.event;
                self.heads.next_of_first(ring.front().map_or(EMPTY, |e| e.key));
                Some(event)
            }
            Queue::List { first, .. } => {
                let place = *first;
                let event = self.nodes[place as usize].entry.event;
                self.unlink(place);
                Some(event)
            }
        }
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

    #[test]
    fn a_million_random_events_come_out_sorted() {
        let mut due = Due::new(Ns::NEVER);
        let lane = due.lane(Ns(500), false);
        let mut x = 1_u64;
        let mut last = 0;
        for n in 0..1_000_000_u64 {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            if n % 3 == 0 {
                due.after(lane, Event::Check(0));
            } else {
                due.at(Ns(due.now().0 + (x >> 54)), Event::Check(1));
            }
            if n % 2 == 0 {
                due.pop(Ns::NEVER);
                assert!(due.now().0 >= last);
                last = due.now().0;
            }
        }
        drain(&mut due);
    }
}
