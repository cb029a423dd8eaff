//! A Transformer that turns groups of numbers into the context of a diffusion model: the encoder of Brain-to-Context
//! (Ishizaki & Kobayashi 2026).
//!
//! Every group has a linear layer of its own that makes its share of the tokens; a single group over all inputs is the
//! unpatched form. Learned positions are added, pre-norm blocks with two-way attention follow, and a last layer norm gives
//! the context. What the paper leaves open, dropout and a low rank of the input layers, is part of the config.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use ndarray::{Array2, ArrayView2, Axis};
use percept_core::Seed;
use serde::{Deserialize, Serialize};

use crate::{
    config::{self, LARGEST},
    error::{ModelError, Result},
    nn::{
        Activation,
        block::{FeedForward, Norm, SelfAttention, TokenBlock},
        elementwise::Elementwise,
        host::to_vec,
        layers::{LayerNorm, Linear},
        params::{Init, Params},
    },
    pack::row_tensor,
};

const NAME: &str = "context_encoder";

/// One group of inputs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct GroupConfig {
    /// Its name, such as `V1`.
    pub name: String,
    /// How many numbers it has.
    pub inputs: usize,
    /// How many tokens they become.
    pub tokens: usize,
}

/// The config of a [`ContextEncoder`], written as `config.json` beside its weights.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct ContextEncoderConfig {
    /// The groups in the order of the inputs.
    pub groups: Vec<GroupConfig>,
    /// Width of the Transformer.
    pub hidden_size: usize,
    /// Width of the context; another than `hidden_size` adds a last linear layer.
    pub context_size: usize,
    /// Number of blocks.
    pub num_hidden_layers: usize,
    /// Heads of the self-attention.
    pub num_attention_heads: usize,
    /// Width inside the two-layer networks.
    pub intermediate_size: usize,
    /// Rank of the input layers; full without it.
    #[serde(default)]
    pub rank: Option<usize>,
    /// Share of values dropped in training, behind the input and in every branch of a block.
    #[serde(default)]
    pub dropout: f64,
    /// Keys of the file that are not known here.
    #[serde(flatten)]
    pub rest: BTreeMap<String, serde_json::Value>,
}

impl ContextEncoderConfig {
    /// Reads and checks a `config.json`.
    ///
    /// # Errors
    /// [`ModelError::Config`] for anything that is not supported.
    pub fn parse(text: &str) -> Result<Self> {
        let config: Self = config::parse(NAME, text)?;
        config.check()?;
        Ok(config)
    }

    /// Refuses numbers that no encoder can have.
    ///
    /// # Errors
    /// [`ModelError::Config`] naming the key.
    pub fn check(&self) -> Result<()> {
        config::check_rest(NAME, &self.rest, &[])?;
        config::check_heads(NAME, "num_attention_heads", self.num_attention_heads, self.hidden_size)?;
        let sizes = [
            ("context_size", self.context_size),
            ("intermediate_size", self.intermediate_size),
            ("rank", self.rank.unwrap_or(1)),
        ];
        let refuse = |key: &str, value: String, supported: &str| {
            Err(ModelError::Config { component: NAME, key: key.into(), value, supported: supported.into() })
        };
        if let Some((key, size)) = sizes.into_iter().find(|&(_, size)| size == 0 || size > LARGEST) {
            return refuse(key, size.to_string(), "1 to 65536");
        }
        if self.num_hidden_layers > 1024 {
            return refuse("num_hidden_layers", self.num_hidden_layers.to_string(), "at most 1024");
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return refuse("dropout", self.dropout.to_string(), "0 to below 1");
        }
        let fits = |group: &GroupConfig| (1..=1 << 24).contains(&group.inputs) && (1..=LARGEST).contains(&group.tokens);
        if self.groups.is_empty() || !self.groups.iter().all(fits) {
            return refuse("groups", format!("{:?}", self.groups), "one or more groups with inputs and tokens");
        }
        Ok(())
    }

