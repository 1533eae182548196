//! What metrics are computed from, and the arithmetic that several of them share.

use super::{Absent, EdgeCounts, Found, Measured, populations};
use crate::ledger::Counts;
use crate::level::{FleetPeaks, Peaks, StorePeaks};
use crate::spec::Callee;
use crate::units::Ns;
use crate::world::World;

/// From when to when; the end does not belong to it.
pub type Period = (Ns, Ns);

/// What a run has recorded, as far as metrics ask for it. The kernel's run implements it.
pub trait Record {
    /// The world, with its levels.
    fn world(&self) -> &World;
    /// The counts of one population's calls that were offered in a period.
    fn counts(&self, population: usize, over: Period) -> Counts;
    /// The latency that a share of the calls answered ok does not exceed; none if no call was.
    fn latency(&self, populations: &[usize], share: f64, over: Period) -> Option<Ns>;
    /// The steps of the timeline, in order.
    fn steps(&self) -> Vec<Period>;
    /// What went wrong: from the beginning of the first outage to the end of the last; where no store left service, of
    /// the faults. The end is missing while it lasts.
    fn cause(&self) -> Option<(Ns, Option<Ns>)>;
    /// Periods after the end of what went wrong, in order, each longer than the one before or as long.
    fn after_cause(&self) -> Vec<Period>;
    /// From the beginning of what went wrong to the first server that left rotation.
    fn first_ejection(&self) -> Option<Ns>;
    /// How often each server of the first fleet left rotation.
    fn downs(&self, over: Period) -> Vec<u64>;
    /// Servers in rotation, mean over a period.
    fn in_rotation_mean(&self, over: Period) -> f64;
    /// Fewest and most servers in rotation at any instant of a period.
    fn in_rotation_bounds(&self, over: Period) -> (u64, u64);
    /// Share of a period in which the balancer ignored health by its own decision, from 0 to 1.
    fn fail_open_share(&self, over: Period) -> f64;
    /// Processes of a fleet that died.
    fn crashes(&self, fleet: usize, over: Period) -> u64;
    /// Fewest processes of a fleet alive at any instant of a period.
    fn alive_min(&self, fleet: usize, over: Period) -> u64;
    /// Calls that are neither settled nor alive, or neither answered nor waiting.
    fn unaccounted(&self) -> u64;

    /// The asks over an edge, by its place among the world's, on behalf of the calls that were offered in a period.
    fn edge(&self, edge: usize, over: Period) -> EdgeCounts;

    /// The time that a share of those answered well did not exceed; none without any.
    fn edge_latency(&self, edge: usize, share: f64, over: Period) -> Option<Ns>;
}

/// A share of failing calls from which a step counts as unavailable.
pub(super) const UNAVAILABLE: f64 = 0.99;
/// A share of dropped calls above which a step counts as a loss of nearly everything.
pub(super) const NEARLY_ALL: f64 = 0.90;
/// A share of failing calls up to which a step counts as quiet.
pub(super) const QUIET: f64 = 0.01;
/// For how long calls must succeed for the world to count as recovered.
const STEADY: Ns = Ns::secs(60);

/// A number of things.
pub(super) fn count(n: u64) -> Found {
    Ok(Measured::Count(n as f64))
}

fn rate(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// Share of the calls that failed.
pub(super) fn failed_rate(counts: &Counts) -> f64 {
    rate(counts.failed_total(), counts.offered)
}

/// Share of the calls that were dropped.
pub(super) fn dropped_rate(counts: &Counts) -> f64 {
    rate(counts.dropped_total(), counts.offered)
}

/// Some calls of a run, offered in a period.
pub struct Calls<'a> {
    record: &'a dyn Record,
    populations: Vec<usize>,
    over: Period,
    /// Their counts, all populations together.
    pub(super) all: Counts,
}

