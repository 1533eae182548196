//! A scenario of this repository, and its runs on the runtimes.

use brownout_scenarios::{Request, Scenario, load};
use std::path::Path;

/// The scenario `scenarios/<file>` with designs and changes by hand, as `--design` and `--set` take them.
pub fn scenario(file: &str, design: &[&str], set: &[&str]) -> Scenario {
    let owned = |texts: &[&str]| texts.iter().map(|t| t.to_string()).collect::<Vec<_>>();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios").join(file);
    let request = Request { path: &path, set: &owned(set), design: &owned(design) };
    load(&request).unwrap_or_else(|mistakes| panic!("{}", mistakes.render(false)))
}

/// The scenario `scenarios/<file>` with something added to its end, and changes by hand.
#[cfg(madsim)]
pub fn with_more(file: &str, more: &str, set: &[&str]) -> Scenario {
    from_text(file, |text| format!("{text}\n{more}\n"), set)
}

/// The scenario `scenarios/<file>` with another fault in the place of its last one, two minutes after the start and for five
/// minutes, unless it says for how long; and changes by hand.
#[cfg(madsim)]
pub fn with_fault(file: &str, fault: &str, set: &[&str]) -> Scenario {
    let ends_itself = ["crash", "failover", "deploy"].iter().any(|word| fault.contains(word));
    let lasts = if ends_itself || fault.contains("for = ") { "" } else { "for = \"5min\"\n" };
    let other = |text: &str| {
        let world = text.rsplit_once("[[timeline]]").unwrap().0;
        format!("{world}[[timeline]]\nat = \"2min\"\n{lasts}{fault}\n")
    };
    from_text(file, other, set)
}

#[cfg(madsim)]
fn from_text(file: &str, change: impl Fn(&str) -> String, set: &[&str]) -> Scenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios").join(file);
    let text = change(&std::fs::read_to_string(&path).unwrap());
    let set: Vec<String> = set.iter().map(|t| t.to_string()).collect();
    let loaded = brownout_scenarios::load_text(file, &text, path.parent().unwrap(), &set, &[]);
    loaded.unwrap_or_else(|mistakes| panic!("{}", mistakes.render(false)))
}

#[cfg(madsim)]
pub use simulated::*;

#[cfg(madsim)]
mod simulated {
    use brownout_models::units::Ns;
    use brownout_scenarios::Scenario;
    use brownout_services::{Ask, Listener, on_madsim};
    use brownout_sim::outcome::Outcome;
    use brownout_sim::{orders, simulate};

    /// A figure over the seeds.
    #[derive(Clone, Copy)]
    pub struct Figure {
        /// Its mean.
        pub mean: f64,
        /// Its standard deviation; 0 for one seed.
        pub deviation: f64,
    }

    impl Figure {
        pub fn of(figures: impl Iterator<Item = f64>) -> Figure {
            let all: Vec<f64> = figures.collect();
            let n = all.len() as f64;
            let mean = all.iter().sum::<f64>() / n;
            let squares: f64 = all.iter().map(|x| (x - mean) * (x - mean)).sum();
            Figure { mean, deviation: if all.len() > 1 { (squares / (n - 1.0)).sqrt() } else { 0.0 } }
        }
    }

    /// One run of the kernel to its end.
    pub fn kernel(scenario: &Scenario, seed: u64) -> Outcome {
        let outcome = simulate(scenario, seed, None, &mut |_| {}).unwrap_or_else(|imbalance| panic!("{imbalance}"));
        assert_eq!(outcome.ended, "complete", "{} under seed {seed}", scenario.name);
        outcome
    }

    /// One run of the services to its end, from a time on.
    pub fn madsim(scenario: &Scenario, seed: u64, from: Ns) -> Outcome {
        madsim_as(scenario, Ask { from, ..Ask::new(orders(scenario, seed)) })
    }

    /// ... as asked for.
    pub fn madsim_as(scenario: &Scenario, ask: Ask) -> Outcome {
        let seed = ask.orders.seed;
        let outcome = on_madsim(scenario, ask, &Listener { stop: None, progress: &|_| {} });
        let outcome = outcome.unwrap_or_else(|failure| {
            let Scenario { name, options, set, asked, .. } = scenario;
            panic!("{failure}\nrepeat: {name} {asked:?} {set:?} {options:?} --runtime madsim --seed {seed}")
        });
        assert_eq!(outcome.ended, "complete", "{} under seed {seed}", scenario.name);
        outcome
    }
}
