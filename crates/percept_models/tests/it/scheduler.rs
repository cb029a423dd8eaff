//! Noise schedules and samplers against diffusers: visited steps, noising, whole trajectories.

use candle_core::{Device, Tensor};
use percept_models::scheduler::{History, NoiseSchedule, Sampler, SamplerKind, SchedulerConfig};

use crate::fixture::{folder, relative_error, tensors, text, values};

/// The reference's β are f32, ours f64; a thousand factors are multiplied up.
const TOLERANCE: f64 = 1e-5;

fn schedule(name: &str) -> NoiseSchedule {
    let text = text(&format!("ddim/{name}/scheduler_config.json"));
    NoiseSchedule::new(SchedulerConfig::parse(&text).expect("the config is supported"))
}

/// The formula that stands in for a network when the trajectories are made.
fn fake_model(sample: &Tensor, step: f64) -> Tensor {
    let scaled = (sample * (0.1 * step.cos())).expect("a tensor can be scaled");
    (scaled + 0.3 * (0.01 * step).sin()).expect("a tensor can be shifted")
}

fn agrees(name: &str) {
    let io = tensors(&format!("ddim/{name}/io.safetensors"));
    let schedule = schedule(name);

    let alphas = values(&io["alphas_cumprod"]);
    let ours: Vec<f64> = (0..alphas.len()).map(|i| schedule.alpha_cumprod(25 * i)).collect();
    let error = relative_error(&ours, &alphas);
    assert!(error <= TOLERANCE, "{name}: signal is off by {error:.1e}");

    for (key, tensor) in &io {
        let Some(n) = key.strip_prefix("timesteps.") else { continue };
        let n_steps = n.parse().expect("a key ends in the number of steps");
        let sampler = Sampler::new(schedule.clone(), n_steps).expect("the number of steps is valid");
        assert_eq!(sampler.steps(), values(tensor), "{name}: the steps of a run of {n}");
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
    assert!(error <= TOLERANCE, "{name}: noising is off by {error:.1e}");

    for n_steps in [7, 20] {
        let sampler = Sampler::new(schedule.clone(), n_steps).expect("the number of steps is valid");
        follows(name, &sampler, &io["start"], &io[&format!("trajectory.{n_steps}")], None);
    }
}

/// Runs all steps from `start` and compares every state with the reference's, whose first is the start.
fn follows(name: &str, sampler: &Sampler, start: &Tensor, truth: &Tensor, noise: Option<&Tensor>) {
    let n = sampler.steps().len();
    let mut sample = start.to_device(&Device::Cpu).expect("a tensor can be copied");
    let (mut history, mut drawn) = (History::default(), 0);
    for (i, &step) in sampler.steps().iter().enumerate() {
        let input = (&sample * sampler.input_scale(i)).expect("a tensor can be scaled");
        let output = fake_model(&input, step);
        let fresh = noise.filter(|_| sampler.draws_noise(i)).map(|noise| {
            drawn += 1;
            noise.get(drawn - 1).expect("the reference drew as often")
        });
        sample = sampler.step(i, &output, &sample, fresh.as_ref(), &mut history).expect("a step runs");
        let error = relative_error(&values(&sample), &values(&truth.get(i + 1).expect("one state per step")));
        assert!(error <= TOLERANCE, "{name}: state {i} of {n} (step {step}) is off by {error:.1e}");
    }
}

/// A sampler of `samplers/`, over 1, 4 and 20 steps.
fn sampler_agrees(name: &str) {
    let io = tensors(&format!("samplers/{name}/io.safetensors"));
    let text = text(&format!("samplers/{name}/scheduler_config.json"));
    let schedule = NoiseSchedule::new(SchedulerConfig::parse(&text).expect("the config is supported"));
    for n in [1, 4, 20] {
        let sampler = Sampler::new(schedule.clone(), n).expect("the number of steps is valid");
        for (ours, truth) in sampler.steps().iter().zip(values(&io[&format!("timesteps.{n}")])) {
            // Karras' levels lie between steps, where the reference interpolates in f32.
            let exact = truth.fract() == 0.0;
            assert!((ours - truth).abs() <= if exact { 0.0 } else { 1e-2 }, "{name}: step {ours}, expected {truth}");
        }
        let noised = &io[&format!("noised.{n}")];
        let (signal, amount) = sampler.mix(n / 2);
        let ours: Vec<f64> = values(&io["start"])
            .iter()
            .zip(values(&io["noise"]))
            .map(|(clean, noise)| signal * clean + amount * noise)
            .collect();
        let error = relative_error(&ours, &values(noised));
        assert!(error <= TOLERANCE, "{name}: a sample noised half way through {n} steps is off by {error:.1e}");
        let start = (&io["start"] * sampler.first_noise()).expect("a tensor can be scaled");
        follows(name, &sampler, &start, &io[&format!("trajectory.{n}")], io.get(&format!("noise.{n}")));
    }
}

#[test]
fn every_sampler_follows_the_reference() {
    let mut names: Vec<_> = std::fs::read_dir(folder().join("samplers"))
        .expect("the fixtures are there")
        .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert!(names.len() >= 27, "{names:?}");
    for name in names {
        sampler_agrees(&name);
    }
}

#[test]
fn stable_diffusion_1_from_the_config_of_another_sampler() {
    agrees("sd1");
}

#[test]
fn velocity_with_trailing_steps_and_zero_terminal_signal() {
    agrees("v_trailing_zero_snr");
}

#[test]
fn linspace_with_clipped_clean_samples() {
    agrees("linspace_clipped");
}

#[test]
fn clean_sample_prediction_on_the_cosine_schedule() {
    agrees("cosine_sample");
}

#[test]
fn a_strength_keeps_the_last_steps() {
    let sampler = Sampler::new(schedule("sd1"), 20).expect("the number of steps is valid");
    assert_eq!([0.0, 0.75, 1.0].map(|strength| sampler.start(strength)), [20, 5, 0]);
}

#[test]
fn a_step_that_draws_noise_asks_for_it() {
    let config = text("samplers/ancestral_leading/scheduler_config.json");
    let schedule = NoiseSchedule::new(SchedulerConfig::parse(&config).expect("the config is supported"));
    let sampler = Sampler::new(schedule, 4).expect("four steps are valid");
    let sample = Tensor::ones(3, candle_core::DType::F32, &Device::Cpu).expect("a small tensor");
    let words = sampler.step(0, &sample, &sample, None, &mut History::default()).expect_err("no noise").to_string();
    assert!(words.contains("noise of a sampling step"), "{words}");
}

#[test]
fn another_sampler_runs_on_the_schedule_of_a_config() {
    let text = text("ddim/sd1/scheduler_config.json");
    for (kind, name) in SamplerKind::ALL {
        let config = SchedulerConfig::parse_for(&text, kind).expect(name);
        assert_eq!(config.kind(), kind);
        assert_eq!(Sampler::new(NoiseSchedule::new(config), 5).expect(name).steps().len(), 5, "{name}");
    }
}

#[test]
fn an_infinite_bound_as_python_writes_it_is_read() {
    let text = "{\"_class_name\": \"DPMSolverMultistepScheduler\", \"lambda_min_clipped\": -Infinity}";
    assert_eq!(SchedulerConfig::parse(text).expect("no bound").kind(), SamplerKind::DpmSolver);
}

#[test]
fn settings_of_a_sampler_that_are_not_built_in_are_refused() {
    for (class, key, value) in [
        ("HeunDiscreteScheduler", "beta_start", "0.1"),
        ("DPMSolverMultistepScheduler", "solver_order", "3"),
        ("DPMSolverMultistepScheduler", "algorithm_type", "\"dpmsolver\""),
        ("UniPCMultistepScheduler", "predict_x0", "false"),
        ("DDPMScheduler", "variance_type", "\"learned\""),
        ("EulerDiscreteScheduler", "interpolation_type", "\"log_linear\""),
        ("EulerDiscreteScheduler", "use_beta_sigmas", "true"),
        ("EulerDiscreteScheduler", "sigma_min", "-1.0"),
    ] {
        let text = format!("{{\"_class_name\": \"{class}\", \"{key}\": {value}}}");
        let error = SchedulerConfig::parse(&text).expect_err(key).to_string();
        let named = if class.starts_with("Heun") { "_class_name" } else { key };
        assert!(error.contains(&format!("`{named}`")), "{key}: {error}");
    }
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
        let error = Sampler::new(schedule("sd1"), n).expect_err("too few or too many steps").to_string();
        assert!(error.contains("1 to 1000"), "{error}");
    }
    let lcm = SchedulerConfig::parse("{\"_class_name\": \"LCMScheduler\"}").expect("all defaults");
    let error = Sampler::new(NoiseSchedule::new(lcm), 51).expect_err("the model was distilled on 50").to_string();
    assert!(error.contains("1 to 50"), "{error}");
}
