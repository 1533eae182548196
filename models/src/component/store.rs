//! Stores: databases and logs that servers ask.
//!
//! A store accepts connections up to a limit, runs so many queries at once, and can be in one of several
//! outage modes (see [`crate::fault`]). It may consume a headroom (transaction ids, disk): a background rate
//! and each write burn it; at `alert` operators are told, at `stop` the store leaves service, and a
//! maintenance job restores it. After an outage it may be slow for a while.
//!
//! Not modelled: locks, replication, query plans, the accept backlog of the database itself.

use crate::component::network::Link;
use crate::fault::Mode;
use crate::random::Distribution;
use crate::settings;
use crate::units::{Ns, Quantity, Rate};

settings! {
    /// A resource that writes use up and maintenance restores.
    pub struct Headroom {
        /// Level when the run starts. [units]
        pub at_start (required): Quantity = Quantity(0.0);
        /// Level at which the alert `stores.<name>.alert` is raised. [units]
        pub alert: Quantity = Quantity(0.0);
        /// Level at which the store leaves service, `stores.<name>.stop`. [units]
        pub stop: Quantity = Quantity(0.0);
        /// What leaves service means: an outage mode, or "nothing".
        pub at_stop: Option<Mode> = Some(Mode::Refuse);
        /// Units burnt by one write. [units]
        pub per_write: Quantity = Quantity(1.0);
        /// Units burnt by everything else. [units/time]
        pub background: Rate = Rate(0.0);
        /// Level after maintenance. [units]
        pub restored_to: Quantity = Quantity(2e9);
    }
}

settings! {
    /// Slowness after an outage: caches are cold.
    pub struct WarmUp {
        /// How long it lasts. [time]
        pub lasts: Ns = Ns::ZERO, "0s" ..= "24h";
        /// Factor on service times right after the return; it falls linearly to one.
        pub factor: f64 = 1.0, 1 ..= 100000;
    }
}

settings! {
    /// A store.
    pub struct Store {
        /// The link between servers and the store.
        pub link: Link = Link { latency: Ns::micros(100), jitter: Ns::ZERO };
        /// Time to serve one query or append. [time or distribution]
        pub service: Distribution = Distribution::Constant(Ns::ZERO);
        /// Queries that run at once; the rest wait. None: no bound.
        pub concurrency: Option<u32> = None, 1 ..= 1000000;
        /// Most connections; one more is refused. None: no bound.
        pub connections: Option<u32> = None, 1 ..= 10000000;
        /// Time to set up a connection, beyond the round trip. [time]
        pub connect: Ns = Ns::ZERO, "0s" ..= "1h";
        /// A resource that it uses up.
        pub headroom: Option<Headroom> = None;
        /// Slowness after an outage.
        pub warm_up: WarmUp = WarmUp::default();
    }
}
