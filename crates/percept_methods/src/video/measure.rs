//! What an arm's films measure, clip by clip: likeness of frames, vectors by CLIP, motion, classes.

use std::cell::OnceCell;

use ndarray::{Array1, Array2, Array3, Array4, ArrayView2, ArrayView3, Axis, concatenate, s};
use percept_core::Provenance;
use percept_models::weights::PackFiles;
use percept_pipeline::PipelineError;
use percept_pipeline::packs::content_of;
use percept_pipeline::run::{StageName, artefact};
use percept_stats::image;
use rayon::prelude::*;

use super::bench::Bench;
use super::classes::{Judges, by_clip, name_films, unit};
use super::frames::{Arm, Reel, TestFilm};
use super::targets::{flows, motion_of};

/// Of the measures; see [`percept_pipeline::run`].
const REVISION: u32 = 3;
/// Columns of `per_clip`.
const COLUMNS: [&str; 6] = ["ssim", "psnr", "pixcorr", "consistency", "flow_agreement", "flow_error"];
/// What stands for "not defined" in a file of numbers.
const NONE: f32 = f32::NAN;

/// Numbers of every clip of an arm.
pub(super) struct Measured {
    /// Clips × [`COLUMNS`]; NaN where not defined.
    per_clip: Array2<f32>,
    /// Clips × width: mean vector by CLIP.
    pub clip: Option<Array2<f32>>,
    /// Clips × 2 · cells²: sides per second.
    pub motion: Array2<f32>,
    /// Clips × classes, by the classifier of pictures.
    pub frames: Option<Array2<f32>>,
    /// Clips × classes, by the classifier of videos.
    pub films: Option<Array2<f32>>,
    /// How much each frame differs from the one before in its film: mean absolute difference, by the frame's number among all test
    /// frames.
    pub steps: Vec<f32>,
}

impl Measured {
    /// A measure of every clip.
    pub(super) fn column(&self, name: &str) -> Vec<Option<f64>> {
        let place = COLUMNS.iter().position(|column| *column == name);
        let Some(place) = place else { return vec![None; self.per_clip.nrows()] };
        self.per_clip.column(place).iter().map(|value| value.is_finite().then_some(f64::from(*value))).collect()
    }
}

/// Measures all arms against the first, the stimulus.
pub(super) fn all(bench: &Bench<'_>, arms: &[Arm]) -> Result<Vec<Measured>, PipelineError> {
    let Some(stimulus) = arms.first() else { return Ok(Vec::new()) };
    let judge = Judge::new(bench, stimulus)?;
    bench.progress.begin("measure films", arms.len() as u64);
    let measured = arms.iter().map(|arm| {
        let found = judge.measured(arm);
        bench.progress.advance(1);
        found
    });
    let measured = measured.collect::<Result<Vec<_>, _>>()?;
    bench.progress.end("");
    Ok(measured)
}

/// What all arms are compared with, and by whom.
struct Judge<'a> {
    bench: &'a Bench<'a>,
    stimulus: &'a Arm,
    /// A hash of who judges, and what.
    judged: String,
    /// Opened when the first arm needs them.
    judges: OnceCell<Judges>,
}

impl<'a> Judge<'a> {
    fn new(bench: &'a Bench<'a>, stimulus: &'a Arm) -> Result<Self, PipelineError> {
        let evaluate = &bench.experiment.evaluate;
        let mut judged = Provenance::new(bench.experiment.seed)
            .setting("classes", &evaluate.classes)
            .setting("cells", &bench.experiment.decode.motion_cells);
        for (name, folder) in
            [("picture classifier", &evaluate.picture_classifier), ("video classifier", &evaluate.video_classifier)]
        {
            if let Some(folder) = folder {
                judged = judged.input(name, content_of(&PackFiles::Directory(folder.clone()))?);
            }
        }
        Ok(Self { bench, stimulus, judged: judged.fingerprint(), judges: OnceCell::new() })
    }

    fn judges(&self) -> Result<&Judges, PipelineError> {
        if let Some(judges) = self.judges.get() {
            return Ok(judges);
        }
        let opened = Judges::open(self.bench)?;
        Ok(self.judges.get_or_init(|| opened))
    }

