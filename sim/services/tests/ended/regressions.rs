//! Defects of this kind that were found, each on both runtimes with the right value.

use crate::world::{kernel, madsim, read};
use brownout_sim::outcome::Outcome;

/// The same scenario on each runtime, with its name.
fn on_both(text: &str, seed: u64) -> Vec<(&'static str, Outcome)> {
    let scenario = read(text);
    let services = madsim(&scenario, seed).map(|outcome| ("madsim", outcome));
    [("kernel", kernel(&scenario, seed))].into_iter().chain(services).collect()
}

#[test]
fn checks_go_on_when_the_checker_is_back() {
    let world = "span = \"120s\"\nwindow = { from = \"50s\", to = \"120s\" }\n[clients.c]\nsends = \"call\"\nrate = \"50/s\"\n\
         [balancer]\nretries = 0\nhealth = { interval = \"1s\", timeout = \"1s\", rise = 1, fall = 2 }\n[fleets.f]\ncount = 2\n\
         restart = { delay = \"1h\" }\ncalls.call = { work = \"1ms\" }\n\
         [[timeline]]\nat = \"10s\"\ndo = \"checker-stopped\"\nfor = \"10s\"\n\
         [[timeline]]\nat = \"40s\"\ndo = \"crash\"\nfleet = \"f\"\nservers = 1\n";
    for (runtime, outcome) in on_both(world, 1) {
        let changes = &outcome.rotation.changes_s["f-1"];
        // Two checks in a row fail: out after one to two intervals, and none of what follows is dropped.
        assert!(changes.len() == 1 && (41.0..42.1).contains(&changes[0]), "{runtime}: {changes:?}");
        assert_eq!(outcome.calls["call"].dropped, 0, "{runtime}");
        assert_eq!(outcome.faults[0].effects, 20, "{runtime}: each of two servers is not checked ten times");
    }
}

#[test]
fn a_server_that_was_there_before_the_run_is_not_eased_in() {
    let world = "span = \"76s\"\nwindow = { from = \"66s\", to = \"76s\" }\n[clients.c]\nsends = \"call\"\nrate = \"200/s\"\n\
         [balancer]\nhealth = { interval = \"1s\", timeout = \"1s\", rise = 1, fall = 1, slow_start = \"10min\" }\n\
         [fleets.f]\ncount = 2\nworkers = 1000\nrestart = { delay = \"3s\" }\nhealth = \"shallow\"\n\
         calls.call = { work = \"1ms\" }\n\
         [[timeline]]\nat = \"60s\"\ndo = \"crash\"\nfleet = \"f\"\nservers = [\"f-1\"]\n\
         [[timeline]]\nat = \"60s\"\ndo = \"gray-failure\"\nfleet = \"f\"\nservers = [\"f-1\"]\nfactor = 1000.0\n";
    for (runtime, outcome) in on_both(world, 1) {
        // The one that is back has 1 to 3% of the calls, which take a second each instead of a millisecond.
        let mean = outcome.calls["call"].latency_mean_ms.expect("calls are answered");
        assert!((3.0..40.0).contains(&mean), "{runtime}: {mean} ms");
    }
}

#[test]
fn a_balancer_with_a_new_configuration_eases_nobody_in() {
    // Both servers are out when the new configuration comes, which knows of no failure: each has its full share at once.
    let world = "span = \"80s\"\nwindow = { from = \"60s\", to = \"80s\" }\n[clients.c]\nsends = \"call\"\nrate = \"200/s\"\n\
         [balancer]\nalgorithm = \"random\"\nhealth = { interval = \"1s\", timeout = \"1s\", rise = 1, fall = 1, slow_start = \"10min\" }\n\
         [fleets.f]\ncount = 2\nworkers = 1000\nrestart = { delay = \"3s\" }\nhealth = \"shallow\"\n\
         calls.call = { work = \"1ms\" }\n\
         [[timeline]]\nat = \"50s\"\ndo = \"crash\"\nfleet = \"f\"\nservers = [\"f-1\"]\n\
         [[timeline]]\nat = \"60s\"\ndo = \"config-push\"\n\
         [[timeline]]\nat = \"60s\"\ndo = \"gray-failure\"\nfleet = \"f\"\nservers = [\"f-1\"]\nfactor = 1000.0\n";
    for (runtime, outcome) in on_both(&world.replace("rise = 1", "rise = 20"), 1) {
        let mean = outcome.calls["call"].latency_mean_ms.expect("calls are answered");
        assert!((400.0..600.0).contains(&mean), "{runtime}: {mean} ms");
    }
}

