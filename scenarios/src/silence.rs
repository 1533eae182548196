//! Keys without effect: asked of the world as it is run and, where a file has designs, of the others that it describes.
//!
//! A key is without effect if it has none in any world in which it stands: a key of the base may be there for one point of
//! an axis, a key of a point for another point. The worlds beside the one to be run are only decoded as long as some key
//! has no effect so far.

use crate::overlay::{Overlays, copy_likes};
use brownout_models::setting::{Clock, Heard, Problem, Reader, Setting, Span, Value};
use brownout_models::spec::WorldSpec;
use brownout_models::units::Ns;
use std::collections::BTreeSet;

/// Worlds that are looked at beside the one to be run; a file with more combinations of designs is looked at in part, and
/// what has no effect so far is then not reported.
const WORLDS: usize = 500;

/// What is known so far of the effects of a file's keys.
#[derive(Default)]
pub(crate) struct Silence {
    silent: Vec<Problem>,
    heard: BTreeSet<(u16, u32, u32)>,
}

fn place(span: Span) -> (u16, u32, u32) {
    (span.source, span.start, span.end)
}

impl Silence {
    /// Adds what one world says.
    pub(crate) fn add(&mut self, heard: Heard) {
        self.silent.extend(heard.silent);
        self.heard.extend(heard.heard);
    }

    /// Adds what a world says of which only the keys at these places are to be reported.
    pub(crate) fn add_within(&mut self, mut heard: Heard, places: &BTreeSet<(u16, u32, u32)>) {
        heard.silent.retain(|problem| places.contains(&place(problem.span)));
        self.add(heard);
    }

    /// Whether every key so far has an effect somewhere.
    fn is_over(&self) -> bool {
        self.silent.iter().all(|problem| self.heard.contains(&place(problem.span)))
    }

    /// Listens in the worlds of the other designs, as long as some key has no effect so far.
    pub(crate) fn listen_elsewhere(&mut self, overlays: &Overlays, base: &Value, clock: &dyn Clock, end: Ns) {
        if self.is_over() {
            return;
        }
        let choices = overlays.combinations(WORLDS + 1);
        if choices.len() > WORLDS {
            return self.silent.clear();
        }
        for choice in choices {
            let mut world = base.clone();
            let mut problems = Vec::new();
            overlays.apply(&choice, &mut world, &mut problems);
            if !problems.is_empty() {
                continue; // two of its points contradict each other: it cannot be run
            }
            copy_likes(&mut world, &mut problems);
            if let Some(heard) = listen(&world, clock, end) {
                self.heard.extend(heard.heard);
            }
            if self.is_over() {
                return;
            }
        }
    }

    /// Each key without effect, once.
    pub(crate) fn finish(self) -> Vec<Problem> {
        let mut out: Vec<Problem> = Vec::new();
        for problem in self.silent {
            // A key that is copied stands in several parts, and may be silent in each for a reason of its own.
            let known = out.iter().any(|other| other.span == problem.span);
            if !known && problem.span != Span::default() && !self.heard.contains(&place(problem.span)) {
                out.push(problem);
            }
        }
        out
    }
}

/// What the keys do in a world, if it can be decoded.
pub(crate) fn listen(world: &Value, clock: &dyn Clock, end: Ns) -> Option<Heard> {
    let mut reader = Reader::new(clock);
    let spec = WorldSpec::read(world, &mut reader)?;
    (reader.count() == 0).then(|| spec.heard(world, end))
}
