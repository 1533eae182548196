//! The catalogue of metrics: what evidence and expectations may speak of.
//!
//! A metric is written `<subject>.<name>`: `track.dropped_rate`, `rotation.downs_mean`. The subject is a kind of
//! call (`track`), one population of it (`track.browsers`), `all` calls, `rotation`, a fleet (`fleets.collectors`), a store
//! (`stores.identify`), `balancer`, or `ledger`. All are taken over a window of the run; those of calls by the time at which
//! the calls were offered, whose fates are followed to the end of the run.

use crate::spec::WorldSpec;

/// What a metric is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subject {
    /// Some calls.
    Calls,
    /// The first fleet's servers in and out of rotation.
    Rotation,
    /// A fleet, by name.
    Fleet,
    /// A store, by name.
    Store,
    /// The balancer.
    Balancer,
    /// The books themselves.
    Ledger,
}

impl Subject {
    /// Every one.
    pub const ALL: [Subject; 6] =
        [Subject::Calls, Subject::Rotation, Subject::Fleet, Subject::Store, Subject::Balancer, Subject::Ledger];

    /// How it is written: `<calls>`, `fleets.<name>`.
    pub fn pattern(self) -> &'static str {
        match self {
            Subject::Calls => "<calls>",
            Subject::Rotation => "rotation",
            Subject::Fleet => "fleets.<name>",
            Subject::Store => "stores.<name>",
            Subject::Balancer => "balancer",
            Subject::Ledger => "ledger",
        }
    }
}

/// How a metric's value is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// A part of a whole: "54%".
    Share,
    /// A number of things: "12".
    Count,
    /// A length of time: "10min".
    Duration,
    /// A time of the day: "18:08".
    Moment,
    /// From one time to another: ["11:46", "17:50"].
    Interval,
}

/// Over what a metric can be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Over any part of a window: also over each step of it.
    Part,
    /// Over any part of a window, but it adds up: a bound on it is one on the whole window.
    Total,
    /// Over a window as a whole: it takes several steps to show.
    Window,
    /// Over the run, from the outage on; a window says nothing about it.
    Run,
}

/// One metric.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it is about.
    pub subject: Subject,
    /// How its value is written.
    pub unit: Unit,
    /// Over what it can be taken.
    pub scope: Scope,
    /// What it means.
    pub doc: &'static str,
    /// Whether it looks at steps of the timeline one by one, so that its value hangs on how long they are (`step`). All
    /// others have the same value whatever the steps are.
    pub per_step: bool,
}

impl Metric {
    /// Whether it is a share of calls that something bad happened to: what designs are ranked by, less being better.
    pub fn is_loss(&self) -> bool {
        self.subject == Subject::Calls && matches!(self.name, "dropped_rate" | "failed_rate")
    }
}

const fn metric(subject: Subject, scope: Scope, name: &'static str, unit: Unit, doc: &'static str) -> Metric {
    Metric { name, subject, unit, scope, doc, per_step: false }
}

const fn per_step(metric: Metric) -> Metric {
    Metric { per_step: true, ..metric }
}

