//! The books balance in any world.
//!
//! Random small worlds, written as scenario files, run for some simulated minutes' part: populations with retries and
//! impatience, every balancer setting, workers and event loops with small backlogs and heaps, bulkheads, pools, stores
//! whose outages overlap, headroom that runs out, operators. Whatever happens in them: nothing panics, the run
//! ends, the ledger balances at every step, what the outcome says adds up, and a second run is the same. The worlds
//! must have come to every cause of loss, every mode of outage and everything that clients can see, or the test fails.
//!
//! [`space`] is the space of worlds: tables of keys and the values that each may take. A key may also be left out, and
//! shrinking leaves it out, so a failure is shown as a short scenario file. The first failure is kept in
//! `tests/regressions/ledger.txt` and tried again first. Cases are the same on every machine; `PROPTEST_CASES=20000`
//! tries more and `PROPTEST_RNG_SEED=7` others.

use brownout::models::fault::{self, Course, Kind};
use brownout::models::ledger::{Cause, Seen};
use brownout::models::setting::Data;
use brownout::scenarios::{Scenario, load_text};
use brownout::sim::outcome::{Outcome, Totals};
use brownout::sim::run::{Ended, Run};
use brownout::sim::{orders, write_up};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, FileFailurePersistence, RngSeed, TestRunner};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// What metrics say of these worlds.
#[path = "support/exact.rs"]
mod exact;

/// The engine of living pages.
#[path = "support/engine.rs"]
mod engine;

/// Far more events than any of these worlds has; one that reaches it hangs.
const EVENT_LIMIT: u64 = 30_000_000;

/// A scenario file. Shows itself as it is.
#[derive(Clone)]
struct World(String);

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a world:\n{}", self.0)
    }
}

/// Keys of a table of the file, and the values that each may take, as TOML.
type Keys = &'static [(&'static str, &'static [&'static str])];

/// The space of worlds.
mod space {
    use super::Keys;
    use brownout::models::fault::Class;

