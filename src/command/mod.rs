//! One file per subcommand.

pub mod check;
pub mod compare;
pub mod completions;
pub mod diff;
pub mod explain;
pub mod explain_call;
pub mod hunt;
pub mod init;
pub mod list;
pub mod living;
pub mod loading;
pub mod play;
pub mod prose;
pub mod report;
pub mod run;
pub mod runtime;
pub mod runtimes;
pub mod sweep;
pub mod test;
