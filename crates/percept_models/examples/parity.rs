//! Runs the real-size cases that `tests/data/parity/full_size.py` and `full_size_sound.py` wrote and prints how far each output is from the
//! reference, with the time both took.
//!
//! ```text
//! python crates/percept_models/tests/data/parity/full_size.py DIR
//! cargo run --release -p percept_models --example parity -- DIR [CASE]…
//! ```

use std::{
    collections::BTreeMap,
    error::Error,
    io::{Write, stdout},
    path::{Path, PathBuf},
    rc::Rc,
    time::Instant,
};

use candle_core::{DType, Device, Tensor};
use ndarray::{Array2, Array4};
use percept_core::Seed;
use percept_models::{
    autoencoder::{AutoencoderConfig, AutoencoderKl},
    language::LanguageModel,
    nn::params::Params,
    sound::{
        clap::ClapModel,
        encodec::{EncodecConfig, EncodecModel},
        hifigan::{HifiGan, HifiGanConfig},
        music::{MusicGeneration, MusicPack},
        w2v_bert::{W2vBertConfig, W2vBertModel},
    },
    tap::Taps,
    text::{ClipTextModel, TextConfig},
    unet::{Conditioning, UNet2DConditionModel, UnetConfig},
    video_mae::{VideoMaeConfig, VideoMaeModel},
    vision::{ClipVisionModel, VisionConfig},
    vit::{VitConfig, VitModel},
    weights::{PackFiles, read_tensors},
};

#[path = "parity/captions.rs"]
mod captions;

type Result<T> = std::result::Result<T, Box<dyn Error>>;
type Tensors = BTreeMap<String, Tensor>;

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let root = PathBuf::from(args.next().ok_or("usage: parity DIR [CASE]… (DIR is what full_size.py wrote)")?);
    let mut names: Vec<String> = args.collect();
    if names.is_empty() {
        for entry in std::fs::read_dir(&root)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
    }
    for name in names {
        run_case(&root.join(&name), &name)?;
    }
    Ok(())
}

fn run_case(folder: &Path, name: &str) -> Result<()> {
    if folder.join("model_index.json").exists() {
        return music(folder, name);
    }
    let out = stdout().lock();
    let config = std::fs::read_to_string(folder.join("config.json"))?;
    if config.contains("\"blip\"") {
        drop(out);
        return captions::run(folder, name);
    }
    let begin = Instant::now();
    let params = Params::from_tensors(PackFiles::Directory(folder.to_owned()).tensors("")?, name);
    let io_path = folder.join("io.safetensors");
    let io = read_tensors(&std::fs::read(&io_path)?, &io_path)?;
    let input = |key: &str| io.get(key).ok_or_else(|| format!("{name} has no `{key}`"));
    // Building the model comes first: it is counted as loading.
    if let Some(parts) = sound(&params, &config, &io)? {
        params.expect_all_used()?;
        drop(out);
        let parts: Vec<_> = parts.iter().map(|(part, run)| (*part, &**run)).collect();
        return report_parts(name, &io, begin.elapsed().as_secs_f64(), &parts);
    }
    let run: Box<dyn Fn() -> Result<Tensors>> = if config.contains("UNet2DConditionModel") {
        let model = UNet2DConditionModel::new(&params, UnetConfig::parse(&config)?)?;
        let (sample, context) = (input("input.sample")?, input("input.encoder_hidden_states")?);
        let steps: Vec<f64> = input("input.timestep")?.to_dtype(DType::F64)?.to_vec1()?;
        Box::new(move || Ok([("sample".to_owned(), model.forward(sample, &steps, context)?)].into()))
    } else if config.contains("AutoencoderKL") {
        let model = AutoencoderKl::new(&params, AutoencoderConfig::parse(&config)?)?;
        let (image, latent) = (input("input.image")?, input("input.latent")?);
        Box::new(move || {
            let gaussian = model.encode(image)?;
            let decoded = ("image".to_owned(), model.decode(latent)?);
            Ok([("mean".to_owned(), gaussian.mean), ("logvar".to_owned(), gaussian.log_variance), decoded].into())
        })
    } else if config.contains("\"bert\"") || config.contains("\"gpt2\"") || config.contains("\"llama\"") {
        let model = LanguageModel::from_params(&params, &config)?;
        let ids: Vec<Vec<u32>> = input("input.input_ids")?.to_dtype(DType::U32)?.to_vec2()?;
        let places: Vec<String> =
            io.keys().filter_map(|key| key.strip_prefix("output.layer")).map(Into::into).collect();
        Box::new(move || {
            let mut taps = Taps::wanting(places.iter().map(|number| format!("layer{number}")));
            let states = model.forward(&ids, &mut taps)?;
            let mut outputs = taps.finish()?;
            outputs.insert("last_hidden_state".to_owned(), states.last_hidden);
            Ok(outputs)
        })
    } else if config.contains("\"vit\"") || config.contains("\"videomae\"") {
        classes(&params, &config, input("input.pixel_values")?)?
    } else if config.contains("CLIPTextModel") {
        let model = ClipTextModel::new(&params, TextConfig::parse(&config)?)?;
        let projects = config.contains("WithProjection");
        let ids: Vec<Vec<u32>> = input("input.input_ids")?.to_dtype(DType::U32)?.to_vec2()?;
        Box::new(move || {
            let states = model.forward(&ids)?;
            let pooled = if projects {
                ("text_embeds".to_owned(), model.project(&states.pooled)?)
            } else {
                ("pooled".to_owned(), states.pooled)
            };
            Ok([("last_hidden_state".to_owned(), states.last_hidden), pooled].into())
        })
    } else {
        let model = ClipVisionModel::new(&params, VisionConfig::parse(&config)?)?;
        let pixels = input("input.pixel_values")?;
        Box::new(move || {
            let states = model.forward(pixels)?;
            let embedding = ("image_embeds".to_owned(), states.embedding);
            Ok([("last_hidden_state".to_owned(), states.last_hidden), embedding].into())
        })
    };
    params.expect_all_used()?;
    drop(out);
    report(name, &io, begin.elapsed().as_secs_f64(), &run)
}

