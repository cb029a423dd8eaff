//! Which layer, step or block of a model goes best with a unit or a region, and how sure that is.
//!
//! The largest of several scores is always somewhere, also in noise. So the answer here is a probability: in how many bootstrap
//! draws each candidate is best; beside it the margin of the winner over the next, and the whole profile over the ceiling, so that
//! regions of different quality can be compared. A grid of candidates (layer × step × block) is asked for one axis by [`marginal`].

use ndarray::{Array2, Array3, ArrayView2};
use serde::{Deserialize, Serialize};

use crate::contrasts::{Measure, Scores, check, over_tiles};
use crate::error::{StatsError, same_shape};
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
/// Shapes that differ, fewer than two candidates, values that are not finite.
pub fn best(
    truth: ArrayView2<'_, f32>,
    predictions: &[ArrayView2<'_, f32>],
    profile: &Profile,
    region_of_unit: &[Option<usize>],
    resampling: &Resampling,
) -> Result<BestOf, StatsError> {
    check(truth, predictions, region_of_unit, resampling)?;
    crate::error::at_least("candidates", 2, predictions.len())?;
    if let Some(ceiling) = &profile.ceiling {
        same_shape(("ceiling", &[ceiling.len()]), ("truth", &[truth.ncols()]))?;
    }
    let n_regions = region_of_unit.iter().flatten().max().map_or(0, |last| last + 1);
    let n_rows = 1 + resampling.n_draws();
    let mut sums = vec![Array2::<f64>::zeros((predictions.len(), n_rows)); n_regions];
    let mut n_units = vec![0; n_regions];
    let mut units = Vec::with_capacity(truth.ncols());
    over_tiles(
        truth.ncols(),
        |start, end| {
            let mut scores = Scores::new(truth, predictions, start..end, resampling).of(profile.measure).clone();
            let usable: Vec<bool> =
                (start..end).map(|unit| normalise(&mut scores, unit - start, unit, profile)).collect();
            let found: Vec<Option<Best>> = usable
                .iter()
                .enumerate()
                .map(|(unit, usable)| usable.then(|| of(scores.index_axis(ndarray::Axis(2), unit), 1)).flatten())
                .collect();
            (scores, found)
        },
        |start, (scores, found)| {
            for (unit, found) in found.into_iter().enumerate() {
                if let (Some(region), true) = (region_of_unit[start + unit], found.is_some()) {
                    sums[region] += &scores.index_axis(ndarray::Axis(2), unit);
                    n_units[region] += 1;
                }
                units.push(found);
            }
        },
    );
    let regions = sums
        .into_iter()
        .zip(n_units)
        .map(|(sum, n)| if n == 0 { None } else { of((sum / n as f64).view(), n) })
        .collect();
    Ok(BestOf { units, regions })
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
    scores.index_axis_mut(ndarray::Axis(2), place).mapv_inplace(|score| score / divisor);
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
