//! What is due, in order of (time, insertion).
//!
//! Most events of such a world are due a constant time after they are raised: hops, timeouts, check
//! intervals. Each such delay has a lane of its own, a first-in-first-out ring, or, for timers that are mostly
//! cancelled, a linked list from which a timer is taken in constant time. Only what is due at odd times
//! (ends of random work) goes through a heap. The next event is the least of the lanes' heads.
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
    /// The least key of each lane; the last place is the heap's.
    heads: Vec<Key>,
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
            heads: vec![EMPTY],
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
        self.heads.push(EMPTY);
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
            self.heads[lane.0 as usize + 1] = key;
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
            self.heads[lane.0 as usize + 1] = entry.key;
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
            self.heads[lane + 1] = head;
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
        let mut at = self.heap.len();
        self.heap.push(entry);
        while at > 0 {
            let parent = (at - 1) / ARITY;
            if self.heap[parent].key <= entry.key {
                break;
            }
            self.heap[at] = self.heap[parent];
            at = parent;
        }
        self.heap[at] = entry;
        self.heads[0] = self.heap[0].key;
    }

    #[inline]
    fn pop_heap(&mut self) -> Entry {
        let top = self.heap[0];
        let last = self.heap.len() - 1;
        let entry = self.heap[last];
        self.heap.truncate(last);
        let mut at = 0;
        loop {
            let first = at * ARITY + 1;
            if first >= last {
                break;
            }
            let children = &self.heap[first..last.min(first + ARITY)];
            let mut least = 0;
            for (i, child) in children.iter().enumerate().skip(1) {
                if child.key < children[least].key {
                    least = i;
                }
            }
            if children[least].key >= entry.key {
                break;
            }
            self.heap[at] = children[least];
            at = first + least;
        }
        if last > 0 {
            self.heap[at] = entry;
        }
        self.heads[0] = self.heap.first().map_or(EMPTY, |e| e.key);
        top
    }

    /// Takes the next event due at `until` or before.
    #[inline]
    pub fn pop(&mut self, until: Ns) -> Option<Event> {
        let mut lane = 0;
        let mut least = self.heads[0];
        for (i, key) in self.heads.iter().enumerate().skip(1) {
            if *key < least {
                least = *key;
                lane = i;
            }
        }
        let time = time_of(least);
        if least == EMPTY || time > until {
            return None;
        }
        debug_assert!(time >= self.now);
        self.now = time;
        if lane == 0 {
            return Some(self.pop_heap().event);
        }
        match &mut self.lanes[lane - 1].queue {
            Queue::Ring(ring) => {
                let entry = ring.pop_front()?;
                self.heads[lane] = ring.front().map_or(EMPTY, |e| e.key);
                Some(entry.event)
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
        let order: Vec<_> = drain(&mut due).into_iter().map(|(time, e)| (time, e)).collect();
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
