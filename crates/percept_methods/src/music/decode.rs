//! Responses to spaces: a ridge regression from every region, the best averaged.
//!
//! Penalties and regions are chosen by folds of whole excerpts. Beside the test, every training window is predicted by a model that was
//! fitted and chosen without its fold: those are the numbers of the training side.

use ndarray::{Array1, Array2, Axis};
use percept_core::seed::permutation;
use percept_pipeline::PipelineError;
use percept_pipeline::decoding::rescale;
use percept_pipeline::run::{StageName, artefact};
use percept_regress::{Best, Folds, Region, Regions, RegionsParams, RidgeParams, Score};

use super::bench::Bench;
use super::targets::Target;

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
    let (x, y) = (wide(&training.windows.responses), wide(&training.truth));
    let fold_of_row = folds(bench, target);
    let n_folds = fold_of_row.iter().max().map_or(1, |last| last + 1);
    bench.progress.begin(&format!("decode {}", target.name), n_folds as u64 + 1);
    let regions: Vec<Region> = bench
        .data
        .regions
        .iter()
        .map(|region| Region { name: region.name.clone(), features: region.units.clone() })
        .collect();
    let settings = &bench.experiment.decode;
    let params = RegionsParams {
        ridge: RidgeParams { alphas: settings.alphas.clone(), score: Score::Pearson, ..RidgeParams::default() },
        n_best: settings.best_regions,
        best: Best::Together,
    };
    let refused = |error| PipelineError::Regress { feature: target.name.clone(), error };
    let model = |rows: &[usize]| -> Result<Regions<f64>, PipelineError> {
        let labels: Vec<usize> = rows.iter().map(|&row| fold_of_row[row]).collect();
        let folds = Folds::by_label(&labels).map_err(refused)?;
        let (x, y) = (x.select(Axis(0), rows), y.select(Axis(0), rows));
        let fitted = Regions::fit(x.view(), y.view(), &regions, &folds, &params, None, None).map_err(refused)?;
        bench.progress.advance(1);
        Ok(fitted)
    };
    let mut held_out = Array2::<f32>::zeros(training.truth.dim());
    for fold in 0..n_folds {
        let (own, rest): (Vec<usize>, Vec<usize>) = (0..x.nrows()).partition(|&row| fold_of_row[row] == fold);
        let found = model(&rest)?.predict(x.select(Axis(0), &own).view()).map_err(refused)?;
        for (&row, values) in own.iter().zip(found.outer_iter()) {
            held_out.row_mut(row).assign(&values.mapv(|value| value as f32));
        }
    }
    let all: Vec<usize> = (0..x.nrows()).collect();
    let whole = model(&all)?;
    let predicted = whole.predict(wide(&test.windows.responses).view()).map_err(refused)?;
    let mut left_out = None;
    if let (true, Some(genres)) = (leaves_genres_out(bench, target), bench.data.tags.first()) {
        let mut rows = Array2::<f32>::zeros(test.truth.dim());
        for genre in 0..genres.words.len() {
            let kept: Vec<usize> =
                (0..x.nrows()).filter(|&row| genres.of_clip[training.windows.clip[row]] != genre).collect();
            let own: Vec<usize> =
                (0..rows.nrows()).filter(|&row| genres.of_clip[test.windows.clip[row]] == genre).collect();
            if own.is_empty() {
                continue;
            }
            let responses = wide(&test.windows.responses.select(Axis(0), &own));
            let found = model(&kept)?.predict(responses.view()).map_err(refused)?;
            for (&row, values) in own.iter().zip(found.outer_iter()) {
                rows.row_mut(row).assign(&values.mapv(|value| value as f32));
            }
        }
        left_out = Some(rows);
    }
    bench.progress.end("");
    let best = whole.chosen.first().cloned().unwrap_or_default();
    let mean_score = |region: usize| whole.scores.row(region).mean().unwrap_or(0.0);
    let n_targets_of_alpha = settings
        .alphas
        .iter()
        .map(|alpha| {
            best.iter().flat_map(|&region| whole.alpha.row(region).to_vec()).filter(|own| own == alpha).count()
        })
        .collect();
    let of_columns = percept_stats::correlation::r2_columns(held_out.view(), training.truth.view())?.values;
    let defined: Vec<f64> = of_columns.into_iter().flatten().collect();
    Ok(Decoded {
        sides: [held_out, predicted.mapv(|value| value as f32)],
        chosen: best.iter().map(|&region| regions[region].name.clone()).collect(),
        of_regions: (0..regions.len()).map(mean_score).collect(),
        n_targets_of_alpha,
        r2: defined.iter().sum::<f64>() / defined.len().max(1) as f64,
        left_out,
    })
}
