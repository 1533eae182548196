//! What a comparison says, in words: what is safe, what cannot be told apart, what flips.

use super::costs;
use super::grid::trimmed;
use crate::text;
use brownout_lab::compare::{Comparison, Panel, places, reversals, safety_along};
use std::collections::BTreeMap;

/// Groups named for each panel.
const GROUPS: usize = 4;
/// Flips named.
const FLIPS: usize = 12;

/// Headings and sentences, in order.
pub(super) fn verdicts(c: &Comparison) -> Vec<(String, String)> {
    let mut out = Vec::new();
    if c.cells.iter().all(|cell| cell.estimate.is_none()) {
        return out;
    }
    if c.cells.len() > 1 {
        out.extend(safe(c));
    }
    if c.sweeps().is_empty() {
        out.extend(alike(c));
    } else {
        out.push(("Over the sweep".into(), flips(c)));
    }
    out
}

/// The limit below which a design is safe: "0.1%".
fn limit(c: &Comparison) -> String {
    format!("{}%", trimmed(c.safe * 100.0))
}

/// "all 3", "both".
fn all(n: usize) -> String {
    if n == 2 { "both".into() } else { format!("all {n}") }
}

/// "mechanisms"; names that do not take an s stay as they are.
fn plural(name: &str) -> String {
    if name.ends_with(['s', 'h', 'x', 'z']) { format!("points of {name}") } else { format!("{name}s") }
}

/// A design (its place in the design dimensions), and for each setting whether it is safe there.
type Verdicts = (Vec<usize>, Vec<Option<bool>>);

/// The design dimensions, and every design with its verdicts.
fn settings(c: &Comparison) -> (Vec<usize>, Vec<Verdicts>) {
    let design = c.design_dimensions();
    let rest: Vec<usize> = (0..c.dimensions.len()).filter(|d| !design.contains(d)).collect();
    let lengths = |dims: &[usize]| dims.iter().map(|d| c.dimensions[*d].points.len()).collect::<Vec<_>>();
    let all = places(&lengths(&design)).into_iter().map(|built| {
        let verdict = |setting: Vec<usize>| {
            let mut at = vec![0; c.dimensions.len()];
            design.iter().zip(&built).for_each(|(d, p)| at[*d] = *p);
            rest.iter().zip(setting).for_each(|(d, p)| at[*d] = p);
            c.cells[c.index(&at)].safe
        };
        let verdicts = places(&lengths(&rest)).into_iter().map(verdict).collect();
        (built, verdicts)
    });
    let all = all.collect();
    (rest, all)
}

/// The designs that are safe in every setting, by their places in the design dimensions.
pub(crate) fn safe_at_all(c: &Comparison) -> Vec<Vec<usize>> {
    let (_, designs) = settings(c);
    designs.into_iter().filter(|(_, v)| v.iter().all(|v| *v == Some(true))).map(|(d, _)| d).collect()
}

/// The designs that are safe everywhere, and those that are not quite.
pub(crate) fn safe(c: &Comparison) -> Vec<(String, String)> {
    let (rest, designs) = settings(c);
    let everywhere = safe_at_all(c);
    let heading = match (c.under, c.sweeps().is_empty()) {
        (Some(d), true) => {
            let dimension = &c.dimensions[d];
            format!("Safe under {} {}", all(dimension.points.len()), plural(&dimension.name))
        }
        (Some(d), false) => {
            let dimension = &c.dimensions[d];
            format!("Safe under {} {}, at every value swept", all(dimension.points.len()), plural(&dimension.name))
        }
        (None, true) => "Safe".into(),
        (None, false) => "Safe at every value swept".into(),
    };
    let unfinished = designs.iter().filter(|(_, v)| v.contains(&None)).count();
    let mut said = match (everywhere.is_empty(), unfinished) {
        (true, n) if n == designs.len() => "no design has all its runs.".into(),
        (true, 0) => format!("none of the {} designs.", designs.len()),
        (true, _) => "none of the designs that are finished.".into(),
        (false, _) => format!("{}.", describe(c, &everywhere)),
    };
    if unfinished > 0 && unfinished < designs.len() {
        said.push_str(&format!(" Not finished: {}.", text::count(unfinished as u64, "design", "designs")));
    }
    let mut out = vec![(format!("{heading} ({} below {}):", c.metric, limit(c)), said)];
    if let (Some(under), true) = (c.under, c.sweeps().is_empty()) {
        out.extend(exceptions(c, under, &rest, &designs));
    }
    out
}

