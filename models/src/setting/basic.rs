//! The scalar settings, names, lists and named tables.

use super::{Data, Form, Reader, Scope, Setting, Span, Value};
use crate::units::{self, Bytes, Ns, Quantity, Rate, Share};

/// Reads a string with `parse`, and explains a bare number as a missing unit.
fn read_text<T>(value: &Value, reader: &mut Reader<'_>, parse: fn(&str) -> Result<T, String>) -> Option<T> {
    let (text, bare) = match &value.data {
        Data::Text(text) => (text.clone(), false),
        Data::Integer(i) => (i.to_string(), true),
        Data::Float(x) => (x.to_string(), true),
        _ => {
            reader.expected(value, "a string");
            return None;
        }
    };
    match parse(&text) {
        Ok(read) => Some(read),
        Err(why) => {
            match why.split_once(": ") {
                Some((message, help)) if bare => reader.problem_with_help(value.span, message, help),
                _ => reader.problem(value.span, why),
            }
            None
        }
    }
}

/// The number in a declared limit, which comes as source text.
fn unquoted(limit: &str) -> &str {
    limit.trim_matches('"')
}

macro_rules! text_setting {
    ($ty:ty, $parse:path, $what:literal, $example:literal, $show:expr, $size:expr) => {
        impl Setting for $ty {
            fn read(value: &Value, reader: &mut Reader<'_>) -> Option<Self> {
                read_text(value, reader, $parse)
            }
            fn form() -> Form {
                Form::Amount($what, $example)
            }
            fn show(&self) -> String {
                let show: fn(&$ty) -> String = $show;
                show(self)
            }
            fn magnitude(&self) -> Option<f64> {
                let size: fn(&$ty) -> f64 = $size;
                Some(size(self))
            }
            fn limit(text: &str) -> Option<f64> {
                $parse(unquoted(text)).ok().and_then(|limit| limit.magnitude())
            }
        }
    };
}

text_setting!(Ns, units::parse_duration, "time", "250ms", Ns::to_string, |ns| ns.0 as f64);
text_setting!(Rate, units::parse_rate, "rate", "180/s", |r| format!("{}/s", r.0), |r| r.0);
text_setting!(Share, units::parse_share, "share", "10%", |s| format!("{}%", s.0 * 100.0), |s| s.0);
text_setting!(Bytes, units::parse_bytes, "size", "1.4GB", Bytes::to_string, |b| b.0 as f64);

impl Setting for Quantity {
    fn read(value: &Value, reader: &mut Reader<'_>) -> Option<Self> {
        let quantity = read_text(value, reader, units::parse_quantity)?;
        if quantity.0 < 0.0 {
            reader.problem(value.span, "a quantity must not be negative");
            return None;
        }
        Some(quantity)
    }
    fn form() -> Form {
        Form::Either(vec![Form::Amount("quantity", "13M"), Form::Number])
    }
    fn show(&self) -> String {
        self.0.to_string()
    }
    fn magnitude(&self) -> Option<f64> {
        Some(self.0)
    }
    fn limit(text: &str) -> Option<f64> {
        units::parse_quantity(unquoted(text)).ok().map(|q| q.0)
    }
}

macro_rules! integer_setting {
    ($($ty:ty),*) => { $(
        impl Setting for $ty {
            fn read(value: &Value, reader: &mut Reader<'_>) -> Option<Self> {
                match value.data {
                    Data::Integer(i) => match <$ty>::try_from(i) {
                        Ok(count) => Some(count),
                        Err(_) if i < 0 => {
                            reader.problem(value.span, "a count must not be negative");
                            None
                        }
                        Err(_) => {
                            reader.problem(value.span, format!("{i} is too large here"));
                            None
                        }
                    },
                    _ => {
                        reader.expected(value, "a whole number");
                        None
                    }
                }
            }
            fn form() -> Form {
                Form::Integer
            }
            fn show(&self) -> String {
                self.to_string()
            }
            fn magnitude(&self) -> Option<f64> {
                Some(*self as f64)
            }
            fn limit(text: &str) -> Option<f64> {
                text.replace('_', "").parse().ok()
            }
        }
    )* };
}
integer_setting!(u16, u32, u64);

