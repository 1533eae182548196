//! What a report shows of the document that `brownout hunt --json` prints.

use serde::Deserialize;

/// A hunt, as far as it is shown. Keys that are not here are passed over.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Hunted {
    /// The scenario file.
    pub scenario: String,
    /// The design in force.
    pub design: String,
    /// What was hunted for: conditions, or a metric.
    pub hunted: Vec<String>,
    /// Most faults of a schedule.
    pub faults: u64,
    /// Schedules tried.
    pub runs: u64,
    /// Why it ended: "found", "runs".
    pub ended: String,
    /// Runs in which an expectation had nothing to judge.
    pub vacuous: u64,
    /// The kinds of fault that could be drawn.
    pub kinds: Vec<Kind>,
    /// What was found, one for each expectation.
    pub found: Vec<Found>,
    /// The worst that was found for a metric.
    pub worst: Option<Worst>,
}

/// A kind of fault.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Kind {
    /// How often one of it changed anything.
    pub took_effect: u64,
}

/// The smallest schedule that violates an expectation.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Found {
    /// The expectation.
    pub condition: String,
    /// Why it is violated.
    pub why: String,
    /// In how many runs it was.
    pub violated: u64,
    /// The faults, in words.
    pub schedule: Vec<String>,
    /// How many there were before it was made smaller.
    pub faults_before: u64,
    /// Under how many of how many further seeds it fails, too.
    pub other_seeds: (u64, u64),
    /// What happens.
    pub story: Vec<Line>,
    /// How much milder it would have to be.
    pub safe: Vec<Safe>,
    /// The line that repeats it.
    #[serde(default)]
    pub repeat: Option<String>,
}

/// A line of a story.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Line {
    /// Wall clock.
    pub at: String,
    /// What happens.
    pub what: String,
}

/// The nearest value of a fault that was tried and is safe.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Safe {
    /// The fault.
    pub fault: String,
    /// Its key.
    pub key: String,
    /// Its value, which is not safe.
    pub fails: String,
    /// The value that is; none: not even the mildest.
    #[serde(default)]
    pub safe: Option<String>,
}

/// The schedule that makes a metric worst.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Worst {
    /// The metric.
    pub metric: String,
    /// Without any fault.
    #[serde(default)]
    pub without: Option<String>,
    /// With the schedule.
    pub value: String,
    /// The faults, in words.
    pub schedule: Vec<String>,
    /// What happens.
    pub story: Vec<Line>,
    /// The line that repeats it.
    #[serde(default)]
    pub repeat: Option<String>,
}
