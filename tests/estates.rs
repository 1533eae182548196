//! Services that call services: the books balance in any estate, and what is published of chains and retries comes out.
//!
//! Random estates of three fleets, two stores and clients of two kinds, with steps one after another and side by side, in
//! circles too, behind proxies or none, with faults: nothing panics, the run ends, the ledger balances at every step,
//! a second run is the same, and at the end nothing is left. As in `tests/ledger.rs`, a key may be left out, and shrinking
//! leaves it out.

use crate::support::outcome;
use brownout::models::units::Ns;
use brownout::scenarios::{Scenario, load_text};
use brownout::sim::orders;
use brownout::sim::outcome::Outcome;
use brownout::sim::run::{Ended, Run};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;

fn load(text: &str) -> Scenario {
    load_text("estate.toml", text, Path::new("."), &[], &[])
        .unwrap_or_else(|mistakes| panic!("{}\n{text}", mistakes.render(false)))
}

/// A scenario file. Shows itself as it is.
#[derive(Clone)]
struct World(String);

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "an estate:\n{}", self.0)
    }
}

/// Keys, each with values that it may take, as TOML.
type Keys = &'static [(&'static str, &'static [&'static str])];

const FLEET: Keys = &[
    ("count", &["2", "3"]),
    ("workers", &["1", "3"]),
    ("concurrency", &["'event-loop'"]),
    ("backlog", &["0", "5"]),
    ("accept_queue", &["3"]),
    ("notices_departure", &["true"]),
    ("health", &["'deep'", "'shallow'", "'cached'"]),
    ("restart", &["{ delay = '200ms' }"]),
    ("dies_after", &["'50ms'"]),
];
const INNER: Keys = &[
    ("preset", &["'envoy'", "'haproxy'", "'nginx'", "'direct'"]),
    ("place", &["'caller'", "'proxy'"]),
    ("algorithm", &["'least-requests'", "'random'"]),
    ("retries", &["0", "2"]),
    ("retry_on", &["['5xx']", "['reset', 'timeout']"]),
    ("connection", &["'per-call'"]),
    ("idle_timeout", &["'60ms'"]),
    ("max_connections", &["1", "4"]),
    ("abort_on_close", &["true"]),
    ("close_on_departure", &["true"]),
    ("connect_timeout", &["'20ms'", "'1s'"]),
];
const ASK: Keys = &[
    ("timeout", &["'20ms'", "'200ms'", "'2s'"]),
    ("soft", &["true"]),
    (
        "retry",
        &[
            "{ retries = 2, delay = '0s' }",
            "{ retries = 1, delay = '30ms', jitter = '100%', budget = { capacity = 20 } }",
        ],
    ),
    ("on_error", &["'crash'"]),
    ("at_most", &["1", "'50%'"]),
    ("breaker", &["'hystrix'"]),
    ("limit", &["'aimd'"]),
];
/// Whom a step may ask: with which share, so that most circles die out.
const ASKED: &[&str] = &[
    "asks = 'a.x', share = '40%'",
    "asks = 'b.y', share = '70%'",
    "asks = 'c.z', share = '70%'",
    "asks = 'c.z'",
    "asks = 'db'",
    "asks = 'db', writes = true",
    "asks = 'db', writes = true, share = '30%'",
    "appends = 'log'",
    "asks = 'cache'",
    "asks = 'cache', cache_timeout = '10ms'",
    "asks = 'cache', share = '60%'",
];
const FAULTS: &[&str] = &[
    "do = 'refuse'\nstore = 'cache'\nfor = '2s'",
    "do = 'hang'\nstore = 'cache'\nfor = '2s'",
    "do = 'flush'\nstore = 'cache'",
    "do = 'hang'\nstore = 'db'\nfor = '2s'",
    "do = 'refuse'\nstore = 'db'\nfor = '2s'",
    "do = 'error'\nstore = 'db'\nshare = '50%'\nfor = '3s'",
    "do = 'crash'\nfleet = 'b'\nservers = 1",
    "do = 'pause'\nfleet = 'c'\nservers = 1\nfor = '1s'",
    "do = 'crash'\nfleet = 'a'",
    "do = 'gray-failure'\nfleet = 'c'\nservers = 1\nfactor = 20.0\nfor = '2s'",
    "do = 'loss'\nbetween = ['balancer', 'fleets.b']\nfor = '2s'",
    "do = 'partition'\nbetween = ['fleets.c', 'stores.db']\nfor = '2s'",
    "do = 'rolling-deploy'\nfleet = 'b'\ndrain = '100ms'\npause = '200ms'",
];

