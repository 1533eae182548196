//! The question, and its answer in two sentences.

use super::Context;
use crate::compare::{in_none_of, label_of, quiet_at_all};
use crate::{text, view};
use brownout_lab::compare::{Comparison, Difference, Estimate, How, Verdict};
use brownout_sim::outcome::Outcome;

/// A figure to see at once.
pub(super) struct Card {
    pub(super) role: &'static str,
    pub(super) label: String,
    pub(super) figure: String,
    pub(super) detail: String,
}

/// "52.6% (95% interval 52.3% to 52.9%)".
pub(super) fn rate(e: &Estimate) -> String {
    let mean = text::percent(e.mean);
    match (e.how, e.low, e.high) {
        (How::Bound, _, Some(high)) => format!("0% ({})", not_one(e, high)),
        (How::Same, ..) => format!("{mean} (the same under every seed)"),
        (How::Single, ..) => format!("{mean} (one seed, no interval)"),
        (_, Some(low), Some(high)) => {
            format!("{mean} (95% interval {} to {})", text::percent(low), text::percent(high))
        }
        _ => mean,
    }
}

/// "not one in 5 runs, so any in at most 45% of runs, with 95% confidence".
fn not_one(e: &Estimate, high: f64) -> String {
    let runs = text::count(e.seeds as u64, "run", "runs");
    format!("not one in {runs}, so any in at most {} of runs, with 95% confidence", text::percent_brief(high))
}

/// "-52.6 percentage points (-52.9 to -52.3)".
pub(super) fn signed(d: &Difference) -> String {
    // Adding 0 makes a 0 of a -0.
    let points = |share: f64| format!("{:+.1}", (share * 1000.0).round() / 10.0 + 0.0);
    match (d.low, d.high) {
        (Some(low), Some(high)) => format!("{} pp ({} to {})", points(d.mean), points(low), points(high)),
        _ if d.seeds > 1 => format!("{} pp (the same under every seed, no interval)", points(d.mean)),
        _ => format!("{} pp (one seed, no interval)", points(d.mean)),
    }
}

/// "track calls dropped" for "track.dropped_rate".
fn subject(metric: &str) -> String {
    match metric.rsplit_once('.') {
        Some((kind, "dropped_rate")) => format!("{kind} calls dropped"),
        Some((kind, "failed_rate")) => format!("{kind} calls failed"),
        _ => metric.to_owned(),
    }
}

pub(super) fn question(context: &Context<'_>) -> String {
    if let Some(c) = context.matrix.or(context.material.comparisons.first()) {
        let names: Vec<&str> = c.design_dimensions().into_iter().map(|d| c.dimensions[d].name.as_str()).collect();
        let what = match names[..] {
            [] => "this design".to_owned(),
            [only] => format!("choice of {only}"),
            _ => format!("combination of {}", names.join(" and ")),
        };
        let under = c.under.map(|d| format!(", whatever the {}", c.dimensions[d].name)).unwrap_or_default();
        return format!("Which {what} keeps {} below {}{under}?", subject(&c.metric), text::percent(c.safe));
    }
    match context.days.first().and_then(|day| view::headline_kind(day.outcome)) {
        Some(kind) if context.days.len() > 1 => {
            format!("Which of these designs keeps {kind} calls from being dropped?")
        }
        Some(kind) => format!("How many {kind} calls are dropped, and why?"),
        None => "What does the conclusion hang on?".to_owned(),
    }
}

pub(super) fn answer(context: &Context<'_>) -> Vec<String> {
    match context.matrix {
        Some(c) => of_matrix(c, context),
        None => of_days(context),
    }
}

/// The settings of a matrix: a baseline in each, and the design chosen there.
fn settings(c: &Comparison, context: &Context<'_>) -> Vec<(usize, Option<usize>)> {
    let bases = (0..c.cells.len()).filter(|at| c.cells[*at].baseline == *at);
    let chosen = |base: usize| {
        let of = |day: &super::days::Day<'_>| day.cell.filter(|at| *at != base && c.cells[*at].baseline == base);
        context.days.iter().find_map(of)
    };
    let mut all: Vec<(usize, Option<usize>)> = bases.map(|base| (base, chosen(base))).collect();
    if all.iter().all(|(_, chosen)| chosen.is_none()) {
        // No day was given: the design that the rule of the lab chooses.
        if let Ok(pairs) = brownout_lab::compare::pairs(c, &[]) {
            all = pairs.into_iter().map(|pair| (pair.baseline, pair.chosen)).collect();
        }
    }
    all
}

/// What a setting is called: "crash-loop"; empty if there is one.
fn setting(c: &Comparison, cell: usize) -> String {
    c.under.map(|d| c.dimensions[d].points[c.cells[cell].at[d]].clone()).unwrap_or_default()
}

