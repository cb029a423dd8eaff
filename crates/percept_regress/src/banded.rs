//! Banded ridge: each band of features (a feature space, a delay) has its own scale, chosen per target on held-out samples.
//!
//! Features of band k are multiplied by √γₖ with γ on the simplex (γₖ ≥ 0, Σγₖ = 1) and a penalty α is common to all:
//! G(γ) = D^½ G D^½, so the Gram matrix is formed once and scaled for each candidate. Candidates: equal scales, each band alone, draws from
//! Dirichlet distributions; then rounds of draws around those that most targets chose, closer from round to round. Every
//! target takes the candidate and penalty with its best score over all.
//!
//! With more features than samples the kernels of bands are formed instead, once each, and a candidate costs n³.
//!
//! References: Dupré la Tour, Eickenberg, Nunez-Elizalde and Gallant 2022, doi:10.1016/j.neuroimage.2022.119728 (random search
//! over γ, split scores); Nunez-Elizalde, Huth and Gallant 2019, doi:10.1016/j.neuroimage.2019.04.012.

use std::ops::Range;

use ndarray::{Array1, Array2, ArrayView2, Axis, CowArray, Ix2};
use percept_core::Seed;
use percept_core::seed::{Normal, Stream};

use crate::band_kernels::BandKernels;
use crate::design::{Design, Setup};
use crate::error::RegressError;
use crate::folds::Folds;
use crate::gram::Gram;
use crate::large_folds::LargeFolds;
use crate::params::RidgeParams;
use crate::samples::{Samples, same_rows};
use crate::solver::number::Real;
use crate::solver::standard::Standard;
use crate::weights::checked_roots;

/// Features that share a scale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Band {
    /// What they are called.
    pub name: String,
    /// Where they lie.
    pub features: Range<usize>,
}

/// Settings of a banded ridge.
#[derive(Clone, Debug, PartialEq)]
pub struct BandedParams {
    /// The penalties, the score, the intercept; features are standardised first if it says so.
    pub ridge: RidgeParams,
    /// Draws from Dirichlet distributions over the whole simplex.
    pub n_draws: usize,
    /// Concentrations of these distributions, taken in turn: below 1 few bands dominate, above 1 all are alike.
    pub concentrations: Vec<f64>,
    /// Rounds of draws around the candidates that most targets chose.
    pub n_rounds: usize,
    /// Draws in each round.
    pub draws_per_round: usize,
    /// Where the draws come from.
    pub seed: Seed,
}

impl BandedParams {
    /// 50 draws, then 3 rounds of 10.
    pub fn new(ridge: RidgeParams, seed: Seed) -> Self {
        Self { ridge, n_draws: 50, concentrations: vec![0.1, 1.0], n_rounds: 3, draws_per_round: 10, seed }
    }
}

/// A fitted banded ridge.
#[derive(Clone, Debug, PartialEq)]
pub struct Banded<T: Real = f32> {
    /// The bands.
    pub bands: Vec<Band>,
    /// n_features × n_targets, in the features' own units.
    pub weights: Array2<T>,
    /// n_targets.
    pub intercept: Array1<T>,
    /// n_bands × n_targets: the scales γ.
    pub scales: Array2<f64>,
    /// Penalty of each target.
    pub alpha: Vec<f64>,
    /// Held-out score of each target.
    pub cv_score: Vec<f64>,
    /// Candidates that were scored: n_candidates × n_bands.
    pub candidates: Array2<f64>,
}

/// Banded ridge regression with scales and penalties chosen on held-out samples.
#[derive(Clone, Debug, PartialEq)]
pub struct BandedCv {
    params: BandedParams,
}

/// The best candidate of each target so far.
struct Best {
    score: Vec<f64>,
    alpha: Vec<f64>,
    candidate: Vec<usize>,
}

impl BandedCv {
    /// An estimator with these settings.
    pub fn new(params: BandedParams) -> Self {
        Self { params }
    }

