//! The models of sound against transformers and diffusers, from the folders that these write.

use std::collections::BTreeMap;
use std::path::PathBuf;

use candle_core::{DType, Device, Tensor};
use ndarray::{Array2, Array4, ArrayView2};
use percept_core::Seed;
use percept_models::{
    nn::params::Params,
    sound::{
        clap::ClapModel,
        encodec::{EncodecConfig, EncodecModel},
        hearing::ClapHearing,
        hifigan::{HifiGan, HifiGanConfig},
        music::{MusicGeneration, MusicPack},
        w2v_bert::{W2vBertConfig, W2vBertModel},
    },
    tap::Taps,
};

use crate::fixture::{OUTPUT, check_packed, folder, relative_error, tensors, text, values};

type Io = BTreeMap<String, Tensor>;

fn io(name: &str) -> Io {
    tensors(&format!("{name}/io.safetensors"))
}

fn params(name: &'static str) -> Params {
    Params::from_tensors(tensors(&format!("{name}/model.safetensors")), name)
}

fn check(what: &str, ours: &[f64], truth: &Tensor) {
    let error = relative_error(ours, &values(truth));
    assert!(error <= OUTPUT, "{what} is off by {error:.1e}, allowed {OUTPUT:.0e}");
}

fn of_rows(rows: &Array2<f32>) -> Vec<f64> {
    rows.iter().map(|&v| f64::from(v)).collect()
}

fn rows(tensor: &Tensor) -> Array2<f32> {
    let (n, width) = tensor.dims2().expect("two axes");
    let values = values(tensor).into_iter().map(|v| v as f32).collect();
    Array2::from_shape_vec((n, width), values).expect("the values of a matrix")
}

fn ids(tensor: &Tensor) -> Vec<Vec<u32>> {
    let width = tensor.dim(1).expect("two axes");
    values(tensor).chunks(width).map(|row| row.iter().map(|&id| id as u32).collect()).collect()
}

/// A model whose every parameter trains.
fn training(name: &'static str) -> Params {
    Params::from_tensors_training(tensors(&format!("{name}/model.safetensors")), name, |_| true)
}

/// Compares the gradients of the case's loss over `outputs`, in the order of the reference, with the reference's.
fn check_gradients(name: &str, params: &Params, outputs: &[(&str, Tensor)]) {
    let file = tensors(&format!("{name}/grads.safetensors"));
    let mut loss = Tensor::zeros((), DType::F32, &Device::Cpu).expect("a scalar");
    for (output, value) in outputs {
        let part = (value * &file[&format!("loss.{output}")]).and_then(|product| product.mean_all());
        loss = (loss + part.expect("output and loss have the same shape")).expect("both are scalars");
    }
    let grads = loss.backward().expect("the loss is differentiable");
    let own: BTreeMap<String, Vec<f64>> = (params.vars().into_iter())
        .filter_map(|(name, var)| grads.get(&var).map(|gradient| (name, values(gradient))))
        .collect();
    check_packed(name, &own, &file);
}

fn clap(name: &'static str) {
    let io = io(name);
    let model =
        ClapModel::new(tensors(&format!("{name}/model.safetensors")), &text(&format!("{name}/config.json")), name);
    let model = model.expect("the weights fit the config");
    let is_longer: Vec<bool> = values(&io["input.longer"]).iter().map(|&v| v != 0.0).collect();
    let places: Vec<String> = (0..4).map(|i| format!("stage{i}")).chain(["pooled".into()]).collect();
    let mut taps = Taps::wanting(places);
    let audio = model.embed_mels(&io["input.mels"], &is_longer, &mut taps).expect("the model runs");
    for (place, ours) in taps.finish().expect("all places exist") {
        check(&format!("{name}: {place}"), &values(&ours), &io[&format!("output.{place}")]);
    }
    check(&format!("{name}: audio"), &values(&audio), &io["output.audio"]);
    let ids = ids(&io["input.ids"]);
    let words = model.embed_ids(&ids, &mut Taps::none()).expect("the model runs");
    check(&format!("{name}: text"), &values(&words), &io["output.text"]);
    let states = model.text().forward(&ids, &mut Taps::none()).expect("the model runs").last_hidden;
    check(&format!("{name}: text states"), &values(&states), &io["output.text_states"]);
    // On other devices everything is composed of the library's operations.
    let audio = percept_models::device::composed(|| model.embed_mels(&io["input.mels"], &is_longer, &mut Taps::none()));
    check(&format!("{name}: composed"), &values(&audio.expect("the model runs")), &io["output.audio"]);

    let config = text(&format!("{name}/config.json"));
    let gradients = || {
        let params = training(name);
        let model = ClapModel::from_params(&params, &config).expect("the weights fit the config");
        let audio = model.embed_mels(&io["input.mels"], &is_longer, &mut Taps::none()).expect("the model runs");
        let words = model.embed_ids(&ids, &mut Taps::none()).expect("the model runs");
        check_gradients(name, &params, &[("audio", audio), ("text", words)]);
    };
    gradients();
    percept_models::device::composed(gradients);
}