/// A Vision Transformer of pictures or films with its classes.
fn classes<'a>(params: &Params, config: &str, pixels: &'a Tensor) -> Result<Box<dyn Fn() -> Result<Tensors> + 'a>> {
    let outputs = |taps: Taps, last: Tensor, logits: Option<Tensor>| -> Result<Tensors> {
        let mut outputs = taps.finish()?;
        outputs.insert("last_hidden_state".to_owned(), last);
        outputs.extend(logits.map(|logits| ("logits".to_owned(), logits)));
        Ok(outputs)
    };
    if config.contains("\"vit\"") {
        let model = VitModel::new(params, VitConfig::parse(config)?)?;
        return Ok(Box::new(move || {
            // The reference's hidden states end before the last norm.
            let mut taps = Taps::wanting(["layer06", "layer12"]);
            let states = model.forward(pixels, &mut taps)?;
            let mut outputs = outputs(taps, states.last_hidden, states.logits)?;
            let last = outputs.remove("layer12").ok_or("no last layer")?;
            outputs.insert("last_hidden_state".to_owned(), last);
            Ok(outputs)
        }));
    }
    let model = VideoMaeModel::new(params, VideoMaeConfig::parse(config)?)?;
    Ok(Box::new(move || {
        let mut taps = Taps::wanting(["layer06"]);
        let states = model.forward(pixels, &mut taps)?;
        outputs(taps, states.last_hidden, states.logits)
    }))
}

/// Runs a case twice, of which the second is timed, and compares what it gives.
fn report(name: &str, io: &Tensors, loaded: f64, run: &dyn Fn() -> Result<Tensors>) -> Result<()> {
    report_parts(name, io, loaded, &[("", run)])
}

/// As [`report`], for a case of several models, each timed by itself.
fn report_parts(name: &str, io: &Tensors, loaded: f64, parts: &[(&str, &dyn Fn() -> Result<Tensors>)]) -> Result<()> {
    let mut out = stdout().lock();
    let (mut outputs, mut ran, mut each) = (Tensors::new(), 0.0, String::new());
    for (part, run) in parts {
        run()?;
        let begin = Instant::now();
        outputs.extend(run()?);
        let seconds = begin.elapsed().as_secs_f64();
        ran += seconds;
        if !part.is_empty() {
            each.extend([", ", part, &format!(" {seconds:.3} s")]);
        }
    }
    let input = |key: &str| io.get(key).ok_or_else(|| format!("{name} has no `{key}`"));
    let reference = input("seconds")?.to_dtype(DType::F64)?.to_vec1::<f64>()?[0];
    writeln!(out, "{name}: loaded in {loaded:.1} s, ran in {ran:.3} s{each} (reference {reference:.2} s)")?;
    for (key, ours) in &outputs {
        let truth = input(&format!("output.{key}"))?;
        writeln!(out, "  {key}: {:?}, max relative error {:.1e}", truth.dims(), relative_error(ours, truth)?)?;
    }
    Ok(())
}

