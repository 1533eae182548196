//! Connections of one process to one store.
//!
//! Each connection has a task of its own that watches it, so that a connection severed while it is not in use is noticed:
//! what a client library that reports errors on idle connections does.

use crate::crew::Crew;
use crate::platform::{Either, Handshake, LinkId, Platform, first};
use crate::town::{Exit, Held, Meter, Town};
use crate::wire::{Answer, Ask, Query};
use crate::witness::{Chance, To};
use brownout_models::component::collector::Pool as Spec;
use brownout_models::fault::Connects;
use brownout_models::ledger::Cause;
use brownout_models::policy::asking::OnFailure;
use brownout_models::units::Ns;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::io::AsyncReadExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

/// A question for a connection.
struct Question {
    query: Query,
    /// That the store will execute it, for a query that writes.
    chance: Option<Chance>,
    /// Where the answer goes; none: the connection was severed.
    answer: oneshot::Sender<Option<Answer>>,
}

/// A connection, as the process holds it.
pub struct Connection {
    ask: mpsc::UnboundedSender<Question>,
    /// Its place in the pool; given up before it lies idle. None outside of the pool.
    place: Option<OwnedSemaphorePermit>,
}

impl Connection {
    /// Whether it can take another query: it has not been cut, and no query on it has been given up.
    pub fn is_open(&self) -> bool {
        !self.ask.is_closed()
    }
}

/// The connections of one process to one store.
pub struct Pool<P> {
    platform: P,
    town: Town,
    server: u32,
    store: u16,
    size: Arc<Semaphore>,
    queue: u64,
    /// Longest wait for a place.
    pub wait: Option<Ns>,
    idle: Arc<Mutex<Vec<mpsc::UnboundedSender<Question>>>>,
    waits: Meter,
    crew: Crew<P>,
    /// Whether the process dies of a severed connection that is not in use.
    dies: bool,
}

impl<P: Platform> Pool<P> {
    /// The pools of a process, empty: one for each store, and those with names of their own.
    pub fn all(platform: &P, town: &Town, server: u32) -> Vec<Pool<P>> {
        let pools = town.fleet_of(server).all_pools(&town.spec().stores);
        pools.map(|(_, store, spec)| Pool::new(platform, town, server, store, &spec)).collect()
    }

