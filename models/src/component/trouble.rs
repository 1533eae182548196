//! Faults of the links between the parts, and what they hold up.
//!
//! A message that arrives while a fault of its link is in force may be late, be lost, or have a reset in its place.
//! What is lost is sent again as TCP does: a connect after 1, 3, 7 ... seconds (Linux' initial retransmission timeout,
//! doubled) until whoever connects gives up, anything else after 0.2, 0.6, 1.4 ... seconds (its least retransmission
//! timeout, doubled, at most two minutes), fifteen times. So after a partition what is still tried gets through some time
//! after its end. A process that stands still gets nothing at all: see `collector::faults`. While no fault is in force
//! nobody looks at messages here.
//!
//! Not modelled: fast retransmission, a smoothed round-trip time, acknowledgements that are lost, bandwidth. A request to
//! a server counts as a connect, on a connection that is kept open too.

use crate::component::clients::Connection;
use crate::fault::{BalancerKnobs, Effects, Knobs, Layer, LinkKnobs, Part, Stack, Target, Which};
use crate::kernel::{Event, Kernel};
use crate::ledger::{Cause, Seen};
use crate::random::{Purpose as Draw, draw, mix, unit};
use crate::slab::{Ref, Slab};
use crate::units::Ns;
use crate::world::{Back, Front, Purpose, World};

/// How often a message is sent again (Linux' `tcp_retries2`).
const RETRIES: u8 = 15;
/// Longest time between two of these.
const LONGEST: Ns = Ns::secs(120);

/// Faults in force on what has no part of its own.
#[derive(Default)]
pub struct Trouble {
    /// Whether any fault is in force, of stores excepted: then events are looked at before they are handled.
    pub on: bool,
    /// Faults between clients and the balancer.
    pub fronts: u32,
    in_force: u32,
    links: Vec<LinkFault>,
    held: Slab<Held>,
    /// The run's seed, for streams of random numbers that a fault opens.
    pub seed: u64,
    /// Faults of the balancer.
    pub balancer: Stack,
    /// What they make of it.
    pub knobs: BalancerKnobs,
}

impl Trouble {
    /// None, in a run with this seed.
    pub fn new(seed: u64) -> Trouble {
        Trouble { seed, ..Trouble::default() }
    }

    /// Whether no fault is in force here.
    pub fn is_sound(&self) -> bool {
        let none = self.in_force == 0 && self.fronts == 0 && self.links.is_empty() && self.balancer.is_empty();
        none && !self.on && self.knobs == BalancerKnobs::default()
    }

    /// A fault begins or ends.
    pub(crate) fn count(&mut self, begins: bool) {
        if begins {
            self.in_force += 1;
        } else {
            self.in_force -= 1;
        }
        self.on = self.in_force > 0;
    }
}

/// A fault of a link, and where it is in force.
struct LinkFault {
    layer: Layer,
    /// Which of the three links.
    link: Link,
    /// Populations, or servers, by number: whose link.
    ours: Vec<bool>,
    /// Of a link to stores: which.
    store: Option<u16>,
}

impl LinkFault {
    fn covers(&self, at: At) -> bool {
        self.link == at.link
            && self.ours.get(at.ours as usize) == Some(&true)
            && self.store.is_none_or(|s| s == at.store)
    }
}

/// A kind of link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Link {
    Front,
    Server,
    Store,
}

/// One link: of a population, of a server, of a server to a store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct At {
    link: Link,
    ours: u32,
    store: u16,
}

/// A message on a link.
#[derive(Clone, Copy, Debug)]
struct Message {
    at: At,
    /// Away from the clients.
    outward: bool,
    /// Opens a connection: both ways must be open.
    connects: bool,
    /// Identity for its dice.
    salt: u64,
    number: u32,
}

/// A message that is late, or lost and sent again.
struct Held {
    event: Event,
    /// How often it was sent again.
    tries: u8,
    /// Whether it is only late.
    arrives: bool,
}

