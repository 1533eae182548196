//! A bulkhead: at most so many calls of a kind at once, a bounded number waiting, the rest refused.

use crate::setting::{Data, Form, Reader, Setting, Value};
use crate::units::{Share, parse_share};

/// A limit on concurrent calls: a count, or a share of the server's workers.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Limit {
    /// So many calls.
    Count(u32),
    /// So large a part of the workers, cut off to a whole number, but at least one.
    Share(f64),
}

impl Limit {
    /// As a count, for a server of that many workers.
    pub fn of(self, workers: u32) -> u32 {
        match self {
            Limit::Count(count) => count,
            Limit::Share(share) => Share(share).of(workers).max(1),
        }
    }
}

impl Setting for Limit {
    fn read(value: &Value, reader: &mut Reader<'_>) -> Option<Self> {
        match &value.data {
            Data::Integer(_) => u32::read(value, reader).map(Limit::Count),
            Data::Text(text) => match parse_share(text) {
                Ok(share) => Some(Limit::Share(share.0)),
                Err(why) => {
                    reader.problem(value.span, why);
                    None
                }
            },
            _ => {
                reader.expected(value, "a count or a share of the workers such as \"10%\"");
                None
            }
        }
    }
    fn form() -> Form {
        Form::Either(vec![Form::Integer, Form::Amount("share", "10%")])
    }
    fn show(&self) -> String {
        match self {
            Limit::Count(count) => count.to_string(),
            Limit::Share(share) => format!("{}%", share * 100.0),
        }
    }
}

/// What the bulkhead says to a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admission {
    /// Go on.
    Enter,
    /// Wait for a place.
    Wait,
    /// Refused.
    Reject,
}

/// The state of one bulkhead at one server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bulkhead {
    limit: u32,
    queue: u32,
    inside: u32,
    waiting: u32,
}

impl Bulkhead {
    /// At most `limit` inside and `queue` waiting.
    pub fn new(limit: u32, queue: u32) -> Bulkhead {
        Bulkhead { limit, queue, inside: 0, waiting: 0 }
    }
    /// A call comes.
    pub fn on_arrival(&mut self) -> Admission {
        if self.inside < self.limit {
            self.inside += 1;
            Admission::Enter
        } else if self.waiting < self.queue {
            self.waiting += 1;
            Admission::Wait
        } else {
            Admission::Reject
        }
    }
    /// A call inside ends. True: the first of those waiting goes in.
    pub fn on_exit(&mut self) -> bool {
        assert!(self.inside > 0, "an exit without an entry");
        if self.waiting > 0 {
            self.waiting -= 1;
            true
        } else {
            self.inside -= 1;
            false
        }
    }
    /// A waiting call gives up.
    pub fn on_give_up(&mut self) {
        assert!(self.waiting > 0, "no call waits");
        self.waiting -= 1;
    }
    /// The process died: no call is inside or waiting.
    pub fn reset(&mut self) {
        self.inside = 0;
        self.waiting = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Admission::{Enter, Reject, Wait};

    #[test]
    fn a_bulkhead_admits_its_limit_queues_its_queue_and_rejects_the_rest() {
        let mut bulkhead = Bulkhead::new(2, 1);
        let seen: Vec<_> = (0..4).map(|_| bulkhead.on_arrival()).collect();
        assert_eq!(seen, [Enter, Enter, Wait, Reject]);
        assert!(bulkhead.on_exit(), "the waiting call takes the place");
        assert!(!bulkhead.on_exit());
        assert_eq!(bulkhead.on_arrival(), Enter);
    }

    #[test]
    fn a_share_of_the_workers_is_at_least_one() {
        assert_eq!((Limit::Share(0.1).of(32), Limit::Share(0.1).of(4), Limit::Count(0).of(4)), (3, 1, 0));
        // 100 times 0.29 is 28.999999999999996 to a machine.
        assert_eq!((Limit::Share(0.29).of(100), Limit::Share(0.57).of(100)), (29, 57));
    }
}
