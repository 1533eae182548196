//! The engine of living pages, where it has been built from these sources.

use brownout::live::{FINGERPRINT, fingerprint};
use std::path::{Path, PathBuf};

/// The engine that `reports/live/build` made. Where there is none of these sources a message says what is skipped, unless
/// `BROWNOUT_NEEDS_ENGINE` is set, as CI does once it has built one.
pub fn engine(skipped: &str) -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_BIN_EXE_brownout")).ancestors().nth(2).expect("a target folder");
    let file = target.join("live/brownout-engine.wasm");
    let is = std::fs::read(&file).ok().and_then(|bytes| fingerprint(&bytes));
    if is.as_deref() == Some(FINGERPRINT) {
        return Some(file);
    }
    let why = is.map_or("no engine is built", |_| "the engine is of other sources");
    assert!(std::env::var_os("BROWNOUT_NEEDS_ENGINE").is_none(), "{why}: {}", file.display());
    eprintln!("skipped, {why} (reports/live/build): {skipped}");
    None
}
