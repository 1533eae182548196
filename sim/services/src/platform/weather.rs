//! What faults make of links, and what becomes of messages in it: late, lost and sent again, a reset in the place of an
//! answer.
//!
//! A message that is lost is sent again as Linux does: a connect after 1, 3, 7 ... seconds until the connecting side gives up,
//! anything else after 0.2, 0.6, 1.4 ... seconds, two minutes apart at most, fifteen times; each time the link is looked
//! at as it is then. What comes after it on the same connection waits for it. The dice of a message belong to its
//! connection and its place there.
//!
//! Not modelled: fast retransmission, measured round-trip times, acknowledgements that are lost, bandwidth.

use super::{Door, LinkId};
use brownout_models::fault::LinkKnobs;
use brownout_models::random::{Purpose, draw, unit};
use brownout_models::units::Ns;
use std::collections::BTreeMap;

/// How often a message is sent again (Linux' `tcp_retries2`).
const RETRIES: u32 = 15;
/// Longest time between two of these.
const LONGEST: Ns = Ns::secs(120);
/// First time between two of these, doubled each time.
const FIRST: Ns = Ns::millis(200);

/// What a fault has done to a message, to be counted.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Met {
    /// It takes longer.
    Late(LinkId),
    /// It was lost, this once: a connect, if `None`, or something outward or back.
    Lost(LinkId, Option<bool>),
    /// A reset took its place.
    Reset(LinkId),
    /// Not a fault's doing: so many connections wait now at a door to be accepted.
    Backlog(Door, u32),
    /// It is not sent again: what [`Stream::carries`](super::Stream::carries) said of it.
    Undeliverable(u64),
}

/// What faults have made of links so far.
#[derive(Default)]
pub struct Weather(BTreeMap<LinkId, Vec<(Ns, LinkKnobs)>>);

impl Weather {
    /// From now on a link is like this.
    pub fn set(&mut self, link: LinkId, now: Ns, knobs: LinkKnobs) {
        self.0.entry(link).or_default().push((now, knobs));
    }

    /// What a link was like at some time.
    pub fn at(&self, link: LinkId, when: Ns) -> LinkKnobs {
        let changes = self.0.get(&link).map_or(&[][..], Vec::as_slice);
        changes.iter().rev().find(|(since, _)| *since <= when).map_or_else(LinkKnobs::default, |(_, knobs)| *knobs)
    }
}

/// Whether messages take longer.
pub fn delays(knobs: &LinkKnobs) -> bool {
    knobs.add > Ns::ZERO || knobs.jitter > Ns::ZERO
}

/// A message on a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parcel {
    /// What is random about its connection.
    pub salt: u64,
    /// Which one it is there, in its direction.
    pub number: u32,
    /// Away from the clients.
    pub outward: bool,
}

impl Parcel {
    fn dice(&self, purpose: Purpose, tries: u32) -> f64 {
        let salt =
            self.salt ^ (u64::from(self.number) << 1 | u64::from(self.outward)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        unit(draw(salt, purpose, tries))
    }

    /// Whether it is lost when it is sent for the `tries`th time again.
    pub fn is_lost(&self, knobs: &LinkKnobs, tries: u32) -> bool {
        let share = if self.outward { knobs.loss_outward } else { knobs.loss_back };
        self.falls(share, tries)
    }

    /// Whether a connect is lost, or the answer to it.
    pub fn connect_is_lost(&self, knobs: &LinkKnobs, tries: u32) -> bool {
        self.falls(1.0 - (1.0 - knobs.loss_outward) * (1.0 - knobs.loss_back), tries)
    }

    fn falls(&self, share: f64, tries: u32) -> bool {
        share > 0.0 && self.dice(Purpose::Loss, tries) <= share
    }

    /// Whether a reset takes its place.
    pub fn is_reset(&self, knobs: &LinkKnobs) -> bool {
        knobs.resets > 0.0 && self.dice(Purpose::Shift, 0) <= knobs.resets
    }

    /// How much longer it takes.
    pub fn late(&self, knobs: &LinkKnobs, tries: u32) -> Ns {
        if !delays(knobs) {
            return Ns::ZERO;
        }
        knobs.add.plus(knobs.jitter.scaled(self.dice(Purpose::Latency, tries)))
    }
}

/// A message that was lost and is sent again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lost {
    parcel: Parcel,
    /// Which try comes next, and when.
    tries: u32,
    next: Ns,
}

