//! The books: every call's two fates, by cohort; the digest; rotation; latencies.
//!
//! Calls count in the cohort in which they were offered: a cell of time between two boundaries. The boundaries
//! are those of the timeline's steps and of every window that anything asks about; the beginning and the end of a fault
//! or an outage add one when they happen, and after an end some more, ever farther apart, to see when things are as they
//! were (`Recovery`). So any such window is a sum of whole cells, and a call's fate is followed to the end of the run
//! without being remembered. Memory grows with the number of cells, not of calls.

use crate::edges::EdgeBooks;
use crate::latency::{Latencies, Spread};
use crate::recovery::Recovery;
use brownout_models::kernel::{Account, Cohort, Fact};
pub use brownout_models::ledger::Counts;
use brownout_models::metrics::EdgeCounts;
use brownout_models::random::mix;
use brownout_models::units::Ns;
use std::collections::BTreeSet;

/// Bytes for a server's leaving or entering rotation.
const TURN: u64 = 32;
/// Bytes for a time at which a cell will begin.
const BOUNDARY: u64 = 32;
/// Bytes for a mark, with its words.
const MARK: u64 = 320;

/// What the balance needs of a population, all cells together.
#[derive(Clone, Copy, Default)]
struct Balance {
    offered: u64,
    /// Calls whose data is stored, stored late or dropped.
    settled: u64,
    /// Calls whose client is ok or has failed.
    answered: u64,
}

/// The books do not balance: a bug in Brownout, never in a scenario.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Imbalance {
    /// When it was noticed.
    pub at: Ns,
    /// The population.
    pub population: usize,
    /// Which equation, with its numbers.
    pub equation: String,
}

impl std::fmt::Display for Imbalance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the ledger does not balance at {} for population {}: {}", self.at, self.population, self.equation)
    }
}

impl std::error::Error for Imbalance {}

/// An outage of a store.
#[derive(Clone, PartialEq, Debug)]
pub struct Outage {
    /// The store.
    pub store: u16,
    /// The modes at its onset.
    pub mode: String,
    /// Its beginning.
    pub from: Ns,
    /// Its end, once it has ended.
    pub to: Option<Ns>,
}

/// A mark of the day.
#[derive(Clone, PartialEq, Debug)]
pub struct Mark {
    /// When.
    pub at: Ns,
    /// What.
    pub what: String,
    /// When the scenario expects it.
    pub expected: Option<Ns>,
}

/// One fact as it went into the digest, kept only where two runs are compared.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// When it was recorded.
    pub at: Ns,
    /// The fact.
    pub fact: Fact,
}

/// The books.
pub struct Ledger {
    populations: usize,
    /// Beginning of each cell.
    cells: Vec<Ns>,
    counts: Vec<Counts>,
    balances: Vec<Balance>,
    /// Times at which cells will begin, as far as they are known.
    boundaries: BTreeSet<Ns>,
    /// When the next cell begins: at the next boundary, or to look for the recovery.
    opens_at: Ns,
    /// Windows are asked about that begin or end so long after an outage or a fault has ended.
    after: Vec<Ns>,
    /// What follows the last end of an outage, and of a fault.
    recoveries: [Recovery; 2],
    digest: u64,
    facts: u64,
    latencies: Latencies,
    /// What services ask on behalf of the calls.
    edges: EdgeBooks,
    /// How often servers have left and entered rotation, all together.
    turns: u64,
    /// Per server: times of leaving and entering rotation.
    pub changes: Vec<Vec<(Ns, bool)>>,
    /// Per server: how often the process died.
    pub crashes: Vec<u64>,
    /// When processes died (false) and started, in order; with the server.
    pub processes: Vec<(Ns, u32, bool)>,
    /// Per fleet: whether the balancer failed open at the start, and when it began to, or ceased.
    pub fails_open: Vec<(bool, Vec<(Ns, bool)>)>,
    /// Servers whose rotation is watched: the first so many.
    watched: u32,
    in_rotation: u32,
    rotation_since: Ns,
    rotation_area: u128,
    /// Outages in order of beginning.
    pub outages: Vec<Outage>,
    /// Marks in order.
    pub marks: Vec<Mark>,
    /// The facts themselves, if they are to be kept.
    pub kept: Option<Vec<Entry>>,
}

