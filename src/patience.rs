//! What long commands share: signals and progress.

use brownout::exit::Exit;
use indicatif::{ProgressBar, ProgressStyle};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// SIGINT and SIGTERM: the first asks the command to end with what is finished, the second ends the process at once.
pub struct Signals {
    /// Asked to stop: by a signal, or by a command that has found a bug.
    stop: Arc<AtomicBool>,
    /// The exit code for the signal that came; 0: none.
    came: Arc<AtomicUsize>,
}

impl Signals {
    /// Counts signals from now on.
    pub fn counted() -> Signals {
        let signals = Signals { stop: Arc::default(), came: Arc::default() };
        let second = Arc::new(AtomicBool::new(false));
        for (signal, exit) in [(SIGINT, Exit::Interrupted), (SIGTERM, Exit::Terminated)] {
            // In this order: the first signal finds `second` not set. Where no handler can be set, the signal ends the
            // process as it does without us.
            let _ = flag::register_conditional_shutdown(signal, exit as i32, second.clone())
                .and_then(|_| flag::register(signal, second.clone()))
                .and_then(|_| flag::register_usize(signal, signals.came.clone(), exit as usize))
                .and_then(|_| flag::register(signal, signals.stop.clone()));
        }
        // A limit on the size of files (`ulimit -f`) is an error of the write like any other, and not the end of us.
        #[cfg(unix)]
        let _ = flag::register(signal_hook::consts::SIGXFSZ, Arc::default());
        signals
    }

    /// A flag that the first signal sets.
    pub fn stop(&self) -> &Arc<AtomicBool> {
        &self.stop
    }

    /// How a command ends to which a signal has come.
    pub fn exit(&self) -> Option<Exit> {
        let came = self.came.load(Ordering::Relaxed);
        [Exit::Interrupted, Exit::Terminated].into_iter().find(|exit| *exit as usize == came)
    }
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
