//! Texts that name files: plain paths, and arrays inside files (`file:variable`).

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::key::{KeyType, Kind, Refused};

/// How files that hold arrays end. Where such an end follows the last colon, the colon belongs to the file's name.
const ARRAY_FILES: [&str; 6] = ["mat", "npy", "npz", "h5", "hdf5", "safetensors"];

const EXPECTED: &str = "`file` or `file:variable`";

/// `text` as a path, made absolute against `folder`.
pub(super) fn resolve_path(text: &str, folder: &Path) -> Result<String, Refused> {
    in_utf8(tidied(&folder.join(text)))
}

fn in_utf8(path: PathBuf) -> Result<String, Refused> {
    path.into_os_string().into_string().map_err(|path| Refused {
        expected: "a path in UTF-8, which the resolved experiment can hold".to_owned(),
        got: format!("`{}`", path.display()),
    })
}

/// The folder of `path`, made absolute by the working directory where it is relative.
pub(super) fn absolute_folder(path: &Path) -> PathBuf {
    let folder = path.parent().unwrap_or(Path::new(""));
    tidied(&std::path::absolute(folder.join("x")).unwrap_or_else(|_| folder.join("x")))
        .parent()
        .map(Path::to_owned)
        .unwrap_or_default()
}

/// `path` without `.` and without `..` that follows a name.
pub(super) fn tidied(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(tidy.components().next_back(), Some(Component::Normal(_))) => {
                tidy.pop();
            }
            other => tidy.push(other),
        }
    }
    tidy
}

/// A named array inside a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrayRef {
    /// The file.
    pub file: PathBuf,
    /// The variable, data set or member; a file with one array needs none.
    pub variable: Option<String>,
}

impl ArrayRef {
    /// Reads `file` or `file:variable`, the file relative to `folder`.
    ///
    /// File names may hold colons: where the whole text is a file that exists, or its end after the last colon looks like
    /// the end of an array file, there is no variable.
    ///
    /// # Errors
    /// When nothing stands before or after the last colon.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, Refused> {
        let whole = tidied(&folder.join(text));
        let Some((file, variable)) = text.rsplit_once(':').filter(|_| !whole.is_file()) else {
            return Ok(Self { file: whole, variable: None });
        };
        if file.is_empty() || variable.is_empty() {
            return Err(Refused { expected: EXPECTED.to_owned(), got: format!("`{text}`") });
        }
        let file = tidied(&folder.join(file));
        let ends_like_a_file = Path::new(variable)
            .extension()
            .is_some_and(|extension| ARRAY_FILES.iter().any(|known| extension.eq_ignore_ascii_case(known)));
        if ends_like_a_file && !file.is_file() {
            return Ok(Self { file: whole, variable: None });
        }
        Ok(Self { file, variable: Some(variable.to_owned()) })
    }

    fn resolve(text: &str, folder: &Path) -> Result<String, Refused> {
        let array = Self::parse(text, folder)?;
        let file = in_utf8(array.file)?;
        Ok(match array.variable {
            Some(variable) => format!("{file}:{variable}"),
            None => file,
        })
    }
}

impl KeyType for PathBuf {
    type Number = ();
    const KIND: Kind = Kind { name: "a path", resolve: Some(resolve_path), ..Kind::TEXT };
}

impl KeyType for ArrayRef {
    type Number = ();
    const KIND: Kind = Kind { name: "an array in a file", resolve: Some(Self::resolve), ..Kind::TEXT };
}

impl fmt::Display for ArrayRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.variable {
            Some(variable) => write!(f, "{}:{variable}", self.file.display()),
            None => write!(f, "{}", self.file.display()),
        }
    }
}

impl Serialize for ArrayRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ArrayRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text, Path::new("")).map_err(|_| de::Error::invalid_value(de::Unexpected::Str(&text), &EXPECTED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str, folder: &Path) -> (String, Option<String>) {
        let array = ArrayRef::parse(text, folder).expect("well formed");
        (array.file.display().to_string(), array.variable)
    }

    #[test]
    fn parent_folders_are_resolved_without_touching_the_disk() {
        assert_eq!(tidied(Path::new("/a/b/../../c/./d")), PathBuf::from("/c/d"));
        assert_eq!(tidied(Path::new("../x")), PathBuf::from("../x"));
    }

    #[test]
    fn what_follows_the_last_colon_is_the_variable() {
        let lab = Path::new("/lab");
        assert_eq!(parsed("x.mat:fmri", lab), ("/lab/x.mat".to_owned(), Some("fmri".to_owned())));
        assert_eq!(parsed("x.h5:group/data", lab), ("/lab/x.h5".to_owned(), Some("group/data".to_owned())));
        assert_eq!(parsed("10:30/x.mat:fmri", lab), ("/lab/10:30/x.mat".to_owned(), Some("fmri".to_owned())));
        assert_eq!(parsed("x.npy", lab), ("/lab/x.npy".to_owned(), None));
        assert!(ArrayRef::parse("x.npy:", lab).is_err());
        assert!(ArrayRef::parse(":fmri", lab).is_err());
    }

    #[test]
    fn a_colon_before_the_name_of_a_file_belongs_to_the_path() {
        assert_eq!(parsed("10:30/x.npy", Path::new("/lab")), ("/lab/10:30/x.npy".to_owned(), None));
        assert_eq!(parsed("/a/run:1.NPY", Path::new("/lab")), ("/a/run:1.NPY".to_owned(), None));
    }

    #[test]
    fn what_exists_decides_where_both_are_possible() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("scan:2024"), "").expect("written");
        std::fs::write(dir.path().join("all.npz"), "").expect("written");
        let at = |name: &str| dir.path().join(name).display().to_string();
        assert_eq!(parsed("scan:2024", dir.path()), (at("scan:2024"), None));
        assert_eq!(parsed("all.npz:x.npy", dir.path()), (at("all.npz"), Some("x.npy".to_owned())));
        let resolved = ArrayRef::resolve("scan:2024", dir.path()).expect("well formed");
        assert_eq!(parsed(&resolved, Path::new("/elsewhere")), (at("scan:2024"), None));
    }
}
