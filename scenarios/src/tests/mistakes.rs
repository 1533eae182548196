//! One test per class of mistake.

use super::*;

#[test]
fn a_mistake_is_shown_with_file_line_caret_and_repair() {
    let text = DAY.replace("health = \"haproxy\"", "[balancer.health]\nintervall = \"5s\"");
    let expected = "\
error: unknown key `intervall` in [balancer.health]
  --> my.toml:12:1
   |
12 | intervall = \"5s\"
   | ^^^^^^^^^ help: did you mean `interval`?
1 error; nothing was run";
    assert_eq!(bad(&text).to_string(), expected);
    assert!(bad(&text).render(true).contains("\u{1b}["), "colours are there on demand");
}

#[test]
fn all_mistakes_come_at_once_in_order_of_their_place() {
    let text = DAY
        .replace("title = \"a day\"", "title = 3")
        .replace("\"280/s\"", "280")
        .replace("count = 4", "count = -4")
        .replace("do = \"refuse\"", "do = \"refuze\"");
    let found = bad_with(&text, &["fleets.collectors.workers=many"], &["bulkhead"]);
    let expected = [
        "expected a string, found a whole number",
        "a rate needs a unit",
        "a count must not be negative",
        "nothing can do \"refuze\"",
        "expected a whole number, found a string",
        "no design \"bulkhead\"",
    ];
    assert_eq!(found.messages(), expected);
    assert_eq!(found.count(), 6);
    assert!(found.render(false).ends_with("6 errors; nothing was run"));
}

#[test]
fn of_very_many_mistakes_the_rest_is_counted() {
    let text: String = (0..80).map(|i| format!("zzz{i} = 1\n")).collect();
    let found = bad(&format!("{text}{BARE}"));
    assert_eq!(found.count(), 80);
    assert!(found.render(false).ends_with("and 30 more\n80 errors; nothing was run"));
}

#[test]
fn syntax_errors_are_reported_together_and_alone() {
    let found = bad("brownout = 1\ntitle = \nspan = 1 2\nunknown = 3\n");
    assert_eq!(found.count(), 2, "{found}");
    assert!(found.to_string().contains("my.toml:2:"), "{found}");
    assert!(found.to_string().contains("my.toml:3:"), "{found}");
    assert!(bad("a = 1\na = 2\n").messages()[0].contains("duplicate key"));
}

#[test]
fn a_date_without_quotes_is_shown_how_to_be_written() {
    let found = bad(&DAY.replace("at = \"11:46\"", "at = 11:46:00"));
    assert_eq!(found.messages(), ["write times as strings"]);
    assert!(found.to_string().contains("help: \"11:46:00\""));
}

#[test]
fn integers_may_have_any_radix_but_must_fit() {
    assert_eq!(good(&DAY.replace("count = 4", "count = 0x1_0")).plan.spec.fleets.0[0].1.count, 16);
    let found = bad(&DAY.replace("count = 4", "count = 99_999_999_999_999_999_999"));
    assert!(found.messages().contains(&"this whole number is too large".into()), "{found}");
    assert!(bad(&day_and("[network.clients]\nlatency = inf")).to_string().contains("this number is not finite"));
}

#[test]
fn the_format_must_be_named_and_known() {
    assert_eq!(sole(&BARE.replace("brownout = 1\n", "")), "`brownout` is missing");
    assert_eq!(sole(&BARE.replace("brownout = 1", "brownout = 2")), "format 2 is not known to this version");
    assert_eq!(sole(&BARE.replace("title = \"bare\"\n", "")), "`title` is missing");
    assert_eq!(sole(&BARE.replace("span = \"130s\"\n", "")), "`span` is missing");
}

#[test]
fn an_unknown_key_at_the_top_is_compared_with_all_that_may_stand_there() {
    let found = bad(&BARE.replace("[fleets.", "[fleeets.spare]\n[fleets."));
    assert_eq!(found.messages(), ["unknown key `fleeets`"]);
    assert!(found.to_string().contains("did you mean `fleets`?"));
}

#[test]
fn units_are_required_and_negative_amounts_refused() {
    assert_eq!(sole(&BARE.replace("\"10/s\"", "\"10\"")), "a rate needs a unit: \"10/s\" or \"10/min\"");
    assert_eq!(sole(&BARE.replace("\"10/s\"", "\"-10/s\"")), "a rate must not be negative");
    assert_eq!(sole(&BARE.replace("\"4ms\"", "4")), "a duration needs a unit");
}

#[test]
fn references_that_lead_nowhere_name_the_nearest() {
    let found = bad(&DAY.replace("appends = \"events\"", "appends = \"event\""));
    assert_eq!(found.messages(), ["no store \"event\""]);
    assert!(found.to_string().contains("did you mean \"events\"?"));
}

#[test]
fn triggers_in_a_circle_are_found() {
    let found = bad(&day_and(
        "[[timeline]]\nid = \"a\"\nwhen = \"done:b\"\ndo = \"note\"\nsays = \"x\"\n[[timeline]]\nid = \"b\"\nwhen = \"done:a\"\ndo = \"note\"\nsays = \"y\"",
    ));
    assert_eq!(found.messages(), ["`done:b` waits, in a circle, for its own end"]);
}

