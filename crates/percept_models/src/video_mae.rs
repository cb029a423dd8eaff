//! VideoMAE (Tong et al. 2022, arXiv 2203.12602): transformers' `VideoMAEModel` and `VideoMAEForVideoClassification`, from their
//! `config.json` and checkpoints.
//!
//! A film is cut into patches of a few frames and pixels, all of which attend to each other. Of a checkpoint for pre-training
//! the encoder is taken and the decoder left. The layers are those of [`crate::vit`].

use std::collections::BTreeMap;

use candle_core::{Device, IndexOp, Tensor};
use serde::Deserialize;

use crate::{
    config::{self, LARGEST},
    error::{ModelError, Result},
    nn::{
        block::TokenBlock,
        layers::{LayerNorm, Linear},
        params::Params,
    },
    tap::Taps,
    vit::{Biases, LayerConfig, layers, patches, through},
};

const NAME: &str = "video transformer";
/// The epsilon of the norm before the classifier, which no config names.
const HEAD_EPS: f64 = 1e-5;

/// The keys of a `VideoMAEConfig`.
#[derive(Clone, Debug)]
pub struct VideoMaeConfig {
    /// Those of its layers.
    pub layers: LayerConfig,
    /// Frames of a film.
    pub num_frames: usize,
    /// Frames of a patch.
    pub tubelet_size: usize,
    biased: bool,
    pools_mean: bool,
}

impl VideoMaeConfig {
    /// How transformers' configs name the model.
    pub const KIND: &str = "videomae";

    /// Reads and checks a `config.json`.
    ///
    /// # Errors
    /// [`ModelError::Config`] for anything that is not supported.
    pub fn parse(text: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Own {
            num_frames: Option<usize>,
            tubelet_size: Option<usize>,
            qkv_bias: Option<bool>,
            qv_bias: Option<bool>,
            use_mean_pooling: Option<bool>,
        }
        let (layers, own): (LayerConfig, Own) = (config::parse(NAME, text)?, config::parse(NAME, text)?);
        let known = ["num_frames", "tubelet_size", "qkv_bias", "qv_bias", "use_mean_pooling", "norm_pix_loss"];
        let decoder = [
            "decoder_hidden_size",
            "decoder_intermediate_size",
            "decoder_num_attention_heads",
            "decoder_num_hidden_layers",
        ];
        layers.check(NAME, &[&known[..], &decoder[..]].concat())?;
        let (num_frames, tubelet_size) = (own.num_frames.unwrap_or(16), own.tubelet_size.unwrap_or(2));
        if num_frames == 0 || num_frames > LARGEST || tubelet_size == 0 || !num_frames.is_multiple_of(tubelet_size) {
            return Err(ModelError::Config {
                component: NAME,
                key: "tubelet_size".into(),
                value: tubelet_size.to_string(),
                supported: format!("a divisor of `num_frames` = {num_frames}"),
            });
        }
        let tokens = num_frames / tubelet_size * layers.n_patches();
        if tokens.checked_mul(layers.hidden_size).is_none_or(|values| values > 1 << 31) {
            return Err(ModelError::Config {
                component: NAME,
                key: "num_frames".into(),
                value: num_frames.to_string(),
                supported: "fewer patches of a film".into(),
            });
        }
        Ok(Self {
            layers,
            num_frames,
            tubelet_size,
            biased: own.qkv_bias.or(own.qv_bias).unwrap_or(true),
            pools_mean: own.use_mean_pooling.unwrap_or(true),
        })
    }

    /// Tokens of a film.
    fn n_tokens(&self) -> usize {
        self.num_frames / self.tubelet_size * self.layers.n_patches()
    }
}

/// The model, with the classifier that its checkpoint has.
pub struct VideoMaeModel {
    config: VideoMaeConfig,
    patch: Linear,
    positions: Tensor,
    layers: Vec<TokenBlock>,
    /// Behind the last layer, where the mean of the tokens is not what counts.
    norm: Option<LayerNorm>,
    /// Of the mean, before the classifier.
    norm_of_mean: Option<LayerNorm>,
    classifier: Option<Linear>,
}

/// What the model makes of a batch of films.
pub struct VideoMaeStates {
    /// Token states, (B, tokens, width).
    pub last_hidden: Tensor,
    /// What the classifier is given: the mean of the tokens behind its norm, or the first token, (B, width).
    pub pooled: Tensor,
    /// One number for each class, (B, classes), where the checkpoint has a classifier.
    pub logits: Option<Tensor>,
}

impl VideoMaeModel {
    /// The parameters in the tensors of a checkpoint, without those of pre-training.
    pub fn params(tensors: BTreeMap<String, Tensor>, origin: &str) -> Params {
        let training = ["decoder.", "encoder_to_decoder.", "mask_token", "position_embeddings"];
        let is_training = |name: &str| training.iter().any(|start| name.starts_with(start));
        Params::from_tensors(tensors.into_iter().filter(|(name, _)| !is_training(name)).collect(), origin)
    }

