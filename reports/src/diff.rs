//! Two saved outcomes or two saved matrices, compared in words and numbers: Markdown, fit for a comment on a change.
//!
//! Two runs of one seed differ by what was changed and by nothing else, so their numbers are set side by side as they
//! are. Two matrices have seeds in common: their differences are paired, with intervals, and a difference whose interval
//! holds 0 is called none, and all cells are tested together. Not here: whether a difference matters.

use crate::compare::label_of;
use crate::text;
use brownout_lab::compare::{Cell, Comparison, Dimension, Verdict};
use brownout_lab::stats;
use brownout_sim::outcome::{Outcome, Totals};
use std::collections::BTreeSet;

/// Rows of a table; the others are counted.
const ROWS: usize = 40;

/// What a comparison of two documents came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Diff {
    /// Markdown: a sentence, then tables.
    pub markdown: String,
    /// Whether anything in the domain differs; not what depends on the machine.
    pub differs: bool,
    /// Whether the second loses or fails more calls of a kind than the first: of matrices, beyond what chance
    /// makes of so many cells, or a cell without a bad run now has one.
    pub worse: bool,
}

/// Words that cannot become markup, a link, a mention or a column of a table.
fn cell(words: &str) -> String {
    text::in_markdown(&text::fit(&text::clean(words, true), 80, true))
}

/// A table of Markdown.
struct Table {
    out: String,
    rows: usize,
    left_out: usize,
}

impl Table {
    /// The first column is words, the others are numbers.
    fn new(heads: &[&str]) -> Table {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let heads: Vec<String> = heads.iter().map(|head| cell(head)).collect();
        let rule: Vec<String> = (0..heads.len()).map(|i| if i == 0 { "---" } else { "---:" }.to_owned()).collect();
        Table { out: format!("{}{}", line(&heads), line(&rule)), rows: 0, left_out: 0 }
    }

    fn row(&mut self, cells: &[String]) {
        if self.rows == ROWS {
            self.left_out += 1;
            return;
        }
        self.rows += 1;
        let cells: Vec<String> = cells.iter().map(|words| cell(words)).collect();
        self.out.push_str(&format!("| {} |\n", cells.join(" | ")));
    }

    /// The table below a heading; nothing without rows.
    fn end(self, heading: &str) -> String {
        if self.rows == 0 {
            return String::new();
        }
        let more = match self.left_out {
            0 => String::new(),
            n => format!("\nand {} more\n", text::grouped(n as u64)),
        };
        format!("\n**{}**\n\n{}{more}", cell(heading), self.out)
    }
}

/// "+1.2 pp", "0".
fn points(share: f64) -> String {
    let points = share * 100.0;
    match points {
        0.0 => "0".to_owned(),
        p if p.abs() >= 0.05 => format!("{p:+.1} pp"),
        p if p.abs() >= 0.0005 => format!("{p:+.3} pp"),
        p if p > 0.0 => "<+0.001 pp".to_owned(),
        _ => ">-0.001 pp".to_owned(),
    }
}

/// Compares two runs. `a` and `b` are what the documents are called.
pub fn outcomes((a, first): (&str, &Outcome), (b, second): (&str, &Outcome)) -> Diff {
    let mut said = format!("### {} → {}\n\n", cell(a), cell(b));
    let same = Outcome { meta: first.meta.clone(), ..second.clone() } == *first;
    if same {
        said.push_str(&format!("Nothing differs: the same outcome, digest `{}`.\n", text::clean(&first.digest, true)));
        return Diff { markdown: said, differs: false, worse: false };
    }
    let worse = worse_kinds(first, second);
    said.push_str(&headline(first, second));
    said.push_str(&what_was_run(first, second));
    said.push_str(&calls(first, second));
    said.push_str(&figures(first, second));
    said.push_str(&causes(first, second));
    said.push_str(&evidence(first, second));
    said.push_str(&numbers(first, second));
    if first.digest == second.digest {
        said.push_str(
            "\nThe digests are the same: the same facts in the same order; what differs is what was asked of them.\n",
        );
    }
    Diff { markdown: said, differs: true, worse }
}

/// Whether any kind of call is dropped or failed more.
fn worse_kinds(first: &Outcome, second: &Outcome) -> bool {
    // No threshold: under one seed both have the same arrivals and work, so the least difference is that of the change.
    first.calls.iter().any(|(kind, a)| {
        second.calls.get(kind).is_some_and(|b| b.dropped_rate > a.dropped_rate || b.failed_rate > a.failed_rate)
    })
}

