//! When a key has an effect: declared beside each key of a table, and asked for each key that a file writes.
//!
//! A declaration of [`settings!`](crate::settings) ends with `=> effect`, a function of the table and of the [`Scope`] in
//! which it stands. It says why the key has no effect there, or nothing where some value of the key could matter. What
//! goes wrong is no part of the question for keys that say how a part fails and comes back (`restart`, `on_severed`,
//! `warm_up`): faults are added by hand and by `brownout hunt`. A key that no file writes is not asked.

use super::{Data, Key, Problem, Span, Table, Value};
use crate::component::clients::Clients;
use crate::component::collector::{CallPlan, Fleet};
use crate::component::operator::Entry;
use crate::component::store::Store;
use crate::spec::WorldSpec;
use crate::units::Ns;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Why a key has no effect where it stands, in a half-sentence for the help line; none if some value of it could matter.
pub type Silence = Option<Cow<'static, str>>;

/// When a key of the table `T` has an effect.
pub type Effect<T> = fn(&T, &Scope<'_>) -> Silence;

/// What is said of a key without effect.
pub const NO_EFFECT: &str = "this key has no effect here";

/// A key that has an effect wherever its table has.
pub fn always<T>(_: &T, _: &Scope<'_>) -> Silence {
    None
}

/// The reason, unless the key has an effect.
pub fn unless(has_effect: bool, why: &'static str) -> Silence {
    (!has_effect).then_some(Cow::Borrowed(why))
}

/// As [`unless`], with a reason that names something of the file.
pub fn unless_with(has_effect: bool, why: impl FnOnce() -> String) -> Silence {
    (!has_effect).then(|| Cow::Owned(why()))
}

/// The first reason among several.
pub fn first_of(reasons: impl IntoIterator<Item = Silence>) -> Silence {
    reasons.into_iter().flatten().next()
}

/// Where a key stands: the world around it, and what has been found so far.
pub struct Scope<'w> {
    /// The world, decoded.
    pub world: &'w WorldSpec,
    /// When the run ends.
    pub end: Ns,
    tree: &'w Value,
    path: Vec<String>,
    silent: Vec<Problem>,
    heard: BTreeSet<(u16, u32, u32)>,
}

/// Keys of one world, told apart by whether they have an effect in it.
#[derive(Default)]
pub struct Heard {
    /// Those without, each with its reason.
    pub silent: Vec<Problem>,
    /// The places of those with one: source, first byte, byte after the last.
    pub heard: BTreeSet<(u16, u32, u32)>,
}

impl<'w> Scope<'w> {
    /// The whole world, and the tree that it was decoded from.
    pub fn new(world: &'w WorldSpec, tree: &'w Value, end: Ns) -> Scope<'w> {
        Scope { world, end, tree, path: Vec::new(), silent: Vec::new(), heard: BTreeSet::new() }
    }

    /// Runs `f` one key deeper.
    pub fn within<T>(&mut self, key: &str, f: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(key.to_string());
        let out = f(self);
        self.path.pop();
        out
    }

    /// Notes whether a key has an effect; true if so.
    pub fn hears(&mut self, key: &Key, silence: Silence) -> bool {
        match silence {
            Some(why) => {
                self.is_silent(key.span, NO_EFFECT, why);
                false
            }
            None => {
                self.heard.insert((key.span.source, key.span.start, key.span.end));
                true
            }
        }
    }

    /// Notes a part without effect, with a message of its own.
    pub fn is_silent(&mut self, span: Span, message: impl Into<String>, why: impl Into<String>) {
        self.silent.push(Problem { span, message: message.into(), help: Some(why.into()) });
    }

    /// What was found.
    pub fn finish(self) -> Heard {
        Heard { silent: self.silent, heard: self.heard }
    }

    /// The name at a depth of the path: of "fleets.web.pools.db", 0 gives "fleets".
    pub fn name(&self, depth: usize) -> &str {
        self.path.get(depth).map_or("", String::as_str)
    }

    /// The population that the key belongs to.
    pub fn clients(&self) -> Option<&'w Clients> {
        self.world.clients.get(self.name(1)).filter(|_| self.name(0) == "clients")
    }

    /// The fleet that the key belongs to.
    pub fn fleet(&self) -> Option<&'w Fleet> {
        self.world.fleets.get(self.name(1)).filter(|_| self.name(0) == "fleets")
    }

    /// The kind of call of a fleet that the key belongs to.
    pub fn call(&self) -> Option<&'w CallPlan> {
        self.fleet()?.calls.get(self.name(3)).filter(|_| self.name(2) == "calls")
    }

    /// The store that the key belongs to.
    pub fn store(&self) -> Option<&'w Store> {
        self.world.stores.get(self.name(1)).filter(|_| self.name(0) == "stores")
    }

    /// The entries of the timeline that happen.
    pub fn entries(&self) -> impl Iterator<Item = &'w Entry> {
        self.world.timeline.iter().filter(|entry| entry.enabled)
    }

    /// The place of a key as a file writes it, by its path ("balancer.health.preset"); of the nearest table above it, if
    /// the file does not write it.
    pub fn place(&self, path: &str) -> Span {
        let mut at = self.tree;
        let mut span = Span::default();
        for name in path.split('.') {
            let next = match &at.data {
                Data::Table(table) => table.key(name).map(|key| key.span).zip(table.get(name)),
                Data::List(items) => {
                    name.parse::<usize>().ok().and_then(|n| items.get(n)).map(|item| (item.span, item))
                }
                _ => None,
            };
            let Some((place, value)) = next else { break };
            (span, at) = (place, value);
        }
        span
    }

    /// What a file writes at a path ("balancer.health.preset"), if it writes that; a word that stands for a whole table is
    /// at the table's own path.
    pub fn written(&self, path: &str) -> Option<&'w Value> {
        path.split('.').try_fold(self.tree, |at, name| match &at.data {
            Data::Table(table) => table.get(name),
            Data::List(items) => items.get(name.parse::<usize>().ok()?),
            _ => None,
        })
    }
}

/// Looks at one key of a table, and then at what is below it. Called by [`settings!`](crate::settings).
pub fn listen<S, T: super::Setting>(
    owner: &S,
    field: &T,
    name: &'static str,
    effect: Effect<S>,
    table: &Table,
    scope: &mut Scope<'_>,
) {
    let (Some(key), Some(value)) = (table.key(name), table.get(name)) else { return };
    let silence = effect(owner, scope);
    if scope.hears(key, silence) {
        scope.within(name, |scope| field.listen(value, scope));
    }
}
