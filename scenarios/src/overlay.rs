//! Overlays: axis points, named designs and `--set`, merged into the world's tree.

use crate::document::Assignment;
use crate::limits;
use brownout_models::setting::{Data, Form, Key, Problem, Settings, Span, Table, Value, closest};
use brownout_models::spec::WorldSpec;
use std::collections::BTreeSet;

/// Axis points and designs together; each is decoded once, on top of the whole base.
pub(crate) const OVERLAYS: usize = 200;

/// One way in which designs differ, with the choices that the file offers.
#[derive(Clone, PartialEq, Debug)]
pub struct Axis {
    /// Its name: "isolation".
    pub name: String,
    /// Its points, in the order of the file.
    pub points: Vec<String>,
    /// The point in force when none is chosen.
    pub default: Option<String>,
}

/// An axis as read, with its overlays.
pub(crate) struct AxisTable {
    pub(crate) name: String,
    default: Option<usize>,
    wins_over: Vec<String>,
    pub(crate) points: Vec<(String, Value)>,
}

impl AxisTable {
    pub(crate) fn public(&self) -> Axis {
        Axis {
            name: self.name.clone(),
            points: self.points.iter().map(|(name, _)| name.clone()).collect(),
            default: self.default.map(|at| self.points[at].0.clone()),
        }
    }

    fn position(&self, point: &str) -> Option<usize> {
        self.points.iter().position(|(name, _)| name == point)
    }
}

/// A named overlay, with those that it is based on already put below it.
pub(crate) struct DesignTable {
    pub(crate) name: String,
    /// From the foundation up.
    pub(crate) layers: Vec<Value>,
}

/// The overlays of a file.
#[derive(Default)]
pub(crate) struct Overlays {
    pub(crate) axes: Vec<AxisTable>,
    pub(crate) designs: Vec<DesignTable>,
}

/// Which overlays are in force.
pub(crate) struct Choice {
    /// Per axis: its point, if one is in force.
    points: Vec<Option<usize>>,
    /// Designs, in the order of the file.
    designs: Vec<usize>,
}

fn problem(span: Span, message: impl Into<String>, help: Option<String>) -> Problem {
    Problem { span, message: message.into(), help }
}

/// "did you mean" the nearest, or all there are.
fn suggest(name: &str, known: &[&str], what: &str) -> String {
    match closest(name, known.iter().copied()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None if known.is_empty() => format!("this file has no {what}"),
        None => format!("there are: {}", known.join(", ")),
    }
}

impl Overlays {
    /// Reads `[axes]` and `[designs]`.
    pub(crate) fn read(axes: Option<&Value>, designs: Option<&Value>, problems: &mut Vec<Problem>) -> Overlays {
        let mut overlays = Overlays::default();
        // Counted before they are read: following what each is based on takes time that grows with their number squared.
        let entries = |value: Option<&Value>| match value.map(|v| &v.data) {
            Some(Data::Table(table)) => table.entries.len(),
            _ => 0,
        };
        if entries(axes) + entries(designs) > OVERLAYS {
            let span = axes.or(designs).map_or(Span::default(), |v| v.span);
            problems.push(problem(span, format!("more than {OVERLAYS} axis points and designs"), None));
            return overlays;
        }
        let tables = |value: Option<&Value>, what: &str, problems: &mut Vec<Problem>| -> Vec<(Key, Table)> {
            let mut out = Vec::new();
            let Some(value) = value else { return out };
            let Data::Table(table) = &value.data else {
                problems.push(problem(value.span, format!("expected a table of {what}, found {}", value.kind()), None));
                return out;
            };
            for (key, value) in &table.entries {
                match &value.data {
                    Data::Table(table) => out.push((key.clone(), table.clone())),
                    _ => problems.push(problem(value.span, format!("expected a table, found {}", value.kind()), None)),
                }
            }
            out
        };
        for (key, table) in tables(axes, "axes", problems) {
            check_name("an axis", &key, problems);
            let axis = read_axis(&key, table, &overlays.axes, problems);
            overlays.axes.push(axis);
        }
        overlays.designs = read_designs(tables(designs, "designs", problems), problems);
        let points: usize = overlays.axes.iter().map(|axis| axis.points.len()).sum();
        if points + overlays.designs.len() > OVERLAYS {
            let span = axes.or(designs).map_or(Span::default(), |v| v.span);
            problems.push(problem(span, format!("more than {OVERLAYS} axis points and designs"), None));
            return Overlays::default();
        }
        overlays
    }