    /// Numbers that go in.
    pub fn n_inputs(&self) -> usize {
        self.groups.iter().map(|group| group.inputs).sum()
    }

    /// Tokens that come out.
    pub fn n_tokens(&self) -> usize {
        self.groups.iter().map(|group| group.tokens).sum()
    }

    /// Weights in all; known before any is made.
    pub fn n_parameters(&self) -> usize {
        let (width, inner) = (self.hidden_size, self.intermediate_size);
        let into = |group: &GroupConfig| {
            let outputs = group.tokens * width;
            outputs + self.rank.map_or(group.inputs * outputs, |rank| rank * (group.inputs + outputs))
        };
        let block = 4 * (width * width + width) + 2 * width * inner + inner + width + 4 * width;
        let last = if width == self.context_size { 0 } else { width * self.context_size + self.context_size };
        self.groups.iter().map(into).sum::<usize>()
            + self.n_tokens() * width
            + self.num_hidden_layers * block
            + 2 * width
            + last
    }

    /// Bytes that training holds for the encoder at its peak: weights, gradients (as tensors and summed over shards), two
    /// moments and an average.
    pub fn training_bytes(&self) -> usize {
        6 * 4 * self.n_parameters()
    }
}

/// The input layer of a group.
enum Entry {
    Full(Linear),
    /// Into `rank` directions, then to the tokens.
    Low(Linear, Linear),
}

/// The encoder.
pub struct ContextEncoder {
    config: ContextEncoderConfig,
    entries: Vec<Entry>,
    positions: Tensor,
    blocks: Vec<TokenBlock>,
    norm: LayerNorm,
    out: Option<Linear>,
}

impl ContextEncoder {
    /// Builds the encoder from its config and parameters.
    ///
    /// # Errors
    /// A config that is not supported; missing tensors and tensors of another shape, by name.
    pub fn new(p: &Params, config: ContextEncoderConfig) -> Result<Self> {
        config.check()?;
        let width = config.hidden_size;
        let groups = p.at("groups");
        let entries = config
            .groups
            .iter()
            .enumerate()
            .map(|(i, group)| {
                let (p, outputs) = (groups.at(i), group.tokens * width);
                Ok(match config.rank {
                    None => Entry::Full(Linear::new(&p.at("proj"), group.inputs, outputs)?),
                    Some(rank) => Entry::Low(
                        Linear::without_bias(&p.at("down"), group.inputs, rank)?,
                        Linear::new(&p.at("up"), rank, outputs)?,
                    ),
                })
            })
            .collect::<Result<_>>()?;
        let blocks = p.at("blocks");
        Ok(Self {
            entries,
            positions: p.get("position", &[config.n_tokens(), width], Init::Normal { std: 0.02 })?,
            blocks: (0..config.num_hidden_layers).map(|i| block(&blocks.at(i), &config)).collect::<Result<_>>()?,
            norm: LayerNorm::new(&p.at("norm"), width, 1e-5)?,
            out: (width != config.context_size)
                .then(|| Linear::new(&p.at("proj_out"), width, config.context_size))
                .transpose()?,
            config,
        })
    }

    /// The config it was built from.
    pub fn config(&self) -> &ContextEncoderConfig {
        &self.config
    }

    /// Where the encoder lives.
    pub fn device(&self) -> &Device {
        self.positions.device()
    }

    /// As [`Self::forward`] without dropping, on arrays: n × inputs → n × (tokens · context width).
    ///
    /// # Errors
    /// Rows of another length.
    pub fn contexts(&self, inputs: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        const ROWS: usize = 64;
        let columns = self.config.n_tokens() * self.config.context_size;
        let mut all = Array2::zeros((inputs.nrows(), columns));
        for (part, mut into) in inputs.axis_chunks_iter(Axis(0), ROWS).zip(all.axis_chunks_iter_mut(Axis(0), ROWS)) {
            let rows = row_tensor(&part, &[part.ncols()], self.device())?;
            let made = to_vec(&self.forward(&rows, None)?)?;
            into.iter_mut().zip(made).for_each(|(slot, value)| *slot = value);
        }
        Ok(all)
    }

