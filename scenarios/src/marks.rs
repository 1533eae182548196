//! Provenance: `{ value = "280/s", assumed = ["100/s", "5000/s"] }` becomes a plain value with a mark.

use crate::clock::seconds_of_day;
use brownout_models::setting::{Data, Key, Mark, Problem, Span, Table, Value, closest};
use brownout_models::units::{parse_bytes, parse_duration, parse_quantity, parse_rate, parse_share};
use std::rc::Rc;

/// The keys that mark a value.
pub(crate) const MARKS: [&str; 4] = ["reported", "inferred", "assumed", "calibrated"];
const LOOKS: &str = "{ value = \"280/s\", assumed = [\"100/s\", \"5000/s\"] }";

/// One number of the world and why it is what it is.
#[derive(Clone, PartialEq, Debug)]
pub struct Provenance {
    /// Where it stands: "clients.browsers.rate".
    pub path: String,
    /// The value as written.
    pub value: String,
    /// "reported", "inferred", "assumed", "calibrated", "set by hand" or "unmarked".
    pub mark: String,
    /// The evidence, the reason, or the `--set` text; empty where there is none.
    pub why: String,
    /// The range believed, as written.
    pub range: Option<(String, String)>,
}

/// Takes marks off a tree and hangs them on its scalars; notes what is malformed, and which evidence marks name.
#[derive(Default)]
pub(crate) struct Marks {
    pub(crate) problems: Vec<Problem>,
    /// Evidence that something was calibrated to, with the place that says so.
    pub(crate) calibrated: Vec<(String, Span)>,
}

impl Marks {
    /// Rewrites the tree in place.
    pub(crate) fn take_off(&mut self, value: &mut Value) {
        self.walk(value, None);
    }

    fn walk(&mut self, value: &mut Value, inherited: Option<&Rc<Mark>>) {
        let span = value.span;
        match &mut value.data {
            Data::List(items) => items.iter_mut().for_each(|item| self.walk(item, inherited)),
            Data::Table(table) => {
                let marked = table.entries.iter().any(|(k, v)| is_mark(k, v));
                let wraps = table.get("value").is_some_and(|v| !matches!(v.data, Data::Table(_)));
                let mark = if marked { self.take_mark(table, span).map(Rc::new) } else { None };
                // Beside a mark, `value` may be a table; without one it is a free name, as of a store.
                let inner = if marked || wraps { table.remove("value") } else { None };
                let Some((key, mut inner)) = inner else {
                    let mark = mark.as_ref().or(inherited);
                    table.entries.iter_mut().for_each(|(_, v)| self.walk(v, mark));
                    return;
                };
                self.check_company(&key, table, marked);
                if let Some(mark) = &mark {
                    self.check_value(&inner, mark);
                }
                self.walk(&mut inner, mark.as_ref());
                *value = inner;
            }
            _ => value.mark = inherited.filter(|mark| self.covers(value, mark)).cloned(),
        }
    }

    /// Beside `value` stands a mark and nothing else.
    fn check_company(&mut self, value: &Key, others: &Table, marked: bool) {
        if !marked && others.entries.is_empty() {
            self.problem(value.span, "`value` without a mark that says why", Some(LOOKS));
        }
        for (key, _) in &others.entries {
            let near = closest(&key.name, MARKS.into_iter().chain(["range"]));
            let help = near.map_or(LOOKS.to_string(), |near| format!("did you mean `{near}`?"));
            self.problem(key.span, format!("unknown key `{}` beside `value`", key.name), Some(&help));
        }
    }

    fn problem(&mut self, span: Span, message: impl Into<String>, help: Option<&str>) {
        self.problems.push(Problem { span, message: message.into(), help: help.map(str::to_string) });
    }

