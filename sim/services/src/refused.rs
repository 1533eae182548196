//! What of a scenario the services cannot do, by name.

use brownout_models::component::operator::Action;
use brownout_models::fault::Fault;
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
    for (number, entry) in spec.timeline.iter().enumerate().filter(|(_, entry)| entry.enabled) {
        match &entry.action {
            Action::Fault(fault, _) if !can(fault) => {
                let why = format!("the fault `{}` has no counterpart here", fault.word());
                no(format!("timeline.{}", number + 1), &why);
            }
            _ => {}
        }
    }
    found
}

/// Whether a fault has a counterpart.
fn can(fault: &Fault) -> bool {
    !matches!(fault, Fault::WorkerLeak(_) | Fault::MemoryLeak(_) | Fault::CheckStorm(_))
}