/// A store with so much headroom, of which writes use some at first.
fn headroom(calls: u32, keys: &str) -> String {
    format!(
        "span = \"1200s\"\n[clients.c]\nsends = \"call\"\nrate = \"10/s\"\narrivals = \"constant\"\ncalls = {calls}\n[fleets.f]\ncount = 1\n\
         calls.call = {{ work = \"1ms\", asks = \"db\", writes = true }}\n[stores.db]\nheadroom = {{ {keys} }}\n\
         [[timeline]]\nid = \"stop\"\nwhen = \"stores.db.stop\"\ndo = \"note\"\nsays = \"STOP\"\n"
    )
}

/// When the store stopped, and the lowest level seen.
fn stopped(outcome: &Outcome) -> (Option<f64>, f64) {
    let at = outcome.events.iter().find(|event| event.what == "STOP").map(|event| event.at_s);
    let levels = outcome.timeline.steps.iter().filter_map(|step| step.stores["db"].headroom);
    (at, levels.fold(f64::INFINITY, f64::min))
}

#[test]
fn background_use_reaches_the_stop_when_it_should_though_the_writes_have_ended() {
    // 500 writes in 50 s, and a unit a second: empty at 500 s.
    let keys = "at_start = \"1000\", stop = \"0\", per_write = \"1\", background = \"1/s\"";
    for (runtime, outcome) in on_both(&headroom(500, keys), 1) {
        let (at, least) = stopped(&outcome);
        assert!(at.is_some_and(|at| (at - 500.0).abs() < 0.001) && least == 0.0, "{runtime}: {at:?}, {least}");
    }
    // With an alert on the way: 840 by writes in 12 s, the rest by the background, which comes to 60 in 60 s.
    let keys = "at_start = \"1000\", alert = \"600\", stop = \"100\", per_write = \"7\", background = \"1/s\"";
    let (at, least) = stopped(&kernel(&read(&headroom(120, keys)), 1));
    assert!(at.is_some_and(|at| (at - 60.0).abs() < 0.001) && least == 100.0, "{at:?}, {least}");
    // A store that goes on without is below it, and has given the sign in time.
    let keys = "at_start = \"1000\", stop = \"0\", at_stop = \"none\", per_write = \"1\", background = \"1/s\"";
    let (at, least) = stopped(&kernel(&read(&headroom(500, keys)), 1));
    assert!(at.is_some_and(|at| (at - 500.0).abs() < 0.001) && (least + 700.0).abs() < 2.0, "{at:?}, {least}");
}

#[test]
fn a_message_that_a_paused_process_has_not_heard_of_is_not_delayed_by_its_link_again() {
    // The answer of the store arrives while the process stands still: it has taken its time on the link. Once the process
    // goes on, at 7 s, it is there at once, and not after half a second more.
    let world = "span = \"30s\"\n[clients.c]\nsends = \"call\"\nrate = \"1000/s\"\narrivals = \"constant\"\ncalls = 1\ntimeout = \"20s\"\n\
         [network.clients]\nlatency = \"0s\"\n[network.servers]\nlatency = \"0s\"\n[balancer]\nretries = 0\nhealth = \"none\"\n\
         [fleets.f]\ncalls.call = { work = \"0s\", asks = \"db\", timeout = \"20s\" }\n[stores.db]\nlink.latency = \"0s\"\nservice = \"10ms\"\n\
         [[timeline]]\nat = \"0s\"\nfor = \"20s\"\ndo = \"latency\"\nbetween = [\"fleets.f\", \"stores.db\"]\nadd = \"500ms\"\n\
         [[timeline]]\nat = \"1.2s\"\nfor = \"5.8s\"\ndo = \"pause\"\nfleet = \"f\"\n";
    for (runtime, outcome) in on_both(world, 1) {
        // Offered in the first millisecond. Connected at 1 s; the query is there at 1.5 s and its answer back at 2.01 s.
        let mean = outcome.calls["call"].latency_mean_ms.expect("it is answered");
        assert!((6_990.0..7_050.0).contains(&mean), "{runtime}: {mean} ms");
    }
}