    /// Reads and removes the mark of a table.
    fn take_mark(&mut self, table: &mut Table, span: Span) -> Option<Mark> {
        let mut found: Vec<(Key, Value)> = Vec::new();
        table.entries.retain(|(k, v)| {
            let keep = !is_mark(k, v);
            if !keep {
                found.push((k.clone(), v.clone()));
            }
            keep
        });
        if let Some((second, _)) = found.get(1) {
            let message = format!("a value has one mark, not both `{}` and `{}`", found[0].0.name, second.name);
            self.problem(second.span, message, None);
        }
        let (key, value) = found.into_iter().next()?;
        // `range` is a mark's key only beside `calibrated`; elsewhere it is left to be an unknown key.
        let range = if key.name == "calibrated" { table.remove("range") } else { None };
        let mark = match (key.name.as_str(), &value.data) {
            ("assumed", _) => self.pair(&value).map(|(low, high)| Mark::Assumed { low, high }),
            (_, Data::Text(text)) if text.trim().is_empty() => {
                self.problem(value.span, format!("`{}` must say why", key.name), None);
                None
            }
            ("reported", Data::Text(text)) => Some(Mark::Reported(text.clone())),
            ("inferred", Data::Text(text)) => Some(Mark::Inferred(text.clone())),
            ("calibrated", Data::Text(text)) => {
                self.calibrated.push((text.clone(), value.span));
                let range = range.and_then(|(_, range)| self.pair(&range));
                Some(Mark::Calibrated { to: text.clone(), range })
            }
            _ => {
                let message = format!("`{}` must be a string, found {}", key.name, value.kind());
                self.problem(value.span, message, Some("name the evidence or the reason"));
                None
            }
        };
        if let Some((low, high)) = mark.as_ref().and_then(range_of) {
            self.check_order(low, high);
        }
        if table.entries.is_empty() {
            self.problem(span, format!("`{}` without a value", key.name), Some(LOOKS));
        }
        mark
    }

    /// A list of two scalars.
    fn pair(&mut self, value: &Value) -> Option<(Value, Value)> {
        if let Data::List(items) = &value.data
            && let [low, high] = &items[..]
            && ![low, high].iter().any(|v| matches!(v.data, Data::List(_) | Data::Table(_)))
        {
            return Some((low.clone(), high.clone()));
        }
        let help = Some("[\"100/s\", \"5000/s\"]");
        self.problem(value.span, "a range is a list of its lowest and its highest value", help);
        None
    }

    fn check_order(&mut self, low: &Value, high: &Value) {
        if let (Some(a), Some(b)) = (magnitude(low), magnitude(high))
            && a.0 == b.0
            && a.1 > b.1
        {
            self.problem(high.span, "the range runs backwards", Some("the lowest value comes first"));
        }
    }

    /// A range beside `value` must be of its kind; what has no size may be one of the two.
    fn check_value(&mut self, value: &Value, mark: &Mark) {
        let Some((low, high)) = range_of(mark) else { return };
        if matches!(value.data, Data::List(_) | Data::Table(_)) {
            return;
        }
        match (magnitude(value), magnitude(low), magnitude(high)) {
            (Some(is), Some(least), Some(most)) if is.0 == least.0 && is.0 == most.0 => {}
            (None, ..) if value.data == low.data || value.data == high.data => {}
            (None, ..) => self.outside(value, low, high),
            _ => {
                let message = format!("the range does not have the unit of the value, {}", value.to_text());
                self.problem(low.span, message, None);
            }
        }
    }

    /// Whether a mark speaks for a scalar. A range on a whole table speaks for what it can be compared with.
    fn covers(&mut self, value: &Value, mark: &Mark) -> bool {
        let Some((low, high)) = range_of(mark) else { return true };
        let (Some(is), Some(least), Some(most)) = (magnitude(value), magnitude(low), magnitude(high)) else {
            return value.data == low.data || value.data == high.data;
        };
        if is.0 != least.0 || is.0 != most.0 {
            return false;
        }
        if least.1 <= most.1 && !(least.1..=most.1).contains(&is.1) {
            self.outside(value, low, high);
        }
        true
    }

    fn outside(&mut self, value: &Value, low: &Value, high: &Value) {
        let message = format!("{} is not in its own range, {} to {}", value.to_text(), low.to_text(), high.to_text());
        self.problem(value.span, message, None);
    }
}

/// A table may have this name where names are free; a mark is never a table.
fn is_mark(key: &Key, value: &Value) -> bool {
    MARKS.contains(&key.name.as_str()) && !matches!(value.data, Data::Table(_))
}

