//! `brownout diff`: two saved outcomes or two saved matrices, compared as Markdown.

use crate::terminal::Terminal;
use brownout::exit::Exit;
use brownout::reports::diff::{self, Diff};
use brownout::reports::saved::{Files, Saved};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Arguments of `diff`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The document before: of run --json, or of compare --json
    before: PathBuf,
    /// The document after, of the same kind
    after: PathBuf,
    /// End with exit code 1 if the second is worse, or if anything differs
    #[arg(long, value_name = "IF", value_enum)]
    fail_on: Option<FailOn>,
    /// Print one JSON document: differs, worse, markdown
    #[arg(long)]
    json: bool,
}

/// When to end with exit code 1.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum FailOn {
    /// More calls of a kind are dropped or failed; of matrices, beyond chance, or a design that looked safe has a bad run
    Worse,
    /// Anything differs apart from what depends on the machine
    Any,
}

/// Runs the subcommand.
pub fn run(args: &Args, terminal: &Terminal) -> Exit {
    let mut files = Files::default();
    let both = files.read(&args.before).and_then(|before| Ok((before, files.read(&args.after)?)));
    let diff = match both.and_then(|both| compare(args, &both)) {
        Ok(diff) => diff,
        Err(why) => {
            terminal.complain(&format!("error: {why}"));
            return Exit::Usage;
        }
    };
    if args.json {
        let document = json!({ "differs": diff.differs, "worse": diff.worse, "markdown": diff.markdown });
        if let Err(exit) = terminal.document("the comparison", serde_json::to_string_pretty(&document)) {
            return exit;
        }
    } else {
        terminal.say(&diff.markdown);
    }
    match args.fail_on {
        Some(FailOn::Worse) if diff.worse => Exit::Violated,
        Some(FailOn::Any) if diff.differs => Exit::Violated,
        _ => Exit::Fine,
    }
}

fn compare(args: &Args, both: &(Saved, Saved)) -> Result<Diff, String> {
    let (a, b) = (args.before.display().to_string(), args.after.display().to_string());
    let place = |path: &Path| path.canonicalize().ok();
    if place(&args.before).is_some_and(|before| Some(before) == place(&args.after)) {
        return Err(format!("{a} and {b} are the same file: there is nothing to compare"));
    }
    if let Some(why) = apart(both) {
        return Err(format!("{a} and {b} {why}: there is nothing to compare"));
    }
    match both {
        (Saved::Run(first), Saved::Run(second)) => Ok(diff::outcomes((&a, first), (&b, second))),
        (Saved::Comparison(first), Saved::Comparison(second)) => Ok(diff::comparisons((&a, first), (&b, second))),
        _ => Err(format!("{a} and {b} are not both outcomes or both comparisons: only like is compared with like")),
    }
}

/// Why two documents of one kind have nothing that could be compared.
fn apart(both: &(Saved, Saved)) -> Option<&'static str> {
    match both {
        (Saved::Run(a), Saved::Run(b)) if !a.calls.keys().any(|kind| b.calls.contains_key(kind)) => {
            Some("have no kind of call in common")
        }
        (Saved::Comparison(a), Saved::Comparison(b)) if a.metric != b.metric => Some("compare different metrics"),
        (Saved::Comparison(a), Saved::Comparison(b)) if !diff::have_cells_in_common(a, b) => {
            Some("have no cell in common")
        }
        _ => None,
    }
}
