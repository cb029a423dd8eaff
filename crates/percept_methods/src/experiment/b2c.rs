//! `[b2c]`: how a Brain-to-Context encoder is built and trained, and its variants that are trained side by side.
//!
//! A variant is a table with a name and whatever of `[b2c]` it changes. Ablations, the four conditions of the paper and
//! training-set size curves are all lists of variants.

use serde::Serialize;
use toml::{Table, Value};

use super::error::ExperimentError;
use super::section::Section;

const KEYS: [&str; 29] = [
    "patched",
    "blocks",
    "width",
    "heads",
    "expansion",
    "tokens",
    "rank",
    "dropout",
    "train_unet",
    "unconditional",
    "mixup",
    "train_images",
    "validation",
    "steps",
    "batch",
    "shards",
    "learning_rate",
    "kv_learning_rate",
    "warmup",
    "weight_decay",
    "ema",
    "min_snr",
    "validate_every",
    "patience",
    "on_failure",
    "memory_gb",
    "checkpoints",
    "seed",
    "losses",
];
const LOSSES: [&str; 9] =
    ["epsilon", "velocity", "x0_mse", "x0_cosine", "x0_ssim", "clip_mse", "clip_cosine", "contrastive", "temperature"];

/// `[b2c]`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct B2cSettings {
    /// What variants do not say otherwise.
    #[serde(flatten)]
    pub base: B2cTraining,
    /// What is trained, one after the other.
    pub variants: Vec<B2cVariant>,
}

/// One training with its own settings.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct B2cVariant {
    /// The name in tables and scores, such as `b2c+patch+clip`.
    pub name: String,
    /// Its settings.
    #[serde(flatten)]
    pub training: B2cTraining,
}

/// What to do when pictures of the validation images come out black, all alike or beyond all bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// Say so in the log, the curves and the report, and go on.
    Warn,
    /// End this variant there and keep its best weights.
    Stop,
}

/// Architecture, losses and schedule of one encoder.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct B2cTraining {
    /// One linear layer per group of units, each with tokens of its own; otherwise one layer from all units to all tokens.
    pub patched: bool,
    /// Transformer blocks.
    pub blocks: usize,
    /// Width of the Transformer; 0 means that of the context.
    pub width: usize,
    /// Attention heads; 0 means one per 64 features (but at least 4).
    pub heads: usize,
    /// Inner width of the blocks' networks, as a multiple of their width.
    pub expansion: usize,
    /// Tokens of each group, in the order of the groups; empty shares them out by numbers of units.
    pub tokens: Vec<usize>,
    /// Rank of the input projections; 0 means full.
    pub rank: usize,
    /// Share of values set to zero behind the input and in every branch of a block.
    pub dropout: f64,
    /// Whether `to_k` and `to_v` of the U-Net's cross-attention train, too.
    pub train_unet: bool,
    /// Share of samples whose context is replaced by the empty caption's, so that guidance keeps its meaning.
    pub unconditional: f64,
    /// Largest share of a second sample that is mixed into responses and target contexts; 0 mixes nothing.
    pub mixup: f64,
    /// Training images used; 0 means all.
    pub train_images: usize,
    /// Share of the training images that is held out for validation.
    pub validation: f64,
    /// Steps of the optimiser.
    pub steps: usize,
    /// Samples per step.
    pub batch: usize,
    /// Pieces into which a batch is cut, one thread each; part of the result, since sums are taken in their order.
    pub shards: usize,
    /// Highest learning rate of the encoder.
    pub learning_rate: f64,
    /// Highest learning rate of `to_k` and `to_v`.
    pub kv_learning_rate: f64,
    /// Steps over which the learning rate rises.
    pub warmup: usize,
    /// Decoupled weight decay of matrices.
    pub weight_decay: f64,
    /// Decay of the moving average of the weights; 0 keeps the weights themselves.
    pub ema: f64,
    /// γ of min-SNR weighting (Hang et al. 2023); 0 weighs all noise levels alike.
    pub min_snr: f64,
    /// Steps from one validation (and checkpoint) to the next.
    pub validate_every: usize,
    /// Validations without improvement after which training ends; 0 never ends it.
    pub patience: usize,
    /// What to do about black, collapsed or exploding pictures.
    pub on_failure: OnFailure,
    /// Memory that training may take, in gigabytes; more is refused before it starts.
    pub memory_gb: f64,
    /// Make the U-Net's activations again in the backward pass instead of holding them: less memory, a third more time.
    pub checkpoints: bool,
    /// The seed of weights, batches and noise.
    pub seed: u64,
    /// The weight of each loss term.
    pub losses: B2cLosses,
}

