//! A whole pack: listing, choice, files, and only then the names under which programs find it.

use std::path::{Path, PathBuf};

use percept_core::Progress;
use percept_io::fs;
use percept_io::hub::{Cache, Repository, is_commit};

use crate::choose::{choose, is_weights};
use crate::client::Client;
use crate::error::{HubError, Result, at};
use crate::fetch::{Meter, Place, Wanted, fetch, hash_of};
use crate::identity::Identity;
use crate::listing::Listing;
use crate::settings::Settings;

/// Where a pack goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// The cache that [`Settings`] name.
    Cache,
    /// A plain folder.
    Folder(PathBuf),
}

/// A pack that was brought here.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// The folder with its files.
    pub folder: PathBuf,
    /// The commit that the revision was.
    pub commit: String,
    /// Its files with their sizes in bytes.
    pub files: Vec<(String, u64)>,
    /// Files of the repository that were not taken.
    pub left: Vec<String>,
}

/// Brings the files of a repository here; those that are here already are not asked for again.
///
/// # Errors
/// [`HubError`] says what was wrong, where, and what to do. Whatever arrived stays, so that pulling again goes on there; the
/// pack gets its name in the cache only when all of it is whole.
pub fn pull(
    settings: &Settings,
    repository: &Repository,
    destination: &Destination,
    include: &[String],
    progress: &dyn Progress,
) -> Result<Pulled> {
    let client = Client::new(settings, repository)?;
    let listing = Listing::request(&client)?;
    let names: Vec<&str> = listing.files.iter().map(|file| file.name.as_str()).collect();
    let (mut wanted, mut left) = (Vec::new(), Vec::new());
    for (file, taken) in listing.files.iter().zip(choose(&names, include)) {
        if taken {
            let (identity, size) = file.identify(&client, &listing.commit)?;
            wanted.push(Wanted { name: file.name.clone(), size, identity });
        } else {
            left.push(file.name.clone());
        }
    }
    if !wanted.iter().any(|file| is_weights(&file.name)) {
        const SHOWN: usize = 20;
        let more = if names.len() > SHOWN { ", …" } else { "" };
        let files = format!("{}{more}", names[..names.len().min(SHOWN)].join(", "));
        return Err(HubError::NoWeights { repository: repository.name().to_owned(), files });
    }
    // Small ones first: a config that is not supported is then seen before gigabytes have come.
    wanted.sort_by(|a, b| (a.size, &a.name).cmp(&(b.size, &b.name)));
    let total = wanted.iter().map(|file| file.size).sum();
    let mut meter = Meter::begin(progress, &format!("pull {repository}"), total);
    for file in &wanted {
        let place = match destination {
            Destination::Cache => in_cache(&settings.cache, repository, &file.identity),
            Destination::Folder(folder) => in_folder(folder, file),
        };
        fetch(&client, &listing.commit, file, &place, &mut meter)?;
    }
    let folder = match destination {
        Destination::Cache => publish(&settings.cache, repository, &listing.commit, &wanted)?,
        Destination::Folder(folder) => folder.clone(),
    };
    progress.end(&format!("{} files in {}", wanted.len(), folder.display()));
    wanted.sort_by(|a, b| a.name.cmp(&b.name));
    let files = wanted.into_iter().map(|file| (file.name, file.size)).collect();
    Ok(Pulled { folder, commit: listing.commit, files, left })
}

fn in_cache(cache: &Cache, repository: &Repository, identity: &Identity) -> Place {
    let blob = cache.folder(repository).join("blobs").join(identity.text());
    let lock = cache.root().join(".locks").join(repository.folder_name()).join(format!("{}.lock", identity.text()));
    Place { part: blob.with_added_extension("incomplete"), whole: blob, lock: Some(lock) }
}

fn in_folder(folder: &Path, file: &Wanted) -> Place {
    let whole = folder.join(&file.name);
    let name = whole.file_name().unwrap_or_default().to_string_lossy().into_owned();
    // The hash keeps a part of another version from being gone on with.
    let part = whole.with_file_name(format!(".{name}.{}.incomplete", file.identity.text()));
    Place { whole, part, lock: None }
}

/// Gives the files of a commit their names, and the revision its commit.
fn publish(cache: &Cache, repository: &Repository, commit: &str, files: &[Wanted]) -> Result<PathBuf> {
    let snapshots = cache.folder(repository).join("snapshots");
    let snapshot = snapshots.join(commit);
    // A new snapshot appears whole or not at all.
    let scratch = snapshots.join(format!(".{commit}.incomplete"));
    let target = if snapshot.is_dir() { &snapshot } else { &scratch };
    for file in files {
        let link = target.join(&file.name);
        if let Some(folder) = link.parent() {
            fs::create_dir(folder)?;
        }
        let up = "../".repeat(2 + file.name.matches('/').count());
        let blob = PathBuf::from(format!("{up}blobs/{}", file.identity.text()));
        if std::fs::read_link(&link).is_ok_and(|known| known == blob) {
            continue;
        }
        fs::remove_file(&link)?;
        let absolute = cache.folder(repository).join("blobs").join(file.identity.text());
        make_link(&blob, &absolute, &link).map_err(at(&link))?;
    }
    if target == &scratch {
        std::fs::rename(&scratch, &snapshot).map_err(at(&snapshot))?;
    }
    if !is_commit(repository.revision()) {
        fs::write_bytes(cache.reference(repository), commit.as_bytes())?;
    }
    Ok(snapshot)
}

#[cfg(unix)]
fn make_link(relative: &Path, _: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(relative, link)
}

/// Not every user of Windows may make links.
#[cfg(windows)]
fn make_link(relative: &Path, absolute: &Path, link: &Path) -> std::io::Result<()> {
    std::os::windows::fs::symlink_file(relative, link)
        .or_else(|_| std::fs::hard_link(absolute, link))
        .or_else(|_| std::fs::copy(absolute, link).map(drop))
}

/// Files of a snapshot in the cache whose bytes are not those that their hash says, with what is wrong. Files that are no
/// links into the cache, in a folder that the user filled, have no hash to compare with and are not looked at.
///
/// # Errors
/// When the folder cannot be read.
pub fn damaged(snapshot: &Path) -> Result<Vec<(String, String)>> {
    let mut problems = Vec::new();
    let mut folders = vec![snapshot.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in fs::list(&folder)? {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let Ok(blob) = std::fs::read_link(&path) else { continue };
            let hash = blob.file_name().and_then(|name| name.to_str()).and_then(Identity::parse);
            let Some(expected) = hash else { continue };
            let name = path.strip_prefix(snapshot).unwrap_or(&path).display().to_string();
            if !path.is_file() {
                problems.push((name, "the file that it stands for is gone".to_owned()));
                continue;
            }
            let got = hash_of(&path, &expected)?;
            if got != expected {
                problems.push((name, format!("{got}, expected {}", expected.text())));
            }
        }
    }
    problems.sort();
    Ok(problems)
}
