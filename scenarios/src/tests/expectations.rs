//! Expectations: the language of their conditions, and what is said of mistakes in them.

use super::*;
use crate::{Compare, Condition, Expect, ExpectKind, Happening, Stretch};
use brownout_models::metrics::Measured;
use brownout_models::units::Ns;

const AXES: &str = "[axes.isolation]\ndefault = \"shared\"\nshared = {}\nbulkhead = {}\n\
                    [designs.safe]\nfleets.collectors.count = 8\n";

fn entry(keys: &str) -> String {
    day_and(&format!("{AXES}[[expect]]\n{keys}"))
}

fn read(keys: &str) -> Expect {
    good(&entry(keys)).expect.remove(0)
}

fn always(condition: &str) -> Condition {
    read(&format!("always = \"{condition}\"")).condition
}

/// The sole mistake in a condition, and what its caret points at.
fn wrong(condition: &str) -> (String, String) {
    let found = bad(&entry(&format!("always = \"{condition}\"")));
    let shown = found.to_string();
    let caret = shown.lines().find(|line| line.contains('^')).expect("a caret").to_string();
    let written = shown.lines().find(|line| line.contains("always =")).expect("the line").to_string();
    let start = caret.find('^').expect("a caret");
    let length = caret[start..].chars().take_while(|c| *c == '^').count();
    let marked = written.chars().skip(caret[..start].chars().count()).take(length).collect();
    (only(found), marked)
}

#[test]
fn a_condition_is_a_metric_a_comparison_and_a_limit_in_its_unit() {
    let share = always("track.dropped_rate < 0.1%");
    assert_eq!((share.subject.as_str(), share.metric.name), ("track", "dropped_rate"));
    assert_eq!((share.compare, share.limit, share.shown.as_str()), (Compare::Below, Measured::Share(0.001), "0.1%"));
    let signs = [("<", Compare::Below), ("<=", Compare::AtMost), (">", Compare::Above), (">=", Compare::AtLeast)];
    for (sign, compare) in
        signs.into_iter().chain([("=", Compare::Equal), ("==", Compare::Equal), ("!=", Compare::Unequal)])
    {
        assert_eq!(always(&format!("track.dropped{sign}2k")).compare, compare);
    }
    assert_eq!(always("track.dropped = 2k").limit, Measured::Count(2000.0));
    assert_eq!(always("track.recovery <= 1min 30s").limit, Measured::Duration(Ns::secs(90)));
    assert_eq!(always("all.failing_until < 11:50").limit, Measured::Moment(Ns::secs(8400)));
    for of in
        ["rotation.flaps_per_hour <= 2", "fleets.collectors.spooled_max <= 100", "stores.events.amplification < 1.1"]
    {
        always(of);
    }
    for of in ["balancer.queue_max < 9", "ledger.unaccounted = 0", "track.browsers.amplification <= 1"] {
        always(of);
    }
}

#[test]
fn a_window_is_a_word_a_part_or_a_time_after_a_cause() {
    let stretch = |words: &str| {
        let found = always(&format!("track.dropped_rate < 1% {words}"));
        (found.stretch, found.whole)
    };
    let (day, outage) = (Ns::secs(33_000), Happening::Outage);
    assert_eq!(stretch(""), (Stretch::Fixed(Ns::ZERO, day), false));
    assert_eq!(stretch("during run"), (Stretch::Fixed(Ns::ZERO, day), false));
    assert_eq!(stretch("over window"), (Stretch::Fixed(Ns::ZERO, day), true));
    assert_eq!(stretch("during outage"), (Stretch::During(outage.clone()), false));
    assert_eq!(stretch("over outage"), (Stretch::During(outage.clone()), true));
    assert_eq!(stretch("before outage").0, Stretch::Before(outage.clone()));
    assert_eq!(stretch("after outage").0, Stretch::After(outage.clone(), Ns::ZERO, Ns::NEVER));
    assert_eq!(stretch("from 1m 30s after outage").0, Stretch::After(outage.clone(), Ns::secs(90), Ns::NEVER));
    assert_eq!(stretch("within 30s after outage").0, Stretch::After(outage, Ns::ZERO, Ns::secs(30)));
    let over = read("always = \"track.dropped_rate < 1%\"\nover = { from = \"10:00\", to = \"10:30\" }");
    assert_eq!(over.condition.stretch, Stretch::Fixed(Ns::secs(1800), Ns::secs(3600)));
}

