//! Held-out predictions of all units from one set of features, or from several that are fitted together.
//!
//! Features are brought to the time of the images first. For each fold: principal components fitted on its training samples (where they are asked for), delays within runs,
//! standardisation by the training samples, ridge with a penalty for each unit chosen by leaving out one stimulus, run or title of
//! the training side at a time. Several sets are fitted by one ridge or by banded ridge.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, Axis, concatenate, s};
use percept_core::Seed;
use percept_regress::{
    Band, BandedCv, BandedParams, Edge, Folds, Pca, Pooling, RegressError, RidgeCv, RidgeParams, Score,
};
use serde::{Deserialize, Serialize};

use super::plan::EncodingPlan;
use super::predictions::PredictionsFile;
use super::responses::{InTime, in_time};
use crate::data::Recording;
use crate::data::recording::Timeline;
use crate::error::PipelineError;
use crate::experiment::encoding::{DelayForm, EncodeSettings, ModelForm};

/// Up to so many numbers in features and responses fits are made in f64, beyond them in f32.
const MOST_NUMBERS_IN_F64: usize = 1 << 26;
/// Responses that are copied for a fit at a time, about.
const NUMBERS_TOGETHER: usize = 1 << 27;

/// Features of one band.
pub struct BandRows<'a> {
    /// Its name.
    pub name: &'a str,
    /// n_scans of the timeline × n_features.
    pub rows: ArrayView2<'a, f32>,
}

/// What is worth knowing of the fits of all folds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FitFacts {
    /// Share of units and folds whose penalty stood at the low end of the grid, and at its high end.
    pub at_edge: [f64; 2],
    /// Columns that were regressed on.
    pub n_columns: usize,
}

/// What all fits of a run share.
#[derive(Clone, Copy)]
pub struct Fits<'a> {
    /// The recording, its responses as they are predicted.
    pub data: &'a Recording,
    /// What is predicted from what.
    pub plan: &'a EncodingPlan,
    /// How.
    pub settings: &'a EncodeSettings,
}

