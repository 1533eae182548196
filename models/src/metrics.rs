//! The catalogue of metrics: what evidence and expectations may speak of.
//!
//! A metric is written `<subject>.<name>`: `track.dropped_rate`, `rotation.mean_downs`. The subject is a kind of
//! call (`track`), one population of it (`track.browsers`), `all` calls, or `rotation`. All are taken over a window of the
//! run, by the time at which calls were offered.

use crate::spec::WorldSpec;

/// What a metric is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subject {
    /// Some calls.
    Calls,
    /// The first fleet's servers in and out of rotation.
    Rotation,
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

/// One metric.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it is about.
    pub subject: Subject,
    /// How its value is written.
    pub unit: Unit,
    /// What it means.
    pub doc: &'static str,
}

const fn calls(name: &'static str, unit: Unit, doc: &'static str) -> Metric {
    Metric { name, subject: Subject::Calls, unit, doc }
}

const fn rotation(name: &'static str, unit: Unit, doc: &'static str) -> Metric {
    Metric { name, subject: Subject::Rotation, unit, doc }
}

/// Every metric.
pub const ALL: &[Metric] = &[
    calls("offered", Unit::Count, "Calls that clients wanted to make."),
    calls("stored", Unit::Count, "Calls whose data was stored (for a kind that only reads: answered)."),
    calls("dropped", Unit::Count, "Calls whose data was lost."),
    calls("failed", Unit::Count, "Calls whose client gave up."),
    calls("dropped_rate", Unit::Share, "dropped / offered."),
    calls("failed_rate", Unit::Share, "failed / offered."),
    calls("latency_mean", Unit::Duration, "Mean latency of the calls answered ok."),
    calls(
        "unavailable",
        Unit::Interval,
        "The longest stretch of steps in each of which at least 99% of the calls failed.",
    ),
    calls(
        "longest_drop",
        Unit::Duration,
        "The longest stretch of steps in each of which more than 90% of the calls were dropped.",
    ),
    calls(
        "recovery",
        Unit::Duration,
        "From the end of the last outage until at least 99% of the calls succeed for a minute.",
    ),
    calls("failing_until", Unit::Moment, "End of the last step in which more than 1% of the calls failed."),
    rotation(
        "first_ejection",
        Unit::Duration,
        "From the beginning of the outage to the first server that left rotation.",
    ),
    rotation("downs_mean", Unit::Count, "How often a server left rotation, mean over the servers."),
    rotation("in_rotation_mean", Unit::Count, "Servers in rotation, mean over the window."),
];

/// Finds the metric that a text names, and its subject.
///
/// # Errors
/// Says what is wrong, and the nearest right name.
pub fn find<'t>(text: &'t str, world: &WorldSpec) -> Result<(&'t str, &'static Metric), String> {
    let Some((subject, name)) = text.rsplit_once('.') else {
        return Err(format!("a metric looks like \"track.dropped_rate\", not \"{text}\""));
    };
    let about = if subject == "rotation" { Subject::Rotation } else { Subject::Calls };
    let known = || ALL.iter().filter(|m| m.subject == about);
    if about == Subject::Calls && populations(subject, world).is_empty() {
        let mut subjects = world.kinds();
        subjects.extend(["all", "rotation"]);
        return Err(format!("no calls \"{subject}\" to measure; there are: {}", subjects.join(", ")));
    }
    match known().find(|m| m.name == name) {
        Some(metric) => Ok((subject, metric)),
        None => {
            let names: Vec<_> = known().map(|m| m.name).collect();
            let help = match crate::setting::closest(name, names.iter().copied()) {
                Some(near) => format!("did you mean \"{subject}.{near}\"?"),
                None => format!("there are: {}", names.join(", ")),
            };
            Err(format!("no metric \"{name}\" of {subject}; {help}"))
        }
    }
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
