//! Arguments of `fit` and `predict`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct Fit {
    /// Samples × features: npy, npz, MAT, HDF5 or safetensors, an array inside as `file.h5:group/name`; given several times,
    /// each is a feature space with a scale of its own (banded ridge)
    #[arg(long, value_name = "FILE")]
    pub(crate) x: Vec<String>,
    /// Samples × targets, in the same formats
    #[arg(long, value_name = "FILE")]
    pub(crate) y: Option<String>,
    /// A whole number per sample: samples with the same number are held out together [default: each by itself]
    #[arg(long, value_name = "FILE")]
    pub(crate) groups: Option<String>,
    /// Hold out K folds, of whole groups if there are groups, else of consecutive samples
    #[arg(long, value_name = "K")]
    pub(crate) folds: Option<usize>,
    /// Samples × splits: 1 trains, 2 is scored, 0 is left out
    #[arg(long, value_name = "FILE")]
    pub(crate) splits: Option<String>,
    /// Hold out HELD random chunks of LENGTH consecutive samples, DRAWS times over
    #[arg(long, value_name = "LENGTH:HELD:DRAWS")]
    pub(crate) chunks: Option<String>,
    /// A whole number per sample: folds that part samples with the same number are refused
    #[arg(long, value_name = "FILE")]
    pub(crate) stimuli: Option<String>,
    /// Go on although folds part the repeats of a stimulus
    #[arg(long)]
    pub(crate) allow_leaks: bool,
    /// A weight > 0 per sample
    #[arg(long, value_name = "FILE")]
    pub(crate) weights: Option<String>,
    /// A whole number per sample: samples with the same number become their mean, which weighs as many as they are
    #[arg(long, value_name = "FILE")]
    pub(crate) average: Option<String>,
    /// Do what this package or paper does: grid, score, scaling, intercept
    #[arg(long, value_name = "NAME", conflicts_with_all = ["score", "mean_over_folds", "standardize", "no_intercept"])]
    pub(crate) preset: Option<Preset>,
    /// Penalties: `FROM:TO:COUNT` in equal ratios, or a list as `1,10,100` [default: 1:1e7:8, or those of the preset]
    #[arg(long, value_name = "GRID")]
    pub(crate) alphas: Option<String>,
    /// Let the grid grow by at most N penalties beyond either end
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) extend: usize,
    /// What held-out predictions are judged by [default: r2]
    #[arg(long, value_name = "SCORE")]
    pub(crate) score: Option<FitScore>,
    /// Average one score per fold instead of scoring all held-out samples at once
    #[arg(long)]
    pub(crate) mean_over_folds: bool,
    /// One penalty for all targets
    #[arg(long)]
    pub(crate) shared: bool,
    /// A whole number per target: targets with the same number share a penalty
    #[arg(long, value_name = "FILE")]
    pub(crate) target_groups: Option<String>,
    /// Divide features by their standard deviation
    #[arg(long)]
    pub(crate) standardize: bool,
    /// Fit no intercept
    #[arg(long)]
    pub(crate) no_intercept: bool,
    /// `--x` holds the products of samples with each other in some feature space; new samples are then predicted from their
    /// products with these
    #[arg(long)]
    pub(crate) kernel: bool,
    /// Fit each target on the K features that correlate with it most; takes one penalty and holds nothing out
    #[arg(long, value_name = "K")]
    pub(crate) select: Option<usize>,
    /// A whole number per feature: fit each region by itself and average the best
    #[arg(long, value_name = "FILE")]
    pub(crate) regions: Option<String>,
    /// How many regions are averaged
    #[arg(long, value_name = "N", default_value_t = 6, requires = "regions")]
    pub(crate) best: usize,
    /// Choose the best regions for each target
    #[arg(long, requires = "regions")]
    pub(crate) best_per_target: bool,
    /// Fit on K principal components of the features; the model's weights are those of features
    #[arg(long, value_name = "K")]
    pub(crate) components: Option<usize>,
    /// Scales drawn for several feature spaces, before those around the best [default: 50]
    #[arg(long, value_name = "N")]
    pub(crate) draws: Option<usize>,
    /// Seed of draws and of random chunks [default: 1]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Precision of inputs, products and weights [default: f32, but f64 where correlations score]
    #[arg(long, value_name = "TYPE")]
    pub(crate) precision: Option<FitPrecision>,
    /// Leave out rows in which nothing is there, and columns with missing values in the other rows
    #[arg(long)]
    pub(crate) mask_missing: bool,
    /// Memory to use, such as `8GB` [default: most of what is free]
    #[arg(long, value_name = "BYTES")]
    pub(crate) memory: Option<String>,
    /// Hold at most N targets at a time, whatever the memory
    #[arg(long, value_name = "N")]
    pub(crate) targets_per_tile: Option<usize>,
    /// Folder that keeps decompositions for other fits of the same features
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
    /// Fit only the I-th of N shares of the targets; put them together with `--merge`
    #[arg(long, value_name = "I/N")]
    pub(crate) shard: Option<String>,
    /// Put finished shards in the model's folder together
    #[arg(long)]
    pub(crate) merge: bool,
    /// Stop after N tiles; the same command goes on from there
    #[arg(long, value_name = "N")]
    pub(crate) stop_after: Option<usize>,
    /// Folder for the model; an interrupted fit in it goes on where it was
    #[arg(long, value_name = "MODEL")]
    pub(crate) out: PathBuf,
    /// Print what was done on stdout as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FitScore {
    /// Share of variance explained
    R2,
    /// Mean squared error
    Mse,
    /// Pearson correlation
    R,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FitPrecision {
    F32,
    F64,
}

#[derive(Debug, Args)]
pub(crate) struct Predict {
    /// The model's folder
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: PathBuf,
    /// Samples × features, in any format that `fit` takes; several in the order of the fit
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) x: Vec<String>,
    /// Ignore missing values in features that the model does not use
    #[arg(long)]
    pub(crate) mask_missing: bool,
    /// Memory to use, such as `8GB` [default: most of what is free]
    #[arg(long, value_name = "BYTES")]
    pub(crate) memory: Option<String>,
    /// File for the predictions, samples × targets
    #[arg(long, value_name = "FILE.npy")]
    pub(crate) out: PathBuf,
    /// Print what was done on stdout as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Preset {
    /// scikit-learn's `RidgeCV`
    Sklearn,
    /// himalaya's `RidgeCV`: no intercept
    Himalaya,
    /// Takagi and Nishimoto 2023: standardised features, no intercept, five folds
    Takagi2023,
    /// Huth's code: no intercept, correlation; the numbers of the grid are squared
    Huth,
    /// FastL2LiR: the intercept is penalised, nothing is held out
    Fastl2lir,
}
