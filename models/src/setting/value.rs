//! The tree that a scenario file becomes before it is typed.

use std::rc::Rc;

/// A place in a source: which source, and from which byte to which.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Span {
    /// Index of the source: 0 is the scenario file, higher ones are `--set` texts.
    pub source: u16,
    /// First byte.
    pub start: u32,
    /// Byte after the last.
    pub end: u32,
}

/// Why a number is what it is.
#[derive(Clone, PartialEq, Debug)]
pub enum Mark {
    /// Stated by the evidence named.
    Reported(String),
    /// Follows from evidence for the reason given.
    Inferred(String),
    /// Not published; believed to lie in the range.
    Assumed {
        /// Lowest value believed.
        low: Value,
        /// Highest value believed.
        high: Value,
    },
    /// Chosen so that the evidence named is met.
    Calibrated {
        /// Id of that evidence.
        to: String,
        /// Range within which it was chosen.
        range: Option<(Value, Value)>,
    },
}

/// A value with its place and its provenance.
#[derive(Clone, PartialEq, Debug)]
pub struct Value {
    /// Where it was written.
    pub span: Span,
    /// Why it is what it is; on a table it speaks for everything inside that has no mark of its own.
    pub mark: Option<Rc<Mark>>,
    /// What was written.
    pub data: Data,
}

/// The shapes a value can have.
#[derive(Clone, PartialEq, Debug)]
pub enum Data {
    /// A string.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// An array.
    List(Vec<Value>),
    /// A table.
    Table(Table),
}

impl Value {
    /// A value without provenance.
    pub fn new(span: Span, data: Data) -> Value {
        Value { span, mark: None, data }
    }

    /// A table that no file has written.
    pub fn table<'k>(entries: impl IntoIterator<Item = (&'k str, Data)>) -> Value {
        let key = |name: &str| Key { name: name.into(), span: Span::default() };
        let entries = entries.into_iter().map(|(name, data)| (key(name), Value::new(Span::default(), data)));
        Value::new(Span::default(), Data::Table(Table { entries: entries.collect() }))
    }

    /// How the value would be written in a file, short; used in messages and in lists of assumptions.
    pub fn to_text(&self) -> String {
        match &self.data {
            Data::Text(text) => text.clone(),
            Data::Integer(i) => i.to_string(),
            Data::Float(x) => x.to_string(),
            Data::Bool(b) => b.to_string(),
            Data::List(items) => {
                let items: Vec<_> = items.iter().map(Value::to_text).collect();
                format!("[{}]", items.join(", "))
            }
            Data::Table(table) => {
                let items: Vec<_> =
                    table.entries.iter().map(|(k, v)| format!("{} = {}", k.name, v.to_text())).collect();
                format!("{{ {} }}", items.join(", "))
            }
        }
    }

    /// What kind of thing it is, for messages: "a string", "a table".
    pub fn kind(&self) -> &'static str {
        match self.data {
            Data::Text(_) => "a string",
            Data::Integer(_) => "a whole number",
            Data::Float(_) => "a number",
            Data::Bool(_) => "true or false",
            Data::List(_) => "a list",
            Data::Table(_) => "a table",
        }
    }
}

/// A key with its place.
#[derive(Clone, PartialEq, Debug)]
pub struct Key {
    /// The key itself.
    pub name: String,
    /// Where it was written.
    pub span: Span,
}

/// Entries in the order of the file; keys are unique.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Table {
    /// The entries.
    pub entries: Vec<(Key, Value)>,
}

impl Table {
    /// The value under a key.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.entries.iter().find(|(k, _)| k.name == name).map(|(_, v)| v)
    }

    /// The value under a key, to change it.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.entries.iter_mut().find(|(k, _)| k.name == name).map(|(_, v)| v)
    }

    /// The key as written, with its place.
    pub fn key(&self, name: &str) -> Option<&Key> {
        self.entries.iter().map(|(k, _)| k).find(|k| k.name == name)
    }

    /// Takes an entry out.
    pub fn remove(&mut self, name: &str) -> Option<(Key, Value)> {
        let at = self.entries.iter().position(|(k, _)| k.name == name)?;
        Some(self.entries.remove(at))
    }
}
