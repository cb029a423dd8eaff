//! A U-Net of which only the cross-attention's keys and values train, with the context: against PyTorch, with and without
//! activation checkpoints; the groups of the optimiser and the weights of losses against theirs.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor, Var};
use percept_models::{
    ModelError,
    nn::{NamePattern, backward, params::Params},
    scheduler::{NoiseSchedule, Prediction, SchedulerConfig},
    train::{AdamW, Group, Optimiser, sharded_gradients},
    unet::{UNet2DConditionModel, UnetConfig},
};

use crate::fixture::{GRADIENT, relative_error, tensors, text, values};

/// What a few steps may differ by, relative to the largest step: the reference runs in f64, and AdamW divides gradients
/// by their own size.
const MOVED: f64 = 1e-3;

/// The U-Net of the parity case with its table of contexts, both trainable as PyTorch had them.
fn params(checkpoints: bool) -> (Params, UNet2DConditionModel, Tensor) {
    let mut weights = tensors("unet_2d_condition/diffusion_pytorch_model.safetensors");
    weights.insert("table".into(), tensors("../training/keys_and_values/io.safetensors")["before.table"].clone());
    let trained = ["**.attn2.to_k", "**.attn2.to_v", "table"].map(NamePattern::new);
    let params =
        Params::from_tensors_training(weights, "the fixture", move |name| trained.iter().any(|p| p.matches(name)));
    let config = UnetConfig::parse(&text("unet_2d_condition/config.json")).expect("the config is supported");
    let model = UNet2DConditionModel::new(&params, config).expect("the weights fit the config");
    let table = params.get("table", &[2, 5, 12], percept_models::nn::params::Init::Zeros).expect("the table");
    (params, model.with_checkpoints(checkpoints), table)
}

/// The loss of a step of the fixture.
fn loss(io: &BTreeMap<String, Tensor>, model: &UNet2DConditionModel, table: &Tensor, step: usize) -> Tensor {
    let (sample, target) = (&io[&format!("sample.{step}")], &io[&format!("target.{step}")]);
    let out = model.forward(sample, &values(&io[&format!("times.{step}")]), table).expect("the model runs");
    (out - target).and_then(|d| d.sqr()?.mean_all()).expect("a loss")
}

fn names_below<'a>(io: &'a BTreeMap<String, Tensor>, prefix: &str) -> Vec<&'a str> {
    io.keys().filter_map(|key| key.strip_prefix(prefix)).collect()
}

#[test]
pub(crate) fn only_keys_values_and_context_move_as_in_pytorch() {
    let io = tensors("../training/keys_and_values/io.safetensors");
    let losses = values(&io["losses"]);
    for checkpoints in [false, true] {
        let (params, model, table) = params(checkpoints);
        let before: BTreeMap<_, _> =
            params.tensors().iter().map(|(name, t)| (name.clone(), t.copy().expect("a copy"))).collect();
        let trained = names_below(&io, "before.");
        assert_eq!(params.vars().keys().collect::<Vec<_>>(), trained);

        let store = backward(&loss(&io, &model, &table, 0)).expect("gradients");
        for (name, var) in params.vars() {
            let ours = values(store.get(&var).unwrap_or_else(|| panic!("`{name}` received no gradient")));
            let error = relative_error(&ours, &values(&io[&format!("gradient.{name}")]));
            assert!(error <= GRADIENT, "checkpoints {checkpoints}: gradient of `{name}` is off by {error:.1e}");
        }
        for (name, tensor) in params.tensors() {
            assert_eq!(store.get(&tensor).is_some(), params.vars().contains_key(&name), "gradient of `{name}`");
        }

        let groups = vec![Group { names: NamePattern::new("table"), weight_decay: Some(0.0), rate: 5.0 }];
        let settings =
            AdamW { beta2: 0.99, eps: 1e-6, weight_decay: 0.1, clip_norm: f64::INFINITY, groups, ..AdamW::default() };
        let mut optimiser = Optimiser::new(&params, settings).expect("an optimiser");
        for (step, truth) in losses.iter().enumerate() {
            let gradients = sharded_gradients(&params, 1, |_| Ok::<_, ModelError>(loss(&io, &model, &table, step)));
            let gradients = gradients.expect("gradients of all that trains");
            assert!((gradients.loss - truth).abs() <= 1e-4 * truth, "loss of step {step}: {}", gradients.loss);
            optimiser.update(&gradients, 2e-3).expect("a step");
        }
        for (name, tensor) in params.tensors() {
            let (old, new) = (values(&before[&name]), values(&tensor));
            if !trained.contains(&name.as_str()) {
                assert!(old == new, "`{name}` is frozen and has changed");
                continue;
            }
            let truth = values(&io[&format!("after.{name}")]);
            let step = |new: &[f64]| new.iter().zip(&old).map(|(a, b)| a - b).collect::<Vec<_>>();
            let error = relative_error(&step(&new), &step(&truth));
            assert!(error <= MOVED, "checkpoints {checkpoints}: `{name}` moved wrongly by {error:.1e}");
        }
    }
}

