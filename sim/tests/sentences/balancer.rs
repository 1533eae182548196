//! The balancer's way of a call.

use crate::{Shown, cause, get, latency, near, seen};

#[rustfmt::skip] // one world, one line
pub const ROWS: &[Shown] = &[
    (
        &["Longest wait for a server to accept a connection.", "Status after the last connection was not set up in time; none: as `unavailable_status`"],
        &[
            "fleets.f.backlog=0; balancer={ retries = 0, connect_timeout = \"300ms\" }; clients.c.timeout=400ms; @0s do=pause fleet=f",
            "fleets.f.backlog=0; balancer={ retries = 0, connect_timeout = \"300ms\", connect_timeout_status = 504 }; clients.c.timeout=400ms; @0s do=pause fleet=f",
            "fleets.f.backlog=0; balancer={ retries = 0, connect_timeout = \"500ms\", connect_timeout_status = 504 }; clients.c.timeout=400ms; @0s do=pause fleet=f",
        ],
        |o| seen(&o[0], "503") > 190 && seen(&o[1], "504") > 190 && seen(&o[2], "504") == 0,
    ),
    (
        &["Status after the last connection was refused; none: as `unavailable_status`"],
        &["balancer.retries=0; @0s do=crash-loop fleet=f after=1ms", "balancer={ retries = 0, refused_status = 504 }; @0s do=crash-loop fleet=f after=1ms"],
        |o| seen(&o[0], "503") > 190 && seen(&o[1], "504") > 190,
    ),
    (
        &["Further tries after a failed connection: a count, or \"each-server\" for one try at each server of the fleet."],
        // Two of three servers are dead. One further try meets a living one unless it meets the other dead one.
        &[
            "fleets.f={ count = 3, restart.delay = \"1h\" }; balancer={ redispatch = \"untried\", retries = 0 }; @0s do=crash fleet=f servers=2",
            "fleets.f={ count = 3, restart.delay = \"1h\" }; balancer={ redispatch = \"untried\", retries = 1 }; @0s do=crash fleet=f servers=2",
            "fleets.f={ count = 3, restart.delay = \"1h\" }; balancer={ redispatch = \"untried\", retries = \"each-server\" }; @0s do=crash fleet=f servers=2",
        ],
        |o| near(get(&o[0]).failed as f64, 133.0, 0.05) && get(&o[1]).failed < 110 && get(&o[1]).failed > 20 && get(&o[2]).failed == 0,
    ),
    (
        &["Every retry goes to the same server.", "Whether a retry may go to another server."],
        &[
            "fleets.f={ count = 2, restart.delay = \"1h\" }; balancer.redispatch=never; @0s do=crash fleet=f servers=1",
            "fleets.f={ count = 2, restart.delay = \"1h\" }; @0s do=crash fleet=f servers=1",
        ],
        |o| get(&o[0]).failed + get(&o[0]).waiting >= 95 && get(&o[1]).failed == 0,
    ),
    (
        &["Statuses of a server after which the call is tried again, within `retries` and where `redispatch` says, without a pause"],
        &["clients.c.rate=50/s; @0s do=error store=db share=50%", "clients.c.rate=50/s; balancer={ retry_statuses = [500], retries = 3 }; @0s do=error store=db share=50%"],
        // One in two; one in sixteen.
        |o| near(get(&o[0]).failed as f64, 500.0, 0.1) && (35..95).contains(&get(&o[1]).failed) && latency(&o[1]) < 5.0,
    ),
    (
        &["Whether a call is tried again, likewise, if its connection breaks before the answer, though it may have been executed"],
        &[
            "stores.db.service=350ms; fleets.f.restart.delay=100ms; fleets.f.calls.get.writes=true; @5s do=crash fleet=f",
            "stores.db.service=350ms; fleets.f.restart.delay=100ms; fleets.f.calls.get.writes=true; balancer.retry_broken=true; @5s do=crash fleet=f",
        ],
        |o| (3..=4).contains(&seen(&o[0], "502")) && get(&o[1]).failed == 0 && get(&o[1]).duplicates >= 3,
    ),
    (
        &["Most connections open to one server (HAProxy `maxconn`); none: no limit.", "Queue for calls that find every server at its limit.", "None: no limit."],
        &["stores.db.service=500ms; balancer={ max_connections = 2, queue.timeout = \"1h\" }; clients.c.timeout=60s", "stores.db.service=500ms"],
        // Four a second; the rest waits.
        |o| near(get(&o[0]).ok as f64, 79.0, 0.02) && o[0].timeline.steps[19].balancer_queue > 110 && get(&o[1]).failed == 0 && near(latency(&o[1]), 500.0, 0.01),
    ),
    (
        &["With `health.max_fails`, and with redispatch = \"untried\", no call waits: it gets `unavailable_status`."],
        &["stores.db.service=1s; balancer={ max_connections = 1, redispatch = \"untried\", unavailable_status = 502 }", "stores.db.service=1s; balancer={ max_connections = 1, health.max_fails = \"nginx\", unavailable_status = 502 }"],
        // One a second is served.
        |o| o.iter().all(|o| near(seen(o, "502") as f64, 180.0, 0.02) && o.timeline.steps.iter().all(|step| step.balancer_queue == 0)),
    ),
    (
        &["Health checks are not counted."],
        &["clients.c.rate=2/s; stores.db.service=1s; balancer={ max_connections = 1, health = \"haproxy\" }; balancer.health={ interval = \"500ms\", fall = 1 }"],
        |o| crate::downs(&o[0]) == 0,
    ),
    (
        &["Most calls that wait; one more gets `unavailable_status` at once (Classic ELB: 1,024)."],
        &["clients.c.rate=20/s; balancer={ unavailable_status = 502, max_connections = 1, queue.limit = 0 }; stores.db.service=1s"],
        |o| cause(&o[0], "queue_full") > 350 && seen(&o[0], "502") > 350 && seen(&o[0], "503") == 0,
    ),
    (
        &["Longest wait, then `unavailable_status`; none: as the connect timeout (HAProxy `timeout queue`)."],
        &[
            "clients.c.rate=20/s; balancer={ unavailable_status = 502, max_connections = 1, queue.timeout = \"100ms\" }; stores.db.service=1s",
            "clients.c.rate=20/s; balancer={ max_connections = 1, connect_timeout = \"300ms\" }; stores.db.service=1s",
            "clients.c.rate=20/s; balancer={ max_connections = 1, connect_timeout = \"1h\" }; stores.db.service=1s",
        ],
        |o| cause(&o[0], "queue_timeout") > 100 && seen(&o[0], "502") > 100 && cause(&o[1], "queue_timeout") > 300 && cause(&o[2], "queue_timeout") == 0,
    ),
    (
        &["Longest wait for a server's answer in one try", "Status after a server has not answered within `idle_timeout`"],
        &[
            "clients.c.rate=2/s; stores.db.service=1s; balancer.idle_timeout=500ms",
            "clients.c.rate=2/s; stores.db.service=1s; balancer={ idle_timeout = \"500ms\", timeout_status = 502 }",
            "clients.c={ rate = \"1/s\", calls = 1, timeout = \"1h\" }; span=2min; stores.db.service=90s; fleets.f.calls.get.timeout=1h; balancer.idle_timeout=none",
        ],
        |o| seen(&o[0], "504") >= 38 && seen(&o[1], "502") >= 38 && get(&o[2]).ok == 1,
    ),
    (
        &["Whether a call whose client has left is dropped while it queues or connects (HAProxy `option abortonclose`)."],
        &[
            "stores.db.service=1s; clients.c.timeout=1500ms; balancer={ max_connections = 1, queue.timeout = \"1h\" }",
            "stores.db.service=1s; clients.c.timeout=1500ms; balancer={ max_connections = 1, queue.timeout = \"1h\", abort_on_close = true }",
        ],
        // Without it nearly all that is served was given up long before.
        |o| get(&o[0]).ok <= 3 && o[0].stores["db"].queries >= 20 && o[1].timeline.steps[19].balancer_queue < 20 && o[0].timeline.steps[19].balancer_queue > 150,
    ),
    (
        &["Whether, beyond that, the connection to a server is closed on which the call of a client that has left is awaited (nginx, Envoy)."],
        &[
            "stores.db.service=2s; clients.c.timeout=300ms; balancer={ max_connections = 1, queue.timeout = \"1h\", abort_on_close = true }; fleets.f={ workers = 100, pools.db.size = 100 }",
            "stores.db.service=2s; clients.c.timeout=300ms; balancer={ max_connections = 1, queue.timeout = \"1h\", abort_on_close = true, close_on_departure = true }; fleets.f={ workers = 100, pools.db.size = 100 }",
        ],
        |o| o[0].stores["db"].queries <= 11 && o[1].stores["db"].queries > 40,
    ),
    (
        &["Status of the balancer's own answer when no server may take the call, or the queue is full or too slow"],
        &["@0s do=take-down fleet=f", "balancer.unavailable_status=502; @0s do=take-down fleet=f"],
        |o| seen(&o[0], "503") == 200 && seen(&o[1], "502") == 200,
    ),
    (
        &["Lives of the connections that are kept; none, here and with every fleet: one is always at hand, and nobody closes it.", "Most calls on a connection, after which it is closed (nginx `keepalive_requests`); none: no limit.", "How long the balancer lets a connection lie idle before it closes it (nginx `keepalive_timeout`, Envoy `idle_timeout`); none: no limit."],
        // A call takes two trips and a millisecond, 21 ms; opening a connection two trips more. A call comes every 100 ms.
        &["network.servers.latency=10ms", "network.servers.latency=10ms; balancer.keep_alive={}", "network.servers.latency=10ms; balancer.keep_alive.calls=1", "network.servers.latency=10ms; balancer.keep_alive.calls=2", "network.servers.latency=10ms; balancer.keep_alive.idle=50ms", "network.servers.latency=10ms; balancer.keep_alive.idle=100ms"],
        |o| [21.0, 21.1, 41.0, 31.0, 41.0, 21.1].iter().zip(o).all(|(ms, o)| near(latency(o), *ms, 0.001)),
    ),
    (
        &["Age at which a connection that comes free is closed (nginx `keepalive_time`); none: no limit.", "Every so long half of the connections to a server that lie idle then are closed, the oldest first (HAProxy `pool-purge-delay`); none: never."],
        // A connection is free, and too old, when the call after 300 ms has been answered: one call in four opens one.
        &["network.servers.latency=10ms; balancer.keep_alive.life=250ms", "network.servers.latency=10ms; balancer.keep_alive.purge=50ms", "network.servers.latency=10ms; balancer.keep_alive.purge=1s"],
        |o| near(latency(&o[0]), 26.0, 0.001) && near(latency(&o[1]), 41.0, 0.001) && near(latency(&o[2]), 23.0, 0.01),
    ),
    (
        &["Most idle connections to all servers of a fleet together; one more, and the one that has lain idle longest is closed (nginx `keepalive`)."],
        &["network.servers.latency=10ms; fleets.f.count=2; balancer.keep_alive.at_most=1", "network.servers.latency=10ms; fleets.f.count=2; balancer.keep_alive.at_most=2", "network.servers.latency=10ms; balancer.keep_alive.at_most=0"],
        |o| near(latency(&o[0]), 41.0, 0.001) && near(latency(&o[1]), 21.2, 0.001) && near(latency(&o[2]), 41.0, 0.001),
    ),
    (
        &["How long its servers keep connections that the balancer keeps; none: as long as the balancer does.", "How long a connection may lie idle before the server closes it; none: no limit.", "Most calls on a connection: with the last answer the server says that it closes.", "Whether a try on a kept connection that turns out to be closed is not counted among `retries` (nginx); whether the call is tried again at all, `retry_on` says."],
        // A connection lies idle for 99 ms at the server. One that is closed after 95 ms is closed as the next call is on its way: a call
        // opens one, the next comes sooner after it (opening took its time), the third meets the close.
        &["network.servers.latency=10ms; fleets.f.keep_alive.idle=95ms", "network.servers.latency=10ms; fleets.f.keep_alive.idle=120ms", "network.servers.latency=10ms; fleets.f.keep_alive.idle=50ms", "network.servers.latency=10ms; fleets.f.keep_alive.calls=2", "network.servers.latency=10ms; fleets.f.keep_alive.idle=95ms; balancer={ retries = 0, retry_on = [\"error\"] , keep_alive.free_retry = true }", "network.servers.latency=10ms; fleets.f.keep_alive.idle=95ms; balancer={ retries = 0, keep_alive.free_retry = true }"],
        |o| near(seen(&o[0], "502") as f64, 66.0, 0.03) && get(&o[1]).failed == 0 && near(latency(&o[1]), 21.1, 0.001) && get(&o[2]).failed == 0 && near(latency(&o[2]), 41.0, 0.001)
            && get(&o[3]).failed == 0 && near(latency(&o[3]), 31.0, 0.001) && get(&o[4]).failed == 0 && near(seen(&o[5], "502") as f64, 66.0, 0.03),
    ),
    (
        &["Whether such a try counts as a failure of its server to passive checks (nginx, Envoy; not HAProxy)."],
        &["network.servers.latency=10ms; fleets.f={ count = 2, keep_alive.idle = \"195ms\" }; balancer.health=haproxy; balancer.health.observe={ errors = 1, on_error = \"mark-down\" }", "network.servers.latency=10ms; fleets.f={ count = 2, keep_alive.idle = \"195ms\" }; balancer.health=haproxy; balancer.health.observe={ errors = 1, on_error = \"mark-down\" }; balancer.keep_alive.counts=false"],
        |o| o[0].rotation.mean_downs > 0.0 && o[1].rotation.mean_downs == 0.0 && get(&o[1]).failed > 0,
    ),
    (
        &["Status after a connection broke before the answer"],
        &["stores.db.service=350ms; @5s do=crash fleet=f", "stores.db.service=350ms; balancer.broken_status=504; @5s do=crash fleet=f"],
        |o| (3..=4).contains(&seen(&o[0], "502")) && (3..=4).contains(&seen(&o[1], "504")),
    ),
    (
        &["A log of the calls that were not served, from which operators can replay them (action `replay`).", "Share of such calls whose log line has all of their data (a body is not logged).", "Most calls that it keeps; later ones are lost.", "The kinds of call that can be replayed from it.", "Lost calls are replayed from the balancer's log.", "How fast."],
        &[
            "fleets.f.calls.get.writes=true; balancer.log.calls=[\"get\"]; @5s do=error store=db for=5s; @12s do=replay calls=get rate=100/s",
            "fleets.f.calls.get.writes=true; balancer.log={ calls = [\"get\"], share = \"40%\" }; @5s do=error store=db for=5s; @12s do=replay calls=get rate=100/s",
            "fleets.f.calls.get.writes=true; balancer.log={ calls = [\"get\"], capacity = 5 }; @5s do=error store=db for=5s; @12s do=replay calls=get rate=100/s",
            "fleets.f.calls.get.writes=true; balancer.log.calls=[\"get\"]; @5s do=error store=db for=5s; @12s do=replay calls=get rate=2/s",
        ],
        |o| get(&o[0]).late == 50 && (10..30).contains(&get(&o[1]).late) && get(&o[2]).late == 5 && (14..=18).contains(&get(&o[3]).late),
    ),
    (
        &["Servers are taken out of rotation.", "How many servers, the first ones.", "Servers taken out may come back."],
        &["fleets.f.count=3; @5s do=take-down fleet=f count=2; @10s do=bring-back fleet=f count=1"],
        |o| crate::changes(&o[0], "f-1") == [5.0, 10.0] && crate::changes(&o[0], "f-2") == [5.0] && crate::changes(&o[0], "f-3").is_empty(),
    ),
    (
        &["The balancer turns away a share of a kind of call.", "How large a share."],
        &["@5s do=shed calls=get for=5s", "@5s do=shed calls=get share=50%"],
        |o| seen(&o[0], "503") == 50 && (55..95).contains(&seen(&o[1], "503")),
    ),
];