    /// Works out which overlays the `--design` texts put in force, and those that the file itself was written to be run
    /// with (`as_run`): of those, points of axes that are not asked for.
    pub(crate) fn choose(
        &self,
        asked: &[(String, Span)],
        written: &[(String, Span)],
        problems: &mut Vec<Problem>,
    ) -> Choice {
        let mut choice = Choice { points: vec![None; self.axes.len()], designs: Vec::new() };
        self.take(asked, &mut choice, problems);
        let free: Vec<bool> = choice.points.iter().map(Option::is_none).collect();
        let overruled = |text: &str| matches!(self.find(text), Ok(Found::Point(axis, _)) if !free[axis]);
        let written: Vec<_> = written.iter().filter(|(text, _)| !overruled(text)).cloned().collect();
        self.take(&written, &mut choice, problems);
        choice.designs.sort_unstable();
        for (axis, point) in self.axes.iter().zip(&mut choice.points) {
            *point = point.or(axis.default);
        }
        choice
    }

    fn take(&self, asked: &[(String, Span)], choice: &mut Choice, problems: &mut Vec<Problem>) {
        for (text, span) in asked {
            match self.find(text) {
                Ok(Found::Design(at)) if choice.designs.contains(&at) => {}
                Ok(Found::Design(at)) => choice.designs.push(at),
                Ok(Found::Point(axis, point)) => match choice.points[axis] {
                    Some(other) if other != point => {
                        let axis = &self.axes[axis];
                        let message =
                            format!("two points of axis `{}` chosen: {text} and {}", axis.name, axis.points[other].0);
                        problems.push(problem(*span, message, None));
                    }
                    _ => choice.points[axis] = Some(point),
                },
                Err((message, help)) => problems.push(problem(*span, message, Some(help))),
            }
        }
    }

    fn find(&self, text: &str) -> Result<Found, (String, String)> {
        if let Some((axis, point)) = text.split_once('=') {
            let names: Vec<_> = self.axes.iter().map(|a| a.name.as_str()).collect();
            let Some(at) = names.iter().position(|name| *name == axis) else {
                return Err((format!("no axis \"{axis}\""), suggest(axis, &names, "axes")));
            };
            let points: Vec<_> = self.axes[at].points.iter().map(|(name, _)| name.as_str()).collect();
            return match self.axes[at].position(point) {
                Some(found) => Ok(Found::Point(at, found)),
                None => Err((format!("axis `{axis}` has no point \"{point}\""), suggest(point, &points, "points"))),
            };
        }
        let mut found: Vec<(Found, String)> = Vec::new();
        for (at, axis) in self.axes.iter().enumerate() {
            found.extend(axis.position(text).map(|p| (Found::Point(at, p), format!("{}={text}", axis.name))));
        }
        if let Some(at) = self.designs.iter().position(|d| d.name == text) {
            found.push((Found::Design(at), "the design of that name".into()));
        }
        if found.len() > 1 {
            let ways: Vec<_> = found.iter().map(|(_, way)| way.as_str()).collect();
            return Err((format!("\"{text}\" is ambiguous"), format!("it may be {}", ways.join(" or "))));
        }
        let points = self.axes.iter().flat_map(|a| a.points.iter().map(|(name, _)| name.as_str()));
        let known: Vec<_> = points.chain(self.designs.iter().map(|d| d.name.as_str())).collect();
        found
            .pop()
            .map(|(found, _)| found)
            .ok_or_else(|| (format!("no design \"{text}\""), suggest(text, &known, "designs")))
    }

