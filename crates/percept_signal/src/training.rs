//! z-scores within each session by the statistics of its training samples alone.
//!
//! Betas drift between sessions, so each unit is centred and scaled within each session. NSD's users commonly take the
//! statistics over all trials of a session, the tested ones included. Here only training samples count, so nothing about the
//! test side reaches the model.

use std::collections::BTreeMap;

use ndarray::{Array2, ArrayView2};

use crate::zscore::{Deviation, Moments, moments};

/// All samples, z-scored by the training samples of their sessions, and the sessions with fewer than two training samples,
/// which are scaled by all training samples. A unit that does not vary becomes 0, which is its mean (NSD writes zeros where a
/// session has no valid data).
///
/// # Shapes
/// `responses` n_samples × n_units; `session_of_sample` n_samples labels; `train` positions of samples.
///
/// # Numerics
/// Two passes in f64, population deviation, rounded once.
pub fn zscore_by_training(
    responses: ArrayView2<'_, f32>,
    session_of_sample: &[usize],
    train: &[usize],
) -> (Array2<f32>, Vec<usize>) {
    let mut train_of_session: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &sample in train {
        train_of_session.entry(session_of_sample[sample]).or_default().push(sample);
    }
    let over = |samples: &[usize]| moments(responses, samples, Deviation::Population);
    let by_session: BTreeMap<usize, Vec<Moments>> = train_of_session
        .into_iter()
        .filter(|(_, samples)| samples.len() >= 2)
        .map(|(session, samples)| (session, over(&samples)))
        .collect();
    let mut overall: Option<Vec<Moments>> = None;
    let mut without = Vec::new();
    let mut scaled = responses.to_owned();
    for (mut row, session) in scaled.rows_mut().into_iter().zip(session_of_sample) {
        let moments = by_session.get(session).unwrap_or_else(|| {
            if !without.contains(session) {
                without.push(*session);
            }
            overall.get_or_insert_with(|| over(train))
        });
        for (value, moments) in row.iter_mut().zip(moments) {
            *value = match moments {
                Ok((mean, deviation)) => ((f64::from(*value) - mean) / deviation) as f32,
                Err(_) => 0.0,
            };
        }
    }
    (scaled, without)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn only_training_samples_decide_the_scale() {
        let data = array![[1.0, 7.0], [3.0, 7.0], [100.0, 7.0], [10.0, 0.0], [30.0, 2.0]];
        let sessions = vec![0, 0, 0, 1, 1];
        let (scaled, without) = zscore_by_training(data.view(), &sessions, &[0, 1, 3, 4]);
        assert_eq!(scaled, array![[-1.0, 0.0], [1.0, 0.0], [98.0, 0.0], [-1.0, -1.0], [1.0, 1.0]]);
        assert!(without.is_empty());
    }

    #[test]
    fn a_session_without_training_is_scaled_by_all_training_and_named() {
        let data = array![[1.0], [3.0], [2.0]];
        let sessions = vec![0, 0, 5];
        let (scaled, without) = zscore_by_training(data.view(), &sessions, &[0, 1]);
        assert_eq!(scaled[(2, 0)], 0.0);
        assert_eq!(without, vec![5]);
    }
}
