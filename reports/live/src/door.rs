//! How a page calls the engine: it asks for room, writes its question there, and reads the answer where it is told.

#![expect(
    unsafe_code,
    reason = "names that WebAssembly exports must not be mangled, which the language calls unsafe; nothing else here is"
)]

use crate::engine::{Engine, Progress};
use std::cell::RefCell;

/// What the linker keeps for `brownout_live::fingerprint` to find.
const OWN: &str = concat!("brownout engine ", env!("BROWNOUT_ENGINE"));
/// More than any question takes: the text of a scenario as JSON, with room for what is escaped in it.
const QUESTION: usize = 8 << 20;

#[derive(Default)]
struct Session {
    question: Vec<u8>,
    answer: Vec<u8>,
    engine: Engine,
}

thread_local! {
    static SESSION: RefCell<Session> = RefCell::default();
}

fn with_session<T>(work: impl FnOnce(&mut Session) -> T) -> T {
    SESSION.with_borrow_mut(work)
}

fn put(session: &mut Session, answer: String) -> *const u8 {
    session.answer = answer.into_bytes();
    session.answer.as_ptr()
}

/// Room for a question of so many bytes; null if that is more than the engine reads.
#[unsafe(no_mangle)]
extern "C" fn room(len: usize) -> *mut u8 {
    with_session(|session| {
        if len > QUESTION {
            return std::ptr::null_mut();
        }
        session.question = vec![0; len];
        session.question.as_mut_ptr()
    })
}

/// The length of the last answer, in bytes.
#[unsafe(no_mangle)]
extern "C" fn length() -> usize {
    with_session(|session| session.answer.len())
}

/// The sources that this engine is of: an answer.
#[unsafe(no_mangle)]
extern "C" fn fingerprint() -> *const u8 {
    with_session(|session| put(session, OWN.to_string()))
}

/// A time zone: the question holds its name in the first `name` bytes, then its rules. 1 if they can be read.
#[unsafe(no_mangle)]
extern "C" fn zone(name: usize) -> u32 {
    with_session(|session| {
        let (Some(name), Some(rules)) = (session.question.get(..name), session.question.get(name..)) else { return 0 };
        u32::from(std::str::from_utf8(name).is_ok_and(|name| brownout_scenarios::give_zone(name, rules)))
    })
}

/// A wish: an answer, which says what was found in it.
#[unsafe(no_mangle)]
extern "C" fn wish() -> *const u8 {
    with_session(|session| {
        let question = std::mem::take(&mut session.question);
        let found = session.engine.wish(&question);
        put(session, found)
    })
}

/// The run goes on by a step: the share done from 0 to 1, 2 when it has ended, -1 if there is none.
#[unsafe(no_mangle)]
extern "C" fn advance() -> f64 {
    with_session(|session| match session.engine.advance() {
        Progress::Under(share) => share,
        Progress::Ended => 2.0,
        Progress::None => -1.0,
    })
}

/// What came of it: an answer.
#[unsafe(no_mangle)]
extern "C" fn answer() -> *const u8 {
    with_session(|session| {
        let shown = session.engine.answer();
        put(session, shown)
    })
}