    pub const CLIENTS: Keys = &[
        ("arrivals", &["'constant'", "'burst'"]),
        ("burst", &["2", "40"]),
        ("profile", &["[['0s', 1.0], ['10s', 0.0], ['20s', 2.0]]", "[['5s', 0.2]]"]),
        ("calls", &["1", "100"]),
        ("timeout", &["'2s'", "'500ms'", "'30ms'", "'1ms'"]),
        ("connection", &["'per-call'", "'kept-alive'"]),
        (
            "offline",
            &["{ returns_after = '3s', capacity = 30 }", "{ share = '50%', returns_after = '1s', keeps = '9s' }"],
        ),
    ];
    pub const RETRY: Keys = &[
        ("retries", &["1", "3"]),
        ("backoff", &["'exponential'"]),
        ("delay", &["'0s'", "'20ms'", "'1s'"]),
        ("max_delay", &["'100ms'"]),
        ("jitter", &["'50%'", "'100%'"]),
        ("after_timeout", &["false"]),
        ("budget", &["{ capacity = 20 }"]),
    ];
    pub const LINK: Keys = &[("latency", &["'0s'", "'1ms'", "'40ms'"]), ("jitter", &["'0.5ms'", "'30ms'", "'2s'"])];
    pub const BALANCER: Keys = &[
        (
            "preset",
            &["'haproxy'", "'classic-elb-2015'", "'alb'", "'envoy'", "'istio'", "'nginx'", "'nginx-before-1.11.5'"],
        ),
        ("algorithm", &["'random'", "'least-requests'", "'two-choices'", "'round-robin'", "'hash'"]),
        ("ties", &["'longest-unchanged'", "'smooth'"]),
        ("distinct_choices", &["false"]),
        ("hash_keys", &["1", "3"]),
        ("connection", &["'per-call'"]),
        ("connect_timeout", &["'5ms'", "'100ms'", "'3s'"]),
        ("retries", &["0", "1", "2", "'each-server'"]),
        ("redispatch", &["'never'", "'haproxy'", "'haproxy-before-2.7'", "'afresh'", "'untried'", "'last'", "'every'"]),
        ("redispatch_interval", &["1", "2", "-2", "0"]),
        ("max_connections", &["1", "3", "20"]),
        ("queue.limit", &["0", "1", "10"]),
        ("queue.timeout", &["'10ms'", "'1s'"]),
        ("idle_timeout", &["'none'", "'20ms'", "'800ms'"]),
        ("abort_on_close", &["true"]),
        ("close_on_departure", &["true"]),
        ("retry_statuses", &["[500]", "[500, 503]"]),
        ("retry_broken", &["true"]),
        (
            "retry_on",
            &[
                "[]",
                "['5xx']",
                "['reset']",
                "['error', 'timeout']",
                "['error', 'timeout', 'non_idempotent']",
                "['all-retryable-errors']",
            ],
        ),
        ("retry_pause", &["{}", "{ base = '1ms', most = '1s' }"]),
        ("retry_within", &["'100ms'", "'1s'"]),
        ("retries_at_once", &["0", "1", "3"]),
        (
            "keep_alive",
            &[
                "{}",
                "{ idle = '300ms', calls = 3, at_most = 1 }",
                "{ life = '1s', purge = '200ms', takes = 'oldest', free_retry = true, counts = false }",
            ],
        ),
        ("retry_budget", &["{}", "{ share = '50%', at_least = 0 }"]),
        (
            "fleet_limits",
            &["{}", "{ connections = 2 }", "{ connections = 3, pending = 2 }", "{ requests = 2, pending = 'none' }"],
        ),
        ("on_marked_down", &["'shutdown-sessions'"]),
        ("redraws", &["1", "2"]),
        ("call_timeout", &["'50ms'", "'1s'"]),
        ("unavailable_status", &["502"]),
        ("refused_status", &["502"]),
        ("connect_timeout_status", &["504"]),
        ("broken_status", &["503"]),
        ("timeout_status", &["503"]),
    ];
    pub const HEALTH: Keys = &[
        ("enabled", &["false"]),
        ("interval", &["'1s'", "'50ms'"]),
        ("fast_interval", &["'100ms'"]),
        ("down_interval", &["'300ms'"]),
        ("no_traffic_interval", &["'2s'"]),
        ("merge_window", &["'1s'", "'100ms'"]),
        ("jitter", &["'50%'"]),
        ("timeout", &["'20ms'", "'1s'", "'4s'"]),
        ("rise", &["1", "3"]),
        ("fall", &["1", "2"]),
        ("initial", &["'down'"]),
        ("pace", &["'from-start'"]),
        ("spread_first", &["false"]),
        ("status_ejects", &["true"]),
        ("first_pass", &["true"]),
        ("follows_process", &["true"]),
        ("slow_start", &["'5s'"]),
        ("slow_start_rule", &["'alb'", "'haproxy'", "'envoy'"]),
        ("fail_open_below", &["1", "'50%'", "'100%'"]),
        (
            "outlier",
            &[
                "'envoy'",
                "{ consecutive_errors = 1, interval = '300ms', base_ejection = '2s', max_share = '60%', ends_by_check = false }",
                "{ consecutive_errors = 2, interval = '300ms', base_ejection = '1s', max_share = '60%' }",
                "{ consecutive_errors = 0, gateway_errors = 2, interval = '300ms', base_ejection = '1s', max_share = '50%', counts_before = true }",
            ],
        ),
        (
            "observe",
            &[
                "'haproxy'",
                "{ errors = 1, on_error = 'mark-down' }",
                "{ errors = 2, on_error = 'fastinter' }",
                "{ errors = 1, layer = 'layer4' }",
            ],
        ),
        ("max_fails", &["'nginx'", "{ fails = 2, window = '1s', reset_all = true }"]),
    ];
    pub const FLEET: Keys = &[
        ("count", &["1", "2", "4"]),
        ("concurrency", &["'event-loop'", "'workers'"]),
        ("workers", &["1", "2", "5"]),
        ("cores", &["2"]),
        ("memory_per_call", &["'1MB'"]),
        ("heap_limit", &["'1MB'", "'3MB'", "'20MB'"]),
        ("backlog", &["0", "1", "5", "20"]),
        ("accept_queue", &["1", "10"]),
        ("keep_alive", &["{ idle = '100ms' }", "{ idle = '1s', calls = 2 }"]),
        ("notices_departure", &["true"]),
        (
            "health",
            &[
                "'shallow'",
                "{ kind = 'shared', work = '1ms' }",
                "{ kind = 'deep', asks = 'db', timeout = '200ms' }",
                "{ kind = 'deep', asks = 'log', work = '3ms' }",
                "{ kind = 'cached', asks = 'db', every = '500ms' }",
            ],
        ),
        ("pools.db.size", &["1", "3"]),
        ("pools.db.queue", &["0", "2"]),
        ("pools.db.wait", &["'5ms'", "'300ms'"]),
        ("pools.db.status", &["503"]),
        ("pools.log.size", &["1"]),
        ("pools.log.queue", &["0"]),
        ("dies_after", &["'20ms'", "'2s'"]),
        ("restart.delay", &["'0s'", "'50ms'", "'8s'"]),
        ("restart.boot", &["'100ms'", "'3s'"]),
        ("restart.needs", &["'db'", "'log'"]),
        (
            "bad",
            &[
                "{}",
                "{ servers = 'all', share = '30%', takes = '0s', checks = true }",
                "{ share = '0%', factor = 20.0 }",
            ],
        ),
        ("limit", &["'gradient'", "{ preset = 'aimd', initial = 3, least = 1, most = 6, timeout = '20ms' }"]),
        ("shedding", &["{ pending = 3 }", "{ age = '30ms' }", "{ pending = 8, age = '1s', checks_first = false }"]),
    ];
    pub const WORK: Keys = &[
        (
            "work",
            &["'2ms'", "{ exponential = '5ms' }", "{ pareto = '1ms', shape = 1.2 }", "{ uniform = ['0s', '1s'] }"],
        ),
        ("at_most", &["0", "1", "4", "'50%'"]),
        ("queue", &["1", "10"]),
        ("wait", &["'10ms'", "'1s'"]),
        ("limit", &["'aimd'", "{ preset = 'gradient', initial = 2, least = 1, most = 4 }"]),
    ];
    pub const ASKING: Keys = &[
        ("timeout", &["'1ms'", "'100ms'", "'2s'", "'1h'", "'none'"]),
        ("service", &["'1ms'", "{ exponential = '40ms' }"]),
        ("connect_timeout", &["'1ms'", "'500ms'"]),
        ("query_timeout", &["'3ms'", "'500ms'"]),
        ("on_error", &["'retry'", "'crash'"]),
        ("on_severed", &["'retry'", "'crash'"]),
        ("retry_every", &["'50ms'", "'1s'"]),
    ];
    pub const STORE: Keys = &[
        ("service", &["'3ms'", "{ exponential = '4ms' }", "{ lognormal = '4ms', sigma = 2.0 }"]),
        ("concurrency", &["1", "4"]),
        ("connections", &["1", "5"]),
        ("connect", &["'3ms'", "'600ms'"]),
        ("warm_up", &["{ lasts = '5s', factor = 50 }"]),
        ("link.latency", &["'0s'", "'2ms'"]),
        ("link.jitter", &["'5ms'"]),
        (
            "spare",
            &[
                "{ detection = '500ms', promotion = '2s', lag = '300ms' }",
                "{ detection = '0s', promotion = '0s', shares_headroom = true }",
            ],
        ),
    ];
    pub const HEADROOM: Keys = &[
        ("alert", &["'900'", "'300'"]),
        ("stop", &["'200'"]),
        ("at_stop", &["'none'", "'hang'", "'refuse'", "'refuse-writes'", "'sever'", "'error'", "'slow'"]),
        ("per_write", &["'10'", "'0'"]),
        ("background", &["'20/s'", "'200/s'"]),
        ("restored_to", &["'700'", "'5k'"]),
    ];
    pub const FOR: &[&str] = &["1ms", "700ms", "6s", "15s"];
    pub const RAMP: &[&str] = &["0s", "1ms", "300ms", "900ms"];
    /// What a kind of fault may be aimed at, as its keys.
    pub fn targets(class: Class) -> &'static [&'static str] {
        match class {
            Class::Store => &["store = 'db'", "store = 'log'"],
            Class::Server => &["fleet = 'first'", "fleet = 'first'\nservers = 1", "fleet = 'first'\nservers = '50%'"],
            Class::Link => &[
                "between = ['clients', 'balancer']",
                "between = ['clients.p0', 'balancer']",
                "between = ['fleets.first', 'balancer']",
                "between = ['balancer', 'fleets.first']\nservers = ['first-1']",
                "between = ['fleets.first', 'stores.db']",
                "between = ['fleets.first', 'stores.log']\nservers = 1",
            ],
            Class::Balancer => &[""],
            Class::Clients => &["", "clients = 'p0'"],
        }
    }
    /// As [`targets`], for kinds that have keys of their own for it.
    pub fn targets_of(kind: &str) -> Option<&'static [&'static str]> {
        match kind {
            "one-way-partition" => Some(&[
                "from = 'clients'\nto = 'balancer'",
                "from = 'balancer'\nto = 'clients'",
                "from = 'fleets.first'\nto = 'balancer'",
                "from = 'balancer'\nto = 'fleets.first'\nservers = 1",
                "from = 'fleets.first'\nto = 'stores.db'",
                "from = 'stores.log'\nto = 'fleets.first'",
            ]),
            "mix-shift" => Some(&["clients = 'p0'\nto = 'p1'", "clients = 'p1'\nto = 'p0'"]),
            _ => None,
        }
    }
    pub const WHEN: &[&str] = &[
        "at = '2s'",
        "at = '5s'",
        "at = '5.5s'",
        "at = '9s'",
        "at = '14s'",
        "when = 'stores.db.back'",
        "when = 'stores.log.back'",
        "when = 'stores.db.alert'",
        "when = 'stores.db.stop'",
    ];
    pub const OPERATORS: &[&str] = &[
        "do = 'maintenance'\nstore = 'db'\ntakes = '3s'",
        "do = 'maintenance'\nstore = 'log'\ntakes = '1ms'",
        "do = 'relieve'\nstore = 'db'\nby = '100%'",
        "do = 'shed'\ncalls = 'identify'\nfor = '4s'",
        "do = 'shed'\ncalls = 'track'\nshare = '40%'",
        "do = 'take-down'\nfleet = 'first'\ncount = 2",
        "do = 'bring-back'\nfleet = 'first'\ncount = 9",
        "do = 'note'\nsays = 'lunch'",
        "do = 'replace'\nstore = 'db'\ntakes = '3s'",
        "do = 'replay'\ncalls = 'track'\nrate = '300/s'",
        "do = 'replay'\ncalls = 'identify'\nrate = '7/s'",
        "enabled = false\ndo = 'replay'\ncalls = 'identify'",
    ];
    /// Kinds of call and what they do, beside what the tables above add.
    pub const TRACK: &[&str] = &["appends = 'log'\n"];
    pub const IDENTIFY: &[&str] = &[
        "asks = 'db'\nwrites = true\n",
        "asks = 'db'\n",
        "asks = 'db'\nwrites = true\nbreaker = 'resilience4j'\n",
        "asks = 'db'\nbreaker = { preset = 'hystrix', minimum = 3, open_for = '700ms' }\n",
        "asks = 'db'\nwrites = true\nspool = { capacity = 9, replay = '30/s', retry_every = '200ms' }\n",
        "asks = 'db'\nwrites = true\nspool = { to = 'disk', capacity = 'none', side_by_side = 3, late_after = '100ms' }\n",
        "asks = 'db'\nwrites = true\nspool = { replay = '5/s' }\nbreaker = 'hystrix'\n",
    ];
    pub const READ: &[&str] = &["", "asks = 'log'\n", "asks = 'db'\nwrites = true\n"];
}

