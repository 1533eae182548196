//! The servers of one fleet as a balancer sees them: who is in rotation, who may be chosen, and what checks, operators and
//! the calls themselves do to that.
//!
//! A server is in rotation while its health checks say that it is up, nobody holds it out, and neither `max_fails` nor
//! outlier detection has it out. Whoever owns [`Members`] tells what happens (a check has a result, a call has ended), then
//! calls [`Members::settle`] for each server concerned, and acts on what has changed. Timers are the owner's.

use crate::policy::balance::{Choice, Easing, FULL_WEIGHT, Recency, Rotation, Ties};
use crate::policy::health::{Health, HealthCheck};
use crate::policy::max_fails::{self, Peer};
use crate::policy::observe::{self, Observed};
use crate::policy::outlier::{self, Outliers};
use crate::policy::redispatch::{Redispatch, Tried};
use crate::policy::verdict::Verdict;
use crate::units::Ns;

/// What is known of one server.
#[derive(Clone, Debug)]
struct Member {
    health: Health,
    is_held: bool,
    in_rotation: bool,
    peer: Peer,
    observed: Observed,
    /// Whether max_fails has it out.
    is_out: bool,
}

/// The rules by which servers are judged and chosen.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// Checks, active and passive.
    pub health: &'a HealthCheck,
    /// Whether, and where, a call is tried again.
    pub redispatch: Redispatch,
    /// How often a server is drawn anew that the call has been at.
    pub redraws: u32,
    /// Most connections to one server.
    pub max_connections: Option<u32>,
    /// Which of several servers with equally few connections is chosen, where the fewest are looked for.
    pub ties: Ties,
}

impl Rules<'_> {
    /// Whether every server in rotation with room may be chosen, and nothing is learnt from calls.
    pub fn are_plain(&self) -> bool {
        let health = self.health;
        health.fail_open_below.is_none()
            && health.slow_start.is_none()
            && !health.is_passive()
            && !self.remember_tried()
            && self.ties == Ties::InTurn
    }

    /// Whether it matters where a call has been.
    pub fn remember_tried(&self) -> bool {
        self.redispatch == Redispatch::Untried || self.redraws > 0
    }
}

/// What follows from a call's end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Judged {
    /// The server is out; [`Members::reopens`] is due then.
    pub reopens_at: Option<Ns>,
    /// The next check is to begin within this time. (time)
    pub check_within: Option<Ns>,
}

/// The servers of a fleet.
#[derive(Clone, Debug)]
pub struct Members {
    first: u32,
    is_plain: bool,
    rotation: Rotation,
    /// Those that nobody holds out, for when health is ignored.
    all: Rotation,
    fails_open: bool,
    members: Vec<Member>,
    outliers: Option<Outliers>,
    easing: Option<Easing>,
    recency: Option<Recency>,
    /// Whom the last sweep concerned: kept for its memory.
    changes: Vec<(usize, bool)>,
}

impl Members {
    /// The servers `first` and following, as balancer and servers are when they have just started.
    pub fn new(rules: Rules<'_>, first: u32, count: u32) -> Members {
        let (health, fresh) = (rules.health, Health::new(rules.health));
        let up = fresh.is_up(health);
        let all: Vec<u32> = (first..first + count).collect();
        let member = Member {
            health: fresh,
            is_held: false,
            in_rotation: up,
            peer: Peer::default(),
            observed: Observed::default(),
            is_out: false,
        };
        let mut members = Members {
            first,
            is_plain: rules.are_plain(),
            rotation: Rotation::new(if up { all.clone() } else { Vec::new() }),
            all: Rotation::new(all),
            fails_open: false,
            members: vec![member; count as usize],
            outliers: None,
            easing: health.slow_start.map(|over| Easing::new(health.slow_start_rule, over, count as usize)),
            recency: (rules.ties == Ties::Longest).then(|| Recency::new(count as usize)),
            changes: Vec::new(),
        };
        members.forget_calls(health);
        members.settle_fail_open(health);
        members
    }

