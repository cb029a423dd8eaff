//! Responses to spaces: a ridge regression from every region, the best averaged.
//!
//! Penalties and regions are chosen by folds of whole excerpts. Beside the test, every training window is predicted by a model that was
//! fitted and chosen without its fold: those are the numbers of the training side.

use ndarray::{Array1, Array2, Axis};
use percept_core::seed::permutation;
use percept_pipeline::PipelineError;
use percept_pipeline::data::listening::Tags;
use percept_pipeline::decoding::rescale;
use percept_pipeline::run::{StageName, artefact};
use percept_regress::Score;

use super::bench::Bench;
use super::targets::Target;
use crate::by_region::{RegionDecoder, regions_of};

/// Of the decoder; see [`percept_pipeline::run`].
const REVISION: u32 = 1;

/// A decoded space.
pub(super) struct Decoded {
    /// Windows × width: training windows without their fold, and test windows.
    pub sides: [Array2<f32>; 2],
    /// The regions that were averaged, the best first.
    pub chosen: Vec<String>,
    /// Mean held-out correlation of each region.
    pub of_regions: Vec<f64>,
    /// How often each penalty was chosen, over the chosen regions.
    pub n_targets_of_alpha: Vec<usize>,
    /// Mean over dimensions of R² of the held-out predictions.
    pub r2: f64,
    /// Test windows by models that never saw the genre of their clip; for the target that is made something of.
    pub left_out: Option<Array2<f32>>,
}

impl Decoded {
    /// One vector for each test clip, away from the mean as far as training vectors are: shrunken predictions would all be one vector.
    pub(super) fn vectors(&self, target: &Target) -> Array2<f32> {
        let [training, test] = &target.sides;
        let (held_out, truth) = (training.by_clip(&self.sides[0]), training.by_clip(&training.truth));
        let variance = |rows: &Array2<f32>| rows.var_axis(Axis(0), 0.0);
        let mean: Array1<f32> = truth.mean_axis(Axis(0)).unwrap_or_default();
        let mut vectors = test.by_clip(&self.sides[1]);
        rescale::restored(&mut vectors, mean.view(), variance(&truth).view(), variance(&held_out).view());
        vectors
    }
}

pub(super) fn decoded(bench: &Bench<'_>, target: &Target) -> Result<Decoded, PipelineError> {
    let name = format!("decode.{}", target.name);
    let path = format!("decoded/{}.safetensors", target.name);
    let facts = format!("decoded/{}.json", target.name);
    let record = bench
        .record
        .only(&["responses", "schedule", "sounds", "words", "regions"])
        .setting("target", &target.settings)
        .setting("decode", &bench.experiment.decode)
        .input("target", percept_pipeline::data::hash_of_rows(&target.sides[0].truth));
    bench.run.stage(StageName { name: &name, revision: REVISION }, record, || {
        let fitted = fit(bench, target)?;
        let [training, test] = fitted.sides.clone();
        let mut arrays = vec![("training", training.into_dyn()), ("test", test.into_dyn())];
        arrays.extend(fitted.left_out.clone().map(|rows| ("left_out", rows.into_dyn())));
        artefact::save(bench.run, &path, &arrays)?;
        let words = (&fitted.chosen, &fitted.of_regions, &fitted.n_targets_of_alpha, fitted.r2);
        bench.run.write_json(&facts, &words)?;
        Ok(vec![path.clone(), facts.clone()])
    })?;
    let arrays = artefact::load(bench.run, &path)?;
    let width = Some(target.sides[0].truth.ncols());
    let (chosen, of_regions, n_targets_of_alpha, r2) = bench.run.read_json(&facts, "what was decoded")?;
    Ok(Decoded {
        sides: [
            arrays.matrix("training", target.sides[0].truth.nrows(), width)?,
            arrays.matrix("test", target.sides[1].truth.nrows(), width)?,
        ],
        chosen,
        of_regions,
        n_targets_of_alpha,
        r2,
        left_out: leaves_genres_out(bench, target)
            .then(|| arrays.matrix("left_out", target.sides[1].truth.nrows(), width))
            .transpose()?,
    })
}

/// Whether whole genres are left out for this target: of the one that is made something of, where there are three or more.
fn leaves_genres_out(bench: &Bench<'_>, target: &Target) -> bool {
    let is_main = bench.experiment.targets[bench.experiment.main_target()].0 == target.name;
    is_main && bench.data.tags.first().is_some_and(|genres| genres.words.len() > 2)
}

/// The fold of each clip of the training.
fn folds(bench: &Bench<'_>, target: &Target) -> Vec<usize> {
    let clips = &target.sides[0].clips;
    let n_folds = bench.experiment.decode.folds.min(clips.len().max(1));
    let order = permutation(bench.seed.named("folds"), clips.len());
    let mut fold_of_place = vec![0; clips.len()];
    for (rank, place) in order.into_iter().enumerate() {
        fold_of_place[place] = rank % n_folds;
    }
    let fold = |clip: usize| clips.iter().position(|&other| other == clip).map_or(0, |place| fold_of_place[place]);
    target.sides[0].windows.clip.iter().map(|&clip| fold(clip)).collect()
}

fn fit(bench: &Bench<'_>, target: &Target) -> Result<Decoded, PipelineError> {
    let wide = |values: &Array2<f32>| values.mapv(f64::from);
    let [training, test] = &target.sides;
    let decoder = RegionDecoder {
        feature: &target.name,
        x: wide(&training.windows.responses),
        y: wide(&training.truth),
        fold_of_row: folds(bench, target),
        regions: regions_of(&bench.data.regions),
        alphas: &bench.experiment.decode.alphas,
        score: Score::Pearson,
        n_best: bench.experiment.decode.best_regions,
        progress: bench.progress,
    };
    let found = decoder.decoded(wide(&test.windows.responses).view())?;
    let genres = leaves_genres_out(bench, target).then(|| bench.data.tags.first()).flatten();
    let left_out = genres.map(|genres| without_genres(&decoder, target, genres)).transpose()?;
    Ok(Decoded {
        sides: [found.held_out, found.predicted],
        chosen: found.chosen,
        of_regions: found.of_regions,
        n_targets_of_alpha: found.n_targets_of_alpha,
        r2: found.r2,
        left_out,
    })
}

/// Test windows by models that never saw the genre of their clip.
fn without_genres(decoder: &RegionDecoder<'_>, target: &Target, genres: &Tags) -> Result<Array2<f32>, PipelineError> {
    let [training, test] = &target.sides;
    let mut rows = Array2::<f32>::zeros(test.truth.dim());
    for genre in 0..genres.words.len() {
        let is_of = |clip: usize| genres.of_clip[clip] == genre;
        let kept: Vec<usize> = (0..training.truth.nrows()).filter(|&row| !is_of(training.windows.clip[row])).collect();
        let own: Vec<usize> = (0..rows.nrows()).filter(|&row| is_of(test.windows.clip[row])).collect();
        if own.is_empty() {
            continue;
        }
        let responses = test.windows.responses.select(Axis(0), &own).mapv(f64::from);
        let found = decoder.predict(&decoder.model(&kept)?, responses.view())?;
        for (&row, values) in own.iter().zip(found.outer_iter()) {
            rows.row_mut(row).assign(&values);
        }
    }
    Ok(rows)
}
