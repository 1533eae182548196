//! The queue by itself, with as many events in it as in the reference workload.

use super::timed;
use brownout_models::kernel::Event;
use brownout_models::units::Ns;
use brownout_sim::queue::Due;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

const EVENTS: u64 = 4_000_000;
/// Events due at odd times, as many as workers are busy in the reference workload.
const AT_WORK: u64 = 90;
/// Timers of a second at ten thousand a second.
const TIMERS: u64 = 10_000;

/// Each bench and what an event costs, taken out and raised again.
pub fn all() -> [(&'static str, f64); 5] {
    [
        ("lane", lane()),
        ("timer, set and cancelled", timer()),
        ("heap of 90", heap(AT_WORK)),
        ("BinaryHeap of 90", binary_heap(AT_WORK)),
        ("BinaryHeap of 10,090", binary_heap(AT_WORK + TIMERS)),
    ]
}

/// The next of a sequence that looks random enough, up to about a million.
fn odd(x: &mut u64) -> u64 {
    *x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *x >> 44
}

fn lane() -> f64 {
    let mut due = Due::new(Ns::NEVER);
    let lanes = [1000, 2000, 3000, 4000].map(|delay| due.lane(Ns(delay), false));
    (0..40).for_each(|n| due.after(lanes[n % 4], Event::Check(n as u32)));
    timed(|| {
        for _ in 0..EVENTS {
            let Some(Event::Check(n)) = due.pop(Ns::NEVER) else { break };
            due.after(lanes[n as usize % 4], Event::Check(n));
        }
        EVENTS
    })
}

fn timer() -> f64 {
    let mut due = Due::new(Ns::NEVER);
    let lane = due.lane(Ns(1000), true);
    let mut timers: Vec<_> = (0..128).map(|n| due.arm(lane, Event::Check(n))).collect();
    let mut x = 1;
    timed(|| {
        for n in 0..EVENTS {
            let at = odd(&mut x) as usize % timers.len();
            due.cancel(timers[at]);
            timers[at] = due.arm(lane, Event::Check(n as u32));
        }
        EVENTS
    })
}

fn heap(size: u64) -> f64 {
    let mut due = Due::new(Ns::NEVER);
    let mut x = 1;
    (0..size).for_each(|n| due.at(Ns(odd(&mut x)), Event::Check(n as u32)));
    timed(|| {
        for _ in 0..EVENTS {
            let Some(event) = due.pop(Ns::NEVER) else { break };
            due.at(due.now().plus(Ns(odd(&mut x))), event);
        }
        EVENTS
    })
}

fn binary_heap(size: u64) -> f64 {
    let mut heap = BinaryHeap::new();
    let mut x = 1;
    (0..size).for_each(|n| heap.push(Reverse((odd(&mut x), n, [0_u32; 3]))));
    timed(|| {
        for n in size..size + EVENTS {
            let Some(Reverse((time, _, what))) = heap.pop() else { break };
            heap.push(Reverse((time + odd(&mut x), n, what)));
        }
        EVENTS
    })
}
