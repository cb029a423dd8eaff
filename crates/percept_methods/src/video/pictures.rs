//! Films of a run as files, and as they stand in the report.

use ndarray::{Array3, Array4, s};
use percept_core::Section;
use percept_core::figure::{Figure, Films, Reel, Track};
use percept_io::film::{write_apng, write_mp4};
use percept_io::picture::encode_jpeg;
use percept_pipeline::PipelineError;
use percept_pipeline::run::StageName;

use super::arms::Arm;
use super::bench::Bench;
use super::films::byte_frame;
use super::scores::PerClip;
use super::targets::captions_of;

/// Of the pictures; see [`percept_pipeline::run`].
const REVISION: u32 = 1;
/// Frames in a row of a sheet.
const ACROSS: usize = 20;
/// Quality of the frames in a sheet.
const QUALITY: u8 = 88;
/// The widest frame that the report shows.
const WIDEST: usize = 256;

/// Which test films are shown, and how many of their frames.
fn shown(bench: &Bench<'_>) -> Vec<(usize, usize, usize)> {
    let most = (bench.experiment.evaluate.shown_secs * bench.experiment.film.rate) as usize / bench.clips.frames.max(1);
    let films = bench.clips.test_films().into_iter();
    films.map(|(segment, range)| (segment, range.start, range.len().min(most))).filter(|(.., n)| *n > 0).collect()
}

/// The films of all arms beside the stimulus, playing in step, with scores over time.
pub(super) fn section(
    bench: &Bench<'_>,
    arms: &[Arm],
    per_clip: &[PerClip],
    tracks: &[&str],
) -> Result<Section, PipelineError> {
    let main = bench.experiment.methods.last().map_or("", |method| method.name());
    // Copies of the film in another order are no sight of their own.
    let is_seen =
        |arm: &Arm| !["still", "shuffled", "reversed"].iter().any(|end| arm.name.ends_with(&format!(".{end}")));
    let mut shown_arms: Vec<usize> = (0..arms.len()).filter(|&arm| is_seen(&arms[arm])).collect();
    shown_arms.sort_by_key(|&arm| (arms[arm].name != "stimulus", arms[arm].name != main));
    let is_drawn = |arm: &Arm| arm.name == main || arm.name == "mean" || arm.name == format!("{main}.true");
    let mut figures = Vec::new();
    for (segment, first, n_clips) in shown(bench) {
        let title = &bench.data.segments[segment].name;
        let mut reels = Vec::new();
        for arm in shown_arms.iter().map(|&arm| &arms[arm]) {
            let path = sheet(bench, arm, title, first, n_clips)?;
            reels.push(Reel { name: arm.name.clone(), sheet: path, across: ACROSS });
        }
        let start = bench.clips.sides[1][first];
        let words = (0..n_clips).filter_map(|clip| {
            let secs = bench.clips.start_secs(bench.data, start) + (clip as f64 + 0.5) * bench.clips.tr_secs;
            let caption = captions_of(bench.data, segment, secs).into_iter().next()?;
            Some((clip as f64 * bench.clips.tr_secs, caption))
        });
        let mut said: Vec<(f64, String)> = Vec::new();
        for (secs, caption) in words {
            if said.last().is_none_or(|(_, last)| *last != caption) {
                said.push((secs, caption));
            }
        }
        let of_track = |metric: &&str| {
            let values = shown_arms.iter().map(|&arm| {
                let (_, values, _) = per_clip[arm].iter().find(|(name, ..)| name == metric)?;
                is_drawn(&arms[arm]).then(|| values[first..first + n_clips].to_vec())
            });
            Track { name: (*metric).to_owned(), step_secs: bench.clips.tr_secs, values: values.collect() }
        };
        let size = arms[0].frames.dim().1.min(WIDEST);
        figures.push(Figure::Films(Films {
            title: title.clone(),
            caption: "What was seen and what was made of it, in step. Space plays, arrows step; a click on a curve goes there.".to_owned(),
            rate: bench.experiment.film.rate,
            n_frames: n_clips * bench.clips.frames,
            size: [size, size],
            films: reels,
            words: said,
            tracks: tracks.iter().map(of_track).collect(),
        }));
    }
    Ok(Section {
        title: "Films".to_owned(),
        text:
            "Whole films as they were made, also as files in the folder `films` of the run. Below, scores of each clip."
                .to_owned(),
        figures,
    })
}

