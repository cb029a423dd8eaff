//! U-Nets with motion modules against diffusers: one of its own, and an adapter beside a U-Net of pictures.

use std::{collections::BTreeMap, fs, path::Path};

use candle_core::Tensor;
use percept_models::{
    nn::backward,
    parts::{Part, Parts},
    run::{places, run_file},
    tap::Taps,
    unet::{Conditioning, MotionConfig, UNetMotionModel},
    weights::{PackFiles, read_tensors, write_tensors},
};

use crate::fixture::{Case, OUTPUT, folder, relative_error, tensors, values};

const FILE: &str = "diffusion_pytorch_model.safetensors";

fn model(case: &Case) -> UNetMotionModel {
    let (unet, motion) = MotionConfig::parse(&case.config()).expect("the config is supported");
    UNetMotionModel::new(&case.params, unet, motion).expect("the weights fit the config")
}

#[test]
fn frames_attend_to_each_other_as_in_diffusers() {
    let case = Case::open("unet_motion", FILE);
    let model = model(&case);
    let (sample, context) = (case.input("sample"), case.input("encoder_hidden_states"));
    let guidance = case.io("input.timestep_cond").clone();
    let given = Conditioning { context: Some(&context), guidance: Some(&guidance), class: None };
    let steps = values(case.io("input.timestep"));
    let mut taps =
        Taps::wanting(["down.0.motion.0.layer1.cross", "down.1.motion.0", "mid.motion.0.ff", "up.1.motion.1"]);
    let out = model.forward_with(&sample, &steps, given, &mut taps).expect("the model runs");
    case.check(&[("sample", &out)], &[("sample", &sample), ("encoder_hidden_states", &context)]);
    let seen = taps.finish().expect("all places exist");
    // 2 videos of 3 frames of 8 × 12: pictures in the U-Net, pixels over time within a motion module.
    assert_eq!(seen["up.1.motion.1"].dims(), [6, 4, 8, 12]);
    assert_eq!(seen["down.0.motion.0.layer1.cross"].dims(), [2 * 8 * 12, 3, 4]);
}

#[test]
fn checkpoints_change_no_gradient_of_motion_modules() {
    let gradients = |checkpoints: bool| {
        let case = Case::open("unet_motion", FILE);
        let model = model(&case).with_checkpoints(checkpoints);
        let (sample, context) = (case.input("sample"), case.input("encoder_hidden_states"));
        let out = model.forward(&sample, &[3.0, 981.0], &context).expect("the model runs");
        let grads = out.sqr().and_then(|x| x.sum_all()).and_then(|loss| backward(&loss)).expect("differentiable");
        let name = "down_blocks.0.motion_modules.0.transformer_blocks.1.attn2.to_q.weight";
        values(grads.get(&case.params.vars()[name]).expect("a gradient"))
    };
    assert!(relative_error(&gradients(true), &gradients(false)) <= OUTPUT);
}

#[test]
fn a_context_for_each_frame_is_taken_as_it_is_and_what_does_not_fit_is_named() {
    let case = Case::open("unet_motion", FILE);
    let model = model(&case);
    let (sample, context) = (case.io("input.sample").clone(), case.io("input.encoder_hidden_states").clone());
    let steps = values(case.io("input.timestep"));
    let rows: Vec<Tensor> = (0..6).map(|i| context.narrow(0, i / 3, 1).expect("a row")).collect();
    let spread = Tensor::cat(&rows, 0).expect("rows");
    let (one, each) = (model.forward(&sample, &steps, &context), model.forward(&sample, &steps, &spread));
    assert_eq!(values(&one.expect("it runs")), values(&each.expect("it runs")));

    let long = Tensor::cat(&[&sample, &sample], 2).expect("six frames");
    let words = model.forward(&long, &steps, &context).expect_err("five positions").to_string();
    assert!(words.contains("1 to 5 frames"), "{words}");
    let picture = sample.narrow(2, 0, 1).and_then(|x| x.squeeze(2)).expect("one frame");
    let words = model.forward(&picture, &steps, &context).expect_err("no frames").to_string();
    assert!(words.contains("(B, C, F, h, w)"), "{words}");
    let out = model.forward(&sample.narrow(2, 0, 1).expect("one frame"), &steps, &context).expect("it runs");
    let alone = model.into_pictures().forward(&picture, &steps, &context).expect("it runs");
    assert_eq!(values(&out), values(&alone));
}

