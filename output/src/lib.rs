//! What leaves the program.
//!
//! | module | for |
//! |---|---|
//! | [`files`] | files that are written whole or not at all |
//! | [`text`] | text that cannot drive a terminal, a shell, a log or a page |
//! | [`streams`] | whether stdout and stderr were there when the process began |

#![warn(clippy::unwrap_used)]

pub mod files;
pub mod streams;
pub mod text;