    /// The design in words: every point in force in the order of the file, then named designs.
    pub(crate) fn describe(&self, choice: &Choice) -> String {
        let points = self.axes.iter().zip(&choice.points);
        let points = points.filter_map(|(axis, p)| p.map(|p| format!("{}={}", axis.name, axis.points[p].0)));
        let words: Vec<_> = points.chain(choice.designs.iter().map(|d| self.designs[*d].name.clone())).collect();
        if words.is_empty() { "as written".into() } else { words.join(" ") }
    }

    /// The points in force with their axes, and the named designs under `named`.
    pub(crate) fn in_force(&self, choice: &Choice, named: &str) -> Vec<(String, String)> {
        let points = self.axes.iter().zip(&choice.points);
        let points = points.filter_map(|(axis, p)| p.map(|p| (axis.name.clone(), axis.points[p].0.clone())));
        points.chain(choice.designs.iter().map(|d| (named.to_string(), self.designs[*d].name.clone()))).collect()
    }

    /// Puts the overlays in force on the world: axes in the order of the file, then designs.
    pub(crate) fn apply(&self, choice: &Choice, world: &mut Value, problems: &mut Vec<Problem>) {
        self.conflicts(choice, problems);
        for (axis, point) in self.axes.iter().zip(&choice.points) {
            if let Some(point) = point {
                merge(world, &axis.points[*point].1, &mut Vec::new());
            }
        }
        for layer in choice.designs.iter().flat_map(|at| &self.designs[*at].layers) {
            merge(world, layer, &mut Vec::new());
        }
    }

    /// Two axes that write one path would make the result depend on which is named first.
    fn conflicts(&self, choice: &Choice, problems: &mut Vec<Problem>) {
        let mut before: Vec<(&AxisTable, Vec<Write>)> = Vec::new();
        for (axis, point) in self.axes.iter().zip(&choice.points) {
            let Some(point) = point else { continue };
            let mut writes = Vec::new();
            written(&axis.points[*point].1, &mut Vec::new(), &mut writes);
            for (other, others) in before.iter().filter(|(other, _)| !axis.wins_over.contains(&other.name)) {
                for (path, span) in &writes {
                    let Some((theirs, _)) = others.iter().find(|(p, _)| p.starts_with(path) || path.starts_with(p))
                    else {
                        continue;
                    };
                    let longer = if theirs.len() > path.len() { theirs } else { path };
                    let message = format!("axes `{}` and `{}` both write {}", other.name, axis.name, longer.join("."));
                    let help = format!("wins_over = [\"{}\"] in [axes.{}] lets this one win", other.name, axis.name);
                    problems.push(problem(*span, message, Some(help)));
                }
            }
            before.push((axis, writes));
        }
    }

    /// Every world that the designs describe: a point of each axis (or none, where the axis has no default), with no
    /// named design and with each. At most so many.
    pub(crate) fn combinations(&self, most: usize) -> Vec<Choice> {
        let mut points: Vec<Vec<Option<usize>>> = vec![Vec::new()];
        for axis in &self.axes {
            let none = axis.default.is_none().then_some(None);
            let ways: Vec<_> = none.into_iter().chain((0..axis.points.len()).map(Some)).collect();
            let longer = points.iter().flat_map(|before| ways.iter().map(|way| [&before[..], &[*way]].concat()));
            points = longer.take(most).collect();
        }
        let designs = || std::iter::once(Vec::new()).chain((0..self.designs.len()).map(|at| vec![at]));
        let all = points.iter().flat_map(|points| designs().map(|designs| Choice { points: points.clone(), designs }));
        all.take(most).collect()
    }

    /// Overlays that are not in force, for checking them too.
    pub(crate) fn idle<'o>(&'o self, choice: &Choice) -> Vec<Vec<&'o Value>> {
        let mut out = Vec::new();
        for (axis, chosen) in self.axes.iter().zip(&choice.points) {
            let points = axis.points.iter().enumerate();
            out.extend(points.filter(|(at, _)| Some(*at) != *chosen).map(|(_, (_, overlay))| vec![overlay]));
        }
        let designs = self.designs.iter().enumerate().filter(|(at, _)| !choice.designs.contains(at));
        out.extend(designs.map(|(_, design)| design.layers.iter().collect()));
        out
    }
}

