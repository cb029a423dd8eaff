//! The nearest of many vectors by cosine, exactly.
//!
//! Reading 100,000 vectors of 512 numbers takes longer than multiplying them, so a search first reads a copy in bytes. What is lost in a
//! byte is bounded for every vector (Cauchy–Schwarz), so all vectors that could be among the nearest are known, and only those are
//! multiplied in full. The result is that of comparing with all of them ([`Nearest::by_comparing_all`]), ties included.

use ndarray::{Array2, ArrayView1, ArrayView2};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// Rows of one task.
const ROWS_PER_TASK: usize = 4_096;
/// The largest byte.
const LARGEST: f32 = 127.0;
/// What rounding of sums of products of unit vectors in f32 may add to a bound.
const ROUNDING: f32 = 1e-5;

/// A vector that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// Its row.
    pub row: usize,
    /// Its cosine with the query.
    pub cosine: f32,
}

/// Why vectors cannot be searched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NearestError {
    /// A vector without a direction.
    #[error("vector {row} has no direction: all of its numbers are 0, or one is not finite (leave it out)")]
    NoDirection {
        /// Its row.
        row: usize,
    },
    /// A query of another width.
    #[error("the query has {got} numbers, expected {expected} as in the index (embed it by the model of the index)")]
    Width {
        /// Numbers of the query.
        got: usize,
        /// Numbers of a vector.
        expected: usize,
    },
}

/// Vectors that can be searched.
#[derive(Clone, Debug)]
pub struct Nearest {
    /// Each of length 1.
    vectors: Array2<f32>,
    /// The same in bytes, row by row.
    bytes: Vec<i8>,
    /// What a byte of each row is worth.
    scales: Vec<f32>,
    /// The length of what each row lost.
    losses: Vec<f32>,
}

impl Nearest {
    /// Prepares `vectors` (n × width), which are scaled to length 1.
    ///
    /// # Errors
    /// [`NearestError::NoDirection`].
    pub fn new(mut vectors: Array2<f32>) -> Result<Self, NearestError> {
        for (row, mut vector) in vectors.outer_iter_mut().enumerate() {
            let length = length(vector.view());
            if !(length.is_finite() && length > 0.0) {
                return Err(NearestError::NoDirection { row });
            }
            vector.mapv_inplace(|value| (f64::from(value) / length) as f32);
        }
        let vectors = vectors.as_standard_layout().into_owned();
        let coarse: Vec<(Vec<i8>, f32, f32)> =
            vectors.outer_iter().into_par_iter().map(|vector| in_bytes(vector)).collect();
        let mut made = Self { bytes: Vec::new(), scales: Vec::new(), losses: Vec::new(), vectors };
        made.bytes.reserve_exact(made.vectors.len());
        for (bytes, scale, loss) in coarse {
            made.bytes.extend(bytes);
            made.scales.push(scale);
            made.losses.push(loss);
        }
        Ok(made)
    }

    /// How many vectors there are.
    pub fn len(&self) -> usize {
        self.vectors.nrows()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The vectors, each of length 1.
    pub fn vectors(&self) -> ArrayView2<'_, f32> {
        self.vectors.view()
    }

    /// The `k` nearest vectors to `query` that `may_be` allows, the nearest first; of equally near ones the first row.
    ///
    /// # Errors
    /// [`NearestError::Width`]; [`NearestError::NoDirection`] for a query without one, by the row number of the index's end.
    pub fn search(
        &self,
        query: ArrayView1<'_, f32>,
        k: usize,
        may_be: impl Fn(usize) -> bool + Sync,
    ) -> Result<Vec<Found>, NearestError> {
        let query = self.unit(query)?;
        let width = self.vectors.ncols();
        let (bytes, scale, loss) = in_bytes(query.view());
        let query_bytes: Vec<i16> = bytes.into_iter().map(i16::from).collect();
        let tasks = self.bytes.par_chunks(ROWS_PER_TASK * width.max(1)).enumerate();
        // Lower and upper bounds of the cosine of each row.
        let bounds: Vec<Vec<(usize, f32, f32)>> = tasks
            .map(|(task, part)| {
                let products = pulp::Arch::new().dispatch(Products { rows: part, query: &query_bytes });
                let bound = |(place, product): (usize, i32)| {
                    let number = task * ROWS_PER_TASK + place;
                    let near = self.scales[number] * scale * product as f32;
                    // |x·y − (x − e)·(y − f)| ≤ |x||f| + |e||y| + |e||f|, and x and y have length 1.
                    let apart = loss + self.losses[number] * (1.0 + loss) + ROUNDING;
                    (number, near - apart, near + apart)
                };
                let all = products.into_iter().enumerate().map(bound).filter(|(row, ..)| may_be(*row));
                most_likely(all.collect(), k)
            })
            .collect();
        let candidates = most_likely(bounds.into_iter().flatten().collect(), k);
        let rows: Vec<usize> = candidates.into_iter().map(|(row, ..)| row).collect();
        Ok(self.among(&rows, query.view(), k))
    }

    /// The same by the products of the query with every vector: slow, and what [`Nearest::search`] equals.
    ///
    /// # Errors
    /// As [`Nearest::search`].
    pub fn by_comparing_all(
        &self,
        query: ArrayView1<'_, f32>,
        k: usize,
        may_be: impl Fn(usize) -> bool,
    ) -> Result<Vec<Found>, NearestError> {
        let query = self.unit(query)?;
        let rows: Vec<usize> = (0..self.len()).filter(|&row| may_be(row)).collect();
        Ok(self.among(&rows, query.view(), k))
    }

