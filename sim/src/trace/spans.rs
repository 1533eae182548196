//! Lives laid out in time: what each call did where, from when until when.

use super::{Followed, Life, Stand, What};
use crate::outcome::{FaultTotals, Mark, OutageSpan};
use brownout_models::kernel::Fact;
use brownout_models::units::Ns;
use brownout_models::world::{Back, Front, QueryState, World};
use brownout_scenarios::Scenario;
use serde::Serialize;

/// A part of the world that has calls.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    /// Clients of a population.
    Clients(String),
    /// The balancer.
    Balancer,
    /// A server, by its place and name.
    Server(u32, String),
    /// A store.
    Store(String),
}

/// What a call did in one place.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Span {
    /// The call's number.
    pub call: u64,
    /// Its kind.
    pub kind: String,
    /// Where.
    pub lane: Lane,
    /// What: "in the accept queue".
    pub what: String,
    /// From when.
    pub from: Ns,
    /// Until when.
    pub to: Ns,
    /// How it ended, for the span of a client: "ok", "failed: 503; dropped: refused". Empty elsewhere.
    pub fate: String,
}

/// Something that happened to a server.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Happened {
    /// When.
    pub at: Ns,
    /// The server.
    pub server: u32,
    /// Its name.
    pub name: String,
    /// What.
    pub what: &'static str,
}

/// A part of a run, laid out in time.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Spans {
    /// When the first call in it was offered.
    pub from: Ns,
    /// When the last call in it was over, or the run was.
    pub to: Ns,
    /// Calls in it.
    pub calls: u64,
    /// What they did, call by call.
    pub spans: Vec<Span>,
    /// Servers entering and leaving rotation.
    pub rotation: Vec<Happened>,
    /// Outages of stores.
    pub outages: Vec<OutageSpan>,
    /// Faults of the timeline.
    pub faults: Vec<FaultTotals>,
    /// Marks of the day.
    pub marks: Vec<Mark>,
}

/// Lays the lives of some calls out, and what happened meanwhile.
pub fn spans(scenario: &Scenario, followed: &Followed) -> Spans {
    let run = &followed.run;
    let from = followed.lives.iter().map(|life| life.offered).min().unwrap_or(Ns::ZERO);
    let last = |life: &Life| match life.over {
        true => life.changes.last().map_or(life.offered, |change| change.at),
        false => run.at(),
    };
    let to = followed.lives.iter().map(last).max().unwrap_or(from);
    let names = run.world().server_names();
    let mut spans = Vec::new();
    for life in &followed.lives {
        Layer { scenario, world: run.world(), names: &names, life, end: last(life) }.lay(&mut spans);
    }
    let mut rotation: Vec<Happened> = Vec::new();
    for (server, changes) in run.ledger().changes.iter().enumerate() {
        let within = changes.iter().filter(|(at, _)| *at >= from && *at <= to);
        rotation.extend(within.map(|(at, up)| Happened {
            at: *at,
            server: server as u32,
            name: names[server].clone(),
            what: if *up { "enters rotation" } else { "leaves rotation" },
        }));
    }
    rotation.sort_by_key(|happened| happened.at);
    let (outages, faults, marks) = crate::write_up::happenings(scenario, run);
    Spans { from, to, calls: followed.lives.len() as u64, spans, rotation, outages, faults, marks }
}

/// Lays one life out.
struct Layer<'a> {
    scenario: &'a Scenario,
    world: &'a World,
    names: &'a [String],
    life: &'a Life,
    end: Ns,
}

