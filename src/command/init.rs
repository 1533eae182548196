//! `brownout init`: a small commented scenario to start from, and beside it the schema for the editor.

use crate::terminal::{Terminal, line};
use brownout::exit::Exit;
use brownout::output::files::{self, WriteError};
use brownout::output::text::shell;
use brownout::scenarios::schema;
use std::path::{Path, PathBuf};

/// The scenario that is written; a file of the catalogue like any other.
const TEMPLATE: &str = include_str!("../../scenarios/template.toml");
/// The one that is written with `--estate`.
const ESTATE: &str = include_str!("../../scenarios/estate/shop.toml");
/// The schema's file, as the template's first line names it.
const SCHEMA: &str = "brownout.schema.json";

/// Arguments of `init`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The file to write
    #[arg(default_value = "brownout.toml")]
    file: PathBuf,
    /// A shop of five services with a cache and two databases, in the place of one service
    #[arg(long)]
    estate: bool,
    /// Overwrite the file if it is there
    #[arg(long)]
    force: bool,
    /// Print the scenario instead of writing it
    #[arg(long, conflicts_with_all = ["force", "file"])]
    stdout: bool,
}

/// Runs the subcommand.
pub fn run(args: &Args, terminal: &Terminal) -> Exit {
    let (text, what) = match args.estate {
        // The first line of the template names the schema.
        true => (format!("{}\n{ESTATE}", TEMPLATE.lines().next().unwrap_or_default()), "a shop of five services"),
        false => (TEMPLATE.to_string(), "a small system"),
    };
    if args.stdout {
        terminal.say(&text);
        return Exit::Fine;
    }
    let name = line(&args.file.display());
    if let Err(why) = write(&args.file, &text, args.force) {
        if why.is_there_already() {
            terminal.complain(&format!("error: {name} is there already; --force overwrites it, or name another file"));
            return Exit::Usage;
        }
        terminal.complain(&format!("error: {why}"));
        return Exit::Limit;
    }
    let beside = args.file.with_file_name(SCHEMA);
    // Beside a device or a pipe no editor looks for it.
    let written = args.file.is_file().then(|| write(&beside, &schema(), args.force));
    let schema = match written.unwrap_or(Ok(())) {
        Ok(()) if !args.file.is_file() => String::new(),
        Ok(()) => format!("wrote {} for your editor: it completes keys and marks slips\n", line(&beside.display())),
        // An older one still serves; --force renews it.
        Err(why) if why.is_there_already() => String::new(),
        Err(why) => {
            terminal.complain(&format!("error: {why}"));
            return Exit::Limit;
        }
    };
    let word = shell(&args.file.display().to_string());
    terminal.say(&format!(
        "wrote {name}: {what} to start from\n{schema}
  brownout check {word}      after each change: every mistake, with its place
  brownout run {word}        what is lost as it is, and why
  brownout list {word}       the designs to compare
  brownout compare {word}    which of them would have helped\n"
    ));
    Exit::Fine
}

/// Writes a file that must not be there yet, unless it may be overwritten.
fn write(path: &Path, text: &str, force: bool) -> Result<(), WriteError> {
    if force { files::write(path, text.as_bytes()) } else { files::create(path, text.as_bytes()) }
}