/// `--design` and `--axis` part names at blanks, `=` and `,`: a name with one of them could not be given back.
fn check_name(what: &str, key: &Key, problems: &mut Vec<Problem>) {
    let name = key.name.as_str();
    if name.is_empty() || name.contains([' ', '=', ',']) || name.trim() != name {
        let message = format!("{what} cannot be called \"{name}\": no command line could name it");
        let help = "a name has no blanks, no `=` and no `,`: use `-`";
        problems.push(problem(key.span, message, Some(help.into())));
    }
}

#[derive(Clone, Copy)]
enum Found {
    Point(usize, usize),
    Design(usize),
}

fn read_axis(key: &Key, mut table: Table, earlier: &[AxisTable], problems: &mut Vec<Problem>) -> AxisTable {
    let default = table.remove("default").map(|(_, value)| value);
    let wins_over = table.remove("wins_over").map(|(_, value)| value);
    let mut axis = AxisTable { name: key.name.clone(), default: None, wins_over: Vec::new(), points: Vec::new() };
    for (name, value) in table.entries {
        check_name("a point of an axis", &name, problems);
        if matches!(value.data, Data::Table(_)) {
            axis.points.push((name.name, value));
        } else {
            let message = format!("a point of axis `{}` must be a table, found {}", key.name, value.kind());
            problems.push(problem(
                value.span,
                message,
                Some("beside points, an axis has `default` and `wins_over`".into()),
            ));
        }
    }
    if let Some(value) = default {
        let names: Vec<_> = axis.points.iter().map(|(name, _)| name.as_str()).collect();
        match &value.data {
            Data::Text(text) => {
                axis.default = axis.position(text);
                if axis.default.is_none() {
                    let message = format!("axis `{}` has no point \"{text}\"", key.name);
                    problems.push(problem(value.span, message, Some(suggest(text, &names, "points"))));
                }
            }
            _ => problems.push(problem(value.span, format!("expected a string, found {}", value.kind()), None)),
        }
    }
    let Some(value) = wins_over else { return axis };
    let Data::List(items) = &value.data else {
        problems.push(problem(value.span, format!("expected a list of axes, found {}", value.kind()), None));
        return axis;
    };
    let names: Vec<_> = earlier.iter().map(|a| a.name.as_str()).collect();
    for item in items {
        match &item.data {
            Data::Text(text) if names.contains(&text.as_str()) => axis.wins_over.push(text.clone()),
            Data::Text(text) => {
                let message = format!("no axis \"{text}\" before `{}`", key.name);
                problems.push(problem(item.span, message, Some(suggest(text, &names, "earlier axis"))));
            }
            _ => problems.push(problem(item.span, format!("expected a string, found {}", item.kind()), None)),
        }
    }
    axis
}

/// Axes that have no point to choose.
pub(crate) fn empty_axes(axes: &Value) -> Vec<Problem> {
    let Data::Table(axes) = &axes.data else { return Vec::new() };
    let is_empty = |axis: &Value| match &axis.data {
        Data::Table(axis) => !axis.entries.iter().any(|(_, point)| matches!(point.data, Data::Table(_))),
        _ => false,
    };
    let empty = axes.entries.iter().filter(|(_, axis)| is_empty(axis));
    let help = |key: &Key| Some(format!("[axes.{}.<point>] would add one", key.name));
    empty.map(|(key, _)| problem(key.span, "this axis has no point to choose", help(key))).collect()
}

/// One `[designs.<name>]` before its foundations are known.
struct Draft {
    key: Key,
    based_on: Option<(String, Span)>,
    overlay: Value,
}

