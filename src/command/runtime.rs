//! What `run` and `compare` share of runtimes: which one, and how much of the scenario.

use crate::patience::{bar_of_one_run, lose_a_call};
use crate::terminal::Terminal;
use brownout::exit::Exit;
use brownout::models::units::{Ns, parse_share};
use brownout::scenarios::Scenario;
use brownout::services;
use brownout::sim::{self, outcome::Outcome};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// What carries the calls.
#[derive(clap::ValueEnum, Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum Runtime {
    /// The event loop over the models: fast
    #[default]
    Kernel,
    /// Async services over a simulated network, scheduled adversarially: slower, and code of its own
    Madsim,
}

impl Runtime {
    /// Its word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Runtime::Kernel => "kernel",
            Runtime::Madsim => "madsim",
        }
    }
}

/// A part of the scenario.
#[derive(clap::Args, Debug)]
pub struct Part {
    /// A smaller world in proportion: this share of all rates and servers, as in 25%
    #[arg(long, value_name = "SHARE")]
    pub scale: Option<String>,
    /// Only a part of the day, as in 11:30..12:30: the services begin there, and the run ends there
    #[arg(long, value_name = "FROM..TO")]
    pub excerpt: Option<String>,
}

impl Part {
    /// Makes the scenario that part of itself; says where the excerpt begins.
    pub fn take(&self, scenario: &mut Scenario, terminal: &Terminal) -> Result<Ns, Exit> {
        let mut from = Ns::ZERO;
        if let Some(scale) = &self.scale {
            let scaled = parse_share(scale).and_then(|share| scenario.scale(share.0, scale));
            scaled.map_err(|why| usage(&why, terminal))?;
        }
        if let Some(excerpt) = &self.excerpt {
            let (begins, left) = scenario.excerpt(excerpt).map_err(|why| usage(&why, terminal))?;
            from = begins;
            if !left.is_empty() {
                terminal
                    .complain(&format!("not judged, as not all of its time is in the excerpt: {}", left.join(", ")));
            }
        }
        Ok(from)
    }

    /// Where the excerpt begins that has been taken.
    pub fn begins(&self, scenario: &Scenario) -> Ns {
        let from = self.excerpt.as_ref().and_then(|text| text.split_once(".."));
        from.and_then(|(from, _)| brownout::models::setting::Clock::moment(&scenario.calendar, from).ok())
            .unwrap_or(Ns::ZERO)
    }
}

fn usage(why: &str, terminal: &Terminal) -> Exit {
    terminal.complain(&format!("error: {why}"));
    Exit::Usage
}

/// Why there is no outcome.
pub enum Failure {
    /// A bug in Brownout.
    Broken(String),
    /// The runtime is not in this build.
    Refused(String),
    /// The machine would not have it.
    Machine(String),
}

impl Failure {
    /// Says so; the exit code.
    pub fn tell(&self, seed: u64, terminal: &Terminal) -> Exit {
        match self {
            Failure::Broken(why) => {
                terminal.complain(&format!("error: {why}"));
                terminal.complain(&format!("This is a bug in Brownout: please report it with the seed {seed}."));
                Exit::Broken
            }
            Failure::Refused(why) => usage(why, terminal),
            Failure::Machine(why) => {
                terminal.complain(&format!("error: {why}"));
                Exit::Limit
            }
        }
    }
}

/// Simulates with a progress bar on stderr; `stop` ends the run early and keeps what is done. The services begin at
/// `from`; the kernel plays what lies before.
pub fn simulate(
    runtime: Runtime,
    scenario: &Scenario,
    seed: u64,
    from: Ns,
    stop: &Arc<AtomicBool>,
) -> Result<Outcome, Failure> {
    let bar = bar_of_one_run();
    let begun = Instant::now();
    let orders = sim::run::Orders { lose_a_call: lose_a_call(), ..sim::orders(scenario, seed) };
    let outcome = match runtime {
        Runtime::Kernel => {
            sim::simulate_as(scenario, orders, Some(stop), &mut |share| bar.set_position((share * 1000.0) as u64))
                .map_err(|imbalance| Failure::Broken(imbalance.to_string()))
        }
        Runtime::Madsim => {
            let progress = |share: f64| bar.set_position((share * 1000.0) as u64);
            let listener = services::Listener { stop: Some(stop.clone()), progress: &progress };
            services::on_madsim(scenario, services::Ask { from, ..services::Ask::new(orders) }, &listener)
                .map_err(Failure::from)
        }
    };
    bar.finish_and_clear();
    outcome.map(|mut outcome| {
        outcome.meta.wall_s = begun.elapsed().as_secs_f64();
        outcome
    })
}

/// Why there are no runs on a runtime, if that is known beforehand.
pub fn cannot(runtime: Runtime) -> Option<Failure> {
    (runtime == Runtime::Madsim && !services::HAS_MADSIM).then(|| services::Failure::Absent.into())
}

impl From<services::Failure> for Failure {
    fn from(failure: services::Failure) -> Failure {
        match failure {
            services::Failure::Absent | services::Failure::NotPlayed(_) => Failure::Refused(failure.to_string()),
            services::Failure::Broken(why) => Failure::Broken(why),
            services::Failure::Machine(why) => Failure::Machine(why),
        }
    }
}
