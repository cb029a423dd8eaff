//! w2v-BERT 2.0 (Seamless Communication 2023, arXiv 2312.05187): a Conformer (Gulati et al. 2020, arXiv 2005.08100) over
//! log-mels, from transformers' `Wav2Vec2BertModel` layout; every layer is a place that can be read. Reference: transformers
//! 5.24.0.
//!
//! It stands for the w2v-BERT of Brain2Music. MERT, trained on music, has no implementation in transformers to agree with: its
//! code comes with its weights.

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::{
    config::{self, LARGEST, Rest},
    error::{ModelError, Result},
    nn::{
        elementwise::Elementwise,
        layers::{Embedding, LayerNorm, Linear},
        maps,
        params::Params,
        time::{Depthwise, attend_biased},
    },
    tap::Taps,
};

const NAME: &str = "w2v-bert";
/// Tokens of the longest sound, a minute: every pair of them has a score in every head.
const LONGEST: usize = 3000;

/// The keys of a `Wav2Vec2BertConfig`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct W2vBertConfig {
    /// Width of the states.
    #[serde(default = "ten_twenty_four")]
    pub hidden_size: usize,
    /// Number of layers.
    #[serde(default = "twenty_four")]
    pub num_hidden_layers: usize,
    #[serde(default = "sixteen")]
    num_attention_heads: usize,
    #[serde(default = "forty_ninety_six")]
    intermediate_size: usize,
    /// Numbers in a token of the input.
    #[serde(default = "one_sixty")]
    pub feature_projection_input_dim: usize,
    #[serde(default = "swish")]
    hidden_act: String,
    #[serde(default = "eps")]
    layer_norm_eps: f64,
    #[serde(default)]
    add_adapter: bool,
    #[serde(default)]
    use_intermediate_ffn_before_adapter: bool,
    #[serde(default = "relative_key")]
    position_embeddings_type: Option<String>,
    #[serde(default = "sixty_four")]
    left_max_position_embeddings: usize,
    #[serde(default = "eight")]
    right_max_position_embeddings: usize,
    #[serde(default = "thirty_one")]
    conv_depthwise_kernel_size: usize,
    #[serde(flatten)]
    rest: Rest,
}

fn ten_twenty_four() -> usize {
    1024
}
fn twenty_four() -> usize {
    24
}
fn sixteen() -> usize {
    16
}
fn forty_ninety_six() -> usize {
    4096
}
fn one_sixty() -> usize {
    160
}
fn swish() -> String {
    "swish".into()
}
fn eps() -> f64 {
    1e-5
}
#[allow(clippy::unnecessary_wraps)]
fn relative_key() -> Option<String> {
    Some("relative_key".into())
}
fn sixty_four() -> usize {
    64
}
fn eight() -> usize {
    8
}
fn thirty_one() -> usize {
    31
}

/// Keys of training, of heads, and of settings that are switched off by others.
const INERT: &[&str] = &[
    "activation_dropout",
    "adapter_act",
    "adapter_kernel_size",
    "adapter_stride",
    "apply_spec_augment",
    "classifier_proj_size",
    "codevector_dim",
    "conformer_conv_dropout",
    "contrastive_logits_temperature",
    "ctc_loss_reduction",
    "ctc_zero_infinity",
    "diversity_loss_weight",
    "eos_token_id",
    "feat_proj_dropout",
    "feat_quantizer_dropout",
    "final_dropout",
    "hidden_dropout",
    "layerdrop",
    "mask_feature_length",
    "mask_feature_min_masks",
    "mask_feature_prob",
    "mask_time_length",
    "mask_time_min_masks",
    "mask_time_prob",
    "max_source_positions",
    "num_adapter_layers",
    "num_codevector_groups",
    "num_codevectors_per_group",
    "num_negatives",
    "output_hidden_size",
    "proj_codevector_dim",
    "rotary_embedding_base",
    "tdnn_dilation",
    "tdnn_dim",
    "tdnn_kernel",
    "use_weighted_layer_sum",
    "vocab_size",
    "xvector_output_dim",
];

