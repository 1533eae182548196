//! The lives of some calls of a run: every way that they took, where they waited, and what became of them.
//!
//! A recorder looks on at a run from outside ([`Observer`]): it takes up the calls that are asked for when they are offered,
//! and after each event compares where their tries stand with where they stood. [`tell`] puts one life into words;
//! [`spans`] lays lives out in time for a picture.
//!
//! Not recorded: what happens to a query after its asker has gone, and every step of a write out of a spool where many
//! calls are followed at once; its facts (stored late, lost) are.

mod spans;
mod tell;

pub use spans::{Happened, Lane, Span, Spans, spans};
pub use tell::{Moment, Story, tell};

use crate::ledger::{Entry, Imbalance};
use crate::run::{Ended, Observer, Run, halted};
use crate::write_up::orders;
use brownout_models::kernel::{Account, Fact};
use brownout_models::ledger::Cause;
use brownout_models::metrics;
use brownout_models::slab::Ref;
use brownout_models::units::Ns;
use brownout_models::world::{Back, Client, Front, Purpose, QueryState, World};
use brownout_scenarios::Scenario;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;

/// Which calls to follow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Which {
    /// The one of this number, counted from 1 in the order in which calls are offered.
    Number(u64),
    /// The one of this population and salt.
    Salt(u16, u64),
    /// Those offered from one time on and before another, at most so many.
    Between(Ns, Ns, usize),
}

/// Where a try stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stand {
    /// The attempt of the call that it belongs to.
    pub attempt: u16,
    /// Whether it is a write out of a spool.
    pub replay: bool,
    /// The server last chosen, if one was.
    pub server: Option<u32>,
    /// How often the balancer has given it to a server.
    pub dispatches: u16,
    /// How often it has asked the store again in place.
    pub asks: u16,
    /// Standing at the balancer.
    pub front: Front,
    /// Standing at the server.
    pub back: Back,
    /// The store that it uses, if it uses one.
    pub store: Option<u16>,
    /// Where its query stands, while it has one.
    pub query: Option<QueryState>,
    /// Whether its client waits no longer.
    pub client_gone: bool,
    /// How many services away from the clients: 0 for their own attempts.
    pub depth: u16,
    /// Whether it is one ask of a call's step, run at the server that has the call.
    pub errand: bool,
    /// Fleet and kind of call, by their places, that it asks for.
    pub asks_for: Option<(u16, u16)>,
}

/// Something that happened to a call.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum What {
    /// A try, by number from 0, stands there now.
    Stands(usize, Stand),
    /// A try is over; and what for, if it ended a chance of a call that is neither stored nor answered.
    Over(usize, Option<Cause>),
    /// The books took something down.
    Fact(Fact),
}

/// Something that happened to a call, and when.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Change {
    /// When.
    pub at: Ns,
    /// What.
    pub what: What,
}

/// The life of a call.
#[derive(Clone, PartialEq, Debug)]
pub struct Life {
    /// Its number, from 1, in the order in which calls are offered.
    pub number: u64,
    /// Its population.
    pub population: u16,
    /// Its salt.
    pub salt: u64,
    /// When it was offered.
    pub offered: Ns,
    /// What happened to it, in order.
    pub changes: Vec<Change>,
    /// Whether it ended before the run did.
    pub over: bool,
}

/// A life under way.
struct Alive {
    /// Its place among the lives.
    life: usize,
    call: Ref,
    /// Its tries that are not over, by number, with where they last stood.
    ways: Vec<(usize, Ref, Stand)>,
    /// How many tries there have been.
    tries: usize,
    /// The server that had it last.
    server: Option<u32>,
}

/// Follows calls.
struct Recorder {
    which: Which,
    lives: Vec<Life>,
    alive: Vec<Alive>,
    by_salt: BTreeMap<(u16, u64), usize>,
    offered: u64,
    now: Ns,
}

impl Recorder {
    fn wants(&self, number: u64, account: &Account, offered: Ns) -> bool {
        match self.which {
            Which::Number(wanted) => number == wanted,
            Which::Salt(population, salt) => account.population == population && account.salt == salt,
            Which::Between(from, to, most) => offered >= from && offered < to && self.lives.len() < most,
        }
    }

