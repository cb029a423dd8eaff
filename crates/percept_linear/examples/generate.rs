//! Writes a regression problem of any size to disk, a few rows at a time, for `percept fit`.
//!
//! `cargo run --release -p percept_linear --example generate -- DIR n_images n_samples n_features n_targets [repeated]`
//!
//! Samples are repeats of images (three of the most, then fewer), targets a sparse mixture of features with very different
//! signal; with `repeated` they are the same in all repeats of an image, as its features are. `DIR` gets `x.npy`, `y.npy` and
//! `groups.npy` (the image of each sample). The size of the Natural Scenes Dataset is `8859 24980 15724 173568`: 17 GB of targets.

#![allow(clippy::print_stdout)]

use std::path::PathBuf;

use ndarray::{Array1, Array2};
use percept_core::Seed;
use percept_io::npy;
use percept_io::number::Number;
use percept_io::pieces::Pieces;
use rayon::prelude::*;

const ROWS: usize = 256;
/// Features that a target hangs on.
const PARTS: usize = 8;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let repeated = words.last().is_some_and(|word| word == "repeated");
    let sizes = words.iter().skip(1).filter(|word| *word != "repeated");
    let sizes: Vec<usize> = sizes.map(|word| word.parse()).collect::<Result<_, _>>()?;
    let [n_images, n_samples, n_features, n_targets] = sizes[..] else {
        println!("usage: generate DIR n_images n_samples n_features n_targets [repeated]");
        return Ok(());
    };
    let folder = PathBuf::from(&words[0]);
    std::fs::create_dir_all(&folder)?;
    let seed = Seed::new(1);
    let groups = Array1::from_iter((0..n_samples).map(|sample| (sample % n_images) as i64));
    npy::write(folder.join("groups.npy"), groups.view().into_dyn())?;
    let (x, _) = Pieces::npy(folder.join("x.npy"), Number::F32, &[n_samples, n_features], false)?;
    let (y, _) = Pieces::npy(folder.join("y.npy"), Number::F32, &[n_samples, n_targets], false)?;
    for first in (0..n_samples).step_by(ROWS) {
        let count = ROWS.min(n_samples - first);
        let (features, targets): (Vec<Vec<f32>>, Vec<Vec<f32>>) = (first..first + count)
            .into_par_iter()
            .map(|sample| {
                // Repeats of an image share half of their variance.
                let image = seed.named("image").at((sample % n_images) as u64).normal(n_features);
                let own = seed.named("trial").at(sample as u64).normal(n_features);
                let features: Vec<f32> = image.iter().zip(&own).map(|(a, b)| a + b).collect();
                let drawn = if repeated { sample % n_images } else { sample };
                let mut targets = seed.named("noise").at(drawn as u64).normal(n_targets);
                for (target, value) in targets.iter_mut().enumerate() {
                    let gain = 10f32.powf(-1.5 + 2.0 * (target % 97) as f32 / 97.0);
                    let sum: f32 = (0..PARTS).map(|part| image[(target * 31 + part * 7919) % n_features]).sum();
                    *value += gain * sum;
                }
                (features, targets)
            })
            .unzip();
        let features = Array2::from_shape_vec((count, n_features), features.concat())?;
        let targets = Array2::from_shape_vec((count, n_targets), targets.concat())?;
        x.put_block("array", first, 0..n_features, features.view())?;
        y.put_block("array", first, 0..n_targets, targets.view())?;
    }
    x.finish()?;
    y.finish()?;
    println!(
        "{n_samples} samples of {n_images} images, {n_features} features, {n_targets} targets in {}",
        folder.display()
    );
    Ok(())
}
