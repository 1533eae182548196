//! Which lane is first.
//!
//! The heads of all lanes that hold anything, in order. There are few, and after an event its lane seldom falls back by
//! more than one or two places: cheaper, measured, than a tournament among them. The keys themselves say whose they
//! are.

use super::Key;

/// The heads of all lanes that hold anything, the first one last.
#[derive(Default)]
pub struct Heads(Vec<Key>);

impl Heads {
    /// The earliest head.
    #[inline]
    pub fn first(&self) -> Option<Key> {
        self.0.last().copied()
    }

    /// The first one's lane has another head now, or (with an empty key) nothing any more.
    #[inline]
    pub fn replace_first(&mut self, next: Key) {
        if next.is_empty() {
            self.0.pop();
        } else if let Some(last) = self.0.len().checked_sub(1) {
            self.fall_back(last, next);
        }
    }

    /// A lane that held nothing holds something.
    #[inline]
    pub fn enter(&mut self, head: Key) {
        self.0.push(head);
        self.fall_back(self.0.len() - 1, head);
    }

    /// A lane has a head that is due earlier than its last one, if it had one.
    pub fn earlier(&mut self, head: Key) {
        if let Some(at) = self.0.iter().rposition(|key| key.lane() == head.lane()) {
            self.0.remove(at);
        }
        self.enter(head);
    }

    /// Puts a head at a free place, or further back where it belongs.
    #[inline]
    fn fall_back(&mut self, mut at: usize, head: Key) {
        while at > 0 && self.0[at - 1] < head {
            self.0[at] = self.0[at - 1];
            at -= 1;
        }
        self.0[at] = head;
    }
}
