//! Where the features of a comparison are found in the brain: encoding the other way round, drawn on the subject's surfaces.
//!
//! For data with surfaces (NSD trees, phantoms) each feature space that the comparison made is put to the opposite use: ridge regression
//! from the true features of training pictures to every voxel of the comparison's regions, and the correlation of predicted with measured
//! responses over the test pictures. Beside it stands the noise ceiling, the correlation that a perfect model would reach. No model runs
//! here, nothing that the decoders use is changed, and test pictures are only predicted.
//!
//! At most [`MOST_PICTURES`] training pictures are used, evenly spread, so that a report never waits long for its maps.

use std::collections::BTreeSet;

use ndarray::{Array2, Axis};
use percept_core::figure::{Cortex, Figure};
use percept_core::{Responses, Section};
use percept_pipeline::PipelineError;
use percept_pipeline::data::Places;
use percept_pipeline::decoding::normalise::normalised;
use percept_pipeline::plan::mean_row;
use percept_pipeline::run::StageName;
use percept_regress::{RidgeCv, RidgeParams};
use percept_stats::{correlation, noise_ceiling, significance};
use percept_surface::bundle::{Extra, Group};
use percept_surface::sheet::Layer;

use crate::bench::Bench;
use crate::sheets::{self, Column, Sheets};

/// The most training pictures.
pub const MOST_PICTURES: usize = 1000;
/// Penalties for standardised features; the grid grows where voxels stand on its edge.
const ALPHAS: [f64; 6] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5];
/// Folds over training pictures by which penalties are chosen.
const N_FOLDS: usize = 5;
/// Voxels below the correlation that chance exceeds so often are not drawn.
const CHANCE: f64 = 0.05;
/// Of the computation; see [`percept_pipeline::run`].
const REVISION: u32 = 1;

/// The section with the maps; `None` for data without surfaces, several folds, or without features.
///
/// # Errors
/// When a file cannot be written. What is wrong with the surfaces themselves is a warning: a comparison does not fail for its maps.
pub fn section(bench: &Bench<'_>) -> Result<Option<Section>, PipelineError> {
    let (Some(folder), Places::Voxels { shape, coordinates }) = (&bench.data.surfaces, &bench.data.places) else {
        return Ok(None);
    };
    let tables = bench.tables();
    if bench.plan.train.len() != 1 || tables.is_empty() || bench.plan.items.len() < 3 {
        return Ok(None);
    }
    let (bundle, still) = ("maps/cortex.bin", "maps/cortex.png");
    let mut record = bench.record.clone().setting("normalise", &bench.experiment.decode.normalise);
    for (name, table) in &tables {
        record = record.input(&format!("features {name}"), &table.content);
    }
    let mut failed = None;
    bench.run.stage(StageName { name: "cortex", revision: REVISION }, record, || {
        bench.progress.begin("maps on the cortex", 1);
        let measured = Measured::new(bench);
        let mut columns = vec![("noise ceiling".to_owned(), measured.ceiling()?)];
        for (name, table) in &tables {
            columns.push((format!("predicted by {name}"), measured.predicted(&table.values)?));
        }
        let threshold = measured.threshold()?;
        match Sheets::open(folder, *shape, coordinates).and_then(|sheets| drawn(&sheets, &columns, threshold)) {
            Ok((data, png)) => {
                bench.run.write(bundle, &data)?;
                bench.run.write(still, &png)?;
                bench.progress.advance(1);
                bench.progress.end(&format!("{} maps", columns.len()));
                Ok(vec![bundle.to_owned(), still.to_owned()])
            }
            Err(error) => {
                failed = Some(error);
                bench.progress.end("none");
                Ok(Vec::new())
            }
        }
    })?;
    if let Some(error) = failed {
        bench.warn(format!("no maps on the cortex: {error}"));
        return Ok(None);
    }
    if !percept_io::fs::is_file(bench.run.file(bundle)) {
        return Ok(None);
    }
    Ok(Some(words(bench, tables.iter().map(|(name, _)| name.as_str()).collect(), [bundle, still])))
}

fn words(bench: &Bench<'_>, names: Vec<&str>, [bundle, still]: [&str; 2]) -> Section {
    let n_train = training_stimuli(bench).len();
    Section {
        title: "Where in the brain".to_owned(),
        text: format!(
            "Encoding, the other way round: ridge regression from the true features of {n_train} training pictures to each voxel of \
             the regions above, tested by the correlation of predicted with measured responses over {} test pictures. Places \
             where chance alone would reach the correlation in 1 of 20 voxels are left plain. The noise ceiling is the correlation of a \
             perfect model.",
            bench.plan.items.len()
        ),
        figures: vec![Figure::Cortex(Cortex {
            title: "Maps on the cortex".to_owned(),
            caption: "Drag to turn, U or the slider unfolds, click to read a place; the arrow keys work, too."
                .to_owned(),
            bundle: bundle.to_owned(),
            still: still.to_owned(),
            alt: format!(
                "Flat and inflated cortex of {} with its noise ceiling and the correlation reached by {}",
                bench.data.subject,
                names.join(", ")
            ),
        })],
    }
}

/// The training pictures that are used, ascending.
fn training_stimuli(bench: &Bench<'_>) -> Vec<usize> {
    let all: BTreeSet<usize> =
        bench.plan.train[0].iter().map(|&sample| bench.data.responses.stimulus_of_sample[sample]).collect();
    let (n, all) = (all.len(), all.into_iter().collect::<Vec<_>>());
    let is_kept = |i: usize| n <= MOST_PICTURES || (i + 1) * MOST_PICTURES / n > i * MOST_PICTURES / n;
    all.into_iter().enumerate().filter(|&(i, _)| is_kept(i)).map(|(_, stimulus)| stimulus).collect()
}

