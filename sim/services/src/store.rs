//! A store: accepts connections, runs queries, and is out of service in the ways that the day says.
//!
//! A stopped store accepts nothing; the operating system completes connections for it, up to its backlog. It executes what
//! it was sent, waited for or not; what it cuts off before it was executed is lost.

use crate::crew::Crew;
use crate::platform::{Either, Listener, Platform, first};
use crate::town::{StoreDay, Town};
use crate::wire::{Answer, Ask, Query};
use brownout_models::fault::{Connects, StoreKnobs};
use brownout_models::ledger::Cause;
use brownout_models::random::{Purpose, draw, unit};
use brownout_models::units::Ns;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::Semaphore;

/// The process of a store.
pub struct StoreService<P> {
    platform: P,
    town: Town,
    number: u16,
    turns: Arc<Semaphore>,
    /// Of each kind of call that has a share: how many more may queue for their turn.
    shares: Vec<Semaphore>,
    open: AtomicU32,
}

/// Counts a connection as long as it is open.
struct Open<'a>(&'a AtomicU32);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Tells the witness when a connection is over, however it ends.
struct Closing<'a>(&'a Town, u64);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.witness().closed(self.1);
    }
}

impl<P: Platform> StoreService<P> {
    /// Runs a store until its process ends.
    pub async fn run(platform: P, town: Town, number: u16) {
        let spec = town.store(number);
        let (turns, room) = (spec.concurrency.map_or(Semaphore::MAX_PERMITS, |n| n as usize), spec.room());
        let store = Arc::new(StoreService {
            turns: Arc::new(Semaphore::new(turns)),
            shares: spec.at_most.iter().map(|(_, limit)| Semaphore::new(spec.share(*limit) as usize)).collect(),
            open: AtomicU32::new(0),
            platform: platform.clone(),
            town,
            number,
        });
        let crew = Crew::new(&platform);
        loop {
            store.until(|now| now.knobs.connects != Connects::Refused).await;
            let (door, way) = (store.town.store_door(number), store.town.store_way(number));
            let Ok(listener) = platform.listen(door, room, way).await else {
                // The port is still taken by the one before.
                platform.sleep(Ns::millis(1)).await;
                continue;
            };
            // Shut down: no process listens until it is started again.
            let down = store.until(|now| now.knobs.connects == Connects::Refused);
            first(down, store.accept(&listener, &crew)).await;
        }
    }

    /// Accepts connections one after another, dead ones too, while the process is not stopped. A cut closes what waits:
    /// another process, or another machine, serves in its place.
    async fn accept(self: &Arc<Self>, listener: &P::Listener, crew: &Crew<P>) {
        let takes = self.town.store(self.number).accept;
        loop {
            let cuts = self.now().cuts;
            let cut = self.until(|now| now.cuts != cuts);
            let stream = match first(cut, self.next(listener, takes)).await {
                Either::Right(Ok(stream)) => stream,
                Either::Right(Err(_)) => return,
                Either::Left(()) => {
                    listener.close_waiting().await;
                    continue;
                }
            };
            let store = self.clone();
            crew.run(async move { store.connection(stream).await });
        }
    }

    /// The next connection, once the process has accepted it.
    async fn next(&self, listener: &P::Listener, takes: Ns) -> io::Result<P::Stream> {
        loop {
            self.until(|now| now.knobs.connects == Connects::Accepted).await;
            let stopped = self.until(|now| now.knobs.connects != Connects::Accepted);
            let Either::Right(accepted) = first(stopped, listener.accept()).await else { continue };
            if takes > Ns::ZERO {
                self.platform.sleep(takes).await;
                self.until(|now| now.knobs.connects == Connects::Accepted).await;
            }
            return accepted;
        }
    }

    fn now(&self) -> StoreDay {
        self.town.day().read(|day| day.stores[self.number as usize])
    }

    /// Waits until the day has made of this store what is asked for.
    async fn until(&self, mut is: impl FnMut(StoreDay) -> bool) {
        let number = self.number as usize;
        self.town.day().wait_for(|day| is(day.stores[number])).await;
    }

    /// Waits until the process is not stopped.
    async fn resumed(&self) {
        if self.now().knobs.hangs {
            self.affected(|knobs| knobs.hangs);
        }
        self.until(|now| !now.knobs.hangs).await;
    }

    fn affected(&self, would: impl Fn(&StoreKnobs) -> bool) {
        self.town.witness().affected(self.number, would);
    }

    /// One connection, from the first word on. A cut ends it wherever it is.
    async fn connection(&self, mut stream: P::Stream) {
        let cuts = self.now().cuts;
        if let Either::Right(()) = first(self.talk(&mut stream), self.until(|now| now.cuts != cuts)).await {
            self.affected(|knobs| knobs.severs || knobs.connects == Connects::Refused);
        }
    }

