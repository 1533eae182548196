//! Interleavings: the services over many seeds, each another order in which tasks run.

use crate::support::{madsim, madsim_as, scenario, with_more};
use brownout_models::units::Ns;
use brownout_scenarios::Scenario;
use brownout_services::{Ask, Chaos};
use brownout_sim::orders;
use brownout_sim::outcome::Outcome;
use rayon::prelude::*;

const FILE: &str = "measured/shared-shallow-hang.toml";
const MINUTE: [&str; 7] = [
    "timeline.0.at=15s",
    "timeline.0.for=30s",
    "clients.track.trace=none",
    "clients.identify.trace=none",
    "clients.track.rate=60/s",
    "clients.identify.rate=6/s",
    "fleets.collectors.count=2",
];

/// A quarter of a minute of health, half a minute of trouble, then quiet for longer than any breaker stays open.
fn minute(design: &[&str], set: &[&str]) -> Scenario {
    scenario(FILE, design, &[&MINUTE[..], set].concat())
}

/// What must hold at the end, whatever the order of tasks was: no call is stuck, every server is in rotation, and the
/// calls of the last seconds succeed.
fn at_rest(outcome: &Outcome, why: &str) {
    for (kind, totals) in &outcome.calls {
        let sum = totals.stored + totals.late + totals.dropped + totals.in_flight;
        assert_eq!(totals.offered, sum, "{why}: {kind}");
        assert_eq!(totals.offered, totals.ok + totals.failed + totals.waiting, "{why}: {kind}");
        assert!(totals.offered > 0, "{why}: no {kind} at all");
    }
    for (server, changes) in &outcome.rotation.changes_s {
        // Servers start up: an even number of changes leaves them so.
        assert_eq!(changes.len() % 2, 0, "{why}: {server} is not back in rotation: {changes:?}");
    }
    let steps = &outcome.timeline.steps;
    for step in steps.iter().filter(|s| s.t_s >= 115.0 && s.t_s < 122.0) {
        for (kind, calls) in &step.calls {
            assert_eq!((calls.failed, calls.dropped.len()), (0, 0), "{why}: {kind} still fails at {}", step.at);
        }
    }
    let last = steps.last().unwrap();
    let pending: u64 = last.fleets.values().map(|f| f.accept_queue + f.spooled).sum();
    assert_eq!(pending + last.balancer_queue, 0, "{why}: something is left: {last:?}");
}

#[test]
fn whatever_the_interleaving_the_books_balance_and_the_services_recover() {
    let shapes: [&[&str]; 4] = [
        &[],
        &["timeline.0.do=refuse", "fleets.collectors.calls.identify.on_error=crash"],
        &["timeline.0.do=sever", "fleets.collectors.calls.identify.on_severed=retry"],
        &["fleets.collectors.concurrency=event-loop", "fleets.collectors.calls.identify.breaker=hystrix"],
    ];
    let runs: Vec<(usize, u64)> = (0..shapes.len()).flat_map(|shape| (1..=12).map(move |seed| (shape, seed))).collect();
    runs.par_iter().for_each(|(shape, seed)| {
        let outcome = madsim(&minute(&[], shapes[*shape]), *seed, Ns::ZERO);
        at_rest(&outcome, &format!("{:?} --runtime madsim --seed {seed}", shapes[*shape]));
    });
}

/// Links that lose and delay for half a minute; the calls end well before the run does.
const BAD_LINKS: &str = r#"
brownout = 1
title = "Links lose and delay"
span = "120s"
step = "1s"

[clients.browsers]
sends = "track"
rate = "60/s"
calls = 6000
timeout = "3s"
connection = "per-call"
retry = { retries = 1, delay = "100ms" }

[clients.pages]
sends = "identify"
rate = "12/s"
calls = 1200
timeout = "3s"
retry = { retries = 1, delay = "100ms" }

[network.servers]
latency = "0.5ms"

[balancer]
preset = "haproxy"
connection = "per-call"
connect_timeout = "2s"
idle_timeout = "5s"
health = { preset = "haproxy", interval = "2s", timeout = "1s" }

[fleets.collectors]
count = 3
workers = 6
health = "deep"
calls.track = { work = "2ms", appends = "events" }
calls.identify = { work = "1ms", asks = "identify", writes = true, timeout = "2s", on_severed = "retry" }

[stores.identify]
link.latency = "0.3ms"
service = { exponential = "3ms" }

[stores.events]

"#;

