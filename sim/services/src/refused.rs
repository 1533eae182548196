//! What of a scenario the services cannot do, by name.

use brownout_models::spec::WorldSpec;

/// Every part of a world that the services would have to ignore: its path in the file, and why.
pub fn refused(spec: &WorldSpec) -> Vec<String> {
    let mut found = Vec::new();
    let mut no = |path: String, why: &str| found.push(format!("`{path}`: {why}"));
    let balancer = &spec.balancer;
    if balancer.health.observe.is_some() && balancer.health.fast_interval.is_some() {
        no("balancer.health.fast_interval".into(), "with `observe`, no check is brought forward here");
    }
    for (name, fleet) in spec.fleets.iter() {
        if fleet.notices_departure {
            no(
                format!("fleets.{name}.notices_departure"),
                "a server does not look whether the other side has left here",
            );
        }
    }
    found
}