impl W2vBertConfig {
    /// Reads and checks a `config.json`.
    ///
    /// # Errors
    /// [`ModelError::Config`] for anything that is not supported.
    pub fn parse(text: &str) -> Result<Self> {
        let c: Self = config::parse(NAME, text)?;
        let mut rest = c.rest.clone();
        for key in INERT {
            rest.remove(*key);
        }
        config::check_rest(NAME, &rest, &[])?;
        let refuse = |key: &str, value: String, supported: &str| {
            Err(ModelError::Config { component: NAME, key: key.into(), value, supported: supported.into() })
        };
        config::check_heads(NAME, "num_attention_heads", c.num_attention_heads, c.hidden_size)?;
        if c.add_adapter || c.use_intermediate_ffn_before_adapter {
            return refuse("add_adapter", "true".into(), "false");
        }
        if !matches!(c.position_embeddings_type.as_deref(), None | Some("relative_key")) {
            return refuse(
                "position_embeddings_type",
                format!("{:?}", c.position_embeddings_type),
                "\"relative_key\", null",
            );
        }
        if c.conv_depthwise_kernel_size.is_multiple_of(2) || c.conv_depthwise_kernel_size > 255 {
            return refuse("conv_depthwise_kernel_size", c.conv_depthwise_kernel_size.to_string(), "an odd number");
        }
        for (key, value) in [
            ("intermediate_size", c.intermediate_size),
            ("feature_projection_input_dim", c.feature_projection_input_dim),
            ("num_hidden_layers", c.num_hidden_layers),
        ] {
            if value == 0 || value > LARGEST {
                return refuse(key, value.to_string(), "1 to 65536");
            }
        }
        for (key, value) in [
            ("left_max_position_embeddings", c.left_max_position_embeddings),
            ("right_max_position_embeddings", c.right_max_position_embeddings),
        ] {
            if value > 4096 {
                return refuse(key, value.to_string(), "at most 4096");
            }
        }
        Ok(c)
    }
}

/// Half a network: what it adds is halved.
struct HalfNetwork {
    norm: LayerNorm,
    first: Linear,
    activation: Elementwise,
    second: Linear,
}

