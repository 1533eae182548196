//! Outlier detection: a host that keeps failing, or fails more than its peers, is ejected for a while.
//!
//! The rule is Envoy's (source/common/upstream/outlier_detection_impl.cc of main, 2025; defaults in its header and in
//! api/envoy/config/cluster/v3/outlier_detection.proto). A row of errors ejects a host at once. A sweep every
//! `interval` brings back hosts whose time is up, then ejects those whose success rate over the last interval lies
//! below the mean minus 1.9 standard deviations, then forgives: a host that has stayed in for a whole interval since its
//! return loses one step of the backoff. An ejection lasts the base time multiplied by the steps, at most the longest
//! time, and ends with the first sweep after that. A host that the limit on ejected hosts keeps in starts counting anew.
//!
//! Two counters of errors: of 5xx (failed connects and timeouts count as 503 and 504), and of gateway failures, which is off by
//! default (`enforcing_consecutive_gateway_failure` is 0). Local origin failures apart are not modelled. All ejections are
//! enforced.
//!
//! From 1.27 on the share counts the host to be ejected too; before, the share that was out already was compared, so that hosts
//! could go one over (`counts_before`; envoy#27066, pull request #27624). The allowance of one up to 1.30 is `at_least_one`.
//!
//! Not modelled: failure percentage ejection (off by default), jitter of the ejection time (0 by default), enforcing
//! percentages, priorities, the threads that report to one another.

use super::verdict::Verdict;
use crate::setting::{Preset, Scope, Setting, Silence, always, first_of, unless, unless_with};
use crate::settings;
use crate::units::{Ns, Share};

settings! {
    /// Ejecting hosts by the results of live traffic. `preset` names a product's defaults; other keys change them.
    pub struct Outlier (presets = PRESETS) {
        /// Errors in a row that eject a host at once; 0: none do (Envoy `consecutive_5xx`).
        pub consecutive_errors: u32 = 5, 0 ..= 1_000_000 => ejects;
        /// Gateway failures in a row that eject a host at once, which are statuses 502 to 504, failed connects and answers
        /// that do not come in time; 0: none do (Envoy `consecutive_gateway_failure`).
        pub gateway_errors: u32 = 0, 0 ..= 1_000_000 => ejects;
        /// Time between sweeps. (time)
        pub interval: Ns = Ns::secs(10), "1ms" ..= "1h" => ejects;
        /// How long a first ejection lasts; later ones are multiples (Envoy `base_ejection_time`). (time)
        pub base_ejection: Ns = Ns::secs(30), "1ms" ..= "24h" => ejects;
        /// Longest ejection (Envoy `max_ejection_time`). (time)
        pub max_ejection: Ns = Ns::secs(300), "1ms" ..= "24h" => ejects;
        /// Largest share of hosts that may be out (Envoy `max_ejection_percent`).
        pub max_share: Share = Share(0.1) => always;
        /// Whether `max_share` bounds the share that is out before an ejection, so that one more than it says may go (Envoy
        /// before 1.27).
        pub counts_before: bool = false => always;
        /// Whether one host may be out whatever the share (Envoy `always_eject_one_host`).
        pub at_least_one: bool = true => share_lets_none_out;
        /// Whether a passed active check ends an ejection (Envoy `successful_active_health_check_uneject_host`, 1.26 and
        /// later; before, none did).
        pub ends_by_check: bool = true => checks_actively;
        /// Whether a sweep ejects hosts whose success rate is far below the mean.
        pub success_rate: bool = true => ejects;
        /// Fewest hosts with enough calls for the success rates to be compared.
        pub success_rate_hosts: u32 = 5, 0 ..= 1_000_000 => compares;
        /// Calls in one interval that make a host's success rate count.
        pub success_rate_calls: u32 = 100, 0 ..= 1_000_000_000 => compares;
        /// Standard deviations below the mean at which a host is ejected.
        pub success_rate_factor: f64 = 1.9, 0 ..= 1000 => compares;
    }
}

