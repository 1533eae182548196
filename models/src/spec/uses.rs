//! Who uses what: questions about the world that declare when a key has an effect (see [`crate::setting::Effect`]).
//!
//! Each errs on the side of "it is used": what cannot be ruled out without running the world may matter.

use super::WorldSpec;
use crate::component::collector::{Ask, CallPlan, CheckKind, Fleet};
use crate::component::operator::{Action, Entry};
use crate::fault::{Class, Fault};
use crate::policy::asking::OnFailure;
use crate::setting::Name;

fn names(name: &Option<Name>, store: &str) -> bool {
    name.as_ref().is_some_and(|name| name.text == store)
}

impl CallPlan {
    /// Whether it uses a store.
    pub fn uses_store(&self) -> bool {
        self.asks.is_some() || self.appends.is_some()
    }

    /// The store that it asks first, if it asks one.
    pub fn first_store(&self) -> Option<&Name> {
        self.asks.as_ref().or_else(|| self.then.asks().find_map(Ask::store))
    }

    /// Whether it tries a store again in place.
    pub fn retries_in_place(&self) -> bool {
        self.on_error == OnFailure::Retry || self.on_severed == OnFailure::Retry
    }

    /// Whether an error of its store can kill the process.
    pub fn can_kill(&self) -> bool {
        let kills = |on_error, on_severed| on_error == OnFailure::Crash || on_severed == OnFailure::Crash;
        (self.uses_store() && kills(self.on_error, self.on_severed))
            || self.then.asks().any(|ask| kills(ask.on_error, ask.on_severed))
    }
}

impl Fleet {
    /// The store that its health endpoint queries, if it queries one.
    pub fn checked_store(&self) -> Option<&Name> {
        if !matches!(self.health.kind, CheckKind::Deep | CheckKind::Cached) {
            return None;
        }
        let served = self.calls.iter().filter(|(kind, _)| self.is_for(kind));
        self.health.asks.as_ref().or_else(|| served.filter_map(|(_, plan)| plan.first_store()).next())
    }

    /// Whether health checks pass through its accept queue.
    pub fn is_checked_in_line(&self) -> bool {
        matches!(self.health.kind, CheckKind::Shared | CheckKind::Deep)
    }

    /// Whether it opens connections to a store: appends need none.
    pub fn connects_to(&self, store: &str) -> bool {
        self.calls.iter().any(|(_, plan)| names(&plan.asks, store))
            || self.asks().any(|ask| ask.store().is_some_and(|name| name.text == store))
            || self.checked_store().is_some_and(|name| name.text == store)
    }

    /// Whether some call or check of it takes its connections out of this pool.
    pub fn uses_pool(&self, pool: &str) -> bool {
        let check = self.check_plan();
        let of_step = |ask: &Ask| ask.store().is_some_and(|store| ask.pool.as_ref().unwrap_or(store).text == pool);
        if self.asks().any(of_step) {
            return true;
        }
        let mut plans = self.calls.iter().map(|(_, plan)| plan).chain([&check]);
        plans.any(|plan| {
            plan.asks.is_some() && plan.pool.as_ref().or(plan.asks.as_ref()).is_some_and(|n| n.text == pool)
        })
    }

    /// Whether it sends a store anything.
    pub fn talks_to(&self, store: &str) -> bool {
        self.connects_to(store)
            || self.calls.iter().any(|(_, plan)| names(&plan.appends, store))
            || self.asks().any(|ask| names(&ask.appends, store))
    }
}

impl WorldSpec {
    /// Whether somebody sends a store anything.
    pub fn is_used(&self, store: &str) -> bool {
        self.fleets.iter().any(|(_, fleet)| fleet.talks_to(store)) || self.is_behind_a_cache(store)
    }

    /// Whether somebody opens connections to a store.
    pub fn is_connected(&self, store: &str) -> bool {
        self.fleets.iter().any(|(_, fleet)| fleet.connects_to(store)) || self.is_behind_a_cache(store)
    }