    /// (B, inputs) → (B, tokens, context width). With `dropout`, values are dropped as the config says, by that seed.
    ///
    /// # Errors
    /// Rows of another length.
    pub fn forward(&self, inputs: &Tensor, dropout: Option<Seed>) -> Result<Tensor> {
        let (batch, n_inputs) = inputs.dims2()?;
        if n_inputs != self.config.n_inputs() {
            return Err(ModelError::Input {
                what: "inputs of the context encoder",
                expected: format!("{} columns", self.config.n_inputs()),
                got: n_inputs.to_string(),
            });
        }
        let mut drop = Dropout { rate: self.config.dropout, seed: dropout, count: 0 };
        let mut tokens = Vec::with_capacity(self.entries.len());
        let mut start = 0;
        for (entry, group) in self.entries.iter().zip(&self.config.groups) {
            let x = inputs.narrow(1, start, group.inputs)?.contiguous()?;
            let made = match entry {
                Entry::Full(layer) => layer.forward(&x)?,
                Entry::Low(down, up) => up.forward(&down.forward(&x)?)?,
            };
            tokens.push(made.reshape((batch, group.tokens, self.config.hidden_size))?);
            start += group.inputs;
        }
        let mut x = drop.apply(Tensor::cat(&tokens, 1)?.broadcast_add(&self.positions)?)?;
        for block in &self.blocks {
            x = block.forward_with(&x, |branch| drop.apply(branch))?;
        }
        let x = self.norm.forward(&x)?;
        match &self.out {
            None => Ok(x),
            Some(out) => out.forward(&x),
        }
    }
}

fn block(p: &Params, config: &ContextEncoderConfig) -> Result<TokenBlock> {
    let (width, inner, heads) = (config.hidden_size, config.intermediate_size, config.num_attention_heads);
    let attention = p.at("attn");
    let square = |name: &str| Linear::new(&attention.at(name), width, width);
    Ok(TokenBlock {
        attention_norm: Norm::layer(&p.at("norm1"), width, 1e-5)?,
        attention: SelfAttention {
            q: square("to_q")?,
            k: square("to_k")?,
            v: square("to_v")?,
            out: square("to_out")?,
            heads,
            kv_heads: heads,
        },
        network_norm: Norm::layer(&p.at("norm2"), width, 1e-5)?,
        network: FeedForward::Plain {
            first: Linear::new(&p.at("ff").at(0), width, inner)?,
            activation: Elementwise::Kernel(Activation::Gelu),
            second: Linear::new(&p.at("ff").at(2), inner, width)?,
        },
        norms_behind: false,
    })
}

/// Values set to zero at random, the others scaled up (Srivastava et al. 2014).
struct Dropout {
    rate: f64,
    seed: Option<Seed>,
    count: u64,
}

impl Dropout {
    fn apply(&mut self, x: Tensor) -> Result<Tensor> {
        use rand::Rng;
        let Some(seed) = self.seed.filter(|_| self.rate > 0.0) else { return Ok(x) };
        let mut stream = seed.at(self.count).stream();
        self.count += 1;
        let kept = (1.0 / (1.0 - self.rate)) as f32;
        let mask: Vec<f32> =
            (0..x.elem_count()).map(|_| if stream.random::<f32>() < self.rate as f32 { 0.0 } else { kept }).collect();
        Ok((&x * Tensor::from_vec(mask, x.shape(), x.device())?)?)
    }
}

