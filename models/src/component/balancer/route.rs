//! Routes: the ways by which clients and services reach a fleet.

use super::Balancer;
use crate::choices;
use crate::kernel::{Kernel, Lane};
use crate::policy::limits::UnderWay;
use crate::policy::members::Members;
use crate::policy::resend::Slots;
use crate::slab::Ref;
use std::collections::VecDeque;
use std::ops::Range;

choices! {
    /// Where a balancer runs that services call through.
    pub enum Place = Proxy {
        /// In one proxy for all callers, a hop of `network.services` away.
        Proxy = "proxy",
        /// In each calling process, which knows and counts for itself; no hop.
        Caller = "caller",
    }
}

impl Place {
    /// Whether it runs in each calling process.
    pub fn is_caller(self) -> bool {
        self == Place::Caller
    }
}

/// A route: a balancer's way to one fleet, and what it knows of that fleet's servers. Several routes to a fleet see the
/// same servers differently.
pub struct Backend {
    /// How it balances.
    pub balancer: Balancer,
    /// The fleet.
    pub fleet: u16,
    /// From a server's number to that of its seat on this route.
    pub(super) shift: u32,
    /// The fleet's servers: who is in rotation, and who may be chosen.
    pub members: Members,
    /// Patience with a server's answer.
    pub(super) idle: Option<Lane>,
    /// Patience in the queue.
    pub(super) queue_lane: Lane,
    /// Patience with a call over all its tries, if there is an end to that.
    pub(super) whole: Option<Lane>,
    /// Tries that wait for a server with room; some may have left since.
    pub(super) queue: VecDeque<Ref>,
    /// How many of them still wait.
    pub queued: u32,
    /// Retries under way, where their number is bounded.
    pub(super) slots: Slots,
    /// What is under way, where that is bounded.
    pub(super) under_way: UnderWay,
    /// Share of calls that operators turn away, by plan.
    pub shed: Vec<f64>,
}

impl Backend {
    /// The way to a fleet of `servers` with so many plans, whose seats begin at `seats`; nothing queued.
    pub fn new<K: Kernel>(
        k: &mut K,
        balancer: Balancer,
        fleet: u16,
        servers: Range<u32>,
        seats: u32,
        plans: usize,
    ) -> Backend {
        Backend {
            members: Members::new(balancer.rules(), servers.start, servers.len() as u32),
            fleet,
            shift: seats - servers.start,
            idle: balancer.idle_timeout.map(|limit| k.timer_lane(limit)),
            queue_lane: k.timer_lane(balancer.queue_timeout()),
            whole: balancer.call_timeout.map(|limit| k.lane(limit)),
            queue: VecDeque::new(),
            queued: 0,
            slots: Slots::default(),
            under_way: UnderWay::default(),
            shed: vec![0.0; plans],
            balancer,
        }
    }

    /// Whether nothing that is bounded is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.under_way == UnderWay::default() && self.slots.is_empty()
    }

    /// The seat of a server on this route: its place among connections and checkers.
    #[inline(always)]
    pub fn seat(&self, server: u32) -> usize {
        (server + self.shift) as usize
    }

    /// Its seats.
    pub fn seats(&self) -> Range<u32> {
        let servers = self.members.servers();
        servers.start + self.shift..servers.end + self.shift
    }

    pub(super) fn none_can_serve(&self) -> bool {
        self.members.none_can_serve(self.balancer.rules())
    }
}
