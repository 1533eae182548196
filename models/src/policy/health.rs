//! Active health checks: when to check a server, and when it leaves and re-enters rotation.
//!
//! One state machine serves every preset; a preset is a named, dated bundle of its parameters. The
//! counter is HAProxy's (doc/configuration.txt and src/check.c of 2.6): `health` runs from 0 to
//! `rise + fall - 1`, a server is up while `health >= rise`, one failure during recovery starts over, one
//! pass restores all credit of a server that is up. With `fall` and `rise` read as "consecutive failures"
//! and "consecutive passes" it is also the machine of AWS's Classic Load Balancer.
//!
//! Beside the checks stand what else decides who gets calls: fail-open ([`super::fail_open`]), passive checks
//! ([`super::outlier`], [`super::max_fails`], [`super::observe`]) and slow start ([`super::balance::Easing`]).
//!
//! Not modelled here: agent checks, gRPC checks.

use super::balance::SlowStart;
use super::fail_open::FailOpenBelow;
use super::max_fails::MaxFails;
use super::observe::Observe;
use super::outlier::Outlier;
use crate::setting::{Preset, Scope, Silence, always, first_of, unless};
use crate::units::{Ns, Share};
use crate::{choices, settings};

choices! {
    /// From which end of a check the interval to the next is counted.
    pub enum Pace = FromEnd {
        /// The next check starts one interval after the last one ended, so a check that times out delays it.
        FromEnd = "from-end",
        /// Checks start one interval apart, however long they take.
        FromStart = "from-start",
    }
}

choices! {
    /// State of a server when the run begins.
    pub enum Initial = Up {
        /// In rotation at once, with full credit.
        Up = "up",
        /// Out of rotation until it has passed `rise` checks, or its first, with `first_pass`.
        Down = "down",
    }
}

settings! {
    /// Active health checks of the balancer. `preset` names a product's defaults; other keys change them.
    pub struct HealthCheck (presets = PRESETS) {
        /// Time between checks of a server in a steady state. (time)
        pub interval: Ns = Ns::secs(2), "1ms" ..= "1h" => checks;
        /// Interval while a server is going down or coming up; none: as `interval` (HAProxy `fastinter`). (time)
        pub fast_interval: Option<Ns> = None, "1ms" ..= "1h" => is_ever_between;
        /// Interval while a server is fully down; none: as `interval` (HAProxy `downinter`). (time)
        pub down_interval: Option<Ns> = None, "1ms" ..= "1h" => checks;
        /// Interval as long as no call has come to a fleet; none: as later. The balancer, which has run for long when the run
        /// begins, then has had none before either (Envoy `no_traffic_interval`: 60s). (time)
        pub no_traffic_interval: Option<Ns> = None, "1ms" ..= "24h" => checks;
        /// Each interval is lengthened or shortened at random by up to this share (HAProxy `spread-checks`).
        pub jitter: Share = Share(0.0), "0%" ..= "50%" => checks;
        /// How long an accepted check may take to answer; none: `interval` bounds connecting and answering together. (time)
        pub timeout: Option<Ns> = None, "1ms" ..= "1h" => checks;
        /// Passes in a row that bring a server back.
        pub rise: u32 = 2, 1 ..= 1000 => checks;
        /// Failures in a row that take a server out.
        pub fall: u32 = 3, 1 ..= 1000 => checks_or_observes;
        /// State when the run begins: as a rule checks have been going on for long.
        pub initial: Initial = Initial::Up => checks;
        /// Whether the very first check of a server that starts down brings it in if it passes, however high `rise`
        /// (ALB, Envoy).
        pub first_pass: bool = false => may_begin_down;
        /// Whether a process that dies is out at once, and in again after it has passed `rise` checks (Kubernetes:
        /// readiness is a state of the container).
        pub follows_process: bool = false => checks;
        /// From where an interval is counted.
        pub pace: Pace = Pace::FromEnd => checks;
        /// Whether the first checks of the servers are spread evenly over one interval, or all start together.
        pub spread_first: bool = true => checks_several;
        /// Lowest status that passes.
        pub pass_from: u16 = 200, 100 ..= 599 => checks;
        /// Highest status that passes.
        pub pass_to: u16 = 399, 100 ..= 599 => checks;
        /// Whether an answer that does not pass takes the server out at once, so that only missing answers count up to
        /// `fall` (Envoy).
        pub status_ejects: bool = false => may_be_refuted;
        /// Whether the balancer checks at all; without checks only passive checks and operators take a server out of
        /// rotation.
        pub enabled: bool = true => always;
        /// A server that is back in rotation gets its share of calls only after so long; none: at once. Those there when
        /// the run begins have theirs. (time)
        pub slow_start: Option<Ns> = None, "1ms" ..= "24h" => comes_back;
        /// How that share grows.
        pub slow_start_rule: SlowStart = SlowStart::Linear => is_eased_in;
        /// How long after a change of who is in rotation a further one waits, so that those that come meanwhile take effect
        /// together; none: each takes effect at once (Envoy `update_merge_window`: 1s). (time)
        pub merge_window: Option<Ns> = None, "1ms" ..= "1h" => may_be_out;
        /// Fail-open: with fewer healthy servers than this (a count, or a share of all), health is ignored and all get
        /// calls. 1: when none is left. None: no server, no service.
        pub fail_open_below: Option<FailOpenBelow> = None => may_be_out;
        /// Passive outlier ejection: servers that fail calls leave rotation for a while (Envoy).
        pub outlier: Option<Outlier> = None => always;
        /// Passive checks: servers that fail calls get none for a while, then one as a probe (nginx).
        pub max_fails: Option<MaxFails> = None => has_peers;
        /// Errors of calls that count as failed checks (HAProxy `observe layer7`).
        pub observe: Option<Observe> = None => always;
    }
}