fn headline(first: &Outcome, second: &Outcome) -> String {
    let kind = crate::view::headline_kind(first).filter(|kind| second.calls.contains_key(*kind));
    let Some(kind) = kind else { return "The two runs have no kind of call in common.\n".to_owned() };
    let (a, b) = (first.calls[kind].dropped_rate, second.calls[kind].dropped_rate);
    let how = match b - a {
        0.0 => "no change".to_owned(),
        change => points(change),
    };
    format!(
        "{} calls dropped: **{}** → **{}** ({how}; one run each, so no interval).\n",
        cell(kind),
        text::percent(a),
        text::percent(b)
    )
}

/// What is not the same about the question.
fn what_was_run(first: &Outcome, second: &Outcome) -> String {
    let mut table = Table::new(&["run", "before", "after"]);
    let mut row = |name: &str, a: String, b: String| {
        if a != b {
            table.row(&[name.to_owned(), a, b]);
        }
    };
    row("scenario", first.scenario.clone(), second.scenario.clone());
    row("title", first.title.clone(), second.title.clone());
    row("design", first.design.clone(), second.design.clone());
    row("changes", first.set.join(" "), second.set.join(" "));
    row("seed", first.seed.to_string(), second.seed.to_string());
    row("ended", first.ended.clone(), second.ended.clone());
    row("version", first.meta.brownout.clone(), second.meta.brownout.clone());
    row("digest", first.digest.clone(), second.digest.clone());
    table.end("What was run")
}

fn calls(first: &Outcome, second: &Outcome) -> String {
    let mut table = Table::new(&["calls", "offered", "dropped", "", "failed", "", "late", ""]);
    let kinds: BTreeSet<&String> = first.calls.keys().chain(second.calls.keys()).collect();
    let none = Totals::default();
    for kind in kinds {
        let (a, b) = (first.calls.get(kind).unwrap_or(&none), second.calls.get(kind).unwrap_or(&none));
        if a == b {
            continue;
        }
        let offered = match a.offered == b.offered {
            true => text::grouped(a.offered),
            false => format!("{} → {}", text::grouped(a.offered), text::grouped(b.offered)),
        };
        let late = |t: &Totals| t.late as f64 / t.offered.max(1) as f64;
        let pair = |x: f64, y: f64| [format!("{} → {}", text::percent(x), text::percent(y)), points(y - x)];
        let mut row = vec![kind.clone(), offered];
        row.extend(pair(a.dropped_rate, b.dropped_rate));
        row.extend(pair(a.failed_rate, b.failed_rate));
        row.extend(pair(late(a), late(b)));
        table.row(&row);
    }
    table.end("Calls of the window")
}

fn figures(first: &Outcome, second: &Outcome) -> String {
    let mut table = Table::new(&["figure", "before", "after"]);
    let mut row = |name: &str, a: String, b: String| {
        if a != b {
            table.row(&[name.to_owned(), a, b]);
        }
    };
    let time = |seconds: Option<f64>| seconds.map_or("never".to_owned(), text::duration);
    row("recovery", time(first.recovery_s), time(second.recovery_s));
    let (a, b) = (&first.rotation, &second.rotation);
    row("servers in rotation, mean", text::mean(a.mean_in_rotation), text::mean(b.mean_in_rotation));
    row("times each left rotation, mean", text::mean(a.mean_downs), text::mean(b.mean_downs));
    row("first ejection", time(a.first_ejection_s), time(b.first_ejection_s));
    row("all servers back", time(a.all_up_after_s), time(b.all_up_after_s));
    let crashes = |o: &Outcome| text::grouped(o.fleets.values().map(|fleet| fleet.crashes).sum());
    row("processes that died", crashes(first), crashes(second));
    let stores: BTreeSet<&String> = first.stores.keys().chain(second.stores.keys()).collect();
    for store in stores {
        let queries = |o: &Outcome| o.stores.get(store).map_or("-".to_owned(), |s| text::grouped(s.queries));
        row(&format!("queries to {store}"), queries(first), queries(second));
    }
    table.end("Figures")
}

fn causes(first: &Outcome, second: &Outcome) -> String {
    let mut table = Table::new(&["why dropped", "before", "after"]);
    let none = Totals::default();
    // Populations are parts of their kind: with them each call would be counted twice.
    for (kind, a) in first.calls.iter().filter(|(kind, _)| crate::view::part_of(first, kind).is_none()) {
        let b = second.calls.get(kind).unwrap_or(&none);
        let names: BTreeSet<&String> = a.causes.keys().chain(b.causes.keys()).collect();
        for name in names {
            let n = |t: &Totals| t.causes.get(name).copied().unwrap_or(0);
            if n(a) != n(b) {
                table.row(&[format!("{kind}: {}", text::words(name)), text::grouped(n(a)), text::grouped(n(b))]);
            }
        }
    }
    table.end("Causes")
}

