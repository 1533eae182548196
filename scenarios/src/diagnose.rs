//! Mistakes, collected and shown the way rustc shows them: file, line, caret, repair.

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use brownout_models::setting::{Problem, Span};
use brownout_output::text::is_hidden;
use std::fmt;

/// Mistakes shown in full; the rest is only counted.
const SHOWN: usize = 50;
/// Characters of one message; what a file says is quoted in messages and may be of any length.
const MESSAGE: usize = 400;
/// Characters shown of a source line under the caret, and as many behind it.
const LINE_PART: usize = 120;
/// Characters of a source line before the caret; of a longer line (somebody's generated file) as much is shown.
const LINE_HEAD: usize = 1000;
/// The source of a mistake that has no place in any text, such as a file that cannot be read.
const NOWHERE: u16 = u16::MAX;

/// A text that spans point into.
#[derive(Clone, Debug)]
struct Source {
    name: String,
    text: String,
}

/// The texts of one load: the file first, then `--set` and `--design`, each on its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources(Vec<Source>);

impl Sources {
    /// Adds a text and gives its index for [`Span::source`]. Past the range of indices the last is shared,
    /// which costs a caret its place, not its message.
    pub(crate) fn add(&mut self, name: &str, text: &str) -> u16 {
        self.0.push(Source { name: name.into(), text: text.into() });
        u16::try_from(self.0.len() - 1).unwrap_or(NOWHERE).min(NOWHERE - 1)
    }

    /// The whole text of a source.
    pub(crate) fn text(&self, source: u16) -> &str {
        self.0.get(usize::from(source)).map_or("", |s| &s.text)
    }

    /// The line of a place, from 1.
    pub(crate) fn line(&self, span: Span) -> usize {
        let text = self.text(span.source).as_bytes();
        1 + text.iter().take(span.start as usize).filter(|b| **b == b'\n').count()
    }
}

/// Everything that is wrong with a scenario, in order of its place, and what its reader should know beside that.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    sources: Sources,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
    is_limit: bool,
}

/// A warning as data: what is said of which place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice {
    /// What is the matter.
    pub message: String,
    /// The reason, or what to do about it; may be empty.
    pub help: String,
    /// The file, or the option of the command line.
    pub source: String,
    /// Line, from 1.
    pub line: u64,
    /// Column in characters, from 1.
    pub column: u64,
}

impl Diagnostics {
    /// What the machine would not give to read a file with: no mistake of the file.
    pub(crate) fn limit(message: String) -> Diagnostics {
        Diagnostics { is_limit: true, ..Diagnostics::nowhere(message) }
    }

    /// Whether the file was not read for want of memory or threads: a limit of the machine, and no mistake.
    pub fn is_limit(&self) -> bool {
        self.is_limit
    }

    /// Orders the mistakes by place and drops repetitions.
    pub(crate) fn new(sources: Sources, problems: Vec<Problem>) -> Diagnostics {
        Diagnostics { sources, problems: in_order(problems), warnings: Vec::new(), is_limit: false }
    }

    /// With these warnings beside.
    pub(crate) fn with_warnings(mut self, warnings: Vec<Problem>) -> Diagnostics {
        self.warnings = in_order(warnings);
        self
    }

    /// Its warnings as mistakes, beside those that it has.
    pub(crate) fn as_mistakes(&self) -> Diagnostics {
        let all = [&self.problems[..], &self.warnings[..]].concat();
        Diagnostics::new(self.sources.clone(), all)
    }

    /// How many warnings there are.
    pub fn warning_count(&self) -> usize {
        self.warnings.len()
    }

    /// The warnings as data, in order of their place.
    pub fn notices(&self) -> Vec<Notice> {
        self.as_data(&self.warnings)
    }

    /// The mistakes as data, in order of their place: all of them, also those that are not shown in full.
    pub fn mistakes(&self) -> Vec<Notice> {
        self.as_data(&self.problems)
    }

    fn as_data(&self, problems: &[Problem]) -> Vec<Notice> {
        let starts: Vec<Vec<usize>> = self.sources.0.iter().map(|source| starts_of_lines(&source.text)).collect();
        let notice = |problem: &Problem| {
            let number = usize::from(problem.span.source);
            let source = self.sources.0.get(number);
            let (line, column) = source.map_or((1, 1), |source| place_in(&source.text, &starts[number], problem.span));
            Notice {
                message: problem.message.clone(),
                help: problem.help.clone().unwrap_or_default(),
                source: source.map_or_else(String::new, |source| source.name.clone()),
                line,
                column,
            }
        };
        problems.iter().map(notice).collect()
    }

    /// A single mistake without a place.
    pub(crate) fn nowhere(message: String) -> Diagnostics {
        let span = Span { source: NOWHERE, start: 0, end: 0 };
        Diagnostics {
            sources: Sources::default(),
            problems: vec![Problem { span, message, help: None }],
            warnings: Vec::new(),
            is_limit: false,
        }
    }

    /// How many mistakes there are, including those that are not shown in full.
    pub fn count(&self) -> usize {
        self.problems.len()
    }

    /// The line of the file in which the first mistake is, if it is in the file.
    pub fn first_line(&self) -> Option<u64> {
        let first = self.problems.first().filter(|p| p.span.source == 0)?;
        Some(self.sources.line(first.span) as u64)
    }

