//! Active and passive checks, fail-open.

use crate::{Shown, cause, changes, downs, failed, get, near, seen};
use brownout_sim::outcome::Outcome;

/// Checks each second that query the store, one failure takes out, one pass brings back.
macro_rules! deep {
    ($world:literal) => {
        concat!("balancer.health=haproxy; balancer.health={ interval = \"1s\", fall = 1, rise = 1 }; fleets.f.health=deep; ", $world)
    };
}

/// When the only server left rotation, and when it came back.
fn out(o: &Outcome) -> Option<f64> {
    changes(o, "f-1").first().copied()
}

fn back(o: &Outcome) -> Option<f64> {
    changes(o, "f-1").get(1).copied()
}

/// Whether a time lies in this second or before its end.
fn within(at: Option<f64>, from: f64, to: f64) -> bool {
    at.is_some_and(|at| (from..=to).contains(&at))
}

fn queries(o: &Outcome) -> u64 {
    o.stores["db"].queries
}

#[rustfmt::skip] // one world, one line
pub const ROWS: &[Shown] = &[
    (
        &["Active health checks.", "Time between checks of a server in a steady state."],
        &[deep!("clients.c.calls=1"), deep!("clients.c.calls=1; balancer.health.interval=4s")],
        |o| (20..=21).contains(&(queries(&o[0]) - 1)) && (4..=6).contains(&(queries(&o[1]) - 1)),
    ),
    (
        &["The next check starts one interval after the last one ended, so a check that times out delays it.", "Checks start one interval apart, however long they take.", "From where an interval is counted."],
        &[deep!("clients.c.calls=1; stores.db.service=900ms"), deep!("clients.c.calls=1; stores.db.service=900ms; balancer.health.pace=from-start")],
        |o| (10..=12).contains(&(queries(&o[0]) - 1)) && (20..=21).contains(&(queries(&o[1]) - 1)),
    ),
    (
        &["Interval while a server is going down or coming up; none: as `interval` (HAProxy `fastinter`)."],
        &[
            deep!("balancer.health={ interval = \"2s\", fall = 3 }; @5s do=refuse store=db for=9s"),
            deep!("balancer.health={ interval = \"2s\", fall = 3, fast_interval = \"100ms\" }; @5s do=refuse store=db for=9s"),
        ],
        |o| within(out(&o[0]), 9.0, 11.1) && within(out(&o[1]), 5.2, 7.3),
    ),
    (
        &["Interval while a server is fully down; none: as `interval` (HAProxy `downinter`)."],
        &[
            deep!("balancer.health.interval=4s; @5s do=refuse store=db for=5s"),
            deep!("balancer.health={ interval = \"4s\", down_interval = \"100ms\" }; @5s do=refuse store=db for=5s"),
        ],
        |o| within(back(&o[0]), 10.2, 14.1) && within(back(&o[1]), 10.0, 10.15),
    ),
    (
        &["Failures in a row that take a server out.", "Passes in a row that bring a server back."],
        &[deep!("@5s do=refuse store=db for=8s"), deep!("balancer.health={ fall = 4, rise = 3 }; @5s do=refuse store=db for=8s")],
        |o| within(out(&o[0]), 5.0, 6.0) && within(back(&o[0]), 13.0, 14.0) && within(out(&o[1]), 8.0, 9.1) && within(back(&o[1]), 15.0, 16.1),
    ),
    (
        &["In rotation at once, with full credit.", "Out of rotation until it has passed `rise` checks, or its first, with `first_pass`.", "State when the run begins: as a rule checks have been going on for long.", "Whether the very first check of a server that starts down brings it in if it passes, however high `rise` (ALB, Envoy)."],
        &[
            deep!("balancer.health={ fall = 2 }; @0s do=refuse store=db"),
            deep!("balancer.health={ initial = \"down\", rise = 9 }"),
            deep!("balancer.health={ initial = \"down\", rise = 9, first_pass = true }"),
        ],
        // With full credit: two failures take it out, the first of them in the first second.
        |o| within(out(&o[0]), 1.0, 2.1) && (75..=95).contains(&cause(&o[1], "no_server")) && cause(&o[2], "no_server") <= 10,
    ),
    (
        &["Whether a process that dies is out at once, and in again after it has passed `rise` checks"],
        &[deep!("fleets.f.restart.delay=2s; balancer.health={ follows_process = true, fall = 9, rise = 2 }; @5s do=crash fleet=f"), deep!("fleets.f.restart.delay=2s; balancer.health.fall=9; @5s do=crash fleet=f")],
        |o| out(&o[0]) == Some(5.0) && within(back(&o[0]), 8.0, 9.1) && downs(&o[1]) == 0,
    ),
    (
        &["Whether the first checks of the servers are spread evenly over one interval, or all start together."],
        &[deep!("fleets.f.count=4; balancer.health={ interval = \"4s\", initial = \"down\" }"), deep!("fleets.f.count=4; balancer.health={ interval = \"4s\", initial = \"down\", spread_first = false }")],
        |o| {
            let ins = |o: &Outcome| ["f-1", "f-2", "f-3", "f-4"].map(|server| changes(o, server)[0]);
            let (spread, together) = (ins(&o[0]), ins(&o[1]));
            let mut spread = spread;
            spread.sort_by(f64::total_cmp);
            spread.windows(2).all(|two| near(two[1] - two[0], 1.0, 0.01)) && together.windows(2).all(|two| (two[1] - two[0]).abs() < 0.01)
        },
    ),
    (
        &["Lowest status that passes.", "Highest status that passes."],
        // A deep check is answered 200 if the store answers, else 503.
        &[deep!("balancer.health.pass_from=201"), deep!("@5s do=refuse store=db"), deep!("balancer.health.pass_to=503; @5s do=refuse store=db")],
        |o| downs(&o[0]) == 1 && downs(&o[1]) == 1 && downs(&o[2]) == 0,
    ),
    (
        &["Whether an answer that does not pass takes the server out at once, so that only missing answers count up to `fall` (Envoy)."],
        &[deep!("balancer.health={ fall = 5, status_ejects = true }; @5s do=refuse store=db"), deep!("balancer.health={ fall = 5, status_ejects = true }; fleets.f.restart.delay=1h; @5s do=crash fleet=f")],
        |o| within(out(&o[0]), 5.0, 6.1) && within(out(&o[1]), 9.0, 10.1),
    ),
    (
        &["Whether the balancer checks at all; without checks only passive checks and operators take a server out of rotation.", "No product and no checks at all: every server stays in rotation."],
        &[
            "fleets.f.count=2; balancer.health={ observe = { errors = 1, on_error = \"mark-down\" } }; @5s do=error store=db for=1s",
            "fleets.f.count=2; @5s do=error store=db for=1s",
            "fleets.f.count=2; @5s do=take-down fleet=f count=2",
        ],
        |o| cause(&o[0], "no_server") > 100 && cause(&o[1], "no_server") == 0 && seen(&o[1], "500") == 10 && cause(&o[2], "no_server") == 150,
    ),
    (
        &["Fail-open: with fewer healthy servers than this (a count, or a share of all), health is ignored and all get calls. 1: when none is left.", "None: no server, no service."],
        &[
            deep!("fleets.f.count=4; fleets.f.calls.get.asks=none; fleets.f.health.asks=db; @5s do=refuse store=db"),
            deep!("fleets.f.count=4; fleets.f.calls.get.asks=none; fleets.f.health.asks=db; balancer.health.fail_open_below=1; @5s do=refuse store=db"),
            // Two of four stand still: 50% is not fewer than that, 75% is, and then the two get calls again.
            deep!("fleets.f.count=4; clients.c.timeout=1s; balancer.idle_timeout=1s; balancer.health.fail_open_below=50%; @5s do=pause fleet=f servers=2"),
            deep!("fleets.f.count=4; clients.c.timeout=1s; balancer.idle_timeout=1s; balancer.health.fail_open_below=75%; @5s do=pause fleet=f servers=2"),
        ],
        |o| cause(&o[0], "no_server") > 130 && get(&o[1]).failed == 0 && failed(&o[2], 8, 20) == 0 && failed(&o[3], 8, 20) >= 50,
    ),
    (
        &["A server that is back in rotation gets its share of calls only after so long; none: at once.", "Those there when the run begins have theirs."],
        &[
            // One that is easing in would get few of the calls, and so few of the errors: half are its share.
            deep!("clients.c.rate=50/s; fleets.f={ count = 2, calls.get.asks = \"none\", calls.idle.asks = \"db\", health = \"shared\", restart.delay = \"1s\", calls.get.work = \"1ms\" }; balancer={ retries = 0, health.slow_start = \"10s\" }; @5s do=crash fleet=f servers=1; @8s do=gray-failure fleet=f servers=1 factor=100 for=2s"),
            deep!("clients.c.rate=50/s; fleets.f={ count = 2, calls.get.asks = \"none\", calls.idle.asks = \"db\", health = \"shared\", restart.delay = \"1s\", calls.get.work = \"1ms\" }; balancer={ retries = 0, health.slow_start = \"10s\" }; @1s do=gray-failure fleet=f servers=1 factor=100 for=2s"),
        ],
        |o| (1..35).contains(&o[0].faults[1].effects) && (45..=55).contains(&o[1].faults[0].effects),
    ),
    (
        &["It counts as a failed check.", "It counts as a failed check, and one more failure takes the server out.", "The server is out at once.", "Only the next check comes sooner, after `fast_interval`, if there is one.", "Errors in a row (HAProxy `error-limit`).", "What they do (HAProxy `on-error`).", "Errors of calls that count as failed checks (HAProxy `observe layer7`)."],
        // Checks of a thread of its own pass, every 8 s; each ten errors take a second.
        &[
            "balancer.health=haproxy; balancer.health={ interval = \"8s\", fall = 3, observe = { errors = 10, on_error = \"fail-check\" } }; fleets.f.health=shallow; @9s do=error store=db",
            "balancer.health=haproxy; balancer.health={ interval = \"8s\", fall = 3, observe = { errors = 10, on_error = \"sudden-death\" } }; fleets.f.health=shallow; @9s do=error store=db",
            "balancer.health=haproxy; balancer.health={ interval = \"8s\", fall = 3, observe = { errors = 10, on_error = \"mark-down\" } }; fleets.f.health=shallow; @9s do=error store=db",
            "balancer.health=haproxy; balancer.health={ interval = \"8s\", fall = 1, fast_interval = \"100ms\", observe = { errors = 10, on_error = \"fastinter\" } }; fleets.f={ health = \"deep\", calls.get.timeout = \"1s\" }; @9s do=error store=db",
            "balancer.health=haproxy; balancer.health={ interval = \"8s\", fall = 1, observe = { errors = 10, on_error = \"fastinter\" } }; fleets.f={ health = \"deep\", calls.get.timeout = \"1s\" }; @9s do=error store=db",
        ],
        |o| within(out(&o[0]), 11.8, 12.1) && within(out(&o[1]), 10.8, 11.1) && within(out(&o[2]), 9.8, 10.1) && within(out(&o[3]), 9.9, 10.3) && !within(out(&o[4]), 9.0, 10.3),
    ),
    (
        &["Passive checks: servers that fail calls get none for a while, then one as a probe (nginx).", "Failures that take a server out; 0: none ever does (nginx `max_fails`)."],
        &[
            "fleets.f={ count = 2, restart.delay = \"1h\" }; balancer={ retries = 0, health.max_fails = { fails = 1, window = \"4s\" } }; @0s do=crash fleet=f servers=1",
            "fleets.f={ count = 2, restart.delay = \"1h\" }; balancer={ retries = 0, health.max_fails = { fails = 0, window = \"4s\" } }; @0s do=crash fleet=f servers=1",
        ],
        |o| (4..=6).contains(&get(&o[0]).failed) && near(get(&o[1]).failed as f64, 100.0, 0.05),
    ),
    (
        &["Gateway failures in a row that eject a host at once, which are statuses 502 to 504, failed connects and answers that do not come in time; 0: none do"],
        // A process that is dead, one that does not answer, and one that answers 500.
        &[
            "fleets.f={ count = 2, restart.delay = \"1h\" }; balancer={ retries = 0, health.outlier = { consecutive_errors = 0, gateway_errors = 3, success_rate = false } }; @0s do=crash fleet=f servers=1",
            "fleets.f.count=2; balancer={ idle_timeout = \"500ms\", health.outlier = { consecutive_errors = 0, gateway_errors = 3, success_rate = false } }; @0s do=pause fleet=f servers=1",
            "fleets.f.count=2; balancer.health.outlier={ consecutive_errors = 0, gateway_errors = 3, success_rate = false }; @0s do=error store=db",
            "fleets.f={ count = 2, restart.delay = \"1h\" }; balancer={ retries = 0, health.outlier = { consecutive_errors = 0, success_rate = false } }; @0s do=crash fleet=f servers=1",
        ],
        |o| downs(&o[0]) == 1 && downs(&o[1]) == 1 && downs(&o[2]) == 0 && downs(&o[3]) == 0,
    ),
    (
        &["Whether `max_share` bounds the share that is out before an ejection, so that one more than it says may go"],
        &[
            "fleets.f.count=3; balancer.health.outlier={ max_share = \"50%\", counts_before = true }; @1s do=error store=db",
            "fleets.f.count=3; balancer.health.outlier={ max_share = \"50%\" }; @1s do=error store=db",
        ],
        |o| downs(&o[0]) == 2 && downs(&o[1]) == 1,
    ),
    (
        &["Passive outlier ejection: servers that fail calls leave rotation for a while (Envoy).", "Errors in a row that eject a host at once; 0: none do (Envoy `consecutive_5xx`)."],
        &[
            "fleets.f={ count = 2, restart.delay = \"1h\" }; balancer={ retries = 0, health.outlier = { consecutive_errors = 3, success_rate = false } }; @0s do=crash fleet=f servers=1",
            "fleets.f={ count = 2, restart.delay = \"1h\" }; balancer={ retries = 0, health.outlier = { consecutive_errors = 0, success_rate = false } }; @0s do=crash fleet=f servers=1",
        ],
        |o| get(&o[0]).failed == 3 && near(get(&o[1]).failed as f64, 100.0, 0.05),
    ),
];