fn evidence(first: &Outcome, second: &Outcome) -> String {
    let mut table = Table::new(&["evidence", "observed", "before", "after"]);
    for a in &first.evidence {
        let Some(b) = second.evidence.iter().find(|b| b.id == a.id) else { continue };
        if (&a.simulated, &a.verdict) != (&b.simulated, &b.verdict) {
            let said = |e: &brownout_sim::outcome::Evidence| format!("{}, {}", e.simulated, e.verdict);
            table.row(&[format!("{} {}", a.id, a.says), a.observed.clone(), said(a), said(b)]);
        }
    }
    table.end("Evidence")
}

/// Numbers of the scenarios that are not the same.
fn numbers(first: &Outcome, second: &Outcome) -> String {
    let mut table = Table::new(&["number", "before", "after"]);
    let paths: BTreeSet<&String> = first.assumptions.iter().chain(&second.assumptions).map(|a| &a.path).collect();
    for path in paths {
        let of = |o: &Outcome| {
            o.assumptions
                .iter()
                .find(|a| a.path == *path)
                .map_or("-".to_owned(), |a| format!("{} ({})", a.value, a.mark))
        };
        if of(first) != of(second) {
            table.row(&[path.clone(), of(first), of(second)]);
        }
    }
    table.end("Numbers of the scenario")
}

/// A cell of one matrix and its counterpart.
struct Match<'a> {
    name: String,
    a: &'a Cell,
    b: &'a Cell,
}

/// Compares two matrices, cell by cell where both have one, on the seeds that both have run.
pub fn comparisons((a, first): (&str, &Comparison), (b, second): (&str, &Comparison)) -> Diff {
    let mut said = format!("### {} → {}\n\n", cell(a), cell(b));
    if first.metric != second.metric {
        said.push_str(&format!(
            "They compare different things: {} and {}.\n",
            cell(&first.metric),
            cell(&second.metric)
        ));
        return Diff { markdown: said, differs: true, worse: false };
    }
    let matches = matches(first, second);
    let only = |here: &Comparison| here.cells.len() - matches.len();
    let changed = changed(&matches, first);
    let told: Vec<&(&Match<'_>, Change)> = changed.iter().filter(|(_, change)| change.told).collect();
    let (worse, better) =
        (told.iter().filter(|(_, c)| c.mean > 0.0).count(), told.iter().filter(|(_, c)| c.mean < 0.0).count());
    let same_digests = matches.iter().filter(|m| digests(m.a) == digests(m.b)).count();
    said.push_str(&format!(
        "{} of {} common cells: **{} worse, {} better**, {} without a difference that the runs can tell (95% confidence for all \
         cells together); {} the same fact by fact.\n",
        cell(&first.metric),
        matches.len(),
        worse,
        better,
        matches.len() - worse - better,
        same_digests
    ));
    said.push_str(&too_few(&changed));
    for (name, n) in [(a, only(first)), (b, only(second))] {
        if n > 0 {
            said.push_str(&format!("Only in {}: {}.\n", cell(name), text::count(n as u64, "cell", "cells")));
        }
    }
    said.push_str(&verdicts(&matches));
    said.push_str(&changes(&told));
    let differs = same_digests < matches.len() || only(first) > 0 || only(second) > 0;
    // Beside the test of means, which a single bad run among many good ones does not move.
    let quiet = |cell: &Cell| cell.verdict.map(Verdict::is_quiet);
    let unsafe_now = matches.iter().any(|m| quiet(m.a) == Some(true) && quiet(m.b) == Some(false));
    Diff { markdown: said, differs, worse: worse > 0 || unsafe_now }
}

/// Whether two matrices have a cell that is the same design in both: without one there is nothing to compare.
pub fn have_cells_in_common(first: &Comparison, second: &Comparison) -> bool {
    !matches(first, second).is_empty()
}

fn matches<'a>(first: &'a Comparison, second: &'a Comparison) -> Vec<Match<'a>> {
    let points = |dimensions: &[Dimension], cell: &Cell| -> BTreeSet<(String, String)> {
        dimensions.iter().zip(&cell.at).map(|(d, p)| (d.name.clone(), d.points[*p].clone())).collect()
    };
    let one = |a: &'a Cell| {
        let wanted = points(&first.dimensions, a);
        let b = second.cells.iter().find(|b| points(&second.dimensions, b) == wanted)?;
        Some(Match { name: label_of(first, a), a, b })
    };
    first.cells.iter().filter_map(one).collect()
}

