//! The product of a few rows with the weights of a linear layer: a text of some words, one step of a language model.
//!
//! It does little more than read the weights. The general product either copies them into the order of its kernel first, which costs as
//! much again, or reads them where they lie in narrow columns, and meets the same few lines of the first cache again and again. Here they
//! are read once for all rows of the input, six rows of theirs side by side along their length.

use pulp::{Arch, Simd, WithSimd};

use super::{Scratch, for_each_chunk, is_parallel};

/// Rows of a sample up to which this way is taken, and how many are multiplied together: their sums stay in the first two caches. It was
/// measured for texts of 12 to 24 tokens; where beyond them the general product is as fast was not.
pub(crate) const MOST_ROWS: usize = 48;
/// Inputs whose weights are in registers together, in so many vectors each: with a sum for each vector and one input no more than the
/// sixteen registers of the smallest processors.
const INPUTS: usize = 6;
const VECTORS: usize = 2;
/// Outputs that a thread takes at a time, at least.
const FEWEST_OUTPUTS: usize = 128;

/// Adds `x w` to `out`.
///
/// # Shapes
/// `x` rows × `inputs`, `w` `inputs` × `outputs`, `out` rows × `outputs`.
pub(crate) fn add_product(x: &[f32], w: &[f32], out: &mut [f32], [inputs, outputs]: [usize; 2]) {
    let rows = x.len() / inputs.max(1);
    if rows == 0 || outputs == 0 {
        return;
    }
    let threads = if is_parallel() { rayon::current_num_threads() } else { 1 };
    let width = outputs.div_ceil(threads).next_multiple_of(FEWEST_OUTPUTS).min(outputs);
    let [mut together, mut sums] = [Scratch::take(), Scratch::take()];
    let together = together.of_length(inputs / INPUTS * INPUTS * rows);
    for (group, to) in together.chunks_exact_mut(INPUTS * rows).enumerate() {
        for (x, to) in x.chunks_exact(inputs).zip(to.as_chunks_mut::<INPUTS>().0) {
            to.copy_from_slice(&x[group * INPUTS..][..INPUTS]);
        }
    }
    let together = &*together;
    let sums = sums.of_length(rows * width * outputs.div_ceil(width));
    let arch = Arch::new();
    for_each_chunk(sums, rows * width, |part, sums| {
        let columns = [part * width, outputs.min((part + 1) * width)];
        arch.dispatch(Part { x, together, w, inputs, outputs, columns, width, sums });
    });
    for (part, sums) in sums.chunks_exact(rows * width).enumerate() {
        let columns = part * width..outputs.min((part + 1) * width);
        for (out, sums) in out.chunks_exact_mut(outputs).zip(sums.chunks_exact(width)) {
            out[columns.clone()].iter_mut().zip(sums).for_each(|(to, sum)| *to += sum);
        }
    }
}

/// Some columns of the weights.
struct Part<'a> {
    x: &'a [f32],
    /// Groups of inputs × rows × `INPUTS`.
    together: &'a [f32],
    w: &'a [f32],
    inputs: usize,
    outputs: usize,
    columns: [usize; 2],
    /// From one row of `sums` to the next.
    width: usize,
    /// Rows × `width`.
    sums: &'a mut [f32],
}

impl WithSimd for Part<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let rows = self.x.len() / self.inputs;
        let [from, to] = self.columns;
        let lanes = VECTORS * S::F32_LANES;
        let n_blocks = (to - from) / lanes;
        // Blocks of columns × rows × vectors.
        let mut own = Scratch::take();
        let own = own.of_length(n_blocks * rows * lanes);
        own.fill(0.0);
        let groups = self.together.chunks_exact(INPUTS * rows);
        for (group, x) in groups.enumerate() {
            let x = x.as_chunks::<INPUTS>().0;
            let weights: [&[f32]; INPUTS] = std::array::from_fn(|input| {
                &self.w[(group * INPUTS + input) * self.outputs + from..][..n_blocks * lanes]
            });
            for (block, sums) in own.chunks_exact_mut(rows * lanes).enumerate() {
                let w: [[S::f32s; VECTORS]; INPUTS] = std::array::from_fn(|input| {
                    let from = S::as_simd_f32s(&weights[input][block * lanes..][..lanes]).0;
                    std::array::from_fn(|vector| from[vector])
                });
                let sums = S::as_mut_simd_f32s(sums).0.as_chunks_mut::<VECTORS>().0;
                for (sums, x) in sums.iter_mut().zip(x) {
                    let mut sum = *sums;
                    for input in 0..INPUTS {
                        let x = simd.splat_f32s(x[input]);
                        for vector in 0..VECTORS {
                            sum[vector] = simd.mul_add_f32s(w[input][vector], x, sum[vector]);
                        }
                    }
                    *sums = sum;
                }
            }
        }
        for (row, to) in self.sums.chunks_exact_mut(self.width).enumerate() {
            for (to, sums) in to.chunks_exact_mut(lanes).zip(own.chunks_exact(rows * lanes)) {
                to.copy_from_slice(&sums[row * lanes..][..lanes]);
            }
        }
        self.rest(n_blocks * lanes);
    }
}

impl Part<'_> {
    /// What is left: columns from `first` on over all inputs, and the last inputs of the others.
    #[inline(always)]
    fn rest(self, first: usize) {
        let [from, to] = self.columns;
        let whole = self.inputs / INPUTS * INPUTS;
        for (x, sums) in self.x.chunks_exact(self.inputs).zip(self.sums.chunks_exact_mut(self.width)) {
            sums[first..].fill(0.0);
            for (input, x) in x.iter().enumerate() {
                let skipped = if input < whole { first } else { 0 };
                let w = &self.w[input * self.outputs + from..][skipped..to - from];
                sums[skipped..].iter_mut().zip(w).for_each(|(to, w)| *to += w * x);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_rows_are_multiplied_as_by_the_definition() {
        let value = |seed: usize| (0..).map(move |i: usize| ((i * 37 + seed * 101) % 17) as f32 / 8.0 - 1.0);
        for [rows, outputs, inputs] in [[1, 1, 1], [2, 6, 16], [3, 7, 33], [24, 300, 40], [5, 130, 19], [48, 257, 8]] {
            let x: Vec<f32> = value(1).take(rows * inputs).collect();
            let w: Vec<f32> = value(2).take(outputs * inputs).collect();
            let mut out = vec![0.5; rows * outputs];
            add_product(&x, &w, &mut out, [inputs, outputs]);
            for row in 0..rows {
                for output in 0..outputs {
                    let sum: f32 = (0..inputs).map(|i| x[row * inputs + i] * w[i * outputs + output]).sum();
                    let found = out[row * outputs + output];
                    assert!((found - 0.5 - sum).abs() < 1e-4, "{rows} {outputs} {inputs}: {found} {sum}");
                }
            }
        }
    }
}
