//! One part of a pack on named tensors from a file, so that anyone can compare it with another implementation; which
//! places it has; and how fast it is here.
//!
//! Tensors have the names of diffusers' and transformers' arguments and results: `sample`, `timestep`,
//! `encoder_hidden_states`, `class_labels`, `timestep_cond` → `sample` (B, C, F, h, w with motion modules); pictures `sample` → `mean`, `logvar` (or `latents`
//! of a tiny autoencoder); latents `z` → `sample`; `input_ids` → `last_hidden_state`, `pooler_output`, `text_embeds`;
//! `pixel_values` → `last_hidden_state`, `image_embeds` (of classifiers `pooler_output` and `logits`, where they are there;
//! films are (B, F, 3, H, W)); of a captioner `pixel_values` (or `encoder_hidden_states`) →
//! `image_embeds`, and with `input_ids` → `logits`. Values at taps are written under the taps' names.

use std::{collections::BTreeMap, path::Path, time::Instant};

use candle_core::{DType, Device, Tensor};
use percept_core::Seed;
use serde::Serialize;

use crate::{
    blip::Blip,
    error::{ModelError, Result},
    language::LanguageModel,
    latent::Autoencoder,
    nn::{
        flops,
        kernel::matmul::{Mat, matmul},
    },
    parts::{Part, Parts},
    tap::Taps,
    text::ClipTextModel,
    unet::{Conditioning, UNet2DConditionModel, UNetMotionModel},
    video_mae::VideoMaeModel,
    vision::ClipVisionModel,
    vit::VitModel,
    weights::{PackFiles, read_tensors, write_tensors},
};

type Named = BTreeMap<String, Tensor>;

/// Frames of a video to measure, as AnimateDiff makes them.
const FRAMES: usize = 16;

/// A part that is loaded.
enum Loaded {
    Unet(Box<UNet2DConditionModel>),
    Motion(Box<UNetMotionModel>),
    Encode(Box<Autoencoder>),
    Decode(Box<Autoencoder>),
    Text(Box<ClipTextModel>),
    Vision(Box<ClipVisionModel>),
    Language(Box<LanguageModel>),
    Caption(Box<Blip>),
    Vit(Box<VitModel>),
    VideoMae(Box<VideoMaeModel>),
}

impl Loaded {
    fn open(files: &PackFiles, part: Part) -> Result<Self> {
        let mut parts = Parts::new(files)?;
        Ok(match part {
            Part::Unet if parts.has_motion() => Self::Motion(Box::new(parts.motion_unet()?)),
            Part::Unet => Self::Unet(Box::new(parts.unet()?)),
            Part::VaeEncode => Self::Encode(Box::new(parts.vae()?)),
            Part::VaeDecode => Self::Decode(Box::new(parts.vae()?)),
            Part::Text => Self::Text(Box::new(parts.text()?)),
            Part::Vision => Self::Vision(Box::new(parts.vision()?)),
            Part::Language => Self::Language(Box::new(parts.language()?)),
            Part::Caption => Self::Caption(Box::new(parts.blip()?.0)),
            Part::Vit => Self::Vit(Box::new(parts.vit()?)),
            Part::VideoMae => Self::VideoMae(Box::new(parts.video_mae()?)),
        })
    }

    fn device(&self) -> &Device {
        match self {
            Self::Unet(model) => model.device(),
            Self::Motion(model) => model.device(),
            Self::Encode(model) | Self::Decode(model) => model.device(),
            Self::Text(model) => model.device(),
            Self::Vision(model) => model.device(),
            Self::Language(model) => model.device(),
            Self::Caption(model) => model.decoder.device(),
            Self::Vit(model) => model.device(),
            Self::VideoMae(model) => model.device(),
        }
    }

