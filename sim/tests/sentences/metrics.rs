//! The metrics that evidence and conditions name.

use crate::{Shown, near};
use brownout_sim::outcome::Outcome;

/// The value of a metric that the world asks for.
fn value(outcome: &Outcome, metric: &str) -> f64 {
    let found = outcome.evidence.iter().find(|evidence| evidence.metric == metric);
    found.unwrap_or_else(|| panic!("the world does not ask for {metric}")).value.unwrap_or(f64::NAN)
}

#[rustfmt::skip] // one world, one line
pub const ROWS: &[Shown] = &[
    (
        &["What evidence and conditions of expectations may name.", "Calls that clients wanted to make.", "Calls whose data was stored (for a kind that only reads: answered).", "Calls whose data was lost.", "Calls whose client gave up.", "dropped / offered.", "failed / offered.", "Calls answered ok / offered.", "Calls whose data was stored, late or not / offered."],
        &["?get.offered=0; ?get.stored=0; ?get.dropped=0; ?get.failed=0; ?get.dropped_rate=0%; ?get.failed_rate=0%; ?get.success_rate=0%; ?get.stored_rate=0%; @5s do=error store=db for=5s"],
        |o| ["offered", "stored", "dropped", "failed", "dropped_rate", "failed_rate", "success_rate", "stored_rate"].map(|m| value(&o[0], &format!("get.{m}"))) == [200.0, 150.0, 50.0, 50.0, 0.25, 0.25, 0.75, 0.75],
    ),
    (
        &["End of the last step in which more than 1% of the calls failed; hangs on `step`.", "The longest stretch of steps in each of which more than 90% of the calls were dropped; hangs on `step`.", "The longest stretch of steps in each of which at least 99% of the calls failed; hangs on `step`."],
        &["zone=UTC; span={ from = \"2026-01-01 12:00\", to = \"2026-01-01 12:01\" }; ?get.failing_until=12:00; ?get.longest_drop=1s; ?get.unavailable=12:00..12:01; @12:00:03 do=error store=db for=1s; @12:00:06 do=error store=db for=4s; @12:00:14 do=error store=db share=50% for=1s"],
        |o| value(&o[0], "get.failing_until") == 15.0 && value(&o[0], "get.longest_drop") == 4.0 && o[0].evidence[2].simulated == "12:00:06 to 12:00:10",
    ),
    (
        &["`<calls>` is a kind of call (`track`), one population of it (`track.browsers`) or `all`.", "Attempts that clients sent per call offered; without retries 1."],
        &["clients.d={ like = \"c\", retry.retries = 1 }; ?all.offered=0; ?get.d.offered=0; ?get.c.amplification=0; ?get.d.amplification=0; @5s do=error store=db for=5s"],
        |o| value(&o[0], "all.offered") == 400.0 && value(&o[0], "get.d.offered") == 200.0 && value(&o[0], "get.c.amplification") == 1.0 && value(&o[0], "get.d.amplification") == 1.25,
    ),
    (
        &["Mean latency of the calls answered ok.", "Median latency of the calls answered ok; to 1%.", "99th percentile of the latency of the calls answered ok; to 1%.", "Largest latency of a call answered ok; to 1%."],
        &["?get.latency_mean=1s; ?get.latency_p50=1s; ?get.latency_p99=1s; ?get.latency_max=1s; @5s do=slow store=db factor=100 for=5s; @15s do=slow store=db factor=250 for=200ms"],
        |o| near(value(&o[0], "get.latency_mean"), 0.02825, 0.01) && near(value(&o[0], "get.latency_p50"), 0.001, 0.01) && near(value(&o[0], "get.latency_p99"), 0.1, 0.011) && near(value(&o[0], "get.latency_max"), 0.25, 0.011),
    ),
    (
        &["Of those, stored late: from a spool, a replay or a client's own queue.", "Calls whose client was told ok and whose data was lost afterwards.", "Most calls that one spool of a server held at any instant, those being written included."],
        &["balancer.retry_broken=true; fleets.f={ restart.delay = \"50ms\", calls.get = { writes = true, spool.to = \"memory\" } }; ?get.late=0; ?get.lost_after_ok=0; ?fleets.f.spooled_max=0; @5s do=refuse store=db for=5s; @8s do=crash fleet=f"],
        |o| (8.0..=15.0).contains(&value(&o[0], "get.late")) && value(&o[0], "get.lost_after_ok") == 30.0 && value(&o[0], "fleets.f.spooled_max") == 30.0,
    ),
    (
        &["Executions of calls whose client had left.", "Executions of calls that were stored already."],
        &["?get.zombies=0; fleets.f.calls.get.writes=true; stores.db.service=500ms; clients.c.timeout=400ms", "?get.duplicates=0; fleets.f.calls.get.writes=true; stores.db.service=100ms; clients.c={ timeout = \"50ms\", retry = { retries = 1, delay = \"1ms\" } }"],
        |o| value(&o[0], "get.zombies") > 190.0 && value(&o[1], "get.duplicates") > 190.0,
    ),
    (
        &["How often a server left rotation, mean over the servers.", "How often the server left rotation that left it most often.", "downs_max per hour of the window.", "Servers in rotation, mean over the window.", "Fewest servers in rotation at any instant.", "Most servers in rotation at any instant.", "Processes that died.", "Fewest processes alive at any instant.", "From the beginning of the outage (of the first fault, if no store left service) to the first server that left rotation."],
        &["fleets.f.count=2; ?rotation.downs_mean=0; ?rotation.downs_max=0; ?rotation.flaps_per_hour=0; ?rotation.in_rotation_mean=0; ?rotation.in_rotation_min=0; ?rotation.in_rotation_max=0; ?rotation.first_ejection=1s; ?fleets.f.crashes=0; ?fleets.f.alive_min=0; \
          fleets.f.restart.delay=1s; balancer.health=haproxy; balancer.health={ interval = \"1s\", rise = 1, follows_process = true }; @5s do=crash fleet=f servers=1 repeat={every=\"6s\",times=2}"],
        |o| ["downs_mean", "downs_max", "flaps_per_hour", "in_rotation_min", "in_rotation_max", "first_ejection"].map(|m| value(&o[0], &format!("rotation.{m}"))) == [1.0, 2.0, 360.0, 1.0, 2.0, 0.0]
            && (1.7..1.9).contains(&value(&o[0], "rotation.in_rotation_mean")) && value(&o[0], "fleets.f.crashes") == 2.0 && value(&o[0], "fleets.f.alive_min") == 1.0,
    ),
    (
        &["From the end of the last outage (of the last fault, if no store left service) until at least 99% of the calls succeed for a minute; to a second, or to 1% of it."],
        // The deadline of the calls that wait for the process ends their failing, ten seconds after the fault.
        &["span=3min; ?get.recovery=1s; balancer.retries=0; fleets.f.restart.delay=12s; @5s do=refuse store=db for=5s; @10s do=crash fleet=f", "span=3min; ?get.recovery=1s; balancer.retries=0; fleets.f.restart.delay=12s; @10s do=crash fleet=f"],
        |o| (value(&o[0], "get.recovery") - 12.0).abs() <= 1.0 && (value(&o[1], "get.recovery") - 12.0).abs() <= 1.0,
    ),
    (
        &["Share of the time in which the balancer ignores health, as too few of the servers that operators let in are healthy; 0 for a balancer that never does."],
        &[
            "?rotation.fail_open_share=0%; balancer.health=haproxy; balancer.health={ interval = \"1s\", fall = 1, fail_open_below = 1 }; fleets.f.health=deep; @10s do=refuse store=db",
            "?rotation.fail_open_share=0%; balancer.health=haproxy; balancer.health={ interval = \"1s\", fall = 1 }; fleets.f.health=deep; @10s do=refuse store=db",
        ],
        |o| (0.44..0.51).contains(&value(&o[0], "rotation.fail_open_share")) && value(&o[1], "rotation.fail_open_share") == 0.0,
    ),
    (
        &["Most calls waiting to be accepted at any instant, all servers.", "Most calls accepted and not answered at any instant, all servers.", "Most calls queued at the balancer at any instant."],
        &[
            "?fleets.f.accept_queue_max=0; clients.c={ calls = 50, timeout = \"1h\" }; stores.db.service=1h; fleets.f={ workers = 4, calls.get.timeout = \"1h\" }",
            "?fleets.f.pending_max=0; clients.c={ calls = 50, timeout = \"1h\" }; stores.db.service=1h; fleets.f={ workers = 4, concurrency = \"event-loop\", calls.get.timeout = \"1h\" }",
            "?balancer.queue_max=0; clients.c={ calls = 50, timeout = \"1h\" }; stores.db.service=1h; balancer={ max_connections = 4, queue.timeout = \"1h\" }; fleets.f.calls.get.timeout=1h",
        ],
        |o| value(&o[0], "fleets.f.accept_queue_max") == 46.0 && value(&o[1], "fleets.f.pending_max") == 50.0 && value(&o[2], "balancer.queue_max") == 46.0,
    ),
    (
        &["Queries and appends sent to it.", "Queries and appends sent to it, those of health checks included, per call offered that uses it.", "Connections that servers tried to open to it.", "Most queries waiting to run, or hung, at any instant."],
        &[
            "?stores.db.queries=0; ?stores.db.amplification=0; ?stores.db.connects=0; balancer.health=haproxy; balancer.health.interval=1s; fleets.f={ count = 2, health = \"deep\" }",
            "?stores.db.waiting_max=0; stores.db={ service = \"1h\", concurrency = 3 }; fleets.f={ workers = 100, calls.get.timeout = \"1h\" }; clients.c.timeout=1h",
        ],
        // Forty checks; two servers; ten connections, three of them at work.
        |o| near(value(&o[0], "stores.db.queries"), 240.0, 0.01) && near(value(&o[0], "stores.db.amplification"), 1.2, 0.01) && (2.0..=4.0).contains(&value(&o[0], "stores.db.connects")) && value(&o[1], "stores.db.waiting_max") == 7.0,
    ),
    (
        &["Least headroom at any instant, where the store has some.", "Most lost calls kept for a replay at any instant.", "Calls missing from the books at the end of the run: neither settled nor alive, neither answered nor waiting."],
        &["?stores.db.headroom_min=0; ?balancer.kept_max=0; ?ledger.unaccounted=0; stores.db.headroom={ at_start = 100, background = \"2/s\" }; fleets.f.calls.get.writes=true; stores.db.headroom.per_write=0; balancer.log.calls=[\"get\"]; @5s do=error store=db for=5s; @12s do=replay calls=get"],
        |o| near(value(&o[0], "stores.db.headroom_min"), 60.0, 0.01) && value(&o[0], "balancer.kept_max") == 50.0 && value(&o[0], "ledger.unaccounted") == 0.0,
    ),
    (
        &["*Over*: a part of a window means also each step of it; a total adds up over the window, so a bound on it is one on the whole window; some need a window as a whole; those over the run begin with the outage, whatever the window."],
        &["window={ from = \"6s\", to = \"8s\" }; ?get.offered=0; ?get.dropped_rate=0%; ?rotation.first_ejection=1s; @5s do=error store=db share=50% for=5s; @7s do=take-down fleet=f; fleets.f.count=2"],
        |o| value(&o[0], "get.offered") == 20.0 && (0.2..0.8).contains(&value(&o[0], "get.dropped_rate")) && value(&o[0], "rotation.first_ejection") == 2.0,
    ),
];
