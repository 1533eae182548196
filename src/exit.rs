//! Exit codes: what a script may rely on.

use brownout_scenarios::Diagnostics;
use brownout_sim::outcome::Standing;
use std::fmt::Write;

/// How the command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// Everything asked for was done. A reader of stdout who left before the end (`| head`) changes nothing about it.
    Fine = 0,
    /// An expectation is violated, a hunt found something, or `diff --fail-on` found what it was to find.
    Violated = 1,
    /// Wrong usage, or mistakes in a scenario file; nothing was run.
    Usage = 2,
    /// No expectation is violated, but one had nothing to judge, a fault never took effect, or there was nothing to compare:
    /// nothing is shown.
    Vacuous = 3,
    /// Two runs of the same differed, or the ledger did not balance: a bug in Brownout.
    Broken = 4,
    /// A limit was reached, or what was to be printed or written to a file did not arrive.
    Limit = 5,
    /// SIGINT, which Ctrl-C sends; what was finished is printed and saved.
    Interrupted = 130,
    /// SIGTERM, which `timeout`, `docker stop` and build servers send; what was finished is printed and saved.
    Terminated = 143,
}

impl Exit {
    /// All of them, in order.
    pub const ALL: [Exit; 8] = [
        Exit::Fine,
        Exit::Violated,
        Exit::Usage,
        Exit::Vacuous,
        Exit::Broken,
        Exit::Limit,
        Exit::Interrupted,
        Exit::Terminated,
    ];

    /// What it means, for `--help` and `docs/outcome.md`.
    pub fn meaning(self) -> &'static str {
        match self {
            Exit::Fine => "done",
            Exit::Violated => "an expectation is violated, or what was searched for was found",
            Exit::Usage => "wrong usage, or mistakes in a scenario file; nothing was run",
            Exit::Vacuous => "vacuous: nothing to judge or to compare, or a fault never took effect",
            Exit::Broken => "not deterministic, or the ledger does not balance: a bug in Brownout",
            Exit::Limit => "a limit was reached, or output could not be written",
            Exit::Interrupted => "SIGINT (Ctrl-C); what was finished is printed and saved",
            Exit::Terminated => "SIGTERM; what was finished is printed and saved",
        }
    }

    /// The table of exit codes, for `--help`.
    pub fn help() -> String {
        let mut text = String::from("Exit codes:");
        for exit in Exit::ALL {
            // Writing to a string gives no reason for an error.
            let _ = write!(text, "\n  {:<4} {}", exit as u8, exit.meaning());
        }
        text
    }
}

impl From<Standing> for Exit {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Holds => Exit::Fine,
            Standing::Violated => Exit::Violated,
            Standing::Vacuous => Exit::Vacuous,
        }
    }
}

impl From<&Diagnostics> for Exit {
    fn from(mistakes: &Diagnostics) -> Self {
        if mistakes.is_limit() { Exit::Limit } else { Exit::Usage }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        std::process::ExitCode::from(exit as u8)
    }
}
