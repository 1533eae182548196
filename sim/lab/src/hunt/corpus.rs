//! Schedules worth keeping: those that reached something new, in memory and in a folder.
//!
//! A folder holds a file per schedule, `000017.toml`, named by the number of its draw: the entries of a timeline, and
//! in a comment the seed. `progress.toml` says how many draws were made, so that a hunt goes on where it was. The schedules
//! are run again when a hunt goes on, so a folder may also be used for another version of the scenario.

use super::coverage::Place;
use super::{Base, Failure, Trial};
use brownout_output::files;
use brownout_property::schedule::Schedule;
use brownout_property::vocabulary::Vocabulary;
use brownout_scenarios::{Edit, Scenario, comment, read_file};
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

/// Most draws of a corpus.
const DRAWS: u64 = 1 << 60;

/// What a folder holds.
#[derive(Default)]
pub(super) struct Holds {
    /// The schedules, in the order of their draws.
    pub(super) kept: Vec<Kept>,
    /// How many draws were made.
    pub(super) draws: u64,
    /// Files of schedules that reach beyond the end of the run; they are left out.
    pub(super) later: Vec<String>,
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

    /// What it holds.
    ///
    /// # Errors
    /// A file that cannot be read, or is no schedule in this world; named.
    pub(super) fn read(&self, vocabulary: &Vocabulary, base: &Base) -> Result<Holds, Failure> {
        let mut names: Vec<PathBuf> = Vec::new();
        for entry in std::fs::read_dir(&self.path).map_err(|why| failed("read", &self.path, &why))? {
            let path = entry.map_err(|why| failed("read", &self.path, &why))?.path();
            let number = path.file_stem().and_then(|stem| stem.to_str()).is_some_and(|s| s.parse::<u64>().is_ok());
            if number && path.extension().is_some_and(|end| end == "toml") {
                names.push(path);
            }
        }
        names.sort();
        let mut holds = Holds::default();
        for path in names {
            let (kept, is_later) = self.read_one(&path, vocabulary, base)?;
            holds.draws = holds.draws.max(kept.draw.saturating_add(1));
            if is_later {
                holds.later.push(path.display().to_string());
            } else {
                holds.kept.push(kept);
            }
        }
        holds.kept.sort_by_key(|k| k.draw);
        // Without it the hunt goes on after the last schedule kept.
        let progress = read_file(&self.progress()).ok();
        let draws = progress.and_then(|text| text.strip_prefix("draws = ")?.trim().parse().ok());
        holds.draws = holds.draws.max(draws.unwrap_or(0));
        if holds.draws > DRAWS {
            let path = self.path.display();
            return Err(Failure::File(format!("{path} is the corpus of more than {DRAWS} draws; begin a new one")));
        }
        Ok(holds)
    }

    /// A schedule, and whether some of it comes after the end of the run.
    fn read_one(&self, path: &Path, vocabulary: &Vocabulary, base: &Base) -> Result<(Kept, bool), Failure> {
        let (name, scenario) = (path.display(), base.scenario());
        let wrong = |why: String| Failure::File(format!("{name} is no schedule: {why}; take it out of the corpus"));
        let text = read_file(path).map_err(|why| Failure::File(format!("cannot read {name}: {why}")))?;
        let edit = Edit::parse(&text).map_err(wrong)?;
        let number = |key: &str| {
            text.lines().find_map(|line| line.strip_prefix("# ")?.strip_prefix(key)?.strip_prefix(' ')?.parse().ok())
        };
        let draw = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok()).unwrap_or(0);
        let seed = number("seed").ok_or_else(|| wrong("it does not say `# seed N`".into()))?;
        let (mut faults, mut is_later) = (Vec::new(), false);
        for entry in edit.timeline() {
            let fault = vocabulary.read(&entry, scenario);
            let fault = fault.ok_or_else(|| wrong("an entry of it is no fault of this world".into()))?;
            // It has a time, but none of this run.
            is_later |= fault.at().is_none() && entry.contains_key("at");
            faults.push(fault);
        }
        let schedule = Schedule { faults };
        if !is_later && let Err(why) = base.with(&schedule) {
            return Err(wrong(match why {
                brownout_property::Error::Scenario(mistakes) => mistakes.messages().join("; "),
                other => other.to_string(),
            }));
        }
        Ok((Kept { draw, schedule, seed, score: None }, is_later))
    }

    /// Writes a schedule down.
    pub(super) fn write(&self, kept: &Kept, vocabulary: &Vocabulary, scenario: &Scenario) -> Result<(), Failure> {
        let name = format!("{:06}.toml", kept.draw);
        let words = comment(&kept.schedule.words(vocabulary));
        let text = format!("{words}\n# seed {}\n\n{}", kept.seed, kept.schedule.to_toml(&scenario.calendar));
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
