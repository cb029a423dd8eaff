//! Films of a run as files, and as they stand in the report.

use ndarray::{Array3, Array4, s};
use percept_core::Section;
use percept_core::figure::{Figure, Films, Reel as Shown, Strip, StripCell, StripRow, Track};
use percept_io::film::{write_apng, write_mp4};
use percept_io::picture::{encode_jpeg, encode_png};
use percept_pipeline::PipelineError;
use percept_pipeline::run::StageName;

use super::bench::Bench;
use super::films::byte_frame;
use super::frames::{Arm, Order, Reel, Source, TestFilm};
use super::scores::PerClip;
use super::targets::captions_of;

/// Of the pictures; see [`percept_pipeline::run`].
const REVISION: u32 = 2;
/// Frames in a row of a sheet.
const ACROSS: usize = 20;
/// Quality of the frames in a sheet.
const QUALITY: u8 = 88;
/// The widest frame that the report shows.
const WIDEST: usize = 256;
/// Pictures in a row of a contact sheet.
const CELLS: usize = 9;
/// The widest of them.
const SMALL: usize = 128;

/// Which test films are shown, and how many of their frames.
fn shown(bench: &Bench<'_>) -> Vec<(TestFilm, usize)> {
    let most = (bench.experiment.evaluate.shown_secs * bench.experiment.film.rate) as usize / bench.clips.frames.max(1);
    let films = bench.clips.test_films().into_iter();
    films.map(|film| (film.clone(), film.1.len().min(most))).filter(|(_, n)| *n > 0).collect()
}

/// Arms that are worth seeing: copies of the film in another order are no sight of their own.
fn seen_arms<'a>(bench: &Bench<'_>, arms: &'a [Arm]) -> impl Iterator<Item = &'a Arm> {
    let main = bench.experiment.methods.last().map_or("", |method| method.name());
    let mut all: Vec<&Arm> =
        arms.iter().filter(|arm| matches!(arm.order, Order::Own) || matches!(arm.source, Source::Shown)).collect();
    all.sort_by_key(|arm| (arm.name != "stimulus", arm.name != main));
    all.into_iter()
}

