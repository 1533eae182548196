//! What a run must show: `[[expect]]`, and the small language of its conditions.
//!
//! ```text
//! track.dropped_rate < 0.1% during outage
//! <metric> <op> <value> [<window>]
//!
//! <op>     < <= > >= = !=
//! <window> during <part> | over <part> | before <cause> | after <cause>
//!        | from <time> after <cause> | within <time> after <cause>
//! <part>   run | window | <cause>
//! <cause>  outage | faults | <id of a fault of the timeline>
//! ```
//!
//! `during` looks at each step of the part, `over` takes the part as one. Without a window the condition is about the
//! scenario's `window`, or about the entry's `over`. Which parts of a run these are is known only when it has been run: see
//! [`Stretch`]. Conditions are not combined: two that must hold are two entries.

use crate::evidence::describe;
use crate::header::{Period, Placed};
use brownout_models::component::operator::Action;
use brownout_models::metrics::{self, Measured, Metric, Scope, Unit};
use brownout_models::setting::{
    Clock, Data, Form, Name, Named, Problem, Reader, Setting, Span, Value, always, closest,
};
use brownout_models::settings;
use brownout_models::spec::WorldSpec;
use brownout_models::units::{Ns, parse_duration, parse_quantity, parse_share};

/// Bytes of a condition; nothing that a person writes is as long.
const LONGEST: usize = 500;

settings! {
    /// An expectation: exactly one of `always`, `eventually`, `sometimes`, each a condition such as
    /// "track.dropped_rate < 0.1% during outage". docs/testing.md describes the language.
    pub struct ExpectEntry {
        /// Holds at every step; of a total, over the window as a whole.
        pub always: Option<Name> = None => always;
        /// Holds from some step to the end of the window.
        pub eventually: Option<Name> = None => always;
        /// Holds at some step of some run.
        pub sometimes: Option<Name> = None => always;
        /// For which designs: axis = "point", or a list of points; design = "name" for a named one.
        pub of: Named<OneOf> = Named::default() => always;
        /// When; without it, the window.
        pub over: Option<Period> = None => always;
        /// What it means, in a sentence.
        pub says: String = String::new() => always;
    }
}

/// One name, or several of which one must be in force.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct OneOf(pub Vec<Name>);

impl Setting for OneOf {
    fn read(value: &Value, reader: &mut Reader<'_>) -> Option<Self> {
        match &value.data {
            Data::List(_) => Vec::read(value, reader).map(OneOf),
            _ => Name::read(value, reader).map(|name| OneOf(vec![name])),
        }
    }
    fn form() -> Form {
        Form::Either(vec![Name::form(), Vec::<Name>::form()])
    }
    fn show(&self) -> String {
        self.0.show()
    }
}

/// What an expectation demands of its condition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExpectKind {
    /// It holds at every step.
    Always,
    /// It holds from some step to the end.
    Eventually,
    /// It holds at some step.
    Sometimes,
}

impl ExpectKind {
    /// The word of the file.
    pub fn word(self) -> &'static str {
        match self {
            ExpectKind::Always => "always",
            ExpectKind::Eventually => "eventually",
            ExpectKind::Sometimes => "sometimes",
        }
    }
}

/// How a value is compared with its limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compare {
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `=`
    Equal,
    /// `!=`
    Unequal,
}

impl Compare {
    /// Whether a value passes; equal means to within rounding.
    pub fn holds(self, value: f64, limit: f64) -> bool {
        const ROUNDING: f64 = 1e-12;
        let same = value == limit || (value - limit).abs() <= ROUNDING * limit.abs().max(1.0);
        match self {
            Compare::Below => value < limit && !same,
            Compare::AtMost => value < limit || same,
            Compare::Above => value > limit && !same,
            Compare::AtLeast => value > limit || same,
            Compare::Equal => same,
            Compare::Unequal => !same,
        }
    }

    /// How far a value is on the wrong side of its limit; negative on the right side.
    pub fn excess(self, value: f64, limit: f64) -> f64 {
        match self {
            Compare::Below | Compare::AtMost => value - limit,
            Compare::Above | Compare::AtLeast => limit - value,
            Compare::Equal => (value - limit).abs(),
            Compare::Unequal => -(value - limit).abs(),
        }
    }
}

