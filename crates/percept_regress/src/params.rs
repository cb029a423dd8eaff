//! The settings of a ridge fit, and what a fit reports about itself.

use serde::{Deserialize, Serialize};

use crate::error::RegressError;

/// Whether every target gets its own penalty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlphaChoice {
    /// Each target takes the penalty that predicts it best.
    PerTarget,
    /// All targets take the penalty with the best mean score.
    Shared,
}

/// What held-out predictions are judged by. Larger is better for all three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Score {
    /// 1 − Σe² / Σ(y − ȳ)², over all held-out residuals e at once. Chooses the same penalty per target as [`Score::NegMse`].
    R2,
    /// −Σe² / n.
    NegMse,
    /// Pearson correlation between held-out predictions and targets. Blind to scale, so it tends to choose larger penalties.
    Pearson,
}

/// How the scores of several folds become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// One score over all held-out samples at once: the only choice for folds of a few samples.
    Samples,
    /// The mean of one score per fold, as scikit-learn and himalaya do for k folds. R² and correlation need folds of several
    /// samples each.
    Folds,
}

/// Where the chosen penalty stands in the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edge {
    /// Between the ends, or the grid has one penalty, or the target is constant.
    Inside,
    /// The smallest: the optimum may lie below.
    Low,
    /// The largest: the optimum may lie above, or nothing is predictable.
    High,
}

/// Which matrix is decomposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Path {
    /// The smaller one.
    Auto,
    /// The n_features × n_features covariance.
    Covariance,
    /// The n_samples × n_samples kernel.
    Kernel,
}

/// The penalties of Takagi and Nishimoto's released code for latents and text conditions.
pub const TAKAGI2023_ALPHAS: [f64; 7] = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0];

/// Settings of a ridge fit.
///
/// The objective is ‖Y − 1b − XW‖² + α‖W‖², with X standardised if asked and the intercept b free of penalty.
/// The penalty is not divided by the number of samples, as in scikit-learn and himalaya.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RidgeParams {
    /// The penalties to choose from, in any order.
    pub alphas: Vec<f64>,
    /// One penalty per target or one for all.
    pub choice: AlphaChoice,
    /// What held-out predictions are judged by.
    pub score: Score,
    /// Fit an intercept without penalty.
    pub intercept: bool,
    /// Subtract the features' means even without an intercept; targets stay as they are, so predictions lose their mean.
    pub center: bool,
    /// Divide every feature by its standard deviation over the training samples (ddof 0).
    pub standardize: bool,
    /// Which matrix is decomposed.
    pub path: Path,
    /// How the scores of folds become one.
    pub pooling: Pooling,
    /// How many penalties may be added beyond each end of the grid, one at a time, for targets whose best one stands there.
    pub extend: usize,
}

impl Default for RidgeParams {
    /// Penalties 10⁰, 10¹ … 10⁷, one per target by R², with intercept, standardised features.
    fn default() -> Self {
        Self {
            alphas: (0..8).map(|exponent| 10f64.powi(exponent)).collect(),
            choice: AlphaChoice::PerTarget,
            score: Score::R2,
            intercept: true,
            center: false,
            standardize: true,
            path: Path::Auto,
            pooling: Pooling::Samples,
            extend: 0,
        }
    }
}

impl RidgeParams {
    /// scikit-learn's `RidgeCV`: features as they are, intercept, squared error. Give it one group per sample for its
    /// leave-one-out, or folds, over which scores are averaged, for its `cv`.
    pub fn sklearn(alphas: Vec<f64>) -> Self {
        Self { alphas, score: Score::NegMse, standardize: false, pooling: Pooling::Folds, ..Self::default() }
    }

    /// himalaya's `RidgeCV`: features as they are, no intercept unless asked, mean over folds of the squared error.
    pub fn himalaya(alphas: Vec<f64>) -> Self {
        Self { intercept: false, ..Self::sklearn(alphas) }
    }

    /// The fit of Takagi and Nishimoto's released code: features standardised, no intercept, targets as they are (so that
    /// predictions lose the targets' mean), himalaya's choice of penalties over the folds given. Theirs are five of consecutive
    /// trials ([`crate::Folds::k`]), which put repeats of one image on both sides; the grid is [`TAKAGI2023_ALPHAS`].
    pub fn takagi2023(alphas: Vec<f64>) -> Self {
        Self { standardize: true, center: true, ..Self::himalaya(alphas) }
    }

