//! A scenario with more on its timeline, without reading the whole file again: for searches that try thousands.

use crate::diagnose::{Diagnostics, Sources};
use crate::{Scenario, document};
use brownout_models::component::operator::Entry;
use brownout_models::setting::{Clock, Data, Problem, Reader, Setting, Value};

/// The scenario with `[[timeline]]` entries, given as TOML, after its own.
///
/// # Errors
/// What is wrong with the entries, or with the timeline that they make.
pub fn with_entries(scenario: &Scenario, entries: &str) -> Result<Scenario, Diagnostics> {
    let mut sources = Sources::default();
    let source = sources.add("entries", entries);
    let (root, problems) = match document::parse(entries, source) {
        Ok((root, problems)) => (root, problems),
        Err(problems) => return Err(Diagnostics::new(sources, problems)),
    };
    let mut scenario = scenario.clone();
    let problems = [problems, append(&mut scenario, &root)].concat();
    if problems.is_empty() { Ok(scenario) } else { Err(Diagnostics::new(sources, problems)) }
}

fn append(scenario: &mut Scenario, root: &Value) -> Vec<Problem> {
    let clock: &dyn Clock = &scenario.calendar;
    let mut reader = Reader::new(clock);
    let Data::Table(table) = &root.data else { return Vec::new() };
    let items = match table.get("timeline").map(|value| &value.data) {
        Some(Data::List(items)) => items.as_slice(),
        _ => &[],
    };
    let more: Vec<Entry> = items.iter().filter_map(|item| Entry::read(item, &mut reader)).collect();
    let mut problems = reader.finish();
    if problems.is_empty() {
        scenario.plan.spec.timeline.extend(more);
        problems = scenario.plan.spec.problems();
    }
    problems
}