    /// Takes up a call that has just been offered, if it is one of those asked for.
    fn take_up(&mut self, number: u64, account: &Account, now: Ns, world: &World) {
        // Most calls are not asked for: no search for them. One may have been offered before it comes here, but not after.
        let may_be = match self.which {
            Which::Between(from, _, most) => now >= from && self.lives.len() < most,
            Which::Number(_) | Which::Salt(..) => self.wants(number, account, now),
        };
        if !may_be {
            return;
        }
        let is = |r: &Ref| world.calls[*r].salt == account.salt && world.calls[*r].population == account.population;
        let call = world.calls.refs().find(is);
        // One that is over within the event in which it was offered is in no place any more.
        let offered = call.map_or(now, |call| world.calls[call].offered);
        if !self.wants(number, account, offered) {
            return;
        }
        let life = self.lives.len();
        let (population, salt) = (account.population, account.salt);
        self.lives.push(Life { number, population, salt, offered, changes: Vec::new(), over: call.is_none() });
        self.by_salt.insert((population, salt), life);
        if let Some(call) = call {
            self.alive.push(Alive { life, call, ways: Vec::new(), tries: 0, server: None });
        }
    }

    fn note(&mut self, life: usize, at: Ns, what: What) {
        self.lives[life].changes.push(Change { at, what });
    }

    /// Takes down facts about calls that are followed: attempts, or all the others.
    fn facts(&mut self, facts: &[Entry], attempts: bool) {
        for entry in facts {
            let Some(account) = account(&entry.fact) else { continue };
            if matches!(entry.fact, Fact::Attempt(_)) != attempts {
                continue;
            }
            if let Some(life) = self.by_salt.get(&(account.population, account.salt)) {
                self.note(*life, entry.at, What::Fact(entry.fact));
            }
        }
    }

    /// Compares where all tries that are followed stand with where they stood.
    fn compare(&mut self, now: Ns, world: &World) {
        let mut alive = std::mem::take(&mut self.alive);
        alive.retain_mut(|alive| {
            find_tries(alive, world);
            let mut changes = Vec::new();
            alive.ways.retain_mut(|(number, at, stood)| match stand(*at, world) {
                Some(stands) => {
                    if stands != *stood {
                        changes.push(What::Stands(*number, stands));
                    }
                    *stood = stands;
                    alive.server = stands.server.or(alive.server);
                    true
                }
                None => {
                    let call = world.calls.get(alive.call).filter(|c| !c.stored && c.client != Client::Ok);
                    changes.push(What::Over(*number, call.map(|c| c.cause)));
                    false
                }
            });
            changes.into_iter().for_each(|what| self.note(alive.life, now, what));
            let lives = world.calls.get(alive.call).is_some() || !alive.ways.is_empty();
            self.lives[alive.life].over = !lives;
            lives
        });
        self.alive = alive;
    }
}

/// A stand that no try has, so that the first one is a change.
const NOWHERE: Stand = Stand {
    attempt: 0,
    replay: false,
    server: None,
    dispatches: u16::MAX,
    asks: 0,
    front: Front::Closed,
    back: Back::None,
    store: None,
    query: None,
    client_gone: false,
    depth: 0,
    errand: false,
    asks_for: None,
};

/// Takes up tries of a call that are new.
fn find_tries(alive: &mut Alive, world: &World) {
    let Some(call) = world.calls.get(alive.call) else { return };
    let last = alive.server.filter(|_| alive.ways.is_empty()).and_then(|s| world.servers[s as usize].last_taken_on());
    // Of a call with steps there are others, in any place.
    let mut steps: Vec<Ref> = if world.edges.is_empty() { Vec::new() } else { world.tries.refs().collect() };
    // Who asks comes before whom it asks.
    steps.sort_by_key(|at| world.tries[*at].purpose == Purpose::Asked);
    for at in [Some(call.current), last].into_iter().flatten().chain(steps) {
        let mine = world.tries.get(at).is_some_and(|t| t.call == alive.call && t.purpose != Purpose::Background);
        if mine && !alive.ways.iter().any(|(_, known, _)| *known == at) {
            alive.ways.push((alive.tries, at, NOWHERE));
            alive.tries += 1;
        }
    }
}

