//! Storage for things that come and go: small indices, reused, with a generation against mix-ups.

/// A handle to an entry; dead once the entry is taken out, even if its place is used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Ref {
    /// The place.
    pub index: u32,
    /// How often the place had been filled or emptied; odd, as the place is full.
    pub generation: u32,
}

impl Ref {
    /// A handle to nothing.
    pub const NONE: Ref = Ref { index: u32::MAX, generation: u32::MAX };
}

#[derive(Clone, Debug)]
struct Slot<T> {
    /// Odd while the place is full: so one comparison tells whether a handle is good.
    generation: u32,
    value: T,
}

impl<T> Slot<T> {
    fn is_full(&self) -> bool {
        self.generation % 2 == 1
    }
}

/// A slab: no allocation per entry once it has grown to its largest size.
#[derive(Clone, Debug)]
pub struct Slab<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Slab { slots: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    /// Puts a value in.
    #[inline(always)]
    pub fn insert(&mut self, value: T) -> Ref {
        if let Some(index) = self.free.pop() {
            let slot = &mut self.slots[index as usize];
            debug_assert!(!slot.is_full());
            slot.generation = slot.generation.wrapping_add(1);
            slot.value = value;
            return Ref { index, generation: slot.generation };
        }
        let index = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        assert!(index < u32::MAX, "more than four billion entries at once");
        self.slots.push(Slot { generation: 1, value });
        Ref { index, generation: 1 }
    }

    /// The entry, if the handle is still good.
    #[inline(always)]
    pub fn get(&self, at: Ref) -> Option<&T> {
        self.slots.get(at.index as usize).filter(|s| s.generation == at.generation).map(|s| &s.value)
    }

    /// The entry to change, if the handle is still good.
    #[inline(always)]
    pub fn get_mut(&mut self, at: Ref) -> Option<&mut T> {
        let slot = self.slots.get_mut(at.index as usize)?;
        (slot.generation == at.generation).then_some(&mut slot.value)
    }

    /// Takes the entry out; its handle is dead from now on.
    #[inline(always)]
    pub fn remove(&mut self, at: Ref) {
        let slot = &mut self.slots[at.index as usize];
        assert!(slot.generation == at.generation, "taken out twice");
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(at.index);
    }

    /// The entries that are in.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().filter(|s| s.is_full()).map(|s| &s.value)
    }

    /// Handles of the entries that are in.
    pub fn refs(&self) -> impl Iterator<Item = Ref> {
        let live = self.slots.iter().enumerate().filter(|(_, s)| s.is_full());
        live.map(|(index, s)| Ref { index: index as u32, generation: s.generation })
    }

    /// How many were in at once, at most: as much room as it has taken.
    pub fn peak(&self) -> usize {
        self.slots.len()
    }

    /// How many are in.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether none is in.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> std::ops::Index<Ref> for Slab<T> {
    type Output = T;
    #[inline(always)]
    fn index(&self, at: Ref) -> &T {
        let slot = &self.slots[at.index as usize];
        assert!(slot.generation == at.generation, "a dead handle");
        &slot.value
    }
}

impl<T> std::ops::IndexMut<Ref> for Slab<T> {
    #[inline(always)]
    fn index_mut(&mut self, at: Ref) -> &mut T {
        let slot = &mut self.slots[at.index as usize];
        assert!(slot.generation == at.generation, "a dead handle");
        &mut slot.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_dies_with_its_entry_though_the_place_is_reused() {
        let mut slab = Slab::default();
        let first = slab.insert("a");
        slab.remove(first);
        let second = slab.insert("b");
        assert_eq!(first.index, second.index);
        assert_eq!((slab.get(first), slab.get(second), slab.len()), (None, Some(&"b"), 1));
    }
}
