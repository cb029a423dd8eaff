//! The baseline that every reconstruction must be compared with: ridge from the units of `z` straight to pixels.
//!
//! Pictures are averaged down to at most `baselines.pixel_size` pixels a side, gray if all of them are. What is predicted is
//! brought to the size of the others for scoring.

use std::sync::Arc;

use percept_core::outcome::Role;
use percept_pipeline::experiment::Experiment;
use percept_pipeline::generation::EnlargePixels;
use percept_pipeline::spaces::Pixels;
use percept_pipeline::{Inputs, PipelineError};

use crate::bench::Bench;
use crate::system::{Candidate, Entry, System};

/// The baseline.
pub struct PixelRidge;

impl System for PixelRidge {
    fn takes_part(&self, experiment: &Experiment) -> bool {
        experiment.baselines.pixel_ridge
    }

    fn join<'a>(&self, bench: &Bench<'a>) -> Result<Box<dyn Entry + 'a>, PipelineError> {
        let pixels = Pixels::of(bench.data, bench.experiment.baselines.pixel_size)?;
        let [height, width, _] = pixels.shape();
        let predictions = bench.decode(&pixels, bench.experiment.decode.z_region)?;
        let text = format!("ridge straight to {height} × {width} pixels, no model");
        let generator = Arc::new(EnlargePixels::new(pixels.shape(), bench.model.image_size()));
        let inputs = Inputs::none().with(Pixels::NAME, predictions.items);
        let arm = bench.arm("pixel_ridge", Role::Baseline, ["ridge on raw pixels", &text], inputs, generator)?;
        Ok(Box::new(Baseline(Candidate { arm, strength: 0, mean: None, oracle: None })))
    }
}

struct Baseline(Candidate);

impl Entry for Baseline {
    fn candidates(&self) -> Vec<Candidate> {
        vec![self.0.clone()]
    }
}
