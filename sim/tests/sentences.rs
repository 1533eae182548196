//! Sentences of the format's page that name an effect, each against a small world: what the page says is what happens.
//!
//! A row is the sentence, the lines that a world of one server and one call each 100 ms gets, and what must be seen.

use brownout_scenarios::load_text;
use brownout_sim::outcome::Outcome;
use brownout_sim::simulate;
use std::path::Path;

fn run(lines: &str) -> Outcome {
    let base = "brownout = 1\ntitle = \"x\"\nspan = \"20s\"\nstep = \"1s\"\nclients.c.sends = \"get\"\n\
                clients.c.arrivals = \"constant\"\nnetwork.clients.latency = \"0s\"\nfleets.f.calls.get.asks = \"db\"\n";
    let text = format!("{base}{lines}");
    let scenario = load_text("x.toml", &text, Path::new("."), &[], &[]).unwrap_or_else(|m| panic!("{text}\n{m}"));
    simulate(&scenario, 1, None, &mut |_| {}).expect("the ledger balances")
}

fn seen(outcome: &Outcome, word: &str) -> u64 {
    outcome.calls["get"].seen.get(word).copied().unwrap_or(0)
}

fn cause(outcome: &Outcome, word: &str) -> u64 {
    outcome.calls["get"].causes.get(word).copied().unwrap_or(0)
}

type Row = (&'static str, &'static str, fn(&Outcome) -> bool);