#[test]
fn clap_of_one_piece() {
    clap("clap");
}

#[test]
fn clap_of_a_whole_and_its_pieces() {
    clap("clap_fused");
}

#[test]
fn configs_of_clap_that_are_not_supported_are_named() {
    let config = text("clap/config.json");
    for (from, to, key) in [
        ("\"window_size\": 4", "\"window_size\": 5", "spec_size"),
        ("\"num_mel_bins\": 16", "\"num_mel_bins\": 15", "num_mel_bins"),
        ("\"aff_block_r\": 2", "\"aff_block_r\": 0", "aff_block_r"),
        ("\"mlp_ratio\": 2.0", "\"mlp_ratio\": -1.0", "mlp_ratio"),
    ] {
        assert!(config.contains(from), "{from}");
        let file = tensors("clap/model.safetensors");
        let words = ClapModel::new(file, &config.replace(from, to), "test").err().expect(key).to_string();
        assert!(words.contains(&format!("`{key}`")), "{words}");
    }
    let mapped = text("clap_fused/config.json").replace("\"aff_2d\"", "\"channel_map\"");
    let words =
        ClapModel::new(tensors("clap_fused/model.safetensors"), &mapped, "test").err().expect("refused").to_string();
    assert!(words.contains("`fusion_type`"), "{words}");
    let mut file = tensors("clap/model.safetensors");
    let extra = file["text_projection.linear1.bias"].clone();
    file.insert("text_projection.linear3.bias".into(), extra);
    let words = ClapModel::new(file, &config, "test").err().expect("one is surplus").to_string();
    assert!(words.contains("linear3"), "{words}");
}

#[test]
fn sounds_are_prepared_for_clap_as_transformers_does_it() {
    let io = io("clap_hearing");
    let sound = |name: &str| values(&io[name]).into_iter().map(|v| v as f32).collect::<Vec<f32>>();
    for truncation in ["fusion", "rand_trunc"] {
        let hearing = |padding: &str| {
            let config = text(&format!("clap_hearing/{truncation}.{padding}.json"));
            ClapHearing::parse(&config).expect("the config is supported")
        };
        for padding in ["repeatpad", "repeat", "pad"] {
            let heard = hearing(padding).hear(&sound("short"), &Device::Cpu).expect("a sound");
            assert!(!heard.is_longer);
            let name = format!("{truncation}.{padding}");
            let pieces = heard.mels.dim(1).expect("four axes");
            for i in 0..pieces {
                let piece = heard.mels.narrow(1, i, 1).expect("a piece");
                check(&name, &values(&piece), &io[&name]);
            }
            assert_eq!(pieces, if truncation == "fusion" { 4 } else { 1 });
        }
        let heard = hearing("repeatpad").hear(&sound("long"), &Device::Cpu).expect("a sound");
        assert!(heard.is_longer);
        let name = format!("{truncation}.long");
        check(&name, &values(&heard.mels), &io[&name]);
    }
    let hearing = ClapHearing::parse(&text("clap_hearing/rand_trunc.pad.json")).expect("the config is supported");
    for (sound, words) in [(vec![], "none"), (vec![0.0, f32::NAN], "sample 1")] {
        let error = hearing.hear(&sound, &Device::Cpu).err().expect(words).to_string();
        assert!(error.contains(words), "{error}");
    }
}

