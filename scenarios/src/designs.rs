//! What designs change: each point of each axis and each named design, key by key.

use crate::overlay::{Overlays, copy_likes, entry_named, leaves, merge};
use brownout_models::setting::{Clock, Data, Reader, Setting, Value};
use brownout_models::spec::WorldSpec;
use std::collections::BTreeMap;

/// A point of an axis, or a named design.
#[derive(Clone, PartialEq, Debug)]
pub struct Design {
    /// Its axis; a named design has none.
    pub axis: Option<String>,
    /// Its name.
    pub name: String,
    /// Whether its axis names it as the one in force where no design chooses.
    pub default: bool,
    /// What the file says under it, path and value.
    pub writes: Vec<(String, String)>,
    /// What it makes of the file without any design.
    pub changes: Vec<Change>,
}

/// One key that a design changes.
#[derive(Clone, PartialEq, Debug)]
pub struct Change {
    /// The key.
    pub path: String,
    /// The value without the design, defaults included; `None` if the key is not there.
    pub from: Option<String>,
    /// The value with it; `None` if the key is gone.
    pub to: Option<String>,
}

/// All designs of a file, in its order.
pub(crate) fn tell(overlays: &Overlays, base: &Value, clock: &dyn Clock) -> Vec<Design> {
    let before = rows(base, clock);
    let mut out = Vec::new();
    for axis in &overlays.axes {
        let default = axis.public().default;
        for (name, overlay) in &axis.points {
            let is_default = default.as_ref() == Some(name);
            let mut design = design(name, &[overlay], base, &before, clock);
            (design.axis, design.default) = (Some(axis.name.clone()), is_default);
            out.push(design);
        }
    }
    for named in &overlays.designs {
        let layers: Vec<_> = named.layers.iter().collect();
        out.push(design(&named.name, &layers, base, &before, clock));
    }
    out
}

/// Every key of the world with its value, in the order of the format; nothing where the world is not sound.
fn rows(world: &Value, clock: &dyn Clock) -> Vec<(String, String)> {
    let mut world = world.clone();
    copy_likes(&mut world, &mut Vec::new());
    let mut reader = Reader::new(clock);
    let spec = WorldSpec::read(&world, &mut reader);
    let mut out = Vec::new();
    if let (Some(spec), 0) = (spec, reader.count()) {
        spec.rows("", &mut out);
    }
    out
}

fn design(name: &str, layers: &[&Value], base: &Value, before: &[(String, String)], clock: &dyn Clock) -> Design {
    let mut world = base.clone();
    let mut writes: Vec<(String, String)> = Vec::new();
    for layer in layers {
        merge(&mut world, layer, &mut Vec::new());
        for (path, value) in leaves(layer) {
            writes.retain(|(known, _)| *known != path);
            writes.push((path, value));
        }
    }
    let mut changes = changes(before, &rows(&world, clock), &writes);
    // An entry of the timeline is changed by its id.
    for (path, value) in &writes {
        if let Some((id, key)) = path.strip_prefix("timeline.").and_then(|path| path.split_once('.')) {
            let from = in_entry(base, id, key);
            if from.as_ref() != Some(value) {
                changes.push(Change { path: path.clone(), from, to: Some(value.clone()) });
            }
        }
    }
    // A part that is like another is new only where it differs.
    for (path, model) in &writes {
        let Some((part, name)) = path.strip_suffix(".like").and_then(|path| path.split_once('.')) else { continue };
        let (own, theirs) = (format!("{part}.{name}."), format!("{part}.{model}."));
        let copied = |c: &Change| {
            let Some(end) = c.path.strip_prefix(&own) else { return false };
            before.iter().any(|(path, value)| path.strip_prefix(&theirs) == Some(end) && Some(value) == c.to.as_ref())
        };
        changes.retain(|change| change.from.is_some() || !copied(change));
    }
    Design { axis: None, name: name.into(), default: false, writes, changes }
}

/// What an entry of the timeline says under a key.
fn in_entry(world: &Value, id: &str, key: &str) -> Option<String> {
    let Data::Table(world) = &world.data else { return None };
    let Data::List(entries) = &world.get("timeline")?.data else { return None };
    let Data::Table(entry) = &entries[entry_named(entries, id)?].data else { return None };
    entry.get(key).map(Value::to_text)
}

fn changes(before: &[(String, String)], after: &[(String, String)], writes: &[(String, String)]) -> Vec<Change> {
    let was: BTreeMap<_, _> = before.iter().map(|(path, value)| (path.as_str(), value)).collect();
    let is: BTreeMap<_, _> = after.iter().map(|(path, value)| (path.as_str(), value)).collect();
    let mut out = Vec::new();
    for (path, value) in after.iter().filter(|(path, value)| was.get(path.as_str()) != Some(&value)) {
        let from = was.get(path.as_str()).map(|v| v.to_string());
        out.push(Change { path: path.clone(), from, to: Some(value.clone()) });
    }
    // A table that takes the place of "none" speaks for itself.
    let filled = |path: &str| after.iter().any(|(p, _)| p.strip_prefix(path).is_some_and(|end| end.starts_with('.')));
    for (path, value) in before.iter().filter(|(path, _)| !is.contains_key(path.as_str()) && !filled(path)) {
        out.push(Change { path: path.clone(), from: Some(value.clone()), to: None });
    }
    // Lists are not compared entry by entry: what the file writes is what there is.
    for (path, value) in writes {
        let list = value.starts_with('[');
        if list && !out.iter().any(|change| change.path == *path) {
            let from = was.get(path.as_str()).map(|v| v.to_string());
            out.push(Change { path: path.clone(), from, to: Some(value.clone()) });
        }
    }
    out
}