impl World {
    /// Lays a fault on a link.
    pub(crate) fn lay_on_link(&mut self, layer: Layer) {
        let Target::Link { from, to, which } = layer.fault.target() else { return };
        let (near, far) = if from.rank() < to.rank() { (from, to) } else { (to, from) };
        let (link, ours, store) = match near.rank() {
            0 => (Link::Front, self.populations_of(near), None),
            1 => (Link::Server, self.has_servers(far, which), None),
            _ => {
                let store = far.name().and_then(|name| self.spec.stores.index(name)).map(|store| store as u16);
                (Link::Store, self.has_servers(near, which), store)
            }
        };
        self.trouble.fronts += u32::from(link == Link::Front);
        self.trouble.links.push(LinkFault { layer, link, ours, store });
        self.links_changed();
    }

    /// Takes a fault off its link, or sets how much of its severity it has reached.
    pub(crate) fn change_on_link(&mut self, ticket: u32, level: Option<f64>) {
        let Some(at) = self.trouble.links.iter().position(|l| l.layer.ticket == ticket) else { return };
        match level {
            Some(level) => self.trouble.links[at].layer.level = level,
            None => {
                let gone = self.trouble.links.remove(at);
                self.trouble.fronts -= u32::from(gone.link == Link::Front);
                self.links_changed();
            }
        }
    }

    fn links_changed(&mut self) {
        for (store, at) in self.stores.iter_mut().enumerate() {
            let of = |l: &LinkFault| l.link == Link::Store && l.store == Some(store as u16);
            at.is_cut_off = self.trouble.links.iter().any(of);
        }
    }

    fn populations_of(&self, part: &Part) -> Vec<bool> {
        self.spec.clients.names().map(|name| part.name().is_none_or(|of| of == name)).collect()
    }

    fn has_servers(&self, part: &Part, which: &Which) -> Vec<bool> {
        let mut out = vec![false; self.servers.len()];
        let fleet = part.name().and_then(|name| self.spec.fleets.index(name));
        fleet.into_iter().for_each(|fleet| self.servers_of(fleet, which).for_each(|s| out[s as usize] = true));
        out
    }

    /// Some servers of a fleet.
    pub(crate) fn servers_of<'w>(&'w self, fleet: usize, which: &'w Which) -> impl Iterator<Item = u32> + 'w {
        let (name, count) = (&self.spec.fleets.0[fleet].0.text, self.spec.fleets.0[fleet].1.count);
        let first: u32 = self.spec.fleets.0[..fleet].iter().map(|(_, spec)| spec.count).sum();
        (0..count).filter(move |number| which.has(name, count, *number)).map(move |number| first + number)
    }

    /// Whether a fault holds an event up: then it comes again, or never.
    pub(crate) fn is_held_up<K: Kernel>(&mut self, k: &mut K, event: Event, tries: u8) -> bool {
        self.link_holds(k, event, tries) || self.stands_still(event)
    }

    fn link_holds<K: Kernel>(&mut self, k: &mut K, event: Event, tries: u8) -> bool {
        if self.trouble.links.is_empty() {
            return false;
        }
        let Some(message) = self.message(event) else { return false };
        let mut knobs = LinkKnobs::default();
        let links = self.trouble.links.iter().filter(|l| l.covers(message.at));
        links.for_each(|l| knobs.lay(&l.layer.fault, l.layer.level));
        if knobs == LinkKnobs::default() {
            return false;
        }
        let dice = |purpose| unit(draw(message.salt, purpose, (message.number << 4) | u32::from(tries)));
        let loss = |knobs: &LinkKnobs| match (message.connects, message.outward) {
            (true, _) => 1.0 - (1.0 - knobs.loss_outward) * (1.0 - knobs.loss_back),
            (false, true) => knobs.loss_outward,
            (false, false) => knobs.loss_back,
        };
        if loss(&knobs) > 0.0 && dice(Draw::Loss) <= loss(&knobs) {
            self.credit_links(message.at, |knobs| loss(knobs) > 0.0);
            self.lost(k, event, message, tries);
            return true;
        }
        if knobs.resets > 0.0 && is_answer(event) && dice(Draw::Shift) <= knobs.resets {
            self.credit_links(message.at, |knobs| knobs.resets > 0.0);
            self.reset_instead(k, event);
            return true;
        }
        let late = knobs.add.plus(knobs.jitter.scaled(dice(Draw::Latency)));
        if knobs.add == Ns::ZERO && knobs.jitter == Ns::ZERO {
            return false;
        }
        self.credit_links(message.at, |knobs| knobs.add > Ns::ZERO || knobs.jitter > Ns::ZERO);
        self.hold_message(k, late, Held { event, tries, arrives: true });
        true
    }