/// What happened in a run, and bounds a window there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Happening {
    /// From the first store that left service to the return of the last.
    Outage,
    /// From the beginning of the first fault of the timeline to the end of the last.
    Faults,
    /// From the first beginning to the last end of the fault of the timeline that has this id.
    Fault(String),
}

/// A part of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stretch {
    /// From one time of the run to another.
    Fixed(Ns, Ns),
    /// While it lasted.
    During(Happening),
    /// From the start of the run to its beginning.
    Before(Happening),
    /// From so long after its end until so long after it (never: until the end of the run).
    After(Happening, Ns, Ns),
}

/// A condition: a metric, a comparison, a limit, and when.
#[derive(Clone, PartialEq, Debug)]
pub struct Condition {
    /// What the metric is of: "track", "rotation", "stores.identify".
    pub subject: String,
    /// The metric.
    pub metric: &'static Metric,
    /// How it is compared.
    pub compare: Compare,
    /// With what, in the metric's unit.
    pub limit: Measured,
    /// The limit as written.
    pub shown: String,
    /// When.
    pub stretch: Stretch,
    /// Whether that is taken as one, not step by step.
    pub whole: bool,
}

/// Something that a run must show.
#[derive(Clone, PartialEq, Debug)]
pub struct Expect {
    /// What is demanded of the condition.
    pub kind: ExpectKind,
    /// The condition as written: "track.dropped_rate < 0.1%".
    pub text: String,
    /// The condition.
    pub condition: Condition,
    /// What it means, in a sentence; may be empty.
    pub says: String,
    /// For which designs: per axis the points of which one must be in force; empty: for all. Named designs stand under
    /// "design".
    pub of: Vec<(String, Vec<String>)>,
    /// Whether it is for the design in force.
    pub applies: bool,
    /// The line of the file where it stands, from 1.
    pub line: usize,
}

/// The pseudo-axis of the named designs.
pub(crate) const NAMED: &str = "design";

/// What an expectation is checked against.
pub(crate) struct Context<'a> {
    pub(crate) clock: &'a dyn Clock,
    /// The scenario's window, and the whole run.
    pub(crate) window: (Ns, Ns),
    pub(crate) run: (Ns, Ns),
    /// Every axis with its points; the named designs as the last.
    pub(crate) axes: Vec<(String, Vec<String>)>,
    /// The points and named designs in force.
    pub(crate) in_force: Vec<(String, String)>,
    /// The world, if it is sound.
    pub(crate) spec: Option<&'a WorldSpec>,
    /// The text of the file, to find places within strings.
    pub(crate) source: &'a dyn Fn(Span) -> &'a str,
}

/// The axes and designs as `of` names them.
pub(crate) fn axes(axes: &[crate::Axis], designs: &[String]) -> Vec<(String, Vec<String>)> {
    let mut out: Vec<_> = axes.iter().map(|a| (a.name.clone(), a.points.clone())).collect();
    if !designs.is_empty() && !out.iter().any(|(name, _)| name == NAMED) {
        out.push((NAMED.to_string(), designs.to_vec()));
    }
    out
}

/// Reads an entry; `line` is that of its beginning.
pub(crate) fn read(
    entry: &Placed<ExpectEntry>,
    context: &Context<'_>,
    line: usize,
    problems: &mut Vec<Problem>,
) -> Option<Expect> {
    let inner = &entry.inner;
    let mut forms = Vec::new();
    forms.extend(inner.always.iter().map(|name| (ExpectKind::Always, name)));
    forms.extend(inner.eventually.iter().map(|name| (ExpectKind::Eventually, name)));
    forms.extend(inner.sometimes.iter().map(|name| (ExpectKind::Sometimes, name)));
    let sound = check_designs(&inner.of, &context.axes, problems);
    let [(kind, text)] = forms[..] else {
        let message = "an expectation has exactly one of `always`, `eventually`, `sometimes`".to_string();
        let help = Some("always = \"track.dropped_rate < 0.1%\"".to_string());
        problems.push(Problem { span: entry.span, message, help });
        return None;
    };
    let of: Vec<(String, Vec<String>)> = inner
        .of
        .0
        .iter()
        .map(|(axis, one)| (axis.text.clone(), one.0.iter().map(|n| n.text.clone()).collect()))
        .collect();
    let in_force = |axis: &str, point: &String| context.in_force.iter().any(|(a, p)| a == axis && p == point);
    let applies = sound && of.iter().all(|(axis, points)| points.iter().any(|point| in_force(axis, point)));
    match Parser::new(text, kind, inner.over, applies, context).and_then(|parser| parser.condition()) {
        Ok(condition) => {
            let says = inner.says.clone();
            Some(Expect { kind, text: text.text.trim().to_string(), condition, says, of, applies, line })
        }
        Err(problem) => {
            problems.push(problem);
            None
        }
    }
}

