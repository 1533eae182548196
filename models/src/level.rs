//! Levels whose extremes are asked of, kept where they change.
//!
//! A [`Level`] is a step function of time: its value at an instant is what it is after everything that happens at that
//! instant. What changes and changes back within one instant was never there. So an extreme over a window is that of the
//! function, wherever the window ends and however the run is cut into steps.
//!
//! [`Levels`] holds those of a world, and cuts time into cells: at every boundary that the run knows beforehand, and
//! whenever a fault or an outage begins or ends. A window that is asked about is a row of whole cells.

use crate::units::Ns;

/// A number of things, and the most that there have been in the present cell.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Level {
    now: u64,
    /// The instant of the last change: what it made of the level counts when time goes on.
    since: Ns,
    /// Most at any instant of the cell before `since`.
    most: u64,
}

impl Level {
    /// How many there are.
    pub fn get(&self) -> u64 {
        self.now
    }

    /// There are so many more at a time, which is never before that of the last change.
    #[inline(always)]
    pub fn add(&mut self, at: Ns, more: u64) {
        self.pass(at);
        self.now += more;
    }

    /// There are so many fewer.
    #[inline(always)]
    pub fn remove(&mut self, at: Ns, fewer: u64) {
        self.pass(at);
        self.now -= fewer;
    }

    /// There are so many.
    pub fn set(&mut self, at: Ns, now: u64) {
        self.pass(at);
        self.now = now;
    }

    #[inline(always)]
    fn pass(&mut self, at: Ns) {
        if self.since != at {
            self.most = self.most.max(self.now);
            self.since = at;
        }
    }

    /// A cell ends, and the next begins: the most at any instant of the one that ends.
    fn cut(&mut self, at: Ns) -> u64 {
        self.pass(at);
        std::mem::take(&mut self.most)
    }
}

/// Levels of a fleet, all servers together.
#[derive(Clone, Copy, Debug, Default)]
pub struct FleetLevels {
    /// Calls waiting to be accepted.
    pub accept_queue: Level,
    /// Calls and checks accepted and not answered.
    pub pending: Level,
    /// Most calls that one spool of a server has held in the present cell.
    pub spooled: u64,
}

/// What a fleet came to in a cell.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct FleetPeaks {
    /// Most calls waiting to be accepted.
    pub accept_queue: u64,
    /// Most calls and checks accepted and not answered.
    pub pending: u64,
    /// Most calls that one spool of a server held.
    pub spooled: u64,
}

/// What a store came to in a cell.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct StorePeaks {
    /// Most queries that waited to run, or hung.
    pub waiting: u64,
    /// Least headroom.
    pub headroom: f64,
    /// Queries and appends sent to it.
    pub queries: u64,
    /// Connections tried.
    pub connects: u64,
    /// Lookups that it answered as a cache, and hits among them.
    pub lookups: (u64, u64),
}

impl Default for StorePeaks {
    fn default() -> Self {
        StorePeaks { waiting: 0, headroom: f64::INFINITY, queries: 0, connects: 0, lookups: (0, 0) }
    }
}

/// What everything came to between two boundaries of time.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Peaks {
    /// When the cell begins.
    pub from: Ns,
    /// When it ends; that instant is not part of it.
    pub to: Ns,
    /// Per fleet.
    pub fleets: Vec<FleetPeaks>,
    /// Per store.
    pub stores: Vec<StorePeaks>,
    /// Most calls queued at the balancer.
    pub queued: u64,
    /// Most lost calls kept for a replay.
    pub kept: u64,
}

impl Peaks {
    /// Takes in what follows.
    fn add(&mut self, next: &Peaks) {
        self.to = next.to;
        self.queued = self.queued.max(next.queued);
        self.kept = self.kept.max(next.kept);
        for (mine, next) in self.fleets.iter_mut().zip(&next.fleets) {
            mine.accept_queue = mine.accept_queue.max(next.accept_queue);
            mine.pending = mine.pending.max(next.pending);
            mine.spooled = mine.spooled.max(next.spooled);
        }
        for (mine, next) in self.stores.iter_mut().zip(&next.stores) {
            mine.waiting = mine.waiting.max(next.waiting);
            mine.headroom = mine.headroom.min(next.headroom);
            mine.queries += next.queries;
            mine.connects += next.connects;
            mine.lookups.0 += next.lookups.0;
            mine.lookups.1 += next.lookups.1;
        }
    }
}

/// What a store is found with when a cell ends.
#[derive(Clone, Copy, Debug, Default)]
pub struct StoreFound {
    /// Least headroom in the cell that ends; infinite without any.
    pub headroom: f64,
    /// Queries and appends sent to it so far.
    pub queries: u64,
    /// Connections tried so far.
    pub connects: u64,
    /// Lookups that it answered as a cache so far, and hits among them.
    pub lookups: (u64, u64),
}

/// What is where.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Fleets, in the order of the file.
    pub fleets: Vec<FleetLevels>,
    /// Per store, in the order of the file: queries that wait to run, or hang.
    pub waiting: Vec<Level>,
    /// Calls queued at the balancer.
    pub queued: Level,
    /// Lost calls kept for a replay, in the balancer's log or by clients.
    pub kept: Level,
}

impl Counts {
    /// Nothing anywhere.
    fn new(fleets: usize, stores: usize) -> Counts {
        Counts {
            fleets: vec![FleetLevels::default(); fleets],
            waiting: vec![Level::default(); stores],
            ..Counts::default()
        }
    }
}