    fn link_at(server: u32, store: Option<u16>) -> At {
        let link = if store.is_some() { Link::Store } else { Link::Server };
        At { link, ours: server, store: store.unwrap_or(0) }
    }

    /// What faults make of the link between a server and a store, or the balancer: for a runtime that carries messages by
    /// itself.
    pub fn link_of(&self, server: u32, store: Option<u16>) -> LinkKnobs {
        let mut knobs = LinkKnobs::default();
        let links = self.trouble.links.iter().filter(|l| l.covers(World::link_at(server, store)));
        links.for_each(|l| knobs.lay(&l.layer.fault, l.layer.level));
        knobs
    }

    /// Counts an effect for each fault of that link that by itself would have had it.
    pub fn credit_link_of(&mut self, server: u32, store: Option<u16>, would: impl Fn(&LinkKnobs) -> bool) {
        self.credit_links(World::link_at(server, store), would);
    }

    fn credit_links(&mut self, at: At, would: impl Fn(&LinkKnobs) -> bool) {
        let effects: &mut Effects = &mut self.effects;
        for link in self.trouble.links.iter().filter(|l| l.covers(at)) {
            let mut alone = LinkKnobs::default();
            alone.lay(&link.layer.fault, link.layer.level);
            if would(&alone) {
                effects.count(link.layer.entry);
            }
        }
    }

    fn hold_message<K: Kernel>(&mut self, k: &mut K, after: Ns, held: Held) {
        let at = k.now().plus(after);
        if at <= k.end() {
            let held = self.trouble.held.insert(held);
            k.at(at, Event::Held(held));
        }
    }

    /// A message that was held up arrives, or is sent again.
    pub(crate) fn held_due<K: Kernel>(&mut self, k: &mut K, held: Ref) {
        let Some(Held { event, tries, arrives }) = self.trouble.held.get(held).map(|h| Held { ..*h }) else { return };
        self.trouble.held.remove(held);
        let again = if arrives { self.stands_still(event) } else { self.is_held_up(k, event, tries) };
        if !again {
            self.handle_late(k, event);
        }
    }

    /// A message is lost: it is sent again, as long as anybody tries.
    fn lost<K: Kernel>(&mut self, k: &mut K, event: Event, message: Message, tries: u8) {
        let mut given_up = tries >= RETRIES;
        match event {
            Event::AtServer(t) => {
                // Whoever connects keeps the time itself.
                self.tries[t].cause = Cause::Unreachable;
                self.connect_unanswered(k, t);
                return;
            }
            Event::ConnectAtStore(t) => {
                given_up |= self.tries.get(t).is_none_or(|t| t.back != Back::Connecting || t.at_store);
            }
            Event::AtBalancer(t) => given_up |= message.connects && self.tries.get(t).is_none_or(|t| t.client_gone),
            _ => {}
        }
        if given_up {
            self.never_arrives(k, event);
            return;
        }
        let first = if message.connects { Ns::secs(1) } else { Ns::millis(200) };
        let after = Ns(first.0 << tries.min(20)).min(LONGEST);
        self.hold_message(k, after, Held { event, tries: tries + 1, arrives: false });
    }

    /// Nobody sends a message again. What nobody else would end, ends here.
    fn never_arrives<K: Kernel>(&mut self, k: &mut K, event: Event) {
        match event {
            Event::AtBalancer(t) => self.give_up(k, t, Cause::Unreachable),
            Event::QueryAtStore(q) => self.drop_query(k, q, Cause::Unreachable),
            Event::RequestArrives(t) if self.tries.get(t).is_some_and(|t| t.back == Back::Arriving) => {
                self.finish(k, t, 408, Cause::Unreachable);
            }
            _ => {}
        }
    }