    /// Chooses scales and penalties and fits.
    ///
    /// # Shapes
    /// `x` n_samples × n_features, `y` n_samples × n_targets; bands cover the features without gap or overlap.
    ///
    /// # Errors
    /// Those of [`crate::RidgeCv::fit_with`]; [`RegressError::Setting`] for bands that do not cover the features.
    pub fn fit<T: Real>(
        &self,
        x: ArrayView2<'_, T>,
        y: ArrayView2<'_, T>,
        bands: &[Band],
        folds: &Folds,
    ) -> Result<Banded<T>, RegressError> {
        self.fit_with(x, y, bands, folds, None)
    }

    /// The same with a weight > 0 per sample.
    ///
    /// # Errors
    /// Those of [`BandedCv::fit`], and [`RegressError::Weight`].
    #[inline(never)]
    pub fn fit_with<T: Real>(
        &self,
        x: ArrayView2<'_, T>,
        y: ArrayView2<'_, T>,
        bands: &[Band],
        folds: &Folds,
        sample_weights: Option<&[f64]>,
    ) -> Result<Banded<T>, RegressError> {
        same_rows("x", x.nrows(), "y", y.nrows())?;
        check_bands(bands, x.ncols())?;
        checked_roots(sample_weights, x.nrows())?;
        let form = self.form(x, bands, Some(folds), sample_weights)?;
        let mut candidates = self.first(bands.len());
        let n_targets = y.ncols();
        let mut best = Best {
            score: vec![f64::NEG_INFINITY; n_targets],
            alpha: vec![0.0; n_targets],
            candidate: vec![0; n_targets],
        };
        let grid = self.params.ridge.grid()?;
        let mut scored = 0;
        for round in 0..=self.params.n_rounds {
            if round > 0 {
                candidates.extend(self.around(&candidates, &best, round, bands.len()));
            }
            for (candidate, scales) in candidates.iter().enumerate().skip(scored) {
                let Some(scores) = self.table(x, y, &form, bands, scales, folds, sample_weights)? else { continue };
                for (&alpha, row) in grid.iter().zip(scores.rows()) {
                    for (target, &score) in row.iter().enumerate() {
                        if score > best.score[target] {
                            (best.score[target], best.alpha[target], best.candidate[target]) =
                                (score, alpha, candidate);
                        }
                    }
                }
            }
            scored = candidates.len();
        }
        self.refit(x, y, bands, &form, &candidates, best, sample_weights)
    }

    /// Held-out scores of given scales: n_alphas × n_targets.
    ///
    /// # Errors
    /// As [`BandedCv::fit`].
    #[inline(never)]
    pub fn scores<T: Real>(
        &self,
        x: ArrayView2<'_, T>,
        y: ArrayView2<'_, T>,
        bands: &[Band],
        scales: &[f64],
        folds: &Folds,
    ) -> Result<Array2<f64>, RegressError> {
        same_rows("x", x.nrows(), "y", y.nrows())?;
        check_bands(bands, x.ncols())?;
        let form = self.form(x, bands, Some(folds), None)?;
        let scores = self.table(x, y, &form, bands, scales, folds, None)?;
        scores.ok_or(RegressError::ConstantDesign { features: x.ncols() })
    }

    /// Fits with given scales (n_bands × n_targets) and penalties (n_targets), without cross-validation; scores are not defined.
    ///
    /// # Errors
    /// As [`BandedCv::fit`].
    #[inline(never)]
    pub fn fit_fixed<T: Real>(
        &self,
        x: ArrayView2<'_, T>,
        y: ArrayView2<'_, T>,
        bands: &[Band],
        scales: ArrayView2<'_, f64>,
        alpha: &[f64],
    ) -> Result<Banded<T>, RegressError> {
        same_rows("x", x.nrows(), "y", y.nrows())?;
        check_bands(bands, x.ncols())?;
        crate::design::per_target("alpha", y.ncols(), alpha.len())?;
        crate::design::per_target("scales", y.ncols(), scales.ncols())?;
        let form = self.form(x, bands, None, None)?;
        let mut candidates: Vec<Vec<f64>> = Vec::new();
        let mut best = Best { score: vec![f64::NAN; y.ncols()], alpha: alpha.to_vec(), candidate: Vec::new() };
        for column in scales.columns() {
            let known = candidates.iter().position(|candidate| column.iter().eq(candidate));
            best.candidate.push(known.unwrap_or(candidates.len()));
            if known.is_none() {
                candidates.push(column.to_vec());
            }
        }
        self.refit(x, y, bands, &form, &candidates, best, None)
    }

