//! What faults are aimed at, and whether it is there.

use super::{Class, Kind};
use crate::setting::{Data, Form, Name, Problem, Reader, Setting, Span, Value, quoted};
use crate::spec::WorldSpec;
use crate::units::{Share, parse_share};

/// What a fault is aimed at.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Target<'f> {
    /// A store.
    Store(&'f Name),
    /// Servers of a fleet.
    Servers {
        /// The fleet.
        fleet: &'f Name,
        /// Which of its servers.
        which: &'f Which,
    },
    /// The link between two parts.
    Link {
        /// One of them.
        from: &'f Part,
        /// The other.
        to: &'f Part,
        /// Which servers of the fleet among them.
        which: &'f Which,
    },
    /// The balancer.
    Balancer,
    /// A population of clients, or all of them.
    Clients(Option<&'f Name>),
}

/// Which servers of a fleet.
#[derive(Clone, PartialEq, Debug)]
pub enum Which {
    /// All.
    All,
    /// So many, the first ones.
    Count(u32),
    /// A share of them, the first ones, rounded up.
    Share(f64),
    /// These, by their names: "collectors-2".
    Named(Vec<Name>),
}

impl Which {
    /// Whether the server with this number in its fleet, from 0, is one of them.
    pub fn has(&self, fleet: &str, count: u32, number: u32) -> bool {
        match self {
            Which::All => true,
            Which::Count(n) => number < *n,
            Which::Share(share) => number < Share(*share).of_rounded_up(count),
            Which::Named(names) => names.iter().any(|name| number_of(fleet, &name.text) == Some(number)),
        }
    }

    fn problems(&self, fleet: &str, count: u32, found: &mut Vec<Problem>) {
        let Which::Named(names) = self else { return };
        for name in names {
            if number_of(fleet, &name.text).is_none_or(|number| number >= count) {
                let message = format!("no server \"{}\" in `{fleet}`", name.text);
                let help = format!("they are {fleet}-1 to {fleet}-{count}");
                found.push(Problem { span: name.span, message, help: Some(help) });
            }
        }
    }

    fn describe(&self, fleet: &str) -> String {
        match self {
            Which::All => fleet.to_string(),
            Which::Count(n) => format!("{n} of {fleet}"),
            Which::Share(share) => format!("{} of {fleet}", Share(*share).show()),
            Which::Named(names) => names.iter().map(|n| n.text.as_str()).collect::<Vec<_>>().join(", "),
        }
    }
}

/// The number of a server in its fleet, from 0, by its name.
fn number_of(fleet: &str, name: &str) -> Option<u32> {
    let number = name.strip_prefix(fleet)?.strip_prefix('-')?;
    let plain = number.bytes().all(|b| b.is_ascii_digit()) && !number.starts_with('0');
    number.parse::<u32>().ok().filter(|_| plain).map(|n| n - 1)
}

impl Setting for Which {
    fn read(value: &Value, reader: &mut Reader<'_>) -> Option<Self> {
        match &value.data {
            Data::Integer(0) => {
                reader.problem_with_help(value.span, "a fault of no server changes nothing", "\"all\", 1, or \"25%\"");
                None
            }
            Data::Integer(_) => u32::read(value, reader).map(Which::Count),
            Data::Text(text) if text == "all" => Some(Which::All),
            Data::Text(text) if text.contains(['%', '/']) => match parse_share(text) {
                Ok(share) => Some(Which::Share(share.0)),
                Err(why) => {
                    reader.problem(value.span, why);
                    None
                }
            },
            Data::Text(_) => Name::read(value, reader).map(|name| Which::Named(vec![name])),
            _ => Vec::<Name>::read(value, reader).map(Which::Named),
        }
    }
    fn form() -> Form {
        let all = Form::Choice(vec![("all", "Every server of the fleet.")]);
        Form::Either(vec![
            all,
            Form::Integer,
            Form::Amount("share", "25%"),
            Vec::<Name>::form(),
            Form::Text("a server"),
        ])
    }
    fn show(&self) -> String {
        match self {
            Which::All => "all".into(),
            Which::Count(n) => n.to_string(),
            Which::Share(share) => Share(*share).show(),
            Which::Named(names) => names.show(),
        }
    }
    fn toml(&self) -> String {
        match self {
            Which::Count(n) => n.to_string(),
            Which::Named(names) => names.toml(),
            other => quoted(&other.show()),
        }
    }
}

/// A part of the world that a link ends at.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Part {
    /// As written: "fleets.collectors".
    pub text: String,
    /// Where.
    pub span: Span,
}

