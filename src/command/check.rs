//! `brownout check`: reads scenario files and reports every mistake and every key without effect; runs nothing.

use super::loading::Strictness;
use super::prose::counted;
use crate::terminal::{Terminal, line};
use brownout::exit::Exit;
use brownout::scenarios::Request;
use std::path::PathBuf;

/// Arguments of `check`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Scenario files
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Change a value: path=value, as in balancer.health.interval=5s
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Take a design: a point of an axis (bulkhead, isolation=bulkhead) or a named design
    #[arg(long, value_name = "DESIGN")]
    design: Vec<String>,
    #[command(flatten)]
    strictness: Strictness,
}

/// Runs the subcommand.
pub fn run(args: &Args, terminal: &Terminal) -> Exit {
    let mut exit = Exit::Fine;
    for path in args.files.iter().take_while(|_| !terminal.is_stopped()) {
        let name = line(&path.display());
        match args.strictness.load(&Request { path, set: &args.set, design: &args.design }, terminal) {
            Ok(scenario) => terminal.say(&match scenario.warnings.warning_count() {
                0 => format!("{name}: fine ({})", line(&scenario.title)),
                n => format!("{name}: fine, with {}", counted(n as u64, "warning")),
            }),
            Err(mistakes) => exit = mistakes,
        }
    }
    exit
}
