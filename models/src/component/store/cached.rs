//! A store that is a cache: what it has, and what queries make of that. What it decides stands in [`crate::policy::cache`].

use super::StoreState;
use crate::policy::cache::{Cache, Entries, Popularity};
use crate::random::{Stream, mix};
use crate::slab::Ref;
use crate::units::Ns;
use crate::world::{Look, World};

/// A cache at work.
pub(super) struct CacheAt {
    entries: Entries,
    popularity: Popularity,
    /// Beside the salt of a call: so the keys of two caches have nothing to do with each other.
    salt: u64,
    lookups: u64,
    hits: u64,
}

impl CacheAt {
    pub(super) fn new(cache: &Cache, seed: u64, name: &str) -> CacheAt {
        let salt = Stream::new(seed, &format!("stores/{name}/keys")).bits();
        let mut entries = Entries::new(cache);
        entries.warm(cache, salt);
        // The keys of the calls are the same under every seed that gives the same calls.
        let of_calls = name.bytes().fold(0, |sum, byte| mix(sum ^ u64::from(byte)));
        CacheAt { entries, popularity: Popularity::new(cache), salt: of_calls, lookups: 0, hits: 0 }
    }
}

impl StoreState {
    /// Lookups that it has answered so far, and hits among them; none if it is no cache.
    pub fn lookups(&self) -> Option<(u64, u64)> {
        self.cache.as_ref().map(|cache| (cache.lookups, cache.hits))
    }

    /// It loses what it has; so many entries. 0 for a store that is no cache.
    pub(super) fn forget_keys(&mut self) -> u64 {
        self.cache.as_mut().map_or(0, |cache| cache.entries.flush())
    }
}

impl World {
    /// The key that a call asks a cache for.
    pub(crate) fn key_of(&self, store: u16, look: Look, call: Ref) -> u32 {
        match (&self.stores[store as usize].cache, self.calls.get(call)) {
            (Some(cache), Some(call)) if look != Look::No => cache.popularity.key(call.salt ^ cache.salt),
            _ => 0,
        }
    }

    /// A cache has served a query; whoever waits for it hears whether that was a hit.
    pub(super) fn looked(&mut self, now: Ns, store: u16, look: Look, key: u32, asker: Ref, waits: bool) {
        let Some(spec) = &self.spec.stores.0[store as usize].1.cache else { return };
        let Some(cache) = &mut self.stores[store as usize].cache else { return };
        match look {
            Look::Get => {
                let hit = cache.entries.get(key, now);
                cache.lookups += 1;
                cache.hits += u64::from(hit);
                if let Some(try_) = self.tries.get_mut(asker).filter(|_| waits) {
                    try_.status = if hit { 200 } else { 404 };
                }
            }
            Look::Set => cache.entries.set(key, now, spec.lives(mix(now.0 ^ u64::from(key)))),
            Look::No => {}
        }
    }
}