const NO_CHECKS: &str = "the balancer makes no checks: `enabled` is false";

fn checks(check: &HealthCheck, _: &Scope<'_>) -> Silence {
    unless(check.enabled, NO_CHECKS)
}

fn checks_or_observes(check: &HealthCheck, _: &Scope<'_>) -> Silence {
    unless(check.enabled || check.observe.is_some(), NO_CHECKS)
}

fn is_ever_between(check: &HealthCheck, at: &Scope<'_>) -> Silence {
    let between = check.rise + check.fall > 2 || check.observe.is_some();
    first_of([
        checks(check, at),
        unless(between, "with `rise` and `fall` of 1 a server is never on its way up or down"),
    ])
}

fn may_begin_down(check: &HealthCheck, at: &Scope<'_>) -> Silence {
    let begins_down = check.initial == Initial::Down || check.follows_process || check.observe.is_some();
    first_of([checks(check, at), unless(begins_down, "`initial` is \"up\": the first check finds a server that is up")])
}

fn checks_several(check: &HealthCheck, at: &Scope<'_>) -> Silence {
    let servers: u32 = at.world.fleets.iter().map(|(_, fleet)| fleet.count).sum();
    first_of([checks(check, at), unless(servers > 1, "there is one server: there is nothing to spread")])
}

fn may_be_refuted(check: &HealthCheck, at: &Scope<'_>) -> Silence {
    let queries = at.world.fleets.iter().any(|(_, fleet)| fleet.checked_store().is_some());
    first_of([
        checks(check, at),
        unless(
            queries || !check.passes(200) || at.world.answers_checks_badly(),
            "no health endpoint here asks a store: each answer is a 200, which passes",
        ),
    ])
}

fn may_be_out(_: &HealthCheck, at: &Scope<'_>) -> Silence {
    unless(
        at.world.rotation_changes(),
        "no server ever leaves rotation: there are no checks, active or passive, and no operator takes one out",
    )
}

fn comes_back(check: &HealthCheck, at: &Scope<'_>) -> Silence {
    let alone = at.world.has_lone_servers();
    first_of([may_be_out(check, at), unless(!alone, "each fleet has one server: it gets all calls")])
}

fn is_eased_in(check: &HealthCheck, at: &Scope<'_>) -> Silence {
    first_of([
        unless(check.slow_start.is_some(), "without `slow_start` a server has its share at once"),
        comes_back(check, at),
    ])
}

