//! What a file says about the run itself: format, title, time, what was observed, what is expected.

use crate::clock::{AnyTime, Calendar, read_zoned};
use crate::evidence::EvidenceEntry;
use crate::expect::ExpectEntry;
use crate::limits::{CLAIMS, SEEDS};
use crate::zones;
use brownout_models::setting::{
    Clock, Data, Form, Moment, Name, Problem, Reader, Setting, Settings, Span, Table, Value, always,
};
use brownout_models::settings;
use brownout_models::units::{Bytes, Ns, parse_duration};

/// The version of the file format that this crate reads.
pub const FORMAT: u64 = 1;
/// Steps of a report over the whole run.
pub(crate) const STEPS: u64 = 100_000;

settings! {
    /// Bounds on what a run may cost.
    pub struct Limits {
        /// Most events, after which the run is broken off; about eight make a call on the kernel. The services count what
        /// happens to calls. None: no bound.
        pub events: Option<u64> = Some(1_000_000_000), 1 ..= 1000000000000000 => always;
        /// Most memory for what grows with the run: calls alive, queued and kept, what is due, marks. None: no bound. (size)
        pub memory: Option<Bytes> = Some(Bytes(2_000_000_000)), "16MB" ..= "1000TB" => always;
    }
}

settings! {
    /// The keys of a scenario file beside those of the world.
    pub struct Header {
        /// Version of the file format: 1.
        pub brownout (required): u64 = FORMAT => always;
        /// What the scenario shows, in one line.
        pub title (required): String = String::new() => always;
        /// More about it.
        pub description: String = String::new() => always;
        /// Time zone of the dates, by its IANA name: "America/Los_Angeles".
        pub zone: Option<Name> = None => always;
        /// How long the run is: a duration, or `{ from = "2015-10-28 09:30", to = "2015-10-28 18:40" }`.
        pub span (required): Extent = Extent::Lasts(Ns::ZERO) => always;
        /// What the rates are stated over; without it, the whole run.
        pub window: Option<Period> = None => always;
        /// Resolution of curves. (time)
        pub step: Ns = Ns::secs(60), "1s" ..= "8760h" => always;
        /// Bounds on what the run may cost.
        pub limits: Limits = Limits::default() => always;
        /// What was observed on the day.
        pub evidence: Vec<EvidenceEntry> = Vec::new() => always;
        /// Axes of designs: `[axes.<axis>.<point>]` overlays, `default`, `wins_over`.
        pub axes: Axes = Axes::default() => always;
        /// Named overlays; `based_on` names another.
        pub designs: Designs = Designs::default() => always;
        /// Seeds under which `brownout test` runs it, unless told others, at most 10,000; none: 1.
        pub seeds: Vec<u64> = Vec::new() => always;
        /// With which designs and changes by hand the file is run, before those of the command line.
        pub as_run: AsRun = AsRun::default() => always;
        /// What must hold.
        pub expect: Vec<Placed<ExpectEntry>> = Vec::new() => always;
    }
}

settings! {
    /// What `--design` and `--set` would say. `brownout hunt` writes it into its files, so that one line repeats a run.
    pub struct AsRun {
        /// Designs, as `--design` takes them; one of the command line overrules those of its axis.
        pub design: Vec<Name> = Vec::new() => always;
        /// Changes, as `--set` takes them; those of the command line come after them.
        pub set: Vec<Name> = Vec::new() => always;
    }
}

/// The texts of `as_run`, read before anything else; what is wrong with them is said when the header is read.
#[derive(Default)]
pub(crate) struct AsRunTexts {
    pub(crate) design: Vec<String>,
    pub(crate) set: Vec<String>,
}

/// Takes the texts of `as_run` from a document.
pub(crate) fn as_run(root: &Value) -> AsRunTexts {
    let table = |value: &Value| match &value.data {
        Data::Table(table) => Some(table.clone()),
        _ => None,
    };
    let Some(own) = table(root).and_then(|root| table(root.get("as_run")?)) else { return AsRunTexts::default() };
    let texts = |key: &str| match own.get(key).map(|value| &value.data) {
        Some(Data::List(items)) => items.iter().map(Value::to_text).collect(),
        _ => Vec::new(),
    };
    AsRunTexts { design: texts("design"), set: texts("set") }
}

settings! {
    /// What an axis says beside its points.
    pub struct AxisKeys {
        /// The point in force where no design chooses; without it, the file as written.
        pub default: Name = Name::default() => always;
        /// Axes before this one that this one may overrule where both write a key.
        pub wins_over: Vec<Name> = Vec::new() => always;
    }
}

