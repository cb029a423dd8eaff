//! Scores of held-out predictions: r and R² with intervals for units and regions, a null, false discoveries, unique parts, the best
//! of several sets.
//!
//! Both sides are taken less the mean of their fold before they are correlated, since folds were predicted by different fits: of
//! predictions that know nothing, pooled over folds, r would be below 0. R² is 1 − Σ(y − ŷ)² / Σ(y − ȳ)² over all items, where ȳ is the mean
//! of what the item's fold was fitted on: 0 is what predicting this mean scores.
//!
//! One set of bootstrap draws and one set of permutations serve all sets of features and all units. Units are compared some at a time, so that
//! of a brain only the responses are in memory as a whole.

mod frame;

use std::ops::Range;

use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use percept_core::Seed;
use percept_stats::best::{Best, BestByPart, Profile};
use percept_stats::contrasts::{Contrast, Contrasted, ContrastsByPart, Measure};
use percept_stats::partition::{MOST_SPACES, SpaceSet, commonality, sets_for_commonality, sets_for_unique, unique};
use percept_stats::permutation::{Permutations, Shuffle, TestByPart};
use percept_stats::resampling::{Estimate, Resampling};
use percept_stats::significance::{Side, correlation_p_values, false_discovery};
use percept_stats::{ItemScores, StatsError};
use serde::{Deserialize, Serialize};

use super::plan::EncodingPlan;
use super::predictions::Predictions;
use crate::data::Recording;
use crate::error::PipelineError;
use crate::experiment::encoding::{NullKind, StatisticsSettings};
use frame::Frame;

/// The name of the region of all units.
pub const ALL: &str = "all";

