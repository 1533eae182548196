//! When a balancer tries a call again.

use crate::{Shown, get, latency, seen};

/// One of two servers is dead: half of the calls meet it.
macro_rules! dead {
    ($balancer:literal) => {
        concat!(
            "fleets.f={ count = 2, restart.delay = \"1h\" }; balancer={ redispatch = \"untried\", retries = 1, ",
            $balancer,
            " }; @0s do=crash fleet=f servers=1"
        )
    };
}

/// One of two servers stands still: half of the calls get no answer in time.
macro_rules! still {
    ($balancer:literal) => {
        still!($balancer, "")
    };
    ($balancer:literal, $more:literal) => {
        concat!(
            $more,
            "fleets.f.count=2; balancer={ redispatch = \"untried\", retries = 1, idle_timeout = \"1s\", ",
            $balancer,
            " }; @0s do=pause fleet=f servers=1"
        )
    };
}

/// One of two servers stands still and accepts nothing.
macro_rules! silent {
    ($balancer:literal) => {
        concat!("fleets.f={ count = 2, backlog = 0 }; balancer={ redispatch = \"untried\", retries = 1, connect_timeout = \"400ms\", ", $balancer, " }; @0s do=pause fleet=f servers=1")
    };
}

/// A process dies in the middle of calls.
macro_rules! breaks {
    ($balancer:literal) => {
        breaks!($balancer, "")
    };
    ($balancer:literal, $more:literal) => {
        concat!(
            $more,
            "stores.db.service=350ms; fleets.f.restart.delay=100ms; balancer={ retries = 3, ",
            $balancer,
            " }; @5s do=crash fleet=f"
        )
    };
}

/// Half of the queries fail, with a 500.
macro_rules! fails {
    ($balancer:literal) => {
        concat!("clients.c.rate=50/s; balancer={ retries = 1, ", $balancer, " }; @0s do=error store=db share=50%")
    };
}

