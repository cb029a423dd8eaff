//! Pictures on disk: one PNG file each, and a film; written by a thread of its own, so that encoding PNG costs no latency.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::controls::Controls;
use crate::engine::{Picture, Sink};
use crate::error::{Result, StreamError};
use percept_io::film::avi::AviWriter;

/// Pictures that may wait for the disk; a disk that is slower still is waited for.
const QUEUE: usize = 64;

/// What is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// `frames/000000.png` and so on, by the number of the frame.
    pub png: bool,
    /// A film from the first picture on; without it one whenever a viewer turns recording on.
    pub film: bool,
}

/// The files of a stream.
pub struct Files {
    pictures: Option<SyncSender<(Arc<Picture>, bool)>>,
    thread: Option<JoinHandle<percept_io::Result<()>>>,
    controls: Arc<Controls>,
    film: bool,
}

impl Files {
    /// Files in `folder`.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(folder: &Path, wanted: &Wanted, fps: f64, controls: Arc<Controls>) -> Result<Self> {
        let frames = folder.join("frames");
        percept_io::fs::create_dir(folder)?;
        if wanted.png {
            percept_io::fs::create_dir(&frames)?;
        }
        let (pictures, receiver) = sync_channel::<(Arc<Picture>, bool)>(QUEUE);
        let png = wanted.png.then_some(frames);
        let folder = folder.to_owned();
        let thread = std::thread::Builder::new()
            .name("percept-files".into())
            .spawn(move || {
                let mut writer = Writer { folder, png, fps, film: None, n_films: 0 };
                for (picture, filmed) in receiver {
                    writer.write(&picture, filmed)?;
                }
                writer.film.map_or(Ok(()), |mut film| film.close())
            })
            .map_err(|error| StreamError::System { what: "a thread for files", error })?;
        Ok(Self { pictures: Some(pictures), thread: Some(thread), controls, film: wanted.film })
    }

    /// Waits for the thread and gives its error.
    fn end(&mut self) -> Result<()> {
        self.pictures = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => Ok(result?),
            Some(Err(_)) | None => Ok(()),
        }
    }
}

impl Sink for Files {
    fn picture(&mut self, picture: &Arc<Picture>) -> Result<()> {
        let filmed = self.film || self.controls.is_recording();
        match &self.pictures {
            // The thread ends early for one reason only: its error.
            Some(pictures) if pictures.send((picture.clone(), filmed)).is_err() => self.end(),
            _ => Ok(()),
        }
    }

    fn finish(&mut self) -> Result<()> {
        self.end()
    }
}

struct Writer {
    folder: PathBuf,
    png: Option<PathBuf>,
    fps: f64,
    film: Option<AviWriter>,
    n_films: usize,
}

impl Writer {
    fn write(&mut self, picture: &Picture, filmed: bool) -> percept_io::Result<()> {
        let frame_idx = picture.frame.frame_idx;
        if let Some(frames) = &self.png {
            percept_io::picture::write_png(frames.join(format!("{frame_idx:06}.png")), picture.pixels.view())?;
        }
        if !filmed {
            return self.film.take().map_or(Ok(()), |mut film| film.close());
        }
        if self.film.is_none() {
            self.n_films += 1;
            let name = if self.n_films == 1 { "film.avi".to_owned() } else { format!("film{}.avi", self.n_films) };
            let (height, width, _) = picture.pixels.dim();
            self.film = Some(AviWriter::new(&self.folder.join(name), [width as u32, height as u32], self.fps));
        }
        self.film.as_mut().map_or(Ok(()), |film| film.add(frame_idx, &picture.jpeg))
    }
}
