//! A smaller run of the same scenario: a part of the day, or a part of the load with as large a part of the fleet.
//!
//! For runtimes that carry every call as a message, and for quick looks. Both change what the scenario says before it is
//! run, on every runtime alike, so that what is compared is the same world.

use crate::Scenario;
use crate::expect::Stretch;
use brownout_models::component::operator::Action;
use brownout_models::setting::Clock;
use brownout_models::units::{Ns, Quantity, Rate};

impl Scenario {
    /// Ends the run at the end of an excerpt "FROM..TO" (times as in the file) and states rates over the part of the
    /// window that lies in it, or over all of it if none does. Evidence and expectations over times that do not lie in it
    /// are left out; their names are returned, and the beginning of the excerpt.
    ///
    /// # Errors
    /// What is wrong with the times.
    pub fn excerpt(&mut self, text: &str) -> Result<(Ns, Vec<String>), String> {
        let looks = || format!("an excerpt looks like \"11:30..12:30\" or \"20s..80s\", not \"{text}\"");
        let (from, to) = text.split_once("..").ok_or_else(looks)?;
        let (from, to) = (self.calendar.moment(from)?, self.calendar.moment(to)?);
        if from >= to {
            return Err(format!("the excerpt {text} ends before it begins"));
        }
        let mut left = Vec::new();
        let inside = |over: (Ns, Ns)| over.0 >= from && over.1 <= to;
        self.evidence.retain(|evidence| {
            let stays = inside(evidence.over);
            if !stays {
                left.push(format!("evidence {}", evidence.id));
            }
            stays
        });
        self.expect.retain(|expect| {
            let stays = match expect.condition.stretch {
                Stretch::Fixed(a, b) => inside((a, b)),
                Stretch::During(_) | Stretch::Before(_) | Stretch::After(..) => true,
            };
            if !stays {
                left.push(format!("expectation `{}`", expect.text));
            }
            stays
        });
        let window = (self.window.0.max(from), self.window.1.min(to));
        self.window = if window.0 < window.1 { window } else { (from, to) };
        self.span = to;
        self.plan.end = to;
        self.options.push(format!("--excerpt {text}"));
        Ok((from, left))
    }

    /// A smaller (or larger) world in proportion: `share` of all rates, servers, stores' places and headroom, and of what
    /// clients and the balancer's log keep together. Fleets keep at least one server.
    ///
    /// # Errors
    /// If a part of it cannot be had: a trace stays as it was recorded.
    pub fn scale(&mut self, share: f64, shown: &str) -> Result<(), String> {
        if !(share > 0.0 && share.is_finite()) {
            return Err(format!("a scale is a share above zero, not {shown}"));
        }
        let spec = &mut self.plan.spec;
        if let Some((name, _)) = spec.clients.iter().find(|(_, clients)| clients.trace.is_some()) {
            return Err(format!("clients `{name}` replay a trace, which cannot be scaled"));
        }
        let calls = |n: u64| ((n as f64 * share) as u64).max(1);
        let part = |n: u32| ((f64::from(n) * share).round() as u32).max(1);
        for (_, clients) in &mut spec.clients.0 {
            clients.rate = Rate(clients.rate.0 * share);
            clients.calls = clients.calls.map(calls);
            if let Some(offline) = &mut clients.offline {
                offline.capacity = offline.capacity.map(calls);
            }
        }
        if let Some(log) = &mut spec.balancer.log {
            log.capacity = log.capacity.map(calls);
        }
        spec.fleets.0.iter_mut().for_each(|(_, fleet)| fleet.count = part(fleet.count));
        for (_, store) in &mut spec.stores.0 {
            store.concurrency = store.concurrency.map(part);
            store.connections = store.connections.map(part);
            if let Some(headroom) = &mut store.headroom {
                let levels =
                    [&mut headroom.at_start, &mut headroom.alert, &mut headroom.stop, &mut headroom.restored_to];
                levels.into_iter().for_each(|level| *level = Quantity(level.0 * share));
                headroom.background = Rate(headroom.background.0 * share);
            }
        }
        for entry in &mut spec.timeline {
            match &mut entry.action {
                Action::TakeDown(action) => action.count = part(action.count),
                Action::BringBack(action) => action.count = part(action.count),
                Action::Replay(action) => action.rate = Rate(action.rate.0 * share),
                _ => {}
            }
        }
        self.options.push(format!("--scale {shown}"));
        Ok(())
    }
}