fn has_peers(_: &HealthCheck, at: &Scope<'_>) -> Silence {
    // With a limit on connections it also decides whether calls wait.
    let matters = !at.world.has_lone_servers() || at.world.balancer.max_connections.is_some();
    unless(matters, "each fleet has one server: a lone server is never taken out")
}

/// Every preset: the product as it comes, dated and cited, and what of it is not modelled.
pub const PRESETS: &[Preset<HealthCheck>] = &[
    Preset {
        name: "haproxy",
        doc: "HAProxy 2.6 (2022) defaults of a server with `check` and `option httpchk`: inter 2s, rise 2, fall 3, 2xx and 3xx \
              pass, servers start up, first checks spread over the interval; no fail-open; slow start off, and as HAProxy does \
              it when on. Source: doc/configuration.txt, src/check.c, src/server.c. Not modelled: agent checks, checks of the \
              connection alone, `on-marked-down shutdown-sessions` (sessions under way are kept, its default).",
        make: HealthCheck::haproxy,
    },
    Preset {
        name: "classic-elb-2015",
        doc: "AWS Classic Load Balancer as of October 2015: interval 30s, timeout 5s, unhealthy threshold 2, healthy \
              threshold 10, only 200 passes; an instance that has failed serves again after its first passes; no fail-open. \
              Source: AWS user guide for Classic Load Balancers, health check defaults. Not modelled: that each of its nodes \
              checks for itself.",
        make: HealthCheck::classic_elb_2015,
    },
    Preset {
        name: "alb",
        doc: "AWS Application Load Balancer (2016 and later): interval 30s from start to start, timeout 5s, unhealthy threshold 2, \
              healthy threshold 5, the first pass after registration is enough, 200 passes; fails open when every target is \
              unhealthy; slow start off, linear when on. Source: AWS user guide for Application Load Balancers, target group \
              health checks. Not modelled: that each of its nodes checks for itself, zones, DNS failover.",
        make: HealthCheck::alb,
    },
    Preset {
        name: "envoy",
        doc: "Envoy 1.40 (2026): an unexpected status ejects at once, missing answers count up to the threshold, the first \
              pass is enough; panic threshold 50%. Interval, timeout and thresholds have no defaults and must be given: \
              here 1s, 1s, 3 and 2. Changes of the host set take effect merged, within update_merge_window 1s (merge_window). Calls are \
              taken to have come before the run: no_traffic_interval = \"60s\" says that none has. Outlier detection is off unless \
              configured: outlier = \"envoy\". Slow start off. Source: Envoy's health_check.proto and cluster.proto, architecture \
              overview on health checking, source/common/upstream/cluster_manager_impl.cc. Not modelled: \
              `fail_traffic_on_panic`, degraded hosts, priorities and localities.",
        make: HealthCheck::envoy,
    },
    Preset {
        name: "nginx",
        doc: "nginx 1.22 (2022), open source: no checks of its own; max_fails 1 within fail_timeout 10s, then one live call as \
              a probe. A lone server is never taken out; with all out, calls fail (502) until the time of one is up. Source: \
              ngx_http_upstream_round_robin.c, ngx_http_upstream_module. Not modelled: what max_fails = \"nginx\" says it \
              leaves out; active checks and slow start, which are nginx Plus'.",
        make: HealthCheck::nginx,
    },
    Preset {
        name: "nginx-before-1.11.5",
        doc: "nginx before 1.11.5 (October 2016): as `nginx`, but when the last server has failed, all are let back at once. \
              Source: ngx_http_upstream_round_robin.c before that version. Not modelled: as there.",
        make: HealthCheck::nginx_before_1_11_5,
    },
    Preset {
        name: "kubernetes-numbers",
        doc: "A balancer that checks servers itself, with the numbers of a Kubernetes readiness probe (core/v1): period 10s, \
              timeout 1s, failure threshold 3, success threshold 1, 2xx and 3xx pass; a process that dies is out at once; nobody \
              ready, no backend. Source: Kubernetes API reference of 1.34 (2025), Probe; pkg/kubelet/prober/worker.go. Not modelled, so that \
              this is not Kubernetes' readiness: a kubelet probes from the pod's own node, so a cut between balancer and pod goes \
              unseen; what it finds reaches the proxies 2s to 3s later; a container that is not ready is probed off the period, \
              too; the pods of a node that dies stay in for 40s to 50s; liveness and startup probes, restarts by them.",
        make: HealthCheck::kubernetes_numbers,
    },
    Preset {
        name: "kubernetes-readiness",
        doc: "An older name of `kubernetes-numbers`, and a misleading one: the balancer checks, not a kubelet. See there for what \
              of Kubernetes is not modelled.",
        make: HealthCheck::kubernetes_numbers,
    },
    Preset {
        name: "none",
        doc: "No product and no checks at all: every server stays in rotation.",
        make: HealthCheck::unchecked,
    },
];