/// Some of the keys, each at one of its values.
fn some(keys: Keys) -> BoxedStrategy<Vec<String>> {
    let each = keys.iter().map(|(key, values)| {
        option::weighted(0.3, select(*values)).prop_map(move |value| value.map(|value| format!("{key} = {value}")))
    });
    each.collect::<Vec<_>>().prop_map(|lines| lines.into_iter().flatten().collect()).boxed()
}

fn ask() -> BoxedStrategy<String> {
    (select(ASKED), some(ASK))
        .prop_map(|(asked, more)| {
            // A call that asks in a circle holds the workers that it waits for until its timeout.
            let patience = (!more.iter().any(|key| key.starts_with("timeout"))).then(|| "timeout = '1s'".to_string());
            let fits = |key: &String| !(key.starts_with("breaker") && asked.contains("log"));
            let more: Vec<String> = more.into_iter().filter(fits).chain(patience).collect();
            format!("{{ {} }}", [vec![asked.to_string()], more].concat().join(", "))
        })
        .boxed()
}

fn plan(kind: &'static str) -> BoxedStrategy<String> {
    let step = prop_oneof![
        3 => ask(),
        1 => proptest::collection::vec(ask(), 1..4).prop_map(|asks| format!("[{}]", asks.join(", "))),
    ];
    (select(&["'0s'", "'2ms'", "{ exponential = '3ms' }"][..]), proptest::collection::vec(step, 0..4))
        .prop_map(move |(work, steps)| format!("calls.{kind} = {{ work = {work}, then = [{}] }}\n", steps.join(", ")))
        .boxed()
}

fn fleet(name: &'static str, kind: &'static str) -> BoxedStrategy<String> {
    (some(FLEET), plan(kind), some(INNER))
        .prop_map(move |(keys, plan, inner)| {
            let balancer = if inner.is_empty() {
                String::new()
            } else {
                format!("[fleets.{name}.balancer]\n{}\n", inner.join("\n"))
            };
            format!("[fleets.{name}]\n{}\n{plan}{balancer}", keys.join("\n"))
        })
        .boxed()
}

fn worlds() -> BoxedStrategy<World> {
    let faults = proptest::collection::vec((1..9_u32, select(FAULTS)), 0..4);
    let clients = (1..60_u32, 1..60_u32, select(&["'100ms'", "'1s'"][..]), 0..3_u32);
    let cache = select(
        &[
            "",
            "single_flight = true\n",
            "ttl = '300ms'\n",
            "capacity = 5\nwarm = '50/s'\n",
            "single_flight = true\nttl = '1s'\nttl_jitter = '50%'\n",
        ][..],
    );
    let stores = (option::of(1..6_u32), select(&["'1ms'", "{ exponential = '20ms' }"][..]), cache);
    (clients, fleet("a", "x"), fleet("b", "y"), fleet("c", "z"), stores, faults)
        .prop_map(|((one, two, timeout, retries), a, b, c, (concurrency, service, cache), faults)| {
            let entries: String =
                faults.iter().map(|(at, what)| format!("[[timeline]]\nat = '{at}s'\n{what}\n")).collect();
            let concurrency = concurrency.map_or(String::new(), |n| format!("concurrency = {n}\n"));
            World(format!(
                "brownout = 1\ntitle = 'any'\nspan = '40s'\nstep = '1s'\nlimits.events = 30000000\n\
                 [clients.one]\nsends = 'x'\nrate = '{one}/s'\ntimeout = {timeout}\nprofile = [['9s', 1.0], ['10s', 0.0]]\nretry.retries = {retries}\n\
                 [clients.two]\nsends = 'y'\nrate = '{two}/s'\ntimeout = {timeout}\nprofile = [['9s', 1.0], ['10s', 0.0]]\n\
                 [stores.db]\nservice = {service}\n{concurrency}[stores.log]\n[stores.cache]\nservice = '1ms'\ncache.of = 'db'\ncache.keys = 20\n{}{a}{b}{c}{entries}",
                cache.lines().map(|line| format!("cache.{line}\n")).collect::<String>()
            ))
        })
        .boxed()
}

