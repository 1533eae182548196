//! Requests that are lost on connections which their servers have accepted: a worker that has accepted one waits for its request.
//!
//! When that gets through is worked out when it is first lost, so that a worker knows until when it waits; and again
//! whenever the faults of links change, as what is sent again after that meets another link. Not modelled: that a fault which
//! begins makes a worker wait longer which waits already.

use super::{Message, RETRIES, sent_again};
use crate::kernel::Kernel;
use crate::slab::Ref;
use crate::units::Ns;
use crate::world::World;

/// A request that is lost and sent again.
pub(super) struct LostRequest {
    t: Ref,
    dispatch: u16,
    message: Message,
    /// When it was sent first, and when it would have been there.
    sent: Ns,
    on_time: Ns,
    /// How many of its losses have been counted as effects.
    counted: u8,
}

impl LostRequest {
    fn is_awaited(&self, world: &World, now: Ns) -> bool {
        world.tries.get(self.t).is_some_and(|t| t.dispatches == self.dispatch && t.since > now)
    }
}

impl World {
    /// How long after it was sent, just now, a request gets through, as the link is.
    pub(super) fn request_waits<K: Kernel>(&self, k: &K, message: &Message) -> Ns {
        self.gets_through(message, k.now(), k.now()).minus(k.now())
    }

    /// The request of a try whose connection has been accepted is lost, and gets through so long after it was sent.
    pub(super) fn request_is_awaited<K: Kernel>(&mut self, k: &K, t: Ref, message: Message, waits: Ns) {
        let Some(try_) = self.tries.get(t).filter(|_| waits > Ns::ZERO) else { return };
        let (dispatch, on_time) = (try_.dispatches, try_.since.minus(waits));
        let requests = &self.trouble.requests;
        if requests.len() >= 64 && requests.len().is_power_of_two() {
            self.count_lost_requests(k);
        }
        self.trouble.requests.push(LostRequest { t, dispatch, message, sent: k.now(), on_time, counted: 0 });
    }

    /// When a request gets through if links stay as they are; what of it was sent before now was lost.
    fn gets_through(&self, message: &Message, sent: Ns, now: Ns) -> Ns {
        let knobs = self.knobs_at(message.at);
        let (mut tries, mut at) = (0, sent);
        while tries < RETRIES && (at < now || message.request_is_lost(&knobs, tries)) {
            at = at.plus(sent_again(false, tries));
            tries += 1;
        }
        at
    }

    /// Counts what has been lost by now for the faults in force, and forgets requests that have got through.
    pub(super) fn count_lost_requests<K: Kernel>(&mut self, k: &K) {
        let mut requests = std::mem::take(&mut self.trouble.requests);
        for request in &mut requests {
            let through = self.tries.get(request.t).map_or(k.now(), |t| t.since).min(k.now());
            let mut at = (0..request.counted).fold(request.sent, |at, tries| at.plus(sent_again(false, tries)));
            while request.counted < RETRIES && at < through {
                self.credit_links(request.message.at, |knobs| knobs.loss_outward > 0.0);
                at = at.plus(sent_again(false, request.counted));
                request.counted += 1;
            }
        }
        requests.retain(|request| request.is_awaited(self, k.now()));
        self.trouble.requests = requests;
    }

    /// Whether a request is lost and awaited.
    pub(crate) fn awaits_requests(&self, now: Ns) -> bool {
        self.trouble.requests.iter().any(|r| r.is_awaited(self, now))
    }

    /// Faults of links have changed: lost requests get through at another time.
    pub(super) fn requests_change<K: Kernel>(&mut self, k: &mut K) {
        let requests = std::mem::take(&mut self.trouble.requests);
        for LostRequest { t, message, sent, on_time, .. } in &requests {
            let late = self.gets_through(message, *sent, k.now()).minus(*sent);
            self.request_comes_at(k, *t, on_time.plus(late));
        }
        self.trouble.requests = requests;
    }
}
