//! Features of stimuli in the spaces of a model pack, as a store on disk: one `NAME.npy` per space and an `index.json`
//! with the stimuli's names in the order of the rows.
//!
//! Work is cut into shards of a fixed number of stimuli. A shard is written whole or not at all, so a run that was killed
//! goes on behind its last whole shard and ends in the same bytes as one that was not. Values of spaces that nobody asked
//! for are never kept.

mod stimuli;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use ndarray::{Array2, Axis};
use percept_core::provenance::content_hash;
use percept_core::{Progress, Seed};
use percept_io::{fs, lock, npy};
use percept_models::probe::{Input, Pool, Probe, Space};
use percept_models::weights::PackFiles;
use serde::{Deserialize, Serialize};

pub use stimuli::StimulusFiles;

use crate::data::pictures;
use crate::error::PipelineError;
use crate::experiment::Pack;
use crate::packs::content_of;
use stimuli::Stimuli;

/// Stimuli per shard, at least; it is a multiple of the batch.
const SHARD: usize = 64;
/// The same of texts that become one row of pooled tokens each: among many there are enough of every length to fill passes.
const SHARD_OF_TEXTS: usize = 512;
/// The largest batch: beyond it nothing gets faster.
const LARGEST_BATCH: usize = 32;

/// What the models are.
#[derive(Clone, Debug)]
pub enum Models {
    /// A model pack.
    Pack(Pack),
    /// A table of word vectors.
    Words(PathBuf),
}

/// A request for features.
#[derive(Clone, Debug)]
pub struct Request {
    /// The models.
    pub models: Models,
    /// Names of the wanted spaces; a table of words has `words` alone.
    pub spaces: Vec<String>,
    /// How places inside the models become rows.
    pub pool: Pool,
    /// The stimuli.
    pub source: StimulusFiles,
    /// Folder of the store.
    pub out: PathBuf,
    /// Stimuli in a pass; without it as many as `memory_bytes` allow.
    pub batch: Option<usize>,
    /// Memory that passes may take, weights aside.
    pub memory_bytes: u64,
    /// The root of the noise of spaces in the U-Net.
    pub seed: u64,
}

/// A finished store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Store {
    /// What made it; equal plans give equal bytes.
    pub plan: Plan,
    /// The spaces with their files and numbers of columns, by name.
    pub spaces: BTreeMap<String, SpaceFile>,
    /// The stimulus of each row.
    pub stimuli: Vec<String>,
}

/// Where a space is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpaceFile {
    /// File name within the store.
    pub file: String,
    /// Numbers per stimulus.
    pub n_features: usize,
}

/// What decides the bytes of a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The program and its version.
    pub program: String,
    /// Hash over the models' files.
    pub models: String,
    /// Wanted spaces.
    pub spaces: Vec<String>,
    /// Pooling.
    pub pool: String,
    /// Seed of the noise.
    pub seed: u64,
    /// Hash over the stimuli's names, and the texts themselves.
    pub stimuli: String,
    /// Stimuli in a pass.
    pub batch: usize,
}

