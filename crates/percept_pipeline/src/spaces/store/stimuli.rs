//! What features are made of: pictures in a folder or an HDF5 data set, texts in a list or a table, sounds in a folder.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use ndarray::{Array2, Array3, Array4, Axis};
use percept_io::{fs, hdf5, picture, sound, table};
use percept_signal::sinc::{Kernel, resample};

use crate::error::PipelineError;

/// The largest list of texts: 1 GiB.
const MAX_TEXT_BYTES: u64 = 1 << 30;

/// The longest sound: ten minutes.
const MAX_SOUND_SECS: f64 = 600.0;

/// Where the stimuli lie, as the user says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StimulusFiles {
    /// A folder of PNG and JPEG files, or `FILE.hdf5:dataset` with pictures (n, height, width, 3).
    Pictures(PathBuf),
    /// A text per line (`.txt`), or a table with a column of texts (`.csv`, `.tsv`).
    Texts {
        /// The file.
        path: PathBuf,
        /// The table's column; without it `text`, `caption`, `sentence` or `word`, whichever there is.
        column: Option<String>,
        /// How many texts before each one are read with it: the context of a word in a story.
        context: usize,
    },
    /// A folder of WAV, FLAC, MP3 and Ogg files.
    Sounds(PathBuf),
}

/// Open stimuli: their names, and what they hold.
pub(super) enum Stimuli {
    Folder { names: Vec<String>, files: Vec<PathBuf> },
    Brick { names: Vec<String>, pictures: hdf5::Dataset },
    Texts { names: Vec<String>, texts: Vec<String> },
    Sounds { names: Vec<String>, files: Vec<PathBuf> },
}

fn refuse(what: String, remedy: &str) -> PipelineError {
    PipelineError::Data { what, remedy: remedy.into() }
}

impl Stimuli {
    pub(super) fn open(source: &StimulusFiles) -> Result<Self, PipelineError> {
        let stimuli = match source {
            StimulusFiles::Pictures(path) if fs::is_dir(path) => folder(path)?,
            StimulusFiles::Pictures(path) => brick(path)?,
            StimulusFiles::Texts { path, column, context } => texts(path, column.as_deref(), *context)?,
            StimulusFiles::Sounds(path) => {
                let (names, files) = named_files(path, &["wav", "flac", "mp3", "ogg"])?;
                Stimuli::Sounds { names, files }
            }
        };
        let names = stimuli.names();
        let mut seen = BTreeSet::new();
        if let Some(twice) = names.iter().find(|name| !seen.insert(name.as_str())) {
            return Err(refuse(format!("two stimuli are called `{twice}`"), "give each a name of its own"));
        }
        if names.is_empty() {
            return Err(refuse("there are no stimuli".into(), "check the path"));
        }
        Ok(stimuli)
    }

    pub(super) fn names(&self) -> &[String] {
        match self {
            Self::Folder { names, .. }
            | Self::Brick { names, .. }
            | Self::Texts { names, .. }
            | Self::Sounds { names, .. } => names,
        }
    }

    /// The pictures of a range, cut where their size changes; none for texts.
    pub(super) fn pictures(&self, range: Range<usize>) -> Result<Vec<Array4<u8>>, PipelineError> {
        match self {
            Self::Folder { files, .. } => {
                let all = files[range].iter().map(picture::read).collect::<percept_io::Result<Vec<Array3<u8>>>>()?;
                all.chunk_by(|a, b| a.dim() == b.dim()).map(stack).collect()
            }
            Self::Brick { pictures, .. } => {
                let all = pictures.read_rows::<u8>(range)?;
                let shape = all.shape().to_vec();
                let all = all.into_dimensionality().map_err(|_| {
                    refuse(format!("`{}` has shape {shape:?}", pictures.name()), "pictures are (n, height, width, 3)")
                })?;
                Ok(vec![all])
            }
            Self::Texts { .. } | Self::Sounds { .. } => Ok(vec![]),
        }
    }

    /// The texts of a range; none for pictures.
    pub(super) fn texts(&self, range: Range<usize>) -> &[String] {
        match self {
            Self::Texts { texts, .. } => &texts[range],
            Self::Folder { .. } | Self::Brick { .. } | Self::Sounds { .. } => &[],
        }
    }

    /// The sounds of a range (channels, samples), mixed to `channels` and resampled to `rate_hz`; none of other stimuli. The
    /// names of those that are silent go to `silent`.
    ///
    /// A sound of one channel stands for both where two are asked for.
    pub(super) fn sounds(
        &self,
        range: Range<usize>,
        (rate_hz, channels): (u32, usize),
        silent: &mut Vec<String>,
    ) -> Result<Vec<Array2<f32>>, PipelineError> {
        let Self::Sounds { names, files } = self else { return Ok(vec![]) };
        range
            .map(|i| {
                let samples = sound::read(&files[i], MAX_SOUND_SECS)?;
                if samples.values.iter().all(|&value| value == 0.0) {
                    silent.push(names[i].clone());
                }
                let mixed = match (samples.values.nrows(), channels) {
                    (a, b) if a == b => samples.values.clone(),
                    (1, n) => ndarray::concatenate(Axis(0), &vec![samples.values.view(); n])
                        .map_err(|error| refuse(error.to_string(), "report this"))?,
                    (_, 1) => Array2::from_shape_vec((1, samples.values.ncols()), samples.mono())
                        .map_err(|error| refuse(error.to_string(), "report this"))?,
                    (n, _) => {
                        let what = format!("`{}` has {n} channels", files[i].display());
                        return Err(refuse(what, "save it with one or two"));
                    }
                };
                let rows: Vec<Vec<f32>> = mixed
                    .outer_iter()
                    .map(|row| resample(&row.to_vec(), samples.rate_hz, rate_hz, Kernel::kaiser_best()))
                    .collect();
                let length = rows.first().map_or(0, Vec::len);
                Array2::from_shape_vec((rows.len(), length), rows.concat())
                    .map_err(|error| refuse(error.to_string(), "report this"))
            })
            .collect()
    }
}

