//! A corpus of music that can be searched: one vector for every file of sound below a folder.
//!
//! Vectors are written in blocks as they are made, so that a run that was killed goes on behind the last whole block. An index is a
//! folder: `names.txt` (a path relative to the corpus on each line), `vectors.npy` (files × width, in that order) and `index.json`, which
//! says what made it and is written last. A file that cannot be read or holds nothing but silence is left out and named in `left_out.txt`.

use std::path::{Path, PathBuf};

use ndarray::Array2;
use percept_core::Progress;
use percept_core::provenance::content_hash;
use percept_io::{fs, lock, npy};
use percept_models::probe::{Pool, Probe, Space};
use percept_models::weights::PackFiles;
use percept_pipeline::PipelineError;
use percept_pipeline::data::listening::sounds;
use percept_pipeline::packs::content_of;
use percept_stats::nearest::Nearest;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// How much of a track is heard.
pub const MOST_SECS: f64 = 30.0;
/// Files that are written together.
const BLOCK: usize = 64;
/// Endings of files of sound.
const ENDS: [&str; 4] = ["wav", "flac", "mp3", "ogg"];
/// No list of names is longer.
const MAX_NAMES_BYTES: u64 = 1 << 30;

/// What an index was made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Made {
    /// The corpus.
    corpus: PathBuf,
    /// The space of the vectors.
    space: String,
    /// A hash of the models.
    pack: String,
    /// A hash of the names of all files of sound.
    files: String,
    /// Seconds of the pieces of which a track's vector is the mean.
    secs: f64,
    /// Numbers of a vector.
    width: usize,
}

/// An index on the disk.
#[derive(Clone, Debug)]
pub struct Index {
    folder: PathBuf,
    made: Made,
    names: Vec<String>,
}

/// Makes the index of the files of sound below `corpus` in the folder `out`, or goes on where an earlier call stopped. `secs` is the
/// length of the pieces of which a track's vector is the mean.
///
/// # Errors
/// A corpus without sounds; an index of something else in `out`; what models and the disk report.
pub fn make(
    corpus: &Path,
    out: &Path,
    files: &PackFiles,
    secs: f64,
    progress: &dyn Progress,
) -> Result<Index, PipelineError> {
    let all = sounds_below(corpus)?;
    if all.is_empty() {
        let what = format!("`{}` holds no files of sound", corpus.display());
        return Err(PipelineError::data(what, format!("name a folder with files ending in {}", ENDS.join(", "))));
    }
    fs::create_dir(out)?;
    let _held = lock::lock(out, lock::NAME, || crate::reconstruct::say_that_it_waits(out, progress))?;
    let space = "clap.audio";
    let probe = Probe::open(files, vec![Space::parse(space)?], Pool::Mean, percept_core::Seed::new(0))?;
    let Some((rate_hz, n_channels)) = probe.sound_format() else {
        return Err(PipelineError::data("the pack hears nothing", "name one with a CLAP"));
    };
    let names = all.join("\n");
    let mut made = Made {
        corpus: corpus.to_owned(),
        space: space.to_owned(),
        pack: content_of(files)?,
        files: content_hash(names.as_bytes()),
        secs,
        width: 0,
    };
    let begun = out.join("begun.json");
    let asked = format!("{}\n", serde_json::json!(made));
    if fs::is_file(&begun) && fs::read_text(&begun, MAX_NAMES_BYTES)? != asked {
        let what = format!("`{}` holds an index of another corpus, or by another pack", out.display());
        return Err(PipelineError::data(what, "choose an empty folder"));
    }
    fs::write_bytes(&begun, asked.as_bytes())?;
    progress.begin("index", all.len() as u64);
    let (parts, left_out) = (out.join("blocks"), out.join("left_out.txt"));
    fs::create_dir(&parts)?;
    for (number, block) in all.chunks(BLOCK).enumerate() {
        let path = parts.join(format!("{number:06}.npy"));
        if !fs::is_file(&path) {
            let rows = vectors_of(corpus, block, &probe, (rate_hz, n_channels), secs)?;
            npy::write(&path, rows.view().into_dyn())?;
        }
        progress.advance(block.len() as u64);
    }
    let mut kept = Vec::with_capacity(all.len());
    let (mut values, mut unread) = (Vec::new(), String::new());
    for (number, block) in all.chunks(BLOCK).enumerate() {
        let rows = npy::open(parts.join(format!("{number:06}.npy")))?.read::<f32>()?;
        made.width = made.width.max(rows.shape().get(1).copied().unwrap_or(0));
        for (name, row) in block.iter().zip(rows.outer_iter()) {
            // A block without any sound has rows without numbers.
            if !row.is_empty() && row.iter().all(|value| value.is_finite()) {
                kept.push(name.clone());
                values.extend(row.iter().copied());
            } else {
                unread += name;
                unread.push('\n');
            }
        }
    }
    let vectors = Array2::from_shape_vec((kept.len(), made.width), values).map_err(|error| {
        PipelineError::data(format!("blocks do not fit: {error}"), "remove the index and start again")
    })?;
    npy::write(out.join("vectors.npy"), vectors.view().into_dyn())?;
    fs::write_bytes(out.join("names.txt"), (kept.join("\n") + "\n").as_bytes())?;
    fs::write_bytes(&left_out, unread.as_bytes())?;
    fs::write_bytes(out.join("index.json"), format!("{:#}\n", serde_json::json!(made)).as_bytes())?;
    for path in fs::list(&parts)? {
        fs::remove_file(path)?;
    }
    progress.end(&format!("{} tracks, {} left out", kept.len(), all.len() - kept.len()));
    Index::open(out)
}