/// What a part may be, from the clients inward: the words before the point.
const PARTS: [&str; 4] = ["clients", "balancer", "fleets", "stores"];

impl Part {
    fn split(&self) -> (&str, Option<&str>) {
        self.text.split_once('.').map_or((self.text.as_str(), None), |(kind, name)| (kind, Some(name)))
    }

    /// How far from the clients it is, from 0: clients, balancer, fleets, stores. Beyond these for anything else.
    pub fn rank(&self) -> usize {
        PARTS.iter().position(|part| *part == self.split().0).unwrap_or(PARTS.len())
    }

    /// Its name, where it has one.
    pub fn name(&self) -> Option<&str> {
        self.split().1
    }

    fn problems(&self, world: &WorldSpec, found: &mut Vec<Problem>) {
        let name = |text: &str| Name { text: text.into(), span: self.span };
        match self.split() {
            ("clients" | "balancer", None) => {}
            ("clients", Some(n)) => world.known(&name(n), "population of clients", world.clients.names(), found),
            ("fleets", Some(n)) => world.known(&name(n), "fleet", world.fleets.names(), found),
            ("stores", Some(n)) => world.known(&name(n), "store", world.stores.names(), found),
            _ => found.push(Problem {
                span: self.span,
                message: format!("no part \"{}\"", self.text),
                help: Some(
                    "\"clients\", \"clients.<name>\", \"balancer\", \"fleets.<name>\" or \"stores.<name>\"".into(),
                ),
            }),
        }
    }
}

impl Setting for Part {
    fn read(value: &Value, reader: &mut Reader<'_>) -> Option<Self> {
        Name::read(value, reader).map(|Name { text, span }| Part { text, span })
    }
    fn form() -> Form {
        Form::Text("fleets.collectors")
    }
    fn show(&self) -> String {
        self.text.clone()
    }
}

/// Two parts that a link joins.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Between(pub Part, pub Part);

impl Setting for Between {
    fn read(value: &Value, reader: &mut Reader<'_>) -> Option<Self> {
        match &value.data {
            Data::List(pair) if pair.len() == 2 => {
                Some(Between(Part::read(&pair[0], reader)?, Part::read(&pair[1], reader)?))
            }
            _ => {
                reader.expected(value, "two parts such as [\"balancer\", \"fleets.collectors\"]");
                None
            }
        }
    }
    fn form() -> Form {
        Form::Pair(Box::new(Part::form()), Box::new(Part::form()))
    }
    fn show(&self) -> String {
        format!("[{}, {}]", self.0.text, self.1.text)
    }
    fn toml(&self) -> String {
        format!("[{}, {}]", quoted(&self.0.text), quoted(&self.1.text))
    }
}

impl Target<'_> {
    /// What is wrong with it in a world.
    pub fn problems(&self, world: &WorldSpec, found: &mut Vec<Problem>) {
        match self {
            Target::Store(name) => world.known(name, "store", world.stores.names(), found),
            Target::Servers { fleet, which } => {
                world.known(fleet, "fleet", world.fleets.names(), found);
                if let Some(spec) = world.fleets.get(&fleet.text) {
                    which.problems(&fleet.text, spec.count, found);
                }
            }
            Target::Link { from, to, which } => link_problems(world, from, to, which, found),
            Target::Clients(Some(name)) => {
                world.known(name, "population of clients", world.clients.names(), found);
            }
            Target::Balancer | Target::Clients(None) => {}
        }
    }

    /// In a few words; empty where it goes without saying.
    pub fn describe(&self) -> String {
        match self {
            Target::Store(name) => name.text.clone(),
            Target::Servers { fleet, which } => which.describe(&fleet.text),
            Target::Link { from, to, which } => {
                let part = |part: &Part| match (part.rank(), part.name()) {
                    (2, Some(fleet)) => which.describe(fleet),
                    (_, name) => name.unwrap_or(&part.text).to_string(),
                };
                format!("{} and {}", part(from), part(to))
            }
            Target::Balancer => String::new(),
            Target::Clients(name) => name.map_or("all clients".into(), |name| name.text.clone()),
        }
    }
}

