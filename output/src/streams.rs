//! Whether the process was given a stdout and a stderr (`>&-` closes one).
//!
//! Rust's runtime opens `/dev/null` in the place of a stream that is closed, before `main`: what is written there is lost
//! without an error. So this looks before the runtime does.

use std::sync::atomic::{AtomicBool, Ordering};

static STDOUT_CLOSED: AtomicBool = AtomicBool::new(false);
static STDERR_CLOSED: AtomicBool = AtomicBool::new(false);

#[cfg(unix)]
ctor::declarative::ctor! {
    #[ctor(unsafe)]
    fn look() {
        STDOUT_CLOSED.store(rustix::io::fcntl_getfd(rustix::stdio::stdout()).is_err(), Ordering::Relaxed);
        STDERR_CLOSED.store(rustix::io::fcntl_getfd(rustix::stdio::stderr()).is_err(), Ordering::Relaxed);
    }
}

/// Whether stdout was closed when the process began. Always false where that cannot be told (not on Unix).
pub fn stdout_was_closed() -> bool {
    STDOUT_CLOSED.load(Ordering::Relaxed)
}

/// Whether stderr was closed when the process began. Always false where that cannot be told (not on Unix).
pub fn stderr_was_closed() -> bool {
    STDERR_CLOSED.load(Ordering::Relaxed)
}
