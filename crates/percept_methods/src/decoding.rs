//! The base system: images from responses by ridge regression into the latent `z` and the context `c` of a diffusion model.
//!
//! Takagi & Nishimoto (CVPR 2023): `z` from early visual cortex, `c` from ventral visual cortex; `z` alone, `c` alone and both
//! together are compared under the same seed and noise, beside controls that say how much of a picture came from the brain.
//! Unlike the authors' released code, decoders have an intercept, penalties are chosen per target by leaving out whole
//! images, and normalisation is fitted on training samples only.
//!
//! The stages, each of which leaves its artefacts in the run directory ([`crate::run`]) and is resumed:
//! features → decoders and predictions → pictures of every arm → scores → [`Outcome`].

mod arms;
pub(crate) mod artefact;
mod differences;
pub(crate) mod features;
pub(crate) mod fit;
mod generate;
pub(crate) mod generator;
mod metric;
pub(crate) mod normalise;
mod outcome;
mod pixels;
mod plan;
mod rescale;
pub(crate) mod score;
pub(crate) mod summary;

use std::path::Path;

use ndarray::Array2;
use percept_core::{Progress, Provenance};

pub use generator::{Changes, Generator, PackGenerator};
pub use outcome::{ArmSummary, DataSummary, DecoderSummary, ItemArm, ItemResult, Outcome, RegionSummary};
pub use plan::{Item, Plan};

use crate::b2c;
use crate::dataset::{self, Dataset};
use crate::error::MethodError;
use crate::experiment::{Experiment, Method, Normalise, Region};
use crate::run::RunFolder;

/// How a run is carried out; none of it changes the result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// End with [`MethodError::Stopped`] instead of making more stages than this.
    pub stop_after: Option<usize>,
}

/// Carries out `experiment` in the folder `out` and writes `experiment.toml`, pictures, `scores.json`, tables and
/// `outcome.json` there. What an earlier run of the same experiment left is used again.
///
/// # Errors
/// Any [`MethodError`]; each says what to do about it.
pub fn run(
    experiment: &Experiment,
    out: &Path,
    options: RunOptions,
    progress: &dyn Progress,
) -> Result<Outcome, MethodError> {
    let folder = RunFolder::open(out, options.stop_after)?;
    let generator = PackGenerator::open(&experiment.model.pack)?;
    let dataset = dataset::open(experiment, &folder, progress)?;
    reconstruct(experiment, &dataset, &generator, &folder, progress)
}

/// The part of [`run`] after data and model are open.
///
/// # Errors
/// Any [`MethodError`].
pub fn reconstruct(
    experiment: &Experiment,
    dataset: &Dataset,
    generator: &dyn Generator,
    run: &RunFolder,
    progress: &dyn Progress,
) -> Result<Outcome, MethodError> {
    percept_io::fs::write_bytes(run.file("experiment.toml"), experiment.resolved().as_bytes())?;
    let plan = Plan::new(dataset, &experiment.split, &experiment.decode)?;
    let mut warnings = summary::warnings(dataset, &plan);
    for warning in &warnings {
        progress.warn(warning);
    }
    let base = provenance(experiment, dataset, generator)?;
    let only = |inputs: &[&str]| subset(&base, inputs);

    let reads_z = experiment.methods.iter().any(|method| method.reads_z());
    let reads_c = experiment.methods.iter().any(|method| method.reads_c());
    let z_features = if reads_z {
        Some(features::latents(run, dataset, generator, only(&["stimuli", "pack"]), progress)?)
    } else {
        None
    };
    let c_features = if reads_c {
        let captions = dataset.captions.as_ref().ok_or_else(|| {
            MethodError::data("the data have no captions, which `c` needs", "name them, or set `methods = [\"z\"]`")
        })?;
        Some(features::contexts(run, captions, generator, only(&["captions", "pack"]), progress)?)
    } else {
        None
    };

    let decoders = Decoders { experiment, dataset, plan: &plan, base: &base, run, progress };
    let z = match &z_features {
        Some(found) => Some(decoders.fit("z", experiment.decode.z_region, found, &mut warnings)?),
        None => None,
    };
    let fits_c = experiment.methods.iter().any(|method| method.is_ridge() && method.reads_c());
    let c = match &c_features {
        Some(found) if fits_c => Some(decoders.fit("c", experiment.decode.c_region, found, &mut warnings)?),
        _ => None,
    };
    let c_rescaled = c.as_ref().map(|predictions| arms::rescaled(predictions, &plan, experiment.decode.rescale));
    let trained = if experiment.methods.contains(&Method::B2c) {
        let (facts, trained) = b2c::apply(experiment, dataset, &plan, generator, progress)?;
        warnings.extend(trained.iter().flat_map(|variant| {
            variant.facts.warnings.iter().map(|warning| format!("`{}`: {warning}", variant.facts.name))
        }));
        Some((facts, trained))
    } else {
        None
    };
    let ingredients = arms::Ingredients {
        z: z.as_ref().zip(z_features.as_ref()),
        c: c_rescaled.as_ref(),
        true_c: c_features.as_ref(),
        trained: trained.as_ref().map_or(&[], |(_, trained)| trained),
    };
    let mut arms = arms::build(experiment, &plan, &ingredients)?;
    if experiment.baselines.pixel_ridge {
        arms.push(pixels::arm(&decoders, &mut warnings)?);
    }

    let mut contents = Vec::with_capacity(arms.len());
    for arm in &arms {
        contents.push(generate::pictures_of_arm(run, arm, &plan.items, generator, &experiment.generate, progress)?);
    }
    let stimuli = summary::stimulus_pictures(run, dataset, &plan, generator, only(&["stimuli"]), progress)?;
    let task = score::Task {
        run,
        plan: &plan,
        arms: &arms,
        contents: &contents,
        stimuli: &stimuli,
        contexts: c_features.as_ref(),
        generator,
        experiment,
    };
    let scored = score::score(&task, progress)?;
    let differences = differences::differences(&task, &scored, progress)?;

    let sections = match (&trained, &c_features) {
        (Some((facts, trained)), Some(features)) => {
            let picture = |name: &str, item: &Item| generate::path_of(name, item, 0);
            let insight = b2c::Insight {
                run,
                generator,
                facts,
                trained,
                items: &plan.items,
                truth: features.values.select(ndarray::Axis(0), &plan.stimuli()),
                stimuli: &stimuli.paths,
                picture: &picture,
                draws: experiment.evaluate.draws,
                seed: experiment.seed,
            };
            insight.sections(only(&["pack"]))?
        }
        _ => Vec::new(),
    };

    let mut decoder_summaries = Vec::new();
    for (feature, region, predictions, features, factor) in [
        ("z", experiment.decode.z_region, z.as_ref(), z_features.as_ref(), 1.0),
        (
            "c",
            experiment.decode.c_region,
            c.as_ref(),
            c_features.as_ref(),
            c_rescaled.as_ref().map_or(1.0, |rescaled| rescaled.median_factor),
        ),
    ] {
        if let (Some(predictions), Some(features)) = (predictions, features) {
            let n_units = dataset.units_of(region)?.len();
            let facts = summary::Fitted { feature, region, n_units, predictions, features, factor };
            decoder_summaries.push(summary::decoder(&facts, &plan, &experiment.decode));
        }
    }
    warnings.extend(summary::edge_warnings(&decoder_summaries));
    let outcome = Outcome {
        name: experiment.name.clone(),
        warnings,
        data: summary::data(dataset, &plan, experiment),
        decoders: decoder_summaries,
        items: summary::items(dataset, &plan, &arms, &scored),
        arms: arms
            .iter()
            .map(|arm| ArmSummary {
                name: arm.name.clone(),
                description: arm.description.clone(),
                n_samples: arm.n_samples,
            })
            .collect(),
        scores: scored.rows,
        differences,
        sections,
        experiment: experiment.resolved(),
        provenance: base,
    };
    run.write_json("outcome.json", &outcome)?;
    Ok(outcome)
}