/// A table under a heading: each key with one of its values, or left out.
fn table(heading: &str, keys: Keys) -> BoxedStrategy<String> {
    let heading = heading.to_string();
    let line = |(key, values): &(&'static str, &'static [&'static str])| {
        let key = *key;
        prop_oneof![
            3 => Just(String::new()),
            2 => select(*values).prop_map(move |value| format!("{key} = {value}\n")),
        ]
    };
    let lines: Vec<_> = keys.iter().map(line).collect();
    lines.prop_map(move |lines| format!("[{heading}]\n{}", lines.concat())).boxed()
}

/// Several texts one after the other.
fn all(parts: Vec<BoxedStrategy<String>>) -> BoxedStrategy<String> {
    parts.prop_map(|texts| texts.concat()).boxed()
}

fn population(index: usize) -> BoxedStrategy<String> {
    let heading = format!("clients.p{index}");
    let head = (select(&["track", "identify", "read"][..]), 1..200_u32)
        .prop_map(|(kind, rate)| format!("sends = '{kind}'\nrate = '{rate}/s'\n"));
    all(vec![table(&heading, space::CLIENTS), head.boxed(), table(&format!("{heading}.retry"), space::RETRY)])
}

fn calls(fleet: &str, kind: &str, does: &'static [&'static str]) -> BoxedStrategy<String> {
    let (work, asking) = (table(&format!("fleets.{fleet}.calls.{kind}"), space::WORK), table("", space::ASKING));
    (work, asking, select(does))
        .prop_map(|(work, asking, does)| format!("{work}{}{does}", asking.trim_start_matches("[]\n")))
        .boxed()
}