#[test]
fn checks_are_lost_alike_however_many_were_made_before() {
    // Half of all messages to the servers are lost from 60 s on. Which of them is drawn for each check by itself: a checker
    // that stood still long before has made fewer, and yet the same ones are lost.
    let world = |stopped: bool| {
        let before = if stopped { "[[timeline]]\nat = \"10s\"\nfor = \"7s\"\ndo = \"checker-stopped\"\n" } else { "" };
        format!(
            "span = \"180s\"\n[clients.c]\nsends = \"call\"\nrate = \"1/s\"\n[balancer]\nretries = 0\n\
             health = {{ interval = \"1s\", timeout = \"500ms\", rise = 2, fall = 2, pace = \"from-start\" }}\n[fleets.f]\ncount = 3\n\
             health = \"shallow\"\ncalls.call = {{ work = \"1ms\" }}\n{before}\
             [[timeline]]\nat = \"60s\"\nfor = \"60s\"\ndo = \"loss\"\nbetween = [\"balancer\", \"fleets.f\"]\nshare = \"50%\"\n"
        )
    };
    // On the simulated network the dice of a connection hang on how many were opened before, as its scheduler is random anyway.
    let changes = |stopped| kernel(&read(&world(stopped)), 1).rotation.changes_s;
    let (with, without) = (changes(true), changes(false));
    assert!(without.values().all(|changes| changes.len() >= 2), "{without:?}");
    assert_eq!(with, without);
}

#[test]
fn a_process_that_is_started_again_under_a_pause_stands_still_as_well() {
    let world = "span = \"60s\"\nwindow = { from = \"20s\", to = \"38s\" }\n[clients.c]\nsends = \"call\"\nrate = \"20/s\"\ntimeout = \"1s\"\n\
         [balancer]\nretries = 0\nhealth = \"none\"\n[fleets.f]\nbacklog = 4\nrestart.delay = \"1s\"\ncalls.call = { work = \"1ms\" }\n\
         [[timeline]]\nat = \"10s\"\nfor = \"30s\"\ndo = \"pause\"\nfleet = \"f\"\n[[timeline]]\nat = \"15s\"\ndo = \"crash\"\nfleet = \"f\"\n";
    for (runtime, outcome) in on_both(world, 1) {
        let calls = &outcome.calls["call"];
        assert!(calls.offered > 300 && calls.ok == 0, "{runtime}: {} of {} answered", calls.ok, calls.offered);
    }
}

/// One server with two workers, one call of 100 ms every 20 ms: five times what it can do. What is stored in the window is
/// what the workers can do there.
fn busy(timeline: &str) -> Vec<(&'static str, Outcome)> {
    let world = "span = \"60s\"\nwindow = { from = \"40s\", to = \"50s\" }\n[clients.c]\nsends = \"call\"\nrate = \"50/s\"\n\
         arrivals = \"constant\"\ntimeout = \"5s\"\n[balancer]\nretries = 0\nhealth = \"none\"\nmax_connections = 2\n\
         queue.timeout = \"100ms\"\n[fleets.f]\nworkers = 2\nheap_limit = \"100MB\"\nrestart.delay = \"1s\"\n\
         calls.call = { work = \"100ms\" }\n";
    on_both(&format!("{world}{timeline}"), 1)
}

#[test]
fn a_process_that_starts_afresh_has_all_workers_though_a_leak_goes_on() {
    // It has lost both workers when it dies at 31 s; the next is lost at 60 s.
    let leak = "[[timeline]]\nat = \"0s\"\nfor = \"1min\"\ndo = \"worker-leak\"\nfleet = \"f\"\nevery = \"15s\"\n\
                [[timeline]]\nat = \"31s\"\ndo = \"crash\"\nfleet = \"f\"\n";
    for (runtime, outcome) in busy(leak) {
        // 45 s: one is lost again. Two workers for five seconds, one for five.
        let stored = outcome.calls["call"].stored;
        assert!((140..=155).contains(&stored), "{runtime}: {stored}");
    }
}

#[test]
fn a_leak_takes_along_only_what_it_has_taken_itself() {
    // Two leaks take a worker each; the first ends at 35 s and gives its own back.
    let leak = |from: u32, length: u32| {
        format!(
            "[[timeline]]\nat = \"{from}s\"\nfor = \"{length}s\"\ndo = \"worker-leak\"\nfleet = \"f\"\nevery = \"20s\"\n"
        )
    };
    for (runtime, outcome) in
        busy(&format!("{}{}", leak(0, 35), leak(1, 58)).replace("every = \"20s\"", "every = \"30s\""))
    {
        let stored = outcome.calls["call"].stored;
        assert!((95..=105).contains(&stored), "{runtime}: one of two workers is left: {stored}");
    }
}

#[test]
fn a_leak_goes_on_in_the_process_that_follows_one_that_died_standing_still() {
    let world = "[[timeline]]\nat = \"5s\"\nfor = \"55s\"\ndo = \"memory-leak\"\nfleet = \"f\"\nper_second = \"9MB\"\n\
         [[timeline]]\nat = \"8s\"\nfor = \"4s\"\ndo = \"pause\"\nfleet = \"f\"\n\
         [[timeline]]\nat = \"10s\"\ndo = \"crash\"\nfleet = \"f\"\n";
    for (runtime, outcome) in busy(world) {
        // Started again at 11 s, it reaches its 100 MB some 12 s later, and so does each after it.
        let crashes = outcome.fleets["f"].crashes;
        assert!((4..=5).contains(&crashes), "{runtime}: {crashes}");
    }
}