    fn run(&self, input: &Named, taps: &mut Taps) -> Result<Named> {
        let mut out = Named::new();
        let mut put = |name: &str, value: Tensor| out.insert(name.to_owned(), value);
        match self {
            Self::Unet(model) => {
                let (sample, steps, given) = unet_input(input)?;
                put("sample", model.forward_with(sample, &steps, given, taps)?);
            }
            Self::Motion(model) => {
                let (sample, steps, given) = unet_input(input)?;
                put("sample", model.forward_with(sample, &steps, given, taps)?);
            }
            Self::Encode(model) => match model.as_ref() {
                Autoencoder::Kl(model) => {
                    let gaussian = model.encode_with(get(input, "sample")?, taps)?;
                    put("mean", gaussian.mean);
                    put("logvar", gaussian.log_variance);
                }
                Autoencoder::Tiny(model) => {
                    put("latents", model.encode(get(input, "sample")?)?);
                }
            },
            Self::Decode(model) => {
                put("sample", model.decode_with(get(input, "z")?, taps)?);
            }
            Self::Text(model) => {
                let states = model.forward_with(&ids(input)?, taps)?;
                if model.has_projection() {
                    put("text_embeds", model.project(&states.pooled)?);
                }
                put("last_hidden_state", states.last_hidden);
                put("pooler_output", states.pooled);
            }
            Self::Vision(model) => {
                let states = model.forward_with(get(input, "pixel_values")?, taps)?;
                put("last_hidden_state", states.last_hidden);
                put("image_embeds", states.embedding);
            }
            Self::Language(model) => {
                let states = model.forward(&ids(input)?, taps)?;
                put("last_hidden_state", states.last_hidden);
                if let Some(pooled) = states.pooled {
                    put("pooler_output", pooled);
                }
            }
            Self::Caption(model) => {
                let pictures = match input.get("encoder_hidden_states") {
                    Some(given) => given.clone(),
                    None => taps.within(format_args!("vision"), |taps| {
                        model.vision.forward(get(input, "pixel_values")?, taps)
                    })?,
                };
                if input.contains_key("input_ids") {
                    let ids = ids(input)?;
                    let states =
                        taps.within(format_args!("text"), |taps| model.decoder.states(&ids, &pictures, taps))?;
                    put("logits", model.decoder.logits(&states)?);
                }
                put("image_embeds", pictures);
            }
            Self::Vit(model) => {
                let states = model.forward(get(input, "pixel_values")?, taps)?;
                put("last_hidden_state", states.last_hidden);
                let rest = [("pooler_output", states.pooled), ("logits", states.logits)];
                for (name, value) in rest.into_iter().filter_map(|(name, value)| Some((name, value?))) {
                    put(name, value);
                }
            }
            Self::VideoMae(model) => {
                let states = model.forward(get(input, "pixel_values")?, taps)?;
                put("last_hidden_state", states.last_hidden);
                if let Some(logits) = states.logits {
                    put("logits", logits);
                }
            }
        }
        Ok(out)
    }

