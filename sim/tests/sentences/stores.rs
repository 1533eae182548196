//! Stores, what they use up, and the timeline.

use crate::{Shown, cause, failed, get, latency, near};
use brownout_sim::outcome::Outcome;

/// 100 units, 10 of them gone each second.
macro_rules! burns {
    ($world:literal) => {
        concat!("stores.db.headroom={ at_start = 100, alert = 60, stop = 20, background = \"10/s\" }; ", $world)
    };
}

/// The outage: from and to, in seconds.
fn outage(o: &Outcome) -> (f64, Option<f64>) {
    o.outages.first().map_or((f64::NAN, None), |outage| (outage.from_s, outage.to_s))
}

/// When something is noted that has this in its words.
fn noted(o: &Outcome, words: &str) -> Option<f64> {
    o.events.iter().find(|mark| mark.what.contains(words)).map(|mark| mark.at_s)
}

fn is_at(time: Option<f64>, should_be: f64) -> bool {
    time.is_some_and(|time| (time - should_be).abs() < 0.2)
}

#[rustfmt::skip] // one world, one line
pub const ROWS: &[Shown] = &[
    (
        &["Another store, of which this one is a copy where it says nothing itself.", "Time to serve one query or append."],
        &["stores.db.service=30ms; stores.e={ like = \"db\" }; fleets.f.calls={ get.asks = \"e\", idle.asks = \"db\" }"],
        |o| near(latency(&o[0]), 30.0, 0.001),
    ),
    (&["The link between servers and the store."], &["stores.db.link.latency=50ms"], |o| near(latency(&o[0]), 101.5, 0.01)),
    (
        &["Queries that run at once; the rest wait."],
        &["stores.db={ service = \"300ms\", concurrency = 1 }; clients.c.timeout=1h; fleets.f={ workers = 300, pools.db.size = 300, calls.get.timeout = \"1h\" }"],
        |o| near(get(&o[0]).ok as f64, 66.0, 0.02) && get(&o[0]).failed == 0,
    ),
    (
        &["Most queries of one kind of call that run at once, a count or a share of `concurrency`, by kind of call; more of them wait apart, before they queue with the others.", "Kinds not listed have no bound of their own."],
        &[
            "stores.db={ concurrency = 4, at_most.slow = 2 }; clients.d={ sends = \"slow\", rate = \"5/s\", timeout = \"1h\" }; fleets.f={ workers = 300, pools.db.size = 300, calls.slow = { asks = \"db\", service = \"2s\", timeout = \"1h\" } }",
            "stores.db={ concurrency = 4, at_most.slow = \"50%\" }; clients.d={ sends = \"slow\", rate = \"5/s\", timeout = \"1h\" }; fleets.f={ workers = 300, pools.db.size = 300, calls.slow = { asks = \"db\", service = \"2s\", timeout = \"1h\" } }",
            "stores.db={ concurrency = 4 }; clients.d={ sends = \"slow\", rate = \"5/s\", timeout = \"1h\" }; fleets.f={ workers = 300, pools.db.size = 300, calls.slow = { asks = \"db\", service = \"2s\", timeout = \"1h\" } }",
        ],
        // Two at once, each for two seconds: one a second; without the bound two a second, and nobody else gets through.
        |o| o[..2].iter().all(|o| (18..=20).contains(&o.calls["slow"].ok) && get(o).ok >= 199 && latency(o) < 1.5) && o[2].calls["slow"].ok > 20 && latency(&o[2]) > 500.0,
    ),
    (&["Most connections; one more is refused."], &["stores.db={ service = \"990ms\", connections = 2 }; fleets.f={ workers = 300, pools.db.size = 300 }"], |o| near(cause(&o[0], "store_refused") as f64, 160.0, 0.03) && o[0].stores["db"].connects >= 2),
    (
        &["97 connections (max_connections 100, 3 of them reserved)", "2ms to accept and fork one after another", "100ms to start up"],
        &["stores.db=postgresql; fleets.f.count=120", "stores.db=postgresql; clients.c={ arrivals = \"burst\", burst = 10, calls = 10 }; fleets.f.count=10", "stores.db=postgresql; @5s do=refuse store=db for=1s"],
        // One for each server; the tenth of ten after 20 ms, and two round trips of 200 us.
        |o| cause(&o[0], "store_refused") == 23 && near(latency(&o[1]), 11.0 + 0.4, 0.01) && outage(&o[2]) == (5.0, Some(6.1)),
    ),
    // Headroom.
    (
        &["A resource that it uses up.", "Level when the run starts.", "Level at which the alert `stores.<name>.alert` is raised.", "Level at which the store leaves service, `stores.<name>.stop`.", "Units burnt by everything else.", "Level after maintenance, and of what takes the store's place: a replacement, or a spare.", "A job that restores a store's headroom, and reopens it if it had left service for want of that.", "How long the job takes.", "Instead of `at`: the sign that sets it off, `stores.<name>.alert`, `stores.<name>.stop`, `stores.<name>.back` or `done:<id>`."],
        &[
            burns!("@when=stores.db.alert do=note says=low; @when=stores.db.stop do=maintenance store=db takes=3s id=job; @when=done:job do=note says=ready; @when=stores.db.back do=note says=served"),
            burns!("stores.db.headroom.restored_to=40; @when=stores.db.stop do=maintenance store=db takes=3s"),
            burns!("stores.db.headroom.restored_to=40; @when=stores.db.stop do=replace store=db takes=3s"),
            burns!("stores.db.headroom.restored_to=40; stores.db.spare={ detection = \"1s\", promotion = \"2s\" }"),
            "stores.db.headroom={ at_start = 100 }; @5s do=refuse store=db for=8s; @6s do=maintenance store=db takes=2s",
        ],
        |o| is_at(noted(&o[0], "low"), 4.0) && is_at(Some(outage(&o[0]).0), 8.0) && is_at(outage(&o[0]).1, 11.0) && is_at(noted(&o[0], "ready"), 11.0) && is_at(noted(&o[0], "served"), 11.0)
            && near(failed(&o[0], 0, 20) as f64, 30.0, 0.05) && o[1..4].iter().all(|o| is_at(Some(o.outages[1].from_s), 13.0)) && outage(&o[4]) == (5.0, Some(13.0)),
    ),
    (
        &["Units burnt by one write."],
        &["fleets.f.calls.get.writes=true; stores.db.headroom={ at_start = 100, stop = 20, per_write = 2 }"],
        // Twenty a second.
        |o| (outage(&o[0]).0 - 4.0).abs() <= 0.2,
    ),
    (
        &["What leaves service means: a fault of a store, or \"none\"."],
        &[burns!("fleets.f.calls.get.timeout=1s"), burns!("clients.c.timeout=3s; fleets.f.calls.get.timeout=1s; stores.db.headroom.at_stop=hang"), burns!("stores.db.headroom.at_stop=refuse-writes"), burns!("stores.db.headroom.at_stop=none")],
        |o| cause(&o[0], "store_refused") > 110 && cause(&o[1], "store_timeout") > 50 && get(&o[2]).failed == 0 && get(&o[3]).failed == 0,
    ),
    (
        &["A store's background load is reduced.", "By how much the background use falls."],
        &[burns!("@4s do=relieve store=db by=50%")],
        // Forty left at 10/s would last until 8 s; at 5/s until 12 s.
        |o| is_at(Some(outage(&o[0]).0), 12.0),
    ),
    (
        &["A store is set up on other hardware and takes over.", "From the order until the replacement serves."],
        &["@5s do=refuse store=db; @7s do=replace store=db takes=3s"],
        |o| outage(&o[0]) == (5.0, Some(10.0)) && failed(&o[0], 0, 20) == 50,
    ),
    (
        &["Slowness after an outage, and of a spare that takes over.", "How long it lasts.", "Factor on service times right after the return; it falls linearly to one."],
        &["stores.db.warm_up={ lasts = \"4s\", factor = 101 }; @5s do=refuse store=db for=5s", "stores.db.warm_up={ lasts = \"4s\", factor = 101 }; stores.db.spare={ promotion = \"5s\", lag = \"0s\" }; @5s do=failover store=db"],
        // Forty calls, 50 ms more on average, of 150 that are answered.
        |o| o.iter().all(|o| near(latency(o), 1.0 + 40.0 * 50.0 / 150.0, 0.05)),
    ),
    (
        &["A hot spare, to which writes are replicated.", "How long the primary must be out until it is given up.", "From then until the spare serves.", "Replication lag: writes acknowledged in the last so long before the outage are lost.", "Whether what the primary ran out of the spare has run out of too, as with transaction ids in a physical replica."],
        &[
            "fleets.f.calls.get.writes=true; stores.db.spare={ detection = \"2s\", promotion = \"3s\", lag = \"1500ms\" }; @5s do=refuse store=db",
            "fleets.f.calls.get.writes=true; stores.db={ spare = { detection = \"2s\", promotion = \"1s\" }, headroom = { at_start = 100, stop = 20, per_write = 2 } }",
            "fleets.f.calls.get.writes=true; stores.db={ spare = { detection = \"2s\", promotion = \"1s\", shares_headroom = true }, headroom = { at_start = 100, stop = 20, per_write = 2 } }",
        ],
        |o| failed(&o[0], 0, 20) == 50 && cause(&o[0], "not_replicated") == 15 && failed(&o[1], 8, 20) == 0 && failed(&o[2], 8, 20) == 120,
    ),
    // The timeline.
    (
        &["What the rates are stated over; without it, the whole run."],
        &["@5s do=error store=db for=5s", "window={ from = \"5s\", to = \"10s\" }; @5s do=error store=db for=5s"],
        |o| get(&o[0]).failed_rate == 0.25 && get(&o[1]).failed_rate == 1.0 && get(&o[1]).offered == 50,
    ),
    (
        &["The time at which it happens, of the day or since the start.", "Time between the sign, or the time `at`, and the action.", "How long; none: to the end of the run."],
        &["@5s do=refuse store=db for=2s", "@5s delay=3s do=refuse store=db", "@2s do=refuse store=db for=1s id=one; @when=done:one delay=4s do=refuse store=db for=1s"],
        |o| outage(&o[0]) == (5.0, Some(7.0)) && outage(&o[1]) == (8.0, None) && o[2].outages.len() == 2 && o[2].outages[1].from_s == 7.0,
    ),
    (
        &["Whether it happens at all: a design may switch an entry on or off."],
        &["@5s do=refuse store=db enabled=false"],
        |o| get(&o[0]).failed == 0 && o[0].outages.is_empty(),
    ),
    (
        &["Whether it comes again: how often, and after how long.", "From one beginning to the next.", "How often in all, the first time included; none: to the end of the run."],
        &["@2s do=refuse store=db for=1s repeat={every=\"4s\",times=3}", "@2s do=refuse store=db for=1s repeat={every=\"4s\"}"],
        |o| {
            let begins = |o: &Outcome| o.outages.iter().map(|outage| outage.from_s).collect::<Vec<_>>();
            begins(&o[0]) == [2.0, 6.0, 10.0] && begins(&o[1]) == [2.0, 6.0, 10.0, 14.0, 18.0]
        },
    ),
    (
        &["Time in which it rises evenly to its severity, in sixteen steps; it counts towards `for`."],
        &["clients.c.rate=100/s; @0s do=error store=db for=16s ramp=16s"],
        // From a sixteenth (or nothing) to all, and over after 16 s.
        |o| near(get(&o[0]).failed as f64, 800.0, 0.1) && failed(&o[0], 0, 4) < 90 && failed(&o[0], 12, 16) > 310 && failed(&o[0], 16, 20) == 0,
    ),
    (
        &["A mark on the pictures.", "What to write.", "When it happened on the day; the report compares."],
        &["@5s do=note says=hello expected_at=6s"],
        |o| noted(&o[0], "hello") == Some(5.0) && o[0].events.iter().any(|mark| mark.expected_at.is_some()),
    ),
];
