//! A collector of one's own in the place of the built-in one: two versions of it in the same minute, in which a database
//! hangs for twenty seconds.
//!
//! `cargo run -p brownout-services --example own_collector`
//!
//! Brownout supplies clients, balancer, database, log and the fault; the handlers bring their own limits and timeouts.
//! Time is not stretched here, so that the handler's timers are in real seconds; with madsim-tokio in the place of tokio
//! (`tokio = { package = "madsim-tokio", version = "0.2" }`), `tokio::time::timeout` and the like do the same as
//! `madsim::time::timeout` here.

#[cfg(madsim)]
mod simulated {
    use brownout_models::units::Ns;
    use brownout_scenarios::{Scenario, load_text};
    use brownout_services::collector::{Handler, MakeHandler, Stores};
    use brownout_services::{Ask, Listener, on_madsim};
    use brownout_sim::{orders, outcome::Outcome};
    use bytes::Bytes;
    use http_body_util::Full;
    use hyper::body::Incoming;
    use hyper::{Request, Response, StatusCode};
    use std::path::Path;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::sync::Semaphore;

    const MINUTE: &str = r#"
brownout = 1
title = "A minute in which a database hangs for twenty seconds"
span = "60s"
step = "1s"
window = { from = "20s", to = "40s" }

[clients.browsers]
sends = "track"
rate = "60/s"
timeout = "2s"

[clients.pages]
sends = "identify"
rate = "8/s"
timeout = "2s"

[balancer]
health = { preset = "haproxy", interval = "1s", timeout = "1s" }

[fleets.collectors]
count = 2
workers = 8
backlog = 32
health = "shared"
pools.accounts = { size = 8 }
calls.track = { appends = "events" }               # what a kind of call does is the handler's; who serves it is said here
calls.identify = { asks = "accounts", writes = true }

[stores.accounts]
service = "5ms"

[stores.events]

[[timeline]]
at = "20s"
do = "hang"
store = "accounts"
for = "20s"
"#;

    type Answer<'a> = Pin<Box<dyn Future<Output = Response<Full<Bytes>>> + Send + 'a>>;

    fn status(status: StatusCode) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::new()));
        *response.status_mut() = status;
        response
    }

    /// Asks the database for as long as it takes.
    struct Patient;

    impl Handler for Patient {
        fn handle<'a>(&'a self, request: Request<Incoming>, stores: Stores) -> Answer<'a> {
            Box::pin(async move {
                let store = if request.uri().path() == "/track" { "events" } else { "accounts" };
                match stores.query(store, true).await {
                    Ok(()) => status(StatusCode::OK),
                    Err(_) => status(StatusCode::INTERNAL_SERVER_ERROR),
                }
            })
        }
    }

    /// Lets two identify calls wait for the database, half a second each, and turns the others away.
    struct Hasty {
        identify: Semaphore,
    }

    impl Handler for Hasty {
        fn handle<'a>(&'a self, request: Request<Incoming>, stores: Stores) -> Answer<'a> {
            Box::pin(async move {
                if request.uri().path() == "/track" {
                    let stored = stores.query("events", true).await.is_ok();
                    return status(if stored { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR });
                }
                let Ok(_place) = self.identify.try_acquire() else { return status(StatusCode::SERVICE_UNAVAILABLE) };
                match madsim::time::timeout(Duration::from_millis(500), stores.query("accounts", true)).await {
                    Ok(Ok(())) => status(StatusCode::OK),
                    Ok(Err(_)) => status(StatusCode::INTERNAL_SERVER_ERROR),
                    Err(_) => status(StatusCode::GATEWAY_TIMEOUT),
                }
            })
        }
    }

    fn run(scenario: &Scenario, seed: u64, handler: MakeHandler) -> Outcome {
        let ask = Ask { handler: Some(handler), stretch: 1, from: Ns::ZERO, ..Ask::new(orders(scenario, seed)) };
        on_madsim(scenario, ask, &Listener { stop: None, progress: &|_| {} }).unwrap_or_else(|why| panic!("{why}"))
    }

    /// The hasty and the patient collector, under one seed.
    pub fn compare(seed: u64) -> [Outcome; 2] {
        let scenario = load_text("minute.toml", MINUTE, Path::new("."), &[], &[]);
        let scenario = scenario.unwrap_or_else(|mistakes| panic!("{}", mistakes.render(false)));
        let hasty: MakeHandler = Arc::new(|| Arc::new(Hasty { identify: Semaphore::new(2) }));
        let patient: MakeHandler = Arc::new(|| Arc::new(Patient));
        [run(&scenario, seed, hasty), run(&scenario, seed, patient)]
    }
}

#[cfg(madsim)]
pub use simulated::compare;

/// Runs both and prints what they lost.
#[cfg(madsim)]
pub fn main() {
    for (name, outcome) in ["hasty", "patient"].iter().zip(compare(1)) {
        for (kind, totals) in &outcome.calls {
            println!(
                "{name:<8} {kind:<9} {:>5.1}% failed, {:>5.1}% dropped {:?}",
                totals.failed_rate * 100.0,
                totals.dropped_rate * 100.0,
                totals.causes
            );
        }
    }
}

#[cfg(not(madsim))]
fn main() {
    println!("this example needs the simulated network: build it with RUSTFLAGS=\"--cfg madsim\"");
}
