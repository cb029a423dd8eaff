//! The folder of trained encoders: what `percept train b2c` leaves and `percept reconstruct` reads.
//!
//! `b2c.json` says what was trained on what; each variant has a folder in the diffusers layout: `brain_encoder/` with
//! config and weights, `unet/changes.safetensors` with the keys and values that differ from the pack's, and `training/` with
//! the curves.

use std::path::{Path, PathBuf};

use percept_io::fs;
use percept_models::context_encoder::{ContextEncoder, ContextEncoderConfig};
use percept_models::nn::params::Params;
use percept_models::train::{ENCODER, UNET};
use percept_models::weights::{Tensors, open_tensors, write_tensors};
use serde::{Deserialize, Serialize};

use super::inputs::GroupFacts;
use super::validation::Validation;
use percept_pipeline::PipelineError;

/// The facts of a whole folder.
pub(crate) const FACTS: &str = "b2c.json";
const ENCODER_CONFIG: &str = "brain_encoder/config.json";
const ENCODER_WEIGHTS: &str = "brain_encoder/model.safetensors";
const CHANGES: &str = "unet/changes.safetensors";
const INDEX: &str = r#"{
  "_class_name": "BrainToContextPipeline",
  "brain_encoder": ["percept", "ContextEncoder"],
  "unet": ["percept", "changes to the pack's to_k and to_v"]
}
"#;
/// No facts are longer.
const MAX_FACTS: u64 = 64 << 20;

/// What was trained, on what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainedRun {
    /// The experiment's name.
    pub name: String,
    /// Name of the model pack.
    pub pack: String,
    /// Content hash of the model pack.
    pub pack_content: String,
    /// Content hash of the assignment of samples and units.
    pub design: String,
    /// The groups of units, in the order of the encoder's inputs.
    pub groups: Vec<GroupFacts>,
    /// Ids of all images that any variant saw, validation included.
    pub training_images: Vec<String>,
    /// The variants, in the order of the experiment.
    pub variants: Vec<VariantFacts>,
}

/// What one variant's training came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VariantFacts {
    /// Its name, which is also its folder.
    pub name: String,
    /// Weights of the encoder.
    pub n_parameters: usize,
    /// Weights of the U-Net that were trained.
    pub n_changed: usize,
    /// Images that trained (without those that validated).
    pub n_train_images: usize,
    /// Their trials.
    pub n_train_samples: usize,
    /// Images that validated.
    pub n_validation_images: usize,
    /// Tokens of each group.
    pub tokens: Vec<usize>,
    /// Steps that were taken.
    pub n_steps: usize,
    /// The validation whose weights were kept.
    pub best: Validation,
    /// All validations.
    pub validations: Vec<Validation>,
    /// What went wrong on the way, in words.
    pub warnings: Vec<String>,
}

impl VariantFacts {
    /// One sentence on what it is.
    pub(super) fn description(&self) -> String {
        let input = match self.tokens.len() {
            1 => "all units at once".to_owned(),
            n => format!("{n} groups of units, each with tokens of its own"),
        };
        format!("Pure noise, denoised under the context of a trained encoder that reads {input}, by its U-Net.")
    }
}

/// A trained variant that was opened again.
pub(crate) struct Trained {
    pub(crate) encoder: ContextEncoder,
    /// Tensors of the U-Net that differ from the pack's.
    pub(crate) changes: Tensors,
    /// Hash of both.
    pub(crate) content: String,
}

/// The tensors below `place`, by their names there.
pub(super) fn below(place: &str, tensors: &Tensors) -> Tensors {
    let prefix = format!("{place}.");
    tensors.iter().filter_map(|(name, tensor)| Some((name.strip_prefix(&prefix)?.to_owned(), tensor.clone()))).collect()
}

/// Writes the weights of a variant to `folder`; names carry the places of the training's parameters.
pub(crate) fn save(folder: &Path, config: &ContextEncoderConfig, weights: &Tensors) -> Result<(), PipelineError> {
    let text = serde_json::to_string_pretty(config).expect("a config is plain JSON");
    fs::write_bytes(folder.join("model_index.json"), INDEX.as_bytes())?;
    fs::write_bytes(folder.join(ENCODER_CONFIG), format!("{text}\n").as_bytes())?;
    fs::write_bytes(folder.join(ENCODER_WEIGHTS), &write_tensors(&below(ENCODER, weights), false)?)?;
    fs::write_bytes(folder.join(CHANGES), &write_tensors(&below(UNET, weights), false)?)?;
    Ok(())
}

/// The files of a variant, relative to its folder.
pub(crate) fn files() -> [&'static str; 4] {
    ["model_index.json", ENCODER_CONFIG, ENCODER_WEIGHTS, CHANGES]
}

/// Reads the facts of the folder `run`.
pub(crate) fn facts(run: &Path) -> Result<TrainedRun, PipelineError> {
    let path = run.join(FACTS);
    if !path.is_file() {
        return Err(PipelineError::data(
            format!("`decoder` names `{}`, which holds no `{FACTS}`", run.display()),
            "train it by `percept train b2c EXPERIMENT.toml --out FOLDER`, and name that folder",
        ));
    }
    let text = fs::read_text(&path, MAX_FACTS)?;
    serde_json::from_str(&text).map_err(|error| {
        PipelineError::data(format!("`{}` is damaged: {error}", path.display()), "train again into another folder")
    })
}

/// Opens the variant `name` of the folder `run`.
pub(crate) fn open(run: &Path, name: &str) -> Result<Trained, PipelineError> {
    let file = |relative: &str| -> PathBuf { run.join(name).join(relative) };
    let config = ContextEncoderConfig::parse(&fs::read_text(file(ENCODER_CONFIG), MAX_FACTS)?)?;
    let params =
        Params::from_tensors(open_tensors(&file(ENCODER_WEIGHTS))?, format!("`{}`", file(ENCODER_WEIGHTS).display()));
    let encoder = ContextEncoder::new(&params, config)?;
    params.expect_all_used()?;
    let changes = open_tensors(&file(CHANGES))?;
    let hashes = [ENCODER_CONFIG, ENCODER_WEIGHTS, CHANGES].map(|relative| fs::content_hash(file(relative)));
    let hashes = hashes.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(Trained { encoder, changes, content: percept_core::provenance::content_hash(hashes.concat().as_bytes()) })
}