    /// The servers.
    pub fn servers(&self) -> std::ops::Range<u32> {
        self.first..self.first + self.members.len() as u32
    }

    /// How many are in rotation.
    pub fn in_rotation(&self) -> usize {
        self.rotation.len()
    }

    /// How many nobody holds out.
    pub fn let_in(&self) -> usize {
        self.all.len()
    }

    /// Whether so few are in rotation that health is ignored.
    pub fn fails_open(&self) -> bool {
        self.fails_open
    }

    /// Whether a server is in rotation.
    pub fn is_in_rotation(&self, server: u32) -> bool {
        self.members[self.at(server)].in_rotation
    }

    /// Whether a server is in rotation and has its full share.
    pub fn is_fully_up(&self, server: u32, now: Ns) -> bool {
        let at = self.at(server);
        self.members[at].in_rotation && !self.easing.as_ref().is_some_and(|easing| easing.is_easing(at, now))
    }

    /// What the checks have made of a server.
    pub fn health(&self, server: u32) -> Health {
        self.members[self.at(server)].health
    }

    #[inline(always)]
    fn at(&self, server: u32) -> usize {
        (server - self.first) as usize
    }

    /// nginx never takes a lone server out.
    fn is_alone(&self) -> bool {
        self.members.len() < 2
    }

    /// A server for a call, if one may be chosen and has room. `tried`: where the call has been, if that matters. `load`:
    /// the connections open to a server.
    #[inline(always)]
    pub fn choose(
        &mut self,
        rules: Rules<'_>,
        by: Choice,
        tried: Option<&Tried>,
        now: Ns,
        load: impl Fn(u32) -> u32,
    ) -> Option<u32> {
        let limit = rules.max_connections.unwrap_or(u32::MAX);
        if self.is_plain {
            return self.rotation.choose(by, |s| load(s) < limit, &load);
        }
        let mut chosen = self.choose_with_care(rules, by, limit, tried, now, &load);
        // The last one drawn is taken, wherever the call has been (Envoy's `previous_hosts`).
        for redraw in 1..=rules.redraws {
            if !chosen.zip(tried).is_some_and(|(server, tried)| tried.has(server)) {
                break;
            }
            let by = Choice { number: by.number ^ redraw << 24, redraw, ..by };
            chosen = self.choose_with_care(rules, by, limit, tried, now, &load);
        }
        chosen
    }

    /// As `choose`, where not every server in rotation with room may be chosen.
    #[inline(never)]
    fn choose_with_care(
        &mut self,
        rules: Rules<'_>,
        by: Choice,
        limit: u32,
        tried: Option<&Tried>,
        now: Ns,
        load: &impl Fn(u32) -> u32,
    ) -> Option<u32> {
        let health = rules.health;
        let tried = tried.filter(|_| rules.redispatch == Redispatch::Untried);
        let (first, alone) = (self.first, self.is_alone());
        let Members { rotation, all, members, easing, recency, fails_open, .. } = self;
        let at = |server: u32| (server - first) as usize;
        // nginx lets one call at a time try a server that was out.
        let is_forgiven = |s: u32| match &health.max_fails {
            Some(spec) if !alone => members[at(s)].peer.is_open(spec, now),
            _ => true,
        };
        let is_open = |s: u32| !tried.is_some_and(|tried| tried.has(s)) && is_forgiven(s);
        let has_room = |s: u32| load(s) < limit && is_open(s);
        let choose = |among: &mut Rotation| match (rules.ties, recency) {
            (Ties::Longest, Some(recency)) => among.longest_unchanged(by, has_room, load, |s| recency.of(at(s))),
            (Ties::Smooth, _) => among.choose_by_weight(by, has_room, load, |_| FULL_WEIGHT),
            _ => among.choose(by, has_room, load),
        };
        if *fails_open {
            return choose(all);
        }
        match easing.as_ref().filter(|easing| easing.is_on(now)) {
            None => choose(rotation),
            Some(easing) => {
                let has_room = |s: u32| load(s) < easing.limit(at(s), limit, now);
                rotation.choose_by_weight(by, |s| has_room(s) && is_open(s), load, |s| easing.weight(at(s), now))
            }
        }
    }

