//! A call at a server: what it asks, how long, what it does about failures, and what guards it.

use crate::{Shown, cause, effects, get, latency, near, seen};

#[rustfmt::skip] // one world, one line
pub const ROWS: &[Shown] = &[
    (&["Computing time, before any store is asked.", "A store that is queried after the work."], &["fleets.f.calls.get.work=20ms"], |o| near(latency(&o[0]), 21.0, 0.001) && o[0].stores["db"].queries == 200),
    (
        &["A store that takes one append after the work; the call's data is stored by it. An append needs no connection."],
        &["fleets.f.calls.get={ asks = \"none\", appends = \"db\" }; clients.c.calls=150; fleets.f.workers=20; stores.db={ service = \"800ms\", connections = 1 }", "fleets.f.calls.get={ asks = \"none\", appends = \"db\" }; @5s do=refuse store=db for=5s"],
        |o| get(&o[0]).stored == 150 && get(&o[1]).stored == 150,
    ),
    (
        &["Whether the query writes: then the call's data is stored by it.", "Otherwise the call only reads."],
        // The write is stored, though its answer comes too late for the client; the read has failed.
        &["fleets.f.calls.get.writes=true; stores.db.service=500ms; clients.c.timeout=400ms", "stores.db.service=500ms; clients.c.timeout=400ms", "@0s do=refuse-writes store=db", "fleets.f.calls.get.writes=true; @0s do=refuse-writes store=db"],
        |o| get(&o[0]).zombies > 190 && get(&o[0]).dropped == 0 && get(&o[1]).dropped > 190 && get(&o[2]).failed == 0 && get(&o[3]).failed == 200,
    ),
    (
        &["One deadline over getting a connection, connecting and the query, with all tries in place; none: no such deadline.", "The call tries again every `retry_every`, until its timeout.", "but once `timeout` has there is no trying again."],
        &[
            "clients.c.rate=1/s; fleets.f.calls.get={ timeout = \"2s\", on_error = \"retry\", retry_every = \"300ms\" }; @0s do=error store=db",
            // A second for the connection, one for the query: the first call's, and that of the next, which waits for the connection.
            "clients.c.calls=1; fleets.f.calls.get.timeout=1900ms; stores.db={ service = \"1s\", connect = \"1s\" }",
            "clients.c.calls=1; fleets.f.calls.get.timeout=2100ms; stores.db={ service = \"1s\", connect = \"1s\" }",
            "clients.c={ arrivals = \"burst\", burst = 2, calls = 2 }; fleets.f={ pools.db.size = 1, calls.get.timeout = \"1900ms\" }; stores.db.service=1s",
            "clients.c={ arrivals = \"burst\", burst = 2, calls = 2 }; fleets.f={ pools.db.size = 1, calls.get.timeout = \"2100ms\" }; stores.db.service=1s",
        ],
        |o| {
            let (queries, calls) = (o[0].stores["db"].queries, get(&o[0]).offered);
            seen(&o[0], "500") > 10 && queries > 5 * seen(&o[0], "500") && queries <= 8 * calls
                && [&o[1], &o[2], &o[3], &o[4]].map(|o| get(o).ok) == [0, 1, 1, 2]
        },
    ),
    (
        &["Bound on connecting alone, which ends a try in place, not the call; none: only `timeout`."],
        &[
            "clients.c={ calls = 1, timeout = \"30s\" }; fleets.f.calls.get={ connect_timeout = \"900ms\" }; stores.db.connect=1s",
            "clients.c={ calls = 1, timeout = \"30s\" }; fleets.f.calls.get={ connect_timeout = \"900ms\", on_error = \"retry\", retry_every = \"100ms\", timeout = \"20s\" }; stores.db.connect=1s; @0s do=hang store=db for=2s",
            "clients.c={ calls = 1, timeout = \"30s\" }; stores.db={ service = \"2s\" }; fleets.f.calls.get={ connect_timeout = \"900ms\" }",
        ],
        |o| get(&o[0]).ok == 0 && o[1].stores["db"].connects >= 3 && get(&o[2]).ok == 1,
    ),
    (
        &["Bound on the query alone, which ends a try in place, not the call; none: only `timeout`."],
        &[
            // The second call has the first one's connection.
            "clients.c={ rate = \"1/s\", calls = 2, timeout = \"30s\" }; fleets.f.calls.get={ query_timeout = \"300ms\", on_error = \"retry\", retry_every = \"100ms\", timeout = \"10s\" }; @1s do=hang store=db for=4s",
            "clients.c={ rate = \"1/s\", calls = 2, timeout = \"30s\" }; fleets.f.calls.get={ query_timeout = \"300ms\", timeout = \"10s\" }; @1s do=hang store=db for=4s",
            "clients.c={ calls = 1, timeout = \"30s\" }; fleets.f.calls.get={ query_timeout = \"300ms\", timeout = \"10s\" }; stores.db.connect=1s",
        ],
        |o| get(&o[0]).ok == 2 && latency(&o[0]) > 1000.0 && seen(&o[1], "500") == 1 && get(&o[2]).ok == 1,
    ),
    (
        &["What an error, a refusal or a timeout of the store does: whatever bound ran out,", "The call fails with a 500.", "The error is not handled: the process dies."],
        &[
            "@5s do=error store=db for=1s", "@5s do=refuse store=db for=1s", "clients.c.timeout=5s; fleets.f.calls.get.timeout=500ms; @5s do=hang store=db for=1s",
            "fleets.f.calls.get.on_error=crash; @5s do=error store=db for=1s", "fleets.f.calls.get.on_error=crash; @5s do=refuse store=db for=1s",
            "fleets.f.calls.get={ timeout = \"500ms\", on_error = \"crash\" }; @5s do=hang store=db for=1s",
        ],
        |o| seen(&o[0], "500") == 10 && seen(&o[1], "500") == 10 && seen(&o[2], "500") >= 5 && o[..3].iter().all(|o| o.fleets["f"].crashes == 0) && o[3..].iter().all(|o| o.fleets["f"].crashes > 0),
    ),
    (
        &["What a severed connection does, to the call that uses it; with `crash`, a severed idle connection kills the process too."],
        &[
            "clients.c.calls=1; fleets.f.calls.get.on_severed=crash; @5s do=sever store=db for=1s",
            "clients.c.calls=1; @5s do=sever store=db for=1s",
            "stores.db.service=350ms; fleets.f.calls.get={ on_severed = \"retry\", retry_every = \"2s\" }; @5s do=sever store=db for=1s",
            "stores.db.service=350ms; @5s do=sever store=db for=1s",
        ],
        |o| o[0].fleets["f"].crashes == 1 && o[1].fleets["f"].crashes == 0 && get(&o[2]).failed == 0 && seen(&o[3], "500") >= 10,
    ),
    (
        &["Pause between tries in place.", "Most tries in place after the first; none: until the timeout."],
        &[
            "clients.c={ calls = 1, timeout = \"30s\" }; fleets.f.calls.get={ on_error = \"retry\", retry_every = \"400ms\" }; @0s do=error store=db for=2s",
            "fleets.f.calls.get={ on_error = \"retry\", retry_every = \"1ms\", retry_at_most = 2 }; @0s do=error store=db",
        ],
        |o| latency(&o[0]) == 2006.0 && effects(&o[1]) == 600 && seen(&o[1], "500") == 200,
    ),
    // Guards.
    (
        &["Bulkhead: at most so many of these calls at once, a count or a share of `workers`; none: no bulkhead."],
        &["stores.db.service=990ms; fleets.f={ workers = 20, pools.db.size = 20, calls.get.at_most = 2 }", "stores.db.service=990ms; fleets.f={ workers = 20, pools.db.size = 20, calls.get.at_most = \"10%\" }", "stores.db.service=990ms; fleets.f={ workers = 20, pools.db.size = 20 }"],
        |o| near(cause(&o[0], "bulkhead_full") as f64, 160.0, 0.03) && cause(&o[1], "bulkhead_full") == cause(&o[0], "bulkhead_full") && get(&o[2]).failed == 0,
    ),
    (
        &["Bulkhead: so many more may wait (each holding its worker, but no core of an event loop); the rest get a 503 at once."],
        &[
            "stores.db.service=10s; fleets.f={ concurrency = \"event-loop\", calls.get = { at_most = 1, queue = 1000 }, calls.other.work = \"1ms\" }; clients.d={ like = \"c\", sends = \"other\" }",
            "stores.db.service=10s; fleets.f={ workers = 4, calls.get = { at_most = 1, queue = 1000 }, calls.other.work = \"1ms\" }; clients.d={ like = \"c\", sends = \"other\" }",
            "stores.db.service=10s; fleets.f={ calls.get = { at_most = 1, queue = 2 } }",
        ],
        |o| o[0].calls["other"].failed == 0 && o[0].calls["other"].ok > 150 && o[1].calls["other"].ok < 50 && seen(&o[2], "503") > 185,
    ),
    (
        &["Bulkhead: longest wait, then 503; none: as `timeout`."],
        &["clients.c.timeout=4s; stores.db.service=5s; fleets.f.calls.get={ at_most = 1, queue = 5, wait = \"200ms\" }", "clients.c.timeout=4s; stores.db.service=5s; fleets.f.calls.get={ at_most = 1, queue = 5, timeout = \"2s\" }"],
        |o| seen(&o[0], "503") > 190 && seen(&o[1], "timeout") < 20 && seen(&o[1], "503") > 150,
    ),
    (
        &["Most connections.", "Most calls that wait for a connection; one more fails at once.", "Connection pools, by store or by a name of their own; a store not listed gets the default pool."],
        &[
            "stores.db.service=990ms; clients.c.timeout=1h; fleets.f={ workers = 300, pools.db.size = 2, calls.get.timeout = \"1h\" }",
            "stores.db.service=990ms; clients.c.timeout=1h; fleets.f={ workers = 300, pools.db = { size = 2, queue = 0 }, calls.get.timeout = \"1h\" }",
            // The default: ten.
            "clients.c={ rate = \"20/s\", timeout = \"1h\" }; stores.db.service=990ms; fleets.f={ workers = 300, calls.get.timeout = \"1h\" }",
        ],
        |o| near(get(&o[0]).ok as f64, 39.0, 0.06) && get(&o[0]).failed == 0 && near(seen(&o[1], "500") as f64, 160.0, 0.03) && o[2].stores["db"].connects == 10,
    ),
    (
        &["Time in which the store serves this query or append; none: the store's own `service`."],
        &["fleets.f.calls.get.service=30ms", "fleets.f.calls.get={ asks = \"none\", appends = \"db\", service = \"20ms\" }"],
        |o| near(latency(&o[0]), 30.0, 0.001) && near(latency(&o[1]), 20.0, 0.001),
    ),
    (
        &[
            "The pool, among `pools`, out of which it takes its connection; none: the one of the store's name.",
            "A further pool has another name and says it; it is for the kinds of call that name the pool.",
            "The store that it connects to; none: the store of the pool's name.",
        ],
        // Slow queries hold the one connection that is for them, and the others go on.
        &[
            "clients.d={ sends = \"slow\", rate = \"2/s\" }; fleets.f={ workers = 300, pools.db.size = 1, pools.side = { store = \"db\", size = 1 }, calls.slow = { asks = \"db\", service = \"10s\", pool = \"side\" } }",
            "clients.d={ sends = \"slow\", rate = \"2/s\" }; fleets.f={ workers = 300, pools.db.size = 1, calls.slow = { asks = \"db\", service = \"10s\" } }",
        ],
        |o| get(&o[0]).ok >= 199 && o[0].stores["db"].connects == 2 && get(&o[1]).ok < 60,
    ),
    (
        &["Longest wait for a connection, connecting and the query not counted, which ends a try in place, not the call; none: as long as the call's `timeout` lets it.", "The longest wait is served first.", "Status of a call that gets no connection: too many wait, or it has waited for too long."],
        &[
            // One in three gets a connection at once, one after 100 ms, and one waits in vain for 150 ms.
            "clients.c.timeout=5s; stores.db.service=150ms; fleets.f={ workers = 20, pools.db = { size = 1, wait = \"120ms\" } }",
            "clients.c.timeout=5s; stores.db.service=150ms; fleets.f={ workers = 20, pools.db = { size = 1, wait = \"120ms\", status = 503 } }",
            "clients.c.timeout=5s; stores.db.service=150ms; fleets.f={ workers = 20, pools.db = { size = 1, wait = \"120ms\" }, calls.get={ on_error = \"retry\", retry_every = \"1ms\" } }",
            "clients={ c = { arrivals = \"burst\", burst = 3, calls = 3, rate = \"1/s\" } }; stores.db={ service = \"1s\", connect = \"5s\" }; fleets.f={ workers = 20, pools.db = { size = 1, wait = \"7s\" } }; clients.c.timeout=1m",
            "clients.c={ timeout = \"1h\" }; stores.db.service=20m; fleets.f={ workers = 300, pools.db.size = 300, calls.get.timeout = \"none\" }",
        ],
        |o| near(get(&o[0]).ok as f64, 133.0, 0.03) && near(seen(&o[0], "500") as f64, 66.0, 0.1) && near(seen(&o[1], "503") as f64, 66.0, 0.1) && cause(&o[0], "pool_timeout") == get(&o[0]).failed
            // A wait that was too long is a try in vain, not the end of the call.
            && seen(&o[2], "500") == 0 && seen(&o[2], "timeout") > 20
            // The first connects for 5 s and asks for 1 s, the second waits 6 s, the third 7 s and a moment too long.
            && get(&o[3]).ok == 2 && seen(&o[3], "500") == 1
            && get(&o[4]).failed == 0 && get(&o[4]).ok == 0,
    ),
    (
        &["Circuit breaker around the store, one in each process: \"hystrix\", \"resilience4j\", or a table.", "Share of failed calls that opens it.", "How long it stays open.", "Results in a count window."],
        &[
            "fleets.f.calls.get.breaker={ calls = 10, minimum = 10, open_for = \"1h\" }; @5s do=error store=db share=100%",
            "fleets.f={ count = 2, calls.get.breaker = { calls = 10, minimum = 10, open_for = \"1h\" } }; @5s do=error store=db share=100%",
            "fleets.f.calls.get.breaker={ calls = 10, minimum = 10, failure_share = \"100%\", open_for = \"1h\" }; @5s do=error store=db share=100%",
        ],
        // After five of the last ten; in each process; after ten of ten.
        |o| [&o[0], &o[1], &o[2]].map(|o| seen(o, "500")) == [5, 10, 10] && cause(&o[0], "breaker_open") == 145,
    ),
    (
        &["Spool: the call is answered when it is in there, and written to the store afterwards.", "Calls it holds, those being written included; one more is refused with 503; none: no bound.", "Fastest rate, per server, at which it is written to the store."],
        &[
            "fleets.f.calls.get={ writes = true, spool = { replay = \"1000/s\" } }; @5s do=refuse store=db for=5s",
            "fleets.f.calls.get={ writes = true, spool = { capacity = 20 } }; @5s do=refuse store=db",
            "fleets.f.calls.get={ writes = true, spool = { replay = \"4/s\" } }",
        ],
        |o| get(&o[0]).failed == 0 && get(&o[0]).stored + get(&o[0]).late == 200 && get(&o[0]).late > 30 && seen(&o[1], "503") == 130 && near((get(&o[2]).stored + get(&o[2]).late) as f64, 79.0, 0.04),
    ),
    (
        &["Writes under way at once.", "Pause after a failed write.", "Data stored later than this after it was accepted counts as late."],
        &[
            "stores.db.service=500ms; fleets.f.calls.get={ writes = true, spool = { side_by_side = 1 } }",
            "stores.db.service=500ms; fleets.f.calls.get={ writes = true, spool = { side_by_side = 3 } }",
            "clients.c.calls=1; fleets.f.calls.get={ writes = true, spool = { retry_every = \"100ms\" } }; @0s do=error store=db",
            "stores.db.service=500ms; fleets.f.calls.get={ writes = true, spool = { side_by_side = 100, late_after = \"400ms\" } }",
            "stores.db.service=500ms; fleets.f.calls.get={ writes = true, spool = { side_by_side = 100, late_after = \"600ms\" } }",
        ],
        |o| near((get(&o[0]).stored + get(&o[0]).late) as f64, 39.0, 0.04) && near((get(&o[1]).stored + get(&o[1]).late) as f64, 117.0, 0.04) && near(o[2].stores["db"].queries as f64, 200.0, 0.02) && get(&o[3]).late > 80 && get(&o[4]).late == 0,
    ),
    (
        &["In the heap of the process: a crash loses it.", "On disk: it outlives the process.", "Where it keeps them."],
        &[
            "balancer.retry_broken=true; fleets.f={ restart.delay = \"50ms\", calls.get = { writes = true, spool.to = \"memory\" } }; @5s do=refuse store=db for=5s; @8s do=crash fleet=f",
            "balancer.retry_broken=true; fleets.f={ restart.delay = \"50ms\", calls.get = { writes = true, spool.to = \"disk\" } }; @5s do=refuse store=db for=5s; @8s do=crash fleet=f",
        ],
        |o| cause(&o[0], "spool_lost") == 30 && get(&o[1]).stored + get(&o[1]).late == 200,
    ),
];