/// Tokens of `total` shared out in proportion to `inputs`, at least one each; what rounding leaves goes to the largest
/// remainders, earlier groups first.
///
/// # Errors
/// [`ModelError::Input`] when there are more groups than tokens, or none.
pub fn tokens_in_proportion(inputs: &[usize], total: usize) -> Result<Vec<usize>> {
    let sum: usize = inputs.iter().sum();
    if inputs.is_empty() || inputs.len() > total || sum == 0 {
        return Err(ModelError::Input {
            what: "groups of a context encoder",
            expected: format!("1 to {total} groups with inputs, one token each at least"),
            got: format!("{} groups with {sum} inputs", inputs.len()),
        });
    }
    let spare = total - inputs.len();
    let exact: Vec<f64> = inputs.iter().map(|&n| spare as f64 * n as f64 / sum as f64).collect();
    let mut tokens: Vec<usize> = exact.iter().map(|share| 1 + *share as usize).collect();
    let mut order: Vec<usize> = (0..inputs.len()).collect();
    order.sort_by(|&a, &b| exact[b].fract().total_cmp(&exact[a].fract()).then(a.cmp(&b)));
    let left = total - tokens.iter().sum::<usize>();
    for &group in order.iter().take(left) {
        tokens[group] += 1;
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(rank: Option<usize>) -> ContextEncoderConfig {
        let group = |name: &str, inputs, tokens| GroupConfig { name: name.into(), inputs, tokens };
        ContextEncoderConfig {
            groups: vec![group("a", 5, 2), group("b", 3, 1)],
            hidden_size: 8,
            context_size: 6,
            num_hidden_layers: 2,
            num_attention_heads: 2,
            intermediate_size: 12,
            rank,
            dropout: 0.5,
            rest: BTreeMap::new(),
        }
    }

    #[test]
    fn sizes_are_known_before_anything_is_made() {
        for rank in [None, Some(2)] {
            let params = Params::random(Seed::new(1));
            ContextEncoder::new(&params, config(rank)).expect("builds");
            let n: usize = params.tensors().values().map(Tensor::elem_count).sum();
            assert_eq!(n, config(rank).n_parameters());
        }
    }

    #[test]
    fn the_config_survives_its_file_and_bad_ones_are_refused() {
        let text = serde_json::to_string(&config(Some(2))).expect("plain");
        assert_eq!(ContextEncoderConfig::parse(&text).expect("as written"), config(Some(2)));
        let heads = text.replace("\"num_attention_heads\":2", "\"num_attention_heads\":3");
        assert!(ContextEncoderConfig::parse(&heads).expect_err("3 does not divide 8").to_string().contains("heads"));
        let none = text.replace("\"tokens\":2", "\"tokens\":0");
        assert!(ContextEncoderConfig::parse(&none).expect_err("no tokens").to_string().contains("groups"));
    }

    #[test]
    fn a_group_speaks_in_its_own_tokens_before_the_blocks_and_dropout_is_seeded() {
        let mut config = config(None);
        config.num_hidden_layers = 0;
        let params = Params::random(Seed::new(2));
        let encoder = ContextEncoder::new(&params, config).expect("builds");
        let rows = |x: [f32; 8]| Tensor::from_slice(&x, (1, 8), &Device::Cpu).expect("eight");
        let run = |x: [f32; 8], seed: Option<u64>| {
            let made = encoder.forward(&rows(x), seed.map(Seed::new)).expect("runs");
            made.flatten_all().and_then(|all| all.to_vec1::<f32>()).expect("floats")
        };
        let base = run([1.0; 8], None);
        let mut other = [1.0; 8];
        other[6] = 3.0;
        let changed = run(other, None);
        assert_eq!(base[..12], changed[..12], "tokens of the group that did not change");
        assert_ne!(base[12..], changed[12..]);
        assert_eq!(run([1.0; 8], Some(7)), run([1.0; 8], Some(7)));
        assert_ne!(run([1.0; 8], Some(7)), run([1.0; 8], Some(8)));
    }

    #[test]
    fn tokens_follow_sizes_and_nobody_goes_without() {
        assert_eq!(tokens_in_proportion(&[100, 100, 100, 100], 77).expect("fits"), [20, 19, 19, 19]);
        assert_eq!(tokens_in_proportion(&[1, 10_000], 77).expect("fits"), [1, 76]);
        assert_eq!(tokens_in_proportion(&[3, 2, 1], 3).expect("fits"), [1, 1, 1]);
        assert!(tokens_in_proportion(&[1; 4], 3).is_err());
    }
}
