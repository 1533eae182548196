//! The balancer: an HTTP reverse proxy.
//!
//! It takes a request, chooses a server, connects, sends it on and waits for the answer; what fails on the way it tries
//! again as its policies say (`models/src/policy`: balancing, redispatch, health checks, passive checks, fail-open).
//! It checks servers with requests of its own (`checks`).

mod checks;
mod log;
mod rotation;

pub use log::Log;

use crate::crew::Crew;
use crate::http::{Broken, Ticket, answer, exchange, exchange_kept, is_idle, serve_one, serve_while_wanted};
use crate::platform::{Either, Handshake, LinkId, Listener, Platform, Silence, first};
use crate::town::{HTTP, Town};
use crate::witness::{Chance, To};
use brownout_models::component::clients::Connection;
use brownout_models::ledger::Cause;
use brownout_models::policy::keep_alive::{Idle, KeepAlive, Kept};
use brownout_models::policy::redispatch::{self, ConnectFailure, Next, Redispatch, Tried};
use brownout_models::policy::resend::{Failed, Failure};
use brownout_models::policy::verdict::Verdict;
use brownout_models::random::{Purpose, draw, unit};
use brownout_models::units::Ns;
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Response};
use rotation::{Asks, Place, Rotator, Slot};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

/// Where a kind of call goes.
struct Route {
    kind: String,
    fleet: u16,
    plan: usize,
    reads: bool,
}

/// The process of the balancer.
pub struct Balancer<P: Platform> {
    platform: P,
    town: Town,
    rotator: Rotator,
    routes: Vec<Route>,
    handshake: Handshake,
    crew: Crew<P>,
    /// Connections that have lives of their own, and their rules.
    kept: Option<(KeepAlive, Mutex<Idle<P::Stream>>)>,
}

/// Whether the sender of a request still waits for it.
struct Presence(Option<oneshot::Sender<Response<Full<Bytes>>>>);

impl Presence {
    /// Waits until they have left; without end if it is not looked for.
    async fn left(&mut self) {
        match &mut self.0 {
            Some(sender) => sender.closed().await,
            None => std::future::pending().await,
        }
    }
}

/// A call on its way through the balancer.
struct Way {
    call: u64,
    salt: u64,
    attempt: u16,
    fleet: u16,
    dispatches: u16,
    retries_left: u16,
    /// Servers tried so far, where that matters.
    tried: Tried,
    /// The server last tried.
    server: Option<u32>,
    /// Whether that server has neither answered nor failed yet.
    engaged: bool,
    reads: bool,
    arrived: Ns,
    /// A retry's place among those whose number is bounded.
    slot: Option<Slot>,
}

/// What is left to do after a failed try.
enum Then {
    /// The end: the status, and the cause if it is the balancer's.
    Answer(u16, Option<Cause>),
    /// The same server again, whose place is kept.
    Same(Place, Ns),
    /// Another one.
    Another(Ns),
    /// The client has left.
    Left,
}

impl<P: Platform> Balancer<P> {
    /// A balancer of a town; `from` is the state of rotation to begin with.
    pub fn new(platform: P, town: Town) -> Arc<Balancer<P>> {
        let spec = town.spec();
        let routes = spec.clients.iter().filter_map(|(_, clients)| {
            let kind = clients.sends.text.clone();
            let (fleet, plan) =
                spec.fleets.iter().enumerate().find_map(|(at, (_, fleet))| Some((at, fleet.plan(&kind)?)))?;
            let reads = plan.1.appends.is_none() && !plan.1.writes;
            Some(Route { kind, fleet: fleet as u16, plan: usize::from(plan.0), reads })
        });
        let routes = routes.collect();
        let servers = spec.fleets.iter().map(|(_, fleet)| fleet.count as usize).sum();
        let kept = spec.balancer.keeping(spec).map(|rules| (rules, Mutex::new(Idle::new(servers))));
        let fresh = spec.balancer.connection == Connection::PerCall || kept.is_some();
        Arc::new(Balancer {
            rotator: Rotator::new(&town, &platform),
            routes,
            handshake: if fresh { Handshake::Fresh } else { Handshake::WithFirst },
            crew: Crew::new(&platform),
            kept,
            platform,
            town,
        })
    }

