//! Faults of clients: more calls, other calls, and far too many retries.

use super::{Arrivals, Curve};
use crate::component::rest::which;
use crate::fault::{ClientKnobs, Fault, Layer};
use crate::kernel::{Event, Kernel};
use crate::ledger::Seen;
use crate::random::{Purpose, Stream, draw, unit};
use crate::setting::Name;
use crate::slab::Ref;
use crate::units::{Ns, Rate};
use crate::world::{Call, World};

/// The calls on top of a population's own.
pub(super) struct Surge {
    /// Their rate; none for recorded calls, which they come with.
    curve: Option<Curve>,
    stream: Stream,
    /// Counts the changes: what was foreseen before the last one is void.
    number: u32,
}

impl super::Population {
    /// See [`World::leftovers`].
    pub(crate) fn leftovers(&self) -> Vec<&'static str> {
        let surges = self.surge.as_ref().is_some_and(|surge| surge.curve.is_some());
        which([(surges && self.knobs.surge == 0.0, "calls come on top")])
    }
}

impl World {
    /// Lays a fault on populations of clients.
    pub(crate) fn lay_on_clients<K: Kernel>(&mut self, k: &mut K, name: Option<&Name>, layer: &Layer) {
        for index in self.populations_named(name) {
            self.populations[index as usize].stack.push(layer.clone());
            self.clients_changed(k, index);
        }
    }

    /// Takes a fault off populations of clients, or sets how much of its severity it has reached.
    pub(crate) fn change_on_clients<K: Kernel>(
        &mut self,
        k: &mut K,
        name: Option<&Name>,
        ticket: u32,
        level: Option<f64>,
    ) {
        for index in self.populations_named(name) {
            let stack = &mut self.populations[index as usize].stack;
            match level {
                Some(level) => stack.set_level(ticket, level),
                None => stack.remove(ticket),
            }
            self.clients_changed(k, index);
        }
    }

    fn populations_named(&self, name: Option<&Name>) -> Vec<u16> {
        let names = self.spec.clients.names().enumerate();
        names.filter(|(_, n)| name.is_none_or(|name| name.text == *n)).map(|(i, _)| i as u16).collect()
    }

    fn clients_changed<K: Kernel>(&mut self, k: &mut K, index: u16) {
        let population = &mut self.populations[index as usize];
        let before = population.knobs;
        population.knobs = population.stack.knobs();
        if population.knobs.surge != before.surge {
            self.surge_changed(k, index, before.surge == 0.0);
        }
    }

    /// Calls come on top at another rate. As their gaps are exponential, the next one is drawn anew.
    fn surge_changed<K: Kernel>(&mut self, k: &mut K, index: u16, begins: bool) {
        let (name, spec) = &self.spec.clients.0[index as usize];
        let seed = self.trouble.seed;
        let population = &mut self.populations[index as usize];
        // A stream for each surge, by its beginning: it is the same whether or not another came before.
        let stream = || Stream::new(seed, &format!("clients/{}/surge/{}", name.text, k.now().0));
        let surge =
            population.surge.get_or_insert_with(|| Box::new(Surge { curve: None, stream: stream(), number: 0 }));
        surge.number += 1;
        if begins {
            surge.stream = stream();
        }
        let burst = if spec.arrivals == Arrivals::Burst { f64::from(spec.burst) } else { 1.0 };
        let rate = Rate(spec.rate.0 * population.knobs.surge / burst);
        surge.curve = (spec.trace.is_none() && rate.0 > 0.0).then(|| Curve::new(rate, &spec.profile).from(k.now()));
        self.expect_surge(k, index);
    }

    /// Foresees the next call on top.
    fn expect_surge<K: Kernel>(&mut self, k: &mut K, index: u16) {
        let Some(surge) = &mut self.populations[index as usize].surge else { return };
        let Some(curve) = &mut surge.curve else { return };
        let next = curve.reach(k.now().0, surge.stream.exponential());
        if next <= k.end() {
            k.at(next, Event::Surge(index, surge.number));
        }
    }