    /// Inputs of the size that the part was made for, drawn at random.
    fn example(&self) -> Result<Named> {
        let draw = |name: &str, shape: &[usize]| -> Result<Tensor> {
            let n = shape.iter().product();
            Ok(Tensor::from_vec(Seed::new(1).named(name).normal(n), shape, self.device())?)
        };
        let tokens = |n: usize| -> Result<Tensor> {
            Ok(Tensor::from_vec((0..n as u32).collect::<Vec<_>>(), (1, n), self.device())?)
        };
        let mut input = Named::new();
        let mut put = |name: &str, value: Tensor| input.insert(name.to_owned(), value);
        match self {
            Self::Unet(model) => {
                let c = model.config();
                let side = c.sample_size.unwrap_or(64);
                put("sample", draw("sample", &[1, c.in_channels, side, side])?);
                put("timestep", Tensor::new(&[500f32], self.device())?);
                if let Some(width) = c.class_width() {
                    put("class_labels", draw("class", &[1, width])?);
                } else {
                    put("encoder_hidden_states", draw("context", &[1, 77, c.context_width()])?);
                }
            }
            Self::Motion(model) => {
                let c = model.config();
                let side = c.sample_size.unwrap_or(64);
                put("sample", draw("sample", &[1, c.in_channels, model.motion().longest().min(FRAMES), side, side])?);
                put("timestep", Tensor::new(&[500f32], self.device())?);
                put("encoder_hidden_states", draw("context", &[1, 77, c.context_width()])?);
            }
            Self::Encode(model) => {
                let side = model.sample_size();
                put("sample", draw("sample", &[1, 3, side, side])?);
            }
            Self::Decode(model) => {
                let side = model.sample_size() / model.downscale();
                put("z", draw("z", &[1, model.latent_channels(), side, side])?);
            }
            Self::Text(model) => {
                put("input_ids", tokens(model.config().max_position_embeddings.min(model.config().vocab_size))?);
            }
            Self::Vision(model) => {
                let side = model.config().image_size;
                put("pixel_values", draw("pixels", &[1, 3, side, side])?);
            }
            Self::Language(model) => {
                put("input_ids", tokens(model.longest().min(128))?);
            }
            Self::Caption(model) => {
                let (side, c) = (model.vision.image_size(), &model.config.text);
                put("pixel_values", draw("pixels", &[1, 3, side, side])?);
                put("input_ids", tokens(c.max_position_embeddings.min(c.vocab_size).min(20))?);
            }
            Self::Vit(model) => {
                let side = model.config().layers.image_size;
                put("pixel_values", draw("pixels", &[1, 3, side, side])?);
            }
            Self::VideoMae(model) => {
                let (side, frames) = (model.config().layers.image_size, model.config().num_frames);
                put("pixel_values", draw("pixels", &[1, frames, 3, side, side])?);
            }
        }
        Ok(input)
    }
}

fn get<'a>(input: &'a Named, name: &'static str) -> Result<&'a Tensor> {
    input.get(name).ok_or_else(|| ModelError::Input {
        what: "input tensors",
        expected: format!("one named `{name}`"),
        got: format!("{:?}", input.keys().collect::<Vec<_>>()),
    })
}

/// Latents, one diffusion step for each, and what they are conditioned on.
fn unet_input(input: &Named) -> Result<(&Tensor, Vec<f64>, Conditioning<'_>)> {
    let sample = get(input, "sample")?;
    let steps: Vec<f64> = get(input, "timestep")?.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
    let steps = if steps.len() == 1 { vec![steps[0]; sample.dim(0)?] } else { steps };
    let given = Conditioning {
        context: input.get("encoder_hidden_states"),
        class: input.get("class_labels"),
        guidance: input.get("timestep_cond"),
    };
    Ok((sample, steps, given))
}

fn ids(input: &Named) -> Result<Vec<Vec<u32>>> {
    Ok(get(input, "input_ids")?.to_dtype(DType::U32)?.to_vec2()?)
}

/// Feeds the tensors of the file `input` to a part and writes its results, and the values at `taps`, to `output`.
///
/// # Errors
/// Names the tensor, place, file or config key that is missing or does not fit.
pub fn run_file(files: &PackFiles, part: Part, input: &Path, output: &Path, taps: &[String]) -> Result<Vec<String>> {
    let is_same = |a: &Path, b: &Path| matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b);
    if is_same(input, output) {
        return Err(ModelError::Input {
            what: "the file for the results",
            expected: "another than the inputs".into(),
            got: format!("`{}`", output.display()),
        });
    }
    let bytes = std::fs::read(input).map_err(|source| ModelError::File { path: input.into(), source })?;
    let mut tensors = read_tensors(&bytes, input)?;
    let part = Loaded::open(files, part)?;
    for (name, tensor) in &mut tensors {
        // Whole numbers stay what they are; half precision is widened. Steps and tokens are read by the host.
        if tensor.dtype().is_float() && name != "timestep" {
            *tensor = tensor.to_dtype(DType::F32)?.to_device(part.device())?;
        }
    }
    let mut wanted = Taps::wanting(taps.iter().map(String::as_str));
    let ran = part.run(&tensors, &mut wanted);
    // A refusal by the tensor library knows nothing of names; the shapes that fit say more.
    let mut results = match ran {
        Err(ModelError::Tensor(_)) => {
            let shapes = |named: &Named| -> Vec<String> {
                named.iter().map(|(name, tensor)| format!("{name} {:?}", tensor.dims())).collect()
            };
            let expected = format!("shapes as {}", shapes(&part.example()?).join(", "));
            return Err(ModelError::Input { what: "input tensors", expected, got: shapes(&tensors).join(", ") });
        }
        ran => ran?,
    };
    results.extend(wanted.finish()?);
    let bytes = write_tensors(&results, false)?;
    std::fs::write(output, bytes).map_err(|source| ModelError::File { path: output.into(), source })?;
    Ok(results.into_iter().map(|(name, tensor)| format!("{name} {:?}", tensor.dims())).collect())
}