    async fn talk(&self, stream: &mut P::Stream) {
        let Ok(Ask::Hello(connection)) = Ask::receive(stream).await else { return };
        self.until(|now| now.knobs.connects != Connects::Unanswered).await;
        let spec = self.town.store(self.number);
        self.open.fetch_add(1, Ordering::Relaxed);
        let _open = Open(&self.open);
        if spec.connections.is_some_and(|most| self.open.load(Ordering::Relaxed) > most) || self.has_too_many() {
            let _ = Answer::TooMany.send(stream).await;
            return;
        }
        self.platform.sleep(spec.connect).await;
        self.town.witness().opened(connection);
        let _closing = Closing(&self.town, connection);
        if Answer::Ready.send(stream).await.is_err() {
            return;
        }
        loop {
            let asked = first(Ask::receive(stream), self.until(|now| self.is_above(now))).await;
            let query = match asked {
                Either::Left(Ok(Ask::Query(query))) => query,
                Either::Left(_) => return,
                // Idle, and one too many: closed with a word.
                Either::Right(()) => {
                    self.has_too_many();
                    let _ = Answer::TooMany.send(stream).await;
                    return;
                }
            };
            let Some(answer) = self.query(query).await else { return };
            let last = self.has_too_many();
            let sent = if last { answer.send_as_last(stream).await } else { answer.send(stream).await };
            if last || sent.is_err() {
                return;
            }
        }
    }

    /// Whether more connections are open than a fault allows.
    fn is_above(&self, now: StoreDay) -> bool {
        let open = self.open.load(Ordering::Relaxed);
        now.knobs.connections.is_some_and(|most| open > most)
    }

    /// Whether one connection of those open is too many for a fault, which then has had an effect.
    fn has_too_many(&self) -> bool {
        let is = self.is_above(self.now());
        if is {
            let open = self.open.load(Ordering::Relaxed);
            self.affected(|knobs| knobs.connections.is_some_and(|most| open > most));
        }
        is
    }

    /// Executes a query; none if the connection is severed instead.
    async fn query(&self, query: Query) -> Option<Answer> {
        let (witness, meters) = (self.town.witness(), self.town.store_meters(self.number));
        let chance = witness.receive(query.chance).map(|chance| chance.or_else(Cause::StoreSevered));
        let waits = meters.waiting.hold();
        self.resumed().await;
        if self.now().knobs.severs {
            self.affected(|knobs| knobs.severs);
            return None;
        }
        let share = match self.share_of(&query) {
            Some(share) => Some(self.shares[share].acquire().await.ok()?),
            None => None,
        };
        let turn = self.turns.acquire().await.ok()?;
        drop(waits);
        let running = meters.running.hold();
        self.platform.sleep(self.service_time(&query)).await;
        drop(running);
        let waits = meters.waiting.hold();
        self.resumed().await;
        drop((waits, turn, share));
        let lot = unit(draw(query.salt, Purpose::Error, query.asks));
        let would = |knobs: &StoreKnobs| {
            (query.writes && knobs.refuses_writes) || (knobs.error_share > 0.0 && lot <= knobs.error_share)
        };
        let fails = would(&self.now().knobs);
        if fails {
            self.affected(would);
        }
        if query.writes && !fails {
            witness.stored(self.number, query.call, query.attempt, query.late_from);
        }
        if let Some(chance) = chance {
            chance.end(Cause::StoreError);
        }
        Some(if fails { Answer::Failed } else { Answer::Done })
    }

    /// The place of a query's kind of call among those of which only so many run at once.
    fn share_of(&self, query: &Query) -> Option<usize> {
        let (kind, _) = self.town.spec().fleets.0[query.fleet as usize].1.calls.0.get(query.plan as usize)?;
        self.town.store(self.number).at_most.index(&kind.text)
    }

    fn service_time(&self, query: &Query) -> Ns {
        let spec = self.town.store(self.number);
        let fleet = &self.town.spec().fleets.0[query.fleet as usize].1;
        let plan = fleet.calls.0.get(query.plan as usize);
        let own = plan.map_or(&fleet.health.service, |(_, plan)| &plan.service);
        let now = self.now();
        let time = own.as_ref().unwrap_or(&spec.service).sample(query.salt, Purpose::Query, query.asks);
        let mut factor = now.knobs.slow;
        if factor != 1.0 {
            self.affected(|knobs| knobs.slow != 1.0);
        }
        if let Some(since) = now.returned_at.filter(|_| spec.warm_up.lasts > Ns::ZERO) {
            let gone = self.platform.now().minus(since).0 as f64 / spec.warm_up.lasts.0 as f64;
            if gone < 1.0 {
                factor *= spec.warm_up.factor - (spec.warm_up.factor - 1.0) * gone;
            }
        }
        if factor == 1.0 { time } else { time.scaled(factor) }
    }
}