fn encodec(name: &'static str) {
    let io = io(name);
    let params = params(name);
    let config = EncodecConfig::parse(&text(&format!("{name}/config.json"))).expect("the config is supported");
    let kilobits = config.target_bandwidths.clone();
    let model = EncodecModel::new(&params, config).expect("the weights fit the config");
    params.expect_all_used().expect("every tensor belongs to the model");
    let latents = model.encode(&io["input.sound"]).expect("the model runs");
    check(&format!("{name}: latents"), &values(&latents), &io["output.latents"]);
    let decoded = model.decode(&io["input.latents"]).expect("the model runs");
    check(&format!("{name}: decoded"), &values(&decoded), &io["output.decoded"]);

    let sound = rows(&io["input.sound"].squeeze(0).expect("one sound"));
    let pieces = model.encode_sound(sound.view()).expect("the model runs");
    let mut quantised = pieces.clone();
    for (kind, used) in [("codes", *kilobits.last().expect("some")), ("few_codes", kilobits[0])] {
        let truth = &io[&format!("output.{kind}")];
        let (n_pieces, books, most) = truth.dims3().expect("pieces, quantisers, latents");
        assert_eq!(n_pieces, pieces.len(), "{name}");
        let truth = values(truth);
        for (k, piece) in pieces.iter().enumerate() {
            let codes = model.quantise(piece.latents.view(), Some(used)).expect("latents of its width");
            assert_eq!(codes.nrows(), books, "{name}: {kind}");
            for ((book, at), &code) in codes.indexed_iter() {
                assert_eq!(f64::from(code), truth[(k * books + book) * most + at], "{name}: {kind} of piece {k}");
            }
            if kind == "codes" {
                quantised[k].latents = model.dequantise(codes.view()).expect("codes of its books");
            }
        }
    }
    let back = model.decode_sound(&quantised).expect("pieces");
    check(&format!("{name}: sound"), &of_rows(&back), &io["output.sound"]);
    if let Some(scales) = io.get("output.scales") {
        let ours: Vec<f64> = pieces.iter().map(|piece| f64::from(piece.scale.expect("scaled"))).collect();
        check(&format!("{name}: scales"), &ours, scales);
    }
    let words = model.dequantise(Array2::from_elem((1, 1), 16).view()).expect_err("16 codes").to_string();
    assert!(words.contains("below 16"), "{words}");
    let gradients = || {
        let params = training(name);
        let config = EncodecConfig::parse(&text(&format!("{name}/config.json"))).expect("the config is supported");
        let model = EncodecModel::new(&params, config).expect("the weights fit the config");
        let latents = model.encode(&io["input.sound"]).expect("the model runs");
        let decoded = model.decode(&io["input.latents"]).expect("the model runs");
        check_gradients(name, &params, &[("latents", latents), ("decoded", decoded)]);
    };
    gradients();
    percept_models::device::composed(gradients);
    model.encode_sound(Array2::zeros((3, 10)).view()).expect_err("three channels");
    model.encode_sound(Array2::zeros((1, 0)).view()).expect_err("no sample");
}

#[test]
fn encodec_that_is_causal_and_weight_normalised() {
    encodec("encodec_causal");
}

#[test]
fn encodec_in_stereo_by_pieces() {
    encodec("encodec_pieces");
}

#[test]
fn weights_that_are_directions_and_lengths_are_read_by_their_older_names() {
    let name = "encodec_causal";
    let old: BTreeMap<_, _> = tensors(&format!("{name}/model.safetensors"))
        .into_iter()
        .map(|(name, tensor)| {
            let name = name.replace("parametrizations.weight.original0", "weight_g");
            (name.replace("parametrizations.weight.original1", "weight_v"), tensor)
        })
        .collect();
    assert!(old.contains_key("encoder.layers.0.conv.weight_g"));
    let params = Params::from_tensors(old, "old names");
    let config = EncodecConfig::parse(&text(&format!("{name}/config.json"))).expect("the config is supported");
    let model = EncodecModel::new(&params, config).expect("the older names are read");
    params.expect_all_used().expect("none is left over");
    let io = io(name);
    check("older names", &values(&model.encode(&io["input.sound"]).expect("runs")), &io["output.latents"]);
}

