//! What each feature space explains that no other does, and what they explain in common.
//!
//! A model is fitted for every set of spaces that is asked for; its held-out predictions come in here. From their scores follow
//! - the *unique* part of a space: score of all spaces less score without it, as a difference of R² or of r. The two are not the same
//!   number and are named apart: papers report either.
//! - the *commonality* of a set of up to four spaces: what exactly these explain together, by inclusion and exclusion over R². The
//!   parts add up to the R² of all. A part can be negative (suppression, or overfitting of the larger model).
//! - the *product measure*: the R² of one joint model split by what each space adds to its prediction; the shares add up too.
//!
//! References: Seibold and McPhee 1979, doi:10.1111/j.1468-2958.1979.tb00649.x; Lescroart, Stansbury and Gallant 2015,
//! doi:10.3389/fncom.2015.00135; Pratt 1987 and Dupré la Tour and others 2022, doi:10.1016/j.neuroimage.2022.119728 (product
//! measure).

use ndarray::{Array2, ArrayView2};

use crate::contrasts::{Contrast, Contrasted, Measure, WIDTH, centred, check, contrasts, over_tiles, regions_of};
use crate::error::{StatsError, at_least};
use crate::resampling::{Estimate, Resampling};

/// Spaces that can be split into all their common parts.
pub const MOST_SPACES: usize = 4;

/// Which spaces a model has: bit k is space k.
pub type SpaceSet = usize;

/// The sets of spaces whose models the unique parts need: all of them, and all but one. Of a single space only itself.
pub fn sets_for_unique(n_spaces: usize) -> Vec<SpaceSet> {
    let all = (1 << n_spaces) - 1;
    let without = (0..n_spaces).map(|space| all & !(1 << space)).filter(|set| *set != 0);
    std::iter::once(all).chain(without).collect()
}

/// The sets of spaces whose models the commonality needs: every one that is not empty.
pub fn sets_for_commonality(n_spaces: usize) -> Vec<SpaceSet> {
    (1..1 << n_spaces).collect()
}

/// Unique parts as contrasts of models of [`sets_for_unique`]: for every space `unique_r2:NAME` and `unique_r:NAME`. Without its
/// only space a model predicts the mean, with R² 0 and r 0.
pub fn unique(names: &[&str]) -> Vec<Contrast> {
    let sets = sets_for_unique(names.len());
    let all = sets[0];
    let mut out = Vec::new();
    for (measure, word) in [(Measure::R2, "unique_r2"), (Measure::R, "unique_r")] {
        for (space, name) in names.iter().enumerate() {
            let mut weights = vec![0.0; sets.len()];
            weights[0] = 1.0;
            if let Some(without) = sets.iter().position(|set| *set == all & !(1 << space)) {
                weights[without] = -1.0;
            }
            out.push(Contrast { name: format!("{word}:{name}"), measure, weights });
        }
    }
    out
}

/// Common parts of all sets of spaces as contrasts of models of [`sets_for_commonality`], in its order: `common_r2:A+B`.
///
/// # Errors
/// [`StatsError::Range`] for more than [`MOST_SPACES`] spaces or none.
pub fn commonality(names: &[&str]) -> Result<Vec<Contrast>, StatsError> {
    if names.is_empty() || names.len() > MOST_SPACES {
        return Err(StatsError::Range { what: "spaces", value: names.len() as f64, range: "1..=4" });
    }
    let all: SpaceSet = (1 << names.len()) - 1;
    let parts = sets_for_commonality(names.len()).into_iter().map(|set| {
        let mut weights = vec![0.0; all];
        // −Σ over T ⊆ set of (−1)^|T| R²(T ∪ rest); R² of no spaces is 0.
        for part in (0..=all).filter(|part| part & !set == 0) {
            let model = part | (all & !set);
            if model != 0 {
                weights[model - 1] -= if part.count_ones() % 2 == 0 { 1.0 } else { -1.0 };
            }
        }
        let members: Vec<&str> =
            names.iter().enumerate().filter(|(space, _)| set >> space & 1 == 1).map(|(_, name)| *name).collect();
        Contrast { name: format!("common_r2:{}", members.join("+")), measure: Measure::R2, weights }
    });
    Ok(parts.collect())
}