fn digests(cell: &Cell) -> Vec<(u64, &str)> {
    cell.runs.iter().map(|run| (run.seed, run.digest.as_str())).collect()
}

/// The second less the first, over common seeds.
struct Change {
    mean: f64,
    /// Common seeds.
    seeds: usize,
    /// The ends of its interval; none for one seed, and where every seed gave the same.
    ends: Option<(f64, f64)>,
    /// How likely it would be without a difference; none for one seed.
    p_value: Option<f64>,
    /// Whether it is told from none, of all cells together.
    told: bool,
}

/// The changes of all cells that have any seed in common, tested together.
fn changed<'a>(matches: &'a [Match<'a>], first: &Comparison) -> Vec<(&'a Match<'a>, Change)> {
    let mut all: Vec<(&Match<'_>, Change)> = matches.iter().filter_map(|m| Some((m, change(m, first)?))).collect();
    let p_values: Vec<f64> = all.iter().map(|(_, change)| change.p_value.unwrap_or(1.0)).collect();
    for ((_, change), told) in all.iter_mut().zip(stats::holm(&p_values)) {
        change.told = told;
    }
    all
}

fn change(m: &Match<'_>, first: &Comparison) -> Option<Change> {
    let pair = |a: &brownout_lab::compare::CellRun| {
        let b = m.b.runs.iter().find(|b| b.seed == a.seed)?;
        Some(b.rate? - a.rate?)
    };
    let values: Vec<f64> = m.a.runs.iter().filter_map(pair).collect();
    let pilot = first.seeds as usize;
    Some(Change {
        mean: stats::sample(&values)?.mean,
        seeds: values.len(),
        ends: stats::interval(&values, pilot),
        p_value: stats::p_value(&values, pilot),
        told: false,
    })
}

/// Where so few runs cannot tell any of so many cells, how many it takes.
fn too_few(changed: &[(&Match<'_>, Change)]) -> String {
    let runs = changed.iter().map(|(_, change)| change.seeds).max().unwrap_or(0);
    let wanted = stats::runs_to_tell(changed.len());
    if runs >= wanted || changed.iter().all(|(_, change)| change.mean == 0.0) {
        return String::new();
    }
    format!(
        "{} of each cannot tell a difference in any of {}: it takes --seeds {wanted}.\n",
        text::count(runs as u64, "run", "runs"),
        text::count(changed.len() as u64, "cell", "cells")
    )
}

/// Cells of which the runs carry another verdict than before.
fn verdicts(matches: &[Match<'_>]) -> String {
    let mut table = Table::new(&["design", "before", "after"]);
    let words = |cell: &Cell| match (cell.verdict, &cell.bad_runs) {
        (Some(verdict), Some(found)) => format!("{} ({} of {} runs bad)", verdict.words(), found.bad, found.of),
        _ => "no result".to_owned(),
    };
    for m in matches.iter().filter(|m| m.a.verdict != m.b.verdict) {
        table.row(&[m.name.clone(), words(m.a), words(m.b)]);
    }
    table.end("Verdicts that changed")
}

fn changes(told: &[&(&Match<'_>, Change)]) -> String {
    let mut rows: Vec<_> = told.to_vec();
    rows.sort_by(|x, y| y.1.mean.abs().total_cmp(&x.1.mean.abs()));
    let mut table = Table::new(&["design", "before", "after", "paired difference", "95% interval"]);
    for (m, change) in rows {
        let mean = |cell: &Cell| cell.estimate.as_ref().map_or("-".to_owned(), |e| text::percent(e.mean));
        let ends = match change.ends {
            Some((low, high)) => format!("{} to {}", points(low), points(high)),
            None if change.seeds > 1 => "the same in every run".to_owned(),
            None => "one seed".to_owned(),
        };
        table.row(&[m.name.clone(), mean(m.a), mean(m.b), points(change.mean), ends]);
    }
    table.end("Cells that differ, the largest difference first")
}

#[cfg(test)]
mod tests {
    use super::*;
    use brownout_lab::compare::CellRun;

    fn outcome(dropped: u64) -> Outcome {
        let totals = Totals {
            offered: 1000,
            dropped,
            dropped_rate: dropped as f64 / 1000.0,
            causes: [("no_server".to_owned(), dropped)].into(),
            ..Totals::default()
        };
        Outcome { calls: [("track".to_owned(), totals)].into(), digest: format!("d{dropped}"), ..Outcome::default() }
    }

    #[test]
    fn the_same_twice_differs_in_nothing_but_the_machine() {
        let mut again = outcome(5);
        again.meta.wall_s = 9.0;
        let diff = outcomes(("a.json", &outcome(5)), ("b.json", &again));
        assert_eq!((diff.differs, diff.worse), (false, false));
        assert!(diff.markdown.contains("Nothing differs"), "{}", diff.markdown);
    }

    #[test]
    fn more_dropped_is_worse_and_less_is_not() {
        let diff = outcomes(("a.json", &outcome(5)), ("b.json", &outcome(105)));
        assert_eq!((diff.differs, diff.worse), (true, true));
        assert!(diff.markdown.contains("track calls dropped: **0.50%** → **10.5%** (+10.0 pp"), "{}", diff.markdown);
        assert!(diff.markdown.contains("| track\\: no server | 5 | 105 |"), "{}", diff.markdown);
        assert!(!outcomes(("a", &outcome(105)), ("b", &outcome(5))).worse);
    }

    fn matrix<const N: usize>(rates: [[f64; N]; 2]) -> Comparison {
        let run = |seed: usize, rate: f64| CellRun {
            seed: seed as u64,
            rate: Some(rate),
            offered: 1000,
            hits: (rate * 1000.0) as u64,
            digest: format!("{rate}"),
            ..CellRun::default()
        };
        let cell = |i: usize| Cell {
            at: vec![i],
            runs: rates[i].iter().enumerate().map(|(seed, rate)| run(seed, *rate)).collect(),
            ..Cell::default()
        };
        let points = vec!["shared".to_owned(), "bulkhead".to_owned()];
        let mut c = Comparison {
            metric: "track.dropped_rate".into(),
            seeds: N as u64,
            safe: 0.001,
            bad_runs: 0.05,
            dimensions: vec![Dimension { name: "isolation".into(), points, baseline: Some(0), ..Dimension::default() }],
            cells: vec![cell(0), cell(1)],
            ..Comparison::default()
        };
        c.sum_up();
        c
    }

    #[test]
    fn matrices_are_paired_by_seed_and_noise_is_no_difference() {
        let before = matrix([[0.50, 0.60, 0.55, 0.57], [0.0; 4]]);
        let noise = matrix([[0.52, 0.58, 0.56, 0.55], [0.0; 4]]);
        let diff = comparisons(("a", &before), ("b", &noise));
        assert_eq!((diff.differs, diff.worse), (true, false));
        assert!(diff.markdown.contains("0 worse, 0 better"), "{}", diff.markdown);
        let worse = matrix([[0.51, 0.611, 0.561, 0.58], [0.2; 4]]);
        let diff = comparisons(("a", &before), ("b", &worse));
        assert!(diff.worse && diff.markdown.contains("2 worse"), "{}", diff.markdown);
        let row = "| bulkhead | looks safe \\(0 of 4 runs bad\\) | not safe \\(4 of 4 runs bad\\) |";
        assert!(diff.markdown.contains(row), "{}", diff.markdown);
        assert!(diff.markdown.contains("the same in every run"), "{}", diff.markdown);
        assert!(!comparisons(("a", &worse), ("b", &before)).worse);
        assert!(!comparisons(("a", &before), ("b", &before)).differs);
    }

    #[test]
    fn one_run_tells_no_difference_but_a_bad_run_where_there_was_none_is_worse() {
        let (before, after) = (matrix([[0.5], [0.3]]), matrix([[0.6], [0.2]]));
        let diff = comparisons(("a", &before), ("b", &after));
        assert!(!diff.worse && diff.markdown.contains("0 worse, 0 better"), "{}", diff.markdown);
        assert!(
            diff.markdown.contains("1 run of each cannot tell a difference in any of 2 cells"),
            "{}",
            diff.markdown
        );
        let (before, after) = (matrix([[0.5], [0.0]]), matrix([[0.5], [0.2]]));
        assert!(comparisons(("a", &before), ("b", &after)).worse);
    }

    #[test]
    fn words_stay_words_in_a_comment() {
        let mut evil = outcome(5);
        evil.title = "x | [y](http://z) @you <img> `\u{202e}\n# z".into();
        let said = outcomes(("a", &outcome(5)), ("b", &evil)).markdown;
        let row = said.lines().find(|line| line.starts_with("| title")).unwrap();
        assert_eq!(
            row,
            "| title |  | x \\| \\[y\\]\\(http\\://z\\) \\@<!---->you \\<img\\> \\`\\\\u\\{202e\\} \\# z |"
        );
    }
}
