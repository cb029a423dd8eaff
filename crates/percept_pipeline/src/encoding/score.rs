//! Scores of held-out predictions: r and R² with intervals for units and regions, a null, false discoveries, unique parts, the best
//! of several sets.
//!
//! Both sides are taken less the mean of their fold before they are correlated, since folds were predicted by different fits: of
//! predictions that know nothing, pooled over folds, r would be below 0. R² is 1 − Σ(y − ŷ)² / Σ(y − ȳ)² over all items, where ȳ is the mean
//! of what the item's fold was fitted on: 0 is what predicting this mean scores.
//!
//! One set of bootstrap draws and one set of permutations serve all sets of features and all units.

use ndarray::{Array2, ArrayView2, Axis, s};
use percept_core::Seed;
use percept_stats::best::{Profile, best};
use percept_stats::contrasts::{Contrast, Contrasted, Measure, contrasts};
use percept_stats::partition::{MOST_SPACES, SpaceSet, commonality, sets_for_commonality, sets_for_unique, unique};
use percept_stats::permutation::{Permutations, Shuffle, test_columns};
use percept_stats::resampling::{Estimate, Resampling};
use percept_stats::significance::{Side, correlation_p_values, false_discovery};
use percept_stats::{ItemScores, StatsError};
use serde::{Deserialize, Serialize};

use super::plan::EncodingPlan;
use crate::data::Recording;
use crate::error::PipelineError;
use crate::experiment::encoding::{NullKind, StatisticsSettings};

/// The name of the region of all units.
pub const ALL: &str = "all";

/// What all scores of a run share.
pub struct Judge<'a> {
    /// Measured responses less their mean in the fold: n_items × n_units.
    truth: Array2<f32>,
    /// The same less the mean of what the fold was fitted on.
    over_mean: Array2<f32>,
    /// The means of what each fold was fitted on: n_folds × n_units.
    trained: Array2<f64>,
    plan: &'a EncodingPlan,
    settings: &'a StatisticsSettings,
    /// Regions by name with their units, that of all units first.
    pub regions: Vec<(String, Vec<usize>)>,
    /// The share of each unit's variance that any model could explain.
    pub ceiling: Option<Vec<Option<f64>>>,
    resampling: Resampling,
    permutations: Option<Permutations>,
    /// What the permutations can find, in words for the reader.
    pub notes: Vec<String>,
}

/// A mean over the units of a region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegionEstimate {
    /// The region.
    pub region: String,
    /// The mean over its units; `None` where none has a value.
    pub estimate: Option<Estimate>,
    /// Units with a value.
    pub n_units: usize,
}

/// Scores of one set of predictions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelScores {
    /// r of each unit; `None` where it or its prediction is constant.
    pub r: Vec<Option<Estimate>>,
    /// R² of each unit.
    pub r2: Vec<Option<Estimate>>,
    /// p of r, one-sided.
    pub p: Vec<Option<f64>>,
    /// p adjusted for the false discovery rate.
    pub adjusted: Vec<Option<f64>>,
    /// p over all units at once (max-T), where there are permutations.
    pub p_max: Option<Vec<Option<f64>>>,
    /// Null correlations of all units in equal bins over −1..=1, where there are permutations.
    pub null: Option<Vec<u64>>,
    /// Means of r over regions.
    pub r_of_region: Vec<RegionEstimate>,
    /// Means of R² over regions.
    pub r2_of_region: Vec<RegionEstimate>,
}

/// What spaces explain alone and together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parts {
    /// `unique_r2:NAME`, `unique_r:NAME`, `common_r2:A+B`.
    pub names: Vec<String>,
    /// Per part and unit.
    pub units: Vec<Vec<Option<Estimate>>>,
    /// Per part and region.
    pub regions: Vec<Vec<RegionEstimate>>,
}

/// Which of several sets goes best with each unit and region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BestSets {
    /// Per unit: the set, the probability that it is best, and its margin over the next.
    pub units: Vec<Option<BestUnit>>,
    /// Per region with a value.
    pub regions: Vec<(String, percept_stats::best::Best)>,
}

