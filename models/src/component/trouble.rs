//! Faults of the links between the parts, and what they hold up.
//!
//! A message that arrives while a fault of its link is in force may be late, be lost, or have a reset in its place.
//! What is lost is sent again as TCP does: a connect after 1, 3, 7 ... seconds (Linux' initial retransmission timeout,
//! doubled) until the connecting side gives up, anything else after 0.2, 0.6, 1.4 ... seconds (its least retransmission
//! timeout, doubled, at most two minutes), fifteen times. So after a partition what is still tried gets through some time
//! after its end. A process that stands still gets nothing at all: see `collector::faults`. While no fault is in force
//! messages are not looked at here.
//!
//! Where a connection is opened for a call or a check, one event stands for three messages: the connect, its answer, and
//! the request. Here each of them is late for itself; the connect and its answer are lost together, the request for
//! itself. A worker has the connection from when the request could first be there.
//!
//! Not modelled: fast retransmission, a smoothed round-trip time, acknowledgements that are lost, bandwidth. A request to
//! a server on a connection that is kept open counts as a connect, and opening a connection to a store as one round trip.

mod requests;

use crate::component::clients::Connection;
use crate::fault::{BalancerKnobs, Effects, Knobs, Layer, LinkKnobs, Part, Stack, Target, Which};
use crate::kernel::{Event, Kernel};
use crate::ledger::{Cause, Seen};
use crate::policy::listen;
use crate::random::{Purpose as Draw, draw, mix, unit};
use crate::slab::{Ref, Slab};
use crate::units::Ns;
use crate::world::{Back, Front, Purpose, World};
use requests::LostRequest;

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
    /// Requests that are lost, and waited for by the workers that have their connections.
    requests: Vec<LostRequest>,
    /// The run's seed, for streams of random numbers that a fault opens.
    pub seed: u64,
    /// Faults of the balancer.
    pub balancer: Stack,
    /// What they make of it.
    pub knobs: BalancerKnobs,
    /// What another runtime must do, if one carries calls and checks; none if this world does.
    pub elsewhere: Option<Elsewhere>,
}

/// What faults do at once, for a runtime that carries calls and checks by itself.
#[derive(Debug, Default)]
pub struct Elsewhere {
    /// Calls offered beside those of the populations' own course: whose, when, and the salt.
    pub offered: Vec<(u16, Ns, u64)>,
    /// Each time that the balancer forgets what it has learnt: the entry whose effect that is.
    pub forgets: Vec<Option<u32>>,
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

    /// Whether no message is held up either.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.is_sound() && self.held.is_empty()
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
    /// Of a link to stores: which. Of a link to servers, if it is that of the calls of one fleet: its number and one.
    store: Option<u16>,
}

impl LinkFault {
    fn covers(&self, at: At) -> bool {
        self.link == at.link
            && self.ours.get(at.ours as usize) == Some(&true)
            && self.store.is_none_or(|s| s == at.store)
    }
}

/// A link, for a runtime that carries messages by itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LinkId {
    /// Between a population of clients and the balancer.
    Clients(u16),
    /// Between the balancer and a server.
    Server(u32),
    /// Between a server and a store.
    Store(u32, u16),
}

impl From<LinkId> for At {
    fn from(link: LinkId) -> At {
        match link {
            LinkId::Clients(population) => At { link: Link::Front, ours: u32::from(population), store: 0 },
            LinkId::Server(server) => At { link: Link::Server, ours: server, store: 0 },
            LinkId::Store(server, store) => At { link: Link::Store, ours: server, store },
        }
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
    /// Opens a connection for a request, which follows.
    opens: bool,
    /// Identity for its dice.
    salt: u64,
    number: u32,
}

/// How far a message is that stands for a connect and the request after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Leg {
    /// The connect and its answer; or all of a message that stands for itself.
    First,
    /// The request.
    Request,
}

/// Keeps the random draws of the answer to a connect, and of the request after it, apart from those of the connect.
const ANSWER: u64 = 12 << 56;
const REQUEST: u64 = 13 << 56;

impl Message {
    fn dice(&self, of: u64, purpose: Draw, tries: u8) -> f64 {
        unit(draw(
            if of == 0 { self.salt } else { mix(self.salt ^ of) },
            purpose,
            (self.number << 4) | u32::from(tries),
        ))
    }