fn read_designs(tables: Vec<(Key, Table)>, problems: &mut Vec<Problem>) -> Vec<DesignTable> {
    let mut drafts = Vec::new();
    for (key, mut table) in tables {
        check_name("a design", &key, problems);
        let based_on = match table.remove("based_on").map(|(_, value)| value) {
            Some(Value { data: Data::Text(text), span, .. }) => Some((text, span)),
            Some(value) => {
                problems.push(problem(value.span, format!("expected a string, found {}", value.kind()), None));
                None
            }
            None => None,
        };
        let overlay = Value::new(key.span, Data::Table(table));
        drafts.push(Draft { key, based_on, overlay });
    }
    drafts.iter().map(|draft| found_design(draft, &drafts, problems)).collect()
}

/// Follows `based_on` down to the foundation.
fn found_design(draft: &Draft, drafts: &[Draft], problems: &mut Vec<Problem>) -> DesignTable {
    let mut layers = vec![draft.overlay.clone()];
    let mut seen = vec![draft.key.name.as_str()];
    let mut at = draft;
    while let Some((name, span)) = &at.based_on {
        let Some(next) = drafts.iter().find(|d| d.key.name == *name) else {
            let names: Vec<_> = drafts.iter().map(|d| d.key.name.as_str()).collect();
            problems.push(problem(*span, format!("no design \"{name}\""), Some(suggest(name, &names, "designs"))));
            break;
        };
        if seen.contains(&name.as_str()) {
            // A design that only leads into a circle is not itself part of it; those in it say so themselves.
            if *name == draft.key.name {
                seen.push(name);
                let message = format!("design `{name}` is based on itself: {}", seen.join(" -> "));
                let own = draft.based_on.as_ref().map_or(*span, |(_, span)| *span);
                problems.push(problem(own, message, Some("take this `based_on` out".into())));
            }
            break;
        }
        seen.push(name);
        layers.insert(0, next.overlay.clone());
        at = next;
    }
    DesignTable { name: draft.key.name.clone(), layers }
}

/// A path that an overlay writes, and where it says so.
type Write = (Vec<String>, Span);

/// The paths that an overlay writes. A table with a preset is written as a whole.
fn written(value: &Value, path: &mut Vec<String>, out: &mut Vec<Write>) {
    match &value.data {
        Data::Table(table) if table.get("preset").is_none() => {
            for (key, value) in &table.entries {
                path.push(key.name.clone());
                match &value.data {
                    Data::Table(_) => written(value, path, out),
                    _ => out.push((path.clone(), key.span)),
                }
                path.pop();
            }
        }
        _ => out.push((path.clone(), value.span)),
    }
}

/// The paths that an overlay writes, with what it writes there, in the order of the file.
pub(crate) fn leaves(value: &Value) -> Vec<(String, String)> {
    fn visit(value: &Value, path: &mut Vec<String>, out: &mut Vec<(String, String)>) {
        match &value.data {
            Data::Table(table) => {
                for (key, value) in &table.entries {
                    path.push(key.name.clone());
                    visit(value, path, out);
                    path.pop();
                }
            }
            _ => out.push((path.join("."), value.to_text())),
        }
    }
    let mut out = Vec::new();
    visit(value, &mut Vec::new(), &mut out);
    out
}

/// All places of an overlay, to tell its mistakes from those of the base.
pub(crate) fn places(value: &Value, out: &mut BTreeSet<(u16, u32, u32)>) {
    let mut add = |span: Span| out.insert((span.source, span.start, span.end));
    add(value.span);
    match &value.data {
        Data::Table(table) => table.entries.iter().for_each(|(key, value)| {
            out.insert((key.span.source, key.span.start, key.span.end));
            places(value, out);
        }),
        Data::List(items) => items.iter().for_each(|item| places(item, out)),
        _ => {}
    }
}

/// Lays one tree over another: tables merge, everything else replaces; a new preset clears the old table.
pub(crate) fn merge(base: &mut Value, over: &Value, path: &mut Vec<String>) {
    let Data::Table(over_table) = &over.data else {
        *base = over.clone();
        return;
    };
    if over_table.get("preset").is_some() {
        *base = over.clone();
        return;
    }
    spell_out(base, path);
    if let Data::List(entries) = &mut base.data
        && path[..] == ["timeline"]
    {
        merge_entries(entries, over_table);
        return;
    }
    let Data::Table(base_table) = &mut base.data else {
        *base = over.clone();
        return;
    };
    for (key, value) in &over_table.entries {
        path.push(key.name.clone());
        match base_table.get_mut(&key.name) {
            Some(old) => merge(old, value, path),
            None => base_table.entries.push((key.clone(), value.clone())),
        }
        path.pop();
    }
}

