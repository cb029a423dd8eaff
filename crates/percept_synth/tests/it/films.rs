//! A film watcher on the disk, and an encoding analysis that should find what was planted in it.

use std::collections::BTreeMap;

use ndarray::{Array1, Array2, ArrayView2, Axis, concatenate, s};
use percept_core::{Seed, Silent};
use percept_io::nifti;
use percept_regress::{Folds, RidgeCv, RidgeParams};
use percept_signal::{Deviation, Hrf, Trend, convolved, detrend, zscore_per_group};
use percept_stats::best::{Profile, best};
use percept_stats::contrasts::Measure;
use percept_stats::partition::unique_parts;
use percept_stats::resampling::Resampling;
use percept_synth::phantom::{Area, Phantom, PhantomParams};
use percept_synth::planted::{Drive, Mixture, Part, PlantedRegion};
use percept_synth::story::{FilmRun, Level};
use percept_synth::watcher::{Watcher, WatcherParams};

const WIDTH: usize = 10;

/// Every second as the mean of random vectors of its words, silence as zeros: what stands in for a language model.
fn features(films: &[FilmRun], level: Level) -> Drive {
    let run = |film: &FilmRun| {
        let mut out = Array2::<f32>::zeros((film.n_secs, WIDTH));
        for (mut row, text) in out.rows_mut().into_iter().zip(film.each_second(level, 1)) {
            let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
            for word in &words {
                let vector = Seed::new(1).named(level.name()).named(word).normal(WIDTH);
                row.iter_mut().zip(vector).for_each(|(out, value)| *out += value / words.len() as f32);
            }
        }
        out
    };
    Drive { name: level.name().to_owned(), runs: films.iter().map(run).collect() }
}

fn of(name: &str, areas: &[Area], mixture: &[(&str, f32)]) -> PlantedRegion {
    let mixture: Mixture = mixture.iter().map(|&(name, share)| (name.to_owned(), share)).collect();
    PlantedRegion { name: name.to_owned(), areas: areas.to_vec(), mixtures: vec![mixture] }
}

fn regions() -> Vec<PlantedRegion> {
    vec![
        of("objects", &[Area::V1Ventral, Area::V1Dorsal], &[("object", 1.0)]),
        of("voices", &[Area::Lateral], &[("speech", 1.0)]),
        of("events", &[Area::Parietal], &[("story", 1.0)]),
        of("both", &[Area::Ventral], &[("object", 0.5), ("story", 0.5)]),
    ]
}

fn watcher(films: Vec<FilmRun>, drives: &[Drive]) -> Watcher {
    let params = WatcherParams { shape: [12, 14, 10], n_voxels: 420, ..WatcherParams::default() };
    Watcher::new(params, films, drives, regions(), Seed::new(6)).expect("fits")
}

#[test]
fn a_watcher_is_written_as_bids_with_a_line_per_second() {
    let films: Vec<FilmRun> =
        [(1, 80), (2, 65)].iter().map(|&(run, n)| FilmRun::random("harbour", run, n, 2, Seed::new(3))).collect();
    let drives: Vec<Drive> =
        [Level::Object, Level::Speech, Level::Story].iter().map(|&level| features(&films, level)).collect();
    let watcher = watcher(films, &drives);
    let dir = tempfile::tempdir().expect("a folder");
    watcher.write(dir.path(), &Silent).expect("writes");
    watcher.write(dir.path(), &Silent).expect("what is there is kept");
    let text = |name: &str| std::fs::read_to_string(dir.path().join(name)).expect(name);
    let func = "sub-S01/func/sub-S01_task-harbour_run-02";
    assert!(text(&format!("{func}_bold.json")).contains("\"RepetitionTime\": 1.0"));
    assert!(text(&format!("{func}_events.tsv")).starts_with("onset\tduration\ttrial_type\tannotator\ttext\n"));
    assert!(text("dataset_description.json").contains("BIDSVersion"));
    for name in ["speechTranscription_EN", "objectiveAnnot50chara_annotator-02", "story", "summary", "timePlace"] {
        let lines = text(&format!("derivatives/annotation/harbour_run-02_{name}_each1sec.txt"));
        assert_eq!(lines.lines().count(), 65, "{name}");
    }
    let bold = nifti::open(dir.path().join(format!("{func}_bold.nii.gz"))).expect("a volume");
    assert_eq!(bold.header().tr_secs, Some(1.0));
    let data = bold.read::<f32>().expect("reads");
    assert_eq!(data.dim(), (12, 14, 10, 65));
    let expected = watcher.bold(1);
    let voxel = watcher.voxels()[7].planted.index;
    for volume in 0..65 {
        let found = data[[voxel[0], voxel[1], voxel[2], volume]];
        assert!((found - expected[(volume, 7)]).abs() <= 0.5);
    }
    let labels = nifti::open(dir.path().join("derivatives/regions/sub-S01/sub-S01_regions.nii.gz")).expect("labels");
    let labels = labels.read_volume::<i16>().expect("reads");
    for voxel in watcher.voxels() {
        assert_eq!(labels[voxel.planted.index], voxel.planted.region.map_or(0, |region| region as i16 + 1));
    }
    assert!(text("phantom/sub-S01_voxels.json").contains("\"ceiling\""));
    let other = Watcher::new(WatcherParams::default(), watcher.films().to_vec(), &drives, regions(), Seed::new(6));
    other.expect("fits").write(dir.path(), &Silent).expect_err("another watcher is there");
}

