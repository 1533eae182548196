//! The tables: calls, the day, evidence, assumptions.

use super::page::{Ink, Line, Page};
use super::{Context, complete};
use crate::{text, view};
use brownout_sim::outcome::{Assumption, Phase, Standing, Totals};
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, Width, presets};

/// Causes named for each kind of call.
const CAUSES_MAX: usize = 4;
/// Columns that the causes need to stand in the table; with fewer they go below their row.
const CAUSES_ROOM: usize = 22;

/// A table without borders, two spaces between columns, of at most `width` columns.
fn table(header: &[&str], width: usize) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(width).unwrap_or(u16::MAX)).set_header(header.to_vec());
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

fn align_right(table: &mut Table, columns: impl IntoIterator<Item = usize>) {
    for index in columns {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// Columns that must not wrap.
fn keep(table: &mut Table, columns: impl IntoIterator<Item = usize>) {
    for index in columns {
        if let Some(column) = table.column_mut(index) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
}

/// Lines of a table, its header first.
fn lines(table: &Table) -> Vec<String> {
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

fn print(page: &mut Page, lines: &[String]) {
    for (i, line) in lines.iter().enumerate() {
        page.line(Line::new().plain("  ").add(if i == 0 { Ink::Dim } else { Ink::Plain }, line));
    }
}

/// What stands in the rows about calls.
struct Calls<'a> {
    rows: Vec<(&'a str, bool, &'a Totals)>,
    late: bool,
    in_flight: bool,
}

impl<'a> Calls<'a> {
    fn header(&self) -> Vec<&'static str> {
        let mut header = vec!["call", "offered", "stored"];
        header.extend(self.late.then_some("late"));
        header.extend(self.in_flight.then_some("in flight"));
        header.extend(["dropped", "", "failed", ""]);
        header
    }

    /// The figures of a row, without causes.
    fn cells(&self, context: &Context<'_>, row: &(&'a str, bool, &'a Totals), brief: bool) -> Vec<String> {
        let (name, part, totals) = *row;
        let figure = |n: u64| if brief { text::short(n) } else { text::grouped(n) };
        let room = if brief { 10 } else { 20 };
        let name = if part {
            format!("  {}", context.fit(name.rsplit('.').next().unwrap_or(name), room - 2))
        } else {
            context.fit(name, room)
        };
        let mut cells = vec![name, figure(totals.offered), figure(totals.stored)];
        cells.extend(self.late.then(|| figure(totals.late)));
        cells.extend(self.in_flight.then(|| figure(totals.in_flight)));
        for n in [totals.dropped, totals.failed] {
            cells.extend([figure(n), rate(n, totals)]);
        }
        cells
    }

    /// Why calls of a row were dropped; of a part only where it says more than its whole did.
    fn why(&self, context: &Context<'_>, row: &(&'a str, bool, &'a Totals)) -> String {
        let said = why(context, row.2);
        let whole = view::part_of(context.outcome, row.0).and_then(|whole| context.outcome.calls.get(whole));
        if row.1 && whole.is_some_and(|whole| why(context, whole) == said) { String::new() } else { said }
    }

    /// The table without causes.
    fn figures(&self, context: &Context<'_>, brief: bool) -> Table {
        // As wide as it needs to be: the caller looks whether it fits.
        let mut table = table(&self.header(), 1_000);
        for row in &self.rows {
            table.add_row(self.cells(context, row, brief));
        }
        let columns = self.header().len();
        align_right(&mut table, 1..columns);
        table
    }
}

fn rate(n: u64, totals: &Totals) -> String {
    if totals.offered == 0 { "-".to_owned() } else { text::percent(n as f64 / totals.offered as f64) }
}

/// "no server 41%, crashed 9%, 2 others 0.3%": shares of the calls offered.
fn why(context: &Context<'_>, totals: &Totals) -> String {
    let causes = view::causes(&totals.causes);
    let share = |n: u64| text::percent_brief(n as f64 / totals.offered.max(1) as f64);
    let shown = if causes.len() == CAUSES_MAX + 1 { causes.len() } else { causes.len().min(CAUSES_MAX) };
    let mut said: Vec<String> = causes[..shown]
        .iter()
        .map(|(cause, n)| format!("{} {}", context.fit(&text::words(cause), 40), share(*n)))
        .collect();
    if shown < causes.len() {
        let rest = causes[shown..].iter().map(|(_, n)| n).sum();
        said.push(format!("{} others {}", causes.len() - shown, share(rest)));
    }
    said.join(", ")
}

/// The ledger over the window.
pub(super) fn totals(context: &Context<'_>, page: &mut Page) {
    let rows = view::ledger(context.outcome);
    if rows.is_empty() {
        return;
    }
    let late = rows.iter().any(|row| row.2.late > 0);
    let in_flight = rows.iter().any(|row| row.2.in_flight > 0);
    let calls = Calls { rows, late, in_flight };
    let room = context.style.width - 2;
    let mut figures = lines(&calls.figures(context, false));
    if figures.iter().any(|line| text::width(line) > room) {
        figures = lines(&calls.figures(context, true));
    }
    let used = figures.iter().map(|line| text::width(line)).max().unwrap_or(0);
    let beside = room.saturating_sub(used + 3);
    let indent = "    ".to_owned();
    for (i, figure) in figures.iter().enumerate() {
        let said = match i {
            0 if beside >= CAUSES_ROOM => "why dropped".to_owned(),
            0 => String::new(),
            _ => calls.rows.get(i - 1).map_or_else(String::new, |row| calls.why(context, row)),
        };
        let ink = if i == 0 { Ink::Dim } else { Ink::Plain };
        let line = Line::new().plain("  ").add(ink, figure);
        if beside >= CAUSES_ROOM {
            let mut wrapped = text::wrap(&said, beside).into_iter();
            let gap = " ".repeat(used + 3 - text::width(figure));
            page.line(line.plain(&gap).add(ink, &wrapped.next().unwrap_or_default()));
            for more in wrapped {
                page.line(Line::new().plain(&" ".repeat(used + 5)).plain(&more));
            }
        } else {
            page.line(line);
            for more in text::wrap(&said, room - indent.len()) {
                page.line(Line::new().plain("  ").plain(&indent).add(Ink::Dim, &more));
            }
        }
    }
    lost_after_ok(context, &calls, page);
    page.gap();
}

/// How long answers took before, during and after what went wrong.
pub(super) fn latencies(context: &Context<'_>, page: &mut Page) {
    let phases = &context.outcome.phases.calls;
    let names: Vec<&str> = ["run", "before", "during", "after"]
        .into_iter()
        .filter(|name| phases.values().flatten().any(|p| p.phase == *name))
        .collect();
    let rows = view::ledger(context.outcome).into_iter().filter(|row| !row.1 && phases.contains_key(row.0));
    let rows: Vec<&str> = rows.map(|row| row.0).collect();
    if names.is_empty() || rows.is_empty() {
        return;
    }
    let room = context.style.width - 2;
    let headings = |wide: bool| -> Vec<String> {
        let trouble = view::trouble(context.outcome).filter(|_| wide);
        let titled = names.iter().enumerate().map(|(i, name)| match (trouble, *name) {
            (_, "run") => "over the run".to_owned(),
            (Some(trouble), name) if i == 0 => format!("{name} {trouble}"),
            (Some(_), "during") => "during it".to_owned(),
            (_, name) => name.to_owned(),
        });
        std::iter::once("p50 / p99".to_owned()).chain(titled).collect()
    };
    let figures = |wide: bool| {
        let headings = headings(wide);
        let mut table = table(&headings.iter().map(String::as_str).collect::<Vec<_>>(), 1_000);
        for kind in &rows {
            let cells = names.iter().map(|name| match view::phase(context.outcome, kind, name) {
                Some(Phase { latency_ms: Some(latency), .. }) => {
                    format!("{} / {}", text::latency(latency.p50), text::latency(latency.p99))
                }
                Some(phase) if phase.offered > 0 => "none ok".to_owned(),
                _ => "-".to_owned(),
            });
            table.add_row(std::iter::once(context.fit(kind, if wide { 20 } else { 10 })).chain(cells));
        }
        align_right(&mut table, 1..=names.len());
        lines(&table)
    };
    let wide = figures(true);
    let fits = wide.iter().all(|line| text::width(line) <= room);
    print(page, &if fits { wide } else { figures(false) });
    page.gap();
}

/// Who asks whom: as often as that is for a call, and what came of it before, during and after what went wrong.
pub(super) fn edges(context: &Context<'_>, page: &mut Page) {
    let edges = &context.outcome.edges;
    let Some(first) = edges.first() else { return };
    let names: Vec<&str> = first.phases.iter().map(|phase| phase.phase.as_str()).collect();
    let headings = ["caller", "callee"].into_iter().chain(names.iter().copied());
    let mut table = table(&headings.collect::<Vec<_>>(), context.style.width - 2);
    for edge in edges {
        let cells = edge.phases.iter().map(|phase| {
            let over = phase.ok + phase.failed;
            match (phase.amplification, &phase.latency_ms) {
                (Some(per_call), latency) if phase.attempts > 0 => {
                    let failed = text::percent_brief(phase.failed as f64 / over.max(1) as f64);
                    let p99 = latency.as_ref().map_or("none ok".into(), |l| text::latency(l.p99));
                    format!("x{per_call:.2} {failed} {p99}")
                }
                _ => "-".into(),
            }
        });
        let ends = [&edge.caller, &edge.callee].map(|name| context.fit(name, 16));
        table.add_row(ends.into_iter().chain(cells.collect::<Vec<_>>()));
    }
    align_right(&mut table, 2..2 + names.len());
    print(page, &lines(&table));
    let legend = "xN asks (tries, where a balancer tries again) per call offered, failed, p99 of the good ones";
    page.line(Line::new().plain("  ").add(Ink::Dim, legend));
    page.gap();
}

/// Data that clients believe to be safe and that is not.
fn lost_after_ok(context: &Context<'_>, calls: &Calls<'_>, page: &mut Page) {
    for (name, _, totals) in calls.rows.iter().filter(|row| !row.1 && row.2.lost_after_ok > 0) {
        let n = text::count(totals.lost_after_ok, "call was", "calls were");
        let line = format!("{n} lost after the client had been told ok: {}", context.fit(name, 20));
        page.line(Line::new().plain("  ").add(Ink::Bad, &line));
    }
}

/// The day as a table of at most some forty rows.
pub(super) fn timeline(context: &Context<'_>, page: &mut Page) {
    let steps = context.outcome.timeline.steps.len();
    if steps == 0 {
        return;
    }
    let buckets = view::buckets(context.outcome, context.kind.unwrap_or(""), steps.div_ceil(40));
    let mut table = table(&["from", "offered", "dropped", "", "failed", "in rotation"], context.style.width - 2);
    for bucket in &buckets {
        table.add_row([
            context.clock.second(bucket.from_s),
            text::grouped(bucket.offered),
            text::grouped(bucket.dropped),
            bucket.dropped_rate().map_or_else(|| "-".to_owned(), text::percent),
            bucket.failed_rate().map_or_else(|| "-".to_owned(), text::percent),
            text::mean(bucket.in_rotation),
        ]);
    }
    align_right(&mut table, 1..6);
    print(page, &lines(&table));
    page.gap();
}

/// Evidence from the day beside what the run gave.
pub(super) fn evidence(context: &Context<'_>, page: &mut Page) {
    let all = &context.outcome.evidence;
    if all.is_empty() {
        return;
    }
    let mut table = table(&["id", "evidence", "observed", "simulated", "verdict"], context.style.width - 2);
    for evidence in all {
        table.add_row([
            context.fit(&evidence.id, 6),
            context.fit(&evidence.says, 200),
            context.fit(&evidence.observed, 60),
            context.fit(&evidence.simulated, 60),
            context.fit(&evidence.verdict, 10),
        ]);
    }
    keep(&mut table, [0, 4]);
    for column in [2, 3] {
        if let Some(column) = table.column_mut(column) {
            column.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed(22)));
        }
    }
    for (i, line) in lines(&table).iter().enumerate() {
        page.line(if i == 0 { Line::new().plain("  ").add(Ink::Dim, line) } else { verdict(line) });
    }
    if all.iter().any(|evidence| evidence.verdict.starts_with("fit")) {
        let note = "fitted: a number was chosen to meet it, so it confirms nothing";
        page.line(Line::new().plain("  ").add(Ink::Dim, note));
    }
    if !complete(context.outcome) {
        page.line(Line::new().plain("  ").add(Ink::Warn, "compared over the part that was run"));
    }
    page.gap();
}

