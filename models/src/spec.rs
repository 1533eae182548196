//! The whole world as a file describes it, and what must hold between its parts.

mod estate;
mod parts;
mod products;
mod uses;
mod warnings;

pub use estate::{Callee, Edge};

use crate::component::balancer::Balancer;
use crate::component::clients::Clients;
use crate::component::collector::{Ask, CallPlan, Fleet};
use crate::component::network::Network;
use crate::component::operator::{Action, Entry, Replay, Trigger};
use crate::component::store::Store;
use crate::fault::Target;
use crate::policy::adaptive::Adaptive;
use crate::policy::asking::OnFailure;
use crate::setting::{Heard, Name, Named, Problem, Scope, Setting, Span, Value, always, closest};
use crate::settings;
use crate::units::Ns;
use std::collections::BTreeMap;

/// Most servers of all fleets together.
pub const SERVERS: u64 = 100_000;

settings! {
    /// The world: clients, balancer, fleets of servers, stores, and the day's timeline.
    pub struct WorldSpec {
        /// Populations of clients, by name.
        pub clients: Named<Clients> = Named::default() => always;
        /// The links.
        pub network: Network = Network::default() => always;
        /// The load balancer.
        pub balancer: Balancer = Balancer::default() => always;
        /// Fleets of servers, by name.
        pub fleets: Named<Fleet> = Named::default() => always;
        /// Databases and logs, by name.
        pub stores: Named<Store> = Named::default() => always;
        /// What happens when.
        pub timeline: Vec<Entry> = Vec::new() => always;
    }
}

/// A world ready to run: the description and the traces that it names.
#[derive(Clone, Debug)]
pub struct WorldPlan {
    /// The description, checked.
    pub spec: WorldSpec,
    /// Per population: the times of its calls, if they come from a trace; ascending.
    pub traces: Vec<Option<std::sync::Arc<[Ns]>>>,
    /// When the run ends.
    pub end: Ns,
}

impl WorldSpec {
    /// The kinds of call, in the order in which clients first name them.
    pub fn kinds(&self) -> Vec<&str> {
        let mut kinds: Vec<&str> = Vec::new();
        for (_, clients) in self.clients.iter() {
            if !kinds.contains(&clients.sends.text.as_str()) {
                kinds.push(&clients.sends.text);
            }
        }
        kinds
    }