/// Weights of the loss terms; a term of weight 0 is not computed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct B2cLosses {
    /// Squared error of the predicted noise.
    pub epsilon: f64,
    /// Squared error of the predicted velocity.
    pub velocity: f64,
    /// Squared error of the predicted clean latent.
    pub x0_mse: f64,
    /// 1 − cosine of the predicted and the true clean latent.
    pub x0_cosine: f64,
    /// 1 − structural similarity of the two.
    pub x0_ssim: f64,
    /// Squared error of the context against that of the captions.
    pub clip_mse: f64,
    /// 1 − cosine of the two, token by token.
    pub clip_cosine: f64,
    /// Contrastive loss between contexts and captions within a batch's piece.
    pub contrastive: f64,
    /// The temperature of the contrastive loss.
    pub temperature: f64,
}

impl B2cLosses {
    /// Whether the text context of captions is a target, the paper's "CLIP loss".
    pub fn uses_clip(&self) -> bool {
        self.clip_mse + self.clip_cosine + self.contrastive > 0.0
    }

    /// Whether any term goes through the U-Net.
    pub fn uses_unet(&self) -> bool {
        self.epsilon + self.velocity + self.x0_mse + self.x0_cosine + self.x0_ssim > 0.0
    }
}

impl B2cTraining {
    /// `b2c`, with `+patch` and `+clip` where they apply.
    fn name(&self) -> String {
        let patch = if self.patched { "+patch" } else { "" };
        let clip = if self.losses.uses_clip() { "+clip" } else { "" };
        format!("b2c{patch}{clip}")
    }
}

/// Reads `[b2c]` of the document `top`; `None` when it is absent.
pub(super) fn read(top: &mut Section<'_>, seed: u64) -> Result<Option<B2cSettings>, ExperimentError> {
    if !top.has("b2c") {
        return Ok(None);
    }
    let mut table = top.table("b2c")?;
    let listed = table.remove("variants");
    let base = training(top.open_table("b2c", table.clone(), &KEYS)?, seed)?;
    let mut variants = Vec::new();
    match listed {
        None => {}
        Some(Value::Array(list)) => {
            for item in list {
                let Value::Table(own) = item else {
                    return Err(top.value("b2c.variants", "tables, each `[[b2c.variants]]`", item.to_string()));
                };
                variants.push(variant(top, &table, own, seed)?);
            }
        }
        Some(other) => return Err(top.value("b2c.variants", "tables, each `[[b2c.variants]]`", other.to_string())),
    }
    if variants.is_empty() {
        variants.push(B2cVariant { name: base.name(), training: base.clone() });
    }
    for (i, variant) in variants.iter().enumerate() {
        if variants[..i].iter().any(|earlier| earlier.name == variant.name) {
            return Err(top.value("b2c.variants", "a different `name` for each", format!("`{}` twice", variant.name)));
        }
    }
    Ok(Some(B2cSettings { base, variants }))
}