/// What the design was held to, and whether it held.
pub(super) fn expectations(context: &Context<'_>, page: &mut Page) {
    let room = context.room();
    for (i, verdict) in context.outcome.expectations.iter().enumerate() {
        let (word, ink) = standing(verdict.standing);
        let said = format!("{} {}", verdict.kind, verdict.condition);
        let label = if i == 0 { "expect" } else { "" };
        for (i, line) in text::wrap(&context.clean(&said), room - STANDING).iter().enumerate() {
            let line = match i {
                0 => Line::label(label).add(ink, &format!("{word:<STANDING$}")).plain(line),
                _ => Line::label("").plain(&" ".repeat(STANDING)).plain(line),
            };
            page.line(line);
        }
        let why =
            if verdict.says.is_empty() { verdict.why.clone() } else { format!("{} ({})", verdict.why, verdict.says) };
        for line in text::wrap(&context.clean(&why), room - STANDING) {
            page.line(Line::label("").plain(&" ".repeat(STANDING)).add(Ink::Dim, &line));
        }
    }
    page.gap();
}

/// Columns of the word that says how an expectation stands.
const STANDING: usize = 10;

/// How an expectation stands, in a word.
pub(crate) fn standing(standing: Standing) -> (&'static str, Ink) {
    match standing {
        Standing::Holds => ("holds", Ink::Good),
        Standing::Violated => ("violated", Ink::Bad),
        Standing::Vacuous => ("vacuous", Ink::Warn),
    }
}

