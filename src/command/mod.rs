//! One file per subcommand.

pub mod check;
pub mod completions;
pub mod run;
