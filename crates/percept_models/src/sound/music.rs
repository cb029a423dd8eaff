//! MusicLDM (Chen et al. 2023, arXiv 2308.01546) and AudioLDM (Liu et al. 2023, arXiv 2301.12503): music from a CLAP vector,
//! from diffusers' layout: a U-Net whose condition is that vector, an autoencoder of log-mel spectrograms, a vocoder.
//! Reference: diffusers' `MusicLDMPipeline` 0.42.1.
//!
//! The vector is used as it is given: the models were trained on vectors of length 1 ([`unit_rows`](MusicPack::unit)), and a
//! vector decoded from a brain has another. Noise depends on the seed, the row's identity and the number of the candidate only.
//!
//! Lengths are rounded up to what the U-Net can halve as often as it does, and cut again at the end; diffusers rounds less.

use std::{path::Path, sync::Arc};

use candle_core::{Device, Tensor};
use ndarray::{Array2, ArrayView2, ArrayView4, s};
use percept_core::Seed;
use percept_signal::sinc::{Kernel, resample};

use super::{clap::ClapModel, hearing::ClapHearing, hifigan::HifiGan};
use crate::{
    error::{ModelError, Result},
    latent::Autoencoder,
    nn::host::to_rows,
    pack::guided,
    parts::Parts,
    scheduler::{NoiseSchedule, Sampler},
    tap::Taps,
    tokenizer::TextTokenizer,
    unet::{Conditioning, UNet2DConditionModel},
    weights::PackFiles,
};

/// The longest piece of music, in seconds.
const LONGEST_SECS: f64 = 120.0;

/// A request for music. All rows share length, steps, guidance and seed.
pub struct MusicGeneration<'a> {
    /// CLAP vectors, n × width.
    pub conditions: ArrayView2<'a, f32>,
    /// What to keep away from: a CLAP vector for all rows or one for each. Without it, that of the empty text.
    pub negative: Option<ArrayView2<'a, f32>>,
    /// Length in seconds.
    pub seconds: f64,
    /// Steps of the full schedule.
    pub steps: usize,
    /// Classifier-free guidance scale; 1 means none and costs one U-Net pass per step.
    pub guidance: f64,
    /// Pieces made of each row, best first by CLAP's cosine with the row's condition.
    pub candidates: usize,
    /// The root of the noise.
    pub seed: Seed,
    /// Identity of each row.
    pub ids: &'a [u64],
    /// Standard normal noise to begin with instead, (n · candidates, channels, frames, mels) of
    /// [`MusicPack::latent_shape`], row by row.
    pub noise: Option<ArrayView4<'a, f32>>,
}

/// A piece of music.
#[derive(Clone, Debug, PartialEq)]
pub struct Music {
    /// Samples of one channel, −1 … 1.
    pub samples: Vec<f32>,
    /// Which of its row's candidates it is, in the order of their noise.
    pub candidate: usize,
    /// CLAP's cosine with the condition, where there were several to choose from.
    pub likeness: Option<f32>,
}

/// A pack that makes music. Cheap to clone: parts are shared.
#[derive(Clone)]
pub struct MusicPack {
    unet: Arc<UNet2DConditionModel>,
    autoencoder: Arc<Autoencoder>,
    vocoder: Arc<HifiGan>,
    clap: Arc<ClapModel>,
    hearing: Option<Arc<ClapHearing>>,
    tokenizer: Arc<TextTokenizer>,
    schedule: NoiseSchedule,
}

impl MusicPack {
    /// Opens a directory in the diffusers layout: `unet`, `vae`, `vocoder`, `text_encoder` (a whole CLAP), `tokenizer`,
    /// `scheduler` and, to choose among candidates, `feature_extractor`.
    ///
    /// # Errors
    /// Names the file, config key or tensor that is missing or does not fit.
    pub fn open(dir: &Path) -> Result<Self> {
        Self::load(&PackFiles::Directory(dir.to_owned()))
    }

