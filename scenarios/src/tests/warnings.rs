//! What `check` warns about: keys without effect, over all designs of a file, and what a reader should know.

use super::*;

/// A scenario with these lines of dotted keys beside the least that it needs.
fn with(lines: &str) -> Scenario {
    let base = "brownout = 1\ntitle = \"x\"\nspan = \"60s\"\nclients.c.sends = \"get\"\nclients.c.rate = \"1/s\"\n\
                fleets.f.calls.get.work = \"1ms\"\n";
    good(&format!("{base}{lines}"))
}

/// Each warning as "what stands there: message; help", in order of place.
fn warnings(scenario: &Scenario) -> Vec<String> {
    scenario.warnings.notices().iter().map(|n| format!("{}: {}; {}", n.line, n.message, n.help)).collect()
}

#[test]
fn a_key_without_effect_is_shown_like_a_mistake_with_its_reason() {
    let expected = "\
warning: this key has no effect here
 --> my.toml:8:10
  |
8 | balancer.redispatch = \"never\"
  |          ^^^^^^^^^^ help: `retries` is 0: no call is tried again
";
    let scenario = with("balancer.retries = 0\nbalancer.redispatch = \"never\"");
    assert_eq!(scenario.warnings.render_warnings(false), expected);
    let mistakes = scenario.strictly().expect_err("strictly, it is a mistake");
    assert!(mistakes.to_string().starts_with("error: this key has no effect here"), "{mistakes}");
    assert!(mistakes.to_string().ends_with("1 error; nothing was run"), "{mistakes}");
}

/// Lines, which of them (from 1) have no effect, and a part of the reason.
const ROWS: &[(&str, &[u64], &str)] = &[
    ("clients.c.burst = 4", &[1], "`arrivals` is not \"burst\""),
    ("clients.c.arrivals = \"burst\"\nclients.c.burst = 4", &[], ""),
    ("clients.c.retry.retries = 1\nclients.c.retry.backoff = \"exponential\"", &[2], "no second pause"),
    ("clients.c.offline.share = \"50%\"", &[1], "only reads"),
    ("balancer.health.enabled = false\nbalancer.health.fall = 9", &[2], "makes no checks"),
    ("balancer.health.enabled = false\nbalancer.health.fall = 9\nbalancer.health.observe.errors = 2", &[], ""),
    ("fleets.f.cores = 2\nfleets.f.memory_per_call = \"1MB\"", &[1, 2], "`concurrency` is \"workers\""),
    ("fleets.f.concurrency = \"event-loop\"\nfleets.f.workers = 3\nfleets.f.backlog = 3", &[2, 3], "loop"),
    ("fleets.f.calls.get.queue = 3", &[1], "without `at_most`"),
    ("fleets.f.calls.get.limit.backoff = 0.5", &[1], "only \"aimd\""),
    ("stores.db.connections = 3\nfleets.f.calls.get.asks = \"db\"", &[], ""),
    ("stores.db.connections = 3\nfleets.f.calls.get.appends = \"db\"", &[1], "appends need no connection"),
    ("stores.db.warm_up.factor = 3\nfleets.f.calls.get.asks = \"db\"", &[1], "`lasts` is 0s"),
    // How a part fails and comes back is worth saying though nothing goes wrong.
    (
        "fleets.f.restart.delay = \"3s\"\nfleets.f.calls.get.asks = \"db\"\nfleets.f.calls.get.on_severed = \"retry\"\nstores.db = {}",
        &[],
        "",
    ),
    ("stores.db.warm_up = { lasts = \"3s\", factor = 3 }\nfleets.f.calls.get.asks = \"db\"", &[], ""),
];

#[test]
fn what_has_no_effect_and_why() {
    for (lines, silent, why) in ROWS {
        let found = with(lines).warnings.notices();
        assert_eq!(found.iter().map(|n| n.line - 6).collect::<Vec<_>>(), *silent, "{lines}: {found:?}");
        assert!(found.iter().all(|notice| notice.help.contains(why)), "{lines}: {found:?}");
    }
}

