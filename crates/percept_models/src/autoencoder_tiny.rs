//! `AutoencoderTiny`: the small distilled autoencoder TAESD (Ollin Boer Bohan, github.com/madebyollin/taesd), built from
//! a diffusers `vae/config.json`, or from a pair of original files, whose architecture is read off their tensors.
//!
//! Its latents are those of the large autoencoder it was distilled from, already scaled for diffusion. The variant for
//! FLUX.2 has a second, wide branch in the blocks at the coarsest resolution; diffusers has no config for it.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    config::{self, LARGEST, Rest},
    error::{ModelError, Result},
    nn::{
        elementwise::Elementwise,
        layers::{Conv2d, GroupNorm},
        ops,
        params::Params,
    },
};

const NAME: &str = "vae";
/// Latents are squashed to ± this before decoding.
const SQUASH: f64 = 3.0;
/// Groups of the norm in the wide branch, and how much wider it is.
const POOL_GROUPS: usize = 4;
const POOL_WIDTH: usize = 4;
/// PyTorch's default, which the norm in the wide branch has.
const EPS: f64 = 1e-5;

/// The keys of an `AutoencoderTiny` config.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct TinyConfig {
    /// Channels of a picture.
    #[serde(default = "three")]
    pub in_channels: usize,
    /// Channels of a decoded picture.
    #[serde(default = "three")]
    pub out_channels: usize,
    /// Channels of a latent.
    #[serde(default = "four")]
    pub latent_channels: usize,
    /// What latents are multiplied by before diffusion; they already have its scale.
    #[serde(default = "unit")]
    pub scaling_factor: f64,
    #[serde(default = "widths")]
    encoder_block_out_channels: Vec<usize>,
    #[serde(default = "widths")]
    decoder_block_out_channels: Vec<usize>,
    #[serde(default = "encoder_blocks")]
    num_encoder_blocks: Vec<usize>,
    #[serde(default = "decoder_blocks")]
    num_decoder_blocks: Vec<usize>,
    #[serde(default = "relu")]
    act_fn: String,
    #[serde(flatten)]
    rest: Rest,
}

fn three() -> usize {
    3
}
fn four() -> usize {
    4
}
fn unit() -> f64 {
    1.0
}
fn widths() -> Vec<usize> {
    vec![64; 4]
}
fn encoder_blocks() -> Vec<usize> {
    vec![1, 3, 3, 3]
}
fn decoder_blocks() -> Vec<usize> {
    vec![3, 3, 3, 1]
}
fn relu() -> String {
    "relu".into()
}

impl TinyConfig {
    /// Reads and checks a `config.json`.
    ///
    /// # Errors
    /// [`ModelError::Config`] for anything that is not supported.
    pub fn parse(text: &str) -> Result<Self> {
        let config: Self = config::parse(NAME, text)?;
        let mut rest = config.rest.clone();
        // They describe how latents are stored as bytes, which nothing here does, and what others call the widths.
        for key in ["latent_magnitude", "latent_shift", "block_out_channels"] {
            rest.remove(key);
        }
        let harmless =
            [("upsample_fn", json!("nearest")), ("upsampling_scaling_factor", json!(2)), ("shift_factor", json!(0.0))];
        config::check_rest(NAME, &rest, &harmless)?;
        config::check_factor(NAME, "scaling_factor", config.scaling_factor)?;
        if config.act_fn != "relu" {
            let supported = "relu".into();
            return Err(ModelError::Config { component: NAME, key: "act_fn".into(), value: config.act_fn, supported });
        }
        for (key, blocks, widths) in [
            ("num_encoder_blocks", &config.num_encoder_blocks, &config.encoder_block_out_channels),
            ("num_decoder_blocks", &config.num_decoder_blocks, &config.decoder_block_out_channels),
        ] {
            config::check_widths(NAME, widths, 1)?;
            if blocks.len() != widths.len()
                || blocks.iter().any(|&n| n > LARGEST)
                || widths.iter().any(|w| *w != widths[0])
            {
                return Err(ModelError::Config {
                    component: NAME,
                    key: key.into(),
                    value: format!("{blocks:?} with channels {widths:?}"),
                    supported: "as many numbers of blocks as channels, and equal channels".into(),
                });
            }
        }
        if config.num_encoder_blocks.len() != config.num_decoder_blocks.len() {
            return Err(ModelError::Config {
                component: NAME,
                key: "num_decoder_blocks".into(),
                value: format!("{:?}", config.num_decoder_blocks),
                supported: format!("as many stages as `num_encoder_blocks`, {:?}", config.num_encoder_blocks),
            });
        }
        Ok(config)
    }

    /// How many pixels of a picture's side become one of the latent's.
    pub fn downscale(&self) -> usize {
        1 << (self.num_encoder_blocks.len() - 1)
    }
}

