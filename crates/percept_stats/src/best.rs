//! Which layer, step or block of a model goes best with a unit or a region, and how sure that is.
//!
//! The largest of several scores is always somewhere, also in noise. So the answer here is a probability: in how many bootstrap
//! draws each candidate is best; beside it the margin of the winner over the next, and the whole profile over the ceiling, so that
//! regions of different quality can be compared. A grid of candidates (layer × step × block) is asked for one axis by [`marginal`].

use ndarray::{Array2, Array3, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use crate::contrasts::{Measure, Scores, check, over_tiles, regions_of};
use crate::error::{StatsError, at_least, same_shape};
use crate::resampling::{Estimate, Resampling};

/// What is known about one unit's or region's best candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// The candidate that is best in most draws; the first among equals.
    pub candidate: usize,
    /// Share of draws in which each candidate is best.
    pub probability: Vec<f64>,
    /// Its score less the best score of the others, in the units of the profile.
    pub margin: Estimate,
    /// Score of each candidate over the ceiling; `None` where it has none.
    pub profile: Vec<Option<Estimate>>,
    /// Units that it is made of.
    pub n_units: usize,
}

/// Best candidates of all units and regions.
#[derive(Clone, Debug, PartialEq)]
pub struct BestOf {
    /// `None` for units without a score or whose ceiling is too low.
    pub units: Vec<Option<Best>>,
    /// `None` for regions without such units.
    pub regions: Vec<Option<Best>>,
}

/// How scores become a profile.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// Which score is compared.
    pub measure: Measure,
    /// Ceiling of each unit as a share of variance (R² units); scores of r are divided by its root. Without one nothing is divided.
    pub ceiling: Option<Vec<Option<f64>>>,
    /// Units below this ceiling are left out: their scores over the ceiling are noise.
    pub least_ceiling: f64,
}

/// Compares candidates (at least two) by their held-out predictions.
///
/// # Shapes
/// `truth` and every prediction n_samples × n_units; `region_of_unit` and the ceilings n_units.
///
/// # Errors
/// As [`BestByPart::new`] and [`BestByPart::add`].
pub fn best(
    truth: ArrayView2<'_, f32>,
    predictions: &[ArrayView2<'_, f32>],
    profile: &Profile,
    region_of_unit: &[Option<usize>],
    resampling: &Resampling,
) -> Result<BestOf, StatsError> {
    if let Some(ceiling) = &profile.ceiling {
        same_shape(("ceiling", &[ceiling.len()]), ("truth", &[truth.ncols()]))?;
    }
    let (regions, n_regions) = regions_of(region_of_unit);
    let mut all = BestByPart::new(profile, predictions.len(), n_regions, resampling)?;
    all.add(truth, predictions, &regions)?;
    Ok(all.finish())
}

/// [`best`] of units that come in parts, so that not all of them need to be in memory; a unit may belong to several regions. How the units
/// are parted does not matter.
pub struct BestByPart<'a> {
    profile: &'a Profile,
    resampling: &'a Resampling,
    /// Per region, n_candidates × (1 + n_draws).
    sums: Vec<Array2<f64>>,
    n_units: Vec<usize>,
    n_candidates: usize,
    units: Vec<Option<Best>>,
}

impl<'a> BestByPart<'a> {
    /// Nothing yet; the ceilings of `profile` are those of all units to come.
    ///
    /// # Errors
    /// Fewer than two candidates.
    pub fn new(
        profile: &'a Profile,
        n_candidates: usize,
        n_regions: usize,
        resampling: &'a Resampling,
    ) -> Result<Self, StatsError> {
        at_least("candidates", 2, n_candidates)?;
        let sums = vec![Array2::zeros((n_candidates, 1 + resampling.n_draws())); n_regions];
        Ok(Self { profile, resampling, sums, n_units: vec![0; n_regions], n_candidates, units: Vec::new() })
    }