impl HealthCheck {
    /// Preset `haproxy`.
    pub fn haproxy() -> HealthCheck {
        HealthCheck { slow_start_rule: SlowStart::Haproxy, ..HealthCheck::default() }
    }

    /// Preset `classic-elb-2015`.
    pub fn classic_elb_2015() -> HealthCheck {
        HealthCheck {
            interval: Ns::secs(30),
            timeout: Some(Ns::secs(5)),
            rise: 10,
            fall: 2,
            pass_from: 200,
            pass_to: 200,
            pace: Pace::FromStart,
            ..HealthCheck::default()
        }
    }

    /// Preset `alb`.
    pub fn alb() -> HealthCheck {
        HealthCheck {
            interval: Ns::secs(30),
            timeout: Some(Ns::secs(5)),
            rise: 5,
            fall: 2,
            first_pass: true,
            pass_from: 200,
            pass_to: 200,
            pace: Pace::FromStart,
            fail_open_below: Some(FailOpenBelow::Count(1)),
            slow_start_rule: SlowStart::Alb,
            ..HealthCheck::default()
        }
    }

    /// Preset `envoy`.
    pub fn envoy() -> HealthCheck {
        HealthCheck {
            interval: Ns::secs(1),
            timeout: Some(Ns::secs(1)),
            rise: 2,
            fall: 3,
            first_pass: true,
            pass_from: 200,
            pass_to: 200,
            spread_first: false,
            status_ejects: true,
            fail_open_below: Some(FailOpenBelow::Share(0.5)),
            slow_start_rule: SlowStart::Envoy,
            merge_window: Some(Ns::secs(1)),
            ..HealthCheck::default()
        }
    }

    /// Whether the calls themselves say anything of the servers.
    pub fn is_passive(&self) -> bool {
        self.outlier.is_some() || self.max_fails.is_some() || self.observe.is_some()
    }

    /// Preset `nginx`.
    pub fn nginx() -> HealthCheck {
        HealthCheck { enabled: false, max_fails: Some(MaxFails::nginx()), ..HealthCheck::default() }
    }

    /// Preset `nginx-before-1.11.5`.
    pub fn nginx_before_1_11_5() -> HealthCheck {
        HealthCheck { enabled: false, max_fails: Some(MaxFails::nginx_before_1_11_5()), ..HealthCheck::default() }
    }

    /// Preset `kubernetes-numbers`.
    pub fn kubernetes_numbers() -> HealthCheck {
        HealthCheck {
            interval: Ns::secs(10),
            timeout: Some(Ns::secs(1)),
            rise: 1,
            fall: 3,
            follows_process: true,
            pass_from: 200,
            pass_to: 399,
            pace: Pace::FromStart,
            ..HealthCheck::default()
        }
    }

    /// No checks at all.
    pub fn unchecked() -> HealthCheck {
        HealthCheck { enabled: false, ..HealthCheck::default() }
    }

    /// How long connecting may take, given the balancer's own connect timeout.
    pub fn connect_limit(&self, connect_timeout: Ns) -> Ns {
        match self.timeout {
            Some(_) => connect_timeout.min(self.interval),
            None => self.interval,
        }
    }

    /// How long an answer may take after `connected_after` was spent on connecting.
    pub fn answer_limit(&self, connected_after: Ns) -> Ns {
        self.timeout.unwrap_or(self.interval.minus(connected_after))
    }

