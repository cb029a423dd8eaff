//! Vision Transformers (Dosovitskiy et al. 2020, arXiv 2010.11929): transformers' `ViTModel` and `ViTForImageClassification`,
//! from their `config.json` and checkpoints.
//!
//! Checkpoints name their layers `encoder.layer.0.attention.attention.query` and so on; newer files, as transformers 5 holds
//! them, `layers.0.attention.q_proj`. Both are read. Not handled: pictures of another size than the config's, and what a masked
//! autoencoder adds for training (`mask_token`, `decoder`), which is left out.

use std::collections::BTreeMap;

use candle_core::{Device, IndexOp, Tensor};
use serde::Deserialize;

use crate::{
    config::{self, LARGEST, Rest},
    error::{ModelError, Result},
    nn::{
        block::{FeedForward, Norm, SelfAttention, TokenBlock},
        elementwise::Elementwise,
        layers::{LayerNorm, Linear},
        params::{Init, Params},
    },
    tap::Taps,
};

const NAME: &str = "vision transformer";
/// Classes of a config that lists none, as transformers has it.
const USUAL_CLASSES: usize = 2;

/// The keys that the layers of ViT and VideoMAE have in common.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct LayerConfig {
    /// Width of the token states.
    pub hidden_size: usize,
    /// Width inside the two-layer networks.
    pub intermediate_size: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Heads of the self-attention.
    pub num_attention_heads: usize,
    /// Side of the pictures in pixels.
    pub image_size: usize,
    /// Side of a patch in pixels.
    pub patch_size: usize,
    num_channels: usize,
    hidden_act: String,
    pub(crate) layer_norm_eps: f64,
    id2label: Option<BTreeMap<String, serde_json::Value>>,
    num_labels: Option<usize>,
    #[serde(flatten)]
    pub(crate) rest: Rest,
}

impl Default for LayerConfig {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            image_size: 224,
            patch_size: 16,
            num_channels: 3,
            hidden_act: "gelu".into(),
            layer_norm_eps: 1e-12,
            id2label: None,
            num_labels: None,
            rest: Rest::new(),
        }
    }
}

impl LayerConfig {
    /// Refuses what is not supported; `own` are keys that the model has beside these and that do not change it.
    pub(crate) fn check(&self, component: &'static str, own: &[&str]) -> Result<()> {
        let training = [
            "attention_probs_dropout_prob",
            "encoder_stride",
            "hidden_dropout_prob",
            "label2id",
            "layerdrop",
            "problem_type",
        ];
        let rest =
            self.rest.iter().filter(|(key, _)| !own.contains(&key.as_str()) && !training.contains(&key.as_str()));
        let rest: Rest = rest.map(|(key, value)| (key.clone(), value.clone())).collect();
        config::check_rest(component, &rest, &[])?;
        config::check_heads(component, "num_attention_heads", self.num_attention_heads, self.hidden_size)?;
        Elementwise::named(component, "hidden_act", &self.hidden_act)?;
        let refuse = |key: &str, value: usize, supported: String| {
            Err(ModelError::Config { component, key: key.into(), value: value.to_string(), supported })
        };
        let is_divisor = self.patch_size > 0 && self.image_size.is_multiple_of(self.patch_size);
        if self.image_size == 0 || self.image_size > LARGEST || !is_divisor {
            let supported = format!("a divisor of `image_size` = {}", self.image_size);
            return refuse("patch_size", self.patch_size, supported);
        }
        if self.num_channels != 3 {
            return refuse("num_channels", self.num_channels, "3".into());
        }
        if self.intermediate_size == 0 || self.intermediate_size > LARGEST {
            return refuse("intermediate_size", self.intermediate_size, format!("1 to {LARGEST}"));
        }
        Ok(())
    }

    /// Patches of a picture.
    pub(crate) fn n_patches(&self) -> usize {
        (self.image_size / self.patch_size).pow(2)
    }

    /// Classes of the classifier behind the model, where there is one.
    pub(crate) fn n_classes(&self) -> usize {
        self.id2label.as_ref().map(BTreeMap::len).or(self.num_labels).unwrap_or(USUAL_CLASSES)
    }
}

/// Which of the projections to queries, keys and values have a bias.
#[derive(Clone, Copy)]
pub(crate) struct Biases {
    pub(crate) queries_and_values: bool,
    pub(crate) keys: bool,
}

/// All layers below `p`, the root of the model: norms before self-attention and a two-layer network.
pub(crate) fn layers(p: &Params, c: &LayerConfig, biases: Biases) -> Result<Vec<TokenBlock>> {
    let (old, new) = (p.at("encoder").at("layer"), p.at("layers"));
    let is_old = old.holds_any();
    (0..c.num_hidden_layers)
        .map(|i| if is_old { layer(&old.at(i), c, biases, &OLD) } else { layer(&new.at(i), c, biases, &NEW) })
        .collect()
}

