//! What a run produced: one document, versioned, grown only by addition.
//!
//! This is what `brownout run --json` prints and what every report is made from. Times that end in `_s` are
//! seconds since the start of the run; `at` is the same time as the scenario's wall clock shows it. Rates
//! are fractions from 0 to 1. Everything except [`Meta`] is the same, byte for byte, for the same scenario,
//! seed and version on any machine.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of this document's layout.
pub const VERSION: u32 = 1;

/// The outcome of one run.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// Layout of this document.
    pub version: u32,
    /// The scenario file, as named on the command line.
    pub scenario: String,
    /// Its title.
    pub title: String,
    /// The design: the points of the axes taken, "isolation=bulkhead mechanism=crash-loop"; "as written" if none.
    pub design: String,
    /// The designs as asked for with `--design`.
    pub asked: Vec<String>,
    /// Overrides given with `--set`.
    pub set: Vec<String>,
    /// What carried the calls: "kernel", or "madsim" or "tokio" for the services.
    #[serde(default)]
    pub runtime: String,
    /// What else of the command line has changed the run: "--runtime madsim", "--scale 25%", "--excerpt 11:30..12:30".
    #[serde(default)]
    pub options: Vec<String>,
    /// The seed.
    pub seed: u64,
    /// Rolling digest of the domain facts, 16 hexadecimal digits.
    pub digest: String,
    /// Span and window of the run.
    pub span: Span,
    /// Whether the run reached its end, or why not ("interrupted", "limit of 1000000 events").
    pub ended: String,
    /// The ledger over the window: per kind of call ("track") and, where a kind has several populations, per
    /// population ("track.browsers").
    pub calls: BTreeMap<String, Totals>,
    /// Before, during and after what went wrong, over the whole run.
    #[serde(default)]
    pub phases: Phases,
    /// From the end of the last outage until at least 99% of all calls succeed for a minute; null without an outage
    /// that ends, or if that does not happen.
    pub recovery_s: Option<f64>,
    /// Servers in and out of rotation.
    pub rotation: Rotation,
    /// The fleets, over the whole run.
    pub fleets: BTreeMap<String, FleetTotals>,
    /// The stores, over the whole run.
    pub stores: BTreeMap<String, StoreTotals>,
    /// Who asks whom, and what comes of it; empty where no call has steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edges: Vec<EdgeTotals>,
    /// Outages of stores, in order of their beginning.
    pub outages: Vec<OutageSpan>,
    /// Faults of the timeline, in its order: whether and how often each took effect.
    #[serde(default)]
    pub faults: Vec<FaultTotals>,
    /// The day's marks: alerts, outages, operators' actions.
    pub events: Vec<Mark>,
    /// The run over time.
    pub timeline: Timeline,
    /// Evidence compared.
    pub evidence: Vec<Evidence>,
    /// Expectations that the design is held to, judged.
    #[serde(default)]
    pub expectations: Vec<Verdict>,
    /// What a reader of the scenario should know: keys without effect, and more.
    #[serde(default)]
    pub warnings: Vec<Warning>,
    /// Every number with its provenance.
    pub assumptions: Vec<Assumption>,
    /// What depends on the machine.
    pub meta: Meta,
}

/// When the run took place.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Span {
    /// Wall clock at the start ("2015-10-28 09:30:00"), or "0s" for scenarios without a calendar.
    pub from: String,
    /// Wall clock at the end.
    pub to: String,
    /// IANA zone, or empty.
    pub zone: String,
    /// Its abbreviation at the start ("PDT"), or empty.
    pub zone_abbreviation: String,
    /// Seconds from midnight of the first day to the start; 0 for scenarios without a calendar.
    pub from_time_of_day_s: f64,
    /// Length of the run.
    pub length_s: f64,
    /// Start of the window over which `calls` counts.
    pub window_from_s: f64,
    /// End of that window.
    pub window_to_s: f64,
}

