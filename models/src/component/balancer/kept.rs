//! Connections to the servers that lie idle between calls: taken, put back, and found to be closed. The rules are those of
//! [`crate::policy::keep_alive`].
//!
//! Nothing happens when a connection is closed: when it will be, or was, is known from when it was used last, and looked at when it is
//! taken. So a connection costs no event.

use super::Balancer;
use crate::kernel::{Event, Kernel};
use crate::ledger::Cause;
use crate::policy::keep_alive::{Idle, KeepAlive, Kept};
use crate::policy::resend::Failure;
use crate::policy::verdict::Verdict;
use crate::slab::Ref;
use crate::spec::WorldSpec;
use crate::units::Ns;
use crate::world::{Front, Purpose, World};

/// The other end of an idle connection.
#[derive(Clone, Copy)]
struct Far {
    /// When its server closes it, or has closed it.
    closes: Ns,
    incarnation: u32,
}

/// The connection that a try is on.
#[derive(Clone, Copy)]
struct InUse {
    opened: Ns,
    calls: u32,
    /// The process that it was opened to, if it was open before.
    reused: Option<u32>,
}

/// The connections of the balancer that have lives of their own.
pub struct KeptState {
    /// Whether there are any: else each call finds one at hand, or opens one.
    pub on: bool,
    rules: KeepAlive,
    idle: Idle<Far>,
    /// By the place of a try.
    in_use: Vec<InUse>,
}

impl Balancer {
    /// The rules of kept connections, where they have lives: the balancer or a fleet says something of them.
    pub fn keeping(&self, spec: &WorldSpec) -> Option<KeepAlive> {
        let kept = self.connection == crate::component::clients::Connection::KeptAlive;
        let said = self.keep_alive.is_some() || spec.fleets.iter().any(|(_, fleet)| fleet.keep_alive.is_some());
        (kept && said).then(|| self.keep_alive.clone().unwrap_or_default())
    }
}

impl KeptState {
    /// No connection yet.
    pub(crate) fn new(spec: &WorldSpec) -> KeptState {
        let rules = spec.balancer.keeping(spec);
        let servers = spec.fleets.iter().map(|(_, fleet)| fleet.count as usize).sum();
        KeptState {
            on: rules.is_some(),
            idle: Idle::new(if rules.is_some() { servers } else { 0 }),
            rules: rules.unwrap_or_default(),
            in_use: Vec::new(),
        }
    }

    fn of(&self, t: Ref) -> Option<&InUse> {
        self.in_use.get(t.index as usize)
    }
}

impl World {
    /// A try goes to its server on an idle connection, or opens one. True: on one that its server closes before the request can get there.
    #[inline(never)]
    pub(super) fn takes_closed<K: Kernel>(&mut self, k: &mut K, t: Ref) -> bool {
        let (server, dispatch) = (self.tries[t].server, self.tries[t].dispatches);
        let (now, hop) = (k.now(), self.spec.network.servers.latency);
        let KeptState { rules, idle, in_use, .. } = &mut self.kept;
        let found = idle.take(rules, server as usize, now, |far| now < far.closes.plus(hop));
        let (at, closes) = match &found {
            Some(kept) => {
                let at = InUse { opened: kept.opened, calls: kept.calls + 1, reused: Some(kept.of.incarnation) };
                (at, kept.of.closes)
            }
            None => (InUse { opened: now, calls: 1, reused: None }, Ns::NEVER),
        };
        let place = t.index as usize;
        if in_use.len() <= place {
            in_use.resize(place + 1, at);
        }
        in_use[place] = at;
        let closed = now.plus(hop) >= closes;
        if closed {
            k.at(closes.plus(hop).max(now), Event::KeptClosed(t, dispatch));
        }
        closed
    }

    /// Whether a try has opened its connection, which takes a round trip.
    pub(crate) fn opens(&self, t: Ref) -> bool {
        self.tries[t].purpose == Purpose::Call && self.kept.of(t).is_none_or(|at| at.reused.is_none())
    }

    /// Whether the request of a try comes to a process that knows nothing of its connection, and is answered by a reset.
    #[inline(never)]
    pub(crate) fn knows_nothing_of<K: Kernel>(&mut self, k: &mut K, t: Ref) -> bool {
        let Some(try_) = self.tries.get(t).filter(|t| t.front == Front::Connecting && t.purpose == Purpose::Call)
        else {
            return false;
        };
        let server = &self.servers[try_.server as usize];
        let incarnation = self.kept.of(t).and_then(|at| at.reused);
        let gone = incarnation.is_some_and(|was| !server.alive || was != server.incarnation);
        if gone {
            let event = Event::KeptClosed(t, try_.dispatches);
            self.send_to_balancer(k, t, event);
        }
        gone
    }

    /// A try on a kept connection finds that its server has closed it: the call has not been executed.
    pub(crate) fn kept_closed<K: Kernel>(&mut self, k: &mut K, t: Ref, dispatch: u16) {
        if self.tries.get(t).is_none_or(|t| t.front != Front::Connecting || t.dispatches != dispatch) {
            return;
        }
        self.tries[t].cause = Cause::ConnectionReset;
        let KeepAlive { free_retry, counts, .. } = self.kept.rules;
        self.judge(k, t, if counts { Verdict::Unreached } else { Verdict::Abandoned });
        if free_retry {
            self.tries[t].retries_left += 1;
        }
        if !self.try_again_after(k, t, Failure::Broken) {
            self.tries[t].front = Front::Pending;
            self.release_server(k, t);
            self.reject(k, t, self.spec.balancer.broken_status, Cause::ConnectionReset);
        }
    }

    /// A call has been answered: its connection lies idle from now on, unless it has had its calls or its age.
    #[inline(never)]
    pub(super) fn keep_connection(&mut self, now: Ns, t: Ref) {
        let Some(InUse { opened, calls, .. }) = self.kept.of(t).copied() else { return };
        let (number, fleet) = (self.tries[t].server as usize, self.tries[t].fleet as usize);
        let (server, hop) = (&self.servers[number], self.spec.network.servers.latency);
        let theirs = self.spec.fleets.0[fleet].1.keep_alive.as_ref();
        // The server has answered one trip ago.
        let closes = theirs.and_then(|theirs| theirs.idle).map_or(Ns::NEVER, |idle| now.plus(idle).minus(hop));
        let connection = Kept { opened, calls, of: Far { closes, incarnation: server.incarnation } };
        let KeptState { rules, idle, .. } = &mut self.kept;
        if !server.alive || !rules.keeps(theirs, &connection, now) {
            return;
        }
        let servers = self.backends[fleet].members.servers();
        let servers = servers.start as usize..servers.end as usize;
        idle.put(rules, (number, servers), now, connection, |far| now < far.closes.plus(hop));
    }

    /// A process is gone, and with it all of its connections: the idle ones are closed at once.
    pub(crate) fn close_kept(&mut self, now: Ns, server: u32) {
        self.kept.idle.of_mut(server as usize).for_each(|far| far.closes = far.closes.min(now));
    }
}