    /// Loads every part from `files`.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn load(files: &PackFiles) -> Result<Self> {
        let mut parts = Parts::new(files)?;
        let clap = parts.clap("text_encoder")?;
        let longest = clap.text().longest();
        let unet = parts.unet()?;
        if unet.config().class_width() != Some(clap.width()) {
            return Err(ModelError::Config {
                component: "unet",
                key: "projection_class_embeddings_input_dim".into(),
                value: format!("{:?}", unet.config().class_width()),
                supported: format!("{}, the width of the CLAP beside it", clap.width()),
            });
        }
        let hearing = files
            .holds("feature_extractor/preprocessor_config.json")
            .then(|| ClapHearing::parse(&files.read_text("feature_extractor/preprocessor_config.json")?))
            .transpose()?;
        Ok(Self {
            unet: Arc::new(unet),
            autoencoder: Arc::new(parts.vae()?),
            vocoder: Arc::new(parts.vocoder()?),
            clap: Arc::new(clap),
            hearing: hearing.map(Arc::new),
            tokenizer: Arc::new(TextTokenizer::new(&files.read_text("tokenizer/tokenizer.json")?, longest)?),
            schedule: parts.schedule()?,
        })
    }

    /// Where the pack's models live and run.
    pub fn device(&self) -> &Device {
        self.unet.device()
    }

    /// Samples in a second of the music.
    pub fn rate_hz(&self) -> u32 {
        self.vocoder.config().sampling_rate
    }

    /// The CLAP whose space conditions are in.
    pub fn clap(&self) -> &ClapModel {
        &self.clap
    }

    /// How sounds are prepared for the CLAP, where the pack says so.
    pub fn hearing(&self) -> Option<&ClapHearing> {
        self.hearing.as_deref()
    }

    /// Texts to CLAP vectors of length 1, n × width.
    ///
    /// # Errors
    /// Texts that cannot be tokenised.
    pub fn embed_texts(&self, texts: &[String]) -> Result<Array2<f32>> {
        self.clap.embed_texts(&self.tokenizer, texts)
    }

    /// The same vectors with length 1; a vector of zeros stays.
    pub fn unit(vectors: ArrayView2<'_, f32>) -> Array2<f32> {
        let mut out = vectors.to_owned();
        for mut row in out.outer_iter_mut() {
            let length = row.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-12);
            row.mapv_inplace(|v| v / length);
        }
        out
    }

    /// (channels, frames, mels) of the latents of so many seconds.
    ///
    /// # Errors
    /// A length that is not positive, or beyond two minutes.
    pub fn latent_shape(&self, seconds: f64) -> Result<[usize; 3]> {
        if !(seconds > 0.0 && seconds <= LONGEST_SECS) {
            return Err(ModelError::Input {
                what: "seconds of music",
                expected: format!("more than 0, at most {LONGEST_SECS}"),
                got: seconds.to_string(),
            });
        }
        let frames = seconds * f64::from(self.rate_hz()) / self.vocoder.config().hop() as f64;
        let down = self.autoencoder.downscale();
        let halved = 1 << (self.unet.config().block_out_channels.len() - 1);
        let frames = (frames as usize).div_ceil(down).max(1).next_multiple_of(halved);
        Ok([self.autoencoder.latent_channels(), frames, self.vocoder.config().model_in_dim / down])
    }

    /// Music for each row of a request, its candidates best first.
    ///
    /// # Errors
    /// Rows, noise or settings that do not fit the pack or each other.
    pub fn generate(&self, request: &MusicGeneration<'_>) -> Result<Vec<Vec<Music>>> {
        let n = request.conditions.nrows();
        let latent = self.check(request)?;
        let negative = self.negative(request)?;
        let sampler = Sampler::new(self.schedule.clone(), request.steps)?;
        let kept = (request.seconds * f64::from(self.rate_hz())) as usize;
        let mut all = Vec::with_capacity(n);
        for row in 0..n {
            let mut pieces = Vec::with_capacity(request.candidates);
            for candidate in 0..request.candidates {
                let latents = self.latents(request, &sampler, [row, candidate], latent, negative.as_ref())?;
                let samples = self.samples(&latents, kept)?;
                pieces.push(Music { samples, candidate, likeness: None });
            }
            if request.candidates > 1 {
                self.rank(&mut pieces, request.conditions.row(row))?;
            }
            all.push(pieces);
        }
        Ok(all)
    }

    /// Sounds of scaled latents, n × (channels · frames · mels of [`Self::latent_shape`] for `seconds`): the way back from latents to
    /// samples, without any denoising.
    ///
    /// # Errors
    /// Latents of another shape.
    pub fn sounds(&self, latents: ArrayView2<'_, f32>, seconds: f64) -> Result<Vec<Vec<f32>>> {
        let [channels, frames, mels] = self.latent_shape(seconds)?;
        if latents.ncols() != channels * frames * mels {
            return Err(ModelError::Input {
                what: "latents of music",
                expected: format!("rows of {channels} · {frames} · {mels} values"),
                got: format!("rows of {}", latents.ncols()),
            });
        }
        let kept = (seconds * f64::from(self.rate_hz())) as usize;
        let heard = |row: ndarray::ArrayView1<'_, f32>| -> Result<Vec<f32>> {
            let own = Tensor::from_vec(row.to_vec(), (1, channels, frames, mels), self.device())?;
            self.samples(&own, kept)
        };
        latents.outer_iter().map(heard).collect()
    }

    /// Scaled latents (1, channels, frames, mels) → the first `kept` samples.
    fn samples(&self, latents: &Tensor, kept: usize) -> Result<Vec<f32>> {
        let mut samples = to_rows(&self.vocoder.forward(&self.mels(latents)?)?)?.row(0).to_vec();
        samples.truncate(kept.max(1));
        Ok(samples)
    }

    /// Scaled latents (1, channels, frames, mels) → log-mel spectrograms (1, frames, mels).
    fn mels(&self, latents: &Tensor) -> Result<Tensor> {
        let mels = self.autoencoder.decode(&(latents / self.autoencoder.scaling_factor())?)?;
        Ok(mels.narrow(1, 0, 1)?.squeeze(1)?.contiguous()?)
    }

    /// The denoised latents of one candidate of one row.
    fn latents(
        &self,
        request: &MusicGeneration<'_>,
        sampler: &Sampler,
        [row, candidate]: [usize; 2],
        [channels, frames, mels]: [usize; 3],
        negative: Option<&Array2<f32>>,
    ) -> Result<Tensor> {
        let n = channels * frames * mels;
        let draw = |seed: Seed| seed.at(request.ids[row]).at(candidate as u64).normal(n);
        let place = |values: Vec<f32>| Tensor::from_vec(values, (1, channels, frames, mels), self.device());
        let given = request
            .noise
            .map(|all| all.slice(s![row * request.candidates + candidate, .., .., ..]).iter().copied().collect());
        let noise = place(given.unwrap_or_else(|| draw(request.seed.named("noise"))))?;
        let condition = request.conditions.row(row).to_vec();
        let rows: Vec<f32> = match negative {
            Some(negative) => {
                negative.row(if negative.nrows() == 1 { 0 } else { row }).iter().copied().chain(condition).collect()
            }
            None => condition,
        };
        let copies = if negative.is_some() { 2 } else { 1 };
        let class = Tensor::from_vec(rows, (copies, self.clap.width()), self.device())?;
        let output = |input: &Tensor, step: f64| -> Result<Tensor> {
            let input = input.repeat((copies, 1, 1, 1))?;
            let given = Conditioning { class: Some(&class), ..Conditioning::default() };
            let output = self.unet.forward_with(&input, &vec![step; copies], given, &mut Taps::none())?;
            if copies == 2 { guided(&output, request.guidance) } else { Ok(output) }
        };
        let fresh = |i: usize| -> Result<Tensor> { Ok(place(draw(request.seed.named("step noise").at(i as u64)))?) };
        sampler.run(0, (noise * sampler.first_noise())?, output, fresh)
    }

    /// Sounds of one channel at the rate of the music to CLAP vectors of length 1, n × width.
    ///
    /// # Errors
    /// A pack that does not say how its CLAP hears; sounds that are empty or not of numbers.
    pub fn hear(&self, sounds: &[Vec<f32>]) -> Result<Array2<f32>> {
        let hearing = self.hearing.as_deref().ok_or_else(|| ModelError::File {
            path: "feature_extractor/preprocessor_config.json".into(),
            source: crate::error::no_such_file(),
        })?;
        if hearing.rate_hz() == self.rate_hz() {
            return self.clap.embed_sounds(hearing, sounds);
        }
        let heard = |sound: &Vec<f32>| resample(sound, self.rate_hz(), hearing.rate_hz(), Kernel::kaiser_best());
        self.clap.embed_sounds(hearing, &sounds.iter().map(heard).collect::<Vec<_>>())
    }

    /// Sorts pieces by their likeness to a condition, the best first.
    fn rank(&self, pieces: &mut [Music], condition: ndarray::ArrayView1<'_, f32>) -> Result<()> {
        let sounds: Vec<Vec<f32>> = pieces.iter().map(|piece| piece.samples.clone()).collect();
        let vectors = self.hear(&sounds)?;
        let length = condition.dot(&condition).sqrt().max(1e-12);
        for (piece, vector) in pieces.iter_mut().zip(vectors.outer_iter()) {
            piece.likeness = Some(vector.dot(&condition) / length);
        }
        pieces.sort_by(|a, b| b.likeness.unwrap_or(0.0).total_cmp(&a.likeness.unwrap_or(0.0)));
        Ok(())
    }

    /// What to keep away from, where there is guidance.
    fn negative(&self, request: &MusicGeneration<'_>) -> Result<Option<Array2<f32>>> {
        match request.negative {
            _ if (request.guidance - 1.0).abs() < 1e-9 => Ok(None),
            Some(negative) => Ok(Some(negative.to_owned())),
            None => self.embed_texts(&[String::new()]).map(Some),
        }
    }

    /// The shape of the latents, if the request fits the pack.
    fn check(&self, request: &MusicGeneration<'_>) -> Result<[usize; 3]> {
        let refuse = |what, expected: String, got: String| Err(ModelError::Input { what, expected, got });
        let (n, width) = request.conditions.dim();
        let is_wrong =
            |rows: &ArrayView2<'_, f32>| rows.ncols() != self.clap.width() || rows.iter().any(|v| !v.is_finite());
        if n == 0 || is_wrong(&request.conditions) {
            return refuse(
                "conditions",
                format!("finite vectors of {} numbers", self.clap.width()),
                format!("{n} × {width}"),
            );
        }
        if let Some(negative) =
            request.negative.filter(|negative| is_wrong(negative) || ![1, n].contains(&negative.nrows()))
        {
            return refuse(
                "negative conditions",
                format!("1 or {n} finite vectors of {}", self.clap.width()),
                format!("{:?}", negative.dim()),
            );
        }
        if request.ids.len() != n {
            return refuse("identities", format!("{n}, one per condition"), request.ids.len().to_string());
        }
        if request.candidates == 0 || request.candidates > 1024 {
            return refuse("candidates", "1 to 1024".into(), request.candidates.to_string());
        }
        if !request.guidance.is_finite() {
            return refuse("guidance", "a finite number".into(), request.guidance.to_string());
        }
        let latent = self.latent_shape(request.seconds)?;
        let [channels, frames, mels] = latent;
        let expected = (n * request.candidates, channels, frames, mels);
        if let Some(noise) = request.noise.filter(|noise| noise.dim() != expected) {
            return refuse("noise", format!("{expected:?}"), format!("{:?}", noise.dim()));
        }
        Ok(latent)
    }
}
