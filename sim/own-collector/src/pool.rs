//! A small connection pool, as a service brings its own: so many connections at most, and a limit on the wait for one.
//! A connection whose query was given up, or that the store has cut, is not used again.

use brownout_services::collector::{StoreConnection, StoreFailure, Stores};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Connections to one store.
pub struct Pool {
    store: &'static str,
    places: Semaphore,
    wait: Duration,
    idle: Mutex<Vec<StoreConnection>>,
}

/// Why nothing was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// All connections are taken, and none came free in time.
    NoConnection,
    /// The store would not.
    Store(StoreFailure),
}

impl Pool {
    /// At most `size` connections to a store; `wait` is how long a call waits for one of them.
    pub fn new(store: &'static str, size: usize, wait: Duration) -> Pool {
        Pool { store, places: Semaphore::new(size), wait, idle: Mutex::default() }
    }

    /// Writes the call's data.
    ///
    /// # Errors
    /// [`Failure`]; time spent in the store is the caller's to limit.
    pub async fn write(&self, stores: &Stores) -> Result<(), Failure> {
        let place = self.places.acquire();
        let place = if self.wait == Duration::MAX { Ok(place.await) } else { timeout(self.wait, place).await };
        let Ok(Ok(_place)) = place else { return Err(Failure::NoConnection) };
        let kept = self.idle().pop().filter(StoreConnection::is_open);
        let mut connection = match kept {
            Some(connection) => connection,
            None => stores.connect(self.store).await.map_err(Failure::Store)?,
        };
        // Dropped here, and closed with that, if the caller gives up.
        let result = stores.query_over(&mut connection, true).await;
        if connection.is_open() {
            self.idle().push(connection);
        }
        result.map_err(Failure::Store)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<StoreConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
