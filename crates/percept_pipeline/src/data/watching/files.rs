//! Which files are read, and how.

use std::path::{Path, PathBuf};

use percept_io::film::{Film, FilmOptions};

/// Which images are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `cifti/seg1_1_Atlas.dtseries.nii`.
    Cifti,
    /// `mni/seg1_1_mni.nii.gz`.
    Mni,
    /// `raw/seg1_1.nii.gz`, as scanned.
    Raw,
}

impl Form {
    /// All of them, those that need no further work first.
    pub const ALL: [Self; 3] = [Self::Cifti, Self::Mni, Self::Raw];

    /// The name of its folders.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cifti => "cifti",
            Self::Mni => "mni",
            Self::Raw => "raw",
        }
    }

    /// What follows the number of a showing in the name of a file.
    pub(super) fn endings(self) -> &'static [&'static str] {
        match self {
            Self::Cifti => &["_Atlas.dtseries.nii"],
            Self::Mni => &["_mni.nii.gz", "_mni.nii"],
            Self::Raw => &[".nii.gz", ".nii"],
        }
    }
}

/// A recording and what was shown in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventsRun {
    /// What it is called.
    pub name: String,
    /// The table.
    pub events: PathBuf,
    /// NIfTI, CIFTI, or a matrix of volumes × units.
    pub images: PathBuf,
}

/// Where the data lie.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// The layout of cc2017: `subject1/fmri/seg1/mni/seg1_1_mni.nii.gz`, `stimuli/seg1.mp4`.
    Cc2017 {
        /// The folder that holds `subject1` and `stimuli`.
        root: PathBuf,
        /// The subject: `1`.
        subject: String,
        /// Which images; the first that are there of CIFTI and MNI without it.
        form: Option<Form>,
    },
    /// Runs with tables of what was shown when.
    Events {
        /// Runs; [`super::events::runs_in`] finds those of a folder.
        runs: Vec<EventsRun>,
    },
}

/// What is read, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct WatchingFiles {
    /// Where the data lie.
    pub origin: Origin,
    /// The folder of the films; `stimuli` below the root of cc2017 without it.
    pub films: Option<PathBuf>,
    /// Frames a second of films that are folders of pictures.
    pub frames_per_sec: Option<f64>,
    /// Segments to read; all without any.
    pub segments: Vec<String>,
    /// Which voxels to read (NIfTI only).
    pub mask: Option<PathBuf>,
    /// Labels of regions: NIfTI with a table of names beside it, or `.dlabel.nii` for CIFTI. Only labelled units are read then.
    pub atlas: Option<PathBuf>,
    /// Regions of the atlas to read; all without any.
    pub regions: Vec<String>,
    /// A table of captions: `segment`, `start_secs`, `end_secs`, `caption`.
    pub captions: Option<PathBuf>,
    /// Seconds from one volume to the next, where the files do not say it or say it wrongly.
    pub tr_secs: Option<f64>,
    /// Seconds from a clip to the volume that is taken for its response.
    pub delay_secs: f64,
    /// Order of the polynomial that is taken out of every showing; only the mean at 0.
    pub trend_order: usize,
}

impl WatchingFiles {
    /// Data at `origin` with all else as the authors of cc2017 have it: a delay of 4 s, a polynomial of the fourth order.
    pub fn new(origin: Origin) -> Self {
        Self {
            origin,
            films: None,
            frames_per_sec: None,
            segments: Vec::new(),
            mask: None,
            atlas: None,
            regions: Vec::new(),
            captions: None,
            tr_secs: None,
            delay_secs: 4.0,
            trend_order: 4,
        }
    }
}

/// Opens a film of a segment.
///
/// # Errors
/// As [`Film::open_with`].
pub fn film(path: &Path, frames_per_sec: Option<f64>) -> Result<Film, percept_io::Error> {
    let frames_per_sec = frames_per_sec.filter(|_| path.is_dir());
    Film::open_with(path, &FilmOptions { frames_per_sec, ..FilmOptions::default() })
}
