//! Captions of the test items: from decoded vision tokens, from the true ones, and from the mean response.

use std::sync::Arc;

use ndarray::{Array2, Axis, s};
use percept_core::Provenance;
use percept_pipeline::PipelineError;
use percept_pipeline::data::hash_of_rows;
use percept_pipeline::decoding::rescaled;
use percept_pipeline::experiment::{Experiment, Pack};
use percept_pipeline::generation::captions::{Captioning, Captions, Said, captions};
use percept_pipeline::packs::{CaptionModel, PackCaptioner};
use percept_pipeline::spaces::{vision_tokens, vision_tokens::NAME};

use super::settings::CaptionSettings;
use crate::bench::Bench;

/// Captions of all items, and what they were read from.
pub(crate) struct Decoded {
    /// From the responses: one row per item.
    pub(super) items: Captions,
    /// From the mean training response: one row per fold.
    pub(super) mean: Captions,
    /// From the true vision tokens: one row per item.
    pub(super) truth: Captions,
    /// The captioner's name.
    pub(super) captioner: String,
    /// Tokens of its vision encoder, and the width of each.
    pub(super) shape: [usize; 2],
}

/// The settings of `[captions]`, or their defaults.
pub(super) fn settings(experiment: &Experiment) -> CaptionSettings {
    experiment.section(super::names::SECTION).unwrap_or_default()
}

/// Opens the captioner that the experiment names.
///
/// # Errors
/// When a file is missing or does not fit.
pub(super) fn open(settings: &CaptionSettings) -> Result<Arc<dyn CaptionModel>, PipelineError> {
    Ok(Arc::new(PackCaptioner::open(&settings.captioner, |own| settings.prepared(own))?))
}

/// Decodes vision tokens and puts them into words.
///
/// # Errors
/// When the data lack the region, the regression is refused, or the captioner refuses the tokens.
pub(super) fn decode(bench: &Bench<'_>, captioner: &dyn CaptionModel) -> Result<Decoded, PipelineError> {
    let settings = settings(bench.experiment);
    warn_of_strangers(bench, &settings);
    let tokens = vision_tokens(captioner, &bench.materials())?;
    let predictions = bench.decode_columns(NAME, &tokens, &tokens.content, settings.region)?;
    let found = rescaled(&predictions, bench.plan, settings.rescale);
    let truth = tokens.rows(&bench.plan.stimuli())?;
    bench.report_rows(NAME, settings.region, &predictions, &truth, found.median_factor)?;
    drop(predictions);
    let search = settings.search();
    let say = |name: &str, rows: &Array2<f32>| {
        let record = Provenance::new(bench.experiment.seed).input("tokens", hash_of_rows(rows));
        let captioning = Captioning { name, captioner, search: &search, batch: settings.batch, record };
        let slice = |range: std::ops::Range<usize>| Ok(rows.slice_axis(Axis(0), range.into()).to_owned());
        captions(bench.run, &captioning, rows.nrows(), slice, bench.progress)
    };
    Ok(Decoded {
        items: say("decoded", &found.items)?,
        mean: say("mean", &found.mean)?,
        truth: say("true", &truth)?,
        captioner: captioner.name().to_owned(),
        shape: captioner.shape(),
    })
}

/// Says when the captioner and the model pack cannot both know the pictures.
fn warn_of_strangers(bench: &Bench<'_>, settings: &CaptionSettings) {
    let is_pocket = |pack: &Pack| *pack == Pack::Pocket;
    let (captioner, pack) = (is_pocket(&settings.captioner), is_pocket(&bench.experiment.model.pack));
    if captioner && !pack {
        bench.warn(
            "the pocket captioner knows drawings only, but the model pack is another one: set `captions.captioner` to a BLIP \
             model"
                .to_owned(),
        );
    }
}

/// For each item the training stimulus whose context is most like the decoded one.
pub(super) fn nearest(bench: &Bench<'_>, decoded: &Array2<f32>, contexts: &Array2<f32>) -> Vec<usize> {
    let lengths: Vec<f32> = contexts.rows().into_iter().map(|row| row.dot(&row).sqrt()).collect();
    let stimulus_of_sample = &bench.data.responses.stimulus_of_sample;
    let trained: Vec<Vec<usize>> = bench
        .plan
        .train
        .iter()
        .map(|samples| {
            let mut stimuli: Vec<usize> = samples.iter().map(|&sample| stimulus_of_sample[sample]).collect();
            stimuli.sort_unstable();
            stimuli.dedup();
            stimuli
        })
        .collect();
    let best = |item: usize| {
        let row = decoded.slice(s![item, ..]);
        let cosine = |stimulus: usize| row.dot(&contexts.row(stimulus)) / lengths[stimulus].max(f32::MIN_POSITIVE);
        let of_fold = trained[bench.plan.items[item].fold].iter().map(|&stimulus| (cosine(stimulus), stimulus));
        of_fold.max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1))).map_or(0, |(_, stimulus)| stimulus)
    };
    (0..decoded.nrows()).map(best).collect()
}

/// The beams of the mean response for each item: those of its fold.
pub(super) fn mean_of_items(bench: &Bench<'_>, decoded: &Decoded) -> Vec<Vec<Said>> {
    bench.plan.items.iter().map(|item| decoded.mean.beams[item.fold].clone()).collect()
}