impl Outlier {
    /// Whether one of so many hosts may ever be out.
    pub(crate) fn lets_one_out(&self, hosts: u32) -> bool {
        self.at_least_one || self.share_lets_out(hosts)
    }

    fn share_lets_out(&self, hosts: u32) -> bool {
        self.allows(0, hosts as usize)
    }

    /// Whether with `out` of so many hosts out the share lets one more go.
    fn allows(&self, out: usize, hosts: usize) -> bool {
        if self.counts_before {
            (out as f64 / hosts as f64) < self.max_share.0
        } else {
            (out + 1) as f64 / hosts as f64 <= self.max_share.0
        }
    }
}

/// How many hosts the largest fleet has.
fn most_hosts(at: &Scope<'_>) -> u32 {
    at.world.fleets.iter().map(|(_, fleet)| fleet.count).max().unwrap_or(0)
}

fn ejects(outlier: &Outlier, at: &Scope<'_>) -> Silence {
    let ejects = at.world.fleets.iter().any(|(_, fleet)| outlier.lets_one_out(fleet.count));
    unless_with(ejects, || {
        let (hosts, share) = (most_hosts(at), outlier.max_share.show());
        format!("of {hosts} servers no whole one is within `max_share` = {share}, so none is ever ejected")
    })
}

fn checks_actively(outlier: &Outlier, at: &Scope<'_>) -> Silence {
    let checks = at.world.balancer.health.enabled;
    first_of([ejects(outlier, at), unless(checks, "the balancer makes no checks: `enabled` is false")])
}

fn share_lets_none_out(outlier: &Outlier, at: &Scope<'_>) -> Silence {
    let matters = at.world.fleets.iter().any(|(_, fleet)| !outlier.share_lets_out(fleet.count));
    unless(matters, "`max_share` lets one out in any case")
}

fn compares(outlier: &Outlier, at: &Scope<'_>) -> Silence {
    first_of([
        ejects(outlier, at),
        unless(outlier.success_rate, "`success_rate` is false: success rates are not compared"),
    ])
}

/// Every preset.
pub const PRESETS: &[Preset<Outlier>] = &[
    Preset {
        name: "envoy",
        doc: "Envoy 1.31 (2024) and later, where outlier detection is configured: 5 errors in a row, sweeps every 10s, ejection \
              30s times the number of ejections up to 300s, at most 10% of the hosts (with fewer than ten: none), success rate \
              1.9 standard deviations below the mean with 5 hosts of 100 calls; a passed active check ends an ejection. Source: \
              source/common/upstream/outlier_detection_impl.cc, api/envoy/config/cluster/v3/outlier_detection.proto. Not \
              modelled: failure percentage (not enforced by default), local origin errors \
              apart, enforcing percentages, jitter.",
        make: Outlier::envoy,
    },
    Preset {
        name: "envoy-before-1.31",
        doc: "Envoy 1.27 to 1.30 (2023 and 2024): as `envoy`, but one host may always be out, however few there are. Source: \
              outlier_detection_impl.cc before `always_eject_one_host`. Not modelled: as there; nor that before 2024 a failed \
              check below the threshold ended an ejection.",
        make: Outlier::envoy_before_1_31,
    },
    Preset {
        name: "envoy-before-1.27",
        doc: "Envoy before 1.27 (2023): as `envoy-before-1.31`, and the share that was out before an ejection is compared with \
              the limit, so that one host more may go. Source: envoy#26877 and #27066, pull request #27624. Not modelled: as \
              there; nor that before 1.26 a passed check did not end an ejection.",
        make: Outlier::envoy_before_1_27,
    },
];

impl Outlier {
    /// Preset `envoy`.
    pub fn envoy() -> Outlier {
        Outlier { at_least_one: false, ..Outlier::default() }
    }

    /// Preset `envoy-before-1.31`.
    pub fn envoy_before_1_31() -> Outlier {
        Outlier::default()
    }

    /// Preset `envoy-before-1.27`.
    pub fn envoy_before_1_27() -> Outlier {
        Outlier { counts_before: true, ..Outlier::default() }
    }
}

