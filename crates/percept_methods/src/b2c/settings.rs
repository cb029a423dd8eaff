//! `[b2c]`: how a Brain-to-Context encoder is built and trained, and its variants that are trained side by side.
//!
//! A variant is a table with a name and whatever of `[b2c]` it changes. Ablations, the four conditions of the paper and
//! training-set size curves are all lists of variants.

use percept_core::ArmName;
use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer, Serialize};
use toml::{Table, Value};

use percept_pipeline::experiment::{ExperimentError, Key, KeyTable, Kind, Needs, SectionText, SectionWord};
use percept_pipeline::{section, words};

/// The section's name in the file.
const NAME: &str = "b2c";
const VARIANTS: &str = "variants";

/// `[b2c]` as a word of the experiment file.
pub const SECTION: SectionWord = SectionWord {
    name: NAME,
    doc: "How Brain-to-Context encoders are built and trained.",
    tables,
    thorough: true,
    needs: Needs { captions: true, groups: true },
    of: None,
    read,
};

/// `[b2c]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct B2cSettings {
    /// What variants do not say otherwise.
    #[serde(flatten)]
    pub base: B2cTraining,
    /// What is trained, one after the other.
    pub variants: Vec<B2cVariant>,
}

/// One training with its own settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct B2cVariant {
    /// The name in tables and scores, such as `b2c+patch+clip`.
    pub name: ArmName,
    /// Its settings.
    #[serde(flatten)]
    pub training: B2cTraining,
}

words! {
    /// What to do when pictures of the validation images come out black, all alike or beyond all bounds.
    pub enum OnFailure {
        /// Say so in the log, the curves and the report, and go on.
        Warn = "warn",
        /// End this variant there and keep its best weights.
        Stop = "stop",
    }
}

section! {
    /// Architecture, losses and schedule of Brain-to-Context encoders.
    pub struct B2cTraining {
        /// One linear layer per group of units, each with tokens of its own; otherwise one layer from all units to all tokens.
        patched: bool = true;
        /// Transformer blocks.
        blocks: usize = 6, in 0..=1000;
        /// Width of the Transformer; 0 means that of the context.
        width: usize = 0, in 0..=65_536;
        /// Attention heads; 0 means one per 64 features (but at least 4).
        heads: usize = 0, in 0..=1024;
        /// Inner width of the blocks' networks, as a multiple of their width.
        expansion: usize = 4, in 1..=64;
        /// Tokens of each group, in the order of the groups; empty shares them out by numbers of units.
        tokens: Vec<usize> = Vec::new(), in 1..=4096;
        /// Rank of the input projections; 0 means full.
        rank: usize = 0, in 0..=65_536;
        /// Share of values set to zero behind the input and in every branch of a block.
        dropout: f64 = 0.1, in 0.0..=0.9;
        /// Whether `to_k` and `to_v` of the U-Net's cross-attention train, too.
        train_unet: bool = true;
        /// Share of samples whose context is replaced by the empty caption's, so that guidance keeps its meaning.
        unconditional: f64 = 0.05, in 0.0..=0.9;
        /// Largest share of a second sample that is mixed into responses and target contexts; 0 mixes nothing.
        mixup: f64 = 0.0, in 0.0..=0.5;
        /// Training images used; 0 means all.
        train_images: usize = 0, in 0..=10_000_000;
        /// Share of the training images that is held out for validation.
        validation: f64 = 0.1, in 0.01..=0.5;
        /// Steps of the optimiser.
        steps: usize = 2000, in 1..=10_000_000;
        /// Samples per step.
        batch: usize = 48, in 1..=4096;
        /// Pieces into which a batch is cut, one thread each; part of the result, since sums are taken in their order.
        shards: usize = 4, in 1..=1024;
        /// Highest learning rate of the encoder.
        learning_rate: f64 = 3e-4, in 0.0..=1.0;
        /// Highest learning rate of `to_k` and `to_v`.
        kv_learning_rate: f64 = 1e-4, in 0.0..=1.0;
        /// Steps over which the learning rate rises.
        warmup: usize = 100, in 0..=10_000_000;
        /// Decoupled weight decay of matrices.
        weight_decay: f64 = 0.05, in 0.0..=10.0;
        /// Decay of the moving average of the weights; 0 keeps the weights themselves.
        ema: f64 = 0.995, in 0.0..=0.99999;
        /// γ of min-SNR weighting (Hang et al. 2023); 0 weighs all noise levels alike.
        min_snr: f64 = 5.0, in 0.0..=1e6;
        /// Steps from one validation (and checkpoint) to the next.
        validate_every: usize = 200, in 1..=10_000_000;
        /// Validations without improvement after which training ends; 0 never ends it.
        patience: usize = 5, in 0..=1_000_000;
        /// What to do about black, collapsed or exploding pictures.
        on_failure: OnFailure = OnFailure::Warn;
        /// Memory that training may take, in gigabytes; more is refused before it starts.
        memory_gb: f64 = 20.0, in 0.1..=1e6;
        /// Make the U-Net's activations again in the backward pass instead of holding them: less memory, a third more time.
        checkpoints: bool = false;
        /// The seed of weights, batches and noise.
        seed: u64 = 1, in 0..=u64::MAX, or "the experiment's `seed`";
        /// The weight of each loss term; a term of weight 0 is not computed, and one at least is above 0.
        #[serde(deserialize_with = "some_loss")]
        losses: B2cLosses = B2cLosses::default(), or "see `[b2c.losses]`";
    }
}