    /// How many servers of each fleet are in rotation.
    pub fn in_rotation(&self) -> Vec<u64> {
        self.rotator.state().backends.iter().map(|b| b.members.in_rotation() as u64).collect()
    }

    /// Serves until the process ends.
    pub async fn run(self: Arc<Self>, seed: u64, from: Ns) {
        self.clone().start_checks(seed, from);
        if self.town.spec().balancer.log.is_some() {
            self.platform.spawn(self.clone().follow_replays());
        }
        let (door, way) = (self.town.balancer_door(), self.town.client_way());
        let Ok(listener) = self.platform.listen(door, u32::MAX, way).await else { return };
        let looks = self.town.spec().balancer.abort_on_close;
        while let Ok(stream) = listener.accept().await {
            let balancer = self.clone();
            self.crew.run(async move {
                if looks {
                    serve_while_wanted(stream, |request| balancer.clone().serve_present(request)).await;
                } else {
                    let balancer = &balancer;
                    serve_one(stream, |request| async move {
                        let ticket = Ticket::of(&request);
                        balancer.serve(request.uri().path(), ticket, &mut Presence(None)).await
                    })
                    .await;
                }
            });
        }
    }

    /// Serves a request on a task of its own, which is told when the client leaves.
    async fn serve_present(self: Arc<Self>, request: hyper::Request<hyper::body::Incoming>) -> Response<Full<Bytes>> {
        let (done, wait) = oneshot::channel();
        let crew = self.crew.clone();
        crew.run(async move {
            let mut presence = Presence(Some(done));
            let response = self.serve(request.uri().path(), Ticket::of(&request), &mut presence).await;
            if let Some(done) = presence.0 {
                // It may no longer be waited for.
                let _ = done.send(response);
            }
        });
        wait.await.unwrap_or_else(|_| answer(500, None))
    }

    async fn serve(&self, path: &str, ticket: Option<Ticket>, presence: &mut Presence) -> Response<Full<Bytes>> {
        let route = self.routes.iter().find(|r| path.strip_prefix('/') == Some(r.kind.as_str()));
        let (Some(ticket), Some(route)) = (ticket, route) else { return answer(404, None) };
        let Some(chance) = self.town.witness().receive(ticket.chance) else { return answer(400, None) };
        answer(self.admit(route, &ticket, chance, presence).await, None)
    }

    /// Takes a call on, unless operators turn it away: the status of the answer.
    async fn admit(&self, route: &Route, ticket: &Ticket, chance: Chance, presence: &mut Presence) -> u16 {
        if self.town.spec().balancer.log.is_some() {
            self.town.witness().logged(ticket.call);
        }
        let share = self.town.day().read(|day| day.shed[route.fleet as usize][route.plan]);
        if share > 0.0 && unit(draw(ticket.salt, Purpose::Shed, 0)) <= share {
            chance.end(Cause::Shed);
            return 503;
        }
        let (status, cause) = self.carry(route, ticket, presence).await;
        self.close(chance, route, ticket, status, cause);
        status
    }

    /// The balancer is done with a call.
    fn close(&self, chance: Chance, route: &Route, ticket: &Ticket, status: u16, cause: Option<Cause>) {
        let good = (200..300).contains(&status);
        match cause {
            Some(cause) => chance.end(cause),
            None if good && route.reads && !self.town.witness().waits(ticket.call, ticket.attempt) => {
                chance.end(Cause::AnsweredLate);
            }
            // What the server made of it, it has said itself.
            None => chance.end_quietly(),
        }
    }

