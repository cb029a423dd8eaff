//! Scores of several models of the same units, and differences between them, with bootstrap intervals for units and regions.
//!
//! A model is a matrix of held-out predictions: one feature space, several together, one layer. A [`Contrast`] is a weighted sum of
//! the models' R² or r: +1 for the full model and −1 for the one without a space is that space's unique part. Draws are shared by all
//! models and units, so what is common to them cancels in a difference.
//!
//! R² = 1 − Σ(y − ŷ)² / Σ(y − ȳ)²; r is Pearson's; both with the weights of a draw throughout, ȳ included. Where ȳ is known beforehand
//! (the mean of what a fold was fitted on), it must not be estimated anew in every draw: each draw's own mean lies closer to its samples, so
//! that R² of draws would lie below R² itself. [`Measure::R2AboutZero`] leaves it alone.

use ndarray::{Array2, Array3, ArrayView2};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{StatsError, at_least, finite, same_shape};
use crate::resampling::{Estimate, Resampling};

/// Units handled by one task.
pub(crate) const WIDTH: usize = 32;
/// Tasks whose results are held at a time.
pub(crate) const TASKS: usize = 16;

/// What a model is scored by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// The coefficient of determination.
    R2,
    /// 1 − Σ(y − ŷ)² / Σy², for truths and predictions that are already less what counts as knowing nothing: 0 is what predicting 0 scores,
    /// in every draw.
    R2AboutZero,
    /// Pearson's correlation.
    R,
}

/// A weighted sum of models' scores.
#[derive(Clone, Debug, PartialEq)]
pub struct Contrast {
    /// What it is called.
    pub name: String,
    /// Of which score.
    pub measure: Measure,
    /// The weight of each model.
    pub weights: Vec<f64>,
}

/// Contrasts of every unit and region.
#[derive(Clone, Debug, PartialEq)]
pub struct Contrasted {
    /// Per contrast and unit; `None` where a unit or a prediction is constant.
    pub units: Vec<Vec<Option<Estimate>>>,
    /// Per contrast and region: the mean over its units that have a value, in every draw anew.
    pub regions: Vec<Vec<Option<Estimate>>>,
    /// Units of each region that have a value in all contrasts.
    pub n_units: Vec<usize>,
}

/// Contrasts between models of the same units.
///
/// # Shapes
/// `truth` and every prediction n_samples × n_units, out of training; `region_of_unit` n_units, regions from 0 on.
///
/// # Errors
/// As [`ContrastsByPart::new`] and [`ContrastsByPart::add`].
///
/// # Numerics
/// f64. Agrees with scores computed draw by draw in NumPy to 1e-10.
pub fn contrasts(
    truth: ArrayView2<'_, f32>,
    predictions: &[ArrayView2<'_, f32>],
    contrasts: &[Contrast],
    region_of_unit: &[Option<usize>],
    resampling: &Resampling,
) -> Result<Contrasted, StatsError> {
    let (regions, n_regions) = regions_of(region_of_unit);
    let mut all = ContrastsByPart::new(contrasts, predictions.len(), n_regions, resampling)?;
    all.add(truth, predictions, &regions)?;
    Ok(all.finish())
}

/// [`contrasts`] of units that come in parts, so that not all of them need to be in memory; a unit may belong to several regions. How the
/// units are parted does not matter.
pub struct ContrastsByPart<'a> {
    contrasts: &'a [Contrast],
    n_models: usize,
    resampling: &'a Resampling,
    units: Vec<Vec<Option<Estimate>>>,
    /// n_contrasts × n_regions × (1 + n_draws).
    sums: Array3<f64>,
    n_units: Vec<usize>,
}

impl<'a> ContrastsByPart<'a> {
    /// Nothing yet.
    ///
    /// # Errors
    /// No models, contrasts with another number of weights than models.
    pub fn new(
        contrasts: &'a [Contrast],
        n_models: usize,
        n_regions: usize,
        resampling: &'a Resampling,
    ) -> Result<Self, StatsError> {
        at_least("models", 1, n_models)?;
        for contrast in contrasts {
            same_shape(("contrast", &[contrast.weights.len()]), ("predictions", &[n_models]))?;
        }
        let sums = Array3::zeros((contrasts.len(), n_regions, 1 + resampling.n_draws()));
        let units = vec![Vec::new(); contrasts.len()];
        Ok(Self { contrasts, n_models, resampling, units, sums, n_units: vec![0; n_regions] })
    }

