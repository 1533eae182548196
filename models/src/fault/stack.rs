//! Faults in force on one part of the world, and the count of what they did.

use super::{Fault, Knobs};

/// How often each entry of the timeline has changed anything.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Effects(pub Vec<u64>);

impl Effects {
    /// One more for an entry; none for what no entry has laid on.
    pub fn count(&mut self, entry: Option<u32>) {
        self.add(entry, 1);
    }

    /// So many more.
    pub fn add(&mut self, entry: Option<u32>, n: u64) {
        if let Some(count) = entry.and_then(|entry| self.0.get_mut(entry as usize)) {
            *count += n;
        }
    }
}

/// A fault in force.
#[derive(Clone, PartialEq, Debug)]
pub struct Layer {
    /// Under which it was laid on: takes it off again.
    pub ticket: u32,
    /// The entry of the timeline that has laid it on; none for what the world does by itself.
    pub entry: Option<u32>,
    /// The fault.
    pub fault: Fault,
    /// How much of its severity is reached, above 0 and up to 1.
    pub level: f64,
}

/// Faults in force, oldest first.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Stack {
    layers: Vec<Layer>,
}

impl Stack {
    /// Lays a fault on.
    pub fn push(&mut self, layer: Layer) {
        self.layers.push(layer);
    }

    /// Takes one off; nothing happens if it is off already.
    pub fn remove(&mut self, ticket: u32) {
        self.layers.retain(|layer| layer.ticket != ticket);
    }

    /// Takes all off but one.
    pub fn keep_only(&mut self, ticket: Option<u32>) {
        self.layers.retain(|layer| Some(layer.ticket) == ticket);
    }

    /// Sets how much of its severity one has reached.
    pub fn set_level(&mut self, ticket: u32, level: f64) {
        self.layers.iter_mut().filter(|layer| layer.ticket == ticket).for_each(|layer| layer.level = level);
    }

    /// Whether nothing is in force.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// The faults in force, oldest first.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// What they make of a sound part.
    pub fn knobs<K: Knobs>(&self) -> K {
        let mut knobs = K::default();
        self.layers.iter().for_each(|layer| knobs.lay(&layer.fault, layer.level));
        knobs
    }

    /// Counts an effect for each fault that by itself would have had it.
    pub fn credit<K: Knobs>(&self, effects: &mut Effects, would: impl Fn(&K) -> bool) {
        for layer in &self.layers {
            let mut alone = K::default();
            alone.lay(&layer.fault, layer.level);
            if would(&alone) {
                effects.count(layer.entry);
            }
        }
    }
}