/// One fleet that serves every kind of call, or two that share them.
fn fleets() -> BoxedStrategy<String> {
    any::<bool>()
        .prop_flat_map(|two| {
            let mut parts = vec![
                table("fleets.first", space::FLEET),
                calls("first", "track", space::TRACK),
                calls("first", "identify", space::IDENTIFY),
            ];
            if two {
                parts.push(table("fleets.second", space::FLEET));
            }
            parts.push(calls(if two { "second" } else { "first" }, "read", space::READ));
            all(parts)
        })
        .boxed()
}

fn stores() -> BoxedStrategy<String> {
    let headroom = (table("stores.db.headroom", space::HEADROOM), select(&["'1G'", "'1k'", "'150'"][..]))
        .prop_map(|(table, at_start)| format!("{table}at_start = {at_start}\n"));
    all(vec![table("stores.log", space::STORE), table("stores.db", space::STORE), headroom.boxed()])
}

/// A fault of any kind, at any target that the worlds have, as bad as can be and worse.
fn faults() -> BoxedStrategy<String> {
    let timing = (option::of(select(space::FOR)), select(space::RAMP), option::of((1..9_u32, 1..5_u32)));
    // These worlds have no cache to flush.
    let kinds: Vec<Kind> = fault::kinds().into_iter().filter(|kind| kind.word != "flush").collect();
    let drawn = (select(kinds), 0..1000_usize, proptest::collection::vec(-0.5..1.5, 4), timing);
    drawn
        .prop_map(|(kind, target, levels, (length, ramp, repeat))| {
            fault(&kind, target, &levels, (length, ramp, repeat))
        })
        .boxed()
}