    /// A reset arrives in the place of an answer.
    fn reset_instead<K: Kernel>(&mut self, k: &mut K, event: Event) {
        match event {
            Event::Reply(t) => self.connection_breaks(k, t, Cause::ConnectionReset),
            Event::QueryReply(t, _) => self.ask_severed(k, t),
            Event::CheckAnswer(server, number, _) => self.check_answered(k, server, number, 0),
            Event::ClientOk(call, attempt) | Event::ClientFails(call, attempt, _) => {
                self.client_fails(k, call, attempt, Seen::Reset);
            }
            other => unreachable!("{other:?} is no answer"),
        }
    }

    /// The message that an event is the arrival of; none for what happens in one place, or concerns nobody any more.
    fn message(&self, event: Event) -> Option<Message> {
        let of_try = |t: Ref| self.tries.get(t);
        let front = |population: u16| At { link: Link::Front, ours: u32::from(population), store: 0 };
        let server = |ours: u32| At { link: Link::Server, ours, store: 0 };
        let here = |event: u32, t: &crate::world::Try| {
            let steps = u32::from(t.dispatches) << 8 ^ u32::from(t.connects) << 4 ^ u32::from(t.asks);
            (mix(t.salt ^ (u64::from(event) << 56)), (u32::from(t.attempt) << 12) ^ steps)
        };
        let (at, outward, connects, (salt, number)) = match event {
            Event::AtBalancer(t) => {
                let t = of_try(t).filter(|t| t.purpose == Purpose::Call)?;
                let population = self.calls.get(t.call)?.population;
                let per_call = self.spec.clients.0[population as usize].1.connection == Connection::PerCall;
                (front(population), true, per_call, here(1, t))
            }
            Event::ClientOk(call, attempt) | Event::ClientFails(call, attempt, _) => {
                let call = self.calls.get(call)?;
                (front(call.population), false, false, (mix(call.salt ^ 2 << 56), u32::from(attempt)))
            }
            Event::AtServer(t) => {
                let t = of_try(t).filter(|t| t.front == Front::Connecting)?;
                (server(t.server), true, true, here(3, t))
            }
            Event::RequestArrives(t) => of_try(t).map(|t| (server(t.server), true, false, here(4, t)))?,
            Event::Refused(t) | Event::Reset(t) => of_try(t).map(|t| (server(t.server), false, false, here(5, t)))?,
            Event::Reply(t) => {
                let t = of_try(t).filter(|t| t.front == Front::Waiting)?;
                (server(t.server), false, false, here(6, t))
            }
            Event::CheckAtServer(s, number) => (server(s), true, true, (mix(u64::from(s) ^ 7 << 56), number)),
            Event::CheckAnswer(s, number, _) => (server(s), false, false, (mix(u64::from(s) ^ 8 << 56), number)),
            Event::ConnectAtStore(t) => of_try(t).and_then(|t| Some((self.store_link(t)?, true, true, here(9, t))))?,
            Event::QueryAtStore(q) => {
                let asker = of_try(self.queries.get(q)?.asker)?;
                (self.store_link(asker)?, true, false, here(10, asker))
            }
            Event::Connected(t) | Event::AskRefused(t) | Event::AskSevered(t) | Event::QueryReply(t, _) => {
                of_try(t).and_then(|t| Some((self.store_link(t)?, false, false, here(11, t))))?
            }
            _ => return None,
        };
        Some(Message { at, outward, connects, salt, number })
    }

    fn store_link(&self, t: &crate::world::Try) -> Option<At> {
        let store = self.plans[t.fleet as usize][t.plan as usize].store?;
        Some(At { link: Link::Store, ours: t.server, store })
    }
}

fn is_answer(event: Event) -> bool {
    matches!(
        event,
        Event::Reply(_) | Event::QueryReply(..) | Event::CheckAnswer(..) | Event::ClientOk(..) | Event::ClientFails(..)
    )
}