#[test]
fn nothing_before_the_first_trained_tensor_keeps_a_graph() {
    let io = tensors("../training/keys_and_values/io.safetensors");
    let (_, model, table) = params(false);
    let run = |sample: &Tensor| model.forward(sample, &[3.0, 981.0], &table).expect("the model runs");
    let nodes = |out: &Tensor| out.sorted_nodes().len();
    let variable = Var::from_tensor(&io["sample.0"]).expect("a variable");
    let (all, needed) = (nodes(&run(&variable)), nodes(&run(&io["sample.0"])));
    // The latents, the first convolution, the six operations of the residual block and the eleven of the Transformer up to
    // the queries of the first cross-attention.
    assert_eq!(all - needed, 1 + 1 + 6 + 11, "{all} nodes when the latents train, {needed} when they do not");
    let weights = tensors("unet_2d_condition/diffusion_pytorch_model.safetensors");
    let params = Params::from_tensors(weights, "the fixture");
    let config = UnetConfig::parse(&text("unet_2d_condition/config.json")).expect("the config is supported");
    let model = UNet2DConditionModel::new(&params, config).expect("the weights fit the config");
    let out = model.forward(&io["sample.0"], &[3.0, 981.0], &table.detach()).expect("the model runs");
    assert!(!out.track_op(), "nothing trains, so there is no graph");
}

#[test]
fn checkpoints_change_no_gradient() {
    let io = tensors("../training/keys_and_values/io.safetensors");
    let all = |checkpoints: bool, trains: fn(&str) -> bool| {
        let weights = tensors("unet_2d_condition/diffusion_pytorch_model.safetensors");
        let params = Params::from_tensors_training(weights, "the fixture", trains);
        let config = UnetConfig::parse(&text("unet_2d_condition/config.json")).expect("the config is supported");
        let model = UNet2DConditionModel::new(&params, config).expect("the weights fit the config");
        let model = model.with_checkpoints(checkpoints);
        let gradients =
            sharded_gradients(&params, 1, |_| Ok::<_, ModelError>(loss(&io, &model, &io["before.table"], 0)));
        (params.vars(), gradients.expect("gradients of all parameters"))
    };
    // Sums run in another order, which the depth of the whole model amplifies.
    for (trains, tolerance) in [((|name| name.contains("attn2.to_")) as fn(&str) -> bool, 1e-6), (|_| true, 1e-5)] {
        let (vars, truth) = all(false, trains);
        let (_, ours) = all(true, trains);
        assert_eq!(truth.loss, ours.loss);
        let largest =
            vars.keys().filter_map(|name| truth.get(name)).flatten().fold(0.0, |max: f32, g| max.max(g.abs()));
        for name in vars.keys() {
            let wide = |g: Option<&[f32]>| g.expect("a gradient").iter().map(|&g| f64::from(g)).collect::<Vec<_>>();
            let (mut truth, mut ours) = (wide(truth.get(name)), wide(ours.get(name)));
            // Some are zero in exact arithmetic and hold nothing but rounding.
            truth.push(1e-2 * f64::from(largest));
            ours.push(1e-2 * f64::from(largest));
            let error = relative_error(&ours, &truth);
            assert!(error <= tolerance, "`{name}` differs by {error:.1e}");
        }
    }
}

