//! `brownout run --trace`: a part of the run as a Chrome trace.

use crate::terminal::Terminal;
use brownout::exit::Exit;
use brownout::models::setting::Clock;
use brownout::models::units::Ns;
use brownout::output::files::{Draft, WriteError, probe};
use brownout::reports::trace::{About, write};
use brownout::scenarios::Scenario;
use brownout::sim::outcome::Outcome;
use brownout::sim::trace::{Which, follow, spans};
use std::io::BufWriter;
use std::path::PathBuf;

/// Most calls of a trace: about a kilobyte of the file each.
const MOST: u64 = 50_000;
/// How long before something goes wrong a trace begins, unless told when.
const BEFORE: Ns = Ns::secs(5);

/// Options of a trace.
#[derive(clap::Args, Debug)]
pub struct TraceArgs {
    /// Write calls of the run as a Chrome trace (chrome://tracing, Perfetto) in simulated time
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Trace calls offered from then on: 11:46, or 20s [default: 5 s before something goes wrong, or the window]
    #[arg(long, value_name = "TIME", requires = "trace")]
    trace_from: Option<String>,
    /// Trace calls offered before then
    #[arg(long, value_name = "TIME", requires = "trace")]
    trace_to: Option<String>,
    /// Trace at most so many calls, up to 50000
    #[arg(long, value_name = "N", requires = "trace", default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..=MOST))]
    trace_calls: u64,
}

impl TraceArgs {
    /// Whether a trace is to be written.
    pub fn is_asked(&self) -> bool {
        self.trace.is_some()
    }

    /// Whether the trace could be written.
    ///
    /// # Errors
    /// [`WriteError`], which names the file.
    pub fn probe(&self) -> Result<(), WriteError> {
        self.trace.as_deref().map_or(Ok(()), probe)
    }

    /// What to trace, as far as it can be told before the run: the bounds given.
    ///
    /// # Errors
    /// A time that is none of the run.
    pub fn check(&self, scenario: &Scenario) -> Result<Bounds, String> {
        let read = |name: &str, text: &Option<String>| match text {
            Some(text) => scenario.calendar.moment(text).map(Some).map_err(|why| format!("--trace-{name}: {why}")),
            None => Ok(None),
        };
        let bounds = Bounds { from: read("from", &self.trace_from)?, to: read("to", &self.trace_to)? };
        match bounds {
            Bounds { from: Some(from), to: Some(to) } if from >= to => {
                Err("--trace-to is not after --trace-from".into())
            }
            bounds => Ok(bounds),
        }
    }

    /// Runs the scenario once more, looking on, and writes the trace, if one is asked for. One without calls is vacuous.
    ///
    /// # Errors
    /// A message.
    pub fn write(
        &self,
        scenario: &Scenario,
        outcome: &Outcome,
        bounds: Bounds,
        terminal: &Terminal,
    ) -> Result<Exit, String> {
        let Some(path) = &self.trace else { return Ok(Exit::Fine) };
        let from = bounds.from.unwrap_or_else(|| beginning(scenario, outcome));
        let to = bounds.to.unwrap_or(Ns::NEVER);
        let which = Which::Between(from, to, self.trace_calls as usize);
        let followed = follow(scenario, outcome.seed, which, Some(terminal.stop()));
        let followed = followed.map_err(|imbalance| imbalance.to_string())?;
        if terminal.is_stopped() {
            terminal.complain("interrupted: no trace was written");
            return Ok(Exit::Interrupted);
        }
        let spans = spans(scenario, &followed);
        let about = About { scenario: outcome.scenario.clone(), design: outcome.design.clone(), seed: outcome.seed };
        let mut draft = BufWriter::new(Draft::of(path).map_err(|why| why.to_string())?);
        let failed = |why: std::io::Error| format!("cannot write {}: {why}", path.display());
        write(&spans, &about, &mut draft).map_err(failed)?;
        let draft = draft.into_inner().map_err(|why| failed(why.into_error()))?;
        draft.finish().map_err(|why| why.to_string())?;
        let clock = |at: Ns| scenario.calendar.clock(Ns(at.0 / 1_000_000 * 1_000_000));
        let end = followed.lives.last().map_or(from, |life| life.offered);
        let bound = match followed.lives.len() as u64 == self.trace_calls {
            true => "; --trace-calls and --trace-from take in more, or others",
            false => "",
        };
        terminal.complain(&format!(
            "wrote {}: {} of {} calls, offered from {} to {}{bound}",
            path.display(),
            spans.calls,
            outcome.meta.calls,
            clock(from),
            clock(end),
        ));
        Ok(if spans.calls == 0 { Exit::Vacuous } else { Exit::Fine })
    }
}

/// Between which times of the run calls are traced.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    from: Option<Ns>,
    to: Option<Ns>,
}

/// Shortly before something goes wrong; where nothing does, the beginning of the window.
fn beginning(scenario: &Scenario, outcome: &Outcome) -> Ns {
    let outages = outcome.outages.iter().map(|outage| outage.from_s);
    let faults = outcome.faults.iter().filter_map(|fault| fault.from_s);
    let first = outages.chain(faults).min_by(f64::total_cmp);
    first.map_or(scenario.window.0, |first| Ns::from_secs_f64(first).minus(BEFORE))
}
