//! From the connect to the answer: backlog, workers or event loop, bulkhead, computing.

use crate::component::clients::Connection;
use crate::kernel::{Event, Kernel, Timer};
use crate::ledger::Cause;
use crate::policy::guards::Inside;
use crate::policy::listen;
use crate::random::Purpose as Draw;
use crate::slab::Ref;
use crate::units::Ns;
use crate::world::{Back, Front, Purpose, Try, World};

impl World {
    /// A connect reaches the server: refused if no process listens, unanswered if the backlog is full.
    #[inline(always)]
    pub(crate) fn at_server<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        self.at_server_as::<K, false>(k, t, Ns::ZERO);
    }

    /// The request of a connection that a fault had made late reaches the server, or will after so long: the connection
    /// has a place there.
    pub(crate) fn request_at_server<K: Kernel>(&mut self, k: &mut K, t: Ref, after: Ns) {
        self.at_server_as::<K, true>(k, t, after);
    }

    #[inline(always)]
    fn at_server_as<K: Kernel, const OPEN: bool>(&mut self, k: &mut K, t: Ref, after: Ns) {
        let due = |t: &&mut Try| {
            if OPEN { t.front == Front::Waiting && t.back == Back::None } else { t.front == Front::Connecting }
        };
        if !OPEN && self.kept.on && self.knows_nothing_of(k, t) {
            return;
        }
        let opens = self.kept.on && self.tries.get(t).is_some() && self.opens(t);
        let Some(try_) = self.tries.get_mut(t).filter(due) else { return };
        let server = &mut self.servers[try_.server as usize];
        if !server.alive {
            self.send_to_balancer(k, t, if OPEN { Event::Reset(t) } else { Event::Refused(t) });
            return;
        }
        if !OPEN && server.is_full() {
            try_.cause = Cause::BacklogFull;
            self.connect_unanswered(k, t);
            return;
        }
        if !OPEN && !self.may_send(k, t) {
            return;
        }
        let try_ = &mut self.tries[t];
        let server = &mut self.servers[try_.server as usize];
        let per_call = self.backends[try_.route as usize].balancer.connection == Connection::PerCall || opens;
        let runs = !server.knobs.still;
        let fleet = &self.spec.fleets.0[try_.fleet as usize].1;
        let too_many = !server.is_plain
            && runs
            && try_.purpose.is_call()
            && fleet.shedding.as_ref().is_some_and(|shedding| !shedding.admits(server.active.len() as u32));
        try_.place = server.active.len() as u32;
        server.active.push(t);
        self.levels.here.fleets[try_.fleet as usize].pending.add(k.now(), 1);
        if server.is_event_loop {
            server.memory += fleet.memory_per_call.0;
            try_.back = Back::Arriving;
            let (full, number) = (runs && server.memory > fleet.heap_limit.0, try_.server);
            if !OPEN {
                self.accepted(k, t);
            }
            if full {
                self.crash(k, number);
            } else if too_many {
                self.finish(k, t, 503, Cause::Overload);
            } else if per_call {
                k.after(self.lanes.handshake, Event::RequestArrives(t));
            } else {
                self.enqueue(k, t, number);
            }
            return;
        }
        let (hop, number) = (self.spec.network.servers.latency, try_.server);
        try_.since = if per_call { k.now().plus(Ns(hop.0 * 2)) } else { k.now() };
        if OPEN {
            try_.since = try_.since.plus(after);
        } else {
            self.accepted(k, t);
        }
        if too_many {
            self.finish(k, t, 503, Cause::Overload);
            return;
        }
        self.enqueue(k, t, number);
    }

    /// The request of a connection that is there, and that a worker may have taken, will come at another time.
    pub(crate) fn request_comes_at<K: Kernel>(&mut self, k: &mut K, t: Ref, at: Ns) {
        let try_ = &mut self.tries[t];
        let sooner = at < try_.since;
        let is_taken = try_.back == Back::Working;
        if sooner || !is_taken {
            try_.since = at;
        }
        if sooner && is_taken {
            // The end of the work that was foreseen before comes when the try is elsewhere, and means nothing.
            self.work(k, t);
        }
    }

    /// Whether a connect that a fault has made late opens a connection: else it is refused, or goes unanswered.
    pub(crate) fn may_open<K: Kernel>(&mut self, k: &mut K, t: Ref) -> bool {
        let try_ = &mut self.tries[t];
        let server = &self.servers[try_.server as usize];
        if !server.alive {
            self.connect_refused(k, t);
            return false;
        }
        if server.is_full() {
            try_.cause = Cause::BacklogFull;
            self.connect_unanswered(k, t);
            return false;
        }
        true
    }

    /// Whether the server of a try is an event loop.
    pub(crate) fn is_event_loop(&self, t: Ref) -> bool {
        self.servers[self.tries[t].server as usize].is_event_loop
    }

    /// A connect that finds the backlog full is dropped; the other side sends it again (see [`listen`]) until it gives up.
    pub(crate) fn connect_unanswered<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let Try { since, connects, dispatches, .. } = self.tries[t];
        let gives_up = since.plus(self.connect_limit(t));
        if connects == 1 {
            k.at(gives_up.max(k.now()), Event::ConnectTimeout(t, dispatches));
        }
        let again = since.plus(listen::sent_again(u32::from(connects))).plus(self.spec.network.servers.latency);
        if again < gives_up {
            self.tries[t].connects += 1;
            // On a link with much jitter the first may arrive after the second was sent.
            k.at(again.max(k.now()), Event::AtServer(t));
        }
    }

    /// The request of a fresh connection reaches an event loop.
    pub(crate) fn request_arrives<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        if let Some(try_) = self.tries.get(t).filter(|t| t.back == Back::Arriving) {
            let number = try_.server;
            self.enqueue(k, t, number);
        }
    }

    #[inline(always)]
    fn enqueue<K: Kernel>(&mut self, k: &mut K, t: Ref, number: u32) {
        let server = &mut self.servers[number as usize];
        if server.busy < server.workers && server.queue.is_empty() {
            self.start(k, t);
        } else {
            let try_ = &mut self.tries[t];
            try_.back = Back::Queued;
            self.levels.here.fleets[try_.fleet as usize].accept_queue.add(k.now(), 1);
            let shedding = &self.spec.fleets.0[try_.fleet as usize].1.shedding;
            if !try_.purpose.is_call() && shedding.as_ref().is_some_and(|shedding| shedding.checks_first) {
                server.queue.push_front(t);
            } else {
                server.queue.push_back(t);
            }
        }
    }

    /// Idle workers take what is queued. Not recursive: work that ends at once only loops here.
    pub(super) fn work_on<K: Kernel>(&mut self, k: &mut K, number: u32) {
        if self.servers[number as usize].starting_work {
            return;
        }
        self.servers[number as usize].starting_work = true;
        loop {
            let server = &mut self.servers[number as usize];
            if server.busy >= server.workers {
                break;
            }
            let Some(t) = server.queue.pop_front() else { break };
            self.levels.here.fleets[server.fleet as usize].accept_queue.remove(k.now(), 1);
            self.start(k, t);
        }
        self.servers[number as usize].starting_work = false;
    }

    /// A worker (or a core) takes a call.
    #[inline(always)]
    fn start<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let try_ = &mut self.tries[t];
        let server = &mut self.servers[try_.server as usize];
        debug_assert!(server.alive);
        server.busy += 1;
        try_.holds_worker = true;
        try_.back = Back::Working;
        let departed = try_.front == Front::Closed;
        if departed
            && self.spec.fleets.0[try_.fleet as usize].1.notices_departure
            && try_.purpose != Purpose::Background
        {
            // Either may have left first: the balancer may have given up before its client did.
            let balancer_left = try_.cause == Cause::BalancerTimeout;
            let cause = if balancer_left { Cause::BalancerTimeout } else { Cause::ClientLeft };
            self.finish(k, t, 499, cause);
            return;
        }
        if server.is_plain || self.passes(k, t) {
            self.work(k, t);
        }
    }

    /// Computing begins; a request that is still on its way is waited for.
    #[inline(always)]
    fn work<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        if self.trouble.on && (self.answers_badly(k, t) || self.is_slowed(k, t)) {
            return;
        }
        let try_ = &mut self.tries[t];
        try_.back = Back::Working;
        let event = Event::WorkDone(t, try_.dispatches);
        let gap = try_.since.minus(k.now());
        let plan = &self.plans[try_.fleet as usize][try_.plan as usize];
        match plan.work_lanes {
            Some((lane, _)) if gap == Ns::ZERO => k.after(lane, event),
            Some((_, lane)) if gap.0 == self.spec.network.servers.latency.0 * 2 => k.after(lane, event),
            _ => {
                if try_.work == Ns::NEVER {
                    try_.work = plan.work.sample(try_.salt, Draw::Work, u32::from(try_.attempt));
                }
                k.at(k.now().plus(gap).plus(try_.work), event);
            }
        }
    }

    /// The computing time of a call is over.
    #[inline(always)]
    pub(crate) fn work_done<K: Kernel>(&mut self, k: &mut K, t: Ref, dispatch: u16) {
        let Some(try_) = self.tries.get_mut(t) else { return };
        if try_.back != Back::Working || try_.dispatches != dispatch {
            return;
        }
        let plan = &self.plans[try_.fleet as usize][try_.plan as usize];
        if let Some(store) = plan.store {
            if !(plan.appends_at_once && self.stores[store as usize].is_instant()) {
                self.turn_to_store(k, t);
                return;
            }
            let (fleet, plan) = (try_.fleet, try_.plan);
            let (call, gone) = (try_.call, try_.client_gone || (try_.parent != Ref::NONE && self.is_deserted(t)));
            self.stores[store as usize].queries += 1;
            if self.counts_as_stored(call, fleet, plan) {
                self.stored(k, call, gone);
            }
        } else if plan.has_steps() {
            self.begin_steps(k, t);
            return;
        }
        self.finish_now(k, t, 200, Cause::ClientLeft);
    }

    /// A call has been computed; its store comes next, or its spool.
    #[inline(never)]
    fn turn_to_store<K: Kernel>(&mut self, k: &mut K, t: Ref) {
        let try_ = &self.tries[t];
        let (number, fleet) = (try_.server, try_.fleet as usize);
        if self.plans[fleet][self.tries[t].plan as usize].spool.is_some() && self.is_spooled(t) {
            self.spool(k, t);
            return;
        }
        let try_ = &mut self.tries[t];
        if self.servers[number as usize].is_event_loop {
            try_.holds_worker = false;
            self.servers[number as usize].busy -= 1;
            self.ask(k, t);
            self.work_on(k, number);
        } else {
            self.ask(k, t);
        }
    }

    /// As `finish_now`, for callers off the usual way of a call.
    #[inline(never)]
    pub(crate) fn finish<K: Kernel>(&mut self, k: &mut K, t: Ref, status: u16, cause: Cause) {
        if self.tries[t].purpose == Purpose::Errand {
            self.errand_ends(k, t, status, cause);
            return;
        }
        self.finish_now(k, t, status, cause);
    }

    /// The server is done with a try: its answer goes out, its worker takes the next.
    #[inline(always)]
    fn finish_now<K: Kernel>(&mut self, k: &mut K, t: Ref, status: u16, cause: Cause) {
        let try_ = &mut self.tries[t];
        try_.status = status;
        // Of a success, too: that an earlier server refused it no longer matters.
        try_.cause = cause;
        if try_.ask_timer != Timer::NONE {
            k.cancel(try_.ask_timer);
        }
        if try_.step_timer != Timer::NONE {
            k.cancel(try_.step_timer);
        }
        try_.ask_timer = Timer::NONE;
        try_.step_timer = Timer::NONE;
        try_.back = Back::None;
        let (number, plan, in_bulkhead, held) = (try_.server, try_.plan, try_.in_bulkhead, try_.holds_worker);
        let (purpose, front, fleet, limited) = (try_.purpose, try_.front, try_.fleet as usize, try_.limited);
        let place = try_.place;
        try_.in_bulkhead = false;
        try_.holds_worker = false;
        if limited != Inside::default() {
            self.leave_limits(k, t, status);
        }
        let server = &mut self.servers[number as usize];
        // It goes off its server's list, and the last one there takes its place.
        debug_assert_eq!(server.active[place as usize], t);
        server.active.swap_remove(place as usize);
        self.levels.here.fleets[fleet].pending.remove(k.now(), 1);
        if let Some(moved) = server.active.get(place as usize) {
            self.tries[*moved].place = place;
        }
        if server.is_event_loop && !matches!(purpose, Purpose::Background | Purpose::Replay) {
            server.memory -= self.spec.fleets.0[fleet].1.memory_per_call.0;
        }
        if held {
            server.busy -= 1;
        }
        if purpose == Purpose::Background {
            server.cached_ok = status == 200;
        }
        let enters = if in_bulkhead { self.leave_bulkhead(number, plan) } else { None };
        if purpose == Purpose::Replay {
            let write = self.tries[t].clone();
            self.end_if_done(k, t);
            self.spooled_write_ends(k, &write, status == 200);
        } else if front == Front::Waiting {
            self.send_to_balancer(k, t, Event::Reply(t));
        } else {
            self.end_if_done(k, t);
        }
        if let Some(next) = enters {
            let entering = &mut self.tries[next];
            k.cancel(entering.step_timer);
            entering.step_timer = Timer::NONE;
            entering.in_bulkhead = true;
            if entering.holds_worker {
                self.work(k, next);
            } else {
                self.enqueue(k, next, number);
            }
        }
        if held && !self.servers[number as usize].queue.is_empty() {
            self.work_on(k, number);
        }
    }
}
