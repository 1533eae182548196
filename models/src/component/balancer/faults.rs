//! Faults of the balancer: checks that are not made, checks by far too many, and forgetting.

use super::Backend;
use crate::fault::{BalancerKnobs, Layer, Onset};
use crate::kernel::Kernel;
use crate::random::mix;
use crate::world::World;

impl World {
    /// Lays a fault on the balancer.
    pub(crate) fn lay_on_balancer<K: Kernel>(&mut self, k: &mut K, layer: Layer) {
        if layer.fault.onset() == Onset::ForgetHealth {
            self.forget_health(k, layer.entry);
            return;
        }
        self.trouble.balancer.push(layer);
        self.trouble.knobs = self.trouble.balancer.knobs();
    }

    /// Takes a fault off the balancer, or sets how much of its severity it has reached.
    pub(crate) fn change_on_balancer(&mut self, ticket: u32, level: Option<f64>) {
        match level {
            Some(level) => self.trouble.balancer.set_level(ticket, level),
            None => self.trouble.balancer.remove(ticket),
        }
        self.trouble.knobs = self.trouble.balancer.knobs();
    }

    /// Whether a check that is due is not made.
    pub(crate) fn checks_are_off(&mut self) -> bool {
        if self.trouble.knobs.checks_stopped {
            self.trouble.balancer.credit(&mut self.effects, |knobs: &BalancerKnobs| knobs.checks_stopped);
        }
        self.trouble.knobs.checks_stopped
    }

    /// How many others' checks come with a check by way of the server's accept queue: before it, and in all. Its place
    /// among them is any.
    pub(crate) fn others_checks(&self, salt: u64) -> (u32, u32) {
        let all = if self.trouble.on { self.trouble.knobs.more_checkers } else { 0 };
        (if all == 0 { 0 } else { (mix(salt ^ u64::from(all)) % (u64::from(all) + 1)) as u32 }, all)
    }

    /// Some of others' checks set out.
    pub(crate) fn more_checks<K: Kernel>(&mut self, k: &mut K, seat: u32, checkers: std::ops::Range<u32>) {
        for checker in checkers {
            self.trouble.balancer.credit(&mut self.effects, |knobs: &BalancerKnobs| knobs.more_checkers > checker);
            let salt = mix(k.now().0 ^ (u64::from(seat) << 40) ^ u64::from(checker));
            // No check of the balancer's own has this number: its result is not used here.
            self.send_check(k, seat, salt, 0);
        }
    }

    /// What was learnt of the servers is forgotten.
    fn forget_health<K: Kernel>(&mut self, k: &mut K, entry: Option<u32>) {
        if let Some(elsewhere) = &mut self.trouble.elsewhere {
            elsewhere.forgets.push(entry);
            return;
        }
        let forget = |backend: &mut Backend| backend.members.forget(&backend.balancer.health);
        let learnt: Vec<bool> = self.backends.iter_mut().flat_map(forget).collect();
        for (seat, learnt) in learnt.into_iter().enumerate() {
            self.effects.add(entry, u64::from(learnt));
            self.settle_rotation(k, seat as u32);
        }
        self.backends.iter_mut().for_each(|backend| backend.members.ease_nobody_in());
    }
}
