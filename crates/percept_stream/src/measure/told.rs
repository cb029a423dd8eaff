//! Whether the state of a segment can be told from its pictures.

use ndarray::{Array1, Axis};

use super::segments::{Segment, apart};

/// For each segment, the share of its frames that are nearer (by CLIP) to the mean picture of the other segments of its own state
/// than to that of the other state. States are the halves above and below the median of theta over delta. Chance is ½.
pub(super) fn told(segments: &[Segment]) -> Option<Vec<f64>> {
    let means: Vec<Array1<f32>> =
        segments.iter().map(|segment| segment.clip.as_ref()?.mean_axis(Axis(0))).collect::<Option<_>>()?;
    let mut sorted: Vec<f64> = segments.iter().map(|segment| segment.theta_delta).collect();
    sorted.sort_by(f64::total_cmp);
    let median = sorted[sorted.len() / 2];
    let high: Vec<bool> = segments.iter().map(|segment| segment.theta_delta >= median).collect();
    let center = |left_out: usize, state: bool| -> Option<Array1<f32>> {
        let others: Vec<_> = (0..means.len()).filter(|i| *i != left_out && high[*i] == state).collect();
        let sum = others.iter().fold(Array1::zeros(means[0].len()), |sum, i| sum + &means[*i]);
        (!others.is_empty()).then(|| sum / others.len() as f32)
    };
    segments
        .iter()
        .enumerate()
        .map(|(i, segment)| {
            let (own, other) = (center(i, high[i])?, center(i, !high[i])?);
            let rows = segment.clip.as_ref()?;
            let nearer = |row: ndarray::ArrayView1<'_, f32>| apart(row, own.view()) < apart(row, other.view());
            let right = rows.rows().into_iter().filter(|row| nearer(*row)).count();
            Some(right as f64 / rows.nrows() as f64)
        })
        .collect()
}
