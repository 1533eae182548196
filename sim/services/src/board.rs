//! Something that one writes and many read, and whose changes can be waited for.
//!
//! In the place of tokio's `watch`, which wakes those who wait in an order drawn from a process-wide random source: under
//! madsim the same seed would then give another run. Here they are woken in the order in which they began to wait.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

struct State<T> {
    value: Mutex<(T, u64)>,
    changed: Notify,
}

/// The board; clones are the same.
pub struct Board<T>(Arc<State<T>>);

impl<T> Clone for Board<T> {
    fn clone(&self) -> Self {
        Board(self.0.clone())
    }
}

impl<T: PartialEq> Board<T> {
    /// A board with something on it.
    pub fn new(value: T) -> Board<T> {
        Board(Arc::new(State { value: Mutex::new((value, 0)), changed: Notify::new() }))
    }

    fn value(&self) -> MutexGuard<'_, (T, u64)> {
        self.0.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads it.
    pub fn read<R>(&self, read: impl FnOnce(&T) -> R) -> R {
        read(&self.value().0)
    }

    /// Writes it; waiting tasks are woken if that changes anything.
    pub fn write(&self, value: T) {
        {
            let mut on = self.value();
            if on.0 == value {
                return;
            }
            *on = (value, on.1 + 1);
        }
        self.0.changed.notify_waiters();
    }

    /// How often it has changed.
    pub fn version(&self) -> u64 {
        self.value().1
    }

    /// Waits until it has changed since a version.
    pub async fn changed_since(&self, version: u64) {
        self.wait(|_, at| at != version).await;
    }

    /// Waits until what is on it is as asked for.
    pub async fn wait_for(&self, mut is: impl FnMut(&T) -> bool) {
        self.wait(|value, _| is(value)).await;
    }

    async fn wait(&self, mut is: impl FnMut(&T, u64) -> bool) {
        let mut now = || {
            let on = self.value();
            is(&on.0, on.1)
        };
        loop {
            if now() {
                return;
            }
            let mut changed = std::pin::pin!(self.0.changed.notified());
            changed.as_mut().enable();
            // It may have changed before the wait began.
            if now() {
                return;
            }
            changed.await;
        }
    }
}
