//! The spaces that are decoded: one row for every window of every excerpt.

use ndarray::{Array2, Axis};
use percept_io::npy;
use percept_models::probe::{Input, Pool, Probe, Space};
use percept_pipeline::PipelineError;
use percept_pipeline::data::listening::sounds;
use percept_pipeline::data::listening::{WindowRows, Windows};
use percept_pipeline::experiment::music::TargetSettings;
use percept_pipeline::packs::{content_of, files_of_sound};
use percept_pipeline::run::{StageName, artefact};

use super::bench::Bench;

/// Excerpts that are in memory together.
const AT_ONCE: usize = 32;
/// Of the targets; see [`percept_pipeline::run`].
const REVISION: u32 = 1;

/// A space with the responses to its windows.
pub(super) struct Target {
    /// Its name in the experiment.
    pub name: String,
    pub settings: TargetSettings,
    /// Of the training and the test.
    pub sides: [Side; 2],
}

/// Windows of one side.
pub(super) struct Side {
    /// Clips, in their order.
    pub clips: Vec<usize>,
    pub windows: WindowRows,
    /// Windows × width.
    pub truth: Array2<f32>,
}

impl Side {
    /// The mean of `rows` (one for each window) over the windows of each clip: clips × width.
    pub(super) fn by_clip(&self, rows: &Array2<f32>) -> Array2<f32> {
        let mut out = Array2::zeros((self.clips.len(), rows.ncols()));
        for (place, &clip) in self.clips.iter().enumerate() {
            let own: Vec<usize> = (0..rows.nrows()).filter(|&row| self.windows.clip[row] == clip).collect();
            if let Some(mean) = rows.select(Axis(0), &own).mean_axis(Axis(0)) {
                out.row_mut(place).assign(&mean);
            }
        }
        out
    }
}

/// All targets of the experiment.
pub(super) fn made(bench: &Bench<'_>) -> Result<Vec<Target>, PipelineError> {
    bench.experiment.targets.iter().map(|(name, settings)| target(bench, name, settings)).collect()
}

fn target(bench: &Bench<'_>, name: &str, settings: &TargetSettings) -> Result<Target, PipelineError> {
    let windows = Windows {
        secs: settings.window_secs,
        step_secs: settings.step_secs,
        lag_secs: bench.experiment.decode.lag_secs,
    };
    let all: Vec<usize> = (0..bench.data.schedule.clips.len()).collect();
    let starts: Vec<Vec<f64>> = all.iter().map(|&clip| windows.starts(bench.data.schedule.clips[clip].secs)).collect();
    let n_rows: usize = starts.iter().map(Vec::len).sum();
    let path = format!("targets/{name}.safetensors");
    let mut record = bench.record.only(&["schedule", "sounds", "words"]).setting("target", settings);
    match &settings.rows {
        Some(rows) => record = record.input("rows", percept_io::fs::content_hash(rows)?),
        None => record = record.input("pack", content_of(&files_of_sound(&settings.pack))?),
    }
    let stage = format!("target.{name}");
    bench.run.stage(StageName { name: &stage, revision: REVISION }, record, || {
        let values = match &settings.rows {
            Some(file) => given(file, &starts)?,
            None => computed(bench, name, settings, &starts)?,
        };
        artefact::save(bench.run, &path, &[("rows", values.into_dyn())])?;
        Ok(vec![path.clone()])
    })?;
    let rows = artefact::load(bench.run, &path)?.matrix("rows", n_rows, None)?;
    let side = |is_test: bool| -> Result<Side, PipelineError> {
        let clips = bench.data.clips_of(is_test);
        let own = windows.of(bench.data, &clips)?;
        let before: Vec<usize> = starts
            .iter()
            .scan(0, |sum, starts| {
                let before = *sum;
                *sum += starts.len();
                Some(before)
            })
            .collect();
        let places: Vec<usize> =
            own.clip.iter().zip(&own.window).map(|(&clip, &window)| before[clip] + window).collect();
        Ok(Side { clips, windows: own, truth: rows.select(Axis(0), &places) })
    };
    Ok(Target { name: name.to_owned(), settings: settings.clone(), sides: [side(false)?, side(true)?] })
}

/// Rows that the user made: one for each clip, the same for all of its windows.
fn given(file: &std::path::Path, starts: &[Vec<f64>]) -> Result<Array2<f32>, PipelineError> {
    let array = npy::open(file)?.read::<f32>()?;
    let shape = array.shape().to_vec();
    let rows: Option<Array2<f32>> =
        array.into_dimensionality().ok().filter(|rows: &Array2<f32>| rows.nrows() == starts.len());
    let rows = rows.ok_or_else(|| {
        let what = format!("`{}` has the shape {shape:?}, but there are {} clips", file.display(), starts.len());
        PipelineError::data(what, "give one row for each clip of `clips.json`")
    })?;
    let places: Vec<usize> = starts.iter().enumerate().flat_map(|(clip, of)| vec![clip; of.len()]).collect();
    Ok(rows.select(Axis(0), &places))
}

fn computed(
    bench: &Bench<'_>,
    name: &str,
    settings: &TargetSettings,
    starts: &[Vec<f64>],
) -> Result<Array2<f32>, PipelineError> {
    let space = Space::parse(&settings.space)?;
    let input = space.input();
    let probe = Probe::open(&files_of_sound(&settings.pack), vec![space], Pool::Mean, bench.seed.named("features"))?;
    let missing = || {
        PipelineError::data(
            format!("the target `{name}` reads `{}`, which is no space of sounds or captions", settings.space),
            "name one of `percept features`, such as `clap.audio`",
        )
    };
    let taken =
        |mut found: std::collections::BTreeMap<String, Array2<f32>>| found.remove(&settings.space).ok_or_else(missing);
    bench.progress.begin(&format!("target {name}"), starts.len() as u64);
    let mut parts: Vec<Array2<f32>> = Vec::new();
    match (input, probe.sound_format(), &bench.data.captions) {
        (Input::Texts, _, None) => {
            let what = format!("the target `{name}` reads captions, but the data have none");
            return Err(PipelineError::data(what, "set `data.captions`"));
        }
        (Input::Texts, _, Some(captions)) => {
            let rows = taken(probe.texts(captions, AT_ONCE)?)?;
            let places: Vec<usize> = starts.iter().enumerate().flat_map(|(clip, of)| vec![clip; of.len()]).collect();
            parts.push(rows.select(Axis(0), &places));
        }
        (Input::Sounds, Some((rate_hz, n_channels)), _) => {
            for from in (0..starts.len()).step_by(AT_ONCE) {
                let mut cut = Vec::new();
                for clip in from..starts.len().min(from + AT_ONCE) {
                    let whole = bench.data.excerpt(clip, rate_hz)?;
                    for start in &starts[clip] {
                        let first = ((start * f64::from(rate_hz)) as usize).min(whole.len().saturating_sub(1));
                        let length = (settings.window_secs * f64::from(rate_hz)).round() as usize;
                        let part = &whole[first..(first + length.max(1)).min(whole.len())];
                        cut.push(sounds::channels(part, n_channels));
                    }
                    bench.progress.advance(1);
                }
                parts.push(taken(probe.sounds(&cut)?)?);
            }
        }
        _ => return Err(missing()),
    }
    bench.progress.end("");
    let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
    ndarray::concatenate(Axis(0), &views)
        .map_err(|error| PipelineError::data(format!("the rows of `{name}` do not fit: {error}"), "report this"))
}