    /// What is wrong between the parts: names that nothing has, kinds that no fleet serves, triggers in a circle.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = self.unknown_names();
        self.fleet_problems(&mut found);
        self.client_problems(&mut found);
        for entry in &self.timeline {
            match &entry.action {
                Action::Fault(fault, _) => fault.sense_problems(self, &mut found),
                Action::Replay(replay) => self.replay_problems(replay, &mut found),
                _ => {}
            }
        }
        self.sign_problems(&mut found);
        self.circles(&mut found);
        if found.is_empty() {
            // Otherwise a misspelt reference would be reported twice.
            self.idle_parts(&mut found);
        }
        found
    }

    /// Names that nothing has: all that can be said of the parts together while some of them are mistaken.
    pub fn unknown_names(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        for (name, fleet) in &self.fleets.0 {
            for name in fleet.serves.iter().flatten() {
                self.known(name, "kind of call among `calls`", fleet.calls.names(), &mut found);
            }
            let served = fleet.calls.0.iter().filter(|(kind, _)| fleet.is_for(&kind.text));
            let of_calls = served.flat_map(|(_, plan)| [&plan.appends, &plan.asks]);
            self.unknown_in_steps(fleet, &mut found);
            for store in of_calls.chain([&fleet.health.asks, &fleet.restart.needs]).flatten() {
                self.known(store, "store", self.stores.names(), &mut found);
            }
            for (name, pool) in &fleet.pools.0 {
                self.known(pool.store.as_ref().unwrap_or(name), "store", self.stores.names(), &mut found);
            }
            let of_steps = fleet.asks().filter_map(|ask| ask.pool.as_ref());
            let of_calls = fleet.calls.iter().filter_map(|(_, plan)| plan.pool.as_ref());
            for name in of_calls.chain(of_steps).chain(&fleet.health.pool) {
                let pools = fleet.pools.names().chain(self.stores.names().filter(|at| fleet.pools.index(at).is_none()));
                self.known(name, "pool of this fleet", pools, &mut found);
            }
            if let Some(bad) = &fleet.bad {
                Target::Servers { fleet: name, which: &bad.servers }.problems(self, &mut found);
            }
        }
        let kinds = self.served();
        for kind in self.stores.iter().flat_map(|(_, store)| store.at_most.0.iter().map(|(kind, _)| kind)) {
            self.known(kind, "kind of call served by a fleet", kinds.iter().copied(), &mut found);
        }
        for (_, clients) in &self.clients.0 {
            self.known(&clients.sends, "kind of call served by a fleet", kinds.iter().copied(), &mut found);
        }
        for name in self.balancer.log.iter().flat_map(|log| &log.calls) {
            self.known(name, "kind of call", kinds.iter().copied(), &mut found);
        }
        for entry in &self.timeline {
            match &entry.action {
                Action::Maintenance(a) => self.known(&a.store, "store", self.stores.names(), &mut found),
                Action::Fault(fault, _) => fault.target().problems(self, &mut found),
                Action::Relieve(a) => self.known(&a.store, "store", self.stores.names(), &mut found),
                Action::Shed(a) => self.known(&a.calls, "kind of call", kinds.iter().copied(), &mut found),
                Action::TakeDown(a) => self.known(&a.fleet, "fleet", self.fleets.names(), &mut found),
                Action::BringBack(a) => self.known(&a.fleet, "fleet", self.fleets.names(), &mut found),
                Action::Replace(a) => self.known(&a.store, "store", self.stores.names(), &mut found),
                Action::Replay(a) => self.known(&a.calls, "kind of call", kinds.iter().copied(), &mut found),
                Action::Note(_) => {}
            }
        }
        found
    }

    /// Whether clients, operators or the log name a kind of call by itself, without its fleet.
    fn is_named(&self, kind: &str) -> bool {
        let acted_on = |entry: &Entry| match &entry.action {
            Action::Shed(shed) => shed.calls.text == kind,
            Action::Replay(replay) => replay.calls.text == kind,
            _ => false,
        };
        let asked = |fleet: &Fleet| fleet.asks().any(|ask| ask.other().is_some_and(|(_, of)| of == kind));
        self.is_sent(kind) || self.timeline.iter().any(acted_on) || !self.fleets.iter().any(|(_, fleet)| asked(fleet))
    }

    /// The kinds of call that some fleet serves.
    fn served(&self) -> Vec<&str> {
        let of = |fleet: &'_ Fleet, kind: &str| fleet.is_for(kind);
        self.fleets.iter().flat_map(|(_, f)| f.calls.names().filter(move |kind| of(f, kind))).collect()
    }

    /// Pools out of which calls cannot take their connections.
    fn pool_problems(&self, fleet: &Fleet, found: &mut Vec<Problem>) {
        for (name, pool) in &fleet.pools.0 {
            let other = pool.store.as_ref().filter(|store| store.text != name.text);
            if let Some(store) = other.filter(|_| self.stores.index(&name.text).is_some()) {
                found.push(problem(
                    store.span,
                    format!("the pool `{}` has the name of a store and connects to another", name.text),
                    Some("a further pool has a name of its own, which calls say as their `pool`".into()),
                ));
            }
        }
        let checked = fleet.checked_store().zip(fleet.health.pool.as_ref());
        let calls = fleet.calls.iter().filter_map(|(_, plan)| plan.asks.as_ref().zip(plan.pool.as_ref()));
        let steps = fleet.asks().filter_map(|ask| self.queried(ask).zip(ask.pool.as_ref()));
        for (asked, name) in calls.chain(steps).chain(checked) {
            let pool = fleet.pools.get(&name.text);
            let to = pool.and_then(|pool| pool.store.as_ref()).map_or(name.text.as_str(), |store| store.text.as_str());
            if to != asked.text {
                found.push(problem(
                    name.span,
                    format!("the pool `{}` connects to `{to}`, and `{}` is asked", name.text, asked.text),
                    Some(format!("pools.{}.store = \"{}\", or another pool", name.text, asked.text)),
                ));
            }
        }
    }

    fn fleet_problems(&self, found: &mut Vec<Problem>) {
        let mut kinds: Vec<&str> = Vec::new();
        for (_, fleet) in &self.fleets.0 {
            for (kind, plan) in fleet.calls.0.iter().filter(|(kind, _)| fleet.is_for(&kind.text)) {
                if kinds.contains(&kind.text.as_str()) && self.is_named(&kind.text) {
                    found.push(problem(
                        kind.span,
                        format!("two fleets serve `{}`", kind.text),
                        Some("each kind of call that clients send goes to one fleet: `serves` says which".into()),
                    ));
                }
                kinds.push(&kind.text);
                found.extend(call_problems(kind, plan, &self.stores));
            }
            self.pool_problems(fleet, found);
        }
        if self.fleets.is_empty() {
            found.push(problem(
                Span::default(),
                "there is no fleet".into(),
                Some("[fleets.collectors] count = 4, calls.track = { work = \"4ms\" }".into()),
            ));
        }
        let servers: u64 = self.fleets.iter().map(|(_, f)| u64::from(f.count)).sum();
        self.estate_problems(found);
        if servers > SERVERS {
            found.push(problem(
                Span::default(),
                format!("{servers} servers are more than the 100,000 supported"),
                None,
            ));
        }
    }

    fn client_problems(&self, found: &mut Vec<Problem>) {
        for (name, clients) in &self.clients.0 {
            match (&clients.trace, clients.rate.0 > 0.0) {
                (Some(_), true) => found.push(problem(
                    name.span,
                    format!("clients `{}` have both a rate and a trace", name.text),
                    None,
                )),
                (None, false) => found.push(problem(
                    name.span,
                    format!("clients `{}` need a rate or a trace", name.text),
                    Some("rate = \"10/s\"".into()),
                )),
                _ => {}
            }
        }
        if self.clients.is_empty() {
            found.push(problem(
                Span::default(),
                "there are no clients".into(),
                Some("[clients.browsers] sends = \"track\", rate = \"10/s\"".into()),
            ));
        }
    }

    /// Which keys that a file writes have an effect in this world, decoded from `tree`; `end` is the end of the run.
    pub fn heard(&self, tree: &Value, end: Ns) -> Heard {
        let mut scope = Scope::new(self, tree, end);
        self.listen(tree, &mut scope);
        parts::listen(&mut scope);
        scope.finish()
    }

    /// What a reader of the file should know although it can be run; see `warnings`.
    pub fn warnings(&self, tree: &Value, end: Ns) -> Vec<Problem> {
        let scope = Scope::new(self, tree, end);
        warnings::ALL.iter().flat_map(|warn| warn(&scope)).collect()
    }

    /// Values that cannot be together, each in its range: with the places that `tree` has.
    pub fn contradictions(&self, tree: &Value) -> Vec<Problem> {
        let at = Scope::new(self, tree, Ns::NEVER);
        let mut found = Vec::new();
        let check = &self.balancer.health;
        if check.enabled && check.pass_from > check.pass_to {
            let message = format!("no status passes a check: {} is above {}", check.pass_from, check.pass_to);
            let help = Some("`pass_from` is the lowest status that passes, `pass_to` the highest".into());
            found.push(Problem { span: at.place("balancer.health.pass_from"), message, help });
        }
        let mut limits = Vec::new();
        for (name, fleet) in self.fleets.iter() {
            limits.extend(fleet.limit.iter().map(|limit| (format!("fleets.{name}.limit.least"), limit)));
            let of_call = |(kind, plan): (&str, &'_ CallPlan)| {
                Some((format!("fleets.{name}.calls.{kind}.limit.least"), plan.limit.clone()?))
            };
            found
                .extend(fleet.calls.iter().filter_map(of_call).filter_map(|(path, limit)| crossed(&at, &path, &limit)));
        }
        found.extend(limits.into_iter().filter_map(|(path, limit)| crossed(&at, &path, limit)));
        found
    }

    /// The signs that entries of the timeline may wait for.
    fn signs(&self) -> Vec<String> {
        let mut signs: Vec<String> = Vec::new();
        for (store, spec) in self.stores.iter() {
            signs.push(format!("stores.{store}.back"));
            if spec.headroom.is_some() {
                signs.push(format!("stores.{store}.alert"));
                signs.push(format!("stores.{store}.stop"));
            }
        }
        signs.extend(self.timeline.iter().filter_map(|entry| Some(format!("done:{}", entry.id.as_ref()?.text))));
        signs
    }

    /// Not among the unknown names: the entry that gives a sign may be one that could not be read.
    fn sign_problems(&self, found: &mut Vec<Problem>) {
        let signs = self.signs();
        for entry in &self.timeline {
            if let Trigger::When(sign) = &entry.trigger {
                self.known(sign, "sign", signs.iter().map(String::as_str), found);
            }
        }
        let ids = || self.timeline.iter().filter_map(|entry| entry.id.as_ref());
        for (at, id) in ids().enumerate() {
            if ids().take(at).any(|earlier| earlier.text == id.text) {
                found.push(problem(id.span, format!("two entries have the id `{}`", id.text), None));
            }
        }
    }

    fn replay_problems(&self, replay: &Replay, found: &mut Vec<Problem>) {
        let logged = self.balancer.log.iter().flat_map(|log| &log.calls).any(|name| name.text == replay.calls.text);
        if !logged {
            let message = format!("the balancer keeps no log of `{}` to replay", replay.calls.text);
            let help = format!("[balancer.log] calls = [\"{}\"]", replay.calls.text);
            found.push(problem(replay.calls.span, message, Some(help)));
        }
    }

    /// An entry that waits, through others, for its own end never happens.
    fn circles(&self, found: &mut Vec<Problem>) {
        let ids: BTreeMap<&str, usize> =
            self.timeline.iter().enumerate().filter_map(|(i, e)| Some((e.id.as_ref()?.text.as_str(), i))).collect();
        let waits_for = |at: usize| -> Option<usize> {
            let Trigger::When(sign) = &self.timeline[at].trigger else { return None };
            ids.get(sign.text.strip_prefix("done:")?).copied()
        };
        // Each entry waits for one other at most: follow the chain, and remember by whose walk each was reached.
        let mut reached_by = vec![usize::MAX; self.timeline.len()];
        for start in 0..self.timeline.len() {
            let mut at = Some(start);
            while let Some(entry) = at.filter(|a| reached_by[*a] == usize::MAX) {
                reached_by[entry] = start;
                at = waits_for(entry);
            }
            if let Some(entry) = at.filter(|a| reached_by[*a] == start)
                && let Trigger::When(sign) = &self.timeline[entry].trigger
            {
                let message = format!("`{}` waits, in a circle, for its own end", sign.text);
                found.push(problem(sign.span, message, Some("give one of the entries a time with `at`".into())));
            }
        }
    }

    /// What nothing uses is most likely a misspelt name.
    fn idle_parts(&self, found: &mut Vec<Problem>) {
        for (name, fleet) in &self.fleets.0 {
            if !fleet.calls.names().any(|kind| fleet.is_for(kind)) {
                let help = format!("[fleets.{}.calls.<kind>] says what it does", name.text);
                found.push(problem(name.span, format!("fleet `{}` serves no calls", name.text), Some(help)));
            }
        }
        let mut used: Vec<&str> = Vec::new();
        for (_, fleet) in self.fleets.iter() {
            let plans = fleet.calls.iter().flat_map(|(_, plan)| [&plan.appends, &plan.asks]);
            let stores = plans.chain([&fleet.health.asks, &fleet.restart.needs]);
            used.extend(stores.flatten().map(|store| store.text.as_str()));
            let asks = fleet.asks().flat_map(|ask| ask.store().into_iter().chain(&ask.appends));
            used.extend(asks.map(|store| store.text.as_str()));
        }
        for (name, _) in &self.stores.0 {
            if !used.contains(&name.text.as_str()) && !self.is_used(&name.text) {
                let help = "a kind of call uses it with `asks` or `appends`".to_string();
                found.push(problem(name.span, format!("nothing uses the store `{}`", name.text), Some(help)));
            }
        }
    }

    /// Notes a name that is not among those known.
    pub fn known<'n>(&self, name: &Name, what: &str, known: impl Iterator<Item = &'n str>, found: &mut Vec<Problem>) {
        let known: Vec<_> = known.collect();
        if known.contains(&name.text.as_str()) {
            return;
        }
        let help = match closest(&name.text, known.iter().copied()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None if known.is_empty() => format!("there is no {what} here"),
            None => format!("there are: {}", known.join(", ")),
        };
        found.push(problem(name.span, format!("no {what} \"{}\"", name.text), Some(help)));
    }
}