/// A cell's design without its setting: "bulkhead/shared".
fn design(c: &Comparison, cell: usize) -> String {
    let points = c.design_dimensions().into_iter().map(|d| c.dimensions[d].points[c.cells[cell].at[d]].as_str());
    let design = points.collect::<Vec<_>>().join("/");
    if design.is_empty() { "the design as written".to_owned() } else { design }
}

fn of_matrix(c: &Comparison, context: &Context<'_>) -> Vec<String> {
    let settings = settings(c, context);
    let Some((base, _)) = settings.first() else { return vec!["No cell was compared.".to_owned()] };
    let list = |cells: &[usize]| across(c, cells, &|at| c.cells[at].estimate.as_ref().map_or("no result".into(), rate));
    let bases: Vec<usize> = settings.iter().map(|(base, _)| *base).collect();
    let chosen: Vec<usize> = settings.iter().filter_map(|(_, chosen)| *chosen).collect();
    let window = format!("between {} and {}", c.window.0, c.window.1);
    let first = format!("With {}, {} {window}: {}.", design(c, *base), subject(&c.metric), list(&bases));
    let Some(first_chosen) = chosen.first() else { return vec![first] };
    let differences = across(c, &chosen, &|at| c.cells[at].difference.as_ref().map_or("none".into(), signed));
    let alike = quiet_at_all(c).into_iter().filter(|d| *d != design_points(c, *first_chosen)).count();
    let worst = chosen.iter().map(|at| c.cells[*at].verdict).max().flatten();
    let (limit, share) = (text::percent(c.safe), text::percent_brief(c.bad_runs));
    let others = |n: usize, verb: (&str, &str)| text::count(n as u64, verb.0, verb.1);
    let verdict = match (worst, alike) {
        (Some(Verdict::Safe), 0) => {
            format!("it is safe (at most {share} of runs reach {limit}), and no other looks so")
        }
        (Some(Verdict::Safe), n) => format!(
            "it is safe (at most {share} of runs reach {limit}); {} so or looks so",
            others(n, ("other design is", "other designs are"))
        ),
        (Some(Verdict::LooksSafe), n) => {
            let runs = chosen.iter().map(|at| c.cells[*at].runs.len() as u64).min().unwrap_or(0);
            let more = chosen.iter().filter_map(|at| c.cells[*at].more_runs).max().unwrap_or(0);
            let besides = match n {
                0 => "no other design does".to_owned(),
                n => others(n, ("other design does", "other designs do")),
            };
            format!(
                "it looks safe ({limit} was reached {}), as {besides}; {} of each would show it (--confirm)",
                in_none_of(runs),
                text::count(more, "more run", "more runs")
            )
        }
        (_, 0) => format!("no design looks safe: each has runs that reach {limit}"),
        (_, n) => {
            format!("it has runs that reach {limit}; {} not", others(n, ("other design does", "other designs do")))
        }
    };
    let second = format!(
        "With {}: {}, a paired difference of {}; {verdict}.",
        design(c, *first_chosen),
        list(&chosen),
        differences
    );
    vec![first, second]
}

/// What is said of the cells of every setting; once where it is the same for all.
fn across(c: &Comparison, cells: &[usize], say: &dyn Fn(usize) -> String) -> String {
    let said: Vec<String> = cells.iter().map(|at| say(*at)).collect();
    let Some(under) = c.under.map(|d| &c.dimensions[d]) else { return said.join(", ") };
    match &said[..] {
        [first, .., last] if said.iter().all(|words| words == first) && first == last => {
            format!("{first} under every {}", under.name)
        }
        _ => {
            let one = |(at, words): (&usize, &String)| format!("{words} under {}", setting(c, *at));
            cells.iter().zip(&said).map(one).collect::<Vec<_>>().join(", ")
        }
    }
}

fn design_points(c: &Comparison, cell: usize) -> Vec<usize> {
    c.design_dimensions().into_iter().map(|d| c.cells[cell].at[d]).collect()
}

/// "48.4% of track calls".
fn headline(outcome: &Outcome) -> String {
    match view::headline_kind(outcome).map(|kind| (kind, &outcome.calls[kind])) {
        Some((kind, totals)) if totals.offered > 0 => {
            format!("{} of {kind} calls", text::percent(totals.dropped as f64 / totals.offered as f64))
        }
        _ => "no calls offered, so none".to_owned(),
    }
}