    /// Builds the model from its config and parameters, with or without the prefix `videomae`.
    ///
    /// # Errors
    /// Missing tensors and tensors of another shape, by name.
    pub fn new(p: &Params, config: VideoMaeConfig) -> Result<Self> {
        let c = &config.layers;
        let root = if p.at("videomae").holds_any() { p.at("videomae") } else { p.clone() };
        let (width, eps) = (c.hidden_size, c.layer_norm_eps);
        let biases = Biases { queries_and_values: config.biased, keys: false };
        let patch = root.at("embeddings").at("patch_embeddings").at("projection");
        let kernel = [config.tubelet_size, c.patch_size, c.patch_size];
        let (head, classifier) = (p.at("fc_norm"), p.at("classifier"));
        let norm = (!config.pools_mean).then(|| LayerNorm::new(&root.at("layernorm"), width, eps)).transpose()?;
        let norm_of_mean = (config.pools_mean && head.holds_any()).then(|| LayerNorm::new(&head, width, HEAD_EPS));
        Ok(Self {
            patch: Linear::from_patches(&patch, [3, width], &kernel)?,
            positions: sinusoids(config.n_tokens(), width, &p.device())?,
            layers: layers(&root, c, biases)?,
            norm,
            norm_of_mean: norm_of_mean.transpose()?,
            classifier: classifier.holds_any().then(|| Linear::new(&classifier, width, c.n_classes())).transpose()?,
            config,
        })
    }

    /// The config it was built from.
    pub fn config(&self) -> &VideoMaeConfig {
        &self.config
    }

    /// Where the model lives.
    pub fn device(&self) -> &Device {
        self.positions.device()
    }

    /// Prepared films (B, frames, 3, side, side) to states, with places that are read in passing: `layer00` (the embeddings),
    /// `layer01`, … (behind each layer) and `pooled`.
    ///
    /// # Errors
    /// Films of another size or number of frames.
    pub fn forward(&self, films: &Tensor, taps: &mut Taps) -> Result<VideoMaeStates> {
        let (c, side) = (&self.config, self.config.layers.image_size);
        if films.rank() != 5 || films.dims()[1..] != [c.num_frames, 3, side, side] {
            return Err(ModelError::Input {
                what: "films for the video transformer",
                expected: format!("(n, {}, 3, {side}, {side})", c.num_frames),
                got: format!("{:?}", films.dims()),
            });
        }
        let tokens = self.patch.forward(&patches(films, c.tubelet_size, c.layers.patch_size)?)?;
        let mut x = through(&self.layers, tokens.broadcast_add(&self.positions)?, taps)?;
        if let Some(norm) = &self.norm {
            x = norm.forward(&x)?;
        }
        let pooled = match (c.pools_mean, &self.norm_of_mean) {
            (true, Some(norm)) => norm.forward(&x.mean(1)?)?,
            (true, None) => x.mean(1)?,
            (false, _) => x.i((.., 0))?.contiguous()?,
        };
        taps.see(format_args!("pooled"), &pooled);
        let logits = self.classifier.as_ref().map(|classifier| classifier.forward(&pooled)).transpose()?;
        Ok(VideoMaeStates { last_hidden: x, pooled, logits })
    }
}

/// The sinusoids of positions 0 to `n` (Vaswani et al. 2017, arXiv 1706.03762), sines and cosines in turn, from f64:
/// (1, n, width).
fn sinusoids(n: usize, width: usize, device: &Device) -> Result<Tensor> {
    let rates: Vec<f64> = (0..width).map(|i| 10_000f64.powf((i - i % 2) as f64 / width as f64)).collect();
    let wave = |at: usize| {
        let angle = (at / width) as f64 / rates[at % width];
        (if (at % width).is_multiple_of(2) { angle.sin() } else { angle.cos() }) as f32
    };
    Ok(Tensor::from_vec((0..n * width).map(wave).collect::<Vec<_>>(), (1, n, width), device)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_that_do_not_fill_a_film_are_refused() {
        for text in
            [r#"{"num_frames": 5}"#, r#"{"tubelet_size": 0}"#, r#"{"patch_size": 15}"#, r#"{"decoder_size": 3}"#]
        {
            let words = VideoMaeConfig::parse(text).expect_err(text).to_string();
            assert!(words.contains("is not supported"), "{words}");
        }
        let config = VideoMaeConfig::parse("{}").expect("the defaults are those of the base model");
        assert_eq!((config.n_tokens(), config.pools_mean, config.biased), (1568, true, true));
    }
}
