//! Load balancers as they come.

use super::{Balancer, Place, Surge};
use crate::policy::balance::{Algorithm, Ties};
use crate::policy::health::HealthCheck;
use crate::policy::keep_alive::KeepAlive;
use crate::policy::limits::FleetLimits;
use crate::policy::redispatch::{Redispatch, Retries};
use crate::policy::resend::{RetryOn, RetryPause};
use crate::setting::Preset;
use crate::units::Ns;

/// Every preset: the product as it comes, dated and cited, and what of it is not modelled.
pub const PRESETS: &[Preset<Balancer>] = &[
    Preset {
        name: "direct",
        doc: "No product: each calling process holds the list of servers and takes them in turn, without checks and without \
              tries of its own; how long it waits, and how often it tries again, the step that asks says. Only for a fleet's \
              own `balancer`.",
        make: Balancer::direct,
    },
    Preset {
        name: "haproxy",
        doc: "HAProxy 2.6 (2022) as it comes: round robin, 3 retries on connection failures, all at the same server, for \
              `option redispatch` is off (redispatch = \"haproxy-before-2.7\", or \"haproxy\" from 2.7 on, turns it on); 503 \
              where no connection comes about, 502 where it breaks, 504 after `timeout server`; a client that leaves is not \
              noticed (`abortonclose` is off before 3.3); health checks as preset `haproxy`. Its timeouts have no defaults: \
              set connect_timeout and idle_timeout. Source: doc/configuration.txt, src/proxy.c, src/backend.c. Not \
              modelled: the bare close with which it answers when a reused connection breaks, `maxqueue`, `retry-on`'s need of \
              the whole request in a buffer, `junk-response`, cookies, its own `maxconn`.",
        make: || Balancer {
            ties: Ties::Longest,
            distinct_choices: false,
            health: HealthCheck::haproxy(),
            redispatch: Redispatch::Never,
            ..Balancer::default()
        },
    },
    Preset {
        name: "classic-elb-2015",
        doc: "AWS Classic Load Balancer as of October 2015: idle timeout 60s (504), surge queue of 1,024 calls, 503 when no \
              instance is healthy, 504 when an instance closes the connection, health checks as preset `classic-elb-2015`. Its \
              algorithm for HTTP is least outstanding requests. Source: AWS user guide for Classic Load Balancers. That it \
              retries connections is in the guide (metric BackendConnectionErrors); how often, where and after how long is \
              not: three further tries within 1s each are assumed. Not modelled: its nodes (each checks and balances for \
              itself), zones, DNS.",
        make: || Balancer {
            algorithm: Algorithm::LeastRequests,
            health: HealthCheck::classic_elb_2015(),
            redispatch: Redispatch::HaproxyBefore27,
            queue: Surge { limit: Some(1024), timeout: None },
            idle_timeout: Some(Ns::secs(60)),
            broken_status: 504,
            ..Balancer::default()
        },
    },
    Preset {
        name: "alb",
        doc: "AWS Application Load Balancer (2016 and later): round robin, connect timeout 10s (504), idle timeout 60s (504), 502 \
              where a target refuses, resets or closes the connection, 503 with no target registered, no retries, health checks \
              as preset `alb`. Source: AWS user guide for Application Load Balancers. Not modelled: its nodes (each checks \
              and balances for itself), zones and DNS failover, deregistration, anomaly mitigation.",
        make: || Balancer {
            health: HealthCheck::alb(),
            connect_timeout: Ns::secs(10),
            retries: Retries::Count(0),
            redispatch: Redispatch::Never,
            idle_timeout: Some(Ns::secs(60)),
            refused_status: Some(502),
            connect_timeout_status: Some(504),
            ..Balancer::default()
        },
    },
    Preset {
        name: "envoy",
        doc: "Envoy 1.40 (2026): round robin, connect timeout 5s, route timeout 15s over all tries (call_timeout; 504), no per-try \
              timeout (idle_timeout), 503 where a connection fails, breaks or no host is healthy, no retries unless `retries` \
              gives their number: then, unless `retry_on` says otherwise, after failed connects, each to a host drawn \
              afresh, which may be the same, after a back-off of 25ms that doubles up to 250ms with full jitter, at most 3 at \
              once; the cluster's circuit breakers at 1,024 connections, pending calls and requests (fleet_limits); \
              LEAST_REQUEST is \"two-choices\"; health checks as preset `envoy`. Source: Envoy's cluster.proto, \
              route_components.proto and circuit_breaker.proto, router_filter.rst, \
              source/common/router/retry_state_impl.cc, source/common/conn_pool/conn_pool_base.cc. Not modelled: other host \
              predicates than `previous_hosts` (redraws), idle connections among those that the breakers count, calls that fail \
              because another's connect to their host does, hedging, workers that balance for themselves.",
        make: envoy,
    },
    Preset {
        name: "istio",
        doc: "Istio 1.24 (2024) and later, its sidecars: Envoy with least-request balancing (two draws), connect timeout 10s, no \
              route timeout, 2 retries after failed connects, each to a host drawn up to 5 times anew where the call has been \
              (redraws), no bound on retries at once, circuit breakers off; nobody is ejected unless `outlier` is set, and then no \
              panic threshold (minHealthPercent 0). Source: pilot/pkg/networking/core (retry.go, cluster_traffic_policy.go), \
              networking/v1alpha3/destination_rule.proto. Not modelled: as `envoy`; retries by gRPC status and after refused \
              streams, 503 as a retried status (up to 1.23: retry_statuses), the sidecar's own time, locality.",
        make: || Balancer {
            algorithm: Algorithm::TwoChoices,
            health: HealthCheck { enabled: false, fail_open_below: None, ..HealthCheck::envoy() },
            connect_timeout: Ns::secs(10),
            retries: Retries::Count(2),
            redraws: 5,
            retries_at_once: None,
            fleet_limits: None,
            call_timeout: None,
            ..envoy()
        },
    },
    Preset {
        name: "nginx",
        doc: "nginx 1.22 (2022), open source: round robin, proxy_connect_timeout and proxy_read_timeout 60s, a failed \
              connection goes on at once to each other server once (proxy_next_upstream error timeout, tries 0), and so does \
              a call that reads whose answer does not come in time or whose connection breaks; then 504 if \
              the last failure was a timeout, else 502; closes the connection to the server when its client leaves; health as \
              preset `nginx`. Source: ngx_http_proxy_module, ngx_http_upstream.c, ngx_http_upstream_round_robin.c. Not modelled: \
              `invalid_header`, backup servers, the loss of weight after a \
              failure, workers that count for themselves.",
        make: || nginx(HealthCheck::nginx()),
    },
    Preset {
        name: "nginx-before-1.11.5",
        doc: "nginx before 1.11.5 (October 2016): as `nginx`, with health as preset `nginx-before-1.11.5`. Source: \
              ngx_http_upstream_round_robin.c of 1.9.4. Not modelled: as there.",
        make: || nginx(HealthCheck::nginx_before_1_11_5()),
    },
    Preset {
        name: "nginx-from-1.29.7",
        doc: "nginx 1.29.7 (March 2026) and later: as `nginx`, with connections to servers that are kept as `keep_alive` = \"nginx\" has it. \
              Source: ngx_http_upstream_keepalive_module.c, commits 4fbe4b6 and 6bb27a6. Not modelled: as there.",
        make: || Balancer { keep_alive: Some(KeepAlive::nginx()), ..nginx(HealthCheck::nginx()) },
    },
];