impl Ledger {
    /// Empty books of so many populations. `boundaries` are the times at which cells begin; and cells begin so long `after`
    /// each end of an outage or a fault.
    pub fn new(populations: usize, boundaries: Vec<Ns>, after: Vec<Ns>) -> Ledger {
        let mut ledger = Ledger {
            populations,
            cells: vec![Ns::ZERO],
            counts: vec![Counts::default(); populations],
            balances: vec![Balance::default(); populations],
            boundaries: boundaries.into_iter().filter(|at| *at > Ns::ZERO).collect(),
            opens_at: Ns::ZERO,
            after,
            recoveries: [(); 2].map(|()| Recovery::new(populations)),
            digest: 0x6272_6f77_6e6f_7574,
            facts: 0,
            latencies: Latencies::new(populations),
            edges: EdgeBooks::new(0),
            turns: 0,
            changes: Vec::new(),
            crashes: Vec::new(),
            processes: Vec::new(),
            fails_open: Vec::new(),
            watched: 0,
            in_rotation: 0,
            rotation_since: Ns::ZERO,
            rotation_area: 0,
            outages: Vec::new(),
            marks: Vec::new(),
            kept: None,
        };
        ledger.look_ahead();
        ledger
    }

    /// Tells the books about the servers: how many there are, of how many (the first ones) the number in
    /// rotation is watched, and how many of those start in it; and of which fleets the balancer fails open from the start.
    pub fn open_rotation(&mut self, servers: usize, watched: u32, in_rotation: u32, fails_open: Vec<bool>) {
        self.fails_open = fails_open.into_iter().map(|open| (open, Vec::new())).collect();
        self.watched = watched;
        self.changes = vec![Vec::new(); servers];
        self.crashes = vec![0; servers];
        self.in_rotation = in_rotation;
    }

    /// Tells the books, before the first call, how many edges there are.
    pub fn open_edges(&mut self, edges: usize) {
        self.edges = EdgeBooks::new(edges);
        (1..self.cells.len()).for_each(|_| self.edges.next_cell());
    }

    /// The asks over an edge on behalf of calls that were offered in a window whose ends are cell boundaries.
    pub fn edge(&self, edge: usize, from: Ns, to: Ns) -> EdgeCounts {
        self.edges.over(edge, self.cells_of(from, to))
    }

    /// How long those of them took that were answered well.
    pub fn edge_latencies(&self, edge: usize, from: Ns, to: Ns) -> Spread {
        self.edges.spread(edge, self.cells_of(from, to))
    }

    fn cells_of(&self, from: Ns, to: Ns) -> std::ops::Range<usize> {
        let place = |at: Ns| self.cells.partition_point(|begins| *begins < at);
        place(from)..place(to)
    }

    /// Opens the cells that begin up to `at`.
    pub fn open_cells(&mut self, at: Ns) {
        while self.opens_at <= at {
            let begins = self.opens_at;
            self.open_cell(begins);
            self.boundaries.remove(&begins);
            self.recoveries.iter_mut().for_each(|recovery| recovery.slot_begins(begins));
            self.look_ahead();
        }
    }

    fn open_cell(&mut self, begins: Ns) {
        self.cells.push(begins);
        self.counts.extend(std::iter::repeat_n(Counts::default(), self.populations));
        self.latencies.next_cell();
        self.edges.next_cell();
    }

    /// Sees when the next cell begins.
    fn look_ahead(&mut self) {
        let slots = self.recoveries.iter().map(|recovery| recovery.next);
        self.opens_at = slots.chain(self.next_boundary()).min().unwrap_or(Ns::NEVER);
    }

    /// The first of the known boundaries at which no cell has begun.
    pub fn next_boundary(&self) -> Option<Ns> {
        self.boundaries.first().copied()
    }

    /// Bytes that a cell takes, with as much room again as lists may have kept free.
    pub fn memory_of_a_cell(&self) -> u64 {
        (self.populations * (2 * size_of::<Counts>() + Latencies::CELL)) as u64 + self.edges.memory_of_a_cell()
    }

    /// Bytes that the books take, with as much room again as their lists may have kept free.
    pub fn memory(&self) -> u64 {
        let counted = [
            (self.counts.len() as u64, 2 * size_of::<Counts>() as u64),
            (self.turns + self.processes.len() as u64, TURN),
            (self.outages.len() as u64, MARK),
            (self.marks.len() as u64, MARK),
            (self.boundaries.len() as u64, BOUNDARY),
            (self.kept.as_ref().map_or(0, Vec::len) as u64, 2 * size_of::<Entry>() as u64),
        ];
        counted.iter().map(|(n, bytes)| n * bytes).sum::<u64>() + self.latencies.memory() + self.edges.memory()
    }

