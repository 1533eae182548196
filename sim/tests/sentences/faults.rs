//! What each fault does, and what its effects are counted in.

use crate::{Shown, cause, changes, effects, failed, get, latency, near, seen};

/// Another kind of call, at the same rate, that writes.
macro_rules! and_writes {
    ($world:literal) => {
        concat!(
            "clients.d={ sends = \"put\", rate = \"10/s\", arrivals = \"constant\" }; fleets.f.calls.put={ asks = \"db\", writes = true };",
            $world
        )
    };
}

#[rustfmt::skip] // one world, one line
pub const ROWS: &[Shown] = &[
    // Stores.
    (
        &["Statements that write get an error, after the time that serving them takes; reads are served", "Effects: writes that got an error."],
        &[and_writes!("@5s do=refuse-writes store=db for=5s"), and_writes!("stores.db.service=300ms; clients.d.timeout=200ms; @0s do=refuse-writes store=db")],
        |o| o[0].calls["put"].failed == 50 && get(&o[0]).failed == 0 && effects(&o[0]) == 50 && o[1].calls["put"].seen.keys().eq(["timeout"]),
    ),
    (
        &["A share of queries gets an error in place of a result, after the time that serving them takes.", "Effects: queries that got an error.", "Share of queries that fail."],
        &["@5s do=error store=db share=30% for=10s", "@5s do=error store=db for=10s", "stores.db.service=300ms; clients.c.timeout=200ms; @0s do=error store=db"],
        |o| get(&o[2]).seen.keys().eq(["timeout"]) && (20..40).contains(&get(&o[0]).failed) && effects(&o[0]) == get(&o[0]).failed && effects(&o[1]) == 100 && seen(&o[1], "500") == 100,
    ),
    (
        &["Shut down: open connections are closed, new ones refused at once.", "Effects: connects and queries refused, and connections closed."],
        &["@5s do=refuse store=db for=5s", "stores.db.service=350ms; @5s do=refuse store=db for=5s"],
        |o| cause(&o[0], "store_refused") == 50 && effects(&o[0]) >= 50 && (3..=4).contains(&cause(&o[1], "store_severed")),
    ),
    (
        &["Stopped: connections open, nothing is answered until it resumes; what had been sent is then executed.", "Effects: connects and queries left unanswered."],
        &["clients.c.timeout=20s; @5s do=hang store=db for=5s", "clients.c.timeout=1s; @5s do=hang store=db for=5s"],
        |o| get(&o[0]).failed == 0 && latency(&o[0]) > 500.0 && o[0].stores["db"].queries == 200 && effects(&o[0]) == 8 && failed(&o[1], 5, 9) == 40,
    ),
    (
        &["Open connections are cut, and each new one is cut at its first query", "Effects: connections cut, idle or with a query."],
        &["@5s do=sever store=db for=5s"],
        // The idle connection at once, and one for each call.
        |o| cause(&o[0], "store_severed") == 50 && effects(&o[0]) == 51,
    ),
    (
        &["Service times grow by a factor.", "Effects: queries begun at another speed.", "Factor on service times."],
        &["@5s do=slow store=db factor=100 for=5s"],
        |o| near(latency(&o[0]), 0.75 + 25.0, 0.02) && effects(&o[0]) == 50,
    ),
    (
        &["It takes fewer connections than before: idle ones above the limit are closed, those in use when their query is done, and one more is refused at once", "Effects: connects refused, and connections closed.", "Connections that it takes while the fault lasts."],
        &[
            "clients.c.rate=20/s; fleets.f.workers=20; stores.db.service=400ms; @5s do=connection-limit store=db to=2 for=10s",
            "clients.c.rate=20/s; clients.c.calls=40; fleets.f.workers=20; stores.db.service=390ms; @5s do=connection-limit store=db to=2 for=10s",
        ],
        // Eight connections are open when it begins.
        |o| cause(&o[0], "store_refused") > 50 && cause(&o[0], "store_severed") == 0 && get(&o[0]).ok > 200 && effects(&o[1]) == 6 && get(&o[1]).failed == 0,
    ),
    (
        &["Its spare is promoted at once, whatever state the primary is in: connections are cut and refused until the promotion is done, and writes that the spare does not have are lost.", "It is over when the spare serves, and does nothing after an earlier promotion."],
        &[
            "fleets.f.calls.get.writes=true; stores.db.spare={ promotion = \"3s\", lag = \"1s\" }; @5s do=failover store=db; @12s do=failover store=db",
            "fleets.f.calls.get.writes=true; stores.db.spare={ promotion = \"3s\", lag = \"1s\" }; @4s do=hang store=db; @5s do=failover store=db",
        ],
        |o| {
            let f = &o[0].faults;
            failed(&o[0], 0, 20) == 30 && cause(&o[0], "not_replicated") == 10 && f[0].to_s == Some(8.0) && f[0].effects >= 30 && f[1].effects == 0
                && failed(&o[1], 8, 20) == 0
        },
    ),
    // Servers.
    (
        &["The processes die at once, with everything that they had; the supervisor starts them again as the fleet's `restart` says.", "Effects: processes killed."],
        &["balancer.retries=0; stores.db.service=350ms; fleets.f.restart.delay=2s; @5s do=crash fleet=f"],
        |o| cause(&o[0], "refused") == 20 && (3..=4).contains(&cause(&o[0], "crashed")) && effects(&o[0]) == 1 && o[0].fleets["f"].crashes == 1,
    ),
    (
        &["The processes die at once and again some time after each start; when it ends, the last start holds.", "Effects: deaths.", "How long after each start."],
        &["fleets.f.restart.delay=500ms; @5s do=crash-loop fleet=f after=1s for=5s"],
        // At 5, 6.5, 8 and 9.5 s.
        |o| o[0].fleets["f"].crashes == 4 && effects(&o[0]) == 4 && failed(&o[0], 10, 20) == 0,
    ),
    (
        &["it accepts connections up to the backlog, nothing is answered, no timer of the process goes off.", "When it ends, what has piled up is dealt with in its order", "Effects: connects and messages that reached a process that stood still."],
        &[
            "clients.c.timeout=20s; balancer.retries=0; fleets.f.backlog=3; @5s do=pause fleet=f for=5s",
            // The server's own deadline is over before the client's, unless its clock stands still.
            "clients.c.calls=45; clients.c.timeout=3s; fleets.f.calls.get.timeout=1s; @4s do=hang store=db",
            "clients.c.calls=45; clients.c.timeout=3s; fleets.f.calls.get.timeout=1s; @4s do=hang store=db; @4500ms do=pause fleet=f for=5s",
        ],
        |o| cause(&o[0], "backlog_full") == 46 && get(&o[0]).ok == 154 && effects(&o[0]) >= 4 && seen(&o[1], "500") == 5 && seen(&o[2], "timeout") == 5,
    ),
    (
        &["A process that is started meanwhile stands still as soon as it listens."],
        &["clients.c.timeout=2s; fleets.f.restart.delay=1s; @4s do=pause fleet=f for=8s; @5s do=crash fleet=f"],
        |o| failed(&o[0], 7, 9) == 20 && failed(&o[0], 12, 20) == 0,
    ),
    (
        &["Effects: calls and checks computed at another speed.", "Factor on computing times, of work that begins while it lasts."],
        &["fleets.f.calls.get.work=2ms; @5s do=gray-failure fleet=f factor=50 for=5s"],
        |o| effects(&o[0]) == 50 && near(latency(&o[0]), 1.0 + 1.5 + 25.0, 0.02),
    ),
    (
        &[
            "A share of calls is answered with an error status in place of being done, by servers that are bad alone", "Effects: calls and checks answered so.",
            "Share of calls that are answered so; each try draws anew.", "How long a worker takes for such an answer; none: as long as computing takes, and no store is asked.",
        ],
        &[
            "fleets.f.calls.get.work=40ms; @5s do=bad-answers fleet=f for=5s",
            "fleets.f.calls.get.work=40ms; @5s do=bad-answers fleet=f share=30% status=503 takes=2ms for=10s",
            // One of two: a retry goes to the other, and round robin then begins with the bad one again.
            "fleets.f.count=2; balancer={ retries = 1, retry_statuses = [500] }; @5s do=bad-answers fleet=f servers=1 for=10s",
            "clients.c.rate=50/s; balancer={ retries = 3, redispatch = \"never\", retry_statuses = [500] }; @0s do=bad-answers fleet=f share=50%",
        ],
        |o| cause(&o[0], "bad_answer") == 50 && seen(&o[0], "500") == 50 && effects(&o[0]) == 50 && (149..=150).contains(&o[0].stores["db"].queries)
            && (20..40).contains(&seen(&o[1], "503")) && effects(&o[1]) == seen(&o[1], "503") && get(&o[2]).failed == 0 && effects(&o[2]) == 100
            && (35..95).contains(&get(&o[3]).failed),
    ),
    (
        &["Whether health checks that pass through the accept queue are answered so too."],
        &[
            "balancer.health={ preset = \"haproxy\", status_ejects = true }; fleets.f.health=shared; @5s do=bad-answers fleet=f",
            "balancer.health={ preset = \"haproxy\", status_ejects = true }; fleets.f.health=shared; @5s do=bad-answers fleet=f checks=true",
            "balancer.health={ preset = \"haproxy\", status_ejects = true }; fleets.f={ health = \"shared\", bad = { } }",
            "balancer.health={ preset = \"haproxy\", status_ejects = true }; fleets.f={ health = \"shared\", bad = { checks = true } }",
        ],
        |o| o[0].rotation.downs["f-1"] == 0 && o[1].rotation.downs["f-1"] == 1 && o[2].rotation.downs["f-1"] == 0 && o[3].rotation.downs["f-1"] == 1,
    ),
    (
        &["Each process loses a worker (or a core of its event loop) now and then, until none is left; a process that starts afresh has all of them.", "When it ends, those that it has taken are back", "Effects: workers lost.", "How often each process loses one."],
        &[
            "clients.c.timeout=1s; fleets.f.workers=2; @5s do=worker-leak fleet=f every=1s for=8s",
            "clients.c.timeout=1s; fleets.f.workers=2; fleets.f.restart.delay=100ms; @5s do=worker-leak fleet=f every=1s for=8s; @9500ms do=crash fleet=f",
            "clients.c.timeout=1s; fleets.f={ concurrency = \"event-loop\", cores = 2 }; fleets.f.calls.get.work=1ms; @5s do=worker-leak fleet=f every=1s for=8s",
        ],
        |o| failed(&o[0], 5, 7) == 0 && failed(&o[0], 8, 12) == 40 && failed(&o[0], 13, 20) == 0 && effects(&o[0]) == 2
            && failed(&o[1], 10, 11) == 0 && effects(&o[1]) == 4 && failed(&o[2], 8, 12) == 40,
    ),
    (
        &["at the fleet's `heap_limit` it dies, and starts afresh with none lost. When it ends, what it has taken is free again.", "Effects: processes killed at their heap limit.", "How much each process loses in a second."],
        // 50 MB are full after two seconds and a half; 20 MB and 40 MB would be too much, were the 20 MB not free again.
        &["fleets.f={ heap_limit = \"50MB\", restart.delay = \"500ms\" }; @2s do=memory-leak fleet=f per_second=20MB for=4s; @8s do=memory-leak fleet=f per_second=20MB for=2s"],
        |o| o[0].fleets["f"].crashes == 1 && effects(&o[0]) == 1 && o[0].faults[1].effects == 0,
    ),
    (
        &["Of several such faults the strongest counts."],
        &[
            "clients.c={ rate = \"1/s\", timeout = \"800ms\" }; fleets.f.calls.get.timeout=4s; @0s do=hang store=db; @0s do=clock-skew fleet=f rate=2; @0s do=clock-skew fleet=f rate=4",
            "clients.c={ rate = \"1/s\", timeout = \"1200ms\" }; fleets.f.calls.get.timeout=4s; @0s do=hang store=db; @0s do=clock-skew fleet=f rate=2; @0s do=clock-skew fleet=f rate=4",
        ],
        |o| seen(&o[0], "500") == 0 && seen(&o[1], "500") > 10,
    ),
    (
        &["pauses before another try.", "Timers keep three digits.", "Effects: timers set wrong."],
        &["clients.c.calls=1; fleets.f.calls.get={ on_error = \"retry\", retry_every = \"1s\" }; @0s do=error store=db for=200ms; @0s do=clock-skew fleet=f rate=3"],
        |o| (latency(&o[0]) - 335.0).abs() < 0.001 && o[0].faults[1].effects > 0,
    ),
    (
        &["and with it every timer that is set meanwhile: deadlines, connect and query timeouts, waits for a bulkhead, pauses before another try.", "2 makes a timeout of 10 s go off after 5 s, 0.5 after 20 s."],
        // Whose patience is 1.2 s sees the 500 or 503 of a bound of 2 s, if that comes after one.
        &[
            "clients.c={ rate = \"1/s\", timeout = \"1200ms\" }; fleets.f.calls.get.timeout=2s; @0s do=hang store=db; @0s do=clock-skew fleet=f rate=2",
            "clients.c={ rate = \"1/s\", timeout = \"1200ms\" }; fleets.f.calls.get.connect_timeout=2s; @0s do=hang store=db; @0s do=clock-skew fleet=f rate=2",
            "clients.c={ rate = \"1/s\", timeout = \"1200ms\" }; fleets.f.calls.get.query_timeout=2s; @2s do=hang store=db for=7s; @2s do=clock-skew fleet=f rate=2",
            "clients.c={ rate = \"1/s\", timeout = \"1200ms\" }; stores.db.service=1h; fleets.f.calls.get={ at_most = 1, queue = 9, wait = \"2s\" }; @0s do=clock-skew fleet=f rate=2",
            "clients.c={ rate = \"1/s\", timeout = \"1200ms\" }; fleets.f.calls.get.timeout=1s; @0s do=hang store=db; @0s do=clock-skew fleet=f rate=0.5",
        ],
        |o| seen(&o[0], "500") > 15 && seen(&o[1], "500") > 15 && seen(&o[2], "500") >= 1 && seen(&o[3], "503") > 15 && seen(&o[4], "500") == 0 && seen(&o[4], "timeout") > 15,
    ),
    (
        &["each batch is taken out of rotation, drained, stopped, started as the fleet's `restart` says, and let back, if its checks pass."],
        // Taken out at 2 s, stopped at 4 s, started and let back at 10 s; the second follows 3 s later.
        &["fleets.f={ count = 2, restart.delay = \"6s\" }; balancer.health=haproxy; balancer.health={ interval = \"1s\", rise = 1 }; @2s do=rolling-deploy fleet=f drain=2s pause=3s"],
        |o| {
            let (one, two) = (changes(&o[0], "f-1"), changes(&o[0], "f-2"));
            one[0] == 2.0 && (10.0..11.1).contains(&one[1]) && two[0] == 13.0 && o[0].fleets["f"].crashes == 2 && get(&o[0]).failed == 0
        },
    ),
    // Links.
    (
        &["Each message on a link takes longer, both ways", "Effects: messages delayed.", "How much longer each message takes, one way."],
        &["@5s do=latency between=[\"balancer\",\"fleets.f\"] add=100ms for=5s", "@5s do=latency between=[\"clients\",\"balancer\"] add=100ms for=5s"],
        |o| near(latency(&o[0]), 51.0, 0.02) && near(latency(&o[1]), 51.0, 0.02) && (95..=105).contains(&effects(&o[0])),
    ),
    (
        &["Each takes up to this much longer still, uniformly at random."],
        &["clients.c.rate=50/s; fleets.f.workers=100; @0s do=latency between=[\"balancer\",\"fleets.f\"] add=1us jitter=200ms"],
        |o| near(latency(&o[0]), 201.0, 0.05),
    ),
    (
        &["Each message on a link is lost with some probability, both ways, and", "A request from the balancer on a connection that is kept open counts as a connect, and", "Effects: messages lost, each time that they were sent.", "Share of messages that are lost each time that they are sent."],
        &["clients.c={ rate = \"50/s\", timeout = \"60s\", calls = 500 }; balancer.connect_timeout=60s; @0s do=loss between=[\"balancer\",\"fleets.f\"] share=20%"],
        // Of 500 answers and of those sent again a quarter; of requests, which count as connects, 9 of 16: 0.36 / 0.64.
        |o| near(effects(&o[0]) as f64, 125.0 + 281.0, 0.15) && get(&o[0]).failed == 0,
    ),
    (
        &["Nothing passes between two parts, in either direction, and neither side is told."],
        &["clients.c.timeout=1s; fleets.f.calls.get.writes=true; balancer.connect_timeout=30s; @5s do=partition between=[\"balancer\",\"fleets.f\"] for=5s"],
        |o| (45..=50).contains(&seen(&o[0], "timeout")) && seen(&o[0], "503") == 0,
    ),
    (
        &["Nothing passes from one part to another, while the way back is open", "Connecting needs both ways.", "Whose messages do not arrive: ", "Who does not get them."],
        &[
            "clients.c.timeout=2s; fleets.f.calls.get.writes=true; @5s do=one-way-partition from=balancer to=clients",
            "clients={ c = { timeout = \"2s\", connection = \"per-call\" } }; fleets.f.calls.get.writes=true; @5s do=one-way-partition from=balancer to=clients",
        ],
        |o| get(&o[0]).stored == 200 && get(&o[0]).ok == 50 && get(&o[1]).stored == 50,
    ),
    (
        &["In the place of some answers a reset arrives: what was asked for has been done, and the caller cannot know", "Between clients and balancer, balancer and fleet, or fleet and store.", "Effects: connections reset.", "Share of answers in whose place a reset arrives."],
        &[
            "fleets.f.calls.get.writes=true; @0s do=connection-reset between=[\"balancer\",\"fleets.f\"] share=50%",
            "fleets.f.calls.get.writes=true; @0s do=connection-reset between=[\"clients\",\"balancer\"] share=50%",
            "fleets.f.calls.get.writes=true; @0s do=connection-reset between=[\"fleets.f\",\"stores.db\"] share=50%",
        ],
        |o| o.iter().all(|o| get(o).stored >= 199 && (80..120).contains(&get(o).failed) && effects(o) == get(o).failed) && seen(&o[0], "502") > 80,
    ),
    // The balancer.
    (
        &["More checkers check every server, each whenever the balancer does", "Their checks take what the servers' health endpoint takes: of one that a thread of its own answers, nothing.", "Effects: checks that a server had to answer beside the balancer's own.", "How many checkers there are beside the balancer's own; each checks whenever that does."],
        &[
            "fleets.f={ workers = 1, health = { work = \"5ms\" } }; balancer.health=haproxy; balancer.health.interval=1s; @5s do=check-storm checkers=100 for=5s",
            "fleets.f={ workers = 1, health = { kind = \"shallow\", work = \"5ms\" } }; balancer.health=haproxy; balancer.health.interval=1s; @5s do=check-storm checkers=100 for=5s",
        ],
        |o| (400..=500).contains(&effects(&o[0])) && effects(&o[1]) == 0 && latency(&o[0]) > 20.0 && latency(&o[1]) < 2.0,
    ),
    (
        &["so the dead stay in rotation and the recovered out of it.", "When it ends, checks go on at their pace."],
        // The one is back at 7 s, the other dead from 8 s on; nobody knows before 13 s.
        &["fleets.f={ count = 2, restart.delay = \"4s\" }; balancer.health=haproxy; balancer.health={ interval = \"1s\", fall = 1, rise = 1 }; @3s do=crash fleet=f servers=1; @5s do=checker-stopped for=8s; @8s do=pause fleet=f servers=[\"f-2\"]"],
        |o| {
            let (one, two) = (changes(&o[0], "f-1"), changes(&o[0], "f-2"));
            one.len() == 2 && one[0] < 4.1 && (13.0..14.1).contains(&one[1]) && (13.0..15.1).contains(&two[0])
        },
    ),
    (
        &["Effects: checks not made."],
        &["balancer.health=haproxy; balancer.health.interval=1s; @5s do=checker-stopped for=5s"],
        |o| effects(&o[0]) == 5,
    ),
    (
        &["what the balancer had learnt of each server, by checks and by calls, is forgotten, and each is as when the run began", "What operators hold out stays out.", "Effects: servers of which something had been learnt."],
        &[
            "fleets.f.count=2; balancer.health=haproxy; balancer.health={ interval = \"1s\", rise = 100 }; fleets.f.restart.delay=4s; @5s do=crash fleet=f servers=1; @11s do=config-push",
            "fleets.f.count=2; balancer.health=haproxy; balancer.health={ interval = \"1s\", rise = 100 }; @5s do=take-down fleet=f; @11s do=config-push",
        ],
        |o| changes(&o[0], "f-1").len() == 2 && changes(&o[0], "f-1")[1] == 11.0 && o[0].faults[1].effects == 1 && changes(&o[1], "f-1") == [5.0],
    ),
    // Clients.
    (
        &["Clients send a failed call again and again after a fixed pause, whatever their policy and budget say, if that would be fewer times", "Effects: attempts sent again that way.", "Further attempts after the first, whatever the population's own policy and budget say.", "Pause before each."],
        &[
            "clients.c={ calls = 10, retry = { retries = 1, delay = \"1s\", budget = { capacity = 0 } } }; @0s do=error store=db; @0s do=retry-storm retries=3 pause=10ms",
            "clients.c={ calls = 10, retry = { retries = 12, delay = \"10ms\" } }; @0s do=error store=db; @0s do=retry-storm retries=3 pause=10ms",
            // 205 ms of errors are over after some pauses of 10 ms.
            "clients.c={ calls = 1 }; @0s do=error store=db for=205ms; @0s do=retry-storm retries=100 pause=10ms",
        ],
        |o| get(&o[0]).attempts == 40 && o[0].faults[1].effects == 30 && get(&o[1]).attempts == 130 && latency(&o[2]) > 100.0 && get(&o[2]).attempts as f64 > latency(&o[2]) / 13.0,
    ),
    (
        &["A share of a population's calls is made as another population's calls instead: the same number of calls, another mix.", "Effects: calls made as another kind.", "The population whose calls change.", "The population whose kind of call they make instead, as it would.", "Share of calls that change."],
        &[and_writes!("@5s do=mix-shift clients=c to=d share=50% for=10s")],
        |o| {
            let moved = 200 - get(&o[0]).offered;
            (30..70).contains(&moved) && o[0].calls["put"].offered == 200 + moved && effects(&o[0]) == moved && o[0].calls["put"].stored == 200 + moved
        },
    ),
    (
        &["those that come on top arrive at random, in bursts where the population calls in bursts, and with recorded calls at their times."],
        &[
            "clients.c={ rate = \"100/s\", arrivals = \"burst\", burst = 20 }; @5s do=surge factor=3",
            "clients.c.calls=1; clients.d={ sends = \"get\", trace = { file = \"../scenarios/measured/arrivals.csv\", kinds = { track = \"get\" } } }",
            "clients.c.calls=1; clients.d={ sends = \"get\", trace = { file = \"../scenarios/measured/arrivals.csv\", kinds = { track = \"get\" } } }; @5s do=surge clients=d factor=3",
        ],
        |o| {
            let offered = |o: &brownout_sim::outcome::Outcome| o.timeline.steps.iter().map(|step| step.calls["get"].offered).collect::<Vec<_>>();
            let (plain, surge) = (offered(&o[1]), offered(&o[2]));
            effects(&o[0]) > 1000 && offered(&o[0]).iter().all(|n| n % 20 == 0) && (5..20).all(|at| surge[at] == 3 * plain[at]) && plain[..5] == surge[..5]
        },
    ),
    // What holds of all.
    (
        &["Factors multiply", "Any number may be in force, the same kind twice too."],
        &["@5s do=slow store=db factor=10 for=5s; @5s do=slow store=db factor=10 for=5s"],
        |o| near(latency(&o[0]), 0.75 + 25.0, 0.02),
    ),
    (
        &["Which of its servers: \"all\", so many of them (\"25%\" or a count; the first ones), or a list of names."],
        &[
            "fleets.f.count=4; @5s do=crash fleet=f",
            "fleets.f.count=4; @5s do=crash fleet=f servers=25%",
            "fleets.f.count=4; @5s do=crash fleet=f servers=2",
            "fleets.f.count=4; @5s do=crash fleet=f servers=[\"f-3\"]",
        ],
        |o| {
            let died = |o: &brownout_sim::outcome::Outcome| o.rotation.crashes.iter().filter(|c| *c.1 > 0).map(|c| c.0.clone()).collect::<Vec<_>>().join(" ");
            o.iter().map(died).collect::<Vec<_>>() == ["f-1 f-2 f-3 f-4", "f-1", "f-1 f-2", "f-3"]
        },
    ),
    (
        &["Which servers of the fleet among them: \"all\", so many (\"25%\" or a count; the first ones), or a list of names."],
        &["fleets.f.count=4; clients.c.timeout=1s; balancer.retries=0; balancer.connect_timeout=30s; @0s do=partition between=[\"balancer\",\"fleets.f\"] servers=1"],
        |o| near(get(&o[0]).failed as f64, 50.0, 0.05),
    ),
    (
        &["A connection that is opened for a call or a check (`per-call`) has four messages: the connect, its answer, the request and the reply.", "Each is late for itself", "So a `latency` of 100 ms costs such a call 400 ms on that link, and a connect with a shorter limit than two of them never succeeds"],
        &[
            "balancer.connection=per-call; @0s do=latency between=[\"balancer\",\"fleets.f\"] add=100ms",
            "balancer.connection=per-call; balancer.connect_timeout=150ms; @0s do=latency between=[\"balancer\",\"fleets.f\"] add=100ms",
        ],
        |o| near(latency(&o[0]), 401.0, 0.01) && get(&o[1]).ok == 0,
    ),
    (
        &["opening a connection to a store takes one round trip."],
        &["clients.c.calls=1; stores.db.link.latency=50ms"],
        |o| near(latency(&o[0]), 201.0, 0.01),
    ),
    (
        &["Calls arrive at several times their rate.", "Effects: calls offered on top.", "The population; none: all of them.", "Factor on the rate of calls."],
        &[
            and_writes!("@5s do=surge clients=c factor=5 for=10s"),
            and_writes!("@5s do=surge factor=5 for=10s"),
        ],
        |o| near(effects(&o[0]) as f64, 400.0, 0.2) && get(&o[0]).offered == 200 + effects(&o[0]) && o[0].calls["put"].offered == 200 && o[1].calls["put"].offered > 500,
    ),
];
