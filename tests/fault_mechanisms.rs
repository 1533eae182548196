//! Faults as mechanisms: what each does is what the real thing does, in numbers that can be worked out by hand.

use brownout::scenarios::load_text;
use brownout::sim::outcome::Outcome;
use brownout::sim::simulate;
use std::path::Path;

fn run(text: &str) -> Outcome {
    let text = format!("brownout = 1\ntitle = \"x\"\nstep = \"1s\"\n{text}");
    let scenario = load_text("x.toml", &text, Path::new("."), &[], &[]).unwrap_or_else(|m| panic!("{text}\n{m}"));
    simulate(&scenario, 3, None, &mut |_| {}).unwrap_or_else(|imbalance| panic!("{imbalance}"))
}

/// One server, one call a second from 0.x s on, no checks; `more` comes first, where it may set keys of the top level.
fn plain(span: &str, clients: &str, balancer: &str, fleet: &str, more: &str) -> Outcome {
    run(&format!(
        "span = \"{span}\"\n[clients.c]\nsends = \"call\"\nrate = \"1/s\"\narrivals = \"constant\"\n{clients}\n\
         [network.clients]\nlatency = \"0s\"\n[network.servers]\nlatency = \"1ms\"\n\
         [balancer]\nretries = 0\nhealth = \"none\"\n{balancer}\n\
         [fleets.f]\n{fleet}\ncalls.call = {{ work = \"1ms\", asks = \"db\", writes = true, timeout = \"1s\" }}\n\
         [stores.db]\nservice = \"1ms\"\n{more}"
    ))
}

#[test]
fn the_kernel_of_a_process_that_stands_still_accepts_up_to_its_backlog() {
    let pause = "[[timeline]]\nat = \"5s\"\ndo = \"pause\"\nfleet = \"f\"\nfor = \"10s\"\n";
    let o = plain(
        "30s",
        "timeout = \"2s\"",
        "connect_timeout = \"1s\"\nidle_timeout = \"1min\"",
        "workers = 8\nbacklog = 3",
        pause,
    );
    let calls = &o.calls["call"];
    // Ten calls fall into the pause: four are accepted (backlog and one more) and executed when it ends, for nobody;
    // the connects of the other six go unanswered.
    assert_eq!((calls.zombies, calls.causes["backlog_full"], calls.dropped), (4, 6, 6), "{calls:?}");
    assert_eq!((calls.failed, calls.seen["timeout"], calls.seen["503"]), (10, 4, 6), "{calls:?}");
}

#[test]
fn connects_into_a_partition_are_tried_again_after_one_three_and_seven_seconds() {
    let partition =
        "[[timeline]]\nat = \"0s\"\ndo = \"partition\"\nbetween = [\"balancer\", \"fleets.f\"]\nfor = \"5s\"\n";
    let o = plain("30s", "timeout = \"20s\"\ncalls = 1", "connect_timeout = \"10s\"", "", partition);
    let latency = o.calls["call"].latency_mean_ms.expect("it was answered");
    // Sent at once, after 1 s and after 3 s it is lost; what is sent after 7 s arrives.
    assert!((7000.0..7010.0).contains(&latency), "{latency}");
    assert_eq!(o.faults[0].effects, 3);
    let impatient = plain("30s", "timeout = \"20s\"\ncalls = 1", "connect_timeout = \"4s\"", "", partition);
    assert_eq!(impatient.calls["call"].causes["unreachable"], 1, "{:?}", impatient.calls["call"]);
}