    /// The bare messages, in order of their place.
    pub fn messages(&self) -> Vec<String> {
        self.problems.iter().map(|p| p.message.clone()).collect()
    }

    /// The mistakes with their lines and carets, then the warnings, then how many there are; `color` adds terminal colours.
    pub fn render(&self, color: bool) -> String {
        let mut out = self.render_all(&self.problems, Level::ERROR, color);
        out.push_str(&self.render_warnings(color));
        let errors = counted(self.problems.len(), "error");
        match self.warnings.len() {
            0 => out.push_str(&format!("{errors}; nothing was run")),
            n => out.push_str(&format!("{errors}, {}; nothing was run", counted(n, "warning"))),
        }
        out
    }

    /// The warnings alone, with their lines and carets, each followed by an empty line.
    pub fn render_warnings(&self, color: bool) -> String {
        self.render_all(&self.warnings, Level::WARNING, color)
    }

    fn render_all(&self, problems: &[Problem], level: Level<'_>, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let mut out = String::new();
        for problem in problems.iter().take(SHOWN) {
            out.push_str(&self.render_one(problem, level.clone(), &renderer));
            out.push('\n');
        }
        if problems.len() > SHOWN {
            out.push_str(&format!("and {} more\n", problems.len() - SHOWN));
        }
        out
    }

    fn render_one(&self, problem: &Problem, level: Level<'_>, renderer: &Renderer) -> String {
        let title = level.primary_title(tame(&problem.message, MESSAGE));
        let help = problem.help.as_ref().map(|h| format!("help: {}", tame(h, MESSAGE)));
        let Some(source) = self.sources.0.get(usize::from(problem.span.source)) else {
            let help = help.map(|h| Level::NOTE.no_name().message(h));
            return renderer.render(&[annotate_snippets::Group::with_title(title).elements(help)]);
        };
        let line = Line::around(&source.text, problem.span);
        let mut caret = AnnotationKind::Primary.span(line.before.len()..line.before.len() + line.marked.len());
        if let Some(help) = help {
            caret = caret.label(help);
        }
        let text = format!("{}{}{}", line.before, line.marked, line.after);
        let name = tame(&source.name, MESSAGE);
        let snippet = Snippet::source(text).line_start(line.number).annotation(caret);
        // The renderer counts columns in what it is given; where that is not the whole line, they are stated.
        renderer.render(&[match line.cut {
            None => title.element(snippet.path(name)),
            Some(column) => title.element(Origin::path(name).line(line.number).char_column(column)).element(snippet),
        }])
    }
}

/// "1 error", "2 errors".
pub(crate) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Problems in order of their place, none twice.
fn in_order(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by_key(|p| (p.span.source != NOWHERE, p.span.source, p.span.start, p.span.end));
    // Equal mistakes stand at equal places, so they are close; the same place may still have several.
    let mut kept: Vec<Problem> = Vec::new();
    for problem in problems {
        let repeated = kept.iter().rev().take_while(|k| k.span == problem.span).any(|k| *k == problem);
        if !repeated {
            kept.push(problem);
        }
    }
    kept
}

/// Line and column of a place, from 1.
fn place_in(text: &str, starts: &[usize], span: Span) -> (u64, u64) {
    let start = floor(text, span.start as usize);
    let line = starts.partition_point(|from| *from <= start);
    (line as u64, 1 + text[starts[line - 1]..start].chars().count() as u64)
}

/// Where the lines of a text begin: looked up once, as there may be a mistake on each.
fn starts_of_lines(text: &str) -> Vec<usize> {
    std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect()
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}

/// The line of a mistake, made safe to print, in three parts around what the caret marks.
struct Line {
    number: usize,
    /// The column of `marked`, from 1, if `before` is not all that stands before it.
    cut: Option<usize>,
    before: String,
    marked: String,
    after: String,
}

impl Line {
    /// Cuts the first line of `span` out of a text. Spans are never trusted: they are moved to character
    /// boundaries inside the text.
    fn around(text: &str, span: Span) -> Line {
        let start = floor(text, span.start as usize);
        let number = 1 + text[..start].matches('\n').count();
        let from = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let to = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let end = floor(text, span.end as usize).clamp(start, to);
        let part = |text: &str| text.chars().take(LINE_PART).collect::<String>();
        let marked = part(text[start..end].trim_end_matches('\r'));
        let after = part(&text[start + marked.len()..to]);
        let printable = |part: &str| part.chars().map(printable).collect::<String>();
        let mut before = text[from..start].to_string();
        let column = 1 + before.chars().count();
        let cut = (column > LINE_HEAD).then_some(column);
        if cut.is_some() {
            before = before.chars().skip(column - LINE_PART).collect();
        }
        Line {
            number,
            cut,
            before: printable(&before),
            marked: printable(&marked),
            after: printable(after.trim_end_matches('\r')),
        }
    }
}

/// The nearest character boundary at or below `at`.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// One character of a source line; always one for one, so that columns stay right.
fn printable(c: char) -> char {
    if c == '\t' {
        ' '
    } else if is_hidden(c) {
        '\u{fffd}'
    } else {
        c
    }
}

/// Text for a message: control characters escaped, and not endless.
fn tame(text: &str, most: usize) -> String {
    let mut out = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == most {
            out.push('…');
            break;
        }
        if is_hidden(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}