type TimingOf = (Option<&'static str>, &'static str, Option<(u32, u32)>);

fn fault(kind: &Kind, target: usize, levels: &[f64], (length, ramp, repeat): TimingOf) -> String {
    let targets = space::targets_of(kind.word).unwrap_or_else(|| space::targets(kind.class));
    let mut out = format!("do = '{}'\n{}\n", kind.word, targets[target % targets.len()]);
    for (severity, level) in kind.severities.iter().zip(levels) {
        let written = match severity.range.at(*level) {
            Data::Text(text) => format!("'{text}'"),
            Data::Integer(i) => i.to_string(),
            Data::Float(x) => x.to_string(),
            other => panic!("{other:?} is no severity"),
        };
        out.push_str(&format!("{} = {written}\n", severity.key));
    }
    let lasting = !kind.course.ends_itself();
    if let (Some(length), true) = (length, lasting) {
        out.push_str(&format!("for = '{length}'\n"));
        // What is over sooner than it would have risen is refused.
        if kind.is_gradual() && length != "1ms" && (length != "700ms" || ramp != "900ms") {
            out.push_str(&format!("ramp = '{ramp}'\n"));
        }
    }
    let may_repeat = kind.course != Course::Job && (length.is_some() || !lasting);
    if let Some((every, times)) = repeat.filter(|_| may_repeat) {
        out.push_str(&format!("repeat = {{ every = '{every}s', times = {times} }}\n"));
    }
    out
}