/// Whether `of` names axes and points that there are.
fn check_designs(of: &Named<OneOf>, axes: &[(String, Vec<String>)], problems: &mut Vec<Problem>) -> bool {
    let before = problems.len();
    let mut wrong = |name: &Name, message: String, known: Vec<&str>| {
        let help = match closest(&name.text, known.iter().copied()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None if known.is_empty() => "this file has no axes".into(),
            None => format!("there are: {}", known.join(", ")),
        };
        problems.push(Problem { span: name.span, message, help: Some(help) });
    };
    for (axis, one) in &of.0 {
        let Some((_, points)) = axes.iter().find(|(name, _)| *name == axis.text) else {
            let names = axes.iter().map(|(name, _)| name.as_str()).collect();
            wrong(axis, format!("no axis \"{}\"", axis.text), names);
            continue;
        };
        for point in one.0.iter().filter(|point| !points.contains(&point.text)) {
            let message = format!("axis `{}` has no point \"{}\"", axis.text, point.text);
            wrong(point, message, points.iter().map(String::as_str).collect());
        }
        if one.0.is_empty() {
            wrong(axis, format!("`{}` names no point", axis.text), points.iter().map(String::as_str).collect());
        }
    }
    problems.len() == before
}

/// A word of a condition and its place in it.
#[derive(Clone, Copy)]
struct Token<'a> {
    text: &'a str,
    at: usize,
}

/// Reads one condition.
struct Parser<'a, 'c> {
    text: &'a str,
    name: &'a Name,
    kind: ExpectKind,
    /// The entry's own window.
    over: Option<Period>,
    /// Whether it is for the design in force; if not, the world may lack what it names.
    applies: bool,
    context: &'a Context<'c>,
}

impl<'a, 'c> Parser<'a, 'c> {
    fn new(
        name: &'a Name,
        kind: ExpectKind,
        over: Option<Period>,
        applies: bool,
        context: &'a Context<'c>,
    ) -> Result<Parser<'a, 'c>, Problem> {
        let parser = Parser { text: &name.text, name, kind, over, applies, context };
        match name.text.len() {
            _ if name.text.trim().is_empty() => Err(parser.wrong(None, "the condition is empty", None)),
            too_long if too_long > LONGEST => {
                Err(parser.wrong(None, format!("a condition of more than {LONGEST} bytes"), None))
            }
            _ => Ok(parser),
        }
    }

    /// A mistake, at a part of the condition where that can be pointed at.
    fn wrong(&self, token: Option<Token<'_>>, message: impl Into<String>, help: Option<String>) -> Problem {
        let whole = self.name.span;
        let written = (self.context.source)(whole);
        // Without escapes the text stands in the file as it is, behind one quote, or three.
        let inside = written.find(self.text).and_then(|quote| {
            let token = token?;
            let start = whole.start + u32::try_from(quote + token.at).ok()?;
            Some(Span { source: whole.source, start, end: start + u32::try_from(token.text.len()).ok()? })
        });
        Problem { span: inside.unwrap_or(whole), message: message.into(), help }
    }

