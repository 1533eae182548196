//! Turns at a few workers or cores: first come, first served, but for those who go first.

use crate::town::Held;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

struct State {
    free: u32,
    /// How many of the free ones may not be had.
    lost: u32,
    waiting: VecDeque<oneshot::Sender<Turn>>,
}

/// So many turns at once.
#[derive(Clone)]
pub struct Turns(Arc<Mutex<State>>);

/// A turn; dropped, it lets the next call in.
pub struct Turn {
    /// None once it has been handed on.
    turns: Option<Turns>,
    /// Counts as long as the turn lasts.
    pub busy: Option<Held>,
}

impl Turns {
    /// `n` at once.
    pub fn new(n: u32) -> Turns {
        Turns(Arc::new(Mutex::new(State { free: n, lost: 0, waiting: VecDeque::new() })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many of them are lost, from the next that ends on.
    pub fn lose(&self, lost: u32) {
        self.state().lost = lost;
        self.hand_out();
    }

    /// Gives turns to those who wait, as far as there are any.
    fn hand_out(&self) {
        loop {
            let next = {
                let mut state = self.state();
                if state.free <= state.lost {
                    return;
                }
                let Some(next) = state.waiting.pop_front() else { return };
                state.free -= 1;
                next
            };
            // The waiting call may have left; then the turn comes back.
            if let Err(mut back) = next.send(Turn { turns: Some(self.clone()), busy: None }) {
                back.turns = None;
                self.state().free += 1;
            }
        }
    }

    /// Waits for a turn; ahead of all who wait, if `first`.
    pub async fn take(&self, first: bool) -> Turn {
        let wait = {
            let mut state = self.state();
            if state.free > state.lost {
                state.free -= 1;
                return Turn { turns: Some(self.clone()), busy: None };
            }
            let (give, wait) = oneshot::channel();
            if first {
                state.waiting.push_front(give)
            } else {
                state.waiting.push_back(give)
            }
            wait
        };
        match wait.await {
            Ok(turn) => turn,
            // Only if the turns themselves are gone, with the process.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.busy = None;
        if let Some(turns) = self.turns.take() {
            turns.state().free += 1;
            turns.hand_out();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Poll;

    #[tokio::test]
    async fn turns_go_round_in_order_and_those_who_left_are_passed_over() {
        let turns = Turns::new(1);
        let held = turns.take(false).await;
        let mut waits: Vec<_> = [false, false, false, true].map(|first| Box::pin(turns.take(first))).into();
        let ready = |waits: &mut Vec<_>, at: usize| {
            let wait: &mut std::pin::Pin<Box<dyn Future<Output = Turn>>> = &mut waits[at];
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            match wait.as_mut().poll(&mut cx) {
                Poll::Ready(turn) => Some(turn),
                Poll::Pending => None,
            }
        };
        let mut waits: Vec<std::pin::Pin<Box<dyn Future<Output = Turn>>>> =
            waits.drain(..).map(|w| w as std::pin::Pin<Box<dyn Future<Output = Turn>>>).collect();
        assert!((0..4).all(|at| ready(&mut waits, at).is_none()));
        drop(held);
        let goes_first = ready(&mut waits, 3).unwrap();
        drop(waits.remove(0));
        assert!(ready(&mut waits, 0).is_none());
        drop(goes_first);
        assert!(ready(&mut waits, 0).is_some(), "the second, as the first has left");
        assert!(ready(&mut waits, 1).is_some());
    }

    #[tokio::test]
    async fn lost_turns_are_nobodys_until_they_are_back() {
        let turns = Turns::new(2);
        let (one, other) = (turns.take(false).await, turns.take(false).await);
        turns.lose(1);
        drop(one);
        let mut wait = Box::pin(turns.take(false));
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(wait.as_mut().poll(&mut cx).is_pending(), "one is lost, one is taken");
        drop(other);
        let Poll::Ready(again) = wait.as_mut().poll(&mut cx) else { panic!("the other is free") };
        let mut wait = Box::pin(turns.take(false));
        assert!(wait.as_mut().poll(&mut cx).is_pending());
        turns.lose(0);
        assert!(wait.as_mut().poll(&mut cx).is_ready(), "it is back");
        drop(again);
    }
}