    /// Begins a cell at a time that was not known before.
    fn split(&mut self, at: Ns) {
        self.open_cells(at);
        if self.cells.last().is_none_or(|last| *last < at) {
            self.open_cell(at);
        }
    }

    /// An outage (0) or a fault (1) has ended: cells begin to see what comes of it, and those that are asked for.
    fn ended(&mut self, which: usize, at: Ns) {
        self.recoveries[which].begin(at);
        for after in self.after.iter().copied() {
            if after > Ns::ZERO {
                self.boundaries.insert(at.plus(after));
            }
        }
        self.look_ahead();
    }

    /// The times since the end of the last outage, or else of the last fault, between which to look for a recovery.
    pub fn recovery(&self, of_outage: bool) -> &Recovery {
        &self.recoveries[usize::from(!of_outage)]
    }

    /// Opens the books for a call.
    #[inline(always)]
    pub fn offer(&mut self, population: u16, at: Ns, salt: u64) -> Cohort {
        if self.opens_at <= at {
            self.open_cells(at);
        }
        let mut cell = self.cells.len() - 1;
        while self.cells[cell] > at {
            cell -= 1;
        }
        let books = cell * self.populations + population as usize;
        self.counts[books].offered += 1;
        self.balances[population as usize].offered += 1;
        self.fold(at.0, salt, u64::from(population));
        Cohort(books as u32)
    }

    #[inline(always)]
    fn fold(&mut self, a: u64, b: u64, c: u64) {
        self.facts += 1;
        self.digest = mix(self.digest.rotate_left(23) ^ a ^ b.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(c));
    }

    /// Records a fact at a time. Inlined always: who calls it knows which fact it is, and no choice is left.
    #[inline(always)]
    pub fn record(&mut self, now: Ns, fact: Fact) {
        if self.kept.is_some() {
            self.keep(now, fact);
        }
        match fact {
            Fact::Attempt(a) => self.count(now, a, 1).attempts += 1,
            Fact::Stored(a, gone) => {
                let books = self.count(now, a, 2 + u64::from(gone));
                books.stored += 1;
                books.zombies += u64::from(gone);
                self.balances[a.population as usize].settled += 1;
            }
            Fact::Late(a) => {
                self.count(now, a, 7).late += 1;
                self.balances[a.population as usize].settled += 1;
            }
            Fact::LostAfterOk(a) => self.count(now, a, 8).lost_after_ok += 1,
            Fact::Duplicate(a, gone) => {
                let books = self.count(now, a, 4 + u64::from(gone));
                books.duplicates += 1;
                books.zombies += u64::from(gone);
            }
            Fact::Ok(a, latency) => {
                let books = self.count(Ns(now.0 ^ latency.0.rotate_left(32)), a, 6);
                books.ok += 1;
                books.latency_ns += latency.0;
                self.balances[a.population as usize].answered += 1;
                self.latencies.record(a.cohort.0 as usize, latency);
            }
            Fact::Dropped(a, cause) => {
                self.count(now, a, 16 + cause as u64).dropped[cause as usize] += 1;
                self.balances[a.population as usize].settled += 1;
            }
            Fact::Failed(a, seen) => {
                self.count(now, a, 64 + seen as u64).failed[seen as usize] += 1;
                self.balances[a.population as usize].answered += 1;
            }
            other => self.record_rarer(now, other),
        }
    }

    #[cold]
    fn keep(&mut self, now: Ns, fact: Fact) {
        self.kept.get_or_insert_default().push(Entry { at: now, fact });
    }

    /// Folds a fact about a call into the digest; what it changes is its cohort's books.
    #[inline(always)]
    fn count(&mut self, now: Ns, account: Account, tag: u64) -> &mut Counts {
        self.fold(now.0, account.salt, tag);
        &mut self.counts[account.cohort.0 as usize]
    }

