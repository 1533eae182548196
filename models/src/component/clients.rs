//! Clients: who calls, how often, how long they wait, what they do about failure.
//!
//! Open loop: a slow answer does not slow the arrivals. Not modelled: sessions, think time, DNS, TLS.

use crate::policy::retry::Retry;
use crate::setting::{Name, Points};
use crate::units::{Ns, Rate};
use crate::{choices, settings};

choices! {
    /// How calls arrive at the given rate.
    pub enum Arrivals = Poisson {
        /// At random (non-homogeneous Poisson where the rate has a profile).
        Poisson = "poisson",
        /// Evenly spaced.
        Constant = "constant",
        /// Bursts of `burst` calls at one instant; the bursts arrive at random.
        Burst = "burst",
    }
}

choices! {
    /// Whether a caller opens a connection for each call.
    pub enum Connection = KeptAlive {
        /// An open connection is at hand: no handshake.
        KeptAlive = "kept-alive",
        /// Each call connects first: one more round trip.
        PerCall = "per-call",
    }
}

settings! {
    /// A population of clients that sends one kind of call.
    pub struct Clients {
        /// The kind of call, served by a fleet that lists it under `calls`.
        pub sends (required): Name = Name::default();
        /// Mean rate of calls, all clients together. Not with `trace`. [calls/time]
        pub rate: Rate = Rate(0.0), "0/s" ..= "10000000/s";
        /// Factor on the rate over the day, linear between the points, flat before and after.
        pub profile: Points = Points::default();
        /// How calls arrive.
        pub arrivals: Arrivals = Arrivals::Poisson;
        /// Calls per burst.
        pub burst: u32 = 10, 1 ..= 1000000;
        /// A CSV file with the columns `t` (seconds from the start) and `kind`: its rows of this kind are replayed as they stand.
        pub trace: Option<String> = None;
        /// At most so many calls in all.
        pub calls: Option<u64> = None, 1 ..= 100000000000;
        /// How long a client waits for the answer to one attempt. [time]
        pub timeout: Ns = Ns::secs(10), "1ms" ..= "24h";
        /// Connection to the balancer.
        pub connection: Connection = Connection::KeptAlive;
        /// What clients do about a failed attempt.
        pub retry: Retry = Retry::default();
    }
}