/// How a layer's tensors are named.
struct Names {
    attention: &'static [&'static str],
    /// Queries, keys and values.
    parts: [&'static str; 3],
    out: &'static [&'static str],
    first: &'static [&'static str],
    second: &'static [&'static str],
}

const OLD: Names = Names {
    attention: &["attention", "attention"],
    parts: ["query", "key", "value"],
    out: &["attention", "output", "dense"],
    first: &["intermediate", "dense"],
    second: &["output", "dense"],
};
const NEW: Names = Names {
    attention: &["attention"],
    parts: ["q_proj", "k_proj", "v_proj"],
    out: &["attention", "o_proj"],
    first: &["mlp", "fc1"],
    second: &["mlp", "fc2"],
};

fn layer(p: &Params, c: &LayerConfig, biases: Biases, names: &Names) -> Result<TokenBlock> {
    let below = |path: &[&str]| path.iter().fold(p.clone(), |p, name| p.at(name));
    let (width, attention) = (c.hidden_size, below(names.attention));
    let part = |i: usize, biased: bool| -> Result<Linear> {
        let place = attention.at(names.parts[i]);
        // VideoMAE's releases store the biases of queries and values beside the weights: `q_bias`.
        let apart = format!("{}_bias", &names.parts[i][..1]);
        match biased {
            false => Linear::without_bias(&place, width, width),
            true if attention.in_files(&apart) => {
                let bias = attention.get(&apart, &[width], Init::Uniform { fan_in: width })?;
                Ok(Linear::without_bias(&place, width, width)?.with_bias(bias))
            }
            true => Linear::new(&place, width, width),
        }
    };
    Ok(TokenBlock {
        attention_norm: Norm::layer(&p.at("layernorm_before"), width, c.layer_norm_eps)?,
        attention: SelfAttention {
            q: part(0, biases.queries_and_values)?,
            k: part(1, biases.keys)?,
            v: part(2, biases.queries_and_values)?,
            out: Linear::new(&below(names.out), width, width)?,
            heads: c.num_attention_heads,
            kv_heads: c.num_attention_heads,
        },
        network_norm: Norm::layer(&p.at("layernorm_after"), width, c.layer_norm_eps)?,
        network: FeedForward::Plain {
            first: Linear::new(&below(names.first), width, c.intermediate_size)?,
            activation: Elementwise::named(NAME, "hidden_act", &c.hidden_act)?,
            second: Linear::new(&below(names.second), c.intermediate_size, width)?,
        },
        norms_behind: false,
    })
}

/// Tokens (B, L, width) through all layers, with the places `layer00` (before the first), `layer01`, … (behind each).
pub(crate) fn through(layers: &[TokenBlock], tokens: Tensor, taps: &mut Taps) -> Result<Tensor> {
    let mut x = tokens;
    taps.see(format_args!("layer00"), &x);
    for (i, layer) in layers.iter().enumerate() {
        x = layer.forward(&x, false, None)?;
        taps.see(format_args!("layer{:02}", i + 1), &x);
    }
    Ok(x)
}

/// Pixels (B, F, 3, H, W) as one row of values for each patch of `time` frames and `side` × `side` pixels: (B, patches,
/// 3·time·side²), ordered as the kernel of a convolution.
pub(crate) fn patches(pixels: &Tensor, time: usize, side: usize) -> Result<Tensor> {
    let (batch, frames, channels, height, width) = pixels.dims5()?;
    let (t, h, w) = (frames / time, height / side, width / side);
    let split = pixels.reshape(&[batch, t, time, channels, h, side, w, side][..])?;
    let rows = split.permute(&[0, 1, 4, 6, 3, 2, 5, 7][..])?.contiguous()?;
    Ok(rows.reshape((batch, t * h * w, channels * time * side * side))?)
}

/// The keys of a `ViTConfig`.
#[derive(Clone, Debug)]
pub struct VitConfig {
    /// Those of its layers.
    pub layers: LayerConfig,
    qkv_bias: bool,
    /// Width of the pooled token.
    pooled: usize,
}

impl VitConfig {
    /// How transformers' configs name the model.
    pub const KIND: &str = "vit";

    /// Reads and checks a `config.json`.
    ///
    /// # Errors
    /// [`ModelError::Config`] for anything that is not supported.
    pub fn parse(text: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Own {
            qkv_bias: Option<bool>,
            pooler_output_size: Option<usize>,
            pooler_act: Option<String>,
        }
        let (layers, own): (LayerConfig, Own) = (config::parse(NAME, text)?, config::parse(NAME, text)?);
        layers.check(NAME, &["qkv_bias", "pooler_output_size", "pooler_act"])?;
        let pooled = own.pooler_output_size.unwrap_or(layers.hidden_size);
        let refuse = |key: &str, value: String, supported: String| {
            Err(ModelError::Config { component: NAME, key: key.into(), value, supported })
        };
        if pooled == 0 || pooled > LARGEST {
            return refuse("pooler_output_size", pooled.to_string(), format!("1 to {LARGEST}"));
        }
        match own.pooler_act {
            Some(other) if other != "tanh" => refuse("pooler_act", other, "tanh".into()),
            _ => Ok(Self { layers, qkv_bias: own.qkv_bias.unwrap_or(true), pooled }),
        }
    }
}