/// Everything that fits decoders needs, whatever the feature space.
struct Decoders<'a> {
    experiment: &'a Experiment,
    dataset: &'a Dataset,
    plan: &'a Plan,
    base: &'a Provenance,
    run: &'a RunFolder,
    progress: &'a dyn Progress,
}

impl Decoders<'_> {
    fn fit(
        &self,
        feature: &'static str,
        region: Region,
        features: &features::Features,
        warnings: &mut Vec<String>,
    ) -> Result<fit::Predictions, MethodError> {
        let units = self.dataset.units_of(region)?;
        let responses = self.dataset.responses.select_units(&units);
        let settings = &self.experiment.decode;
        let mut provenance = subset(self.base, &["responses", "design"]);
        provenance.inputs.insert("features".to_owned(), features.content.clone());
        for (key, value) in [
            ("feature", feature.to_owned()),
            ("region", region.name().to_owned()),
            ("alphas", format!("{:?}", settings.alphas)),
            ("normalise", format!("{:?}", settings.normalise)),
            ("average_repeats", settings.average_repeats.to_string()),
            ("split", format!("{:?}", self.experiment.split)),
        ] {
            provenance.settings.insert(key.to_owned(), value);
        }
        if settings.normalise == Normalise::Session {
            let (_, without) = normalise::by_session(&responses, &self.plan.train[0]);
            if !without.is_empty() {
                warnings.push(format!(
                    "{} sessions hold fewer than two training samples and were normalised by all training samples",
                    without.len()
                ));
                warnings.dedup();
            }
        }
        let normalised = |fold: usize| -> Array2<f32> {
            match settings.normalise {
                Normalise::None => responses.data.clone(),
                Normalise::Session => normalise::by_session(&responses, &self.plan.train[fold]).0,
            }
        };
        let task = fit::Task {
            feature,
            targets: features.values.view(),
            n_units: units.len(),
            responses: &normalised,
            stimulus_of_sample: &self.dataset.responses.stimulus_of_sample,
            settings,
            provenance,
        };
        fit::fit(self.run, self.plan, &task, self.progress)
    }
}

/// The record of the whole run.
fn provenance(
    experiment: &Experiment,
    dataset: &Dataset,
    generator: &dyn Generator,
) -> Result<Provenance, MethodError> {
    let mut record = Provenance::new(experiment.seed);
    record.inputs = dataset.inputs()?;
    record.inputs.insert("pack".to_owned(), generator.content().to_owned());
    record.settings.insert("experiment".to_owned(), experiment.resolved());
    Ok(record)
}

/// A record of the same program and seed that names some of the inputs and no settings yet.
pub(crate) fn subset(base: &Provenance, inputs: &[&str]) -> Provenance {
    let mut record = Provenance::new(base.seed);
    for &name in inputs {
        if let Some(hash) = base.inputs.get(name) {
            record.inputs.insert(name.to_owned(), hash.clone());
        }
    }
    record
}
