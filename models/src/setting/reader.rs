//! Walks a tree of values and collects mistakes.

use super::{Span, Value};
use crate::units::Ns;

/// Turns what a file says of time ("11:46", "2015-10-28 11:46", "20s") into time since the run's start.
pub trait Clock {
    /// The offset from the start of the run.
    ///
    /// # Errors
    /// Says what is wrong with the text, or that it lies outside the run.
    fn moment(&self, text: &str) -> Result<Ns, String>;
}

/// One mistake: what, where, and what to do about it.
#[derive(Clone, PartialEq, Debug)]
pub struct Problem {
    /// Where.
    pub span: Span,
    /// What is wrong, starting in lower case, without a full stop.
    pub message: String,
    /// The repair, if one can be named; shown under the caret.
    pub help: Option<String>,
}

/// Collects problems while settings are read.
pub struct Reader<'a> {
    clock: &'a dyn Clock,
    path: Vec<String>,
    problems: Vec<Problem>,
    strangers: usize,
}

impl<'a> Reader<'a> {
    /// A reader that resolves times with `clock`.
    pub fn new(clock: &'a dyn Clock) -> Reader<'a> {
        Reader { clock, path: Vec::new(), problems: Vec::new(), strangers: 0 }
    }

    /// Resolves a time of the file.
    ///
    /// # Errors
    /// As [`Clock::moment`].
    pub fn moment(&self, text: &str) -> Result<Ns, String> {
        self.clock.moment(text)
    }

    /// Notes a mistake at a place.
    pub fn problem(&mut self, span: Span, message: impl Into<String>) {
        self.problems.push(Problem { span, message: message.into(), help: None });
    }

    /// Notes a mistake with its repair.
    pub fn problem_with_help(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.problems.push(Problem { span, message: message.into(), help: Some(help.into()) });
    }

    /// Notes that something else was expected here.
    pub fn expected(&mut self, value: &Value, what: &str) {
        let message = format!("expected {what}, found {}", value.kind());
        self.problem(value.span, message);
    }

    /// Runs `f` one key deeper in the path.
    pub fn within<T>(&mut self, key: &str, f: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(key.to_string());
        let out = f(self);
        self.path.pop();
        out
    }

    /// The key path read at present, "balancer.health".
    pub fn path(&self) -> String {
        self.path.join(".")
    }

    /// How many mistakes there are so far.
    pub fn count(&self) -> usize {
        self.problems.len()
    }

    /// Notes that an unknown key was met: what it was meant to say is missing.
    pub fn met_a_stranger(&mut self) {
        self.strangers += 1;
    }

    /// Whether an unknown key was met.
    pub fn has_strangers(&self) -> bool {
        self.strangers > 0
    }

    /// All mistakes found.
    pub fn finish(self) -> Vec<Problem> {
        self.problems
    }
}

/// The known name nearest to a mistyped one, if any is near.
pub fn closest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    // Nothing that long is a slip of the finger, and comparing it is slow.
    const LONGEST: usize = 64;
    known
        .into_iter()
        .filter(|_| name.len() <= LONGEST)
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}