/// "Safe except under crash-loop: ...", by what is excepted.
fn exceptions(
    c: &Comparison,
    under: usize,
    rest: &[usize],
    designs: &[(Vec<usize>, Vec<Option<bool>>)],
) -> Vec<(String, String)> {
    if rest != [under] {
        return Vec::new();
    }
    let points = &c.dimensions[under].points;
    let mut by: BTreeMap<(usize, Vec<usize>), Vec<Vec<usize>>> = BTreeMap::new();
    for (design, verdicts) in designs.iter().filter(|(_, v)| !v.contains(&None)) {
        let unsafe_at: Vec<usize> = (0..verdicts.len()).filter(|i| verdicts[*i] == Some(false)).collect();
        if !unsafe_at.is_empty() && unsafe_at.len() < points.len() {
            by.entry((unsafe_at.len(), unsafe_at)).or_default().push(design.clone());
        }
    }
    by.into_iter()
        .map(|((_, at), designs)| {
            let names = at.iter().map(|i| points[*i].as_str()).collect::<Vec<_>>().join(" and ");
            (format!("Safe except under {names}:"), format!("{}.", describe(c, &designs)))
        })
        .collect()
}

/// Designs in short: those that share their last points are taken together.
fn describe(c: &Comparison, designs: &[Vec<usize>]) -> String {
    let dims = c.design_dimensions();
    let Some((last, _)) = dims.split_last() else { return "the design as written".into() };
    let last = &c.dimensions[*last];
    let point = |(d, p): (&usize, &usize)| c.dimensions[*d].points[*p].clone();
    if dims.len() == 1 {
        return designs.iter().map(|at| last.points[at[0]].clone()).collect::<Vec<_>>().join(", ");
    }
    // By what is before the last dimension, then by the set of last points.
    let mut by_first: Vec<(Vec<usize>, Vec<usize>)> = Vec::new();
    for at in designs {
        let (end, first) = match at.split_last() {
            Some((end, first)) => (*end, first.to_vec()),
            None => continue,
        };
        match by_first.iter_mut().find(|(known, _)| *known == first) {
            Some((_, ends)) => ends.push(end),
            None => by_first.push((first, vec![end])),
        }
    }
    let mut by_ends: Vec<(Vec<usize>, Vec<String>)> = Vec::new();
    for (first, mut ends) in by_first {
        ends.sort_unstable();
        let name = dims.iter().zip(&first).map(point).collect::<Vec<_>>().join("/");
        match by_ends.iter_mut().find(|(known, _)| *known == ends) {
            Some((_, names)) => names.push(name),
            None => by_ends.push((ends, vec![name])),
        }
    }
    let all = last.points.len();
    let names = |points: &mut dyn Iterator<Item = usize>| {
        points.map(|p| last.points[p].as_str()).collect::<Vec<_>>().join(", ")
    };
    let parts = by_ends.into_iter().map(|(ends, firsts)| {
        let firsts = firsts.join(", ");
        if ends.len() == all && all > 1 {
            format!("{firsts} (any {})", last.name)
        } else if all >= 4 && all - ends.len() <= 2 {
            format!("{firsts} (any {} but {})", last.name, names(&mut (0..all).filter(|p| !ends.contains(p))))
        } else {
            format!("{firsts} ({} {})", last.name, names(&mut ends.iter().copied()))
        }
    });
    parts.collect::<Vec<_>>().join("; ")
}

/// The place of a cell in the design dimensions.
fn design_of(c: &Comparison, cell: usize) -> Vec<usize> {
    c.design_dimensions().into_iter().map(|d| c.cells[cell].at[d]).collect()
}

/// The points that a panel shares: "pool-exhaustion"; empty if there is one panel.
fn shared(c: &Comparison, panel: &Panel) -> String {
    panel.at.iter().map(|(d, p)| c.dimensions[*d].points[*p].as_str()).collect::<Vec<_>>().join(" ")
}

