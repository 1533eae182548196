//! The witness: sees what happens to every call, wherever it is, and keeps the books.
//!
//! No service decides anything by it. A call can still be executed as long as it has a *chance*: with its client, on its
//! way, at the balancer, at a server, at a store. A chance is a value: the part that has the call holds it, hands it on with the
//! message that carries the call, and ends it with the reason; one that is dropped with its process ends as *crashed*.
//! When the last chance is gone and the client waits no more, the call's books are closed.

use crate::balancer::Log;
use crate::http::Ticket;
use crate::platform::weather::{Met, delays};
use brownout_models::fault::{LinkKnobs, ServerKnobs, StoreKnobs};
use brownout_models::kernel::{Account, Fact};
use brownout_models::ledger::{Cause, Seen};
use brownout_models::units::Ns;
use brownout_sim::ledger::Imbalance;
use brownout_sim::run::{Counted, Ended, Gauges, Relay, Run, halted};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Bytes that a call under way takes here, with its tasks, connections and buffers on all machines; a guess, on the high side.
const CALL: u64 = 64_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Client {
    Waiting,
    Ok,
    Failed,
}

struct Call {
    /// The attempt that last asked a store, and how often.
    asked: (u16, u32),
    account: Account,
    offered: Ns,
    client: Client,
    /// The attempt that the client waits for; 0 between two.
    current: u16,
    chances: u32,
    stored: bool,
    /// Whether its data, when it is stored, is stored late.
    late: bool,
    /// The last attempt.
    attempts: u16,
    /// Whether an attempt has reached the balancer, which keeps a log.
    logged: bool,
    reads: bool,
    cause: Cause,
}

/// Where a chance travels to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum To {
    /// To the balancer, which never dies.
    Balancer,
    /// To a server, in this incarnation of its process.
    Server(u32, u32),
    /// Over this connection to a store.
    Store(u64),
}

struct Travelling {
    call: u64,
    to: To,
}

struct Books {
    /// None once the run is over: nothing is taken down any more.
    relay: Option<Relay>,
    calls: BTreeMap<u64, Call>,
    travelling: BTreeMap<u64, Travelling>,
    /// The same by where they travel to.
    bound: BTreeSet<(To, u64)>,
    /// Per server: incarnation, and whether its process lives.
    servers: Vec<(u32, bool)>,
    /// Connections to stores that are open.
    connections: BTreeMap<u64, ()>,
    /// Writes that a store has executed and its spare does not have: the call, and whether its client had left.
    replicating: BTreeMap<u64, (u64, bool)>,
    /// The balancer's log, if it keeps one.
    log: Option<Log>,
    /// Replays of the timeline that have begun, for the part that carries them out.
    replays: Vec<u32>,
    /// Set to break the run off.
    stop: Option<Arc<AtomicBool>>,
    /// Why the run ends before its time: it was broken off, or has reached a limit.
    limit: Option<Ended>,
    next: u64,
}

/// Keeps the books. Clones are the same witness.
#[derive(Clone)]
pub struct Witness {
    books: Arc<Mutex<Books>>,
    clock: Arc<dyn Fn() -> Ns + Send + Sync>,
    script: Arc<Notify>,
    replays: Arc<Notify>,
}

