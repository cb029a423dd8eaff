//! Randomness by name: one seed per run, one independent stream per purpose.
//!
//! A stream is addressed by the names and indices on the way to it (`seed.named("noise").at(image_idx)`), so adding a
//! consumer, changing the batch size or the number of threads never shifts anybody else's numbers. The generator is
//! ChaCha8, whose output is specified and the same on every machine. It does not read the clock or the system's entropy.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// The generator that every random stream in percept uses.
pub type Stream = ChaCha8Rng;

/// A node in the tree of seeds. Copy it freely; drawing happens only on [`Seed::stream`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seed([u8; 32]);

impl Seed {
    /// The root of a run's randomness.
    pub fn new(number: u64) -> Self {
        Self(*blake3::hash(&number.to_le_bytes()).as_bytes())
    }

    /// The child for the purpose `name`.
    pub fn named(&self, name: &str) -> Self {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(b"name:");
        hasher.update(name.as_bytes());
        Self(*hasher.finalize().as_bytes())
    }

    /// The child at position `index` (an image, a step, a voxel).
    pub fn at(&self, index: u64) -> Self {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(b"index:");
        hasher.update(&index.to_le_bytes());
        Self(*hasher.finalize().as_bytes())
    }

    /// A fresh generator at the start of this node's stream.
    pub fn stream(&self) -> Stream {
        ChaCha8Rng::from_seed(self.0)
    }

    /// `n` draws from the standard normal distribution, by the Box–Muller transform in f64.
    pub fn normal(&self, n: usize) -> Vec<f32> {
        let mut normal = Normal::new(self.stream());
        (0..n).map(|_| normal.draw() as f32).collect()
    }
}

/// Standard normal draws from a [`Stream`] (Box–Muller, both values of a pair used).
pub struct Normal {
    stream: Stream,
    spare: Option<f64>,
}

impl Normal {
    /// Draws will continue `stream` from where it is.
    pub fn new(stream: Stream) -> Self {
        Self { stream, spare: None }
    }

    /// The next draw.
    pub fn draw(&mut self) -> f64 {
        use rand::Rng;
        if let Some(value) = self.spare.take() {
            return value;
        }
        // 1 - u lies in (0, 1], so the logarithm is finite.
        let radius = (-2.0 * (1.0 - self.stream.random::<f64>()).ln()).sqrt();
        let angle = std::f64::consts::TAU * self.stream.random::<f64>();
        self.spare = Some(radius * angle.sin());
        radius * angle.cos()
    }
}

/// A permutation of `0..n` (Fisher–Yates).
pub fn permutation(seed: Seed, n: usize) -> Vec<usize> {
    use rand::Rng;
    let mut stream = seed.stream();
    let mut order: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        order.swap(i, stream.random_range(0..=i as u64) as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_differ_by_name_and_index_and_are_stable() {
        let root = Seed::new(7);
        assert_ne!(root.named("a"), root.named("b"));
        assert_ne!(root.at(0), root.at(1));
        assert_eq!(root.named("a").normal(4), root.named("a").normal(4));
    }

    #[test]
    fn normal_draws_have_unit_variance() {
        let x = Seed::new(1).normal(100_000);
        let mean = x.iter().map(|&v| v as f64).sum::<f64>() / x.len() as f64;
        let variance = x.iter().map(|&v| (v as f64 - mean).powi(2)).sum::<f64>() / x.len() as f64;
        assert!(mean.abs() < 0.02, "mean {mean}");
        assert!((variance - 1.0).abs() < 0.02, "variance {variance}");
    }

    #[test]
    fn permutation_holds_every_index_once() {
        let mut p = permutation(Seed::new(3), 100);
        p.sort_unstable();
        assert_eq!(p, (0..100).collect::<Vec<_>>());
    }
}