    fn new(platform: &P, town: &Town, server: u32, store: u16, spec: &Spec) -> Pool<P> {
        let fleet = town.fleet_of(server);
        let name = &town.spec().stores.0[store as usize].0.text;
        let uses = |plan: &brownout_models::component::collector::CallPlan| {
            [&plan.appends, &plan.asks].into_iter().flatten().any(|n| n.text == *name)
        };
        // A log's producer pipelines over one connection: here it has as many as it needs.
        let appends = fleet.calls.iter().any(|(_, p)| p.appends.as_ref().is_some_and(|n| n.text == *name));
        Pool {
            size: Arc::new(Semaphore::new(if appends { Semaphore::MAX_PERMITS } else { spec.size as usize })),
            queue: spec.queue.map_or(u64::MAX, u64::from),
            wait: spec.wait,
            dies: fleet.calls.iter().any(|(_, plan)| uses(plan) && plan.on_severed == OnFailure::Crash),
            idle: Arc::default(),
            waits: Meter::default(),
            crew: Crew::new(platform),
            platform: platform.clone(),
            town: town.clone(),
            server,
            store,
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<mpsc::UnboundedSender<Question>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place in the pool. None if too many wait for one.
    pub async fn place(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = self.size.clone().try_acquire_owned() {
            return Some(place);
        }
        if self.waits.count() >= self.queue {
            return None;
        }
        let _waits = (self.waits.hold(), self.town.server_meters(self.server).pool_waiting.hold());
        self.size.clone().acquire_owned().await.ok()
    }

    /// A connection for a place: an idle one, if there is.
    pub fn reuse(&self, place: OwnedSemaphorePermit) -> Result<Connection, OwnedSemaphorePermit> {
        let mut idle = self.idle();
        while let Some(ask) = idle.pop() {
            if !ask.is_closed() {
                return Ok(Connection { ask, place: Some(place) });
            }
        }
        Err(place)
    }

    /// Opens a connection for a place, or one outside of the pool.
    ///
    /// # Errors
    /// Why the store would not have it.
    pub async fn open(&self, place: Option<OwnedSemaphorePermit>) -> Result<Connection, Cause> {
        let witness = self.town.witness();
        witness.connects(self.store);
        let open = self.town.server_meters(self.server).pool_open.hold();
        // The process of a stopped store does not see the connection: the connecting side knows of the effect.
        witness.affected(self.store, |knobs| knobs.connects == Connects::Unanswered);
        let way = self.town.store_way(self.store).over(LinkId::Store(self.server, self.store));
        let connected = self.platform.connect(self.town.store_door(self.store), way, Handshake::WithFirst).await;
        let mut stream = connected.map_err(|_| {
            witness.affected(self.store, |knobs| knobs.connects == Connects::Refused);
            Cause::StoreRefused
        })?;
        let number = witness.new_connection();
        Ask::Hello(number).send(&mut stream).await.map_err(|_| Cause::StoreRefused)?;
        match Answer::receive(&mut stream).await {
            Ok(Answer::Ready) => {}
            Ok(_) => return Err(Cause::StoreRefused),
            Err(_) => return Err(Cause::StoreSevered),
        }
        let (ask, questions) = mpsc::unbounded_channel();
        let watch = Watch {
            town: self.town.clone(),
            server: self.server,
            incarnation: witness.incarnation(self.server),
            dies: self.dies,
            number,
        };
        self.crew.run(watch.connection(stream, questions, open));
        Ok(Connection { ask, place })
    }

    /// Sends a query over a connection and waits for the answer; the connection goes back to the pool if it lives. Whoever
    /// stops waiting gives the connection up; the store keeps the query.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn query(&self, mut connection: Connection, query: Query) -> Result<Answer, Cause> {
        let answer = self.query_over(&connection, query).await?;
        let place = connection.place.take();
        self.idle().push(connection.ask);
        drop(place);
        Ok(answer)
    }

    /// As [`Pool::query`], over a connection that stays with its holder.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn query_over(&self, connection: &Connection, query: Query) -> Result<Answer, Cause> {
        let witness = self.town.witness();
        witness.queried(self.store);
        let (answer, wait) = oneshot::channel();
        let chance = query.writes.then(|| witness.chance(query.call));
        let sent = connection.ask.send(Question { query, chance, answer });
        if let Err(back) = sent {
            if let Some(chance) = back.0.chance {
                chance.end(Cause::StoreSevered);
            }
            return Err(Cause::StoreSevered);
        }
        wait.await.ok().flatten().ok_or(Cause::StoreSevered)
    }
}

/// Who watches a connection.
struct Watch {
    town: Town,
    server: u32,
    incarnation: u32,
    dies: bool,
    number: u64,
}

impl Watch {
    async fn connection<S: crate::platform::Stream>(
        self,
        mut stream: S,
        mut questions: mpsc::UnboundedReceiver<Question>,
        _open: Held,
    ) {
        loop {
            match first(questions.recv(), stream.read_u8()).await {
                Either::Left(None) => return,
                Either::Left(Some(question)) => {
                    if !self.ask(&mut stream, question).await {
                        return;
                    }
                }
                // Severed while it was not in use; or closed in order, of which no process dies.
                Either::Right(read) => {
                    if self.dies && read.is_err() {
                        let Watch { server, incarnation, .. } = self;
                        let after = self.town.fleet_of(server).dies_after;
                        self.town.exit(Exit { server, incarnation, after });
                    }
                    return;
                }
            }
        }
    }

    /// Asks one question; whether the connection can take another.
    async fn ask<S: crate::platform::Stream>(&self, stream: &mut S, question: Question) -> bool {
        let Question { mut query, chance, mut answer } = question;
        if let Some(chance) = chance {
            query.chance = self.town.witness().send(chance.or_else(Cause::StoreSevered), To::Store(self.number));
        }
        stream.carries(query.chance);
        if Ask::Query(query).send(stream).await.is_err() {
            let _ = answer.send(None);
            return false;
        }
        match first(Answer::receive_or_last(stream), answer.closed()).await {
            Either::Left(Ok((received, last))) => answer.send(Some(received)).is_ok() && !last,
            Either::Left(Err(_)) => {
                let _ = answer.send(None);
                false
            }
            // The caller has given up: what the store has stays with it.
            Either::Right(()) => false,
        }
    }
}
