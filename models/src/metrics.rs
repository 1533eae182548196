//! The catalogue of metrics: what evidence and expectations may speak of.
//!
//! A metric is written `<subject>.<name>`: `track.dropped_rate`, `rotation.downs_mean`. The subject is a kind of
//! call (`track`), one population of it (`track.browsers`), `all` calls, `rotation`, a fleet (`fleets.collectors`), a store
//! (`stores.identify`), `balancer`, or `ledger`. All are taken over a window of the run; those of calls by the time at which
//! the calls were offered, whose fates are followed to the end of the run.
//!
//! A metric is one entry of [`ALL`], with the rule that computes it. Rules see a run through [`Record`]; only what no metric
//! has asked for yet needs a method there.

mod catalogue;
mod edge;
mod record;

pub use catalogue::ALL;
pub use edge::{EdgeCounts, EdgeOf};
pub use record::{Calls, Part, Period, Record};

use crate::level::Peaks;
use crate::spec::WorldSpec;
use crate::units::Ns;

/// What a metric is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subject {
    /// Some calls.
    Calls,
    /// The first fleet's servers in and out of rotation.
    Rotation,
    /// A fleet, by name.
    Fleet,
    /// A store, by name.
    Store,
    /// One that asks and one that is asked, by their names.
    Edge,
    /// The balancer.
    Balancer,
    /// The books themselves.
    Ledger,
}

impl Subject {
    /// Every one.
    pub const ALL: [Subject; 7] = [
        Subject::Calls,
        Subject::Rotation,
        Subject::Fleet,
        Subject::Store,
        Subject::Edge,
        Subject::Balancer,
        Subject::Ledger,
    ];

    /// How it is written: `<calls>`, `fleets.<name>`.
    pub fn pattern(self) -> &'static str {
        match self {
            Subject::Calls => "<calls>",
            Subject::Rotation => "rotation",
            Subject::Fleet => "fleets.<name>",
            Subject::Store => "stores.<name>",
            Subject::Edge => "edges.<caller>.<callee>",
            Subject::Balancer => "balancer",
            Subject::Ledger => "ledger",
        }
    }
}

/// How a metric's value is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// A part of a whole: "54%".
    Share,
    /// A number of things: "12".
    Count,
    /// A length of time: "10min".
    Duration,
    /// A time of the day: "18:08".
    Moment,
    /// From one time to another: ["11:46", "17:50"].
    Interval,
}

impl Unit {
    /// A value of this kind as a file has it.
    pub fn example(self) -> &'static str {
        match self {
            Unit::Share => "\"54%\"",
            Unit::Count => "\"12\"",
            Unit::Duration => "\"10min\"",
            Unit::Moment => "\"18:08\"",
            Unit::Interval => "[\"11:46\", \"17:50\"]",
        }
    }

    /// The value of this kind with such a bare number ([`Measured::number`]); for an interval, its start.
    pub fn of(self, number: f64) -> Measured {
        match self {
            Unit::Share => Measured::Share(number),
            Unit::Count => Measured::Count(number),
            Unit::Duration => Measured::Duration(Ns::from_secs_f64(number)),
            Unit::Moment | Unit::Interval => Measured::Moment(Ns::from_secs_f64(number)),
        }
    }
}

/// A value of a metric, measured or named as a bound.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Measured {
    /// A part of a whole, from 0 to 1.
    Share(f64),
    /// A number of things.
    Count(f64),
    /// A length of time.
    Duration(Ns),
    /// A point in time, since the start of the run.
    Moment(Ns),
    /// From one point in time to another.
    Interval(Ns, Ns),
}

impl Measured {
    /// The bare number: a fraction, a count, or seconds; an interval by its start.
    pub fn number(self) -> f64 {
        match self {
            Measured::Share(x) | Measured::Count(x) => x,
            Measured::Duration(at) | Measured::Moment(at) | Measured::Interval(at, _) => at.as_secs(),
        }
    }

    /// What kind of value it is.
    pub fn unit(self) -> Unit {
        match self {
            Measured::Share(_) => Unit::Share,
            Measured::Count(_) => Unit::Count,
            Measured::Duration(_) => Unit::Duration,
            Measured::Moment(_) => Unit::Moment,
            Measured::Interval(..) => Unit::Interval,
        }
    }
}