#[test]
fn whatever_links_lose_and_delay_the_books_balance_and_all_recovers() {
    let fault = |what: &str, between: [&str; 2]| {
        format!(
            "[[timeline]]\nat = \"20s\"\nfor = \"30s\"\n{what}\nbetween = [\"{}\", \"{}\"]\n",
            between[0], between[1]
        )
    };
    let (loss, latency) = ("do = \"loss\"\nshare = \"25%\"", "do = \"latency\"\nadd = \"40ms\"\njitter = \"300ms\"");
    let reset = "do = \"connection-reset\"\nshare = \"5%\"";
    let links = [["clients", "balancer"], ["balancer", "fleets.collectors"], ["fleets.collectors", "stores.identify"]];
    let all: String = links.iter().flat_map(|link| [loss, latency, reset].map(|what| fault(what, *link))).collect();
    let text = format!("{BAD_LINKS}{all}");
    let scenario = brownout_scenarios::load_text("links.toml", &text, std::path::Path::new("."), &[], &[])
        .unwrap_or_else(|mistakes| panic!("{}", mistakes.render(false)));
    (1..=8_u64).into_par_iter().for_each(|seed| {
        let outcome = madsim(&scenario, seed, Ns::ZERO);
        at_rest(&outcome, &format!("links that lose and delay, --seed {seed}"));
        for fault in &outcome.faults {
            assert!(fault.effects > 5, "seed {seed}: {fault:?}");
        }
        let track = &outcome.calls["track"];
        assert!(track.failed > 0 && track.ok * 2 > track.offered, "seed {seed}: {track:?}");
        assert_eq!((track.in_flight, track.waiting), (0, 0), "seed {seed}: nothing is stuck: {track:?}");
        for step in outcome.timeline.steps.iter().filter(|s| s.t_s >= 75.0 && s.t_s < 95.0) {
            let (offered, failed) = (step.calls["track"].offered, step.calls["track"].failed);
            assert!(offered > 0 && failed == 0, "seed {seed}: at {} {failed} of {offered} fail", step.at);
        }
    });
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_one_another() {
    let digest = |seed| madsim(&minute(&[], &[]), seed, Ns::ZERO).digest;
    assert_eq!(digest(7), digest(7));
    assert_ne!(digest(7), digest(8));
}

#[test]
fn a_kill_in_the_middle_of_requests_leaves_the_books_balanced() {
    let scenario = minute(&[], &["timeline.0.enabled=false"]);
    let kills = (0..40).map(|n| (Ns::secs(30 + n), Chaos::Kill(n as u32 % 2)));
    let outcome = madsim_as(&scenario, Ask { chaos: kills.collect(), ..Ask::new(orders(&scenario, 3)) });
    assert_eq!(outcome.fleets["collectors"].crashes, 40);
    assert!(outcome.calls["track"].causes.contains_key("crashed"), "{:?}", outcome.calls["track"].causes);
    at_rest(&outcome, "forty kills");
}

#[test]
fn a_partition_between_the_balancer_and_half_the_fleet_ejects_that_half_and_heals() {
    let scenario = minute(&[], &["timeline.0.enabled=false"]);
    let chaos = vec![(Ns::secs(30), Chaos::Cut(0, true)), (Ns::secs(60), Chaos::Cut(0, false))];
    let outcome = madsim_as(&scenario, Ask { chaos, ..Ask::new(orders(&scenario, 3)) });
    assert_eq!((outcome.rotation.downs["collectors-1"], outcome.rotation.downs["collectors-2"]), (1, 0));
    assert_eq!(outcome.rotation.changes_s["collectors-1"].len(), 2, "{:?}", outcome.rotation.changes_s);
    assert_eq!(outcome.rotation.changes_s["collectors-2"].len(), 0);
    at_rest(&outcome, "partition");
}

#[test]
fn a_process_that_is_stopped_loses_its_place_and_executes_what_it_has_when_it_goes_on() {
    let scenario = minute(&[], &["timeline.0.enabled=false"]);
    let chaos = vec![(Ns::secs(30), Chaos::Pause(0, true)), (Ns::secs(60), Chaos::Pause(0, false))];
    let outcome = madsim_as(&scenario, Ask { chaos, ..Ask::new(orders(&scenario, 3)) });
    assert_eq!(outcome.rotation.changes_s["collectors-1"].len(), 2, "{:?}", outcome.rotation.changes_s);
    assert!(outcome.calls["track"].zombies > 0, "what waited in its backlog was executed for nobody");
    at_rest(&outcome, "a stopped process");
}

/// Runs a world over many seeds; every run must come to rest.
fn search(set: &[&str], chaos: &[(Ns, Chaos)]) -> Vec<Outcome> {
    search_in(&minute(&[], set), set, chaos)
}

fn search_in(scenario: &Scenario, set: &[&str], chaos: &[(Ns, Chaos)]) -> Vec<Outcome> {
    let runs = (1..=6_u64).into_par_iter().map(|seed| {
        let ask = Ask { chaos: chaos.to_vec(), ..Ask::new(orders(scenario, seed)) };
        let outcome = madsim_as(scenario, ask);
        at_rest(&outcome, &format!("{set:?} --runtime madsim --seed {seed}"));
        outcome
    });
    runs.collect()
}

#[test]
fn a_spool_in_memory_is_lost_with_its_process_and_one_on_disk_is_not() {
    let dies = ["timeline.0.do=refuse", "fleets.collectors.calls.identify.on_error=crash"];
    let spool = |to: &str| format!("fleets.collectors.calls.identify.spool={{ to = \"{to}\", replay = \"20/s\" }}");
    for outcome in search(&[dies[0], dies[1], &spool("memory")], &[]) {
        let calls = &outcome.calls["identify"];
        assert!(outcome.fleets["collectors"].crashes > 10, "{:?}", outcome.fleets);
        // An answer may be overtaken by the death of its process.
        assert!(calls.lost_after_ok > 15 && calls.lost_after_ok <= calls.causes["spool_lost"], "{calls:?}");
    }
    for outcome in search(&[dies[0], dies[1], &spool("disk")], &[]) {
        // A process finds the spool of the one before, writes, and dies in its turn: until the store is back.
        let calls = &outcome.calls["identify"];
        let late: u64 = outcome.timeline.steps.iter().map(|s| s.calls["identify"].late).sum();
        assert!(outcome.fleets["collectors"].crashes > 10, "{:?}", outcome.fleets);
        assert!(calls.lost_after_ok == 0 && late >= 2 && calls.in_flight == 0, "{late} late, {calls:?}");
    }
}

#[test]
fn a_write_that_was_under_way_when_its_process_was_killed_is_written_again_from_disk() {
    // The store is slow: it executes what it has been sent, and the spools, whose processes never heard, write it again.
    let slow = ["timeline.0.do=slow", "timeline.0.factor=3000"];
    let spool = "fleets.collectors.calls.identify.spool={ to = \"disk\", replay = \"20/s\", side_by_side = 4 }";
    let kills: Vec<_> = (0..4).map(|n| (Ns::secs(20 + 5 * n), Chaos::Kill(n as u32 % 2))).collect();
    for outcome in search(&[slow[0], slow[1], spool], &kills) {
        let calls = &outcome.calls["identify"];
        assert!(calls.lost_after_ok == 0 && calls.late > 20, "{calls:?}");
        assert!(calls.duplicates >= 4, "writes of each process were under way: {calls:?}");
        let most = outcome.timeline.steps.iter().map(|s| s.fleets["collectors"].spooled).max();
        assert!(most > Some(20), "{most:?}");
    }
}

#[test]
fn a_spool_that_is_full_turns_calls_away_and_one_in_memory_takes_the_heap() {
    let full = "fleets.collectors.calls.identify.spool={ to = \"disk\", capacity = 20 }";
    for outcome in search(&[full], &[]) {
        let calls = &outcome.calls["identify"];
        assert_eq!(calls.dropped, calls.causes["spool_full"], "{calls:?}");
        assert!(calls.dropped > 50, "{calls:?}");
    }
    let heap = [
        "fleets.collectors.calls.identify.spool={ to = \"memory\", memory_per_call = \"1MB\" }",
        "fleets.collectors.heap_limit=30MB",
    ];
    for outcome in search(&heap, &[]) {
        assert!(outcome.fleets["collectors"].crashes >= 2, "{:?}", outcome.fleets);
        assert!(outcome.calls["identify"].causes["spool_lost"] >= 60, "{:?}", outcome.calls["identify"]);
    }
}

#[test]
fn a_spare_takes_over_and_what_it_had_not_heard_of_is_lost() {
    let spare = "stores.accounts.spare={ detection = \"5s\", promotion = \"5s\", lag = \"3s\" }";
    for outcome in search(&["timeline.0.do=refuse", spare], &[]) {
        let calls = &outcome.calls["identify"];
        let lost = outcome.timeline.steps.iter().filter(|s| s.calls["identify"].dropped.contains_key("not_replicated"));
        let when: Vec<f64> = lost.map(|s| s.t_s).collect();
        assert!(when.iter().all(|t| (11.0..15.0).contains(t)) && !when.is_empty(), "{when:?}");
        let outage = &outcome.outages[0];
        assert_eq!((outage.from_s, outage.to_s), (15.0, Some(25.0)), "{outage:?}");
        assert!(calls.failed > 10 && calls.in_flight == 0, "{calls:?}");
    }
    // The store comes back before its spare has been promoted: nothing is lost but what was refused.
    let slow = "stores.accounts.spare={ detection = \"40s\", lag = \"3s\" }";
    for outcome in search(&["timeline.0.do=refuse", slow], &[]) {
        assert_eq!(outcome.calls["identify"].lost_after_ok, 0);
        // It starts up for 100 ms (preset `postgresql`).
        assert_eq!(outcome.outages[0].to_s, Some(45.1));
    }
}

/// Most of what failed was kept and stored later, and nothing is kept at the end. `why` more attempts were made than that took.
fn most_got_through_later(outcome: &Outcome, why: &str) {
    let calls = &outcome.calls["identify"];
    assert!(calls.failed > 100 && calls.late > calls.dropped && calls.dropped > 10, "{calls:?}");
    assert_eq!((calls.failed, calls.in_flight, calls.duplicates), (calls.late + calls.dropped, 0, 0), "{calls:?}");
    assert!(calls.attempts > calls.offered + calls.late, "{why}: {calls:?}");
    let kept: Vec<u64> = outcome.timeline.steps.iter().map(|step| step.kept).collect();
    assert!(kept.iter().max() > Some(&10) && kept.last() == Some(&0), "{kept:?}");
}

#[test]
fn clients_that_keep_what_they_could_not_send_get_it_through_later() {
    let offline = "clients.identify.offline={ share = \"80%\", returns_after = \"5s\" }";
    for outcome in search(&["timeline.0.do=refuse", offline], &[]) {
        most_got_through_later(&outcome, "who comes back too early tries again");
    }
    let forgets = "clients.identify.offline={ returns_after = \"5s\", keeps = \"2s\" }";
    for outcome in search(&["timeline.0.do=refuse", forgets], &[]) {
        let calls = &outcome.calls["identify"];
        // Of those that are back within two seconds none finds the store, but for the last ones.
        assert!(calls.late < 10 && calls.dropped > 100, "{calls:?}");
    }
}

#[test]
fn what_the_balancer_has_logged_is_replayed_and_what_is_lost_again_comes_back_into_the_log() {
    let log = "balancer.log={ calls = [\"identify\"], share = \"80%\" }";
    let replayed = |at: &str| {
        let set = [&MINUTE[..], &["timeline.0.do=refuse", log]].concat();
        let replay = format!("[[timeline]]\nat = \"{at}\"\ndo = \"replay\"\ncalls = \"identify\"\nrate = \"20/s\"");
        search_in(&with_more(FILE, &replay, &set), &[log], &[])
    };
    for outcome in replayed("30s") {
        most_got_through_later(&outcome, "what is replayed too early is lost again");
    }
    for outcome in replayed("60s") {
        let calls = &outcome.calls["identify"];
        assert_eq!(calls.attempts, calls.offered + calls.late, "none of the replayed ones is lost again: {calls:?}");
    }
}

#[test]
fn a_server_that_looks_skips_calls_whose_other_side_has_left() {
    // The balancer hangs up long before the store is back; what waits in the backlogs by then is skipped, or executed for
    // nobody. The client has its 504 by then, and the call its cause: skipping it changes neither.
    let hangs_up = "balancer.idle_timeout=1s";
    let zombies = |outcomes: Vec<Outcome>| -> Vec<u64> { outcomes.iter().map(|o| o.calls["track"].zombies).collect() };
    let blind = zombies(search(&[hangs_up], &[]));
    let seeing = search(&[hangs_up, "fleets.collectors.notices_departure=true"], &[]);
    assert!(seeing.iter().all(|o| o.calls["track"].causes["balancer_timeout"] > 50), "{:?}", seeing[0].calls["track"]);
    let seeing = zombies(seeing);
    assert!(
        blind.iter().zip(&seeing).all(|(blind, seeing)| blind > &50 && seeing * 5 < *blind),
        "{blind:?} {seeing:?}"
    );
}

#[test]
fn errors_of_calls_bring_the_next_check_forward() {
    // The check of a server comes every half minute; without the calls the outage would be half over.
    let set = [
        "balancer.health.interval=30s",
        "balancer.health.fast_interval=500ms",
        "balancer.health.timeout=500ms",
        "balancer.health.observe={ errors = 5, on_error = \"fastinter\" }",
        "balancer.idle_timeout=1s",
        "timeline.0.for=25s",
        "fleets.collectors.workers=2",
    ];
    let scenario = minute(&[], &set);
    (1..=6_u64).into_par_iter().for_each(|seed| {
        let first = madsim(&scenario, seed, Ns::ZERO).rotation.first_ejection_s;
        assert!(first.is_some_and(|first| first < 10.0), "seed {seed}: {first:?}");
    });
}