/// Makes the store, or what is left of it.
///
/// # Errors
/// Models, spaces and stimuli that do not fit each other; a folder that holds the features of something else.
pub fn run(request: &Request, progress: &dyn Progress) -> Result<Store, PipelineError> {
    let stimuli = Stimuli::open(&request.source)?;
    let (probe, models) = open(request)?;
    let names = stimuli.names();
    let n = names.len();
    let mut plan = Plan {
        program: concat!("percept ", env!("CARGO_PKG_VERSION")).into(),
        models,
        spaces: request.spaces.clone(),
        pool: format!("{:?}", request.pool).to_lowercase(),
        seed: request.seed,
        stimuli: content_hash((names.join("\n") + "\n\n" + &stimuli.texts(0..n).join("\n")).as_bytes()),
        batch: request.batch.unwrap_or_else(|| batch_for(&probe, request.memory_bytes)).clamp(1, n),
    };
    let index = request.out.join("index.json");
    let plan_path = request.out.join("plan.json");
    let parts = request.out.join("parts");
    let _lock = lock::lock(&request.out, lock::NAME, || {
        progress.warn(&format!("another process is working in `{}`: waiting until it is done", request.out.display()));
        true
    })?;
    for folder in [&request.out, &parts].into_iter().filter(|folder| fs::is_dir(folder)) {
        fs::remove_abandoned(folder)?;
    }
    // A plan that nothing was made of, such as one with a misspelt layer, stands in nobody's way.
    let is_begun = fs::is_file(&index) || fs::is_dir(&parts) && !fs::list(&parts)?.is_empty();
    if let Some(earlier) = read::<Plan>(&plan_path)?.filter(|_| is_begun) {
        // An unfinished store keeps its batch: rows of other batches could differ in their last bit.
        let batch = if request.batch.is_none() { earlier.batch } else { plan.batch };
        plan.batch = batch;
        if earlier != plan {
            return Err(PipelineError::Data {
                what: format!("`{}` holds features of other models, stimuli or settings", request.out.display()),
                remedy: "name another folder with `--out`, or remove this one".into(),
            });
        }
        if let Some(store) = read::<Store>(&index)? {
            progress.begin("features", n as u64);
            progress.resume(n as u64);
            progress.end("already there");
            return Ok(store);
        }
    } else {
        fs::write_bytes(&plan_path, json(&plan).as_bytes())?;
    }

    let are_short = request.pool != Pool::Whole && matches!(request.source, StimulusFiles::Texts { .. });
    let shard = plan.batch * (if are_short { SHARD_OF_TEXTS } else { SHARD }).div_ceil(plan.batch);
    let spaces: Vec<&str> = request.spaces.iter().map(String::as_str).collect();
    progress.begin("features", n as u64);
    for start in (0..n).step_by(shard) {
        let rows = start..(start + shard).min(n);
        let files: Vec<PathBuf> = spaces.iter().map(|name| part(&parts, name, start)).collect();
        if files.iter().all(fs::is_file) {
            progress.resume(rows.len() as u64);
            continue;
        }
        let mut silent = Vec::new();
        let made = shard_rows(&probe, &stimuli, rows.clone(), plan.batch, &mut silent)?;
        for name in &silent {
            progress.warn(&format!("`{name}` is silent: its features say nothing"));
        }
        for (name, file) in spaces.iter().zip(&files) {
            npy::write(file, made[*name].view().into_dyn())?;
        }
        progress.advance(rows.len() as u64);
    }
    progress.end("");
    let spaces = spaces
        .iter()
        .map(|name| {
            let files: Vec<PathBuf> = (0..n).step_by(shard).map(|start| part(&parts, name, start)).collect();
            let file = format!("{name}.npy");
            let n_features = join(&files, n, &request.out.join(&file))?;
            Ok(((*name).to_owned(), SpaceFile { file, n_features }))
        })
        .collect::<Result<_, PipelineError>>()?;
    let store = Store { plan, spaces, stimuli: names.to_vec() };
    fs::write_bytes(&index, json(&store).as_bytes())?;
    for file in fs::list(&parts)? {
        fs::remove_file(file)?;
    }
    Ok(store)
}

fn part(parts: &Path, space: &str, start: usize) -> PathBuf {
    parts.join(format!("{space}.{start:010}.npy"))
}

/// Loads the models, checks that the spaces fit the stimuli, and hashes the models' files.
fn open(request: &Request) -> Result<(Probe, String), PipelineError> {
    let refuse = |what: String, remedy: &str| Err(PipelineError::Data { what, remedy: remedy.into() });
    if request.spaces.is_empty() {
        return refuse("no feature space is asked for".into(), "name one with `--space`");
    }
    let spaces =
        request.spaces.iter().map(|name| Space::parse(name)).collect::<percept_models::error::Result<Vec<_>>>()?;
    let given = match request.source {
        StimulusFiles::Pictures(_) => Input::Pictures,
        StimulusFiles::Texts { .. } => Input::Texts,
        StimulusFiles::Sounds(_) => Input::Sounds,
    };
    if let Some(other) = spaces.iter().find(|space| space.input() != given) {
        let what = format!("`{}` is made from {}, not from {}", other.name(), other.input().word(), given.word());
        return refuse(what, "make the spaces of pictures, of texts and of sounds in stores of their own");
    }
    let files = match &request.models {
        Models::Words(path) if request.spaces == ["words"] => {
            return Ok((Probe::open_words(path)?, fs::content_hash(path)?));
        }
        Models::Words(path) => {
            return refuse(format!("`{}` has no space but `words`", path.display()), "ask for `--space words`");
        }
        Models::Pack(Pack::Pocket) => PackFiles::Embedded(percept_pocket::FILES),
        Models::Pack(Pack::Folder(folder)) => PackFiles::Directory(folder.clone()),
    };
    let probe = Probe::open(&files, spaces, request.pool, Seed::new(request.seed))?;
    Ok((probe, content_of(&files)?))
}

/// As many stimuli in a pass as the memory allows on every thread.
fn batch_for(probe: &Probe, memory_bytes: u64) -> usize {
    let threads = rayon::current_num_threads().max(1) as u64;
    ((memory_bytes / threads / probe.bytes_per_row()) as usize).clamp(1, LARGEST_BATCH)
}

