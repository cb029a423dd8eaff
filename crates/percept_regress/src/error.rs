//! Why a regression cannot be fitted or applied.

/// An error of this crate: what was expected, what was found, and what to do.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RegressError {
    /// Two inputs that describe the same samples differ in length.
    #[error("`{left}` has {left_rows} rows but `{right}` has {right_rows} (give both one row per sample)")]
    Rows {
        /// Name of the first input.
        left: &'static str,
        /// Its rows.
        left_rows: usize,
        /// Name of the second input.
        right: &'static str,
        /// Its rows.
        right_rows: usize,
    },
    /// The model was fitted on another number of features.
    #[error("model expects {expected} features but `x` has {got} columns (use the features the model was fitted on)")]
    Features {
        /// Features the model was fitted on.
        expected: usize,
        /// Columns that came.
        got: usize,
    },
    /// A matrix has no rows or no columns.
    #[error("`{matrix}` is {rows} × {columns} (give at least one row and one column)")]
    Empty {
        /// Name of the matrix.
        matrix: &'static str,
        /// Its rows.
        rows: usize,
        /// Its columns.
        columns: usize,
    },
    /// A matrix holds NaN or infinity.
    #[error(
        "`{matrix}` holds {count} values that are not finite, first in row {row}, column {column} (remove these rows or columns, or fill them before fitting)"
    )]
    NonFinite {
        /// Name of the matrix.
        matrix: &'static str,
        /// Number of such values.
        count: usize,
        /// Row of the first, from 0.
        row: usize,
        /// Column of the first, from 0.
        column: usize,
    },
    /// Every sample carries the same group label.
    #[error(
        "all {rows} samples belong to the one group `{group}`, so nothing is left to fit on when it is held out (give at least two groups)"
    )]
    SingleGroup {
        /// The label.
        group: usize,
        /// Number of samples.
        rows: usize,
    },
    /// A model cannot be fitted on so few samples.
    #[error("`x` has {rows} rows (an intercept and a slope need at least 2)")]
    TooFewSamples {
        /// Number of samples.
        rows: usize,
    },
    /// No feature varies over the training samples.
    #[error("none of the {features} features varies over the training samples (check that `x` is the right matrix)")]
    ConstantDesign {
        /// Number of features.
        features: usize,
    },
    /// The grid of penalties is unusable.
    #[error("alpha grid holds {found} (give one or more finite penalties ≥ 0)")]
    Alphas {
        /// What was found, in words or as a number.
        found: String,
    },
    /// Without a penalty the weights are not determined.
    #[error(
        "alpha 0 on a singular Gram matrix: rank {rank} of {needed} (remove 0 from the alpha grid, or drop dependent columns or rows)"
    )]
    SingularGram {
        /// Numerical rank.
        rank: usize,
        /// Rank that a fit without penalty needs.
        needed: usize,
    },
    /// The other groups do not determine the prediction of this one.
    #[error(
        "group `{group}` cannot be predicted from the other samples at alpha {alpha:e}: its leverage is 1 (use a larger alpha, or drop features that only this group has)"
    )]
    Leverage {
        /// The group's label.
        group: usize,
        /// The penalty.
        alpha: f64,
    },
    /// Repeats stand on both sides of a fold.
    #[error(
        "{n_straddling} of {n_repeated} repeated stimuli have repeats in more than one fold, first stimulus `{first}` (make folds by stimulus, or set `allow_leaks = true` to go on with a warning)"
    )]
    Leak {
        /// Stimuli whose repeats straddle folds.
        n_straddling: usize,
        /// Stimuli that occur more than once.
        n_repeated: usize,
        /// The smallest straddling label.
        first: usize,
    },
    /// The decomposition of the Gram matrix failed.
    #[error("eigendecomposition of a {order} × {order} Gram matrix did not converge (check the scale of `x`)")]
    Decomposition {
        /// Order of the matrix.
        order: usize,
    },
    /// A fit was asked for something that only cross-validation gives.
    #[error("design was prepared without groups (prepare it with `Design::grouped` to score or choose penalties)")]
    Ungrouped,
    /// A list with one entry per target has another length.
    #[error("`{list}` has {got} entries for {expected} targets (give one per target)")]
    PerTarget {
        /// Name of the list.
        list: &'static str,
        /// Number of targets.
        expected: usize,
        /// Entries found.
        got: usize,
    },
    /// Samples or targets could not be read.
    #[error("{reason}")]
    Source {
        /// What the reader said, with its remedy.
        reason: String,
    },
    /// The settings ask for something that does not fit the data.
    #[error("{what} (expected {expected}; {remedy})")]
    Setting {
        /// What is wrong.
        what: String,
        /// What would be right.
        expected: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A sample weight is unusable.
    #[error("weight of sample {sample} is `{weight}` (give finite weights > 0, and leave samples of weight 0 out)")]
    Weight {
        /// Row of the sample, from 0.
        sample: usize,
        /// Its weight.
        weight: f64,
    },
}
