//! The fleet as models of nexosim: clients, a balancer, servers, joined by ports.

use crate::fleet::{Answer, CHECK_EVERY, CHECK_WORK, GAP_NS, HOP, Rng, SERVERS, TIMEOUT, WORK_NS, WORKERS};
use nexosim::model::{Context, Model, schedulable};
use nexosim::ports::{EventSinkReader, Output, SinkState, event_queue};
use nexosim::simulation::{EventKey, Mailbox, SimInit};
use nexosim::time::MonotonicTime;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::time::Duration;

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Call {
    /// Its place among the clients' calls; none for a health check.
    place: Option<usize>,
    offered: Duration,
    server: usize,
}

#[derive(Serialize, Deserialize)]
struct Clients {
    gaps: Rng,
    left: u64,
    waiting: u64,
    answered: u64,
    latency: Duration,
    timeouts: Vec<Option<EventKey>>,
    free: Vec<usize>,
    to_balancer: Output<Call>,
    /// How many were answered, and the sum of their latencies, once all are.
    done: Output<(u64, Duration)>,
}

fn now<M: Model>(cx: &Context<M>) -> Duration {
    cx.time().duration_since(MonotonicTime::EPOCH)
}

#[Model]
impl Clients {
    #[nexosim(init)]
    async fn init(&mut self, cx: &Context<Self>) {
        self.expect_next(cx);
    }

    fn expect_next(&mut self, cx: &Context<Self>) {
        // Nothing may be due at once.
        let gap = self.gaps.exponential(GAP_NS).max(Duration::from_nanos(1));
        cx.schedule_event(gap, schedulable!(Self::arrive), ()).expect("in the future");
    }

    #[nexosim(schedulable)]
    async fn arrive(&mut self, _: (), cx: &Context<Self>) {
        let place = self.free.pop().unwrap_or_else(|| {
            self.timeouts.push(None);
            self.timeouts.len() - 1
        });
        let call = Call { place: Some(place), offered: now(cx), server: 0 };
        self.timeouts[place] = cx.schedule_keyed_event(TIMEOUT, schedulable!(Self::time_out), ()).ok();
        cx.schedule_event(HOP, schedulable!(Self::send), call).expect("in the future");
        self.left -= 1;
        self.waiting += 1;
        if self.left > 0 {
            self.expect_next(cx);
        }
    }

    #[nexosim(schedulable)]
    async fn send(&mut self, call: Call) {
        self.to_balancer.send(call).await;
    }

    #[nexosim(schedulable)]
    async fn time_out(&mut self) {
        panic!("a call timed out");
    }

    async fn answer(&mut self, call: Call, cx: &Context<Self>) {
        let Some(place) = call.place else { return };
        if let Some(timeout) = self.timeouts[place].take() {
            timeout.cancel();
        }
        self.free.push(place);
        self.answered += 1;
        self.waiting -= 1;
        self.latency += now(cx) - call.offered;
        if self.left == 0 && self.waiting == 0 {
            self.done.send((self.answered, self.latency)).await;
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Balancer {
    turn: usize,
    to_servers: Vec<Output<Call>>,
    to_clients: Output<Call>,
}

#[Model]
impl Balancer {
    #[nexosim(init)]
    async fn init(&mut self, cx: &Context<Self>) {
        for server in 0..SERVERS {
            let phase = CHECK_EVERY * server as u32 / SERVERS as u32 + Duration::from_nanos(1);
            cx.schedule_event(phase, schedulable!(Self::check), server).expect("in the future");
        }
    }

    #[nexosim(schedulable)]
    async fn check(&mut self, server: usize, cx: &Context<Self>) {
        let check = Call { place: None, offered: now(cx), server };
        cx.schedule_event(HOP, schedulable!(Self::forward), check).expect("in the future");
    }

    async fn take(&mut self, mut call: Call, cx: &Context<Self>) {
        call.server = self.turn;
        self.turn = (self.turn + 1) % SERVERS;
        cx.schedule_event(HOP, schedulable!(Self::forward), call).expect("in the future");
    }

    #[nexosim(schedulable)]
    async fn forward(&mut self, call: Call) {
        self.to_servers[call.server].send(call).await;
    }

    async fn reply(&mut self, call: Call, cx: &Context<Self>) {
        if call.place.is_none() {
            cx.schedule_event(CHECK_EVERY, schedulable!(Self::check), call.server).expect("in the future");
        } else {
            cx.schedule_event(HOP, schedulable!(Self::answer), call).expect("in the future");
        }
    }

    #[nexosim(schedulable)]
    async fn answer(&mut self, call: Call) {
        self.to_clients.send(call).await;
    }
}

#[derive(Serialize, Deserialize)]
struct Server {
    work: Rng,
    busy: usize,
    queue: VecDeque<Call>,
    to_balancer: Output<Call>,
}

#[Model]
impl Server {
    async fn take(&mut self, call: Call, cx: &Context<Self>) {
        if self.busy < WORKERS {
            self.busy += 1;
            self.start(call, cx);
        } else {
            self.queue.push_back(call);
        }
    }

    fn start(&mut self, call: Call, cx: &Context<Self>) {
        let work = if call.place.is_some() { self.work.exponential(WORK_NS) } else { CHECK_WORK };
        cx.schedule_event(work.max(Duration::from_nanos(1)), schedulable!(Self::finish), call).expect("in the future");
    }

    #[nexosim(schedulable)]
    async fn finish(&mut self, call: Call, cx: &Context<Self>) {
        match self.queue.pop_front() {
            Some(next) => self.start(next, cx),
            None => self.busy -= 1,
        }
        cx.schedule_event(HOP, schedulable!(Self::reply), call).expect("in the future");
    }

    #[nexosim(schedulable)]
    async fn reply(&mut self, call: Call) {
        self.to_balancer.send(call).await;
    }
}

/// On nexosim, with one thread.
pub fn nexosim(calls: u64, seed: u64) -> Answer {
    let (at_clients, at_balancer) = (Mailbox::new(), Mailbox::new());
    let mut clients = Clients {
        gaps: Rng::new(seed, 1),
        left: calls,
        waiting: 0,
        answered: 0,
        latency: Duration::ZERO,
        timeouts: Vec::new(),
        free: Vec::new(),
        to_balancer: Output::default(),
        done: Output::default(),
    };
    let mut balancer = Balancer { turn: 0, to_servers: Vec::new(), to_clients: Output::default() };
    clients.to_balancer.connect(Balancer::take, &at_balancer);
    balancer.to_clients.connect(Clients::answer, &at_clients);
    let (sink, mut done) = event_queue(SinkState::Enabled);
    clients.done.connect_sink(sink);
    let mut bench = SimInit::with_num_threads(1);
    for number in 0..SERVERS {
        let at_server = Mailbox::new();
        let mut server = Server {
            work: Rng::new(seed, 100 + number as u64),
            busy: 0,
            queue: VecDeque::new(),
            to_balancer: Output::default(),
        };
        server.to_balancer.connect(Balancer::reply, &at_balancer);
        let mut port = Output::default();
        port.connect(Server::take, &at_server);
        balancer.to_servers.push(port);
        bench = bench.add_model(server, at_server, &format!("server-{number}"));
    }
    let bench = bench.add_model(clients, at_clients, "clients").add_model(balancer, at_balancer, "balancer");
    let mut simulation = bench.init(MonotonicTime::EPOCH).expect("a bench that holds together");
    loop {
        if let Some((answered, latency)) = done.try_read() {
            return Answer { answered, mean_ms: latency.as_secs_f64() * 1e3 / answered as f64 };
        }
        simulation.step().expect("a step");
    }
}