    fn unit(&self, query: ArrayView1<'_, f32>) -> Result<ndarray::Array1<f32>, NearestError> {
        let expected = self.vectors.ncols();
        if query.len() != expected {
            return Err(NearestError::Width { got: query.len(), expected });
        }
        let length = length(query);
        if !(length.is_finite() && length > 0.0) {
            return Err(NearestError::NoDirection { row: self.len() });
        }
        Ok(query.mapv(|value| (f64::from(value) / length) as f32))
    }

    /// The nearest of `rows`.
    fn among(&self, rows: &[usize], query: ArrayView1<'_, f32>, k: usize) -> Vec<Found> {
        let cosine = |row: usize| {
            let sum: f64 = self.vectors.row(row).iter().zip(query).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
            Found { row, cosine: sum as f32 }
        };
        let mut all: Vec<Found> = rows.par_iter().map(|&row| cosine(row)).collect();
        all.sort_by(|a, b| b.cosine.total_cmp(&a.cosine).then(a.row.cmp(&b.row)));
        all.truncate(k);
        all
    }
}

fn length(vector: ArrayView1<'_, f32>) -> f64 {
    vector.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt()
}

/// A vector in bytes, what a byte is worth, and the length of what was lost.
fn in_bytes(vector: ArrayView1<'_, f32>) -> (Vec<i8>, f32, f32) {
    let largest = vector.iter().fold(0.0f32, |most, value| most.max(value.abs()));
    let scale = if largest > 0.0 { largest / LARGEST } else { 1.0 };
    let bytes: Vec<i8> = vector.iter().map(|value| (value / scale).round() as i8).collect();
    let lost = vector.iter().zip(&bytes).map(|(&value, &byte)| f64::from(value - scale * f32::from(byte)).powi(2));
    let lost = lost.sum::<f64>().sqrt() as f32;
    (bytes, scale, lost)
}

/// The products of rows of bytes with a query, exact: sums of 2¹⁷ numbers of 2¹⁴ fit. Compiled for the widest vectors of the processor.
struct Products<'a> {
    rows: &'a [i8],
    query: &'a [i16],
}

impl WithSimd for Products<'_> {
    type Output = Vec<i32>;

    // Must be inlined where the widest vector instructions are allowed.
    #[inline(always)]
    #[allow(clippy::inline_always)]
    fn with_simd<S: Simd>(self, _: S) -> Vec<i32> {
        let mut out = Vec::with_capacity(self.rows.len() / self.query.len().max(1));
        for row in self.rows.chunks_exact(self.query.len().max(1)) {
            let mut sum = 0;
            for (&a, &b) in row.iter().zip(self.query) {
                sum += i32::from(i16::from(a)) * i32::from(b);
            }
            out.push(sum);
        }
        out
    }
}

/// Those (row, lower, upper) that may be among the `k` nearest: whose upper bound reaches the k-th largest lower one.
fn most_likely(mut all: Vec<(usize, f32, f32)>, k: usize) -> Vec<(usize, f32, f32)> {
    if k == 0 || all.len() <= k {
        return if k == 0 { Vec::new() } else { all };
    }
    let mut lower: Vec<f32> = all.iter().map(|(_, lower, _)| *lower).collect();
    let (_, kth, _) = lower.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a));
    let kth = *kth;
    all.retain(|(_, _, upper)| *upper >= kth);
    all
}

#[cfg(test)]
mod tests {
    use percept_core::Seed;

    use super::*;

    fn vectors(n: usize, width: usize, clustered: bool) -> Array2<f32> {
        let mut all = Array2::from_shape_vec((n, width), Seed::new(4).normal(n * width)).expect("fits");
        if clustered {
            // All near each other, as embeddings of one kind of thing are.
            let middle = Seed::new(5).normal(width);
            for mut row in all.outer_iter_mut() {
                row.iter_mut().zip(&middle).for_each(|(value, middle)| *value = 0.3 * *value + middle);
            }
        }
        all
    }

    #[test]
    fn a_search_finds_what_comparing_with_all_finds() {
        for clustered in [false, true] {
            let index = Nearest::new(vectors(9_000, 64, clustered)).expect("directions");
            for query in 0..20 {
                let query = ndarray::Array1::from_vec(Seed::new(77).at(query).normal(64));
                for k in [1, 3, 50] {
                    let may_be = |row: usize| row % 7 != 3;
                    let found = index.search(query.view(), k, may_be).expect("fits");
                    assert_eq!(found, index.by_comparing_all(query.view(), k, may_be).expect("fits"));
                    assert!(found.iter().all(|found| found.row % 7 != 3) && found.len() == k);
                }
            }
        }
    }

    #[test]
    fn equal_vectors_are_found_in_their_order() {
        let mut all = vectors(100, 8, false);
        let first = all.row(3).to_owned();
        for row in [50, 20, 99] {
            all.row_mut(row).assign(&first);
        }
        let index = Nearest::new(all).expect("directions");
        let rows: Vec<usize> =
            index.search(first.view(), 4, |_| true).expect("fits").iter().map(|found| found.row).collect();
        assert_eq!(rows, [3, 20, 50, 99]);
    }

    #[test]
    fn what_has_no_direction_is_named() {
        let mut all = vectors(5, 4, false);
        all.row_mut(2).fill(0.0);
        assert_eq!(Nearest::new(all).expect_err("zeros"), NearestError::NoDirection { row: 2 });
        let index = Nearest::new(vectors(5, 4, false)).expect("directions");
        let error = index.search(ndarray::Array1::zeros(3).view(), 1, |_| true).expect_err("narrow");
        assert_eq!(error, NearestError::Width { got: 3, expected: 4 });
        assert!(index.search(ndarray::Array1::zeros(4).view(), 1, |_| true).is_err());
        assert!(index.search(ndarray::Array1::ones(4).view(), 0, |_| true).expect("none").is_empty());
    }
}
