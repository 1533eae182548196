//! The plans of a fleet's calls with everything looked up: of each kind of call, then of each ask of their steps, last of
//! health checks.

use super::{Ask, CallPlan, Fleet};
use crate::kernel::{Kernel, Lane};
use crate::policy::adaptive::Adaptive;
use crate::policy::asking::Reactions;
use crate::policy::breaker::Breaker;
use crate::policy::retry::{Budget, Retry};
use crate::policy::spool::Spool;
use crate::random::{Distribution, Purpose};
use crate::setting::Name;
use crate::spec;
use crate::units::Ns;
use crate::world::{Look, World};

/// The plan of a kind of call with everything looked up.
pub struct ResolvedPlan {
    pub(super) work: Distribution,
    /// For constant work: the lane of its end, for a request that is there already and for one that is two hops away.
    pub(super) work_lanes: Option<(Lane, Lane)>,
    /// The store it uses.
    pub store: Option<u16>,
    /// The pool out of which it takes its connection, among those of its server.
    pub(super) pool: u16,
    /// Time in which the store serves it, if not the store's own.
    pub service: Option<Distribution>,
    /// Its place among the kinds of which the store runs only so many at once.
    pub share: Option<u16>,
    pub(super) appends: bool,
    /// Whether it is an append that takes the store no time but its own.
    pub(super) appends_at_once: bool,
    /// Whether the store's answer stores its data.
    pub writes: bool,
    pub(super) deadline: Option<Lane>,
    pub(super) connect_limit: Option<Lane>,
    pub(super) query_limit: Option<Lane>,
    /// What failures of the store do.
    pub reactions: Reactions,
    pub(super) retry_every: Ns,
    /// Limit and queue of its bulkhead.
    pub(super) bulkhead: Option<(u32, u32)>,
    pub(super) wait: Option<Lane>,
    pub(super) pool_wait: Option<Lane>,
    pub(super) breaker: Option<Breaker>,
    pub(super) limit: Option<Adaptive>,
    pub(super) spool: Option<Spool>,
    /// What its queries are to a cache.
    pub(super) look: Look,
    /// The kind of call that it is of, by its place among the fleet's.
    pub kind: u16,
    /// Whether nothing is stored by it, nor by whom it asks.
    pub reads: bool,
    /// What follows the work: step by step, the plans of the asks.
    pub(super) steps: Vec<Vec<u16>>,
    /// Which edge its asks are of, where the books are kept of that.
    pub(super) edge: Option<u16>,
    /// Of the plan of an ask: what is more to it.
    pub(super) errand: Option<Errand>,
}

/// Whom an ask is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Callee {
    /// The store of its plan.
    Store,
    /// The store of its plan behind a cache; the plans that follow are the lookup's, and of setting what was got.
    Cached,
    /// A kind of call of another fleet.
    Service {
        /// The fleet.
        fleet: u16,
        /// The plan of the kind of call there.
        plan: u16,
    },
}

/// One ask of a plan of several.
pub(super) struct Errand {
    pub(super) callee: Callee,
    /// Share of the calls that take it.
    pub(super) share: f64,
    /// Whether its call goes on without it.
    pub(super) soft: bool,
    pub(super) retry: Retry,
}

impl ResolvedPlan {
    /// The pool out of which it takes its connection, among those of its server.
    pub fn pool(&self) -> u16 {
        self.pool
    }

    /// The computing time of an attempt of a call; never, if it is constant and has a lane.
    #[inline]
    pub fn work_ahead(&self, salt: u64, attempt: u16) -> Ns {
        match self.work_lanes {
            Some(_) => Ns::NEVER,
            None => self.work.sample(salt, Purpose::Work, u32::from(attempt)),
        }
    }

    /// Whether asks follow the work.
    #[inline(always)]
    pub(super) fn has_steps(&self) -> bool {
        !self.steps.is_empty()
    }

    /// What limits the retries of an ask.
    pub(super) fn budget(&self) -> Option<&Budget> {
        self.errand.as_ref().filter(|errand| errand.retry.retries > 0)?.retry.budget.as_ref()
    }
}

