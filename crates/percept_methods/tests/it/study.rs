//! A small study in files: pictures of coloured bars, responses that are linear in them plus noise, as any lab would store it.

use std::path::Path;
use std::sync::Arc;

use ndarray::{Array2, Array4};
use percept_core::Outcome;
use percept_core::{Seed, Silent};
use percept_methods::Registry;
use percept_methods::reconstruct::reconstruct;
use percept_methods::{Experiment, PipelineError, RunFolder, experiment};
use percept_pipeline::data;

use crate::double::{COLOURS, Double, SIDE};

pub(crate) const N_UNITS: usize = 60;
pub(crate) const N_TRAIN: usize = 40;
pub(crate) const N_TEST: usize = 12;
pub(crate) const N_REPEATS: usize = 3;

/// The picture of stimulus `stimulus`: a bar of its colour at its place on gray; no two are equal.
fn picture(stimulus: usize) -> (Array2<f32>, [f32; 3]) {
    let (_, colour) = COLOURS[stimulus % 4];
    let (start, width) = ((stimulus / 4 * 5) % 11, 4 + stimulus / 20);
    let mask = Array2::from_shape_fn((SIDE, SIDE), |(y, x)| {
        let along = if stimulus.is_multiple_of(3) { y } else { x };
        if (start..start + width).contains(&along) { 1.0 } else { 0.0 }
    });
    (mask, colour)
}

/// Writes `train.npy`, `test.npy`, their pictures and stimulus numbers, and `captions.json` to `folder`.
pub(crate) fn write(folder: &Path) {
    let shown = |first: usize, n: usize| {
        Array4::from_shape_fn((n * N_REPEATS, SIDE, SIDE, 3), |(sample, y, x, channel)| {
            let (mask, colour) = picture(first + sample % n);
            let value = 0.4 + mask[(y, x)] * (colour[channel] - 0.4);
            (value * 255.0).round()
        })
    };
    let weights = Array2::from_shape_vec((SIDE * SIDE * 3, N_UNITS), Seed::new(5).normal(SIDE * SIDE * 3 * N_UNITS))
        .expect("as many as drawn");
    for (name, first, n) in [("train", 0, N_TRAIN), ("test", N_TRAIN, N_TEST)] {
        let pictures = shown(first, n);
        let rows = pictures.to_shape((n * N_REPEATS, SIDE * SIDE * 3)).expect("same length").mapv(|v| v / 255.0 - 0.4);
        let mut responses = rows.dot(&weights) / 8.0;
        let noise = Seed::new(6).named(name).normal(responses.len());
        responses.iter_mut().zip(noise).for_each(|(value, noise)| *value += 0.5 * noise);
        let save = |file: &str, array: ndarray::ArrayViewD<'_, f32>| {
            percept_io::npy::write(folder.join(format!("{name}{file}.npy")), array).expect("write");
        };
        save("", responses.view().into_dyn());
        save("_pictures", pictures.view().into_dyn());
        let ids: ndarray::Array1<f32> = (0..n * N_REPEATS).map(|sample| (first + sample % n) as f32).collect();
        save("_ids", ids.view().into_dyn());
    }
    let captions: Vec<Vec<String>> = [(0, N_TRAIN), (N_TRAIN, N_TEST)]
        .iter()
        .flat_map(|&(first, n)| (0..n * N_REPEATS).map(move |sample| first + sample % n))
        .map(|stimulus| {
            let name = COLOURS[stimulus % 4].0;
            vec![format!("a {name} bar"), format!("a bar that is {name}")]
        })
        .collect();
    let text = serde_json::to_string(&captions).expect("plain text");
    std::fs::write(folder.join("captions.json"), text).expect("write");
}

pub(crate) const EXPERIMENT: &str = r#"
name = "bars"
seed = 3

[data]
kind = "arrays"
responses = "train.npy"
stimuli = "train_pictures.npy"
test_responses = "test.npy"
test_stimuli = "test_pictures.npy"
stimulus_ids = "train_ids.npy"
test_stimulus_ids = "test_ids.npy"
image_shape = [16, 16, 3]
value_range = [0, 255]
captions = "captions.json"

[decode]
alphas = [1, 10, 100, 1000]

[generate]
batch = 5
samples = 2
strength = 0.5

[evaluate]
draws = 200

[controls]
true_c = true

[baselines]
pixel_ridge = true
pixel_size = 8
"#;

/// The experiment on the data in `folder`, with overrides.
pub(crate) fn experiment(folder: &Path, overrides: &[&str]) -> Experiment {
    let overrides: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
    experiment::parse(EXPERIMENT, &folder.join("bars.toml"), &overrides).expect("a valid experiment")
}

/// Runs `experiment` in `out` with the closed-form model.
pub(crate) fn run(experiment: &Experiment, out: &Path, stop_after: Option<usize>) -> Result<Outcome, PipelineError> {
    let run = RunFolder::open(out, stop_after)?;
    let dataset = data::open(experiment, &run, &Silent)?;
    reconstruct(experiment, &Registry::default(), &dataset, Arc::new(Double), &run, &Silent)
}