section! {
    /// Weights of the loss terms; a term of weight 0 is not computed.
    pub struct B2cLosses {
        /// Squared error of the predicted noise.
        epsilon: f64 = 1.0, in 0.0..=1e6;
        /// Squared error of the predicted velocity.
        velocity: f64 = 1.0, in 0.0..=1e6;
        /// Squared error of the predicted clean latent.
        x0_mse: f64 = 0.5, in 0.0..=1e6;
        /// 1 − cosine of the predicted and the true clean latent.
        x0_cosine: f64 = 0.1, in 0.0..=1e6;
        /// 1 − structural similarity of the two.
        x0_ssim: f64 = 0.1, in 0.0..=1e6;
        /// Squared error of the context against that of the captions.
        clip_mse: f64 = 1.0, in 0.0..=1e6;
        /// 1 − cosine of the two, token by token.
        clip_cosine: f64 = 1.0, in 0.0..=1e6;
        /// Contrastive loss between contexts and captions within a batch's piece.
        contrastive: f64 = 0.0, in 0.0..=1e6;
        /// The temperature of the contrastive loss.
        temperature: f64 = 0.05, in 1e-3..=10.0;
    }
}

impl Copy for B2cLosses {}

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

fn some_loss<'de, D: Deserializer<'de>>(deserializer: D) -> Result<B2cLosses, D::Error> {
    let losses = B2cLosses::deserialize(deserializer)?;
    if !losses.uses_clip() && !losses.uses_unet() {
        return Err(D::Error::invalid_value(Unexpected::Other("none"), &"at least one weight above 0"));
    }
    Ok(losses)
}

/// The tables of the reference.
fn tables() -> Vec<KeyTable> {
    let name = Key {
        name: "name",
        doc: "The name in tables and scores: letters, digits and `+-_.@`, different for each, and not the name of another \
              method, of a control or of a file of a run.",
        kind: Kind::TEXT,
        default: Some(|| None),
        default_words: Some("`b2c`, with `+patch` and `+clip` where they apply"),
        limits: None,
        example: None,
    };
    let mut tables = KeyTable::of::<B2cTraining>(NAME);
    tables.push(KeyTable {
        heading: "`[[b2c.variants]]`".to_owned(),
        doc:
            "What is trained, one after the other: each variant has a name and whatever of `[b2c]` it changes. Without \
              any, `[b2c]` itself is the only one."
                .to_owned(),
        keys: vec![name],
    });
    tables
}

/// Reads `[b2c]` with every default filled in, the variants whole.
fn read(text: &SectionText<'_>) -> Result<Table, ExperimentError> {
    let settings = settings(text)?;
    Ok(Table::try_from(settings).expect("settings hold only what TOML can say"))
}

fn settings(text: &SectionText<'_>) -> Result<B2cSettings, ExperimentError> {
    let mut table = text.table().clone();
    let listed = table.remove(VARIANTS);
    table.entry("seed").or_insert(Value::Integer(text.seed() as i64));
    let base: B2cTraining = text.read("", table.clone())?;
    let no_tables = |got: &Value| Err(text.value(VARIANTS, "tables, each `[[b2c.variants]]`", got.to_string()));
    let mut variants = Vec::new();
    match listed {
        None => {}
        Some(Value::Array(list)) => {
            for item in list {
                let Value::Table(own) = item else { return no_tables(&item) };
                variants.push(variant(text, &table, own)?);
            }
        }
        Some(other) => return no_tables(&other),
    }
    if variants.is_empty() {
        variants.push(B2cVariant { name: text.arm_name(VARIANTS, &base.name())?, training: base.clone() });
    }
    for (i, variant) in variants.iter().enumerate() {
        if variants[..i].iter().any(|earlier| earlier.name == variant.name) {
            return Err(text.value(VARIANTS, "a different `name` for each", format!("`{}` twice", variant.name)));
        }
    }
    Ok(B2cSettings { base, variants })
}

/// One variant: `own` laid over `base`.
fn variant(text: &SectionText<'_>, base: &Table, mut own: Table) -> Result<B2cVariant, ExperimentError> {
    let name = match own.remove("name") {
        None => None,
        Some(Value::String(name)) => Some(name),
        Some(other) => return Err(text.value("variants.name", "text", other.to_string())),
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
    let training: B2cTraining = text.read(VARIANTS, table)?;
    let name = text.arm_name("variants.name", &name.unwrap_or_else(|| training.name()))?;
    Ok(B2cVariant { name, training })
}