#[test]
fn w2v_bert_with_every_layer() {
    let (io, params) = (io("w2v_bert"), params("w2v_bert"));
    let config = W2vBertConfig::parse(&text("w2v_bert/config.json")).expect("the config is supported");
    let model = W2vBertModel::new(&params, config).expect("the weights fit the config");
    params.expect_all_used().expect("every tensor belongs to the model");
    let mut taps = Taps::wanting((0..4).map(|i| format!("layer{i:02}")));
    let states = model.forward(&io["input.tokens"], &mut taps).expect("the model runs");
    check("states", &values(&states), &io["output.states"]);
    for (place, ours) in taps.finish().expect("all places exist") {
        check(&place, &values(&ours), &io[&format!("output.{place}")]);
    }
    let composed = percept_models::device::composed(|| model.forward(&io["input.tokens"], &mut Taps::none()));
    check("composed", &values(&composed.expect("the model runs")), &io["output.states"]);
}

#[test]
fn vocoder() {
    let (io, params) = (io("hifigan"), params("hifigan"));
    let config = HifiGanConfig::parse(&text("hifigan/config.json")).expect("the config is supported");
    let model = HifiGan::new(&params, config).expect("the weights fit the config");
    params.expect_all_used().expect("every tensor belongs to the model");
    check("sound", &values(&model.forward(&io["input.mels"]).expect("runs")), &io["output.sound"]);
    let composed = percept_models::device::composed(|| model.forward(&io["input.mels"]));
    check("composed", &values(&composed.expect("runs")), &io["output.sound"]);
    let gradients = || {
        let params = training("hifigan");
        let config = HifiGanConfig::parse(&text("hifigan/config.json")).expect("the config is supported");
        let model = HifiGan::new(&params, config).expect("the weights fit the config");
        let sound = model.forward(&io["input.mels"]).expect("runs");
        check_gradients("hifigan", &params, &[("sound", sound)]);
    };
    gradients();
    percept_models::device::composed(gradients);
}

#[test]
fn what_trains_is_followed_by_the_pass_after() {
    // Weights that are brought into another order must be brought there anew after every step.
    let params = training("hifigan");
    let config = HifiGanConfig::parse(&text("hifigan/config.json")).expect("the config is supported");
    let model = HifiGan::new(&params, config).expect("the weights fit the config");
    let (clap_params, clap_io) = (training("clap"), io("clap"));
    let clap = ClapModel::from_params(&clap_params, &text("clap/config.json")).expect("the weights fit the config");
    let mels = io("hifigan")["input.mels"].clone();
    let sound = || values(&model.forward(&mels).expect("runs"));
    let heard = || {
        let longer = [true, false];
        values(&clap.embed_mels(&clap_io["input.mels"], &longer, &mut Taps::none()).expect("runs"))
    };
    for (vars, name, run) in [
        (params.vars(), "upsampler.1.weight", &sound as &dyn Fn() -> Vec<f64>),
        (params.vars(), "resblocks.0.convs1.0.weight", &sound),
        (
            clap_params.vars(),
            "audio_model.audio_encoder.layers.0.blocks.1.attention.self.relative_position_bias_table",
            &heard,
        ),
        (clap_params.vars(), "audio_model.audio_encoder.batch_norm.weight", &heard),
    ] {
        let before = run();
        let var = &vars[name];
        var.set(&(var.as_tensor() * 3.0).expect("a product")).expect("a variable can be set");
        assert_ne!(before, run(), "{name}");
    }
}

fn music_pack() -> (MusicPack, PathBuf) {
    let place = folder().join("music_pack");
    (MusicPack::open(&place).expect("a whole pack"), place)
}

fn request<'a>(conditions: ArrayView2<'a, f32>, ids: &'a [u64]) -> MusicGeneration<'a> {
    MusicGeneration {
        conditions,
        negative: None,
        seconds: 0.16,
        steps: 4,
        guidance: 1.0,
        candidates: 1,
        seed: Seed::new(5),
        ids,
        noise: None,
    }
}

