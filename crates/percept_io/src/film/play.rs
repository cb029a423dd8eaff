//! Frames of an open film at asked times, one after the other.

use ndarray::Array3;

use super::checks::check_rate;
use super::info::{At, FilmRequest, NEARLY_SECS};
use super::kind::Kind;
use super::{apng, avi, ffmpeg, folder, scale};
use crate::{Error, Result};

/// Frames that one request may ask for.
const MOST_FRAMES: f64 = 1e9;

/// What an open film says about its frames.
pub(super) struct Shown<'a> {
    pub(super) path: &'a std::path::Path,
    /// Width and height.
    pub(super) size: [usize; 2],
    pub(super) secs: f64,
    /// When each frame begins.
    pub(super) starts: &'a [f64],
}

/// The frame that is shown at `secs`.
pub(super) fn frame_at(starts: &[f64], secs: f64) -> usize {
    starts.partition_point(|start| *start <= secs + NEARLY_SECS).saturating_sub(1)
}

/// Frames of a film; an iterator that ends after the last asked one, or after an error.
pub struct Frames {
    path: std::path::PathBuf,
    player: Player,
    /// Width and height of every frame.
    size: [usize; 2],
    side: Option<usize>,
    wanted: std::vec::IntoIter<usize>,
    /// The frame that was shown last, and its number.
    shown: Option<(usize, Array3<u8>)>,
}

enum Player {
    Avi(avi::Avi),
    Folder(folder::Folder),
    /// The number of the frame that comes next.
    Apng(Box<apng::Playing>, usize),
    Ffmpeg(Box<ffmpeg::Playing>),
}

impl Frames {
    pub(super) fn new(kind: &Kind, film: &Shown<'_>, request: &FilmRequest<'_>) -> Result<Self> {
        if request.side == Some(0) {
            return Err(Error::mismatch("the side of frames", "at least 1 pixel", 0, "give a positive side"));
        }
        let wanted = wanted(film, request.at)?;
        let player = match kind {
            Kind::Avi(film) => Player::Avi(film.clone()),
            Kind::Folder(folder) => Player::Folder(folder.clone()),
            Kind::Apng(film) => Player::Apng(Box::new(film.play()?), 0),
            Kind::Ffmpeg(probed) => Player::Ffmpeg(Box::new(probed.play()?)),
        };
        let (path, size) = (film.path.to_owned(), film.size);
        Ok(Self { path, player, size, side: request.side, wanted: wanted.into_iter(), shown: None })
    }

    fn frame(&mut self, frame_idx: usize) -> Result<Array3<u8>> {
        if let Some((shown, frame)) = &self.shown
            && *shown == frame_idx
        {
            return Ok(frame.clone());
        }
        let frame = match &mut self.player {
            Player::Avi(film) => film.frame(frame_idx)?,
            Player::Folder(folder) => folder.frame(frame_idx)?,
            Player::Apng(playing, next) => {
                let mut frame = playing.advance()?;
                while *next < frame_idx {
                    frame = playing.advance()?;
                    *next += 1;
                }
                *next += 1;
                frame
            }
            Player::Ffmpeg(playing) => playing.frame(frame_idx)?,
        };
        let (height, width, _) = frame.dim();
        if [width, height] != self.size {
            let [w, h] = self.size;
            let what = format!("the size of frame {frame_idx}");
            let remedy = "write the film anew with frames of one size";
            return Err(Error::mismatch(what, format!("{w} × {h}"), format!("{width} × {height}"), remedy));
        }
        let frame = match self.side {
            Some(side) => scale::square(frame.view(), side),
            None => frame,
        };
        self.shown = Some((frame_idx, frame.clone()));
        Ok(frame)
    }
}

impl Iterator for Frames {
    type Item = Result<Array3<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        let frame_idx = self.wanted.next()?;
        let frame = self.frame(frame_idx).map_err(|error| error.in_file(&self.path));
        if frame.is_err() {
            self.wanted = Vec::new().into_iter();
        }
        Some(frame)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.wanted.len()))
    }
}

/// The numbers of the frames that are wanted, ascending.
fn wanted(film: &Shown<'_>, at: At<'_>) -> Result<Vec<usize>> {
    let secs = film.secs;
    match at {
        At::Every => Ok((0..film.starts.len()).collect()),
        At::Rate(rate) => {
            check_rate(rate)?;
            // The last time lies before the end.
            let n = ((secs - NEARLY_SECS) * rate).ceil().clamp(1.0, MOST_FRAMES) as usize;
            Ok((0..n).map(|number| frame_at(film.starts, number as f64 / rate)).collect())
        }
        At::Secs(times) => {
            if let Some([before, after]) = times.array_windows().find(|[before, after]| before > after) {
                let got = format!("second {after} after second {before}");
                return Err(Error::mismatch("the order of times", "ascending", got, "sort them"));
            }
            if let Some(wrong) = times.iter().find(|time| !(**time >= 0.0 && **time <= secs + NEARLY_SECS)) {
                let remedy = "ask for times within the film";
                return Err(Error::mismatch("a time", format!("0 to {secs:.3} s"), format!("{wrong} s"), remedy));
            }
            Ok(times.iter().map(|time| frame_at(film.starts, *time)).collect())
        }
    }
}
