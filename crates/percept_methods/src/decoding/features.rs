//! Features of stimuli: `z`, the autoencoder's mean latent of the picture, and `c`, the text encoder's last hidden state
//! averaged over all captions of the picture.
//!
//! One caption names a picture in one of many ways; the mean over all of them carries what they agree on. A caption that
//! occurs several times is embedded once.

use std::collections::BTreeMap;

use ndarray::{Array2, s};
use percept_core::{Progress, Provenance};

use super::artefact;
use super::generator::Generator;
use crate::dataset::Dataset;
use crate::error::MethodError;
use crate::pictures;
use crate::run::RunFolder;

/// Pictures read and encoded at a time.
const PICTURES_PER_BATCH: usize = 64;
/// Captions embedded at a time.
const CAPTIONS_PER_BATCH: usize = 256;

/// A feature space of all stimuli.
pub(crate) struct Features {
    /// n_stimuli × n_features.
    pub(crate) values: Array2<f32>,
    /// Hash of the artefact.
    pub(crate) content: String,
}

/// `z` of every stimulus.
pub(crate) fn latents(
    run: &RunFolder,
    dataset: &Dataset,
    generator: &dyn Generator,
    mut provenance: Provenance,
    progress: &dyn Progress,
) -> Result<Features, MethodError> {
    const PATH: &str = "features/z.safetensors";
    let n = dataset.stimuli.len();
    provenance.settings.insert("feature".to_owned(), "z".to_owned());
    progress.begin("features: z of pictures", n as u64);
    let stage = run.stage("features.z", provenance, || {
        let mut latents: Option<Array2<f32>> = None;
        for start in (0..n).step_by(PICTURES_PER_BATCH) {
            let end = (start + PICTURES_PER_BATCH).min(n);
            let batch: Vec<usize> = (start..end).collect();
            let size = generator.image_size();
            let shown = pictures::to_values(dataset.stimuli.pictures(&batch)?.view());
            let part = generator.encode(pictures::resize(shown.view(), size, size).view())?;
            let all = latents.get_or_insert_with(|| Array2::zeros((n, part.ncols())));
            all.slice_mut(s![start..end, ..]).assign(&part);
            progress.advance((end - start) as u64);
        }
        let latents = latents.unwrap_or_default();
        artefact::save(run, PATH, &[("z", latents.into_dyn())])?;
        Ok(vec![PATH.to_owned()])
    })?;
    progress.end("");
    load(run, PATH, "z", n, stage.content())
}

/// `c` of every stimulus.
pub(crate) fn contexts(
    run: &RunFolder,
    captions: &[Vec<String>],
    generator: &dyn Generator,
    mut provenance: Provenance,
    progress: &dyn Progress,
) -> Result<Features, MethodError> {
    const PATH: &str = "features/c.safetensors";
    provenance.settings.insert("feature".to_owned(), "c".to_owned());
    let mut stimuli_of_caption: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (stimulus, list) in captions.iter().enumerate() {
        for caption in list {
            stimuli_of_caption.entry(caption).or_default().push(stimulus);
        }
    }
    let distinct: Vec<(&str, &Vec<usize>)> = stimuli_of_caption.iter().map(|(caption, of)| (*caption, of)).collect();
    progress.begin("features: c of captions", distinct.len() as u64);
    let stage = run.stage("features.c", provenance, || {
        let mut contexts: Option<Array2<f32>> = None;
        for batch in distinct.chunks(CAPTIONS_PER_BATCH) {
            let texts: Vec<String> = batch.iter().map(|(caption, _)| (*caption).to_owned()).collect();
            let part = generator.embed_text(&texts)?;
            let all = contexts.get_or_insert_with(|| Array2::zeros((captions.len(), part.ncols())));
            for (embedded, (_, stimuli)) in part.rows().into_iter().zip(batch) {
                for &stimulus in *stimuli {
                    let share = 1.0 / captions[stimulus].len() as f32;
                    all.row_mut(stimulus).scaled_add(share, &embedded);
                }
            }
            progress.advance(batch.len() as u64);
        }
        let contexts = contexts.unwrap_or_default();
        artefact::save(run, PATH, &[("c", contexts.into_dyn())])?;
        Ok(vec![PATH.to_owned()])
    })?;
    progress.end(&format!("{} distinct captions", distinct.len()));
    load(run, PATH, "c", captions.len(), stage.content())
}

fn load(run: &RunFolder, path: &str, name: &str, n: usize, content: String) -> Result<Features, MethodError> {
    let values = artefact::load(run, path)?.matrix(name, n, None)?;
    Ok(Features { values, content })
}
