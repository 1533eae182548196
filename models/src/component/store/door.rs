//! How connections get into a store: its listening socket, the process that accepts from it, and its start-up.
//!
//! The rules of the socket are those of [`crate::policy::listen`]. What was given up stays in the queue and costs the
//! store as much to accept as what is still wanted: after a freeze the store works through the dead first. A store that
//! was shut down refuses connections until it has started up; a spare that takes over is running already.
//!
//! Not modelled: that a dead connection counts as open for a moment; a start-up that answers connections with an error.

use super::{Store, StoreState};
use crate::fault::{Connects, StoreKnobs};
use crate::kernel::{Event, Kernel, Knock, Lane};
use crate::policy::listen::{self, Arrival};
use crate::slab::{Ref, Slab};
use crate::units::Ns;
use crate::world::{Back, Try, World};
use std::collections::VecDeque;

/// A connection that the operating system has set up.
#[derive(Clone, Copy)]
struct Arrived {
    of: Ref,
    asks: u16,
}

impl Arrived {
    /// Whether somebody still waits at its other end.
    fn is_alive(self, tries: &Slab<Try>) -> bool {
        tries.get(self.of).is_some_and(|t| t.back == Back::Connecting && !t.at_store && t.asks == self.asks)
    }
}

/// A store's listening socket, and the process that accepts from it.
pub(super) struct Door {
    room: u32,
    waiting: VecDeque<Arrived>,
    /// The connection that is being accepted, where that takes time.
    accepting: Option<Arrived>,
    /// Which accept that is.
    number: u32,
    lane: Lane,
    takes_time: bool,
    /// Whether the store is starting up, and which start that is.
    starting: bool,
    start: u32,
}

impl Store {
    /// How many connections wait to be accepted; one more goes unanswered.
    pub fn room(&self) -> u32 {
        match self.backlog {
            Some(backlog) => listen::room(backlog),
            None if self.accept > Ns::ZERO => listen::room(listen::SOMAXCONN),
            None => u32::MAX,
        }
    }
}

impl Door {
    pub(super) fn new(spec: &Store, lane: Lane) -> Door {
        Door {
            room: spec.room(),
            waiting: VecDeque::new(),
            accepting: None,
            number: 0,
            lane,
            takes_time: spec.accept > Ns::ZERO,
            starting: false,
            start: 0,
        }
    }

    /// Whether a connection has not been accepted yet.
    pub(super) fn has_waiting(&self) -> bool {
        self.accepting.is_some() || !self.waiting.is_empty()
    }

    /// Whether the store is starting up.
    pub(super) fn is_starting(&self) -> bool {
        self.starting
    }
}

impl StoreState {
    /// What its faults make of it; while it starts up, no connection is taken.
    pub(super) fn work_out_knobs(&mut self) {
        self.knobs = self.stack.knobs();
        if self.knobs.connects == Connects::Refused {
            // Shut down anew: its start comes to nothing.
            self.door.starting = false;
        } else if self.door.starting {
            self.knobs.connects = Connects::Refused;
        }
    }

    /// Another machine serves in its place, and is running.
    pub(super) fn starts_no_more(&mut self) {
        self.door.starting = false;
    }
}

impl World {
    /// A connect reaches the store.
    pub(crate) fn connect_at_store<K: Kernel>(&mut self, k: &mut K, t: Ref, knock: Knock) {
        let arrived = Arrived { of: t, asks: knock.asks };
        if !arrived.is_alive(&self.tries) {
            return;
        }
        let Some(store) = self.store_of(t) else { return };
        let s = &mut self.stores[store as usize];
        let connects = s.knobs.connects;
        if connects != Connects::Accepted && knock.sent == 1 || connects == Connects::Refused {
            s.stack.credit(&mut self.effects, |knobs: &StoreKnobs| knobs.connects == connects);
        }
        match listen::arrival(connects != Connects::Refused, s.door.waiting.len() as u32, s.door.room) {
            Arrival::Refused => self.send_from_store(k, store, t, Event::AskRefused(t)),
            Arrival::Unanswered => {
                let again = Knock { sent: knock.sent.saturating_add(1), ..knock };
                k.at(k.now().plus(listen::pause(u32::from(knock.sent))), Event::ConnectAtStore(t, again));
            }
            Arrival::Queued => {
                self.clear_out_dead(store);
                self.stores[store as usize].door.waiting.push_back(arrived);
                self.accept_next(k, store);
            }
        }
    }

    /// Where the dead take up neither room nor time, they are cleared out of the queue now and then.
    fn clear_out_dead(&mut self, store: u16) {
        let door = &mut self.stores[store as usize].door;
        let waiting = &mut door.waiting;
        if door.room == u32::MAX && !door.takes_time && waiting.len() >= 64 && waiting.len().is_power_of_two() {
            waiting.retain(|arrived| arrived.is_alive(&self.tries));
        }
    }

