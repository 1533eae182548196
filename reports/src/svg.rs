//! Pictures of a run as SVG: self-contained, without fonts or scripts, the same bytes for the same outcome.
//!
//! Colours are those of Okabe and Ito, which stay apart under every common colour blindness; what matters is also
//! told by position or by words.

mod canvas;
mod causes;
#[cfg(feature = "documents")]
mod compare;
mod day;
mod dropped;
mod marks;
pub(crate) mod panel;
pub(crate) mod panels;
#[cfg(feature = "documents")]
mod ranges;
mod recovery;
mod rotation;
mod style;
#[cfg(feature = "documents")]
mod sweep;
mod tidy;

pub use canvas::PlotError;
pub(crate) use canvas::escape;
pub use causes::causes;
#[cfg(feature = "documents")]
pub use compare::{differences, matrix};
pub use dropped::dropped;
#[cfg(feature = "documents")]
pub use ranges::ranges;
pub(crate) use recovery::{recovery, said as recovery_said};
pub(crate) use rotation::lanes;
pub use rotation::rotation;
#[cfg(feature = "documents")]
pub use sweep::sweep;
