//! Opening a film: which kind it is, by its first bytes, and what it says about itself.

use std::path::{Path, PathBuf};

use super::checks::check_rate;
use super::info::{FilmInfo, FilmOptions, FilmRequest};
use super::kind::Kind;
use super::play::{Frames, Shown, frame_at};
use super::{apng, avi, ffmpeg, folder};
use crate::{Error, Result, fs};

/// An open film.
#[derive(Clone, Debug)]
pub struct Film {
    path: PathBuf,
    info: FilmInfo,
    kind: Kind,
    /// When each frame begins, seconds.
    starts: Vec<f64>,
}

impl Film {
    /// Opens the film at `path`.
    ///
    /// # Errors
    /// If it is no film, is damaged beyond its first frame, is a folder (which needs a rate: [`Film::open_with`]), or needs programs
    /// that are missing.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, &FilmOptions::default())
    }

    /// As [`Film::open`], with options.
    ///
    /// # Errors
    /// As [`Film::open`]; if a rate is given for a film that has one, or none for a folder.
    pub fn open_with(path: impl AsRef<Path>, options: &FilmOptions) -> Result<Self> {
        let path = path.as_ref();
        let attempt = || if fs::is_dir(path) { Self::of_folder(path, options) } else { Self::of_file(path, options) };
        attempt().map_err(|error| error.in_file(path))
    }

    /// What the film says about itself.
    pub fn info(&self) -> &FilmInfo {
        &self.info
    }

    /// When each frame begins, seconds from the first one on.
    pub fn starts(&self) -> &[f64] {
        &self.starts
    }

    /// The frame that is shown at `secs`.
    pub fn frame_at(&self, secs: f64) -> usize {
        frame_at(&self.starts, secs)
    }

    /// Frames, one at a time.
    ///
    /// # Errors
    /// If times are not ascending, lie outside the film, a rate or a side is not positive, or a program does not start.
    pub fn frames(&self, request: &FilmRequest<'_>) -> Result<Frames> {
        let size = [self.info.width, self.info.height];
        let shown = Shown { path: &self.path, size, secs: self.info.secs, starts: &self.starts };
        Frames::new(&self.kind, &shown, request).map_err(|error| error.in_file(&self.path))
    }

    fn of_folder(path: &Path, options: &FilmOptions) -> Result<Self> {
        let Some(rate) = options.frames_per_sec else {
            let remedy = "say how many frames a second it has";
            return Err(Error::mismatch("the folder of frames", "a rate", "without one", remedy));
        };
        check_rate(rate)?;
        let mut folder = folder::Folder::open(path)?;
        let (height, width, _) = folder.frame(0)?.dim();
        let notes = std::mem::take(&mut folder.notes);
        let n_frames = folder.n_frames();
        Ok(Self::regular(path, [width, height], rate, n_frames, "folder of pictures", notes, Kind::Folder(folder)))
    }

    fn of_file(path: &Path, options: &FilmOptions) -> Result<Self> {
        let source = fs::open(path)?;
        let start = source.bytes_at("the start", 0, source.len().min(16))?;
        if options.frames_per_sec.is_some() {
            let remedy = "leave the rate out: this file has its own";
            return Err(Error::mismatch("the film", "a folder of frames", "a file", remedy));
        }
        if let Some(film) = Self::own(path, &source, &start)? {
            return Ok(film);
        }
        if start.starts_with(&[0xff, 0xd8, 0xff]) {
            return Err(Error::mismatch("the file", "a film", "a picture", "name a film, or a folder of pictures"));
        }
        let probed = ffmpeg::Probed::open(path, &options.programs)?;
        let (size, rate, notes) = (probed.size, probed.rate, probed.notes.clone());
        let starts = probed.starts.clone();
        let info = FilmInfo {
            width: size[0],
            height: size[1],
            frames_per_sec: rate,
            n_frames: starts.len(),
            secs: probed.secs,
            how: probed.how.clone(),
            notes,
        };
        Ok(Self { path: path.to_owned(), info, kind: Kind::Ffmpeg(probed), starts })
    }

    /// As [`Film::open`], for bytes that are at hand; AVI of JPEG and animated PNG only.
    ///
    /// # Errors
    /// As [`Film::open`], and for any other film.
    pub fn from_source(source: &fs::Source) -> Result<Self> {
        let start = source.bytes_at("the start", 0, source.len().min(16))?;
        let path = source.path().unwrap_or_else(|| Path::new("a film"));
        let film = Self::own(path, source, &start)?;
        film.ok_or_else(|| {
            let got = format!("`{}`", start.escape_ascii());
            Error::malformed("the start of the film", "that of an AVI of JPEG files or animated PNG", got)
        })
    }

    /// A film that is read without other programs.
    fn own(path: &Path, source: &fs::Source, start: &[u8]) -> Result<Option<Self>> {
        if avi::is_avi(start) {
            return Self::of_avi(path, source);
        }
        if apng::is_png(start) { Self::of_apng(path, source).map(Some) } else { Ok(None) }
    }

    /// `None` for an AVI file of another codec.
    fn of_avi(path: &Path, source: &fs::Source) -> Result<Option<Self>> {
        let Some(mut film) = avi::Avi::from_source(source)? else { return Ok(None) };
        let (height, width, _) = film.frame(0)?.dim();
        let mut notes = std::mem::take(&mut film.notes);
        if film.size != [width, height] {
            let [w, h] = film.size;
            notes.push(format!("the head says {w} × {h} pixels, the first frame has {width} × {height}"));
        }
        let (rate, n_frames) = (film.rate, film.n_frames());
        Ok(Some(Self::regular(path, [width, height], rate, n_frames, "AVI of JPEG", notes, Kind::Avi(film))))
    }

    fn of_apng(path: &Path, source: &fs::Source) -> Result<Self> {
        let mut film = apng::Apng::from_source(source)?;
        let mut at = 0.0;
        let mut starts = Vec::with_capacity(film.delays.len());
        for delay in &film.delays {
            starts.push(at);
            at += delay;
        }
        let n_frames = starts.len();
        let rate = n_frames as f64 / at;
        check_rate(rate).map_err(|error| error.with_remedy("write it anew with a rate"))?;
        let notes = std::mem::take(&mut film.notes);
        let [width, height] = film.size;
        let how = "animated PNG".to_owned();
        let info = FilmInfo { width, height, frames_per_sec: rate, n_frames, secs: at, how, notes };
        Ok(Self { path: path.to_owned(), info, kind: Kind::Apng(film), starts })
    }

    /// A film whose frames are equally long.
    fn regular(
        path: &Path,
        [width, height]: [usize; 2],
        rate: f64,
        n_frames: usize,
        how: &str,
        notes: Vec<String>,
        kind: Kind,
    ) -> Self {
        let secs = n_frames as f64 / rate;
        let info = FilmInfo { width, height, frames_per_sec: rate, n_frames, secs, how: how.to_owned(), notes };
        let starts = (0..n_frames).map(|frame_idx| frame_idx as f64 / rate).collect();
        Self { path: path.to_owned(), info, kind, starts }
    }
}