fn of_days(context: &Context<'_>) -> Vec<String> {
    let Some(first) = context.days.first() else { return Vec::new() };
    let clock = crate::clock::Clock::new(&first.outcome.span);
    let span = &first.outcome.span;
    let window = format!("between {} and {}", clock.minute(span.window_from_s), clock.minute(span.window_to_s));
    let said = format!(
        "{} were dropped {window} with {} (one run under seed {}, so there is no interval).",
        headline(first.outcome),
        first.label.trim_start_matches("baseline: "),
        first.outcome.seed
    );
    let rest: Vec<String> =
        context.days[1..].iter().map(|day| format!("{} with {}", headline(day.outcome), day.label)).collect();
    let second = if rest.is_empty() {
        let met = first.outcome.evidence.iter().filter(|e| e.verdict == "met").count();
        match first.outcome.evidence.len() {
            0 => "No evidence from a real day stands beside it.".to_owned(),
            all => format!("Of {all} pieces of evidence from the day the run meets {met} that nothing was fitted to."),
        }
    } else {
        format!("Against that, {}.", rest.join(", "))
    };
    vec![said, second]
}

pub(super) fn cards(context: &Context<'_>) -> Vec<Card> {
    if let Some(c) = context.matrix {
        let mut out = Vec::new();
        for (base, chosen) in settings(c, context) {
            for (role, at) in [("baseline", Some(base)), ("chosen", chosen)] {
                let Some(at) = at else { continue };
                let e = c.cells[at].estimate.as_ref();
                let detail = e.map(|e| match (e.how, e.low, e.high) {
                    (How::Bound, _, Some(high)) => not_one(e, high),
                    (_, Some(low), Some(high)) => {
                        format!("{} to {}, {} seeds", text::percent(low), text::percent(high), e.seeds)
                    }
                    (How::Same, ..) => format!("the same in all {} runs, no interval", e.seeds),
                    _ => "one seed, no interval".to_owned(),
                });
                out.push(Card {
                    role,
                    label: format!("{role}: {}", label_of(c, &c.cells[at])),
                    figure: e.map_or("-".to_owned(), |e| text::percent(e.mean)),
                    detail: format!("{}; {}", subject(&c.metric), detail.unwrap_or_else(|| "no result".to_owned())),
                });
            }
        }
        out.truncate(8);
        return out;
    }
    let card = |(i, day): (usize, &super::days::Day<'_>)| {
        let kind = view::headline_kind(day.outcome).unwrap_or("");
        let totals = day.outcome.calls.get(kind).cloned().unwrap_or_default();
        Card {
            role: if i == 0 { "baseline" } else { "chosen" },
            label: day.label.clone(),
            figure: text::percent(totals.dropped as f64 / totals.offered.max(1) as f64),
            detail: format!(
                "{kind} calls dropped; {} of {}",
                text::grouped(totals.dropped),
                text::grouped(totals.offered)
            ),
        }
    };
    context.days.iter().enumerate().map(card).collect()
}

/// What is not whole.
pub(super) fn warnings(context: &Context<'_>) -> Vec<String> {
    let comparisons = context.material.comparisons.iter().filter(|c| !c.ended.is_empty() && c.ended != "complete");
    let mut said: Vec<String> = comparisons
        .map(|c| format!("Not complete: the comparison was {}; cells without all their seeds are \"-\".", c.ended))
        .collect();
    for day in context.days.iter().filter(|day| !day.outcome.ended.is_empty() && day.outcome.ended != "complete") {
        said.push(format!("Not complete: the run of {} was {}.", day.label, day.outcome.ended));
    }
    if let Some(c) = context.matrix {
        for day in context.days.iter().filter(|day| day.cell.is_none()) {
            said.push(format!(
                "{} is no cell of the comparison of {}: it stands here by itself.",
                day.label, c.scenario
            ));
        }
        let differs = |day: &&super::days::Day<'_>| {
            let runs = day.cell.map(|at| &c.cells[at].runs[..]).unwrap_or_default();
            runs.iter().any(|run| run.seed == day.outcome.seed && run.digest != day.outcome.digest)
        };
        for day in context.days.iter().filter(differs) {
            said.push(format!(
                "The run of {} has another digest than in the comparison: they are not of one version or file.",
                day.label
            ));
        }
    }
    said
}

pub(super) fn repeat(context: &Context<'_>) -> String {
    let mut said =
        "Same scenario, seed and version give the same bytes on any machine; the digest says whether they did."
            .to_owned();
    if let Some(c) = context.matrix {
        let last = c.first_seed + c.seeds.saturating_sub(1);
        let more = if c.confirm.is_some() || c.precision.is_some() { ", some cells on more" } else { "" };
        said.push_str(&format!(
            " The matrix was run on seeds {} to {last}{more}: {} cells, {} runs.",
            c.first_seed,
            c.cells.len(),
            text::grouped(c.cells.iter().map(|cell| cell.runs.len() as u64).sum())
        ));
    }
    said
}