    /// Carries a call to servers until one has answered it or nothing is left to try.
    async fn carry(&self, route: &Route, ticket: &Ticket, presence: &mut Presence) -> (u16, Option<Cause>) {
        let spec = &self.town.spec().balancer;
        let mut way = Way {
            call: ticket.call,
            salt: ticket.salt,
            attempt: ticket.attempt,
            fleet: route.fleet,
            dispatches: 0,
            retries_left: spec.retries.of(self.rotator.members(route.fleet, |members| members.let_in())),
            tried: Tried::default(),
            server: None,
            engaged: false,
            reads: route.reads,
            arrived: self.platform.now(),
            slot: None,
        };
        let limit = spec.call_timeout.map_or(Ns::NEVER, |limit| way.arrived.plus(limit));
        let tries = self.try_until_done(&mut way, route, presence);
        match self.platform.before(limit, tries).await {
            Some(end) => end,
            None => {
                if let Some(server) = way.server.filter(|_| way.engaged) {
                    self.judge(server, Verdict::Unreached);
                }
                (spec.timeout_status, Some(Cause::BalancerTimeout))
            }
        }
    }

    async fn try_until_done(&self, way: &mut Way, route: &Route, presence: &mut Presence) -> (u16, Option<Cause>) {
        let spec = &self.town.spec().balancer;
        let path = format!("/{}", route.kind);
        let method = if route.reads { Method::GET } else { Method::POST };
        let mut same = None;
        loop {
            let place = match same.take() {
                Some(place) => place,
                None => {
                    match first(self.rotator.choose(&self.platform, way.asks(spec.redispatch)), presence.left()).await {
                        Either::Left(Ok(place)) => place,
                        Either::Left(Err(cause)) => return (spec.unavailable_status, Some(cause)),
                        Either::Right(()) => return (499, Some(Cause::ClientLeft)),
                    }
                }
            };
            way.engaged = true;
            // On the heap: a try is large, and lies within all that serves the request.
            let then = Box::pin(self.dispatch(way, place, &method, &path, presence)).await;
            way.engaged = false;
            let pause = match then {
                Then::Answer(status, cause) => return (status, cause),
                Then::Left => return (499, Some(Cause::ClientLeft)),
                Then::Same(mut place, pause) => {
                    place.begin_again();
                    same = Some(place);
                    pause
                }
                Then::Another(pause) => pause,
            };
            if pause > Ns::ZERO
                && let Either::Right(()) = first(self.platform.sleep(pause), presence.left()).await
            {
                return (499, Some(Cause::ClientLeft));
            }
            way.retries_left -= 1;
        }
    }

    /// One try: connects to the chosen server, sends the request, waits for the answer.
    async fn dispatch(
        &self,
        way: &mut Way,
        place: Place,
        method: &Method,
        path: &str,
        presence: &mut Presence,
    ) -> Then {
        let spec = &self.town.spec().balancer;
        let server = place.server();
        way.server = Some(server);
        way.dispatches += 1;
        if spec.rules().remember_tried() {
            way.tried.add(server);
        }
        self.rotator.on_chosen(server);
        self.note_pause(server);
        let (door, way_there) =
            (self.town.server_door(server, HTTP), self.town.server_way().over(LinkId::Server(server)));
        if let Some(kept) = self.take_kept(server) {
            return Box::pin(self.send_on(way, place, method, path, presence, kept, true)).await;
        }
        let silence = Silence::default();
        let connect = self.platform.connect_noting(door, way_there, self.handshake, &silence);
        let connect = first(self.platform.within(spec.connect_timeout, connect), self.rotator.cut(server));
        let stream = match first(connect, presence.left()).await {
            Either::Left(Either::Right(())) => {
                let end = (spec.status_after(ConnectFailure::Refused), Some(Cause::MarkedDown));
                return self.failed(way, place, Failure::Refused, end);
            }
            Either::Left(Either::Left(Some(Ok(stream)))) => stream,
            Either::Left(Either::Left(Some(Err(_)))) => {
                let status = spec.status_after(ConnectFailure::Refused);
                return self.failed(way, place, Failure::Refused, (status, Some(Cause::Refused)));
            }
            Either::Left(Either::Left(None)) => {
                let status = spec.status_after(ConnectFailure::TimedOut);
                return self.failed(way, place, Failure::ConnectTimedOut, (status, Some(silence.cause())));
            }
            Either::Right(()) => {
                self.judge(server, Verdict::Abandoned);
                return Then::Left;
            }
        };
        let kept = Kept { opened: self.platform.now(), calls: 0, of: stream };
        // On the heap: the stack of a run is small, and this is most of what a call needs.
        Box::pin(self.send_on(way, place, method, path, presence, kept, false)).await
    }