    /// The ridge of Huth and colleagues' code: features and targets as they are (z-score them by story first), no intercept, mean
    /// over draws of the correlation. Numbers of their grid are squared to become penalties. Theirs are draws of
    /// random chunks ([`crate::Folds::chunks`]).
    pub fn huth(numbers: &[f64]) -> Self {
        let alphas = numbers.iter().map(|number| number * number).collect();
        Self { score: Score::Pearson, ..Self::himalaya(alphas) }
    }

    /// The grid in ascending order without duplicates.
    ///
    /// # Errors
    /// [`RegressError::Alphas`] when it is empty or holds a negative or non-finite value.
    pub fn grid(&self) -> Result<Vec<f64>, RegressError> {
        if self.alphas.is_empty() {
            return Err(RegressError::Alphas { found: "nothing".to_owned() });
        }
        if let Some(bad) = self.alphas.iter().find(|alpha| !alpha.is_finite() || **alpha < 0.0) {
            return Err(RegressError::Alphas { found: format!("`{bad}`") });
        }
        let mut grid = self.alphas.clone();
        grid.sort_by(f64::total_cmp);
        grid.dedup();
        Ok(grid)
    }

    /// Whether features lose their means.
    pub(crate) fn centers(&self) -> bool {
        self.intercept || self.center
    }

    /// Whether the kernel is decomposed for this shape, `largest` being the size of the largest fold: when a fold leaves
    /// fewer samples than features, the covariance of the rest is singular and its penalties would have to cure that.
    pub fn takes_kernel(&self, n_samples: usize, n_features: usize, largest: usize) -> bool {
        match self.path {
            Path::Auto => n_features + largest.max(1) > n_samples,
            Path::Covariance => false,
            Path::Kernel => true,
        }
    }

    /// Penalties by which `grid` (ascending) grows beyond its ends, nearest first: below, above. The step is that between the
    /// last two; a grid of one penalty and an end at 0 do not grow.
    pub(crate) fn beyond(&self, grid: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let n = grid.len();
        if n < 2 {
            return (Vec::new(), Vec::new());
        }
        let steps = |from: f64, ratio: f64| -> Vec<f64> {
            (1..=self.extend as i32).map(|step| from * ratio.powi(step)).filter(|alpha| alpha.is_normal()).collect()
        };
        let below = if grid[0] > 0.0 { steps(grid[0], grid[0] / grid[1]) } else { Vec::new() };
        let above = if grid[n - 2] > 0.0 { steps(grid[n - 1], grid[n - 1] / grid[n - 2]) } else { Vec::new() };
        (below, above)
    }
}

/// What a fit reports about itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FitReport {
    /// Number of training samples.
    pub n_samples: usize,
    /// Number of groups held out in turn; 0 when no cross-validation was made.
    pub n_groups: usize,
    /// Which matrix was decomposed; never [`Path::Auto`].
    pub path: Path,
    /// Targets whose penalty is the smallest of the grid (the optimum may lie below it).
    pub edge_low: usize,
    /// Targets whose penalty is the largest of the grid (the optimum may lie above it, or nothing is predictable).
    pub edge_high: usize,
    /// Numerical rank of the design after centring.
    pub rank: usize,
    /// Condition number of the penalised Gram matrix at the smallest penalty in use.
    pub condition: f64,
    /// Features that do not vary over the training samples; their weights are 0.
    pub constant_features: Vec<usize>,
    /// Targets that do not vary over the training samples; their weights and scores are 0.
    pub constant_targets: Vec<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_is_sorted_and_free_of_duplicates() {
        let params = RidgeParams { alphas: vec![10.0, 1.0, 10.0, 0.0], ..RidgeParams::default() };
        assert_eq!(params.grid(), Ok(vec![0.0, 1.0, 10.0]));
    }

    #[test]
    fn a_grid_grows_by_its_own_steps_but_not_beyond_zero() {
        let params = RidgeParams { extend: 2, ..RidgeParams::default() };
        assert_eq!(params.beyond(&[1.0, 4.0, 64.0]), (vec![0.25, 0.0625], vec![1024.0, 16384.0]));
        assert_eq!(params.beyond(&[0.0, 10.0]), (vec![], vec![]));
        assert_eq!(params.beyond(&[3.0]), (vec![], vec![]));
    }

    #[test]
    fn unusable_grids_are_named() {
        for (alphas, found) in [(vec![], "nothing"), (vec![1.0, -2.0], "`-2`"), (vec![f64::NAN], "`NaN`")] {
            let params = RidgeParams { alphas, ..RidgeParams::default() };
            assert_eq!(params.grid(), Err(RegressError::Alphas { found: found.to_owned() }));
        }
    }
}
