//! Why a report could not be made.

/// Why a report could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A picture that the outcome names could not be read.
    #[error("picture `{path}` of the report cannot be read: {reason} (run the experiment again to write it)")]
    Picture {
        /// Its path inside the run's folder.
        path: String,
        /// What went wrong.
        reason: String,
    },
    /// A picture is not in the one format that reports embed.
    #[error("picture `{path}` of the report is no PNG file (write pictures as PNG)")]
    NotPng {
        /// Its path inside the run's folder.
        path: String,
    },
    /// The frames of a film are not in a format that reports embed.
    #[error("frames `{path}` of the report are no JPEG or PNG file (write them as one of these)")]
    NotFrames {
        /// Their path inside the run's folder.
        path: String,
    },
    /// A sound is not in the one format that reports embed.
    #[error("sound `{path}` of the report is no WAV file of 16-bit integers or µ-law (write sounds as such)")]
    NotWav {
        /// Its path inside the run's folder.
        path: String,
    },
    /// A run's outcome is not in the form that this version writes.
    #[error("`{path}` is no outcome of this version of percept: {reason} (run the experiment again)")]
    Outcome {
        /// The file.
        path: String,
        /// What does not fit.
        reason: String,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    Io(#[from] percept_io::Error),
    /// A figure's values do not fit its names.
    #[error("the figure `{title}` has {got}, expected {expected} (give one entry per row and column)")]
    Figure {
        /// Its heading.
        title: String,
        /// What its names ask for.
        expected: String,
        /// What it has.
        got: String,
    },
    /// An item has another number of arms or scores than the outcome.
    #[error(
        "item `{id}` has {got} {what}, expected {expected} (give one entry per arm, and one score per metric of the arm)"
    )]
    Item {
        /// The item.
        id: String,
        /// `arms`, or `scores of ARM`.
        what: String,
        /// Entries it has.
        got: usize,
        /// Entries of the outcome.
        expected: usize,
    },
}

/// Hands over the bytes of a PNG or WAV by its path inside the run's folder.
pub type Pictures<'p> = dyn FnMut(&str) -> std::io::Result<Vec<u8>> + 'p;

/// The bytes of the PNG at `path`.
pub(crate) fn png(path: &str, pictures: &mut Pictures<'_>) -> Result<Vec<u8>, ReportError> {
    let bytes =
        pictures(path).map_err(|error| ReportError::Picture { path: path.to_owned(), reason: error.to_string() })?;
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") { Ok(bytes) } else { Err(ReportError::NotPng { path: path.to_owned() }) }
}

/// The bytes of the JPEG or PNG at `path`, and what it is.
pub(crate) fn frames(path: &str, pictures: &mut Pictures<'_>) -> Result<(&'static str, Vec<u8>), ReportError> {
    let bytes =
        pictures(path).map_err(|error| ReportError::Picture { path: path.to_owned(), reason: error.to_string() })?;
    if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
        Ok(("image/jpeg", bytes))
    } else if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        Ok(("image/png", bytes))
    } else {
        Err(ReportError::NotFrames { path: path.to_owned() })
    }
}

/// The bytes of the WAV at `path`, of a coding that every browser plays.
pub(crate) fn wav(path: &str, pictures: &mut Pictures<'_>) -> Result<Vec<u8>, ReportError> {
    let bytes =
        pictures(path).map_err(|error| ReportError::Picture { path: path.to_owned(), reason: error.to_string() })?;
    let coding = |at: usize| bytes.get(at..at + 2).map(|two| [two[0], two[1]]);
    // The chunk of the format stands first in what percept writes.
    let is_played = match (coding(20), coding(34)) {
        (Some([1, 0]), Some(bits)) => bits == [16, 0],
        (Some([7, 0]), Some(bits)) => bits == [8, 0],
        _ => false,
    };
    if bytes.starts_with(b"RIFF") && bytes.get(8..16) == Some(b"WAVEfmt ") && is_played {
        Ok(bytes)
    } else {
        Err(ReportError::NotWav { path: path.to_owned() })
    }
}
