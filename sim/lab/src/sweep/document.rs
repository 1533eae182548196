//! `plan.json`: which runs there are, numbered, and how they are cut into shards.

use super::table::{Field, Kind};
use super::{Failure, usage};
use brownout_output::text;
use brownout_property::values::{number, within};
use brownout_scenarios::{load_text, read_text};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use twox_hash::XxHash64;

/// A small world with a fault; what it gives tells versions of the models apart.
const TEMPLATE: &str = include_str!("../../../../scenarios/template.toml");
/// Version of the layout of a sweep's folder.
pub const VERSION: u32 = 1;
/// Most bytes of a plan: it holds points and ranges, not runs.
const SIZE: u64 = 64 << 20;
/// Name of the plan in its folder.
pub(super) const PLAN: &str = "plan.json";
/// Name of the scenario in its folder.
pub(super) const SCENARIO: &str = "scenario.toml";
/// Scrambles the Sobol sequence of the first sample seed.
const SCRAMBLE: u32 = 0x6272_6f77;

/// The checksum of bytes, as 16 hexadecimal digits (XXH64): against accidents, not against forgery.
pub fn checksum(bytes: &[u8]) -> String {
    format!("{:016x}", XxHash64::oneshot(0, bytes))
}

/// Which Brownout computes the runs. Two builds that differ in it may give other digests.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Build {
    /// Its version.
    pub version: String,
    /// The digest that it gives to a scenario of its own: between two versions models change, whatever they are called.
    pub behaviour: String,
}

impl Build {
    /// This one. Simulates twelve minutes of a small world, once in a process.
    pub fn this() -> &'static Build {
        static THIS: OnceLock<Build> = OnceLock::new();
        THIS.get_or_init(|| {
            let scenario = load_text("template", TEMPLATE, Path::new(""), &[], &[]).ok();
            let outcome = scenario.and_then(|scenario| brownout_sim::simulate(&scenario, 1, None, &mut |_| {}).ok());
            let behaviour = outcome.map_or_else(|| "none".into(), |outcome| outcome.digest);
            Build { version: env!("CARGO_PKG_VERSION").into(), behaviour }
        })
    }

    /// In one word, as the column `version` has it.
    pub fn word(&self) -> String {
        format!("{}+{}", self.version, self.behaviour)
    }
}

/// A file that was copied into the folder.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Copy {
    /// Its name there.
    pub name: String,
    /// Its [`checksum`].
    pub checksum: String,
}

/// What is crossed: an axis of the file, or the values of a number.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Line {
    /// The axis, or the path of the number.
    pub name: String,
    /// Its points or values.
    pub points: Vec<String>,
    /// Whether it is a number.
    pub sweep: bool,
}

/// A number that samples draw from a range.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Range {
    /// Its path: "fleets.collectors.workers".
    pub path: String,
    /// The lowest value.
    pub low: String,
    /// The highest.
    pub high: String,
}

/// Samples of ranges: points of a scrambled Sobol sequence, which fill a space of many numbers more evenly than random
/// ones. A range whose ends differ tenfold or more is sampled by its logarithm.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Samples {
    /// How many.
    pub count: u64,
    /// Which scrambling: another one gives other samples.
    pub seed: u32,
    /// Of which numbers.
    pub ranges: Vec<Range>,
}

impl Samples {
    /// The most samples of a sweep, and the most ranges: what the sequence has.
    pub const MOST: (u64, usize) = (1 << 16, 256);

    /// A sample, as texts for `--set`.
    pub fn texts(&self, sample: u64) -> Vec<String> {
        let scramble = SCRAMBLE ^ self.seed;
        let value = |(at, range): (usize, &Range)| {
            // Within the bounds of MOST, which a plan is held to.
            let part = sobol_burley::sample(sample as u32, at as u32, scramble);
            within(&range.low, &range.high, f64::from(part)).map(|value| format!("{}={value}", range.path))
        };
        self.ranges.iter().enumerate().filter_map(value).collect()
    }
}

/// A run's place in the plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spot {
    /// Which combination of points; the last line changes fastest.
    pub cell: u64,
    /// Which sample.
    pub sample: u64,
    /// Its seed.
    pub seed: u64,
}