    /// A call (or a burst of them) on top is due.
    pub(crate) fn surge_due<K: Kernel>(&mut self, k: &mut K, index: u16, number: u32) {
        if self.populations[index as usize].surge.as_ref().is_none_or(|surge| surge.number != number) {
            return;
        }
        let spec = &self.spec.clients.0[index as usize].1;
        let burst = if spec.arrivals == Arrivals::Burst { spec.burst } else { 1 };
        (0..burst).for_each(|_| self.offer_on_top(k, index));
        self.expect_surge(k, index);
    }

    fn offer_on_top<K: Kernel>(&mut self, k: &mut K, index: u16) {
        let population = &mut self.populations[index as usize];
        // Those on top are not among the `calls` of the population's own, and end with them.
        if population.left == 0 {
            return;
        }
        let Some(surge) = &mut population.surge else { return };
        let salt = surge.stream.bits();
        population.stack.credit(&mut self.effects, |knobs: &ClientKnobs| knobs.surge > 0.0);
        self.offer_now(k, index, salt);
    }

    /// A call of a population, offered at this instant.
    #[inline(never)]
    fn offer_now<K: Kernel>(&mut self, k: &mut K, index: u16, salt: u64) {
        if let Some(elsewhere) = &mut self.trouble.elsewhere {
            elsewhere.offered.push((index, k.now(), salt));
            return;
        }
        let cohort = k.offer(index, k.now(), salt);
        let call = self.calls.insert(Call { cohort, population: index, ..Call::new(salt, k.now()) });
        self.send(k, call, false);
    }

    /// Whether a call of a population's own is made as another population's. Recorded calls bring others with them.
    #[inline(never)]
    pub fn is_changed<K: Kernel>(&mut self, k: &mut K, index: u16, salt: u64) -> bool {
        let knobs = self.populations[index as usize].knobs;
        if knobs.surge > 0.0 && self.spec.clients.0[index as usize].1.trace.is_some() {
            let surge = self.populations[index as usize].surge.as_mut();
            let more = surge.map_or(0.0, |surge| knobs.surge + surge.stream.unit()) as u32;
            (0..more).for_each(|_| self.offer_on_top(k, index));
        }
        if !knobs.shifts {
            return false;
        }
        let layers = self.populations[index as usize].stack.layers().iter();
        let shifts = layers.filter_map(|layer| match &layer.fault {
            Fault::MixShift(shift) => Some((layer, shift)),
            _ => None,
        });
        // By its place among those in force, not by how many faults went before.
        let shifted = shifts.zip(0_u32..).filter_map(|((layer, shift), place)| {
            let changes = unit(draw(salt, Purpose::Shift, place)) <= shift.share.0 * layer.level;
            changes.then_some(())?;
            Some((layer.entry, self.spec.clients.index(&shift.to.text)?))
        });
        let Some((entry, to)) = shifted.last() else { return false };
        self.effects.count(entry);
        self.offer_now(k, to as u16, salt);
        true
    }

    /// A client in a storm of retries sends again, whatever its policy says.
    pub(super) fn retry_in_storm<K: Kernel>(&mut self, k: &mut K, call_at: Ref, seen: Seen, most: u32, pause: Ns) {
        let call = &self.calls[call_at];
        if u32::from(call.attempt) > most {
            self.give_call_up(k, call_at, seen);
            return;
        }
        let population = &self.populations[call.population as usize];
        population.stack.credit(&mut self.effects, |knobs: &ClientKnobs| knobs.storm.is_some());
        k.at(k.now().plus(pause), Event::Resend(call_at));
    }
}

impl Curve {
    /// The same curve, to be followed from a time on.
    fn from(mut self, now: Ns) -> Curve {
        while let Some(next) = self.later.pop_if(|piece| piece.begins <= now.0) {
            self.at = next;
        }
        self
    }
}