    /// The share of such messages that are lost.
    fn loss(&self, knobs: &LinkKnobs) -> f64 {
        match (self.connects, self.outward) {
            (true, _) => 1.0 - (1.0 - knobs.loss_outward) * (1.0 - knobs.loss_back),
            (false, true) => knobs.loss_outward,
            (false, false) => knobs.loss_back,
        }
    }

    /// Whether another message of the same kind belongs to the same try, however often its connect was sent.
    fn is_of(&self, other: &Message) -> bool {
        const CONNECTS: u32 = 0xf0;
        self.salt == other.salt && (self.number ^ other.number) & !CONNECTS == 0
    }

    fn is_lost(&self, knobs: &LinkKnobs, tries: u8) -> bool {
        let loss = self.loss(knobs);
        loss > 0.0 && self.dice(0, Draw::Loss, tries) <= loss
    }

    fn request_is_lost(&self, knobs: &LinkKnobs, tries: u8) -> bool {
        knobs.loss_outward > 0.0 && self.dice(REQUEST, Draw::Loss, tries) <= knobs.loss_outward
    }

    fn late(&self, knobs: &LinkKnobs, of: u64, tries: u8) -> Ns {
        knobs.add.plus(knobs.jitter.scaled(self.dice(of, Draw::Latency, tries)))
    }
}

fn delays(knobs: &LinkKnobs) -> bool {
    knobs.add > Ns::ZERO || knobs.jitter > Ns::ZERO
}

/// How long after it was sent (again) a message is sent once more.
fn sent_again(connects: bool, tries: u8) -> Ns {
    let pause = if connects { listen::pause(u32::from(tries) + 1) } else { Ns(Ns::millis(200).0 << tries.min(20)) };
    pause.min(LONGEST)
}

/// A message that is late, or lost and sent again.
struct Held {
    event: Event,
    /// How often it was sent again.
    tries: u8,
    /// Which part of it.
    leg: Leg,
    message: Message,
    /// Whether it is only late.
    arrives: bool,
}

impl Trouble {
    /// Most messages that were held up at once.
    pub(crate) fn held_peak(&self) -> usize {
        self.held.peak()
    }
}

impl World {
    /// Lays a fault on a link.
    pub(crate) fn lay_on_link<K: Kernel>(&mut self, k: &mut K, layer: Layer) {
        let Target::Link { from, to, which } = layer.fault.target() else { return };
        let (near, far) = if from.rank() < to.rank() { (from, to) } else { (to, from) };
        let callers = |part: &Part| part.name().map(|name| self.spec.callers_of(name).collect::<Vec<_>>());
        let fleet = |part: &Part| part.name().and_then(|name| self.spec.fleets.index(name));
        let (link, ours, store) = match near.rank() {
            // Of two fleets the messages of those calls that one makes to the other.
            2 if far.rank() == 2 => {
                let calls = |one: &Part, other: &Part| {
                    fleet(one).is_some_and(|at| callers(other).is_some_and(|all| all.contains(&at)))
                };
                let (caller, callee) = if calls(from, to) { (from, to) } else { (to, from) };
                (Link::Server, self.has_servers(callee, which), fleet(caller).map(|at| at as u16 + 1))
            }
            0 => (Link::Front, self.populations_of(near), None),
            1 => (Link::Server, self.has_servers(far, which), None),
            _ => {
                let store = far.name().and_then(|name| self.spec.stores.index(name)).map(|store| store as u16);
                (Link::Store, self.has_servers(near, which), store)
            }
        };
        self.count_lost_requests(k);
        self.trouble.fronts += u32::from(link == Link::Front);
        self.trouble.links.push(LinkFault { layer, link, ours, store });
        self.links_changed(k);
    }

    /// Takes a fault off its link, or sets how much of its severity it has reached.
    pub(crate) fn change_on_link<K: Kernel>(&mut self, k: &mut K, ticket: u32, level: Option<f64>) {
        let Some(at) = self.trouble.links.iter().position(|l| l.layer.ticket == ticket) else { return };
        self.count_lost_requests(k);
        match level {
            Some(level) => self.trouble.links[at].layer.level = level,
            None => {
                let gone = self.trouble.links.remove(at);
                self.trouble.fronts -= u32::from(gone.link == Link::Front);
            }
        }
        self.links_changed(k);
    }

