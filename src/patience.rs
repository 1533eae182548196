//! What long commands share: Ctrl-C and progress.

use brownout::exit::Exit;
use indicatif::{ProgressBar, ProgressStyle};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A flag that the first Ctrl-C sets; the second ends the process.
pub fn stop_on_ctrl_c() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let told = stop.clone();
    // Where no handler can be set, Ctrl-C ends the process as it does without us.
    let _ = ctrlc::set_handler(move || {
        if told.swap(true, Ordering::Relaxed) {
            std::process::exit(Exit::Interrupted as i32);
        }
    });
    stop
}

/// A bar on stderr for many runs; its length is yet to be set.
pub fn bar_of_runs() -> ProgressBar {
    bar(0, "{bar:40} {pos} of {len} runs, {eta} left")
}

/// A bar on stderr for a hunt; its length is yet to be set.
pub fn bar_of_a_hunt() -> ProgressBar {
    bar(0, "{bar:40} {pos} of {len} schedules, {msg}, {eta} left")
}

/// A bar on stderr for one run, in thousandths.
pub fn bar_of_one_run() -> ProgressBar {
    bar(1000, "{bar:40} {percent}% of the run, {eta} left")
}

fn bar(length: u64, template: &str) -> ProgressBar {
    let bar = ProgressBar::new(length);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// For the tests of exit code 4: a ledger that is broken on purpose must be noticed all the way out here.
pub fn lose_a_call() -> bool {
    std::env::var_os("BROWNOUT_LOSE_A_CALL").is_some()
}