/// The levels of a world.
#[derive(Clone, Debug, Default)]
pub struct Levels {
    /// What the world's components carry.
    pub here: Counts,
    /// What somebody else carries in their place, from when that took over.
    elsewhere: Option<Counts>,
    /// What each store was found with at the last cut.
    sent: Vec<StoreFound>,
    cut_at: Ns,
    cells: Vec<Peaks>,
}

impl Levels {
    /// Nothing anywhere.
    pub fn new(fleets: usize, stores: usize) -> Levels {
        Levels { here: Counts::new(fleets, stores), sent: vec![StoreFound::default(); stores], ..Levels::default() }
    }

    /// When the present cell began.
    pub fn cut_at(&self) -> Ns {
        self.cut_at
    }

    /// The present cell ends at a later time, and the next begins.
    pub fn cut(&mut self, at: Ns, found: &[StoreFound]) {
        let counts = self.elsewhere.as_mut().unwrap_or(&mut self.here); // Not `counts()`: other fields are lent too.
        let fleets = counts.fleets.iter_mut().map(|fleet| FleetPeaks {
            accept_queue: fleet.accept_queue.cut(at),
            pending: fleet.pending.cut(at),
            spooled: std::mem::take(&mut fleet.spooled),
        });
        let stores = counts.waiting.iter_mut().zip(found).zip(&mut self.sent).map(|((waiting, found), sent)| {
            let before = std::mem::replace(sent, *found);
            StorePeaks {
                waiting: waiting.cut(at),
                headroom: found.headroom,
                queries: found.queries - before.queries,
                connects: found.connects - before.connects,
                lookups: (found.lookups.0 - before.lookups.0, found.lookups.1 - before.lookups.1),
            }
        });
        self.cells.push(Peaks {
            from: self.cut_at,
            to: at,
            fleets: fleets.collect(),
            stores: stores.collect(),
            queued: counts.queued.cut(at),
            kept: counts.kept.cut(at),
        });
        self.cut_at = at;
    }

    /// Somebody else carries the calls from now on. What the components still have, and what a script does to it, is no
    /// part of any cell that ends later.
    pub fn hand_over(&mut self) {
        self.elsewhere = Some(Counts::new(self.here.fleets.len(), self.here.waiting.len()));
    }

    /// What the runtime that carries the calls has.
    pub fn counts(&mut self) -> &mut Counts {
        self.elsewhere.as_mut().unwrap_or(&mut self.here)
    }

    /// Bytes that a cell takes.
    pub fn memory_of_a_cell(&self) -> u64 {
        let (fleets, stores) = (self.here.fleets.len(), self.here.waiting.len());
        (2 * size_of::<Peaks>() + fleets * size_of::<FleetPeaks>() + stores * size_of::<StorePeaks>()) as u64
    }

    /// Bytes that all cells take: one begins with each fault and outage, however many there come to be.
    pub fn memory(&self) -> u64 {
        self.cells.len() as u64 * self.memory_of_a_cell()
    }

    /// What everything came to over a window whose ends are boundaries of cells; none if no cell lies in it.
    pub fn over(&self, from: Ns, to: Ns) -> Option<Peaks> {
        let place = |at: Ns| self.cells.partition_point(|cell| cell.from < at);
        let cells = self.cells.get(place(from)..place(to))?;
        let (first, rest) = cells.split_first()?;
        let mut sum = first.clone();
        rest.iter().for_each(|cell| sum.add(cell));
        Some(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lasts_no_time_was_never_there() {
        let mut level = Level::default();
        level.add(Ns(5), 7);
        level.remove(Ns(5), 6);
        level.add(Ns(8), 1);
        assert_eq!((level.get(), level.cut(Ns(9))), (2, 2));
    }

    #[test]
    fn a_cell_has_its_first_instant_and_not_its_last() {
        let mut level = Level::default();
        level.add(Ns(1), 3);
        level.add(Ns(10), 5);
        // Whether the change at the boundary came before the cut or comes after it is the same.
        assert_eq!(level.cut(Ns(10)), 3);
        level.remove(Ns(20), 8);
        assert_eq!(level.cut(Ns(20)), 8);
        assert_eq!(level.cut(Ns(30)), 0);
    }

    #[test]
    fn what_the_components_still_have_counts_no_more_once_somebody_else_carries_the_calls() {
        let mut levels = Levels::new(1, 0);
        levels.here.fleets[0].pending.add(Ns(1), 4);
        levels.hand_over();
        levels.counts().fleets[0].pending.add(Ns(3), 2);
        levels.here.fleets[0].pending.remove(Ns(5), 4);
        levels.cut(Ns(10), &[]);
        assert_eq!(levels.over(Ns(0), Ns(10)).unwrap().fleets[0].pending, 2);
    }

    #[test]
    fn a_window_is_a_row_of_cells() {
        let mut levels = Levels::new(1, 1);
        let found = |queries, headroom| [StoreFound { headroom, queries, ..StoreFound::default() }];
        levels.here.fleets[0].pending.add(Ns(1), 4);
        levels.cut(Ns(10), &found(2, 50.0));
        levels.here.fleets[0].pending.remove(Ns(11), 3);
        levels.cut(Ns(20), &found(5, 7.0));
        levels.cut(Ns(30), &found(9, 80.0));
        let over = |from, to| {
            let peaks = levels.over(Ns(from), Ns(to)).unwrap();
            (peaks.fleets[0].pending, peaks.stores[0].queries, peaks.stores[0].headroom)
        };
        assert_eq!(over(0, 30), (4, 9, 7.0));
        assert_eq!(over(10, 30), (4, 7, 7.0));
        assert_eq!(over(20, 30), (1, 4, 80.0));
        assert!(levels.over(Ns(30), Ns(40)).is_none());
    }
}
