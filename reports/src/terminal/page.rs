//! Lines of inked words, cut to the page's width when rendered.

use crate::text;
use anstyle::{AnsiColor, Style};
use std::fmt::Write as _;

/// What words are, from which follows their colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    Plain,
    Bold,
    Dim,
    Good,
    Bad,
    Warn,
    Info,
}

impl Ink {
    fn style(self) -> Style {
        let colour = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
        match self {
            Ink::Plain => Style::new(),
            Ink::Bold => Style::new().bold(),
            Ink::Dim => Style::new().dimmed(),
            Ink::Good => colour(AnsiColor::Green).bold(),
            Ink::Bad => colour(AnsiColor::Red).bold(),
            Ink::Warn => colour(AnsiColor::Yellow).bold(),
            Ink::Info => colour(AnsiColor::Cyan),
        }
    }
}

/// One line.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    words: Vec<(Ink, String)>,
    whole: bool,
}

impl Line {
    pub(super) fn new() -> Self {
        Line::default()
    }

    /// A line that begins with a section's label.
    pub(super) fn label(label: &str) -> Self {
        Line::new().add(Ink::Dim, &format!("  {label:<width$}", width = super::LABEL))
    }

    pub(super) fn add(mut self, ink: Ink, words: &str) -> Self {
        self.words.push((ink, words.to_owned()));
        self
    }

    pub(super) fn plain(self, words: &str) -> Self {
        self.add(Ink::Plain, words)
    }

    /// Must not be cut: a command.
    pub(super) fn whole(mut self) -> Self {
        self.whole = true;
        self
    }
}

/// The lines so far.
pub(super) struct Page {
    lines: Vec<Line>,
    width: usize,
    unicode: bool,
}

impl Page {
    pub(super) fn new(width: usize, unicode: bool) -> Self {
        Page { lines: Vec::new(), width, unicode }
    }

    pub(super) fn line(&mut self, line: Line) {
        self.lines.push(line);
    }

    /// An empty line, unless there is one already.
    pub(super) fn gap(&mut self) {
        if self.lines.last().is_some_and(|line| !line.words.is_empty()) {
            self.lines.push(Line::new());
        }
    }

    pub(super) fn render(&self, color: bool) -> String {
        let mut out = String::new();
        for line in &self.lines {
            let mut room = self.width;
            let last = line.words.iter().rposition(|(_, words)| !words.trim_end().is_empty());
            for (i, (ink, words)) in line.words.iter().enumerate().take(last.map_or(0, |last| last + 1)) {
                let words = if Some(i) == last { words.trim_end() } else { words };
                let words = if line.whole { words.to_owned() } else { text::fit(words, room, self.unicode) };
                room = room.saturating_sub(text::width(&words));
                let style = if color { ink.style() } else { Style::new() };
                let _ = write!(out, "{style}{words}{style:#}");
            }
            out.push('\n');
        }
        out
    }
}