/// What a try does at one place, while it does it.
type Open = Option<(Lane, &'static str, Ns)>;

impl Layer<'_> {
    fn lay(&self, out: &mut Vec<Span>) {
        self.client(out);
        // Per try what it does at balancer, server and store.
        let mut open: Vec<[Open; 3]> = Vec::new();
        for change in &self.life.changes {
            let (number, now) = match &change.what {
                What::Stands(number, stand) => (*number, self.places(stand)),
                What::Over(number, _) => (*number, [None, None, None]),
                What::Fact(_) => continue,
            };
            if open.len() <= number {
                open.resize(number + 1, [None, None, None]);
            }
            for (open, now) in open[number].iter_mut().zip(now) {
                let same = match (&*open, &now) {
                    (Some((lane, what, _)), Some((next, does))) => lane == next && what == does,
                    _ => false,
                };
                if !same {
                    self.close(open.take(), change.at, out);
                    *open = now.map(|(lane, what)| (lane, what, change.at));
                }
            }
        }
        open.into_iter().flatten().for_each(|open| self.close(open, self.end, out));
    }

    fn close(&self, open: Open, at: Ns, out: &mut Vec<Span>) {
        if let Some((lane, what, from)) = open {
            out.push(self.span(lane, what, from, at));
        }
    }

    fn span(&self, lane: Lane, what: &str, from: Ns, to: Ns) -> Span {
        let kind = self.scenario.plan.spec.clients.0[self.life.population as usize].1.sends.text.clone();
        Span { call: self.life.number, kind, lane, what: what.into(), from, to, fate: String::new() }
    }

    /// The client's part: from the offer until it is done.
    fn client(&self, out: &mut Vec<Span>) {
        let mut until = self.end;
        let mut fate = Vec::new();
        for change in &self.life.changes {
            let What::Fact(fact) = &change.what else { continue };
            match fact {
                Fact::Ok(_, latency) => {
                    until = self.life.offered.plus(*latency);
                    fate.push("ok".to_string());
                }
                Fact::Failed(_, seen) => {
                    until = change.at;
                    fate.push(format!("failed: {}", seen.word()));
                }
                Fact::Stored(..) => fate.push("stored".into()),
                Fact::Late(_) => fate.push("stored late".into()),
                Fact::Dropped(_, cause) => fate.push(format!("dropped: {}", cause.word())),
                _ => {}
            }
        }
        let name = self.scenario.plan.spec.clients.0[self.life.population as usize].0.text.clone();
        let span =
            self.span(Lane::Clients(name), "waits for its answer", self.life.offered, until.max(self.life.offered));
        out.push(Span { fate: if fate.is_empty() { "under way".into() } else { fate.join("; ") }, ..span });
    }

    /// What a try does at the balancer, at its server and at its store.
    fn places(&self, stand: &Stand) -> [Option<(Lane, &'static str)>; 3] {
        let server = |server: u32| Lane::Server(server, self.names[server as usize].clone());
        let front = match stand.front {
            Front::Pending if stand.dispatches == 0 => None,
            Front::Pending => Some("between two tries"),
            Front::Queued => Some("in its queue"),
            Front::Connecting => Some("connecting to a server"),
            Front::Waiting => Some("waiting for the server"),
            Front::Closed => None,
        };
        let back = match stand.back {
            Back::None => None,
            Back::Queued => Some("in the accept queue"),
            Back::Arriving => Some("request on its way"),
            Back::Working => Some("working"),
            Back::AtBulkhead => Some("waiting for the bulkhead"),
            Back::AtPool => Some("waiting for a connection to the store"),
            Back::Connecting => Some("connecting to the store"),
            Back::Querying => Some("waiting for the store"),
            Back::Pausing | Back::Resting => Some("pausing before it asks again"),
            Back::AtSteps => Some("waiting for those it asks"),
            Back::Calling => Some("waiting for another service"),
            Back::InFlight => Some("waiting for another that gets the same key"),
        };
        let query = stand.query.map(|query| match query {
            QueryState::Sent => "query on its way",
            QueryState::Waiting => "query waiting its turn",
            QueryState::Running => "query running",
            QueryState::Hung => "query hung",
        });
        let store = |at: u16| Lane::Store(self.world.spec.stores.0[at as usize].0.text.clone());
        [
            front.map(|what| (Lane::Balancer, what)),
            back.zip(stand.server).map(|(what, at)| (server(at), what)),
            query.zip(stand.store).map(|(what, at)| (store(at), what)),
        ]
    }
}
