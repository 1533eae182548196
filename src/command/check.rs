//! `brownout check`: reads scenario files and reports every mistake and every key without effect; runs nothing.

use super::loading::Strictness;
use super::prose::counted;
use crate::terminal::{Terminal, line};
use brownout::exit::Exit;
use brownout::scenarios::{Notice, Request};
use brownout::sim::outcome::Warning;
use serde_json::json;
use std::path::{Path, PathBuf};

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
    /// Print one JSON document with every mistake and warning of each file and its place, instead of text
    #[arg(long)]
    json: bool,
}

/// Runs the subcommand.
pub fn run(args: &Args, terminal: &Terminal) -> Exit {
    if args.json { documents(args, terminal) } else { texts(args, terminal) }
}

fn texts(args: &Args, terminal: &Terminal) -> Exit {
    let mut exit = Exit::Fine;
    for path in args.files.iter().take_while(|_| !terminal.is_stopped()) {
        let name = line(&path.display());
        match args.strictness.load(&args.request(path), terminal) {
            Ok(scenario) => terminal.say(&match scenario.warnings.warning_count() {
                0 => format!("{name}: fine ({})", line(&scenario.title)),
                n => format!("{name}: fine, with {}", counted(n as u64, "warning")),
            }),
            Err(mistakes) => exit = mistakes,
        }
    }
    exit
}

fn documents(args: &Args, terminal: &Terminal) -> Exit {
    let (mut exit, mut files) = (Exit::Fine, Vec::new());
    for path in args.files.iter().take_while(|_| !terminal.is_stopped()) {
        let (title, mistakes, warnings) = match args.strictness.read(&args.request(path)) {
            Ok(scenario) => (Some(scenario.title.clone()), Vec::new(), scenario.warnings.notices()),
            Err(found) => {
                exit = Exit::from(&found);
                (None, found.mistakes(), found.notices())
            }
        };
        files.push(json!({
            "file": path.display().to_string(),
            "title": title,
            "fine": mistakes.is_empty(),
            "mistakes": mistakes.into_iter().map(shown).collect::<Vec<_>>(),
            "warnings": warnings.into_iter().map(shown).collect::<Vec<_>>(),
        }));
    }
    let document = json!({ "version": 1, "files": files, "interrupted": terminal.is_stopped() });
    terminal.document("what was found", serde_json::to_string_pretty(&document)).err().unwrap_or(exit)
}

/// As in the `warnings` of a run's document.
fn shown(Notice { message, help, source, line, column }: Notice) -> Warning {
    Warning { message, help, source, line, column }
}

impl Args {
    fn request<'a>(&'a self, path: &'a Path) -> Request<'a> {
        Request { path, set: &self.set, design: &self.design }
    }
}