fn shard_rows(
    probe: &Probe,
    stimuli: &Stimuli,
    rows: std::ops::Range<usize>,
    batch: usize,
    silent: &mut Vec<String>,
) -> Result<BTreeMap<String, Array2<f32>>, PipelineError> {
    match (stimuli, probe.sound_format()) {
        (Stimuli::Texts { .. }, _) => return Ok(probe.texts(stimuli.texts(rows), batch)?),
        (Stimuli::Sounds { .. }, Some(format)) => return sound_rows(probe, stimuli, rows, batch, format, silent),
        _ => {}
    }
    let mut names = &stimuli.names()[rows.clone()];
    let mut all: BTreeMap<String, Vec<Array2<f32>>> = BTreeMap::new();
    for group in stimuli.pictures(rows)? {
        let (own, rest) = names.split_at(group.dim().0);
        names = rest;
        let values = pictures::to_values(group.view());
        let resized = probe.image_size().map(|side| pictures::resize(values.view(), side, side));
        let resized = resized.as_ref().map(|all| all.view());
        for (name, rows) in probe.pictures(own, values.view(), resized, batch)? {
            all.entry(name).or_default().push(rows);
        }
    }
    stacked(all, "pictures of unequal size")
}

/// The rows of sounds, of which `batch` for each thread are in memory at once.
fn sound_rows(
    probe: &Probe,
    stimuli: &Stimuli,
    rows: std::ops::Range<usize>,
    batch: usize,
    format: (u32, usize),
    silent: &mut Vec<String>,
) -> Result<BTreeMap<String, Array2<f32>>, PipelineError> {
    let together = batch * rayon::current_num_threads().max(1);
    let mut all: BTreeMap<String, Vec<Array2<f32>>> = BTreeMap::new();
    for start in rows.clone().step_by(together) {
        let sounds = stimuli.sounds(start..(start + together).min(rows.end), format, silent)?;
        for (name, rows) in probe.sounds(&sounds)? {
            all.entry(name).or_default().push(rows);
        }
    }
    stacked(all, "sounds of unequal length")
}

/// One matrix for each space of what the groups of a shard gave.
fn stacked(all: BTreeMap<String, Vec<Array2<f32>>>, of: &str) -> Result<BTreeMap<String, Array2<f32>>, PipelineError> {
    all.into_iter()
        .map(|(name, groups)| {
            let views: Vec<_> = groups.iter().map(|rows| rows.view()).collect();
            let rows = ndarray::concatenate(Axis(0), &views).map_err(|error| PipelineError::Data {
                what: format!("{of} give rows of unequal length in `{name}`: {error}"),
                remedy: "pool the space (`--pool mean`)".into(),
            })?;
            Ok((name, rows))
        })
        .collect()
}

/// Writes the rows of all shards behind each other; only one shard is in memory.
fn join(files: &[PathBuf], n: usize, to: &Path) -> Result<usize, PipelineError> {
    let open = |file: &PathBuf| -> Result<Array2<f32>, PipelineError> {
        let array = npy::open(file)?.read::<f32>()?;
        array.into_dimensionality().map_err(|_| PipelineError::Data {
            what: format!("`{}` is not a matrix", file.display()),
            remedy: "remove it and run again".into(),
        })
    };
    let n_features = match files.first() {
        Some(first) => open(first)?.ncols(),
        None => 0,
    };
    let damaged = |file: &Path| PipelineError::Data {
        what: format!("`{}` does not have {n_features} columns as the shards before it", file.display()),
        remedy: "pool the space, or remove the file and run again".into(),
    };
    for file in files {
        if open(file)?.ncols() != n_features {
            return Err(damaged(file));
        }
    }
    let mut failed = None;
    fs::write_atomic(to, |sink| {
        fs::put(&mut *sink, &npy::header::<f32>(&[n, n_features]))?;
        for file in files {
            let rows = match open(file) {
                Ok(rows) => rows,
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            };
            for value in &rows {
                fs::put(&mut *sink, &value.to_le_bytes())?;
            }
        }
        sink.flush().map_err(|error| percept_io::Error::io("write", error))
    })?;
    match failed {
        Some(error) => Err(error),
        None => Ok(n_features),
    }
}

fn json<T: Serialize>(value: &T) -> String {
    // These types hold strings and numbers alone, which always have a JSON form.
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Option<T>, PipelineError> {
    const MAX_BYTES: u64 = 1 << 30;
    if !fs::is_file(path) {
        return Ok(None);
    }
    serde_json::from_str(&fs::read_text(path, MAX_BYTES)?).map(Some).map_err(|error| PipelineError::Data {
        what: format!("`{}` is not a record of features: {error}", path.display()),
        remedy: "remove the folder, or name another with `--out`".into(),
    })
}
