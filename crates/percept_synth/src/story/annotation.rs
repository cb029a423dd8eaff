//! What was written about a film: texts of five levels, each with the stretch of time in which it stands.

use serde::{Deserialize, Serialize};

/// What an annotation speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// What is said, while it is said.
    Speech,
    /// What is to be seen, every second.
    Object,
    /// What happens, every five seconds.
    Story,
    /// A whole scene in a sentence.
    Summary,
    /// When and where a scene plays.
    TimePlace,
}

impl Level {
    /// All levels.
    pub const ALL: [Self; 5] = [Self::Speech, Self::Object, Self::Story, Self::Summary, Self::TimePlace];

    /// The level's name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Speech => "speech",
            Self::Object => "object",
            Self::Story => "story",
            Self::Summary => "summary",
            Self::TimePlace => "timeplace",
        }
    }
}

/// A text about a stretch of a film.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Annotation {
    /// What it speaks of.
    pub level: Level,
    /// Who wrote it, from 1 on. Speech has one transcript.
    pub annotator: usize,
    /// When the stretch begins, seconds from the start of the run.
    pub onset_secs: f64,
    /// When it ends.
    pub end_secs: f64,
    /// The text, lower case without punctuation.
    pub text: String,
}