    /// Whether waiting for room is of no use where nobody could be chosen: nobody is in rotation, or those that are may
    /// not be chosen.
    pub fn nobody_can_serve(&self, rules: Rules<'_>) -> bool {
        let servers = if self.fails_open { &self.all } else { &self.rotation };
        servers.is_empty() || rules.health.max_fails.is_some() || rules.redispatch == Redispatch::Untried
    }

    /// A call goes to a server.
    #[inline(always)]
    pub fn on_chosen(&mut self, health: &HealthCheck, server: u32, now: Ns) {
        if let (false, Some(spec)) = (self.is_plain, &health.max_fails) {
            let at = self.at(server);
            self.members[at].peer.on_chosen(spec, now);
        }
    }

    /// The number of connections to a server is another.
    #[inline(always)]
    pub fn load_changes(&mut self, server: u32) {
        if let (false, Some(recency)) = (self.is_plain, &mut self.recency) {
            recency.changes((server - self.first) as usize);
        }
    }

    /// Whether a call's end says anything of its server.
    #[inline(always)]
    pub fn listens(&self) -> bool {
        !self.is_plain
    }

    /// A call's end says something of its server.
    pub fn on_call(&mut self, health: &HealthCheck, server: u32, verdict: Verdict, now: Ns) -> Judged {
        let (at, alone) = (self.at(server), self.is_alone());
        let (member, mut judged) = (&mut self.members[at], Judged::default());
        if let (Some(spec), Some(outliers), Some(heard)) =
            (&health.outlier, &mut self.outliers, outlier::heard(verdict))
        {
            outliers.on_result(spec, at, heard, now);
        }
        if let Some(spec) = health.max_fails.as_ref().filter(|_| !alone) {
            if max_fails::is_failure(verdict) {
                member.peer.on_failure(spec, now);
                judged.reopens_at = member.peer.reopens_at(spec).map(|back| back.max(now));
                member.is_out |= judged.reopens_at.is_some();
            } else {
                member.peer.on_success();
                member.is_out &= member.peer.reopens_at(spec).is_some();
            }
        }
        if let (Some(spec), Some(good)) = (&health.observe, observe::is_good(verdict))
            && let Some(finding) = member.observed.on_result(spec, good)
        {
            if let Some(degrade) = finding.degrade {
                member.health.on_traffic(health, degrade);
            }
            judged.check_within = health.fast_interval.filter(|_| health.enabled);
        }
        judged
    }

    /// A server that max_fails has taken out may be tried again, unless a later failure has put that off.
    pub fn reopens(&mut self, health: &HealthCheck, server: u32, now: Ns) {
        let at = self.at(server);
        let Member { peer, is_out, .. } = &mut self.members[at];
        if health.max_fails.as_ref().is_some_and(|spec| peer.is_open(spec, now)) {
            *is_out = false;
        }
    }

    /// No server may be chosen for a call: nginx before 1.11.5 then forgets all failures ("for quick recovery"). Whether
    /// anything may have changed by it.
    pub fn on_nobody(&mut self, health: &HealthCheck) -> bool {
        let forgets = health.max_fails.as_ref().is_some_and(|spec| spec.reset_all);
        if forgets {
            for member in &mut self.members {
                member.peer.reset();
                member.is_out = false;
            }
        }
        forgets
    }

    /// A check has a result: a status, 0 for none. A passing one ends an ejection (Envoy:
    /// `successful_active_health_check_uneject_host`, on by default).
    pub fn on_check(&mut self, health: &HealthCheck, server: u32, status: u16) {
        let at = self.at(server);
        let member = &mut self.members[at];
        member.health.on_result(health, health.result(status));
        if let Some(outliers) = &mut self.outliers
            && health.passes(status)
            && member.health.is_up(health)
        {
            outliers.on_check_passed(at);
        }
    }

