//! Frames of arms, a few clips at a time: whole films need not fit in memory.

use std::ops::Range;

use ndarray::{Array3, Array4, ArrayView2, Axis, concatenate, s};
use percept_core::Provenance;
use percept_core::outcome::Role;
use percept_io::npy;
use percept_pipeline::PipelineError;

use super::bench::Bench;
use super::clips::AT_ONCE;
use super::films::{Projector, byte_frame};

/// All test films, made in one way.
pub(super) struct Arm {
    /// The name in tables.
    pub name: String,
    pub role: Role,
    /// A few words for the head of a column.
    pub short: &'static str,
    /// One sentence on how it was made.
    pub description: String,
    /// Where its frames come from.
    pub source: Source,
    pub order: Order,
    /// A hash of the files or the picture that its frames come from; of films that were shown, their data say it.
    pub content: String,
}

impl Arm {
    /// What decides its frames, for stages that look at them: the data, which clips and how many frames of each, the size, the order.
    pub(super) fn record(&self, bench: &Bench<'_>) -> Provenance {
        bench
            .record
            .only(&["films", "segments"])
            .setting("rate", &bench.experiment.film.rate)
            .setting("scans", &bench.experiment.decode.scans)
            .setting("arm", &self.name)
            .input("pack", bench.pack.content.clone())
            .input("frames", self.content.clone())
    }
}

/// Where an arm's frames come from.
#[derive(Clone)]
pub(super) enum Source {
    /// The films themselves.
    Shown,
    /// Frames that were made, in one file for each test film.
    Made(Vec<String>),
    /// One picture, (side, side, 3) in 0..=1.
    Picture(Array3<f32>),
}

/// In which order an arm shows the frames of its source.
pub(super) enum Order {
    /// As they come.
    Own,
    /// One frame of each clip all the time.
    Held(usize),
    /// Each clip backwards.
    Backwards,
    /// Those of another clip: its number among all test clips.
    Of(Vec<usize>),
}

/// A test film: its segment and its clips among all test clips.
pub(super) type TestFilm = (usize, Range<usize>);

/// The frames of one arm in one test film, from the beginning to the end.
pub(super) struct Reel<'a> {
    bench: &'a Bench<'a>,
    arm: &'a Arm,
    films: Vec<TestFilm>,
    /// What shows the film, where it is the source.
    projector: Option<Projector>,
    /// The clip that is next, and the one behind the last.
    rest: Range<usize>,
}

impl<'a> Reel<'a> {
    /// Opens the test film `film` of an arm.
    pub(super) fn open(bench: &'a Bench<'a>, arm: &'a Arm, (segment, range): TestFilm) -> Result<Self, PipelineError> {
        let projector = if matches!(arm.source, Source::Shown) {
            let clips = &bench.clips.sides[1][range.clone()];
            let secs: Vec<f64> = clips.iter().flat_map(|&clip| bench.clips.frame_secs(bench.data, clip)).collect();
            Some(Projector::new(bench, segment, &secs, bench.pack.pack.image_size())?)
        } else {
            None
        };
        Ok(Self { bench, arm, films: bench.clips.test_films(), projector, rest: range })
    }

    /// The frames of the next clips, at most [`AT_ONCE`]: (clips · frames, side, side, 3) in 0..=1. `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Array4<f32>>, PipelineError> {
        let clips = self.rest.start..self.rest.end.min(self.rest.start + AT_ONCE);
        if clips.is_empty() {
            return Ok(None);
        }
        self.rest.start = clips.end;
        let (n, n_clips) = (self.bench.clips.frames, clips.len());
        let all = match (&self.arm.source, &self.arm.order) {
            (Source::Picture(picture), _) => {
                return Ok(Some(picture.clone().insert_axis(Axis(0)).select(Axis(0), &vec![0; n_clips * n])));
            }
            (Source::Made(files), Order::Of(others)) => {
                let parts = clips.map(|clip| self.made(files, others[clip]..others[clip] + 1));
                let parts = parts.collect::<Result<Vec<_>, PipelineError>>()?;
                let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
                return concatenate(Axis(0), &views).map(Some).map_err(|error| odd(&error.to_string()));
            }
            (Source::Made(files), _) => self.made(files, clips)?,
            (Source::Shown, _) => match &mut self.projector {
                Some(projector) => projector.next(n_clips * n)?,
                None => return Ok(None),
            },
        };
        let order = |which: &dyn Fn(usize) -> usize| -> Vec<usize> {
            (0..n_clips * n).map(|frame| frame / n * n + which(frame % n)).collect()
        };
        Ok(Some(match &self.arm.order {
            Order::Held(held) => all.select(Axis(0), &order(&|_| *held)),
            Order::Backwards => all.select(Axis(0), &order(&|frame| n - 1 - frame)),
            Order::Own | Order::Of(_) => all,
        }))
    }

    /// Made frames of clips that lie in one film.
    fn made(&self, files: &[String], clips: Range<usize>) -> Result<Array4<f32>, PipelineError> {
        let n = self.bench.clips.frames;
        let place = self.films.iter().position(|(_, range)| range.contains(&clips.start)).unwrap_or(0);
        let first = self.films.get(place).map_or(0, |(_, range)| range.start);
        let path = files.get(place).ok_or_else(|| odd("a film that was not made"))?;
        let rows =
            npy::open(self.bench.run.file(path))?.rows::<u8>((clips.start - first) * n..(clips.end - first) * n)?;
        let rows = rows.mapv(|value| f32::from(value) / 255.0);
        rows.into_dimensionality().map_err(|error| odd(&error.to_string()))
    }
}

fn odd(what: &str) -> PipelineError {
    PipelineError::data(format!("frames of films: {what}"), "please report this")
}

/// Decodes latents of frames and writes them as bytes to an `.npy` file of the run, (frames, side, side, 3).
pub(super) fn write(bench: &Bench<'_>, path: &str, latents: ArrayView2<'_, f32>) -> Result<(), PipelineError> {
    let (n, side) = (latents.nrows(), bench.pack.pack.image_size());
    let at_once = AT_ONCE * bench.clips.frames;
    let mut refused = None;
    let written = percept_io::fs::write_atomic(bench.run.file(path), |sink| {
        percept_io::fs::put(&mut *sink, &npy::header::<u8>(&[n, side, side, 3]))?;
        for first in (0..n).step_by(at_once) {
            let frames = match bench.pack.pack.decode(latents.slice(s![first..n.min(first + at_once), ..])) {
                Ok(frames) => frames,
                Err(error) => {
                    // Only so that no file gets the name; what is wrong is said below.
                    let stopped = percept_io::Error::codec("frames", &error);
                    refused = Some(error);
                    return Err(stopped);
                }
            };
            for number in 0..frames.dim().0 {
                let bytes: Vec<u8> = byte_frame(frames.view(), number).iter().copied().collect();
                percept_io::fs::put(&mut *sink, &bytes)?;
            }
        }
        Ok(())
    });
    match refused {
        Some(error) => Err(error.into()),
        None => Ok(written?),
    }
}
