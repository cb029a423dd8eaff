//! The one error of this crate: what, expected, got, where, and what to do about it.
//!
//! A parser says what is wrong and at which byte ([`Error::at`]) or in which object ([`Error::in_object`]); the function
//! that opened the file adds its path ([`Error::in_file`]), once. The message reads
//! `` `path`: what, in `object`, at byte N (remedy) ``. The text of an underlying error is part of the message, so
//! [`std::error::Error::source`] stays empty and nothing is printed twice.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// What every fallible function of this crate returns.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure to read or write, with its place in the file and a remedy.
#[derive(Debug)]
pub struct Error(Box<Report>);

#[derive(Debug)]
struct Report {
    path: Option<PathBuf>,
    object: Option<String>,
    offset: Option<u64>,
    kind: Kind,
    remedy: Cow<'static, str>,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Kind {
    /// The operating system refused.
    #[error("cannot {action}: {error}")]
    Io {
        /// What was attempted, such as `open`.
        action: &'static str,
        /// The system's answer.
        error: io::Error,
    },
    /// The file ends before the thing it announced does.
    #[error("the file ends inside {what}: {needed} bytes needed, {available} left")]
    Truncated {
        /// The part that is incomplete.
        what: String,
        /// Its size in bytes.
        needed: u64,
        /// How many bytes there are.
        available: u64,
    },
    /// A value in the file that its format does not allow.
    #[error("{what} is {got}, expected {expected}")]
    Malformed {
        /// The field.
        what: String,
        /// What the format allows.
        expected: String,
        /// What stands there.
        got: String,
    },
    /// Valid, but not handled here.
    #[error("{what} {got} is not supported")]
    Unsupported {
        /// The feature.
        what: String,
        /// The value of it that was met.
        got: String,
    },
    /// A claim that exceeds a limit, refused before any memory is taken.
    #[error("{what} claims {claimed} bytes, but at most {limit} are possible here")]
    TooLarge {
        /// What claims so much.
        what: String,
        /// The claim in bytes.
        claimed: u128,
        /// The largest claim that is accepted.
        limit: u64,
    },
    /// A compressed stream that cannot be decoded.
    #[error("{what} cannot be decoded: {message}")]
    Codec {
        /// What was being decoded.
        what: String,
        /// The decoder's words.
        message: String,
    },
    /// A name that the file does not have.
    #[error("there is no {what} `{name}`")]
    Missing {
        /// The sort of thing asked for, such as `variable`.
        what: String,
        /// The name asked for.
        name: String,
        /// The names that exist.
        available: Vec<String>,
    },
    /// A folder in which another process works.
    #[error("another process is working in `{folder}`")]
    Busy {
        /// The folder.
        folder: PathBuf,
    },
    /// The file is sound but is not what the caller asked for (shape, type or range).
    #[error("{what} is {got}, but {expected} was asked for")]
    Mismatch {
        /// The property.
        what: String,
        /// What the caller wants.
        expected: String,
        /// What the file has.
        got: String,
    },
}

const DAMAGED: &str = "the file is damaged or cut short: copy or download it again";