    /// When the next check of a server in this state begins, after one that began at `started` and is over at `ended`.
    /// `dice`, from 0 to 1, says where within `jitter` it falls. A check that is due and not made is over as it begins.
    /// `has_calls`: whether any call has come to the fleet yet.
    pub fn next_check(&self, health: Health, has_calls: bool, started: Ns, ended: Ns, dice: f64) -> Ns {
        let interval = self.no_traffic_interval.filter(|_| !has_calls).unwrap_or(health.interval(self));
        let stretch = 1.0 + self.jitter.0 * (2.0 * dice - 1.0);
        let from = if self.pace == Pace::FromEnd { ended } else { started };
        from.plus(interval.scaled(stretch)).max(ended)
    }

    /// Whether an answer of that status passes.
    pub fn passes(&self, status: u16) -> bool {
        (self.pass_from..=self.pass_to).contains(&status)
    }

    /// What an answer of that status says; 0 stands for none.
    pub fn result(&self, status: u16) -> CheckResult {
        match status {
            0 => CheckResult::Unanswered,
            status if self.passes(status) => CheckResult::Passed,
            _ => CheckResult::Refuted,
        }
    }
}

/// A server's move in or out of rotation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// Back in rotation.
    Up,
    /// Out of rotation.
    Down,
}

/// What checks have made of one server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Health {
    credit: u32,
    /// Whether no check has come back yet.
    fresh: bool,
}

/// What came of a check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CheckResult {
    /// An answer that passes.
    Passed,
    /// An answer that does not.
    Refuted,
    /// No answer: refused, reset or too late.
    Unanswered,
}

/// What errors of live traffic do to a server's health.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Degrade {
    /// As much as a failed check.
    OneCheck,
    /// As much as a failed check, and no more than one further failure is left.
    AllButOne,
    /// It is down.
    Down,
}

impl Health {
    /// The state before any check.
    pub fn new(check: &HealthCheck) -> Health {
        // Without checks nothing could ever bring a server up.
        let up = check.initial == Initial::Up || !check.enabled;
        Health { credit: if up { check.rise + check.fall - 1 } else { 0 }, fresh: true }
    }

    /// Whether the server is in rotation.
    pub fn is_up(self, check: &HealthCheck) -> bool {
        self.credit >= check.rise
    }

    /// Whether it stands as another does, so that the same results make the same of both.
    pub fn is_like(self, other: Health, check: &HealthCheck) -> bool {
        self.credit == other.credit && (self.fresh == other.fresh || self.is_up(check))
    }

    /// Down, with no credit.
    pub fn reset(&mut self) {
        self.credit = 0;
    }

    /// Takes in the result of a check.
    pub fn on_result(&mut self, check: &HealthCheck, result: CheckResult) -> Option<Change> {
        let was_up = self.is_up(check);
        let fresh = std::mem::replace(&mut self.fresh, false);
        match result {
            CheckResult::Passed => {
                self.credit += 1;
                if self.credit >= check.rise || (fresh && check.first_pass) {
                    self.credit = check.rise + check.fall - 1;
                }
            }
            CheckResult::Refuted if check.status_ejects => self.credit = 0,
            CheckResult::Refuted | CheckResult::Unanswered => {
                self.credit = self.credit.saturating_sub(1);
                if self.credit < check.rise {
                    self.credit = 0;
                }
            }
        }
        match (was_up, self.is_up(check)) {
            (false, true) => Some(Change::Up),
            (true, false) => Some(Change::Down),
            _ => None,
        }
    }

    /// Takes in what live traffic says of the server (HAProxy's `on-error`).
    pub fn on_traffic(&mut self, check: &HealthCheck, degrade: Degrade) -> Option<Change> {
        match degrade {
            Degrade::OneCheck => {}
            Degrade::AllButOne if self.credit > check.rise => self.credit = check.rise + 1,
            Degrade::AllButOne => {}
            Degrade::Down => self.credit = self.credit.min(check.rise),
        }
        let fresh = self.fresh;
        let change = self.on_result(check, CheckResult::Unanswered);
        // Traffic is no check: the first one is still to come.
        self.fresh = fresh;
        change
    }

