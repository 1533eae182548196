//! What the command knows of the terminal, and how it speaks.

use brownout::reports::terminal::Style;
use std::io::{IsTerminal, Write};

/// When to use colour.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The terminal.
pub struct Terminal {
    color: Color,
}

impl Terminal {
    /// The terminal, with the user's choice of colour.
    pub fn new(color: Color) -> Terminal {
        Terminal { color }
    }

    fn color_on(&self, is_terminal: bool) -> bool {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => is_terminal && wanted,
        }
    }

    /// Whether somebody watches stderr: for remarks that are noise in a log.
    pub fn is_patient(&self) -> bool {
        std::io::stderr().is_terminal()
    }

    /// Whether messages on stderr may be coloured.
    pub fn color_stderr(&self) -> bool {
        self.color_on(std::io::stderr().is_terminal())
    }

    /// Width, colour and characters for text on stdout.
    pub fn style(&self) -> Style {
        let width = match terminal_size::terminal_size() {
            Some((width, _)) if std::io::stdout().is_terminal() => usize::from(width.0).clamp(60, 160),
            _ => 80,
        };
        let ascii = ["LC_ALL", "LC_CTYPE", "LANG"]
            .iter()
            .find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()))
            .is_some_and(|locale| matches!(locale.as_str(), "C" | "POSIX") && std::io::stdout().is_terminal());
        Style { width, color: self.color_on(std::io::stdout().is_terminal()), unicode: !ascii, ..Style::default() }
    }

    /// Writes to stdout. A reader that has gone (a closed pipe) is no failure of ours.
    pub fn say(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes());
        if !text.ends_with('\n') {
            let _ = out.write_all(b"\n");
        }
        let _ = out.flush();
    }

    /// Writes to stderr.
    pub fn complain(&self, text: &str) {
        let mut out = std::io::stderr().lock();
        let _ = out.write_all(text.as_bytes());
        if !text.ends_with('\n') {
            let _ = out.write_all(b"\n");
        }
    }
}