/// A run to its end, the books balanced at every step; and what is left in the world.
fn run(scenario: &Scenario, seed: u64) -> (Outcome, Vec<String>) {
    let mut run = Run::new(&scenario.plan, orders(scenario, seed));
    let ended = loop {
        match run.step() {
            Ok(None) => {}
            Ok(Some(ended)) => break ended,
            Err(imbalance) => panic!("{imbalance}"),
        }
    };
    assert_eq!(ended, Ended::Complete, "after {} events", run.events);
    let left = run.world().leftovers(run.at());
    (brownout::sim::write_up(scenario, seed, &run, ended), left)
}

#[test]
fn the_books_balance_in_any_estate() {
    let given = Config::default();
    let fixed = if given.rng_seed == RngSeed::Random { RngSeed::Fixed(16) } else { given.rng_seed };
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { given.cases } else { 200 };
    let config = Config { cases, rng_seed: fixed, failure_persistence: None, ..given };
    let happened = RefCell::new(BTreeSet::new());
    let found = TestRunner::new(config).run(&(worlds(), 0..1000_u64), |(world, seed)| {
        // A store that nothing uses, or a check that asks nothing, is refused: such a world says nothing.
        let Ok(scenario) = load_text("estate.toml", &world.0, Path::new("."), &[], &[]) else { return Ok(()) };
        let (outcome, left) = run(&scenario, seed);
        let mut happened = happened.borrow_mut();
        happened.insert("a world".to_string());
        for totals in outcome.calls.values() {
            assert_eq!(totals.offered, totals.stored + totals.late + totals.in_flight + totals.dropped, "{totals:?}");
            assert_eq!(totals.offered, totals.ok + totals.failed + totals.waiting, "{totals:?}");
            happened.extend(totals.causes.keys().map(|cause| format!("dropped: {cause}")));
            happened.extend(
                [("zombies", totals.zombies), ("duplicates", totals.duplicates)]
                    .iter()
                    .filter(|(_, n)| *n > 0)
                    .map(|(what, _)| what.to_string()),
            );
        }
        // Half a minute after the last call and the last fault.
        let left: Vec<&String> = left
            .iter()
            .filter(|what| !what.contains("out of rotation") && !what.contains("no background query"))
            .collect();
        assert!(left.is_empty(), "left at the end: {left:?}");
        assert_eq!(outcome, run(&scenario, seed).0, "a second run is not the same");
        Ok(())
    });
    if let Err(failure) = found {
        panic!("{failure}");
    }
    let happened = happened.borrow();
    for cause in ["service_timeout", "store_timeout", "refused", "breaker_open", "bulkhead_full", "crashed"] {
        assert!(happened.contains(&format!("dropped: {cause}")), "no call was dropped for {cause}: {happened:?}");
    }
    assert!(happened.contains("zombies") && happened.contains("duplicates"), "{happened:?}");
}

/// A chain of fleets, each of which asks the next, and the last a store.
fn chain(hops: usize, retries: u32, store: &str, more: &str) -> Scenario {
    let mut text = format!(
        "brownout = 1\ntitle = 'chain'\nspan = '60s'\nstep = '1s'\nnetwork.clients.latency = '0s'\nnetwork.servers.latency = '0s'\n\
         [balancer]\nretries = 0\nhealth = 'none'\n[clients.c]\nsends = 'f1'\nrate = '1/s'\ntimeout = '20s'\n\
         retry = {{ retries = {retries}, delay = '10ms' }}\n[stores.db]\nservice = '1ms'\n{store}\n"
    );
    for hop in 1..=hops {
        let retry = format!("retry = {{ retries = {retries}, delay = '10ms' }}");
        let asks =
            if hop == hops { "asks = 'db'".to_string() } else { format!("asks = 'f{0}.f{0}', {retry}", hop + 1) };
        text.push_str(&format!(
            "[fleets.f{hop}]\nworkers = 10000\npools.db.size = 10000\ncalls.f{hop} = {{ then = [{{ {asks}, timeout = '10s' }}] }}\n"
        ).replace("pools.db.size = 10000\n", if hop == hops { "pools.db.size = 10000\n" } else { "" }));
    }
    text.push_str(more);
    load(&text)
}