impl HalfNetwork {
    fn new(p: &Params, name: &str, c: &W2vBertConfig, activation: Elementwise) -> Result<Self> {
        let network = p.at(name);
        Ok(Self {
            norm: LayerNorm::new(&p.at(format_args!("{name}_layer_norm")), c.hidden_size, c.layer_norm_eps)?,
            first: Linear::new(&network.at("intermediate_dense"), c.hidden_size, c.intermediate_size)?,
            activation,
            second: Linear::new(&network.at("output_dense"), c.intermediate_size, c.hidden_size)?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let h = self.second.forward(&self.activation.apply(&self.first.forward(&self.norm.forward(x)?)?)?)?;
        Ok(maps::add(x, &(h * 0.5)?)?)
    }
}

/// A Conformer block: half a network, attention, convolution, half a network.
struct Layer {
    ffn1: HalfNetwork,
    attention_norm: LayerNorm,
    q: Linear,
    k: Linear,
    v: Linear,
    out: Linear,
    /// A vector for each distance, far to the left first.
    distances: Option<Embedding>,
    conv_norm: LayerNorm,
    pointwise1: Linear,
    depthwise: Depthwise,
    depthwise_norm: LayerNorm,
    activation: Elementwise,
    pointwise2: Linear,
    ffn2: HalfNetwork,
    norm: LayerNorm,
    heads: usize,
    span: [usize; 2],
}

impl Layer {
    fn new(p: &Params, c: &W2vBertConfig) -> Result<Self> {
        let (width, eps) = (c.hidden_size, c.layer_norm_eps);
        let activation = Elementwise::named(NAME, "hidden_act", &c.hidden_act)?;
        let (attention, conv) = (p.at("self_attn"), p.at("conv_module"));
        let square = |name: &str| Linear::new(&attention.at(name), width, width);
        let span = [c.left_max_position_embeddings, c.right_max_position_embeddings];
        let pointwise = |name: &str, outputs: usize| Linear::from_pointwise1d(&conv.at(name), width, outputs);
        Ok(Self {
            ffn1: HalfNetwork::new(p, "ffn1", c, activation)?,
            attention_norm: LayerNorm::new(&p.at("self_attn_layer_norm"), width, eps)?,
            q: square("linear_q")?,
            k: square("linear_k")?,
            v: square("linear_v")?,
            out: square("linear_out")?,
            distances: c
                .position_embeddings_type
                .is_some()
                .then(|| {
                    Embedding::new(
                        &attention.at("distance_embedding"),
                        span[0] + span[1] + 1,
                        width / c.num_attention_heads,
                    )
                })
                .transpose()?,
            conv_norm: LayerNorm::new(&conv.at("layer_norm"), width, eps)?,
            pointwise1: pointwise("pointwise_conv1", 2 * width)?,
            depthwise: Depthwise::new(&conv.at("depthwise_conv"), width, c.conv_depthwise_kernel_size)?,
            depthwise_norm: LayerNorm::new(&conv.at("depthwise_layer_norm"), width, eps)?,
            activation,
            pointwise2: pointwise("pointwise_conv2", width)?,
            ffn2: HalfNetwork::new(p, "ffn2", c, activation)?,
            norm: LayerNorm::new(&p.at("final_layer_norm"), width, eps)?,
            heads: c.num_attention_heads,
            span,
        })
    }

    /// (B, L, width) → the same; `places` (L, L) says which distance two tokens have.
    fn forward(&self, x: &Tensor, places: &Tensor) -> Result<Tensor> {
        let x = self.ffn1.forward(x)?;
        let x = maps::add(&x, &self.attend(&self.attention_norm.forward(&x)?, places)?)?;
        let x = maps::add(&x, &self.convolve(&self.conv_norm.forward(&x)?)?)?;
        self.norm.forward(&self.ffn2.forward(&x)?)
    }

    fn attend(&self, x: &Tensor, places: &Tensor) -> Result<Tensor> {
        let (batch, length, width) = x.dims3()?;
        let (q, k, v) = (self.q.forward(x)?, self.k.forward(x)?, self.v.forward(x)?);
        let dim = width / self.heads;
        let bias = match &self.distances {
            Some(table) => {
                // (B, heads, L, distances), of which every pair of tokens takes one.
                let n = self.span[0] + self.span[1] + 1;
                let queries = q.reshape((batch, length, self.heads, dim))?.transpose(1, 2)?.contiguous()?;
                let near = queries.broadcast_matmul(&table.first(n)?.t()?.contiguous()?)?;
                let near = (near * (1.0 / (dim as f64).sqrt()))?;
                let places = places.broadcast_as((batch, self.heads, length, length))?.contiguous()?;
                near.gather(&places, 3)?
            }
            None => Tensor::zeros((1, self.heads, length, length), x.dtype(), x.device())?,
        };
        self.out.forward(&attend_biased(&q, &k, &v, &bias, self.heads)?)
    }

    fn convolve(&self, x: &Tensor) -> Result<Tensor> {
        let both = self.pointwise1.forward(x)?;
        let width = both.dim(2)? / 2;
        let gate = both.narrow(2, width, width)?.contiguous()?;
        let gate = (((gate * 0.5)?.tanh()? * 0.5)? + 0.5)?; // σ
        let h = self.depthwise.forward(&both.narrow(2, 0, width)?.contiguous()?.mul(&gate)?)?;
        self.pointwise2.forward(&self.activation.apply(&self.depthwise_norm.forward(&h)?)?)
    }
}

/// The encoder.
pub struct W2vBertModel {
    config: W2vBertConfig,
    norm_in: LayerNorm,
    project_in: Linear,
    layers: Vec<Layer>,
    device: Device,
}

impl W2vBertModel {
    /// Builds the model from its config and parameters.
    ///
    /// # Errors
    /// Missing tensors and tensors of another shape, by name.
    pub fn new(p: &Params, config: W2vBertConfig) -> Result<Self> {
        let c = &config;
        let root = if p.at("wav2vec2_bert").holds_any() && !p.at("encoder").holds_any() {
            p.at("wav2vec2_bert")
        } else {
            p.clone()
        };
        // Stands for what is hidden in training.
        root.ignore("masked_spec_embed");
        let projection = root.at("feature_projection");
        let layers = root.at("encoder").at("layers");
        Ok(Self {
            norm_in: LayerNorm::new(&projection.at("layer_norm"), c.feature_projection_input_dim, c.layer_norm_eps)?,
            project_in: Linear::new(&projection.at("projection"), c.feature_projection_input_dim, c.hidden_size)?,
            layers: (0..c.num_hidden_layers).map(|i| Layer::new(&layers.at(i), c)).collect::<Result<_>>()?,
            device: p.device(),
            config,
        })
    }

    /// The config it was built from.
    pub fn config(&self) -> &W2vBertConfig {
        &self.config
    }

    /// Where the model lives.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Tokens of a sound (see [`SeamlessHearing`](super::hearing::SeamlessHearing)) to the states behind the last layer, with
    /// places that are read in passing: `layer00` (the projected tokens), `layer01`, … as transformers' `hidden_states`.
    ///
    /// # Shapes
    /// (B, tokens, `feature_projection_input_dim`) → (B, tokens, hidden).
    ///
    /// # Errors
    /// Tokens of another width, none, or more than a minute.
    pub fn forward(&self, tokens: &Tensor, taps: &mut Taps) -> Result<Tensor> {
        let (batch, length, width) = tokens.dims3()?;
        let c = &self.config;
        if width != c.feature_projection_input_dim || length == 0 || length > LONGEST {
            return Err(ModelError::Input {
                what: "tokens of sound",
                expected: format!("({batch}, 1 to {LONGEST}, {})", c.feature_projection_input_dim),
                got: format!("{:?}", tokens.dims()),
            });
        }
        let [left, right] = [c.left_max_position_embeddings, c.right_max_position_embeddings].map(|n| n as i64);
        let place = |i: usize| ((i % length) as i64 - (i / length) as i64).clamp(-left, right) + left;
        let places: Vec<u32> = (0..length * length).map(|i| place(i) as u32).collect();
        let places = Tensor::from_vec(places, (1, 1, length, length), tokens.device())?;
        let mut x = self.project_in.forward(&self.norm_in.forward(tokens)?)?;
        taps.see(format_args!("layer00"), &x);
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.forward(&x, &places)?;
            taps.see(format_args!("layer{:02}", i + 1), &x);
        }
        Ok(x)
    }
}
