//! A wish is read, shown to its mistakes, run step by step, and answered.

use crate::strip::{Recorder, Strip};
use brownout_models::units::Bytes;
use brownout_reports::live::{Answer, answer};
use brownout_scenarios::values::{Stops, stops};
use brownout_scenarios::{Diagnostics, Scenario, load_text};
use brownout_sim::run::{Ended, Run};
use brownout_sim::{orders, write_up};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Most bytes of a scenario's text in a page.
pub const TEXT: usize = 1 << 20;
/// Most bytes that what grows with a run may take in a page, by the count of `limits.memory`.
pub const MEMORY: u64 = 256 << 20;
/// Stops of a slider, about.
const STOPS: usize = 61;
/// Most sliders.
const NUMBERS: usize = 500;

/// What a reader asks for.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
pub struct Wish {
    /// What messages and the command call the file.
    pub name: String,
    /// The scenario.
    pub text: String,
    /// Points of axes and names of designs, as `--design` takes them.
    #[serde(default)]
    pub design: Vec<String>,
    /// Changes, as `--set` takes them.
    #[serde(default)]
    pub set: Vec<String>,
    /// The seed in decimal: a script's numbers do not hold all of them.
    #[serde(default)]
    pub seed: String,
    /// How far the axis of the causes reaches at least, so that it is that of the day beside.
    #[serde(default)]
    pub most: f64,
    /// Whether it is to be run; otherwise it is only read.
    #[serde(default)]
    pub run: bool,
}

/// What a wish is found to be when it is read.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
struct Reading {
    /// What is wrong, as the command shows it; empty if nothing is.
    mistakes: String,
    /// The line of the text in which the first mistake is.
    line: Option<u64>,
    /// What a reader should know although it can be run, as the command shows it.
    warnings: String,
    title: String,
    /// The design in force.
    design: String,
    /// The numbers that have a range, in the order of the file.
    numbers: Vec<Number>,
    axes: Vec<Axis>,
    /// Named designs beside the axes.
    designs: Vec<String>,
}

/// A slider.
#[derive(Clone, PartialEq, Debug, Serialize)]
struct Number {
    path: String,
    /// "assumed", "calibrated".
    mark: String,
    /// What it is calibrated to.
    why: String,
    stops: Vec<String>,
    /// The stop of the file's value.
    at: usize,
    log: bool,
}

/// A switch.
#[derive(Clone, PartialEq, Debug, Serialize)]
struct Axis {
    name: String,
    points: Vec<String>,
    /// What holds when none is chosen; empty for none.
    default: String,
}

/// A run under way.
struct Running {
    scenario: Scenario,
    seed: u64,
    run: Run,
    recorder: Recorder,
    most: f64,
    /// Whether the page's own bound is the lower one.
    is_bounded_here: bool,
}

/// How far a run is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Progress {
    /// So much is done, from 0 to 1.
    Under(f64),
    /// It has ended: [`Engine::answer`] says with what.
    Ended,
    /// There is no run.
    None,
}

/// The answer of a finished run, for a page.
#[derive(Clone, PartialEq, Debug, Serialize)]
struct Shown {
    #[serde(flatten)]
    answer: Answer,
    strip: Strip,
    /// Why there is none, or why it is of a part of the run only.
    trouble: String,
}

/// One run at a time: a new wish drops the one before.
#[derive(Default)]
pub struct Engine {
    running: Option<Running>,
    ended: Option<Result<Ended, String>>,
}

impl Engine {
    /// Reads a wish (JSON of a [`Wish`]) and, if it asks for it and has no mistakes, sets its run up. What was found is JSON.
    pub fn wish(&mut self, wish: &[u8]) -> String {
        (self.running, self.ended) = (None, None);
        let reading = match serde_json::from_slice::<Wish>(wish) {
            Ok(wish) => self.read(&wish),
            Err(why) => Reading { mistakes: format!("error: no wish: {why}"), ..Reading::default() },
        };
        written(&reading)
    }

