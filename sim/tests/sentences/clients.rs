//! Clients and links.

use crate::{Shown, failed, get, latency, near, seen};
use brownout_sim::outcome::Outcome;

/// Calls offered in each second.
fn offered(o: &Outcome) -> Vec<u64> {
    o.timeline.steps.iter().map(|step| step.calls["get"].offered).collect()
}

/// One call whose store errs for two seconds, and what it does about it.
macro_rules! retried {
    ($retry:literal) => {
        concat!(
            "clients.c={ calls = 1, timeout = \"30s\", retry = { retries = 20, ",
            $retry,
            " } }; @0s do=error store=db for=2s"
        )
    };
}

#[rustfmt::skip] // one world, one line
pub const ROWS: &[Shown] = &[
    (
        &["Another population, of which this one is a copy where it says nothing itself."],
        &["clients.d={ like = \"c\", rate = \"5/s\" }"],
        |o| offered(&o[0]) == vec![15; 20],
    ),
    (
        &["Mean rate of calls, all clients together.", "At random (non-homogeneous Poisson where the rate has a profile).", "Evenly spaced.", "Bursts of `burst` calls at one instant; the bursts arrive at random.", "Calls per burst.", "How calls arrive."],
        &["clients.c={ rate = \"100/s\", arrivals = \"poisson\" }", "clients.c.rate=100/s", "clients.c={ rate = \"100/s\", arrivals = \"burst\", burst = 20 }"],
        |o| {
            let spread = |o: &Outcome| offered(o).iter().map(|n| (*n as f64 - 100.0).powi(2)).sum::<f64>() / 20.0;
            let mean = |o: &Outcome| near(get(o).offered as f64, 2000.0, 0.2);
            // The variance of a Poisson count is its mean; of bursts it is their size times that.
            o.iter().all(mean) && (40.0..250.0).contains(&spread(&o[0])) && spread(&o[1]) == 0.0 && offered(&o[2]).iter().all(|n| n % 20 == 0) && spread(&o[2]) > 500.0
        },
    ),
    (
        &["Factor on the rate over the day, linear between the points, flat before and after."],
        &["clients.c.profile=[[\"5s\", 1.0], [\"15s\", 3.0]]"],
        |o| offered(&o[0])[..5] == [10; 5] && offered(&o[0])[16..] == [30; 4] && near(get(&o[0]).offered as f64, 400.0, 0.01),
    ),
    (&["At most so many calls in all."], &["clients.c.calls=7"], |o| get(&o[0]).offered == 7),
    (
        &["How long a client waits for the answer to one attempt."],
        &["clients.c={ rate = \"2/s\", timeout = \"900ms\" }; stores.db.service=1s", "clients.c={ rate = \"2/s\", timeout = \"1100ms\" }; stores.db.service=1s"],
        |o| seen(&o[0], "timeout") == get(&o[0]).failed && get(&o[0]).ok == 0 && get(&o[1]).failed == 0,
    ),
    (
        &["Connection to the balancer.", "An open connection is at hand: no handshake.", "Each call connects first: one more round trip.", "Between clients and the balancer.", "One-way latency."],
        &["network.clients.latency=50ms", "network.clients.latency=50ms; clients.c.connection=per-call"],
        |o| near(latency(&o[0]), 101.0, 0.001) && near(latency(&o[1]), 201.0, 0.001),
    ),
    (
        &["Between the balancer and the servers.", "Connection to the servers: opened for each call, or kept."],
        &["network.servers.latency=50ms", "network.servers.latency=50ms; balancer.connection=per-call"],
        |o| near(latency(&o[0]), 101.0, 0.001) && near(latency(&o[1]), 201.0, 0.001),
    ),
    (
        &["Each message takes up to this much longer, uniformly at random."],
        &["clients.c.rate=100/s; network.clients.jitter=100ms", "clients.c.rate=100/s; network.servers.jitter=100ms"],
        |o| o.iter().all(|o| near(latency(o), 101.0, 0.05)),
    ),
    (
        &["Further attempts after the first.", "What clients do about a failed attempt.", "No product: a failed attempt is not sent again."],
        &["clients.c.retry.retries=3; @0s do=error store=db", "clients.c.retry=none; @0s do=error store=db"],
        |o| get(&o[0]).attempts >= 4 * 190 && get(&o[0]).attempts <= 800 && get(&o[1]).attempts == 200,
    ),
    (
        &["The same pause every time.", "Doubles with each retry, up to `max_delay`.", "Pause before the first retry.", "Longest pause.", "How the pause grows."],
        &[retried!("delay = \"400ms\""), retried!("delay = \"400ms\", backoff = \"exponential\""), retried!("delay = \"400ms\", backoff = \"exponential\", max_delay = \"500ms\"")],
        // After 5 times 400 ms; after 400, 800 and 1600 ms; after 400 ms and 4 times 500 ms; and 1 ms for each query.
        |o| [2006.0, 2804.0, 2406.0] == [latency(&o[0]), latency(&o[1]), latency(&o[2])],
    ),
    (
        &["Whether an attempt that timed out is retried too."],
        &["clients.c={ timeout = \"500ms\", calls = 10, retry.retries = 1 }; stores.db.service=1s", "clients.c={ timeout = \"500ms\", calls = 10, retry = { retries = 1, after_timeout = false } }; stores.db.service=1s"],
        |o| get(&o[0]).attempts == 20 && get(&o[1]).attempts == 10,
    ),
    (
        &["A budget shared by the population's clients.", "Tokens in a full bucket; it starts full.", "Tokens that a retry costs.", "Tokens that a retry after a timeout costs."],
        &["clients.c.retry={ retries = 1, budget = { capacity = 50 } }; @0s do=error store=db", "clients.c={ timeout = \"500ms\", retry = { retries = 1, budget = { capacity = 50 } } }; @0s do=hang store=db"],
        |o| get(&o[0]).attempts == 210 && get(&o[1]).attempts == 205,
    ),
    (
        &["A queue of their own, in which clients keep calls that they have given up, if these store something.", "Share of clients that keep a lost call and come back.", "How long after it was offered a call is kept.", "Most calls that all clients together keep; later ones are lost."],
        &[
            "fleets.f.calls.get.writes=true; clients.c.offline={ share = \"50%\", returns_after = \"1s\" }; @5s do=error store=db for=5s",
            "fleets.f.calls.get.writes=true; clients.c.offline={ returns_after = \"1s\", keeps = \"1ms\" }; @5s do=error store=db for=5s",
            "fleets.f.calls.get.writes=true; clients.c.offline={ returns_after = \"10s\", capacity = 5 }; @5s do=error store=db for=5s",
            "clients.c.offline={ returns_after = \"1s\" }; @5s do=error store=db for=5s",
        ],
        |o| {
            let (half, brief, few, reads) = (get(&o[0]), get(&o[1]), get(&o[2]), get(&o[3]));
            (15..35).contains(&half.dropped) && half.late + half.in_flight + half.dropped == 50 && brief.dropped >= 49 && (35..=45).contains(&few.dropped)
                && reads.dropped == 50 && failed(&o[0], 5, 10) == 50
        },
    ),
];