    fn record_rarer(&mut self, now: Ns, fact: Fact) {
        match fact {
            Fact::Asked { cohort, edge } => {
                self.edges.at(cohort.0 as usize / self.populations, edge).attempts += 1;
                self.fold(now.0, u64::from(edge), 140);
            }
            Fact::AskTried { cohort, edge } => {
                self.edges.at(cohort.0 as usize / self.populations, edge).tries += 1;
                self.fold(now.0, u64::from(edge), 141);
            }
            Fact::AskOver { cohort, edge, ok, took } => {
                let cell = cohort.0 as usize / self.populations;
                let counts = self.edges.at(cell, edge);
                counts.ok += u64::from(ok);
                counts.failed += u64::from(!ok);
                if ok {
                    self.edges.took(cell, edge, took);
                }
                self.fold(now.0 ^ took.0.rotate_left(32), u64::from(edge), 142 + u64::from(ok));
            }
            Fact::Rotation { server, up } => {
                if server < self.watched {
                    self.advance_rotation(now);
                    self.in_rotation = if up { self.in_rotation + 1 } else { self.in_rotation - 1 };
                }
                self.turns += 1;
                self.changes[server as usize].push((now, up));
                self.fold(now.0, u64::from(server), 128 + u64::from(up));
            }
            Fact::Process { server, alive } => {
                self.crashes[server as usize] += u64::from(!alive);
                self.processes.push((now, server, alive));
                self.fold(now.0, u64::from(server), 130 + u64::from(alive));
            }
            // Neither says more than facts that are in the digest, so they are not.
            Fact::FailsOpen { fleet, begins } => self.fails_open[fleet as usize].1.push((now, begins)),
            Fact::Fault { begins } => {
                self.split(now);
                if !begins {
                    self.ended(1, now);
                }
            }
            Fact::Outage { store, begins } => {
                self.split(now);
                if !begins {
                    self.ended(0, now);
                }
                if begins {
                    self.outages.push(Outage { store, mode: String::new(), from: now, to: None });
                } else if let Some(open) = self.outages.iter_mut().rfind(|o| o.store == store && o.to.is_none()) {
                    open.to = Some(now);
                }
                self.fold(now.0, u64::from(store), 132 + u64::from(begins));
            }
            _ => unreachable!("handled by `record`"),
        }
    }

    fn advance_rotation(&mut self, now: Ns) {
        self.rotation_area += u128::from(self.in_rotation) * u128::from(now.minus(self.rotation_since).0);
        self.rotation_since = now;
    }

    /// Server-nanoseconds in rotation so far.
    pub fn rotation_area(&mut self, now: Ns) -> u128 {
        self.advance_rotation(now);
        self.rotation_area
    }

    /// The digest so far.
    pub fn digest(&self) -> u64 {
        mix(self.digest ^ self.facts)
    }

    /// The latencies of the calls that some populations offered in a window whose ends are cell boundaries.
    pub fn latencies(&self, populations: &[usize], from: Ns, to: Ns) -> Spread {
        let mut sum = Spread::default();
        let place = |at: Ns| self.cells.partition_point(|begins| *begins < at);
        populations.iter().for_each(|p| self.latencies.add_to(&mut sum, *p, place(from)..place(to)));
        sum
    }

    /// Breaks the books on purpose, as a leaked call would, so that a test can see it noticed.
    pub fn lose_a_call(&mut self) {
        self.balances.iter_mut().take(1).for_each(|balance| balance.offered += 1);
    }

    /// Checks both equations against the calls alive.
    ///
    /// # Errors
    /// Names the equation that does not hold.
    pub fn check(&self, now: Ns, alive: &[(u64, u64)]) -> Result<(), Imbalance> {
        for (population, (b, (in_flight, waiting))) in self.balances.iter().zip(alive).enumerate() {
            let wrong = |equation| Err(Imbalance { at: now, population, equation });
            let offered = b.offered;
            if offered != b.settled + in_flight {
                let c = self.over(population, Ns::ZERO, Ns::NEVER);
                let (stored, late, dropped) = (c.stored, c.late, c.dropped_total());
                return wrong(format!(
                    "offered {offered} is not stored {stored} + late {late} + in flight {in_flight} + dropped {dropped}"
                ));
            }
            if offered != b.answered + waiting {
                let c = self.over(population, Ns::ZERO, Ns::NEVER);
                let (ok, failed) = (c.ok, c.failed_total());
                return wrong(format!("offered {offered} is not ok {ok} + failed {failed} + waiting {waiting}"));
            }
        }
        Ok(())
    }

    /// The books of one population over a window whose ends are cell boundaries.
    pub fn over(&self, population: usize, from: Ns, to: Ns) -> Counts {
        let mut sum = Counts::default();
        let place = |at: Ns| self.cells.partition_point(|begins| *begins < at);
        for cell in place(from)..place(to) {
            sum.add(&self.counts[cell * self.populations + population]);
        }
        sum
    }

    /// When the cell of a cohort begins.
    pub fn begins(&self, cohort: Cohort) -> Ns {
        self.cells[cohort.0 as usize / self.populations]
    }

    /// The first boundary between cells that is not before a time; none if there is none any more.
    pub fn boundary_from(&self, at: Ns) -> Option<Ns> {
        self.cells.get(self.cells.partition_point(|begins| *begins < at)).copied()
    }

