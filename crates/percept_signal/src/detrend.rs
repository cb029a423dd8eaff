//! Slow drifts of a recording, estimated per run and subtracted: running medians, Savitzky–Golay smoothing, polynomials, cosines.
//!
//! The estimate includes the level, so what is left varies around 0. Running filters take each value from its neighbours, so a run
//! that is split between training and test is refused; polynomials and cosines are fitted to the training samples of such a run
//! and subtracted from all of it. Nothing crosses a run.
//!
//! References: Savitzky and Golay 1964, doi:10.1021/ac60214a047; the cosine set with its cut-off as in SPM and nilearn.

use std::ops::Range;

use ndarray::{Array2, ArrayViewMut2, Axis};
use rayon::prelude::*;

use crate::error::SignalError;
use crate::runs::runs;

/// Units handled by one task.
const UNITS_PER_TASK: usize = 64;
/// A cosine or power whose length falls below this share of what it was depends on those before it.
const SMALLEST_REST: f64 = 1e-9;

/// What a drift looks like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Trend {
    /// The median over `width` samples around each, mirrored at the ends of the run with the last sample repeated. An even width
    /// takes one more sample before than after, and the upper of the two middle values.
    Median {
        /// Samples of the window, at least 1.
        width: usize,
    },
    /// A polynomial fitted to `width` samples around each; at the ends of the run that of the first or last `width`.
    SavitzkyGolay {
        /// Samples of the window, odd.
        width: usize,
        /// Order of the polynomial, below `width`.
        order: usize,
    },
    /// One polynomial over the run.
    Polynomial {
        /// Its order; 0 is the mean.
        order: usize,
    },
    /// All cosines slower than a period, and the mean.
    Cosine {
        /// The shortest period that is taken for drift, in seconds.
        period_secs: f64,
        /// Seconds from one sample to the next.
        tr_secs: f64,
    },
}

/// Subtracts the drift of every unit within each run, in place.
///
/// # Shapes
/// `responses` n_samples × n_units in the order of time; `run_of_sample` and `is_training` (all samples without it) n_samples.
///
/// # Errors
/// [`SignalError::ShortRun`] for a run with fewer samples than the window or the curves, [`SignalError::StraddledRun`],
/// [`SignalError::Setting`], [`SignalError::LabelCount`], [`SignalError::Empty`], [`SignalError::ScatteredRun`].
///
/// # Numerics
/// f64, rounded once. Equals `x - scipy.ndimage.median_filter(x, width, mode="reflect")`,
/// `x - scipy.signal.savgol_filter(x, width, order)`, and residuals of least squares. NaN spread over their window or run.
pub fn detrend(
    mut responses: ArrayViewMut2<'_, f32>,
    run_of_sample: &[usize],
    trend: Trend,
    is_training: Option<&[bool]>,
) -> Result<(), SignalError> {
    let runs = runs(responses.dim(), run_of_sample)?;
    if let Some(found) = is_training.map(<[bool]>::len).filter(|&found| found != responses.nrows()) {
        return Err(SignalError::LabelCount { rows: responses.nrows(), labels: "training", found });
    }
    let filters: Vec<Filter> = runs
        .iter()
        .map(|run| Filter::new(trend, run, run_of_sample[run.start], is_training))
        .collect::<Result<_, _>>()?;
    responses.axis_chunks_iter_mut(Axis(1), UNITS_PER_TASK).into_par_iter().for_each(|mut part| {
        let mut values = Vec::new();
        let mut drift = Vec::new();
        for mut unit in part.columns_mut() {
            for (run, filter) in runs.iter().zip(&filters) {
                let mut stretch = unit.slice_mut(ndarray::s![run.clone()]);
                values.clear();
                values.extend(stretch.iter().map(|&value| f64::from(value)));
                drift.clear();
                filter.drift(&values, &mut drift);
                for (out, (value, drift)) in stretch.iter_mut().zip(values.iter().zip(&drift)) {
                    *out = (value - drift) as f32;
                }
            }
        }
    });
    Ok(())
}

/// What estimates the drift of one run.
enum Filter {
    Median(usize),
    /// Row i of the square matrix makes the value at sample i of a window.
    Window(Array2<f64>),
    /// n_samples × n_curves, orthonormal over the samples that are trained on, and these samples.
    Curves(Array2<f64>, Vec<usize>),
}

