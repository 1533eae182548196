//! The world in which faults are tried: a scenario file as it is hunted.

use super::schedule::{Fault, Schedule};
use super::vocabulary::Vocabulary;
use super::{Failure, Filter};
use brownout_models::units::Ns;
use brownout_scenarios::{Edit, Scenario, load_text};
use std::path::{Path, PathBuf};

/// A scenario and what is changed about it before it is hunted.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// The scenario file.
    pub path: &'a Path,
    /// Changes by hand: "path=value".
    pub set: &'a [String],
    /// Designs.
    pub design: &'a [String],
    /// Only the first so much of the run.
    pub first: Option<Ns>,
    /// Whether the file's own faults are taken out.
    pub instead: bool,
    /// An expectation in place of the file's: "track.dropped_rate < 0.1%", or "eventually ...".
    pub expect: Option<&'a str>,
    /// Conditions without which a violation does not count.
    pub given: &'a [String],
}

impl<'a> Task<'a> {
    /// A file as it stands.
    pub fn of(path: &'a Path) -> Task<'a> {
        Task { path, set: &[], design: &[], first: None, instead: false, expect: None, given: &[] }
    }
}

/// A scenario that faults can be added to, and the text of the file that it comes from.
#[derive(Clone, Debug)]
pub struct Base {
    pub(super) edit: Edit,
    pub(super) scenario: Scenario,
    /// The folder of the file that was read, where its traces lie.
    pub(super) folder: PathBuf,
    pub(super) set: Vec<String>,
    pub(super) design: Vec<String>,
    /// How many of the expectations, the last ones, are conditions of a find.
    pub(super) given: usize,
    /// The file's own faults that were taken out.
    pub(super) taken: Vec<Fault>,
}

impl Base {
    /// Reads a scenario and changes it as the task says.
    ///
    /// # Errors
    /// What is wrong with the file, or with what is changed about it.
    pub fn new(task: &Task<'_>) -> Result<Base, Failure> {
        let edit = Edit::open(task.path).map_err(Failure::Scenario)?;
        let folder = task.path.parent().unwrap_or(Path::new("")).to_path_buf();
        let mut base = Base {
            scenario: load(task.path, &edit, &folder, task.set, task.design)?,
            edit,
            folder,
            set: task.set.to_vec(),
            design: task.design.to_vec(),
            given: task.given.len(),
            taken: Vec::new(),
        };
        if let Some(length) = task.first {
            base.keep_first(length)?;
        }
        if task.instead {
            base.take_faults()?;
        }
        if let Some(text) = task.expect {
            let (kind, condition) = expectation(text);
            base.edit.expect_only(kind, condition);
        }
        task.given.iter().for_each(|condition| base.edit.expect_also("always", condition));
        base.scenario = load(task.path, &base.edit, &base.folder, task.set, task.design)?;
        Ok(base)
    }

    fn keep_first(&mut self, length: Ns) -> Result<(), Failure> {
        let span = self.scenario.span;
        if length >= span || length < Ns::secs(1) {
            return Err(Failure::Usage(vec![format!(
                "--first {length}: the run lasts {span}; give less, and 1s or more"
            )]));
        }
        self.edit.keep_first(&self.scenario, length);
        Ok(())
    }

    /// Takes the file's faults out of its timeline and keeps them.
    fn take_faults(&mut self) -> Result<(), Failure> {
        let vocabulary = Vocabulary::new(&self.scenario, Filter::default()).map_err(Failure::Usage)?;
        let mut numbers = Vec::new();
        for (i, entry) in self.edit.timeline().iter().enumerate() {
            let is_off = entry.get("enabled").is_some_and(|value| value == "false");
            if let Some(fault) = vocabulary.read(entry, &self.scenario).filter(|_| !is_off) {
                numbers.push(i);
                self.taken.push(fault);
            }
        }
        self.edit.remove_entries(&numbers);
        Ok(())
    }

    /// The same with one more change by hand.
    ///
    /// # Errors
    /// The change leads to a mistake.
    pub(super) fn changed(&self, change: &str) -> Result<Base, Failure> {
        let set = [&self.set[..], &[change.to_string()]].concat();
        let path = Path::new(&self.scenario.name);
        let scenario = load(path, &self.edit, &self.folder, &set, &self.design)?;
        Ok(Base { scenario, set, ..self.clone() })
    }

    /// The scenario without any fault added.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// The scenario with a schedule's faults on its timeline.
    ///
    /// # Errors
    /// What is wrong with the faults in this world.
    pub fn with(&self, schedule: &Schedule) -> Result<Scenario, Failure> {
        let entries = schedule.to_toml(&self.scenario.calendar);
        brownout_scenarios::with_entries(&self.scenario, &entries).map_err(Failure::Scenario)
    }

    /// The text of a scenario file in `folder` that holds the schedule and is run as this one is, by `brownout test`
    /// under the seed. `head` is put before it, as a comment.
    ///
    /// # Errors
    /// The schedule cannot be written.
    pub fn file(&self, schedule: &Schedule, seed: u64, head: &[String], folder: &Path) -> Result<String, Failure> {
        let mut edit = self.edit.clone();
        edit.as_run(&self.design, &self.set);
        edit.seeds(&[seed]);
        edit.move_traces(&self.folder, folder);
        edit.append_entries(&schedule.to_toml(&self.scenario.calendar), "# Found by brownout hunt.")
            .map_err(|why| Failure::File(format!("the schedule cannot be written: {why}")))?;
        let head: Vec<String> = head.iter().map(|line| format!("# {line}").trim_end().to_string()).collect();
        Ok(format!("{}\n\n{}", head.join("\n"), edit.text().trim_start()))
    }
}

/// "eventually x < 1" as its kind and its condition.
fn expectation(text: &str) -> (&'static str, &str) {
    let text = text.trim();
    for kind in ["always", "eventually", "sometimes"] {
        if let Some(rest) = text.strip_prefix(kind).filter(|rest| rest.starts_with(' ')) {
            return (kind, rest.trim());
        }
    }
    ("always", text)
}

fn load(path: &Path, edit: &Edit, folder: &Path, set: &[String], design: &[String]) -> Result<Scenario, Failure> {
    load_text(&path.display().to_string(), &edit.text(), folder, set, design).map_err(Failure::Scenario)
}
