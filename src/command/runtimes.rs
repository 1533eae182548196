//! `brownout compare --runtimes`: the same scenario on several runtimes, side by side.

use super::prose::counted;
use super::runtime::{Failure, Part, Runtime, cannot, simulate};
use crate::terminal::Terminal;
use brownout::exit::Exit;
use brownout::reports::runtimes::{Side, table, to_json};
use brownout::scenarios::{Request, load};

/// Runs a scenario under seeds on each runtime, one after the other, and prints the figures side by side.
pub fn run(
    request: &Request<'_>,
    part: &Part,
    runtimes: &[Runtime],
    seeds: std::ops::Range<u64>,
    json: bool,
    terminal: &Terminal,
) -> Exit {
    let told_apart = runtimes.iter().enumerate().all(|(at, runtime)| !runtimes[..at].contains(runtime));
    if runtimes.len() < 2 || !told_apart {
        terminal
            .complain("error: --runtimes compares several with each other, each named once: --runtimes kernel,madsim");
        return Exit::Usage;
    }
    let mut scenario = match load(request) {
        Ok(scenario) => scenario,
        Err(mistakes) => {
            terminal.complain_at_length(&mistakes.render(terminal.color_stderr()));
            return Exit::from(&mistakes);
        }
    };
    let from = match part.take(&mut scenario, terminal) {
        Ok(from) => from,
        Err(exit) => return exit,
    };
    // Before any of them has begun, so that no result is computed that cannot be kept.
    if let Some(failure) = runtimes.iter().find_map(|runtime| cannot(*runtime)) {
        return failure.tell(seeds.start, terminal);
    }
    let mut sides: Vec<Side> = Vec::new();
    'all: for runtime in runtimes {
        sides.push(Side { runtime: runtime.word(), outcomes: Vec::new() });
        for seed in seeds.clone() {
            match simulate(*runtime, &scenario, seed, from, terminal.stop()) {
                Ok(outcome) if outcome.ended == "complete" => {
                    let Some(side) = sides.last_mut() else { break 'all };
                    side.outcomes.push(outcome);
                }
                Ok(outcome) if outcome.ended.starts_with("interrupted") => break 'all,
                Ok(outcome) => return Failure::Machine(outcome.ended).tell(seed, terminal),
                Err(failure) => return failure.tell(seed, terminal),
            }
        }
    }
    let runs: Vec<String> = sides.iter().map(|s| format!("{} {}", s.outcomes.len(), s.runtime)).collect();
    let interrupted = sides.len() < runtimes.len() || sides.iter().any(|s| s.outcomes.len() < seeds.clone().count());
    // A runtime of which no run is finished has nothing to show.
    sides.retain(|side| !side.outcomes.is_empty());
    if json {
        if let Err(exit) = terminal.document("the comparison", to_json(&sides, interrupted)) {
            return exit;
        }
    } else {
        terminal.say(&table(&sides, &terminal.style()));
    }
    if interrupted {
        terminal.complain(&format!(
            "interrupted: of {} each, finished: {}",
            counted(seeds.count() as u64, "run"),
            runs.join(", ")
        ));
        return Exit::Interrupted;
    }
    Exit::Fine
}