/// Every metric.
pub const ALL: &[Metric] = {
    use Scope::{Part, Run, Total, Window};
    use Subject::{Balancer, Calls, Fleet, Ledger, Rotation, Store};
    use Unit::{Count, Duration, Interval, Moment, Share};
    &[
        metric(Calls, Total, "offered", Count, "Calls that clients wanted to make."),
        metric(Calls, Total, "stored", Count, "Calls whose data was stored (for a kind that only reads: answered)."),
        metric(Calls, Total, "late", Count, "Of those, stored late: from a spool, a replay or a client's own queue."),
        metric(Calls, Total, "dropped", Count, "Calls whose data was lost."),
        metric(Calls, Total, "failed", Count, "Calls whose client gave up."),
        metric(
            Calls,
            Total,
            "lost_after_ok",
            Count,
            "Calls whose client was told ok and whose data was lost afterwards.",
        ),
        metric(Calls, Total, "duplicates", Count, "Executions of calls that were stored already."),
        metric(Calls, Total, "zombies", Count, "Executions of calls whose client had left."),
        metric(Calls, Part, "dropped_rate", Share, "dropped / offered."),
        metric(Calls, Part, "failed_rate", Share, "failed / offered."),
        metric(Calls, Part, "success_rate", Share, "Calls answered ok / offered."),
        metric(Calls, Part, "stored_rate", Share, "Calls whose data was stored, late or not / offered."),
        metric(Calls, Part, "amplification", Count, "Attempts that clients sent per call offered; without retries 1."),
        metric(Calls, Part, "latency_mean", Duration, "Mean latency of the calls answered ok."),
        metric(Calls, Part, "latency_p50", Duration, "Median latency of the calls answered ok; to 1%."),
        metric(Calls, Part, "latency_p99", Duration, "99th percentile of the latency of the calls answered ok; to 1%."),
        metric(Calls, Part, "latency_max", Duration, "Largest latency of a call answered ok; to 1%."),
        per_step(metric(
            Calls,
            Window,
            "unavailable",
            Interval,
            "The longest stretch of steps in each of which at least 99% of the calls failed; hangs on `step`.",
        )),
        per_step(metric(
            Calls,
            Window,
            "longest_drop",
            Duration,
            "The longest stretch of steps in each of which more than 90% of the calls were dropped; hangs on `step`.",
        )),
        metric(
            Calls,
            Run,
            "recovery",
            Duration,
            "From the end of the last outage (of the last fault, if no store left service) until at least 99% of the calls \
             succeed for a minute; to a second, or to 1% of it.",
        ),
        per_step(metric(
            Calls,
            Window,
            "failing_until",
            Moment,
            "End of the last step in which more than 1% of the calls failed; hangs on `step`.",
        )),
        metric(
            Rotation,
            Run,
            "first_ejection",
            Duration,
            "From the beginning of the outage (of the first fault, if no store left service) to the first server that left \
             rotation.",
        ),
        metric(Rotation, Total, "downs_mean", Count, "How often a server left rotation, mean over the servers."),
        metric(Rotation, Total, "downs_max", Count, "How often the server left rotation that left it most often."),
        metric(Rotation, Window, "flaps_per_hour", Count, "downs_max per hour of the window."),
        metric(Rotation, Part, "in_rotation_mean", Count, "Servers in rotation, mean over the window."),
        metric(
            Rotation,
            Part,
            "fail_open_share",
            Share,
            "Share of the time in which the balancer ignores health, as too few of the servers that operators let in are \
             healthy; 0 for a balancer that never does.",
        ),
        metric(Rotation, Part, "in_rotation_min", Count, "Fewest servers in rotation at any instant."),
        metric(Rotation, Part, "in_rotation_max", Count, "Most servers in rotation at any instant."),
        metric(Fleet, Total, "crashes", Count, "Processes that died."),
        metric(Fleet, Part, "alive_min", Count, "Fewest processes alive at any instant."),
        metric(
            Fleet,
            Part,
            "accept_queue_max",
            Count,
            "Most calls waiting to be accepted at any instant, all servers.",
        ),
        metric(Fleet, Part, "pending_max", Count, "Most calls accepted and not answered at any instant, all servers."),
        metric(
            Fleet,
            Part,
            "spooled_max",
            Count,
            "Most calls that one spool of a server held at any instant, those being written included.",
        ),
        metric(
            Store,
            Part,
            "amplification",
            Count,
            "Queries and appends sent to it, those of health checks included, per call offered that uses it.",
        ),
        metric(Store, Total, "queries", Count, "Queries and appends sent to it."),
        metric(Store, Total, "connects", Count, "Connections that servers tried to open to it."),
        metric(Store, Part, "waiting_max", Count, "Most queries waiting to run, or hung, at any instant."),
        metric(Store, Part, "headroom_min", Count, "Least headroom at any instant, where the store has some."),
        metric(Balancer, Part, "queue_max", Count, "Most calls queued at the balancer at any instant."),
        metric(Balancer, Part, "kept_max", Count, "Most lost calls kept for a replay at any instant."),
        metric(
            Ledger,
            Run,
            "unaccounted",
            Count,
            "Calls missing from the books at the end of the run: neither settled nor alive, neither answered nor waiting.",
        ),
    ]
};