fn timeline() -> BoxedStrategy<String> {
    let fault = faults();
    let action = prop_oneof![3 => fault, 2 => select(space::OPERATORS).prop_map(|text| format!("{text}\n"))];
    let entry = (select(space::WHEN), action).prop_map(|(when, action)| format!("[[timeline]]\n{when}\n{action}"));
    proptest::collection::vec(entry, 0..7).prop_map(|entries| entries.concat()).boxed()
}

fn worlds() -> BoxedStrategy<World> {
    let clients = (2..=3_usize).prop_flat_map(|n| all((0..n).map(population).collect()));
    let parts = vec![
        (20..60_u32).prop_map(|s| format!("brownout = 1\ntitle = 'any'\nspan = '{s}s'\nstep = '1s'\n")).boxed(),
        Just(format!("limits.events = {EVENT_LIMIT}\n")).boxed(),
        clients.boxed(),
        table("network.clients", space::LINK),
        table("network.servers", space::LINK),
        table("balancer", space::BALANCER),
        Just("log = { calls = ['track', 'identify'], share = '80%', capacity = 500 }\n".to_string()).boxed(),
        table("balancer.health", space::HEALTH),
        fleets(),
        stores(),
        timeline(),
    ];
    all(parts).prop_map(|text| World(without_misfits(&text))).boxed()
}

/// Takes out the faults that their target cannot have: a failover without a spare, a leak without a limit to reach.
fn without_misfits(text: &str) -> String {
    let section = |heading: &str| {
        let below = text.split_once(&format!("[{heading}]\n")).map_or("", |(_, below)| below);
        below.lines().take_while(|line| !line.starts_with('[')).collect::<Vec<_>>()
    };
    let can = |entry: &&str| {
        let store = if entry.contains("store = 'log'") { "stores.log" } else { "stores.db" };
        let promotes =
            entry.contains("do = 'failover'") && !section(store).iter().any(|line| line.starts_with("spare"));
        let leaks = entry.contains("do = 'memory-leak'")
            && !section("fleets.first").iter().any(|line| line.starts_with("heap_limit"));
        !promotes && !leaks
    };
    let mut parts = text.split("[[timeline]]\n");
    let world = parts.next().unwrap_or_default();
    let entries: String = parts.filter(can).map(|entry| format!("[[timeline]]\n{entry}")).collect();
    format!("{world}{entries}")
}

fn load(world: &World) -> Scenario {
    load_text("world.toml", &world.0, Path::new("."), &[], &[])
        .unwrap_or_else(|mistakes| panic!("{}", mistakes.render(false)))
}

/// A run to its end, with the books balanced at every step.
fn run(scenario: &Scenario, seed: u64) -> Outcome {
    let mut run = Run::new(&scenario.plan, orders(scenario, seed));
    let ended = loop {
        match run.step() {
            Ok(None) => {}
            Ok(Some(ended)) => break ended,
            Err(imbalance) => panic!("{imbalance}"),
        }
    };
    assert_eq!(ended, Ended::Complete, "after {} events", run.events);
    assert_eq!(run.at(), scenario.span);
    write_up(scenario, seed, &run, ended)
}

