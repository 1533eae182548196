//! TOML text to a tree of values with places. Nothing is known here of what the keys mean.

use brownout_models::setting::{Data, Key, Problem, Span, Table, Value};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Tables within tables; a scenario needs about eight.
pub(crate) const DEPTH: usize = 64;
/// Keys of one table; lookups are linear.
pub(crate) const KEYS: usize = 10_000;

/// Bytes of a key; every unknown one is compared with all that are known.
pub(crate) const KEY: usize = 256;

/// Reads a whole document.
///
/// # Errors
/// All syntax errors with their places, and only those: what is around them cannot be trusted.
pub(crate) fn parse(text: &str, source: u16) -> Result<(Value, Vec<Problem>), Vec<Problem>> {
    let (root, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(errors.iter().map(|e| syntax_problem(text, source, e)).collect());
    }
    let mut builder = Builder { source, offset: 0, problems: Vec::new() };
    let table = builder.table(root.get_ref(), 0);
    Ok((Value::new(Span { source, start: 0, end: 0 }, Data::Table(table)), builder.problems))
}

/// The way of one `--set` text: keys with their places, and the value.
pub(crate) struct Assignment {
    pub(crate) path: Vec<Key>,
    pub(crate) value: Value,
}

/// Reads `path=value`. The value is TOML if it is some, otherwise a bare string, so that units need no quotes.
///
/// # Errors
/// Says what is wrong with the path.
pub(crate) fn parse_assignment(text: &str, source: u16) -> Result<(Assignment, Vec<Problem>), Problem> {
    let whole = Span { source, start: 0, end: place(text.len()) };
    let wrong = |message: &str| Problem {
        span: whole,
        message: message.into(),
        help: Some("write it as fleets.collectors.workers=8".into()),
    };
    let at = equals_sign(text).ok_or_else(|| wrong("a setting needs a path and a value"))?;
    let path = parse_path(&text[..at], source).ok_or_else(|| wrong("this is not a path of keys"))?;
    let raw = &text[at + 1..];
    let start = at + 1 + (raw.len() - raw.trim_start().len());
    let trimmed = raw.trim();
    let mut builder = Builder { source, offset: start, problems: Vec::new() };
    let (parsed, errors) = DeValue::parse_recoverable(trimmed);
    let is_toml = errors.is_empty() && parsed.span() == (0..trimmed.len()) && !parsed.get_ref().is_datetime();
    let value = if is_toml {
        builder.value(&parsed, 0)
    } else {
        Value::new(builder.span(0..trimmed.len()), Data::Text(trimmed.into()))
    };
    Ok((Assignment { path, value }, builder.problems))
}

/// The first `=` that is not within a quoted key.
pub(crate) fn equals_sign(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '=') => return Some(at),
            (None, '"' | '\'') => quote = Some(c),
            (Some(q), c) if q == c => quote = None,
            _ => {}
        }
    }
    None
}

/// Splits a dotted path by letting TOML read it as a key.
fn parse_path(path: &str, source: u16) -> Option<Vec<Key>> {
    // A line break or a comment would make the text more than one key.
    if path.contains(['\n', '\r', '#', '[', '{']) {
        return None;
    }
    let text = format!("{path}=0");
    let (root, errors) = DeTable::parse_recoverable(&text);
    if !errors.is_empty() {
        return None;
    }
    let builder = Builder { source, offset: 0, problems: Vec::new() };
    let mut keys = Vec::new();
    let mut table = root.get_ref();
    loop {
        let (key, value) = table.iter().next()?;
        keys.push(Key { name: key.get_ref().to_string(), span: builder.span(key.span()) });
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            _ => break,
        }
    }
    (keys.len() <= DEPTH).then_some(keys)
}

fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn syntax_problem(text: &str, source: u16, error: &toml::de::Error) -> Problem {
    let at = error.span().unwrap_or(text.len()..text.len());
    let span = Span { source, start: place(at.start), end: place(at.end) };
    // The parser's message is "what, expected this, that": the second half reads better at the caret.
    let (message, help) = match error.message().split_once(", expected ") {
        Some((what, expected)) => (what, Some(format!("expected {expected}"))),
        None => (error.message(), None),
    };
    Problem { span, message: message.lines().collect::<Vec<_>>().join(" "), help }
}

struct Builder {
    source: u16,
    offset: usize,
    problems: Vec<Problem>,
}

impl Builder {
    fn span(&self, at: Range<usize>) -> Span {
        Span { source: self.source, start: place(self.offset + at.start), end: place(self.offset + at.end) }
    }

    fn problem(&mut self, span: Span, message: String, help: Option<&str>) {
        self.problems.push(Problem { span, message, help: help.map(str::to_string) });
    }

    fn table(&mut self, table: &DeTable<'_>, depth: usize) -> Table {
        // The parser sorts by name; a scenario's order is the order in the file.
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        if let Some((key, _)) = entries.get(KEYS) {
            let span = self.span(key.span());
            self.problem(span, format!("more than {KEYS} keys in one table"), None);
            entries.truncate(KEYS);
        }
        let mut out = Table::default();
        for (key, value) in entries {
            let span = self.span(key.span());
            if key.get_ref().len() > KEY {
                self.problem(span, format!("a key of more than {KEY} bytes"), None);
                continue;
            }
            let value = self.value(value, depth + 1);
            out.entries.push((Key { name: key.get_ref().to_string(), span }, value));
        }
        out
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>, depth: usize) -> Value {
        let span = self.span(value.span());
        if depth > DEPTH {
            self.problem(span, format!("nested more than {DEPTH} deep"), None);
            return Value::new(span, Data::Bool(false));
        }
        let data = match value.get_ref() {
            DeValue::String(text) => Data::Text(text.to_string()),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Data::Integer(number),
                Err(_) => {
                    self.problem(span, "this whole number is too large".into(), None);
                    Data::Integer(0)
                }
            },
            DeValue::Float(number) => match number.as_str().parse::<f64>() {
                Ok(number) if number.is_finite() => Data::Float(number),
                _ => {
                    self.problem(span, "this number is not finite".into(), None);
                    Data::Float(0.0)
                }
            },
            DeValue::Boolean(yes) => Data::Bool(*yes),
            DeValue::Datetime(time) => {
                self.problem(span, "write times as strings".into(), Some(&format!("\"{time}\"")));
                Data::Text(time.to_string())
            }
            DeValue::Array(items) => Data::List(items.iter().map(|item| self.value(item, depth + 1)).collect()),
            DeValue::Table(table) => Data::Table(self.table(table, depth)),
        };
        Value::new(span, data)
    }
}