fn link_problems(world: &WorldSpec, from: &Part, to: &Part, which: &Which, found: &mut Vec<Problem>) {
    let before = found.len();
    from.problems(world, found);
    to.problems(world, found);
    if found.len() > before {
        return;
    }
    if let (2, 2, Some(one), Some(other)) = (from.rank(), to.rank(), from.name(), to.name()) {
        let asks = |one: &str, other: &str| world.callers_of(other).any(|at| world.fleets.0[at].0.text == one);
        if !asks(one, other) && !asks(other, one) {
            found.push(Problem {
                span: to.span,
                message: format!("neither of `{one}` and `{other}` asks the other"),
                help: Some("two fleets are linked where a step of one asks the other".into()),
            });
        } else if let Some(spec) = world.fleets.get(if asks(one, other) { other } else { one }) {
            // The servers are those of the one that is asked.
            which.problems(if asks(one, other) { other } else { one }, spec.count, found);
        }
        return;
    }
    if from.rank().abs_diff(to.rank()) != 1 {
        found.push(Problem {
            span: to.span,
            message: format!("there is no link between \"{}\" and \"{}\"", from.text, to.text),
            help: Some(
                "clients and balancer, balancer and fleet, fleet and store, and fleets that ask each other are linked"
                    .into(),
            ),
        });
        return;
    }
    let fleet = [from, to].into_iter().find(|part| part.rank() == 2).and_then(Part::name);
    match fleet.and_then(|name| Some((name, world.fleets.get(name)?.count))) {
        Some((name, count)) => which.problems(name, count, found),
        None if *which != Which::All => found.push(Problem {
            span: to.span,
            message: "`servers` needs a fleet at one end of the link".into(),
            help: Some("\"fleets.<name>\"".into()),
        }),
        None => {}
    }
}

/// Every target that a kind may have in a world, as the keys to set.
pub(super) fn targets(kind: &Kind, world: &WorldSpec) -> Vec<Vec<(&'static str, Data)>> {
    let text = |text: &str| Data::Text(text.into());
    let has = |key: &str| kind.fields.iter().any(|field| field.name == key);
    match kind.class {
        Class::Store => world.stores.names().map(|name| vec![("store", text(name))]).collect(),
        Class::Server => {
            let some = || [text("all"), Data::Integer(1), text("25%"), text("50%")];
            let of = |name| some().map(|which| vec![("fleet", text(name)), ("servers", which)]);
            world.fleets.names().flat_map(of).collect()
        }
        Class::Link => links(world)
            .into_iter()
            .flat_map(|(one, two)| match has("between") {
                true => vec![vec![("between", pair(&one, &two))]],
                false => {
                    vec![vec![("from", text(&one)), ("to", text(&two))], vec![("from", text(&two)), ("to", text(&one))]]
                }
            })
            .collect(),
        Class::Balancer => vec![Vec::new()],
        Class::Clients if has("to") => {
            let names: Vec<&str> = world.clients.names().collect();
            let pairs = names.iter().flat_map(|one| names.iter().map(move |two| (one, two)));
            pairs.filter(|(a, b)| a != b).map(|(a, b)| vec![("clients", text(a)), ("to", text(b))]).collect()
        }
        Class::Clients => {
            let each = world.clients.names().map(|name| vec![("clients", text(name))]);
            each.chain([Vec::new()]).collect()
        }
    }
}

fn pair(one: &str, two: &str) -> Data {
    let text = |text: &str| Value::new(Span::default(), Data::Text(text.into()));
    Data::List(vec![text(one), text(two)])
}

/// Every two parts of a world that a link joins and that talk to each other, the one nearer the clients first.
fn links(world: &WorldSpec) -> Vec<(String, String)> {
    let mut out = vec![("clients".to_string(), "balancer".to_string())];
    for (fleet, spec) in world.fleets.iter() {
        out.push(("balancer".into(), format!("fleets.{fleet}")));
        for store in world.stores.names() {
            let used = |name: &Option<Name>| name.as_ref().is_some_and(|name| name.text == store);
            let in_steps =
                spec.asks().any(|ask| ask.store().is_some_and(|name| name.text == store) || used(&ask.appends));
            if in_steps || spec.calls.iter().any(|(_, plan)| used(&plan.asks) || used(&plan.appends)) {
                out.push((format!("fleets.{fleet}"), format!("stores.{store}")));
            }
        }
        for caller in world.callers_of(fleet) {
            out.push((format!("fleets.{}", world.fleets.0[caller].0.text), format!("fleets.{fleet}")));
        }
    }
    out
}
