//! Clients: an open loop of calls, each with its patience and its retries.

mod offline;

use crate::crew::Crew;
use crate::http::{Broken, Ticket, exchange};
use crate::platform::{Handshake, LinkId, Platform};
use crate::town::Town;
use crate::witness::To;
use brownout_models::component::clients::{Clients, Connection};
use brownout_models::fault::ClientKnobs;
use brownout_models::ledger::{Cause, Seen};
use brownout_models::policy::retry::Tokens;
use brownout_models::units::Ns;
use hyper::Method;
use offline::{Offline, Sent};
use std::sync::{Arc, Mutex, PoisonError};

/// A population of clients.
pub struct Population<P> {
    platform: P,
    town: Town,
    number: u16,
    path: String,
    method: Method,
    handshake: Handshake,
    tokens: Option<Mutex<Tokens>>,
    /// Whether its calls store nothing.
    reads: bool,
    offline: Option<Offline>,
}

/// Runs a population: its calls, from the first that is offered at `from` or later.
pub async fn run<P: Platform>(platform: P, town: Town, number: u16, from: Ns) {
    let spec = town.spec().clients.0[number as usize].1.clone();
    let reads = town.witness().relay(|relay| relay.world().populations[number as usize].reads()).unwrap_or(false);
    let population = Arc::new(Population {
        platform: platform.clone(),
        number,
        path: format!("/{}", spec.sends.text),
        method: if reads { Method::GET } else { Method::POST },
        handshake: if spec.connection == Connection::PerCall { Handshake::Fresh } else { Handshake::Done },
        tokens: spec.retry.budget.as_ref().map(|budget| Mutex::new(Tokens::new(budget))),
        reads,
        offline: spec.offline.map(Offline::new),
        town,
    });
    if population.offline.is_some() {
        platform.spawn(population.clone().come_back());
    }
    let crew = Crew::new(&platform);
    if let Some(mut offers) = population.town.take_offers(number) {
        let (population, crew) = (population.clone(), crew.clone());
        platform.spawn(async move {
            while let Some((at, salt)) = offers.recv().await {
                let population = population.clone();
                crew.run(async move { population.call(at, salt).await });
            }
        });
    }
    while let Some((at, salts)) = population.town.witness().next_calls(number as usize) {
        if at < from {
            continue;
        }
        platform.sleep_until(at).await;
        for salt in salts {
            if population.is_troubled() && population.town.witness().is_changed(number, salt) {
                continue;
            }
            let population = population.clone();
            crew.run(async move { population.call(at, salt).await });
        }
    }
}

impl<P: Platform> Population<P> {
    fn spec(&self) -> &Clients {
        &self.town.spec().clients.0[self.number as usize].1
    }

    async fn call(&self, at: Ns, salt: u64) {
        let witness = self.town.witness();
        let spec = self.spec();
        let call = witness.offer(self.number, at, salt);
        if let (Some(tokens), Some(budget)) = (&self.tokens, &spec.retry.budget) {
            tokens.lock().unwrap_or_else(PoisonError::into_inner).on_call(budget);
        }
        for attempt in 1.. {
            let seen = match self.platform.within(spec.timeout, self.attempt(call, salt, attempt)).await {
                Some(Ok(status)) if (200..300).contains(&status) => {
                    if let (Some(tokens), Some(budget)) = (&self.tokens, &spec.retry.budget) {
                        tokens.lock().unwrap_or_else(PoisonError::into_inner).on_success(budget);
                    }
                    witness.ok(call);
                    return;
                }
                Some(Ok(status)) => Seen::of_status(status),
                Some(Err(Broken::Reset)) => Seen::Reset,
                Some(Err(Broken::Ended)) => Seen::Status502,
                None => Seen::Timeout,
            };
            witness.turns_away(call);
            let Some(pause) = self.pause(salt, u32::from(attempt), seen) else {
                self.may_keep(Sent { call, salt, offered: at, attempt });
                witness.failed(call, seen);
                return;
            };
            self.platform.sleep(pause).await;
        }
    }

    /// Whether a fault is in force on it.
    fn is_troubled(&self) -> bool {
        self.town.day().read(|day| day.clients[self.number as usize] != ClientKnobs::default())
    }

    /// How long the client pauses after an attempt before it sends again; none if it gives up.
    fn pause(&self, salt: u64, attempt: u32, seen: Seen) -> Option<Ns> {
        let retry = &self.spec().retry;
        let storm = self.town.day().read(|day| day.clients[self.number as usize].storm);
        if let Some((most, pause)) = storm.filter(|(most, _)| *most > retry.retries) {
            if attempt > most {
                return None;
            }
            self.town.witness().relay(|relay| relay.affected_clients(self.number, |knobs| knobs.storm.is_some()));
            return Some(pause);
        }
        self.tries_again(attempt - 1, seen).then(|| retry.pause(salt, attempt))
    }

    fn tries_again(&self, retries: u32, seen: Seen) -> bool {
        let retry = &self.spec().retry;
        let timed_out = seen == Seen::Timeout;
        let wanted = retries < retry.retries && (retry.after_timeout || !timed_out);
        wanted
            && match (&self.tokens, &retry.budget) {
                (Some(tokens), Some(budget)) => {
                    tokens.lock().unwrap_or_else(PoisonError::into_inner).try_retry(budget, timed_out)
                }
                _ => true,
            }
    }

    /// Sends the call once and waits for what comes back, for ever.
    async fn attempt(&self, call: u64, salt: u64, attempt: u16) -> Result<u16, Broken> {
        let witness = self.town.witness();
        // The balancer takes every connection: one that is not opened in time was lost or is late.
        let chance = witness.attempt(call, attempt).or_else(Cause::Unreachable);
        let (door, way) = (self.town.balancer_door(), self.town.client_way().over(LinkId::Clients(self.number)));
        let Ok(stream) = self.platform.connect(door, way, self.handshake).await else { return Err(Broken::Ended) };
        let chance = witness.send(chance, To::Balancer);
        let ticket = Ticket { call, attempt, salt, chance };
        exchange(stream, self.method.clone(), &self.path, ticket).await.map(|reply| reply.status)
    }
}
