//! The yardstick: the reference workload as an event loop written by hand.
//!
//! One heap for all events, `(time, number)` for its order, calls in a slab, a queue per server. A timeout is not
//! taken out when its call is answered; it is recognised as stale when it comes. The logarithm is the one that
//! Brownout uses: the ratio is not about logarithms.

use brownout_models::random::{minus_ln, unit};
use rand::Rng;
use rand_pcg::Pcg64Mcg;
use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};

const SERVERS: usize = 16;
const WORKERS: u32 = 8;
const BACKLOG: usize = 4096;
const GAP_NS: f64 = 100_000.0;
const WORK_NS: f64 = 8_960_000.0;
const HOP: u64 = 500_000;
const TIMEOUT: u64 = 1_000_000_000;
const CHECK_WORK: u64 = 1_000_000;
const CHECK_EVERY: u64 = 2_000_000_000;

#[derive(Clone, Copy)]
enum What {
    Arrive,
    AtBalancer(u32),
    AtServer(u32),
    WorkDone(u32),
    Reply(u32),
    AtClient(u32),
    Timeout(u32, u32),
    Check(u32),
}

#[derive(Clone, Copy)]
struct Event {
    time: u64,
    number: u64,
    what: What,
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Event {}
impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Event {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.time, other.number).cmp(&(self.time, self.number))
    }
}

/// A call on its way, or a health check.
#[derive(Clone, Copy, Default)]
struct Call {
    offered: u64,
    server: u32,
    /// Tells the calls apart that have used this place.
    generation: u32,
    check: bool,
}

#[derive(Default)]
struct Server {
    busy: u32,
    queue: VecDeque<u32>,
}

struct Loop {
    rng: Pcg64Mcg,
    now: u64,
    raised: u64,
    heap: BinaryHeap<Event>,
    calls: Vec<Call>,
    free: Vec<u32>,
    servers: Vec<Server>,
    turn: u32,
    left: u64,
    answered: u64,
    latency: u64,
}

/// The mean latency of that many calls.
pub fn mean_latency_ms(calls: u64, seed: u64) -> f64 {
    let mut l = Loop {
        rng: Pcg64Mcg::new(u128::from(seed) << 64 | 0xcafe_f00d_d15e_a5e5),
        now: 0,
        raised: 0,
        heap: BinaryHeap::new(),
        calls: Vec::new(),
        free: Vec::new(),
        servers: (0..SERVERS).map(|_| Server::default()).collect(),
        turn: 0,
        left: calls,
        answered: 0,
        latency: 0,
    };
    let first = l.exponential(GAP_NS);
    l.after(first, What::Arrive);
    for server in 0..SERVERS as u32 {
        l.after(CHECK_EVERY * u64::from(server) / SERVERS as u64, What::Check(server));
    }
    while l.left > 0 || l.free.len() < l.calls.len() {
        let Some(event) = l.heap.pop() else { break };
        l.now = event.time;
        l.handle(event.what);
    }
    assert_eq!(l.answered, calls, "a call timed out or was lost");
    l.latency as f64 / l.answered as f64 / 1e6
}

impl Loop {
    fn exponential(&mut self, mean: f64) -> u64 {
        (minus_ln(unit(self.rng.next_u64())) * mean + 0.5) as u64
    }

    fn after(&mut self, delay: u64, what: What) {
        self.raised += 1;
        self.heap.push(Event { time: self.now + delay, number: self.raised, what });
    }

    fn open(&mut self, call: Call) -> u32 {
        match self.free.pop() {
            Some(at) => {
                let generation = self.calls[at as usize].generation;
                self.calls[at as usize] = Call { generation, ..call };
                at
            }
            None => {
                self.calls.push(call);
                self.calls.len() as u32 - 1
            }
        }
    }

    fn close(&mut self, at: u32) {
        self.calls[at as usize].generation += 1;
        self.free.push(at);
    }

    fn handle(&mut self, what: What) {
        match what {
            What::Arrive => {
                let call = self.open(Call { offered: self.now, ..Call::default() });
                self.after(TIMEOUT, What::Timeout(call, self.calls[call as usize].generation));
                self.after(HOP, What::AtBalancer(call));
                self.left -= 1;
                if self.left > 0 {
                    let gap = self.exponential(GAP_NS);
                    self.after(gap, What::Arrive);
                }
            }
            What::AtBalancer(call) => {
                self.calls[call as usize].server = self.turn;
                self.turn = (self.turn + 1) % SERVERS as u32;
                self.after(HOP, What::AtServer(call));
            }
            What::AtServer(call) => {
                let server = &mut self.servers[self.calls[call as usize].server as usize];
                if server.busy < WORKERS {
                    server.busy += 1;
                    self.start(call);
                } else {
                    assert!(server.queue.len() <= BACKLOG, "the backlog is full");
                    server.queue.push_back(call);
                }
            }
            What::WorkDone(call) => {
                let server = &mut self.servers[self.calls[call as usize].server as usize];
                match server.queue.pop_front() {
                    Some(next) => self.start(next),
                    None => server.busy -= 1,
                }
                self.after(HOP, What::Reply(call));
            }
            What::Reply(call) => {
                let Call { check, server, .. } = self.calls[call as usize];
                if check {
                    self.close(call);
                    self.after(CHECK_EVERY, What::Check(server));
                } else {
                    self.after(HOP, What::AtClient(call));
                }
            }
            What::AtClient(call) => {
                self.answered += 1;
                self.latency += self.now - self.calls[call as usize].offered;
                self.close(call);
            }
            What::Timeout(call, generation) => {
                assert!(self.calls[call as usize].generation != generation, "the reference workload has no timeouts");
            }
            What::Check(server) => {
                let check = self.open(Call { server, check: true, ..Call::default() });
                self.after(HOP, What::AtServer(check));
            }
        }
    }

    fn start(&mut self, call: u32) {
        let work = if self.calls[call as usize].check { CHECK_WORK } else { self.exponential(WORK_NS) };
        self.after(work, What::WorkDone(call));
    }
}