    /// An idle connection to a server, if there is one that the balancer believes to be open.
    fn take_kept(&self, server: u32) -> Option<Kept<P::Stream>> {
        let (rules, idle) = self.kept.as_ref()?;
        let mut idle = idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.take(rules, server as usize, self.platform.now(), is_idle)
    }

    /// A connection whose call has been answered lies idle from now on, unless it has had its calls or its age.
    fn keep(&self, server: u32, fleet: u16, connection: Kept<P::Stream>) {
        let Some((rules, idle)) = &self.kept else { return };
        let (now, theirs) = (self.platform.now(), self.town.fleet(fleet).keep_alive.as_ref());
        if rules.keeps(theirs, &connection, now) {
            let servers = self.rotator.members(fleet, |members| members.servers());
            let servers = servers.start as usize..servers.end as usize;
            let mut idle = idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.put(rules, (server as usize, servers), now, connection, is_idle);
        }
    }

    /// Sends the request over a connection and waits for the answer; `reused`: others went over it before.
    #[expect(clippy::too_many_arguments, reason = "the second half of `dispatch`")]
    async fn send_on(
        &self,
        way: &mut Way,
        mut place: Place,
        method: &Method,
        path: &str,
        presence: &mut Presence,
        connection: Kept<P::Stream>,
        reused: bool,
    ) -> Then {
        let (spec, server) = (&self.town.spec().balancer, place.server());
        let Kept { opened, calls, of: stream } = connection;
        if !place.may_send() {
            return Then::Answer(spec.unavailable_status, Some(Cause::Overflow));
        }
        let witness = self.town.witness();
        let chance = witness.send(witness.chance(way.call), To::Server(server, witness.incarnation(server)));
        let ticket = Ticket { call: way.call, attempt: way.attempt, salt: way.salt, chance };
        let patience = spec.idle_timeout.map_or(Ns::NEVER, |idle| self.platform.now().plus(idle));
        let exchange = async {
            match &self.kept {
                Some(_) => exchange_kept(stream, method.clone(), path, ticket).await,
                None => exchange(stream, method.clone(), path, ticket).await.map(|reply| (reply, None)),
            }
        };
        let exchange = first(self.platform.before(patience, exchange), self.rotator.cut(server));
        let reply = if spec.close_on_departure {
            match first(exchange, presence.left()).await {
                Either::Left(reply) => reply,
                Either::Right(()) => {
                    self.judge(server, Verdict::Abandoned);
                    return Then::Left;
                }
            }
        } else {
            exchange.await
        };
        let reply = match reply {
            Either::Left(reply) => reply,
            Either::Right(()) => {
                return self.failed(way, place, Failure::Broken, (spec.broken_status, Some(Cause::MarkedDown)));
            }
        };
        match reply {
            Some(Ok((reply, stream))) => {
                if let Some(stream) = stream {
                    self.keep(server, way.fleet, Kept { opened, calls: calls + 1, of: stream });
                }
                let status = reply.status;
                let failure = Failure::Status(status);
                let again = status >= 400 && way.retries_left > 0 && spec.retry_policy().covers(failure, way.reads);
                self.judge(server, Verdict::Answered { status, retried: again });
                if again { self.next(way, place, failure, (status, None)) } else { Then::Answer(status, None) }
            }
            Some(Err(_)) if reused => self.kept_closed(way, place, chance),
            Some(Err(how)) => {
                let cause = if how == Broken::Reset { Cause::ConnectionReset } else { Cause::Crashed };
                self.failed(way, place, Failure::Broken, (spec.broken_status, Some(cause)))
            }
            None => {
                let end = (spec.timeout_status, Some(Cause::BalancerTimeout));
                self.failed(way, place, Failure::Unanswered, end)
            }
        }
    }

