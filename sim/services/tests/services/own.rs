//! A collector of one's own in the place of the built-in one: see `examples/own_collector.rs`, which this runs.

#[path = "../../examples/own_collector.rs"]
mod own_collector;

#[test]
fn a_collector_of_ones_own_is_judged_like_any_other() {
    own_collector::main();
    let [hasty, patient] = own_collector::compare(1);
    let rate = |outcome: &brownout_sim::outcome::Outcome| outcome.calls["track"].failed_rate;
    assert!(rate(&hasty) < 0.02, "with a bulkhead and a timeout of its own tracks go on: {:?}", hasty.calls["track"]);
    assert!(rate(&patient) > 0.3, "without them they do not: {:?}", patient.calls["track"]);
}