fn stand(at: Ref, world: &World) -> Option<Stand> {
    let t = world.tries.get(at)?;
    let mut depth = u16::from(t.purpose == Purpose::Asked);
    let mut above = world.tries.get(t.parent);
    while let Some(parent) = above {
        depth += u16::from(parent.purpose == Purpose::Asked);
        above = world.tries.get(parent.parent);
    }
    let errand = t.purpose == Purpose::Errand;
    let asked = world.tries.get(t.query).filter(|_| errand && t.back == Back::Calling);
    let replay = t.purpose == Purpose::Replay;
    Some(Stand {
        attempt: t.attempt,
        replay,
        server: (t.dispatches > 0 || replay || errand).then_some(t.server),
        dispatches: t.dispatches,
        asks: t.asks,
        front: t.front,
        back: t.back,
        store: world.plans[t.fleet as usize][t.plan as usize].store,
        query: world.queries.get(t.query).filter(|q| q.asker == at && t.back == Back::Querying).map(|q| q.state),
        client_gone: t.client_gone,
        depth,
        errand,
        asks_for: asked.map(|asked| (asked.fleet, asked.plan)),
    })
}

fn account(fact: &Fact) -> Option<&Account> {
    match fact {
        Fact::Attempt(a)
        | Fact::Stored(a, _)
        | Fact::Late(a)
        | Fact::Duplicate(a, _)
        | Fact::Dropped(a, _)
        | Fact::LostAfterOk(a)
        | Fact::Ok(a, _)
        | Fact::Failed(a, _) => Some(a),
        Fact::Asked { .. }
        | Fact::AskTried { .. }
        | Fact::AskOver { .. }
        | Fact::Rotation { .. }
        | Fact::Process { .. }
        | Fact::FailsOpen { .. }
        | Fact::Fault { .. }
        | Fact::Outage { .. } => None,
    }
}

impl Observer for Recorder {
    fn after(&mut self, now: Ns, world: &World, facts: &[Entry], offered: u64) {
        self.now = now;
        if offered > self.offered {
            // Each call that is offered is sent at once: the first attempts of an event stand in the order of the offers.
            let attempts = facts.iter().filter_map(|e| if let Fact::Attempt(a) = &e.fact { Some(a) } else { None });
            for (number, account) in (self.offered + 1..=offered).zip(attempts) {
                self.take_up(number, account, now, world);
            }
            self.offered = offered;
        }
        if self.alive.is_empty() && self.by_salt.is_empty() {
            return;
        }
        self.facts(facts, true);
        self.compare(now, world);
        self.facts(facts, false);
    }

    fn has_enough(&self) -> bool {
        let found = match self.which {
            Which::Number(wanted) => self.offered >= wanted,
            Which::Salt(..) => !self.lives.is_empty(),
            Which::Between(_, to, most) => self.lives.len() >= most || self.now >= to,
        };
        found && self.alive.is_empty()
    }
}

/// A run with the lives of some of its calls.
pub struct Followed {
    /// The run, as far as it went: to its end, or until all that was asked for was seen.
    pub run: Run,
    /// The lives, in the order in which the calls were offered.
    pub lives: Vec<Life>,
    /// How the run ended; none if all that was asked for was seen before.
    pub ended: Option<Ended>,
}

