//! `brownout explain-call`: what one call went through, and what became of it.

use crate::terminal::Terminal;
use brownout::exit::Exit;
use brownout::models::metrics::populations;
use brownout::models::setting::Clock;
use brownout::models::units::Ns;
use brownout::reports::story;
use brownout::scenarios::{Request, Scenario, load};
use brownout::sim::ledger::Imbalance;
use brownout::sim::run::Ended;
use brownout::sim::trace::{Sought, Story, Which, follow, seek, tell};
use std::path::PathBuf;

/// Arguments of `explain-call`.
#[derive(clap::Args, Debug)]
#[command(group = clap::ArgGroup::new("which").required(true)
    .args(["id", "first_dropped", "first_failed", "first_retried", "slowest"]))]
pub struct Args {
    /// The scenario file
    file: PathBuf,
    /// The call of this number, from 1, in the order in which calls are offered
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    id: Option<u64>,
    /// The first call whose data is dropped: of all, of a kind (track) or of a population (track.browsers)
    #[arg(long, value_name = "CALLS", num_args = 0..=1, default_missing_value = "all")]
    first_dropped: Option<String>,
    /// The first call whose client gives it up
    #[arg(long, value_name = "CALLS", num_args = 0..=1, default_missing_value = "all")]
    first_failed: Option<String>,
    /// The first call that its client sends again
    #[arg(long, value_name = "CALLS", num_args = 0..=1, default_missing_value = "all")]
    first_retried: Option<String>,
    /// The call that was answered ok after the longest time
    #[arg(long, value_name = "CALLS", num_args = 0..=1, default_missing_value = "all")]
    slowest: Option<String>,
    /// Of the calls offered from then on: 11:46, or 20s
    #[arg(long, value_name = "TIME", conflicts_with = "id")]
    from: Option<String>,
    /// Of the calls offered before then
    #[arg(long, value_name = "TIME", conflicts_with = "id")]
    to: Option<String>,
    /// The seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Take a design: a point of an axis (bulkhead, isolation=bulkhead) or a named design; may be repeated
    #[arg(long, value_name = "DESIGN")]
    design: Vec<String>,
    /// Change a value: path=value; may be repeated
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Print the story as one JSON document
    #[arg(long)]
    json: bool,
}

/// Runs the subcommand.
pub fn run(args: &Args, terminal: &Terminal) -> Exit {
    let scenario = match load(&Request { path: &args.file, set: &args.set, design: &args.design }) {
        Ok(scenario) => scenario,
        Err(mistakes) => {
            terminal.complain_at_length(&mistakes.render(terminal.color_stderr()));
            return Exit::from(&mistakes);
        }
    };
    let ask = match Ask::of(args, &scenario) {
        Ok(ask) => ask,
        Err(why) => {
            terminal.complain(&format!("error: {why}"));
            return Exit::Usage;
        }
    };
    match explain(args, &ask, &scenario, terminal) {
        Ok(exit) => exit,
        Err(imbalance) => {
            terminal.complain(&format!("error: {imbalance}"));
            terminal.complain("This is a bug in Brownout.");
            Exit::Broken
        }
    }
}

/// Which call is asked for.
enum Ask<'a> {
    Number(u64),
    Sought(Sought, &'a str, (Ns, Ns)),
}

impl<'a> Ask<'a> {
    fn of(args: &'a Args, scenario: &Scenario) -> Result<Ask<'a>, String> {
        let by = [
            (Sought::FirstDropped, &args.first_dropped),
            (Sought::FirstFailed, &args.first_failed),
            (Sought::FirstRetried, &args.first_retried),
            (Sought::Slowest, &args.slowest),
        ];
        let sought = by.into_iter().find_map(|(sought, subject)| Some((sought, subject.as_deref()?)));
        let Some((sought, subject)) = sought else { return Ok(Ask::Number(args.id.unwrap_or_default())) };
        if populations(subject, &scenario.plan.spec).is_empty() {
            let known = scenario.plan.spec.kinds().join(", ");
            return Err(format!("no calls \"{subject}\"; there are: {known}, all"));
        }
        let read = |option: &str, text: &Option<String>, otherwise: Ns| match text {
            Some(text) => scenario.calendar.moment(text).map_err(|why| format!("--{option}: {why}")),
            None => Ok(otherwise),
        };
        let over = (read("from", &args.from, Ns::ZERO)?, read("to", &args.to, Ns::NEVER)?);
        match over.0 < over.1 {
            true => Ok(Ask::Sought(sought, subject, over)),
            false => Err("--to is not after --from".into()),
        }
    }
}

/// That there is no such call, and what else may be asked.
fn none_such(sought: Sought, args: &Args) -> String {
    let none = match sought {
        Sought::FirstDropped => "no such call is dropped",
        Sought::FirstFailed => "no client gives such a call up",
        Sought::FirstRetried => "no client sends such a call again",
        Sought::Slowest => "no such call is answered ok",
    };
    let over = if args.from.is_some() || args.to.is_some() { "of those offered then, " } else { "" };
    format!("error: {over}{none} in this run; --id N tells of any call")
}

/// There is no call to tell of: why not, and how to end.
fn without(ended: Ended, terminal: &Terminal, none: &str) -> Exit {
    let (why, exit) = match (ended, ended.advice()) {
        (Ended::Interrupted, _) => ("interrupted: the call was not found yet".into(), Exit::Interrupted),
        (_, Some(limit)) => (format!("error: the call was not found yet: {limit}"), Exit::Limit),
        (_, None) => (none.to_string(), Exit::Usage),
    };
    terminal.complain(&why);
    exit
}

fn explain(args: &Args, ask: &Ask<'_>, scenario: &Scenario, terminal: &Terminal) -> Result<Exit, Imbalance> {
    let stop = Some(&**terminal.stop());
    let which = match *ask {
        Ask::Number(id) => Which::Number(id),
        Ask::Sought(sought, subject, over) => match seek(scenario, args.seed, sought, (subject, over), stop)? {
            Ok(which) => which,
            Err(ended) => return Ok(without(ended, terminal, &none_such(sought, args))),
        },
    };
    let followed = follow(scenario, args.seed, which, stop)?;
    let Some(life) = followed.lives.first() else {
        let (id, offered) = (args.id.unwrap_or_default(), followed.run.ledger().offered());
        let none = format!("error: no call {id}: the run has {offered}");
        return Ok(without(followed.ended.unwrap_or(Ended::Complete), terminal, &none));
    };
    let interrupted = followed.ended == Some(Ended::Interrupted);
    let story = Story { interrupted, ..tell(scenario, followed.run.world(), life) };
    if args.json {
        if let Err(exit) = terminal.document("the story", serde_json::to_string_pretty(&story)) {
            return Ok(exit);
        }
    } else {
        let file = args.file.display().to_string();
        let repeat = story::repeat(&file, &args.design, &args.set, args.seed, story.number);
        terminal.say(&story::text(&story, &repeat, &terminal.style()));
    }
    let limit = followed.ended.and_then(Ended::advice);
    if let Some(limit) = &limit {
        terminal.complain(&format!("error: the story is not all: {limit}"));
    } else if interrupted {
        terminal.complain("interrupted: the story is not all");
    }
    Ok(match limit {
        Some(_) => Exit::Limit,
        None if interrupted => Exit::Interrupted,
        None => Exit::Fine,
    })
}