impl Filter {
    fn new(trend: Trend, run: &Range<usize>, label: usize, is_training: Option<&[bool]>) -> Result<Self, SignalError> {
        let n = run.len();
        let wrong = |what, got: String, expected: String| Err(SignalError::Setting { what, got, expected });
        let short = |needed, what| Err(SignalError::ShortRun { run: label, samples: n, needed, what });
        let mut trained: Vec<usize> =
            (0..n).filter(|sample| is_training.is_none_or(|is_training| is_training[run.start + sample])).collect();
        // A run that is tested whole loses its own drift.
        if trained.is_empty() {
            trained = (0..n).collect();
        }
        let whole =
            |what| if trained.len() == n { Ok(()) } else { Err(SignalError::StraddledRun { run: label, what }) };
        let curves = match trend {
            Trend::Median { width } => {
                whole("median")?;
                return if width == 0 {
                    wrong("the width of the running median", "0".to_owned(), "at least 1".to_owned())
                } else {
                    Ok(Self::Median(width))
                };
            }
            Trend::SavitzkyGolay { width, order } => {
                whole("polynomial")?;
                if width.is_multiple_of(2) || order >= width {
                    let got = format!("{width} samples for order {order}");
                    return wrong("the Savitzky–Golay window", got, "odd and above the order".to_owned());
                }
                if n < width {
                    return short(width, "the Savitzky–Golay window");
                }
                let all: Vec<usize> = (0..width).collect();
                let curves = orthonormal(powers(width, order), &all);
                return Ok(Self::Window(curves.dot(&curves.t())));
            }
            Trend::Polynomial { order } => powers(n, order),
            Trend::Cosine { period_secs, tr_secs } => {
                if !(period_secs > 0.0 && period_secs.is_finite() && tr_secs > 0.0 && tr_secs.is_finite()) {
                    let got = format!("{period_secs} s at a sample every {tr_secs} s");
                    return wrong("the period of drifts", got, "positive numbers of seconds".to_owned());
                }
                cosines(n, (2.0 * n as f64 * tr_secs / period_secs).floor() as usize)
            }
        };
        if trained.len() < curves.ncols() {
            return short(curves.ncols(), "its drift");
        }
        Ok(Self::Curves(orthonormal(curves, &trained), trained))
    }

    fn drift(&self, values: &[f64], drift: &mut Vec<f64>) {
        let n = values.len();
        match self {
            Self::Median(width) => running_median(values, *width, drift),
            Self::Window(matrix) => {
                let (width, half) = (matrix.nrows(), matrix.nrows() / 2);
                for sample in 0..n {
                    let start = sample.saturating_sub(half).min(n - width);
                    let row = matrix.row(sample - start);
                    drift.push(row.iter().zip(&values[start..start + width]).map(|(w, value)| w * value).sum());
                }
            }
            Self::Curves(curves, trained) => {
                drift.resize(n, 0.0);
                for curve in curves.columns() {
                    let weight: f64 = trained.iter().map(|&sample| curve[sample] * values[sample]).sum();
                    drift.iter_mut().zip(curve).for_each(|(drift, value)| *drift += weight * value);
                }
            }
        }
    }
}

/// Legendre polynomials of order 0 to `order` over −1..=1 at `n` points: n × (order + 1).
fn powers(n: usize, order: usize) -> Array2<f64> {
    let mut out = Array2::ones((n, order + 1));
    for sample in 0..n {
        let x = if n > 1 { 2.0 * sample as f64 / (n - 1) as f64 - 1.0 } else { 0.0 };
        for k in 1..=order {
            let before = if k > 1 { out[(sample, k - 2)] } else { 0.0 };
            let k_real = k as f64;
            out[(sample, k)] = ((2.0 * k_real - 1.0) * x * out[(sample, k - 1)] - (k_real - 1.0) * before) / k_real;
        }
    }
    out
}

/// The mean and the first `n_cosines` of the discrete cosine transform: n × (1 + n_cosines), fewer when the run has fewer samples.
fn cosines(n: usize, n_cosines: usize) -> Array2<f64> {
    let value =
        |(sample, k): (usize, usize)| (std::f64::consts::PI * k as f64 * (sample as f64 + 0.5) / n as f64).cos();
    Array2::from_shape_fn((n, 1 + n_cosines.min(n - 1)), value)
}

/// Columns made orthonormal over `samples` (Gram–Schmidt, twice), with the same steps for all other samples. Columns that depend
/// on those before them become 0.
fn orthonormal(mut curves: Array2<f64>, samples: &[usize]) -> Array2<f64> {
    let product = |a: ndarray::ArrayView1<'_, f64>, b: ndarray::ArrayView1<'_, f64>| -> f64 {
        samples.iter().map(|&sample| a[sample] * b[sample]).sum()
    };
    for column in 0..curves.ncols() {
        let (before, mut rest) = curves.view_mut().split_at(Axis(1), column);
        let mut own = rest.column_mut(0);
        let length = product(own.view(), own.view()).sqrt();
        for _ in 0..2 {
            for other in before.columns() {
                let share = product(other.view(), own.view());
                own.scaled_add(-share, &other);
            }
        }
        let left = product(own.view(), own.view()).sqrt();
        if left > SMALLEST_REST * length {
            own.mapv_inplace(|value| value / left);
        } else {
            own.fill(0.0);
        }
    }
    curves
}