/// A whole pack that makes music, from given noise.
fn music(folder: &Path, name: &str) -> Result<()> {
    let begin = Instant::now();
    let pack = MusicPack::open(folder)?;
    let io_path = folder.join("io.safetensors");
    let io = read_tensors(&std::fs::read(&io_path)?, &io_path)?;
    let rows = |key: &str| -> Result<Array2<f32>> {
        let values: Vec<Vec<f32>> = io[key].to_vec2()?;
        Ok(Array2::from_shape_vec((values.len(), values[0].len()), values.concat())?)
    };
    let (vectors, negative) = (rows("input.vectors")?, rows("input.negative")?);
    let noise = Array4::from_shape_vec(io["input.noise"].dims4()?, io["input.noise"].flatten_all()?.to_vec1()?)?;
    let request = MusicGeneration {
        conditions: vectors.view(),
        negative: Some(negative.view()),
        seconds: 2.56,
        steps: 3,
        guidance: 2.0,
        candidates: 1,
        seed: Seed::new(0),
        ids: &[0],
        noise: Some(noise.view()),
    };
    report(name, &io, begin.elapsed().as_secs_f64(), &|| {
        let samples = pack.generate(&request)?.remove(0).remove(0).samples;
        let n = samples.len();
        Ok([("sound".to_owned(), Tensor::from_vec(samples, (1, n), &Device::Cpu)?)].into())
    })
}

type Run<'a> = Box<dyn Fn() -> Result<Tensors> + 'a>;

/// The models of sound, and the U-Net that is given a vector: what each case runs, by name where it is several things.
fn sound<'a>(params: &Params, config: &str, io: &'a Tensors) -> Result<Option<Vec<(&'static str, Run<'a>)>>> {
    let kind: serde_json::Value = serde_json::from_str(config)?;
    let input = |key: &str| io.get(&format!("input.{key}")).ok_or_else(|| format!("there is no input `{key}`"));
    let one = |run: Run<'a>| vec![("", run)];
    Ok(Some(match kind["model_type"].as_str() {
        Some("clap") => {
            for name in [
                "logit_scale_a",
                "logit_scale_t",
                "text_model.embeddings.position_ids",
                "text_model.embeddings.token_type_ids",
            ] {
                params.ignore(name);
            }
            let audio = Rc::new(ClapModel::from_params(params, config)?);
            let (mels, ids) = (input("mels")?, input("ids")?.to_dtype(DType::U32)?.to_vec2()?);
            let text = audio.clone();
            vec![
                (
                    "audio",
                    Box::new(move || {
                        Ok([("audio".to_owned(), audio.embed_mels(mels, &[false], &mut Taps::none())?)].into())
                    }),
                ),
                ("text", Box::new(move || Ok([("text".to_owned(), text.embed_ids(&ids, &mut Taps::none())?)].into()))),
            ]
        }
        Some("encodec") => {
            let encoder = Rc::new(EncodecModel::new(params, EncodecConfig::parse(config)?)?);
            let (sound, latents) = (input("sound")?, input("latents")?);
            let decoder = encoder.clone();
            vec![
                ("encoder", Box::new(move || Ok([("latents".to_owned(), encoder.encode(sound)?)].into()))),
                ("decoder", Box::new(move || Ok([("decoded".to_owned(), decoder.decode(latents)?)].into()))),
            ]
        }
        Some("wav2vec2-bert") => {
            let model = W2vBertModel::new(params, W2vBertConfig::parse(config)?)?;
            let tokens = input("tokens")?;
            one(Box::new(move || {
                let mut taps = Taps::wanting((0..=model.config().num_hidden_layers).map(|i| format!("layer{i:02}")));
                let states = model.forward(tokens, &mut taps)?;
                let mut outputs = taps.finish()?;
                outputs.insert("states".to_owned(), states);
                Ok(outputs)
            }))
        }
        Some("hifigan" | "speecht5_hifigan") => {
            let model = HifiGan::new(params, HifiGanConfig::parse(config)?)?;
            let mels = input("mels")?;
            one(Box::new(move || Ok([("sound".to_owned(), model.forward(mels)?)].into())))
        }
        _ if kind["class_embeddings_concat"] == true => {
            let model = UNet2DConditionModel::new(params, UnetConfig::parse(config)?)?;
            let (sample, class) = (input("sample")?, input("class_labels")?);
            let steps: Vec<f64> = input("timestep")?.to_dtype(DType::F64)?.to_vec1()?;
            one(Box::new(move || {
                let given = Conditioning { class: Some(class), ..Conditioning::default() };
                Ok([("sample".to_owned(), model.forward_with(sample, &steps, given, &mut Taps::none())?)].into())
            }))
        }
        _ => return Ok(None),
    }))
}

/// max |ours − truth| / max |truth|.
fn relative_error(ours: &Tensor, truth: &Tensor) -> Result<f64> {
    let largest = |t: &Tensor| -> Result<f32> { Ok(t.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>()?) };
    if ours.dims() != truth.dims() {
        return Err(format!("shape {:?}, expected {:?}", ours.dims(), truth.dims()).into());
    }
    let values: Vec<f32> = ours.flatten_all()?.to_vec1()?;
    if values.iter().any(|v| !v.is_finite()) {
        return Err("an output is not finite".into());
    }
    Ok(f64::from(largest(&(ours - truth)?)?) / f64::from(largest(truth)?))
}
