//! Warnings where a scenario leans on what the model of a product leaves out, or names one by an older name.
//!
//! A preset's text says what of its product is not modelled. Here stand the cases in which that changes the answer, so that
//! nobody takes the number for the product's. Checks with Kubernetes' numbers (preset `kubernetes-numbers`) are recognized
//! by `follows_process`, which no other product has.

use crate::component::collector::CheckKind;
use crate::component::operator::{Action, Entry};
use crate::fault::{Fault, Target};
use crate::setting::{Data, Problem, Scope};
use crate::spec::WorldSpec;
use crate::units::Ns;

/// How far from the clients the balancer is, as links count it; what lies behind it is a fleet.
const BALANCER_RANK: usize = 1;

/// From this delay on a restart does not look like a kubelet's, but like that of a pod put elsewhere. (time)
const NODE_IS_GONE_AFTER: Ns = Ns::secs(40);

/// Older names, by the path of the key: what a file may still say, and what to say instead.
const OLDER_NAMES: &[(&str, &str, &str)] = &[
    ("balancer.redispatch", "last", "write redispatch = \"haproxy-before-2.7\", or \"haproxy\" for later versions"),
    (
        "balancer.redispatch",
        "every",
        "write redispatch = \"haproxy-before-2.7\", or \"haproxy\" for later versions, with redispatch_interval = 1",
    ),
    ("balancer.health", "kubernetes-readiness", READINESS),
    ("balancer.health.preset", "kubernetes-readiness", READINESS),
];

const READINESS: &str = "write \"kubernetes-numbers\": these are the numbers of a readiness probe, but the balancer checks, not \
                         the kubelet of the pod's node, and it acts on what it sees at once";

/// A name that goes on meaning what it did, but says less than the newer one.
pub(super) fn older_names(at: &Scope<'_>) -> Vec<Problem> {
    let written = |path: &str, name: &str| match at.written(path).map(|value| (&value.data, value.span)) {
        Some((Data::Text(text), span)) if text == name => Some(span),
        _ => None,
    };
    let warn = |(path, name, help): &(&str, &str, &str)| {
        let message = format!("\"{name}\" is an older name");
        written(path, name).map(|span| Problem { span, message, help: Some((*help).into()) })
    };
    OLDER_NAMES.iter().filter_map(warn).collect()
}

/// What a balancer with Kubernetes' numbers sees and a kubelet does not, or the other way round.
pub(super) fn no_kubelet(at: &Scope<'_>) -> Vec<Problem> {
    let health = &at.world.balancer.health;
    if !health.enabled || !health.follows_process {
        return Vec::new();
    }
    let entries = at.world.timeline.iter().enumerate().filter(|(_, entry)| entry.enabled);
    let of_entry = |(number, entry): (usize, &Entry)| {
        let (message, help) = differs(at.world, entry)?;
        Some((format!("timeline.{number}"), message, help))
    };
    let found = entries.filter_map(of_entry).chain(no_liveness(at.world));
    let problem = |(path, message, help): (String, &str, &str)| Problem {
        span: at.place(&path),
        message: message.into(),
        help: Some(help.into()),
    };
    found.map(problem).collect()
}

/// What is different about an entry of the timeline, and what to do.
fn differs(world: &WorldSpec, entry: &Entry) -> Option<(&'static str, &'static str)> {
    let Action::Fault(fault, _) = &entry.action else { return None };
    match (fault, fault.target()) {
        (Fault::CheckerStopped(_) | Fault::CheckStorm(_) | Fault::ConfigPush(_), _) => Some((
            "Kubernetes has no one checker to which this could happen: each node's kubelet probes its own pods",
            "to say something of a balancer that checks by itself, use its preset",
        )),
        (_, Target::Link { from, to, .. }) if from.rank().min(to.rank()) == BALANCER_RANK => Some((
            "a kubelet probes from the pod's own node: it does not see this, and the pods stay ready for as long as it lasts",
            "here the balancer's own checks take them out; health = { enabled = false } shows what calls lose if no check sees it",
        )),
        (Fault::Crash(_), Target::Servers { fleet, .. }) if restarts_late(world, &fleet.text) => Some((
            "if this stands for a node that dies: its kubelet dies too, and its pods stay endpoints for 40s to 50s",
            "here the process is out at once; health = { enabled = false } shows what calls lose in that time",
        )),
        _ => None,
    }
}

/// Whether a process that dies there stays away for so long that it must be its node that is gone.
fn restarts_late(world: &WorldSpec, fleet: &str) -> bool {
    let fleet = world.fleets.get(fleet);
    fleet.is_some_and(|fleet| fleet.restart.delay.plus(fleet.restart.boot) >= NODE_IS_GONE_AFTER)
}

/// Checks that look at a store which gets into trouble: where a liveness probe asks the same, it kills.
fn no_liveness(world: &WorldSpec) -> Option<(String, &'static str, &'static str)> {
    let troubled = world.timeline.iter().any(|entry| {
        entry.enabled && matches!(&entry.action, Action::Fault(fault, _) if matches!(fault.target(), Target::Store(_)))
    });
    let looks = |kind: CheckKind| matches!(kind, CheckKind::Deep | CheckKind::Cached);
    let (name, _) = world.fleets.iter().find(|(_, fleet)| troubled && looks(fleet.health.kind))?;
    Some((
        format!("fleets.{name}.health"),
        "no failed check ever stops a process here: a liveness probe that asks the same store kills every pod, again and \
         again, while the store is bad, and what they were serving is lost",
        "liveness is not modelled: take this for readiness alone",
    ))
}
