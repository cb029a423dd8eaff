//! Noise schedules and DDIM against diffusers: visited steps, noising, whole trajectories.

use candle_core::{Device, Tensor};
use percept_models::scheduler::{Ddim, NoiseSchedule, SchedulerConfig};

use crate::fixture::{relative_error, tensors, text, values};

/// The reference keeps its schedule in f32, ours is f64; a thousand factors are multiplied up.
const TOLERANCE: f64 = 1e-5;
/// Where the clean sample is predicted, noise is (sample − signal · clean) / √(1 − ᾱ), and at the last steps of the cosine
/// schedule the reference's 1 − ᾱ is what f32 leaves of a difference of 1e-4.
const TOLERANCE_CLEAN: f64 = 5e-5;

fn schedule(name: &str) -> NoiseSchedule {
    let text = text(&format!("ddim/{name}/scheduler_config.json"));
    NoiseSchedule::new(SchedulerConfig::parse(&text).expect("the config is supported"))
}

/// The formula that stands in for a network when the trajectories are made.
fn fake_model(sample: &Tensor, step: usize) -> Tensor {
    let step = step as f64;
    let scaled = (sample * (0.1 * step.cos())).expect("a tensor can be scaled");
    (scaled + 0.3 * (0.01 * step).sin()).expect("a tensor can be shifted")
}

fn agrees(name: &str, tolerance: f64) {
    let io = tensors(&format!("ddim/{name}/io.safetensors"));
    let schedule = schedule(name);

    let alphas = values(&io["alphas_cumprod"]);
    let ours: Vec<f64> = (0..alphas.len()).map(|i| schedule.alpha_cumprod(25 * i)).collect();
    let error = relative_error(&ours, &alphas);
    assert!(error <= tolerance, "{name}: signal is off by {error:.1e}");

    for (key, tensor) in &io {
        let Some(n) = key.strip_prefix("timesteps.") else { continue };
        let n_steps = n.parse().expect("a key ends in the number of steps");
        let ddim = Ddim::new(schedule.clone(), n_steps).expect("the number of steps is valid");
        let ours: Vec<f64> = ddim.steps().iter().map(|&step| step as f64).collect();
        assert_eq!(ours, values(tensor), "{name}: the steps of a run of {n}");
    }

    let (start, noise) = (values(&io["start"]), values(&io["noise"]));
    let half = start.len() / 2;
    let steps = values(&io["noised_at"]);
    let noised: Vec<f64> = start
        .iter()
        .zip(&noise)
        .enumerate()
        .map(|(i, (clean, noise))| {
            let (signal, amount) = schedule.mix(steps[i / half] as usize);
            signal * clean + amount * noise
        })
        .collect();
    let error = relative_error(&noised, &values(&io["noised"]));
    assert!(error <= tolerance, "{name}: noising is off by {error:.1e}");

    for n_steps in [7, 20] {
        let truth = &io[&format!("trajectory.{n_steps}")];
        let ddim = Ddim::new(schedule.clone(), n_steps).expect("the number of steps is valid");
        let mut sample = io["start"].to_device(&Device::Cpu).expect("a tensor can be copied");
        for (i, &step) in ddim.steps().iter().enumerate() {
            sample = ddim.step(&fake_model(&sample, step), step, &sample).expect("a step runs");
            let error = relative_error(&values(&sample), &values(&truth.get(i + 1).expect("one state per step")));
            assert!(error <= tolerance, "{name}: state {i} of {n_steps} (step {step}) is off by {error:.1e}");
        }
    }
}

#[test]
fn stable_diffusion_1_from_the_config_of_another_sampler() {
    agrees("sd1", TOLERANCE);
}

#[test]
fn velocity_with_trailing_steps_and_zero_terminal_signal() {
    agrees("v_trailing_zero_snr", TOLERANCE);
}

#[test]
fn linspace_with_clipped_clean_samples() {
    agrees("linspace_clipped", TOLERANCE);
}

#[test]
fn clean_sample_prediction_on_the_cosine_schedule() {
    agrees("cosine_sample", TOLERANCE_CLEAN);
}

#[test]
fn a_strength_keeps_the_last_steps() {
    let ddim = Ddim::new(schedule("sd1"), 20).expect("the number of steps is valid");
    assert_eq!(ddim.steps_from(0.75), &ddim.steps()[5..]);
    assert_eq!(ddim.steps_from(1.0), ddim.steps());
    assert!(ddim.steps_from(0.0).is_empty());
}

#[test]
fn settings_that_change_the_schedule_unknown_to_us_are_refused() {
    for (key, value) in [
        ("thresholding", "true"),
        ("trained_betas", "[0.1, 0.2]"),
        ("beta_schedule", "\"sigmoid\""),
        ("timestep_spacing", "\"karras\""),
        ("num_train_timesteps", "1"),
    ] {
        let text = format!("{{\"_class_name\": \"DDIMScheduler\", \"{key}\": {value}}}");
        let error = SchedulerConfig::parse(&text).expect_err(key).to_string();
        assert!(error.contains("scheduler") && error.contains("support"), "{key}: {error}");
    }
}

#[test]
fn a_run_has_at_least_one_and_at_most_all_steps() {
    for n in [0, 1001] {
        let error = Ddim::new(schedule("sd1"), n).expect_err("too few or too many steps").to_string();
        assert!(error.contains("1 to 1000"), "{error}");
    }
}