/// What a call says of its host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heard {
    /// Good: an answer below 500, whatever a retry policy makes of it. It ends both rows of errors.
    Good,
    /// An error that is no gateway failure: it ends the row of those.
    Error,
    /// A gateway failure.
    Gateway,
}

/// What a call says of its host; none if it says nothing.
pub fn heard(verdict: Verdict) -> Option<Heard> {
    match verdict {
        Verdict::Answered { status: 502..=504, .. } | Verdict::Unconnected | Verdict::Unreached => Some(Heard::Gateway),
        Verdict::Answered { status: 500.., .. } => Some(Heard::Error),
        Verdict::Answered { .. } => Some(Heard::Good),
        Verdict::Abandoned => None,
    }
}

/// What is known of one host.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
struct Host {
    ejected_at: Option<Ns>,
    errors_in_a_row: u32,
    gateway_in_a_row: u32,
    /// Steps by which the next ejection is longer.
    backoff: u32,
    /// Back since the last sweep: the next sweep does not forgive yet.
    is_back: bool,
    /// Of this interval.
    calls: u32,
    successes: u32,
    /// Of the interval before; set by the sweep.
    rate: Option<f64>,
}

/// The state of all hosts of a cluster.
#[derive(Clone, PartialEq, Debug)]
pub struct Outliers {
    hosts: Vec<Host>,
    ejected: usize,
}

impl Outliers {
    /// So many hosts, none ejected.
    pub fn new(hosts: usize) -> Outliers {
        Outliers { hosts: vec![Host::default(); hosts], ejected: 0 }
    }

    /// Whether the host is out.
    pub fn is_ejected(&self, host: usize) -> bool {
        self.hosts[host].ejected_at.is_some()
    }

    /// How many hosts are out.
    pub fn ejected(&self) -> usize {
        self.ejected
    }

    /// Whether one more host may go out.
    fn has_room(&self, spec: &Outlier) -> bool {
        spec.allows(self.ejected, self.hosts.len()) || (spec.at_least_one && self.ejected == 0)
    }

    /// Ejects the host, if the share allows.
    fn try_eject(&mut self, spec: &Outlier, host: usize, now: Ns) -> bool {
        if !self.has_room(spec) {
            return false;
        }
        self.ejected += 1;
        let host = &mut self.hosts[host];
        host.ejected_at = Some(now);
        // One step beyond the longest time, as in Envoy, so that forgiving starts there.
        if spec.base_ejection.0.saturating_mul(u64::from(host.backoff)) < spec.max_ejection.plus(spec.base_ejection).0 {
            host.backoff += 1;
        }
        true
    }

    fn take_back(&mut self, host: usize) {
        self.ejected -= 1;
        let host = &mut self.hosts[host];
        host.ejected_at = None;
        host.errors_in_a_row = 0;
        host.gateway_in_a_row = 0;
        host.is_back = true;
    }

    /// A call to the host ended. True: the host is ejected by this.
    #[inline]
    pub fn on_result(&mut self, spec: &Outlier, host: usize, heard: Heard, now: Ns) -> bool {
        let at = &mut self.hosts[host];
        at.calls = at.calls.saturating_add(1);
        if heard == Heard::Good {
            at.successes = at.successes.saturating_add(1);
            (at.errors_in_a_row, at.gateway_in_a_row) = (0, 0);
            return false;
        }
        at.errors_in_a_row = at.errors_in_a_row.saturating_add(1);
        at.gateway_in_a_row = if heard == Heard::Gateway { at.gateway_in_a_row.saturating_add(1) } else { 0 };
        if at.ejected_at.is_some() {
            return false;
        }
        // The gateway's row is looked at first, as in Envoy; a row that is full begins anew, whatever comes of it.
        let by_gateway = heard == Heard::Gateway && at.gateway_in_a_row == spec.gateway_errors;
        let by_errors = at.errors_in_a_row == spec.consecutive_errors;
        if by_gateway {
            at.gateway_in_a_row = 0;
        }
        if by_errors {
            at.errors_in_a_row = 0;
        }
        (by_gateway || by_errors) && self.try_eject(spec, host, now)
    }

