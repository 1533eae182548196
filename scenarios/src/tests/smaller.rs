//! Smaller worlds in proportion.

use crate::{Request, load};
use brownout_models::component::operator::Action;
use std::path::Path;

#[test]
fn a_smaller_world_keeps_and_replays_less_in_proportion() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("october-28.toml");
    let design = ["log-replay".to_string(), "offline-queue".to_string()];
    let set = ["balancer.log.capacity=1000".to_string(), "clients.browsers.offline.capacity=10".to_string()];
    let mut scenario = load(&Request { path: &path, set: &set, design: &design }).unwrap();
    scenario.scale(0.25, "25%").unwrap();
    let spec = &scenario.plan.spec;
    let replays = spec.timeline.iter().filter_map(|entry| match &entry.action {
        Action::Replay(replay) => Some(replay.rate.0),
        _ => None,
    });
    assert_eq!(replays.collect::<Vec<_>>(), [500.0]);
    assert_eq!(spec.balancer.log.as_ref().and_then(|log| log.capacity), Some(250));
    let browsers = spec.clients.get("browsers").unwrap();
    assert_eq!((browsers.rate.0, browsers.offline.as_ref().and_then(|offline| offline.capacity)), (55.0, Some(2)));
}