const TREND: Trend = Trend::Cosine { period_secs: 128.0, tr_secs: 1.0 };

/// Responses without drifts and features as they reach the images, per run; runs from `first_test` on are held out.
struct Data {
    bold: Array2<f32>,
    /// Standard deviations of the responses of each held-out run, before they were z-scored.
    scale: Vec<Array1<f32>>,
    run: Vec<usize>,
    n_train: usize,
}

impl Data {
    fn new(watcher: &Watcher, first_test: usize) -> Self {
        let runs: Vec<Array2<f32>> = (0..watcher.films().len()).map(|run| watcher.bold(run)).collect();
        let run: Vec<usize> = runs.iter().enumerate().flat_map(|(run, bold)| vec![run; bold.nrows()]).collect();
        let views: Vec<ArrayView2<'_, f32>> = runs.iter().map(|bold| bold.view()).collect();
        let mut bold = concatenate(Axis(0), &views).expect("same voxels");
        detrend(bold.view_mut(), &run, TREND, None).expect("long runs");
        let rows_of = |number: usize| (0..run.len()).filter(|&row| run[row] == number).collect::<Vec<_>>();
        let scale =
            (first_test..runs.len()).map(|number| bold.select(Axis(0), &rows_of(number)).std_axis(Axis(0), 0.0));
        let scale = scale.collect();
        zscore_per_group(bold.view_mut(), &run, Deviation::Population).expect("fits");
        let n_train = run.iter().filter(|run| **run < first_test).count();
        Self { bold, scale, run, n_train }
    }

    /// Of the voxels of `part`, the share of the variance of held-out responses that it makes.
    fn share(&self, part: &Part) -> Vec<f64> {
        let mut values = part.values.clone();
        detrend(values.view_mut(), &self.run, TREND, None).expect("long runs");
        let mut start = self.n_train;
        let mut shares = vec![0.0; part.voxels.len()];
        for scale in &self.scale {
            let n = self.run[start..].iter().take_while(|run| **run == self.run[start]).count();
            let own = values.slice(s![start..start + n, ..]).std_axis(Axis(0), 0.0);
            for (column, &voxel) in part.voxels.iter().enumerate() {
                shares[column] += f64::from(own[column] / scale[voxel]).powi(2) / self.scale.len() as f64;
            }
            start += n;
        }
        shares
    }

    fn in_time(&self, drives: &[&Drive]) -> Array2<f32> {
        let mut parts = Vec::new();
        for drive in drives {
            let views: Vec<ArrayView2<'_, f32>> = drive.runs.iter().map(|run| run.view()).collect();
            let features = concatenate(Axis(0), &views).expect("same columns");
            let response = Hrf::SPM.sampled(1.0, 32.0).expect("samples");
            let mut features = convolved(features.view(), &self.run, &response).expect("fits");
            detrend(features.view_mut(), &self.run, TREND, None).expect("fits");
            parts.push(features);
        }
        let views: Vec<ArrayView2<'_, f32>> = parts.iter().map(|part| part.view()).collect();
        concatenate(Axis(1), &views).expect("same rows")
    }