#[test]
fn a_bound_on_a_sum_is_on_the_whole_window_a_rate_on_each_step() {
    let whole = |keys: &str| read(keys).condition.whole;
    assert!(whole("always = \"track.dropped < 5\"") && whole("always = \"rotation.flaps_per_hour < 5\""));
    assert!(!whole("always = \"track.dropped_rate < 5%\"") && !whole("sometimes = \"track.dropped > 5\""));
    assert!(!whole("eventually = \"track.dropped = 0\""));
}

#[test]
fn an_expectation_is_one_of_three_and_for_some_designs() {
    let some = read("sometimes = \"track.dropped > 0\"\nof = { isolation = \"bulkhead\" }\nsays = \"it bites\"");
    assert_eq!(
        (some.kind, some.text.as_str(), some.says.as_str()),
        (ExpectKind::Sometimes, "track.dropped > 0", "it bites")
    );
    assert_eq!((some.of.len(), some.applies), (1, false));
    let applies = |of: &str, design: &[&str]| {
        let keys = format!("always = \"track.dropped = 0\"\nof = {of}");
        good_with(&entry(&keys), &[], design).expect.remove(0).applies
    };
    assert!(applies("{ isolation = \"shared\" }", &[]) && applies("{ isolation = \"bulkhead\" }", &["bulkhead"]));
    assert!(applies("{ isolation = [\"bulkhead\", \"shared\"] }", &[]));
    assert!(applies("{ design = \"safe\" }", &["safe"]) && !applies("{ design = \"safe\" }", &[]));
    assert!(!applies("{ isolation = \"bulkhead\", design = \"safe\" }", &["safe"]));
    let one = "an expectation has exactly one of `always`, `eventually`, `sometimes`";
    assert_eq!(sole(&entry("")), one);
    assert_eq!(sole(&entry("always = \"track.dropped = 0\"\nsometimes = \"track.dropped > 0\"")), one);
    let of = |of: &str| sole(&entry(&format!("always = \"track.dropped = 0\"\nof = {of}")));
    assert_eq!(of("{ isolatoin = \"bulkhead\" }"), "no axis \"isolatoin\"");
    assert_eq!(of("{ isolation = \"bulkhed\" }"), "axis `isolation` has no point \"bulkhed\"");
    assert_eq!(of("{ isolation = [\"bulkhed\"] }"), "axis `isolation` has no point \"bulkhed\"");
    assert_eq!(of("{ isolation = [] }"), "`isolation` names no point");
    assert_eq!(of("{ design = \"saef\" }"), "axis `design` has no point \"saef\"");
}

#[test]
fn a_mistake_is_shown_at_its_word() {
    let table = [
        ("track.dropped_rate", "a condition compares a metric with a value", "\"track.dropped_rate\""),
        ("", "the condition is empty", "\"\""),
        ("track.droped_rate < 1%", "no metric \"droped_rate\" of track", "track.droped_rate"),
        ("tracks.dropped_rate < 1%", "no calls \"tracks\" to measure", "tracks.dropped_rate"),
        ("stores.event.queries < 1", "no store \"event\" to measure", "stores.event.queries"),
        ("fleets.collector.crashes < 1", "no fleet \"collector\" to measure", "fleets.collector.crashes"),
        ("dropped_rate < 1%", "a metric looks like \"track.dropped_rate\", not \"dropped_rate\"", "dropped_rate"),
        ("track.dropped_rate <> 1%", "`<>` does not compare", "<>"),
        ("track.dropped_rate < 5", "a share looks like \"10%\" or \"3/100\"", "5"),
        ("track.dropped_rate < 120%", "a share lies between 0% and 100%", "120%"),
        ("track.recovery < 5", "a duration needs a unit: \"5s\" or \"5ms\"", "5"),
        ("track.recovery < never", "a bound on a time must be one", "never"),
        ("track.dropped < many", "a quantity looks like \"13M\", \"2.5k\" or \"800\"", "many"),
        ("all.failing_until < 23:00", "23:00 is outside the day: it runs from 09:30 to 18:40", "23:00"),
        ("track.dropped_rate < 1% during outrage", "no part of the run is called \"outrage\"", "outrage"),
        ("track.dropped_rate < 1% during", "this is no window", "during"),
        ("track.dropped_rate < 1% after the outage", "this is no window", "outage"),
        (
            "track.dropped_rate < 1% within soon after outage",
            "a duration looks like \"250ms\", \"30s\" or \"1h 30m\"",
            "soon",
        ),
        ("track.dropped_rate < 1% within 0s after outage", "this time must be longer than none, and end", "0s"),
        ("track.dropped_rate < 1% and track.dropped = 0", "conditions are not combined", "and"),
        (
            "track.recovery < 5s during outage",
            "`track.recovery` is of the whole run: a window says nothing about it",
            "during",
        ),
    ];
    for (condition, message, marked) in table {
        assert_eq!(wrong(condition), (message.to_string(), marked.to_string()), "{condition}");
    }
    let missing = bad(&entry("always = \"track.dropped_rate <\""));
    assert_eq!(only(missing), "the value is missing");
    let interval = sole(&entry("always = \"track.unavailable < 5min\""));
    assert!(interval.starts_with("`track.unavailable` is two times"), "{interval}");
    for eventually in ["track.recovery < 5s", "track.dropped_rate < 1% over outage"] {
        let message = sole(&entry(&format!("eventually = \"{eventually}\"")));
        assert!(message.contains("one value"), "{message}");
    }
    let both = "always = \"track.dropped = 0 during outage\"\nover = { from = \"10:00\", to = \"10:30\" }";
    assert_eq!(sole(&entry(both)), "the entry has `over` and its condition has a window");
    let long = format!("always = \"track.dropped < {}\"", "1".repeat(600));
    assert_eq!(sole(&entry(&long)), "a condition of more than 500 bytes");
}

