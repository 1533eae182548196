//! Which design helps, at what price, and how sure that is.
//!
//! [`Plan::new`] crosses axes into cells and loads them all, so that every mistake is known before anything runs;
//! [`Plan::run`] runs every cell on the same seeds and sums up: means with intervals, paired differences to a
//! baseline, costs, and which designs cannot be told apart. `docs/comparing.md` says what the figures assume.
//!
//! Not modelled: differences between axes in combination (interactions) as figures of their own.

mod choice;
mod flips;
mod plan;
mod runs;
mod safety;
mod summary;

pub use choice::{Pair, days, pairs};
pub use flips::{Reversal, reversals, safety_along};
pub use plan::Plan;

use brownout_scenarios::Diagnostics;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Version of the document that a [`Comparison`] is.
pub const VERSION: u32 = 1;

/// What to compare, as the command line says it.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The scenario file.
    pub path: &'a Path,
    /// Changes by hand that hold for every cell: "path=value".
    pub set: &'a [String],
    /// Designs that hold for every cell.
    pub design: &'a [String],
    /// Axes to cross: "isolation" for all its points or "isolation=shared,bulkhead"; all axes if there are none.
    pub axes: &'a [String],
    /// The axis that says what goes wrong rather than what is built; the first of a file of three or more if none.
    pub under: Option<&'a str>,
    /// Points of the baseline where they are not the defaults: "isolation=bulkhead".
    pub baseline: &'a [String],
    /// The metric to compare; the share of dropped calls of the first population's kind if none.
    pub metric: Option<&'a str>,
    /// Values to sweep: "path=4..64:3" or "path=4,8,64"; at most two.
    pub sweeps: &'a [String],
    /// Seeds per cell, at least 1; with a precision, those of the pilot.
    pub seeds: u64,
    /// The first of them.
    pub first_seed: u64,
    /// Half-width that every interval should have: 0.005 for 0.5pp.
    pub precision: Option<f64>,
    /// Most seeds per cell.
    pub max_seeds: u64,
    /// A run is bad where the metric reaches this.
    pub safe: f64,
    /// A design is safe where at most this share of runs is bad.
    pub bad_runs: f64,
    /// Whether to spend the runs that the word "safe" needs on those that look so.
    pub confirm: bool,
    /// Threads; as many as cores if none.
    pub jobs: Option<usize>,
    /// Whether to lose a call on purpose, to see that a broken ledger is noticed.
    pub lose_a_call: bool,
}

/// Why nothing was run.
#[derive(Debug)]
pub enum Failure {
    /// The command line asks for something that there is not; each with its next step.
    Usage(Vec<String>),
    /// Cells have mistakes: the cells in words ("mechanism=crash-loop isolation=shared and 3 more cells"), and what is
    /// wrong.
    Scenario(Vec<(String, Diagnostics)>),
    /// No threads could be had.
    Threads(String),
}

/// The result: a document, versioned, grown only by addition. The same for the same question on any machine.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Comparison {
    /// Layout of this document.
    pub version: u32,
    /// The scenario file, as named on the command line.
    pub scenario: String,
    /// Its title.
    pub title: String,
    /// Wall clock of the window that rates are stated over.
    pub window: (String, String),
    /// The metric: "track.dropped_rate".
    pub metric: String,
    /// Designs that hold for every cell, as asked for.
    pub asked: Vec<String>,
    /// Changes by hand that hold for every cell.
    pub set: Vec<String>,
    /// Seeds per cell that were asked for, those of the pilot.
    pub seeds: u64,
    /// The first of them.
    pub first_seed: u64,
    /// Half-width asked for.
    pub precision: Option<f64>,
    /// Most seeds per cell.
    pub max_seeds: u64,
    /// A run is bad where the metric reaches this.
    pub safe: f64,
    /// A design is safe where at most this share of runs is bad.
    #[serde(default = "bad_runs")]
    pub bad_runs: f64,
    /// What was run on top so that the word "safe" can be said; none where it was not asked for.
    #[serde(default)]
    pub confirm: Option<Confirm>,
    /// What was crossed: axes in the order of the file, then sweeps.
    pub dimensions: Vec<Dimension>,
    /// The dimension that says what goes wrong, if there is one.
    pub under: Option<usize>,
    /// The cells; the last dimension changes fastest.
    pub cells: Vec<Cell>,
    /// Cells compared with each other: what goes wrong and what is swept is the same in each panel.
    pub panels: Vec<Panel>,
    /// "complete", "interrupted" or "stopped".
    pub ended: String,
    /// Runs that have no result.
    pub troubles: Vec<Trouble>,
}

