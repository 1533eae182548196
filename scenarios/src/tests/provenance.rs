//! Why a number is what it is.

use super::*;

fn rated(rate: &str) -> String {
    DAY.replace("rate = \"280/s\"", &format!("rate = {rate}"))
}

fn marks(scenario: &Scenario) -> Vec<String> {
    let show = |p: &crate::Provenance| {
        let range = p.range.as_ref().map_or(String::new(), |(a, b)| format!(" {a}..{b}"));
        format!("{} = {}: {} {}{range}", p.path, p.value, p.mark, p.why)
    };
    scenario.provenance.iter().map(show).collect()
}

#[test]
fn every_number_is_listed_with_its_mark_in_order_of_the_file() {
    let text = rated("{ value = \"280/s\", assumed = [\"100/s\", \"5000/s\"] }")
        .replace("count = 4", "count = { value = 4, reported = \"T3\" }")
        .replace("work = \"4ms\"", "work = { value = \"4ms\", calibrated = \"E1\", range = [\"1ms\", \"9ms\"] }")
        .replace(
            "[stores.events]",
            "[stores.events]\nheadroom = { at_start = \"13M\", stop = \"1M\", inferred = \"wraparound\" }",
        )
        + "[[evidence]]\nid = \"E1\"\nsays = \"x\"\nmetric = \"track.dropped_rate\"\nobserved = \"54%\"\n";
    let scenario = good_with(&text, &["fleets.collectors.workers=3"], &[]);
    let expected = [
        "clients.browsers.rate = 280/s: assumed  100/s..5000/s",
        "fleets.collectors.count = 4: reported T3",
        "fleets.collectors.calls.track.work = 4ms: calibrated E1 1ms..9ms",
        "fleets.collectors.workers = 3: set by hand fleets.collectors.workers=3",
        "stores.events.headroom.at_start = 13M: inferred wraparound",
        "stores.events.headroom.stop = 1M: inferred wraparound",
        "timeline.0.at = 11:46: unmarked ",
    ];
    assert_eq!(marks(&scenario), expected);
    assert!(scenario.evidence[0].fitted);
}

#[test]
fn a_setting_by_hand_takes_the_mark_away() {
    let text = rated("{ value = \"280/s\", assumed = [\"100/s\", \"5000/s\"] }");
    let scenario = good_with(&text, &["clients.browsers.rate=9999/s"], &[]);
    assert_eq!(good_with(&text, &["clients.browsers.rate.value=9999/s"], &[]).plan.spec, scenario.plan.spec);
    assert_eq!(marks(&scenario)[0], "clients.browsers.rate = 9999/s: set by hand clients.browsers.rate=9999/s");
}

#[test]
fn an_overlay_does_not_inherit_the_mark_of_the_table_that_it_changes() {
    let text = DAY.replace("[stores.events]", "[stores.events]\nheadroom = { at_start = \"13M\", inferred = \"why\" }");
    let text = format!("{text}[axes.a]\nx = {{ stores.events.headroom.stop = \"2M\" }}\n");
    let scenario = good_with(&text, &[], &["x"]);
    assert!(marks(&scenario).contains(&"stores.events.headroom.stop = 2M: unmarked ".to_string()));
}

#[test]
fn a_range_on_a_table_speaks_for_what_it_can_be_compared_with() {
    let text = DAY.replace("\"4ms\"", "{ lognormal = \"4ms\", sigma = 0.5, assumed = [\"1ms\", \"9ms\"] }");
    let scenario = good(&text);
    assert!(marks(&scenario).contains(&"fleets.collectors.calls.track.work.sigma = 0.5: unmarked ".to_string()));
    assert_eq!(sole(&text.replace("\"9ms\"", "\"2ms\"")), "4ms is not in its own range, 1ms to 2ms");
}

#[test]
fn malformed_marks_are_errors() {
    let wrong = [
        ("{ value = \"280/s\", assumed = [\"1/s\", \"5/s\"] }", "280/s is not in its own range, 1/s to 5/s"),
        ("{ value = \"280/s\", assumed = [\"900/s\", \"5/s\"] }", "the range runs backwards"),
        ("{ value = \"280/s\", assumed = [\"1s\", \"5s\"] }", "the range does not have the unit of the value, 280/s"),
        ("{ value = \"280/s\", assumed = \"5/s\" }", "a range is a list of its lowest and its highest value"),
        ("{ value = \"280/s\", assumed = [\"5/s\"] }", "a range is a list of its lowest and its highest value"),
        ("{ value = \"280/s\", reported = 3 }", "`reported` must be a string, found a whole number"),
        ("{ value = \"280/s\", inferred = \"\" }", "`inferred` must say why"),
        (
            "{ value = \"280/s\", inferred = \"a\", reported = \"b\" }",
            "a value has one mark, not both `inferred` and `reported`",
        ),
        ("{ value = \"280/s\", inferred = \"a\", foo = 1 }", "unknown key `foo` beside `value`"),
        ("{ value = \"280/s\", inferred = \"a\", range = [1, 2] }", "unknown key `range` beside `value`"),
        ("{ value = \"280/s\", calibrated = \"E9\" }", "no evidence \"E9\""),
    ];
    for (rate, message) in wrong {
        assert!(bad(&rated(rate)).messages().contains(&message.to_string()), "{rate}: {}", bad(&rated(rate)));
    }
    assert!(bad(&rated("{ inferred = \"a\" }")).messages().contains(&"`inferred` without a value".to_string()));
    assert_eq!(sole(&rated("{ value = \"280/s\" }")), "`value` without a mark that says why");
    let typo = bad(&rated("{ value = \"280/s\", asumed = [\"1/s\", \"900/s\"] }"));
    assert_eq!(typo.messages(), ["unknown key `asumed` beside `value`"]);
    assert!(typo.to_string().contains("did you mean `assumed`?"));
    let uses = "calls.a = { asks = \"value\" }\ncalls.b = { asks = \"reported\" }";
    good(&day_and(&format!("[stores.value]\n[stores.reported]\n[fleets.others]\n{uses}")));
}

#[test]
fn counts_sizes_and_shares_are_compared_in_their_units() {
    let counted = |count: &str| DAY.replace("count = 4", &format!("count = {count}"));
    good(&counted("{ value = 4, assumed = [1, 64] }"));
    assert_eq!(sole(&counted("{ value = 4, assumed = [5, 64] }")), "4 is not in its own range, 5 to 64");
    let limited = |limit: &str| DAY.replace("count = 4", &format!("count = 4\nheap_limit = {limit}"));
    good(&limited("{ value = \"1GB\", assumed = [\"900MB\", \"2GiB\"] }"));
    assert_eq!(
        sole(&limited("{ value = \"1GB\", assumed = [\"2GB\", \"3GB\"] }")),
        "1GB is not in its own range, 2GB to 3GB"
    );
    let moved = |at: &str| DAY.replace("at = \"11:46\"", &format!("at = {at}"));
    good(&moved("{ value = \"11:46\", assumed = [\"11:40\", \"11:50\"] }"));
}
