//! The books of edges: asks that services send on behalf of clients' calls, in the cells in which those were offered.

use crate::latency::{Latencies, Spread};
use crate::outcome::{EdgePhase, EdgeTotals, Percentiles};
use crate::run::Run;
use brownout_models::metrics::{EdgeCounts, EdgeOf, Period};
use brownout_models::units::Ns;

/// Asks by cell and edge.
pub(crate) struct EdgeBooks {
    edges: usize,
    /// Those of the first cell, by edge, then those of the next.
    counts: Vec<EdgeCounts>,
    latencies: Latencies,
}

impl EdgeBooks {
    /// Of so many edges, in a first cell.
    pub(crate) fn new(edges: usize) -> EdgeBooks {
        EdgeBooks { edges, counts: vec![EdgeCounts::default(); edges], latencies: Latencies::new(edges) }
    }

    /// The next cell begins.
    pub(crate) fn next_cell(&mut self) {
        self.counts.extend(std::iter::repeat_n(EdgeCounts::default(), self.edges));
        self.latencies.next_cell();
    }

    /// The counts of an edge in a cell.
    pub(crate) fn at(&mut self, cell: usize, edge: u16) -> &mut EdgeCounts {
        &mut self.counts[cell * self.edges + edge as usize]
    }

    /// An ask has been answered well.
    pub(crate) fn took(&mut self, cell: usize, edge: u16, time: Ns) {
        self.latencies.record(cell * self.edges + edge as usize, time);
    }

    /// The counts of an edge over some cells.
    pub(crate) fn over(&self, edge: usize, cells: std::ops::Range<usize>) -> EdgeCounts {
        let mut sum = EdgeCounts::default();
        cells.for_each(|cell| sum.add(&self.counts[cell * self.edges + edge]));
        sum
    }

    /// How long asks took that were answered well.
    pub(crate) fn spread(&self, edge: usize, cells: std::ops::Range<usize>) -> Spread {
        let mut sum = Spread::default();
        self.latencies.add_to(&mut sum, edge, cells);
        sum
    }

    /// Bytes that a cell takes, with as much room again as lists may have kept free.
    pub(crate) fn memory_of_a_cell(&self) -> u64 {
        (self.edges * (2 * size_of::<EdgeCounts>() + Latencies::CELL)) as u64
    }

    /// Bytes that grow with the run.
    pub(crate) fn memory(&self) -> u64 {
        2 * (self.counts.len() * size_of::<EdgeCounts>()) as u64 + self.latencies.memory()
    }
}

/// Every edge, over a window and in each phase of the run.
pub(crate) fn totals(run: &Run, window: Period) -> Vec<EdgeTotals> {
    let (world, stretches) = (run.world(), crate::write_up::stretches(run));
    let of = |(at, edge): (usize, &brownout_models::spec::Edge)| {
        let name = world.spec.edge_name(*edge);
        let (caller, callee) = name.split_once('.').unwrap_or_default();
        let phase = |(name, (from, to)): &(&str, Period)| {
            // What is offered at the very end belongs to the last phase.
            figures(run, at, name.to_string(), (*from, if *to == run.at() { Ns::NEVER } else { *to }))
        };
        EdgeTotals {
            caller: caller.into(),
            callee: callee.into(),
            window: figures(run, at, "window".into(), window),
            phases: stretches.iter().map(phase).collect(),
        }
    };
    world.edges.iter().enumerate().map(of).collect()
}

fn figures(run: &Run, at: usize, phase: String, over: Period) -> EdgePhase {
    let edge = EdgeOf::at(run, at, over);
    let EdgeCounts { attempts, tries, ok, failed } = edge.counts;
    let ms = |share| edge.latency(share).ok().map(|time| time.number() * 1000.0);
    let latency = [0.5, 0.9, 0.99, 1.0].map(ms);
    let latency_ms = match latency {
        [Some(p50), Some(p90), Some(p99), Some(max)] => Some(Percentiles { p50, p90, p99, max }),
        _ => None,
    };
    let amplification = edge.amplification().ok().map(|found| found.number());
    EdgePhase { phase, attempts, tries, ok, failed, amplification, latency_ms }
}
