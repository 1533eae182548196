//! Asking a store: a connection from the pool, connecting, the query, one deadline over all, and what failure does.

use super::pool::{Connection, Pool};
use super::{Ended, Process};
use crate::http::Ticket;
use crate::platform::Platform;
use crate::wire::{Answer, Query};
use brownout_models::component::collector::CallPlan;
use brownout_models::ledger::Cause;
use brownout_models::policy::asking::{self as policy, Next};
use brownout_models::units::Ns;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Why a store was asked in vain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Vain {
    cause: Cause,
    /// Whether the time over all asks has run out.
    is_over: bool,
}

/// For whom a store is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Asker {
    /// A call that somebody waits for.
    Call,
    /// A health check.
    Check,
    /// A call out of a spool; from when on what is stored counts as late.
    Spool(Ns),
}

impl From<Asker> for policy::Asker {
    fn from(asker: Asker) -> policy::Asker {
        match asker {
            Asker::Call => policy::Asker::Call,
            Asker::Check => policy::Asker::Check,
            Asker::Spool(_) => policy::Asker::Spool,
        }
    }
}

impl<P: Platform> Process<P> {
    /// Asks the store of a plan for a call (`at` is its kind) or for a check.
    pub(super) async fn ask(
        &self,
        store: u16,
        plan: &CallPlan,
        at: Option<usize>,
        ticket: &Ticket,
        asker: Asker,
    ) -> Ended {
        let limit = plan.timeout.map(|limit| self.by_its_clock(limit));
        let deadline = limit.map_or(Ns::NEVER, |limit| self.platform.now().plus(limit));
        let reactions = self.fleet().reactions(plan);
        let mut asks = 0;
        loop {
            asks += 1;
            // A balancer may have sent the attempt to other servers before, which have asked for it too.
            let all = if matches!(asker, Asker::Call) {
                self.town.witness().next_ask(ticket.call, ticket.attempt)
            } else {
                None
            };
            let number = policy::number(ticket.attempt, all.unwrap_or(asks));
            let since = self.platform.now();
            let vain = match self.guards.enter_breaker(self.fleet(), at, since) {
                Err(_) => Vain { cause: Cause::BreakerOpen, is_over: false },
                Ok(permit) => {
                    let pool = self.fleet().pool_of(plan, &self.town.spec().stores).unwrap_or(store);
                    let pool = &self.pools[pool as usize];
                    let result = self.ask_once(pool, plan, at, ticket, (number, asker), deadline).await;
                    let now = self.platform.now();
                    self.guards.tell_breaker(self.fleet(), at, permit, result.is_ok(), since, now);
                    match result {
                        Ok(()) => return (200, None),
                        Err(vain) => vain,
                    }
                }
            };
            match reactions.after(asker.into(), asks, vain.cause, vain.is_over) {
                Next::Answer(status) => return (status, Some(vain.cause)),
                Next::Again => {
                    if let Some(ended) = self.pause(plan, deadline).await {
                        return ended;
                    }
                }
                Next::Dies => {
                    self.die(self.fleet().dies_after).await;
                    return (500, Some(vain.cause));
                }
            }
        }
    }

    /// Pauses before a try in place; how the call ends if there is no time for it.
    async fn pause(&self, plan: &CallPlan, deadline: Ns) -> Option<Ended> {
        let again = self.platform.now().plus(self.by_its_clock(plan.retry_every));
        self.platform.sleep_until(again.min(deadline)).await;
        (again >= deadline).then_some((500, Some(Cause::StoreTimeout)))
    }

    async fn ask_once(
        &self,
        pool: &Pool<P>,
        plan: &CallPlan,
        at: Option<usize>,
        ticket: &Ticket,
        (number, asker): (u32, Asker),
        deadline: Ns,
    ) -> Result<(), Vain> {
        let timed_out = |cause| Vain { cause, is_over: self.platform.now() >= deadline };
        let failed = |cause| Vain { cause, is_over: false };
        let limit = self.step(pool.wait, deadline);
        let place = self.platform.before(limit, pool.place()).await.ok_or_else(|| timed_out(Cause::PoolTimeout))?;
        let place = place.ok_or(failed(Cause::PoolTimeout))?;
        let connection: Connection = match pool.reuse(place) {
            Ok(connection) => connection,
            Err(place) => {
                let limit = self.step(plan.connect_timeout, deadline);
                let opened = self.platform.before(limit, pool.open(Some(place))).await;
                opened.ok_or_else(|| timed_out(Cause::StoreTimeout))?.map_err(failed)?
            }
        };
        let limit = self.step(plan.query_timeout, deadline);
        let writes = (plan.writes || plan.appends.is_some()) && ticket.call != 0;
        let query = Query {
            call: if writes { ticket.call } else { 0 },
            chance: 0,
            salt: ticket.salt,
            asks: number,
            attempt: ticket.attempt,
            fleet: self.town.fleet_number(self.server),
            plan: at.unwrap_or(self.fleet().calls.len()) as u16,
            writes,
            late_from: match asker {
                Asker::Spool(late_from) => late_from,
                Asker::Call | Asker::Check => Ns::NEVER,
            },
        };
        let answer = self.platform.before(limit, pool.query(connection, query)).await;
        let answer = answer.ok_or_else(|| timed_out(Cause::StoreTimeout))?.map_err(failed)?;
        done(answer).map_err(failed)
    }

    /// When a step must be over that begins now: its own limit, or the deadline over all.
    fn step(&self, limit: Option<Ns>, deadline: Ns) -> Ns {
        limit.map_or(deadline, |limit| self.platform.now().plus(self.by_its_clock(limit)).min(deadline))
    }
}