    /// Adds the next units.
    ///
    /// # Shapes
    /// `truth` and every prediction n_samples × n_units; `regions` n_units, the regions of each.
    ///
    /// # Errors
    /// Shapes that differ, more units than ceilings, values that are not finite.
    pub fn add(
        &mut self,
        truth: ArrayView2<'_, f32>,
        predictions: &[ArrayView2<'_, f32>],
        regions: &[Vec<usize>],
    ) -> Result<(), StatsError> {
        same_shape(("predictions", &[predictions.len()]), ("candidates", &[self.n_candidates]))?;
        check(truth, predictions, regions, self.resampling)?;
        let first = self.units.len();
        if let Some(ceiling) = &self.profile.ceiling {
            at_least("ceilings", first + truth.ncols(), ceiling.len())?;
        }
        over_tiles(
            truth.ncols(),
            |start, end| {
                let scores = Scores::new(truth, predictions, start..end, self.resampling);
                let mut scores = scores.of(self.profile.measure).clone();
                let usable: Vec<bool> =
                    (start..end).map(|unit| normalise(&mut scores, unit - start, first + unit, self.profile)).collect();
                let found: Vec<Option<Best>> = usable
                    .iter()
                    .enumerate()
                    .map(|(unit, usable)| usable.then(|| of(scores.index_axis(Axis(2), unit), 1)).flatten())
                    .collect();
                (scores, found)
            },
            |start, (scores, found)| {
                for (unit, found) in found.into_iter().enumerate() {
                    for &region in regions[start + unit].iter().filter(|_| found.is_some()) {
                        self.sums[region] += &scores.index_axis(Axis(2), unit);
                        self.n_units[region] += 1;
                    }
                    self.units.push(found);
                }
            },
        );
        Ok(())
    }

    /// What was found of all units that were added.
    pub fn finish(self) -> BestOf {
        let of_region = |(sum, n): (Array2<f64>, usize)| if n == 0 { None } else { of((sum / n as f64).view(), n) };
        BestOf { units: self.units, regions: self.sums.into_iter().zip(self.n_units).map(of_region).collect() }
    }
}

/// The probability of each value of one axis, from the probabilities of candidates and the value that each of them has there.
///
/// # Errors
/// [`StatsError::Shape`] for lists of different lengths.
pub fn marginal(probability: &[f64], value_of_candidate: &[usize]) -> Result<Vec<f64>, StatsError> {
    same_shape(("probability", &[probability.len()]), ("values", &[value_of_candidate.len()]))?;
    let n = value_of_candidate.iter().max().map_or(0, |last| last + 1);
    let mut sums = vec![0.0; n];
    for (probability, &value) in probability.iter().zip(value_of_candidate) {
        sums[value] += probability;
    }
    Ok(sums)
}

/// Divides a unit's scores by its ceiling; whether it can be used.
fn normalise(scores: &mut Array3<f64>, place: usize, unit: usize, profile: &Profile) -> bool {
    let Some(ceiling) = &profile.ceiling else { return true };
    let Some(ceiling) = ceiling[unit].filter(|&ceiling| ceiling > 0.0 && ceiling >= profile.least_ceiling) else {
        return false;
    };
    let divisor = if profile.measure == Measure::R { ceiling.sqrt() } else { ceiling };
    scores.index_axis_mut(Axis(2), place).mapv_inplace(|score| score / divisor);
    true
}

/// From n_candidates × (1 + n_draws).
fn of(scores: ArrayView2<'_, f64>, n_units: usize) -> Option<Best> {
    let n_candidates = scores.nrows();
    let mut wins = vec![0usize; n_candidates];
    for draw in scores.columns().into_iter().skip(1) {
        let mut winner = None;
        for (candidate, &score) in draw.iter().enumerate() {
            if score.is_finite() && winner.is_none_or(|(_, best)| score > best) {
                winner = Some((candidate, score));
            }
        }
        wins[winner?.0] += 1;
    }
    let n_draws = (scores.ncols() - 1) as f64;
    let mut candidate = 0;
    for other in 1..n_candidates {
        if wins[other] > wins[candidate] {
            candidate = other;
        }
    }
    let margin = |draw: ndarray::ArrayView1<'_, f64>| {
        let others = draw.iter().enumerate().filter(|(other, score)| *other != candidate && score.is_finite());
        draw[candidate] - others.map(|(_, score)| *score).fold(f64::NEG_INFINITY, f64::max)
    };
    let margins: Vec<f64> = scores.columns().into_iter().map(margin).collect();
    let profile = scores.rows().into_iter().map(|row| Estimate::new(row[0], row.iter().skip(1).copied())).collect();
    Some(Best {
        candidate,
        probability: wins.iter().map(|&wins| wins as f64 / n_draws).collect(),
        margin: Estimate::new(margins[0], margins[1..].iter().copied())?,
        profile,
        n_units,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use percept_core::Seed;

    #[test]
    fn noise_has_no_sure_winner_and_a_planted_one_wins() {
        let noise = |name: &str| Array2::from_shape_vec((200, 6), Seed::new(4).named(name).normal(1200)).expect("fits");
        let (truth, good) = (noise("truth"), noise("truth") + noise("noise") * 0.7);
        let (a, b) = (noise("a"), noise("b"));
        let resampling = Resampling::labels(&(0..200).collect::<Vec<_>>(), 200, Seed::new(1)).expect("fits");
        let ceiling = Some(vec![Some(0.5), Some(0.5), None, Some(0.1), Some(0.5), Some(0.5)]);
        let profile = Profile { measure: Measure::R, ceiling, least_ceiling: 0.2 };
        let regions = vec![Some(0); 6];
        let found =
            best(truth.view(), &[a.view(), good.view(), b.view()], &profile, &regions, &resampling).expect("fits");
        let mut parted = BestByPart::new(&profile, 3, 1, &resampling).expect("fits");
        for units in [0..2, 2..6] {
            let of = |values: &Array2<f32>| values.slice(ndarray::s![.., units.clone()]).to_owned();
            let candidates = [of(&a), of(&good), of(&b)];
            let views: Vec<_> = candidates.iter().map(|values| values.view()).collect();
            parted.add(of(&truth).view(), &views, &vec![vec![0]; units.len()]).expect("fits");
        }
        assert_eq!(parted.finish(), found, "units may come in parts");
        let region = found.regions[0].as_ref().expect("units");
        assert_eq!((region.candidate, region.probability[1], region.n_units), (1, 1.0, 4));
        assert!(region.margin.low > 0.5 && found.units[2].is_none() && found.units[3].is_none());
        let unit = found.units[0].as_ref().expect("a ceiling");
        let r = crate::correlation::pearson(good.column(0), truth.column(0)).expect("varies");
        assert!((unit.profile[1].expect("varies").value - r / 0.5f64.sqrt()).abs() < 1e-9);
        let none = best(truth.view(), &[a.view(), b.view(), noise("c").view()], &profile, &regions, &resampling);
        let none = none.expect("fits").regions[0].clone().expect("units");
        assert!(none.margin.low < 0.0, "{none:?}");
        assert_eq!(marginal(&[0.2, 0.5, 0.3], &[1, 0, 1]).expect("fits"), vec![0.5, 0.5]);
    }
}
