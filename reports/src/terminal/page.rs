//! Lines of inked words, cut to the page's width when rendered.

use crate::text;
use anstyle::{Ansi256Color, AnsiColor, Style};
use std::fmt::Write as _;

/// What words are, from which follows their colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    Plain,
    Bold,
    Dim,
    Good,
    Bad,
    Warn,
    Info,
    /// A cell of a matrix, from 0 (as good as nothing) to 4.
    Heat(u8),
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
            // Black on green, yellows, orange and vermilion: apart under every common colour blindness.
            Ink::Heat(level) => {
                let ground = [36, 230, 222, 214, 203][usize::from(level.min(4))];
                Style::new().fg_color(Some(Ansi256Color(16).into())).bg_color(Some(Ansi256Color(ground).into()))
            }
        }
    }
}

/// One line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line {
    words: Vec<(Ink, String)>,
    whole: bool,
}

impl Line {
    pub(crate) fn new() -> Self {
        Line::default()
    }

    /// A line that begins with a section's label.
    pub(crate) fn label(label: &str) -> Self {
        Line::new().add(Ink::Dim, &format!("  {label:<width$}", width = super::LABEL))
    }

    pub(crate) fn add(mut self, ink: Ink, words: &str) -> Self {
        self.words.push((ink, words.to_owned()));
        self
    }

    pub(crate) fn plain(self, words: &str) -> Self {
        self.add(Ink::Plain, words)
    }

    /// Must not be cut: a command.
    pub(crate) fn whole(mut self) -> Self {
        self.whole = true;
        self
    }
}

/// The lines so far.
pub(crate) struct Page {
    lines: Vec<Line>,
    width: usize,
    unicode: bool,
}

impl Page {
    pub(crate) fn new(width: usize, unicode: bool) -> Self {
        Page { lines: Vec::new(), width, unicode }
    }

    pub(crate) fn line(&mut self, line: Line) {
        self.lines.push(line);
    }

    /// An empty line, unless there is one already.
    pub(crate) fn gap(&mut self) {
        if self.lines.last().is_some_and(|line| !line.words.is_empty()) {
            self.lines.push(Line::new());
        }
    }

    pub(crate) fn render(&self, color: bool) -> String {
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
