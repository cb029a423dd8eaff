//! The Hugging Face cache on this machine: which repositories of models lie in it, and where.
//!
//! ```text
//! models--ORG--NAME/blobs/HASH          each file once, under its hash (SHA-256, or git's SHA-1 where it is small)
//! models--ORG--NAME/refs/REVISION       the commit that a branch or tag was when it was brought here
//! models--ORG--NAME/snapshots/COMMIT/…  the files of a commit under their own names: links to the blobs
//! ```
//!
//! It is the layout of Python's `huggingface_hub`, so both see the same files. This module reads it and never the network;
//! `percept model pull` fills it. The folder is `HF_HUB_CACHE`, or `hub` in `HF_HOME`, or in `~/.cache/huggingface`.

use std::path::{Path, PathBuf};

use crate::{Error, Result, fs};

/// What a pack from the cache begins with where a folder could stand too: `hf:ORG/NAME`.
pub const PREFIX: &str = "hf:";
/// The branch that is meant where none is named.
pub const MAIN: &str = "main";
/// The longest name of a repository that the hub gives out.
const LONGEST_NAME: usize = 96;

/// A repository of a model at a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    name: String,
    revision: String,
}

impl Repository {
    /// Reads `ORG/NAME` (or `NAME`, for old ones) with an optional `@REVISION`: a branch, a tag or a commit.
    ///
    /// # Errors
    /// [`crate::Kind::Mismatch`] when it is none.
    pub fn parse(text: &str) -> Result<Self> {
        let (name, revision) = text.split_once('@').unwrap_or((text, MAIN));
        let wrong = || {
            let remedy = "write it as on its page, such as `openai/clip-vit-large-patch14`";
            Error::mismatch("the repository", "`ORG/NAME` or `ORG/NAME@REVISION`", format!("`{text}`"), remedy)
        };
        let parts: Vec<&str> = name.split('/').collect();
        let is_name = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
                && !part.starts_with(['-', '.'])
                && !part.ends_with(['-', '.'])
                && !part.contains("--")
                && !part.contains("..")
        };
        if name.len() > LONGEST_NAME || parts.len() > 2 || !parts.into_iter().all(is_name) || !is_revision(revision) {
            return Err(wrong());
        }
        Ok(Self { name: name.to_owned(), revision: revision.to_owned() })
    }

    /// The same repository at another revision.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn at(&self, revision: &str) -> Result<Self> {
        Self::parse(&format!("{}@{revision}", self.name))
    }

    /// `ORG/NAME`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The branch, tag or commit.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// The name of its folder in the cache.
    pub fn folder_name(&self) -> String {
        format!("models--{}", self.name.replace('/', "--"))
    }
}

impl std::fmt::Display for Repository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        if self.revision == MAIN { Ok(()) } else { write!(f, "@{}", self.revision) }
    }
}

/// Whether `text` can be a branch, tag or commit, and a path below `refs` that stays there.
fn is_revision(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte))
    };
    text.split('/').all(is_part)
}

/// Whether `text` is the hash of a commit.
pub fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A repository in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    /// The repository, at a revision that is whole.
    pub repository: Repository,
    /// The folder of its files; `None` where a pull was begun and did not come to its end.
    pub snapshot: Option<PathBuf>,
}

/// A folder in the layout of the Hugging Face cache.
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// The cache in `root`, which need not exist yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The user's, as `huggingface_hub` finds it: `HF_HUB_CACHE`, `HUGGINGFACE_HUB_CACHE`, or `hub` in [`home`].
    pub fn of_user() -> Self {
        let named = variable("HF_HUB_CACHE").or_else(|| variable("HUGGINGFACE_HUB_CACHE"));
        Self::new(named.unwrap_or_else(|| home().join("hub")))
    }

    /// Its folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of a repository, whether or not it is there.
    pub fn folder(&self, repository: &Repository) -> PathBuf {
        self.root.join(repository.folder_name())
    }

    /// The file that says which commit the revision of a repository is.
    pub fn reference(&self, repository: &Repository) -> PathBuf {
        self.folder(repository).join("refs").join(repository.revision())
    }

    /// The folder with the files of a repository at its revision.
    ///
    /// # Errors
    /// [`crate::Kind::Missing`] when it was not brought here, with the command that does it.
    pub fn snapshot(&self, repository: &Repository) -> Result<PathBuf> {
        self.there(repository).ok_or_else(|| {
            let known = self.list().unwrap_or_default().into_iter().filter(|cached| cached.snapshot.is_some());
            Error::missing("model", repository.to_string(), known.map(|cached| cached.repository.to_string()))
                .with_remedy(format!("bring it here with `percept model pull {repository}`"))
                .in_file(&self.root)
        })
    }

    fn there(&self, repository: &Repository) -> Option<PathBuf> {
        let revision = repository.revision();
        let commit = if is_commit(revision) { revision.to_owned() } else { self.commit(repository)? };
        Some(self.folder(repository).join("snapshots").join(commit)).filter(|folder| folder.is_dir())
    }

    /// The commit that the revision of a repository was when it was brought here.
    fn commit(&self, repository: &Repository) -> Option<String> {
        let text = fs::read_text(self.reference(repository), 1 << 10).ok()?;
        Some(text.trim().to_owned()).filter(|commit| is_commit(commit))
    }

    /// Every repository in the cache, in order of their names, once for each revision that is whole.
    ///
    /// # Errors
    /// When the folder is there and cannot be read.
    pub fn list(&self) -> Result<Vec<Cached>> {
        let mut found = Vec::new();
        if !self.root.is_dir() {
            return Ok(found);
        }
        for folder in fs::list(&self.root)? {
            let name = folder.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix("models--"));
            let Some(repository) = name.and_then(|name| Repository::parse(&name.replacen("--", "/", 1)).ok()) else {
                continue;
            };
            let mut commits = Vec::new();
            let mut whole = Vec::new();
            for revision in references(&folder.join("refs"), "")? {
                let Ok(repository) = repository.at(&revision) else { continue };
                let Some(snapshot) = self.there(&repository) else { continue };
                commits.push(snapshot.clone());
                whole.push(Cached { repository, snapshot: Some(snapshot) });
            }
            // Commits that were asked for by their hash have no name of their own.
            for snapshot in entries(&folder.join("snapshots"))? {
                let commit = snapshot.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                if is_commit(commit) && !commits.contains(&snapshot) {
                    whole.push(Cached { repository: repository.at(commit)?, snapshot: Some(snapshot) });
                }
            }
            if whole.is_empty() {
                whole.push(Cached { repository, snapshot: None });
            }
            found.extend(whole);
        }
        Ok(found)
    }
}