fn stack(pictures: &[Array3<u8>]) -> Result<Array4<u8>, PipelineError> {
    let views: Vec<_> = pictures.iter().map(|picture| picture.view()).collect();
    ndarray::stack(Axis(0), &views).map_err(|error| refuse(error.to_string(), "report this"))
}

fn folder(path: &Path) -> Result<Stimuli, PipelineError> {
    let (names, files) = named_files(path, &["png", "jpg", "jpeg"])?;
    Ok(Stimuli::Folder { names, files })
}

/// The files of a folder whose names end so, in the order of their names, and these without the end.
fn named_files(path: &Path, ends: &[&str]) -> Result<(Vec<String>, Vec<PathBuf>), PipelineError> {
    let is_wanted = |file: &PathBuf| {
        let end = file.extension().map(|end| end.to_string_lossy().to_lowercase());
        end.is_some_and(|end| ends.contains(&end.as_str()))
    };
    let mut files: Vec<PathBuf> = fs::list(path)?.into_iter().filter(is_wanted).collect();
    files.sort();
    let name = |file: &PathBuf| file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    Ok((files.iter().map(name).collect(), files))
}

fn brick(path: &Path) -> Result<Stimuli, PipelineError> {
    let words = path.to_string_lossy();
    let Some((file, dataset)) = words.rsplit_once(':').filter(|(file, _)| fs::is_file(file)) else {
        let what = format!("`{words}` is neither a folder nor an HDF5 file with a data set behind a colon");
        return Err(refuse(what, "name a folder of PNG or JPEG files, or `FILE.hdf5:dataset`"));
    };
    let pictures = hdf5::open(file)?.dataset(dataset)?;
    let shape = pictures.shape();
    if shape.len() != 4 || shape[3] != 3 {
        let what = format!("`{words}` has shape {shape:?}");
        return Err(refuse(what, "pictures are (n, height, width, 3)"));
    }
    Ok(Stimuli::Brick { names: numbered(shape[0], 0), pictures })
}

/// Names that sort as their numbers.
fn numbered(n: usize, first: usize) -> Vec<String> {
    let width = (n + first).max(1).to_string().len();
    (first..n + first).map(|i| format!("{i:0width$}")).collect()
}

fn texts(path: &Path, column: Option<&str>, context: usize) -> Result<Stimuli, PipelineError> {
    const USUAL: [&str; 4] = ["text", "caption", "sentence", "word"];
    let is_table =
        path.extension().is_some_and(|end| end.eq_ignore_ascii_case("csv") || end.eq_ignore_ascii_case("tsv"));
    let (names, own): (Vec<String>, Vec<String>) = if is_table {
        let table = table::open(path)?;
        let column = match column {
            Some(column) => column,
            None => USUAL.into_iter().find(|name| table.has_column(name)).ok_or_else(|| {
                let what = format!("`{}` has the columns {:?}", path.display(), table.columns());
                refuse(what, "say which one holds the texts with `--column`")
            })?,
        };
        let own: Vec<String> = table.texts(column)?.into_iter().map(str::to_owned).collect();
        let id = ["stimulus", "stimulus_id", "id"].into_iter().find(|name| table.has_column(name));
        let names = match id {
            Some(id) => table.texts(id)?.into_iter().map(str::to_owned).collect(),
            None => numbered(own.len(), 1),
        };
        (names, own)
    } else {
        let own: Vec<String> = fs::read_text(path, MAX_TEXT_BYTES)?.lines().map(str::to_owned).collect();
        (numbered(own.len(), 1), own)
    };
    let texts = (0..own.len()).map(|i| own[i.saturating_sub(context)..=i].join(" ")).collect();
    Ok(Stimuli::Texts { names, texts })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(text: &str, name: &str, context: usize) -> Result<Stimuli, PipelineError> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("writable");
        Stimuli::open(&StimulusFiles::Texts { path, column: None, context })
    }

    #[test]
    fn a_word_is_read_with_those_before_it() {
        let stimuli = open("onset\tword\n0.1\tonce\n0.4\tupon\n0.9\ta\n1.0\ttime\n", "story.tsv", 2).expect("a table");
        assert_eq!(stimuli.names(), ["1", "2", "3", "4"]);
        assert_eq!(stimuli.texts(0..4), ["once", "once upon", "once upon a", "upon a time"]);
    }

    #[test]
    fn names_come_from_the_table_and_must_differ() {
        let stimuli = open("id,caption\nb,\"a red, old house\"\na,a dog\n", "captions.csv", 0).expect("a table");
        assert_eq!(
            (stimuli.names(), stimuli.texts(0..1)),
            (&["b".into(), "a".into()][..], &["a red, old house".into()][..])
        );
        let words = open("id,caption\na,x\na,y\n", "captions.csv", 0).err().expect("one name").to_string();
        assert!(words.contains("two stimuli are called `a`"), "{words}");
        let words = open("a,b\n1,2\n", "captions.csv", 0).err().expect("no texts").to_string();
        assert!(words.contains("--column"), "{words}");
    }
}
