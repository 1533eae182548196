//! What the tests of the services share: a scenario of this repository, and its runs on both runtimes.

use brownout_scenarios::{Request, Scenario, load};
use brownout_sim::outcome::Outcome;
use brownout_sim::simulate;
use std::path::Path;

/// The scenario `scenarios/<file>` with designs and changes by hand, as `--design` and `--set` take them.
pub fn scenario(file: &str, design: &[&str], set: &[&str]) -> Scenario {
    let owned = |texts: &[&str]| texts.iter().map(|t| t.to_string()).collect::<Vec<_>>();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios").join(file);
    let request = Request { path: &path, set: &owned(set), design: &owned(design) };
    load(&request).unwrap_or_else(|mistakes| panic!("{}", mistakes.render(false)))
}

/// One run of the kernel to its end.
pub fn outcome(scenario: &Scenario, seed: u64) -> Outcome {
    let outcome = simulate(scenario, seed, None, &mut |_| {}).unwrap_or_else(|imbalance| panic!("{imbalance}"));
    assert_eq!(outcome.ended, "complete", "{} under seed {seed}", scenario.name);
    outcome
}