    /// An interval is over. Adds to `changes` each host that comes back (true) or is ejected for its success rate
    /// (false).
    pub fn on_sweep(&mut self, spec: &Outlier, now: Ns, changes: &mut Vec<(usize, bool)>) {
        for host in 0..self.hosts.len() {
            let at = &mut self.hosts[host];
            at.rate = None;
            if at.calls > 0 && at.calls >= spec.success_rate_calls {
                at.rate = Some(f64::from(at.successes) * 100.0 / f64::from(at.calls));
            }
            (at.calls, at.successes) = (0, 0);
            let lasts = Ns(spec.base_ejection.0.saturating_mul(u64::from(at.backoff))).min(spec.max_ejection);
            if at.ejected_at.is_some_and(|ejected_at| lasts <= now.minus(ejected_at)) {
                self.take_back(host);
                changes.push((host, true));
            }
        }
        if spec.success_rate {
            self.compare(spec, now, changes);
        }
        for host in self.hosts.iter_mut().filter(|host| host.ejected_at.is_none()) {
            if host.is_back {
                host.is_back = false;
            } else {
                host.backoff = host.backoff.saturating_sub(1);
            }
        }
    }

    /// Ejects the hosts whose success rate lies far below the mean.
    fn compare(&mut self, spec: &Outlier, now: Ns, changes: &mut Vec<(usize, bool)>) {
        let rates = || self.hosts.iter().filter(|host| host.ejected_at.is_none()).filter_map(|host| host.rate);
        let count = rates().count();
        if count == 0 || count < spec.success_rate_hosts as usize {
            return;
        }
        let mean = rates().sum::<f64>() / count as f64;
        let variance = rates().map(|rate| (rate - mean) * (rate - mean)).sum::<f64>() / count as f64;
        let threshold = mean - spec.success_rate_factor * variance.sqrt();
        for host in 0..self.hosts.len() {
            let at = &self.hosts[host];
            let is_low = at.ejected_at.is_none() && at.rate.is_some_and(|rate| rate < threshold);
            if is_low && self.try_eject(spec, host, now) {
                changes.push((host, false));
            }
        }
    }

