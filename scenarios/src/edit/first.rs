//! The first part of a run as a file of its own.

use super::{Edit, moment, worlds};
use crate::Scenario;
use crate::expect::{Expect, Happening, Stretch};
use brownout_models::component::operator::Trigger;
use brownout_models::metrics::Measured;
use brownout_models::setting::Clock;
use brownout_models::units::Ns;
use std::collections::BTreeSet;
use toml_edit::visit_mut::{VisitMut, visit_table_like_mut};
use toml_edit::{Array, InlineTable, Item, TableLike, Value};

impl Edit {
    /// Cuts the run to its first so much. What speaks of later times goes: the window, evidence, when things happened on
    /// the day, points of profiles, timeline entries and what waits for them, expectations of such entries and times;
    /// calibrated numbers stay as inferred ones. `set` are the changes by hand that the scenario was read with.
    pub fn keep_first(&mut self, scenario: &Scenario, length: Ns, set: &mut Vec<String>) {
        self.settle_timeline(scenario, set);
        let (later, ids) = later_entries(scenario, length);
        self.cut_span(scenario, length);
        // These have been taken into account, or are left out.
        let gone = |text: &String| {
            worlds::first_key(text).is_some_and(|key| ["span", "window", "evidence"].contains(&key.as_str()))
        };
        self.keep_sets(&|text| !gone(text));
        set.retain(|text| !gone(text));
        self.document.remove("window");
        self.document.remove("evidence");
        self.begin_at_the_start(scenario, &later);
        self.remove_entries(&later);
        self.drop_expectations(scenario, length, &ids);
        let mut cut = |world: &mut dyn TableLike| cut_profiles(world, scenario, length);
        set.iter_mut().for_each(|text| *text = worlds::in_set(text, &mut cut));
        self.change_worlds(&mut cut);
        Uncalibrated.visit_document_mut(&mut self.document);
    }

    fn cut_span(&mut self, scenario: &Scenario, length: Ns) {
        let span = if scenario.calendar.has_calendar() {
            let mut table = InlineTable::new();
            table.insert("from", scenario.calendar.wall(Ns::ZERO).into());
            table.insert("to", scenario.calendar.wall(length).into());
            Item::Value(Value::InlineTable(table))
        } else {
            toml_edit::value(length.to_string())
        };
        self.document.insert("span", span);
    }

    /// Takes out when entries happened on the day. Entries that are switched off stay only for their names: they must
    /// lie in the run.
    fn begin_at_the_start(&mut self, scenario: &Scenario, later: &BTreeSet<usize>) {
        let start = moment(&scenario.calendar, Ns::ZERO).unwrap_or_default();
        let change = |(n, table): (usize, &mut dyn TableLike)| {
            table.remove("expected_at");
            if later.contains(&n) && table.contains_key("at") {
                table.insert("at", toml_edit::value(start.clone()));
            }
        };
        match self.document.get_mut("timeline") {
            Some(Item::ArrayOfTables(tables)) => {
                tables.iter_mut().enumerate().for_each(|(n, table)| change((n, table)));
            }
            Some(Item::Value(Value::Array(list))) => {
                let tables = list.iter_mut().enumerate().filter_map(|(n, v)| Some((n, v.as_inline_table_mut()?)));
                tables.for_each(|(n, table)| change((n, table)));
            }
            _ => {}
        }
    }

    fn drop_expectations(&mut self, scenario: &Scenario, length: Ns, ids: &BTreeSet<String>) {
        let mut at = scenario.expect.iter();
        let mut stays =
            |table: &dyn TableLike| at.next().is_none_or(|e| !is_later(e, table.contains_key("over"), length, ids));
        match self.document.get_mut("expect") {
            Some(Item::ArrayOfTables(tables)) => tables.retain(|table| stays(table)),
            Some(Item::Value(Value::Array(list))) => {
                list.retain(|value| value.as_inline_table().is_none_or(|table| stays(table)));
            }
            _ => {}
        }
    }
}