impl<'a> Fits<'a> {
    /// Predicts the items of every fold from fits on its training samples, and writes them to `out`.
    ///
    /// # Errors
    /// A regression that is refused, named by `name`; a disk that refuses.
    pub fn held_out(
        &self,
        name: &str,
        bands: &[BandRows<'a>],
        seed: Seed,
        out: &PredictionsFile,
    ) -> Result<FitFacts, PipelineError> {
        let Self { data, plan, settings } = *self;
        let mut facts = FitFacts { at_edge: [0.0; 2], n_columns: 0 };
        if data.is_trials() && settings.delays != [0] {
            return Err(PipelineError::data(
                "`encode.delays` is set, but stimuli that were shown one by one have no delays",
                "remove it, or use a series in time",
            ));
        }
        let named = |error| match error {
            Refused::Regress(error) => PipelineError::Regress { feature: name.to_owned(), error },
            Refused::Other(error) => error,
        };
        let timed = |band: &BandRows<'a>| Ok((band.name, in_time(band.rows, data, settings)?));
        let bands = bands.iter().map(timed).collect::<Result<Vec<_>, PipelineError>>()?;
        for (number, fold) in plan.folds.iter().enumerate() {
            let prepared = prepared(&bands, &fold.train, settings).map_err(named)?;
            facts.n_columns = prepared.features.ncols();
            let job = Job {
                x: prepared.features.select(Axis(0), &fold.train),
                test: plan.of_items(fold.items.clone(), prepared.features.view()),
                responses: data.responses.view(),
                train: &fold.train,
                items: fold.items.clone(),
                bands: prepared.bands,
                inner: fold.train.iter().map(|&sample| data.group_of_sample[sample]).collect(),
                params: params(settings, prepared.is_scaled),
            };
            let small = job.x.len() + fold.train.len() * data.responses.ncols() <= MOST_NUMBERS_IN_F64;
            let seed = seed.at(number as u64);
            let fitted = if small { job.run::<f64>(settings, seed, out) } else { job.run::<f32>(settings, seed, out) };
            for (total, share) in facts.at_edge.iter_mut().zip(fitted.map_err(named)?) {
                *total += share / plan.folds.len() as f64;
            }
        }
        Ok(facts)
    }
}

fn params(settings: &EncodeSettings, is_scaled: bool) -> RidgeParams {
    RidgeParams {
        alphas: settings.alphas.clone(),
        score: Score::NegMse,
        pooling: Pooling::Folds,
        standardize: !is_scaled,
        ..RidgeParams::default()
    }
}

enum Refused {
    Regress(RegressError),
    Other(PipelineError),
}

impl From<RegressError> for Refused {
    fn from(error: RegressError) -> Self {
        Self::Regress(error)
    }
}

impl From<PipelineError> for Refused {
    fn from(error: PipelineError) -> Self {
        Self::Other(error)
    }
}

/// Features as they are regressed on.
struct Prepared {
    /// n_samples × n_columns.
    features: Array2<f32>,
    bands: Vec<Band>,
    /// Principal components have their own scale, which ridge must see.
    is_scaled: bool,
}

fn prepared(bands: &[(&str, InTime<'_>)], train: &[usize], settings: &EncodeSettings) -> Result<Prepared, Refused> {
    let mut parts = Vec::with_capacity(bands.len());
    let mut places = Vec::with_capacity(bands.len());
    let mut start = 0;
    for (name, InTime { rows, timeline }) in bands {
        let train: Vec<usize> = train.iter().map(|&sample| timeline.of_sample[sample]).collect();
        let reduced = match settings.pca {
            0 => rows.to_owned(),
            n if rows.ncols() <= n => standardised(rows.view(), &train),
            n => {
                let trained = rows.select(Axis(0), &train);
                let view = trained.view();
                let pca = Pca::fit::<f32>(&view, n, true)?;
                pca.transform(rows.view())?
            }
        };
        let reached = delayed(reduced, timeline, settings)?;
        let part = if timeline.is_whole() { reached } else { reached.select(Axis(0), &timeline.of_sample) };
        places.push(Band { name: (*name).to_owned(), features: start..start + part.ncols() });
        start += part.ncols();
        parts.push(part);
    }
    let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
    let features = concatenate(Axis(1), &views).map_err(|error| {
        Refused::Other(PipelineError::data(format!("the spaces do not fit together: {error}"), "please report this"))
    })?;
    Ok(Prepared { features, bands: places, is_scaled: settings.pca > 0 })
}

/// Features by the mean and deviation of the scans of the training samples; 0 where they do not vary there.
fn standardised(rows: ArrayView2<'_, f32>, train: &[usize]) -> Array2<f32> {
    let mut out = rows.to_owned();
    for mut column in out.columns_mut() {
        let n = train.len() as f64;
        let mean = train.iter().map(|&sample| f64::from(column[sample])).sum::<f64>() / n;
        let square = train.iter().map(|&sample| (f64::from(column[sample]) - mean).powi(2)).sum::<f64>() / n;
        let scale = if square > 0.0 { square.sqrt().recip() } else { 0.0 };
        column.mapv_inplace(|value| ((f64::from(value) - mean) * scale) as f32);
    }
    out
}

/// Features of all scans at the delays of the experiment, which never reach into another run.
fn delayed(rows: Array2<f32>, timeline: &Timeline, settings: &EncodeSettings) -> Result<Array2<f32>, PipelineError> {
    if settings.delays == [0] {
        return Ok(rows);
    }
    let delays: Vec<isize> = settings.delays.iter().map(|&delay| delay as isize).collect();
    let refused = |error: percept_signal::SignalError| {
        PipelineError::data(format!("the features cannot be delayed: {error}"), "correct `encode.delays`")
    };
    let (rows, runs) = (rows.view(), &timeline.session);
    let found = match settings.delay_form {
        DelayForm::Columns => percept_signal::delayed(rows, runs, &delays),
        DelayForm::Mean => percept_signal::delayed_mean(rows, runs, &delays),
    };
    Ok(found.map_err(refused)?.features)
}

/// One fit.
struct Job<'a> {
    x: Array2<f32>,
    /// n_samples × n_units, of which the samples `train` are fitted on.
    responses: ArrayView2<'a, f32>,
    train: &'a [usize],
    test: Array2<f32>,
    /// What `test` are.
    items: Range<usize>,
    bands: Vec<Band>,
    inner: Vec<usize>,
    params: RidgeParams,
}

impl Job<'_> {
    /// Writes predictions of `test` to `out`; the share of units whose penalty stands at either end of the grid.
    fn run<T: percept_regress::Real>(
        &self,
        settings: &EncodeSettings,
        seed: Seed,
        out: &PredictionsFile,
    ) -> Result<[f64; 2], Refused> {
        let [x, test] = [&self.x, &self.test].map(|values| values.mapv(|value| T::from_f64(f64::from(value))));
        let n_units = self.responses.ncols();
        let folds = Folds::by_label(&self.inner)?;
        let put = |units: Range<usize>, values: Array2<T>| {
            out.put(self.items.clone(), units, values.mapv(|value| value.as_f64() as f32).view())
        };
        let mut at_edge = [0usize; 2];
        if self.bands.len() == 1 || settings.model == ModelForm::Ridge {
            // Units of a brain are fitted some thousands at a time: their responses are not held twice.
            let prepared = RidgeCv::new(self.params.clone()).prepare(x.view(), folds, None)?;
            let width = prepared.task_width(n_units).max(1);
            let together = (NUMBERS_TOGETHER / self.train.len().max(1) / width).max(1) * width;
            for start in (0..n_units).step_by(together) {
                let units = start..(start + together).min(n_units);
                let ridge = prepared.fit_part(self.of_units::<T>(units.clone()).view(), width)?;
                for (count, end) in at_edge.iter_mut().zip([Edge::Low, Edge::High]) {
                    *count += ridge.edge.iter().filter(|edge| **edge == end).count();
                }
                put(units, ridge.predict(test.view())?)?;
            }
        } else {
            let params = BandedParams {
                n_draws: settings.band_draws,
                n_rounds: 0,
                ..BandedParams::new(self.params.clone(), seed)
            };
            let y = self.of_units::<T>(0..n_units);
            let banded = BandedCv::new(params).fit(x.view(), y.view(), &self.bands, &folds)?;
            let grid = self.params.grid()?;
            for (count, end) in at_edge.iter_mut().zip([grid.first(), grid.last()]) {
                *count += banded.alpha.iter().filter(|alpha| Some(*alpha) == end).count();
            }
            put(0..n_units, banded.predict(test.view())?)?;
        }
        Ok(at_edge.map(|count| count as f64 / n_units.max(1) as f64))
    }

    /// Responses of some units to what is fitted on.
    fn of_units<T: percept_regress::Real>(&self, units: Range<usize>) -> Array2<T> {
        let responses = self.responses.slice(s![.., units]);
        Array2::from_shape_fn((self.train.len(), responses.ncols()), |(row, unit)| {
            T::from_f64(f64::from(responses[(self.train[row], unit)]))
        })
    }
}