/// Runs a scenario until the calls asked for are over.
///
/// # Errors
/// [`Imbalance`] if the ledger does not balance.
pub fn follow(scenario: &Scenario, seed: u64, which: Which, stop: Option<&AtomicBool>) -> Result<Followed, Imbalance> {
    let mut run = Run::new(&scenario.plan, orders(scenario, seed));
    let mut recorder =
        Recorder { which, lives: Vec::new(), alive: Vec::new(), by_salt: BTreeMap::new(), offered: 0, now: Ns::ZERO };
    let halted = halted(stop);
    let mut ended = None;
    // Nothing of the time before is asked for: it is run without being looked at, step by step.
    if let Which::Between(from, ..) = which {
        while ended.is_none() && run.at().plus(scenario.step) < from.minus(EARLY) {
            ended = run.step_unless(&halted)?;
        }
        recorder.offered = run.ledger().offered();
    }
    while ended.is_none() && !recorder.has_enough() {
        ended = if halted() { Some(Ended::Interrupted) } else { run.step_observed(&mut recorder, &halted)? };
    }
    Ok(Followed { run, lives: recorder.lives, ended })
}

/// How long before an event of it a call may have been offered: no link is as slow.
const EARLY: Ns = Ns::secs(600);

/// What a call is looked for by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sought {
    /// The first whose data is dropped, by the time at which it is.
    FirstDropped,
    /// The first whose client gives it up, by the time at which it does.
    FirstFailed,
    /// The first that its client sends again while it waits for an answer, by the time at which it does. What the balancer
    /// tries again is another try of one attempt.
    FirstRetried,
    /// The one that was answered ok after the longest time; the first of equals.
    Slowest,
}

/// The call looked for among some: of a subject ("all", "track", "track.browsers"), offered within a stretch of time; and
/// how the run ended, if there is none up to there.
///
/// # Errors
/// [`Imbalance`] if the ledger does not balance.
pub fn seek(
    scenario: &Scenario,
    seed: u64,
    sought: Sought,
    (subject, (from, to)): (&str, (Ns, Ns)),
    stop: Option<&AtomicBool>,
) -> Result<Result<Which, Ended>, Imbalance> {
    let populations = metrics::populations(subject, &scenario.plan.spec);
    let mut orders = orders(scenario, seed);
    // So that every call's cell tells whether it was offered within the stretch.
    orders.boundaries.extend([from, to]);
    let mut run = Run::new(&scenario.plan, orders.keeping_facts(scenario.plan.end));
    let halted = halted(stop);
    let mut search = Search { sought, waiting: BTreeSet::new(), slowest: None };
    loop {
        let ended = run.step_unless(&halted)?;
        let ledger = run.ledger();
        let asked = |account: &Account| {
            let offered = ledger.begins(account.cohort);
            populations.contains(&usize::from(account.population)) && offered >= from && offered < to
        };
        let found = ledger.kept.iter().flatten().find_map(|entry| search.look(&entry.fact, &asked));
        if let Some(account) = found {
            return Ok(Ok(Which::Salt(account.population, account.salt)));
        }
        if let Some(ended) = ended {
            // Not known of a run that was broken off.
            let slowest = search.slowest.filter(|_| ended == Ended::Complete);
            return Ok(slowest.map(|(_, account)| Which::Salt(account.population, account.salt)).ok_or(ended));
        }
    }
}

/// What has been seen on the way.
struct Search {
    sought: Sought,
    /// Calls that have been sent and whose client still waits.
    waiting: BTreeSet<(u16, u64)>,
    slowest: Option<(Ns, Account)>,
}

impl Search {
    /// Looks at a fact; gives the call that it decides for.
    fn look(&mut self, fact: &Fact, asked: &dyn Fn(&Account) -> bool) -> Option<Account> {
        let of = |account: &Account| (account.population, account.salt);
        match (self.sought, fact) {
            (Sought::FirstDropped, Fact::Dropped(account, _)) | (Sought::FirstFailed, Fact::Failed(account, _)) => {
                asked(account).then_some(*account)
            }
            (Sought::FirstRetried, Fact::Attempt(account)) if asked(account) => {
                (!self.waiting.insert(of(account))).then_some(*account)
            }
            (Sought::FirstRetried, Fact::Ok(account, _) | Fact::Failed(account, _)) => {
                self.waiting.remove(&of(account));
                None
            }
            (Sought::Slowest, Fact::Ok(account, latency)) if asked(account) => {
                if self.slowest.is_none_or(|(longest, _)| *latency > longest) {
                    self.slowest = Some((*latency, *account));
                }
                None
            }
            _ => None,
        }
    }
}