/// What must hold between the figures of any kind of call.
fn adds_up(kind: &str, t: &Totals, most_attempts: u64) {
    assert_eq!(t.offered, t.stored + t.late + t.in_flight + t.dropped, "{kind}: data: {t:?}");
    assert_eq!(t.offered, t.ok + t.failed + t.waiting, "{kind}: clients: {t:?}");
    assert_eq!(t.dropped, t.causes.values().sum::<u64>(), "{kind}: causes: {t:?}");
    assert_eq!(t.failed, t.seen.values().sum::<u64>(), "{kind}: seen: {t:?}");
    // The remainders are taken from the whole, so they must not have wrapped round.
    assert!(t.in_flight <= t.offered && t.waiting <= t.offered, "{kind}: {t:?}");
    assert!(t.ok <= t.stored + t.late + t.lost_after_ok + t.in_flight, "{kind}: told ok, but not stored: {t:?}");
    assert!(t.zombies <= t.stored + t.late + t.duplicates, "{kind}: {t:?}");
    assert!((t.offered..=t.offered.saturating_mul(most_attempts)).contains(&t.attempts), "{kind}: attempts: {t:?}");
}

/// What happened in some worlds, in words: why calls were dropped, what clients saw, and rarer fates.
type Happened = BTreeSet<String>;

fn note(happened: &mut Happened, outcome: &Outcome) {
    for totals in outcome.calls.values() {
        happened.extend(totals.causes.keys().map(|cause| format!("dropped: {cause}")));
        happened.extend(totals.seen.keys().map(|seen| format!("seen: {seen}")));
        let counts = [
            ("zombies", totals.zombies),
            ("stored late", totals.late),
            ("lost after ok", totals.lost_after_ok),
            ("duplicates", totals.duplicates),
            ("in flight at the end", totals.in_flight),
            ("waiting at the end", totals.waiting),
        ];
        happened.extend(counts.iter().filter(|(_, n)| *n > 0).map(|(what, _)| what.to_string()));
    }
    let effective = outcome.faults.iter().filter(|fault| fault.effects > 0);
    happened.extend(effective.map(|fault| format!("took effect: {}", fault.kind)));
    let rotation = &outcome.rotation;
    let counts = [("crashes", rotation.crashes.values().sum()), ("ejections", rotation.downs.values().sum::<u64>())];
    happened.extend(counts.iter().filter(|(_, n)| *n > 0).map(|(what, _)| what.to_string()));
}

/// What the worlds tried must have come to between them, or they prove little.
fn must_happen() -> Happened {
    // What only services do that call services: `tests/estates.rs`.
    let here = Cause::ALL.iter().filter(|cause| **cause != Cause::ServiceTimeout);
    let dropped = here.map(|cause| format!("dropped: {}", cause.word()));
    let seen = Seen::ALL.iter().map(|seen| format!("seen: {}", seen.word()));
    // These worlds have no cache.
    let faults = fault::kinds().into_iter().filter(|kind| kind.word != "flush");
    let faults = faults.map(|kind| format!("took effect: {}", kind.word));
    let rest = [
        "zombies",
        "stored late",
        "lost after ok",
        "duplicates",
        "in flight at the end",
        "waiting at the end",
        "crashes",
        "ejections",
    ];
    dropped.chain(seen).chain(faults).chain(rest.map(String::from)).collect()
}

fn check(world: &World, seed: u64) -> Outcome {
    let scenario = load(world);
    let outcome = run(&scenario, seed);
    let clients = &scenario.plan.spec.clients;
    for (kind, totals) in &outcome.calls {
        let (kind, population) = kind.split_once('.').map_or((kind.as_str(), None), |(k, p)| (k, Some(p)));
        let of_kind = clients.iter().filter(|(name, c)| c.sends.text == kind && population.is_none_or(|p| p == *name));
        let more = ["replay", "retry-storm"];
        let replayed = scenario.plan.spec.timeline.iter().any(|entry| more.contains(&entry.action.word()));
        let most = of_kind.map(|(_, c)| match replayed || c.offline.is_some() {
            true => u64::MAX,
            false => u64::from(c.retry.retries) + 1,
        });
        let most = most.max().expect("someone sends it");
        adds_up(kind, totals, most);
        if population.is_none() {
            // The whole run is the window, so the steps are the same calls once more.
            let steps = || outcome.timeline.steps.iter().map(|step| &step.calls[kind]);
            assert_eq!(steps().map(|s| s.offered).sum::<u64>(), totals.offered, "{kind}: offered, over the steps");
            assert_eq!(steps().flat_map(|s| s.dropped.values()).sum::<u64>(), totals.dropped, "{kind}: dropped");
            assert_eq!(steps().map(|s| s.failed).sum::<u64>(), totals.failed, "{kind}: failed, over the steps");
        }
    }
    let offered = outcome.calls.iter().filter(|(kind, _)| !kind.contains('.')).map(|(_, t)| t.offered);
    assert_eq!(outcome.meta.calls, offered.sum::<u64>());
    let again = run(&scenario, seed);
    assert_eq!(outcome.digest, again.digest, "a second run is not the same");
    assert_eq!(outcome, again);
    outcome
}