/// The ledger of some calls, by the time at which they were offered; fates followed to the end of the run.
/// Always offered = stored + late + in_flight + dropped = ok + failed + waiting.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Calls that clients wanted to make.
    pub offered: u64,
    /// Data stored (for a read-only call: answered).
    pub stored: u64,
    /// Data stored late, from a spool or a replay.
    pub late: u64,
    /// Data lost: no attempt can be executed any more.
    pub dropped: u64,
    /// Data still on its way at the end of the run.
    pub in_flight: u64,
    /// Clients that got a 2xx in time.
    pub ok: u64,
    /// Clients that gave up.
    pub failed: u64,
    /// Clients still waiting at the end of the run.
    pub waiting: u64,
    /// Further executions of calls already stored.
    pub duplicates: u64,
    /// Executed although their client had left.
    pub zombies: u64,
    /// Client told ok, data lost afterwards.
    pub lost_after_ok: u64,
    /// Attempts sent, retries included.
    pub attempts: u64,
    /// dropped / offered.
    pub dropped_rate: f64,
    /// failed / offered.
    pub failed_rate: f64,
    /// Why calls were dropped.
    pub causes: BTreeMap<String, u64>,
    /// What clients that failed saw last.
    pub seen: BTreeMap<String, u64>,
    /// Latency of calls answered ok: mean, in milliseconds; null without any.
    pub latency_mean_ms: Option<f64>,
    /// The same as percentiles; null without any.
    #[serde(default)]
    pub latency_ms: Option<Percentiles>,
}

/// Before, during and after what went wrong: the outages of stores, from the first beginning to the last end; where no
/// store left service, the faults of the timeline.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Phases {
    /// "outage", "faults", or "nothing" if nothing went wrong.
    pub of: String,
    /// Its beginning; null if nothing went wrong.
    pub from_s: Option<f64>,
    /// Its end; null if nothing went wrong, or the run ended first.
    pub to_s: Option<f64>,
    /// Per kind of call, in order of time; a phase that takes no time is left out.
    pub calls: BTreeMap<String, Vec<Phase>>,
}

/// Calls of one kind that were offered in one phase, their fates followed to the end of the run.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Phase {
    /// "before", "during" or "after"; "run" if nothing went wrong.
    pub phase: String,
    /// Its beginning.
    pub from_s: f64,
    /// Its end.
    pub to_s: f64,
    /// Calls that clients wanted to make.
    pub offered: u64,
    /// Data stored, late or not (for a read-only call: answered).
    pub stored: u64,
    /// Data lost.
    pub dropped: u64,
    /// Clients that gave up.
    pub failed: u64,
    /// Latency of calls answered ok, in milliseconds; null without any.
    pub latency_ms: Option<Percentiles>,
}

/// Servers in and out of rotation: those of the first fleet of the file, which is the one a scenario is about.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Rotation {
    /// The fleet.
    pub fleet: String,
    /// Names of its servers: "collectors-1".
    pub servers: Vec<String>,
    /// Whether servers start in rotation.
    pub starts_up: bool,
    /// How often each left rotation during the outage (over the whole run if there was none).
    pub downs: BTreeMap<String, u64>,
    /// Mean of `downs` over the servers.
    pub mean_downs: f64,
    /// How often each server's process died, over the whole run.
    pub crashes: BTreeMap<String, u64>,
    /// Mean number of servers in rotation over the outage (over the whole run if there was none).
    pub mean_in_rotation: f64,
    /// From the start of the outage (of the first fault, if no store left service) to the first server that left rotation;
    /// null if none did.
    pub first_ejection_s: Option<f64>,
    /// From the end of the outage (of the last fault, if no store left service) until every server was in rotation for
    /// good; null if that did not happen.
    pub all_up_after_s: Option<f64>,
    /// Per server the times at which it left and re-entered rotation, in turn; leaving first where it starts up.
    pub changes_s: BTreeMap<String, Vec<f64>>,
}

/// A fleet over the whole run.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct FleetTotals {
    /// Its servers.
    pub servers: u64,
    /// How often a process of it died.
    pub crashes: u64,
}

/// A store over the whole run: the load that servers put on it.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct StoreTotals {
    /// Queries and appends sent to it, those of health checks included.
    pub queries: u64,
    /// Connections that servers tried to open to it.
    pub connects: u64,
    /// Lookups that it answered as a cache; null for a store that is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookups: Option<u64>,
    /// Of these, those that hit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hits: Option<u64>,
}

/// One that asks and one that is asked.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct EdgeTotals {
    /// The fleet that asks, or "clients".
    pub caller: String,
    /// The fleet or the store that is asked.
    pub callee: String,
    /// On behalf of the calls that were offered in the window.
    pub window: EdgePhase,
    /// The same before, during and after what went wrong, over the whole run.
    pub phases: Vec<EdgePhase>,
}

