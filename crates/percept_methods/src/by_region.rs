//! Vectors decoded from responses by a ridge regression from every region, the best averaged, with held-out predictions of the
//! training side.
//!
//! Penalties and regions are chosen by folds of the training samples. Beside the test, every training sample is predicted by a model that
//! was fitted, and whose regions were chosen, without its fold: those are the numbers of the training side.

use ndarray::{Array2, ArrayView2, Axis};
use percept_core::Progress;
use percept_pipeline::PipelineError;
use percept_pipeline::data::UnitGroup;
use percept_regress::{Best, Folds, Region, Regions, RegionsParams, RidgeParams, Score};

/// Samples and what is to be decoded from them.
pub(crate) struct RegionDecoder<'a> {
    /// The name of the space, for messages.
    pub(crate) feature: &'a str,
    /// Samples × units.
    pub(crate) x: Array2<f64>,
    /// Samples × dimensions.
    pub(crate) y: Array2<f64>,
    /// The fold of each sample, from 0 on.
    pub(crate) fold_of_row: Vec<usize>,
    /// Regions of units.
    pub(crate) regions: Vec<Region>,
    /// Penalties to choose from.
    pub(crate) alphas: &'a [f64],
    /// By what penalties and regions are chosen.
    pub(crate) score: Score,
    /// How many regions are averaged.
    pub(crate) n_best: usize,
    /// Who is told how far it is.
    pub(crate) progress: &'a dyn Progress,
}

/// What was learnt.
pub(crate) struct DecodedByRegion {
    /// Training samples × dimensions, each without its fold.
    pub(crate) held_out: Array2<f32>,
    /// Test samples × dimensions.
    pub(crate) predicted: Array2<f32>,
    /// The regions that were averaged, the best first.
    pub(crate) chosen: Vec<String>,
    /// Mean held-out score of each region.
    pub(crate) of_regions: Vec<f64>,
    /// How often each penalty was chosen, over the chosen regions.
    pub(crate) n_targets_of_alpha: Vec<usize>,
    /// Mean over dimensions of R² of the held-out predictions.
    pub(crate) r2: f64,
}

/// The regions as the regression knows them.
pub(crate) fn regions_of(groups: &[UnitGroup]) -> Vec<Region> {
    groups.iter().map(|group| Region { name: group.name.clone(), features: group.units.clone() }).collect()
}

impl RegionDecoder<'_> {
    /// A model of some samples.
    pub(crate) fn model(&self, rows: &[usize]) -> Result<Regions<f64>, PipelineError> {
        let refused = |error| self.refused(error);
        let labels: Vec<usize> = rows.iter().map(|&row| self.fold_of_row[row]).collect();
        let folds = Folds::by_label(&labels).map_err(refused)?;
        let (x, y) = (self.x.select(Axis(0), rows), self.y.select(Axis(0), rows));
        let params = RegionsParams {
            ridge: RidgeParams { alphas: self.alphas.to_vec(), score: self.score, ..RidgeParams::default() },
            n_best: self.n_best,
            best: Best::Together,
        };
        let fitted = Regions::fit(x.view(), y.view(), &self.regions, &folds, &params, None, None).map_err(refused)?;
        self.progress.advance(1);
        Ok(fitted)
    }

    /// What a model says of samples.
    pub(crate) fn predict(&self, model: &Regions<f64>, x: ArrayView2<'_, f64>) -> Result<Array2<f32>, PipelineError> {
        Ok(model.predict(x).map_err(|error| self.refused(error))?.mapv(|value| value as f32))
    }

    fn refused(&self, error: percept_regress::RegressError) -> PipelineError {
        PipelineError::Regress { feature: self.feature.to_owned(), error }
    }

    /// Every training sample without its fold, and the test by all of them.
    pub(crate) fn decoded(&self, test: ArrayView2<'_, f64>) -> Result<DecodedByRegion, PipelineError> {
        let n_folds = self.fold_of_row.iter().max().map_or(1, |last| last + 1);
        self.progress.begin(&format!("decode {}", self.feature), n_folds as u64 + 1);
        let mut held_out = Array2::<f32>::zeros(self.y.dim());
        for fold in 0..n_folds {
            let (own, rest): (Vec<usize>, Vec<usize>) =
                (0..self.x.nrows()).partition(|&row| self.fold_of_row[row] == fold);
            let found = self.predict(&self.model(&rest)?, self.x.select(Axis(0), &own).view())?;
            for (&row, values) in own.iter().zip(found.outer_iter()) {
                held_out.row_mut(row).assign(&values);
            }
        }
        let all: Vec<usize> = (0..self.x.nrows()).collect();
        let whole = self.model(&all)?;
        let predicted = self.predict(&whole, test)?;
        self.progress.end("");
        let best = whole.chosen.first().cloned().unwrap_or_default();
        let times = |alpha: &f64| {
            best.iter().flat_map(|&region| whole.alpha.row(region).to_vec()).filter(|own| own == alpha).count()
        };
        let truth = self.y.mapv(|value| value as f32);
        let of_columns = percept_stats::correlation::r2_columns(held_out.view(), truth.view())?.values;
        let defined: Vec<f64> = of_columns.into_iter().flatten().collect();
        Ok(DecodedByRegion {
            held_out,
            predicted,
            chosen: best.iter().map(|&region| self.regions[region].name.clone()).collect(),
            of_regions: (0..self.regions.len()).map(|region| whole.scores.row(region).mean().unwrap_or(0.0)).collect(),
            n_targets_of_alpha: self.alphas.iter().map(times).collect(),
            r2: defined.iter().sum::<f64>() / defined.len().max(1) as f64,
        })
    }
}
