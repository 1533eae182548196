//! When keys of the balancer have an effect.

use super::{Balancer, Surge};
use crate::policy::balance::Algorithm;
use crate::policy::redispatch::{Redispatch, Retries};
use crate::setting::{Scope, Silence, first_of, unless};
use crate::units::Ns;

pub(super) fn asked_by_services(_: &Balancer, at: &Scope<'_>) -> Silence {
    unless(at.name(0) == "fleets", "clients always call through a proxy: it says where a fleet's own `balancer` runs")
}

pub(super) fn has_a_choice(_: &Balancer, at: &Scope<'_>) -> Silence {
    unless(!at.world.has_lone_servers(), "each fleet has one server: there is nothing to choose")
}

pub(super) fn breaks_ties(balancer: &Balancer, at: &Scope<'_>) -> Silence {
    let looks = balancer.algorithm == Algorithm::LeastRequests;
    first_of([has_a_choice(balancer, at), unless(looks, "only `algorithm` = \"least-requests\" has ties to break")])
}

pub(super) fn chooses_of_two(balancer: &Balancer, at: &Scope<'_>) -> Silence {
    let draws = balancer.algorithm == Algorithm::TwoChoices;
    first_of([has_a_choice(balancer, at), unless(draws, "only `algorithm` = \"two-choices\" draws two servers")])
}

pub(super) fn hashes(balancer: &Balancer, at: &Scope<'_>) -> Silence {
    let hashes = balancer.algorithm == Algorithm::Hash;
    first_of([has_a_choice(balancer, at), unless(hashes, "only `algorithm` = \"hash\" looks at keys")])
}

pub(super) fn is_marked_down(_: &Balancer, at: &Scope<'_>) -> Silence {
    let health = &at.world.balancer.health;
    unless(health.enabled || health.is_passive(), "no check takes a server out")
}

const NO_RETRIES: &str = "`retries` is 0: no call is tried again";

/// Of connections: whether opening one takes time.
pub(super) fn takes_time(_: &Balancer, at: &Scope<'_>) -> Silence {
    let link = &at.world.network.servers;
    let matters = link.latency > Ns::ZERO || at.world.has_link_faults();
    unless(matters, "`network.servers.latency` is 0s: connecting takes no time")
}

pub(super) fn tries_again(balancer: &Balancer, _: &Scope<'_>) -> Silence {
    let free = balancer.keep_alive.as_ref().is_some_and(|kept| kept.free_retry);
    unless(balancer.retries != Retries::Count(0) || free, NO_RETRIES)
}

pub(super) fn tries_again_or_queues(balancer: &Balancer, _: &Scope<'_>) -> Silence {
    // "untried" also says that calls do not wait for room.
    unless(balancer.retries != Retries::Count(0) || balancer.max_connections.is_some(), NO_RETRIES)
}

pub(super) fn redispatches_as_haproxy(balancer: &Balancer, at: &Scope<'_>) -> Silence {
    let haproxy = matches!(balancer.redispatch, Redispatch::Haproxy | Redispatch::HaproxyBefore27);
    first_of([
        tries_again(balancer, at),
        unless(haproxy, "it is an interval of `redispatch` = \"haproxy\" and \"haproxy-before-2.7\""),
    ])
}

pub(super) fn draws_afresh(balancer: &Balancer, at: &Scope<'_>) -> Silence {
    let afresh = balancer.redispatch == Redispatch::Afresh;
    first_of([tries_again(balancer, at), unless(afresh, "only `redispatch` = \"afresh\" draws a server anew")])
}

pub(super) fn waits_so_long(balancer: &Balancer, _: &Scope<'_>) -> Silence {
    let waits = balancer.idle_timeout.or(balancer.call_timeout).is_some();
    unless(waits, "without `idle_timeout` and `call_timeout` the balancer waits for as long as it takes")
}

pub(super) fn tries_again_or_watches(balancer: &Balancer, at: &Scope<'_>) -> Silence {
    unless(balancer.retries != Retries::Count(0) || at.world.has_passive_checks(), NO_RETRIES)
}

pub(super) fn may_queue(balancer: &Balancer, _: &Scope<'_>) -> Silence {
    first_of([
        unless(balancer.max_connections.is_some(), "without `max_connections` a server always has room"),
        unless(balancer.health.max_fails.is_none(), "with `health.max_fails` no call waits for a server"),
        unless(
            balancer.redispatch != Redispatch::Untried,
            "with `redispatch` = \"untried\" no call waits for a server",
        ),
    ])
}

pub(super) fn notices_departure(balancer: &Balancer, _: &Scope<'_>) -> Silence {
    unless(balancer.abort_on_close, "`abort_on_close` is false: the balancer does not notice that a client has left")
}

pub(super) fn is_replayed(balancer: &Balancer, at: &Scope<'_>) -> Silence {
    let kinds = || balancer.log.iter().flat_map(|log| &log.calls);
    unless(
        kinds().any(|kind| at.world.is_replayed(&kind.text)),
        "the timeline replays none of these calls, so it keeps none",
    )
}

pub(super) fn queues(queue: &Surge, _: &Scope<'_>) -> Silence {
    unless(queue.limit != Some(0), "`limit` is 0: no call waits")
}
