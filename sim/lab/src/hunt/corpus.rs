//! Schedules worth keeping: those that reached something new, in memory and in a folder.
//!
//! A folder holds a file per schedule, `000017.toml`, named by the number of its draw: the entries of a timeline, and
//! in a comment the seed. `progress.toml` says how many draws were made, so that a hunt goes on where it was. The schedules
//! are run again when a hunt goes on, so a folder may also be used for another version of the scenario.

use super::coverage::Place;
use super::schedule::Schedule;
use super::vocabulary::Vocabulary;
use super::{Failure, Trial};
use brownout_output::files;
use brownout_scenarios::{Edit, Scenario};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The file that says how many draws were made.
const PROGRESS: &str = "progress.toml";

/// A schedule that was kept.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Kept {
    /// The number of its draw.
    pub(super) draw: u64,
    pub(super) schedule: Schedule,
    pub(super) seed: u64,
    pub(super) score: Option<f64>,
}

/// The schedules kept, in the order of their draws, and what they reached.
#[derive(Clone, Debug, Default)]
pub(super) struct Corpus {
    pub(super) kept: Vec<Kept>,
    reached: BTreeSet<(Place, u32)>,
    kinds: BTreeSet<String>,
}

impl Corpus {
    /// Keeps a schedule if it reached something that none before it did. True if it did.
    pub(super) fn offer(&mut self, draw: u64, schedule: &Schedule, seed: u64, trial: &Trial) -> bool {
        let mut new = false;
        for place in trial.coverage.signature() {
            new |= self.reached.insert(place);
        }
        for (fault, effects) in schedule.faults.iter().zip(&trial.effects) {
            new |= *effects > 0 && self.kinds.insert(fault.what.clone());
        }
        if new {
            self.keep(draw, schedule, seed, trial);
        }
        new
    }

    /// Keeps a schedule whatever it reached.
    pub(super) fn keep(&mut self, draw: u64, schedule: &Schedule, seed: u64, trial: &Trial) {
        self.kept.push(Kept { draw, schedule: schedule.clone(), seed, score: trial.score });
    }
}

/// The folder of a corpus.
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Opens a folder, and makes it if it is not there.
    pub(super) fn open(path: &Path) -> Result<Folder, Failure> {
        files::probe_folder(path)?;
        files::folder(path)?;
        Ok(Folder { path: path.to_path_buf() })
    }

    /// What it holds, and how many draws were made; a schedule that is none in this world is an error.
    pub(super) fn read(&self, vocabulary: &Vocabulary, scenario: &Scenario) -> Result<(Vec<Kept>, u64), Failure> {
        let mut names: Vec<PathBuf> = Vec::new();
        for entry in std::fs::read_dir(&self.path).map_err(|why| failed("read", &self.path, &why))? {
            let path = entry.map_err(|why| failed("read", &self.path, &why))?.path();
            let number = path.file_stem().and_then(|stem| stem.to_str()).is_some_and(|s| s.parse::<u64>().is_ok());
            if number && path.extension().is_some_and(|end| end == "toml") {
                names.push(path);
            }
        }
        names.sort();
        let mut kept = Vec::new();
        for path in names {
            kept.push(self.read_one(&path, vocabulary, scenario)?);
        }
        kept.sort_by_key(|k: &Kept| k.draw);
        let progress = std::fs::read_to_string(self.progress()).ok();
        let draws = progress.and_then(|text| text.strip_prefix("draws = ")?.trim().parse().ok());
        let least = kept.last().map_or(0, |k| k.draw + 1);
        Ok((kept, draws.unwrap_or(0).max(least)))
    }

    fn read_one(&self, path: &Path, vocabulary: &Vocabulary, scenario: &Scenario) -> Result<Kept, Failure> {
        let name = path.display();
        let text = std::fs::read_to_string(path).map_err(|why| failed("read", path, &why))?;
        let wrong = |why: String| Failure::File(format!("{name} is no schedule: {why}; take it out of the corpus"));
        let edit = Edit::parse(&text).map_err(wrong)?;
        let number = |key: &str| {
            text.lines().find_map(|line| line.strip_prefix("# ")?.strip_prefix(key)?.strip_prefix(' ')?.parse().ok())
        };
        let draw = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok()).unwrap_or(0);
        let mut faults = Vec::new();
        for entry in edit.timeline() {
            let fault = vocabulary.read(&entry, scenario);
            faults.push(fault.ok_or_else(|| wrong("an entry of it is no fault of this world".into()))?);
        }
        let seed = number("seed").ok_or_else(|| wrong("it does not say `# seed N`".into()))?;
        Ok(Kept { draw, schedule: Schedule { faults }, seed, score: None })
    }

    /// Writes a schedule down.
    pub(super) fn write(&self, kept: &Kept, vocabulary: &Vocabulary, scenario: &Scenario) -> Result<(), Failure> {
        let name = format!("{:06}.toml", kept.draw);
        let words = kept.schedule.words(vocabulary);
        let text = format!("# {words}\n# seed {}\n\n{}", kept.seed, kept.schedule.to_toml(&scenario.calendar));
        Ok(files::write_within_soon(&self.path, &name, text.as_bytes())?)
    }

    /// Writes down how many draws were made.
    pub(super) fn mark(&self, draws: u64) -> Result<(), Failure> {
        Ok(files::write_within_soon(&self.path, PROGRESS, format!("draws = {draws}\n").as_bytes())?)
    }

    fn progress(&self) -> PathBuf {
        self.path.join(PROGRESS)
    }
}

fn failed(what: &str, path: &Path, why: &std::io::Error) -> Failure {
    Failure::File(format!("cannot {what} {}: {why}", path.display()))
}
