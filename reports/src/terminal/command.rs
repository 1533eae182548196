//! The last lines: how to repeat the run, and what to do next.

use super::page::{Ink, Line, Page};
use super::{Context, LABEL};
use crate::text;
use brownout_sim::outcome::Outcome;

/// The words of the command that repeats the run, quoted for a shell.
fn repeat(outcome: &Outcome) -> Vec<String> {
    let mut words = vec!["brownout run".to_owned(), text::shell(&outcome.scenario)];
    for point in outcome.design.split_whitespace().filter(|point| point.contains('=')) {
        words.push(format!("--design {}", text::shell(point)));
    }
    words.extend(outcome.set.iter().map(|set| format!("--set {}", text::shell(set))));
    words.push(format!("--seed {}", outcome.seed));
    words
}

pub(super) fn repeat_and_next(context: &Context<'_>, page: &mut Page) {
    let indent = " ".repeat(2 + LABEL);
    let mut lines = vec![String::new()];
    for word in repeat(context.outcome) {
        // Room for the continuation: a space and a backslash.
        let line = lines.last().map_or(0, |line| text::width(line));
        if line > 0 && line + 1 + text::width(&word) > context.room() - 2 {
            lines.push("  ".to_owned());
        }
        if let Some(line) = lines.last_mut() {
            if !line.trim().is_empty() {
                line.push(' ');
            }
            line.push_str(&word);
        }
    }
    for (i, command) in lines.iter().enumerate() {
        let last = i + 1 == lines.len();
        let mut line = if i == 0 { Line::label("repeat") } else { Line::new().plain(&indent) };
        line = line.add(Ink::Bold, command).whole();
        if !last {
            line = line.plain(" \\");
        }
        page.line(line);
    }
    // On a line of its own: whoever pastes the command must not paste this.
    if !context.outcome.digest.is_empty() {
        page.line(Line::label("digest").plain(&context.fit(&context.outcome.digest, 32)));
    }
    next(context, page);
}

fn next(context: &Context<'_>, page: &mut Page) {
    let mut steps = vec![("--out DIR", "the day as pictures, CSV and JSON")];
    if !context.outcome.assumptions.is_empty() && !context.style.detail.assumptions {
        steps.push(("--assumptions", "every number, its range and its reason"));
    }
    if !context.outcome.timeline.steps.is_empty() && !context.style.detail.timeline {
        steps.push(("--timeline", "the day as a table"));
    }
    for (i, (flag, what)) in steps.iter().enumerate() {
        let label = if i == 0 { "next" } else { "" };
        page.line(Line::label(label).plain(&format!("{flag:<14} ")).add(Ink::Dim, what));
    }
    page.gap();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn designs_and_overrides_become_options() {
        let mut outcome = Outcome { scenario: "my day.toml".into(), design: "as written".into(), ..Outcome::default() };
        assert_eq!(repeat(&outcome).join(" "), "brownout run 'my day.toml' --seed 0");
        outcome.design = "isolation=bulkhead mechanism=crash-loop".into();
        outcome.set = vec!["clients.browsers.rate=\"9/s\"".into()];
        assert_eq!(
            repeat(&outcome)[2..].join(" "),
            "--design isolation=bulkhead --design mechanism=crash-loop --set 'clients.browsers.rate=\"9/s\"' --seed 0"
        );
    }
}
