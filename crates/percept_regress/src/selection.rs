//! The penalty of every target: what was chosen, and how the best row of a table of scores is found, for a target or a group
//! of them.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::params::Edge;

/// The penalty of every target.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// One penalty per target.
    pub alpha: Vec<f64>,
    /// The held-out score at that penalty; constant targets score 0.
    pub cv_score: Vec<f64>,
    /// Whether the penalty is an end of the grid.
    pub edge: Vec<Edge>,
}

impl Selection {
    /// The entries of some targets.
    pub fn part(&self, targets: Range<usize>) -> Self {
        let cv_score = if self.cv_score.is_empty() { Vec::new() } else { self.cv_score[targets.clone()].to_vec() };
        Self { alpha: self.alpha[targets.clone()].to_vec(), cv_score, edge: self.edge[targets].to_vec() }
    }
}

/// The best row of the score table for each label.
pub(crate) struct Groups<'a> {
    pub(crate) label_of_target: &'a [usize],
    pub(crate) best: BTreeMap<usize, usize>,
}

impl<'a> Groups<'a> {
    pub(crate) fn new(label_of_target: &'a [usize]) -> Self {
        Self { label_of_target, best: BTreeMap::new() }
    }

    pub(crate) fn update(&mut self, tables: &[(f64, Vec<f64>)]) {
        let mut sums: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        for (row, (_, scores)) in tables.iter().enumerate() {
            for (label, score) in self.label_of_target.iter().zip(scores) {
                sums.entry(*label).or_insert_with(|| vec![0.0; tables.len()])[row] += score;
            }
        }
        self.best = sums.into_iter().map(|(label, sums)| (label, best(sums.into_iter()))).collect();
    }

    /// Whether some label's best penalty is this end of the grid.
    pub(crate) fn want(&self, edge: Edge, tables: &[(f64, Vec<f64>)]) -> bool {
        self.best.values().any(|&row| edge_of(row, tables.len()) == edge)
    }
}

/// Position of the best score; among equal ones the last, that of the largest penalty.
pub(crate) fn best(scores: impl Iterator<Item = f64>) -> usize {
    let (mut position, mut largest) = (0, f64::NEG_INFINITY);
    for (candidate, score) in scores.enumerate() {
        if score >= largest {
            (position, largest) = (candidate, score);
        }
    }
    position
}

/// Which end of a grid a row is.
pub(crate) fn edge_of(row: usize, n_alphas: usize) -> Edge {
    match row {
        _ if n_alphas < 2 => Edge::Inside,
        0 => Edge::Low,
        row if row + 1 == n_alphas => Edge::High,
        _ => Edge::Inside,
    }
}
