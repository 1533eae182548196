//! Connections between the balancer and its servers that are closed while nobody uses them: who loses a call to that, by arithmetic.

use brownout::scenarios::load_text;
use brownout::sim::outcome::Outcome;
use brownout::sim::simulate;
use std::path::Path;

/// A fleet of servers 20 ms away, each with calls at 0.2/s of either kind, that close what has been idle for 4 s; over 15 minutes.
fn run(balancer: &str, servers: u32, more: &str) -> Outcome {
    let rate = f64::from(servers) * 0.1;
    let text = format!(
        "brownout = 1\ntitle = \"x\"\nspan = \"15min\"\nstep = \"10s\"\n\
         clients.a = {{ sends = \"get\", rate = \"{rate}/s\" }}\nclients.b = {{ sends = \"post\", rate = \"{rate}/s\" }}\n\
         network.clients.latency = \"0s\"\nnetwork.servers.latency = \"20ms\"\n\
         [balancer]\n{balancer}\nalgorithm = \"random\"\nhealth = \"none\"\n\
         [fleets.f]\ncount = {servers}\nkeep_alive.idle = \"4s\"\ncalls.get = {{ work = \"1ms\" }}\ncalls.post = {{ work = \"1ms\", appends = \"log\" }}\n\
         [stores.log]\nlink = {{ latency = \"0s\" }}\n{more}"
    );
    let scenario = load_text("x.toml", &text, Path::new("."), &[], &[]).unwrap_or_else(|m| panic!("{text}\n{m}"));
    simulate(&scenario, 7, None, &mut |_| {}).unwrap_or_else(|imbalance| panic!("{imbalance}"))
}

/// Share of the calls of a kind that fail.
fn failed(o: &Outcome, kind: &str) -> f64 {
    o.calls[kind].failed_rate
}

/// The share of calls that are sent while the close of their connection is on its way, or that meet it: 2 d l exp(-l S).
fn race() -> f64 {
    let (l, s, d) = (0.2_f64, 4.0_f64, 0.02_f64);
    2.0 * d * l * (-l * s).exp()
}

#[test]
fn a_call_is_lost_that_crosses_the_close_of_its_connection() {
    let o = run("retries = 0", 150, "");
    let calls = (o.calls["get"].offered + o.calls["post"].offered) as f64;
    let is = (o.calls["get"].failed + o.calls["post"].failed) as f64 / calls;
    let noise = (race() / calls).sqrt();
    // One connection in fifty is busy when the next call comes, which then opens another.
    assert!(
        (is - race()).abs() < 4.0 * noise + 0.03 * race(),
        "{is:.5}, by the closed form {:.5} ± {noise:.5}",
        race()
    );
    for kind in ["get", "post"] {
        let causes: Vec<_> = o.calls[kind].causes.keys().map(String::as_str).collect();
        assert_eq!(causes, ["connection_reset"], "{kind}: nothing of it was executed");
    }
}

#[test]
fn who_closes_first_loses_nothing() {
    // The balancer closes well before; each call has a connection of its own; the server says that it closes.
    for balancer in [
        "retries = 0\nkeep_alive.idle = \"3900ms\"",
        "retries = 0\nconnection = \"per-call\"",
        "retries = 0\nkeep_alive.calls = 1",
    ] {
        let o = run(balancer, 150, "");
        assert_eq!(failed(&o, "get") + failed(&o, "post"), 0.0, "{balancer}");
    }
    // Just before, it is a close after all: the call is sent on a connection that the balancer still has.
    assert!(failed(&run("retries = 0\nkeep_alive.idle = \"3990ms\"", 150, ""), "get") > 0.0);
}

#[test]
fn what_the_products_do_about_it() {
    // Of each product: what fails of gets, and of posts.
    let lost = |share: f64| share > 0.5 * race() && share < 1.6 * race();
    for (balancer, get, post) in [
        // nginx tries what may be repeated at another server, whatever its tries; not what it has sent and may not repeat.
        ("preset = \"nginx\"\nkeep_alive.free_retry = true", false, true),
        (
            "preset = \"nginx\"\nkeep_alive.free_retry = true\nretry_on = [\"error\", \"timeout\", \"non_idempotent\"]",
            false,
            false,
        ),
        (
            "preset = \"nginx-from-1.29.7\"\nkeep_alive = { preset = \"nginx\", at_most = 1000 }\nretries = 0",
            false,
            true,
        ),
        // Envoy: 503 (UC), unless `reset` is retried, whatever the method.
        ("preset = \"envoy\"\nkeep_alive = \"envoy\"", true, true),
        ("preset = \"envoy\"\nretries = 1", true, true),
        ("preset = \"envoy\"\nretries = 1\nretry_on = [\"reset\"]", false, false),
        // HAProxy: only `retry-on empty-response` helps, whatever the method.
        ("preset = \"haproxy\"\nkeep_alive = { preset = \"haproxy\", purge = \"none\" }", true, true),
        ("preset = \"haproxy\"\nretry_on = [\"conn-failure\", \"empty-response\"]", false, false),
        // ALB: nothing helps but a server that waits for longer.
        ("preset = \"alb\"\nkeep_alive = \"alb\"", true, true),
    ] {
        let o = run(balancer, 150, "");
        for (kind, loses) in [("get", get), ("post", post)] {
            let share = failed(&o, kind);
            assert!(
                if loses { lost(share) } else { share == 0.0 },
                "{balancer}: {kind} {share:.5}, the race {:.5}",
                race()
            );
        }
    }
}

#[test]
fn a_process_that_dies_closes_all_of_its_connections_at_once() {
    // All of them are started again at once, and know none of their connections: who sends within a trip of the death loses by it, and
    // nobody who comes later. 300 calls a second, 20 ms each way: six on their way, and six whose balancer has not heard.
    let crash = "[[timeline]]\nat = \"5min\"\ndo = \"crash\"\nfleet = \"f\"\n";
    let with = |restart: &str| {
        let quiet = "retries = 0\nkeep_alive.idle = \"3s\"";
        run(quiet, 1500, &format!("[fleets.f.restart]\ndelay = \"{restart}\"\n{crash}"))
    };
    let lost = |o: &Outcome| o.calls["get"].failed + o.calls["post"].failed;
    let (at_once, later) = (with("1ms"), with("1s"));
    assert!((3..=20).contains(&lost(&at_once)), "{}", lost(&at_once));
    // A second in which nobody listens: a connection that was closed is known to be, so the call opens another, and is refused.
    let refused = later.calls["get"].causes.get("refused").copied().unwrap_or(0);
    assert!((100..=200).contains(&refused), "{:?}", later.calls["get"].causes);
}
