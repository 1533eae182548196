//! What the command knows of the terminal: how it speaks, and when it is told to stop.
//!
//! All that the command prints goes through here, so that text is made safe in one place and output that does not arrive is
//! an error (exit code 5) in every command. A reader who leaves before the end (`| head`) is none.

use crate::patience::Signals;
use brownout::exit::Exit;
use brownout::output::{streams, text};
use brownout::reports::terminal::Style;
use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// When to use colour.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The terminal.
pub struct Terminal {
    color: Color,
    signals: Signals,
    out: Stream,
    err: Stream,
}

/// A stream, and what became of what was written to it.
struct Stream {
    name: &'static str,
    state: Mutex<State>,
}

enum State {
    /// All has arrived so far.
    Sound,
    /// It was closed from the start: what is written there is lost.
    Closed,
    /// Its reader has left: nothing more is written, and nothing is wrong.
    Left,
    /// Something did not arrive, and why.
    Lost(io::Error),
}

impl Terminal {
    /// The terminal, with the user's choice of colour. From now on signals are counted.
    pub fn new(color: Color) -> Terminal {
        Terminal {
            color,
            signals: Signals::counted(),
            out: Stream::new("stdout", streams::stdout_was_closed()),
            err: Stream::new("stderr", streams::stderr_was_closed()),
        }
    }

    /// A flag that SIGINT and SIGTERM set: to end with what is finished.
    pub fn stop(&self) -> &Arc<AtomicBool> {
        self.signals.stop()
    }

    /// Whether a signal has asked to stop.
    pub fn is_stopped(&self) -> bool {
        self.stop().load(Ordering::Relaxed)
    }

    fn color_on(&self, is_terminal: bool) -> bool {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => is_terminal && wanted,
        }
    }

    /// Whether somebody watches stderr: for remarks that are noise in a log.
    pub fn is_patient(&self) -> bool {
        std::io::stderr().is_terminal()
    }

    /// Whether messages on stderr may be coloured.
    pub fn color_stderr(&self) -> bool {
        self.color_on(std::io::stderr().is_terminal())
    }

    /// Width, colour and characters for text on stdout.
    pub fn style(&self) -> Style {
        let width = match terminal_size::terminal_size() {
            Some((width, _)) if std::io::stdout().is_terminal() => usize::from(width.0).clamp(60, 160),
            _ => 80,
        };
        let ascii = ["LC_ALL", "LC_CTYPE", "LANG"]
            .iter()
            .find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()))
            .is_some_and(|locale| matches!(locale.as_str(), "C" | "POSIX") && std::io::stdout().is_terminal());
        Style { width, color: self.color_on(std::io::stdout().is_terminal()), unicode: !ascii, ..Style::default() }
    }

    /// Prints a page.
    pub fn say(&self, page: &str) {
        let color = self.color_on(io::stdout().is_terminal());
        self.out.write(&mut io::stdout().lock(), &text::for_a_log(page, color));
    }

    /// Prints one JSON document; where it could not be made, says so.
    ///
    /// # Errors
    /// How to end if there is no document. `what` is what it holds: "the outcome".
    pub fn document(&self, what: &str, json: Result<String, impl Display>) -> Result<(), Exit> {
        match json {
            Ok(json) => {
                self.out.write(&mut io::stdout().lock(), &text::in_json(&json));
                Ok(())
            }
            Err(why) => {
                self.complain(&format!("error: {what} cannot be written as JSON: {why}"));
                Err(Exit::Limit)
            }
        }
    }

    /// Prints a text of Brownout's own as it stands: a script.
    pub fn say_as_it_stands(&self, text: &str) {
        self.out.write(&mut io::stdout().lock(), text);
    }

    /// Says something on stderr, in one line whatever others have written into it.
    pub fn complain(&self, message: &str) {
        self.err.write(&mut io::stderr().lock(), &text::for_a_log(&text::clean(message, true), false));
    }

    /// Says something on stderr that is laid out in lines, each of them made safe.
    pub fn complain_at_length(&self, page: &str) {
        let color = self.color_on(io::stderr().is_terminal());
        self.err.write(&mut io::stderr().lock(), &text::for_a_log(page, color));
    }

    /// Gives commands to the build server on stderr: lines in which all that a file says has been made safe.
    pub fn annotate(&self, lines: &str) {
        self.err.write(&mut io::stderr().lock(), lines);
    }

    /// What clap has to say: help and the version on stdout, wrong usage on stderr.
    pub fn usage(&self, said: &clap::Error) -> Exit {
        let page = |color: bool| if color { said.render().ansi().to_string() } else { said.render().to_string() };
        if said.use_stderr() {
            self.complain_at_length(&page(self.color_stderr()));
            Exit::Usage
        } else {
            self.say(&page(self.color_on(io::stdout().is_terminal())));
            Exit::Fine
        }
    }

    /// The exit code in the end. Output that did not arrive is told, and outranks all but a bug; then comes a signal,
    /// whatever the command was doing.
    pub fn finish(&self, exit: Exit) -> Exit {
        if let State::Lost(why) = &*self.out.state() {
            self.complain(&format!("error: cannot write to {}: {why}", self.out.name));
        }
        let lost = [&self.out, &self.err].into_iter().any(|stream| matches!(*stream.state(), State::Lost(_)));
        match exit {
            Exit::Broken => exit,
            _ if lost => Exit::Limit,
            _ => self.signals.exit().unwrap_or(exit),
        }
    }
}

impl Stream {
    fn new(name: &'static str, closed: bool) -> Stream {
        let state = if closed { State::Closed } else { State::Sound };
        Stream { name, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds it panics half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a text and the end of its line. After the first failure nothing more is written.
    fn write(&self, to: &mut impl Write, text: &str) {
        let mut state = self.state();
        match *state {
            State::Sound => {}
            State::Closed => {
                *state = State::Lost(io::Error::new(ErrorKind::NotConnected, "it is closed"));
                return;
            }
            State::Left | State::Lost(_) => return,
        }
        let end: &[u8] = if text.ends_with('\n') { b"" } else { b"\n" };
        let written = to.write_all(text.as_bytes()).and_then(|()| to.write_all(end)).and_then(|()| to.flush());
        if let Err(why) = written {
            let left = why.kind() == ErrorKind::BrokenPipe;
            *state = if left { State::Left } else { State::Lost(why) };
        }
    }
}

/// Words that others wrote, for a line of ours: they stay in it.
pub fn line(words: &dyn Display) -> String {
    text::clean(&words.to_string(), true)
}
