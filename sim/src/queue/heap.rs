//! The heap for what is due at odd times.
//!
//! Taking the top leaves its place open until somebody asks for the next: very often what was due raises another of its
//! kind (a worker takes the next call), and that one goes straight into the open place.

use super::{Entry, Key};
use brownout_models::kernel::Event;
use std::hint::select_unpredictable;

/// Children of a node; four keep the heap shallow and its nodes together in the cache.
const ARITY: usize = 4;

/// A heap of four children a node, the first one at its top.
#[derive(Default)]
pub struct Heap {
    entries: Vec<Entry>,
    /// Whether the top has been taken and nothing has come in its place yet.
    open: bool,
}

impl Heap {
    /// How many are in: no list is made smaller, but the room that is not used again counts little.
    pub fn peak(&self) -> usize {
        self.entries.len()
    }

    /// Takes the top; the first may not be asked for before the place is closed again.
    #[inline]
    pub fn take(&mut self) -> Event {
        debug_assert!(!self.open);
        self.open = true;
        self.entries[0].event
    }

    /// Whether the top's place is open.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// The first one's key, or that of nothing.
    #[inline]
    pub fn first(&self) -> Key {
        self.entries.first().map_or(Key::EMPTY, |e| e.key)
    }

    /// Puts an entry in; says whether it is the first now, or closed the top's open place.
    #[inline]
    pub fn push(&mut self, entry: Entry) -> bool {
        if std::mem::take(&mut self.open) {
            self.fill(entry);
            return true;
        }
        self.entries.push(entry);
        self.rise(self.entries.len() - 1, entry) == 0
    }

    /// Closes the top's open place with the last entry.
    #[inline]
    pub fn close(&mut self) {
        self.open = false;
        if let Some(last) = self.entries.pop()
            && !self.entries.is_empty()
        {
            self.fill(last);
        }
    }

    /// The gap at the top sinks to the bottom, the least child rising each time, and there takes the entry in, which
    /// seldom rises far: so which way to go is computed, not guessed.
    #[inline]
    fn fill(&mut self, entry: Entry) {
        let mut gap = 0;
        while let Some(children) = self.entries.get(gap * ARITY + 1..).and_then(|rest| rest.first_chunk::<ARITY>()) {
            let left = usize::from(children[1].key < children[0].key);
            let right = 2 + usize::from(children[3].key < children[2].key);
            let least = select_unpredictable(children[right].key < children[left].key, right, left);
            let child = children[least];
            self.entries[gap] = child;
            gap = gap * ARITY + 1 + least;
        }
        let rest = self.entries.iter().enumerate().skip(gap * ARITY + 1);
        if let Some((least, child)) = rest.min_by_key(|(_, e)| e.key).map(|(i, e)| (i, *e)) {
            self.entries[gap] = child;
            gap = least;
        }
        self.rise(gap, entry);
    }

    /// Puts an entry at a free place, or above it where it belongs; says where.
    #[inline]
    fn rise(&mut self, mut at: usize, entry: Entry) -> usize {
        while at > 0 {
            let parent = (at - 1) / ARITY;
            if self.entries[parent].key <= entry.key {
                break;
            }
            self.entries[at] = self.entries[parent];
            at = parent;
        }
        self.entries[at] = entry;
        at
    }
}
