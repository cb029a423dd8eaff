//! What is decoded of every clip: the latent of its middle picture, what it shows (the context of its captions, or a captioner's vision
//! tokens), and how it moves.

use ndarray::{Array2, Array3, Array4, Axis};
use percept_pipeline::data::hash_of_rows;
use percept_pipeline::packs::CaptionModel;
use percept_pipeline::run::{StageName, artefact};
use percept_pipeline::{PipelineError, data::watching::Watching};
use percept_signal::flow::{FlowSettings, by_cells, flow, luminance};
use rayon::prelude::*;

use super::bench::Bench;
use super::clips::Clip;
use super::films::Projector;

/// Of the targets; see [`percept_pipeline::run`].
const REVISION: u32 = 2;

/// The name of the space of vision tokens.
pub(super) const VISION: &str = "vision";

/// A space with the truth about every clip.
pub(super) struct Target {
    /// `z`, `c`, `vision` or `motion`.
    pub name: &'static str,
    /// Of training and test: clips × dimensions.
    pub sides: [Array2<f32>; 2],
}

/// The file of all spaces, relative to the run.
const PATH: &str = "targets.safetensors";

/// The mean of the middle pictures of the training, and a hash of it.
pub(super) fn mean_picture(bench: &Bench<'_>) -> Result<(Array3<f32>, String), PipelineError> {
    let side = bench.pack.pack.image_size();
    let row = artefact::load(bench.run, PATH)?.matrix("mean.training", 1, Some(side * side * 3))?;
    let content = hash_of_rows(&row);
    row.into_shape_with_order((side, side, 3))
        .map(|picture| (picture, content))
        .map_err(|error| PipelineError::data(format!("the mean picture: {error}"), "please report this"))
}

/// All spaces. Without captions there is no `c`; where contexts go through captions, vision tokens stand in its place.
pub(super) fn made(bench: &Bench<'_>) -> Result<Vec<Target>, PipelineError> {
    let captioner = bench.pack.captioner.as_ref();
    let has_captions = bench.data.captions.is_some() && captioner.is_none();
    let mut record = bench
        .record
        .only(&["films", "segments", "captions"])
        .setting("rate", &bench.experiment.film.rate)
        .setting("scans", &bench.experiment.decode.scans)
        .setting("cells", &bench.experiment.decode.motion_cells)
        .input("pack", bench.pack.content.clone());
    if let Some(captioner) = captioner {
        record = record.input("captioner", captioner.content());
    }
    bench.run.stage(StageName { name: "targets", revision: REVISION }, record, || {
        let mut arrays = Vec::new();
        for (side, name) in ["training", "test"].into_iter().enumerate() {
            let seen = seen(bench, side)?;
            arrays.push((format!("mean.{name}"), seen.mean.into_dyn()));
            arrays.push((format!("z.{name}"), seen.z.into_dyn()));
            arrays.push((format!("motion.{name}"), seen.motion.into_dyn()));
            if let Some(vision) = seen.vision {
                arrays.push((format!("{VISION}.{name}"), vision.into_dyn()));
            }
            if has_captions {
                arrays.push((format!("c.{name}"), contexts(bench, side)?.into_dyn()));
            }
        }
        let named: Vec<(&str, ndarray::ArrayD<f32>)> =
            arrays.iter().map(|(name, array)| (name.as_str(), array.clone())).collect();
        artefact::save(bench.run, PATH, &named)?;
        Ok(vec![PATH.to_owned()])
    })?;
    let arrays = artefact::load(bench.run, PATH)?;
    let side = |space: &str, number: usize, name: &str| {
        arrays.matrix(&format!("{space}.{name}"), bench.clips.sides[number].len(), None)
    };
    let spaces: &[&'static str] = match (captioner, has_captions) {
        (Some(_), _) => &["z", VISION, "motion"],
        (None, true) => &["z", "c", "motion"],
        (None, false) => &["z", "motion"],
    };
    spaces
        .iter()
        .map(|&name| Ok(Target { name, sides: [side(name, 0, "training")?, side(name, 1, "test")?] }))
        .collect()
}

/// What is taken from the frames of a side.
struct Seen {
    /// Of middle pictures.
    z: Array2<f32>,
    /// Of middle pictures, where there is a captioner.
    vision: Option<Array2<f32>>,
    motion: Array2<f32>,
    /// The mean of the middle pictures as a row.
    mean: Array2<f32>,
}

fn seen(bench: &Bench<'_>, side: usize) -> Result<Seen, PipelineError> {
    let (clips, n) = (&bench.clips.sides[side], bench.clips.frames);
    let cells = bench.experiment.decode.motion_cells;
    let picture = bench.pack.pack.image_size();
    let captioner = bench.pack.captioner.as_ref();
    let (mut z, mut vision, mut motion) = (Vec::new(), Vec::new(), Vec::new());
    let mut sum = Array3::<f32>::zeros((picture, picture, 3));
    bench.progress.begin(&format!("look at the {} films", ["training", "test"][side]), clips.len() as u64);
    watch(bench, clips, picture, |frames| {
        let middle: Vec<usize> = (n / 2..frames.dim().0).step_by(n).collect();
        let middle = frames.select(Axis(0), &middle);
        sum += &middle.sum_axis(Axis(0));
        z.extend(bench.pack.pack.encode(middle.view())?);
        if let Some(captioner) = captioner {
            vision.extend(captioner.features(middle.view())?);
        }
        for clip in clip_motion(&frames, n, cells, bench.experiment.film.rate) {
            motion.extend(clip);
        }
        bench.progress.advance(middle.dim().0 as u64);
        Ok(())
    })?;
    bench.progress.end("");
    let mean: Vec<f32> = sum.iter().map(|value| value / clips.len() as f32).collect();
    Ok(Seen {
        z: shaped(z, clips.len())?,
        vision: captioner.map(|_| shaped(vision, clips.len())).transpose()?,
        motion: shaped(motion, clips.len())?,
        mean: shaped(mean, 1)?,
    })
}