impl<'a> Calls<'a> {
    pub(super) fn new(record: &'a dyn Record, subject: &str, over: Period) -> Calls<'a> {
        Calls::of(record, populations(subject, &record.world().spec), over)
    }

    pub(super) fn of(record: &'a dyn Record, populations: Vec<usize>, over: Period) -> Calls<'a> {
        let mut calls = Calls { record, populations, over, all: Counts::default() };
        calls.all = calls.counts(over);
        calls
    }

    fn counts(&self, over: Period) -> Counts {
        let mut sum = Counts::default();
        self.populations.iter().for_each(|population| sum.add(&self.record.counts(*population, over)));
        sum
    }

    /// Some of them per call offered.
    pub(super) fn per_call(&self, part: u64) -> Result<f64, Absent> {
        match self.all.offered {
            0 => Err(Absent::Nothing("no calls were offered")),
            offered => Ok(part as f64 / offered as f64),
        }
    }

    pub(super) fn share(&self, part: u64) -> Found {
        self.per_call(part).map(Measured::Share)
    }

    pub(super) fn latency_mean(&self) -> Found {
        let mean = self.all.latency_ns.checked_div(self.all.ok);
        mean.map(|ns| Measured::Duration(Ns(ns))).ok_or(Absent::Nothing("no call was answered ok"))
    }

    /// The latency that a share of those answered ok does not exceed.
    pub(super) fn latency(&self, share: f64) -> Found {
        let found = self.record.latency(&self.populations, share, self.over);
        found.map(Measured::Duration).ok_or(Absent::Nothing("no call was answered ok"))
    }

    /// The steps that lie wholly in the period.
    fn steps(&self) -> impl Iterator<Item = Period> + use<'_> {
        self.record.steps().into_iter().filter(|(from, to)| *from >= self.over.0 && *to <= self.over.1)
    }

    /// The end of the last step that passes a test.
    pub(super) fn last_step(&self, test: impl Fn(&Counts) -> bool) -> Option<Ns> {
        self.steps().filter(|step| test(&self.counts(*step))).last().map(|(_, to)| to)
    }

    /// The longest run of steps in a row that pass a test; the first of equals.
    pub(super) fn longest(&self, test: impl Fn(&Counts) -> bool) -> Option<Period> {
        let mut best: Option<Period> = None;
        let mut open: Option<Period> = None;
        for (from, to) in self.steps() {
            open = test(&self.counts((from, to))).then(|| (open.map_or(from, |(began, _)| began), to));
            if let Some((from, to)) = open
                && best.is_none_or(|(a, b)| to.minus(from) > b.minus(a))
            {
                best = open;
            }
        }
        best
    }

    /// From the end of what went wrong until at least 99% of the calls succeed, and go on doing so for a minute: to that
    /// end, or to the beginning of a period after it ([`Record::after_cause`]).
    pub(super) fn recovery(&self) -> Result<Ns, Absent> {
        let (_, ended) = self.record.cause().ok_or(NO_OUTAGE)?;
        let ended = ended.ok_or(Absent::Nothing("the outage had not ended by the end of the run"))?;
        if self.counts((ended, Ns::NEVER)).offered == 0 {
            return Err(Absent::Nothing("no calls were offered after the outage"));
        }
        let mut since = None;
        for period in self.record.after_cause() {
            let counts = self.counts(period);
            let quiet = counts.failed_total() as f64 <= QUIET * counts.offered as f64;
            since = if quiet { since.or(Some(period.0)) } else { None };
            if let Some(began) = since.filter(|began| period.1.minus(*began) >= STEADY) {
                return Ok(began.minus(ended));
            }
        }
        Err(Absent::Never("never recovered"))
    }
}

const NO_OUTAGE: Absent = Absent::Nothing("no outage happened");

/// The first fleet's servers in and out of rotation.
pub(super) fn first_ejection(record: &dyn Record) -> Found {
    record.cause().ok_or(NO_OUTAGE)?;
    record.first_ejection().map(Measured::Duration).ok_or(Absent::Never("no server left rotation"))
}

/// How often a server left rotation, mean over the servers.
pub(super) fn downs_mean(record: &dyn Record, over: Period) -> f64 {
    let downs = record.downs(over);
    downs.iter().sum::<u64>() as f64 / downs.len().max(1) as f64
}

/// How often the server left rotation that left it most often.
pub(super) fn downs_max(record: &dyn Record, over: Period) -> u64 {
    record.downs(over).into_iter().max().unwrap_or(0)
}

/// What levels came to in a period.
pub(super) fn peaks(record: &dyn Record, over: Period) -> Result<Peaks, Absent> {
    record.world().levels.over(over.0, over.1).ok_or(Absent::Nothing("nothing of the run lies in it"))
}

/// A fleet or a store of a run, by index, over a period.
pub struct Part<'a> {
    pub(super) record: &'a dyn Record,
    pub(super) at: usize,
    pub(super) over: Period,
}

impl<'a> Part<'a> {
    pub(super) fn fleet(record: &'a dyn Record, subject: &str, over: Period) -> Result<Part<'a>, Absent> {
        let at =
            record.world().spec.fleets.index(after_dot(subject)).ok_or(Absent::Nothing("there is no such fleet"))?;
        Ok(Part { record, at, over })
    }

    pub(super) fn store(record: &'a dyn Record, subject: &str, over: Period) -> Result<Part<'a>, Absent> {
        let at =
            record.world().spec.stores.index(after_dot(subject)).ok_or(Absent::Nothing("there is no such store"))?;
        Ok(Part { record, at, over })
    }

    pub(super) fn fleet_most(&self, of: impl Fn(&FleetPeaks) -> u64) -> Found {
        peaks(self.record, self.over).and_then(|peaks| count(of(&peaks.fleets[self.at])))
    }

    pub(super) fn store_peaks(&self) -> Result<StorePeaks, Absent> {
        peaks(self.record, self.over).map(|peaks| peaks.stores[self.at])
    }

    /// Queries and appends per call offered of those that use the store.
    pub(super) fn amplification(&self) -> Found {
        let clients = 0..self.record.world().spec.clients.len();
        let calls =
            Calls::of(self.record, clients.filter(|population| self.is_used_by(*population)).collect(), self.over);
        if calls.all.offered == 0 {
            return Err(Absent::Nothing("no calls that use it were offered"));
        }
        calls.per_call(self.store_peaks()?.queries).map(Measured::Count)
    }

    /// Whether the calls of a population ask or append to the store.
    fn is_used_by(&self, population: usize) -> bool {
        let spec = &self.record.world().spec;
        spec.leads_to(&spec.clients.0[population].1.sends.text, Callee::Store(self.at))
    }

    /// Hits among the lookups of a cache.
    pub(super) fn hit_ratio(&self) -> Found {
        match self.store_peaks()?.lookups {
            (0, _) => Err(Absent::Nothing("it answered no lookup, or is no cache")),
            (lookups, hits) => Ok(Measured::Share(rate(hits, lookups))),
        }
    }

    pub(super) fn headroom_min(&self) -> Found {
        match self.record.world().spec.stores.0[self.at].1.headroom {
            None => Err(Absent::Nothing("the store has no headroom")),
            Some(_) => self.store_peaks().map(|store| Measured::Count(store.headroom)),
        }
    }
}

fn after_dot(subject: &str) -> &str {
    subject.split_once('.').map_or("", |(_, name)| name)
}