    /// An arm, film by film, each a stage of its own.
    fn measured(&self, arm: &Arm) -> Result<Measured, PipelineError> {
        let bench = self.bench;
        let mut of_films = Vec::new();
        for film in bench.clips.test_films() {
            let title = &bench.data.segments[film.0].name;
            let path = format!("measured/{}/{title}.safetensors", arm.name);
            let record = arm.record(bench).input("judges", self.judged.clone());
            let stage = format!("measure.{}.{title}", arm.name);
            let n_clips = film.1.len();
            bench.run.stage(StageName { name: &stage, revision: REVISION }, record, || {
                self.film(arm, film)?.save(bench, &path)?;
                Ok(vec![path.clone()])
            })?;
            of_films.push(Measured::load(bench, &path, n_clips)?);
        }
        Measured::joined(of_films)
    }

    /// One film of an arm, a few clips at a time. The stimulus is shown again for each arm: its flow costs little beside the models that
    /// judge, and would not fit into memory.
    fn film(&self, arm: &Arm, film: TestFilm) -> Result<Measured, PipelineError> {
        let (mut own, mut shown) =
            (Reel::open(self.bench, arm, film.clone())?, Reel::open(self.bench, self.stimulus, film)?);
        let mut parts = Vec::new();
        let mut last: Option<Array3<f32>> = None;
        while let (Some(own), Some(truth)) = (own.next()?, shown.next()?) {
            let mut part = measure(self.bench, &own, &truth, self.judges()?)?;
            let n_frames = own.dim().0;
            if let (Some(last), Some(step)) = (&last, part.steps.first_mut()) {
                *step = change(own.index_axis(Axis(0), 0), last.view());
            }
            last = Some(own.index_axis(Axis(0), n_frames - 1).to_owned());
            parts.push(part);
        }
        Measured::joined(parts)
    }
}

impl Measured {
    /// Stretches one behind the other.
    fn joined(parts: Vec<Self>) -> Result<Self, PipelineError> {
        let rows = |of: &dyn Fn(&Self) -> Option<ArrayView2<'_, f32>>| -> Result<Option<Array2<f32>>, PipelineError> {
            let Some(views) = parts.iter().map(of).collect::<Option<Vec<_>>>() else { return Ok(None) };
            concatenate(Axis(0), &views)
                .map(Some)
                .map_err(|error| PipelineError::data(format!("measures of films: {error}"), "please report this"))
        };
        Ok(Self {
            per_clip: rows(&|part| Some(part.per_clip.view()))?.unwrap_or_default(),
            clip: rows(&|part| part.clip.as_ref().map(|rows| rows.view()))?,
            motion: rows(&|part| Some(part.motion.view()))?.unwrap_or_default(),
            frames: rows(&|part| part.frames.as_ref().map(|rows| rows.view()))?,
            films: rows(&|part| part.films.as_ref().map(|rows| rows.view()))?,
            steps: parts.iter().flat_map(|part| part.steps.iter().copied()).collect(),
        })
    }

    fn save(self, bench: &Bench<'_>, path: &str) -> Result<(), PipelineError> {
        let mut arrays = vec![
            ("per_clip", self.per_clip.into_dyn()),
            ("motion", self.motion.into_dyn()),
            ("steps", Array1::from_vec(self.steps).into_dyn()),
        ];
        arrays.extend(self.clip.map(|rows| ("clip", rows.into_dyn())));
        arrays.extend(self.frames.map(|rows| ("frames", rows.into_dyn())));
        arrays.extend(self.films.map(|rows| ("films", rows.into_dyn())));
        artefact::save(bench.run, path, &arrays)
    }

    fn load(bench: &Bench<'_>, path: &str, n_clips: usize) -> Result<Self, PipelineError> {
        let arrays = artefact::load(bench.run, path)?;
        let maybe = |name: &str| arrays.n_columns(name).is_ok().then(|| arrays.matrix(name, n_clips, None)).transpose();
        Ok(Measured {
            per_clip: arrays.matrix("per_clip", n_clips, Some(COLUMNS.len()))?,
            clip: maybe("clip")?,
            motion: arrays.matrix("motion", n_clips, None)?,
            frames: maybe("frames")?,
            films: maybe("films")?,
            steps: arrays.vector("steps", n_clips * bench.clips.frames)?.to_vec(),
        })
    }
}

