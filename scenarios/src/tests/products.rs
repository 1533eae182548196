//! Warnings where a scenario leans on what a preset's product has and the model has not.

use super::{BARE, good_with};

/// What is warned about in a small world whose balancer checks with Kubernetes' numbers, in words of the messages.
fn warned(more: &str, set: &[&str]) -> Vec<&'static str> {
    let health = "health = \"deep\"\nrestart = { delay = \"1s\" }\n[balancer]\nhealth = \"kubernetes-numbers\"";
    let scenario = good_with(&format!("{BARE}{health}\n{more}"), set, &[]);
    let words = ["probes from the pod's own node", "a node that dies", "no one checker", "liveness", "an older name"];
    let notices = scenario.warnings.notices();
    let about = |message: &str| words.into_iter().find(|word| message.contains(word));
    let found: Vec<_> = notices.iter().filter_map(|notice| Some((about(&notice.message)?, notice))).collect();
    assert!(found.iter().all(|(_, notice)| !notice.help.is_empty() && !notice.message.ends_with('.')), "{found:?}");
    found.into_iter().map(|(word, _)| word).collect()
}

const CUT: &str = "[[timeline]]\nat = \"30s\"\ndo = \"partition\"\nbetween = [\"balancer\", \"fleets.collectors\"]\n";
const CRASH: &str = "[[timeline]]\nat = \"30s\"\ndo = \"crash\"\nfleet = \"collectors\"\n";
const SLOW: &str = "[stores.db]\n[[timeline]]\nat = \"30s\"\ndo = \"slow\"\nstore = \"db\"\n";
const NOTHING: [&str; 0] = [];

#[test]
fn kubernetes_numbers_warn_where_a_kubelet_would_see_something_else() {
    assert_eq!(warned("", &[]), NOTHING);
    // The check goes over the link that is cut; a kubelet's does not.
    assert_eq!(warned(CUT, &[]), ["probes from the pod's own node"]);
    assert_eq!(warned(&CUT.replace("\"partition\"", "\"loss\""), &[]), ["probes from the pod's own node"]);
    assert_eq!(warned(&CUT.replace("balancer\", \"fleets.collectors", "clients\", \"balancer"), &[]), NOTHING);
    assert_eq!(warned("[[timeline]]\nat = \"30s\"\ndo = \"checker-stopped\"\n", &[]), ["no one checker"]);
    // A process that is back soon is a process; one that is not stands for a node.
    assert_eq!(warned(CRASH, &[]), NOTHING);
    let late = "fleets.collectors.restart.delay=10min";
    assert_eq!(warned(CRASH, &[late]), ["a node that dies"]);
    // Where readiness asks a bad store, liveness may ask it, too.
    let asks = "fleets.collectors.calls.track.asks=db";
    assert_eq!(warned(SLOW, &[asks]), ["liveness"]);
    assert_eq!(warned(SLOW, &[asks, "fleets.collectors.health=shallow"]), NOTHING);
    // Other products check by themselves, and a check that is off needs no warning.
    let all = format!("{CUT}{CRASH}");
    assert_eq!(warned(&all, &[late]).len(), 2);
    assert_eq!(warned(&all, &[late, "balancer.health=haproxy"]), NOTHING);
    assert_eq!(warned(&all, &[late, "balancer.health=none"]), NOTHING);
}

#[test]
fn older_names_still_work_and_say_what_to_write_instead() {
    assert_eq!(warned("", &["balancer.health=kubernetes-readiness"]), ["an older name"]);
    assert_eq!(warned("", &["balancer.health={ preset = \"kubernetes-readiness\", fall = 1 }"]), ["an older name"]);
    for (older, now, interval) in [("last", "haproxy-before-2.7", -1), ("every", "haproxy-before-2.7", 1)] {
        let older = good_with(BARE, &[&format!("balancer.redispatch={older}")], &[]);
        assert!(older.warnings.notices().iter().any(|n| n.message.contains("an older name") && n.help.contains(now)));
        let set = [format!("balancer.redispatch={now}"), format!("balancer.redispatch_interval={interval}")];
        let now = good_with(BARE, &[&set[0], &set[1]], &[]);
        assert!(!now.warnings.notices().iter().any(|n| n.message.contains("an older name")));
    }
}