    /// Equal scales, each band alone, and draws.
    fn first(&self, n_bands: usize) -> Vec<Vec<f64>> {
        let mut candidates = vec![vec![1.0 / n_bands as f64; n_bands]];
        if n_bands > 1 {
            for band in 0..n_bands {
                candidates.push((0..n_bands).map(|other| f64::from(u8::from(other == band))).collect());
            }
            for draw in 0..self.params.n_draws {
                let choices = &self.params.concentrations;
                let concentration = choices.get(draw % choices.len().max(1)).copied().unwrap_or(1.0);
                candidates
                    .push(dirichlet(self.params.seed.named("draw").at(draw as u64), &vec![concentration; n_bands]));
            }
        }
        candidates
    }

    /// Draws around the candidates that most targets chose, in proportion.
    fn around(&self, candidates: &[Vec<f64>], best: &Best, round: usize, n_bands: usize) -> Vec<Vec<f64>> {
        if n_bands < 2 || best.candidate.is_empty() {
            return Vec::new();
        }
        let mut chosen = best.candidate.clone();
        chosen.sort_unstable();
        let sharpness = 10.0 * 3f64.powi(round as i32);
        (0..self.params.draws_per_round)
            .map(|draw| {
                // Evenly spaced in the sorted list: a candidate chosen by half of the targets gets half of the draws.
                let center = &candidates[chosen[(2 * draw + 1) * chosen.len() / (2 * self.params.draws_per_round)]];
                let concentration: Vec<f64> = center.iter().map(|scale| sharpness * scale + 0.1).collect();
                let seed = self.params.seed.named("round").at(round as u64).at(draw as u64);
                dirichlet(seed, &concentration)
            })
            .collect()
    }

    /// What all candidates share: the covariance of features, or the kernels of bands where features outnumber samples.
    fn form<T: Real>(
        &self,
        x: ArrayView2<'_, T>,
        bands: &[Band],
        folds: Option<&Folds>,
        sample_weights: Option<&[f64]>,
    ) -> Result<Form, RegressError> {
        let ridge = &self.params.ridge;
        let largest = folds.map_or(0, Folds::largest);
        if ridge.takes_kernel(x.nrows(), x.ncols(), largest) {
            let share = crate::together::Share::default();
            let standard = Standard::fit(&x, sample_weights, ridge.centers(), ridge.standardize, share)?;
            let features = bands.iter().map(|band| band.features.clone()).collect();
            let kernels = BandKernels::new(x, &standard, features)?;
            return Ok(Form::Kernels(standard, kernels));
        }
        Ok(Form::Gram(Gram::new(&x, sample_weights, ridge)?))
    }

    /// Held-out scores of one candidate: n_alphas × n_targets; none where its features do not vary.
    fn table<T: Real>(
        &self,
        x: ArrayView2<'_, T>,
        y: ArrayView2<'_, T>,
        form: &Form,
        bands: &[Band],
        scales: &[f64],
        folds: &Folds,
        sample_weights: Option<&[f64]>,
    ) -> Result<Option<Array2<f64>>, RegressError> {
        match form {
            Form::Kernels(_, kernels) => {
                let design = kernels.design::<T>(scales, &self.params.ridge, Some(folds), sample_weights)?;
                design.map(|design| design.scores(y)).transpose()
            }
            Form::Gram(gram) => {
                let factors = factors(bands, scales, x.ncols());
                let params = RidgeParams { path: crate::Path::Covariance, ..self.params.ridge.clone() };
                if LargeFolds::<T>::apply(x.dim(), &params, folds, sample_weights.is_some()) {
                    let Some(standard) = gram.standard.times(&factors) else { return Ok(None) };
                    return LargeFolds::with_standard(x, standard, &params, folds)?.scores(y).map(Some);
                }
                let design = self.design(x, gram, &factors, Some(folds), sample_weights)?;
                design.map(|design| design.scores(y)).transpose()
            }
        }
    }

