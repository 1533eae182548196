//! When keys of the balancer have an effect: those of choosing a server.

use super::Balancer;
use crate::policy::balance::Algorithm;
use crate::setting::{Scope, Silence, first_of, unless};
use crate::units::Ns;

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

/// Of connections: whether opening one takes time.
pub(super) fn takes_time(_: &Balancer, at: &Scope<'_>) -> Silence {
    let link = &at.world.network.servers;
    let matters = link.latency > Ns::ZERO || at.world.has_link_faults();
    unless(matters, "`network.servers.latency` is 0s: connecting takes no time")
}