    /// The process of a server is gone: out at once, where readiness is a state of the process.
    pub fn on_death(&mut self, health: &HealthCheck, server: u32) {
        if health.follows_process && health.enabled {
            let at = self.at(server);
            self.members[at].health.reset();
        }
    }

    /// A server is held out, whatever its checks say, or let in again.
    pub fn hold_out(&mut self, server: u32, is_held: bool) {
        let at = self.at(server);
        if self.members[at].is_held == is_held {
            return;
        }
        self.members[at].is_held = is_held;
        if is_held {
            self.all.remove(server);
        } else {
            self.all.insert(server);
        }
    }

    /// The sweep of outlier detection: servers come back, and those that fail more than the others leave. Whom it
    /// concerns.
    pub fn sweep(&mut self, health: &HealthCheck, now: Ns) -> Vec<u32> {
        self.changes.clear();
        if let (Some(spec), Some(outliers)) = (&health.outlier, &mut self.outliers) {
            outliers.on_sweep(spec, now, &mut self.changes);
        }
        self.changes.iter().map(|(host, _)| self.first + *host as u32).collect()
    }

    /// A new configuration is loaded: what was learnt of the servers, by checks and by calls, is forgotten. Per server:
    /// whether anything had been learnt. Once all are settled, [`Members::ease_nobody_in`] is due.
    pub fn forget(&mut self, health: &HealthCheck) -> Vec<bool> {
        let fresh = Health::new(health);
        let of = |(at, member): (usize, &mut Member)| {
            let known = !member.health.is_like(fresh, health) || member.is_out || is_ejected(&self.outliers, at);
            member.health = fresh;
            known
        };
        let known = self.members.iter_mut().enumerate().map(of).collect();
        self.forget_calls(health);
        known
    }

    /// What calls have said of the servers is forgotten.
    pub fn forget_calls(&mut self, health: &HealthCheck) {
        for member in &mut self.members {
            member.peer = Peer::default();
            member.observed = Observed::default();
            member.is_out = false;
        }
        self.outliers = health.outlier.as_ref().map(|_| Outliers::new(self.members.len()));
    }

    /// Whoever is in rotation has its full share: a balancer that starts eases nobody in ("slowstart never applies when
    /// haproxy starts").
    pub fn ease_nobody_in(&mut self) {
        self.easing.iter_mut().for_each(Easing::forget);
    }

    /// Compares whether a server should be in rotation with whether it is: what it is from now on, if that is new.
    pub fn settle(&mut self, health: &HealthCheck, server: u32, now: Ns) -> Option<bool> {
        let (at, first) = (self.at(server), self.first);
        let ejected = is_ejected(&self.outliers, at);
        let member = &mut self.members[at];
        let up = member.health.is_up(health) && !member.is_held && !member.is_out && !ejected;
        if up == member.in_rotation {
            return None;
        }
        member.in_rotation = up;
        if up {
            if let Some(easing) = &mut self.easing {
                easing.back_at(at, now, self.rotation.servers().iter().map(|other| (other - first) as usize));
            }
            self.rotation.insert(server);
            self.load_changes(server);
        } else {
            self.rotation.remove(server);
        }
        Some(up)
    }

    /// Others than before are in rotation, or held out: whether health is ignored from now on, if that is new.
    pub fn settle_fail_open(&mut self, health: &HealthCheck) -> Option<bool> {
        let begins = health.fails_open(self.rotation.len(), self.all.len());
        (std::mem::replace(&mut self.fails_open, begins) != begins).then_some(begins)
    }
}