    fn condition(&self) -> Result<Condition, Problem> {
        let (left, compare, right) = self.split()?;
        let metric = self.metric(left)?;
        let words = words(right);
        let value = words.iter().take_while(|w| !WINDOW_WORDS.contains(&w.text)).count();
        let (limit, shown) = self.limit(metric, right, &words[..value])?;
        let (stretch, whole) = self.window(metric, left, &words[value..])?;
        if self.kind == ExpectKind::Eventually && (whole || matches!(metric.scope, Scope::Window | Scope::Run)) {
            let message = format!("`{}` has one value for the whole window, and cannot come to hold in it", left.text);
            let message = if matches!(metric.scope, Scope::Part | Scope::Total) {
                "a window taken as one has one value, and nothing can come to hold in it".to_string()
            } else {
                message
            };
            return Err(self.wrong(Some(left), message, Some("use always".into())));
        }
        let subject = left.text.rsplit_once('.').map_or(String::new(), |(subject, _)| subject.to_string());
        // A bound on what adds up is one on the sum.
        let whole = whole
            || matches!(metric.scope, Scope::Window | Scope::Run)
            || (metric.scope == Scope::Total && self.kind == ExpectKind::Always);
        Ok(Condition { subject, metric, compare, limit, shown, stretch, whole })
    }

    /// Takes a condition apart at its operator.
    fn split(&self) -> Result<(Token<'a>, Compare, Token<'a>), Problem> {
        let Some(at) = self.text.find(['<', '>', '=', '!']) else {
            let help = Some("track.dropped_rate < 0.1% during outage".to_string());
            return Err(self.wrong(None, "a condition compares a metric with a value", help));
        };
        let signs = self.text[at..].chars().take_while(|c| matches!(c, '<' | '>' | '=' | '!')).count();
        let sign = Token { text: &self.text[at..at + signs], at };
        let compare = match sign.text {
            "<" => Compare::Below,
            "<=" => Compare::AtMost,
            ">" => Compare::Above,
            ">=" => Compare::AtLeast,
            "=" | "==" => Compare::Equal,
            "!=" => Compare::Unequal,
            other => {
                let message = format!("`{other}` does not compare");
                return Err(self.wrong(Some(sign), message, Some("one of < <= > >= = !=".into())));
            }
        };
        let left = trimmed(&self.text[..at], 0);
        let right = Token { text: &self.text[at + signs..], at: at + signs };
        if let Some(joint) = words(right).into_iter().find(|w| matches!(w.text, "and" | "or" | "&&" | "||")) {
            let help = "two conditions that must hold are two [[expect]]".to_string();
            return Err(self.wrong(Some(joint), "conditions are not combined", Some(help)));
        }
        Ok((left, compare, right))
    }

    fn metric(&self, left: Token<'_>) -> Result<&'static Metric, Problem> {
        let found = match (self.context.spec, metrics::find_anywhere(left.text)) {
            (_, Err(why)) => Err(why),
            // In another design than the one in force there may be other parts.
            (Some(spec), Ok(_)) if self.applies => metrics::find(left.text, spec).map(|(_, metric)| metric),
            (_, Ok(metric)) => Ok(metric),
        };
        let metric = found.map_err(|why| {
            let (message, help) = why.split_once("; ").map_or((why.as_str(), None), |(m, h)| (m, Some(h)));
            self.wrong(Some(left), message, help.map(str::to_string))
        })?;
        if metric.unit == Unit::Interval {
            let message = format!("`{}` is {}, which is not compared with one value", left.text, describe(metric.unit));
            let help = "longest_drop is a length of time, failing_until a time".to_string();
            return Err(self.wrong(Some(left), message, Some(help)));
        }
        Ok(metric)
    }

    fn limit(&self, metric: &Metric, right: Token<'_>, words: &[Token<'_>]) -> Result<(Measured, String), Problem> {
        let (Some(first), Some(last)) = (words.first(), words.last()) else {
            let help = describe(metric.unit).to_string();
            return Err(self.wrong(Some(trimmed(right.text, right.at)), "the value is missing", Some(help)));
        };
        let end = last.at + last.text.len() - right.at;
        let value = Token { text: &right.text[first.at - right.at..end], at: first.at };
        let read = match metric.unit {
            Unit::Share => parse_share(value.text).map(|share| Measured::Share(share.0)),
            Unit::Count => parse_quantity(value.text).map(|quantity| Measured::Count(quantity.0)),
            Unit::Duration => match parse_duration(value.text) {
                Ok(time) if time.is_never() => Err("a bound on a time must be one".to_string()),
                read => read.map(Measured::Duration),
            },
            Unit::Moment => self.context.clock.moment(value.text).map(Measured::Moment),
            Unit::Interval => Err("this is not compared".into()),
        };
        match read {
            Ok(limit) => Ok((limit, value.text.to_string())),
            Err(why) => {
                let help = format!("`{}` is {}", metric.name, describe(metric.unit));
                Err(self.wrong(Some(value), why, Some(help)))
            }
        }
    }