/// Responses of all voxels, normalised as the decoders read them, and averaged over repeats.
struct Measured<'a> {
    bench: &'a Bench<'a>,
    responses: Responses,
    train_stimuli: Vec<usize>,
    train: Array2<f32>,
    test: Array2<f32>,
}

impl<'a> Measured<'a> {
    fn new(bench: &'a Bench<'a>) -> Self {
        let own = &bench.data.responses;
        let data = normalised(own, &bench.plan.train[0], bench.experiment.decode.normalise).0;
        let train_stimuli = training_stimuli(bench);
        let mut samples_of = std::collections::BTreeMap::<usize, Vec<usize>>::new();
        for &sample in &bench.plan.train[0] {
            samples_of.entry(own.stimulus_of_sample[sample]).or_default().push(sample);
        }
        let means = |lists: &mut dyn Iterator<Item = &Vec<usize>>, n: usize| {
            let mut rows = Array2::zeros((n, data.ncols()));
            lists.zip(rows.axis_iter_mut(Axis(0))).for_each(|(list, mut row)| row.assign(&mean_row(&data, list)));
            rows
        };
        let train = means(&mut train_stimuli.iter().map(|stimulus| &samples_of[stimulus]), train_stimuli.len());
        let test = means(&mut bench.plan.items.iter().map(|item| &item.samples), bench.plan.items.len());
        let responses = Responses { data, ..own.clone() };
        Self { bench, responses, train_stimuli, train, test }
    }

    /// The correlation that a perfect model would reach in each voxel.
    fn ceiling(&self) -> Result<Vec<f32>, PipelineError> {
        let items = &self.bench.plan.items;
        let repeats: Vec<usize> = items.iter().map(|item| item.samples.len()).collect();
        let most = repeats.iter().copied().max().unwrap_or(1);
        let samples: Vec<usize> = items.iter().flat_map(|item| item.samples.iter().copied()).collect();
        let chosen = self.responses.data.select(Axis(0), &samples);
        let stimuli: Vec<usize> = samples.iter().map(|&sample| self.responses.stimulus_of_sample[sample]).collect();
        if most < 2 {
            return Ok(vec![f32::NAN; chosen.ncols()]);
        }
        let ratios = noise_ceiling::ncsnr(chosen.view(), &stimuli, most)?;
        let one = |ratio: &Option<f64>| -> Result<f32, PipelineError> {
            Ok(match ratio {
                Some(ratio) => noise_ceiling::ceiling_mixed(*ratio, &repeats)?.sqrt() as f32,
                None => f32::NAN,
            })
        };
        ratios.values.iter().map(one).collect()
    }

    /// The correlation of predicted with measured responses over the items, for each voxel.
    fn predicted(&self, features: &Array2<f32>) -> Result<Vec<f32>, PipelineError> {
        let x = features.select(Axis(0), &self.train_stimuli);
        let params = RidgeParams { alphas: ALPHAS.to_vec(), ..RidgeParams::default() };
        let folds: Vec<usize> = (0..x.nrows()).map(|row| row % N_FOLDS.min(x.nrows())).collect();
        let refused = |error| PipelineError::Regress { feature: "the cortex".to_owned(), error };
        let ridge = RidgeCv::new(params).fit(x.view(), self.train.view(), &folds).map_err(refused)?;
        let tested = features.select(Axis(0), &self.bench.plan.stimuli());
        let predictions = ridge.predict(tested.view()).map_err(refused)?;
        let scores = correlation::columns(predictions.view(), self.test.view())?;
        Ok(scores.values.iter().map(|r| r.map_or(f32::NAN, |r| r as f32)).collect())
    }

    fn threshold(&self) -> Result<f32, PipelineError> {
        Ok(significance::correlation_threshold(self.bench.plan.items.len(), CHANCE)? as f32)
    }
}

/// The data of the view and a picture of all maps.
fn drawn(
    sheets: &Sheets,
    columns: &[(String, Vec<f32>)],
    threshold: f32,
) -> percept_surface::Result<(Vec<u8>, Vec<u8>)> {
    let column = |(name, values): &(String, Vec<f32>)| {
        let (name, values) = (name.clone(), values.clone());
        sheets.layer(&Column { name, values, keys: None, threshold: Some(threshold) })
    };
    let mut layers = columns.iter().map(column).collect::<percept_surface::Result<Vec<_>>>()?;
    let spaces: Vec<usize> = (1..layers.len()).collect();
    let labels: Vec<String> = spaces.iter().map(|&i| layers[i].map.name.replace("predicted by ", "")).collect();
    if spaces.len() > 1 {
        layers.push(sheets::layer("best predicted by", highest(&layers[1..], threshold), Some(&labels), None));
    }
    let groups = vec![Group { name: "feature spaces".to_owned(), maps: spaces, labels }];
    Ok((sheets.bundle(&layers, Extra { groups, ..Extra::default() })?, sheets.still(&layers)?))
}

/// Which of the maps is highest at each vertex where one reaches the threshold.
fn highest(layers: &[Layer], threshold: f32) -> Vec<Vec<f32>> {
    let half = |h: usize| -> Vec<f32> {
        let n = layers[0].map.values[h].len();
        (0..n)
            .map(|vertex| {
                let values = layers.iter().map(|layer| layer.map.values[h][vertex]).enumerate();
                let reached = values.filter(|(_, value)| *value >= threshold);
                reached.max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0))).map_or(f32::NAN, |(i, _)| i as f32)
            })
            .collect()
    };
    (0..layers[0].map.values.len()).map(half).collect()
}
