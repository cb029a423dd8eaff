//! z-scores of responses within each session, by the statistics of training samples alone.
//!
//! Betas drift between sessions, so each unit is centred and scaled within each session. NSD's users commonly take the
//! statistics over all trials of a session, the tested ones included; here only training samples count, so nothing about
//! the test side reaches the model. A unit that does not vary in a session (NSD writes zeros where a session has no valid
//! data) becomes 0 there, which is its mean.

use std::collections::BTreeMap;

use ndarray::Array2;
use percept_core::Responses;

/// Per unit: what is subtracted and what is divided by.
type Moments = (Vec<f64>, Vec<f64>);

/// All samples, z-scored by the training samples of their sessions, and the sessions that had fewer than two of those (they
/// are scaled by all training samples).
pub(crate) fn by_session(responses: &Responses, train: &[usize]) -> (Array2<f32>, Vec<usize>) {
    let mut train_of_session: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &sample in train {
        train_of_session.entry(responses.session_of_sample[sample]).or_default().push(sample);
    }
    let moments: BTreeMap<usize, Moments> = train_of_session
        .into_iter()
        .filter(|(_, samples)| samples.len() >= 2)
        .map(|(session, samples)| (session, moments(&responses.data, &samples)))
        .collect();
    let mut overall: Option<Moments> = None;
    let mut without = Vec::new();
    let mut scaled = responses.data.clone();
    for (sample, mut row) in scaled.rows_mut().into_iter().enumerate() {
        let session = responses.session_of_sample[sample];
        let (mean, deviation) = if let Some(found) = moments.get(&session) {
            found
        } else {
            if !without.contains(&session) {
                without.push(session);
            }
            overall.get_or_insert_with(|| self::moments(&responses.data, train))
        };
        for (unit, value) in row.iter_mut().enumerate() {
            let centred = f64::from(*value) - mean[unit];
            *value = if deviation[unit] > 0.0 { (centred / deviation[unit]) as f32 } else { 0.0 };
        }
    }
    (scaled, without)
}

/// Mean and population standard deviation of each unit over `samples`, in f64.
fn moments(data: &Array2<f32>, samples: &[usize]) -> Moments {
    let n = samples.len() as f64;
    let mut mean = vec![0.0f64; data.ncols()];
    for &sample in samples {
        mean.iter_mut().zip(data.row(sample)).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    for sum in &mut mean {
        *sum /= n;
    }
    let mut deviation = vec![0.0f64; data.ncols()];
    for &sample in samples {
        for ((sum, &value), mean) in deviation.iter_mut().zip(data.row(sample)).zip(&mean) {
            *sum += (f64::from(value) - mean).powi(2);
        }
    }
    for (sum, mean) in deviation.iter_mut().zip(&mean) {
        *sum = (*sum / n).sqrt();
        // What rounding leaves of a constant column is not variation.
        if *sum <= 1e-6 * mean.abs() {
            *sum = 0.0;
        }
    }
    (mean, deviation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn only_training_samples_decide_the_scale() {
        let data = array![[1.0, 7.0], [3.0, 7.0], [100.0, 7.0], [10.0, 0.0], [30.0, 2.0]];
        let responses = Responses::new(data, vec![0, 1, 2, 0, 1], vec![0, 0, 0, 1, 1]).expect("fits");
        let (scaled, without) = by_session(&responses, &[0, 1, 3, 4]);
        assert_eq!(scaled, array![[-1.0, 0.0], [1.0, 0.0], [98.0, 0.0], [-1.0, -1.0], [1.0, 1.0]]);
        assert!(without.is_empty());
    }

    #[test]
    fn a_session_without_training_is_scaled_by_all_training_and_named() {
        let data = array![[1.0], [3.0], [2.0]];
        let responses = Responses::new(data, vec![0, 1, 2], vec![0, 0, 5]).expect("fits");
        let (scaled, without) = by_session(&responses, &[0, 1]);
        assert_eq!(scaled[(2, 0)], 0.0);
        assert_eq!(without, vec![5]);
    }
}
