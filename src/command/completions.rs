//! `brownout completions`: a completion script for a shell.

use crate::terminal::Terminal;
use brownout::exit::Exit;
use clap::CommandFactory;

/// Writes the script to stdout.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The shell
    shell: clap_complete::Shell,
}

/// Runs the subcommand.
pub fn run(args: &Args, terminal: &Terminal) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::Cli::command(), "brownout", &mut script);
    terminal.say_as_it_stands(&String::from_utf8_lossy(&script));
    Exit::Fine
}