/// The plan of a sweep.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// Layout of this document.
    pub version: u32,
    /// The Brownout that made it, which is to compute it.
    pub brownout: Build,
    /// The scenario's title.
    pub title: String,
    /// The scenario, as copied.
    pub scenario: Copy,
    /// What it reads: traces.
    pub reads: Vec<Copy>,
    /// Designs of every run.
    pub design: Vec<String>,
    /// Changes by hand of every run.
    pub set: Vec<String>,
    /// What is crossed.
    pub lines: Vec<Line>,
    /// What is sampled; no ranges if nothing is.
    pub samples: Samples,
    /// Seeds of each combination.
    pub seeds: u64,
    /// The first of them.
    pub first_seed: u64,
    /// What is measured of each run: "track.dropped_rate".
    pub metrics: Vec<String>,
    /// Runs in all.
    pub runs: u64,
    /// Shards that they are cut into.
    pub shards: u64,
}

impl Plan {
    /// The most runs and the most shards of a plan, and the most runs of a shard, which a worker holds in memory.
    pub const MOST: (u64, u64, u64) = (1_000_000_000, 100_000, 1 << 17);

    /// Reads the plan of a folder; what it says of files is checked.
    ///
    /// # Errors
    /// There is none, it is of a newer layout, or a file is not the one that was planned.
    pub fn open(folder: &Path) -> Result<Plan, Failure> {
        let path = folder.join(PLAN);
        let shown = path.display();
        let text = read_text(&path, SIZE).map_err(|why| {
            usage(format!(
                "cannot read {shown}: {why}; brownout sweep plan FILE -o {} makes it",
                text::shell_path(folder)
            ))
        })?;
        let version = serde_json::from_str::<serde_json::Value>(&text).ok().and_then(|json| json["version"].as_u64());
        if let Some(version) = version.filter(|version| *version > u64::from(VERSION)) {
            let why = format!("{shown} has layout {version}, and this Brownout knows up to {VERSION}: use a newer one");
            return Err(usage(why));
        }
        let plan: Plan = serde_json::from_str(&text).map_err(|why| usage(format!("{shown} is no plan: {why}")))?;
        plan.check().map_err(|why| usage(format!("{shown} is no plan: {why}")))?;
        for copy in plan.reads.iter().chain([&plan.scenario]) {
            let path = folder.join(&copy.name);
            let bytes =
                std::fs::read(&path).map_err(|why| Failure::File(format!("cannot read {}: {why}", path.display())))?;
            if checksum(&bytes) != copy.checksum {
                let why = format!(
                    "{} is not the file that was planned: put it back, or plan a sweep of the new one into another folder",
                    path.display()
                );
                return Err(usage(why));
            }
        }
        Ok(plan)
    }

    /// Whether numbers fit together, so that nothing further on has to ask.
    fn check(&self) -> Result<(), String> {
        let cells = self.cells().ok_or("too many cells")?;
        let runs = cells.checked_mul(self.sampled()).and_then(|n| n.checked_mul(self.seeds));
        let (most, most_shards, of_a_shard) = Plan::MOST;
        if runs != Some(self.runs) || self.runs == 0 || self.runs > most {
            return Err(format!("its {} runs are not what is crossed, or more than {most}", self.runs));
        }
        if self.shards == 0 || self.shards > self.runs.min(most_shards) || self.runs / self.shards > of_a_shard {
            return Err(format!("{} shards of {} runs", self.shards, self.runs));
        }
        let (most_samples, most_ranges) = Samples::MOST;
        let no_range = |range: &Range| within(&range.low, &range.high, 0.5).is_none();
        if self.samples.count > most_samples
            || self.samples.ranges.len() > most_ranges
            || self.samples.ranges.iter().any(no_range)
            || self.first_seed >= 1 << 60
        {
            return Err("its samples or seeds are out of bounds".into());
        }
        let outside = |name: &String| Path::new(name).components().count() != 1 || name.contains("..");
        if self.reads.iter().chain([&self.scenario]).any(|copy| outside(&copy.name)) {
            return Err("it names a file outside its folder".into());
        }
        Ok(())
    }

    fn cells(&self) -> Option<u64> {
        self.lines.iter().try_fold(1_u64, |n, line| n.checked_mul(line.points.len() as u64))
    }

    /// Samples of each cell, at least one.
    fn sampled(&self) -> u64 {
        self.samples.count.max(1)
    }