    /// Held-out predictions by ridge with runs as folds.
    fn predict(&self, drives: &[&Drive]) -> Array2<f32> {
        let x = self.in_time(drives);
        let (train, test) = x.view().split_at(Axis(0), self.n_train);
        let alphas = (-2..6).map(|power| 10f64.powi(power)).collect();
        let params = RidgeParams { alphas, ..RidgeParams::default() };
        let folds = Folds::by_label(&self.run[..self.n_train]).expect("runs");
        let y = self.bold.slice(s![..self.n_train, ..]);
        let ridge = RidgeCv::new(params).fit_with(train, y, folds, None).expect("fits");
        ridge.predict(test).expect("predicts")
    }
}

#[test]
fn planted_levels_are_found_and_unique_parts_lie_within_their_intervals() {
    let films: Vec<FilmRun> = (0..15)
        .map(|run| {
            let title = ["harbour", "winter", "express", "canyon", "orchard"][run / 3];
            FilmRun::random(title, run % 3 + 1, 210 + 15 * run, 1, Seed::new(3))
        })
        .collect();
    let levels = [Level::Speech, Level::Object, Level::Story, Level::TimePlace];
    let drives: Vec<Drive> = levels.iter().map(|&level| features(&films, level)).collect();
    let watcher = watcher(films, &drives);
    let data = Data::new(&watcher, 12);
    let units: Vec<usize> = (0..watcher.voxels().len()).filter(|&v| watcher.voxels()[v].ceiling > 0.2).collect();
    let region: Vec<Option<usize>> = units.iter().map(|&v| watcher.voxels()[v].planted.region).collect();
    let truth = data.bold.slice(s![data.n_train.., ..]).select(Axis(1), &units);
    let chosen = |prediction: Array2<f32>| prediction.select(Axis(1), &units);
    let alone: Vec<Array2<f32>> = drives.iter().map(|drive| chosen(data.predict(&[drive]))).collect();
    let resampling = Resampling::blocks(&data.run[data.n_train..], 20, 400, Seed::new(2)).expect("fits");

    let ceiling = Some(units.iter().map(|&v| Some(f64::from(watcher.voxels()[v].ceiling))).collect());
    let profile = Profile { measure: Measure::R, ceiling, least_ceiling: 0.2 };
    let views: Vec<ArrayView2<'_, f32>> = alone.iter().map(|prediction| prediction.view()).collect();
    let found = best(truth.view(), &views, &profile, &region, &resampling).expect("fits");
    let planted = |unit: usize| -> Vec<usize> {
        let mixture = &watcher.voxels()[units[unit]].planted.mixture;
        mixture.iter().map(|(name, _)| drives.iter().position(|drive| drive.name == *name).expect("a drive")).collect()
    };
    let right = (0..units.len())
        .filter(|&unit| found.units[unit].as_ref().is_some_and(|best| planted(unit).contains(&best.candidate)))
        .count();
    let share = right as f64 / units.len() as f64;
    for (number, region) in found.regions.iter().enumerate() {
        let region = region.as_ref().expect("units");
        let profile: Vec<f64> = region.profile.iter().map(|p| p.map_or(f64::NAN, |p| p.value)).collect();
        eprintln!("region {number}: best {} p {:.2?} profile {profile:.2?}", region.candidate, region.probability);
    }
    eprintln!("the planted level in {right} of {} voxels with a ceiling above 0.2", units.len());
    assert!(share >= 0.9, "{share}");
    for (number, expected) in [(0, 1), (1, 0), (2, 2)] {
        let region = found.regions[number].as_ref().expect("units");
        assert_eq!(region.candidate, expected);
        assert!(region.probability[expected] > 0.95 && region.margin.low > 0.0);
    }

    // The region of two levels: each adds what its part of the signal makes of the responses.
    let (object, story) = (&drives[1], &drives[2]);
    let models = [data.predict(&[object, story]), data.predict(&[story]), data.predict(&[object])].map(chosen);
    let views: Vec<ArrayView2<'_, f32>> = models.iter().map(|prediction| prediction.view()).collect();
    let (named, parts) = unique_parts(truth.view(), &views, &["object", "story"], &region, &resampling).expect("fits");
    let mut within = [0, 0];
    let mut mean = 0.0;
    let all = watcher.parts();
    let shares = ["object", "story"].map(|name| {
        let part = all.iter().find(|part| part.drive == name).expect("planted");
        part.voxels.iter().copied().zip(data.share(part)).collect::<BTreeMap<_, _>>()
    });
    for (unit, _) in region.iter().enumerate().filter(|(_, region)| **region == Some(3)) {
        for (space, shares) in shares.iter().enumerate() {
            let expected = shares[&units[unit]];
            mean += expected / 2.0;
            let part = parts.units[space][unit].expect("varies");
            within[0] += usize::from((part.low..=part.high).contains(&expected));
            within[1] += 1;
        }
    }
    mean /= f64::from(within[1] as u32 / 2);
    eprintln!("the true unique part is {mean:.3} in the mean");
    for (contrast, parts) in named.iter().zip(&parts.regions) {
        let both = parts[3].expect("units");
        // What a fit on so few runs has not learned is missing.
        if contrast.name.starts_with("unique_r2") {
            assert!(both.value > 0.85 * mean && both.value < 1.1 * mean, "{} {} of {mean}", contrast.name, both.value);
        }
        eprintln!("{}: {:.3} [{:.3}, {:.3}] p {:.3}", contrast.name, both.value, both.low, both.high, both.p);
    }
    eprintln!("the true unique part lies in the interval of {} of {} voxels", within[0], within[1]);
    assert!(10 * within[0] >= 9 * within[1], "{within:?}");
}