    /// A store that runs accepts what is next, unless it is at it.
    fn accept_next<K: Kernel>(&mut self, k: &mut K, store: u16) {
        loop {
            let StoreState { knobs, door, .. } = &mut self.stores[store as usize];
            if knobs.connects != Connects::Accepted || door.accepting.is_some() {
                return;
            }
            let Some(next) = door.waiting.pop_front() else { return };
            if door.takes_time {
                door.accepting = Some(next);
                self.begin_to_accept(k, store);
                return;
            }
            self.admit(k, store, next);
        }
    }

    fn begin_to_accept<K: Kernel>(&mut self, k: &mut K, store: u16) {
        let door = &mut self.stores[store as usize].door;
        door.number = door.number.wrapping_add(1);
        k.after(door.lane, Event::StoreAccepts(store, door.number));
    }

    /// A connection has been accepted: it is set up, if anybody still wants it, and the next one comes.
    pub(crate) fn store_accepts<K: Kernel>(&mut self, k: &mut K, store: u16, number: u32) {
        let StoreState { knobs, door, .. } = &mut self.stores[store as usize];
        if door.number != number || knobs.connects != Connects::Accepted {
            return; // stopped in the middle: it goes on when it resumes
        }
        if let Some(accepted) = door.accepting.take() {
            self.admit(k, store, accepted);
        }
        self.accept_next(k, store);
    }

    /// The store runs again, and accepts.
    pub(super) fn accepts_again<K: Kernel>(&mut self, k: &mut K, store: u16) {
        if self.stores[store as usize].door.accepting.is_some() {
            self.begin_to_accept(k, store);
        }
        self.accept_next(k, store);
    }

    /// Sets an accepted connection up, if it is alive and there are not too many.
    fn admit<K: Kernel>(&mut self, k: &mut K, store: u16, accepted: Arrived) {
        if !accepted.is_alive(&self.tries) {
            return;
        }
        let t = accepted.of;
        let own = self.spec.stores.0[store as usize].1.connections.unwrap_or(u32::MAX);
        let s = &mut self.stores[store as usize];
        let open = s.open;
        if open >= s.knobs.connections.map_or(own, |most| most.min(own)) {
            let would = |knobs: &StoreKnobs| knobs.connections.is_some_and(|most| open >= most);
            s.stack.credit(&mut self.effects, would);
            self.send_from_store(k, store, t, Event::AskRefused(t));
            return;
        }
        s.open += 1;
        let connected = s.connected;
        self.tries[t].at_store = true;
        let Try { server, fleet, plan, .. } = self.tries[t];
        let pool = self.plans[fleet as usize][plan as usize].pool();
        self.servers[server as usize].pools[pool as usize].at_store += 1;
        k.after(connected, Event::Connected(t));
    }

    /// What waits to be accepted is closed, as effects of `entry`.
    pub(super) fn close_door<K: Kernel>(&mut self, k: &mut K, store: u16, entry: Option<u32>) {
        let door = &mut self.stores[store as usize].door;
        let closed: Vec<Arrived> = door.accepting.take().into_iter().chain(door.waiting.drain(..)).collect();
        for arrived in closed.into_iter().filter(|arrived| arrived.is_alive(&self.tries)).collect::<Vec<_>>() {
            self.effects.count(entry);
            self.send_from_store(k, store, arrived.of, Event::AskSevered(arrived.of));
        }
    }

    /// A store that was shut down until now starts up, which takes its time.
    pub(super) fn may_start<K: Kernel>(&mut self, k: &mut K, store: u16, before: StoreKnobs) {
        let start_up = self.spec.stores.0[store as usize].1.start_up;
        let s = &mut self.stores[store as usize];
        let is_over = before.connects == Connects::Refused && s.knobs.connects != Connects::Refused;
        if start_up == Ns::ZERO || !is_over {
            return;
        }
        s.door.starting = true;
        s.door.start = s.door.start.wrapping_add(1);
        s.work_out_knobs();
        k.at(k.now().plus(start_up), Event::StoreStarts(store, s.door.start));
    }

    /// A store has started up, unless it was shut down again meanwhile.
    pub(crate) fn store_starts<K: Kernel>(&mut self, k: &mut K, store: u16, start: u32) {
        let s = &mut self.stores[store as usize];
        if !s.door.starting || s.door.start != start {
            return;
        }
        let before = s.knobs;
        s.door.starting = false;
        s.work_out_knobs();
        self.knobs_changed(k, store, before);
    }
}
