//! The plan of a call: what its server asks of others after the work, one after another or side by side.
//!
//! A step is one ask, or a list of asks that go out together; the next step begins when all of a step are over. An ask is of a
//! store, or of a kind of call of another fleet; it has its own patience, retries, protections and share of calls.
//! While they are under way a worker is held (an event loop holds only memory).
//!
//! Not modelled: work between steps; asks that are broken off because another of their step has failed (they run on,
//! and nobody hears of them); a deadline that is handed on from caller to callee.

use super::CallPlan;
use crate::policy::adaptive::Adaptive;
use crate::policy::asking::OnFailure;
use crate::policy::breaker::Breaker;
use crate::policy::bulkhead::Limit;
use crate::policy::retry::Retry;
use crate::random::Distribution;
use crate::setting::{Data, Form, Name, Reader, Scope, Setting, Silence, Value, always, first_of, unless};
use crate::settings;
use crate::units::{Ns, Share};

/// Most asks in the plan of one kind of call.
const MOST: usize = 1000;

settings! {
    /// One ask of a call's plan.
    pub struct Ask {
        /// Whom it asks: a store, a cache, or a kind of call of another fleet ("catalog.product").
        pub asks: Option<Name> = None => always;
        /// A store that takes one append, in the place of `asks`; the call's data is stored by it.
        pub appends: Option<Name> = None => always;
        /// Whether the query writes: then the call's data is stored by it.
        pub writes: bool = false => asks_a_store;
        /// Time in which the store serves it; none: the store's own `service`. (time or distribution)
        pub service: Option<Distribution> = None => uses_a_store;
        /// The pool, among `pools`, out of which it takes its connection; none: the one of the store's name.
        pub pool: Option<Name> = None => asks_a_store;
        /// Share of the calls that take this step; the others go on without it.
        pub share: Share = Share(1.0) => always;
        /// Whether the call goes on without an answer when this has failed for good; else it fails with it.
        pub soft: bool = false => always;
        /// Longest wait in one attempt: for a service's answer; of a store, for a connection, connecting and the query, with
        /// all tries in place; none: no limit. (time)
        pub timeout: Option<Ns> = Some(Ns::secs(30)), "1ms" ..= "24h" => always;
        /// Further attempts after one that failed, in the words of the clients' `retry`; a budget is that of one process.
        pub retry: Retry = Retry::default() => always;
        /// Of a store that is a cache: longest wait for a lookup, and for setting what was got; then the store behind it is
        /// queried, or the call goes on. None: no limit. (time)
        pub cache_timeout: Option<Ns> = None, "1ms" ..= "24h" => asks_a_cache;
        /// Bound on connecting alone, which ends a try in place, not the attempt; none: only `timeout`. (time)
        pub connect_timeout: Option<Ns> = None, "1ms" ..= "24h" => asks_a_store;
        /// Bound on the query alone, which ends a try in place, not the attempt; none: only `timeout`. (time)
        pub query_timeout: Option<Ns> = None, "1ms" ..= "24h" => uses_a_store;
        /// What a failed attempt does: it fails, it kills the process, or (of a store) it is tried again in place.
        pub on_error: OnFailure = OnFailure::Fail => always;
        /// What a connection cut by the store does, likewise; with `crash`, a cut idle connection kills the process too.
        pub on_severed: OnFailure = OnFailure::Fail => uses_a_store;
        /// Pause between tries in place. (time)
        pub retry_every: Ns = Ns::millis(500), "1ms" ..= "1h" => retries_in_place;
        /// Most tries in place after the first; none: until the timeout.
        pub retry_at_most: Option<u32> = None, 0 ..= 10000 => retries_in_place;
        /// Bulkhead: at most so many of these asks at once, a count or a share of `workers`; none: no bulkhead.
        pub at_most: Option<Limit> = None => always;
        /// Bulkhead: so many more may wait; the rest fail at once.
        pub queue: u32 = 0, 0 ..= 1000000 => has_bulkhead;
        /// Bulkhead: longest wait, then it fails; none: as `timeout`. (time)
        pub wait: Option<Ns> = None, "1ms" ..= "24h" => waits_at_bulkhead;
        /// Circuit breaker around it, one in each process: "hystrix", "resilience4j", or a table.
        pub breaker: Option<Breaker> = None => always;
        /// Adaptive limit on these asks at once, one in each process: "aimd", "gradient", or a table.
        pub limit: Option<Adaptive> = None => always;
    }
}

