//! Parts of a world that nothing uses, though each of their keys is in order.

use crate::setting::{Data, Scope, Table, Value};

/// Notes the parts that are never used.
pub(super) fn listen(scope: &mut Scope<'_>) {
    let world = scope.world;
    for (name, fleet) in world.fleets.iter() {
        let Some(table) = scope.written(&format!("fleets.{name}.calls")).and_then(table) else { continue };
        for (kind, plan) in fleet.calls.iter() {
            let Some(key) = table.key(kind).cloned() else { continue };
            // A deep check asks what the first of the calls asks, whether that is made or not; a process dies of a cut
            // connection, no matter who opened it.
            let matters = world.is_sent(kind)
                || world.is_asked(name, kind)
                || plan.can_kill()
                || (plan.first_store().is_some() && fleet.health.asks.is_none());
            if matters && fleet.is_for(kind) {
                scope.hears(&key, None);
            } else if !fleet.is_for(kind) {
                scope.is_silent(
                    key.span,
                    "this kind of call is never made here",
                    format!("`serves` of `{name}` leaves it out"),
                );
            } else {
                let why = format!("no population of clients sends `{kind}`");
                scope.is_silent(key.span, "this kind of call is never made", why);
            }
        }
    }
}

fn table(value: &Value) -> Option<&Table> {
    match &value.data {
        Data::Table(table) => Some(table),
        _ => None,
    }
}
