//! What a comparison says, in words: what is safe, what cannot be told apart, what flips.

use super::costs;
use super::grid::{is_counted, trimmed};
use crate::text;
use brownout_lab::compare::{Cell, Comparison, Panel, Verdict, places, reversals, safety_along};
use brownout_lab::stats;
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
    out.extend(safe(c));
    if c.sweeps().is_empty() {
        out.extend(alike(c));
    } else {
        out.push(("Over the sweep".into(), flips(c)));
    }
    out
}

/// The limit from which on a run is bad: "0.1%".
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

/// "in 0 of 5 runs".
pub(crate) fn in_none_of(runs: u64) -> String {
    format!("in 0 of {}", text::count(runs, "run", "runs"))
}

/// What a bad run is, and what none of so many says; empty without a cell that has a bad run or none.
pub(crate) fn bad_runs(c: &Comparison) -> String {
    let found = || c.cells.iter().filter_map(|cell| cell.bad_runs.as_ref());
    let quiet: BTreeMap<u64, f64> = found().filter(|f| f.bad == 0).map(|f| (f.of, f.at_most)).collect();
    let few = quiet.first_key_value().into_iter();
    let ends: Vec<String> = few
        .chain(quiet.last_key_value().filter(|_| quiet.len() > 1))
        .map(|(runs, share)| {
            let runs = text::count(*runs, "run", "runs");
            format!("0 bad of {runs} means that at most {} of all are", text::percent_brief(*share))
        })
        .collect();
    let counted = found().any(|found| is_counted(found, c.seeds));
    if ends.is_empty() && !counted {
        return String::new();
    }
    let counted = if counted { ", as (1/5) says of one of five" } else { "" };
    let mut said = format!(" A run that reaches {} is bad{counted}", limit(c));
    if !ends.is_empty() {
        said.push_str(&format!("; {} (95% confidence)", ends.join(", ")));
    }
    said.push('.');
    said
}

/// A design (its place in the design dimensions), and for each setting its cell.
struct Design {
    at: Vec<usize>,
    cells: Vec<usize>,
}

impl Design {
    /// The worst verdict of all settings; none where one has no result.
    fn verdict(&self, c: &Comparison) -> Option<Verdict> {
        let all: Option<Vec<Verdict>> = self.cells.iter().map(|cell| c.cells[*cell].verdict).collect();
        all?.into_iter().max()
    }
}

/// The dimensions that are no design, and every design.
fn settings(c: &Comparison) -> (Vec<usize>, Vec<Design>) {
    let design = c.design_dimensions();
    let rest: Vec<usize> = (0..c.dimensions.len()).filter(|d| !design.contains(d)).collect();
    let lengths = |dims: &[usize]| dims.iter().map(|d| c.dimensions[*d].points.len()).collect::<Vec<_>>();
    let all = places(&lengths(&design)).into_iter().map(|built| {
        let cell = |setting: Vec<usize>| {
            let mut at = vec![0; c.dimensions.len()];
            design.iter().zip(&built).for_each(|(d, p)| at[*d] = *p);
            rest.iter().zip(setting).for_each(|(d, p)| at[*d] = p);
            c.index(&at)
        };
        let cells = places(&lengths(&rest)).into_iter().map(cell).collect();
        Design { at: built, cells }
    });
    let all = all.collect();
    (rest, all)
}

/// The designs that are safe in every setting, or look so, by their places in the design dimensions.
pub(crate) fn quiet_at_all(c: &Comparison) -> Vec<Vec<usize>> {
    let (_, designs) = settings(c);
    let quiet = designs.into_iter().filter(|d| d.verdict(c).is_some_and(Verdict::is_quiet));
    quiet.map(|d| d.at).collect()
}

/// "under all 3 mechanisms, at every value swept"; empty where there is one setting.
fn everywhere(c: &Comparison) -> String {
    let under = c.under.map(|d| {
        let dimension = &c.dimensions[d];
        format!(" under {} {}", all(dimension.points.len()), plural(&dimension.name))
    });
    let (under, comma) = (under.unwrap_or_default(), if c.under.is_some() { "," } else { "" });
    if c.sweeps().is_empty() { under } else { format!("{under}{comma} at every value swept") }
}

/// "track.dropped_rate reaches 0.1% in at most 5% of runs, with 95% confidence".
fn what_safe_is(c: &Comparison) -> String {
    let (limit, share) = (limit(c), trimmed(c.bad_runs * 100.0));
    format!("{} reaches {limit} in at most {share}% of runs, with 95% confidence", c.metric)
}

