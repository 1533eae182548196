//! The world in which faults are tried: a scenario file as it is hunted.

use crate::Error;
use crate::schedule::{Fault, Schedule};
use crate::vocabulary::Filter;
use crate::vocabulary::Vocabulary;
use brownout_models::component::operator::{Action, Entry};
use brownout_models::units::Ns;
use brownout_scenarios::{Edit, Request, Scenario, comment, in_force, load_text};
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
    pub edit: Edit,
    pub scenario: Scenario,
    /// The folder of the file that was read, where its traces lie.
    pub folder: PathBuf,
    pub set: Vec<String>,
    pub design: Vec<String>,
    /// How many of the expectations, the last ones, are conditions of a find.
    pub given: usize,
    /// The file's own faults that were taken out.
    pub taken: Vec<Fault>,
}

impl Base {
    /// Reads a scenario and changes it as the task says.
    ///
    /// # Errors
    /// What is wrong with the file, or with what is changed about it.
    pub fn new(task: &Task<'_>) -> Result<Base, Error> {
        // First as a scenario: it bounds what may be read, and says best what is wrong.
        let request = Request { path: task.path, set: task.set, design: task.design };
        let scenario = brownout_scenarios::load(&request).map_err(Error::Scenario)?;
        let edit = Edit::open(task.path).map_err(Error::Scenario)?;
        let folder = task.path.parent().unwrap_or(Path::new("")).to_path_buf();
        let mut base = Base {
            scenario,
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
        base.load(task.path)?;
        Ok(base)
    }

    /// Reads the scenario again, as it has been changed.
    fn load(&mut self, path: &Path) -> Result<(), Error> {
        self.scenario = load(path, &self.edit, &self.folder, &self.set, &self.design)?;
        Ok(())
    }

    fn keep_first(&mut self, length: Ns) -> Result<(), Error> {
        let span = self.scenario.span;
        if length >= span || length < Ns::secs(1) {
            return Err(Error::Usage(vec![format!(
                "--first {length}: the run lasts {span}; give less, and 1s or more"
            )]));
        }
        self.edit.keep_first(&self.scenario, length, &mut self.set);
        let path = self.scenario.name.clone();
        self.load(Path::new(&path))?;
        // An end within the hour that the clocks of a day make twice cannot be written.
        if self.scenario.span != length {
            let why = format!("--first {length}: a file cannot say this end of a run; give a little more or less");
            return Err(Error::Usage(vec![why]));
        }
        Ok(())
    }

    /// Takes the faults in force out of the timeline and keeps them. One that has a name stays, switched off, so that
    /// whatever speaks of it is still understood.
    fn take_faults(&mut self) -> Result<(), Error> {
        let vocabulary = Vocabulary::new(&self.scenario, Filter::default()).map_err(Error::Usage)?;
        self.edit.settle_timeline(&self.scenario, &mut self.set);
        let is_fault = |entry: &Entry| entry.enabled && matches!(entry.action, Action::Fault(..));
        let timeline = self.scenario.plan.spec.timeline.iter().zip(in_force(&self.scenario));
        let faults: Vec<_> = timeline.enumerate().filter(|(_, (entry, _))| is_fault(entry)).collect();
        self.taken = faults.iter().filter_map(|(_, (_, keys))| vocabulary.read(keys, &self.scenario)).collect();
        self.edit.remove_entries(&faults.iter().map(|(n, _)| *n).collect());
        Ok(())
    }

    /// The same with one more change by hand.
    ///
    /// # Errors
    /// The change leads to a mistake.
    pub fn changed(&self, change: &str) -> Result<Base, Error> {
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
    pub fn with(&self, schedule: &Schedule) -> Result<Scenario, Error> {
        let entries = schedule.to_toml(&self.scenario.calendar);
        let ids = schedule.ids();
        if ids.is_empty() {
            return brownout_scenarios::with_entries(&self.scenario, &entries).map_err(Error::Scenario);
        }
        // What was switched off to keep its name makes room for what has it now.
        let mut scenario = self.scenario.clone();
        let stays = |e: &Entry| e.enabled || e.id.as_ref().is_none_or(|id| !ids.contains(&id.text));
        scenario.plan.spec.timeline.retain(stays);
        brownout_scenarios::with_entries(&scenario, &entries).map_err(Error::Scenario)
    }

    /// The text of a scenario file in `folder` that holds the schedule and is run as this one is, by `brownout test`
    /// under the seed.
    ///
    /// # Errors
    /// The schedule cannot be written.
    pub fn file(&self, schedule: &Schedule, seed: u64, folder: &Path) -> Result<String, Error> {
        let failed = |why: String| Error::File(format!("the schedule cannot be written: {why}"));
        let mut edit = self.edit.clone();
        edit.as_run(&self.design, &self.set, &self.scenario.design);
        edit.seeds(&[seed]);
        edit.move_traces(&self.folder, folder).map_err(failed)?;
        edit.make_room(&schedule.ids());
        edit.append_entries(&schedule.to_toml(&self.scenario.calendar), "# Found by brownout hunt.").map_err(failed)?;
        Ok(edit.text().trim_start().to_string())
    }
}

/// Lines as a comment, to be put before the text of a file.
pub fn headed(head: &[String], text: &str) -> String {
    let head: Vec<String> = head.iter().map(|line| comment(line)).collect();
    format!("{}\n\n{text}", head.join("\n"))
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

fn load(path: &Path, edit: &Edit, folder: &Path, set: &[String], design: &[String]) -> Result<Scenario, Error> {
    load_text(&path.display().to_string(), &edit.text(), folder, set, design).map_err(Error::Scenario)
}
