//! Headings, lists and paragraphs for the terminal, wrapped to its width.

use anstyle::{AnsiColor, Style as Ink};
use brownout::output::text::clean;
use brownout::reports::terminal::Style;

/// Text under way.
pub struct Prose {
    out: String,
    width: usize,
    color: bool,
}

impl Prose {
    /// An empty page.
    pub fn new(style: &Style) -> Prose {
        Prose { out: String::new(), width: style.width.clamp(60, 200), color: style.color }
    }

    /// The page, ending in a newline.
    pub fn finish(self) -> String {
        self.out.trim_end().to_string() + "\n"
    }

    fn ink(&self, ink: Ink, text: &str) -> String {
        if self.color { format!("{ink}{text}{ink:#}") } else { text.to_string() }
    }

    /// An empty line.
    pub fn gap(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// A heading, and in a quieter tone what it belongs to.
    pub fn heading(&mut self, text: &str, aside: &str) {
        self.gap();
        let bold = self.ink(Ink::new().bold(), &safe(text));
        let aside =
            if aside.is_empty() { String::new() } else { self.ink(Ink::new().dimmed(), &format!("  {}", safe(aside))) };
        self.out.push_str(&format!("{bold}{aside}\n"));
    }

    /// A paragraph, indented.
    pub fn text(&mut self, text: &str) {
        for line in wrap(&safe(text), self.width - 2) {
            self.out.push_str(&format!("  {line}\n"));
        }
    }

    /// Lines as they stand: an example to paste.
    pub fn verbatim(&mut self, text: &str) {
        for line in text.lines() {
            let line = self.ink(Ink::new().fg_color(Some(AnsiColor::Cyan.into())), &safe(line));
            self.out.push_str(&format!("    {line}\n"));
        }
    }

    /// Rows of a name and what it means, the names in a column of their own.
    pub fn rows(&mut self, rows: &[(String, String)]) {
        let longest = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        let column = longest.min(self.width / 2 - 4);
        for (name, doc) in rows {
            let name = safe(name);
            let used = name.chars().count();
            let shown = self.ink(Ink::new().fg_color(Some(AnsiColor::Cyan.into())), &name);
            let lines = wrap(&safe(doc), self.width - 4 - column);
            let pad = " ".repeat(column.saturating_sub(used));
            let mut lines = lines.iter();
            if used <= column {
                let first = lines.next().map_or("", String::as_str);
                self.out.push_str(format!("  {shown}{pad}  {first}").trim_end());
            } else {
                self.out.push_str(&format!("  {shown}"));
            }
            self.out.push('\n');
            for line in lines {
                self.out.push_str(&format!("  {}  {line}\n", " ".repeat(column)));
            }
        }
    }
}

/// Text without anything that a terminal would act on, on one line.
fn safe(text: &str) -> String {
    clean(text, true)
}

/// Lines of at most so many columns, broken at spaces.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_string()),
        }
    }
    lines
}

/// "1,755 runs".
pub fn counted(n: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(n), if n == 1 { "" } else { "s" })
}

/// "1,755".
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
