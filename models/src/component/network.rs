//! Links between the parts: one-way latency, constant plus jitter.
//!
//! Not modelled: bandwidth, loss and reordering. A refusal takes one round trip; an unanswered connect
//! takes as long as the caller waits.

use crate::random::{Purpose, draw, unit};
use crate::setting::{Scope, Silence, always, unless};
use crate::settings;
use crate::units::Ns;

settings! {
    /// A link, both directions alike.
    pub struct Link {
        /// One-way latency. (time)
        pub latency: Ns = Ns::micros(100), "0s" ..= "1min" => always;
        /// Each message takes up to this much longer, uniformly at random. (time)
        pub jitter: Ns = Ns::ZERO, "0s" ..= "1min" => always;
    }
}

impl Link {
    /// How long the message of (salt, purpose, attempt) takes.
    #[inline]
    pub fn delay(&self, salt: u64, purpose: Purpose, attempt: u32) -> Ns {
        if self.jitter == Ns::ZERO {
            return self.latency;
        }
        Ns(self.latency.0 + (unit(draw(salt, purpose, attempt)) * self.jitter.0 as f64) as u64)
    }

    /// Whether every message takes the same time.
    pub fn is_constant(&self) -> bool {
        self.jitter == Ns::ZERO
    }
}

fn asked_by_proxy(_: &Network, at: &Scope<'_>) -> Silence {
    unless(at.world.has_inner_proxies(), "no service asks another through a proxy")
}

settings! {
    /// The links that all calls share; the link to a store stands with the store.
    pub struct Network {
        /// Between clients and the balancer.
        pub clients: Link = Link::default() => always;
        /// Between the balancer and the servers.
        pub servers: Link = Link::default() => always;
        /// Between a service and the proxy before another fleet; a balancer in the caller's own process has no such way.
        pub services: Link = Link::default() => asked_by_proxy;
    }
}