#[test]
fn music_from_a_vector_is_that_of_the_pipeline() {
    let ((pack, _), io) = (music_pack(), io("music_pack"));
    assert_eq!(pack.latent_shape(0.16).expect("a length"), [4, 8, 8]);
    let (vectors, negative) = (rows(&io["input.vectors"]), rows(&io["input.negative"]));
    let noise: Vec<f32> = values(&io["input.noise"]).into_iter().map(|v| v as f32).collect();
    let noise = Array4::from_shape_vec((1, 4, 8, 8), noise).expect("one latent");
    let words = ["a slow waltz, 3 pianos".to_owned()];
    let worded = pack.embed_texts(&words).expect("a text");
    check("the words' vector", &of_rows(&worded), &io["output.words"]);
    let unwanted = pack.embed_texts(&["noise".to_owned()]).expect("a text");
    for (name, conditions, negative, guidance) in [
        ("guided", &vectors, Some(&negative), 2.5),
        ("plain", &vectors, None, 1.0),
        ("worded", &worded, Some(&unwanted), 2.0),
    ] {
        let negative = negative.map(|rows| rows.view());
        let asked =
            MusicGeneration { negative, guidance, noise: Some(noise.view()), ..request(conditions.view(), &[0]) };
        let made = pack.generate(&asked).expect("music");
        let ours: Vec<f64> = made[0][0].samples.iter().map(|&v| f64::from(v)).collect();
        check(name, &ours, &io[&format!("output.{name}")]);
    }
}

#[test]
fn candidates_are_ranked_by_what_clap_hears() {
    let ((pack, _), io) = (music_pack(), io("music_pack"));
    let heard: Vec<f32> = values(&io["input.heard"]).into_iter().map(|v| v as f32).collect();
    let hearing = pack.hearing().expect("the pack says how");
    let vector = pack.clap().embed_sounds(hearing, &[heard]).expect("a sound");
    check("the sound's vector", &of_rows(&vector), &io["output.heard"]);

    let vectors = rows(&io["input.vectors"]);
    let asked = MusicGeneration { candidates: 3, guidance: 2.0, ..request(vectors.view(), &[7]) };
    let made = pack.generate(&asked).expect("music");
    assert_eq!(made[0].len(), 3);
    let likeness: Vec<f32> = made[0].iter().map(|piece| piece.likeness.expect("ranked")).collect();
    assert!(likeness.windows(2).all(|pair| pair[0] >= pair[1]), "{likeness:?}");
    assert!(made[0].iter().all(|piece| piece.samples.len() == 640));
    // A candidate alone is the same as among others.
    let alone = pack.generate(&MusicGeneration { guidance: 2.0, ..request(vectors.view(), &[7]) }).expect("music");
    let first = made[0].iter().find(|piece| piece.candidate == 0).expect("all are there");
    assert_eq!(first.samples, alone[0][0].samples);
}

#[test]
fn requests_that_do_not_fit_are_named() {
    let (pack, _) = music_pack();
    let vectors = Array2::from_elem((1, 10), 0.3);
    let narrow = Array2::from_elem((1, 9), 0.3);
    let noise = Array4::zeros((1, 4, 9, 8));
    for (asked, words) in [
        (request(narrow.view(), &[0]), "conditions"),
        (request(vectors.view(), &[0, 1]), "identities"),
        (MusicGeneration { seconds: 0.0, ..request(vectors.view(), &[0]) }, "seconds"),
        (MusicGeneration { seconds: f64::NAN, ..request(vectors.view(), &[0]) }, "seconds"),
        (MusicGeneration { candidates: 0, ..request(vectors.view(), &[0]) }, "candidates"),
        (MusicGeneration { negative: Some(narrow.view()), ..request(vectors.view(), &[0]) }, "negative"),
        (MusicGeneration { noise: Some(noise.view()), ..request(vectors.view(), &[0]) }, "noise"),
        (MusicGeneration { guidance: f64::NAN, ..request(vectors.view(), &[0]) }, "guidance"),
    ] {
        let error = pack.generate(&asked).expect_err(words).to_string();
        assert!(error.contains(words), "{error}");
    }
}