/// The running median: a sorted window from which the oldest value goes as the next comes.
fn running_median(values: &[f64], width: usize, out: &mut Vec<f64>) {
    let n = values.len() as isize;
    let mirrored = |position: isize| {
        let position = position.rem_euclid(2 * n);
        values[(if position < n { position } else { 2 * n - 1 - position }) as usize]
    };
    let before = (width / 2) as isize;
    let after = (width - width / 2) as isize;
    let mut window: Vec<f64> = (-before..after).map(mirrored).collect();
    window.sort_unstable_by(f64::total_cmp);
    let place = |window: &[f64], value: f64| window.partition_point(|other| other.total_cmp(&value).is_lt());
    for sample in 0..n {
        out.push(window[width / 2]);
        let (old, new) = (mirrored(sample - before), mirrored(sample + after));
        if old.to_bits() != new.to_bits() {
            let (from, to) = (place(&window, old), place(&window, new));
            if from < to {
                window.copy_within(from + 1..to, from);
                window[to - 1] = new;
            } else {
                window.copy_within(to..from, to + 1);
                window[to] = new;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(n: usize) -> Array2<f32> {
        Array2::from_shape_fn((n, 3), |(i, j)| ((i * 37 + j * 11) % 23) as f32 * 0.3 + (i * i) as f32 * 0.01)
    }

    #[test]
    fn runs_of_different_lengths_are_detrended_one_by_one() {
        let label: Vec<usize> = [(2, 30), (0, 19), (5, 41)].iter().flat_map(|&(run, n)| vec![run; n]).collect();
        for trend in [
            Trend::Median { width: 8 },
            Trend::SavitzkyGolay { width: 7, order: 2 },
            Trend::Polynomial { order: 3 },
            Trend::Cosine { period_secs: 20.0, tr_secs: 1.5 },
        ] {
            let mut whole = series(90);
            detrend(whole.view_mut(), &label, trend, None).expect("fits");
            for (start, end) in [(0, 30), (30, 49), (49, 90)] {
                let mut part = series(90).slice(ndarray::s![start..end, ..]).to_owned();
                detrend(part.view_mut(), &vec![1; end - start], trend, None).expect("fits");
                assert_eq!(part, whole.slice(ndarray::s![start..end, ..]), "{trend:?}");
            }
        }
    }

    #[test]
    fn held_out_samples_do_not_move_the_training_samples() {
        let trained: Vec<bool> = (0..40).map(|sample| sample < 25).collect();
        let trend = Trend::Cosine { period_secs: 20.0, tr_secs: 1.0 };
        let (mut a, mut b) = (series(40), series(40));
        b.slice_mut(ndarray::s![25.., ..]).mapv_inplace(|value| value * 9.0 + 100.0);
        detrend(a.view_mut(), &[0; 40], trend, Some(&trained)).expect("fits");
        detrend(b.view_mut(), &[0; 40], trend, Some(&trained)).expect("fits");
        assert_eq!(a.slice(ndarray::s![..25, ..]), b.slice(ndarray::s![..25, ..]));
        assert_ne!(a, b);
        let error = detrend(a.view_mut(), &[4; 40], Trend::Median { width: 5 }, Some(&trained)).expect_err("leaks");
        assert_eq!(error, SignalError::StraddledRun { run: 4, what: "median" });
    }

    #[test]
    fn a_polynomial_of_its_order_vanishes() {
        let mut curve = Array2::from_shape_fn((50, 1), |(i, _)| (i as f32 * 0.1 - 2.0).powi(3) + 5.0);
        detrend(curve.view_mut(), &[0; 50], Trend::Polynomial { order: 3 }, None).expect("fits");
        assert!(curve.iter().all(|value| value.abs() < 1e-5));
        let mut line = Array2::from_shape_fn((50, 1), |(i, _)| i as f32 * 0.5);
        detrend(line.view_mut(), &[0; 50], Trend::SavitzkyGolay { width: 9, order: 1 }, None).expect("fits");
        assert!(line.iter().all(|value| value.abs() < 1e-6));
    }

    #[test]
    fn unusable_settings_are_named_with_the_run() {
        let fail = |trend| detrend(series(6).view_mut(), &[3; 6], trend, None).expect_err("unusable").to_string();
        assert!(fail(Trend::SavitzkyGolay { width: 7, order: 2 }).starts_with("run `3` has 6 samples but"));
        assert!(fail(Trend::Polynomial { order: 6 }).contains("needs at least 7"));
        assert!(fail(Trend::SavitzkyGolay { width: 4, order: 2 }).contains("odd"));
        assert!(fail(Trend::Median { width: 0 }).contains("at least 1"));
        assert!(fail(Trend::Cosine { period_secs: 0.0, tr_secs: 1.0 }).contains("positive"));
    }
}
