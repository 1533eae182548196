//! Which cases there are: files read, designs and seeds chosen.

use super::{Case, Ended};
use brownout_scenarios::{Expect, Request, Scenario, load};
use brownout_sim::outcome::Verdict;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Most designs of one file that are tested, so that lists in `of` cannot multiply without bound.
const DESIGNS: usize = 1000;
/// Most cases.
const CASES: usize = 1_000_000;
/// Most bytes that all cases together may take; one is kept until the end with its title and its verdicts.
const BYTES: usize = 4 << 30;

/// Under which seeds each scenario is run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Seeds {
    /// Those that the file names, or 1.
    File,
    /// From 1 up to this number.
    Count(u64),
    /// These.
    These(Vec<u64>),
}

/// A part of the work: the part'th of so many, from 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shard {
    /// Which.
    pub part: u32,
    /// Of how many.
    pub of: u32,
}

/// A scenario file to test.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source {
    /// The file.
    pub path: PathBuf,
    /// Whether it was found in a folder, and not named.
    pub found: bool,
}

/// What to test.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    /// The files.
    pub files: &'a [Source],
    /// Under which seeds.
    pub seeds: Seeds,
    /// Instead of the designs that expectations speak of: this one.
    pub design: &'a [String],
    /// Changes by hand.
    pub set: &'a [String],
    /// The part to run.
    pub shard: Option<Shard>,
    /// Runs at a time; none: as many as cores.
    pub jobs: Option<usize>,
    /// Whether to stop at the first case that is bad.
    pub fail_fast: bool,
    /// Whether to lose a call on purpose.
    pub lose_a_call: bool,
}

/// Why there is nothing to run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PlanError {
    /// More cases than are supported.
    TooMany(usize),
    /// Cases that say more than is supported, in bytes.
    TooMuch(usize),
    /// No threads to run them with.
    Threads(String),
}

impl std::fmt::Display for PlanError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PlanError::TooMany(n) => write!(f, "{n} runs are more than the {CASES} supported; use fewer seeds"),
            PlanError::TooMuch(bytes) => {
                let (is, most) = (bytes >> 20, BYTES >> 20);
                write!(f, "the verdicts of all runs take {is} MiB, more than the {most} supported; use fewer seeds")
            }
            PlanError::Threads(why) => write!(f, "no threads to run with: {why}"),
        }
    }
}

impl std::error::Error for PlanError {}

/// The runs of one file under one design.
pub(super) struct Group {
    pub(super) scenario: Arc<Scenario>,
    pub(super) seeds: Vec<u64>,
}

/// What stands in the list of cases.
pub(super) enum Item {
    /// Known without a run: a file that cannot be run, or expects nothing.
    Known(Box<Case>),
    /// To be run.
    Group(Group),
}

/// Everything that is to be done, in its order.
pub struct Plan {
    pub(super) items: Vec<Item>,
    pub(super) pool: rayon::ThreadPool,
    pub(super) fail_fast: bool,
    pub(super) lose_a_call: bool,
    pub(super) shard: String,
}

impl Plan {
    /// Reads all files. Mistakes in one become a case of it and leave the others alone.
    ///
    /// # Errors
    /// Too many cases, or no threads.
    pub fn new(ask: &Ask<'_>) -> Result<Plan, PlanError> {
        let mut items = Vec::new();
        for source in ask.files {
            items.extend(of_file(source, ask));
        }
        if let Some(shard) = ask.shard {
            // Whole designs, not single runs: `sometimes` is judged over all seeds of a design, so they must stay together.
            let mine = |at: &usize| *at as u64 % u64::from(shard.of) == u64::from(shard.part - 1);
            items = items.into_iter().enumerate().filter(|(at, _)| mine(at)).map(|(_, item)| item).collect();
        }
        let threads = rayon::ThreadPoolBuilder::new().num_threads(ask.jobs.unwrap_or(0)).build();
        let pool = threads.map_err(|why| PlanError::Threads(why.to_string()))?;
        let shard = ask.shard.map_or(String::new(), |shard| format!("{}/{}", shard.part, shard.of));
        let plan = Plan { items, pool, fail_fast: ask.fail_fast, lose_a_call: ask.lose_a_call, shard };
        match (plan.runs(), plan.bytes()) {
            (n, _) if n > CASES => Err(PlanError::TooMany(n)),
            (_, n) if n > BYTES => Err(PlanError::TooMuch(n)),
            _ => Ok(plan),
        }
    }

    /// What all cases take, about.
    fn bytes(&self) -> usize {
        let of = |group: &Group| {
            let scenario = &group.scenario;
            let verdicts =
                scenario.expect.iter().map(|e| 2 * (e.text.len() + e.says.len()) + size_of::<Verdict>() + 200);
            let words = scenario.title.len() + scenario.design.len() + scenario.name.len();
            let texts = scenario.asked.iter().chain(&scenario.set).map(|text| text.len() + size_of::<String>());
            let one = size_of::<Case>() + words + texts.chain(verdicts).sum::<usize>();
            group.seeds.len().saturating_mul(one)
        };
        let groups =
            self.items.iter().filter_map(|item| if let Item::Group(group) = item { Some(group) } else { None });
        groups.map(of).fold(0, usize::saturating_add)
    }