/// One vector for each file; of numbers that are none where a file cannot be read.
fn vectors_of(
    corpus: &Path,
    names: &[String],
    probe: &Probe,
    (rate_hz, n_channels): (u32, usize),
    secs: f64,
) -> Result<Array2<f32>, PipelineError> {
    let rows: Vec<Option<Vec<f32>>> = names
        .par_iter()
        .map(|name| {
            let Ok(sound) = sounds::track(&corpus.join(name), MOST_SECS, rate_hz) else { return Ok(None) };
            let length = ((secs * f64::from(rate_hz)) as usize).max(1);
            let whole: Vec<&[f32]> = sound.chunks(length).filter(|part| part.len() == length).collect();
            let pieces = if whole.is_empty() { vec![&sound[..]] } else { whole };
            // Silence has no direction, and a file of nothing else is left out.
            let heard = pieces.into_iter().filter(|part| part.iter().any(|&value| value != 0.0));
            let pieces: Vec<Array2<f32>> = heard.map(|part| sounds::channels(part, n_channels)).collect();
            if pieces.is_empty() {
                return Ok(None);
            }
            let found = probe.sounds(&pieces)?;
            let mean = found.into_values().next().and_then(|rows| rows.mean_axis(ndarray::Axis(0)));
            Ok::<_, PipelineError>(mean.map(|mean| mean.to_vec()))
        })
        .collect::<Result<_, _>>()?;
    let width = rows.iter().flatten().map(Vec::len).next().unwrap_or(0);
    let values = rows.iter().flat_map(|row| row.clone().unwrap_or_else(|| vec![f32::NAN; width])).collect();
    Array2::from_shape_vec((names.len(), width), values)
        .map_err(|error| PipelineError::data(format!("vectors do not fit: {error}"), "report this"))
}

/// Files of sound below `corpus`, relative to it, sorted.
fn sounds_below(corpus: &Path) -> Result<Vec<String>, PipelineError> {
    let is_sound =
        |path: &Path| path.extension().is_some_and(|end| ENDS.iter().any(|known| end.eq_ignore_ascii_case(known)));
    let mut names: Vec<String> = fs::files_below(corpus)?
        .into_iter()
        .filter(|path| is_sound(path))
        .filter_map(|path| Some(path.strip_prefix(corpus).ok()?.to_string_lossy().replace('\\', "/")))
        .collect();
    names.sort();
    Ok(names)
}

