//! What a hunt came to: a document, versioned, grown only by addition.

use super::coverage::Place;
use serde::{Deserialize, Serialize};

/// Version of the document that a [`Report`] is.
pub const VERSION: u32 = 1;

/// The result of a hunt. The same for the same question on any machine, but for where a bound on time ended it.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Report {
    /// Layout of this document.
    pub version: u32,
    /// The scenario file, as named on the command line.
    pub scenario: String,
    /// Its title.
    pub title: String,
    /// The design in force.
    pub design: String,
    /// Where the hunt began.
    pub seed: u64,
    /// What was hunted for: conditions of the expectations, or the metric.
    pub hunted: Vec<String>,
    /// Most faults of a schedule.
    pub faults: usize,
    /// The worst severity, from 0 (mild) to 1 (extreme).
    pub severity: f64,
    /// Schedules tried, those of the corpus included, those of shrinking not.
    pub runs: u64,
    /// Of those, taken from the corpus.
    pub from_corpus: u64,
    /// Files of the corpus that were left out, as they reach beyond the end of the run.
    pub left_out: Vec<String>,
    /// Schedules of the corpus now.
    pub corpus: usize,
    /// Why it ended: "found", "runs", "time", "nothing new", "interrupted", "fails without faults", "not saved"; of a
    /// schedule from a file "shrunk", or "holds".
    pub ended: String,
    /// Runs in which an expectation had nothing to judge.
    pub vacuous: u64,
    /// Runs that were broken off because they had too many events.
    pub limited: u64,
    /// The kinds of fault that could be drawn.
    pub kinds: Vec<KindCount>,
    /// What was reached, and in how many runs; 0: never.
    pub coverage: Vec<(Place, u64)>,
    /// The run at which something was reached for the first time, for the last time.
    pub last_new: u64,
    /// What was found, one per expectation.
    pub found: Vec<Found>,
    /// The worst that was found for a metric.
    pub worst: Option<Worst>,
    /// Why the corpus was not kept to the end; the hunt ended there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corpus_unsaved: Option<String>,
}

impl Report {
    /// What was to be written into files and could not be, with the reasons.
    pub fn unsaved(&self) -> Vec<&str> {
        let found = self.found.iter().map(|found| &found.unsaved);
        let worst = self.worst.iter().map(|worst| &worst.unsaved);
        [&self.corpus_unsaved].into_iter().chain(found).chain(worst).filter_map(|why| why.as_deref()).collect()
    }

    /// Whether nothing was found and that shows nothing: no fault ever changed anything, or no run had anything to judge.
    pub fn shows_nothing(&self) -> bool {
        let no_effect = self.kinds.iter().all(|kind| kind.took_effect == 0);
        self.found.is_empty() && self.runs > 0 && (no_effect || (self.worst.is_none() && self.vacuous == self.runs))
    }
}

/// A kind of fault.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct KindCount {
    /// Its word.
    pub kind: String,
    /// How often it was in a schedule.
    pub drawn: u64,
    /// How often one of those changed anything.
    pub took_effect: u64,
}

/// The smallest schedule found that violates an expectation.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Found {
    /// The expectation's condition.
    pub condition: String,
    /// Its kind: "always", "eventually".
    pub kind: String,
    /// The line of the scenario file where it stands.
    pub line: u64,
    /// Why it is violated.
    pub why: String,
    /// In how many runs it was violated.
    pub violated: u64,
    /// The schedule in words, a fault each.
    pub schedule: Vec<String>,
    /// The schedule as entries of a timeline.
    pub toml: String,
    /// The seed under which it fails.
    pub seed: u64,
    /// How many faults it had before it was made smaller.
    pub faults_before: usize,
    /// Schedules tried to make it smaller.
    pub shrinking: u64,
    /// Whether every smaller schedule was tried.
    pub smallest: bool,
    /// Under how many of how many further seeds it fails, too.
    pub other_seeds: (u64, u64),
    /// What happens, line by line.
    pub story: Vec<StoryLine>,
    /// How much milder it would have to be.
    pub safe: Vec<Safe>,
    /// Numbers of the scenario that would have made it harmless, if they were asked for.
    pub remedies: Vec<Remedy>,
    /// The file that holds it.
    pub file: Option<String>,
    /// The line that repeats it.
    pub repeat: Option<String>,
    /// Why there is no file although one was wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsaved: Option<String>,
}

/// A number of the scenario that, changed alone, makes a find harmless.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Remedy {
    /// Its path: "fleets.web.calls.recommend.timeout".
    pub path: String,
    /// Its value in the file.
    pub value: String,
    /// The nearest value tried within its range that helps.
    pub safe: String,
}

/// A line of a story.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct StoryLine {
    /// Seconds since the start of the run.
    pub at_s: f64,
    /// Wall clock.
    pub at: String,
    /// What happens.
    pub what: String,
}

/// How much milder a fault would have to be: the nearest value that was tried and is safe.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Safe {
    /// The fault in words.
    pub fault: String,
    /// What of it: its key.
    pub key: String,
    /// Its value, which is not safe.
    pub fails: String,
    /// The nearest value that is; none: not even the mildest.
    pub safe: Option<String>,
}

/// The schedule within the budget that makes a metric worst.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Worst {
    /// The metric.
    pub metric: String,
    /// Without any fault.
    pub without: Option<String>,
    /// The same as a bare number: more is worse.
    #[serde(skip)]
    pub(super) quiet: Option<f64>,
    /// The worst that was seen.
    pub worst: Option<String>,
    /// With what is left of that schedule after it was made smaller.
    pub value: String,
    /// The schedule in words, a fault each.
    pub schedule: Vec<String>,
    /// The schedule as entries of a timeline.
    pub toml: String,
    /// The seed.
    pub seed: u64,
    /// What happens.
    pub story: Vec<StoryLine>,
    /// The file that holds it.
    pub file: Option<String>,
    /// The line that repeats it.
    pub repeat: Option<String>,
    /// Why there is no file although one was wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsaved: Option<String>,
}