impl World {
    /// The plans of a fleet's calls, and of the asks of their steps.
    pub(super) fn compile_calls<K: Kernel>(&self, k: &mut K, number: usize, fleet: &Fleet) -> Vec<ResolvedPlan> {
        let mut plans: Vec<ResolvedPlan> =
            fleet.calls.iter().map(|(kind, plan)| self.compile(k, fleet, kind, plan)).collect();
        for (at, (kind, call)) in fleet.calls.iter().enumerate() {
            for step in &call.then.0 {
                let mut asks = Vec::new();
                for ask in &step.0 {
                    asks.push(plans.len() as u16);
                    let of_ask = self.compile_ask(k, fleet, kind, ask).into_iter();
                    plans.extend(of_ask.map(|plan| ResolvedPlan { kind: at as u16, ..plan }));
                }
                plans[at].steps.push(asks);
            }
            plans[at].kind = at as u16;
            plans[at].reads = !self.spec.stores_by(call);
        }
        for plan in &mut plans {
            if plan.look == Look::Set {
                continue; // beside each fill there is one: of no interest by itself
            }
            let callee = match plan.errand.as_ref().map(|errand| errand.callee) {
                Some(Callee::Service { fleet, .. }) => Some(spec::Callee::Fleet(fleet as usize)),
                Some(Callee::Store | Callee::Cached) | None => {
                    plan.store.map(|store| spec::Callee::Store(store as usize))
                }
            };
            let edge = callee.map(|callee| spec::Edge { caller: Some(number), callee });
            plan.edge = self.edges.iter().position(|known| Some(*known) == edge).map(|at| at as u16);
        }
        plans
    }

    /// The plan of an ask; of one through a cache, and the two that go with it.
    fn compile_ask<K: Kernel>(&self, k: &mut K, fleet: &Fleet, kind: &str, ask: &Ask) -> Vec<ResolvedPlan> {
        let service = |(name, kind): (&str, &str)| {
            let at = self.spec.fleets.index(name)?;
            let (plan, _) = self.spec.fleets.0[at].1.plan(kind)?;
            Some(Callee::Service { fleet: at as u16, plan })
        };
        let cache = self.spec.cache_of(ask);
        let callee = match (ask.other().and_then(service), &cache) {
            (Some(service), _) => service,
            (None, Some(_)) => Callee::Cached,
            (None, None) => Callee::Store,
        };
        let errand = Errand { callee, share: ask.share.0, soft: ask.soft, retry: ask.retry.clone() };
        let mut plan = ask.as_plan();
        let Some(cache) = cache else {
            return vec![ResolvedPlan { errand: Some(errand), ..self.compile(k, fleet, kind, &plan) }];
        };
        let look =
            CallPlan { asks: plan.asks.replace(cache.of.clone()), timeout: ask.cache_timeout, ..CallPlan::default() };
        let [get, set] =
            [Look::Get, Look::Set].map(|how| ResolvedPlan { look: how, ..self.compile(k, fleet, kind, &look) });
        vec![ResolvedPlan { errand: Some(errand), ..self.compile(k, fleet, kind, &plan) }, get, set]
    }

    pub(super) fn compile<K: Kernel>(&self, k: &mut K, fleet: &Fleet, kind: &str, plan: &CallPlan) -> ResolvedPlan {
        let handshake = Ns(self.spec.network.servers.latency.0 * 2);
        let stores = &self.spec.stores;
        let store = |name: &Option<Name>| name.as_ref().and_then(|n| stores.index(&n.text)).map(|i| i as u16);
        let store = store(&plan.appends).or(store(&plan.asks));
        let pool = fleet.pool_of(plan, stores).or(store).unwrap_or(0);
        let pool_wait = fleet.all_pools(stores).nth(pool as usize).and_then(|(.., pool)| pool.wait);
        let share = store.and_then(|store| stores.0[store as usize].1.at_most.index(kind)).map(|i| i as u16);
        ResolvedPlan {
            work: plan.work.clone(),
            work_lanes: match plan.work {
                Distribution::Constant(time) => Some((k.lane(time), k.lane(time.plus(handshake)))),
                _ => None,
            },
            store,
            pool,
            service: plan.service.clone(),
            share,
            appends: plan.appends.is_some(),
            appends_at_once: plan.appends.is_some() && plan.service.is_none() && share.is_none(),
            writes: plan.writes || plan.appends.is_some(),
            deadline: plan.timeout.map(|limit| k.timer_lane(limit)),
            connect_limit: plan.connect_timeout.map(|limit| k.timer_lane(limit)),
            query_limit: plan.query_timeout.map(|limit| k.timer_lane(limit)),
            reactions: fleet.reactions(plan),
            retry_every: plan.retry_every,
            bulkhead: plan.at_most.map(|limit| (limit.of(fleet.workers), plan.queue)),
            wait: plan.at_most.and(plan.wait.or(plan.timeout)).map(|limit| k.timer_lane(limit)),
            pool_wait: pool_wait.filter(|_| plan.asks.is_some()).map(|limit| k.timer_lane(limit)),
            breaker: plan.breaker.clone(),
            limit: plan.limit.clone(),
            spool: plan.spool.clone(),
            look: Look::No,
            kind: 0,
            reads: plan.appends.is_none() && !plan.writes,
            steps: Vec::new(),
            edge: None,
            errand: None,
        }
    }

    /// The plan of health checks: the last one of a fleet.
    pub(crate) fn check_plan(&self, fleet: u16) -> u16 {
        (self.plans[fleet as usize].len() - 1) as u16
    }
}
