//! Who asks whom: services that call services.

use super::WorldSpec;
use crate::component::collector::{Ask, CallPlan, Fleet};
use crate::policy::cache::Cache;
use crate::setting::Problem;
use std::collections::BTreeSet;

impl Fleet {
    /// Every ask of its calls' steps.
    pub fn asks(&self) -> impl Iterator<Item = &Ask> {
        self.calls.iter().filter(|(kind, _)| self.is_for(kind)).flat_map(|(_, plan)| plan.then.asks())
    }

    /// Whether one of its calls asks a fleet.
    fn calls_on(&self, fleet: &str) -> bool {
        self.asks().filter_map(Ask::other).any(|(name, _)| name == fleet)
    }
}

impl WorldSpec {
    /// The fleets, by their places in the file, that ask a fleet.
    pub fn callers_of<'w>(&'w self, fleet: &'w str) -> impl Iterator<Item = usize> + 'w {
        self.fleets.0.iter().enumerate().filter(move |(_, (_, caller))| caller.calls_on(fleet)).map(|(at, _)| at)
    }

    /// The settings of the cache that a step asks, if it asks one.
    pub fn cache_of(&self, ask: &Ask) -> Option<&Cache> {
        self.stores.get(&ask.store()?.text)?.cache.as_ref()
    }

    /// The store that a step takes a connection of its pool to: the one that it asks, or the one behind its cache.
    pub(super) fn queried<'w>(&'w self, ask: &'w Ask) -> Option<&'w crate::setting::Name> {
        self.cache_of(ask).map(|cache| &cache.of).or(ask.store())
    }

    /// Whether a step asks a cache of this store.
    pub(super) fn is_behind_a_cache(&self, store: &str) -> bool {
        let behind = |ask: &Ask| self.cache_of(ask).is_some_and(|cache| cache.of.text == store);
        self.fleets.iter().any(|(_, fleet)| fleet.asks().any(behind))
    }

    /// Whether a service asks for a kind of call of a fleet.
    pub fn is_asked(&self, fleet: &str, kind: &str) -> bool {
        self.fleets.iter().any(|(_, caller)| caller.asks().any(|ask| ask.other() == Some((fleet, kind))))
    }

    /// Whether services call services here, or a call has several steps.
    pub fn is_estate(&self) -> bool {
        self.fleets.iter().any(|(_, fleet)| fleet.calls.iter().any(|(_, plan)| !plan.then.is_empty()))
    }

    /// Whether the clients' balancer has a way to a fleet: clients call it, or nobody else does.
    pub fn is_reached(&self, fleet: &str) -> bool {
        let sent = |f: &Fleet| f.calls.names().any(|kind| f.is_for(kind) && self.is_sent(kind));
        self.fleets.get(fleet).is_some_and(sent) || self.callers_of(fleet).next().is_none()
    }

    /// Whether some fleet is reached by others through a proxy.
    pub fn has_inner_proxies(&self) -> bool {
        let by_proxy =
            |name: &str, fleet: &Fleet| !fleet.reached_by().place.is_caller() && self.callers_of(name).next().is_some();
        self.fleets.iter().any(|(name, fleet)| by_proxy(name, fleet))
    }

    /// The kind of call that an ask is of, at another fleet.
    fn asked(&self, ask: &Ask) -> Option<(&str, &str, &CallPlan)> {
        let (fleet, kind) = ask.other()?;
        let (name, fleet) = self.fleets.iter().find(|(name, _)| *name == fleet)?;
        let (at, plan) = fleet.plan(kind)?;
        Some((name, fleet.calls.0[at as usize].0.text.as_str(), plan))
    }

    /// Whether a call of this plan may store something, there or by whom it asks.
    pub fn stores_by(&self, plan: &CallPlan) -> bool {
        self.some_plan(plan, &mut BTreeSet::new(), &|plan| {
            let writes = |ask: &Ask| ask.writes || ask.appends.is_some();
            plan.writes || plan.appends.is_some() || plan.then.asks().any(writes)
        })
    }

    /// Whether one call of a kind may store something and another not, by the steps that each takes.
    pub fn may_read(&self, kind: &str) -> bool {
        let plan = self.fleets.iter().find_map(|(_, fleet)| fleet.plan(kind));
        plan.is_some_and(|(_, plan)| !plan.then.is_empty())
    }