/// What all scores of a run share.
pub struct Judge<'a> {
    /// n_samples × n_units.
    responses: ArrayView2<'a, f32>,
    plan: &'a EncodingPlan,
    settings: &'a StatisticsSettings,
    /// Regions by name with their units, that of all units first.
    pub regions: Vec<(String, Vec<usize>)>,
    /// The regions of each unit.
    regions_of_unit: Vec<Vec<usize>>,
    /// The share of each unit's variance that any model could explain.
    pub ceiling: Option<Vec<Option<f64>>>,
    resampling: Resampling,
    /// How items change places in the null; `None` where it is the t distribution of r.
    pub shuffle: Option<Shuffle>,
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
    /// Draws and permutations for the responses of `data`, as they are predicted.
    ///
    /// # Errors
    /// Too few items, runs that are too short for blocks, too few permutations to reject anything.
    pub fn new(
        data: &'a Recording,
        plan: &'a EncodingPlan,
        settings: &'a StatisticsSettings,
        ceiling: Option<Vec<Option<f64>>>,
        seed: Seed,
    ) -> Result<Self, PipelineError> {
        let resampling = Resampling::labels(&plan.block_of_item, settings.draws, seed.named("bootstrap"))?;
        let shuffle = shuffle(settings, data)?;
        let mut notes = Vec::new();
        let permutations = shuffle.map(|shuffle| permutations(data, plan, settings, shuffle, seed)).transpose()?;
        let responses = data.responses.view();
        let n_units = responses.ncols();
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
        let mut regions_of_unit = vec![Vec::new(); n_units];
        for (number, (_, units)) in regions.iter().enumerate() {
            for &unit in units {
                regions_of_unit[unit].push(number);
            }
        }
        Ok(Self {
            responses,
            plan,
            settings,
            regions,
            regions_of_unit,
            ceiling,
            resampling,
            shuffle,
            permutations,
            notes,
        })
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

    /// Units that are compared at a time with predictions of `n_models` models, and their responses.
    fn parts(&self, n_models: usize) -> impl Iterator<Item = (Range<usize>, Frame<'a>)> {
        frame::parts(self.responses.ncols(), self.n_items(), n_models).map(|units| {
            let frame = Frame::new(self.responses.slice(s![.., units.clone()]), self.plan);
            (units, frame)
        })
    }

    /// Scores of held-out predictions.
    ///
    /// # Errors
    /// Values that are not finite.
    pub fn scores(&self, predictions: &Predictions) -> Result<ModelScores, PipelineError> {
        let one = |measure| [Contrast { name: String::new(), measure, weights: vec![1.0] }];
        let (of_r, of_r2) = (one(Measure::R), one(Measure::R2AboutZero));
        let mut r = ContrastsByPart::new(&of_r, 1, self.regions.len(), &self.resampling)?;
        let mut r2 = ContrastsByPart::new(&of_r2, 1, self.regions.len(), &self.resampling)?;
        let mut test = self.permutations.as_ref().map(|permutations| TestByPart::new(permutations, Side::Greater));
        for (units, frame) in self.parts(1) {
            let read = predictions.of_units(units.clone())?;
            for (measure, scores) in [(Measure::R, &mut r), (Measure::R2AboutZero, &mut r2)] {
                let predicted = frame.predicted(read.view(), measure);
                scores.add(frame.truth(measure), &[predicted.view()], &self.regions_of_unit[units.clone()])?;
                if let (Measure::R, Some(test)) = (measure, &mut test) {
                    test.add(predicted.view(), frame.truth(measure))?;
                }
            }
        }
        let [(mut r, r_of_region), (mut r2, r2_of_region)] = [r, r2].map(|scores| self.named(scores.finish()));
        let Tested { p, p_max, null } = self.tested(&r[0], test)?;
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
    pub fn shares(&self, names: &[&str], predictions: &[Predictions]) -> Result<Parts, PipelineError> {
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
        // What knowing nothing predicts is the mean of what was fitted on, in every draw.
        let framed = wanted.iter().map(|contrast| match contrast.measure {
            Measure::R2 => Contrast { measure: Measure::R2AboutZero, ..contrast.clone() },
            _ => contrast.clone(),
        });
        let (of_r, of_r2): (Vec<Contrast>, Vec<Contrast>) = framed.partition(|of| of.measure == Measure::R);
        let n_models = predictions.len();
        let mut r = ContrastsByPart::new(&of_r, n_models, self.regions.len(), &self.resampling)?;
        let mut r2 = ContrastsByPart::new(&of_r2, n_models, self.regions.len(), &self.resampling)?;
        for (units, frame) in self.parts(n_models) {
            let read = read(predictions, &units)?;
            for (measure, scores) in [(Measure::R2AboutZero, &mut r2), (Measure::R, &mut r)] {
                let predicted: Vec<Array2<f32>> =
                    read.iter().map(|values| frame.predicted(values.view(), measure)).collect();
                let views: Vec<_> = predicted.iter().map(|values| values.view()).collect();
                scores.add(frame.truth(measure), &views, &self.regions_of_unit[units.clone()])?;
            }
        }
        let mut parts = Parts { names: Vec::new(), units: Vec::new(), regions: Vec::new() };
        for (own, found) in [(&of_r2, r2.finish()), (&of_r, r.finish())] {
            let (units, regions) = self.named(found);
            parts.names.extend(own.iter().map(|contrast| contrast.name.clone()));
            parts.units.extend(units);
            parts.regions.extend(regions);
        }
        Ok(parts)
    }

    /// What each space truly adds to the fits that made `predictions`, in the order of [`Judge::sets`]: the unique R² of every
    /// unit with errors counted against `signal`, the responses without noise (n_samples × n_units). It is what
    /// [`Judge::shares`] would find if noise, which no fit has seen, weighed nothing; how much more endless data would give is not in it.
    ///
    /// # Errors
    /// Predictions that cannot be read.
    pub fn true_unique(
        &self,
        n_spaces: usize,
        predictions: &[Predictions],
        signal: ArrayView2<'_, f32>,
    ) -> Result<Vec<Vec<f64>>, PipelineError> {
        let sets = Self::sets(n_spaces);
        let all: SpaceSet = (1 << n_spaces) - 1;
        let mut found = vec![Vec::new(); n_spaces];
        for (units, frame) in self.parts(predictions.len()) {
            let signal = self.plan.averaged(0..self.n_items(), signal.slice(s![.., units.clone()]));
            let errors_of = |set: SpaceSet| -> Result<Array1<f64>, PipelineError> {
                let place = sets.iter().position(|found| *found == set).and_then(|place| predictions.get(place));
                let of = place.ok_or_else(|| PipelineError::data("a model is missing", "please report this"))?;
                let mut errors = of.of_units(units.clone())?.mapv(f64::from) - &signal;
                errors.mapv_inplace(|error| error * error);
                Ok(errors.sum_axis(Axis(0)))
            };
            let squares = frame.truth(Measure::R2).mapv(|value| f64::from(value).powi(2)).sum_axis(Axis(0));
            let whole = errors_of(all)?;
            for (space, found) in found.iter_mut().enumerate() {
                found.extend((errors_of(all & !(1 << space))? - &whole) / &squares);
            }
        }
        Ok(found)
    }

    /// The sets of spaces that [`Judge::shares`] needs models of: all that are not empty where there are few, else all and all but one.
    pub fn sets(n_spaces: usize) -> Vec<SpaceSet> {
        if n_spaces <= MOST_SPACES { sets_for_commonality(n_spaces) } else { sets_for_unique(n_spaces) }
    }

    /// Which of several predictions is best, by r.
    ///
    /// # Errors
    /// Values that are not finite.
    pub fn best(&self, predictions: &[Predictions]) -> Result<BestSets, PipelineError> {
        let profile =
            Profile { measure: Measure::R, ceiling: self.ceiling.clone(), least_ceiling: self.settings.least_ceiling };
        let n_models = predictions.len();
        let mut best = BestByPart::new(&profile, n_models, self.regions.len(), &self.resampling)?;
        for (units, frame) in self.parts(n_models) {
            let own = |of: &Predictions| Ok(frame.predicted(of.of_units(units.clone())?.view(), Measure::R));
            let predicted = predictions.iter().map(own).collect::<Result<Vec<_>, PipelineError>>()?;
            let views: Vec<_> = predicted.iter().map(|values| values.view()).collect();
            best.add(frame.truth(Measure::R), &views, &self.regions_of_unit[units.clone()])?;
        }
        let found = best.finish();
        let unit = |best: Option<Best>| {
            best.map(|best| BestUnit {
                candidate: best.candidate,
                probability: best.probability[best.candidate],
                margin: best.margin.value,
            })
        };
        let regions = self.regions.iter().zip(found.regions);
        Ok(BestSets {
            units: found.units.into_iter().map(unit).collect(),
            regions: regions.filter_map(|((region, _), best)| Some((region.clone(), best?))).collect(),
        })
    }

    /// Contrasts of every unit, and of every region by its name.
    fn named(&self, found: Contrasted) -> (Vec<Vec<Option<Estimate>>>, Vec<Vec<RegionEstimate>>) {
        let of_region = |(number, estimate): (usize, Option<Estimate>)| RegionEstimate {
            region: self.regions[number].0.clone(),
            estimate,
            n_units: found.n_units[number],
        };
        let of_contrast = |all: Vec<Option<Estimate>>| all.into_iter().enumerate().map(of_region).collect();
        (found.units, found.regions.into_iter().map(of_contrast).collect())
    }

    fn tested(&self, r: &[Option<Estimate>], test: Option<TestByPart<'_>>) -> Result<Tested, PipelineError> {
        if let Some(test) = test.map(TestByPart::finish) {
            return Ok(Tested { p: test.p, p_max: Some(test.p_max), null: Some(test.histogram) });
        }
        let r = ItemScores { values: r.iter().map(|r| r.map(|r| r.value)).collect() };
        // A mean is taken out of every fold, so each takes a degree of freedom.
        let n = (self.n_items() + 1).saturating_sub(self.plan.folds.len());
        Ok(Tested { p: correlation_p_values(&r, n, Side::Greater)?, p_max: None, null: None })
    }
}

/// Predictions of some units by all models.
fn read(predictions: &[Predictions], units: &Range<usize>) -> Result<Vec<Array2<f32>>, PipelineError> {
    predictions.iter().map(|of| of.of_units(units.clone())).collect()
}

/// What chance says of every unit.
struct Tested {
    p: Vec<Option<f64>>,
    p_max: Option<Vec<Option<f64>>>,
    null: Option<Vec<u64>>,
}

fn first(mut regions: Vec<Vec<RegionEstimate>>) -> Vec<RegionEstimate> {
    if regions.is_empty() { Vec::new() } else { regions.swap_remove(0) }
}

/// How items change places; `None` where the null is the t distribution of r.
fn shuffle(settings: &StatisticsSettings, data: &Recording) -> Result<Option<Shuffle>, PipelineError> {
    let blocks = Shuffle::Blocks { length: settings.block };
    match (settings.null, data.is_trials()) {
        (NullKind::Analytic, false) => Err(PipelineError::data(
            "`statistics.null = \"analytic\"` counts the samples of a series as independent, which they are not",
            "use `shifts` or `permutation`",
        )),
        (NullKind::Shifts, true) => Err(PipelineError::data(
            "`statistics.null = \"shifts\"` turns runs of a series, but stimuli were shown one by one",
            "use `analytic` or `permutation`",
        )),
        (NullKind::Analytic | NullKind::Auto, true) => Ok(None),
        (NullKind::Permutation, true) => Ok(Some(Shuffle::Blocks { length: 1 })),
        // A run that plays its excerpts again in the same order meets itself when it is turned by a round.
        (NullKind::Auto, false) if data.heard.is_some() => Ok(Some(blocks)),
        (NullKind::Permutation, false) => Ok(Some(blocks)),
        (NullKind::Shifts | NullKind::Auto, false) => Ok(Some(Shuffle::Shifts)),
    }
}

/// Orders of the items: those of stimuli within their fold, those of a series within their run or title.
fn permutations(
    data: &Recording,
    plan: &EncodingPlan,
    settings: &StatisticsSettings,
    shuffle: Shuffle,
    seed: Seed,
) -> Result<Permutations, PipelineError> {
    let within = if data.is_trials() { plan.fold_of_item() } else { plan.run_of_item(data) };
    let made = Permutations::new(&within, shuffle, settings.permutations, seed.named("permutations"));
    made.map_err(|error| match error {
        StatsError::Run { run, samples, needed } if !data.is_trials() => PipelineError::data(
            format!(
                "run or title `{}` has {samples} samples, too few to be put into another order: {needed} are needed",
                data.session_name(run)
            ),
            if shuffle == Shuffle::Shifts { "leave it out" } else { "set `statistics.block` lower, or leave it out" },
        ),
        other => other.into(),
    })
}