    /// Whether some kind of call writes to a store.
    pub fn is_written(&self, store: &str) -> bool {
        let writes = |plan: &CallPlan| names(&plan.appends, store) || (plan.writes && names(&plan.asks, store));
        let in_step = |ask: &Ask| names(&ask.appends, store) || (ask.writes && names(&ask.asks, store));
        let of_fleet = |fleet: &Fleet| fleet.calls.iter().any(|(_, plan)| writes(plan)) || fleet.asks().any(in_step);
        self.fleets.iter().any(|(_, fleet)| of_fleet(fleet))
    }

    /// Whether a population sends calls of a kind.
    pub fn is_sent(&self, kind: &str) -> bool {
        self.clients.iter().any(|(_, clients)| clients.sends.text == kind)
    }

    /// Whether there is never more than one server to choose among.
    pub fn has_lone_servers(&self) -> bool {
        self.fleets.iter().all(|(_, fleet)| fleet.count == 1)
    }

    /// Whether something watches the calls themselves: passive checks of any kind.
    pub fn has_passive_checks(&self) -> bool {
        self.balancer.health.is_passive()
    }

    /// Whether a server can leave rotation and come back.
    pub fn rotation_changes(&self) -> bool {
        let moves = |entry: &Entry| {
            matches!(
                entry.action,
                Action::TakeDown(_) | Action::BringBack(_) | Action::Fault(Fault::RollingDeploy(_), _)
            )
        };
        self.balancer.health.enabled || self.has_passive_checks() || self.happening().any(moves)
    }

    /// Whether health checks pass through the accept queue of some fleet.
    pub fn is_checked_in_line(&self) -> bool {
        self.balancer.health.enabled && self.fleets.iter().any(|(_, fleet)| fleet.is_checked_in_line())
    }

    /// Whether servers that are bad may answer a health check badly too.
    pub fn answers_checks_badly(&self) -> bool {
        let of_entry = |entry: &Entry| matches!(&entry.action, Action::Fault(Fault::BadAnswers(bad), _) if bad.checks);
        let of_fleet = |fleet: &Fleet| fleet.bad.as_ref().is_some_and(|bad| bad.checks);
        self.happening().any(of_entry) || self.fleets.iter().any(|(_, fleet)| of_fleet(fleet))
    }

    /// Whether a fault of the timeline disturbs a link.
    pub fn has_link_faults(&self) -> bool {
        self.happening().any(|entry| matches!(&entry.action, Action::Fault(fault, _) if fault.class() == Class::Link))
    }

    /// Whether the timeline has such a fault for a fleet.
    pub fn has_fault_of(&self, fleet: &str, is_it: fn(&Fault) -> bool) -> bool {
        let hits = |fault: &Fault| match fault.target() {
            crate::fault::Target::Servers { fleet: name, .. } => name.text == fleet,
            _ => false,
        };
        self.happening().any(|entry| matches!(&entry.action, Action::Fault(fault, _) if is_it(fault) && hits(fault)))
    }

    /// Whether operators restore a store's headroom, or set it up anew.
    pub fn is_restored(&self, store: &str) -> bool {
        let restores = |entry: &Entry| match &entry.action {
            Action::Maintenance(job) => job.store.text == store,
            Action::Replace(job) => job.store.text == store,
            _ => false,
        };
        self.happening().any(restores) || self.stores.get(store).is_some_and(|store| store.spare.is_some())
    }

    /// Whether operators replay a kind of call from the balancer's log.
    pub fn is_replayed(&self, kind: &str) -> bool {
        self.happening().any(|entry| matches!(&entry.action, Action::Replay(replay) if replay.calls.text == kind))
    }

    /// The entries of the timeline that are switched on.
    pub fn happening(&self) -> impl Iterator<Item = &Entry> {
        self.timeline.iter().filter(|entry| entry.enabled)
    }
}