fn asks_a_cache(ask: &Ask, at: &Scope<'_>) -> Silence {
    unless(at.world.cache_of(ask).is_some(), "this step asks no cache")
}

fn asks_a_store(ask: &Ask, _: &Scope<'_>) -> Silence {
    unless(ask.other().is_none() && ask.asks.is_some(), "this step asks no store")
}

fn uses_a_store(ask: &Ask, _: &Scope<'_>) -> Silence {
    unless(ask.other().is_none(), "another service is asked here, not a store")
}

fn retries_in_place(ask: &Ask, at: &Scope<'_>) -> Silence {
    first_of([
        uses_a_store(ask, at),
        unless(
            ask.on_error == OnFailure::Retry || ask.on_severed == OnFailure::Retry,
            "neither `on_error` nor `on_severed` is \"retry\": nothing is tried again in place",
        ),
    ])
}

fn has_bulkhead(ask: &Ask, _: &Scope<'_>) -> Silence {
    unless(ask.at_most.is_some(), "without `at_most` there is no bulkhead to wait at")
}

fn waits_at_bulkhead(ask: &Ask, at: &Scope<'_>) -> Silence {
    first_of([has_bulkhead(ask, at), unless(ask.queue > 0, "`queue` is 0: nothing waits at the bulkhead")])
}

impl Ask {
    /// Fleet and kind of call, if it asks a service.
    pub fn other(&self) -> Option<(&str, &str)> {
        self.asks.as_ref()?.text.split_once('.')
    }

    /// The store that it queries.
    pub fn store(&self) -> Option<&Name> {
        self.asks.as_ref().filter(|_| self.other().is_none())
    }

    /// The same as a plan of its own, without work: how a store is asked does not hang on what comes before.
    pub(super) fn as_plan(&self) -> CallPlan {
        CallPlan {
            appends: self.appends.clone(),
            asks: self.store().cloned(),
            writes: self.writes,
            service: self.service.clone(),
            pool: self.pool.clone(),
            timeout: self.timeout,
            connect_timeout: self.connect_timeout,
            query_timeout: self.query_timeout,
            on_error: self.on_error,
            on_severed: self.on_severed,
            retry_every: self.retry_every,
            retry_at_most: self.retry_at_most,
            at_most: self.at_most,
            queue: self.queue,
            wait: self.wait,
            breaker: self.breaker.clone(),
            limit: self.limit.clone(),
            ..CallPlan::default()
        }
    }
}

/// One step: an ask, or several side by side.
#[derive(Clone, PartialEq, Debug)]
pub struct Step(pub Vec<Ask>);

impl Setting for Step {
    fn read(value: &Value, reader: &mut Reader<'_>) -> Option<Self> {
        match &value.data {
            Data::List(_) => Vec::<Ask>::read(value, reader).map(Step),
            _ => Ask::read(value, reader).map(|ask| Step(vec![ask])),
        }
    }
    fn form() -> Form {
        Form::Either(vec![Ask::form(), Vec::<Ask>::form()])
    }
    fn show(&self) -> String {
        "{}".into()
    }
    fn toml(&self) -> String {
        match &self.0[..] {
            [ask] => ask.toml(),
            _ => self.0.toml(),
        }
    }
    fn listen(&self, value: &Value, scope: &mut Scope<'_>) {
        match (&value.data, &self.0[..]) {
            (Data::List(_), _) => self.0.listen(value, scope),
            (_, [ask]) => ask.listen(value, scope),
            _ => {}
        }
    }
}

/// The steps after the work, in order.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Steps(pub Vec<Step>);

impl Steps {
    /// Every ask, in order.
    pub fn asks(&self) -> impl Iterator<Item = &Ask> {
        self.0.iter().flat_map(|step| &step.0)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Setting for Steps {
    fn read(value: &Value, reader: &mut Reader<'_>) -> Option<Self> {
        let steps = Steps(Vec::<Step>::read(value, reader)?);
        let asks = steps.asks().count();
        if asks > MOST {
            reader.problem(value.span, format!("{asks} asks are more than the {MOST} that one kind of call may have"));
            return None;
        }
        Some(steps)
    }
    fn form() -> Form {
        Vec::<Step>::form()
    }
    fn show(&self) -> String {
        "[]".into()
    }
    fn toml(&self) -> String {
        self.0.toml()
    }
    fn listen(&self, value: &Value, scope: &mut Scope<'_>) {
        self.0.listen(value, scope);
    }
}
