//! Which estimate of the responses is read, and from which file format.

use std::fmt;
use std::str::FromStr;

use crate::{Error, Result};

/// Which estimate of the responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BetaKind {
    /// `betas_assumehrf`, b1: a fixed haemodynamic response.
    AssumeHrf,
    /// `betas_fithrf`, b2: a response fitted to each voxel.
    FitHrf,
    /// `betas_fithrf_GLMdenoise_RR`, b3: denoised and regularised as well.
    Denoised,
}

impl BetaKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::AssumeHrf, Self::FitHrf, Self::Denoised];

    /// The name of its folder.
    pub fn folder(self) -> &'static str {
        match self {
            Self::AssumeHrf => "betas_assumehrf",
            Self::FitHrf => "betas_fithrf",
            Self::Denoised => "betas_fithrf_GLMdenoise_RR",
        }
    }
}

impl fmt::Display for BetaKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.folder())
    }
}

impl FromStr for BetaKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let short = ["b1", "b2", "b3"];
        let found = Self::ALL.iter().zip(short).find(|(kind, short)| kind.folder() == text || *short == text);
        found.map(|(&kind, _)| kind).ok_or_else(|| Error::missing("kind of betas", text, Self::ALL.map(Self::folder)))
    }
}

/// Which file format of the betas to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BetaFile {
    /// HDF5 where it is here, else NIfTI: HDF5 is the faster.
    #[default]
    Either,
    /// `betas_session01.hdf5` only.
    Hdf5,
    /// `betas_session01.nii.gz` (or `.nii`) only.
    Nifti,
}
