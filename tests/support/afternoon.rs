//! The October day without its morning and evening, for tests that need the outage and not the whole day.

use super::support::scenario;
use brownout::scenarios::Scenario;

/// The day from 11:30 until `to`, with the window from 11:45 on. The ids left at 11:30 are such that the last is used
/// up at 11:46, and the store is repaired at 17:50, as on the day.
pub fn afternoon(to: &str, design: &[&str], set: &[&str]) -> Scenario {
    let span = format!(r#"span = {{ from = "2015-10-28 11:30", to = "2015-10-28 {to}" }}"#);
    let window = format!(r#"window = {{ from = "11:45", to = "{to}" }}"#);
    // What numbers of the file are calibrated to must be there, though it is not what is looked at here.
    let evidence = r#"evidence = [
        { id = "E2", says = "dropped", metric = "track.dropped_rate", observed = "54%" },
        { id = "E6", says = "stable", metric = "all.failing_until", observed = "11:46" },
    ]"#;
    // 16 minutes at 1,413 ids a second for the background and 15 for identify calls, above the last million.
    let ids_left = "stores.identify.headroom.at_start = 2.371M";
    let repaired = r#"timeline = [
        { when = "stores.identify.stop", do = "maintenance", store = "identify", takes = "6h4min" },
    ]"#;
    scenario("october-28.toml", design, &[&[&span, &window, evidence, ids_left, repaired], set].concat())
}
