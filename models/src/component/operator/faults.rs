//! Faults of the timeline: laid on their targets, raised, and taken off again.

use super::Action;
use crate::fault::{Class, Course, Fault, Layer, Onset, Target};
use crate::kernel::{Event, Fact, Kernel};
use crate::setting::Name;
use crate::units::Ns;
use crate::world::World;
use std::collections::VecDeque;

/// Steps in which a fault rises to its severity.
const STEPS: u64 = 16;

/// A time during which a fault was in force.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spell {
    /// Its beginning.
    pub from: Ns,
    /// Its end; none if the run ended first.
    pub to: Option<Ns>,
}

/// What one entry of the timeline has laid on.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct History {
    /// When it was in force, in order of the beginnings.
    pub spells: Vec<Spell>,
    /// What is in force, oldest first: a sign may set an entry off again before it ends.
    active: VecDeque<Active>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
struct Active {
    ticket: u32,
    /// Its place among the spells.
    spell: usize,
    /// Steps of the ramp so far.
    steps: u64,
    /// Whether the entry is done when this one ends.
    last: bool,
}

impl super::OperatorState {
    /// A ticket that no other fault has.
    pub(crate) fn ticket(&mut self) -> u32 {
        self.next_ticket += 1;
        self.next_ticket
    }

    /// Whether no fault, deployment or shedding is under way.
    pub(crate) fn is_at_rest(&self) -> bool {
        let none = self.faults.iter().all(|history| history.active.is_empty());
        none && self.deploys.is_empty() && self.shedding.iter().all(|on| *on == 0)
    }

    /// How often faults were laid on, all entries together.
    pub(crate) fn spells_in_all(&self) -> usize {
        self.faults.iter().map(|history| history.spells.len()).sum()
    }

    /// When the fault of an entry was in force.
    pub fn spells(&self, entry: usize) -> &[Spell] {
        &self.faults[entry].spells
    }
}