/// The model, with the pooler or the classifier that its checkpoint has.
pub struct VitModel {
    config: VitConfig,
    patch: Linear,
    class: Tensor,
    positions: Tensor,
    layers: Vec<TokenBlock>,
    norm: LayerNorm,
    pooler: Option<Linear>,
    classifier: Option<Linear>,
}

/// What the model makes of a batch of pictures.
pub struct VitStates {
    /// Token states behind the last norm, class token first, (B, 1 + patches, width).
    pub last_hidden: Tensor,
    /// The class token behind one more layer, (B, width), where the checkpoint has it.
    pub pooled: Option<Tensor>,
    /// One number for each class, (B, classes), where the checkpoint has a classifier.
    pub logits: Option<Tensor>,
}

impl VitModel {
    /// The parameters in the tensors of a checkpoint, without those of a masked autoencoder's training.
    pub fn params(tensors: BTreeMap<String, Tensor>, origin: &str) -> Params {
        let training = |name: &str| name.ends_with("embeddings.mask_token") || name.starts_with("decoder.");
        Params::from_tensors(tensors.into_iter().filter(|(name, _)| !training(name)).collect(), origin)
    }

    /// Builds the model from its config and parameters, with or without the prefix `vit`.
    ///
    /// # Errors
    /// Missing tensors and tensors of another shape, by name.
    pub fn new(p: &Params, config: VitConfig) -> Result<Self> {
        let c = &config.layers;
        let root = if p.at("vit").holds_any() { p.at("vit") } else { p.clone() };
        let (width, embeddings) = (c.hidden_size, root.at("embeddings"));
        let biases = Biases { queries_and_values: config.qkv_bias, keys: config.qkv_bias };
        let (pooler, classifier) = (root.at("pooler").at("dense"), p.at("classifier"));
        let patch = embeddings.at("patch_embeddings").at("projection");
        let init = Init::Normal { std: 0.02 };
        Ok(Self {
            patch: Linear::from_patches(&patch, [3, width], &[c.patch_size; 2])?,
            class: embeddings.get("cls_token", &[1, 1, width], init)?,
            positions: embeddings.get("position_embeddings", &[1, 1 + c.n_patches(), width], init)?,
            layers: layers(&root, c, biases)?,
            norm: LayerNorm::new(&root.at("layernorm"), width, c.layer_norm_eps)?,
            pooler: pooler.holds_any().then(|| Linear::new(&pooler, width, config.pooled)).transpose()?,
            classifier: classifier.holds_any().then(|| Linear::new(&classifier, width, c.n_classes())).transpose()?,
            config,
        })
    }

    /// The config it was built from.
    pub fn config(&self) -> &VitConfig {
        &self.config
    }

    /// Where the model lives.
    pub fn device(&self) -> &Device {
        self.class.device()
    }

    /// Prepared pictures (B, 3, side, side) to states, with places that are read in passing: `layer00` (the embeddings),
    /// `layer01`, … (behind each layer), `norm` and, where it is there, `pooled`.
    ///
    /// # Errors
    /// Pictures of another size.
    pub fn forward(&self, pictures: &Tensor, taps: &mut Taps) -> Result<VitStates> {
        let (batch, channels, height, width) = pictures.dims4()?;
        let (side, hidden) = (self.config.layers.image_size, self.config.layers.hidden_size);
        if [channels, height, width] != [3, side, side] {
            return Err(ModelError::Input {
                what: "pictures for the vision transformer",
                expected: format!("(n, 3, {side}, {side})"),
                got: format!("{:?}", pictures.dims()),
            });
        }
        let patches = patches(&pictures.unsqueeze(1)?, 1, self.config.layers.patch_size)?;
        let class = self.class.broadcast_as((batch, 1, hidden))?;
        let tokens = Tensor::cat(&[&class.contiguous()?, &self.patch.forward(&patches)?], 1)?;
        let x = through(&self.layers, tokens.broadcast_add(&self.positions)?, taps)?;
        let x = self.norm.forward(&x)?;
        taps.see(format_args!("norm"), &x);
        let first = x.i((.., 0))?.contiguous()?;
        let pooled =
            self.pooler.as_ref().map(|pooler| Ok::<_, ModelError>(pooler.forward(&first)?.tanh()?)).transpose()?;
        if let Some(pooled) = &pooled {
            taps.see(format_args!("pooled"), pooled);
        }
        let logits = self.classifier.as_ref().map(|classifier| classifier.forward(&first)).transpose()?;
        Ok(VitStates { last_hidden: x, pooled, logits })
    }
}