/// Shows the true frames of clips, film after film, a few clips at a time (whole films need not fit in memory): (clips · frames, side,
/// side, 3) in 0..=1.
pub(super) fn watch(
    bench: &Bench<'_>,
    clips: &[Clip],
    side: usize,
    mut see: impl FnMut(Array4<f32>) -> Result<(), PipelineError>,
) -> Result<(), PipelineError> {
    const AT_ONCE: usize = 32;
    for film in clips.chunk_by(|a, b| a.segment == b.segment) {
        let secs: Vec<f64> = film.iter().flat_map(|&clip| bench.clips.frame_secs(bench.data, clip)).collect();
        let mut projector = Projector::new(bench, film[0].segment, &secs, side)?;
        for stretch in film.chunks(AT_ONCE) {
            see(projector.next(stretch.len() * bench.clips.frames)?)?;
        }
    }
    Ok(())
}

/// The mean motion in each cell over each clip of `n` frames: sides of the picture per second, right and down. Between two frames, the
/// flow is that of their brightness; over a clip it is the median, so that one cut does not matter.
pub(super) fn clip_motion(frames: &Array4<f32>, n: usize, cells: usize, rate: f64) -> Vec<Vec<f32>> {
    motion_of(&flows(frames, n), frames.dim().1, cells, rate)
}

/// The same of flows that are at hand, of pictures with `side` pixels a side.
pub(super) fn motion_of(flows: &Flows, side: usize, cells: usize, rate: f64) -> Vec<Vec<f32>> {
    let of_clip = |pairs: &Vec<Array3<f32>>| {
        let of_pairs: Vec<Vec<f32>> = pairs.iter().map(|field| by_cells(field.view(), cells)).collect();
        let at = |place: usize| {
            let mut values: Vec<f32> = of_pairs.iter().map(|pair| pair[place]).collect();
            values.sort_unstable_by(f32::total_cmp);
            let middle = match values.len() {
                0 => 0.0,
                n if n % 2 == 1 => values[n / 2],
                n => 0.5 * (values[n / 2 - 1] + values[n / 2]),
            };
            middle * rate as f32 / side.max(1) as f32
        };
        (0..2 * cells * cells).map(at).collect()
    };
    flows.iter().map(of_clip).collect()
}

/// Fields of flow, clip by clip, pair by pair: (2, side, side) pixels.
pub(super) type Flows = Vec<Vec<Array3<f32>>>;

/// The flow between neighbouring frames of each clip, in pixels: clips × (frames − 1) fields of (2, side, side).
pub(super) fn flows(frames: &Array4<f32>, n: usize) -> Flows {
    let n_clips = frames.dim().0 / n.max(1);
    let settings = FlowSettings::default();
    (0..n_clips)
        .into_par_iter()
        .map(|clip| {
            let light: Vec<Array2<f32>> =
                (clip * n..(clip + 1) * n).map(|frame| luminance(frames.index_axis(Axis(0), frame))).collect();
            light.windows(2).map(|pair| flow(pair[0].view(), pair[1].view(), &settings)).collect()
        })
        .collect()
}

/// Contexts averaged over the captions of each clip.
fn contexts(bench: &Bench<'_>, side: usize) -> Result<Array2<f32>, PipelineError> {
    let clips = &bench.clips.sides[side];
    let mut known: Vec<(Vec<String>, Vec<f32>)> = Vec::new();
    let mut rows = Vec::new();
    for &clip in clips {
        let start = bench.clips.start_secs(bench.data, clip);
        let captions = captions_of(bench.data, clip.segment, start + 0.5 * bench.clips.tr_secs);
        if known.iter().all(|(own, _)| *own != captions) {
            let texts = if captions.is_empty() { vec![String::new()] } else { captions.clone() };
            let states = bench.pack.pack.embed_text(&texts)?;
            let mean = states.mean_axis(Axis(0)).map(|mean| mean.to_vec()).unwrap_or_default();
            known.push((captions.clone(), mean));
        }
        let place = known.iter().position(|(own, _)| *own == captions).unwrap_or(0);
        rows.extend_from_slice(&known[place].1);
    }
    shaped(rows, clips.len())
}

/// The captions of a film at a moment.
pub(super) fn captions_of(data: &Watching, segment: usize, secs: f64) -> Vec<String> {
    let all = data.captions.iter().flatten();
    let own = all.filter(|span| span.segment == segment && span.start_secs <= secs && secs < span.end_secs);
    own.map(|span| span.text.clone()).collect()
}

fn shaped(values: Vec<f32>, rows: usize) -> Result<Array2<f32>, PipelineError> {
    let columns = values.len() / rows.max(1);
    Array2::from_shape_vec((rows, columns), values)
        .map_err(|error| PipelineError::data(format!("features of clips: {error}"), "please report this"))
}

/// A hash of the truth about the training.
pub(super) fn content(target: &Target) -> String {
    hash_of_rows(&target.sides[0])
}
