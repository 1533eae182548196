//! Which conclusions flip inside the range of a sweep.

use super::{Comparison, places};
use std::collections::BTreeSet;

/// Two designs of which one is better at one value and the other at another, each told apart.
#[derive(Clone, PartialEq, Debug)]
pub struct Reversal {
    /// The cell that is the better of the two at its value ...
    pub better: usize,
    /// ... and the other, at the same value.
    pub worse: usize,
    /// The design of `worse` where it is the better.
    pub then_better: usize,
    /// The design of `better` there.
    pub then_worse: usize,
}

/// Per design and setting apart from the sweeps: its cells along the sweeps, the last sweep fastest. Each with whether
/// no run of it was bad; none where a cell has no estimate.
pub fn safety_along(result: &Comparison) -> Vec<Vec<(usize, Option<bool>)>> {
    let sweeps = result.sweeps();
    let lengths: Vec<usize> = result.dimensions.iter().map(|d| if d.sweep { 1 } else { d.points.len() }).collect();
    let along: Vec<usize> = sweeps.iter().map(|d| result.dimensions[*d].points.len()).collect();
    let row = |at: Vec<usize>| {
        let cell = |points: Vec<usize>| {
            let mut at = at.clone();
            sweeps.iter().zip(points).for_each(|(d, point)| at[*d] = point);
            let index = result.index(&at);
            (index, result.cells[index].verdict.map(|verdict| verdict.is_quiet()))
        };
        places(&along).into_iter().map(cell).collect()
    };
    places(&lengths).into_iter().map(row).collect()
}

/// The pairs whose order turns round, each once, by the first cells that show it.
pub fn reversals(result: &Comparison) -> Vec<Reversal> {
    let sweeps = result.sweeps();
    if sweeps.is_empty() {
        return Vec::new();
    }
    // The design of a cell: its place with the sweeps taken out.
    let design = |cell: usize| {
        let mut at = result.cells[cell].at.clone();
        sweeps.iter().for_each(|d| at[*d] = 0);
        at
    };
    let all: Vec<(usize, usize)> = result.panels.iter().flat_map(|panel| panel.apart.iter().copied()).collect();
    let mut seen = BTreeSet::new();
    let mut first = std::collections::BTreeMap::new();
    for (low, high) in &all {
        first.entry((design(*low), design(*high))).or_insert((*low, *high));
    }
    let mut out = Vec::new();
    for (low, high) in &all {
        let (a, b) = (design(*low), design(*high));
        let Some((then_better, then_worse)) = first.get(&(b.clone(), a.clone())) else { continue };
        if seen.insert((a.clone(), b.clone())) && seen.insert((b, a)) {
            out.push(Reversal { better: *low, worse: *high, then_better: *then_better, then_worse: *then_worse });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{Cell, Dimension, Panel, Verdict};

    #[test]
    fn an_order_that_turns_round_is_found_once() {
        let dimension = |sweep, n: usize| Dimension {
            sweep,
            points: (0..n).map(|i| i.to_string()).collect(),
            ..Dimension::default()
        };
        let cells =
            places(&[2, 3]).into_iter().map(|at| Cell { at, verdict: Some(Verdict::LooksSafe), ..Cell::default() });
        let panel = |apart: &[(usize, usize)]| Panel { apart: apart.to_vec(), ..Panel::default() };
        let result = Comparison {
            dimensions: vec![dimension(false, 2), dimension(true, 3)],
            cells: cells.collect(),
            panels: vec![panel(&[(0, 3)]), panel(&[]), panel(&[(5, 2)])],
            ..Comparison::default()
        };
        let found = reversals(&result);
        assert_eq!(found, [Reversal { better: 0, worse: 3, then_better: 5, then_worse: 2 }]);
        let along = safety_along(&result);
        assert_eq!(along.len(), 2);
        assert_eq!(along[1].iter().map(|(i, _)| *i).collect::<Vec<_>>(), [3, 4, 5]);
    }
}