/// A whole number that may be negative.
impl Setting for i32 {
    fn read(value: &Value, reader: &mut Reader<'_>) -> Option<Self> {
        match value.data {
            Data::Integer(i) => {
                let number = i32::try_from(i).ok();
                if number.is_none() {
                    reader.problem(value.span, format!("{i} is too large here"));
                }
                number
            }
            _ => {
                reader.expected(value, "a whole number");
                None
            }
        }
    }
    fn form() -> Form {
        Form::Integer
    }
    fn show(&self) -> String {
        self.to_string()
    }
    fn magnitude(&self) -> Option<f64> {
        Some(f64::from(*self))
    }
    fn limit(text: &str) -> Option<f64> {
        text.replace('_', "").parse().ok()
    }
}

/// A bare factor, such as "times 4.5".
impl Setting for f64 {
    fn read(value: &Value, reader: &mut Reader<'_>) -> Option<Self> {
        match value.data {
            Data::Float(x) if x.is_finite() => Some(x),
            Data::Integer(i) => Some(i as f64),
            _ => {
                reader.expected(value, "a number");
                None
            }
        }
    }
    fn form() -> Form {
        Form::Number
    }
    fn show(&self) -> String {
        self.to_string()
    }
    fn magnitude(&self) -> Option<f64> {
        Some(*self)
    }
    fn limit(text: &str) -> Option<f64> {
        text.parse().ok()
    }
}

impl Setting for bool {
    fn read(value: &Value, reader: &mut Reader<'_>) -> Option<Self> {
        match value.data {
            Data::Bool(b) => Some(b),
            _ => {
                reader.expected(value, "true or false");
                None
            }
        }
    }
    fn form() -> Form {
        Form::Bool
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Setting for String {
    fn read(value: &Value, reader: &mut Reader<'_>) -> Option<Self> {
        match &value.data {
            Data::Text(text) => Some(text.clone()),
            _ => {
                reader.expected(value, "a string");
                None
            }
        }
    }
    fn form() -> Form {
        Form::Text("text")
    }
    fn show(&self) -> String {
        self.clone()
    }
}

/// A reference to something that the file names elsewhere; keeps its place for "no such ...".
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Name {
    /// The name.
    pub text: String,
    /// Where it was written.
    pub span: Span,
}

impl Setting for Name {
    fn read(value: &Value, reader: &mut Reader<'_>) -> Option<Self> {
        String::read(value, reader).map(|text| Name { text, span: value.span })
    }
    fn form() -> Form {
        Form::Text("a name of this file")
    }
    fn show(&self) -> String {
        self.text.clone()
    }
}

/// A time of the day ("11:46", "2015-10-28 11:46") or of the run ("20s"), as time since its start.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Moment(pub Ns);

impl Setting for Moment {
    fn read(value: &Value, reader: &mut Reader<'_>) -> Option<Self> {
        let Data::Text(text) = &value.data else {
            reader.expected(value, "a time such as \"11:46\"");
            return None;
        };
        match reader.moment(text) {
            Ok(at) => Some(Moment(at)),
            Err(why) => {
                reader.problem(value.span, why);
                None
            }
        }
    }
    fn form() -> Form {
        Form::Amount("moment", "11:46")
    }
    fn show(&self) -> String {
        self.0.to_string()
    }
}

/// "none", or a value.
impl<T: Setting> Setting for Option<T> {
    fn read(value: &Value, reader: &mut Reader<'_>) -> Option<Self> {
        match &value.data {
            Data::Text(text) if text == "none" => Some(None),
            _ => T::read(value, reader).map(Some),
        }
    }
    fn form() -> Form {
        Form::Either(vec![T::form(), Form::Choice(vec![("none", "not used")])])
    }
    fn show(&self) -> String {
        self.as_ref().map_or("none".into(), T::show)
    }
    fn toml(&self) -> String {
        self.as_ref().map_or("\"none\"".into(), T::toml)
    }
    fn listen(&self, value: &Value, scope: &mut Scope<'_>) {
        self.iter().for_each(|is| is.listen(value, scope));
    }
    fn rows(&self, path: &str, out: &mut Vec<(String, String)>) {
        match self {
            Some(is) => is.rows(path, out),
            None => out.push((path.to_string(), "none".into())),
        }
    }
    fn magnitude(&self) -> Option<f64> {
        self.as_ref().and_then(T::magnitude)
    }
    fn limit(text: &str) -> Option<f64> {
        T::limit(text)
    }
}

impl<T: Setting> Setting for Vec<T> {
    fn read(value: &Value, reader: &mut Reader<'_>) -> Option<Self> {
        let Data::List(items) = &value.data else {
            reader.expected(value, "a list");
            return None;
        };
        let mut out = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            out.extend(reader.within(&index.to_string(), |reader| T::read(item, reader)));
        }
        Some(out)
    }
    fn listen(&self, value: &Value, scope: &mut Scope<'_>) {
        let Data::List(items) = &value.data else { return };
        for (index, (is, item)) in self.iter().zip(items).enumerate() {
            scope.within(&index.to_string(), |scope| is.listen(item, scope));
        }
    }
    fn form() -> Form {
        Form::List(Box::new(T::form()))
    }
    fn show(&self) -> String {
        format!("[{}]", self.iter().map(T::show).collect::<Vec<_>>().join(", "))
    }
    fn magnitudes(&self) -> Vec<f64> {
        self.iter().filter_map(T::magnitude).collect()
    }
    fn limit(text: &str) -> Option<f64> {
        T::limit(text)
    }
    fn toml(&self) -> String {
        format!("[{}]", self.iter().map(T::toml).collect::<Vec<_>>().join(", "))
    }
}

/// Tables under free names, in the order of the file. The word "none" in the place of a table takes the name away:
/// so a design can do without a part of the base.
#[derive(Clone, PartialEq, Debug)]
pub struct Named<T>(pub Vec<(Name, T)>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Named(Vec::new())
    }
}

