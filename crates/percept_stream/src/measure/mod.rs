//! How pictures follow signals: what the published system claims and nobody measured.
//!
//! Segments of a recording, spread evenly over it, are drawn frame by frame; so are the same segments of three surrogates: with
//! random phases (the same spectrum), with time shuffled, and white noise. For each the distance of pictures is measured over
//! lags within a segment, by pixels and by CLIP, beside the distance of the latents they were drawn from. Segments, not frames,
//! are what intervals are over: frames of one segment are no independent samples.
//!
//! Whether states can be told apart: segments above and below the median ratio of theta to delta are told by the nearer mean of
//! the other segments' pictures.

mod figures;
mod found;
mod segments;
mod told;

use std::path::{Path, PathBuf};

use ndarray::{Array2, ArrayView1, ArrayView2};
use percept_core::Seed;
use percept_io::recording;
use percept_signal::surrogate;
use percept_stats::bootstrap::{mean_interval, paired_difference};

pub use found::{Condition, Curve, Difference, Extent, Mean, Measured, Measures};

use self::segments::{Segment, alike, apart, segments};
use crate::error::{Result, StreamError};
use crate::picture::Painter;
use crate::settings::Settings;
use crate::source::{ChannelFacts, SourceFacts};

/// Lags in frames.
const LAGS: [usize; 9] = [1, 2, 3, 5, 8, 12, 18, 27, 40];
/// Draws of the bootstrap.
const DRAWS: usize = 10_000;

/// Measures a recording and writes `measures.json` and `report.html` into `out`; the path of the report.
///
/// # Errors
/// A recording that is too short, models that fail, files that cannot be written.
pub fn run(
    path: &Path,
    options: &recording::Options,
    settings: &Settings,
    extent: Extent,
    out: &Path,
) -> Result<(PathBuf, Measures)> {
    let recording = recording::open(path, options)?;
    let whole = recording.read(0..recording.n_samples())?.mapv(f64::from);
    let channel = |c: &recording::Channel| ChannelFacts { name: c.name.clone(), unit: c.unit.clone() };
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let facts = SourceFacts {
        name,
        channels: recording.channels().iter().map(channel).collect(),
        rate_hz: recording.rate_hz(),
        n_samples: Some(recording.n_samples() as u64),
    };
    let painter: Painter<()> = Painter::open(settings)?;
    let measures = measure(whole.view(), &facts, settings, extent, &painter)?;
    percept_io::fs::create_dir(out)?;
    let json = serde_json::to_vec_pretty(&measures).unwrap_or_default();
    percept_io::fs::write_bytes(out.join("measures.json"), &json)?;
    let outcome = figures::outcome(&measures, &facts, settings);
    let report = percept_report::write(out, &outcome)
        .map_err(|error| StreamError::setting("measure", error.to_string(), "choose another folder with `--out`"))?;
    Ok((report, measures))
}

/// Measures samples.
///
/// # Shapes
/// `samples` n_samples × n_channels.
///
/// # Errors
/// As [`run`].
pub fn measure<T: Sync>(
    samples: ArrayView2<'_, f64>,
    facts: &SourceFacts,
    settings: &Settings,
    extent: Extent,
    painter: &Painter<T>,
) -> Result<Measures> {
    let seed = Seed::new(settings.seed).named("measures");
    let mut conditions = Vec::new();
    for condition in Condition::ALL {
        let made = match condition {
            Condition::Recording => samples.to_owned(),
            Condition::Surrogate(kind) => surrogate(samples, kind, seed.named(condition.name())),
        };
        let segments = segments(made.view(), facts, settings, extent, painter)?;
        conditions.push(measured(condition, &segments, seed)?);
    }
    let shuffled = &conditions[2];
    let nearer = |quantity: &str| -> Result<Option<Difference>> {
        let of =
            |measured: &Measured| measured.curves.iter().find(|c| c.quantity == quantity).map(|c| c.neighbours.clone());
        let (Some(own), Some(other)) = (of(&conditions[0]), of(shuffled)) else { return Ok(None) };
        Ok(Some(stats(paired_difference(&own, &other, seed.named("nearer"), DRAWS))?.into()))
    };
    let (pixels, clip) = (nearer("pixel")?, nearer("clip")?);
    Ok(Measures {
        lags: lags(extent).collect(),
        fps: settings.fps,
        extent: [extent.n_segments, extent.n_frames],
        nearer: pixels
            .ok_or_else(|| StreamError::setting("measure", "no pictures were drawn", "use a longer recording"))?,
        nearer_clip: clip,
        conditions,
    })
}

