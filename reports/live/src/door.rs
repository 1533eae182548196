//! How a page calls the engine: it asks for room, writes its question there, and reads the answer where it is told.

use crate::engine::{Engine, Progress};
use std::cell::RefCell;

/// What the linker keeps for `brownout_live::fingerprint` to find.
const OWN: &str = concat!("brownout engine ", env!("BROWNOUT_ENGINE"));
/// More than any question takes: the text of a scenario as JSON, with room for what is escaped in it.
const QUESTION: usize = 8 << 20;

#[derive(Default)]
struct Desk {
    question: Vec<u8>,
    answer: Vec<u8>,
    engine: Engine,
}

thread_local! {
    static DESK: RefCell<Desk> = RefCell::default();
}

fn at_desk<T>(work: impl FnOnce(&mut Desk) -> T) -> T {
    DESK.with_borrow_mut(work)
}

fn put(desk: &mut Desk, answer: String) -> *const u8 {
    desk.answer = answer.into_bytes();
    desk.answer.as_ptr()
}

/// Room for a question of so many bytes; null if that is more than the engine reads.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
extern "C" fn room(len: usize) -> *mut u8 {
    at_desk(|desk| {
        if len > QUESTION {
            return std::ptr::null_mut();
        }
        desk.question = vec![0; len];
        desk.question.as_mut_ptr()
    })
}

/// The length of the last answer, in bytes.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
extern "C" fn length() -> usize {
    at_desk(|desk| desk.answer.len())
}

/// The sources that this engine is of: an answer.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
extern "C" fn fingerprint() -> *const u8 {
    at_desk(|desk| put(desk, OWN.to_string()))
}

/// A time zone: the question holds its name in the first `name` bytes, then its rules. 1 if they can be read.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
extern "C" fn zone(name: usize) -> u32 {
    at_desk(|desk| {
        let (Some(name), Some(rules)) = (desk.question.get(..name), desk.question.get(name..)) else { return 0 };
        u32::from(std::str::from_utf8(name).is_ok_and(|name| brownout_scenarios::give_zone(name, rules)))
    })
}

/// A wish: an answer, which says what was found in it.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
extern "C" fn wish() -> *const u8 {
    at_desk(|desk| {
        let question = std::mem::take(&mut desk.question);
        let found = desk.engine.wish(&question);
        put(desk, found)
    })
}

/// The run goes on by a step: the share done from 0 to 1, 2 when it has ended, -1 if there is none.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
extern "C" fn advance() -> f64 {
    at_desk(|desk| match desk.engine.advance() {
        Progress::Under(share) => share,
        Progress::Ended => 2.0,
        Progress::None => -1.0,
    })
}

/// What came of it: an answer.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
extern "C" fn answer() -> *const u8 {
    at_desk(|desk| {
        let shown = desk.engine.answer();
        put(desk, shown)
    })
}
