//! EnCodec (Défossez et al. 2022, arXiv 2210.13438): sounds to latents, latents to codes of a residual vector quantiser, and
//! back, from transformers' `EncodecModel` layout, for 24 kHz (causal, weight-normalised) and 48 kHz (stereo, in pieces that
//! overlap, each brought to one loudness). Reference: transformers 5.24.0.

mod config;
mod net;

use candle_core::{Device, Tensor};
use ndarray::{Array2, ArrayView2, s};

use super::check_sound;
use crate::{
    error::{ModelError, Result},
    nn::{
        host::{to_rows, to_vec},
        params::{Init, Params},
    },
};

pub use config::EncodecConfig;
use net::{Part, decode_net, encode_net, run};

/// A piece of a sound: all of it, or with models that cut sounds a second or so.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// Latents before quantisation, (latents, width).
    pub latents: Array2<f32>,
    /// What its samples were divided by.
    pub scale: Option<f32>,
}

/// The codec.
pub struct EncodecModel {
    config: EncodecConfig,
    encode_net: Vec<Part>,
    decode_net: Vec<Part>,
    /// Of each quantiser, (codes, width).
    codebooks: Vec<Tensor>,
}

impl EncodecModel {
    /// Builds the model from its config and parameters.
    ///
    /// # Errors
    /// Missing tensors and tensors of another shape, by name.
    pub fn new(p: &Params, config: EncodecConfig) -> Result<Self> {
        let layers = p.at("quantizer").at("layers");
        let codebook = |i: usize| {
            let p = layers.at(i).at("codebook");
            // Of training.
            for name in ["inited", "cluster_size", "embed_avg"] {
                p.ignore(name);
            }
            p.get("embed", &[config.codebook_size, config.hidden_size], Init::Normal { std: 1.0 })
        };
        Ok(Self {
            encode_net: encode_net(p, &config)?,
            decode_net: decode_net(p, &config)?,
            codebooks: (0..config.n_quantisers()).map(codebook).collect::<Result<_>>()?,
            config,
        })
    }

    /// The config it was built from.
    pub fn config(&self) -> &EncodecConfig {
        &self.config
    }

    /// Where the model lives.
    pub fn device(&self) -> Device {
        self.codebooks[0].device().clone()
    }

    /// Samples (B, channels, L) to latents before quantisation, (B, width, latents), without cutting or scaling.
    ///
    /// # Errors
    /// Another number of channels.
    pub fn encode(&self, samples: &Tensor) -> Result<Tensor> {
        let (_, channels, length) = samples.dims3()?;
        if channels != self.config.audio_channels || length == 0 {
            return Err(ModelError::Input {
                what: "sound",
                expected: format!("(batch, {}, samples)", self.config.audio_channels),
                got: format!("{:?}", samples.dims()),
            });
        }
        run(&self.encode_net, samples)
    }

