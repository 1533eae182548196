//! The life of one call, in words.

use super::{Life, Stand, What};
use brownout_models::kernel::Fact;
use brownout_models::ledger::{Cause, Seen};
use brownout_models::units::Ns;
use brownout_models::world::{Back, Front, QueryState, World};
use brownout_scenarios::Scenario;
use serde::Serialize;

/// A call's story.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Story {
    /// Its number, from 1, in the order in which calls are offered.
    pub number: u64,
    /// Its kind: "track".
    pub kind: String,
    /// Its population: "browsers".
    pub population: String,
    /// When it was offered, in seconds since the start of the run.
    pub offered_s: f64,
    /// The same on the scenario's clock.
    pub offered_at: String,
    /// What happened to it, in order.
    pub moments: Vec<Moment>,
    /// What became of its data, in a sentence.
    pub data: String,
    /// What became of its client, in a sentence.
    pub client: String,
    /// Whether a signal broke the run off before the call was over, which the follower of the call knows.
    pub interrupted: bool,
}

/// One thing that happened.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Moment {
    /// When, in seconds since the start of the run.
    pub at_s: f64,
    /// Seconds since the call was offered.
    pub after_s: f64,
    /// The same on the scenario's clock.
    pub at: String,
    /// What.
    pub what: String,
}

/// Puts a life into words.
pub fn tell(scenario: &Scenario, world: &World, life: &Life) -> Story {
    let (name, clients) = &scenario.plan.spec.clients.0[life.population as usize];
    let mut teller = Teller { world, servers: world.server_names(), before: Vec::new(), attempts: 0, said: Vec::new() };
    for change in &life.changes {
        if let Some(what) = teller.says(&change.what) {
            // The first is sent when it is offered; how long it takes to the balancer is part of the story.
            let first = teller.said.is_empty() && matches!(change.what, What::Fact(Fact::Attempt(_)));
            teller.said.push((if first { life.offered } else { change.at }, what));
        }
    }
    let moment = |(at, what): &(Ns, String)| Moment {
        at_s: at.as_secs(),
        after_s: at.minus(life.offered).as_secs(),
        at: scenario.calendar.clock(*at),
        what: what.clone(),
    };
    let (data, client) = fates(life);
    Story {
        number: life.number,
        kind: clients.sends.text.clone(),
        population: name.text.clone(),
        offered_s: life.offered.as_secs(),
        offered_at: scenario.calendar.clock(life.offered),
        moments: teller.said.iter().map(moment).collect(),
        data,
        client,
        interrupted: false,
    }
}

/// A sentence of the ledger's words without the status behind it, to stand within another.
fn plainly(doc: &str) -> String {
    let doc = doc.trim().trim_end_matches('.');
    let doc = doc.rsplit_once(" (").filter(|(_, status)| status.ends_with(')')).map_or(doc, |(head, _)| head);
    let mut letters = doc.chars();
    letters.next().map_or(String::new(), |first| first.to_lowercase().chain(letters).collect())
}

/// What became of the data and of the client.
fn fates(life: &Life) -> (String, String) {
    let facts =
        life.changes.iter().filter_map(|change| if let What::Fact(fact) = &change.what { Some(fact) } else { None });
    let (mut data, mut client) =
        ("in flight when the run ended".to_string(), "still waiting when the run ended".to_string());
    for fact in facts {
        match fact {
            Fact::Stored(_, false) => data = "stored".into(),
            Fact::Stored(_, true) => data = "stored after its client had left (a zombie)".into(),
            Fact::Late(_) => data = "stored late".into(),
            Fact::Dropped(_, cause) => data = format!("dropped ({}): {}", cause.word(), plainly(cause.doc())),
            Fact::LostAfterOk(_) => data.push_str(", although its client had been told ok"),
            Fact::Ok(_, latency) => client = format!("ok after {}", latency_of(*latency)),
            Fact::Failed(_, seen) => client = format!("failed: {}", saw(*seen)),
            _ => {}
        }
    }
    (data, client)
}

fn saw(seen: Seen) -> String {
    match seen {
        Seen::Timeout => "no answer within its timeout".into(),
        status => format!("saw a {}", status.word()),
    }
}

/// A length of time to a microsecond.
fn latency_of(time: Ns) -> String {
    Ns((time.0 + 500) / 1000 * 1000).to_string()
}

struct Teller<'a> {
    world: &'a World,
    servers: Vec<String>,
    /// Where each try stood before.
    before: Vec<Option<Stand>>,
    attempts: u64,
    said: Vec<(Ns, String)>,
}

