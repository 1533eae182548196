//! The whole world as a file describes it, and what must hold between its parts.

use crate::component::balancer::Balancer;
use crate::component::clients::Clients;
use crate::component::collector::Fleet;
use crate::component::network::Network;
use crate::component::operator::{Action, Entry, Replay, Trigger};
use crate::component::store::Store;
use crate::setting::{Name, Named, Problem, Span, closest};
use crate::settings;
use crate::units::Ns;
use std::collections::BTreeMap;

settings! {
    /// The world: clients, balancer, fleets of servers, stores, and the day's timeline.
    pub struct WorldSpec {
        /// Populations of clients, by name.
        pub clients: Named<Clients> = Named::default();
        /// The links.
        pub network: Network = Network::default();
        /// The load balancer.
        pub balancer: Balancer = Balancer::default();
        /// Fleets of servers, by name.
        pub fleets: Named<Fleet> = Named::default();
        /// Databases and logs, by name.
        pub stores: Named<Store> = Named::default();
        /// What happens when.
        pub timeline: Vec<Entry> = Vec::new();
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

    /// What is wrong between the parts: names that nothing has, kinds that nobody serves, triggers in a circle.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut kinds: Vec<&str> = Vec::new();
        for (_, fleet) in &self.fleets.0 {
            let stores = |n: &Option<Name>, found: &mut Vec<Problem>| {
                if let Some(n) = n {
                    self.known(n, "store", self.stores.names(), found);
                }
            };
            for name in fleet.serves.iter().flatten() {
                self.known(name, "kind of call among `calls`", fleet.calls.names(), &mut found);
            }
            for (kind, plan) in fleet.calls.0.iter().filter(|(kind, _)| fleet.is_for(&kind.text)) {
                if kinds.contains(&kind.text.as_str()) {
                    found.push(problem(
                        kind.span,
                        format!("two fleets serve `{}`", kind.text),
                        Some("each kind of call goes to one fleet: `serves` says which".into()),
                    ));
                }
                kinds.push(&kind.text);
                stores(&plan.appends, &mut found);
                stores(&plan.asks, &mut found);
                if plan.appends.is_some() && plan.asks.is_some() {
                    found.push(problem(
                        kind.span,
                        format!("`{}` both appends and asks", kind.text),
                        Some("a call uses one store: drop one of the two".into()),
                    ));
                }
                if plan.writes && plan.asks.is_none() {
                    found.push(problem(
                        kind.span,
                        format!("`{}` writes, but asks no store", kind.text),
                        Some("add asks = \"<store>\"".into()),
                    ));
                }
                if plan.spool.is_some() && !plan.writes {
                    found.push(problem(
                        kind.span,
                        format!("`{}` has a spool, but writes nothing to a store", kind.text),
                        Some("a spool is for calls with asks = \"<store>\" and writes = true".into()),
                    ));
                }
                if plan.breaker.is_some() && plan.asks.is_none() {
                    found.push(problem(
                        kind.span,
                        format!("`{}` has a circuit breaker, but asks no store", kind.text),
                        Some("add asks = \"<store>\", or take the breaker out".into()),
                    ));
                }
            }
            for (store, _) in &fleet.pools.0 {
                self.known(store, "store", self.stores.names(), &mut found);
            }
            stores(&fleet.health.asks, &mut found);
            stores(&fleet.restart.needs, &mut found);
        }
        for (name, clients) in &self.clients.0 {
            self.known(&clients.sends, "kind of call served by a fleet", kinds.iter().copied(), &mut found);
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
        if self.fleets.is_empty() {
            found.push(problem(
                Span::default(),
                "there is no fleet".into(),
                Some("[fleets.collectors] count = 4, calls.track = { work = \"4ms\" }".into()),
            ));
        }
        let servers: u64 = self.fleets.iter().map(|(_, f)| u64::from(f.count)).sum();
        if servers > 100_000 {
            found.push(problem(
                Span::default(),
                format!("{servers} servers are more than the 100,000 supported"),
                None,
            ));
        }
        for name in self.balancer.log.iter().flat_map(|log| &log.calls) {
            self.known(name, "kind of call", kinds.iter().copied(), &mut found);
        }
        self.timeline_problems(&kinds, &mut found);
        if found.is_empty() {
            // Otherwise a misspelt reference would be reported twice.
            self.idle_parts(&mut found);
        }
        found
    }

    fn timeline_problems(&self, kinds: &[&str], found: &mut Vec<Problem>) {
        let mut signs: Vec<String> = Vec::new();
        for (store, spec) in self.stores.iter() {
            signs.push(format!("stores.{store}.back"));
            if spec.headroom.is_some() {
                signs.push(format!("stores.{store}.alert"));
                signs.push(format!("stores.{store}.stop"));
            }
        }
        for entry in &self.timeline {
            if let Some(id) = &entry.id {
                let sign = format!("done:{}", id.text);
                if signs.contains(&sign) {
                    found.push(problem(id.span, format!("two entries have the id `{}`", id.text), None));
                }
                signs.push(sign);
            }
        }
        for entry in &self.timeline {
            if let Trigger::When(sign) = &entry.trigger {
                self.known(sign, "sign", signs.iter().map(String::as_str), found);
            }
            match &entry.action {
                Action::Maintenance(a) => self.known(&a.store, "store", self.stores.names(), found),
                Action::Fault(fault, _) => found.extend(fault.problems(self)),
                Action::Relieve(a) => self.known(&a.store, "store", self.stores.names(), found),
                Action::Shed(a) => self.known(&a.calls, "kind of call", kinds.iter().copied(), found),
                Action::TakeDown(a) => self.known(&a.fleet, "fleet", self.fleets.names(), found),
                Action::BringBack(a) => self.known(&a.fleet, "fleet", self.fleets.names(), found),
                Action::Replace(a) => self.known(&a.store, "store", self.stores.names(), found),
                Action::Replay(a) => self.replay_problems(a, kinds, found),
                Action::Note(_) => {}
            }
        }
        self.circles(found);
    }

    fn replay_problems(&self, replay: &Replay, kinds: &[&str], found: &mut Vec<Problem>) {
        self.known(&replay.calls, "kind of call", kinds.iter().copied(), found);
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
        }
        for (name, _) in &self.stores.0 {
            if !used.contains(&name.text.as_str()) {
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

fn problem(span: Span, message: String, help: Option<String>) -> Problem {
    Problem { span, message, help }
}
