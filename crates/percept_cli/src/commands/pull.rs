//! `percept model pull`: a model from the Hugging Face hub to this machine, or the list of its files to place by hand.

use std::io::Write;
use std::path::PathBuf;

use anyhow::bail;
use percept::hub::{self, Destination, Settings, offline};
use percept::io::hub::{PREFIX, Repository};
use serde::Serialize;

use crate::arguments::ModelPull;
use crate::output::{bytes, json, say};
use crate::progress::Bars;

/// What came.
#[derive(Serialize)]
struct Came {
    repository: String,
    commit: String,
    folder: PathBuf,
    files: Vec<File>,
    left: Vec<String>,
}

#[derive(Serialize)]
struct File {
    name: String,
    bytes: u64,
}

/// Brings the files here.
pub(crate) fn run(arguments: &ModelPull) -> anyhow::Result<()> {
    let name = arguments.repository.strip_prefix(PREFIX).unwrap_or(&arguments.repository);
    let mut repository = Repository::parse(name)?;
    if let Some(revision) = &arguments.revision {
        repository = repository.at(revision)?;
    }
    let settings = Settings::of_user()?;
    if arguments.offline || hub::is_offline() {
        return list(arguments, &settings, &repository);
    }
    let destination = arguments.to.clone().map_or(Destination::Cache, Destination::Folder);
    let pulled = hub::pull(&settings, &repository, &destination, &arguments.include, &Bars::new())?;
    if arguments.json {
        let files = pulled.files.into_iter().map(|(name, bytes)| File { name, bytes }).collect();
        let repository = repository.to_string();
        return json(&Came { repository, commit: pulled.commit, folder: pulled.folder, files, left: pulled.left });
    }
    for (name, size) in &pulled.files {
        say(format!("  {name}  {}", bytes(*size)));
    }
    if !pulled.left.is_empty() {
        say(format!("left: {} (`--include PATTERN` takes more)", pulled.left.join(", ")));
    }
    let folder = pulled.folder.display();
    match destination {
        Destination::Cache => {
            say(format!("`{PREFIX}{repository}` is its name in every command; the files are in {folder}"));
        }
        Destination::Folder(_) => say(format!("`{folder}` is the pack")),
    }
    Ok(())
}

/// The files of a pack, as JSON.
#[derive(Serialize)]
struct Listed {
    repository: String,
    folder: PathBuf,
    layout: offline::Layout,
    files: Vec<Listing>,
}

#[derive(Serialize)]
struct Listing {
    #[serde(flatten)]
    needed: offline::Needed,
    address: String,
}

/// Says which files go where, and which are there, without a network.
fn list(arguments: &ModelPull, settings: &Settings, repository: &Repository) -> anyhow::Result<()> {
    let cached = settings.cache.snapshot(repository).ok().filter(|_| arguments.to.is_none());
    let by_hand = || PathBuf::from("models").join(repository.name());
    let folder = cached.or_else(|| arguments.to.clone()).unwrap_or_else(by_hand);
    let plan = offline::plan(&folder);
    let n_missing = plan.missing().count();
    let files = plan.needed.into_iter().map(|needed| {
        let file = needed.there.as_ref().unwrap_or(&needed.files[0]);
        Listing { address: offline::address(&settings.endpoint, repository, file), needed }
    });
    let files: Vec<Listing> = files.collect();
    if arguments.json {
        json(&Listed { repository: repository.to_string(), folder: folder.clone(), layout: plan.layout, files })?;
    } else {
        let mut out = std::io::stdout().lock();
        for Listing { needed, address } in &files {
            if let Some(file) = &needed.there {
                writeln!(out, "here      {file}")?;
                continue;
            }
            let state = if needed.optional { "optional" } else { "missing" };
            writeln!(out, "{state:<9} {}  {address}", needed.files[0])?;
            for other in &needed.files[1..] {
                writeln!(out, "  or      {other}")?;
            }
        }
    }
    let (place, cache) = (folder.display(), settings.cache.root().display());
    if n_missing == 0 {
        say(format!("all of `{repository}` is in {place}"));
        return Ok(());
    }
    let which = match plan.layout {
        offline::Layout::Unknown => "its files, as a pipeline of several parts or as one model,",
        _ => "files that are missing",
    };
    bail!(
        "`{repository}` is not whole in `{place}` (put {which} there from the addresses listed; or pull it on a machine with \
         a network and copy its folder `{}` into `{cache}`)",
        repository.folder_name()
    )
}
