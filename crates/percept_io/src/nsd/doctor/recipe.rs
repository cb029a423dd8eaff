//! What published methods need of NSD.

use crate::nsd::kind::{BetaFile, BetaKind};
use crate::{Error, Result};

/// Which sessions a recipe reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionsNeeded {
    /// The first ones, or all if the subject completed fewer.
    First(usize),
    /// All that the subject completed.
    All,
}

/// The needs of a method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// Its name.
    pub name: String,
    /// What it is, in a sentence.
    pub about: String,
    /// The subjects it uses, by number.
    pub subjects: Vec<usize>,
    /// Which betas.
    pub betas: BetaKind,
    /// In which file format.
    pub file: BetaFile,
    /// Of which sessions.
    pub sessions: SessionsNeeded,
    /// The atlases of its regions.
    pub atlases: Vec<String>,
    /// Whether it needs the pictures.
    pub stimuli: bool,
    /// Whether it needs the captions.
    pub captions: bool,
}

/// Sessions in NSD's first release; the rest was held back for a competition, so methods before 2024 have 982 test images.
const FIRST_RELEASE: usize = 37;

impl Recipe {
    /// The recipes that are built in.
    pub fn all() -> Vec<Self> {
        let strings = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        vec![
            Self {
                name: "takagi2023".to_owned(),
                about: "Takagi & Nishimoto 2023: latents from early visual cortex, captions from the streams"
                    .to_owned(),
                subjects: vec![1, 2, 5, 7],
                betas: BetaKind::Denoised,
                file: BetaFile::Either,
                sessions: SessionsNeeded::First(FIRST_RELEASE),
                atlases: strings(&["streams"]),
                stimuli: true,
                captions: true,
            },
            Self {
                name: "b2c".to_owned(),
                about: "brain to captions and images from nsdgeneral of one subject".to_owned(),
                subjects: vec![1],
                betas: BetaKind::Denoised,
                file: BetaFile::Either,
                sessions: SessionsNeeded::First(FIRST_RELEASE),
                atlases: strings(&["nsdgeneral"]),
                stimuli: true,
                captions: true,
            },
            Self {
                name: "mindeye".to_owned(),
                about: "MindEye and its like: nsdgeneral of all sessions".to_owned(),
                subjects: vec![1, 2, 5, 7],
                betas: BetaKind::Denoised,
                file: BetaFile::Either,
                sessions: SessionsNeeded::All,
                atlases: strings(&["nsdgeneral"]),
                stimuli: true,
                captions: true,
            },
        ]
    }

    /// The recipe called `name`.
    ///
    /// # Errors
    /// [`crate::Kind::Missing`] with the recipes that exist.
    pub fn named(name: &str) -> Result<Self> {
        let mut all = Self::all();
        match all.iter().position(|recipe| recipe.name == name) {
            Some(index) => Ok(all.swap_remove(index)),
            None => Err(Error::missing("recipe", name, all.into_iter().map(|recipe| recipe.name))),
        }
    }

    /// The same needs for other subjects.
    pub fn for_subjects(mut self, subjects: &[usize]) -> Self {
        self.subjects = subjects.to_vec();
        self
    }
}