#[test]
fn groups_decay_and_move_as_in_pytorch() {
    let io = tensors("../training/adamw/io.safetensors");
    let names = names_below(&io, "before.");
    let start = names.iter().map(|name| ((*name).to_owned(), io[&format!("before.{name}")].clone())).collect();
    let params = Params::from_tensors_training(start, "the fixture", |_| true);
    for name in &names {
        let shape = io[&format!("before.{name}")].dims();
        params.get(name, shape, percept_models::nn::params::Init::Zeros).expect("it is there");
    }
    let mut groups = ["**.bias", "**.norm*", "positions"].map(Group::without_decay).to_vec();
    groups.push(Group { names: NamePattern::new("**.to_*"), weight_decay: None, rate: 0.1 });
    groups.push(Group { names: NamePattern::new("gain"), weight_decay: Some(0.5), rate: 1.0 });
    let settings = AdamW { weight_decay: 0.2, clip_norm: 5.0, groups, ..AdamW::default() };
    let mut optimiser = Optimiser::new(&params, settings).expect("an optimiser");
    let vars = params.vars();
    for step in 0..6 {
        let gradients = sharded_gradients(&params, 1, |_| {
            let mut total: Option<Tensor> = None;
            for (name, var) in &vars {
                let term = (var.as_tensor() - &io[&format!("goal.{step}.{name}")])?.sqr()?.sum_all()?;
                total = Some(match total {
                    Some(sum) => (sum + term)?,
                    None => term,
                });
            }
            Ok::<_, ModelError>(total.expect("there are tensors"))
        });
        optimiser.update(&gradients.expect("gradients"), 1e-2).expect("a step");
    }
    for name in names {
        let truth = values(&io[&format!("after.{name}")]);
        let error = relative_error(&values(vars[name].as_tensor()), &truth);
        assert!(error <= 1e-5, "`{name}` is off by {error:.1e}");
    }
}

#[test]
fn weights_of_min_snr_are_those_of_diffusers() {
    let io = tensors("../training/min_snr/io.safetensors");
    let gamma = values(&io["gamma"])[0];
    for (name, rescale) in [("sd1", false), ("zero_snr", true)] {
        let config = format!(
            r#"{{"_class_name": "DDPMScheduler", "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
                 "num_train_timesteps": 1000, "rescale_betas_zero_snr": {rescale}}}"#
        );
        let schedule = NoiseSchedule::new(SchedulerConfig::parse(&config).expect("a plain schedule"));
        for (kind, of) in [
            ("epsilon", Prediction::Epsilon),
            ("v_prediction", Prediction::VPrediction),
            ("sample", Prediction::Sample),
        ] {
            let truth = values(&io[&format!("{name}.{kind}")]);
            for (step, truth) in values(&io["steps"]).into_iter().zip(truth) {
                let ours = schedule.min_snr_weight(step as usize, gamma, of);
                // The reference's schedule is of f32.
                assert!((ours - truth).abs() <= 1e-3 * truth.abs() + 1e-6, "{name} {kind} at {step}: {ours} {truth}");
            }
        }
    }
}

#[test]
fn tensors_of_f16_train_in_f32() {
    let (params, _, _) = params(false);
    assert!(params.tensors().values().all(|tensor| tensor.dtype() == DType::F32));
}
