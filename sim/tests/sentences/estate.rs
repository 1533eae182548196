//! Services that call services, and caches.

use crate::{Shown, cause, effects, get, latency, near, seen};

/// A front whose calls take this step, and a back of one server.
macro_rules! step {
    ($step:literal) => {
        step!($step, "")
    };
    ($step:literal, $more:literal) => {
        concat!(
            "fleets.f={ workers = 100, calls.get = { asks = \"none\", then = [",
            $step,
            "] } }; ",
            "fleets.g={ workers = 100, calls.x = { work = \"10ms\" }, calls.own = { asks = \"db\" } }; ",
            $more
        )
    };
}

#[rustfmt::skip] // one world, one line
pub const ROWS: &[Shown] = &[
    (
        &["How other services reach it: a balancer of its own.", "None: each calling process balances for itself, as \"direct\".", "In one proxy for all callers, a hop of `network.services` away.", "In each calling process, which knows and counts for itself; no hop.", "Where it runs, for one by which services reach a fleet.", "Between a service and the proxy before another fleet; a balancer in the caller's own process has no such way."],
        &[
            step!("{ asks = \"g.x\" }", "network.services.latency=5ms"),
            step!("{ asks = \"g.x\" }", "network.services.latency=5ms; fleets.g.balancer={}"),
            step!("{ asks = \"g.x\" }", "network.services.latency=5ms; fleets.g.balancer.place=caller"),
        ],
        |o| [10.0, 20.0, 10.0].iter().zip(o).all(|(ms, o)| near(latency(o), *ms, 0.001)),
    ),
    (
        // Each of two callers begins with another of three, and goes on by itself: six calls find each server twice.
        &["No product: each calling process holds the list of servers and takes them in turn, without checks and without tries of its own;", "how long it waits, and how often it tries again, the step that asks says.", "Only for a fleet's own `balancer`."],
        &[step!("{ asks = \"g.x\" }", "fleets.g.count=2; @5s do=pause fleet=g servers=1 for=5s"), step!("{ asks = \"g.x\", timeout = \"100ms\", retry = { retries = 1, delay = \"0s\" } }", "fleets.g.count=2; @5s do=pause fleet=g servers=1 for=5s")],
        |o| get(&o[0]).latency_ms.unwrap().max > 4000.0 && get(&o[1]).ok == 200 && get(&o[1]).latency_ms.unwrap().max < 130.0,
    ),
    (
        &["Whom it asks: a store, a cache, or a kind of call of another fleet (\"catalog.product\").", "A store that takes one append, in the place of `asks`; the call's data is stored by it.", "Whether the query writes: then the call's data is stored by it."],
        &[step!("{ asks = \"g.x\" }, { asks = \"db\" }"), step!("{ appends = \"db\" }", "clients.c.timeout=1ms; network.clients.latency=2ms"), step!("{ asks = \"db\", writes = true }", "clients.c.timeout=1ms; network.clients.latency=2ms")],
        |o| near(latency(&o[0]), 11.0, 0.001) && o[0].stores["db"].queries == 200 && get(&o[1]).stored == 200 && get(&o[2]).stored == 200 && get(&o[2]).failed == 200,
    ),
    (
        &["Time in which the store serves it; none: the store's own `service`."],
        &[step!("{ asks = \"db\", service = \"30ms\" }"), step!("{ asks = \"db\" }")],
        |o| near(latency(&o[0]), 30.0, 0.001) && near(latency(&o[1]), 1.0, 0.001),
    ),
    (
        &["The pool, among `pools`, out of which it takes its connection; none: the one of the store's name."],
        &[step!("{ asks = \"db\", pool = \"small\", service = \"150ms\" }", "fleets.f.pools.small={ store = \"db\", size = 1 }"), step!("{ asks = \"db\", service = \"150ms\" }")],
        |o| latency(&o[0]) > 1000.0 && near(latency(&o[1]), 150.0, 0.001),
    ),
    (
        &["Share of the calls that take this step; the others go on without it."],
        &[step!("{ asks = \"g.x\", share = \"0%\" }"), step!("{ asks = \"g.x\", share = \"50%\" }")],
        |o| near(latency(&o[0]), 0.0, 0.001) && latency(&o[1]) > 3.5 && latency(&o[1]) < 6.5 && get(&o[1]).ok == 200,
    ),
    (
        &["Whether the call goes on without an answer when this has failed for good; else it fails with it."],
        &[step!("{ asks = \"g.x\", soft = true, timeout = \"5ms\" }"), step!("{ asks = \"g.x\", timeout = \"5ms\" }")],
        |o| get(&o[0]).ok == 200 && near(latency(&o[0]), 5.0, 0.001) && seen(&o[1], "500") == 200 && cause(&o[1], "service_timeout") == 200,
    ),
    (
        &["Longest wait in one attempt: for a service's answer; of a store, for a connection, connecting and the query, with all tries in place; none: no limit.", "Further attempts after one that failed, in the words of the clients' `retry`; a budget is that of one process."],
        &[
            step!("{ asks = \"g.x\", timeout = \"5ms\", retry = { retries = 2, delay = \"1ms\" } }"),
            step!("{ asks = \"g.x\", timeout = \"5ms\", retry = { retries = 2, delay = \"1ms\", budget = { capacity = 100, cost = 1, timeout_cost = 1, refund = 0 } } }"),
            step!("{ asks = \"g.x\", timeout = \"5ms\", retry = { retries = 2, delay = \"1ms\", budget = { capacity = 100, cost = 1, timeout_cost = 1, refund = 0 } } }", "fleets.f.count=2"),
            step!("{ asks = \"db\", timeout = \"none\" }", "@5s do=hang store=db for=8s; clients.c.timeout=30s"),
        ],
        |o| {
            let asks = |at: usize| o[at].edges.iter().find(|e| e.callee == "g").map(|e| e.window.attempts);
            [asks(0), asks(1), asks(2)] == [Some(600), Some(300), Some(400)] && get(&o[3]).ok == 200
        },
    ),
    (
        &["Of a store that is a cache: longest wait for a lookup, and for setting what was got; then the store behind it is queried, or the call goes on.", "None: no limit."],
        &[
            step!("{ asks = \"near\", cache_timeout = \"20ms\" }", "stores.near={ service = \"0s\", link.latency = \"0s\", cache = { of = \"db\" } }; @0s do=hang store=near"),
            step!("{ asks = \"near\" }", "stores.near={ service = \"0s\", link.latency = \"0s\", cache = { of = \"db\" } }; @0s do=hang store=near"),
        ],
        |o| get(&o[0]).ok >= 199 && near(latency(&o[0]), 41.0, 0.001) && get(&o[1]).ok == 0,
    ),
    (
        &["Bound on connecting alone, which ends a try in place, not the attempt; none: only `timeout`.", "Bound on the query alone, which ends a try in place, not the attempt; none: only `timeout`.", "What a failed attempt does: it fails, it kills the process, or (of a store) it is tried again in place."],
        &[
            step!("{ asks = \"db\", connect_timeout = \"20ms\" }", "stores.db.connect=50ms"),
            step!("{ asks = \"db\", query_timeout = \"20ms\", on_error = \"retry\", retry_every = \"10ms\" }", "@5s do=hang store=db for=500ms; clients.c.timeout=5s"),
            step!("{ asks = \"g.x\", timeout = \"5ms\", on_error = \"crash\" }"),
        ],
        |o| seen(&o[0], "500") == 200 && get(&o[1]).ok == 200 && o[1].fleets["f"].crashes == 0 && o[2].fleets["f"].crashes > 5,
    ),
    (
        &["What a connection cut by the store does, likewise; with `crash`, a cut idle connection kills the process too.", "Pause between tries in place.", "Most tries in place after the first; none: until the timeout."],
        &[
            step!("{ asks = \"db\", on_severed = \"crash\" }", "@5050ms do=sever store=db for=1ms"),
            step!("{ asks = \"db\", on_error = \"retry\", retry_every = \"100ms\", timeout = \"1s\" }", "clients.c.calls=1; @0s do=error store=db"),
            step!("{ asks = \"db\", on_error = \"retry\", retry_every = \"100ms\", retry_at_most = 2, timeout = \"1s\" }", "clients.c.calls=1; @0s do=error store=db"),
        ],
        |o| o[0].fleets["f"].crashes == 1 && o[1].stores["db"].queries == 10 && o[2].stores["db"].queries == 3,
    ),
    (
        &["Bulkhead: at most so many of these asks at once, a count or a share of `workers`; none: no bulkhead.", "Bulkhead: so many more may wait; the rest fail at once.", "Bulkhead: longest wait, then it fails; none: as `timeout`."],
        &[
            step!("{ asks = \"g.x\", at_most = 1 }", "fleets.g.calls.x.work=150ms"),
            step!("{ asks = \"g.x\", at_most = 1, queue = 1 }", "fleets.g.calls.x.work=150ms"),
            step!("{ asks = \"g.x\", at_most = 1, queue = 1, wait = \"20ms\" }", "fleets.g.calls.x.work=150ms"),
        ],
        |o| cause(&o[0], "bulkhead_full") == 100 && cause(&o[1], "bulkhead_full") < 70 && cause(&o[2], "bulkhead_full") > cause(&o[1], "bulkhead_full"),
    ),
    (
        &["Circuit breaker around it, one in each process: \"hystrix\", \"resilience4j\", or a table.", "Adaptive limit on these asks at once, one in each process: \"aimd\", \"gradient\", or a table."],
        &[
            step!("{ asks = \"g.x\", timeout = \"5ms\", breaker = { preset = \"hystrix\", minimum = 5 } }"),
            step!("{ asks = \"g.x\", limit = { algorithm = \"aimd\", initial = 1, least = 1 } }", "fleets.g.calls.x.work=250ms"),
        ],
        |o| cause(&o[0], "breaker_open") > 100 && cause(&o[1], "limit_reached") > 2,
    ),
    (
        &["What it is a cache of, if it is one.", "The store behind it, which the asking server queries itself on a miss, over its own pool.", "How many keys calls ask for.", "How long an entry lives from when it was set, hit or not; none: until it is pushed out."],
        &[
            step!("{ asks = \"near\" }", "stores.near={ service = \"0s\", link.latency = \"0s\", cache = { of = \"db\", keys = 1 } }"),
            // A miss each second and the call that ends it: of ten a second that come evenly, one.
            step!("{ asks = \"near\" }", "stores.near={ service = \"0s\", link.latency = \"0s\", cache = { of = \"db\", keys = 1, ttl = \"1s\" } }"),
            step!("{ asks = \"near\" }", "fleets.f.pools.db.size=1; stores.db.service=150ms; stores.near={ service = \"0s\", link.latency = \"0s\", cache = { of = \"db\", keys = 1000000, zipf = 0 } }"),
        ],
        |o| o[0].stores["db"].queries == 1 && (17..=20).contains(&o[1].stores["db"].queries) && latency(&o[2]) > 1000.0 && o[0].stores["near"].hits == Some(199),
    ),
    (
        &["Share of that time which is random, so that what is set together does not end together.", "Most entries; one more pushes the least recently used out.", "None: room for all keys.", "What it has when the run begins: as if it had been asked at this rate for long; none: nothing, it is cold."],
        &[
            step!("{ asks = \"near\" }", "stores.near={ cache = { of = \"db\", keys = 1, ttl = \"1s\", ttl_jitter = \"90%\" } }"),
            step!("{ asks = \"near\" }", "stores.near={ cache = { of = \"db\", keys = 2, zipf = 0, capacity = 1 } }"),
            step!("{ asks = \"near\" }", "stores.near={ cache = { of = \"db\", keys = 2, zipf = 0 } }"),
            step!("{ asks = \"near\" }", "stores.near={ cache = { of = \"db\", keys = 2, zipf = 0, warm = \"10/s\" } }"),
        ],
        |o| o[0].stores["db"].queries > 25 && (60..140).contains(&o[1].stores["db"].queries) && o[2].stores["db"].queries == 2 && o[3].stores["db"].queries == 0,
    ),
    (
        &["Shut down, it loses what it has; hung or cut off, it keeps that."],
        &[
            step!("{ asks = \"near\" }", "stores.near={ cache = { of = \"db\", keys = 1 } }; clients.c.timeout=30s; @5050ms do=refuse store=near for=10ms"),
            step!("{ asks = \"near\" }", "stores.near={ cache = { of = \"db\", keys = 1 } }; clients.c.timeout=30s; @5050ms do=hang store=near for=10ms"),
            step!("{ asks = \"near\" }", "stores.near={ cache = { of = \"db\", keys = 1 } }; clients.c.timeout=30s; @5050ms do=partition between=[\"fleets.f\",\"stores.near\"] for=10ms"),
        ],
        |o| [2, 1, 1].iter().zip(o).all(|(queries, o)| o.stores["db"].queries == *queries),
    ),
    (
        &["Whether one process queries the store once for all calls that miss the same key meanwhile (single flight)."],
        &[
            step!("{ asks = \"near\" }", "stores.db.service=1s; stores.near={ cache = { of = \"db\", keys = 1 } }"),
            step!("{ asks = \"near\" }", "stores.db.service=1s; stores.near={ cache = { of = \"db\", keys = 1, single_flight = true } }"),
        ],
        |o| (9..=11).contains(&o[0].stores["db"].queries) && o[1].stores["db"].queries == 1 && get(&o[1]).ok == 200,
    ),
    (
        &["A cache loses every entry at once, and fills again from the store behind it, call by call.", "Effects: entries lost."],
        &[step!("{ asks = \"near\" }", "stores.near={ cache = { of = \"db\", keys = 1 } }; @5050ms do=flush store=near; @9050ms do=flush store=near")],
        |o| o[0].stores["db"].queries == 3 && effects(&o[0]) == 1,
    ),
    (
        &["Asks that the caller sent, its further attempts included.", "As often as a balancer sent these to a server, its own retries included; of asks of stores and of clients' calls 0.", "Of the asks, answered well and in time.", "Of the asks, failed, refused or given up.", "failed / (ok + failed).", "Tries (of a store: asks) per call offered by clients whose kind may lead there.", "Median time of the asks answered well; to 1%.", "99th percentile of the same; to 1%."],
        &[step!("{ asks = \"g.x\", timeout = \"5ms\", retry = { retries = 1, delay = \"1ms\" } }, { asks = \"db\", soft = true }", "?edges.f.g.attempts=400; ?edges.f.g.tries=400; ?edges.f.g.ok=0; ?edges.f.g.failed=400; ?edges.f.g.failed_rate=100%; ?edges.f.g.amplification=2; ?edges.clients.f.amplification=1"),
          step!("{ asks = \"g.x\" }", "?edges.f.g.latency_p50=10ms; ?edges.f.g.latency_p99=10ms; ?edges.f.g.ok=200")],
        |o| o[0].evidence.iter().all(|e| e.verdict == "met") && o[1].evidence.iter().all(|e| e.value.is_some_and(|v| v == 200.0 || near(v, 0.01, 0.01))),
    ),
    (
        &["Of the lookups that it answered as a cache, those that hit."],
        &[step!("{ asks = \"near\" }", "stores.near={ cache = { of = \"db\", keys = 1 } }; ?stores.near.hit_ratio=99.5%")],
        |o| o[0].evidence[0].verdict == "met",
    ),
];