/// Lays a table over the timeline: its keys are the `id`s of entries (or their numbers); a new one makes a new entry.
fn merge_entries(entries: &mut Vec<Value>, over: &Table) {
    for (key, value) in &over.entries {
        match entry_named(entries, &key.name) {
            Some(at) => merge(&mut entries[at], value, &mut vec!["timeline".into(), key.name.clone()]),
            None => {
                let mut value = value.clone();
                if let Data::Table(table) = &mut value.data
                    && table.get("id").is_none()
                {
                    let id = Value::new(key.span, Data::Text(key.name.clone()));
                    table.entries.push((Key { name: "id".into(), span: key.span }, id));
                }
                entries.push(value);
            }
        }
    }
}

/// The entry of a list that has this `id`, or this number.
pub(crate) fn entry_named(entries: &[Value], name: &str) -> Option<usize> {
    let id = |entry: &Value| match &entry.data {
        Data::Table(table) => table.get("id").is_some_and(|id| id.data == Data::Text(name.into())),
        _ => false,
    };
    entries.iter().position(id).or_else(|| name.parse().ok().filter(|at| *at < entries.len()))
}

/// The key whose value a word stands for, where a word may stand in place of a table: "preset", or "kind".
fn word_key(path: &[String], word: &str) -> Option<&'static str> {
    fn below(form: Form, path: &[String]) -> Option<Form> {
        let Some((first, rest)) = path.split_first() else { return Some(form) };
        match form {
            Form::Table(fields, _) => below(fields.into_iter().find(|f| f.name == first)?.form, rest),
            Form::Named(of) => below(*of, rest),
            Form::Either(forms) => forms.into_iter().find_map(|form| below(form, path)),
            _ => None,
        }
    }
    let of = |form: Form| match form {
        Form::Table(_, words) => {
            let found = words.iter().find(|w| w.name == word)?;
            Some(if found.values.is_some() { "preset" } else { "kind" })
        }
        _ => None,
    };
    match below(Form::Table(WorldSpec::fields(), Vec::new()), path)? {
        Form::Either(forms) => forms.into_iter().find_map(of),
        form => of(form),
    }
}

/// Turns a word that stands for a table into that table, so that an overlay can change one key of it.
fn spell_out(value: &mut Value, path: &[String]) {
    if let Data::Text(word) = &value.data
        && let Some(key) = word_key(path, word)
    {
        let key = Key { name: key.into(), span: value.span };
        let table = Table { entries: vec![(key, value.clone())] };
        *value = Value::new(value.span, Data::Table(table));
    }
}

/// Puts in the place of `like = "<name>"` all that the part of that name says and this one does not.
pub(crate) fn copy_likes(world: &mut Value, problems: &mut Vec<Problem>) {
    if !limits::parts(world).is_empty() {
        return; // too much to copy; the decoder reports it
    }
    let Data::Table(world) = &mut world.data else { return };
    for part in ["clients", "fleets", "stores"] {
        let Some(Value { data: Data::Table(table), .. }) = world.get_mut(part) else { continue };
        let all = table.clone();
        for (key, value) in &mut table.entries {
            match copied(&all, value, part, &mut vec![key.name.clone()]) {
                Ok(Some(whole)) => *value = whole,
                Ok(None) => {}
                Err(found) => problems.push(found),
            }
        }
    }
}

