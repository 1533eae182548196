//! Any bytes as a scenario file: an error or a scenario, and of a small scenario the beginning of a run.
//!
//! The first line may be a comment `#set path=value` or `#design name`, so that these are fuzzed too.

#![no_main]

use brownout_scenarios::load_text;
use brownout_sim::orders;
use brownout_sim::run::{Orders, Run};
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let first = text.lines().next().unwrap_or_default();
    let after = |word: &str| first.strip_prefix(word).map(str::to_string).into_iter().collect::<Vec<_>>();
    match load_text("fuzz.toml", text, Path::new("."), &after("#set "), &after("#design ")) {
        Err(mistakes) => {
            assert!(mistakes.count() > 0);
            assert!(!mistakes.messages().iter().any(|m| m.contains("defect of brownout")), "{mistakes}");
            assert!(!mistakes.render(false).is_empty());
        }
        Ok(scenario) => {
            let few = Orders { event_limit: Some(20_000), ..orders(&scenario, 1) };
            let mut run = Run::new(&scenario.plan, few);
            run.finish(None, &mut |_| {}).expect("the ledger balances");
        }
    }
});