impl Teller<'_> {
    fn says(&mut self, what: &What) -> Option<String> {
        match what {
            What::Fact(fact) => self.fact(fact),
            // Its client has left long ago, or waits for another try: nothing of this is seen outside.
            What::Over(_, None | Some(Cause::ClientLeft)) => None,
            What::Over(number, Some(cause)) => {
                let before = self.before.get(*number).copied().flatten();
                if before.is_some_and(|stand| stand.depth > 0 || stand.errand) {
                    return None; // what became of it is said by those who asked
                }
                let attempt = before.map_or(1, |stand| stand.attempt);
                Some(format!("attempt {attempt} has failed: {}", cause_words(*cause)))
            }
            What::Stands(number, stand) => {
                if self.before.len() <= *number {
                    self.before.resize(number + 1, None);
                }
                let before = self.before[*number].replace(*stand);
                let words = self.moved(before.as_ref(), stand)?;
                if stand.depth > 0 || stand.errand {
                    // A tree: what is asked for stands below the one that asks.
                    let deep = usize::from(stand.depth) + usize::from(stand.errand);
                    return Some(format!("{} {words}", ">".repeat(deep)));
                }
                // More than one try at once is told apart by the attempt.
                Some(if self.attempts > 1 && !stand.replay {
                    format!("attempt {}: {words}", stand.attempt)
                } else {
                    words
                })
            }
        }
    }

    fn fact(&mut self, fact: &Fact) -> Option<String> {
        Some(match fact {
            Fact::Attempt(_) => {
                self.attempts += 1;
                match self.attempts {
                    1 => "its client sends it".into(),
                    n => format!("its client sends it again: attempt {n}"),
                }
            }
            Fact::Ok(_, latency) => format!("its client has its answer, {} after it was offered", latency_of(*latency)),
            Fact::Failed(_, seen) => format!("its client gives up: {}", saw(*seen)),
            Fact::Stored(_, false) => "its data is stored".into(),
            Fact::Stored(_, true) => "its data is stored, although its client has left: a zombie".into(),
            Fact::Late(_) => "its data is stored, late".into(),
            Fact::Duplicate(..) => "it is executed again, although its data is stored: a duplicate".into(),
            Fact::Dropped(_, cause) => {
                format!("its data is lost, nothing can execute it any more: {}", cause_words(*cause))
            }
            Fact::LostAfterOk(_) => "... and its client had been told ok".into(),
            Fact::Asked { .. }
            | Fact::AskTried { .. }
            | Fact::AskOver { .. }
            | Fact::Rotation { .. }
            | Fact::Process { .. }
            | Fact::FailsOpen { .. }
            | Fact::Fault { .. }
            | Fact::Outage { .. } => return None,
        })
    }

    /// What a change of stand means.
    fn moved(&self, before: Option<&Stand>, now: &Stand) -> Option<String> {
        let server = now.server.map_or("a server", |server| self.servers[server as usize].as_str());
        let store = now.store.map_or("the store", |store| self.world.spec.stores.0[store as usize].0.text.as_str());
        let changed = before.is_none_or(|b| {
            (b.back, b.server, b.dispatches, b.asks, b.asks_for)
                != (now.back, now.server, now.dispatches, now.asks, now.asks_for)
        });
        if now.back != Back::None && (changed || before.is_some_and(|b| b.query != now.query)) {
            return self.at_server(before, now, server, store);
        }
        if before.is_some_and(|b| b.back != Back::None) && now.back == Back::None {
            return Some(match now.front {
                Front::Waiting => format!("{server} answers"),
                Front::Closed => format!("{server} is done with it; nobody waits there any more"),
                _ => format!("{server} loses it"),
            });
        }
        let moved = before.is_none_or(|b| b.front != now.front || b.dispatches != now.dispatches);
        if moved {
            return self.at_balancer(before, now, server);
        }
        let left = now.client_gone && before.is_some_and(|b| !b.client_gone);
        left.then(|| "the balancer notices that its client has left".to_string())
    }

    fn at_balancer(&self, before: Option<&Stand>, now: &Stand, server: &str) -> Option<String> {
        let again = now.dispatches > 1;
        if now.depth > 0 && now.front == Front::Connecting {
            let again = if again { format!("try {}: ", now.dispatches) } else { String::new() };
            return Some(format!("{again}{server} is chosen, and connected to"));
        }
        Some(match now.front {
            Front::Pending if before.is_none() => return None,
            Front::Pending => format!("{server} cannot be reached; the balancer will try again"),
            Front::Queued => {
                "it reaches the balancer and waits in its queue: no server has a connection to spare".into()
            }
            Front::Connecting if again => format!("try {}: the balancer connects to {server}", now.dispatches),
            Front::Connecting => format!("it reaches the balancer, which chooses {server} and connects"),
            Front::Waiting => format!("{server} has the connection; the request is with it"),
            Front::Closed if now.depth > 0 => return None,
            Front::Closed => "the balancer is done with it".into(),
        })
    }

    fn at_server(&self, before: Option<&Stand>, now: &Stand, server: &str, store: &str) -> Option<String> {
        let source = if now.replay { "out of the spool: " } else { "" };
        let words = match now.back {
            Back::None => return None,
            Back::Queued => format!("it waits in the accept queue of {server}"),
            Back::Arriving => format!("{server} accepts; the request is on its way"),
            Back::Working if now.replay || now.errand => return None,
            Back::Working => format!("{server} works on it"),
            Back::AtBulkhead => format!("it waits for room in the bulkhead of {server}"),
            Back::AtPool => format!("{server} waits for a connection to {store}"),
            Back::Connecting => format!("{server} connects to {store}"),
            Back::Querying => match now.query {
                Some(QueryState::Sent) => format!("{server} asks {store}"),
                Some(QueryState::Waiting) => format!("its query waits its turn at {store}"),
                Some(QueryState::Running) => format!("{store} serves its query"),
                Some(QueryState::Hung) => format!("{store} has its query and says nothing"),
                None if before.is_some_and(|b| b.back == Back::Querying) => format!("{store} is done with its query"),
                None => format!("{server} asks {store}"),
            },
            Back::Pausing => format!("{server} pauses before it asks {store} again"),
            Back::AtSteps => format!("{server} waits for those that it asks"),
            Back::Calling => {
                let (fleet, plan) = now.asks_for?;
                let (name, spec) = &self.world.spec.fleets.0[fleet as usize];
                let kind = &spec.calls.0.get(plan as usize)?.0;
                let again = if now.dispatches > 1 { format!(", attempt {}", now.dispatches) } else { String::new() };
                format!("{server} asks for {}.{}{again}", name.text, kind.text)
            }
            Back::InFlight => format!("{server} waits for another call that gets the same key"),
            Back::Resting => format!("{server} pauses before it asks again"),
        };
        Some(format!("{source}{words}"))
    }
}

fn cause_words(cause: Cause) -> String {
    format!("{} ({})", plainly(cause.doc()), cause.word())
}
