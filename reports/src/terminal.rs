//! What `brownout run` prints: the answer first, the day at a glance, the next step last.

mod command;
mod glance;
pub(crate) mod page;
#[cfg(feature = "documents")]
mod tables;

use crate::clock::Clock;
use crate::{text, view};
use brownout_sim::outcome::{Assumption, Outcome, Percentiles};
use page::{Ink, Line, Page};
use std::collections::BTreeMap;

/// How to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Columns of the terminal; taken as at least 60 and at most 200.
    pub width: usize,
    /// Whether to colour, with ANSI escapes.
    pub color: bool,
    /// Whether the terminal shows more than ASCII.
    pub unicode: bool,
    /// What to show beyond the summary.
    pub detail: Detail,
}

impl Default for Style {
    /// Plain text of 80 columns.
    fn default() -> Self {
        Style { width: 80, color: false, unicode: true, detail: Detail::default() }
    }
}

/// What to show beyond the summary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Detail {
    /// Every number with its value, range and reason.
    pub assumptions: bool,
    /// Every mark of the day, and the day as a table.
    pub timeline: bool,
}

/// Columns of the labels at the left of each section.
const LABEL: usize = 10;
/// Answers that take so many times as long as before are in the headline, if they are longer by more than a little.
const MUCH: f64 = 2.0;
/// A little, in milliseconds.
const LITTLE_MS: f64 = 50.0;
/// What is long for an answer in a run in which nothing was better before, in milliseconds.
const LONG_MS: f64 = 1000.0;
/// Marks shown unless the timeline is asked for.
const MARKS_MAX: usize = 12;

#[cfg(feature = "documents")]
/// The text of `brownout run`, ending in a newline.
///
/// No line is wider than the style's width, except where a word of a command, which must stay fit for pasting, is.
/// Names from the scenario are made safe: control characters are spelled out and long ones cut.
pub fn run(outcome: &Outcome, style: &Style) -> String {
    let style = Style { width: style.width.clamp(60, 200), ..*style };
    let context = Context { outcome, style, clock: Clock::new(&outcome.span), kind: view::headline_kind(outcome) };
    let mut page = Page::new(style.width, style.unicode);
    context.title(&mut page);
    context.headline(&mut page);
    tables::totals(&context, &mut page);
    tables::latencies(&context, &mut page);
    tables::edges(&context, &mut page);
    glance::day(&context, &mut page);
    context.rotation(&mut page);
    context.marks(&mut page);
    if style.detail.timeline {
        tables::timeline(&context, &mut page);
    }
    tables::evidence(&context, &mut page);
    tables::expectations(&context, &mut page);
    context.assumptions(&mut page);
    command::repeat_and_next(&context, &mut page);
    context.cost(&mut page);
    page.render(style.color)
}

/// What came of a run, as [`run`] says it first: the answer, and what became of rotation, a sentence or two each.
pub(crate) fn headline(outcome: &Outcome) -> Vec<String> {
    // One line for each: the reader of a page has lines of another length.
    let style = Style { width: 10_000, ..Style::default() };
    let context = Context { outcome, style, clock: Clock::new(&outcome.span), kind: view::headline_kind(outcome) };
    let mut page = Page::new(style.width, true);
    context.headline(&mut page);
    let mut said: Vec<String> = page.render(false).lines().map(|line| line.trim().to_owned()).collect();
    said.retain(|line| !line.is_empty());
    // On a terminal a gap sets the reported figure apart.
    for line in &mut said {
        *line = line.split("   ").map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ");
    }
    said.extend(context.rotation_words().map(|words| format!("{}{}", words[..1].to_uppercase(), &words[1..])));
    said
}

/// The command that repeats a run, in one line.
pub(crate) fn repeat(outcome: &Outcome) -> String {
    command::repeat(outcome).join(" ")
}

/// All that the sections read.
struct Context<'a> {
    outcome: &'a Outcome,
    style: Style,
    clock: Clock,
    kind: Option<&'a str>,
}