impl Index {
    /// Opens the index in `folder`.
    ///
    /// # Errors
    /// When it is not finished, or damaged.
    pub fn open(folder: &Path) -> Result<Self, PipelineError> {
        let facts = folder.join("index.json");
        if !fs::is_file(&facts) {
            let what = format!("`{}` holds no finished index", folder.display());
            return Err(PipelineError::data(what, "run `percept music index` again: it goes on where it was"));
        }
        let text = fs::read_text(&facts, MAX_NAMES_BYTES)?;
        let made = serde_json::from_str(&text).map_err(|error| {
            PipelineError::data(format!("`{}` is damaged: {error}", facts.display()), "make the index again")
        })?;
        let names = fs::read_text(folder.join("names.txt"), MAX_NAMES_BYTES)?.lines().map(str::to_owned).collect();
        Ok(Self { folder: folder.to_owned(), made, names })
    }

    /// How many tracks it has.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The path of a track, relative to the corpus.
    pub fn name(&self, row: usize) -> &str {
        &self.names[row]
    }

    /// The name of a track's file without its ending.
    pub fn stem(&self, row: usize) -> String {
        Path::new(&self.names[row]).file_stem().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The file of a track.
    pub fn path(&self, row: usize) -> PathBuf {
        self.made.corpus.join(&self.names[row])
    }

    /// The `k` nearest tracks to a file of sound with their cosines, by the pack that made the index; perhaps without the track of the
    /// same name.
    ///
    /// # Errors
    /// Another pack; a sound that cannot be read; a damaged index.
    pub fn search(
        &self,
        sound: &Path,
        files: &PackFiles,
        k: usize,
        without_itself: bool,
    ) -> Result<Vec<(String, f32)>, PipelineError> {
        if content_of(files)? != self.made.pack {
            let what = format!("`{}` was made by another pack", self.folder.display());
            return Err(PipelineError::data(what, "name the one that made it"));
        }
        let probe = Probe::open(files, vec![Space::parse(&self.made.space)?], Pool::Mean, percept_core::Seed::new(0))?;
        let Some(format) = probe.sound_format() else {
            return Err(PipelineError::data("the pack hears nothing", "name one with a CLAP"));
        };
        let folder = sound.parent().unwrap_or(Path::new("")).to_owned();
        let name = sound.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // Read first, so that a sound that cannot be read is named.
        sounds::track(sound, MOST_SECS, format.0)?;
        let query = vectors_of(&folder, &[name], &probe, format, self.made.secs)?;
        let stem = sound.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let refused = |error: percept_stats::nearest::NearestError| {
            PipelineError::data(
                format!("the index cannot be searched: {error}"),
                "look at the sound, or make the index again",
            )
        };
        let nearest = Nearest::new(self.vectors()?).map_err(refused)?;
        let may_be = |row: usize| !without_itself || self.stem(row) != stem;
        let found = nearest.search(query.row(0), k, may_be).map_err(refused)?;
        Ok(found.into_iter().map(|found| (self.names[found.row].clone(), found.cosine)).collect())
    }

    /// All vectors, tracks × width.
    ///
    /// # Errors
    /// When the file is damaged or belongs to other names.
    pub fn vectors(&self) -> Result<Array2<f32>, PipelineError> {
        let path = self.folder.join("vectors.npy");
        let array = npy::open(&path)?.read::<f32>()?;
        let (shape, expected) = (array.shape().to_vec(), (self.names.len(), self.made.width));
        let vectors = array.into_dimensionality().ok().filter(|rows: &Array2<f32>| rows.dim() == expected);
        vectors.ok_or_else(|| {
            let what = format!("`{}` has the shape {shape:?}, expected {expected:?}", path.display());
            PipelineError::data(what, "make the index again")
        })
    }
}