    /// The interval to the next check in this state, before jitter.
    pub fn interval(self, check: &HealthCheck) -> Ns {
        let full = check.rise + check.fall - 1;
        if self.credit == 0 {
            check.down_interval.unwrap_or(check.interval)
        } else if self.credit == full {
            check.interval
        } else {
            check.fast_interval.unwrap_or(check.interval)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, *};
    use proptest::sample::select;
    use proptest::test_runner::RngSeed;

    /// What '+', '-' and '!' stand for in the rows below.
    fn result(of: char) -> CheckResult {
        match of {
            '+' => CheckResult::Passed,
            '!' => CheckResult::Refuted,
            _ => CheckResult::Unanswered,
        }
    }

    /// Feeds a row of results ('+' pass, '-' no answer, '!' a failing answer) and writes down the state after each ('U' up, 'd' down).
    fn states(check: &HealthCheck, results: &str) -> String {
        let mut health = Health::new(check);
        let step = |r| {
            health.on_result(check, result(r));
            if health.is_up(check) { 'U' } else { 'd' }
        };
        results.chars().map(step).collect()
    }

    #[test]
    fn haproxy_conformance() {
        let check = HealthCheck::haproxy();
        for (results, should_be) in [
            ("---", "UUd"),
            // One pass restores all credit of a server that is up.
            ("--+--+---", "UUUUUUUUd"),
            // One failure during recovery starts over.
            ("---+-+-++", "UUddddddU"),
            ("---++--+---", "UUddUUUUUUd"),
        ] {
            assert_eq!(states(&check, results), should_be, "{results}");
        }
        assert!(check.passes(200) && check.passes(302) && !check.passes(404) && !check.passes(500));
        assert_eq!((check.interval, check.rise, check.fall), (Ns::secs(2), 2, 3));
    }

    #[test]
    fn classic_elb_conformance() {
        let check = HealthCheck::classic_elb_2015();
        for (results, should_be) in [
            ("--", "Ud"),
            ("-+-+--", "UUUUUd"),
            ("--++++++++++", "UddddddddddU"),
            // Nine passes and a failure: ten more are due.
            ("--+++++++++-++++++++++", "UddddddddddddddddddddU"),
        ] {
            assert_eq!(states(&check, results), should_be, "{results}");
        }
        assert!(check.passes(200) && !check.passes(204) && !check.passes(302));
        assert_eq!((check.interval, check.timeout), (Ns::secs(30), Some(Ns::secs(5))));
    }

    #[test]
    fn alb_conformance() {
        let check = HealthCheck::alb();
        for (results, should_be) in [
            ("--", "Ud"),
            ("--+++++", "UdddddU"),
            // Four passes and a failure: five more are due.
            ("--++++-+++++", "UddddddddddU"),
            ("-+-+--", "UUUUUd"),
        ] {
            assert_eq!(states(&check, results), should_be, "{results}");
        }
        // The first pass after registration is enough; after a first failure five are due.
        let registered = HealthCheck { initial: Initial::Down, ..check.clone() };
        assert_eq!((states(&registered, "+"), states(&registered, "-+++++")), ("U".into(), "dddddU".into()));
        assert!(check.passes(200) && !check.passes(204) && !check.passes(302));
        assert_eq!((check.interval, check.timeout), (Ns::secs(30), Some(Ns::secs(5))));
        assert_eq!((check.fail_open_below, check.slow_start), (Some(FailOpenBelow::Count(1)), None));
    }

    #[test]
    fn envoy_conformance() {
        let check = HealthCheck::envoy();
        for (results, should_be) in [
            // An unexpected status ejects at once; what is not answered counts up to the threshold.
            ("!", "d"),
            ("---", "UUd"),
            ("--+--!", "UUUUUd"),
            ("!++", "ddU"),
            ("!+-++", "ddddU"),
        ] {
            assert_eq!(states(&check, results), should_be, "{results}");
        }
        let added = HealthCheck { initial: Initial::Down, ..check.clone() };
        assert_eq!((states(&added, "+"), states(&added, "!++")), ("U".into(), "ddU".into()));
        assert!(check.passes(200) && !check.passes(204) && !check.passes(503));
        assert_eq!((check.fail_open_below, check.outlier), (Some(FailOpenBelow::Share(0.5)), None));
    }

    #[test]
    fn kubernetes_numbers_conformance() {
        let check = HealthCheck::kubernetes_numbers();
        let older = PRESETS.iter().find(|preset| preset.name == "kubernetes-readiness").unwrap();
        assert_eq!((older.make)(), check, "the older name");
        for (results, should_be) in [("---", "UUd"), ("--+---", "UUUUUd"), ("---+", "UUdU"), ("!!!+", "UUdU")] {
            assert_eq!(states(&check, results), should_be, "{results}");
        }
        assert!(check.passes(200) && check.passes(399) && !check.passes(400));
        assert_eq!((check.interval, check.timeout), (Ns::secs(10), Some(Ns::secs(1))));
        assert!(check.follows_process && check.fail_open_below.is_none());
        let mut restarted = Health::new(&check);
        restarted.reset();
        assert!(!restarted.is_up(&check));
        assert_eq!(restarted.on_result(&check, CheckResult::Passed), Some(Change::Up));
    }

    #[test]
    fn nginx_checks_nothing_by_itself() {
        for (check, resets) in [(HealthCheck::nginx(), false), (HealthCheck::nginx_before_1_11_5(), true)] {
            assert!(!check.enabled && check.fail_open_below.is_none());
            let passive = check.max_fails.unwrap();
            assert_eq!((passive.fails, passive.window, passive.reset_all), (1, Ns::secs(10), resets));
        }
    }

    fn any_check() -> impl Strategy<Value = HealthCheck> {
        (1..12_u32, 1..6_u32, any::<[bool; 3]>()).prop_map(|(rise, fall, [status_ejects, first_pass, down])| {
            HealthCheck {
                rise,
                fall,
                status_ejects,
                first_pass,
                initial: if down { Initial::Down } else { Initial::Up },
                ..HealthCheck::default()
            }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 256,
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(1),
            ..ProptestConfig::default()
        })]

        #[test]
        fn a_server_comes_back_after_rise_passes_in_a_row_and_leaves_after_fall_failures_in_a_row(
            check in any_check(),
            results in proptest::collection::vec(select(&['+', '+', '-', '-', '!'][..]), 1..200),
        ) {
            let mut health = Health::new(&check);
            let (mut passes, mut failures) = (0, 0);
            for (i, r) in results.into_iter().enumerate() {
                let was_up = health.is_up(&check);
                let change = health.on_result(&check, result(r));
                (passes, failures) = if r == '+' { (passes + 1, 0) } else { (0, failures + 1) };
                let is_up = health.is_up(&check);
                prop_assert_eq!(change.is_some(), was_up != is_up);
                if change == Some(Change::Up) {
                    prop_assert!(passes >= check.rise || (check.first_pass && i == 0), "up after {} passes", passes);
                }
                if change == Some(Change::Down) {
                    prop_assert!(failures >= check.fall || (r == '!' && check.status_ejects), "down after {}", failures);
                }
                // And no later than that.
                prop_assert!(is_up || passes < check.rise);
                prop_assert!(!is_up || failures < check.fall);
            }
        }
    }

