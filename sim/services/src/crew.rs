//! Tasks that live long and take one job after the other.
//!
//! madsim keeps books on every task that was ever spawned, and a spawn is dearer than a message; so a job goes to a task
//! that has nothing to do, and a new one is spawned only when all are busy. There are as many as were ever busy at once.

use crate::platform::Platform;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A crew of one process.
pub struct Crew<P> {
    platform: P,
    idle: Arc<Mutex<Vec<UnboundedSender<Job>>>>,
}

impl<P: Clone> Clone for Crew<P> {
    fn clone(&self) -> Self {
        Crew { platform: self.platform.clone(), idle: self.idle.clone() }
    }
}

fn lock(idle: &Mutex<Vec<UnboundedSender<Job>>>) -> MutexGuard<'_, Vec<UnboundedSender<Job>>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<P: Platform> Crew<P> {
    /// None yet.
    pub fn new(platform: &P) -> Crew<P> {
        Crew { platform: platform.clone(), idle: Arc::default() }
    }

    /// Gives a job to somebody.
    pub fn run(&self, job: impl Future<Output = ()> + Send + 'static) {
        let mut job: Job = Box::pin(job);
        loop {
            let hand = lock(&self.idle).pop();
            let Some(hand) = hand else { break };
            match hand.send(job) {
                Ok(()) => return,
                Err(back) => job = back.0,
            }
        }
        let idle = self.idle.clone();
        let (hand, mut jobs) = unbounded_channel::<Job>();
        self.platform.spawn(async move {
            let mut next = Some(job);
            while let Some(job) = next {
                job.await;
                lock(&idle).push(hand.clone());
                next = jobs.recv().await;
            }
        });
    }
}