/// What cannot be told apart, panel by panel.
pub(crate) fn alike(c: &Comparison) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for panel in c.panels.iter().filter(|panel| panel.cells.len() > 1) {
        let mut said = Vec::new();
        let groups: Vec<&Vec<usize>> = panel.groups.iter().filter(|group| group.len() > 1).collect();
        for group in groups.iter().take(GROUPS) {
            let designs: Vec<Vec<usize>> = group.iter().map(|i| design_of(c, *i)).collect();
            let all_safe = group.iter().all(|i| c.cells[*i].safe == Some(true));
            let range = if all_safe { format!("all below {}", limit(c)) } else { range(c, group) };
            let cost = if all_safe { costs::range(c, group) } else { String::new() };
            said.push(format!("{} ({range}).{cost}", describe(c, &designs)));
        }
        if groups.len() > GROUPS {
            said.push(format!("And {} more groups; --json has them.", groups.len() - GROUPS));
        }
        if groups.is_empty() {
            said.push("None: every design can be told from the next.".into());
        }
        let tests = match panel.pairs {
            0 => String::new(),
            n => format!(" [{}]", text::count(n as u64, "pair tested", "pairs tested")),
        };
        let where_ = shared(c, panel);
        let heading = match where_.is_empty() {
            true => format!("Cannot be told apart{tests}:"),
            false => format!("Cannot be told apart under {where_}{tests}:"),
        };
        // Each group on a line of its own.
        for (i, group) in said.into_iter().enumerate() {
            out.push((if i == 0 { heading.clone() } else { String::new() }, group));
        }
    }
    out
}

/// "52.1% to 52.9%".
fn range(c: &Comparison, group: &[usize]) -> String {
    let means = group.iter().filter_map(|i| c.cells[*i].estimate.as_ref()).map(|e| e.mean);
    let (low, high) = means.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), m| (l.min(m), h.max(m)));
    let (low, high) = (text::percent(low), text::percent(high));
    if low == high { low } else { format!("{low} to {high}") }
}

/// Which verdicts and which orders turn round inside the range.
pub(crate) fn flips(c: &Comparison) -> String {
    let mut said = Vec::new();
    let sweeps = c.sweeps();
    let value = |cell: usize| {
        let points = sweeps.iter().map(|d| c.dimensions[*d].points[c.cells[cell].at[*d]].as_str());
        points.collect::<Vec<_>>().join(" with ")
    };
    let bare = |cell: usize| {
        let mut words: Vec<&str> =
            c.under.iter().map(|d| c.dimensions[*d].points[c.cells[cell].at[*d]].as_str()).collect();
        let design = c.design_dimensions();
        let built = design.iter().map(|d| c.dimensions[*d].points[c.cells[cell].at[*d]].as_str()).collect::<Vec<_>>();
        let built = built.join("/");
        words.push(if built.is_empty() { "the design as written" } else { &built });
        words.join(" ")
    };
    for row in safety_along(c) {
        let known: Vec<(usize, bool)> = row.iter().filter_map(|(i, safe)| Some((*i, (*safe)?))).collect();
        let safe_at = known.iter().filter(|(_, safe)| *safe).count();
        if safe_at == 0 || safe_at == known.len() {
            continue;
        }
        let turns: Vec<usize> = (1..known.len()).filter(|i| known[*i].1 != known[i - 1].1).collect();
        let name = bare(known[0].0);
        said.push(match turns[..] {
            [at] if sweeps.len() == 1 && known[0].1 => {
                format!("At and above {} {name} is no longer below {}.", value(known[at].0), limit(c))
            }
            [at] if sweeps.len() == 1 => {
                format!("{name} is below {} only from {} on.", limit(c), value(known[at].0))
            }
            _ => {
                let at = known.iter().filter(|(_, safe)| *safe).map(|(i, _)| value(*i)).collect::<Vec<_>>().join(", ");
                format!("{name} is below {} at {safe_at} of {} values: {at}.", limit(c), known.len())
            }
        });
    }
    for reversal in reversals(c) {
        said.push(format!(
            "At {} {} is better than {}; at {} it is worse.",
            value(reversal.better),
            bare(reversal.better),
            bare(reversal.worse),
            value(reversal.then_better)
        ));
    }
    if said.is_empty() {
        return format!("No conclusion flips: what is below {} stays so, and no order turns round.", limit(c));
    }
    let more = said.len().saturating_sub(FLIPS);
    said.truncate(FLIPS);
    if more > 0 {
        said.push(format!("And {more} more; cells.csv has every cell."));
    }
    said.join(" ")
}