#[test]
fn a_server_that_two_deployments_hold_is_let_back_by_the_last() {
    let deploy = |at: &str, drain: &str| {
        format!(
            "[[timeline]]\nat = \"{at}\"\ndo = \"rolling-deploy\"\nfleet = \"f\"\nservers = 1\ndrain = \"{drain}\"\npause = \"1s\"\n"
        )
    };
    let world = "span = \"60s\"\n[clients.c]\nsends = \"call\"\nrate = \"20/s\"\n[balancer]\nhealth = { interval = \"1s\", timeout = \"500ms\" }\n\
         [fleets.f]\ncount = 2\nrestart.delay = \"1s\"\ncalls.call = { work = \"1ms\" }\n";
    for (runtime, outcome) in on_both(&format!("{world}{}{}", deploy("10s", "2s"), deploy("11s", "20s")), 1) {
        // Out from 10 s to at least 32 s, when the second is done with it; not in between.
        let changes = &outcome.rotation.changes_s["f-1"];
        assert!(changes.len() == 2 && changes[1] > 31.9, "{runtime}: {changes:?}");
    }
}

#[test]
fn a_crash_loop_that_is_left_goes_at_its_own_pace() {
    // The quick loop ends at 12 s; the process that it started last lives until the slow one kills it.
    let world = "span = \"100s\"\n[clients.c]\nsends = \"call\"\nrate = \"20/s\"\n[balancer]\nhealth = \"none\"\n[fleets.f]\nrestart.delay = \"1s\"\n\
         calls.call = { work = \"1ms\" }\n\
         [[timeline]]\nat = \"10s\"\nfor = \"80s\"\ndo = \"crash-loop\"\nfleet = \"f\"\nafter = \"30s\"\n\
         [[timeline]]\nat = \"11.5s\"\nfor = \"4s\"\ndo = \"crash-loop\"\nfleet = \"f\"\nafter = \"4s\"\n";
    for (runtime, outcome) in on_both(world, 1) {
        // 10 s, 11.5 s; started at 12.5 s; 42.5 s, 73.5 s.
        assert_eq!(outcome.fleets["f"].crashes, 4, "{runtime}");
    }
}

#[test]
fn a_clock_that_is_right_again_brings_the_next_background_query_when_it_should() {
    // At a thousandth of its rate the process would query the store again after five thousand seconds.
    let world = "span = \"60s\"\n[clients.c]\nsends = \"call\"\nrate = \"20/s\"\n[balancer]\nhealth = { interval = \"1s\", timeout = \"500ms\", rise = 1, fall = 1 }\n\
         [fleets.f]\ncount = 2\nhealth = { kind = \"cached\", every = \"5s\", asks = \"db\" }\ncalls.call = { work = \"1ms\", asks = \"db\" }\n[stores.db]\nservice = \"1ms\"\n\
         [[timeline]]\nat = \"10s\"\nfor = \"10s\"\ndo = \"clock-skew\"\nfleet = \"f\"\nrate = 0.001\n\
         [[timeline]]\nat = \"30s\"\nfor = \"10s\"\ndo = \"error\"\nstore = \"db\"\n";
    for (runtime, outcome) in on_both(world, 1) {
        for (server, changes) in &outcome.rotation.changes_s {
            let is_right = changes.len() == 2 && changes[0] < 36.5 && changes[1] < 46.5;
            assert!(is_right, "{runtime}: {server} is out while the store fails: {changes:?}");
        }
    }
}

#[test]
fn a_surge_leaves_the_calls_of_the_day_as_they_are_though_their_number_is_limited() {
    let world = |factor: &str| {
        format!(
            "span = \"60s\"\nwindow = {{ from = \"30s\", to = \"60s\" }}\n[clients.c]\nsends = \"call\"\nrate = \"20/s\"\ncalls = 1000\n[fleets.f]\n\
             calls.call = {{ work = \"1ms\" }}\n[[timeline]]\nat = \"10s\"\nfor = \"10s\"\ndo = \"surge\"\nfactor = {factor}\n"
        )
    };
    for ((runtime, with), (_, without)) in on_both(&world("4.0"), 1).iter().zip(&on_both(&world("1.0"), 1)) {
        let offered = |outcome: &Outcome| outcome.calls["call"].offered;
        assert_eq!(offered(with), offered(without), "{runtime}");
    }
}