    fn links_changed<K: Kernel>(&mut self, k: &mut K) {
        self.requests_change(k);
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

    /// What faults make of a link.
    fn knobs_at(&self, at: At) -> LinkKnobs {
        let mut knobs = LinkKnobs::default();
        let links = self.trouble.links.iter().filter(|l| l.covers(at));
        links.for_each(|l| knobs.lay(&l.layer.fault, l.layer.level));
        knobs
    }

    fn link_holds<K: Kernel>(&mut self, k: &mut K, event: Event, tries: u8) -> bool {
        if self.trouble.links.is_empty() {
            return false;
        }
        let Some(message) = self.message(event) else { return false };
        self.message_is_held(k, event, message, tries)
    }

    fn message_is_held<K: Kernel>(&mut self, k: &mut K, event: Event, message: Message, tries: u8) -> bool {
        let knobs = self.knobs_at(message.at);
        if knobs == LinkKnobs::default() {
            return false;
        }
        // A refusal is the answer to a connect: the loss was already drawn for both.
        if !matches!(event, Event::Refused(_)) && message.is_lost(&knobs, tries) {
            self.credit_links(message.at, |knobs| message.loss(knobs) > 0.0);
            self.lost(k, event, message, tries);
            return true;
        }
        if message.opens {
            return self.opening_is_held(k, event, message, &knobs, tries);
        }
        if knobs.resets > 0.0 && is_answer(event) && message.dice(0, Draw::Shift, tries) <= knobs.resets {
            self.credit_links(message.at, |knobs| knobs.resets > 0.0);
            self.reset_instead(k, event);
            return true;
        }
        if !delays(&knobs) {
            return false;
        }
        self.credit_links(message.at, delays);
        let held = Held { event, tries, leg: Leg::First, message, arrives: true };
        self.hold_message(k, message.late(&knobs, 0, tries), held);
        true
    }

    /// A connect that got through takes longer, there and back; or the request after it is lost.
    fn opening_is_held<K: Kernel>(
        &mut self,
        k: &mut K,
        event: Event,
        message: Message,
        knobs: &LinkKnobs,
        tries: u8,
    ) -> bool {
        if !delays(knobs) {
            if message.request_is_lost(knobs, 0) {
                self.opened(k, event, message);
                return true;
            }
            return false;
        }
        self.credit_links(message.at, delays);
        self.credit_links(message.at, delays);
        self.connect_is_late(k, event);
        let late = message.late(knobs, 0, tries).plus(message.late(knobs, ANSWER, tries));
        self.hold_message(k, late, Held { event, tries, leg: Leg::First, message, arrives: true });
        true
    }

    /// A connect will be answered late: the connecting side waits only so long.
    fn connect_is_late<K: Kernel>(&mut self, k: &mut K, event: Event) {
        match event {
            Event::AtServer(t) => {
                let try_ = &mut self.tries[t];
                let (first, since, dispatches) = (try_.connects == 1, try_.since, try_.dispatches);
                try_.cause = Cause::Unreachable;
                if first {
                    let gives_up = since.plus(self.connect_limit(t));
                    k.at(gives_up.max(k.now()), Event::ConnectTimeout(t, dispatches));
                }
            }
            Event::CheckAtServer(seat, number) => self.check_connects(k, seat, number),
            _ => {}
        }
    }

    /// The answer to a connect is here: the request sets out.
    fn opened<K: Kernel>(&mut self, k: &mut K, event: Event, message: Message) {
        match event {
            Event::AtServer(t) => {
                if !self.may_open(k, t) {
                    return;
                }
                self.accepted(k, t);
                if self.is_event_loop(t) {
                    // It takes the connection at once; its request is a message of its own.
                    self.request_at_server(k, t, Ns::ZERO);
                    return;
                }
            }
            Event::CheckAtServer(seat, number) => {
                if !self.servers[self.seats[seat as usize].server as usize].alive {
                    self.check_answered(k, seat, number, 0);
                    return;
                }
                self.check_connected(k, seat, number);
            }
            _ => {}
        }
        self.request_sets_out(k, event, message, 0);
    }

    /// The request after a connect is sent, or sent again.
    fn request_sets_out<K: Kernel>(&mut self, k: &mut K, event: Event, message: Message, tries: u8) {
        let knobs = self.knobs_at(message.at);
        // What a worker has accepted, it waits for: see `request_there`.
        let waited_for = matches!(event, Event::AtServer(_));
        if !waited_for && message.request_is_lost(&knobs, tries) {
            self.credit_links(message.at, |knobs| knobs.loss_outward > 0.0);
            if tries >= RETRIES {
                self.never_arrives(k, event);
            } else {
                let again = Held { event, tries: tries + 1, leg: Leg::Request, message, arrives: false };
                self.hold_message(k, sent_again(false, tries), again);
            }
            return;
        }
        if delays(&knobs) {
            self.credit_links(message.at, delays);
            let late = message.late(&knobs, REQUEST, tries);
            self.hold_message(k, late, Held { event, tries, leg: Leg::Request, message, arrives: true });
        } else {
            self.request_there(k, event, message);
        }
    }

    /// The request after a connect is there.
    fn request_there<K: Kernel>(&mut self, k: &mut K, event: Event, message: Message) {
        let Event::AtServer(t) = event else {
            if !self.stands_still(event) {
                self.handle_late(k, event);
            }
            return;
        };
        // The connection is there; a request that is lost is waited for by the worker that has accepted it.
        let waits = self.request_waits(k, &message);
        self.stands_still(event);
        self.request_at_server(k, t, waits);
        self.request_is_awaited(k, t, message, waits);
    }

    /// What faults make of a link: for a runtime that carries messages by itself.
    pub fn link_of(&self, link: LinkId) -> LinkKnobs {
        self.knobs_at(link.into())
    }

    /// Counts an effect for each fault of that link that by itself would have had it.
    pub fn credit_link_of(&mut self, link: LinkId, would: impl Fn(&LinkKnobs) -> bool) {
        self.credit_links(link.into(), would);
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

    /// Whether a message is the connect of a client that has left: it has closed its socket.
    fn client_has_closed(&self, event: Event) -> bool {
        matches!(event, Event::AtBalancer(t) if self.tries.get(t).is_none_or(|t| t.client_gone))
    }

    fn hold_message<K: Kernel>(&mut self, k: &mut K, after: Ns, held: Held) {
        let mut at = k.now().plus(after);
        if let (Event::AtBalancer(t), Leg::First, true) = (held.event, held.leg, held.message.connects) {
            // A client that leaves closes its socket: its connect is looked after then at the latest.
            let call = &self.calls[self.tries[t].call];
            let leaves = call.sent.plus(self.spec.clients.0[call.population as usize].1.timeout);
            at = at.min(leaves.plus(Ns(1))).max(k.now());
        }
        if at <= k.end() {
            let held = self.trouble.held.insert(held);
            k.at(at, Event::Held(held));
        }
    }

    /// A message that was held up arrives, or is sent again.
    pub(crate) fn held_due<K: Kernel>(&mut self, k: &mut K, held: Ref) {
        let Some(Held { event, tries, leg, message, arrives }) = self.trouble.held.get(held).map(|h| Held { ..*h })
        else {
            return;
        };
        self.trouble.held.remove(held);
        if leg == Leg::First && message.connects && self.client_has_closed(event) {
            self.never_arrives(k, event);
            return;
        }
        // A query is sent again whether or not it is waited for; what no longer matters is left to its receiver.
        let now = if leg == Leg::First { self.message(event) } else { None };
        if now.is_some_and(|now| !now.is_of(&message)) {
            return; // of a try before this one
        }
        let concerns = now.is_some() || matches!(event, Event::QueryAtStore(_));
        let held = match (leg, arrives) {
            (Leg::First, true) if message.opens && concerns => {
                self.opened(k, event, message);
                return;
            }
            (Leg::First, false) if concerns => self.message_is_held(k, event, message, tries),
            (Leg::First, _) => false,
            (Leg::Request, true) => {
                self.request_there(k, event, message);
                return;
            }
            (Leg::Request, false) => {
                self.request_sets_out(k, event, message, tries);
                return;
            }
        };
        if !held && !self.stands_still(event) {
            self.handle_late(k, event);
        }
    }

    /// A message is lost: it is sent again, as long as anybody tries.
    fn lost<K: Kernel>(&mut self, k: &mut K, event: Event, message: Message, tries: u8) {
        let mut given_up = tries >= RETRIES;
        match event {
            Event::AtServer(t) => {
                // The connecting side keeps the time itself.
                self.tries[t].cause = Cause::Unreachable;
                self.connect_unanswered(k, t);
                return;
            }
            Event::ConnectAtStore(t, _) => {
                given_up |= self.tries.get(t).is_none_or(|t| t.back != Back::Connecting || t.at_store);
            }
            Event::CheckAtServer(server, number) if message.opens && tries == 0 => {
                self.check_connects(k, server, number)
            }
            _ => {}
        }
        if given_up {
            self.never_arrives(k, event);
            return;
        }
        let again = Held { event, tries: tries + 1, leg: Leg::First, message, arrives: false };
        self.hold_message(k, sent_again(message.connects, tries), again);
    }

    /// A message is not sent again. What nothing else would end, ends here.
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
            Event::CheckAnswer(seat, number, _) => self.check_answered(k, seat, number, 0),
            Event::ClientOk(call, attempt) | Event::ClientFails(call, attempt, _) => {
                self.client_fails(k, call, attempt, Seen::Reset);
            }
            other => unreachable!("{other:?} is no answer"),
        }
    }