/// Convolutions with ReLU around a residual; at the coarsest resolution of some variants, a wide branch before them.
struct Block {
    pool: Option<(Conv2d, GroupNorm, Conv2d)>,
    conv: [Conv2d; 3],
}

impl Block {
    fn new(p: &Params, width: usize) -> Result<Self> {
        let pool = p.at("pool");
        let wide = POOL_WIDTH * width;
        let conv = |i: usize| Conv2d::new(&p.at("conv").at(i), [width; 2], 3, 1, 1);
        Ok(Self {
            pool: pool
                .at(0)
                .in_files("weight")
                .then(|| -> Result<_> {
                    Ok((
                        Conv2d::without_bias(&pool.at(0), [width, wide], 1, 1, 0)?,
                        GroupNorm::new(&pool.at(1), wide, POOL_GROUPS, EPS)?,
                        Conv2d::without_bias(&pool.at(3), [wide, width], 1, 1, 0)?,
                    ))
                })
                .transpose()?,
            conv: [conv(0)?, conv(2)?, conv(4)?],
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let relu = |x: Tensor| Elementwise::Relu.apply(&x);
        let mut x = x.clone();
        if let Some((widen, norm, narrow)) = &self.pool {
            let wide = relu(norm.forward(&widen.forward(&x)?)?)?;
            x = (&x + narrow.forward(&wide)?)?;
        }
        let h = relu(self.conv[0].forward(&x)?)?;
        let h = relu(self.conv[1].forward(&h)?)?;
        relu((self.conv[2].forward(&h)? + x)?)
    }
}

enum Layer {
    Conv(Conv2d),
    Block(Block),
    Relu,
    Upsample,
}

/// Layers that follow each other, named by their position.
struct Sequence(Vec<Layer>);

impl Sequence {
    fn encode_net(p: &Params, config: &TinyConfig) -> Result<Self> {
        let mut layers = Vec::new();
        let width = config.encoder_block_out_channels[0];
        for (stage, &blocks) in config.num_encoder_blocks.iter().enumerate() {
            let place = p.at(layers.len());
            layers.push(Layer::Conv(match stage {
                0 => Conv2d::new(&place, [config.in_channels, width], 3, 1, 1)?,
                _ => Conv2d::without_bias(&place, [width; 2], 3, 2, 1)?,
            }));
            for _ in 0..blocks {
                layers.push(Layer::Block(Block::new(&p.at(layers.len()), width)?));
            }
        }
        layers.push(Layer::Conv(Conv2d::new(&p.at(layers.len()), [width, config.latent_channels], 3, 1, 1)?));
        Ok(Self(layers))
    }

    fn decode_net(p: &Params, config: &TinyConfig) -> Result<Self> {
        let width = config.decoder_block_out_channels[0];
        let first = Conv2d::new(&p.at(0), [config.latent_channels, width], 3, 1, 1)?;
        let mut layers = vec![Layer::Conv(first), Layer::Relu];
        let last = config.num_decoder_blocks.len() - 1;
        for (stage, &blocks) in config.num_decoder_blocks.iter().enumerate() {
            for _ in 0..blocks {
                layers.push(Layer::Block(Block::new(&p.at(layers.len()), width)?));
            }
            if stage < last {
                layers.push(Layer::Upsample);
            }
            let place = p.at(layers.len());
            layers.push(Layer::Conv(if stage < last {
                Conv2d::without_bias(&place, [width; 2], 3, 1, 1)?
            } else {
                Conv2d::new(&place, [width, config.out_channels], 3, 1, 1)?
            }));
        }
        Ok(Self(layers))
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = x.clone();
        for layer in &self.0 {
            x = match layer {
                Layer::Conv(conv) => conv.forward(&x)?,
                Layer::Block(block) => block.forward(&x)?,
                Layer::Relu => Elementwise::Relu.apply(&x)?,
                Layer::Upsample => ops::upsample2(&x)?,
            };
        }
        Ok(x)
    }
}

/// The tiny autoencoder: pictures in −1..=1 to latents and back.
pub struct AutoencoderTiny {
    config: TinyConfig,
    device: Device,
    encode_net: Sequence,
    decode_net: Sequence,
}

impl AutoencoderTiny {
    /// Builds the model from its config and parameters in diffusers' naming.
    ///
    /// # Errors
    /// Missing tensors and tensors of another shape, by name.
    pub fn new(p: &Params, config: TinyConfig) -> Result<Self> {
        Ok(Self {
            encode_net: Sequence::encode_net(&p.at("encoder").at("layers"), &config)?,
            decode_net: Sequence::decode_net(&p.at("decoder").at("layers"), &config)?,
            device: p.device(),
            config,
        })
    }

    /// Builds the model from the two files of the original repository (`taesd_encoder.pth`, `taesd_decoder.safetensors`),
    /// whose tensors are named by position alone.
    ///
    /// # Errors
    /// [`ModelError::ExtraTensors`] and others by name when the files are no such pair.
    pub fn from_original(
        encoder: &BTreeMap<String, Tensor>,
        decoder: &BTreeMap<String, Tensor>,
        origin: &str,
    ) -> Result<Self> {
        let config = infer(encoder, decoder, origin)?;
        let mut tensors = BTreeMap::new();
        for (name, tensor) in encoder {
            tensors.insert(format!("encoder.layers.{name}"), tensor.clone());
        }
        for (name, tensor) in decoder {
            // The original counts the squashing of latents as layer 0.
            let (index, rest) = name.split_once('.').unwrap_or((name, ""));
            let shifted = index.parse::<usize>().ok().and_then(|i| i.checked_sub(1));
            let name = shifted.map_or_else(|| name.clone(), |i| format!("decoder.layers.{i}.{rest}"));
            tensors.insert(name, tensor.clone());
        }
        let params = Params::from_tensors(tensors, origin);
        let model = Self::new(&params, config)?;
        params.expect_all_used()?;
        Ok(model)
    }

    /// The config it was built from.
    pub fn config(&self) -> &TinyConfig {
        &self.config
    }

    /// Where the model lives.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Pictures to latents.
    ///
    /// # Shapes
    /// (B, 3, H, W) in −1..=1 → (B, latent channels, h, w).
    ///
    /// # Errors
    /// Shapes that do not fit the config.
    pub fn encode(&self, pictures: &Tensor) -> Result<Tensor> {
        self.encode_net.forward(&((pictures * 0.5)? + 0.5)?)
    }

    /// Latents to pictures in about −1..=1.
    ///
    /// # Shapes
    /// (B, latent channels, h, w) → (B, 3, H, W).
    ///
    /// # Errors
    /// Shapes that do not fit the config.
    pub fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        let squashed = ((latents * (1.0 / SQUASH))?.tanh()? * SQUASH)?;
        Ok(((self.decode_net.forward(&squashed)? * 2.0)? - 1.0)?)
    }
}

/// The architecture of an original pair of files: a convolution without bias begins a resolution of the encoder and ends
/// one of the decoder.
fn infer(encoder: &BTreeMap<String, Tensor>, decoder: &BTreeMap<String, Tensor>, origin: &str) -> Result<TinyConfig> {
    // For each position up to the last: Some(true) a block, Some(false) a convolution without bias, None something else.
    let kinds = |tensors: &BTreeMap<String, Tensor>| {
        let last = tensors.keys().filter_map(|name| name.split('.').next()?.parse::<usize>().ok()).max().unwrap_or(0);
        (0..=last.min(LARGEST))
            .map(|i| match i {
                i if tensors.contains_key(&format!("{i}.conv.0.weight")) => Some(true),
                i if tensors.contains_key(&format!("{i}.bias")) => None,
                i if tensors.contains_key(&format!("{i}.weight")) => Some(false),
                _ => None,
            })
            .collect::<Vec<_>>()
    };
    let blocks = |kinds: &[Option<bool>]| {
        kinds.split(|kind| *kind == Some(false)).map(|stage| stage.iter().flatten().count()).collect::<Vec<_>>()
    };
    let shape = |tensors: &BTreeMap<String, Tensor>, name: String| match tensors.get(&name) {
        Some(tensor) if tensor.rank() == 4 => Ok([tensor.dims()[0], tensor.dims()[1]]),
        _ => Err(ModelError::MissingTensor { name, shape: vec![], origin: origin.to_owned() }),
    };
    let (encoder_kinds, decoder_kinds) = (kinds(encoder), kinds(decoder));
    let [encoder_width, in_channels] = shape(encoder, "0.weight".into())?;
    let [latent_channels, _] = shape(encoder, format!("{}.weight", encoder_kinds.len() - 1))?;
    let [decoder_width, _] = shape(decoder, "1.weight".into())?;
    let [out_channels, _] = shape(decoder, format!("{}.weight", decoder_kinds.len() - 1))?;
    let (num_encoder_blocks, num_decoder_blocks) = (blocks(&encoder_kinds), blocks(&decoder_kinds));
    let config = json!({
        "in_channels": in_channels,
        "out_channels": out_channels,
        "latent_channels": latent_channels,
        "encoder_block_out_channels": vec![encoder_width; num_encoder_blocks.len()],
        "decoder_block_out_channels": vec![decoder_width; num_decoder_blocks.len()],
        "num_encoder_blocks": num_encoder_blocks,
        "num_decoder_blocks": num_decoder_blocks,
    });
    TinyConfig::parse(&config.to_string())
}
