//! What `brownout test` prints and writes: a line per case, failures at the end, JUnit XML, annotations, JSON.
//!
//! Everything that a file says (names, titles, sentences) is made safe first: nothing of it can drive a terminal, break an
//! XML document, or pass for a command to the machine that runs the tests.

pub mod github;
pub mod junit;

use crate::terminal::Style;
use crate::terminal::page::{Ink, Line, Page};
use crate::text;
use brownout_lab::suite::{Case, Ended, Report};
use brownout_sim::outcome::{Standing, Verdict};

/// Columns of the word before a case.
const WORD: usize = 12;

/// The word for how a case ended, and its ink.
fn word(ended: Ended) -> (&'static str, Ink) {
    match ended {
        Ended::Passed => ("PASS", Ink::Good),
        Ended::Failed => ("FAIL", Ink::Bad),
        Ended::Vacuous => ("VACUOUS", Ink::Warn),
        Ended::Mistaken => ("ERROR", Ink::Bad),
        Ended::Limited => ("LIMIT", Ink::Bad),
        Ended::Broken => ("BROKEN", Ink::Bad),
        Ended::Skipped => ("SKIP", Ink::Dim),
    }
}

/// What a case is called: file, design, seed.
fn name(case: &Case) -> (String, String) {
    let mut more = Vec::new();
    if case.design != "as written" {
        more.push(case.design.clone());
    }
    match case.seed {
        Some(seed) => more.push(format!("seed {seed}")),
        None if !case.verdicts.is_empty() => more.push(case.note.clone()),
        None => {}
    }
    (case.file.clone(), more.join(" "))
}

/// The command that shows the same once more and exits with the same code, quoted for a shell.
pub fn repeat(case: &Case) -> String {
    let alone = case.ended == Ended::Vacuous && case.verdicts.is_empty();
    let mut words = vec![format!("brownout {}", if alone { "test" } else { "run" }), text::shell(&case.file)];
    words.extend(case.asked.iter().map(|design| format!("--design {}", text::shell(design))));
    words.extend(case.set.iter().map(|set| format!("--set {}", text::shell(set))));
    words.extend(case.repeat_seed.map(|seed| format!("--seed {seed}")));
    words.join(" ")
}

/// The verdicts that make a case bad.
fn bad(case: &Case) -> impl Iterator<Item = &Verdict> {
    let standing = match case.ended {
        Ended::Failed => Some(Standing::Violated),
        Ended::Vacuous => Some(Standing::Vacuous),
        _ => None,
    };
    case.verdicts.iter().filter(move |verdict| Some(verdict.standing) == standing)
}

/// What is wrong with a case, in plain lines: for documents.
fn trouble(case: &Case) -> String {
    let mut lines: Vec<String> = Vec::new();
    for verdict in bad(case) {
        let says =
            if verdict.says.is_empty() { String::new() } else { format!(" ({})", text::clean(&verdict.says, true)) };
        let Verdict { kind, condition, line, why, .. } = verdict;
        lines.push(format!("{}: {kind} {condition}, line {line}: {why}{says}", verdict.standing.word()));
    }
    if lines.is_empty() || case.ended == Ended::Mistaken {
        lines.push(case.note.clone());
    }
    lines.join("\n")
}

/// Text that a file had a say in, on one line.
fn tame(words: &str, style: &Style) -> String {
    // A line that begins with two colons is a command to GitHub's runner.
    text::clean(words, style.unicode).replace("::", ": :")
}

/// One line of a case that has ended.
pub fn line(case: &Case, style: &Style) -> String {
    let mut page = Page::new(style.width.max(60), style.unicode);
    page.line(headline(case, style));
    page.render(style.color)
}

fn headline(case: &Case, style: &Style) -> Line {
    let (word, ink) = word(case.ended);
    let (file, more) = name(case);
    let time = match case.seed {
        Some(_) => format!("[{:>8.3}s] ", case.wall_s),
        None => " ".repeat(12),
    };
    let why = match case.ended {
        Ended::Skipped => format!("  {}", case.note),
        _ => String::new(),
    };
    Line::new()
        .add(ink, &format!("{word:>WORD$} "))
        .add(Ink::Dim, &time)
        .plain(&tame(&file, style))
        .add(Ink::Info, &format!(" {}", tame(&more, style)))
        .add(Ink::Dim, &tame(&why, style))
        .whole()
}

