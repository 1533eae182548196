//! The last lines: how to repeat the run, and what to do next.

use super::Context;
use super::page::{Ink, Line, Page};
use crate::text;
use brownout_sim::outcome::Outcome;

/// The words of the command that repeats the run, quoted for a shell.
pub(super) fn repeat(outcome: &Outcome) -> Vec<String> {
    let mut words = vec!["brownout run".to_owned(), text::shell(&outcome.scenario)];
    words.extend(outcome.asked.iter().map(|design| format!("--design {}", text::shell(design))));
    words.extend(outcome.set.iter().map(|set| format!("--set {}", text::shell(set))));
    words.extend(outcome.options.iter().cloned());
    words.push(format!("--seed {}", outcome.seed));
    words
}

pub(super) fn repeat_and_next(context: &Context<'_>, page: &mut Page) {
    // One line, however long: a command broken in two is one that pastes badly.
    page.line(Line::label("repeat").add(Ink::Bold, &repeat(context.outcome).join(" ")).whole());
    // On a line of its own, so that it is not pasted with the command.
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
        let mut outcome = Outcome { scenario: "my day.toml".into(), ..Outcome::default() };
        assert_eq!(repeat(&outcome).join(" "), "brownout run 'my day.toml' --seed 0");
        outcome.asked = vec!["isolation=bulkhead".into(), "thrifty".into()];
        outcome.set = vec!["clients.browsers.rate=\"9/s\"".into()];
        assert_eq!(
            repeat(&outcome)[2..].join(" "),
            "--design isolation=bulkhead --design thrifty --set 'clients.browsers.rate=\"9/s\"' --seed 0"
        );
    }
}