    /// Adds the next units.
    ///
    /// # Shapes
    /// `truth` and every prediction n_samples × n_units, out of training; `regions` n_units, the regions of each.
    ///
    /// # Errors
    /// Shapes that differ, values that are not finite.
    pub fn add(
        &mut self,
        truth: ArrayView2<'_, f32>,
        predictions: &[ArrayView2<'_, f32>],
        regions: &[Vec<usize>],
    ) -> Result<(), StatsError> {
        same_shape(("predictions", &[predictions.len()]), ("models", &[self.n_models]))?;
        check(truth, predictions, regions, self.resampling)?;
        over_tiles(
            truth.ncols(),
            |start, end| {
                let scores = Scores::new(truth, predictions, start..end, self.resampling);
                let part: Vec<Array2<f64>> = self.contrasts.iter().map(|contrast| scores.contrast(contrast)).collect();
                let estimates = part.iter().map(estimates).collect::<Vec<_>>();
                (part, estimates)
            },
            |start, (part, estimates)| {
                for (all, part) in self.units.iter_mut().zip(&estimates) {
                    all.extend(part.iter().copied());
                }
                for unit in 0..estimates.first().map_or(0, Vec::len) {
                    let regions = &regions[start + unit];
                    let is_known = |values: &Array2<f64>| values.column(unit).iter().all(|value| value.is_finite());
                    if regions.is_empty() || !part.iter().all(is_known) {
                        continue;
                    }
                    for &region in regions {
                        self.n_units[region] += 1;
                        for (contrast, values) in part.iter().enumerate() {
                            let mut sum = self.sums.slice_mut(ndarray::s![contrast, region, ..]);
                            sum += &values.column(unit);
                        }
                    }
                }
            },
        );
        Ok(())
    }

    /// What was found of all units that were added.
    pub fn finish(self) -> Contrasted {
        let region = |contrast: usize, region: usize| {
            let n = self.n_units[region] as f64;
            let draws = self.sums.slice(ndarray::s![contrast, region, ..]);
            if n > 0.0 { Estimate::new(draws[0] / n, draws.iter().skip(1).map(|sum| sum / n)) } else { None }
        };
        let n_regions = self.n_units.len();
        let regions = (0..self.contrasts.len()).map(|c| (0..n_regions).map(|r| region(c, r)).collect()).collect();
        Contrasted { units: self.units, regions, n_units: self.n_units }
    }
}

/// The regions of each unit, where it has one at most, and how many there are.
pub(crate) fn regions_of(region_of_unit: &[Option<usize>]) -> (Vec<Vec<usize>>, usize) {
    let n_regions = region_of_unit.iter().flatten().max().map_or(0, |last| last + 1);
    (region_of_unit.iter().map(|region| region.iter().copied().collect()).collect(), n_regions)
}

/// Runs `task(start, end)` over all units a few tasks at a time, and `merge(start, result)` in the order of units.
pub(crate) fn over_tiles<R: Send>(
    n_units: usize,
    task: impl Fn(usize, usize) -> R + Sync,
    mut merge: impl FnMut(usize, R),
) {
    let starts: Vec<usize> = (0..n_units).step_by(WIDTH).collect();
    for starts in starts.chunks(TASKS) {
        let found: Vec<R> = starts.par_iter().map(|&start| task(start, (start + WIDTH).min(n_units))).collect();
        for (&start, found) in starts.iter().zip(found) {
            merge(start, found);
        }
    }
}

pub(crate) fn check(
    truth: ArrayView2<'_, f32>,
    predictions: &[ArrayView2<'_, f32>],
    regions: &[Vec<usize>],
    resampling: &Resampling,
) -> Result<(), StatsError> {
    at_least("samples", 2, truth.nrows())?;
    resampling.accepts("truth", truth)?;
    same_shape(("truth", &[truth.ncols()]), ("regions", &[regions.len()]))?;
    finite("truth", truth)?;
    for prediction in predictions {
        same_shape(("prediction", prediction.shape()), ("truth", truth.shape()))?;
        finite("prediction", *prediction)?;
    }
    Ok(())
}

/// One estimate per column of (1 + n_draws) × n_units; the first row is the samples as they are.
fn estimates(values: &Array2<f64>) -> Vec<Option<Estimate>> {
    values.columns().into_iter().map(|column| Estimate::new(column[0], column.iter().skip(1).copied())).collect()
}

/// All measures of every model, draw and unit of a tile.
pub(crate) struct Scores {
    /// n_models × (1 + n_draws) × n_units; NaN where not defined.
    r2: Array3<f64>,
    about_zero: Array3<f64>,
    r: Array3<f64>,
}

impl Scores {
    pub(crate) fn new(
        truth: ArrayView2<'_, f32>,
        predictions: &[ArrayView2<'_, f32>],
        units: std::ops::Range<usize>,
        resampling: &Resampling,
    ) -> Self {
        let width = units.len();
        let part = |values: ArrayView2<'_, f32>| centred(values.slice(ndarray::s![.., units.clone()]));
        let (y, level) = part(truth);
        let y_sums = resampling.sums(2 * width, |sample, row| {
            for (unit, &y) in y.row(sample).iter().enumerate() {
                row[unit] += y;
                row[width + unit] += y * y;
            }
        });
        let sizes = resampling.sizes();
        let shape = (predictions.len(), sizes.len(), width);
        let [mut r2, mut about_zero, mut r] = [(); 3].map(|()| Array3::from_elem(shape, f64::NAN));
        for (model, prediction) in predictions.iter().enumerate() {
            let (p, own) = part(*prediction);
            let p_sums = resampling.sums(3 * width, |sample, row| {
                for (unit, (&p, &y)) in p.row(sample).iter().zip(y.row(sample)).enumerate() {
                    row[unit] += p;
                    row[width + unit] += p * p;
                    row[2 * width + unit] += p * y;
                }
            });
            for (draw, &n) in sizes.iter().enumerate() {
                for unit in 0..width {
                    let (sy, syy) = (y_sums[(draw, unit)], y_sums[(draw, width + unit)]);
                    let (sp, spp, spy) =
                        (p_sums[(draw, unit)], p_sums[(draw, width + unit)], p_sums[(draw, 2 * width + unit)]);
                    let (vy, vp, c) = (syy - sy * sy / n, spp - sp * sp / n, spy - sp * sy / n);
                    // Sums of centred columns lose what rounding leaves of constants.
                    if vy <= 1e-12 * syy {
                        continue;
                    }
                    // Levels were taken off both sides; their difference is part of the error.
                    let shift = level[unit] - own[unit];
                    let error = syy + spp - 2.0 * spy + 2.0 * shift * (sy - sp) + n * shift * shift;
                    r2[(model, draw, unit)] = 1.0 - error / vy;
                    let square = syy + 2.0 * level[unit] * sy + n * level[unit].powi(2);
                    about_zero[(model, draw, unit)] = 1.0 - error / square;
                    if vp > 1e-12 * spp {
                        r[(model, draw, unit)] = (c / (vy * vp).sqrt()).clamp(-1.0, 1.0);
                    }
                }
            }
        }
        Self { r2, about_zero, r }
    }

    pub(crate) fn of(&self, measure: Measure) -> &Array3<f64> {
        match measure {
            Measure::R2 => &self.r2,
            Measure::R2AboutZero => &self.about_zero,
            Measure::R => &self.r,
        }
    }

    /// (1 + n_draws) × n_units.
    fn contrast(&self, contrast: &Contrast) -> Array2<f64> {
        let scores = self.of(contrast.measure);
        let mut sum = Array2::zeros((scores.dim().1, scores.dim().2));
        for (model, &weight) in contrast.weights.iter().enumerate().filter(|(_, weight)| **weight != 0.0) {
            sum.scaled_add(weight, &scores.index_axis(ndarray::Axis(0), model));
        }
        sum
    }
}

/// Columns in f64 less their mean, and the means.
pub(crate) fn centred(values: ArrayView2<'_, f32>) -> (Array2<f64>, Vec<f64>) {
    let mut out = values.mapv(f64::from);
    let means: Vec<f64> = out.columns().into_iter().map(|column| column.sum() / column.len() as f64).collect();
    for mut row in out.rows_mut() {
        row.iter_mut().zip(&means).for_each(|(value, mean)| *value -= mean);
    }
    (out, means)
}

#[cfg(test)]
mod tests {
    use super::*;
    use percept_core::Seed;

    fn noise(name: &str, n: usize, units: usize) -> Array2<f32> {
        Array2::from_shape_vec((n, units), Seed::new(9).named(name).normal(n * units)).expect("fits")
    }

    #[test]
    fn a_constant_unit_is_left_out_of_its_region() {
        let (mut y, p) = (noise("y", 60, 40), noise("p", 60, 40));
        y.column_mut(3).fill(5.0);
        let resampling = Resampling::labels(&(0..60).collect::<Vec<_>>(), 30, Seed::new(1)).expect("fits");
        let score = Contrast { name: "r".to_owned(), measure: Measure::R, weights: vec![1.0] };
        let regions: Vec<Option<usize>> = (0..40).map(|unit| (unit < 35).then_some(unit % 2)).collect();
        let found = contrasts(y.view(), &[p.view()], &[score], &regions, &resampling).expect("fits");
        assert!(found.units[0][3].is_none() && found.units[0][4].is_some());
        assert_eq!(found.n_units, vec![18, 16]);
        let mean =
            (0..35).filter(|u| u % 2 == 1 && *u != 3).map(|u| found.units[0][u].expect("value").value).sum::<f64>();
        assert!((found.regions[0][1].expect("units").value - mean / 16.0).abs() < 1e-12);
    }

    #[test]
    fn units_may_come_in_parts_and_lie_in_several_regions() {
        let (y, p) = (noise("y", 60, 40), noise("p", 60, 40));
        let resampling = Resampling::labels(&(0..60).collect::<Vec<_>>(), 30, Seed::new(1)).expect("fits");
        let score = [Contrast { name: "r".to_owned(), measure: Measure::R, weights: vec![1.0] }];
        let of = |regions: &dyn Fn(usize) -> Option<usize>| {
            let regions: Vec<Option<usize>> = (0..40).map(regions).collect();
            contrasts(y.view(), &[p.view()], &score, &regions, &resampling).expect("fits")
        };
        let mut parted = ContrastsByPart::new(&score, 1, 2, &resampling).expect("fits");
        for units in [0..3, 3..36, 36..40] {
            let regions: Vec<Vec<usize>> =
                units.clone().map(|unit| if unit % 3 == 0 { vec![0, 1] } else { vec![0] }).collect();
            let part = |values: &Array2<f32>| values.slice(ndarray::s![.., units.clone()]).to_owned();
            parted.add(part(&y).view(), &[part(&p).view()], &regions).expect("fits");
        }
        let (parted, all, third) = (parted.finish(), of(&|_| Some(0)), of(&|unit| (unit % 3 == 0).then_some(0)));
        assert_eq!((&parted.units, &parted.regions[0][0]), (&all.units, &all.regions[0][0]));
        assert_eq!((parted.regions[0][1], parted.n_units), (third.regions[0][0], vec![40, 14]));
    }

    #[test]
    fn r2_about_zero_keeps_its_frame_in_every_draw_and_r2_does_not() {
        let (n, units) = (12, 3);
        let (y, p) = (noise("y", n, units) + 0.5, noise("p", n, units));
        let block: Vec<usize> = (0..n).map(|sample| sample / 3).collect();
        let counts = ndarray::array![[2.0, 0.0, 1.0, 1.0], [0.0, 3.0, 1.0, 0.0], [1.0, 1.0, 2.0, 0.0]];
        let resampling = Resampling::from_counts(block.clone(), counts.clone()).expect("valid");
        let scores = Scores::new(y.view(), &[p.view()], 0..units, &resampling);
        for draw in 0..=counts.nrows() {
            for unit in 0..units {
                let weight = |sample: usize| if draw == 0 { 1.0 } else { counts[(draw - 1, block[sample])] };
                let sum = |value: &dyn Fn(f64, f64) -> f64| -> f64 {
                    let of = |s: usize| weight(s) * value(f64::from(y[(s, unit)]), f64::from(p[(s, unit)]));
                    (0..n).map(of).sum()
                };
                let error = sum(&|y, p| (y - p).powi(2));
                let about_zero = scores.of(Measure::R2AboutZero)[(0, draw, unit)];
                assert!((about_zero - (1.0 - error / sum(&|y, _| y * y))).abs() < 1e-12);
                let mean = sum(&|y, _| y) / sum(&|_, _| 1.0);
                let r2 = scores.of(Measure::R2)[(0, draw, unit)];
                assert!((r2 - (1.0 - error / sum(&|y, _| (y - mean).powi(2)))).abs() < 1e-12);
                assert!(r2 < about_zero);
            }
        }
    }
}