#[test]
fn a_fresh_connection_pays_for_connect_answer_request_and_reply_each_for_itself() {
    let slow = |between: &str| {
        format!("[[timeline]]\nat = \"0s\"\ndo = \"latency\"\nbetween = [{between}]\nadd = \"100ms\"\n")
    };
    let (front, back) = (slow("\"clients\", \"balancer\""), slow("\"balancer\", \"fleets.f\""));
    let latency = |clients: &str, balancer: &str, faults: &str| {
        let o = plain("30s", &format!("timeout = \"20s\"\n{clients}"), balancer, "workers = 1", faults);
        assert_eq!(o.calls["call"].failed, 0, "{:?}", o.calls["call"]);
        o.calls["call"].latency_mean_ms.expect("calls were answered").round()
    };
    let fresh = "connection = \"per-call\"";
    // Work, store and the rest take a few milliseconds.
    assert!((400.0..410.0).contains(&latency(fresh, "", &front)));
    assert!((200.0..210.0).contains(&latency("", "", &front)));
    assert!((400.0..410.0).contains(&latency("", fresh, &back)));
    assert!((800.0..815.0).contains(&latency(fresh, fresh, &format!("{front}{back}"))));
    // A balancer that waits 150 ms for a connection gets none, as that takes two of these.
    let o = plain("30s", "timeout = \"20s\"", &format!("{fresh}\nconnect_timeout = \"150ms\""), "", &back);
    assert_eq!(o.calls["call"].causes["unreachable"], o.calls["call"].offered, "{:?}", o.calls["call"]);
}

#[test]
fn a_worker_is_not_held_up_by_a_slow_link_and_a_client_that_has_left_connects_no_more() {
    let slow = "[[timeline]]\nat = \"0s\"\ndo = \"latency\"\nbetween = [\"balancer\", \"fleets.f\"]\nadd = \"2s\"\n";
    // One worker and one call a second: were it held for as long as its request travels, most would have to queue.
    let balancer = "connection = \"per-call\"\nconnect_timeout = \"10s\"";
    let o = plain("60s", "timeout = \"20s\"\ncalls = 40", balancer, "workers = 1", slow);
    let latency = o.calls["call"].latency_mean_ms.expect("calls were answered");
    assert!((8000.0..8020.0).contains(&latency), "{latency}");
    let cut = "[[timeline]]\nat = \"0s\"\ndo = \"partition\"\nbetween = [\"clients\", \"balancer\"]\nfor = \"5s\"\n";
    let o = plain("30s", "timeout = \"2s\"\nconnection = \"per-call\"\ncalls = 3", "", "", cut);
    // Sent at once and after a second; the third, after three seconds, would come after the client has left.
    assert_eq!((o.calls["call"].causes["unreachable"], o.faults[0].effects), (3, 6), "{:?}", o.calls["call"]);
}

#[test]
fn a_query_whose_server_waits_no_longer_does_not_slip_through_a_partition() {
    let cut = "[[timeline]]\nat = \"5500ms\"\ndo = \"partition\"\nbetween = [\"fleets.f\", \"stores.db\"]\n";
    let o = plain("60s", "timeout = \"5s\"\ncalls = 10", "", "", cut);
    let calls = &o.calls["call"];
    // The one query on the kept connection is sent again and again, and would be executed for nobody.
    assert_eq!((calls.zombies, calls.in_flight), (0, 1), "{calls:?}");
}

#[test]
fn what_a_stopped_primary_had_accepted_is_closed_when_its_spare_takes_over() {
    let o = run(
        "span = \"30s\"\n[clients.c]\nsends = \"call\"\nrate = \"1/s\"\narrivals = \"constant\"\ntimeout = \"20s\"\n\
         [balancer]\nretries = 0\nhealth = \"none\"\n\
         [fleets.f]\ncalls.call = { asks = \"db\", writes = true, timeout = \"20s\" }\n\
         [stores.db]\nservice = \"1ms\"\nspare = { detection = \"2s\", promotion = \"2s\", lag = \"0s\" }\n\
         [[timeline]]\nat = \"5500ms\"\ndo = \"hang\"\nstore = \"db\"\n",
    );
    let calls = &o.calls["call"];
    // Four calls are sent before the spare serves at 9.5 s: one asks over the open connection, three open another, which
    // the stopped machine's operating system accepts. None of these connections leads to the spare.
    assert_eq!((calls.causes["store_severed"], calls.dropped, calls.failed), (4, 4, 4), "{calls:?}");
    assert_eq!(o.faults[0].effects, 4, "{:?}", o.faults);
}

#[test]
fn an_answer_that_is_lost_was_executed_all_the_same() {
    let one_way = "[[timeline]]\nat = \"10s\"\ndo = \"one-way-partition\"\nfrom = \"balancer\"\nto = \"clients\"\n";
    let o = plain("30s", "timeout = \"2s\"", "", "", one_way);
    let calls = &o.calls["call"];
    assert_eq!((calls.stored, calls.dropped), (30, 0), "{calls:?}");
    assert!(calls.seen["timeout"] >= 17 && calls.ok <= 11, "{calls:?}");
}