    /// An active check of the host passed, and active checks hold it to be up. True: it was ejected and is back.
    pub fn on_check_passed(&mut self, host: usize) -> bool {
        let was_ejected = self.is_ejected(host);
        if was_ejected {
            self.take_back(host);
        }
        was_ejected
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    /// Feeds a row of results to host 0 of ten ('+', '-', 'g' for a gateway failure) and writes down when it is ejected ('E').
    fn results(spec: &Outlier, outliers: &mut Outliers, row: &str) -> String {
        let heard = |r| match r {
            '+' => Heard::Good,
            'g' => Heard::Gateway,
            _ => Heard::Error,
        };
        row.chars().map(|r| if outliers.on_result(spec, 0, heard(r), Ns::ZERO) { 'E' } else { '.' }).collect()
    }

    fn sweep(spec: &Outlier, outliers: &mut Outliers, second: u64) -> Vec<(usize, bool)> {
        let mut changes = Vec::new();
        outliers.on_sweep(spec, Ns::secs(second), &mut changes);
        changes
    }

    #[test]
    fn envoy_conformance_consecutive_errors() {
        let spec = Outlier::envoy_before_1_31();
        for (row, should_be) in [
            ("-----", "....E"),
            ("----+-----", ".........E"),
            // While it is out, calls still under way change nothing.
            ("---------------", "....E.........."),
        ] {
            assert_eq!(results(&spec, &mut Outliers::new(10), row), should_be, "{row}");
        }
        let off = Outlier { consecutive_errors: 0, ..spec.clone() };
        assert_eq!(results(&off, &mut Outliers::new(10), "--------"), "........");
        // Gateway failures have a row of their own, which any other error ends; they are errors too.
        let gateway = Outlier { gateway_errors: 3, consecutive_errors: 0, ..spec.clone() };
        for (row, should_be) in [("ggg", "..E"), ("gg-gg+ggg", "........E"), ("--------", "........")] {
            assert_eq!(results(&gateway, &mut Outliers::new(10), row), should_be, "{row}");
        }
        assert_eq!(results(&spec, &mut Outliers::new(10), "g-g-g"), "....E");
        // Without room the count starts anew: ten errors try twice.
        let none = Outlier { max_share: Share(0.0), at_least_one: false, ..spec.clone() };
        let mut outliers = Outliers::new(10);
        assert_eq!(results(&none, &mut outliers, "-----"), ".....");
        assert_eq!(results(&spec, &mut outliers, "-----"), "....E");
    }

    #[test]
    fn envoy_conformance_share_of_hosts() {
        let spec = Outlier::envoy_before_1_31();
        for (hosts, percent, at_least_one, should_be) in [
            (10, 10, false, 1),
            (9, 10, false, 0),
            (9, 10, true, 1),
            (20, 10, true, 2),
            (19, 10, true, 1),
            (6, 50, false, 3),
            (3, 100, false, 3),
            (6, 0, true, 1),
        ] {
            let spec = Outlier { max_share: Share(f64::from(percent) / 100.0), at_least_one, ..spec.clone() };
            let mut outliers = Outliers::new(hosts);
            (0..hosts)
                .for_each(|host| (0..5).for_each(|_| _ = outliers.on_result(&spec, host, Heard::Error, Ns::ZERO)));
            assert_eq!(outliers.ejected(), should_be, "{percent}% of {hosts}, {at_least_one}");
        }
        // Before 1.27 (envoy#26877, #27066): 0% and 33% are below 50%, 67% is below 70%.
        for (hosts, percent, should_be) in [(3, 50, 2), (3, 70, 3), (10, 10, 1), (9, 10, 1), (20, 12, 3), (4, 0, 1)] {
            let spec = Outlier { max_share: Share(f64::from(percent) / 100.0), ..Outlier::envoy_before_1_27() };
            let mut outliers = Outliers::new(hosts);
            (0..hosts)
                .for_each(|host| (0..5).for_each(|_| _ = outliers.on_result(&spec, host, Heard::Error, Ns::ZERO)));
            assert_eq!(outliers.ejected(), should_be, "{percent}% of {hosts} before 1.27");
        }
    }

    #[test]
    fn envoy_conformance_time_out_grows_and_is_forgiven() {
        let spec = Outlier::envoy_before_1_31();
        let mut outliers = Outliers::new(10);
        let mut now = 0;
        // Seconds until the sweep that brings the host back, when it is ejected anew right after each return.
        let mut out = |outliers: &mut Outliers| {
            let from = now;
            (0..5).for_each(|_| _ = outliers.on_result(&spec, 0, Heard::Error, Ns::secs(from)));
            while outliers.is_ejected(0) {
                now += 10;
                sweep(&spec, outliers, now);
            }
            now - from
        };
        let lasted: Vec<_> = (0..12).map(|_| out(&mut outliers)).collect();
        assert_eq!(lasted, [30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300]);
        // The sweep that brings it back does not forgive, each later one does: eleven steps, less eight, plus one.
        for sweep_no in 1..=8 {
            assert_eq!(sweep(&spec, &mut outliers, now_after(sweep_no)), []);
        }
        (0..5).for_each(|_| _ = outliers.on_result(&spec, 0, Heard::Error, Ns::secs(100_000)));
        assert_eq!(sweep(&spec, &mut outliers, 100_119), []);
        assert_eq!(sweep(&spec, &mut outliers, 100_120), [(0, true)]);
    }

    fn now_after(sweep_no: u64) -> u64 {
        10_000 + sweep_no * 10
    }

    #[test]
    fn envoy_conformance_success_rate() {
        let spec = Outlier { max_share: Share(1.0), consecutive_errors: 0, ..Outlier::envoy_before_1_31() };
        let rates = |rows: &[(u32, u32)]| {
            let mut outliers = Outliers::new(rows.len());
            for (host, (calls, good)) in rows.iter().enumerate() {
                (0..*calls).for_each(|i| {
                    _ = outliers.on_result(&spec, host, if i < *good { Heard::Good } else { Heard::Error }, Ns::ZERO)
                });
            }
            sweep(&spec, &mut outliers, 10)
        };
        // The source's own example: 50 and four times 100, mean 90, deviation 20, threshold 52.
        let good = (100, 100);
        assert_eq!(rates(&[(100, 50), good, good, good, good]), [(0, false)]);
        // All alike: none is below.
        assert_eq!(rates(&[(100, 50); 6]), []);
        // Four hosts are too few, and so is a fifth with 99 calls.
        assert_eq!(rates(&[(100, 0), good, good, good]), []);
        assert_eq!(rates(&[(99, 0), good, good, good, good]), []);
        assert_eq!(rates(&[(100, 0), (99, 99), good, good, good]), []);
        // Two bad ones of six drag mean and deviation so far that neither is an outlier.
        assert_eq!(rates(&[(100, 0), (100, 0), good, good, good, good]), []);
    }

    #[test]
    fn a_passed_check_brings_a_host_back_at_once() {
        let spec = Outlier::envoy_before_1_31();
        let mut outliers = Outliers::new(10);
        assert!(!outliers.on_check_passed(0));
        results(&spec, &mut outliers, "-----");
        assert!(outliers.on_check_passed(0) && !outliers.is_ejected(0));
        // Its backoff stays through the sweep that follows, and goes with the next.
        sweep(&spec, &mut outliers, 10);
        assert_eq!(outliers.hosts[0].backoff, 1);
        sweep(&spec, &mut outliers, 20);
        assert_eq!(outliers.hosts[0].backoff, 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 256, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default()
        })]