    #[test]
    fn fast_and_down_intervals_follow_the_transitional_states() {
        let check = HealthCheck {
            fast_interval: Some(Ns::millis(500)),
            down_interval: Some(Ns::secs(5)),
            ..HealthCheck::haproxy()
        };
        let mut health = Health::new(&check);
        let mut row = |passed: char| {
            health.on_result(&check, result(passed));
            health.interval(&check)
        };
        let seen = [row('-'), row('-'), row('-'), row('+'), row('+')];
        let (fast, down) = (Ns::millis(500), Ns::secs(5));
        assert_eq!(seen, [fast, fast, down, fast, Ns::secs(2)]);
    }

    #[test]
    fn a_check_timeout_splits_the_bound_on_connecting_from_the_bound_on_answering() {
        let unset = HealthCheck::default();
        assert_eq!(unset.connect_limit(Ns::secs(9)), Ns::secs(2));
        assert_eq!(unset.answer_limit(Ns::millis(500)), Ns::millis(1500));
        let set = HealthCheck { timeout: Some(Ns::secs(5)), ..HealthCheck::default() };
        assert_eq!(set.connect_limit(Ns::secs(1)), Ns::secs(1));
        assert_eq!(set.answer_limit(Ns::millis(500)), Ns::secs(5));
    }
}