/// The entries of a timeline that can only happen after so much of the run, and the names of those that have one.
fn later_entries(scenario: &Scenario, length: Ns) -> (BTreeSet<usize>, BTreeSet<String>) {
    let timeline = &scenario.plan.spec.timeline;
    let (mut later, mut ids) = (BTreeSet::new(), BTreeSet::new());
    let mut found = true;
    while found {
        found = false;
        for (n, entry) in timeline.iter().enumerate().filter(|(_, entry)| entry.enabled) {
            let is_later = match &entry.trigger {
                Trigger::At(at) => at.plus(entry.delay) > length,
                Trigger::When(sign) => sign.text.strip_prefix("done:").is_some_and(|id| ids.contains(id)),
            };
            if is_later && later.insert(n) {
                found = true;
                ids.extend(entry.id.as_ref().map(|id| id.text.clone()));
            }
        }
    }
    // What is switched off must lie in the run as well.
    let off = |entry: &brownout_models::component::operator::Entry| {
        !entry.enabled && matches!(entry.trigger, Trigger::At(at) if at > length)
    };
    later.extend(timeline.iter().enumerate().filter(|(_, entry)| off(entry)).map(|(n, _)| n));
    (later, ids)
}

/// Whether an expectation speaks of what comes later.
fn is_later(expect: &Expect, has_over: bool, length: Ns, ids: &BTreeSet<String>) -> bool {
    let named = |what: &Happening| matches!(what, Happening::Fault(id) if ids.contains(id));
    let window = match &expect.condition.stretch {
        Stretch::Fixed(_, to) => has_over && *to > length,
        Stretch::During(what) | Stretch::Before(what) | Stretch::After(what, ..) => named(what),
    };
    window || matches!(expect.condition.limit, Measured::Moment(at) if at > length)
}

/// Cuts the profiles of a world: the factor at the end is the one that the curve has there.
fn cut_profiles(world: &mut dyn TableLike, scenario: &Scenario, length: Ns) {
    worlds::of_clients(world, "profile", &mut |item| {
        let Some(list) = item.as_array_mut() else { return };
        let point = |value: &Value| -> Option<(Ns, f64)> {
            let pair = value.as_array()?;
            let at = scenario.calendar.moment(pair.get(0)?.as_str()?).ok()?;
            let factor = pair.get(1)?;
            Some((at, factor.as_float().or(factor.as_integer().map(|n| n as f64))?))
        };
        let points: Vec<Option<(Ns, f64)>> = list.iter().map(point).collect();
        let Some(first) = points.iter().position(|p| p.is_some_and(|(at, _)| at > length)) else { return };
        let (_, after) = points.split_at(first);
        let before = first.checked_sub(1).and_then(|n| points[n]);
        let Some((to, factor)) = after[0] else { return };
        let end = match before {
            Some((from, was)) => was + (factor - was) * (length.minus(from).as_secs() / to.minus(from).as_secs()),
            None => factor,
        };
        let kept = list.len() - after.len();
        while list.len() > kept {
            list.remove(kept);
        }
        if before.is_none_or(|(at, _)| at < length) {
            let mut pair = Array::new();
            pair.push(moment(&scenario.calendar, length).unwrap_or_default());
            pair.push(end);
            list.push(pair);
        }
    });
}

/// Turns `calibrated` marks into `inferred` ones, where the evidence is gone that they name.
struct Uncalibrated;

impl VisitMut for Uncalibrated {
    fn visit_table_like_mut(&mut self, table: &mut dyn TableLike) {
        if table.get("value").is_some()
            && let Some(evidence) = table.remove("calibrated")
        {
            table.remove("range");
            let evidence = evidence.as_str().unwrap_or_default();
            let why = format!("calibrated to {evidence} on the whole of the scenario that this is a part of");
            table.insert("inferred", toml_edit::value(why));
        }
        visit_table_like_mut(self, table);
    }
}