/// The metric that a text names, and its subject.
///
/// # Errors
/// Says what is wrong, and the nearest right name.
pub fn find<'t>(text: &'t str, world: &WorldSpec) -> Result<(&'t str, &'static Metric), String> {
    let (subject, name) = split(text)?;
    let about = about(subject, world)?;
    named(subject, about, name).map(|metric| (subject, metric))
}

/// The metric that a text names, as far as that can be told without the world it is of.
///
/// # Errors
/// Says that no subject has a metric of that name.
pub fn find_anywhere(text: &str) -> Result<&'static Metric, String> {
    let (subject, name) = split(text)?;
    named(subject, about_by_form(subject), name)
}

fn split(text: &str) -> Result<(&str, &str), String> {
    text.rsplit_once('.').ok_or_else(|| format!("a metric looks like \"track.dropped_rate\", not \"{text}\""))
}

/// What a subject is about, by its form alone; calls, if by no other.
pub fn about_by_form(subject: &str) -> Subject {
    prefixed(subject).unwrap_or(Subject::Calls)
}

/// What a subject other than calls is about.
fn prefixed(subject: &str) -> Option<Subject> {
    match subject.split_once('.') {
        None if subject == "rotation" => Some(Subject::Rotation),
        None if subject == "balancer" => Some(Subject::Balancer),
        None if subject == "ledger" => Some(Subject::Ledger),
        Some(("fleets", _)) => Some(Subject::Fleet),
        Some(("stores", _)) => Some(Subject::Store),
        _ => None,
    }
}

fn about(subject: &str, world: &WorldSpec) -> Result<Subject, String> {
    if !populations(subject, world).is_empty() {
        return Ok(Subject::Calls);
    }
    let known = |what: &str, name: &str, names: Vec<&str>, about: Subject| match names.contains(&name) {
        true => Ok(about),
        false => Err(match crate::setting::closest(name, names.iter().copied()) {
            Some(near) => format!("no {what} \"{name}\" to measure; did you mean \"{what}s.{near}\"?"),
            None => format!("no {what} \"{name}\" to measure; there are: {}", names.join(", ")),
        }),
    };
    match (prefixed(subject), subject.split_once('.')) {
        (Some(Subject::Fleet), Some((_, name))) => known("fleet", name, world.fleets.names().collect(), Subject::Fleet),
        (Some(Subject::Store), Some((_, name))) => known("store", name, world.stores.names().collect(), Subject::Store),
        (Some(about), _) => Ok(about),
        (None, _) => {
            let mut subjects = world.kinds();
            subjects.extend(["all", "rotation", "fleets.<name>", "stores.<name>", "balancer", "ledger"]);
            let near = crate::setting::closest(subject, subjects.iter().copied());
            let help = near.map_or(format!("there are: {}", subjects.join(", ")), |n| format!("did you mean \"{n}\"?"));
            Err(format!("no calls \"{subject}\" to measure; {help}"))
        }
    }
}

fn named(subject: &str, about: Subject, name: &str) -> Result<&'static Metric, String> {
    let known = || ALL.iter().filter(|m| m.subject == about);
    known().find(|m| m.name == name).ok_or_else(|| {
        let names: Vec<_> = known().map(|m| m.name).collect();
        let help = match crate::setting::closest(name, names.iter().copied()) {
            Some(near) => format!("did you mean \"{subject}.{near}\"?"),
            None => format!("there are: {}", names.join(", ")),
        };
        format!("no metric \"{name}\" of {subject}; {help}")
    })
}

/// The populations that a subject takes together, by index: a kind, a population of it, or all.
pub fn populations(subject: &str, world: &WorldSpec) -> Vec<usize> {
    let clients = world.clients.iter().enumerate();
    let named = |name: &str, kind: &str| {
        subject == "all"
            || subject == kind
            || subject.strip_prefix(kind).and_then(|s| s.strip_prefix('.')) == Some(name)
    };
    clients.filter(|(_, (name, c))| named(name, &c.sends.text)).map(|(i, _)| i).collect()
}