    /// Reads the words behind the value.
    fn window(&self, metric: &Metric, left: Token<'_>, words: &[Token<'_>]) -> Result<(Stretch, bool), Problem> {
        let fixed = |(from, to): (Ns, Ns)| Stretch::Fixed(from, to);
        let Some(first) = words.first() else {
            let default = self.over.map_or(self.context.window, |p| (p.from, p.to));
            return Ok((fixed(default), false));
        };
        if self.over.is_some() {
            return Err(self.wrong(Some(*first), "the entry has `over` and its condition has a window", None));
        }
        if metric.scope == Scope::Run {
            let message = format!("`{}` is of the whole run: a window says nothing about it", left.text);
            return Err(self.wrong(Some(*first), message, Some("take the window out".into())));
        }
        let looks = "a window looks like \"during outage\", \"over window\", \"before outage\", \"after outage\" or \
                     \"from 30s after outage\"";
        let rest = &words[1..];
        match (first.text, rest) {
            ("during" | "over", [part]) => {
                let stretch = match part.text {
                    "run" => fixed(self.context.run),
                    "window" => fixed(self.context.window),
                    _ => Stretch::During(self.happening(*part)?),
                };
                Ok((stretch, first.text == "over"))
            }
            ("before", [part]) => Ok((Stretch::Before(self.happening(*part)?), false)),
            ("after", [part]) => Ok((Stretch::After(self.happening(*part)?, Ns::ZERO, Ns::NEVER), false)),
            ("from" | "within", [time @ .., after, part]) if after.text == "after" && !time.is_empty() => {
                let by = self.time(time)?;
                let happening = self.happening(*part)?;
                let (from, to) = if first.text == "from" { (by, Ns::NEVER) } else { (Ns::ZERO, by) };
                Ok((Stretch::After(happening, from, to), false))
            }
            _ => Err(self.wrong(Some(*rest.last().unwrap_or(first)), "this is no window", Some(looks.into()))),
        }
    }

    fn time(&self, words: &[Token<'_>]) -> Result<Ns, Problem> {
        let text = words.iter().map(|w| w.text).collect::<Vec<_>>().join(" ");
        match parse_duration(&text) {
            Ok(time) if !time.is_never() && time > Ns::ZERO => Ok(time),
            Ok(_) => Err(self.wrong(words.first().copied(), "this time must be longer than none, and end", None)),
            Err(why) => Err(self.wrong(words.first().copied(), why, None)),
        }
    }

    fn happening(&self, word: Token<'_>) -> Result<Happening, Problem> {
        let faults = self.context.spec.map_or(Vec::new(), |spec| {
            let faults = spec.timeline.iter().filter(|entry| matches!(entry.action, Action::Fault(..)));
            faults.filter_map(|entry| Some(entry.id.as_ref()?.text.as_str())).collect()
        });
        match word.text {
            "outage" => return Ok(Happening::Outage),
            "faults" => return Ok(Happening::Faults),
            // In another design there may be other faults.
            id if faults.contains(&id) || self.context.spec.is_none() || !self.applies => {
                return Ok(Happening::Fault(id.to_string()));
            }
            _ => {}
        }
        let known: Vec<&str> = ["outage", "faults", "run", "window"].into_iter().chain(faults).collect();
        let help = match closest(word.text, known.iter().copied()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("there are: {}", known.join(", ")),
        };
        Err(self.wrong(Some(word), format!("no part of the run is called \"{}\"", word.text), Some(help)))
    }
}

/// The words with which a window begins.
const WINDOW_WORDS: [&str; 6] = ["during", "over", "before", "after", "from", "within"];

fn trimmed(text: &str, at: usize) -> Token<'_> {
    let start = text.len() - text.trim_start().len();
    Token { text: text.trim(), at: at + start }
}

fn words(token: Token<'_>) -> Vec<Token<'_>> {
    let parts = token.text.split_whitespace();
    let place = |part: &str| token.at + (part.as_ptr() as usize - token.text.as_ptr() as usize);
    parts.map(|part| Token { text: part, at: place(part) }).collect()
}
