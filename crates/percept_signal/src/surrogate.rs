//! Signals that share some of a recording's properties and no more: what a finding has to be compared with.

use ndarray::{Array2, ArrayView2, Axis};
use percept_core::Seed;
use percept_core::seed::{Normal, permutation};
use rand::Rng;

use crate::fourier::{Complex, Fourier};

/// Which property is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surrogate {
    /// The power spectrum of every channel and the correlations between channels: the same random phases are added to all
    /// channels (Prichard & Theiler 1994, doi 10.1103/PhysRevLett.73.951).
    Phases,
    /// The values, in another order of time, the same for all channels.
    Shuffled,
    /// Mean and deviation of every channel: white noise.
    White,
}

/// A surrogate of a recording.
///
/// # Shapes
/// n_samples × n_channels, and so is the result.
pub fn surrogate(signal: ArrayView2<'_, f64>, kind: Surrogate, seed: Seed) -> Array2<f64> {
    match kind {
        Surrogate::Phases => phases(signal, seed),
        Surrogate::Shuffled => signal.select(Axis(0), &permutation(seed, signal.nrows())),
        Surrogate::White => {
            let mut normal = Normal::new(seed.stream());
            let noise = Array2::from_shape_simple_fn(signal.raw_dim(), || normal.draw());
            let mean = signal.mean_axis(Axis(0)).unwrap_or_default();
            noise * signal.std_axis(Axis(0), 0.0) + mean
        }
    }
}

fn phases(signal: ArrayView2<'_, f64>, seed: Seed) -> Array2<f64> {
    let n = signal.nrows();
    if n < 3 {
        return signal.to_owned();
    }
    let mut stream = seed.stream();
    // One turn for each pair of frequencies; 0 and half the rate have no phase.
    let turns: Vec<Complex> =
        (1..n.div_ceil(2)).map(|_| Complex::turn(std::f64::consts::TAU * stream.random::<f64>())).collect();
    let fourier = Fourier::new(n);
    let mut out = Array2::zeros(signal.raw_dim());
    for (from, mut to) in signal.columns().into_iter().zip(out.columns_mut()) {
        let mut buffer: Vec<Complex> = from.iter().map(|x| Complex::new(*x, 0.0)).collect();
        fourier.forward(&mut buffer);
        for (i, turn) in turns.iter().enumerate() {
            buffer[i + 1] = buffer[i + 1] * *turn;
            buffer[n - 1 - i] = buffer[n - 1 - i] * turn.conj();
        }
        fourier.backward(&mut buffer);
        to.iter_mut().zip(&buffer).for_each(|(to, from)| *to = from.re / n as f64);
    }
    out
}
