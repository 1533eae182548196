//! In which order a server's guards stand before the work of a call, what each answers, and what a call's end tells them.
//!
//! The order is that of the usual libraries: what protects the process as a whole comes first (shedding, the server's own
//! adaptive limit), then what protects it from one kind of call (that kind's limit, its bulkhead). The circuit breaker stands
//! directly before what is asked, inside retries in place: see [`super::asking`]. Health checks pass none of these.

use super::adaptive::{Adaptive, Limiter};
use super::bulkhead::{Admission, Bulkhead};
use crate::ledger::Cause;
use crate::units::Ns;

/// What a guard answers to the call that it turns away.
pub const TURNED_AWAY: u16 = 503;

/// Which limits a call counts against.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Inside {
    /// That of the server.
    pub server: bool,
    /// That of its kind at the server.
    pub kind: bool,
}

/// Leads a call past what is in its way before the bulkhead: it counts against each limit from then on, once. Whether it has
/// entered any now.
///
/// # Errors
/// Why it is turned away, with [`TURNED_AWAY`]. It leaves what it has entered as any call does that ends.
pub fn enter(
    is_stale: bool,
    server: Option<&mut Limiter>,
    kind: Option<&mut Limiter>,
    inside: &mut Inside,
) -> Result<bool, Cause> {
    if is_stale {
        return Err(Cause::Overload);
    }
    let mut enters = false;
    for (limiter, is_inside) in [(server, &mut inside.server), (kind, &mut inside.kind)] {
        let Some(limiter) = limiter.filter(|_| !*is_inside) else { continue };
        if !limiter.try_enter() {
            return Err(Cause::LimitReached);
        }
        (*is_inside, enters) = (true, true);
    }
    Ok(enters)
}

/// How a call stands before the bulkhead behind the limits: `true` if it goes on, `false` if it waits.
///
/// # Errors
/// Why it is turned away, with [`TURNED_AWAY`].
pub fn enter_bulkhead(bulkhead: &mut Bulkhead) -> Result<bool, Cause> {
    match bulkhead.on_arrival() {
        Admission::Enter => Ok(true),
        Admission::Wait => Ok(false),
        Admission::Reject => Err(WAITED_IN_VAIN),
    }
}

/// Why a call is turned away that has waited for its bulkhead as long as it may.
pub const WAITED_IN_VAIN: Cause = Cause::BulkheadFull;

/// What a limit learns from a call that ended: that its time was good, that it was dropped for want of capacity, or nothing,
/// as what is turned away or fails at once says nothing of how long the work takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lesson(Option<bool>);

impl Lesson {
    /// Of a call that ended with this status for this reason.
    pub fn of(status: u16, cause: Option<Cause>) -> Lesson {
        Lesson(match (status, cause) {
            (200, _) => Some(false),
            (_, Some(Cause::StoreTimeout | Cause::PoolTimeout | Cause::ServiceTimeout)) => Some(true),
            _ => None,
        })
    }

    /// A call leaves a limit that it entered so long ago.
    pub fn teach(self, limiter: &mut Limiter, spec: &Adaptive, took: Ns) {
        match self.0 {
            Some(dropped) => limiter.on_exit(spec, took, dropped),
            None => limiter.on_ignore(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> (Adaptive, Limiter) {
        let spec = Adaptive { initial: 1, least: 1, most: 1, ..Adaptive::default() };
        let limiter = Limiter::new(&spec);
        (spec, limiter)
    }

    #[test]
    fn the_process_is_protected_before_the_kind_and_a_stale_call_enters_nothing() {
        let ((_, mut server), (_, mut kind)) = (full(), full());
        let mut inside = Inside::default();
        assert_eq!(enter(true, Some(&mut server), Some(&mut kind), &mut inside), Err(Cause::Overload));
        assert_eq!((server.inside(), kind.inside(), inside), (0, 0, Inside::default()));
        // The kind's is full: the server's has been entered by then, and is left as the call ends.
        assert!(kind.try_enter());
        assert_eq!(enter(false, Some(&mut server), Some(&mut kind), &mut inside), Err(Cause::LimitReached));
        assert_eq!((server.inside(), kind.inside(), inside), (1, 1, Inside { server: true, kind: false }));
        // The server's is full: the kind's is not asked.
        let (_, mut kind) = full();
        assert_eq!(enter(false, Some(&mut server), Some(&mut kind), &mut Inside::default()), Err(Cause::LimitReached));
        assert_eq!(kind.inside(), 0);
    }

    #[test]
    fn a_call_that_comes_by_again_counts_once() {
        let ((_, mut server), mut inside) = (full(), Inside::default());
        assert_eq!(enter(false, Some(&mut server), None, &mut inside), Ok(true));
        assert_eq!(enter(false, Some(&mut server), None, &mut inside), Ok(false));
        assert_eq!(server.inside(), 1);
        assert_eq!(enter(false, None, None, &mut Inside::default()), Ok(false));
    }

    #[test]
    fn a_limit_learns_from_what_took_its_time() {
        let lessons = [
            (200, None, Some(false)),
            (500, Some(Cause::StoreTimeout), Some(true)),
            (500, Some(Cause::PoolTimeout), Some(true)),
            (500, Some(Cause::StoreRefused), None),
            (503, Some(Cause::LimitReached), None),
            (503, Some(Cause::BulkheadFull), None),
        ];
        for (status, cause, learns) in lessons {
            assert_eq!(Lesson::of(status, cause), Lesson(learns), "{status} {cause:?}");
            let (spec, mut limiter) = full();
            assert!(limiter.try_enter());
            Lesson::of(status, cause).teach(&mut limiter, &spec, Ns::millis(5));
            assert_eq!(limiter.inside(), 0, "{status} {cause:?}: it has left");
        }
    }

    #[test]
    fn a_bulkhead_lets_in_makes_wait_and_turns_away() {
        let mut bulkhead = Bulkhead::new(1, 1);
        let seen: Vec<_> = (0..3).map(|_| enter_bulkhead(&mut bulkhead)).collect();
        assert_eq!(seen, [Ok(true), Ok(false), Err(Cause::BulkheadFull)]);
    }
}