    /// That this Brownout is the one that made the plan.
    ///
    /// # Errors
    /// Names both.
    pub fn made_by_this(&self) -> Result<(), Failure> {
        let this = Build::this();
        if self.brownout == *this {
            return Ok(());
        }
        Err(usage(format!(
            "the sweep was planned by brownout {}, and this is {}: runs of two versions are not put into one table; use \
             that one, or plan anew",
            self.brownout.word(),
            this.word()
        )))
    }

    /// The sweep's name: which runs it has, however they are cut into shards.
    pub fn digest(&self) -> String {
        let uncut = Plan { shards: 0, ..self.clone() };
        checksum(serde_json::to_string(&uncut).unwrap_or_default().as_bytes())
    }

    /// The numbers of the runs of a shard, from the first to before the last.
    pub fn shard(&self, shard: u64) -> (u64, u64) {
        // As 128 bits: the product of runs and shards may not fit.
        let cut = |at: u64| (u128::from(self.runs) * u128::from(at) / u128::from(self.shards)) as u64;
        (cut(shard), cut(shard + 1))
    }

    /// Where a run stands.
    pub fn spot(&self, run: u64) -> Spot {
        let (combination, seed) = (run / self.seeds, run % self.seeds);
        let sampled = self.sampled();
        Spot { cell: combination / sampled, sample: combination % sampled, seed: self.first_seed + seed }
    }

    /// The designs and the changes by hand of a cell and a sample.
    pub fn words(&self, cell: u64, sample: u64) -> (Vec<String>, Vec<String>) {
        let (mut design, mut set) = (self.design.clone(), self.set.clone());
        for (line, point) in self.lines.iter().zip(self.points(cell)) {
            let text = format!("{}={point}", line.name);
            if line.sweep { set.push(text) } else { design.push(text) }
        }
        set.extend(self.samples.texts(sample));
        (design, set)
    }

    /// The point of each line in a cell.
    pub(super) fn points(&self, cell: u64) -> Vec<&str> {
        let mut left = cell;
        let mut points: Vec<&str> = Vec::with_capacity(self.lines.len());
        for line in self.lines.iter().rev() {
            let n = line.points.len() as u64;
            points.push(line.points.get((left % n) as usize).map_or("", String::as_str));
            left /= n;
        }
        points.reverse();
        points
    }

    /// The command that repeats a run alone.
    pub fn command(&self, folder: &Path, run: u64) -> String {
        let spot = self.spot(run);
        let (design, set) = self.words(spot.cell, spot.sample);
        let mut command = format!("brownout run {}", text::shell_path(&folder.join(&self.scenario.name)));
        for (option, texts) in [("--design", design), ("--set", set)] {
            texts.iter().for_each(|word| command += &format!(" {option} {}", text::shell(word)));
        }
        command + &format!(" --seed {}", spot.seed)
    }

    /// The columns of the table: the run's number and what it was, what was measured, and how to know it again.
    pub fn fields(&self) -> Vec<Field> {
        let of = |name: &str, kind| Field { name: name.into(), kind };
        let mut all = vec![of("run", Kind::Whole), of("scenario", Kind::Text), of("design", Kind::Text)];
        all.extend(self.lines.iter().map(|line| of(&line.name, if line.sweep { Kind::Number } else { Kind::Text })));
        all.extend(self.samples.ranges.iter().map(|range| of(&range.path, Kind::Number)));
        all.extend([of("set", Kind::Text), of("seed", Kind::Whole)]);
        all.extend(self.metrics.iter().map(|metric| of(metric, Kind::Number)));
        all.extend(["ended", "digest", "version"].map(|name| of(name, Kind::Text)));
        // An axis may have the name of another column.
        for at in 0..all.len() {
            if all.iter().filter(|field| field.name == all[at].name).count() > 1
                && (3..3 + self.lines.len()).contains(&at)
            {
                all[at].name.insert_str(0, "axis.");
            }
        }
        all
    }

    /// Where the result of a shard lies: its name without its checksum.
    pub(super) fn stem(shard: u64) -> String {
        format!("{shard:06}")
    }
}

/// The number behind a value of a parameter, for its column: seconds, calls a second, bytes. None of a word.
pub(super) fn parameter(value: &str) -> Option<f64> {
    number(value).filter(|x| x.is_finite())
}

/// The folders of a sweep: of results, and of what is known of shards that were begun.
pub(super) fn folders(folder: &Path) -> [PathBuf; 2] {
    ["results", "begun"].map(|name| folder.join(name))
}