fn range_of(mark: &Mark) -> Option<(&Value, &Value)> {
    match mark {
        Mark::Assumed { low, high } | Mark::Calibrated { range: Some((low, high)), .. } => Some((low, high)),
        _ => None,
    }
}

/// What a number is a number of; only numbers of the same can be compared.
#[derive(Clone, Copy, PartialEq)]
enum Unit {
    Plain,
    Time,
    Rate,
    Share,
    Size,
    Clock,
}

fn magnitude(value: &Value) -> Option<(Unit, f64)> {
    match &value.data {
        Data::Integer(number) => Some((Unit::Plain, *number as f64)),
        Data::Float(number) => Some((Unit::Plain, *number)),
        Data::Text(text) => parse_duration(text)
            .map(|time| (Unit::Time, time.0 as f64))
            .or_else(|_| parse_rate(text).map(|rate| (Unit::Rate, rate.0)))
            .or_else(|_| parse_share(text).map(|share| (Unit::Share, share.0)))
            .or_else(|_| parse_bytes(text).map(|size| (Unit::Size, size.0 as f64)))
            .or_else(|_| parse_quantity(text).map(|quantity| (Unit::Plain, quantity.0)))
            .ok()
            .or_else(|| seconds_of_day(text).map(|time| (Unit::Clock, time))),
        _ => None,
    }
}

/// Lists the numbers of a tree in its order; `by_hand` gives the text of a source that is not the file.
pub(crate) fn list(world: &Value, by_hand: &dyn Fn(Span) -> Option<String>) -> Vec<Provenance> {
    let mut out = Vec::new();
    visit(world, &mut Vec::new(), by_hand, &mut out);
    out
}

fn visit(value: &Value, path: &mut Vec<String>, by_hand: &dyn Fn(Span) -> Option<String>, out: &mut Vec<Provenance>) {
    let mut within = |name: String, value: &Value| {
        path.push(name);
        visit(value, path, by_hand, out);
        path.pop();
    };
    match &value.data {
        Data::Table(table) => table.entries.iter().for_each(|(key, value)| within(key.name.clone(), value)),
        Data::List(items) => items.iter().enumerate().for_each(|(at, item)| within(at.to_string(), item)),
        // What is only compared with the outcome is not a number of the world.
        _ if path.last().is_some_and(|key| key == "expected_at") => {}
        _ if !is_number(value) && value.mark.is_none() => {}
        _ => out.push(provenance(value, path.join("."), by_hand(value.span))),
    }
}

fn is_number(value: &Value) -> bool {
    match &value.data {
        Data::Integer(_) | Data::Float(_) => true,
        Data::Text(text) => text.trim_start().starts_with(|c: char| c.is_ascii_digit()),
        _ => false,
    }
}

fn provenance(value: &Value, path: String, by_hand: Option<String>) -> Provenance {
    let (mark, why) = match (by_hand, value.mark.as_deref()) {
        (Some(text), _) => ("set by hand", text),
        (None, None) => ("unmarked", String::new()),
        (None, Some(Mark::Reported(by))) => ("reported", by.clone()),
        (None, Some(Mark::Inferred(why))) => ("inferred", why.clone()),
        (None, Some(Mark::Assumed { .. })) => ("assumed", String::new()),
        (None, Some(Mark::Calibrated { to, .. })) => ("calibrated", to.clone()),
    };
    let range = value.mark.as_deref().and_then(range_of).map(|(low, high)| (low.to_text(), high.to_text()));
    Provenance { path, value: value.to_text(), mark: mark.into(), why, range }
}

/// The evidence that some number of the tree was calibrated to.
pub(crate) fn fitted(value: &Value, out: &mut Vec<String>) {
    match &value.data {
        Data::Table(table) => table.entries.iter().for_each(|(_, value)| fitted(value, out)),
        Data::List(items) => items.iter().for_each(|item| fitted(item, out)),
        _ => {
            if let Some(Mark::Calibrated { to, .. }) = value.mark.as_deref()
                && !out.contains(to)
            {
                out.push(to.clone());
            }
        }
    }
}