/// One variant: `own` laid over `base`.
fn variant(top: &Section<'_>, base: &Table, mut own: Table, seed: u64) -> Result<B2cVariant, ExperimentError> {
    let name = match own.remove("name") {
        None => None,
        Some(Value::String(name)) => Some(name),
        Some(other) => return Err(top.value("b2c.variants.name", "text", other.to_string())),
    };
    let mut table = base.clone();
    for (key, value) in own {
        match (table.get_mut(&key), value) {
            (Some(Value::Table(into)), Value::Table(from)) => into.extend(from),
            (_, value) => {
                table.insert(key, value);
            }
        }
    }
    let training = training(top.open_table("b2c.variants", table, &KEYS)?, seed)?;
    let name = name.unwrap_or_else(|| training.name());
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "+-_.".contains(c);
    if name.is_empty() || name.starts_with('.') || !name.chars().all(is_plain) {
        return Err(top.value("b2c.variants.name", "letters, digits and `+-_.`", format!("`{name}`")));
    }
    Ok(B2cVariant { name, training })
}

fn training(mut section: Section<'_>, seed: u64) -> Result<B2cTraining, ExperimentError> {
    let mut losses = section.section("losses", &LOSSES)?;
    let mut weight = |key: &str, default: f64| losses.number(key, 0.0..=f64::INFINITY, default);
    let losses = B2cLosses {
        epsilon: weight("epsilon", 1.0)?,
        velocity: weight("velocity", 1.0)?,
        x0_mse: weight("x0_mse", 0.5)?,
        x0_cosine: weight("x0_cosine", 0.1)?,
        x0_ssim: weight("x0_ssim", 0.1)?,
        clip_mse: weight("clip_mse", 1.0)?,
        clip_cosine: weight("clip_cosine", 1.0)?,
        contrastive: weight("contrastive", 0.0)?,
        temperature: losses.number("temperature", 1e-3..=10.0, 0.05)?,
    };
    if !losses.uses_clip() && !losses.uses_unet() {
        return Err(section.value("losses", "at least one weight above 0", "none"));
    }
    let on_failure = [("warn", OnFailure::Warn), ("stop", OnFailure::Stop)];
    Ok(B2cTraining {
        patched: section.boolean("patched", true)?,
        blocks: section.size("blocks", 0, 6)?,
        width: section.size("width", 0, 0)?,
        heads: section.size("heads", 0, 0)?,
        expansion: section.size("expansion", 1, 4)?,
        tokens: section.counts("tokens", 1)?.unwrap_or_default(),
        rank: section.size("rank", 0, 0)?,
        dropout: section.number("dropout", 0.0..=0.9, 0.1)?,
        train_unet: section.boolean("train_unet", true)?,
        unconditional: section.number("unconditional", 0.0..=0.9, 0.05)?,
        mixup: section.number("mixup", 0.0..=0.5, 0.0)?,
        train_images: section.size("train_images", 0, 0)?,
        validation: section.number("validation", 0.01..=0.5, 0.1)?,
        steps: section.size("steps", 1, 2000)?,
        batch: section.size("batch", 1, 48)?,
        shards: section.size("shards", 1, 4)?,
        learning_rate: section.number("learning_rate", 0.0..=1.0, 3e-4)?,
        kv_learning_rate: section.number("kv_learning_rate", 0.0..=1.0, 1e-4)?,
        warmup: section.size("warmup", 0, 100)?,
        weight_decay: section.number("weight_decay", 0.0..=10.0, 0.05)?,
        ema: section.number("ema", 0.0..=0.99999, 0.995)?,
        min_snr: section.number("min_snr", 0.0..=1e6, 5.0)?,
        validate_every: section.size("validate_every", 1, 200)?,
        patience: section.size("patience", 0, 5)?,
        on_failure: section.choice("on_failure", &on_failure, OnFailure::Warn)?,
        memory_gb: section.number("memory_gb", 0.1..=1e6, 20.0)?,
        checkpoints: section.boolean("checkpoints", false)?,
        seed: section.count("seed", 0, seed)?,
        losses,
    })
}