fn copy(from: &str, to: &Path) {
    fs::create_dir_all(to.parent().expect("every file is in a folder")).expect("a folder can be made");
    fs::copy(folder().join(from), to).expect("a fixture can be copied");
}

/// Runs the part `unet` on a fixture's input.
fn fed(files: &PackFiles, io: &BTreeMap<String, Tensor>) -> Tensor {
    let place = tempfile::tempdir().expect("a folder");
    let (from, to) = (place.path().join("in.safetensors"), place.path().join("out.safetensors"));
    let input = io.iter().filter_map(|(name, tensor)| {
        let tensor = tensor.to_dtype(candle_core::DType::F32).expect("numbers");
        Some((name.strip_prefix("input.")?.to_owned(), tensor))
    });
    let bytes = write_tensors(&input.collect(), false).expect("tensors can be written");
    fs::write(&from, bytes).expect("writable");
    run_file(files, Part::Unet, &from, &to, &[]).expect("the part runs");
    read_tensors(&fs::read(&to).expect("written"), &to).expect("valid").remove("sample").expect("a result")
}

#[test]
fn an_adapter_moves_the_pictures_of_a_pack() {
    let io = tensors("motion_adapter/io.safetensors");
    let place = tempfile::tempdir().expect("a folder");
    let (pack, adapter) = (place.path().join("pack"), place.path().join("adapter"));
    copy("unet_2d_condition/config.json", &pack.join("unet/config.json"));
    copy(&format!("unet_2d_condition/{FILE}"), &pack.join("unet").join(FILE));
    copy("motion_adapter/config.json", &adapter.join("config.json"));
    copy(&format!("motion_adapter/{FILE}"), &adapter.join(FILE));

    let files = PackFiles::WithMotion { pack: pack.clone(), adapter };
    let error = relative_error(&values(&fed(&files, &io)), &values(&io["output.sample"]));
    assert!(error <= OUTPUT, "{error:.1e}");
    let mut parts = Parts::new(&files).expect("a pack");
    assert_eq!(parts.most_frames().expect("a config"), Some(4));
    assert_eq!(parts.problems(Part::Unet).len(), 0);
    assert!(places(&files, Part::Unet).expect("a pass").iter().any(|name| name == "down.1.motion.1.self"));

    // The same adapter as a folder of the pack; a tensor of it that is lost is named.
    let own = pack.join("motion_adapter");
    copy("motion_adapter/config.json", &own.join("config.json"));
    let mut weights = tensors(&format!("motion_adapter/{FILE}"));
    let lost = "up_blocks.0.motion_modules.2.proj_in.weight";
    weights.remove(lost).expect("it was there");
    fs::write(own.join(FILE), write_tensors(&weights, true).expect("tensors")).expect("writable");
    let files = PackFiles::Directory(pack);
    let mut parts = Parts::new(&files).expect("a pack");
    let problems: Vec<String> = parts.problems(Part::Unet).iter().map(ToString::to_string).collect();
    assert!(problems.len() == 1 && problems[0].contains(lost), "{problems:?}");
    assert!(parts.unet().is_ok(), "pictures do not need it");
}

#[test]
fn a_unet_with_motion_modules_is_a_part_of_a_pack() {
    let io = tensors("unet_motion/io.safetensors");
    let place = tempfile::tempdir().expect("a folder");
    copy("unet_motion/config.json", &place.path().join("unet/config.json"));
    copy(&format!("unet_motion/{FILE}"), &place.path().join("unet").join(FILE));
    let files = PackFiles::Directory(place.path().to_owned());
    let error = relative_error(&values(&fed(&files, &io)), &values(&io["output.sample"]));
    assert!(error <= OUTPUT, "{error:.1e}");
    let mut parts = Parts::new(&files).expect("a pack");
    assert_eq!(parts.most_frames().expect("a config"), Some(5));
    assert!(parts.unet().is_ok(), "one frame is a picture");
}
