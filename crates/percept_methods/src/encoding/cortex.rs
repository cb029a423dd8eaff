//! What each set of features predicts, and which is best, on the subject's surfaces.

use std::collections::BTreeMap;

use percept_core::Section;
use percept_core::figure::{Cortex, Figure};
use percept_pipeline::PipelineError;
use percept_pipeline::data::Places;
use percept_pipeline::run::StageName;
use percept_surface::bundle::{Extra, Group, MANY_VALUES, Note};
use percept_surface::sheet::Layer;

use super::models::{Bench, BestOfSpace, Found, Model};
use super::rows::along;
use crate::sheets::{Column, Sheets};

/// The most sets of features that are drawn.
const MOST_MAPS: usize = 40;
/// Of the maps; see [`percept_pipeline::run`].
const REVISION: u32 = 2;
const FILES: [&str; 2] = ["maps/cortex.bin", "maps/cortex.png"];

/// The section with the maps; `None` for data without surfaces. `notes` says what drives each region.
///
/// # Errors
/// When a file cannot be written. What is wrong with the surfaces themselves is a warning.
pub(super) fn section(
    bench: &Bench<'_>,
    found: &Found,
    notes: BTreeMap<String, Note>,
) -> Result<Option<Section>, PipelineError> {
    let (Some(folder), Places::Voxels { shape, coordinates }) = (&bench.data.surfaces, &bench.data.places) else {
        return Ok(None);
    };
    let contents: Vec<&str> = found.models.iter().flatten().map(|model| model.point.content.as_str()).collect();
    let record = bench
        .record
        .clone()
        .setting("encode", &bench.experiment.encode)
        .setting("statistics", &bench.experiment.statistics)
        .setting("features", &contents)
        .setting("notes", &notes);
    let mut failed = None;
    bench.run.stage(StageName { name: "cortex", revision: REVISION }, record, || {
        match Sheets::open(folder, *shape, coordinates).and_then(|sheets| drawn(&sheets, bench, found, notes)) {
            Ok((data, png)) => {
                bench.run.write(FILES[0], &data)?;
                bench.run.write(FILES[1], &png)?;
                Ok(FILES.map(str::to_owned).to_vec())
            }
            Err(error) => {
                failed = Some(error);
                Ok(Vec::new())
            }
        }
    })?;
    if let Some(error) = failed {
        bench.progress.warn(&format!("no maps on the cortex: {error}"));
    }
    Ok(percept_io::fs::is_file(bench.run.file(FILES[0])).then(|| words(bench)))
}

fn words(bench: &Bench<'_>) -> Section {
    let rate = 100.0 * bench.experiment.statistics.rate;
    Section {
        title: "Where in the brain".to_owned(),
        text: format!(
            "The correlation of held-out predictions with responses for each set of features (at most {MOST_MAPS}). Places below the \
             smallest correlation that is significant at a false discovery rate of {rate} % are left plain. The best set of a space is \
             shown in places where any of its sets is significant."
        ),
        figures: vec![Figure::Cortex(Cortex {
            title: "Maps on the cortex".to_owned(),
            caption: "Drag to turn, U or the slider unfolds, click to read a place; the arrow keys work, too."
                .to_owned(),
            bundle: FILES[0].to_owned(),
            still: FILES[1].to_owned(),
            alt: format!("Flat and inflated cortex of {} with the best sets of features", bench.data.subject),
        })],
    }
}

type Drawn = (Vec<u8>, Vec<u8>);