fn is_ejected(outliers: &Option<Outliers>, at: usize) -> bool {
    outliers.as_ref().is_some_and(|outliers| outliers.is_ejected(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::balance::Algorithm;
    use crate::policy::fail_open::FailOpenBelow;
    use crate::policy::max_fails::MaxFails;
    use crate::policy::observe::{Observe, OnError};
    use crate::policy::outlier::Outlier;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    const FIRST: u32 = 3;
    const FAILED: Verdict = Verdict::Answered { status: 500, retried: true };
    const GOOD: Verdict = Verdict::Answered { status: 200, retried: false };

    fn rules(health: &HealthCheck) -> Rules<'_> {
        Rules { health, redispatch: Redispatch::Haproxy, redraws: 0, max_connections: None, ties: Ties::InTurn }
    }

    fn by(algorithm: Algorithm, salt: u64) -> Choice {
        Choice { algorithm, salt, number: 0, avoid: None, distinct: true, keys: None, redraw: 0 }
    }

    /// The server that a call gets, its draws aside, with so many connections to each.
    fn choose(members: &mut Members, rules: Rules<'_>, tried: Option<&Tried>, now: Ns, load: [u32; 3]) -> Option<u32> {
        let by = by(Algorithm::LeastRequests, 1);
        members.choose(rules, by, tried, now, |server| load[(server - FIRST) as usize])
    }

    fn fails(members: &mut Members, health: &HealthCheck, server: u32, times: usize, at: Ns) -> Judged {
        let judged = (0..times).map(|_| members.on_call(health, server, FAILED, at)).last().unwrap_or_default();
        members.settle(health, server, at);
        members.settle_fail_open(health);
        judged
    }

    #[test]
    fn who_may_be_chosen() {
        let plain = HealthCheck::default();
        let nginx = HealthCheck { max_fails: Some(MaxFails::default()), ..HealthCheck::default() };
        let open = HealthCheck { fail_open_below: Some(FailOpenBelow::Count(2)), ..HealthCheck::default() };
        let now = Ns::secs(100);

        // Room, and nothing else, where nothing else matters.
        let limited = Rules { max_connections: Some(2), ..rules(&plain) };
        let mut members = Members::new(limited, FIRST, 3);
        assert_eq!(choose(&mut members, limited, None, now, [2, 1, 2]), Some(4));
        assert_eq!(choose(&mut members, limited, None, now, [2, 2, 2]), None);
        assert!(!members.nobody_can_serve(limited), "one may have room soon");

        // Whom checks or operators have out gets nothing, unless so few are left that health is ignored; whom operators
        // hold out gets nothing then either.
        for (health, with_one_up, with_none_held) in [(&plain, 5, 5), (&open, 3, 4)] {
            let mut members = Members::new(rules(health), FIRST, 3);
            for server in [3, 4] {
                (0..3).for_each(|_| members.on_check(health, server, 500));
                members.settle(health, server, now);
                members.settle_fail_open(health);
            }
            assert_eq!(choose(&mut members, rules(health), None, now, [0, 1, 2]), Some(with_one_up));
            members.hold_out(3, true);
            members.settle_fail_open(health);
            assert_eq!(choose(&mut members, rules(health), None, now, [0, 1, 2]), Some(with_none_held));
        }

        // nginx's peers: out after a failure, one trial once they have rested, and no waiting for room.
        let mut members = Members::new(rules(&nginx), FIRST, 3);
        let judged = fails(&mut members, &nginx, 3, 1, now);
        assert_eq!(choose(&mut members, rules(&nginx), None, now, [0, 1, 2]), Some(4));
        let rested = judged.reopens_at.unwrap();
        assert_eq!(rested, Ns::secs(111), "a second after fail_timeout, in whole seconds");
        members.reopens(&nginx, 3, rested);
        assert_eq!(members.settle(&nginx, 3, rested), Some(true));
        assert_eq!(choose(&mut members, rules(&nginx), None, rested, [0, 1, 2]), Some(3));
        members.on_chosen(&nginx, 3, rested);
        assert_eq!(choose(&mut members, rules(&nginx), None, rested, [0, 1, 2]), Some(4), "one call at a time");
        assert!(members.nobody_can_serve(rules(&nginx)));

        // Where a call goes on to servers that it has not tried.
        let untried = Rules { redispatch: Redispatch::Untried, ..rules(&plain) };
        let (mut members, mut tried) = (Members::new(untried, FIRST, 3), Tried::default());
        for should_be in [Some(3), Some(4), Some(5), None] {
            let is = choose(&mut members, untried, Some(&tried), now, [0, 1, 2]);
            assert_eq!(is, should_be);
            is.into_iter().for_each(|server| tried.add(server));
        }
        assert!(members.nobody_can_serve(untried));
    }

    #[test]
    fn a_server_that_is_back_has_a_small_share_and_those_from_the_start_have_theirs() {
        let health = HealthCheck { slow_start: Some(Ns::secs(10)), ..HealthCheck::default() };
        let mut members = Members::new(rules(&health), FIRST, 3);
        (0..3).for_each(|_| members.on_check(&health, 3, 0));
        assert_eq!(members.settle(&health, 3, Ns::secs(1)), Some(false));
        (0..2).for_each(|_| members.on_check(&health, 3, 200));
        assert_eq!(members.settle(&health, 3, Ns::secs(2)), Some(true));
        let full = |members: &Members, at| [3, 4, 5].map(|server| members.is_fully_up(server, Ns::secs(at)));
        assert_eq!((full(&members, 3), full(&members, 12)), ([false, true, true], [true, true, true]));
        // Least requests per weight: a tenth of the weight with one connection is as ten.
        assert_eq!(choose(&mut members, rules(&health), None, Ns::secs(3), [1, 5, 6]), Some(4));
        assert_eq!(members.easing.as_ref().unwrap().weight(0, Ns::secs(3)), FULL_WEIGHT / 10);
        members.ease_nobody_in();
        assert_eq!(full(&members, 3), [true, true, true]);
    }

    #[test]
    fn calls_take_a_server_out_and_a_passed_check_or_time_brings_it_back() {
        let (now, outlier) = (Ns::secs(5), Outlier { max_share: crate::units::Share(0.5), ..Outlier::default() });
        let envoy = HealthCheck { outlier: Some(outlier), ..HealthCheck::default() };
        let mut members = Members::new(rules(&envoy), FIRST, 3);
        assert_eq!(fails(&mut members, &envoy, 4, 5, now), Judged::default());
        assert!(!members.is_in_rotation(4) && members.let_in() == 3);
        // A check that does not pass ends nothing; one that passes does (Envoy).
        members.on_check(&envoy, 4, 500);
        assert_eq!(members.settle(&envoy, 4, now), None);
        members.on_check(&envoy, 4, 200);
        assert_eq!(members.settle(&envoy, 4, now), Some(true));
        fails(&mut members, &envoy, 4, 5, now);
        let concerned: Vec<Vec<u32>> = (1..=7).map(|n| members.sweep(&envoy, now.plus(Ns::secs(10 * n)))).collect();
        assert_eq!(concerned.iter().position(|who| who == &[4]), Some(5), "twice the base time: {concerned:?}");

        // nginx never takes a lone server out, and before 1.11.5 forgets when nobody is left.
        let old = MaxFails { reset_all: true, ..MaxFails::default() };
        let nginx = HealthCheck { max_fails: Some(old), ..HealthCheck::default() };
        let mut lone = Members::new(rules(&nginx), FIRST, 1);
        assert_eq!(fails(&mut lone, &nginx, 3, 9, now), Judged::default());
        assert!(lone.is_in_rotation(3));
        let mut two = Members::new(rules(&nginx), FIRST, 2);
        for server in [3, 4] {
            fails(&mut two, &nginx, server, 1, now);
        }
        assert_eq!(two.in_rotation(), 0);
        assert!(two.on_nobody(&nginx));
        assert_eq!([3, 4].map(|server| two.settle(&nginx, server, now)), [Some(true); 2]);

        // HAProxy's observe: a row of errors is a failed check, and the next one comes sooner, if there are any.
        let observe = Observe { errors: 2, on_error: OnError::MarkDown };
        for enabled in [true, false] {
            let health = HealthCheck {
                observe: Some(observe.clone()),
                fast_interval: Some(Ns::millis(100)),
                enabled,
                ..HealthCheck::default()
            };
            let mut members = Members::new(rules(&health), FIRST, 2);
            assert_eq!(members.on_call(&health, 3, FAILED, now), Judged::default());
            let judged = members.on_call(&health, 3, FAILED, now);
            assert_eq!(judged.check_within, enabled.then_some(Ns::millis(100)));
            assert_eq!(members.settle(&health, 3, now), Some(false), "and without checks nothing brings it back");
        }
    }

    #[test]
    fn what_is_forgotten_is_said_and_a_death_counts_where_readiness_is_of_the_process() {
        let now = Ns::secs(9);
        let nginx = HealthCheck { max_fails: Some(MaxFails::default()), ..HealthCheck::default() };
        let mut members = Members::new(rules(&nginx), FIRST, 3);
        (0..3).for_each(|_| members.on_check(&nginx, 3, 0));
        fails(&mut members, &nginx, 4, 1, now);
        assert_eq!(members.forget(&nginx), [true, true, false]);
        assert_eq!(members.forget(&nginx), [false; 3]);
        for (follows_process, should_be) in [(true, Some(false)), (false, None)] {
            let health = HealthCheck { follows_process, ..HealthCheck::default() };
            let mut members = Members::new(rules(&health), FIRST, 2);
            members.on_death(&health, 4);
            assert_eq!(members.settle(&health, 4, now), should_be);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 256, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default()
        })]

        /// Whatever happens in whatever order: those in rotation are those that say so, whoever is held out is not among
        /// them, nobody is chosen who may not be, and a change that is told of is one.
        #[test]
        fn rotation_is_what_all_agree_on(
            which in 0..4_usize,
            events in prop::collection::vec((0..8_u8, FIRST..FIRST + 4, 0..3_u64), 1..200),
        ) {
            let outlier = Outlier { max_share: crate::units::Share(0.5), ..Outlier::default() };
            let health = HealthCheck {
                max_fails: (which == 1).then(MaxFails::default),
                outlier: (which == 2).then_some(outlier),
                fail_open_below: (which == 3).then_some(FailOpenBelow::Share(0.5)),
                slow_start: (which == 3).then_some(Ns::secs(2)),
                ..HealthCheck::default()
            };
            let (rules, mut now) = (rules(&health), Ns::ZERO);
            let mut members = Members::new(rules, FIRST, 4);
            for (event, server, seconds) in events {
                now = now.plus(Ns::secs(seconds));
                match event {
                    0 | 1 => members.on_check(&health, server, if event == 0 { 200 } else { 500 }),
                    2 | 3 => drop(members.on_call(&health, server, if event == 2 { GOOD } else { FAILED }, now)),
                    4 => members.hold_out(server, seconds > 0),
                    5 => members.reopens(&health, server, now),
                    6 => drop(members.sweep(&health, now)),
                    _ => drop(members.forget(&health)),
                }
                for server in members.servers() {
                    let before = members.is_in_rotation(server);
                    prop_assert_eq!(members.settle(&health, server, now).unwrap_or(before), members.is_in_rotation(server));
                    prop_assert!(members.settle(&health, server, now).is_none(), "settled");
                    prop_assert!(!(members.is_in_rotation(server) && members.members[members.at(server)].is_held));
                }
                members.settle_fail_open(&health);
                prop_assert!(members.settle_fail_open(&health).is_none());
                let up: Vec<u32> = members.servers().filter(|server| members.is_in_rotation(*server)).collect();
                prop_assert_eq!(members.rotation.servers(), &up[..]);
                let by = by(Algorithm::RoundRobin, 7);
                let chosen = members.choose(rules, by, None, now, |_| 0);
                let open = members.fails_open();
                if let Some(server) = chosen {
                    let member = &members.members[members.at(server)];
                    prop_assert!(if open { !member.is_held } else { member.in_rotation }, "{:?}", members);
                    members.on_chosen(&health, server, now);
                } else if which != 1 {
                    prop_assert!(if open { members.let_in() == 0 } else { up.is_empty() }, "somebody could serve");
                }
            }
        }
    }
}