    /// Whether this is so of a plan, or of one that it asks for, however far away. Services may ask in a circle.
    fn some_plan<'w>(
        &'w self,
        plan: &'w CallPlan,
        seen: &mut BTreeSet<(&'w str, &'w str)>,
        is_so: &dyn Fn(&CallPlan) -> bool,
    ) -> bool {
        let mut open = vec![plan];
        while let Some(plan) = open.pop() {
            if is_so(plan) {
                return true;
            }
            for (fleet, kind, next) in plan.then.asks().filter_map(|ask| self.asked(ask)) {
                if seen.insert((fleet, kind)) {
                    open.push(next);
                }
            }
        }
        false
    }

    /// The kinds of call that services may ask for: "catalog.product".
    fn services(&self) -> Vec<String> {
        let of = |name: &str, fleet: &Fleet| -> Vec<String> {
            fleet.calls.names().filter(|kind| fleet.is_for(kind)).map(|kind| format!("{name}.{kind}")).collect()
        };
        self.fleets.iter().flat_map(|(name, fleet)| of(name, fleet)).collect()
    }

    /// Names in steps that nothing has.
    pub(super) fn unknown_in_steps(&self, fleet: &Fleet, found: &mut Vec<Problem>) {
        for ask in fleet.asks() {
            for store in ask.store().iter().copied().chain(&ask.appends) {
                self.known(store, "store", self.stores.names(), found);
            }
            if let (Some(_), Some(name)) = (ask.other(), &ask.asks) {
                let services = self.services();
                self.known(name, "kind of call of a fleet", services.iter().map(String::as_str), found);
            }
        }
    }

    /// What is wrong with caches.
    fn cache_problems(&self, found: &mut Vec<Problem>) {
        let cached =
            |name: &crate::setting::Name| self.stores.get(&name.text).is_some_and(|store| store.cache.is_some());
        for (_, store) in &self.stores.0 {
            let Some(cache) = &store.cache else { continue };
            self.known(&cache.of, "store", self.stores.names(), found);
            if cached(&cache.of) {
                let message = format!("`{}` is a cache itself", cache.of.text);
                let help = Some("a cache stands before a store that is none".into());
                found.push(Problem { span: cache.of.span, message, help });
            }
        }
        for (_, fleet) in &self.fleets.0 {
            let plans = fleet.calls.iter().flat_map(|(_, plan)| plan.asks.iter().chain(&plan.appends));
            let checks = fleet.health.asks.iter().chain(&fleet.restart.needs);
            for name in plans.chain(checks).filter(|name| cached(name)) {
                let message = format!("`{}` is a cache: only a step of a call looks keys up", name.text);
                let help = format!("then = [{{ asks = \"{}\" }}]", name.text);
                found.push(Problem { span: name.span, message, help: Some(help) });
            }
            for ask in fleet.asks() {
                let writes = ask.asks.as_ref().filter(|name| ask.writes && cached(name));
                for name in writes.into_iter().chain(ask.appends.as_ref().filter(|name| cached(name))) {
                    let message = format!("`{}` is a cache, and this step writes", name.text);
                    let help = Some("write to the store behind it; what the cache has stays until it expires".into());
                    found.push(Problem { span: name.span, message, help });
                }
            }
        }
    }

    /// What is wrong with the estate as a whole.
    pub(super) fn estate_problems(&self, found: &mut Vec<Problem>) {
        self.cache_problems(found);
        for (name, _) in &self.fleets.0 {
            if name.text.contains('.') && self.is_estate() {
                found.push(super::problem(
                    name.span,
                    format!("`{}` has a dot in its name, which stands between fleet and kind of call", name.text),
                    Some("name it without".into()),
                ));
            }
        }
        for (name, fleet) in &self.fleets.0 {
            if fleet.balancer.as_ref().is_some_and(|balancer| balancer.keep_alive.is_some() || balancer.log.is_some()) {
                let message = format!("the balancer of `{}` has `keep_alive` or `log`", name.text);
                let help = Some("only the clients' [balancer] has connections with lives, and a log".into());
                found.push(Problem { span: name.span, message, help });
            }
        }
        let names = || self.fleets.0.iter().map(|(name, _)| name);
        for (store, _) in self.stores.0.iter().filter(|(store, _)| names().any(|fleet| fleet.text == store.text)) {
            if self.is_estate() {
                found.push(super::problem(
                    store.span,
                    format!("a fleet and a store are both named `{}`", store.text),
                    Some("edges are told apart by name: rename one of the two".into()),
                ));
            }
        }
        for name in names().filter(|name| name.text == "clients" && self.is_estate()) {
            let help = Some("edges from clients have that name: rename the fleet".into());
            found.push(super::problem(name.span, "a fleet is named `clients`".into(), help));
        }
        let seats = |name: &str, fleet: &Fleet| -> u64 {
            let callers = || self.callers_of(name).map(|at| u64::from(self.fleets.0[at].1.count));
            let routes =
                if fleet.reached_by().place.is_caller() { callers().sum() } else { callers().count().min(1) as u64 };
            routes.max(1).saturating_mul(u64::from(fleet.count))
        };
        let all: u64 = self.fleets.iter().map(|(name, fleet)| seats(name, fleet)).sum();
        let routes: u64 =
            self.fleets.iter().map(|(name, fleet)| seats(name, fleet) / u64::from(fleet.count.max(1))).sum();
        if self.is_estate() && (all > MOST_SEATS || routes > MOST_ROUTES) {
            found.push(super::problem(
                crate::setting::Span::default(),
                format!("{routes} processes that balance for themselves over {all} servers are more than supported"),
                Some("give the fleet that so many call a proxy: `balancer = { place = \"proxy\" }`".into()),
            ));
        }
    }
}