/// The best set of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BestUnit {
    /// Its number.
    pub candidate: usize,
    /// In which share of draws it is best.
    pub probability: f64,
    /// Its score less that of the next, over the ceiling where there is one.
    pub margin: f64,
}

impl<'a> Judge<'a> {
    /// Draws and permutations for `responses` as they are predicted, n_samples × n_units.
    ///
    /// # Errors
    /// Too few items, runs that are too short for blocks, too few permutations to reject anything.
    pub fn new(
        data: &Recording,
        plan: &'a EncodingPlan,
        settings: &'a StatisticsSettings,
        responses: ArrayView2<'_, f32>,
        ceiling: Option<Vec<Option<f64>>>,
        seed: Seed,
    ) -> Result<Self, PipelineError> {
        let measured = plan.averaged(0..plan.n_items(), responses);
        let mut truth = measured.clone();
        take(&mut truth, &levels(&measured, plan), plan);
        let trained = trained_levels(responses, plan);
        let mut over_mean = measured;
        take(&mut over_mean, &trained, plan);
        let resampling = Resampling::labels(&plan.block_of_item, settings.draws, seed.named("bootstrap"))?;
        let is_analytic = match (settings.null, data.is_trials()) {
            (NullKind::Analytic, false) => {
                return Err(PipelineError::data(
                    "`statistics.null = \"analytic\"` counts the samples of a series as independent, which they are not",
                    "use `permutation`",
                ));
            }
            (NullKind::Analytic | NullKind::Auto, true) => true,
            (NullKind::Permutation, _) | (NullKind::Auto, false) => false,
        };
        let mut notes = Vec::new();
        let permutations = if is_analytic { None } else { Some(permutations(data, plan, settings, seed)?) };
        let n_units = truth.ncols();
        if let Some(permutations) = &permutations {
            let resolution = permutations.resolution(n_units, settings.rate)?;
            if resolution.fewest > 1 {
                notes.push(format!(
                    "with {} permutations the smallest p is {:.2e}: over {n_units} units the false discovery rate of {} can only \
                     be kept when at least {} units are found together, so fewer are never found",
                    permutations.len(),
                    resolution.smallest_p,
                    settings.rate,
                    resolution.fewest
                ));
            }
        }
        let mut regions = vec![(ALL.to_owned(), (0..n_units).collect())];
        regions.extend(data.regions.iter().map(|region| (region.name.clone(), region.units.clone())));
        let [truth, over_mean] = [truth, over_mean].map(|values| values.mapv(|value| value as f32));
        Ok(Self { truth, over_mean, trained, plan, settings, regions, ceiling, resampling, permutations, notes })
    }

    /// Whether p comes from permutations.
    pub fn permutes(&self) -> bool {
        self.permutations.is_some()
    }

    /// The orders of the items that make the null, where they are permuted: which item stands at each place.
    pub fn orders(&self) -> Option<&[Vec<u32>]> {
        self.permutations.as_ref().map(Permutations::orders)
    }

    /// Items that are scored.
    pub fn n_items(&self) -> usize {
        self.plan.n_items()
    }

    /// Scores of held-out predictions, n_items × n_units.
    ///
    /// # Errors
    /// Values that are not finite.
    pub fn scores(&self, predicted: ArrayView2<'_, f32>) -> Result<ModelScores, PipelineError> {
        let one = |measure| vec![Contrast { name: String::new(), measure, weights: vec![1.0] }];
        let (mut r, r_of_region) = self.contrasted(&[predicted], &one(Measure::R))?;
        let (mut r2, r2_of_region) = self.contrasted(&[predicted], &one(Measure::R2))?;
        let Tested { p, p_max, null } = self.tested(&r[0], self.shifted(predicted, Measure::R).view())?;
        let known: Vec<f64> = p.iter().flatten().copied().collect();
        let mut adjusted = vec![None; p.len()];
        if !known.is_empty() {
            let found = false_discovery(&known, self.settings.rate)?.adjusted;
            let places = p.iter().enumerate().filter(|(_, p)| p.is_some()).map(|(unit, _)| unit);
            places.zip(found).for_each(|(unit, value)| adjusted[unit] = Some(value));
        }
        Ok(ModelScores {
            r: r.swap_remove(0),
            r2: r2.swap_remove(0),
            p,
            adjusted,
            p_max,
            null,
            r_of_region: first(r_of_region),
            r2_of_region: first(r2_of_region),
        })
    }