/// The folder of the pack that `text` names by `hf:ORG/NAME`, from the user's cache; `None` where it begins otherwise.
///
/// # Errors
/// As [`Repository::parse`] and [`Cache::snapshot`].
pub fn pack(text: &str) -> Option<Result<PathBuf>> {
    let name = text.strip_prefix(PREFIX)?;
    Some(Repository::parse(name).and_then(|repository| Cache::of_user().snapshot(&repository)))
}

/// Where `huggingface_hub` keeps its things: `HF_HOME`, or `huggingface` in the user's folder for caches.
pub fn home() -> PathBuf {
    variable("HF_HOME").unwrap_or_else(|| {
        let caches = variable("XDG_CACHE_HOME").or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
        caches.unwrap_or_default().join("huggingface")
    })
}

/// A folder from the environment; `~` at its start is the user's.
fn variable(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os(name).filter(|value| !value.is_empty())?);
    match (path.strip_prefix("~"), std::env::home_dir()) {
        (Ok(rest), Some(home)) => Some(home.join(rest)),
        _ => Some(path),
    }
}

/// The names of all files below `refs`.
fn references(folder: &Path, prefix: &str) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for path in entries(folder)? {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if path.is_dir() {
            names.extend(references(&path, &format!("{prefix}{name}/"))?);
        } else {
            names.push(format!("{prefix}{name}"));
        }
    }
    Ok(names)
}

/// What is in a folder that may be absent.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    if folder.is_dir() { fs::list(folder) } else { Ok(Vec::new()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn names_are_read_as_the_hub_writes_them() {
        let plain = Repository::parse("openai/clip-vit-large-patch14").expect("a name");
        assert_eq!((plain.name(), plain.revision()), ("openai/clip-vit-large-patch14", "main"));
        assert_eq!(plain.folder_name(), "models--openai--clip-vit-large-patch14");
        assert_eq!(Repository::parse("gpt2").expect("an old name").folder_name(), "models--gpt2");
        let request = Repository::parse("a/b@refs/pr/3").expect("a revision with a path");
        assert_eq!((request.revision(), request.to_string()), ("refs/pr/3", "a/b@refs/pr/3".to_owned()));
    }

    #[test]
    fn names_that_would_leave_the_cache_are_refused() {
        for text in
            ["", "/", "a/b/c", "../b", "a/..", "a/b@../../x", "a/b@", "a/b@/x", "a--b/c", "a/b c", "a\\b", "a/.b"]
        {
            let words = Repository::parse(text).expect_err(text).to_string();
            assert!(words.contains("ORG/NAME"), "{words}");
        }
        assert!(Repository::parse(&format!("a/{}", "b".repeat(95))).is_err());
    }

    #[test]
    fn a_snapshot_is_found_by_branch_and_by_commit_and_its_absence_says_what_to_do() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = Cache::new(folder.path());
        let repository = Repository::parse("lab/model").expect("a name");
        let words = cache.snapshot(&repository).expect_err("nothing is there").to_string();
        assert!(words.contains("percept model pull lab/model"), "{words}");
        assert_eq!(cache.list().expect("an empty list"), []);

        let place = folder.path().join("models--lab--model");
        fs::create_dir(place.join("blobs")).expect("a folder");
        assert_eq!(cache.list().expect("one"), [Cached { repository: repository.clone(), snapshot: None }]);

        let snapshot = place.join("snapshots").join(COMMIT);
        fs::create_dir(&snapshot).expect("a folder");
        let by_commit = repository.at(COMMIT).expect("a commit");
        assert_eq!(cache.snapshot(&by_commit).expect("it is there"), snapshot);
        assert!(cache.snapshot(&repository).is_err(), "`main` is not known yet");
        assert_eq!(cache.list().expect("one")[0].repository, by_commit);

        fs::write_bytes(place.join("refs/main"), COMMIT.as_bytes()).expect("a reference");
        assert_eq!(cache.snapshot(&repository).expect("it is there"), snapshot);
        assert_eq!(cache.list().expect("one"), [Cached { repository, snapshot: Some(snapshot) }]);
    }

    #[test]
    fn only_names_with_the_prefix_are_looked_up() {
        assert!(pack("models/sd").is_none());
        assert!(pack("hf:../x").expect("the prefix is there").is_err());
    }
}
