//! Simulated subjects whose regions follow features of the experiment itself, written to the disk before anything is read: pictures as
//! an NSD tree, films as BIDS. What each voxel follows is kept beside the tree, so that a run can say how much of it was found.
//!
//! The features that drive a voxel are made by the code that predicts it, so what an analysis can be checked for is everything behind
//! them: time, noise, drifts, fits, nulls, intervals. Whether a model's layer is computed rightly is checked elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::{Array2, ArrayView2, Axis, s};
use percept_core::{Progress, Provenance, Seed};
use percept_synth::phantom::Phantom;
use percept_synth::planted::{Drive, Mixture, PlantedRegion, PlantedVoxel};
use percept_synth::story::FilmRun;
use percept_synth::watcher::{Watcher, WatcherParams, n_volumes, write_annotations};
use serde::{Deserialize, Serialize};

use super::features::{Materials, Point, points};
use super::places::tapped_in;
use super::responses::filter_drifts;
use crate::data::recording::{films, watched};
use crate::data::{Places, Recording, phantom};
use crate::error::PipelineError;
use crate::experiment::PhantomData;
use crate::experiment::encoding::{
    EncodeSettings, EncodingData, EncodingExperiment, PlantedTerm, SpaceSettings, WatcherData,
};
use crate::packs::content_of;
use crate::run::{RunFolder, StageName, artefact};

/// The truth, relative to the run directory.
const TRUTH: &str = "planted.json";
/// What each planted set makes in the images of a series (the samples that are kept × the voxels that follow it), relative to the run directory.
const PARTS: &str = "planted.safetensors";
/// Of the simulation of a watcher; see [`crate::run`].
const REVISION: u32 = 2;

/// What one voxel follows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlantedUnit {
    /// x, y, z from 0.
    pub index: [usize; 3],
    /// Its region; `None` where nothing was planted.
    pub region: Option<String>,
    /// The sets of features by name (`SPACE@AXIS=VALUE`) with their shares of the signal's variance.
    pub mixture: Vec<(String, f32)>,
    /// The share of variance of a single trial or scan that is signal.
    pub ceiling: f64,
    /// Of a series: the share of the variance of the responses, as they are predicted, that each of `mixture` makes. What the filter
    /// of drifts takes is not in it. Empty for trials.
    #[serde(skip)]
    pub explained: Vec<f64>,
}

/// What is known of a simulated subject.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// By unit.
    pub units: Vec<PlantedUnit>,
    /// Of a series: the responses, as they are predicted, without noise: n_samples × n_units.
    pub signal: Option<Array2<f32>>,
}

/// The seed of the features of `experiment`: those that are planted and those that predict are the same.
pub fn feature_seed(experiment: &EncodingExperiment) -> Seed {
    Seed::new(experiment.seed).named("features")
}

/// The name of a set of features: `SPACE@AXIS=VALUE,…`, as in the columns of units.
pub fn set_name(point: &Point) -> String {
    let at: Vec<String> = point.axes.iter().map(|(axis, value)| format!("{axis}={value}")).collect();
    if at.is_empty() { point.space.clone() } else { format!("{}@{}", point.space, at.join(",")) }
}

/// Writes the simulated subject of `experiment` below the run directory, if its regions follow features and it is not there yet.
///
/// # Errors
/// A set of features that there is not, a model that refuses it, parameters out of range.
pub fn write(experiment: &EncodingExperiment, run: &RunFolder, progress: &dyn Progress) -> Result<(), PipelineError> {
    if experiment.planted.is_empty() {
        return Ok(());
    }
    let planting = Planting { experiment, run, progress };
    match &experiment.data {
        EncodingData::Phantom(settings) => planting.viewer(settings),
        EncodingData::Watcher(settings) => planting.watcher(settings),
        _ => Ok(()),
    }
}

/// What each unit of `data` follows, if something was planted; units of which nothing is known follow nothing.
///
/// # Errors
/// When the file that [`write()`] left is missing or damaged.
pub fn truth(
    experiment: &EncodingExperiment,
    data: &Recording,
    run: &RunFolder,
) -> Result<Option<Truth>, PipelineError> {
    let (false, Places::Voxels { coordinates, .. }) = (experiment.planted.is_empty(), &data.places) else {
        return Ok(None);
    };
    let all: Vec<PlantedUnit> = run.read_json(TRUTH, "what was planted")?;
    let mut of_place: BTreeMap<[usize; 3], PlantedUnit> = all.iter().map(|unit| (unit.index, unit.clone())).collect();
    let nothing = |index| PlantedUnit { index, region: None, mixture: Vec::new(), ceiling: 0.0, explained: Vec::new() };
    let of_unit = |place: &[usize; 3]| of_place.remove(place).unwrap_or_else(|| nothing(*place));
    let mut truth = Truth { units: coordinates.iter().map(of_unit).collect(), signal: None };
    if !data.is_trials() {
        truth.explain(&all, data, &experiment.encode, run)?;
    }
    Ok(Some(truth))
}