#[test]
fn retries_multiply_over_hops_as_published() {
    // Google, Handling Overload: three tries at each of three hops make 27; four make 64. AWS, Timeouts and retries: three
    // tries at each of five make 243.
    for (hops, tries, published) in [(3, 3, 27), (3, 4, 64), (5, 3, 243)] {
        let scenario = chain(hops, tries - 1, "", "[[timeline]]\nat = '0s'\ndo = 'error'\nstore = 'db'\n");
        let outcome = outcome(&scenario, 1);
        let (calls, queries) = (outcome.calls["f1"].offered, outcome.stores["db"].queries);
        let under_way = u64::from(published as u32) * 2;
        assert!(
            queries <= calls * published && queries + under_way >= calls * published,
            "{hops} hops: {calls} {queries}"
        );
    }
}

#[test]
fn an_estate_is_nothing_more_than_its_parts_where_they_take_constant_time() {
    // 2 ms and 3 ms of work, one after another: side by side only the longer counts.
    let world = |then: &str| {
        load(&format!(
            "brownout = 1\ntitle = 'x'\nspan = '20s'\nstep = '1s'\nnetwork.clients.latency = '0s'\nnetwork.servers.latency = '0s'\n\
             network.services.latency = '0s'\n[balancer]\nhealth = 'none'\n[clients.c]\nsends = 'page'\nrate = '5/s'\narrivals = 'constant'\n\
             [fleets.web]\ncalls.page = {{ work = '1ms', then = {then} }}\n[fleets.two]\ncalls.a = {{ work = '2ms' }}\n\
             [fleets.three]\ncalls.b = {{ work = '3ms' }}\n"
        ))
    };
    for (then, ms) in [
        ("[{ asks = 'two.a' }, { asks = 'three.b' }]", 6.0),
        ("[[{ asks = 'two.a' }, { asks = 'three.b' }]]", 4.0),
        ("[{ asks = 'two.a', soft = true, timeout = '1ms' }, { asks = 'three.b' }]", 5.0),
        ("[{ asks = 'two.a', share = '0%' }, { asks = 'three.b' }]", 4.0),
    ] {
        let outcome = outcome(&world(then), 1);
        let calls = &outcome.calls["page"];
        assert_eq!(calls.ok, calls.offered, "{then}");
        let mean = calls.latency_mean_ms.unwrap_or(f64::NAN);
        assert!((mean - ms).abs() < 0.001, "{then}: {mean} ms");
    }
    assert_eq!(world("[{ asks = 'two.a' }, { asks = 'three.b' }]").span, Ns::secs(20));
}

/// Mean sojourn in ms over eight seeds, and its standard error, of calls at 50/s to the kind `page` of a world of event loops:
/// a call holds its core only while it computes, as in a network of queues.
fn sojourn(fleets: &str) -> (f64, f64) {
    let scenario = load(&format!(
        "brownout = 1\ntitle = 'queues'\nspan = '1000s'\nstep = '100s'\nnetwork.clients.latency = '0s'\nnetwork.servers.latency = '0s'\n\
         network.services.latency = '0s'\n[balancer]\nhealth = 'none'\nidle_timeout = 'none'\n[clients.c]\nsends = 'page'\nrate = '50/s'\n\
         timeout = '10min'\n{fleets}"
    ));
    let means: Vec<f64> = (1..=8).map(|seed| outcome(&scenario, seed).calls["page"].latency_mean_ms.unwrap()).collect();
    let mean = means.iter().sum::<f64>() / 8.0;
    let variance = means.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / 7.0;
    (mean, (variance / 8.0).sqrt())
}