#[test]
fn a_nearest_name_is_offered_and_other_designs_may_have_other_parts() {
    let shown = bad(&entry("always = \"track.dropped_rte < 1%\"")).to_string();
    assert!(shown.contains("did you mean \"track.dropped_rate\"?"), "{shown}");
    let shown = bad(&entry("always = \"track.dropped_rate < 1% during outge\"")).to_string();
    assert!(shown.contains("did you mean \"outage\"?"), "{shown}");
    // The store is there only in the design that the expectation is for.
    let spare = "[axes.isolation]\nshared = {}\nspare = { stores.spare = {}, fleets.collectors.calls.other = { work = \"1ms\", asks = \"spare\" } }\n\
                 [[expect]]\nalways = \"stores.spare.queries < 10\"\nof = { isolation = \"spare\" }";
    assert_eq!(good(&day_and(spare)).expect.len(), 1);
    assert!(good_with(&day_and(spare), &[], &["spare"]).expect[0].applies);
    // A misspelt metric is one in every design.
    assert_eq!(sole(&day_and(&spare.replace("queries", "queris"))), "no metric \"queris\" of stores.spare");
    // Escapes move the words; the caret then marks the whole string.
    let escaped = bad(&entry("always = \"track.dropped_rate \\u003c 5\"")).to_string();
    assert!(escaped.contains("a share looks like"), "{escaped}");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig {
        cases: 2000, rng_seed: proptest::test_runner::RngSeed::Fixed(7), failure_persistence: None, ..Default::default()
    })]

    /// Whatever words come in whatever order: a condition or a mistake with a place, and never a panic.
    #[test]
    fn any_words_are_a_condition_or_a_mistake(words in proptest::collection::vec(0..WORDS.len(), 0..9), glue in "[ \\t]{0,2}") {
        let condition: Vec<&str> = words.iter().map(|word| WORDS[*word]).collect();
        let condition = condition.join(&glue);
        match try_with(&entry(&format!("always = '{condition}'")), &[], &[]) {
            Ok(scenario) => proptest::prop_assert_eq!(&scenario.expect[0].text, condition.trim()),
            Err(mistakes) => proptest::prop_assert!(mistakes.to_string().contains("my.toml:"), "{}", mistakes),
        }
    }
}

const WORDS: &[&str] = &[
    "track.dropped_rate",
    "rotation.flaps_per_hour",
    "stores.events.queries",
    "track.recovery",
    ".",
    "",
    "é",
    "\u{202e}",
    "<",
    "<=",
    "!",
    "==",
    "0.1%",
    "1e999",
    "-5",
    "10min",
    "11:50",
    "2k",
    "NaN",
    "during",
    "over",
    "outage",
    "after",
    "from",
    "within",
    "run",
    "and",
];
