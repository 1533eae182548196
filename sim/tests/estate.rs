//! Each key of a call's steps, of caches and of services' ways to each other has an effect in some world; and what their
//! mistakes are told.

use brownout_scenarios::{catalogue, load_text};
use brownout_sim::simulate;
use std::path::Path;

/// A front that asks a back, a store and a cache of it.
const BASE: &str = r#"brownout = 1
title = "staged"
span = "12s"
step = "1s"
clients.c = { sends = "get", rate = "60/s", timeout = "2s" }
fleets.back.count = 3
fleets.back.workers = 4
fleets.back.calls.x.work = { exponential = "20ms" }
stores.db.service = "5ms"
stores.near.cache.of = "db"
stores.log.service = "1ms"
"#;

/// A key of a step, what else the step has, more lines, and two values.
type Step = (&'static str, &'static str, &'static str, [&'static str; 2]);

const BACK_DIES: &str = "[[timeline]]\nat = \"2s\"\ndo = \"crash\"\nfleet = \"back\"\n";
const DB_ERRS: &str = "[[timeline]]\nat = \"2s\"\ndo = \"error\"\nstore = \"db\"\nfor = \"3s\"\n";
const DB_CUT: &str = "[[timeline]]\nat = \"2s\"\ndo = \"sever\"\nstore = \"db\"\nfor = \"1s\"\n";
const CACHE_HANGS: &str = "[[timeline]]\nat = \"2s\"\ndo = \"hang\"\nstore = \"near\"\nfor = \"3s\"\n";

const STEPS: &[Step] = &[
    ("asks", "", "", ["\"back.x\"", "\"db\""]),
    ("appends", "", "", ["\"log\"", "\"db\""]),
    ("writes", "asks = \"db\"", "", ["false", "true"]),
    ("service", "asks = \"db\"", "", ["\"none\"", "\"9ms\""]),
    ("pool", "asks = \"db\"", "fleets.front.pools.small = { store = \"db\", size = 1 }\n", ["\"none\"", "\"small\""]),
    ("share", "asks = \"back.x\"", "", ["\"100%\"", "\"30%\""]),
    ("soft", "asks = \"back.x\"", BACK_DIES, ["false", "true"]),
    ("timeout", "asks = \"back.x\"", "", ["\"30s\"", "\"20ms\""]),
    ("cache_timeout", "asks = \"near\"", CACHE_HANGS, ["\"none\"", "\"20ms\""]),
    ("retry.retries", "asks = \"back.x\", retry.delay = \"1ms\"", BACK_DIES, ["0", "2"]),
    ("connect_timeout", "asks = \"db\"", "stores.db.connect = \"50ms\"\n", ["\"none\"", "\"10ms\""]),
    ("query_timeout", "asks = \"db\"", "", ["\"none\"", "\"2ms\""]),
    ("on_error", "asks = \"back.x\"", BACK_DIES, ["\"fail\"", "\"crash\""]),
    ("on_severed", "asks = \"db\"", DB_CUT, ["\"fail\"", "\"retry\""]),
    ("retry_every", "asks = \"db\", on_error = \"retry\"", DB_ERRS, ["\"500ms\"", "\"40ms\""]),
    ("retry_at_most", "asks = \"db\", on_error = \"retry\"", DB_ERRS, ["\"none\"", "1"]),
    ("at_most", "asks = \"back.x\"", "", ["\"none\"", "1"]),
    ("queue", "asks = \"back.x\", at_most = 1", "", ["0", "3"]),
    ("wait", "asks = \"back.x\", at_most = 1, queue = 3", "", ["\"none\"", "\"5ms\""]),
    ("breaker", "asks = \"back.x\", timeout = \"5ms\"", "", ["\"none\"", "{ preset = \"hystrix\", minimum = 2 }"]),
    ("limit", "asks = \"back.x\"", "", ["\"none\"", "{ algorithm = \"aimd\", initial = 1, least = 1, most = 1 }"]),
];

/// A key of the world, what the one step has, more lines, and two values.
const OTHERS: &[Step] = &[
    ("network.services.latency", "asks = \"back.x\"", "fleets.back.balancer = {}\n", ["\"100us\"", "\"3ms\""]),
    ("network.services.jitter", "asks = \"back.x\"", "fleets.back.balancer = {}\n", ["\"0s\"", "\"5ms\""]),
    ("fleets.back.balancer.place", "asks = \"back.x\"", "fleets.front.count = 2\n", ["\"proxy\"", "\"caller\""]),
    ("stores.near.cache.of", "asks = \"near\"", "", ["\"db\"", "\"log\""]),
    ("stores.near.cache.keys", "asks = \"near\"", "", ["1000", "5"]),
    ("stores.near.cache.zipf", "asks = \"near\"", "", ["1", "0"]),
    ("stores.near.cache.ttl", "asks = \"near\"", "", ["\"none\"", "\"300ms\""]),
    ("stores.near.cache.ttl_jitter", "asks = \"near\"", "stores.near.cache.ttl = \"300ms\"\n", ["\"0%\"", "\"80%\""]),
    ("stores.near.cache.capacity", "asks = \"near\"", "", ["\"none\"", "3"]),
    ("stores.near.cache.warm", "asks = \"near\"", "", ["\"none\"", "\"60/s\""]),
    (
        "stores.near.cache.single_flight",
        "asks = \"near\"",
        "stores.near.cache.keys = 1\nstores.db.service = \"100ms\"\n",
        ["false", "true"],
    ),
];