settings! {
    /// What a named design says beside the keys that it changes.
    pub struct DesignKeys {
        /// The design that this one is laid over.
        pub based_on: Name = Name::default() => always;
    }
}

macro_rules! kept_as_written {
    ($($(#[doc = $doc:literal])* $name:ident = $form:expr;)*) => { $(
        $(#[doc = $doc])*
        #[derive(Clone, PartialEq, Debug, Default)]
        pub struct $name(pub Option<Value>);

        impl Setting for $name {
            fn read(value: &Value, _: &mut Reader<'_>) -> Option<Self> {
                Some($name(Some(value.clone())))
            }
            fn form() -> Form {
                $form
            }
            fn show(&self) -> String {
                String::new()
            }
        }
    )* };
}

kept_as_written! {
    /// The axes, kept as written, to be read later.
    Axes = Form::Named(Box::new(Form::Open(AxisKeys::fields(), Box::new(Form::Overlay(Vec::new())))));
    /// The named designs, kept as written, to be read later.
    Designs = Form::Named(Box::new(Form::Overlay(DesignKeys::fields())));
    /// An observed value, kept as written, to be read later.
    Seen = Form::Either(vec![
        Form::Text("54%"),
        Form::Number,
        Form::Pair(Box::new(Moment::form()), Box::new(Moment::form())),
    ]);
    /// Two bounds, kept as written, to be read later.
    Between = {
        let bound = || Box::new(Form::Either(vec![Form::Text("50%"), Form::Number]));
        Form::Pair(bound(), bound())
    };
}

/// A setting with its place.
#[derive(Clone, PartialEq, Debug)]
pub struct Placed<T> {
    /// Where it stands.
    pub span: Span,
    /// What it says.
    pub inner: T,
}

impl<T: Setting> Setting for Placed<T> {
    fn read(value: &Value, reader: &mut Reader<'_>) -> Option<Self> {
        T::read(value, reader).map(|inner| Placed { span: value.span, inner })
    }
    fn form() -> Form {
        T::form()
    }
    fn show(&self) -> String {
        self.inner.show()
    }
}

settings! {
    /// A part of the run.
    pub struct Bounds {
        /// Its start.
        pub from (required): Moment = Moment(Ns::ZERO) => always;
        /// Its end.
        pub to (required): Moment = Moment(Ns::ZERO) => always;
    }
}

/// A part of the run that is not empty.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Period {
    /// Its start, since that of the run.
    pub from: Ns,
    /// Its end, later than its start.
    pub to: Ns,
}

impl Setting for Period {
    fn read(value: &Value, reader: &mut Reader<'_>) -> Option<Self> {
        let before = reader.count();
        let bounds = Bounds::read(value, reader)?;
        if reader.count() != before {
            return None;
        }
        if bounds.from.0 >= bounds.to.0 {
            reader.problem(value.span, "`from` must be before `to`");
            return None;
        }
        Some(Period { from: bounds.from.0, to: bounds.to.0 })
    }
    fn form() -> Form {
        Bounds::form()
    }
    fn show(&self) -> String {
        String::new()
    }
}

settings! {
    /// The days of a run.
    pub struct Days {
        /// Date and time of its start.
        pub from (required): Name = Name::default() => always;
        /// Date and time of its end.
        pub to (required): Name = Name::default() => always;
    }
}

/// How long a run is.
#[derive(Clone, PartialEq, Debug)]
pub enum Extent {
    /// A duration without dates.
    Lasts(Ns),
    /// From one date to another.
    Days(Days),
}

impl Setting for Extent {
    fn read(value: &Value, reader: &mut Reader<'_>) -> Option<Self> {
        match &value.data {
            Data::Table(_) => Days::read(value, reader).map(Extent::Days),
            Data::Text(text) => match parse_duration(text) {
                Ok(Ns(0)) => {
                    reader.problem(value.span, "a run of no length shows nothing");
                    None
                }
                Ok(length) if !length.is_never() => Some(Extent::Lasts(length)),
                Ok(_) => {
                    reader.problem(value.span, "a run must have an end");
                    None
                }
                Err(why) => {
                    let help = "\"130s\", or { from = \"2015-10-28 09:30\", to = \"2015-10-28 18:40\" }";
                    reader.problem_with_help(value.span, why, help);
                    None
                }
            },
            _ => {
                reader.expected(value, "a duration such as \"130s\", or a table with `from` and `to`");
                None
            }
        }
    }
    fn form() -> Form {
        Form::Either(vec![Form::Amount("time", "130s"), Days::form()])
    }
    fn show(&self) -> String {
        String::new()
    }
}

/// Reads `zone` and `span`, which all other times depend on.
pub(crate) fn read_calendar(table: &Table, problems: &mut Vec<Problem>) -> Option<Calendar> {
    let any = AnyTime::default();
    let mut reader = Reader::new(&any);
    // Under their own paths: the header is read again later, and a mistake in these must then read the same.
    let zone = table.get("zone").map(|value| reader.within("zone", |reader| Name::read(value, reader)));
    let extent = table.get("span").map(|v| (v.span, reader.within("span", |reader| Extent::read(v, reader))));
    let before = reader.count();
    problems.extend(reader.finish());
    let (span, extent) = extent?;
    if before > 0 {
        return None;
    }
    let mut fail = |span: Span, message: String, help: Option<String>| {
        problems.push(Problem { span, message, help });
        None
    };
    match (extent?, zone) {
        (Extent::Lasts(length), None) => Some(Calendar::bare(length)),
        (Extent::Lasts(_), Some(zone)) => {
            let help = "give `span` dates, or take `zone` out".to_string();
            fail(zone?.span, "a time zone has no meaning in a run without dates".into(), Some(help))
        }
        (Extent::Days(_), None) => {
            let help = "zone = \"America/Los_Angeles\"".to_string();
            fail(span, "dates need a time zone: `zone` is missing".into(), Some(help))
        }
        (Extent::Days(days), Some(zone)) => {
            let zone = zone?;
            match dated(&days, &zone) {
                Ok(calendar) => Some(calendar),
                Err(found) => {
                    problems.push(found);
                    None
                }
            }
        }
    }
}

fn dated(days: &Days, zone: &Name) -> Result<Calendar, Problem> {
    let known = zones::zone(&zone.text).map_err(|help| {
        let message = format!("no time zone \"{}\"", zone.text);
        Problem { span: zone.span, message, help: Some(help) }
    })?;
    let read = |name: &Name| {
        read_zoned(&name.text, &known).map_err(|message| Problem { span: name.span, message, help: None })
    };
    let (from, to) = (read(&days.from)?, read(&days.to)?);
    let length = to.timestamp().duration_since(from.timestamp());
    match u64::try_from(length.as_nanos()) {
        Ok(length) if length > 0 => Ok(Calendar::dated(from, &zone.text, Ns(length))),
        _ => {
            let message = format!("the run ends before it starts: {} is not after {}", days.to.text, days.from.text);
            Err(Problem { span: days.to.span, message, help: None })
        }
    }
}

/// Reads the header; `length` is that of the run, if it is known.
pub(crate) fn read_header(table: &Table, clock: &dyn Clock, length: Option<Ns>, problems: &mut Vec<Problem>) -> Header {
    let mut header = Header::default();
    let mut reader = Reader::new(clock);
    header.apply(table, &mut reader);
    for field in Header::fields().iter().filter(|f| f.default.is_none() && table.get(f.name).is_none()) {
        let help = match field.name {
            "brownout" => "brownout = 1",
            "title" => "title = \"...\"",
            _ => "span = \"130s\", or { from = \"2015-10-28 09:30\", to = \"2015-10-28 18:40\" }",
        };
        reader.problem_with_help(Span::default(), format!("`{}` is missing", field.name), help);
    }
    if let Some(Value { data: Data::Integer(version), span, .. }) = table.get("brownout")
        && u64::try_from(*version) != Ok(FORMAT)
        && *version >= 0
    {
        reader.problem_with_help(*span, format!("format {version} is not known to this version"), "brownout = 1");
    }
    if let Some(length) = length
        && let Some(steps) = length.0.checked_div(header.step.0)
        && steps > STEPS
    {
        let span = table.get("step").or(table.get("span")).map_or(Span::default(), |v| v.span);
        let least = Ns::secs(length.0.div_ceil(STEPS).div_ceil(1_000_000_000));
        let message = format!("{steps} steps of {} are more than the {STEPS} supported", header.step);
        reader.problem_with_help(span, message, format!("step = \"{least}\" or more"));
    }
    let lists = [
        ("evidence", header.evidence.len(), CLAIMS),
        ("expect", header.expect.len(), CLAIMS),
        ("seeds", header.seeds.len(), SEEDS),
    ];
    for (key, entries, most) in lists {
        if entries > most {
            let span = table.get(key).map_or(Span::default(), |v| v.span);
            reader.problem(span, format!("{entries} entries of `{key}` are more than the {most} supported"));
        }
    }
    header.seeds.truncate(SEEDS);
    header.evidence.truncate(CLAIMS);
    header.expect.truncate(CLAIMS);
    problems.extend(reader.finish());
    header
}