impl Truth {
    /// Fills in what each planted set makes in the responses; `planted` in the order of the file.
    fn explain(
        &mut self,
        planted: &[PlantedUnit],
        data: &Recording,
        settings: &EncodeSettings,
        run: &RunFolder,
    ) -> Result<(), PipelineError> {
        let measured: BTreeMap<[usize; 3], usize> =
            self.units.iter().enumerate().map(|(number, unit)| (unit.index, number)).collect();
        let parts = artefact::load(run, PARTS)?;
        let mut signal = Array2::zeros((data.n_samples(), self.units.len()));
        // Unit, term of its mixture, variance of the part in each run.
        let mut of_parts: Vec<(usize, usize, Vec<f64>)> = Vec::new();
        let sets: BTreeSet<&String> = planted.iter().flat_map(|unit| &unit.mixture).map(|(set, _)| set).collect();
        for set in sets {
            let term_of = |unit: &PlantedUnit| unit.mixture.iter().position(|(name, _)| name == set);
            let own: Vec<&PlantedUnit> = planted.iter().filter(|unit| term_of(unit).is_some()).collect();
            let mut values = parts.matrix(set, data.n_samples(), Some(own.len()))?;
            filter_drifts(values.view_mut(), data, settings)?;
            let variances = variances(values.view(), data);
            for (column, of_file) in own.into_iter().enumerate() {
                let Some(&number) = measured.get(&of_file.index) else { continue };
                let mut to = signal.column_mut(number);
                to += &values.column(column);
                let of_runs = variances.iter().map(|of_run| of_run[column]).collect();
                of_parts.push((number, term_of(of_file).unwrap_or_default(), of_runs));
            }
        }
        let scales = scaled(&mut signal, data, settings)?;
        for (number, term, of_runs) in of_parts {
            let unit = &mut self.units[number];
            unit.explained.resize(unit.mixture.len(), 0.0);
            let shares = of_runs.iter().zip(&scales).map(|(variance, of_run)| variance / of_run[number]);
            unit.explained[term] = shares.sum::<f64>() / scales.len().max(1) as f64;
        }
        self.signal = Some(signal);
        Ok(())
    }
}

/// Scales `signal` as responses are z-scored run by run: less its mean, over the deviation that signal and noise give. How the two happen to
/// correlate within a run is chance and is left out. The squares of these deviations, by run and unit.
fn scaled(
    signal: &mut Array2<f32>,
    data: &Recording,
    settings: &EncodeSettings,
) -> Result<Vec<Vec<f64>>, PipelineError> {
    let mut noise = data.responses.clone();
    filter_drifts(noise.view_mut(), data, settings)?;
    noise -= &*signal;
    let [of_signal, of_noise] = [signal.view(), noise.view()].map(|values| variances(values, data));
    let sums = of_signal.iter().zip(&of_noise).map(|(signal, noise)| {
        signal.iter().zip(noise).map(|(signal, noise)| (signal + noise).max(f64::MIN_POSITIVE)).collect()
    });
    let squares: Vec<Vec<f64>> = sums.collect();
    for (session, of_run) in squares.iter().enumerate() {
        let mut rows = signal.slice_mut(s![data.samples_of(session), ..]);
        for (mut unit, square) in rows.columns_mut().into_iter().zip(of_run) {
            let mean = unit.mapv(f64::from).mean().unwrap_or(0.0);
            unit.mapv_inplace(|value| ((f64::from(value) - mean) / square.sqrt()) as f32);
        }
    }
    Ok(squares)
}

/// Per run, the variance of every column.
fn variances(values: ArrayView2<'_, f32>, data: &Recording) -> Vec<Vec<f64>> {
    let of_run = |session: usize| {
        let rows = values.slice(s![data.samples_of(session), ..]);
        rows.columns().into_iter().map(|column| column.mapv(f64::from).var(0.0)).collect()
    };
    (0..data.sessions.len()).map(of_run).collect()
}