fn drawn(
    sheets: &Sheets,
    bench: &Bench<'_>,
    found: &Found,
    notes: BTreeMap<String, Note>,
) -> percept_surface::Result<Drawn> {
    let mut layers = Vec::new();
    let mut shown = Vec::new();
    let mut extra = Extra { notes, ..Extra::default() };
    // The best sets first: they are what a reader opens the page for.
    for best in &found.best {
        for column in best_columns(bench, found, best) {
            shown.push(layers.len());
            layers.push(sheets.layer(&column)?);
        }
    }
    if let Some(ceiling) = &bench.judge.ceiling {
        shown.push(layers.len());
        let values = ceiling.iter().map(|share| share.map_or(f32::NAN, |share| share.sqrt() as f32)).collect();
        layers.push(sheets.layer(&Column { name: "noise ceiling".to_owned(), values, keys: None, threshold: None })?);
    }
    let models: Vec<&Model> = found.models.iter().flatten().take(MOST_MAPS).collect();
    // Intervals triple the data: large brains do without them.
    let with_intervals = 3 * models.len() * sheets.n_vertices() <= MANY_VALUES;
    for points in &found.spaces {
        let space = &points[0].space;
        let mut group = Group { name: space.clone(), maps: Vec::new(), labels: Vec::new() };
        for model in models.iter().filter(|model| model.point.space == *space) {
            let at = layers.len();
            layers.push(sheets.layer(&column(bench, model))?);
            group.maps.push(at);
            let axes = model.point.axes.to_string();
            group.labels.push(if axes.is_empty() { space.clone() } else { axes });
            if with_intervals {
                add_interval(sheets, model, at, &mut layers, &mut extra)?;
            }
        }
        if group.maps.len() == 1 {
            shown.push(group.maps[0]);
        }
        extra.groups.push(group);
    }
    let still: Vec<Layer> = shown.into_iter().take(6).map(|at| layers[at].clone()).collect();
    let still = if still.is_empty() { layers[..1].to_vec() } else { still };
    Ok((sheets.bundle(&layers, extra)?, sheets.still(&still)?))
}

/// r of one set in every voxel.
fn column(bench: &Bench<'_>, model: &Model) -> Column {
    let scores = &model.scores;
    let values: Vec<f32> = scores.r.iter().map(|r| r.map_or(f32::NAN, |r| r.value as f32)).collect();
    let is_found = |unit: &usize| scores.adjusted[*unit].is_some_and(|q| q <= bench.experiment.statistics.rate);
    let least = (0..values.len()).filter(is_found).map(|unit| values[unit]).fold(f32::INFINITY, f32::min);
    // Where nothing is significant nothing is drawn.
    Column { name: model.point.words(), values, keys: None, threshold: Some(least.min(1.0)) }
}

fn add_interval(
    sheets: &Sheets,
    model: &Model,
    at: usize,
    layers: &mut Vec<Layer>,
    extra: &mut Extra,
) -> percept_surface::Result<()> {
    let mut ends = [0, 0];
    for (end, place) in ends.iter_mut().enumerate() {
        let of = |r: percept_stats::resampling::Estimate| if end == 0 { r.low } else { r.high };
        let values = model.scores.r.iter().map(|r| r.map_or(f32::NAN, |r| of(r) as f32)).collect();
        let name = format!("{} ({})", model.point.words(), ["low", "high"][end]);
        *place = layers.len();
        extra.hidden.push(layers.len());
        layers.push(sheets.layer(&Column { name, values, keys: None, threshold: None })?);
    }
    extra.intervals.insert(at, ends);
    Ok(())
}

/// The best set of a space, and the best value of each of its axes, in voxels in which any of its sets is significant.
fn best_columns(bench: &Bench<'_>, found: &Found, best: &BestOfSpace) -> Vec<Column> {
    let (points, models) = (&found.spaces[best.space], &found.models[best.space]);
    let rate = bench.experiment.statistics.rate;
    let is_found = |unit: usize| models.iter().any(|model| model.scores.adjusted[unit].is_some_and(|q| q <= rate));
    let candidate = |unit: usize| best.sets.units[unit].filter(|_| is_found(unit)).map(|best| best.candidate);
    let n = best.sets.units.len();
    let axes: Vec<&str> = points[0].axes.iter().map(|(axis, _)| axis).collect();
    let of_axis = |axis: &str| {
        let (keys, of_point) = along(points, axis);
        let values = (0..n).map(|unit| candidate(unit).map_or(f32::NAN, |set| of_point[set] as f32)).collect();
        Column { name: format!("best {axis} of {}", points[0].space), values, keys: Some(keys), threshold: None }
    };
    axes.into_iter().map(of_axis).collect()
}
