//! `brownout explain-call`: what one call went through, and what became of it.

use crate::terminal::Terminal;
use brownout::exit::Exit;
use brownout::models::metrics::populations;
use brownout::reports::story;
use brownout::scenarios::{Request, Scenario, load};
use brownout::sim::ledger::Imbalance;
use brownout::sim::trace::{Which, first_dropped, follow, tell};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

/// Arguments of `explain-call`.
#[derive(clap::Args, Debug)]
#[command(group = clap::ArgGroup::new("which").required(true).args(["id", "first_dropped"]))]
pub struct Args {
    /// The scenario file
    file: PathBuf,
    /// The call of this number, from 1, in the order in which calls are offered
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    id: Option<u64>,
    /// The first call whose data is dropped: of all, of a kind (track) or of a population (track.browsers)
    #[arg(long, value_name = "CALLS", num_args = 0..=1, default_missing_value = "all")]
    first_dropped: Option<String>,
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
            return Exit::Usage;
        }
    };
    if let Some(subject) = args.first_dropped.as_deref().filter(|s| populations(s, &scenario.plan.spec).is_empty()) {
        let known = scenario.plan.spec.kinds().join(", ");
        terminal.complain(&format!("error: no calls \"{subject}\"; there are: {known}, all"));
        return Exit::Usage;
    }
    match explain(args, &scenario, terminal.stop(), terminal) {
        Ok(exit) => exit,
        Err(imbalance) => {
            terminal.complain(&format!("error: {imbalance}"));
            terminal.complain("This is a bug in Brownout.");
            Exit::Broken
        }
    }
}

fn explain(args: &Args, scenario: &Scenario, stop: &AtomicBool, terminal: &Terminal) -> Result<Exit, Imbalance> {
    let which = match (args.id, &args.first_dropped) {
        (Some(id), _) => Some(Which::Number(id)),
        (None, Some(subject)) => first_dropped(scenario, args.seed, subject, Some(stop))?,
        (None, None) => None,
    };
    let stopped = || stop.load(Ordering::Relaxed);
    let Some(which) = which else {
        if stopped() {
            return Ok(Exit::Interrupted);
        }
        terminal.complain("error: no such call is dropped in this run; --id N tells of any call");
        return Ok(Exit::Usage);
    };
    let followed = follow(scenario, args.seed, which, Some(stop))?;
    let Some(life) = followed.lives.first() else {
        if stopped() {
            return Ok(Exit::Interrupted);
        }
        let offered = followed.run.ledger().offered();
        terminal.complain(&format!("error: no call {}: the run has {offered}", args.id.unwrap_or_default()));
        return Ok(Exit::Usage);
    };
    let story = tell(scenario, followed.run.world(), life);
    if args.json {
        if let Err(exit) = terminal.document("the story", serde_json::to_string_pretty(&story)) {
            return Ok(exit);
        }
    } else {
        let file = args.file.display().to_string();
        let repeat = story::repeat(&file, &args.design, &args.set, args.seed, story.number);
        terminal.say(&story::text(&story, &repeat, &terminal.style()));
    }
    Ok(if stopped() { Exit::Interrupted } else { Exit::Fine })
}