fn load(lines: &str) -> Result<brownout_scenarios::Scenario, String> {
    let base: String = BASE
        .lines()
        .filter(|line| !lines.lines().any(|other| other.split(" = ").next() == line.split(" = ").next()))
        .map(|line| format!("{line}\n"))
        .collect();
    let (keys, entries) = lines
        .split_once("[[timeline]]")
        .map_or((lines, String::new()), |(keys, rest)| (keys, format!("[[timeline]]{rest}")));
    let text = format!("{base}{keys}{entries}");
    load_text("staged.toml", &text, Path::new("."), &[], &[])
        .map_err(|mistakes| format!("{text}\n{}", mistakes.render(false)))
}

fn digest(lines: &str) -> String {
    let scenario = load(lines).unwrap_or_else(|why| panic!("{why}"));
    let outcome = simulate(&scenario, 1, None, &mut |_| {}).expect("the ledger balances");
    format!("{} {}", outcome.digest, outcome.ended)
}

/// A world whose front has this one step beside one ask of each store, so that all are used.
fn world(step: &str, more: &str) -> String {
    let (keys, entries) = more
        .split_once("[[timeline]]")
        .map_or((more, String::new()), |(keys, rest)| (keys, format!("[[timeline]]{rest}")));
    format!(
        "{keys}fleets.front.calls.get.then = [{{ {step} }}, {{ asks = \"near\", share = \"0%\" }}, {{ asks = \"db\", share = \"0%\" }}, \
         {{ appends = \"log\", share = \"0%\" }}, {{ asks = \"back.x\", share = \"0%\" }}]\n{entries}"
    )
}

#[test]
fn every_key_has_an_effect_in_some_world() {
    for (key, rest, more, values) in STEPS {
        let run = |value: &str| {
            let rest = if rest.is_empty() { String::new() } else { format!("{rest}, ") };
            digest(&world(&format!("{rest}{key} = {value}"), more))
        };
        assert_ne!(run(values[0]), run(values[1]), "`{key}` of a step has no effect");
    }
    for (key, step, more, values) in OTHERS {
        let run = |value: &str| {
            digest(&world(step, &format!("{key} = {value}\n{}", more.replace(&format!("{key} = "), "#"))))
        };
        assert_ne!(run(values[0]), run(values[1]), "`{key}` has no effect");
    }
}

#[test]
fn the_tables_have_every_key() {
    // The retries of a step are those of clients; breakers, limits and times of service those of a kind of call.
    const ELSEWHERE: [&str; 4] = [".retry.", ".breaker.", ".limit.", ".service."];
    let staged = |path: &str| {
        let of_step = path.split_once(".then.<n>.").map(|(_, key)| key);
        match of_step {
            Some(key) => {
                ELSEWHERE.iter().any(|table| path.contains(table))
                    || key == "retry"
                    || STEPS.iter().any(|(known, ..)| *known == key)
            }
            None => OTHERS.iter().any(|(known, ..)| catalogue::names(path, known)),
        }
    };
    let ours = |path: &&str| [".then.<n>.", ".cache.", "network.services."].iter().any(|part| path.contains(part));
    let keys = catalogue::keys();
    // A list within the list has the same asks.
    let missing: Vec<&str> = keys
        .iter()
        .map(|key| key.path.as_str())
        .filter(ours)
        .filter(|path| !staged(&path.replace(".<n>.<n>.", ".<n>.")))
        .collect();
    assert!(missing.is_empty(), "give these keys a row, with two values that differ: {missing:#?}");
}

#[test]
fn mistakes_name_the_place_and_the_next_step() {
    for (lines, says, help) in [
        (
            "fleets.front.calls.get.then = [{ asks = \"back.y\" }]\n",
            "no kind of call of a fleet \"back.y\"",
            "did you mean \"back.x\"?",
        ),
        ("fleets.front.calls.get.then = [{ asks = \"bd\" }]\n", "no store \"bd\"", "there are: db, near, log"),
        (
            "fleets.front.calls.get.asks = \"near\"\n",
            "only a step of a call looks keys up",
            "then = [{ asks = \"near\" }]",
        ),
        (
            "fleets.front.calls.get = { asks = \"db\", then = [{ asks = \"back.x\" }] }\n",
            "beside the steps of `then`",
            "put the store among the steps",
        ),
        (
            "fleets.front.calls.get.then = [{ asks = \"near\", writes = true }]\n",
            "is a cache, and this step writes",
            "write to the store behind it",
        ),
        (
            "fleets.front.calls.get.then = [{ asks = \"back.x\", on_error = \"retry\" }]\n",
            "that only asks of stores have",
            "the step's `retry`",
        ),
        ("fleets.front.calls.get.then = [{ soft = true }]\n", "asks nobody, or two", "`asks` or `appends`"),
        (
            "fleets.front.calls.get.asks = \"back.x\"\n",
            "asks another service beside its steps",
            "then = [{ asks = \"<fleet>.<kind>\" }]",
        ),
        (
            "fleets.front.calls.get.then = [{ asks = \"db\" }]\n[[timeline]]\nat = \"1s\"\ndo = \"flush\"\nstore = \"db\"\n",
            "is no cache",
            "[stores.db.cache]",
        ),
    ] {
        let said = load(lines).err().unwrap_or_else(|| panic!("it is taken: {lines}"));
        assert!(said.contains(says) && said.contains(help), "{lines}{said}");
    }
}