struct Planting<'a> {
    experiment: &'a EncodingExperiment,
    run: &'a RunFolder,
    progress: &'a dyn Progress,
}

impl Planting<'_> {
    /// Everything that the features of the planted spaces depend on but the stimuli.
    fn record(&self, seed: u64) -> Result<Provenance, PipelineError> {
        let mut record = Provenance::new(seed)
            .setting("planted", &self.experiment.planted)
            .setting("features", &feature_seed(self.experiment));
        for (name, settings) in self.spaces() {
            record = record.setting(&format!("space {name}"), settings);
            if let SpaceSettings::Taps(taps) = settings {
                let (_, _, files) = tapped_in(taps)?;
                record = record.input(&format!("pack of {name}"), content_of(&files)?);
            }
        }
        Ok(record)
    }

    /// The spaces that are planted.
    fn spaces(&self) -> impl Iterator<Item = (&str, &SpaceSettings)> {
        let regions = self.experiment.planted_regions();
        let terms = regions.iter().flat_map(|region| &region.mixtures).flatten();
        let names: BTreeSet<String> = terms.map(|term| term.space.clone()).collect();
        self.experiment.spaces.iter().filter(move |(name, _)| names.contains(*name))
    }

    /// The planted sets of features of what `data` presents, and the regions in their names.
    fn drives(&self, data: &Recording) -> Result<(Vec<Drive>, Vec<PlantedRegion>), PipelineError> {
        let mut record = Provenance::new(self.experiment.seed);
        record.inputs = data.inputs()?;
        let from = Materials {
            run: self.run,
            data,
            record: &record,
            seed: feature_seed(self.experiment),
            progress: self.progress,
        };
        let mut sets: Vec<Point> = Vec::new();
        for (name, settings) in self.spaces() {
            // Under another name: the sets of the recording are made of other rows.
            let made = points(&format!("planted.{name}"), settings, &from)?;
            sets.extend(made.into_iter().map(|mut point| {
                name.clone_into(&mut point.space);
                point
            }));
        }
        let mut drives: Vec<Drive> = Vec::new();
        let mut regions = Vec::new();
        for planted in self.experiment.planted_regions() {
            let mut mixtures = Vec::new();
            for terms in &planted.mixtures {
                let mut mixture = Mixture::new();
                for term in terms {
                    let point = chosen(&sets, term, &planted.region)?;
                    let name = set_name(point);
                    if !drives.iter().any(|drive| drive.name == name) {
                        drives.push(self.drive(&name, point, data)?);
                    }
                    mixture.push((name, term.share));
                }
                mixtures.push(mixture);
            }
            regions.push(PlantedRegion { name: planted.region, areas: planted.areas, mixtures });
        }
        Ok((drives, regions))
    }

    /// The rows of one set: of every stimulus, or run by run.
    fn drive(&self, name: &str, point: &Point, data: &Recording) -> Result<Drive, PipelineError> {
        let rows = point.of_scans(self.run, data)?;
        if data.is_trials() {
            return Ok(Drive::new(name, rows));
        }
        let mut runs: Vec<Array2<f32>> = Vec::new();
        for session in 0..data.sessions.len() {
            runs.push(rows.slice(s![data.samples_of(session), ..]).to_owned());
        }
        Ok(Drive { name: name.to_owned(), runs })
    }

    fn viewer(&self, settings: &PhantomData) -> Result<(), PipelineError> {
        let record = self.record(settings.seed)?.setting("phantom", settings);
        let make = || {
            let plain = phantom::simulated(settings, self.progress)?;
            let (drives, regions) = self.drives(&presented(&plain))?;
            let planted = plain.planted(&drives, regions.clone())?;
            // ncsnr² is the ratio of the variances of signal and noise.
            let ceiling = |ratio: f32| f64::from(ratio * ratio / (1.0 + ratio * ratio));
            let voxels = planted.planted_voxels().unwrap_or_default();
            let units = voxels
                .iter()
                .zip(planted.tuning())
                .map(|(voxel, tuning)| unit(voxel, &regions, ceiling(tuning.ncsnr)))
                .collect::<Vec<_>>();
            self.run.write_json(TRUTH, &units)?;
            Ok((planted, vec![TRUTH.to_owned()]))
        };
        phantom::written(settings, record, self.run, make, self.progress)
    }

    fn watcher(&self, settings: &WatcherData) -> Result<(), PipelineError> {
        let record = self.record(settings.seed)?.setting("watcher", settings);
        self.run.stage(StageName { name: "watcher", revision: REVISION }, record, || {
            let root = phantom::emptied(self.run)?;
            let films = watched_films(settings);
            write_annotations(&root, &films)?;
            let runs: Vec<(String, String, usize)> = films
                .iter()
                .map(|film| (film.title.clone(), format!("{:02}", film.run), n_volumes(film, settings.tr_secs)))
                .collect();
            let texts = films::texts_alone(&watched(settings, self.run), &runs, settings.tr_secs)?;
            let (drives, regions) = self.drives(&texts)?;
            let params = WatcherParams {
                subject: settings.subject,
                shape: settings.shape,
                n_voxels: settings.voxels,
                tr_secs: settings.tr_secs,
                median_ceiling: settings.ceiling as f32,
                noise_memory: settings.noise_memory as f32,
                drift: settings.drift as f32,
                ..WatcherParams::default()
            };
            let watcher = Watcher::new(params, films, &drives, regions.clone(), Seed::new(settings.seed))?;
            watcher.write(&root, self.progress)?;
            let units: Vec<PlantedUnit> =
                watcher.voxels().iter().map(|voxel| unit(&voxel.planted, &regions, f64::from(voxel.ceiling))).collect();
            self.run.write_json(TRUTH, &units)?;
            let parts = watcher.parts();
            // The recording begins when the first scans of every run were dropped.
            let n_dropped = (settings.drop_secs / settings.tr_secs).round() as usize;
            let kept = |(start, n): (usize, usize)| start + n_dropped.min(n)..start + n;
            let starts = runs.iter().scan(0, |start, (_, _, n)| {
                *start += n;
                Some((*start - n, *n))
            });
            let kept: Vec<usize> = starts.flat_map(kept).collect();
            let parts: Vec<_> =
                parts.iter().map(|part| (part.drive.as_str(), part.values.select(Axis(0), &kept).into_dyn())).collect();
            artefact::save(self.run, PARTS, &parts)?;
            let mut files = phantom::files_of_tree(self.run)?;
            files.extend([TRUTH, PARTS].map(str::to_owned));
            Ok(files)
        })?;
        Ok(())
    }
}