#[test]
fn a_key_that_some_design_needs_is_not_warned_about() {
    let base = "fleets.f.calls.get.queue = 3\n";
    let point = "[axes.bulkhead.on]\nfleets.f.calls.get.at_most = 2\n[axes.bulkhead.off]\n";
    assert_eq!(warnings(&with(&format!("{base}{point}"))), Vec::<String>::new());
    // Of two axes: the key of one matters only with a point of the other.
    let queue = "[axes.queue.short]\nfleets.f.calls.get.queue = 1\n";
    assert_eq!(warnings(&with(&format!("{point}{queue}"))), Vec::<String>::new());
    assert_eq!(warnings(&with(queue)).len(), 1, "alone it has none");
    // Nor does a change by hand make a key of the file useless; what it writes itself must have an effect.
    let text = BARE.replace("work = \"4ms\"", "work = \"4ms\", at_most = 2, queue = 3");
    assert_eq!(warnings(&good_with(&text, &["fleets.collectors.calls.track.at_most=none"], &[])), Vec::<String>::new());
    let found = good_with(BARE, &["fleets.collectors.calls.track.queue=3"], &[]).warnings.notices();
    assert_eq!((found.len(), found[0].source.as_str()), (1, "--set"), "{found:?}");
}

#[test]
fn a_preset_and_a_default_are_not_warned_about() {
    assert_eq!(warnings(&with("balancer.preset = \"alb\"\nbalancer.health = \"none\"")), Vec::<String>::new());
}

#[test]
fn a_part_that_is_like_none_is_its_own() {
    let twin = "clients.d.like = \"c\"\nclients.d.rate = \"2/s\"\nclients.d.sends = \"get\"\n";
    let scenario = with(&format!("clients.c.timeout = \"3s\"\n{twin}[designs.own]\nclients.d.like = \"none\"\n"));
    assert_eq!(scenario.plan.spec.clients.get("d").map(|d| d.timeout.as_secs()), Some(3.0));
}

#[test]
fn what_never_happens_is_said() {
    let entry = |keys: &str| with(&format!("[[timeline]]\ndo = \"crash\"\nfleet = \"f\"\n{keys}"));
    assert_eq!(warnings(&entry("at = \"50s\"")), Vec::<String>::new());
    for (keys, why) in
        [("at = \"50s\"\ndelay = \"20s\"", "it is due 1m 10s"), ("at = \"50s\"\nenabled = false", "`enabled` is false")]
    {
        let found = warnings(&entry(keys));
        assert!(found.len() == 1 && found[0].contains("this entry never happens"), "{found:?}");
        assert!(found[0].contains(why.trim_end_matches(" 10s")) || found[0].contains("70s"), "{found:?}");
    }
    let found = warnings(&with("fleets.f.calls.other.work = \"1ms\""));
    assert!(found[0].contains("never made; no population of clients sends `other`"), "{found:?}");
}

#[test]
fn what_a_reader_should_know_is_said_with_its_place() {
    let found = warnings(&with("balancer.retry_statuses = [503, 504]"));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("7: no server here answers 504"), "{found:?}");
    let found = warnings(&with("fleets.f.count = 6\nbalancer.health.outlier = \"envoy\""));
    assert!(found[0].starts_with("8: outlier detection ejects none of 6 servers"), "{found:?}");
    let found = warnings(&with("clients.c.retry.retries = 2\nclients.c.retry.budget.capacity = 3"));
    assert!(found[0].starts_with("8: no retry of `c` is ever sent"), "{found:?}");
    assert!(warnings(&with("[axes.empty]\n"))[0].contains("this axis has no point"));
}

#[test]
fn values_that_cannot_be_are_mistakes_beside_the_warnings() {
    let base = format!("{BARE}[balancer]\nretries = 0\nretry_broken = true\nretry_statuses = [500, 999, 204]\n");
    let found = bad(&base);
    assert_eq!(
        found.messages(),
        ["999 in `retry_statuses` is out of range", "204 in `retry_statuses` is out of range"]
    );
    assert_eq!(found.notices().iter().filter(|n| n.message == "this key has no effect here").count(), 2, "{found}");
    assert!(found.render(false).contains("2 errors, "), "{found}");
    let range = sole(&format!("{BARE}[balancer.health]\npass_from = 400\n"));
    assert_eq!(range, "no status passes a check: 400 is above 399");
    assert_eq!(sole(&format!("{BARE}limit = {{ least = 9, most = 3 }}\n")), "`least` = 9 is above `most` = 3");
}

#[test]
fn names_that_nothing_has_are_reported_together_with_unknown_keys() {
    let text = BARE.replace("{ work = \"4ms\" }", "{ work = \"4ms\", asks = \"bd\" }").replace("rate", "ratte");
    let text = text.replace("sends = \"track\"", "sends = \"trakc\"");
    let found = bad(&format!("{text}[stores.db]\n[[timeline]]\nat = \"1s\"\ndo = \"crash\"\nfleet = \"colectors\"\n"));
    let expected = [
        "no kind of call served by a fleet \"trakc\"",
        "unknown key `ratte` in [clients.browsers]",
        "no store \"bd\"",
        "no fleet \"colectors\"",
    ];
    assert_eq!(found.messages(), expected, "{found}");
}
