//! What stands before the work of a call: what limits and bulkhead say is decided by the shared policies, their order by
//! [`guards`].

use super::Ended;
use brownout_models::component::collector::Fleet;
use brownout_models::ledger::Cause;
use brownout_models::policy::adaptive::Limiter;
use brownout_models::policy::breaker::{BreakerState, Permit};
use brownout_models::policy::bulkhead::Bulkhead;
use brownout_models::policy::guards::{self, Lesson};
use brownout_models::units::Ns;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use tokio::sync::oneshot;

struct Gate {
    bulkhead: Bulkhead,
    waiting: VecDeque<oneshot::Sender<()>>,
}

/// What one process has before its calls, by kind.
pub struct Guards {
    limiter: Option<Mutex<Limiter>>,
    limiters: Vec<Option<Mutex<Limiter>>>,
    gates: Vec<Option<Arc<Mutex<Gate>>>>,
    breakers: Vec<Option<Mutex<BreakerState>>>,
}

/// Which limits a call is inside of, and since when.
#[derive(Default)]
pub struct Inside {
    limits: guards::Inside,
    since: Ns,
}

/// How a call stands before its bulkhead.
pub enum Way {
    /// Inside, or there is none.
    In(Option<Place>),
    /// It may wait.
    Wait(Waiting),
    /// Turned away.
    Full(Cause),
}

/// A place in a bulkhead; dropped, it lets the next call in.
pub struct Place(Arc<Mutex<Gate>>);

/// A wait for a place.
pub struct Waiting {
    gate: Arc<Mutex<Gate>>,
    wait: oneshot::Receiver<()>,
    inside: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Place {
    fn drop(&mut self) {
        leave(&self.0);
    }
}

fn leave(gate: &Mutex<Gate>) {
    let mut gate = lock(gate);
    if gate.bulkhead.on_exit() {
        while let Some(next) = gate.waiting.pop_front() {
            if next.send(()).is_ok() {
                return;
            }
        }
    }
}

impl Future for Waiting {
    type Output = Option<Place>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Place>> {
        match Pin::new(&mut self.wait).poll(cx) {
            Poll::Ready(_) => {
                self.inside = true;
                Poll::Ready(Some(Place(self.gate.clone())))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.inside {
            return;
        }
        self.wait.close();
        if self.wait.try_recv().is_ok() {
            leave(&self.gate);
        } else {
            let mut gate = lock(&self.gate);
            gate.bulkhead.on_give_up();
            gate.waiting.retain(|waiting| !waiting.is_closed());
        }
    }
}

impl Guards {
    /// What a fleet asks for.
    pub fn new(fleet: &Fleet) -> Guards {
        let plans = || fleet.calls.iter().map(|(_, plan)| plan);
        Guards {
            limiter: fleet.limit.as_ref().map(|spec| Mutex::new(Limiter::new(spec))),
            limiters: plans().map(|plan| plan.limit.as_ref().map(|spec| Mutex::new(Limiter::new(spec)))).collect(),
            gates: plans()
                .map(|plan| {
                    let bulkhead = Bulkhead::new(plan.at_most?.of(fleet.workers), plan.queue);
                    Some(Arc::new(Mutex::new(Gate { bulkhead, waiting: VecDeque::new() })))
                })
                .collect(),
            breakers: plans()
                .map(|plan| plan.breaker.as_ref().map(|spec| Mutex::new(BreakerState::new(spec))))
                .collect(),
        }
    }

    /// Goes past shedding and the limits.
    pub fn enter_limits(&self, is_stale: bool, at: usize, now: Ns, inside: &mut Inside) -> Result<(), Cause> {
        inside.since = now;
        let mut server = self.limiter.as_ref().map(lock);
        let mut kind = self.limiters[at].as_ref().map(lock);
        guards::enter(is_stale, server.as_deref_mut(), kind.as_deref_mut(), &mut inside.limits).map(drop)
    }

    /// Leaves the limits, and tells them how long it took.
    pub fn leave_limits(&self, fleet: &Fleet, at: usize, now: Ns, inside: Inside, (status, cause): Ended) {
        let (took, lesson) = (now.minus(inside.since), Lesson::of(status, cause));
        if let (true, Some(limiter), Some(spec)) = (inside.limits.server, &self.limiter, &fleet.limit) {
            lesson.teach(&mut lock(limiter), spec, took);
        }
        if let (true, Some(limiter), Some(spec)) = (inside.limits.kind, &self.limiters[at], &fleet.calls.0[at].1.limit)
        {
            lesson.teach(&mut lock(limiter), spec, took);
        }
    }

    /// How a call stands before the bulkhead of its kind.
    pub fn enter_bulkhead(&self, at: usize) -> Way {
        let Some(shared) = &self.gates[at] else { return Way::In(None) };
        let mut gate = lock(shared);
        match guards::enter_bulkhead(&mut gate.bulkhead) {
            Ok(true) => Way::In(Some(Place(shared.clone()))),
            Err(cause) => Way::Full(cause),
            Ok(false) => {
                let (enter, wait) = oneshot::channel();
                gate.waiting.push_back(enter);
                Way::Wait(Waiting { gate: shared.clone(), wait, inside: false })
            }
        }
    }

    /// Whether the breaker before a kind's store lets a call ask; with what it must tell it afterwards.
    pub fn enter_breaker(&self, fleet: &Fleet, at: Option<usize>, now: Ns) -> Result<Option<Permit>, ()> {
        let Some(at) = at else { return Ok(None) };
        match (&self.breakers[at], &fleet.calls.0[at].1.breaker) {
            (Some(breaker), Some(spec)) => lock(breaker).try_enter(spec, now).map(Some).ok_or(()),
            _ => Ok(None),
        }
    }

    /// The store has served a call, or failed it.
    pub fn tell_breaker(&self, fleet: &Fleet, at: Option<usize>, permit: Option<Permit>, ok: bool, since: Ns, now: Ns) {
        let (Some(at), Some(permit)) = (at, permit) else { return };
        if let (Some(breaker), Some(spec)) = (&self.breakers[at], &fleet.calls.0[at].1.breaker) {
            lock(breaker).on_result(spec, permit, ok, now.minus(since), now);
        }
    }
}