#[test]
fn designs_based_on_each_other_in_a_circle_are_found_where_they_say_so() {
    let text = day_and("[designs.a]\nbased_on = \"b\"\n[designs.b]\nbased_on = \"a\"\n[designs.c]\nbased_on = \"a\"");
    let found = bad(&text);
    let expected = ["design `a` is based on itself: a -> b -> a", "design `b` is based on itself: b -> a -> b"];
    assert_eq!(found.messages(), expected);
    assert!(found.to_string().contains("based_on = \"b\"\n   |            ^^^"), "{found}");
    assert_eq!(sole(&day_and("[designs.a]\nbased_on = \"A\"")), "no design \"A\"");
    assert_eq!(sole(&day_and("[designs.a]\nbased_on = 3")), "expected a string, found a whole number");
}

#[test]
fn an_unknown_design_lists_what_there_is() {
    let text = day_and("[axes.isolation]\nshared = {}\nbulkhead = {}\n[designs.fixed]");
    let found = bad_with(&text, &[], &["bulkhed"]);
    assert!(found.to_string().contains("1 | bulkhed\n  | ^^^^^^^ help: did you mean \"bulkhead\"?"), "{found}");
    assert!(bad_with(&text, &[], &["zzz"]).to_string().contains("there are: shared, bulkhead, fixed"));
    assert_eq!(only(bad_with(&text, &[], &["isolatoin=shared"])), "no axis \"isolatoin\"");
    assert_eq!(only(bad_with(&text, &[], &["isolation=none"])), "axis `isolation` has no point \"none\"");
    let both = bad_with(&text, &[], &["shared,bulkhead"]);
    assert_eq!(only(both), "two points of axis `isolation` chosen: bulkhead and shared");
}

#[test]
fn a_point_of_two_axes_must_be_named_with_its_axis() {
    let text = day_and("[axes.a]\nnone = {}\n[axes.b]\nnone = {}");
    assert!(bad_with(&text, &[], &["none"]).to_string().contains("it may be a=none or b=none"));
    assert_eq!(good_with(&text, &[], &["b=none"]).design, "b=none");
}

#[test]
fn overlays_are_checked_even_if_nobody_chooses_them() {
    let text = day_and("[axes.isolation]\nbulkhead = { fleets.collectors.wrokers = 3 }\n[designs.x]\nfleet.y = 1");
    assert_eq!(bad(&text).messages(), ["unknown key `wrokers` in [fleets.collectors]", "unknown key `fleet`"]);
    assert_eq!(
        sole(&day_and("[axes.isolation]\nbulkhead = 3")),
        "a point of axis `isolation` must be a table, found a whole number"
    );
    assert_eq!(sole(&day_and("[axes.isolation]\ndefault = \"x\"\ny = {}")), "axis `isolation` has no point \"x\"");
    assert_eq!(sole(&BARE.replace("[clients", "axes = 3\n[clients")), "expected a table of axes, found a whole number");
}

#[test]
fn a_setting_by_hand_is_checked_like_the_file() {
    let found = bad_with(DAY, &["fleets.collectors.wrkers=8"], &[]);
    let expected = "\
error: unknown key `wrkers` in [fleets.collectors]
 --> --set:1:19
  |
1 | fleets.collectors.wrkers=8
  |                   ^^^^^^ help: did you mean `workers`?
1 error; nothing was run";
    assert_eq!(found.to_string(), expected);
    assert_eq!(only(bad_with(DAY, &["fleets.colectors.workers=8"], &[])), "no fleet \"colectors\"");
    assert_eq!(only(bad_with(DAY, &["fleeets.collectors.workers=8"], &[])), "unknown key `fleeets`");
    assert_eq!(only(bad_with(DAY, &["fleets.collectors.calls.trak.work=8ms"], &[])), "no kind of call \"trak\"");
    assert_eq!(only(bad_with(DAY, &["timeline.7.at=12:00"], &[])), "no entry \"7\"");
    assert_eq!(only(bad_with(DAY, &["workers"], &[])), "a setting needs a path and a value");
    assert_eq!(only(bad_with(DAY, &["a..b=1"], &[])), "this is not a path of keys");
    assert_eq!(only(bad_with(DAY, &["a]\n[b=1"], &[])), "this is not a path of keys");
    assert_eq!(only(bad_with(DAY, &["clients.browsers.rate.x=1"], &[])), "expected a string, found a table");
    assert_eq!(only(bad_with(DAY, &["balancer.health.interval=5"], &[])), "a duration needs a unit");
}

#[test]
fn a_file_that_cannot_be_read_is_a_diagnostic_too() {
    let load = |path: &Path| crate::load(&crate::Request { path, set: &[], design: &[] }).expect_err("a mistake");
    let found = load(Path::new("no/such.toml"));
    assert!(found.to_string().starts_with("error: cannot read no/such.toml: No such file"), "{found}");
    assert!(load(Path::new(".")).to_string().contains("it is a directory"));
    assert_eq!(found.count(), 1);
}

#[test]
fn steps_are_neither_too_short_nor_too_many() {
    let found = bad(&DAY.replace("[clients", "step = \"0.5s\"\n[clients"));
    assert_eq!(found.messages(), ["`step` = 0.5s is out of range"]);
    let long = BARE.replace("130s", "1000h").replace("[clients", "step = \"1s\"\n[clients");
    let found = bad(&long);
    assert_eq!(found.messages(), ["3600000 steps of 1s are more than the 100000 supported"]);
    assert!(found.to_string().contains("help: step = \"36s\" or more"));
}