    fn design<T: Real>(
        &self,
        x: ArrayView2<'_, T>,
        gram: &Gram,
        factors: &[f64],
        folds: Option<&Folds>,
        sample_weights: Option<&[f64]>,
    ) -> Result<Option<Design<T>>, RegressError> {
        let Some(scaled) = gram.scaled(factors) else { return Ok(None) };
        let (mean, deviation) = gram.moments();
        let columns: Vec<(f64, f64)> = factors
            .iter()
            .zip(mean.iter().zip(deviation))
            .map(|(factor, (mean, scale))| (*mean, factor / scale))
            .collect();
        let samples = Scaled { x, columns };
        // Features are standardised and scaled already; on the covariance path even where samples are few.
        let params = RidgeParams { standardize: false, path: crate::Path::Covariance, ..self.params.ridge.clone() };
        let setup = Setup { folds: folds.cloned(), gram: Some(scaled), sample_weights, ..Setup::default() };
        Design::prepare(&samples, &params, setup).map(Some)
    }

    /// The fit of one candidate with given penalties: weights of standardised features (n_features × n_targets) and the prediction
    /// at their means.
    fn solved<T: Real>(
        &self,
        x: ArrayView2<'_, T>,
        y: ArrayView2<'_, T>,
        form: &Form,
        bands: &[Band],
        scales: &[f64],
        alphas: &[f64],
        sample_weights: Option<&[f64]>,
    ) -> Result<Option<(Array2<f64>, Array1<T>)>, RegressError> {
        match form {
            Form::Kernels(_, kernels) => {
                let Some(design) = kernels.design::<T>(scales, &self.params.ridge, None, sample_weights)? else {
                    return Ok(None);
                };
                let ridge = design.fit_fixed(y, alphas)?;
                Ok(Some((kernels.weights(scales, ridge.weights.view()), ridge.intercept)))
            }
            Form::Gram(gram) => {
                let factors = factors(bands, scales, x.ncols());
                let Some(design) = self.design(x, gram, &factors, None, sample_weights)? else { return Ok(None) };
                let ridge = design.fit_fixed(y, alphas)?;
                let mut weights = ridge.weights.mapv(Real::as_f64);
                for (mut row, factor) in weights.rows_mut().into_iter().zip(&factors) {
                    row *= *factor;
                }
                Ok(Some((weights, ridge.intercept)))
            }
        }
    }

    fn refit<T: Real>(
        &self,
        x: ArrayView2<'_, T>,
        y: ArrayView2<'_, T>,
        bands: &[Band],
        form: &Form,
        candidates: &[Vec<f64>],
        best: Best,
        sample_weights: Option<&[f64]>,
    ) -> Result<Banded<T>, RegressError> {
        let (n_features, n_targets) = (x.ncols(), y.ncols());
        let mut weights = Array2::<T>::zeros((n_features, n_targets));
        let mut intercept = Array1::<T>::zeros(n_targets);
        let mut scales = Array2::zeros((bands.len(), n_targets));
        let standard = form.standard();
        let mut used = best.candidate.clone();
        used.sort_unstable();
        used.dedup();
        for candidate in used {
            let targets: Vec<usize> = (0..n_targets).filter(|&target| best.candidate[target] == candidate).collect();
            let alphas: Vec<f64> = targets.iter().map(|&target| best.alpha[target]).collect();
            let part = y.select(Axis(1), &targets);
            let scales_of = &candidates[candidate];
            let found = self.solved(x, part.view(), form, bands, scales_of, &alphas, sample_weights)?;
            let Some((solved, level)) = found else { continue };
            for (position, &target) in targets.iter().enumerate() {
                let mut shift = 0.0;
                for feature in 0..n_features {
                    let own = solved[(feature, position)] / standard.scale[feature];
                    weights[(feature, target)] = T::from_f64(own);
                    shift += own * standard.mean[feature];
                }
                intercept[target] = T::from_f64(level[position].as_f64() - shift);
                for (band, scale) in candidates[candidate].iter().enumerate() {
                    scales[(band, target)] = *scale;
                }
            }
        }
        let candidates = Array2::from_shape_fn((candidates.len(), bands.len()), |(row, band)| candidates[row][band]);
        Ok(Banded {
            bands: bands.to_vec(),
            weights,
            intercept,
            scales,
            alpha: best.alpha,
            cv_score: best.score,
            candidates,
        })
    }
}

