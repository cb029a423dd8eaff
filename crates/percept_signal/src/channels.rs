//! What is done across channels: another reference, and whitening.

use ndarray::{Array1, Array2, ArrayView2, Axis};

/// What a channel is measured against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// The mean over all channels (common average).
    Average,
    /// The median over all channels: a few bad ones do not spread.
    Median,
    /// One channel, by number; it becomes 0 itself.
    Channel(usize),
    /// The channel before; the first becomes 0. For electrodes along a shank.
    Bipolar,
}

/// Subtracts the reference from every sample, in place; each sample by itself. A channel that is not there changes nothing.
///
/// # Shapes
/// n_samples × n_channels.
pub fn rereference(block: &mut Array2<f64>, reference: &Reference) {
    let mut sorted = Vec::new();
    for mut row in block.axis_iter_mut(Axis(0)) {
        let level = match reference {
            Reference::Average => row.sum() / row.len().max(1) as f64,
            Reference::Median => {
                sorted.clear();
                sorted.extend(row.iter().copied());
                sorted.sort_by(f64::total_cmp);
                let middle = sorted.len() / 2;
                match sorted.len() {
                    0 => 0.0,
                    n if n % 2 == 1 => sorted[middle],
                    _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
                }
            }
            Reference::Channel(channel) => row.get(*channel).copied().unwrap_or(0.0),
            Reference::Bipolar => {
                for i in (1..row.len()).rev() {
                    row[i] -= row[i - 1];
                }
                if let Some(first) = row.first_mut() {
                    *first = 0.0;
                }
                continue;
            }
        };
        row -= level;
    }
}

/// Makes the channels of a stretch uncorrelated and of variance 1: x ↦ L⁻¹(x − mean) with L Lᵀ the covariance (divided by n),
/// to whose diagonal the share `shrinkage` of its mean is added, so that channels which are copies of each other do no harm.
///
/// # Shapes
/// n_samples × n_channels, and so is the result; all zeros for a stretch that is constant.
pub fn whiten(signal: ArrayView2<'_, f64>, shrinkage: f64) -> Array2<f64> {
    let (n, n_channels) = signal.dim();
    let mean: Array1<f64> = signal.mean_axis(Axis(0)).unwrap_or_else(|| Array1::zeros(n_channels));
    let mut out = &signal - &mean;
    let mut lower = out.t().dot(&out) / n.max(1) as f64;
    let level = shrinkage * lower.diag().sum() / n_channels.max(1) as f64;
    if level.is_nan() || level <= 0.0 && lower.diag().iter().any(|v| *v <= 0.0) {
        return Array2::zeros((n, n_channels));
    }
    lower.diag_mut().mapv_inplace(|v| v + level);
    cholesky(&mut lower);
    for mut row in out.axis_iter_mut(Axis(0)) {
        for i in 0..n_channels {
            let done: f64 = (0..i).map(|j| lower[(i, j)] * row[j]).sum();
            row[i] = (row[i] - done) / lower[(i, i)];
        }
    }
    out
}

/// The lower factor of a positive definite matrix, in place; what rounding leaves negative becomes tiny.
fn cholesky(a: &mut Array2<f64>) {
    let n = a.nrows();
    let tiny = f64::EPSILON * a.diag().iter().fold(f64::MIN_POSITIVE, |m, v| m.max(v.abs()));
    for j in 0..n {
        for i in j..n {
            let done: f64 = (0..j).map(|k| a[(i, k)] * a[(j, k)]).sum();
            let rest = a[(i, j)] - done;
            a[(i, j)] = if i == j { rest.max(tiny).sqrt() } else { rest / a[(j, j)] };
        }
    }
}