    /// Latents (B, width, latents), quantised or not, to samples (B, channels, latents · hop).
    ///
    /// # Errors
    /// Latents of another width.
    pub fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        if latents.dims3()?.1 != self.config.hidden_size {
            return Err(ModelError::Input {
                what: "latents",
                expected: format!("(batch, {}, latents)", self.config.hidden_size),
                got: format!("{:?}", latents.dims()),
            });
        }
        run(&self.decode_net, latents)
    }

    /// A sound (channels, samples) at the model's rate to the latents of its pieces. A model of two channels takes a sound of
    /// one as both; a model of one takes the mean of two.
    ///
    /// # Errors
    /// A sound that is empty, not of numbers, or of more than two channels.
    pub fn encode_sound(&self, sound: ArrayView2<'_, f32>) -> Result<Vec<Piece>> {
        let c = &self.config;
        let (channels, length) = sound.dim();
        let values: Vec<f32> = match (channels, c.audio_channels) {
            (a, b) if a == b => sound.iter().copied().collect(),
            (1, 2) => sound.iter().chain(sound.iter()).copied().collect(),
            (2, 1) => sound.columns().into_iter().map(|frame| frame.sum() / 2.0).collect(),
            _ => {
                let expected = "one or two channels".to_owned();
                return Err(ModelError::Input { what: "sound", expected, got: channels.to_string() });
            }
        };
        check_sound(&values)?;
        let sound = Tensor::from_vec(values, (1, c.audio_channels, length), &self.device())?;
        let [size, step] = c.pieces().unwrap_or([length, length]);
        let mut pieces = Vec::new();
        for from in (0..length).step_by(step) {
            let mut piece = sound.narrow(2, from, size.min(length - from))?.contiguous()?;
            let mut scale = None;
            if c.normalize {
                let mono = piece.mean(1)?;
                let own = mono.sqr()?.mean_all()?.sqrt()?.to_scalar::<f32>()? + 1e-8;
                piece = (piece / f64::from(own))?;
                scale = Some(own);
            }
            let latents = to_rows(&self.encode(&piece)?.squeeze(0)?.t()?.contiguous()?)?;
            pieces.push(Piece { latents, scale });
        }
        Ok(pieces)
    }

    /// Pieces to a sound (channels, samples), faded into each other where they overlap.
    ///
    /// # Errors
    /// No pieces, or latents of another width.
    pub fn decode_sound(&self, pieces: &[Piece]) -> Result<Array2<f32>> {
        let c = &self.config;
        let mut sounds = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let latents = piece.latents.t().as_standard_layout().into_owned();
            let (width, n) = latents.dim();
            let latents = Tensor::from_vec(latents.into_raw_vec_and_offset().0, (1, width, n), &self.device())?;
            let sound = to_rows(&self.decode(&latents)?.squeeze(0)?)?;
            sounds.push(sound * piece.scale.unwrap_or(1.0));
        }
        let step = c.pieces().map_or(1, |[_, step]| step);
        match sounds.as_slice() {
            [] => Err(ModelError::Input { what: "pieces", expected: "at least one".into(), got: "none".into() }),
            [only] if c.pieces().is_none() => Ok(only.clone()),
            all => Ok(overlapped(all, step)),
        }
    }

    /// Latents (latents, width) to codes, (quantisers, latents): of each codebook the nearest to what those before it left.
    /// As many codebooks as `kilobits` a second pay for; without it all.
    ///
    /// # Errors
    /// Latents of another width.
    pub fn quantise(&self, latents: ArrayView2<'_, f32>, kilobits: Option<f64>) -> Result<Array2<u32>> {
        let (n, width) = latents.dim();
        if width != self.config.hidden_size {
            let expected = format!("{} numbers each", self.config.hidden_size);
            return Err(ModelError::Input { what: "latents", expected, got: width.to_string() });
        }
        let used = kilobits.map_or(self.codebooks.len(), |kilobits| self.config.quantisers_for(kilobits));
        let mut rest = Tensor::from_vec(latents.iter().copied().collect::<Vec<_>>(), (n, width), &self.device())?;
        let mut codes = Array2::zeros((used, n));
        for (book, mut row) in self.codebooks.iter().zip(codes.outer_iter_mut()) {
            // The square of the latent is the same for all codes.
            let size = book.sqr()?.sum(1)?;
            let near = (rest.matmul(&book.t()?.contiguous()?)? * 2.0)?.broadcast_sub(&size)?;
            for (code, near) in row.iter_mut().zip(to_vec(&near)?.chunks_exact(self.config.codebook_size)) {
                let best = near.iter().enumerate().fold(0, |best, (i, v)| if *v > near[best] { i } else { best });
                *code = best as u32;
            }
            let chosen = Tensor::from_vec(row.to_vec(), n, &self.device())?;
            rest = (rest - book.index_select(&chosen, 0)?)?;
        }
        Ok(codes)
    }

    /// Codes (quantisers, latents) to latents (latents, width): the sum of what they stand for.
    ///
    /// # Errors
    /// More quantisers than there are, or codes outside of their books.
    pub fn dequantise(&self, codes: ArrayView2<'_, u32>) -> Result<Array2<f32>> {
        let c = &self.config;
        let outside = codes.iter().find(|&&code| code as usize >= c.codebook_size);
        if codes.nrows() > self.codebooks.len() || codes.nrows() == 0 || outside.is_some() {
            return Err(ModelError::Input {
                what: "codes",
                expected: format!("at most {} rows of numbers below {}", self.codebooks.len(), c.codebook_size),
                got: outside.map_or(format!("{} rows", codes.nrows()), u32::to_string),
            });
        }
        let mut sum = Array2::zeros((codes.ncols(), c.hidden_size));
        for (book, row) in self.codebooks.iter().zip(codes.outer_iter()) {
            let book = to_rows(book)?;
            for (mut to, &code) in sum.outer_iter_mut().zip(row) {
                to += &book.slice(s![code as usize, ..]);
            }
        }
        Ok(sum)
    }
}

/// Pieces at `step` samples from each other, weighted by triangles over the length of the first.
fn overlapped(pieces: &[Array2<f32>], step: usize) -> Array2<f32> {
    let (channels, length) = pieces[0].dim();
    let last = pieces[pieces.len() - 1].ncols();
    let total = step * (pieces.len() - 1) + last;
    let weight = |i: usize| 0.5 - ((i + 1) as f32 / (length + 1) as f32 - 0.5).abs();
    let mut sum = Array2::<f32>::zeros((channels, total));
    let mut weights = vec![0f32; total];
    for (k, piece) in pieces.iter().enumerate() {
        for i in 0..piece.ncols().min(length).min(total - k * step) {
            let w = weight(i);
            weights[k * step + i] += w;
            for channel in 0..channels {
                sum[(channel, k * step + i)] += w * piece[(channel, i)];
            }
        }
    }
    for mut row in sum.outer_iter_mut() {
        row.iter_mut().zip(&weights).for_each(|(value, weight)| *value /= weight.max(f32::MIN_POSITIVE));
    }
    sum
}