/// The share of bad runs up to which a design is safe, where a document does not say it.
fn bad_runs() -> f64 {
    0.05
}

/// Runs on seeds of their own for the cells that looked safe in the first ones: since the first runs picked them, only
/// these count.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Confirm {
    /// The cells picked.
    pub candidates: Vec<usize>,
    /// Runs of each beyond the first ones, enough for all of them to be called safe.
    pub runs: u64,
}

/// What the runs of a cell carry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Shown with 95% confidence for all cells of the comparison together: at most the share asked for of the runs is bad,
    /// and the mean lies below the limit with its whole interval.
    Safe,
    /// No run was bad, but there are too few to say more.
    LooksSafe,
    /// Some run was bad, and it is open whether more than the share asked for is.
    Undecided,
    /// Shown with 95% confidence for all cells together: more than the share asked for of the runs is bad.
    NotSafe,
}

impl Verdict {
    /// Whether no run was bad.
    pub fn is_quiet(self) -> bool {
        self <= Verdict::LooksSafe
    }

    /// The verdict in words.
    pub fn words(self) -> &'static str {
        match self {
            Verdict::Safe => "safe",
            Verdict::LooksSafe => "looks safe",
            Verdict::Undecided => "undecided",
            Verdict::NotSafe => "not safe",
        }
    }
}

/// How many runs of a cell are bad. The unit is the run: calls of one run are dropped together.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct BadRuns {
    /// Bad runs ...
    pub bad: u64,
    /// ... of so many.
    pub of: u64,
    /// At least this share of all runs is bad, with 95% confidence (Clopper and Pearson, one-sided; of this cell by itself).
    pub at_least: f64,
    /// At most this share is, with 95% confidence.
    pub at_most: f64,
}

/// An axis or a sweep.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Dimension {
    /// The axis, or the path of a sweep.
    pub name: String,
    /// Its points or values, as crossed.
    pub points: Vec<String>,
    /// Whether it is a sweep.
    pub sweep: bool,
    /// The value that the file has, of a sweep.
    pub written: Option<String>,
    /// The point of the baseline; none where each point has a baseline of its own.
    pub baseline: Option<usize>,
}

/// One design in one setting, under all its seeds.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Cell {
    /// Its place in every dimension.
    pub at: Vec<usize>,
    /// `--design` texts that make it.
    pub design: Vec<String>,
    /// `--set` texts that make it.
    pub set: Vec<String>,
    /// Its runs, by seed, the first first and none left out.
    pub runs: Vec<CellRun>,
    /// The metric; none until all seeds of the pilot are there, and where nothing was offered.
    pub estimate: Option<Estimate>,
    /// Whether it may be called safe; none without an estimate.
    pub safe: Option<bool>,
    /// What its runs carry; none without an estimate.
    #[serde(default)]
    pub verdict: Option<Verdict>,
    /// How many of its runs are bad; none without an estimate.
    #[serde(default)]
    pub bad_runs: Option<BadRuns>,
    /// How many more runs, none of them bad, would show that it is safe; none where it does not look so, or is.
    #[serde(default)]
    pub more_runs: Option<u64>,
    /// The cell it is compared with.
    pub baseline: usize,
    /// The metric here less that of the baseline, seed by seed; none for a baseline.
    pub difference: Option<Difference>,
    /// Whether more seeds were wanted than allowed.
    pub capped: bool,
    /// What the design costs; none without an estimate.
    pub costs: Option<Costs>,
}

/// How an interval came about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// Student's t over seeds, and not less than what the share of runs with any hit leaves open.
    #[default]
    Interval,
    /// No hit in any run: the share of runs that may have any (Clopper and Pearson), which bounds the mean too.
    Bound,
    /// Every seed gave the same, other than 0: no interval.
    Same,
    /// One seed only: no interval.
    Single,
}

