//! CPU kernels: plain functions over `f32` slices, forward and backward, that the tensor operations of `nn` call.
//!
//! Every kernel is deterministic: the order of each sum depends on shapes alone, never on the number of threads.
//! Loops over independent samples go through [`for_each_chunk`], which uses the thread pool unless the caller runs
//! inside [`serial`] (as the shards of a training step do, each on one thread). The kernels know nothing of autograd.

// A function that is not inlined into the loop would be called once per element, and without its vector instructions.
#![allow(clippy::inline_always)]

pub(crate) mod attention;
pub(crate) mod biased;
pub(crate) mod conv;
pub(crate) mod conv1d;
pub(crate) mod conv_shape;
mod direct;
pub(crate) mod few_rows;
pub(crate) mod lstm;
pub(crate) mod matmul;
pub(crate) mod norm;
pub(crate) mod pointwise;
mod toom;
mod winograd;

use std::cell::Cell;

use rayon::prelude::*;

thread_local! {
    static SERIAL: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` with all kernels of this thread single-threaded: parallelism is then the caller's, one level up.
pub(crate) fn serial<T>(work: impl FnOnce() -> T) -> T {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            SERIAL.set(self.0);
        }
    }
    let _restore = Restore(SERIAL.replace(true));
    work()
}

/// Whether kernels on this thread may use the thread pool.
pub(crate) fn is_parallel() -> bool {
    !SERIAL.get() && rayon::current_num_threads() > 1
}

/// Calls `work(index, chunk)` for each chunk of `data`, in parallel where that is allowed.
pub(crate) fn for_each_chunk(data: &mut [f32], chunk: usize, work: impl Fn(usize, &mut [f32]) + Sync + Send) {
    if chunk == 0 {
        return;
    }
    if is_parallel() && data.len() > chunk {
        data.par_chunks_mut(chunk).enumerate().for_each(|(index, part)| serial(|| work(index, part)));
    } else {
        data.chunks_mut(chunk).enumerate().for_each(|(index, part)| work(index, part));
    }
}

/// Calls `work` for each of `parts`, in parallel where that is allowed.
pub(crate) fn for_each_part<T: Send>(parts: Vec<T>, work: impl Fn(T) + Sync + Send) {
    if is_parallel() && parts.len() > 1 {
        parts.into_par_iter().for_each(|part| serial(|| work(part)));
    } else {
        parts.into_iter().for_each(work);
    }
}

thread_local! {
    static SPARE: std::cell::RefCell<Vec<Vec<f32>>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// Memory for values between two steps of a kernel, kept by the thread for the next call and not cleared in between.
pub(crate) struct Scratch(Vec<f32>);

impl Scratch {
    /// Elements of a buffer that is kept: 64 MB; a thread has as many buffers as it had in use at once.
    const LARGEST: usize = 1 << 24;

    pub(crate) fn take() -> Self {
        Self(SPARE.with_borrow_mut(Vec::pop).unwrap_or_default())
    }

    /// `n` elements, of any value.
    pub(crate) fn of_length(&mut self, n: usize) -> &mut [f32] {
        if self.0.len() < n {
            self.0.resize(n, 0.0);
        }
        &mut self.0[..n]
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.0.len() <= Self::LARGEST {
            SPARE.with_borrow_mut(|spare| spare.push(std::mem::take(&mut self.0)));
        }
    }
}

/// The transpose of a row-major matrix of `columns` columns.
pub(crate) fn turn(matrix: &[f32], columns: usize) -> Vec<f32> {
    const SIDE: usize = 16;
    let rows = matrix.len() / columns.max(1);
    let mut out = vec![0.0; matrix.len()];
    for_each_chunk(&mut out, SIDE * rows, |index, out| {
        for first in (0..rows).step_by(SIDE) {
            for (i, to) in out.chunks_exact_mut(rows).enumerate() {
                let from = matrix[first * columns + index * SIDE + i..].iter().step_by(columns);
                for (to, value) in to[first..rows.min(first + SIDE)].iter_mut().zip(from) {
                    *to = *value;
                }
            }
        }
    });
    out
}

/// Evaluates an expression with the widest vector instructions of this processor (AVX-512, AVX2, NEON or the portable
/// baseline).
///
/// A macro, because the closure must be inlined: one that the compiler keeps apart is compiled for the baseline, and runs
/// several times slower without a word.
macro_rules! vectorised {
    ($work:expr) => {
        $crate::nn::kernel::dispatched(
            #[inline(always)]
            || $work,
        )
    };
}
pub(crate) use vectorised;

/// Calls what [`vectorised`] wraps: by reference, since consuming a closure goes through a function of its own.
pub(crate) fn dispatched<R>(work: impl FnMut() -> R) -> R {
    struct Inlined<F>(F);
    impl<R, F: FnMut() -> R> pulp::NullaryFnOnce for Inlined<F> {
        type Output = R;

        #[inline(always)]
        fn call(mut self) -> R {
            (self.0)()
        }
    }
    pulp::Arch::new().dispatch(Inlined(work))
}

/// The sum of `term(a, b)` over two slices of equal length, in sixteen interleaved lanes: an order that vector units keep.
#[inline(always)]
pub(crate) fn sum2(a: &[f32], b: &[f32], term: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0.0f32; 16];
    let (a_chunks, b_chunks) = (a.chunks_exact(16), b.chunks_exact(16));
    let (a_rest, b_rest) = (a_chunks.remainder(), b_chunks.remainder());
    for (a, b) in a_chunks.zip(b_chunks) {
        for i in 0..16 {
            lanes[i] += term(a[i], b[i]);
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(&a, &b)| term(a, b)).sum();
    lanes.iter().sum::<f32>() + rest
}

/// The sum of `term(a)` over a slice, as [`sum2`].
#[inline(always)]
pub(crate) fn sum1(a: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    sum2(a, a, |a, _| term(a))
}