    /// A try on a kept connection finds that its server has closed it. What nobody has received has not been executed.
    fn kept_closed(&self, way: &mut Way, place: Place, chance: u64) -> Then {
        let end = (self.town.spec().balancer.broken_status, Some(Cause::ConnectionReset));
        if let Some(chance) = self.town.witness().receive(chance) {
            chance.end(Cause::ConnectionReset);
        }
        let (free, counts) = self.kept.as_ref().map_or((false, true), |(rules, _)| (rules.free_retry, rules.counts));
        if free {
            way.retries_left += 1;
        }
        self.judge(place.server(), if counts { Verdict::Unreached } else { Verdict::Abandoned });
        self.next(way, place, Failure::Broken, end)
    }

    /// A try has failed, which speaks against its server. `end`: the answer if it was the last.
    fn failed(&self, way: &mut Way, place: Place, failure: Failure, end: (u16, Option<Cause>)) -> Then {
        self.judge(place.server(), if failure.was_sent() { Verdict::Unreached } else { Verdict::Unconnected });
        self.next(way, place, failure, end)
    }

    /// What follows a try that failed.
    fn next(&self, way: &mut Way, place: Place, failure: Failure, end: (u16, Option<Cause>)) -> Then {
        way.slot = None;
        let (spec, now) = (&self.town.spec().balancer, self.platform.now());
        let (next, slot) = self.rotator.next_try(way.fleet, |members| Failed {
            failure,
            reads: way.reads,
            salt: way.salt,
            attempt: way.attempt,
            age: now.minus(way.arrived),
            under_way: 0,
            at: redispatch::Failed {
                refused: failure == Failure::Refused,
                retries: spec.retries.of(members.let_in()),
                retries_left: way.retries_left,
                servers_up: members.in_rotation(),
                is_fully_up: members.is_fully_up(place.server(), now),
            },
        });
        way.slot = slot;
        match next {
            Next::GiveUp => Then::Answer(end.0, end.1),
            Next::Another(pause) => Then::Another(pause),
            // A call that will try the same server again keeps its place there (HAProxy counts it throughout).
            Next::Same(pause) => Then::Same(place, pause),
        }
    }

    /// A connect to a server whose process stands still is an effect of that.
    fn note_pause(&self, server: u32) {
        if self.town.day().read(|day| day.servers[server as usize].knobs.still) {
            self.town.witness().affected_server(server, |knobs| knobs.still);
        }
    }

    /// A call's end says something of its server.
    fn judge(&self, server: u32, verdict: Verdict) {
        if let Some(back) = self.rotator.judge(server, verdict) {
            let (rotator, platform) = (self.rotator.clone(), self.platform.clone());
            self.crew.run(async move {
                platform.sleep_until(back).await;
                rotator.peer_reopens(server);
            });
        }
    }
}

impl Way {
    fn asks(&self, redispatch: Redispatch) -> Asks {
        Asks {
            fleet: self.fleet,
            salt: self.salt,
            number: (u32::from(self.attempt) << 16) | u32::from(self.dispatches),
            tried: self.tried.clone(),
            avoid: self.server.and_then(|server| redispatch.avoided(server)),
        }
    }
}