/// What went wrong when a handler asked a store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StoreFailure {
    /// There is no store of that name.
    Unknown,
    /// It refused the connection.
    Refused,
    /// It cut the connection.
    Severed,
    /// It answered with an error.
    Error,
    /// Too many wait for a connection.
    PoolFull,
}

type Asked<'a, T> = Pin<Box<dyn Future<Output = Result<T, Cause>> + Send + 'a>>;

/// A process, as a handler sees it.
trait Asks: Send + Sync {
    fn store(&self, name: &str) -> Option<u16>;
    fn query(&self, store: u16, query: Query) -> Asked<'_, ()>;
    fn connect(&self, store: u16) -> Asked<'_, Connection>;
    fn query_over<'a>(&'a self, store: u16, connection: &'a Connection, query: Query) -> Asked<'a, ()>;
}

fn done(answer: Answer) -> Result<(), Cause> {
    match answer {
        Answer::Done => Ok(()),
        _ => Err(Cause::StoreError),
    }
}

impl<P: Platform> Asks for Process<P> {
    fn store(&self, name: &str) -> Option<u16> {
        self.town.spec().stores.index(name).map(|at| at as u16)
    }

    fn query(&self, store: u16, query: Query) -> Asked<'_, ()> {
        Box::pin(async move {
            let pool = &self.pools[store as usize];
            let place = pool.place().await.ok_or(Cause::PoolTimeout)?;
            let connection = match pool.reuse(place) {
                Ok(connection) => connection,
                Err(place) => pool.open(Some(place)).await?,
            };
            done(pool.query(connection, query).await?)
        })
    }

    fn connect(&self, store: u16) -> Asked<'_, Connection> {
        Box::pin(self.pools[store as usize].open(None))
    }

    fn query_over<'a>(&'a self, store: u16, connection: &'a Connection, query: Query) -> Asked<'a, ()> {
        Box::pin(async move { done(self.pools[store as usize].query_over(connection, query).await?) })
    }
}

/// A connection to a store that a handler keeps for itself, for as many calls as it likes: what pools are made of.
pub struct StoreConnection {
    store: u16,
    connection: Connection,
}

impl StoreConnection {
    /// Whether it can take another query: the store has not cut it, and no query on it has been given up.
    pub fn is_open(&self) -> bool {
        self.connection.is_open()
    }
}

/// The stores, as a handler of one's own reaches them for one call: through the process's pools (`fleets.<name>.pools`,
/// [`Stores::query`]) or over connections of its own ([`Stores::connect`], [`Stores::query_over`]), without any deadline.
/// Patience is the handler's own; a handler that stops waiting gives the connection up, and the store may execute the query all
/// the same.
#[derive(Clone)]
pub struct Stores {
    asks: Arc<dyn Asks>,
    ticket: Ticket,
    /// The fleet, and its plan for the kind of call.
    of: (u16, u16),
    last: Arc<Mutex<(u32, Option<Cause>)>>,
}

impl Stores {
    pub(super) fn new<P: Platform>(process: Arc<Process<P>>, ticket: Ticket, plan: u16) -> Stores {
        let of = (process.town.fleet_number(process.server), plan);
        Stores { asks: process, ticket, of, last: Arc::default() }
    }

    /// What is random about the call, to draw from.
    pub fn salt(&self) -> u64 {
        self.ticket.salt
    }

    /// Queries a store through the process's pool, and stores the call's data there if it `writes`.
    ///
    /// # Errors
    /// Why the store would not.
    pub async fn query(&self, store: &str, writes: bool) -> Result<(), StoreFailure> {
        let at = self.asks.store(store).ok_or(StoreFailure::Unknown)?;
        self.told(self.asks.query(at, self.next(writes)).await)
    }

    /// Opens a connection of the handler's own to a store, outside the process's pool.
    ///
    /// # Errors
    /// Why the store would not.
    pub async fn connect(&self, store: &str) -> Result<StoreConnection, StoreFailure> {
        let at = self.asks.store(store).ok_or(StoreFailure::Unknown)?;
        self.last().1 = Some(Cause::StoreTimeout);
        let connection = self.told(self.asks.connect(at).await)?;
        Ok(StoreConnection { store: at, connection })
    }

    /// Queries a store over a connection of the handler's own, and stores the call's data there if it `writes`.
    ///
    /// # Errors
    /// Why the store would not.
    pub async fn query_over(&self, connection: &mut StoreConnection, writes: bool) -> Result<(), StoreFailure> {
        let StoreConnection { store, connection } = connection;
        self.told(self.asks.query_over(*store, connection, self.next(writes)).await)
    }

    /// The next query of this call. Until it has answered, a caller that gives up has timed out.
    fn next(&self, writes: bool) -> Query {
        let asks = {
            let mut last = self.last();
            last.0 += 1;
            last.1 = Some(Cause::StoreTimeout);
            last.0
        };
        let Ticket { call, attempt, salt, .. } = self.ticket;
        let asks = policy::number(attempt, asks);
        let call = if writes { call } else { 0 };
        let (fleet, plan) = self.of;
        Query { call, chance: 0, salt, asks, attempt, fleet, plan, writes, late_from: Ns::NEVER }
    }

    fn told<T>(&self, result: Result<T, Cause>) -> Result<T, StoreFailure> {
        self.last().1 = result.as_ref().err().copied();
        result.map_err(|cause| match cause {
            Cause::StoreRefused => StoreFailure::Refused,
            Cause::StoreSevered => StoreFailure::Severed,
            Cause::PoolTimeout => StoreFailure::PoolFull,
            _ => StoreFailure::Error,
        })
    }

    fn last(&self) -> MutexGuard<'_, (u32, Option<Cause>)> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the last query failed, if it did or was given up.
    pub(super) fn last_failure(&self) -> Option<Cause> {
        self.last().1
    }
}