impl<T> Named<T> {
    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.text.as_str())
    }
    /// The place of a name in the order.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|(n, _)| n.text == name)
    }
    /// What stands under a name.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.0.iter().find(|(n, _)| n.text == name).map(|(_, t)| t)
    }
    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0.iter().map(|(n, t)| (n.text.as_str(), t))
    }
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Setting> Setting for Named<T> {
    fn read(value: &Value, reader: &mut Reader<'_>) -> Option<Self> {
        let Data::Table(table) = &value.data else {
            reader.expected(value, "a table of named tables");
            return None;
        };
        let mut out = Vec::new();
        for (key, item) in table.entries.iter().filter(|(_, item)| item.data != Data::Text("none".into())) {
            let name = Name { text: key.name.clone(), span: key.span };
            out.extend(reader.within(&key.name, |reader| T::read(item, reader)).map(|read| (name, read)));
        }
        Some(Named(out))
    }
    fn listen(&self, value: &Value, scope: &mut Scope<'_>) {
        let Data::Table(table) = &value.data else { return };
        for (name, is) in self.iter() {
            if let Some(item) = table.get(name) {
                scope.within(name, |scope| is.listen(item, scope));
            }
        }
    }
    fn form() -> Form {
        Form::Named(Box::new(T::form()))
    }
    fn show(&self) -> String {
        "{}".into()
    }
    fn toml(&self) -> String {
        let entries: Vec<_> =
            self.iter().map(|(name, item)| format!("{} = {}", super::quoted(name), item.toml())).collect();
        format!("{{{}}}", entries.join(", "))
    }
    fn rows(&self, path: &str, out: &mut Vec<(String, String)>) {
        self.iter().for_each(|(name, item)| item.rows(&super::below(path, name), out));
    }
}

/// A curve over the day: `[["09:30", 1.0], ["12:00", 1.4]]`, linear between its points.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Points(pub Vec<(Ns, f64)>);

impl Setting for Points {
    fn read(value: &Value, reader: &mut Reader<'_>) -> Option<Self> {
        let Data::List(items) = &value.data else {
            reader.expected(value, "a list of [time, factor] pairs");
            return None;
        };
        let mut points: Vec<(Ns, f64)> = Vec::new();
        for item in items {
            let pair = match &item.data {
                Data::List(pair) if pair.len() == 2 => pair,
                _ => {
                    reader.expected(item, "a pair such as [\"12:00\", 1.4]");
                    return None;
                }
            };
            let (Moment(at), factor) = (Moment::read(&pair[0], reader)?, f64::read(&pair[1], reader)?);
            if factor < 0.0 {
                reader.problem(pair[1].span, "a factor must not be negative");
                return None;
            }
            if points.last().is_some_and(|last| last.0 >= at) {
                reader.problem(pair[0].span, "the times must rise");
                return None;
            }
            points.push((at, factor));
        }
        Some(Points(points))
    }
    fn form() -> Form {
        Form::List(Box::new(Form::Pair(Box::new(Moment::form()), Box::new(f64::form()))))
    }
    fn show(&self) -> String {
        "[]".into()
    }
    fn toml(&self) -> String {
        let points: Vec<_> =
            self.0.iter().map(|(at, factor)| format!("[{}, {factor}]", super::quoted(&at.to_string()))).collect();
        format!("[{}]", points.join(", "))
    }
}