impl Witness {
    /// A witness for `servers` servers, all alive, that reads the time from `clock`; `stop` is set to break the run off.
    pub fn new(
        relay: Relay,
        servers: usize,
        stop: Option<Arc<AtomicBool>>,
        clock: impl Fn() -> Ns + Send + Sync + 'static,
    ) -> Witness {
        let books = Books {
            log: Log::of(&relay.world().spec),
            replays: Vec::new(),
            relay: Some(relay),
            calls: BTreeMap::new(),
            travelling: BTreeMap::new(),
            bound: BTreeSet::new(),
            servers: vec![(0, true); servers],
            connections: BTreeMap::new(),
            replicating: BTreeMap::new(),
            stop,
            limit: None,
            next: 0,
        };
        Witness {
            books: Arc::new(Mutex::new(books)),
            clock: Arc::new(clock),
            script: Arc::default(),
            replays: Arc::default(),
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Ns {
        (self.clock)()
    }

    /// Set off when what happens to a store may have moved the script on.
    pub fn script_moved(&self) -> &Notify {
        &self.script
    }

    /// Works with the relay; none once the run is over.
    pub fn relay<T>(&self, work: impl FnOnce(&mut Relay) -> T) -> Option<T> {
        let now = self.now();
        let mut books = self.books();
        let done = books.relay.as_mut().map(work);
        books.hear_of_spares(now);
        if books.hears_of_replays() {
            self.replays.notify_one();
        }
        done
    }

    /// Waits for the next replay of the timeline to begin: the number of its entry.
    pub async fn next_replay(&self) -> u32 {
        loop {
            let next = self.books().replays.pop();
            match next {
                Some(entry) => return entry,
                None => self.replays.notified().await,
            }
        }
    }

    /// The balancer has written a call into its log.
    pub fn logged(&self, call: u64) {
        if let Some(c) = self.books().calls.get_mut(&call) {
            c.logged = true;
        }
    }

    /// The oldest lost call of a kind that the log keeps; it is sent again.
    pub fn next_logged(&self, kind: &str) -> Option<(Ticket, Chance)> {
        let now = self.now();
        let mut books = self.books();
        let Books { relay, log, .. } = &mut *books;
        let clients = relay.as_ref()?.world().spec.clients.iter();
        let of_kind = clients.enumerate().filter(|(_, (_, clients))| clients.sends.text == kind);
        let call = log.as_mut()?.next(of_kind.map(|(at, _)| at))?;
        relay.iter_mut().for_each(|relay| relay.counts(Counted::Kept, now, -1));
        let c = books.calls.get_mut(&call)?;
        c.late = true;
        c.attempts = c.attempts.saturating_add(1);
        let (account, attempt) = (c.account, c.attempts);
        books.record(now, Fact::Attempt(account));
        drop(books);
        Some((Ticket { call, attempt, salt: account.salt, chance: 0 }, self.chance(call)))
    }

    /// A client that had given a call up sends it again: what is stored from now on is stored late.
    pub fn comes_late(&self, call: u64) {
        if let Some(c) = self.books().calls.get_mut(&call) {
            c.late = true;
        }
    }

    /// The next call of a population: when, and with which salts.
    pub fn next_calls(&self, population: usize) -> Option<(Ns, Vec<u64>)> {
        let mut books = self.books();
        // A run that has reached a limit, or was broken off, is about to end.
        if books.limit.is_some() {
            return None;
        }
        books.relay.as_mut()?.next_calls(population)
    }

    /// Whether a call that a population is about to offer is made as another population's instead.
    pub fn is_changed(&self, population: u16, salt: u64) -> bool {
        let now = self.now();
        let changed = self.relay(|relay| relay.is_changed(population, salt, now)).unwrap_or(false);
        // Recorded calls bring others with them even where they stay as they are: the player of the script looks.
        self.script.notify_one();
        changed
    }

    /// A call is offered.
    pub fn offer(&self, population: u16, at: Ns, salt: u64) -> u64 {
        let mut books = self.books();
        let Some(relay) = &mut books.relay else { return 0 };
        let cohort = relay.offer(population, at, salt);
        let reads = relay.world().populations[population as usize].reads();
        let number = books.number();
        let account = Account { cohort, population, salt };
        let call = Call {
            asked: (0, 0),
            account,
            offered: at,
            client: Client::Waiting,
            current: 0,
            chances: 0,
            stored: false,
            late: false,
            attempts: 0,
            logged: false,
            reads,
            cause: Cause::ClientLeft,
        };
        books.calls.insert(number, call);
        books.look_at_limits();
        if books.limit.is_some() {
            self.script.notify_one();
        }
        number
    }

    /// Why the run ends before its time, if it does.
    pub fn limit(&self) -> Option<Ended> {
        self.books().limit
    }

    /// An attempt is sent.
    pub fn attempt(&self, call: u64, attempt: u16) -> Chance {
        let now = self.now();
        let mut books = self.books();
        if let Some(c) = books.calls.get_mut(&call) {
            (c.current, c.attempts) = (attempt, attempt);
            let account = c.account;
            books.record(now, Fact::Attempt(account));
        }
        drop(books);
        self.chance(call).or_else(Cause::ClientLeft)
    }

    /// The client waits for its attempt no longer, and thinks about another.
    pub fn turns_away(&self, call: u64) {
        if let Some(c) = self.books().calls.get_mut(&call) {
            c.current = 0;
        }
    }

    /// Another chance of a call. Of a health check (call 0) it means nothing.
    pub fn chance(&self, call: u64) -> Chance {
        if let Some(c) = self.books().calls.get_mut(&call) {
            c.chances += 1;
        }
        Chance { witness: self.clone(), call, otherwise: Cause::Crashed }
    }

    /// A chance goes on its way; the number is what the message carries.
    pub fn send(&self, chance: Chance, to: To) -> u64 {
        if chance.call == 0 {
            return 0;
        }
        let mut books = self.books();
        let arrives = match to {
            To::Balancer => true,
            To::Server(server, incarnation) => books.servers[server as usize] == (incarnation, true),
            To::Store(connection) => books.connections.contains_key(&connection),
        };
        if !arrives {
            drop(books);
            chance.end(lost_on_its_way(to));
            return 0;
        }
        let number = books.number();
        books.travelling.insert(number, Travelling { call: chance.call, to });
        books.bound.insert((to, number));
        drop(books);
        chance.keep();
        number
    }

    /// A message with a chance has arrived.
    pub fn receive(&self, number: u64) -> Option<Chance> {
        let mut books = self.books();
        let Travelling { call, to } = books.travelling.remove(&number)?;
        books.bound.remove(&(to, number));
        drop(books);
        Some(Chance { witness: self.clone(), call, otherwise: Cause::Crashed })
    }

    /// The process of a server starts (again), and in which incarnation.
    pub fn starts(&self, server: u32) -> u32 {
        let now = self.now();
        let mut books = self.books();
        let at = &mut books.servers[server as usize];
        let (incarnation, was) = *at;
        at.1 = true;
        if let Some(relay) = &mut books.relay {
            relay.process_is(server, true);
        }
        if !was {
            books.record(now, Fact::Process { server, alive: true });
        }
        incarnation
    }

    /// The present incarnation of a server's process.
    pub fn incarnation(&self, server: u32) -> u32 {
        self.books().servers[server as usize].0
    }

    /// Whether the process of a server lives.
    pub fn is_alive(&self, server: u32) -> bool {
        self.books().servers[server as usize].1
    }

    /// The process of a server dies, with what is on its way to it. Says whether it was alive.
    pub fn dies(&self, server: u32) -> bool {
        let now = self.now();
        let mut books = self.books();
        let at = &mut books.servers[server as usize];
        if !at.1 {
            return false;
        }
        *at = (at.0 + 1, false);
        if let Some(relay) = &mut books.relay {
            let had_leaked = relay.world().leaked(server) != (0, 0);
            relay.process_is(server, false);
            if had_leaked {
                // What leaks had taken is free again: the next process must not be told of it.
                self.script.notify_one();
            }
        }
        books.record(now, Fact::Process { server, alive: false });
        drop(books);
        self.lose(To::Server(server, 0), To::Server(server, u32::MAX));
        true
    }

    /// What travels to one of these is lost.
    fn lose(&self, first: To, last: To) {
        let lost: Vec<(To, u64)> = self.books().bound.range((first, 0)..=(last, u64::MAX)).copied().collect();
        for (to, number) in lost {
            if let Some(chance) = self.receive(number) {
                chance.end(lost_on_its_way(to));
            }
        }
    }

    /// A number for a connection to a store.
    pub fn new_connection(&self) -> u64 {
        self.books().number()
    }

    /// A store has set a connection up.
    pub fn opened(&self, connection: u64) {
        self.books().connections.insert(connection, ());
    }

    /// A connection to a store is closed; what is on its way there is lost.
    pub fn closed(&self, connection: u64) {
        self.books().connections.remove(&connection);
        self.lose(To::Store(connection), To::Store(connection));
    }

    /// A store's faults have changed a query or a connect: those that would have done so by themselves had an effect.
    pub fn affected(&self, store: u16, would: impl Fn(&StoreKnobs) -> bool) {
        self.relay(|relay| relay.affected(store, would));
    }

    /// As [`Witness::affected`], of a server's faults.
    pub fn affected_server(&self, server: u32, would: impl Fn(&ServerKnobs) -> bool) {
        self.relay(|relay| relay.affected_server(server, would));
    }

    /// A fault of a link has done something to a message.
    pub fn met(&self, met: Met) {
        let credit = |link, would: &dyn Fn(&LinkKnobs) -> bool| {
            self.relay(|relay| relay.affected_link(link, would));
        };
        match met {
            Met::Late(link) => credit(link, &delays),
            Met::Lost(link, None) => credit(link, &|knobs| knobs.loss_outward > 0.0 || knobs.loss_back > 0.0),
            Met::Lost(link, Some(true)) => credit(link, &|knobs| knobs.loss_outward > 0.0),
            Met::Lost(link, Some(false)) => credit(link, &|knobs| knobs.loss_back > 0.0),
            Met::Reset(link) => credit(link, &|knobs| knobs.resets > 0.0),
            // The platform, which knows the doors, counts those.
            Met::Backlog(..) => {}
            Met::Undeliverable(number) => {
                if let Some(chance) = self.receive(number) {
                    chance.end(Cause::Unreachable);
                }
            }
        }
    }

    /// A server has sent a store a query.
    pub fn queried(&self, store: u16) {
        self.relay(|relay| relay.queried(store));
    }

    /// A server has tried to connect to a store.
    pub fn connects(&self, store: u16) {
        self.relay(|relay| relay.connected(store));
    }

    /// A store has executed the write of a call; from `late_from` on, its data counts as late.
    pub fn stored(&self, store: u16, call: u64, attempt: u16, late_from: Ns) {
        let now = self.now();
        let mut books = self.books();
        if let Some(c) = books.calls.get_mut(&call) {
            // A client that was told ok by this attempt, before its data was written out of a spool, has not left.
            let gone = c.current != attempt;
            c.late |= now > late_from && !c.stored;
            let number = books.number();
            if books.relay.as_mut().is_some_and(|relay| relay.replicates(store, number, now)) {
                books.replicates(number, call, gone);
                self.script.notify_one();
            } else {
                books.is_stored(now, call, gone);
            }
        }
        if books.relay.as_mut().is_some_and(|relay| relay.wrote(store, now)) {
            self.script.notify_one();
        }
        books.hear_of_spares(now);
    }

    /// The client has its answer.
    pub fn ok(&self, call: u64) {
        let now = self.now();
        let mut books = self.books();
        let Some(c) = books.calls.get_mut(&call) else { return };
        let (account, offered) = (c.account, c.offered);
        c.client = Client::Ok;
        if c.reads && !std::mem::replace(&mut c.stored, true) {
            books.record(now, Fact::Stored(account, false));
        }
        books.record(now, Fact::Ok(account, now.minus(offered)));
        books.settle(now, call);
    }

    /// The client gives up.
    pub fn failed(&self, call: u64, seen: Seen) {
        let now = self.now();
        let mut books = self.books();
        let Some(c) = books.calls.get_mut(&call) else { return };
        c.client = Client::Failed;
        let account = c.account;
        books.record(now, Fact::Failed(account, seen));
        books.settle(now, call);
    }

    /// Whether the client of a call still waits for this attempt.
    pub fn waits(&self, call: u64, attempt: u16) -> bool {
        let books = self.books();
        books.calls.get(&call).is_some_and(|c| c.client == Client::Waiting && c.current == attempt)
    }

    /// Which ask of an attempt the one that begins is, over all servers that have had it; none if the call is over.
    pub fn next_ask(&self, call: u64, attempt: u16) -> Option<u32> {
        let mut books = self.books();
        let asked = &mut books.calls.get_mut(&call)?.asked;
        if asked.0 != attempt {
            *asked = (attempt, 0);
        }
        asked.1 += 1;
        Some(asked.1)
    }

    /// A server enters or leaves rotation.
    pub fn rotation(&self, server: u32, up: bool) {
        let now = self.now();
        self.books().record(now, Fact::Rotation { server, up });
    }

    /// The balancer begins, or ceases, to give a fleet's calls to servers out of rotation, too.
    pub fn fails_open(&self, fleet: u16, begins: bool) {
        let now = self.now();
        self.books().record(now, Fact::FailsOpen { fleet, begins });
    }

    /// Something that is counted has become so many more, or fewer if that is negative.
    pub fn counts(&self, what: Counted, more: i64) {
        let mut books = self.books();
        if let Some(relay) = &mut books.relay {
            relay.counts(what, self.now(), more);
        }
    }

    /// Ends a step of the run: `gauges` are completed with the calls alive.
    ///
    /// # Errors
    /// [`Imbalance`] if the books do not balance.
    pub fn end_step(&self, to: Ns, mut gauges: Gauges) -> Result<(), Imbalance> {
        let mut books = self.books();
        let Some(relay) = &books.relay else { return Ok(()) };
        gauges.calls = books.calls.len() as u64;
        gauges.alive = relay.is_checked(to, gauges.calls).then(|| {
            let mut alive = vec![(0, 0); relay.populations()];
            for call in books.calls.values() {
                let (in_flight, waiting) = &mut alive[call.account.population as usize];
                *in_flight += u64::from(!call.stored);
                *waiting += u64::from(call.client == Client::Waiting);
            }
            alive
        });
        gauges.kept += books.log.as_ref().map_or(0, Log::kept);
        books.relay.as_mut().map_or(Ok(()), |relay| relay.end_step(to, gauges))
    }

    /// Calls alive, chances on their way: of a world at rest there is neither.
    pub fn alive(&self) -> (usize, usize) {
        let books = self.books();
        (books.calls.len(), books.travelling.len())
    }

    /// The run is over: its books are closed, and the witness sees nothing any more. None the second time.
    pub fn close(&self) -> Option<Run> {
        let mut books = self.books();
        books.calls.clear();
        books.travelling.clear();
        books.bound.clear();
        books.relay.take().map(Relay::into_run)
    }
}

/// Why what travels there is lost.
fn lost_on_its_way(to: To) -> Cause {
    match to {
        To::Balancer | To::Server(..) => Cause::Crashed,
        To::Store(_) => Cause::StoreSevered,
    }
}

impl Books {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn record(&mut self, now: Ns, fact: Fact) {
        if let Some(relay) = &mut self.relay {
            relay.record(now, fact);
            self.look_at_limits();
        }
    }

    fn look_at_limits(&mut self) {
        if let (Some(relay), None) = (&self.relay, self.limit) {
            let stopped = halted(self.stop.as_deref())().then_some(Ended::Interrupted);
            self.limit = stopped.or_else(|| relay.limit_reached(self.calls.len() as u64, CALL));
        }
    }

    /// A call's data is stored, and whether the sender of this attempt has left.
    fn is_stored(&mut self, now: Ns, call: u64, gone: bool) {
        let Some(c) = self.calls.get_mut(&call) else { return };
        let fact = match (std::mem::replace(&mut c.stored, true), c.late) {
            (true, _) => Fact::Duplicate(c.account, gone),
            (false, true) => Fact::Late(c.account),
            (false, false) => Fact::Stored(c.account, gone),
        };
        self.record(now, fact);
    }

    /// A write is on its way to a store's spare.
    fn replicates(&mut self, number: u64, call: u64, gone: bool) {
        if let Some(c) = self.calls.get_mut(&call) {
            c.chances += 1;
            self.replicating.insert(number, (call, gone));
        }
    }

    /// Takes down what the script has made of writes on their way to spares.
    fn hear_of_spares(&mut self, now: Ns) {
        for (number, has) in self.relay.as_mut().map(Relay::take_replicated).unwrap_or_default() {
            let Some((call, gone)) = self.replicating.remove(&number) else { continue };
            if has {
                self.is_stored(now, call, gone);
            }
            self.ends(now, call, Some(if has { Cause::ClientLeft } else { Cause::NotReplicated }));
        }
    }

    fn ends(&mut self, now: Ns, call: u64, cause: Option<Cause>) {
        let Some(c) = self.calls.get_mut(&call) else { return };
        c.chances -= 1;
        c.cause = cause.unwrap_or(c.cause);
        self.settle(now, call);
    }

    /// Whether the balancer's log keeps a call that nothing can execute any more.
    fn log_keeps(&mut self, call: u64) -> bool {
        let (Some(log), Some(c)) = (&mut self.log, self.calls.get(&call)) else { return false };
        c.logged && c.client == Client::Failed && log.keeps(c.account.population, c.account.salt, call)
    }

    /// Takes over the replays that the script has begun; whether there are any.
    fn hears_of_replays(&mut self) -> bool {
        let begun = self.relay.as_mut().map(Relay::take_replays).unwrap_or_default();
        self.replays.extend(&begun);
        !begun.is_empty()
    }

    fn settle(&mut self, now: Ns, call: u64) {
        let Some(c) = self.calls.get(&call).filter(|c| c.chances == 0 && c.client != Client::Waiting) else { return };
        let (account, stored, cause, ok) = (c.account, c.stored, c.cause, c.client == Client::Ok);
        if !stored && self.log_keeps(call) {
            self.relay.iter_mut().for_each(|relay| relay.counts(Counted::Kept, now, 1));
            return;
        }
        self.calls.remove(&call);
        if !stored {
            self.record(now, Fact::Dropped(account, cause));
            if ok {
                self.record(now, Fact::LostAfterOk(account));
            }
        }
    }
}

/// One way in which a call may still be executed.
#[must_use = "a chance that is dropped ends as a crash"]
pub struct Chance {
    witness: Witness,
    call: u64,
    otherwise: Cause,
}

impl Chance {
    /// The call; 0 for a health check.
    pub fn call(&self) -> u64 {
        self.call
    }

    /// What it ends with if it is not ended otherwise.
    pub fn or_else(mut self, cause: Cause) -> Chance {
        self.otherwise = cause;
        self
    }

    /// It is over, and why.
    pub fn end(mut self, cause: Cause) {
        self.over(Some(cause));
    }

    /// It is over, and what the call would be dropped for stays as it was.
    pub fn end_quietly(mut self) {
        self.over(None);
    }

    fn over(&mut self, cause: Option<Cause>) {
        let call = std::mem::take(&mut self.call);
        if call != 0 {
            let now = self.witness.now();
            self.witness.books().ends(now, call, cause);
        }
    }

    /// It goes on elsewhere.
    fn keep(mut self) {
        self.call = 0;
    }
}

impl Drop for Chance {
    fn drop(&mut self) {
        let otherwise = self.otherwise;
        self.over(Some(otherwise));
    }
}
