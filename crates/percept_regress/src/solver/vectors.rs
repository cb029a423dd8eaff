//! Loops over vectors of f64 by the widest instructions of the processor.

use std::ops::Range;

use pulp::{Simd, WithSimd};

/// Columns of a matrix read together.
pub(super) const TOGETHER: usize = 4;

/// The products of `x` with two vectors of its length.
pub(super) fn dot2(x: &[f64], with: [&[f64]; 2]) -> [f64; 2] {
    pulp::Arch::new().dispatch(Dot2 { x, with })
}

struct Dot2<'a> {
    x: &'a [f64],
    with: [&'a [f64]; 2],
}

impl WithSimd for Dot2<'_> {
    type Output = [f64; 2];

    // Must be inlined where the widest vector instructions are allowed; so must all below.
    #[inline(always)]
    #[allow(clippy::inline_always)]
    fn with_simd<S: Simd>(self, simd: S) -> [f64; 2] {
        let (x, x_rest) = S::as_simd_f64s(self.x);
        let [(a, a_rest), (b, b_rest)] = self.with.map(|with| S::as_simd_f64s(with));
        let mut sums = [simd.splat_f64s(0.0); 2];
        for ((&x, &a), &b) in x.iter().zip(a).zip(b) {
            sums = [simd.mul_add_f64s(x, a, sums[0]), simd.mul_add_f64s(x, b, sums[1])];
        }
        let mut sums = sums.map(|sum| simd.reduce_sum_f64s(sum));
        for ((x, a), b) in x_rest.iter().zip(a_rest).zip(b_rest) {
            sums = [sums[0] + x * a, sums[1] + x * b];
        }
        sums
    }
}

/// Subtracts two vectors, each times a number, from `from`.
pub(super) fn subtract2(from: &mut [f64], vectors: [&[f64]; 2], times: [f64; 2]) {
    pulp::Arch::new().dispatch(Subtract2 { from, vectors, times });
}

struct Subtract2<'a> {
    from: &'a mut [f64],
    vectors: [&'a [f64]; 2],
    times: [f64; 2],
}

impl WithSimd for Subtract2<'_> {
    type Output = ();

    #[inline(always)]
    #[allow(clippy::inline_always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let [a, b] = self.vectors;
        for ((from, a), b) in self.from.iter_mut().zip(a).zip(b) {
            *from -= a * self.times[0] + b * self.times[1];
        }
    }
}

/// Adds to `out` what the columns `columns` of the lower triangle of a symmetric matrix give in its product with `x`: their own
/// part, and that of the rows they are in the upper triangle. Columns lie `stride` apart in `a`.
pub(super) fn symmetric_product(a: &[f64], stride: usize, columns: Range<usize>, x: &[f64], out: &mut [f64]) {
    pulp::Arch::new().dispatch(SymmetricProduct { a, stride, columns, x, out });
}

struct SymmetricProduct<'a> {
    a: &'a [f64],
    stride: usize,
    columns: Range<usize>,
    x: &'a [f64],
    out: &'a mut [f64],
}

impl WithSimd for SymmetricProduct<'_> {
    type Output = ();

    #[inline(always)]
    #[allow(clippy::inline_always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { a, stride, columns, x, out } = self;
        let n = x.len();
        let column = |j: usize| &a[j * stride..j * stride + n];
        let mut first = columns.start;
        while first + TOGETHER <= columns.end {
            let next = first + TOGETHER;
            for j in first..next {
                out[j] += add_column(column(j), j, next, x, out);
            }
            let below: [&[f64]; TOGETHER] = std::array::from_fn(|j| &column(first + j)[next..]);
            let by = std::array::from_fn(|j| x[first + j]);
            let sums = add_columns(simd, below, by, &x[next..], &mut out[next..]);
            out[first..next].iter_mut().zip(sums).for_each(|(out, sum)| *out += sum);
            first = next;
        }
        for j in first..columns.end {
            out[j] += add_column(column(j), j, n, x, out);
        }
    }
}

/// Adds rows below `j` and above `end` of column `j`, times its entry of `x`, to `out`, and returns the column's product with
/// `x` from its diagonal to there.
#[inline(always)]
#[allow(clippy::inline_always)]
fn add_column(column: &[f64], j: usize, end: usize, x: &[f64], out: &mut [f64]) -> f64 {
    let mut sum = column[j] * x[j];
    for i in j + 1..end {
        out[i] += column[i] * x[j];
        sum += column[i] * x[i];
    }
    sum
}

/// Adds columns, each times its entry of `by`, to `out`, and returns their products with `x`.
#[inline(always)]
#[allow(clippy::inline_always)]
fn add_columns<S: Simd>(
    simd: S,
    columns: [&[f64]; TOGETHER],
    by: [f64; TOGETHER],
    x: &[f64],
    out: &mut [f64],
) -> [f64; TOGETHER] {
    let [a, b, c, d] = columns.map(|column| S::as_simd_f64s(column));
    let (x, x_rest) = S::as_simd_f64s(x);
    let (out, out_rest) = S::as_mut_simd_f64s(out);
    let [by_a, by_b, by_c, by_d] = by.map(|by| simd.splat_f64s(by));
    let zero = simd.splat_f64s(0.0);
    let (mut with_a, mut with_b, mut with_c, mut with_d) = (zero, zero, zero, zero);
    for (((((&x, out), &a), &b), &c), &d) in x.iter().zip(out).zip(a.0).zip(b.0).zip(c.0).zip(d.0) {
        let (ab, cd) = (simd.mul_add_f64s(a, by_a, *out), simd.mul_f64s(c, by_c));
        *out = simd.add_f64s(simd.mul_add_f64s(b, by_b, ab), simd.mul_add_f64s(d, by_d, cd));
        with_a = simd.mul_add_f64s(a, x, with_a);
        with_b = simd.mul_add_f64s(b, x, with_b);
        with_c = simd.mul_add_f64s(c, x, with_c);
        with_d = simd.mul_add_f64s(d, x, with_d);
    }
    let mut sums = [with_a, with_b, with_c, with_d].map(|with| simd.reduce_sum_f64s(with));
    let rest = [a.1, b.1, c.1, d.1];
    for (i, (x, out)) in x_rest.iter().zip(out_rest).enumerate() {
        for ((rest, by), sum) in rest.iter().zip(by).zip(&mut sums) {
            *out += rest[i] * by;
            *sum += rest[i] * x;
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_a_symmetric_product_add_up() {
        let (n, stride) = (29, 31);
        let entry = |i: usize, j: usize| (((i.max(j)) * 5 + i.min(j) * 3) % 13) as f64 - 6.0;
        // What lies above the diagonal must not be read.
        let a: Vec<f64> = (0..n * stride)
            .map(|at| if at % stride < at / stride { f64::NAN } else { entry(at % stride, at / stride) })
            .collect();
        let x: Vec<f64> = (0..n).map(|i| (i % 7) as f64 - 3.0).collect();
        let mut out = vec![0.0; n];
        for columns in [0..8, 8..11, 11..n] {
            symmetric_product(&a, stride, columns, &x, &mut out);
        }
        for (i, out) in out.iter().enumerate() {
            assert_eq!(*out, (0..n).map(|j| entry(i, j) * x[j]).sum::<f64>(), "{i}");
        }
        assert_eq!(dot2(&x, [&out, &x]), [0, 1].map(|k| x.iter().zip([&out, &x][k]).map(|(a, b)| a * b).sum::<f64>()));
    }
}