/// What is safe everywhere, what looks so, and what does not quite.
pub(crate) fn safe(c: &Comparison) -> Vec<(String, String)> {
    let (rest, designs) = settings(c);
    let of = |wanted: Option<Verdict>| -> Vec<&Design> { designs.iter().filter(|d| d.verdict(c) == wanted).collect() };
    let (is, looks) = (of(Some(Verdict::Safe)), of(Some(Verdict::LooksSafe)));
    let places = |designs: &[&Design]| designs.iter().map(|d| d.at.clone()).collect::<Vec<_>>();
    let unfinished = of(None).len();
    let where_ = everywhere(c);
    let mut out = Vec::new();
    if !is.is_empty() {
        out.push((format!("Safe{where_} ({}):", what_safe_is(c)), format!("{}.", describe(c, &places(&is)))));
    }
    if !looks.is_empty() {
        let heading = format!("Looks safe{where_} ({}), {}:", looks_safe(c, &looks), needs(c, &looks));
        out.push((heading, format!("{}.", describe(c, &places(&looks)))));
    }
    if out.is_empty() {
        let none = match unfinished {
            n if n == designs.len() => "no design has all its runs.".into(),
            0 => format!("none of the {} designs, and none looks so.", designs.len()),
            _ => "none of the designs that are finished, and none looks so.".into(),
        };
        out.push((format!("Safe{where_} ({}):", what_safe_is(c)), none));
    }
    if let (Some((_, last)), true) = (out.last_mut(), unfinished > 0 && unfinished < designs.len()) {
        last.push_str(&format!(" Not finished: {}.", text::count(unfinished as u64, "design", "designs")));
    }
    out.extend(not_confirmed(c, &designs));
    if let (Some(under), true) = (c.under, c.sweeps().is_empty()) {
        out.extend(exceptions(c, under, &rest, &designs));
    }
    out.extend(others(c, &designs));
    out
}

/// "track.dropped_rate reaches 0.1% in 0 of 5 runs".
fn looks_safe(c: &Comparison, designs: &[&Design]) -> String {
    let runs = designs.iter().flat_map(|d| &d.cells).map(|cell| c.cells[*cell].runs.len() as u64).min().unwrap_or(0);
    let none = in_none_of(runs);
    format!("{} reaches {} {none}", c.metric, limit(c))
}

/// "needs 117 more runs of each cell to be called safe (--confirm)".
fn needs(c: &Comparison, designs: &[&Design]) -> String {
    let more = designs.iter().flat_map(|d| &d.cells).filter_map(|cell| c.cells[*cell].more_runs).max().unwrap_or(0);
    let each = if c.cells.len() > 1 { " of each cell" } else { "" };
    format!("needs {}{each} to be called safe (--confirm)", text::count(more, "more run", "more runs"))
}

/// Designs that looked safe to those who picked them, and do not after the runs on new seeds.
fn not_confirmed(c: &Comparison, designs: &[Design]) -> Option<(String, String)> {
    let confirm = c.confirm.as_ref()?;
    let failed = |design: &&Design| {
        let tried = |cell: &usize| confirm.candidates.contains(cell);
        design.cells.iter().any(tried) && design.verdict(c).is_some_and(|verdict| !verdict.is_quiet())
    };
    let failed: Vec<Vec<usize>> = designs.iter().filter(failed).map(|d| d.at.clone()).collect();
    let heading = format!("Looked safe in the first {}, and is not confirmed:", text::count(c.seeds, "run", "runs"));
    (!failed.is_empty()).then(|| (heading, format!("{}.", describe(c, &failed))))
}

/// "Safe except under crash-loop: ...", by what is excepted.
fn exceptions(c: &Comparison, under: usize, rest: &[usize], designs: &[Design]) -> Vec<(String, String)> {
    if rest != [under] {
        return Vec::new();
    }
    let points = &c.dimensions[under].points;
    let mut by: BTreeMap<(bool, usize, Vec<usize>), Vec<Vec<usize>>> = BTreeMap::new();
    for design in designs.iter().filter(|design| design.verdict(c).is_some()) {
        let verdicts: Vec<Verdict> = design.cells.iter().filter_map(|cell| c.cells[*cell].verdict).collect();
        let bad_at: Vec<usize> = (0..verdicts.len()).filter(|i| !verdicts[*i].is_quiet()).collect();
        if !bad_at.is_empty() && bad_at.len() < points.len() {
            let looks = verdicts.contains(&Verdict::LooksSafe);
            by.entry((looks, bad_at.len(), bad_at)).or_default().push(design.at.clone());
        }
    }
    by.into_iter()
        .map(|((looks, _, at), designs)| {
            let names = at.iter().map(|i| points[*i].as_str()).collect::<Vec<_>>().join(" and ");
            let what = if looks { "Looks safe" } else { "Safe" };
            (format!("{what} except under {names}:"), format!("{}.", describe(c, &designs)))
        })
        .collect()
}