fn lags(extent: Extent) -> impl Iterator<Item = usize> {
    LAGS.into_iter().filter(move |lag| *lag < extent.n_frames)
}

fn stats<T>(result: std::result::Result<T, percept_stats::StatsError>) -> Result<T> {
    result.map_err(|error| StreamError::setting("measure", error.to_string(), "use a longer recording"))
}

fn measured(condition: Condition, segments: &[Segment], seed: Seed) -> Result<Measured> {
    let mut curves = vec![
        curve("latent", segments, |segment| Some(&segment.latents), seed)?,
        curve("pixel", segments, |segment| Some(&segment.pixels), seed)?,
    ];
    if segments.iter().all(|segment| segment.clip.is_some()) {
        curves.push(curve("clip", segments, |segment| segment.clip.as_ref(), seed)?);
    }
    let follows: Vec<f64> = segments.iter().map(follows).collect();
    let told = told::told(segments);
    Ok(Measured {
        condition: condition.name(),
        curves,
        follows: mean(&follows, seed)?,
        told: told.map(|told| mean(&told, seed)).transpose()?,
    })
}

fn mean(values: &[f64], seed: Seed) -> Result<Mean> {
    let value = values.iter().sum::<f64>() / values.len().max(1) as f64;
    Ok(Mean { value, interval: stats(mean_interval(values, seed.named("interval"), DRAWS))? })
}

fn curve(
    quantity: &'static str,
    segments: &[Segment],
    rows: impl Fn(&Segment) -> Option<&Array2<f32>>,
    seed: Seed,
) -> Result<Curve> {
    let n_frames = segments.first().map_or(0, |segment| segment.latents.nrows());
    let per_segment = |lag: usize, of: fn(ArrayView1<'_, f32>, ArrayView1<'_, f32>) -> f64| -> Vec<f64> {
        let over = |rows: &Array2<f32>| {
            let pairs = rows.nrows().saturating_sub(lag);
            (0..pairs).map(|i| of(rows.row(i), rows.row(i + lag))).sum::<f64>() / pairs.max(1) as f64
        };
        segments.iter().filter_map(&rows).map(over).collect()
    };
    let (mut distance, mut correlation) = (Vec::new(), Vec::new());
    for lag in LAGS.into_iter().filter(|lag| *lag < n_frames) {
        distance.push(mean(&per_segment(lag, apart), seed)?);
        correlation.push(mean(&per_segment(lag, alike), seed)?);
    }
    Ok(Curve { quantity, distance, correlation, neighbours: per_segment(1, apart) })
}

/// Over pairs of frames of a segment, how distance of pixels goes with distance of latents.
fn follows(segment: &Segment) -> f64 {
    let n = segment.latents.nrows();
    let (mut of_latents, mut of_pixels) = (Vec::new(), Vec::new());
    for i in 0..n {
        for j in i + 1..n {
            of_latents.push(apart(segment.latents.row(i), segment.latents.row(j)));
            of_pixels.push(apart(segment.pixels.row(i), segment.pixels.row(j)));
        }
    }
    percept_stats::correlation::pearson(ArrayView1::from(&of_latents), ArrayView1::from(&of_pixels)).unwrap_or(0.0)
}