/// Why a metric has no value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Absent {
    /// There was nothing to measure: no calls, no outage.
    Nothing(&'static str),
    /// What it waits for never came: later than any bound.
    Never(&'static str),
    /// What it looks for the end of never began: earlier than any bound.
    NotOnce(&'static str),
}

/// What a metric comes to, or why it has no value.
pub type Found = Result<Measured, Absent>;

/// Over what a metric can be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Over any part of a window: also over each step of it.
    Part,
    /// Over any part of a window, but it adds up: a bound on it is one on the whole window.
    Total,
    /// Over a window as a whole: it takes several steps to show.
    Window,
    /// Over the run, from the outage on; a window says nothing about it.
    Run,
}

impl Scope {
    /// In a few words.
    pub fn words(self) -> &'static str {
        match self {
            Scope::Part => "any part of a window",
            Scope::Total => "a window, as a total",
            Scope::Window => "a whole window",
            Scope::Run => "the run",
        }
    }
}

/// How a metric is computed. Which rule it has says what it is about.
#[derive(Clone, Copy, Debug)]
enum Rule {
    Calls(fn(&Calls<'_>) -> Found),
    Rotation(fn(&dyn Record, Period) -> Found),
    Fleet(fn(&Part<'_>) -> Found),
    Store(fn(&Part<'_>) -> Found),
    Edge(fn(&EdgeOf<'_>) -> Found),
    Balancer(fn(&Peaks) -> Found),
    Ledger(fn(&dyn Record) -> Found),
}

/// One metric: an entry of the catalogue, from which the file format, `list`, `explain` and the messages take all they know.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// How its value is written.
    pub unit: Unit,
    /// Over what it can be taken.
    pub scope: Scope,
    /// What it means.
    pub doc: &'static str,
    /// Whether it looks at steps of the timeline one by one, so that its value hangs on how long they are (`step`). All
    /// others have the same value whatever the steps are.
    pub per_step: bool,
    /// Whether it is a share of calls that something bad happened to: what designs are ranked by, less being better.
    pub is_loss: bool,
    /// Whether a smaller value is the worse one, as of what was stored; of all others the greater.
    pub less_is_worse: bool,
    /// Whether its value over no calls at all means nothing: none of none dropped is no merit.
    pub needs_calls: bool,
    rule: Rule,
}

/// Names are unique for each subject.
impl PartialEq for Metric {
    fn eq(&self, other: &Metric) -> bool {
        (self.subject(), self.name) == (other.subject(), other.name)
    }
}

impl Metric {
    /// What it is about.
    pub fn subject(&self) -> Subject {
        match self.rule {
            Rule::Calls(_) => Subject::Calls,
            Rule::Rotation(_) => Subject::Rotation,
            Rule::Fleet(_) => Subject::Fleet,
            Rule::Store(_) => Subject::Store,
            Rule::Edge(_) => Subject::Edge,
            Rule::Balancer(_) => Subject::Balancer,
            Rule::Ledger(_) => Subject::Ledger,
        }
    }

    /// Its value of a subject over a period; of one whose [`scope`](Self::scope) is the run, over that.
    ///
    /// # Errors
    /// Why it has none.
    pub fn measure(&self, record: &dyn Record, subject: &str, over: Period) -> Found {
        match self.rule {
            Rule::Calls(rule) => rule(&Calls::new(record, subject, over)),
            Rule::Rotation(rule) => rule(record, over),
            Rule::Fleet(rule) => rule(&Part::fleet(record, subject, over)?),
            Rule::Store(rule) => rule(&Part::store(record, subject, over)?),
            Rule::Edge(rule) => rule(&EdgeOf::new(record, subject, over)?),
            Rule::Balancer(rule) => rule(&record::peaks(record, over)?),
            Rule::Ledger(rule) => rule(record),
        }
    }
}

/// Calls of a subject that were offered in a period.
pub fn offered(record: &dyn Record, subject: &str, over: Period) -> u64 {
    Calls::new(record, subject, over).all.offered
}

/// From the end of what went wrong until a subject's calls succeed again, as the metric `recovery` has it.
pub fn recovery(record: &dyn Record, subject: &str) -> Option<Ns> {
    Calls::new(record, subject, (Ns::ZERO, Ns::NEVER)).recovery().ok()
}

/// The metric that a text names, and its subject.
///
/// # Errors
/// Says what is wrong, and the nearest right name.
pub fn find<'t>(text: &'t str, world: &WorldSpec) -> Result<(&'t str, &'static Metric), String> {
    let (subject, name) = split(text)?;
    let about = about(subject, world)?;
    named(subject, about, name).map(|metric| (subject, metric))
}

/// The metric that a text names, as far as that can be told without the world it is of.
///
/// # Errors
/// Says that no subject has a metric of that name.
pub fn find_anywhere(text: &str) -> Result<&'static Metric, String> {
    let (subject, name) = split(text)?;
    named(subject, about_by_form(subject), name)
}

fn split(text: &str) -> Result<(&str, &str), String> {
    text.rsplit_once('.').ok_or_else(|| format!("a metric looks like \"track.dropped_rate\", not \"{text}\""))
}

/// What a subject is about, by its form alone; calls, if by no other.
pub fn about_by_form(subject: &str) -> Subject {
    prefixed(subject).unwrap_or(Subject::Calls)
}

/// What a subject other than calls is about.
fn prefixed(subject: &str) -> Option<Subject> {
    match subject.split_once('.') {
        None if subject == "rotation" => Some(Subject::Rotation),
        None if subject == "balancer" => Some(Subject::Balancer),
        None if subject == "ledger" => Some(Subject::Ledger),
        Some(("fleets", _)) => Some(Subject::Fleet),
        Some(("stores", _)) => Some(Subject::Store),
        Some(("edges", _)) => Some(Subject::Edge),
        _ => None,
    }
}

fn about(subject: &str, world: &WorldSpec) -> Result<Subject, String> {
    if !populations(subject, world).is_empty() {
        return Ok(Subject::Calls);
    }
    let known = |what: &str, name: &str, names: Vec<&str>, about: Subject| match names.contains(&name) {
        true => Ok(about),
        false => Err(match crate::setting::closest(name, names.iter().copied()) {
            Some(near) => format!("no {what} \"{name}\" to measure; did you mean \"{what}s.{near}\"?"),
            None => format!("no {what} \"{name}\" to measure; there are: {}", names.join(", ")),
        }),
    };
    match (prefixed(subject), subject.split_once('.')) {
        (Some(Subject::Edge), Some((_, name))) => {
            let names: Vec<String> = world.edges().into_iter().map(|edge| world.edge_name(edge)).collect();
            known("edge", name, names.iter().map(String::as_str).collect(), Subject::Edge)
        }
        (Some(Subject::Fleet), Some((_, name))) => known("fleet", name, world.fleets.names().collect(), Subject::Fleet),
        (Some(Subject::Store), Some((_, name))) => known("store", name, world.stores.names().collect(), Subject::Store),
        (Some(about), _) => Ok(about),
        (None, _) => {
            let mut subjects = world.kinds();
            subjects.extend(["all", "rotation", "fleets.<name>", "stores.<name>", "balancer", "ledger"]);
            let near = crate::setting::closest(subject, subjects.iter().copied());
            let help = near.map_or(format!("there are: {}", subjects.join(", ")), |n| format!("did you mean \"{n}\"?"));
            Err(format!("no calls \"{subject}\" to measure; {help}"))
        }
    }
}

fn named(subject: &str, about: Subject, name: &str) -> Result<&'static Metric, String> {
    let known = || ALL.iter().filter(|m| m.subject() == about);
    known().find(|m| m.name == name).ok_or_else(|| {
        let names: Vec<_> = known().map(|m| m.name).collect();
        let help = match crate::setting::closest(name, names.iter().copied()) {
            Some(near) => format!("did you mean \"{subject}.{near}\"?"),
            None => format!("there are: {}", names.join(", ")),
        };
        format!("no metric \"{name}\" of {subject}; {help}")
    })
}

/// The populations that a subject takes together, by index: a kind, a population of it, or all.
pub fn populations(subject: &str, world: &WorldSpec) -> Vec<usize> {
    let clients = world.clients.iter().enumerate();
    let named = |name: &str, kind: &str| {
        subject == "all"
            || subject == kind
            || subject.strip_prefix(kind).and_then(|s| s.strip_prefix('.')) == Some(name)
    };
    clients.filter(|(_, (name, c))| named(name, &c.sends.text)).map(|(i, _)| i).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_found_by_its_name_and_says_what_it_means() {
        for metric in ALL {
            let written = format!("{}.{}", metric.subject().pattern(), metric.name);
            assert_eq!(find_anywhere(&written), Ok(metric), "{written}: two metrics of one name?");
            assert!(metric.doc.ends_with('.'), "{written}: {}", metric.doc);
            let mistyped = find_anywhere(&format!("{written}x")).expect_err("there is no such metric");
            assert!(mistyped.contains(&format!("did you mean \"{written}\"?")), "{mistyped}");
            let says_steps = metric.doc.contains("hangs on `step`");
            assert_eq!(metric.per_step, says_steps, "{written} must say that its value hangs on the steps, or not");
        }
    }
}