/// Asks over an edge, on behalf of the clients' calls that were offered in one stretch of time.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct EdgePhase {
    /// "window", or the phase: "before", "during", "after", "run".
    pub phase: String,
    /// Asks that the caller sent, its further attempts included.
    pub attempts: u64,
    /// As often as a balancer sent these to a server; 0 for stores, and for clients.
    pub tries: u64,
    /// Answered well, in time.
    pub ok: u64,
    /// Failed, refused or given up.
    pub failed: u64,
    /// Tries (where there are none, attempts) per call offered whose kind may lead there; null without such calls.
    pub amplification: Option<f64>,
    /// Time of the asks answered well, in milliseconds; null without any.
    pub latency_ms: Option<Percentiles>,
}

/// An outage of a store.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct OutageSpan {
    /// The store.
    pub store: String,
    /// The modes at its onset: "hang".
    pub mode: String,
    /// Its beginning.
    pub from_s: f64,
    /// Its end; null if the run ended first.
    pub to_s: Option<f64>,
}

/// A fault of the timeline. One without effects never changed anything: it missed its target, or met no load.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct FaultTotals {
    /// Its place in the timeline, from 0.
    pub entry: u64,
    /// Its id, if it has one.
    pub id: Option<String>,
    /// Its kind: "hang".
    pub kind: String,
    /// What it is: "hang of identify".
    pub what: String,
    /// Its first beginning; null if it never began.
    pub from_s: Option<f64>,
    /// Its last end; null if it never began, or the run ended first.
    pub to_s: Option<f64>,
    /// Every time during which it was in force, in order of the beginnings.
    pub spells: Vec<FaultSpell>,
    /// How many calls, queries, connects, checks or servers it changed.
    pub effects: u64,
    /// What these are: "writes that got an error".
    pub counts: String,
}

/// A time during which a fault was in force.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct FaultSpell {
    /// Its beginning.
    pub from_s: f64,
    /// Its end; null if the run ended first.
    pub to_s: Option<f64>,
}

/// Something that happened.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Mark {
    /// When.
    pub at_s: f64,
    /// Wall clock.
    pub at: String,
    /// What, in a few words.
    pub what: String,
    /// When it happened on the day, where the scenario says so.
    pub expected_at: Option<String>,
}

/// The run in steps.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Timeline {
    /// Length of a step; the last may be shorter.
    pub step_s: f64,
    /// The steps.
    pub steps: Vec<Step>,
}

/// One step. Calls count in the step in which they were offered.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Step {
    /// Its beginning.
    pub t_s: f64,
    /// Wall clock of its beginning.
    pub at: String,
    /// Per kind of call.
    pub calls: BTreeMap<String, StepCalls>,
    /// Mean number of servers of the first fleet in rotation.
    pub in_rotation: f64,
    /// Per store, at the end of the step.
    pub stores: BTreeMap<String, StoreGauge>,
    /// Calls queued at the balancer, at the end of the step.
    pub balancer_queue: u64,
    /// Lost calls kept for a replay, in the balancer's log or by clients, at the end of the step.
    #[serde(default)]
    pub kept: u64,
    /// Per fleet, at the end of the step.
    pub fleets: BTreeMap<String, FleetGauge>,
}

/// One kind of call in one step.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct StepCalls {
    /// Calls offered.
    pub offered: u64,
    /// Of those, dropped in the end, by cause.
    pub dropped: BTreeMap<String, u64>,
    /// Of those, failed for their client.
    pub failed: u64,
    /// Of those, stored late.
    #[serde(default)]
    pub late: u64,
    /// Of those, the latency of the calls answered ok, in milliseconds; null without any.
    pub latency_ms: Option<Percentiles>,
}

/// Percentiles, accurate to 1%.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Percentiles {
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Largest.
    pub max: f64,
}

/// A store at an instant.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct StoreGauge {
    /// "up", or the outage modes in force joined by "+".
    pub state: String,
    /// Headroom left; null where the store has none.
    pub headroom: Option<f64>,
    /// Queries running.
    pub running: u64,
    /// Queries waiting to run, or hung.
    pub waiting: u64,
}