/// What one server with one connection cannot take.
const ROWS: &[Row] = &[
    (
        "balancer.queue.limit: one more gets `unavailable_status` at once",
        "clients.c.rate = \"20/s\"\nbalancer.health = \"none\"\nbalancer.unavailable_status = 502\n\
         balancer.max_connections = 1\nbalancer.queue.limit = 0\nstores.db.service = \"1s\"",
        |o| cause(o, "queue_full") > 100 && seen(o, "502") > 100 && seen(o, "503") == 0,
    ),
    (
        "balancer.queue.timeout: longest wait, then `unavailable_status`",
        "clients.c.rate = \"20/s\"\nbalancer.health = \"none\"\nbalancer.unavailable_status = 502\n\
         balancer.max_connections = 1\nbalancer.queue.timeout = \"100ms\"\nstores.db.service = \"1s\"",
        |o| cause(o, "queue_timeout") > 100 && seen(o, "502") > 100 && seen(o, "503") == 0,
    ),
    (
        "balancer.health.enabled: without checks passive checks still take a server out of rotation",
        "clients.c.rate = \"20/s\"\nfleets.f.count = 2\nbalancer.health.enabled = false\n\
         balancer.health.observe.errors = 1\nbalancer.health.observe.on_error = \"mark-down\"\nstores.db.service = \"1ms\"\n\
         [[timeline]]\nat = \"5s\"\ndo = \"error\"\nstore = \"db\"\nfor = \"1s\"",
        |o| cause(o, "no_server") > 100,
    ),
    (
        "balancer.health.enabled: and without those every server stays in rotation",
        "clients.c.rate = \"20/s\"\nfleets.f.count = 2\nbalancer.health.enabled = false\nstores.db.service = \"1ms\"\n\
         [[timeline]]\nat = \"5s\"\ndo = \"error\"\nstore = \"db\"\nfor = \"1s\"",
        |o| cause(o, "no_server") == 0 && seen(o, "500") > 10,
    ),
    (
        "calls.timeout: one deadline over the query, with all tries in place",
        "clients.c.rate = \"1/s\"\nbalancer.health = \"none\"\nfleets.f.calls.get.timeout = \"2s\"\n\
         fleets.f.calls.get.on_error = \"retry\"\nfleets.f.calls.get.retry_every = \"300ms\"\nstores.db.service = \"1ms\"\n\
         [[timeline]]\nat = \"0s\"\ndo = \"error\"\nstore = \"db\"",
        |o| {
            seen(o, "500") > 10
                && o.stores["db"].queries > 5 * seen(o, "500")
                && o.stores["db"].queries <= 8 * o.calls["get"].offered
        },
    ),
    (
        "calls.queue: a call that waits at a bulkhead holds no core of an event loop",
        "clients.c.rate = \"10/s\"\nbalancer.health = \"none\"\nfleets.f.concurrency = \"event-loop\"\nstores.db.service = \"10s\"\n\
         fleets.f.calls.get.at_most = 1\nfleets.f.calls.get.queue = 1000\n\
         fleets.f.calls.other.work = \"1ms\"\nclients.d.sends = \"other\"\nclients.d.rate = \"10/s\"",
        |o| o.calls["other"].failed == 0 && o.calls["other"].ok > 150,
    ),
    (
        "calls.queue: it holds its worker",
        "clients.c.rate = \"10/s\"\nbalancer.health = \"none\"\nfleets.f.workers = 4\nstores.db.service = \"10s\"\n\
         fleets.f.calls.get.at_most = 1\nfleets.f.calls.get.queue = 1000\n\
         fleets.f.calls.other.work = \"1ms\"\nclients.d.sends = \"other\"\nclients.d.rate = \"10/s\"",
        |o| o.calls["other"].ok < 50,
    ),
    (
        "calls.at_most: a share of `workers`, of an event loop too",
        "clients.c.rate = \"20/s\"\nbalancer.health = \"none\"\nfleets.f.concurrency = \"event-loop\"\nfleets.f.workers = 2\n\
         fleets.f.calls.get.at_most = \"50%\"\nstores.db.service = \"1s\"",
        |o| cause(o, "bulkhead_full") > 300 && o.calls["get"].ok < 25,
    ),
    (
        "heap_limit: of workers, pending calls do not count",
        "clients.c.rate = \"20/s\"\nbalancer.health = \"none\"\nfleets.f.heap_limit = \"100kB\"\nstores.db.service = \"100ms\"",
        |o| cause(o, "crashed") == 0 && o.calls["get"].failed == 0,
    ),
    (
        "heap_limit: of an event loop they do",
        "clients.c.rate = \"20/s\"\nbalancer.health = \"none\"\nfleets.f.heap_limit = \"100kB\"\nstores.db.service = \"200ms\"\n\
         fleets.f.concurrency = \"event-loop\"",
        |o| cause(o, "crashed") > 0,
    ),
    (
        "backlog: an event loop accepts at once, so that none waits",
        "clients.c.rate = \"50/s\"\nbalancer.health = \"none\"\nfleets.f.concurrency = \"event-loop\"\nfleets.f.backlog = 0\n\
         fleets.f.calls.get.work = \"15ms\"\nstores.db.service = \"1ms\"\nbalancer.retries = 0",
        |o| cause(o, "backlog_full") == 0,
    ),
    (
        "clients.offline: calls that store nothing are not kept",
        "clients.c.rate = \"10/s\"\nbalancer.health = \"none\"\nclients.c.offline.returns_after = \"1s\"\nstores.db.service = \"1ms\"\n\
         [[timeline]]\nat = \"5s\"\ndo = \"error\"\nstore = \"db\"\nfor = \"5s\"",
        |o| o.calls["get"].dropped == o.calls["get"].failed && o.calls["get"].late == 0,
    ),
    (
        "timeline.delay: time between the time `at` and the action",
        "clients.c.rate = \"10/s\"\nbalancer.health = \"none\"\nstores.db.service = \"1ms\"\n\
         [[timeline]]\nat = \"5s\"\ndelay = \"3s\"\ndo = \"hang\"\nstore = \"db\"\nfor = \"1s\"",
        |o| o.outages.len() == 1 && o.outages[0].from_s == 8.0,
    ),
    (
        "health.initial: `first_pass` brings in a server that begins down with its first pass",
        "clients.c.rate = \"10/s\"\nbalancer.health.initial = \"down\"\nbalancer.health.rise = 9\n\
         balancer.health.first_pass = true\nbalancer.health.interval = \"1s\"\nstores.db.service = \"1ms\"",
        |o| o.calls["get"].ok > 180,
    ),
    (
        "health.initial: without it the server is out until it has passed `rise` checks",
        "clients.c.rate = \"10/s\"\nbalancer.health.initial = \"down\"\nbalancer.health.rise = 9\n\
         balancer.health.interval = \"1s\"\nstores.db.service = \"1ms\"",
        |o| cause(o, "no_server") > 70 && o.calls["get"].ok > 70,
    ),
    (
        "shedding.checks_first: a check behind many calls waits its turn, and is not shed",
        "clients.c.rate = \"40/s\"\nfleets.f.workers = 1\nbalancer.health.interval = \"200ms\"\nbalancer.health.timeout = \"100ms\"\n\
         fleets.f.shedding.checks_first = false\nfleets.f.shedding.pending = 20\nfleets.f.calls.get.work = \"30ms\"\nstores.db.service = \"1ms\"",
        |o| o.rotation.downs.values().sum::<u64>() > 0,
    ),
    (
        "shedding.checks_first: health checks go ahead of waiting calls",
        "clients.c.rate = \"40/s\"\nfleets.f.workers = 1\nbalancer.health.interval = \"200ms\"\nbalancer.health.timeout = \"100ms\"\n\
         fleets.f.shedding.checks_first = true\nfleets.f.shedding.pending = 20\nfleets.f.calls.get.work = \"30ms\"\nstores.db.service = \"1ms\"",
        |o| o.rotation.downs.values().sum::<u64>() == 0,
    ),
];

#[test]
fn the_page_says_what_happens() {
    for (sentence, lines, holds) in ROWS {
        let outcome = run(lines);
        assert!(holds(&outcome), "{sentence}\n{lines}\n{:#?}\n{:?}", outcome.calls, outcome.rotation);
    }
}
