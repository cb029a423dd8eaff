//! What all families of language models are made of.

use candle_core::Tensor;

use crate::{
    error::{ModelError, Result},
    nn::{
        block::{Norm, TokenBlock},
        layers::{Embedding, Linear},
        params::Params,
        rotary::Rotary,
    },
};

pub(super) const NAME: &str = "language model";

/// A Transformer that reads text.
pub struct LanguageModel {
    pub(super) family: &'static str,
    pub(super) vocabulary: usize,
    pub(super) width: usize,
    /// The longest text, where positions are a table or the config says so.
    pub(super) longest: usize,
    pub(super) tokens: Embedding,
    /// The table of positions and how many of its rows come before the first.
    pub(super) positions: Option<(Embedding, usize)>,
    /// The embedding of the one kind of segment there is.
    pub(super) segment: Option<Tensor>,
    pub(super) norm_in: Option<Norm>,
    pub(super) project_in: Option<Linear>,
    pub(super) rotary: Option<Rotary>,
    pub(super) blocks: Vec<TokenBlock>,
    pub(super) norm_out: Option<Norm>,
    pub(super) project_out: Option<Linear>,
    pub(super) pooler: Option<Linear>,
    pub(super) causal: bool,
}

/// What a language model makes of a batch of texts.
pub struct LanguageStates {
    /// The last hidden states, (B, tokens, width).
    pub last_hidden: Tensor,
    /// BERT's summary of a text at its first token, (B, width), where the checkpoint has the layer for it.
    pub pooled: Option<Tensor>,
}

/// The place below `prefix`, where the checkpoint has it, else the root.
pub(super) fn root(p: &Params, prefix: &str) -> Params {
    if p.at(prefix).holds_any() { p.at(prefix) } else { p.clone() }
}

/// Refuses numbers that no model has.
pub(super) fn check_sizes(sizes: &[(&str, usize)]) -> Result<()> {
    // Vocabularies are the largest of them.
    const LARGEST: usize = 1 << 24;
    match sizes.iter().find(|(_, size)| *size == 0 || *size > LARGEST) {
        None => Ok(()),
        Some((key, size)) => Err(ModelError::Config {
            component: NAME,
            key: (*key).into(),
            value: size.to_string(),
            supported: format!("1 to {LARGEST}"),
        }),
    }
}
