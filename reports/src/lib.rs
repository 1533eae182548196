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
//! | [`live`] | a run as a living page shows it, for the page and for the engine in it |
//! | [`diff`] | two saved outcomes or matrices, compared as Markdown |
//! | [`saved`] | documents that were saved, read back |

#![warn(clippy::unwrap_used)]
// A page's engine takes the pictures and the words of a run, and leaves the rest of what serves documents unused.
#![cfg_attr(not(feature = "documents"), allow(dead_code, unused_imports))]

mod clock;
#[cfg(feature = "documents")]
pub mod compare;
#[cfg(feature = "documents")]
pub mod csv;
#[cfg(feature = "documents")]
pub mod diff;
mod figure;
#[cfg(feature = "documents")]
pub mod files;
#[cfg(feature = "documents")]
pub mod hunt;
pub mod json;
pub mod live;
#[cfg(feature = "png")]
pub mod png;
#[cfg(feature = "documents")]
pub mod ranges;
#[cfg(feature = "documents")]
pub mod report;
#[cfg(feature = "documents")]
pub mod runtimes;
#[cfg(feature = "documents")]
pub mod saved;
#[cfg(feature = "documents")]
pub mod story;
#[cfg(feature = "documents")]
pub mod suite;
pub mod svg;
pub mod terminal;
mod text;
mod thin;
#[cfg(feature = "documents")]
pub mod trace;
mod view;

#[cfg(feature = "documents")]
pub use files::write_all;
pub use text::shell;
