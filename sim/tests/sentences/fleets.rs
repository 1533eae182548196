//! Servers: how they work on calls, what their health endpoint looks at, what their process does.

use crate::{Shown, cause, downs, failed, get, latency, near, seen};

/// One worker that is busy for seconds with each call, and checks each second.
macro_rules! busy {
    ($world:literal) => {
        concat!("balancer.health=haproxy; balancer.health={ interval = \"1s\", fall = 1 }; fleets.f={ workers = 1, calls.get.work = \"3s\" }; ", $world)
    };
}

/// A process that needs the store to start, though no call asks it.
macro_rules! needs {
    ($world:literal) => {
        concat!(
            "balancer.retries=0; fleets.f={ calls.get.asks = \"none\", calls.idle.asks = \"db\", restart = { delay = \"500ms\", needs = \"db\" } };",
            $world
        )
    };
}

#[rustfmt::skip] // one world, one line
pub const ROWS: &[Shown] = &[
    (
        &["Another fleet, of which this one is a copy where it says nothing itself.", "Which of them the balancer sends to this fleet; none: all.", "The kinds of call it can serve.", "How many servers.", "The kind of call, served by a fleet that lists it under `calls`."],
        &["fleets.f={ calls.put.asks = \"db\", serves = [\"get\"], restart.delay = \"1h\" }; fleets.g={ like = \"f\", count = 3, serves = [\"put\"] }; clients.d={ like = \"c\", sends = \"put\" }; @0s do=crash fleet=f"],
        |o| o[0].fleets["g"].servers == 3 && get(&o[0]).ok == 0 && o[0].calls["put"].ok == 200,
    ),
    (
        &["Servers that are bad alone, for the whole run; none: all are good.", "Share of their calls that are answered with an error in place of being done; each try draws anew.", "The status of that.", "Factor on the computing times of these servers."],
        &[
            "fleets.f={ count = 2, bad = { share = \"50%\", status = 502, takes = \"2ms\" } }; clients.c.rate=50/s",
            "fleets.f={ count = 2, bad = { servers = \"f-2\", share = \"0%\", factor = 50.0 }, calls.get.work = \"2ms\" }",
        ],
        // Half of half; half of the calls take 50 times as long (2 ms and a millisecond of the store, 0.5 ms of connecting at first).
        |o| (200..300).contains(&seen(&o[0], "502")) && cause(&o[0], "bad_answer") == get(&o[0]).failed && near(latency(&o[1]), 3.0 + 49.0, 0.03),
    ),
    (
        &["A pool of workers: a call holds one from start to answer, waiting for a store included.", "An event loop: a call holds a core only while it computes; pending calls hold memory.", "Workers of a server.", "Workers or event loop."],
        &[
            "stores.db.service=990ms; fleets.f={ workers = 2, pools.db.size = 100 }; clients.c.timeout=1h",
            "stores.db.service=990ms; fleets.f={ concurrency = \"event-loop\", pools.db.size = 100 }; clients.c.timeout=1h",
        ],
        |o| near(get(&o[0]).ok as f64, 39.0, 0.06) && near(latency(&o[1]), 990.0, 0.001),
    ),
    (
        &["Cores of an event loop (Node.js: 1)."],
        &["fleets.f={ concurrency = \"event-loop\", calls.get.work = \"150ms\" }", "fleets.f={ concurrency = \"event-loop\", cores = 2, calls.get.work = \"150ms\" }"],
        |o| latency(&o[0]) > 1000.0 && near(latency(&o[1]), 151.0, 0.001),
    ),
    (
        &["Memory that a pending call holds in an event loop.", "Memory at which the process dies: that of an event loop's pending calls, of spools in memory and of leaks; \"none\": no limit.", "What a call in memory takes of the heap."],
        // Ten calls are pending.
        &[
            "stores.db.service=1s; fleets.f={ concurrency = \"event-loop\", heap_limit = \"5MB\", memory_per_call = \"1MB\", pools.db.size = 100 }",
            "stores.db.service=1s; fleets.f={ concurrency = \"event-loop\", heap_limit = \"5MB\", memory_per_call = \"100kB\", pools.db.size = 100 }",
            "stores.db.service=1s; fleets.f={ concurrency = \"event-loop\", memory_per_call = \"1MB\", pools.db.size = 100 }",
            "stores.db.service=1s; fleets.f={ heap_limit = \"5MB\", memory_per_call = \"1MB\", workers = 100, pools.db.size = 100 }",
            "fleets.f={ heap_limit = \"5MB\", calls.get.writes = true, calls.get.spool = { replay = \"1/s\", memory_per_call = \"1MB\" } }",
        ],
        |o| o[0].fleets["f"].crashes > 2 && o[1..4].iter().all(|o| o.fleets["f"].crashes == 0) && o[4].fleets["f"].crashes > 2,
    ),
    (
        &["An event loop, and a process with `shedding.pending`, accepts at once, so that none waits while it runs."],
        &[
            "clients.c.rate=50/s; fleets.f={ concurrency = \"event-loop\", backlog = 0, calls.get.work = \"15ms\" }; balancer.retries=0",
            "clients.c.rate=50/s; fleets.f={ workers = 1, backlog = 0, shedding.pending = 1000, calls.get.work = \"30ms\" }; balancer.retries=0",
            "clients.c.rate=50/s; fleets.f={ workers = 1, backlog = 0, calls.get.work = \"30ms\" }; balancer.retries=0",
        ],
        |o| cause(&o[0], "backlog_full") == 0 && cause(&o[1], "backlog_full") == 0 && cause(&o[2], "backlog_full") > 0,
    ),
    (
        &["A queue of the process's own behind it, filled by an accepting thread (gunicorn: 1,000 and more)."],
        &["stores.db.service=1s; fleets.f={ workers = 1, backlog = 0, accept_queue = 5 }; balancer.connect_timeout=100ms", "stores.db.service=1s; fleets.f={ workers = 1, backlog = 0 }; balancer.connect_timeout=100ms"],
        // One at work, one in the operating system, and five between.
        |o| near(latency(&o[0]), 6500.0, 0.15) && latency(&o[1]) < 2500.0,
    ),
    (
        &["Whether a worker looks, before it starts a call, if the other side has left, and then skips it."],
        &[
            "clients.c.timeout=1500ms; stores.db.service=1s; fleets.f.workers=1; balancer={ abort_on_close = true, close_on_departure = true }",
            "clients.c.timeout=1500ms; stores.db.service=1s; fleets.f={ workers = 1, notices_departure = true }; balancer={ abort_on_close = true, close_on_departure = true }",
        ],
        |o| cause(&o[0], "client_left") < 80 && cause(&o[1], "client_left") > 150,
    ),
    (
        &["How long a process whose error is not handled goes on serving before it is gone."],
        &["balancer.retries=0; fleets.f={ calls.get.on_error = \"crash\", restart.delay = \"1h\" }; @5s do=error store=db for=150ms", "balancer.retries=0; fleets.f={ dies_after = \"3s\", calls.get.on_error = \"crash\", restart.delay = \"1h\" }; @5s do=error store=db for=150ms"],
        |o| failed(&o[0], 5, 20) == 150 && (118..=122).contains(&failed(&o[1], 5, 20)),
    ),
    (
        &["Pause before the supervisor starts it again.", "Time from then until it listens.", "What the supervisor does then."],
        &["balancer.retries=0; fleets.f.restart={ delay = \"3s\" }; @5s do=crash fleet=f", "balancer.retries=0; fleets.f.restart={ delay = \"3s\", boot = \"2s\" }; @5s do=crash fleet=f"],
        |o| get(&o[0]).failed == 30 && get(&o[1]).failed == 50,
    ),
    (
        &["A store without which it does not start: while that is shut down, stopped or cuts connections, it dies again at once.", "The link to it and its limits are not looked at."],
        &[
            needs!("@5s do=refuse store=db for=5s; @6s do=crash fleet=f"),
            needs!("@5s do=hang store=db for=5s; @6s do=crash fleet=f"),
            needs!("@5s do=sever store=db for=5s; @6s do=crash fleet=f"),
            needs!("@5s do=partition between=[\"fleets.f\",\"stores.db\"] for=5s; @6s do=crash fleet=f"),
            needs!("@5s do=connection-limit store=db to=0 for=5s; @6s do=crash fleet=f"),
        ],
        |o| o[..3].iter().all(|o| (40..=45).contains(&get(o).failed)) && o[3..].iter().all(|o| get(o).failed <= 5),
    ),
    // The health endpoint.
    (
        &["The process answers on a thread of its own: it proves only that the process lives.", "It passes through the same accept queue and workers as the traffic.", "A background task queries a store now and then; the check reads its last result, on a thread of its own.", "The health endpoint.", "Who answers, and what it looks at."],
        &[busy!("fleets.f.health=shallow"), busy!("fleets.f.health=shared"), busy!("fleets.f.health=cached"), busy!("fleets.f.health=shallow; @5s do=crash fleet=f")],
        |o| downs(&o[0]) == 0 && downs(&o[1]) > 0 && downs(&o[2]) == 0 && downs(&o[3]) == 1,
    ),
    (
        &["As `shared`, and it queries a store through the traffic's pool.", "A fleet that asks none has nothing to check but itself.", "The store that a deep or cached check queries; none: the first that a call of this fleet asks."],
        &[
            "balancer.health=haproxy; fleets.f.health=deep; @5s do=refuse store=db",
            "balancer.health=haproxy; fleets.f.health=deep; fleets.f.calls.get.asks=none; fleets.g={ calls.put.asks = \"db\" }; @5s do=refuse store=db",
            "balancer.health=haproxy; fleets.f.health={ kind = \"deep\", asks = \"other\" }; stores.other={}; @5s do=refuse store=db",
            "balancer.health=haproxy; fleets.f.health={ kind = \"cached\", asks = \"other\" }; stores.other={}; @5s do=refuse store=other",
            // One connection, which calls hold all the time.
            "balancer.health=haproxy; stores.db.service=2s; fleets.f={ health = \"deep\", pools.db.size = 1 }",
        ],
        |o| downs(&o[0]) == 1 && downs(&o[1]) == 0 && downs(&o[2]) == 0 && downs(&o[3]) == 1 && downs(&o[4]) == 1,
    ),
    (
        &["Computing time of a check."],
        &["clients.c.rate=50/s; balancer.health=haproxy; balancer.health.interval=1s; fleets.f={ workers = 1, health.work = \"200ms\" }", "clients.c.rate=50/s; balancer.health=haproxy; balancer.health.interval=1s; fleets.f.workers=1"],
        |o| latency(&o[0]) > 10.0 && latency(&o[1]) < 2.0,
    ),
    (
        &["Time in which the store serves that query; none: the store's own `service`."],
        &["balancer.health=haproxy; fleets.f.health={ kind = \"deep\", service = \"1900ms\", timeout = \"1s\" }", "balancer.health=haproxy; fleets.f.health={ kind = \"deep\", timeout = \"1s\" }"],
        |o| downs(&o[0]) == 1 && downs(&o[1]) == 0,
    ),
    (
        &["Deadline of that query, connection included."],
        &["balancer.health=haproxy; stores.db.service=300ms; fleets.f.health={ kind = \"deep\", timeout = \"100ms\" }", "balancer.health=haproxy; stores.db.service=300ms; fleets.f.health={ kind = \"deep\" }", "balancer.health=haproxy; stores.db={ service = \"1ms\", connect = \"1500ms\" }; fleets.f={ health = { kind = \"deep\", asks = \"db\" }, calls.get.asks = \"none\" }"],
        |o| downs(&o[0]) == 1 && downs(&o[1]) == 0 && downs(&o[2]) == 1,
    ),
    (
        &["How often a cached check queries."],
        &["balancer.health=haproxy; clients.c.calls=1; fleets.f.health={ kind = \"cached\", every = \"500ms\" }", "balancer.health=haproxy; clients.c.calls=1; fleets.f.health={ kind = \"cached\", every = \"4s\" }"],
        |o| (39..=42).contains(&o[0].stores["db"].queries) && (5..=7).contains(&o[1].stores["db"].queries),
    ),
    // Shedding.
    (
        &["Most calls accepted and unanswered; more are answered 503 at once; none: no bound.", "Load shedding by the process itself."],
        &["stores.db.service=1s; fleets.f.shedding.pending=3", "stores.db.service=700ms"],
        |o| near(seen(&o[0], "503") as f64, 140.0, 0.05) && cause(&o[0], "overload") >= 130 && get(&o[1]).failed == 0,
    ),
    (
        &["A call that waited longer than this is answered 503 when its turn comes; none: no bound."],
        &["stores.db.service=300ms; fleets.f={ workers = 1, shedding.age = \"500ms\" }", "stores.db.service=300ms; fleets.f.workers=1"],
        |o| seen(&o[0], "503") > 80 && seen(&o[1], "503") == 0 && latency(&o[0]) < 900.0,
    ),
    (
        &["Whether health checks go ahead of waiting calls; they are never shed in any case."],
        &[
            "clients.c.rate=40/s; balancer.health=haproxy; balancer.health={ interval = \"200ms\", timeout = \"100ms\" }; fleets.f={ workers = 1, shedding = { checks_first = false, pending = 20 }, calls.get.work = \"30ms\" }",
            "clients.c.rate=40/s; balancer.health=haproxy; balancer.health={ interval = \"200ms\", timeout = \"100ms\" }; fleets.f={ workers = 1, shedding = { checks_first = true, pending = 20 }, calls.get.work = \"30ms\" }",
            // It waits its turn behind twenty calls, and passes.
            "clients.c.rate=40/s; balancer.health=haproxy; balancer.health={ interval = \"2s\", timeout = \"2s\", fall = 1 }; fleets.f={ workers = 1, shedding = { checks_first = false, pending = 20 }, calls.get.work = \"30ms\" }",
        ],
        |o| downs(&o[0]) > 0 && downs(&o[1]) == 0 && cause(&o[1], "overload") > 10 && downs(&o[2]) == 0 && cause(&o[2], "overload") > 10,
    ),
    // Adaptive limits.
    (
        &["Adaptive limit on all calls at once, one in each process: \"aimd\", \"gradient\", or a table.", "Adaptive limit on these calls at once, one in each process: \"aimd\", \"gradient\", or a table.", "Limit at the start, in calls."],
        &[
            "fleets.f={ workers = 100, pools.db.size = 100, limit = { algorithm = \"aimd\", initial = 2, least = 2, most = 2 } }; stores.db.service=1s",
            "fleets.f={ workers = 100, pools.db.size = 100, calls.get.limit = { algorithm = \"aimd\", initial = 2, least = 2, most = 2 } }; stores.db.service=1s",
            "fleets.f={ workers = 100, pools.db.size = 100, calls.get.limit = { algorithm = \"aimd\", initial = 2, least = 2, most = 2 }, calls.put.asks = \"db\" }; clients.d={ like = \"c\", sends = \"put\" }; stores.db.service=1s",
            "fleets.f={ count = 2, workers = 100, pools.db.size = 100, limit = { algorithm = \"aimd\", initial = 2, least = 2, most = 2 } }; stores.db.service=1s",
        ],
        |o| o[..3].iter().all(|o| near(cause(o, "limit_reached") as f64, 160.0, 0.03)) && o[2].calls["put"].failed == 0 && near(cause(&o[3], "limit_reached") as f64, 120.0, 0.05),
    ),
];