/// A stretch of whole clips.
fn measure(
    bench: &Bench<'_>,
    own: &Array4<f32>,
    truth: &Array4<f32>,
    judges: &Judges,
) -> Result<Measured, PipelineError> {
    let n = bench.clips.frames;
    let n_clips = own.dim().0 / n;
    let rate = bench.experiment.film.rate;
    let mut per_clip = Array2::from_elem((n_clips, COLUMNS.len()), NONE);
    let mut put = |column: usize, of_frames: &[Option<f64>]| {
        for (clip, values) in of_frames.chunks(n).enumerate() {
            let defined: Vec<f64> = values.iter().flatten().copied().filter(|value| value.is_finite()).collect();
            if !defined.is_empty() {
                per_clip[(clip, column)] = (defined.iter().sum::<f64>() / defined.len() as f64) as f32;
            }
        }
    };
    let some = |values: Vec<f64>| values.into_iter().map(Some).collect::<Vec<_>>();
    put(0, &some(image::ssim(own.view(), truth.view())?));
    put(1, &some(image::psnr(own.view(), truth.view())?));
    put(2, &image::pixcorr(own.view(), truth.view())?.values);
    let pack = &bench.pack.pack;
    let embedded = pack.has_clip().then(|| pack.clip_image(own.view())).transpose()?;
    if let Some(rows) = &embedded {
        for (clip, value) in consistency(rows, n).into_iter().enumerate() {
            per_clip[(clip, 3)] = value;
        }
    }
    let (of_own, of_truth) = (flows(own, n), flows(truth, n));
    let side = own.dim().1;
    let scale = rate / side.max(1) as f64;
    let compared: Vec<[f64; 2]> = of_own.par_iter().zip(&of_truth).map(|(own, truth)| compare(own, truth)).collect();
    for (clip, [agreement, error]) in compared.into_iter().enumerate() {
        per_clip[(clip, 4)] = agreement as f32;
        per_clip[(clip, 5)] = (error * scale) as f32;
    }
    let cells = bench.experiment.decode.motion_cells;
    let motion: Vec<f32> = motion_of(&of_own, side, cells, rate).into_iter().flatten().collect();
    let frames = match &judges.frames {
        Some(namer) => namer.name(own, n, embedded.as_ref())?,
        None => None,
    };
    let films = judges.films.as_ref().map(|model| name_films(model, own.view(), n)).transpose()?;
    Ok(Measured {
        per_clip,
        clip: embedded.map(|rows| by_clip(&unit(rows), n)),
        motion: Array2::from_shape_vec((n_clips, 2 * cells * cells), motion)
            .map_err(|error| PipelineError::data(error.to_string(), "please report this"))?,
        frames,
        films,
        steps: steps(own),
    })
}

/// The cosine of the flows of a clip, over all of its pixels and pairs of frames, and the mean length of their difference in pixels.
fn compare(own: &[Array3<f32>], truth: &[Array3<f32>]) -> [f64; 2] {
    let (mut along, mut own_square, mut truth_square, mut error, mut count) = (0.0f64, 0.0, 0.0, 0.0, 0usize);
    for (own, truth) in own.iter().zip(truth) {
        for (&a, &b) in own.iter().zip(truth) {
            let (a, b) = (f64::from(a), f64::from(b));
            along += a * b;
            own_square += a * a;
            truth_square += b * b;
        }
        let lengths = (own - truth).mapv(|v| v * v).sum_axis(Axis(0)).mapv(f32::sqrt);
        error += f64::from(lengths.sum());
        count += lengths.len();
    }
    let length = (own_square * truth_square).sqrt();
    // What does not move agrees with nothing; where nothing is to be agreed with, nothing is said.
    let agreement = match (truth_square > 1e-12, length > 1e-12) {
        (false, _) => f64::NAN,
        (true, false) => 0.0,
        (true, true) => along / length,
    };
    [agreement, error / count.max(1) as f64]
}

/// The mean cosine of neighbouring frames' vectors in each clip.
fn consistency(embedded: &Array2<f32>, n: usize) -> Vec<f32> {
    let rows = unit(embedded.clone());
    (0..rows.nrows() / n.max(1))
        .map(|clip| {
            let own = rows.slice(s![clip * n..(clip + 1) * n, ..]);
            let sum: f32 = (1..n).map(|frame| own.row(frame).dot(&own.row(frame - 1))).sum();
            sum / (n.max(2) - 1) as f32
        })
        .collect()
}

/// The mean absolute difference of each frame from the one before; 0 for the first.
fn steps(frames: &Array4<f32>) -> Vec<f32> {
    (0..frames.dim().0)
        .into_par_iter()
        .map(|frame| match frame {
            0 => 0.0,
            _ => change(frames.index_axis(Axis(0), frame), frames.index_axis(Axis(0), frame - 1)),
        })
        .collect()
}

/// The mean absolute difference of two frames.
fn change(a: ArrayView3<'_, f32>, b: ArrayView3<'_, f32>) -> f32 {
    let sum: f64 = a.iter().zip(b).map(|(&a, &b)| f64::from((a - b).abs())).sum();
    (sum / a.len().max(1) as f64) as f32
}