/// What is printed at the end: every failure with its reasons and the line that repeats it, and the sum.
pub fn summary(report: &Report, style: &Style) -> String {
    let style = Style { width: style.width.clamp(60, 200), ..*style };
    let mut page = Page::new(style.width, style.unicode);
    let rule = if style.unicode { "─" } else { "-" };
    page.line(Line::new().add(Ink::Dim, &rule.repeat(style.width)));
    for case in report.cases.iter().filter(|case| case.ended.is_bad()) {
        failure(case, &style, &mut page);
    }
    let count = |ended, what: &str| (report.count(ended) > 0).then(|| format!("{} {what}", report.count(ended)));
    let told = [
        Some(format!("{} passed", report.count(Ended::Passed))),
        count(Ended::Failed, "failed"),
        count(Ended::Vacuous, "vacuous"),
        count(Ended::Mistaken, "with mistakes"),
        count(Ended::Limited, "stopped by a limit"),
        count(Ended::Broken, "broken"),
        count(Ended::Skipped, "skipped"),
        (report.not_run > 0).then(|| format!("{} not run", report.not_run)),
    ];
    let told: Vec<String> = told.into_iter().flatten().collect();
    let all = text::count(report.cases.len() as u64, "case", "cases");
    let shard = if report.shard.is_empty() { String::new() } else { format!(" of shard {}", report.shard) };
    let ink = if report.cases.iter().any(|case| case.ended.is_bad()) { Ink::Bad } else { Ink::Good };
    let end = if report.interrupted { "; interrupted" } else { "" };
    page.line(
        Line::new()
            .add(ink, &format!("{:>WORD$} ", "Summary"))
            .add(Ink::Dim, &format!("[{:>8.3}s] ", report.wall_s))
            .plain(&format!("{all}{shard}: {}{end}", told.join(", ")))
            .whole(),
    );
    page.render(style.color)
}

fn failure(case: &Case, style: &Style, page: &mut Page) {
    page.line(headline(case, style));
    let (indent, room) = (" ".repeat(WORD + 1), style.width - WORD - 1);
    for verdict in bad(case) {
        let said = format!("{} {}", verdict.kind, verdict.condition);
        for line in text::wrap(&tame(&said, style), room) {
            page.line(Line::new().plain(&indent).plain(&line));
        }
        let says = if verdict.says.is_empty() { String::new() } else { format!(" ({})", verdict.says) };
        let why = format!("line {}: {}{says}", verdict.line, verdict.why);
        for line in text::wrap(&tame(&why, style), room) {
            page.line(Line::new().plain(&indent).add(Ink::Dim, &line));
        }
    }
    if case.ended == Ended::Mistaken {
        // Already laid out, with carets; each line made safe by itself.
        for line in case.note.lines() {
            page.line(Line::new().plain(&indent).plain(&tame(line, style)).whole());
        }
    } else if bad(case).next().is_none() && !case.note.is_empty() {
        for line in text::wrap(&tame(&case.note, style), room) {
            page.line(Line::new().plain(&indent).plain(&line));
        }
    }
    page.line(Line::new().plain(&indent).add(Ink::Bold, &repeat(case)).whole());
    page.gap();
}

/// The report as one JSON document; `repeat` is added to each case that is bad.
///
/// # Errors
/// As `serde_json` reports them; none are expected.
pub fn to_json(report: &Report) -> serde_json::Result<String> {
    let mut document = serde_json::to_value(report)?;
    let counts: serde_json::Map<String, serde_json::Value> = [
        ("passed", Ended::Passed),
        ("failed", Ended::Failed),
        ("vacuous", Ended::Vacuous),
        ("mistaken", Ended::Mistaken),
        ("limited", Ended::Limited),
        ("broken", Ended::Broken),
        ("skipped", Ended::Skipped),
    ]
    .into_iter()
    .map(|(word, ended)| (word.to_string(), report.count(ended).into()))
    .collect();
    document["counts"] = counts.into();
    for (case, value) in report.cases.iter().zip(document["cases"].as_array_mut().into_iter().flatten()) {
        if case.ended.is_bad() {
            value["repeat"] = repeat(case).into();
        }
    }
    serde_json::to_string_pretty(&document)
}
