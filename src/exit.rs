//! Exit codes: what a script may rely on.

use brownout_sim::outcome::Standing;

/// How the command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// Everything asked for was done.
    Fine = 0,
    /// An expectation is violated, or `diff --fail-on` found what it was to find.
    Violated = 1,
    /// Wrong usage, or mistakes in a scenario file; nothing was run.
    Usage = 2,
    /// No expectation is violated, but one had nothing to judge, or a fault never took effect: nothing is shown.
    Vacuous = 3,
    /// Two runs of the same differed, or the ledger did not balance: a bug in Brownout.
    Broken = 4,
    /// A limit was reached, or a file could not be written.
    Limit = 5,
    /// Ctrl-C; what was finished is printed.
    Interrupted = 130,
}

/// The table of exit codes, for `--help`.
pub const HELP: &str = "Exit codes:
  0    done
  1    an expectation is violated
  2    wrong usage, or mistakes in a scenario file; nothing was run
  3    vacuous: an expectation had nothing to judge, or a fault never took effect
  4    not deterministic, or the ledger does not balance: a bug in Brownout
  5    a limit was reached, or a file could not be written
  130  interrupted; what was finished is printed";

impl From<Standing> for Exit {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Holds => Exit::Fine,
            Standing::Violated => Exit::Violated,
            Standing::Vacuous => Exit::Vacuous,
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        std::process::ExitCode::from(exit as u8)
    }
}
