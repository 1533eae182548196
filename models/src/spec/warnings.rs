//! What a reader of a file should know although it can be run: a number or a name that does not mean what it seems to.
//!
//! Each warning is one function here and one line in [`ALL`]. It looks at the world and at what the file says of it
//! ([`Scope::written`], [`Scope::place`]), and gives the place, what is wrong, and what to do. Keys without effect are not
//! its business: they are declared beside the keys (see [`crate::setting::Effect`]).

use super::{WorldSpec, products};
use crate::component::operator::{Action, Entry};
use crate::fault::Fault;
use crate::policy::balance::Algorithm;
use crate::setting::{Data, Problem, Scope, Setting};

/// A warning: nothing, or one problem for each place.
pub(super) type Warning = fn(&Scope<'_>) -> Vec<Problem>;

/// Every warning.
pub(super) const ALL: &[Warning] = &[
    unanswered_statuses,
    powerless_outliers,
    envoys_words,
    unaffordable_retries,
    products::older_names,
    products::no_kubelet,
];

/// Statuses that a server of this model answers with by itself.
const ANSWERED: [u16; 4] = [200, 499, 500, 503];

/// Statuses that servers answer with because they are bad.
fn bad_statuses(world: &WorldSpec) -> Vec<u16> {
    let of_fault = |entry: &Entry| match &entry.action {
        Action::Fault(Fault::BadAnswers(bad), _) => Some(bad.status),
        _ => None,
    };
    let of_fleets = world.fleets.iter().filter_map(|(_, fleet)| fleet.bad.as_ref().map(|bad| bad.status));
    world.timeline.iter().filter_map(of_fault).chain(of_fleets).collect()
}

/// `retry_statuses` are those of servers; what the balancer answers by itself is not tried again.
fn unanswered_statuses(at: &Scope<'_>) -> Vec<Problem> {
    const PATH: &str = "balancer.retry_statuses";
    let Some(Data::List(items)) = at.written(PATH).map(|value| &value.data) else { return Vec::new() };
    let statuses = at.world.balancer.retry_statuses.iter().zip(items);
    let bad = bad_statuses(at.world);
    let is_answered = |status: &u16| ANSWERED.contains(status) || bad.contains(status);
    let never = statuses.filter(|(status, _)| !is_answered(status) && (400..=599).contains(*status));
    let warn = |(status, item): (&u16, &crate::setting::Value)| Problem {
        span: item.span,
        message: format!("no server here answers {status}"),
        help: Some("servers answer 500 and 503; what the balancer answers by itself is not tried again".into()),
    };
    never.map(warn).collect()
}

/// Outlier detection whose limit on ejected hosts lets none go: Envoy's 10% with fewer than ten hosts.
fn powerless_outliers(at: &Scope<'_>) -> Vec<Problem> {
    const PATH: &str = "balancer.health.outlier";
    let Some(outlier) = at.world.balancer.health.outlier.as_ref().filter(|_| at.written(PATH).is_some()) else {
        return Vec::new();
    };
    let Some(most) = at.world.fleets.iter().map(|(_, fleet)| fleet.count).max() else { return Vec::new() };
    if outlier.lets_one_out(most) {
        return Vec::new();
    }
    vec![Problem {
        span: at.place(PATH),
        message: format!("outlier detection ejects none of {most} servers"),
        help: Some(format!("`max_share` = {} lets none go: raise it, or set `at_least_one`", outlier.max_share.show())),
    }]
}

/// What of an Envoy is likely to be meant by something else than the key that was written.
fn envoys_words(at: &Scope<'_>) -> Vec<Problem> {
    let is_envoy = match at.written("balancer.preset").map(|value| &value.data) {
        Some(Data::Text(name)) => matches!(name.as_str(), "envoy" | "istio"),
        _ => false,
    };
    let balancer = &at.world.balancer;
    let least = is_envoy && balancer.algorithm == Algorithm::LeastRequests;
    let of_host = is_envoy && balancer.max_connections.is_some();
    let warn = |is: bool, path: &str, message: &str, help: &str| {
        is.then(|| Problem { span: at.place(path), message: message.into(), help: Some(help.into()) })
    };
    let found = [
        warn(
            least,
            "balancer.algorithm",
            "Envoy does not look for the host with the fewest requests",
            "LEAST_REQUEST takes the less loaded of two drawn at random: \"two-choices\"",
        ),
        warn(
            of_host,
            "balancer.max_connections",
            "this is a limit of each host, as of `per_host_thresholds`",
            "the circuit breakers of the cluster are `fleet_limits`",
        ),
    ];
    found.into_iter().flatten().collect()
}

/// A budget in which no retry has its price.
fn unaffordable_retries(at: &Scope<'_>) -> Vec<Problem> {
    let mut found = Vec::new();
    for (name, clients) in at.world.clients.iter() {
        let Some(budget) = clients.retry.budget.as_ref().filter(|_| clients.retry.retries > 0) else { continue };
        if budget.cost.min(budget.timeout_cost) > budget.capacity {
            let path = format!("clients.{name}.retry.budget.capacity");
            let message = format!("no retry of `{name}` is ever sent");
            let price = budget.cost.min(budget.timeout_cost);
            let help =
                Some(format!("one costs {price} tokens, and the bucket never holds more than {}", budget.capacity));
            found.push(Problem { span: at.place(&path), message, help });
        }
    }
    found
}