        #[test]
        fn no_more_are_out_than_the_share_allows(
            hosts in 1_usize..30,
            percent in 0_u32..=100,
            at_least_one: bool,
            consecutive_errors in 0_u32..4,
            gateway_errors in 0_u32..4,
            counts_before: bool,
            events in prop::collection::vec((0_usize..30, 0_u32..40), 0..400),
        ) {
            let spec = Outlier {
                consecutive_errors, gateway_errors, counts_before, at_least_one, max_share: Share(f64::from(percent) / 100.0),
                success_rate_hosts: 2, success_rate_calls: 2, success_rate_factor: 0.5, ..Outlier::default()
            };
            let share = hosts * percent as usize;
            // One more where the share before the ejection counts, if it is below.
            let most = if counts_before { share.div_ceil(100) } else { share / 100 }.max(usize::from(at_least_one));
            let heard = [Heard::Good, Heard::Error, Heard::Gateway];
            let mut outliers = Outliers::new(hosts);
            let (mut now, mut changes) = (Ns::ZERO, Vec::new());
            let mut shadow = vec![false; hosts];
            for (host, event) in events {
                let host = host % hosts;
                match event {
                    0..=3 => {
                        now = now.plus(spec.interval);
                        changes.clear();
                        outliers.on_sweep(&spec, now, &mut changes);
                        for (host, is_back) in &changes {
                            prop_assert_eq!(shadow[*host], *is_back);
                            shadow[*host] = !is_back;
                        }
                    }
                    4 => {
                        prop_assert_eq!(outliers.on_check_passed(host), shadow[host]);
                        shadow[host] = false;
                    }
                    _ => if outliers.on_result(&spec, host, heard[event as usize % 3], now) {
                        prop_assert!(!shadow[host]);
                        shadow[host] = true;
                    }
                }
                // Every change is reported, and the count is right.
                prop_assert!((0..hosts).all(|host| outliers.is_ejected(host) == shadow[host]));
                prop_assert_eq!(outliers.ejected(), shadow.iter().filter(|out| **out).count());
                prop_assert!(outliers.ejected() <= most, "{} of {hosts}", outliers.ejected());
            }
            // Left alone, all are back once the longest time and a sweep have passed.
            outliers.on_sweep(&Outlier { success_rate: false, ..spec.clone() }, now.plus(spec.max_ejection), &mut changes);
            prop_assert_eq!(outliers.ejected(), 0);
        }
    }
}
