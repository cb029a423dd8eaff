//! What a GPU runs, on the CPU: models whose operations are composed of the tensor library's own, against PyTorch as the
//! kernels are (the same checks, the same tolerances), and a whole training step against the kernels.

use std::{fs, path::Path};

use percept_core::Seed;
use percept_models::{
    device::composed,
    train::{AdamW, ContextLosses, Optimiser, Task},
};

use crate::{
    context, film,
    fixture::{relative_error, values},
    frozen, language, pack, parity, tiny, unets, vit,
};

/// What two ways to round may differ by in a gradient, through a whole U-Net and back.
const GRADIENT: f64 = 1e-4;
/// AdamW divides gradients by their own size, so that small ones with large relative errors move weights as far as others.
const MOVED: f64 = 1e-3;

#[test]
fn autoencoders() {
    composed(|| {
        parity::autoencoder("autoencoder_kl");
        parity::autoencoder("autoencoder_kl_plain");
        tiny::a_tiny_autoencoder_equals_diffusers();
    });
}

#[test]
fn unets_of_stable_diffusion() {
    composed(|| {
        parity::unet("unet_2d_condition");
        parity::unet("unet_2d_condition_linear");
    });
}

#[test]
fn clip() {
    composed(|| {
        parity::clip_text();
        parity::clip_text_with_projection();
        parity::clip_vision();
    });
}

#[test]
fn language_models() {
    composed(|| ["bert", "gpt2", "opt", "opt_narrow", "llama", "llama_biased"].map(language::check));
}

#[test]
fn pictures_from_texts() {
    composed(pack::texts_become_the_pictures_of_the_reference_pipeline);
}

#[test]
fn films() {
    composed(|| {
        film::frames_look_at_the_first_and_the_previous_as_in_pytorch();
        film::films_are_those_of_the_animatediff_pipelines();
        film::long_films_are_blended_from_windows_at_every_step();
    });
}

#[test]
fn classes_of_pictures_and_films() {
    composed(|| {
        vit::a_vision_transformer_is_that_of_transformers();
        vit::classes_of_pictures_are_those_of_transformers();
        vit::a_video_transformer_is_that_of_transformers();
        vit::classes_of_films_are_those_of_transformers();
    });
}

#[test]
fn steps_that_train_keys_and_values_with_and_without_checkpoints() {
    composed(frozen::only_keys_values_and_context_move_as_in_pytorch);
}

#[test]
fn terms_of_brain_to_context() {
    composed(context::every_term_and_its_gradients_are_those_of_pytorch);
}

#[test]
fn a_step_of_brain_to_context_moves_weights_as_the_kernels_do() {
    let losses = ContextLosses {
        epsilon: 1.0,
        velocity: 1.0,
        x0_mse: 0.5,
        x0_cosine: 0.1,
        x0_ssim: 0.1,
        latent_range: 4.0,
        clip_mse: 1.0,
        clip_cosine: 1.0,
        contrastive: 0.2,
        temperature: 0.1,
        min_snr: 5.0,
    };
    for checkpoints in [false, true] {
        let step = || {
            let task = context::task("epsilon", losses).with_checkpoints(checkpoints);
            let before = task.params().vars().into_iter().map(|(name, var)| (name, values(&var))).collect::<Vec<_>>();
            let gradients = task.gradients(3, Seed::new(8)).expect("gradients of all that trains");
            let mut optimiser = Optimiser::new(task.params(), AdamW::default()).expect("an optimiser");
            optimiser.update(&gradients, 1e-3).expect("a step");
            let after = optimiser.weights().expect("weights");
            (before, gradients, after)
        };
        let (before, truth, truths) = step();
        let (_, ours, moved) = composed(step);
        assert!((ours.loss - truth.loss).abs() <= 1e-5 * truth.loss.abs(), "loss {} and {}", ours.loss, truth.loss);
        let wide = |g: Option<&[f32]>| g.expect("a gradient").iter().map(|&g| f64::from(g)).collect::<Vec<_>>();
        let largest = before
            .iter()
            .flat_map(|(name, _)| wide(truth.get(name)))
            .fold(0.0, |max: f64, gradient| max.max(gradient.abs()));
        for (name, old) in &before {
            // Some are zero in exact arithmetic (the bias of an attention's keys) and hold nothing but rounding.
            let with_scale = |mut values: Vec<f64>| {
                values.push(1e-3 * largest);
                values
            };
            let error = relative_error(&with_scale(wide(ours.get(name))), &with_scale(wide(truth.get(name))));
            assert!(error <= GRADIENT, "checkpoints {checkpoints}: gradient of `{name}` is off by {error:.1e}");
            if wide(truth.get(name)).iter().all(|gradient| gradient.abs() > 1e-3 * largest) {
                let step = |new: &[f64]| new.iter().zip(old).map(|(a, b)| a - b).collect::<Vec<_>>();
                let error = relative_error(&step(&values(&moved[name])), &step(&values(&truths[name])));
                assert!(error <= MOVED, "checkpoints {checkpoints}: `{name}` moved wrongly by {error:.1e}");
            }
        }
    }
}

#[test]
fn other_families_of_unets() {
    composed(|| {
        unets::guidance_as_an_input_of_a_consistency_model();
        unets::a_vector_and_no_context_for_music();
        unets::deep_transformers_a_projected_vector_and_a_middle_without_attention();
    });
}

#[test]
fn only_the_choice_files_and_tables_of_words_name_the_cpu() {
    fn visit(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).expect("a readable folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                visit(&path, found);
            } else if !path.ends_with("tests.rs") {
                let text = fs::read_to_string(&path).expect("a source file");
                let code = text.split("#[cfg(test)]").next().unwrap_or_default();
                if code.contains("Device::Cpu") {
                    found.push(path.file_name().expect("a name").to_string_lossy().into_owned());
                }
            }
        }
    }
    let mut found = Vec::new();
    visit(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found.sort();
    assert_eq!(
        found,
        ["device.rs", "probe.rs", "weights.rs"],
        "make tensors on the device of a model or tensor at hand"
    );
}