#[test]
fn regions_of_a_viewer_follow_features_that_are_passed_in() {
    let params = PhantomParams {
        shape: [12, 14, 10],
        n_nsdgeneral: 420,
        n_sessions: 2,
        trials_per_session: 90,
        n_shared: 10,
        ..PhantomParams::default()
    };
    let plain = Phantom::new(params.clone(), Seed::new(2)).expect("fits");
    let n = plain.drawings().len();
    let layer = |name: &str| {
        let values = Seed::new(4).named(name).normal(n * 8);
        Drive::new(name, Array2::from_shape_vec((n, 8), values).expect("fits"))
    };
    let drives = [layer("layer01"), layer("layer02")];
    let either = PlantedRegion {
        name: "v1".to_owned(),
        areas: vec![Area::V1Ventral, Area::V1Dorsal],
        mixtures: vec![vec![("layer01".to_owned(), 1.0)], vec![("layer02".to_owned(), 1.0)]],
    };
    let before = plain.signal().clone();
    let phantom = plain.planted(&drives, vec![either]).expect("fits");
    let voxels = phantom.planted_voxels().expect("planted");
    let mut counts = [0, 0];
    for (number, voxel) in voxels.iter().enumerate() {
        let column = phantom.signal().column(number);
        match voxel.mixture.first() {
            None => assert_eq!(column, before.column(number)),
            Some((name, _)) => {
                counts[usize::from(name == "layer02")] += 1;
                let drive = &drives[usize::from(name == "layer02")].runs[0];
                // Eight features explain the signal of so many stimuli only if it is made of them.
                let params = RidgeParams { alphas: vec![1e-6], ..RidgeParams::default() };
                let y = column.insert_axis(Axis(1)).to_owned();
                let fit = percept_regress::Ridge::fit(drive.view(), y.view(), 1e-6, &params).expect("fits");
                let rest = &fit.predict(drive.view()).expect("predicts") - &y;
                assert!(rest.iter().all(|value| value.abs() < 1e-2), "{number}");
            }
        }
    }
    assert!(counts[0] > 10 && counts[1] > 10, "{counts:?}");
    let dir = tempfile::tempdir().expect("a folder");
    phantom.write(dir.path(), &Silent).expect("writes");
    assert!(dir.path().join("phantom/subj01_planted.json").is_file());
    Phantom::new(params, Seed::new(2)).expect("fits").write(dir.path(), &Silent).expect_err("another phantom");
}
