//! A collector as somebody might have it in production, twice: one that waits for its database as long as it takes, and one
//! with limits. Both are written against `tokio` and `hyper`, with a connection pool of their own; nothing in them knows of
//! a simulation. `Cargo.toml` puts madsim-tokio in tokio's place, so that their timers and locks run in simulated time.
//!
//! This crate is an example to copy. What is not shown: request bodies, since Brownout's calls have none.

mod minute;
mod pool;

pub use minute::{Loss, loss};
pub use pool::{Failure, Pool};

use brownout_services::collector::{Handler, Stores};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

type Answer<'a> = Pin<Box<dyn Future<Output = Response<Full<Bytes>>> + Send + 'a>>;

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::new()));
    *response.status_mut() = status;
    response
}

fn of(result: Result<(), Failure>) -> Response<Full<Bytes>> {
    status(match result {
        Ok(()) => StatusCode::OK,
        Err(Failure::NoConnection) => StatusCode::SERVICE_UNAVAILABLE,
        Err(Failure::Store(_)) => StatusCode::INTERNAL_SERVER_ERROR,
    })
}

/// A collector that waits for its database as long as it takes.
pub struct Patient {
    accounts: Pool,
    events: Pool,
}

impl Default for Patient {
    fn default() -> Self {
        Patient { accounts: Pool::new("accounts", 8, Duration::MAX), events: Pool::new("events", 8, Duration::MAX) }
    }
}

impl Handler for Patient {
    fn handle<'a>(&'a self, request: Request<Incoming>, stores: Stores) -> Answer<'a> {
        Box::pin(async move {
            let pool = if request.uri().path() == "/track" { &self.events } else { &self.accounts };
            of(pool.write(&stores).await)
        })
    }
}

/// A collector that lets few identify calls wait for the database, and not for long.
pub struct Limited {
    accounts: Pool,
    events: Pool,
    /// Identify calls that may be inside at once: two of the eight workers.
    identify: Semaphore,
    patience: Duration,
}

impl Default for Limited {
    fn default() -> Self {
        Limited {
            accounts: Pool::new("accounts", 2, Duration::from_millis(100)),
            events: Pool::new("events", 8, Duration::from_millis(500)),
            identify: Semaphore::new(2),
            patience: Duration::from_millis(500),
        }
    }
}

impl Handler for Limited {
    fn handle<'a>(&'a self, request: Request<Incoming>, stores: Stores) -> Answer<'a> {
        Box::pin(async move {
            if request.uri().path() == "/track" {
                return of(self.events.write(&stores).await);
            }
            let Ok(_place) = self.identify.try_acquire() else { return status(StatusCode::SERVICE_UNAVAILABLE) };
            match timeout(self.patience, self.accounts.write(&stores)).await {
                Ok(result) => of(result),
                Err(_) => status(StatusCode::GATEWAY_TIMEOUT),
            }
        })
    }
}