/// How many designs are shown not to be safe somewhere, and of how many that is open.
fn others(c: &Comparison, designs: &[Design]) -> Option<(String, String)> {
    let of = |wanted: Verdict| designs.iter().filter(|d| d.verdict(c) == Some(wanted)).count() as u64;
    let (not, open) = (of(Verdict::NotSafe), of(Verdict::Undecided));
    if open == 0 {
        return None;
    }
    let (limit, share) = (limit(c), trimmed(c.bad_runs * 100.0));
    let what = match not {
        0 => String::new(),
        n => format!(
            "{} not safe (more than {share}% of runs reach {limit}). ",
            text::count(n, "design is", "designs are")
        ),
    };
    let undecided = format!(
        "{} undecided: some run reaches {limit}, and the runs are too few to say whether more than {share}% do.",
        text::count(open, "design is", "designs are")
    );
    Some((String::new(), format!("{what}{undecided}")))
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
    if let Some(too_few) = too_few(c) {
        return vec![too_few];
    }
    let mut out = Vec::new();
    for panel in c.panels.iter().filter(|panel| panel.cells.len() > 1) {
        let groups: Vec<&Vec<usize>> = panel.groups.iter().filter(|group| group.len() > 1).collect();
        let mut said: Vec<String> = groups.iter().take(GROUPS).map(|group| group_words(c, group)).collect();
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

/// Designs of a group in words, with their figures and what they cost.
fn group_words(c: &Comparison, group: &[usize]) -> String {
    let designs: Vec<Vec<usize>> = group.iter().map(|i| design_of(c, *i)).collect();
    let quiet = group.iter().all(|i| c.cells[*i].bad_runs.as_ref().is_some_and(|found| found.bad == 0));
    let range = if quiet { format!("every run below {}", limit(c)) } else { range(c, group) };
    let cost = if quiet { costs::range(c, group) } else { String::new() };
    format!("{} ({range}).{cost}", describe(c, &designs))
}

/// Where the runs are so few that no pair can be told apart, whatever the figures: how many it takes.
fn too_few(c: &Comparison) -> Option<(String, String)> {
    // Pairs without a bad run are not told apart anyway.
    let has_bad = |cell: &&Cell| cell.verdict.is_some_and(|verdict| !verdict.is_quiet());
    let runs = c.cells.iter().filter(has_bad).map(|cell| cell.runs.len()).max()?;
    let (pairs, wanted) = (c.pairs(), stats::runs_to_tell(c.pairs()));
    (pairs > 0 && runs < wanted).then(|| {
        let said = format!(
            "{} of each cannot tell apart any of {}: where runs end either well or badly, chance alone may part equal \
             designs so. It takes --seeds {wanted}, or fewer designs (--axis).",
            text::count(runs as u64, "run", "runs"),
            text::count(pairs as u64, "pair", "pairs")
        );
        ("Too few runs to tell designs apart:".into(), said)
    })
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
    let (limit, mut looks) = (limit(c), 0);
    for row in safety_along(c) {
        let known: Vec<(usize, bool)> = row.iter().filter_map(|(i, quiet)| Some((*i, (*quiet)?))).collect();
        let quiet_at = known.iter().filter(|(_, quiet)| *quiet).count();
        looks += usize::from(quiet_at == known.len());
        if quiet_at == 0 || quiet_at == known.len() {
            continue;
        }
        let turns: Vec<usize> = (1..known.len()).filter(|i| known[*i].1 != known[i - 1].1).collect();
        let name = bare(known[0].0);
        said.push(match turns[..] {
            [at] if sweeps.len() == 1 && known[0].1 => {
                format!("{name} looks safe below {}; from there on it has runs that reach {limit}.", value(known[at].0))
            }
            [at] if sweeps.len() == 1 => {
                format!("{name} looks safe only from {} on; below, it has runs that reach {limit}.", value(known[at].0))
            }
            _ => {
                let at =
                    known.iter().filter(|(_, quiet)| *quiet).map(|(i, _)| value(*i)).collect::<Vec<_>>().join(", ");
                format!("{name} looks safe at {quiet_at} of {} values: {at}.", known.len())
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
        return match looks {
            0 => "No conclusion flips: nothing looks safe at any value, and no two designs are shown to change places.",
            _ => "No conclusion flips: what looks safe does so at every value, and no two designs are shown to change places.",
        }
        .into();
    }
    let more = said.len().saturating_sub(FLIPS);
    said.truncate(FLIPS);
    if more > 0 {
        said.push(format!("And {more} more; cells.csv has every cell."));
    }
    said.join(" ")
}