/// The films of all arms beside the stimulus, playing in step, with scores over time.
pub(super) fn section(
    bench: &Bench<'_>,
    arms: &[Arm],
    per_clip: &[PerClip],
    tracks: &[&str],
) -> Result<Section, PipelineError> {
    let main = bench.experiment.methods.last().map_or("", |method| method.name());
    let place = |arm: &Arm| arms.iter().position(|other| other.name == arm.name).unwrap_or(0);
    let shown_arms: Vec<usize> = seen_arms(bench, arms).map(place).collect();
    let is_drawn = |arm: &Arm| arm.name == main || arm.name == "mean" || arm.name == format!("{main}.true");
    let mut figures = Vec::new();
    for (film, n_clips) in shown(bench) {
        let (segment, first) = (film.0, film.1.start);
        let title = &bench.data.segments[segment].name;
        let mut reels = Vec::new();
        for arm in shown_arms.iter().map(|&arm| &arms[arm]) {
            let path = sheet(bench, arm, &film, n_clips)?;
            reels.push(Shown { name: arm.name.clone(), sheet: path, across: ACROSS });
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
        let size = bench.pack.pack.image_size().min(WIDEST);
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

/// A picture with all frames of the first clips of an arm's film.
fn sheet(bench: &Bench<'_>, arm: &Arm, film: &TestFilm, n_clips: usize) -> Result<String, PipelineError> {
    let (title, n) = (&bench.data.segments[film.0].name, bench.clips.frames);
    let path = format!("sheets/{}/{title}.jpg", arm.name);
    let record = arm.record(bench).setting("sheet", &(ACROSS, QUALITY, WIDEST, n_clips));
    let stage = format!("sheet.{}.{title}", arm.name);
    bench.run.stage(StageName { name: &stage, revision: REVISION }, record, || {
        let side = bench.pack.pack.image_size().min(WIDEST);
        let n_frames = n_clips * n;
        let mut all = Array3::<u8>::zeros((n_frames.div_ceil(ACROSS) * side, ACROSS * side, 3));
        let mut frames = Frames::new(Reel::open(bench, arm, first_clips(film, n_clips))?);
        for number in 0..n_frames {
            let Some(frame) = frames.next()? else { break };
            let frame = percept_io::film::square(frame.view(), side);
            let (row, column) = (number / ACROSS * side, number % ACROSS * side);
            all.slice_mut(s![row..row + side, column..column + side, ..]).assign(&frame);
        }
        bench.run.write(&path, &encode_jpeg(all.view(), QUALITY)?)?;
        Ok(vec![path.clone()])
    })?;
    Ok(path)
}

/// The first clips of a film.
fn first_clips((segment, range): &TestFilm, n_clips: usize) -> TestFilm {
    (*segment, range.start..range.end.min(range.start + n_clips))
}

/// The middle pictures of clips all over each film, arm below arm: what can be printed.
pub(super) fn contact_sheets(bench: &Bench<'_>, arms: &[Arm]) -> Result<Section, PipelineError> {
    // What stands still in every clip has no middle picture of its own.
    let arms: Vec<&Arm> = seen_arms(bench, arms).filter(|arm| matches!(arm.order, Order::Own)).collect();
    let mut figures = Vec::new();
    for film in bench.clips.test_films() {
        let title = &bench.data.segments[film.0].name;
        let n_clips = film.1.len();
        // Evenly over the film, the first and the last with half a gap.
        let shown: Vec<usize> =
            (0..CELLS.min(n_clips)).map(|cell| (2 * cell + 1) * n_clips / (2 * CELLS.min(n_clips))).collect();
        let mut rows = Vec::new();
        for arm in &arms {
            let paths = cells(bench, arm, &film, &shown)?;
            let cell = |picture: &String| Some(StripCell { picture: picture.clone(), map: None, note: String::new() });
            rows.push(StripRow { label: arm.name.clone(), cells: paths.iter().map(cell).collect() });
        }
        let start = bench.clips.sides[1][film.1.start];
        let secs =
            |clip: &usize| bench.clips.start_secs(bench.data, start) + (*clip as f64 + 0.5) * bench.clips.tr_secs;
        figures.push(Figure::Strip(Strip {
            title: title.clone(),
            caption: "The middle pictures of clips over the whole film.".to_owned(),
            columns: shown.iter().map(|clip| format!("{:.0} s", secs(clip))).collect(),
            rows,
        }));
    }
    Ok(Section { title: "Contact sheets".to_owned(), text: "Films at a glance, and on paper.".to_owned(), figures })
}

/// The middle pictures of clips of a film, as files.
fn cells(bench: &Bench<'_>, arm: &Arm, film: &TestFilm, shown: &[usize]) -> Result<Vec<String>, PipelineError> {
    let title = &bench.data.segments[film.0].name;
    let path = |clip: usize| format!("sheets/{}/{title}.{clip}.png", arm.name);
    let record = arm.record(bench).setting("cells", &(shown, SMALL));
    let stage = format!("cells.{}.{title}", arm.name);
    bench.run.stage(StageName { name: &stage, revision: REVISION }, record, || {
        let (n, side) = (bench.clips.frames, bench.pack.pack.image_size().min(SMALL));
        let mut frames = Frames::new(Reel::open(bench, arm, film.clone())?);
        let mut paths = Vec::new();
        for number in 0..film.1.len() * n {
            let Some(frame) = frames.next()? else { break };
            if number % n == n / 2 && shown.contains(&(number / n)) {
                let small = percept_io::film::square(frame.view(), side);
                bench.run.write(&path(number / n), &encode_png(small.view())?)?;
                paths.push(path(number / n));
            }
        }
        Ok(paths)
    })?;
    Ok(shown.iter().map(|&clip| path(clip)).collect())
}

/// Frames of a film as bytes, one after the other.
struct Frames<'a> {
    reel: Reel<'a>,
    /// The clips that are shown, and the frame of them that is next.
    at_hand: Option<(Array4<f32>, usize)>,
}

impl<'a> Frames<'a> {
    fn new(reel: Reel<'a>) -> Self {
        Self { reel, at_hand: None }
    }

    fn next(&mut self) -> Result<Option<Array3<u8>>, PipelineError> {
        if self.at_hand.as_ref().is_none_or(|(frames, next)| *next >= frames.dim().0) {
            self.at_hand = self.reel.next()?.map(|frames| (frames, 0));
        }
        Ok(self.at_hand.as_mut().map(|(frames, next)| {
            *next += 1;
            byte_frame(frames.view(), *next - 1)
        }))
    }
}

/// Writes the stimulus and the main film side by side, as animated PNG that every browser shows, and as MP4 where there is `ffmpeg`.
pub(super) fn write_films(bench: &Bench<'_>, stimulus: &Arm, main: &Arm) -> Result<(), PipelineError> {
    for film in bench.clips.test_films() {
        let title = &bench.data.segments[film.0].name;
        let path = format!("films/{title}.png");
        let record = main.record(bench);
        let stage = format!("written.{title}");
        let (n_frames, rate) = (film.1.len() * bench.clips.frames, bench.experiment.film.rate);
        bench.run.stage(StageName { name: &stage, revision: REVISION }, record, || {
            let mut refused = None;
            let mut shown = |write: &mut Write<'_>| -> Result<(), PipelineError> {
                let open = |arm| Reel::open(bench, arm, film.clone()).map(Frames::new);
                let (mut left, mut right) = (open(stimulus)?, open(main)?);
                let done = write(&mut |_| {
                    let pair = left.next().and_then(|left| Ok((left, right.next()?)));
                    side_by_side(pair, &mut refused)
                });
                match refused.take() {
                    Some(error) => Err(error),
                    None => Ok(done?),
                }
            };
            shown(&mut |frame| write_apng(bench.run.file(&path), n_frames, rate, 0, frame))?;
            // A copy for other programs; its bytes are those of the user's encoder, so that no stage vouches for them.
            shown(&mut |frame| {
                write_mp4(bench.run.file(&format!("films/{title}.mp4")), n_frames, rate, frame).map(|_| ())
            })?;
            Ok(vec![path.clone()])
        })?;
    }
    Ok(())
}

/// Writes the frames that it is given.
type Write<'a> = dyn FnMut(&mut dyn FnMut(usize) -> percept_io::Result<Array3<u8>>) -> percept_io::Result<()> + 'a;

/// Two frames beside each other. What is wrong with them is kept, and the writer is told to stop.
fn side_by_side(
    pair: Result<(Option<Array3<u8>>, Option<Array3<u8>>), PipelineError>,
    refused: &mut Option<PipelineError>,
) -> percept_io::Result<Array3<u8>> {
    let what = match pair {
        Ok((Some(left), Some(right))) => match ndarray::concatenate(ndarray::Axis(1), &[left.view(), right.view()]) {
            Ok(both) => return Ok(both),
            Err(error) => error.to_string(),
        },
        Ok(_) => "a film ended before its last frame".to_owned(),
        Err(error) => {
            let what = error.to_string();
            *refused = Some(error);
            what
        }
    };
    Err(percept_io::Error::codec("frames", what))
}