/// A picture with all frames of a stretch of an arm's film.
fn sheet(bench: &Bench<'_>, arm: &Arm, title: &str, first: usize, n_clips: usize) -> Result<String, PipelineError> {
    let n = bench.clips.frames;
    let frames = arm.frames.slice(s![first * n..(first + n_clips) * n, .., .., ..]);
    let path = format!("sheets/{}/{title}.jpg", arm.name);
    let bytes: Vec<u8> = frames.iter().map(|value| (value * 255.0) as u8).collect();
    let record = bench
        .record
        .only(&[])
        .setting("sheet", &(ACROSS, QUALITY, WIDEST))
        .input("frames", percept_core::provenance::content_hash(&bytes));
    let stage = format!("sheet.{}.{title}", arm.name);
    bench.run.stage(StageName { name: &stage, revision: REVISION }, record, || {
        let side = frames.dim().1.min(WIDEST);
        let n_frames = frames.dim().0;
        let mut all = Array3::<u8>::zeros((n_frames.div_ceil(ACROSS) * side, ACROSS * side, 3));
        for number in 0..n_frames {
            let frame = percept_io::film::square(byte_frame(frames, number).view(), side);
            let (row, column) = (number / ACROSS * side, number % ACROSS * side);
            all.slice_mut(s![row..row + side, column..column + side, ..]).assign(&frame);
        }
        bench.run.write(&path, &encode_jpeg(all.view(), QUALITY)?)?;
        Ok(vec![path.clone()])
    })?;
    Ok(path)
}

/// Writes the stimulus and the main film side by side, as animated PNG that every browser shows, and as MP4 where there is `ffmpeg`.
pub(super) fn write_films(bench: &Bench<'_>, stimulus: &Arm, main: &Arm) -> Result<(), PipelineError> {
    for (segment, range) in bench.clips.test_films() {
        let title = &bench.data.segments[segment].name;
        let n = bench.clips.frames;
        let part = |arm: &Arm| arm.frames.slice(s![range.start * n..range.end * n, .., .., ..]).to_owned();
        let both: Vec<Array4<f32>> = vec![part(stimulus), part(main)];
        let path = format!("films/{title}.png");
        let bytes: Vec<u8> = both.iter().flat_map(|film| film.iter().map(|value| (value * 255.0) as u8)).collect();
        let record = bench
            .record
            .only(&[])
            .setting("rate", &bench.experiment.film.rate)
            .input("frames", percept_core::provenance::content_hash(&bytes));
        let stage = format!("written.{title}");
        let mut frame = |number: usize| -> percept_io::Result<Array3<u8>> {
            let pair = [byte_frame(both[0].view(), number), byte_frame(both[1].view(), number)];
            let views = [pair[0].view(), pair[1].view()];
            Ok(ndarray::concatenate(ndarray::Axis(1), &views).unwrap_or_else(|_| pair[0].clone()))
        };
        let (n_frames, rate) = (both[0].dim().0, bench.experiment.film.rate);
        bench.run.stage(StageName { name: &stage, revision: REVISION }, record, || {
            write_apng(bench.run.file(&path), n_frames, rate, 0, &mut frame)?;
            // A copy for other programs; its bytes are those of the user's encoder, so that no stage vouches for them.
            write_mp4(bench.run.file(&format!("films/{title}.mp4")), n_frames, rate, &mut frame)?;
            Ok(vec![path.clone()])
        })?;
    }
    Ok(())
}