#[test]
fn networks_of_queues_have_the_closed_forms_of_jackson_and_of_fork_and_join() {
    let queue = |name: &str, kind: &str, ms: f64, then: &str| {
        format!(
            "[fleets.{name}]\nconcurrency = 'event-loop'\ncalls.{kind} = {{ work = {{ exponential = '{ms}ms' }}, then = {then} }}\n"
        )
    };
    let mm1 = |ms: f64, rate: f64| 1000.0 / (1000.0 / ms - rate);
    let asks = |whom: &str| format!("{{ asks = '{whom}', timeout = '1h' }}");
    let front = |then: &str| format!("[fleets.web]\nconcurrency = 'event-loop'\ncalls.page = {{ then = [{then}] }}\n");
    let worlds = [
        (
            "two in a row",
            queue("web", "page", 10.0, &format!("[{}]", asks("b.x"))) + &queue("b", "x", 12.5, "[]"),
            mm1(10.0, 50.0) + mm1(12.5, 50.0),
        ),
        (
            // Three calls in ten come round again: 1 / 0.7 visits, at 50 / 0.7 a second.
            "feedback",
            front(&asks("a.x")) + &queue("a", "x", 8.0, "[{ asks = 'a.x', share = '30%', timeout = '1h' }]"),
            mm1(8.0, 50.0 / 0.7) / 0.7,
        ),
        (
            "fork and join",
            front(&format!("[{}, {}]", asks("a.x"), asks("b.x")))
                + &queue("a", "x", 10.0, "[]")
                + &queue("b", "x", 10.0, "[]"),
            mm1(10.0, 50.0) * (12.0 - 0.5) / 8.0,
        ),
    ];
    for (what, fleets, exact) in worlds {
        let (is, error) = sojourn(&fleets);
        println!("{what:<14} exact {exact:.3} ms, simulated {is:.3} ± {error:.3}");
        assert!((is - exact).abs() <= 3.0 * error && error < 0.01 * exact, "{what}: {is} ± {error}, should be {exact}");
    }
}

/// One call a second, which goes through these steps of a front; a back of one server, two stores.
fn steps(then: &str, more: &str) -> Scenario {
    load(&format!(
        "brownout = 1\ntitle = 'steps'\nspan = '20s'\nstep = '1s'\nnetwork.clients.latency = '0s'\nnetwork.servers.latency = '0s'\n\
         [balancer]\nhealth = 'none'\n[clients.c]\nsends = 'page'\nrate = '1/s'\narrivals = 'constant'\n[stores.a]\nservice = '1ms'\n\
         [stores.b]\nservice = '1ms'\n[fleets.web]\ncalls.page = {{ then = {then} }}\n[fleets.back]\n\
         calls.x = {{ then = [{{ asks = 'a', writes = true, share = '0%' }}, {{ asks = 'b' }}] }}\n{more}"
    ))
}

#[test]
fn a_call_that_writes_in_several_steps_is_stored_once_and_no_write_of_it_is_a_duplicate() {
    let both = "{ asks = 'a', writes = true }, { asks = 'b', writes = true }";
    let outcome = outcome(&steps(&format!("[{both}, {{ asks = 'back.x' }}]"), ""), 1);
    let calls = &outcome.calls["page"];
    assert_eq!((calls.stored, calls.duplicates, calls.zombies), (calls.offered, 0, 0), "{calls:?}");
    // The client leaves after the first write and sends again: that one is done twice.
    let again = steps(
        &format!("[{both}, {{ asks = 'back.x' }}]"),
        "[clients.d]\nsends = 'page'\nrate = '1/s'\ntimeout = '1500us'\nretry = { retries = 1, delay = '0s' }\n",
    );
    let calls = &crate::support::outcome(&again, 1).calls["page.d"];
    assert_eq!(
        (calls.failed, calls.stored, calls.duplicates),
        (calls.offered, calls.offered, calls.offered),
        "{calls:?}"
    );
}

#[test]
fn of_calls_some_of_which_write_the_others_are_stored_when_they_are_answered() {
    let outcome = outcome(&steps("[{ asks = 'a', writes = true, share = '50%' }, { asks = 'back.x' }]", ""), 1);
    let calls = &outcome.calls["page"];
    assert_eq!((calls.stored, calls.dropped, calls.lost_after_ok), (calls.offered, 0, 0), "{calls:?}");
    let writes = outcome.edges.iter().find(|edge| (edge.caller.as_str(), edge.callee.as_str()) == ("web", "a"));
    assert!(writes.is_some_and(|edge| (1..calls.offered).contains(&edge.window.attempts)), "{:?}", outcome.edges);
}