    /// What spaces explain alone and together, from predictions of the models of [`Judge::sets`] in that order.
    ///
    /// # Errors
    /// Values that are not finite.
    pub fn parts(&self, names: &[&str], predicted: &[ArrayView2<'_, f32>]) -> Result<Parts, PipelineError> {
        let sets = Self::sets(names.len());
        let mut wanted = Vec::new();
        for contrast in unique(names) {
            let own = sets_for_unique(names.len());
            let mut weights = vec![0.0; sets.len()];
            for (set, weight) in own.iter().zip(&contrast.weights) {
                if let Some(place) = sets.iter().position(|found| found == set) {
                    weights[place] = *weight;
                }
            }
            wanted.push(Contrast { weights, ..contrast });
        }
        if names.len() <= MOST_SPACES {
            // What one space has alone is its unique part, which is there.
            wanted.extend(commonality(names)?.into_iter().filter(|part| part.name.contains('+')));
        }
        let mut parts = Parts { names: Vec::new(), units: Vec::new(), regions: Vec::new() };
        for measure in [Measure::R2, Measure::R] {
            let own: Vec<Contrast> = wanted.iter().filter(|contrast| contrast.measure == measure).cloned().collect();
            let (units, regions) = self.contrasted(predicted, &own)?;
            parts.names.extend(own.into_iter().map(|contrast| contrast.name));
            parts.units.extend(units);
            parts.regions.extend(regions);
        }
        Ok(parts)
    }

    /// What each space truly adds to the fits whose predictions are `predicted`, in the order of [`Judge::sets`]: the unique R² of every
    /// unit with errors counted against `signal`, the responses without noise (n_samples × n_units). It is what
    /// [`Judge::parts`] would find if noise, which no fit has seen, weighed nothing; how much more endless data would give is not in it.
    pub fn true_unique(
        &self,
        n_spaces: usize,
        predicted: &[ArrayView2<'_, f32>],
        signal: ArrayView2<'_, f32>,
    ) -> Vec<Vec<f64>> {
        let signal = self.plan.averaged(0..self.plan.n_items(), signal);
        let errors_of = |set: SpaceSet| {
            let place = Self::sets(n_spaces).iter().position(|found| *found == set);
            let mut errors = Array2::zeros((0, 0));
            if let Some(values) = place.and_then(|place| predicted.get(place)) {
                errors = values.mapv(f64::from) - &signal;
                errors.mapv_inplace(|error| error * error);
            }
            errors.sum_axis(Axis(0))
        };
        let squares = self.over_mean.mapv(|value| f64::from(value).powi(2)).sum_axis(Axis(0));
        let all: SpaceSet = (1 << n_spaces) - 1;
        let whole = errors_of(all);
        let without = |space: usize| errors_of(all & !(1 << space));
        (0..n_spaces).map(|space| ((without(space) - &whole) / &squares).to_vec()).collect()
    }

    /// The sets of spaces that [`Judge::parts`] needs models of: all that are not empty where there are few, else all and all but one.
    pub fn sets(n_spaces: usize) -> Vec<SpaceSet> {
        if n_spaces <= MOST_SPACES { sets_for_commonality(n_spaces) } else { sets_for_unique(n_spaces) }
    }

    /// Which of several predictions is best, by r.
    ///
    /// # Errors
    /// Values that are not finite.
    pub fn best(&self, predicted: &[ArrayView2<'_, f32>]) -> Result<BestSets, PipelineError> {
        let shifted: Vec<Array2<f32>> = predicted.iter().map(|values| self.shifted(*values, Measure::R)).collect();
        let views: Vec<_> = shifted.iter().map(|values| values.view()).collect();
        let profile =
            Profile { measure: Measure::R, ceiling: self.ceiling.clone(), least_ceiling: self.settings.least_ceiling };
        let mut out = BestSets { units: Vec::new(), regions: Vec::new() };
        for (number, map) in self.maps().into_iter().enumerate() {
            let found = best(self.truth.view(), &views, &profile, &map.of_unit, &self.resampling)?;
            if number == 0 {
                let unit = |best: Option<percept_stats::best::Best>| {
                    best.map(|best| BestUnit {
                        candidate: best.candidate,
                        probability: best.probability[best.candidate],
                        margin: best.margin.value,
                    })
                };
                out.units = found.units.into_iter().map(unit).collect();
            }
            for (&region, best) in map.regions.iter().zip(found.regions) {
                if let Some(best) = best {
                    out.regions.push((self.regions[region].0.clone(), best));
                }
            }
        }
        Ok(out)
    }

    /// Contrasts of every unit, and of every region in the order of [`Judge::regions`].
    fn contrasted(
        &self,
        predicted: &[ArrayView2<'_, f32>],
        wanted: &[Contrast],
    ) -> Result<(Vec<Vec<Option<Estimate>>>, Vec<Vec<RegionEstimate>>), PipelineError> {
        let measure = wanted.first().map_or(Measure::R, |contrast| contrast.measure);
        // What knowing nothing predicts is the mean of what was fitted on, in every draw.
        let framed = wanted.iter().map(|contrast| match contrast.measure {
            Measure::R2 => Contrast { measure: Measure::R2AboutZero, ..contrast.clone() },
            _ => contrast.clone(),
        });
        let framed: Vec<Contrast> = framed.collect();
        let shifted: Vec<Array2<f32>> = predicted.iter().map(|values| self.shifted(*values, measure)).collect();
        let views: Vec<_> = shifted.iter().map(|values| values.view()).collect();
        let mut units = Vec::new();
        let mut regions = vec![vec![None; self.regions.len()]; wanted.len()];
        for (number, map) in self.maps().into_iter().enumerate() {
            let truth = if measure == Measure::R { &self.truth } else { &self.over_mean };
            let found: Contrasted = contrasts(truth.view(), &views, &framed, &map.of_unit, &self.resampling)?;
            for (own, of_contrast) in regions.iter_mut().zip(&found.regions) {
                for (place, &region) in map.regions.iter().enumerate() {
                    own[region] = Some(RegionEstimate {
                        region: self.regions[region].0.clone(),
                        estimate: of_contrast.get(place).copied().flatten(),
                        n_units: found.n_units.get(place).copied().unwrap_or(0),
                    });
                }
            }
            if number == 0 {
                units = found.units;
            }
        }
        Ok((units, regions.into_iter().map(|own| own.into_iter().flatten().collect()).collect()))
    }

    /// Maps of units to regions, in each of which no unit has two; that of all units first.
    fn maps(&self) -> Vec<RegionMap> {
        let n_units = self.truth.ncols();
        let mut maps: Vec<RegionMap> = Vec::new();
        for (region, (_, units)) in self.regions.iter().enumerate() {
            let fits = |map: &RegionMap| units.iter().all(|&unit| map.of_unit[unit].is_none());
            let place = maps.iter().position(fits).unwrap_or_else(|| {
                maps.push(RegionMap { regions: Vec::new(), of_unit: vec![None; n_units] });
                maps.len() - 1
            });
            let number = maps[place].regions.len();
            maps[place].regions.push(region);
            for &unit in units {
                maps[place].of_unit[unit] = Some(number);
            }
        }
        maps
    }

    /// Predictions as they are scored: less their own mean in every fold for r, less that of the truth for R².
    fn shifted(&self, predicted: ArrayView2<'_, f32>, measure: Measure) -> Array2<f32> {
        let mut values = predicted.mapv(f64::from);
        match measure {
            Measure::R => {
                let own = levels(&values, self.plan);
                take(&mut values, &own, self.plan);
            }
            Measure::R2 | Measure::R2AboutZero => take(&mut values, &self.trained, self.plan),
        }
        values.mapv(|value| value as f32)
    }

    fn tested(&self, r: &[Option<Estimate>], predicted: ArrayView2<'_, f32>) -> Result<Tested, PipelineError> {
        if let Some(permutations) = &self.permutations {
            let test = test_columns(predicted, self.truth.view(), permutations, Side::Greater)?;
            return Ok(Tested { p: test.p, p_max: Some(test.p_max), null: Some(test.histogram) });
        }
        let r = ItemScores { values: r.iter().map(|r| r.map(|r| r.value)).collect() };
        // A mean is taken out of every fold, so each takes a degree of freedom.
        let n = (self.plan.n_items() + 1).saturating_sub(self.plan.folds.len());
        Ok(Tested { p: correlation_p_values(&r, n, Side::Greater)?, p_max: None, null: None })
    }
}

/// What chance says of every unit.
struct Tested {
    p: Vec<Option<f64>>,
    p_max: Option<Vec<Option<f64>>>,
    null: Option<Vec<u64>>,
}

/// Which region each unit belongs to.
struct RegionMap {
    /// Numbers of the regions.
    regions: Vec<usize>,
    of_unit: Vec<Option<usize>>,
}

fn first(mut regions: Vec<Vec<RegionEstimate>>) -> Vec<RegionEstimate> {
    if regions.is_empty() { Vec::new() } else { regions.swap_remove(0) }
}

/// Mean of every unit over the samples that each fold was fitted on.
fn trained_levels(responses: ArrayView2<'_, f32>, plan: &EncodingPlan) -> Array2<f64> {
    let mut levels = Array2::<f64>::zeros((plan.folds.len(), responses.ncols()));
    for (mut level, fold) in levels.rows_mut().into_iter().zip(&plan.folds) {
        for &sample in &fold.train {
            level.zip_mut_with(&responses.row(sample), |sum, value| *sum += f64::from(*value));
        }
        level /= fold.train.len() as f64;
    }
    levels
}

/// Mean of every column in each fold.
fn levels(values: &Array2<f64>, plan: &EncodingPlan) -> Array2<f64> {
    let mut levels = Array2::zeros((plan.folds.len(), values.ncols()));
    for (mut level, fold) in levels.rows_mut().into_iter().zip(&plan.folds) {
        if let Some(mean) = values.slice(s![fold.items.clone(), ..]).mean_axis(Axis(0)) {
            level.assign(&mean);
        }
    }
    levels
}

/// Subtracts the level of each fold.
fn take(values: &mut Array2<f64>, levels: &Array2<f64>, plan: &EncodingPlan) {
    for (level, fold) in levels.rows().into_iter().zip(&plan.folds) {
        let mut part = values.slice_mut(s![fold.items.clone(), ..]);
        part -= &level;
    }
}

/// Orders of the items: stimuli change places within their fold, blocks of a series within their run or title.
fn permutations(
    data: &Recording,
    plan: &EncodingPlan,
    settings: &StatisticsSettings,
    seed: Seed,
) -> Result<Permutations, PipelineError> {
    let seed = seed.named("permutations");
    let (within, length) =
        if data.is_trials() { (plan.fold_of_item(), 1) } else { (plan.run_of_item(data), settings.block) };
    let made = Permutations::new(&within, Shuffle::Blocks { length }, settings.permutations, seed);
    made.map_err(|error| match error {
        StatsError::Run { run, samples, needed } if !data.is_trials() => PipelineError::data(
            format!(
                "run or title `{}` has {samples} samples, too few for blocks of {length}: {needed} are needed",
                data.session_name(run)
            ),
            "set `statistics.block` lower, or leave it out",
        ),
        other => other.into(),
    })
}