/// The names of all places of a part, in the order of a pass.
///
/// # Errors
/// As [`run_file`].
pub fn places(files: &PackFiles, part: Part) -> Result<Vec<String>> {
    let part = Loaded::open(files, part)?;
    let mut taps = Taps::listing();
    part.run(&part.example()?, &mut taps)?;
    Ok(taps.names().to_vec())
}

/// How fast a part is on this machine.
#[derive(Clone, Debug, Serialize)]
pub struct Bench {
    /// Shapes of the inputs.
    pub inputs: BTreeMap<String, Vec<usize>>,
    /// Median seconds of a pass.
    pub seconds: f64,
    /// Passes measured, after one that is not.
    pub passes: usize,
    /// Floating-point operations of a pass: convolutions, linear layers and attention.
    pub flops: u64,
    /// Operations per second of a plain matrix product of 1024³ here, median, in the same run.
    pub sgemm_flops_per_second: f64,
    /// The time the operations would take at that rate, over the time they took.
    pub share_of_sgemm: f64,
    /// Largest memory of the process while it loaded and ran, where the system tells (Linux).
    pub peak_bytes: Option<u64>,
}

/// Measures a part on inputs of the size that it was made for.
///
/// # Errors
/// As [`run_file`].
pub fn bench(files: &PackFiles, part: Part, passes: usize) -> Result<Bench> {
    let part = Loaded::open(files, part)?;
    let input = part.example()?;
    let (first, flops) = flops::counted(|| part.run(&input, &mut Taps::none()));
    first?;
    let passes = passes.max(1);
    let mut times = Vec::with_capacity(passes);
    let mut rates = Vec::with_capacity(passes);
    for _ in 0..passes {
        let begin = Instant::now();
        part.run(&input, &mut Taps::none())?;
        // A GPU says that it is done before it is.
        part.device().synchronize()?;
        times.push(begin.elapsed().as_secs_f64());
        rates.push(sgemm_rate());
    }
    let (seconds, rate) = (median(&mut times), median(&mut rates));
    Ok(Bench {
        inputs: input.into_iter().map(|(name, tensor)| (name, tensor.dims().to_vec())).collect(),
        seconds,
        passes,
        flops,
        sgemm_flops_per_second: rate,
        share_of_sgemm: flops as f64 / rate / seconds,
        peak_bytes: peak_bytes(),
    })
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Operations per second of one plain product of square matrices of 1024, by all threads: what a pass could at best reach.
pub fn sgemm_rate() -> f64 {
    const SIDE: usize = 1024;
    let (a, b) = (Seed::new(1).normal(SIDE * SIDE), Seed::new(2).normal(SIDE * SIDE));
    let mut out = vec![0.0; SIDE * SIDE];
    let begin = Instant::now();
    matmul([SIDE; 3], &mut out, SIDE, false, 1.0, Mat::rows(&a, SIDE), Mat::rows(&b, SIDE));
    2.0 * (SIDE as f64).powi(3) / begin.elapsed().as_secs_f64()
}

/// The high-water mark of this process's memory, where the system tells (Linux).
pub fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}