#[rustfmt::skip] // one world, one line
pub const ROWS: &[Shown] = &[
    (
        &["Failures after which a call is tried again, within `retries` and where `redispatch` says, in the words of the product: HAProxy `retry-on`, nginx `proxy_next_upstream`, Envoy `retry_on`.", "Statuses of their own go into `retry_statuses`."],
        &[dead!("retry_on = [\"conn-failure\"]"), dead!("retry_on = []"), fails!("retry_on = []"), fails!("retry_on = [], retry_statuses = [500]")],
        |o| get(&o[0]).failed == 0 && get(&o[1]).failed >= 95 && get(&o[2]).failed > 430 && (190..310).contains(&get(&o[3]).failed),
    ),
    (
        &["The connection was refused, or not set up in time (HAProxy).", "The connection was refused, or not set up in time (Envoy)."],
        &[
            dead!("retry_on = [\"conn-failure\"]"), silent!("retry_on = [\"conn-failure\"]"), still!("retry_on = [\"conn-failure\"]"),
            dead!("retry_on = [\"connect-failure\"]"), silent!("retry_on = [\"connect-failure\"]"), still!("retry_on = [\"connect-failure\"]"),
        ],
        |o| [0, 1, 3, 4].iter().all(|n| get(&o[*n]).failed <= 1) && [2, 5].iter().all(|n| seen(&o[*n], "504") > 85),
    ),
    (
        &["The connection closed before the answer (HAProxy)."],
        &[breaks!("retry_on = [\"conn-failure\", \"empty-response\"]"), breaks!("retry_on = [\"conn-failure\"]")],
        |o| get(&o[0]).failed == 0 && (3..=4).contains(&seen(&o[1], "502")),
    ),
    (
        &["No answer within `idle_timeout` (HAProxy)."],
        &[still!("retry_on = [\"response-timeout\"]"), dead!("retry_on = [\"response-timeout\"]")],
        |o| get(&o[0]).failed == 0 && get(&o[1]).failed >= 95,
    ),
    (
        &["HAProxy's `conn-failure`, `empty-response`, `response-timeout`, and statuses 500, 502, 503 and 504."],
        &[
            dead!("retry_on = [\"all-retryable-errors\"]"), silent!("retry_on = [\"all-retryable-errors\"]"), still!("retry_on = [\"all-retryable-errors\"]"),
            breaks!("retry_on = [\"all-retryable-errors\"]"), fails!("retry_on = [\"all-retryable-errors\"]"),
        ],
        |o| (0..4).all(|n| get(&o[n]).failed <= 1) && (190..310).contains(&get(&o[4]).failed),
    ),
    (
        &["The connection was refused, or closed before the answer (nginx); after the call was sent only if it reads."],
        &[
            dead!("retry_on = [\"error\"]"), breaks!("retry_on = [\"error\"]"), still!("retry_on = [\"error\"]"),
            breaks!("retry_on = [\"error\"]", "fleets.f.calls.get.writes=true; "),
        ],
        |o| get(&o[0]).failed == 0 && get(&o[1]).failed == 0 && seen(&o[2], "504") > 85 && (3..=4).contains(&seen(&o[3], "502")),
    ),
    (
        &["No connection or no answer in time (nginx); after the call was sent only if it reads."],
        &[
            silent!("retry_on = [\"timeout\"]"), still!("retry_on = [\"timeout\"]"), dead!("retry_on = [\"timeout\"]"),
            still!("retry_on = [\"timeout\"]", "fleets.f.calls.get.writes=true; "),
        ],
        |o| get(&o[0]).failed <= 1 && get(&o[1]).failed == 0 && get(&o[2]).failed >= 95 && seen(&o[3], "504") > 85,
    ),
    (
        &["nginx: calls that write go on too where they have been sent."],
        &[
            still!("retry_on = [\"timeout\", \"non_idempotent\"]", "fleets.f.calls.get.writes=true; "),
            breaks!("retry_on = [\"error\", \"non_idempotent\"]", "fleets.f.calls.get.writes=true; "),
        ],
        |o| get(&o[0]).failed == 0 && get(&o[1]).failed == 0,
    ),
    (
        &["Any 5xx, a connection that fails or closes, no answer in time (Envoy)."],
        &[dead!("retry_on = [\"5xx\"]"), silent!("retry_on = [\"5xx\"]"), still!("retry_on = [\"5xx\"]"), breaks!("retry_on = [\"5xx\"]"), fails!("retry_on = [\"5xx\"]")],
        |o| (0..4).all(|n| get(&o[n]).failed <= 1) && (190..310).contains(&get(&o[4]).failed),
    ),
    (
        &["As \"5xx\", of the statuses only 502, 503 and 504 (Envoy)."],
        &[still!("retry_on = [\"gateway-error\"]"), dead!("retry_on = [\"gateway-error\"]"), fails!("retry_on = [\"gateway-error\"]")],
        |o| get(&o[0]).failed == 0 && get(&o[1]).failed == 0 && get(&o[2]).failed > 430,
    ),
    (
        &["As \"5xx\", without any status (Envoy)."],
        &[still!("retry_on = [\"reset\"]"), dead!("retry_on = [\"reset\"]"), fails!("retry_on = [\"reset\"]")],
        |o| get(&o[0]).failed == 0 && get(&o[1]).failed == 0 && get(&o[2]).failed > 430,
    ),
    (
        &["The pause before a retry; none: as `redispatch` has it (HAProxy, nginx).", "Longest pause before the first retry", "Longest pause before any"],
        // Half of the calls: half of 200 ms; some of those with up to three pauses of up to 200, 400 and 800 ms; those cut at 100 ms.
        &[
            dead!("algorithm = \"random\", retry_pause = { base = \"200ms\", most = \"10s\" }"),
            "clients.c.rate=50/s; balancer={ retries = 3, retry_statuses = [500], retry_pause = { base = \"200ms\", most = \"10s\" } }; clients.c.timeout=1h; @0s do=error store=db share=95%",
            "clients.c.rate=50/s; balancer={ retries = 3, retry_statuses = [500], retry_pause = { base = \"200ms\", most = \"100ms\" } }; clients.c.timeout=1h; @0s do=error store=db share=95%",
            dead!("retry_on = [\"conn-failure\"]"),
        ],
        |o| (35.0..65.0).contains(&latency(&o[0])) && latency(&o[1]) > 200.0 && latency(&o[2]) < 150.0 && latency(&o[3]) < 2.0,
    ),
    (
        &["No retry begins later than so long after the call has come; none: no limit (nginx `proxy_next_upstream_timeout`)."],
        &[still!("retry_on = [\"timeout\"], retry_within = \"900ms\""), still!("retry_on = [\"timeout\"], retry_within = \"1100ms\"")],
        |o| seen(&o[0], "504") > 85 && get(&o[1]).failed == 0,
    ),
    (
        &["Most retries to a fleet at once, pauses included; one more failure is passed on at once; none: no limit"],
        &[dead!("retries_at_once = 0"), dead!("retries_at_once = 1"), dead!("retries_at_once = 1, retry_pause = { base = \"4s\", most = \"4s\" }")],
        |o| get(&o[0]).failed >= 95 && get(&o[1]).failed == 0 && get(&o[2]).failed > 50 && latency(&o[2]) > 50.0,
    ),
    (
        &["How often a server is drawn anew under \"afresh\" where the call has been at the one drawn; then the last one drawn is taken"],
        &[
            "clients.c.rate=50/s; fleets.f={ count = 2, restart.delay = \"1h\" }; balancer={ algorithm = \"random\", redispatch = \"afresh\", retries = 1 }; @0s do=crash fleet=f servers=1",
            "clients.c.rate=50/s; fleets.f={ count = 2, restart.delay = \"1h\" }; balancer={ algorithm = \"random\", redispatch = \"afresh\", retries = 1, redraws = 3 }; @0s do=crash fleet=f servers=1",
        ],
        // One in four; one in 32.
        |o| (190..310).contains(&get(&o[0]).failed) && (10..60).contains(&get(&o[1]).failed),
    ),
    (
        &["Longest wait for a server's answer in one try, then the next try if `retry_on` says so, else `timeout_status`", "none: no limit."],
        &[still!("retry_on = [\"response-timeout\"]"), still!("retry_on = []"), "fleets.f.count=2; balancer.idle_timeout=none; @0s do=pause fleet=f servers=1"],
        |o| get(&o[0]).failed == 0 && latency(&o[0]) > 450.0 && seen(&o[1], "504") > 85 && seen(&o[2], "504") == 0,
    ),
    (
        &["Longest time from a call's arrival to its answer, over all tries and pauses, then `timeout_status`; none: no limit", "Status after a server has not answered within `idle_timeout`, or all tries have taken `call_timeout`."],
        &[
            "clients.c.rate=2/s; stores.db.service=400ms; balancer={ retries = 9, retry_statuses = [500], call_timeout = \"1s\" }; @0s do=error store=db share=100%",
            "clients.c.rate=2/s; stores.db.service=400ms; balancer={ retries = 9, retry_statuses = [500], call_timeout = \"1s\", timeout_status = 502 }; @0s do=error store=db share=100%",
            "clients.c.rate=2/s; stores.db.service=400ms; balancer={ retries = 9, retry_statuses = [500] }; @0s do=error store=db share=100%",
        ],
        |o| seen(&o[0], "504") > 35 && seen(&o[1], "502") > 35 && seen(&o[2], "504") == 0 && seen(&o[2], "500") > 27,
    ),
];
