//! What an encoder reads: the units of the groups side by side, normalised as ridge decoders' responses are.

use ndarray::Array2;
use percept_models::context_encoder::{ContextEncoderConfig, GroupConfig, tokens_in_proportion};
use serde::{Deserialize, Serialize};

use percept_pipeline::Dataset;
use percept_pipeline::PipelineError;
use percept_pipeline::decoding::normalise::normalised;
use percept_pipeline::experiment::Normalise;
use percept_pipeline::plan::{Plan, mean_row};

use super::settings::B2cTraining;

/// The unpatched encoder's only group.
const ALL: &str = "all";
/// Features per attention head when the experiment does not say.
const HEAD: usize = 64;
/// The fewest heads then.
const FEWEST_HEADS: usize = 4;

/// A group of units, in the words of the data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupFacts {
    /// Its name, such as `V1`.
    pub name: String,
    /// How it was selected.
    pub selector: String,
    /// Units in it.
    pub n_units: usize,
}

/// Responses as an encoder reads them.
pub(crate) struct Inputs {
    /// n_samples × n_units, the units of the first group first.
    pub(crate) rows: Array2<f32>,
    /// The groups.
    pub(crate) groups: Vec<GroupFacts>,
}

impl Inputs {
    /// The units of all groups of `dataset`, normalised by the training samples of `plan`.
    pub(crate) fn of(dataset: &Dataset, plan: &Plan, normalisation: Normalise) -> Result<Self, PipelineError> {
        let remedy = "name parts of the units under `[data.groups]`";
        if dataset.groups.is_empty() {
            return Err(PipelineError::data("the data have no groups of units, which `b2c` reads", remedy));
        }
        let columns: Vec<usize> = dataset.groups.iter().flat_map(|group| group.units.iter().copied()).collect();
        let responses = dataset.responses.select_units(&columns);
        let (rows, _) = normalised(&responses, &plan.train[0], normalisation);
        let facts = |group: &percept_pipeline::data::UnitGroup| GroupFacts {
            name: group.name.clone(),
            selector: group.selector.clone(),
            n_units: group.units.len(),
        };
        Ok(Self { rows, groups: dataset.groups.iter().map(facts).collect() })
    }

    /// One row per list of samples: their mean, in f64.
    pub(crate) fn averaged<'a>(&self, samples: impl ExactSizeIterator<Item = &'a Vec<usize>>) -> Array2<f32> {
        let mut means = Array2::zeros((samples.len(), self.rows.ncols()));
        for (mut mean, which) in means.rows_mut().into_iter().zip(samples) {
            mean.assign(&mean_row(&self.rows, which));
        }
        means
    }

    /// The columns of each group.
    pub(crate) fn columns(&self) -> Vec<std::ops::Range<usize>> {
        let mut start = 0;
        self.groups
            .iter()
            .map(|group| {
                start += group.n_units;
                start - group.n_units..start
            })
            .collect()
    }
}

/// The encoder that `training` describes, for `groups` and contexts of (tokens, width).
///
/// # Errors
/// Tokens that do not add up, or not one number per group.
pub(crate) fn encoder_config(
    training: &B2cTraining,
    groups: &[GroupFacts],
    [tokens, context_width]: [usize; 2],
) -> Result<ContextEncoderConfig, PipelineError> {
    let n_units: Vec<usize> = groups.iter().map(|group| group.n_units).collect();
    let parts: Vec<(String, usize)> = if training.patched {
        groups.iter().map(|group| (group.name.clone(), group.n_units)).collect()
    } else {
        vec![(ALL.to_owned(), n_units.iter().sum())]
    };
    let shares = if training.tokens.is_empty() || !training.patched {
        tokens_in_proportion(&parts.iter().map(|(_, n)| *n).collect::<Vec<_>>(), tokens)?
    } else {
        training.tokens.clone()
    };
    if shares.len() != parts.len() || shares.iter().sum::<usize>() != tokens {
        return Err(PipelineError::data(
            format!(
                "`b2c.tokens` names {} numbers with the sum {}, but there are {} groups and the context has {tokens} tokens",
                shares.len(),
                shares.iter().sum::<usize>(),
                parts.len()
            ),
            "name one number per group, or leave it out",
        ));
    }
    let width = if training.width == 0 { context_width } else { training.width };
    let config = ContextEncoderConfig {
        groups: parts
            .into_iter()
            .zip(shares)
            .map(|((name, inputs), tokens)| GroupConfig { name, inputs, tokens })
            .collect(),
        hidden_size: width,
        context_size: context_width,
        num_hidden_layers: training.blocks,
        num_attention_heads: if training.heads == 0 { (width / HEAD).max(FEWEST_HEADS) } else { training.heads },
        intermediate_size: training.expansion * width,
        rank: (training.rank > 0).then_some(training.rank),
        dropout: training.dropout,
        rest: std::collections::BTreeMap::new(),
    };
    config.check()?;
    Ok(config)
}