/// What a part is with the one that it is like below it; nothing if it is like none.
fn copied(all: &Table, value: &Value, part: &str, seen: &mut Vec<String>) -> Result<Option<Value>, Problem> {
    let Data::Table(own) = &value.data else { return Ok(None) };
    let Some(Value { data: Data::Text(name), span, .. }) = own.get("like") else { return Ok(None) };
    if name == "none" && all.get(name).is_none() {
        return Ok(None); // as the page says; also how a design makes a part its own again
    }
    let Some(model) = all.get(name) else {
        let known: Vec<_> = all.entries.iter().map(|(key, _)| key.name.as_str()).collect();
        return Err(problem(*span, format!("no {part} \"{name}\""), Some(suggest(name, &known, part))));
    };
    if seen.contains(name) {
        seen.push(name.clone());
        return Err(problem(*span, format!("`like` leads in a circle: {}", seen.join(" -> ")), None));
    }
    seen.push(name.clone());
    let mut whole = copied(all, model, part, seen)?.unwrap_or_else(|| model.clone());
    if let Data::Table(table) = &mut whole.data {
        // Which calls a fleet is for is its own affair.
        table.remove("serves");
    }
    merge(&mut whole, value, &mut vec![part.into(), seen[0].clone()]);
    Ok(Some(whole))
}

/// Tables whose names a file chooses; `--set` changes existing entries and must not add a name.
fn is_free(path: &[&str]) -> Option<&'static str> {
    match path {
        ["clients"] => Some("clients"),
        ["fleets"] => Some("fleet"),
        ["stores"] => Some("store"),
        ["fleets", _, "calls"] => Some("kind of call"),
        _ => None,
    }
}

/// Writes one `--set` into the tree.
///
/// # Errors
/// The path leads through a name or a list entry that does not exist.
pub(crate) fn assign(root: &mut Value, assignment: &Assignment) -> Result<(), Problem> {
    let names: Vec<String> = assignment.path.iter().map(|key| key.name.clone()).collect();
    let mut at = root;
    for (depth, key) in assignment.path.iter().enumerate() {
        spell_out(at, &names[..depth]);
        let is_scalar = !matches!(at.data, Data::Table(_) | Data::List(_));
        if is_scalar && depth > 0 && depth + 1 == names.len() && key.name == "value" {
            break; // the value inside a mark, which has been taken off
        }
        if is_scalar {
            // What stood here was no table; the decoder says so, and points at the `--set`.
            *at = Value::new(key.span, Data::Table(Table::default()));
        }
        at = step_into(at, &names, depth, key)?;
    }
    merge(at, &assignment.value, &mut names.clone());
    Ok(())
}

/// One step of a `--set` path, into a list entry or a key that may be new.
fn step_into<'v>(at: &'v mut Value, names: &[String], depth: usize, key: &Key) -> Result<&'v mut Value, Problem> {
    let last = depth + 1 == names.len();
    let unknown = |what: &str, help: String| problem(key.span, format!("no {what} \"{}\"", key.name), Some(help));
    match &mut at.data {
        Data::List(items) => {
            let help = format!("{} has {} entries, by `id` or counted from 0", names[..depth].join("."), items.len());
            let index = entry_named(items, &key.name);
            index.map(|index| &mut items[index]).ok_or_else(|| unknown("entry", help))
        }
        Data::Table(table) => {
            if last && key.name == "preset" {
                table.entries.clear();
            }
            let path: Vec<_> = names[..depth].iter().map(String::as_str).collect();
            if let (Some(what), false, None) = (is_free(&path), last, table.get(&key.name)) {
                let known: Vec<_> = table.entries.iter().map(|(key, _)| key.name.as_str()).collect();
                return Err(unknown(what, suggest(&key.name, &known, what)));
            }
            Ok(child(table, key))
        }
        _ => Err(unknown("key", "this is not a table".into())),
    }
}

/// The entry under a key, made as an empty table if there is none.
fn child<'t>(table: &'t mut Table, key: &Key) -> &'t mut Value {
    let at = match table.entries.iter().position(|(k, _)| k.name == key.name) {
        Some(at) => at,
        None => {
            table.entries.push((key.clone(), Value::new(key.span, Data::Table(Table::default()))));
            table.entries.len() - 1
        }
    };
    &mut table.entries[at].1
}