impl<T: Real> Banded<T> {
    /// Predictions: n_samples × n_targets.
    ///
    /// # Errors
    /// [`RegressError::Features`].
    #[inline(never)]
    pub fn predict(&self, x: ArrayView2<'_, T>) -> Result<Array2<T>, RegressError> {
        self.features(x)?;
        Ok(x.dot(&self.weights) + &self.intercept)
    }

    /// What each band adds to the predictions: n_bands matrices n_samples × n_targets, whose sum is the prediction less its
    /// intercept.
    ///
    /// # Errors
    /// [`RegressError::Features`].
    #[inline(never)]
    pub fn predict_split(&self, x: ArrayView2<'_, T>) -> Result<Vec<Array2<T>>, RegressError> {
        self.features(x)?;
        Ok(self
            .bands
            .iter()
            .map(|band| {
                let columns = ndarray::s![.., band.features.clone()];
                x.slice(columns).dot(&self.weights.slice(ndarray::s![band.features.clone(), ..]))
            })
            .collect())
    }

    /// The share of R² on `x` and `y` that each band explains: n_bands × n_targets. The shares add up to the joint R²:
    /// R²ₖ = Σ ŷₖ (2y − ŷ) / Σ y², all of them centred by column of this set. A share can be negative.
    ///
    /// # Errors
    /// [`RegressError::Features`] and [`RegressError::Rows`].
    #[inline(never)]
    pub fn split_r2(&self, x: ArrayView2<'_, T>, y: ArrayView2<'_, T>) -> Result<Array2<f64>, RegressError> {
        same_rows("x", x.nrows(), "y", y.nrows())?;
        let centred = |values: ArrayView2<'_, T>| -> Array2<f64> {
            let values = values.mapv(T::as_f64);
            let mean = values.mean_axis(Axis(0)).unwrap_or_else(|| Array1::zeros(values.ncols()));
            values - mean
        };
        let parts: Vec<Array2<f64>> = self.predict_split(x)?.iter().map(|part| centred(part.view())).collect();
        let truth = centred(y);
        let mut joint = Array2::<f64>::zeros(truth.dim());
        for part in &parts {
            joint += part;
        }
        let rest = &truth * 2.0 - &joint;
        let total = (&truth * &truth).sum_axis(Axis(0));
        let mut shares = Array2::zeros((parts.len(), truth.ncols()));
        for (mut row, part) in shares.rows_mut().into_iter().zip(&parts) {
            let explained = (part * &rest).sum_axis(Axis(0));
            for ((share, explained), total) in row.iter_mut().zip(&explained).zip(&total) {
                *share = if *total > 0.0 { explained / total } else { 0.0 };
            }
        }
        Ok(shares)
    }

    fn features(&self, x: ArrayView2<'_, T>) -> Result<(), RegressError> {
        if x.ncols() == self.weights.nrows() {
            return Ok(());
        }
        Err(RegressError::Features { expected: self.weights.nrows(), got: x.ncols() })
    }
}

/// What all candidates share.
enum Form {
    Gram(Gram),
    Kernels(Standard, BandKernels),
}

impl Form {
    fn standard(&self) -> &Standard {
        match self {
            Self::Gram(gram) => &gram.standard,
            Self::Kernels(standard, _) => standard,
        }
    }
}

/// Samples with centred and scaled columns.
struct Scaled<'a, T> {
    x: ArrayView2<'a, T>,
    /// Mean and factor of each column.
    columns: Vec<(f64, f64)>,
}