#[test]
fn a_soft_write_that_fails_is_lost_after_its_client_was_told_ok() {
    let entry = "[[timeline]]\nat = '0s'\ndo = 'error'\nstore = 'a'\n";
    let outcome = outcome(&steps("[{ asks = 'a', writes = true, soft = true }, { asks = 'back.x' }]", entry), 1);
    let calls = &outcome.calls["page"];
    assert_eq!(
        (calls.ok, calls.dropped, calls.lost_after_ok),
        (calls.offered, calls.offered, calls.offered),
        "{calls:?}"
    );
}

#[test]
fn checks_of_two_ways_see_one_server_differently() {
    // Clients and the front call the same two backs; the clients' balancer checks, the front's way does not.
    let world = |inner: &str| {
        load(&format!(
            "brownout = 1\ntitle = 'ways'\nspan = '60s'\nstep = '1s'\n[balancer]\nhealth = {{ preset = 'haproxy', interval = '1s' }}\nretries = 0\n\
             [clients.c]\nsends = 'page'\nrate = '20/s'\n[clients.d]\nsends = 'x'\nrate = '20/s'\n\
             [fleets.back]\ncount = 2\ncalls.x = {{ work = '1ms' }}\nrestart.delay = '1h'\nbalancer = {inner}\n\
             [fleets.web]\ncalls.page = {{ then = [{{ asks = 'back.x' }}] }}\n\
             [[timeline]]\nat = '20s'\ndo = 'crash'\nfleet = 'back'\nservers = 1\n"
        ))
    };
    let late = |o: &Outcome, kind: &str| -> f64 {
        let steps = || o.timeline.steps[40..].iter().map(|step| &step.calls[kind]);
        steps().map(|calls| calls.failed).sum::<u64>() as f64 / steps().map(|calls| calls.offered).sum::<u64>() as f64
    };
    let blind = outcome(&world("{ retries = 0, health = 'none' }"), 1);
    let sighted = outcome(&world("{ retries = 0, health = { preset = 'haproxy', interval = '1s' } }"), 1);
    assert!(late(&blind, "x") == 0.0 && (late(&blind, "page") - 0.5).abs() < 0.02, "{:?}", blind.calls);
    assert_eq!((late(&sighted, "x"), late(&sighted, "page")), (0.0, 0.0), "{:?}", sighted.calls);
}

#[test]
fn a_fault_of_the_link_between_two_fleets_hits_the_calls_of_one_to_the_other_alone() {
    let world = |more: &str| {
        load(&format!(
            "brownout = 1\ntitle = 'link'\nspan = '20s'\nstep = '1s'\n[balancer]\nhealth = 'none'\n[clients.c]\nsends = 'page'\nrate = '20/s'\ntimeout = '1s'\n\
             [clients.d]\nsends = 'x'\nrate = '20/s'\ntimeout = '1s'\n[fleets.back]\nworkers = 50\ncalls.x = {{ work = '1ms' }}\n\
             [fleets.web]\nworkers = 50\ncalls.page = {{ then = [{{ asks = 'back.x', timeout = '500ms' }}] }}\n{more}"
        ))
    };
    let entry =
        |what: &str| format!("[[timeline]]\nat = '5s'\nbetween = ['fleets.web', 'fleets.back']\nfor = '5s'\n{what}\n");
    let cut = outcome(&world(&entry("do = 'partition'")), 1);
    let failed =
        |o: &Outcome, kind: &str| o.timeline.steps[5..9].iter().map(|step| step.calls[kind].failed).sum::<u64>();
    assert!(failed(&cut, "page") > 60 && cut.calls["x"].failed == 0, "{:?}", cut.calls);
    assert!(cut.faults[0].effects > 0 && cut.timeline.steps[16].calls["page"].failed == 0);
    let late = outcome(&world(&entry("do = 'latency'\nadd = '50ms'")), 1);
    let slowest = |kind: &str| late.calls[kind].latency_ms.unwrap().max;
    assert!(slowest("page") > 100.0 && slowest("x") < 3.0, "{:?}", late.calls);
}
