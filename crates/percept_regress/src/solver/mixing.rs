//! Sums for every penalty, made of those for the few functions of each window of the spectrum, see [`super::penalties`].
//!
//! All windows are mixed at once: what a penalty's sum is made of lies in the cache together, and the sum is written once. Mixing
//! window after window cost a twelfth of a fit's time, most of it waiting for memory.
//! Only where rows are very long ([`super::forms`]) it is still done so.

use super::number::Real;
use super::penalties::Window;

/// Functions whose sums are held at once, for each penalty: what memory is counted on. Where all windows have more together, fewer
/// rows or fewer windows are taken at a time.
pub(crate) const FUNCTIONS_PER_PENALTY: usize = 2;

/// How penalties are made of functions.
pub(crate) struct Mixer<T> {
    /// n_penalties × (functions of all windows), or × 1 where the functions are the penalties.
    coefficients: Vec<T>,
    /// Functions of each window.
    n_functions: Vec<usize>,
    /// Whether the functions of every window are the penalties.
    separate: bool,
}

impl<T: Real> Mixer<T> {
    /// For the functions of `windows`, times `sign`. All of them are mixed, or none.
    pub(crate) fn new<S: Real>(windows: &[Window<S>], sign: T) -> Self {
        let n_functions: Vec<usize> = windows.iter().map(|window| window.functions.nrows()).collect();
        let mixes: Option<Vec<_>> = windows.iter().map(|window| window.mix.as_ref()).collect();
        let Some(mixes) = mixes else {
            let coefficients = vec![sign; n_functions.first().copied().unwrap_or(0)];
            return Self { coefficients, n_functions, separate: true };
        };
        let n_penalties = mixes.first().map_or(0, |mix| mix.nrows());
        let row = |penalty: usize| mixes.iter().flat_map(move |mix| mix.row(penalty).into_iter().copied());
        let coefficients = (0..n_penalties).flat_map(row).map(|value| sign * T::from_f64(value.as_f64())).collect();
        Self { coefficients, n_functions, separate: false }
    }

    /// Functions of all windows.
    pub(crate) fn n_functions(&self) -> usize {
        self.n_functions.iter().sum()
    }

    /// Adds the sums of one row to `out`, the places of every penalty in turn, `width` long each, in the precision of `out`.
    ///
    /// # Shapes
    /// `sums` for each window rows × (n_functions · width), by rows.
    pub(crate) fn add_row<'a, S: Real>(
        &self,
        sums: &[Vec<S>],
        row: usize,
        width: usize,
        out: impl Iterator<Item = &'a mut [T]>,
    ) {
        let mut parts = Vec::with_capacity(self.n_functions());
        for (sums, n_functions) in sums.iter().zip(&self.n_functions) {
            let len = n_functions * width;
            parts.extend(sums[row * len..(row + 1) * len].chunks_exact(width));
        }
        if self.separate {
            let n_penalties = self.coefficients.len();
            for (penalty, (out, &by)) in out.zip(&self.coefficients).enumerate() {
                for part in parts.iter().skip(penalty).step_by(n_penalties) {
                    out.iter_mut().zip(*part).for_each(|(out, &value)| *out += by * T::from_f64(value.as_f64()));
                }
            }
            return;
        }
        pulp::Arch::new().dispatch(Row { coefficients: &self.coefficients, parts: &parts, out });
    }
}

struct Row<'p, T, S, O> {
    coefficients: &'p [T],
    parts: &'p [&'p [S]],
    out: O,
}

impl<'a, T: Real, S: Real, O: Iterator<Item = &'a mut [T]>> pulp::NullaryFnOnce for Row<'_, T, S, O> {
    type Output = ();

    // Must be inlined where the widest vector instructions are allowed.
    #[inline(always)]
    #[allow(clippy::inline_always)]
    fn call(self) {
        let Self { coefficients, parts, out } = self;
        for (out, coefficients) in out.zip(coefficients.chunks_exact(parts.len())) {
            // Whole slices, four functions at a time: loops that the compiler makes vector instructions of.
            for (parts, by) in parts.chunks(4).zip(coefficients.chunks(4)) {
                if let ([a, b, c, d], &[by_a, by_b, by_c, by_d]) = (parts, by) {
                    let (first, second) = (a.iter().zip(*b), c.iter().zip(*d));
                    for ((out, (&a, &b)), (&c, &d)) in out.iter_mut().zip(first).zip(second) {
                        let [a, b, c, d] = [a, b, c, d].map(|value| T::from_f64(value.as_f64()));
                        *out += (by_a * a + by_b * b) + (by_c * c + by_d * d);
                    }
                    continue;
                }
                for (part, &by) in parts.iter().zip(by) {
                    out.iter_mut().zip(*part).for_each(|(out, &value)| *out += by * T::from_f64(value.as_f64()));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::solver::penalties::{Lengths, Penalties};
    use ndarray::Array2;

    /// Two rows of two targets: sums over all directions of entry · 1/(λ + α), by hand and mixed.
    #[test]
    fn sums_of_all_windows_make_those_of_every_penalty() {
        let values: Vec<f64> = (0..1000).map(|i| 10f64.powf(f64::from(i) / 250.0)).collect();
        let few: Vec<f64> = (0..9).map(|k| 10f64.powi(k - 3)).collect();
        for alphas in [&few[..], &few[..2]] {
            let penalties = Penalties::<f32>::new(&values, alphas, Lengths::Unit);
            assert_eq!(penalties.windows.len() > 1, alphas.len() > 2);
            let entry = |row: usize, target: usize, direction: usize| ((row + 2 * target) * direction % 7) as f64 - 3.0;
            let sums: Vec<Vec<f64>> = penalties
                .windows
                .iter()
                .map(|window| {
                    let sum = |row: usize, function: usize, target: usize| -> f64 {
                        let all = window.directions.clone().zip(window.functions.row(function));
                        all.map(|(direction, &value)| entry(row, target, direction) * f64::from(value)).sum()
                    };
                    let places = (0..2 * window.functions.nrows() * 2).map(|at| (at / 2, at % 2));
                    let n = window.functions.nrows();
                    places.map(|(row, target)| sum(row / n, row % n, target)).collect()
                })
                .collect();
            let mixer = Mixer::new(&penalties.windows, -1.0);
            for row in 0..2 {
                let mut out = Array2::from_elem((alphas.len(), 2), 5.0);
                mixer.add_row(&sums, row, 2, out.rows_mut().into_iter().map(|row| row.into_slice().expect("rows")));
                for ((penalty, target), found) in out.indexed_iter() {
                    let entries = values.iter().enumerate().map(|(d, value)| (entry(row, target, d), value));
                    let exact: f64 = entries.map(|(entry, value)| entry / (value + alphas[penalty])).sum();
                    // 1,000 entries of up to 3, each to a few roundings of the largest 1/(λ + α).
                    let error = (found - (5.0 - exact)).abs() * (1.0 + alphas[penalty]);
                    assert!(error < 1e-3, "{found} {exact} {error}");
                }
            }
        }
    }
}
