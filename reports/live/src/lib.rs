//! The engine of a living page: scenario reading, world, kernel, outcome and pictures, the same as the command's, for a
//! browser.
//!
//! [`Engine`] takes a wish and gives answers; `door` is how a page calls it. The engine imports nothing: it has no clock,
//! no file and no network, and all that it can do is compute. It is compiled by `reports/live/build`; natively this crate
//! is what the command knows of it, and what tests compare with.

#![warn(clippy::unwrap_used)]

#[cfg(target_family = "wasm")]
mod door;
mod engine;
mod strip;

pub use engine::{Engine, MEMORY, TEXT, Wish};
pub use strip::Strip;

/// The fingerprint of the sources that this was compiled from, 16 hexadecimal digits.
pub const FINGERPRINT: &str = env!("BROWNOUT_ENGINE");

/// What stands before the fingerprint in an engine's bytes.
pub const MARK: &str = "brownout engine ";

/// The fingerprint that an engine carries; none if it is no engine.
pub fn fingerprint(engine: &[u8]) -> Option<String> {
    let mark = MARK.as_bytes();
    let digits = |at: usize| engine.get(at + mark.len()..at + mark.len() + 16);
    let found = engine.windows(mark.len()).enumerate().filter(|(_, bytes)| *bytes == mark);
    let mut found = found.filter_map(|(at, _)| digits(at)).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    found.next().and_then(|digits| String::from_utf8(digits.to_vec()).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_says_which_sources_it_is_of() {
        let engine = format!("\0asm rest {MARK}not yet {MARK}0123456789abcdef end");
        assert_eq!(fingerprint(engine.as_bytes()).as_deref(), Some("0123456789abcdef"));
        assert_eq!(fingerprint(b"\0asm"), None);
        assert_eq!(FINGERPRINT.len(), 16);
    }
}
