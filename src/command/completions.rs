//! `brownout completions`: a completion script for a shell.

use brownout::exit::Exit;
use clap::CommandFactory;

/// Writes the script to stdout.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The shell
    shell: clap_complete::Shell,
}

/// Runs the subcommand.
pub fn run(args: &Args) -> Exit {
    clap_complete::generate(args.shell, &mut crate::Cli::command(), "brownout", &mut std::io::stdout());
    Exit::Fine
}