    /// How many runs there are.
    pub fn runs(&self) -> usize {
        let seeds = |item: &Item| if let Item::Group(group) = item { group.seeds.len() } else { 0 };
        self.items.iter().map(seeds).sum()
    }
}

/// The cases of a file.
fn of_file(source: &Source, ask: &Ask<'_>) -> Vec<Item> {
    let path = &source.path;
    let base = match load(&Request { path, set: ask.set, design: ask.design }) {
        Ok(base) => base,
        Err(mistakes) => return vec![mistaken(path, &[], ask, &mistakes)],
    };
    let designs = if ask.design.is_empty() { designs(&base) } else { vec![ask.design.to_vec()] };
    let designs = match designs.len() {
        n if n > DESIGNS => {
            let note = format!("its expectations speak of {n} designs; {DESIGNS} are supported");
            return vec![known(path, &[], ask, Ended::Mistaken, note)];
        }
        _ => designs,
    };
    let mut items = Vec::new();
    let mut seen = BTreeSet::new();
    for asked in designs {
        let scenario = match asked == base.asked {
            true => Ok(base.clone()),
            false => load(&Request { path, set: ask.set, design: &asked }),
        };
        match scenario {
            // Named in two ways: a point that is the default, or axes in another order.
            Ok(scenario) if !seen.insert(scenario.design.clone()) => {}
            Ok(scenario) if !scenario.expect.iter().any(|expect| expect.applies) => {
                items.push(idle(source, &scenario, ask))
            }
            Ok(scenario) => {
                let seeds = seeds(&ask.seeds, &scenario);
                items.push(Item::Group(Group { scenario: Arc::new(scenario), seeds }));
            }
            Err(mistakes) => items.push(mistaken(path, &asked, ask, &mistakes)),
        }
    }
    items
}

fn seeds(asked: &Seeds, scenario: &Scenario) -> Vec<u64> {
    match asked {
        Seeds::File if scenario.seeds.is_empty() => vec![1],
        Seeds::File => scenario.seeds.clone(),
        Seeds::Count(n) => (1..=*n).collect(),
        Seeds::These(these) => these.clone(),
    }
}

/// The designs that expectations speak of, as `--design` would name them: as written first.
fn designs(base: &Scenario) -> Vec<Vec<String>> {
    let mut out: Vec<Vec<String>> = Vec::new();
    if base.expect.iter().any(|expect| expect.applies) || base.expect.is_empty() {
        out.push(Vec::new());
    }
    for expect in &base.expect {
        for design in combinations(expect, base) {
            if !out.contains(&design) && out.len() <= DESIGNS {
                out.push(design);
            }
        }
    }
    out
}

/// Every combination of the points that an expectation names; none if it is for all designs.
fn combinations(expect: &Expect, base: &Scenario) -> Vec<Vec<String>> {
    if expect.of.is_empty() {
        return Vec::new();
    }
    let is_axis = |name: &str| base.axes.iter().any(|axis| axis.name == name);
    let mut out: Vec<Vec<String>> = vec![Vec::new()];
    for (axis, points) in &expect.of {
        let word = |point: &String| if is_axis(axis) { format!("{axis}={point}") } else { point.clone() };
        let longer = out.iter().flat_map(|head| points.iter().map(|p| [head.clone(), vec![word(p)]].concat()));
        // One more than supported is enough to refuse the file; all of them may be too many to make.
        out = longer.take(DESIGNS + 1).collect();
    }
    out
}

/// A file under a design to which no expectation applies.
fn idle(source: &Source, scenario: &Scenario, ask: &Ask<'_>) -> Item {
    let (ended, note) = match scenario.expect.is_empty() {
        true if source.found => (Ended::Skipped, "it has no [[expect]]"),
        true => (Ended::Vacuous, "it has no [[expect]]: nothing could fail"),
        false => (Ended::Vacuous, "no [[expect]] is for this design: nothing could fail"),
    };
    let case = Case {
        title: scenario.title.clone(),
        design: scenario.design.clone(),
        ..blank(&source.path, &scenario.asked, ask, ended, note.into())
    };
    Item::Known(Box::new(case))
}

fn mistaken(path: &Path, asked: &[String], ask: &Ask<'_>, mistakes: &brownout_scenarios::Diagnostics) -> Item {
    let ended = if mistakes.is_limit() { Ended::Limited } else { Ended::Mistaken };
    let mut case = blank(path, asked, ask, ended, mistakes.to_string());
    case.line = mistakes.first_line();
    Item::Known(Box::new(case))
}

fn known(path: &Path, asked: &[String], ask: &Ask<'_>, ended: Ended, note: String) -> Item {
    Item::Known(Box::new(blank(path, asked, ask, ended, note)))
}

fn blank(path: &Path, asked: &[String], ask: &Ask<'_>, ended: Ended, note: String) -> Case {
    Case {
        file: path.display().to_string(),
        title: String::new(),
        design: if asked.is_empty() { "as written".into() } else { asked.join(" ") },
        asked: if asked.is_empty() { ask.design.to_vec() } else { asked.to_vec() },
        set: ask.set.to_vec(),
        seed: None,
        ended,
        verdicts: Vec::new(),
        note,
        line: None,
        digest: String::new(),
        repeat_seed: None,
        wall_s: 0.0,
    }
}