/// The films in the order in which they are read from the disk: by title, then by run.
fn watched_films(settings: &WatcherData) -> Vec<FilmRun> {
    let mut titles: Vec<&String> = settings.titles.iter().collect();
    titles.sort();
    let seed = Seed::new(settings.seed).named("films");
    let of_title = |title: &'_ &String| -> Vec<FilmRun> {
        (1..=settings.runs)
            .map(|run| FilmRun::random(title, run, settings.run_secs, settings.annotators, seed))
            .collect()
    };
    titles.iter().flat_map(of_title).collect()
}

/// What a viewer may see, every picture once and without responses.
fn presented(phantom: &Phantom) -> Recording {
    let stimuli = phantom::stimuli_of(phantom);
    let n = stimuli.len();
    let captions = (0..n).map(|stimulus| phantom.captions(stimulus)).collect();
    Recording::of_pictures(stimuli, captions)
}

/// The set that a term names.
fn chosen<'a>(sets: &'a [Point], term: &PlantedTerm, region: &str) -> Result<&'a Point, PipelineError> {
    let of_space: Vec<&Point> = sets.iter().filter(|point| point.space == term.space).collect();
    let fits = |point: &&&Point| {
        term.at.len() == point.axes.iter().count()
            && term.at.iter().all(|(axis, value)| {
                point.axes.get(axis).is_some_and(|at| {
                    at.to_string() == *value
                        || value.parse::<f64>().is_ok_and(|number| at.to_string() == number.to_string())
                })
            })
    };
    of_space.iter().find(fits).copied().ok_or_else(|| {
        let known: Vec<String> = of_space.iter().take(12).map(|point| format!("`{}`", set_name(point))).collect();
        PipelineError::data(
            format!("`planted.{region}` follows a set of `{}` that there is not", term.space),
            format!("name one of {}", known.join(", ")),
        )
    })
}

fn unit(voxel: &PlantedVoxel, regions: &[PlantedRegion], ceiling: f64) -> PlantedUnit {
    let follows_nothing = voxel.mixture.is_empty();
    PlantedUnit {
        index: voxel.index,
        region: voxel.region.map(|region| regions[region].name.clone()),
        mixture: voxel.mixture.clone(),
        ceiling: if follows_nothing { 0.0 } else { ceiling },
        explained: Vec::new(),
    }
}