/// A row whose verdict, its last words, is inked.
fn verdict(row: &str) -> Line {
    const VERDICTS: [(&str, Ink); 4] =
        [("  fit missed", Ink::Bad), ("  not met", Ink::Bad), ("  fitted", Ink::Info), ("  met", Ink::Good)];
    for (verdict, ink) in VERDICTS {
        if let Some(before) = row.strip_suffix(verdict) {
            return Line::new().plain("  ").plain(before).add(ink, verdict);
        }
    }
    Line::new().plain("  ").plain(row)
}

/// Every number with its range and its reason, mark by mark.
pub(super) fn assumptions(context: &Context<'_>, groups: &[(&str, Vec<&Assumption>)], page: &mut Page) {
    for (mark, group) in groups {
        let mark = context.fit(mark, 20);
        let mut table = table(&[mark.as_str(), "value", "range", "why"], context.style.width - 2);
        for assumption in group {
            let range = assumption.range.as_ref().map(|(low, high)| format!("{low} to {high}")).unwrap_or_default();
            table.add_row([
                context.fit(&assumption.path, 60),
                context.fit(&assumption.value, 40),
                context.fit(&range, 40),
                context.fit(&assumption.why, 200),
            ]);
        }
        print(page, &lines(&table));
        page.gap();
    }
}
