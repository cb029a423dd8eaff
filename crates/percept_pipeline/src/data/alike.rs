//! Equal and nearly equal pictures: a picture that is tested under one number and trained on under another leaks.
//!
//! Pictures are nearly equal when they correlate above 0.995, as after saving again, a change of contrast or of size; other
//! photographs do not. Candidates are found by thumbnails, so that ten thousand pictures take seconds.

use std::collections::BTreeMap;

use ndarray::{Array2, ArrayView3, ArrayView4, Axis};
use rayon::prelude::*;

/// Side of the thumbnails that are compared first.
const THUMBNAIL: usize = 8;
/// The least correlation of nearly equal pictures.
const NEARLY: f32 = 0.995;
/// The least correlation of thumbnails whose pictures are compared.
const CANDIDATE: f32 = 0.99;
/// Pairs that are kept; who has more knows enough.
const MOST_PAIRS: usize = 10_000;

/// Which stimuli show the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alike {
    /// Per stimulus the first stimulus with the same picture: itself, where there is no earlier one.
    pub first_of_stimulus: Vec<usize>,
    /// Pairs of stimuli, ascending, whose pictures are nearly but not quite equal.
    pub near: Vec<[usize; 2]>,
}

impl Alike {
    /// Of `n` stimuli that are known to differ.
    pub fn none(n: usize) -> Self {
        Self { first_of_stimulus: (0..n).collect(), near: Vec::new() }
    }

    /// Compares pictures (n, height, width, 3).
    pub fn of(pictures: ArrayView4<'_, u8>) -> Self {
        let mut first: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        let mut first_of_stimulus = Vec::with_capacity(pictures.dim().0);
        for (stimulus, picture) in pictures.outer_iter().enumerate() {
            let bytes: Vec<u8> = picture.iter().copied().collect();
            first_of_stimulus.push(*first.entry(bytes).or_insert(stimulus));
        }
        let mut different: Vec<usize> = first.into_values().collect();
        different.sort_unstable();
        let near = near(pictures, &different);
        Self { first_of_stimulus, near }
    }
}

/// Pairs among `stimuli` that correlate.
fn near(pictures: ArrayView4<'_, u8>, stimuli: &[usize]) -> Vec<[usize; 2]> {
    let mut thumbnails = Array2::<f32>::zeros((stimuli.len(), THUMBNAIL * THUMBNAIL * 3));
    for (mut row, &stimulus) in thumbnails.rows_mut().into_iter().zip(stimuli) {
        row.assign(&ndarray::ArrayView1::from(&standardised(thumbnail(pictures.index_axis(Axis(0), stimulus)))));
    }
    let pairs: Vec<Vec<[usize; 2]>> = (0..stimuli.len())
        .into_par_iter()
        .map(|i| {
            let own = thumbnails.row(i);
            let alike = |&j: &usize| own.dot(&thumbnails.row(j)) > CANDIDATE;
            let candidates: Vec<usize> = (i + 1..stimuli.len()).filter(alike).collect();
            let whole = |at: usize| -> Vec<f32> {
                standardised(pictures.index_axis(Axis(0), stimuli[at]).iter().map(|&v| f32::from(v)).collect())
            };
            if candidates.is_empty() {
                return Vec::new();
            }
            let own = whole(i);
            let correlates = |&j: &usize| own.iter().zip(whole(j)).map(|(a, b)| a * b).sum::<f32>() > NEARLY;
            candidates.into_iter().filter(correlates).map(|j| [stimuli[i], stimuli[j]]).collect()
        })
        .collect();
    let mut pairs = pairs.concat();
    pairs.truncate(MOST_PAIRS);
    pairs
}

/// Means over a grid of places.
fn thumbnail(picture: ArrayView3<'_, u8>) -> Vec<f32> {
    let (height, width, channels) = picture.dim();
    let mut sums = vec![(0.0f32, 0.0f32); THUMBNAIL * THUMBNAIL * channels];
    for ((y, x, channel), &value) in picture.indexed_iter() {
        let place = (y * THUMBNAIL / height) * THUMBNAIL + x * THUMBNAIL / width;
        let sum = &mut sums[place * channels + channel];
        *sum = (sum.0 + f32::from(value), sum.1 + 1.0);
    }
    sums.into_iter().map(|(sum, n)| if n > 0.0 { sum / n } else { 0.0 }).collect()
}

/// Without its mean, of length 1; zeros for a picture of one colour, which correlates with none.
fn standardised(mut values: Vec<f32>) -> Vec<f32> {
    let mean = values.iter().sum::<f32>() / values.len() as f32;
    for value in &mut values {
        *value -= mean;
    }
    let norm = values.iter().map(|value| value * value).sum::<f32>().sqrt();
    let scale = if norm > 0.0 { 1.0 / norm } else { 0.0 };
    for value in &mut values {
        *value *= scale;
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array4;
    use percept_core::Seed;

    #[test]
    fn copies_are_found_and_so_are_pictures_that_were_saved_again() {
        let noise = Seed::new(1).normal(5 * 20 * 24 * 3);
        let mut pictures = Array4::from_shape_fn((5, 20, 24, 3), |(n, y, x, c)| {
            let smooth =
                60.0 * (((n + 1) * (x + 2 * c)) as f32 / 9.0).sin() + 50.0 * ((y * (n + 2)) as f32 / 7.0).cos();
            (128.0 + smooth + noise[((n * 20 + y) * 24 + x) * 3 + c]) as u8
        });
        assert_eq!(Alike::of(pictures.view()), Alike::none(5));
        // 3 is 1 again; 4 is 0, brighter and a little noisy.
        let copy = pictures.index_axis(Axis(0), 1).to_owned();
        pictures.index_axis_mut(Axis(0), 3).assign(&copy);
        let again = pictures.index_axis(Axis(0), 0).mapv(|value| value.saturating_add(9) ^ 1);
        pictures.index_axis_mut(Axis(0), 4).assign(&again);
        let found = Alike::of(pictures.view());
        assert_eq!((found.first_of_stimulus, found.near), (vec![0, 1, 2, 1, 4], vec![[0, 4]]));
    }

    #[test]
    fn flat_pictures_are_equal_only_where_they_are_equal() {
        let pictures = Array4::from_shape_fn((3, 4, 4, 3), |(n, ..)| if n == 2 { 7 } else { 9 });
        assert_eq!(Alike::of(pictures.view()), Alike { first_of_stimulus: vec![0, 0, 2], near: Vec::new() });
    }
}
