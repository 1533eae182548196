//! The load balancer: an HTTP reverse proxy between clients and servers.
//!
//! It chooses a server, connects, retries a failed connection, queues calls where servers have a
//! connection limit, waits for answers, and checks servers' health. Not modelled: its own capacity, TLS, a
//! limit on client connections, passive health checks.

use crate::component::clients::Connection;
use crate::policy::balance::Algorithm;
use crate::policy::health::HealthCheck;
use crate::policy::redispatch::Redispatch;
use crate::setting::{Reader, Table};
use crate::settings;
use crate::units::Ns;

settings! {
    /// Calls that wait at the balancer for a server with room.
    pub struct Surge {
        /// Most calls that wait; one more gets a 503 at once. (Classic ELB: 1,024)
        pub limit: u32 = 4294967295, 0 ..= 4294967295;
        /// Longest wait, then 503; none: as the connect timeout (HAProxy `timeout queue`). [time]
        pub timeout: Option<Ns> = None, "1ms" ..= "24h";
    }
}

settings! {
    /// The load balancer. `preset` names a product's defaults; other keys change them.
    pub struct Balancer (start = Balancer::from_preset, shorthand = Balancer::named) {
        /// How it chooses a server.
        pub algorithm: Algorithm = Algorithm::RoundRobin;
        /// Active health checks.
        pub health: HealthCheck = HealthCheck::default();
        /// Connection to the servers: opened for each call, or kept.
        pub connection: Connection = Connection::KeptAlive;
        /// Longest wait for a server to accept a connection. [time]
        pub connect_timeout: Ns = Ns::secs(1), "1ms" ..= "1h";
        /// Further tries after a failed connection.
        pub retries: u32 = 3, 0 ..= 100;
        /// Whether a retry may go to another server.
        pub redispatch: Redispatch = Redispatch::Last;
        /// Most connections open to one server (HAProxy `maxconn`); none: no limit. Health checks are not counted.
        pub max_connections: Option<u32> = None, 1 ..= 1000000;
        /// Queue for calls that find every server at its limit.
        pub queue: Surge = Surge::default();
        /// Longest wait for a server's answer, then 504 (HAProxy `timeout server`, ELB idle timeout); none: for ever. [time]
        pub idle_timeout: Option<Ns> = Some(Ns::secs(60)), "1ms" ..= "24h";
        /// Whether a call whose client has left is dropped while it queues or connects (HAProxy `option abortonclose`).
        pub abort_on_close: bool = false;
    }
}

/// A product's defaults as a balancer.
pub struct Preset {
    /// The name that a file uses.
    pub name: &'static str,
    /// What it is, of which date, and where its numbers are published.
    pub doc: &'static str,
    /// Its parameters.
    pub balancer: fn() -> Balancer,
}

/// Every preset.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "haproxy",
        doc: "HAProxy 2.6 (2022): round robin, 3 retries on connection failures, redispatch on, health checks as preset \
              `haproxy`. Its timeouts have no defaults: set connect_timeout and idle_timeout.",
        balancer: Balancer::default,
    },
    Preset {
        name: "classic-elb-2015",
        doc: "AWS Classic Load Balancer as of October 2015: idle timeout 60s (504), surge queue of 1,024 calls, 503 when no \
              instance is healthy, health checks as preset `classic-elb-2015`. Source: AWS user guide for Classic Load \
              Balancers. Its algorithm for HTTP is least outstanding requests.",
        balancer: || Balancer {
            algorithm: Algorithm::LeastRequests,
            health: HealthCheck::named("classic-elb-2015").unwrap_or_default(),
            queue: Surge { limit: 1024, timeout: None },
            idle_timeout: Some(Ns::secs(60)),
            ..Balancer::default()
        },
    },
];

impl Balancer {
    /// The preset of that name.
    pub fn named(name: &str) -> Option<Balancer> {
        PRESETS.iter().find(|p| p.name == name).map(|p| (p.balancer)())
    }

    fn from_preset(table: &Table, reader: &mut Reader<'_>) -> (Balancer, &'static [&'static str]) {
        let found = crate::setting::read_preset(table, reader, "balancers", PRESETS.iter().map(|p| p.name), Balancer::named);
        (found.unwrap_or_default(), &["preset"])
    }

    /// Longest wait in the queue. [time]
    pub fn queue_timeout(&self) -> Ns {
        self.queue.timeout.unwrap_or(self.connect_timeout)
    }
}