#[test]
fn data_that_is_lost_is_sent_again_after_two_hundred_milliseconds_and_then_ever_later() {
    let lost =
        "[[timeline]]\nat = \"0s\"\ndo = \"one-way-partition\"\nfrom = \"balancer\"\nto = \"clients\"\nfor = \"1s\"\n";
    let o = plain("30s", "timeout = \"20s\"\ncalls = 1", "", "", lost);
    let latency = o.calls["call"].latency_mean_ms.expect("it was answered");
    // Offered some time in the first second; the answer's first copy after that second arrives.
    let after = [200.0, 600.0, 1400.0].into_iter().find(|after| (*after..after + 10.0).contains(&latency));
    assert!(after.is_some(), "{latency}");
}

#[test]
fn a_clock_that_runs_twice_as_fast_halves_the_timeouts() {
    let hang = "[[timeline]]\nat = \"2s\"\ndo = \"hang\"\nstore = \"db\"\n";
    let skew = "[[timeline]]\nat = \"1s\"\ndo = \"clock-skew\"\nfleet = \"f\"\nrate = 4.0\n";
    // A client that waits 600 ms sees the server's own timeout (1 s) only if that comes sooner.
    let seen = |faults: &str| plain("20s", "timeout = \"600ms\"", "", "", faults).calls["call"].seen.clone();
    assert_eq!(seen(hang).keys().collect::<Vec<_>>(), ["timeout"]);
    assert_eq!(seen(&format!("{hang}{skew}")).keys().collect::<Vec<_>>(), ["500"]);
}

#[test]
fn a_leak_kills_as_often_as_it_fills_the_heap() {
    // 10 MB a second reach 95 MB after ten seconds; up again two seconds later.
    let leak = "[[timeline]]\nat = \"1s\"\ndo = \"memory-leak\"\nfleet = \"f\"\nper_second = \"10MB\"\nfor = \"40s\"\n";
    let o = plain("60s", "", "", "heap_limit = \"95MB\"\nrestart.delay = \"1500ms\"", leak);
    assert_eq!((o.faults[0].effects, o.fleets["f"].crashes), (3, 3));
}

#[test]
fn a_surge_comes_on_top_of_the_days_calls_and_leaves_them_as_they_are() {
    let surge = "[[timeline]]\nat = \"20s\"\ndo = \"surge\"\nfactor = 5.0\nfor = \"100s\"\n";
    let (calm, o) = (plain("150s", "", "", "", ""), plain("150s", "", "", "", surge));
    let more = o.calls["call"].offered - calm.calls["call"].offered;
    assert_eq!(more, o.faults[0].effects);
    // Four more a second for 100 s, Poisson: 400, give or take 80.
    assert!((320..480).contains(&more), "{more}");
    let first = |o: &Outcome| o.timeline.steps[..19].iter().map(|s| s.calls["call"].offered).sum::<u64>();
    assert_eq!(first(&o), first(&calm));
}

#[test]
fn a_storm_of_retries_sends_as_often_as_it_says() {
    let refuse = "[[timeline]]\nat = \"0s\"\ndo = \"error\"\nstore = \"db\"\n";
    let storm = "[[timeline]]\nat = \"0s\"\ndo = \"retry-storm\"\nretries = 7\n";
    let attempts = |faults: &str| plain("20s", "calls = 10", "", "", faults).calls["call"].attempts;
    assert_eq!((attempts(refuse), attempts(&format!("{refuse}{storm}"))), (10, 80));
}

