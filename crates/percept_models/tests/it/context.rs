//! The Brain-to-Context task against PyTorch: every loss term, and its gradient for every tensor that trains.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor};
use ndarray::Array2;
use percept_models::{
    ModelError,
    context_encoder::ContextEncoderConfig,
    nn::params::Params,
    scheduler::{NoiseSchedule, SchedulerConfig},
    train::{ContextBatch, ContextLosses, ContextTask, Denoiser, Noised, is_cross_key_or_value},
    unet::UnetConfig,
};

use crate::fixture::{GRADIENT, OUTPUT, relative_error, tensors, text, values};

const STEPS: [usize; 3] = [20, 430, 940];

fn rows(tensor: &Tensor, n: usize) -> Array2<f32> {
    let flat = values(tensor).into_iter().map(|value| value as f32).collect::<Vec<_>>();
    Array2::from_shape_vec((n, flat.len() / n), flat).expect("whole rows")
}

pub(crate) fn task(kind: &str, losses: ContextLosses) -> ContextTask<'static> {
    let io = tensors("../context/io.safetensors");
    let unet = tensors("unet_2d_condition/diffusion_pytorch_model.safetensors");
    let mut all: BTreeMap<String, Tensor> =
        io.iter().filter(|(name, _)| name.starts_with("encoder.")).map(|(n, t)| (n.clone(), t.clone())).collect();
    for (name, tensor) in unet {
        all.insert(format!("unet.{name}"), tensor.to_dtype(DType::F32).expect("widened"));
    }
    let params = Params::from_tensors_training(all, "the fixture", |name| {
        name.starts_with("encoder.") || is_cross_key_or_value(name)
    });
    let schedule = format!(
        r#"{{"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000,
             "prediction_type": "{kind}", "clip_sample": false, "_class_name": "DDIMScheduler"}}"#
    );
    let denoiser = Denoiser {
        config: UnetConfig::parse(&text("unet_2d_condition/config.json")).expect("the fixture's config"),
        schedule: NoiseSchedule::new(SchedulerConfig::parse(&schedule).expect("a plain schedule")),
        latent_shape: [4, 8, 8],
        empty_context: values(&io["empty"]).into_iter().map(|value| value as f32).collect(),
    };
    let config = ContextEncoderConfig::parse(&text("../context/config.json")).expect("the fixture's config");
    ContextTask::new(params, config, denoiser, losses, (1, 1.0), |_, _| Ok(batch())).expect("the fixture fits")
}

fn batch() -> ContextBatch {
    let io = tensors("../context/io.safetensors");
    ContextBatch {
        inputs: rows(&io["inputs"], 3),
        latents: rows(&io["latents"], 3),
        contexts: rows(&io["contexts"], 3),
        unconditional: vec![false, false, true],
    }
}

fn noised() -> Vec<Noised> {
    let noise = rows(&tensors("../context/io.safetensors")["noise"], 3);
    STEPS.iter().zip(noise.rows()).map(|(&step, row)| Noised { noise: row.to_vec(), step }).collect()
}

/// The losses with this term alone.
fn only(name: &str, min_snr: f64) -> ContextLosses {
    let mut losses = ContextLosses { latent_range: 4.0, temperature: 0.1, min_snr, ..ContextLosses::default() };
    let weight = match name {
        "epsilon" => &mut losses.epsilon,
        "velocity" => &mut losses.velocity,
        "x0_mse" => &mut losses.x0_mse,
        "x0_cosine" => &mut losses.x0_cosine,
        "x0_ssim" => &mut losses.x0_ssim,
        "clip_mse" => &mut losses.clip_mse,
        "clip_cosine" => &mut losses.clip_cosine,
        "contrastive" => &mut losses.contrastive,
        other => panic!("no term `{other}`"),
    };
    *weight = 1.0;
    losses
}

#[test]
pub(crate) fn every_term_and_its_gradients_are_those_of_pytorch() {
    for kind in ["epsilon", "v_prediction"] {
        let facts: serde_json::Value = serde_json::from_str(&text(&format!("../context/{kind}.json"))).expect("JSON");
        let gradients = tensors(&format!("../context/{kind}.safetensors"));
        let order: Vec<&str> =
            facts["order"].as_array().expect("a list").iter().map(|name| name.as_str().expect("a name")).collect();
        let terms = facts["terms"].as_object().expect("an object");
        assert_eq!(terms.len(), 8);
        for (name, value) in terms {
            let task = task(kind, only(name, facts["min_snr"].as_f64().expect("a number")));
            let loss = task.loss(&batch(), &noised(), None, 0).expect("a loss");
            let truth = value.as_f64().expect("a number");
            assert!((loss.terms[0].1 - truth).abs() <= OUTPUT * truth.abs(), "{kind} {name}: {}", loss.terms[0].1);
            let store = loss.total.backward().expect("gradients");
            let vars = percept_models::train::Task::params(&task).vars();
            assert_eq!(vars.len(), order.len(), "what trains");
            let all = values(&gradients[name]);
            let largest = all.iter().fold(0.0, |max: f64, g| max.max(g.abs()));
            let mut start = 0;
            for &tensor in &order {
                let var = vars[tensor].as_tensor();
                let truth = &all[start..start + var.elem_count()];
                start += var.elem_count();
                let ours = store.get(var).map_or_else(|| vec![0.0; truth.len()], values);
                // Some are zero in exact arithmetic (the bias of an attention's keys) and hold nothing but rounding.
                let mut scaled: Vec<f64> = truth.to_vec();
                let mut found = ours.clone();
                scaled.push(1e-3 * largest);
                found.push(1e-3 * largest);
                let error = relative_error(&found, &scaled);
                assert!(error <= GRADIENT, "{kind} {name} {tensor}: {error:e}");
            }
        }
    }
}

#[test]
fn a_term_that_is_no_number_is_named_with_its_step() {
    let task = task("epsilon", ContextLosses { epsilon: 1.0, clip_mse: 1.0, ..ContextLosses::default() });
    let mut broken = batch();
    broken.latents[(1, 5)] = f32::NAN;
    let error = task.loss(&broken, &noised(), None, 17).err().expect("a latent is no number");
    assert!(matches!(&error, ModelError::NotFinite { what, step: 17 } if what.contains("`epsilon`")), "{error}");
}
