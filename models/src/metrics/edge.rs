//! Edges: what one part asks of another, on behalf of the clients' calls.

use super::record::Calls;
use super::{Absent, Found, Measured, Period, Record};
use crate::spec::Edge;

/// The asks over an edge, on behalf of some clients' calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct EdgeCounts {
    /// Asks sent by the caller, its further attempts included.
    pub attempts: u64,
    /// Of these, as often as a balancer sent them to a server.
    pub tries: u64,
    /// Answered well, in time.
    pub ok: u64,
    /// Failed, refused or given up.
    pub failed: u64,
}

impl EdgeCounts {
    /// Adds others to these.
    pub fn add(&mut self, other: &EdgeCounts) {
        self.attempts += other.attempts;
        self.tries += other.tries;
        self.ok += other.ok;
        self.failed += other.failed;
    }

    /// What reached for the callee: tries, where there is a balancer.
    pub fn reached(&self) -> u64 {
        self.tries.max(self.attempts)
    }
}

/// An edge of a run, over a period.
pub struct EdgeOf<'a> {
    record: &'a dyn Record,
    edge: Edge,
    at: usize,
    over: Period,
    /// Its counts.
    pub counts: EdgeCounts,
}

impl<'a> EdgeOf<'a> {
    pub(super) fn new(record: &'a dyn Record, subject: &str, over: Period) -> Result<EdgeOf<'a>, Absent> {
        let world = record.world();
        let name = subject.split_once('.').map_or("", |(_, name)| name);
        let at = world.edges.iter().position(|edge| world.spec.edge_name(*edge) == name);
        at.map(|at| EdgeOf::at(record, at, over)).ok_or(Absent::Nothing("there is no such edge"))
    }

    /// The edge at a place among the world's.
    pub fn at(record: &'a dyn Record, at: usize, over: Period) -> EdgeOf<'a> {
        let edge = record.world().edges[at];
        let mut of = EdgeOf { record, edge, at, over, counts: EdgeCounts::default() };
        of.counts = match edge.caller {
            Some(_) => record.edge(at, over),
            None => {
                let all = of.calls().all;
                let failed = all.attempts.saturating_sub(all.ok + (all.offered - all.ok - all.failed_total()));
                EdgeCounts { attempts: all.attempts, tries: 0, ok: all.ok, failed }
            }
        };
        of
    }

    /// The clients' calls that may lead over it.
    fn calls(&self) -> Calls<'a> {
        let spec = &self.record.world().spec;
        let leads = |population: &usize| spec.leads_over(&spec.clients.0[*population].1.sends.text, self.edge);
        Calls::of(self.record, (0..spec.clients.len()).filter(leads).collect(), self.over)
    }

    /// What reached for the callee, per call that may lead there.
    pub fn amplification(&self) -> Found {
        self.calls().per_call(self.counts.reached()).map(Measured::Count)
    }

    /// Share of the asks that failed, of those that are over.
    pub fn failed_rate(&self) -> Found {
        let EdgeCounts { ok, failed, .. } = self.counts;
        if ok + failed == 0 {
            return Err(Absent::Nothing("nothing was asked over this edge"));
        }
        Ok(Measured::Share(failed as f64 / (ok + failed) as f64))
    }

    /// The time that a share of the asks answered well did not exceed.
    pub fn latency(&self, share: f64) -> Found {
        let found = match self.edge.caller {
            Some(_) => self.record.edge_latency(self.at, share, self.over),
            None => return self.calls().latency(share),
        };
        found.map(Measured::Duration).ok_or(Absent::Nothing("no ask over this edge was answered well"))
    }
}