impl Error {
    fn new(kind: Kind, remedy: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Report { path: None, object: None, offset: None, kind, remedy: remedy.into() }))
    }

    /// The system refused to `action` (an infinitive such as `open` or `rename the finished file`).
    pub fn io(action: &'static str, error: io::Error) -> Self {
        let remedy = match error.kind() {
            io::ErrorKind::NotFound => "check the path",
            io::ErrorKind::PermissionDenied => "check the permissions",
            io::ErrorKind::StorageFull => "free some disk space",
            io::ErrorKind::UnexpectedEof => DAMAGED,
            _ => "check the disk and try again",
        };
        Self::new(Kind::Io { action, error }, remedy)
    }

    /// The file ends inside `what`.
    pub fn truncated(what: impl Into<String>, needed: u64, available: u64) -> Self {
        Self::new(Kind::Truncated { what: what.into(), needed, available }, DAMAGED)
    }

    /// The field `what` holds `got` where the format requires `expected`.
    pub fn malformed(what: impl Into<String>, expected: impl fmt::Display, got: impl fmt::Display) -> Self {
        let kind = Kind::Malformed { what: what.into(), expected: expected.to_string(), got: got.to_string() };
        Self::new(kind, DAMAGED)
    }

    /// Another process is working in `folder`.
    pub fn busy(folder: &Path) -> Self {
        Self::new(Kind::Busy { folder: folder.to_owned() }, "wait until it is done, or name another folder")
    }

    /// `what` has the valid value `got`, which is not handled; `remedy` says what the user can do instead.
    pub fn unsupported(what: impl Into<String>, got: impl fmt::Display, remedy: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Unsupported { what: what.into(), got: got.to_string() }, remedy)
    }

    /// `what` claims `claimed` bytes although at most `limit` are possible.
    pub fn too_large(what: impl Into<String>, claimed: u128, limit: u64) -> Self {
        Self::new(Kind::TooLarge { what: what.into(), claimed, limit }, DAMAGED)
    }

    /// The decoder of `what` gave up with `message`.
    pub fn codec(what: impl Into<String>, message: impl fmt::Display) -> Self {
        Self::new(Kind::Codec { what: what.into(), message: message.to_string() }, DAMAGED)
    }

    /// There is no `what` called `name`; the remedy lists those that exist.
    pub fn missing<I>(what: impl Into<String>, name: impl Into<String>, available: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let available: Vec<String> = available.into_iter().map(Into::into).collect();
        let remedy = list_of_names(&available);
        Self::new(Kind::Missing { what: what.into(), name: name.into(), available }, remedy)
    }

    /// `what` is `got` in the file but the caller wants `expected`; `remedy` says how to resolve it.
    pub fn mismatch(
        what: impl Into<String>,
        expected: impl fmt::Display,
        got: impl fmt::Display,
        remedy: impl Into<Cow<'static, str>>,
    ) -> Self {
        let kind = Kind::Mismatch { what: what.into(), expected: expected.to_string(), got: got.to_string() };
        Self::new(kind, remedy)
    }

    /// Replaces the remedy by a better one.
    pub fn with_remedy(mut self, remedy: impl Into<Cow<'static, str>>) -> Self {
        self.0.remedy = remedy.into();
        self
    }

    /// Adds the byte offset in the file, unless a deeper function already has.
    pub fn at(mut self, offset: u64) -> Self {
        self.0.offset.get_or_insert(offset);
        self
    }

    /// Adds the object inside the file (a variable, a data set, a member), unless a deeper function already has.
    pub fn in_object(mut self, name: impl Into<String>) -> Self {
        self.0.object.get_or_insert_with(|| name.into());
        self
    }

    /// Adds the path of the file, unless a deeper function already has.
    pub fn in_file(mut self, path: impl AsRef<Path>) -> Self {
        self.0.path.get_or_insert_with(|| path.as_ref().to_owned());
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> &Kind {
        &self.0.kind
    }

    /// The file, when it was read from one.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// The byte offset at which the problem was found.
    pub fn offset(&self) -> Option<u64> {
        self.0.offset
    }

    /// The object inside the file in which the problem was found.
    pub fn object(&self) -> Option<&str> {
        self.0.object.as_deref()
    }

    /// What the user can do.
    pub fn remedy(&self) -> &str {
        &self.0.remedy
    }
}

/// The names that exist, for a remedy; long lists are cut, and say so.
fn list_of_names(names: &[String]) -> String {
    const SHOWN: usize = 40;
    let verb = match names.len() {
        0 => return "the file holds none".to_owned(),
        1 => "there is only",
        _ => "there are",
    };
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    let rest = if names.len() > SHOWN { format!(" and {} more", names.len() - SHOWN) } else { String::new() };
    format!("{verb} {}{rest}", shown.join(", "))
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { path, object, offset, kind, remedy } = &*self.0;
        if let Some(path) = path {
            write!(f, "`{}`: ", path.display())?;
        }
        write!(f, "{kind}")?;
        if let Some(object) = object {
            write!(f, ", in `{object}`")?;
        }
        if let Some(offset) = offset {
            write!(f, ", at byte {offset}")?;
        }
        write!(f, " ({remedy})")
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_names_file_object_position_and_remedy() {
        let error = Error::malformed("magic", "`n+1`", "`xyz`").at(344).in_object("header").in_file("a/b.nii");
        assert_eq!(
            error.to_string(),
            "`a/b.nii`: magic is `xyz`, expected `n+1`, in `header`, at byte 344 \
             (the file is damaged or cut short: copy or download it again)"
        );
    }

    #[test]
    fn the_deepest_place_wins() {
        let error = Error::truncated("data", 8, 3).at(10).at(20).in_file("deep").in_file("shallow");
        assert_eq!(error.offset(), Some(10));
        assert_eq!(error.path(), Some(Path::new("deep")));
    }

    #[test]
    fn a_wrong_name_lists_the_right_ones() {
        let error = Error::missing("variable", "fmriTrain", ["fmriTrn", "stimTrn"]);
        assert_eq!(error.to_string(), "there is no variable `fmriTrain` (there are `fmriTrn`, `stimTrn`)");
    }
}
