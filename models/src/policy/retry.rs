//! Client-side retries: whether to send again, and after how long.
//!
//! Not modelled: hedged requests, adaptive throttling.

use crate::random::{Purpose, draw, unit};
use crate::setting::{Preset, Scope, Silence, always, first_of, unless};
use crate::units::{Ns, Share};
use crate::{choices, settings};

choices! {
    /// How the pause before a retry grows.
    pub enum Backoff = Fixed {
        /// The same pause every time.
        Fixed = "fixed",
        /// Doubles with each retry, up to `max_delay`.
        Exponential = "exponential",
    }
}

settings! {
    /// A token bucket shared by all clients of a population, as in the AWS SDKs: a retry takes tokens, a
    /// success gives some back, an empty bucket means no retry.
    pub struct Budget {
        /// Tokens in a full bucket; it starts full. (AWS SDK: 500)
        pub capacity: f64 = 500.0, 0 ..= 1_000_000_000 => always;
        /// Tokens that a retry costs. (AWS SDK: 5)
        pub cost: f64 = 5.0, 0 ..= 1_000_000 => always;
        /// Tokens that a retry after a timeout costs. (AWS SDK: 10)
        pub timeout_cost: f64 = 10.0, 0 ..= 1_000_000 => always;
        /// Tokens that a success gives back. (AWS SDK: 1; that after a retry it gives back what the retry took is not modelled)
        pub refund: f64 = 1.0, 0 ..= 1_000_000 => always;
        /// Tokens that each call brings with its first attempt, whatever comes of it: with a cost of 1 and no refund, the
        /// share of calls that may be sent again (SRE book: 0.1).
        pub per_call: f64 = 0.0, 0 ..= 1_000_000 => always;
    }
}

settings! {
    /// What a client does about a failed attempt; "none" sends nothing again.
    pub struct Retry (presets = PRESETS) {
        /// Further attempts after the first.
        pub retries: u32 = 0, 0 ..= 100 => always;
        /// How the pause grows.
        pub backoff: Backoff = Backoff::Fixed => resends_twice;
        /// Pause before the first retry. (time)
        pub delay: Ns = Ns::millis(500), "0s" ..= "1h" => resends;
        /// Longest pause. (time)
        pub max_delay: Ns = Ns::secs(30), "0s" ..= "24h" => resends;
        /// Share of the pause that is random: at 100% it lies anywhere between nothing and the whole ("full jitter").
        pub jitter: Share = Share(0.0) => pauses;
        /// Whether an attempt that timed out is retried too.
        pub after_timeout: bool = true => resends;
        /// A budget shared by the population's clients.
        pub budget: Option<Budget> = None => resends;
    }
}

const NO_RETRIES: &str = "`retries` is 0: nothing is sent again";

fn resends(retry: &Retry, _: &Scope<'_>) -> Silence {
    unless(retry.retries > 0, NO_RETRIES)
}

fn resends_twice(retry: &Retry, at: &Scope<'_>) -> Silence {
    // A first pause is the same however pauses grow.
    first_of([resends(retry, at), unless(retry.retries > 1, "`retries` is 1: there is no second pause to grow")])
}

fn pauses(retry: &Retry, at: &Scope<'_>) -> Silence {
    let pause = retry.delay.min(retry.max_delay);
    first_of([resends(retry, at), unless(pause > Ns::ZERO, "the pause is 0s: there is nothing to vary")])
}

/// Every preset.
pub const PRESETS: &[Preset<Retry>] =
    &[Preset { name: "none", doc: "No product: a failed attempt is not sent again.", make: Retry::default }];

impl Retry {
    /// The pause before retry number `retry` (from 1) of the call with that salt.
    pub fn pause(&self, salt: u64, retry: u32) -> Ns {
        let doubled = match self.backoff {
            Backoff::Fixed => self.delay,
            Backoff::Exponential => {
                Ns(self.delay.0.saturating_mul(1_u64.checked_shl(retry.min(63) - 1).unwrap_or(u64::MAX)))
            }
        };
        let longest = doubled.min(self.max_delay);
        longest.scaled(1.0 - self.jitter.0 * (1.0 - unit(draw(salt, Purpose::Backoff, retry))))
    }
}

/// The tokens left in a population's budget.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Tokens(f64);

impl Tokens {
    /// A full bucket.
    pub fn new(budget: &Budget) -> Tokens {
        Tokens(budget.capacity)
    }
    /// A success gives tokens back.
    pub fn on_success(&mut self, budget: &Budget) {
        self.0 = (self.0 + budget.refund).min(budget.capacity);
    }
    /// A call's first attempt brings tokens.
    pub fn on_call(&mut self, budget: &Budget) {
        self.0 = (self.0 + budget.per_call).min(budget.capacity);
    }
    /// Takes the price of a retry, if it is there.
    pub fn try_retry(&mut self, budget: &Budget, after_timeout: bool) -> bool {
        let cost = if after_timeout { budget.timeout_cost } else { budget.cost };
        let affordable = self.0 >= cost;
        if affordable {
            self.0 -= cost;
        }
        affordable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponential_backoff_doubles_up_to_its_bound() {
        let retry =
            Retry { backoff: Backoff::Exponential, delay: Ns::secs(1), max_delay: Ns::secs(5), ..Retry::default() };
        let pauses: Vec<_> = (1..=4).map(|n| retry.pause(9, n)).collect();
        assert_eq!(pauses, [Ns::secs(1), Ns::secs(2), Ns::secs(4), Ns::secs(5)]);
        assert_eq!(retry.pause(9, 90), Ns::secs(5));
    }

    #[test]
    fn full_jitter_lies_between_nothing_and_the_whole_pause() {
        let retry = Retry { delay: Ns::secs(1), jitter: Share(1.0), ..Retry::default() };
        let pauses: Vec<_> = (0..1000).map(|salt| retry.pause(salt, 1)).collect();
        assert!(pauses.iter().all(|p| *p <= Ns::secs(1)));
        assert!(pauses.iter().any(|p| *p < Ns::millis(50)) && pauses.iter().any(|p| *p > Ns::millis(950)));
    }

    #[test]
    fn a_budget_of_a_share_of_the_calls_allows_that_share_whatever_fails() {
        let budget = Budget { capacity: 5.0, cost: 1.0, timeout_cost: 1.0, refund: 0.0, per_call: 0.125 };
        let mut tokens = Tokens::new(&budget);
        (0..5).for_each(|_| assert!(tokens.try_retry(&budget, true)));
        let retries = (0..800).filter(|_| {
            tokens.on_call(&budget);
            tokens.on_success(&budget);
            tokens.try_retry(&budget, true)
        });
        assert_eq!(retries.count(), 100);
    }

    #[test]
    fn an_empty_budget_forbids_retries_until_successes_refill_it() {
        let budget = Budget { capacity: 12.0, ..Budget::default() };
        let mut tokens = Tokens::new(&budget);
        assert!(tokens.try_retry(&budget, false) && tokens.try_retry(&budget, false));
        assert!(!tokens.try_retry(&budget, false));
        (0..3).for_each(|_| tokens.on_success(&budget));
        assert!(tokens.try_retry(&budget, false));
        assert!(!tokens.try_retry(&budget, true));
    }
}