/// An adaptive limit whose lowest value is above its highest.
fn crossed(at: &Scope<'_>, path: &str, limit: &Adaptive) -> Option<Problem> {
    let help = Some("the lowest limit comes first".into());
    let message = format!("`least` = {} is above `most` = {}", limit.least, limit.most);
    (limit.least > limit.most).then(|| Problem { span: at.place(path), message, help })
}

/// What is wrong with one kind of call by itself.
fn call_problems(kind: &Name, plan: &CallPlan, stores: &Named<Store>) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut wrong = |of: &str, help: &str| {
        found.push(problem(kind.span, format!("`{}` {of}", kind.text), Some(help.into())));
    };
    if !plan.then.is_empty() && plan.uses_store() {
        wrong(
            "asks or appends beside the steps of `then`",
            "put the store among the steps: then = [{ asks = \"<store>\" }]",
        );
    }
    for ask in plan.then.asks() {
        ask_problems(ask, &mut wrong);
    }
    // A store may have a dot in its name.
    if plan.asks.as_ref().is_some_and(|name| name.text.contains('.') && stores.index(&name.text).is_none()) {
        wrong(
            "asks another service beside its steps",
            "asks of services are steps: then = [{ asks = \"<fleet>.<kind>\" }]",
        );
    }
    if plan.appends.is_some() && plan.asks.is_some() {
        wrong("both appends and asks", "a call uses one store: drop one of the two");
    }
    if plan.writes && plan.asks.is_none() {
        wrong("writes, but asks no store", "add asks = \"<store>\"");
    }
    if plan.spool.is_some() && !plan.writes {
        wrong(
            "has a spool, but writes nothing to a store",
            "a spool is for calls with asks = \"<store>\" and writes = true",
        );
    }
    if plan.breaker.is_some() && plan.asks.is_none() {
        wrong("has a circuit breaker, but asks no store", "add asks = \"<store>\", or take the breaker out");
    }
    found
}

/// What is wrong with one step of a kind of call by itself.
fn ask_problems(ask: &Ask, wrong: &mut dyn FnMut(&str, &str)) {
    let is_service = ask.other().is_some();
    if ask.asks.is_some() == ask.appends.is_some() {
        wrong("has a step that asks nobody, or two", "a step has `asks` or `appends`, and one of the two");
    }
    if ask.writes && (is_service || ask.appends.is_some()) {
        wrong(
            "has a step that writes, but queries no store",
            "`writes` is of a query; an append is a write anyway, and a service writes by its own steps",
        );
    }
    if is_service && (ask.on_error == OnFailure::Retry || ask.on_severed != OnFailure::Fail) {
        wrong(
            "asks a service with a reaction that only asks of stores have",
            "further attempts are the step's `retry`; `on_error` is \"fail\" or \"crash\"",
        );
    }
}

fn problem(span: Span, message: String, help: Option<String>) -> Problem {
    Problem { span, message, help }
}