/// A fleet at an instant.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct FleetGauge {
    /// Servers in rotation.
    pub in_rotation: u64,
    /// Processes alive.
    pub alive: u64,
    /// Calls waiting to be accepted, all servers.
    pub accept_queue: u64,
    /// Workers (or cores) busy, all servers.
    pub busy: u64,
    /// Calls accepted and not answered, all servers.
    pub pending: u64,
    /// Calls in spools, all servers.
    #[serde(default)]
    pub spooled: u64,
    /// Connections to stores open, all servers.
    pub pool_open: u64,
    /// Calls waiting for a connection, all servers.
    pub pool_waiting: u64,
}

/// Evidence from the day, compared with the run.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Evidence {
    /// Its id: "E2".
    pub id: String,
    /// What it says.
    pub says: String,
    /// The metric: "track.dropped_rate".
    pub metric: String,
    /// What was observed, as the scenario writes it.
    pub observed: String,
    /// What the run gave, written alike.
    pub simulated: String,
    /// The bare number behind `simulated` (a rate, a count or seconds), if there is one.
    pub value: Option<f64>,
    /// "met", "not met", "fitted" (met, but something was calibrated to it), "fit missed".
    pub verdict: String,
}

/// Whether an expectation holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// It holds, and could have failed.
    #[default]
    Holds,
    /// It could not have failed, or what it waits for was not seen: nothing is shown.
    Vacuous,
    /// It does not hold.
    Violated,
}

impl Standing {
    /// The word of the document.
    pub fn word(self) -> &'static str {
        match self {
            Standing::Holds => "holds",
            Standing::Vacuous => "vacuous",
            Standing::Violated => "violated",
        }
    }
}

/// An expectation, judged by a run. Values are bare numbers in base units: a fraction, a count, or seconds.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Verdict {
    /// "always", "eventually" or "sometimes".
    pub kind: String,
    /// The condition as written: "track.dropped_rate < 0.1% during outage".
    pub condition: String,
    /// What it means, as the file says; may be empty.
    pub says: String,
    /// The line of the file where it stands, from 1.
    pub line: u64,
    /// Whether it holds.
    pub standing: Standing,
    /// The limit.
    pub limit: f64,
    /// The value that decided: of `always` the worst, of `eventually` the last one that fails, of `sometimes` the first
    /// that passes, or else the nearest. Null where there is none, also where it never came.
    pub value: Option<f64>,
    /// How far that value is on the wrong side of the limit; negative on the right side; null without a value.
    pub excess: Option<f64>,
    /// When the condition first failed (`always`), began to hold to the end (`eventually`), or first held (`sometimes`).
    pub at_s: Option<f64>,
    /// The same on the scenario's clock.
    pub at: Option<String>,
    /// Parts of the window that have a value: steps, or 1 where it is taken as one.
    pub parts: u64,
    /// Parts in which the condition fails.
    pub failing: u64,
    /// Why, in a sentence.
    pub why: String,
}

/// The worst standing of some verdicts; none without any.
pub fn worst(verdicts: &[Verdict]) -> Option<Standing> {
    verdicts.iter().map(|v| v.standing).max()
}

/// What is said of one place of the scenario.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Warning {
    /// What is the matter: "this key has no effect here".
    pub message: String,
    /// The reason, or what to do about it.
    pub help: String,
    /// The file, or the option of the command line.
    pub source: String,
    /// Line, from 1.
    pub line: u64,
    /// Column in characters, from 1.
    pub column: u64,
}

/// A number of the scenario and why it is what it is.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Assumption {
    /// Its path: "fleets.collectors.workers".
    pub path: String,
    /// Its value as written.
    pub value: String,
    /// "reported", "inferred", "assumed", "calibrated", "set by hand" or "unmarked".
    pub mark: String,
    /// The evidence, the reason, or the evidence calibrated to.
    pub why: String,
    /// Lowest and highest value believed, as written.
    pub range: Option<(String, String)>,
}

/// What depends on the machine or the moment.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Meta {
    /// Version of Brownout.
    pub brownout: String,
    /// Events that the kernel handled. (The same everywhere, but may change when the kernel gets faster.)
    pub events: u64,
    /// Calls offered in the whole run.
    pub calls: u64,
    /// Wall time of the run.
    pub wall_s: f64,
    /// Most calls alive at once.
    pub calls_alive_max: u64,
}
