//! Samples made ready for targets, whatever the method, and the model of a tile of targets.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use percept_io::number::Element;
use percept_regress::{
    Band, BandedCv, Best, Design, Edge, FitReport, LinearModel, Path, Pca, Real, Regions, RegionsParams, Samples,
    Selected, SelectedDesign, SelectedParams, Selection, Setup, SpectrumCache, Together,
};

use crate::error::LinearError;
use crate::job::Method;
use crate::method;
use crate::model::DesignFacts;
use crate::plan::FitPlan;
use crate::source::Source;

/// Samples made ready.
pub(crate) enum Prepared<T: Real> {
    /// One design for all targets, of features, of their components or of a kernel.
    Ridge {
        design: Design<T>,
        components: Option<Pca>,
    },
    Selected(SelectedDesign),
    /// Samples as they are: the method makes its designs with the targets.
    Whole(Array2<T>),
}

/// The model of a tile, and the method's own tensors (rows × targets).
pub(crate) struct Tile<T: Real> {
    pub(crate) plain: LinearModel<T>,
    pub(crate) extra: Vec<Array2<f64>>,
}

impl<T: Real + Element> Prepared<T> {
    /// Makes the samples of a plan ready, together with other processes if there are any, for targets that are the same in all
    /// samples of a set if `repeated_targets`.
    pub(crate) fn new(
        plan: &FitPlan<T>,
        together: Option<&dyn Together>,
        repeated_targets: bool,
    ) -> Result<Self, LinearError> {
        let job = &plan.job;
        let cache = (job.cache.is_some() || plan.own_cache.is_some()).then_some(&plan.cache as &dyn SpectrumCache);
        let setup = Setup {
            folds: Some(plan.folds.clone()),
            sample_weights: plan.weights.as_deref(),
            cache,
            gram: None,
            together,
            repeated_targets,
        };
        let whole = || plan.x.read_rows(0..Samples::dim(&plan.x).0);
        match job.method {
            Method::Ridge => match job.components {
                None => Ok(Self::Ridge { design: Design::prepare(&plan.x, &job.params, setup)?, components: None }),
                Some(n_components) => {
                    let pca = Pca::fit(&plan.x, n_components, job.params.standardize)?;
                    let samples = project(&plan.x, &pca)?;
                    // Components have their variances: dividing by them would undo what they are for.
                    let params = percept_regress::RidgeParams { standardize: false, ..job.params.clone() };
                    let design = Design::prepare(&samples.view(), &params, setup)?;
                    Ok(Self::Ridge { design, components: Some(pca) })
                }
            },
            Method::Kernel => {
                let kernel = whole()?.mapv(Real::as_f64);
                let design = Design::from_kernel(kernel.view(), &job.params, setup)?;
                Ok(Self::Ridge { design, components: None })
            }
            Method::Selected { n_features, penalize_intercept } => {
                let params = SelectedParams { n_features, alpha: job.params.alphas[0], penalize_intercept };
                Ok(Self::Selected(SelectedDesign::new(whole()?.view(), &params)?))
            }
            Method::Banded { .. } | Method::Regions { .. } => Ok(Self::Whole(whole()?)),
        }
    }

    /// What is subtracted from features for exact predictions.
    pub(crate) fn x_mean(&self) -> Array1<f64> {
        match self {
            Self::Ridge { components: Some(pca), .. } => pca.mean.clone(),
            Self::Ridge { design, .. } => design.x_mean().clone(),
            Self::Selected(design) => design.x_mean().clone(),
            Self::Whole(x) => {
                let mean =
                    |column: ArrayView1<'_, T>| column.iter().map(|v| v.as_f64()).sum::<f64>() / x.nrows() as f64;
                x.axis_iter(Axis(1)).map(mean).collect()
            }
        }
    }

    /// What was found out about the samples.
    pub(crate) fn facts(&self, plan: &FitPlan<T>) -> DesignFacts {
        match self {
            Self::Ridge { design, components } => DesignFacts {
                path: design.path(),
                n_folds: design.n_folds(),
                rank: Some(design.rank()),
                condition: Some(design.condition(design.grid().first().copied().unwrap_or(0.0))),
                constant_features: match components {
                    None => design.constant_features().to_vec(),
                    Some(pca) => silent(&pca.components),
                },
            },
            Self::Selected(design) => DesignFacts {
                path: Path::Covariance,
                n_folds: 0,
                rank: None,
                condition: None,
                constant_features: design.constant_features(),
            },
            Self::Whole(x) => {
                let same = |column: ArrayView1<'_, T>| column.iter().all(|value| *value == column[0]);
                DesignFacts {
                    path: Path::Covariance,
                    n_folds: plan.folds.len(),
                    rank: None,
                    condition: None,
                    constant_features: (0..x.ncols()).filter(|&feature| same(x.column(feature))).collect(),
                }
            }
        }
    }

    /// The design that serves all targets, where there is one.
    pub(crate) fn design(&self) -> Option<&Design<T>> {
        match self {
            Self::Ridge { design, .. } => Some(design),
            _ => None,
        }
    }

