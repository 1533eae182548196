//! What runs make of expectations: they hold, are violated, or had nothing to judge.

use brownout::scenarios::{Scenario, load_text};
use brownout::sim::outcome::{Standing, Verdict};
use brownout::sim::{simulate, simulate_as};
use std::path::Path;

/// A hundred calls a second on two servers, whose store refuses from 60 s to 120 s; then nothing goes wrong.
const MINUTE: &str = r#"brownout = 1
title = "a minute without a store"
span = "300s"
step = "10s"

[clients.browsers]
sends = "track"
rate = "100/s"

[clients.pages]
sends = "identify"
rate = "20/s"
retry = { retries = 2, backoff = "fixed", delay = "1s" }

[fleets.collectors]
count = 2
calls.track = { work = "1ms" }
calls.identify = { work = "1ms", asks = "identify", timeout = "1s" }

[stores.identify]
service = { exponential = "2ms" }

[[timeline]]
id = "cut"
at = "60s"
do = "refuse"
store = "identify"
for = "60s"
"#;

fn scenario(text: &str) -> Scenario {
    load_text("minute.toml", text, Path::new("."), &[], &[]).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn verdicts(expect: &[&str]) -> Vec<Verdict> {
    let entries: String = expect.iter().map(|e| format!("\n[[expect]]\n{e}\n")).collect();
    let scenario = scenario(&format!("{MINUTE}{entries}"));
    simulate(&scenario, 1, None, &mut |_| ()).expect("the ledger balances").expectations
}

fn verdict(expect: &str) -> Verdict {
    verdicts(&[expect]).remove(0)
}

fn standings<const N: usize>(expect: [&str; N]) -> [Standing; N] {
    let found: Vec<Standing> = verdicts(&expect).iter().map(|v| v.standing).collect();
    found.try_into().expect("one each")
}

use Standing::{Holds, Vacuous, Violated};

#[test]
fn what_the_outage_does_is_seen_and_what_it_does_not_holds() {
    let found = standings([
        "always = \"track.dropped_rate = 0%\"",
        "always = \"identify.failed_rate < 1% during outage\"",
        "always = \"identify.failed_rate > 99% from 3s after outage\"",
        "always = \"identify.failed_rate < 1% before outage\"",
        "always = \"identify.failed_rate < 1% after outage\"",
        "sometimes = \"identify.dropped > 0\"",
        "eventually = \"identify.failed_rate = 0%\"",
        "eventually = \"identify.failed_rate = 0% during outage\"",
        "eventually = \"identify.failed_rate = 0% within 20s after outage\"",
        "always = \"identify.recovery <= 10s\"",
        "always = \"identify.failed_rate < 1% from 10s after cut\"",
        "eventually = \"identify.failed_rate = 0% within 20s after faults\"",
        "always = \"ledger.unaccounted = 0\"",
        "always = \"stores.identify.amplification > 1.5 during outage\"",
    ]);
    // Calls of the last two seconds of the outage are sent again after it.
    let expected =
        [Holds, Violated, Violated, Holds, Holds, Holds, Holds, Violated, Holds, Holds, Holds, Holds, Holds, Violated];
    assert_eq!(found, expected);
}

#[test]
fn a_violation_says_by_how_much_and_when_first() {
    let found = verdict("always = \"identify.failed_rate < 1%\"");
    assert_eq!((found.standing, found.line), (Violated, MINUTE.lines().count() as u64 + 2));
    assert_eq!((found.at_s, found.at.as_deref()), (Some(60.0), Some("1m")));
    assert!(found.value > Some(0.99) && found.excess > Some(0.98), "{found:?}");
    assert_eq!((found.parts, found.failing), (30, 6));
    assert!(
        found.why.contains("100.0% at 1m") && found.why.contains("fails in 6 of 30 steps, first at 1m"),
        "{found:?}"
    );
    // As one window it is a fifth, and what was never reached has no value.
    let whole = verdict("always = \"identify.failed_rate < 1% over run\"");
    assert!((0.15..0.21).contains(&whole.value.expect("a value")) && whole.parts == 1, "{whole:?}");
    let held = verdict("always = \"identify.failed_rate <= 100%\"");
    assert!(held.standing == Holds && held.why.starts_with("at worst 100.0%"), "{held:?}");
}

#[test]
fn what_could_not_fail_is_vacuous() {
    let found = verdicts(&["always = \"track.dropped_rate < 1% during outage\""]);
    assert_eq!(found[0].standing, Holds);
    let calm = scenario(&format!(
        "{}\n[[expect]]\nalways = \"track.dropped_rate < 1% during outage\"\n[[expect]]\nalways = \"track.recovery < 1s\"\n\
         [[expect]]\nalways = \"rotation.first_ejection < 1s\"\n",
        &MINUTE[..MINUTE.find("[[timeline]]").expect("a timeline")]
    ));
    for verdict in simulate(&calm, 1, None, &mut |_| ()).expect("balances").expectations {
        assert_eq!((verdict.standing, verdict.why.as_str()), (Vacuous, "no outage happened"));
    }
    let found = verdict("sometimes = \"track.dropped > 0\"");
    assert!(found.standing == Vacuous && found.why.starts_with("never seen; nearest 0 at "), "{found:?}");
    let endless = scenario(&format!(
        "{}\n[[expect]]\nalways = \"identify.failed_rate < 1% after outage\"\n",
        MINUTE.replace("for = \"60s\"", "")
    ));
    let found = simulate(&endless, 1, None, &mut |_| ()).expect("balances").expectations.remove(0);
    assert_eq!((found.standing, found.why.as_str()), (Vacuous, "the outage had not ended by the end of the run"));
}

/// A fault that changes nothing tests nothing: here nobody asks the store while it refuses.
#[test]
fn a_fault_that_never_took_effect_makes_what_holds_vacuous() {
    let missed = MINUTE
        .replace("do = \"refuse\"", "do = \"hang\"")
        .replace("at = \"60s\"", "at = \"60s\"\nenabled = true")
        .replace("rate = \"20/s\"", "rate = \"20/s\"\nprofile = [[\"0s\", 1.0], [\"50s\", 0.0], [\"290s\", 0.0]]");
    let text =
        format!("{missed}[[expect]]\nalways = \"track.dropped = 0\"\n[[expect]]\nalways = \"track.offered < 5\"\n");
    let found = simulate(&scenario(&text), 1, None, &mut |_| ()).expect("balances").expectations;
    let why = "the fault `hang of identify` of the timeline never took effect; else: 0";
    assert_eq!((found[0].standing, found[0].why.as_str()), (Vacuous, why));
    // What is violated is violated all the same.
    assert_eq!(found[1].standing, Violated);
    let off = scenario(&text.replace("enabled = true", "enabled = false"));
    let found = simulate(&off, 1, None, &mut |_| ()).expect("balances").expectations.remove(0);
    assert_eq!(found.standing, Holds, "a fault that the design has switched off is not awaited");
}

#[test]
fn a_window_without_calls_is_vacuous_and_a_count_of_none_is_no_merit() {
    let quiet = MINUTE
        .replace("rate = \"100/s\"", "rate = \"100/s\"\nprofile = [[\"0s\", 1.0], [\"100s\", 0.0], [\"200s\", 0.0]]");
    let entries = "[[expect]]\nalways = \"track.dropped = 0\"\nover = { from = \"110s\", to = \"190s\" }\n\
                   [[expect]]\nalways = \"track.dropped_rate < 1%\"\nover = { from = \"110s\", to = \"190s\" }\n\
                   [[expect]]\nalways = \"track.offered = 0\"\nover = { from = \"110s\", to = \"190s\" }\n";
    let found = simulate(&scenario(&format!("{quiet}{entries}")), 1, None, &mut |_| ()).expect("balances").expectations;
    let standings: Vec<_> = found.iter().map(|v| (v.standing, v.why.as_str())).collect();
    let none = (Vacuous, "no calls were offered in its window");
    assert_eq!(standings, [none, none, (Holds, "0")]);
}

#[test]
fn what_never_comes_is_later_than_any_bound() {
    let down = MINUTE.replace("span = \"300s\"", "span = \"130s\"");
    let text = format!(
        "{down}[[expect]]\nalways = \"rotation.first_ejection < 30s\"\n[[expect]]\nalways = \"identify.recovery < 30s\"\n"
    );
    let found = simulate(&scenario(&text), 1, None, &mut |_| ()).expect("balances").expectations;
    assert_eq!((found[0].standing, found[0].why.as_str(), found[0].value), (Violated, "no server left rotation", None));
    assert_eq!((found[1].standing, found[1].why.as_str(), found[1].value), (Violated, "never recovered", None));
}

#[test]
fn a_run_that_ended_early_proves_nothing() {
    let scenario = scenario(&format!("{MINUTE}[[expect]]\nalways = \"track.dropped = 0\"\n"));
    let orders = brownout::sim::run::Orders { event_limit: Some(10_000), ..brownout::sim::orders(&scenario, 1) };
    let found = simulate_as(&scenario, orders, None, &mut |_| ()).expect("balances").expectations.remove(0);
    assert!(found.standing == Vacuous && found.why.starts_with("the run ended early, at "), "{found:?}");
}

#[test]
fn every_metric_of_the_catalogue_can_be_expected_of() {
    use brownout::models::metrics::{ALL, Subject, Unit};
    let spool = MINUTE.replace("timeout = \"1s\" }", "timeout = \"1s\", writes = true, spool = { capacity = 100 } }");
    let mut text = spool;
    // Edges and caches: `sim/tests/sentences/estate.rs`.
    let here = |metric: &&brownout::models::metrics::Metric| metric.subject() != Subject::Edge;
    for metric in ALL.iter().filter(|metric| metric.unit != Unit::Interval).filter(here) {
        let subject = match metric.subject() {
            Subject::Calls => "identify",
            Subject::Fleet => "fleets.collectors",
            Subject::Store => "stores.identify",
            other => other.pattern(),
        };
        let limit = match metric.unit {
            Unit::Share => "100%",
            Unit::Count => "1G",
            _ => "290s",
        };
        text.push_str(&format!("[[expect]]\nalways = \"{subject}.{} <= {limit}\"\n", metric.name));
    }
    for verdict in simulate(&scenario(&text), 1, None, &mut |_| ()).expect("balances").expectations {
        let vacuous = ["headroom", "hit_ratio"].iter().any(|name| verdict.condition.contains(name));
        let never = verdict.condition.contains("first_ejection");
        let expected = if vacuous {
            Vacuous
        } else if never {
            Violated
        } else {
            Holds
        };
        assert_eq!(verdict.standing, expected, "{verdict:?}");
        if verdict.condition.contains("spooled_max") {
            // The spool fills up to its bound while the store is away.
            assert_eq!(verdict.value, Some(100.0), "{verdict:?}");
        }
    }
}
