//! The places of a file that speak of its world: the file itself, points of axes, named designs, changes by hand.

use super::Edit;
use crate::document::equals_sign;
use crate::marks::MARKS;
use toml_edit::{DocumentMut, Item, Key, Table, TableLike, Value};

/// What is done to a world, or to as much of one as is spoken of.
pub(super) type Change<'a> = dyn FnMut(&mut dyn TableLike) + 'a;

impl Edit {
    /// Changes what the file says of its world, wherever it does.
    pub(super) fn change_worlds(&mut self, change: &mut Change<'_>) {
        change(self.document.as_table_mut());
        self.change_overlays(change);
        if let Some(sets) = self.sets() {
            for text in sets.iter_mut() {
                if let Some(changed) = text.as_str().map(|text| in_set(text, change)) {
                    *text = changed.into();
                }
            }
        }
    }

    /// The same, of axes and named designs only.
    pub(super) fn change_overlays(&mut self, change: &mut Change<'_>) {
        for (key, depth) in [("axes", 2), ("designs", 1)] {
            if let Some(item) = self.document.get_mut(key) {
                descend(item, depth, change);
            }
        }
    }

    /// Leaves out changes by hand that the file has written down.
    pub(super) fn keep_sets(&mut self, stays: &dyn Fn(&String) -> bool) {
        if let Some(sets) = self.sets() {
            sets.retain(|text| text.as_str().is_none_or(|text| stays(&text.to_string())));
        }
    }

    fn sets(&mut self) -> Option<&mut toml_edit::Array> {
        self.document.get_mut("as_run")?.as_table_like_mut()?.get_mut("set")?.as_array_mut()
    }
}

fn descend(item: &mut Item, depth: u32, change: &mut Change<'_>) {
    let Some(table) = item.as_table_like_mut() else { return };
    if depth == 0 {
        return change(table);
    }
    for (_, item) in table.iter_mut() {
        descend(item, depth - 1, change);
    }
}

/// The first key of a `--set` text's path; none if it has no path.
pub(super) fn first_key(text: &str) -> Option<String> {
    let at = equals_sign(text)?;
    Key::parse(&text[..at]).ok()?.first().map(|key| key.get().to_string())
}

/// A `--set` text, changed as a world with nothing but that in it would be.
pub(super) fn in_set(text: &str, change: &mut Change<'_>) -> String {
    let parts = equals_sign(text).map(|at| (&text[..at], text[at + 1..].trim()));
    let Some((path, keys, raw)) = parts.and_then(|(path, raw)| Some((path, Key::parse(path).ok()?, raw))) else {
        return text.to_string();
    };
    // As `--set` reads it: TOML if it is some, otherwise a bare string.
    let value = raw.parse::<Value>().ok().filter(|value| !value.is_datetime()).unwrap_or_else(|| raw.into());
    let mut document = DocumentMut::new();
    let Some((last, above)) = keys.split_last() else { return text.to_string() };
    let mut table = document.as_table_mut();
    for key in above {
        table = match table.entry(key.get()).or_insert(Item::Table(Table::new())) {
            Item::Table(inner) => inner,
            _ => return text.to_string(),
        };
    }
    table.insert(last.get(), Item::Value(value));
    let before = document.to_string();
    change(document.as_table_mut());
    if document.to_string() == before {
        return text.to_string();
    }
    let found = keys.iter().try_fold(document.as_item(), |item, key| item.get(key.get()));
    match found.and_then(Item::as_value) {
        Some(value) => format!("{path}={}", value.to_string().trim()),
        None => text.to_string(),
    }
}

/// Calls with what stands under `clients.<name>.<key>` of a world, marks looked through.
pub(super) fn of_clients(world: &mut dyn TableLike, key: &str, change: &mut dyn FnMut(&mut Item)) {
    let Some(clients) = world.get_mut("clients") else { return };
    inside(clients, &mut |clients| {
        let Some(clients) = clients.as_table_like_mut() else { return };
        for (_, population) in clients.iter_mut() {
            inside(population, &mut |population| {
                if let Some(item) = population.as_table_like_mut().and_then(|table| table.get_mut(key)) {
                    inside(item, change);
                }
            });
        }
    });
}

/// Calls with what a mark stands beside, or with the item itself.
fn inside(item: &mut Item, change: &mut dyn FnMut(&mut Item)) {
    let is_marked = item.as_table_like().is_some_and(|table| {
        let plain = |key: &str| table.get(key).is_some_and(|item| item.as_table_like().is_none());
        table.contains_key("value") && (plain("value") || MARKS.iter().any(|mark| plain(mark)))
    });
    match item.as_table_like_mut().filter(|_| is_marked).and_then(|table| table.get_mut("value")) {
        Some(inner) => inside(inner, change),
        None => change(item),
    }
}