#[test]
fn a_deployment_that_drains_loses_nothing_and_one_that_does_not_loses_what_it_kills() {
    let deploy = |drain: &str| {
        let entry = format!(
            "[[timeline]]\nat = \"10s\"\ndo = \"rolling-deploy\"\nfleet = \"f\"\nbatch = 1\ndrain = \"{drain}\"\npause = \"1s\"\n"
        );
        let o = run(&format!(
            "span = \"120s\"\n[clients.c]\nsends = \"call\"\nrate = \"100/s\"\n[balancer]\nretries = 2\nredispatch = \"every\"\n\
             health = {{ interval = \"1s\", timeout = \"1s\", rise = 1, fall = 2 }}\n[fleets.f]\ncount = 3\nrestart = {{ delay = \"1s\" }}\n\
             calls.call = {{ work = \"50ms\", appends = \"log\" }}\n[stores.log]\n{entry}"
        ));
        assert_eq!((o.faults[0].effects, o.fleets["f"].crashes), (3, 3));
        assert!(o.faults[0].to_s.is_some(), "it ends: {:?}", o.faults[0]);
        o.calls["call"].dropped
    };
    assert_eq!(deploy("2s"), 0);
    assert!(deploy("0s") > 0);
}

#[test]
fn a_check_that_is_not_made_leaves_the_dead_in_rotation() {
    let crash = "[[timeline]]\nat = \"10s\"\ndo = \"crash\"\nfleet = \"f\"\nservers = 1\n";
    let stopped = "[[timeline]]\nat = \"5s\"\ndo = \"checker-stopped\"\n";
    let failed = |faults: &str| {
        let o = run(&format!(
            "span = \"60s\"\n[clients.c]\nsends = \"call\"\nrate = \"50/s\"\n[balancer]\nretries = 0\n\
             health = {{ interval = \"1s\", timeout = \"1s\", rise = 1, fall = 2 }}\n[fleets.f]\ncount = 2\nrestart = {{ delay = \"40s\" }}\n\
             calls.call = {{ work = \"1ms\" }}\n{faults}"
        ));
        o.calls["call"].failed
    };
    let (seen, unseen) = (failed(crash), failed(&format!("{crash}{stopped}")));
    // Half of the calls go to the dead server: for two or three checks, or for the forty seconds.
    assert!((20..100).contains(&seen) && (900..1100).contains(&unseen), "{seen} {unseen}");
}

#[test]
fn a_gray_server_is_slow_and_its_checks_pass() {
    let gray = "[[timeline]]\nat = \"10s\"\ndo = \"gray-failure\"\nfleet = \"f\"\nservers = [\"f-1\"]\nfactor = 100.0\nfor = \"20s\"\n";
    let o = run(&format!(
        "span = \"60s\"\nwindow = {{ from = \"10s\", to = \"30s\" }}\n[clients.c]\nsends = \"call\"\nrate = \"20/s\"\n\
         [balancer]\nhealth = {{ interval = \"1s\" }}\n[fleets.f]\ncount = 2\nworkers = 64\nhealth = \"shallow\"\n\
         calls.call = {{ work = \"10ms\" }}\n{gray}"
    ));
    let calls = &o.calls["call"];
    let mean = calls.latency_mean_ms.expect("calls were answered");
    // Half of them take a second instead of ten milliseconds.
    assert!((450.0..560.0).contains(&mean), "{mean}");
    assert_eq!((calls.failed, o.rotation.downs.values().sum::<u64>()), (0, 0));
}

/// One of four servers answers 500 to a share of its calls, in a millisecond of its worker's time; the others take 10 ms.
#[test]
fn a_bad_server_answers_its_share_of_its_calls_and_least_requests_sends_it_more() {
    let of = |balancer: &str, share: &str| {
        let o = run(&format!(
            "span = \"60s\"\n[clients.c]\nsends = \"call\"\nrate = \"200/s\"\n[balancer]\nretries = 0\nhealth.enabled = false\n{balancer}\n\
             [fleets.f]\ncount = 4\nworkers = 64\ncalls.call = {{ work = \"10ms\" }}\n\
             bad = {{ servers = [\"f-2\"], share = \"{share}\", takes = \"1ms\" }}"
        ));
        o.calls["call"].failed_rate
    };
    let round = of("", "40%");
    assert!((round - 0.1).abs() < 0.012, "a quarter of the calls, 40% of them: {round}");
    let least = of("algorithm = \"least-requests\"\nties = \"longest-unchanged\"", "100%");
    let random = of("algorithm = \"random\"", "100%");
    assert!((random - 0.25).abs() < 0.02, "{random}");
    assert!(least > 0.35, "the bad server looks idle: {least}");
}
