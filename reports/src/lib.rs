//! An [`Outcome`](brownout_sim::outcome::Outcome) in, documents out: text for a terminal, CSV, JSON and SVG.
//!
//! Nothing here simulates, and nothing here decides: every figure shown is a figure of the outcome, or a plain
//! mean of some. All output is a pure function of its input, byte for byte, on any machine.
//!
//! | module | for |
//! |---|---|
//! | [`terminal`] | what `brownout run` prints |
//! | [`svg`] | pictures for a slide or a design review |
//! | [`csv`] | the day, one row per step, for a spreadsheet or a notebook |
//! | [`json`] | the whole outcome, for programs |
//! | [`files`] | all of these into a directory |
//! | [`suite`] | what `brownout test` prints and writes |
//! | [`trace`], [`story`] | calls as a Chrome trace; one call's life in words |
//! | [`compare`] | what `brownout compare` prints and writes |
//! | [`runtimes`] | the same scenario on several runtimes |
//! | [`hunt`] | what `brownout hunt` prints |
//!
//! Not here: the HTML report.
//! | [`report`] | a report for a design review, one HTML file |
//! | [`diff`] | two saved outcomes or matrices, compared as Markdown |
//! | [`saved`] | documents that were saved, read back |

#![warn(clippy::unwrap_used)]

mod clock;
pub mod compare;
pub mod csv;
pub mod diff;
pub mod files;
pub mod hunt;
pub mod json;
#[cfg(feature = "png")]
pub mod png;
pub mod ranges;
pub mod report;
pub mod runtimes;
pub mod saved;
pub mod story;
pub mod suite;
pub mod svg;
pub mod terminal;
mod text;
mod thin;
pub mod trace;
mod view;

pub use files::write_all;
pub use text::shell;