    fn read(&mut self, wish: &Wish) -> Reading {
        let refuse = |mistakes: String| Reading { mistakes, ..Reading::default() };
        if wish.text.len() > TEXT {
            return refuse(format!("error: the text is larger than the {} KiB that a page takes", TEXT >> 10));
        }
        let Ok(seed) = wish.seed.trim().parse::<u64>() else {
            return refuse(format!("error: the seed is a whole number from 0 to {}", u64::MAX));
        };
        let load = |set: &[String]| load_text(&wish.name, &wish.text, Path::new(""), set, &wish.design);
        let refused = |mistakes: Diagnostics| Reading { line: mistakes.first_line(), ..refuse(mistakes.render(false)) };
        // The sliders are those of the file: what a change by hand sets has no range any more.
        let plain = match load(&[]) {
            Ok(plain) => plain,
            Err(mistakes) => return refused(mistakes),
        };
        let mut reading = Reading {
            warnings: plain.warnings.render_warnings(false),
            title: plain.title.clone(),
            design: plain.design.clone(),
            numbers: numbers(&plain),
            axes: axes(&plain),
            designs: plain.designs.clone(),
            ..Reading::default()
        };
        let scenario = if wish.set.is_empty() { Ok(plain) } else { load(&wish.set) };
        match scenario {
            Ok(scenario) => {
                reading.warnings = scenario.warnings.render_warnings(false);
                if wish.run {
                    self.running = Some(Running::new(scenario, seed, wish.most));
                }
            }
            Err(mistakes) => {
                reading.line = mistakes.first_line();
                reading.mistakes = mistakes.render(false);
            }
        }
        reading
    }

    /// Goes on by one step of the timeline.
    pub fn advance(&mut self) -> Progress {
        if self.ended.is_some() {
            return Progress::Ended;
        }
        let Some(running) = &mut self.running else { return Progress::None };
        match running.run.step() {
            Ok(None) => {
                running.recorder.look(&running.run);
                let whole = running.scenario.span.0.max(1) as f64;
                Progress::Under((running.run.at().0 as f64 / whole).min(1.0))
            }
            Ok(Some(ended)) => {
                running.recorder.look(&running.run);
                self.ended = Some(Ok(ended));
                Progress::Ended
            }
            Err(imbalance) => {
                self.ended = Some(Err(imbalance.to_string()));
                Progress::Ended
            }
        }
    }

    /// What came of the run that has ended, as JSON.
    pub fn answer(&mut self) -> String {
        let nothing = |trouble: &str| {
            written(&Shown { answer: Answer::default(), strip: Strip::default(), trouble: trouble.to_string() })
        };
        let (Some(running), Some(ended)) = (self.running.take(), self.ended.take()) else {
            return nothing("no run has ended");
        };
        let ended = match ended {
            Ok(ended) => ended,
            Err(why) => return nothing(&format!("{why}; this is a bug in Brownout: please report it with the seed")),
        };
        let trouble = running.trouble(ended);
        let outcome = write_up(&running.scenario, running.seed, &running.run, ended);
        match answer(&outcome, "ask-", running.most) {
            Ok(answer) => {
                let strip = running.recorder.finish(&running.scenario, &outcome);
                written(&Shown { answer, strip, trouble })
            }
            Err(why) => nothing(&why.to_string()),
        }
    }
}

impl Running {
    fn new(scenario: Scenario, seed: u64, most: f64) -> Running {
        let mut orders = orders(&scenario, seed);
        let is_bounded_here = orders.memory_limit.is_none_or(|most| most > MEMORY);
        orders.memory_limit = Some(orders.memory_limit.unwrap_or(MEMORY).min(MEMORY));
        let run = Run::new(&scenario.plan, orders);
        let recorder = Recorder::of(&scenario);
        Running { scenario, seed, run, recorder, most, is_bounded_here }
    }

    fn trouble(&self, ended: Ended) -> String {
        match ended {
            Ended::MemoryLimit(_) if self.is_bounded_here => {
                format!(
                    "A page gives a run {} of memory, and this one needs more: the command below has it.",
                    Bytes(MEMORY)
                )
            }
            ended => ended.advice().map(|why| format!("Not complete: {why}.")).unwrap_or_default(),
        }
    }
}

fn written(value: &impl Serialize) -> String {
    // Only a map with keys that are no text cannot be written, and there is none.
    serde_json::to_string(value).unwrap_or_default()
}

fn numbers(scenario: &Scenario) -> Vec<Number> {
    let with_range = scenario.provenance.iter().filter_map(|p| Some((p, p.range.as_ref()?)));
    let number = |(p, (low, high)): (&brownout_scenarios::Provenance, &(String, String))| {
        let Stops { values, at, is_geometric } = stops(low, &p.value, high, STOPS);
        Number { path: p.path.clone(), mark: p.mark.clone(), why: p.why.clone(), stops: values, at, log: is_geometric }
    };
    with_range.take(NUMBERS).map(number).filter(|number| number.stops.len() > 1).collect()
}

fn axes(scenario: &Scenario) -> Vec<Axis> {
    let axis = |axis: &brownout_scenarios::Axis| Axis {
        name: axis.name.clone(),
        points: axis.points.clone(),
        default: axis.default.clone().unwrap_or_default(),
    };
    scenario.axes.iter().map(axis).collect()
}