    /// The message that an event is the arrival of; none for what happens in one place, or no longer matters.
    fn message(&self, event: Event) -> Option<Message> {
        let of_try = |t: Ref| self.tries.get(t);
        let front = |population: u16| At { link: Link::Front, ours: u32::from(population), store: 0 };
        let server = |ours: u32| At { link: Link::Server, ours, store: 0 };
        let way = |t: &crate::world::Try| {
            let caller = of_try(t.parent).filter(|_| t.purpose == Purpose::Asked);
            At { link: Link::Server, ours: t.server, store: caller.map_or(0, |caller| caller.fleet + 1) }
        };
        let here = |event: u32, t: &crate::world::Try| {
            let steps = u32::from(t.dispatches) << 8 ^ u32::from(t.connects) << 4 ^ u32::from(t.asks);
            (mix(t.salt ^ (u64::from(event) << 56)), (u32::from(t.attempt) << 12) ^ steps)
        };
        let check = |event: u64, s: u32, number: u32| {
            let salt = self.checkers[s as usize].salt_of(number)?;
            Some((mix(self.trouble.seed ^ u64::from(s) ^ event << 56 ^ salt), 0))
        };
        let opens_on = |route: u16| self.backends[route as usize].balancer.connection == Connection::PerCall;
        let opens = match event {
            Event::AtServer(t) => of_try(t).is_some_and(|t| opens_on(t.route)),
            Event::CheckAtServer(seat, _) => opens_on(self.seats[seat as usize].route),
            Event::AtBalancer(_) => true,
            _ => false,
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
                (way(t), true, true, here(3, t))
            }
            Event::RequestArrives(t) => of_try(t).map(|t| (way(t), true, false, here(4, t)))?,
            Event::Refused(t) | Event::Reset(t) => of_try(t).map(|t| (way(t), false, false, here(5, t)))?,
            Event::Reply(t) => {
                let t = of_try(t).filter(|t| t.front == Front::Waiting)?;
                (way(t), false, false, here(6, t))
            }
            Event::CheckAtServer(s, number) => {
                (server(self.seats[s as usize].server), true, true, check(7, s, number)?)
            }
            Event::CheckAnswer(s, number, _) => {
                (server(self.seats[s as usize].server), false, false, check(8, s, number)?)
            }
            Event::ConnectAtStore(t, knock) => {
                let t = of_try(t).filter(|t| t.asks == knock.asks)?;
                let (salt, number) = here(9, t);
                // Each time that it is sent, its fate is drawn anew.
                (self.store_link(t)?, true, true, (salt, number ^ (u32::from(knock.sent - 1) << 4)))
            }
            Event::QueryAtStore(q) => {
                let asker = of_try(self.queries.get(q)?.asker)?;
                (self.store_link(asker)?, true, false, here(10, asker))
            }
            Event::Connected(t) => of_try(t).and_then(|t| Some((self.store_link(t)?, false, false, here(14, t))))?,
            Event::AskRefused(t) | Event::AskSevered(t) | Event::QueryReply(t, _) => {
                of_try(t).and_then(|t| Some((self.store_link(t)?, false, false, here(11, t))))?
            }
            _ => return None,
        };
        Some(Message { at, outward, connects, opens: opens && connects, salt, number })
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