    /// Fits a tile of targets, with penalties chosen before if `given`.
    pub(crate) fn fit(
        &self,
        plan: &FitPlan<T>,
        y: ArrayView2<'_, T>,
        given: Option<&Selection>,
    ) -> Result<Tile<T>, LinearError> {
        match self {
            Self::Ridge { design, components } => {
                let plain = design.fit_part(y, given, plan.width)?.into_linear();
                let Some(pca) = components else { return Ok(Tile { plain, extra: Vec::new() }) };
                let weights = pca.to_features(plain.weights.view());
                // At the mean of the features all components are 0.
                let shift = |weights: ArrayView1<'_, T>| -> f64 {
                    weights.iter().zip(&pca.mean).map(|(weight, mean)| weight.as_f64() * mean).sum()
                };
                let intercept =
                    plain.intercept.iter().zip(weights.rows()).map(|(offset, row)| offset - shift(row)).collect();
                let selection = Selection { alpha: plain.alpha, cv_score: plain.cv_score, edge: plain.edge };
                let plain = LinearModel::new(weights, intercept, pca.mean.view(), selection, plain.report);
                Ok(Tile { plain, extra: Vec::new() })
            }
            Self::Selected(design) => {
                let Selected { weights, intercept, .. } = design.fit(y)?;
                let selection = Selection {
                    alpha: vec![plan.job.params.alphas[0]; y.ncols()],
                    cv_score: vec![f64::NAN; y.ncols()],
                    edge: vec![Edge::Inside; y.ncols()],
                };
                Ok(self.tile(plan, y, weights, &intercept, selection, Vec::new()))
            }
            Self::Whole(x) => {
                if let Method::Regions { n_best, per_target, .. } = &plan.job.method {
                    let best = if *per_target { Best::PerTarget } else { Best::Together };
                    let params = RegionsParams { ridge: plan.job.params.clone(), n_best: *n_best, best };
                    let weights = plan.weights.as_deref();
                    let fitted = Regions::fit(x.view(), y, &plan.regions, &plan.folds, &params, None, weights)?;
                    // The penalty and score of the best region stand for the average, whose own are not known.
                    let of_best = |table: &Array2<f64>| -> Vec<f64> {
                        fitted.chosen.iter().enumerate().map(|(target, chosen)| table[(chosen[0], target)]).collect()
                    };
                    let (alpha, cv_score) = (of_best(&fitted.alpha), of_best(&fitted.scores));
                    let selection = Selection { edge: edges(&alpha, plan)?, alpha, cv_score };
                    let scores = vec![fitted.scores];
                    return Ok(self.tile(plan, y, fitted.weights, &fitted.intercept, selection, scores));
                }
                let parts = plan.x.parts().into_iter().enumerate();
                let bands: Vec<Band> =
                    parts.map(|(band, features)| Band { name: (band + 1).to_string(), features }).collect();
                let cv = BandedCv::new(method::banded_params(&plan.job));
                let fitted = cv.fit_with(x.view(), y, &bands, &plan.folds, plan.weights.as_deref())?;
                let (alpha, cv_score) = (fitted.alpha, fitted.cv_score);
                let selection = Selection { edge: edges(&alpha, plan)?, alpha, cv_score };
                Ok(self.tile(plan, y, fitted.weights, &fitted.intercept, selection, vec![fitted.scales]))
            }
        }
    }

    /// A tile from weights by feature.
    fn tile(
        &self,
        plan: &FitPlan<T>,
        y: ArrayView2<'_, T>,
        weights: Array2<T>,
        intercept: &Array1<T>,
        selection: Selection,
        extra: Vec<Array2<f64>>,
    ) -> Tile<T> {
        let weights = weights.reversed_axes().as_standard_layout().into_owned();
        let intercept = intercept.iter().map(|value| value.as_f64()).collect();
        let same = |target: usize| y.column(target).iter().all(|value| *value == y[(0, target)]);
        let report = FitReport {
            n_samples: y.nrows(),
            n_groups: plan.folds.len(),
            path: Path::Covariance,
            edge_low: selection.edge.iter().filter(|edge| **edge == Edge::Low).count(),
            edge_high: selection.edge.iter().filter(|edge| **edge == Edge::High).count(),
            rank: 0,
            condition: 0.0,
            constant_features: Vec::new(),
            constant_targets: (0..y.ncols()).filter(|&target| same(target)).collect(),
        };
        Tile { plain: LinearModel::new(weights, intercept, self.x_mean().view(), selection, report), extra }
    }
}

/// Features that no component holds.
fn silent(components: &Array2<f64>) -> Vec<usize> {
    let rows = components.rows().into_iter().enumerate();
    rows.filter(|(_, row)| row.iter().all(|value| *value == 0.0)).map(|(feature, _)| feature).collect()
}

/// Where penalties stand in the grid.
fn edges<T: Real>(alphas: &[f64], plan: &FitPlan<T>) -> Result<Vec<Edge>, LinearError> {
    let grid = plan.job.params.grid()?;
    let edge = |alpha: &f64| match (grid.first(), grid.last()) {
        _ if grid.len() < 2 => Edge::Inside,
        (Some(first), _) if alpha <= first => Edge::Low,
        (_, Some(last)) if alpha >= last => Edge::High,
        _ => Edge::Inside,
    };
    Ok(alphas.iter().map(edge).collect())
}

/// Samples projected at a time.
const ROWS_PER_READ: usize = 4096;

/// Samples along components.
fn project<T: Real + Element>(x: &Source<T>, pca: &Pca) -> Result<Array2<T>, LinearError> {
    let mut out = Array2::zeros((Samples::dim(x).0, pca.components.ncols()));
    for (block, mut out) in out.axis_chunks_iter_mut(Axis(0), ROWS_PER_READ).enumerate() {
        let start = block * ROWS_PER_READ;
        let rows = x.read_rows(start..start + out.nrows())?;
        out.assign(&pca.transform(rows.view())?);
    }
    Ok(out)
}