fn config() -> Config {
    let given = Config::default();
    let fixed = if given.rng_seed == RngSeed::Random { RngSeed::Fixed(20_151_028) } else { given.rng_seed };
    // Enough for every kind of fault to take effect in some world.
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { given.cases } else { 1400 };
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/regressions/ledger.txt");
    let failure_persistence = Some(Box::new(FileFailurePersistence::Direct(file)) as Box<_>);
    Config { cases, rng_seed: fixed, failure_persistence, source_file: Some(file!()), ..given }
}

#[test]
fn the_books_balance_in_any_world() {
    let happened = RefCell::new(Happened::new());
    let found = TestRunner::new(config()).run(&(worlds(), 0..1000_u64), |(world, seed)| {
        note(&mut happened.borrow_mut(), &check(&world, seed));
        Ok(())
    });
    if let Err(failure) = found {
        panic!("{failure}");
    }
    let missing: Vec<String> = must_happen().difference(&happened.borrow()).cloned().collect();
    assert!(missing.is_empty(), "in none of the worlds there was {missing:?}");
}

/// What the search has found, kept as it was found.
const FOUND: [(&str, &str, u64); 1] = [(
    "a connect that reached a full backlog late was sent again in the past",
    "[clients.p0]
    sends = 'track'
    rate = '102/s'
    retry.retries = 3
    [network.servers]
    jitter = '2s'
    [balancer]
    connect_timeout = '3s'
    [fleets.first.calls.track]
    on_error = 'retry'
    appends = 'log'
    [stores.log]
    [[timeline]]
    at = '2s'
    do = 'error'
    store = 'log'",
    0,
)];

#[test]
fn what_was_found_once_stays_fixed() {
    for (what, world, seed) in FOUND {
        println!("{what}");
        check(&World(format!("brownout = 1\ntitle = 'found'\nspan = '20s'\nstep = '1s'\n{world}")), seed);
    }
}

/// Fifty worlds on the engine of a living page, under Node, come to the digests that they have here.
#[test]
fn the_engine_of_a_page_gives_the_same_digests() {
    let Some(engine) = engine::engine("random worlds under Node") else { return };
    let Ok(mut node) = Command::new("node")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/reports/live/run.mjs"))
        .arg(engine)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
    else {
        eprintln!("skipped, no Node on the path: random worlds under Node");
        return;
    };
    let mut runner = TestRunner::new(Config { cases: 50, ..config() });
    let drawn: Vec<(World, u64)> =
        (0..50).map(|_| (worlds(), 0..1000_u64).new_tree(&mut runner).expect("a world").current()).collect();
    let mut stdin = node.stdin.take().expect("it is piped");
    for (world, seed) in &drawn {
        let wish = serde_json::json!({ "name": "world.toml", "text": world.0, "seed": seed.to_string(), "run": true });
        writeln!(stdin, "{wish}").expect("Node listens");
    }
    drop(stdin);
    let answers = node.wait_with_output().expect("Node ends");
    let answers = String::from_utf8(answers.stdout).expect("UTF-8");
    let digests: Vec<serde_json::Value> =
        answers.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(digests.len(), drawn.len());
    for ((world, seed), there) in drawn.iter().zip(&digests) {
        assert_eq!(there["digest"], run(&load(world), *seed).digest, "seed {seed} of {world:?}: {there}");
    }
}