impl World {
    /// A fault begins; it will begin `times` times in all, this one included.
    pub(crate) fn begin_fault<K: Kernel>(&mut self, k: &mut K, index: u32, times: u32) {
        let entry = &self.spec.timeline[index as usize];
        let (expected_at, Action::Fault(fault, timing)) = (entry.expected_at, entry.action.clone()) else { return };
        if !fault.marks_itself() {
            k.mark(format!("{} begins", fault.describe()), expected_at);
        }
        self.boundary(k.now());
        k.record(Fact::Fault { begins: true });
        let ticket = self.operators.ticket();
        let history = &mut self.operators.faults[index as usize];
        history.spells.push(Spell { from: k.now(), to: None });
        let again = timing.repeat.as_ref().filter(|_| times > 1).map(|repeat| repeat.every);
        let (spell, last) = (history.spells.len() - 1, again.is_none());
        history.active.push_back(Active { ticket, spell, steps: 1, last });
        let level = if timing.ramp == Ns::ZERO { 1.0 } else { 1.0 / STEPS as f64 };
        self.lay(k, Layer { ticket, entry: Some(index), fault: fault.clone(), level });
        if fault.course() == Course::Instant {
            k.at(k.now(), Event::TimelineEnds(index));
        } else if let Some(whole) = timing.r#for {
            k.at(k.now().plus(whole), Event::TimelineEnds(index));
        }
        if timing.ramp > Ns::ZERO {
            k.at(k.now().plus(Ns(timing.ramp.0 / STEPS)), Event::FaultRises(index, ticket));
        }
        if let Some(every) = again {
            k.at(k.now().plus(every), Event::FaultAgain(index, times - 1));
        }
    }

    /// A fault reaches the next step of its ramp.
    pub(crate) fn fault_rises<K: Kernel>(&mut self, k: &mut K, index: u32, ticket: u32) {
        let Action::Fault(fault, timing) = self.spec.timeline[index as usize].action.clone() else { return };
        let active = self.operators.faults[index as usize].active.iter_mut().find(|active| active.ticket == ticket);
        let Some(active) = active else { return };
        active.steps += 1;
        let steps = active.steps;
        self.change(k, &fault, ticket, Some(steps as f64 / STEPS as f64));
        if steps < STEPS {
            k.at(k.now().plus(Ns(timing.ramp.0 / STEPS)), Event::FaultRises(index, ticket));
        }
    }

    /// The oldest fault in force of an entry ends; whether the entry is done.
    pub(super) fn end_fault<K: Kernel>(&mut self, k: &mut K, index: u32, fault: &Fault) -> bool {
        let history = &mut self.operators.faults[index as usize];
        let Some(active) = history.active.pop_front() else { return false };
        history.spells[active.spell].to = Some(k.now());
        self.boundary(k.now());
        k.record(Fact::Fault { begins: false });
        if fault.course() != Course::Instant && !fault.marks_itself() {
            k.mark(format!("{} ends", fault.describe()), None);
        }
        if !fault.course().ends_itself() {
            self.change(k, fault, active.ticket, None);
        }
        active.last
    }

    /// A fault that ends by itself has come to its end.
    pub(crate) fn job_done<K: Kernel>(&mut self, k: &mut K, index: u32) {
        k.at(k.now(), Event::TimelineEnds(index));
    }

    /// A store's spare serves: the action that had it promoted is done.
    pub(crate) fn failovers_done<K: Kernel>(&mut self, k: &mut K, store: &str) {
        for index in 0..self.spec.timeline.len() {
            let Action::Fault(Fault::Failover(fault), _) = &self.spec.timeline[index].action else { continue };
            if fault.store.text == store {
                (0..self.operators.faults[index].active.len()).for_each(|_| self.job_done(k, index as u32));
            }
        }
    }

    /// Lays a fault on its target.
    pub(crate) fn lay<K: Kernel>(&mut self, k: &mut K, layer: Layer) {
        let fault = layer.fault.clone();
        let counts = fault.class() != Class::Store && !fault.course().ends_itself();
        if counts {
            self.trouble.count(true);
        }
        match fault.target() {
            Target::Store(name) => {
                let store = self.store_index(name);
                self.lay_on(k, store, layer);
            }
            Target::Servers { .. } if fault.onset() == Onset::Deploy => {
                let (ticket, entry) = (layer.ticket, layer.entry);
                entry.into_iter().for_each(|entry| self.begin_deploy(k, ticket, entry, &fault));
            }
            Target::Servers { fleet, which } => {
                let fleet = self.fleet_index(fleet);
                self.lay_on_servers(k, fleet, which, layer);
            }
            Target::Link { .. } => self.lay_on_link(k, layer),
            Target::Balancer => self.lay_on_balancer(k, layer),
            Target::Clients(name) => self.lay_on_clients(k, name, &layer),
        }
    }

    /// Sets how much of its severity a fault has reached, or takes it off.
    fn change<K: Kernel>(&mut self, k: &mut K, fault: &Fault, ticket: u32, level: Option<f64>) {
        match fault.target() {
            Target::Store(name) => self.change_on(k, self.store_index(name), ticket, level),
            Target::Servers { fleet, which } => {
                let fleet = self.fleet_index(fleet);
                self.change_on_servers(k, (fleet, which), ticket, level);
            }
            Target::Link { .. } => self.change_on_link(k, ticket, level),
            Target::Balancer => self.change_on_balancer(ticket, level),
            Target::Clients(name) => self.change_on_clients(k, name, ticket, level),
        }
        // Last: what a process resumes with is still to be looked at.
        if level.is_none() && fault.class() != Class::Store {
            self.trouble.count(false);
        }
    }

    fn fleet_index(&self, name: &Name) -> usize {
        let found = self.spec.fleets.index(&name.text);
        found.unwrap_or_else(|| panic!("no fleet {}; WorldSpec::problems was not asked", name.text))
    }
}
