//! Why a statistic cannot be computed.

/// An error of this crate: what was expected, what was found, and what to do.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum StatsError {
    /// Two inputs that are compared item by item differ in shape.
    #[error("`{left}` has shape {left_shape:?} but `{right}` has {right_shape:?} (give both the same items and size)")]
    Shape {
        /// Name of the first input.
        left: &'static str,
        /// Its shape.
        left_shape: Vec<usize>,
        /// Name of the second input.
        right: &'static str,
        /// Its shape.
        right_shape: Vec<usize>,
    },
    /// Too little input for the statistic.
    #[error("`{what}` needs at least {needed} but got {got} (give more)")]
    TooFew {
        /// What is counted.
        what: &'static str,
        /// How many are needed.
        needed: usize,
        /// How many came.
        got: usize,
    },
    /// An input holds NaN or infinity.
    #[error("`{what}` holds a value that is not finite at position {position} (remove or fill it first)")]
    NonFinite {
        /// Name of the input.
        what: &'static str,
        /// Position of the first such value, in row-major order.
        position: usize,
    },
    /// A number lies outside the range where the statistic is defined.
    #[error("`{what}` is {value} but must lie in {range} (correct the setting)")]
    Range {
        /// Name of the setting.
        what: &'static str,
        /// What came.
        value: f64,
        /// The allowed range in words.
        range: &'static str,
    },
    /// Images are not RGB.
    #[error("`{what}` has {channels} channels (give RGB images: n × height × width × 3)")]
    Channels {
        /// Name of the input.
        what: &'static str,
        /// Channels found.
        channels: usize,
    },
    /// No stimulus has the number of repeats that is asked for.
    #[error("no stimulus was presented exactly {repeats} times (choose a number of repeats that occurs)")]
    NoRepeats {
        /// The number that was asked for.
        repeats: usize,
    },
    /// A run is too short to be put into another order.
    #[error(
        "run `{run}` has {samples} samples but needs at least {needed} to be put into another order (choose shorter blocks or a smaller shift, or leave the run out)"
    )]
    Run {
        /// The run's label.
        run: usize,
        /// Its samples.
        samples: usize,
        /// How many are needed.
        needed: usize,
    },
    /// With so few permutations no p-value can be small enough.
    #[error(
        "{got} different permutations cannot reject anything at rate {rate}: the smallest p is 1/(1 + {got}) (take at least {needed}, of more or longer runs if there are not so many)"
    )]
    TooFewPermutations {
        /// Different permutations there are.
        got: usize,
        /// How many are needed.
        needed: usize,
        /// The rate of false discoveries that was asked for.
        rate: f64,
    },
}

pub(crate) fn same_shape(left: (&'static str, &[usize]), right: (&'static str, &[usize])) -> Result<(), StatsError> {
    if left.1 == right.1 {
        return Ok(());
    }
    Err(StatsError::Shape { left: left.0, left_shape: left.1.to_vec(), right: right.0, right_shape: right.1.to_vec() })
}

pub(crate) fn at_least(what: &'static str, needed: usize, got: usize) -> Result<(), StatsError> {
    if got < needed { Err(StatsError::TooFew { what, needed, got }) } else { Ok(()) }
}

pub(crate) fn finite<'a, T: Copy + Into<f64> + 'a>(
    what: &'static str,
    values: impl IntoIterator<Item = &'a T>,
) -> Result<(), StatsError> {
    match values.into_iter().position(|&value| !value.into().is_finite()) {
        None => Ok(()),
        Some(position) => Err(StatsError::NonFinite { what, position }),
    }
}
