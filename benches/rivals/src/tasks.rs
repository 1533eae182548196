//! A task for each call: on tokio with paused time, and on madsim.
//!
//! Both round a sleep to milliseconds, so a millisecond of the fleet is a second of theirs. They differ in names only, so
//! the fleet is written once.

use crate::fleet::{Answer, CHECK_EVERY, CHECK_WORK, GAP_NS, HOP, Rng, SERVERS, TIMEOUT, WORK_NS, WORKERS};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::{Notify, Semaphore};

/// Their time runs so much slower.
const STRETCH: u32 = 1000;

struct Shared {
    servers: Vec<Semaphore>,
    work: Mutex<Rng>,
    turn: AtomicU64,
    answered: AtomicU64,
    lost: AtomicU64,
    latency_ns: AtomicU64,
    done: Notify,
}

impl Shared {
    fn new(seed: u64) -> Arc<Shared> {
        Arc::new(Shared {
            servers: (0..SERVERS).map(|_| Semaphore::new(WORKERS)).collect(),
            work: Mutex::new(Rng::new(seed, 2)),
            turn: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            latency_ns: AtomicU64::new(0),
            done: Notify::new(),
        })
    }

    fn answer(&self) -> Answer {
        let answered = self.answered.load(Ordering::Relaxed);
        let latency = self.latency_ns.load(Ordering::Relaxed) as f64 / f64::from(STRETCH);
        Answer { answered, mean_ms: latency / answered as f64 / 1e6 }
    }
}

macro_rules! fleet_of_tasks {
    ($fleet:ident, $time:ident::time, $spawn:path) => {
        mod $fleet {
            use super::*;
            use $time::time::{Instant, sleep, timeout};

            async fn at_server(shared: &Shared, server: usize, work: std::time::Duration) {
                sleep(HOP * STRETCH).await;
                let worker = shared.servers[server].acquire().await.expect("never closed");
                sleep(work * STRETCH).await;
                drop(worker);
                sleep(HOP * STRETCH).await;
            }

            async fn call(shared: Arc<Shared>, calls: u64) {
                let offered = Instant::now();
                let way = async {
                    sleep(HOP * STRETCH).await;
                    let server = shared.turn.fetch_add(1, Ordering::Relaxed) as usize % SERVERS;
                    let work = shared.work.lock().expect("one thread").exponential(WORK_NS);
                    at_server(&shared, server, work).await;
                    sleep(HOP * STRETCH).await;
                };
                let in_time = timeout(TIMEOUT * STRETCH, way).await.is_ok();
                shared.lost.fetch_add(u64::from(!in_time), Ordering::Relaxed);
                shared.latency_ns.fetch_add(offered.elapsed().as_nanos() as u64, Ordering::Relaxed);
                if shared.answered.fetch_add(1, Ordering::Relaxed) + 1 == calls {
                    shared.done.notify_one();
                }
            }

            async fn checks(shared: Arc<Shared>, server: usize) {
                sleep(CHECK_EVERY * STRETCH * server as u32 / SERVERS as u32).await;
                loop {
                    at_server(&shared, server, CHECK_WORK).await;
                    sleep(CHECK_EVERY * STRETCH).await;
                }
            }

            pub async fn run(calls: u64, seed: u64) -> Answer {
                let shared = Shared::new(seed);
                for server in 0..SERVERS {
                    $spawn(checks(shared.clone(), server));
                }
                let mut gaps = Rng::new(seed, 1);
                for _ in 0..calls {
                    sleep(gaps.exponential(GAP_NS) * STRETCH).await;
                    $spawn(call(shared.clone(), calls));
                }
                shared.done.notified().await;
                assert_eq!(shared.lost.load(Ordering::Relaxed), 0, "a call timed out");
                shared.answer()
            }
        }
    };
}

fleet_of_tasks!(on_tokio, tokio::time, tokio::spawn);
#[cfg(madsim)]
fleet_of_tasks!(on_madsim, madsim::time, madsim::task::spawn);

/// On tokio, its clock paused: it jumps to the next timer when nothing else is to be done.
pub fn tokio(calls: u64, seed: u64) -> Answer {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(on_tokio::run(calls, seed))
}

/// On madsim.
#[cfg(madsim)]
pub fn madsim(calls: u64, seed: u64) -> Answer {
    let runtime = madsim::runtime::Runtime::with_seed_and_config(seed, madsim::Config::default());
    runtime.block_on(on_madsim::run(calls, seed))
}
