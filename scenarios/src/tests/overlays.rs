//! How designs and settings by hand change the base.

use super::*;
use brownout_models::component::collector::CheckKind;
use brownout_models::policy::redispatch::Retries;
use brownout_models::units::{Ns, Rate};

const DESIGNS: &str = r#"
[axes.isolation]
default = "shared"
shared = {}
bulkhead = { fleets.collectors.calls.track.at_most = "10%" }

[axes.checks.fast]
balancer.health.interval = "1s"
[axes.checks.elb]
balancer.health.preset = "classic-elb-2015"
[axes.checks.deep]
fleets.collectors.health = { work = "3ms" }

[designs.small]
fleets.collectors.count = 2
[designs.tiny]
based_on = "small"
fleets.collectors.workers = 1
"#;

#[test]
fn without_a_choice_the_defaults_are_in_force() {
    let scenario = good(&day_and(DESIGNS));
    assert_eq!(scenario.design, "isolation=shared");
    assert_eq!(scenario.axes[0].points, ["shared", "bulkhead"]);
    assert_eq!(scenario.axes[0].default.as_deref(), Some("shared"));
    assert_eq!(scenario.axes[1].default, None);
    assert_eq!(scenario.designs, ["small", "tiny"]);
    assert_eq!(good(DAY).design, "as written");
}

#[test]
fn tables_merge_and_scalars_replace() {
    let scenario = good_with(&day_and(DESIGNS), &[], &["bulkhead"]);
    let plan = &scenario.plan.spec.fleets.0[0].1.calls.0[0].1;
    assert!(plan.at_most.is_some());
    assert!(plan.appends.is_some(), "what the overlay does not name stays");
    assert_eq!(scenario.design, "isolation=bulkhead");
}

#[test]
fn a_word_that_stands_for_a_table_can_be_changed_in_one_key() {
    let faster = good_with(&day_and(DESIGNS), &[], &["fast"]).plan.spec.balancer.health;
    assert_eq!((faster.interval, faster.fall), (Ns::secs(1), 3), "still HAProxy but for the interval");
    let deep = &good_with(&day_and(DESIGNS), &[], &["deep"]).plan.spec.fleets.0[0].1.health;
    assert_eq!((deep.kind, deep.work), (CheckKind::Shared, Ns::millis(3)));
    let whole = DAY.replace("[balancer]\nhealth = \"haproxy\"", "balancer = \"classic-elb-2015\"");
    let whole = whole
        .replace("balancer = \"classic-elb-2015\"\n", "")
        .replace("[clients", "balancer = \"classic-elb-2015\"\n[clients");
    let changed = good_with(&whole, &["balancer.retries=1"], &[]).plan.spec.balancer;
    assert_eq!((changed.retries, changed.queue.limit), (Retries::Count(1), Some(1024)));
}

#[test]
fn a_new_preset_clears_what_the_old_table_set() {
    let text = day_and(DESIGNS).replace("health = \"haproxy\"", "health = { preset = \"haproxy\", fall = 9 }");
    assert_eq!(good(&text).plan.spec.balancer.health.fall, 9);
    assert_eq!(good_with(&text, &[], &["elb"]).plan.spec.balancer.health.fall, 2);
    let by_hand = good_with(&text, &["balancer.health.preset=classic-elb-2015"], &[]);
    assert_eq!(by_hand.plan.spec.balancer.health.fall, 2);
}

#[test]
fn designs_stand_on_what_they_are_based_on_and_above_the_axes() {
    let scenario = good_with(&day_and(DESIGNS), &[], &["tiny", "fast,bulkhead"]);
    let fleet = &scenario.plan.spec.fleets.0[0].1;
    assert_eq!((fleet.count, fleet.workers), (2, 1));
    assert_eq!(scenario.design, "isolation=bulkhead checks=fast tiny");
    let again = good_with(&day_and(DESIGNS), &[], &[&scenario.design]);
    assert_eq!(again.plan.spec, scenario.plan.spec, "the words of a design can be given back");
}

#[test]
fn two_axes_that_write_one_path_are_an_error_unless_one_wins() {
    let text = day_and("[axes.a]\nx = { fleets.collectors.count = 5 }\n[axes.b]\ny = { fleets.collectors.count = 6 }");
    let found = bad_with(&text, &[], &["x,y"]);
    assert_eq!(found.messages(), ["axes `a` and `b` both write fleets.collectors.count"]);
    assert!(found.to_string().contains("wins_over = [\"a\"] in [axes.b]"), "{found}");
    assert_eq!(good_with(&text, &[], &["x"]).plan.spec.fleets.0[0].1.count, 5);
    let text = text.replace("[axes.b]", "[axes.b]\nwins_over = [\"a\"]");
    assert_eq!(good_with(&text, &[], &["x,y"]).plan.spec.fleets.0[0].1.count, 6);
    let wrong = text.replace("wins_over = [\"a\"]", "wins_over = [\"c\"]");
    assert_eq!(sole(&wrong), "no axis \"c\" before `b`");
    // Replacing a table as a whole collides with changing a key of it.
    let text =
        day_and("[axes.a]\nx = { balancer.health.fall = 5 }\n[axes.b]\ny = { balancer.health.preset = \"haproxy\" }");
    assert_eq!(only(bad_with(&text, &[], &["x,y"])), "axes `a` and `b` both write balancer.health.fall");
}

#[test]
fn settings_by_hand_come_last_and_may_index_lists() {
    let set = [
        "fleets.collectors.count=7",
        "clients.browsers.rate=5/s",
        "timeline.0.at=12:00",
        "title = by hand",
        "window.from=11:00",
        "window.to=\"12:30\"",
    ];
    let scenario = good_with(&day_and(DESIGNS), &set, &["small"]);
    assert_eq!(scenario.plan.spec.fleets.0[0].1.count, 7);
    assert_eq!(scenario.plan.spec.clients.0[0].1.rate, Rate(5.0));
    assert_eq!(scenario.title, "by hand");
    assert_eq!(scenario.window, (Ns::secs(5400), Ns::secs(10_800)));
    assert_eq!(scenario.set.len(), 6);
    let brackets = good_with(DAY, &["fleets.collectors.calls={ track = { work = \"1ms\" } }"], &[]);
    assert_eq!(brackets.plan.spec.fleets.0[0].1.calls.len(), 1);
}
