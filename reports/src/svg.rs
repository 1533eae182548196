//! Pictures of a run as SVG: self-contained, without fonts or scripts, the same bytes for the same outcome.
//!
//! Colours are those of Okabe and Ito, which stay apart under every common colour blindness; what matters is also
//! told by position or by words.

mod canvas;
mod causes;
mod compare;
mod day;
mod dropped;
mod marks;
mod rotation;
mod sweep;

pub use canvas::PlotError;
pub use causes::causes;
pub use compare::{differences, matrix};
pub use dropped::dropped;
pub use rotation::rotation;
pub use sweep::sweep;