fn envoy() -> Balancer {
    Balancer {
        distinct_choices: false,
        health: HealthCheck::envoy(),
        connect_timeout: Ns::secs(5),
        retries: Retries::Count(0),
        redispatch: Redispatch::Afresh,
        retry_on: vec![RetryOn::ConnectFailure],
        retry_pause: Some(RetryPause::default()),
        retries_at_once: Some(3),
        fleet_limits: Some(FleetLimits::default()),
        idle_timeout: None,
        call_timeout: Some(Ns::secs(15)),
        abort_on_close: true,
        close_on_departure: true,
        broken_status: 503,
        ..Balancer::default()
    }
}

impl Balancer {
    /// No proxy: each calling process balances for itself, in turn, and learns nothing.
    pub fn direct() -> Balancer {
        Balancer {
            place: Place::Caller,
            health: HealthCheck { enabled: false, ..HealthCheck::default() },
            connect_timeout: Ns::secs(3600),
            retries: Retries::Count(0),
            idle_timeout: None,
            abort_on_close: true,
            close_on_departure: true,
            ..Balancer::default()
        }
    }
}

fn nginx(health: HealthCheck) -> Balancer {
    Balancer {
        ties: Ties::Smooth,
        health,
        connect_timeout: Ns::secs(60),
        retries: Retries::EachServer,
        redispatch: Redispatch::Untried,
        retry_on: vec![RetryOn::Error, RetryOn::Timeout],
        idle_timeout: Some(Ns::secs(60)),
        abort_on_close: true,
        close_on_departure: true,
        unavailable_status: 502,
        connect_timeout_status: Some(504),
        ..Balancer::default()
    }
}
