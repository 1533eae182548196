//! What the command does, most of it as a process of its own.
//!
//! One binary for many files of this folder: each binary links the whole program, which takes longer than most of these
//! tests. `cargo test --test command hunt::` runs those of one file.

#[path = "browser.rs"]
mod browser;
#[path = "compare.rs"]
mod compare;
#[path = "finds.rs"]
mod finds;
#[path = "hostile_words.rs"]
mod hostile_words;
#[path = "hunt.rs"]
mod hunt;
#[path = "live.rs"]
mod live;
#[path = "output.rs"]
mod output;
#[path = "recipes.rs"]
mod recipes;
#[path = "report.rs"]
mod report;
#[path = "signals.rs"]
mod signals;
#[path = "suite.rs"]
mod suite;
#[path = "sweep.rs"]
mod sweep;
#[path = "trace.rs"]
mod trace;