/// Most servers as all routes see them.
const MOST_SEATS: u64 = 2_000_000;
/// Most routes.
const MOST_ROUTES: u64 = 60_000;

/// Whom an edge leads to, by its place in the file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Callee {
    /// A fleet.
    Fleet(usize),
    /// A store.
    Store(usize),
}

/// One that asks and one that is asked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Edge {
    /// The fleet that asks; none: clients, all populations together.
    pub caller: Option<usize>,
    /// Who is asked.
    pub callee: Callee,
}

impl WorldSpec {
    /// Who asks whom, clients first; empty where no call has steps.
    pub fn edges(&self) -> Vec<Edge> {
        let mut edges = Vec::new();
        if !self.is_estate() {
            return edges;
        }
        for fleet in 0..self.fleets.len() {
            let (_, spec) = &self.fleets.0[fleet];
            if spec.calls.names().any(|kind| spec.is_for(kind) && self.is_sent(kind)) {
                edges.push(Edge { caller: None, callee: Callee::Fleet(fleet) });
            }
        }
        for caller in 0..self.fleets.len() {
            for (kind, plan) in self.fleets.0[caller].1.calls.iter() {
                if !self.fleets.0[caller].1.is_for(kind) {
                    continue;
                }
                for callee in self.callees(plan) {
                    let edge = Edge { caller: Some(caller), callee };
                    if !edges.contains(&edge) {
                        edges.push(edge);
                    }
                }
            }
        }
        edges
    }

    /// Whom a call of this plan asks, in order.
    fn callees(&self, plan: &CallPlan) -> Vec<Callee> {
        let alone = plan.asks.iter().chain(&plan.appends).filter_map(|name| self.stores.index(&name.text));
        let steps = plan.then.asks().flat_map(|ask| {
            let behind = self.cache_of(ask).and_then(|cache| self.stores.index(&cache.of.text));
            self.callee(ask).into_iter().chain(behind.map(Callee::Store))
        });
        alone.map(Callee::Store).chain(steps).collect()
    }

    /// Whom a step asks.
    pub fn callee(&self, ask: &Ask) -> Option<Callee> {
        match ask.other() {
            Some((fleet, _)) => self.fleets.index(fleet).map(Callee::Fleet),
            None => self.stores.index(&ask.store().or(ask.appends.as_ref())?.text).map(Callee::Store),
        }
    }

    /// Its name, as metrics have it: "web.catalog".
    pub fn edge_name(&self, edge: Edge) -> String {
        let caller = edge.caller.map_or("clients", |at| self.fleets.0[at].0.text.as_str());
        let callee = match edge.callee {
            Callee::Fleet(at) => &self.fleets.0[at].0.text,
            Callee::Store(at) => &self.stores.0[at].0.text,
        };
        format!("{caller}.{callee}")
    }

    /// Whether calls of a kind may lead over an edge.
    pub fn leads_over(&self, kind: &str, edge: Edge) -> bool {
        match (edge.caller, self.reached_from(kind)) {
            (_, reached) if reached.is_empty() => false,
            (None, reached) => edge.callee == Callee::Fleet(reached[0].0),
            (Some(caller), reached) => {
                reached.iter().any(|(fleet, plan)| *fleet == caller && self.callees(plan).contains(&edge.callee))
            }
        }
    }

    /// Whether calls of a kind may lead to somebody, by whatever way.
    pub fn leads_to(&self, kind: &str, callee: Callee) -> bool {
        self.reached_from(kind).iter().any(|(_, plan)| self.callees(plan).contains(&callee))
    }

    /// The plans to which calls of a kind may lead, the first of all its own, with their fleets.
    fn reached_from(&self, kind: &str) -> Vec<(usize, &CallPlan)> {
        let first = self.fleets.0.iter().enumerate().find_map(|(at, (_, f))| Some((at, f.plan(kind)?.1)));
        let mut reached: Vec<(usize, &CallPlan)> = first.into_iter().collect();
        let mut seen = BTreeSet::new();
        let mut at = 0;
        while at < reached.len() {
            for (name, kind, next) in reached[at].1.then.asks().filter_map(|ask| self.asked(ask)) {
                if seen.insert((name, kind)) {
                    reached.extend(self.fleets.index(name).map(|fleet| (fleet, next)));
                }
            }
            at += 1;
        }
        reached
    }
}