impl<T: Real> Samples<T> for Scaled<'_, T> {
    fn dim(&self) -> (usize, usize) {
        self.x.dim()
    }

    fn rows(&self, rows: Range<usize>) -> Result<CowArray<'_, T, Ix2>, RegressError> {
        let mut block = self.x.slice(ndarray::s![rows, ..]).to_owned();
        for mut row in block.rows_mut() {
            for (value, (mean, factor)) in row.iter_mut().zip(&self.columns) {
                *value = T::from_f64((value.as_f64() - mean) * factor);
            }
        }
        Ok(block.into())
    }
}

/// √γ of each feature.
fn factors(bands: &[Band], scales: &[f64], n_features: usize) -> Vec<f64> {
    let mut factors = vec![0.0; n_features];
    for (band, scale) in bands.iter().zip(scales) {
        factors[band.features.clone()].fill(scale.sqrt());
    }
    factors
}

fn check_bands(bands: &[Band], n_features: usize) -> Result<(), RegressError> {
    let mut next = 0;
    for band in bands {
        if band.features.start != next || band.features.is_empty() {
            break;
        }
        next = band.features.end;
    }
    if next == n_features && bands.last().is_some_and(|band| band.features.end == n_features) {
        return Ok(());
    }
    Err(RegressError::Setting {
        what: format!("bands cover features up to {next}"),
        expected: format!("all {n_features}, one band after the other"),
        remedy: "give each band the features that follow those of the band before",
    })
}

/// A draw from the Dirichlet distribution.
fn dirichlet(seed: Seed, concentration: &[f64]) -> Vec<f64> {
    let logs: Vec<f64> =
        concentration.iter().enumerate().map(|(band, &shape)| log_gamma_draw(seed.at(band as u64), shape)).collect();
    // In logarithms: for small concentrations a draw is smaller than any number of f64.
    let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let draws: Vec<f64> = logs.iter().map(|log| (log - largest).exp()).collect();
    let sum: f64 = draws.iter().sum();
    draws.into_iter().map(|draw| draw / sum).collect()
}

/// The logarithm of a draw from the gamma distribution of this shape (Marsaglia and Tsang 2000, doi:10.1145/358407.358414).
fn log_gamma_draw(seed: Seed, shape: f64) -> f64 {
    // A draw of shape a is one of shape a + 1 times U^(1/a).
    let boost = if shape < 1.0 { uniform(&mut seed.named("boost").stream()).ln() / shape } else { 0.0 };
    let shape = if shape < 1.0 { shape + 1.0 } else { shape };
    let (d, mut normal, mut stream) = (shape - 1.0 / 3.0, Normal::new(seed.named("normal").stream()), seed.stream());
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let z = normal.draw();
        let v = (1.0 + c * z).powi(3);
        if v > 0.0 && uniform(&mut stream).ln() < 0.5 * z * z + d - d * v + d * v.ln() {
            return (d * v).ln() + boost;
        }
    }
}

/// Uniform in (0, 1].
fn uniform(stream: &mut Stream) -> f64 {
    use rand::Rng;
    1.0 - stream.random::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dirichlet_draws_have_the_means_and_variances_of_their_concentrations() {
        for concentration in [vec![0.1, 0.3, 0.6], vec![5.0, 2.0, 3.0]] {
            let total: f64 = concentration.iter().sum();
            let draws: Vec<Vec<f64>> = (0..20_000).map(|i| dirichlet(Seed::new(3).at(i), &concentration)).collect();
            for (band, a) in concentration.iter().enumerate() {
                let expected = a / total;
                let mean = draws.iter().map(|draw| draw[band]).sum::<f64>() / 20_000.0;
                let variance = draws.iter().map(|draw| (draw[band] - expected).powi(2)).sum::<f64>() / 20_000.0;
                assert!((mean - expected).abs() < 0.01, "{mean} {expected}");
                assert!((variance - expected * (1.0 - expected) / (total + 1.0)).abs() < 0.005);
            }
            assert!(draws.iter().all(|draw| (draw.iter().sum::<f64>() - 1.0).abs() < 1e-12));
        }
    }
}
