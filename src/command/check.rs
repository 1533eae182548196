//! `brownout check`: reads scenario files and reports every mistake; runs nothing.

use crate::terminal::Terminal;
use brownout::exit::Exit;
use brownout::scenarios::{Request, load};
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
}

/// Runs the subcommand.
pub fn run(args: &Args, terminal: &Terminal) -> Exit {
    let mut exit = Exit::Fine;
    for path in &args.files {
        match load(&Request { path, set: &args.set, design: &args.design }) {
            Ok(scenario) => terminal.say(&format!("{}: fine ({})", path.display(), scenario.title)),
            Err(mistakes) => {
                terminal.complain(&mistakes.render(terminal.color_stderr()));
                exit = Exit::Usage;
            }
        }
    }
    exit
}