    /// The last boundary between cells that is not after a time.
    pub fn boundary_to(&self, at: Ns) -> Ns {
        self.cells[self.cells.partition_point(|begins| *begins <= at).saturating_sub(1)]
    }

    /// Calls that these books miss or have twice, given the calls alive: 0, or Brownout has a bug.
    pub fn unaccounted(&self, alive: &[(u64, u64)]) -> u64 {
        let off = |(population, (in_flight, waiting)): (usize, &(u64, u64))| {
            let c = self.over(population, Ns::ZERO, Ns::NEVER);
            let settled = c.stored + c.late + c.dropped_total() + in_flight;
            let answered = c.ok + c.failed_total() + waiting;
            c.offered.abs_diff(settled) + c.offered.abs_diff(answered)
        };
        alive.iter().enumerate().map(off).sum()
    }

    /// How many cells there are.
    pub fn cells(&self) -> usize {
        self.cells.len()
    }

    /// Calls offered so far.
    pub fn offered(&self) -> u64 {
        self.balances.iter().map(|b| b.offered).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use brownout_models::ledger::Cause;

    fn account(cohort: Cohort) -> Account {
        Account { cohort, population: 0, salt: 7 }
    }

    #[test]
    fn a_call_counts_in_the_cell_in_which_it_was_offered_whenever_its_fate_is_known() {
        let mut ledger = Ledger::new(1, vec![Ns(10), Ns(20)], vec![]);
        ledger.open_rotation(0, 0, 0, vec![]);
        let early = ledger.offer(0, Ns(5), 1);
        let late = ledger.offer(0, Ns(25), 2);
        ledger.record(Ns(30), Fact::Stored(account(early), false));
        ledger.record(Ns(31), Fact::Dropped(account(late), Cause::NoServer));
        assert_eq!(ledger.over(0, Ns(0), Ns(10)).stored, 1);
        assert_eq!(ledger.over(0, Ns(20), Ns(99)).dropped_total(), 1);
        assert_eq!(ledger.over(0, Ns(10), Ns(20)), Counts::default());
    }

    #[test]
    fn an_outage_begins_a_cell_of_its_own_and_earlier_offers_stay_before_it() {
        let mut ledger = Ledger::new(1, vec![Ns(100)], vec![]);
        ledger.record(Ns(50), Fact::Outage { store: 0, begins: true });
        ledger.offer(0, Ns(49), 1);
        ledger.offer(0, Ns(50), 2);
        ledger.offer(0, Ns(51), 3);
        assert_eq!((ledger.over(0, Ns(0), Ns(50)).offered, ledger.over(0, Ns(50), Ns(100)).offered), (1, 2));
    }

    #[test]
    fn a_lost_call_breaks_the_balance() {
        let mut ledger = Ledger::new(1, vec![], vec![]);
        let cohort = ledger.offer(0, Ns(1), 1);
        assert!(ledger.check(Ns(2), &[(1, 1)]).is_ok());
        let lost = ledger.check(Ns(2), &[(0, 1)]).unwrap_err();
        assert!(lost.to_string().contains("offered 1 is not stored 0"), "{lost}");
        ledger.record(Ns(3), Fact::Stored(account(cohort), false));
        assert!(ledger.check(Ns(3), &[(0, 1)]).is_ok());
        ledger.record(Ns(3), Fact::Ok(account(cohort), Ns(2)));
        assert!(ledger.check(Ns(3), &[(0, 0)]).is_ok());
        assert!(ledger.check(Ns(3), &[(0, 1)]).is_err());
        assert_eq!((ledger.unaccounted(&[(0, 0)]), ledger.unaccounted(&[(0, 1)])), (0, 1));
    }

    #[test]
    fn the_digest_hangs_on_order_and_content() {
        let digest = |facts: &[(u64, u32, bool)]| {
            let mut ledger = Ledger::new(1, vec![], vec![]);
            ledger.open_rotation(4, 4, 2, vec![]);
            facts
                .iter()
                .for_each(|(at, server, up)| ledger.record(Ns(*at), Fact::Rotation { server: *server, up: *up }));
            ledger.digest()
        };
        let base = [(1, 0, false), (1, 1, false)];
        assert_eq!(digest(&base), digest(&base));
        for other in [&[(1, 1, false), (1, 0, false)][..], &[(1, 0, false), (2, 1, false)], &base[..1]] {
            assert_ne!(digest(&base), digest(other));
        }
    }
}