/// What becomes of a message that was lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It got through: it was sent at this time and takes so much longer.
    Sent(Ns, Ns),
    /// It is sent again at this time.
    Again(Ns),
    /// It is not sent again.
    Never,
}

impl Lost {
    /// Lost when it was first sent.
    pub fn new(parcel: Parcel, sent: Ns) -> Lost {
        Lost { parcel, tries: 1, next: sent.plus(FIRST) }
    }

    /// What has become of it by now; `met` is told of each further loss.
    pub fn fate(&mut self, weather: &Weather, link: LinkId, now: Ns, mut met: impl FnMut(Met)) -> Fate {
        while self.next <= now {
            let knobs = weather.at(link, self.next);
            if !self.parcel.is_lost(&knobs, self.tries) {
                let late = self.parcel.late(&knobs, self.tries);
                if late > Ns::ZERO {
                    met(Met::Late(link));
                }
                return Fate::Sent(self.next, late);
            }
            met(Met::Lost(link, Some(self.parcel.outward)));
            if self.tries == RETRIES {
                return Fate::Never;
            }
            self.next = self.next.plus(Ns(FIRST.0 << self.tries.min(20)).min(LONGEST));
            self.tries += 1;
        }
        Fate::Again(self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: LinkId = LinkId::Server(3);
    const PARCEL: Parcel = Parcel { salt: 7, number: 0, outward: true };

    fn cut() -> LinkKnobs {
        LinkKnobs { loss_outward: 1.0, loss_back: 1.0, ..LinkKnobs::default() }
    }

    #[test]
    fn a_lost_message_is_sent_after_two_six_and_fourteen_tenths_and_gets_through_when_the_link_heals() {
        let mut weather = Weather::default();
        weather.set(LINK, Ns::ZERO, cut());
        weather.set(LINK, Ns::secs(1), LinkKnobs { add: Ns::millis(5), ..LinkKnobs::default() });
        let (mut lost, mut met) = (Lost::new(PARCEL, Ns::ZERO), Vec::new());
        assert_eq!(lost.fate(&weather, LINK, Ns::millis(100), |m| met.push(m)), Fate::Again(Ns::millis(200)));
        assert_eq!(lost.fate(&weather, LINK, Ns::millis(700), |m| met.push(m)), Fate::Again(Ns::millis(1400)));
        assert_eq!(met, [Met::Lost(LINK, Some(true)); 2]);
        let fate = lost.fate(&weather, LINK, Ns::secs(9), |m| met.push(m));
        assert_eq!((fate, met[2]), (Fate::Sent(Ns::millis(1400), Ns::millis(5)), Met::Late(LINK)));
    }

    #[test]
    fn after_fifteen_times_it_is_not_sent_again() {
        let mut weather = Weather::default();
        weather.set(LINK, Ns::ZERO, cut());
        let (mut lost, mut met) = (Lost::new(PARCEL, Ns::ZERO), 0);
        assert_eq!(lost.fate(&weather, LINK, Ns::secs(2000), |_| met += 1), Fate::Never);
        assert_eq!(met, 15);
    }

    #[test]
    fn as_many_are_lost_as_the_link_loses_and_a_connect_needs_both_ways() {
        let knobs = LinkKnobs { loss_outward: 0.2, loss_back: 0.1, ..LinkKnobs::default() };
        let share = |is: &dyn Fn(Parcel) -> bool, outward| {
            (0..20_000).filter(|salt| is(Parcel { salt: *salt, number: 1, outward })).count() as f64 / 20_000.0
        };
        let near = |x: f64, y: f64| (x - y).abs() < 0.01;
        assert!(near(share(&|p| p.is_lost(&knobs, 0), true), 0.2));
        assert!(near(share(&|p| p.is_lost(&knobs, 3), false), 0.1));
        assert!(near(share(&|p| p.connect_is_lost(&knobs, 0), true), 0.28));
    }
}