impl Context<'_> {
    fn clean(&self, words: &str) -> String {
        text::clean(words, self.style.unicode)
    }

    fn fit(&self, words: &str, columns: usize) -> String {
        text::fit(&self.clean(words), columns, self.style.unicode)
    }

    /// Columns right of the section labels.
    fn room(&self) -> usize {
        self.style.width - 2 - LABEL
    }

    fn window(&self) -> String {
        let span = &self.outcome.span;
        format!("between {} and {}", self.clock.minute(span.window_from_s), self.clock.minute(span.window_to_s))
    }

    fn title(&self, page: &mut Page) {
        let seed = format!("seed {}", self.outcome.seed);
        let room = self.style.width.saturating_sub(seed.len() + 2);
        let title = self.fit(if self.outcome.title.is_empty() { "untitled" } else { &self.outcome.title }, room);
        let gap = self.style.width - text::width(&title) - seed.len();
        page.line(Line::new().add(Ink::Bold, &title).plain(&" ".repeat(gap)).add(Ink::Dim, &seed));
        let mut design = Vec::new();
        if self.outcome.design.contains('=') {
            design.push(self.clean(&self.outcome.design));
        }
        design.extend(self.outcome.set.iter().map(|set| format!("set {}", self.clean(set))));
        design.extend(self.outcome.options.iter().map(|option| self.clean(option.trim_start_matches("--"))));
        if !design.is_empty() {
            page.line(Line::new().add(Ink::Info, &self.fit(&design.join(", "), self.style.width)));
        }
        page.gap();
    }

    fn headline(&self, page: &mut Page) {
        if !complete(self.outcome) {
            let ended = format!("NOT COMPLETE: {}. What follows is of the part that was run.", self.outcome.ended);
            for line in text::wrap(&self.clean(&ended), self.style.width - 2) {
                page.line(Line::new().plain("  ").add(Ink::Warn, &line));
            }
            page.gap();
        }
        let Some((kind, totals)) = self.kind.and_then(|kind| Some((kind, self.outcome.calls.get(kind)?))) else {
            page.line(Line::new().plain("  ").add(Ink::Bold, &format!("No calls were offered {}", self.window())));
            return page.gap();
        };
        let name = self.fit(kind, 24);
        let (answer, ink) = if totals.offered == 0 {
            (format!("No {name} calls were offered {}", self.window()), Ink::Bold)
        } else {
            let ink = if totals.dropped + totals.failed > 0 { Ink::Bad } else { Ink::Good };
            let share = |n: u64| text::percent(n as f64 / totals.offered as f64);
            let (dropped, failed) = (share(totals.dropped), share(totals.failed));
            (format!("{dropped} of {name} calls dropped, {failed} failed {}", self.window()), ink)
        };
        let mut lines = text::wrap(&answer, self.style.width - 2);
        let last = lines.pop().unwrap_or_default();
        lines.iter().for_each(|line| page.line(Line::new().plain("  ").add(ink, line)));
        let mut line = Line::new().plain("  ").add(ink, &last);
        if let Some(evidence) = view::evidence(self.outcome, &format!("{kind}.dropped_rate")) {
            let reported = format!("reported: {}", self.fit(&evidence.observed, 40));
            let gap = self.style.width.saturating_sub(2 + text::width(&last) + text::width(&reported));
            if gap >= 2 {
                line = line.plain(&" ".repeat(gap.min(10))).plain(&reported);
            } else {
                page.line(std::mem::take(&mut line));
                line = Line::new().plain("  ").plain(&reported);
            }
        }
        page.line(line);
        if let Some(slower) = self.slower(kind) {
            for line in text::wrap(&slower, self.style.width - 2) {
                page.line(Line::new().plain("  ").add(Ink::Bad, &line));
            }
        }
        page.gap();
    }

    /// How long answers took, if that was much longer than usual, or very long.
    fn slower(&self, kind: &str) -> Option<String> {
        let of = |phase: &str| view::phase(self.outcome, kind, phase)?.latency_ms;
        let words = |latency: Percentiles| {
            format!(
                "{} in the median and {} at the 99th percentile",
                text::latency(latency.p50),
                text::latency(latency.p99)
            )
        };
        let trouble = view::trouble(self.outcome);
        let usual = of("before");
        // What went wrong may have ended at once, or have been there from the start.
        let bad = ["during", "after"].into_iter().filter_map(|phase| Some((phase, of(phase)?)));
        let worst = bad.max_by(|a, b| a.1.p99.total_cmp(&b.1.p99));
        match (trouble, usual, worst) {
            (Some(trouble), Some(usual), Some((phase, bad)))
                if bad.p50 >= MUCH * usual.p50 + LITTLE_MS || bad.p99 >= MUCH * usual.p99 + LITTLE_MS =>
            {
                let (bad, usual) = (words(bad), words(usual));
                Some(format!("answers took {bad} {phase} {trouble}; {usual} before"))
            }
            (Some(_), Some(_), _) => None,
            _ => {
                let all = self.outcome.calls.get(kind)?.latency_ms.filter(|all| all.p99 >= LONG_MS)?;
                Some(format!("answers took {}", words(all)))
            }
        }
    }

    fn rotation(&self, page: &mut Page) {
        if let Some(words) = self.rotation_words() {
            self.section(page, "rotation", &words);
            page.gap();
        }
    }

    fn rotation_words(&self) -> Option<String> {
        let rotation = &self.outcome.rotation;
        let n = rotation.servers.len();
        if n == 0 {
            return None;
        }
        let outage = view::outage(self.outcome).is_some();
        let over = if outage { "the outage" } else { "the run" };
        let began = if outage { "the outage began" } else { "the first fault began" };
        let mut said = vec![match rotation.first_ejection_s {
            Some(s) => format!("first server out {} after {began}", text::duration(s)),
            None if rotation.downs.values().all(|downs| *downs == 0) => "no server left rotation".to_owned(),
            None => "servers left rotation".to_owned(),
        }];
        said.push(format!("{} of {n} in rotation over {over} (mean)", text::mean(rotation.mean_in_rotation)));
        if let (Some(low), Some(high)) = (rotation.downs.values().min(), rotation.downs.values().max())
            && *high > 0
        {
            let range = if low == high { String::new() } else { format!(", {low} to {high}") };
            said.push(format!("each left {} times in it (mean{range})", text::mean(rotation.mean_downs)));
        }
        let crashes: u64 = rotation.crashes.values().sum();
        said.push(match crashes {
            0 => "no process died".to_owned(),
            n => format!("{} died", text::count(n, "process", "processes")),
        });
        let end = if outage { "its end" } else { "the last fault ended" };
        match rotation.all_up_after_s {
            Some(s) if outage || rotation.first_ejection_s.is_some() => {
                said.push(format!("all back {} after {end}", text::duration(s)));
            }
            None if rotation.first_ejection_s.is_some() => {
                said.push("not all were back by the end of the run".to_owned());
            }
            _ => {}
        }
        Some(format!("{}.", said.join("; ")))
    }

    /// `words` wrapped beside a label.
    fn section(&self, page: &mut Page, label: &str, words: &str) {
        for (i, line) in text::wrap(&self.clean(words), self.room()).iter().enumerate() {
            page.line(Line::label(if i == 0 { label } else { "" }).plain(line));
        }
    }

    fn marks(&self, page: &mut Page) {
        let marks = view::marks(self.outcome);
        if marks.is_empty() {
            return;
        }
        let shown = if self.style.detail.timeline { marks.len() } else { marks.len().min(MARKS_MAX) };
        let times: Vec<String> = marks[..shown].iter().map(|mark| self.clock.second(mark.at_s)).collect();
        let column = times.iter().map(|time| time.len()).max().unwrap_or(0);
        for (mark, time) in marks.iter().zip(&times) {
            let mut what = self.clean(&mark.what);
            if let Some(expected) = &mark.expected_at {
                what.push_str(&format!("; on the day {}", self.clean(expected)));
            }
            let room = self.style.width - 4 - column;
            for (i, line) in text::wrap(&what, room).iter().enumerate() {
                let time = if i == 0 { time.as_str() } else { "" };
                page.line(Line::new().plain("  ").add(Ink::Dim, &format!("{time:>column$}  ")).plain(line));
            }
        }
        if shown < marks.len() {
            let more = format!("{} more; --timeline lists all", marks.len() - shown);
            page.line(Line::new().plain(&" ".repeat(column + 4)).add(Ink::Dim, &more));
        }
        page.gap();
    }

    #[cfg(feature = "documents")]
    fn assumptions(&self, page: &mut Page) {
        let all = &self.outcome.assumptions;
        if all.is_empty() {
            return;
        }
        let mut marks: BTreeMap<&str, Vec<&Assumption>> = BTreeMap::new();
        for assumption in all {
            marks.entry(&assumption.mark).or_default().push(assumption);
        }
        const ORDER: [&str; 6] = ["assumed", "calibrated", "inferred", "reported", "set by hand", "unmarked"];
        let mut groups: Vec<(&str, Vec<&Assumption>)> = marks.into_iter().collect();
        groups.sort_by_key(|(mark, _)| ORDER.iter().position(|known| known == mark).unwrap_or(ORDER.len()));
        let counts: Vec<String> = groups.iter().map(|(mark, group)| format!("{} {mark}", group.len())).collect();
        let hint = if self.style.detail.assumptions { "" } else { "; --assumptions lists them" };
        self.section(page, "numbers", &format!("{} in all: {}{hint}", all.len(), counts.join(", ")));
        page.gap();
        if self.style.detail.assumptions {
            tables::assumptions(self, &groups, page);
        }
    }

    fn cost(&self, page: &mut Page) {
        let meta = &self.outcome.meta;
        let (calls, events) = (text::count(meta.calls, "call", "calls"), text::count(meta.events, "event", "events"));
        let each = match meta.calls {
            0 => String::new(),
            n => {
                let (millions, ns) = (n as f64 / meta.wall_s.max(1e-9) / 1e6, meta.wall_s * 1e9 / n as f64);
                format!(" ({millions:.1}M calls/s, {ns:.0} ns per call)")
            }
        };
        page.line(Line::new().add(Ink::Dim, &format!("  {calls} in {events}, {:.2} s{each}", meta.wall_s)));
    }
}

/// Whether the run reached its end.
fn complete(outcome: &Outcome) -> bool {
    outcome.ended.is_empty() || outcome.ended == "complete"
}
