//! The command `brownout`.

#![warn(clippy::unwrap_used)]

mod command;
mod patience;
mod terminal;

use brownout::exit::Exit;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// If this dependency goes bad, what else do we lose, and which design would have saved it?
#[derive(Parser, Debug)]
#[command(version, propagate_version = true, after_help = Exit::help(), max_term_width = 100)]
pub struct Cli {
    /// Colour the output
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    color: terminal::Color,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run a scenario once, from a seed, and show what was dropped and why
    Run(command::run::Args),
    /// Cross designs and see which of them help, at what price, and how sure that is
    Compare(command::compare::Args),
    /// Run scenarios under their designs and seeds, and see whether what they expect holds: for CI
    Test(command::test::Args),
    /// Search for the smallest schedule of faults that breaks a design
    Hunt(Box<command::hunt::Args>),
    /// Make one HTML file for a design review, from a scenario or from what was saved
    Report(Box<command::report::Args>),
    /// Make one HTML file to play with: the scenario first, its report second
    Play(command::play::Args),
    /// Plan a great many runs, let any number of machines compute them, and put them into one table
    Sweep(Box<command::sweep::Args>),
    /// Compare two saved outcomes or matrices in words and numbers, as Markdown
    Diff(command::diff::Args),
    /// Read scenario files and report every mistake; run nothing
    Check(command::check::Args),
    /// Write a small commented scenario to start from
    Init(command::init::Args),
    /// List presets, faults, actions, metrics, keys, or the designs of a file
    List(command::list::Args),
    /// Say all that is known of a name: a preset with its numbers, a fault, a key, a design
    Explain(command::explain::Args),
    /// Tell what one call of a run went through, and what became of it
    ExplainCall(command::explain_call::Args),
    /// Write a completion script for a shell to stdout
    Completions(command::completions::Args),
}

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => {
            let terminal = terminal::Terminal::new(cli.color);
            terminal.finish(cli.command.run(&terminal)).into()
        }
        Err(said) => {
            let terminal = terminal::Terminal::new(terminal::Color::Auto);
            terminal.finish(terminal.usage(&said)).into()
        }
    }
}

impl Command {
    fn run(&self, terminal: &terminal::Terminal) -> Exit {
        match self {
            Command::Run(args) => command::run::run(args, terminal),
            Command::Compare(args) => command::compare::run(args, terminal),
            Command::Test(args) => command::test::run(args, terminal),
            Command::Hunt(args) => command::hunt::run(args, terminal),
            Command::Report(args) => command::report::run(args, terminal),
            Command::Play(args) => command::play::run(args, terminal),
            Command::Sweep(args) => command::sweep::run(args, terminal),
            Command::Diff(args) => command::diff::run(args, terminal),
            Command::Check(args) => command::check::run(args, terminal),
            Command::Init(args) => command::init::run(args, terminal),
            Command::List(args) => command::list::run(args, terminal),
            Command::Explain(args) => command::explain::run(args, terminal),
            Command::ExplainCall(args) => command::explain_call::run(args, terminal),
            Command::Completions(args) => command::completions::run(args, terminal),
        }
    }
}
