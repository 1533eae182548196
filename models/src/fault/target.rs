//! What faults are aimed at, and whether it is there.

use super::{Class, Kind};
use crate::setting::{Data, Name, Problem};
use crate::spec::WorldSpec;

/// What a fault is aimed at.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Target<'f> {
    /// A store.
    Store(&'f Name),
}

impl Target<'_> {
    /// What is wrong with it in a world.
    pub fn problems(&self, world: &WorldSpec, found: &mut Vec<Problem>) {
        match self {
            Target::Store(name) => world.known(name, "store", world.stores.names(), found),
        }
    }

    /// In a few words; empty where it goes without saying.
    pub fn describe(&self) -> String {
        match self {
            Target::Store(name) => name.text.clone(),
        }
    }
}

/// Every target that a kind may have in a world, as the keys to set.
pub(super) fn targets(kind: &Kind, world: &WorldSpec) -> Vec<Vec<(&'static str, Data)>> {
    match kind.class {
        Class::Store => world.stores.names().map(|name| vec![("store", Data::Text(name.into()))]).collect(),
    }
}
