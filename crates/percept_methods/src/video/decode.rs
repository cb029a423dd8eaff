//! Scans to spaces: the principal components of each space by ridge regression from every region, the best averaged.

use ndarray::{Array1, Array2, ArrayView1, Axis};
use percept_pipeline::PipelineError;
use percept_pipeline::decoding::rescale;
use percept_pipeline::run::{StageName, artefact};
use percept_regress::{Pca, Region};

use super::bench::Bench;
use super::targets::{Target, content};
use crate::by_region::RegionDecoder;

/// Of the decoder; see [`percept_pipeline::run`].
const REVISION: u32 = 1;
/// The region of all units.
const ALL: &str = "all units";

/// A decoded space.
pub(super) struct Decoded {
    /// `z`, `c` or `motion`.
    pub name: &'static str,
    /// Test clips × dimensions, as far from the mean as training clips are.
    pub test: Array2<f32>,
    pub facts: Facts,
}

/// What is told of a decoder.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct Facts {
    /// All regions, with the mean held-out correlation of each.
    pub regions: Vec<(String, f64)>,
    /// The regions that were averaged, the best first.
    pub chosen: Vec<String>,
    /// How often each penalty was chosen, over the chosen regions.
    pub n_targets_of_alpha: Vec<usize>,
    /// Components that were decoded.
    pub components: usize,
    /// Mean over components of R² of the held-out predictions.
    pub r2: f64,
    /// Variance of held-out predictions over that of the truth.
    pub kept_variance: f64,
    /// Mean over dimensions of the correlation over test clips.
    pub test_correlation: f64,
}

pub(super) fn all(bench: &Bench<'_>, targets: &[Target]) -> Result<Vec<Decoded>, PipelineError> {
    targets.iter().map(|target| decoded(bench, target)).collect()
}

fn decoded(bench: &Bench<'_>, target: &Target) -> Result<Decoded, PipelineError> {
    let name = format!("decode.{}", target.name);
    let (path, facts) = (format!("decoded/{}.safetensors", target.name), format!("decoded/{}.json", target.name));
    let record = bench
        .record
        .only(&["responses", "regions", "segments"])
        .setting("decode", &bench.experiment.decode)
        .input("target", content(target));
    bench.run.stage(StageName { name: &name, revision: REVISION }, record, || {
        let (test, own) = fit(bench, target)?;
        artefact::save(bench.run, &path, &[("test", test.into_dyn())])?;
        bench.run.write_json(&facts, &own)?;
        Ok(vec![path.clone(), facts.clone()])
    })?;
    let width = Some(target.sides[1].ncols());
    let test = artefact::load(bench.run, &path)?.matrix("test", target.sides[1].nrows(), width)?;
    Ok(Decoded { name: target.name, test, facts: bench.run.read_json(&facts, "what was decoded")? })
}

/// The fold of each training clip: whole films where there are enough of them, else as many stretches.
fn folds(bench: &Bench<'_>) -> Vec<usize> {
    let clips = &bench.clips.sides[0];
    let n_folds = bench.experiment.decode.folds.min(clips.len());
    let mut films: Vec<usize> = clips.iter().map(|clip| clip.segment).collect();
    films.dedup();
    if films.len() >= n_folds {
        let place = |segment: usize| films.iter().position(|&other| other == segment).unwrap_or(0);
        return clips.iter().map(|clip| place(clip.segment) % n_folds).collect();
    }
    (0..clips.len()).map(|clip| clip * n_folds / clips.len()).collect()
}

fn fit(bench: &Bench<'_>, target: &Target) -> Result<(Array2<f32>, Facts), PipelineError> {
    let settings = &bench.experiment.decode;
    let refused = |error| PipelineError::Regress { feature: target.name.to_owned(), error };
    let truth = target.sides[0].mapv(f64::from);
    let pca = Pca::fit_at_most(&truth.view(), settings.components, false).map_err(refused)?;
    let weights = pca.transform(truth.view()).map_err(refused)?;
    let n_units = bench.data.responses.ncols();
    let with_lags = |units: &[usize]| -> Vec<usize> {
        (0..settings.lags.len()).flat_map(|lag| units.iter().map(move |unit| lag * n_units + unit)).collect()
    };
    let own = bench.data.regions.iter().map(|region| (region.name.clone(), region.units.clone()));
    let every = (ALL.to_owned(), (0..n_units).collect());
    let regions: Vec<Region> = own
        .filter(|(_, units)| units.len() < n_units && !units.is_empty())
        .chain(std::iter::once(every))
        .map(|(name, units): (String, Vec<usize>)| Region { name, features: with_lags(&units) })
        .collect();
    let decoder = RegionDecoder {
        feature: target.name,
        x: bench.clips.responses(0, bench.data, &settings.lags),
        y: weights.clone(),
        fold_of_row: folds(bench),
        regions,
        alphas: &settings.alphas,
        n_best: settings.best_regions,
        progress: bench.progress,
    };
    let found = decoder.decoded(bench.clips.responses(1, bench.data, &settings.lags).view())?;
    let spread = |rows: &Array2<f32>| rows.var_axis(Axis(0), 0.0);
    let (of_truth, of_held_out) = (spread(&weights.mapv(|value| value as f32)), spread(&found.held_out));
    let mut components = found.predicted;
    let middle = Array1::zeros(components.ncols());
    rescale::restored(&mut components, middle.view(), of_truth.view(), of_held_out.view());
    let test = pca.restored(components.mapv(f64::from).view()).mapv(|value| value as f32);
    let facts = Facts {
        regions: decoder.regions.iter().map(|region| region.name.clone()).zip(found.of_regions).collect(),
        chosen: found.chosen,
        n_targets_of_alpha: found.n_targets_of_alpha,
        components: weights.ncols(),
        r2: found.r2,
        kept_variance: total(of_held_out.view()) / total(of_truth.view()).max(1e-12),
        test_correlation: mean_correlation(&test, &target.sides[1])?,
    };
    Ok((test, facts))
}

fn total(values: ArrayView1<'_, f32>) -> f64 {
    values.iter().map(|&value| f64::from(value)).sum()
}

fn mean_correlation(predicted: &Array2<f32>, truth: &Array2<f32>) -> Result<f64, PipelineError> {
    let of_columns = percept_stats::correlation::columns(predicted.view(), truth.view())?.values;
    let defined: Vec<f64> = of_columns.into_iter().flatten().collect();
    Ok(defined.iter().sum::<f64>() / defined.len().max(1) as f64)
}