/// Unique parts of every space: [`contrasts`] of [`unique`], for predictions in the order of [`sets_for_unique`].
///
/// # Errors
/// As [`contrasts`].
pub fn unique_parts(
    truth: ArrayView2<'_, f32>,
    predictions: &[ArrayView2<'_, f32>],
    names: &[&str],
    region_of_unit: &[Option<usize>],
    resampling: &Resampling,
) -> Result<(Vec<Contrast>, Contrasted), StatsError> {
    let wanted = unique(names);
    let found = contrasts(truth, predictions, &wanted, region_of_unit, resampling)?;
    Ok((wanted, found))
}

/// The R² of a joint model split by what each space adds to its prediction: share k = Σ ŷₖ (2y − ŷ) / Σ y² with all of them centred.
///
/// # Shapes
/// `truth` and every part n_samples × n_units; the prediction is the sum of the parts and any level.
///
/// # Errors
/// As [`contrasts`].
///
/// # Numerics
/// The shares add up to 1 − Σ(y − ŷ)²/Σy² of centred columns, to rounding.
pub fn product_measure(
    truth: ArrayView2<'_, f32>,
    parts: &[ArrayView2<'_, f32>],
    region_of_unit: &[Option<usize>],
    resampling: &Resampling,
) -> Result<Contrasted, StatsError> {
    let (regions, n_regions) = regions_of(region_of_unit);
    check(truth, parts, &regions, resampling)?;
    at_least("parts", 1, parts.len())?;
    let sizes = resampling.sizes();
    let mut units = vec![Vec::with_capacity(truth.ncols()); parts.len()];
    let mut sums = vec![vec![vec![0.0; sizes.len()]; n_regions]; parts.len()];
    let mut n_units = vec![0; n_regions];
    over_tiles(
        truth.ncols(),
        |start, end| shares(truth, parts, start..end, resampling, &sizes),
        |start, found: Vec<Array2<f64>>| {
            for unit in 0..found[0].ncols() {
                let defined = found.iter().all(|share| share.column(unit).iter().all(|value| value.is_finite()));
                let region = region_of_unit[start + unit].filter(|_| defined);
                for (part, share) in found.iter().enumerate() {
                    let column = share.column(unit);
                    units[part].push(Estimate::new(column[0], column.iter().skip(1).copied()));
                    if let Some(region) = region {
                        sums[part][region].iter_mut().zip(column).for_each(|(sum, value)| *sum += value);
                    }
                }
                if let Some(region) = region {
                    n_units[region] += 1;
                }
            }
        },
    );
    let regions = sums
        .into_iter()
        .map(|of_region| {
            let estimate = |(region, draws): (usize, Vec<f64>)| {
                let n = n_units[region] as f64;
                if n == 0.0 { None } else { Estimate::new(draws[0] / n, draws[1..].iter().map(|sum| sum / n)) }
            };
            of_region.into_iter().enumerate().map(estimate).collect()
        })
        .collect();
    Ok(Contrasted { units, regions, n_units })
}

/// Per part (1 + n_draws) × n_units.
fn shares(
    truth: ArrayView2<'_, f32>,
    parts: &[ArrayView2<'_, f32>],
    units: std::ops::Range<usize>,
    resampling: &Resampling,
    sizes: &[f64],
) -> Vec<Array2<f64>> {
    let width = units.len();
    debug_assert!(width <= WIDTH);
    let part = |values: ArrayView2<'_, f32>| centred(values.slice(ndarray::s![.., units.clone()])).0;
    let y = part(truth);
    let parts: Vec<Array2<f64>> = parts.iter().map(|values| part(*values)).collect();
    let mut joint = Array2::<f64>::zeros(y.dim());
    for part in &parts {
        joint += part;
    }
    let rest = &y * 2.0 - &joint;
    let common = resampling.sums(3 * width, |sample, row| {
        for unit in 0..width {
            row[unit] += y[(sample, unit)];
            row[width + unit] += y[(sample, unit)].powi(2);
            row[2 * width + unit] += rest[(sample, unit)];
        }
    });
    parts
        .iter()
        .map(|part| {
            let own = resampling.sums(2 * width, |sample, row| {
                for unit in 0..width {
                    row[unit] += part[(sample, unit)];
                    row[width + unit] += part[(sample, unit)] * rest[(sample, unit)];
                }
            });
            Array2::from_shape_fn((sizes.len(), width), |(draw, unit)| {
                let n = sizes[draw];
                let (sy, syy, sr) =
                    (common[(draw, unit)], common[(draw, width + unit)], common[(draw, 2 * width + unit)]);
                let total = syy - sy * sy / n;
                if total > 1e-12 * syy {
                    (own[(draw, width + unit)] - own[(draw, unit)] * sr / n) / total
                } else {
                    f64::NAN
                }
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_parts_add_up_to_the_whole() {
        for n in 1..=4 {
            let names = &["a", "b", "c", "d"][..n];
            let parts = commonality(names).expect("few spaces");
            assert_eq!(parts.len(), (1 << n) - 1);
            for model in 0..parts.len() {
                let sum: f64 = parts.iter().map(|part| part.weights[model]).sum();
                assert_eq!(sum, f64::from(u8::from(model + 1 == parts.len())), "the R² of all spaces");
            }
        }
        assert!(commonality(&["a"; 5]).is_err());
    }

    #[test]
    fn the_common_part_of_one_space_is_its_unique_part() {
        let names = ["a", "b", "c"];
        let (parts, sets) = (commonality(&names).expect("three"), sets_for_commonality(3));
        for (space, own) in unique(&names).iter().take(3).enumerate() {
            let common = &parts[(1 << space) - 1];
            for (set, weight) in sets_for_unique(3).iter().zip(&own.weights) {
                assert_eq!(common.weights[sets.iter().position(|s| s == set).expect("a set")], *weight);
            }
        }
        assert_eq!(parts[0b011 - 1].name, "common_r2:a+b");
        assert_eq!(unique(&["only"])[0].weights, vec![1.0]);
    }
}
