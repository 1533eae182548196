//! A store's headroom at work: what uses it up, when a threshold is reached, and maintenance.

use crate::fault::{AtStop, Layer};
use crate::kernel::{Event, Kernel};
use crate::units::Ns;
use crate::world::World;

impl World {
    /// A write uses headroom up.
    pub fn burn_headroom<K: Kernel>(&mut self, k: &mut K, store: u16) {
        let Some(headroom) = &self.spec.stores.0[store as usize].1.headroom else { return };
        let s = &mut self.stores[store as usize];
        s.level = s.after_use(s.level - headroom.per_write.0);
        if s.stopped.is_some() {
            return;
        }
        if s.headroom(k.now()) <= s.threshold(headroom) {
            self.threshold_reached(k, store);
        } else if s.level <= s.look_is_late_at {
            // Not at the threshold itself, which each write would move: so there are few looks, however many writes.
            self.look_at_headroom(k, store, |now, reached| Ns(now.0 + reached.minus(now).0 / 2));
        }
    }

    /// Foresees when background use reaches the next threshold.
    pub(crate) fn expect_threshold<K: Kernel>(&mut self, k: &mut K, store: u16) {
        self.look_at_headroom(k, store, |_, reached| reached);
    }

    /// Foresees a look at the level, at a time between the present and when background use reaches the next threshold.
    fn look_at_headroom<K: Kernel>(&mut self, k: &mut K, store: u16, when: impl Fn(Ns, Ns) -> Ns) {
        let Some(headroom) = &self.spec.stores.0[store as usize].1.headroom else { return };
        let s = &mut self.stores[store as usize];
        s.estimate += 1;
        s.look_is_late_at = f64::NEG_INFINITY;
        let threshold = s.threshold(headroom);
        let Some(reached) = s.reaches(threshold) else { return };
        let at = when(k.now(), reached).max(k.now());
        s.look_is_late_at = threshold + s.burn_now() * at.minus(s.level_at).0 as f64;
        if at <= k.end() {
            k.at(at, Event::Headroom(store, s.estimate));
        }
    }

    /// Background use may have reached a threshold, or writes since the estimate have brought it nearer.
    pub(crate) fn headroom_due<K: Kernel>(&mut self, k: &mut K, store: u16, estimate: u32) {
        let Some(headroom) = &self.spec.stores.0[store as usize].1.headroom else { return };
        let s = &self.stores[store as usize];
        if s.estimate != estimate || s.stopped.is_some() {
            return;
        }
        if s.reaches(s.threshold(headroom)).is_some_and(|reached| reached <= k.now()) {
            self.threshold_reached(k, store);
        } else {
            self.expect_threshold(k, store);
        }
    }

    fn threshold_reached<K: Kernel>(&mut self, k: &mut K, store: u16) {
        let (name, spec) = &self.spec.stores.0[store as usize];
        let Some(headroom) = spec.headroom.clone() else { return };
        let name = name.text.clone();
        let s = &mut self.stores[store as usize];
        s.level = s.headroom(k.now());
        s.level_at = k.now();
        if !s.alerted && headroom.alert.0 > headroom.stop.0 {
            s.alerted = true;
            k.mark(format!("{name} runs low: alert"), None);
            self.give_sign(k, &format!("stores.{name}.alert"));
        } else if let Some(AtStop(fault)) = headroom.at_stop {
            s.alerted = true;
            let ticket = self.operators.ticket();
            self.lay_on(k, store, Layer { ticket, entry: None, fault, level: 1.0 });
            self.stores[store as usize].stopped = Some(ticket);
            self.give_sign(k, &format!("stores.{name}.stop"));
        } else {
            // The store goes on; only the sign is given, once.
            s.estimate += 1;
            if !std::mem::replace(&mut s.stop_signed, true) {
                self.give_sign(k, &format!("stores.{name}.stop"));
            }
            return;
        }
        self.expect_threshold(k, store);
    }

    /// Background use falls to a part of what it was.
    pub(crate) fn relieve<K: Kernel>(&mut self, k: &mut K, store: u16, remaining: f64) {
        let s = &mut self.stores[store as usize];
        s.level = s.headroom(k.now());
        s.level_at = k.now();
        s.burn *= remaining;
        self.expect_threshold(k, store);
    }

    /// Maintenance is done: the headroom is back, and the store with it.
    pub(crate) fn restore<K: Kernel>(&mut self, k: &mut K, store: u16) {
        let Some(headroom) = &self.spec.stores.0[store as usize].1.headroom else { return };
        let s = &mut self.stores[store as usize];
        s.refill(headroom.restored_to.0, k.now());
        if let Some(ticket) = s.stopped.take() {
            self.change_on(k, store, ticket, None);
        }
        self.expect_threshold(k, store);
    }
}