/// A rate over seeds.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Estimate {
    /// Mean over seeds.
    pub mean: f64,
    /// Lower end of the 95% interval; none where there is none.
    pub low: Option<f64>,
    /// Upper end; of a cell without a hit the one-sided 95% bound.
    pub high: Option<f64>,
    /// What the two are.
    pub how: How,
    /// Seeds behind it.
    pub seeds: usize,
    /// Calls hit, all seeds together.
    pub hits: u64,
    /// Calls offered, all seeds together.
    pub offered: u64,
}

/// A difference over common seeds.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Difference {
    /// Mean.
    pub mean: f64,
    /// Lower end of the 95% interval; none for one seed, and where every seed gave the same difference.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Common seeds.
    pub seeds: usize,
}

/// What is kept of one run.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct CellRun {
    /// The seed.
    pub seed: u64,
    /// The metric; none where nothing was offered.
    pub rate: Option<f64>,
    /// Calls that it counts.
    pub hits: u64,
    /// Of these.
    pub offered: u64,
    /// Digest of the run.
    pub digest: String,
    /// Costs of the run.
    pub costs: Costs,
}

/// What a design costs, in one run or in the mean over seeds.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Costs {
    /// Per kind of call.
    pub calls: BTreeMap<String, CallCosts>,
    /// Servers of all fleets.
    pub servers: f64,
    /// Queries and appends sent to each store.
    pub queries: BTreeMap<String, f64>,
    /// From the end of the outage until calls succeed again, mean of the runs in which they did.
    pub recovery_s: Option<f64>,
    /// Part of the runs in which an outage ended and calls did not recover.
    pub not_recovered: f64,
    /// How often a server of the first fleet left rotation, mean over servers.
    pub flaps: f64,
}

/// What a design costs one kind of call, as shares of the calls offered.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct CallCosts {
    /// Stored late.
    pub late: f64,
    /// Lost.
    pub lost: f64,
}

/// Cells that differ in design alone.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Panel {
    /// The points that all its cells share: dimension and point.
    pub at: Vec<(usize, usize)>,
    /// Its cells with an estimate.
    pub cells: Vec<usize>,
    /// Pairs tested, each with Holm's correction for those of all panels together.
    pub pairs: usize,
    /// Cells of which none can be told apart from any other of its group, the lowest mean first; alone where a cell
    /// can be told apart from its neighbours.
    pub groups: Vec<Vec<usize>>,
    /// Pairs told apart, the lower cell first; not part of the document.
    #[serde(skip)]
    pub apart: Vec<(usize, usize)>,
}

/// A run without a result.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Trouble {
    /// The cell.
    pub cell: usize,
    /// The seed.
    pub seed: u64,
    /// Whether it is a ledger that does not balance rather than a limit reached.
    pub broken: bool,
    /// What happened.
    pub why: String,
}

impl Comparison {
    /// The cell at a place.
    pub fn index(&self, at: &[usize]) -> usize {
        index(&self.dimensions, at)
    }

    /// The dimensions that say what is built: neither what goes wrong nor what is swept.
    pub fn design_dimensions(&self) -> Vec<usize> {
        let all = self.dimensions.iter().enumerate();
        all.filter(|(i, d)| !d.sweep && Some(*i) != self.under).map(|(i, _)| i).collect()
    }

    /// The sweeps.
    pub fn sweeps(&self) -> Vec<usize> {
        (0..self.dimensions.len()).filter(|i| self.dimensions[*i].sweep).collect()
    }

    /// Works out anew all that follows from the runs, as [`Plan::run`] did: for a comparison that was read from a file.
    pub fn sum_up(&mut self) {
        summary::sum_up(self);
    }

    /// Pairs tested, in all panels together.
    pub fn pairs(&self) -> usize {
        self.panels.iter().map(|panel| panel.pairs).sum()
    }

    /// Whether it was broken off.
    pub fn is_interrupted(&self) -> bool {
        self.ended == "interrupted"
    }
}

/// The place of a cell in the list of cells.
fn index(dimensions: &[Dimension], at: &[usize]) -> usize {
    dimensions.iter().zip(at).fold(0, |index, (d, at)| index * d.points.len() + at)
}

/// Every combination of points, the last dimension fastest.
pub fn places(lengths: &[usize]) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for n in lengths {
        all = all
            .into_iter()
            .flat_map(|at| {
                (0..*n).map(move |i| {
                    let mut at = at.clone();
                    at.push(i);
                    at
                })
            })
            .collect();
    }
    all
}
