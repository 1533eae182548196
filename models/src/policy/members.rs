//! The servers of one fleet as a balancer sees them: who is in rotation, who may be chosen, and what checks, operators and
//! the calls themselves do to that.
//!
//! A server is in rotation while its health checks say that it is up, no operator holds it out, and neither `max_fails` nor
//! outlier detection has it out. The owner of [`Members`] tells it what happens (a check has a result, a call has ended), then
//! calls [`Members::settle`] for each server concerned, and acts on what has changed. Timers are the owner's.

use crate::policy::balance::{Choice, Easing, FULL_WEIGHT, Recency, Rotation, Ties};
use crate::policy::health::{Health, HealthCheck};
use crate::policy::max_fails::{self, Peer};
use crate::policy::observe::{self, Observed};
use crate::policy::outlier::{self, Outliers};
use crate::policy::redispatch::{Redispatch, Tried};
use crate::policy::verdict::Verdict;
use crate::units::Ns;
use std::ops::Range;

/// Nanoseconds in a millisecond.
const MILLISECOND: u64 = 1_000_000;

/// What is known of one server.
#[derive(Clone, Debug)]
struct Member {
    health: Health,
    is_held: bool,
    in_rotation: bool,
    /// Where it should be, as it was last settled: the change may still be on its way.
    announced: bool,
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
            && health.no_traffic_interval.is_none()
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

/// What is to be done about a server whose standing may have changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Settling {
    /// Nothing: it has not changed, or the change will be delivered with others.
    Nothing,
    /// [`Members::deliver`] is due then: changes follow one another so quickly that they are merged.
    At(Ns),
    /// [`Members::apply`] is due for these.
    Now(Range<u32>),
}

/// Changes of servers on their way to whoever chooses among them (Envoy: `scheduleUpdate` in
/// source/common/upstream/cluster_manager_impl.cc).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Merging {
    last: Option<Ns>,
    due: Option<Ns>,
}

/// The servers of a fleet.
#[derive(Clone, Debug)]
pub struct Members {
    first: u32,
    is_plain: bool,
    rotation: Rotation,
    /// Those that no operator holds out, for when health is ignored.
    all: Rotation,
    fails_open: bool,
    members: Vec<Member>,
    outliers: Option<Outliers>,
    easing: Option<Easing>,
    recency: Option<Recency>,
    merging: Merging,
    /// Whether any call has come yet.
    has_calls: bool,
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
            announced: up,
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
            merging: Merging::default(),
            has_calls: false,
            changes: Vec::new(),
        };
        members.forget_calls(health);
        members.settle_fail_open(health);
        members
    }

    /// The servers.
    pub fn servers(&self) -> Range<u32> {
        self.first..self.first + self.members.len() as u32
    }

    /// Round robin begins with another than the first: so many on, and round.
    pub fn begin_at(&mut self, turn: usize) {
        self.rotation.begin_at(turn);
        self.all.begin_at(turn);
    }

    /// How many are in rotation.
    pub fn in_rotation(&self) -> usize {
        self.rotation.len()
    }

    /// How many are not held out.
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

    /// Whether operators hold a server out.
    pub fn is_held(&self, server: u32) -> bool {
        self.members[self.at(server)].is_held
    }

    /// Whether a server is in rotation and has its full share.
    pub fn is_fully_up(&self, server: u32, now: Ns) -> bool {
        let at = self.at(server);
        self.members[at].in_rotation && !self.easing.as_ref().is_some_and(|easing| easing.is_easing(at, now))
    }

    /// Whether any call has come yet; not known where nothing depends on it.
    pub fn has_calls(&self) -> bool {
        self.has_calls
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

    /// Whether waiting for room is of no use where none could be chosen: none is in rotation, or those that are may
    /// not be chosen.
    pub fn none_can_serve(&self, rules: Rules<'_>) -> bool {
        let servers = if self.fails_open { &self.all } else { &self.rotation };
        servers.is_empty() || rules.health.max_fails.is_some() || rules.redispatch == Redispatch::Untried
    }

    /// A call goes to a server.
    #[inline(always)]
    pub fn on_chosen(&mut self, health: &HealthCheck, server: u32, now: Ns) {
        self.has_calls = true;
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
        if let Some(spec) = &health.observe
            && let Some(good) = observe::is_good(spec.layer, verdict)
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

    /// A check has a result: a status, 0 for none. A passing one ends an ejection, unless
    /// `ends_by_check` says otherwise.
    pub fn on_check(&mut self, health: &HealthCheck, server: u32, status: u16) {
        let at = self.at(server);
        let member = &mut self.members[at];
        member.health.on_result(health, health.result(status));
        if let (Some(outliers), Some(spec)) = (&mut self.outliers, &health.outlier)
            && spec.ends_by_check
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

    /// Servers in rotation have their full share: a balancer that starts eases none in ("slowstart never applies when
    /// haproxy starts").
    pub fn ease_nobody_in(&mut self) {
        self.easing.iter_mut().for_each(Easing::forget);
    }

    /// Whether a server should be in rotation: its checks, operators and the calls agree.
    fn should_be_in(&self, at: usize, health: &HealthCheck) -> bool {
        let member = &self.members[at];
        member.health.is_up(health) && !member.is_held && !member.is_out && !is_ejected(&self.outliers, at)
    }

    /// Compares whether a server should be in rotation with whether it is, and says what is to be done about that. A server
    /// that operators hold out leaves at once.
    pub fn settle(&mut self, health: &HealthCheck, server: u32, now: Ns) -> Settling {
        let at = self.at(server);
        let up = self.should_be_in(at, health);
        if up == self.members[at].announced {
            return Settling::Nothing;
        }
        self.members[at].announced = up;
        let Some(window) = health.merge_window else { return Settling::Now(server..server + 1) };
        // Whole milliseconds are compared, as in Envoy, which counts a window that is over to the millisecond as not over
        // (`delta_ms > timeout`). Here it is over: arrivals exactly a window apart stand for those of a script, which are
        // always a little later.
        let is_soon = self.merging.last.is_some_and(|last| now.minus(last).0 / MILLISECOND < window.0 / MILLISECOND);
        if is_soon && !self.members[at].is_held {
            if self.merging.due.is_some() {
                return Settling::Nothing;
            }
            self.merging.due = Some(now.plus(window));
            return Settling::At(now.plus(window));
        }
        let waited = self.merging.due.is_some();
        self.merging = Merging { last: Some(now), due: None };
        // What waits comes along.
        Settling::Now(if waited { self.servers() } else { server..server + 1 })
    }

    /// Merged changes are due, unless an earlier one took them along: [`Members::apply`] is due for these.
    pub fn deliver(&mut self, now: Ns) -> Option<Range<u32>> {
        if self.merging.due != Some(now) {
            return None;
        }
        self.merging = Merging { last: Some(now), due: None };
        Some(self.servers())
    }

    /// Takes a server into rotation or out of it, if that is where it should be: what it is from now on, if that is new.
    pub fn apply(&mut self, health: &HealthCheck, server: u32, now: Ns) -> Option<bool> {
        let (at, first) = (self.at(server), self.first);
        let up = self.should_be_in(at, health);
        let member = &mut self.members[at];
        member.announced = up;
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
#[path = "members_tests.rs"]
mod tests;
